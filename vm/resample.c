/* resample.c: systematic resampling; see resample.h. */
#include "vm/resample.h"

#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_sample.h"

#include <math.h>

void resample(uint64_t key, const double *logw, size_t n, double top, double sum, size_t want, uint64_t *parent) {
  double u = rt_draw_uniform((rt_draw_addr){key, 0, 0}), below = rt_exp(logw[0] - top);
  size_t i = 0, last = 0; /* rounding may leave the last few without a weight of their own */
  for (size_t k = 0; k < want; k++) {
    double at = ((double)k + u) / (double)want * sum;
    while (below <= at && i + 1 < n) below += rt_exp(logw[++i] - top);
    if (logw[i] > -INFINITY) last = i;
    parent[k] = last;
  }
  for (size_t k = want; k > 1; k--) {
    size_t j = (size_t)(rt_draw_uniform((rt_draw_addr){key, 1, k}) * (double)k);
    uint64_t t = parent[k - 1];
    parent[k - 1] = parent[j];
    parent[j] = t;
  }
}
