/* psis.c: Pareto-smoothed importance sampling (psis.h). */
#include "vm/psis.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { FEWEST = 5, BLOCK = 512 };

static size_t grid(size_t n) { return 30 + (size_t)sqrt((double)n); }

size_t psis_doubles(size_t n) {
  /* Two of the whole for sorting; the tail; the grid of the fit. */
  return n > SIZE_MAX / 64 ? 0 : 3 * n + 2 * grid(n) + 8;
}

double psis_threshold(size_t n) { return fmin(1 - 1 / log10((double)n), 0.7); }

double psis_log_sum_exp(const double *x, size_t n) {
  double top = -(double)INFINITY, sum = 0, e[BLOCK];
  for (size_t k = 0; k < n; k++) top = x[k] > top ? x[k] : top;
  if (isinf(top)) return top;
  const rt_kernels *kernels = rt_kernels_for(0);
  for (size_t k = 0; k < n; k += BLOCK) {
    const size_t m = n - k < BLOCK ? n - k : BLOCK;
    for (size_t i = 0; i < m; i++) e[i] = x[k + i] - top;
    kernels->un[RT_EXP](e, e, (ptrdiff_t)m);
    sum += kernels->sum(e, (ptrdiff_t)m);
  }
  return top + rt_log(sum);
}

/* The mean of log(1 - b x): k(b) below. */
static double mean_log(double b, const double *x, size_t n) {
  const rt_kernels *kernels = rt_kernels_for(0);
  double sum = 0, e[BLOCK];
  for (size_t k = 0; k < n; k += BLOCK) {
    const size_t m = n - k < BLOCK ? n - k : BLOCK;
    for (size_t i = 0; i < m; i++) e[i] = -b * x[k + i];
    kernels->un[RT_LOG1P](e, e, (ptrdiff_t)m);
    sum += kernels->sum(e, (ptrdiff_t)m);
  }
  return sum / (double)n;
}

/* With b = k / sigma the profile likelihood of b is l(b) = n (log(-b / k(b)) - k(b) - 1), where k(b) = mean log(1 - b x) in the sign of
 * the source.  The estimate is the mean of b under the weights exp(l) on a grid (their equations 4 to 7). */
void psis_fit(const double *x, size_t n, double *work, double *shape, double *scale) {
  const size_t m = grid(n);
  double *b = work, *l = work + m;
  const double largest = x[n - 1], quartile = x[(size_t)((double)n / 4 + 0.5) - 1];
  for (size_t j = 0; j < m; j++) {
    b[j] = 1 / largest + (1 - sqrt((double)m / ((double)j + 0.5))) / (3 * quartile);
    const double k = mean_log(b[j], x, n);
    l[j] = (double)n * (rt_log(-b[j] / k) - k - 1);
  }
  const double total = psis_log_sum_exp(l, m);
  double mean = 0;
  for (size_t j = 0; j < m; j++) mean += b[j] * rt_exp(l[j] - total);
  const double k = mean_log(mean, x, n);
  *scale = -k / mean;
  *shape = ((double)n * k + 5) / ((double)n + 10); /* as if 10 observations with shape 1/2 had been seen */
}

/* The k-th smallest, from 0, of x [n], which is reordered (Hoare 1961). */
static double select_kth(double *x, size_t n, size_t k) {
  size_t lo = 0, hi = n - 1;
  while (lo < hi) {
    const double pivot = x[k];
    size_t i = lo, j = hi;
    for (;;) {
      while (x[i] < pivot) i++;
      while (pivot < x[j]) j--;
      if (i > j) break;
      const double y = x[i];
      x[i++] = x[j];
      x[j] = y;
      if (j == 0) break;
      j--;
      if (i > j) break;
    }
    if (j < k) lo = i;
    if (k < i) hi = j;
  }
  return x[k];
}

/* Sorts places [n] by the values of x there, by merging; equal values keep their order. */
static void sort_places(const double *x, uint64_t *place, uint64_t *spare, size_t n) {
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t lo = 0; lo < n; lo += 2 * width) {
      size_t mid = lo + width < n ? lo + width : n, hi = mid + width < n ? mid + width : n;
      for (size_t i = lo, j = mid, k = lo; k < hi; k++) spare[k] = j >= hi || (i < mid && x[place[i]] <= x[place[j]]) ? place[i++] : place[j++];
    }
    memcpy(place, spare, n * sizeof *place);
  }
}

double psis_smooth(double *x, size_t n, double efficiency, double *work) {
  double top = -(double)INFINITY, k = (double)INFINITY;
  double least = (double)INFINITY;
  for (size_t i = 0; i < n; i++) {
    if (isnan(x[i]) || x[i] == (double)INFINITY) return (double)NAN;
    top = x[i] > top ? x[i] : top;
    least = x[i] < least ? x[i] : least;
  }
  if (n == 0 || isinf(top)) return (double)NAN;
  for (size_t i = 0; i < n; i++) x[i] -= top;
  if (least == top) k = -(double)INFINITY; /* equal ratios: there is no tail */
  const double wanted = ceil(fmin(0.2 * (double)n, 3 * sqrt((double)n / efficiency)));
  if (wanted >= 1 && wanted < (double)n) {
    memcpy(work, x, n * sizeof *x);
    /* What is above the largest value that is left out, or above the least that a double's exponential has. */
    const double cut = fmax(select_kth(work, n, n - (size_t)wanted - 1), rt_log(DBL_MIN)), base = rt_exp(cut);
    uint64_t *place = (uint64_t *)(void *)work;
    double *tail = work + 2 * n, *fit = work + 3 * n;
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
      if (x[i] > cut) place[m++] = i;
    sort_places(x, place, place + n, m);
    for (size_t i = 0; i < m; i++) tail[i] = rt_exp(x[place[i]]) - base;
    if (m >= FEWEST && tail[m - 1] > tail[0] && tail[0] > 0) {
      double scale;
      psis_fit(tail, m, fit, &k, &scale);
      for (size_t i = 0; i < m && isfinite(k); i++) {
        const double p = ((double)i + 0.5) / (double)m, q = -rt_log1p(-p);
        const double excess = fabs(k) < 1e-12 ? scale * q : scale * rt_expm1(k * q) / k;
        x[place[i]] = fmin(rt_log(excess + base), 0);
      }
    }
  }
  const double total = psis_log_sum_exp(x, n);
  for (size_t i = 0; i < n; i++) x[i] -= total;
  return k;
}
