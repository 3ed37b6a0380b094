/* adapt.h: what a chain learns during warm-up, its step size and its metric.
 *
 * Plain structs over the caller's memory, no hidden state: the same acceptances and positions give the same result.
 *
 * Step size: dual averaging of Nesterov as in Hoffman and Gelman 2014, section 3.2, equation 6.  Metric: variances of
 * windows that double in length between two buffers that adapt the step size alone, the schedule that Stan's reference
 * manual describes ("Adaptation", HMC algorithm parameters):
 *
 *     |  init 75  | 25 | 50 | 100 | ...  last window takes the rest | term 50 |
 *
 * A warm-up too short for that is cut 15 % : 75 % : 10 %, and one below 20 steps learns no metric.
 *
 * What is learnt:
 *  - diagonal: variances of a window's positions.
 *  - dense: the covariance of a window's positions, by Welford's updates, handed out as its Cholesky factor.
 *  - fisher: sqrt(var q_i / var g_i), g the gradient of the log density, which minimises the Fisher divergence between the target and a
 *    Gaussian of independent coordinates; the sampler nutpie made it known.  Two windows run at once: the foreground, which the metric comes from after every transition, and the background, which
 *    takes its place and starts anew every 10 transitions in the first 30 % of warm-up and every 80 later.  Both end with the buffer `term`.
 *  - lowrank: the low-rank metric of metric.h, from a window's positions and gradients.
 *  - auto: lowrank after the first window; at the end of every later one all four forms are learnt, and of those that were learnt before this window, the one
 *    is chosen that costs least, in
 *
 *        kappa * (1 + flops of the metric / (flops of the gradient + 300)),
 *
 *    kappa being its misfit (metric.h) on this window, which it has not seen; the 300 stand for what else a leapfrog step costs.  Lowrank and dense must cost less
 *    than 0.8 of diagonal, and fisher less than 0.8 of lowrank too; dense takes part once a window has had dim draws.  What the chain goes on with is the chosen form
 *    learnt from this window.  Learning takes its time as well, which many unknowns with a cheap gradient would not make up for: a window after which all of it would
 *    have cost more than a seventh of what the gradients have teaches diagonal alone, or nothing where the chain has another form already.
 *    Above 32768 unknowns it is diagonal. */
#ifndef AIM_VM_ADAPT_H
#define AIM_VM_ADAPT_H

#include "vm/metric.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct adapt_step {
  double delta, gamma, t0, kappa; /* target acceptance; gain, delay and decay of the averaging */
  double mu;                      /* log step size that the average is drawn to */
  double counter, s_bar, x_bar;   /* updates so far; mean error of acceptance; averaged log step size */
} adapt_step;

/* delta in (0, 1), usually 0.8; gamma 0.05, t0 10, kappa 0.75.  Call adapt_step_restart before the first update. */
void adapt_step_init(adapt_step *a, double delta);
/* Forgets the past and draws to log(10 * step_size). */
void adapt_step_restart(adapt_step *a, double step_size);
/* Takes the acceptance statistic of one transition (NaN counts as 0, more than 1 as 1); returns the next step size. */
double adapt_step_update(adapt_step *a, double accept_stat);
/* The averaged step size, for use after warm-up; the last restart's target if there was no update. */
double adapt_step_final(const adapt_step *a);

typedef enum adapt_kind { ADAPT_DIAGONAL, ADAPT_FISHER, ADAPT_DENSE, ADAPT_LOWRANK, ADAPT_AUTO } adapt_kind;

typedef struct adapt_metric {
  adapt_kind kind;
  size_t dim;
  uint32_t n_warmup, init, term, base; /* lengths in transitions; n_warmup 0 when no metric is learnt */
  uint32_t at, window, window_end;     /* transition reached, length of this window, its last transition */
  double n, n_front;                   /* positions in the running variance, or in the background; in the foreground */
  double *mean, *m2;                   /* [dim] Welford's running mean and sum of squares, in the caller's memory; m2 [dim][dim] if dense,
                                        * [2 dim] each with those of the gradient behind for fisher */
  double *mean_front, *m2_front;       /* fisher: of the foreground */
  double *L;                           /* dense: [dim][dim] what is handed out */
  metric_window draws;                 /* lowrank, auto: of this window */
  metric form[METRIC_FORMS];           /* learnt from the window before */
  double *scratch;
  double gradient_flops;               /* auto: of one evaluation; 0: products with metrics, and learning them, count nothing */
  double steps;                        /* auto: leapfrog steps of warm-up so far, as the caller counts them */
  double learning;                     /* flops that learning has cost */
  metric_form chosen;
} adapt_metric;

typedef enum adapt_change {
  ADAPT_SAME,
  ADAPT_MOVED,  /* the metric changed a little; the step size goes on adapting */
  ADAPT_WINDOW  /* a window ended and the metric is new: the step size must be searched anew */
} adapt_change;

/* What was learnt. */
typedef struct adapt_result {
  metric_form form;
  double *inv_metric; /* [dim] of a diagonal M^-1, the caller's: diagonal, fisher, and lowrank where no direction stands out */
  rt_factor factor;   /* dim 0 where M^-1 is diagonal; in the memory of the adaptation, until the next update that is not ADAPT_SAME */
} adapt_result;

/* Doubles of memory that adapt_metric_init takes; 0 if that does not fit. */
size_t adapt_metric_doubles(size_t dim, adapt_kind kind);
void adapt_metric_init(adapt_metric *a, adapt_kind kind, size_t dim, uint32_t n_warmup, double *memory);
/* Whether updates read the gradient. */
static inline bool adapt_wants_gradient(adapt_kind kind) { return kind != ADAPT_DIAGONAL && kind != ADAPT_DENSE; }
/* Takes the position after one warm-up transition and the gradient there, if it is wanted.  Writes to result, unless it returns ADAPT_SAME:
 *  - diagonal: n/(n+5) * var + 1e-3 * 5/(n+5); fisher: the same of sqrt(var q / var g).  An entry that is not finite and positive stays as it was.
 *  - dense: L with L L' = n/(n+5) * covariance + 1e-3 * 5/(n+5) * I.  If that has no finite factor, nothing changes.
 *  - lowrank: metric.h.  If it cannot be learnt, nothing changes. */
adapt_change adapt_metric_update(adapt_metric *a, const double *q, const double *g, adapt_result *result);

#endif
