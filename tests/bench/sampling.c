/* sampling.c: single-site Metropolis, importance sampling and prior draws, through aim_run.
 *
 * A run has a fixed part (threads, the store of draws, warm-up), so each figure is a difference: of two runs that differ in length
 * alone, both warm, taken in turn.  Which store draws go to is chosen below aim.h, for the flat store to be a baseline. */
#include "tests/bench/baseline.h"
#include "tests/bench/bench.h"
#include "vm/api.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 31, MAX_OPTIONS = 8 };

/* A run of `length` in the unit of the option that is named, all else equal. */
typedef struct job {
  bench_engine engine;
  const char *text, *method, *length;
  const bench_data *data;
  const char *option[MAX_OPTIONS];
  int64_t value[MAX_OPTIONS];
} job;

/* The model may stay open, for its draws to be looked at; NULL closes it. */
static double job_seconds(const job *j, int64_t length, bench_model *keep) {
  const char *name[MAX_OPTIONS + 2] = {0};
  int64_t value[MAX_OPTIONS + 2];
  int n = 0;
  for (; n < MAX_OPTIONS && j->option[n]; n++) name[n] = j->option[n], value[n] = j->value[n];
  name[n] = j->length;
  value[n] = length;
  bench_model m;
  double t = bench_model_open(&m, bench_vm(j->engine), j->text, j->data) ? bench_model_run(&m, j->method, name, value) : -1;
  if (keep)
    *keep = m;
  else
    bench_model_close(&m);
  return t;
}

/* Seconds of one more unit of length, `runs` times, each followed by seconds of an iteration of the baseline. */
static bool differences(const job *j, int64_t small, int64_t large, bench_side base, long n, double *of_aim, double *of_base,
                        int runs) {
  if (job_seconds(j, large, NULL) < 0) return false;
  base.body(base.ctx, n);
  for (int k = 0; k < runs; k++) {
    double t = job_seconds(j, large, NULL), u = job_seconds(j, small, NULL);
    if (t < 0 || u < 0) return false;
    of_aim[k] = (t - u) / (double)(large - small);
    double began = bench_cpu();
    base.body(base.ctx, n);
    of_base[k] = (bench_cpu() - began) / (double)n;
  }
  return true;
}

static void scale(double *v, int n, double by) {
  for (int k = 0; k < n; k++) v[k] *= by;
}

/* ---- a hierarchy of normals with a known posterior */

static const char hier_text[] = "model hier(y: real[N]) {\n  mu ~ Normal(0, 1)\n  plate i in 1..N {\n    x[i] ~ Normal(mu, 1)\n    "
                                "y[i] ~ Normal(x[i], 0.5)\n  }\n}\n";

static void hier_hand(void *ctx, long n) { baseline_hier_steps(ctx, n); }

/* y_i | mu ~ Normal(mu, sqrt(1.25)); then mu has precision 1 + n / 1.25, and x_i | mu, y_i the mean (mu + 4 y_i) / 5.  The largest
 * error of a mean, in its standard errors. */
static double hier_error(bench_model *m, const double *y, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += y[i];
  double mu = sum / 1.25 / (1 + (double)n / 1.25), worst = 0;
  for (size_t k = 0; k <= n; k++) {
    aim_summary s;
    if (aim_summarise(m->task, aim_quantity_find(m->task, k ? "x" : "mu"), k ? k - 1 : 0, &s) != AIM_OK || !(s.mcse > 0))
      return INFINITY;
    worst = fmax(worst, fabs(s.mean - (k ? (mu + 4 * y[k - 1]) / 5 : mu)) / s.mcse);
  }
  return worst;
}

