/* lower_call.c: calls of functions and builtins, reductions and comprehensions. */
#include "compiler/builtin.h"
#include "compiler/lower_internal.h"

#include <math.h>
#include <string.h>

typedef enum builtin_kind { ELEM1, ELEM2, ELEM3, REDUCE, SHAPE, DRAW, DISTFN } builtin_kind;

static const struct {
  uint8_t kind;
  uint8_t op;
} builtins[BUILTIN_COUNT] = {
#define B(ID, name, kind, op) {kind, IR_##op##_OP},
    BUILTINS(B)
#undef B
};

bool lower_call_is_elementwise(lower *l, const ast_expr *e) {
  const check_call *c = check_call_of(l->p, e);
  if (c->callee->kind == SYM_FN) return c->lifted;
  if (c->callee->kind != SYM_BUILTIN) return false;
  builtin_kind k = builtins[c->callee->builtin].kind;
  return k == ELEM1 || k == ELEM2 || k == ELEM3 ||
         ((c->callee->builtin == BUILTIN_MIN || c->callee->builtin == BUILTIN_MAX) && c->nargs == 2);
}

/* The body of a function with its parameters bound already. */
static ir_val body_value(lower *l, const ast_decl *d, ir_elem elem) {
  size_t mark = lower_mark(l);
  ir_val v;
  if (d->value) {
    v = ty_of(d->value)->rank ? lower_array_as(l, d->value, elem) : lower_scalar_as(l, d->value, elem);
  } else {
    const ir_val was = l->ret;
    const ir_elem was_elem = l->ret_elem;
    const bool arranged = l->arranged;
    l->ret = 0;
    l->ret_elem = elem;
    l->arranged = false;
    lower_block(l, d->body);
    v = l->ret ? l->ret : ir_real(&l->b, 0.0);
    l->arranged = arranged;
    l->ret = was;
    l->ret_elem = was_elem;
  }
  lower_forget(l, mark);
  return v;
}

/* Functions are first order and not recursive, so a call is the body with the parameters bound to values. */
lower_fn_scope lower_fn_begin(lower *l, const ast_decl *d, const ir_val *args, const ir_size *sizes) {
  const lower_fn_scope was = {l->sizes, l->nbind};
  l->calls++;
  memset(&l->sizes, 0, sizeof l->sizes);
  for (size_t k = 0; k < d->params.n; k++) {
    symbol *f = d->params.items[k].name.sym;
    lower_unify(l, f->type, ir_type_of(l->fn, args[k]));
    lower_unify_int(l, f, sizes ? sizes[k] : IR_SIZE_NONE);
  }
  for (size_t k = 0; k < d->params.n; k++) {
    symbol *f = d->params.items[k].name.sym;
    lower_bind(l, f, lower_convert(l, args[k], lower_elem_kind(f->type)));
  }
  return was;
}

void lower_fn_end(lower *l, const lower_fn_scope *was) {
  l->nbind = was->binds;
  l->sizes = was->sizes;
  l->calls--;
}

ir_val lower_fn_call(lower *l, const ast_decl *d, ir_elem elem, const ir_val *args, const ir_size *sizes) {
  const lower_fn_scope was = lower_fn_begin(l, d, args, sizes);
  if (d->type && d->type->info) elem = lower_elem_kind(d->type->info);
  ir_val v = body_value(l, d, elem);
  lower_fn_end(l, &was);
  return v;
}

/* A function that calls another twice has twice its operations, so twenty such, each calling the one before, have a million times those of the first. */
static bool is_too_long(lower *l, span at) {
  enum { MOST = 1 << 21, MOST_CALLS = 256 };
  if (l->calls >= MOST_CALLS) {
    if (!l->refused) diag_add(l->p->diags, DIAG_ERROR, "E0904", at, "functions call each other more than %d deep", MOST_CALLS);
    return l->refused = true;
  }
  if (l->fn->nvals <= MOST) return false;
  if (!l->refused) {
    diag *d = diag_add(l->p->diags, DIAG_ERROR, "E0903", at, "this program has more than %d operations", MOST);
    diag_note(l->p->diags, d, "functions are written out wherever they are called: one that calls another twice has twice its operations");
    diag_help(l->p->diags, d, "give what is called again with the same values a name: `let a = f(x)`");
  }
  return l->refused = true;
}

