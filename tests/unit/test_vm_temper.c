/* test_vm_temper.c: annealing and tempering against states that are enumerated, and twins with a wrong ratio, which the same tests must catch.
 *
 * Ten spins with random couplings and fields: every mean and log Z is summed over 1024 states.  An estimate passes within 4.9 of its standard errors
 * (false alarm one in a million each; seeds are fixed); log Z of a population or ladder has an error from the spread of its chains, 3 degrees of freedom for 4,
 * where 4.9 would be one in a hundred: so 16 chains (15 degrees of freedom: one in 5000) and 7 errors (two in a million). */
#include "tests/unit/task_fixture.h"
#include "vm/interp.h"

#include <math.h>

enum { N = 10 };

static double J[N][N], h[N];
static double log_z, mean_energy, least;

/* The instance as text, and its moments at beta 1. */
static void make_instance(char *text, size_t size, const char *with) {
  uint64_t seed = 7;
  int n = snprintf(text, size,
                   "model ising(J: real[N, N], h: real[N]) {\n  s: spin[N] ~ Flat()\n  energy -sum(J[i, j] * s[i] * s[j] for i in 1..N, j in 1..N if i < j) - dot(h, s)\n"
                   "  track e = -sum(J[i, j] * s[i] * s[j] for i in 1..N, j in 1..N if i < j) - dot(h, s)\n}\n%s on J = [",
                   with[0] == 'w' ? "anneal ising" : "infer ising");
  for (int i = 0; i < N; i++) {
    n += snprintf(text + n, size - (size_t)n, "%s[", i ? ", " : "");
    for (int j = 0; j < N; j++) {
      J[i][j] = ((double)(next_random(&seed) >> 40) / 16777216.0 - 0.5) * 1.6;
      n += snprintf(text + n, size - (size_t)n, "%s%.17g", j ? ", " : "", J[i][j]);
    }
    n += snprintf(text + n, size - (size_t)n, "]");
  }
  n += snprintf(text + n, size - (size_t)n, "], h = [");
  for (int i = 0; i < N; i++) {
    h[i] = (double)(next_random(&seed) >> 40) / 16777216.0 - 0.5;
    n += snprintf(text + n, size - (size_t)n, "%s%.17g", i ? ", " : "", h[i]);
  }
  snprintf(text + n, size - (size_t)n, "] with %s\n", with[0] == 'w' ? with + 1 : with);
  double z = 0.0, ez = 0.0;
  least = INFINITY;
  for (int state = 0; state < 1 << N; state++) {
    double e = 0.0;
    for (int i = 0; i < N; i++) {
      double si = state >> i & 1 ? 1.0 : -1.0;
      e -= h[i] * si;
      for (int j = i + 1; j < N; j++) e -= J[i][j] * si * (state >> j & 1 ? 1.0 : -1.0);
    }
    z += exp(-e);
    ez += e * exp(-e);
    if (e < least) least = e;
  }
  log_z = log(z);
  mean_energy = ez / z;
}

typedef struct result {
  double z_energy; /* |mean of e - truth| / MCSE */
  double log_z, error;
  aim_annealing annealed;
  double *draws;   /* of the spins, [n] */
  size_t n;
} result;

static result run_text(const char *text, const temper_rules *rules, int threads) {
  fixture f = open_task(text, (opening){.engine = &interp_engine});
  aim_task *t = f.t;
  t->rules = rules;
  expect_ok(&f, aim_set_int(t, "threads", threads));
  expect_ok(&f, aim_run(t, NULL));
  result r = {.log_z = NAN, .error = NAN};
  aim_summary x;
  size_t q = aim_quantity_find(t, "e");
  if (q != (size_t)-1 && aim_summarise(t, q, 0, &x) == AIM_OK) r.z_energy = fabs(x.mean - mean_energy) / x.mcse;
  aim_evidence e;
  if (aim_evidence_get(t, &e) == AIM_OK) r.log_z = e.log_evidence, r.error = e.standard_error;
  aim_annealing_get(t, &r.annealed);
  q = aim_quantity_find(t, "s");
  aim_quantity s;
  if (q != (size_t)-1 && aim_quantity_get(t, q, &s) == AIM_OK) {
    size_t draws = aim_draw_count(t, aim_chain_count(t) - 1);
    r.n = draws * s.cells;
    r.draws = malloc(r.n * sizeof *r.draws);
    for (size_t k = 0; k < draws; k++) assert_int_equal(aim_draw_get(t, aim_chain_count(t) - 1, k, q, r.draws + k * s.cells), AIM_OK);
  }
  close_fixture(&f);
  return r;
}

