/* lower_expr.c: expressions, one scalar at a time.
 *
 * lower_elem(e, idx) is the value of an array expression at a position; it never makes an array.  Before a loop uses it, lower_prepare
 * computes, outside the loop, what does not depend on the position: scalars, products, results of functions. */
#include "compiler/lower_internal.h"

#include <string.h>

/* ---- remembered values */

size_t lower_mark(const lower *l) { return l->nmemo; }
void lower_forget(lower *l, size_t mark) { l->nmemo = mark; }

static void remember(lower *l, const ast_expr *e, ir_val v) {
  memo m = {e, v};
  ARENA_PUSH(l->mem, l->memo, l->nmemo, l->cap_memo, m);
}

static ir_val remembered(const lower *l, const ast_expr *e) {
  for (size_t k = l->nmemo; k-- > 0;)
    if (l->memo[k].e == e) return l->memo[k].v;
  return 0;
}

/* ---- indices */

/* v taken apart: a counter and a size. */
static lindex parts_of(lower *l, ir_val v) {
  size_table *t = l->m->sizes;
  const ir_size s = ir_size_of(l->fn, v);
  if (s != IR_SIZE_NONE) return (lindex){.linear = true, .sign = 1, .offset = s};
  const ir_op *op = ir_def_op(l->fn, v);
  if (op && op->code == IR_BOUND_OP) return parts_of(l, op->args[0]);
  if (op && op->code == IR_ADD_OP) {
    const lindex a = parts_of(l, op->args[0]), b = parts_of(l, op->args[1]);
    if (!a.base || !b.base) return (lindex){.linear = true, .sign = 1, .base = a.base ? a.base : b.base, .offset = size_add(t, a.offset, b.offset)};
  }
  return (lindex){.linear = true, .sign = 1, .base = v, .offset = size_const(t, 0)};
}

lindex lower_index_at(lower *l, ir_val v) {
  lindex r = parts_of(l, v);
  r.v = v;
  return r;
}

/* Where statements are arranged, positions come from loops over ranges that are the same numbers and maybe not the same sizes. */
bool lindex_same(const lower *l, const lindex *a, const lindex *b) {
  if (a->v == b->v) return true;
  if (!a->linear || !b->linear || a->base != b->base || a->sign != b->sign) return false;
  int64_t x, y;
  return a->offset == b->offset || (l->arranged && size_value(l->m->sizes, a->offset, &x) && size_value(l->m->sizes, b->offset, &y) && x == y);
}

/* e = sign * base + offset, base a loop counter or 0. */
static bool linear_form(lower *l, const ast_expr *e, lindex *f) {
  size_table *t = l->m->sizes;
  if (lower_expr_size(l, e, &f->offset)) {
    f->base = 0;
    f->sign = 1;
    return true;
  }
  if (e->kind == EXPR_NAME && e->name.sym) {
    const binding *b = lower_find(l, e->name.sym);
    if (!b || b->kind != BIND_INDEX || b->lo == IR_SIZE_NONE) return false;
    *f = (lindex){.base = b->v, .sign = b->sign, .offset = b->lo};
    return true;
  }
  if (e->kind != EXPR_BINARY || (e->binary.op != OP_ADD && e->binary.op != OP_SUB)) return false;
  lindex a, b;
  if (!linear_form(l, e->binary.lhs, &a) || !linear_form(l, e->binary.rhs, &b) || (a.base && b.base)) return false;
  bool add = e->binary.op == OP_ADD;
  f->base = a.base ? a.base : b.base;
  f->sign = a.base ? a.sign : (int8_t)(add ? b.sign : -b.sign);
  f->offset = add ? size_add(t, a.offset, b.offset) : size_sub(t, a.offset, b.offset);
  return true;
}

