/* check_index.c: subscripts: elements, slices, gathers, and what can be said about their ranges before the run. */
#include "compiler/check_state.h"

#include <string.h>

bool affine_of_expr(ctx *c, const ast_expr *e, affine *out) {
  size_table *t = c->p->sizes;
  if (e->kind == EXPR_NAME) {
    symbol *s = e->name.sym ? e->name.sym : ptr_map_get(&c->names, e->name.name);
    if (s && s->kind == SYM_INDEX && sym_of(s)->loop && sym_of(s)->loop->affine) {
      *out = (affine){sym_of(s)->loop, size_const(t, 0)};
      return true;
    }
  }
  ir_size n = size_of_expr(c, e);
  if (n != IR_SIZE_NONE) {
    *out = (affine){NULL, n};
    return true;
  }
  if (e->kind != EXPR_BINARY || (e->binary.op != OP_ADD && e->binary.op != OP_SUB)) return false;
  affine a, b;
  if (!affine_of_expr(c, e->binary.lhs, &a) || !affine_of_expr(c, e->binary.rhs, &b)) return false;
  if (e->binary.op == OP_ADD) {
    if (a.loop && b.loop) return false;
    *out = (affine){a.loop ? a.loop : b.loop, size_add(t, a.off, b.off)};
    return true;
  }
  if (b.loop && a.loop != b.loop) return false;
  *out = (affine){b.loop ? NULL : a.loop, size_sub(t, a.off, b.off)};
  return true;
}

/* --- bounds of positions, where a loop's own range depends on a loop further out */

/* A size plus so many times the index of each loop. */
enum { TERMS_MAX = 8 };
typedef struct linear {
  size_t n;
  loop *loop[TERMS_MAX];
  int64_t times[TERMS_MAX]; /* never 0 */
  ir_size off;
} linear;

static bool linear_add(linear *x, loop *l, int64_t times) {
  for (size_t i = 0; i < x->n; i++)
    if (x->loop[i] == l) {
      x->times[i] += times;
      if (x->times[i] == 0) x->n--, x->loop[i] = x->loop[x->n], x->times[i] = x->times[x->n];
      return true;
    }
  if (x->n == TERMS_MAX) return false;
  x->loop[x->n] = l;
  x->times[x->n++] = times;
  return true;
}

/* Adds times e. */
static bool linear_add_expr(ctx *c, linear *x, const ast_expr *e, int64_t times) {
  size_table *t = c->p->sizes;
  affine a;
  if (affine_of_expr(c, e, &a)) {
    x->off = size_add(t, x->off, size_mul(t, size_const(t, times), a.off));
    return !a.loop || linear_add(x, a.loop, times);
  }
  if (e->kind == EXPR_UNARY && e->unary.op == OP_NEG) return linear_add_expr(c, x, e->unary.arg, -times);
  if (e->kind != EXPR_BINARY || (e->binary.op != OP_ADD && e->binary.op != OP_SUB)) return false;
  return linear_add_expr(c, x, e->binary.lhs, times) && linear_add_expr(c, x, e->binary.rhs, e->binary.op == OP_ADD ? times : -times);
}

/* What bounds an end of a range: of `min(a, b)` above, and of `max(a, b)` below, either argument does; one with a loop's index, which may cancel. */
static const ast_expr *end_bound(ctx *c, const ast_expr *e, bool above) {
  while (e->kind == EXPR_CALL && e->call.args.n == 2 && e->call.fn.sym && e->call.fn.sym->kind == SYM_BUILTIN && e->call.fn.sym->builtin == (above ? BUILTIN_MIN : BUILTIN_MAX)) {
    const ast_expr *first = e->call.args.items[0].value, *second = e->call.args.items[1].value;
    affine a;
    e = affine_of_expr(c, first, &a) && a.loop ? first : second;
  }
  return e;
}

/* Makes x the least (up: the largest) value that it has over the iterations of its loops, the innermost first, since its range may depend on the
 * others; until one index from size to size is left, or none.  t + k with k in 1..T - t is so at most T. */
