/* nuts_targets.h: densities with known answers, for the tests of the no-U-turn sampler, and the test that a transition leaves them as they are.
 *
 * A target knows its density and gradient, functions of q with their expectations, and (most of them) an exact sampler, which uses sites 9
 * and 10 of the key it is given.  A test program includes rt_nuts.c a second time, broken and with every function renamed, for a wrong twin: nuts_twin.h. */
#ifndef NUTS_TARGETS_H
#define NUTS_TARGETS_H

#include "stdlib/runtime/rt_nuts.h"
#include "stdlib/runtime/rt_sample.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct target {
  const char *name;
  size_t dim;
  double (*density)(const double *q, double *g, size_t dim);
  size_t functions;
  double (*function)(const double *q, size_t dim, size_t f, double *truth);
  void (*exact)(uint64_t key, double *q, size_t dim);
  double delta;
} target;

static inline double scale_of(size_t i) {
  static const double s[] = {1.0, 3.0, 0.2, 5.0, 0.5};
  return s[i % 5];
}

/* A stationary autoregressive Gaussian with correlation 0.7 between neighbours, and unequal scales. */
#define AR 0.7
static inline double gauss_density(const double *q, double *g, size_t dim) {
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
static inline double gauss_function(const double *q, size_t dim, size_t f, double *truth) {
  size_t i = f % dim, kind = f / dim;
  double x = q[i] / scale_of(i), y = q[(i + 1) % dim] / scale_of((i + 1) % dim);
  *truth = kind == 0 ? 0.0 : kind == 1 ? 1.0 : dim == 1 ? 1.0 : pow(AR, i + 1 < dim ? 1.0 : (double)(dim - 1));
  return kind == 0 ? x : kind == 1 ? x * x : x * y;
}
static inline void gauss_exact(uint64_t key, double *q, size_t dim) {
  double x = 0.0;
  for (size_t i = 0; i < dim; i++) {
    double z = rt_draw_normal((rt_draw_addr){key, 9, i});
    x = i ? AR * x + sqrt(1.0 - AR * AR) * z : z;
    q[i] = x * scale_of(i);
  }
}

/* A mild funnel: v ~ N(0, 1), x_i ~ N(0, exp(v / 2)). */
static inline double funnel_density(const double *q, double *g, size_t dim) {
  double v = q[0], w = exp(-v), lp = -0.5 * v * v;
  g[0] = -v;
  for (size_t i = 1; i < dim; i++) {
    lp += -0.5 * q[i] * q[i] * w - 0.5 * v;
    g[0] += 0.5 * q[i] * q[i] * w - 0.5;
    g[i] = -q[i] * w;
  }
  return lp;
}
static inline double funnel_function(const double *q, size_t dim, size_t f, double *truth) {
  size_t i = f % dim;
  double x = i ? q[i] * exp(-0.5 * q[0]) : q[0];
  *truth = f < dim ? 0.0 : 1.0;
  return f < dim ? x : x * x;
}
static inline void funnel_exact(uint64_t key, double *q, size_t dim) {
  for (size_t i = 0; i < dim; i++) q[i] = rt_draw_normal((rt_draw_addr){key, 9, i}) * (i ? exp(0.5 * q[0]) : 1.0);
}

/* Independent Student t with 10 degrees of freedom. */
#define DF 10.0
static inline double student_density(const double *q, double *g, size_t dim) {
  double lp = 0.0;
  for (size_t i = 0; i < dim; i++) {
    lp -= 0.5 * (DF + 1.0) * log1p(q[i] * q[i] / DF);
    g[i] = -(DF + 1.0) * q[i] / (DF + q[i] * q[i]);
  }
  return lp;
}
static inline double student_function(const double *q, size_t dim, size_t f, double *truth) {
  double x = q[f % dim];
  *truth = f < dim ? 0.0 : DF / (DF - 2.0);
  return f < dim ? x : x * x;
}
static inline void student_exact(uint64_t key, double *q, size_t dim) {
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
static inline double gamma_density(const double *q, double *g, size_t dim) {
  double lp = 0.0;
  for (size_t i = 0; i < dim; i++) {
    lp += 3.0 * q[i] - exp(q[i]);
    g[i] = 3.0 - exp(q[i]);
  }
  return lp;
}
static inline double gamma_without_jacobian(const double *q, double *g, size_t dim) {
  double lp = gamma_density(q, g, dim);
  for (size_t i = 0; i < dim; i++) {
    lp -= q[i];
    g[i] -= 1.0;
  }
  return lp;
}
static inline double gamma_function(const double *q, size_t dim, size_t f, double *truth) {
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

/* ---- invariance */

typedef struct sampler {
  size_t (*doubles)(size_t, uint32_t);
  void (*init)(rt_nuts *, size_t, uint32_t, uint64_t, double *);
  int (*point_set)(rt_nuts *, const double *, double, const double *, size_t);
  int (*metric_set)(rt_nuts *, const double *);
  int (*factor_set)(rt_nuts *, const rt_factor *);
  int (*start)(rt_nuts *, uint64_t);
  int (*advance)(rt_nuts *, double, const double *);
} sampler;
#define SAMPLER_OF(prefix) \
  {prefix##_doubles, prefix##_init, prefix##_point_set, prefix##_metric_set, prefix##_factor_set, prefix##_start, prefix##_advance}

/* Largest |z| over the functions after one transition from exact states, under the factor, or else the diagonal of M^-1.  NaN if the sampler refuses one. */
static inline double invariance_z(const sampler *sm, const target *t, const double *metric, const rt_factor *factor, double step, uint32_t replicates,
                                  uint64_t seed) {
  double *work = malloc(sm->doubles(t->dim, 8) * sizeof *work), q[64], g[64], *sum = calloc(2 * t->functions, sizeof *sum), truth = 0.0;
  rt_nuts s;
  sm->init(&s, t->dim, 8, rt_key_fold(seed, 1), work);
  double worst = (factor ? sm->factor_set(&s, factor) : sm->metric_set(&s, metric)) ? (double)NAN : 0.0, n = (double)replicates;
  for (uint32_t r = 0; r < replicates && worst == 0.0; r++) {
    t->exact(rt_key_fold(rt_key_fold(seed, 2), r), q, t->dim);
    double lp = t->density(q, g, t->dim);
    if (sm->point_set(&s, q, lp, g, 1)) worst = (double)NAN;
    s.step_size = step;
    for (int want = sm->start(&s, r); want == RT_NUTS_EVAL; want = sm->advance(&s, lp, g)) lp = t->density(s.q_eval, g, t->dim);
    for (size_t f = 0; f < t->functions; f++) {
      double v = t->function(s.q, t->dim, f, &truth) - truth;
      sum[2 * f] += v;
      sum[2 * f + 1] += v * v;
    }
  }
  for (size_t f = 0; f < t->functions; f++) {
    double mean = sum[2 * f] / n, var = sum[2 * f + 1] / n - mean * mean, z = fabs(mean) / sqrt(var / n);
    if (!(z <= worst)) worst = z;
  }
  free(work);
  free(sum);
  return worst;
}

#endif
