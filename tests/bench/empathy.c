/* empathy.c: what agents made of spins cost, in statements that import the library's module: predictions of another's state, scores, attention, emotions.
 *
 * A run has a fixed part, so each figure is a difference of two runs that differ in their replicas or draws alone, in processor time of one thread; it has everything
 * that a replica costs, the kernel, its score and its row of draws.  Emotions are of states that are drawn, so what the same draws cost without them is taken off. */
#include "tests/bench/baseline.h"
#include "tests/bench/bench.h"
#include "vm/aim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RUNS = 11 };

#define AGENT "import ising\nmodel agent(n: int) {\n  s: spin[n] ~ Flat()\n  energy ising_energy(fixture_coupling(n), fixture_field(n), s)\n}\n"
#define SOCIETY                                                                                                                              \
  "import ising\n"                                                                                                                           \
  "fn couplings_of(k: int, n: int): real[n, n] {\n  let J = fixture_coupling(n)\n"                                                           \
  "  return [J[i, j] * (if (i + j) % (k + 1) == 0 { 0.6 } else { 1.0 }) for i in 1..n, j in 1..n]\n}\n"                                       \
  "model society(K: int, N: int, w: real[3]) {\n  let own = fixture_coupling(N)\n  let J = [couplings_of(k, N) for k in 1..K]\n"              \
  "  let h = fixture_field(N)\n  let actual = [if k % 2 == 0 and i <= N // 4 { 1 } else { -1 } for k in 1..K, i in 1..N]\n"                   \
  "  s: spin[K, N] ~ Flat()\n  energy sum(ising_energy(J[k], h, s[k]) for k in 1..K)\n"                                                      \
  "  let e = [empathy(overlap(s[k], actual[k]), energy_error(ising_energy(J[k], h, s[k]), ising_energy(J[k], h, actual[k])), similarity(own, J[k]), w) for k in 1..K]\n" \
  "  let a = attention(e)\n  track whole = sum(a), closest = closest(e)\n"                                                                   \
  "  track mood = collective(a, [emotion(J[k], h, actual[k]) for k in 1..K])\n}\n"
#define CROWD                                                                                                                                \
  "import ising\nmodel crowd(K: int, n: int) {\n  let J = fixture_coupling(n)\n  let h = fixture_field(n)\n  s: spin[K, n] ~ Flat()\n"         \
  "  track one = s[1, 1]\n"
#define FELT CROWD "  track felt = [emotion(J, h, s[k]) for k in 1..K]\n}\n"
#define UNFELT CROWD "}\n"

enum { N = 20, CROWD_SIZE = 100, OTHERS = 5 };

/* The same by hand. */
static double fixture_J[N * N], fixture_h[N], crowd[CROWD_SIZE * N];

static void set_up(void) {
  bench_random random = {5};
  for (int i = 1; i <= N; i++) {
    for (int j = 1; j <= N; j++) fixture_J[(i - 1) * N + j - 1] = i == j ? 0.0 : (i + j) % 3 == 2 ? 1.0 : 0.5;
    fixture_h[i - 1] = 0.1 * ((double)(i - 1) / N - 0.5);
  }
  for (int k = 0; k < CROWD_SIZE * N; k++) crowd[k] = bench_uniform(&random) < 0.5 ? -1.0 : 1.0;
}

static volatile double sink;
static void predict(size_t sweeps) {
  static baseline_agent a = {.n = N, .proposals = 10, .J = fixture_J, .h = fixture_h, .random = 88172645463325252u};
  a.sweeps = sweeps;
  sink = baseline_predict(&a);
}
static void by_hand_score(void) { predict(100); }
static void by_hand_adaptive(void) { predict(52); }
static void by_hand_emotions(void) {
  static double out[4 * CROWD_SIZE];
  baseline_emotions(fixture_J, fixture_h, crowd, CROWD_SIZE, N, out);
  sink = out[7];
}
static void by_hand_attention(void) {
  double out[4 * OTHERS];
  for (int k = 0; k < OTHERS; k++) predict(52);
  baseline_emotions(fixture_J, fixture_h, crowd, OTHERS, N, out);
  sink = out[7];
}

/* Microseconds of one. */
static double time_by_hand(void (*body)(void)) {
  const double began = bench_cpu();
  int n = 0;
  for (double now = began; now < began + 2e-3; now = bench_cpu())
    for (int k = 0; k < 16; k++, n++) body();
  return 1e6 * (bench_cpu() - began) / n;
}

typedef struct work {
  const char *name, *text, *statement; /* with %d for how many, and %s for what is not to be kept where it is timed */
  const char *without;                 /* the text whose cost is taken off, or NULL */
  void (*by_hand)(void);
  const char *quantity;                /* all of whose values are checked, NULL: lowest energies */
  int small, large;
  double bar, limit; /* microseconds; of the error */
} work;

