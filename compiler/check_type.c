/* check_type.c: written types. */
#include "compiler/check_state.h"

#include <math.h>
#include <string.h>

typedef struct type_word {
  const char *name;
  ty_kind kind;
  ir_support support;
  uint8_t args, event_rank;
} type_word;

static const type_word words[] = {
    {"real", TY_REAL, IR_SUP_REAL, 0, 0},
    {"int", TY_INT, IR_SUP_INT, 0, 0},
    {"bool", TY_BOOL, IR_SUP_FINITE, 0, 0},
    {"spin", TY_INT, IR_SUP_FINITE, 0, 0},
    {"index", TY_INT, IR_SUP_FINITE, 1, 0},
    {"simplex", TY_REAL, IR_SUP_SIMPLEX, 1, 1},
    {"ordered", TY_REAL, IR_SUP_ORDERED, 1, 1},
    {"unit_vector", TY_REAL, IR_SUP_UNIT_VECTOR, 1, 1},
    {"sum_to_zero", TY_REAL, IR_SUP_SUM_TO_ZERO, 1, 1},
    {"cov", TY_REAL, IR_SUP_COV, 1, 2},
    {"corr", TY_REAL, IR_SUP_CORR, 1, 2},
    {"cholesky_cov", TY_REAL, IR_SUP_CHOLESKY_COV, 1, 2},
    {"cholesky_corr", TY_REAL, IR_SUP_CHOLESKY_CORR, 1, 2},
};
enum { NWORDS = sizeof words / sizeof words[0] };

/* In a signature, an unknown name in an extent is a size that the data tell. */
static void mark_sizes(ctx *c, ast_expr *e) {
  switch (e->kind) {
  case EXPR_NAME: {
    if (!e->name.name[0]) return;
    symbol *s = ptr_map_get(&c->names, e->name.name);
    if (!s && c->auto_sizes) {
      s = sym_new(c->st, SYM_SIZE, e->name.name, e->name.at);
      s->type = ty_scalar(c->st, TY_INT);
      s->size = size_symbol(c->p->sizes, e->name.name);
      sym_of(s)->used = true;
      value_hide(c, s);
      if (c->model) ARENA_PUSH(c->a, c->model->size_syms, c->model->nsize_syms, c->cap_sizes, s);
      else if (c->owner && sym_of(c->owner)->sig) {
        signature *sig = sym_of(c->owner)->sig;
        ARENA_PUSH(c->a, sig->sizes, sig->nsizes, c->cap_sizes, s);
      }
    } else if (s && (s->kind == SYM_DATA || s->kind == SYM_PARAM)) {
      sym_of(s)->extent = true;
      sym_of(s)->used = true;
    }
    return;
  }
  case EXPR_UNARY: mark_sizes(c, e->unary.arg); return;
  case EXPR_BINARY: mark_sizes(c, e->binary.lhs); mark_sizes(c, e->binary.rhs); return;
  case EXPR_INDEX:
    /* len[d] of a ragged array: known by name, so that its uses are not reported as well. */
    if (e->index.base->kind == EXPR_NAME && c->auto_sizes && e->index.base->name.name[0] &&
        !ptr_map_get(&c->names, e->index.base->name.name)) {
      symbol *s = sym_new(c->st, SYM_DATA, e->index.base->name.name, e->index.base->at);
      s->type = ty_scalar(c->st, TY_ERROR);
      value_hide(c, s);
    }
    return;
  default: return;
  }
}

void type_mark_sizes(ctx *c, ast_type *t) {
  if (!t || t->kind == TYPE_ERROR) return;
  for (size_t i = 0; i < t->args.n; i++) mark_sizes(c, t->args.items[i]);
  for (size_t i = 0; i < t->dims.n; i++)
    mark_sizes(c, t->dims.items[i].size);
}

static ir_size check_extent(ctx *c, ast_expr *e, const char *what) {
  if (!check_int(c, e, what)) return IR_SIZE_NONE;
  ir_size s = size_of_expr(c, e);
  int64_t n;
  if (s == IR_SIZE_NONE) {
    diag *d = cx_error(c, "E0510", e->at, "%s must be known before the run", what);
    cx_say(c, d, "this is not made of sizes and literals by `+ - * // %%`");
    if (e->kind == EXPR_NAME && e->name.sym && e->name.sym->at.file == e->at.file)
      cx_point(c, d, e->name.sym->at, "`%s` is %s", e->name.name, sym_noun(e->name.sym));
    if (e->kind == EXPR_CALL && e->call.fn.name && strcmp(e->call.fn.name, "max") == 0)
      cx_help(c, d, "the number of groups is a size where their index is declared, `g: index(J)[N]`: then `real[J]`");
  } else if (size_is_const(c->p->sizes, s, &n) && n < 0) {
    cx_error(c, "E0510", e->at, "%s is negative: %lld", what, (long long)n);
    return IR_SIZE_NONE;
  }
  return s;
}