static void hier(bench *b, bench_engine engine, size_t n, const char *model, double bar) {
  const char *name = bench_row_name(model, engine);
  if (!bench_wanted(b, name)) return;
  bench_random r = {71};
  double *y = bench_alloc(n, sizeof *y), *x = bench_alloc(n + 1, sizeof *x);
  for (size_t i = 0; i < n; i++) y[i] = 0.8 + 1.1 * bench_normal(&r);
  bench_data data[] = {{"y", y, NULL, 1, {(int64_t)n}}, {NULL}};
  job j = {engine, hier_text, "mh", "draws", data, {"chains", "warmup"}, {1, 200}};
  bench_model m;
  /* 4.9 standard errors, and half as much again because the error of a correlated chain is itself an estimate. */
  double t = job_seconds(&j, 20000, &m), z = t < 0 ? INFINITY : hier_error(&m, y, n);
  bench_model_close(&m);
  if (!(z < 7.4)) {
    bench_wrong(b, name, "a posterior mean is off by %.1f standard errors", z);
    return;
  }
  baseline_walk hand = {n + 1, 0, x, y, 1};
  double v[RUNS], w[RUNS];
  if (!differences(&j, 200, 4200, (bench_side){hier_hand, &hand}, 20000, v, w, RUNS)) {
    bench_wrong(b, name, "the run failed");
    return;
  }
  scale(v, RUNS, 1e6 * 100 / (double)(n + 1));
  scale(w, RUNS, 1e6 * 100);
  bench_record(
      b, &(bench_row){name, "us/100 steps", BENCH_TIME, 1, "C by hand", bar, bench_text("means within %.1f standard errors", z)}, v,
      w, RUNS);
}

/* ---- local dependence: the cost of a step does not depend on the length */

static const char chain_text[] = "model chain(y: real[T]) {\n  h[1] ~ Normal(0, 1)\n  for t in 2..T { h[t] ~ Normal(0.9 * h[t - "
                                 "1], 1) }\n  plate t in 1..T { y[t] ~ Normal(h[t], 1) }\n}\n";

static void chain_hand(void *ctx, long n) { baseline_chain_steps(ctx, n); }

/* The posterior mean solves a tridiagonal system: precision 1 + 1 + 0.81 inside, 1 + 1 at the end, -0.9 beside (Thomas). */
static double chain_error(bench_model *m, const double *y, size_t n) {
  double *d = bench_alloc(n, sizeof *d), *h = bench_alloc(n, sizeof *h), worst = 0;
  for (size_t t = 0; t < n; t++) {
    d[t] = t + 1 < n ? 2.81 : 2, h[t] = y[t];
    if (t) h[t] += 0.9 / d[t - 1] * h[t - 1], d[t] -= 0.81 / d[t - 1];
  }
  for (size_t t = n; t-- > 0;) h[t] = (h[t] + (t + 1 < n ? 0.9 * h[t + 1] : 0)) / d[t];
  for (size_t t = 0; t < n; t++) {
    aim_summary s;
    if (aim_summarise(m->task, aim_quantity_find(m->task, "h"), t, &s) != AIM_OK || !(s.mcse > 0)) return INFINITY;
    worst = fmax(worst, fabs(s.mean - h[t]) / s.mcse);
  }
  return worst;
}

static void local(bench *b, bench_engine engine, size_t n, const char *model, int runs) {
  const char *name = bench_row_name(model, engine);
  if (!bench_wanted(b, name)) return;
  bench_random r = {72};
  double *y = bench_alloc(n, sizeof *y), *x = bench_alloc(n, sizeof *x), h = 0;
  for (size_t t = 0; t < n; t++) h = 0.9 * h + bench_normal(&r), y[t] = h + bench_normal(&r);
  /* The longest chain is checked at the length of the second. */
  size_t few = n < 1000 ? n : 1000;
  bench_data data[] = {{"y", y, NULL, 1, {(int64_t)few}}, {NULL}};
  job j = {engine, chain_text, "mh", "draws", data, {"chains", "warmup", "thin"}, {1, 200, 1}};
  bench_model m;
  double t = job_seconds(&j, 2000, &m), z = t < 0 ? INFINITY : chain_error(&m, y, few);
  bench_model_close(&m);
  if (!(z < 7.4)) {
    bench_wrong(b, name, "a posterior mean is off by %.1f standard errors", z);
    return;
  }
  data[0].dims[0] = (int64_t)n;
  int64_t sweeps = (int64_t)(n < 50000 ? 100000 / n : 4);
  job timing = {engine, chain_text, "mh", "thin", data, {"chains", "warmup", "draws"}, {1, 1, 1}};
  baseline_walk hand = {n, 0, x, y, 1};
  double v[RUNS], w[RUNS];
  if (!differences(&timing, 1, 1 + sweeps, (bench_side){chain_hand, &hand}, 100000, v, w, runs)) {
    bench_wrong(b, name, "the run failed");
    return;
  }
  scale(v, runs, 1e9 / (double)n);
  scale(w, runs, 1e9);
  bench_record(b, &(bench_row){name, "ns/step", BENCH_TIME, 1, "C by hand", 0, bench_text("means within %.1f standard errors", z)},
               v, w, runs);
}

