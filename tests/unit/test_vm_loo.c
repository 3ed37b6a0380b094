/* Pointwise log likelihoods against the log likelihood as a whole, PSIS against ArviZ and against the distribution that it fits, and
 * leaving one out against the closed form of a normal model. */
#include "vm/loo.h"
#include "vm/psis.h"
#include "tests/unit/kept_text.h"
#include "tests/unit/task_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- the pieces are those of the whole ----------------------------------------------------------------------------- */

static const char *const models[] = {
    "model m(g: index(J)[N], x: real[N], y: real[N]) {\n  a: real[J] ~ Normal(0, 2)\n  b ~ Normal(0, 1)\n  y ~ Normal(a[g] + b * x, 1.5)\n}\n"
    "infer m on g = [1, 2, 3, 2, 1], x = [1, 2, 3, 4, 5], y = [0.5, -1, 2, 1, 0]",
    "model m(y: real[T]) {\n  r ~ Uniform(-1, 1)\n  for t in 2..T { y[t] ~ Normal(r * y[t - 1], 1) }\n}\ninfer m on y = [1, 0.5, 0.8, -0.2, 0.1]",
    "model m(y: real[T]) {\n  r ~ Uniform(-1, 1)\n  for t in 1..T - 1 { y[T - t] ~ Normal(r * y[T - t + 1], 1) }\n}\ninfer m on y = [1, 0.5, 0.8, -0.2, 0.1]",
    "model m(y: real[A, B], z: int[B, A]) {\n  u ~ Normal(0, 1)\n  plate a in 1..A { plate b in 1..B {\n    y[a, b] ~ Normal(u * b, 2)\n    z[b, a] ~ Poisson(exp(u))\n  } }\n}\n"
    "infer m on y = [[1, 2, 3], [4, 5, 6]], z = [[1, 0], [2, 3], [0, 5]]",
    "model m(c: bool[N], y: real[N], k: int[N]) {\n  u ~ Normal(0, 1)\n  plate i in 1..N {\n    if c[i] { y[i] ~ Normal(u, 1) } else { y[i] ~ Normal(-u, 2) }\n"
    "    if c[i] { k[i] ~ Poisson(exp(u)) }\n  }\n}\ninfer m on c = [0, 1, 1, 0], y = [1, 2, 3, 4], k = [3, 1, 4, 1]",
    "model m(w: simplex(3)[N], y: real) {\n  a: real<lower = 0>[3] ~ Gamma(2, 1)\n  w ~ Dirichlet(a)\n  y ~ Normal(a[1], 1)\n}\n"
    "infer m on w = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]], y = 1.25",
    "model m(at: index(N)[N], y: real[N]) {\n  u ~ Normal(0, 1)\n  plate i in 1..N { y[at[i]] ~ Normal(u * i, 1) }\n}\ninfer m on at = [3, 1, 2], y = [1, 2, 3]",
    "model m(y: real[N]) {\n  u ~ Normal(0, 1)\n  y[1] ~ Normal(u, 1)\n  y[2] ~ Normal(2 * u, 1)\n  for i in 3..N { y[i] ~ Normal(u, i) }\n}\ninfer m on y = [1, 2, 3, 4, 5]",
};

static void test_sums(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof models / sizeof models[0]; k++) {
    fixture f;
    f = open_task(models[k], (opening){0});
    aim_set_int(f.t, "warmup", 50), aim_set_int(f.t, "draws", 20), aim_set_int(f.t, "chains", 2);
    expect_ok(&f, aim_set_text(f.t, "pointwise", "on"));
    expect_ok(&f, aim_run(f.t, NULL));
    aim_task *whole;
    aim_evaluator *e;
    assert_int_equal(aim_task_statement(f.p, 0, &whole), AIM_OK);
    assert_int_equal(aim_evaluator_new(whole, &e), AIM_OK);
    double *latents = calloc(aim_cells(e) + 1, sizeof *latents);
    for (int c = 0; c < 2; c++)
      for (size_t d = 0; d < 20; d++) {
        size_t at = 0, n;
        aim_quantity q;
        for (size_t i = 0; aim_quantity_get(f.t, i, &q) == AIM_OK; at += q.cells, i++) aim_draw_get(f.t, c, d, i, latents + at);
        aim_score s;
        assert_int_equal(aim_score_get(e, latents, &s), AIM_OK);
        double sum = 0, size = 0;
        aim_observed o;
        for (size_t i = 0; aim_observed_get(f.t, i, &o) == AIM_OK; i++)
          for (size_t j = 0; j < o.cells; j++) {
            const double *ll = aim_loglik(f.t, c, i, j, &n);
            assert_true(ll && n == 20 && isfinite(ll[d]));
            sum += ll[d], size += fabs(ll[d]);
          }
        /* Passes round the whole and the pieces each in its own way. */
        if (!(fabs(sum - s.likelihood) <= 1e-12 * size)) fail_msg("model %zu: %.17g is not %.17g", k, sum, s.likelihood);
      }
    free(latents);
    aim_evaluator_free(e);
    aim_task_free(whole);
    close_fixture(&f);
  }
}

