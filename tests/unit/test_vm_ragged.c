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

/* Slices of rows against loops over their elements. */
static void test_slices(void **state) {
  (void)state;
  static const char *const texts[2] = {
      " plate d in 1..D {\n  z[d, 1..len[d]] ~ Normal(mu[d], 2)\n  w[d, 2..len[d]] ~ Normal(x[d, 1..len[d] - 1] + z[d, 2..len[d]], s)\n  w[d, 1..1] ~ Normal(mean(x[d]), 3)\n  v[d] ~ Normal(x[d] * mu[d], s)\n }\n"
      " factor sum(w[1, 1..2]) * s - dot(w[3, 1..2], x[1, 2..3]) * mu[1] + max(x[3, 2..len[3]]) * s",
      " plate d in 1..D {\n  plate n in 1..len[d] { z[d, n] ~ Normal(mu[d], 2) }\n  plate n in 2..len[d] { w[d, n] ~ Normal(x[d, n - 1] + z[d, n], s) }\n  w[d, 1] ~ Normal(sum(x[d, n] for n in 1..len[d]) / len[d], 3)\n"
      "  plate n in 1..len[d] { v[d, n] ~ Normal(x[d, n] * mu[d], s) }\n }\n"
      " factor (w[1, 1] + w[1, 2]) * s - (w[3, 1] * x[1, 2] + w[3, 2] * x[1, 3]) * mu[1] + max(x[3, n] for n in 2..len[3]) * s"};
  static const char json[] = "{\"w\": [[1, 2, 3], [4], [2, 1]], \"x\": [[0.3, -1.2, 0.7], [0.1], [2.2, 0.4]], \"v\": [[3, 1, 2.5], [0.5], [1, 1.5]]}";
  double lp[2], g[2][MOST], q[MOST];
  for (int k = 0; k < 2; k++) {
    char text[2048];
    snprintf(text, sizeof text, "model m(w: real[d in 1..D, len[d]], x: real[d in 1..D, len[d]], v: real[d in 1..D, len[d]]) {\n s ~ HalfNormal(1)\n mu: real[D] ~ Normal(0, 1)\n%s\n}", texts[k]);
    model_run r;
    model_open(&r, text, json, NEED_GRAD);
    assert_int_equal(r.dim, 10);
    for (size_t i = 0; i < r.dim; i++) q[i] = sin(1.0 + 2.0 * (double)i);
    lp[k] = model_grad(&r, q, g[k]);
    model_close(&r);
  }
  assert_true(fabs(lp[0] - lp[1]) <= 1e-13 * fabs(lp[0]));
  for (int i = 0; i < 10; i++) assert_true(fabs(g[0][i] - g[1][i]) <= 1e-12 * (1 + fabs(g[0][i])));
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
  double lp[2], g[2][MOST], q[MOST];
  for (int k = 0; k < 2; k++) {
    model_run r;
    model_open(&r, texts[k], "{\"x\": [[1, 2, 3], [4], [2, 1]], \"v\": [[0.3, -1.2, 0.7], [0.1], [2.2, 0.4]]}", NEED_GRAD);
    assert_int_equal(r.dim, 19);
    for (size_t i = 0; i < r.dim; i++) q[i] = sin(1.0 + 2.0 * (double)i);
    lp[k] = model_grad(&r, q, g[k]);
    model_close(&r);
  }
  assert_true(fabs(lp[0] - lp[1]) <= 1e-13 * fabs(lp[0]));
  for (int i = 0; i < 19; i++) assert_true(fabs(g[0][i] - g[1][i]) <= 1e-12 * (1 + fabs(g[0][i])));
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
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_long_form), cmocka_unit_test(test_slices), cmocka_unit_test(test_parts), cmocka_unit_test(test_shapes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
