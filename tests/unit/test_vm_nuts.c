/* The no-U-turn sampler, its adaptation and one chain.
 *
 * Two kinds of statistical test, both with fixed seeds and |estimate - truth| < 4.9 standard errors (one false alarm in a million for
 * each comparison, below 1e-3 for all of them together):
 *  - invariance: independent states drawn exactly from the target take one transition, and must still be from the target.  The
 *    error bars are those of independent draws; with R replicates the test sees a bias of about 5 / sqrt(R) standard deviations.
 *  - chains: adapted from bad initial points, compared through their own effective sample sizes.
 * Deliberately wrong samplers go through the same functions and must fail them: rt_nuts.c compiled a second time without the U-turn
 * checks inside a half, and a target that forgets its Jacobian.
 *
 * usage: test_vm_nuts [factor]   factor times as many replicates (default 1; 20 for a nightly run)
 *        test_vm_nuts time       prints ns per leapfrog step instead */
#include "vm/nuts_chain.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_nuts_kernels.h"
#include "stdlib/runtime/rt_sample.h"
#include "vm/adapt.h"
#include "vm/diagnose.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* The wrong twin: every function renamed, and the chain driver on top of it. */
#define RT_NUTS_BREAK_UTURN
#define rt_nuts_doubles twin_doubles
#define rt_nuts_init twin_init
#define rt_nuts_lane_set twin_lane_set
#define rt_nuts_point_set twin_point_set
#define rt_nuts_metric_set twin_metric_set
#define rt_nuts_start twin_start
#define rt_nuts_step_start twin_step_start
#define rt_nuts_advance twin_advance
#define rt_nuts_kernels_for twin_kernels_for
#define nuts_options_init twin_options_init
#define nuts_chain_doubles twin_chain_doubles
#define nuts_chain_run twin_chain_run
#include "stdlib/runtime/rt_nuts.c"
#include "vm/nuts_chain.c"
#undef rt_nuts_doubles
#undef rt_nuts_init
#undef rt_nuts_lane_set
#undef rt_nuts_point_set
#undef rt_nuts_metric_set
#undef rt_nuts_start
#undef rt_nuts_step_start
#undef rt_nuts_advance
#undef rt_nuts_kernels_for
#undef nuts_options_init
#undef nuts_chain_doubles
#undef nuts_chain_run

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

/* Targets.  A target knows its density, functions of q with their expectations, and (some) an exact sampler. */

typedef struct target {
  const char *name;
  size_t dim;
  double (*density)(const double *q, double *g, size_t dim);
  size_t functions;
  double (*function)(const double *q, size_t dim, size_t f, double *truth);
  void (*exact)(uint64_t key, double *q, size_t dim);
  double delta;
} target;

static double scale_of(size_t i) {
  static const double s[] = {1.0, 3.0, 0.2, 5.0, 0.5};
  return s[i % 5];
}

/* A stationary autoregressive Gaussian with correlation 0.7 between neighbours, and unequal scales. */
#define AR 0.7
static double gauss_density(const double *q, double *g, size_t dim) {
  double lp = 0.0, back = 0.0;
  for (size_t i = 0; i < dim; i++) {
    double x = q[i] / scale_of(i), precision = i ? 1.0 / (1.0 - AR * AR) : 1.0;
    double e = x - (i ? AR * back : 0.0);
    lp -= 0.5 * precision * e * e;
    g[i] = -precision * e / scale_of(i);
    if (i) g[i - 1] += precision * e * AR / scale_of(i - 1);
    back = x;
  }
  return lp;
}
static double gauss_function(const double *q, size_t dim, size_t f, double *truth) {
  size_t i = f % dim, kind = f / dim;
  double x = q[i] / scale_of(i), y = q[(i + 1) % dim] / scale_of((i + 1) % dim);
  *truth = kind == 0 ? 0.0 : kind == 1 ? 1.0 : dim == 1 ? 1.0 : pow(AR, i + 1 < dim ? 1.0 : (double)(dim - 1));
  return kind == 0 ? x : kind == 1 ? x * x : x * y;
}
static void gauss_exact(uint64_t key, double *q, size_t dim) {
  double x = 0.0;
  for (size_t i = 0; i < dim; i++) {
    double z = rt_draw_normal((rt_draw_addr){key, 9, i});
    x = i ? AR * x + sqrt(1.0 - AR * AR) * z : z;
    q[i] = x * scale_of(i);
  }
}