static bool linear_widen(ctx *c, linear *x, bool up, affine *out) {
  while (x->n > 1 || (x->n == 1 && (x->times[0] != 1 || (up ? x->loop[0]->hi : x->loop[0]->lo) == IR_SIZE_NONE))) {
    const loop *l = c->loops;
    size_t i = x->n;
    for (; l && i == x->n; l = l->outer)
      for (i = 0; i < x->n && x->loop[i] != l;) i++;
    if (i == x->n || x->loop[i]->range->over) return false;
    const loop *inner = x->loop[i];
    const int64_t times = x->times[i];
    linear_add(x, x->loop[i], -times);
    const bool above = times > 0 ? up : !up;
    if (!linear_add_expr(c, x, end_bound(c, above != inner->down ? inner->range->hi : inner->range->lo, above), times)) return false;
  }
  *out = (affine){x->n ? x->loop[0] : NULL, x->off};
  return true;
}

bool affine_bounds_of_expr(ctx *c, const ast_expr *e, affine *from, affine *to) {
  linear x = {.off = size_const(c->p->sizes, 0)};
  if (!linear_add_expr(c, &x, e, 1)) return false;
  linear y = x;
  return linear_widen(c, &x, false, from) && linear_widen(c, &y, true, to);
}

ir_size range_extent(ctx *c, const ast_expr *lo, const ast_expr *hi) {
  affine a, b;
  if (!affine_of_expr(c, lo, &a) || !affine_of_expr(c, hi, &b) || a.loop != b.loop) return IR_SIZE_NONE;
  size_table *t = c->p->sizes;
  return size_add(t, size_sub(t, b.off, a.off), size_const(t, 1));
}

static const char *base_text(const ast_expr *base) {
  while (base->kind == EXPR_INDEX) base = base->index.base;
  return base->kind == EXPR_NAME ? base->name.name : NULL;
}

bool sizes_are_extents(ctx *c, ir_size s) {
  size_table *t = c->p->sizes;
  for (size_t i = 0; i < c->nall; i++) {
    symbol *x = c->all[i];
    if ((x->kind != SYM_DATA && x->kind != SYM_PARAM) || !x->size || sym_of(x)->extent) continue;
    ir_size zero = size_const(t, 0);
    const char *name;
    if (size_is_symbol(t, x->size, &name) && size_substitute(t, s, 1, &x->size, &zero) != s) return false;
  }
  return true;
}

/* The long form of a ragged array has the extent `len.sum`: check_ragged.c.  Subscripts of its rows are written out before; another runs over rows. */
static bool refuse_row(ctx *c, const ast_expr *sub, const char *name, ir_size runs, ir_size extent) {
  const char *symbol, *dot = NULL;
  if (!name || !size_is_symbol(c->p->sizes, extent, &symbol) || !(dot = strchr(symbol, '.'))) return false;
  diag *d = cx_error(c, "E0528", sub->at, "`%s` is ragged, and this index runs over 1..%s", name, size_text(c->st, runs));
  cx_help(c, d, "read its elements, `%s[i, k]`, where k runs over `1..%.*s[i]`", name, (int)(dot - symbol), symbol);
  cx_help(c, d, "a row is a value in a loop over rows, before the one over its elements: `let c = cumsum(%s[i])` there has elements `c[k]`", name);
  return true;
}

/* One subscript of an array, and what reports say of both. */
typedef struct subscript {
  const ast_expr *sub, *base;
  unsigned axis;
  ir_size extent;
  const char *name;  /* of the array, or NULL */
  const char *array; /* in words */
} subscript;

static void report_low(ctx *c, const subscript *x, const affine *a, int64_t first) {
  diag *e = cx_error(c, "E0520", x->sub->at, "this index %s %lld, and counting starts at 1", a->loop ? "starts at" : "is", (long long)first);
  const char *name = x->name ? x->name : "x";
  if (a->loop) {
    cx_point(c, e, a->loop->range->at, "`%s` starts at %s", a->loop->range->var.name, size_text(c->st, a->loop->lo));
    cx_help(c, e, "start the loop later, and treat the first elements on their own");
  } else if (first == 0) {
    cx_help(c, e, "the first element is `%s[1]`", name);
  } else {
    cx_help(c, e, "the last element is `%s[%s]`", name, size_text(c->st, x->extent));
  }
}

