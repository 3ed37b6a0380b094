/* adapt.h: what a chain learns during warm-up, its step size and its diagonal metric.
 *
 * Plain structs over the caller's memory, no hidden state: the same acceptances and positions give the same result.
 *
 * Step size: dual averaging of Nesterov as in Hoffman and Gelman 2014, section 3.2, equation 6.  Metric: variances of
 * windows that double in length between two buffers that adapt the step size alone, the schedule that Stan's reference
 * manual describes ("Adaptation", HMC algorithm parameters):
 *
 *     |  init 75  | 25 | 50 | 100 | ...  last window takes the rest | term 50 |
 *
 * A warm-up too short for that is cut 15 % : 75 % : 10 %, and one below 20 steps learns no metric. */
#ifndef AIM_VM_ADAPT_H
#define AIM_VM_ADAPT_H

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

typedef struct adapt_metric {
  size_t dim;
  uint32_t n_warmup, init, term, base; /* lengths in transitions; n_warmup 0 when no metric is learnt */
  uint32_t at, window, window_end;     /* transition reached, length of this window, its last transition */
  double n;                            /* positions in the running variance */
  double *mean, *m2;                   /* [dim] Welford's running mean and sum of squares, in the caller's memory */
} adapt_metric;

/* Doubles of memory that adapt_metric_init takes: 2 * dim, or 0 if that does not fit. */
size_t adapt_metric_doubles(size_t dim);
void adapt_metric_init(adapt_metric *a, size_t dim, uint32_t n_warmup, double *memory);
/* Takes the position after one warm-up transition.  At the end of a window writes the regularised variances
 * n/(n+5) * var + 1e-3 * 5/(n+5) to inv_metric [dim] and returns true: the step size must then be searched anew.
 * Otherwise inv_metric is untouched. A variance that is not finite leaves its entry of inv_metric as it was. */
bool adapt_metric_update(adapt_metric *a, const double *q, double *inv_metric);

#endif
