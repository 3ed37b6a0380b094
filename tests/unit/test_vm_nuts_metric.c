/* The metrics of NUTS: that each leaves the target invariant and gives the same bits at every instruction-set level, what dense and lowrank gain where
 * the target is correlated and fisher where a window is short, what `auto` chooses, and that nothing is allocated on the way.
 *
 * Statistical tests as in test_vm_nuts.c: fixed seeds, |estimate - truth| < 4.9 standard errors.  A wrong twin, rt_nuts.c compiled a second time with
 * momenta from the wrong factor, must fail the same test. */
#include "vm/nuts_chain.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_nuts_kernels.h"
#include "tests/unit/nuts_targets.h"
#include "vm/diagnose.h"
#include "vm/eigen.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RT_NUTS_BREAK_MOMENTUM
#include "tests/unit/nuts_twin.h"

#define Z_MOST 4.9

static const sampler right = SAMPLER_OF(rt_nuts), wrong = SAMPLER_OF(twin);

/* Factors that do not fit well, so that a mistake in their use would show. */
typedef struct factors {
  double L[64], scale[8], U[16], gain[2];
  rt_factor dense, lowrank;
} factors;

static void factors_make(const target *t, factors *x) {
  size_t n = t->dim;
  *x = (factors){.gain = {0.7, -0.4}};
  for (size_t i = 0; i < n; i++) {
    double scale = t->density == gauss_density ? scale_of(i) : 1.0;
    for (size_t j = 0; j < i; j++) x->L[i * n + j] = scale * (0.6 - 0.25 * (double)((i + 2 * j) % 4));
    x->L[i * n + i] = scale * (0.8 + 0.3 * (double)(i % 3));
    x->scale[i] = scale * (0.8 + 0.3 * (double)(i % 3));
    /* Two rows of the cosine transform, which are orthonormal. */
    for (size_t k = 0; k < 2; k++) x->U[k * n + i] = sqrt((k ? 2.0 : 1.0) / (double)n) * cos(M_PI * ((double)i + 0.5) * (double)k / (double)n);
  }
  x->dense = (rt_factor){.dim = n, .L = x->L};
  x->lowrank = (rt_factor){.dim = n, .rank = n < 2 ? n : 2, .scale = x->scale, .U = x->U, .gain = x->gain};
}

static double z_of(const sampler *sm, const target *t, bool lowrank, double step, uint64_t seed) {
  factors x;
  factors_make(t, &x);
  return invariance_z(sm, t, NULL, lowrank ? &x.lowrank : &x.dense, step, 50000, seed);
}

static void test_factors_are_invariant(void **state) {
  (void)state;
  static const struct {
    const target *t;
    double step;
  } cases[] = {{&gauss1, 1.2}, {&gauss2, 0.5}, {&gauss5, 0.3}, {&gauss5, 0.1}, {&funnel6, 0.3}, {&student5, 0.3}};
  for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
    const target *t = cases[i / 2].t;
    double z = z_of(&right, t, i % 2, cases[i / 2].step, 600 + i);
    if (!(z < Z_MOST)) fail_msg("%s, %s, step %g: z = %.2f", t->name, i % 2 ? "low rank" : "dense", cases[i / 2].step, z);
  }
  for (size_t i = 0; i < 4; i++) {
    const target *t = i / 2 ? &gauss5 : &gauss2;
    double z = z_of(&wrong, t, i % 2, i / 2 ? 0.3 : 0.5, 620 + i);
    if (!(z > Z_MOST)) fail_msg("momenta from the wrong factor pass on %s, %s: z = %.2f", t->name, i % 2 ? "low rank" : "dense", z);
  }
}