/* Bounds of an int expression as sizes, when loop ranges and declared supports give them. */
static bool interval(lower *l, const ast_expr *e, ir_size *lo, ir_size *hi) {
  size_table *t = l->m->sizes;
  if (lower_expr_size(l, e, lo)) {
    *hi = *lo;
    return true;
  }
  ir_size one = size_const(t, 1);
  if (e->kind == EXPR_NAME && e->name.sym) {
    const binding *b = lower_find(l, e->name.sym);
    if (b && b->kind == BIND_INDEX && b->lo != IR_SIZE_NONE && b->extent != IR_SIZE_NONE) {
      ir_size far = size_mul(t, size_const(t, b->sign), size_sub(t, b->extent, one));
      *lo = b->sign > 0 ? b->lo : size_add(t, b->lo, far);
      *hi = b->sign > 0 ? size_add(t, b->lo, far) : b->lo;
      return true;
    }
  }
  const symbol *s = e->kind == EXPR_NAME ? e->name.sym
                    : e->kind == EXPR_INDEX && e->index.base->kind == EXPR_NAME ? e->index.base->name.sym : NULL;
  if (s && s->type && s->type->support == IR_SUP_FINITE && s->type->kind == TY_INT && !s->type->spin && !s->type->lo &&
      s->type->hi && (s->kind == SYM_DATA || s->kind == SYM_LATENT)) {
    *lo = one;
    return lower_expr_size(l, s->type->hi, hi);
  }
  if (e->kind != EXPR_BINARY) return false;
  ir_size la, ha, lb, hb;
  switch (e->binary.op) {
  case OP_ADD:
  case OP_SUB:
    if (!interval(l, e->binary.lhs, &la, &ha) || !interval(l, e->binary.rhs, &lb, &hb)) return false;
    *lo = e->binary.op == OP_ADD ? size_add(t, la, lb) : size_sub(t, la, hb);
    *hi = e->binary.op == OP_ADD ? size_add(t, ha, hb) : size_sub(t, ha, lb);
    return true;
  case OP_MOD:
    if (!lower_expr_size(l, e->binary.rhs, &hb)) return false;
    *lo = size_const(t, 0);
    *hi = size_sub(t, hb, one);
    return true;
  default: return false;
  }
}

lindex lower_index(lower *l, const ast_expr *e, ir_size dim) {
  size_table *t = l->m->sizes;
  ir_size one = size_const(t, 1), lo, hi;
  int64_t below, above;
  lindex f = {0};
  if (linear_form(l, e, &f)) {
    f.linear = true;
    f.offset = size_sub(t, f.offset, one);
    int64_t zero;
    if (!f.base) f.v = ir_size_val(&l->b, f.offset);
    else if (f.sign == 1 && size_is_const(t, f.offset, &zero) && zero == 0) f.v = f.base;
    else if (f.sign == 1) f.v = ir_op2(&l->b, IR_ADD_OP, f.base, ir_size_val(&l->b, f.offset));
    else {
      ir_val step = f.sign == -1 ? f.base : ir_op2(&l->b, IR_MUL_OP, f.base, ir_int(&l->b, -f.sign));
      f.v = ir_op2(&l->b, IR_SUB_OP, ir_size_val(&l->b, f.offset), step);
    }
  } else {
    ir_val v = lower_scalar_as(l, e, IR_INT);
    f.v = ir_op2(&l->b, IR_SUB_OP, v, ir_int(&l->b, 1));
  }
  if (interval(l, e, &lo, &hi) && size_is_const(t, lo, &below) && below >= 1 && size_is_const(t, size_sub(t, dim, hi), &above) &&
      above >= 0)
    return f;
  span was = l->b.where;
  l->b.where = e->at;
  f.v = ir_op2(&l->b, IR_BOUND_OP, f.v, ir_size_val(&l->b, dim));
  l->b.where = was;
  return f;
}

/* ---- variables */

