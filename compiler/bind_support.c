/* bind_support.c: data against declared supports, element by element.  Sums, norms and symmetry hold within TOLERANCE, since
 * data have been rounded when they were written. */
#include "compiler/bind_state.h"

#include "stdlib/runtime/rt_pivot.h"

#include <math.h>

#define TOLERANCE BIND_SUM_TOLERANCE

/* The value of a bound, or a report.  A bound of a latent that is given may depend on others: the density has it then, and this one lets
 * everything pass. */
static bool bound_value(binder *b, const bound *y, const ast_expr *e, bind_num *out) {
  span at;
  const char *why = bind_eval(b, e, out, &at);
  if (!why) return true;
  if (y->sym->kind == SYM_LATENT) {
    out->kind = DATA_REAL;
    out->r = e == y->type->lo ? -(double)INFINITY : (double)INFINITY;
    return true;
  }
  bind_error(b, "E0780", at, "this bound of `%s` cannot be computed when data is bound: %s", y->sym->name, why);
  return false;
}

static diag *violation(binder *b, const bound *y, size_t cell, const char *code, const ast_expr *bound_at, const char *what) {
  diag *d = bind_error(b, code, bound_at ? bound_at->at : bind_type_span(y->sym), "%s: %s", bind_where(b, y, cell), what);
  bind_point_binding(b, d, y);
  return d;
}

/* Literals need no saying. */
static void say_bound(binder *b, diag *d, const char *side, const ast_expr *e, bind_num v) {
  if (e->kind == EXPR_INT || e->kind == EXPR_REAL) bind_say(b, d, "%s bound of this", side);
  else bind_say(b, d, "%s here", bind_num_text(b, v));
}

static bool below(bind_num a, bind_num b) {
  return a.kind == DATA_REAL || b.kind == DATA_REAL ? bind_num_real(a) < bind_num_real(b) : a.i < b.i;
}

static bool outside(binder *b, const bound *y, size_t cell, bind_num x, const ast_expr *lo_at, bind_num lo, const ast_expr *hi_at, bind_num hi) {
  bool low = lo_at && below(x, lo);
  const char *name = y->sym->name;
  diag *d = violation(b, y, cell, "E0777", low ? lo_at : hi_at,
                      arena_printf(b->a, "%s is %s %s, the %s bound of `%s`", bind_num_text(b, x), low ? "less than" : "more than",
                                   bind_num_text(b, low ? lo : hi), low ? "lower" : "upper", name));
  say_bound(b, d, low ? "lower" : "upper", low ? lo_at : hi_at, low ? lo : hi);
  return false;
}

static bool not_a_number(binder *b, const bound *y, size_t cell) {
  diag *d = violation(b, y, cell, "E0777", NULL, arena_printf(b->a, "the value of `%s` is NaN", y->sym->name));
  bind_say(b, d, "declared here");
  if (y->x->origin.source == DATA_FROM_JSON || y->x->origin.source == DATA_FROM_CSV)
    bind_help(b, d, "if the value is missing, write %s", y->x->origin.source == DATA_FROM_JSON ? "null" : "nothing or NA");
  return false;
}

static bool interval(binder *b, const bound *y) {
  const ty_info *t = y->type;
  bind_num lo = {0}, hi = {0};
  if ((t->lo && !bound_value(b, y, t->lo, &lo)) || (t->hi && !bound_value(b, y, t->hi, &hi))) return false;
  size_t n = y->fill ? 1 : y->x->cells;
  for (size_t k = 0; k < n; k++) {
    bind_num x = t->kind == TY_REAL ? (bind_num){.kind = DATA_REAL, .r = y->cells[k].real}
                                    : (bind_num){.kind = DATA_INT, .i = y->cells[k].integer};
    if (x.kind == DATA_REAL && x.r != x.r) return not_a_number(b, y, k);
    if ((t->lo && below(x, lo)) || (t->hi && below(hi, x))) return outside(b, y, k, x, t->lo, lo, t->hi, hi);
  }
  return true;
}

static bool spins(binder *b, const bound *y) {
  for (size_t k = 0; k < (y->fill ? 1 : y->x->cells); k++) {
    int64_t x = y->cells[k].integer;
    if (x == 1 || x == -1) continue;
    diag *d = violation(b, y, k, "E0777", NULL, arena_printf(b->a, "%lld is neither -1 nor 1, as the spin `%s` must be", (long long)x, y->sym->name));
    if (x == 0) bind_help(b, d, "for 0 and 1 declare `bool`");
    return false;
  }
  return true;
}