/* Of a program that is given up. */
static ir_val any_value(lower *l, ir_type t) {
  if (t.rank) return ir_new_array(&l->b, t);
  return t.elem == IR_REAL ? ir_real(&l->b, 0.0) : t.elem == IR_BOOL ? ir_bool(&l->b, false) : ir_int(&l->b, 0);
}

static ir_val inline_fn(lower *l, const ast_expr *e, const check_call *c, const ir_val *args, const ir_size *sizes) {
  const ast_decl *d = c->callee->decl;
  const ir_val v = lower_fn_call(l, d, lower_elem_kind(ty_of(e)), args, sizes);
  if (!d->memo_size) return v;
  ir_memo *f = ARENA_NEW(l->m->mem, ir_memo);
  *f = (ir_memo){.name = d->name.name, .size = d->memo_size};
  return ir_memo_mark(&l->b, f, v, (uint32_t)c->nargs, args);
}

ir_val lower_call_elem(lower *l, const ast_expr *e, uint32_t n, const ir_val *idx) {
  const check_call *c = check_call_of(l->p, e);
  enum { MANY = 64 };
  ir_val args[MANY];
  ir_size sizes[MANY];
  if (c->nargs > MANY) {
    lower_refuse(l, e->at, "a call with more than 64 arguments");
    return ir_real(&l->b, 0.0);
  }
  for (size_t k = 0; k < c->nargs; k++) {
    uint32_t r = ty_of(c->args[k])->rank;
    args[k] = lower_elem(l, c->args[k], r, idx + (n - r));
    if (!lower_expr_size(l, c->args[k], &sizes[k])) sizes[k] = IR_SIZE_NONE;
  }
  if (c->callee->kind == SYM_FN) return is_too_long(l, e->at) ? any_value(l, ir_scalar(lower_elem_kind(ty_of(e)))) : inline_fn(l, e, c, args, sizes);
  ir_code code = (ir_code)builtins[c->callee->builtin].op;
  ir_elem elem = lower_elem_kind(ty_of(e));
  switch (c->callee->builtin) {
  case BUILTIN_SELECT:
    return ir_op3(&l->b, code, lower_convert(l, args[0], IR_BOOL), lower_convert(l, args[1], elem), lower_convert(l, args[2], elem));
  case BUILTIN_TO_REAL: return lower_convert(l, args[0], IR_REAL);
  case BUILTIN_TO_INT:
    return ir_type_of(l->fn, args[0]).elem == IR_REAL ? ir_op1(&l->b, code, args[0]) : lower_convert(l, args[0], IR_INT);
  case BUILTIN_MIN: case BUILTIN_MAX: case BUILTIN_ABS:
    if (elem == IR_BOOL) elem = IR_INT;
    break;
  default: elem = IR_REAL;
  }
  for (size_t k = 0; k < c->nargs; k++) args[k] = lower_convert(l, args[k], elem);
  return c->nargs == 1   ? ir_op1(&l->b, code, args[0])
         : c->nargs == 2 ? ir_op2(&l->b, code, args[0], args[1])
                         : ir_op3(&l->b, code, args[0], args[1], args[2]);
}

/* ---- reductions */

/* A reduction in terms of loop modes: all and any are the least and largest of 0 and 1. */
static ir_mode reduce_mode(int builtin) {
  switch (builtin) {
  case BUILTIN_MIN: case BUILTIN_ALL: return IR_MIN;
  case BUILTIN_MAX: case BUILTIN_ANY: return IR_MAX;
  default: return IR_SUM;
  }
}

static ir_val reduce_in(lower *l, int builtin, ir_val x) {
  if (builtin == BUILTIN_ALL || builtin == BUILTIN_ANY) x = lower_convert(l, x, IR_BOOL);
  return lower_convert(l, x, IR_REAL);
}

