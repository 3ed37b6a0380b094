/* test_vm_sum_out.c: finite unknowns summed out, against enumeration of all their values.
 *
 * The same model is built twice: with its finite unknowns summed out, and with them as they are.  At random points
 *
 *   the density of the first is log sum exp of that of the second over all values, which the oracle of ref_eval.h evaluates in long
 *     double, to 1e-12 of 1 + |log density|;
 *   the gradient of the first agrees with central differences of its density in long double, to 1e-8 of the terms;
 *   draws of @recover have the exact conditional distribution: chi-square over all values (those with fewer than 5 expected draws
 *     taken together) below its quantile of 1 - 10^-6, with DRAWS draws;
 *   built for `map`, the most likely values have the largest density of all;
 *   a wrong twin that draws each element with its exact distribution but independently of the others must fail that test where
 *     elements depend on each other.
 *
 * Random models are factor graphs of scalars, chains and plates with random tables.  Random numbers are fixed by their seeds.
 *
 * Models whose sums a reader would write by hand have the gradient of those, up to a constant of the density, at no more than 1.1 of
 * the price in flops.
 *
 * Continuous unknowns stand for themselves in both builds: none of these models has one that would be non-centred.
 *
 *   test_vm_sum_out [random models] */
#include "compiler/ir_cost.h"
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

enum { DRAWS = 4000, MOST = 8192 };
static int random_models = 60;

static double uniform(uint64_t *seed) { return (double)(next_random(seed) >> 11) * 0x1p-53; }

/* ---- enumeration */

typedef struct values {
  const program_site *site[16];
  size_t nsites, cells, count;
  int64_t first[16], states[16]; /* a spin has the values first and first + 2 */
  bool spin[16];
} values;

/* The range of a site as the model's text has it: `range` holds one "name first states" for each, as `k 1 3; b 0 2`. */
static values values_of(const model_run *r, const char *range) {
  values v = {.count = 1};
  while (*range) {
    char name[64];
    long first, states;
    int used = 0;
    assert_int_equal(sscanf(range, " %63[^ ] %ld %ld%n", name, &first, &states, &used), 3);
    range += used;
    if (*range == ';') range++;
    const program_site *s = model_site(r, name);
    v.site[v.nsites] = s;
    v.first[v.nsites] = first;
    v.states[v.nsites] = states;
    v.spin[v.nsites++] = first == -1;
    v.cells += s->cells;
    for (size_t k = 0; k < s->cells; k++) v.count *= (size_t)states;
  }
  assert_in_range(v.count, 1, MOST);
  return v;
}

/* The n-th of all values, into a frame. */
static void put_values(const values *v, size_t n, double *frame) {
  for (size_t k = 0; k < v->nsites; k++)
    for (size_t e = 0; e < v->site[k]->cells; e++, n /= (size_t)v->states[k])
      frame[v->site[k]->at + e] = (double)(v->first[k] + (int64_t)(n % (size_t)v->states[k]) * (v->spin[k] ? 2 : 1));
}

static size_t number_of(const values *v, const double *frame) {
  size_t n = 0, unit = 1;
  for (size_t k = 0; k < v->nsites; k++)
    for (size_t e = 0; e < v->site[k]->cells; e++, unit *= (size_t)v->states[k])
      n += unit * (size_t)(((int64_t)frame[v->site[k]->at + e] - v->first[k]) / (v->spin[k] ? 2 : 1));
  assert_in_range(n, 0, v->count - 1);
  return n;
}

/* The oracle's arguments are in the order of sites: a point where a site is continuous, a frame where it is not. */
static long double logdens(model_run *r, const long double *q, const double *frame) {
  long double x[512], y[4];
  size_t n = 0;
  for (size_t k = 0; k < r->p.nsites; k++) {
    const program_site *s = &r->p.site[k];
    size_t cells = s->summed ? 0 : s->discrete ? s->cells : s->free * s->batch;
    for (size_t e = 0; e < cells; e++) x[n++] = s->discrete ? (long double)frame[s->at + e] : q[s->at_free + e];
  }
  assert_in_range(n, 0, 512);
  model_ref(r, "logdens", x, y);
  return y[0];
}

/* ---- the checks at a point */

typedef struct both {
  const char *text;
  model_run sum, all, mode;
  values v;
  long double lp[MOST];
} both;

static void check_density(both *b, const double *q, double *lp) {
  long double x[512], most = -HUGE_VALL, total = 0.0L;
  double frame[512] = {0};
  for (size_t e = 0; e < b->sum.dim; e++) x[e] = q[e];
  for (size_t n = 0; n < b->v.count; n++) {
    put_values(&b->v, n, frame);
    b->lp[n] = logdens(&b->all, x, frame);
    if (b->lp[n] > most) most = b->lp[n];
  }
  for (size_t n = 0; n < b->v.count; n++) total += expl(b->lp[n] - most);
  long double want = most == -HUGE_VALL ? most : most + logl(total);
  *lp = model_logdens(&b->sum, q);
  double error = *lp == (double)want ? 0.0 : fabs(*lp - (double)want) / (1.0 + fabs((double)want));
  if (!(error <= 1e-12)) fail_msg("%s\ndensity %.17g, not %.17g", b->text, *lp, (double)want);
  for (size_t n = 0; n < b->v.count; n++) b->lp[n] -= want;
}

static void check_gradient(both *b, const double *q, double lp) {
  double g[512];
  double again = model_grad(&b->sum, q, g);
  if (!(fabs(again - lp) <= 1e-12 * (1.0 + fabs(lp)))) fail_msg("%s\n@grad returns %.17g, @logdens %.17g", b->text, again, lp);
  for (size_t e = 0; e < b->sum.dim; e++) {
    long double x[512], h = 0x1p-12L, f[4];
    for (size_t i = 0; i < b->sum.dim; i++) x[i] = q[i];
    for (int k = 0; k < 4; k++) {
      x[e] = (long double)q[e] + (k == 0 ? h : k == 1 ? -h : k == 2 ? h / 2 : -h / 2);
      f[k] = logdens(&b->sum, x, NULL);
    }
    long double wide = (f[0] - f[1]) / (2 * h), narrow = (f[2] - f[3]) / h, want = (4 * narrow - wide) / 3;
    if (!(fabsl((long double)g[e] - want) <= 1e-8L * (1.0L + fabsl(want) + fabsl((long double)lp))))
      fail_msg("%s\nderivative %zu is %.15g, not %.15Lg", b->text, e, g[e], want);
  }
}

/* z of the normal distribution for a chi-square value (Wilson and Hilferty 1931). */
static double chi_square(const both *b, const unsigned *count) {
  double x = 0.0, rest = 0.0, seen = 0.0;
  size_t df = 0;
  for (size_t n = 0; n < b->v.count; n++) {
    double want = DRAWS * (double)expl(b->lp[n]);
    if (want == 0.0 && count[n]) return HUGE_VAL;
    if (want < 5.0) {
      rest += want;
      seen += count[n];
      continue;
    }
    x += (count[n] - want) * (count[n] - want) / want;
    df++;
  }
  if (rest >= 5.0) {
    x += (seen - rest) * (seen - rest) / rest;
    df++;
  } else if (seen > 60.0) {
    return HUGE_VAL;
  }
  if (df < 2) return 0.0;
  double k = (double)(df - 1);
  return (cbrt(x / k) - (1.0 - 2.0 / (9.0 * k))) / sqrt(2.0 / (9.0 * k));
}

