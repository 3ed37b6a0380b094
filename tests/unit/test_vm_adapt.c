/* Adaptation against schedules and numbers worked out by hand. */
#include "vm/adapt.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_windows(void **state) {
  (void)state;
  static const struct {
    uint32_t warmup;
    uint32_t ends[8]; /* transitions after which the metric changes */
  } cases[] = {{1000, {100, 150, 250, 450, 950}}, {500, {100, 150, 250, 450}}, {150, {100}}, {149, {135}}, {20, {18}}, {19, {0}}, {0, {0}}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    adapt_metric a;
    double memory[2], q[1], inv_metric[1] = {1.0};
    adapt_result result = {.inv_metric = inv_metric};
    assert_int_equal(adapt_metric_doubles(1, ADAPT_DIAGONAL), 2);
    adapt_metric_init(&a, ADAPT_DIAGONAL, 1, cases[i].warmup, memory);
    size_t seen = 0;
    for (uint32_t k = 0; k < cases[i].warmup + 10; k++) {
      q[0] = k % 2 ? 1.0 : -1.0;
      if (adapt_metric_update(&a, q, NULL, &result)) {
        assert_int_equal(k + 1, cases[i].ends[seen++]);
        assert_true(inv_metric[0] > 0.5 && inv_metric[0] < 1.1);
      }
    }
    assert_true(seen == 8 || cases[i].ends[seen] == 0);
  }
  /* Regularisation: 25 equal positions give 1e-3 * 5/30. */
  adapt_metric a;
  double memory[2], q[1] = {2.0}, inv_metric[1] = {7.0};
  adapt_result result = {.inv_metric = inv_metric};
  adapt_metric_init(&a, ADAPT_DIAGONAL, 1, 1000, memory);
  for (int k = 0; k < 100; k++) adapt_metric_update(&a, q, NULL, &result);
  assert_true(fabs(inv_metric[0] - 1e-3 * 5.0 / 30.0) < 1e-18);
}

static void test_dual_averaging(void **state) {
  (void)state;
  /* The first update by hand: counter 1, eta 1/11, s_bar = (0.8 - 0.5) / 11, x = log(10) - s_bar / 0.05. */
  adapt_step a;
  adapt_step_init(&a, 0.8);
  adapt_step_restart(&a, 1.0);
  double want = exp(log(10.0) - 0.3 / 11.0 / 0.05), got = adapt_step_update(&a, 0.5);
  assert_true(fabs(got - want) < 1e-13 * want && fabs(adapt_step_final(&a) - want) < 1e-13 * want);
  assert_true(isfinite(adapt_step_update(&a, NAN)));
  /* Acceptance exp(-step) has 0.8 at step 0.2231.  The pull towards mu leaves an error of gamma (mu - x) / sqrt(m) = 0.05 * 4.9 / 44.7
   * in acceptance after 2000 updates, and so 0.0069 in the step. */
  adapt_step_restart(&a, 3.0);
  for (int i = 0; i < 2000; i++) want = exp(-adapt_step_update(&a, i ? want : exp(-3.0)));
  assert_true(fabs(adapt_step_final(&a) - 0.22314355) < 0.0069);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_windows),
      cmocka_unit_test(test_dual_averaging),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
