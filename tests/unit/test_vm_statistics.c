/* test_vm_statistics.c: likelihoods from statistics of the data against the plates that they stand for.
 *
 * Every example runs twice, with statistics and with `statistics = off`; the second one's density is also evaluated in long double
 * by the oracle of ref_eval.h.  Densities and gradients agree to 1e-12 of 1 and the sum of absolute values that enter, where what is seen
 * is below 2e-14.  Regressions far from the origin are compared with sums in long double, and so are twins that square
 * before they centre: these have to fail. */
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

enum { N = 60 };

static double uniform(uint64_t *seed) { return (double)(next_random(seed) >> 11) * 0x1p-53; }
static double normal(uint64_t *seed) { return sqrt(-2 * log(1 - uniform(seed))) * cos(6.283185307179586 * uniform(seed)); }

/* ---- JSON */

typedef struct text {
  char *s;
  size_t n, cap;
} text;

static void put(text *t, const char *format, ...) {
  char piece[64];
  va_list args;
  va_start(args, format);
  size_t n = (size_t)vsnprintf(piece, sizeof piece, format, args);
  va_end(args);
  assert_true(n < sizeof piece);
  if (t->n + n + 1 > t->cap) assert_non_null(t->s = realloc(t->s, t->cap = 2 * (t->n + n + 1)));
  memcpy(t->s + t->n, piece, n + 1);
  t->n += n;
}

static void put_column(text *t, const char *name, const char *form, size_t n, const double *x) {
  put(t, "%s\"%s\": [", t->n > 1 ? ", " : "", name);
  for (size_t i = 0; i < n; i++) put(t, "%s", i ? ", " : ""), put(t, form, x[i]);
  put(t, "]");
}

/* Columns of every kind that the examples want. */
static char *all_data(void) {
  static double x[N], z[N], w[N], y[N], c[N], p[N], g[N], k[N], u[N];
  uint64_t seed = 11;
  text t = {0};
  put(&t, "{");
  for (int i = 0; i < N; i++) {
    x[i] = normal(&seed), z[i] = normal(&seed), w[i] = 0.5 + uniform(&seed), y[i] = 1 + 2 * x[i] - z[i] + normal(&seed);
    c[i] = (double)below(&seed, 9), p[i] = 0.1 + 3 * uniform(&seed), g[i] = 1 + (double)below(&seed, 3), k[i] = 1 + (double)below(&seed, 4), u[i] = 0.01 + 0.98 * uniform(&seed);
  }
  put_column(&t, "x", "%.17g", N, x), put_column(&t, "z", "%.17g", N, z), put_column(&t, "w", "%.17g", N, w), put_column(&t, "y", "%.17g", N, y);
  put_column(&t, "c", "%.0f", N, c), put_column(&t, "p", "%.17g", N, p), put_column(&t, "g", "%.0f", N, g), put_column(&t, "k", "%.0f", N, k);
  put_column(&t, "u", "%.17g", N, u);
  put(&t, ", \"b\": [");
  for (int i = 0; i < N; i++) put(&t, "%s%s", i ? ", " : "", c[i] > 5 ? "true" : "false");
  put(&t, "], \"no\": [");
  for (int i = 0; i < N; i++) put(&t, "%sfalse", i ? ", " : "");
  put(&t, "], \"X\": [");
  for (int i = 0; i < N; i++) put(&t, "%s[%.17g, %.17g, 1, ", i ? ", " : "", x[i], z[i]), put(&t, "%.17g]", x[i] * z[i] + w[i]);
  put(&t, "], \"Y\": [");
  for (int i = 0; i < N / 2; i++) put(&t, "%s[%.17g, %.17g]", i ? ", " : "", y[2 * i], y[2 * i + 1]);
  put(&t, "]}");
  return t.s;
}

/* ---- examples */

#define SIGNATURE                                                                                                                  \
  "model m(x: real[N], z: real[N], w: real[N], y: real[N], c: int<lower = 0>[N], p: real<lower = 0>[N], g: index(3)[N], k: index(4)[N], " \
  "u: real<lower = 0, upper = 1>[N], b: bool[N], no: bool[N], X: real[N, 4], Y: real[M, 2]) { "

