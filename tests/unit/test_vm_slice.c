/* test_vm_slice.c: one update of slice sampling leaves uniform distributions as they are: on two pieces with a gap that is narrower than the window, where what
 * matters is that the window lies anywhere about the point; and on one piece that is longer than stepping out reaches, where it is that the steps are divided
 * at random (Neal 2003, section 4.1).
 *
 * Points are exact draws, and each is moved once, so a share of them is binomial.  4.9 standard errors are one in a million; with POINTS of them a share of 0.2 is told from
 * one that differs by 0.01.  Twins that put the point in the middle of the window, and that take half of the steps to each side, must fail. */
#include "vm/slice.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { POINTS = 200000, FEW = 20000, MOST_STEPS = 1000 };

/* Uniform on 0 .. 1 and, behind a gap, on 0.3 more; without a gap on 0 .. 1 alone. */
#define SECOND 0.3
typedef struct line {
  double at, gap;
} line;

static bool inside(const line *l, double d) {
  const double x = l->at + d;
  return (x > 0 && x < 1) || (l->gap > 0 && x > 1 + l->gap && x < 1 + l->gap + SECOND);
}

static bool density(void *user, double d, double *out) {
  *out = inside(user, d) ? 0.0 : -INFINITY;
  return true;
}

typedef enum update { RIGHT, CENTRED, HALVED } update;

static double uniform(rt_draw_addr *at) {
  const double u = rt_draw_uniform(*at);
  at->index++;
  return u;
}

/* The update of slice.c for these densities, of which every point inside is above the level; wrong in one place. */
static double twin(const line *l, double width, rt_draw_addr *at, update which) {
  double left = -width * (which == CENTRED ? 0.5 : uniform(at)), right = left + width, d = 0.0;
  int steps = which == HALVED ? MOST_STEPS / 2 : (int)(uniform(at) * MOST_STEPS), rest = MOST_STEPS - 1 - steps;
  for (; steps > 0 && inside(l, left); steps--) left -= width;
  for (; rest > 0 && inside(l, right); rest--) right += width;
  while (d = left + uniform(at) * (right - left), !inside(l, d)) *(d < 0 ? &left : &right) = d;
  return d;
}

/* z of the share of points that end where `counts` says so, which is `share` of the distribution. */
static double share_z(double gap, double width, int points, double share, bool (*counts)(double x), update which) {
  int n = 0;
  for (int k = 0; k < points; k++) {
    const double u = rt_draw_uniform((rt_draw_addr){91, 0, (uint64_t)k});
    const double x = gap > 0 ? (1 + SECOND) * u : u;
    line l = {x < 1 ? x : x + gap, gap};
    rt_draw_addr at = {92, (uint32_t)k, 0};
    double d;
    if (which != RIGHT) d = twin(&l, width, &at, which);
    else assert_true(slice_update(density, &l, width, SLICE_MOST_STEPS, &at, &d));
    assert_true(inside(&l, d));
    n += counts(l.at + d);
  }
  return fabs(n - points * share) / sqrt(points * share * (1 - share));
}

/* A centred window of 0.5 never crosses a gap of 0.2 from where an end of it falls into the gap: from 0.4 of the first piece, and from 2/3 of the second. */
static bool behind_the_gap(double x) { return x > 1; }
static bool at_the_ends(double x) { return x < 0.1 || x > 0.9; }

static void test_gap(void **state) {
  (void)state;
  assert_true(share_z(0.2, 0.5, POINTS, SECOND / (1 + SECOND), behind_the_gap, RIGHT) < 4.9);
  assert_false(share_z(0.2, 0.5, POINTS, SECOND / (1 + SECOND), behind_the_gap, CENTRED) < 4.9);
}

/* At most half of the piece is stepped over. */
static void test_limit(void **state) {
  (void)state;
  assert_true(share_z(0, 0.0005, FEW, 0.2, at_the_ends, RIGHT) < 4.9);
  assert_false(share_z(0, 0.0005, FEW, 0.2, at_the_ends, HALVED) < 4.9);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_gap), cmocka_unit_test(test_limit)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
