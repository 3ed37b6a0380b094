/* test_vm_supports.c: every support has the Jacobian that its points need.
 *
 * The density of a site's unconstrained form, exp(@logdens(u)), is integrated over the whole space by the trapezoidal rule after a
 * substitution that makes it decay doubly exponentially, where that rule converges geometrically.  What the integral has to
 * be is known from the distribution alone (1 for a normalised one, a volume for Flat), so a wrong Jacobian, a wrong
 * normaliser of a truncation and a wrong bound all show.  Then points: @constrain returns what the support promises. */
#include "tests/model_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PI 3.14159265358979323846
#define INF (1.0 / 0.0)

/* ---- quadrature */

/* u = sinh(t) turns tails like exp(-|u|) into doubly exponential ones; u = sinh(pi/2 sinh(t)) does so for powers of u.  Points
 * beyond `reach`, where x would round to the border of its support, are left out: what they weigh is below the tolerance. */
typedef struct rule {
  int n;       /* nodes t = -n h .. n h */
  double h;
  bool powers;
  double reach;
} rule;

static double node(const rule *r, int k, double *weight) {
  double t = (k + 0.3) * r->h, u; /* 0 is nobody's favourite direction */
  if (r->powers) {
    double s = PI / 2 * sinh(t);
    u = sinh(s);
    *weight = r->h * PI / 2 * cosh(t) * cosh(s);
  } else {
    u = sinh(t);
    *weight = r->h * cosh(t);
  }
  return u;
}

static double integrate(model_run *r, const char *text, const rule *q, double *u, size_t axis) {
  if (axis == r->dim) {
    double l = model_logdens(r, u);
    if (isnan(l) || l == INF) {
      fail_msg("%s\nlog density %g at u = %g, %g, %g", text, l, u[0], r->dim > 1 ? u[1] : 0.0, r->dim > 2 ? u[2] : 0.0);
    }
    return exp(l);
  }
  double sum = 0.0;
  for (int k = -q->n; k <= q->n; k++) {
    double w;
    u[axis] = node(q, k, &w);
    if (fabs(u[axis]) <= q->reach) sum += w * integrate(r, text, q, u, axis + 1);
  }
  return sum;
}

/* The accuracy is that of two step sizes which have to agree besides the expected value. */
static void check_integral(const char *text, double want, bool powers, double reach, double close) {
  model_run r;
  model_open(&r, text, NULL, NEED_LOGDENS);
  double u[4], got[2];
  assert_in_range(r.dim, 1, 4);
  static const double step[5][2] = {{0}, {1.0 / 24, 1.0 / 32}, {1.0 / 15, 1.0 / 19}, {1.0 / 7, 1.0 / 9}, {1.0 / 3, 1.0 / 4}};
  static const double tolerance[5] = {0, 1e-10, 1e-8, 1e-5, 1e-3};
  for (int k = 0; k < 2; k++) {
    rule q = {.h = step[r.dim][k], .powers = powers, .reach = reach};
    q.n = (int)((powers ? 4.2 : 6.4) / q.h);
    got[k] = integrate(&r, text, &q, u, 0);
  }
  if (close == 0.0) close = tolerance[r.dim];
  if (!(fabs(got[0] - want) <= close * want && fabs(got[1] - want) <= close * want))
    fail_msg("%s\nthe density integrates to %.12g and %.12g, not to %.12g", text, got[0], got[1], want);
  model_close(&r);
}

static void expect_integral(const char *text, double want, bool powers, double reach) { check_integral(text, want, powers, reach, 0.0); }
static void expect_within(const char *text, double want, double close) { check_integral(text, want, false, 1e300, close); }

typedef struct integral {
  const char *text;
  double want;
  bool powers;
  double reach;
} integral;

