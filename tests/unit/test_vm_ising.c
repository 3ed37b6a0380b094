/* test_vm_ising.c: instances of tests/ising as statements, against what enumeration and transfer matrices say of them (log_z.csv: energies of ground states,
 * log Z at beta 1): ground states by anneal, log Z by population annealing and by annealed importance sampling.  Then what is said of schedules that end themselves, and
 * of memory.
 *
 * log Z of population annealing has an error from its 16 chains: 7 of these are two in a million; that of ais, from 4000 particles, passes within 4.9. */
#include "tests/unit/task_fixture.h"
#include "vm/interp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define ISING                                                                                                            \
  "model ising(edge: index(N)[E, 2], J: real[E], h: real[N] = 0) {\n  s: spin[N] ~ Flat()\n"                            \
  "  energy -sum(J[e] * s[edge[e, 1]] * s[edge[e, 2]] for e in 1..E) - dot(h, s)\n}\n"

/* The program stands in tests/ising, with the instances. */
static fixture run_text(const char *text, const temper_rules *rules, host *memory) {
  fixture f = open_task(text, (opening){.name = "tests/ising/m.aim", .engine = &interp_engine, .memory = memory});
  f.t->rules = rules;
  expect_ok(&f, aim_run(f.t, NULL));
  return f;
}

typedef struct estimate {
  double log_z, error;
} estimate;

static estimate log_z_of(const char *name, const char *with, const temper_rules *rules) {
  char text[1024];
  aim_evidence e;
  snprintf(text, sizeof text, ISING "infer ising on \"%s.ising\" with %s\n", name, with);
  fixture s = run_text(text, rules, NULL);
  assert_int_equal(aim_evidence_get(s.t, &e), AIM_OK);
  close_fixture(&s);
  return (estimate){e.log_evidence, e.standard_error};
}

static bool right(estimate e, double truth, double errors) { return fabs(e.log_z - truth) < errors * e.error && e.error < 0.25; }

static const char population[] = "population(beta = adaptive(0 -> 1, ess = 0.85, sweeps = 2), chains = 16, particles = 250)";
static const char ais[] = "ais(beta = power(0 -> 1, rungs = 400, exponent = 1.5), particles = 4000, draws = 10)";

/* The rows of log_z.csv; the next one, or false. */
static bool next_instance(FILE *f, char *name, double *least, double *log_z) {
  char line[256];
  return fgets(line, sizeof line, f) && sscanf(line, "%63[^,],%lf,%lf", name, least, log_z) == 3;
}

static void test_log_z(void **state) {
  (void)state;
  FILE *f = fopen("tests/ising/log_z.csv", "r");
  char name[64], line[256];
  double least, log_z, worst[2] = {0, 0};
  int n = 0;
  assert_non_null(f);
  assert_non_null(fgets(line, sizeof line, f));
  for (; next_instance(f, name, &least, &log_z); n++) {
    estimate p = log_z_of(name, population, NULL), a = log_z_of(name, ais, NULL);
    if (!right(p, log_z, 7)) fail_msg("%s: population %.4f +- %.4f, not %.4f", name, p.log_z, p.error, log_z);
    if (!right(a, log_z, 4.9)) fail_msg("%s: ais %.4f +- %.4f, not %.4f", name, a.log_z, a.error, log_z);
    worst[0] = fmax(worst[0], fabs(p.log_z - log_z));
    worst[1] = fmax(worst[1], fabs(a.log_z - log_z));
  }
  fclose(f);
  printf("%d instances; log Z off by %.4f at most (population), %.4f (ais)\n", n, worst[0], worst[1]);
  assert_int_equal(n, 26);
}

/* Weights of steps that are a twentieth too short. */
static double short_step(double step, double energy) { return -0.95 * step * energy; }

static void test_wrong(void **state) {
  (void)state;
  static const char *const names[] = {"sk_gauss_n16_a", "er02_gauss_h_n22_a", "pm1_torus_L8_a"};
  static const double log_z[] = {15.3423189659982, 34.2521086013103, 94.581601257341};
  temper_rules wrong = temper_exact;
  wrong.weight = short_step;
  for (size_t k = 0; k < 3; k++) {
    assert_false(right(log_z_of(names[k], population, &wrong), log_z[k], 7));
    assert_false(right(log_z_of(names[k], ais, &wrong), log_z[k], 4.9));
  }
}