static ir_val reduce_out(lower *l, int builtin, ir_val r, ir_val count, ir_elem elem) {
  if (builtin == BUILTIN_MEAN) return ir_op2(&l->b, IR_DIV_OP, r, ir_op1(&l->b, IR_TO_REAL_OP, count));
  if (builtin == BUILTIN_ALL || builtin == BUILTIN_ANY) return ir_op2(&l->b, IR_LT_OP, ir_real(&l->b, 0.5), r);
  return elem == IR_INT ? ir_op1(&l->b, IR_TO_INT_OP, r) : r;
}

static ir_val neutral(lower *l, int builtin) {
  switch (reduce_mode(builtin)) {
  case IR_MIN: return ir_real(&l->b, (double)INFINITY);
  case IR_MAX: return ir_real(&l->b, -(double)INFINITY);
  default: return ir_real(&l->b, builtin == BUILTIN_PROD ? 1.0 : 0.0);
  }
}

static ir_val box_count(lower *l, uint32_t rank, const ir_size *dim) {
  ir_size n = size_const(l->m->sizes, 1);
  for (uint32_t k = 0; k < rank; k++) n = size_mul(l->m->sizes, n, dim[k]);
  return ir_size_val(&l->b, n);
}

/* A product is a scan that carries it, over the flattened positions. */
static ir_val product(lower *l, const ast_expr *x) {
  ir_type t = lower_type(l, ty_of(x));
  ir_val a = lower_array_as(l, x, IR_REAL), acc = ir_real(&l->b, 1.0);
  /* One scan an axis, the last innermost: the inner ones take the running product as their start. */
  ir_op *scan[IR_MAX_RANK];
  ir_builder outer[IR_MAX_RANK];
  ir_axes axes = {.n = t.rank};
  ir_val run = acc;
  for (int k = 0; k < t.rank; k++) {
    ir_val extent = ir_size_val(&l->b, t.dim[k]);
    scan[k] = ir_loop_begin(&l->b, IR_SCAN_OP, 1, &extent);
    uint32_t out = ir_loop_state(l->fn, scan[k], IR_CARRY, run);
    run = scan[k]->u.loop->out[out].state;
    axes.at[k] = scan[k]->u.loop->index[0];
    outer[k] = l->b;
    l->b = ir_builder_in(&outer[k], &scan[k]->u.loop->body);
  }
  run = ir_op2(&l->b, IR_MUL_OP, run, ir_at(&l->b, a, axes));
  for (int k = t.rank; k-- > 0;) {
    ir_loop_finish(l->fn, scan[k], 0, NULL, run);
    l->b = outer[k];
    run = scan[k]->res[0];
  }
  return run;
}

static ir_val reduce_array(lower *l, const ast_expr *e, const check_call *c) {
  const ast_expr *x = c->args[0];
  int builtin = c->callee->builtin;
  ir_elem elem = lower_elem_kind(ty_of(e));
  if (ty_of(x)->rank == 0) return lower_scalar_as(l, x, elem);
  if (builtin == BUILTIN_PROD) return lower_convert(l, product(l, x), elem);
  ir_type t = lower_type(l, ty_of(x));
  size_t mark = lower_mark(l);
  lower_prepare(l, x);
  lower_box box = lower_box_begin(l, t.rank, t.dim);
  ir_val v = reduce_in(l, builtin, lower_elem(l, x, t.rank, box.idx));
  lower_box_end(l, &box);
  lower_forget(l, mark);
  ir_val r = ir_loop_out(l->fn, box.op, reduce_mode(builtin), 0, NULL, v);
  return reduce_out(l, builtin, r, builtin == BUILTIN_MEAN ? box_count(l, t.rank, t.dim) : 0, elem);
}

/* sum(e for i in .., j in .. if c): one loop for each range, so that later ranges may depend on earlier indices. */
typedef struct nest {
  const ast_iter *iter;
  const ast_expr *body;
  int builtin;
  bool counting; /* the number of terms instead of their reduction */
  ir_val shift;  /* or of exp(term - shift); 0: of the terms */
} nest;

static ir_val nest_each(lower *l, const nest *s) {
  if (s->counting) return ir_real(&l->b, 1.0);
  const ir_val v = reduce_in(l, s->builtin, lower_scalar(l, s->body));
  return s->shift ? ir_op1(&l->b, IR_EXP_OP, ir_op2(&l->b, IR_SUB_OP, v, s->shift)) : v;
}