static bool indices(binder *b, const bound *y) {
  const ty_info *t = y->type;
  bind_num top;
  if (!bound_value(b, y, t->hi, &top)) return false;
  for (size_t k = 0; k < (y->fill ? 1 : y->x->cells); k++) {
    int64_t x = y->cells[k].integer;
    if (x >= 1 && x <= top.i) continue;
    const char *type = ty_print(&b->p->check, &(ty_info){.kind = TY_INT, .support = IR_SUP_FINITE, .count = t->count});
    const bool text = y->x->kind == DATA_TEXT;
    const char *what = text ? arena_printf(b->a, "`%s` holds %zu distinct texts, and is %s with room for %lld; \"%s\" is number %lld of them in the order of their bytes", y->sym->name,
                                           y->x->n_levels, type, (long long)top.i, y->x->levels[x - 1], (long long)x)
                            : arena_printf(b->a, "%lld is outside 1..%lld, and `%s` is %s", (long long)x, (long long)top.i, y->sym->name, type);
    diag *d = violation(b, y, k, "E0777", t->hi, what);
    bind_say(b, d, "%lld here", (long long)top.i);
    if (text) bind_help(b, d, "a size that is not set is the number of texts");
    bind_point_origins(b, d, t->count, t->hi->at);
    if (x == 0) bind_help(b, d, "counting starts at 1: add 1 to every element if the data count from 0");
    return false;
  }
  return true;
}

/* --- events of several cells.  x is row-major; each function returns NULL, or what is wrong, and sets *cell to the cell of the
 * event where that is or leaves it at WHOLE. */

enum { WHOLE = -1 };

static const char *check_simplex(binder *b, const double *x, size_t n, size_t *cell) {
  double sum = 0;
  for (size_t k = 0; k < n; k++) {
    if (!(x[k] >= 0)) {
      *cell = k;
      return arena_printf(b->a, "%s is negative, and probabilities are not", bind_real_text(b, x[k]));
    }
    sum += x[k];
  }
  if (fabs(sum - 1) <= b->sum_tolerance) return NULL;
  return arena_printf(b->a, "the elements sum to %s, and those of a simplex to 1", bind_real_text(b, sum));
}

static const char *check_ordered(binder *b, const double *x, size_t n, size_t *cell) {
  for (size_t k = 1; k < n; k++) {
    if (x[k] > x[k - 1]) continue;
    *cell = k;
    return arena_printf(b->a, "%s is not above the element before it, %s, and ordered elements increase", bind_real_text(b, x[k]),
                        bind_real_text(b, x[k - 1]));
  }
  return NULL;
}

static const char *check_unit(binder *b, const double *x, size_t n) {
  double sum = 0;
  for (size_t k = 0; k < n; k++) sum += x[k] * x[k];
  if (fabs(sum - 1) <= BIND_SUM_TOLERANCE) return NULL;
  return arena_printf(b->a, "the squares sum to %s, and those of a unit vector to 1", bind_real_text(b, sum));
}

static const char *check_zero_sum(binder *b, const double *x, size_t n) {
  double sum = 0, size = 1;
  for (size_t k = 0; k < n; k++) {
    sum += x[k];
    size += fabs(x[k]);
  }
  if (fabs(sum) <= TOLERANCE * size) return NULL;
  return arena_printf(b->a, "the elements sum to %s, and those of a sum_to_zero vector to 0", bind_real_text(b, sum));
}

const char *bind_pivot_text(arena *a, size_t row, double share) {
  const bool singular = !(fabs(share) > 1e-10); /* rounding of a sum of products; 0 / 0 where the row is 0 */
  if (!singular) return row ? arena_printf(a, "the matrix is not positive definite: row %zu is at fault, given those before it", row + 1) : "the matrix is not positive definite: its first element is negative";
  return row ? arena_printf(a, "the matrix is singular: row %zu is a combination of those before it", row + 1) : "the matrix is singular: its first element is 0";
}

static const char *check_matrix(binder *b, const double *x, size_t n, bool correlation, size_t *cell) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      *cell = i * n + j;
      double scale = fmax(1, fmax(fabs(x[i * n + j]), fabs(x[j * n + i])));
      if (i != j && !(fabs(x[i * n + j] - x[j * n + i]) <= TOLERANCE * scale))
        return arena_printf(b->a, "%s is not %s, as element [%zu, %zu] is, and the matrix is symmetric", bind_real_text(b, x[i * n + j]),
                            bind_real_text(b, x[j * n + i]), j + 1, i + 1);
      if (i == j && correlation && !(fabs(x[i * n + i] - 1) <= TOLERANCE))
        return arena_printf(b->a, "%s stands on the diagonal, and a correlation matrix has ones there", bind_real_text(b, x[i * n + i]));
    }
  *cell = (size_t)WHOLE;
  double share;
  const size_t row = (size_t)rt_pivot(x, (ptrdiff_t)n, ARENA_ARRAY(b->a, double, n * n), &share);
  return row == n ? NULL : bind_pivot_text(b->a, row, share);
}

static const char *check_factor(binder *b, const double *x, size_t n, bool correlation, size_t *cell) {
  for (size_t i = 0; i < n; i++) {
    double row = 0;
    for (size_t j = 0; j < n; j++) {
      double v = x[i * n + j];
      *cell = i * n + j;
      row += v * v;
      if (j > i && v != 0) return arena_printf(b->a, "%s stands above the diagonal of a lower triangular factor", bind_real_text(b, v));
      if (j == i && !(v > 0)) return arena_printf(b->a, "%s stands on the diagonal of a factor, which is positive", bind_real_text(b, v));
    }
    *cell = (size_t)WHOLE;
    if (correlation && !(fabs(row - 1) <= TOLERANCE))
      return arena_printf(b->a, "the squares of row %zu sum to %s, and those of a factor of a correlation matrix to 1", i + 1, bind_real_text(b, row));
  }
  return NULL;
}

