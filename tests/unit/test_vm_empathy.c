/* test_vm_empathy.c: the definitions of stdlib/ising.aim against numbers worked out by hand, and their fixture, J = 1 where i + j leaves 2 on division by
 * 3, else 1/2, h_i = ((i - 1) / N - 1/2) / 10: for 20 spins the sums of its couplings and fields, its ground state and what it comes to when annealed.  Then five agents
 * (tests/ising/agent_d*.ising) whose cosines and ground states are known, and whether fewer steps of annealing change the scores. */
#include "tests/unit/task_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char golden[] =
    "import ising\n"
    "model golden(n: int) {\n"
    "  let J = fixture_coupling(n)\n"
    "  let h = fixture_field(n)\n"
    "  let down = rep(-1, n)\n"
    "  let up = rep(1, n)\n"
    "  track sums = [sum(J[i, j] for i in 1..n, j in 1..n if i < j), sum(h)]\n"
    "  track energies = [ising_energy(J, h, down), ising_energy(J, h, up)]\n"
    "  track felt = emotion(J, h, down)\n"
    "  track alternating = emotion(J, h, [if i % 2 == 0 { 1 } else { -1 } for i in 1..n])\n"
    "  track alike = [overlap(down, up), overlap(down, [if i <= 5 { 1 } else { -1 } for i in 1..n]), similarity(J, J), similarity(J, -1.0 * J), similarity(J, 0.0 * J)]\n"
    "  track scores = [empathy(0.8, 0.25, 0.5, [0.4, 0.3, 0.3]), empathy(1.0, 5.0, 1.0, [0.8, 0.0, 0.2]), empathy(2.0, 0.0, 1.0, [0.4, 0.3, 0.3]),\n"
    "                  energy_error(-100.0, -126.55), energy_error(0.5, 0.0), quick_empathy(-10.0, -60.0, 0.5), quick_empathy(0.0, 500.0, 0.5)]\n"
    "  track magnetised = [magnetisation_error(down, up), magnetisation_error([if i <= 5 { 1 } else { -1 } for i in 1..n], up)]\n"
    "  track weights = attention([0.2, 0.6, 0.2])\n"
    "  track even = attention([0.0, 0.0, 0.0, 0.0])\n"
    "  track together = collective(attention([1.0, 3.0]), [[1.0, 0.0, 0.0, 0.4], [0.0, 1.0, 0.2, 0.0]])\n"
    "  track who = closest([0.2, 0.9, 0.1, 0.9])\n"
    "  track nearer = respond(0.8, J, 0.0 * J)[1, 2] / J[1, 2]\n"
    "  track still = respond(0.5, J, 0.0 * J)[1, 2] / J[1, 2]\n"
    "  track flips = [flip_chance(0.8), flip_chance(0.2)]\n"
    "  let a1 = remember([0.0, 0.0, 0.0, 0.0], 0, 1.0)\n"
    "  let a2 = remember(a1, 1, 2.0)\n"
    "  let a3 = remember(a2, 2, 3.0)\n"
    "  let a4 = remember(a3, 3, 4.0)\n"
    "  let a5 = remember(a4, 4, 5.0)\n"
    "  let a6 = remember(a5, 5, 6.0)\n"
    "  track trends = [trend(a3, 3), trend(a4, 4), trend(a5, 5), trend(a6, 6)]\n"
    "  track ring = a6\n"
    "}\n"
    "infer golden on n = 20 with prior(draws = 1)\n";

/* The alternating state leaves the 100 of 190 pairs of unlike parity frustrated.  An overlap of 5 equal spins among 20 is that of 15.  Of a ring of four
 * that has wrapped, 5 2 3 4, the newer half is 4 and 5: halves by slot would give 0. */
typedef struct expected {
  const char *name;
  size_t n;
  double value[8];
} expected;

static const expected values[] = {
    {"sums", 2, {126.5, -0.05}},
    {"energies", 2, {-126.55, -126.45}},
    {"felt", 4, {0.99999362, 0, 0, 1}},
    {"alternating", 4, {-0.31176568241562735, 1, 100.0 / 190.0, 0}},
    {"alike", 5, {1, 0.75, 1, 0, 0.5}},
    {"scores", 7, {0.695, 1, 1, 26.55 / 126.55, 0.5, 0.5, 0.15}},
    {"magnetised", 2, {0, 0.5}},
    {"weights", 3, {0.2, 0.6, 0.2}},
    {"even", 4, {0.25, 0.25, 0.25, 0.25}},
    {"together", 4, {0.25, 0.75, 0.15, 0.1}},
    {"who", 1, {2}},
    {"nearer", 1, {0.92}},
    {"still", 1, {1}},
    {"flips", 2, {0, 0.04}},
    {"trends", 4, {0, 2, 2, 2}},
    {"ring", 4, {5, 6, 3, 4}},
};

