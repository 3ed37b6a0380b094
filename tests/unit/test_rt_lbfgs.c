/* test_rt_lbfgs.c: the kernel of map, laplace and pathfinder on functions whose maximum is known. */
#include "stdlib/runtime/rt_lbfgs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

typedef double function(size_t n, const double *x, double *g);

/* Condition number 10^6. */
static double quadratic(size_t n, const double *x, double *g) {
  double lp = 0.0;
  for (size_t i = 0; i < n; i++) {
    const double c = pow(10.0, 6.0 * (double)i / (double)(n - 1)), d = x[i] - (double)i;
    lp -= 0.5 * c * d * d;
    g[i] = -c * d;
  }
  return lp;
}

static double rosenbrock(size_t n, const double *x, double *g) {
  double lp = 0.0;
  for (size_t i = 0; i < n; i++) g[i] = 0.0;
  for (size_t i = 0; i + 1 < n; i++) {
    const double a = x[i + 1] - x[i] * x[i], b = 1.0 - x[i];
    lp -= 100.0 * a * a + b * b;
    g[i] += 400.0 * a * x[i] + 2.0 * b;
    g[i + 1] -= 200.0 * a;
  }
  return lp;
}

/* A Cauchy density: its logarithm is not concave away from the mode. */
static double cauchy(size_t n, const double *x, double *g) {
  double lp = 0.0;
  for (size_t i = 0; i < n; i++) {
    lp -= log1p((x[i] - 1.0) * (x[i] - 1.0));
    g[i] = -2.0 * (x[i] - 1.0) / (1.0 + (x[i] - 1.0) * (x[i] - 1.0));
  }
  return lp;
}

/* Finite for positive x only, with the maximum at 2. */
static double half_line(size_t n, const double *x, double *g) {
  double lp = 0.0;
  for (size_t i = 0; i < n; i++) {
    if (x[i] <= 0.0) return i % 2 ? NAN : -INFINITY;
    lp += 2.0 * log(x[i]) - x[i];
    g[i] = 2.0 / x[i] - 1.0;
  }
  return lp;
}

/* A large constant, whose rounding hides the last digits of differences. */
static double offset(size_t n, const double *x, double *g) { return quadratic(n, x, g) + 1e9; }

/* Without a maximum. */
static double slope(size_t n, const double *x, double *g) {
  double lp = 0.0;
  for (size_t i = 0; i < n; i++) lp += x[i], g[i] = 1.0;
  return lp;
}

/* Iterations until it says that it is done; x becomes where it stands. */
static rt_lbfgs_status maximise(function *f, size_t n, double *x, unsigned most, rt_lbfgs *s) {
  double *work = malloc(rt_lbfgs_doubles(n) * sizeof *work), *g = malloc(n * sizeof *g);
  rt_lbfgs_init(s, n, 1e-10, work);
  double lp = f(n, x, g);
  assert_int_equal(rt_lbfgs_start(s, x, lp, g), 0);
  rt_lbfgs_status st = RT_LBFGS_STEP;
  while (st == RT_LBFGS_STEP && s->iterations < most) {
    const double before = s->lp;
    st = rt_lbfgs_search(s);
    while (st == RT_LBFGS_EVAL) {
      lp = f(n, s->at, g);
      st = rt_lbfgs_advance(s, lp, g);
    }
    if (st == RT_LBFGS_STEP) assert_true(s->lp >= before - 1e-13 * fabs(before));
  }
  for (size_t i = 0; i < n; i++) x[i] = s->x[i];
  free(g);
  free(work);
  return st;
}

static void test_maxima(void **state) {
  (void)state;
  rt_lbfgs s;
  double x[20] = {0};
  assert_int_equal(maximise(quadratic, 10, x, 2000, &s), RT_LBFGS_CONVERGED);
  assert_true(s.lp > -1e-6);
  double r[10] = {-1.2, 1, -1.2, 1, -1.2, 1, -1.2, 1, -1.2, 1};
  assert_int_equal(maximise(rosenbrock, 2, r, 200, &s), RT_LBFGS_CONVERGED);
  assert_true(fabs(r[0] - 1) < 1e-5 && fabs(r[1] - 1) < 1e-5);
  assert_true(s.evaluations < 80);
  double c[3] = {30, -50, 4};
  assert_int_equal(maximise(cauchy, 3, c, 500, &s), RT_LBFGS_CONVERGED);
  for (int i = 0; i < 3; i++) assert_true(fabs(c[i] - 1) < 1e-5);
  double h[4] = {1e-3, 50, 0.2, 3};
  assert_int_equal(maximise(half_line, 4, h, 500, &s), RT_LBFGS_CONVERGED);
  for (int i = 0; i < 4; i++) assert_true(fabs(h[i] - 2) < 1e-4);
  double o[6] = {0};
  assert_int_not_equal(maximise(offset, 6, o, 2000, &s), RT_LBFGS_STEP);
  for (int i = 0; i < 6; i++) assert_true(fabs(o[i] - i) < 1e-3);
}

static void test_no_maximum(void **state) {
  (void)state;
  rt_lbfgs s;
  double x[2] = {0, 0};
  assert_int_not_equal(maximise(slope, 2, x, 50, &s), RT_LBFGS_CONVERGED);
  assert_true(s.lp > 100);
}

static void test_refusals(void **state) {
  (void)state;
  assert_true(rt_lbfgs_doubles(0) == 0 && rt_lbfgs_doubles(SIZE_MAX / 8) == 0);
  double work[64], x[2] = {0, 0}, g[2] = {1, NAN};
  rt_lbfgs s;
  rt_lbfgs_init(&s, 2, 1e-8, work);
  assert_int_equal(rt_lbfgs_start(&s, x, 0.0, g), -1);
  g[1] = 1;
  assert_int_equal(rt_lbfgs_start(&s, x, -INFINITY, g), -1);
  assert_int_equal(rt_lbfgs_start(&s, x, NAN, g), -1);
  assert_int_equal(rt_lbfgs_start(&s, x, 0.0, g), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_maxima), cmocka_unit_test(test_no_maximum), cmocka_unit_test(test_refusals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
