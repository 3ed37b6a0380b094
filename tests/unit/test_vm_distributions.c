/* test_vm_distributions.c: every distribution of the prelude: values, normalisation, gradients, samplers.
 *
 * The oracle is a formula of its own in long double for each, from the C library's logl and lgammal and none of ours.
 *
 *   values      at points over the support, its ends and far tails: 1e-12 of the sum of the formula's absolute terms
 *   outside     -inf, and invalid parameters -inf and counted as a failed guard
 *   sums        1 over the support, by quadrature or summation of what the model returns
 *   gradients   of the value and every parameter as latents, against differences of the formula: 1e-9 of the terms
 *   samplers    @prior of a one-line model: Kolmogorov-Smirnov against the integrated density, chi-square for counts, each with a
 *               false alarm of 1e-6; with 1e5 draws a wrong probability of 1 % of its cell is seen
 *
 *   test_vm_distributions [draws] */
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

static int draws = 100000;

typedef long double real;
#define PI 3.14159265358979323846264338327950288L
#define INF HUGE_VALL

/* ---- formulas: value x, parameters p; *size gets the sum of the absolute values of terms */

static real total(real *size, int n, const real *t) {
  real sum = 0, abs = 0;
  for (int k = 0; k < n; k++) {
    sum += t[k];
    abs += fabsl(t[k]);
  }
  if (size) *size = isfinite(abs) ? abs : 0;
  return sum;
}
#define TERMS(...) \
  real t_[] = {__VA_ARGS__}; \
  return total(size, sizeof t_ / sizeof t_[0], t_)

static real normal(real x, const real *p, real *size) { TERMS(-(x - p[0]) * (x - p[0]) / (2 * p[1] * p[1]), -logl(p[1]), -0.5L * logl(2 * PI)); }
static real half_normal(real x, const real *p, real *size) { TERMS(-x * x / (2 * p[0] * p[0]), -logl(p[0]), 0.5L * logl(2 / PI)); }
static real cauchy(real x, const real *p, real *size) {
  real z = (x - p[0]) / p[1];
  TERMS(-log1pl(z * z), -logl(p[1]), -logl(PI));
}
static real half_cauchy(real x, const real *p, real *size) { TERMS(-log1pl(x * x / (p[0] * p[0])), -logl(p[0]), logl(2 / PI)); }
static real student(real x, const real *p, real *size) {
  real z = (x - p[1]) / p[2];
  TERMS(lgammal((p[0] + 1) / 2), -lgammal(p[0] / 2), -0.5L * logl(p[0] * PI), -logl(p[2]), -(p[0] + 1) / 2 * log1pl(z * z / p[0]));
}
static real log_normal(real x, const real *p, real *size) {
  if (x <= 0) return -INF;
  real z = (logl(x) - p[0]) / p[1];
  TERMS(-z * z / 2, -logl(x), -logl(p[1]), -0.5L * logl(2 * PI));
}
static real exponential(real x, const real *p, real *size) { TERMS(logl(p[0]), -p[0] * x); }
static real gamma_(real x, const real *p, real *size) {
  TERMS(p[0] * logl(p[1]), -lgammal(p[0]), p[0] == 1 ? 0 : (p[0] - 1) * logl(x), -p[1] * x);
}
static real inv_gamma(real x, const real *p, real *size) {
  if (x <= 0) return -INF;
  TERMS(p[0] * logl(p[1]), -lgammal(p[0]), -(p[0] + 1) * logl(x), -p[1] / x);
}
static real beta(real x, const real *p, real *size) {
  TERMS(lgammal(p[0] + p[1]), -lgammal(p[0]), -lgammal(p[1]), p[0] == 1 ? 0 : (p[0] - 1) * logl(x), p[1] == 1 ? 0 : (p[1] - 1) * log1pl(-x));
}
static real uniform_(real x, const real *p, real *size) {
  (void)x;
  TERMS(-logl(p[1] - p[0]));
}
static real bernoulli(real x, const real *p, real *size) { TERMS(x ? logl(p[0]) : log1pl(-p[0])); }
static real bernoulli_logit(real x, const real *p, real *size) {
  real l = x ? -p[0] : p[0];
  TERMS(l > 0 ? -l - log1pl(expl(-l)) : -log1pl(expl(l)));
}
static real poisson(real x, const real *p, real *size) { TERMS(x == 0 ? 0 : x * logl(p[0]), -p[0], -lgammal(x + 1)); }
static real poisson_log(real x, const real *p, real *size) { TERMS(x * p[0], -expl(p[0]), -lgammal(x + 1)); }