/* ---- labels of a mixture, drawn together */

/* n observations around centres that take turns. */
static double *turns(uint64_t seed, size_t n, const double *centre, size_t centres, double sd) {
  bench_random r = {seed};
  double *x = bench_alloc(n, sizeof *x);
  for (size_t i = 0; i < n; i++) x[i] = centre[i % centres] + sd * bench_normal(&r);
  return x;
}

/* Of hundreds of means one is that far off once in 10^5. */
static bool means_right(bench *b, const char *name, double z) {
  if (z < 5.5) return true;
  bench_wrong(b, name, "a mean is off by %.1f standard errors", z);
  return false;
}

/* Records the time of a sweep, told from `more` of them behind the first 100, and that of one by hand, in units of 1 / by seconds. */
static void sweep_times(bench *b, job *j, long more, bench_side hand, double by, bench_row row) {
  double v[RUNS], w[RUNS];
  j->length = "thin";
  j->option[1] = "warmup", j->value[1] = 1;
  j->option[2] = "draws", j->value[2] = 1;
  if (!differences(j, 100, 100 + more, hand, more, v, w, RUNS)) {
    bench_wrong(b, row.name, "the run failed");
    return;
  }
  scale(v, RUNS, by);
  scale(w, RUNS, by);
  bench_record(b, &row, v, w, RUNS);
}

static const char labels_text[] = "model labels(x: real[N]) {\n  let w = [0.3, 0.4, 0.3];  let mu = [2.0, 3.0, 4.3];  let s = [0.3, 0.5, 0.4]\n"
                                  "  plate i in 1..N { k[i] ~ Categorical(w);  x[i] ~ Normal(mu[k[i]], s[k[i]]) }\n}\n";
static const double labels_weight[] = {0.3, 0.4, 0.3}, labels_mean[] = {2.0, 3.0, 4.3}, labels_sd[] = {0.3, 0.5, 0.4};

static void labels_hand(void *ctx, long n) { baseline_label_sweeps(ctx, n); }

/* The largest error of a label's mean, in standard errors of independent draws. */
static double labels_error(bench_model *m, const double *x, size_t n) {
  double worst = 0;
  const int64_t q = aim_quantity_find(m->task, "k");
  for (size_t i = 0; i < n; i++) {
    double total = 0, mean = 0, square = 0;
    aim_summary s;
    for (int j = 0; j < 3; j++) {
      const double e = (x[i] - labels_mean[j]) / labels_sd[j], p = labels_weight[j] / labels_sd[j] * exp(-0.5 * e * e);
      total += p, mean += p * (j + 1), square += p * (j + 1) * (j + 1);
    }
    mean /= total;
    const double sd = sqrt(square / total - mean * mean);
    if (aim_summarise(m->task, (size_t)q, i, &s) != AIM_OK) return INFINITY;
    worst = fmax(worst, fabs(s.mean - mean) / (sd / sqrt((double)aim_draw_count(m->task, 0)) + 1e-4));
  }
  return worst;
}