static result run_with(const char *with, const temper_rules *rules, int threads) {
  static char text[16384];
  make_instance(text, sizeof text, with);
  return run_text(text, rules, threads);
}

static bool right_energy(const result *r) { return r->z_energy < 4.9; }
static bool right_log_z(const result *r, double errors) { return fabs(r->log_z - log_z) < errors * r->error && r->error < 0.1; }

static const char pt[] = "tempering(beta = linear(0 -> 1, rungs = 6), chains = 16, warmup = 100, draws = 300)";
static const char pa[] = "population(beta = adaptive(0 -> 1, ess = 0.7, sweeps = 2), chains = 16, particles = 250)";
static const char ais[] = "ais(beta = linear(0 -> 1, rungs = 30), particles = 2000, draws = 500)";

static void test_exact(void **state) {
  (void)state;
  static const char *const kernels[] = {"", " using gibbs(order = random)", " using metropolis", " using metropolis(order = random)", " using glauber"};
  for (size_t k = 0; k < 5; k++) {
    char with[300];
    snprintf(with, sizeof with, "%s%s", pt, kernels[k]);
    result r = run_with(with, NULL, 2);
    printf("tempering%s: %.2f errors of the energy, log Z off by %.2f errors of %.4f\n", kernels[k], r.z_energy, (r.log_z - log_z) / r.error, r.error);
    assert_true(right_energy(&r) && right_log_z(&r, 7));
    free(r.draws);
  }
  result r = run_with(pa, NULL, 2);
  printf("population: log Z off by %.2f errors of %.4f\n", (r.log_z - log_z) / r.error, r.error);
  assert_true(right_log_z(&r, 7));
  free(r.draws);
  r = run_with(ais, NULL, 2);
  printf("ais: %.2f errors of the energy, log Z off by %.2f errors of %.4f\n", r.z_energy, (r.log_z - log_z) / r.error, r.error);
  assert_true(right_energy(&r) && right_log_z(&r, 4.9));
  free(r.draws);
}

/* Exchanges whichever way, and weights of steps that are too short. */
static double backwards(double low, double high, double e_low, double e_high) { return (high - low) * (e_low - e_high); }
static double halved(double step, double energy) { return -0.9 * step * energy; }

static void test_wrong(void **state) {
  (void)state;
  const temper_rules wrong = {backwards, halved};
  result r = run_with(pt, &wrong, 2);
  assert_false(right_energy(&r));
  free(r.draws);
  r = run_with(pa, &wrong, 2);
  assert_false(right_log_z(&r, 7));
  free(r.draws);
  r = run_with(ais, &wrong, 2);
  assert_false(right_log_z(&r, 4.9));
  free(r.draws);
}

static void test_anneal(void **state) {
  (void)state;
  static const char *const kernels[] = {"", " using metropolis(replicas = 70)", " using glauber(replicas = 3)", " using metropolis(floor = 0.05)"};
  for (size_t k = 0; k < 4; k++) {
    char with[300];
    snprintf(with, sizeof with, "wgeometric(beta = 0.1 -> 10, sweeps = 60)%s", kernels[k]);
    result r = run_with(with, NULL, 2);
    assert_true(fabs(r.annealed.best_energy - least) < 1e-9);
    assert_true(r.annealed.sweeps == 60 && r.annealed.reached >= 1);
    free(r.draws);
  }
  result r = run_with("wgeometric(beta = 0.1 -> 1000, sweeps = 300) until stable(window = 20) using gibbs(replicas = 16)", NULL, 2);
  assert_true(fabs(r.annealed.best_energy - least) < 1e-9 && r.annealed.sweeps < 300);
  free(r.draws);
}

