/* test_vm_local.c: @local.s has the terms of an element and @bounds.s the ends of its support.
 *
 * For two frames that differ in one element of site s only, the change of @local.s at that element has to be the change of
 * @density.  Every element of every site is tried, in models whose references are of each kind: the element itself, a neighbour in time, a gather,
 * an inverse by data, the whole.  Differences of sums of up to 1e3 terms of size T agree to 1e-12 T; 1e-10 is asked.
 *
 *   test_vm_local [frames for each model] */
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

static int frames = 4;

static double uniform(uint64_t *seed) { return (double)(next_random(seed) >> 11) * 0x1p-53; }

/* A frame on every support: from a point if all latents are real, with discrete sites set by hand. */
static void random_frame(model_run *r, double *frame, uint64_t *seed) {
  double q[512];
  for (size_t e = 0; e < r->dim; e++) q[e] = 2.0 * uniform(seed) - 1.0;
  model_constrain(r, q, frame);
  for (size_t k = 0; k < r->p.nsites; k++) {
    const program_site *s = &r->p.site[k];
    if (!s->discrete) continue;
    for (size_t e = 0; e < s->batch; e++) {
      double lo, hi;
      int64_t at[IR_MAX_RANK];
      size_t rest = e;
      for (uint32_t a = s->batch_rank; a-- > 0; rest /= (size_t)s->dim[a]) at[a] = (int64_t)(rest % (size_t)s->dim[a]);
      model_bounds(r, s, frame, at, &lo, &hi);
      if (isinf(lo)) lo = 0.0;
      if (isinf(hi)) hi = lo + 4.0;
      frame[s->at + e] = lo + (double)below(seed, (size_t)(hi - lo) + 1);
    }
  }
}

/* Another value for one event of a site: another frame's. */
static void check_element(model_run *r, const char *text, const program_site *s, size_t e, const double *a, const double *other) {
  double b[512], part[3];
  int64_t at[IR_MAX_RANK];
  memcpy(b, a, r->cells * sizeof *a);
  memcpy(b + s->at + e * s->event, other + s->at + e * s->event, s->event * sizeof *b);
  size_t rest = e;
  for (uint32_t d = s->batch_rank; d-- > 0; rest /= (size_t)s->dim[d]) at[d] = (int64_t)(rest % (size_t)s->dim[d]);
  double ta = model_density(r, a, part), scale = fabs(part[0]) + fabs(part[1]) + fabs(part[2]);
  double tb = model_density(r, b, part);
  scale += fabs(part[0]) + fabs(part[1]) + fabs(part[2]) + 1.0;
  double la = model_local(r, s, a, at), lb = model_local(r, s, b, at);
  if (isinf(tb) || isinf(lb)) {
    if (tb != lb) fail_msg("%s\n%s[%zu]: the density is %g where the local one is %g", text, s->name, e, tb, lb);
    return;
  }
  if (!(fabs((tb - ta) - (lb - la)) <= 1e-10 * scale))
    fail_msg("%s\n%s[%zu]: the density changes by %.15g, the local one by %.15g", text, s->name, e, tb - ta, lb - la);
}

typedef struct example {
  const char *text, *json;
  const char *local;  /* the sites that need no loop over the whole model, by name with a space behind; the others do.  NULL: not asked */
} example;

#define Y6 "\"y\": [0.3, -1.2, 0.8, 2.1, -0.4, 1.3]"
#define K6 "\"k\": [2, 1, 3, 2, 2, 1]"

