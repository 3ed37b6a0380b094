/* known_means.h: a run against means that are known. */
#ifndef TESTS_UNIT_KNOWN_MEANS_H
#define TESTS_UNIT_KNOWN_MEANS_H

#include "tests/unit/task_fixture.h"

#include <math.h>

/* The largest distance, in MCSE, of the means of all cells of all quantities, in their order, from mean [cells]; those that are NAN are passed over.  A run that tells no distance is
 * infinitely far. */
static inline double farthest_mean(aim_task *t, const double *mean, size_t cells) {
  double most = 0;
  size_t at = 0;
  aim_quantity x;
  for (size_t q = 0; q < aim_quantity_count(t); q++) {
    assert_int_equal(aim_quantity_get(t, q, &x), AIM_OK);
    for (size_t e = 0; e < x.cells; e++, at++) {
      aim_summary s;
      assert_true(at < cells);
      if (isnan(mean[at])) continue;
      assert_int_equal(aim_summarise(t, q, e, &s), AIM_OK);
      const double z = fabs(s.mean - mean[at]) / s.mcse;
      most = isnan(z) ? INFINITY : fmax(most, z);
    }
  }
  assert_int_equal(at, cells);
  return most;
}

#endif
