/* test_vm_elements.c: arrays built by elements, read and counted by integers that are data: densities against sums by hand. */
#include "tests/model_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

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
  for (size_t k = 0; k < 3; k++) assert_true(fabs(model_slope(&r, a, k) - g[k]) < 1e-7);
  model_close(&r);
}

static double logistic(double x, double mu) { return mu - x - 2 * log1p(exp(mu - x)); }

/* What both branches of a condition draw is drawn once, from the distribution that the condition chooses. */
static void test_branches(void **state) {
  (void)state;
  model_run r;
  model_open(&r,
             "model m(g: bool[N], h: bool[N]) {\n"
             "  for t in 1..N { if t == 1 { x[t] ~ Normal(3, 1) } else { x[t] ~ Normal(0.5 * x[t - 1], 1) } }\n"
             "  for t in 1..N { if t > 1 { w[t] ~ Normal(w[t - 1], 1) } else { w[t] ~ Logistic(x[N], 1) } }\n"
             "  if g[2] { plate i in 1..N { e[i] ~ Normal(-7, 1) } } else { plate i in 1..N { e[i] ~ Normal(1, 1) } }\n"
             "  plate i in 1..N {\n"
             "    if g[i] { u[i] ~ Normal(2, 1); v[i] ~ Normal(u[i], 1) }\n"
             "    else if h[i] { u[i] ~ Logistic(1, 1); v[i] ~ Normal(x[i], 1) }\n"
             "    else { u[i] ~ Normal(-1, 1); v[i] ~ Normal(-u[i], 1) }\n"
             "  }\n"
             "  if g[1] { s ~ Normal(-2, 1); c: real[2] ~ Normal(s, 1) } else { s ~ Normal(4, 1); c: real[2] ~ Normal(-s, 1) }\n"
             "  if g[2] { r ~ Normal(-2, 1) } else { r ~ Logistic(s, 1) }\n"
             "}\n",
             "{\"g\": [1, 0, 0], \"h\": [0, 1, 0]}", NEED_GRAD | NEED_LOGDENS | NEED_DENSITY);
  enum { DIM = 19 };
  double q[DIM], d[DIM], frame[DIM], part[3], *x = frame, *w = frame + 3, *e = frame + 6, *u = frame + 9, *v = frame + 12, *s = frame + 15, *c = frame + 16;
  assert_int_equal(r.dim, DIM);
  for (int k = 0; k < DIM; k++) q[k] = sin(1.0 + 2.0 * k), frame[k] = cos(0.3 + 2.0 * k);
  double want = normal(x[0], 3) + normal(x[1], 0.5 * x[0]) + normal(x[2], 0.5 * x[1]) + logistic(w[0], x[2]) + normal(w[1], w[0]) + normal(w[2], w[1]);
  want += normal(u[0], 2) + normal(v[0], u[0]) + logistic(u[1], 1) + normal(v[1], x[1]) + normal(u[2], -1) + normal(v[2], -u[2]);
  want += normal(e[0], 1) + normal(e[1], 1) + normal(e[2], 1) + normal(s[0], -2) + normal(c[0], s[0]) + normal(c[1], s[0]) + logistic(frame[18], s[0]);
  assert_true(fabs(model_density(&r, frame, part) - want) < 1e-12);
  const double lp = model_logdens(&r, q);
  assert_true(fabs(model_grad(&r, q, d) - lp) < 1e-12 * fabs(lp));
  for (size_t k = 0; k < DIM; k++) assert_true(fabs(model_slope(&r, q, k) - d[k]) < 1e-7);
  model_close(&r);
}

/* Under S = [[2, 0.6], [0.6, 1]], whose determinant is 1.64. */
static double pair_normal(const double *x, double mu0, double mu1) {
  const double a = x[0] - mu0, b = x[1] - mu1;
  return -0.5 * (a * a - 1.2 * a * b + 2 * b * b) / 1.64 - 0.5 * log(1.64) - 2 * half_log_2pi;
}

