/* test_vm_gradients.c: gradients of whole models against differences of their density in long double.
 *
 * @grad runs in the interpreter; the density is @logdens evaluated by the oracle of ref_eval.h, differentiated along random directions
 * by central differences, extrapolated twice.  An error may be 1e-9 of 1 + |log density| + the sum of |g_i d_i|, where what is
 * seen is below 3e-14.  Models: tests/posteriors with the data of ../shared/posteriordb where that folder is, and
 * those below, which name what they are for.
 *
 *   test_vm_gradients [points for each model] */
#include "tests/model_run.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int points = 3;

static double uniform(uint64_t *seed) { return (double)(next_random(seed) >> 11) * 0x1p-53; }

/* ---- derivatives */

static long double along(model_run *r, const char *fn, const double *q, const double *d, long double h) {
  long double x[512], y[512];
  for (size_t e = 0; e < r->dim; e++) x[e] = (long double)q[e] + h * (long double)d[e];
  model_ref(r, fn, x, y);
  return y[0];
}

/* Central differences with steps h, h/2, h/4, whose error is O(h^6) and O(1/h) of a rounding; of several h the one whose last
 * extrapolation changed least. */
static long double derivative(model_run *r, const double *q, const double *d) {
  long double best = 0.0L, least = HUGE_VALL, h = 0x1p-6L;
  for (int tries = 0; tries < 4; tries++, h /= 16) {
    long double c[3], s = h;
    for (int k = 0; k < 3; k++, s /= 2) c[k] = (along(r, "logdens", q, d, s) - along(r, "logdens", q, d, -s)) / (2 * s);
    long double x = (4 * c[1] - c[0]) / 3, y = (4 * c[2] - c[1]) / 3, change = fabsl(y - x);
    if (change < least) {
      least = change;
      best = (16 * y - x) / 15;
    }
    if (change <= 1e-12L * (1.0L + fabsl(y))) break;
  }
  return best;
}

static void check_direction(model_run *r, const char *name, const double *q, const double *g, const double *d, double lp) {
  double got = 0.0, scale = 1.0 + fabs(lp);
  for (size_t e = 0; e < r->dim; e++) {
    got += g[e] * d[e];
    scale += fabs(g[e] * d[e]);
  }
  double want = (double)derivative(r, q, d), error = fabs(got - want) / scale;
  if (!(error <= 1e-9)) {
    size_t e = 0;
    while (e + 1 < r->dim && d[e] == 0.0) e++;
    fail_msg("%s\nderivative %.15g, not %.15g: an error of %.2g of the terms (first coordinate %zu)", name, got, want, error, e);
  }
}

/* radius: of the box of unconstrained points. */
static void check_gradient(model_run *r, const char *name, double radius, uint64_t seed) {
  double q[512], g[512], d[512];
  assert_in_range(r->dim, 1, 512);
  int seen = 0;
  for (int tries = 0; seen < points; tries++) {
    if (tries == 200) fail_msg("%s\nno point in the support", name);
    for (size_t e = 0; e < r->dim; e++) q[e] = radius * (2.0 * uniform(&seed) - 1.0);
    double lp = model_grad(r, q, g);
    if (isnan(lp)) fail_msg("%s\nNaN", name);
    if (isinf(lp)) continue;
    seen++;
    double exact = (double)along(r, "logdens", q, q, 0.0L), plain = model_logdens(r, q), close = 1e-10 * (1.0 + fabs(exact));
    if (!(fabs(lp - exact) <= close)) fail_msg("%s\n@grad returns the density %.15g, not %.15g", name, lp, exact);
    if (!(fabs(plain - exact) <= close)) fail_msg("%s\n@logdens is %.15g, not %.15g", name, plain, exact);
    /* Coordinates one by one for small models, a few for larger ones, then all at once. */
    for (size_t k = 0; k < (r->dim < 12 ? r->dim : 6); k++) {
      memset(d, 0, sizeof d);
      d[r->dim < 12 ? k : below(&seed, r->dim)] = 1.0;
      check_direction(r, name, q, g, d, lp);
    }
    for (int k = 0; k < 2; k++) {
      for (size_t e = 0; e < r->dim; e++) d[e] = 2.0 * uniform(&seed) - 1.0;
      check_direction(r, name, q, g, d, lp);
    }
  }
}

/* ---- models that have a purpose */

typedef struct example {
  const char *text, *json;
} example;

#define Y6 "\"y\": [0.3, -1.2, 0.8, 2.1, -0.4, 1.3]"
#define X62 "\"X\": [[0.5, 1], [-1, 0.3], [0.2, -0.7], [1.5, 0.1], [0.4, 0.9], [-0.8, -1.1]]"

