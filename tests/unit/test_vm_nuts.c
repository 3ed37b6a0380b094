/* What the no-U-turn sampler draws, by itself and as an adapted chain.
 *
 * Two kinds of statistical test, both with fixed seeds and |estimate - truth| < 4.9 standard errors (one false alarm in a million for
 * each comparison, below 1e-3 for all of them together):
 *  - invariance: independent states drawn exactly from the target take one transition, and must still be from the target.  The
 *    error bars are those of independent draws; with R replicates the test sees a bias of about 5 / sqrt(R) standard deviations.
 *  - chains: adapted from bad initial points, compared through their own effective sample sizes.
 * Deliberately wrong samplers go through the same functions and must fail them: rt_nuts.c compiled a second time without the U-turn
 * checks inside a half, and a target that forgets its Jacobian.
 *
 * usage: test_vm_nuts [factor]   factor times as many replicates (default 1; 20 for a nightly run) */
#include "vm/nuts_chain.h"

#include "tests/unit/nuts_targets.h"
#include "vm/diagnose.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RT_NUTS_BREAK_UTURN
#define NUTS_TWIN_CHAIN
#include "tests/unit/nuts_twin.h"

#define Z_MOST 4.9
static int factor = 1;

/* Allocations are counted where the C library lets us, and not under a sanitizer, which has its own allocator. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTS_ALLOCATIONS 0
#endif
#endif
#if !defined(COUNTS_ALLOCATIONS)
#if defined(__GLIBC__)
#define COUNTS_ALLOCATIONS 1
#else
#define COUNTS_ALLOCATIONS 0
#endif
#endif
static unsigned long allocations;
#if COUNTS_ALLOCATIONS
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
void *malloc(size_t n) {
  allocations++;
  return __libc_malloc(n);
}
void *calloc(size_t n, size_t size) {
  allocations++;
  return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n) {
  allocations++;
  return __libc_realloc(p, n);
}
#endif

/* Invariance. */

typedef nuts_status chain_run(const nuts_options *, const nuts_target *, double *, nuts_result *);
static const sampler right = SAMPLER_OF(rt_nuts), broken = SAMPLER_OF(twin);

/* A metric that does not fit well, so that a mistake in its use would show. */
static double z_of(const sampler *sm, const target *t, double step, uint32_t replicates, uint64_t seed) {
  double metric[64];
  for (size_t i = 0; i < t->dim; i++) metric[i] = (1.0 + 0.5 * (double)(i % 3)) * (t->density == gauss_density ? scale_of(i) * scale_of(i) : 1.0);
  return invariance_z(sm, t, metric, NULL, step, replicates, seed);
}

static void test_invariance(void **state) {
  (void)state;
  static const struct {
    const target *t;
    double step;
  } cases[] = {{&gauss1, 1.2}, {&gauss1, 0.05}, {&gauss2, 0.4}, {&gauss5, 0.5}, {&gauss5, 0.15}, {&funnel6, 0.5}, {&student5, 0.9}, {&student5, 0.2}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    double z = z_of(&right, cases[i].t, cases[i].step, 50000u * (uint32_t)factor, 100 + i);
    if (!(z < Z_MOST)) fail_msg("%s, step %g: z = %.2f", cases[i].t->name, cases[i].step, z);
  }
}

/* The twin loses detailed balance, which shows at once. */
static void test_broken_is_caught(void **state) {
  (void)state;
  double z = z_of(&broken, &gauss2, 0.4, 50000, 200);
  if (!(z > Z_MOST)) fail_msg("the twin passes on gauss 2: z = %.2f", z);
  z = z_of(&broken, &gauss5, 0.15, 50000, 201);
  if (!(z > Z_MOST)) fail_msg("the twin passes on gauss 5: z = %.2f", z);
}

/* Chains. */

static int density_call(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *g) {
  const target *t = user;
  assert_true(lanes == 1 && stride == 1);
  *lp = t->density(q, g, t->dim);
  return 0;
}

