/* conjugate.h: conditionals that can be drawn exactly, found from what @local.<site> is as a function of the element.
 *
 * No pairs of distributions are looked up.  The terms of an element x are written in the basis
 *
 *     x^p (p a multiple of 1/2),  log x,  log(1 - x);    of a simplex  log x[k]
 *
 * with coefficients that do not depend on x, through plates, gathers, guards and choices of data.  If that succeeds and the basis functions left are those of one
 * family, its natural parameters are the coefficients: whatever the likelihoods are, and how they are written.
 *
 *     family       support    basis             conditional
 *     normal       real       x, x^2            Normal(-c1 / (2 c2), 1 / sqrt(-2 c2))
 *     gamma        x > 0      log x, x          Gamma(c1 + 1, rate -c2)
 *     inv_gamma    x > 0      log x, 1/x        InvGamma(-c1 - 1, scale -c2)
 *     beta         0 < x < 1  log x, log(1-x)   Beta(c1 + 1, c2 + 1)
 *     dirichlet    simplex    log x[k]          Dirichlet(c + 1)
 */
#ifndef AIM_COMPILER_CONJUGATE_H
#define AIM_COMPILER_CONJUGATE_H

#include "compiler/ir.h"

typedef enum conjugate_family { CONJ_NONE, CONJ_NORMAL, CONJ_GAMMA, CONJ_INV_GAMMA, CONJ_BETA, CONJ_DIRICHLET } conjugate_family;

const char *conjugate_name(conjugate_family f);

/* @natural.<site>(latents, index...) -> c1, c2; of a dirichlet one array c.  `local` is @local.<site>, inlined.  NULL with *family CONJ_NONE, and a
 * remark that says why, where the conditional is of no family.  Bounds are not looked at: the caller draws so only where they are 0 and infinity, or 0 and 1. */
ir_fn *derive_natural(ir_module *m, const ir_fn *local, const ir_site *site, conjugate_family *family /* OUT */);

/* @naturals.<site>(latents) -> those of all elements: two arrays of the site's shape, of a dirichlet one.  What elements gather by position is summed once for all of them.  natural: @natural.<site>,
 * optimised, of a site with an axis whose elements do not depend on each other. */
ir_fn *derive_naturals(ir_module *m, const ir_fn *natural, const ir_site *site);

#endif
