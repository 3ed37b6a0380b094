/* test_vm_centre.c: sites that are sampled as standard variates.
 *
 *  - Exactness: at any z, the log density of z is that of x = from_standard(z) on the support plus log |det dx/dz|, the determinant by
 *    differences in long double.  Every distribution of the library that has a standard variate goes through it, in a scalar, a plate, a
 *    chain and two axes.
 *  - Posteriors: NUTS on z, compared with the moments that @density, which knows nothing of z, has by exact algebra or quadrature.
 *    |estimate - truth| < 4.9 standard errors, one false alarm in a million for each comparison; seeds are fixed.
 *  - Wrong twins: distributions whose standard density does not match, which both kinds of test must catch.
 *  - The pilot: what it measures against the information that is there by construction, and what it decides. */
#include "tests/model_run.h"

#include "stdlib/runtime/rt_sample.h"
#include "vm/diagnose.h"
#include "vm/interp.h"
#include "vm/nuts_chain.h"
#include "vm/pilot.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define Z_MOST 4.9
enum { MOST = 16, NEEDS = NEED_LOGDENS | NEED_GRAD | NEED_DENSITY };

/* ---- exactness */

typedef struct exact_case {
  const char *text, *json, *site; /* the site must be a standard variate */
} exact_case;

#define WRONG "dist Wrong(m: real, s: real<lower = 0>) on real {\n"                            \
              "  logpdf(x) = let z = (x - m) / s in -0.5 * z * z - log(s)\n"                   \
              "  sample() { return m + s * draw_normal() }\n"
#define HEAD "mu ~ Normal(0, 2)\n tau ~ HalfNormal(1.5)\n"

static const exact_case cases[] = {
    {"model m(y: real[J]) {\n" HEAD "x: real[J] ~ Normal(mu, tau)\n y ~ Normal(x, 1) }", "{\"y\": [1, -2, 0.5]}", "x"},
    {"model m(y: real) {\n" HEAD "x ~ Normal(mu * mu, tau)\n y ~ Normal(x, 1) }", "{\"y\": 1.5}", "x"},
    {"model m(y: real[J]) {\n" HEAD "x: real[J] ~ Cauchy(mu, tau)\n y ~ Normal(x, 1) }", "{\"y\": [1, -2, 0.5]}", "x"},
    {"model m(y: real[J]) {\n" HEAD "nu ~ Gamma(2, 0.5)\n x: real[J] ~ StudentT(nu, mu, tau)\n y ~ Normal(x, 1) }", "{\"y\": [1, -2]}", "x"},
    {"model m(y: real[J]) {\n" HEAD "x: real[J] ~ LogNormal(mu, tau)\n y ~ Normal(x, 1) }", "{\"y\": [1, 2]}", "x"},
    {"model m(y: real[J]) {\n" HEAD "x: real[J] ~ HalfNormal(tau)\n y ~ Normal(mu, x) }", "{\"y\": [1, 2]}", "x"},
    {"model m(y: real[J]) {\n" HEAD "x: real[J] ~ HalfCauchy(tau)\n y ~ Normal(mu, x) }", "{\"y\": [1, 2]}", "x"},
    {"model m(y: real[J]) {\n" HEAD "x: real[J] ~ Exponential(tau)\n y ~ Normal(mu, x) }", "{\"y\": [1, 2]}", "x"},
    /* a chain, whose first element has parameters that are known */
    {"model m(y: real[T]) {\n phi ~ Uniform(-1, 1)\n s ~ HalfNormal(1)\n x[1] ~ Normal(0, 1)\n for t in 2..T { x[t] ~ Normal(phi * x[t - 1], s) }\n"
     " y ~ Normal(x, 0.5) }", "{\"y\": [1, 0.5, -0.3, 0.2]}", "x"},
    /* two axes, in rows that are chains */
    {"model m(y: real[N, T]) {\n" HEAD "plate i in 1..N { x[i, 1] ~ Normal(mu, 1)\n for t in 2..T { x[i, t] ~ StudentT(5, x[i, t - 1], tau) } }\n"
     " y ~ Normal(x, 1) }", "{\"y\": [[1, 0.5, 0], [-1, 0.3, 2]]}", "x"},
    /* levels of a hierarchy: the mean of one site is another */
    {"model m(y: real[J, K]) {\n" HEAD "a: real[J] ~ Normal(mu, tau)\n plate j in 1..J { b[j, k] ~ Normal(a[j], 0.3 * tau) for k in 1..K }\n y ~ Normal(b, 1) }",
     "{\"y\": [[1, 2], [0, -1]]}", "b"},
    /* vectors */
    {"model m(y: real[3]) {\n" HEAD "x ~ MultiNormal(rep(mu, 3), [tau * exp(-abs(i - j)) + (if i == j { 0.1 } else { 0.0 }) for i in 1..3, j in 1..3])\n"
     " y ~ Normal(x, 1) }", "{\"y\": [1, 0, -1]}", "x"},
    {"model m(y: real[3]) {\n" HEAD "x ~ MultiNormal(rep(mu, 3), cholesky = [if j < i { 0.4 * mu } else { if i == j { tau } else { 0.0 } } for i in 1..3, j in 1..3])\n"
     " y ~ Normal(x, 1) }", "{\"y\": [1, 0, -1]}", "x"},
    /* a distribution of the user's own */
    {WRONG "standard(z) = -0.5 * z * z\n from_standard(z) = m + s * z }\n model m(y: real[J]) {\n" HEAD "x: real[J] ~ Wrong(mu, tau)\n y ~ Normal(x, 1) }",
     "{\"y\": [1, -2, 0.5]}", "x"},
};

