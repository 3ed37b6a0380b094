/* test_vm_over.c: distributions over distributions against closed forms.
 *
 * The oracle is a formula in long double for each, from the C library's erfcl, expl and logl.
 *
 *   values      over the support, its ends and far tails: 1e-12 of the sum of the formula's absolute terms
 *   gradients   of the value and the parameters against differences of the formula: 1e-8 of the terms
 *   draws       Kolmogorov-Smirnov against the formula's distribution function, false alarm 1e-6; a density or a sampler that
 *               forgets the bound must fail
 *   ends        bounds at the ends of a support cut nothing: the density and its gradient are those without them
 *   supports    an unknown that is drawn from one integrates to 1 on its unconstrained space */
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

typedef long double real;

static const char library[] =
    "dist W(shape: real<lower = 0>, scale: real<lower = 0>) on real<lower = 0> {\n"
    "  logpdf(x) = let z = log(x / scale) in log(shape / scale) + (shape - 1) * z - exp(shape * z)\n"
    "  cdf(x) = -expm1(-(x / scale)^shape); logccdf(x) = -(x / scale)^shape\n"
    "}\n"
    "dist Geo(q: real<lower = 0, upper = 1>) on int<lower = 0> {\n"
    "  logpdf(k) = k * log1p(-q) + log(q); cdf(k) = -expm1((k + 1) * log1p(-q)); logccdf(k) = (k + 1) * log1p(-q)\n"
    "}\n"
    "dist forgetful(d: dist, lower: d) on d<lower = lower> {\n"
    "  logpdf(x) = d.logpdf(x); sample() { return abs(d.sample()) + lower }\n"
    "}\n";

/* ---- formulas: log density, and log of both tails, of what is given */

static real log_norm_upper(real z) { return logl(erfcl(z / sqrtl(2)) / 2); }
static real norm(real x, real m, real s) { return -(x - m) * (x - m) / (2 * s * s) - logl(s) - 0.918938533204672741780329736405617639861L; }
static real norm_up(real x, real m, real s) { return log_norm_upper((x - m) / s); }
static real norm_down(real x, real m, real s) { return log_norm_upper((m - x) / s); }
static real weib(real x, real k, real s) { return logl(k / s) + (k - 1) * logl(x / s) - powl(x / s, k); }
static real weib_up(real x, real k, real s) { return -powl(x / s, k); }
static real geo(real x, real q) { return x * log1pl(-q) + logl(q); }
static real geo_up(real x, real q) { return (x + 1) * log1pl(-q); }
static real minus(real a, real b) { return a + logl(-expm1l(b - a)); }
static real plus(real a, real b) { return fmaxl(a, b) + log1pl(expl(-fabsl(a - b))); }

