/* The kernel of the no-U-turn sampler by itself: that it walks as the recursion does, with the same bits at every instruction-set level and
 * in every lane, and what it does at its limits.  test_vm_nuts.c tests what it draws.
 *
 * usage: test_vm_nuts_kernel [time]     time: prints ns per leapfrog step instead */
#include "stdlib/runtime/rt_nuts.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_nuts_kernels.h"
#include "tests/unit/nuts_targets.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void kernel_run(rt_nuts *s, const target *t, uint32_t n, double *out) {
  double g[64], lp = 0.0;
  for (uint32_t i = 0; i < n; i++) {
    for (int want = rt_nuts_start(s, i); want == RT_NUTS_EVAL; want = rt_nuts_advance(s, lp, g)) lp = t->density(s->q_eval, g, t->dim);
    memcpy(out + i * t->dim, s->q, t->dim * sizeof *out);
  }
}

static void kernel_begin(rt_nuts *s, const target *t, uint64_t key, double *work) {
  double q[64], g[64];
  rt_nuts_init(s, t->dim, 10, key, work);
  t->exact(key, q, t->dim);
  double lp = t->density(q, g, t->dim);
  assert_int_equal(rt_nuts_point_set(s, q, lp, g, 1), 0);
  s->step_size = 0.2;
}

/* The same trajectory by the recursion of the papers: given the momentum and the directions, how far it goes involves no further
 * chance, so steps, depth, divergence and acceptance must be equal in every transition. */

typedef struct vec {
  double x[8];
} vec;

typedef struct walker {
  vec q, p, g;
} walker;

typedef struct recursion {
  const target *t;
  const double *inv_metric;
  double step, h0, accept;
  uint32_t n, divergent;
} recursion;

static vec vec_add(vec a, vec b) {
  for (int i = 0; i < 8; i++) a.x[i] += b.x[i];
  return a;
}

static bool straight(const recursion *r, vec a, vec b, vec rho) {
  double da = 0.0, db = 0.0;
  for (size_t i = 0; i < r->t->dim; i++) {
    da += a.x[i] * r->inv_metric[i] * rho.x[i];
    db += b.x[i] * r->inv_metric[i] * rho.x[i];
  }
  return da > 0.0 && db > 0.0;
}

static bool tree_build(recursion *r, int depth, walker *w, int sign, vec *rho, vec *first, vec *last) {
  if (depth == 0) {
    double kinetic = 0.0;
    for (size_t i = 0; i < r->t->dim; i++) {
      w->p.x[i] += 0.5 * sign * r->step * w->g.x[i];
      w->q.x[i] += sign * r->step * r->inv_metric[i] * w->p.x[i];
    }
    double lp = r->t->density(w->q.x, w->g.x, r->t->dim);
    for (size_t i = 0; i < r->t->dim; i++) {
      w->p.x[i] += 0.5 * sign * r->step * w->g.x[i];
      kinetic += 0.5 * r->inv_metric[i] * w->p.x[i] * w->p.x[i];
    }
    r->n++;
    double delta = r->h0 - (kinetic - lp);
    if (!(delta >= -1000.0)) {
      r->divergent = 1;
      return false;
    }
    r->accept += fmin(1.0, exp(delta));
    *rho = *first = *last = w->p;
    return true;
  }
  vec rho_a, rho_b, last_a, first_b;
  if (!tree_build(r, depth - 1, w, sign, &rho_a, first, &last_a)) return false;
  if (!tree_build(r, depth - 1, w, sign, &rho_b, &first_b, last)) return false;
  *rho = vec_add(rho_a, rho_b);
  return straight(r, *first, *last, *rho) && straight(r, *first, first_b, vec_add(rho_a, first_b)) && straight(r, last_a, *last, vec_add(rho_b, last_a));
}

