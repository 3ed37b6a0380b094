/* slice.h: one update of one coordinate by slice sampling (Neal 2003, Annals of Statistics 31, 705-767): a level below the density at
 * the current point, an interval found by stepping out (Figure 3), a point of it by shrinkage (Figure 5).
 *
 * Exact for any width > 0; the width decides what it costs.  Of integers take the density of floor(y), y uniform on [x, x + 1). */
#ifndef AIM_VM_SLICE_H
#define AIM_VM_SLICE_H

#include "stdlib/runtime/rt_sample.h"

#include <stdbool.h>

/* The log density at distance d from the current point, up to a constant; -INFINITY is outside, and so is a NaN.  What it does to the point itself is its own
 * affair: after slice_update the last call was at the accepted d.  False ends the update. */
typedef bool slice_density(void *user, double d, double *log_density);

/* The slice is taken to be at most so many widths long (Neal's m), which keeps the update exact and an unbounded slice finite. */
enum { SLICE_MOST_STEPS = 1000 };

/* width: of the first interval; most: m, at least 1.  at->index counts the random numbers used.  *d: how far it went.  False when a density said so. */
bool slice_update(slice_density *f, void *user, double width, int most, rt_draw_addr *at, double *d /* OUT */);

#endif
