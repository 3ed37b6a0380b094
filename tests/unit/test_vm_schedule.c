/* test_vm_schedule.c: schedules as the sequences of inverse temperatures that they ask for. */
#include "tests/unit/task_fixture.h"
#include "vm/schedule_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 4000 };

typedef struct session {
  fixture f;
  schedule_run s;
  double r[4096];
  schedule_slot slot[64];
} session;

/* The schedule of a file's statement, at its first step. */
static void begin(session *s, const char *schedules, const char *with) {
  static char text[4096];
  snprintf(text, sizeof text, "%s\nmodel m(n: int) { s: spin[n] ~ Flat(); energy -sum(s) }\nanneal m on n = 20 with %s\n", schedules, with);
  s->f = open_task(text, (opening){0});
  assert_int_equal(aim_program_diagnostic_count(s->f.p), 0);
  expect_ok(&s->f, aim_bind(s->f.t));
  const schedule *code = s->f.t->plan.schedule;
  assert_true(code->registers <= 4096 && code->slots <= 64);
  static double inputs[4096];
  assert_null(schedule_inputs(code, &s->f.t->p, inputs));
  s->s = (schedule_run){.s = code, .r = s->r, .slot = s->slot};
  schedule_begin(&s->s, inputs);
}

static void end(session *s) { close_fixture(&s->f); }

/* Steps until the end, the energy after t sweeps being energy(t); fills betas, returns the number of sweeps. */
static size_t play(session *s, double (*energy)(uint64_t sweeps), double *beta, schedule_state *state) {
  schedule_stats x = {.energy = energy(0), .best = energy(0), .acceptance = 1.0, .ess = 1.0};
  schedule_step step;
  size_t n = 0;
  while ((*state = schedule_next(&s->s, &x, &step)) == SCHEDULE_STEP)
    for (uint64_t k = 0; k < step.sweeps; k++) {
      assert_true(n < MOST);
      beta[n++] = step.beta;
      x.sweeps++;
      x.energy = energy(x.sweeps);
      x.since_best = x.energy < x.best ? 0 : x.since_best + 1;
      if (x.energy < x.best) x.best = x.energy;
      x.acceptance = 1.0 / (double)(1 + x.sweeps);
    }
  return n;
}

static double falling(uint64_t t) { return -(double)t; }
static double settled(uint64_t t) { return t < 30 ? -(double)t : -30.0; }
static double rising(uint64_t t) { return (double)t; }

static size_t run_all(const char *schedules, const char *with, double (*energy)(uint64_t), double *beta) {
  session s;
  schedule_state state;
  begin(&s, schedules, with);
  size_t n = play(&s, energy, beta, &state);
  assert_int_equal(state, SCHEDULE_DONE);
  end(&s);
  return n;
}

static void near(double x, double y) {
  if (fabs(x - y) <= 1e-12 * (1.0 + fabs(y))) return;
  fprintf(stderr, "%.17g, not %.17g\n", x, y);
  fail();
}

/* 50 + n // 10 sweeps: 52 for 20 spins.  Half-open: the last of S is at (S - 1) / S of the way. */
static void test_timed(void **state) {
  (void)state;
  static double b[MOST];
  assert_int_equal(run_all("schedule cool(n: int) = geometric(beta = 0.1 -> 10, sweeps = 50 + n // 10)", "cool(n)", falling, b), 52);
  near(b[0], 0.1);
  near(b[51], 0.1 * pow(100.0, 51.0 / 52.0));
  assert_int_equal(run_all("", "geometric(beta = 0.1 -> 0.1 * exp(10.0), sweeps = 100)", falling, b), 100);
  for (int k = 0; k < 100; k++) near(b[k], 0.1 * exp(10.0 * k / 100.0));
  assert_true(fabs(b[99] - 1993.037) < 5e-4);
  assert_int_equal(run_all("", "linear(beta = 0 -> 1, sweeps = 100) then hold(sweeps = 3)", falling, b), 103);
  near(b[0], 0.0);
  near(b[99], 0.99);
  near(b[102], 0.99);
  assert_int_equal(run_all("", "power(beta = 1 -> 3, sweeps = 4)", falling, b), 4);
  near(b[1], 1.0 + 2.0 / 16.0);
  assert_int_equal(run_all("", "logarithmic(beta = 0 -> 2, sweeps = 7)", falling, b), 7);
  near(b[3], 2.0 * log(4.0) / log(8.0));
  assert_int_equal(run_all("", "piecewise(beta = [0, 1, 5], sweeps = 8)", falling, b), 8);
  const double want[8] = {0, 0.25, 0.5, 0.75, 1, 2, 3, 4};
  for (int k = 0; k < 8; k++) near(b[k], want[k]);
}

/* Ladders are closed. */
static void test_ladders(void **state) {
  (void)state;
  static double b[MOST];
  assert_int_equal(run_all("", "geometric(0.1 -> 1, rungs = 12)", falling, b), 12);
  near(b[0], 0.1);
  near(b[1], 0.1 * pow(10.0, 1.0 / 11.0));
  assert_true(b[11] == 1.0);
  assert_int_equal(run_all("", "linear(0 -> 2, rungs = 5)", falling, b), 5);
  near(b[2], 1.0);
  assert_true(b[4] == 2.0);
  assert_int_equal(run_all("", "power(0 -> 2, rungs = 1)", falling, b), 1);
  assert_true(b[0] == 2.0);
}