static uint32_t trajectory_run(recursion *r, const rt_nuts *s) {
  walker end[2] = {{.p = {{0}}}};
  memcpy(end[0].q.x, s->q, r->t->dim * sizeof(double));
  memcpy(end[0].p.x, s->end[0].p, r->t->dim * sizeof(double));
  memcpy(end[0].g.x, s->g, r->t->dim * sizeof(double));
  /* The kernel has begun its first step already: undo the half kick where it did. */
  if (!(s->directions & 1)) memcpy(end[0].p.x, s->end[1].p, r->t->dim * sizeof(double));
  end[1] = end[0];
  vec rho = end[0].p;
  uint32_t depth = 0;
  while (depth < s->max_depth) {
    int went = s->directions >> depth & 1;
    vec inner = end[went].p, outer = end[1 - went].p, half, first, last;
    if (!tree_build(r, (int)depth, &end[went], went ? 1 : -1, &half, &first, &last)) break;
    depth++;
    bool on = straight(r, outer, last, vec_add(rho, half)) && straight(r, outer, first, vec_add(rho, first)) &&
              straight(r, inner, last, vec_add(half, inner));
    rho = vec_add(rho, half);
    if (!on) break;
  }
  return depth;
}

static void test_matches_recursion(void **state) {
  (void)state;
  static const struct {
    const target *t;
    double step;
    uint32_t max_depth;
  } cases[] = {{&gauss1, 0.07, 10}, {&gauss2, 0.05, 10}, {&gauss5, 0.02, 10}, {&gauss5, 0.3, 3}, {&gauss5, 0.55, 10}, {&funnel6, 0.4, 10}, {&student5, 0.1, 10}};
  double *work = malloc(rt_nuts_doubles(8, 10) * sizeof *work), metric[8] = {1.0, 2.5, 0.3, 1.5, 0.7, 1.1, 1.0, 1.0};
  uint32_t deepest = 0, divergent = 0;
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    const target *t = cases[k].t;
    rt_nuts s;
    rt_nuts_init(&s, t->dim, cases[k].max_depth, k, work);
    rt_nuts_metric_set(&s, metric);
    for (uint32_t i = 0; i < 2000; i++) {
      double q[8], g[8];
      t->exact(rt_key_fold(k, i), q, t->dim);
      double lp = t->density(q, g, t->dim);
      rt_nuts_point_set(&s, q, lp, g, 1);
      s.step_size = cases[k].step;
      int want = rt_nuts_start(&s, i);
      recursion r = {.t = t, .inv_metric = metric, .step = cases[k].step, .h0 = s.h0};
      uint32_t depth = trajectory_run(&r, &s);
      for (; want == RT_NUTS_EVAL; want = rt_nuts_advance(&s, lp, g)) lp = t->density(s.q_eval, g, t->dim);
      assert_int_equal(s.stats.n_leapfrog, r.n);
      assert_int_equal(s.stats.depth, depth);
      assert_int_equal(s.stats.divergent, r.divergent);
      assert_true(fabs(s.stats.accept_stat - r.accept / r.n) < 1e-9);
      assert_true(s.stats.log_density == s.lp && s.stats.energy > -s.lp);
      double again = t->density(s.q, g, t->dim);
      assert_true(again == s.lp && memcmp(g, s.g, t->dim * sizeof *g) == 0);
      if (depth > deepest) deepest = depth;
      divergent += r.divergent;
    }
  }
  assert_true(deepest >= 8 && divergent > 0);
  free(work);
}

static void test_levels_agree(void **state) {
  (void)state;
  double *work = malloc(rt_nuts_doubles(50, 10) * sizeof *work), *a = malloc(200 * 50 * sizeof *a), *b = malloc(200 * 50 * sizeof *b);
  rt_nuts s;
  kernel_begin(&s, &gauss50, 7, work);
  s.k = rt_nuts_kernels_for(2);
  kernel_run(&s, &gauss50, 200, a);
  for (int level = 3; level <= rt_isa_best(); level++) {
    kernel_begin(&s, &gauss50, 7, work);
    s.k = rt_nuts_kernels_for(level);
    kernel_run(&s, &gauss50, 200, b);
    assert_memory_equal(a, b, 200 * 50 * sizeof *a);
  }
  free(work);
  free(a);
  free(b);
}