static void run_integrals(const integral *c, size_t n) {
  for (size_t k = 0; k < n; k++) expect_integral(c[k].text, c[k].want, c[k].powers, c[k].reach ? c[k].reach : 1e300);
}
#define RUN(cases) run_integrals(cases, sizeof cases / sizeof cases[0])

/* ---- scalars */

static void test_whole_distributions(void **state) {
  (void)state;
  static const integral cases[] = {
      {"model m() { x ~ Normal(0.3, 0.7) }", 1, false, 0},
      {"model m() { x ~ Cauchy(-0.5, 2) }", 1, true, 0},
      {"model m() { x ~ StudentT(3, 1, 0.5) }", 1, true, 0},
      {"model m() { x ~ HalfNormal(2) }", 1, false, 0},
      {"model m() { x ~ HalfCauchy(0.5) }", 1, false, 0},
      {"model m() { x ~ LogNormal(0.2, 0.8) }", 1, false, 0},
      {"model m() { x ~ Exponential(1.5) }", 1, false, 0},
      {"model m() { x ~ Gamma(2.5, 3) }", 1, false, 0},
      {"model m() { x ~ Gamma(0.5, 1) }", 1, false, 200},
      {"model m() { x ~ InvGamma(2.5, 3) }", 1, false, 200},
      {"model m() { x ~ Beta(2, 3.5) }", 1, false, 0},
      {"model m() { x ~ Uniform(-2, 5) }", 1, false, 0},
      {"model m() { s ~ Exponential(1)\n x ~ Normal(s, 1 + s) }", 1, false, 0},
      {"model m() { a ~ Beta(2, 2)\n b ~ Uniform(-a, 2 * a) }", 1, false, 0},
  };
  RUN(cases);
}

/* The type cuts into the distribution: normalised by its cdf, so still 1. */
static void test_truncated(void **state) {
  (void)state;
  static const integral cases[] = {
      {"model m() { x: real<lower = 0> ~ Normal(0, 1) }", 1, false, 0},
      {"model m() { x: real<lower = 1.5> ~ Normal(0.5, 2) }", 1, false, 0},
      {"model m() { x: real<lower = 9> ~ Normal(0, 1) }", 1, false, 0},
      {"model m() { x: real<lower = 40> ~ Normal(0, 1) }", 1, false, 0},
      {"model m() { x: real<upper = -0.5> ~ Normal(0.5, 2) }", 1, false, 0},
      {"model m() { x: real<upper = -30> ~ Normal(0, 1) }", 1, false, 0},
      {"model m() { x: real<lower = -1, upper = 2> ~ Normal(0.5, 2) }", 1, false, 0},
      {"model m() { x: real<lower = 8, upper = 9> ~ Normal(0, 1) }", 1, false, 0},
      {"model m() { x: real<lower = -9, upper = -8> ~ Normal(0, 1) }", 1, false, 0},
      {"model m() { x: real<lower = 0> ~ Cauchy(0, 5) }", 1, false, 0},
      {"model m() { x: real<upper = 3> ~ Cauchy(1, 2) }", 1, false, 0},
      {"model m() { x: real<lower = -1, upper = 3> ~ Cauchy(1, 2) }", 1, false, 0},
      {"model m() { x: real<lower = 0.5> ~ HalfNormal(2) }", 1, false, 0},
      {"model m() { x: real<upper = 2> ~ HalfNormal(2) }", 1, false, 0},
      {"model m() { x: real<lower = 0.5> ~ HalfCauchy(2) }", 1, false, 0},
      {"model m() { x: real<lower = 1> ~ Exponential(0.5) }", 1, false, 0},
      {"model m() { x: real<upper = 2> ~ Exponential(0.5) }", 1, false, 0},
      {"model m() { x: real<lower = 1, upper = 2> ~ Exponential(0.5) }", 1, false, 0},
      {"model m() { x: real<lower = 1> ~ LogNormal(0, 1) }", 1, false, 0},
      {"model m() { x: real<lower = 0.2, upper = 0.9> ~ LogNormal(0, 1) }", 1, false, 0},
      {"model m() { x: real<lower = 0.2, upper = 0.9> ~ Uniform(0, 1) }", 1, false, 0},
      {"model m() { x: real<lower = 0.2> ~ Uniform(0, 1) }", 1, false, 0},
      {"model m() { x: real<lower = 0.2> ~ Gamma(2.5, 3) }", 1, false, 0},
      {"model m() { x: real<upper = 2> ~ Gamma(2.5, 3) }", 1, false, 0},
      {"model m() { x: real<lower = 30> ~ Gamma(2.5, 3) }", 1, false, 0},
      {"model m() { x: real<lower = 0.2> ~ InvGamma(2.5, 3) }", 1, false, 200},
      {"model m() { x: real<upper = 0.2> ~ Beta(2, 3.5) }", 1, false, 0},
      {"model m() { x: real<lower = 0.9> ~ Beta(2, 3.5) }", 1, false, 0},
      {"model m() { x: real<lower = 0> ~ StudentT(3, 0, 0.5) }", 1, true, 0},
      {"model m() { x: real<upper = -9> ~ StudentT(3, 1, 0.5) }", 1, true, 0},
      {"model m() { x: real<lower = -1, upper = 3> ~ SkewNormal(0, 1, 2) }", 1, false, 0},
      {"model m() { x: real<lower = 1> ~ Laplace(0, 0.5) }", 1, false, 0},
      {"model m() { x: real<lower = 1> ~ Weibull(1.5, 2) }", 1, false, 0},
      /* Wider than the distribution, or the same: nothing to normalise. */
      {"model m() { x: real<lower = -1> ~ Exponential(2) }", 1, false, 0},
      {"model m() { x: real<lower = 0> ~ Gamma(2, 2) }", 1, false, 0},
      {"model m() { x: real<lower = 0, upper = 1> ~ Beta(2, 2) }", 1, false, 0},
  };
  RUN(cases);
}

