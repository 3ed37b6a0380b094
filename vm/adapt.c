/* adapt.c: dual averaging of the step size and windowed moments; see adapt.h. */
#include "vm/adapt.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"

#include <math.h>
#include <stdint.h>

/* Shares of a cost that what few draws say has to beat: of single gradients, of directions (adapt.h). */
#define FISHER_SHARE 0.8
#define FACTOR_SHARE 0.8
/* Of what gradients cost, for learning. */
#define LEARNING_SHARE (1.0 / 7.0)

enum { INIT_BUFFER = 75, TERM_BUFFER = 50, BASE_WINDOW = 25, LEAST_WARMUP = 20, FISHER_EARLY = 10, FISHER_LATE = 80, STEP_FLOPS = 300 };

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

static bool keeps_draws(adapt_kind kind) { return kind == ADAPT_LOWRANK || kind == ADAPT_AUTO; }
static bool learns(adapt_kind kind, size_t dim, metric_form form) {
  return kind == ADAPT_AUTO ? metric_doubles(form, dim) != 0 : kind == ADAPT_LOWRANK && form == METRIC_LOWRANK;
}

size_t adapt_metric_doubles(size_t dim, adapt_kind kind) {
  if (dim > SIZE_MAX / sizeof(double) / 8192) return 0;
  switch (kind) {
  case ADAPT_DIAGONAL: return 2 * dim;
  case ADAPT_FISHER: return 8 * dim;
  case ADAPT_DENSE: return dim > 0 && 2 * dim + 1 > SIZE_MAX / sizeof(double) / dim ? 0 : dim * (2 * dim + 1);
  default: break;
  }
  size_t n = metric_window_doubles(dim) + metric_scratch(dim);
  for (int k = 0; k < METRIC_FORMS; k++)
    if (learns(kind, dim, (metric_form)k)) n += metric_doubles((metric_form)k, dim);
  return n;
}

static void window_restart(adapt_metric *a) {
  if (keeps_draws(a->kind)) {
    metric_window_restart(&a->draws);
    return;
  }
  size_t n = a->kind == ADAPT_FISHER ? 2 * a->dim : a->dim, n2 = a->kind == ADAPT_DENSE ? a->dim * a->dim : n;
  a->n = 0.0;
  for (size_t i = 0; i < n; i++) a->mean[i] = 0.0;
  for (size_t i = 0; i < n2; i++) a->m2[i] = 0.0;
}