static void labels(bench *b, bench_engine engine, size_t n, const char *model) {
  const char *name = bench_row_name(model, engine);
  if (!bench_wanted(b, name)) return;
  const double *x = turns(73, n, (const double[]){2.0, 4.2, 4.2}, 3, 0.4);
  bench_data data[] = {{"x", x, NULL, 1, {(int64_t)n}}, {NULL}};
  job j = {engine, labels_text, "gibbs", "draws", data, {"chains", "warmup"}, {1, 0}};
  bench_model m;
  double t = job_seconds(&j, 4000, &m), z = t < 0 ? INFINITY : labels_error(&m, x, n);
  bench_model_close(&m);
  if (!means_right(b, name, z)) return;
  baseline_labels hand = {n, x, labels_weight, labels_mean, labels_sd, bench_alloc(n, sizeof(int)), 1};
  sweep_times(b, &j, 2000, (bench_side){labels_hand, &hand}, 1e9 / (double)n,
              (bench_row){.name = name, .unit = "ns/label", .measure = BENCH_TIME, .scale = 1, .baseline = "C by hand", .check = bench_text("means within %.1f standard errors", z), .most = 2});
}

/* ---- whole sweeps of a mixture: weights, means, precisions and labels, each from its conditional */

static const char mixture_text[] = "model mixture(x: real[N], c: real[K]) {\n  w ~ Dirichlet(rep(1.0, K))\n  mu: real[K] ~ Normal(c, 0.1)\n  tau: real[K] ~ Gamma(2, 1)\n"
                                   "  plate i in 1..N { k[i] ~ Categorical(w);  x[i] ~ Normal(mu[k[i]], 1 / sqrt(tau[k[i]])) }\n}\n";
static const double mixture_centre[] = {1.8, 3.0, 4.5};

static void mixture_hand(void *ctx, long n) { baseline_mixture_sweeps(ctx, n); }

/* The largest difference of a mean of weights, means or precisions from the C's, whose `sweeps` are four times as many, in Monte Carlo errors. */
static double mixture_error(bench_model *m, const baseline_mixture *hand, double sweeps) {
  static const char *const names[] = {"w", "mu", "tau"};
  double worst = 0;
  for (size_t q = 0; q < 3; q++)
    for (size_t j = 0; j < 3; j++) {
      aim_summary s;
      if (aim_summarise(m->task, aim_quantity_find(m->task, names[q]), j, &s) != AIM_OK || !(s.mcse > 0)) return INFINITY;
      worst = fmax(worst, fabs(s.mean - hand->sums[3 * q + j] / sweeps) / (s.mcse * sqrt(1.25)));
    }
  return worst;
}

static void mixture(bench *b, bench_engine engine, size_t n, const char *model) {
  const char *name = bench_row_name(model, engine);
  if (!bench_wanted(b, name)) return;
  const double *x = turns(74, n, mixture_centre, 3, 0.35);
  bench_data data[] = {{"x", x, NULL, 1, {(int64_t)n}}, {"c", mixture_centre, NULL, 1, {3}}, {NULL}};
  baseline_mixture hand = {.n = n, .x = x, .centre = {1.8, 3.0, 4.5}, .mean = {1.8, 3.0, 4.5}, .tau = {4, 4, 4}, .label = bench_alloc(n, sizeof(int)), .random = 1};
  for (size_t i = 0; i < n; i++) hand.label[i] = (int)(i % 3);
  const int64_t draws = n > 1000 ? 2000 : 8000;
  job j = {engine, mixture_text, "gibbs", "draws", data, {"chains", "warmup"}, {1, 500}};
  bench_model m;
  const double t = job_seconds(&j, draws, &m);
  baseline_mixture_sweeps(&hand, 500);
  for (int k = 0; k < 9; k++) hand.sums[k] = 0;
  baseline_mixture_sweeps(&hand, 4 * (long)draws);
  const double z = t < 0 ? INFINITY : mixture_error(&m, &hand, 4.0 * (double)draws);
  bench_model_close(&m);
  if (!means_right(b, name, z)) return;
  sweep_times(b, &j, n > 1000 ? 200 : 2000, (bench_side){mixture_hand, &hand}, 1e6,
              (bench_row){.name = name, .unit = "us/sweep", .measure = BENCH_TIME, .scale = 1, .baseline = "C by hand", .check = bench_text("means within %.1f standard errors", z)});
}

/* ---- draws a few steps apart share what did not change */

