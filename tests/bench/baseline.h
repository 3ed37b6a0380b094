/* baseline.h: the same computations as straightforward C by hand, to measure against.
 *
 * baseline*.c alone are compiled with -O3 -march=native -ffast-math, which AIM does not allow itself: gcc may reassociate sums,
 * contract to fma and call libm's vector functions.  Layouts are those that suit the loops.  Gradients are derived by hand.
 *
 * A density returns its value up to a constant at the unconstrained point q, Jacobian included, and writes the gradient g. Positive
 * parameters are exponentials of their coordinates, those in (0, b) are b times a logistic function. */
#ifndef AIM_BENCH_BASELINE_H
#define AIM_BENCH_BASELINE_H

#include <stddef.h>
#include <stdint.h>

typedef double baseline_density(const void *data, const double *q, double *g);

/* sum of y; value only */
double baseline_sum(const double *y, size_t n);
/* y ~ Normal(mu, sigma): value only */
double baseline_normal(const double *y, size_t n, double mu, double sigma);

/* Coordinates mu, tau, then theta or z [8]. */
typedef struct baseline_schools {
  const double *y, *sigma;
} baseline_schools;
baseline_density baseline_schools_centered, baseline_schools_noncentered;

/* y ~ Normal(mu, sigma) with mu ~ Normal(0, 10), sigma ~ HalfNormal(5).  Coordinates mu, sigma. */
typedef struct baseline_plate_data {
  const double *y;
  size_t n;
} baseline_plate_data;
baseline_density baseline_plate;

/* Coordinates beta [d]; of linear, sigma after them.  x is column-major; y of logit is 0 or 1.  Priors are Normal(0, 1), cut at 0 for
 * sigma. */
typedef struct baseline_logistic {
  size_t n, d;
  const double *x, *y;
} baseline_logistic;
baseline_density baseline_logit, baseline_linear;

/* Coordinates sigma_alpha, sigma_y, mu_alpha, beta [2], alpha [j].  county counts from 0. */
typedef struct baseline_radon_data {
  size_t n, j;
  const double *y, *floor, *uppm;
  const int *county;
} baseline_radon_data;
baseline_density baseline_radon;

/* Coordinates alpha, beta [k], sigma. */
typedef struct baseline_series {
  size_t n, k;
  const double *y;
  double sigma1;
} baseline_series;
baseline_density baseline_ark;
/* Coordinates mu, alpha0, alpha1, beta1. */
baseline_density baseline_garch;

/* Coordinates rho, alpha, sigma.  work holds 3 n^2 + n doubles. */
typedef struct baseline_gp_data {
  size_t n;
  const double *x, *y;
  double *work;
} baseline_gp_data;
baseline_density baseline_gp;

/* Coordinates beta [3], sigma. */
typedef struct baseline_kid_data {
  size_t n;
  const double *score, *hs, *iq;
} baseline_kid_data;
baseline_density baseline_kidscore;

/* Single-site Metropolis steps with proposals of scale 1, `steps` of them in the order of the sites, from where *at stands.
 * hier: x[0] is mu ~ Normal(0, 1), x[i] ~ Normal(mu, 1), y[i - 1] ~ Normal(x[i], 0.5).  chain: x[0] ~ Normal(0, 1),
 * x[t] ~ Normal(0.9 x[t - 1], 1), y[t] ~ Normal(x[t], 1). */
typedef struct baseline_walk {
  size_t n, at;
  double *x;
  const double *y;
  uint64_t random;
} baseline_walk;
void baseline_hier_steps(baseline_walk *w, long steps);
void baseline_chain_steps(baseline_walk *w, long steps);

/* Sweeps over the labels [n] of a mixture with three known components: each label from its conditional. */
typedef struct baseline_labels {
  size_t n;
  const double *x;
  const double *weight, *mean, *sd; /* [3] */
  int *label;
  uint64_t random;
} baseline_labels;
void baseline_label_sweeps(baseline_labels *l, long n);

/* Whole sweeps over a mixture of three: weights ~ Dirichlet(1, 1, 1), mean[j] ~ N(centre[j], 0.1), tau[j] ~ Gamma(2, 1), and the labels of x [n] ~ N(mean, 1 / sqrt(tau)), each from its conditional.
 * sums [9]: of weights, means and precisions over the sweeps. */
typedef struct baseline_mixture {
  size_t n;
  const double *x;
  double centre[3], weight[3], mean[3], tau[3], sums[9];
  int *label;
  uint64_t random;
} baseline_mixture;
void baseline_mixture_sweeps(baseline_mixture *m, long n);

/* n draws of the centred eight schools from the prior, [10] each, kept in a ring of `room` draws; with weights [room] unless NULL.
 */
typedef struct baseline_draws {
  const double *y, *sigma;
  double *ring, *weight;
  size_t room;
  uint64_t random;
} baseline_draws;
void baseline_schools_draws(baseline_draws *d, long n);

/* Metropolis sweeps over spins in rising order with fields in f32, changed at each flip: one anneal from the states that are there.  Dense: J [n][n].  Sparse: row
 * [n + 1], column, weight. */
typedef struct baseline_spins {
  size_t n, sweeps;
  const float *J;
  const uint32_t *row, *column;
  const float *weight;
  const double *beta;
  float *s, *f;
  uint64_t random;
} baseline_spins;
void baseline_spins_dense(baseline_spins *b);
void baseline_spins_sparse(baseline_spins *b);
/* Metropolis on a torus with couplings +-1, spins as bytes, acceptance from a table of the five fields; one temperature.  right, down [width * height]. */
typedef struct baseline_torus {
  size_t width, height, sweeps;
  const int8_t *right, *down;
  int8_t *s;
  double beta;
  uint64_t random;
} baseline_torus;
void baseline_spins_torus(baseline_torus *b);
/* Agents of n <= 64 spins, J [n][n] with anything on its diagonal.  _predict: the energy after an anneal from random spins, beta from 0.1 to 0.1 e^10. */
typedef struct baseline_agent {
  size_t n, sweeps, proposals;
  const double *J, *h;
  uint64_t random;
} baseline_agent;
double baseline_predict(baseline_agent *a);
/* Of states s [count][n]: valence, arousal, tension, coherence [count][4]. */
void baseline_emotions(const double *J, const double *h, const double *s, size_t count, size_t n, double *out);
/* Heat bath of q <= 8 colours on an open lattice. */
typedef struct baseline_colours {
  size_t width, height, q, sweeps;
  uint8_t *s;
  double beta;
  uint64_t random;
} baseline_colours;
void baseline_spins_colours(baseline_colours *b);

#endif
