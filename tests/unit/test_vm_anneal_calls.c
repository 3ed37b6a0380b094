/* test_vm_anneal_calls.c: how `anneal` divides its sweeps over calls of the kernels.
 *
 * A schedule that reads nothing is made in calls of many sweeps, one that reads in calls of one.  Both move replicas alike, neither allocates while it sweeps, and
 * where energies are looked at after every sweep both keep the same states. */
#include "tests/unit/host.h"
#include "vm/api.h"
#include "vm/interp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char *const glass = "model m(J: real[N, N], h: real[N]) {\n  s: spin[N] ~ Flat()\n"
                                 "  energy -sum(J[i, j] * s[i] * s[j] for i in 1..N, j in 1..N if i < j) - dot(h, s)\n}\n"
                                 "anneal m on N = 7, J = [[0, 1.5, -1, 0.25, 0.1, 1, 0.7], [1.5, 0, 0.5, 1, -0.3, 0.2, 0.4], [-1, 0.5, 0, -0.7, 0.9, 0.8, 0.3],\n"
                                 "  [0.25, 1, -0.7, 0, 1.1, -0.6, 0.2], [0.1, -0.3, 0.9, 1.1, 0, 0.45, -1.3], [1, 0.2, 0.8, -0.6, 0.45, 0, 0.35],\n"
                                 "  [0.7, 0.4, 0.3, 0.2, -1.3, 0.35, 0]], h = [0.1, 0.2, -0.15, 0.3, 0, 0.05, -0.2] with ";
static const char *const ring = "model m(N: int) {\n  s: spin[N] ~ Flat()\n  energy sum(s[i] * s[if i == N { 1 } else { i + 1 }] for i in 1..N)\n}\nanneal m on N = 41 with ";
static const char *const clock_of_three =
    "model m(N: int) {\n  s: index(3)[N] ~ Flat()\n  energy sum(if s[i] == s[if i == N { 1 } else { i + 1 }] { 1.0 } else { 0.0 } for i in 1..N)\n}\nanneal m on N = 31 with ";
static const char *const by_element = "model m(N: int) {\n  s: spin[N] ~ Flat()\n  energy sum(s[i] * s[i + 1] * s[i + 2] for i in 1..N - 2)\n}\nanneal m on N = 9 with ";

typedef struct outcome {
  size_t calls;      /* of the allocator, in the run */
  aim_annealing told;
  double *draws;     /* [n] */
  size_t n;
} outcome;

static outcome anneal(const char *model, const char *with) {
  host heap = {0};
  static char text[4096];
  snprintf(text, sizeof text, "%s%s\n", model, with);
  aim_config config;
  aim_config_init(&config);
  config.alloc = host_fn;
  config.alloc_user = &heap;
  aim_vm *vm = aim_vm_new(&config);
  aim_vm_engine(vm, &interp_engine);
  aim_program *p;
  aim_task *t;
  assert_int_equal(aim_load(vm, "m.aim", text, strlen(text), &p), AIM_OK);
  assert_int_equal(aim_task_statement(p, 0, &t), AIM_OK);
  assert_int_equal(aim_set_int(t, "threads", 1), AIM_OK);
  assert_int_equal(aim_bind(t), AIM_OK);
  size_t before = heap.calls;
  assert_int_equal(aim_run(t, NULL), AIM_OK);
  outcome o = {.calls = heap.calls - before};
  assert_int_equal(aim_annealing_get(t, &o.told), AIM_OK);
  size_t q = aim_quantity_find(t, "s"), draws = aim_draw_count(t, 0);
  aim_quantity s;
  assert_int_equal(aim_quantity_get(t, q, &s), AIM_OK);
  o.n = draws * s.cells;
  o.draws = malloc(o.n * sizeof *o.draws);
  for (size_t k = 0; k < draws; k++) assert_int_equal(aim_draw_get(t, 0, k, q, o.draws + k * s.cells), AIM_OK);
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
  return o;
}

/* Four times the sweeps, the same calls of the allocator.  (The record of a run has its full length from 4096 sweeps on.) */
static void test_allocations(void **state) {
  (void)state;
  const char *const models[] = {glass, ring, clock_of_three, by_element}, *const until[] = {"", " until energy < -1e9"};
  const char *const kernels[] = {"metropolis(replicas = 3)", "metropolis(replicas = 70, order = random, proposals = 2, precision = mixed)", "gibbs(replicas = 70)"};
  for (size_t m = 0; m < 4; m++)
    for (size_t k = 0; k < 3; k++)
      for (size_t u = 0; u < 2; u++) {
        char with[2][200];
        const int sweeps[2] = {4200, 16800};
        if (m == 3 && k) continue; /* slow */
        size_t calls[2];
        for (int c = 0; c < 2; c++) {
          snprintf(with[c], sizeof with[c], "linear(beta = 0.1 -> 2, sweeps = %d)%s using %s", sweeps[c], until[u], kernels[k]);
          outcome o = anneal(models[m], with[c]);
          assert_int_equal(o.told.sweeps, sweeps[c]);
          calls[c] = o.calls;
          free(o.draws);
        }
        if (calls[0] != calls[1]) fail_msg("%s: %zu and %zu calls", with[0], calls[0], calls[1]);
      }
}

/* One call or many: the same states, where every sweep is looked at. */
static void test_division(void **state) {
  (void)state;
  static const struct {
    const char *kernel;
    bool every;
    int model;
  } with[] = {{"metropolis(replicas = 70)", true, 0},
              {"metropolis(replicas = 3, order = random, proposals = 4)", true, 0},
              {"gibbs(replicas = 70, precision = f32)", true, 0},
              {"metropolis(replicas = 17, floor = 0.05)", true, 0},
              {"metropolis(replicas = 5)", true, 1},
              {"metropolis(replicas = 600)", false, 1},
              {"gibbs(replicas = 70)", false, 2}};
  const char *const models[] = {glass, ring, clock_of_three};
  for (size_t k = 0; k < sizeof with / sizeof *with; k++) {
    char text[2][200];
    outcome o[2];
    for (int c = 0; c < 2; c++) {
      snprintf(text[c], sizeof text[c], "geometric(beta = 0.1 -> 4, sweeps = 611)%s using %s", c ? " until energy < -1e9" : "", with[k].kernel);
      o[c] = anneal(models[with[k].model], text[c]);
    }
    assert_int_equal(o[0].n, o[1].n);
    assert_true(o[0].told.best_energy == o[1].told.best_energy && o[0].told.sweeps == 611 && o[1].told.sweeps == 611);
    if (with[k].every) {
      assert_memory_equal(o[0].draws, o[1].draws, o[0].n * sizeof(double));
      assert_true(o[0].told.reached == o[1].told.reached && o[0].told.mean_energy == o[1].told.mean_energy);
    } else { /* looks eight sweeps apart miss states, and never find one that is not there */
      assert_true(o[0].told.reached <= o[1].told.reached && o[0].told.mean_energy >= o[1].told.mean_energy);
    }
    free(o[0].draws);
    free(o[1].draws);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_allocations), cmocka_unit_test(test_division)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
