/* spins.c: attempts per second of the kernels that anneal spins, against the same by hand.
 *
 * The kernels are below aim.h, as traces are, so these rows use stdlib/runtime directly.  A body is one anneal of all replicas from the states that
 * the last one left, with energies at its end; its figure is visits to a site, whatever comes of them. */
#include "tests/bench/baseline.h"
#include "tests/bench/bench.h"

#include "stdlib/runtime/rt_potts.h"
#include "vm/aim.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 15 };

static void *aligned(size_t bytes) {
  void *p = aligned_alloc(RT_SPIN_ALIGN, (bytes + RT_SPIN_ALIGN) / RT_SPIN_ALIGN * RT_SPIN_ALIGN);
  if (!p) fputs("bench: out of memory\n", stderr), exit(2);
  return p;
}

typedef struct anneal {
  rt_spin_problem problem;
  rt_spin_precision precision;
  rt_spin_model model;
  rt_spin_run run;
  const rt_spin_kernels *k;
  rt_spin_schedule schedule;
  double *beta;
  rt_spin_groups groups;
  void *memory[3];
} anneal;

static void run_anneal(void *ctx, long n) {
  anneal *a = ctx;
  for (long k = 0; k < n; k++) a->k->sweep(&a->run, &a->schedule);
}

/* beta from b0 to b1 in equal ratios. */
static void anneal_open(anneal *a, rt_spin_plan plan, double b0, double b1, size_t sweeps) {
  a->k = rt_spin_kernels_for(0);
  a->memory[0] = aligned(rt_spin_model_size(&a->model, &a->problem, a->precision));
  rt_spin_model_make(&a->model, a->memory[0]);
  size_t room = rt_spin_groups_size(&a->model, a->problem.n);
  a->memory[2] = room ? aligned(room) : NULL;
  if (room && rt_spin_groups_make(&a->groups, &a->model, NULL, a->memory[2])) plan.groups = &a->groups;
  if (plan.coding == RT_SPIN_AUTO) plan.coding = rt_spin_choose(&a->model, &plan, 1);
  a->memory[1] = aligned(rt_spin_run_size(&a->model, &plan));
  rt_spin_run_init(&a->run, &a->model, &plan, a->memory[1]);
  a->k->load(&a->run, NULL);
  a->beta = bench_alloc(sweeps, sizeof(double));
  for (size_t t = 0; t < sweeps; t++) a->beta[t] = b0 * pow(b1 / b0, (double)t / (double)(sweeps > 1 ? sweeps - 1 : 1));
  a->schedule = (rt_spin_schedule){.sweeps = sweeps, .beta = a->beta, .by_sweep = 1};
}

static void anneal_close(anneal *a) {
  free(a->memory[0]);
  free(a->memory[1]);
  free(a->memory[2]);
  free(a->beta);
}

/* Energies kept against those of the states; the largest relative difference, or 2 where a state is no better than chance. */
static double anneal_error(anneal *a) {
  size_t n = a->problem.n;
  int8_t *s = bench_alloc(n, 1);
  double worst = 0;
  run_anneal(a, 1);
  for (size_t r = 0; r < a->run.plan.replicas; r++) {
    a->k->store(&a->run, r, 0, s);
    double e = rt_spin_energy(&a->problem, a->problem.systems > 1 ? r % a->problem.systems : 0, s);
    worst = fmax(worst, fabs(e - a->run.energy[r]) / (1 + fabs(e)));
    if (e >= 0) worst = 2;
  }
  free(s);
  return worst;
}

/* A row in M/s, or in microseconds of an anneal of one replica. */
static void row(bench *b, const char *name, anneal *a, bench_side base, double bar, bool times) {
  double error = anneal_error(a), replicas = (double)a->run.plan.replicas;
  double visits = (double)a->schedule.sweeps * (double)(a->run.plan.proposals ? a->run.plan.proposals : a->problem.n);
  if (!(error <= 1e-5)) {
    bench_wrong(b, name, "energies differ by %g", error);
    return;
  }
  const char *check = bench_text("energies kept are those of the states to %.1g", error);
  if (times) bench_pair(b, &(bench_row){name, "us", BENCH_TIME, 1e6 / replicas, base.body ? "scalar C by hand" : NULL, bar, check}, (bench_side){run_anneal, a}, base, RUNS);
  else
    bench_pair(b, &(bench_row){name, "M visits/s", BENCH_RATE, 1e-6 * visits * replicas, base.body ? "scalar C by hand" : NULL, bar, check}, (bench_side){run_anneal, a}, base, RUNS);
}

/* ---- dense: Sherrington and Kirkpatrick's glass */