/* Another array that has the right extent, of a name long enough to be mistyped; or NULL. */
static const symbol *meant_array(ctx *c, const subscript *x, ir_size extent) {
  for (size_t i = 0; i < c->nall && x->name[1]; i++) {
    const symbol *s = c->all[i];
    if (s->name != x->name && s->type && ty_is_value(s->type) && s->type->rank > x->axis && s->type->dim[x->axis] == extent &&
        ptr_map_get(&c->names, s->name) == s && diag_distance(s->name, x->name, 2) <= 2)
      return s;
  }
  return NULL;
}

/* A loop's index runs up to hi, above the extent; constant: by a number that is known. */
static void report_high(ctx *c, const subscript *x, const affine *a, ir_size hi, bool constant) {
  if (refuse_row(c, x->sub, x->name, a->loop->hi, x->extent)) return;
  const char *var = a->loop->range->var.name, *extent = size_text(c->st, x->extent);
  diag *e;
  if (constant) e = cx_error(c, "E0520", x->sub->at, "this index runs up to %s, but %s has %s elements", size_text(c->st, hi), x->array, extent);
  else e = cx_error(c, "E0528", x->sub->at, "index `%s` runs over %s..%s here, but %s has %s elements", var, size_text(c->st, a->loop->lo), size_text(c->st, a->loop->hi), x->array, extent);
  cx_say(c, e, "%s against %s%s", size_text(c->st, hi), extent, x->axis > 0 ? arena_printf(c->a, ", subscript %u", x->axis + 1) : "");
  point_shape(c, e, x->base);
  cx_point(c, e, a->loop->range->at, "`%s` runs here", var);
  if (constant || !x->name) return;
  const symbol *meant = meant_array(c, x, hi);
  int64_t first;
  if (meant)
    cx_help(c, e, "did you mean `%s[%s]`?", meant->name, var);
  else if (x->axis == 0 && x->base->kind == EXPR_NAME && x->sub->kind == EXPR_NAME && size_is_const(c->p->sizes, a->loop->lo, &first) && first == 1)
    cx_help(c, e, "to read the first %s only, take them out before the loop: `let part = %s[1..%s]`", size_text(c->st, hi), x->name, size_text(c->st, hi));
}

/* An index that is a number, a size or a loop's variable, and such a number more or less. */
static void check_affine(ctx *c, const subscript *x, const affine *a) {
  size_table *sizes = c->p->sizes;
  if (a->loop && (c->guards || c->conds)) return;
  ir_size lo = a->off, hi = a->off;
  if (a->loop) {
    lo = a->loop->lo == IR_SIZE_NONE ? IR_SIZE_NONE : size_add(sizes, a->loop->lo, a->off);
    hi = a->loop->hi == IR_SIZE_NONE ? IR_SIZE_NONE : size_add(sizes, a->loop->hi, a->off);
  }
  int64_t d;
  if (lo != IR_SIZE_NONE && size_is_const(sizes, lo, &d) && d < 1) {
    report_low(c, x, a, d);
    return;
  }
  if (hi == IR_SIZE_NONE || size_never_above(c->st, hi, x->extent)) return;
  bool constant = size_is_const(sizes, size_sub(sizes, hi, x->extent), &d);
  /* Two sizes that the data have are kept apart even where they are equal today; a number says what is meant, and binding compares it. */
  if (!constant && (!a->loop || size_is_const(sizes, hi, &d) || !sizes_are_extents(c, hi) || !sizes_are_extents(c, x->extent))) return;
  if (a->loop) {
    report_high(c, x, a, hi, constant);
    return;
  }
  diag *e = cx_error(c, "E0520", x->sub->at, "index %s is outside: %s has %s elements", size_text(c->st, hi), x->array, size_text(c->st, x->extent));
  if (x->name) point_shape(c, e, x->base);
}