static ir_val nest_term(lower *l, const nest *s) {
  if (!s->iter->cond) return nest_each(l, s);
  ir_val c = lower_scalar_as(l, s->iter->cond, IR_BOOL);
  ir_op *branch = ir_if_begin(&l->b, c);
  ir_builder outer = l->b;
  l->b = ir_builder_in(&outer, &branch->u.branch->then_);
  ir_val v = nest_each(l, s);
  l->b = ir_builder_in(&outer, &branch->u.branch->else_);
  ir_val w = neutral(l, s->counting ? BUILTIN_SUM : s->builtin);
  l->b = outer;
  return ir_if_out(l->fn, branch, v, w);
}

static ir_val nest_from(lower *l, const nest *s, size_t k) {
  if (k == s->iter->n) return nest_term(l, s);
  const ast_range *r = &s->iter->items[k];
  size_t binds = l->nbind;
  lower_range m = lower_range_measure(l, r);
  bool prod = s->builtin == BUILTIN_PROD && !s->counting;
  ir_val one = prod ? ir_real(&l->b, 1.0) : 0;
  ir_op *loop = ir_loop_begin(&l->b, prod ? IR_SCAN_OP : IR_PLATE_OP, 1, &m.count);
  uint32_t carry = prod ? ir_loop_state(l->fn, loop, IR_CARRY, one) : 0;
  ir_builder outer = l->b;
  l->b = ir_builder_in(&outer, &loop->u.loop->body);
  lower_range_bind(l, r, &m, loop->u.loop->index[0]);
  ir_val v = nest_from(l, s, k + 1);
  if (prod) v = ir_op2(&l->b, IR_MUL_OP, loop->u.loop->out[carry].state, v);
  l->b = outer;
  l->nbind = binds;
  if (prod) {
    ir_loop_finish(l->fn, loop, carry, NULL, v);
    return loop->res[carry];
  }
  return ir_loop_out(l->fn, loop, s->counting ? IR_SUM : reduce_mode(s->builtin), 0, NULL, v);
}

/* c + log(sum exp(x - c)), c being the largest x: that of the library, of a range whose length no array need have. */
static ir_val log_sum_exp(lower *l, const ast_expr *e) {
  nest s = {.iter = &e->reduce.iter, .body = e->reduce.body, .builtin = BUILTIN_MAX};
  const ir_val largest = nest_from(l, &s, 0), infinite = ir_op2(&l->b, IR_EQ_OP, ir_op1(&l->b, IR_ABS_OP, largest), ir_real(&l->b, (double)INFINITY));
  s.builtin = BUILTIN_SUM;
  s.shift = ir_op3(&l->b, IR_SELECT_OP, infinite, ir_real(&l->b, 0.0), largest);
  return ir_op2(&l->b, IR_ADD_OP, s.shift, ir_op1(&l->b, IR_LOG_OP, nest_from(l, &s, 0)));
}

ir_val lower_reduce_expr(lower *l, const ast_expr *e) {
  const symbol *f = e->reduce.fn.sym;
  if (f->kind == SYM_FN) return log_sum_exp(l, e);
  ir_elem elem = lower_elem_kind(ty_of(e));
  nest s = {.iter = &e->reduce.iter, .body = e->reduce.body, .builtin = f->builtin};
  ir_val r = nest_from(l, &s, 0), n = 0;
  if (f->builtin == BUILTIN_MEAN) {
    s.counting = true;
    ir_val count = nest_from(l, &s, 0);
    return ir_op2(&l->b, IR_DIV_OP, r, count);
  }
  return reduce_out(l, f->builtin, r, n, elem);
}

ir_val lower_comprehension(lower *l, const ast_expr *e) {
  const ast_iter *iter = &e->comprehension.iter;
  ir_type t = lower_type(l, ty_of(e));
  size_t binds = l->nbind;
  uint32_t rank = (uint32_t)iter->n;
  lower_range m[IR_MAX_RANK];
  for (uint32_t k = 0; k < rank; k++) m[k] = lower_range_measure(l, &iter->items[k]);
  lower_box box = lower_box_begin(l, rank, t.dim);
  for (uint32_t k = 0; k < rank; k++) lower_range_bind(l, &iter->items[k], &m[k], box.idx[k]);
  const ast_expr *body = e->comprehension.body;
  size_t mark = lower_mark(l);
  ir_val v = ty_of(body)->rank ? lower_array_as(l, body, (ir_elem)t.elem) : lower_scalar_as(l, body, (ir_elem)t.elem);
  lower_forget(l, mark);
  l->nbind = binds;
  lower_box_end(l, &box);
  return ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, v);
}

