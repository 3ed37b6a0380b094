/* test_vm_special.c: the special functions that are integrals or series, with their derivatives, against MPFR.
 *
 * Both sides are evaluated at the same random doubles.  A value is a logarithm (Owen's T apart); it may be off by 1e-13 of itself, or
 * absolutely by 1e-13 where it is the logarithm of a number far below 1.  Derivatives, those in the parameters included, are compared with
 * differences in MPFR at 1600 bits, of which the complement of a far tail leaves some hundreds.  The largest errors are printed. */
#include "tests/model_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mpfr.h>

enum { PREC = 1600, ARGS = 3 };
#define R MPFR_RNDN

/* r = f(x[0], ...) */
typedef void oracle(mpfr_t r, mpfr_t *x);

/* log of x^a y^b / (a B(a, b)), or with b NULL of x^a e^-x / Gamma(a + 1). */
static void log_term(mpfr_t r, mpfr_t a, mpfr_t b, mpfr_t x, mpfr_t y) {
  int sign;
  mpfr_t t, u;
  mpfr_inits2(PREC, t, u, (mpfr_ptr)0);
  mpfr_log(t, x, R);
  mpfr_mul(r, t, a, R);
  mpfr_add_ui(t, a, 1, R);
  mpfr_lgamma(u, &sign, t, R);
  mpfr_sub(r, r, u, R);
  if (!b) {
    mpfr_sub(r, r, x, R);
  } else {
    mpfr_log(t, y, R);
    mpfr_fma(r, t, b, r, R);
    mpfr_lgamma(u, &sign, b, R);
    mpfr_sub(r, r, u, R);
    mpfr_add(t, a, b, R);
    mpfr_lgamma(u, &sign, t, R);
    mpfr_add(r, r, u, R);
  }
  mpfr_clears(t, u, (mpfr_ptr)0);
}

/* 1 + sum of x^n (a + b) ... (a + b + n - 1) / ((a + 1) ... (a + n)), the rising factor left out without b: all terms positive. */
static void series(mpfr_t s, mpfr_t a, mpfr_t b, mpfr_t x) {
  mpfr_t t, d, f;
  mpfr_inits2(PREC, t, d, f, (mpfr_ptr)0);
  mpfr_set_ui(t, 1, R);
  mpfr_set_ui(s, 1, R);
  mpfr_set(d, a, R);
  if (b) mpfr_add(f, a, b, R);
  for (long n = 0; n < 10000000; n++) {
    mpfr_add_ui(d, d, 1, R);
    mpfr_mul(t, t, x, R);
    mpfr_div(t, t, d, R);
    if (b) {
      mpfr_mul(t, t, f, R);
      mpfr_add_ui(f, f, 1, R);
    }
    mpfr_add(s, s, t, R);
    if (mpfr_get_exp(t) < mpfr_get_exp(s) - PREC) break;
  }
  mpfr_clears(t, d, f, (mpfr_ptr)0);
}

static void gamma_both(mpfr_t r, mpfr_t *x, bool upper) {
  mpfr_t s;
  mpfr_init2(s, PREC);
  log_term(r, x[0], NULL, x[1], NULL);
  series(s, x[0], NULL, x[1]);
  mpfr_log(s, s, R);
  mpfr_add(r, r, s, R);
  if (upper) { /* the tail keeps PREC less what it loses to 1 */
    mpfr_exp(r, r, R);
    mpfr_neg(r, r, R);
    mpfr_log1p(r, r, R);
  }
  mpfr_clear(s);
}
static void log_p(mpfr_t r, mpfr_t *x) { gamma_both(r, x, false); }
static void log_q(mpfr_t r, mpfr_t *x) { gamma_both(r, x, true); }