static void check_recovery(both *b, const double *q, bool dependent) {
  static unsigned count[2][MOST];
  double frame[512], twin[512];
  size_t cells = b->v.cells;
  memset(count, 0, sizeof count);
  model_constrain(&b->sum, q, frame);
  for (uint64_t n = 0; n < DRAWS; n++) {
    model_recover(&b->sum, 1000 + n, frame);
    count[0][number_of(&b->v, frame)]++;
    if (!dependent) continue;
    /* The twin's elements come from draws of their own. */
    double one[512];
    memcpy(one, frame, sizeof one);
    memcpy(twin, frame, sizeof twin);
    for (size_t k = 0, c = 0; k < b->v.nsites; k++)
      for (size_t e = 0; e < b->v.site[k]->cells; e++, c++) {
        model_recover(&b->sum, 1000000 + n * cells + c, one);
        twin[b->v.site[k]->at + e] = one[b->v.site[k]->at + e];
      }
    count[1][number_of(&b->v, twin)]++;
  }
  double z = chi_square(b, count[0]);
  if (!(z < 4.9)) fail_msg("%s\nrecovered values are not drawn from their distribution: z = %.2f", b->text, z);
  if (dependent && !(chi_square(b, count[1]) > 4.9)) fail_msg("%s\nindependent draws pass as well", b->text);
}

/* Built for `map`, @recover finds values that no others beat. */
static void check_most_likely(both *b, const double *q) {
  double frame[512];
  long double most = -HUGE_VALL;
  for (size_t n = 0; n < b->v.count; n++)
    if (b->lp[n] > most) most = b->lp[n];
  model_constrain(&b->sum, q, frame);
  model_recover(&b->mode, 1, frame);
  long double got = b->lp[number_of(&b->v, frame)];
  if (!(got >= most - 1e-10L)) fail_msg("%s\nvalues of log probability %.12Lg, where %.12Lg is the largest", b->text, got, most);
}

static void open_both(both *b, const char *text, const char *json, const char *range) {
  const char *messages;
  b->text = text;
  if (!model_try_summed(&b->sum, text, json, NEED_LOGDENS | NEED_GRAD | NEED_OUTPUTS, &messages)) fail_msg("%s\n%s", messages, text);
  if (!model_try_summed(&b->mode, text, json, NEED_GRAD | NEED_MODE | NEED_OUTPUTS, &messages)) fail_msg("%s\n%s", messages, text);
  model_open(&b->all, text, json, NEED_LOGDENS);
  b->v = values_of(&b->all, range);
}

static void close_both(both *b) {
  model_close(&b->sum);
  model_close(&b->all);
  model_close(&b->mode);
}

static void check_open(both *b, bool dependent) {
  uint64_t seed = 7;
  for (int k = 0; k < 3; k++) {
    double q[512], lp;
    for (size_t e = 0; e < b->sum.dim; e++) q[e] = 3.0 * uniform(&seed) - 1.5;
    check_density(b, q, &lp);
    if (isinf(lp)) continue;
    check_gradient(b, q, lp);
    check_most_likely(b, q);
    if (k == 0) check_recovery(b, q, dependent);
  }
  close_both(b);
}

static void check(const char *text, const char *json, const char *range, bool dependent) {
  static both b;
  open_both(&b, text, json, range);
  check_open(&b, dependent);
}

/* ---- models */

static void plates(void **state) {
  (void)state;
  check("model mixture(x: real[N], K: int) {\n"
        "  w ~ Dirichlet(rep(1.0, K))\n  mu: ordered(K) ~ Normal(0, 2)\n  s: real[K] ~ HalfNormal(2)\n"
        "  plate i in 1..N { k[i] ~ Categorical(w); x[i] ~ Normal(mu[k[i]], s[k[i]]) }\n}\n",
        "{\"x\": [-1.2, 0.4, 0.1, 2.0], \"K\": 3}", "k 1 3", false);
  /* Whole arrays at once. */
  check("model vectors(x: real[N]) {\n"
        "  w ~ Dirichlet(rep(1.0, 3))\n  mu: real[3] ~ Normal(0, 2)\n  k: index(3)[N] ~ Categorical(w)\n"
        "  let m = mu[k] + 0.1\n  x ~ Normal(m, 1)\n}\n",
        "{\"x\": [-1.2, 0.4, 0.1]}", "k 1 3", false);
  /* Two labels an iteration, and an inner plate of observations. */
  check("model two(x: real[N, M]) {\n"
        "  p ~ Beta(2, 2)\n  mu: real[2] ~ Normal(0, 2)\n  d ~ Normal(0, 1)\n"
        "  plate i in 1..N {\n    b[i] ~ Bernoulli(p)\n    k[i] ~ Categorical([0.3, 0.7])\n"
        "    plate j in 1..M { x[i, j] ~ Normal(mu[k[i]] + (if b[i] { d } else { 0 }), 1) }\n  }\n}\n",
        "{\"x\": [[-1.2, 0.4, 0.1], [2.0, 0.3, 0.2]]}", "b 0 2; k 1 2", true);
  /* Labels of groups and of their members. */
  check("model nested(x: real[N, M]) {\n"
        "  mu: real[2, 2] ~ Normal(0, 2)\n  w: simplex(2)[2] ~ Dirichlet([1.0, 2.0])\n"
        "  plate i in 1..N {\n    c[i] ~ Categorical([0.4, 0.6])\n"
        "    plate j in 1..M { k[i, j] ~ Categorical(w[c[i]]); x[i, j] ~ Normal(mu[c[i], k[i, j]], 1) }\n  }\n}\n",
        "{\"x\": [[-1.2, 0.4], [2.0, 0.3]]}", "c 1 2; k 1 2", true);
  /* Unknowns whose prior depends on a label, and observations under a condition. */
  check("model prior(x: real[N]) {\n"
        "  p ~ Beta(2, 2)\n  s ~ HalfNormal(1)\n"
        "  plate i in 1..N {\n    b[i] ~ Bernoulli(p)\n    t[i] ~ Normal(if b[i] { 1.0 } else { -1.0 }, s)\n"
        "    x[i] ~ Normal(t[i], 1)\n    if b[i] { factor -0.3 * t[i]; factor 0.2 } else { factor 0.1 * s }\n  }\n}\n",
        "{\"x\": [-1.2, 0.4, 0.1, 2.0]}", "b 0 2", false);
  check("model counts(y: real[N]) {\n"
        "  r ~ Gamma(2, 1)\n  s ~ HalfNormal(1)\n"
        "  plate i in 1..N { n[i]: int<lower = 0, upper = 4> ~ Flat(); factor logpdf(Poisson(r), n[i]); y[i] ~ Normal(n[i], s) }\n}\n",
        "{\"y\": [0.2, 3.1]}", "n 0 5", false);
}

