/* diagnose.c: moments, quantiles, R-hat, effective sample sizes and Monte Carlo standard errors; see diagnose.h.
 *
 * All of it rests on one sort of the pooled draws.  Ranks of the split chains, quantiles, and (by merging from the median outwards)
 * ranks of the folded draws follow in linear time. */
#include "vm/diagnose.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"
#include "vm/autocov.h"

#include <math.h>
#include <stdbool.h>

/* Quantiles of a normal at -1 and +1 standard deviations, as the paper's appendix on quantile MCSE takes them. */
#define PHI_MINUS_1 0.1586553
#define PHI_PLUS_1 0.8413447
#define MAD_TO_SD 1.4826
/* Draws that spread less than this fraction of their size differ by rounding. */
#define CONSTANT_TO 1e-12

/* A draw and where it stands in the split chains; DROPPED for the middle draw of an odd number. */
typedef struct ranked {
  double x;
  size_t at;
} ranked;
#define DROPPED SIZE_MAX

typedef struct work {
  const rt_kernels *k;
  size_t m, n;      /* split chains and their length */
  size_t total;     /* pooled draws, with those that splitting drops */
  double *split;    /* [m][n] */
  double *z;        /* [m][n] scratch: what an effective size is taken of; centred by it */
  double *scratch;  /* [max(m, n)] */
  ranked *sorted;   /* [total] */
  ranked *other;    /* [total] scratch of the sort, then the folded order */
  double *autocov;
} work;

static size_t max_size(size_t a, size_t b) {
  return a > b ? a : b;
}

size_t diagnose_doubles(size_t chains, size_t draws) {
  if (chains == 0 || draws == 0 || draws > SIZE_MAX / 1024 || chains > SIZE_MAX / 1024 / draws) return 0;
  size_t each = sizeof(ranked) / sizeof(double), total = chains * draws;
  return 2 * each * total + 2 * total + max_size(2 * chains, draws) + autocov_doubles(draws / 2);
}

const char *diagnose_fault_text(diagnose_fault f) {
  switch (f) {
  case DIAGNOSE_FEW: return "there are fewer than 4 draws in a chain";
  case DIAGNOSE_NONFINITE: return "some draws are infinite or not a number";
  case DIAGNOSE_CONSTANT: return "all draws are equal";
  default: return "";
  }
}

/* Stable merge sort, bottom up; the result is in w->sorted. */
static void sort_draws(work *w) {
  ranked *from = w->sorted, *to = w->other;
  for (size_t width = 1; width < w->total; width *= 2) {
    for (size_t lo = 0; lo < w->total; lo += 2 * width) {
      size_t mid = lo + width < w->total ? lo + width : w->total, hi = mid + width < w->total ? mid + width : w->total;
      size_t i = lo, j = mid;
      for (size_t k = lo; k < hi; k++) to[k] = i < mid && (j == hi || from[i].x <= from[j].x) ? from[i++] : from[j++];
    }
    ranked *t = from;
    from = to;
    to = t;
  }
  w->sorted = from;
  w->other = to;
}

/* Lays out the workspace, splits the chains and sorts. */
static diagnose_fault prepare(work *w, const diagnose_draws *d, double *memory) {
  if (d->chains == 0 || d->draws < 4) return DIAGNOSE_FEW;
  size_t n = d->draws / 2, total = d->chains * d->draws;
  *w = (work){.k = rt_kernels_for(0), .m = 2 * d->chains, .n = n, .total = total};
  w->sorted = (ranked *)memory;
  w->other = w->sorted + total;
  w->split = (double *)(w->other + total);
  w->z = w->split + total;
  w->scratch = w->z + total;
  w->autocov = w->scratch + max_size(w->m, d->draws);
  double least = INFINITY, most = -INFINITY;
  for (size_t c = 0, k = 0; c < d->chains; c++)
    for (size_t i = 0; i < d->draws; i++, k++) {
      double x = d->x[c * d->chain_stride + i * d->draw_stride];
      if (!isfinite(x)) return DIAGNOSE_NONFINITE;
      if (x < least) least = x;
      if (x > most) most = x;
      size_t late = d->draws - n;
      size_t at = i < n ? 2 * c * n + i : i >= late ? (2 * c + 1) * n + (i - late) : DROPPED;
      if (at != DROPPED) w->split[at] = x;
      w->sorted[k] = (ranked){x, at};
    }
  if (most - least <= CONSTANT_TO * fmax(fabs(least), fabs(most))) return DIAGNOSE_CONSTANT;
  sort_draws(w);
  return DIAGNOSE_OK;
}

static double mean_of(const work *w, const double *x, size_t n) {
  return w->k->sum(x, (ptrdiff_t)n) / (double)n;
}

