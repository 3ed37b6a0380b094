/* test_vm_tails.c: distribution functions that are sums of densities, against sums in long double: far into both tails, with derivatives in closed form.
 *
 * Densities here are products of ratios of neighbours, p(k + 1) / p(k), whose logarithms share nothing with the library's log gamma functions. */
#include "tests/model_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { TERMS = 512 };

typedef long double real;

/* log(sum(exp(l[k]))) for k in from..to, and the mean of each f under these weights. */
static real log_sum(const real *l, int from, int to) {
  real top = -INFINITY, sum = 0;
  for (int k = from; k <= to; k++) top = fmaxl(top, l[k]);
  for (int k = from; k <= to; k++) sum += expl(l[k] - top);
  return from > to ? -INFINITY : top + logl(sum);
}

static real mean(const real *l, const real *f, int from, int to) {
  real all = log_sum(l, from, to), sum = 0;
  for (int k = from; k <= to; k++) sum += expl(l[k] - all) * f[k];
  return sum;
}

/* log p(k), and d log p(k) / da, d log p(k) / db, of BetaBinomial(n, a, b). */
static void beta_binomial(int n, real a, real b, real *l, real *da, real *db) {
  l[0] = da[0] = db[0] = 0;
  for (int j = 0; j < n; j++) {
    l[0] += logl((b + j) / (a + b + j));
    da[0] -= 1 / (a + b + j);
    db[0] += 1 / (b + j) - 1 / (a + b + j);
  }
  for (int k = 0; k < n; k++) {
    l[k + 1] = l[k] + logl((real)(n - k) / (k + 1) * (a + k) / (b + n - k - 1));
    da[k + 1] = da[k] + 1 / (a + k);
    db[k + 1] = db[k] - 1 / (b + n - k - 1);
  }
}

/* Absolute terms of the log density that the library adds up, at most. */
static real terms(int n, real a, real b) {
  return 3 * lgammal(n + 1) + 2 * (fabsl(lgammal(a)) + fabsl(lgammal(b)) + fabsl(lgammal(a + b)) + lgammal(a + b + n + 1)) + 1;
}

static void test_beta_binomial(void **state) {
  (void)state;
  static const struct { int n, x; double a, b; } at[] = {{5, 0, 1, 1}, {5, 4, 1, 1}, {40, 0, 0.5, 2.5}, {40, 39, 0.5, 2.5}, {40, 10, 0.3, 0.2}, {300, 2, 20, 5},
                                                         {300, 240, 20, 5}, {300, 299, 20, 5}, {1, 0, 1e-3, 1e-3}, {200, 199, 1e-4, 40}, {60, 0, 1e4, 0.1}};
  for (size_t k = 0; k < sizeof at / sizeof *at; k++)
    for (int upper = 0; upper < 2; upper++) {
      const int n = at[k].n, x = at[k].x, from = upper ? x + 1 : 0, to = upper ? n : x;
      real l[TERMS], d[2][TERMS];
      beta_binomial(n, at[k].a, at[k].b, l, d[0], d[1]);
      char text[256], json[64];
      sprintf(text, "model m(n: int, x: int) {\n s ~ Flat()\n a ~ Flat()\n b ~ Flat()\n factor s + %s(BetaBinomial(n, a, b), x)\n}", upper ? "logccdf" : "logcdf");
      sprintf(json, "{\"n\": %d, \"x\": %d}", n, x);
      model_run r;
      model_open(&r, text, json, NEED_GRAD);
      double q[3] = {0, at[k].a, at[k].b}, g[3], lp = model_grad(&r, q, g);
      const real want = log_sum(l, from, to), size = terms(n, at[k].a, at[k].b);
      if (!(fabsl(lp - want) <= 1e-14L * size)) fail_msg("n %d, x %d, upper %d: %.17g, not %.17Lg", n, x, upper, lp, want);
      for (int i = 0; i < 2; i++) {
        real slope = mean(l, d[i], from, to), near = q[i + 1];
        if (!(fabsl(g[i + 1] - slope) <= 1e-13L * (fabsl(slope) + size / near))) fail_msg("n %d, x %d, upper %d: derivative %d is %.15g, not %.15Lg", n, x, upper, i, g[i + 1], slope);
      }
      model_close(&r);
    }
}