static void chains(void **state) {
  (void)state;
  check("model hmm(y: real[T], K: int) {\n"
        "  P: simplex(K)[K] ~ Dirichlet(rep(1.0, K))\n  mu: ordered(K) ~ Normal(0, 5)\n"
        "  z[1] ~ Categorical(uniform(K))\n  for t in 2..T { z[t] ~ Categorical(P[z[t - 1]]) }\n"
        "  plate t in 1..T { y[t] ~ Normal(mu[z[t]], 1) }\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0, 1.4], \"K\": 3}", "z 1 3", true);
  /* Moves that are impossible, observations of a part, covariates of moves, tracks of states. */
  check("model gaps(y: real[T], x: real[T]) {\n"
        "  a ~ Normal(0, 1)\n  m: real[3] ~ Normal(0, 2)\n"
        "  z[1] ~ Categorical([0.5, 0.5, 0])\n"
        "  for t in 2..T {\n    let p = inv_logit(a + x[t])\n    z[t] ~ Categorical(if z[t - 1] == 3 { [0, 0, 1.0] } else { [p * (1 - p), p * p, 1 - p] })\n  }\n"
        "  plate t in 2..T - 1 { y[t] ~ Normal(m[z[t]], 1) }\n  track ends = z[T]\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0, 1.4], \"x\": [0.1, 0.2, -0.4, 0.6, 0.3]}", "z 1 3", true);
  /* Two steps of memory. */
  check("model second(y: real[T]) {\n"
        "  q: simplex(2)[2, 2] ~ Dirichlet([2.0, 1.0])\n  m: real[2] ~ Normal(0, 2)\n"
        "  z[1] ~ Categorical([0.4, 0.6])\n  z[2] ~ Categorical([0.4, 0.6])\n"
        "  for t in 3..T { z[t] ~ Categorical(q[z[t - 2], z[t - 1]]) }\n"
        "  plate t in 1..T { y[t] ~ Normal(m[z[t]], 1) }\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0, 1.4, 0.3]}", "z 1 2", true);
  /* Two chains that meet in the observations. */
  check("model factorial(y: real[T]) {\n"
        "  p ~ Beta(2, 2)\n  a ~ Normal(0, 2)\n  b ~ Normal(0, 2)\n  s ~ HalfNormal(1)\n"
        "  u[1] ~ Bernoulli(0.5)\n  v[1] ~ Categorical([0.2, 0.3, 0.5])\n"
        "  for t in 2..T { u[t] ~ Bernoulli(if u[t - 1] { p } else { 1 - p }) }\n"
        "  for t in 2..T { v[t] ~ Categorical(if v[t - 1] == 2 { [0.1, 0.8, 0.1] } else { [0.4, 0.2, 0.4] }) }\n"
        "  plate t in 1..T { y[t] ~ Normal(a * u[t] + b * v[t], s) }\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0]}", "u 0 2; v 1 3", true);
  /* A chain for each subject, whose kind is unknown too. */
  check("model subjects(y: real[N, T]) {\n"
        "  P: simplex(2)[2, 2] ~ Dirichlet([1.0, 1.0])\n  m: real[2] ~ Normal(0, 2)\n"
        "  plate i in 1..N {\n    c[i] ~ Categorical([0.3, 0.7])\n    z[i, 1] ~ Categorical([0.5, 0.5])\n"
        "    for t in 2..T { z[i, t] ~ Categorical(P[c[i], z[i, t - 1]]) }\n"
        "    plate t in 1..T { y[i, t] ~ Normal(m[z[i, t]], 1) }\n  }\n}\n",
        "{\"y\": [[-1.2, 0.4, 0.1], [2.0, 1.1, 0.7]]}", "c 1 2; z 1 2", true);
  /* Labels of observations inside a chain. */
  check("model inside(y: real[T, M]) {\n"
        "  w: simplex(2)[2] ~ Dirichlet([1.0, 1.0])\n  m: real[2] ~ Normal(0, 2)\n"
        "  z[1] ~ Bernoulli(0.5)\n  for t in 2..T { z[t] ~ Bernoulli(if z[t - 1] { 0.8 } else { 0.3 }) }\n"
        "  plate t in 1..T, j in 1..M {\n    k[t, j] ~ Categorical(w[if z[t] { 2 } else { 1 }])\n    y[t, j] ~ Normal(m[k[t, j]], 1)\n  }\n}\n",
        "{\"y\": [[-1.2, 0.4], [0.1, 2.0], [1.0, 1.0]]}", "z 0 2; k 1 2", true);
  /* From the last to the first, and continuous states next to it. */
  check("model backwards(y: real[T]) {\n"
        "  s ~ HalfNormal(1)\n  h: real[T] ~ Normal(0, 1)\n  z[T] ~ Bernoulli(0.5)\n"
        "  for t in T - 1..1 by -1 { z[t] ~ Bernoulli(if z[t + 1] { 0.9 } else { 0.2 }) }\n"
        "  for t in 2..T { y[t] ~ Normal(if z[t] { h[t] } else { h[t - 1] }, 1 + s) }\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0]}", "z 0 2", true);
}

static void whole(void **state) {
  (void)state;
  check("model change(y: real[T]) {\n"
        "  a ~ Normal(0, 2)\n  b ~ Normal(0, 2)\n  tau ~ Categorical(uniform(T))\n"
        "  plate t in 1..T { y[t] ~ Normal(if t < tau { a } else { b }, 1) }\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0, 2.2]}", "tau 1 5", false);
  /* Eight truth values in a ring of causes: the graph of Lauritzen and Spiegelhalter (1988). */
  check("model asia(x: real) {\n"
        "  r ~ Normal(0, 1)\n"
        "  asia ~ Bernoulli(0.01)\n  smoke ~ Bernoulli(0.5)\n"
        "  tub ~ Bernoulli(if asia { 0.05 } else { 0.01 })\n  lung ~ Bernoulli(if smoke { 0.1 } else { 0.01 })\n"
        "  bronc ~ Bernoulli(if smoke { 0.6 } else { inv_logit(r) })\n"
        "  let either = tub or lung\n"
        "  xray ~ Bernoulli(if either { 0.98 } else { 0.05 })\n"
        "  dysp ~ Bernoulli(if either { if bronc { 0.9 } else { 0.7 } } else { if bronc { 0.8 } else { 0.1 } })\n"
        "  x ~ Normal((if xray { r } else { -1.0 }) + (if dysp { 1.0 } else { 0.0 }), 1)\n}\n",
        "{\"x\": 0.3}", "asia 0 2; smoke 0 2; tub 0 2; lung 0 2; bronc 0 2; xray 0 2; dysp 0 2", true);
  /* Named elements of an array. */
  check("model four(y: real) {\n"
        "  p ~ Beta(1, 1)\n  z: bool[4] ~ Bernoulli(p)\n  y ~ Normal((if z[1] and z[3] { 1.0 } else { 0.0 }) + (if z[2] or z[4] { p } else { 0.0 }), 1)\n}\n",
        "{\"y\": 0.7}", "z 0 2", true);
  check("model spins(J: real, N: int) {\n"
        "  h ~ Normal(0, 1)\n  s: spin[N] ~ Flat()\n"
        "  plate i in 1..N - 1 { factor J * s[i] * s[i + 1] }\n  plate i in 1..N { factor h * s[i] }\n}\n",
        "{\"J\": 0.4, \"N\": 5}", "s -1 2", true);
}

/* Short dimensions whose positions become variables of their own. */
static void lattices(void **state) {
  (void)state;
  check("model grid(J: real, N: int, M: int) {\n  h ~ Normal(0, 1)\n  s: spin[N, M] ~ Flat()\n"
        "  plate i in 1..N - 1, j in 1..M { factor J * s[i, j] * s[i + 1, j] }\n  plate i in 1..N, j in 1..M - 1 { factor J * s[i, j] * s[i, j + 1] }\n"
        "  plate i in 1..N, j in 1..M { factor h * s[i, j] }\n}\n",
        "{\"J\": 0.4, \"N\": 4, \"M\": 3}", "s -1 2", true);
  check("model machine(W: real[N, N]) {\n  b ~ Normal(0, 1)\n  z: bool[N] ~ Bernoulli(inv_logit(b))\n"
        "  plate i in 1..N, j in 1..N { factor if z[i] and z[j] { W[i, j] } else { 0.0 } }\n}\n",
        "{\"W\": [[0.5, 0.8, -0.3, 0.2], [0.8, -0.4, 1.1, 0.1], [-0.3, 1.1, 0.2, 0.9], [0.2, 0.1, 0.9, -0.6]]}", "z 0 2", true);
  check("model hidden(W: real[V, H]) {\n  b ~ Normal(0, 1)\n  v: bool[V] ~ Bernoulli(0.4)\n  h: bool[H] ~ Bernoulli(0.5)\n"
        "  plate i in 1..V, j in 1..H { factor if v[i] and h[j] { b * W[i, j] } else { 0.0 } }\n}\n",
        "{\"W\": [[1.5, -0.8], [0.8, -1.4], [-0.3, 1.1], [0.2, 1.2], [1.3, 0.7]]}", "v 0 2; h 0 2", true);
  check("model subjects(y: real[N, M], g: index(J)[N]) {\n  a ~ Normal(0, 1)\n  k: bool[J] ~ Bernoulli(0.5)\n  c: bool[M] ~ Bernoulli(0.3)\n"
        "  plate j in 1..J, m in 1..M { factor if k[j] and c[m] { a } else { 0.0 } }\n  plate n in 1..N, m in 1..M { y[n, m] ~ Normal(if k[g[n]] { a } else { 0.0 }, 1) }\n}\n",
        "{\"y\": [[0.3, 0.2], [1.1, -0.4], [2.0, 0.1]], \"g\": [1, 3, 2], \"J\": 3}", "k 0 2; c 0 2", true);
}

