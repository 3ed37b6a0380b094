/* cmd_bench.c: aimc bench: what a model costs on this machine, on each engine.
 *
 * Densities and gradients are timed warm, in processor time, at points that move a little from call to call as a sampler's do, the engines
 * in turn so that what else the machine does falls on all of them; the figure is the median of runs of a few milliseconds, with the
 * quartiles.  The
 * engines' values are compared bit for bit first.  A short run by the statement's method then gives transitions and effective draws a
 * second, warm-up included.  The roofline is measured too: what the operations and bytes of the cost model would take if nothing else did. */
#include "aimc/aimc.h"
#include "aimc/engine.h"
#include "aimc/roofline.h"

#include "compiler/ir_cost.h"
#include "vm/api.h"
#include "vm/interp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef AIM_JIT
#include "codegen/jit.h"
#endif

enum { RUNS = 25, ENGINES = 2, TRIES = 100 };
#define RUN_SECONDS 3e-3

/* Medians and quartiles, in seconds. */
typedef struct spread {
  double median, low, high; /* median NAN: not measured */
} spread;

typedef struct side {
  const char *name;
  bool there;           /* the engine runs the model */
  const char *why;      /* or why not; NULL: this build has no such engine */
  double compile;       /* seconds to machine code, nothing cached; NAN for the interpreter */
  size_t object;        /* bytes of it */
  spread density, gradient;
  double transitions, draws_per_second, least_ess, seconds; /* of the short run; NAN where there was none */
  char slowest[128];    /* the quantity of least_ess */
  /* while they are timed */
  aim_vm *vm;
  aim_program *program;
  aim_task *task;
  aim_evaluator *e;
} side;

typedef struct bench {
  const args *a;
  side side[ENGINES];
  size_t dim, cells;
  double *q, *g, *latents;
  ir_cost_number cost;      /* of a gradient; of a density where there is none */
  bool cost_exact, cost_known;
  double flops, bytes;      /* a second, of this machine */
  bool differ;              /* the engines gave other bits */
} bench;

/* ---- engines: each alone, with nothing to fall back on */

#ifdef AIM_JIT
static jit_config config = {.fallback = &interp_engine}; /* no cache: a compilation is what is to be timed */
static exec_engine machine_code;

static bool choose(aim_vm *vm, int k) {
  if (k == 0) return true;
  config.compiler = engine_compiler();
  if (!config.compiler) return false;
  machine_code = jit_engine(&config);
  aim_vm_engine(vm, &machine_code);
  return true;
}

static void compiled(side *s) {
  jit_stats x;
  jit_stats_of(s->task->model.loaded, &x);
  s->compile = x.seconds;
  s->object = x.object;
}
#else
static bool choose(aim_vm *vm, int k) {
  (void)vm;
  return k == 0;
}
static void compiled(side *s) { (void)s; }
#endif

static void side_close(side *s) {
  aim_evaluator_free(s->e);
  aim_task_free(s->task);
  aim_program_free(s->program);
  aim_vm_free(s->vm);
  s->e = NULL, s->task = NULL, s->program = NULL, s->vm = NULL;
}

/* A task on engine k.  0, or an exit status after a message. */
static int side_open(bench *b, int k, size_t statement, const aim_config *config) {
  side *s = &b->side[k];
  s->vm = aim_vm_new(config);
  if (!s->vm) {
    fputs("aimc: memory is exhausted\n", stderr);
    return EXIT_HOST;
  }
  if (!choose(s->vm, k)) return EXIT_FINE;
  aim_status st = aim_load_file(s->vm, b->a->file[0], &s->program);
  if (st == AIM_OK) st = aim_task_statement(s->program, statement, &s->task);
  if (st != AIM_OK) {
    fprintf(stderr, "aimc: %s\n", aim_status_text(st));
    return exit_of(st);
  }
  /* A short run; flags override it. */
  aim_set_int(s->task, "chains", 2), aim_set_int(s->task, "warmup", 500), aim_set_int(s->task, "draws", 500), aim_set_int(s->task, "threads", 1);
  return prepare_task(b->a, s->task);
}

/* ---- the point: as a sampler's initial one, uniform on (-1, 1) of the unconstrained space */