/* Fire. */
static const char *const fires[] = {
    "m ~ Normal(0, 1)\n s ~ HalfNormal(1)\n y ~ Normal(m, s)",
    "m ~ Normal(0, 1)\n y ~ Normal(m, w)",
    "a ~ Normal(0, 1)\n b1 ~ Normal(0, 1)\n s ~ HalfNormal(1)\n y ~ Normal(a + b1 * x, s)",
    "a ~ Normal(0, 1)\n b1: real[5] ~ Normal(0, 1)\n s ~ HalfNormal(1)\n"
    " plate i in 1..N { y[i] ~ Normal(a + b1[1] * x[i] + b1[2] * x[i] ^ 2 + b1[3] * x[i] * z[i] + b1[4] * (g[i] == 2) + b1[5] * log(w[i]), s) }",
    "a: real[12] ~ Normal(0, 1)\n plate i in 1..N { y[i] ~ Normal(a[1] + a[2] * x[i] + a[3] * z[i] + a[4] * w[i] + a[5] * x[i] * z[i] + a[6] * x[i] * w[i]"
    " + a[7] * z[i] * w[i] + a[8] * u[i] + a[9] * p[i] + a[10] * (g[i] == 1) + a[11] * x[i] ^ 2 + a[12] * z[i] ^ 2, 1.5) }",
    "beta: real[4] ~ Normal(0, 1)\n s ~ HalfNormal(1)\n y ~ Normal(X @ beta, s)",
    "beta: real[4] ~ Normal(0, 1)\n a ~ Normal(0, 1)\n plate i in 1..N { y[i] ~ Normal(a + X[i] @ beta + a * x[i], w[i]) }",
    "m ~ Normal(0, 1)\n s ~ HalfNormal(1)\n Y ~ Normal(m, s)",
    "m ~ Normal(0, 1)\n s ~ HalfNormal(1)\n p ~ LogNormal(m, s)",
    "a ~ Beta(2, 2)\n b ~ Bernoulli(a)",
    "a ~ Beta(2, 2)\n no ~ Bernoulli(a)",
    "a ~ Normal(0, 1)\n b ~ Bernoulli(logit = a)",
    "r ~ Exponential(1)\n c ~ Poisson(r)",
    "r ~ Normal(0, 1)\n c ~ Poisson(log = r)",
    "r ~ Exponential(1)\n p ~ Exponential(r)",
    "a ~ Exponential(1)\n r ~ Exponential(1)\n p ~ InvGamma(a, r)",
    "q: simplex(3) ~ Dirichlet([1.0, 2.0, 3.0])\n g ~ Categorical(q)",
    "q: real[3] ~ Normal(0, 1)\n g ~ Categorical(logit = q)",
    "a: real[3] ~ Normal(0, 1)\n s ~ HalfNormal(1)\n plate i in 1..N { y[i] ~ Normal(a[g[i]], s) }",
    "a: real[3] ~ Normal(0, 1)\n b1 ~ Normal(0, 1)\n s ~ HalfNormal(1)\n plate i in 1..N { y[i] ~ Normal(a[g[i]] + b1 * x[i], s) }",
    "a: real[3] ~ Normal(0, 1)\n m ~ Normal(0, 1)\n t ~ HalfNormal(1)\n plate i in 1..N { y[i] ~ Normal(m + t * a[g[i]], w[i]) }",
    "a: real[3] ~ Normal(0, 1)\n beta: real[4] ~ Normal(0, 1)\n s ~ HalfNormal(1)\n plate i in 1..N { y[i] ~ Normal(a[g[i]] + X[i] @ beta, s) }",
    "a: real[3] ~ Normal(0, 1)\n beta: real[4] ~ Normal(0, 1)\n plate i in 1..N { y[i] ~ Normal(a[g[i]] + X[i] @ beta, w[i]) }",
    "s: real<lower = 0>[3] ~ HalfNormal(1)\n m ~ Normal(0, 1)\n plate i in 1..N { y[i] ~ Normal(m, s[g[i]]) }",
    "a: real[3] ~ Normal(0, 1)\n s: real<lower = 0>[3] ~ HalfNormal(1)\n plate i in 1..N { y[i] ~ Normal(a[g[i]], s[g[i]]) }",
    "a: real[4] ~ Normal(0, 1)\n b1: real[4] ~ Normal(0, 1)\n s ~ HalfNormal(1)\n plate i in 1..N { y[i] ~ Normal(a[k[i]] + b1[k[i]] * x[i], s) }",
    "a: real[3] ~ Normal(0, 1)\n b1: real[3] ~ Normal(0, 1)\n d: real[3] ~ Normal(0, 1)\n s: real<lower = 0>[3] ~ HalfNormal(1)\n"
    " plate i in 1..N { y[i] ~ Normal(a[g[i]] + b1[g[i]] * x[i] + d[g[i]] * x[i] * z[i] + a[1] * z[i], s[g[i]]) }",
    "a: real[3, 4] ~ Normal(0, 1)\n s ~ HalfNormal(1)\n plate i in 1..N { y[i] ~ Normal(a[g[i], k[i]] + a[1, 1] * x[i], s) }",
    "m ~ Normal(0, 1)\n a: real[3] ~ Normal(0, 1)\n s ~ HalfNormal(1)\n plate i in 1..N { p[i] ~ LogNormal(m + a[g[i]], s) }",
    "a ~ Exponential(1)\n r ~ Exponential(1)\n p ~ Gamma(a, r)",
    "a ~ Exponential(1)\n p ~ Gamma(a, 2)",
    "a: real<lower = 0>[3] ~ Exponential(1)\n r ~ Exponential(1)\n plate i in 1..N { p[i] ~ InvGamma(a[g[i]], r) }",
    "a ~ Exponential(1)\n r ~ Exponential(1)\n u ~ Beta(a, r)",
    "r: real<lower = 0>[3] ~ Exponential(1)\n plate i in 1..N { c[i] ~ Poisson(r[g[i]]) }",
    "r: real[3] ~ Normal(0, 1)\n d: real[4] ~ Normal(0, 1)\n factor sum(r[g[i]] * x[i] + d[k[i]] * exp(d[k[i]]) * z[i] for i in 1..N)",
    "q: real[3, 4] ~ Normal(0, 1)\n plate i in 1..N { k[i] ~ Categorical(logit = q[g[i], :]) }",
    "q: simplex(4)[3] ~ Dirichlet([1.0, 2.0, 3.0, 1.0])\n plate i in 1..N { k[i] ~ Categorical(q[g[i]]) }",
    "r: real[3] ~ Normal(0, 1)\n a ~ Normal(0, 1)\n plate i in 1..N { c[i] ~ Poisson(log = r[g[i]] + a) }",
    "r: real[3] ~ Normal(0, 1)\n plate i in 1..N { b[i] ~ Bernoulli(logit = r[g[i]]) }",
    "a ~ Normal(0, 1)\n b1 ~ Normal(0, 1)\n factor sum(a * x[i] - b1 * a * z[i] + 0.5 for i in 1..N)",
};