/* Which element has which piece. */
static void test_places(void **state) {
  (void)state;
  fixture f;
  f = open_task(models[3], (opening){0});
  aim_set_int(f.t, "warmup", 50), aim_set_int(f.t, "draws", 5), aim_set_int(f.t, "chains", 1);
  aim_set_text(f.t, "pointwise", "on");
  expect_ok(&f, aim_run(f.t, NULL));
  static const double y[6] = {1, 2, 3, 4, 5, 6}, z[6] = {1, 0, 2, 3, 0, 5};
  const double *u = aim_draws(f.t, 0, 0, 0);
  size_t n;
  for (size_t d = 0; d < 5; d++)
    for (size_t k = 0; k < 6; k++) {
      double r = (y[k] - u[d] * (double)(k % 3 + 1)) / 2;
      assert_true(fabs(aim_loglik(f.t, 0, 0, k, &n)[d] - (-0.5 * r * r - log(2) - 0.5 * log(2 * M_PI))) < 1e-12 * (1 + r * r));
      double want = z[k] * u[d] - exp(u[d]) - lgamma(z[k] + 1);
      assert_true(fabs(aim_loglik(f.t, 0, 1, k, &n)[d] - want) < 1e-12 * (10 + exp(u[d])));
    }
  assert_null(aim_loglik(f.t, 0, 2, 0, &n));
  assert_null(aim_loglik(f.t, 1, 0, 0, &n));
  close_fixture(&f);
}

/* Draws of few steps share their frames; so do whole numbers, which frames hold as such. */
static void test_shared(void **state) {
  (void)state;
  fixture f;
  f = open_task("model m(N: int, y: real) {\n  a: real[N] ~ Normal(0, 1)\n  k: int[N] ~ Poisson(3)\n  y ~ Normal(sum(a) + sum(k), 2)\n}\n"
                 "infer m on N = 2000, y = 6001 with mh(steps = 3), warmup = 5, draws = 200, chains = 2", (opening){0});
  assert_int_equal(aim_set_text(f.t, "pointwise", "on"), AIM_OK);
  expect_ok(&f, aim_run(f.t, NULL));
  static double a[2000], k[2000];
  double last = 0;
  int moved = 0;
  for (int c = 0; c < 2; c++)
    for (size_t d = 0; d < 200; d++) {
      size_t n;
      double sum = 0;
      aim_draw_get(f.t, c, d, 0, a), aim_draw_get(f.t, c, d, 1, k);
      for (int i = 0; i < 2000; i++) sum += a[i] + k[i];
      double r = (6001 - sum) / 2, want = -0.5 * r * r - log(2) - 0.5 * log(2 * M_PI), got = aim_loglik(f.t, c, 0, 0, &n)[d];
      assert_true(fabs(got - want) < 1e-11 * (fabs(r) * 6001 + r * r + 1)); /* sums of 4000 terms in other orders */
      moved += got != last;
      last = got;
    }
  assert_true(moved > 50);
  close_fixture(&f);
}

/* --- smoothing ----------------------------------------------------------------------------------------------------- */

static double unit(uint64_t i) {
  uint64_t z = i * UINT64_C(0x9E3779B97F4A7C15) + UINT64_C(0xD1B54A32D192ED03);
  z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
  return (double)((z ^ z >> 31) >> 11) * 0x1p-53 + 0x1p-54;
}

