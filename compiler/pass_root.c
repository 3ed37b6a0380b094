/* pass_root.c: a scan whose state is read only through the inverse of what makes it carries the simpler value.
 *
 *     s[t + 1] = sqrt(a + b s[t]^2)    ->    v[t + 1] = a + b v[t],  s = sqrt(v) in a plate behind the scan
 *
 * A standard deviation that is read as a variance is the common case; a scale read as its logarithm is another.  The chain from one
 * iteration to the next loses the function and its inverse, and with them its adjoint their derivatives.
 *
 *     made by    read through
 *     sqrt       x x
 *     exp        log
 *     log        exp
 *
 * needs: scans with a scalar real carry, or with an `into` of reals that is placed at t + 1, upwards, in an array of one element more than
 * there are iterations.  The init keeps its own value, sign and all: behind the scan it is chosen, not recomputed.  Roundings: the inverse
 * of the function's rounded value is not taken any more.  Where the function has no value (the root of a negative number) later iterations no
 * longer inherit its NaN, but the element itself is NaN as before. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"
#include "compiler/scans.h"

typedef struct pair {
  ir_code made, read;
} pair;

static const pair pairs[] = {{IR_SQRT_OP, IR_MUL_OP}, {IR_EXP_OP, IR_LOG_OP}, {IR_LOG_OP, IR_EXP_OP}};

typedef struct root {
  ir_module *m;
  ir_fn *fn;
  ir_op *op;
  ir_out *out;
  pair how;
  ir_map element; /* reads of an array state, marked by themselves */
  bool only, any;
} root;

static ir_val undo(const root *r, ir_builder *b, ir_val x) {
  return r->how.read == IR_MUL_OP ? ir_op2(b, IR_MUL_OP, x, x) : ir_op1(b, r->how.read, x);
}

/* x is the state, or an element of it. */
static bool is_value(const root *r, ir_val x) { return r->out->mode == IR_CARRY ? x == r->out->state : ir_map_get(&r->element, x) != 0; }

static bool undoes(const root *r, const ir_op *op) {
  if (op->code != r->how.read || !is_value(r, op->args[0])) return false;
  return r->how.read != IR_MUL_OP || op->args[1] == op->args[0];
}

static void note_use(void *user, ir_val *use) {
  root *r = user;
  if (*use == r->out->state || is_value(r, *use)) r->only = false;
}

static void look_at(void *user, ir_op *op) {
  root *r = user;
  if (r->out->mode == IR_INTO && op->code == IR_AT_OP && op->args[0] == r->out->state && op->u.axes.n == 1 && op->u.axes.at[0]) {
    ir_map_set(&r->element, op->res[0], op->res[0]);
    return;
  }
  if (undoes(r, op)) r->any = true;
  else ir_visit_uses(op, note_use, r);
}

static void drop_inverse(void *user, ir_op *op) {
  root *r = user;
  if (!undoes(r, op)) return;
  ir_replace_uses(r->fn, op->res[0], op->args[0]);
  ir_remove(op);
}

/* An array of which the scan sets every element but the first. */
static bool sets_the_rest(const root *r) {
  const ir_loop *loop = r->op->u.loop;
  size_table *t = r->m->sizes;
  ir_type type = ir_type_of(r->fn, r->out->state);
  ir_size n = ir_size_of(r->fn, loop->extent[0]);
  return type.rank == 1 && !loop->down && scan_is_next_index(r->fn, loop, r->out->axes.at[0]) && n && size_add(t, n, size_const(t, 1)) == type.dim[0];
}

/* The pass on one output. */
static bool simplify(ir_module *m, ir_fn *fn, ir_op *op, uint32_t k) {
  ir_out *out = &op->u.loop->out[k];
  root r = {.m = m, .fn = fn, .op = op, .out = out, .element = ir_map_new(m->mem, fn), .only = true};
  if (!out->state || (out->mode != IR_CARRY && out->mode != IR_INTO) || ir_type_of(fn, out->yield).elem != IR_REAL) return false;
  if (ir_type_of(fn, out->yield).rank || (out->mode == IR_INTO && !sets_the_rest(&r))) return false;
  const ir_op *last = ir_def_op(fn, out->yield);
  if (!last || last->block != &op->u.loop->body) return false;
  size_t p = 0;
  while (p < sizeof pairs / sizeof *pairs && pairs[p].made != last->code) p++;
  if (p == sizeof pairs / sizeof *pairs) return false;
  r.how = pairs[p];
  ir_visit_ops(&op->u.loop->body, look_at, &r);
  for (uint32_t j = 0; j < op->u.loop->nout; j++)
    if (is_value(&r, op->u.loop->out[j].yield) || op->u.loop->out[j].yield == out->state) r.only = false;
  if (!r.only || !r.any) return false;

  ir_builder before = {.fn = fn, .block = op->block, .before = op, .where = op->where};
  ir_builder after = {.fn = fn, .block = op->block, .before = op->next, .where = op->where};
  ir_val init = out->init, result = op->res[k], state = ir_result_renew(fn, op, k), n = op->u.loop->extent[0], whole;
  ir_visit_ops(&op->u.loop->body, drop_inverse, &r);
  out->yield = last->args[0];
  if (out->mode == IR_CARRY) {
    out->init = undo(&r, &before, init);
    ir_val some = ir_op2(&after, IR_LT_OP, ir_int(&after, 0), n), y = ir_op1(&after, r.how.made, state);
    whole = ir_op3(&after, IR_SELECT_OP, some, y, init);
  } else {
    ir_val dim = ir_size_val(&before, ir_type_of(fn, init).dim[0]);
    ir_op *early = ir_loop_begin(&before, IR_PLATE_OP, 1, &dim), *late = ir_loop_begin(&after, IR_PLATE_OP, 1, &dim);
    ir_builder in = ir_builder_in(&before, &early->u.loop->body);
    out->init = ir_loop_out(fn, early, IR_STACK, 0, NULL, undo(&r, &in, ir_at1(&in, init, early->u.loop->index[0])));
    in = ir_builder_in(&after, &late->u.loop->body);
    ir_val j = late->u.loop->index[0], first = ir_op2(&in, IR_LT_OP, j, ir_int(&in, 1)), v = ir_at1(&in, state, j);
    ir_val y = ir_op3(&in, IR_SELECT_OP, first, ir_at1(&in, init, j), ir_op1(&in, r.how.made, v));
    whole = ir_loop_out(fn, late, IR_STACK, 0, NULL, y);
  }
  ir_take_over(fn, whole, result);
  return true;
}

bool pass_root(ir_module *m, ir_fn *fn) {
  return scan_each_output(m, fn, simplify, "root", "the state is read only through an inverse: the loop over steps carries what that gives");
}