/* Stay as they are. */
static const char *const stay[] = {
    "r ~ Exponential(1)\n plate i in 1..N { p[i] ~ Exponential(r * w[i]) }",
    "a: real[3] ~ Normal(0, 1)\n d: real[4] ~ Normal(0, 1)\n plate i in 1..N { y[i] ~ Normal(a[g[i]] + d[k[i]], 1) }",
    "m ~ Normal(0, 1)\n s ~ HalfNormal(1)\n plate i in 1..N { y[i] ~ Normal(m, s * w[i]) }",
    "beta: real[4] ~ Normal(0, 1)\n plate i in 1..N { b[i] ~ Bernoulli(logit = X[i] @ beta) }",
    "a: real[N] ~ Normal(0, 1)\n y ~ Normal(a, 1)",
    "a ~ Normal(0, 1)\n nu ~ Exponential(1)\n y ~ StudentT(nu, a, 1)",
    "a ~ Normal(0, 1)\n plate i in 1..N { y[i] ~ Normal(exp(a * x[i]), 1) }",
    "a: real[3] ~ Normal(0, 1)\n d: real[4] ~ Normal(0, 1)\n plate i in 1..N { c[i] ~ Poisson(log = a[g[i]] * d[k[i]]) }",
};

static size_t fired(const model_run *r) {
  size_t n = 0;
  for (uint32_t k = 0; k < r->p.module->nremarks; k++) {
    const ir_remark *m = &r->p.module->remark[k];
    n += strcmp(m->pass, "statistics") == 0 && !m->missed;
  }
  return n;
}

