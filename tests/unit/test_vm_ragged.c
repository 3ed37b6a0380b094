/* test_vm_ragged.c: ragged arrays are the long arrays that they stand for.
 *
 * Each model with rows of different lengths is held against the same model over one long array with the row and the place of each
 * element beside it: log densities, gradients and outputs are the same bits, whether the data come in rows or as one list with the
 * lengths.  The same elements in other rows must be told apart. */
#include "tests/model_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 64 };

typedef struct case_ {
  const char *ragged, *plain;
  const char *in_rows, *in_one, *plain_data, *other; /* other: the same elements in other rows */
  bool summed;
} case_;

static const char words[] = "\"row\": [1, 1, 1, 2, 4, 4, 4, 4], \"col\": [1, 2, 3, 1, 1, 2, 3, 4]";

static const case_ cases[] = {
    {"model m(w: index(V)[d in 1..D, len[d]], K: int = 2) {\n theta: simplex(K)[D] ~ Dirichlet(rep(0.7, K)); phi: simplex(V)[K] ~ Dirichlet(rep(0.9, V))\n"
     " plate d in 1..D, n in 1..len[d] { z[d, n] ~ Categorical(theta[d]); w[d, n] ~ Categorical(phi[z[d, n]]) } }",
     "model m(w: index(V)[N], D: int, row: index(D)[N], K: int = 2) {\n theta: simplex(K)[D] ~ Dirichlet(rep(0.7, K)); phi: simplex(V)[K] ~ Dirichlet(rep(0.9, V))\n"
     " plate i in 1..N { z[i] ~ Categorical(theta[row[i]]); w[i] ~ Categorical(phi[z[i]]) } }",
     "{\"w\": [[1, 2, 3], [2], [], [3, 3, 1, 2]]}", "{\"w\": [1, 2, 3, 2, 3, 3, 1, 2], \"len\": [3, 1, 0, 4]}", "{\"w\": [1, 2, 3, 2, 3, 3, 1, 2], \"D\": 4, %s}",
     "{\"w\": [[1, 2], [3, 2], [], [3, 3, 1, 2]]}", true},
    {"model m(len: int[D], t: real[i in 1..D, len[i]], y: real[i in 1..D, len[i]]) {\n mu ~ Normal(0, 5); tau ~ HalfNormal(2); b ~ Normal(0, 1); a: real[D] ~ Normal(mu, tau)\n"
     " plate i in 1..D, k in 1..len[i] { let eta[i, k] = a[i] + b * t[i, k] + 0.1 * k; y[i, k] ~ Normal(eta[i, k], 1) }\n"
     " track s = sum((y[j, k] - a[j]) * k for j in 1..D, k in 1..len[j] if t[j, k] > 0)\n predict y }",
     "model m(D: int, row: index(D)[N], col: int[N], t: real[N], y: real[N]) {\n mu ~ Normal(0, 5); tau ~ HalfNormal(2); b ~ Normal(0, 1); a: real[D] ~ Normal(mu, tau)\n"
     " plate i in 1..N { let eta[i] = a[row[i]] + b * t[i] + 0.1 * col[i]; y[i] ~ Normal(eta[i], 1) }\n"
     " track s = sum((y[i] - a[row[i]]) * col[i] for i in 1..N if t[i] > 0)\n predict y }",
     "{\"len\": [3, 1, 0, 4], \"t\": [[1, 2, -3], [2], [], [3, -3, 1, 2]], \"y\": [[0.1, 2, 3], [2], [], [3, 3.5, 1, 2]]}",
     "{\"len\": [3, 1, 0, 4], \"t\": [1, 2, -3, 2, 3, -3, 1, 2], \"y\": [0.1, 2, 3, 2, 3, 3.5, 1, 2]}",
     "{\"t\": [1, 2, -3, 2, 3, -3, 1, 2], \"y\": [0.1, 2, 3, 2, 3, 3.5, 1, 2], \"D\": 4, %s}",
     "{\"len\": [2, 2, 0, 4], \"t\": [[1, 2], [-3, 2], [], [3, -3, 1, 2]], \"y\": [[0.1, 2], [3, 2], [], [3, 3.5, 1, 2]]}", false},
    {"model m(y: real[i in 1..D, len[i]]) {\n a: real[D] ~ Normal(0, 1)\n y[i, k] ~ Normal(a[i] * k, 1) for i in 1..D, k in 1..len[i] }",
     "model m(D: int, row: index(D)[N], col: int[N], y: real[N]) {\n a: real[D] ~ Normal(0, 1)\n y[i] ~ Normal(a[row[i]] * col[i], 1) for i in 1..N }",
     "{\"y\": [[0.1, null, 3], [2], [], [3, 3.5, null, 2]]}", "{\"y\": [0.1, null, 3, 2, 3, 3.5, null, 2], \"len\": [3, 1, 0, 4]}",
     "{\"y\": [0.1, null, 3, 2, 3, 3.5, null, 2], \"D\": 4, %s}", "{\"y\": [[0.1, null], [3, 2], [], [3, 3.5, null, 2]]}", false},
    /* Loops over elements inside loops over rows, with local names. */
    {"model m(w: index(V)[d in 1..D, len[d]], K: int = 2) {\n phi: simplex(V)[K] ~ Dirichlet(rep(0.9, V))\n"
     " plate d in 1..D { let a = 0.7 * rep(1.0, K); theta[d] ~ Dirichlet(a)\n  plate n in 1..len[d] { z[d, n] ~ Categorical(theta[d]); w[d, n] ~ Categorical(phi[z[d, n]]) } } }",
     "model m(w: index(V)[N], D: int, row: index(D)[N], K: int = 2) {\n phi: simplex(V)[K] ~ Dirichlet(rep(0.9, V))\n"
     " plate d in 1..D { let a = 0.7 * rep(1.0, K); theta[d] ~ Dirichlet(a) }\n plate i in 1..N { z[i] ~ Categorical(theta[row[i]]); w[i] ~ Categorical(phi[z[i]]) } }",
     "{\"w\": [[1, 2, 3], [2], [], [3, 3, 1, 2]]}", "{\"w\": [1, 2, 3, 2, 3, 3, 1, 2], \"len\": [3, 1, 0, 4]}", "{\"w\": [1, 2, 3, 2, 3, 3, 1, 2], \"D\": 4, %s}",
     "{\"w\": [[1, 2], [3, 2], [], [3, 3, 1, 2]]}", true},
    /* Chains in rows: of what is seen, of what is not. */
    {"model m(y: real[i in 1..D, len[i]]) {\n phi: real[D] ~ Normal(0, 1)\n plate i in 1..D { for t in 1..len[i] { y[i, t] ~ Normal(if t == 1 { 0.0 } else { phi[i] * y[i, t - 1] }, 1) } } }",
     "model m(D: int, row: index(D)[N], col: int[N], y: real[N]) {\n phi: real[D] ~ Normal(0, 1)\n for i in 1..N { y[i] ~ Normal(if col[i] == 1 { 0.0 } else { phi[row[i]] * y[i - 1] }, 1) } }",
     "{\"y\": [[0.1, 2, 3], [2], [], [3, 3.5, 1, 2]]}", "{\"y\": [0.1, 2, 3, 2, 3, 3.5, 1, 2], \"len\": [3, 1, 0, 4]}", "{\"y\": [0.1, 2, 3, 2, 3, 3.5, 1, 2], \"D\": 4, %s}",
     "{\"y\": [[0.1, 2], [3, 2], [], [3, 3.5, 1, 2]]}", false},
    {"model m(y: real[i in 1..D, len[i]]) {\n P: simplex(2)[2] ~ Dirichlet([1.0, 2.0]); mu: ordered(2) ~ Normal(0, 3)\n"
     " plate i in 1..D {\n  z[i, 1] ~ Categorical([0.3, 0.7])\n  for t in 2..len[i] { let p = P[z[i, t - 1]]; z[i, t] ~ Categorical(p); y[i, t] ~ Normal(mu[z[i, t]], 1) } } }",
     "model m(D: int, row: index(D)[N], col: int[N], y: real[N]) {\n P: simplex(2)[2] ~ Dirichlet([1.0, 2.0]); mu: ordered(2) ~ Normal(0, 3)\n"
     " for i in 1..N { z[i] ~ Categorical(if col[i] == 1 { [0.3, 0.7] } else { let p = P[z[i - 1]] in p }); if col[i] >= 2 { y[i] ~ Normal(mu[z[i]], 1) } } }",
     "{\"y\": [[0.1, 2, 3], [2], [], [3, 3.5, 1, 2]]}", "{\"y\": [0.1, 2, 3, 2, 3, 3.5, 1, 2], \"len\": [3, 1, 0, 4]}", "{\"y\": [0.1, 2, 3, 2, 3, 3.5, 1, 2], \"D\": 4, %s}",
     "{\"y\": [[0.1, 2], [3, 2], [], [3, 3.5, 1, 2]]}", true},
    {"model m(y: real[i in 1..D, len[i]]) {\n s ~ HalfNormal(1)\n plate i in 1..D {\n  h[i, 1] ~ Normal(0, 1)\n  h[i, 2] ~ Normal(h[i, 1], s)\n"
     "  for t in 3..len[i] { h[i, t] ~ Normal(h[i, t - 1] - 0.1 * h[i, t - 2], s) }\n  plate t in 1..len[i] { y[i, t] ~ Normal(h[i, t], 1) } } }",
     "model m(D: int, row: index(D)[N], col: int[N], y: real[N]) {\n s ~ HalfNormal(1)\n"
     " for i in 1..N { h[i] ~ Normal(if col[i] == 1 { 0 } else { if col[i] == 2 { h[i - 1] } else { h[i - 1] - 0.1 * h[i - 2] } }, if col[i] == 1 { 1 } else { if col[i] == 2 { s } else { s } }) }\n"
     " plate i in 1..N { y[i] ~ Normal(h[i], 1) } }",
     "{\"y\": [[0.1, 2, 3], [2], [], [3, 3.5, 1, 2]]}", "{\"y\": [0.1, 2, 3, 2, 3, 3.5, 1, 2], \"len\": [3, 1, 0, 4]}", "{\"y\": [0.1, 2, 3, 2, 3, 3.5, 1, 2], \"D\": 4, %s}",
     "{\"y\": [[0.1, 2], [3, 2], [], [3, 3.5, 1, 2]]}", false},
    {"model m(y: real[i in 1..D, len[i]]) {\n s ~ HalfNormal(1); b: real[4] ~ Normal(0, 1)\n plate i in 1..D {\n  h[i, 1] ~ StudentT(4, b[1], 2)\n  h[i, 2] ~ Normal(h[i, 1], s)\n"
     "  for t in 3..len[i] { let m = h[i, t - 1] + b[t - 2] * y[i, t - 1]; h[i, t] ~ Logistic(m - 0.1 * h[i, t - 2], s) }\n  plate t in 1..len[i] { y[i, t] ~ Normal(h[i, t], 1) } } }",
     "model m(D: int, row: index(D)[N], col: int[N], y: real[N]) {\n s ~ HalfNormal(1); b: real[4] ~ Normal(0, 1)\n for i in 1..N { h[i] ~ switch(if col[i] == 1 { 1 } else { if col[i] == 2 { 2 } else { 3 } },"
     " [StudentT(4, b[1], 2), Normal(if col[i] == 2 { h[i - 1] } else { 1 }, s),"
     " Logistic(let m = (if col[i] >= 3 { h[i - 1] } else { 1 }) + b[if col[i] >= 3 { col[i] - 2 } else { 1 }] * y[if col[i] >= 3 { i - 1 } else { 1 }] in m - 0.1 * (if col[i] >= 3 { h[i - 2] } else { 1 }), s)]) }\n"
     " plate i in 1..N { y[i] ~ Normal(h[i], 1) } }",
     "{\"y\": [[0.1, 2, 3], [2], [], [3, 3.5, 1, 2]]}", "{\"y\": [0.1, 2, 3, 2, 3, 3.5, 1, 2], \"len\": [3, 1, 0, 4]}", "{\"y\": [0.1, 2, 3, 2, 3, 3.5, 1, 2], \"D\": 4, %s}",
     "{\"y\": [[0.1, 2], [3, 2], [], [3, 3.5, 1, 2]]}", false},
};

