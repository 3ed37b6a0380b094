/* truncate_draw.c: a draw of a distribution between bounds, for sites whose type is narrower than their distribution.
 *
 * The distribution's own draw is taken where it falls between the bounds.  Elsewhere, and so in any tail however far, the draw is the point
 * at which the distribution function has a uniform share of the mass that is left, found by bisection in the logarithm of the tail that
 * the mass lies in.  The own draw falls inside with the probability of that mass and has the wanted law there, and whether it does is independent
 * of the point found, so the mixture has it too.
 *
 * Of integers the search goes over the reals between, with the tails at the integer below; the mass is that of (lo - 1, hi]. */
#include "compiler/builtin.h"
#include "compiler/lower_internal.h"

#include <math.h>

enum { DOUBLINGS = 64, HALVINGS = 120 };

/* The log of the mass above x, or at most x. */
static ir_val log_tail(ir_builder *b, lower_tails *t, const ir_dist *d, bool above, ir_val x) {
  if (d->discrete) x = ir_op1(b, IR_TO_INT_OP, ir_op1(b, IR_FLOOR_OP, x));
  return lower_tail(b, t, above ? BUILTIN_LOGCCDF : BUILTIN_LOGCDF, x);
}

/* Whether the point with this much in its tail is to the right of x. */
static ir_val to_the_right(ir_builder *b, lower_tails *t, const ir_dist *d, bool above, ir_val x, ir_val goal) {
  ir_val v = log_tail(b, t, d, above, x);
  return above ? ir_op2(b, IR_LT_OP, goal, v) : ir_op2(b, IR_LT_OP, v, goal);
}

/* A point beyond the goal, from `from` up, or down, by a step that doubles. */
static ir_val bracket(ir_builder *b, lower_tails *t, const ir_dist *d, bool above, ir_val from, ir_val goal) {
  ir_val count = ir_int(b, DOUBLINGS), first = ir_real(b, 1.0);
  ir_op *scan = ir_loop_begin(b, IR_SCAN_OP, 1, &count);
  ir_loop_state(b->fn, scan, IR_CARRY, first);
  ir_val step = scan->u.loop->out[0].state;
  ir_builder in = ir_builder_in(b, &scan->u.loop->body);
  ir_val right = to_the_right(&in, t, d, above, ir_op2(&in, above ? IR_ADD_OP : IR_SUB_OP, from, step), goal);
  ir_val twice = ir_op2(&in, IR_ADD_OP, step, step);
  ir_loop_finish(b->fn, scan, 0, NULL, above ? ir_op3(&in, IR_SELECT_OP, right, twice, step) : ir_op3(&in, IR_SELECT_OP, right, step, twice));
  return ir_op2(b, above ? IR_ADD_OP : IR_SUB_OP, from, scan->res[0]);
}

static ir_val bisect(ir_builder *b, lower_tails *t, const ir_dist *d, bool above, ir_val lo, ir_val hi, ir_val goal) {
  ir_val count = ir_int(b, HALVINGS);
  ir_op *scan = ir_loop_begin(b, IR_SCAN_OP, 1, &count);
  ir_loop_state(b->fn, scan, IR_CARRY, lo);
  ir_loop_state(b->fn, scan, IR_CARRY, hi);
  ir_val x = scan->u.loop->out[0].state, y = scan->u.loop->out[1].state;
  ir_builder in = ir_builder_in(b, &scan->u.loop->body);
  ir_val middle = ir_op2(&in, IR_MUL_OP, ir_real(&in, 0.5), ir_op2(&in, IR_ADD_OP, x, y));
  ir_val right = to_the_right(&in, t, d, above, middle, goal);
  ir_loop_finish(b->fn, scan, 0, NULL, ir_op3(&in, IR_SELECT_OP, right, middle, x));
  ir_loop_finish(b->fn, scan, 1, NULL, ir_op3(&in, IR_SELECT_OP, right, y, middle));
  return scan->res[1];
}