/* A plate over the data is left in the function. */
static bool loops_over_data(const ir_fn *fn) {
  for (const ir_op *op = fn->body.first; op; op = op->next) {
    int64_t n;
    if (op->code == IR_PLATE_OP && size_value(fn->module->sizes, ir_size_of(fn, op->u.loop->extent[0]), &n) && n >= N / 2) return true;
  }
  return false;
}

static void compare(const char *body, const char *json, bool fires) {
  char source[2048];
  snprintf(source, sizeof source, SIGNATURE "%s }", body);
  model_run with, plain;
  model_open(&with, source, json, NEED_LOGDENS | NEED_GRAD | NEED_DENSITY);
  model_open_plain(&plain, source, json, NEED_LOGDENS | NEED_GRAD);
  if (loops_over_data(ir_fn_find(with.p.module, "grad")) == fires || (fires && !fired(&with))) fail_msg("%s\n%s", body, fires ? "did not fire" : "fired");
  assert_int_equal(fired(&plain), 0);
  assert_true(loops_over_data(ir_fn_find(plain.p.module, "grad")));
  double q[128], g[128], h[128], frame[128], part[3];
  long double x[128], exact, ref[128];
  uint64_t seed = 3;
  assert_in_range(with.dim, 1, 128);
  for (int tries = 0; tries < 8; tries++) {
    for (size_t e = 0; e < with.dim; e++) x[e] = q[e] = tries ? 2 * uniform(&seed) - 1 : 0.0;
    double lp = model_grad(&with, q, g), off = model_grad(&plain, q, h), scale = 1 + fabs(off) + N;
    model_ref(&plain, "logdens", x, &exact);
    if (!(fabsl(lp - exact) <= 1e-12L * scale)) fail_msg("%s\n%.17g, not %.17Lg", body, lp, exact);
    if (!(fabs(model_logdens(&with, q) - lp) <= 1e-12 * scale)) fail_msg("%s\n@logdens is not @grad's", body);
    model_ref(&with, "logdens", x, ref);
    if (!(fabsl(ref[0] - exact) <= 1e-14L * scale)) fail_msg("%s\nin long double %.20Lg, not %.20Lg", body, ref[0], exact);
    for (size_t e = 0; e < with.dim; e++)
      if (!(fabs(g[e] - h[e]) <= 1e-12 * (scale + fabs(h[e])))) fail_msg("%s\nderivative %zu is %.17g, not %.17g", body, e, g[e], h[e]);
    model_constrain(&with, q, frame);
    double sum = model_density(&with, frame, part), again;
    model_run other;
    if (tries == 1) {
      model_open_plain(&other, source, json, NEED_DENSITY);
      again = model_density(&other, frame, part);
      if (!(fabs(sum - again) <= 1e-12 * scale)) fail_msg("%s\n@density is %.17g, not %.17g", body, sum, again);
      model_close(&other);
    }
  }
  model_close(&with);
  model_close(&plain);
}

static void test_examples(void **state) {
  (void)state;
  char *json = all_data();
  for (size_t k = 0; k < sizeof fires / sizeof *fires; k++) compare(fires[k], json, true);
  for (size_t k = 0; k < sizeof stay / sizeof *stay; k++) compare(stay[k], json, false);
  free(json);
}

