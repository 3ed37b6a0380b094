/* The metrics of NUTS: that each leaves the target invariant and gives the same bits at every instruction-set level, what dense gains where the
 * target is correlated and fisher where a window is short, and that nothing is allocated on the way.
 *
 * Statistical tests as in test_vm_nuts.c: fixed seeds, |estimate - truth| < 4.9 standard errors.  A wrong twin, rt_nuts.c compiled a second time with
 * dense momenta from the wrong triangle, must fail the same test. */
#include "vm/nuts_chain.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_nuts_kernels.h"
#include "tests/unit/nuts_targets.h"
#include "vm/diagnose.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RT_NUTS_BREAK_MOMENTUM
#define rt_nuts_doubles twin_doubles
#define rt_nuts_init twin_init
#define rt_nuts_lane_set twin_lane_set
#define rt_nuts_point_set twin_point_set
#define rt_nuts_metric_set twin_metric_set
#define rt_nuts_factor_set twin_factor_set
#define rt_nuts_start twin_start
#define rt_nuts_step_start twin_step_start
#define rt_nuts_advance twin_advance
#define rt_nuts_kernels_for twin_kernels_for
#include "stdlib/runtime/rt_nuts.c"
#undef rt_nuts_doubles
#undef rt_nuts_init
#undef rt_nuts_lane_set
#undef rt_nuts_point_set
#undef rt_nuts_metric_set
#undef rt_nuts_factor_set
#undef rt_nuts_start
#undef rt_nuts_step_start
#undef rt_nuts_advance
#undef rt_nuts_kernels_for

#define Z_MOST 4.9

typedef struct sampler {
  size_t (*doubles)(size_t, uint32_t);
  void (*init)(rt_nuts *, size_t, uint32_t, uint64_t, double *);
  int (*point_set)(rt_nuts *, const double *, double, const double *, size_t);
  int (*factor_set)(rt_nuts *, const double *);
  int (*start)(rt_nuts *, uint64_t);
  int (*advance)(rt_nuts *, double, const double *);
} sampler;
static const sampler right = {rt_nuts_doubles, rt_nuts_init, rt_nuts_point_set, rt_nuts_factor_set, rt_nuts_start, rt_nuts_advance};
static const sampler wrong = {twin_doubles, twin_init, twin_point_set, twin_factor_set, twin_start, twin_advance};

/* A factor that does not fit well, so that a mistake in its use would show. */
static void factor_make(const target *t, double *L) {
  memset(L, 0, t->dim * t->dim * sizeof *L);
  for (size_t i = 0; i < t->dim; i++) {
    double scale = t->density == gauss_density ? scale_of(i) : 1.0;
    for (size_t j = 0; j < i; j++) L[i * t->dim + j] = scale * (0.6 - 0.25 * (double)((i + 2 * j) % 4));
    L[i * t->dim + i] = scale * (0.8 + 0.3 * (double)(i % 3));
  }
}

/* Largest |z| over the functions after one transition from exact states. */
static double invariance_z(const sampler *sm, const target *t, double step, uint32_t replicates, uint64_t seed) {
  double *work = malloc(sm->doubles(t->dim, 8) * sizeof *work), q[8], g[8], L[64], *sum = calloc(2 * t->functions, sizeof *sum), truth = 0.0;
  rt_nuts s;
  sm->init(&s, t->dim, 8, rt_key_fold(seed, 1), work);
  factor_make(t, L);
  assert_int_equal(sm->factor_set(&s, L), 0);
  for (uint32_t r = 0; r < replicates; r++) {
    t->exact(rt_key_fold(rt_key_fold(seed, 2), r), q, t->dim);
    double lp = t->density(q, g, t->dim);
    assert_int_equal(sm->point_set(&s, q, lp, g, 1), 0);
    s.step_size = step;
    for (int want = sm->start(&s, r); want == RT_NUTS_EVAL; want = sm->advance(&s, lp, g)) lp = t->density(s.q_eval, g, t->dim);
    for (size_t f = 0; f < t->functions; f++) {
      double v = t->function(s.q, t->dim, f, &truth) - truth;
      sum[2 * f] += v;
      sum[2 * f + 1] += v * v;
    }
  }
  double worst = 0.0, n = (double)replicates;
  for (size_t f = 0; f < t->functions; f++) {
    double mean = sum[2 * f] / n, var = sum[2 * f + 1] / n - mean * mean, z = fabs(mean) / sqrt(var / n);
    if (!(z <= worst)) worst = z;
  }
  free(work);
  free(sum);
  return worst;
}