/* Terms that read other elements in different parts of their loops, and what is tied to the ends of a chain. */
static void pieces(void **state) {
  (void)state;
  /* Both neighbours on a ring, whichever way they are written. */
  check("model ring(J: real, y: real[N]) {\n  h ~ Normal(0, 1)\n  s: spin[N] ~ Flat()\n"
        "  plate i in 1..N { factor J * s[i] * s[i % N + 1] }\n  y ~ Normal(h * s, 1)\n}\n",
        "{\"J\": 0.5, \"y\": [1.0, 1.2, -0.3, -0.5, 0.1, 0.7]}", "s -1 2", true);
  check("model other_ring(J: real, y: real[N]) {\n  h ~ Normal(0, 1)\n  s: spin[N] ~ Flat()\n"
        "  plate i in 1..N { factor J * s[i] * s[if i == 1 { N } else { i - 1 }] * s[(i + 1) % N + 1]; factor h * i * s[i] * y[i] }\n}\n",
        "{\"J\": 0.5, \"y\": [1.0, 1.2, -0.3, -0.5, 0.1, 0.7]}", "s -1 2", true);
  check("model small_ring(J: real, y: real[N]) {\n  h ~ Normal(0, 1)\n  s: spin[N] ~ Flat()\n"
        "  plate i in 1..N { factor J * s[i] * s[i % N + 1]; y[i] ~ Normal(h * s[i], 1) }\n}\n",
        "{\"J\": 0.5, \"y\": [1.0, 1.2]}", "s -1 2", false);
  /* A ring for each of several groups, and one whose every position has a label of its own. */
  check("model rings(y: real[M, N]) {\n  J ~ Normal(0, 1)\n  c: bool[M] ~ Bernoulli(0.4)\n  z: index(3)[M, N] ~ Flat()\n"
        "  plate m in 1..M, i in 1..N {\n    factor if z[m, i] == z[m, i % N + 1] { J } else { if c[m] { 0.2 } else { 0.0 } }\n    y[m, i] ~ Normal(z[m, i], 1)\n  }\n}\n",
        "{\"y\": [[1.0, 2.2, 2.3, 1.1]]}", "c 0 2; z 1 3", true);
  check("model labels(y: real[N, K]) {\n  J ~ Normal(0, 1)\n  s: bool[N] ~ Bernoulli(0.4)\n  plate i in 1..N {\n    factor if s[i] and s[i % N + 1] { J } else { 0.0 }\n"
        "    plate k in 1..K { u[i, k] ~ Bernoulli(if s[i] { 0.8 } else { 0.3 }); y[i, k] ~ Normal(if u[i, k] { J } else { 0.0 }, 1) }\n  }\n}\n",
        "{\"y\": [[1.0], [0.2], [-0.3], [0.7], [0.5]]}", "s 0 2; u 0 2", true);
  /* A lattice that closes in both directions. */
  check("model torus(J: real, y: real[L, L]) {\n  h ~ Normal(0, 1)\n  s: spin[L, L] ~ Flat()\n"
        "  plate i in 1..L, j in 1..L { factor J * s[i, j] * (s[i % L + 1, j] + s[i, j % L + 1]); y[i, j] ~ Normal(h * s[i, j], 1) }\n}\n",
        "{\"J\": 0.3, \"y\": [[1.0, 1.2, -0.3], [0.5, 0.1, 0.7], [-0.4, -1.2, 0.3]]}", "s -1 2", true);
  /* The first element under a condition, a chain whose first and last states matter everywhere. */
  check("model capture(y: bool[N, T], first: index(T)[N]) {\n  phi: real[T - 1] ~ Beta(1, 1)\n  p: real[T] ~ Beta(1, 1)\n  plate i in 1..N {\n"
        "    a[i, 1] ~ Bernoulli(1)\n    for t in 2..T { a[i, t] ~ Bernoulli(if t <= first[i] { 1 } else { a[i, t - 1] * phi[t - 1] }) }\n"
        "    plate t in 2..T { if t > first[i] { y[i, t] ~ Bernoulli(a[i, t] * p[t]) } }\n  }\n}\n",
        "{\"y\": [[1, 0, 1, 0], [0, 1, 0, 0]], \"first\": [1, 2]}", "a 0 2", true);
  check("model covariates(y: real[T], x: real[T]) {\n  a: real[2, 2] ~ Normal(0, 1)\n  b: real[2, 2] ~ Normal(0, 1)\n  mu: ordered(2) ~ Normal(0, 3)\n"
        "  z[1] ~ Categorical([0.5, 0.5])\n  for t in 2..T { z[t] ~ Categorical(logit = a[z[t - 1]] + b[z[t - 1]] * x[t]) }\n"
        "  plate t in 1..T { y[t] ~ Normal(mu[z[t]], 1) }\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0, 1.4], \"x\": [0.1, 0.2, -0.4, 0.6, 0.3]}", "z 1 2", false);
  check("model home(y: real[T]) {\n  a ~ Normal(0, 1)\n  z: index(2)[T] ~ Categorical([0.4, 0.6])\n"
        "  plate t in 2..T { factor if z[t] == z[1] { a } else { if z[t] == z[t - 1] { 0.3 } else { -0.2 } } }\n"
        "  plate t in 1..T { factor if z[t] == z[T] { 0.1 * t } else { 0.0 } }\n  y ~ Normal(1.0 * z, 1)\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0, 1.4, 0.3]}", "z 1 2", true);
  check("model started(y: real[T]) {\n  P: simplex(2)[2] ~ Dirichlet([1.0, 1.0])\n  m: real[2] ~ Normal(0, 1)\n"
        "  for t in 1..T { z[t] ~ Categorical(if t == 1 { [0.3, 0.7] } else { P[z[t - 1]] }) }\n  y ~ Normal(m[z], 1)\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0]}", "z 1 2", false);
  /* Elements that conditions on data keep from being read. */
  check("model loops(y: real[T], N: int) {\n  a ~ Normal(0, 1)\n  f: bool[N] ~ Bernoulli(0.4)\n"
        "  plate i in 1..N { if f[i] { for t in 1..T { factor 0.1 * y[t] * a * i } } else { for t in T..1 by -1 { factor sin(a * t) } } }\n}\n",
        "{\"y\": [0.1, 0.2, 0.3, 0.2], \"N\": 3}", "f 0 2", false);
  check("model statements(y: real[T], on: bool[T]) {\n  a ~ Normal(0, 1)\n  for t in 1..T { z[t]: bool ~ Bernoulli(if t == 1 { 0.3 } else { if z[t - 1] { 0.8 } else { 0.4 } }) }\n"
        "  plate t in 1..T { if on[t] { y[t] ~ Normal(if z[t - 1] { a } else { 0.65 * z[t] }, 1) } }\n}\n",
        "{\"y\": [0.1, 0.2, 0.3, 0.2], \"on\": [0, 1, 1, 0]}", "z 0 2", true);
  check("model guarded(y: real[T], on: bool[T]) {\n  a ~ Normal(0, 1)\n  z: bool[T] ~ Bernoulli(0.4)\n"
        "  plate t in 1..T { y[t] ~ Normal(if t > 1 and on[t] { if z[t - 1] { a } else { 0.0 } } else { if z[t] { 1.0 } else { a } }, 1) }\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0], \"on\": [0, 1, 0, 1]}", "z 0 2", false);
  check("model branch(y: real[N], g: index(J)[N], f: bool[N]) {\n  mu: real[2] ~ Normal(0, 1)\n  k: index(2)[J] ~ Categorical([0.3, 0.7])\n"
        "  plate n in 1..N { y[n] ~ Normal(if f[n] { mu[k[g[n]]] } else { 0.0 }, 1) }\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0], \"g\": [1, 2, 2, 3], \"f\": [1, 0, 1, 1], \"J\": 3}", "k 1 2", false);
  check("model built(y: real[N], f: bool[N]) {\n  mu: real[2] ~ Normal(0, 1)\n  k: index(2)[N] ~ Categorical([0.3, 0.7])\n  let m = mu[k] + 0.1\n"
        "  plate n in 1..N { y[n] ~ Normal(if f[n] { m[n] } else { 0.0 }, 1) }\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1], \"f\": [1, 0, 1]}", "k 1 2", false);
}

