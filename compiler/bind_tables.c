/* bind_tables.c: columns that number one set of things: tables matched by a key, and levels of one index.
 *
 * A table of groups has a row for each, called by its text (or its number); another table says in a column of that name to which group
 * each of its rows belongs.  An array over groups is read by number, and texts are numbered by their bytes, so the rows
 * of the table of groups are taken in that order, whatever the order of the file.  Without this `uranium[county]` would silently read the wrong row. */
#include "compiler/bind_state.h"

#include "compiler/data_texts.h"

#include <string.h>

static bool is_key_kind(const data_array *x) { return x->rank == 1 && (x->kind == DATA_TEXT || x->kind == DATA_INT); }

static bool same_file(const data_array *x, const data_array *y) {
  return x->origin.file && y->origin.file && strcmp(x->origin.file, y->origin.file) == 0;
}

/* Whether each of the things that a column names stands in it once: texts, or the numbers 1..n. */
static bool is_key(binder *b, const data_array *x) {
  if (x->origin.source != DATA_FROM_CSV || x->n_missing || x->cells == 0) return false;
  if (x->kind == DATA_TEXT) return x->n_levels == x->cells;
  uint8_t *seen = ARENA_ARRAY(b->a, uint8_t, x->cells);
  for (size_t k = 0; k < x->cells; k++) {
    int64_t v = x->i64[k];
    if (v < 1 || (uint64_t)v > x->cells || seen[v - 1]) return false;
    seen[v - 1] = 1;
  }
  return true;
}

/* x with its texts numbered as in t, which has them all. */
static data_array *with_levels(binder *b, data_texts *t, const data_array *x) {
  data_array *y = ARENA_NEW(b->a, data_array);
  *y = *x;
  int64_t *number = ARENA_ARRAY(b->a, int64_t, x->n_levels + 1), *codes = ARENA_ARRAY(b->a, int64_t, x->cells);
  for (size_t k = 0; k < x->n_levels; k++) number[k + 1] = (int64_t)data_texts_add(t, x->levels[k], strlen(x->levels[k]));
  for (size_t k = 0; k < x->cells; k++) codes[k] = number[x->i64[k]];
  data_texts_levels(t, b->a, y, codes);
  return y;
}

/* The first cell of x that the key does not have, or x->cells. */
static size_t first_without_key(binder *b, const data_array *x, const data_array *key) {
  if (x->kind != key->kind) return 0;
  if (x->kind != DATA_TEXT) {
    for (size_t k = 0; k < x->cells; k++)
      if (!(x->missing && x->missing[k]) && (x->i64[k] < 1 || (uint64_t)x->i64[k] > key->cells)) return k;
    return x->cells;
  }
  uint8_t *known = ARENA_ARRAY(b->a, uint8_t, x->n_levels + 1);
  known[0] = 1;
  for (size_t k = 0, i = 0; k < x->n_levels; k++) {
    while (i < key->n_levels && strcmp(key->levels[i], x->levels[k]) < 0) i++;
    known[k + 1] = i < key->n_levels && strcmp(key->levels[i], x->levels[k]) == 0;
  }
  for (size_t k = 0; k < x->cells; k++)
    if (!known[x->i64[k]]) return k;
  return x->cells;
}

/* A column of the table of `key`, its rows in the order of the key's numbers. */
static data_array *in_key_order(binder *b, const data_array *x, const data_array *key) {
  data_array *y = ARENA_NEW(b->a, data_array);
  *y = *x;
  const size_t n = x->cells;
  exec_cell *cells = ARENA_ARRAY(b->a, exec_cell, n);
  uint32_t *lines = ARENA_ARRAY(b->a, uint32_t, n);
  uint8_t *missing = x->missing ? ARENA_ARRAY(b->a, uint8_t, n) : NULL;
  for (size_t row = 0; row < n; row++) {
    const size_t to = (size_t)key->i64[row] - 1;
    memcpy(&cells[to], x->kind == DATA_REAL ? (const void *)&x->f64[row] : (const void *)&x->i64[row], sizeof *cells);
    lines[to] = x->origin.lines ? x->origin.lines[row] : (uint32_t)row + 2;
    if (missing) missing[to] = x->missing[row];
  }
  if (x->kind == DATA_REAL) y->f64 = (const double *)cells;
  else y->i64 = (const int64_t *)cells;
  y->missing = missing;
  y->origin.lines = lines;
  return y;
}

typedef struct columns_of_name {
  const data_array **items;
  size_t n, cap;
  bool clash; /* two of them are in one set, where none is the one that is meant */
} columns_of_name;

static void add_columns(binder *b, columns_of_name *c, const data_set *ds, const char *name) {
  if (!ds) return;
  const data_array *first = data_find(ds, name);
  if (!first || !is_key_kind(first)) return;
  ARENA_PUSH(b->a, c->items, c->n, c->cap, first);
  for (size_t k = 0; k < ds->n_again; k++)
    if (strcmp(ds->again[k]->name, name) == 0) {
      ARENA_PUSH(b->a, c->items, c->n, c->cap, ds->again[k]);
      c->clash = true;
    }
}