/* Two chains in step on interleaved arrays give the draws of two chains alone, although their trees differ. */
static void test_lanes(void **state) {
  (void)state;
  enum { N = 100, D = 5, LANES = 2 };
  double alone[LANES][N * D], together[LANES][N * D], q[D * LANES], g[D * LANES], *work[LANES];
  rt_nuts s[LANES];
  uint32_t at[LANES] = {0};
  for (int l = 0; l < LANES; l++) {
    work[l] = malloc(rt_nuts_doubles(D, 10) * sizeof(double));
    kernel_begin(&s[l], &gauss5, 50 + (uint64_t)l, work[l]);
    kernel_run(&s[l], &gauss5, N, alone[l]);
    kernel_begin(&s[l], &gauss5, 50 + (uint64_t)l, work[l]);
    rt_nuts_lane_set(&s[l], q + l, LANES);
    rt_nuts_start(&s[l], 0);
  }
  while (at[0] < N || at[1] < N)
    for (int l = 0; l < LANES; l++) {
      if (at[l] == N) continue;
      double x[D], gx[D];
      for (int i = 0; i < D; i++) x[i] = s[l].q_eval[i * LANES];
      double lp = gauss_density(x, gx, D);
      for (int i = 0; i < D; i++) g[i * LANES + l] = gx[i];
      if (rt_nuts_advance(&s[l], lp, g + l) == RT_NUTS_DONE) {
        memcpy(together[l] + at[l] * D, s[l].q, sizeof x);
        if (++at[l] < N) rt_nuts_start(&s[l], at[l]);
      }
    }
  assert_memory_equal(alone, together, sizeof alone);
  free(work[0]);
  free(work[1]);
}

static void test_kernel_limits(void **state) {
  (void)state;
  assert_int_equal(rt_nuts_doubles(0, 10), 0);
  assert_int_equal(rt_nuts_doubles(5, 0), 0);
  assert_int_equal(rt_nuts_doubles(5, RT_NUTS_DEPTH_LIMIT + 1), 0);
  assert_int_equal(rt_nuts_doubles(SIZE_MAX / 64, 10), 0);
  assert_int_equal(rt_nuts_doubles(SIZE_MAX, 1), 0);

  /* A step far too small meets the depth limit: 1 + 2 + 4 steps at depth 3. */
  double *work = malloc(rt_nuts_doubles(5, 3) * sizeof *work), q[5], g[5], bad[5] = {1.0, 1.0, 0.0, 1.0, 1.0}, out[5 * 20];
  rt_nuts s;
  rt_nuts_init(&s, 5, 3, 1, work);
  gauss_exact(1, q, 5);
  double lp = gauss_density(q, g, 5);
  assert_int_equal(rt_nuts_point_set(&s, q, -INFINITY, g, 1), -1);
  assert_int_equal(rt_nuts_point_set(&s, q, NAN, g, 1), -1);
  assert_int_equal(rt_nuts_metric_set(&s, bad), -1);
  bad[2] = NAN;
  assert_int_equal(rt_nuts_metric_set(&s, bad), -1);
  assert_int_equal(rt_nuts_point_set(&s, q, lp, bad, 1), -1);
  assert_int_equal(rt_nuts_point_set(&s, q, lp, g, 1), 0);
  s.step_size = 1e-4;
  kernel_run(&s, &gauss5, 20, out);
  assert_int_equal(s.stats.depth, 3);
  assert_int_equal(s.stats.n_leapfrog, 7);
  assert_true(s.stats.accept_stat > 0.999 && !s.stats.divergent);

  /* -inf, NaN, +inf and a NaN gradient end a transition as a divergence and leave the point. */
  static const double odd[] = {-INFINITY, NAN, INFINITY, -1.0};
  for (int i = 0; i < 4; i++) {
    double before[5], nan_g[5] = {NAN, NAN, NAN, NAN, NAN};
    memcpy(before, s.q, sizeof before);
    assert_int_equal(rt_nuts_start(&s, 100 + (uint64_t)i), RT_NUTS_EVAL);
    assert_int_equal(rt_nuts_advance(&s, odd[i], nan_g), RT_NUTS_DONE);
    assert_int_equal(s.stats.divergent, 1);
    assert_int_equal(s.stats.n_nan, i == 0 ? 0 : 1);
    assert_true(s.stats.accept_stat == 0.0 && s.stats.depth == 0 && s.stats.n_leapfrog == 1);
    assert_memory_equal(before, s.q, sizeof before);
  }
  free(work);
}

