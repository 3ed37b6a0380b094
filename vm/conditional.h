/* conditional.h: steps of a walker (mh_walk.h) that draw an element from its distribution given everything else, or leave that distribution as
 * it is: what Gibbs sampling is made of.
 *
 *   finite             drawn exactly: the log weight of each value, then one of them in proportion
 *   conjugate          drawn exactly from its natural parameters, @natural.<site>, where the compiler found a family (conjugate.h)
 *   real, bounds       slice sampling (slice.h) on the unconstrained scale, Jacobian included
 *   vectors, matrices  the same along each unconstrained coordinate of one event, taken to the support by @point.<site>
 *   integers           slice sampling of floor(y), where y is uniform on [x, x + 1)
 *
 * Slices begin with a width that is learnt for each coordinate while `gain` is positive: the mean length of the slice, for which 3 |d| is an
 * unbiased estimate when d is the distance of two independent uniform points of it.
 *
 * Random numbers.  An exact draw has the address (sweep, site, element); the uniforms of a slice have (sweep and element, coordinate, their number). */
#ifndef AIM_VM_CONDITIONAL_H
#define AIM_VM_CONDITIONAL_H

#include "vm/mh_walk.h"

/* Number of values of an element of a finite site, 0 when there are more than MH_MOST_STATES; and the k-th, from 0. */
size_t mh_states(const mh_element *x);
int64_t mh_state(const mh_element *x, size_t k);
/* Log weights lw [mh_states] of the values given everything else in the frame, up to a constant; what is no number is -inf.  The element holds its last
 * value afterwards.  *was: the score of the value that it held. */
bool mh_weights(mh_walk *c, const mh_element *x, double *lw /* OUT */, mh_score *was /* OUT */);

/* mh_step */
bool mh_step_finite(mh_walk *c, const mh_element *x); /* where mh_states is not 0 */
bool mh_step_slice(mh_walk *c, const mh_element *x);  /* of any element; finite ones as above */

#endif