static void open_with(model_run *r, const case_ *c, const char *model, const char *json) {
  const unsigned need = NEED_LOGDENS | NEED_GRAD | NEED_OUTPUTS;
  const char *why;
  bool ok = c->summed ? model_try_summed(r, model, json, need, &why) : model_try(r, model, json, need, 0, &why);
  if (!ok) fail_msg("%s\n%s", why, model);
}

/* At how many of 20 points the two differ. */
static int differ(const case_ *c, const char *json) {
  char plain[512];
  snprintf(plain, sizeof plain, c->plain_data, words);
  model_run a, b;
  double q[MOST], g[MOST], h[MOST], x[MOST], y[MOST];
  open_with(&a, c, c->ragged, json);
  open_with(&b, c, c->plain, plain);
  assert_int_equal(a.dim, b.dim);
  assert_int_equal(a.p.noutputs, b.p.noutputs);
  size_t outputs = 0;
  for (size_t k = 0; k < a.p.noutputs; k++) outputs += a.p.output[k].cells;
  uint64_t seed = 11;
  int n = 0;
  for (uint64_t rep = 1; rep <= 20; rep++) {
    for (size_t k = 0; k < a.dim; k++) q[k] = 2.0 * (double)(next_random(&seed) >> 11) * 0x1p-53 - 1.0;
    bool same = model_logdens(&a, q) == model_logdens(&b, q) && model_grad(&a, q, g) == model_grad(&b, q, h) && memcmp(g, h, a.dim * sizeof *g) == 0;
    if (outputs) {
      model_constrain(&a, q, g);
      model_constrain(&b, q, h);
      model_outputs(&a, g, rep, x);
      model_outputs(&b, h, rep, y);
      same = same && memcmp(x, y, outputs * sizeof *x) == 0;
    }
    n += !same;
  }
  model_close(&a);
  model_close(&b);
  return n;
}