/* The normaliser moves with another latent: only a normalised conditional integrates to 1. */
static void test_truncated_by_latents(void **state) {
  (void)state;
  static const integral cases[] = {
      {"model m() { a ~ Normal(0, 1)\n x: real<lower = 0> ~ Normal(a, 1) }", 1, false, 0},
      {"model m() { a ~ Normal(0, 1)\n x: real<lower = a> ~ Normal(0, 2) }", 1, false, 0},
      {"model m() { a ~ Normal(0, 1)\n x: real<upper = a> ~ Normal(0, 2) }", 1, false, 0},
      {"model m() { a ~ Beta(2, 3)\n x: real<lower = a> ~ Gamma(1 + a, 1) }", 1, false, 0},
      {"model m() { a ~ Beta(2, 3)\n x: real<upper = a> ~ Beta(1 + a, 2) }", 1, false, 0},
      {"model m() { a ~ Beta(2, 3)\n x: real<lower = 0, upper = 2> ~ StudentT(3 + a, a, 1 + a) }", 1, false, 0},
      {"model m() { a ~ Normal(0, 1)\n x: real<lower = a, upper = a + 1> ~ Cauchy(0, 2) }", 1, false, 0},
      {"model m() { a ~ Beta(2, 3)\n x: real<lower = 0, upper = 1 - a> ~ Uniform(0, 1) }", 1, false, 0},
      {"model m() { a ~ Beta(2, 3)\n x: real<lower = a> ~ Exponential(1 + a) }", 1, false, 0},
      {"model m() { a ~ Beta(2, 3)\n x: real<lower = a> ~ HalfNormal(1 + a) }", 1, false, 0},
      {"model m() { a ~ Beta(2, 3)\n x: real<upper = 1 + a> ~ LogNormal(a, 1) }", 1, false, 0},
      {"model m() { a ~ Beta(2, 3)\n x: real<lower = 0.5, upper = 2> ~ LogNormal(a, 1) }", 1, false, 0},
  };
  RUN(cases);
}