static void test_ground_states(void **state) {
  (void)state;
  FILE *f = fopen("tests/ising/log_z.csv", "r");
  char name[64], line[256], text[1024];
  double least, log_z;
  assert_non_null(f);
  assert_non_null(fgets(line, sizeof line, f));
  while (next_instance(f, name, &least, &log_z)) {
    aim_annealing a;
    snprintf(text, sizeof text, ISING "anneal ising on \"%s.ising\" with geometric(beta = 0.1 -> 10, sweeps = 300) using gibbs(replicas = 128)\n", name);
    fixture s = run_text(text, NULL, NULL);
    assert_int_equal(aim_annealing_get(s.t, &a), AIM_OK);
    if (!(fabs(a.best_energy - least) < 1e-6 * fabs(least))) fail_msg("%s: %.8g, not %.8g", name, a.best_energy, least);
    close_fixture(&s);
  }
  fclose(f);
}

/* Agents of 20 spins that cool in 100 steps of ten proposals, with and without an end when their energy has settled: at least half of the steps are saved, and 999 of 1000
 * end as they would have.  Each statement is one replica, which by itself decides when to end; with that few, two may differ. */
static void test_stop(void **state) {
  (void)state;
  enum { SEEDS = 1000 };
  static const char *const with[] = {"cooling(100)", "cooling(100) until stable(window = 15)"};
  uint64_t sweeps[2] = {0, 0};
  size_t differ = 0;
  for (int seed = 1; seed <= SEEDS; seed++) {
    aim_annealing a[2];
    for (size_t k = 0; k < 2; k++) {
      char text[512];
      snprintf(text, sizeof text, "import ising\nmodel agent(n: int) {\n  s: spin[n] ~ Flat()\n  energy ising_energy(fixture_coupling(n), fixture_field(n), s)\n}\n"
               "anneal agent on n = 20 with %s, seed = %d using metropolis(order = random, proposals = 10, replicas = 1)\n", with[k], seed);
      fixture s = run_text(text, NULL, NULL);
      assert_int_equal(aim_annealing_get(s.t, &a[k]), AIM_OK);
      sweeps[k] += a[k].sweeps;
      close_fixture(&s);
    }
    differ += fabs(a[0].best_energy - a[1].best_energy) > 1e-9;
  }
  printf("%.1f %% fewer steps, %zu of %d end elsewhere\n", 100.0 * (1.0 - (double)sweeps[1] / (double)sweeps[0]), differ, SEEDS);
  assert_int_equal(sweeps[0], 100 * SEEDS);
  assert_true(2 * sweeps[1] <= sweeps[0]);
  assert_true(differ <= 2);
}

/* How often the allocator is called does not depend on how many sweeps are made, whichever kernel moves what. */
static void test_allocations(void **state) {
  (void)state;
  static const char *const texts[] = {
      ISING "infer ising on \"er02_gauss_h_n22_a.ising\" with tempering(beta = linear(0 -> 1, rungs = 6), warmup = %d, draws = 20, chains = 2, threads = 1)\n",
      ISING "infer ising on \"er02_gauss_h_n22_a.ising\" with population(beta = linear(0 -> 1, sweeps = %d), particles = 100, chains = 2, threads = 1)\n",
      "model mixed(n: int) {\n  x: real[n] ~ Normal(0, 1)\n  s: spin[n] ~ Flat()\n  energy sum(x[i] * s[i] * s[i %% n + 1] for i in 1..n)\n}\n"
      "infer mixed on n = 4 with tempering(beta = linear(0 -> 1, rungs = 4), warmup = %d, draws = 20, chains = 2, threads = 1)\n",
      "model potts(n: int) {\n  s: index(3)[n] ~ Flat()\n  energy -sum(s[i] == s[i %% n + 1] for i in 1..n)\n}\n"
      "infer potts on n = 12 with population(beta = linear(0 -> 1, sweeps = %d), particles = 100, chains = 2, threads = 1)\n"};
  for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
    size_t calls[2];
    for (size_t run = 0; run < 2; run++) {
      char text[1024];
      host h = {0};
      snprintf(text, sizeof text, texts[k], run ? 300 : 30);
      fixture s = run_text(text, NULL, &h);
      calls[run] = h.calls;
      close_fixture(&s);
      assert_int_equal(h.bytes, 0);
    }
    if (calls[0] != calls[1]) fail_msg("statement %zu: %zu calls of the allocator become %zu when it makes ten times as many sweeps", k + 1, calls[0], calls[1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_log_z), cmocka_unit_test(test_wrong), cmocka_unit_test(test_ground_states), cmocka_unit_test(test_stop),
                                     cmocka_unit_test(test_allocations)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
