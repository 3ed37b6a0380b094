/* check_shape.c: types as values: kinds, extents, broadcasting, and expressions read as sizes. */
#include "compiler/check_state.h"

#include <string.h>

#include <math.h>

const ty_info *ty_scalar(check_state *st, ty_kind kind) { return &st->scalars[kind]; }

ty_info *ty_new(check_state *st, ty_kind kind, int rank, const ir_size *dim) {
  ty_info *t = ARENA_NEW(st->p->mem, ty_info);
  *t = st->scalars[kind];
  t->rank = (uint8_t)rank;
  for (int k = 0; k < rank; k++) t->dim[k] = dim[k];
  return t;
}

const ty_info *ty_as(check_state *st, const ty_info *t, ty_kind kind) {
  if (t->rank == 0) return ty_scalar(st, kind);
  return ty_new(st, kind, t->rank, t->dim);
}

ty_kind ty_join(ty_kind a, ty_kind b) {
  if (a == TY_ERROR || b == TY_ERROR) return TY_ERROR;
  if (a == TY_REAL || b == TY_REAL) return TY_REAL;
  if (a == TY_INT || b == TY_INT) return TY_INT;
  return TY_BOOL;
}

bool shape_broadcast(const ty_info *a, const ty_info *b, ty_info *out) {
  const ty_info *big = a->rank >= b->rank ? a : b, *small = a->rank >= b->rank ? b : a;
  unsigned skip = big->rank - small->rank;
  for (unsigned k = 0; k < small->rank; k++)
    if (big->dim[skip + k] != small->dim[k]) return false;
  out->rank = big->rank;
  for (unsigned k = 0; k < big->rank; k++) out->dim[k] = big->dim[k];
  return true;
}

bool shape_equal(const ty_info *a, const ty_info *b) {
  if (a->rank != b->rank) return false;
  for (unsigned k = 0; k < a->rank; k++)
    if (a->dim[k] != b->dim[k]) return false;
  return true;
}

const char *size_text(check_state *st, ir_size s) {
  if (s == IR_SIZE_NONE) return "?";
  strbuf b;
  strbuf_init(&b, st->p->mem);
  const char *symbol, *dot = NULL;
  /* The extent of a ragged array's long form: check_ragged.c. */
  if (size_is_symbol(st->p->sizes, s, &symbol) && (dot = strchr(symbol, '.')) && strcmp(dot, ".sum") == 0) strbuf_printf(&b, "sum(%.*s)", (int)(dot - symbol), symbol);
  else size_print(st->p->sizes, s, &b);
  return b.s;
}

bool size_difference(check_state *st, ir_size a, ir_size b, int64_t *d) {
  if (a == IR_SIZE_NONE || b == IR_SIZE_NONE) return false;
  return size_is_const(st->p->sizes, size_sub(st->p->sizes, a, b), d);
}

/* Tries a few assignments of small extents.  One that makes a larger than b proves that the claim is false; none is taken as
 * true, since an index is also checked when it is used. */
bool size_never_above(check_state *st, ir_size a, ir_size b) {
  size_table *t = st->p->sizes;
  int64_t d;
  if (size_difference(st, a, b, &d)) return d <= 0;
  const char *name;
  if (size_is_symbol(t, a, &name)) {
    if (size_is_symbol(t, b, &name) || size_is_const(t, b, &d)) return false;
  } else if (size_is_const(t, a, &d) && size_is_symbol(t, b, &name)) return d <= 1;
  ir_size diff = size_sub(t, a, b);
  size_t n = size_symbol_count(t);
  ir_size *from = ARENA_ARRAY(st->p->mem, ir_size, n), *to = ARENA_ARRAY(st->p->mem, ir_size, n);
  static const uint8_t tries[][4] = {{1, 1, 1, 1}, {7, 7, 7, 7}, {1, 50, 3, 20}, {50, 1, 20, 3}, {3, 20, 50, 1}, {20, 3, 1, 50}};
  /* Only the symbols in the difference matter, so that their order in the table does not. */
  size_t m = 0;
  for (size_t k = 0; k < n; k++) {
    ir_size s = size_symbol_at(t, k), zero = size_const(t, 0), one = size_const(t, 1);
    if (size_substitute(t, diff, 1, &s, &zero) != diff || size_substitute(t, diff, 1, &s, &one) != diff) from[m++] = s;
  }
  for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
    for (size_t k = 0; k < m; k++) to[k] = size_const(t, tries[i][k % 4]);
    int64_t v;
    if (size_is_const(t, size_substitute(t, diff, m, from, to), &v) && v > 0) return false;
  }
  return true;
}

