/* rt_nuts.h: one chain of the no-U-turn sampler, by reverse communication.
 *
 * The sampler never calls the model.  It says where it wants the log density (q_eval), returns, and is resumed with the
 * value and the gradient.  So one code serves an interpreter, compiled code, a host's own gradient, and many chains that
 * stay in step whatever the depth of their trees.
 *
 *     rt_nuts s;
 *     rt_nuts_init(&s, dim, 10, key, work);              work holds rt_nuts_doubles(dim, 10) doubles
 *     rt_nuts_point_set(&s, q0, lp0, grad0, 1);
 *     s.step_size = 0.1;
 *     for (uint64_t t = 0; t < draws; t++)
 *       for (int want = rt_nuts_start(&s, t); want == RT_NUTS_EVAL; want = rt_nuts_advance(&s, lp, grad))
 *         model(s.q_eval, &lp, grad);
 *
 * The algorithm is the multinomial sampler of Betancourt 2017 (arXiv:1701.02434, appendix A.2), which descends from
 * Hoffman and Gelman 2014: the trajectory doubles forwards or backwards; inside a new half the state is drawn with
 * probability proportional to exp(-H); between the old trajectory and the new half the choice is biased to the new half;
 * doubling ends when the generalised criterion p_sharp . rho > 0 fails for the whole, or for either part extended by the
 * neighbouring state of the other one.  Kinetic energy is 1/2 p' M^-1 p with M^-1 diagonal (`inv_metric`), or M^-1 = F F' (rt_factor.h).
 *
 * With a factor momenta are kept as r = F' p, so that p ~ N(0, M) is r ~ N(0, I), the velocity M^-1 p is F r, a kick adds the
 * step times F' times the gradient to r, and every inner product a' M^-1 b of momenta is the plain one of their r.  So a leapfrog step costs two
 * products with the factor, and the criterion none.
 *
 * Recursion is replaced by a stack that merges like a binary counter: after leaf n (from 0) as many complete subtrees are
 * merged as n has trailing one bits.  A waiting subtree needs its summed momentum and its two end momenta, so the memory is
 * about 3 * max_depth vectors.  The state inside a new half is drawn while leaves arrive, so it takes one pair of vectors.
 *
 * Randomness depends on (key, transition index, purpose, counter) alone. */
#ifndef RT_NUTS_H
#define RT_NUTS_H

#include "stdlib/runtime/rt_factor.h"
#include "stdlib/runtime/rt_philox.h"

#include <stddef.h>
#include <stdint.h>

#define RT_NUTS_DEPTH_LIMIT 20
/* A larger error of the Hamiltonian ends the trajectory: the integrator has left the level set for good. */
#define RT_NUTS_ENERGY_LIMIT 1000.0

enum { RT_NUTS_DONE = 0, RT_NUTS_EVAL = 1 };

/* What one transition reports. */
typedef struct rt_nuts_stats {
  double accept_stat;  /* mean of min(1, exp(H0 - H)) over the leapfrog steps, in [0, 1] */
  double energy;       /* Hamiltonian of the accepted state */
  double log_density;  /* of the accepted state */
  double step_size;    /* that was used */
  uint32_t n_leapfrog; /* steps of the integrator = evaluations of the gradient */
  uint32_t depth;      /* doublings whose half was complete and valid */
  uint32_t divergent;  /* 1 if the energy limit was passed, or the density was -inf or NaN */
  uint32_t n_nan;      /* evaluations that gave NaN or +inf as density, or NaN through the gradient */
} rt_nuts_stats;

typedef struct rt_nuts_end {
  double *q, *p, *g; /* position, momentum, gradient of the log density */
} rt_nuts_end;

