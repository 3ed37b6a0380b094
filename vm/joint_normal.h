/* joint_normal.h: draws of a whole array from a multivariate normal conditional (derive.h, @joint).
 *
 * The log density is b'x - x'Q x / 2 + const in the array x, so its gradient is b - Q x: b is the gradient at 0, and column j of Q what it loses at the unit vector e_j.  With Q = L L'
 * a draw is x = L'^-1 (L^-1 b + z), z standard normal: mean Q^-1 b, covariance Q^-1.  It costs one gradient for each element and one more, and a Cholesky factor. */
#ifndef AIM_VM_JOINT_NORMAL_H
#define AIM_VM_JOINT_NORMAL_H

#include "vm/mh_walk.h"

/* Doubles of memory for n elements. */
static inline size_t joint_normal_doubles(size_t n) { return n * n + 2 * n; }
/* b [n] and Q [n][n] (symmetric) of the site's conditional; the frame's array is changed.  False with c->status. */
bool joint_normal_form(mh_walk *c, size_t site, double *b, double *Q);
/* Draws the site.  *drawn: its precision is positive definite; where a prior is improper it may not be, and the site is as it was. */
bool joint_normal_draw(mh_walk *c, size_t site, bool *drawn);

#endif