/* A mild funnel: v ~ N(0, 1), x_i ~ N(0, exp(v / 2)). */
static double funnel_density(const double *q, double *g, size_t dim) {
  double v = q[0], w = exp(-v), lp = -0.5 * v * v;
  g[0] = -v;
  for (size_t i = 1; i < dim; i++) {
    lp += -0.5 * q[i] * q[i] * w - 0.5 * v;
    g[0] += 0.5 * q[i] * q[i] * w - 0.5;
    g[i] = -q[i] * w;
  }
  return lp;
}
static double funnel_function(const double *q, size_t dim, size_t f, double *truth) {
  size_t i = f % dim;
  double x = i ? q[i] * exp(-0.5 * q[0]) : q[0];
  *truth = f < dim ? 0.0 : 1.0;
  return f < dim ? x : x * x;
}
static void funnel_exact(uint64_t key, double *q, size_t dim) {
  for (size_t i = 0; i < dim; i++) q[i] = rt_draw_normal((rt_draw_addr){key, 9, i}) * (i ? exp(0.5 * q[0]) : 1.0);
}

/* Independent Student t with 10 degrees of freedom. */
#define DF 10.0
static double student_density(const double *q, double *g, size_t dim) {
  double lp = 0.0;
  for (size_t i = 0; i < dim; i++) {
    lp -= 0.5 * (DF + 1.0) * log1p(q[i] * q[i] / DF);
    g[i] = -(DF + 1.0) * q[i] / (DF + q[i] * q[i]);
  }
  return lp;
}
static double student_function(const double *q, size_t dim, size_t f, double *truth) {
  double x = q[f % dim];
  *truth = f < dim ? 0.0 : DF / (DF - 2.0);
  return f < dim ? x : x * x;
}
static void student_exact(uint64_t key, double *q, size_t dim) {
  for (size_t i = 0; i < dim; i++) {
    double s = 0.0;
    for (uint64_t k = 0; k < (uint64_t)DF; k++) {
      double z = rt_draw_normal((rt_draw_addr){key, 10, i * 64 + k});
      s += z * z;
    }
    q[i] = rt_draw_normal((rt_draw_addr){key, 9, i}) / sqrt(s / DF);
  }
}

/* s ~ Gamma(3, 1) on the log scale: the density of q = log s has the Jacobian s. */
static double gamma_density(const double *q, double *g, size_t dim) {
  double lp = 0.0;
  for (size_t i = 0; i < dim; i++) {
    lp += 3.0 * q[i] - exp(q[i]);
    g[i] = 3.0 - exp(q[i]);
  }
  return lp;
}
static double gamma_without_jacobian(const double *q, double *g, size_t dim) {
  double lp = gamma_density(q, g, dim);
  for (size_t i = 0; i < dim; i++) {
    lp -= q[i];
    g[i] -= 1.0;
  }
  return lp;
}
static double gamma_function(const double *q, size_t dim, size_t f, double *truth) {
  double s = exp(q[f % dim]);
  *truth = f < dim ? 3.0 : 12.0;
  return f < dim ? s : s * s;
}

static const target gauss1 = {"gauss 1", 1, gauss_density, 2, gauss_function, gauss_exact, 0.8};
static const target gauss2 = {"gauss 2", 2, gauss_density, 6, gauss_function, gauss_exact, 0.8};
static const target gauss5 = {"gauss 5", 5, gauss_density, 15, gauss_function, gauss_exact, 0.8};
static const target gauss50 = {"gauss 50", 50, gauss_density, 150, gauss_function, gauss_exact, 0.8};
static const target gauss250 = {"gauss 250", 250, gauss_density, 750, gauss_function, gauss_exact, 0.8};
static const target funnel6 = {"funnel 6", 6, funnel_density, 12, funnel_function, funnel_exact, 0.95};
static const target student5 = {"student 5", 5, student_density, 10, student_function, student_exact, 0.8};
static const target gamma2 = {"gamma 2", 2, gamma_density, 4, gamma_function, NULL, 0.8};
static const target gamma2_wrong = {"gamma 2 without Jacobian", 2, gamma_without_jacobian, 4, gamma_function, NULL, 0.8};

