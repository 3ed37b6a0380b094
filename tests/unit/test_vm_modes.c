/* test_vm_modes.c: map, laplace and pathfinder against closed forms, and twins that the same checks must catch.
 *
 * Statistical checks allow 4.9 standard errors (false alarm one in a million each; seeds are fixed).  The twins run the same drivers on an
 * engine that falsifies the gradient's density: a map with the Jacobian of a log scale, a laplace and a pathfinder of a density that is too wide, and
 * a pathfinder without a Jacobian. */
#include "tests/unit/task_fixture.h"
#include "vm/initial.h"
#include "vm/interp.h"
#include "vm/pathfinder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int target = -1, value = -1; /* @grad and @logdens */

static int find(const exec_program *p, const char *name) {
  int fn = interp_engine.find(p, name);
  if (strcmp(name, "grad") == 0) target = fn;
  if (strcmp(name, "logdens") == 0) value = fn;
  return fn;
}

/* Adds c u to the log density of the one unknown u: the Jacobian of exp, or what takes it away. */
static double added;
static exec_status with_slope(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  exec_status st = interp_engine.call(w, fn, lanes, in, out, report);
  if (fn == target || fn == value) out[0].p->real += added * in[0].p->real;
  if (fn == target) out[1].p->real += added;
  return st;
}

static exec_status widened(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  exec_status st = interp_engine.call(w, fn, lanes, in, out, report);
  if (fn == target || fn == value) out[0].p->real *= 0.7;
  if (fn == target) out[1].p->real *= 0.7;
  return st;
}

static aim_status open_run(fixture *f, const char *text, const exec_engine *engine) {
  target = value = -1;
  *f = open_task(text, (opening){.engine = engine});
  return aim_run(f->t, NULL);
}

static aim_summary row(fixture *s, const char *name, size_t cell) {
  aim_summary x;
  assert_int_equal(aim_summarise(s->t, aim_quantity_find(s->t, name), cell, &x), AIM_OK);
  return x;
}

/* ---- map */

static void test_map(void **state) {
  (void)state;
  fixture s;
  static const char text[] = "model m(y: real[N]) {\n  p ~ Beta(3, 2)\n  s ~ Gamma(3, 1)\n  w ~ Dirichlet([2.0, 3.0, 4.0])\n"
                             "  u: real<lower = 0, upper = 4> ~ Normal(1, 2)\n  l: real<upper = 2> ~ Normal(0, 1)\n  mu ~ Normal(0, 2)\n  y ~ Normal(mu, 1)\n"
                             "  o: ordered(2) ~ Normal([-1.0, 3.0], 1)\n  track twice = 2 * mu\n}\n"
                             "infer m on y = [1, 2, 3] with map\n";
  assert_int_equal(open_run(&s, text, NULL), AIM_OK);
  const double mu = 6.0 / 3.25;
  const struct {
    const char *name;
    size_t cell;
    double mode;
  } want[] = {{"p", 0, 2.0 / 3}, {"s", 0, 2}, {"w", 0, 1.0 / 6}, {"w", 1, 2.0 / 6}, {"w", 2, 3.0 / 6}, {"u", 0, 1}, {"l", 0, 0}, {"mu", 0, mu}, {"twice", 0, 2 * mu},
              {"o", 0, -1}, {"o", 1, 3}};
  for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
    double got = row(&s, want[k].name, want[k].cell).mean;
    if (!(fabs(got - want[k].mode) < 1e-4)) fail_msg("%s[%zu]: %.8g is not %.8g", want[k].name, want[k].cell, got, want[k].mode);
  }
  aim_approximation x;
  assert_int_equal(aim_approximation_get(s.t, &x), AIM_OK);
  assert_true(x.settled && x.agreed == 4 && x.paths == 4 && isnan(x.pareto_k));
  assert_int_equal(aim_draw_count(s.t, 0), 1);
  close_fixture(&s);
}

static double map_of(const exec_engine *engine) {
  fixture s;
  assert_int_equal(open_run(&s, "model m() {\n  s ~ Gamma(3, 1)\n}\ninfer m with map\n", engine), AIM_OK);
  double x = row(&s, "s", 0).mean;
  close_fixture(&s);
  return x;
}

