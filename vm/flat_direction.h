/* flat_direction.h: a posterior without an end: unknowns with flat priors that can move together, in fixed proportions, and leave the density as it is, as a and b of a + b. */
#ifndef AIM_VM_FLAT_DIRECTION_H
#define AIM_VM_FLAT_DIRECTION_H

#include "vm/eval.h"

enum { FLAT_MOST = 64 }; /* unknowns that are looked at; with more nothing is said */

typedef struct flat_direction {
  size_t n;                 /* 0: none was found */
  size_t at[FLAT_MOST];     /* coordinates of the unconstrained point that move */
  double by[FLAT_MOST];     /* in these proportions, of which the largest is 1 */
} flat_direction;

/* The gradient g at random points is orthogonal to a direction v along which the density never changes, and generically to no other.  So v is an eigenvector of the sum of g g'
 * with the eigenvalue 0, and is held against every g.  Takes 2 n + 8 gradients for n unbounded unknowns with Flat() priors.  Where memory is short, or the density is not finite
 * near 0, nothing is found. */
void flat_direction_find(const eval_model *m, const aim_alloc *alloc, flat_direction *out);

#endif
