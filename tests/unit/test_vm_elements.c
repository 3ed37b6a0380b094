/* test_vm_elements.c: arrays built by elements, read and counted by integers that are data: densities against sums by hand. */
#include "tests/model_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const double half_log_2pi = 0.91893853320467274178;

static double normal(double x, double mu) { return -0.5 * (x - mu) * (x - mu) - half_log_2pi; }

/* Positions by an inner loop, t - k: how far back they reach is data. */
static void test_lags(void **state) {
  (void)state;
  model_run r;
  model_open(&r,
             "model lags(p: int, y: real[T]) {\n"
             "  a: real[p] ~ Normal(0, 1)\n"
             "  let first = y[1..p]\n  plate t in 1..p { let x[t] = first[t] }\n"
             "  for t in p + 1..T { let x[t] = y[t] + sum(a[k] * x[t - k] for k in 1..p) }\n"
             "  for t in T..T - p + 1 by -1 { let b[t] = x[t] }\n"
             "  for t in T - p..1 by -1 { let b[t] = x[t] + 0.5 * max(b[t + k] for k in 1..p) }\n"
             "  let c[1] = b[1]\n"
             "  for t in 2..T { let c[t] = b[t] - sum(c[s] for s in 1..t - 1) / t }\n"
             "  factor c[T]\n"
             "}\n",
             "{\"p\": 3, \"y\": [0.3, -1.2, 0.8, 0.1, 2.3, -0.7, 0.4, 1.1, -0.6]}", NEED_GRAD | NEED_LOGDENS);
  static const double y[9] = {0.3, -1.2, 0.8, 0.1, 2.3, -0.7, 0.4, 1.1, -0.6};
  double a[3] = {0.4, -0.3, 0.7}, g[3], x[9], b[9], c[9], want = 0;
  assert_int_equal(r.dim, 3);
  for (int k = 0; k < 3; k++) want += normal(a[k], 0);
  for (int t = 0; t < 9; t++) x[t] = t < 3 ? y[t] : y[t] + a[0] * x[t - 1] + a[1] * x[t - 2] + a[2] * x[t - 3];
  for (int t = 8; t >= 0; t--) b[t] = t > 5 ? x[t] : x[t] + 0.5 * fmax(b[t + 1], fmax(b[t + 2], b[t + 3]));
  for (int t = 0; t < 9; t++) {
    double before = 0;
    for (int s = 0; s < t; s++) before += c[s];
    c[t] = b[t] - before / (t + 1);
  }
  want += c[8];
  assert_true(fabs(model_logdens(&r, a) - want) < 1e-12);
  assert_true(fabs(model_grad(&r, a, g) - want) < 1e-12);
  for (int k = 0; k < 3; k++) {
    double h = 1e-5, at = a[k];
    a[k] = at + h;
    double up = model_logdens(&r, a);
    a[k] = at - h;
    double down = model_logdens(&r, a);
    a[k] = at;
    assert_true(fabs((up - down) / (2 * h) - g[k]) < 1e-7);
  }
  model_close(&r);
}

/* A function's int that is an element of data is a value, not a size, whatever it is added to. */
static void test_data_in_a_function(void **state) {
  (void)state;
  model_run r;
  model_open_plain(&r,
             "fn graded(y: int, eta: real, threshold: real[M]): real {\n"
             "  let s[1] = 0.0\n"
             "  for m in 1..M { let s[m + 1] = s[m] + eta - threshold[m] }\n"
             "  return s[y + 1] - log_sum_exp(s)\n"
             "}\n"
             "model answers(y: int[N]) {\n"
             "  c: real[2] ~ Normal(0, 1)\n"
             "  eta: real[N] ~ Normal(0, 1)\n"
             "  plate n in 1..N { factor graded(y[n], eta[n], c) }\n"
             "}\n",
             "{\"y\": [0, 2, 1, 2]}", NEED_GRAD | NEED_LOGDENS);
  static const int y[] = {0, 2, 1, 2};
  double q[6] = {0.3, -0.8, 0.1, 1.2, -0.4, 0.9}, g[6], want = 0;
  assert_int_equal(r.dim, 6);
  for (int i = 0; i < 6; i++) want += normal(q[i], 0);
  for (int n = 0; n < 4; n++) {
    double s[3] = {0, q[2 + n] - q[0], 2 * q[2 + n] - q[0] - q[1]};
    want += s[y[n]] - log(exp(s[0]) + exp(s[1]) + exp(s[2]));
  }
  assert_true(fabs(model_logdens(&r, q) - want) < 1e-13 * 20);
  assert_true(fabs(model_grad(&r, q, g) - want) < 1e-13 * 20);
  model_close(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_lags), cmocka_unit_test(test_data_in_a_function)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
