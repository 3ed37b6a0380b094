/* sampler_check.h: draws of a one-line model, and whether they could come from a law, each with a false alarm of 1e-6: for tests of samplers. */
#ifndef TESTS_SAMPLER_CHECK_H
#define TESTS_SAMPLER_CHECK_H

#include "tests/model_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int draws = 100000;

/* Draws of site x of a one-line model, n of them in one plate; type has a %d for that. */
static inline double *sample(const char *call, const char *type, int n, size_t cells) {
  char text[512], array[128];
  snprintf(array, sizeof array, type, n);
  snprintf(text, sizeof text, "model m() { x: %s ~ %s }", array, call);
  model_run r;
  model_open(&r, text, NULL, NEED_PRIOR);
  assert_int_equal(r.cells, (size_t)n * cells);
  double *x = malloc(r.cells * sizeof *x);
  model_prior(&r, 0x5eed, x);
  model_close(&r);
  return x;
}

/* 99.9999 % of chi-square with k degrees of freedom (Wilson and Hilferty). */
static inline double chi_square_limit(int k) {
  double c = 2.0 / (9.0 * k), z = 1.0 - c + 4.75342430882 * sqrt(c);
  return k * z * z * z;
}

/* Chi-square over cells of at least 10 expected draws, and how many there are. */
static inline double chi_square(const double *want, const double *count, int cells, double n, int *used) {
  double chi = 0.0, w = 0.0, c = 0.0;
  *used = 0;
  for (int k = 0; k < cells; k++) {
    w += want[k] * n;
    c += count[k];
    if (w < 10.0 && k + 1 < cells) continue;
    if (w > 0.0) chi += (c - w) * (c - w) / w;
    else if (c != 0.0) chi = INFINITY;
    ++*used;
    w = c = 0.0;
  }
  return chi;
}

static inline void expect_counts(const char *name, const double *want, const double *count, int cells, double n) {
  int used;
  double chi = chi_square(want, count, cells, n, &used);
  if (used > 1 && chi > chi_square_limit(used - 1)) fail_msg("%s: chi-square %g over %d cells", name, chi, used);
}

/* The twin of every sampler: one draw in five is the lesser of two, which moves the distribution function F by F (1 - F) / 5, 0.05 at the median. */
static inline double *twin_of(const double *x) {
  double *t = malloc((size_t)draws * sizeof *t);
  for (int i = 0; i < draws; i++) t[i] = i % 5 == 0 && i + 1 < draws && x[i + 1] < x[i] ? x[i + 1] : x[i];
  return t;
}

/* Whether x, n of them, are uniform (Kolmogorov-Smirnov, a false alarm of 1e-6). */
static inline bool uniforms(double *x, int n) {
  double worst = 0.0;
  qsort(x, (size_t)n, sizeof *x, by_value);
  for (int i = 0; i < n; i++) worst = fmax(worst, fabs(x[i] - (i + 0.5) / n));
  return worst <= sqrt(log(2e6) / 2.0) / sqrt(n);
}

#endif