/* Integers between bounds that cut, given another latent: the masses of what is left sum to 1 at every value of it, where without a normaliser they do not. */
static void test_cut_integers(void **state) {
  (void)state;
  static const struct {
    const char *source;
    int from, to;
  } cases[] = {
      {"model m() { a ~ Beta(2, 3)\n k: int<lower = 2, upper = 7> ~ Poisson(4 * a) }", 0, 20},
      {"model m() { a ~ Beta(2, 3)\n k: int<upper = 3> ~ Poisson(4 * a) }", -3, 20},
      {"model m() { a ~ Beta(2, 3)\n k: int<lower = 1> ~ Poisson(4 * a) }", 0, 80},
      {"model m() { a ~ Beta(2, 3)\n k: int<lower = 25> ~ Poisson(4 * a) }", 20, 120},
      {"model m() { a ~ Beta(2, 3)\n k: int<lower = 0> ~ Poisson(4 * a) }", 0, 80},
      {"model m() { a ~ Beta(2, 3)\n k: int<lower = 3, upper = 6> ~ Binomial(10, a) }", 0, 10},
      {"model m() { a ~ Beta(2, 3)\n k: int<lower = 0, upper = 6> ~ Binomial(10, a) }", 0, 10},
      {"model m() { a ~ Beta(2, 3)\n k: int<lower = -4, upper = 6> ~ NegBinomial(2, a) }", -5, 10},
      {"model m() { a ~ Beta(2, 3)\n k: int<lower = 2> ~ Geometric(a) }", 0, 4000},
  };
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    model_run r;
    model_open(&r, cases[c].source, NULL, NEED_DENSITY);
    for (int p = 1; p < 8; p++) {
      double a = p / 8.0, part[3], sum = 0;
      long double prior = logl(12) + logl(a) + 2 * log1pl(-a);
      for (int k = cases[c].from; k <= cases[c].to; k++) sum += exp(model_density(&r, (double[]){a, k}, part) - (double)prior);
      if (!(fabs(sum - 1) <= 1e-11)) fail_msg("%s\nat a = %g the masses sum to %.15g", cases[c].source, a, sum);
    }
    model_close(&r);
  }
}

/* Flat has no normaliser: the volume. */
static void test_flat(void **state) {
  (void)state;
  static const integral cases[] = {
      {"model m() { x: real<lower = -2, upper = 5> ~ Flat() }", 7, false, 0},
      {"model m() { x: real<lower = 1> ~ Flat()\n factor -(x - 1) }", 1, false, 0},
      {"model m() { x: real<upper = 1> ~ Flat()\n factor 2 * x }", 0.5 * 7.3890560989306502272, false, 0},
      {"model m() { a: real<lower = 0, upper = 1> ~ Flat()\n b: real<lower = 0, upper = 1 - a> ~ Flat() }", 0.5, false, 0},
      {"model m() { a ~ Normal(0, 1)\n b: real<lower = a> ~ Flat()\n factor a - b }", 1, false, 0},
      {"model m() { a ~ Normal(0, 1)\n b: real<upper = 2 * a> ~ Flat()\n factor b - 2 * a }", 1, false, 0},
      {"model m() { a: real<lower = 0, upper = 1>[2] ~ Flat()\n factor log(a[1] + a[2]) }", 1, false, 0},
      {"model m() { plate i in 1..2 { a[i] ~ Uniform(0, i) } }", 1, false, 0},
  };
  RUN(cases);
}

/* ---- vectors and matrices */