/* Products with F, F', and their inverses against the matrix itself. */
static void test_products(void **state) {
  (void)state;
  enum { D = 5 };
  factors x;
  factors_make(&gauss5, &x);
  const rt_kernels *k = rt_kernels_for(0);
  for (int lowrank = 0; lowrank < 2; lowrank++) {
    const rt_factor *f = lowrank ? &x.lowrank : &x.dense;
    double F[D][D], v[D] = {0.3, -1.1, 2.0, 0.7, -0.2}, y[D], back[D], scratch[2 * D];
    for (size_t i = 0; i < D; i++)
      for (size_t j = 0; j < D; j++) {
        F[i][j] = lowrank ? x.scale[i] * (i == j) : x.L[i * D + j];
        for (size_t r = 0; lowrank && r < 2; r++) F[i][j] += x.scale[i] * x.U[r * D + i] * x.gain[r] * x.U[r * D + j];
      }
    for (int trans = 0; trans < 2; trans++) {
      rt_factor_times(k, f, trans, v, y, scratch);
      rt_factor_solve(k, f, trans, y, back, scratch);
      for (size_t i = 0; i < D; i++) {
        double want = 0.0;
        for (size_t j = 0; j < D; j++) want += (trans ? F[j][i] : F[i][j]) * v[j];
        assert_true(fabs(y[i] - want) < 1e-13 && fabs(back[i] - v[i]) < 1e-13);
      }
    }
  }
}

/* One transition per state and level; q is written through a lane, so the strided gradient is used too. */
static void level_run(int level, bool lane, bool lowrank, double *out) {
  enum { D = 5, N = 200 };
  const target *t = &gauss5;
  double *work = malloc(rt_nuts_doubles(D, 10) * sizeof *work), q[D], g[D], at[2 * D], apart[2 * D];
  rt_nuts s;
  rt_nuts_init(&s, D, 10, 77, work);
  s.k = rt_nuts_kernels_for(level);
  s.dense = rt_kernels_for(level);
  factors x;
  factors_make(t, &x);
  assert_int_equal(rt_nuts_factor_set(&s, lowrank ? &x.lowrank : &x.dense), 0);
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
  for (int lowrank = 0; lowrank < 2; lowrank++) {
    level_run(2, false, lowrank, a);
    for (int level = 2; level <= rt_isa_best(); level++)
      for (int lane = 0; lane < 2; lane++) {
        level_run(level, lane, lowrank, b);
        assert_memory_equal(a, b, sizeof a);
      }
  }
}

static void test_bad_factors(void **state) {
  (void)state;
  double work[1024], L[4] = {1.0, 0.0, NAN, 1.0}, scale[2] = {1.0, 2.0}, U[2] = {1.0, 0.0}, gain[1] = {-1.0}, q[2] = {0.5, -1.5}, g[2] = {2.0, -3.0}, got[2];
  rt_nuts s;
  rt_factor dense = {.dim = 2, .L = L}, lowrank = {.dim = 2, .rank = 1, .scale = scale, .U = U, .gain = gain}, none = {.dim = 2, .scale = scale, .U = U, .gain = gain};
  assert_true(rt_nuts_doubles(2, 10) <= 1024);
  rt_nuts_init(&s, 2, 10, 1, work);
  assert_int_equal(rt_nuts_factor_set(&s, &dense), -1);
  L[2] = 0.5;
  L[3] = 0.0;
  assert_int_equal(rt_nuts_factor_set(&s, &dense), -1);
  assert_int_equal(rt_nuts_factor_set(&s, &lowrank), -1);
  assert_false(s.factored);
  L[3] = 1.0;
  gain[0] = -0.5;
  dense.dim = 1;
  assert_int_equal(rt_nuts_factor_set(&s, &dense), -1);
  dense.dim = 2;
  /* The gradient comes back under any metric, from one to the next. */
  const rt_factor *all[] = {&dense, &lowrank, &none};
  for (int k = 0; k < 4; k++) {
    assert_int_equal(k < 3 ? rt_nuts_factor_set(&s, all[k]) : rt_nuts_metric_set(&s, scale), 0);
    assert_int_equal(rt_nuts_point_set(&s, q, 0.0, g, 1), 0);
    rt_nuts_gradient(&s, got);
    for (int i = 0; i < 2; i++) assert_true(fabs(got[i] - g[i]) < 1e-14);
  }
  scale[1] = 0.0;
  assert_int_equal(rt_nuts_factor_set(&s, &none), -1);
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
  double rhat;  /* largest */
  double yield; /* least bulk ESS of a function to a gradient after warm-up */
  double scale; /* largest |log| of metric over true variance, for gauss_density */
  int forms[METRIC_FORMS]; /* chains that ended with each */
} measured;