/* The same for any number of threads. */
static void test_threads(void **state) {
  (void)state;
  static const char *const all[] = {pt, pa, ais, "wgeometric(beta = 0.1 -> 10, sweeps = 10) using gibbs(replicas = 150)"};
  for (size_t k = 0; k < 4; k++) {
    result a = run_with(all[k], NULL, 1), b = run_with(all[k], NULL, 3);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.draws, b.draws, a.n * sizeof *a.draws);
    assert_true((isnan(a.log_z) && isnan(b.log_z)) || a.log_z == b.log_z);
    free(a.draws);
    free(b.draws);
  }
}

/* Without an energy the observations are tempered: y ~ Normal(mu, 1), mu ~ Normal(0, 1), one y = 2, has the evidence Normal(2; 0, sqrt 2).  Colours of a
 * ring of four sites have Z = (e + 2)^4 + 2 (e - 1)^4, in which those of three colours at beta 1. */
static void test_others(void **state) {
  (void)state;
  log_z = -0.5 * log(4 * M_PI) - 1.0;
  result r = run_text("model m(y: real) { mu ~ Normal(0, 1); y ~ Normal(mu, 1) }\n"
                      "infer m on y = 2.0 with tempering(beta = linear(0 -> 1, rungs = 5), chains = 16, warmup = 200, draws = 300)\n", NULL, 2);
  assert_true(right_log_z(&r, 7));
  r = run_text("model m(y: real) { mu ~ Normal(0, 1); y ~ Normal(mu, 1) }\ninfer m on y = 2.0 with ais(particles = 2000)\n", NULL, 2);
  assert_true(right_log_z(&r, 4.9));
  const double e = exp(1.0);
  log_z = log(pow(e + 2, 4) + 2 * pow(e - 1, 4));
  r = run_text("model potts(q: int) { s: index(q)[4] ~ Flat(); energy -sum(s[i] == s[i % 4 + 1] for i in 1..4) }\n"
               "infer potts on q = 3 with population(chains = 16, particles = 200)\n", NULL, 2);
  assert_true(right_log_z(&r, 7));
  free(r.draws);
  r = run_text("model potts(q: int) { s: index(q)[4] ~ Flat(); energy -sum(s[i] == s[i % 4 + 1] for i in 1..4) }\n"
               "infer potts on q = 3 with ais(beta = linear(0 -> 1, rungs = 20), particles = 2000) using metropolis\n", NULL, 2);
  assert_true(right_log_z(&r, 4.9));
  free(r.draws);
}

/* A floor under the acceptance, which an inference has to allow: a ladder of two rungs of two spins is a chain on 16 states, of which the limit is known: sweeps in order, each rung
 * with a floor of its own, and exchanges at every second one.  E = -0.5 s1 s2 - 0.3 s1 + 0.1 s2. */
static double pair_energy(int s) { return -0.5 * (s & 1 ? 1 : -1) * (s & 2 ? 1 : -1) - 0.3 * (s & 1 ? 1 : -1) + 0.1 * (s & 2 ? 1 : -1); }

static double flip(int s, int bit, double beta, double floor) {
  const double p = exp(-beta * (pair_energy(s ^ bit) - pair_energy(s)));
  return p >= 1 ? 1 : p < floor ? floor : p;
}