/* Rows of matrices, unknown and observed, and columns of data, that are drawn as vectors. */
static void test_rows_drawn(void **state) {
  (void)state;
  model_run r;
  model_open(&r,
             "model m(S: cov(2), y: real[3, 2], z: real[2, 3]) {\n"
             "  let column = z'\n"
             "  plate k in 1..3 { w[k] ~ MultiNormal([1.0, -1.0], S) }\n"
             "  v[1] ~ MultiNormal(w[1, :], S)\n"
             "  for k in 2..3 { v[k] ~ MultiNormal(v[k - 1, 1..2], S) }\n"
             "  plate k in 1..3 { y[k, :] ~ MultiNormal(w[k, :], S); column[k, :] ~ MultiNormal(v[k, :], S) }\n"
             "}\n",
             "{\"S\": [[2, 0.6], [0.6, 1]], \"y\": [[1, 2], [3, 4], [5, 6]], \"z\": [[0.1, 0.2, 0.3], [-1, -2, -3]]}", NEED_GRAD | NEED_LOGDENS | NEED_DENSITY);
  double q[12], d[12], part[3], want = 0;
  assert_int_equal(r.dim, 12);
  for (int k = 0; k < 12; k++) q[k] = cos(0.3 + 2.0 * k);
  for (int k = 0; k < 3; k++) {
    const double *w = q + 2 * k, *v = q + 6 + 2 * k, *before = k ? v - 2 : q, y[2] = {2.0 * k + 1, 2.0 * k + 2}, z[2] = {0.1 * (k + 1), -1.0 - k};
    want += pair_normal(w, 1, -1) + pair_normal(v, before[0], before[1]) + pair_normal(y, w[0], w[1]) + pair_normal(z, v[0], v[1]);
  }
  const double got = model_density(&r, q, part), lp = model_logdens(&r, q);
  if (!(fabs(got - want) < 1e-12 * fabs(want))) fail_msg("%.15g, not %.15g", got, want);
  assert_true(fabs(model_grad(&r, q, d) - lp) < 1e-12 * fabs(lp));
  for (size_t k = 0; k < 12; k++) assert_true(fabs(model_slope(&r, q, k) - d[k]) < 1e-7);
  model_close(&r);
}

