/* initial.h: where chains and maximisations begin on the unconstrained space. */
#ifndef AIM_VM_INITIAL_H
#define AIM_VM_INITIAL_H

#include "stdlib/runtime/rt_sample.h"

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

#endif