static int near(double x, double want) { return fabs(x - want) <= 1e-9 * fmax(1, fabs(want)); }

static void test_arviz(void **state) {
  (void)state;
  enum { CHAINS = 4, DRAWS = 250, N = 6, S = CHAINS * DRAWS };
  static double ll[N][S], work[1 << 16];
  assert_true(loo_doubles(CHAINS, DRAWS) <= 1 << 16);
  for (size_t k = 0; k < N; k++)
    for (size_t s = 0; s < S; s++) ll[k][s] = -1.5 + 0.15 * (double)(k + 1) * log(unit(s + 5000 * k));
  FILE *in = fopen("tests/loo/loo.txt", "r");
  assert_non_null(in);
  loo_point p[N];
  for (int line = 0; line < 2 * N; line++) {
    int k;
    double efficiency, shape, elpd;
    assert_int_equal(fscanf(in, "%d %lf %lf %lf", &k, &efficiency, &shape, &elpd), 4);
    loo_point q;
    loo_observe(ll[k], CHAINS, DRAWS, DRAWS, efficiency, work, &q);
    if (!near(q.k, shape) || !near(q.elpd, elpd)) fail_msg("%d, %g: k %.15g is not %.15g, elpd %.15g is not %.15g", k, efficiency, q.k, shape, q.elpd, elpd);
    if (efficiency == 1) p[k] = q;
  }
  loo_total x;
  loo_sum(p, N, S, &x);
  const double ddof = sqrt(N / (N - 1.0)), waic_ddof = S / (S - 1.0); /* ArviZ divides both variances by n */
  double elpd, se, effective;
  assert_int_equal(fscanf(in, " loo %lf %lf %lf", &elpd, &se, &effective), 3);
  assert_true(near(x.elpd, elpd) && near(x.elpd_se, se * ddof) && near(x.p, effective));
  assert_int_equal(fscanf(in, " waic %lf %lf %lf", &elpd, &se, &effective), 3);
  assert_true(near(x.p_waic, effective * waic_ddof) && near(x.waic, elpd + effective - effective * waic_ddof));
  assert_int_equal(x.n_bad, 2);
  assert_true(near(x.threshold, 1 - 1 / log10(S)));
  fclose(in);
}

/* Quantiles of the distribution itself: the fit finds shape and scale, but for its pull towards 1/2. */
static void test_fit(void **state) {
  (void)state;
  enum { N = 20000 };
  static double x[N], work[1024];
  for (double k = -0.4; k < 1.3; k += 0.2) {
    for (int i = 0; i < N; i++) {
      double q = -log1p(-((double)i + 0.5) / N);
      x[i] = 3 * (fabs(k) < 1e-9 ? q : expm1(k * q) / k);
    }
    double shape, scale;
    psis_fit(x, N, work, &shape, &scale);
    if (fabs(shape - k) > 0.02 || fabs(scale / 3 - 1) > 0.02) fail_msg("shape %g and scale %g for %g and 3", shape, scale, k);
  }
}

static void test_smooth_edges(void **state) {
  (void)state;
  double work[512], x[40];
  assert_true(psis_doubles(40) <= 512);
  for (int i = 0; i < 40; i++) x[i] = 700; /* equal: no tail, equal weights */
  assert_true(psis_smooth(x, 40, 1, work) == -(double)INFINITY);
  for (int i = 0; i < 40; i++) assert_true(fabs(x[i] + log(40)) < 1e-14);
  for (int i = 0; i < 40; i++) x[i] = i ? -(double)INFINITY : 3; /* one draw has all the weight */
  assert_true(psis_smooth(x, 40, 1, work) == (double)INFINITY);
  assert_true(x[0] == 0 && isinf(x[1]));
  x[7] = NAN;
  assert_true(isnan(psis_smooth(x, 40, 1, work)));
  assert_true(psis_log_sum_exp(x, 0) == -(double)INFINITY);
  double sum = 0;
  for (int i = 0; i < 40; i++) x[i] = 5 * unit((uint64_t)i);
  assert_true(isfinite(psis_smooth(x, 40, 1, work)));
  for (int i = 0; i < 40; i++) sum += exp(x[i]);
  assert_true(fabs(sum - 1) < 1e-14);
}

/* --- leaving one out ----------------------------------------------------------------------------------------------- */