static fixture run_text(const char *text) {
  fixture f = open_task(text, (opening){0});
  expect_ok(&f, aim_run(f.t, NULL));
  return f;
}

static void test_definitions(void **state) {
  (void)state;
  fixture s = run_text(golden);
  for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
    aim_quantity q;
    double x[8];
    size_t at = aim_quantity_find(s.t, values[k].name);
    assert_int_equal(aim_quantity_get(s.t, at, &q), AIM_OK);
    assert_int_equal(q.cells, values[k].n);
    assert_int_equal(aim_draw_get(s.t, 0, 0, at, x), AIM_OK);
    for (size_t i = 0; i < q.cells; i++)
      if (!(fabs(x[i] - values[k].value[i]) < 5e-9)) fail_msg("%s[%zu] is %.12g, not %.12g", values[k].name, i + 1, x[i], values[k].value[i]);
  }
  close_fixture(&s);
}

/* Most of 64 replicas end in the ground state or its mirror image, at -126.45 the second lowest; none below. */
static void test_annealed(void **state) {
  (void)state;
  fixture s = run_text("import ising\nmodel agent(n: int) {\n  s: spin[n] ~ Flat()\n  energy ising_energy(fixture_coupling(n), fixture_field(n), s)\n}\n"
                  "anneal agent on n = 20 with cooling(100) using metropolis(order = random, proposals = 10, replicas = 64)\n");
  aim_annealing a;
  assert_int_equal(aim_annealing_get(s.t, &a), AIM_OK);
  assert_true(fabs(a.best_energy + 126.55) < 1e-12 * 126.55);
  const anneal_trace *trace = &s.t->run.annealed.trace[0];
  assert_true(fabs(trace->point[trace->n - 1].beta - 1993.037) < 5e-4); /* 0.1 exp(9.9), the last of 100 steps */
  double spins[20], sum = 0.0;
  size_t q = aim_quantity_find(s.t, "s"), low = 0;
  for (size_t k = 0; k < 64; k++) {
    assert_int_equal(aim_draw_get(s.t, 0, k, q, spins), AIM_OK);
    sum = 0.0;
    for (size_t i = 0; i < 20; i++) sum += spins[i];
    low += fabs(sum) == 20.0;
  }
  assert_true(low >= 48);
  close_fixture(&s);
}

/* ---- five agents */

enum { N = 20, AGENTS = 5 };

typedef struct writer {
  char *s;
  size_t n, room;
} writer;

static void put(writer *w, const char *format, ...) {
  va_list list;
  va_start(list, format);
  w->n += (size_t)vsnprintf(w->s + w->n, w->room - w->n, format, list);
  va_end(list);
  assert_true(w->n < w->room);
}

static void put_matrix(writer *w, double J[N][N]) {
  put(w, "[");
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) put(w, "%s%.17g%s", j == 0 ? i ? ", [" : "[" : ", ", J[i][j], j == N - 1 ? "]" : "");
  put(w, "]");
}

static void put_vector(writer *w, const double *x) {
  for (int i = 0; i < N; i++) put(w, "%s%.17g", i ? ", " : "[", x[i]);
  put(w, "]");
}

/* "ising N M H", then "h i value" and "J i j value", from 0. */
static void read_agent(int k, double J[N][N], double *h) {
  char path[64], line[256];
  double x;
  int i, j;
  snprintf(path, sizeof path, "tests/ising/agent_d%d.ising", k);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  memset(J, 0, sizeof(double[N][N]));
  memset(h, 0, N * sizeof *h);
  while (fgets(line, sizeof line, f)) {
    if (sscanf(line, "h %d %lf", &i, &x) == 2) h[i] = x;
    if (sscanf(line, "J %d %d %lf", &i, &j, &x) == 3) J[i][j] = J[j][i] = x;
  }
  fclose(f);
}