/* With divisor m - 1; m is small. */
static double variance_small(const double *x, size_t m) {
  double mean = 0.0, s = 0.0;
  for (size_t i = 0; i < m; i++) mean += x[i];
  mean /= (double)m;
  for (size_t i = 0; i < m; i++) s += (x[i] - mean) * (x[i] - mean);
  return s / (double)(m - 1);
}

/* Subtracts from each series of w->z its mean, and leaves the means in w->scratch. */
static void centre(work *w) {
  for (size_t c = 0; c < w->m; c++) {
    double *z = w->z + c * w->n, mean = mean_of(w, z, w->n);
    for (size_t i = 0; i < w->n; i++) z[i] -= mean;
    w->scratch[c] = mean;
  }
}

/* R-hat of w->z, which is then centred. */
static double rhat_of(work *w) {
  centre(w);
  double between = (double)w->n * variance_small(w->scratch, w->m);
  double within = w->k->dot(w->z, 1, w->z, 1, (ptrdiff_t)(w->m * w->n)) / (double)w->m / (double)(w->n - 1);
  /* Chains that stand still at different values; a mean of equal numbers may be rounded. */
  if (between > 0.0 && within <= 1e-24 * between) return INFINITY;
  return within > 0.0 ? sqrt((between / within + (double)(w->n - 1)) / (double)w->n) : NAN;
}

/* Effective sample size of the mean of w->z, which may be centred already; NaN if it is constant.  Geyer 1992: autocorrelations are
 * summed in pairs (even lag, odd lag) while a pair is positive, no pair counting more than the one before it; the last positive even
 * lag counts once.  Capped at S log10 S, for antithetic chains. */
static double ess_of(work *w, const double *means) {
  size_t n = w->n;
  double between = variance_small(means, w->m);
  autocov a;
  autocov_init(&a, w->z, w->m, n, w->autocov);
  double within = autocov_at(&a, 0) * (double)n / (double)(n - 1);
  double var_plus = autocov_at(&a, 0) + between;
  if (!(within > 0.0)) return NAN;
  double even = 1.0, odd = 1.0 - (within - autocov_at(&a, 1)) / var_plus;
  double sum = 0.0, last = INFINITY, tail = even;
  for (size_t t = 1; t + 3 < n && even + odd > 0.0; t += 2) {
    double pair = even + odd;
    last = pair < last ? pair : last;
    sum += last;
    even = 1.0 - (within - autocov_at(&a, t + 1)) / var_plus;
    odd = 1.0 - (within - autocov_at(&a, t + 2)) / var_plus;
    tail = even > 0.0 || even + odd >= 0.0 ? even : 0.0;
  }
  double size = (double)w->m * (double)n;
  double tau = -1.0 + 2.0 * sum + tail;
  double least = 1.0 / log10(size);
  return size / (tau > least ? tau : least);
}

static double ess_centred(work *w) {
  centre(w);
  return ess_of(w, w->scratch);
}

/* Normal scores of the ranks of split draws that `order` holds in rising order, to w->z.  Ties share their mean rank. */
static void scores_set(work *w, const ranked *order) {
  double size = (double)(w->m * w->n);
  size_t rank = 0;
  for (size_t i = 0; i < w->total;) {
    size_t j = i, kept = 0;
    for (; j < w->total && order[j].x == order[i].x; j++) kept += order[j].at != DROPPED;
    double mean_rank = (double)rank + 0.5 * (double)(kept + 1);
    double share = (mean_rank - 0.375) / (size + 0.25);
    for (; i < j; i++)
      if (order[i].at != DROPPED) w->z[order[i].at] = share;
    rank += kept;
  }
  w->k->un[RT_INV_PHI](w->z, w->z, (ptrdiff_t)(w->m * w->n));
}

/* Orders |x - centre| by merging outwards from the centre, to w->other. */
static void fold(work *w, double centre_at) {
  size_t hi = 0;
  while (hi < w->total && w->sorted[hi].x < centre_at) hi++;
  size_t lo = hi;
  for (size_t k = 0; k < w->total; k++) {
    double below = lo > 0 ? fabs(w->sorted[lo - 1].x - centre_at) : INFINITY;
    double above = hi < w->total ? fabs(w->sorted[hi].x - centre_at) : INFINITY;
    bool take_below = lo > 0 && below <= above;
    w->other[k] = take_below ? (ranked){below, w->sorted[--lo].at} : (ranked){above, w->sorted[hi++].at};
  }
}

static double median_of(const ranked *order, size_t n) {
  return n % 2 ? order[n / 2].x : (order[n / 2 - 1].x + order[n / 2].x) / 2.0;
}