static void test_map_with_jacobian(void **state) {
  (void)state;
  exec_engine e = interp_engine;
  e.find = find;
  e.call = with_slope;
  added = 1.0;
  assert_true(fabs(map_of(&interp_engine) - 2.0) < 1e-4);
  assert_false(fabs(map_of(&e) - 2.0) < 1e-4);
  assert_int_not_equal(target, -1);
}

static void test_no_mode(void **state) {
  (void)state;
  fixture s;
  assert_int_equal(open_run(&s, "model m(y: real[J]) {\n  tau ~ HalfCauchy(5)\n  theta: real[J] ~ Normal(0, tau)\n  y ~ Normal(theta, 5)\n}\n"
                                "infer m on y = [1, 2, 3] with map(iterations = 200)\n", NULL), AIM_OK);
  aim_approximation x;
  assert_int_equal(aim_approximation_get(s.t, &x), AIM_OK);
  assert_false(x.settled);
  close_fixture(&s);
  assert_int_equal(open_run(&s, "model m() {\n  k ~ Poisson(3)\n}\ninfer m with map\n", NULL), AIM_E_PROGRAM);
  close_fixture(&s);
  assert_int_equal(open_run(&s, "model m() {\n  a ~ Flat()\n  b ~ Normal(0, 1)\n}\ninfer m with laplace\n", NULL), AIM_E_PROGRAM);
  aim_diagnostic d;
  assert_int_equal(aim_task_diagnostic(s.t, 0, &d), AIM_OK);
  assert_non_null(strstr(d.message, "along `a`"));
  close_fixture(&s);
}

/* ---- laplace and pathfinder on a normal posterior: y[i] ~ Normal(a + b x[i], 1), a and b ~ Normal(0, 2) */

#define LINE "model line(x: real[N], y: real[N]) {\n  a ~ Normal(0, 2)\n  b ~ Normal(0, 2)\n  y ~ Normal(a + b * x, 1)\n}\n" \
             "infer line on x = [-1, 0, 1, 3], y = [0.5, 1.5, 1, 4] with "

typedef struct line_truth {
  double mean[2], var[2], log_evidence;
} line_truth;

static line_truth line(void) {
  static const double x[] = {-1, 0, 1, 3}, y[] = {0.5, 1.5, 1, 4};
  double p[2][2] = {{0.25, 0}, {0, 0.25}}, h[2] = {0, 0}, yy = 0;
  for (int i = 0; i < 4; i++) {
    p[0][0] += 1, p[0][1] += x[i], p[1][1] += x[i] * x[i];
    h[0] += y[i], h[1] += x[i] * y[i], yy += y[i] * y[i];
  }
  const double det = p[0][0] * p[1][1] - p[0][1] * p[0][1];
  line_truth t = {{(p[1][1] * h[0] - p[0][1] * h[1]) / det, (p[0][0] * h[1] - p[0][1] * h[0]) / det}, {p[1][1] / det, p[0][0] / det}, 0};
  /* log Z = -(n/2) log 2 pi - log |prior sd|^2 - (1/2) log |P| - (yy - h' P^-1 h) / 2 */
  t.log_evidence = -2 * log(2 * M_PI) - 2 * log(2.0) - 0.5 * log(det) - 0.5 * (yy - t.mean[0] * h[0] - t.mean[1] * h[1]);
  return t;
}

/* The largest deviation of means and mean squares, in standard errors of n draws of a normal. */
static double line_z(fixture *s, double n) {
  const line_truth t = line();
  static const char *const name[] = {"a", "b"};
  double worst = 0;
  for (int k = 0; k < 2; k++) {
    const aim_summary x = row(s, name[k], 0);
    double z = fabs(x.mean - t.mean[k]) / sqrt(t.var[k] / n), v = fabs(x.sd * x.sd - t.var[k]) / (t.var[k] * sqrt(2 / n));
    if (!(z <= worst)) worst = z;
    if (!(v <= worst)) worst = v;
  }
  return worst;
}

