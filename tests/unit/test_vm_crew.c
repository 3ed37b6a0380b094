/* Evaluations that threads share: the same bits, counts and places as the function before it was cut, for any number of helpers. */
#include "tests/unit/task_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 20000, DIM_MOST = 8 };

static double x[N], y[N];

static void make_data(void **state) {
  (void)state;
  uint64_t s = 1;
  for (int i = 0; i < N; i++) {
    s = s * 6364136223846793005u + 1442695040888963407u;
    x[i] = (double)(s >> 11) / 9007199254740992.0 * 4 - 2;
    s = s * 6364136223846793005u + 1442695040888963407u;
    y[i] = 1 + 2 * x[i] + 0.3 * ((double)(s >> 11) / 9007199254740992.0 - 0.5);
  }
}

/* Cut for `threads`, the whole function for 1. */
static fixture open_model(const char *text, int64_t threads) {
  fixture b = open_task(text, (opening){0});
  const int64_t n = N;
  if (strstr(text, "x: real")) assert_int_equal(aim_data_f64(b.t, "x", x, 1, &n), AIM_OK);
  if (strstr(text, "y: real")) assert_int_equal(aim_data_f64(b.t, "y", y, 1, &n), AIM_OK);
  assert_int_equal(aim_set_int(b.t, "chains", 1), AIM_OK);
  assert_int_equal(aim_set_int(b.t, "threads", threads), AIM_OK);
  assert_int_equal(aim_set_text(b.t, "method", "nuts"), AIM_OK);
  expect_ok(&b, aim_bind(b.t));
  return b;
}

typedef struct seen {
  bool ok;
  double lp, grad[DIM_MOST];
  eval_faults faults;
} seen;

static seen look(const fixture *b, size_t helpers, const double *q) {
  eval_worker w;
  seen s = {.lp = 0};
  assert_true(eval_worker_init(&w, &b->t->model, helpers, &b->vm->alloc));
  for (int turn = 0; turn < 200; turn++) { /* helpers are in time for some of them only */
    eval_faults_clear(&w);
    s.ok = eval_grad(&w, 1, 1, q, &s.lp, s.grad);
    if (turn) assert_int_equal(w.faults.guard_where.off, s.faults.guard_where.off);
    s.faults = w.faults;
  }
  eval_worker_free(&w);
  return s;
}

static void expect_same(const char *text, size_t stages, const double *q) {
  fixture whole = open_model(text, 1), cut = open_model(text, 4);
  assert_int_equal(whole.t->p.nstages, 0);
  assert_int_equal(cut.t->p.nstages, stages);
  seen a = look(&whole, 0, q);
  for (size_t helpers = 0; helpers < 4; helpers++) {
    seen b = look(&cut, helpers, q);
    assert_int_equal(a.ok, b.ok);
    if (a.ok) {
      assert_true(isnan(a.lp) ? isnan(b.lp) : memcmp(&a.lp, &b.lp, sizeof a.lp) == 0);
      for (size_t d = 0; d < whole.t->p.dim; d++)
        assert_true(isnan(a.grad[d]) ? isnan(b.grad[d]) : memcmp(&a.grad[d], &b.grad[d], sizeof(double)) == 0);
    }
    assert_int_equal(a.faults.guards, b.faults.guards);
    assert_int_equal(a.faults.guard_where.off, b.faults.guard_where.off);
    assert_int_equal(a.faults.nans, b.faults.nans);
    assert_int_equal(a.faults.nan_where.off, b.faults.nan_where.off);
    assert_int_equal(a.faults.stopped, b.faults.stopped);
    assert_int_equal(a.faults.where.off, b.faults.where.off);
    assert_int_equal(a.faults.index, b.faults.index);
  }
  close_fixture(&whole);
  close_fixture(&cut);
}

static void test_one_sum(void **state) {
  (void)state;
  expect_same("model m(x: real[N], y: real[N]) { a ~ Normal(0, 1)\n b ~ Normal(0, 1)\n s ~ HalfNormal(1)\n"
              "plate i in 1..N { y[i] ~ StudentT(4, a + b * x[i], s) } }",
              1, (double[]){0.3, 0.4, -0.2});
}