/* Baselines are scaled to the work of the body: `repeat` anneals of one replica. */
typedef struct by_hand {
  baseline_spins spins;
  size_t repeat;
  void (*anneal)(baseline_spins *);
} by_hand;
static void run_by_hand(void *ctx, long n) {
  by_hand *h = ctx;
  for (long k = 0; k < n * (long)h->repeat; k++) h->anneal(&h->spins);
}

static double *glass(size_t n, size_t systems, uint64_t seed) {
  double *J = bench_alloc(systems * n * n, sizeof *J);
  bench_random r = {seed};
  for (size_t q = 0; q < systems; q++)
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < i; j++) J[(q * n + i) * n + j] = J[(q * n + j) * n + i] = bench_normal(&r) / sqrt((double)n);
  return J;
}

static by_hand hand_of(const anneal *a, void (*run)(baseline_spins *)) {
  const rt_spin_problem *p = &a->problem;
  size_t n = p->n;
  by_hand h = {.repeat = a->run.plan.replicas, .anneal = run};
  h.spins = (baseline_spins){.n = n, .sweeps = a->schedule.sweeps, .beta = a->beta, .random = 88172645463325252u};
  h.spins.s = bench_alloc(n, sizeof(float));
  h.spins.f = bench_alloc(n, sizeof(float));
  for (size_t i = 0; i < n; i++) h.spins.s[i] = i % 3 ? 1 : -1;
  size_t count = p->J ? n * n : p->row[n];
  float *w = bench_alloc(count, sizeof(float));
  for (size_t k = 0; k < count; k++) w[k] = (float)(p->J ? p->J[k] : p->weight[k]);
  h.spins.J = h.spins.weight = w;
  h.spins.row = p->row;
  h.spins.column = p->column;
  return h;
}
static void hand_close(by_hand *h) {
  free(h->spins.s);
  free(h->spins.f);
  free((float *)h->spins.J);
}

static void dense(bench *b, size_t n, bool hot, size_t replicas, rt_spin_precision precision, double bar) {
  const char *name = bench_text("spins_sk_%zu_%s%s%s", n, hot ? "hot" : "cold", precision == RT_SPIN_MIXED ? "_mixed" : "", replicas > 1 ? bench_text("_x%zu", replicas) : "");
  if (!bench_wanted(b, name)) return;
  anneal a = {.problem = {.form = RT_SPIN_DENSE, .n = n, .J = glass(n, 1, n)}, .precision = precision};
  anneal_open(&a, (rt_spin_plan){.key = 1, .replicas = replicas}, hot ? 0.1 : 1, hot ? 3 : 5, n > 256 ? 100 : 400);
  by_hand h = hand_of(&a, baseline_spins_dense);
  row(b, name, &a, (bench_side){run_by_hand, &h}, bar, false);
  hand_close(&h);
  anneal_close(&a);
  free((double *)a.problem.J);
}

/* Twenty spins, a hundred steps of ten proposals at random sites: the workload of examples/empathy. */
static void empathy(bench *b, size_t replicas, double bar) {
  const char *name = bench_text("spins_anneal_20_x%zu", replicas);
  if (!bench_wanted(b, name)) return;
  anneal a = {.problem = {.form = RT_SPIN_DENSE, .n = 20, .J = glass(20, replicas, 20), .systems = replicas}, .precision = RT_SPIN_F32};
  anneal_open(&a, (rt_spin_plan){.key = 1, .replicas = replicas, .order = RT_SPIN_RANDOM, .proposals = 10}, 0.1, 0.1 * exp(9.9), 100);
  row(b, name, &a, (bench_side){0}, bar, true);
  anneal_close(&a);
  free((double *)a.problem.J);
}

/* ---- sparse */

/* n spins, `edges` random pairs, couplings -1: Max-Cut of a random graph. */
static rt_spin_problem random_graph(size_t n, size_t edges) {
  uint8_t *pair = bench_alloc(n * n, 1);
  uint32_t *rows = bench_alloc(n + 1, sizeof *rows), *column = bench_alloc(2 * edges, sizeof *column);
  double *weight = bench_alloc(2 * edges, sizeof *weight);
  bench_random r = {22};
  for (size_t e = 0; e < edges;) {
    size_t i = (size_t)(bench_uniform(&r) * (double)n), j = (size_t)(bench_uniform(&r) * (double)n);
    if (i == j || pair[i * n + j]) continue;
    pair[i * n + j] = pair[j * n + i] = 1;
    e++;
  }
  uint32_t at = 0;
  for (size_t i = 0; i < n; i++) {
    rows[i] = at;
    for (size_t j = 0; j < n; j++)
      if (pair[i * n + j]) {
        weight[at] = -1;
        column[at++] = (uint32_t)j;
      }
  }
  rows[n] = at;
  free(pair);
  return (rt_spin_problem){.form = RT_SPIN_SPARSE, .n = n, .row = rows, .column = column, .weight = weight};
}