ir_val lower_read(lower *l, const symbol *s, uint32_t n, const lindex *idx) {
  const binding *b = lower_find(l, s);
  ir_axes axes = {0};
  if (!b) {
    lower_refuse(l, l->b.where, arena_printf(l->mem, "reading `%s` here", s->name));
    return ir_real(&l->b, 0.0);
  }
  if (b->kind == BIND_VALUE) {
    axes.n = ir_type_of(l->fn, b->v).rank;
    if (axes.n == 0) return b->v;
    for (uint32_t k = 0; k < n && k < axes.n; k++) axes.at[k] = idx[k].v;
    return n ? ir_at(&l->b, b->v, axes) : b->v;
  }
  const build *level[IR_MAX_DEPTH] = {NULL};
  int depth = 0, m = 0;
  for (const build *x = b->b; x && depth < IR_MAX_DEPTH; x = x->outer) depth++;
  const build *x = b->b;
  for (int k = depth; k-- > 0; x = x->outer) level[k] = x;
  while (m + 1 < depth) {
    bool same = true;
    for (int a = 0; a < level[m]->type.rank; a++) {
      const lindex *at = &level[m + 1]->at[a];
      uint32_t o = level[m]->axis[a];
      if (at->v && (o >= n || !lindex_same(l, at, &idx[o]))) same = false;
    }
    if (!same) break;
    m++;
  }
  ir_val from = m + 1 == depth ? level[m]->cur : level[m + 1]->state ? level[m + 1]->state : level[m]->cur;
  if (!from) {
    lower_refuse(l, l->b.where, arena_printf(l->mem, "reading `%s` before this element is built", s->name));
    return ir_real(&l->b, 0.0);
  }
  axes.n = level[m]->type.rank;
  bool whole = true;
  for (uint32_t a = 0; a < axes.n; a++)
    if (level[m]->axis[a] < n) {
      axes.at[a] = idx[level[m]->axis[a]].v;
      whole = false;
    }
  return whole ? from : ir_at(&l->b, from, axes);
}

ir_val lower_read_all(lower *l, const symbol *s) { return lower_read(l, s, 0, NULL); }

static ir_val read_name(lower *l, const ast_expr *e) {
  const symbol *s = e->name.sym;
  const binding *b = lower_find(l, s);
  if (b && b->kind == BIND_INDEX) {
    if (b->lo != IR_SIZE_NONE) {
      ir_val lo = ir_size_val(&l->b, b->lo);
      if (b->sign == 1) return ir_op2(&l->b, IR_ADD_OP, b->v, lo);
      ir_val step = b->sign == -1 ? b->v : ir_op2(&l->b, IR_MUL_OP, b->v, ir_int(&l->b, -b->sign));
      return ir_op2(&l->b, IR_SUB_OP, lo, step);
    }
    ir_val step = b->sign == 1 ? b->v : ir_op2(&l->b, IR_MUL_OP, b->v, ir_int(&l->b, b->sign));
    return ir_op2(&l->b, IR_ADD_OP, step, b->lo_val);
  }
  if (!b && s->size != IR_SIZE_NONE) return ir_size_val(&l->b, lower_size(l, s->size));
  return lower_read_all(l, s);
}

/* ---- operators */

