/* test_vm_empty_bounds.c: bounds of an unknown that depend on two others, between which for half of their values nothing lies.
 *
 * Those values are impossible: they have density 0 by every method, are counted, and told with the line of the unknown.  So the prior is that of the others given
 * that they are in order, and the evidence counts those that are not.  Means and log Z are held against midpoint sums over the others (error below 1e-4,
 * added to the tolerance), within 4.9 errors; of populations, whose error has 15 degrees of freedom, within 7 (test_vm_temper.c). */
#include "tests/unit/statement.h"

#include <math.h>

enum { GRID = 600 };

typedef struct model {
  const char *text;
  bool uniform; /* x is uniform between its bounds; else a normal number cut there */
} model;

static const model models[] = {
    {"model m(y: real) {\n  a ~ Normal(0, 1); b ~ Normal(0, 1)\n  x: real<lower = a, upper = b> ~ Normal(0, 1)\n  y ~ Normal(x, 1)\n}\ninfer m on y = 1 with %s\n", false},
    {"model m(y: real) {\n  a ~ Normal(0, 1); b ~ Normal(0, 1)\n  x ~ truncated(Normal(0, 1), lower = a, upper = b)\n  y ~ Normal(x, 1)\n}\ninfer m on y = 1 with %s\n", false},
    {"model m(y: real) {\n  a ~ Normal(0, 1); b ~ Normal(0, 1)\n  x ~ Uniform(a, b)\n  y ~ Normal(x, 1)\n}\ninfer m on y = 1 with %s\n", true}};
enum { NMODELS = sizeof models / sizeof *models };

static double density(double x) { return exp(-0.5 * x * x) / sqrt(2 * acos(-1.0)); }
static double cdf(double x) { return 0.5 * erfc(-x / sqrt(2)); }

typedef struct truth {
  double log_z, a, prior_a;
} truth;

/* The likelihood of y = 1 integrated over x is N(1; 0, sqrt 2) times the mass of x | y ~ N(1/2, sqrt 1/2) between the bounds, over the mass of x there. */
static truth exact(const model *m) {
  const double h = 12.0 / GRID, r = sqrt(2);
  double z = 0, za = 0, p = 0, pa = 0;
  for (int i = 0; i < GRID; i++)
    for (int j = i; j < GRID; j++) {
      const double a = -6 + (i + (j == i ? 1.0 / 3 : 0.5)) * h, b = -6 + (j + (j == i ? 2.0 / 3 : 0.5)) * h;
      const double w = density(a) * density(b) * h * h * (j == i ? 0.5 : 1.0);
      const double term = m->uniform ? (cdf(1 - a) - cdf(1 - b)) / (b - a) : density(1 / r) / r * (cdf((b - 0.5) * r) - cdf((a - 0.5) * r)) / (cdf(b) - cdf(a));
      if (isnan(term)) continue;
      z += w * term, za += w * term * a;
      p += w, pa += w * a;
    }
  return (truth){log(z), za / z, pa / p};
}

typedef struct outcome {
  double mean, mcse, log_z, error;
} outcome;

/* Also: what was impossible is told with its line, and no draw is NaN or out of order. */
static outcome run_method(const model *m, const char *with, const exec_engine *engine) {
  char text[1000];
  snprintf(text, sizeof text, m->text, with);
  fixture f = open_statement(text, 0, engine);
  expect_ok(&f, aim_run(f.t, NULL));
  outcome r = {NAN, NAN, NAN, NAN};
  aim_summary s;
  const size_t q = aim_quantity_find(f.t, "a");
  if (aim_summarise(f.t, q, 0, &s) == AIM_OK) r.mean = s.mean, r.mcse = s.mcse;
  aim_evidence e;
  if (aim_evidence_get(f.t, &e) == AIM_OK) r.log_z = e.log_evidence, r.error = e.standard_error;
  const eval_faults *faults = &f.t->run.faults;
  const char *at = text + faults->guard_where.off;
  if (!engine && strncmp(with, "gibbs", 5) != 0) assert_true(faults->guards > 0 && strncmp(at, "x", 1) == 0);
  assert_true(faults->nans == 0);
  for (int c = 0; c < aim_chain_count(f.t) && !engine; c++)
    for (size_t k = 0; k < aim_draw_count(f.t, c); k++) {
      double a, b, x;
      assert_int_equal(aim_draw_get(f.t, c, k, q, &a), AIM_OK);
      assert_int_equal(aim_draw_get(f.t, c, k, aim_quantity_find(f.t, "b"), &b), AIM_OK);
      assert_int_equal(aim_draw_get(f.t, c, k, aim_quantity_find(f.t, "x"), &x), AIM_OK);
      assert_true(a <= x && x <= b);
    }
  close_fixture(&f);
  return r;
}

static const char *const methods[] = {"nuts(draws = 4000, target_accept = 0.95)", "gibbs(draws = 20000)", "mh(draws = 40000)", "importance(particles = 40000)", "prior(draws = 20000)",
                                      "ais(particles = 3000, beta = linear(0 -> 1, rungs = 10))",
                                      "population(particles = 500, chains = 16, beta = adaptive(beta = 0 -> 1, ess = 0.5))"};

static bool right(const outcome *r, const truth *t, const char *with) {
  const bool prior = strncmp(with, "prior", 5) == 0, population = strncmp(with, "population", 10) == 0;
  const bool mean = population || fabs(r->mean - (prior ? t->prior_a : t->a)) < 4.9 * r->mcse + 1e-4;
  return mean && (isnan(r->log_z) || fabs(r->log_z - t->log_z) < (population ? 7.0 : 4.9) * r->error + 1e-4);
}

static void test_methods(void **state) {
  (void)state;
  for (size_t k = 0; k < NMODELS; k++) {
    const truth t = exact(&models[k]);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
      const outcome r = run_method(&models[k], methods[i], NULL);
      printf("%zu %s: a %.4f (%.4f), log Z %.4f (%.4f); exact %.4f %.4f\n", k, methods[i], r.mean, r.mcse, r.log_z, r.error, strncmp(methods[i], "prior", 5) ? t.a : t.prior_a, t.log_z);
      if (!right(&r, &t, methods[i])) fail_msg("%s", methods[i]);
    }
  }
}

/* A prior density that forgets what is impossible. */
static void forgets(const exec_arg *in, double *score) {
  (void)in;
  if (*score == -INFINITY) *score = 0;
}

static void test_twin(void **state) {
  (void)state;
  const exec_engine engine = false_engine("density", forgets);
  for (size_t i = 3; i < 5; i++) {
    const truth t = exact(&models[0]);
    const outcome r = run_method(&models[0], methods[i], &engine);
    assert_false(right(&r, &t, methods[i]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_methods), cmocka_unit_test(test_twin)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
