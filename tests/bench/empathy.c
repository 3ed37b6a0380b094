/* empathy.c: what agents made of spins cost, in statements that import the library's module: predictions of another's state, scores, attention, emotions.
 *
 * A run has a fixed part, so each figure is a difference of two runs that differ in their replicas or draws alone, in processor time of one thread; it has everything
 * that a replica costs, the kernel, its score and its row of draws. */
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
  "  track felt = [emotion(J, h, s[k]) for k in 1..K]\n}\n"

typedef struct work {
  const char *name, *text, *statement; /* with %d for how many */
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
static double seconds_of(const work *w, int count, double *error) {
  char statement[256];
  aim_program *p = NULL;
  aim_task *t = NULL;
  double seconds = -1.0;
  aim_vm *vm = bench_vm(BENCH_VM);
  snprintf(statement, sizeof statement, w->statement, count);
  const char *text = bench_text("%s%s", w->text, statement);
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

static void measure(bench *b, const work *w) {
  double v[RUNS], error = INFINITY;
  if (!bench_wanted(b, w->name)) return;
  if (seconds_of(w, w->large, &error) < 0 || !(error < w->limit)) {
    bench_wrong(b, w->name, "the run failed, or is off by %g", error);
    return;
  }
  for (int k = 0; k < RUNS; k++) v[k] = 1e6 * (seconds_of(w, w->large, NULL) - seconds_of(w, w->small, NULL)) / (w->large - w->small);
  bench_record(b, &(bench_row){w->name, "us", BENCH_TIME, 1, NULL, w->bar, w->quantity ? bench_text("`%s` as it should be to %.1g", w->quantity, error) : bench_text("-126.55 is reached, to %.1g", error)},
               v, NULL, RUNS);
}

void bench_empathy(bench *b) {
  static const work works[] = {
      {"empathy_score_20", AGENT, "anneal agent on n = 20 with cooling(100) using metropolis(order = random, proposals = 10, replicas = %d)\n", NULL, 1000, 9000, 12, 1e-9},
      {"empathy_score_20_adaptive", AGENT, "anneal agent on n = 20 with cooling(52) using metropolis(order = random, proposals = 10, replicas = %d)\n", NULL, 1000, 9000, 7, 1e-9},
      {"empathy_score_20_f32", AGENT, "anneal agent on n = 20 with cooling(100) using metropolis(order = random, proposals = 10, precision = f32, replicas = %d)\n", NULL, 1000, 9000, 2, 1e-3},
      {"empathy_attention_5", SOCIETY,
       "anneal society on K = 5, N = 20, w = [0.4, 0.3, 0.3] with cooling(52) using metropolis(order = random, proposals = 50, replicas = %d)\n", "whole", 200, 2200, 40, 1e-12},
      {"empathy_emotions_100", CROWD, "infer crowd on K = 100, n = 20 with prior(draws = %d)\n", "felt", 20, 220, 5, 1e-12}};
  for (size_t k = 0; k < sizeof works / sizeof *works; k++) measure(b, &works[k]);
}