static const example examples[] = {
    /* gathers: vectors, rows, twice the same, gathers of gathers */
    {"model m(k: index(J)[N], y: real[N]) { a: real[J] ~ Normal(0, 1)\n y ~ Normal(a[k], 1) }", "{\"k\": [2, 1, 3, 2, 2, 1], " Y6 "}"},
    {"model m(k: index(J)[N], y: real[N]) { a: real[J, 2] ~ Normal(0, 1)\n plate i in 1..N { y[i] ~ Normal(a[k[i], 1] * a[k[i], 2], 1) } }",
     "{\"k\": [2, 1, 3, 2, 2, 1], " Y6 "}"},
    {"model m(k: index(J)[N], g: index(G)[J], y: real[N]) { b: real[G] ~ Normal(0, 1)\n plate j in 1..J { a[j] ~ Normal(b[g[j]], 0.5) }\n"
     " s ~ HalfNormal(1)\n y ~ Normal(a[k] + b[g[k]], s) }",
     "{\"k\": [2, 1, 3, 2, 2, 1], \"g\": [1, 2, 1], " Y6 "}"},
    {"model m(k: index(J)[N], l: index(J)[N], y: real[N]) { a: real[J] ~ Normal(0, 1)\n y ~ Normal(a[k] * a[l] - a[1], 1) }",
     "{\"k\": [2, 1, 3, 2, 2, 1], \"l\": [1, 1, 2, 3, 2, 1], " Y6 "}"},
    /* nested plates */
    {"model m(y: real[N, M]) { a: real[N] ~ Normal(0, 1)\n b: real[M] ~ Normal(0, 1)\n t ~ HalfNormal(1)\n"
     " plate i in 1..N { plate j in 1..M { e[i, j] ~ Normal(a[i] * b[j], t)\n y[i, j] ~ Normal(e[i, j], 1) } } }",
     "{\"y\": [[1, 2, 3], [0.5, -1, 0]]}"},
    {"model m(y: real[N, M]) { m0 ~ Normal(0, 1)\n plate i in 1..N, j in 1..M { y[i, j] ~ Normal(m0 * i + j, exp(m0 / i)) } }",
     "{\"y\": [[1, 2, 3], [0.5, -1, 0]]}"},
    /* recursions with lag 1 and 2, latent and deterministic */
    {"model m(y: real[T]) { phi ~ Uniform(-1, 1)\n s ~ HalfNormal(1)\n h[1] ~ Normal(0, s / sqrt(1 - phi^2))\n"
     " for t in 2..T { h[t] ~ Normal(phi * h[t - 1], s) }\n plate t in 1..T { y[t] ~ Normal(0, exp(h[t] / 2)) } }",
     "{" Y6 "}"},
    {"model m(y: real[T]) { a: real[2] ~ Normal(0, 0.5)\n h[1] ~ Normal(0, 1)\n h[2] ~ Normal(a[1] * h[1], 1)\n"
     " for t in 3..T { h[t] ~ Normal(a[1] * h[t - 1] + a[2] * h[t - 2], 1) }\n y ~ Normal(h, 0.5) }",
     "{" Y6 "}"},
    {"model m(y: real[T]) { a: real[2] ~ Normal(0, 0.5)\n let h[1] = a[1]\n let h[2] = tanh(a[2])\n"
     " for t in 3..T { let h[t] = tanh(a[1] * h[t - 1] + a[2] * h[t - 2] + y[t - 1]) }\n y ~ Normal(h, 0.5) }",
     "{" Y6 "}"},
    {"model m(y: real[T]) { a ~ Normal(0, 0.5)\n let h[T] = a\n for t in T - 1..1 by -1 { let h[t] = sin(h[t + 1]) + a * y[t] }\n"
     " y ~ Normal(h, 1) }",
     "{" Y6 "}"},
    {"model m(y: real[T]) { p: simplex(2) ~ Dirichlet([2.0, 1.0])\n mu: ordered(2) ~ Normal(0, 2)\n"
     " let f[1] = [log(p[k]) + logpdf(Normal(mu[k], 1), y[1]) for k in 1..2]\n"
     " for t in 2..T { let f[t] = [logpdf(Normal(mu[k], 1), y[t]) + log_sum_exp(f[t - 1] + log(p)) for k in 1..2] }\n"
     " factor log_sum_exp(f[T]) }",
     "{" Y6 "}"},
    /* growing arrays in a function */
    {"fn sticks(v: real[M]): simplex(M + 1) {\n let rest[1] = 1\n for k in 1..M { let w[k] = v[k] * rest[k]; let rest[k + 1] = rest[k] * (1 - v[k]) }\n"
     " let w[M + 1] = rest[M + 1]\n return w\n}\n"
     "model m(y: real[N]) { v: real[3] ~ Beta(1, 2)\n mu: real[4] ~ Normal(0, 1)\n let w = sticks(v)\n"
     " factor sum(log_sum_exp([log(w[k]) + logpdf(Normal(mu[k], 1), y[i]) for k in 1..4]) for i in 1..N) }",
     "{" Y6 "}"},
    {"model m(y: real[N]) { a ~ Normal(0, 1)\n y ~ Normal(cumsum(exp(a * y) / 5), 1) }", "{" Y6 "}"},
    /* comprehensions, filters, extremes */
    {"model m(y: real[N]) { a: real[3] ~ Normal(0, 1)\n let K = [exp(-(a[i] - a[j])^2) + (if i == j { 1.0 } else { 0.0 }) for i in 1..3, j in 1..3]\n"
     " factor sum(K[i, j] * y[i] for i in 1..3, j in 1..3 if i != j)\n factor max(a) - min(a * a) }",
     "{" Y6 "}"},
    {"model m(y: real[N]) { a: real[3] ~ Normal(0, 1)\n factor max(sin(a[i]) for i in 1..3) + prod(a) }", "{" Y6 "}"},
    /* branches on data, on an index, on a latent */
    {"model m(y: real[N], b: bool[N]) { a: real[2] ~ Normal(0, 1)\n plate i in 1..N { y[i] ~ Normal(if b[i] { a[1] * y[i] } else { exp(a[2]) }, 1.5) } }",
     "{" Y6 ", \"b\": [0, 1, 1, 0, 1, 0]}"},
    {"model m(y: real[N], b: bool[N]) { a: real[2] ~ Normal(0, 1)\n plate i in 1..N { if b[i] { y[i] ~ Normal(a[1], exp(a[2])) } } }",
     "{" Y6 ", \"b\": [0, 1, 1, 0, 1, 0]}"},
    {"model m(y: real[N], b: bool[N]) { a: real[2] ~ Normal(0, 1)\n plate i in 1..N if b[i] { y[i] ~ Normal(a[1], exp(a[2])) } }",
     "{" Y6 ", \"b\": [0, 1, 1, 0, 1, 0]}"},
    {"model m(y: real[N]) { a: real[2] ~ Normal(0, 1)\n factor if a[1] > 0 { a[2] * a[1]^2 } else { sin(a[1]) * a[2] } }", "{" Y6 "}"},
    {"model m(y: real[N]) { a: real[2] ~ Normal(0, 1)\n let m = select(y > 0, a[1] * y, a[2]^2 * y)\n y ~ Normal(m, 1) }", "{" Y6 "}"},
    /* slices and transposes */
    {"model m(y: real[N], z: real[N]) { a: real[3, N] ~ Normal(0, 1)\n y ~ Normal(a[2] + a[:, 2][3] * a[1], 1)\n z[2..N] ~ Normal(a[3, 1..N - 1], 1) }",
     "{" Y6 ", \"z\": [0.5, -1, 2, 0.25, 1, -0.5]}"},
    {"model m(y: real[N]) { a: real[3, 2] ~ Normal(0, 1)\n let b = a'\n factor -sum(b[1, 2..3]^2) - dot(a[:, 1], b[2]) }", "{" Y6 "}"},
    {"model m(Y: real[N, M]) { a: real[N] ~ Normal(0, 1)\n Y[:, 1] ~ Normal(a, 1)\n Y[1..N - 1, 2] ~ Normal(a[2..N], 1)\n Y[N, 2..M] ~ Normal(a[1] * a[2], 2) }",
     "{\"Y\": [[1, 2, 3], [0.5, -1, 0], [4, 1, -2]]}"},
    /* products of every pair of ranks */
    {"model m(X: real[N, P], y: real[N]) { b: real[P] ~ Normal(0, 1)\n s ~ HalfNormal(1)\n y ~ Normal(X @ b, s) }", "{" X62 ", " Y6 "}"},
    {"model m(X: real[N, P], y: real[N]) { b: real[N] ~ Normal(0, 1)\n factor -sum((b @ X)^2) + dot(b, y) }", "{" X62 ", " Y6 "}"},
    {"model m(X: real[N, P], y: real[N]) { B: real[P, 3] ~ Normal(0, 1)\n factor -sum((X @ B)^2) }", "{" X62 ", " Y6 "}"},
    {"model m(X: real[N, P], y: real[N]) { B: real[3, P] ~ Normal(0, 1)\n let C = B @ X'\n factor -sum((C @ C')^2) + dot(C @ y, [1.0, 2.0, 3.0]) }",
     "{" X62 ", " Y6 "}"},
    {"model m(X: real[N, P], y: real[N]) { a: real[4] ~ Normal(0, 1)\n b: real[4] ~ Normal(0, 1)\n factor sin(a @ b) - sum((X' @ X)^2) * a[1]^2 }",
     "{" X62 ", " Y6 "}"},
    /* factorisations */
    {"model m(y: real[N]) { r ~ LogNormal(0, 0.3)\n s ~ HalfNormal(1)\n let S = [exp(-(i - j)^2 / (2 * r^2)) + (if i == j { s + 0.1 } else { 0.0 }) for i in 1..N, j in 1..N]\n"
     " y ~ MultiNormal(rep(0.0, N), S) }",
     "{" Y6 "}"},
    {"model m(Y: real[N, 2]) { L: cholesky_cov(2) ~ Flat()\n mu: real[2] ~ Normal(0, 1)\n factor -sum(L^2)\n Y ~ MultiNormal(mu, cholesky = L) }",
     "{\"Y\": [[1, 2], [0.5, -1], [0, 0.4]]}"},
    {"model m(Y: real[N, 2]) { S: cov(2) ~ Flat()\n mu: real[2] ~ Normal(0, 1)\n factor -S[1, 1] - S[2, 2]\n Y ~ MultiNormal(mu, S) }",
     "{\"Y\": [[1, 2], [0.5, -1], [0, 0.4]]}"},
    {"model m(y: real[3]) { S: cov(3) ~ Flat()\n let L = cholesky(S)\n let z = solve_lower(L, y)\n factor -dot(z, z) - sum(S^2) }", "{\"y\": [1, 2, 0.5]}"},
    {"model m(y: real[3]) { R: corr(3) ~ Flat()\n s: real[3] ~ HalfNormal(1)\n let S = [s[i] * R[i, j] * s[j] for i in 1..3, j in 1..3]\n y ~ MultiNormal(rep(0.0, 3), S) }",
     "{\"y\": [1, 2, 0.5]}"},
    {"model m(y: real[3]) { L: cholesky_corr(3) ~ Flat()\n u: unit_vector(3) ~ Flat()\n factor dot(L @ u, y) - sum(log(L[k, k]) for k in 1..3) }",
     "{\"y\": [1, 2, 0.5]}"},
    /* discrete data in every way */
    {"model m(n: int<lower = 0>[N], X: real[N, P]) { b: real[P] ~ Normal(0, 1)\n n ~ Poisson(log = X @ b) }", "{\"n\": [0, 2, 1, 5, 0, 3], " X62 "}"},
    {"model m(n: int<lower = 0>[N], e: real[N]) { r: real[2] ~ Gamma(2, 1)\n plate i in 1..N { n[i] ~ Poisson(r[1 + i % 2] * e[i]) } }",
     "{\"n\": [0, 2, 1, 5, 0, 3], \"e\": [1, 2, 1, 2, 1, 0.5]}"},
    {"model m(z: bool[N], X: real[N, P]) { b: real[P] ~ Normal(0, 1)\n p ~ Beta(2, 2)\n z ~ Bernoulli(logit = X @ b)\n let w = not z\n w ~ Bernoulli(p) }",
     "{\"z\": [0, 1, 1, 0, 1, 0], " X62 "}"},
    {"model m(k: index(3)[N], l: index(3)[N]) { p: simplex(3) ~ Dirichlet(rep(1.5, 3))\n b: real[3] ~ Normal(0, 1)\n k ~ Categorical(p)\n plate i in 1..N { l[i] ~ Categorical(logit = b * i) } }",
     "{\"k\": [2, 1, 3, 2, 2, 1], \"l\": [1, 1, 3, 2, 3, 2]}"},
    {"model m(k: index(3)[N]) { P: simplex(3)[3] ~ Dirichlet(rep(1.5, 3))\n for i in 2..N { k[i] ~ Categorical(P[k[i - 1]]) } }", "{\"k\": [2, 1, 3, 2, 2, 1]}"},
    {"model m(n: int[N], b: bool[N]) { a: real[2] ~ Normal(0, 1)\n factor sum(a[1] * n - a[2]^2 * b + a[1] * (n == 2)) }",
     "{\"n\": [0, 2, 1, 5, 0, 3], \"b\": [0, 1, 1, 0, 1, 0]}"},
    /* an observed let, a predicted site, a truncation that moves */
    {"model m(y: real[N]) { let z = exp(y / 3)\n a ~ Normal(0, 1)\n s: real<lower = 0> ~ Cauchy(0, 1)\n z ~ LogNormal(a, s)\n predict { w[i] ~ Normal(a, s) for i in 1..N } }",
     "{" Y6 "}"},
    {"model m(y: real[N]) { a ~ Normal(0, 1)\n s ~ HalfNormal(1)\n b: real<lower = a> ~ Normal(1, s)\n c: real<lower = a, upper = a + 1> ~ Cauchy(b, s)\n"
     " d: real<lower = 1, upper = 2> ~ LogNormal(a, s)\n y ~ Normal(b * c + d, 1) }",
     "{" Y6 "}"},
    {"model m(y: real[N]) { a: real<lower = 0, upper = 1> ~ Flat()\n b: real<lower = 0, upper = 1 - a> ~ Flat()\n c: ordered<lower = a>(3) ~ Normal(b, 2)\n"
     " y ~ Normal(sum(c), 1) }",
     "{" Y6 "}"},
    {"model m(y: real<lower = -inf>[N]) { a: real<lower = 0, upper = inf> ~ Normal(1, 1)\n b: real<lower = -inf, upper = 1> ~ Normal(a, 1)\n c: ordered<lower = -inf>(2) ~ Normal(0, 1)\n y ~ Normal(a * b + c[1] - c[2], 1) }", "{" Y6 "}"},
    {"model m(y: real[N]) { nu ~ Gamma(2, 0.1)\n mu ~ Cauchy(0, 1)\n s ~ HalfCauchy(1)\n v ~ InvGamma(2, 1)\n y ~ StudentT(nu, mu, s * v) }", "{" Y6 "}"},
    /* elementary functions */
    {"model m() { a ~ Normal(0, 1)\n b ~ Exponential(1)\n"
     " factor sin(a) * cos(b) + atan2(a, b) + tanh(a * b) + log1p_exp(a) - lgamma(b) + digamma(b + 1) - log_Phi(a) + Phi(b) + erf(a * b) - sqrt(b) + expm1(-b) + inv_logit(a)"
     " + b^a - abs(a)^3 + softmax([a, b, 1.0])[2] + variance([a, b, a * b, 1.0]) + logit(inv_logit(a - b)) }",
     NULL},
    {"fn f(x: real, n: int): real { let s[1] = x\n for k in 2..n { let s[k] = s[k - 1] * x / k }\n return sum(s) }\n"
     "model m(y: real[N]) { a ~ Normal(0, 1)\n plate i in 1..N { y[i] ~ Normal(f(a * y[i], 5), 1) } }",
     "{" Y6 "}"},
    /* log_sum_exp over ranges that depend on an index and on data, with filters, of several loops */
    {"model m(y: real[T], D: int) { a ~ Normal(0, 1)\n b: real[2] ~ Normal(0, 1)\n let f[1] = a\n for t in 2..T { let f[t] = log_sum_exp(f[t - d] + b[1] * d - y[t - d] for d in 1..min(D, t - 1)) }\n"
     " factor f[T] - log_sum_exp(b[2] * y[i] * sin(a + j) for i in 1..T, j in 1..i if j != 2) - log_sum_exp(a * i for i in D..D - 1 + size(y)) }",
     "{" Y6 ", \"D\": 3}"},
    {"fn f(x: real, k: int): real[2] {\n let a = x * x\n if k > 3 { let b = sin(a)\n return [b, 1] } else { if x > 0 { return [x, a] } else { return [0, k] } }\n}\n"
     "dist GEV(mu: real, xi: real) on real {\n logpdf(y) { let z = 1 + xi * (y - mu)\n if z <= 0 { return -inf } else { return -(1 + 1 / xi) * log(z) - z^(-1 / xi) } }\n}\n"
     "model m(y: real[N]) { a ~ Normal(0, 1)\n xi: real<lower = 0.01, upper = 0.1> ~ Flat()\n y ~ GEV(a, xi)\n factor -sum(f(a * y[i], i)[1] * f(a, i)[2] for i in 1..N) }",
     "{" Y6 "}"},
    {"dist Gumbel(mu: real, beta: real<lower = 0>) on real {\n logpdf(x) = let z = (x - mu) / beta in -(z + exp(-z)) - log(beta)\n"
     " cdf(x) = exp(-exp(-(x - mu) / beta))\n}\n"
     "model m(y: real[N]) { mu ~ Normal(0, 1)\n b ~ HalfNormal(1)\n x: real<lower = mu, upper = mu + 2> ~ Gumbel(mu, b)\n z: real<lower = 1> ~ Gumbel(mu, b)\n y ~ Gumbel(x * z, b) }",
     "{" Y6 "}"},
};