static double uniform(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

static bool find_point(bench *b, aim_evaluator *e) {
  uint64_t state = 1;
  for (int k = 0; k < TRIES; k++) {
    double lp = NAN;
    for (size_t i = 0; i < b->dim; i++) b->q[i] = 2 * uniform(&state) - 1;
    if (aim_log_density(e, b->q, &lp, b->g) == AIM_OK && isfinite(lp)) return aim_constrain(e, b->q, b->latents) == AIM_OK;
  }
  return false;
}

/* Latents that are discrete have no unconstrained point; a draw from the prior is one on the model's own scale. */
static bool find_latents(bench *b, aim_evaluator *e) {
  for (uint64_t k = 0; k < TRIES; k++) {
    aim_score s;
    if (aim_prior_draw(e, 1, k, b->latents) == AIM_OK && aim_score_get(e, b->latents, &s) == AIM_OK && isfinite(s.prior + s.likelihood + s.factors))
      return true;
  }
  return false;
}

/* ---- timing */

typedef double timed(bench *b, side *s, long n); /* seconds of n evaluations */

static volatile double kept;

static double time_gradient(bench *b, side *s, long n) {
  const double at = b->dim ? b->q[0] : 0;
  double lp, began = processor_seconds();
  for (long k = 0; k < n; k++) {
    if (b->dim) b->q[0] = at + 1e-9 * (double)(k % 1000);
    aim_log_density(s->e, b->q, &lp, b->g);
    kept = lp;
  }
  double t = processor_seconds() - began;
  if (b->dim) b->q[0] = at;
  return t;
}

static double time_density(bench *b, side *s, long n) {
  aim_score x;
  double began = processor_seconds();
  for (long k = 0; k < n; k++) {
    aim_score_get(s->e, b->latents, &x);
    kept = x.likelihood;
  }
  return processor_seconds() - began;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static spread spread_of(double *t) {
  qsort(t, RUNS, sizeof *t, by_size);
  return (spread){t[RUNS / 2], t[RUNS / 4], t[RUNS - 1 - RUNS / 4]};
}

static void time_sides(bench *b, timed *run, bool gradient) {
  long n[ENGINES] = {0};
  double t[ENGINES][RUNS];
  for (int k = 0; k < ENGINES; k++) {
    if (!b->side[k].there) continue;
    for (n[k] = 1; run(b, &b->side[k], n[k]) < RUN_SECONDS && n[k] < 1L << 40;) n[k] *= 2;
  }
  for (int r = 0; r < RUNS; r++)
    for (int k = 0; k < ENGINES; k++)
      if (b->side[k].there) t[k][r] = run(b, &b->side[k], n[k]) / (double)n[k];
  for (int k = 0; k < ENGINES; k++) {
    spread s = b->side[k].there ? spread_of(t[k]) : (spread){NAN, NAN, NAN};
    *(gradient ? &b->side[k].gradient : &b->side[k].density) = s;
  }
}

/* ---- what the engines give at the point: equal bits, or the model is not measured */

static bool same(const double *x, const double *y, size_t n) {
  for (size_t k = 0; k < n; k++)
    if (memcmp(x + k, y + k, sizeof *x) != 0 && !(isnan(x[k]) && isnan(y[k]))) return false;
  return true;
}

static void compare(bench *b, bool gradient) {
  double *other = calloc(b->dim + 1, sizeof *other), lp[2] = {0, 0};
  aim_score s[2] = {{0, 0, 0}, {0, 0, 0}};
  if (!other) return;
  for (int k = 0; k < ENGINES; k++) {
    if (gradient) aim_log_density(b->side[k].e, b->q, &lp[k], k ? other : b->g);
    aim_score_get(b->side[k].e, b->latents, &s[k]);
  }
  const double x[] = {lp[0], s[0].prior, s[0].likelihood, s[0].factors}, y[] = {lp[1], s[1].prior, s[1].likelihood, s[1].factors};
  b->differ = !same(x, y, 4) || (gradient && !same(b->g, other, b->dim));
  free(other);
}

/* ---- a short run */

static void find_slowest(side *s) {
  s->least_ess = INFINITY;
  aim_quantity q;
  for (size_t k = 0; aim_quantity_get(s->task, k, &q) == AIM_OK; k++)
    for (size_t c = 0; q.kind != AIM_PREDICTED && c < q.cells; c++) {
      aim_summary x;
      if (aim_summarise(s->task, k, c, &x) != AIM_OK || !(x.ess_bulk < s->least_ess)) continue;
      s->least_ess = x.ess_bulk;
      if (q.cells > 1) snprintf(s->slowest, sizeof s->slowest, "%s, cell %zu", q.name, c + 1);
      else snprintf(s->slowest, sizeof s->slowest, "%s", q.name);
    }
}

static int short_run(side *s, const args *a) {
  double began = now(NULL);
  aim_status st = aim_run(s->task, NULL);
  s->seconds = now(NULL) - began;
  if (st != AIM_OK) return report_task(a, s->task, st);
  aim_plan p;
  if (aim_plan_get(s->task, &p) != AIM_OK) return EXIT_BUG;
  const bool chain = method_is(method_find(p.method), METHOD_MARKOV);
  s->transitions = chain ? (double)p.chains * ((double)p.warmup + (double)p.draws * (double)p.thin) / s->seconds : NAN;
  find_slowest(s);
  s->draws_per_second = s->least_ess / s->seconds;
  return EXIT_FINE;
}

/* ---- one statement */

static void find_cost(bench *b, bool gradient) {
  program *p = &b->side[0].task->p;
  if (ARENA_TRY(&b->side[0].task->mem)) return; /* costs are polynomials in the arena of the task */
  ir_fn *fn = ir_fn_find(p->module, gradient ? "grad" : "density");
  if (!fn) return;
  ir_cost c = ir_cost_fn(fn);
  b->cost_exact = c.exact;
  b->cost_known = ir_cost_eval(p->module, c, &b->cost);
}

/* Seconds that the operations, or the bytes, of one evaluation take at the machine's best. */
static double floor_of(const bench *b) {
  double flops = (double)b->cost.flops / b->flops, bytes = (double)(b->cost.read + b->cost.written) / b->bytes;
  return flops > bytes ? flops : bytes;
}

static const char *scaled(double seconds, char out[32]) {
  if (isnan(seconds)) snprintf(out, 32, "-");
  else if (seconds < 1e-6) snprintf(out, 32, "%.4g ns", seconds * 1e9);
  else if (seconds < 1e-3) snprintf(out, 32, "%.4g us", seconds * 1e6);
  else if (seconds < 1) snprintf(out, 32, "%.4g ms", seconds * 1e3);
  else snprintf(out, 32, "%.4g s", seconds);
  return out;
}

static void row(const bench *b, const char *title, spread (*get)(const side *s)) {
  printf("  %-26s", title);
  for (int k = 0; k < ENGINES; k++) {
    char m[32], l[32], h[32], all[104];
    spread s = get(&b->side[k]);
    scaled(s.median, m), scaled(s.low, l), scaled(s.high, h);
    if (isnan(s.median) || isnan(s.low)) snprintf(all, sizeof all, "%s", m);
    else snprintf(all, sizeof all, "%s (%s to %s)", m, l, h);
    printf("  %-36s", b->side[k].there ? all : "");
  }
  putchar('\n');
}
static spread get_density(const side *s) { return s->density; }
static spread get_gradient(const side *s) { return s->gradient; }
static spread get_compile(const side *s) { return (spread){s->compile, NAN, NAN}; }

static void rate_row(const bench *b, const char *title, double (*get)(const side *s)) {
  printf("  %-26s", title);
  for (int k = 0; k < ENGINES; k++) {
    char text[32];
    if (isfinite(get(&b->side[k]))) snprintf(text, sizeof text, "%.4g", get(&b->side[k]));
    else snprintf(text, sizeof text, "-");
    printf("  %-36s", b->side[k].there ? text : "");
  }
  putchar('\n');
}
static double get_transitions(const side *s) { return s->transitions; }
static double get_ess_rate(const side *s) { return s->draws_per_second; }

static void print_text(const bench *b, const char *name, const aim_plan *p, bool gradient) {
  printf("%s: model %s by %s, %zu unknowns, %zu unconstrained\n", name, p->model, p->method, b->cells, b->dim);
  printf("  %-26s", "");
  for (int k = 0; k < ENGINES; k++) printf("  %-36s", b->side[k].there ? b->side[k].name : "");
  putchar('\n');
  if (b->side[1].there) row(b, "compilation", get_compile);
  row(b, "log density", get_density);
  if (gradient) row(b, "log density and gradient", get_gradient);
  rate_row(b, "transitions/s", get_transitions);
  rate_row(b, "effective draws/s", get_ess_rate);
  printf("  medians of %d runs, with quartiles, in processor time; rates of a run of %u chains of %u + %u in one thread, by the clock; the fewest effective draws are those of %s\n", RUNS,
         p->chains, p->warmup, p->draws, b->side[0].slowest);
  if (!b->side[1].there) printf("  no machine code: %s\n", b->side[1].why ? b->side[1].why : "this build, or this machine, has none");
  if (!b->cost_known || !(b->flops > 0) || !(b->bytes > 0)) return;
  char t[32];
  printf("  one %s: %s%lld flops, %lld bytes; this machine: %.3g Gflop/s, %.3g GB/s at that size, so %s at best\n",
         gradient ? "gradient" : "density", b->cost_exact ? "" : "at least ", (long long)b->cost.flops, (long long)(b->cost.read + b->cost.written),
         1e-9 * b->flops, 1e-9 * b->bytes, scaled(floor_of(b), t));
  for (int k = 0; k < ENGINES; k++)
    if (b->side[k].there)
      printf("    %s reaches %.1f %% of it\n", b->side[k].name, 100 * floor_of(b) / (gradient ? b->side[k].gradient.median : b->side[k].density.median));
}

/* ---- JSON: seconds and rates as they are, null where there is none */

static void json_number(const char *key, double v, const char *before) {
  printf(isfinite(v) ? "%s\"%s\": %.6g" : "%s\"%s\": null", before, key, v);
}
static void json_spread(const char *key, spread s) {
  printf(", \"%s\": {", key);
  json_number("median", s.median, "");
  json_number("q25", s.low, ", ");
  json_number("q75", s.high, ", ");
  putchar('}');
}
static void json_text(const char *s) {
  putchar('"');
  for (; *s; s++) {
    if (*s == '"' || *s == '\\') putchar('\\');
    if ((unsigned char)*s >= ' ') putchar(*s);
  }
  putchar('"');
}

static void print_json(const bench *b, const char *name, const aim_plan *p, bool gradient) {
  printf("{\"name\": ");
  json_text(name);
  printf(", \"model\": ");
  json_text(p->model);
  printf(", \"method\": \"%s\", \"cells\": %zu, \"dimension\": %zu, \"runs\": %d, \"chains\": %u, \"warmup\": %u, \"draws\": %u", p->method, b->cells, b->dim,
         RUNS, p->chains, p->warmup, p->draws);
  if (b->cost_known) {
    printf(", \"flops\": %lld, \"bytes\": %lld, \"exact\": %s", (long long)b->cost.flops, (long long)(b->cost.read + b->cost.written), b->cost_exact ? "true" : "false");
    json_number("machine_flops_per_second", b->flops, ", ");
    json_number("machine_bytes_per_second", b->bytes, ", ");
    json_number("floor_seconds", floor_of(b), ", ");
  }
  printf(", \"engines\": [");
  for (int k = 0, n = 0; k < ENGINES; k++) {
    const side *s = &b->side[k];
    if (!s->there) continue;
    printf("%s{\"engine\": \"%s\"", n++ ? ", " : "", s->name);
    json_number("compile_seconds", s->compile, ", ");
    json_spread("density_seconds", s->density);
    json_spread("gradient_seconds", gradient ? s->gradient : (spread){NAN, NAN, NAN});
    json_number("transitions_per_second", s->transitions, ", ");
    json_number("ess_bulk_min", s->least_ess, ", ");
    json_number("ess_per_second", s->draws_per_second, ", ");
    json_number("run_seconds", s->seconds, ", ");
    printf(", \"slowest\": ");
    json_text(s->slowest);
    putchar('}');
  }
  printf("]}\n");
}

/* ---- the command */

/* Binds the task and makes its evaluator; an engine that refuses the model is left out. */
static int start(bench *b, int k) {
  side *s = &b->side[k];
  if (!s->task) return EXIT_FINE;
  aim_status st = aim_evaluator_new(s->task, &s->e);
  s->there = st == AIM_OK;
  if (s->there && k > 0) compiled(s);
  if (s->there) return EXIT_FINE;
  aim_diagnostic d;
  size_t n = aim_task_diagnostic_count(s->task);
  if (k > 0 && st == AIM_E_PROGRAM && n && aim_task_diagnostic(s->task, n - 1, &d) == AIM_OK) {
    s->why = d.message;
    return EXIT_FINE;
  }
  return report_task(b->a, s->task, st);
}

static int measure(bench *b, size_t statement, const aim_config *config) {
  for (int k = 0; k < ENGINES; k++) {
    int status = side_open(b, k, statement, config);
    if (status == EXIT_FINE) status = start(b, k);
    if (status != EXIT_FINE) return status;
  }
  side *first = &b->side[0];
  b->dim = aim_dimension(first->e);
  b->cells = aim_cells(first->e);
  b->q = calloc(b->dim + 1, sizeof *b->q), b->g = calloc(b->dim + 1, sizeof *b->g), b->latents = calloc(b->cells + 1, sizeof *b->latents);
  if (!b->q || !b->g || !b->latents) {
    fputs("aimc: memory is exhausted\n", stderr);
    return EXIT_HOST;
  }
  const bool gradient = first->task->model.grad >= 0;
  if (!(gradient ? find_point(b, first->e) : find_latents(b, first->e))) {
    fprintf(stderr, "aimc: no point with a finite density was found in %d tries\n", TRIES);
    return EXIT_WRONG;
  }
  if (b->side[1].there) compare(b, gradient);
  if (b->differ) {
    fputs("aimc: machine code and interpreter give different results: this is a bug in AIM; please report it with the model and its data\n", stderr);
    return EXIT_BUG;
  }
  find_cost(b, gradient);
  if (b->cost_known) {
    b->flops = roofline_flops();
    b->bytes = roofline_bytes((size_t)(b->cost.read + b->cost.written));
  }
  if (gradient) time_sides(b, time_gradient, true);
  time_sides(b, time_density, false);
  for (int k = 0; k < ENGINES; k++) {
    int status = b->side[k].there ? short_run(&b->side[k], b->a) : EXIT_FINE;
    if (status != EXIT_FINE) return status;
  }
  aim_plan p;
  aim_statement x;
  if (aim_plan_get(first->task, &p) != AIM_OK || aim_statement_get(first->program, statement, &x) != AIM_OK) return EXIT_BUG;
  (b->a->json ? print_json : print_text)(b, x.name, &p, gradient);
  return EXIT_FINE;
}

static int bench_statement(const args *a, aim_program *p, size_t statement, size_t picked, void *user) {
  (void)p, (void)picked;
  bool *after = user; /* another statement */
  bench b = {.a = a, .side = {{.name = "vm"}, {.name = "jit"}}};
  for (int k = 0; k < ENGINES; k++)
    b.side[k].compile = b.side[k].transitions = b.side[k].draws_per_second = b.side[k].least_ess = NAN;
  aim_config config;
  aim_config_init(&config);
  config.clock = now;
  memory m = {0};
  memory_limit(&m, &config);
  config.isa = a->isa;
  config.any_path = a->any_path;
  if (*after && !a->json) putchar('\n');
  *after = true;
  int status = measure(&b, statement, &config);
  for (int k = 0; k < ENGINES; k++) side_close(&b.side[k]);
  free(b.q);
  free(b.g);
  free(b.latents);
  return status;
}

int cmd_bench(const args *a, aim_vm *vm) {
  int status;
  aim_program *p = load(a, vm, a->file[0], &status);
  if (!p) return status;
  bool after = false;
  status = each_statement(a, p, bench_statement, &after);
  aim_program_free(p);
  return status;
}