/* Levels by their names: numbers in the order of the texts, wherever an int can stand, in parts of models too. */
static void test_levels(void **state) {
  (void)state;
  model_run r;
  model_open(&r,
             "model part(g: index(J)[M], b: real[J]) { c ~ Normal(b[\"St. John's\"], 1); factor sum((if g[i] != \"é `x`\" { c } else { b[\"north\"] }) for i in 1..M) }\n"
             "model m(region: index(R)[N], y: real[N], u: real[N, R]) {\n"
             "  beta: real[R] ~ Normal(0, 1)\n"
             "  plate i in 1..N { y[i] ~ Normal(beta[region[i]] + (if region[i] == \"north\" { beta[\"é `x`\"] } else { 0 }), 1) }\n"
             "  factor sum(u[:, \"north\"]) * beta[\"St. John's\"] + sum(select(\"north\" == region, 1, 0))\n"
             "  p ~ part(region, beta)\n"
             "}\n",
             "{\"region\": [\"north\", \"é `x`\", \"St. John's\", \"north\"], \"y\": [1, 2, 3, 4], \"u\": [[1, 2, 3], [1, 2, 4], [1, 2, 5], [1, 2, 6]]}", NEED_GRAD | NEED_LOGDENS | NEED_DENSITY);
  const double b[4] = {0.3, -0.7, 1.1, 0.6}; /* St. John's, north, é `x`; c */
  double part[3], want = normal(b[3], b[0]) + 3 * b[3] + b[1];
  assert_int_equal(r.dim, 4);
  for (int k = 0; k < 3; k++) want += normal(b[k], 0);
  want += normal(1, b[1] + b[2]) + normal(2, b[2]) + normal(3, b[0]) + normal(4, b[1] + b[2]);
  want += 8 * b[0] + 2;
  assert_true(fabs(model_density(&r, b, part) - want) < 1e-12);
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

/* Slices left of `~` and `=`, positions by several indices, matrices of indices and elements set under `if`, against plain loops over the same elements: the densities, which add the same terms in another order, and the frames. */
static void test_slices(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
      {"m: real[p] ~ Normal(0, 1)\n x[1..p] ~ Normal(m, 2)\n x[p + 1..N] ~ StudentT(3, 5, 0.1)\n y ~ Normal(x, 1)",
       "m: real[p] ~ Normal(0, 1)\n plate i in 1..p { x[i] ~ Normal(m[i], 2) }\n plate i in p + 1..N { x[i] ~ StudentT(3, 5, 0.1) }\n y ~ Normal(x, 1)"},
      {"plate j in 1..3 {\n z[j, 1..2] ~ Normal(j, 0.5)\n z[j, 3..4] ~ Normal([1.0, y[2]], 2) }\n factor sum(z[i, k] * y[k] for i in 1..3, k in 1..4)",
       "plate j in 1..3 {\n plate k in 1..2 { z[j, k] ~ Normal(j, 0.5) }\n z[j, 3] ~ Normal(1, 2)\n z[j, 4] ~ Normal(y[2], 2) }\n factor sum(z[i, k] * y[k] for i in 1..3, k in 1..4)"},
      {"x[1..2] ~ Normal(0, 1)\n for t in 3..N { x[t] ~ Normal(0.5 * x[t - 1] + 0.2 * x[t - 2], 1) }\n y ~ Normal(x, 1)",
       "x[1] ~ Normal(0, 1)\n x[2] ~ Normal(0, 1)\n for t in 3..N { x[t] ~ Normal(0.5 * x[t - 1] + 0.2 * x[t - 2], 1) }\n y ~ Normal(x, 1)"},
      {"x: real[N] ~ Normal(0, 1)\n let w[1..2] = [3.0, y[1]]\n let w[3..N] = x[3..N] * 2\n y ~ Normal(x + w, 1)",
       "x: real[N] ~ Normal(0, 1)\n let w[1] = 3.0\n let w[2] = y[1]\n plate i in 3..N { let w[i] = x[i] * 2 }\n y ~ Normal(x + w, 1)"},
      {"u: real[2, N] ~ Normal(0, 1)\n plate i in 1..2 { let w[i, 1..p] = 2.0; let w[i, p + 1..N] = u[i, 1..N - p] }\n factor sum(w[i, j] * y[j] for i in 1..2, j in 1..N)",
       "u: real[2, N] ~ Normal(0, 1)\n plate i in 1..2 { plate j in 1..p { let w[i, j] = 2.0 }; plate j in p + 1..N { let w[i, j] = u[i, j - p] } }\n factor sum(w[i, j] * y[j] for i in 1..2, j in 1..N)"},
      /* Built in one iteration, under the filter or the `if` around it. */
      {"u: real[N] ~ Normal(0, 1)\n plate i in 1..N if y[i] > 0 {\n let w[1] = u[i]\n for k in 1..p { let w[k + 1] = w[k] * u[i] + 1 }\n y[i] ~ Normal(w[p + 1], 1) }",
       "u: real[N] ~ Normal(0, 1)\n plate i in 1..N { let v = [u[i]^(k + 1) + sum(u[i]^j for j in 0..k - 1) for k in 0..p]\n if y[i] > 0 { y[i] ~ Normal(v[p + 1], 1) } }"},
      {"u: real[N] ~ Normal(0, 1)\n if p > 1 { plate i in 1..N if y[i] > 0 { let w[1] = u[i]\n let w[2] = exp(w[1])\n y[i] ~ Normal(w[2], 1) } } else { factor u[1] }",
       "u: real[N] ~ Normal(0, 1)\n plate i in 1..N { if y[i] > 0 { y[i] ~ Normal(exp(u[i]), 1) } }"},
      {"m ~ Normal(0, 1)\n let s[1] = m\n for i in 2..N { if y[i] > 0 { let s[i] = s[i - 1] + 1 } else { let v = 0.5; let s[i] = v * s[i - 1] } }\n"
       " plate i in 1..N { if y[i] > 1 { let q[i] = exp(s[i]) } else { let q[i] = 2 * m } }\n y ~ Normal(q, 1)",
       "m ~ Normal(0, 1)\n let s[1] = m\n for i in 2..N { let s[i] = if y[i] > 0 { s[i - 1] + 1 } else { 0.5 * s[i - 1] } }\n"
       " plate i in 1..N { let q[i] = if y[i] > 1 { exp(s[i]) } else { 2 * m } }\n y ~ Normal(q, 1)"},
      {"x: real[N] ~ Normal(0, 1)\n for t in N..1 by -1 { let r[t] = x[t] + sum(0.1 * r[t + k] for k in 1..N - t) }\n"
       " for t in 1..N { let s[t] = y[t] * x[t] + sum(s[t - k] - x[N + k - t] for k in 1..t - 1) }\n y ~ Normal(r + s, 1)",
       "x: real[N] ~ Normal(0, 1)\n for t in N..1 by -1 { let r[t] = x[t] + sum(0.1 * r[j] for j in t + 1..N) }\n"
       " for t in 1..N { let s[t] = y[t] * x[t] + sum(s[t - k] for k in 1..t - 1) - sum(x[j] for j in N + 1 - t..N - 1) }\n y ~ Normal(r + s, 1)"},
      {"s[1..3]: simplex(3)[3] ~ Dirichlet([1.0, 2.0, 3.0])\n s[4..N] ~ Dirichlet([4.0, 1.0, 1.0])\n factor sum(s[i, 2] * y[i] for i in 1..N)",
       "plate i in 1..3 { s[i]: simplex(3) ~ Dirichlet([1.0, 2.0, 3.0]) }\n plate i in 4..N { s[i] ~ Dirichlet([4.0, 1.0, 1.0]) }\n factor sum(s[i, 2] * y[i] for i in 1..N)"},
      {"a[1..2, 1..5] ~ Normal([1.0, 2.0, 3.0, 4.0, y[5]], 1)\n a[3, 1..5] ~ Normal(y[1..5], 1)\n factor sum(a[i, j] * i * j for i in 1..3, j in 1..5)",
       "plate i in 1..2, j in 1..5 { a[i, j] ~ Normal(if j == 5 { y[5] } else { real(j) }, 1) }\n plate j in 1..5 { a[3, j] ~ Normal(y[j], 1) }\n factor sum(a[i, j] * i * j for i in 1..3, j in 1..5)"},
      {"x: real[3, N] ~ Normal(0, 1)\n let a = [[1, 2, 5], [3, 4, 1]]\n let b = [[2], [3]]\n let w = x[1..2, a]\n let v = x[b, 2..4]\n"
       " factor sum(w[h, i, j] * y[i + j] * h for h in 1..2, i in 1..2, j in 1..3) + sum(v[i, 1, k] * y[i + k] for i in 1..2, k in 1..3) + sum(exp(x[3][a]))",
       "x: real[3, N] ~ Normal(0, 1)\n let a = [[1, 2, 5], [3, 4, 1]]\n"
       " factor sum(x[h, a[i, j]] * y[i + j] * h for h in 1..2, i in 1..2, j in 1..3) + sum(x[i + 1, k + 1] * y[i + k] for i in 1..2, k in 1..3)"
       " + sum(exp(x[3, a[i, j]]) for i in 1..2, j in 1..3)"},
  };
  static const char data[] = "{\"p\": 2, \"y\": [0.3, -1.2, 0.8, 0.1, 2.3]}";
  for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
    double lp[2], g[2][64], q[64], frame[2][64];
    size_t dim = 0;
    for (int side = 0; side < 2; side++) {
      char text[1024];
      snprintf(text, sizeof text, "model m(p: int, y: real[N]) {\n %s\n}", pairs[k][side]);
      model_run r;
      model_open(&r, text, data, NEED_GRAD | NEED_DENSITY);
      assert_true(r.dim <= 64 && r.cells <= 64 && (side == 0 || r.dim == dim));
      dim = r.dim;
      for (size_t i = 0; i < dim; i++) q[i] = sin(1.0 + 3.0 * (double)i);
      lp[side] = model_grad(&r, q, g[side]);
      model_constrain(&r, q, frame[side]);
      model_close(&r);
    }
    if (!(fabs(lp[0] - lp[1]) <= 1e-13 * (fabs(lp[0]) + 100))) fail_msg("%s: %.17g, by elements %.17g", pairs[k][0], lp[0], lp[1]);
    for (size_t i = 0; i < dim; i++)
      if (!(fabs(g[0][i] - g[1][i]) <= 1e-13 * (fabs(g[0][i]) + 10)) || frame[0][i] != frame[1][i]) fail_msg("%s: element %zu", pairs[k][0], i);
  }
}

