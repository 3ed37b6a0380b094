/* test_vm_sbc.c: simulation-based calibration (Talts, Betancourt, Simpson, Vehtari and Gelman 2018).
 *
 * Latents and data are drawn from a model's own prior, by a twin of it in which the data are latents; NUTS then infers the latents
 * from the data.  If sampler, density, gradient, Jacobians and prior agree, the rank of a true value among L thinned draws is uniform
 * over 0..L.  Each rank histogram is tested by chi-square with a false alarm of 1e-6.  A target without the Jacobian of its
 * simplex has to fail: 500 replications see a posterior shifted by a third of its standard deviation.
 *
 *   test_vm_sbc [replications] */
#include "tests/model_run.h"
#include "vm/nuts_chain.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int replications = 500;

enum { L = 31, THIN = 8, WARMUP = 300, BINS = 8, MAX_DIM = 64, MAX_CELLS = 256 };

typedef struct study {
  const char *name;
  const char *data;        /* further data of both, as JSON keys with commas behind */
  const char *signature;   /* of the model; %s of the twin is twin_signature */
  const char *twin_signature;
  const char *body;
  const char *observed[2]; /* what is drawn by the twin and observed by the model */
} study;

static const study studies[] = {
    {"hierarchical normal", "", "y: real[J, 4]", "J: int = 4",
     " mu ~ Normal(0, 1)\n tau ~ LogNormal(0, 0.5)\n s ~ HalfNormal(1)\n"
     " plate j in 1..J {\n  theta[j] ~ Normal(mu, tau)\n  plate i in 1..4 { y[j, i] ~ Normal(theta[j], s + 0.3) }\n }\n",
     {"y"}},
    {"regressions on a simplex", "\"X\": [[1, 0, 0.5], [0, 1, -0.5], [0.3, 0.3, 1], [1, -1, 0], [0, 0, 1]], ",
     "X: real[N, 3], n: int<lower = 0>[N], z: bool[N]", "X: real[N, 3]",
     " w ~ Dirichlet([2.0, 3.0, 1.5])\n r ~ Gamma(3, 2)\n b: real<lower = -1, upper = 2>[2] ~ Normal(0, 1)\n"
     " let eta = X @ w\n plate i in 1..N {\n  n[i] ~ Poisson(log = r * eta[i])\n  z[i] ~ Bernoulli(logit = b[1] + b[2] * X[i, 3] * 2)\n }\n",
     {"n", "z"}},
    {"autoregression", "", "y: real[T]", "T: int = 7",
     " phi ~ Uniform(-1, 1)\n s ~ LogNormal(0, 0.4)\n h[1] ~ Normal(0, s)\n for t in 2..T { h[t] ~ Normal(phi * h[t - 1], s) }\n"
     " plate t in 1..T { y[t] ~ Normal(h[t], 0.7) }\n",
     {"y"}},
};

/* ---- the target */

typedef struct target {
  model_run *r;
  const program_site *without; /* a simplex whose Jacobian is left out, or NULL */
} target;

/* log |dx/du| of a simplex is the sum of log x. */
static double simplex_jacobian(const target *t, const double *q) {
  double x[MAX_CELLS], sum = 0.0;
  model_constrain(t->r, q, x);
  for (size_t k = 0; k < t->without->cells; k++) sum += log(x[t->without->at + k]);
  return sum;
}

static int density(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad) {
  const target *t = user;
  if (lanes != 1 || stride != 1) return 1;
  *lp = model_grad(t->r, q, grad);
  if (!t->without || isinf(*lp)) return 0;
  double u[MAX_DIM], h = 1e-5;
  memcpy(u, q, t->r->dim * sizeof *u);
  *lp -= simplex_jacobian(t, u);
  for (size_t k = t->without->at_free; k < t->without->at_free + t->without->free; k++) {
    u[k] = q[k] + h;
    double up = simplex_jacobian(t, u);
    u[k] = q[k] - h;
    grad[k] -= (up - simplex_jacobian(t, u)) / (2 * h);
    u[k] = q[k];
  }
  return 0;
}

/* ---- one replication */

static const char *json_of(const study *s, const model_run *twin, const double *truth, char out[8192]) {
  char *o = out;
  o += sprintf(o, "{%s", s->data);
  for (int k = 0; k < 2 && s->observed[k]; k++) {
    const program_site *y = model_site(twin, s->observed[k]);
    o += sprintf(o, "%s\"%s\": ", k ? ", " : "", y->name);
    for (size_t e = 0; e < y->cells; e++) {
      bool row = y->rank == 2 && e % (size_t)y->dim[1] == 0;
      o += sprintf(o, "%s%s%.17g", e == 0 ? y->rank == 2 ? "[[" : "[" : row ? "], [" : ", ", "", truth[y->at + e]);
    }
    o += sprintf(o, "%s", y->rank == 2 ? "]]" : "]");
  }
  sprintf(o, "}");
  return out;
}