static const char *place(binder *b, const data_array *x) {
  const char *where = data_array_where(x, b->a);
  return x->origin.file ? arena_printf(b->a, "%s, %s", x->origin.file, where) : where;
}

static span file_span(binder *b, const data_array *x) {
  for (size_t k = 0; b->run && k < b->run->on.n; k++) {
    const ast_arg *a = &b->run->on.items[k];
    if (a->name.name || a->value->kind != EXPR_STRING || !x->origin.file) continue;
    const size_t n = strlen(x->origin.file), m = strlen(a->value->string.bytes);
    if (n >= m && strcmp(x->origin.file + n - m, a->value->string.bytes) == 0) return a->at;
  }
  return (span){0};
}

static bool report_taken(binder *b, const data_array *x, const data_array *y) {
  const char *name = data_name_shown(x->name, b->a);
  diag *d = bind_error(b, "E0757", file_span(b, y), "%s: the name%s%s is taken already, by %s", place(b, y), *name ? " " : "", name, place(b, x));
  bind_note(b, d, "tables are matched by such a column where one of them has each of its texts, or of the numbers 1..n, once: a key");
  bind_help(b, d, "give each group one row in the table of groups; if the two columns have nothing to do with each other, call one differently");
  return false;
}

static bool report_no_row(binder *b, const data_array *x, const data_array *key, size_t cell) {
  const char *where = data_cell_where(x, cell, b->a);
  const char *word = x->kind == DATA_TEXT ? bind_word_shown(b, x->levels[x->i64[cell] - 1]) : arena_printf(b->a, " (%lld)", (long long)x->i64[cell]);
  diag *d = bind_error(b, "E0784", file_span(b, key), "%s has no row for the value%s of %s%s%s", place(b, key), word, x->origin.file ? x->origin.file : "", x->origin.file ? ", " : "",
                       where);
  bind_say(b, d, "each of its rows is one of `%s`", key->name);
  bind_help(b, d, "add the row, or leave what belongs to it out of the data; texts are compared to the byte, case and spaces included");
  return false;
}

static bool was_ordered(binder *b, const data_array *key) {
  for (size_t k = 0; k < b->tables.n; k++)
    if (same_file(b->tables.arrays[k], key) && b->tables.arrays[k]->origin.lines) return true;
  return false;
}

/* The columns of the key's file, those of other names. */
static void order_table(binder *b, const data_array *key, const char *name) {
  const data_set *sets[2] = {b->given, &b->files};
  if (was_ordered(b, key)) return;
  for (int s = 0; s < 2; s++)
    for (size_t k = 0; sets[s] && k < sets[s]->n; k++) {
      const data_array *x = sets[s]->arrays[k];
      if (x->origin.source != DATA_FROM_CSV || !same_file(x, key) || strcmp(x->name, name) == 0) continue;
      if (bind_array(b, x->name) == x) (void)data_enter(&b->tables, in_key_order(b, x, key));
    }
}

/* Whether another column of the two tables has matched them. */
static bool matched(binder *b, const columns_of_name *c) {
  for (size_t k = 0; k < c->n; k++)
    if (was_ordered(b, c->items[k])) return true;
  return false;
}

static bool match_name(binder *b, const char *name, bool last) {
  columns_of_name c = {0};
  add_columns(b, &c, b->given, name);
  add_columns(b, &c, &b->files, name);
  if (c.n < 2 || data_find(&b->tables, name)) return true;
  const data_array *key = NULL, *main = NULL, *short_of = NULL, *lacks = NULL;
  size_t lacking = 0;
  for (size_t k = 0; k < c.n && !key; k++) {
    if (!is_key(b, c.items[k])) continue;
    const data_array *bad = NULL;
    for (size_t i = 0; i < c.n && !bad; i++) {
      const size_t cell = first_without_key(b, c.items[i], c.items[k]);
      if (cell < c.items[i]->cells) bad = c.items[i], lacking = cell;
    }
    if (!bad) key = c.items[k];
    else lacks = c.items[k], short_of = bad;
  }
  if (!key) {
    if (!last || !c.clash || matched(b, &c)) return true;
    return lacks && lacks->kind == short_of->kind ? report_no_row(b, short_of, lacks, lacking) : report_taken(b, c.items[0], c.items[1]);
  }
  /* Of columns that are all keys each is as good; of others there is one. */
  for (size_t k = 0; k < c.n; k++) {
    const bool as_key = c.items[k]->cells == key->cells && is_key(b, c.items[k]);
    if (as_key) continue;
    if (main) return report_taken(b, main, c.items[k]);
    main = c.items[k];
  }
  for (size_t k = 0; k < c.n; k++)
    if (c.items[k]->cells == key->cells && is_key(b, c.items[k])) order_table(b, c.items[k], name);
  data_array *x;
  if (!main) x = in_key_order(b, key, key);
  else if (main->kind == DATA_TEXT) {
    data_texts t = {.a = b->a};
    for (size_t k = 0; k < key->n_levels; k++) (void)data_texts_add(&t, key->levels[k], strlen(key->levels[k]));
    x = with_levels(b, &t, main);
  } else {
    x = ARENA_NEW(b->a, data_array);
    *x = *main;
  }
  (void)data_enter(&b->tables, x);
  return true;
}

