/* test_vm_start_search.c: where gibbs, slice and mh begin when no draw from the prior is possible (vm/start_search.h).
 *
 *   every chain of each model finds a start, under each method and several seeds; that draws from the prior alone would not do is seen from `importance`, all of
 *     whose particles have weight 0;
 *   what is drawn from there agrees with closed forms, or with nuts with the finite unknowns summed out: means within 4.9 standard errors of the difference, a false
 *     alarm once in a million for each.  A chain that stays where the search left it is the wrong twin, and has to fail that;
 *   data that nothing makes possible end in E0911, which shows the statement. */
#include "tests/unit/task_fixture.h"

#include <math.h>

/* Capture and recapture: an animal that is seen lives until then. */
#define CAPTURE                                                                                                                              \
  "model capture(y: bool[N, T], first: int[N]) {\n  phi ~ Beta(1, 4)\n  p ~ Beta(1, 1)\n  plate i in 1..N {\n"                               \
  "    for t in 1..T { if t <= first[i] { z[i, t] ~ Bernoulli(1) } else { z[i, t] ~ Bernoulli(z[i, t - 1] * phi) } }\n"                      \
  "    for t in first[i] + 1..T { y[i, t] ~ Bernoulli(z[i, t] * p) }\n  }\n}\n"                                                              \
  "infer capture on first = [1, 2, 1, 4, 1, 3], y = [[1, 0, 0, 0, 0, 0, 0, 0, 0, 1], [0, 1, 1, 0, 0, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0, 1, 0, 0, 0],"  \
  " [0, 0, 0, 1, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 1, 0, 0, 1, 0, 0]]"
/* A chain with three states of which one is not left. */
#define STAGES                                                                                                                               \
  "model stages(y: int[T], P: real[3, 3], Q: real[3, 3]) {\n  a ~ Normal(0, 1)\n  s[1] ~ Categorical([1.0, 0.0, 0.0])\n"                     \
  "  for t in 2..T { s[t] ~ Categorical(P[s[t - 1]]) }\n  plate t in 1..T { y[t] ~ Categorical(Q[s[t]]) }\n  factor 0.3 * a * sum(1.0 * (s[t] == 2) for t in 1..T)\n}\n" \
  "infer stages on P = [[0.2, 0.2, 0.6], [0, 0.2, 0.8], [0, 0, 1]], Q = [[0.9, 0, 0.1], [0, 0.9, 0.1], [0, 0, 1]], y = [1, 3, 3, 3, 1, 3, 3, 3, 3, 3, 2, 3, 3, 2]"
/* Counts that cannot grow. */
#define DECLINE                                                                                                                              \
  "model decline(y: int[T]) {\n  n[1] ~ Poisson(20)\n  for t in 2..T { n[t] ~ Binomial(n[t - 1], 0.5) }\n  plate t in 1..T { y[t] ~ Binomial(n[t], 0.9) }\n}\n"  \
  "infer decline on y = [30, 29, 28, 26, 26, 25, 24, 24]"
/* Order that factors ask for. */
#define ORDERED                                                                                                                              \
  "model order(n: int) {\n  x: real[n] ~ Normal(0, 1)\n  for i in 1..n - 1 { factor if x[i] < x[i + 1] { 0.0 } else { -inf } }\n}\ninfer order on n = 8"
#define POINTS                                                                                                                               \
  "model points(K: int, T: int) {\n  c: int<lower = 1, upper = T>[K] ~ DiscreteUniform(1, T)\n"                                              \
  "  for k in 1..K - 1 { factor if c[k] < c[k + 1] { 0.0 } else { -inf } }\n}\ninfer points on K = 8, T = 12"
/* Neighbours that differ. */
#define COLOURS                                                                                                                              \
  "model colours(N: int) {\n  k: index(3)[N, N] ~ Categorical(uniform(3))\n"                                                                 \
  "  plate i in 1..N, j in 1..N - 1 { factor if k[i, j] == k[i, j + 1] { -inf } else { 0.0 } }\n"                                            \
  "  plate i in 1..N - 1, j in 1..N { factor if k[i, j] == k[i + 1, j] { -inf } else { 0.0 } }\n}\ninfer colours on N = 7"

static const char *const models[] = {CAPTURE, STAGES, DECLINE, ORDERED, POINTS, COLOURS};

static fixture run_of(const char *model, const char *method, const char *options, int seed, aim_status *st) {
  char text[2048];
  snprintf(text, sizeof text, "%s with %s(%s), seed = %d\n", model, method, options, seed);
  fixture f = open_task(text, (opening){0});
  *st = aim_run(f.t, NULL);
  return f;
}

