/* grad.h: reverse-mode differentiation by source transformation.
 *
 * The gradient is a function like any other: no tape, nothing that survives a call.  docs/ir.md, section 5, says what a
 * loop's adjoint is; these are the conventions at points where a derivative does not exist or is not unique.
 *
 *   abs                 0 at 0
 *   min, max            of equal operands the first has the adjoint; elements of a `max` or `min` output that attain the
 *                       extreme share it equally, so an array that holds one parameter twice gets its true derivative
 *   sign, floor, ceil, round, comparisons, conversions: derivative 0
 *   a ^ b               d/da = 0 where b = 0; d/db = 0 where a = 0
 *   log, log1p, sqrt, pow, asin, acos, inv_phi: an incoming adjoint of 0 contributes 0 even where the derivative is
 *                       infinite, so that log(0) = -inf under a log_sum_exp leaves the gradient finite
 *   c + log sum exp(x[i] - c)   does not depend on c: the maximum that log_sum_exp subtracts is not differentiated
 *   guard c, x          the adjoint passes where c holds, else 0; always, where only sums and positive factors known in advance lead
 *                       from the guard to the result: where c fails the result is -inf (or NaN), and has no gradient
 *   select c, a, b      the adjoint goes to the arm taken, 0 to the other.  Zero times an infinite factor further up that
 *                       other arm (x / y at y = 0) is still NaN: such an arm belongs under `if`, whose untaken block is not
 *                       differentiated
 *
 * Differentiating again is possible, but for the derivatives of trigamma and chol_adj, which are refused. */
#ifndef AIM_COMPILER_GRAD_H
#define AIM_COMPILER_GRAD_H

#include "compiler/ir.h"

typedef struct grad_options {
  bool latent;         /* also for parameters of role IR_ROLE_LATENT */
  const char *message; /* OUT: why there is no gradient, naming the operation; NULL when there is one */
  span where;          /* OUT: that operation's place */
} grad_options;

/* Adds to m the function `name`: parameters as f's; results: the value of f, then its gradient for each real parameter of role
 * IR_ROLE_UNCON in parameter order, each with its parameter's type.  f: of m, verified, derived, without calls; its first
 * result is a real scalar and the only one differentiated.  f is not changed.  The result keeps every rule that ir_verify checks;
 * it holds what only further passes remove (unused recomputations, sums of constants).
 * NULL: f uses something that has no derivative here; m is as before.  m->mem is where all memory comes from. */
ir_fn *grad_derive(ir_module *m, const ir_fn *f, const char *name);
ir_fn *grad_derive_with(ir_module *m, const ir_fn *f, const char *name, grad_options *options);

#endif