/* ---- far from the origin */

enum { ROWS = 700 };

typedef struct regression {
  double x[ROWS], z[ROWS], y[ROWS];
} regression;

/* What y ~ Normal(a + b x + c z, s) should be, and the sums of absolute terms: of each result, and of the residuals that
 * enter it, whose rounding every method has. */
typedef struct truth {
  long double value[5], terms[5];
} truth;

static truth sums_of(const regression *d, const double *q) {
  truth t = {{0}, {0}};
  long double s = expl((long double)q[3]);
  for (int i = 0; i < ROWS; i++) {
    long double m = (long double)q[0] + (long double)q[1] * d->x[i] + (long double)q[2] * d->z[i], r = (d->y[i] - m) / s;
    long double of = (fabsl((long double)d->y[i]) + fabsl((long double)q[0]) + fabsl((long double)q[1] * d->x[i]) + fabsl((long double)q[2] * d->z[i])) / s * 0x1p-53L / 1e-10L;
    const long double by[5] = {-r / 2, 1 / s, d->x[i] / s, d->z[i] / s, r};
    for (int k = 0; k < 5; k++) {
      t.value[k] += by[k] * r;
      t.terms[k] += fabsl(by[k]) * (fabsl(r) + 4 * of);
    }
    t.terms[0] += fabsl(r) * of;
    t.terms[4] += fabsl(r) * of;
  }
  long double constant = logl(s) + 0.918938533204672741780L;
  t.value[0] -= ROWS * constant;
  t.value[4] -= ROWS;
  t.terms[0] += ROWS * (fabsl(constant) + 1);
  t.terms[4] += ROWS;
  return t;
}

/* Twice the sum of squares from raw moments. */
static double raw_moments(const regression *d, const double *q) {
  double m[4][4] = {{0}}, c[4] = {-q[0], -q[1], -q[2], 1}, total = 0, s = exp(q[3]);
  for (int i = 0; i < ROWS; i++) {
    const double w[4] = {1, d->x[i], d->z[i], d->y[i]};
    for (int j = 0; j < 4; j++)
      for (int k = 0; k < 4; k++) m[j][k] += w[j] * w[k];
  }
  for (int j = 0; j < 4; j++)
    for (int k = 0; k < 4; k++) total += c[j] * m[j][k] * c[k];
  return -total / (2 * s * s) - ROWS * (log(s) + 0.91893853320467274);
}

