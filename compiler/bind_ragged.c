/* bind_ragged.c: rows of different lengths, laid one after the other (check_ragged.c).
 *
 * The elements come as a list of rows, which tells their lengths, or as one long list with the lengths beside it; where both say them they
 * have to agree.  From the lengths follow the row and the place in it of every element. */
#include "compiler/bind_state.h"

static bound *named(const binder *b, const char *name, ast_rows what) {
  for (size_t k = 0; k < b->n; k++)
    if (b->of[k].sym->name == name && b->of[k].sym->param && b->of[k].sym->param->rows == what) return &b->of[k];
  return NULL;
}

static data_array *list(binder *b, const char *name, size_t n, const int64_t *cells, const data_array *like) {
  data_array *x = ARENA_NEW(b->a, data_array);
  int64_t *dims = ARENA_ARRAY(b->a, int64_t, 1);
  dims[0] = (int64_t)n;
  *x = (data_array){.name = name, .kind = DATA_INT, .rank = 1, .dims = dims, .cells = n, .i64 = cells, .origin = like->origin};
  return x;
}

static data_array *number(binder *b, const char *name, const int64_t *cell, const data_array *like) {
  data_array *x = ARENA_NEW(b->a, data_array);
  *x = (data_array){.name = name, .kind = DATA_INT, .cells = 1, .i64 = cell, .origin = like->origin};
  return x;
}

/* One long list for x; the lengths of its rows, where it has rows. */
static const data_array *long_list(binder *b, const data_array *x, const int64_t **rows, size_t *n) {
  data_array *flat = ARENA_NEW(b->a, data_array);
  *flat = *x;
  *rows = x->rows;
  *n = x->n_rows;
  flat->rows = NULL;
  flat->n_rows = 0;
  if (x->rank != 2) return flat;
  int64_t *dims = ARENA_ARRAY(b->a, int64_t, 1), *even = ARENA_ARRAY(b->a, int64_t, (size_t)x->dims[0]);
  for (int64_t k = 0; k < x->dims[0]; k++) even[k] = x->dims[1];
  dims[0] = (int64_t)x->cells;
  flat->rank = 1;
  flat->dims = dims;
  *rows = even;
  *n = (size_t)x->dims[0];
  return flat;
}

/* Whether len is a list of lengths; their sum. */
static bool sum_of(binder *b, const bound *len, int64_t *sum) {
  const data_array *x = len->x;
  bool fine = x->rank == 1 && !x->rows && x->n_missing == 0 && (x->kind == DATA_INT || x->cells == 0);
  size_t cell = (size_t)-1;
  *sum = 0;
  for (size_t k = 0; fine && k < x->cells; k++)
    if (x->i64[k] < 0 || x->i64[k] > ((int64_t)1 << 40) - *sum) fine = false, cell = k;
    else *sum += x->i64[k];
  if (fine) return true;
  diag *d = bind_error(b, "E0774", bind_type_span(len->sym), "%s: `%s` has to hold the lengths of rows: integers, 0 or more", bind_where(b, len, cell), len->sym->name);
  bind_point_binding(b, d, len);
  return false;
}

static bool lengths_agree(binder *b, const bound *y, const bound *len, size_t n, const int64_t *rows) {
  const data_array *x = len->x;
  diag *d = NULL;
  if (x->cells != n) {
    d = bind_error(b, "E0774", bind_type_span(y->sym), "`%s` has %zu rows, and `%s` %zu elements", y->sym->name, n, len->sym->name, x->cells);
  } else {
    for (size_t k = 0; k < n && !d; k++)
      if (rows[k] != x->i64[k])
        d = bind_error(b, "E0774", bind_type_span(y->sym), "row %zu of `%s` has %lld element%s, and `%s[%zu]` is %lld", k + 1, y->sym->name,
                       (long long)rows[k], rows[k] == 1 ? "" : "s", len->sym->name, k + 1, (long long)x->i64[k]);
  }
  if (d) bind_help(b, d, "rows tell their lengths: `%s` can be left out", len->sym->name);
  return !d;
}