typedef enum on { REALS, POSITIVE, UNIT, BETWEEN, TRUTH, COUNTS } on;

typedef struct dist {
  const char *name;      /* with %s for parameters */
  real (*formula)(real, const real *, real *);
  on on;
  int n;
  double p[3][3];        /* parameter sets for everything */
  double bad[2][3];      /* invalid ones; first NaN: none */
  const char *support[3];/* of the parameters as latents */
} dist;

#define POS "real<lower = 0>"
static const dist dists[] = {
    {"Normal(%s, %s)", normal, REALS, 2, {{0, 1}, {-3.5, 0.02}, {1e5, 300}}, {{0, 0}, {0, -1}}, {"real", POS}},
    {"HalfNormal(%s)", half_normal, POSITIVE, 1, {{1}, {0.02}, {300}}, {{0}, {-1}}, {POS}},
    {"Cauchy(%s, %s)", cauchy, REALS, 2, {{0, 1}, {-3.5, 0.02}, {1e5, 300}}, {{0, 0}, {0, -1}}, {"real", POS}},
    {"HalfCauchy(%s)", half_cauchy, POSITIVE, 1, {{1}, {0.02}, {300}}, {{0}, {-1}}, {POS}},
    {"StudentT(%s, %s, %s)", student, REALS, 3, {{3, 0, 1}, {1.5, -3, 0.02}, {30, 10, 5}}, {{0, 0, 1}, {3, 0, 0}}, {POS, "real", POS}},
    {"LogNormal(%s, %s)", log_normal, POSITIVE, 2, {{0, 1}, {-3, 0.2}, {2, 1.5}}, {{0, 0}, {0, -1}}, {"real", POS}},
    {"Exponential(%s)", exponential, POSITIVE, 1, {{1}, {0.02}, {300}}, {{0}, {-1}}, {POS}},
    {"Gamma(%s, %s)", gamma_, POSITIVE, 2, {{1, 1}, {2.5, 0.02}, {40, 3}}, {{0, 1}, {1, -1}}, {POS, POS}},
    {"InvGamma(%s, %s)", inv_gamma, POSITIVE, 2, {{1, 1}, {2.5, 0.02}, {40, 3}}, {{0, 1}, {1, -1}}, {POS, POS}},
    {"Beta(%s, %s)", beta, UNIT, 2, {{1, 1}, {2.5, 1.2}, {40, 3}}, {{0, 1}, {1, -1}}, {POS, POS}},
    {"Uniform(%s, %s)", uniform_, BETWEEN, 2, {{0, 1}, {-3.5, -3.4}, {-1e5, 300}}, {{1, 1}, {2, 1}}, {"real", "real"}},
    {"Bernoulli(%s)", bernoulli, TRUTH, 1, {{0.3}, {1e-9}, {0.999}}, {{-0.1}, {1.1}}, {"real<lower = 0, upper = 1>"}},
    {"Bernoulli(logit = %s)", bernoulli_logit, TRUTH, 1, {{0.3}, {-30}, {5}}, {{NAN}}, {"real"}},
    {"Poisson(%s)", poisson, COUNTS, 1, {{0.3}, {5}, {300}}, {{-0.1}, {-1}}, {POS}},
    {"Poisson(log = %s)", poisson_log, COUNTS, 1, {{-1}, {1.5}, {5}}, {{NAN}}, {"real"}},
};
enum { DISTS = sizeof dists / sizeof dists[0] };

static bool discrete(const dist *d) { return d->on >= TRUTH; }

/* "Normal(p0, p1)" or with numbers. */
static const char *call_of(const dist *d, const double *numbers, char out[256]) {
  char a[3][40];
  for (int k = 0; k < 3; k++) {
    if (numbers) snprintf(a[k], sizeof a[k], "%.17g", k < d->n ? numbers[k] : 0.0);
    else snprintf(a[k], sizeof a[k], "p%d", k);
  }
  snprintf(out, 256, d->name, a[0], a[1], a[2]);
  return out;
}