static real lower(real x, const real *p) { return x < 0.5L ? -HUGE_VALL : norm(x, p[0], p[1]) - norm_up(0.5L, p[0], p[1]); }
static real upper(real x, const real *p) { return x > 0.5L ? -HUGE_VALL : norm(x, p[0], p[1]) - norm_down(0.5L, p[0], p[1]); }
static real between(real x, const real *p) { return x < 9 || x > 9.5L ? -HUGE_VALL : norm(x, p[0], p[1]) - minus(norm_up(9, p[0], p[1]), norm_up(9.5L, p[0], p[1])); }
static real beneath(real x, const real *p) { return x < -9 || x > -8 ? -HUGE_VALL : norm(x, p[0], p[1]) - minus(norm_down(-8, p[0], p[1]), norm_down(-9, p[0], p[1])); }
static real no_cut(real x, const real *p) { return x < 0 ? -HUGE_VALL : logl(2) + norm(x, 0, p[1]); }
static real geo_from(real x, const real *p) { return x < 3 ? -HUGE_VALL : geo(x, p[1]) - geo_up(2, p[1]); }
static real geo_to(real x, const real *p) { return x < 0 || x > 4 ? -HUGE_VALL : geo(x, p[1]) - log1pl(-expl(geo_up(4, p[1]))); }
static real geo_in(real x, const real *p) { return x < 2 || x > 5 ? -HUGE_VALL : geo(x, p[1]) - minus(geo_up(1, p[1]), geo_up(5, p[1])); }
static real event(real x, const real *p) { return norm(x, p[0], p[1]); }
static real right(real x, const real *p) { return norm_up(x, p[0], p[1]); }
static real left(real x, const real *p) { return norm_down(x, p[0], p[1]); }
static real within(real x, const real *p) {
  return x > p[0] ? minus(norm_up(x, p[0], p[1]), norm_up(x + 0.25L, p[0], p[1])) : minus(norm_down(x + 0.25L, p[0], p[1]), norm_down(x, p[0], p[1]));
}
static real mixed(real x, const real *p) { return plus(logl(0.3L) + norm(x, p[0], 2), logl(0.7L) + norm(x, p[1], 2)); }
static real listed(real x, const real *p) {
  real a = logl(0.3L) + norm(x, p[0], 2);
  return x < 0 ? a : plus(a, logl(0.7L) + logl(p[1]) - p[1] * x);
}
static real chosen(real x, const real *p) { return x < 0 ? -HUGE_VALL : logl(p[1]) - p[1] * x; }
static real first(real x, const real *p) { return norm(x, p[0], 2); }
static real cut_choice(real x, const real *p) { return x < 0.1L ? -HUGE_VALL : norm(x, p[1], 2) - norm_up(0.1L, p[1], 2); }
static real survival(real x, const real *p) { return x < 0.3L ? -HUGE_VALL : weib_up(x, p[0] + 4, p[1]) - weib_up(0.3L, p[0] + 4, p[1]); }
static real died(real x, const real *p) { return x < 0.3L ? -HUGE_VALL : weib(x, p[0] + 4, p[1]) - weib_up(0.3L, p[0] + 4, p[1]); }
static real cut_mixture(real x, const real *p) {
  return x < 0.1L ? -HUGE_VALL : mixed(x, p) - plus(logl(0.3L) + norm_up(0.1L, p[0], 2), logl(0.7L) + norm_up(0.1L, p[1], 2));
}
static real mixture_of_cut(real x, const real *p) {
  return x < 0.1L ? -HUGE_VALL : plus(logl(0.3L) + norm(x, p[0], 2) - norm_up(0.1L, p[0], 2), logl(0.7L) + norm(x, p[1], 2) - norm_up(0.1L, p[1], 2));
}

typedef struct over {
  const char *call, *value; /* of x */
  bool counts;
  real from, to; /* where it is looked at */
  real (*formula)(real x, const real *p);
} over;