/* An index(K) against an axis of another size. */
static void check_finite(ctx *c, const subscript *x, ir_size count) {
  if (size_never_above(c->st, count, x->extent)) return;
  int64_t d;
  bool constant = size_is_const(c->p->sizes, size_sub(c->p->sizes, count, x->extent), &d);
  if (!constant && (!sizes_are_extents(c, count) || !sizes_are_extents(c, x->extent))) return;
  if (refuse_row(c, x->sub, x->name, count, x->extent)) return;
  const char *n = size_text(c->st, count), *extent = size_text(c->st, x->extent);
  diag *e = cx_error(c, "E0528", x->sub->at, "this index runs over 1..%s, but %s has %s elements", n, x->array, extent);
  cx_say(c, e, "%s against %s", n, extent);
  point_shape(c, e, x->sub);
  point_shape(c, e, x->base);
}

/* A state or an action of an agent as an index: there is an element for each of its values, and no other. */
static void check_values(ctx *c, const subscript *x, const symbol *s) {
  const ir_size count = s->type->count;
  if (count == x->extent) return;
  const char *n = size_text(c->st, count), *extent = size_text(c->st, x->extent);
  diag *e = cx_error(c, "E0528", x->sub->at, "`%s` is one of 1..%s, and %s has %s elements for it", s->name, n, x->array, extent);
  cx_say(c, e, "%s against %s%s", n, extent, x->axis > 0 ? arena_printf(c->a, ", subscript %u", x->axis + 1) : "");
  point_shape(c, e, x->base);
  cx_point(c, e, s->at, "%s", sym_noun(s));
  int64_t k;
  if (size_is_const(c->p->sizes, count, &k) && !size_is_const(c->p->sizes, x->extent, &k)) cx_help(c, e, "a size that the data tell is named where it is meant: `%s: 1..%s`", s->name, extent);
}

void check_bounds(ctx *c, const ast_expr *sub, const ty_info *t, ir_size extent, const ast_expr *base, unsigned axis) {
  const char *name = base_text(base);
  subscript x = {sub, base, axis, extent, name, name ? arena_printf(c->a, "`%s`", name) : "this array"};
  affine a;
  const symbol *s = sub->kind == EXPR_NAME ? sub->name.sym : NULL;
  int64_t steps;
  if (s && s->kind == SYM_TIME && !size_is_const(c->p->sizes, extent, &steps)) return; /* how many steps there are is a matter of the data */
  if (s && (s->kind == SYM_STATE || s->kind == SYM_ACTION) && !ty_is_error(s->type)) check_values(c, &x, s);
  else if (t->rank == 0 && affine_of_expr(c, sub, &a)) check_affine(c, &x, &a);
  else if (t->kind == TY_INT && t->support == IR_SUP_FINITE && t->count != IR_SIZE_NONE) check_finite(c, &x, t->count);
}

/* The axes of what a subscript gives, as they are met. */
typedef struct index_axes {
  const ast_expr *e; /* with all subscripts */
  ir_size dim[IR_MAX_RANK];
  unsigned rank;
  const ast_expr *gather; /* the array of indices among them, or NULL */
} index_axes;

/* False after a report. */
static bool add_axis(ctx *c, index_axes *to, ir_size extent) {
  if (to->rank == IR_MAX_RANK) {
    cx_error(c, "E0513", to->e->at, "an array has at most %d axes", IR_MAX_RANK);
    return false;
  }
  to->dim[to->rank++] = extent;
  return true;
}

