/* test_vm_missing.c: missing values of observed arrays against closed forms.
 *
 *   left out    what nothing else reads: the log density, its gradient and the pointwise terms are those of the data without the rows,
 *               1e-12 of the terms; data with any value in the places must be told apart
 *   drawn       these elements have the predictive distribution: mean and variance within 4.9 standard errors (false alarm 1e-6), and
 *               the mean of another row must fail
 *   read        what other elements read: the density of the missing ones is the normal one of a Kalman smoother (Rauch, Tung and
 *               Striebel 1965), or of a conditional normal.  Its gradient, which is linear, is 0 at the smoothed means and
 *               its negative inverse derivative has the smoothed variances: 1e-10.  The filter's means must fail */
#include "tests/model_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 16 };

/* ---- left out */

typedef struct case_ {
  const char *model, *missing, *rest, *filled; /* data with null, without these rows, with some value there */
  bool summed;
} case_;

static const case_ cases[] = {
    {"model m(y: real[N], x: real[N]) { a ~ Normal(0, 5); b ~ Normal(0, 5); s ~ HalfNormal(1)\n plate i in 1..N { y[i] ~ Normal(a + b * x[i], s) } }",
     "{\"y\": [0.3, null, 1.1, null, 2.5], \"x\": [1, 2, 3, 4, -1]}", "{\"y\": [0.3, 1.1, 2.5], \"x\": [1, 3, -1]}",
     "{\"y\": [0.3, 0.3, 1.1, 0.3, 2.5], \"x\": [1, 2, 3, 4, -1]}", false},
    {"model m(y: real[N], x: real[N]) { a ~ Normal(0, 5); b ~ Normal(0, 5)\n y ~ StudentT(4, a + b * x, 1)\n predict y }",
     "{\"y\": [null, 1.1, 2.5], \"x\": [1, 3, -1]}", "{\"y\": [1.1, 2.5], \"x\": [3, -1]}", "{\"y\": [1.1, 1.1, 2.5], \"x\": [1, 3, -1]}", false},
    {"model m(y: int[N], x: real[N]) { a ~ Normal(0, 5); b ~ Normal(0, 5)\n plate i in 1..N { y[i] ~ Poisson(log = a + b * x[i]) } }",
     "{\"y\": [3, null, 0, 7], \"x\": [1, 2, 3, -1]}", "{\"y\": [3, 0, 7], \"x\": [1, 3, -1]}", "{\"y\": [3, 3, 0, 7], \"x\": [1, 2, 3, -1]}", false},
    {"model m(y: bool[N], x: real[N]) { a ~ Normal(0, 5)\n for i in 1..N { if x[i] > 0 { y[i] ~ Bernoulli(logit = a * x[i]) } else { y[i] ~ Bernoulli(logit = a) } } }",
     "{\"y\": [1, null, 0, null], \"x\": [1, 2, 3, -1]}", "{\"y\": [1, 0], \"x\": [1, 3]}", "{\"y\": [1, 1, 0, 1], \"x\": [1, 2, 3, -1]}", false},
    {"model m(y: real[N], x: real[N]) { a ~ Normal(0, 5)\n plate i in 1..N { y[i] ~ truncated(Normal(a, 2), lower = min(x)) } }",
     "{\"y\": [1, null, 0.5, 4], \"x\": [1, 2, -3, 1]}", "{\"y\": [1, 0.5, 4], \"x\": [1, -3, 1]}", "{\"y\": [1, 1, 0.5, 4], \"x\": [1, 2, -3, 1]}", false},
    {"model m(y: real[N], x: real[N]) { w ~ Dirichlet([1.0, 1.0]); mu: ordered(2) ~ Normal(0, 5)\n"
     " plate i in 1..N { k[i] ~ Categorical(w); y[i] ~ Normal(mu[k[i]] + x[i], 1) } }",
     "{\"y\": [1, null, 0.5, 4], \"x\": [1, 2, -3, 1]}", "{\"y\": [1, 0.5, 4], \"x\": [1, -3, 1]}", "{\"y\": [1, 1, 0.5, 4], \"x\": [1, 2, -3, 1]}", true},
};