/* The value and the parameters are latents without a prior: @density is the density. */
static void open_free(model_run *r, const dist *d, unsigned need) {
  char call[256], text[1024], *t = text;
  t += sprintf(t, "model m() {\n");
  for (int k = 0; k < d->n; k++) t += sprintf(t, " p%d ~ Flat()\n", k);
  static const char *types[] = {"real", "real", "real", "real", "bool", "int<lower = -5, upper = 100000000>"};
  t += sprintf(t, " x: %s ~ Flat()\n factor logpdf(%s, x)\n}", types[d->on], call_of(d, NULL, call));
  model_open(r, text, NULL, need);
}

static double density(model_run *r, const dist *d, double x, const double *p) {
  double frame[4], part[3];
  for (int k = 0; k < d->n; k++) frame[k] = p[k];
  frame[d->n] = x;
  return model_density(r, frame, part);
}

static double uniform(uint64_t *seed) { return ((double)(next_random(seed) >> 11) + 0.5) * 0x1p-53; }

/* Points near the mass, in the tails, and very far. */
static double somewhere(const dist *d, const double *p, uint64_t *seed) {
  double z = 2.0 * uniform(seed) - 1.0, far = pow(10.0, 12.0 * uniform(seed) - 6.0);
  double scale = d->n > 1 && d->on == REALS ? p[d->n - 1] : 1.0, at = d->on == REALS ? p[d->n - 2] : 0.0;
  switch (d->on) {
  case REALS: return at + scale * (z < 0 ? -far : far);
  case POSITIVE: return far;
  case UNIT: return z < 0 ? fmin(far / 1e6, 1.0) : 1.0 - far / 1.1e6;
  case BETWEEN: return p[0] + (p[1] - p[0]) * uniform(seed);
  case TRUTH: return z < 0;
  default: return floor(z < 0 ? far : 600.0 * uniform(seed));
  }
}

static void test_values(void **state) {
  (void)state;
  uint64_t seed = 1;
  for (int k = 0; k < DISTS; k++) {
    const dist *d = &dists[k];
    model_run r;
    open_free(&r, d, NEED_DENSITY);
    for (int rep = 0; rep < 3000; rep++) {
      const double *p = d->p[rep % 3];
      double x = somewhere(d, p, &seed), got = density(&r, d, x, p);
      real q[3] = {p[0], p[1], p[2]}, size = 0, want = d->formula(x, q, &size);
      if (isinf((double)want) ? got != (double)want : !(fabsl(got - want) <= 1e-12L * size + 1e-15L))
        fail_msg("%s with %g, %g, %g at %.17g: %.17g, not %.17Lg", d->name, p[0], p[1], p[2], x, got, want);
    }
    model_close(&r);
  }
}

static const dist *named(const char *name) {
  for (int k = 0; k < DISTS; k++)
    if (strcmp(dists[k].name, name) == 0) return &dists[k];
  fail_msg("no %s", name);
  return NULL;
}

static void expect_at(const char *name, double x, double p0, double p1, double want, double close) {
  const dist *d = named(name);
  model_run r;
  open_free(&r, d, NEED_DENSITY);
  double p[3] = {p0, p1, 0}, got = density(&r, d, x, p);
  if (isinf(want) ? got != want : !(fabs(got - want) <= close)) fail_msg("%s with %g, %g at %g: %.12g, not %.12g", name, p0, p1, x, got, want);
  model_close(&r);
}

/* Finite densities far out, and the ends of parameters and supports. */
static void test_extremes(void **state) {
  (void)state;
  const double inf = INFINITY;
  expect_at("Normal(%s, %s)", 40, 0, 1, -800.91893853320467, 1e-12);
  expect_at("Normal(%s, %s)", 1e10, 0, 1e-10, -5e39 + 23.0, 1e25);
  expect_at("Beta(%s, %s)", 1e-320, 0.5, 0.5, 367.26889, 1e-4);
  expect_at("Gamma(%s, %s)", 1e-300, 0.5, 1, 344.815436, 1e-4);
  expect_at("Gamma(%s, %s)", 0, 1, 2, 0.69314718055994531, 1e-15);
  expect_at("Gamma(%s, %s)", 0, 2, 2, -inf, 0);
  expect_at("Gamma(%s, %s)", inf, 2, 1, -inf, 0);
  expect_at("Poisson(%s)", 3, inf, 0, -inf, 0);
  expect_at("Gamma(%s, %s)", 800, 1, 1, -800, 1e-12);
  expect_at("Exponential(%s)", 1000, 1, 0, -1000, 1e-12);
  expect_at("Exponential(%s)", 0, 3, 0, 1.0986122886681098, 1e-15);
  expect_at("Beta(%s, %s)", 0, 1, 1, 0, 0);
  expect_at("Beta(%s, %s)", 1, 1, 1, 0, 0);
  expect_at("Beta(%s, %s)", 0, 2, 1, -inf, 0);
  expect_at("Beta(%s, %s)", 1, 1, 2, -inf, 0);
  expect_at("Bernoulli(%s)", 1, 1, 0, 0, 0);
  expect_at("Bernoulli(%s)", 0, 0, 0, 0, 0);
  expect_at("Bernoulli(%s)", 0, 1, 0, -inf, 0);
  expect_at("Bernoulli(%s)", 1, 0, 0, -inf, 0);
  expect_at("Bernoulli(logit = %s)", 1, 800, 0, 0, 0);
  expect_at("Bernoulli(logit = %s)", 1, -800, 0, -800, 1e-12);
  expect_at("Poisson(%s)", 0, 0, 0, 0, 0);
  expect_at("Poisson(%s)", 1, 0, 0, -inf, 0);
  expect_at("LogNormal(%s, %s)", 0, 0, 1, -inf, 0);
  expect_at("InvGamma(%s, %s)", 0, 1, 1, -inf, 0);
}