static void test_long_form(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const case_ *c = &cases[k];
    if (differ(c, c->in_rows)) fail_msg("case %zu, in rows", k);
    if (differ(c, c->in_one)) fail_msg("case %zu, in one list", k);
    assert_int_equal(differ(c, c->other), 20);
  }
}

/* Two texts are one density with one gradient, which is that of finite differences. */
static void agree(const char *const texts[2], const char *json, size_t dim) {
  double lp[2], g[2][MOST], q[MOST];
  for (size_t i = 0; i < dim; i++) q[i] = sin(1.0 + 2.0 * (double)i);
  for (int k = 0; k < 2; k++) {
    model_run r;
    model_open(&r, texts[k], json, NEED_LOGDENS | NEED_GRAD);
    assert_int_equal(r.dim, dim);
    lp[k] = model_grad(&r, q, g[k]);
    if (!isfinite(lp[k])) fail_msg("%g\n%s", lp[k], texts[k]);
    for (size_t i = 0; i < dim; i++) {
      const double slope = model_slope(&r, q, i);
      if (!(fabs(slope - g[k][i]) <= 1e-6 * (1 + fabs(lp[k]) + fabs(g[k][i])))) fail_msg("coordinate %zu: %g, differences %g\n%s", i, g[k][i], slope, texts[k]);
    }
    model_close(&r);
  }
  if (!(fabs(lp[0] - lp[1]) <= 1e-12 * fabs(lp[0]))) fail_msg("%.17g and %.17g\n%s", lp[0], lp[1], texts[0]);
  for (size_t i = 0; i < dim; i++) assert_true(fabs(g[0][i] - g[1][i]) <= 1e-11 * (1 + fabs(g[0][i])));
}

/* Slices of rows against loops over their elements. */
static void test_slices(void **state) {
  (void)state;
#define HEAD "model m(w: real[d in 1..D, len[d]], x: real[d in 1..D, len[d]], v: real[d in 1..D, len[d]]) {\n s ~ HalfNormal(1)\n mu: real[D] ~ Normal(0, 1)\n"
  static const char *const texts[2] = {
      HEAD " plate d in 1..D {\n  z[d, 1..len[d]] ~ Normal(mu[d], 2)\n  w[d, 2..len[d]] ~ Normal(x[d, 1..len[d] - 1] + z[d, 2..len[d]], s)\n  w[d, 1..1] ~ Normal(mean(x[d]), 3)\n  v[d] ~ Normal(x[d] * mu[d], s)\n }\n"
      " factor sum(w[1, 1..2]) * s - dot(w[3, 1..2], x[1, 2..3]) * mu[1] + max(x[3, 2..len[3]]) * s\n}",
      HEAD " plate d in 1..D {\n  plate n in 1..len[d] { z[d, n] ~ Normal(mu[d], 2) }\n  plate n in 2..len[d] { w[d, n] ~ Normal(x[d, n - 1] + z[d, n], s) }\n  w[d, 1] ~ Normal(sum(x[d, n] for n in 1..len[d]) / len[d], 3)\n"
      "  plate n in 1..len[d] { v[d, n] ~ Normal(x[d, n] * mu[d], s) }\n }\n"
      " factor (w[1, 1] + w[1, 2]) * s - (w[3, 1] * x[1, 2] + w[3, 2] * x[1, 3]) * mu[1] + max(x[3, n] for n in 2..len[3]) * s\n}"};
#undef HEAD
  agree(texts, "{\"w\": [[1, 2, 3], [4], [2, 1]], \"x\": [[0.3, -1.2, 0.7], [0.1], [2.2, 0.4]], \"v\": [[3, 1, 2.5], [0.5], [1, 1.5]]}", 10);
}

/* How many rows there are may be a number of the program. */
static void test_known_rows(void **state) {
  (void)state;
#define MODEL(D) "model m(y: real[j in 1.." D ", len[j]], x: real[j in 1.." D ", len[j]]) { s ~ HalfNormal(1)\n" \
  " plate j in 1.." D " { mu[j] ~ Normal(0, 1); z[j, n] ~ Normal(mu[j], 1) for n in 1..len[j]\n  let K = gp_exp_quad(distances(x[j], x[j]), s, 1) + diag(rep(0.1, len[j])); let f = cholesky(K) @ z[j]\n" \
  "  y[j] ~ MultiNormal(cumsum(f), K) }\n plate j in 1.." D " { for n in 2..len[j] { x[j, n] ~ Normal(x[j, n - 1], s) } }\n factor sum(y[3]) * s + sum(x[j, n] * z[j, n] for j in 1.." D ", n in 1..len[j]) }"
  agree((const char *const[]){MODEL("3"), MODEL("D")}, "{\"y\": [[1, 2, 3], [2], [3, 3.5, 1, 2]], \"x\": [[0.3, -1.2, 0.7], [0.1], [0.4, 0.5, -0.6, 3]]}", 12);
#undef MODEL
}