/* Largest |z| over the functions of four chains.  accept: mean acceptance statistic of the draws, or NULL. */
static double chains_z(chain_run *run, const target *t, uint32_t draws, uint64_t seed, double *accept) {
  enum { CHAINS = 4 };
  double *work = malloc(nuts_chain_doubles(t->dim, 10, ADAPT_DIAGONAL) * sizeof *work), *q = malloc(CHAINS * draws * t->dim * sizeof *q);
  double *f = malloc(CHAINS * draws * sizeof *f), *dwork = malloc(diagnose_doubles(CHAINS, draws) * sizeof *dwork), worst = 0.0, truth = 0.0;
  rt_nuts_stats *stats = malloc(draws * sizeof *stats);
  double sum = 0.0;
  for (uint64_t c = 0; c < CHAINS; c++) {
    nuts_options o;
    nuts_options_init(&o, rt_key_fold(seed, c));
    o.draws = draws;
    o.delta = t->delta;
    nuts_target nt = {.dim = t->dim, .density = density_call, .density_user = (void *)t, .draws = q + c * draws * t->dim, .stats = stats};
    nuts_result r;
    assert_int_equal(run(&o, &nt, work, &r), NUTS_OK);
    assert_int_equal(r.draws, draws);
    assert_false(r.step_bounded);
    for (uint32_t i = 0; i < draws; i++) sum += stats[i].accept_stat;
    double ebfmi = diagnose_ebfmi(&stats[0].energy, draws, sizeof *stats / sizeof(double));
    if (run == nuts_chain_run) assert_true(ebfmi > 0.3 && ebfmi < 2.5);
  }
  if (accept) *accept = sum / (CHAINS * draws);
  for (size_t k = 0; k < t->functions; k++) {
    for (size_t i = 0; i < CHAINS * draws; i++) f[i] = t->function(q + i * t->dim, t->dim, k, &truth);
    diagnose_draws d = {f, CHAINS, draws, draws, 1};
    diagnose_summary s;
    diagnose_summarise(&d, dwork, &s);
    double z = fabs(s.mean - truth) / s.mcse_mean;
    if (!(z <= worst)) worst = z;
    assert_true(s.rhat < 1.02);
  }
  free(work);
  free(q);
  free(f);
  free(dwork);
  free(stats);
  return worst;
}

static void test_chains(void **state) {
  (void)state;
  static const struct {
    const target *t;
    uint32_t draws;
  } cases[] = {{&gauss1, 4000}, {&gauss5, 4000}, {&gauss50, 2000}, {&gauss250, 1000}, {&funnel6, 4000}, {&student5, 4000}, {&gamma2, 4000}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    double z = chains_z(nuts_chain_run, cases[i].t, cases[i].draws, 300 + i, NULL);
    if (!(z < Z_MOST)) fail_msg("%s: z = %.2f", cases[i].t->name, z);
  }
}

/* Neal's funnel, v ~ N(0, 3), has a neck that no step size fits: the sampler must not keep that to itself. */
static double neal_density(const double *q, double *g, size_t dim) {
  double lp = funnel_density(q, g, dim) + 0.5 * q[0] * q[0] * (1.0 - 1.0 / 9.0);
  g[0] += q[0] * (1.0 - 1.0 / 9.0);
  return lp;
}

static void test_funnel_is_reported(void **state) {
  (void)state;
  target t = {.dim = 10, .density = neal_density};
  double *work = malloc(nuts_chain_doubles(10, 10, ADAPT_DIAGONAL) * sizeof *work);
  rt_nuts_stats *stats = malloc(2000 * sizeof *stats);
  uint32_t divergent = 0;
  double least = INFINITY;
  for (uint64_t c = 0; c < 4; c++) {
    nuts_options o;
    nuts_options_init(&o, rt_key_fold(500, c));
    o.draws = 2000;
    nuts_target nt = {.dim = 10, .density = density_call, .density_user = &t, .stats = stats};
    nuts_result r;
    assert_int_equal(nuts_chain_run(&o, &nt, work, &r), NUTS_OK);
    divergent += r.n_divergent[1];
    least = fmin(least, diagnose_ebfmi(&stats[0].energy, 2000, sizeof *stats / sizeof(double)));
  }
  assert_true(divergent > 0 && least < 0.5);
  free(work);
  free(stats);
}

static void test_wrong_chains_are_caught(void **state) {
  (void)state;
  double z = chains_z(nuts_chain_run, &gamma2_wrong, 4000, 306, NULL);
  if (!(z > Z_MOST)) fail_msg("a missing Jacobian passes: z = %.2f", z);
  z = chains_z(twin_chain_run, &gauss5, 4000, 301, NULL);
  if (!(z > Z_MOST)) fail_msg("the twin passes: z = %.2f", z);
}

/* The averaged step size aims at delta.  Acceptance comes out somewhat above, as it does in Stan, since what is averaged is the log step
 * size; the band is -0.03 .. +0.08. */
static void test_acceptance(void **state) {
  (void)state;
  static const double deltas[] = {0.8, 0.9, 0.95};
  for (size_t i = 0; i < 3; i++) {
    target t = gauss50;
    t.delta = deltas[i];
    double accept;
    chains_z(nuts_chain_run, &t, 1000, 400 + i, &accept);
    if (!(accept > deltas[i] - 0.03 && accept < deltas[i] + 0.08)) fail_msg("delta %g: acceptance %.3f", deltas[i], accept);
  }
}

/* The chain. */

typedef struct script {
  uint32_t calls, stop_at, warm, cold;
  int code;
  double edge;
} script;