static void test_dense_is_invariant(void **state) {
  (void)state;
  static const struct {
    const target *t;
    double step;
  } cases[] = {{&gauss1, 1.2}, {&gauss2, 0.5}, {&gauss5, 0.3}, {&gauss5, 0.1}, {&funnel6, 0.3}, {&student5, 0.3}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    double z = invariance_z(&right, cases[i].t, cases[i].step, 50000, 600 + i);
    if (!(z < Z_MOST)) fail_msg("%s, step %g: z = %.2f", cases[i].t->name, cases[i].step, z);
  }
  double z = invariance_z(&wrong, &gauss2, 0.5, 50000, 620);
  if (!(z > Z_MOST)) fail_msg("momenta from the wrong triangle pass on gauss 2: z = %.2f", z);
  z = invariance_z(&wrong, &gauss5, 0.3, 50000, 621);
  if (!(z > Z_MOST)) fail_msg("momenta from the wrong triangle pass on gauss 5: z = %.2f", z);
}

/* One transition per state and level; q is written through a lane, so the strided gradient is used too. */
static void level_run(int level, bool lane, double *out) {
  enum { D = 5, N = 200 };
  const target *t = &gauss5;
  double *work = malloc(rt_nuts_doubles(D, 10) * sizeof *work), q[D], g[D], L[D * D], at[2 * D], apart[2 * D];
  rt_nuts s;
  rt_nuts_init(&s, D, 10, 77, work);
  s.k = rt_nuts_kernels_for(level);
  s.dense = rt_kernels_for(level);
  factor_make(t, L);
  assert_int_equal(rt_nuts_factor_set(&s, L), 0);
  if (lane) rt_nuts_lane_set(&s, at, 2);
  t->exact(5, q, D);
  double lp = t->density(q, g, D);
  assert_int_equal(rt_nuts_point_set(&s, q, lp, g, 1), 0);
  s.step_size = 0.2;
  for (uint32_t r = 0; r < N; r++) {
    for (int want = rt_nuts_start(&s, r); want == RT_NUTS_EVAL; want = rt_nuts_advance(&s, lp, lane ? apart : g)) {
      for (size_t i = 0; i < D; i++) q[i] = s.q_eval[i * s.stride];
      lp = t->density(q, g, D);
      for (size_t i = 0; i < D; i++) apart[2 * i] = g[i];
    }
    memcpy(out + r * D, s.q, D * sizeof *out);
  }
  free(work);
}

static void test_levels_and_lanes_agree(void **state) {
  (void)state;
  double a[1000], b[1000];
  level_run(2, false, a);
  for (int level = 2; level <= rt_isa_best(); level++)
    for (int lane = 0; lane < 2; lane++) {
      level_run(level, lane != 0, b);
      assert_memory_equal(a, b, sizeof a);
    }
}

static void test_bad_factors(void **state) {
  (void)state;
  double work[1024], L[4] = {1.0, 0.0, NAN, 1.0};
  rt_nuts s;
  assert_true(rt_nuts_doubles(2, 10) <= 1024);
  rt_nuts_init(&s, 2, 10, 1, work);
  assert_int_equal(rt_nuts_factor_set(&s, L), -1);
  L[2] = 0.5;
  L[3] = 0.0;
  assert_int_equal(rt_nuts_factor_set(&s, L), -1);
  assert_null(s.factor);
  L[3] = 1.0;
  assert_int_equal(rt_nuts_factor_set(&s, L), 0);
}

/* x = sum_k a_k v_k over an orthonormal basis v (a cosine transform), the a_k independent with variances from 1 to 1e4 in equal ratios: its condition number is
 * 1e4, and no rescaling of coordinates makes it much better. */
enum { TILTED = 20 };
static double basis[TILTED][TILTED], variance[TILTED];
static void basis_make(void) {
  for (size_t k = 0; k < TILTED; k++) {
    variance[k] = pow(1e4, (double)k / (TILTED - 1));
    for (size_t i = 0; i < TILTED; i++) basis[k][i] = sqrt((k ? 2.0 : 1.0) / TILTED) * cos(M_PI * ((double)i + 0.5) * (double)k / TILTED);
  }
}