static void test_examples(void **state) {
  (void)state;
  int failed = 0;
  for (size_t k = 0; k < sizeof examples / sizeof examples[0]; k++) {
    model_run r;
    const char *messages;
    if (!model_try(&r, examples[k].text, examples[k].json, NEED_GRAD | NEED_LOGDENS | NEED_DENSITY | NEED_OUTPUTS | NEED_LOCAL, 0, &messages)) {
      fprintf(stderr, "%s\n%s\n", examples[k].text, messages);
      failed++;
    } else {
      check_gradient(&r, examples[k].text, 1.5, 100 + k);
    }
    model_close(&r);
  }
  assert_int_equal(failed, 0);
}

/* Every instruction-set level, and the same bits. */
static void test_levels(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof examples / sizeof examples[0]; k += 3) {
    double want[513];
    for (int isa = 2; isa <= 4; isa++) {
      model_run r;
      const char *messages;
      if (model_try(&r, examples[k].text, examples[k].json, NEED_GRAD, isa, &messages)) {
        double q[512], g[513];
        uint64_t seed = k;
        for (size_t e = 0; e < r.dim; e++) q[e] = uniform(&seed) - 0.5;
        g[r.dim] = model_grad(&r, q, g);
        if (isa == 2) memcpy(want, g, (r.dim + 1) * sizeof *g);
        else assert_memory_equal(want, g, (r.dim + 1) * sizeof *g);
      } else {
        assert_int_not_equal(isa, 2); /* a machine without the level refuses it */
      }
      model_close(&r);
    }
  }
}