/* The first name in e that is an array, by a walk that stops at calls' results. */
static const ast_expr *shape_source(const ast_expr *e, unsigned rank, int depth) {
  if (!e || depth > 40) return NULL;
  const ast_expr *x = NULL;
  switch (e->kind) {
  case EXPR_NAME: return e->name.sym && e->name.sym->type && e->name.sym->type->rank >= rank ? e : NULL;
  case EXPR_UNARY: return shape_source(e->unary.arg, rank, depth + 1);
  case EXPR_BINARY:
    x = shape_source(e->binary.lhs, rank, depth + 1);
    return x ? x : shape_source(e->binary.rhs, rank, depth + 1);
  case EXPR_INDEX:
    for (size_t i = 0; i < e->index.subs.n && !x; i++) {
      const ast_expr *sub = e->index.subs.items[i];
      if (sub->kind == EXPR_NAME) x = shape_source(sub, 1, depth + 1);
    }
    return x ? x : shape_source(e->index.base, rank, depth + 1);
  case EXPR_CALL:
    for (size_t i = 0; i < e->call.args.n && !x; i++) x = shape_source(e->call.args.items[i].value, rank, depth + 1);
    return x;
  case EXPR_IF: return shape_source(e->if_.then, rank, depth + 1);
  case EXPR_LET: return shape_source(e->let.body, rank, depth + 1);
  default: return NULL;
  }
}

void point_shape(ctx *c, diag *d, const ast_expr *e) {
  const ty_info *t = ty_of(e);
  if (!t || t->rank == 0) return;
  const ast_expr *source = shape_source(e, t->rank, 0);
  if (!source) source = shape_source(e, 1, 0);
  if (!source) return;
  symbol *s = source->name.sym;
  if (s->at.file == e->at.file) cx_point(c, d, s->at, "`%s` is %s", s->name, ty_print(c->p, s->type));
}

void report_shapes(ctx *c, span at, const char *what, const char *op, const ast_expr *a, const ast_expr *b) {
  const ty_info *ta = ty_of(a), *tb = ty_of(b);
  diag *d = cx_error(c, "E0502", at, "the shapes of %s do not go together: %s and %s", what, ty_print(c->p, ta), ty_print(c->p, tb));
  cx_say(c, d, "%s against %s", ty_print(c->p, ta), ty_print(c->p, tb));
  point_shape(c, d, a);
  point_shape(c, d, b);
  const ty_info *big = ta->rank >= tb->rank ? ta : tb, *small = ta->rank >= tb->rank ? tb : ta;
  if (small->rank == 0) return;
  ir_size x = big->dim[big->rank - 1], y = small->dim[small->rank - 1];
  bool leading = big->rank > small->rank;
  for (unsigned k = 0; leading && k < small->rank; k++) leading = big->dim[k] == small->dim[k];
  int64_t n;
  if (leading)
    cx_help(c, d, "shapes are matched from the last axis backwards: transpose, or write the loop with a plate");
  else if (x != y && a->kind == EXPR_NAME && b->kind == EXPR_NAME && ta->rank == 1 && tb->rank == 1 && op[0])
    cx_help(c, d, "every pair is `[%s[i] %s %s[j] for i in 1..%s, j in 1..%s]`; sizes that always agree get one name", a->name.name, op, b->name.name,
            size_text(c->st, ta->dim[0]), size_text(c->st, tb->dim[0]));
  else if (x != y && !size_is_const(c->p->sizes, x, &n) && !size_is_const(c->p->sizes, y, &n))
    cx_help(c, d, "`%s` and `%s` are different sizes; if they always agree, give both arrays the same one", size_text(c->st, x),
            size_text(c->st, y));
}

