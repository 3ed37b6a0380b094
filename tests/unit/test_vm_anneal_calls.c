/* test_vm_anneal_calls.c: how `anneal` divides its sweeps over calls of the kernels.
 *
 * A schedule that reads nothing is made in calls of many sweeps, one that reads in calls of one.  Both move replicas alike, neither allocates while it sweeps, and
 * where energies are looked at after every sweep both keep the same states. */
#include "tests/unit/task_fixture.h"
#include "vm/interp.h"

#include <math.h>

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

/* The task of a model, not run yet. */
static fixture open_anneal(const char *model, const char *with, int threads, host *heap) {
  static char text[4096];
  snprintf(text, sizeof text, "%s%s\n", model, with);
  fixture f = open_task(text, (opening){.engine = &interp_engine, .memory = heap});
  assert_int_equal(aim_set_int(f.t, "threads", threads), AIM_OK);
  expect_ok(&f, aim_bind(f.t));
  return f;
}

static outcome anneal(const char *model, const char *with) {
  host heap = {0};
  fixture f = open_anneal(model, with, 1, &heap);
  aim_task *t = f.t;
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
  close_fixture(&f);
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

/* Every replica goes back to its best state: where one call at an infinite beta follows, none can end above it, whatever holds the states.  Without the restart most do.  What comes of a
 * restart is the same for any number of threads. */
typedef struct last {
  double mean, best, beta; /* of the replicas at the last look; of their lowest; then */
} last;

static last anneal_last(const char *model, const char *with, int threads) {
  fixture f = open_anneal(model, with, threads, NULL);
  const aim_task *t = f.t;
  assert_int_equal(aim_run(f.t, NULL), AIM_OK);
  last x = {0};
  double replicas = 0;
  for (size_t b = 0; b < t->run.annealed.blocks; b++) {
    const anneal_trace *trace = &t->run.annealed.trace[b];
    const double n = (double)(t->run.annealed.blocks == 1 ? t->run.o.draws : b + 1 < t->run.annealed.blocks ? 64 : t->run.o.draws % 64);
    x.mean += n * trace->point[trace->n - 1].energy;
    x.beta = trace->point[trace->n - 1].beta;
    replicas += n;
  }
  x.mean /= replicas;
  x.best = t->run.annealed.mean;
  close_fixture(&f);
  return x;
}

static const char *const reals =
    "model m(a: real[N]) {\n  w: simplex(3)[N] ~ Dirichlet([1.0, 1.0, 1.0])\n  x: real[N] ~ Normal(0, 1)\n  energy sum((w[i, 1] - a[i])^2 + (x[i] - w[i, 2])^2 for i in 1..N)\n}\n"
    "anneal m on a = [0.1, 0.5, 0.3] with ";

static void test_restart(void **state) {
  (void)state;
  static const struct {
    const char *const *model, *using;
    bool easy; /* a quench alone ends at the best */
  } all[] = {{&glass, "gibbs(replicas = 3)"},        {&glass, "metropolis(replicas = 70)"},      {&glass, "gibbs(replicas = 20, precision = f32)"}, {&ring, "gibbs(replicas = 64)"},
             {&ring, "gibbs(replicas = 512)"},  {&clock_of_three, "gibbs(replicas = 2)", true}, {&clock_of_three, "metropolis(replicas = 40)", true},      {&by_element, "metropolis(replicas = 70)"},
             {&reals, "metropolis(replicas = 10)"}};
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
    char with[2][200];
    snprintf(with[0], sizeof with[0], "linear(beta = 3 -> 0.2, sweeps = 400) then restart then hold(beta = 1e12, sweeps = 8) using %s", all[k].using);
    snprintf(with[1], sizeof with[1], "linear(beta = 3 -> 0.2, sweeps = 400) then hold(beta = 1e12, sweeps = 8) using %s", all[k].using);
    const last back = anneal_last(*all[k].model, with[0], 1), on = anneal_last(*all[k].model, with[1], 1), threads = anneal_last(*all[k].model, with[0], 3);
    if (!(fabs(back.mean - back.best) < 1e-5)) fail_msg("%s: the replicas end at %g, their best is %g\n%s", all[k].using, back.mean, back.best, *all[k].model);
    if (!all[k].easy && !(on.mean > on.best + 1e-5)) fail_msg("%s: without a restart all replicas end at their best\n%s", all[k].using, *all[k].model);
    assert_true(back.mean == threads.mean && back.best == threads.best);
  }
}

/* `stalled` counts anew from a restart: of 40 sweeps some four restart, as beta tells, which counts them.  A restart calls no allocator. */
static void test_restart_counts(void **state) {
  (void)state;
  const char *const of[] = {glass, ring, clock_of_three, by_element};
  for (size_t k = 0; k < 4; k++) {
    static char model[1000];
    snprintf(model, sizeof model, "schedule s(n: int) {\n  beta = 1\n  for k in 1..n { if stalled(10) { restart; beta = beta + 1 }; sweep }\n}\n%s", of[k]);
    const last x = anneal_last(model, "s(40) using gibbs(replicas = 64)", 2);
    assert_true(x.beta >= 3 && x.beta <= 5);
    outcome few = anneal(model, "s(40) using gibbs(replicas = 64)"), many = anneal(model, "s(160) using gibbs(replicas = 64)");
    assert_int_equal(few.calls, many.calls);
    free(few.draws);
    free(many.draws);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_allocations), cmocka_unit_test(test_division), cmocka_unit_test(test_restart), cmocka_unit_test(test_restart_counts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
