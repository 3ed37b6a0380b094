/* test_vm_given.c: a latent that a statement gives is data, and its prior term stays: the log density of a model with values given
 * for one of its latents is that of the whole model at these values.
 *
 * One after the other each latent of each model is given.  The sums are the same terms in another order: 1e-12 of the sum of
 * their absolute values.  A model that leaves the prior of what is given out is off by that term, and must be told. */
#include "tests/model_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const models[] = {
    "model m(y: real[N]) {\n phi ~ Uniform(-1, 1)\n s ~ HalfNormal(1)\n h[1] ~ Normal(0, s / sqrt(1 - phi^2))\n"
    " for t in 2..N { h[t] ~ Normal(phi * h[t - 1], s) }\n plate t in 1..N { y[t] ~ Normal(0, exp(h[t] / 2)) }\n}\n",
    /* A bound that cuts: the mass that is left depends on another latent. */
    "model m(y: real[N]) {\n mu ~ Normal(0, 2)\n t: real<lower = 0> ~ Normal(mu, 1)\n u: real<lower = -1, upper = t>[2] ~ Normal(mu, 3)\n"
    " y ~ Normal(u[1] + t, 1)\n}\n",
    "model m(y: real[N]) {\n w ~ Dirichlet([1.0, 2.0, 3.0])\n mu: ordered(3) ~ Normal(0, 5)\n L: cholesky_corr(2) ~ Flat()\n"
    " z: real[2] ~ MultiNormal([0.0, 1.0], cholesky = L)\n y ~ mixture(w, Normal(mu, 1 + z[1]^2))\n}\n",
    "model m(y: real[N]) {\n mu ~ Normal(0, 5)\n tau ~ HalfCauchy(5)\n theta: real[N] ~ Normal(mu, tau)\n y ~ Normal(theta, 1)\n"
    " predict { y_new[i] ~ Normal(theta[i], 1) for i in 1..N }\n track a = mean(theta)\n}\n",
    "model m(y: real[N]) {\n p ~ Beta(2, 2)\n k: bool[N] ~ Bernoulli(p)\n n: int<lower = 0> ~ Poisson(2)\n c: index(2)[N] ~ Categorical([0.3, 0.7])\n"
    " plate i in 1..N { y[i] ~ Normal(k[i] + c[i] * n, 1) }\n}\n",
};

static const char data[] = "{\"y\": [0.3, -0.2, 1.1]}";

static void put_cells(strbuf *out, const program_site *s, const double *frame, uint32_t axis, size_t *at) {
  if (axis == s->rank) {
    strbuf_printf(out, s->discrete ? "%.0f" : "%.17g", frame[s->at + (*at)++]);
    return;
  }
  strbuf_putc(out, '[');
  for (int64_t k = 0; k < s->dim[axis]; k++) {
    if (k) strbuf_putc(out, ',');
    put_cells(out, s, frame, axis + 1, at);
  }
  strbuf_putc(out, ']');
}

/* The frame without what is given. */
static void others(const model_run *r, const program_site *without, const double *frame, double *out) {
  for (size_t k = 0, n = 0; k < r->p.nsites; k++) {
    const program_site *s = &r->p.site[k];
    if (s == without) continue;
    memcpy(out + n, frame + s->at, s->cells * sizeof *out);
    n += s->cells;
  }
}

static double total(const double part[3]) { return part[0] + part[1] + part[2]; }

static double off(const char *whole, const char *other, int *given) {
  model_run r, g;
  double frame[64], rest[64], part[3], same[3], worst = 0;
  model_open(&r, whole, data, NEED_DENSITY | NEED_LOGDENS);
  for (int rep = 0; rep < 20; rep++) {
    double q[64];
    uint64_t seed = 100 + (uint64_t)rep;
    for (size_t k = 0; k < r.dim; k++) q[k] = 2.0 * (double)(next_random(&seed) >> 11) * 0x1p-53 - 1.0;
    model_constrain(&r, q, frame);
    for (size_t k = 0; k < r.p.nsites; k++) {
      const program_site *s = &r.p.site[k];
      for (size_t i = 0; s->discrete && i < s->cells; i++) frame[s->at + i] = (double)((next_random(&seed) >> 40) % 2 + (strcmp(s->name, "c") == 0));
    }
    double want = (model_density(&r, frame, part), total(part));
    for (size_t k = 0; k < r.p.nsites; k++) {
      const program_site *s = &r.p.site[k];
      strbuf text;
      arena mem;
      arena_init(&mem, &r.alloc, 0);
      strbuf_init(&text, &mem);
      strbuf_printf(&text, "%sinfer m given %s = ", other, s->name);
      size_t at = 0;
      put_cells(&text, s, frame, 0, &at);
      model_open(&g, text.s, data, NEED_DENSITY | NEED_PRIOR | NEED_LOGLIK);
      assert_int_equal(g.p.nloglik, 1); /* of y alone */
      others(&r, s, frame, rest);
      model_density(&g, rest, same);
      double d = fabs(total(same) - want), size = 1 + fabs(part[0]) + fabs(part[1]) + fabs(part[2]);
      if (!(d / size <= worst)) worst = d / size;
      assert_int_equal(g.cells, r.cells - s->cells);
      model_close(&g);
      arena_free(&mem);
      ++*given;
    }
  }
  model_close(&r);
  return worst;
}

static void test_density(void **state) {
  (void)state;
  int given = 0;
  for (size_t k = 0; k < sizeof models / sizeof models[0]; k++) {
    double d = off(models[k], models[k], &given);
    if (!(d <= 1e-12)) fail_msg("model %zu: off by %g", k, d);
  }
  print_message("%d latents given\n", given);
  /* Without the term of tau. */
  assert_true(off("model m(y: real[N]) { mu ~ Normal(0, 5); tau ~ HalfCauchy(5); y ~ Normal(mu, tau) }\n",
                  "model m(y: real[N]) { mu ~ Normal(0, 5); tau: real<lower = 0> ~ Flat(); y ~ Normal(mu, tau) }\n", &given) > 1e-3);
}

/* mu given s: the posterior is normal with precision 1/4 + 3/s^2 and mean sum(y)/s^2 over that. */
static void test_conditional(void **state) {
  (void)state;
  model_run r;
  model_open(&r, "model m(y: real[N]) { mu ~ Normal(0, 2); s ~ HalfNormal(1); y ~ Normal(mu, s) }\ninfer m given s = 0.5\n", data, NEED_GRAD);
  assert_int_equal(r.dim, 1);
  double precision = 0.25 + 3 / 0.25, mean = 1.2 / 0.25 / precision, g;
  for (double mu = -3; mu <= 3; mu += 0.37) {
    model_grad(&r, &mu, &g);
    assert_true(fabs(g + precision * (mu - mean)) <= 1e-12 * precision * 4);
  }
  model_close(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_density), cmocka_unit_test(test_conditional)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
