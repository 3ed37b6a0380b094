/* initial.h: where chains and maximisations begin on the unconstrained space. */
#ifndef AIM_VM_INITIAL_H
#define AIM_VM_INITIAL_H

#include "stdlib/runtime/rt_sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Try k of a random initial point: each coordinate of q [dim] uniform on (-radius, radius). */
static inline void initial_point(uint64_t key, uint32_t k, double radius, size_t dim, double *q) {
  rt_draw_addr at = {key, k, 0};
  for (size_t i = 0; i < dim; i++) {
    at.index = i;
    q[i] = radius * (2.0 * rt_draw_uniform(at) - 1.0);
  }
}

/* As nuts_density of nuts_chain.h. */
typedef int initial_density(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad);

typedef struct initial_search {
  uint64_t key;
  double radius;  /* paths begin uniformly on (-radius, radius)^dim */
  uint32_t paths; /* at least 1 */
} initial_search;

/* A point by multi-path Pathfinder (pathfinder.h): draws of the normal approximations of several paths, of which one is chosen by its importance
 * weight, so that a mode of little mass, which some paths may end in, is seldom begun in.  False: no path found an approximation, or
 * density returned other than 0.
 * work [initial_search_doubles(dim)], 0 of which says that dim is too large; q [dim] */
size_t initial_search_doubles(size_t dim);
bool initial_find(const initial_search *o, size_t dim, initial_density *density, void *user, double *work, double *q);

#endif