static void test_outside(void **state) {
  (void)state;
  for (int k = 0; k < DISTS; k++) {
    const dist *d = &dists[k];
    model_run r;
    open_free(&r, d, NEED_DENSITY);
    const double *p = d->p[0];
    double below = d->on == BETWEEN ? p[0] - 1e-9 : -1e-9, above = d->on == BETWEEN ? p[1] + 1e-9 : 1.0 + 1e-9;
    if (d->on == COUNTS) below = -1.0;
    if (d->on != REALS && d->on != TRUTH) assert_true(density(&r, d, below, p) == -INFINITY);
    if (d->on == UNIT || d->on == BETWEEN) assert_true(density(&r, d, above, p) == -INFINITY);
    for (int b = 0; b < 2; b++) {
      if (d->bad[0][0] != d->bad[0][0]) continue;
      double x = d->on == REALS || d->on == TRUTH ? 1.0 : d->on == COUNTS ? 2.0 : 0.5, got = density(&r, d, x, d->bad[b]);
      if (got != -INFINITY || r.report.guards == 0)
        fail_msg("%s with %g, %g, %g: %g, %d guards", d->name, d->bad[b][0], d->bad[b][1], d->bad[b][2], got, (int)r.report.guards);
    }
    density(&r, d, d->on == REALS || d->on == TRUTH ? 1.0 : 0.5 * (d->on == COUNTS ? 4.0 : 1.0), p);
    assert_int_equal(r.report.guards, 0);
    model_close(&r);
  }
}

/* The mass below each of n + 1 points x[0..n], by double exponential quadrature of every piece between them. */
static double mass(model_run *r, const dist *d, const double *p, double a, double b) {
  double sum = 0.0, h = 1.0 / 16;
  for (int k = -64; k <= 64; k++) {
    double t = k * h, s = 1.5707963267948966 * sinh(t), e = exp(-fabs(2 * s)), w = 1.5707963267948966 * cosh(t) * 4 * e / ((1 + e) * (1 + e));
    double f = t < 0 ? e / (1 + e) : 1 / (1 + e);
    double x = t < 0 ? a + (b - a) * f : b - (b - a) * (e / (1 + e));
    if (x <= a || x >= b) continue;
    sum += h * w * exp(density(r, d, x, p));
  }
  return sum * 0.5 * (b - a);
}

/* Ends of pieces that cover the support: geometric about the centre. */
static int pieces(const dist *d, const double *p, double *x) {
  int n = 0;
  double c = d->on == REALS ? p[d->n - 2] : 0.0, s = d->on == REALS ? p[d->n - 1] : 1.0;
  switch (d->on) {
  case REALS:
    for (int k = 44; k >= -2; k--) x[n++] = c - s * ldexp(1.0, k);
    for (int k = -2; k <= 44; k++) x[n++] = c + s * ldexp(1.0, k);
    return n - 1;
  case POSITIVE:
    x[n++] = 0.0;
    for (int k = -24; k <= 50; k++) x[n++] = ldexp(1.0, k);
    return n - 1;
  default:
    for (int k = 0; k <= 32; k++) x[n++] = (d->on == UNIT ? 0.0 : p[0]) + (d->on == UNIT ? 1.0 : p[1] - p[0]) * k / 32;
    return n - 1;
  }
}