static ir_val arithmetic(lower *l, const ast_expr *e, ir_val a, ir_val b) {
  ir_elem elem = lower_elem_kind(ty_of(e));
  ast_op op = e->binary.op;
  switch (op) {
  case OP_OR:
  case OP_AND:
    return ir_op2(&l->b, op == OP_OR ? IR_OR_OP : IR_AND_OP, lower_convert(l, a, IR_BOOL), lower_convert(l, b, IR_BOOL));
  case OP_LT: case OP_GT: case OP_LE: case OP_GE: case OP_EQ: case OP_NE: {
    bool real = ir_type_of(l->fn, a).elem == IR_REAL || ir_type_of(l->fn, b).elem == IR_REAL;
    a = lower_convert(l, a, real ? IR_REAL : IR_INT);
    b = lower_convert(l, b, real ? IR_REAL : IR_INT);
    switch (op) {
    case OP_LT: return ir_op2(&l->b, IR_LT_OP, a, b);
    case OP_GT: return ir_op2(&l->b, IR_LT_OP, b, a);
    case OP_LE: return ir_op2(&l->b, IR_LE_OP, a, b);
    case OP_GE: return ir_op2(&l->b, IR_LE_OP, b, a);
    case OP_EQ: return ir_op2(&l->b, IR_EQ_OP, a, b);
    default: return ir_op2(&l->b, IR_NE_OP, a, b);
    }
  }
  default: break;
  }
  if (elem == IR_BOOL) elem = IR_INT;
  if (op == OP_DIV) elem = IR_REAL;
  if (op == OP_POW && elem == IR_INT) {
    ir_val p = ir_op2(&l->b, IR_POW_OP, lower_convert(l, a, IR_REAL), lower_convert(l, b, IR_REAL));
    return ir_op1(&l->b, IR_TO_INT_OP, p);
  }
  a = lower_convert(l, a, elem);
  b = lower_convert(l, b, elem);
  switch (op) {
  case OP_ADD: return ir_op2(&l->b, IR_ADD_OP, a, b);
  case OP_SUB: return ir_op2(&l->b, IR_SUB_OP, a, b);
  case OP_MUL: return ir_op2(&l->b, IR_MUL_OP, a, b);
  case OP_DIV: return ir_op2(&l->b, IR_DIV_OP, a, b);
  case OP_POW: return ir_op2(&l->b, IR_POW_OP, a, b);
  case OP_FLOORDIV:
    return elem == IR_INT ? ir_op2(&l->b, IR_IDIV_OP, a, b) : ir_op1(&l->b, IR_FLOOR_OP, ir_op2(&l->b, IR_DIV_OP, a, b));
  case OP_MOD: {
    if (elem == IR_INT) return ir_op2(&l->b, IR_IMOD_OP, a, b);
    ir_val q = ir_op1(&l->b, IR_FLOOR_OP, ir_op2(&l->b, IR_DIV_OP, a, b));
    return ir_op2(&l->b, IR_SUB_OP, a, ir_op2(&l->b, IR_MUL_OP, b, q));
  }
  default: return a;
  }
}

static ir_val matmul(lower *l, const ast_expr *e) {
  const ast_expr *x = e->binary.lhs, *y = e->binary.rhs;
  int flags = 0;
  if (x->kind == EXPR_UNARY && x->unary.op == OP_TRANSPOSE) {
    if (ty_of(x)->rank == 2) flags |= IR_TRANS_A;
    x = x->unary.arg;
  }
  if (y->kind == EXPR_UNARY && y->unary.op == OP_TRANSPOSE) {
    if (ty_of(y)->rank == 2) flags |= IR_TRANS_B;
    y = y->unary.arg;
  }
  ir_val a = lower_array_as(l, x, IR_REAL), b = lower_array_as(l, y, IR_REAL);
  return ir_matmul(&l->b, a, b, flags);
}

/* Both arms of an `if` cost next to nothing and cannot fail or turn infinite: a select serves. */
static bool cheap(const ast_expr *e, int depth) {
  switch (e->kind) {
  case EXPR_INT: case EXPR_REAL: case EXPR_BOOL: case EXPR_STRING: case EXPR_NAME: return true;
  case EXPR_UNARY: return e->unary.op != OP_TRANSPOSE && cheap(e->unary.arg, depth + 1);
  case EXPR_BINARY:
    return depth < 3 && (e->binary.op == OP_ADD || e->binary.op == OP_SUB || e->binary.op == OP_MUL) &&
           cheap(e->binary.lhs, depth + 1) && cheap(e->binary.rhs, depth + 1);
  default: return false;
  }
}