/* By the series of the side that x is on. */
static void beta_xy(mpfr_t r, mpfr_t a, mpfr_t b, mpfr_t x, mpfr_t y) {
  mpfr_t s, t;
  mpfr_inits2(PREC, s, t, (mpfr_ptr)0);
  mpfr_add(t, a, b, R);
  mpfr_div(t, a, t, R);
  bool low = mpfr_lessequal_p(x, t);
  log_term(r, low ? a : b, low ? b : a, low ? x : y, low ? y : x);
  series(s, low ? a : b, low ? b : a, low ? x : y);
  mpfr_log(s, s, R);
  mpfr_add(r, r, s, R);
  if (!low) {
    mpfr_exp(r, r, R);
    mpfr_neg(r, r, R);
    mpfr_log1p(r, r, R);
  }
  mpfr_clears(s, t, (mpfr_ptr)0);
}
static void inc_beta(mpfr_t r, mpfr_t *x) {
  mpfr_t y;
  mpfr_init2(y, PREC);
  mpfr_ui_sub(y, 1, x[2], R);
  beta_xy(r, x[0], x[1], x[2], y);
  mpfr_clear(y);
}

static void student(mpfr_t r, mpfr_t *v) {
  mpfr_t a, b, x, y, s;
  mpfr_inits2(PREC, a, b, x, y, s, (mpfr_ptr)0);
  mpfr_sqr(y, v[1], R);
  mpfr_add(s, y, v[0], R);
  mpfr_div(y, y, s, R);
  mpfr_div(x, v[0], s, R);
  mpfr_div_ui(a, v[0], 2, R);
  mpfr_set_d(b, 0.5, R);
  if (mpfr_sgn(v[1]) == 0) mpfr_set_d(r, 0.0, R);
  else beta_xy(r, a, b, x, y);
  mpfr_exp(r, r, R);
  mpfr_div_ui(r, r, 2, R);
  if (mpfr_sgn(v[1]) > 0) mpfr_ui_sub(r, 1, r, R);
  mpfr_log(r, r, R);
  mpfr_clears(a, b, x, y, s, (mpfr_ptr)0);
}

/* T = (atan a - sum of c_j a^(2 j + 1)) / (2 pi), c_j = (-1)^j / (2 j + 1) (1 - e^-q sum of q^i / i! to j), q = h^2 / 2 (Owen 1956). */
static void owen(mpfr_t r, mpfr_t *v) {
  mpfr_t q, e, t, sum, c, p, pi;
  mpfr_inits2(PREC, q, e, t, sum, c, p, pi, (mpfr_ptr)0);
  mpfr_sqr(q, v[0], R);
  mpfr_div_ui(q, q, 2, R);
  mpfr_neg(e, q, R);
  mpfr_exp(e, e, R);
  mpfr_set_ui(t, 1, R);    /* q^i / i! */
  mpfr_set_ui(sum, 0, R);  /* their sum to j */
  mpfr_set(p, v[1], R);    /* a^(2 j + 1) */
  mpfr_atan(r, v[1], R);
  for (unsigned j = 0; j < 4000; j++) {
    mpfr_add(sum, sum, t, R);
    mpfr_mul(c, sum, e, R);
    mpfr_ui_sub(c, 1, c, R);
    mpfr_mul(c, c, p, R);
    mpfr_div_ui(c, c, 2 * j + 1, R);
    if (j % 2) mpfr_add(r, r, c, R);
    else mpfr_sub(r, r, c, R);
    if (j > 2 && (mpfr_zero_p(c) || mpfr_get_exp(c) < -PREC)) break;
    mpfr_mul(p, p, v[1], R);
    mpfr_mul(p, p, v[1], R);
    mpfr_mul(t, t, q, R);
    mpfr_div_ui(t, t, j + 1, R);
  }
  mpfr_const_pi(pi, R);
  mpfr_div(r, r, pi, R);
  mpfr_div_ui(r, r, 2, R);
  mpfr_clears(q, e, t, sum, c, p, pi, (mpfr_ptr)0);
}

/* sum of (x / 2)^(2 n + k) / (n! (n + k)!) */
static void bessel(mpfr_t r, mpfr_t x, unsigned k) {
  mpfr_t t, h;
  mpfr_inits2(PREC, t, h, (mpfr_ptr)0);
  mpfr_div_ui(t, x, 2, R);
  mpfr_sqr(h, t, R);
  if (k == 0) mpfr_set_ui(t, 1, R);
  mpfr_set(r, t, R);
  for (unsigned long n = 1; n < 1000000; n++) {
    mpfr_mul(t, t, h, R);
    mpfr_div_ui(t, t, n, R);
    mpfr_div_ui(t, t, n + k, R);
    mpfr_add(r, r, t, R);
    if (mpfr_get_exp(t) < mpfr_get_exp(r) - PREC) break;
  }
  mpfr_log(r, r, R);
  mpfr_clears(t, h, (mpfr_ptr)0);
}
static void bessel_0(mpfr_t r, mpfr_t *x) { bessel(r, x[0], 0); }
static void bessel_1(mpfr_t r, mpfr_t *x) { bessel(r, x[0], 1); }