static void test_sums(void **state) {
  (void)state;
  for (int k = 0; k < DISTS; k++) {
    const dist *d = &dists[k];
    model_run r;
    open_free(&r, d, NEED_DENSITY);
    for (int s = 0; s < 3; s++) {
      double sum = 0.0, x[128];
      if (discrete(d)) {
        for (int v = 0; v < (d->on == TRUTH ? 2 : 2000); v++) sum += exp(density(&r, d, v, d->p[s]));
      } else {
        int n = pieces(d, d->p[s], x);
        for (int i = 0; i < n; i++) sum += mass(&r, d, d->p[s], x[i], x[i + 1]);
      }
      if (!(fabs(sum - 1.0) <= 1e-9)) fail_msg("%s, parameters %d: mass %.12g", d->name, s, sum);
    }
    model_close(&r);
  }
}

/* ---- gradients */

static real formula_at(const dist *d, const real *v) { return d->formula(v[d->n], v, NULL); }

static void test_gradients(void **state) {
  (void)state;
  uint64_t seed = 3;
  for (int k = 0; k < DISTS; k++) {
    const dist *d = &dists[k];
    char call[256], text[1024], *t = text;
    /* Bounded latents would bring their Jacobian: points stay inside, all latents are whole reals. */
    t += sprintf(t, "model m(%s) {\n", d->on == TRUTH ? "x: bool" : d->on == COUNTS ? "x: int" : "");
    for (int i = 0; i < d->n; i++) t += sprintf(t, " p%d ~ Flat()\n", i);
    if (!discrete(d)) t += sprintf(t, " x ~ Flat()\n");
    sprintf(t, " factor logpdf(%s, x)\n}", call_of(d, NULL, call));
    for (int v = 0; v < (discrete(d) ? 4 : 1); v++) {
      char json[64];
      int value = d->on == TRUTH ? v % 2 : v * v;
      snprintf(json, sizeof json, "{\"x\": %d}", value);
      model_run r;
      model_open(&r, text, discrete(d) ? json : NULL, NEED_GRAD);
      for (int rep = 0; rep < 300; rep++) {
        const double *p = d->p[rep % 3];
        double q[4], g[4];
        for (int i = 0; i < d->n; i++) q[i] = p[i];
        if (!discrete(d)) {
          double x = somewhere(d, p, &seed);
          if (d->on == UNIT && !(x > 1e-5 && x < 1 - 1e-5)) continue;
          q[d->n] = x;
        }
        double lp = model_grad(&r, q, g);
        real base[4], size = 0;
        for (size_t i = 0; i < r.dim; i++) base[i] = q[i];
        if (discrete(d)) base[d->n] = value;
        real want_lp = d->formula(base[d->n], base, &size);
        assert_true(fabsl(lp - want_lp) <= 1e-12L * size + 1e-15L);
        for (size_t i = 0; i < r.dim; i++) {
          real near = d->on == BETWEEN ? fminl(fabsl(base[2] - base[0]), fabsl(base[1] - base[2])) : d->on == UNIT && i == 2 ? fminl(base[2], 1 - base[2]) :
                      fabsl(base[i]);
          if (d->on == REALS) near = i == (size_t)d->n || i == (size_t)d->n - 2 ? base[d->n - 1] : base[i];
          if (near == 0 || (d->on >= TRUTH && k == 12)) near = 1;
          if (d->on == TRUTH && k == 11) near = fminl(base[0], 1 - base[0]);
          real h = near * 0x1p-9L, c[4], v4[4];
          for (int s = 0; s < 4; s++, h /= 2) {
            memcpy(v4, base, sizeof v4);
            v4[i] = base[i] + h;
            real up = formula_at(d, v4);
            v4[i] = base[i] - h;
            c[s] = (up - formula_at(d, v4)) / (2 * h);
          }
          real e0 = (4 * c[1] - c[0]) / 3, e1 = (4 * c[2] - c[1]) / 3, e2 = (4 * c[3] - c[2]) / 3;
          real f0 = (16 * e1 - e0) / 15, f1 = (16 * e2 - e1) / 15, want = (64 * f1 - f0) / 63;
          /* Terms of the derivative: those of the density over the scale on which it changes. */
          if (!(fabsl(g[i] - want) <= 1e-9L * (fabsl(want) + size / near)))
            fail_msg("%s with %g, %g, %g at %.17g: derivative %d is %.15g, not %.15Lg", d->name, p[0], p[1], p[2], (double)base[d->n], (int)i, g[i], want);
        }
      }
      model_close(&r);
    }
  }
}