bool lower_by_elements(const lower *l, const ast_expr *e) {
  const ast_iter *iter = &e->comprehension.iter;
  bool plain = l->arranged && !iter->cond && ty_of(e->comprehension.body)->rank == 0;
  for (size_t k = 0; k < iter->n; k++) plain = plain && !iter->items[k].over && !iter->items[k].by;
  return plain;
}

ir_val lower_comprehension_elem(lower *l, const ast_expr *e, const ir_val *idx) {
  const ast_iter *iter = &e->comprehension.iter;
  const size_t binds = l->nbind, mark = lower_mark(l);
  for (size_t k = 0; k < iter->n; k++) {
    const lower_range m = lower_range_measure(l, &iter->items[k]);
    const lindex at = lower_index_at(l, idx[k]);
    const ir_value *counter = at.base ? ir_value_of(l->fn, at.base) : NULL;
    if (m.lo == IR_SIZE_NONE || !counter || counter->def != IR_DEF_INDEX) {
      lower_bind(l, iter->items[k].var.sym, ir_op2(&l->b, IR_ADD_OP, idx[k], m.lo == IR_SIZE_NONE ? m.lo_val : ir_size_val(&l->b, m.lo)));
      continue;
    }
    binding *b = lower_push(l, iter->items[k].var.sym, BIND_INDEX);
    b->v = at.base;
    b->lo = size_add(l->m->sizes, m.lo, at.offset);
    b->extent = ir_size_of(l->fn, counter->op->u.loop->extent[counter->slot]);
  }
  const ir_val v = lower_scalar(l, e->comprehension.body);
  l->nbind = binds;
  lower_forget(l, mark);
  return v;
}

/* ---- functions with shapes of their own */

static ir_val columns(lower *l, const ast_expr *e, const check_call *c) {
  ir_type t = lower_type(l, ty_of(e));
  ir_val a = ir_new_array(&l->b, t);
  for (size_t k = 0; k < c->nargs; k++) {
    ir_axes axes = {.n = 2, .at = {0, ir_int(&l->b, (int64_t)k)}};
    a = ir_put(&l->b, a, axes, lower_array_as(l, c->args[k], (ir_elem)t.elem));
  }
  return a;
}

static ir_val rep(lower *l, const ast_expr *e, const check_call *c) {
  ir_type t = lower_type(l, ty_of(e));
  uint32_t r = ty_of(c->args[0])->rank;
  ir_val x = r ? lower_array_as(l, c->args[0], (ir_elem)t.elem) : lower_scalar_as(l, c->args[0], (ir_elem)t.elem);
  lower_box box = lower_box_begin(l, t.rank - r, t.dim);
  lower_box_end(l, &box);
  return ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, x);
}

static ir_val draw(lower *l, const ast_expr *e, const check_call *c) {
  if (!l->key) {
    lower_refuse(l, e->at, "a draw outside of a distribution's sample()");
    return ir_real(&l->b, 0.0);
  }
  ir_code code = (ir_code)builtins[c->callee->builtin].op;
  ir_val args[4];
  uint32_t n = c->nargs < 4 ? (uint32_t)c->nargs : 4;
  for (uint32_t k = 0; k < n; k++) {
    const ast_expr *a = c->args[k];
    bool trials = code == IR_BINOMIAL_OP && k == 0;
    args[k] = ty_of(a)->rank ? lower_array_as(l, a, IR_REAL) : lower_scalar_as(l, a, trials ? IR_INT : IR_REAL);
  }
  ir_val v = ir_draw(&l->b, code, ++l->draws, l->key, l->index, n, args);
  return code == IR_CATEGORICAL_OP ? ir_op2(&l->b, IR_ADD_OP, v, ir_int(&l->b, 1)) : v;
}