/* Rows as values, against long arrays with the group of each element. */
static void test_values(void **state) {
  (void)state;
#define RAGGED "model m(len: int[D], w: real[d in 1..D, len[d]], x: real[d in 1..D, len[d]], g: index(2)[d in 1..D, len[d]], k: int = 2) {\n s ~ HalfNormal(1)\n mu: real[D] ~ Normal(0, 1)\n b: real[2] ~ Normal(0, 1)\n"
#define PLAIN "model m(row: index(D)[N], col: int[N], w: real[N], x: real[N], g: index(2)[N]) {\n s ~ HalfNormal(1)\n mu: real[D] ~ Normal(0, 1)\n b: real[2] ~ Normal(0, 1)\n"
#define UNKNOWN " plate d in 1..D, n in 1..len[d] { z[d, n] ~ Normal(mu[d], 1) }\n"
#define FLAT " plate i in 1..N { z[i] ~ Normal(mu[row[i]], 1) }\n"
#define ROWS "for i in 1..N if row[i] == d"
  static const char *const texts[][2] = {
      /* Reductions of expressions; products; functions of vectors, of the library and of one's own, with sizes. */
      {"fn scaled(v: real[M], a: real): real { let m = mean(v); let r = (v - m) * a; return sum(r[i] * i for i in 1..M) / size(v) }\n"
       RAGGED UNKNOWN " plate d in 1..D { w[d] ~ Normal(z[d] - mean(z[d] * x[d]), s)\n factor dot(w[d], z[d]) + x[d] @ z[d] + max(abs(z[d])) - log_sum_exp(z[d]) + scaled(z[d], s * s) + prod(z[d] * mu[1]) }\n"
       " plate d in 2..D { factor (if len[d] > 1 { sd(z[d]) } else { 0 }) * mu[d] } }",
       PLAIN FLAT " let m = [sum(z[i] * x[i] " ROWS ") / sum(1 " ROWS ") for d in 1..D]\n plate i in 1..N { w[i] ~ Normal(z[i] - m[row[i]], s) }\n"
       " let n = [sum(1 " ROWS ") for d in 1..D]\n let e = [sum(z[i] " ROWS ") / n[d] for d in 1..D]\n"
       " factor sum((w[i] + x[i]) * z[i] for i in 1..N) + sum(max(abs(z[i]) " ROWS ") - log(sum(exp(z[i]) " ROWS ")) + sum((z[i] - e[d]) * s * s * col[i] " ROWS ") / n[d] + prod(z[i] * mu[1] " ROWS ") for d in 1..D)\n"
       " factor sum((if n[d] > 1 { sqrt(sum((z[i] - e[d])^2 " ROWS ") / (n[d] - 1)) } else { 0 }) * mu[d] for d in 2..D) }"},
      /* Rows that are kept: sums of parts of rows from the left, of data and of unknowns; shares; gathers; elements of what was kept. */
      {RAGGED UNKNOWN " plate d in 1..D { let c = cumsum(z[d] * s); let p = softmax(z[d]); let u = cumsum(w[d, 2..len[d]] - z[d, 1..len[d] - 1])\n let h[d] = c + 2 * p\n"
       " w[d] ~ Normal(c + p + b[g[d]], 1)\n plate n in 1..len[d] { x[d, n] ~ Normal(p[n] * c[len[d]], 1) }\n factor sum(h[d]) * s + sum(u^2) + (if len[d] > 1 { u[len[d] - 1] } else { 0 }) } }",
       PLAIN FLAT " for i in 1..N { let c[i] = z[i] * s + (if col[i] == 1 { 0 } else { c[i - 1] }) }\n"
       " let t = [sum(exp(z[i]) " ROWS ") for d in 1..D]\n let n = [sum(1 " ROWS ") for d in 1..D]\n let p = [exp(z[i]) / t[row[i]] for i in 1..N]\n"
       " for i in 1..N { let u[i] = if col[i] == 1 { 0 } else { w[i] - z[i - 1] + u[i - 1] } }\n"
       " let last = [sum(c[i] for i in 1..N if row[i] == d and col[i] == n[d]) for d in 1..D]\n"
       " plate i in 1..N { w[i] ~ Normal(c[i] + p[i] + b[g[i]], 1); x[i] ~ Normal(p[i] * last[row[i]], 1) }\n"
       " factor sum(c[i] + 2 * p[i] for i in 1..N) * s + sum(u^2) + sum(u[i] for i in 1..N if col[i] == n[row[i]]) }"},
      /* Rows that numbers and sizes name are arrays. */
      {"model part(v: real[M]) { a ~ Normal(0, 1); v ~ Normal(a, 1) }\n"
       RAGGED UNKNOWN " w[1] ~ MultiNormal(mu[1] * x[1], diag(rep(1 + s^2, len[1])))\n w[k, 1..len[k]] ~ Normal(cumsum(z[k]), s)\n w[D, 2..len[D]] ~ Normal(w[D, 1..len[D] - 1], s)\n r ~ part(x[D])\n"
       " let q = cumsum(z[1, 2..len[1]])\n factor dot(q, q) + q[len[1] - 1] + w[1][2] * s + sum(b[g[3]]) }",
       PLAIN FLAT " plate i in 1..3 { w[i] ~ Normal(mu[1] * x[i], sqrt(1 + s^2)) }\n w[4] ~ Normal(z[4], s)\n plate i in 6..8 { w[i] ~ Normal(w[i - 1], s) }\n a ~ Normal(0, 1)\n plate i in 5..8 { x[i] ~ Normal(a, 1) }\n"
       " factor z[2]^2 + (z[2] + z[3])^2 + z[2] + z[3] + w[2] * s + b[g[5]] + b[g[6]] + b[g[7]] + b[g[8]] }"},
      /* Elements behind the loop's own, once the row is set. */
      {RAGGED UNKNOWN " plate d in 1..D, n in 1..len[d] { w[d, n] ~ Normal(if n < len[d] { z[d, n + 1] - z[d, n] } else { z[d, 1] }, s)\n if n + 1 <= len[d] { x[d, n] ~ Normal(z[d, n + 1], s) } }\n"
       " factor sum((if n <= len[d] - 2 { z[d, n + 2] } else { 0 }) * n for d in 1..D, n in 1..len[d]) }",
       PLAIN FLAT " let n = [sum(1 " ROWS ") for d in 1..D]\n plate i in 1..N { w[i] ~ Normal(if col[i] < n[row[i]] { z[i + 1] - z[i] } else { z[i - col[i] + 1] }, s)\n if col[i] < n[row[i]] { x[i] ~ Normal(z[i + 1], s) } }\n"
       " factor sum(z[i] * (col[i] - 2) for i in 1..N if col[i] > 2) }"},
      /* In a statement of its own, under conditions, and in predictions. */
      {RAGGED UNKNOWN " w[d] ~ Normal(z[d] - mean(x[d]), s) for d in 1..D\n plate d in 1..D { if len[d] > 1 { factor variance(z[d]) } }\n predict { plate d in 1..D { y[d] ~ Normal(sum(z[d]), 1) } } }",
       PLAIN FLAT " let n = [sum(1 " ROWS ") for d in 1..D]\n let m = [sum(x[i] " ROWS ") / n[d] for d in 1..D]\n let e = [sum(z[i] " ROWS ") / n[d] for d in 1..D]\n"
       " plate i in 1..N { w[i] ~ Normal(z[i] - m[row[i]], s) }\n factor sum((if n[d] > 1 { sum((z[i] - e[d])^2 " ROWS ") / (n[d] - 1) } else { 0 }) for d in 1..D) }"},
      /* From the ends of rows: chains of order one and two, laws of different kinds, recursions, choices by the place. */
      {RAGGED " plate d in 1..D {\n  z[d, len[d]] ~ StudentT(4, mu[d], 2)\n  z[d, len[d] - 1] ~ Normal(z[d, len[d]], s)\n"
       "  for n in len[d] - 2..1 by -1 { let m = z[d, n + 1] + b[1]; z[d, n] ~ Normal(m - 0.1 * z[d, n + 2], s); w[d, n] ~ Normal(z[d, n] * n, 1) }\n"
       "  let v[d, len[d]] = x[d, len[d]]\n  for n in len[d] - 1..1 by -1 { let v[d, n] = x[d, n] + b[2] * v[d, n + 1] }\n"
       "  for n in len[d]..1 by -1 { let u[d, n] = if n == len[d] { 1 } else { if n >= len[d] - 1 { u[d, n + 1] * s } else { u[d, n + 2] + z[d, n] } } }\n"
       "  x[d] ~ Normal(v[d] + u[d], s)\n } }",
       PLAIN " let e = [sum(1 " ROWS ") for d in 1..D]\n let c = [e[row[i]] - col[i] + 1 for i in 1..N]\n"
       " for i in N..1 by -1 { z[i] ~ switch(if c[i] == 1 { 1 } else { 2 }, [StudentT(4, mu[row[i]], 2), Normal(if c[i] == 1 { 0 } else { if c[i] == 2 { z[i + 1] } else { z[i + 1] + b[1] - 0.1 * z[i + 2] } }, s)]) }\n"
       " plate i in 1..N { if c[i] > 2 { w[i] ~ Normal(z[i] * col[i], 1) } }\n for i in N..1 by -1 { let v[i] = if c[i] == 1 { x[i] } else { x[i] + b[2] * v[i + 1] } }\n"
       " for i in N..1 by -1 { let u[i] = if c[i] == 1 { 1 } else { if c[i] == 2 { u[i + 1] * s } else { u[i + 2] + z[i] } } }\n x ~ Normal(v + u, s) }"},
      /* Conditions of a row around its loops: one after the other, one in another, with local names, around draws in both branches. */
      {RAGGED " plate d in 1..D {\n  if len[d] > 1 { plate n in 1..len[d] { z[d, n] ~ Normal(mu[d] * s, 1) } } else { plate n in 1..len[d] { z[d, n] ~ Normal(b[1], 2) } }\n"
       "  if mu[d] > 0 { w[d, 1] ~ Normal(s, 1); let e = k - 1; if e > 0 { let q = s + e + 1; w[d, 2..len[d]] ~ Normal(z[d, 2..len[d]] + q, s) } } else { factor b[2]; w[d] ~ Normal(mu[d], s) }\n"
       "  if not (mu[d] > 0.5) { for n in 2..len[d] { x[d, n] ~ Normal(x[d, n - 1], s) } } } }",
       PLAIN " let m = [sum(1 " ROWS ") for d in 1..D]\n plate i in 1..N { z[i] ~ Normal(if m[row[i]] > 1 { mu[row[i]] * s } else { b[1] }, if m[row[i]] > 1 { 1 } else { 2 }) }\n"
       " plate i in 1..N { w[i] ~ Normal(if mu[row[i]] <= 0 { mu[row[i]] } else { if col[i] == 1 { s } else { z[i] + s + 2 } }, if mu[row[i]] > 0 and col[i] == 1 { 1 } else { s })\n"
       "  if col[i] > 1 and mu[row[i]] <= 0.5 { x[i] ~ Normal(x[i - 1], s) } }\n factor sum(b[2] for d in 1..D if mu[d] <= 0) }"},
  };
  static const char list[] = "{\"w\": [1, 2, 3, 2, 3, 3.5, 1, 2], \"x\": [0.3, -1.2, 0.7, 0.1, 2.2, 0.4, 0.5, -0.6], \"g\": [1, 2, 1, 1, 2, 2, 1, 2], \"D\": 3, \"row\": [1, 1, 1, 2, 3, 3, 3, 3], \"col\": [1, 2, 3, 1, 1, 2, 3, 4], \"len\": [3, 1, 4], \"k\": 2}";
  static const size_t dim[] = {14, 14, 15, 14, 14, 14, 14};
  for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) agree(texts[k], list, dim[k]);