static void test_simplex(void **state) {
  (void)state;
  static const integral cases[] = {
      {"model m() { p: simplex(2) ~ Dirichlet([1.5, 2.5]) }", 1, false, 0},
      {"model m() { p: simplex(3) ~ Dirichlet([2.0, 3.0, 1.5]) }", 1, false, 0},
      {"model m() { p ~ Dirichlet([2.0, 3.0, 1.5, 2.0]) }", 1, false, 0},
      {"model m() { p: simplex(3) ~ Flat() }", 0.5, false, 0},
      {"model m() { p: simplex(2)[2] ~ Dirichlet([1.5, 2.5]) }", 1, false, 0},
  };
  RUN(cases);
}

static void test_ordered(void **state) {
  (void)state;
  static const integral cases[] = {
      {"model m() { x: ordered(2) ~ Normal(0.5, 1) }", 0.5, false, 0},
      {"model m() { x: ordered(3) ~ Normal(0, 1) }", 1.0 / 6, false, 0},
      {"model m() { x: ordered<lower = 0>(2) ~ Exponential(1) }", 0.5, false, 0},
      {"model m() { x: ordered<lower = 1>(2) ~ Flat()\n factor -(x[1] + x[2] - 2) }", 0.5, false, 0},
      {"model m() { a ~ Normal(0, 1)\n x: ordered<lower = a>(2) ~ Flat()\n factor -(x[1] + x[2] - 2 * a) }", 0.5, false, 0},
      {"model m() { a ~ Normal(0, 1)\n x: ordered(2) ~ Normal(a, 1) }", 0.5, false, 0},
  };
  RUN(cases);
}

/* The length of u gets a normal density: (2 pi)^(K / 2) times the mean over the sphere.  The direction is not continuous at u = 0,
 * which costs the rule its speed; an even density has the mean of its cosh. */
static void test_unit_vector(void **state) {
  (void)state;
  double i0 = 0.0, term = 1.0; /* the Bessel function I0(0.7) by its series */
  for (int k = 1; k < 30; k++) {
    i0 += term;
    term *= 0.35 * 0.35 / ((double)k * k);
  }
  expect_within("model m() { x: unit_vector(2) ~ Flat() }", 2 * PI, 1e-8);
  expect_within("model m() { x: unit_vector(2) ~ Flat()\n factor 0.7 * x[1] }", 2 * PI * i0, 1e-3);
  expect_within("model m() { x: unit_vector(3) ~ Flat()\n factor 0.7 * x[3] }", pow(2 * PI, 1.5) * sinh(0.7) / 0.7, 1e-3);
}

static void test_matrices(void **state) {
  (void)state;
  /* Wishart with 5 degrees of freedom and scale V = diag(1, 0.5), unnormalised: |X|^((5 - 3) / 2) exp(-tr(V^-1 X) / 2). */
  double wishart = pow(2.0, 5) * pow(0.5, 2.5) * sqrt(PI) * tgamma(2.5) * tgamma(2.0);
  expect_integral("model m() { X: cov(2) ~ Flat()\n"
                  " factor log(max(X[1, 1] * X[2, 2] - X[2, 1]^2, 1e-300)) - 0.5 * (X[1, 1] + 2 * X[2, 2]) }",
                  wishart, false, 60);
  expect_integral("model m() { L: cholesky_cov(2) ~ Flat()\n factor -0.5 * (L[1, 1]^2 + L[2, 1]^2 + L[2, 2]^2) }",
                  PI / 2 * sqrt(2 * PI), false, 60);
  expect_integral("model m() { R: corr(2) ~ Flat() }", 2.0, false, 1e300);
  expect_integral("model m() { R: corr(3) ~ Flat() }", PI * PI / 2, false, 1e300);
  expect_integral("model m() { R: cholesky_corr(2) ~ Flat() }", 2.0, false, 1e300);
  expect_integral("model m() { R: cholesky_corr(3) ~ Flat() }", 2 * PI, false, 1e300);
}