static ir_val conditional(lower *l, const ast_expr *e) {
  const ty_info *t = ty_of(e);
  ir_elem elem = lower_elem_kind(t);
  ir_val c = lower_scalar_as(l, e->if_.cond, IR_BOOL);
  if (t->rank == 0 && cheap(e->if_.then, 0) && cheap(e->if_.else_, 0)) {
    ir_val a = lower_scalar_as(l, e->if_.then, elem), b = lower_scalar_as(l, e->if_.else_, elem);
    return ir_op3(&l->b, IR_SELECT_OP, c, a, b);
  }
  ir_op *branch = ir_if_begin(&l->b, c);
  ir_builder outer = l->b;
  ir_val v[2];
  for (int k = 0; k < 2; k++) {
    const ast_expr *arm = k == 0 ? e->if_.then : e->if_.else_;
    size_t mark = lower_mark(l), binds = l->nbind;
    l->b = ir_builder_in(&outer, k == 0 ? &branch->u.branch->then_ : &branch->u.branch->else_);
    v[k] = t->rank ? lower_array_as(l, arm, elem) : lower_scalar_as(l, arm, elem);
    lower_forget(l, mark);
    l->nbind = binds;
  }
  l->b = outer;
  return ir_if_out(l->fn, branch, v[0], v[1]);
}

/* let x = a in body, where body is computed by `then`. */
static ir_val let_in(lower *l, const ast_expr *e, ir_val (*then)(lower *, const ast_expr *)) {
  const ast_expr *a = e->let.value;
  size_t binds = l->nbind;
  ir_val v = ty_of(a)->rank ? lower_array(l, a) : lower_scalar(l, a);
  lower_bind(l, e->let.var.sym, v);
  ir_val r = then(l, e->let.body);
  l->nbind = binds;
  return r;
}

/* ---- subscripts */

/* The position in the base that position idx of the subscripted expression stands for; fills at most IR_MAX_RANK entries and
 * returns how many: scalars fix an axis, `:` and ranges take one position each, index arrays one for each of their axes, missing ones pass through. */
static uint32_t base_position(lower *l, const ast_expr *e, uint32_t n, const ir_val *idx, lindex *pos) {
  const ty_info *base = ty_of(e->index.base);
  uint32_t used = 0, axes = 0;
  for (size_t k = 0; k < e->index.subs.n && axes < IR_MAX_RANK; k++, axes++) {
    const ast_expr *s = e->index.subs.items[k];
    ir_size dim = lower_size(l, base->dim[k]);
    if (s->kind == EXPR_ALL) {
      if (used < n) pos[axes] = lower_index_at(l, idx[used++]);
      else pos[axes] = (lindex){0};
    } else if (s->kind == EXPR_RANGE) {
      lindex first = lower_index(l, s->range.lo, dim);
      pos[axes] = lower_index_at(l, ir_op2(&l->b, IR_ADD_OP, first.v, idx[used++]));
    } else if (ty_of(s)->rank) {
      ir_val v = lower_convert(l, lower_elem(l, s, ty_of(s)->rank, idx + used), IR_INT);
      used += ty_of(s)->rank;
      v = ir_op2(&l->b, IR_SUB_OP, v, ir_int(&l->b, 1));
      ir_size lo, hi;
      int64_t below, above;
      bool known = interval(l, s, &lo, &hi) && size_is_const(l->m->sizes, lo, &below) && below >= 1 &&
                   size_is_const(l->m->sizes, size_sub(l->m->sizes, dim, hi), &above) && above >= 0;
      pos[axes] = (lindex){.v = known ? v : ir_op2(&l->b, IR_BOUND_OP, v, ir_size_val(&l->b, dim))};
    } else {
      pos[axes] = lower_index(l, s, dim);
    }
  }
  while (used < n && axes < IR_MAX_RANK) pos[axes++] = lower_index_at(l, idx[used++]);
  return axes;
}

