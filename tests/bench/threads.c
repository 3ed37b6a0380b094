/* threads.c: one gradient whose large sum is shared by two threads (vm/crew.h), against the same on one.  Values and gradients must be equal bit for
 * bit.  Times are of the wall clock, so on a machine that others use the ratio is a lower bound of what the threads give. */
#include "tests/bench/bench.h"

#include <math.h>
#include <string.h>

enum { TERMS = 400000, DIM = 3, RUNS = 7 };

static const char text[] = "model robust(x: real[N], y: real[N]) {\n"
                           "  a ~ Normal(0, 10)\n  b ~ Normal(0, 10)\n  s ~ HalfNormal(5)\n"
                           "  y ~ StudentT(4, a + b * x, s)\n"
                           "}\n";

typedef struct gradient {
  bench_model m;
  aim_evaluator *e;
  double lp, g[DIM];
} gradient;

static void gradients(void *ctx, long n) {
  static const double q[DIM] = {0.3, 0.7, 0.1};
  gradient *x = ctx;
  for (long k = 0; k < n; k++) aim_log_density(x->e, q, &x->lp, x->g);
}

static bool open_with(gradient *x, bench_engine engine, int64_t threads, const bench_data *data) {
  return bench_model_open(&x->m, bench_vm(engine), text, data) && aim_set_text(x->m.task, "method", "nuts") == AIM_OK &&
         aim_set_int(x->m.task, "chains", 1) == AIM_OK && aim_set_int(x->m.task, "threads", threads) == AIM_OK &&
         bench_model_evaluator(&x->m, &x->e) && aim_dimension(x->e) == DIM;
}

static void shared(bench *b, bench_engine engine, const bench_data *data) {
  const char *name = bench_row_name("gradient_2_threads", engine);
  if (!bench_wanted(b, name) || !bench_has_engine(engine)) return;
  gradient two = {{0}}, one = {{0}};
  if (!open_with(&two, engine, 2, data) || !open_with(&one, engine, 1, data)) {
    bench_wrong(b, name, "the model cannot be evaluated");
  } else {
    gradients(&two, 1);
    gradients(&one, 1);
    if (!isfinite(one.lp) || memcmp(&two.lp, &one.lp, sizeof one.lp) != 0 || memcmp(two.g, one.g, sizeof one.g) != 0)
      bench_wrong(b, name, "two threads give %.17g, one %.17g", two.lp, one.lp);
    else
      bench_pair(b, &(bench_row){name, "us", BENCH_TIME, 1e6, "one thread", 0, "value and gradient are equal bit for bit", true},
                 (bench_side){gradients, &two}, (bench_side){gradients, &one}, RUNS);
  }
  aim_evaluator_free(two.e);
  aim_evaluator_free(one.e);
  bench_model_close(&two.m);
  bench_model_close(&one.m);
}

void bench_threads(bench *b) {
  double *x = bench_alloc(TERMS, sizeof *x), *y = bench_alloc(TERMS, sizeof *y);
  bench_random r = {91};
  for (size_t i = 0; i < TERMS; i++) x[i] = bench_normal(&r), y[i] = 0.3 + 0.7 * x[i] + bench_normal(&r);
  bench_data data[] = {{"x", x, NULL, 1, {TERMS}}, {"y", y, NULL, 1, {TERMS}}, {NULL}};
  for (int k = 0; k < BENCH_ENGINES; k++) shared(b, (bench_engine)k, data);
}