static void test_combinators(void **state) {
  (void)state;
  static double b[MOST];
  assert_int_equal(run_all("", "hold(beta = 2, sweeps = 3) repeat 4", falling, b), 12);
  assert_int_equal(run_all("", "hold(beta = 2, sweeps = 300) until energy < -9.5 then hold(sweeps = 2)", falling, b), 12);
  /* The energy is at rest from sweep 30 on, and has been so for 20 sweeps after 50. */
  assert_int_equal(run_all("", "hold(sweeps = 300) until stable(window = 20)", settled, b), 50);
  assert_int_equal(run_all("", "hold(sweeps = 300) until stable(window = 20)", falling, b), 300);
  /* The best energy is that of the beginning. */
  assert_int_equal(run_all("", "hold(sweeps = 300) until stalled(7)", rising, b), 7);
  /* Acceptance is below 0.25 after the fourth sweep, and after every later one. */
  assert_int_equal(run_all("", "(hold(sweeps = 10) until acceptance < 0.25) repeat 2", falling, b), 5);
  assert_int_equal(run_all("", "if n > 10 { hold(sweeps = 4) } else { hold(sweeps = 5) }", falling, b), 4);
}

static void test_own(void **state) {
  (void)state;
  static double b[MOST];
  static const char reheat[] = "schedule reheat(n: int) {\n  beta = 0.01\n  for k in 1..100 until acceptance < 0.2 { beta = 1.2 * beta; sweep }\n"
                               "  for k in 1..n { beta = if stalled(10) { 0.5 * beta } else { 1.05 * beta }; sweep(5) }\n}";
  /* Acceptance 1 / (1 + t) is below 0.2 after 5 sweeps; then the best is never older than the last sweep. */
  assert_int_equal(run_all(reheat, "reheat(2)", falling, b), 15);
  double beta = 0.01;
  for (int k = 0; k < 5; k++) near(b[k], beta *= 1.2);
  for (int k = 0; k < 2; k++) {
    beta *= 1.05;
    for (int i = 0; i < 5; i++) near(b[5 + 5 * k + i], beta);
  }
  /* After 5 sweeps of a rising energy the best is 5 old, after 10 it is 10 old. */
  assert_int_equal(run_all(reheat, "reheat(2)", rising, b), 15);
  near(b[5], 1.05 * 0.01 * pow(1.2, 5));
  near(b[10], 0.5 * 1.05 * 0.01 * pow(1.2, 5));
  assert_int_equal(run_all("schedule down(n: int) { let c = 0; for k in n..1 by -2 { c = c + k; beta = c; sweep } }", "down(5)", falling, b), 3);
  near(b[2], 9.0);
  /* Functions of the file, of each other, by names and with ints that become reals. */
  static const char functions[] = "fn half(x: real): real = x / 2\nfn rise(k: int, top: real): real = if k < 3 { half(top) * k } else { max(half(top + k), 0.5) }\n"
                                  "fn late(e: real, k: int): bool = k > 4 and e < 0\n"
                                  "schedule up(n: int) { let top = 7; for k in 1..n until late(energy, k) { beta = rise(top = top, k = k); sweep } }";
  assert_int_equal(run_all(functions, "up(9)", falling, b), 5);
  const double want[5] = {3.5, 7.0, 5.0, 5.5, 6.0};
  for (int k = 0; k < 5; k++) near(b[k], want[k]);
  /* A file's own schedule hides the library's. */
  assert_int_equal(run_all("schedule hold(sweeps: int) { sweep }", "hold(sweeps = 9)", falling, b), 1);
}

/* The next beta is where the weights are worth the share asked for. */
static void test_adaptive(void **state) {
  (void)state;
  session s;
  begin(&s, "", "adaptive(beta = 0 -> 1, ess = 0.5)");
  double energy[100];
  for (int k = 0; k < 100; k++) energy[k] = 10.0 * sin(k);
  schedule_stats x = {.acceptance = 1.0, .ess = 1.0, .energies = energy, .n = 100};
  schedule_step step;
  double beta = 0.0;
  size_t n = 0;
  schedule_state st;
  while ((st = schedule_next(&s.s, &x, &step)) == SCHEDULE_STEP) {
    if (n && step.beta < 1.0) assert_true(fabs(schedule_ess(energy, 100, step.beta - beta) - 0.5) < 1e-6);
    assert_true(n == 0 || step.beta > beta);
    beta = step.beta;
    n++;
  }
  assert_int_equal(st, SCHEDULE_DONE);
  assert_true(beta == 1.0 && n > 3);
  end(&s);
}

static void test_failures(void **state) {
  (void)state;
  static const char *const wrong[] = {"schedule a(n: int) { beta = -1; sweep }", "schedule a(n: int) { beta = 1 / (n - 20); sweep }", "schedule a(n: int) { sweep(n // 0) }",
                                      "schedule a(n: int) { for k in 1..1000000000 { beta = 1 } }"};
  for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
    session s;
    schedule_state st;
    static double b[MOST];
    begin(&s, wrong[k], "a(n)");
    play(&s, falling, b, &st);
    assert_int_equal(st, SCHEDULE_FAILED);
    assert_non_null(s.s.why);
    assert_true(s.s.where.file != 0);
    end(&s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_timed), cmocka_unit_test(test_ladders),  cmocka_unit_test(test_combinators),
                                     cmocka_unit_test(test_own),   cmocka_unit_test(test_adaptive), cmocka_unit_test(test_failures)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
