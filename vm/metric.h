/* metric.h: metrics learnt from a window of draws and their gradients, and how well they fit another one.
 *
 * For a metric M^-1 = F F' let y = F^-1 q and h = F' g: position and gradient where the metric is the unit one.  Were the target Gaussian and the metric
 * its covariance, y and h would have unit covariance; in general the target is as long as sqrt(l_y), l_y the largest eigenvalue of cov(y), and a step as
 * short as 1 / sqrt(l_h), l_h that of cov(h).  So
 *
 *     kappa = sqrt(l_y l_h)
 *
 * is, up to a factor, the number of leapfrog steps to an independent draw.  It is only honest on draws that the metric was not learnt from.
 *
 * The low-rank metric is that of Seyboldt, Carlson and Carpenter 2024 (nutpie): among all metrics the one of the least Fisher divergence between the
 * target and a Gaussian solves  S cov(g) S = cov(q),  the geometric mean of cov(q) and cov(g)^-1.  A Gaussian target has g = -S^-1 q, so S is exact as
 * soon as the draws span the space, however few and correlated they are.  It is computed in coordinates scaled by D = (var q_i / var g_i)^(1/4), and,
 * where there are many, in the span of draws and gradients alone; eigenvectors whose eigenvalue is far from 1 are kept. */
#ifndef AIM_VM_METRIC_H
#define AIM_VM_METRIC_H

#include "stdlib/runtime/rt_factor.h"

#include <stdbool.h>
#include <stdint.h>

/* Up to METRIC_WHOLE coordinates the whole space is taken, and dense metrics are learnt. */
enum { METRIC_WHOLE = 256, METRIC_RANK = 64, METRIC_MOST = 1 << 15 }; /* above METRIC_MOST `auto` is diagonal */

typedef enum metric_form { METRIC_DIAGONAL, METRIC_FISHER, METRIC_DENSE, METRIC_LOWRANK, METRIC_FORMS } metric_form;

const char *metric_form_name(metric_form form); /* "diagonal" */

/* Draws of one window.  Where they are more than fit, every second is dropped, and from then on every second comes in. */
typedef struct metric_window {
  size_t dim, cap, n;
  uint64_t seen, every;
  double *q, *g;   /* [cap][dim] */
  double *cov[2];  /* closed, and dim <= METRIC_WHOLE: covariances of q and g, [dim][dim] */
} metric_window;

/* Doubles of memory of a window of any length. */
size_t metric_window_doubles(size_t dim);
void metric_window_init(metric_window *w, size_t dim, double *memory);
void metric_window_restart(metric_window *w);
void metric_window_push(metric_window *w, const double *q, const double *g);
/* Subtracts the means and takes covariances.  Learning and misfits want a closed window, pushes an open one; diagonals can be learnt from one of which only the
 * means were subtracted. */
void metric_window_close(metric_window *w);
void metric_window_centre(metric_window *w);
/* What it costs to close the window, to learn all forms from it and to take their misfits, in flops of a gradient: those here are scalar for the most part, and count
 * eight times. */
double metric_flops(const metric_window *w);

/* A metric with its memory. */
typedef struct metric {
  rt_factor f; /* dim 0: not learnt */
  double *memory;
} metric;
/* Doubles of memory; 0 for a dense one above METRIC_WHOLE. */
size_t metric_doubles(metric_form form, size_t dim);

/* Doubles of scratch for the next two. */
size_t metric_scratch(size_t dim);
/* Learns one from a closed window.  False, with the metric as it was, where numbers are not finite or there are fewer than 4 draws. */
bool metric_learn(metric *m, metric_form form, const metric_window *w, double *scratch);
/* kappa on a closed window; inf where it is not finite. */
double metric_misfit(const rt_factor *f, const metric_window *w, double *scratch);

#endif