/* ---- samplers */

/* Draws of site x of a one-line model, n of them in one plate; type has a %d for that. */
static double *sample(const char *call, const char *type, int n, size_t cells) {
  char text[512], array[128];
  snprintf(array, sizeof array, type, n);
  snprintf(text, sizeof text, "model m() { x: %s ~ %s }", array, call);
  model_run r;
  model_open(&r, text, NULL, NEED_PRIOR);
  assert_int_equal(r.cells, (size_t)n * cells);
  double *x = malloc(r.cells * sizeof *x);
  model_prior(&r, 0x5eed, x);
  model_close(&r);
  return x;
}

/* 99.9999 % of chi-square with k degrees of freedom (Wilson and Hilferty). */
static double chi_square_limit(int k) {
  double c = 2.0 / (9.0 * k), z = 1.0 - c + 4.75342430882 * sqrt(c);
  return k * z * z * z;
}

static void expect_counts(const char *name, const double *want, const double *count, int cells, double n) {
  double chi = 0.0, w = 0.0, c = 0.0;
  int used = 0;
  for (int k = 0; k < cells; k++) { /* cells of at least 10 expected draws */
    w += want[k] * n;
    c += count[k];
    if (w < 10.0 && k + 1 < cells) continue;
    if (w > 0.0) chi += (c - w) * (c - w) / w;
    else assert_true(c == 0.0);
    used++;
    w = c = 0.0;
  }
  if (used > 1 && chi > chi_square_limit(used - 1)) fail_msg("%s: chi-square %g over %d cells", name, chi, used);
}

static void test_samplers(void **state) {
  (void)state;
  for (int k = 0; k < DISTS; k++) {
    const dist *d = &dists[k];
    for (int s = 0; s < 3; s++) {
      char call[256];
      call_of(d, d->p[s], call);
      double *x = sample(call, d->on == TRUTH ? "bool[%d]" : d->on == COUNTS ? "int[%d]" : "real[%d]", draws, 1);
      model_run r;
      open_free(&r, d, NEED_DENSITY);
      if (discrete(d)) {
        static double want[2000], count[2000];
        int cells = d->on == TRUTH ? 2 : 2000;
        memset(count, 0, sizeof count);
        for (int v = 0; v < cells; v++) want[v] = exp(density(&r, d, v, d->p[s]));
        for (int i = 0; i < draws; i++) {
          assert_true(x[i] >= 0 && x[i] < cells);
          count[(int)x[i]]++;
        }
        expect_counts(call, want, count, cells, draws);
      } else {
        /* The cdf at 400 order statistics and between them by quadrature from piece to piece. */
        double end[128], at = 0.0, worst = 0.0, before = -INFINITY;
        int n = pieces(d, d->p[s], end), piece = 0;
        qsort(x, (size_t)draws, sizeof *x, by_value);
        before = end[0];
        for (int i = 0; i < 400; i++) {
          int rank = (int)((i + 0.5) / 400 * draws);
          while (piece < n && end[piece + 1] < x[rank]) {
            if (end[piece + 1] > before) {
              at += mass(&r, d, d->p[s], before, end[piece + 1]);
              before = end[piece + 1];
            }
            piece++;
          }
          if (x[rank] > before) {
            at += mass(&r, d, d->p[s], before, x[rank]);
            before = x[rank];
          }
          double f = (rank + 0.5) / draws;
          if (fabs(at - f) > worst) worst = fabs(at - f);
        }
        /* P(sup > c / sqrt(n)) <= 2 exp(-2 c^2). */
        if (worst > sqrt(log(2e6) / 2.0) / sqrt(draws)) fail_msg("%s: the distribution function is off by %g", call, worst);
      }
      model_close(&r);
      free(x);
    }
  }
}

/* Truncated sites are drawn from what their density says. */
static void test_truncated_samplers(void **state) {
  (void)state;
  double *x = sample("Normal(0.5, 2)", "real<lower = 1, upper = 3>[%d]", draws, 1), want[32], count[32] = {0};
  double a = 0.5 * erfc(-0.25 / sqrt(2)), b = 0.5 * erfc(-1.25 / sqrt(2));
  for (int k = 0; k < 32; k++)
    want[k] = (0.5 * erfc(-(1 + (k + 1) / 16.0 - 0.5) / 2 / sqrt(2)) - 0.5 * erfc(-(1 + k / 16.0 - 0.5) / 2 / sqrt(2))) / (b - a);
  for (int i = 0; i < draws; i++) {
    assert_true(x[i] >= 1.0 && x[i] <= 3.0);
    int k = (int)((x[i] - 1.0) * 16.0);
    count[k < 32 ? k : 31]++;
  }
  expect_counts("truncated Normal", want, count, 32, draws);
  free(x);
}