#undef RAGGED
#undef PLAIN
#undef UNKNOWN
#undef FLAT
#undef ROWS
}

/* Matrices of rows, and rows that are drawn at once, against the same of rows that numbers name. */
static void test_matrices(void **state) {
  (void)state;
#define HEAD "fn cov_of(v: real[M], s: real, e: real): real[M, M] { let q = distances(v, v)\n return gp_matern52(q, s, 1.5) + diag(rep(e, M)) }\n" \
  "fn squares(v: real[M]): real[M] = [v[i]^2 / i for i in 1..M]\nfn trace(A: real[M, M]): real = sum(A[i, i] for i in 1..M)\n" \
  "model m(w: real[d in 1..D, len[d]], x: real[d in 1..D, len[d]], c: int[d in 1..D, len[d]], g: index(2)[d in 1..D, len[d]], y: int[D], v: int[D]) {\n s ~ HalfNormal(1)\n mu: real[D] ~ Normal(0, 1)\n b: real[2] ~ Normal(0, 1)\n"
#define UNKNOWN " plate d in 1..D, n in 1..len[d] { z[d, n] ~ Normal(mu[d], 1) }\n"
#define EACH(statements) " plate d in 1..D {\n" statements(d) "}}"
#define THREE(statements) statements(1) statements(2) statements(3) "}"
#define SAME(statements) {HEAD UNKNOWN EACH(statements), HEAD UNKNOWN THREE(statements)}
#define GP(d) "  w[" #d "] ~ MultiNormal(rep(mu[" #d "], len[" #d "]), gp_exp_quad(distances(x[" #d "], x[" #d "]), s, 1 + b[1]^2) + diag(rep(0.1 + s, len[" #d "])))\n"
#define FACTORS(d) "  let K" #d " = cov_of(x[" #d "], s, 0.3)\n  let L" #d " = cholesky(K" #d ")\n  let f" #d " = L" #d " @ z[" #d "] + mu[" #d "]\n  w[" #d "] ~ MultiNormal(f" #d " * b[1], cholesky = L" #d ")\n" \
  "  let r" #d " = solve_lower(L" #d ", f" #d " - w[" #d "])\n  factor -dot(r" #d ", r" #d ") - sum(log(L" #d "[i, i]) for i in 1..len[" #d "]) + trace(K" #d ") * b[2] + sum(K" #d " * s) + size(K" #d ", 2) * s + L" #d "[len[" #d "], 1]\n" \
  "  x[" #d "] ~ MultiNormal(rep(0, len[" #d "]), precision = K" #d " @ K" #d "' + diag(f" #d "^2 + 1))\n"
#define SHARES(d) "  let p" #d " = softmax(z[" #d "])\n  c[" #d "] ~ Multinomial(sum(c[" #d "]), p" #d ")\n  let q" #d " = [z[" #d ", i] * b[1] + i for i in 1..len[" #d "]]\n" \
  "  w[" #d "] ~ Normal(q" #d " + squares(z[" #d "]) + [mu[" #d "] * i for i in 1..len[" #d "]], s)\n  factor sum(squares(x[" #d "] * s)) + sum(exp(z[" #d "] - [b[2] for i in 1..len[" #d "]]))\n"
#define WALKS(d) "  w[" #d "] ~ RandomWalk(mu[" #d "], s)\n"
#define SHAPES(d) "  let X" #d " = [x[" #d ", i]^(k - 1) for i in 1..len[" #d "], k in 1..2]\n  let e" #d " = X" #d " @ b\n  w[" #d "] ~ MultiNormal(e" #d " + b[g[" #d "]], 0.5 * X" #d " @ X" #d "' + diag(rep(1 + s, len[" #d "])))\n" \
  "  let u" #d " = X" #d "' @ z[" #d "]\n  factor sum((x[" #d "] @ (X" #d " @ X" #d "')) * z[" #d "]) * 0.1 + sum(X" #d "[:, 2]) * s - sum(X" #d "[1]^2) * s\n"
#define CHOSEN(d) "  let K" #d " = cov_of(x[" #d "], s, 0.3)\n  if mu[" #d "] > 0 { w[" #d "] ~ MultiNormal(rep(0, len[" #d "]), 2 * K" #d ") } else { w[" #d "] ~ Normal(z[" #d "], s) }\n"
#define BUILT(d) "  if mu[" #d "] > 0 {\n   let r" #d " = cumsum(z[" #d "] * s)\n   w[" #d "] ~ Normal(r" #d ", s)\n   if s > 0.5 { factor 0.1 * sum(cumsum(z[" #d ", 2..len[" #d "]])) } else { factor sum(cumsum(sqrt(x[" #d "]))) }\n" \
  "  } else {\n   let q" #d " = b[1] * 2\n   let r" #d " = z[" #d "] * q" #d "\n   w[" #d "] ~ Normal(r" #d " + cumsum(x[" #d "]), s)\n   factor 0.1 * dot(softmax(z[" #d "]), r" #d ")\n  }\n"
#define PARTS(d) "  let K" #d " = cov_of(x[" #d "], s, 0.3)\n  let c" #d " = [x[" #d ", i] * s + i for i in 1..len[" #d "]]\n" \
  "  w[" #d ", 2..len[" #d "]] ~ Normal((z[" #d "] + c" #d ")[1..len[" #d "] - 1] + K" #d "[1..len[" #d "] - 1, 1], s)\n" \
  "  factor sum(K" #d " + x[" #d "] * s) - 2 * dot(K" #d "[1] + x[" #d "], z[" #d "]) + sum(K" #d "[1..1, len[" #d "]]) + sum(K" #d "[2..len[" #d "], 1] * z[" #d ", 2..len[" #d "]])\n" \
  "  factor sum(K" #d "[2..len[" #d "], 2..len[" #d "]] @ z[" #d ", 2..len[" #d "]]) + sum((z[" #d "] * c" #d ")[2..len[" #d "]]) + sum(sum(K" #d "[1..1, :]) * s + K" #d "[1, 1..len[" #d "]])\n"
#define LABELS(d) "  y[" #d "] ~ Categorical(logit = b[1] * x[" #d "] + z[" #d "])\n  v[" #d "] ~ Categorical(softmax(x[" #d "] * s))\n"
  static const char *const texts[][2] = {SAME(GP), SAME(FACTORS), SAME(SHARES), SAME(WALKS), SAME(SHAPES), SAME(LABELS), SAME(CHOSEN), SAME(PARTS), SAME(BUILT)};
#undef SAME
  static const char rows[] = "{\"w\": [1, 2, 3, 2, 3, 3.5, 1, 2], \"x\": [0.3, -1.2, 0.7, 0.1, 2.2, 0.4, 0.5, -0.6], \"c\": [3, 0, 2, 4, 1, 1, 2, 0], \"g\": [1, 2, 1, 1, 2, 2, 1, 2], \"y\": [2, 1, 4], \"v\": [3, 1, 1], \"len\": [3, 1, 4]}";
  for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) agree(texts[k], rows, 14);
  /* The corner alone counts, whatever stands behind it. */