/* The second sum reads what the first one made. */
static void test_two_stages(void **state) {
  (void)state;
  expect_same("model m(x: real[N], y: real[N]) { a ~ Normal(0, 1)\n s ~ HalfNormal(1)\n"
              "let c = sum(exp(-a * x[i]^2) * sin(a * x[i]) for i in 1..N) / N\n"
              "plate i in 1..N { y[i] ~ StudentT(4, c + a * x[i], s) } }",
              3, (double[]){0.3, -0.2}); /* c, the likelihood with its gradient, the gradient of c */
}

static void test_arrays(void **state) {
  (void)state;
  expect_same("model m(x: real[N], y: real[N]) { b: real[3] ~ Normal(0, 1)\n s ~ HalfNormal(1)\n"
              "plate i in 1..N { y[i] ~ StudentT(4, sum(b[j] * x[i]^j for j in 1..3), s) } }",
              1, (double[]){0.3, -0.2, 0.1, 0.5});
}

static void test_guards(void **state) {
  (void)state;
  expect_same("model m(x: real[N], y: real[N]) { a ~ Normal(0, 1)\n b ~ Normal(0, 1)\n"
              "plate i in 1..N { y[i] ~ StudentT(4, a, 1 + b * x[i]) } }",
              1, (double[]){0.3, 3.0});
}

/* One statement is impossible in the last block only, the other in the first, which says where. */
static void test_guards_of_blocks(void **state) {
  (void)state;
  expect_same("model m(x: real[N], y: real[N]) { a ~ Normal(0, 1)\n"
              "plate i in 1..N { y[i] ~ StudentT(4, a, a + 17000.5 - i)\n x[i] ~ StudentT(4, a, a + i - 3000.5) } }",
              1, (double[]){0.3});
}

static void test_nan(void **state) {
  (void)state;
  expect_same("model m(x: real[N], y: real[N]) { a ~ Normal(0, 1)\n b ~ Normal(0, 1)\n"
              "plate i in 1..N { y[i] ~ StudentT(4, log(a + b * x[i]), 1) } }",
              1, (double[]){0.3, 3.0});
}

/* The first block in order says where, whoever came upon it. */
static void test_out_of_range(void **state) {
  (void)state;
  expect_same("model m(x: real[N], y: real[N]) { a ~ Normal(0, 1)\n b ~ Normal(0, 1)\n"
              "plate i in 1..N { y[i] ~ StudentT(4, a + x[int(floor(10000 + b * i))], 1) } }",
              1, (double[]){0.3, 0.7});
}

/* Whole runs: the draws of one and of several threads. */
static void test_runs(void **state) {
  (void)state;
  static const char text[] = "model m(x: real[N], y: real[N]) { a ~ Normal(0, 1)\n b ~ Normal(0, 1)\n s ~ HalfNormal(1)\n"
                             "plate i in 1..N { y[i] ~ StudentT(4, a + b * x[i], s) } }";
  double mean[2][3];
  for (int t = 0; t < 2; t++) {
    fixture b = open_model(text, t ? 3 : 1);
    assert_int_equal(aim_set_int(b.t, "warmup", 30), AIM_OK);
    assert_int_equal(aim_set_int(b.t, "draws", 10), AIM_OK);
    assert_int_equal(aim_run(b.t, NULL), AIM_OK);
    assert_int_equal(api_summaries(b.t), AIM_OK);
    for (int c = 0; c < 3; c++) mean[t][c] = b.t->rows[c].mean;
    close_fixture(&b);
  }
  assert_memory_equal(mean[0], mean[1], sizeof mean[0]);
}

int main(void) {
  make_data(NULL);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_sum), cmocka_unit_test(test_two_stages), cmocka_unit_test(test_arrays),      cmocka_unit_test(test_guards), cmocka_unit_test(test_guards_of_blocks),
      cmocka_unit_test(test_nan),     cmocka_unit_test(test_runs),       cmocka_unit_test(test_out_of_range),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