/* Ranges that depend on other finite unknowns, or on data. */
static void ranges(void **state) {
  (void)state;
  check("model switches(y: int[T]) {\n  r: real[3] ~ Exponential(0.5)\n  a ~ DiscreteUniform(1, T)\n  b ~ DiscreteUniform(a, T)\n"
        "  plate t in 1..T { y[t] ~ Poisson(if t < a { r[1] } else { if t < b { r[2] } else { r[3] } }) }\n}\n",
        "{\"y\": [4, 5, 0, 1, 7, 2]}", "a 1 6; b 1 6", true);
  /* Survivors of a population that is seen in part. */
  check("model population(y: int[T], M: int) {\n  lambda ~ Gamma(2, 1)\n  phi ~ Beta(2, 2)\n  p ~ Beta(2, 2)\n"
        "  for t in 1..T { n[t]: int<lower = 0, upper = M> ~ Binomial(if t == 1 { M } else { n[t - 1] }, phi) }\n"
        "  plate t in 1..T { y[t] ~ Binomial(n[t], p) }\n  factor lambda * 0.1 * n[T]\n}\n",
        "{\"y\": [2, 1, 1], \"M\": 5}", "n 0 6", false);
  check("model abundance(y: int[R, T], most: int[R], M: int) {\n  lambda ~ Gamma(2, 1)\n  p ~ Beta(2, 2)\n"
        "  plate i in 1..R {\n    z[i] ~ Bernoulli(0.6)\n    n[i]: int<lower = most[i], upper = M> ~ Poisson(lambda)\n"
        "    plate t in 1..T { y[i, t] ~ Binomial(n[i] * z[i], p) }\n  }\n}\n",
        "{\"y\": [[2, 1], [0, 0]], \"most\": [2, 0], \"M\": 5}", "z 0 2; n 0 6", true);
}

/* Arrays as short as the distance at which terms tie their elements, and shorter: loops over these terms are empty then. */
static void short_chains(void **state) {
  (void)state;
  static const char *const models[] = {
      "  for t in 3..T { factor sin(a + 1.3 * z[t] - z[t - 2]) }\n  factor 0.3 * z[T]\n",
      "  for t in 4..T { factor sin(a + 1.3 * z[t] - w[t - 3]) }\n  for t in 2..T { factor 0.4 * w[t] * z[t - 1] }\n",
      "  for t in 3..T { factor sin(z[t] - a * z[t - 2]) }\n  plate t in 1..T { factor 0.5 * a * z[t] * z[1] - 0.7 * z[t] * z[T] }\n",
      "  for t in 1..T - 3 { factor sin(a * z[T + 1 - t] - z[T - t - 2]) }\n",
  };
  for (size_t k = 0; k < sizeof models / sizeof *models; k++)
    for (int T = 1; T <= 5; T++) {
      char text[1024], json[128];
      size_t n = (size_t)snprintf(json, sizeof json, "{\"y\": [0.2");
      for (int t = 1; t < T; t++) n += (size_t)snprintf(json + n, sizeof json - n, ", %.1f", 0.5 * t - 0.9);
      snprintf(json + n, sizeof json - n, "]}");
      const bool two = strstr(models[k], "w[");
      snprintf(text, sizeof text, "model short(y: real[T]) {\n  a ~ Normal(0, 1)\n  z: index(2)[T] ~ Flat()\n%s%s  plate t in 1..T { y[t] ~ Normal(z[t]%s, 1) }\n}\n",
               two ? "  w: index(2)[T] ~ Flat()\n" : "", models[k], two ? " + w[t]" : "");
      check(text, json, two ? "z 1 2; w 1 2" : "z 1 2", false);
    }
}

/* Integers of a type narrower than their distribution are conditioned on it, so where nothing else reads them their sum is 1 whatever the parameters. */
static void conditioned(void **state) {
  (void)state;
  static const char *const draws[] = {
      "n: int<lower = 0, upper = 3> ~ Poisson(exp(u))", "n: int<lower = 1, upper = 4> ~ Poisson(exp(u))", "n: int<lower = least, upper = 6> ~ NegBinomial(exp(u), 2)",
      "n: int<lower = 2, upper = 9> ~ Binomial(9, inv_logit(u))", "n: int<lower = 0, upper = 2> ~ Geometric(inv_logit(u))",
      "n: int<lower = least, upper = 5> ~ ZeroInflatedPoisson(0.3, exp(u))",
  };
  for (size_t k = 0; k < sizeof draws / sizeof *draws; k++)
    for (int least = 0; least < 3; least++) {
      char text[512], json[64];
      model_run r;
      const char *messages;
      snprintf(text, sizeof text, "model narrow(least: int) {\n  u ~ Normal(0, 1)\n  %s\n  factor 0.0 * least\n}\n", draws[k]);
      snprintf(json, sizeof json, "{\"least\": %d}", least);
      if (!model_try_summed(&r, text, json, NEED_LOGDENS, &messages)) fail_msg("%s\n%s", messages, text);
      for (int i = 0; i < 5; i++) {
        double u = -2.0 + i, lp = model_logdens(&r, &u), want = -0.5 * u * u - 0.91893853320467274178;
        if (!(fabs(lp - want) <= 1e-10)) fail_msg("%s\nat u = %g the log of the sum is %.3g, not 0", text, u, lp - want);
      }
      model_close(&r);
    }
}

static void gathered(void **state) {
  (void)state;
  /* Beside a ring whose ends are taken apart, so that unknowns get other numbers; the values of both begin with other integers. */
  check("model ring(g: index(J)[N], y: real[T]) {\n  a ~ Normal(0, 1)\n  z: int<lower = 0, upper = 1>[T] ~ Flat()\n  k: index(2)[J] ~ Categorical([0.4, 0.6])\n"
        "  plate i in 1..N { factor sin(a * k[g[i]]) }\n  plate t in 1..T { factor cos(a - 1.1 * z[t] * z[t % T + 1]); y[t] ~ Normal(z[t], 1) }\n}\n",
        "{\"y\": [0.2, 0.4, -0.3], \"g\": [1, 2, 1], \"J\": 2}", "z 0 2; k 1 2", true);
  check("model groups(y: real[N], g: index(J)[N]) {\n"
        "  w ~ Dirichlet([1.0, 2.0, 1.0])\n  mu: real[3] ~ Normal(0, 2)\n  s ~ HalfNormal(1)\n"
        "  k: index(3)[J] ~ Categorical(w)\n  plate n in 1..N { y[n] ~ Normal(mu[k[g[n]]], s) }\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0, 1.3], \"g\": [1, 2, 2, 4, 1], \"J\": 4}", "k 1 3", false);
  /* Of a chain, at times from data, and of whole arrays. */
  check("model times(y: real[N], at: index(T)[N], id: index(J)[N]) {\n"
        "  a ~ Normal(0, 1)\n  b ~ Normal(0, 1)\n  p ~ Beta(2, 2)\n"
        "  plate j in 1..J {\n    z[j, 1] ~ Bernoulli(0.5)\n    for t in 2..T { z[j, t] ~ Bernoulli(if z[j, t - 1] { p } else { 0.3 }) }\n  }\n"
        "  plate n in 1..N { y[n] ~ Normal(if z[id[n], at[n]] { a } else { b }, 1) }\n}\n",
        "{\"y\": [-1.2, 0.4, 0.1, 2.0, 1.3], \"at\": [1, 3, 3, 2, 1], \"id\": [1, 1, 2, 2, 2], \"T\": 3, \"J\": 2}", "z 0 2", true);
  check("model vectors(y: bool[N], g: index(J)[N]) {\n"
        "  q: real[2] ~ Normal(0, 1)\n  k: index(2)[J] ~ Categorical([0.5, 0.5])\n  y ~ Bernoulli(logit = q[k[g]])\n}\n",
        "{\"y\": [0, 1, 1, 0, 1], \"g\": [1, 2, 2, 3, 1], \"J\": 3}", "k 1 2", false);
}

