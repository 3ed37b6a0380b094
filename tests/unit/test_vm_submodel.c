/* test_vm_submodel.c: a model that is drawn by another one is the same as its statements written out there: the same unknowns by name,
 * and the same log density to the bit at random points.  A part that is given something else must differ. */
#include "tests/model_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char parts[] =
    "model horseshoe(D: int, scale: real = 1) {\n tau ~ HalfCauchy(scale)\n lambda: real[D] ~ HalfCauchy(1)\n beta: real[D] ~ Normal(0, tau * lambda)\n}\n"
    "model noise(sd: real = 1) { s ~ HalfNormal(sd) }\n"
    "model pair(a: real) { inner ~ noise(2); b ~ Normal(a, inner.s) }\n"
    "model walk(z: real[K], b: real) {\n let s0 = exp(0.1 * b)\n c[1] ~ Normal(b, s0)\n for k in 2..K { c[k] ~ Normal(c[k - 1], 1) }\n z ~ Normal(c, 1)\n"
    " track last = c[K]\n}\n"
    "model group(y: real[N], mu: real) {\n tau ~ HalfNormal(1)\n theta: real[N] ~ Normal(mu, tau)\n plate i in 1..N { y[i] ~ Normal(theta[i], 0.5) }\n predict y\n}\n";

static const struct {
  const char *text, *by_hand;
} same[] = {
    {"model m(x: real[N], z: real[J, N]) { hs ~ horseshoe(3); x ~ Normal(sum(hs.beta), 1) }",
     "model m(x: real[N], z: real[J, N]) { `hs.tau` ~ HalfCauchy(1); `hs.lambda`: real[3] ~ HalfCauchy(1)\n"
     " `hs.beta`: real[3] ~ Normal(0, `hs.tau` * `hs.lambda`); x ~ Normal(sum(`hs.beta`), 1) }"},
    {"model m(x: real[N], z: real[J, N]) { hs ~ horseshoe(N, scale = 1 + 1); x ~ Normal(hs.beta, hs.tau) }",
     "model m(x: real[N], z: real[J, N]) { `hs.tau` ~ HalfCauchy(2); `hs.lambda`: real[N] ~ HalfCauchy(1)\n"
     " `hs.beta`: real[N] ~ Normal(0, `hs.tau` * `hs.lambda`); x ~ Normal(`hs.beta`, `hs.tau`) }"},
    {"model m(x: real[N], z: real[J, N]) { mu ~ Normal(0, 1); g ~ group(x, mu); p ~ pair(g.theta[1]); factor -p.inner.s }",
     "model m(x: real[N], z: real[J, N]) { mu ~ Normal(0, 1); `g.tau` ~ HalfNormal(1); `g.theta`: real[N] ~ Normal(mu, `g.tau`)\n"
     " plate i in 1..N { x[i] ~ Normal(`g.theta`[i], 0.5) }; `p.inner.s` ~ HalfNormal(2); `p.b` ~ Normal(`g.theta`[1], `p.inner.s`); factor -`p.inner.s` }"},
    {"model m(x: real[N], z: real[J, N]) { plate j in 1..J { q[j] ~ pair(0.5); w[j] ~ walk(z[j], q[j].b) }; x ~ Normal(q[1].b + w[2].c[1], q[2].inner.s) }",
     "model m(x: real[N], z: real[J, N]) {\n plate j in 1..J { `q.inner.s`[j] ~ HalfNormal(2); `q.b`[j] ~ Normal(0.5, `q.inner.s`[j])\n"
     "  `w.c`[j, 1] ~ Normal(`q.b`[j], exp(0.1 * `q.b`[j])); for k in 2..N { `w.c`[j, k] ~ Normal(`w.c`[j, k - 1], 1) }; z[j] ~ Normal(`w.c`[j], 1) }\n"
     " x ~ Normal(`q.b`[1] + `w.c`[2, 1], `q.inner.s`[2]) }"},
    {"model m(x: real[N], z: real[J, N]) { r[j] ~ noise(j) for j in 1..J; x ~ Normal(0, r[1].s + r[2].s) }",
     "model m(x: real[N], z: real[J, N]) { `r.s`[j] ~ HalfNormal(j) for j in 1..J; x ~ Normal(0, `r.s`[1] + `r.s`[2]) }"},
};

static const char data[] = "{\"x\": [0.5, -1, 2], \"z\": [[1, 2, 3], [0, 1, -1]]}";

static bool agrees(const char *text, const char *by_hand) {
  char whole[4096];
  model_run a, b;
  snprintf(whole, sizeof whole, "%s%s", parts, text);
  model_open(&a, whole, data, NEED_LOGDENS | NEED_PRIOR);
  model_open(&b, by_hand, data, NEED_LOGDENS | NEED_PRIOR);
  assert_int_equal(a.dim, b.dim);
  assert_int_equal(a.p.nsites, b.p.nsites);
  for (size_t k = 0; k < a.p.nsites; k++) assert_string_equal(a.p.site[k].name, b.p.site[k].name);
  bool ok = true;
  uint64_t seed = 5;
  for (int rep = 0; rep < 50; rep++) {
    double q[64];
    for (size_t k = 0; k < a.dim; k++) q[k] = 4.0 * (double)(next_random(&seed) >> 11) * 0x1p-53 - 2.0;
    ok = ok && model_logdens(&a, q) == model_logdens(&b, q);
  }
  model_close(&a);
  model_close(&b);
  return ok;
}

static void test_written_out(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof same / sizeof same[0]; k++)
    if (!agrees(same[k].text, same[k].by_hand)) fail_msg("they differ: %s", same[k].text);
  assert_false(agrees("model m(x: real[N], z: real[J, N]) { r[j] ~ noise(1) for j in 1..J; x ~ Normal(0, r[1].s + r[2].s) }", same[4].by_hand));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_written_out)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