/* The density of a model at four unknowns, and its gradient. */
static double of_four(const char *text, const char *data, const double *at, double *grad) {
  model_run r;
  model_open(&r, text, data, NEED_GRAD | NEED_DENSITY);
  assert_int_equal(r.dim, 4);
  const double lp = model_grad(&r, at, grad);
  model_close(&r);
  return lp;
}

/* Arrays that are built from their end, against the same written with the position as the index: the same bits. */
static void test_backwards(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
      {"x[T] ~ Normal(0, 1)\n  for t in 1..T - 1 { x[T - t] ~ Normal(0.5 * x[T - t + 1] + y[t], t) }\n  factor -sum(x * y)^2",
       "x[T] ~ Normal(0, 1)\n  for t in T - 1..1 by -1 { x[t] ~ Normal(0.5 * x[t + 1] + y[T - t], T - t) }\n  factor -sum(x * y)^2"},
      {"for t in T..1 by -1 { x[1 + (T - t)] ~ Normal(if t == T { 0.0 } else { x[T - t] }, 1) }\n  factor -sum(x * y)^2",
       "for t in 1..T { x[t] ~ Normal(if t == 1 { 0.0 } else { x[t - 1] }, 1) }\n  factor -sum(x * y)^2"},
      {"plate t in 0..T - 1 { x[-t + T] ~ Normal(y[T - t] * t, 1 + t) }\n  factor -x[2] * x[T]", "plate t in 1..T { x[t] ~ Normal(y[t] * (T - t), 1 + (T - t)) }\n  factor -x[2] * x[T]"},
      {"x[T + 1 - t] ~ Normal(y[t], 2) for t in 1..T\n  factor -x[1]^2", "x[t] ~ Normal(y[T + 1 - t], 2) for t in 1..T\n  factor -x[1]^2"},
      {"x: real[T] ~ Normal(0, 1)\n  let b[T + 1] = 0.0\n  for t in 0..T - 1 { let v = x[T - t] * y[T - t]; let b[T - t] = v + 0.9 * b[T - t + 1] }\n  factor b[1]",
       "x: real[T] ~ Normal(0, 1)\n  let b[T + 1] = 0.0\n  for t in T..1 by -1 { let v = x[t] * y[t]; let b[t] = v + 0.9 * b[t + 1] }\n  factor b[1]"},
      {"x: real[T] ~ Normal(0, 1)\n  plate i in 1..2 { let b[i, T + 1] = 0.0; for t in 1..T { let b[i, T - t + 1] = x[t] * i + b[i, T - t + 2] } }\n  factor sum(b[1] * b[2])",
       "x: real[T] ~ Normal(0, 1)\n  plate i in 1..2 { let b[i, T + 1] = 0.0; for t in T..1 by -1 { let b[i, t] = x[T - t + 1] * i + b[i, t + 1] } }\n  factor sum(b[1] * b[2])"},
      {"x: real[T] ~ Normal(0, 1)\n  factor sum(tail_sums(x) * y)", "x: real[T] ~ Normal(0, 1)\n  factor sum(tail_plain(x) * y)"}};
  static const char functions[] =
      "fn tail_sums(x: real[M]): real[M] {\n  let r[M] = x[M]\n  for k in 1..M - 1 { let r[M - k] = x[M - k] + r[M - k + 1] }\n  return r\n}\n"
      "fn tail_plain(x: real[M]): real[M] {\n  let r[M] = x[M]\n  for k in M - 1..1 by -1 { let r[k] = x[k] + r[k + 1] }\n  return r\n}\n";
  for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
    double lp[2], of[2][4], at[4] = {0.3, -1.1, 0.7, 1.9};
    for (int i = 0; i < 2; i++) {
      char text[1500];
      snprintf(text, sizeof text, "%smodel m(y: real[T]) {\n  %s\n}\n", functions, pairs[k][i]);
      lp[i] = of_four(text, "{\"y\": [0.5, -0.2, 1.5, 0.9]}", at, of[i]);
    }
    if (memcmp(&lp[0], &lp[1], sizeof lp[0]) || memcmp(of[0], of[1], sizeof of[0])) fail_msg("%s: %.17g against %.17g", pairs[k][0], lp[0], lp[1]);
  }
}