/* ---- the posteriors */

static char *text_of_file(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) return NULL;
  size_t n = 0, cap = 1 << 16;
  char *s = malloc(cap);
  for (size_t got; (got = fread(s + n, 1, cap - n - 1, f)) > 0;) {
    n += got;
    if (n + 1 == cap) s = realloc(s, cap *= 2);
  }
  s[n] = 0;
  fclose(f);
  return s;
}

static void test_posteriors(void **state) {
  (void)state;
  DIR *dir = opendir("tests/posteriors");
  if (!dir) skip();
  int found = 0;
  for (const struct dirent *f; (f = readdir(dir));) {
    size_t n = strlen(f->d_name);
    if (n < 5 || strcmp(f->d_name + n - 4, ".aim") != 0) continue;
    char path[1024];
    snprintf(path, sizeof path, "../shared/posteriordb/%.*s/data.json", (int)(n - 4), f->d_name);
    char *json = text_of_file(path);
    if (!json) continue;
    snprintf(path, sizeof path, "tests/posteriors/%s", f->d_name);
    char *text = text_of_file(path);
    assert_non_null(text);
    model_run r;
    const char *messages;
    if (!model_try_summed(&r, text, json, NEED_GRAD | NEED_LOGDENS | NEED_DENSITY | NEED_PRIOR | NEED_OUTPUTS | NEED_LOCAL, &messages)) fail_msg("%s", messages);
    check_gradient(&r, f->d_name, 1.0, n);
    model_close(&r);
    free(text);
    free(json);
    found++;
  }
  closedir(dir);
  if (!found) skip();
}