static double tilted_density(const double *q, double *g, size_t dim) {
  double lp = 0.0;
  for (size_t i = 0; i < dim; i++) g[i] = 0.0;
  for (size_t k = 0; k < dim; k++) {
    double z = 0.0, v = variance[k];
    for (size_t i = 0; i < dim; i++) z += basis[k][i] * q[i];
    lp -= 0.5 * z * z / v;
    for (size_t i = 0; i < dim; i++) g[i] -= z / v * basis[k][i];
  }
  return lp;
}
static double tilted_function(const double *q, size_t dim, size_t f, double *truth) {
  double z = 0.0;
  for (size_t i = 0; i < dim; i++) z += basis[f % dim][i] * q[i];
  z /= sqrt(variance[f % dim]);
  *truth = f < dim ? 0.0 : 1.0;
  return f < dim ? z : z * z;
}
static const target tilted = {"tilted 20", TILTED, tilted_density, 2 * TILTED, tilted_function, NULL, 0.8};

static int density_call(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *g) {
  const target *t = user;
  assert_true(lanes == 1 && stride == 1);
  *lp = t->density(q, g, t->dim);
  return 0;
}

typedef struct measured {
  double z;     /* largest |z| over the functions */
  double yield; /* least bulk ESS of a function to a gradient after warm-up */
  double scale; /* largest |log| of metric over true variance, for gauss_density */
} measured;

static measured chains_measure(const target *t, adapt_kind kind, uint32_t warmup, uint32_t draws, uint64_t seed) {
  enum { CHAINS = 4 };
  double *work = malloc(nuts_chain_doubles(t->dim, 10, kind) * sizeof *work), *q = malloc(CHAINS * draws * t->dim * sizeof *q);
  double *f = malloc(CHAINS * draws * sizeof *f), *dwork = malloc(diagnose_doubles(CHAINS, draws) * sizeof *dwork), truth = 0.0, least = INFINITY;
  uint64_t gradients = 0;
  measured m = {0.0, 0.0, 0.0};
  for (uint64_t c = 0; c < CHAINS; c++) {
    nuts_options o;
    nuts_options_init(&o, rt_key_fold(seed, c));
    o.warmup = warmup;
    o.draws = draws;
    o.delta = t->delta;
    o.kind = kind;
    nuts_target nt = {.dim = t->dim, .density = density_call, .density_user = (void *)t, .draws = q + c * draws * t->dim};
    nuts_result r;
    assert_int_equal(nuts_chain_run(&o, &nt, work, &r), NUTS_OK);
    assert_int_equal(r.draws, draws);
    assert_true((r.factor != NULL) == (kind == ADAPT_DENSE) && (r.metric != NULL) == (kind != ADAPT_DENSE));
    gradients += r.n_leapfrog[1];
    for (size_t i = 0; i < t->dim && kind != ADAPT_DENSE; i++) m.scale = fmax(m.scale, fabs(log(r.metric[i] / (scale_of(i) * scale_of(i)))));
  }
  for (size_t k = 0; k < t->functions; k++) {
    for (size_t i = 0; i < CHAINS * draws; i++) f[i] = t->function(q + i * t->dim, t->dim, k, &truth);
    diagnose_draws d = {f, CHAINS, draws, draws, 1};
    diagnose_summary s;
    diagnose_summarise(&d, dwork, &s);
    m.z = fmax(m.z, fabs(s.mean - truth) / s.mcse_mean);
    least = fmin(least, s.ess_bulk);
    assert_true(s.rhat < 1.02);
  }
  m.yield = least / (double)gradients;
  free(work);
  free(q);
  free(f);
  free(dwork);
  return m;
}

static void test_chains(void **state) {
  (void)state;
  static const struct {
    const target *t;
    uint32_t draws;
  } cases[] = {{&gauss1, 4000}, {&gauss5, 4000}, {&gauss50, 1000}, {&funnel6, 4000}, {&student5, 4000}, {&gamma2, 4000}, {&tilted, 1000}};
  static const adapt_kind kinds[] = {ADAPT_FISHER, ADAPT_DENSE};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (size_t k = 0; k < 2; k++) {
      measured m = chains_measure(cases[i].t, kinds[k], 1000, cases[i].draws, 700 + 10 * i + k);
      if (!(m.z < Z_MOST)) fail_msg("%s, metric %d: z = %.2f", cases[i].t->name, (int)kinds[k], m.z);
    }
}

