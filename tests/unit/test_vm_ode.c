/* test_vm_ode.c: `ode` against closed forms.
 *
 * Solutions and their derivatives by parameters, start and times: exponential decay, logistic growth, the harmonic oscillator, and an
 * equation whose right side depends on time alone.  An error may be 50 times the tolerance asked for, relative to the size of the solution; what
 * is seen is below 10.  A solve at a wide tolerance must be worse than one at a narrow one, so that a solver that ignores it is found.  The implicit
 * method has to do all of this, and what only it can do: two problems of the Test Set for IVP Solvers (F. Mazzia, C. Magherini), whose solutions are known.
 * Then solves that fail, and empty ones. */
#include "tests/model_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Every model has `x: real[P] ~ Flat()` and tells its solution at ts by `track`; of solution k at time t and parameters x, state d. */
typedef struct problem {
  const char *fn, *call;
  size_t nx, nu;
  double x[5];
  double (*exact)(const double *x, double t, size_t d);
} problem;

static double decay(const double *x, double t, size_t d) {
  (void)d;
  return x[1] * exp(-x[0] * t);
}
static double logistic(const double *x, double t, size_t d) {
  (void)d;
  return x[1] / (1 + (x[1] / x[2] - 1) * exp(-x[0] * t));
}
static double oscillator(const double *x, double t, size_t d) {
  double c = cos(x[0] * t), s = sin(x[0] * t);
  return d == 0 ? x[1] * c + x[2] / x[0] * s : x[2] * c - x[0] * x[1] * s;
}
/* Starts at time x[1]; its ends are ts + x[2]. */
static double moving(const double *x, double t, size_t d) {
  (void)d;
  return sin(x[0] * (t + x[2])) - sin(x[0] * x[1]);
}

static const problem problems[] = {
    {"fn f(t: real, u: real[D], k: real): real[D] = -k * u\n", "ode(f, [x[2]], 0, ts, x[1]", 2, 1, {0.7, 2.5}, decay},
    {"fn f(t: real, u: real[1], r: real, K: real): real[1] = r * u * (1 - u / K)\n", "ode(f, x[3..3], 0, ts, x[1], x[2]", 3, 1, {1.3, 5.0, 0.4}, logistic},
    {"fn f(t: real, u: real[2], w: real): real[2] = [u[2], -w * w * u[1]]\n", "ode(f, x[2..3], 0, ts, x[1]", 3, 2, {2.1, 1.0, -0.5}, oscillator},
    {"fn f(t: real, u: real[1], w: real): real[1] = [w * cos(w * t)]\n", "ode(f, [0.0], x[2], ts + x[3], x[1]", 3, 1, {1.7, -0.4, 0.3}, moving},
};
enum { NPROBLEMS = sizeof problems / sizeof *problems, TIMES = 5 };
static const double times[TIMES] = {0.25, 0.25, 1, 3, 7.5}; /* one twice */
static const char data[] = "{\"ts\": [0.25, 0.25, 1, 3, 7.5]}";

static const char *model_text(char *text, size_t n, const problem *p, const char *options, const char *rest) {
  snprintf(text, n, "%smodel m(ts: real[T]) {\n  x: real[%zu] ~ Flat()\n  let u = %s%s)\n  %s\n}\n", p->fn, p->nx, p->call, options, rest);
  return text;
}

/* The greatest error of a solution, relative to 1 + its size. */
static double worst_error(const problem *p, const char *options) {
  char text[1024];
  model_run r;
  model_open(&r, model_text(text, sizeof text, p, options, "track u"), data, NEED_OUTPUTS);
  double got[2 * TIMES], worst = 0;
  model_outputs(&r, p->x, 1, got);
  for (size_t i = 0; i < TIMES; i++)
    for (size_t d = 0; d < p->nu; d++) {
      double want = p->exact(p->x, times[i], d), error = fabs(got[i * p->nu + d] - want) / (1 + fabs(want));
      if (!(error <= worst)) worst = error;
    }
  model_close(&r);
  return worst;
}

