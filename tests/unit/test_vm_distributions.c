/* test_vm_distributions.c: every distribution of the prelude: values, normalisation, gradients, samplers.
 *
 * The oracle is a formula of its own in long double for each (dist_formulas.h).
 *
 *   values      at points over the support, its ends and far tails: 1e-13 of the sum of the formula's absolute terms
 *   outside     -inf, and invalid parameters -inf and counted as a failed guard
 *   sums        1 over the support, by quadrature or summation of what the model returns
 *   gradients   of the value and every parameter as latents, against differences of the formula: 1e-13 of the terms
 *   samplers    @prior of a one-line model: Kolmogorov-Smirnov against the integrated density, chi-square for counts, each with a
 *               false alarm of 1e-6; with 1e5 draws a wrong probability of 1 % of its cell is seen, and a wrong twin of each sampler is
 *
 *   test_vm_distributions [draws] */
#include "tests/model_run.h"
#include "tests/unit/dist_formulas.h"
#include "tests/unit/sampler_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool discrete(const dist *d) { return d->on >= TRUTH; }
static bool integer(const dist *d, int k) { return strcmp(d->support[k], INTEGER) == 0; }

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
  for (int k = 0; k < d->n; k++) t += sprintf(t, " p%d: %s ~ Flat()\n", k, integer(d, k) ? INTEGER : "real");
  static const char *types[] = {"real", "real", "real", "real", "real", "real", "bool", INTEGER};
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
  double scale = d->on == REALS ? p[d->scale] : 1.0, at = d->on == REALS ? p[d->at] : 0.0;
  switch (d->on) {
  case REALS: return at + scale * (z < 0 ? -far : far);
  case POSITIVE: return far;
  case UNIT: return z < 0 ? fmin(far / 1e6, 1.0) : 1.0 - far / 1.1e6;
  case BETWEEN: return p[0] + (p[1] - p[0]) * uniform(seed);
  case ABOVE: return p[d->at] * (1.0 + far);
  case ANGLE: return 3.14159 * (2.0 * uniform(seed) - 1.0);
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
      if (isinf((double)want) ? got != (double)want : !(fabsl(got - want) <= 1e-13L * size + 1e-16L))
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
  expect_at("Binomial(%s, %s)", 0, 5, 0, 0, 0);
  expect_at("Binomial(%s, %s)", 5, 5, 1, 0, 0);
  expect_at("Binomial(%s, %s)", 1, 5, 0, -inf, 0);
  expect_at("Binomial(%s, %s)", 4, 5, 1, -inf, 0);
  expect_at("Binomial(%s, logit = %s)", 0, 5, 800, -4000, 1e-11);
  expect_at("Binomial(%s, logit = %s)", 5, 5, 800, 0, 0);
  expect_at("NegBinomial(%s, %s)", 0, 0, 3, 0, 0);
  expect_at("NegBinomial(%s, %s)", 3, 2, 1e12, -1.7123179275482190, 1e-11);
  expect_at("ZeroInflatedPoisson(%s, %s)", 0, 0, 800, -800, 1e-12);
  expect_at("ZeroInflatedPoisson(%s, %s)", 0, 1, 3, 0, 0);
  expect_at("ZeroInflatedPoisson(%s, %s)", 2, 1, 3, -inf, 0);
  expect_at("Geometric(%s)", 0, 1, 0, 0, 0);
  expect_at("Geometric(%s)", 1, 1, 0, -inf, 0);
  expect_at("Weibull(%s, %s)", 0, 1, 2, -0.69314718055994531, 1e-15);
  expect_at("Weibull(%s, %s)", 0, 2, 2, -inf, 0);
  expect_at("Frechet(%s, %s)", 0, 2, 2, -inf, 0);
  expect_at("Rayleigh(%s)", 0, 1, 0, -inf, 0);
  expect_at("LogLogistic(%s, %s)", 0, 1, 2, -0.69314718055994531, 1e-15);
  expect_at("Logistic(%s, %s)", 800, 0, 1, -800, 1e-12);
  expect_at("Logistic(%s, %s)", -800, 0, 1, -800, 1e-12);
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
    double below = d->on == ABOVE ? p[d->at] - 1e-9 : d->on == BETWEEN ? p[0] - 1e-9 : -1e-9, above = d->on == BETWEEN ? p[1] + 1e-9 : 1.0 + 1e-9;
    if (d->on == COUNTS) below = -1.0;
    if (d->on == ANGLE) below = -3.15, above = 3.15;
    if (d->on != REALS && d->on != TRUTH) assert_true(density(&r, d, below, p) == -INFINITY);
    if (d->on == UNIT || d->on == BETWEEN || d->on == ANGLE) assert_true(density(&r, d, above, p) == -INFINITY);
    for (int b = 0; b < 2; b++) {
      if (d->bad[0][0] != d->bad[0][0]) continue;
      double x = d->on == REALS || d->on == TRUTH ? 1.0 : d->on == COUNTS ? 2.0 : 1.5 - (d->on != ABOVE), got = density(&r, d, x, d->bad[b]);
      if (got != -INFINITY || r.report.guards == 0)
        fail_msg("%s with %g, %g, %g: %g, %d guards", d->name, d->bad[b][0], d->bad[b][1], d->bad[b][2], got, (int)r.report.guards);
    }
    density(&r, d, d->on == REALS || d->on == TRUTH ? 1.0 : d->on == COUNTS || d->on == ABOVE ? 2.0 : 0.5, p);
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
  double c = d->on == REALS ? p[d->at] : 0.0, s = d->on == REALS ? p[d->scale] : 1.0;
  switch (d->on) {
  case REALS:
    for (int k = 44; k >= -2; k--) x[n++] = c - s * ldexp(1.0, k);
    x[n++] = c;
    for (int k = -2; k <= 44; k++) x[n++] = c + s * ldexp(1.0, k);
    return n - 1;
  case POSITIVE:
    x[n++] = 0.0;
    for (int k = -24; k <= 50; k++) x[n++] = ldexp(1.0, k);
    return n - 1;
  case ABOVE:
    x[n++] = p[d->at];
    for (int k = -24; k <= 50; k++) x[n++] = p[d->at] * (1.0 + ldexp(1.0, k));
    return n - 1;
  default:
    for (int k = 0; k <= 32; k++)
      x[n++] = d->on == ANGLE ? (double)PI * (k - 16) / 16 : (d->on == UNIT ? 0.0 : p[0]) + (d->on == UNIT ? 1.0 : p[1] - p[0]) * k / 32;
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

/* A member of every distribution that has it, of the value and the parameters as latents; false where it has not. */
static bool open_member(model_run *r, const dist *d, const char *member) {
  char call[256], text[1024], *t = text;
  const char *messages;
  t += sprintf(t, "model m() {\n");
  for (int k = 0; k < d->n; k++) t += sprintf(t, " p%d: %s ~ Flat()\n", k, integer(d, k) ? INTEGER : "real");
  sprintf(t, " x: %s ~ Flat()\n factor %s(%s, x)\n}", discrete(d) && strcmp(member, "quantile") != 0 ? INTEGER : "real", member, call_of(d, NULL, call));
  if (d->on != TRUTH && model_try(r, text, NULL, NEED_DENSITY, 0, &messages)) return true;
  assert_true(d->on == TRUTH || strstr(messages, "has no"));
  model_close(r);
  return false;
}

/* Both tails add up to 1 and follow the density; the quantile comes back. */
static void test_cdfs(void **state) {
  (void)state;
  int tested = 0;
  for (int k = 0; k < DISTS; k++) {
    const dist *d = &dists[k];
    model_run pdf, lower, upper, quantile;
    if (d->on == TRUTH || !open_member(&lower, d, "logcdf")) continue;
    assert_true(open_member(&upper, d, "logccdf"));
    bool inverts = open_member(&quantile, d, "quantile");
    open_free(&pdf, d, NEED_DENSITY);
    tested++;
    for (int s = 0; s < 3; s++) {
      double x[128], sum = 0.0;
      const double *p = d->p[s];
      int n = discrete(d) ? 100 : pieces(d, p, x);
      for (int i = 0; i < n; i++) {
        double at = discrete(d) ? i : x[i + 1];
        sum += discrete(d) ? exp(density(&pdf, d, i, p)) : mass(&pdf, d, p, x[i], at);
        double l = density(&lower, d, at, p), u = density(&upper, d, at, p);
        if (discrete(d) && sum > 1e-290 && sum < 0.5 && !(fabs(l - log(sum)) <= 1e-10 * (1.0 - log(sum)) || l == log(sum)))
          fail_msg("%s, parameters %d: log cdf(%.17g) is %.15g, not %.15g", d->name, s, at, l, log(sum));
        if (!(fabs(exp(l) - sum) <= 1e-9)) fail_msg("%s, parameters %d: cdf(%.17g) is %.12g, not %.12g", d->name, s, at, exp(l), sum);
        if (!(fabs(exp(l) + exp(u) - 1.0) <= 1e-13)) fail_msg("%s, parameters %d: at %.17g the tails are %.17g and %.17g", d->name, s, at, exp(l), exp(u));
        if (inverts && l > -30.0 && l < -1e-3 && !discrete(d)) {
          double back = density(&quantile, d, exp(l), p), scale = d->on == REALS ? p[d->scale] + fabs(p[d->at]) : fabs(at);
          if (!(fabs(back - at) <= 1e-10 * (fabs(at) + scale))) fail_msg("%s, parameters %d: quantile(cdf(%.17g)) is %.17g", d->name, s, at, back);
        }
      }
    }
    model_close(&pdf);
    model_close(&lower);
    model_close(&upper);
    if (inverts) model_close(&quantile);
  }
  print_message("  %d of %d have a cdf\n", tested, DISTS);
}

/* ---- gradients */

static real formula_at(const dist *d, const real *v) { return d->formula(v[d->n], v, NULL); }

/* The scale on which the density changes with parameter i, or with the value for i = n. */
static real near_of(const dist *d, const real *v, int i) {
  real a = fabsl(v[i]);
  if (d->formula == laplace && (i == d->at || i == d->n)) return fminl(v[d->scale], fabsl(v[d->n] - v[d->at])); /* a kink */
  switch (d->on) {
  case REALS: if (i == d->at || i == d->n) return v[d->scale]; break;
  case UNIT: if (i == d->n) return fminl(v[i], 1 - v[i]); break;
  case BETWEEN: return v[1] - v[0];
  case ANGLE: if (i == d->n) return 1 / (1 + sqrtl(v[1])); break;
  case ABOVE: if (i == d->n || i == d->at) return fminl(v[d->n] - v[d->at], a); break;
  default: break;
  }
  if (i < d->n && strcmp(d->support[i], PROB) == 0) return fminl(a, 1 - a);
  return i < d->n && strcmp(d->support[i], "real") == 0 ? 1 : a;
}

/* Central differences, extrapolated, at several steps: the one whose last two extrapolations agree best (Ridders 1982). */
static real difference(const dist *d, const real *v, int i, real near) {
  real best = 0, error = INF;
  for (int e = 6; e <= 14; e += 2) {
    real h = ldexpl(near, -e), c[4], v4[4], last = 0;
    for (int s = 0; s < 4; s++, h /= 2) {
      memcpy(v4, v, sizeof v4);
      real above = v[i] + h, below = v[i] - h;
      v4[i] = above;
      real up = formula_at(d, v4);
      v4[i] = below;
      c[s] = (up - formula_at(d, v4)) / (above - below);
    }
    for (int k = 1; k < 4; k++) {
      last = c[3];
      for (int s = 3; s >= k; s--) c[s] += (c[s] - c[s - 1]) / (ldexpl(1, 2 * k) - 1);
    }
    if (fabsl(c[3] - last) < error) {
      error = fabsl(c[3] - last);
      best = c[3];
    }
  }
  return best;
}

static void test_gradients(void **state) {
  (void)state;
  uint64_t seed = 3;
  for (int k = 0; k < DISTS; k++) {
    const dist *d = &dists[k];
    for (int rep = 0; rep < (discrete(d) ? 18 : 3); rep++) {
      /* What is an integer is data.  Latents are whole reals, lest a bound bring its Jacobian. */
      const double *p = d->p[rep % 3];
      int value = d->on == TRUTH ? rep / 3 % 2 : (rep / 3) * (rep / 3);
      char call[256], text[1024], json[256], *t = text, *j = json;
      t += sprintf(t, "model m(%s", discrete(d) ? d->on == TRUTH ? "x: bool" : "x: int" : "");
      j += sprintf(j, "{\"x\": %d", value);
      for (int i = 0; i < d->n; i++)
        if (integer(d, i)) {
          t += sprintf(t, ", p%d: int", i);
          j += sprintf(j, ", \"p%d\": %d", i, (int)p[i]);
        }
      strcpy(j, "}");
      t += sprintf(t, ") {\n s ~ Flat()\n");
      for (int i = 0; i < d->n; i++)
        if (!integer(d, i)) t += sprintf(t, " p%d ~ Flat()\n", i);
      if (!discrete(d)) t += sprintf(t, " x ~ Flat()\n");
      sprintf(t, " factor s + logpdf(%s, x)\n}", call_of(d, NULL, call));
      model_run r;
      model_open(&r, text, discrete(d) ? json : NULL, NEED_GRAD);
      for (int n = 0; n < (discrete(d) ? 1 : 100); n++) {
        double q[5] = {0}, g[5];
        real base[4], size = 0;
        int where[4], m = 1;
        for (int i = 0; i < d->n; i++) base[i] = p[i];
        base[d->n] = discrete(d) ? value : somewhere(d, p, &seed);
        if (d->on == UNIT && !(base[d->n] > 1e-5L && base[d->n] < 1 - 1e-5L)) continue;
        for (int i = 0; i <= d->n; i++) {
          bool latent = i < d->n ? !integer(d, i) : !discrete(d);
          where[i] = latent ? m : 0;
          if (latent) q[m++] = (double)base[i];
        }
        assert_int_equal(m, r.dim);
        double lp = model_grad(&r, q, g);
        real want_lp = d->formula(base[d->n], base, &size);
        if (isinf((double)want_lp)) {
          assert_true(lp == (double)want_lp);
          continue;
        }
        assert_true(fabsl(lp - want_lp) <= 1e-13L * size + 1e-16L);
        for (int i = 0; i <= d->n; i++) {
          if (!where[i]) continue;
          real near = near_of(d, base, i), want = difference(d, base, i, near);
          /* Terms of the derivative: those of the density over the scale on which it changes. */
          if (!(fabsl(g[where[i]] - want) <= 1e-13L * (fabsl(want) + size / near)))
            fail_msg("%s with %g, %g, %g at %.17g: derivative %d is %.15g, not %.15Lg", d->name, p[0], p[1], p[2], (double)base[d->n], i, g[where[i]], want);
        }
      }
      model_close(&r);
    }
  }
}

/* ---- samplers */

/* Whether draws could come from a law with these probabilities. */
static bool counts_fit(const double *want, const double *x, int cells, double *off) {
  static double count[2000];
  int used;
  memset(count, 0, sizeof count);
  for (int i = 0; i < draws; i++) {
    assert_true(x[i] >= 0 && x[i] < cells);
    count[(int)x[i]]++;
  }
  *off = chi_square(want, count, cells, draws, &used);
  return used < 2 || *off <= chi_square_limit(used - 1);
}

/* Whether draws, sorted here, could come from the density: its cdf at 400 order statistics, and between them by quadrature from piece to piece. */
static bool density_fits(model_run *r, const dist *d, const double *p, double *x, double *off) {
  double end[128], at = 0.0, before;
  int n = pieces(d, p, end), piece = 0;
  qsort(x, (size_t)draws, sizeof *x, by_value);
  before = end[0];
  *off = 0.0;
  for (int i = 0; i < 400; i++) {
    int rank = (int)((i + 0.5) / 400 * draws);
    while (piece < n && end[piece + 1] < x[rank]) {
      if (end[piece + 1] > before) {
        at += mass(r, d, p, before, end[piece + 1]);
        before = end[piece + 1];
      }
      piece++;
    }
    if (x[rank] > before) {
      at += mass(r, d, p, before, x[rank]);
      before = x[rank];
    }
    *off = fmax(*off, fabs(at - (rank + 0.5) / draws));
  }
  /* P(sup > c / sqrt(n)) <= 2 exp(-2 c^2). */
  return *off <= sqrt(log(2e6) / 2.0) / sqrt(draws);
}

/* Chi-square of the twin's probabilities on those that are right. */
static double twin_strength(const double *want, int cells) {
  double below = 0.0, strength = 0.0;
  for (int k = 0; k < cells; k++) {
    double f = below + want[k], move = 0.2 * (f * (1 - f) - below * (1 - below));
    if (want[k] > 0.0) strength += draws * move * move / want[k];
    below = f;
  }
  return strength;
}

static void test_samplers(void **state) {
  (void)state;
  int weak = 0;
  for (int k = 0; k < DISTS; k++) {
    const dist *d = &dists[k];
    for (int s = 0; s < 3 && !d->undrawn; s++) {
      char call[256];
      call_of(d, d->p[s], call);
      double *x = sample(call, d->on == TRUTH ? "bool[%d]" : d->on == COUNTS ? "int[%d]" : "real[%d]", draws, 1), *twin = twin_of(x), off;
      model_run r;
      open_free(&r, d, NEED_DENSITY);
      if (discrete(d)) {
        static double want[2000];
        int cells = d->on == TRUTH ? 2 : 2000;
        for (int v = 0; v < cells; v++) want[v] = exp(density(&r, d, v, d->p[s]));
        if (!counts_fit(want, x, cells, &off)) fail_msg("%s: chi-square %g", call, off);
        if (twin_strength(want, cells) < 300.0) weak++;
        else if (counts_fit(want, twin, cells, &off)) fail_msg("%s: a wrong sampler passes with chi-square %g", call, off);
      } else {
        if (!density_fits(&r, d, d->p[s], x, &off)) fail_msg("%s: the distribution function is off by %g", call, off);
        if (density_fits(&r, d, d->p[s], twin, &off)) fail_msg("%s: a wrong sampler passes, off by %g", call, off);
      }
      model_close(&r);
      free(x);
      free(twin);
    }
  }
  /* Those with hardly any mass off one value: Bernoulli(1e-9), Bernoulli(0.999) and the like. */
  print_message("  %d laws are too narrow for the twin\n", weak);
  assert_true(weak <= 5);
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

/* Counts between bounds, in the middle and in tails where no own draw falls; a twin that is drawn one further up must be noticed. */
static void test_truncated_counts(void **state) {
  (void)state;
  static const struct {
    const char *call, *type;
    double rate; /* of a Poisson */
    int from, to, most;
  } cases[] = {
      {"Poisson(3)", "int<lower = 2, upper = 6>[%d]", 3, 2, 6, 6}, {"Poisson(2)", "int<lower = 18>[%d]", 2, 18, 60, 22},
      {"Poisson(60)", "int<upper = 20>[%d]", 60, 0, 20, 20},       {"Poisson(0.1)", "int<lower = 7, upper = 9>[%d]", 0.1, 7, 9, 9},
  };
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    double *x = sample(cases[c].call, cases[c].type, draws, 1), want[64] = {0}, count[64] = {0}, total = 0;
    int n = cases[c].most - cases[c].from + 1;
    for (int k = cases[c].from; k <= cases[c].to; k++) {
      double mass = exp(k * log(cases[c].rate) - lgamma(k + 1.0));
      total += mass;
      want[k < cases[c].most ? k - cases[c].from : n - 1] += mass;
    }
    for (int k = 0; k < n; k++) want[k] /= total;
    for (int i = 0; i < draws; i++) {
      assert_true(x[i] >= cases[c].from && x[i] <= cases[c].to && x[i] == floor(x[i]));
      count[x[i] < cases[c].most ? (int)x[i] - cases[c].from : n - 1]++;
    }
    expect_counts(cases[c].call, want, count, n, draws);
    free(x);
  }
}

static double normal_above(double x) { return erfc(x / sqrt(2.0)); }
static double gamma_above(double x) { return (1.0 + x) * exp(-x); }
static double cauchy_above(double x) { return atan2(1.0, x); }

/* Draws of a tail, by the share of the mass above or below them, and the point itself for a twin that takes the tail for exponential. */
static void expect_tail(const char *call, const char *type, double (*mass)(double), double end, double other, double sign) {
  int n = 20000;
  double *x = sample(call, type, n, 1), *twin = malloc((size_t)n * sizeof *twin);
  for (int i = 0; i < n; i++) {
    double v = sign * x[i];
    assert_true(v >= end && v <= other);
    double all = mass(end) - (isinf(other) ? 0.0 : mass(other)), rate = -(mass(end * (1 + 1e-6)) / mass(end) - 1) / (1e-6 * end);
    twin[i] = isinf(other) ? exp(-rate * (v - end)) : (v - end) / (other - end);
    x[i] = (mass(v) - (isinf(other) ? 0.0 : mass(other))) / all;
  }
  if (!uniforms(x, n)) fail_msg("%s ~ %s", type, call);
  if (uniforms(twin, n)) fail_msg("%s ~ %s: nor would another law have been noticed", type, call);
  free(x);
  free(twin);
}

static void test_tail_samplers(void **state) {
  (void)state;
  expect_tail("Normal(0, 1)", "real<lower = 2>[%d]", normal_above, 2, INFINITY, 1);
  expect_tail("Normal(0, 1)", "real<upper = -2>[%d]", normal_above, 2, INFINITY, -1);
  expect_tail("Normal(0, 1)", "real<lower = 8, upper = 8.2>[%d]", normal_above, 8, 8.2, 1);
  expect_tail("Normal(0, 1)", "real<lower = -8.2, upper = -8>[%d]", normal_above, 8, 8.2, -1);
  expect_tail("Gamma(2, 1)", "real<lower = 3>[%d]", gamma_above, 3, INFINITY, 1);
  expect_tail("Cauchy(0, 1)", "real<lower = 1e6>[%d]", cauchy_above, 1e6, INFINITY, 1);
  expect_tail("StudentT(1, 0, 1)", "real<upper = -1e3>[%d]", cauchy_above, 1e3, INFINITY, -1);
}

/* Order statistics: the least and the greatest of three, and of two exponentials above a bound. */
static void test_ordered_samplers(void **state) {
  (void)state;
  int n = 20000;
  double *x = sample("Normal(0, 1)", "ordered(3)[%d]", n, 3), *u = malloc((size_t)n * sizeof *u);
  for (int end = 0; end < 2; end++) {
    for (int i = 0; i < n; i++) {
      assert_true(x[3 * i] <= x[3 * i + 1] && x[3 * i + 1] <= x[3 * i + 2]);
      u[i] = end ? pow(0.5 * erfc(-x[3 * i + 2] / sqrt(2.0)), 3) : pow(0.5 * erfc(x[3 * i] / sqrt(2.0)), 3);
    }
    assert_true(uniforms(u, n));
  }
  for (int i = 0; i < n; i++) u[i] = 0.5 * erfc(-x[3 * i + 2] / sqrt(2.0)); /* not sorted, the last would be as any */
  assert_false(uniforms(u, n));
  free(x);
  x = sample("Exponential(1)", "ordered<lower = 1>(2)[%d]", n, 2);
  for (int i = 0; i < n; i++) u[i] = exp(-2.0 * (x[2 * i] - 1.0));
  assert_true(uniforms(u, n));
  free(x);
  free(u);
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
  /* A covariance in the place of its factor. */
  static const char *const factors[] = {"MultiNormal([0.0, 0.0], cholesky = [[a, c], [c, b]])", "MultiStudentT(3, [0.0, 0.0], cholesky = [[a, c], [c, b]])"};
  for (size_t k = 0; k < sizeof factors / sizeof *factors; k++) {
    char text[256];
    snprintf(text, sizeof text, "model m() { a ~ Flat()\n b ~ Flat()\n c ~ Flat()\n x: real[2] ~ Flat()\n factor logpdf(%s, x) }", factors[k]);
    model_open(&r, text, NULL, NEED_DENSITY);
    double at[5] = {1.0, 2.0, 0.0, 0.5, 0.5};
    assert_true(isfinite(model_density(&r, at, part)) && r.report.guards == 0);
    at[2] = 0.5;
    assert_true(model_density(&r, at, part) == -INFINITY && r.report.guards > 0);
    model_close(&r);
  }
}

/* Probabilities that do not sum to 1 within 1e-8, or are negative, are no probabilities: density 0, told as a failed guard. */
static void test_probabilities(void **state) {
  (void)state;
  static const char *const factors[] = {"logpdf(Categorical(w), 1)", "logpdf(Multinomial(3, w), [2, 1])", "logpdf(mixture(w, Normal([0.0, 1.0], 1)), 0.5)"};
  static const struct { double w[2]; bool right; } cases[] = {{{0.25, 0.75}, true}, {{0.25, 0.75 + 5e-9}, true}, {{0.25, 0.75 + 2e-8}, false},
                                                              {{0.25, 0.7}, false}, {{2, 3}, false}, {{1.5, -0.5}, false}, {{NAN, 0.5}, false}};
  for (size_t k = 0; k < sizeof factors / sizeof *factors; k++) {
    char text[256];
    snprintf(text, sizeof text, "model m() { w: real[2] ~ Flat()\n factor %s }", factors[k]);
    model_run r;
    double part[3];
    model_open(&r, text, NULL, NEED_DENSITY);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      double v = model_density(&r, cases[i].w, part);
      if (cases[i].right != (bool)isfinite(v) || isnan(v)) fail_msg("%s at %g, %g: %g", factors[k], cases[i].w[0], cases[i].w[1], v);
    }
    assert_true(r.report.guards > 0);
    model_close(&r);
  }
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
                                     cmocka_unit_test(test_sums), cmocka_unit_test(test_cdfs), cmocka_unit_test(test_gradients), cmocka_unit_test(test_samplers),
                                     cmocka_unit_test(test_truncated_samplers), cmocka_unit_test(test_truncated_counts), cmocka_unit_test(test_tail_samplers), cmocka_unit_test(test_ordered_samplers), cmocka_unit_test(test_dirichlet), cmocka_unit_test(test_multi_normal),
                                     cmocka_unit_test(test_probabilities), cmocka_unit_test(test_categorical)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