static measured chains_measure(const target *t, adapt_kind kind, uint32_t warmup, uint32_t draws, uint64_t seed) {
  enum { CHAINS = 4 };
  double *work = malloc(nuts_chain_doubles(t->dim, 10, kind) * sizeof *work), *q = malloc(CHAINS * draws * t->dim * sizeof *q);
  double *f = malloc(CHAINS * draws * sizeof *f), *dwork = malloc(diagnose_doubles(CHAINS, draws) * sizeof *dwork), truth = 0.0, least = INFINITY;
  uint64_t gradients = 0;
  measured m = {0};
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
    bool factored = r.form == METRIC_DENSE || (r.form == METRIC_LOWRANK && r.factor.rank);
    assert_true((r.metric == NULL) == factored && (r.factor.dim == t->dim) == factored);
    if (kind != ADAPT_AUTO) assert_int_equal(r.form, (int)kind);
    m.forms[r.form]++;
    gradients += r.n_leapfrog[1];
    for (size_t i = 0; i < t->dim && r.metric; i++) m.scale = fmax(m.scale, fabs(log(r.metric[i] / (scale_of(i) * scale_of(i)))));
  }
  for (size_t k = 0; k < t->functions; k++) {
    for (size_t i = 0; i < CHAINS * draws; i++) f[i] = t->function(q + i * t->dim, t->dim, k, &truth);
    diagnose_draws d = {f, CHAINS, draws, draws, 1};
    diagnose_summary s;
    diagnose_summarise(&d, dwork, &s);
    m.z = fmax(m.z, fabs(s.mean - truth) / s.mcse_mean);
    least = fmin(least, s.ess_bulk);
    m.rhat = fmax(m.rhat, s.rhat);
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
  static const adapt_kind kinds[] = {ADAPT_FISHER, ADAPT_DENSE, ADAPT_LOWRANK, ADAPT_AUTO};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (size_t k = 0; k < 4; k++) {
      measured m = chains_measure(cases[i].t, kinds[k], 1000, cases[i].draws, 700 + 10 * i + k);
      if (!(m.z < Z_MOST)) fail_msg("%s, metric %d: z = %.2f", cases[i].t->name, (int)kinds[k], m.z);
      assert_true(m.rhat < 1.02);
    }
}

/* A trajectory has to cross the longest axis in steps of the shortest: sqrt(1e4) in the ratio of the worst case.  Measured 31; 8 is asked. */
static void test_dense_gains_on_correlations(void **state) {
  (void)state;
  measured diagonal = chains_measure(&tilted, ADAPT_DIAGONAL, 1000, 1000, 800), dense = chains_measure(&tilted, ADAPT_DENSE, 1000, 1000, 801);
  print_message("tilted 20: ESS per gradient diagonal %.5f, dense %.5f\n", diagonal.yield, dense.yield);
  if (!(dense.yield > 8.0 * diagonal.yield)) fail_msg("ESS per gradient: dense %.5f, diagonal %.5f", dense.yield, diagonal.yield);
}

/* The low-rank metric of a Gaussian is exact once draws span the space, so it gains as soon as a window of 25 is over: warm-up is short here.  Measured 25; 8
 * is asked.  `auto` must find one of the two. */
static void test_lowrank_gains_on_correlations(void **state) {
  (void)state;
  measured diagonal = chains_measure(&tilted, ADAPT_DIAGONAL, 250, 1000, 810), lowrank = chains_measure(&tilted, ADAPT_LOWRANK, 250, 1000, 811);
  measured automatic = chains_measure(&tilted, ADAPT_AUTO, 1000, 1000, 812);
  print_message("tilted 20: ESS per gradient diagonal %.5f, lowrank %.5f, auto %.5f\n", diagonal.yield, lowrank.yield, automatic.yield);
  if (!(lowrank.yield > 8.0 * diagonal.yield)) fail_msg("ESS per gradient: lowrank %.5f, diagonal %.5f", lowrank.yield, diagonal.yield);
  if (!(automatic.yield > 8.0 * diagonal.yield)) fail_msg("ESS per gradient: auto %.5f, diagonal %.5f", automatic.yield, diagonal.yield);
  assert_int_equal(automatic.forms[METRIC_DENSE] + automatic.forms[METRIC_LOWRANK], 4);
}