/* ---- the Jacobian: @logdens less @density at the point, against the determinant of the differentiated @constrain */

static double log_determinant(double *a, size_t n) {
  double sum = 0.0;
  for (size_t c = 0; c < n; c++) {
    size_t p = c;
    for (size_t i = c; i < n; i++)
      if (fabs(a[i * n + c]) > fabs(a[p * n + c])) p = i;
    for (size_t k = 0; k < n; k++) {
      double t = a[c * n + k];
      a[c * n + k] = a[p * n + k];
      a[p * n + k] = t;
    }
    sum += log(fabs(a[c * n + c]));
    for (size_t i = c + 1; i < n; i++) {
      double f = a[i * n + c] / a[c * n + c];
      for (size_t k = c; k < n; k++) a[i * n + k] -= f * a[c * n + k];
    }
  }
  return sum;
}

/* Which cells of the support are its coordinates. */
typedef enum coordinates { ALL, ALL_BUT_LAST, LOWER, STRICTLY_LOWER } coordinates;

static void test_jacobians(void **state) {
  (void)state;
  static const struct {
    const char *sites;
    coordinates take;
    int K;
  } cases[] = {{"x: real<lower = -2>[4] ~ Normal(0, 1)", ALL, 0}, {"x: real<upper = 2>[4] ~ Normal(0, 1)", ALL, 0},
               {"x: real<lower = -2, upper = 3>[4] ~ Normal(0, 1)", ALL, 0}, {"a ~ Normal(0, 1)\n x: real<lower = a, upper = 2 * abs(a) + 1>[4] ~ Normal(0, 1)", ALL, 0},
               {"x: ordered(6) ~ Normal(0, 1)", ALL, 0}, {"a ~ Normal(0, 1)\n x: ordered<lower = a>(6) ~ Flat()", ALL, 0},
               {"x: simplex(7) ~ Dirichlet(rep(2.0, 7))", ALL_BUT_LAST, 0}, {"x: cov(4) ~ Flat()", LOWER, 4}, {"x: cholesky_cov(5) ~ Flat()", LOWER, 5},
               {"x: corr(5) ~ Flat()", STRICTLY_LOWER, 5}, {"x: cholesky_corr(5) ~ Flat()", STRICTLY_LOWER, 5}};
  uint64_t seed = 77;
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    char text[256];
    snprintf(text, sizeof text, "model m() { %s }", cases[c].sites);
    model_run r;
    model_open(&r, text, NULL, NEED_LOGDENS | NEED_DENSITY);
    size_t cell[64], n = 0;
    for (size_t e = 0; e < r.cells; e++) {
      size_t i = cases[c].K ? e / (size_t)cases[c].K : 0, j = cases[c].K ? e % (size_t)cases[c].K : 0;
      bool take = cases[c].take == ALL || (cases[c].take == ALL_BUT_LAST ? e + 1 < r.cells : cases[c].take == LOWER ? j <= i : j < i);
      if (take) cell[n++] = e;
    }
    assert_int_equal(n, r.dim);
    for (int rep = 0; rep < 5; rep++) {
      double u[64], x[64], part[3], matrix[64 * 64];
      for (size_t e = 0; e < n; e++) u[e] = 2.0 * uniform(&seed) - 1.0;
      model_constrain(&r, u, x);
      double got = model_logdens(&r, u) - model_density(&r, x, part);
      for (size_t j = 0; j < n; j++) {
        long double d[4][64], v[64], h = 0x1p-12L;
        for (size_t e = 0; e < n; e++) v[e] = u[e];
        for (int s = 0; s < 4; s++) {
          v[j] = (long double)u[j] + (s % 2 ? -h : h) / (s < 2 ? 1 : 2);
          model_ref(&r, "constrain", v, d[s]);
        }
        for (size_t i = 0; i < n; i++) {
          long double a = (d[0][cell[i]] - d[1][cell[i]]) / (2 * h), b = (d[2][cell[i]] - d[3][cell[i]]) / h;
          matrix[i * n + j] = (double)((4 * b - a) / 3);
        }
      }
      double want = log_determinant(matrix, n);
      if (!(fabs(got - want) <= 1e-9 * (1.0 + fabs(want)))) fail_msg("%s\nlog Jacobian %.12g, not %.12g", text, got, want);
    }
    model_close(&r);
  }
}