/* Twins of the last: the scale is forgotten by the map; it stays in the density; the density is another one. */
static const char *const twins[] = {
    "standard(z) = -0.5 * z * z\n from_standard(z) = m + z }",
    "standard(z) = -0.5 * z * z - log(s)\n from_standard(z) = m + s * z }",
    "standard(z) = -0.4 * z * z\n from_standard(z) = m + s * z }",
};

/* log |det| of the n x n matrix a, which is overwritten: elimination with row exchanges. */
static long double log_det(long double a[MOST][MOST], size_t n) {
  long double sum = 0;
  for (size_t k = 0; k < n; k++) {
    size_t p = k;
    for (size_t i = k; i < n; i++)
      if (fabsl(a[i][k]) > fabsl(a[p][k])) p = i;
    for (size_t j = 0; j < n; j++) {
      long double t = a[k][j];
      a[k][j] = a[p][j];
      a[p][j] = t;
    }
    sum += logl(fabsl(a[k][k]));
    for (size_t i = k + 1; i < n; i++)
      for (size_t j = n; j-- > k;) a[i][j] -= a[i][k] / a[k][k] * a[k][j];
  }
  return sum;
}

/* log p(z) - log p(x) - log |det dx/dz| at z, which is 0, or a constant where densities are not normalised. */
static double discrepancy(model_run *r, const double *z) {
  assert_true(r->dim <= MOST && r->dim == r->cells);
  double frame[MOST], part[3];
  model_constrain(r, z, frame);
  long double q[MOST], up[MOST], down[MOST], jacobian[MOST][MOST];
  for (size_t k = 0; k < r->dim; k++) q[k] = (long double)z[k];
  const long double h = 1e-5L;
  for (size_t k = 0; k < r->dim; k++) {
    q[k] += h;
    model_ref(r, "constrain", q, up);
    q[k] -= 2 * h;
    model_ref(r, "constrain", q, down);
    q[k] += h;
    for (size_t i = 0; i < r->dim; i++) jacobian[i][k] = (up[i] - down[i]) / (2 * h);
  }
  return model_logdens(r, z) - model_density(r, frame, part) - (double)log_det(jacobian, r->dim);
}

