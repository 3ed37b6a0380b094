/* run_weights.c: what importance weights say of an approximation that proposed draws (run.h). */
#include "vm/run.h"

#include "vm/psis.h"

#include "stdlib/runtime/rt_math.h"

#include <math.h>
#include <string.h>

void run_weights(run *r, double *logw, size_t n) {
  /* Impossible points have weight 0 and no part in the tail. */
  double *some = ARENA_ARRAY(r->mem, double, n), *work = ARENA_ARRAY(r->mem, double, psis_doubles(n));
  size_t m = 0;
  for (size_t k = 0; k < n; k++)
    if (isfinite(logw[k])) some[m++] = logw[k];
  r->weight_k = m ? psis_smooth(some, m, 1.0, work) : INFINITY;
  r->weight_draws = n;
  double top = -INFINITY, sum = 0.0, squares = 0.0;
  for (size_t k = 0, i = 0; k < n; k++) {
    logw[k] = isfinite(logw[k]) ? some[i++] : -INFINITY;
    if (logw[k] > top) top = logw[k];
  }
  for (size_t k = 0; k < n; k++) {
    const double w = rt_exp(logw[k] - top);
    sum += w;
    squares += w * w;
  }
  r->weight_top = top;
  r->weight_sum = top > -INFINITY ? sum : 0.0;
  r->weight_ess = top > -INFINITY ? sum * sum / squares : 0.0;
}