/* ---- regressions with a matrix: value and gradient against those written by hand, at the edges of blocks, lanes and sums */

static const char regression[] =
    "model m(N: int, D: int, X: real[N, D], z: bool[N], n: int<lower = 0>[N], y: real[N], s: real<lower = 0>[N], g: index(3)[N]) {\n"
    "  b: real[D] ~ Normal(0, 1)\n  a: real[3] ~ Normal(0, 1)\n  z ~ Bernoulli(logit = X @ b + a[g])\n"
    "  n ~ Poisson(log = X @ b / 4)\n  y ~ Normal(X @ b + a[g], s)\n}";

typedef struct table {
  size_t n, d;
  double *x, *y, *s;
  int *z, *count, *g;
} table;

static void print_column(strbuf *b, const table *t, const char *name, const double *real, const int *integer) {
  strbuf_printf(b, ", \"%s\": [", name);
  for (size_t i = 0; i < t->n; i++) {
    if (real) strbuf_printf(b, "%s%.17g", i ? "," : "", real[i]);
    else strbuf_printf(b, "%s%d", i ? "," : "", integer[i]);
  }
  strbuf_puts(b, "]");
}

static const char *print_table(arena *mem, const table *t) {
  strbuf b;
  strbuf_init(&b, mem);
  strbuf_printf(&b, "{\"N\": %zu, \"D\": %zu, \"X\": [", t->n, t->d);
  for (size_t i = 0; i < t->n; i++) {
    strbuf_puts(&b, i ? ",[" : "[");
    for (size_t k = 0; k < t->d; k++) strbuf_printf(&b, "%s%.17g", k ? "," : "", t->x[i * t->d + k]);
    strbuf_puts(&b, "]");
  }
  strbuf_puts(&b, "]");
  print_column(&b, t, "z", NULL, t->z);
  print_column(&b, t, "n", NULL, t->count);
  print_column(&b, t, "y", t->y, NULL);
  print_column(&b, t, "s", t->s, NULL);
  print_column(&b, t, "g", NULL, t->g);
  strbuf_puts(&b, "}");
  return b.s;
}