/* log_sum_exp over a range against that of an array, and reads behind min and max: the same density. */
static void test_log_sum_exp(void **state) {
  (void)state;
  static const char *const same[] = {
      "factor log_sum_exp(x[i] * y[i] for i in 1..T)",
      "factor log_sum_exp([x[i] * y[i] for i in 1..T])",
      "let f[1] = x[1]\n for t in 2..T { let f[t] = log_sum_exp(f[t - d] * x[d] for d in 1..min(2, t - 1)) }\n factor f[T]",
      "let f[1] = x[1]\n for t in 2..T { let f[t] = log_sum_exp(f[t - d] * x[d] for d in 1..t - 1 if d <= 2) }\n factor f[T]",
      "let f[1] = x[1]\n for t in 2..T { let f[t] = log_sum_exp(f[s] * x[t - s] for s in max(t - 2, 1)..t - 1) }\n factor f[T]",
      "let f[1] = x[1]\n for t in 2..T { let f[t] = if t == 2 { f[t - 1] * x[1] } else { log_add_exp(f[t - 1] * x[1], f[t - 2] * x[2]) } }\n factor f[T]",
      "factor if log_sum_exp(x[i] for i in 1..T if i > 9) < -1e300 { 1 } else { 2 }",
      "factor if log_sum_exp(-1.0 / (x[i] - x[i])^2 for i in 1..T) < -1e300 { 1 } else { 2 }"};
  static const int first[] = {0, 0, 2, 2, 2, 2, 6, 6};
  double lp[8], grad[8][4], at[4] = {0.3, -1.1, 0.7, 1.9};
  for (int i = 0; i < 8; i++) {
    char text[500];
    snprintf(text, sizeof text, "model m(y: real[T]) {\n x: real[T] ~ Normal(0, 1)\n %s\n}\n", same[i]);
    lp[i] = of_four(text, "{\"y\": [0.5, -0.2, -1.5, 0.9]}", at, grad[i]);
    if (fabs(lp[i] - lp[first[i]]) > 1e-13) fail_msg("%s: %.17g, not %.17g", same[i], lp[i], lp[first[i]]);
    for (int k = 0; k < 4 && first[i] < 6; k++)
      if (!(fabs(grad[i][k] - grad[first[i]][k]) <= 1e-12)) fail_msg("%s: gradient %d", same[i], k);
  }
}