static void solutions_by(const char *solver, double narrowest) {
  for (int k = 0; k < NPROBLEMS; k++) {
    char options[100];
    snprintf(options, sizeof options, "%s, rtol = 1e-3, atol = 1e-3", solver);
    double by_default = worst_error(&problems[k], solver), wide = worst_error(&problems[k], options);
    snprintf(options, sizeof options, "%s, rtol = %g, atol = %g", solver, narrowest, narrowest / 10);
    double narrow = worst_error(&problems[k], options);
    print_message("problem %d%s: errors %.1e (rtol 1e-3), %.1e (1e-6), %.1e (%g)\n", k, solver, wide, by_default, narrow, narrowest);
    assert_true(by_default <= 50e-6);
    assert_true(wide <= 50e-3);
    assert_true(narrow <= 50 * narrowest);
    assert_true(narrow < 1e-3 * wide);
  }
}

static void test_solutions(void **state) {
  (void)state;
  solutions_by("", 1e-11);
  solutions_by(", solver = stiff", 1e-10);
}

/* The gradient of a sum of weighted states, against differences of the closed form. */
static void sensitivities_by(const char *options) {
  for (int k = 0; k < NPROBLEMS; k++) {
    const problem *p = &problems[k];
    char text[1024];
    model_run r;
    model_open(&r, model_text(text, sizeof text, p, options, "factor sum(sin(i + j) * u[i, j] for i in 1..size(u), j in 1..size(u, 2))"), data,
               NEED_GRAD);
    double grad[5], lp = model_grad(&r, p->x, grad), want = 0;
    for (size_t i = 0; i < TIMES; i++)
      for (size_t d = 0; d < p->nu; d++) want += sin((double)(i + d + 2)) * p->exact(p->x, times[i], d);
    assert_true(fabs(lp - want) <= 1e-8 * (1 + fabs(want)));
    for (size_t e = 0; e < p->nx; e++) {
      double x[5], slope = 0, h = 1e-3;
      for (int side = -3; side <= 3; side++) { /* sixth order */
        static const double w[7] = {-1.0 / 60, 9.0 / 60, -45.0 / 60, 0, 45.0 / 60, -9.0 / 60, 1.0 / 60};
        memcpy(x, p->x, sizeof x);
        x[e] += side * h;
        for (size_t i = 0; i < TIMES; i++)
          for (size_t d = 0; d < p->nu; d++) slope += w[side + 3] / h * sin((double)(i + d + 2)) * p->exact(x, times[i], d);
      }
      if (!(fabs(grad[e] - slope) <= 1e-7 * (1 + fabs(slope)))) fail_msg("problem %d, parameter %zu: %.12g, not %.12g", k, e, grad[e], slope);
    }
    model_close(&r);
  }
}

static void test_sensitivities(void **state) {
  (void)state;
  sensitivities_by(", rtol = 1e-10, atol = 1e-12");
  sensitivities_by(", rtol = 1e-10, atol = 1e-12, solver = stiff");
}

/* ---- stiff systems: Robertson's reaction, whose rates differ by 1e9, and van der Pol's equation with mu = 1000 */

static const char robertson[] = "fn f(t: real, u: real[3], a: real, b: real): real[3] =\n"
                                "  [-a * u[1] + b * u[2] * u[3], a * u[1] - b * u[2] * u[3] - 3e7 * u[2]^2, 3e7 * u[2]^2]\n";
static const char van_der_pol[] = "fn f(t: real, u: real[2], mu: real): real[2] = [u[2], mu^2 * ((1 - u[1]^2) * u[2] - u[1])]\n";

static void stiff_solution(const char *fn, const char *call, const double *x, size_t n, const double *want) {
  char text[1024];
  double got[3];
  model_run r;
  snprintf(text, sizeof text, "%smodel m() {\n  x: real[2] ~ Flat()\n  let u = %s\n  track u\n}\n", fn, call);
  model_open(&r, text, NULL, NEED_OUTPUTS);
  model_outputs(&r, x, 1, got);
  for (size_t k = 0; k < n; k++)
    if (!(fabs(got[k] - want[k]) <= 1e-5 * fabs(want[k]))) fail_msg("%s: %.17g, not %.17g", call, got[k], want[k]);
  model_close(&r);
}

