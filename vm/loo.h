/* loo.h: what a model would predict of each observation had it not seen it, from one run.
 *
 * PSIS-LOO (Vehtari, Gelman and Gabry 2017, Statistics and Computing 27:1413) weighs the draws by 1 / p(y_i | theta); WAIC (Watanabe 2010; the
 * form of the former's equation 12) subtracts the variance of log p(y_i | theta). */
#ifndef AIM_VM_LOO_H
#define AIM_VM_LOO_H

#include <stddef.h>

/* Of one observation. */
typedef struct loo_point {
  double elpd, k, lppd;  /* log predictive density left out; shape of the tail; log predictive density */
  double efficiency;     /* of exp(log likelihood): effective draws over draws */
  double waic, p_waic;   /* lppd - p_waic; variance of the log likelihood */
} loo_point;

typedef struct loo_total {
  size_t n;                          /* observations */
  double elpd, elpd_se, p, p_se;     /* sums over them; se: sqrt(n times the variance over observations) */
  double waic, waic_se, p_waic, p_waic_se;
  size_t n_bad, n_high;              /* k above the threshold; p_waic above 0.4 */
  double threshold, max_k;
} loo_total;

/* Doubles of workspace for chains x draws; 0 if that does not fit. */
size_t loo_doubles(size_t chains, size_t draws);
/* loglik: draw d of chain c is loglik[c * stride + d].  efficiency NAN: estimated from the draws. */
void loo_observe(const double *loglik, size_t chains, size_t draws, size_t stride, double efficiency, double *work, loo_point *out /* OUT */);
void loo_sum(const loo_point *p, size_t n, size_t total_draws, loo_total *out /* OUT */);

#endif
