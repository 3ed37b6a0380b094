/* weighted.h: moments of weighted particles, gathered in one pass.
 *
 *     mean = sum w x / sum w
 *     mcse = sqrt(sum w^2 (x - mean)^2) / sum w * sqrt(n / (n - 1))      of a self-normalised mean, by the delta method
 *     sd   = sqrt(sum w (x - mean)^2 / sum w * n / (n - 1))              n = (sum w)^2 / sum w^2
 *
 * (Owen 2013, Monte Carlo theory, methods and examples, eq. 9.9.)  With equal weights these are the moments of a sample and
 * mcse is sd / sqrt(n).  Sums are of differences from a reference, one particle of large weight, so that they lose no digits
 * where values are large and lie close together. */
#ifndef AIM_VM_WEIGHTED_H
#define AIM_VM_WEIGHTED_H

#include <stddef.h>

typedef struct weighted_cell {
  double wx, wxx, wwx, wwxx; /* sums of w d, w d^2, w^2 d, w^2 d^2, with d the difference from the reference */
} weighted_cell;

typedef struct weighted {
  double w, ww;
  size_t n;            /* cells */
  weighted_cell *cell; /* [n], the caller's; all zero at first */
} weighted;

typedef struct weighted_moments {
  double mean, sd, mcse; /* sd and mcse NaN where the particles are worth one or less */
} weighted_moments;

/* Adds a particle: x [n], with a weight of 0 or more, in any unit. */
void weighted_add(weighted *s, double w, const double *reference, const double *x);
/* Adds the sums of another group of particles. */
void weighted_merge(weighted *s, const weighted *other);
weighted_moments weighted_get(const weighted *s, const double *reference, size_t cell);
/* Kish's number of particles of equal weight that these are worth. */
double weighted_ess(const weighted *s);

#endif