typedef struct special {
  const char *call;
  oracle *f;
  int n;
  double lo[ARGS], hi[ARGS];  /* ranges; logarithmic where lo > 0 and hi / lo > 100 */
  double value, slope;        /* bounds, relative, and absolute where the value is large */
} special;

/* The second range of the incomplete functions is around the peak, where both tails matter. */
static const special table[] = {
    {"log_gamma_p(p0, p1)", log_p, 2, {1e-3, 1e-6}, {100, 300}, 1e-13, 1e-12},
    {"log_gamma_q(p0, p1)", log_q, 2, {1e-2, 1e-3}, {100, 300}, 1e-13, 1e-12},
    {"log_gamma_p(p0, p1)", log_p, 2, {9e3, 9.5e3}, {11e3, 10.5e3}, 1e-12, 1e-11},
    {"log_gamma_q(p0, p1)", log_q, 2, {9e3, 9.5e3}, {11e3, 10.5e3}, 1e-12, 1e-11},
    {"log_gamma_p(p0, p1)", log_p, 2, {1e-4, 1e-6}, {0.9, 0.99}, 1e-13, 1e-12},
    {"log_gamma_q(p0, p1)", log_q, 2, {1e-4, 1e-6}, {0.9, 0.99}, 1e-13, 1e-12},
    {"log_inc_beta(p0, p1, p2)", inc_beta, 3, {1e-2, 1e-2, 1e-9}, {50, 50, 0.99}, 1e-13, 1e-12},
    {"log_inc_beta(p0, p1, p2)", inc_beta, 3, {0.5, 0.5, 0.01}, {400, 400, 0.99}, 1e-13, 1e-12},
    {"log_student_cdf(p0, p1)", student, 2, {0.1, -30}, {200, 30}, 1e-13, 1e-12},
    {"log_student_cdf(p0, p1)", student, 2, {1, -1e3}, {1e5, -1e-6}, 1e-12, 1e-11},
    {"owens_t(p0, p1)", owen, 2, {-4, -1}, {4, 1}, 1e-14, 1e-13},
    {"log_bessel_i0(p0)", bessel_0, 1, {-20}, {-1}, 1e-14, 1e-13},
    {"log_bessel_i0(p0)", bessel_0, 1, {1}, {3e3}, 1e-14, 1e-13},
    {"log_bessel_i1(p0)", bessel_1, 1, {1e-3}, {3e3}, 1e-14, 1e-13},
};

static double uniform(uint64_t *seed) { return ((double)(next_random(seed) >> 11) + 0.5) * 0x1p-53; }

/* The logarithm of the complement of a far tail t is -t, and t carries the rounding of its own logarithm. */
static double away(double got, double want) {
  double size = fabs(want);
  return fabs(got - want) / (size > 0.5 ? fmax(size, 1.0) : size * fmax(1.0, 0.01 * -log(size)) + 1e-300);
}