/* The mean of s1 s2 on the upper rung; floors: of the two rungs. */
static double biased_limit(const double beta[2], const double floor[2]) {
  double now[16], next[16], mean = 0;
  for (int k = 0; k < 16; k++) now[k] = 1.0 / 16;
  for (int t = 0; t < 402; t++) {
    for (int rung = 0; rung < 2; rung++)
      for (int bit = 1; bit <= 2; bit *= 2) {
        memset(next, 0, sizeof next);
        for (int k = 0; k < 16; k++) {
          const int shift = 2 * rung, s = k >> shift & 3, other = k & ~(3 << shift);
          const double p = flip(s, bit, beta[rung], floor[rung]);
          next[other | (s ^ bit) << shift] += now[k] * p;
          next[k] += now[k] * (1 - p);
        }
        memcpy(now, next, sizeof now);
      }
    if (t % 2 == 0) {
      memset(next, 0, sizeof next);
      for (int k = 0; k < 16; k++) {
        const double r = (beta[1] - beta[0]) * (pair_energy(k >> 2) - pair_energy(k & 3)), p = r >= 0 ? 1 : exp(r);
        next[k >> 2 | (k & 3) << 2] += now[k] * p;
        next[k] += now[k] * (1 - p);
      }
      memcpy(now, next, sizeof now);
    }
    for (int k = 0; k < 16 && t >= 400; k++) mean += 0.5 * now[k] * ((k >> 2 & 1) == (k >> 3) ? 1 : -1);
  }
  return mean;
}

static void test_biased(void **state) {
  (void)state;
  static const char model[] = "model pair(h: real) { s: spin[2] ~ Flat(); energy -0.5 * s[1] * s[2] - h * s[1] + 0.1 * s[2]; track e = s[1] * s[2] }\n";
  const double beta[2] = {0.4, 3.0}, floor[2] = {0.6 / 1.4, 0.6 / 4.0}, wrong[2] = {0.6 / 1.4, 0.6 / 1.4}, none[2] = {0, 0};
  static const char with[] = "tempering(beta = linear(0.4 -> 3, rungs = 2), chains = 4, draws = 20000) using metropolis(floor = 0.6, allow_biased = true)";
  char text[600];
  snprintf(text, sizeof text, "%sinfer pair on h = 0.3 with %s\n", model, with);
  mean_energy = biased_limit(beta, floor);
  result r = run_text(text, NULL, 2);
  printf("biased: %.2f errors\n", r.z_energy);
  assert_true(right_energy(&r) && isnan(r.log_z)); /* and no log Z, which it is not */
  free(r.draws);
  const double other[] = {biased_limit(beta, wrong), biased_limit(beta, none)};
  for (int k = 0; k < 2; k++) {
    mean_energy = other[k];
    r = run_text(text, NULL, 2);
    assert_false(right_energy(&r));
    free(r.draws);
  }
}

static _Atomic size_t asked;

static exec_status counted_call(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  asked++;
  return interp_engine.call(w, fn, lanes, in, out, report);
}

/* A population that is told to stop before it has begun asks the model for nothing: a first sweep of a large one takes long. */
static void test_stopped(void **state) {
  (void)state;
  static const char text[] = "model triple() { s: spin[9] ~ Flat(); energy -sum(s[i] * s[i + 1] * s[i + 2] for i in 1..7) }\ninfer triple with population(particles = 2000)\n";
  exec_engine counting = interp_engine;
  counting.call = counted_call;
  for (int stopped = 0; stopped < 2; stopped++) {
    fixture f = open_task(text, (opening){.engine = &counting});
    expect_ok(&f, aim_bind(f.t));
    asked = 0;
    if (stopped) aim_stop(f.t);
    assert_int_equal(aim_run(f.t, NULL), stopped ? AIM_STOPPED : AIM_OK);
    if (stopped ? asked > 0 : asked < 2000) fail_msg("%zu calls", (size_t)asked);
    close_fixture(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_exact), cmocka_unit_test(test_wrong), cmocka_unit_test(test_anneal), cmocka_unit_test(test_threads),
                                     cmocka_unit_test(test_others), cmocka_unit_test(test_biased), cmocka_unit_test(test_stopped)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
