/* test_vm_wide_priors.c: Gibbs sampling and slices where priors are wide for the data, so that a draw from them is no place to begin at, against nuts: each mean within 4.9 standard errors of the
 * difference, a false alarm once in a million for each; and, since chains that have not come back have large errors, within half a posterior standard deviation. */
#include "tests/unit/task_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char *const programs[] = {
    /* Unknowns that the data know by their sums: the logits of a case-control study in years. */
    "model oxford(r: int[K], s: int[K], n: int[K], year: int[K]) {\n"
    "  mu: real[K] ~ Normal(0, 1000)\n  a ~ Normal(0, 1000)\n  b ~ Normal(0, 1000)\n  c ~ Normal(0, 1000)\n"
    "  r ~ Binomial(n, logit = mu)\n  s ~ Binomial(n, logit = mu + a + b * year + c * (year^2 - 22))\n}\n"
    "infer oxford on \"data\" with nuts\ninfer oxford on \"data\" with gibbs(draws = 3000)\ninfer oxford on \"data\" with slice(draws = 3000)\n",
    /* A covariance that is told by residuals of a line far away. */
    "model jaw(y: real[N, M], age: real[M]) {\n"
    "  a ~ Normal(0, 100)\n  b ~ Normal(0, 100)\n  S: cov(M) ~ InvWishart(M, diag(rep(1.0, M)))\n  y ~ MultiNormal(a + b * age, S)\n}\n"
    "infer jaw on \"data\" with nuts\ninfer jaw on \"data\" with gibbs(draws = 8000)\n",
    /* Powers that overflow. */
    "model mice(t: real[N], x: real[N], event: bool[N]) {\n"
    "  b ~ Normal(0, 1000)\n  c ~ Normal(0, 1000)\n  r ~ Exponential(0.01)\n  plate i in 1..N { t[i] ~ right_censored(Weibull(r, exp(-(b + c * x[i]) / r)), event[i]) }\n}\n"
    "infer mice on \"data\" with nuts\ninfer mice on \"data\" with gibbs(draws = 8000)\n"};

static const char *const data[] = {
    "r = [2, 4, 3, 7, 5, 9, 6, 4, 8, 5], s = [3, 6, 6, 10, 9, 13, 9, 6, 9, 7], n = [20, 22, 18, 30, 25, 40, 28, 21, 33, 24], year = [-9, -7, -5, -3, -1, 0, 2, 4, 7, 9]",
    "y = [[31.9, 30.9, 32.9, 32.3], [37.0, 36.9, 38.4, 39.0], [31.4, 32.9, 34.5, 35.1], [32.3, 33.3, 35.2, 36.1], [34.3, 33.9, 34.9, 36.1], [37.9, 40.7, 39.2, 40.8], [34.1, 34.6, 37.8, 38.5], [33.0, 34.0, 34.6, 36.7], [36.8, 38.5, 39.3, 39.3], [32.4, 33.5, 34.9, 36.0], "
    "[35.4, 35.0, 34.9, 36.6], [35.1, 36.8, 36.7, 38.3], [38.5, 40.0, 39.3, 40.9], [36.7, 36.4, 40.1, 40.2], [34.3, 35.5, 36.7, 39.6], [31.9, 33.3, 34.1, 34.9], [32.0, 32.4, 33.3, 32.8], [31.4, 32.7, 33.8, 35.6], [38.9, 39.4, 40.6, 41.2], [33.1, 33.6, 35.3, 35.7]], age = [8, 8.5, 9, 9.5]",
    "t = [12, 1, 21, 25, 11, 26, 27, 30, 13, 12, 40, 40, 23, 31, 29, 14], x = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], event = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1]"};

static void text_of(size_t k, char *text, size_t size) {
  text[0] = '\0';
  for (const char *at = programs[k], *next; *at; at = next) {
    const char *mark = strstr(at, "\"data\"");
    next = mark ? mark + 6 : at + strlen(at);
    snprintf(text + strlen(text), size - strlen(text), "%.*s%s", (int)(mark ? mark - at : next - at), at, mark ? data[k] : "");
  }
}

static fixture run_statement(const char *text, size_t k) {
  fixture f = open_task(text, (opening){.statement = k});
  expect_ok(&f, aim_run(f.t, NULL));
  return f;
}

static void test_starts(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof programs / sizeof *programs; k++) {
    char text[4096];
    text_of(k, text, sizeof text);
    fixture nuts = run_statement(text, 0);
    for (size_t s = 1; s < (k == 0 ? 3 : 2); s++) {
      fixture f = run_statement(text, s);
      for (size_t q = 0; q < aim_quantity_count(f.t); q++) {
        aim_quantity x;
        assert_int_equal(aim_quantity_get(f.t, q, &x), AIM_OK);
        for (size_t e = 0; e < x.cells; e++) {
          aim_summary a, b;
          assert_int_equal(aim_summarise(nuts.t, q, e, &a), AIM_OK);
          assert_int_equal(aim_summarise(f.t, q, e, &b), AIM_OK);
          const double apart = fabs(a.mean - b.mean);
          if (!(apart <= 4.9 * hypot(a.mcse, b.mcse) && apart <= 0.5 * a.sd))
            fail_msg("statement %zu, %s, cell %zu: %g (mcse %g), not %g (sd %g, mcse %g)\n%s", s, x.name, e, b.mean, b.mcse, a.mean, a.sd, a.mcse, text);
        }
      }
      close_fixture(&f);
    }
    close_fixture(&nuts);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_starts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