/* What is predicted from the variables, and from such predictions, is no part of a density; a declared type and a distribution may both bound a variable. */
static void predicted(void **state) {
  (void)state;
  check("model replicated(y: real[N]) {\n  w ~ Dirichlet([1.0, 2.0])\n  mu: real[2] ~ Normal(0, 2)\n"
        "  plate i in 1..N {\n    k[i] ~ Categorical(w)\n    y[i] ~ Normal(mu[k[i]], 1)\n  }\n  predict y\n"
        "  predict {\n    plate i in 1..N { r[i] ~ Normal(mu[k[i]], 1) }\n    u[1] ~ Normal(r[1], 1)\n    for t in 2..3 { u[t] ~ Normal(u[t - 1], 1) }\n  }\n}\n",
        "{\"y\": [-1.2, 0.4, 1.3]}", "k 1 2", false);
  check("model change(count: int<lower = 0>[T]) {\n  a ~ Exponential(1)\n  b ~ Exponential(1)\n  at: index(T) ~ Categorical(uniform(T))\n"
        "  plate t in 1..T { count[t] ~ Poisson(if t <= at { a } else { b }) }\n  predict count\n}\n",
        "{\"count\": [4, 5, 1, 0, 2]}", "at 1 5", false);
}

/* ---- against sums that were written by hand */

static double flops(const model_run *r) {
  ir_cost_number n;
  assert_true(ir_cost_eval(r->p.module, ir_cost_fn(ir_fn_find(r->p.module, "grad")), &n));
  return (double)n.flops;
}

static void compare(const char *text, const char *by_hand, const char *json) {
  static model_run r[2];
  const char *messages;
  uint64_t seed = 3;
  double apart = 0.0;
  if (!model_try_summed(&r[0], text, json, NEED_GRAD, &messages)) fail_msg("%s", messages);
  model_open(&r[1], by_hand, json, NEED_GRAD);
  assert_int_equal(r[0].dim, r[1].dim);
  for (int k = 0; k < 5; k++) {
    double q[64], g[2][64];
    for (size_t e = 0; e < r[0].dim; e++) q[e] = 2.0 * uniform(&seed) - 1.0;
    double lp = model_grad(&r[0], q, g[0]), other = model_grad(&r[1], q, g[1]);
    if (k == 0) apart = lp - other;
    if (!(fabs(lp - other - apart) <= 1e-12 * fabs(lp))) fail_msg("%s\ndensity %.17g, by hand %.17g and %.17g", text, lp, other, apart);
    for (size_t e = 0; e < r[0].dim; e++)
      if (!(fabs(g[0][e] - g[1][e]) <= 1e-11 * (fabs(lp) + fabs(g[0][e])))) fail_msg("%s\nderivative %zu: %.17g, by hand %.17g", text, e, g[0][e], g[1][e]);
  }
  double ratio = flops(&r[0]) / flops(&r[1]);
  if (!(ratio <= 1.1)) fail_msg("%s\ncosts %.2f of what it costs by hand", text, ratio);
  model_close(&r[0]);
  model_close(&r[1]);
}

static void by_hand(void **state) {
  (void)state;
  char json[4096];
  size_t n = (size_t)snprintf(json, sizeof json, "{\"y\": [");
  for (int k = 0; k < 200; k++) n += (size_t)snprintf(json + n, sizeof json - n, "%s%.2f", k ? ", " : "", 6.5 + 4.0 * sin(k * 0.7));
  snprintf(json + n, sizeof json - n, "]}");
  compare("model mixture(y: real[N]) {\n  mu: ordered(2) ~ Normal(0, 2)\n  sigma: real<lower = 0>[2] ~ Normal(0, 2)\n  theta ~ Beta(5, 5)\n"
          "  plate i in 1..N { k[i] ~ Categorical([theta, 1 - theta]); y[i] ~ Normal(mu[k[i]], sigma[k[i]]) }\n}\n",
          "model mixture(y: real[N]) {\n  mu: ordered(2) ~ Normal(0, 2)\n  sigma: real<lower = 0>[2] ~ Normal(0, 2)\n  theta ~ Beta(5, 5)\n"
          "  factor sum(log_sum_exp([log(theta) + logpdf(Normal(mu[1], sigma[1]), y[i]),\n"
          "                          log1p(-theta) + logpdf(Normal(mu[2], sigma[2]), y[i])]) for i in 1..N)\n}\n", json);
  compare("model hmm(y: real[N]) {\n  a: simplex(2) ~ Dirichlet(rep(1.0, 2))\n  b: simplex(2) ~ Dirichlet(rep(1.0, 2))\n"
          "  mu: ordered<lower = 0>(2) ~ Flat()\n  factor logpdf(Normal(3, 1), mu[1]) + logpdf(Normal(10, 1), mu[2])\n  let P = [a, b]\n"
          "  z[1] ~ Categorical(uniform(2))\n  for t in 2..N { z[t] ~ Categorical(P[z[t - 1]]) }\n"
          "  plate t in 1..N { y[t] ~ Normal(mu[z[t]], 1) }\n}\n",
          "model hmm(y: real[N]) {\n  a: simplex(2) ~ Dirichlet(rep(1.0, 2))\n  b: simplex(2) ~ Dirichlet(rep(1.0, 2))\n"
          "  mu: ordered<lower = 0>(2) ~ Flat()\n  factor logpdf(Normal(3, 1), mu[1]) + logpdf(Normal(10, 1), mu[2])\n"
          "  for k in 1..2 { let g[1, k] = logpdf(Normal(mu[k], 1), y[1]) }\n"
          "  for t in 2..N {\n    plate k in 1..2 {\n      let g[t, k] = logpdf(Normal(mu[k], 1), y[t]) +\n"
          "                    log_sum_exp([g[t - 1, 1] + log(a[k]), g[t - 1, 2] + log(b[k])])\n    }\n  }\n"
          "  factor log_sum_exp(g[N])\n}\n", json);
}

/* ---- random graphs of scalars */

static void random_graphs(void **state) {
  (void)state;
  for (int m = 0; m < random_models; m++) {
    uint64_t seed = 100 + (uint64_t)m;
    char text[8192], json[16384], range[512];
    int vars = 2 + (int)below(&seed, 6), states[8];
    size_t n = 0, j = 0, g = 0;
    int nf = vars + (int)below(&seed, 5);
    n += (size_t)snprintf(text + n, sizeof text - n, "model graph(");
    char body[6144];
    size_t b = 0;
    j += (size_t)snprintf(json + j, sizeof json - j, "{");
    b += (size_t)snprintf(body + b, sizeof body - b, "  u ~ Normal(0, 1)\n");
    double count = 1;
    for (int k = 0; k < vars; k++) {
      states[k] = 2 + (int)below(&seed, 2);
      count *= states[k];
      b += (size_t)snprintf(body + b, sizeof body - b, "  v%d: index(%d) ~ Flat()\n", k, states[k]);
      g += (size_t)snprintf(range + g, sizeof range - g, "%sv%d 1 %d", k ? "; " : "", k, states[k]);
    }
    if (count > 600) continue;
    for (int f = 0; f < nf; f++) {
      int x[3], rank = 1 + (int)below(&seed, 3);
      if (rank > vars) rank = vars;
      for (int k = 0; k < rank;) {
        x[k] = (int)below(&seed, (size_t)vars);
        bool twice = false;
        for (int i = 0; i < k; i++) twice = twice || x[i] == x[k];
        if (!twice) k++;
      }
      n += (size_t)snprintf(text + n, sizeof text - n, "%sf%d: real[", f ? ", " : "", f);
      b += (size_t)snprintf(body + b, sizeof body - b, "  factor %sf%d[", below(&seed, 2) ? "u * " : "", f);
      j += (size_t)snprintf(json + j, sizeof json - j, "%s\"f%d\": ", f ? ", " : "", f);
      int cells = 1;
      for (int k = 0; k < rank; k++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%d", k ? ", " : "", states[x[k]]);
        b += (size_t)snprintf(body + b, sizeof body - b, "%sv%d", k ? ", " : "", x[k]);
        cells *= states[x[k]];
      }
      n += (size_t)snprintf(text + n, sizeof text - n, "]");
      b += (size_t)snprintf(body + b, sizeof body - b, "]\n");
      for (int c = 0; c < cells; c++) {
        for (int k = rank - 1, u = 1; k >= 0; u *= states[x[k--]])
          if (c % (u * states[x[k]]) == 0) j += (size_t)snprintf(json + j, sizeof json - j, "[");
        j += (size_t)snprintf(json + j, sizeof json - j, "%.3f", 4.0 * uniform(&seed) - 2.0);
        int closed = 0;
        for (int k = rank - 1, u = 1; k >= 0; u *= states[x[k--]])
          if ((c + 1) % (u * states[x[k]]) == 0) closed++;
        for (int k = 0; k < closed; k++) j += (size_t)snprintf(json + j, sizeof json - j, "]");
        if (c + 1 < cells) j += (size_t)snprintf(json + j, sizeof json - j, ", ");
      }
    }
    snprintf(json + j, sizeof json - j, "}");
    snprintf(text + n, sizeof text - n, ") {\n%s}\n", body);
    check(text, json, range, false);
  }
}