void adapt_metric_init(adapt_metric *a, adapt_kind kind, size_t dim, uint32_t n_warmup, double *memory) {
  *a = (adapt_metric){.kind = kind, .dim = dim, .mean = memory, .m2 = memory + (kind == ADAPT_FISHER ? 2 * dim : dim)};
  if (kind == ADAPT_FISHER) {
    a->mean_front = memory + 4 * dim;
    a->m2_front = memory + 6 * dim;
    for (size_t i = 0; i < 4 * dim; i++) a->mean_front[i] = 0.0;
  }
  if (kind == ADAPT_DENSE) a->L = a->m2 + dim * dim;
  if (keeps_draws(kind)) {
    metric_window_init(&a->draws, dim, memory);
    a->scratch = memory += metric_window_doubles(dim);
    memory += metric_scratch(dim);
    for (int k = 0; k < METRIC_FORMS; k++) {
      if (!learns(kind, dim, (metric_form)k)) continue;
      a->form[k].memory = memory;
      memory += metric_doubles((metric_form)k, dim);
    }
  }
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
  window_restart(a);
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

/* Welford's update of means and sums of squares by the n-th vector. */
static void variances_push(size_t dim, double n, const double *x, double *mean, double *m2) {
  for (size_t i = 0; i < dim; i++) {
    double d = x[i] - mean[i];
    mean[i] += d / n;
    m2[i] += d * (x[i] - mean[i]);
  }
}

/* The same of the lower triangle of the products.  d d' (n - 1) / n is what the rank one update adds. */
static void covariance_push(size_t dim, double n, const double *x, double *mean, double *m2) {
  double share = (n - 1.0) / n;
  for (size_t i = 0; i < dim; i++) {
    double d = share * (x[i] - mean[i]);
    for (size_t j = 0; j <= i; j++) m2[i * dim + j] += d * (x[j] - mean[j]);
  }
  for (size_t i = 0; i < dim; i++) mean[i] += (x[i] - mean[i]) / n;
}

/* Shrinkage of an estimate from n positions. */
static double shrunk(double n, double estimate, double target) {
  return n / (n + 5.0) * estimate + target * (5.0 / (n + 5.0));
}

static bool positive(double x) { return x > 0.0 && x - x == 0.0; }

static void diagonal_write(const adapt_metric *a, double *inv_metric) {
  for (size_t i = 0; i < a->dim; i++) {
    double v = shrunk(a->n, a->n > 1.0 ? a->m2[i] / (a->n - 1.0) : 0.0, 1e-3);
    if (positive(v)) inv_metric[i] = v;
  }
}

/* The window's sums become the covariance, and that its factor. */
static bool dense_write(adapt_metric *a, adapt_result *out) {
  size_t dim = a->dim;
  for (size_t i = 0; i < dim; i++)
    for (size_t j = 0; j <= i; j++)
      a->m2[i * dim + j] = shrunk(a->n, a->n > 1.0 ? a->m2[i * dim + j] / (a->n - 1.0) : 0.0, i == j ? 1e-3 : 0.0);
  if (rt_kernels_for(0)->cholesky(a->m2, a->m2, (ptrdiff_t)dim)) return false;
  for (size_t i = 0; i < dim * dim; i++)
    if (a->m2[i] - a->m2[i] != 0.0) return false;
  for (size_t i = 0; i < dim * dim; i++) a->L[i] = a->m2[i];
  out->factor = (rt_factor){.dim = dim, .L = a->L};
  return true;
}

/* ---- draws of a window */

static bool form_write(adapt_metric *a, metric_form form, adapt_result *out) {
  if (!metric_learn(&a->form[form], form, &a->draws, a->scratch)) return false;
  const rt_factor *f = &a->form[form].f;
  out->form = form;
  bool diagonal = !f->L && f->rank == 0;
  out->factor = diagonal ? (rt_factor){0} : *f;
  for (size_t i = 0; diagonal && i < a->dim; i++) out->inv_metric[i] = f->scale[i] * f->scale[i];
  return true;
}

/* The form that costs least among those that were learnt before this window. */
static metric_form cheapest(adapt_metric *a) {
  static const double share[METRIC_FORMS] = {[METRIC_DIAGONAL] = 1.0, [METRIC_FISHER] = FISHER_SHARE * FACTOR_SHARE, [METRIC_DENSE] = FACTOR_SHARE, [METRIC_LOWRANK] = FACTOR_SHARE};
  metric_form best = METRIC_LOWRANK;
  double least = INFINITY;
  for (int k = 0; k < METRIC_FORMS; k++) {
    if (a->form[k].f.dim == 0) continue;
    double flops = a->gradient_flops > 0.0 ? rt_factor_flops(&a->form[k].f) / (a->gradient_flops + STEP_FLOPS) : 0.0;
    double cost = metric_misfit(&a->form[k].f, &a->draws, a->scratch) * (1.0 + flops) / share[k];
    if (cost < least || (cost == least && k == METRIC_LOWRANK)) least = cost, best = (metric_form)k;
  }
  return best;
}

/* Whether the window may teach all forms; then that is on the bill. */
static bool affordable(adapt_metric *a) {
  if (!(a->gradient_flops > 0.0)) return true;
  const double cost = a->learning + metric_flops(&a->draws);
  if (cost > LEARNING_SHARE * a->steps * (a->gradient_flops + STEP_FLOPS)) return false;
  a->learning = cost;
  return true;
}

static bool draws_write(adapt_metric *a, adapt_result *out) {
  if (a->kind == ADAPT_AUTO && !affordable(a)) {
    if (a->chosen != METRIC_DIAGONAL) return false;
    metric_window_centre(&a->draws);
    return form_write(a, METRIC_DIAGONAL, out);
  }
  metric_window_close(&a->draws);
  if (a->kind == ADAPT_LOWRANK) return form_write(a, METRIC_LOWRANK, out);
  const metric_form best = cheapest(a);
  for (int k = 0; k < METRIC_FORMS; k++)
    if (a->form[k].memory && k != (int)best && (k != METRIC_DENSE || a->draws.n >= a->dim)) metric_learn(&a->form[k], (metric_form)k, &a->draws, a->scratch);
  /* Diagonal always can; and the form in use may have been learnt anew in its place. */
  if (!form_write(a, best, out) && !form_write(a, METRIC_DIAGONAL, out)) return false;
  a->chosen = out->form;
  return true;
}

static adapt_change windows_update(adapt_metric *a, const double *q, const double *g, adapt_result *out) {
  if (a->at < a->init || a->at >= a->n_warmup - a->term) return ADAPT_SAME;
  a->n++;
  if (keeps_draws(a->kind)) metric_window_push(&a->draws, q, g);
  else if (a->kind == ADAPT_DENSE) covariance_push(a->dim, a->n, q, a->mean, a->m2);
  else variances_push(a->dim, a->n, q, a->mean, a->m2);
  if (a->at != a->window_end) return ADAPT_SAME;
  bool written = true;
  if (keeps_draws(a->kind)) written = draws_write(a, out);
  else if (a->kind == ADAPT_DENSE) written = dense_write(a, out);
  else diagonal_write(a, out->inv_metric);
  if (a->kind == ADAPT_DIAGONAL || a->kind == ADAPT_DENSE) out->form = a->kind == ADAPT_DENSE ? METRIC_DENSE : METRIC_DIAGONAL;
  window_next(a);
  window_restart(a);
  return written ? ADAPT_WINDOW : ADAPT_SAME;
}

static adapt_change fisher_update(adapt_metric *a, const double *q, const double *g, double *inv_metric) {
  uint32_t last = a->n_warmup - a->term;
  if (a->at >= last) return ADAPT_SAME;
  size_t dim = a->dim;
  a->n++;
  a->n_front++;
  variances_push(dim, a->n, q, a->mean, a->m2);
  variances_push(dim, a->n, g, a->mean + dim, a->m2 + dim);
  variances_push(dim, a->n_front, q, a->mean_front, a->m2_front);
  variances_push(dim, a->n_front, g, a->mean_front + dim, a->m2_front + dim);
  bool early = a->at < 0.3 * a->n_warmup, swap = a->n >= (early ? FISHER_EARLY : FISHER_LATE);
  /* The last window is not cut short: what is left joins it. */
  if (swap && !early && last - a->at < FISHER_LATE) swap = false;
  if (swap) {
    double *mean = a->mean_front, *m2 = a->m2_front;
    a->mean_front = a->mean;
    a->m2_front = a->m2;
    a->n_front = a->n;
    a->mean = mean;
    a->m2 = m2;
    window_restart(a);
  }
  if (a->n_front < FISHER_EARLY) return ADAPT_SAME;
  for (size_t i = 0; i < dim; i++) {
    double v = shrunk(a->n_front, __builtin_sqrt(a->m2_front[i] / a->m2_front[dim + i]), 1e-3);
    if (positive(v)) inv_metric[i] = v;
  }
  return swap || a->at + 1 == last ? ADAPT_WINDOW : ADAPT_MOVED;
}

adapt_change adapt_metric_update(adapt_metric *a, const double *q, const double *g, adapt_result *result) {
  if (a->at >= a->n_warmup) return ADAPT_SAME;
  if (a->kind == ADAPT_FISHER) result->form = METRIC_FISHER;
  adapt_change c = a->kind == ADAPT_FISHER ? fisher_update(a, q, g, result->inv_metric) : windows_update(a, q, g, result);
  a->at++;
  return c;
}