/* y[i] ~ Normal(mu, 1), mu ~ Normal(0, 10): without y[i] the predictive distribution is Normal(m, v + 1), v = 1 / (n - 1 + 1/100),
 * m = v (sum y - y[i]).  The error of an elpd_i is about sqrt(p_waic_i / draws); the sum of these bounds that of the total, at z = 4.9. */
static void test_closed_form(void **state) {
  (void)state;
  enum { N = 12 };
  static const double y[N] = {-1.2, 0.3, 2.1, 0.8, -0.5, 1.7, 0.2, 1.1, -2.0, 0.9, 1.4, 0.6};
  fixture f;
  f = open_task("model m(y: real[N]) {\n  mu ~ Normal(0, 10)\n  y ~ Normal(mu, 1)\n}\n"
                 "infer m on y = [-1.2, 0.3, 2.1, 0.8, -0.5, 1.7, 0.2, 1.1, -2.0, 0.9, 1.4, 0.6] with nuts, draws = 2000", (opening){0});
  aim_set_text(f.t, "pointwise", "on");
  expect_ok(&f, aim_run(f.t, NULL));
  aim_loo l;
  expect_ok(&f, aim_loo_get(f.t, &l));
  double exact = 0, sum = 0, mean = 0;
  for (int i = 0; i < N; i++) sum += y[i];
  const double v = 1 / (N - 1 + 0.01);
  for (int i = 0; i < N; i++) {
    double r = y[i] - v * (sum - y[i]);
    exact += -0.5 * log(2 * M_PI * (v + 1)) - 0.5 * r * r / (v + 1);
  }
  aim_summary s;
  assert_int_equal(aim_summarise(f.t, 0, 0, &s), AIM_OK);
  mean = s.ess_bulk;
  const double bound = 4.9 * N * sqrt(l.p_waic / N / mean);
  if (fabs(l.elpd - exact) > bound) fail_msg("%g is not %g within %g", l.elpd, exact, bound);
  /* The wrong one: what the draws say of observations that they have seen. */
  assert_true(fabs(l.elpd + l.p - exact) > bound);
  assert_true(fabs(l.waic - exact) < bound + 0.05);
  assert_int_equal(l.observations, N);
  assert_int_equal(l.bad, 0);
  assert_true(l.max_k < 0.5);
  close_fixture(&f);
}

static void test_text(void **state) {
  (void)state;
  fixture f;
  f = open_task("model m(y: real[N], k: int[N]) {\n  mu ~ Normal(0, 10)\n  s ~ HalfNormal(5)\n  y ~ Normal(mu, s)\n  for i in 2..N { k[i] ~ Poisson(3) }\n}\n"
                 "infer m on y = [1, 2, 1.5, 90], k = [1, 2, 3, 4]", (opening){0});
  aim_set_text(f.t, "pointwise", "on");
  expect_ok(&f, aim_run(f.t, NULL));
  text said = {0};
  expect_ok(&f, aim_loo_write(f.t, keep, &said));
  const double *k;
  assert_int_equal(aim_loo_points(f.t, NULL, &k), AIM_OK);
  assert_true(k[3] > 0.7 && k[0] < 0.7);
  if (!strstr(said.s, "7 observations of y, k, 4000 draws") || !strstr(said.s, "\nPareto k above 0.70 for 1 of 7 observations: y[4] ")) fail_msg("%s", said.s);
  close_fixture(&f);

  f = open_task("model m(y: real[N]) {\n  z: bool[N] ~ Bernoulli(0.5)\n  y ~ Normal(z, 1)\n}\ninfer m on y = [1, 0.2, 1.5] with mh, warmup = 50, draws = 100", (opening){0});
  aim_set_text(f.t, "pointwise", "on");
  expect_ok(&f, aim_run(f.t, NULL));
  said = (text){0};
  expect_ok(&f, aim_loo_write(f.t, keep, &said));
  if (!strstr(said.s, "\nfor observations given the draws of z: ")) fail_msg("%s", said.s);
  close_fixture(&f);

  static const struct { const char *set, *value, *want; } wrong[] = {
      {"method", "prior", "draws from the prior have not seen the observations"}, {"save", "[s]", "the likelihood of an observation needs all latents"}};
  for (size_t k = 0; k < 2; k++) {
    f = open_task("model m(y: real[N]) {\n  mu ~ Normal(0, 10)\n  s ~ HalfNormal(5)\n  y ~ Normal(mu, s)\n}\ninfer m on y = [1, 2, 1.5, 90]", (opening){0});
    aim_set_text(f.t, "pointwise", "on");
    assert_int_equal(aim_set_text(f.t, wrong[k].set, wrong[k].value), AIM_OK);
    assert_int_equal(aim_run(f.t, NULL), AIM_OK);
    aim_loo l;
    assert_int_equal(aim_loo_get(f.t, &l), AIM_E_PROGRAM);
    text said = {0};
    aim_task_messages(f.t, 0, keep, &said);
    if (!strstr(said.s, wrong[k].want)) fail_msg("%s", said.s);
    close_fixture(&f);
  }
}