/* The median of the draws that splitting keeps. */
static double median_split(const work *w) {
  size_t kept = w->m * w->n, seen = 0;
  double low = NAN;
  for (size_t i = 0; i < w->total; i++) {
    if (w->sorted[i].at == DROPPED) continue;
    if (++seen == kept / 2) low = w->sorted[i].x;
    if (seen == kept / 2 + 1) return (low + w->sorted[i].x) / 2.0;
  }
  return low;
}

static double quantile_of(const work *w, double prob) {
  double n = (double)w->total, at = n * prob + (1.0 - prob);
  double k = floor(at < 1.0 ? 1.0 : at > n - 1.0 ? n - 1.0 : at), gamma = at - k;
  gamma = gamma < 0.0 ? 0.0 : gamma > 1.0 ? 1.0 : gamma;
  size_t i = (size_t)k;
  return (1.0 - gamma) * w->sorted[i - 1].x + gamma * w->sorted[i].x;
}

static double rhat_rank(work *w) {
  scores_set(w, w->sorted);
  double bulk = rhat_of(w);
  fold(w, median_split(w));
  scores_set(w, w->other);
  double tail = rhat_of(w); /* NaN where the folded draws are constant, as those of a fair coin */
  return tail > bulk ? tail : bulk;
}

static double ess_quantile(work *w, double quantile) {
  for (size_t i = 0; i < w->m * w->n; i++) w->z[i] = w->split[i] <= quantile ? 1.0 : 0.0;
  return ess_centred(w);
}

/* The smaller; one that is NaN (an indicator that never changes, with discrete draws) is passed over. */
static double min_known(double a, double b) {
  return isnan(a) || b < a ? b : a;
}

/* I_x(a, b) by its continued fraction (Abramowitz and Stegun 26.5.8), evaluated as by Lentz; x below the mean, where it converges fast. */
static double beta_below_mean(double x, double a, double b, double log_beta) {
  const double tiny = 1e-300;
  double f = 1.0, c = 1.0, d = 0.0;
  for (int i = 0; i <= 10000; i++) {
    double m = i / 2;
    double num = i == 0     ? 1.0
                 : i % 2    ? -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
                            : m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
    d = 1.0 + num * d;
    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    c = 1.0 + num / c;
    if (fabs(c) < tiny) c = tiny;
    f *= c * d;
    if (fabs(1.0 - c * d) < 1e-14) break;
  }
  return exp(a * log(x) + b * log1p(-x) - log_beta) / a * (f - 1.0);
}

static double beta_cdf(double x, double a, double b, double log_beta) {
  if (x <= 0.0) return 0.0;
  if (x >= 1.0) return 1.0;
  return x < (a + 1.0) / (a + b + 2.0) ? beta_below_mean(x, a, b, log_beta) : 1.0 - beta_below_mean(1.0 - x, b, a, log_beta);
}

/* Newton's steps from the mean, within a bracket: the mean is near where p is of one standard deviation, and a step that leaves the bracket halves it instead. */
static double beta_quantile(double p, double a, double b) {
  double log_beta = rt_lgamma(a) + rt_lgamma(b) - rt_lgamma(a + b), lo = 0.0, hi = 1.0, x = a / (a + b);
  for (int i = 0; i < 60 && hi - lo > 1e-15; i++) {
    const double above = beta_cdf(x, a, b, log_beta) - p;
    *(above < 0 ? &lo : &hi) = x;
    const double step = above / exp((a - 1.0) * log(x) + (b - 1.0) * log1p(-x) - log_beta);
    if (fabs(step) <= 4e-16 * x) break;
    x -= step;
    if (!(x > lo && x < hi)) x = 0.5 * (lo + hi);
  }
  return x;
}

/* Half the distance between the draws at the ranks that the quantile's sampling distribution, Beta(ESS p + 1, ESS (1 - p) + 1), has one
 * standard deviation below and above. */
static double mcse_quantile(work *w, double prob, double ess) {
  if (isnan(ess)) return NAN;
  double a = ess * prob + 1.0, b = ess * (1.0 - prob) + 1.0, size = (double)w->total;
  double lo = floor(beta_quantile(PHI_MINUS_1, a, b) * size - 1.0), hi = ceil(beta_quantile(PHI_PLUS_1, a, b) * size - 1.0);
  if (lo < 0.0) lo = 0.0;
  if (hi > size - 1.0) hi = size - 1.0;
  return (w->sorted[(size_t)hi].x - w->sorted[(size_t)lo].x) / 2.0;
}