/* The distance of the worst value from where it should be: the lowest energy is -126.55, and most replicas meet that or -126.45, its mirror image, to rounding; weights that sum to 1; valence and the like in [-1, 1]. */
static double error_of(const work *w, aim_task *t, int count) {
  aim_annealing a;
  double worst = 0.0, x[400];
  if (!w->quantity) return aim_annealing_get(t, &a) == AIM_OK && a.mean_energy < -126.4 ? fabs(a.best_energy + 126.55) : INFINITY;
  aim_quantity q;
  const size_t at = aim_quantity_find(t, w->quantity);
  if (aim_quantity_get(t, at, &q) != AIM_OK || q.cells > 400) return INFINITY;
  for (int k = 0; k < count; k++) {
    if (aim_draw_get(t, 0, (size_t)k, at, x) != AIM_OK) return INFINITY;
    for (size_t c = 0; c < q.cells; c++) worst = fmax(worst, q.cells == 1 ? fabs(x[c] - 1.0) : fmax(fabs(x[c]) - 1.0, 0.0));
  }
  return worst;
}

/* Processor seconds of aim_run, or a negative number. */
static double seconds_of(const work *w, const char *source, int count, double *error) {
  char statement[256];
  aim_program *p = NULL;
  aim_task *t = NULL;
  double seconds = -1.0;
  aim_vm *vm = bench_vm(bench_has_engine(BENCH_RUN) ? BENCH_RUN : BENCH_VM);
  snprintf(statement, sizeof statement, w->statement, count, error ? "" : ", save = [one]");
  const char *text = bench_text("%s%s", source, statement);
  if (aim_load(vm, "empathy.aim", text, strlen(text), &p) == AIM_OK && aim_task_statement(p, 0, &t) == AIM_OK && aim_set_int(t, "threads", 1) == AIM_OK &&
      aim_bind(t) == AIM_OK) {
    const double began = bench_cpu();
    if (aim_run(t, NULL) == AIM_OK) seconds = bench_cpu() - began;
    if (seconds >= 0 && error) *error = error_of(w, t, count);
  }
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
  return seconds;
}

/* Microseconds of one more replica or draw. */
static double cost_of(const work *w, const char *source) {
  return 1e6 * (seconds_of(w, source, w->large, NULL) - seconds_of(w, source, w->small, NULL)) / (w->large - w->small);
}

static void measure(bench *b, const work *w) {
  double v[RUNS], base[RUNS], error = INFINITY;
  if (!bench_wanted(b, w->name)) return;
  if (seconds_of(w, w->text, w->large, &error) < 0 || !(error < w->limit)) {
    bench_wrong(b, w->name, "the run failed, or is off by %g", error);
    return;
  }
  for (int k = 0; k < RUNS; k++) {
    v[k] = cost_of(w, w->text) - (w->without ? cost_of(w, w->without) : 0.0);
    base[k] = time_by_hand(w->by_hand);
  }
  bench_record(b, &(bench_row){w->name, "us", BENCH_TIME, 1, "scalar C", w->bar, w->quantity ? bench_text("`%s` as it should be to %.1g", w->quantity, error) : bench_text("-126.55 is reached, to %.1g", error)},
               v, base, RUNS);
}

void bench_empathy(bench *b) {
  static const work works[] = {
      {"empathy_score_20", AGENT, "anneal agent on n = 20 with cooling(100) using metropolis(order = random, proposals = 10, replicas = %d)\n", NULL, by_hand_score, NULL, 1000, 9000, 12, 1e-9},
      {"empathy_score_20_adaptive", AGENT, "anneal agent on n = 20 with cooling(52) using metropolis(order = random, proposals = 10, replicas = %d)\n", NULL, by_hand_adaptive, NULL, 1000, 9000, 7, 1e-9},
      {"empathy_score_20_f32", AGENT, "anneal agent on n = 20 with cooling(100) using metropolis(order = random, proposals = 10, precision = f32, replicas = %d)\n", NULL, by_hand_score, NULL, 1000, 9000, 2, 1e-3},
      {"empathy_attention_5", SOCIETY,
       "anneal society on K = 5, N = 20, w = [0.4, 0.3, 0.3] with cooling(52) using metropolis(order = random, proposals = 50, replicas = %d)\n", NULL, by_hand_attention, "whole", 200, 2200, 40, 1e-12},
      {"empathy_emotions_100", FELT, "infer crowd on K = 100, n = 20 with prior(draws = %d%s)\n", UNFELT, by_hand_emotions, "felt", 200, 4200, 5, 1e-12}};
  set_up();
  for (size_t k = 0; k < sizeof works / sizeof *works; k++) measure(b, &works[k]);
}