static void test_offsets(void **state) {
  (void)state;
  static const double offset[] = {0, 1e3, 1e6, 1e9};
  static regression d;
  double worst = 0;
  for (size_t o = 0; o < sizeof offset / sizeof *offset; o++)
    for (int kind = 0; kind < 4; kind++) {
      uint64_t seed = 17 + o;
      /* kind: offsets in x and y; in all; z almost x; z the same as x */
      for (int i = 0; i < ROWS; i++) {
        d.x[i] = offset[o] + normal(&seed);
        d.z[i] = kind == 0 ? normal(&seed) : kind == 1 ? 2 * offset[o] + normal(&seed) : kind == 2 ? d.x[i] + 1e-6 * normal(&seed) : d.x[i];
        d.y[i] = offset[o] + 0.5 * (d.x[i] - offset[o]) + normal(&seed);
      }
      text t = {0};
      put(&t, "{");
      put_column(&t, "x", "%.17g", ROWS, d.x), put_column(&t, "z", "%.17g", ROWS, d.z), put_column(&t, "y", "%.17g", ROWS, d.y);
      put(&t, "}");
      for (int form = 0; form < 2; form++) {
        model_run r;
        model_open(&r, form ? "model m(x: real[N], z: real[N], y: real[N]) { let X = columns(rep(1.0, size(x)), x, z)\n beta: real[3] ~ Flat()\n s: real<lower = 0> ~ Flat()\n"
                              " y ~ Normal(X @ beta, s) }"
                            : "model m(x: real[N], z: real[N], y: real[N]) { beta: real[3] ~ Flat()\n s: real<lower = 0> ~ Flat()\n"
                              " y ~ Normal(beta[1] + beta[2] * x + beta[3] * z, s) }",
                   t.s, NEED_LOGDENS | NEED_GRAD);
        assert_true(fired(&r) == 1);
        for (int tries = 0; tries < 6; tries++) {
          double q[4], g[4], big = kind >= 2 && tries >= 3 ? 1e6 : 1;
          q[2] = big * normal(&seed) * (kind == 0 || kind == 1 ? 0.3 : 1);
          q[1] = kind >= 2 ? 0.5 - q[2] + 0.1 * normal(&seed) : 0.5 + 0.1 * normal(&seed);
          q[0] = d.y[0] - q[1] * d.x[0] - q[2] * d.z[0] + 0.1 * normal(&seed);
          q[3] = 0.3 * normal(&seed);
          double lp = model_grad(&r, q, g) - q[3];
          truth want = sums_of(&d, q);
          const double got[5] = {lp, g[0], g[1], g[2], g[3] - 1};
          for (int k = 0; k < 5; k++) {
            double error = (double)(fabsl(got[k] - want.value[k]) / want.terms[k]);
            if (!(error <= 1e-10)) fail_msg("offset %g, kind %d, form %d: result %d is %.17g, not %.17Lg, off by %.2g of its terms", offset[o], kind, form, k, got[k], want.value[k], error);
            if (error > worst) worst = error;
          }
          if (offset[o] >= 1e6 && tries < 3) {
            double twin = (double)(fabsl(raw_moments(&d, q) - want.value[0]) / want.terms[0]);
            if (!(twin > 1e-10)) fail_msg("raw moments pass at an offset of %g: %.2g", offset[o], twin);
          }
        }
        model_close(&r);
      }
      free(t.s);
    }
  print_message("largest error: %.2g of the terms\n", worst);
}

/* ---- groups far from the origin, and from each other */

enum { GROUPS = 5 };

typedef struct grouped {
  double x[ROWS], y[ROWS], g[ROWS];
} grouped;

/* y ~ Normal(a[g] + b[g] x, s[g]): the density and its derivatives by a, b and log s, with their terms as in sums_of. */
typedef struct group_truth {
  long double value[1 + 3 * GROUPS], terms[1 + 3 * GROUPS];
} group_truth;

static group_truth group_sums(const grouped *d, const double *a, const double *b, const double *log_s) {
  group_truth t = {{0}, {0}};
  for (int i = 0; i < ROWS; i++) {
    int g = (int)d->g[i] - 1;
    long double s = expl((long double)log_s[g]), m = (long double)a[g] + (long double)b[g] * d->x[i], r = (d->y[i] - m) / s, constant = logl(s) + 0.918938533204672741780L;
    long double of = (fabsl((long double)d->y[i]) + fabsl((long double)a[g]) + fabsl((long double)b[g] * d->x[i])) / s * 0x1p-53L / 1e-10L;
    const long double by[4] = {-r / 2, 1 / s, d->x[i] / s, r}, less[4] = {constant, 0, 0, 1};
    const int at[4] = {0, 1 + g, 1 + GROUPS + g, 1 + 2 * GROUPS + g};
    for (int k = 0; k < 4; k++) {
      t.value[at[k]] += by[k] * r - less[k];
      t.terms[at[k]] += fabsl(by[k]) * (fabsl(r) + (k == 0 || k == 3 ? 8 : 4) * of) + fabsl(less[k]);
    }
  }
  return t;
}

static double group_raw_moments(const grouped *d, const double *a, const double *b, const double *log_s) {
  double total = 0;
  for (int g = 0; g < GROUPS; g++) {
    double m[3][3] = {{0}}, c[3] = {-a[g], -b[g], 1}, n = 0, square = 0, s = exp(log_s[g]);
    for (int i = 0; i < ROWS; i++) {
      const double w[3] = {1, d->x[i], d->y[i]};
      if ((int)d->g[i] != g + 1) continue;
      n++;
      for (int j = 0; j < 3; j++)
        for (int k = 0; k < 3; k++) m[j][k] += w[j] * w[k];
    }
    for (int j = 0; j < 3; j++)
      for (int k = 0; k < 3; k++) square += c[j] * m[j][k] * c[k];
    total -= square / (2 * s * s) + n * (log(s) + 0.91893853320467274);
  }
  return total;
}

