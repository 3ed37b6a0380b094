/* rt_factor.h: the factor F of a metric M^-1 = F F', as the no-U-turn sampler uses it.
 *
 *   dense     F = L, lower triangular: M^-1 is any covariance
 *   low rank  F = D (I + U' G U), D diagonal, the rows of U orthonormal, G diagonal: M^-1 = D (I + U' ((1 + G)^2 - 1) U) D stretches
 *             space along a few directions, after coordinates have been scaled; of rank 0 it is diagonal
 *
 * A product with F, F', F^-1 or F'^-1 costs 2 dim^2 or 4 rank dim flops. */
#ifndef RT_FACTOR_H
#define RT_FACTOR_H

#include "stdlib/runtime/rt_kernels.h"

#include <stddef.h>

typedef struct rt_factor {
  size_t dim, rank;
  const double *L;     /* [dim][dim] row-major with zeros above a positive diagonal; NULL: low rank */
  const double *scale; /* [dim] of D, positive */
  const double *U;     /* [rank][dim] */
  const double *gain;  /* [rank] of G, above -1 */
} rt_factor;

/* Doubles of scratch that the products need. */
static inline size_t rt_factor_scratch(size_t dim)
{
  return dim;
}

/* Whether all numbers are finite and in their ranges. */
int rt_factor_valid(const rt_factor *f);

/* y = F x, or F' x if trans.  y overlaps neither x nor scratch. */
void rt_factor_times(const rt_kernels *k, const rt_factor *f, int trans, const double *x, double *y, double *scratch);
/* y = F^-1 x, or F'^-1 x if trans. */
void rt_factor_solve(const rt_kernels *k, const rt_factor *f, int trans, const double *x, double *y, double *scratch);

/* Flops of both products of a leapfrog step. */
double rt_factor_flops(const rt_factor *f);

#endif