/* Invariance. */

typedef struct sampler {
  size_t (*doubles)(size_t, uint32_t);
  void (*init)(rt_nuts *, size_t, uint32_t, uint64_t, double *);
  int (*point_set)(rt_nuts *, const double *, double, const double *, size_t);
  int (*metric_set)(rt_nuts *, const double *);
  int (*start)(rt_nuts *, uint64_t);
  int (*advance)(rt_nuts *, double, const double *);
  nuts_status (*chain_run)(const nuts_options *, const nuts_target *, double *, nuts_result *);
} sampler;
static const sampler right = {rt_nuts_doubles, rt_nuts_init, rt_nuts_point_set, rt_nuts_metric_set, rt_nuts_start, rt_nuts_advance, nuts_chain_run};
static const sampler broken = {twin_doubles, twin_init, twin_point_set, twin_metric_set, twin_start, twin_advance, twin_chain_run};

/* Largest |z| over the functions after one transition from exact states. */
static double invariance_z(const sampler *sm, const target *t, double step, uint32_t replicates, uint64_t seed) {
  double *work = malloc(sm->doubles(t->dim, 8) * sizeof *work), q[64], g[64], *sum = calloc(2 * t->functions, sizeof *sum), truth = 0.0;
  double metric[64];
  rt_nuts s;
  sm->init(&s, t->dim, 8, rt_key_fold(seed, 1), work);
  /* A metric that does not fit well, so that a mistake in its use would show. */
  for (size_t i = 0; i < t->dim; i++) metric[i] = (1.0 + 0.5 * (double)(i % 3)) * (t->density == gauss_density ? scale_of(i) * scale_of(i) : 1.0);
  assert_int_equal(sm->metric_set(&s, metric), 0);
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

static void test_invariance(void **state) {
  (void)state;
  static const struct {
    const target *t;
    double step;
  } cases[] = {{&gauss1, 1.2}, {&gauss1, 0.05}, {&gauss2, 0.4}, {&gauss5, 0.5}, {&gauss5, 0.15}, {&funnel6, 0.5}, {&student5, 0.9}, {&student5, 0.2}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    double z = invariance_z(&right, cases[i].t, cases[i].step, 50000u * (uint32_t)factor, 100 + i);
    if (!(z < Z_MOST)) fail_msg("%s, step %g: z = %.2f", cases[i].t->name, cases[i].step, z);
  }
}

/* The twin loses detailed balance, which shows at once. */
static void test_broken_is_caught(void **state) {
  (void)state;
  double z = invariance_z(&broken, &gauss2, 0.4, 50000, 200);
  if (!(z > Z_MOST)) fail_msg("the twin passes on gauss 2: z = %.2f", z);
  z = invariance_z(&broken, &gauss5, 0.15, 50000, 201);
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
static double chains_z(const sampler *sm, const target *t, uint32_t draws, uint64_t seed, double *accept) {
  enum { CHAINS = 4 };
  double *work = malloc(nuts_chain_doubles(t->dim, 10) * sizeof *work), *q = malloc(CHAINS * draws * t->dim * sizeof *q);
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
    assert_int_equal(sm->chain_run(&o, &nt, work, &r), NUTS_OK);
    assert_int_equal(r.draws, draws);
    assert_false(r.step_bounded);
    for (uint32_t i = 0; i < draws; i++) sum += stats[i].accept_stat;
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
    double z = chains_z(&right, cases[i].t, cases[i].draws, 300 + i, NULL);
    if (!(z < Z_MOST)) fail_msg("%s: z = %.2f", cases[i].t->name, z);
  }
}

static void test_wrong_chains_are_caught(void **state) {
  (void)state;
  double z = chains_z(&right, &gamma2_wrong, 4000, 306, NULL);
  if (!(z > Z_MOST)) fail_msg("a missing Jacobian passes: z = %.2f", z);
  z = chains_z(&broken, &gauss5, 4000, 301, NULL);
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
    chains_z(&right, &t, 1000, 400 + i, &accept);
    if (!(accept > deltas[i] - 0.03 && accept < deltas[i] + 0.08)) fail_msg("delta %g: acceptance %.3f", deltas[i], accept);
  }
}