/* Distributions of vectors and matrices, each on its own support: 1. */
static void test_vector_distributions(void **state) {
  (void)state;
  static const integral cases[] = {
      {"model m() { x: sum_to_zero(2) ~ ZeroSumNormal(1.5) }", 1, false, 0},
      {"model m() { x: sum_to_zero(4) ~ ZeroSumNormal(0.7) }", 1, false, 0},
      {"model m() { x: real[3] ~ RandomWalk(0.5, 1.2) }", 1, false, 0},
      {"model m() { x ~ MultiNormal([0.3, -1.0], precision = [[2.0, 0.5], [0.5, 1.0]]) }", 1, false, 0},
      {"model m() { x ~ MultiNormal([0.3, -1.0], [[2.0, 0.5], [0.5, 1.0]]) }", 1, false, 0},
      {"model m() { x ~ MultiNormal([0.3, -1.0], cholesky = [[1.4, 0.0], [0.3, 1.0]]) }", 1, false, 0},
      {"model m() { R: corr(2) ~ LKJ(2.5) }", 1, false, 17},
      {"model m() { R: corr(3) ~ LKJ(1.5) }", 1, false, 8},
      {"model m() { L: cholesky_corr(2) ~ LKJCholesky(2.5) }", 1, false, 17},
      {"model m() { L: cholesky_corr(3) ~ LKJCholesky(0.8) }", 1, false, 17},
      {"model m() { X: cov(1) ~ Wishart(2.5, [[0.7]]) }", 1, false, 60},
      {"model m() { X: cov(1) ~ InvWishart(2.5, [[0.7]]) }", 1, false, 60},
  };
  RUN(cases);
  check_integral("model m() { X: cov(2) ~ Wishart(4.5, [[2.0, 0.5], [0.5, 1.0]]) }", 1, false, 30, 1e-4);
  check_integral("model m() { X: cov(2) ~ InvWishart(5.5, [[2.0, 0.5], [0.5, 1.0]]) }", 1, false, 30, 1e-4);
  check_integral("model m() { x ~ MultiStudentT(5, [0.3, -1.0], [[2.0, 0.5], [0.5, 1.0]]) }", 1, true, 1e300, 1e-8);
  check_integral("model m() { x ~ MultiStudentT(5, [0.3, -1.0], cholesky = [[1.0, 0.0], [0.5, 1.0]]) }", 1, true, 1e300, 1e-8);
}

/* ---- arrays: the density of independent elements is a product */

static void test_products(void **state) {
  (void)state;
  static const char *types[][2] = {
      {"simplex(3)", "Dirichlet([2.0, 3.0, 1.5])"}, {"ordered(3)", "Normal(0, 1)"}, {"ordered<lower = 0>(3)", "Exponential(1)"},
      {"unit_vector(3)", "Flat()"}, {"sum_to_zero(3)", "ZeroSumNormal(2)"}, {"corr(3)", "LKJ(2)"}, {"cov(3)", "Flat()"}, {"corr(4)", "Flat()"}, {"cholesky_cov(3)", "Flat()"}, {"cholesky_corr(4)", "Flat()"},
      {"real<lower = 0>", "Normal(0, 1)"}, {"real<lower = -1, upper = 1>", "Flat()"}};
  uint64_t seed = 11;
  for (size_t k = 0; k < sizeof types / sizeof types[0]; k++) {
    char one[256], many[256];
    snprintf(one, sizeof one, "model m() { x: %s ~ %s }", types[k][0], types[k][1]);
    snprintf(many, sizeof many, "model m() { x: %s[2, 3] ~ %s }", types[k][0], types[k][1]);
    model_run a, b;
    model_open(&a, one, NULL, NEED_LOGDENS);
    model_open(&b, many, NULL, NEED_LOGDENS);
    size_t n = a.dim;
    assert_int_equal(b.dim, 6 * n);
    assert_int_equal(b.cells, 6 * a.cells);
    double u[128], x[128], y[128], sum = 0.0, size = 0.0;
    for (size_t e = 0; e < b.dim; e++) u[e] = 4.0 * ((double)(next_random(&seed) >> 11) * 0x1p-53 - 0.5);
    model_constrain(&b, u, x);
    for (int e = 0; e < 6; e++) {
      double l = model_logdens(&a, u + (size_t)e * n);
      sum += l;
      size += fabs(l) + 10.0;
      model_constrain(&a, u + (size_t)e * n, y);
      for (size_t c = 0; c < a.cells; c++) assert_true(y[c] == x[(size_t)e * a.cells + c]);
    }
    double got = model_logdens(&b, u);
    if (!(fabs(got - sum) <= 1e-14 * size)) fail_msg("%s: %.17g, not %.17g", many, got, sum);
    model_close(&a);
    model_close(&b);
  }
}