#define CORNER(call) "model m(y: real[3]) { u: real[3] ~ Normal(0, 1); y[1..3] ~ Normal(u, 1); factor logpdf(" call ") }"
#define OF(form, a) {CORNER("PaddedMultiNormal(2, u, " form "[[2 + u[1]^2, " a ", u[2]], [0.3, 1.5, -u[3]], [7, u[1], -3]]), y"), CORNER("MultiNormal(u[1..2], " form "[[2 + u[1]^2, " a "], [0.3, 1.5]]), y[1..2]")}
  static const char *const corners[][2] = {OF("", "0.3"), OF("cholesky = ", "0"), OF("precision = ", "0.3")};
  for (size_t k = 0; k < sizeof corners / sizeof *corners; k++) agree(corners[k], "{\"y\": [0.3, -1.2, 0.7]}", 3);
#undef OF
#undef CORNER
}

/* What the compiler writes out is the library's, whatever the program itself has of these names. */
static void test_own_names(void **state) {
  (void)state;
#define OWN "dist Normal(a: real, b: real) on real { logpdf(x) = -abs(x - a) * b }\ndist PaddedMultiNormal(n: int, mu: real[K], cov: cov(K)) on real[K] { logpdf(x) = -abs(x[1]) }\n" \
  "dist switch(k: int, a: real) on real { logpdf(x) = 3 }\nfn variance(v: real[N]): real = v[1] * 5\nfn distances(v: real[N]): real = v[1]\n"
#define MODEL "model m(w: real[d in 1..D, len[d]], x: real[d in 1..D, len[d]], v: real[d in 1..D, len[d]]) {\n s ~ HalfCauchy(1); mu: real[D] ~ Cauchy(0, 1)\n plate d in 1..D {\n" \
  "  z[d, 1] ~ Cauchy(mu[d], 1)\n  for n in 2..len[d] { z[d, n] ~ Logistic(z[d, n - 1], s) }\n  w[d] ~ RandomWalk(mu[d], s)\n" \
  "  v[d] ~ MultiNormal(rep(mu[d], len[d]), gp_exp_quad([abs(x[d, i] - x[d, j]) for i in 1..len[d], j in 1..len[d]], s, 1) + diag(rep(0.5, len[d])))\n  factor sd(z[d]) + log_sum_exp(z[d])\n } }"
  agree((const char *const[]){OWN MODEL, MODEL}, "{\"w\": [[1, 2, 3], [2, 3], [3, 3.5, 1, 2]], \"x\": [[0.3, -1.2, 0.7], [0.1, 2.2], [0.4, 0.5, -0.6, 3]], \"v\": [[1, 2, 3], [2, 3], [3, 3.5, 1, 2]]}", 13);
  static const char chosen[] = "model m(y: real[N], c: bool[N]) { s ~ HalfCauchy(1)\n plate i in 1..N { if c[i] { u[i] ~ Cauchy(0, s) } else { u[i] ~ Logistic(s, 1) }\n y[i] ~ Cauchy(u[i], 1) } }";
  char own[2000];
  snprintf(own, sizeof own, "%s%s", OWN, chosen);
  agree((const char *const[]){own, chosen}, "{\"y\": [0.5, 1, -2], \"c\": [true, false, true]}", 4);
#undef OWN
#undef MODEL
}