static void open_with(model_run *r, const case_ *c, const char *json) {
  const unsigned need = NEED_LOGDENS | NEED_GRAD | NEED_OUTPUTS | NEED_LOGLIK;
  const char *why;
  bool ok = c->summed ? model_try_summed(r, c->model, json, need, &why) : model_try(r, c->model, json, need, 0, &why);
  if (!ok) fail_msg("%s\n%s", why, c->model);
}

static double differ(const case_ *c, const char *json) {
  model_run a, b;
  double worst = 0, q[MOST], g[MOST], h[MOST];
  open_with(&a, c, c->missing);
  open_with(&b, c, json);
  assert_int_equal(a.dim, b.dim);
  uint64_t seed = 7;
  for (int rep = 0; rep < 20; rep++) {
    for (size_t k = 0; k < a.dim; k++) q[k] = 2.0 * (double)(next_random(&seed) >> 11) * 0x1p-53 - 1.0;
    double x = model_logdens(&a, q), y = model_logdens(&b, q), size = 10 + fabs(y);
    assert_true(fabs(x - model_grad(&a, q, g)) <= 1e-12 * size);
    model_grad(&b, q, h);
    worst = fmax(worst, fabs(x - y) / size);
    for (size_t k = 0; k < a.dim; k++) worst = fmax(worst, fabs(g[k] - h[k]) / (10 * size));
  }
  model_close(&a);
  model_close(&b);
  return worst;
}

static void test_left_out(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    double d = differ(&cases[k], cases[k].rest);
    if (!(d <= 1e-12)) fail_msg("case %zu: off by %g", k, d);
    assert_true(differ(&cases[k], cases[k].filled) > 1e-3);
  }
}

static void test_pointwise(void **state) {
  (void)state;
  model_run a, b;
  double frame[3] = {0.4, -0.2, 1.3}, x[5], y[3];
  open_with(&a, &cases[0], cases[0].missing);
  open_with(&b, &cases[0], cases[0].rest);
  model_loglik(&a, frame, x);
  model_loglik(&b, frame, y);
  for (int k = 0; k < 3; k++) assert_true(x[2 * k] == y[k]);
  assert_true(x[1] == 0 && x[3] == 0);
  model_close(&a);
  model_close(&b);
  model_open(&a, "model m(y: real[N]) { s ~ HalfNormal(1); y[1] ~ Normal(0, 1); for t in 2..N { y[t] ~ Normal(y[t - 1], s) } }", "{\"y\": [1, null, 2]}", NEED_LOGLIK | NEED_DENSITY);
  model_loglik(&a, frame, x);
  assert_true(x[0] != 0 && x[1] == 0 && x[2] != 0);
  model_close(&a);
}

/* ---- drawn */

enum { DRAWS = 20000 };

/* Of the second missing element of a regression: standard errors from the expected mean and from the expected variance. */
static void moments(const case_ *c, const double *frame, double mean, double variance, double fourth, double z[2]) {
  model_run r;
  double sum = 0, squares = 0, out[MOST];
  open_with(&r, c, c->missing);
  const program_output *o = &r.p.output[r.p.noutputs - 1];
  assert_string_equal(o->name, "y_mis");
  assert_false(o->tracked);
  size_t last = 0;
  for (size_t k = 0; k < r.p.noutputs; k++) last += r.p.output[k].cells;
  for (uint64_t k = 1; k <= DRAWS; k++) {
    model_outputs(&r, frame, k * 0x9e3779b97f4a7c15u, out);
    double d = out[last - 1] - mean;
    sum += d;
    squares += d * d;
  }
  z[0] = sum / DRAWS / sqrt(variance / DRAWS);
  z[1] = (squares / DRAWS - variance) / sqrt((fourth - variance * variance) / DRAWS);
  model_close(&r);
}

static void test_drawn(void **state) {
  (void)state;
  double z[2], regression[3] = {0.4, -0.7, 1.3}, s2 = 1.3 * 1.3, counts[2] = {0.5, 0.3}, mean = exp(0.5 + 0.3 * 2);
  moments(&cases[0], regression, 0.4 - 0.7 * 4, s2, 3 * s2 * s2, z);
  assert_true(fabs(z[0]) < 4.9 && fabs(z[1]) < 4.9);
  moments(&cases[0], regression, 0.4 - 0.7 * 2, s2, 3 * s2 * s2, z); /* of the other row */
  assert_true(fabs(z[0]) > 4.9);
  moments(&cases[2], counts, mean, mean, mean + 3 * mean * mean, z);
  assert_true(fabs(z[0]) < 4.9 && fabs(z[1]) < 4.9);
}

