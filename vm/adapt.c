/* adapt.c: dual averaging of the step size and windowed variances; see adapt.h. */
#include "vm/adapt.h"

#include "stdlib/runtime/rt_math.h"

#include <stdint.h>

enum { INIT_BUFFER = 75, TERM_BUFFER = 50, BASE_WINDOW = 25, LEAST_WARMUP = 20 };

void adapt_step_init(adapt_step *a, double delta) {
  *a = (adapt_step){.delta = delta, .gamma = 0.05, .t0 = 10.0, .kappa = 0.75};
}

void adapt_step_restart(adapt_step *a, double step_size) {
  a->mu = rt_log(10.0 * step_size);
  a->counter = a->s_bar = 0.0;
  a->x_bar = rt_log(step_size);
}

double adapt_step_update(adapt_step *a, double accept_stat) {
  if (!(accept_stat >= 0.0)) accept_stat = 0.0;
  if (accept_stat > 1.0) accept_stat = 1.0;
  double m = ++a->counter;
  double eta = 1.0 / (m + a->t0);
  a->s_bar = (1.0 - eta) * a->s_bar + eta * (a->delta - accept_stat);
  double x = a->mu - a->s_bar * __builtin_sqrt(m) / a->gamma;
  double x_eta = rt_exp(-a->kappa * rt_log(m)); /* m^-kappa */
  a->x_bar = (1.0 - x_eta) * a->x_bar + x_eta * x; /* the first update has weight 1 and forgets the start */
  return rt_exp(x);
}

double adapt_step_final(const adapt_step *a) {
  return rt_exp(a->x_bar);
}

size_t adapt_metric_doubles(size_t dim) {
  return dim > SIZE_MAX / sizeof(double) / 2 ? 0 : 2 * dim;
}

static void variance_restart(adapt_metric *a) {
  a->n = 0.0;
  for (size_t i = 0; i < a->dim; i++) a->mean[i] = a->m2[i] = 0.0;
}

void adapt_metric_init(adapt_metric *a, size_t dim, uint32_t n_warmup, double *memory) {
  *a = (adapt_metric){.dim = dim, .mean = memory, .m2 = memory + dim};
  if (n_warmup >= LEAST_WARMUP) {
    a->n_warmup = n_warmup;
    a->init = INIT_BUFFER;
    a->term = TERM_BUFFER;
    a->base = BASE_WINDOW;
    if (n_warmup < INIT_BUFFER + BASE_WINDOW + TERM_BUFFER) {
      a->init = (uint32_t)(0.15 * n_warmup);
      a->term = (uint32_t)(0.1 * n_warmup);
      a->base = n_warmup - a->init - a->term;
    }
    a->window = a->base;
    a->window_end = a->init + a->base - 1;
  }
  variance_restart(a);
}

/* The next window is twice as long, and also takes what follows when the one after it would not fit. */
static void window_next(adapt_metric *a) {
  uint64_t last = a->n_warmup - a->term - 1;
  if (a->window_end == last) return;
  uint64_t window = 2 * (uint64_t)a->window, end = a->at + window;
  if (end > last || end + 2 * window > last) end = last;
  a->window = (uint32_t)(window > last ? last : window);
  a->window_end = (uint32_t)end;
}

bool adapt_metric_update(adapt_metric *a, const double *q, double *inv_metric) {
  if (a->at >= a->n_warmup) return false;
  bool inside = a->at >= a->init && a->at < a->n_warmup - a->term;
  if (inside) {
    double n = ++a->n;
    for (size_t i = 0; i < a->dim; i++) {
      double d = q[i] - a->mean[i];
      a->mean[i] += d / n;
      a->m2[i] += d * (q[i] - a->mean[i]);
    }
  }
  bool ends = inside && a->at == a->window_end;
  if (ends) {
    double n = a->n, keep = n / (n + 5.0), add = 1e-3 * (5.0 / (n + 5.0));
    for (size_t i = 0; i < a->dim; i++) {
      double v = n > 1.0 ? keep * (a->m2[i] / (n - 1.0)) + add : add;
      if (v - v == 0.0) inv_metric[i] = v;
    }
    window_next(a);
    variance_restart(a);
  }
  a->at++;
  return ends;
}