/* Each allocation of what comes after the run failing: a status, nothing kept, and what is asked for again is there. */
static void test_memory(void **state) {
  (void)state;
  size_t failed = 0;
  double elpd = NAN;
  for (size_t at = 1;; at++) {
    host h = {.persistent = true};
    fixture f = open_task(models[0], (opening){.memory = &h});
    aim_set_int(f.t, "warmup", 5), aim_set_int(f.t, "draws", 10), aim_set_int(f.t, "chains", 2);
    aim_set_text(f.t, "pointwise", "on");
    expect_ok(&f, aim_run(f.t, NULL));
    h.fail_at = h.calls + at;
    aim_loo l;
    const size_t before = h.calls;
    aim_status st = aim_loo_get(f.t, &l);
    const bool reached = h.calls - before >= at;
    assert_int_equal(st, reached ? AIM_E_MEMORY : AIM_OK);
    failed += reached;
    h.fail_at = 0;
    aim_loo again;
    assert_int_equal(aim_loo_get(f.t, &again), AIM_OK);
    if (at == 1) elpd = again.elpd;
    assert_true(again.elpd == elpd && again.observations > 1);
    close_fixture(&f);
    assert_int_equal(h.bytes, 0);
    if (!reached) break;
  }
  assert_true(failed >= 3);
}

/* What is missing is no observation, whether the model sums over it or, because it is read elsewhere, draws it. */
static void test_missing(void **state) {
  (void)state;
  static const char *const texts[] = {"model m(y: real[T]) {\n  a ~ Normal(0, 1)\n  y ~ Normal(a, 1)\n}\ninfer m",
                                      "model m(y: real[T]) {\n  a ~ Normal(0, 1)\n  y[1] ~ Normal(0, 1)\n  for t in 2..T { y[t] ~ Normal(a * y[t - 1], 1) }\n}\ninfer m"};
  static const double y[6] = {0.3, 1.2, 0.0, -0.4, 0.0, 0.8};
  static const uint8_t gone[6] = {0, 0, 1, 0, 1, 0};
  static const int64_t dims[1] = {6};
  for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
    fixture f;
    aim_loo l;
    f = open_task(texts[k], (opening){0});
    expect_ok(&f, aim_data_f64(f.t, "y", y, 1, dims));
    expect_ok(&f, aim_data_missing(f.t, "y", gone));
    aim_set_int(f.t, "warmup", 100), aim_set_int(f.t, "draws", 50), aim_set_int(f.t, "chains", 2);
    expect_ok(&f, aim_set_text(f.t, "pointwise", "on"));
    expect_ok(&f, aim_run(f.t, NULL));
    expect_ok(&f, aim_loo_get(f.t, &l));
    assert_int_equal((int)l.observations, 4);
    for (size_t cell = 0; cell < 6; cell++) {
      size_t draws;
      const double *ll = aim_loglik(f.t, 0, 0, cell, &draws);
      for (size_t d = 0; d < draws; d++)
        if ((ll[d] == 0.0) != gone[cell]) fail_msg("element %zu has %g", cell + 1, ll[d]);
    }
    close_fixture(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sums), cmocka_unit_test(test_missing), cmocka_unit_test(test_places), cmocka_unit_test(test_shared), cmocka_unit_test(test_arviz), cmocka_unit_test(test_fit),
      cmocka_unit_test(test_smooth_edges), cmocka_unit_test(test_closed_form), cmocka_unit_test(test_text), cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