static void test_laplace(void **state) {
  (void)state;
  fixture s;
  assert_int_equal(open_run(&s, LINE "laplace(draws = 40000)\n", NULL), AIM_OK);
  assert_true(line_z(&s, 40000) < 4.9);
  aim_evidence e;
  assert_int_equal(aim_evidence_get(s.t, &e), AIM_OK);
  assert_true(fabs(e.log_evidence - line().log_evidence) < 1e-6);
  aim_approximation x;
  assert_int_equal(aim_approximation_get(s.t, &x), AIM_OK);
  assert_true(x.pareto_k < x.pareto_limit);
  close_fixture(&s);
}

static void test_laplace_too_wide(void **state) {
  (void)state;
  exec_engine e = interp_engine;
  e.find = find;
  e.call = widened;
  fixture s;
  /* One unknown, so that falsifying its two results is all. */
  static const char text[] = "model m() {\n  mu ~ Normal(1, 2)\n}\ninfer m with laplace(draws = 40000)\n";
  for (int twin = 0; twin < 2; twin++) {
    assert_int_equal(open_run(&s, text, twin ? &e : &interp_engine), AIM_OK);
    const double sd = row(&s, "mu", 0).sd, error = fabs(sd * sd - 4) / (4 * sqrt(2.0 / 40000));
    assert_true(twin ? error > 4.9 : error < 4.9);
    close_fixture(&s);
  }
}

static void test_pathfinder(void **state) {
  (void)state;
  fixture s;
  assert_int_equal(open_run(&s, LINE "pathfinder(draws = 10000)\n", NULL), AIM_OK);
  assert_true(line_z(&s, 5000) < 4.9); /* chosen with repetition: worth half of their number at least */
  aim_approximation x;
  assert_int_equal(aim_approximation_get(s.t, &x), AIM_OK);
  assert_true(x.pareto_k < x.pareto_limit && x.agreed == 4);
  close_fixture(&s);
}

/* s ~ Gamma(3, 1) is not normal on the log scale: weights make up for it. */
static double gamma_z(const exec_engine *engine) {
  fixture s;
  assert_int_equal(open_run(&s, "model m() {\n  s ~ Gamma(3, 1)\n}\ninfer m with pathfinder(draws = 20000)\n", engine), AIM_OK);
  double z = fabs(row(&s, "s", 0).mean - 3.0) / sqrt(3.0 / 5000);
  close_fixture(&s);
  return z;
}

static void test_pathfinder_without_jacobian(void **state) {
  (void)state;
  exec_engine e = interp_engine;
  e.find = find;
  e.call = with_slope;
  added = -1.0;
  assert_true(gamma_z(&interp_engine) < 4.9);
  assert_false(gamma_z(&e) < 4.9);
}

/* ---- pathfinder in more dimensions than it keeps pairs for: what those do not say is from the diagonal */

enum { WIDE = 40 };

static double scale_of(size_t i) { return exp(-2.0 + 0.1 * (double)i); }

/* Independent normals; user: NULL, or the factor by which the slopes of the later half are falsified. */
static int wide_normal(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad) {
  (void)lanes, (void)stride;
  *lp = 0;
  for (size_t i = 0; i < WIDE; i++) {
    const double z = q[i] / scale_of(i), f = user && i >= WIDE / 2 ? *(const double *)user : 1.0;
    *lp -= 0.5 * f * z * z;
    grad[i] = -f * z / scale_of(i);
  }
  return 0;
}

/* The mean over coordinates and 16 paths of log(standard deviation of draws / true one). */
static double log_scale_error(double *falsified) {
  enum { PATHS = 16, DRAWS = 400 };
  double *work = malloc(pathfinder_doubles(WIDE) * sizeof(double)), *keep = malloc(pathfinder_normal_doubles(WIDE) * sizeof(double)), total = 0;
  assert_true(work && keep);
  for (uint64_t path = 0; path < PATHS; path++) {
    const pathfinder_options o = {.ascent = {.key = 77 + path, .init_radius = 2, .tolerance = 1e-8, .iterations = 1000}, .elbo_draws = 5};
    pathfinder_result r;
    pathfinder_run(&o, WIDE, wide_normal, falsified, work, keep, &r);
    assert_true(isfinite(r.best.elbo));
    double q[WIDE], scratch[WIDE], square[WIDE] = {0};
    for (uint64_t d = 0; d < DRAWS; d++) {
      pathfinder_draw(&r.best, 7 + path, d, q, scratch);
      for (size_t i = 0; i < WIDE; i++) square[i] += (q[i] - r.best.centre[i]) * (q[i] - r.best.centre[i]);
    }
    for (size_t i = 0; i < WIDE; i++) total += 0.5 * log(square[i] / DRAWS) - log(scale_of(i));
  }
  free(work), free(keep);
  return total / (PATHS * WIDE);
}