static const example examples[] = {
    {"model m(y: real[N]) { mu ~ Normal(0, 1)\n plate i in 1..N { t[i] ~ Normal(mu, 1)\n y[i] ~ Normal(t[i], 0.5) } }", "{" Y6 "}", "t "},
    {"model m(y: real[T]) { phi ~ Uniform(-1, 1)\n s ~ HalfNormal(1)\n h[1] ~ Normal(0, s / sqrt(1 - phi^2))\n"
     " for t in 2..T { h[t] ~ Normal(phi * h[t - 1], s) }\n plate t in 1..T { y[t] ~ Normal(0, exp(h[t] / 2)) } }",
     "{" Y6 "}", "h "},
    {"model m(y: real[T]) { h[1] ~ Normal(0, 1)\n h[2] ~ Normal(h[1], 1)\n for t in 3..T { h[t] ~ Normal(h[t - 1] * h[t - 2], 1) }\n y ~ Normal(h, 0.5) }",
     "{" Y6 "}", "h "},
    {"model m(y: real[T]) { h[T] ~ Normal(0, 1)\n for t in T - 1..1 by -1 { h[t] ~ Normal(h[t + 1], 1) }\n y ~ Normal(h, 0.5) }", "{" Y6 "}", NULL},
    {"model m(k: index(J)[N], y: real[N]) { m0 ~ Normal(0, 1)\n a: real[J] ~ Normal(m0, 1)\n b: real[J] ~ Normal(0, 1)\n y ~ Normal(a[k] + b[k]^2, 1) }",
     "{" K6 ", " Y6 "}", "a b "},
    {"model m(k: index(J)[N], l: index(J)[N], y: real[N]) { a: real[J] ~ Normal(0, 1)\n y ~ Normal(a[k] * a[l], 1) }",
     "{" K6 ", \"l\": [1, 1, 2, 3, 2, 3], " Y6 "}", NULL},
    {"model m(k: index(J)[N], g: index(G)[J], y: real[N]) { b: real[G] ~ Normal(0, 1)\n plate j in 1..J { a[j] ~ Normal(b[g[j]], 0.5) }\n y ~ Normal(a[k], 1) }",
     "{" K6 ", \"g\": [1, 2, 1], " Y6 "}", "b a "},
    {"model m(e: index(N)[E, 2], J: real[E], h: real[N]) { s: bool[N] ~ Bernoulli(0.4)\n"
     " plate j in 1..E { factor J[j] * s[e[j, 1]] * s[e[j, 2]] }\n plate i in 1..N { factor h[i] * s[i] } }",
     "{\"e\": [[1, 2], [2, 3], [3, 4], [4, 1], [1, 3]], \"J\": [1, 0.5, -1, 2, 0.3], \"h\": [0.1, -0.2, 0.3, 0.4]}", NULL},
    {"model m(L: int = 5, J: real = 0.7) { s: spin[L, L] ~ Flat()\n"
     " factor J * sum(s[i, j] * s[i % L + 1, j] + s[i, j] * s[i, j % L + 1] for i in 1..L, j in 1..L) }",
     "{}", NULL},
    {"model m(y: real[N, M]) { a: real[N] ~ Normal(0, 1)\n b: real[M] ~ Normal(0, 1)\n"
     " plate i in 1..N, j in 1..M { e[i, j] ~ Normal(a[i] + b[j], 1)\n y[i, j] ~ Normal(e[i, j], 0.5) } }",
     "{\"y\": [[1, 2, 3], [0.5, -1, 0]]}", "a b e "},
    {"model m(y: real[N, M]) { plate i in 1..N { c[i] ~ Normal(0, 1)\n plate j in 1..M { e[i, j] ~ Normal(c[i], 1)\n y[i, j] ~ Normal(e[i, j], 0.5) } } }",
     "{\"y\": [[1, 2, 3], [0.5, -1, 0]]}", "c e "},
    {"model m(y: real[T], N: int = 3) { plate i in 1..N { h[i, 1] ~ Normal(0, 1)\n for t in 2..T { h[i, t] ~ Normal(h[i, t - 1], 1)\n } }\n"
     " plate t in 1..T { y[t] ~ Normal(sum(h[i, t] for i in 1..N), 1) } }",
     "{" Y6 "}", NULL},
    {"model m(y: real[N], K: int = 3) { w ~ Dirichlet(rep(1.0, K))\n mu: ordered(K) ~ Normal(0, 2)\n s: real[K] ~ HalfNormal(2)\n"
     " plate i in 1..N { k[i] ~ Categorical(w)\n y[i] ~ Normal(mu[k[i]], s[k[i]]) } }",
     "{" Y6 "}", NULL},
    {"model m(y: real[T], K: int = 3) { P: simplex(K)[K] ~ Dirichlet(rep(1.0, K))\n mu: real[K] ~ Normal(0, 2)\n z[1] ~ Categorical(uniform(K))\n"
     " for t in 2..T { z[t] ~ Categorical(P[z[t - 1]]) }\n plate t in 1..T { y[t] ~ Normal(mu[z[t]], 1) } }",
     "{" Y6 "}", NULL},
    {"model m(X: real[N, 2], y: real[N]) { b: real[2] ~ Normal(0, 1)\n s ~ HalfNormal(1)\n y ~ Normal(X @ b, s) }",
     "{\"X\": [[0.5, 1], [-1, 0.3], [0.2, -0.7], [1.5, 0.1], [0.4, 0.9], [-0.8, -1.1]], " Y6 "}", ""},
    {"model m(y: real[N]) { a: real[3] ~ Normal(0, 1)\n factor log_sum_exp(a)\n let v = a[1] * a[2]\n y ~ Normal(v, 1) }", "{" Y6 "}", ""},
    {"model m(y: real[N], b: bool[N]) { a: real[N] ~ Normal(0, 1)\n c ~ Normal(0, 1)\n plate i in 1..N if b[i] { y[i] ~ Normal(a[i], exp(c)) } }",
     "{" Y6 ", \"b\": [0, 1, 1, 0, 1, 0]}", "a "},
    {"model m(y: real[N]) { a: real<lower = 0>[N] ~ Normal(1, 1)\n u ~ Beta(2, 2)\n"
     " plate i in 1..N { b[i]: real<lower = 0, upper = a[i]> ~ Normal(u, 1)\n y[i] ~ Normal(a[i] + b[i], 1) } }",
     "{" Y6 "}", NULL},
    {"model m(y: real[N]) { plate i in 1..N { a[i] ~ Exponential(1)\n b[i] ~ Uniform(-a[i], 2 * a[i])\n y[i] ~ Normal(b[i], 1) } }", "{" Y6 "}", "a b "},
    {"model m(n: int<lower = 0>[N]) { r: real[N] ~ Gamma(2, 1)\n z: int[N] ~ Poisson(2.0)\n plate i in 1..N { n[i] ~ Poisson(r[i] * (z[i] + 1)) } }",
     "{\"n\": [0, 2, 1, 5, 0, 3]}", "r z "},
    {"model m(y: real[N]) { R: corr(2)[N] ~ Flat()\n S: cov(2) ~ Flat()\n p: simplex(3)[N] ~ Dirichlet(rep(2.0, 3))\n"
     " plate i in 1..N { factor -S[1, 1] * R[i, 1, 2]^2\n y[i] ~ Normal(p[i, 2], 1) } }",
     "{" Y6 "}", "R p "},
};