/* Each in couplings of its own: similarities to twelve digits, and all ground states at once. */
static void test_five(void **state) {
  (void)state;
  static const double cosine[AGENTS][AGENTS] = {{1.0, 0.7020564293804, 0.4671915720369, 0.2215768808554, 0.03893322759294},
                                                {0.7020564293804, 1.0, 0.3605805180856, 0.1878545945143, 0.05367009015804},
                                                {0.4671915720369, 0.3605805180856, 1.0, 0.1591171519549, 0.1074752390103},
                                                {0.2215768808554, 0.1878545945143, 0.1591171519549, 1.0, -0.003238706102012},
                                                {0.03893322759294, 0.05367009015804, 0.1074752390103, -0.003238706102012, 1.0}};
  static const double least[AGENTS] = {-13.812173, -11.649898, -13.871428, -15.160173, -13.802753};
  double J[N][N], h[AGENTS][N], x[AGENTS * AGENTS], sum = 0.0;
  writer w = {malloc(1 << 17), 0, 1 << 17};
  put(&w, "import ising\nmodel group(J: real[K, N, N], h: real[K, N]) {\n  s: spin[K, N] ~ Flat()\n  energy sum(ising_energy(J[k], h[k], s[k]) for k in 1..K)\n"
          "  track alike = [similarity(J[a], J[b]) for a in 1..K, b in 1..K], e = [ising_energy(J[k], h[k], s[k]) for k in 1..K]\n}\nanneal group on J = [");
  for (int k = 0; k < AGENTS; k++) {
    read_agent(k, J, h[k]);
    put(&w, k ? ", " : "");
    put_matrix(&w, J);
    sum += least[k];
  }
  put(&w, "], h = [");
  for (int k = 0; k < AGENTS; k++) {
    put(&w, k ? ", " : "");
    put_vector(&w, h[k]);
  }
  put(&w, "] with cooling(400) using metropolis(order = random, replicas = 256)\n");
  fixture s = run_text(w.s);
  aim_annealing a;
  assert_int_equal(aim_annealing_get(s.t, &a), AIM_OK);
  assert_true(fabs(a.best_energy - sum) < 1e-9);
  assert_int_equal(aim_draw_get(s.t, 0, a.best, aim_quantity_find(s.t, "e"), x), AIM_OK);
  for (int k = 0; k < AGENTS; k++) assert_true(fabs(x[k] - least[k]) < 1e-9);
  assert_int_equal(aim_draw_get(s.t, 0, 0, aim_quantity_find(s.t, "alike"), x), AIM_OK);
  for (int k = 0; k < AGENTS * AGENTS; k++) assert_true(fabs(2 * x[k] - 1 - cosine[k / AGENTS][k % AGENTS]) < 1e-12);
  close_fixture(&s);
  free(w.s);
}

/* ---- fewer steps
 *
 * 52 steps against 100.  One pair of runs says nothing: on a glass two runs of 100 steps differ as much.  Means over PAIRS pairs that start alike are equivalent when the
 * difference and 4.9 of its standard errors lie inside of a margin, so that schedules which differ by more pass one time in a million; and
 * single pairs should differ no more, by a tenth, than those of 100 steps with two seeds do.
 *
 * F is the fixture, V has its couplings times U(0.7, 1.3), G couplings from U(-1, 1).  On F and V the margin is 1 % of the score.  A glass is not done in 100 steps, still less in
 * 52, which is the same cooling walked faster: the score goes on rising with the steps, and 52 of them lose about 1.5 % of it.  What such a loss is worth
 * is told by the noise floor, the standard deviation of the difference of two runs of 100 steps: the margin on G is a quarter of it, for within that a single pair
 * has the better schedule ahead in less than 60 of 100 cases, where 50 are chance. */