static bool check_bound(ctx *c, ast_expr *e, ty_kind kind) {
  const ty_info *t = check_expr(c, e);
  if (ty_is_error(t)) return false;
  if (!ty_is_value(t) || t->rank > 0 || (kind == TY_INT && t->kind == TY_REAL)) {
    diag *d = cx_error(c, "E0613", e->at, "a bound must be one %s, not %s", kind == TY_INT ? "integer" : "number", ty_print(c->p, t));
    if (t->rank) cx_help(c, d, "declare the elements in a plate to bound each by its own: `x[i]: real<lower = a[i]> ~ ...`");
    return false;
  }
  return true;
}

static void check_bounds_of(ctx *c, ast_type *t, ty_info *out, const type_word *w) {
  for (size_t i = 0; i < t->bounds.n; i++) {
    ast_arg *b = &t->bounds.items[i];
    bool lower = b->name.name == c->st->lower, upper = b->name.name == c->st->upper;
    if (!lower && !upper) {
      static const char *const names[] = {"lower", "upper"};
      diag *d = cx_error(c, "E0613", b->name.at, "`%s` is not a bound", b->name.name ? b->name.name : "");
      const char *near = b->name.name ? nearest_of(b->name.name, names, 2) : NULL;
      if (near) cx_help(c, d, "did you mean `%s`?", near);
      else cx_help(c, d, "the bounds of a type are `lower` and `upper`");
      continue;
    }
    if ((lower ? out->lo : out->hi) != NULL) {
      cx_error(c, "E0613", b->at, "`%s` is given twice", b->name.name);
      continue;
    }
    if (!check_bound(c, b->value, out->kind)) continue;
    if (lower) out->lo = b->value;
    else out->hi = b->value;
  }
  if (t->bounds.n == 0) return;
  if (w->support != IR_SUP_REAL && w->support != IR_SUP_INT && w->support != IR_SUP_ORDERED) {
    diag *d = cx_error(c, "E0613", t->at, "`%s` takes no bounds", w->name);
    cx_help(c, d, "`real`, `int` and `ordered` do");
    out->lo = out->hi = NULL;
    return;
  }
  double a, b;
  if (out->lo && const_of_expr(out->lo, &a) && a == -(double)INFINITY) out->lo = NULL; /* an open end */
  if (out->hi && const_of_expr(out->hi, &b) && b == (double)INFINITY) out->hi = NULL;
  if (out->lo && out->hi && const_of_expr(out->lo, &a) && const_of_expr(out->hi, &b) && a >= b) {
    diag *d = cx_error(c, "E0613", t->at, "no value lies between the bounds %g and %g", a, b);
    cx_point(c, d, out->lo->at, "lower");
    cx_point(c, d, out->hi->at, "upper");
  }
  if (w->support == IR_SUP_REAL)
    out->support = out->lo && out->hi ? IR_SUP_INTERVAL : out->lo ? IR_SUP_LOWER : out->hi ? IR_SUP_UPPER : IR_SUP_REAL;
}

static const ty_info *fail(ctx *c, ast_type *t) { return t->info = (ty_info *)ty_scalar(c->st, TY_ERROR); }