/* The kernel by itself. */

static void kernel_run(rt_nuts *s, const target *t, uint32_t n, double *out) {
  double g[64], lp = 0.0;
  for (uint32_t i = 0; i < n; i++) {
    for (int want = rt_nuts_start(s, i); want == RT_NUTS_EVAL; want = rt_nuts_advance(s, lp, g)) lp = t->density(s->q_eval, g, t->dim);
    memcpy(out + i * t->dim, s->q, t->dim * sizeof *out);
  }
}

static void kernel_begin(rt_nuts *s, const target *t, uint64_t key, double *work) {
  double q[64], g[64];
  rt_nuts_init(s, t->dim, 10, key, work);
  t->exact(key, q, t->dim);
  double lp = t->density(q, g, t->dim);
  assert_int_equal(rt_nuts_point_set(s, q, lp, g, 1), 0);
  s->step_size = 0.2;
}

/* The same trajectory by the recursion of the papers: given the momentum and the directions, how far it goes involves no further
 * chance, so steps, depth, divergence and acceptance must be equal in every transition. */

typedef struct vec {
  double x[8];
} vec;

typedef struct walker {
  vec q, p, g;
} walker;

typedef struct recursion {
  const target *t;
  const double *inv_metric;
  double step, h0, accept;
  uint32_t n, divergent;
} recursion;

static vec vec_add(vec a, vec b) {
  for (int i = 0; i < 8; i++) a.x[i] += b.x[i];
  return a;
}

static bool straight(const recursion *r, vec a, vec b, vec rho) {
  double da = 0.0, db = 0.0;
  for (size_t i = 0; i < r->t->dim; i++) {
    da += a.x[i] * r->inv_metric[i] * rho.x[i];
    db += b.x[i] * r->inv_metric[i] * rho.x[i];
  }
  return da > 0.0 && db > 0.0;
}

static bool tree_build(recursion *r, int depth, walker *w, int sign, vec *rho, vec *first, vec *last) {
  if (depth == 0) {
    double kinetic = 0.0;
    for (size_t i = 0; i < r->t->dim; i++) {
      w->p.x[i] += 0.5 * sign * r->step * w->g.x[i];
      w->q.x[i] += sign * r->step * r->inv_metric[i] * w->p.x[i];
    }
    double lp = r->t->density(w->q.x, w->g.x, r->t->dim);
    for (size_t i = 0; i < r->t->dim; i++) {
      w->p.x[i] += 0.5 * sign * r->step * w->g.x[i];
      kinetic += 0.5 * r->inv_metric[i] * w->p.x[i] * w->p.x[i];
    }
    r->n++;
    double delta = r->h0 - (kinetic - lp);
    if (!(delta >= -1000.0)) {
      r->divergent = 1;
      return false;
    }
    r->accept += fmin(1.0, exp(delta));
    *rho = *first = *last = w->p;
    return true;
  }
  vec rho_a, rho_b, last_a, first_b;
  if (!tree_build(r, depth - 1, w, sign, &rho_a, first, &last_a)) return false;
  if (!tree_build(r, depth - 1, w, sign, &rho_b, &first_b, last)) return false;
  *rho = vec_add(rho_a, rho_b);
  return straight(r, *first, *last, *rho) && straight(r, *first, first_b, vec_add(rho_a, first_b)) && straight(r, last_a, *last, vec_add(rho_b, last_a));
}