typedef struct rt_nuts {
  /* Constant after rt_nuts_init. */
  size_t dim, padded; /* padded: dim rounded up, so that kernels need no tails; padding holds zeros */
  uint32_t max_depth;
  uint64_t key; /* of the chain */

  /* The caller may write these between transitions. */
  double step_size;

  /* Where the next evaluation is wanted: coordinate i is q_eval[i * stride].  Valid while RT_NUTS_EVAL is pending. */
  const double *q_eval;
  size_t stride;

  /* The current (last accepted) point, contiguous; read-only for the caller. */
  double *q, *g; /* with a factor g is F' times the gradient */
  double lp;

  rt_nuts_stats stats; /* of the last finished transition */
  int step_bounded;    /* the search for a step size ended at its bound */

  /* Private. */
  const struct rt_nuts_kernels *k;
  const struct rt_kernels *dense;
  double *inv_metric, *scale;    /* M^-1, and sqrt(M) for momenta */
  rt_factor factor;              /* of the metric, if `factored` */
  int factored;
  double *by_factor, *plain_g;   /* a product with F; a gradient made contiguous */
  double *scratch;               /* of products with F */
  double *lane;                  /* the caller's q_eval array, or NULL for stride 1 */
  rt_nuts_end end[2];            /* 0: backward end, 1: forward end of the trajectory */
  double *proposal_q, *proposal_g;
  double *tree_rho, *inner_p;    /* sum of momenta of the valid trajectory; momentum it had where it now grows */
  double *stack;                 /* waiting subtrees; see slot() */
  uint64_t draw_key;             /* of this transition */
  uint64_t n_uniform;            /* uniforms that chose between states in this transition */
  uint32_t directions;           /* bit d: the d-th doubling goes forward */
  uint32_t mode, depth, leaf, went; /* what is under way; doublings done; leaves of the half so far; which end grows */
  double step;                   /* of the half being built: step_size with the sign of its direction */
  double h0, ref;                /* initial energy; weights are exp(h0 - H - ref) */
  double weight, half_weight;    /* of the valid trajectory, of the half being built */
  double threshold;              /* the half's proposal changes when half_weight passes this */
  double accept_sum;
  double energy, half_lp, half_energy; /* of the accepted state; density and energy of the half's proposal */
  uint64_t search_key;           /* of this search for a step size */
  uint32_t search_n;             /* leapfrog steps it has begun */
  int search_up;                 /* it doubles, or it halves */
} rt_nuts;

/* Doubles of workspace for one chain; 0 if dim is 0, max_depth is outside 1..RT_NUTS_DEPTH_LIMIT, or the size does not fit. */
size_t rt_nuts_doubles(size_t dim, uint32_t max_depth);

/* work: rt_nuts_doubles(dim, max_depth) doubles, borrowed as long as s is used; best aligned to 64 bytes.  Sets a unit metric and
 * step size 1.  The point is not set.  s keeps pointers into work, so both may be moved only by a new init. */
void rt_nuts_init(rt_nuts *s, size_t dim, uint32_t max_depth, uint64_t key, double *work);

/* From now on positions are written to q_eval[i * stride] and gradients read from gradient[i * stride]; q_eval is borrowed. */
void rt_nuts_lane_set(rt_nuts *s, double *q_eval, size_t stride);

/* Copies the point the chain stands at.  Returns 0, or -1 (nothing changed) when lp or a coordinate or gradient is not finite. */
int rt_nuts_point_set(rt_nuts *s, const double *q, double lp, const double *gradient, size_t stride);

/* Copies the diagonal of M^-1 (posterior variances, say).  Returns 0, or -1 (nothing changed) unless all are finite and > 0.  After a metric with a
 * factor the point must be set again. */
int rt_nuts_metric_set(rt_nuts *s, const double *inv_metric);

/* M^-1 = F F': the struct is copied, its arrays are borrowed as long as it is in use.  Returns 0, or -1 (nothing changed) if it is not valid
 * or of another dimension.  The point must be set again afterwards, since its gradient is kept multiplied by F'. */
int rt_nuts_factor_set(rt_nuts *s, const rt_factor *factor);

/* The gradient at the current point, up to rounding where there is a factor: copied to g [dim], contiguous. */
void rt_nuts_gradient(rt_nuts *s, double *g);

/* Begins transition t from the current point.  Requires a point.  Returns RT_NUTS_EVAL. */
int rt_nuts_start(rt_nuts *s, uint64_t t);

/* Begins the search for a step size at the current point, starting from s->step_size: doubled or halved until the acceptance of
 * one leapfrog step crosses 0.8, with a new momentum each time (Hoffman and Gelman 2014, algorithm 4, with 0.8 for 0.5).
 * Also driven by rt_nuts_advance; on RT_NUTS_DONE s->step_size is set, the point is unchanged, and step_bounded tells whether
 * the search met its bounds 2^-40 or 2^24 (a density that is flat or wrong).  t numbers the search, apart from transitions. */
int rt_nuts_step_start(rt_nuts *s, uint64_t t);

/* Resumes with the log density at q_eval and its gradient (gradient[i * stride], borrowed for the call; not read when the density is
 * not finite).  -inf is a divergence; NaN and +inf are taken as -inf and counted.  On RT_NUTS_DONE the current point is the new
 * draw and s->stats describes it. */
int rt_nuts_advance(rt_nuts *s, double log_density, const double *gradient);

#endif