static double worst_discrepancy(const char *text, const char *json, const char *site) {
  model_run r;
  model_open(&r, text, json, NEEDS);
  if (!model_site(&r, site)->site->standard) fail_msg("`%s` is no standard variate\n%s", site, text);
  double worst = 0, first = 0, z[MOST];
  for (uint64_t n = 0; n < 20; n++) {
    for (size_t k = 0; k < r.dim; k++) z[k] = 1.2 * rt_draw_normal((rt_draw_addr){17, (uint32_t)n, k});
    double d = discrepancy(&r, z);
    if (n == 0) first = d;
    worst = fmax(worst, fabs(d - first));
  }
  model_close(&r);
  return worst;
}

/* Differences of order h^2 = 1e-10 times third derivatives of moderate size. */
static void densities_are_those_of_the_values(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    double worst = worst_discrepancy(cases[k].text, cases[k].json, cases[k].site);
    if (!(worst < 1e-7)) fail_msg("differs by %g\n%s", worst, cases[k].text);
  }
}

static void wrong_densities_are_seen(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof twins / sizeof twins[0]; k++) {
    char text[1024];
    snprintf(text, sizeof text, WRONG "%s\n model m(y: real[J]) {\n" HEAD "x: real[J] ~ Wrong(mu, tau)\n y ~ Normal(x, 1) }", twins[k]);
    assert_true(worst_discrepancy(text, "{\"y\": [1, -2, 0.5]}", "x") > 0.1);
  }
}

/* ---- what can be non-centred, and what cannot */

typedef struct choice_case {
  const char *text, *json, *site;
  bool standard;
} choice_case;

static const choice_case choices[] = {
    {"model m(y: real) {\n" HEAD "x ~ Normal(mu, 1)\n y ~ Normal(x, 1) }", "{\"y\": 1}", "mu", false},     /* parameters are known */
    {"model m(y: real) {\n" HEAD "x ~ Normal(mu, 1)\n y ~ Normal(x, 1) }", "{\"y\": 1}", "tau", false},
    {"model m(y: real) {\n" HEAD "x: real<lower = 0> ~ Normal(mu, tau)\n y ~ Normal(x, 1) }", "{\"y\": 1}", "x", false},     /* cut */
    {"model m(y: real) {\n" HEAD "x ~ Gamma(2, tau)\n y ~ Normal(x, mu^2) }", "{\"y\": 1}", "x", false},                     /* no variate */
    {"model m(y: real, s: real) {\n nu ~ Gamma(2, 1)\n x ~ StudentT(nu, 0, s)\n y ~ Normal(x, 1) }", "{\"y\": 1, \"s\": 2}", "x", false}, /* shape only */
    {"model m(y: real) {\n tau ~ HalfNormal(1)\n x: real<lower = 0> ~ LogNormal(0, tau)\n y ~ Normal(x, 1) }", "{\"y\": 1}", "x", true}, /* its own bound */
};

static void only_what_can_be_is_chosen(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof choices / sizeof choices[0]; k++) {
    model_run r;
    model_open(&r, choices[k].text, choices[k].json, NEEDS);
    if (model_site(&r, choices[k].site)->site->standard != choices[k].standard) fail_msg("`%s`\n%s", choices[k].site, choices[k].text);
    model_close(&r);
  }
}

/* ---- posteriors */

enum { CHAINS = 4, DRAWS = 2000 };

typedef struct target {
  model_run *r;
  double *draws; /* [CHAINS][DRAWS][cells], on the support */
  size_t chain;
} target;

static int density(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad) {
  target *t = user;
  assert_true(lanes == 1 && stride == 1);
  *lp = model_grad(t->r, q, grad);
  return 0;
}

static int keep(void *user, uint32_t index, bool warmup, const double *q, const rt_nuts_stats *s) {
  target *t = user;
  (void)s;
  if (!warmup) model_constrain(t->r, q, t->draws + (t->chain * DRAWS + index) * t->r->cells);
  return 0;
}