/* One long axis among very many: more coordinates than METRIC_WHOLE, so that the span of draws and gradients is taken.  The axis, of variance 10^4 among
 * ones, is what the metric has to find; diagonal cannot. */
enum { WIDE = 400 };
static double wide_density(const double *q, double *g, size_t dim) {
  double along = 0.0, square = 0.0, share = (1.0 - 1e-4) / (double)dim;
  for (size_t i = 0; i < dim; i++) along += q[i], square += q[i] * q[i];
  for (size_t i = 0; i < dim; i++) g[i] = -q[i] + share * along;
  return -0.5 * (square - share * along * along);
}
static double wide_function(const double *q, size_t dim, size_t f, double *truth) {
  double along = 0.0;
  for (size_t i = 0; i < dim; i++) along += q[i];
  along *= 0.01 / sqrt((double)dim);
  *truth = f == 0 ? 0.0 : 1.0;
  return f == 0 ? along : along * along;
}
static void test_lowrank_in_many_dimensions(void **state) {
  (void)state;
  static const target wide = {"wide 400", WIDE, wide_density, 2, wide_function, NULL, 0.8};
  measured diagonal = chains_measure(&wide, ADAPT_DIAGONAL, 300, 500, 820), lowrank = chains_measure(&wide, ADAPT_LOWRANK, 300, 500, 821);
  measured automatic = chains_measure(&wide, ADAPT_AUTO, 300, 500, 822);
  print_message("wide 400: ESS per gradient diagonal %.5f, lowrank %.5f, auto %.5f\n", diagonal.yield, lowrank.yield, automatic.yield);
  if (!(lowrank.z < Z_MOST && automatic.z < Z_MOST)) fail_msg("wide 400: z = %.2f, %.2f", lowrank.z, automatic.z);
  if (!(lowrank.yield > 4.0 * diagonal.yield)) fail_msg("ESS per gradient: lowrank %.5f, diagonal %.5f", lowrank.yield, diagonal.yield);
  assert_int_equal(automatic.forms[METRIC_LOWRANK], 4);
}

/* Where nothing is correlated a factor has nothing to give: `auto` stays with scales. */
static void test_auto_stays_diagonal(void **state) {
  (void)state;
  measured m = chains_measure(&funnel6, ADAPT_AUTO, 1000, 1000, 830);
  assert_int_equal(m.forms[METRIC_DENSE], 0);
}