static void test_stiff_solutions(void **state) {
  (void)state;
  stiff_solution(robertson, "ode(f, [1.0, 0.0, 0.0], 0, [1e11], x[1], x[2], solver = stiff, rtol = 1e-8, atol = 1e-18)", (double[]){0.04, 1e4}, 3,
                 (double[]){0.2083340149701255e-07, 0.8333360770334713e-13, 0.9999999791665050});
  stiff_solution(van_der_pol, "ode(f, [2.0, 0.0], 0, [2.0], x[1], solver = bdf, rtol = 1e-8, atol = 1e-8)", (double[]){1000, 0}, 2,
                 (double[]){0.1706167732170483e+01, -0.8928097010247975});
}

/* Against differences of the density itself, which the choice of steps makes rough by a tolerance over the difference. */
static void stiff_gradient(const char *fn, const char *call, const double *at) {
  char text[1024];
  model_run r;
  snprintf(text, sizeof text, "%smodel m() {\n  x: real[2] ~ Flat()\n  let u = %s\n  factor sum(sin(i + j) * u[i, j] for i in 1..size(u), j in 1..size(u, 2))\n}\n", fn, call);
  model_open(&r, text, NULL, NEED_GRAD);
  double g[2], unused[2];
  model_grad(&r, at, g);
  for (int k = 0; k < 2; k++) {
    double q[2] = {at[0], at[1]}, h = 1e-4 * (1e-3 + fabs(at[k])), d = 0;
    for (int side = -2; side <= 2; side++) { /* fourth order */
      static const double w[5] = {1.0 / 12, -8.0 / 12, 0, 8.0 / 12, -1.0 / 12};
      q[k] = at[k] + side * h;
      d += w[side + 2] / h * model_grad(&r, q, unused);
    }
    if (!(fabs(d - g[k]) <= 1e-4 * fabs(d))) fail_msg("%s: derivative %d is %.12g, not %.12g", call, k, g[k], d);
  }
  model_close(&r);
}

static void test_stiff_gradients(void **state) {
  (void)state;
  stiff_gradient(robertson, "ode(f, [1.0, 0.0, 0.0], 0, [0.4, 40.0, 4000.0], x[1], x[2], solver = stiff, rtol = 1e-9, atol = 1e-14)", (double[]){0.04, 1e4});
  stiff_gradient(van_der_pol, "ode(f, [2.0, x[2]], 0, [0.3, 0.6], x[1], solver = stiff, rtol = 1e-10, atol = 1e-10)", (double[]){30, -0.6});
}

/* A solve that cannot be finished: the density is -inf, the guard counts it and is at the line of the call. */
static void failing(const char *fn, const char *call, int line) {
  char text[1024];
  snprintf(text, sizeof text, "%smodel m(ts: real[T]) {\n  x ~ Flat()\n  let u = %s\n  factor -sum(u^2)\n}\n", fn, call);
  model_run r;
  model_open(&r, text, "{\"ts\": [1, 2]}", NEED_GRAD | NEED_DENSITY);
  double q = 0.5, grad, part[3];
  double lp = model_grad(&r, &q, &grad);
  if (lp != -INFINITY) fail_msg("%s: %g", call, lp);
  assert_true(r.report.guards > 0);
  source_place at = source_locate(&r.p.sources, r.report.guard_where.file, r.report.guard_where.off);
  if ((int)at.line != line) fail_msg("%s: line %d, not %d", call, (int)at.line, line);
  model_density(&r, &q, part);
  assert_true(part[2] == -INFINITY && isfinite(part[0]) && isfinite(part[1]));
  model_close(&r);
}

