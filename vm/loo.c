/* loo.c: PSIS-LOO and WAIC from pointwise log likelihoods (loo.h). */
#include "vm/loo.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"
#include "vm/diagnose.h"
#include "vm/psis.h"

#include <math.h>
#include <stdint.h>

size_t loo_doubles(size_t chains, size_t draws) {
  size_t n = chains && draws <= SIZE_MAX / 64 / chains ? chains * draws : SIZE_MAX, a = n == SIZE_MAX ? 0 : psis_doubles(n), b = diagnose_doubles(chains, draws);
  return a && b ? 2 * n + (a > b ? a : b) : 0;
}

/* The efficiency of the draws for the mean of exp(log likelihood), at most 1 as far as the tail's length goes by it. */
static double efficiency_of(const double *ll, size_t chains, size_t draws, double *x, double *work) {
  const size_t n = chains * draws;
  double top = -(double)INFINITY;
  for (size_t i = 0; i < n; i++) top = ll[i] > top ? ll[i] : top;
  for (size_t i = 0; i < n; i++) x[i] = ll[i] - top;
  rt_kernels_for(0)->un[RT_EXP](x, x, (ptrdiff_t)n);
  diagnose_draws d = {.x = x, .chains = chains, .draws = draws, .chain_stride = draws, .draw_stride = 1};
  double ess = diagnose_ess_mean(&d, work);
  return ess > 0 ? fmin(ess / (double)n, 1) : 1;
}

void loo_observe(const double *loglik, size_t chains, size_t draws, size_t stride, double efficiency, double *work, loo_point *out) {
  const size_t n = chains * draws;
  double *ll = work, *x = work + n, *rest = work + 2 * n, mean = 0, squares = 0;
  for (size_t c = 0; c < chains; c++)
    for (size_t i = 0; i < draws; i++) ll[c * draws + i] = loglik[c * stride + i];
  *out = (loo_point){.efficiency = isnan(efficiency) ? efficiency_of(ll, chains, draws, x, rest) : efficiency};
  out->lppd = psis_log_sum_exp(ll, n) - rt_log((double)n);
  for (size_t i = 0; i < n; i++) mean += ll[i] / (double)n;
  for (size_t i = 0; i < n; i++) squares += (ll[i] - mean) * (ll[i] - mean);
  out->p_waic = squares / ((double)n - 1);
  out->waic = out->lppd - out->p_waic;
  for (size_t i = 0; i < n; i++) x[i] = -ll[i];
  out->k = psis_smooth(x, n, out->efficiency, rest);
  for (size_t i = 0; i < n; i++) x[i] += ll[i];
  out->elpd = isnan(out->k) ? (double)NAN : psis_log_sum_exp(x, n);
}

typedef double part(const loo_point *p);
static double elpd(const loo_point *p) { return p->elpd; }
static double excess(const loo_point *p) { return p->lppd - p->elpd; }
static double waic(const loo_point *p) { return p->waic; }
static double variance(const loo_point *p) { return p->p_waic; }

static void add_up(const loo_point *p, size_t n, part *of, double *sum, double *se) {
  double s = 0, squares = 0;
  for (size_t i = 0; i < n; i++) s += of(&p[i]);
  const double mean = s / (double)n;
  for (size_t i = 0; i < n; i++) squares += (of(&p[i]) - mean) * (of(&p[i]) - mean);
  *sum = s;
  *se = sqrt((double)n * squares / ((double)n - 1));
}

void loo_sum(const loo_point *p, size_t n, size_t total_draws, loo_total *out) {
  *out = (loo_total){.n = n, .threshold = psis_threshold(total_draws), .max_k = -(double)INFINITY};
  add_up(p, n, elpd, &out->elpd, &out->elpd_se);
  add_up(p, n, excess, &out->p, &out->p_se);
  add_up(p, n, waic, &out->waic, &out->waic_se);
  add_up(p, n, variance, &out->p_waic, &out->p_waic_se);
  for (size_t i = 0; i < n; i++) {
    out->n_bad += !(p[i].k <= out->threshold);
    out->n_high += !(p[i].p_waic <= 0.4);
    if (!(p[i].k <= out->max_k)) out->max_k = p[i].k;
  }
}