static void count_if(void *user, ir_op *op) { *(int *)user += op->code == IR_IF_OP; }

static void count_in_matrices(void *user, ir_op *op) {
  if (op->code == IR_PLATE_OP && op->u.loop->rank == 2) ir_visit_ops(&op->u.loop->body, count_if, user);
}

/* Loops over the elements of matrices of rows run on lanes: they hold no condition. */
static void test_lanes(void **state) {
  (void)state;
  model_run r;
  model_open(&r, "model m(x: real[d in 1..D, len[d]], y: real[d in 1..D, len[d]]) {\n s ~ HalfNormal(1); rho ~ InvGamma(5, 5)\n plate d in 1..D, n in 1..len[d] { z[d, n] ~ Normal(0, 1) }\n"
                 " plate d in 1..D { let K = gp_exp_quad(distances(x[d], x[d]), s, rho) + diag(rep(0.01, len[d]))\n let f = cholesky(K) @ z[d]\n y[d] ~ Normal(f, 1) } }",
             "{\"x\": [[0.1, 0.7, 2], [1], [], [3, 3.5, 1, 2]], \"y\": [[1, 2, 3], [2], [], [1, 2, 1, 2]]}", NEED_GRAD);
  int n = 0, loops = 0;
  for (size_t k = 0; k < r.p.module->nfns; k++)
    if (strcmp(r.p.module->fn[k]->name, "grad") == 0) {
      ir_visit_ops(&r.p.module->fn[k]->body, count_in_matrices, &n);
      loops++;
    }
  assert_int_equal(loops, 1);
  assert_int_equal(n, 0);
  model_close(&r);
}

