/* bind_order.c: levels in an order of the user's: `on "t.csv", R = ["low", "middle", "high"]`.
 *
 * A list of texts for a size says which levels there are and numbers them.  Columns of texts come here with levels in byte order, and tables of
 * groups with rows in that order (bind_tables.c); both are put into the list's. */
#include "compiler/bind_state.h"

#include <string.h>

/* The place of a text in the list, from 1; 0: it is not there. */
static int64_t place_of(const data_array *list, const char *text) {
  for (size_t k = 0; k < list->cells; k++)
    if (strcmp(list->levels[list->i64[k] - 1], text) == 0) return (int64_t)k + 1;
  return 0;
}

static bool counts(const bound *y, ir_size size) { return y->sym->type && y->sym->type->support == IR_SUP_FINITE && y->sym->type->count == size; }

static bool check_list(binder *b, const bound *q) {
  const data_array *list = q->x;
  if (list->n_missing == 0 && list->rank == 1 && list->n_levels == list->cells) return true;
  diag *d = bind_error(b, "E0784", q->at.file ? q->at : q->sym->at, "the levels of `%s` are a list of texts, each of them once", q->sym->name);
  bind_help(b, d, "such as `on ..., %s = [\"low\", \"high\"]`", q->sym->name);
  return false;
}

/* y with its texts numbered by the list. */
static bool number_column(binder *b, const bound *q, bound *y, const char *const *levels) {
  const data_array *x = y->x;
  int64_t *number = ARENA_ARRAY(b->a, int64_t, x->n_levels + 1), *cells = ARENA_ARRAY(b->a, int64_t, x->cells);
  for (size_t k = 0; k < x->n_levels; k++) {
    number[k + 1] = place_of(q->x, x->levels[k]);
    if (number[k + 1]) continue;
    diag *d = bind_error(b, "E0784", q->at, "`%s` has the text \"%s\", which is none of the levels of `%s`", y->sym->name, x->levels[k], q->sym->name);
    bind_point(b, d, bind_type_span(y->sym), "%s", bind_where(b, y, (size_t)-1));
    return false;
  }
  for (size_t k = 0; k < x->cells; k++) cells[k] = number[x->i64[k]];
  data_array *z = ARENA_NEW(b->a, data_array);
  *z = *x;
  z->i64 = cells;
  z->levels = levels;
  z->n_levels = q->x->cells;
  y->x = z;
  y->listed = true;
  return true;
}

/* y, a table with a row for each text of `before`, with its rows in the order of the list. */
static bool order_table(binder *b, const bound *q, bound *y, const data_array *before) {
  const data_array *x = y->x;
  const size_t rows = (size_t)x->dims[0], wide = rows ? x->cells / rows : 0, word = sizeof(int64_t);
  data_array *z = ARENA_NEW(b->a, data_array);
  *z = *x;
  char *cells = (char *)ARENA_ARRAY(b->a, int64_t, q->x->cells * wide);
  uint8_t *missing = x->missing ? ARENA_ARRAY(b->a, uint8_t, q->x->cells * wide) : NULL;
  for (size_t k = 0; k < q->x->cells; k++) {
    const char *text = q->x->levels[q->x->i64[k] - 1];
    size_t at = 0;
    while (at < before->n_levels && strcmp(before->levels[at], text) != 0) at++;
    if (at >= rows) {
      diag *d = bind_error(b, "E0784", q->at, "`%s` has no row for the level \"%s\"", y->sym->name, text);
      bind_point(b, d, bind_type_span(y->sym), "%s", bind_where(b, y, (size_t)-1));
      return false;
    }
    memcpy(cells + k * wide * word, (x->kind == DATA_REAL ? (const char *)x->f64 : (const char *)x->i64) + at * wide * word, wide * word);
    if (missing) memcpy(missing + k * wide, x->missing + at * wide, wide);
  }
  if (x->kind == DATA_REAL) z->f64 = (const double *)cells;
  else z->i64 = (const int64_t *)cells;
  z->missing = missing;
  y->x = z;
  y->listed = true;
  return true;
}

bool bind_order(binder *b) {
  for (size_t k = 0; k < b->n; k++) {
    bound *q = &b->of[k];
    const ir_size size = q->sym->size;
    if (size == IR_SIZE_NONE || !q->written || q->x->kind != DATA_TEXT) continue;
    if (!check_list(b, q)) return false;
    const char **levels = ARENA_ARRAY(b->a, const char *, q->x->cells);
    for (size_t l = 0; l < q->x->cells; l++) levels[l] = q->x->levels[q->x->i64[l] - 1];
    const data_array *before = NULL;
    for (size_t i = 0; i < b->model->ndata; i++) {
      bound *y = &b->of[i];
      if (!y->x || y->x->kind != DATA_TEXT || !counts(y, size)) continue;
      before = y->x;
      if (!number_column(b, q, y, levels)) return false;
    }
    for (size_t i = 0; before && i < b->model->ndata; i++) {
      bound *y = &b->of[i];
      const data_array *own = y->x ? (y->ncolumns ? y->columns[0] : y->x) : NULL;
      if (!own || y->x->kind == DATA_TEXT || y->x->rank == 0 || !y->sym->type || y->sym->type->rank == 0 || y->sym->type->dim[0] != size) continue;
      if (data_find(&b->tables, own->name) == own && !order_table(b, q, y, before)) return false;
    }
    int64_t *n = ARENA_ARRAY(b->a, int64_t, 1);
    *n = (int64_t)q->x->cells;
    data_array *x = ARENA_NEW(b->a, data_array);
    *x = (data_array){.name = q->x->name, .kind = DATA_INT, .cells = 1, .i64 = n, .origin = q->x->origin};
    q->x = x;
  }
  return true;
}