static uint32_t trajectory_run(recursion *r, const rt_nuts *s) {
  walker end[2] = {{.p = {{0}}}};
  memcpy(end[0].q.x, s->q, r->t->dim * sizeof(double));
  memcpy(end[0].p.x, s->end[0].p, r->t->dim * sizeof(double));
  memcpy(end[0].g.x, s->g, r->t->dim * sizeof(double));
  /* The kernel has begun its first step already: undo the half kick where it did. */
  if (!(s->directions & 1)) memcpy(end[0].p.x, s->end[1].p, r->t->dim * sizeof(double));
  end[1] = end[0];
  vec rho = end[0].p;
  uint32_t depth = 0;
  while (depth < s->max_depth) {
    int went = s->directions >> depth & 1;
    vec inner = end[went].p, outer = end[1 - went].p, half, first, last;
    if (!tree_build(r, (int)depth, &end[went], went ? 1 : -1, &half, &first, &last)) break;
    depth++;
    bool on = straight(r, outer, last, vec_add(rho, half)) && straight(r, outer, first, vec_add(rho, first)) &&
              straight(r, inner, last, vec_add(half, inner));
    rho = vec_add(rho, half);
    if (!on) break;
  }
  return depth;
}

static void test_matches_recursion(void **state) {
  (void)state;
  static const struct {
    const target *t;
    double step;
    uint32_t max_depth;
  } cases[] = {{&gauss1, 0.07, 10}, {&gauss2, 0.05, 10}, {&gauss5, 0.02, 10}, {&gauss5, 0.3, 3}, {&gauss5, 0.55, 10}, {&funnel6, 0.4, 10}, {&student5, 0.1, 10}};
  double *work = malloc(rt_nuts_doubles(8, 10) * sizeof *work), metric[8] = {1.0, 2.5, 0.3, 1.5, 0.7, 1.1, 1.0, 1.0};
  uint32_t deepest = 0, divergent = 0;
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    const target *t = cases[k].t;
    rt_nuts s;
    rt_nuts_init(&s, t->dim, cases[k].max_depth, k, work);
    rt_nuts_metric_set(&s, metric);
    for (uint32_t i = 0; i < 2000; i++) {
      double q[8], g[8];
      t->exact(rt_key_fold(k, i), q, t->dim);
      double lp = t->density(q, g, t->dim);
      rt_nuts_point_set(&s, q, lp, g, 1);
      s.step_size = cases[k].step;
      int want = rt_nuts_start(&s, i);
      recursion r = {.t = t, .inv_metric = metric, .step = cases[k].step, .h0 = s.h0};
      uint32_t depth = trajectory_run(&r, &s);
      for (; want == RT_NUTS_EVAL; want = rt_nuts_advance(&s, lp, g)) lp = t->density(s.q_eval, g, t->dim);
      assert_int_equal(s.stats.n_leapfrog, r.n);
      assert_int_equal(s.stats.depth, depth);
      assert_int_equal(s.stats.divergent, r.divergent);
      assert_true(fabs(s.stats.accept_stat - r.accept / r.n) < 1e-9);
      assert_true(s.stats.log_density == s.lp && s.stats.energy > -s.lp);
      double again = t->density(s.q, g, t->dim);
      assert_true(again == s.lp && memcmp(g, s.g, t->dim * sizeof *g) == 0);
      if (depth > deepest) deepest = depth;
      divergent += r.divergent;
    }
  }
  assert_true(deepest >= 8 && divergent > 0);
  free(work);
}

static void test_levels_agree(void **state) {
  (void)state;
  double *work = malloc(rt_nuts_doubles(50, 10) * sizeof *work), *a = malloc(200 * 50 * sizeof *a), *b = malloc(200 * 50 * sizeof *b);
  rt_nuts s;
  kernel_begin(&s, &gauss50, 7, work);
  s.k = rt_nuts_kernels_for(2);
  kernel_run(&s, &gauss50, 200, a);
  for (int level = 3; level <= rt_isa_best(); level++) {
    kernel_begin(&s, &gauss50, 7, work);
    s.k = rt_nuts_kernels_for(level);
    kernel_run(&s, &gauss50, 200, b);
    assert_memory_equal(a, b, 200 * 50 * sizeof *a);
  }
  free(work);
  free(a);
  free(b);
}