static uint64_t random_state;
static double uniform(void) {
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

enum { INSTANCES = 100, EACH = 40, PAIRS = INSTANCES * EACH };

static fixture predict(double J[N][N], const double *h, const double *actual, int steps, int seed, int replicas) {
  writer w = {malloc(1 << 16), 0, 1 << 16};
  put(&w, "import ising\nmodel predicted(J: real[N, N], h: real[N], actual: spin[N], w: real[3]) {\n  s: spin[N] ~ Flat()\n  energy ising_energy(J, h, s)\n"
          "  track x = empathy(overlap(s, actual), energy_error(ising_energy(J, h, s), ising_energy(J, h, actual)), similarity(fixture_coupling(N), J), w)\n}\nanneal predicted on J = ");
  put_matrix(&w, J);
  put(&w, ", h = ");
  put_vector(&w, h);
  put(&w, ", actual = ");
  put_vector(&w, actual);
  put(&w, ", w = [0.4, 0.3, 0.3] with cooling(%d), seed = %d using metropolis(order = random, proposals = 10, replicas = %d)\n", steps, seed, replicas);
  fixture s = run_text(w.s);
  free(w.s);
  return s;
}

/* The empathy with one of INSTANCES others, who has settled, by each of EACH predictions of the state; x [EACH]. */
static void score(char kind, int instance, int steps, int seed, double *x) {
  double J[N][N], h[N], actual[N];
  random_state = (uint64_t)(kind * 1000 + instance);
  for (int i = 0; i < N; i++) {
    J[i][i] = 0.0;
    for (int j = 0; j < i; j++) {
      const double f = (i + j + 2) % 3 == 2 ? 1.0 : 0.5, u = uniform();
      J[i][j] = J[j][i] = kind == 'F' ? f : kind == 'V' ? f * (0.7 + 0.6 * u) : 2 * u - 1;
    }
    h[i] = 0.1 * ((kind == 'F' ? (double)i / N : uniform()) - 0.5);
    actual[i] = 1.0;
  }
  fixture s = predict(J, h, actual, 100, 77, 1);
  assert_int_equal(aim_draw_get(s.t, 0, 0, aim_quantity_find(s.t, "s"), actual), AIM_OK);
  close_fixture(&s);
  s = predict(J, h, actual, steps, seed, EACH);
  const size_t q = aim_quantity_find(s.t, "x");
  for (size_t k = 0; k < EACH; k++) assert_int_equal(aim_draw_get(s.t, 0, k, q, x + k), AIM_OK);
  close_fixture(&s);
}

/* Mean of y - x, the standard error of that from the means of the instances, and the standard deviation of single pairs about the mean of their instance. */
static void difference(double (*x)[EACH], double (*y)[EACH], double *mean, double *se, double *sd) {
  double m[INSTANCES], square = 0.0, within = 0.0;
  *mean = 0.0;
  for (int i = 0; i < INSTANCES; i++) {
    m[i] = 0.0;
    for (int k = 0; k < EACH; k++) m[i] += (y[i][k] - x[i][k]) / EACH;
    for (int k = 0; k < EACH; k++) within += (y[i][k] - x[i][k] - m[i]) * (y[i][k] - x[i][k] - m[i]) / (EACH - 1);
    *mean += m[i] / INSTANCES;
  }
  for (int i = 0; i < INSTANCES; i++) square += (m[i] - *mean) * (m[i] - *mean) / (INSTANCES - 1);
  *se = sqrt(square / INSTANCES);
  *sd = sqrt(within / INSTANCES);
}

typedef struct verdict {
  double level, mean, se, sd, noise; /* of the score, of the difference and its pairs, of pairs of two seeds */
} verdict;

static verdict compare(char fixture, int steps) {
  static double zero[INSTANCES][EACH], fixed[INSTANCES][EACH], again[INSTANCES][EACH], fewer[INSTANCES][EACH];
  double unused;
  verdict v;
  for (int i = 0; i < INSTANCES; i++) {
    score(fixture, i, 100, 1, fixed[i]);
    score(fixture, i, 100, 2, again[i]);
    score(fixture, i, steps, 1, fewer[i]);
  }
  difference(zero, fixed, &v.level, &unused, &unused);
  difference(fixed, fewer, &v.mean, &v.se, &v.sd);
  difference(fixed, again, &unused, &unused, &v.noise);
  printf("%c, %d steps: score %.4f, difference %.5f +- %.5f, of single pairs %.4f, of two seeds %.4f\n", fixture, steps, v.level, v.mean, v.se, v.sd, v.noise);
  return v;
}

static bool equivalent(verdict v, double margin) { return fabs(v.mean) + 4.9 * v.se < margin; }

static void test_fewer_steps(void **state) {
  (void)state;
  verdict f = compare('F', 50 + N / 10), v = compare('V', 50 + N / 10), g = compare('G', 50 + N / 10), few = compare('G', 4);
  assert_true(equivalent(f, 0.01 * f.level) && f.sd <= 1.1 * f.noise + 1e-12);
  assert_true(equivalent(v, 0.01 * v.level) && v.sd <= 1.1 * v.noise + 1e-12);
  assert_true(equivalent(g, 0.25 * g.noise) && g.sd <= 1.1 * g.noise);
  assert_false(equivalent(few, 0.25 * few.noise));
  assert_true(few.mean + 4.9 * few.se < g.mean); /* the fewer, the less */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_definitions), cmocka_unit_test(test_annealed), cmocka_unit_test(test_five), cmocka_unit_test(test_fewer_steps)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