/* A run of 1e5 sites with 50 steps to a draw, in the store that is named. */
static double history_run(const job *j, int64_t draws, run_keeping keep, bench_model *m, double *bytes) {
  const char *name[] = {"chains", "warmup", "steps", "draws", NULL};
  int64_t value[] = {1, 1, 50, draws};
  if (!bench_model_open(m, bench_vm(j->engine), j->text, j->data)) return -1;
  m->task->keep = keep;
  double t = bench_model_run(m, "mh", name, value);
  *bytes = t < 0 ? 0 : (double)draws_bytes(m->task->run.store);
  return t;
}

static bool same_history(const bench_model *a, const bench_model *b, size_t n) {
  size_t draws = aim_draw_count(a->task, 0);
  double *x = bench_alloc(n, sizeof *x), *y = bench_alloc(n, sizeof *y);
  bool same = draws > 0 && draws == aim_draw_count(b->task, 0);
  for (size_t k = 0; k < draws && same; k++)
    same = aim_draw_get(a->task, 0, k, 0, x) == AIM_OK && aim_draw_get(b->task, 0, k, 0, y) == AIM_OK && memcmp(x, y, n * sizeof *x) == 0;
  free(x);
  free(y);
  return same;
}

/* Memory and time of a draw in one of the stores; false if a run failed. */
static bool history_cost(const job *j, run_keeping keep, double *time, double *bytes) {
  const int64_t few = 10, many = keep == RUN_KEEP_FLAT ? 110 : 10010;
  bench_model m;
  double b, c, u = history_run(j, few, keep, &m, &b);
  bench_model_close(&m);
  double t = history_run(j, many, keep, &m, &c);
  bench_model_close(&m);
  *time = 1e6 * (t - u) / (double)(many - few);
  *bytes = (c - b) / (double)(many - few);
  return t >= 0 && u >= 0;
}

static void history(bench *b) {
  enum { N = 100000, TURNS = 9 };
  if (!bench_wanted(b, "mh_history") && !bench_wanted(b, "mh_history_bytes")) return;
  double *y = bench_alloc(N, sizeof *y), time[2][TURNS], bytes[2] = {0};
  bench_data data[] = {{"y", y, NULL, 1, {N}}, {NULL}};
  job j = {BENCH_VM, chain_text, "mh", "draws", data, {0}, {0}};
  bench_model m[2] = {{0}};
  bool right = history_run(&j, 60, RUN_KEEP_AUTO, &m[0], &bytes[0]) >= 0 && history_run(&j, 60, RUN_KEEP_FLAT, &m[1], &bytes[1]) >= 0;
  right = right && same_history(&m[0], &m[1], N) && bytes[0] < bytes[1];
  bench_model_close(&m[0]);
  bench_model_close(&m[1]);
  for (int k = 0; k < TURNS && right; k++)
    right = history_cost(&j, RUN_KEEP_AUTO, &time[0][k], &bytes[0]) && history_cost(&j, RUN_KEEP_FLAT, &time[1][k], &bytes[1]);
  free(y);
  if (!right) {
    bench_wrong(b, "mh_history", "a run failed, or its draws are not those of the flat store");
    return;
  }
  const char *check = "the same bits as flat draws";
  if (bench_wanted(b, "mh_history"))
    bench_record(b, &(bench_row){"mh_history", "us/draw", BENCH_TIME, 1, "flat draws", 0, check}, time[0], time[1], TURNS);
  if (bench_wanted(b, "mh_history_bytes"))
    bench_record(b, &(bench_row){"mh_history_bytes", "bytes/draw", BENCH_TIME, 1, "flat draws", 0, check}, &bytes[0], &bytes[1], 1);
}

/* ---- independent draws of eight schools */

static void schools_hand(void *ctx, long n) { baseline_schools_draws(ctx, n); }