/* Adds the ranks of the latents' cells to rank[cell][0..L]. */
static void replicate(const study *s, model_run *twin, const char *text, uint64_t key, const char *without, double (*rank)[L + 1], size_t *cells) {
  double truth[MAX_CELLS], x[MAX_CELLS];
  char json[8192];
  model_prior(twin, key, truth);
  model_run r;
  model_open(&r, text, json_of(s, twin, truth, json), NEED_GRAD);
  target t = {&r, without ? model_site(&r, without) : NULL};
  nuts_options o;
  nuts_options_init(&o, key ^ 0xabcdef);
  o.warmup = WARMUP;
  o.draws = L * THIN;
  double *draws = malloc(L * THIN * r.dim * sizeof *draws), *work = malloc(nuts_chain_doubles(r.dim, o.max_depth, ADAPT_DIAGONAL) * sizeof *work);
  nuts_target nt = {.dim = r.dim, .density = density, .density_user = &t, .draws = draws};
  nuts_result result;
  nuts_status status = nuts_chain_run(&o, &nt, work, &result);
  if (status != NUTS_OK) fail_msg("%s: the chain ended with %d", s->name, status);
  int below_truth[MAX_CELLS] = {0};
  for (int d = 0; d < L; d++) {
    model_constrain(&r, draws + (size_t)(d * THIN + THIN - 1) * r.dim, x);
    for (size_t k = 0; k < r.p.nsites; k++) {
      const program_site *a = &r.p.site[k], *b = model_site(twin, a->name);
      for (size_t e = 0; e < a->cells; e++) below_truth[a->at + e] += x[a->at + e] < truth[b->at + e];
    }
  }
  for (size_t e = 0; e < r.cells; e++) rank[e][below_truth[e]]++;
  *cells = r.cells;
  free(draws);
  free(work);
  model_close(&r);
}

/* 99.9999 % of chi-square with 7 degrees of freedom. */
static const double chi_square_limit = 40.5218;

/* The largest chi-square over the latents' cells. */
static double calibrate(const study *s, const char *without) {
  static double rank[MAX_CELLS][L + 1];
  char text[2048], twin_text[2048];
  size_t cells = 0;
  memset(rank, 0, sizeof rank);
  snprintf(text, sizeof text, "model m(%s) {\n%s}\n", s->signature, s->body);
  snprintf(twin_text, sizeof twin_text, "model m(%s) {\n%s}\n", s->twin_signature, s->body);
  char json[1024];
  size_t n = strlen(s->data);
  snprintf(json, sizeof json, "{%.*s}", (int)(n ? n - 2 : 0), s->data);
  model_run twin;
  model_open(&twin, twin_text, json, NEED_PRIOR);
  for (int i = 0; i < replications; i++) replicate(s, &twin, text, 1000003u * (uint64_t)(i + 1), without, rank, &cells);
  model_close(&twin);
  double worst = 0.0, expected = (double)replications / BINS;
  for (size_t e = 0; e < cells; e++) {
    double chi = 0.0;
    for (int b = 0; b < BINS; b++) {
      double c = 0.0;
      for (int k = b * (L + 1) / BINS; k < (b + 1) * (L + 1) / BINS; k++) c += rank[e][k];
      chi += (c - expected) * (c - expected) / expected;
    }
    if (chi > worst) worst = chi;
  }
  return worst;
}

static void expect_calibrated(const study *s) {
  double chi = calibrate(s, NULL);
  if (chi > chi_square_limit) fail_msg("%s: chi-square %g of the ranks", s->name, chi);
}

static void test_hierarchy(void **state) {
  (void)state;
  expect_calibrated(&studies[0]);
}
static void test_simplex(void **state) {
  (void)state;
  expect_calibrated(&studies[1]);
}
static void test_chain(void **state) {
  (void)state;
  expect_calibrated(&studies[2]);
}
static void test_wrong(void **state) {
  (void)state;
  double chi = calibrate(&studies[1], "w");
  if (chi <= chi_square_limit) fail_msg("without the Jacobian chi-square is only %g", chi);
}

int main(int argc, char **argv) {
  if (argc > 1) replications = atoi(argv[1]);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_hierarchy), cmocka_unit_test(test_simplex), cmocka_unit_test(test_chain),
                                     cmocka_unit_test(test_wrong)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