static table make_table(arena *mem, size_t n, size_t d, uint64_t *seed) {
  table t = {n, d, ARENA_ARRAY(mem, double, n * d + 1), ARENA_ARRAY(mem, double, n + 1), ARENA_ARRAY(mem, double, n + 1),
             ARENA_ARRAY(mem, int, n + 1), ARENA_ARRAY(mem, int, n + 1), ARENA_ARRAY(mem, int, n + 1)};
  for (size_t e = 0; e < n * d; e++) t.x[e] = (2.0 * uniform(seed) - 1.0) / sqrt((double)d);
  for (size_t i = 0; i < n; i++) {
    t.y[i] = 2.0 * uniform(seed) - 1.0;
    t.s[i] = 0.5 + uniform(seed);
    t.z[i] = (int)below(seed, 2);
    t.count[i] = (int)below(seed, 5);
    t.g[i] = 1 + (int)below(seed, 3);
  }
  return t;
}

/* q: b, then a. */
static long double by_hand(const table *t, const double *q, long double *grad) {
  const long double half_log_2pi = 0.918938533204672741780L;
  const double *a = q + t->d;
  long double lp = 0.0L;
  for (size_t k = 0; k < t->d + 3; k++) {
    lp -= 0.5L * q[k] * q[k] + half_log_2pi;
    grad[k] = -(long double)q[k];
  }
  for (size_t i = 0; i < t->n; i++) {
    long double xb = 0.0L, s = t->s[i];
    for (size_t k = 0; k < t->d; k++) xb += (long double)t->x[i * t->d + k] * q[k];
    long double eta = xb + a[t->g[i] - 1], rate = expl(xb / 4), z = (t->y[i] - eta) / s;
    lp += (t->z[i] ? eta : 0.0L) - log1pl(expl(eta));
    lp += t->count[i] * xb / 4 - rate - lgammal(t->count[i] + 1.0L);
    lp -= 0.5L * z * z + logl(s) + half_log_2pi;
    long double r = t->z[i] - 1.0L / (1.0L + expl(-eta)) + z / s;
    grad[t->d + (size_t)t->g[i] - 1] += r;
    r += (t->count[i] - rate) / 4;
    for (size_t k = 0; k < t->d; k++) grad[k] += r * t->x[i * t->d + k];
  }
  return lp;
}