const char *bind_matrix_fault(binder *b, ir_support support, const double *x, size_t n, size_t *cell) {
  *cell = (size_t)WHOLE;
  switch (support) {
  case IR_SUP_COV: return check_matrix(b, x, n, false, cell);
  case IR_SUP_CORR: return check_matrix(b, x, n, true, cell);
  case IR_SUP_CHOLESKY_COV: return check_factor(b, x, n, false, cell);
  case IR_SUP_CHOLESKY_CORR: return check_factor(b, x, n, true, cell);
  default: return NULL;
  }
}

static bool events(binder *b, const bound *y) {
  const ty_info *t = y->type;
  if (y->x->cells == 0) return true;
  size_t n = (size_t)y->dim[y->rank - 1], size = t->event_rank == 2 ? n * n : n;
  const double *x = &y->cells[0].real;
  for (size_t from = 0; from < y->x->cells; from += size) {
    const double *e = x + from;
    size_t cell = (size_t)WHOLE;
    const char *why = NULL;
    for (size_t k = 0; k < size; k++) {
      if (e[k] - e[k] == 0) continue;
      if (e[k] != e[k]) return not_a_number(b, y, from + k);
      cell = k;
      why = arena_printf(b->a, "%s is not finite", bind_real_text(b, e[k]));
      break;
    }
    if (!why) {
      switch ((ir_support)t->support) {
      case IR_SUP_SIMPLEX: why = check_simplex(b, e, n, &cell); break;
      case IR_SUP_ORDERED: why = check_ordered(b, e, n, &cell); break;
      case IR_SUP_UNIT_VECTOR: why = check_unit(b, e, n); break;
      case IR_SUP_SUM_TO_ZERO: why = check_zero_sum(b, e, n); break;
      default: why = bind_matrix_fault(b, (ir_support)t->support, e, n, &cell);
      }
    }
    if (!why) continue;
    const char *where = cell == (size_t)WHOLE ? bind_event_where(b, y, from, t->rank - t->event_rank) : bind_where(b, y, from + cell);
    diag *d = bind_error(b, "E0778", bind_type_span(y->sym), "%s: %s", where, why);
    bind_point_binding(b, d, y);
    bind_say(b, d, "`%s` is %s", y->sym->name, ty_print(&b->p->check, t));
    return false;
  }
  return t->lo || t->hi ? interval(b, y) : true;
}

/* A scalar that is not in the data, or that is a size, by its value. */
static bool scalar(binder *b, const bound *y) {
  const symbol *s = y->sym;
  const ty_info *t = y->type;
  const ast_expr *def = s->param->default_;
  if (!t->lo && !t->hi) return true;
  bind_num x, lo = {0}, hi = {0};
  int64_t n;
  span at;
  if (s->size != IR_SIZE_NONE && t->rank == 0) {
    if (!size_value(b->p->sizes, s->size, &n)) return true;
    x = (bind_num){.kind = DATA_INT, .i = n};
  } else if (!def || bind_eval(b, def, &x, &at)) return true; /* an array, which lowering computes */
  if ((t->lo && !bound_value(b, y, t->lo, &lo)) || (t->hi && !bound_value(b, y, t->hi, &hi))) return false;
  if (t->kind == TY_INT && t->support == IR_SUP_FINITE && !t->lo) lo = (bind_num){.kind = DATA_INT, .i = 1};
  bool low = (t->lo || t->support == IR_SUP_FINITE) && below(x, lo), high = t->hi && below(hi, x);
  if (!low && !high) return true;
  if (y->x) return outside(b, y, 0, x, t->lo, lo, t->hi, hi);
  const ast_expr *e = low && t->lo ? t->lo : !low ? t->hi : NULL;
  bool solved = !def; /* an int that was told by an extent */
  diag *d = bind_error(b, "E0777", e ? e->at : bind_type_span(s), "%s of `%s`, %s, is %s %s", solved ? "the value" : "the default", s->name,
                       bind_num_text(b, x), low ? "less than" : "more than", bind_num_text(b, low ? lo : hi));
  if (e) say_bound(b, d, low ? "lower" : "upper", e, low ? lo : hi);
  if (!solved) bind_point(b, d, def->at, "the default");
  return false;
}

bool bind_support(binder *b, const bound *y) {
  const ty_info *t = y->type;
  if (!y->cells) return scalar(b, y);
  switch ((ir_support)t->support) {
  case IR_SUP_FINITE:
    if (t->kind == TY_BOOL) return true;
    if (t->spin) return spins(b, y);
    return t->lo ? interval(b, y) : indices(b, y);
  case IR_SUP_REAL: case IR_SUP_LOWER: case IR_SUP_UPPER: case IR_SUP_INTERVAL: case IR_SUP_INT: return interval(b, y);
  default: return y->fill ? interval(b, y) : events(b, y);
  }
}