/* ---- random plates and chains */

/* Sites of five shapes, and terms that read them at random lags and at positions from data.  Some tie every element of one to every element of another, or arrays of
 * different lengths, and are refused. */
static void random_structures(void **state) {
  (void)state;
  int accepted = 0, tried = 0;
  for (int m = 0; m < random_models / 2; m++) {
    uint64_t seed = 900 + (uint64_t)m;
    static const struct {
      const char *name, *dims, *loops;
      int rank, cells;
    } shapes[] = {{"a", "", "", 0, 1}, {"k", "[2]", "i in 1..2", 1, 2}, {"z", "[5]", "t in 1..5", 1, 5}, {"u", "[2, 3]", "i in 1..2, t in 1..3", 2, 6}, {"c", "[3]", "t in 1..3", 1, 3}};
    char body[4096], range[256];
    size_t n = 0, g = 0;
    bool in[5];
    int states[5];
    double count = 1;
    for (int s = 0; s < 5; s++) {
      in[s] = below(&seed, 3) > 0;
      states[s] = s < 2 ? 2 + (int)below(&seed, 2) : 2;
      if (in[s] && count * pow(states[s], shapes[s].cells) > 3000) in[s] = false;
      if (!in[s]) continue;
      count *= pow(states[s], shapes[s].cells);
      g += (size_t)snprintf(range + g, sizeof range - g, "%s%s 1 %d", g ? "; " : "", shapes[s].name, states[s]);
      n += (size_t)snprintf(body + n, sizeof body - n, "  %s: index(%d)%s ~ Flat()\n", shapes[s].name, states[s], shapes[s].dims);
    }
    if (!g) continue;
    for (int f = 0, nf = 3 + (int)below(&seed, 4); f < nf; f++) {
      /* Times run to 3 where `u` or `c` is read, else to 5. */
      bool reads[5], any = false, group = false, time = false;
      int lag = 0, last = 5;
      char term[512];
      size_t k = (size_t)snprintf(term, sizeof term, "%.2f", uniform(&seed));
      for (int s = 0; s < 5; s++) {
        reads[s] = in[s] && below(&seed, 2) == 0;
        any = any || reads[s];
        if (!reads[s]) continue;
        group = group || s == 1 || s == 3;
        if (s < 2) {
          k += (size_t)snprintf(term + k, sizeof term - k, " + %.2f * %s%s", 1 + uniform(&seed), shapes[s].name, s ? "[i]" : "");
          continue;
        }
        time = true;
        if (s != 2) last = 3;
        for (int twice = 0; twice < 1 + (int)below(&seed, 2); twice++) {
          int l = (int)below(&seed, 3);
          if (l > lag) lag = l;
          k += (size_t)snprintf(term + k, sizeof term - k, " + %.2f * %s[%st - %d]", 1 + uniform(&seed), shapes[s].name, s == 3 ? "i, " : "", l);
        }
      }
      if (!any) continue;
      if (time) k += (size_t)snprintf(term + k, sizeof term - k, " + 0.3 * t");
      n += (size_t)snprintf(body + n, sizeof body - n, group || time ? "  plate %s%s" : "  { %s%s", group ? "i in 1..2" : "", group && time ? ", " : "");
      if (!group && !time) n -= 4; /* no braces around what stands in no loop */
      if (time) n += (size_t)snprintf(body + n, sizeof body - n, "t in %d..%d", 1 + lag, last);
      n += (size_t)snprintf(body + n, sizeof body - n, "%sfactor (1 + x) * sin(%s)%s\n", group || time ? " { " : "  ", term, group || time ? " }" : "");
    }
    /* At positions from data; beside `a` it is refused. */
    if (in[1] && below(&seed, 2))
      n += (size_t)snprintf(body + n, sizeof body - n, "  plate n in 1..4 { factor (1 + x) * sin(%.2f * k[g[n]]%s) }\n", uniform(&seed), in[0] && below(&seed, 4) == 0 ? " + a" : "");
    char text[4608];
    snprintf(text, sizeof text, "model shapes(y: real, g: index(2)[4]) {\n  x ~ Normal(y, 1)\n%s}\n", body);
    static const char data[] = "{\"y\": 0.3, \"g\": [1, 2, 1, 1]}";
    static both b;
    const char *messages;
    tried++;
    if (!model_try_summed(&b.sum, text, data, NEED_LOGDENS | NEED_GRAD | NEED_OUTPUTS, &messages)) {
      if (!strstr(messages, "cannot be summed out")) fail_msg("%s\n%s", messages, text);
      model_close(&b.sum);
      continue;
    }
    accepted++;
    model_close(&b.sum);
    open_both(&b, text, data, range);
    check_open(&b, false);
  }
  if (accepted * 2 < tried) fail_msg("%d of %d models accepted", accepted, tried);
}

/* Loops whose ends are data. */
static void ends(void **state) {
  (void)state;
  /* Capture and recapture, as it is written first. */
  const char *seen[] = {"for t in first[i] + 1..T { y[i, t] ~ Bernoulli(a[i, t] * p[t]) }", "plate t in first[i] + 1..T { y[i, t] ~ Bernoulli(a[i, t] * p[t]) }",
                        "for t in first[i]..T - 1 { y[i, t + 1] ~ Bernoulli(p[t + 1] * a[i, t + 1]) }",
                        "y[i, t] ~ Bernoulli(a[i, t] * p[t]) for t in first[i] + 1..T"};
  for (size_t k = 0; k < sizeof seen / sizeof *seen; k++) {
    char text[1024];
    snprintf(text, sizeof text,
             "model capture(y: bool[N, T], first: int[N]) {\n  phi: real[T - 1] ~ Beta(1, 1)\n  p: real[T] ~ Beta(1, 1)\n  plate i in 1..N {\n"
             "    for t in 1..T { if t <= first[i] { a[i, t] ~ Bernoulli(1) } else { a[i, t] ~ Bernoulli(a[i, t - 1] * phi[t - 1]) } }\n    %s\n  }\n}\n",
             seen[k]);
    check(text, "{\"y\": [[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], \"first\": [1, 2, 4]}", "a 0 2", true);
  }
  /* Beginnings, both ends, and none at all; neighbours in such a loop; what an iteration computes on its way. */
  check("model lengths(y: real[N, T], len: int[N]) {\n  mu: real[2] ~ Normal(0, 1)\n  P: simplex(2)[2] ~ Dirichlet([1.0, 1.0])\n  plate i in 1..N {\n"
        "    z[i, 1] ~ Categorical([0.4, 0.6])\n    for t in 2..T { z[i, t] ~ Categorical(P[z[i, t - 1]]) }\n"
        "    for t in 1..len[i] { let m = mu[z[i, t]] * 0.5; y[i, t] ~ Normal(m, 1) }\n  }\n}\n",
        "{\"y\": [[0.3, 1.2, -0.4, 0.1], [0.7, -1.0, 0.1, 0.2], [0.2, 0.2, 0.3, 0.5]], \"len\": [3, 0, 4]}", "z 1 2", true);
  check("model windows(y: real[T], from: int[N], to: int[N]) {\n  mu: real[2] ~ Normal(0, 1)\n  s: spin[T] ~ Flat()\n  plate t in 2..T { factor mu[1] * s[t] * s[t - 1] }\n"
        "  plate i in 1..N { for t in from[i]..to[i] { factor sin(i + y[t] * mu[2] * s[t] * (if t > 2 { s[t - 2] } else { 0.3 })) } }\n}\n",
        "{\"y\": [0.3, 1.2, -0.4, 0.1, 0.7, -1.0], \"from\": [2, 1, 6, 3], \"to\": [4, 1, 5, 6]}", "s -1 2", true);
}