static void test_regressions(void **state) {
  (void)state;
  static const size_t rows[] = {1, 31, 32, 33, 63, 64, 65, 256, 257, 4097}, columns[] = {0, 1, 2, 32, 33, 64, 65, 200};
  uint64_t seed = 5;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (size_t j = 0; j < sizeof columns / sizeof *columns; j++) {
      size_t n = rows[i], d = columns[j];
      if (n * d > 300000) continue;
      host heap = {0};
      aim_alloc alloc = {host_fn, &heap};
      arena mem;
      arena_init(&mem, &alloc, 0);
      if (ARENA_TRY(&mem)) fail_msg("out of memory");
      table t = make_table(&mem, n, d, &seed);
      for (int isa = 2; isa <= 4; isa++) {
        model_run r;
        model_open_isa(&r, regression, print_table(&mem, &t), NEED_GRAD | NEED_LOGDENS | NEED_DENSITY, isa);
        double q[256], g[256];
        long double want[256];
        assert_int_equal(r.dim, d + 3);
        for (size_t e = 0; e < r.dim; e++) q[e] = 2.0 * uniform(&seed) - 1.0;
        double lp = model_grad(&r, q, g), plain = model_logdens(&r, q), part[3], density = model_density(&r, q, part);
        long double hand = by_hand(&t, q, want), scale = 1.0L + (long double)n;
        if (!(fabsl(lp - hand) <= 1e-14L * scale * 8) || !(fabsl(plain - hand) <= 1e-14L * scale * 8) || !(fabsl(density - hand) <= 1e-14L * scale * 8))
          fail_msg("%zu rows, %zu columns: log density %.17g, %.17g, %.17g, not %.17Lg", n, d, lp, plain, density, hand);
        /* Terms of a group are added one after the other; without columns they are two numbers, over and over, whose roundings do not cancel. */
        long double bound = (d ? 1e-14L : 3e-14L) * scale;
        for (size_t e = 0; e < r.dim; e++)
          if (!(fabsl(g[e] - want[e]) <= bound)) fail_msg("%zu rows, %zu columns: gradient [%zu] is %.17g, not %.17Lg", n, d, e, g[e], want[e]);
        model_close(&r);
      }
      arena_free(&mem);
    }
}

int main(int argc, char **argv) {
  if (argc > 1) points = atoi(argv[1]);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_jacobians), cmocka_unit_test(test_regressions), cmocka_unit_test(test_examples), cmocka_unit_test(test_levels),
                                     cmocka_unit_test(test_posteriors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
