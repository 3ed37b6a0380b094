/* centre.h: which sites are sampled as standard variates.
 *
 * An unknown theta[j] ~ Normal(mu, tau) can stand on the unconstrained space as itself (centred) or as z[j] with theta[j] =
 * mu + tau * z[j] (non-centred).  The posterior is the same.  Which of them a gradient-based sampler walks well depends on how much the
 * data know of theta[j] compared with mu and tau (Papaspiliopoulos, Roberts and Skoeld 2007; Betancourt and Girolami 2015): little, and
 * the centred form is a funnel, whose neck is never reached; much, and the non-centred one is a curved ridge along which z, mu
 * and tau trade off.
 *
 * A site can be non-centred when its distribution declares a standard variate (`standard`, `from_standard`) and one of the parameters
 * that move the variate depends on another unknown.  Here such sites are found and marked.  Whether one had better stay centred is
 * measured on the bound model (vm/pilot.h), and then told to a second build by a verdict.  Nothing else of the model is touched:
 * densities on the support, samplers and outputs are those of x. */
#ifndef AIM_COMPILER_CENTRE_H
#define AIM_COMPILER_CENTRE_H

#include "compiler/ir.h"
#include "lang/diag.h"

/* What is known about sites by name.  The statement's lists come first, then what was measured. */
typedef struct centre_names {
  const char *const *centred, *const *noncentred;
  size_t ncentred, nnoncentred;
  const char *const *measured; /* to stay centred */
  size_t nmeasured;
  bool named_only;             /* what is not named by noncentred stays centred */
} centre_names;

/* Marks the draws and sites of `model` that become standard variates (ir_tilde.standard, ir_site.standard): all that can be, but those
 * that names keep centred.  False after a diagnostic: a name that is not an unknown, or that cannot be non-centred. */
bool centre_mark(ir_module *m, ir_fn *model, const centre_names *names, diag_list *diags);

/* The site is left to measurement: marked, and not because a statement says so. */
bool centre_is_open(const centre_names *names, const ir_site *site);

#endif