static ir_val subscript(lower *l, const ast_expr *e, uint32_t n, const ir_val *idx) {
  lindex pos[IR_MAX_RANK];
  uint32_t axes = base_position(l, e, n, idx, pos);
  const ast_expr *base = e->index.base;
  ir_val v = remembered(l, base);
  if (!v && base->kind == EXPR_NAME) return lower_read(l, base->name.sym, axes, pos);
  if (v) {
    ir_axes at = {.n = ir_type_of(l->fn, v).rank};
    for (uint32_t k = 0; k < axes && k < at.n; k++) at.at[k] = pos[k].v;
    return ir_at(&l->b, v, at);
  }
  ir_val vals[IR_MAX_RANK];
  for (uint32_t k = 0; k < axes; k++) vals[k] = pos[k].v;
  return lower_elem(l, base, axes, vals);
}

/* A slice that `at` gives in one step: scalars and `:` only. */
static bool plain_slice(const ast_expr *e) {
  if (e->kind != EXPR_INDEX || e->index.base->kind != EXPR_NAME) return false;
  for (size_t k = 0; k < e->index.subs.n; k++) {
    const ast_expr *s = e->index.subs.items[k];
    if (s->kind == EXPR_RANGE || (s->kind != EXPR_ALL && ty_of(s)->rank)) return false;
  }
  return true;
}

/* ---- scalars */

ir_val lower_scalar(lower *l, const ast_expr *e) {
  ir_val v = remembered(l, e);
  if (v) return v;
  span was = l->b.where;
  l->b.where = e->at;
  switch (e->kind) {
  case EXPR_INT: v = ir_int(&l->b, e->integer.value); break;
  case EXPR_REAL: v = ir_real(&l->b, e->real.value); break;
  case EXPR_BOOL: v = ir_bool(&l->b, e->boolean); break;
  case EXPR_STRING: v = ir_size_val(&l->b, lower_size(l, e->string.level->size)); break;
  case EXPR_NAME: v = read_name(l, e); break;
  case EXPR_UNARY:
    if (e->unary.op == OP_TRANSPOSE) v = lower_scalar(l, e->unary.arg);
    else if (e->unary.op == OP_NOT) v = ir_op1(&l->b, IR_NOT_OP, lower_scalar_as(l, e->unary.arg, IR_BOOL));
    else {
      ir_elem k = lower_elem_kind(ty_of(e));
      v = ir_op1(&l->b, IR_NEG_OP, lower_scalar_as(l, e->unary.arg, k == IR_BOOL ? IR_INT : k));
    }
    break;
  case EXPR_BINARY:
    if (e->binary.op == OP_MATMUL) v = matmul(l, e);
    else {
      ir_val a = lower_scalar(l, e->binary.lhs), b = lower_scalar(l, e->binary.rhs);
      v = arithmetic(l, e, a, b);
    }
    break;
  case EXPR_CALL: v = lower_call_is_elementwise(l, e) ? lower_call_elem(l, e, 0, NULL) : lower_call_value(l, e); break;
  case EXPR_REDUCE: v = lower_reduce_expr(l, e); break;
  case EXPR_INDEX: v = subscript(l, e, 0, NULL); break;
  case EXPR_IF: v = conditional(l, e); break;
  case EXPR_LET: v = let_in(l, e, lower_scalar); break;
  default:
    lower_refuse(l, e->at, "this expression");
    v = ir_real(&l->b, 0.0);
  }
  l->b.where = was;
  return v;
}

ir_val lower_scalar_as(lower *l, const ast_expr *e, ir_elem elem) { return lower_convert(l, lower_scalar(l, e), elem); }

/* ---- arrays */