static const over cases[] = {
    {"truncated(Normal(p0, p1), lower = 0.5)", "x", false, 0, 30, lower},
    {"truncated(Normal(p0, p1), 0.5)", "x", false, 0, 3, lower},
    {"truncated(Normal(p0, p1), upper = 0.5)", "x", false, -30, 1, upper},
    {"truncated(Normal(p0, p1), lower = 9, upper = 9.5)", "x", false, 8.5L, 10, between},
    {"truncated(Normal(p0, p1), -9, -8)", "x", false, -9.5L, -7.5L, beneath},
    {"truncated(HalfNormal(p1), lower = -1)", "x", false, -0.5L, 4, no_cut},
    {"truncated(Geo(p1), lower = 3)", "x", true, 0, 20, geo_from},
    {"truncated(Geo(p1), upper = 4)", "x", true, -2, 8, geo_to},
    {"truncated(Geo(p1), lower = 2, upper = 5)", "x", true, 0, 8, geo_in},
    {"right_censored(Normal(p0, p1), true)", "x", false, -9, 9, event},
    {"right_censored(Normal(p0, p1), false)", "x", false, -9, 9, right},
    {"left_censored(Normal(p0, p1), false)", "x", false, -9, 9, left},
    {"interval_censored(Normal(p0, p1))", "[x, x + 0.25]", false, -9, 9, within},
    {"interval_censored(Normal(p0, p1))", "[x, x]", false, -9, 9, event},
    {"interval_censored(Normal(p0, p1))", "[x, 1.0 / 0.0]", false, -9, 9, right},
    {"interval_censored(Normal(p0, p1))", "[-1.0 / 0.0, x]", false, -9, 9, left},
    {"truncated(Normal(p0, p1), lower = -1.0 / 0.0)", "x", false, -9, 9, event},
    {"truncated(Normal(p0, p1), upper = 1.0 / 0.0)", "x", false, -9, 9, event},
    {"truncated(Normal(p0, p1), lower = 0.5, upper = 1.0 / 0.0)", "x", false, 0, 30, lower},
    {"mixture([0.3, 0.7], Normal([p0, p1], 2))", "x", false, -20, 20, mixed},
    {"mixture([0.3, 0.7], [Normal(p0, 2), Exponential(p1)])", "x", false, -20, 20, listed},
    {"switch(2, [Normal(1 / (p0 - p0), 2), Exponential(p1)])", "x", false, -2, 9, chosen}, /* the other one's parameters are nobody's */
    {"switch(1, [Normal(p0, 2), Exponential(p1)])", "x", false, -9, 9, first},
    {"truncated(switch(2, Normal([p0, p1], 2)), lower = 0.1)", "x", false, -1, 9, cut_choice},
    {"right_censored(truncated(W(p0 + 4, p1), lower = 0.3), false)", "x", false, 0.01L, 2, survival},
    {"right_censored(truncated(W(p0 + 4, p1), lower = 0.3), true)", "x", false, 0.01L, 2, died},
    {"truncated(mixture([0.3, 0.7], Normal([p0, p1], 2)), lower = 0.1)", "x", false, -1, 9, cut_mixture},
    {"mixture([0.3, 0.7], truncated(Normal([p0, p1], 2), lower = 0.1))", "x", false, -1, 9, mixture_of_cut},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void open_case(model_run *r, const over *o, const char *call, unsigned need) {
  char text[2048];
  snprintf(text, sizeof text, "%smodel m() {\n p0 ~ Flat()\n p1 ~ Flat()\n x: %s ~ Flat()\n factor logpdf(%s, %s)\n}", library,
           o->counts ? "int<lower = -5, upper = 1000>" : "real", call, o->value);
  model_open(r, text, NULL, need);
}

static double uniform(uint64_t *seed) { return ((double)(next_random(seed) >> 11) + 0.5) * 0x1p-53; }

static void draw_point(const over *o, double q[3], uint64_t *seed) {
  q[0] = 2 * uniform(seed) - 1;
  q[1] = 0.1 + 0.8 * uniform(seed);
  q[2] = (double)o->from + (double)(o->to - o->from) * uniform(seed);
  if (o->counts) q[2] = floor(q[2]);
}

static real at(const over *o, const real *v) { return o->formula(v[2], v); }

static int wrong_values(const over *o, const char *call) {
  model_run r;
  open_case(&r, o, call, NEED_DENSITY);
  uint64_t seed = 11;
  int wrong = 0;
  for (int rep = 0; rep < 500; rep++) {
    double q[3], part[3];
    draw_point(o, q, &seed);
    real v[3] = {q[0], q[1], q[2]}, want = at(o, v);
    double got = model_density(&r, q, part);
    /* Terms of the formula are at most those of the densities at both ends. */
    real size = 50 + fabsl(want) + (v[2] - v[0]) * (v[2] - v[0]) / (v[1] * v[1]) + 100 / (v[1] * v[1]);
    if (isinf((double)want) ? got != (double)want : !(fabsl(got - want) <= 1e-12L * size)) {
      if (!wrong) print_message("%s with %g, %g at %.17g: %.17g, not %.17Lg\n", call, q[0], q[1], q[2], got, want);
      wrong++;
    }
  }
  model_close(&r);
  return wrong;
}

static void test_values(void **state) {
  (void)state;
  for (int k = 0; k < CASES; k++) assert_int_equal(wrong_values(&cases[k], cases[k].call), 0);
  print_message("two that are wrong:\n");
  assert_true(wrong_values(&cases[0], "forgetful(Normal(p0, p1), lower = 0.5)") > 100);
  assert_true(wrong_values(&cases[12], "interval_censored(Normal(p0, 1.01 * p1))") > 100);
}

static void test_gradients(void **state) {
  (void)state;
  for (int k = 0; k < CASES; k++) {
    const over *o = &cases[k];
    if (o->counts) continue;
    model_run r;
    open_case(&r, o, o->call, NEED_GRAD);
    uint64_t seed = 12;
    for (int rep = 0; rep < 200; rep++) {
      double q[3], g[3];
      draw_point(o, q, &seed);
      real base[3] = {q[0], q[1], q[2]}, v[3], h0 = 0x1p-10L;
      if (isinf((double)at(o, base))) continue;
      double lp = model_grad(&r, q, g);
      real size = 50 + fabsl((real)lp) + (base[2] - base[0]) * (base[2] - base[0]) / (base[1] * base[1]) + 100 / (base[1] * base[1]);
      for (int i = 0; i < 3; i++) {
        real c[4], h = i == 1 ? h0 * base[1] : h0;
        bool inside = true;
        for (int s = 0; s < 4; s++, h /= 2) {
          memcpy(v, base, sizeof v);
          v[i] = base[i] + h;
          real up = at(o, v);
          v[i] = base[i] - h;
          real down = at(o, v);
          inside = inside && !isinf((double)up) && !isinf((double)down) && !(o->formula == listed && i == 2 && fabsl(base[2]) < 2 * h);
          c[s] = (up - down) / (2 * h);
        }
        real e0 = (4 * c[1] - c[0]) / 3, e1 = (4 * c[2] - c[1]) / 3, e2 = (4 * c[3] - c[2]) / 3;
        real f0 = (16 * e1 - e0) / 15, f1 = (16 * e2 - e1) / 15, want = (64 * f1 - f0) / 63;
        if (inside && !(fabsl(g[i] - want) <= 1e-8L * (fabsl(want) + size / base[1])))
          fail_msg("%s with %g, %g at %.17g: derivative %d is %.15g, not %.15Lg", o->call, q[0], q[1], q[2], i, g[i], want);
      }
    }
    model_close(&r);
  }
}

/* ---- draws */

static real cdf_lower(real x) { return 1 - expl(norm_up(x, 0.2L, 0.7L) - norm_up(0.5L, 0.2L, 0.7L)); }
static real cdf_far(real x) { return -expm1l(norm_up(x, 0, 1) - norm_up(9, 0, 1)); }
static real cdf_upper(real x) { return expl(norm_down(x, 0, 1) - norm_down(-9, 0, 1)); }
static real cdf_between(real x) { return expl(minus(norm_up(9, 0, 1), norm_up(x, 0, 1)) - minus(norm_up(9, 0, 1), norm_up(9.5L, 0, 1))); }
static real cdf_middle(real x) { return (expl(norm_down(x, 0, 1)) - expl(norm_down(-1, 0, 1))) / (expl(norm_down(0.5L, 0, 1)) - expl(norm_down(-1, 0, 1))); }
static real cdf_farther(real x) { return expl(minus(norm_up(50, 0, 1), norm_up(x, 0, 1)) - minus(norm_up(50, 0, 1), norm_up(51, 0, 1))); }
static real cdf_whole(real x) { return expl(norm_down(x, 0.2L, 0.7L)); }
static real cdf_geo(real x) { return -expm1l(geo_up(floorl(x), 0.3L) - geo_up(2, 0.3L)); }
static real cdf_geo_to(real x) { return -expm1l(geo_up(floorl(x), 0.3L)) / -expm1l(geo_up(4, 0.3L)); }
static real cdf_geo_in(real x) { return (expl(geo_up(1, 0.3L)) - expl(geo_up(floorl(x), 0.3L))) / (expl(geo_up(1, 0.3L)) - expl(geo_up(5, 0.3L))); }
static real cdf_mixed(real x) { return 0.3L * expl(norm_down(x, -1, 2)) + 0.7L * expl(norm_down(x, 3, 0.5L)); }
static real cdf_listed(real x) { return 0.3L * expl(norm_down(x, -1, 2)) + 0.7L * (x < 0 ? 0 : -expm1l(-2 * x)); }
static real cdf_both(real x) { return 1 - expl(norm_up(x, 0, 1) - norm_up(2, 0, 1)); }

typedef struct sampled {
  const char *call;
  bool counts;
  real (*cdf)(real x);
} sampled;

static const sampled samplers[] = {
    {"truncated(Normal(0.2, 0.7), lower = 0.5)", false, cdf_lower},
    {"truncated(Normal(0, 1), lower = 9)", false, cdf_far},
    {"truncated(Normal(0, 1), upper = -9)", false, cdf_upper},
    {"truncated(Normal(0, 1), lower = 9, upper = 9.5)", false, cdf_between},
    {"truncated(Normal(0, 1), lower = -1, upper = 0.5)", false, cdf_middle},
    {"truncated(Normal(0, 1), lower = 50, upper = 51)", false, cdf_farther},
    {"truncated(Normal(0.2, 0.7), lower = -1.0 / 0.0)", false, cdf_whole},
    {"truncated(Normal(0.2, 0.7), upper = 1.0 / 0.0)", false, cdf_whole},
    {"truncated(Normal(0.2, 0.7), lower = -1.0 / 0.0, upper = 1.0 / 0.0)", false, cdf_whole},
    {"truncated(Normal(0.2, 0.7), lower = 0.5, upper = 1.0 / 0.0)", false, cdf_lower},
    {"truncated(Normal(0, 1), lower = -1.0 / 0.0, upper = -9)", false, cdf_upper},
    {"truncated(Geo(0.3), lower = 3)", true, cdf_geo},
    {"truncated(Geo(0.3), upper = 4)", true, cdf_geo_to},
    {"truncated(Geo(0.3), lower = 2, upper = 5)", true, cdf_geo_in},
    {"mixture([0.3, 0.7], Normal([-1, 3], [2, 0.5]))", false, cdf_mixed},
    {"mixture([0.3, 0.7], [Normal(-1, 2), Exponential(2)])", false, cdf_listed},
    {"switch(1, [mixture([0.3, 0.7], [Normal(-1, 2), Exponential(2)]), Normal(0, 1)])", false, cdf_listed},
    {"truncated(truncated(Normal(0, 1), lower = 1), lower = 2)", false, cdf_both},
};

/* The largest distance of the draws' distribution function from the formula's.  Of counts it is looked at between values only. */
static double distance(const char *call, bool counts, real (*cdf)(real x), int n) {
  char text[2048];
  snprintf(text, sizeof text, "%smodel m() { x: %s[%d] ~ %s }", library, counts ? "int" : "real", n, call);
  model_run r;
  model_open(&r, text, NULL, NEED_PRIOR);
  double *x = malloc(r.cells * sizeof *x), worst = 0;
  model_prior(&r, 0x5eed, x);
  model_close(&r);
  qsort(x, (size_t)n, sizeof *x, by_value);
  for (int i = 0; i < n; i++) {
    if (counts && i + 1 < n && x[i + 1] == x[i]) continue;
    double d = fabs((double)cdf(x[i]) - (i + (counts ? 1.0 : 0.5)) / n);
    if (!(d <= worst)) worst = d;
  }
  free(x);
  return worst;
}

static void test_draws(void **state) {
  (void)state;
  const int n = 40000;
  /* P(sup > c / sqrt(n)) <= 2 exp(-2 c^2): 1e-6 at c = 2.69; a bias of the distribution function of 0.028 is always seen. */
  const double limit = sqrt(log(2e6) / 2) / sqrt(n);
  for (size_t k = 0; k < sizeof samplers / sizeof samplers[0]; k++) {
    double d = distance(samplers[k].call, samplers[k].counts, samplers[k].cdf, n);
    if (!(d <= limit)) fail_msg("%s: off by %g, limit %g", samplers[k].call, d, limit);
  }
  assert_true(distance("forgetful(Normal(0.2, 0.7), lower = 0.5)", false, cdf_lower, n) > limit);
}

/* ---- supports of unknowns */

static double integral(const char *statement) {
  char text[2048];
  snprintf(text, sizeof text, "%smodel m() { x ~ %s }", library, statement);
  model_run r;
  model_open(&r, text, NULL, NEED_LOGDENS);
  assert_int_equal(r.dim, 1);
  double sum = 0, h = 1.0 / 256;
  for (int k = -40 * 256; k <= 40 * 256; k++) {
    double u = k * h;
    sum += h * exp(model_logdens(&r, &u));
  }
  model_close(&r);
  return sum;
}

static void test_supports(void **state) {
  (void)state;
  static const char *const statements[] = {"truncated(Normal(0, 1), lower = 0.5)", "truncated(Normal(0, 1), upper = -2)",
                                           "truncated(Normal(0, 1), lower = -1, upper = 2.5)", "truncated(Exponential(1), upper = 2)",
                                           "truncated(HalfNormal(2), lower = -3)", "mixture([0.3, 0.7], Normal([0, 3], 1))",
                                           "mixture([0.5, 0.5], [Exponential(1), HalfNormal(2)])"};
  for (size_t k = 0; k < sizeof statements / sizeof statements[0]; k++) {
    double sum = integral(statements[k]);
    if (!(fabs(sum - 1) <= 1e-10)) fail_msg("%s: %.15g", statements[k], sum);
  }
  assert_true(fabs(integral("forgetful(Normal(0, 1), lower = 0.5)") - 1) > 0.1);
}

/* ---- ends of supports */

static void test_ends(void **state) {
  (void)state;
  static const char *const family[] = {"HalfNormal(a)",  "HalfCauchy(a)",     "HalfStudentT(4, a)", "LogNormal(a, b)",  "Exponential(a)",  "Gamma(a, b)",
                                       "InvGamma(a, b)", "ChiSquared(a)",     "InvChiSquared(a)",   "ScaledInvChiSquared(a, b)", "Weibull(a, b)", "Frechet(a, b)",
                                       "LogLogistic(a, b)", "Rayleigh(a)",    "Beta(a, b)",         "W(a, b)"};
  /* Pairs of statements with one density. */
  static const char *const pair[][2] = {{"plate n in 1..N { y[n] ~ truncated(%s, lower = 0) }", "y ~ %s"},
                                        {"y ~ truncated(%s, lower = zero, upper = top)", "y ~ %s"},
                                        {"y ~ truncated(%s, upper = top)", "y ~ %s"},
                                        {"plate n in 1..N { factor logpdf(interval_censored(%s), [0.0, y[n]]) }", "factor sum(logcdf(%s, y))"},
                                        {"c: real<lower = zero[1]> ~ %s", "c: real<lower = 0> ~ Flat()\n factor logpdf(%s, c)"}};
  for (size_t f = 0; f < sizeof family / sizeof *family; f++)
    for (size_t k = 0; k < sizeof pair / sizeof *pair; k++) {
      if (k == 4 && strncmp(family[f], "Beta", 4) == 0) continue; /* bounded above as well */
      double lp[2], g[2][3] = {{0}};
      for (int side = 0; side < 2; side++) {
        char statement[256], text[2048];
        snprintf(statement, sizeof statement, pair[k][side], family[f]);
        snprintf(text, sizeof text, "%smodel m(y: real[N], zero: real[N], top: real[N]) {\n a: real<lower = 0> ~ Flat()\n b: real<lower = 0> ~ Flat()\n %s\n}", library, statement);
        model_run r;
        model_open(&r, text, "{\"y\": [0.2, 0.5, 0.9], \"zero\": [0, 0, 0], \"top\": [\"Inf\", \"Inf\", \"Inf\"]}", NEED_GRAD);
        static const double q[3] = {-0.4, 0.3, -0.2}; /* a < 1, where powers of 0 are infinite too */
        lp[side] = model_grad(&r, q, g[side]);
        model_close(&r);
      }
      for (int i = 0; i < 3; i++)
        if (!(fabs(lp[0] - lp[1]) <= 1e-12 && fabs(g[0][i] - g[1][i]) <= 1e-12 * (1 + fabs(g[1][i]))))
          fail_msg("%s, pair %zu: %.15g and %.15g, derivative %d %.15g and %.15g", family[f], k, lp[0], lp[1], i, g[0][i], g[1][i]);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_gradients), cmocka_unit_test(test_draws),
                                     cmocka_unit_test(test_ends), cmocka_unit_test(test_supports)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