static void sparse(bench *b, size_t replicas, double bar) {
  const char *name = bench_text("spins_graph_2000_20_x%zu", replicas);
  if (!bench_wanted(b, name)) return;
  anneal a = {.problem = random_graph(2000, 19990), .precision = RT_SPIN_F32};
  anneal_open(&a, (rt_spin_plan){.key = 1, .replicas = replicas}, 0.05, 3, 200);
  by_hand h = hand_of(&a, baseline_spins_sparse);
  row(b, name, &a, (bench_side){run_by_hand, &h}, bar, false);
  hand_close(&h);
  anneal_close(&a);
  free((void *)a.problem.row);
  free((void *)a.problem.column);
  free((void *)a.problem.weight);
}

/* ---- lattices */

static void run_torus(void *ctx, long n) {
  for (long k = 0; k < n; k++) baseline_spins_torus(ctx);
}

static void plane(bench *b, size_t side, double bar) {
  const char *name = bench_text("spins_torus_%zu", side);
  if (!bench_wanted(b, name)) return;
  size_t n = side * side;
  int8_t *right = bench_alloc(n, 1), *down = bench_alloc(n, 1), *s = bench_alloc(n, 1);
  bench_random r = {64};
  for (size_t i = 0; i < n; i++) {
    right[i] = bench_uniform(&r) < 0.5 ? 1 : -1;
    down[i] = bench_uniform(&r) < 0.5 ? 1 : -1;
    s[i] = bench_uniform(&r) < 0.5 ? 1 : -1;
  }
  anneal a = {.problem = {.form = RT_SPIN_LATTICE, .n = n, .width = side, .height = side, .wrap_x = 1, .wrap_y = 1, .right = right, .down = down, .coupling = 1}, .precision = RT_SPIN_F32};
  anneal_open(&a, (rt_spin_plan){.key = 1, .replicas = 1, .order = RT_SPIN_COLOURED}, 0.8, 0.8, 20);
  baseline_torus h = {side, side, 20, right, down, s, 0.8, 88172645463325252u};
  row(b, name, &a, (bench_side){run_torus, &h}, bar, false);
  anneal_close(&a);
  free(right);
  free(down);
  free(s);
}

typedef struct colours {
  rt_potts_run run;
  const rt_potts_kernels *k;
  rt_spin_schedule schedule;
} colours;
static void run_colours(void *ctx, long n) {
  colours *c = ctx;
  for (long k = 0; k < n; k++) c->k->sweep(&c->run, &c->schedule);
}
typedef struct colours_by_hand {
  baseline_colours c;
  size_t repeat;
} colours_by_hand;
static void run_colours_by_hand(void *ctx, long n) {
  colours_by_hand *h = ctx;
  for (long k = 0; k < n * (long)h->repeat; k++) baseline_spins_colours(&h->c);
}

/* 15 x 15 sites of five colours, at their critical temperature, heat bath by colours of the checkerboard. */
static void potts(bench *b, size_t replicas, double bar) {
  enum { SIDE = 15, N = SIDE * SIDE, SWEEPS = 200 };
  const char *name = bench_text("spins_potts_15_5_x%zu", replicas);
  if (!bench_wanted(b, name)) return;
  uint32_t order[N];
  size_t count = 0;
  for (size_t c = 0; c < 2; c++)
    for (size_t i = 0; i < N; i++)
      if ((i / SIDE + i % SIDE) % 2 == c) order[count++] = (uint32_t)i;
  rt_potts_problem p = {{.form = RT_SPIN_LATTICE, .n = N, .width = SIDE, .height = SIDE, .coupling = 1}, 5, NULL};
  rt_potts_model m;
  rt_spin_plan plan = {.rule = RT_SPIN_HEAT_BATH, .order = RT_SPIN_COLOURED, .sites = order, .site_count = N, .key = 1, .replicas = replicas,
                       .coding = replicas >= RT_POTTS_LANES ? RT_SPIN_IN_LANES : RT_SPIN_SCALAR};
  void *memory[2] = {aligned(rt_potts_model_size(&m, &p, RT_SPIN_F64))};
  rt_potts_model_make(&m, memory[0]);
  double beta = log(1 + sqrt(5));
  colours c = {.k = rt_potts_kernels_for(0), .schedule = {.sweeps = SWEEPS, .beta = &beta}};
  rt_potts_run_init(&c.run, &m, &plan, memory[1] = aligned(rt_potts_run_size(&m, &plan)));
  c.k->load(&c.run, NULL);
  run_colours(&c, 1);
  uint16_t s[N];
  double worst = 0;
  for (size_t r = 0; r < replicas; r++) {
    c.k->store(&c.run, r, 0, s);
    worst = fmax(worst, fabs(rt_potts_energy(&p, s) - c.run.energy[r]));
  }
  uint8_t by_hand[N] = {0};
  colours_by_hand h = {{SIDE, SIDE, 5, SWEEPS, by_hand, beta, 88172645463325252u}, replicas};
  if (worst != 0) bench_wrong(b, name, "energies differ by %g", worst);
  else
    bench_pair(b, &(bench_row){name, "M visits/s", BENCH_RATE, 1e-6 * N * SWEEPS * (double)replicas, "scalar C by hand", bar, "energies are those of the states"},
               (bench_side){run_colours, &c}, (bench_side){run_colours_by_hand, &h}, RUNS);
  free(memory[0]);
  free(memory[1]);
}

