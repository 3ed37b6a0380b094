/* test_vm_mh.c: single-site Metropolis-Hastings against closed forms, and twins with a wrong ratio, which the same test must catch.
 *
 * The target is s ~ Gamma(3, 1), mu ~ Normal(1, 2): means 3 and 1, variances 3 and 4.  A run passes when each mean and mean
 * square is within 4.9 Monte Carlo standard errors of the truth (false alarm one in a million each; the seed is fixed).  The
 * twins run the same driver on an engine that falsifies the score of one element: without the Jacobian of the log scale s
 * comes from Gamma(2, 1), a mean off by a third; with differences of scores scaled by 0.8 mu has variance 5. */
#include "tests/unit/host.h"
#include "vm/api.h"
#include "vm/interp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char model[] = "model m() {\n  s ~ Gamma(3, 1)\n  mu ~ Normal(1, 2)\n  track s2 = s * s\n  track mu2 = mu * mu\n}\n"
                            "infer m with mh(chains = 4, warmup = 2000, draws = 20000)\n";

/* The function whose score is falsified.  Set by find when the driver looks its functions up; a test runs one task at a time. */
static int target = -1;

static int find_s(const exec_program *p, const char *name) {
  int fn = interp_engine.find(p, name);
  if (strcmp(name, "local.s") == 0) target = fn;
  return fn;
}
static exec_status without_jacobian(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  exec_status st = interp_engine.call(w, fn, lanes, in, out, report);
  if (fn == target) out[0].p->real -= log(in[0].p->real);
  return st;
}

static int find_mu(const exec_program *p, const char *name) {
  int fn = interp_engine.find(p, name);
  if (strcmp(name, "local.mu") == 0) target = fn;
  return fn;
}
static exec_status scaled(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  exec_status st = interp_engine.call(w, fn, lanes, in, out, report);
  if (fn == target) out[0].p->real *= 0.8;
  return st;
}

typedef struct expectation {
  const char *name;
  size_t cell;
  double truth;
} expectation;

/* The largest |estimate - truth| / MCSE. */
static double largest_z(const exec_engine *engine, const char *text, size_t n, const expectation *want) {
  aim_config config;
  aim_config_init(&config);
  aim_vm *vm = aim_vm_new(&config);
  assert_non_null(vm);
  target = -1;
  aim_vm_engine(vm, engine);
  aim_program *p;
  aim_task *t;
  assert_int_equal(aim_load(vm, "m.aim", text, strlen(text), &p), AIM_OK);
  assert_int_equal(aim_task_statement(p, 0, &t), AIM_OK);
  assert_int_equal(aim_bind(t), AIM_OK);
  assert_int_equal(aim_run(t, NULL), AIM_OK);
  double worst = 0.0;
  for (size_t k = 0; k < n; k++) {
    aim_summary x;
    assert_int_equal(aim_summarise(t, aim_quantity_find(t, want[k].name), want[k].cell, &x), AIM_OK);
    double z = fabs(x.mean - want[k].truth) / x.mcse;
    if (!(z <= worst)) worst = z; /* a NaN is the worst */
  }
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
  return worst;
}

static double worst_z(const exec_engine *engine) {
  static const expectation want[] = {{"s", 0, 3.0}, {"s2", 0, 12.0}, {"mu", 0, 1.0}, {"mu2", 0, 5.0}};
  return largest_z(engine, model, sizeof want / sizeof *want, want);
}

static void test_right(void **state) {
  (void)state;
  assert_true(worst_z(&interp_engine) < 4.9);
}

static void test_without_jacobian(void **state) {
  (void)state;
  exec_engine e = interp_engine;
  e.find = find_s;
  e.call = without_jacobian;
  assert_false(worst_z(&e) < 4.9);
  assert_int_not_equal(target, -1);
}

static void test_scaled_ratio(void **state) {
  (void)state;
  exec_engine e = interp_engine;
  e.find = find_mu;
  e.call = scaled;
  assert_false(worst_z(&e) < 4.9);
  assert_int_not_equal(target, -1);
}

/* Elements of several cells move on the unconstrained space, whose Jacobian changes with them: w is Dirichlet(1, 2, 3), and o two
 * draws of Exponential(1) in their order, with means 1/2 and 3/2. */
static void test_points(void **state) {
  (void)state;
  static const char text[] = "model m() {\n  w ~ Dirichlet([1.0, 2.0, 3.0])\n  o: ordered<lower = 0>(2) ~ Exponential(1)\n  track w2 = w * w\n}\n"
                             "infer m with mh(chains = 4, warmup = 2000, draws = 20000)\n";
  const expectation want[] = {{"w", 0, 1.0 / 6}, {"w", 1, 2.0 / 6}, {"w", 2, 3.0 / 6}, {"w2", 0, 2.0 / 42}, {"w2", 1, 6.0 / 42}, {"w2", 2, 12.0 / 42},
                              {"o", 0, 0.5}, {"o", 1, 1.5}};
  assert_true(largest_z(&interp_engine, text, sizeof want / sizeof *want, want) < 4.9);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_right), cmocka_unit_test(test_without_jacobian), cmocka_unit_test(test_scaled_ratio),
                                     cmocka_unit_test(test_points)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
