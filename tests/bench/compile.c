/* compile.c: time to machine code, against the size of the program and against the data's.
 *
 * A program of n statements is a chain of sums and products of latents, ending in observations, none of which can be folded or shared; its
 * size is the number of operations that the compiler is given.  What is timed is one run of aim-cc, without a cache. */
#include "tests/bench/bench.h"
#include "vm/api.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 7 };

static void count_op(void *user, ir_op *op) {
  (void)op;
  ++*(long *)user;
}

static long operations(const bench_model *m) {
  const ir_module *all = m->task->p.module;
  long n = 0;
  for (uint32_t k = 0; k < all->nfns; k++)
    if (!all->fn[k]->is_model) ir_visit_ops(&all->fn[k]->body, count_op, &n);
  return n;
}

/* The gradient of machine code made now; false if it is not the interpreter's. */
static bool compile_once(const char *text, const bench_data *data, double *seconds, size_t *bytes, long *ops) {
  bench_model m[2];
  aim_evaluator *e[2] = {NULL, NULL};
  double lp[2] = {0, 1}, *g[2] = {NULL, NULL}, *q = NULL;
  size_t dim = 0;
  bool right = true;
  for (int k = 0; k < 2; k++) right = bench_model_open(&m[k], bench_vm(k ? BENCH_JIT_ANEW : BENCH_VM), text, data) && right;
  for (int k = 0; k < 2 && right; k++) {
    right = bench_model_evaluator(&m[k], &e[k]);
    if (!right) break;
    dim = aim_dimension(e[k]);
    if (!q) q = bench_alloc(dim, sizeof *q);
    for (size_t i = 0; i < dim; i++) q[i] = 0.3 * sin((double)i + 1);
    g[k] = bench_alloc(dim, sizeof *q);
    right = aim_log_density(e[k], q, &lp[k], g[k]) == AIM_OK;
  }
  right = right && memcmp(&lp[0], &lp[1], sizeof *lp) == 0 && memcmp(g[0], g[1], dim * sizeof *q) == 0;
  if (right) *seconds = bench_compile_seconds(&m[1], bytes), *ops = operations(&m[1]);
  for (int k = 0; k < 2; k++) {
    aim_evaluator_free(e[k]);
    bench_model_close(&m[k]);
    free(g[k]);
  }
  free(q);
  return right;
}

static void compile(bench *b, const char *name, const char *text, const bench_data *data, int runs) {
  double v[RUNS];
  size_t bytes = 0;
  long ops = 0;
  for (int k = 0; k < runs; k++) {
    if (!compile_once(text, data, &v[k], &bytes, &ops)) {
      bench_wrong(b, name, "the model is refused, or its gradient is not the interpreter's");
      return;
    }
    v[k] *= 1e3;
  }
  bench_record(b, &(bench_row){name, "ms", BENCH_TIME, 1, NULL, 0,
                               bench_text("%ld operations, %zu kB; bits of vm", ops, (bytes + 500) / 1000), true},
               v, NULL, runs);
}

/* Of about as many operations in all functions together as asked for. */
static char *straight_line(int statements) {
  size_t room = 200 + 160 * (size_t)statements, at = 0;
  char *s = bench_alloc(room, 1);
  at += (size_t)snprintf(s + at, room - at, "model straight(y: real[4]) {\n  a ~ Normal(0, 1)\n  b ~ Normal(0, 1)\n  let t0 = a\n");
  for (int k = 1; k <= statements; k++)
    at += (size_t)snprintf(s + at, room - at, "  let t%d = %s(t%d * %.3f + b * %.3f)\n", k, k % 3 ? "" : "tanh", k - 1, 0.4 + 0.001 * (k % 400), 0.2 + 0.001 * (k % 300));
  snprintf(s + at, room - at, "  y ~ Normal(t%d, 1)\n}\n", statements);
  return s;
}

void bench_compile(bench *b) {
  if (!bench_has_engine(BENCH_JIT)) return;
  static const struct {
    const char *name;
    int statements;
  } size[] = {{"compile_statements_10", 10}, {"compile_statements_100", 100}, {"compile_statements_1000", 1000}, {"compile_statements_4000", 4000}};
  double y[] = {0.1, 0.2, -0.3, 0.5};
  bench_data four[] = {{"y", y, NULL, 1, {4}}, {NULL}};
  for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
    if (!bench_wanted(b, size[k].name)) continue;
    char *text = straight_line(size[k].statements);
    compile(b, size[k].name, text, four, k < 2 ? RUNS : 3);
    free(text);
  }
  static const char rows[] = "model linear(X: real[N, D], y: real[N]) {\n  beta: real[D] ~ Normal(0, 1)\n  y ~ StudentT(4, X @ beta, 1)\n}\n";
  enum { MOST = 1000000, D = 4 };
  static const struct {
    const char *name;
    int64_t n;
  } length[] = {{"compile_rows_1e2", 100}, {"compile_rows_1e4", 10000}, {"compile_rows_1e6", MOST}};
  bench_random r = {81};
  double *x = bench_alloc((size_t)MOST * D, sizeof *x), *z = bench_alloc(MOST, sizeof *z);
  for (size_t k = 0; k < (size_t)MOST * D; k++) x[k] = bench_uniform(&r);
  for (size_t k = 0; k < MOST; k++) z[k] = bench_uniform(&r);
  for (size_t k = 0; k < sizeof length / sizeof *length; k++) {
    bench_data data[] = {{"X", x, NULL, 2, {length[k].n, D}}, {"y", z, NULL, 1, {length[k].n}}, {NULL}};
    if (bench_wanted(b, length[k].name)) compile(b, length[k].name, rows, data, RUNS);
  }
  free(x);
  free(z);
}