static void test_failures(void **state) {
  (void)state;
  /* u' = u^2 from 1 / (1 - x) is infinite at time 1 - x; a root of what is negative; more steps than allowed; times that latents turn around */
  failing("fn f(t: real, u: real[D]): real[D] = u * u\n", "ode(f, [1 / (1 - x)], 0, ts)", 4);
  failing("fn f(t: real, u: real[D]): real[D] = -sqrt(u - 1)\n", "ode(f, [x], 0, ts)", 4);
  failing("fn f(t: real, u: real[1]): real[1] = [100 * cos(100 * t)]\n", "ode(f, [x], 0, ts, max_steps = 10)", 4);
  failing("fn f(t: real, u: real[D]): real[D] = -u\n", "ode(f, [1.0], 0, -x * ts)", 4);
  failing("fn f(t: real, u: real[D]): real[D] = u * u\n", "ode(f, [1 / (1 - x)], 0, ts, solver = stiff)", 4);
  failing("fn f(t: real, u: real[D]): real[D] = -sqrt(u - 1)\n", "ode(f, [x], 0, ts, solver = stiff)", 4);
  failing("fn f(t: real, u: real[2]): real[2] = [u[2], 1e6 * ((1 - u[1]^2) * u[2] - u[1])]\n", "ode(f, [2 * x + 1, 0.0], 0, ts)", 4);
}

static void count_scan(void *user, ir_op *op) { *(int *)user += op->code == IR_SCAN_OP; }

/* What depends on data alone is solved when data is bound: no evaluation has a scan. */
static void test_data_alone(void **state) {
  (void)state;
  model_run r;
  model_open(&r, "fn f(t: real, u: real[D], k: real): real[D] = -k * u\nmodel m(ts: real[T], c: real) {\n  x ~ Normal(0, 1)\n"
                 "  let u = ode(f, [1.0], 0, ts, c)\n  factor x * u[2, 1]\n}\n", "{\"ts\": [1, 2], \"c\": 0.5}", NEED_GRAD);
  int scans[2] = {0, 0};
  const char *const fn[] = {"prepare", "grad"};
  for (int k = 0; k < 2; k++) ir_visit_ops(&ir_fn_find(r.p.module, fn[k])->body, count_scan, &scans[k]);
  assert_int_equal(scans[0], 2);
  assert_int_equal(scans[1], 0);
  double q = 0.5, grad;
  model_grad(&r, &q, &grad);
  assert_true(fabs(grad - (exp(-1.0) - 0.5)) < 1e-5);
  model_close(&r);
}

/* A program may have functions of its own by the names of the library's. */
static void test_names(void **state) {
  (void)state;
  model_run r;
  model_open(&r, "fn ode_error(x: real): real = x\nfn simplex_constrain(x: real): real = x\nfn f(t: real, u: real[D], k: real): real[D] = -k * u\n"
                 "model m() {\n  k ~ Normal(0, 1)\n  p: simplex(2) ~ Flat()\n  let u = ode(f, [1.0], 0, [1.0], ode_error(k))\n"
                 "  factor u[1, 1] + simplex_constrain(p[1])\n}\n", NULL, NEED_GRAD);
  double q[2] = {0.5, 0.0}, grad[2], lp = model_grad(&r, q, grad);
  assert_true(fabs(lp - (exp(-0.5) + 0.5 + log(0.25) - 0.125 - 0.91893853320467274)) < 1e-5);
  assert_true(fabs(grad[0] + exp(-0.5) + 0.5) < 1e-5);
  model_close(&r);
}

static void test_empty(void **state) {
  (void)state;
  model_run r;
  model_open(&r, "fn f(t: real, u: real[D], k: real): real[D] = -k * u\nmodel m(ts: real[T]) {\n  k ~ Normal(0, 1)\n"
                 "  let u = ode(f, [1.0, 2.0], 0, ts, k)\n  factor sum(u)\n}\n", "{\"ts\": []}", NEED_GRAD);
  double q = 0.5, grad, lp = model_grad(&r, &q, &grad);
  assert_true(fabs(lp + 0.125 + 0.91893853320467274) < 1e-12);
  assert_true(fabs(grad + 0.5) < 1e-12);
  model_close(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_solutions),
      cmocka_unit_test(test_sensitivities),
      cmocka_unit_test(test_stiff_solutions),
      cmocka_unit_test(test_stiff_gradients),
      cmocka_unit_test(test_failures),
      cmocka_unit_test(test_data_alone),
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