/* ---- vectors */

static double mean_of(const double *x, int n, size_t step) {
  double s = 0.0;
  for (int i = 0; i < n; i++) s += x[(size_t)i * step];
  return s / n;
}

/* An element of a Dirichlet vector is Beta; a pair of them has covariance -a b / (s^2 (s + 1)). */
static void test_dirichlet(void **state) {
  (void)state;
  const double alpha[3] = {0.5, 2.0, 4.5}, s = 7.0;
  model_run r;
  model_open(&r, "model m() { a: real[3] ~ Flat()\n x: simplex(3) ~ Flat()\n factor logpdf(Dirichlet(a), x) }", NULL, NEED_DENSITY);
  double frame[6] = {0.5, 2.0, 4.5, 0.2, 0.3, 0.5}, part[3];
  real want = lgammal(7) - lgammal(0.5L) - lgammal(2) - lgammal(4.5L) - 0.5L * logl(0.2) + logl(0.3) + 3.5L * logl(0.5);
  assert_true(fabsl(model_density(&r, frame, part) - want) <= 1e-13L);
  double edge[6] = {1, 1, 1, 0, 0.5, 0.5};
  assert_true(fabs(model_density(&r, edge, part) - log(2.0)) <= 1e-15);
  double bad[6] = {0, 1, 1, 0.1, 0.4, 0.5};
  assert_true(model_density(&r, bad, part) == -INFINITY && r.report.guards > 0);
  model_close(&r);
  double *x = sample("Dirichlet([0.5, 2.0, 4.5])", "simplex(3)[%d]", draws, 3);
  for (int k = 0; k < 3; k++) {
    double m = alpha[k] / s, v = m * (1 - m) / (s + 1);
    assert_true(fabs(mean_of(x + k, draws, 3) - m) <= 4.9 * sqrt(v / draws));
  }
  double cov = 0.0, square = 0.0;
  for (int i = 0; i < draws; i++) {
    double c = (x[3 * i + 1] - 2.0 / 7) * (x[3 * i + 2] - 4.5 / 7);
    cov += c;
    square += c * c;
    assert_true(fabs(x[3 * i] + x[3 * i + 1] + x[3 * i + 2] - 1.0) <= 1e-15 * 4);
  }
  cov /= draws;
  assert_true(fabs(cov + 2.0 * 4.5 / (49 * 8)) <= 4.9 * sqrt((square / draws - cov * cov) / draws));
  free(x);
}

