/* pilot.h: which unknowns are better sampled as they are, and which as standard variates.
 *
 * Let z be the standard variate of theta = mu + tau * z (compiler/centre.h), and I the information that everything but its own
 * prior holds about theta: n / sigma^2 for n observations of standard deviation sigma.  The prior has 1 / tau^2, so
 *
 *     r = tau^2 I
 *
 * is how many times more the data know of theta than mu and tau do.  Where r is 2 both forms are equally good; at 0.1 the centred one
 * does not converge, at 50 the other one takes twenty times as many steps (docs/non-centring.md has the experiments).  On the
 * coordinate z the log density has curvature -(1 + r), and its mean under the posterior is that of the squared gradient
 * (Fisher's identity, E[g g'] = -E[H]), so that
 *
 *     r = E[(d log p / d z)^2] - 1
 *
 * needs draws and their gradients only.  A pilot is one short chain of the non-centred model, which is the form that reaches everything,
 * if slowly; it costs about what 1 % of a run does.
 *
 * tau is not a number but has a posterior, and the funnel is where tau is small.  From J elements log tau is known with a standard
 * deviation of 1 / sqrt(2 J), so three of those below its mean r is smaller by exp(6 / sqrt(2 J)), and a site stays centred if its
 * elements have, in the median, an r of at least 2 exp(6 / sqrt(2 J)): 17 for 4 of them, 9 for 8, 5 for 20, 3 for 100. */
#ifndef AIM_VM_PILOT_H
#define AIM_VM_PILOT_H

#include "vm/eval.h"

/* r of each site of m->p that is a standard variate, the median over its elements, in weight [nsites]; NaN where it is not known.  m has
 * @grad.  Depends on the model and its data only, not on the seed of a run.  False if memory fails. */
bool pilot_weigh(const eval_model *m, const aim_alloc *alloc, double *weight /* OUT */);

/* Puts the sites that are left to measurement and weigh enough on p->centring.measured, in p->mem.  Returns their number: if it is not
 * 0 the program is to be built again. */
size_t pilot_judge(program *p, const double *weight);

/* Tells what was found as remarks of the program as it is built now. */
void pilot_tell(program *p, const double *weight);

#endif