static void test_found(void **state) {
  (void)state;
  static const char *const methods[] = {"gibbs", "slice", "mh"};
  for (size_t k = 0; k < sizeof models / sizeof *models; k++) {
    aim_status st;
    fixture f = run_of(models[k], "importance", "particles = 1000", 1, &st);
    if (st == AIM_OK) fail_msg("the prior has a possible draw of\n%s", models[k]);
    close_fixture(&f);
    for (size_t m = 0; m < 3; m++)
      for (int seed = 1; seed <= 3; seed++) {
        f = run_of(models[k], methods[m], "warmup = 1, draws = 2", seed, &st);
        expect_ok(&f, st);
        close_fixture(&f);
      }
  }
}

static void mean_of(const fixture *f, const char *name, size_t cell, aim_summary *x) {
  assert_int_equal(aim_summarise(f->t, aim_quantity_find(f->t, name), cell, x), AIM_OK);
}

static bool agrees(const aim_summary *a, double mean, double mcse) { return fabs(a->mean - mean) <= 4.9 * hypot(a->mcse, mcse); }

/* Of chains that begin there; *same of short ones without a warm-up, by which they hardly get away. */
static void test_laws(void **state) {
  (void)state;
  aim_status st;
  aim_summary a, b;
  /* Means of the least and the largest of 8 standard normal numbers, and of the least of 8 numbers chosen from 12: 13 / 9. */
  const double largest = 1.4236003060;
  fixture f = run_of(ORDERED, "gibbs", "warmup = 300, draws = 3000", 1, &st);
  expect_ok(&f, st);
  mean_of(&f, "x", 0, &a);
  if (!agrees(&a, -largest, 0)) fail_msg("least of 8: %g, mcse %g", a.mean, a.mcse);
  mean_of(&f, "x", 7, &a);
  if (!agrees(&a, largest, 0)) fail_msg("largest of 8: %g, mcse %g", a.mean, a.mcse);
  close_fixture(&f);
  f = run_of(POINTS, "mh", "warmup = 500, draws = 8000", 1, &st);
  expect_ok(&f, st);
  mean_of(&f, "c", 0, &a);
  if (!agrees(&a, 13.0 / 9.0, 0)) fail_msg("the first of 8 points: %g, mcse %g", a.mean, a.mcse);
  close_fixture(&f);
  fixture nuts = run_of(CAPTURE, "nuts", "warmup = 500, draws = 1000", 1, &st);
  expect_ok(&nuts, st);
  static const char *const methods[] = {"gibbs", "mh"};
  for (size_t m = 0; m < 2; m++) {
    f = run_of(CAPTURE, methods[m], "warmup = 300, draws = 2000", 1, &st);
    expect_ok(&f, st);
    for (int k = 0; k < 2; k++) {
      mean_of(&nuts, k ? "p" : "phi", 0, &a);
      mean_of(&f, k ? "p" : "phi", 0, &b);
      if (!agrees(&b, a.mean, a.mcse)) fail_msg("%s: mean %d %g (%g), by nuts %g (%g)", methods[m], k, b.mean, b.mcse, a.mean, a.mcse);
    }
    close_fixture(&f);
  }
  /* The wrong twin: one draw for each of 4 chains, where the search ended. */
  double apart = 0.0;
  f = run_of(ORDERED, "gibbs", "warmup = 0, draws = 4, chains = 8", 1, &st);
  expect_ok(&f, st);
  for (int c = 0; c < 8; c++) apart += fabs(aim_draws(f.t, c, aim_quantity_find(f.t, "x"), 7)[0] - largest) / 8;
  if (apart < 0.35) fail_msg("starts are not told from draws: %g from the mean", apart);
  close_fixture(&nuts);
  close_fixture(&f);
}

static void keep_text(void *user, const char *text, size_t n) {
  char *all = user;
  strncat(all, text, n < 4095 - strlen(all) ? n : 4095 - strlen(all));
}

static void test_impossible(void **state) {
  (void)state;
  static const char *const text[][2] = {
      {"model m(y: bool[N]) {\n  p ~ Beta(1, 1)\n  z: bool[N] ~ Bernoulli(p)\n  plate i in 1..N { y[i] ~ Bernoulli(0.0 * z[i]) }\n}\ninfer m on y = [0, 1, 0]", "`y[2]` is impossible"},
      {"model m(N: int) {\n  z: bool[N] ~ Bernoulli(0.5)\n  plate i in 1..N - 1 { factor if z[i] == z[i + 1] { -inf } else { 0.0 } }\n  factor if z[1] == z[3] { -inf } else { 0.0 }\n}\ninfer m on N = 3",
       "by this, or one like it"}};
  for (size_t k = 0; k < 2; k++) {
    aim_status st;
    char all[4096] = "";
    fixture f = run_of(text[k][0], "gibbs", "draws = 10", 1, &st);
    assert_int_not_equal(st, AIM_OK);
    aim_task_messages(f.t, 0, keep_text, all);
    if (!strstr(all, "E0911") || !strstr(all, text[k][1])) fail_msg("%s\ndoes not say: %s", all, text[k][1]);
    close_fixture(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_found), cmocka_unit_test(test_laws), cmocka_unit_test(test_impossible)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