static void test_multi_normal(void **state) {
  (void)state;
  /* Covariance [[4, 1.2], [1.2, 1]]: determinant 2.56, factor [[2, 0], [0.6, 0.8]]. */
  static const char *const calls[] = {"MultiNormal([1.0, -2.0], [[4.0, 1.2], [1.2, 1.0]])", "MultiNormal([1.0, -2.0], cholesky = [[2.0, 0.0], [0.6, 0.8]])"};
  for (int k = 0; k < 2; k++) {
    char text[256];
    snprintf(text, sizeof text, "model m() { x ~ %s }", calls[k]);
    model_run r;
    model_open(&r, text, NULL, NEED_DENSITY);
    double frame[2] = {2.5, -1.0}, part[3];
    real u = 1.5L, v = 1.0L, quad = (u * u - 2 * 1.2L * u * v + 4 * v * v) / 2.56L, want = -quad / 2 - logl(2.56L) / 2 - logl(2 * PI);
    assert_true(fabsl(model_density(&r, frame, part) - want) <= 1e-14L);
    model_close(&r);
    double *x = sample(calls[k], "real[%d, 2]", draws, 2);
    assert_true(fabs(mean_of(x, draws, 2) - 1.0) <= 4.9 * 2.0 / sqrt(draws));
    assert_true(fabs(mean_of(x + 1, draws, 2) + 2.0) <= 4.9 / sqrt(draws));
    double c[3] = {0};
    for (int i = 0; i < draws; i++) {
      double a = x[2 * i] - 1.0, b = x[2 * i + 1] + 2.0;
      c[0] += a * a / draws;
      c[1] += a * b / draws;
      c[2] += b * b / draws;
    }
    assert_true(fabs(c[0] - 4.0) <= 4.9 * sqrt(2.0) * 4.0 / sqrt(draws));
    assert_true(fabs(c[1] - 1.2) <= 4.9 * sqrt(4.0 + 1.44) / sqrt(draws));
    assert_true(fabs(c[2] - 1.0) <= 4.9 * sqrt(2.0) / sqrt(draws));
    free(x);
  }
  /* A vector without elements has density 1, alone and where it is non-centred. */
  static const char *const empty[] = {"MultiNormal(rep(0.0, K), [1.0 for i in 1..K, j in 1..K])", "MultiNormal(rep(0.0, K), cholesky = [1.0 for i in 1..K, j in 1..K])"};
  model_run r;
  for (int k = 0; k < 2; k++) {
    char text[256];
    snprintf(text, sizeof text, "model m(K: int) { s ~ Normal(0, 1)\n x ~ %s\n y ~ %s\n factor sum(x) + sum(y) }", empty[k], empty[k]);
    model_open(&r, text, "{\"K\": 0}", NEED_DENSITY | NEED_GRAD);
    double at[1] = {0.5}, g[1], of[3];
    model_density(&r, at, of);
    assert_true(fabs(of[0] + 0.125 + 0.5 * log(2 * (double)PI)) < 1e-15 && of[1] == 0.0 && of[2] == 0.0);
    assert_true(fabs(model_grad(&r, at, g) + 0.125 + 0.5 * log(2 * (double)PI)) < 1e-15 && g[0] == -0.5);
    model_close(&r);
  }
  /* A covariance that has no factor, a factor with a negative diagonal. */
  double part[3], bad[5] = {1.0, 1.0, 2.0, 0.0, 0.0};
  model_open(&r, "model m() { a ~ Flat()\n b ~ Flat()\n c ~ Flat()\n x: real[2] ~ Flat()\n factor logpdf(MultiNormal([0.0, 0.0], [[a, c], [c, b]]), x) }", NULL,
             NEED_DENSITY);
  assert_true(model_density(&r, bad, part) == -INFINITY);
  model_close(&r);
  bad[0] = -1.0;
  model_open(&r, "model m() { a ~ Flat()\n b ~ Flat()\n c ~ Flat()\n x: real[2] ~ Flat()\n factor logpdf(MultiNormal([0.0, 0.0], cholesky = [[a, 0.0], [c, b]]), x) }",
             NULL, NEED_DENSITY);
  assert_true(model_density(&r, bad, part) == -INFINITY && r.report.guards > 0);
  model_close(&r);
}

static void test_categorical(void **state) {
  (void)state;
  static const char *const calls[] = {"Categorical([0.5, 0.125, 0.375])", "Categorical(logit = [1.3862943611198906, 0.0, 1.0986122886681098])"};
  static const double want[3] = {0.5, 0.125, 0.375};
  for (int k = 0; k < 2; k++) {
    char text[256];
    double count[3] = {0}, part[3], frame[1], low = 0.0;
    snprintf(text, sizeof text, "model m() { x ~ %s }", calls[k]);
    model_run r;
    model_open(&r, text, NULL, NEED_DENSITY | NEED_LOCAL);
    double hi;
    int64_t at = 0;
    model_bounds(&r, model_site(&r, "x"), frame, &at, &low, &hi);
    for (int v = 0; v < 3; v++) {
      frame[0] = low + v;
      assert_true(fabs(model_density(&r, frame, part) - log(want[v])) <= 1e-15 * 4);
    }
    model_close(&r);
    double *x = sample(calls[k], "index(3)[%d]", draws, 1);
    for (int i = 0; i < draws; i++) count[(int)(x[i] - low)]++;
    expect_counts(calls[k], want, count, 3, draws);
    free(x);
  }
}

int main(int argc, char **argv) {
  if (argc > 1) draws = atoi(argv[1]);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_extremes), cmocka_unit_test(test_outside),
                                     cmocka_unit_test(test_sums), cmocka_unit_test(test_gradients), cmocka_unit_test(test_samplers),
                                     cmocka_unit_test(test_truncated_samplers), cmocka_unit_test(test_dirichlet), cmocka_unit_test(test_multi_normal),
                                     cmocka_unit_test(test_categorical)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