/* Two chains in step on interleaved arrays give the draws of two chains alone, although their trees differ. */
static void test_lanes(void **state) {
  (void)state;
  enum { N = 100, D = 5, LANES = 2 };
  double alone[LANES][N * D], together[LANES][N * D], q[D * LANES], g[D * LANES], *work[LANES];
  rt_nuts s[LANES];
  uint32_t at[LANES] = {0};
  for (int l = 0; l < LANES; l++) {
    work[l] = malloc(rt_nuts_doubles(D, 10) * sizeof(double));
    kernel_begin(&s[l], &gauss5, 50 + (uint64_t)l, work[l]);
    kernel_run(&s[l], &gauss5, N, alone[l]);
    kernel_begin(&s[l], &gauss5, 50 + (uint64_t)l, work[l]);
    rt_nuts_lane_set(&s[l], q + l, LANES);
    rt_nuts_start(&s[l], 0);
  }
  while (at[0] < N || at[1] < N)
    for (int l = 0; l < LANES; l++) {
      if (at[l] == N) continue;
      double x[D], gx[D];
      for (int i = 0; i < D; i++) x[i] = s[l].q_eval[i * LANES];
      double lp = gauss_density(x, gx, D);
      for (int i = 0; i < D; i++) g[i * LANES + l] = gx[i];
      if (rt_nuts_advance(&s[l], lp, g + l) == RT_NUTS_DONE) {
        memcpy(together[l] + at[l] * D, s[l].q, sizeof x);
        if (++at[l] < N) rt_nuts_start(&s[l], at[l]);
      }
    }
  assert_memory_equal(alone, together, sizeof alone);
  free(work[0]);
  free(work[1]);
}

static void test_kernel_limits(void **state) {
  (void)state;
  assert_int_equal(rt_nuts_doubles(0, 10), 0);
  assert_int_equal(rt_nuts_doubles(5, 0), 0);
  assert_int_equal(rt_nuts_doubles(5, RT_NUTS_DEPTH_LIMIT + 1), 0);
  assert_int_equal(rt_nuts_doubles(SIZE_MAX / 64, 10), 0);
  assert_int_equal(rt_nuts_doubles(SIZE_MAX, 1), 0);

  /* A step far too small meets the depth limit: 1 + 2 + 4 steps at depth 3. */
  double *work = malloc(rt_nuts_doubles(5, 3) * sizeof *work), q[5], g[5], bad[5] = {1.0, 1.0, 0.0, 1.0, 1.0}, out[5 * 20];
  rt_nuts s;
  rt_nuts_init(&s, 5, 3, 1, work);
  gauss_exact(1, q, 5);
  double lp = gauss_density(q, g, 5);
  assert_int_equal(rt_nuts_point_set(&s, q, -INFINITY, g, 1), -1);
  assert_int_equal(rt_nuts_point_set(&s, q, NAN, g, 1), -1);
  assert_int_equal(rt_nuts_metric_set(&s, bad), -1);
  bad[2] = NAN;
  assert_int_equal(rt_nuts_metric_set(&s, bad), -1);
  assert_int_equal(rt_nuts_point_set(&s, q, lp, bad, 1), -1);
  assert_int_equal(rt_nuts_point_set(&s, q, lp, g, 1), 0);
  s.step_size = 1e-4;
  kernel_run(&s, &gauss5, 20, out);
  assert_int_equal(s.stats.depth, 3);
  assert_int_equal(s.stats.n_leapfrog, 7);
  assert_true(s.stats.accept_stat > 0.999 && !s.stats.divergent);

  /* -inf, NaN, +inf and a NaN gradient end a transition as a divergence and leave the point. */
  static const double odd[] = {-INFINITY, NAN, INFINITY, -1.0};
  for (int i = 0; i < 4; i++) {
    double before[5], nan_g[5] = {NAN, NAN, NAN, NAN, NAN};
    memcpy(before, s.q, sizeof before);
    assert_int_equal(rt_nuts_start(&s, 100 + (uint64_t)i), RT_NUTS_EVAL);
    assert_int_equal(rt_nuts_advance(&s, odd[i], nan_g), RT_NUTS_DONE);
    assert_int_equal(s.stats.divergent, 1);
    assert_int_equal(s.stats.n_nan, i == 0 ? 0 : 1);
    assert_true(s.stats.accept_stat == 0.0 && s.stats.depth == 0 && s.stats.n_leapfrog == 1);
    assert_memory_equal(before, s.q, sizeof before);
  }
  free(work);
}