/* Prior: P(mu < 0) = 1/2 and P(tau < 5) = 1/2, in standard errors. */
static double prior_error(bench_model *m) {
  const double *mu = aim_draws(m->task, 0, aim_quantity_find(m->task, "mu"), 0),
               *tau = aim_draws(m->task, 0, aim_quantity_find(m->task, "tau"), 0);
  size_t n = aim_draw_count(m->task, 0), below = 0, small = 0;
  if (!mu || !tau || n < 1000) return INFINITY;
  for (size_t k = 0; k < n; k++) below += mu[k] < 0, small += tau[k] < 5;
  double se = sqrt(0.25 * (double)n);
  return fmax(fabs((double)below - 0.5 * (double)n), fabs((double)small - 0.5 * (double)n)) / se;
}

/* Evidence: theta summed out by hand leaves y_j ~ Normal(mu, sqrt(tau^2 + sigma_j^2)); mu too, exactly; tau on a grid of quantiles.
 */
static double evidence_error(bench_model *m) {
  enum { GRID = 4000 };
  double z = 0;
  for (int k = 0; k < GRID; k++) {
    double tau = 5 * tan(1.5707963267948966 * (k + 0.5) / GRID), p = 1.0 / 25, s = 0, q = 0, ld = -log(25.0);
    for (int j = 0; j < 8; j++) {
      double v = tau * tau + bench_schools_sigma[j] * bench_schools_sigma[j];
      p += 1 / v, s += bench_schools_y[j] / v, q += bench_schools_y[j] * bench_schools_y[j] / v, ld -= log(6.283185307179586 * v);
    }
    z += exp(0.5 * (ld - log(p) + s * s / p - q)) / GRID;
  }
  aim_evidence e;
  if (aim_evidence_get(m->task, &e) != AIM_OK || !(e.standard_error > 0)) return INFINITY;
  return fabs(e.log_evidence - log(z)) / e.standard_error;
}

static void independent(bench *b, bench_engine engine, const char *model, const char *method, const char *length, double (*error)(bench_model *m),
                        bool weigh) {
  const char *name = bench_row_name(model, engine);
  if (!bench_wanted(b, name)) return;
  job j = {engine, bench_schools_text, method, length, bench_schools_data, {0}, {0}};
  bench_model m;
  double t = job_seconds(&j, 100000, &m), z = t < 0 ? INFINITY : error(&m);
  bench_model_close(&m);
  if (!(z < 4.9)) {
    bench_wrong(b, name, "off by %.1f standard errors", z);
    return;
  }
  enum { ROOM = 1024 };
  baseline_draws hand = {bench_schools_y,
                         bench_schools_sigma,
                         bench_alloc(10 * ROOM, sizeof(double)),
                         weigh ? bench_alloc(ROOM, sizeof(double)) : NULL,
                         ROOM,
                         1};
  double v[RUNS], w[RUNS];
  if (!differences(&j, 1000, 11000, (bench_side){schools_hand, &hand}, 10000, v, w, RUNS)) {
    bench_wrong(b, name, "the run failed");
    return;
  }
  for (int k = 0; k < RUNS; k++) v[k] = 1e-6 / v[k], w[k] = 1e-6 / w[k];
  bench_record(b, &(bench_row){name, "M draws/s", BENCH_RATE, 1, "C by hand", 0, bench_text("within %.1f standard errors", z)}, v,
               w, RUNS);
}

void bench_sampling(bench *b) {
  for (int k = 0; k < BENCH_ENGINES; k++) {
    bench_engine e = (bench_engine)k;
    if (!bench_has_engine(e)) continue;
    hier(b, e, 20, "mh_hier20", 300);
    hier(b, e, 50, "mh_hier50", 800);
    labels(b, e, 272, "gibbs_labels_272");
    labels(b, e, 10000, "gibbs_labels_1e4");
    mixture(b, e, 272, "gibbs_mixture_272");
    mixture(b, e, 10000, "gibbs_mixture_1e4");
    local(b, e, 100, "mh_local_1e2", RUNS);
    local(b, e, 1000, "mh_local_1e3", RUNS);
    local(b, e, 10000, "mh_local_1e4", RUNS);
    local(b, e, 100000, "mh_local_1e5", 15);
    independent(b, e, "prior_eight_schools", "prior", "draws", prior_error, false);
    independent(b, e, "importance_eight_schools", "importance", "particles", evidence_error, true);
  }
  history(b);
}
