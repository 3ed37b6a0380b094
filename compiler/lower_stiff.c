/* lower_stiff.c: implicit steps of `ode(..., solver = stiff)`; formulas are in stdlib/prelude/stiff.aim.
 *
 * A step takes the Jacobian once, by differences, and solves five stages by a fixed number of Newton's steps with it; one whose stages did not converge is
 * not good, and is tried again with a smaller size.
 *
 * Derivatives.  A stage k solves g(k) = 0, so dk = -(dg/dk)^-1 dg of whatever else g depends on (the implicit function theorem): how k was found does not
 * matter.  The replay therefore solves as the search does, takes the result k' and the Jacobian at it as constants (stiff_constant), and makes two more steps of
 * Newton's method from k', which alone are differentiated: a step with a matrix that is off by a part e leaves an error of e in the derivative, so two
 * leave e^2, about 1e-14 for a Jacobian by differences. */
#include "compiler/lower_ode.h"

enum { NEWTON_STEPS = 6, STAGES = 5 };

static const double stage_time[STAGES + 1] = {0, 0.25, 0.75, 0.55, 0.5, 1};

static ir_val time_of(ode *o, int stage, ir_val t, ir_val h) {
  ir_builder *b = &o->l->b;
  return ir_op2(b, IR_ADD_OP, t, ir_op2(b, IR_MUL_OP, ir_real(b, stage_time[stage]), h));
}

/* w of a stage, from the stages before it. */
static ir_val stage_from(ode *o, int stage, ir_val u, ir_val h, const ir_val *k) {
  switch (stage) {
  case 1: return u;
  case 2: return ode_library(o, "stiff_from2", u, h, k[1]);
  case 3: return ode_library(o, "stiff_from3", u, h, k[1], k[2]);
  case 4: return ode_library(o, "stiff_from4", u, h, k[1], k[2], k[3]);
  default: return ode_library(o, "stiff_from5", u, h, k[1], k[2], k[3], k[4]);
  }
}

/* The Jacobian at u, where the derivative is f: a column by a shift of each element. */
static ir_val jacobian(ode *o, ir_val t, ir_val u, ir_val f) {
  lower *l = o->l;
  ir_val n = ir_size_val(&l->b, ir_type_of(l->fn, u).dim[0]);
  ir_op *plate = ir_loop_begin(&l->b, IR_PLATE_OP, 1, &n);
  ir_builder outer = l->b;
  l->b = ir_builder_in(&outer, &plate->u.loop->body);
  ir_val moved = ode_derivative(o, t, ode_library(o, "stiff_shifted", u, plate->u.loop->index[0], o->rtol, o->atol));
  l->b = outer;
  ir_val rows = ir_loop_out(l->fn, plate, IR_STACK, 0, NULL, moved);
  return ode_library(o, "stiff_jacobian", rows, f, u, o->rtol, o->atol);
}

/* Newton's method from k: the stage, and how far the last step moved it. */
static ir_val newton(ode *o, ir_val t, ir_val w, ir_val h, ir_val u, ir_val k, ir_val inverse, ir_val *moved) {
  lower *l = o->l;
  ir_val n = ir_int(&l->b, NEWTON_STEPS), far = ir_real(&l->b, 1);
  ir_op *scan = ir_loop_begin(&l->b, IR_SCAN_OP, 1, &n);
  uint32_t at = ir_loop_state(l->fn, scan, IR_CARRY, k), how_far = ir_loop_state(l->fn, scan, IR_CARRY, far);
  ir_builder outer = l->b;
  l->b = ir_builder_in(&outer, &scan->u.loop->body);
  ir_val last = scan->u.loop->out[at].state, f = ode_derivative(o, t, ode_library(o, "stiff_end", w, h, last));
  ir_val next = ode_library(o, "stiff_newton", inverse, f, last);
  ir_loop_finish(l->fn, scan, at, NULL, next);
  ir_loop_finish(l->fn, scan, how_far, NULL, ode_library(o, "stiff_moved", next, last, h, u, o->rtol, o->atol));
  l->b = outer;
  *moved = scan->res[how_far];
  return scan->res[at];
}

ode_step stiff_take(ode *o, ir_val t, ir_val u, ir_val h, ir_val k1) {
  lower *l = o->l;
  ode_step s = {.inverse = ode_library(o, "stiff_inverse", jacobian(o, t, u, k1), h)};
  ir_val w = u, guess = k1;
  for (int i = 1; i <= STAGES; i++) {
    ir_val moved;
    w = stage_from(o, i, u, h, s.k);
    guess = s.k[i] = newton(o, time_of(o, i, t, h), w, h, u, guess, s.inverse, &moved);
    s.moved = i == 1 ? moved : ir_op2(&l->b, IR_MAX_OP, s.moved, moved);
  }
  s.u = ode_library(o, "stiff_end", w, h, s.k[STAGES]); /* stiffly accurate */
  return s;
}

ir_val stiff_again(ode *o, ir_val t, ir_val u, ir_val h, ir_val k1) {
  ir_val inverse = ode_library(o, "stiff_inverse", jacobian(o, t, u, k1), h), size = ode_library(o, "stiff_constant", h);
  ir_val k[STAGES + 1] = {0}, w = u, guess = k1;
  for (int i = 1; i <= STAGES; i++) {
    ir_val moved, at = time_of(o, i, t, h);
    w = stage_from(o, i, u, h, k);
    k[i] = ode_library(o, "stiff_constants", newton(o, at, w, h, u, guess, inverse, &moved));
    guess = k[i];
    ir_val end = ode_library(o, "stiff_constants", ode_library(o, "stiff_end", w, h, k[i]));
    ir_val own = ode_library(o, "stiff_inverse", ode_library(o, "stiff_constant_rows", jacobian(o, at, end, ode_derivative(o, at, end))), size);
    for (int n = 0; n < 2; n++) k[i] = ode_library(o, "stiff_newton", own, ode_derivative(o, at, ode_library(o, "stiff_end", w, h, k[i])), k[i]);
  }
  return ode_library(o, "stiff_end", w, h, k[STAGES]);
}