static ir_val shape_call(lower *l, const ast_expr *e, const check_call *c) {
  const ast_expr *x = c->args[0];
  switch (c->callee->builtin) {
  case BUILTIN_DOT: {
    ir_val a = lower_array_as(l, x, IR_REAL), b = lower_array_as(l, c->args[1], IR_REAL);
    return ir_matmul(&l->b, a, b, 0);
  }
  case BUILTIN_REP: return rep(l, e, c);
  case BUILTIN_COLUMNS: return columns(l, e, c);
  case BUILTIN_SIZE: {
    int64_t axis = c->nargs > 1 && c->args[1]->kind == EXPR_INT ? c->args[1]->integer.value : 1;
    return ir_size_val(&l->b, lower_size(l, ty_of(x)->dim[axis - 1]));
  }
  case BUILTIN_ONEHOT: {
    ir_type t = lower_type(l, ty_of(e));
    ir_val k = ir_op2(&l->b, IR_SUB_OP, lower_scalar_as(l, x, IR_INT), ir_int(&l->b, 1));
    lower_box box = lower_box_begin(l, 1, t.dim);
    ir_val here = ir_op2(&l->b, IR_EQ_OP, box.idx[0], k);
    ir_val v = ir_op3(&l->b, IR_SELECT_OP, here, ir_real(&l->b, 1.0), ir_real(&l->b, 0.0));
    lower_box_end(l, &box);
    return ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, v);
  }
  case BUILTIN_DIAG: {
    ir_type t = lower_type(l, ty_of(e));
    ir_val v = lower_array_as(l, x, IR_REAL), zero = ir_new_array(&l->b, t);
    lower_box box = lower_box_begin(l, 1, t.dim);
    ir_val d = ir_at1(&l->b, v, box.idx[0]);
    ir_axes axes = {.n = 2, .at = {box.idx[0], box.idx[0]}};
    lower_box_end(l, &box);
    return ir_loop_out(l->fn, box.op, IR_INTO, zero, &axes, d);
  }
  case BUILTIN_ODE: return lower_ode(l, e);
  case BUILTIN_CHOLESKY: return ir_cholesky(&l->b, lower_array_as(l, x, IR_REAL));
  case BUILTIN_SOLVE_LOWER:
  case BUILTIN_SOLVE_UPPER: {
    ir_val a = lower_array_as(l, x, IR_REAL), b = lower_array_as(l, c->args[1], IR_REAL);
    return ir_trisolve(&l->b, a, b, c->callee->builtin == BUILTIN_SOLVE_UPPER ? IR_TRANS_A : 0);
  }
  default:
    lower_refuse(l, e->at, "this function");
    return ir_real(&l->b, 0.0);
  }
}

ir_val *lower_call_args(lower *l, const check_call *c, ir_size **sizes) {
  ir_val *args = ARENA_ARRAY(l->mem, ir_val, c->nargs);
  *sizes = ARENA_ARRAY(l->mem, ir_size, c->nargs);
  for (size_t k = 0; k < c->nargs; k++) {
    const ast_expr *a = c->args[k];
    args[k] = ty_of(a)->rank ? lower_array(l, a) : lower_scalar(l, a);
    if (!lower_expr_size(l, a, &(*sizes)[k])) (*sizes)[k] = IR_SIZE_NONE;
  }
  return args;
}

ir_val lower_call_value(lower *l, const ast_expr *e) {
  const check_call *c = check_call_of(l->p, e);
  if (c->callee->kind == SYM_BUILTIN) switch (builtins[c->callee->builtin].kind) {
    case REDUCE: return reduce_array(l, e, c);
    case DRAW: return draw(l, e, c);
    case DISTFN: return lower_density_call(l, e);
    default: return shape_call(l, e, c);
    }
  if (c->callee->kind != SYM_FN) {
    lower_refuse(l, e->at, "this call");
    return ir_real(&l->b, 0.0);
  }
  if (is_too_long(l, e->at)) return any_value(l, lower_type(l, ty_of(e)));
  ir_size *sizes;
  const ir_val *args = lower_call_args(l, c, &sizes);
  return inline_fn(l, e, c, args, sizes);
}