/* Loops of which it is not told what their index may be: their terms are one. */
static void taken_together(void **state) {
  (void)state;
  check("model deaths(y: bool[N, T], first: int[N], last: int[N]) {\n  phi ~ Beta(1, 1)\n  p ~ Beta(1, 1)\n  plate i in 1..N {\n"
        "    d[i]: int<lower = 1, upper = T> ~ DiscreteUniform(last[i], T)\n    factor (d[i] - first[i]) * log(phi) + (if d[i] < T { log1p(-phi) } else { 0.0 })\n"
        "    for t in first[i] + 1..T { if t <= d[i] { y[i, t] ~ Bernoulli(p) } else { factor -0.1 * t } }\n  }\n}\n",
        "{\"y\": [[1, 0, 1, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 1]], \"first\": [1, 2, 5], \"last\": [3, 2, 5]}", "d 1 5", false);
  /* Beside what depends on no such element, and what is computed there. */
  check("model beside(x: real[N, T], len: int[N]) {\n  mu: real[2] ~ Normal(0, 1)\n  plate i in 1..N {\n    k[i] ~ Categorical([0.3, 0.7])\n"
        "    for t in 1..len[i] { let m = mu[k[i]] * t; factor sin(m); factor 0.3 * mu[1]; if t > 1 { x[i, t] ~ Normal(m, 1) } else { x[i, t] ~ Normal(mu[2], 1) } }\n  }\n}\n",
        "{\"x\": [[0.3, 1.2, -0.4], [0.7, -1.0, 0.1]], \"len\": [3, 1]}", "k 1 2", false);
}

/* ---- what is refused */

static void refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *json, *why;
  } cases[] = {
      {"model pairs(N: int, M: int) {\n  a: bool[N] ~ Bernoulli(0.5)\n  b: bool[M] ~ Bernoulli(0.5)\n"
       "  plate i in 1..N, j in 1..M { factor if a[i] and b[j] { 0.1 } else { 0.0 } }\n  u ~ Normal(0, 1)\n}\n",
       "{\"N\": 20, \"M\": 30}", "every element of `a` is tied to every element of `b`"},
      {"model grid(J: real, N: int) {\n  s: spin[N, N] ~ Flat()\n  u ~ Normal(0, 1)\n"
       "  plate i in 1..N - 1, j in 1..N { factor J * s[i, j] * s[i + 1, j] }\n  plate i in 1..N, j in 1..N - 1 { factor J * s[i, j] * s[i, j + 1] }\n}\n",
       "{\"J\": 0.1, \"N\": 20}", "tied together along more than one axis"},
      {"model many(y: real) {\n  n ~ Poisson(3)\n  u ~ Normal(n, 1)\n  y ~ Normal(u, 1)\n}\n", "{\"y\": 1.0}", "has no largest or no smallest value"},
      {"model wide(y: real) {\n  u ~ Normal(0, 1)\n  a: index(2000) ~ Categorical(uniform(2000))\n  b: index(2000) ~ Categorical(uniform(2000))\n"
       "  c: index(2000) ~ Categorical(uniform(2000))\n  y ~ Normal(a * b * c, 1)\n}\n",
       "{\"y\": 1.0}", "terms, the largest table 8e+09"},
      {"model counts(y: real[N]) {\n  z: bool[N] ~ Bernoulli(0.5)\n  let c[1] = 0\n  for t in 2..N { let c[t] = c[t - 1] + z[t] }\n"
       "  u ~ Normal(0, 1)\n  y ~ Normal(c + u, 1)\n}\n",
       "{\"y\": [1.0, 2.0]}", "`z` is read at positions of a loop inside one term"},
      {"model labels(g: index(J)[N]) {\n  u ~ Normal(0, 1)\n  a: bool[J] ~ Bernoulli(0.3)\n  b: bool[J] ~ Bernoulli(0.6)\n"
       "  plate n in 1..N { factor sin(u * a[g[n]] - 0.6 * b[g[n]]) }\n}\n",
       "{\"g\": [3, 2, 2, 3], \"J\": 3}", "at a position from data, beside other finite unknowns"},
      {"model beyond(y: real[T], n: int) {\n  u ~ Normal(0, 1)\n  z: index(2)[T] ~ Flat()\n  for t in 2..n { factor sin(u + z[t] * z[t - 1]) }\n}\n", "{\"y\": [1, 2, 3], \"n\": 4}", "a loop reads beyond the elements of `z`"},
      {"model beyond(y: real[T], n: int) {\n  u ~ Normal(0, 1)\n  z: index(2)[T] ~ Flat()\n  plate t in n..T { factor u * z[t] }\n}\n", "{\"y\": [1, 2, 3], \"n\": 0}", "a loop reads beyond the elements of `z`"},
      {"model windows(y: real[N], g: index(J)[N], from: int[I], to: int[I]) {\n  mu: real[2] ~ Normal(0, 5)\n  k: index(2)[J] ~ Categorical([0.5, 0.5])\n"
       "  plate i in 1..I { plate n in from[i]..to[i] { y[n] ~ Normal(mu[k[g[n]]], 1) } }\n}\n",
       "{\"y\": [1, 2, 3, 4], \"g\": [1, 2, 1, 2], \"J\": 2, \"from\": [1, 3], \"to\": [2, 4]}", "in a loop whose ends are data"},
      {"model back(y: real[N], from: int[I]) {\n  mu: real[2] ~ Normal(0, 5)\n  k: index(2)[N] ~ Categorical([0.5, 0.5])\n"
       "  plate i in 1..I { for n in from[i]..1 by -1 { factor sin(y[n] * mu[k[n]]) } }\n}\n",
       "{\"y\": [1, 2, 3, 4], \"from\": [1, 3]}", "this stands in a loop whose length varies"},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    model_run r;
    const char *messages;
    if (model_try_summed(&r, cases[k].text, cases[k].json, NEED_GRAD, &messages)) fail_msg("accepted:\n%s", cases[k].text);
    if (!strstr(messages, cases[k].why)) fail_msg("%s\ndoes not say: %s", messages, cases[k].why);
    model_close(&r);
  }
}

int main(int argc, char **argv) {
  if (argc > 1) random_models = atoi(argv[1]);
  const struct CMUnitTest tests[] = {cmocka_unit_test(plates), cmocka_unit_test(chains), cmocka_unit_test(whole), cmocka_unit_test(lattices), cmocka_unit_test(pieces), cmocka_unit_test(ranges), cmocka_unit_test(ends), cmocka_unit_test(taken_together), cmocka_unit_test(short_chains), cmocka_unit_test(conditioned), cmocka_unit_test(gathered), cmocka_unit_test(predicted), cmocka_unit_test(by_hand), cmocka_unit_test(random_graphs), cmocka_unit_test(random_structures), cmocka_unit_test(refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