/* An approximation, so the bound is one that was measured: 0.01 with these seeds (-0.38 with the sign of the last term of the diagonal turned).  The twin's density is narrower by
 * a factor of 2 in half of the coordinates, which is -0.35 more. */
static void test_pathfinder_diagonal(void **state) {
  (void)state;
  double narrower = 4.0;
  const double right = log_scale_error(NULL), twin = log_scale_error(&narrower);
  printf("log of scale found over true scale: %.3f; twin %.3f\n", right, twin);
  assert_true(fabs(right) < 0.15);
  assert_false(fabs(twin) < 0.15);
}

/* The same draws for any number of threads. */
static void test_threads(void **state) {
  (void)state;
  static const char *const methods[] = {"map(paths = 5)", "laplace(draws = 50)", "pathfinder(draws = 50)"};
  for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
    double first[2][50];
    for (int threads = 1; threads <= 3; threads += 2) {
      char text[512];
      snprintf(text, sizeof text, LINE "%s, threads = %d\n", methods[m], threads);
      fixture s;
      assert_int_equal(open_run(&s, text, NULL), AIM_OK);
      size_t n = aim_draw_count(s.t, 0);
      for (size_t q = 0; q < 2; q++)
        if (threads == 1) memcpy(first[q], aim_draws(s.t, 0, q, 0), n * sizeof(double));
        else assert_memory_equal(first[q], aim_draws(s.t, 0, q, 0), n * sizeof(double));
      close_fixture(&s);
    }
  }
}

/* ---- where chains begin */

/* Two normals of standard deviation 0.5 in the plane, around -(3, 3) with mass 0.95 and around (3, 3).  tilt is added to
 * the log mass of the second. */
typedef struct hills {
  double tilt;
} hills;

static int two_hills(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad) {
  (void)lanes, (void)stride;
  const hills *h = user;
  double a = log(0.95), b = log(0.05) + h->tilt, top;
  for (int i = 0; i < 2; i++) {
    a -= 2.0 * (q[i] + 3) * (q[i] + 3);
    b -= 2.0 * (q[i] - 3) * (q[i] - 3);
  }
  top = fmax(a, b);
  *lp = top + log(exp(a - top) + exp(b - top));
  double second = exp(b - *lp);
  for (int i = 0; i < 2; i++) grad[i] = -4.0 * (q[i] + 3 - 6 * second);
  return 0;
}

static int began_in_second(double tilt, int n) {
  double *work = malloc(initial_search_doubles(2) * sizeof(double)), q[2];
  assert_non_null(work);
  int second = 0;
  hills h = {tilt};
  for (int k = 0; k < n; k++) {
    const initial_search o = {.key = 1000 + (uint64_t)k, .radius = 2, .paths = 16};
    assert_true(initial_find(&o, 2, two_hills, &h, work, q));
    second += q[0] + q[1] > 0;
  }
  free(work);
  return second;
}

/* Sixteen paths find both modes but for one start in 32768, and the weights choose. */
static void test_initial(void **state) {
  (void)state;
  const int n = 2000;
  const double expected = 0.05 * n, sd = sqrt(n * 0.05 * 0.95);
  assert_true(fabs(began_in_second(0, n) - expected) <= 4.9 * sd + 1);
  /* The twin weighs the modes alike, as a choice without weights would. */
  assert_false(fabs(began_in_second(log(0.95 / 0.05), n) - expected) <= 4.9 * sd + 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_map),        cmocka_unit_test(test_map_with_jacobian), cmocka_unit_test(test_no_mode),
      cmocka_unit_test(test_laplace),    cmocka_unit_test(test_laplace_too_wide),  cmocka_unit_test(test_pathfinder),
      cmocka_unit_test(test_pathfinder_without_jacobian), cmocka_unit_test(test_pathfinder_diagonal), cmocka_unit_test(test_threads), cmocka_unit_test(test_initial),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