/* There is no type of that name. */
static void unknown_type(ctx *c, const ast_type *t) {
  static const struct { const char *other, *ours; } habits[] = {
      {"vector", "real[N]"}, {"matrix", "real[N, M]"}, {"row_vector", "real[N]"}, {"float", "real"}, {"double", "real"},
      {"integer", "int"}, {"boolean", "bool"}, {"cov_matrix", "cov(K)"}, {"corr_matrix", "corr(K)"}, {"array", "real[N]"},
      {"categorical", "index(K)"}, {"factor", "index(K)"}, {"positive", "real<lower = 0>"}, {"string", "index(K)"},
      {"cholesky_factor_corr", "cholesky_corr(K)"}, {"cholesky_factor_cov", "cholesky_cov(K)"},
      {"sum_to_zero_vector", "sum_to_zero(K)"}, {"zero_sum", "sum_to_zero(K)"}};
  const char *names[NWORDS], *name = t->name.name, *habit = NULL;
  if (strcmp(name, "dist") == 0) {
    diag *d = cx_error(c, "E0410", t->name.at, "only a `dist` has parameters that are distributions");
    cx_help(c, d, "write it as a distribution over distributions: `dist %s(d: dist) on d { ... }`", c->owner ? c->owner->name : "over");
    return;
  }
  diag *d = cx_error(c, "E0410", t->name.at, "there is no type called `%s`", name);
  for (int i = 0; i < NWORDS; i++) names[i] = words[i].name;
  for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++)
    if (strcmp(habits[i].other, name) == 0) habit = habits[i].ours;
  const char *near = nearest_of(name, names, NWORDS);
  if (habit) cx_help(c, d, "write `%s`", habit);
  else if (near) cx_help(c, d, "did you mean `%s`?", near);
  else cx_help(c, d, "types are real, int, bool, spin, index(K), simplex(K), ordered(K), unit_vector(K), cov(K), corr(K), ...");
}

const ty_info *check_type(ctx *c, ast_type *t) {
  if (t->kind == TYPE_ERROR) return fail(c, t);
  ty_info *out = ARENA_NEW(c->a, ty_info);
  const type_word *w = NULL;
  bool ok = true;
  if (t->kind == TYPE_RANGE) {
    *out = *ty_scalar(c->st, TY_INT);
    out->support = IR_SUP_FINITE;
    check_int(c, t->lo, "the end of a range");
    check_int(c, t->hi, "the end of a range");
    double lo;
    out->lo = t->lo;
    out->hi = t->hi;
    if (const_of_expr(t->lo, &lo) && lo == 1) {
      out->lo = NULL;
      out->count = size_of_expr(c, t->hi);
    }
  } else {
    if (name_missing(&t->name)) return fail(c, t);
    for (int i = 0; i < NWORDS && !w; i++)
      if (strcmp(words[i].name, t->name.name) == 0) w = &words[i];
    if (!w) {
      unknown_type(c, t);
      return fail(c, t);
    }
    *out = *ty_scalar(c->st, w->kind);
    out->support = w->support;
    out->spin = strcmp(w->name, "spin") == 0;
    if (t->args.n != w->args) {
      diag *d = cx_error(c, "E0411", t->at, "`%s` takes %s in parentheses", w->name, w->args ? "one size" : "nothing");
      if (w->args) cx_help(c, d, "write `%s(K)`", w->name);
      else cx_help(c, d, "extents of arrays stand in square brackets: `%s[N]`", w->name);
      for (size_t i = 0; i < t->args.n; i++) check_expr(c, t->args.items[i]);
      ok = false;
    }
    check_bounds_of(c, t, out, w);
  }
  unsigned rank = 0;
  for (size_t i = 0; i < t->dims.n; i++) {
    ast_dim *dim = &t->dims.items[i];
    if (dim->var.name || dim->size->kind == EXPR_INDEX) {
      diag *d = cx_error(c, "E0690", dim->at, "this ragged array is not available yet");
      cx_help(c, d, "the signature of a model may have `T[d in 1..D, len[d]]`; else keep one long array and an index of the group of each element");
      return fail(c, t);
    }
    ir_size s = check_extent(c, dim->size, "an extent");
    if (s == IR_SIZE_NONE) ok = false;
    if (rank < IR_MAX_RANK) out->dim[rank] = s;
    rank++;
  }
  if (w && w->args && ok) {
    ir_size s = check_extent(c, t->args.items[0], "the size of a type");
    if (s == IR_SIZE_NONE) ok = false;
    else if (w->event_rank) {
      for (unsigned k = 0; k < w->event_rank; k++, rank++)
        if (rank < IR_MAX_RANK) out->dim[rank] = s;
      out->event_rank = w->event_rank;
    } else {
      out->count = s;
      out->hi = t->args.items[0];
    }
  }
  if (rank > IR_MAX_RANK) {
    cx_error(c, "E0513", t->at, "an array has at most %d axes, this one has %u", IR_MAX_RANK, rank);
    ok = false;
  }
  if (!ok) return fail(c, t);
  out->rank = (uint8_t)rank;
  t->info = out;
  return out;
}
