/* test_vm_chain_calls.c: chains, rungs and populations call no allocator once they move: a run of four times the draws calls it as often. */
#include "tests/unit/task_fixture.h"
#include "vm/interp.h"

#define LATTICE "model m(seen: real[R, C], J: real = 0.8) {\n  s: spin[R, C] ~ Flat()\n" \
  "  energy -J * sum(s[i, j] * s[i + 1, j] for i in 1..R - 1, j in 1..C) - J * sum(s[i, j] * s[i, j + 1] for i in 1..R, j in 1..C - 1) - sum(seen[i, j] * s[i, j] for i in 1..R, j in 1..C)\n" \
  "}\ninfer m on seen = [[0.2, -0.1, 0.4], [1.1, 0.3, -0.6]] given s = [[1, null, null], [null, null, -1]] with "
#define LABELS "model m(x: real[N]) {\n  mu ~ Normal(0, 2);  tau ~ Gamma(2, 1)\n  plate i in 1..N { k[i] ~ Categorical([0.3, 0.5, 0.2]);  x[i] ~ Normal(mu * k[i], 1 / sqrt(tau)) }\n" \
  "}\ninfer m on x = [0.2, 1.4, 1.1, 3.2, -0.3] given k = [null, 3, null, null, 1] with "

static const char *const statements[] = {LATTICE "gibbs",
                                         LATTICE "gibbs(order = random)",
                                         LATTICE "gibbs(order = coloured)",
                                         LATTICE "mh",
                                         LATTICE "tempering(beta = linear(0.2 -> 1, rungs = 3))",
                                         LATTICE "tempering(beta = linear(0.2 -> 1, rungs = 3)) using metropolis(floor = 0.1, allow_biased = true)",
                                         LABELS "gibbs",
                                         LABELS "slice",
                                         LABELS "nuts",
                                         LABELS "cycle(nuts([mu]), gibbs([k]), nuts([tau]))",
                                         LABELS "cycle(nuts([tau], metric = diagonal), slice([mu]), gibbs([k], order = random))"};

static size_t calls_of(const char *text, int draws) {
  host heap = {0};
  fixture f = open_task(text, (opening){.engine = &interp_engine, .memory = &heap});
  assert_int_equal(aim_set_int(f.t, "threads", 1), AIM_OK);
  assert_int_equal(aim_set_int(f.t, "draws", draws), AIM_OK);
  expect_ok(&f, aim_bind(f.t));
  const size_t before = heap.calls;
  expect_ok(&f, aim_run(f.t, NULL));
  const size_t calls = heap.calls - before;
  close_fixture(&f);
  return calls;
}

static void test_calls(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof statements / sizeof *statements; k++) {
    const size_t few = calls_of(statements[k], 200), many = calls_of(statements[k], 800);
    if (few != many) fail_msg("%s: %zu and %zu calls of the allocator", strstr(statements[k], "infer"), few, many);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