/* A slice, of this axis of the base.  False after a report. */
static bool check_slice(ctx *c, ast_expr *sub, ir_size extent, unsigned axis, index_axes *to) {
  size_table *sizes = c->p->sizes;
  if (sub->kind == EXPR_ALL) {
    set_type(sub, ty_scalar(c->st, TY_NONE));
    return add_axis(c, to, extent);
  }
  ast_expr *lo = sub->range.lo, *hi = sub->range.hi;
  bool ok = check_int(c, lo, "the start of a slice");
  ok = check_int(c, hi, "the end of a slice") && ok;
  set_type(sub, ty_scalar(c->st, TY_NONE));
  if (!ok) return false;
  ir_size n = range_extent(c, lo, hi);
  if (n == IR_SIZE_NONE) {
    diag *d = cx_error(c, "E0509", sub->at, "the length of a slice must be known before the run");
    cx_help(c, d, "reduce over a range instead: `sum(x[k] for k in 1..t)`, and so `log_sum_exp`, `max` and others; or choose with a filter: `for k in 1..N if k < t`");
    return false;
  }
  int64_t d;
  if (size_is_const(sizes, n, &d) && d < 0) {
    cx_error(c, "E0509", sub->at, "this slice ends before it starts");
    return false;
  }
  if (!size_is_const(sizes, n, &d) || d > 0) {
    check_bounds(c, lo, ty_of(lo), extent, to->e->index.base, axis);
    check_bounds(c, hi, ty_of(hi), extent, to->e->index.base, axis);
  }
  return add_axis(c, to, n);
}

/* The type of what has subscripts.  *elementwise: an array that is drawn by elements, which alone are read here; else NULL. */
static const ty_info *check_base(ctx *c, ast_expr *base, ast_exprs *subs, symbol **elementwise /* OUT */) {
  symbol *s = base->kind == EXPR_NAME && base->name.name[0] ? value_find(c, base->name.name) : NULL;
  *elementwise = s && s->elementwise ? s : NULL;
  if (!*elementwise) return check_expr(c, base);
  base->name.sym = s;
  if (s->stochastic) c->stochastic = true;
  if (!s->type) site_assume(c, s, base->at);
  if (s->type) return set_type(base, s->type);
  elements_read(c, s, subs, base->at);
  return check_error(c, base);
}

static bool has_axes(ctx *c, const ast_expr *e, const ty_info *t) {
  const ast_expr *base = e->index.base;
  const size_t n = e->index.subs.n;
  if (!ty_is_value(t)) {
    value_expected(c, base, t, "what has subscripts");
    return false;
  }
  if (t->rank >= n) return true;
  diag *d;
  if (t->rank)
    d = cx_error(c, "E0506", e->at, "%zu subscripts on %s, which has %u %s", n, ty_print(c->p, t), t->rank, t->rank == 1 ? "axis" : "axes");
  else
    d = cx_error(c, "E0506", e->at, "%s has no elements: it is one %s", base_text(base) ? arena_printf(c->a, "`%s`", base_text(base)) : "this", ty_print(c->p, t));
  if (base->kind == EXPR_NAME && base->name.sym && base->name.sym->at.file == base->at.file)
    cx_point(c, d, base->name.sym->at, "`%s` is %s", base->name.name, ty_print(c->p, t));
  if (t->rank == 0 && base->kind == EXPR_NAME && base->name.sym && base->name.sym->kind == SYM_LATENT)
    cx_help(c, d, "a type says how many there are: `%s: real[J] ~ ...`", base->name.name);
  return false;
}

static void report_no_integer(ctx *c, const ast_expr *sub, const ty_info *x) {
  diag *d = cx_error(c, "E0505", sub->at, "an index must be an integer, not %s", ty_print(c->p, x));
  point_shape(c, d, sub);
  if (x->kind == TY_STRING) cx_help(c, d, "a text is a subscript of an axis as long as data of type `index(K)` have levels: `beta: real[K]`, `beta[\"north\"]`");
  else if (x->kind == TY_BOOL && x->rank) cx_help(c, d, "to choose elements use a filter: `sum(x[i] for i in 1..N if c[i])`");
  else if (x->kind == TY_REAL && sub->kind == EXPR_BINARY && sub->binary.op == OP_DIV) cx_help(c, d, "`/` gives a real; `//` divides integers");
  else if (x->kind == TY_REAL && sub->kind == EXPR_NAME && sub->name.sym && sub->name.sym->kind == SYM_DATA) cx_help(c, d, "declare it with `int` or `index(K)` elements");
}