/* P(X = n) for a small b, which must not be added to n before x is taken away: of one trial it is a / (a + b). */
static void test_small_shape(void **state) {
  (void)state;
  model_run r;
  model_open(&r, "model m(n: int, x: int) {\n s ~ Flat()\n a ~ Flat()\n b ~ Flat()\n factor s + logpdf(BetaBinomial(n, a, b), x)\n}", "{\"n\": 1, \"x\": 1}", NEED_DENSITY);
  double q[3] = {0, 30, 1e-8}, part[3];
  model_density(&r, q, part);
  if (!(fabs(part[2] + 1e-8 / 30) <= 1e-14)) fail_msg("%.17g", part[2]);
  model_close(&r);
}

/* LKJ of two variables at 0 is Gamma(eta + 1/2) / (Gamma(1/2) Gamma(eta)), which a small eta comes near. */
static void test_small_eta(void **state) {
  (void)state;
  static const char *const calls[] = {"LKJ(eta), [[1.0, 0.0], [0.0, 1.0]]", "LKJCholesky(eta), [[1.0, 0.0], [0.0, 1.0]]"};
  for (int k = 0; k < 2; k++) {
    char text[256];
    sprintf(text, "model m() {\n s ~ Flat()\n eta ~ Flat()\n factor s + logpdf(%s)\n}", calls[k]);
    model_run r;
    model_open(&r, text, NULL, NEED_DENSITY);
    double q[2] = {0, 1e-8}, part[3];
    model_density(&r, q, part);
    const real eta = q[1], want = lgammal(eta + 0.5L) - lgammal(0.5L) - lgammal(eta);
    if (!(fabsl(part[2] - want) <= 1e-13L * fabsl(want))) fail_msg("%s: %.17g, not %.17Lg", calls[k], part[2], want);
    model_close(&r);
  }
}

static void test_hypergeometric(void **state) {
  (void)state;
  static const struct { int n, marked, other, x; } at[] = {{5, 10, 10, 0}, {5, 10, 10, 4}, {12, 7, 9, 3}, {12, 7, 9, 6}, {300, 900, 1200, 20}, {300, 900, 1200, 128}, {300, 900, 1200, 290},
                                                           {3, 0, 9, 0}, {3, 9, 0, 2}, {0, 4, 4, 0}, {400, 500, 450, -1}, {400, 500, 450, 400}};
  for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
    const int n = at[k].n, m = at[k].marked, o = at[k].other, x = at[k].x, first = n > o ? n - o : 0, last = n < m ? n : m;
    real l[TERMS] = {0};
    l[first] = 0;
    for (int i = first; i < last; i++) l[i + 1] = l[i] + logl((real)(m - i) / (i + 1) * (n - i) / (o - n + i + 1));
    const real all = log_sum(l, first, last);
    for (int upper = 0; upper < 2; upper++) {
      char text[256], json[96];
      sprintf(text, "model m(n: int, a: int, b: int, x: int) {\n s ~ Flat()\n factor s + %s(HyperGeometric(n, a, b), x)\n}", upper ? "logccdf" : "logcdf");
      sprintf(json, "{\"n\": %d, \"a\": %d, \"b\": %d, \"x\": %d}", n, m, o, x);
      model_run r;
      model_open(&r, text, json, NEED_DENSITY);
      double q[1] = {0}, part[3];
      model_density(&r, q, part);
      const int from = upper && x + 1 > first ? x + 1 : first, to = !upper && x < last ? x : last;
      const real want = log_sum(l, from, to) - all, size = 6 * lgammal(m + o + 1) + 1;
      if (!(fabsl(part[2] - want) <= 1e-14L * size || part[2] == (double)want))
        fail_msg("n %d, marked %d, other %d, x %d, upper %d: %.17g, not %.17Lg", n, m, o, x, upper, part[2], want);
      model_close(&r);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_beta_binomial), cmocka_unit_test(test_small_shape), cmocka_unit_test(test_small_eta), cmocka_unit_test(test_hypergeometric)};
  return cmocka_run_group_tests_name("tails", tests, NULL, NULL);
}