/* Forms: which of a, b and s are grouped, as bits; the others are the first group's. */
static const struct {
  const char *mean, *scale;
  int grouped;
} group_form[] = {
    {"a[g[i]] + b[1] * x[i]", "s[1]", 1}, {"a[g[i]] + b[g[i]] * x[i]", "s[1]", 3}, {"a[g[i]] + b[1] * x[i]", "s[g[i]]", 5}, {"a[g[i]] + b[g[i]] * x[i]", "s[g[i]]", 7},
};

static void test_group_offsets(void **state) {
  (void)state;
  static const double offset[] = {0, 1e3, 1e6, 1e9};
  static grouped d;
  double worst = 0;
  for (size_t o = 0; o < sizeof offset / sizeof *offset; o++)
    for (int apart = 0; apart < 2; apart++) {
      uint64_t seed = 23 + o;
      double at[GROUPS], slope[GROUPS];
      for (int g = 0; g < GROUPS; g++) at[g] = offset[o] * (apart ? g - 1.7 : 1), slope[g] = 0.5 + 0.1 * normal(&seed);
      for (int i = 0; i < ROWS; i++) {
        int g = (int)below(&seed, GROUPS - 1); /* the last group is empty */
        d.g[i] = g + 1;
        d.x[i] = at[g] + normal(&seed);
        d.y[i] = at[g] + slope[0] * (d.x[i] - at[g]) + normal(&seed);
      }
      text t = {0};
      put(&t, "{\"J\": %d", GROUPS);
      put_column(&t, "x", "%.17g", ROWS, d.x), put_column(&t, "y", "%.17g", ROWS, d.y), put_column(&t, "g", "%.0f", ROWS, d.g);
      put(&t, "}");
      for (size_t form = 0; form < sizeof group_form / sizeof *group_form; form++) {
        char source[512];
        snprintf(source, sizeof source, "model m(x: real[N], y: real[N], g: index(J)[N]) { a: real[J] ~ Flat()\n b: real[J] ~ Flat()\n s: real<lower = 0>[J] ~ Flat()\n"
                                        " plate i in 1..N { y[i] ~ Normal(%s, %s) } }", group_form[form].mean, group_form[form].scale);
        model_run r;
        model_open(&r, source, t.s, NEED_LOGDENS | NEED_GRAD);
        assert_false(loops_over_data(ir_fn_find(r.p.module, "grad")));
        for (int tries = 0; tries < 4; tries++) {
          double q[3 * GROUPS], g[3 * GROUPS], a[GROUPS], b[GROUPS], s[GROUPS], jacobian = 0;
          for (int k = 0; k < GROUPS; k++) {
            q[GROUPS + k] = 0.5 + 0.1 * normal(&seed);
            q[2 * GROUPS + k] = 0.3 * normal(&seed);
            b[k] = q[GROUPS + (group_form[form].grouped & 2 ? k : 0)], s[k] = q[2 * GROUPS + (group_form[form].grouped & 4 ? k : 0)];
            a[k] = q[k] = at[k] - b[k] * at[k] + 0.1 * normal(&seed);
            jacobian += q[2 * GROUPS + k];
          }
          double lp = model_grad(&r, q, g) - jacobian;
          group_truth want = group_sums(&d, a, b, s);
          for (int k = 0; k < 2; k++) /* what is not grouped is the sum over groups */
            for (int j = 1; j < GROUPS && !(group_form[form].grouped & 2 << k); j++) {
              int first = 1 + (1 + k) * GROUPS;
              want.value[first] += want.value[first + j], want.terms[first] += want.terms[first + j];
              want.value[first + j] = want.terms[first + j] = 0;
            }
          for (int k = 0; k < 1 + 3 * GROUPS; k++) {
            double got = k ? g[k - 1] - (k > 2 * GROUPS) : lp, error = (double)fabsl(got - want.value[k]);
            if (want.terms[k] != 0) error /= (double)want.terms[k];
            if (!(error <= 1e-10)) fail_msg("offset %g, apart %d, form %zu: result %d is %.17g, not %.17Lg, off by %.2g of its terms", offset[o], apart, form, k, got, want.value[k], error);
            if (error > worst) worst = error;
          }
          if (offset[o] >= 1e9) {
            double twin = (double)(fabsl(group_raw_moments(&d, a, b, s) - want.value[0]) / want.terms[0]);
            if (!(twin > 1e-10)) fail_msg("raw moments pass at an offset of %g: %.2g", offset[o], twin);
          }
        }
        model_close(&r);
      }
      free(t.s);
    }
  print_message("largest error in groups: %.2g of the terms\n", worst);
}