/* Far in the tail the weights would overflow: the first transitions gain thousands in log density. */
static void test_far_tail(void **state) {
  (void)state;
  double work[512], q[1] = {3000.0}, g[1];
  assert_true(rt_nuts_doubles(1, 10) <= 512);
  rt_nuts s;
  rt_nuts_init(&s, 1, 10, 3, work);
  double lp = gauss_density(q, g, 1), out[40];
  assert_int_equal(rt_nuts_point_set(&s, q, lp, g, 1), 0);
  s.step_size = 0.5;
  kernel_run(&s, &gauss1, 40, out);
  for (int i = 0; i < 40; i++) assert_true(isfinite(out[i]));
  assert_true(fabs(out[39]) < 6.0);
}

static double flat_density(const double *q, double *g, size_t dim) {
  (void)q;
  for (size_t i = 0; i < dim; i++) g[i] = 0.0;
  return 0.0;
}

static void step_find(rt_nuts *s, const target *t) {
  double g[64], lp = 0.0;
  for (int want = rt_nuts_step_start(s, 0); want == RT_NUTS_EVAL; want = rt_nuts_advance(s, lp, g)) lp = t->density(s->q_eval, g, t->dim);
}

static void test_step_search(void **state) {
  (void)state;
  double *work = malloc(rt_nuts_doubles(5, 10) * sizeof *work), before[5];
  rt_nuts s;
  static const double starts[] = {1e-6, 1.0, 1e6};
  for (int i = 0; i < 3; i++) {
    kernel_begin(&s, &gauss5, 11, work);
    memcpy(before, s.q, sizeof before);
    s.step_size = starts[i];
    step_find(&s, &gauss5);
    assert_true(s.step_size > 0.02 && s.step_size < 2.0 && !s.step_bounded); /* the smallest scale is 0.2 */
    assert_memory_equal(before, s.q, sizeof before);
  }
  target flat = gauss5;
  flat.density = flat_density;
  kernel_begin(&s, &flat, 11, work);
  step_find(&s, &flat);
  assert_true(s.step_bounded && s.step_size <= 0x1p24);
  free(work);
}

/* Adaptation. */

static void test_windows(void **state) {
  (void)state;
  static const struct {
    uint32_t warmup;
    uint32_t ends[8]; /* transitions after which the metric changes */
  } cases[] = {{1000, {100, 150, 250, 450, 950}}, {500, {100, 150, 250, 450}}, {150, {100}}, {149, {135}}, {20, {18}}, {19, {0}}, {0, {0}}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    adapt_metric a;
    double memory[2], q[1], inv_metric[1] = {1.0};
    assert_int_equal(adapt_metric_doubles(1), 2);
    adapt_metric_init(&a, 1, cases[i].warmup, memory);
    size_t seen = 0;
    for (uint32_t k = 0; k < cases[i].warmup + 10; k++) {
      q[0] = k % 2 ? 1.0 : -1.0;
      if (adapt_metric_update(&a, q, inv_metric)) {
        assert_int_equal(k + 1, cases[i].ends[seen++]);
        assert_true(inv_metric[0] > 0.5 && inv_metric[0] < 1.1);
      }
    }
    assert_true(seen == 8 || cases[i].ends[seen] == 0);
  }
  /* Regularisation: 25 equal positions give 1e-3 * 5/30. */
  adapt_metric a;
  double memory[2], q[1] = {2.0}, inv_metric[1] = {7.0};
  adapt_metric_init(&a, 1, 1000, memory);
  for (int k = 0; k < 100; k++) adapt_metric_update(&a, q, inv_metric);
  assert_true(fabs(inv_metric[0] - 1e-3 * 5.0 / 30.0) < 1e-18);
}