/* Far in the tail the weights would overflow: the first transitions gain thousands in log density. */
static void test_far_tail(void **state) {
  (void)state;
  double work[512], q[1] = {3000.0}, g[1];
  assert_true(rt_nuts_doubles(1, 10) <= 512);
  rt_nuts s;
  rt_nuts_init(&s, 1, 10, 3, work);
  double lp = gauss_density(q, g, 1), out[40];
  assert_int_equal(rt_nuts_point_set(&s, q, lp, g, 1), 0);
  s.step_size = 0.5;
  kernel_run(&s, &gauss1, 40, out);
  for (int i = 0; i < 40; i++) assert_true(isfinite(out[i]));
  assert_true(fabs(out[39]) < 6.0);
}

static double flat_density(const double *q, double *g, size_t dim) {
  (void)q;
  for (size_t i = 0; i < dim; i++) g[i] = 0.0;
  return 0.0;
}

static void step_find(rt_nuts *s, const target *t) {
  double g[64], lp = 0.0;
  for (int want = rt_nuts_step_start(s, 0); want == RT_NUTS_EVAL; want = rt_nuts_advance(s, lp, g)) lp = t->density(s->q_eval, g, t->dim);
}

static void test_step_search(void **state) {
  (void)state;
  double *work = malloc(rt_nuts_doubles(5, 10) * sizeof *work), before[5];
  rt_nuts s;
  static const double starts[] = {1e-6, 1.0, 1e6};
  for (int i = 0; i < 3; i++) {
    kernel_begin(&s, &gauss5, 11, work);
    memcpy(before, s.q, sizeof before);
    s.step_size = starts[i];
    step_find(&s, &gauss5);
    assert_true(s.step_size > 0.02 && s.step_size < 2.0 && !s.step_bounded); /* the smallest scale is 0.2 */
    assert_memory_equal(before, s.q, sizeof before);
  }
  target flat = gauss5;
  flat.density = flat_density;
  kernel_begin(&s, &flat, 11, work);
  step_find(&s, &flat);
  assert_true(s.step_bounded && s.step_size <= 0x1p24);
  free(work);
}

/* Time of a leapfrog step with a density of a few ns per dimension. */

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double simple_density(const double *q, double *g, size_t dim) {
  double lp = 0.0;
  for (size_t i = 0; i < dim; i++) {
    lp -= 0.5 * q[i] * q[i];
    g[i] = -q[i];
  }
  return lp;
}

static void time_print(void) {
  static const size_t dims[] = {1, 2, 5, 10, 20, 50, 250, 1000};
  static const double steps[] = {0.6, 0.05};
  printf("  dim  step  leapfrogs/transition  ns/leapfrog with gradient  gradient alone\n");
  for (size_t k = 0; k < 2; k++)
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
      size_t dim = dims[i];
      double *work = malloc(rt_nuts_doubles(dim, 10) * sizeof *work), *g = calloc(dim, sizeof *g), *q = calloc(dim, sizeof *q), lp = 0.0;
      double best = INFINITY, alone = INFINITY, per = 0.0;
      rt_nuts s;
      rt_nuts_init(&s, dim, 10, 5, work);
      rt_nuts_point_set(&s, q, lp, g, 1);
      s.step_size = steps[k];
      for (int rep = 0; rep < 7; rep++) {
        uint64_t n = 0, transitions = 2 + (uint64_t)(2e6 * steps[k] / (double)(dim + 40));
        double t0 = seconds();
        for (uint64_t t = 0; t < transitions; t++, n += s.stats.n_leapfrog)
          for (int want = rt_nuts_start(&s, t); want == RT_NUTS_EVAL; want = rt_nuts_advance(&s, lp, g)) lp = simple_density(s.q_eval, g, dim);
        double t1 = seconds();
        for (uint64_t t = 0; t < 100000; t++) lp += simple_density(s.q, g, dim);
        double t2 = seconds();
        best = fmin(best, (t1 - t0) / (double)n);
        alone = fmin(alone, (t2 - t1) / 1e5);
        per = (double)n / (double)transitions;
      }
      printf("%5zu  %4.2f  %20.1f  %25.1f  %14.1f%s\n", dim, steps[k], per, 1e9 * best, 1e9 * alone, lp == 1.0 ? " " : "");
      free(work);
      free(g);
      free(q);
    }
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "time") == 0) {
    time_print();
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_matches_recursion), cmocka_unit_test(test_levels_agree), cmocka_unit_test(test_lanes),
      cmocka_unit_test(test_kernel_limits),     cmocka_unit_test(test_far_tail),     cmocka_unit_test(test_step_search),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