/* ---- read elsewhere */

/* The inverse of a [n, n], by elimination; a is positive definite. */
static void invert(size_t n, double a[MOST][MOST], double inverse[MOST][MOST]) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) inverse[i][j] = i == j;
  for (size_t p = 0; p < n; p++) {
    double d = a[p][p];
    for (size_t j = 0; j < n; j++) a[p][j] /= d, inverse[p][j] /= d;
    for (size_t i = 0; i < n; i++) {
      double f = a[i][p];
      for (size_t j = 0; j < n && i != p; j++) a[i][j] -= f * a[p][j], inverse[i][j] -= f * inverse[p][j];
    }
  }
}

/* How far the density of r's unknowns is from the normal one with these means and variances. */
static double off(model_run *r, const double *mean, const double *variance) {
  size_t n = r->dim;
  double g[MOST], h[MOST], q[MOST], precision[MOST][MOST], covariance[MOST][MOST], worst = 0;
  model_grad(r, mean, g);
  for (size_t j = 0; j < n; j++) {
    worst = fmax(worst, fabs(g[j]));
    memcpy(q, mean, n * sizeof *q);
    q[j] += 1;
    model_grad(r, q, h);
    for (size_t i = 0; i < n; i++) precision[i][j] = g[i] - h[i];
  }
  invert(n, precision, covariance);
  for (size_t j = 0; j < n; j++) worst = fmax(worst, fabs(covariance[j][j] - variance[j]));
  return worst;
}

static void test_smoother(void **state) {
  (void)state;
  enum { T = 9 };
  const double phi = 0.8, s = 0.7, y[T] = {NAN, 0.4, 1.2, NAN, NAN, -0.5, 0.1, 0.9, NAN};
  double m[T], p[T], before[T], mean[T], variance[T], smoothed[T], spread[T], filtered[T];
  for (int t = 0; t < T; t++) {
    m[t] = t ? phi * m[t - 1] : 0;
    before[t] = p[t] = t ? phi * phi * p[t - 1] + s * s : s * s / (1 - phi * phi);
    if (!isnan(y[t])) m[t] = y[t], p[t] = 0;
  }
  for (int t = T - 1; t >= 0; t--) {
    mean[t] = m[t], variance[t] = p[t];
    if (t == T - 1) continue;
    double gain = p[t] * phi / before[t + 1];
    mean[t] += gain * (mean[t + 1] - phi * m[t]);
    variance[t] += gain * gain * (variance[t + 1] - before[t + 1]);
  }
  size_t n = 0;
  for (int t = 0; t < T; t++)
    if (isnan(y[t])) smoothed[n] = mean[t], spread[n] = variance[t], filtered[n++] = m[t];
  const char *const models[] = {
      "model ar(y: real[T], phi: real, s: real) { y[1] ~ Normal(0, s / sqrt(1 - phi^2)); for t in 2..T { y[t] ~ Normal(phi * y[t - 1], s) } }",
      "model ar(y: real[T], phi: real, s: real) { y[1] ~ Normal(0, s / sqrt(1 - phi^2)); y[2..T] ~ Normal(phi * y[1..T - 1], s) }"};
  for (int k = 0; k < 2; k++) {
    model_run r;
    model_open(&r, models[k], "{\"phi\": 0.8, \"s\": 0.7, \"y\": [null, 0.4, 1.2, null, null, -0.5, 0.1, 0.9, null]}", NEED_GRAD);
    assert_int_equal(r.dim, n);
    assert_string_equal(r.p.site[0].name, "y_mis");
    assert_true(off(&r, smoothed, spread) < 1e-10);
    assert_true(off(&r, filtered, spread) > 1e-3);
    model_close(&r);
  }
}