/* A trajectory has to cross the longest axis in steps of the shortest: sqrt(1e4) in the ratio of the worst case.  Measured 31; 8 is asked. */
static void test_dense_gains_on_correlations(void **state) {
  (void)state;
  measured diagonal = chains_measure(&tilted, ADAPT_DIAGONAL, 1000, 1000, 800), dense = chains_measure(&tilted, ADAPT_DENSE, 1000, 1000, 801);
  print_message("tilted 20: ESS per gradient diagonal %.5f, dense %.5f\n", diagonal.yield, dense.yield);
  if (!(dense.yield > 8.0 * diagonal.yield)) fail_msg("ESS per gradient: dense %.5f, diagonal %.5f", dense.yield, diagonal.yield);
}

/* Independent coordinates: variance over variance of the gradient is scale^4 however few the draws, up to what shrinkage adds. */
static double apart_density(const double *q, double *g, size_t dim) {
  double lp = 0.0;
  for (size_t i = 0; i < dim; i++) {
    double x = q[i] / scale_of(i);
    lp -= 0.5 * x * x;
    g[i] = -x / scale_of(i);
  }
  return lp;
}
static double apart_function(const double *q, size_t dim, size_t f, double *truth) {
  *truth = 0.0;
  return q[f % dim] / scale_of(f % dim);
}

static void test_fisher_scales(void **state) {
  (void)state;
  static const target apart = {"apart 20", 20, apart_density, 20, apart_function, NULL, 0.8};
  measured fisher = chains_measure(&apart, ADAPT_FISHER, 150, 500, 900), diagonal = chains_measure(&apart, ADAPT_DIAGONAL, 150, 500, 901);
  print_message("apart 20: largest log error of a variance, fisher %.3f, diagonal %.3f\n", fisher.scale, diagonal.scale);
  assert_true(fisher.scale < 0.25 && fisher.scale < diagonal.scale);
}

/* Allocations are counted where the C library lets us (test_vm_nuts.c). */
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 1
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef COUNTS_ALLOCATIONS
#define COUNTS_ALLOCATIONS 0
#endif
#endif
#else
#define COUNTS_ALLOCATIONS 0
#endif
static unsigned long allocations;
#if COUNTS_ALLOCATIONS
extern void *__libc_malloc(size_t n);
void *malloc(size_t n) {
  allocations++;
  return __libc_malloc(n);
}
#endif

static void test_chains_repeat(void **state) {
  (void)state;
  enum { D = 5, N = 200 };
  static double a[N * D], b[N * D];
  for (int kind = ADAPT_DIAGONAL; kind <= ADAPT_DENSE; kind++) {
    size_t doubles = nuts_chain_doubles(D, 10, (adapt_kind)kind);
    double *work = malloc(doubles * sizeof *work);
    nuts_options o;
    nuts_options_init(&o, 12);
    o.warmup = 300;
    o.draws = N;
    o.kind = (adapt_kind)kind;
    nuts_target t = {.dim = D, .density = density_call, .density_user = (void *)&gauss5, .draws = a};
    nuts_result r;
    unsigned long before = allocations;
    assert_int_equal(nuts_chain_run(&o, &t, work, &r), NUTS_OK);
    assert_true(allocations == before);
#if COUNTS_ALLOCATIONS
    free(malloc(1)); /* the counter counts */
    assert_true(allocations > before);
#endif
    for (size_t i = 0; i < doubles; i++) work[i] = NAN; /* nothing is taken from old contents */
    t.draws = b;
    assert_int_equal(nuts_chain_run(&o, &t, work, &r), NUTS_OK);
    assert_memory_equal(a, b, sizeof a);
    free(work);
  }
  assert_int_equal(nuts_chain_doubles(SIZE_MAX / 16, 10, ADAPT_DENSE), 0);
  assert_int_equal(nuts_chain_doubles((size_t)1 << 33, 10, ADAPT_DENSE), 0);
}

int main(void) {
  basis_make();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dense_is_invariant),
      cmocka_unit_test(test_levels_and_lanes_agree),
      cmocka_unit_test(test_bad_factors),
      cmocka_unit_test(test_chains),
      cmocka_unit_test(test_dense_gains_on_correlations),
      cmocka_unit_test(test_fisher_scales),
      cmocka_unit_test(test_chains_repeat),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