static double *sample(model_run *r) {
  target t = {.r = r, .draws = malloc(CHAINS * DRAWS * r->cells * sizeof(double))};
  double *work = malloc(nuts_chain_doubles(r->dim, 10, ADAPT_DIAGONAL) * sizeof *work);
  for (t.chain = 0; t.chain < CHAINS; t.chain++) {
    nuts_options o;
    nuts_options_init(&o, 100 + t.chain);
    o.draws = DRAWS;
    o.delta = 0.95;
    nuts_target n = {.dim = r->dim, .density = density, .density_user = &t, .on_draw = keep, .draw_user = &t};
    nuts_result result;
    assert_int_equal(nuts_chain_run(&o, &n, work, &result), NUTS_OK);
  }
  free(work);
  return t.draws;
}

/* The largest |mean - truth| in standard errors, of cells and, where second is not NULL, their squares. */
static double worst_z(const model_run *r, const double *draws, const double *mean, const double *second) {
  double worst = 0, *x = malloc(CHAINS * DRAWS * sizeof *x), *work = malloc(diagnose_doubles(CHAINS, DRAWS) * sizeof *work);
  for (size_t c = 0; c < r->cells; c++)
    for (int power = 1; power <= (second ? 2 : 1); power++) {
      for (size_t i = 0; i < CHAINS * DRAWS; i++) x[i] = power == 1 ? draws[i * r->cells + c] : draws[i * r->cells + c] * draws[i * r->cells + c];
      diagnose_draws d = {x, CHAINS, DRAWS, DRAWS, 1};
      diagnose_summary s;
      assert_int_equal(diagnose_summarise(&d, work, &s), DIAGNOSE_OK);
      worst = fmax(worst, fabs(s.mean - (power == 1 ? mean[c] : second[c])) / s.mcse_mean);
    }
  free(x);
  free(work);
  return worst;
}

/* Mean and second moments of a posterior that is normal in the latents: a quadratic's differences are exact up to rounding. */
static void normal_moments(model_run *r, double *mean, double *second) {
  size_t n = r->cells;
  double at[MOST] = {0}, g[MOST], p[MOST][2 * MOST] = {{0}}, part[3];
  assert_true(n <= MOST);
  double f0 = model_density(r, at, part), up[MOST], down[MOST];
  for (size_t i = 0; i < n; i++) {
    at[i] = 1;
    up[i] = model_density(r, at, part);
    at[i] = -1;
    down[i] = model_density(r, at, part);
    at[i] = 0;
    g[i] = (up[i] - down[i]) / 2;
    p[i][i] = 2 * f0 - up[i] - down[i];
    for (size_t j = 0; j < i; j++) {
      at[i] = at[j] = 1;
      p[i][j] = p[j][i] = up[i] + up[j] - f0 - model_density(r, at, part);
      at[i] = at[j] = 0;
    }
  }
  for (size_t i = 0; i < n; i++) p[i][n + i] = 1;
  for (size_t k = 0; k < n; k++) { /* Gauss and Jordan; precisions are positive definite */
    double d = p[k][k];
    for (size_t j = 0; j < 2 * n; j++) p[k][j] /= d;
    for (size_t i = 0; i < n; i++) {
      double f = p[i][k];
      for (size_t j = 0; j < 2 * n && i != k; j++) p[i][j] -= f * p[k][j];
    }
  }
  for (size_t i = 0; i < n; i++) {
    mean[i] = 0;
    for (size_t j = 0; j < n; j++) mean[i] += p[i][n + j] * g[j];
    second[i] = p[i][n + i] + mean[i] * mean[i];
  }
}