static int scripted_density(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *g) {
  script *s = user;
  (void)lanes;
  (void)stride;
  if (++s->calls == s->stop_at) return s->code;
  *lp = q[0] > s->edge ? -q[0] : -INFINITY;
  g[0] = -1.0;
  return 0;
}

static int scripted_draw(void *user, uint32_t index, bool warmup, const double *q, const rt_nuts_stats *stats) {
  script *s = user;
  assert_int_equal(index, warmup ? s->warm : s->cold);
  assert_true(isfinite(q[0]) && stats->n_leapfrog > 0);
  if (warmup) s->warm++;
  else s->cold++;
  return s->cold == 5;
}

static void test_chain_ends(void **state) {
  (void)state;
  double *work = malloc(nuts_chain_doubles(1, 10, ADAPT_DIAGONAL) * sizeof *work);
  script s = {.edge = 1.9, .stop_at = UINT32_MAX};
  nuts_options o;
  nuts_options_init(&o, 9);
  nuts_target t = {.dim = 1, .density = scripted_density, .density_user = &s, .on_draw = scripted_draw, .draw_user = &s};
  nuts_result r;
  o.warmup = 30;
  assert_int_equal(nuts_chain_run(&o, &t, work, &r), NUTS_STOPPED);
  assert_true(s.warm == 30 && s.cold == 5 && r.draws == 5 && r.init_tries > 1 && r.n_divergent[0] + r.n_divergent[1] > 0);

  s = (script){.edge = 3.0, .stop_at = UINT32_MAX};
  assert_int_equal(nuts_chain_run(&o, &t, work, &r), NUTS_E_INIT);
  assert_true(s.calls == 100 && r.init_tries == 100);
  double init = 4.0;
  o.init = &init;
  s = (script){.edge = 3.0, .stop_at = 40, .code = 77};
  assert_int_equal(nuts_chain_run(&o, &t, work, &r), NUTS_E_DENSITY);
  assert_int_equal(r.density_code, 77);
  assert_int_equal(s.calls, 40);
  o.delta = 1.0;
  assert_int_equal(nuts_chain_run(&o, &t, work, &r), NUTS_E_OPTIONS);
  nuts_options_init(&o, 9);
  o.max_depth = 99;
  assert_int_equal(nuts_chain_run(&o, &t, work, &r), NUTS_E_OPTIONS);
  free(work);
}

static int stats_keep(void *user, uint32_t index, bool warmup, const double *q, const rt_nuts_stats *stats) {
  (void)q;
  ((rt_nuts_stats *)user)[(warmup ? 0 : 300) + index] = *stats;
  return 0;
}

static void test_chain_repeats(void **state) {
  (void)state;
  enum { D = 5, N = 200 };
  double *work = malloc(nuts_chain_doubles(D, 10, ADAPT_DIAGONAL) * sizeof *work), a[N * D], b[N * D];
  rt_nuts_stats *sa = calloc(500, sizeof *sa), *sb = calloc(500, sizeof *sb);
  nuts_options o;
  nuts_options_init(&o, 12);
  o.warmup = 300;
  o.draws = N;
  nuts_target t = {.dim = D, .density = density_call, .density_user = (void *)&gauss5, .on_draw = stats_keep, .draw_user = sa, .draws = a};
  nuts_result r;
  unsigned long before = allocations;
  assert_int_equal(nuts_chain_run(&o, &t, work, &r), NUTS_OK);
  assert_true(allocations == before);
#if COUNTS_ALLOCATIONS
  free(malloc(1)); /* the counter counts */
  assert_true(allocations > before);
#endif
  for (size_t i = 0; i < nuts_chain_doubles(D, 10, ADAPT_DIAGONAL); i++) work[i] = NAN; /* nothing is taken from old contents */
  t.draw_user = sb;
  t.draws = b;
  assert_int_equal(nuts_chain_run(&o, &t, work, &r), NUTS_OK);
  assert_memory_equal(a, b, sizeof a);
  assert_memory_equal(sa, sb, 500 * sizeof *sa);
  /* The metric found the scales: variances within a factor of 2. */
  for (size_t i = 0; i < D; i++) assert_true(fabs(log(r.metric[i] / (scale_of(i) * scale_of(i)))) < log(2.0));
  o.key = 13;
  assert_int_equal(nuts_chain_run(&o, &t, work, &r), NUTS_OK);
  assert_true(memcmp(a, b, sizeof a) != 0);
  free(work);
  free(sa);
  free(sb);
}

int main(int argc, char **argv) {
  if (argc > 1) factor = atoi(argv[1]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_invariance),
      cmocka_unit_test(test_broken_is_caught),
      cmocka_unit_test(test_chains),
      cmocka_unit_test(test_wrong_chains_are_caught),
      cmocka_unit_test(test_funnel_is_reported),
      cmocka_unit_test(test_acceptance),
      cmocka_unit_test(test_chain_ends),
      cmocka_unit_test(test_chain_repeats),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