/* An array of indices, whose axes stand for the one that it chooses from. */
static bool check_gather(ctx *c, const ast_expr *sub, const ty_info *x, index_axes *to) {
  if (to->gather) {
    diag *d = cx_error(c, "E0507", sub->at, "two array-valued indices in one subscript");
    cx_point(c, d, to->gather->at, "the first one");
    cx_help(c, d, "write the pairs out: `[x[a[i], b[i]] for i in 1..N]`");
    return false;
  }
  to->gather = sub;
  for (unsigned k = 0; k < x->rank; k++)
    if (!add_axis(c, to, x->dim[k])) return false;
  return true;
}

/* The subscripts, of a base of type t where ok; all are looked at, so that each has a type. */
static bool check_subscripts(ctx *c, const ty_info *t, bool ok, index_axes *to) {
  const ast_exprs *subs = &to->e->index.subs;
  const bool within = c->in_subscript;
  for (unsigned i = 0; i < subs->n; i++) {
    ast_expr *sub = subs->items[i];
    ir_size extent = ok && i < t->rank ? t->dim[i] : IR_SIZE_NONE;
    if (sub->kind == EXPR_ALL || sub->kind == EXPR_RANGE) {
      if (extent == IR_SIZE_NONE) {
        if (sub->kind == EXPR_RANGE) check_int(c, sub->range.lo, "the start of a slice"), check_int(c, sub->range.hi, "the end of a slice");
      } else ok = check_slice(c, sub, extent, i, to) && ok;
      continue;
    }
    c->in_subscript = true;
    const ty_info *x = check_expr(c, sub);
    c->in_subscript = within;
    if (ty_is_error(x)) {
      ok = false;
    } else if (x->kind == TY_STRING && level_number(c, sub, extent)) {
      continue;
    } else if (x->kind != TY_INT) {
      report_no_integer(c, sub, x);
      ok = false;
    } else if (ok && x->rank > 0) {
      ok = check_gather(c, sub, x, to);
    }
  }
  return ok;
}

/* Elements of an array of type t with these axes. */
static const ty_info *elements_type(ctx *c, const ty_info *t, const index_axes *axes) {
  const int rank = (int)axes->rank;
  const ir_size *dim = axes->dim;
  if (t->kind != TY_INT || t->support != IR_SUP_FINITE) return rank ? ty_new(c->st, t->kind, rank, dim) : ty_scalar(c->st, t->kind);
  ty_info *out = ty_new(c->st, TY_INT, rank, dim);
  out->support = t->support;
  out->spin = t->spin;
  out->lo = t->lo;
  out->hi = t->hi;
  out->count = t->count;
  return out;
}

const ty_info *check_index(ctx *c, ast_expr *e) {
  ast_expr *base = e->index.base;
  ast_exprs *subs = &e->index.subs;
  symbol *elementwise;
  const bool within = c->in_subscript;
  c->in_subscript = false;
  const ast_expr *around = c->subscripted;
  c->subscripted = base;
  const ty_info *t = check_base(c, base, subs, &elementwise);
  c->subscripted = around;
  c->in_subscript = within;
  index_axes axes = {.e = e};
  bool ok = !ty_is_error(t) && has_axes(c, e, t);
  ok = check_subscripts(c, t, ok, &axes);
  if (elementwise && elementwise->type && ok && elements_read(c, elementwise, subs, e->at)) ok = false;
  if (ok && base->kind == EXPR_NAME && base->name.sym) order_read(c, base->name.sym, subs, e);
  if (!ok) return check_error(c, e);
  const size_t errors = c->p->diags->errors;
  for (size_t i = 0; i < subs->n; i++) {
    const ast_expr *sub = subs->items[i];
    if (sub->kind != EXPR_ALL && sub->kind != EXPR_RANGE && sub->kind != EXPR_STRING) check_bounds(c, sub, ty_of(sub), t->dim[i], base, (unsigned)i);
  }
  if (c->p->diags->errors != errors) return check_error(c, e);
  for (size_t k = subs->n; k < t->rank; k++)
    if (!add_axis(c, &axes, t->dim[k])) return check_error(c, e);
  return set_type(e, elements_type(c, t, &axes));
}