static void test_examples(void **state) {
  (void)state;
  int failed = 0;
  for (size_t c = 0; c < sizeof examples / sizeof examples[0]; c++) {
    const example *x = &examples[c];
    model_run r;
    const char *messages;
    if (!model_try(&r, x->text, x->json, NEED_DENSITY | NEED_LOGDENS | NEED_LOCAL, 0, &messages)) {
      fprintf(stderr, "%s\n%s\n", x->text, messages);
      failed++;
      model_close(&r);
      continue;
    }
    uint64_t seed = c;
    for (int f = 0; f < frames; f++) {
      double a[512], b[512];
      random_frame(&r, a, &seed);
      random_frame(&r, b, &seed);
      for (size_t k = 0; k < r.p.nsites; k++)
        for (size_t e = 0; e < r.p.site[k].batch; e++) check_element(&r, x->text, &r.p.site[k], e, a, b);
    }
    for (size_t k = 0; x->local && k < r.p.nsites; k++) {
      char name[64];
      snprintf(name, sizeof name, "%s ", r.p.site[k].name);
      bool want = strstr(x->local, name) != NULL;
      if (r.p.site[k].local != want) {
        fprintf(stderr, "%s\n%s is %slocal\n", x->text, r.p.site[k].name, want ? "not " : "");
        failed++;
      }
    }
    model_close(&r);
  }
  assert_int_equal(failed, 0);
}

static void expect_bounds(model_run *r, const char *site, const double *frame, int64_t i, double lo, double hi) {
  double l, h;
  model_bounds(r, model_site(r, site), frame, &i, &l, &h);
  if (l != lo || h != hi) fail_msg("%s[%d] in [%g, %g], not [%g, %g]", site, (int)i, l, h, lo, hi);
}

static void test_bounds(void **state) {
  (void)state;
  const double inf = INFINITY;
  model_run r;
  model_open(&r,
             "model m(top: real[N]) { a ~ Normal(0, 1)\n b ~ Exponential(1)\n c: real<lower = a> ~ Normal(0, 1)\n d: real<upper = 2 * b> ~ Normal(0, 1)\n"
             " plate i in 1..N { e[i]: real<lower = 0, upper = top[i]> ~ Flat() }\n f ~ Uniform(a, a + b)\n g: real<lower = 0.25> ~ Uniform(0, 1)\n"
             " z ~ Bernoulli(0.5)\n k ~ Categorical([0.2, 0.3, 0.5])\n n ~ Poisson(b)\n s: spin ~ Flat()\n"
             " plate i in 1..N { h[i]: real<lower = e[i]> ~ Exponential(b) } }",
             "{\"top\": [1, 2, 4]}", NEED_DENSITY | NEED_LOGDENS | NEED_LOCAL);
  double frame[64] = {0};
  frame[model_site(&r, "a")->at] = 0.5;
  frame[model_site(&r, "b")->at] = 3.0;
  for (int i = 0; i < 3; i++) frame[model_site(&r, "e")->at + (size_t)i] = 0.1 * (i + 1);
  expect_bounds(&r, "a", frame, 0, -inf, inf);
  expect_bounds(&r, "b", frame, 0, 0.0, inf);
  expect_bounds(&r, "c", frame, 0, 0.5, inf);
  expect_bounds(&r, "d", frame, 0, -inf, 6.0);
  for (int i = 0; i < 3; i++) {
    expect_bounds(&r, "e", frame, i, 0.0, (double)(1 << i));
    expect_bounds(&r, "h", frame, i, 0.1 * (i + 1), inf);
  }
  expect_bounds(&r, "f", frame, 0, 0.5, 3.5);
  expect_bounds(&r, "g", frame, 0, 0.25, 1.0);
  expect_bounds(&r, "z", frame, 0, 0.0, 1.0);
  expect_bounds(&r, "n", frame, 0, 0.0, inf);
  expect_bounds(&r, "s", frame, 0, -1.0, 1.0);
  double lo, hi;
  int64_t none = 0;
  model_bounds(&r, model_site(&r, "k"), frame, &none, &lo, &hi);
  assert_true(hi - lo == 2.0); /* counted from 0 inside, as data are */
  model_close(&r);
}

int main(int argc, char **argv) {
  if (argc > 1) frames = atoi(argv[1]);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples), cmocka_unit_test(test_bounds)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