/* The row that an expression of numbers, D and ints of the signature names; bind_sizes finds what is wrong with these. */
static int64_t row_number(const binder *b, const ast_expr *e, int64_t rows) {
  if (e->kind == EXPR_INT) return e->integer.value;
  if (e->kind == EXPR_BINARY) {
    const int64_t x = row_number(b, e->binary.lhs, rows), y = row_number(b, e->binary.rhs, rows);
    return e->binary.op == OP_ADD ? (int64_t)((uint64_t)x + (uint64_t)y) : (int64_t)((uint64_t)x - (uint64_t)y);
  }
  for (size_t k = 0; k < b->n; k++) {
    const symbol *s = b->of[k].sym;
    if (s->name != e->name.name || !s->param || s->type->kind != TY_INT || s->type->rank) continue;
    if (b->of[k].x) return b->of[k].x->kind == DATA_INT && b->of[k].x->cells == 1 ? b->of[k].x->i64[0] : 0;
    return s->param->default_ && s->param->default_->kind == EXPR_INT ? s->param->default_->integer.value : 0;
  }
  return rows;
}

/* `len[1]` and `len.start[1]`, of a row that a size names. */
static bool number_row(binder *b, bound *y, const bound *len, const int64_t *start) {
  const ast_param *p = y->sym->param;
  const int64_t rows = (int64_t)len->x->cells, row = row_number(b, p->row, rows);
  if (row < 1 || row > rows) {
    diag *d = bind_error(b, "E0774", p->row->at, "there is no row %lld: `%s` has %lld element%s", (long long)row, len->sym->name, (long long)rows, rows == 1 ? "" : "s");
    bind_point_binding(b, d, len);
    return false;
  }
  int64_t *cell = ARENA_ARRAY(b->a, int64_t, 1);
  *cell = p->rows == ROWS_LENGTH_OF ? len->x->i64[row - 1] : start[row - 1];
  y->x = number(b, y->sym->name, cell, len->x);
  return true;
}

/* len.row, len.col, len.start and len.max. */
static bool number_cells(binder *b, const bound *len, int64_t sum) {
  bound *row = NULL, *col = NULL, *start = NULL, *longest = NULL;
  for (size_t k = 0; k < b->n; k++) {
    const ast_param *p = b->of[k].sym->param;
    if (!p || p->lengths != len->sym->name) continue;
    if (p->rows == ROWS_ROW) row = &b->of[k];
    if (p->rows == ROWS_COLUMN) col = &b->of[k];
    if (p->rows == ROWS_START) start = &b->of[k];
    if (p->rows == ROWS_LONGEST) longest = &b->of[k];
  }
  int64_t *r = ARENA_ARRAY(b->a, int64_t, (size_t)sum), *c = ARENA_ARRAY(b->a, int64_t, (size_t)sum), *s = ARENA_ARRAY(b->a, int64_t, len->x->cells);
  size_t cell = 0;
  int64_t *most = ARENA_ARRAY(b->a, int64_t, 1);
  *most = 1; /* rectangles of rows have an element */
  for (size_t d = 0; d < len->x->cells; d++) {
    if (len->x->i64[d] > *most) *most = len->x->i64[d];
    s[d] = (int64_t)cell;
    for (int64_t n = 1; n <= len->x->i64[d]; n++, cell++) r[cell] = (int64_t)d + 1, c[cell] = n;
  }
  row->x = list(b, row->sym->name, (size_t)sum, r, len->x);
  col->x = list(b, col->sym->name, (size_t)sum, c, len->x);
  start->x = list(b, start->sym->name, len->x->cells, s, len->x);
  longest->x = number(b, longest->sym->name, most, len->x);
  for (size_t k = 0; k < b->n; k++) {
    const ast_param *p = b->of[k].sym->param;
    if (p && p->row && p->lengths == len->sym->name && !number_row(b, &b->of[k], len, s)) return false;
  }
  return true;
}

bool bind_ragged(binder *b) {
  for (size_t k = 0; k < b->n; k++) {
    bound *y = &b->of[k];
    if (!y->sym->param || y->sym->param->rows != ROWS_CELLS || !y->x) continue;
    const int64_t *rows;
    size_t n;
    y->x = long_list(b, y->x, &rows, &n);
    bound *len = named(b, y->sym->param->lengths, ROWS_LENGTHS);
    if (rows && !len->x) len->x = list(b, len->sym->name, n, rows, y->x);
    if (!len->x) {
      bind_absent(b, len);
      return false;
    }
    int64_t sum;
    if (!sum_of(b, len, &sum) || (rows && !lengths_agree(b, y, len, n, rows))) return false;
    if (y->x->rank == 1 && y->x->cells != (size_t)sum) {
      diag *d = bind_error(b, "E0774", bind_type_span(y->sym), "%s: `%s` has %zu elements, and the lengths in `%s` add up to %lld",
                           bind_where(b, y, (size_t)-1), y->sym->name, y->x->cells, len->sym->name, (long long)sum);
      bind_point_binding(b, d, y);
      return false;
    }
    if (!number_cells(b, len, sum)) return false;
  }
  return true;
}
