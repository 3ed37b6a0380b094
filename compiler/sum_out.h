/* sum_out.h: finite unknowns summed out of a model, and drawn again.
 *
 * From a model two others are made.  In the *collapsed* one the chosen sites are gone: every term that depends on them is left out, and
 * one `factor` adds the log of the sum of the product of these terms over all values of the sites.  The densities of
 * other unknowns that were among those terms leave `Flat` draws behind.  From it come the density, its gradient and what
 * constrains, as they would from any model.  In the *recovery* the sites are predicted: it draws them given all other
 * unknowns, exactly, and its @outputs become the function @recover. */
#ifndef AIM_COMPILER_SUM_OUT_H
#define AIM_COMPILER_SUM_OUT_H

#include "compiler/check.h"

typedef struct sum_out_plan {
  ir_fn *collapsed, *recovery;
  double cells;     /* entries of all tables of one evaluation */
  double widest;    /* of the largest */
  const char *why;  /* there is no such model: the reason, and its place */
  span where;
} sum_out_plan;

/* most_likely: the recovery finds the values of largest density, given the other unknowns, instead.
 * `summed`, by site number, says which latent sites; each must be finite (sum_out_finite).  prepare: @prepare of the model, or NULL.
 * False with out->why where this model is not covered or would cost more than `limit` table entries. */
bool sum_out(ir_module *m, const ir_fn *model, const ir_fn *prepare, const bool *summed, double limit, bool most_likely, sum_out_plan *out);

/* A latent site with a smallest and a largest value. */
bool sum_out_finite(const ir_fn *model, const ir_site *site);

#endif