/* log(exp(a) - u (exp(a) - exp(b))), a >= b */
static ir_val share(ir_builder *b, ir_val a, ir_val c, ir_val u) {
  ir_val d = ir_op1(b, IR_EXPM1_OP, ir_op2(b, IR_SUB_OP, c, a));
  return ir_op2(b, IR_ADD_OP, a, ir_op1(b, IR_LOG1P_OP, ir_op2(b, IR_MUL_OP, u, d)));
}

/* NaN, which no driver takes for a draw, where the distribution function knows of no mass. */
static ir_val where_mass(ir_builder *b, ir_val mass, ir_val x) {
  return ir_op3(b, IR_SELECT_OP, ir_op2(b, IR_LT_OP, ir_real(b, -(double)INFINITY), mass), x, ir_real(b, (double)NAN));
}

static ir_val inverse(ir_builder *b, lower_tails *t, const ir_dist *d, ir_val key, ir_val index, ir_val lo, ir_val hi) {
  if (!lo || !hi) {
    bool above = lo != 0;
    ir_val end = above ? lo : hi, mass = log_tail(b, t, d, above, end);
    ir_val goal = ir_op2(b, IR_SUB_OP, mass, ir_draw(b, IR_EXPONENTIAL_OP, 0, key, index, 0, NULL));
    ir_val other = bracket(b, t, d, above, end, goal);
    return where_mass(b, mass, above ? bisect(b, t, d, true, lo, other, goal) : bisect(b, t, d, false, other, hi, goal));
  }
  ir_val u = ir_draw(b, IR_UNIFORM_OP, 0, key, index, 0, NULL);
  ir_op *high = ir_if_begin(b, ir_op2(b, IR_LT_OP, ir_real(b, -0x1.62e42fefa39efp-1), log_tail(b, t, d, false, lo)));
  ir_builder above = ir_builder_in(b, &high->u.branch->then_), below = ir_builder_in(b, &high->u.branch->else_);
  ir_val p = log_tail(&above, t, d, true, lo), q = log_tail(&below, t, d, false, hi);
  ir_val x = bisect(&above, t, d, true, lo, hi, share(&above, p, log_tail(&above, t, d, true, hi), u));
  ir_val y = bisect(&below, t, d, false, lo, hi, share(&below, q, log_tail(&below, t, d, false, lo), u));
  return ir_if_out(b->fn, high, where_mass(&above, p, x), where_mass(&below, q, y));
}

ir_val lower_truncated_draw(ir_builder *b, const ir_dist *d, lower_tails *t, const ir_val *sampler, ir_val lo, ir_val hi) {
  ir_val own = ir_call(b, d->sample, d->nparams + 2, sampler)->res[0], inside = ir_bool(b, true);
  if (lo) inside = ir_op2(b, IR_AND_OP, inside, ir_op2(b, IR_LE_OP, lo, own));
  if (hi) inside = ir_op2(b, IR_AND_OP, inside, ir_op2(b, IR_LE_OP, own, hi));
  ir_op *miss = ir_if_begin(b, inside);
  ir_builder in = ir_builder_in(b, &miss->u.branch->else_);
  ir_val from = lo, to = hi;
  if (d->discrete) {
    if (lo) from = ir_op1(&in, IR_TO_REAL_OP, ir_op2(&in, IR_SUB_OP, lo, ir_int(&in, 1)));
    if (hi) to = ir_op1(&in, IR_TO_REAL_OP, hi);
  }
  ir_val x = inverse(&in, t, d, ir_op2(&in, IR_FOLD_OP, sampler[0], ir_int(&in, 1)), sampler[1], from, to);
  if (d->discrete) x = ir_op1(&in, IR_TO_INT_OP, ir_op1(&in, IR_FLOOR_OP, x));
  return ir_if_out(b->fn, miss, own, x);
}