/* ---- points */

static double random_u(uint64_t *seed, double scale) {
  double u = (double)(next_random(seed) >> 11) * 0x1p-53 - 0.5;
  return scale * u;
}

/* Cholesky in place, for the test of positive definiteness. */
static bool positive_definite(double *a, int n) {
  for (int j = 0; j < n; j++) {
    for (int k = 0; k < j; k++)
      for (int i = j; i < n; i++) a[i * n + j] -= a[i * n + k] * a[j * n + k];
    if (!(a[j * n + j] > 0.0)) return false;
    double root = sqrt(a[j * n + j]);
    for (int i = j; i < n; i++) a[i * n + j] /= root;
  }
  return true;
}

enum { K = 4 };

static void check_simplex(const double *x) {
  double sum = 0.0;
  for (int k = 0; k < K; k++) {
    assert_true(x[k] >= 0.0 && x[k] <= 1.0);
    sum += x[k];
  }
  assert_true(fabs(sum - 1.0) <= 1e-14);
}
static void check_ordered(const double *x) {
  for (int k = 1; k < K; k++) assert_true(x[k] >= x[k - 1]);
}
static void check_ordered_lower(const double *x) {
  assert_true(x[0] >= 0.5);
  check_ordered(x);
}
static void check_unit(const double *x) {
  double sum = 0.0;
  for (int k = 0; k < K; k++) sum += x[k] * x[k];
  assert_true(fabs(sum - 1.0) <= 1e-14);
}
static void check_zero_sum(const double *x) {
  double sum = 0.0, size = 0.0;
  for (int k = 0; k < K; k++) {
    sum += x[k];
    size += fabs(x[k]);
  }
  assert_true(fabs(sum) <= 1e-15 * (1 + size));
}
static void check_cov(const double *x) {
  double a[K * K];
  for (int i = 0; i < K; i++)
    for (int j = 0; j < K; j++) assert_true(x[i * K + j] == x[j * K + i]);
  memcpy(a, x, sizeof a);
  assert_true(positive_definite(a, K));
}
static void check_corr(const double *x) {
  check_cov(x);
  for (int i = 0; i < K; i++) {
    assert_true(fabs(x[i * K + i] - 1.0) <= 1e-15 * 4);
    for (int j = 0; j < K; j++) assert_true(fabs(x[i * K + j]) <= 1.0 + 1e-15);
  }
}
static void check_lower(const double *x) {
  for (int i = 0; i < K; i++)
    for (int j = i; j < K; j++) assert_true(j == i ? x[i * K + j] > 0.0 : x[i * K + j] == 0.0);
}
static void check_cholesky_corr(const double *x) {
  check_lower(x);
  for (int i = 0; i < K; i++) check_unit(x + i * K);
}
static void check_interval(const double *x) { assert_true(x[0] >= -1.5 && x[0] <= 2.5); }
static void check_above(const double *x) { assert_true(x[0] >= 3.0); }
static void check_below(const double *x) { assert_true(x[0] <= -3.0); }