/* A function whose branches return, against the same that chooses its value: the same bits. */
static void test_returns(void **state) {
  (void)state;
  static const char *const of[2] = {
      "fn f(x: real[M], k: int): real[M] {\n  let s = sum(x)\n  if k == 1 { return x } else { if s > 0 { let v = x * s\n return v } else { return rep(k, M) } }\n}\n"
      "fn g(x: real): real { if x > 0 { return 1 } else { return exp(x) } }\n"
      "dist D(mu: real) on real { logpdf(y) { let z = y - mu\n if z < 0 { return 2 * z } else { return -z^2 } } }\n",
      "fn f(x: real[M], k: int): real[M] {\n  let s = sum(x)\n  return if k == 1 { x } else { if s > 0 { x * s } else { rep(k, M) } }\n}\n"
      "fn g(x: real): real = if x > 0 { 1 } else { exp(x) }\n"
      "dist D(mu: real) on real { logpdf(y) = let z = y - mu in if z < 0 { 2 * z } else { -z^2 } }\n"};
  double lp[2], grad[2][4], at[4] = {0.3, -1.1, 0.7, 1.9};
  for (int i = 0; i < 2; i++) {
    char text[1500];
    snprintf(text, sizeof text, "%smodel m(y: real[T]) {\n  x: real[T] ~ Normal(0, 1)\n  y ~ D(x[2])\n  factor sum(f(x, t)[t] * y[t] + f(-x, t)[1] for t in 1..T) + sum(g(x))\n}\n", of[i]);
    lp[i] = of_four(text, "{\"y\": [0.5, -0.2, -1.5, 0.9]}", at, grad[i]);
  }
  assert_memory_equal(&lp[0], &lp[1], sizeof lp[0]);
  assert_memory_equal(grad[0], grad[1], sizeof grad[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_lags), cmocka_unit_test(test_branches), cmocka_unit_test(test_rows_drawn), cmocka_unit_test(test_levels), cmocka_unit_test(test_slices), cmocka_unit_test(test_backwards), cmocka_unit_test(test_returns), cmocka_unit_test(test_log_sum_exp), cmocka_unit_test(test_data_in_a_function)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