static void test_special(void **state) {
  (void)state;
  uint64_t seed = 7;
  for (size_t k = 0; k < sizeof table / sizeof table[0]; k++) {
    const special *s = &table[k];
    char text[512], *t = text;
    t += sprintf(t, "model m() {\n");
    for (int i = 0; i < s->n; i++) t += sprintf(t, " p%d ~ Flat()\n", i);
    sprintf(t, " factor %s\n}", s->call);
    model_run r;
    model_open(&r, text, NULL, NEED_GRAD);
    mpfr_t x[ARGS], y, above, h;
    for (int i = 0; i < ARGS; i++) mpfr_init2(x[i], PREC);
    mpfr_inits2(PREC, y, above, h, (mpfr_ptr)0);
    mpfr_set_ui_2exp(h, 1, -200, R);
    double worst[2] = {0};
    for (int rep = 0; rep < (s->hi[0] > 1e4 ? 12 : 60); rep++) { /* long series */
      double q[ARGS], g[ARGS];
      for (int i = 0; i < s->n; i++) {
        double u = uniform(&seed), lo = s->lo[i], hi = s->hi[i];
        q[i] = lo > 0 && hi / lo > 100 ? lo * pow(hi / lo, u) : hi < 0 && lo / hi > 100 ? hi * pow(lo / hi, u) : lo + (hi - lo) * u;
        mpfr_set_d(x[i], q[i], R);
      }
      double got = model_grad(&r, q, g);
      s->f(y, x);
      double want = mpfr_get_d(y, R), off = away(got, want);
      if (want < -700.0 || !isfinite(want) || fabs(want) < 1e-300) continue;
      if (!(off <= s->value)) fail_msg("%s at %.17g, %.17g, %.17g: %.17g, not %.17g", s->call, q[0], q[1], q[2], got, want);
      worst[0] = fmax(worst[0], off);
      for (int i = 0; i < s->n; i++) {
        mpfr_add(x[i], x[i], h, R);
        s->f(above, x);
        mpfr_set_d(x[i], q[i], R);
        mpfr_sub(above, above, y, R);
        mpfr_div(above, above, h, R);
        double slope = mpfr_get_d(above, R);
        /* Terms of a derivative: those of the value over the argument's size. */
        double error = fabs(g[i] - slope) / (fabs(slope) + fmin(1.0, fabs(want)) / fmax(fabs(q[i]), 1e-3));
        if (!(error <= s->slope)) fail_msg("%s at %.17g, %.17g, %.17g: derivative %d is %.17g, not %.17g", s->call, q[0], q[1], q[2], i, g[i], slope);
        worst[1] = fmax(worst[1], error);
      }
    }
    print_message("  %-26s value %.1e, derivatives %.1e\n", s->call, worst[0], worst[1]);
    for (int i = 0; i < ARGS; i++) mpfr_clear(x[i]);
    mpfr_clears(y, above, h, (mpfr_ptr)0);
    model_close(&r);
  }
  mpfr_free_cache();
}

static void expect(const char *expression, double want, double close) {
  char text[256];
  snprintf(text, sizeof text, "model m() { s ~ Flat()\n factor s + %s }", expression);
  model_run r;
  model_open(&r, text, NULL, NEED_GRAD);
  double q[1] = {0.0}, g[1], got = model_grad(&r, q, g);
  if (isinf(want) ? got != want : !(fabs(got - want) <= close)) fail_msg("%s: %.17g, not %.17g", expression, got, want);
  model_close(&r);
}

/* Ends of the ranges, and arguments that no oracle here reaches. */
static void test_ends(void **state) {
  (void)state;
  expect("log_gamma_p(2.0, 0.0)", -INFINITY, 0);
  expect("log_gamma_q(2.0, 0.0)", 0, 0);
  expect("log_gamma_p(2.0, 1e4)", 0, 0);
  expect("log_gamma_q(1.0, 1e4)", -1e4, 1e-9);
  expect("log_gamma_p(1e12, 1e12)", log(0.5) + 2.0 / 3.0 / sqrt(2 * 3.14159265358979323846 * 1e12) * 1.0, 1e-9);
  expect("log_inc_beta(2.0, 3.0, 0.0)", -INFINITY, 0);
  expect("log_inc_beta(2.0, 3.0, 1.0)", 0, 0);
  expect("log_inc_beta(1e9, 1e9, 0.5)", log(0.5), 1e-9);
  expect("log_student_cdf(3.0, 0.0)", log(0.5), 1e-16);
  expect("log_student_cdf(1.0, -1.0)", log(0.25), 1e-15);
  expect("owens_t(0.0, 1.0)", 0.125, 1e-16);
  expect("owens_t(1.0, 1e9)", 0.5 * 0.5 * erfc(1.0 / sqrt(2.0)), 1e-16);
  expect("owens_t(0.7, -3.0) + owens_t(0.7, 3.0)", 0, 0);
  expect("log_bessel_i0(0.0)", 0, 1e-15);
  expect("log_bessel_i0(0.001)", 2.4999998437500173611e-7, 1e-15);
  expect("log_bessel_i0(1e9)", 1e9 - 0.5 * log(2 * 3.14159265358979323846 * 1e9), 1e-6);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_special), cmocka_unit_test(test_ends)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
