/* test_vm_resample.c: systematic resampling (resample.h): each particle has n w children, rounded down or up, as often as their mean asks for; children come in an
 * order that says nothing; what has no weight has no children.
 *
 * Means are over ROUNDS independent keys: 4.9 standard errors are one in a million, and a mean that is off by 0.017 is noticed.  The twin begins every round at the
 * middle of the first stratum. */
#include "vm/resample.h"

#include "stdlib/runtime/rt_sample.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { ROUNDS = 20000, N = 5, WANT = 4 };

static const double weight[N] = {0.1, 0, 0.25, 0.65, 0};

static void middle(uint64_t *parent) {
  double below = weight[0];
  for (size_t k = 0, i = 0; k < WANT; k++) {
    while (below <= ((double)k + 0.5) / WANT) below += weight[++i];
    parent[k] = i;
  }
}

/* The largest |z| of the mean numbers of children. */
static double children_z(bool twin) {
  double logw[N], worst = 0, first = 0;
  int count[N] = {0};
  for (int i = 0; i < N; i++) logw[i] = log(weight[i]);
  for (uint64_t round = 0; round < ROUNDS; round++) {
    uint64_t parent[WANT];
    int own[N] = {0};
    if (twin) middle(parent);
    else resample(rt_key_fold(7, round), logw, N, logw[3], 1 / weight[3], WANT, parent);
    for (int k = 0; k < WANT; k++) own[parent[k]]++;
    for (int i = 0; i < N; i++) {
      assert_true(own[i] >= floor(WANT * weight[i]) && own[i] <= ceil(WANT * weight[i]));
      count[i] += own[i];
    }
    first += parent[0] == 3;
  }
  for (int i = 0; i < N; i++) {
    const double mean = WANT * weight[i], up = mean - floor(mean);
    if (up > 0) worst = fmax(worst, fabs(count[i] - ROUNDS * mean) / sqrt(ROUNDS * up * (1 - up)));
  }
  /* The first of the children is any of them. */
  return twin ? worst : fmax(worst, fabs(first - ROUNDS * weight[3]) / sqrt(ROUNDS * weight[3] * (1 - weight[3])));
}

static void test_children(void **state) {
  (void)state;
  assert_true(children_z(false) < 4.9);
  assert_false(children_z(true) < 4.9);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_children)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