ir_val lower_elem(lower *l, const ast_expr *e, uint32_t n, const ir_val *idx) {
  ir_val v = remembered(l, e);
  const ty_info *t = ty_of(e);
  if (v) {
    if (ir_type_of(l->fn, v).rank == 0) return v;
    ir_axes axes = {.n = ir_type_of(l->fn, v).rank};
    for (uint32_t k = 0; k < n && k < axes.n; k++) axes.at[k] = idx[k];
    return ir_at(&l->b, v, axes);
  }
  if (t->rank == 0) return lower_scalar(l, e);
  span was = l->b.where;
  l->b.where = e->at;
  switch (e->kind) {
  case EXPR_NAME: {
    lindex pos[IR_MAX_RANK];
    for (uint32_t k = 0; k < n; k++) pos[k] = lower_index_at(l, idx[k]);
    v = lower_read(l, e->name.sym, n, pos);
    break;
  }
  case EXPR_UNARY:
    if (e->unary.op == OP_TRANSPOSE && n == 2) {
      ir_val swapped[2] = {idx[1], idx[0]};
      v = lower_elem(l, e->unary.arg, 2, swapped);
    } else {
      v = lower_elem(l, e->unary.arg, n, idx);
      if (e->unary.op == OP_NOT) v = ir_op1(&l->b, IR_NOT_OP, lower_convert(l, v, IR_BOOL));
      else if (e->unary.op == OP_NEG) {
        ir_elem k = lower_elem_kind(t);
        v = ir_op1(&l->b, IR_NEG_OP, lower_convert(l, v, k == IR_BOOL ? IR_INT : k));
      }
    }
    break;
  case EXPR_BINARY: {
    uint32_t ra = ty_of(e->binary.lhs)->rank, rb = ty_of(e->binary.rhs)->rank;
    ir_val a = lower_elem(l, e->binary.lhs, ra, idx + (n - ra)), b = lower_elem(l, e->binary.rhs, rb, idx + (n - rb));
    v = arithmetic(l, e, a, b);
    break;
  }
  case EXPR_CALL:
    if (lower_call_is_elementwise(l, e)) v = lower_call_elem(l, e, n, idx);
    break;
  case EXPR_INDEX: v = subscript(l, e, n, idx); break;
  case EXPR_COMPREHENSION:
    if (lower_by_elements(l, e)) v = lower_comprehension_elem(l, e, idx);
    break;
  default: break;
  }
  if (!v) {
    /* Not prepared: an array inside a loop that depends on the loop. */
    ir_val a = lower_array(l, e);
    ir_axes axes = {.n = ir_type_of(l->fn, a).rank};
    for (uint32_t k = 0; k < n && k < axes.n; k++) axes.at[k] = idx[k];
    v = ir_at(&l->b, a, axes);
  }
  l->b.where = was;
  return v;
}

static ir_val array_literal(lower *l, const ast_expr *e) {
  ir_type t = lower_type(l, ty_of(e));
  ir_val a = ir_new_array(&l->b, t);
  for (size_t k = 0; k < e->array.elems.n; k++) {
    const ast_expr *x = e->array.elems.items[k];
    ir_val v = ty_of(x)->rank ? lower_array_as(l, x, (ir_elem)t.elem) : lower_scalar_as(l, x, (ir_elem)t.elem);
    ir_axes axes = {.n = t.rank, .at = {ir_int(&l->b, (int64_t)k)}};
    a = ir_put(&l->b, a, axes, v);
  }
  return a;
}

/* Expressions that are arrays in their own right; 0 for those that are element by element. */
static ir_val array_value(lower *l, const ast_expr *e) {
  switch (e->kind) {
  case EXPR_NAME: return lower_read_all(l, e->name.sym);
  case EXPR_BINARY: return e->binary.op == OP_MATMUL ? matmul(l, e) : 0;
  case EXPR_CALL: return lower_call_is_elementwise(l, e) ? 0 : lower_call_value(l, e);
  case EXPR_ARRAY: return array_literal(l, e);
  case EXPR_COMPREHENSION: return lower_comprehension(l, e);
  case EXPR_IF: return conditional(l, e);
  case EXPR_LET: return let_in(l, e, lower_array);
  case EXPR_INDEX: {
    lindex pos[IR_MAX_RANK];
    if (!plain_slice(e)) return 0;
    uint32_t axes = base_position(l, e, 0, NULL, pos);
    return lower_read(l, e->index.base->name.sym, axes, pos);
  }
  default: return 0;
  }
}