bool bind_tables(binder *b) {
  const data_set *sets[2] = {b->given, &b->files};
  /* Keys first: a column that repeats in both tables of a match is no more than a column. */
  for (int last = 0; last < 2; last++)
    for (int s = 0; s < 2; s++) {
      for (size_t k = 0; sets[s] && k < sets[s]->n_again; k++)
        if (!match_name(b, sets[s]->again[k]->name, last)) return false;
      for (size_t k = 0; s == 0 && sets[0] && k < sets[0]->n; k++)
        if (is_key_kind(sets[0]->arrays[k]) && data_find(&b->files, sets[0]->arrays[k]->name) && !match_name(b, sets[0]->arrays[k]->name, last)) return false;
    }
  return true;
}

/* --- levels of one index */

static bool has_levels(const bound *y) {
  return y->x && y->x->kind == DATA_TEXT && y->sym->type && y->sym->type->support == IR_SUP_FINITE && y->sym->type->count != IR_SIZE_NONE;
}

/* Columns that have no text in common are hardly names of the same things. */
static bool report_apart(binder *b, const bound *x, const bound *y) {
  diag *d = bind_error(b, "E0784", bind_type_span(y->sym), "`%s` and `%s` have no text in common, but one index", x->sym->name, y->sym->name);
  bind_say(b, d, "%zu level%s in %s", y->x->n_levels, y->x->n_levels == 1 ? "" : "s", bind_where(b, y, (size_t)-1));
  bind_point(b, d, bind_type_span(x->sym), "%zu level%s in %s", x->x->n_levels, x->x->n_levels == 1 ? "" : "s", bind_where(b, x, (size_t)-1));
  bind_help(b, d, "declare the two with different sizes, or number them yourself in the data");
  return false;
}

bool bind_levels(binder *b) {
  for (size_t k = 0; k < b->model->ndata; k++) {
    bound *y = &b->of[k];
    if (!has_levels(y)) continue;
    bool first = true, differ = false;
    data_texts t = {.a = b->a};
    for (size_t i = 0; i < b->model->ndata; i++) {
      const bound *z = &b->of[i];
      if (!has_levels(z) || z->sym->type->count != y->sym->type->count) continue;
      first &= i >= k;
      const size_t before = t.n;
      for (size_t l = 0; l < z->x->n_levels; l++) (void)data_texts_add(&t, z->x->levels[l], strlen(z->x->levels[l]));
      if (i > k && before && t.n == before + z->x->n_levels && z->x->n_levels) return report_apart(b, y, z);
      differ |= i > k && (t.n != before || z->x->n_levels != before);
    }
    if (!first || !differ) continue;
    for (size_t i = k; i < b->model->ndata; i++) {
      bound *z = &b->of[i];
      if (has_levels(z) && z->sym->type->count == y->sym->type->count) z->x = with_levels(b, &t, z->x);
    }
  }
  return true;
}

/* An array with an element for each level is read by number, in the order of its own file, where no key says otherwise. */
void bind_say_order(binder *b) {
  enum { SHOWN = 3 };
  for (size_t k = 0; k < b->model->ndata; k++) {
    const bound *y = &b->of[k];
    if (!y->x || !y->sym->type || y->rank == 0 || y->fill || y->listed || y->x->kind == DATA_TEXT) continue;
    const data_array *own = y->ncolumns ? y->columns[0] : y->missing ? y->missing : y->x;
    if (data_find(&b->tables, own->name) == own) continue;
    for (size_t i = 0; i < b->model->ndata; i++) {
      const bound *z = &b->of[i];
      bool over = false;
      for (int axis = 0; axis < y->rank; axis++) over |= has_levels(z) && !z->listed && y->sym->type->dim[axis] == z->sym->type->count;
      if (!over) continue;
      strbuf s;
      strbuf_init(&s, b->a);
      for (size_t l = 0; l < z->x->n_levels && l < SHOWN; l++) {
        const char *word = bind_word_shown(b, z->x->levels[l]);
        if (*word) strbuf_printf(&s, "%s%zu%s", s.n ? ", " : ", as ", l + 1, word);
      }
      diag *d = diag_add(&b->p->diags, DIAG_NOTE, "N0784", bind_type_span(y->sym), "element j of `%s` is that of the j-th text of `%s`", y->sym->name, z->sym->name);
      bind_say(b, d, "texts are numbered in the order of their bytes%s", s.n ? s.s : "");
      bind_help(b, d, "in a CSV file with a column `%s` of its own, each text once, rows stand in any order and are matched", z->x->name);
      return;
    }
  }
}