/* An int's sizes are arithmetic over size symbols; everything else is not known before the run. */
ir_size size_of_expr(ctx *c, const ast_expr *e) {
  size_table *t = c->p->sizes;
  switch (e->kind) {
  case EXPR_INT: return e->integer.value > INT32_MAX || e->integer.value < INT32_MIN ? IR_SIZE_NONE : size_const(t, e->integer.value);
  case EXPR_NAME: {
    symbol *s = e->name.sym ? e->name.sym : ptr_map_get(&c->names, e->name.name);
    return s ? s->size : IR_SIZE_NONE;
  }
  case EXPR_STRING: return e->string.level ? e->string.level->size : IR_SIZE_NONE;
  case EXPR_UNARY: {
    if (e->unary.op != OP_NEG) return IR_SIZE_NONE;
    ir_size a = size_of_expr(c, e->unary.arg);
    return a ? size_sub(t, size_const(t, 0), a) : IR_SIZE_NONE;
  }
  case EXPR_BINARY: {
    ast_op op = e->binary.op;
    if (op != OP_ADD && op != OP_SUB && op != OP_MUL && op != OP_FLOORDIV && op != OP_MOD) return IR_SIZE_NONE;
    ir_size a = size_of_expr(c, e->binary.lhs);
    ir_size b = a ? size_of_expr(c, e->binary.rhs) : IR_SIZE_NONE;
    if (!a || !b) return IR_SIZE_NONE;
    int64_t n;
    if ((op == OP_FLOORDIV || op == OP_MOD) && size_is_const(t, b, &n) && n <= 0) return IR_SIZE_NONE;
    return op == OP_ADD ? size_add(t, a, b) : op == OP_SUB ? size_sub(t, a, b) : op == OP_MUL ? size_mul(t, a, b)
         : op == OP_FLOORDIV ? size_div(t, a, b) : size_mod(t, a, b);
  }
  case EXPR_CALL: {
    symbol *s = e->call.fn.sym ? e->call.fn.sym : callee_find(c, &e->call.fn);
    if (!s || s->kind != SYM_BUILTIN || s->builtin != BUILTIN_SIZE || e->call.args.n == 0 || e->call.args.n > 2) return IR_SIZE_NONE;
    const ty_info *x = ty_of(e->call.args.items[0].value);
    double k = 1;
    if (e->call.args.n == 2 && !const_of_expr(e->call.args.items[1].value, &k)) return IR_SIZE_NONE;
    return x && ty_is_value(x) && k >= 1 && k <= x->rank ? x->dim[(int)k - 1] : IR_SIZE_NONE;
  }
  default: return IR_SIZE_NONE;
  }
}

bool const_of_expr(const ast_expr *e, double *x) {
  double a, b;
  switch (e->kind) {
  case EXPR_INT: *x = (double)e->integer.value; return true;
  case EXPR_REAL: *x = e->real.value; return true;
  case EXPR_UNARY:
    if (e->unary.op != OP_NEG || !const_of_expr(e->unary.arg, &a)) return false;
    *x = -a;
    return true;
  case EXPR_BINARY:
    if (!const_of_expr(e->binary.lhs, &a) || !const_of_expr(e->binary.rhs, &b)) return false;
    switch (e->binary.op) {
    case OP_ADD: *x = a + b; return true;
    case OP_SUB: *x = a - b; return true;
    case OP_MUL: *x = a * b; return true;
    case OP_DIV: *x = a / b; return !isnan(*x);
    default: return false;
    }
  default: return false;
  }
}