ir_val lower_array(lower *l, const ast_expr *e) {
  ir_val v = remembered(l, e);
  if (v) return v;
  span was = l->b.where;
  l->b.where = e->at;
  v = array_value(l, e);
  if (!v) {
    ir_type t = lower_type(l, ty_of(e));
    size_t mark = lower_mark(l);
    lower_prepare(l, e);
    lower_box box = lower_box_begin(l, t.rank, t.dim);
    ir_val x = lower_convert(l, lower_elem(l, e, t.rank, box.idx), (ir_elem)t.elem);
    lower_box_end(l, &box);
    v = ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, x);
    lower_forget(l, mark);
  }
  l->b.where = was;
  return v;
}

ir_val lower_array_as(lower *l, const ast_expr *e, ir_elem elem) { return lower_convert(l, lower_array(l, e), elem); }

void lower_prepare(lower *l, const ast_expr *e) {
  if (remembered(l, e)) return;
  const ty_info *t = ty_of(e);
  switch (e->kind) {
  case EXPR_INT: case EXPR_REAL: case EXPR_BOOL: case EXPR_STRING: case EXPR_ALL: case EXPR_RANGE: return;
  case EXPR_NAME: return;
  case EXPR_COMPREHENSION:
    if (lower_by_elements(l, e)) return;
    break;
  default: break;
  }
  if (t->rank == 0) {
    remember(l, e, lower_scalar(l, e));
    return;
  }
  switch (e->kind) {
  case EXPR_UNARY: lower_prepare(l, e->unary.arg); return;
  case EXPR_BINARY:
    if (e->binary.op == OP_MATMUL) break;
    lower_prepare(l, e->binary.lhs);
    lower_prepare(l, e->binary.rhs);
    return;
  case EXPR_CALL:
    if (!lower_call_is_elementwise(l, e)) break;
    for (size_t k = 0; k < check_call_of(l->p, e)->nargs; k++) lower_prepare(l, check_call_of(l->p, e)->args[k]);
    return;
  case EXPR_INDEX:
    for (size_t k = 0; k < e->index.subs.n; k++) {
      const ast_expr *s = e->index.subs.items[k];
      if (s->kind != EXPR_ALL && s->kind != EXPR_RANGE && ty_of(s)->rank) lower_prepare(l, s);
    }
    if (e->index.base->kind != EXPR_NAME && !remembered(l, e->index.base))
      remember(l, e->index.base, lower_array(l, e->index.base));
    return;
  default: break;
  }
  remember(l, e, lower_array(l, e));
}

ir_val lower_part(lower *l, const ast_expr *e, uint32_t n, const ir_val *idx, ir_elem elem) {
  const ty_info *t = ty_of(e);
  if (t->rank == n) return lower_convert(l, lower_elem(l, e, n, idx), elem);
  if (n == 0) return lower_array_as(l, e, elem);
  ir_val a = remembered(l, e);
  if (!a && e->kind == EXPR_NAME) {
    lindex pos[IR_MAX_RANK];
    for (uint32_t k = 0; k < n; k++) pos[k] = lower_index_at(l, idx[k]);
    return lower_convert(l, lower_read(l, e->name.sym, n, pos), elem);
  }
  if (a) {
    ir_axes axes = {.n = ir_type_of(l->fn, a).rank};
    for (uint32_t k = 0; k < n; k++) axes.at[k] = idx[k];
    return lower_convert(l, ir_at(&l->b, a, axes), elem);
  }
  ir_type rest = lower_type(l, t);
  lower_box box = lower_box_begin(l, rest.rank - n, rest.dim + n);
  ir_val at[IR_MAX_RANK];
  memcpy(at, idx, n * sizeof *at);
  memcpy(at + n, box.idx, (rest.rank - n) * sizeof *at);
  ir_val x = lower_convert(l, lower_elem(l, e, t->rank, at), elem);
  lower_box_end(l, &box);
  return ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, x);
}