static const exact_case normals[] = {
    {"model m(y: real[J], s: real[J]) { mu ~ Normal(0, 2); x: real[J] ~ Normal(mu, 1.5); y ~ Normal(x, s) }",
     "{\"y\": [3, -2, 0.5, 4], \"s\": [0.3, 1, 2, 8]}", "x"},
    {"model m(y: real[T]) { x[1] ~ Normal(0, 1); for t in 2..T { x[t] ~ Normal(0.9 * x[t - 1], 0.7) }; y ~ Normal(x, 0.8) }",
     "{\"y\": [1, 2, 1.5, -0.5, -1, 0.2]}", "x"},
    {"model m(y: real[N, T]) { mu ~ Normal(1, 1)\n plate i in 1..N { x[i, 1] ~ Normal(mu, 1)\n for t in 2..T { x[i, t] ~ Normal(x[i, t - 1], 0.5) } }\n"
     " y ~ Normal(x, 1.2) }", "{\"y\": [[1, 2, 1.5], [-0.5, -1, 0.2]]}", "x"},
    {"model m(y: real[3]) { mu ~ Normal(0, 1); x ~ MultiNormal(rep(mu, 3), [exp(-abs(i - j)) for i in 1..3, j in 1..3]); y ~ Normal(x, 0.7) }",
     "{\"y\": [2, 1, -1]}", "x"},
};

static void normal_posteriors_come_out(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof normals / sizeof normals[0]; k++) {
    model_run r;
    model_open(&r, normals[k].text, normals[k].json, NEEDS);
    assert_true(model_site(&r, normals[k].site)->site->standard);
    double mean[MOST], second[MOST], *draws = sample(&r), z;
    normal_moments(&r, mean, second);
    z = worst_z(&r, draws, mean, second);
    if (!(z < Z_MOST)) fail_msg("%.1f standard errors\n%s", z, normals[k].text);
    free(draws);
    model_close(&r);
  }
}

/* A funnel with its neck: v ~ Normal(0, 1.5), x ~ D(0, exp(v)), y ~ Normal(x, 1).  Moments by the trapezoidal rule over v and x. */
static double funnel_z(const char *dist) {
  char text[1024];
  snprintf(text, sizeof text, "%s model m(y: real) { v ~ Normal(0, 1.5); x ~ %s(0, exp(v)); y ~ Normal(x, 1) }", strstr(dist, "{") ? dist : "",
           strstr(dist, "{") ? "Wrong" : dist);
  model_run r;
  model_open(&r, text, "{\"y\": 1.5}", NEEDS);
  assert_true(model_site(&r, "x")->site->standard);
  double sum = 0, mean[2] = {0}, second[2] = {0}, part[3];
  for (int i = -400; i <= 400; i++)
    for (int j = -1200; j <= 1200; j++) {
      double v = i * 0.02, s = sinh(j * 0.01); /* x is dense where the funnel is narrow */
      double frame[2] = {v, exp(v) * s};
      double p = exp(model_density(&r, frame, part) + v) * cosh(j * 0.01);
      sum += p;
      for (int k = 0; k < 2; k++) mean[k] += p * frame[k], second[k] += p * frame[k] * frame[k];
    }
  for (int k = 0; k < 2; k++) mean[k] /= sum, second[k] /= sum;
  double *draws = sample(&r), z = worst_z(&r, draws, mean, second);
  free(draws);
  model_close(&r);
  return z;
}

static void funnels_are_reached(void **state) {
  (void)state;
  double z = funnel_z("Normal");
  if (!(z < Z_MOST)) fail_msg("%.1f standard errors", z);
  char twin[1024];
  snprintf(twin, sizeof twin, WRONG "%s\n", twins[1]);
  assert_true(funnel_z(twin) > Z_MOST);
}

/* ---- the pilot */

static const char *const groups =
    "model m(y: real[N], g: index(J)[N]) { mu ~ Normal(0, 5); tau ~ HalfNormal(5); x: real[J] ~ Normal(mu, tau)\n"
    " plate i in 1..N { y[i] ~ Normal(x[g[i]], 1) } }";