/* Mean, sd, and their errors.  The error of the sd is that of the mean of (x - mean)^2, by the delta method. */
static void moments(work *w, const diagnose_draws *d, diagnose_summary *out) {
  size_t kept = w->m * w->n;
  for (size_t c = 0; c < d->chains; c++) {
    for (size_t i = 0; i < d->draws; i++) w->z[i] = d->x[c * d->chain_stride + i * d->draw_stride];
    w->scratch[c] = mean_of(w, w->z, d->draws);
  }
  double mean = 0.0;
  for (size_t c = 0; c < d->chains; c++) mean += w->scratch[c];
  mean /= (double)d->chains;

  for (size_t i = 0; i < w->total; i++) w->z[i] = (w->sorted[i].x - mean) * (w->sorted[i].x - mean);
  double square = mean_of(w, w->z, w->total);
  for (size_t i = 0; i < w->total; i++) w->z[i] *= w->z[i];
  double fourth = mean_of(w, w->z, w->total);
  out->mean = mean;
  out->sd = sqrt(square * (double)w->total / (double)(w->total - 1));

  for (size_t i = 0; i < kept; i++) w->z[i] = w->split[i];
  out->mcse_mean = out->sd / sqrt(ess_centred(w));
  for (size_t i = 0; i < kept; i++) w->z[i] = (w->split[i] - mean) * (w->split[i] - mean);
  out->mcse_sd = sqrt((fourth - square * square) / ess_centred(w) / square / 4.0);
}

diagnose_fault diagnose_summarise(const diagnose_draws *d, double *memory, diagnose_summary *out) {
  *out = (diagnose_summary){.mean = NAN, .sd = NAN, .median = NAN, .mad = NAN, .q5 = NAN, .q95 = NAN, .rhat = NAN, .ess_bulk = NAN,
                            .ess_tail = NAN, .mcse_mean = NAN, .mcse_sd = NAN, .mcse_q5 = NAN, .mcse_median = NAN, .mcse_q95 = NAN};
  work w;
  out->fault = prepare(&w, d, memory);
  if (out->fault == DIAGNOSE_CONSTANT) {
    out->mean = out->median = out->q5 = out->q95 = d->x[0];
    out->sd = out->mad = 0.0;
  }
  if (out->fault) return out->fault;
  moments(&w, d, out);
  out->median = median_of(w.sorted, w.total);
  out->q5 = quantile_of(&w, 0.05);
  out->q95 = quantile_of(&w, 0.95);
  fold(&w, out->median);
  out->mad = MAD_TO_SD * median_of(w.other, w.total);

  out->rhat = rhat_rank(&w);
  scores_set(&w, w.sorted);
  out->ess_bulk = ess_centred(&w);
  double low = ess_quantile(&w, out->q5), middle = ess_quantile(&w, out->median), high = ess_quantile(&w, out->q95);
  out->ess_tail = min_known(low, high);
  out->mcse_q5 = mcse_quantile(&w, 0.05, low);
  out->mcse_median = mcse_quantile(&w, 0.5, middle);
  out->mcse_q95 = mcse_quantile(&w, 0.95, high);
  return DIAGNOSE_OK;
}

double diagnose_rhat(const diagnose_draws *d, double *memory) {
  work w;
  return prepare(&w, d, memory) ? NAN : rhat_rank(&w);
}

double diagnose_ess_bulk(const diagnose_draws *d, double *memory) {
  work w;
  if (prepare(&w, d, memory)) return NAN;
  scores_set(&w, w.sorted);
  return ess_centred(&w);
}

double diagnose_ess_tail(const diagnose_draws *d, double *memory) {
  work w;
  if (prepare(&w, d, memory)) return NAN;
  return min_known(ess_quantile(&w, quantile_of(&w, 0.05)), ess_quantile(&w, quantile_of(&w, 0.95)));
}

double diagnose_ess_mean(const diagnose_draws *d, double *memory) {
  work w;
  if (prepare(&w, d, memory)) return NAN;
  for (size_t i = 0; i < w.m * w.n; i++) w.z[i] = w.split[i];
  return ess_centred(&w);
}

double diagnose_ess_quantile(const diagnose_draws *d, double prob, double *memory) {
  work w;
  return prepare(&w, d, memory) ? NAN : ess_quantile(&w, quantile_of(&w, prob));
}

double diagnose_ebfmi(const double *energy, size_t n, size_t stride) {
  if (n < 2) return NAN;
  double mean = 0.0, steps = 0.0, square = 0.0;
  for (size_t i = 0; i < n; i++) mean += energy[i * stride];
  mean /= (double)n;
  for (size_t i = 0; i < n; i++) {
    double e = energy[i * stride] - mean;
    square += e * e;
    if (i > 0) {
      double step = energy[i * stride] - energy[(i - 1) * stride];
      steps += step * step;
    }
  }
  double ratio = steps / (double)(n - 1) / (square / (double)(n - 1));
  return isfinite(ratio) ? ratio : NAN;
}