/* Eigenvalues and vectors of symmetric matrices: A v = w v, orthonormal, and matrices that have equal ones. */
static void test_eigen(void **state) {
  (void)state;
  enum { MOST = 40 };
  static double A[MOST * MOST], kept[MOST * MOST], V[MOST * MOST], w[MOST], work[2 * MOST];
  for (size_t n = 0; n <= MOST; n++)
    for (int kind = 0; kind < 3; kind++) {
      double size = 1e-300;
      for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
          double x = kind == 2 ? (double)(i == j) : rt_draw_normal((rt_draw_addr){n, (uint32_t)kind, i * MOST + j}) * (kind ? pow(10.0, -(double)i / 4) : 1.0);
          A[i * n + j] = A[j * n + i] = x;
          size = fmax(size, fabs(x));
        }
      memcpy(kept, A, n * n * sizeof *A);
      assert_true(eigen_symmetric(n, A, w, V, work));
      for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < n; i++) {
          double Av = 0.0, vv = 0.0;
          for (size_t j = 0; j < n; j++) Av += kept[i * n + j] * V[k * n + j], vv += V[i * n + j] * V[k * n + j];
          if (!(fabs(Av - w[k] * V[k * n + i]) < 1e-13 * (double)n * size)) fail_msg("n = %zu, kind %d: A v is not w v", n, kind);
          if (!(fabs(vv - (i == k)) < 1e-13 * (double)n)) fail_msg("n = %zu, kind %d: not orthonormal", n, kind);
        }
    }
  A[0] = NAN;
  assert_false(eigen_symmetric(1, A, w, V, work));
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
  for (int kind = ADAPT_DIAGONAL; kind <= ADAPT_AUTO; kind++) {
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

/* Saves the chain at one of its transitions, or counts them. */
typedef struct keeper {
  uint32_t at, seen;
  void *bytes;
} keeper;

static void keep(void *user, const nuts_chain *c, uint32_t done) {
  keeper *k = user;
  k->seen++;
  if (done == k->at) nuts_chain_save(c, k->bytes);
}

/* A chain that goes on elsewhere in memory, from any phase of its life, draws what it would have drawn. */
static void test_chains_go_on(void **state) {
  (void)state;
  enum { D = 5, WARMUP = 300, N = 100 };
  static const uint32_t at[] = {1, 10, 75, 76, 99, 100, 101, 149, 150, 230, 249, 250, 299, 300, 301, 350, 399, 400};
  static double a[N * D], b[N * D];
  for (int kind = ADAPT_DIAGONAL; kind <= ADAPT_AUTO; kind++) {
    size_t doubles = nuts_chain_doubles(D, 10, (adapt_kind)kind);
    double *work = malloc(doubles * sizeof *work), *other = malloc(doubles * sizeof *other);
    keeper k = {.bytes = malloc(nuts_chain_bytes(D, 10, (adapt_kind)kind))};
    nuts_options o;
    nuts_options_init(&o, 12);
    o.warmup = WARMUP;
    o.draws = N;
    o.kind = (adapt_kind)kind;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
      nuts_target t = {.dim = D, .density = density_call, .density_user = (void *)&gauss5, .on_rest = keep, .draw_user = &k, .draws = a};
      nuts_result r, s;
      k.at = at[i];
      k.seen = 0;
      assert_int_equal(nuts_chain_run(&o, &t, work, &r), NUTS_OK);
      assert_int_equal(k.seen, WARMUP + N);
      size_t first = at[i] > WARMUP ? at[i] - WARMUP : 0;
      for (size_t j = 0; j < N * D; j++) b[j] = j < first * D ? a[j] : NAN;
      for (size_t j = 0; j < doubles; j++) other[j] = NAN;
      t.from = k.bytes;
      t.draws = b;
      k.at = k.seen = 0;
      unsigned long before = allocations;
      assert_int_equal(nuts_chain_run(&o, &t, other, &s), NUTS_OK);
      assert_true(allocations == before);
      assert_int_equal(k.seen, WARMUP + N - at[i]);
      assert_memory_equal(a, b, sizeof a);
      assert_true(s.step_size == r.step_size && s.form == r.form && s.draws == r.draws && s.n_nan == r.n_nan);
      assert_true(s.n_leapfrog[0] == r.n_leapfrog[0] && s.n_leapfrog[1] == r.n_leapfrog[1]);
      assert_true(!s.metric == !r.metric && (!s.metric || memcmp(s.metric, r.metric, D * sizeof(double)) == 0));
    }
    /* Of a chain with other sizes. */
    nuts_target t = {.dim = D, .density = density_call, .density_user = (void *)&gauss5, .from = k.bytes};
    nuts_result r;
    o.draws = 10;
    assert_int_equal(nuts_chain_run(&o, &t, work, &r), NUTS_E_OPTIONS);
    free(k.bytes);
    free(other);
    free(work);
  }
}

int main(void) {
  basis_make();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_eigen),
      cmocka_unit_test(test_products),
      cmocka_unit_test(test_factors_are_invariant),
      cmocka_unit_test(test_levels_and_lanes_agree),
      cmocka_unit_test(test_bad_factors),
      cmocka_unit_test(test_chains),
      cmocka_unit_test(test_dense_gains_on_correlations),
      cmocka_unit_test(test_lowrank_gains_on_correlations),
      cmocka_unit_test(test_lowrank_in_many_dimensions),
      cmocka_unit_test(test_auto_stays_diagonal),
      cmocka_unit_test(test_fisher_scales),
      cmocka_unit_test(test_chains_repeat),
      cmocka_unit_test(test_chains_go_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