/* n observations in each of J groups whose means have standard deviation tau. */
static char *grouped(size_t J, size_t n, double tau) {
  size_t cap = 64 + J * n * 40;
  char *json = malloc(cap), *p = json;
  p += sprintf(p, "{\"y\": [");
  for (size_t k = 0; k < J * n; k++) {
    double mean = tau * rt_draw_normal((rt_draw_addr){5, 1, k / n});
    p += sprintf(p, "%s%.6f", k ? ", " : "", mean + rt_draw_normal((rt_draw_addr){5, 2, k}));
  }
  p += sprintf(p, "], \"g\": [");
  for (size_t k = 0; k < J * n; k++) p += sprintf(p, "%s%zu", k ? ", " : "", k / n + 1);
  sprintf(p, "]}");
  assert_true(strlen(json) < cap);
  return json;
}

static double weigh(size_t J, size_t n, double tau, int isa, bool *centred) {
  char *json = grouped(J, n, tau);
  model_run r;
  model_open(&r, groups, json, NEEDS | NEED_PRIOR);
  eval_model m;
  const char *message;
  assert_int_equal(eval_model_load(&m, &r.p, &interp_engine, isa, 0, &r.alloc, &message), EXEC_OK);
  double weight[3];
  assert_true(pilot_weigh(&m, &r.alloc, weight));
  assert_true(isnan(weight[0]) && isnan(weight[1]));
  eval_model_unload(&m);
  *centred = pilot_judge(&r.p, weight) == 1;
  if (*centred) {
    assert_true(program_build(&r.p, NEEDS));
    assert_false(model_site(&r, "x")->site->standard);
  }
  model_close(&r);
  free(json);
  return weight[2];
}

/* What is there is n tau^2, seen through 40 groups and one short chain: within a factor of 2 where it is 1 or more, and small where it is
 * small.  Not a test of significance: seeds are fixed. */
static void the_pilot_measures_information(void **state) {
  (void)state;
  static const struct { size_t n; double tau; bool centred; } of[] = {
      {1, 0.1, false}, {20, 0.1, false}, {1, 1, false}, {2, 2, true}, {10, 1, true}, {50, 1, true}};
  for (size_t k = 0; k < sizeof of / sizeof of[0]; k++) {
    bool centred, again;
    double there = (double)of[k].n * of[k].tau * of[k].tau, w = weigh(40, of[k].n, of[k].tau, 0, &centred);
    if (there >= 1 ? !(w > there / 2 && w < there * 2) : !(w < 1)) fail_msg("%zu, %g: measured %g", of[k].n, of[k].tau, w);
    if (centred != of[k].centred) fail_msg("%zu, %g: measured %g", of[k].n, of[k].tau, w);
    assert_true(weigh(40, of[k].n, of[k].tau, 2, &again) == w && again == centred);
  }
}

/* With few groups the scale is uncertain, and more has to be known for the centred form. */
static size_t judged(size_t J, double weight) {
  char *json = grouped(J, 1, 1);
  model_run r;
  model_open(&r, groups, json, NEEDS);
  size_t n = pilot_judge(&r.p, (double[]){(double)NAN, (double)NAN, weight});
  model_close(&r);
  free(json);
  return n;
}

static void few_elements_stay_noncentred_longer(void **state) {
  (void)state;
  assert_true(judged(4, 16.0) == 0 && judged(4, 17.0) == 1);
  assert_true(judged(100, 3.0) == 0 && judged(100, 3.2) == 1);
  assert_true(judged(100, (double)NAN) == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(densities_are_those_of_the_values), cmocka_unit_test(wrong_densities_are_seen),
      cmocka_unit_test(only_what_can_be_is_chosen),        cmocka_unit_test(normal_posteriors_come_out),
      cmocka_unit_test(funnels_are_reached),               cmocka_unit_test(the_pilot_measures_information),
      cmocka_unit_test(few_elements_stay_noncentred_longer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