static void test_part_of_a_vector(void **state) {
  (void)state;
  model_run r;
  model_open(&r, "model mv(y: real[N, 2]) { y ~ MultiNormal([1.0, 2.0], [[2.0, 0.6], [0.6, 1.0]]) }", "{\"y\": [[0.5, null], [1, 1], [null, 3]]}", NEED_GRAD);
  double mean[2] = {2 + 0.3 * (0.5 - 1), 1 + 0.6 * (3 - 2)}, variance[2] = {1 - 0.3 * 0.6, 2 - 0.6 * 0.6};
  assert_int_equal(r.dim, 2);
  assert_true(off(&r, mean, variance) < 1e-10);
  mean[0] = 2; /* as if it did not depend on the other element */
  assert_true(off(&r, mean, variance) > 1e-3);
  model_close(&r);
}

/* A missing value lies where its type and its distribution agree. */
static void test_support(void **state) {
  (void)state;
  model_run r;
  double q[2] = {-0.5, 30}, frame[2];
  model_open(&r, "model g(y: real<upper = top>[N], top: real) { y[1] ~ Gamma(2, 1); for t in 2..N { y[t] ~ Gamma(2, 1 + y[t - 1]) } }",
             "{\"y\": [0.5, null, 2, null], \"top\": 3}", NEED_GRAD);
  assert_int_equal(model_site(&r, "y_mis")->site->support, IR_SUP_INTERVAL);
  model_constrain(&r, q, frame);
  assert_true(fabs(frame[0] - 3 / (1 + exp(0.5))) < 1e-14 && fabs(frame[1] - 3) < 1e-9);
  model_close(&r);
}

/* An unknown that only other elements read would have no distribution. */
static void test_unobserved(void **state) {
  (void)state;
  static const char model[] = "model m(y: real[N]) { a ~ Normal(0, 1); for t in 3..N { y[t] ~ Normal(a * y[t - 2], 1) } }";
  model_run r;
  const char *why;
  assert_false(model_try(&r, model, "{\"y\": [1, null, 2, 3]}", NEED_GRAD, 0, &why));
  assert_non_null(strstr(why, "`y[2]` is missing, and no statement observes it"));
  model_close(&r);
  model_open(&r, model, "{\"y\": [1, 0, null, 3]}", NEED_GRAD);
  assert_int_equal(r.dim, 2);
  model_close(&r);
}

/* ---- integers that are read */

typedef struct whole {
  const char *model, *missing; /* the data, with null */
  const char *filled[8];       /* with every value in the places: their densities add up */
  bool summed;
} whole;

static const whole wholes[] = {
    {"model m(y: real[N], k: index(3)[N]) { mu: real[3] ~ Normal(0, 3)\n plate i in 1..N { k[i] ~ Categorical([0.2, 0.3, 0.5]); y[i] ~ Normal(mu[k[i]], 1) } }",
     "{\"y\": [1, 2, 3], \"k\": [1, null, 3]}", {"{\"y\": [1, 2, 3], \"k\": [1, 1, 3]}", "{\"y\": [1, 2, 3], \"k\": [1, 2, 3]}", "{\"y\": [1, 2, 3], \"k\": [1, 3, 3]}"}, true},
    {"model m(y: real[N], k: bool[N]) { a ~ Normal(0, 3); p ~ Beta(2, 1)\n plate i in 1..N { k[i] ~ Bernoulli(p) }\n y ~ Normal(a * k, 1) }",
     "{\"y\": [1, 2, 3], \"k\": [null, 1, null]}",
     {"{\"y\": [1, 2, 3], \"k\": [0, 1, 0]}", "{\"y\": [1, 2, 3], \"k\": [0, 1, 1]}", "{\"y\": [1, 2, 3], \"k\": [1, 1, 0]}", "{\"y\": [1, 2, 3], \"k\": [1, 1, 1]}"}, true},
    {"model m(s: spin[2, 2]) { J ~ Normal(0, 1)\n plate i in 1..2, j in 1..2 { s[i, j] ~ Flat(); factor (i + 2 * j) * J * s[i, j] } }",
     "{\"s\": [[1, -1], [null, 1]]}", {"{\"s\": [[1, -1], [-1, 1]]}", "{\"s\": [[1, -1], [1, 1]]}"}, true},
    {"model m(y: real[N], k: int<lower = 1, upper = 3>[N]) { a ~ Normal(0, 3)\n plate i in 1..N { k[i] ~ Poisson(2); y[i] ~ Normal(a * k[i], 1) } }",
     "{\"y\": [1, 2], \"k\": [2, null]}", {"{\"y\": [1, 2], \"k\": [2, 1]}", "{\"y\": [1, 2], \"k\": [2, 2]}", "{\"y\": [1, 2], \"k\": [2, 3]}"}, true},
    {"model m(y: real[T], z: index(2)[T]) { mu: real[2] ~ Normal(0, 3)\n z[1] ~ Categorical([0.3, 0.7])\n for t in 2..T { z[t] ~ Categorical([[0.9, 0.1], [0.2, 0.8]][z[t - 1]]) }\n y ~ Normal(mu[z], 1) }",
     "{\"y\": [1, 2, 3], \"z\": [1, null, 2]}", {"{\"y\": [1, 2, 3], \"z\": [1, 1, 2]}", "{\"y\": [1, 2, 3], \"z\": [1, 2, 2]}"}, false},
};