/* ---- a stop that never comes, in whole runs of the same statement with and without it */

#define DENSE_AGENT "import ising\nmodel m(n: int) {\n  s: spin[n] ~ Flat()\n  energy ising_energy(fixture_coupling(n), fixture_field(n), s)\n}\nanneal m on n = %d"
#define CIRCULANT \
  "model m(n: int) {\n  s: spin[n] ~ Flat()\n  energy sum(s[i] * s[i %% n + 1] + s[i] * s[(i + 6) %% n + 1] for i in 1..n)\n}\nanneal m on n = %d"

typedef struct statement {
  const char *text;
  double mean; /* of the replicas' lowest energies, NAN where a run failed */
} statement;

static void run_statement(void *ctx, long n) {
  statement *x = ctx;
  for (long k = 0; k < n; k++) {
    aim_vm *vm = bench_vm(BENCH_VM);
    aim_program *p = NULL;
    aim_task *t = NULL;
    aim_annealing told;
    x->mean = NAN;
    if (aim_load(vm, "stop.aim", x->text, strlen(x->text), &p) == AIM_OK && aim_task_statement(p, 0, &t) == AIM_OK && aim_set_int(t, "threads", 1) == AIM_OK &&
        aim_bind(t) == AIM_OK && aim_run(t, NULL) == AIM_OK && aim_annealing_get(t, &told) == AIM_OK)
      x->mean = told.mean_energy;
    aim_task_free(t);
    aim_program_free(p);
    aim_vm_free(vm);
  }
}

static void never_stops(bench *b, const char *kind, const char *model, int n, int sweeps) {
  const char *name = bench_text("spins_stop_never_%s_%d", kind, n);
  if (!bench_wanted(b, name)) return;
  const char *start = bench_text(model, n), *kernel = "using metropolis(replicas = 64, precision = f32)\n";
  statement with = {bench_text("%s with geometric(beta = 0.1 -> 3, sweeps = %d) until stable(window = 20, tolerance = -1) %s", start, sweeps, kernel), 0};
  statement without = {bench_text("%s with geometric(beta = 0.1 -> 3, sweeps = %d) %s", start, sweeps, kernel), 0};
  run_statement(&with, 1);
  run_statement(&without, 1);
  if (with.mean != without.mean) bench_wrong(b, name, "the lowest energies are %g, and %g without the stop", with.mean, without.mean);
  else
    bench_pair(b, &(bench_row){.name = name, .unit = "ms", .measure = BENCH_TIME, .scale = 1e3, .baseline = "without the stop", .most = 1.02, .check = "the same lowest energies"},
               (bench_side){run_statement, &with}, (bench_side){run_statement, &without}, RUNS);
}

void bench_spins(bench *b) {
  const size_t n[] = {20, 64, 256, 1024, 2048};
  const double hot[] = {0, 0, 120, 0, 15}, cold[] = {0, 0, 300, 0, 0};
  for (int k = 0; k < 5; k++) {
    dense(b, n[k], true, 1, RT_SPIN_F32, hot[k]);
    dense(b, n[k], false, 1, RT_SPIN_F32, cold[k]);
  }
  for (int k = 3; k < 5; k++) {
    dense(b, n[k], true, 1, RT_SPIN_MIXED, hot[k]);
    dense(b, n[k], false, 1, RT_SPIN_MIXED, 0);
  }
  for (int k = 0; k < 5; k++) dense(b, n[k], true, 16, RT_SPIN_F32, hot[k]);
  empathy(b, 1, 12);
  empathy(b, 16, 2);
  sparse(b, 1, 150);
  sparse(b, 64, 5000);
  sparse(b, 512, 5000);
  plane(b, 1024, 20000);
  never_stops(b, "dense", DENSE_AGENT, 20, 10000);
  never_stops(b, "dense", DENSE_AGENT, 200, 200);
  never_stops(b, "bits", CIRCULANT, 2000, 1000);
  potts(b, 1, 250);
  potts(b, 16, 250);
}