/* A part of a model that takes ragged data, two deep, against the same in one model. */
static void test_parts(void **state) {
  (void)state;
  static const char *const texts[2] = {
      "model inner(y: real[d in 1..D, len[d]], s: real) {\n a: real[D] ~ Normal(0, s)\n plate d in 1..D {\n  z[d, 1] ~ Normal(0, 1)\n  for i in 2..len[d] { z[d, i] ~ Normal(z[d, i - 1], 1) }\n"
      "  plate i in 1..len[d] { y[d, i] ~ Normal(a[d] + z[d, i], 1) }\n } }\n"
      "model middle(w: real[g in 1..G, n[g]]) { s ~ HalfNormal(1); q ~ inner(w, s) }\n"
      "model outer(x: real[j in 1..J, m[j]], v: real[j in 1..J, m[j]]) { u ~ middle(x); t ~ inner(s = 2, y = v); factor sum(x[j, i] * v[j, i] for j in 1..J, i in 1..m[j]) * u.s * t.a[2] }",
      "model outer(x: real[d in 1..D, len[d]], v: real[d in 1..D, len[d]]) {\n s ~ HalfNormal(1)\n a: real[D] ~ Normal(0, s)\n"
      " plate d in 1..D {\n  z[d, 1] ~ Normal(0, 1)\n  for i in 2..len[d] { z[d, i] ~ Normal(z[d, i - 1], 1) }\n  plate i in 1..len[d] { x[d, i] ~ Normal(a[d] + z[d, i], 1) }\n }\n b: real[D] ~ Normal(0, 2)\n"
      " plate d in 1..D {\n  c[d, 1] ~ Normal(0, 1)\n  for i in 2..len[d] { c[d, i] ~ Normal(c[d, i - 1], 1) }\n  plate i in 1..len[d] { v[d, i] ~ Normal(b[d] + c[d, i], 1) }\n }\n"
      " factor sum(x[d, i] * v[d, i] for d in 1..D, i in 1..len[d]) * s * b[2] }"};
  agree(texts, "{\"x\": [[1, 2, 3], [4], [2, 1]], \"v\": [[0.3, -1.2, 0.7], [0.1], [2.2, 0.4]]}", 19);
}

/* Parts that are given rows, against their statements over rows. */
static void test_row_parts(void **state) {
  (void)state;
#define DATA "w: real[d in 1..D, len[d]], x: real[d in 1..D, len[d]], g: index(V)[d in 1..D, len[d]], u: real[D, 2]"
  static const char *const texts[2] = {
      "model walk(y: real[N], s: real, k: index(J)[N]) {\n m ~ Normal(0, s); b: real[J] ~ Normal(m, 1); let twice = 2 * m\n y[1] ~ Normal(twice + b[k[1]], 1)\n"
      " for t in 2..N { let p = y[t - 1] + b[k[t]]; y[t] ~ Normal(p, s) }\n track q = m }\n"
      "model tail(v: real[M], c: real[P]) { a ~ Normal(c[2], 1); let f = cumsum(v); let e[1] = a\n for i in 2..P { let e[i] = e[i - 1] * c[i] }\n v ~ Normal(a + 0.1 * f / M, 1); factor sum(v) * a / size(v) + e[P] }\n"
      "model both(z: real[L], s: real, c: real[P]) { h ~ Normal(0, 1); t ~ tail(z, c); factor h * t.a * s }\n"
      "model m(" DATA ") {\n s ~ HalfNormal(1)\n plate d in 1..D { r[d] ~ walk(w[d], s + 1, g[d]) }\n o[d] ~ both(x[d], c = u[d], s = s) for d in 1..D\n factor sum(r[d].m * r[d].b[2] for d in 1..D) + o[1].h * o[2].t.a }",
      "model m(" DATA ") {\n s ~ HalfNormal(1)\n m: real[D] ~ Normal(0, s + 1)\n plate d in 1..D { b[d]: real[V] ~ Normal(m[d], 1) }\n"
      " plate d in 1..D { w[d, 1] ~ Normal(2 * m[d] + b[d, g[d, 1]], 1); for t in 2..len[d] { w[d, t] ~ Normal(w[d, t - 1] + b[d, g[d, t]], s + 1) } }\n"
      " h: real[D] ~ Normal(0, 1)\n a: real[D] ~ Normal(u[:, 2], 1)\n"
      " plate d in 1..D, t in 1..len[d] { x[d, t] ~ Normal(a[d] + 0.1 * sum(x[d, i] for i in 1..t) / len[d], 1) }\n"
      " factor sum(sum(x[d, t] for t in 1..len[d]) * a[d] / len[d] + a[d] * u[d, 2] + h[d] * a[d] * s for d in 1..D)\n"
      " factor sum(m[d] * b[d, 2] for d in 1..D) + h[1] * a[2] }"};
#undef DATA
  agree(texts, "{\"w\": [[1, 2, 3], [4], [2, 1]], \"x\": [[0.3, -1.2, 0.7], [0.1], [2.2, 0.4]], \"g\": [[1, 2, 2], [1], [2, 1]], \"u\": [[0.5, 1], [-1, 0.3], [2, 0.7]]}", 16);
}

/* Rows that happen to be equally long are rows as well; no rows and empty rows are data. */
static void test_shapes(void **state) {
  (void)state;
  static const struct {
    const char *json;
    size_t cells, rows;
  } shapes[] = {{"{\"y\": [[1, 2], [3, 4], [5, 6]]}", 6, 3}, {"{\"y\": [[], []]}", 0, 2}, {"{\"y\": [[], [1]]}", 1, 2}, {"{\"y\": [], \"len\": []}", 0, 0}};
  for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
    model_run r;
    model_open(&r, "model m(y: real[i in 1..D, len[i]]) { a: real[D] ~ Normal(0, 1); e[i, j] ~ Normal(a[i], 1) for i in 1..D, j in 1..len[i]\n"
                   " plate i in 1..D, j in 1..len[i] { y[i, j] ~ Normal(e[i, j], 1) } }", shapes[k].json, NEED_GRAD);
    assert_int_equal(model_site(&r, "a")->cells, shapes[k].rows);
    assert_int_equal(model_site(&r, "e")->cells, shapes[k].cells);
    model_close(&r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_long_form), cmocka_unit_test(test_slices), cmocka_unit_test(test_known_rows), cmocka_unit_test(test_values), cmocka_unit_test(test_matrices), cmocka_unit_test(test_own_names), cmocka_unit_test(test_lanes), cmocka_unit_test(test_parts), cmocka_unit_test(test_row_parts), cmocka_unit_test(test_shapes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