/* A finite unknown by itself, which other elements read: summed out, the density is that of all its values; as a latent, that of each. */
static void test_whole(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof wholes / sizeof *wholes; k++) {
    const whole *c = &wholes[k];
    double q[4] = {0.4, -0.7, 0.2}, g[4], want = -INFINITY, grad[4] = {0}, lp[8], each[8][4];
    size_t dim = 0;
    int n = 0;
    for (; n < 8 && c->filled[n]; n++) {
      model_run r;
      model_open(&r, c->model, c->filled[n], NEED_GRAD);
      dim = r.dim;
      assert_true(dim <= 4);
      lp[n] = model_grad(&r, q, each[n]);
      double top = fmax(want, lp[n]);
      want = top + log(exp(want - top) + exp(lp[n] - top));
      model_close(&r);
    }
    for (int i = 0; i < n; i++)
      for (size_t j = 0; j < dim; j++) grad[j] += exp(lp[i] - want) * each[i][j];
    model_run r;
    const char *why = NULL;
    if (c->summed) {
      if (!model_try_summed(&r, c->model, c->missing, NEED_GRAD, &why)) fail_msg("case %zu: %s", k, why);
      assert_int_equal(r.dim, dim);
      double got = model_grad(&r, q, g);
      if (!(fabs(got - want) <= 1e-12 * (10 + fabs(want)))) fail_msg("case %zu: %.15g, not %.15g", k, got, want);
      for (size_t j = 0; j < dim; j++)
        if (!(fabs(g[j] - grad[j]) <= 1e-12 * (10 + fabs(grad[j])))) fail_msg("case %zu: derivative %zu is %.15g, not %.15g", k, j, g[j], grad[j]);
      model_close(&r);
    }
    /* The first unknown that is missing has its least value in the first line, and its greatest in the last. */
    model_open(&r, c->model, c->missing, NEED_DENSITY);
    size_t at = 0, cells = 0;
    for (size_t i = 0; i < r.p.nsites; i++)
      if (strstr(r.p.site[i].name, "_mis") && r.p.site[i].discrete) at = r.p.site[i].at, cells = r.p.site[i].cells;
    assert_true(cells > 0);
    double frame[8] = {0.4, 0.3, 0.3}, part[3], low = 0, all;
    for (size_t j = 0; j < cells; j++) frame[at + j] = strstr(c->model, "spin") ? -1 : strstr(c->model, "bool") ? 0 : 1;
    all = model_density(&r, frame, part);
    model_close(&r);
    model_open(&r, c->model, c->filled[0], NEED_DENSITY);
    double other[8] = {0};
    size_t to = 0;
    for (size_t j = 0; to < r.cells; j++)
      if (j < at || j >= at + cells) other[to++] = frame[j];
    low = model_density(&r, other, part);
    if (!(fabs(all - low) <= 1e-12 * (10 + fabs(low)))) fail_msg("case %zu: %.15g at the first values, not %.15g", k, all, low);
    model_close(&r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_left_out), cmocka_unit_test(test_pointwise),        cmocka_unit_test(test_drawn),
                                     cmocka_unit_test(test_smoother), cmocka_unit_test(test_part_of_a_vector), cmocka_unit_test(test_support),
                                     cmocka_unit_test(test_unobserved), cmocka_unit_test(test_whole)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