/* ---- at the edges of supports: zeros among the data, groups without data, a scale that is none */

static void test_edges(void **state) {
  (void)state;
  static const struct {
    const char *source;
    double q[4];
  } edge[] = {
      {"model m(p: real<lower = 0>[N]) { a ~ Exponential(1)\n r ~ Exponential(1)\n p ~ Gamma(a, r) }", {0, 0.3}},
      {"model m(p: real<lower = 0>[N]) { a ~ Exponential(1)\n r ~ Exponential(1)\n p ~ Gamma(a, r) }", {0.4, 0.3}},
      {"model m(p: real<lower = 0>[N]) { a ~ Exponential(1)\n r ~ Exponential(1)\n p ~ Gamma(a, r) }", {-0.4, 0.3}},
      {"model m(p: real<lower = 0>[N], g: index(3)[N]) { s: real[3] ~ Flat()\n plate i in 1..N { p[i] ~ Normal(0, s[g[i]]) } }", {0.7, 1.2, -1}},
      {"model m(p: real<lower = 0>[N], g: index(3)[N]) { s: real[3] ~ Flat()\n plate i in 1..N { p[i] ~ Normal(0, s[g[i]]) } }", {0.7, -1.2, 1}},
      {"model m(p: real<lower = 0>[N], g: index(3)[N]) { a: real[3] ~ Flat()\n plate i in 1..N { p[i] ~ Normal(a[g[i]], 2) } }", {0.7, -1.2, 1e300}},
  };
  const char *json = "{\"p\": [0, 1.5, 2.5, 0, 3.5, 0.25, 1, 2, 1.125, 2.25, 0.75, 4, 0.5, 3, 1.75, 0.125], \"g\": [1, 1, 2, 2, 1, 1, 2, 1, 1, 2, 2, 1, 2, 1, 1, 2]}";
  for (size_t k = 0; k < sizeof edge / sizeof *edge; k++) {
    model_run with, plain;
    double g[4], h[4];
    model_open(&with, edge[k].source, json, NEED_LOGDENS | NEED_GRAD);
    model_open_plain(&plain, edge[k].source, json, NEED_LOGDENS | NEED_GRAD);
    assert_true(fired(&with) > 0);
    double lp = model_grad(&with, edge[k].q, g), off = model_grad(&plain, edge[k].q, h);
    if (!(lp == off || fabs(lp - off) <= 1e-13 * fabs(off))) fail_msg("%s\nexample %zu: %.17g, not %.17g", edge[k].source, k, lp, off);
    for (size_t e = 0; e < with.dim && isfinite(off); e++)
      if (!(fabs(g[e] - h[e]) <= 1e-13 * (10 + fabs(h[e])))) fail_msg("%s\nexample %zu: derivative %zu is %.17g, not %.17g", edge[k].source, k, e, g[e], h[e]);
    model_close(&with);
    model_close(&plain);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples), cmocka_unit_test(test_offsets), cmocka_unit_test(test_group_offsets), cmocka_unit_test(test_edges)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