static void test_points(void **state) {
  (void)state;
  static const struct {
    const char *type;
    void (*check)(const double *);
    double scale;
  } supports[] = {
      {"simplex(4)", check_simplex, 12}, {"simplex(4)", check_simplex, 1500}, {"ordered(4)", check_ordered, 12},
      {"ordered<lower = 0.5>(4)", check_ordered_lower, 12}, {"unit_vector(4)", check_unit, 12}, {"sum_to_zero(4)", check_zero_sum, 12}, {"cov(4)", check_cov, 4},
      {"corr(4)", check_corr, 4}, {"cholesky_cov(4)", check_lower, 12}, {"cholesky_corr(4)", check_cholesky_corr, 8},
      {"real<lower = -1.5, upper = 2.5>", check_interval, 2000}, {"real<lower = 3>", check_above, 2000}, {"real<upper = -3>", check_below, 2000}};
  uint64_t seed = 5;
  for (size_t s = 0; s < sizeof supports / sizeof supports[0]; s++) {
    char text[128];
    snprintf(text, sizeof text, "model m() { x: %s ~ Flat() }", supports[s].type);
    model_run r;
    model_open(&r, text, NULL, NEED_LOGDENS);
    for (int rep = 0; rep < 1000; rep++) {
      double u[K * K], x[K * K];
      for (size_t e = 0; e < r.dim; e++) u[e] = random_u(&seed, supports[s].scale);
      model_constrain(&r, u, x);
      supports[s].check(x);
      assert_false(isnan(model_logdens(&r, u)));
    }
    model_close(&r);
  }
}

/* u = 0 is the middle: the uniform simplex, no correlation, the middle of an interval. */
static void test_origin(void **state) {
  (void)state;
  model_run r;
  double u[16] = {0}, x[64];
  model_open(&r, "model m() { a: simplex(5) ~ Flat()\n b: corr(3) ~ Flat()\n c: real<lower = 2, upper = 4> ~ Flat()\n d: cov(2) ~ Flat() }", NULL,
             NEED_LOGDENS);
  model_constrain(&r, u, x);
  for (int k = 0; k < 5; k++) assert_true(fabs(x[k] - 0.2) <= 1e-16);
  for (int k = 0; k < 9; k++) assert_true(x[5 + k] == (k % 4 == 0));
  assert_true(x[14] == 3.0);
  for (int k = 0; k < 4; k++) assert_true(x[15 + k] == (k % 3 == 0));
  model_close(&r);
}

/* A normaliser that moves with a latent and is not known is refused, with the way out. */
static void test_unknown_normaliser(void **state) {
  (void)state;
  static const char *texts[] = {"dist D(a: real) on real { logpdf(x) = -abs(x - a)^3 }\nmodel m() { a ~ Exponential(1)\n x: real<lower = 1> ~ D(a) }",
                                "dist D(a: real) on real { logpdf(x) = -abs(x - a)^3 }\nmodel m() { a ~ Exponential(1)\n x: real<lower = a> ~ D(0) }",
                                "model m() { a: real[2] ~ Normal(0, 1)\n x: ordered(2) ~ Normal(a, 1) }"};
  for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
    model_run r;
    const char *messages;
    bool ok = model_try(&r, texts[k], NULL, NEED_LOGDENS, 0, &messages);
    if (ok || !strstr(messages, "factor")) fail_msg("%s\nnot refused: %s", texts[k], messages);
    model_close(&r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole_distributions), cmocka_unit_test(test_truncated), cmocka_unit_test(test_truncated_by_latents), cmocka_unit_test(test_cut_integers),
      cmocka_unit_test(test_flat), cmocka_unit_test(test_simplex), cmocka_unit_test(test_ordered), cmocka_unit_test(test_unit_vector),
      cmocka_unit_test(test_matrices), cmocka_unit_test(test_vector_distributions), cmocka_unit_test(test_products), cmocka_unit_test(test_points), cmocka_unit_test(test_origin),
      cmocka_unit_test(test_unknown_normaliser)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