static void test_dual_averaging(void **state) {
  (void)state;
  /* The first update by hand: counter 1, eta 1/11, s_bar = (0.8 - 0.5) / 11, x = log(10) - s_bar / 0.05. */
  adapt_step a;
  adapt_step_init(&a, 0.8);
  adapt_step_restart(&a, 1.0);
  double want = exp(log(10.0) - 0.3 / 11.0 / 0.05), got = adapt_step_update(&a, 0.5);
  assert_true(fabs(got - want) < 1e-13 * want && fabs(adapt_step_final(&a) - want) < 1e-13 * want);
  assert_true(isfinite(adapt_step_update(&a, NAN)));
  /* Acceptance exp(-step) has 0.8 at step 0.2231.  The pull towards mu leaves an error of gamma (mu - x) / sqrt(m) = 0.05 * 4.9 / 44.7
   * in acceptance after 2000 updates, and so 0.0069 in the step. */
  adapt_step_restart(&a, 3.0);
  for (int i = 0; i < 2000; i++) want = exp(-adapt_step_update(&a, i ? want : exp(-3.0)));
  assert_true(fabs(adapt_step_final(&a) - 0.22314355) < 0.0069);
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
  double *work = malloc(nuts_chain_doubles(1, 10) * sizeof *work);
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
  double *work = malloc(nuts_chain_doubles(D, 10) * sizeof *work), a[N * D], b[N * D];
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
  for (size_t i = 0; i < nuts_chain_doubles(D, 10); i++) work[i] = NAN; /* nothing is taken from old contents */
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

/* Time of a leapfrog step with a density of a few ns per dimension. */

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double simple_density(const double *q, double *g, size_t dim) {
  double lp = 0.0;
  for (size_t i = 0; i < dim; i++) {
    lp -= 0.5 * q[i] * q[i];
    g[i] = -q[i];
  }
  return lp;
}

static void time_print(void) {
  static const size_t dims[] = {1, 2, 5, 10, 20, 50, 250, 1000};
  static const double steps[] = {0.6, 0.05};
  printf("  dim  step  leapfrogs/transition  ns/leapfrog with gradient  gradient alone\n");
  for (size_t k = 0; k < 2; k++)
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
      size_t dim = dims[i];
      double *work = malloc(rt_nuts_doubles(dim, 10) * sizeof *work), *g = calloc(dim, sizeof *g), *q = calloc(dim, sizeof *q), lp = 0.0;
      double best = INFINITY, alone = INFINITY, per = 0.0;
      rt_nuts s;
      rt_nuts_init(&s, dim, 10, 5, work);
      rt_nuts_point_set(&s, q, lp, g, 1);
      s.step_size = steps[k];
      for (int rep = 0; rep < 7; rep++) {
        uint64_t n = 0, transitions = 2 + (uint64_t)(2e6 * steps[k] / (double)(dim + 40));
        double t0 = seconds();
        for (uint64_t t = 0; t < transitions; t++, n += s.stats.n_leapfrog)
          for (int want = rt_nuts_start(&s, t); want == RT_NUTS_EVAL; want = rt_nuts_advance(&s, lp, g)) lp = simple_density(s.q_eval, g, dim);
        double t1 = seconds();
        for (uint64_t t = 0; t < 100000; t++) lp += simple_density(s.q, g, dim);
        double t2 = seconds();
        best = fmin(best, (t1 - t0) / (double)n);
        alone = fmin(alone, (t2 - t1) / 1e5);
        per = (double)n / (double)transitions;
      }
      printf("%5zu  %4.2f  %20.1f  %25.1f  %14.1f%s\n", dim, steps[k], per, 1e9 * best, 1e9 * alone, lp == 1.0 ? " " : "");
      free(work);
      free(g);
      free(q);
    }
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "time") == 0) {
    time_print();
    return 0;
  }
  if (argc > 1) factor = atoi(argv[1]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_invariance),
      cmocka_unit_test(test_broken_is_caught),
      cmocka_unit_test(test_chains),
      cmocka_unit_test(test_wrong_chains_are_caught),
      cmocka_unit_test(test_acceptance),
      cmocka_unit_test(test_matches_recursion),
      cmocka_unit_test(test_levels_agree),
      cmocka_unit_test(test_lanes),
      cmocka_unit_test(test_kernel_limits),
      cmocka_unit_test(test_far_tail),
      cmocka_unit_test(test_step_search),
      cmocka_unit_test(test_windows),
      cmocka_unit_test(test_dual_averaging),
      cmocka_unit_test(test_chain_ends),
      cmocka_unit_test(test_chain_repeats),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
