/* rt_lbfgs.h: maximisation of a log density by limited-memory BFGS (Nocedal and Wright 2006, algorithms 7.4 and 7.5), by reverse
 * communication: the caller evaluates the density wherever the kernel asks, so it never calls a model.
 *
 *     rt_lbfgs_start(s, x, lp, gradient)
 *     while (rt_lbfgs_search(s) == RT_LBFGS_EVAL) {
 *       do { evaluate at s->at: lp, gradient } while ((st = rt_lbfgs_advance(s, lp, gradient)) == RT_LBFGS_EVAL);
 *       if (st != RT_LBFGS_STEP) break;
 *       s->x is a new iterate
 *     }
 *
 * Lines are searched for the strong Wolfe conditions, or where differences of the density are lost in its rounding for the approximate ones of
 * Hager and Zhang 2005.  Points of density 0 (-inf) and NaN are taken as too far out.
 *
 * The kernel allocates nothing and keeps no globals; sums run in the order of the coordinates, so results depend on the density alone. */
#ifndef RT_LBFGS_H
#define RT_LBFGS_H

#include <stddef.h>
#include <stdint.h>

enum { RT_LBFGS_MEMORY = 6 }; /* pairs of steps and changes of the gradient */

typedef enum rt_lbfgs_status {
  RT_LBFGS_EVAL,      /* wanted: the density at s->at */
  RT_LBFGS_STEP,      /* s->x, s->lp, s->g are a new iterate */
  RT_LBFGS_CONVERGED, /* a step would gain less than the tolerance */
  RT_LBFGS_STUCK      /* no point on the line is better, not along the gradient either */
} rt_lbfgs_status;

typedef struct rt_lbfgs {
  size_t dim;
  double tolerance;   /* of the log density, in nats; the caller may write it */

  const double *at;   /* [dim] where the density is wanted */
  double *x, *g, lp;  /* the current iterate, its gradient and log density */
  double gain;        /* g'Hg / 2: what the quadratic model promises of a step from x; set by rt_lbfgs_search */
  uint32_t evaluations, iterations;

  /* The pairs s_k = x_k+1 - x_k and y_k = g_k - g_k+1, which have s'y > 0, oldest first: row p(k) of each, with sy[p(k)] = s'y. */
  uint32_t pairs, oldest;
  double *step, *change; /* [RT_LBFGS_MEMORY][dim] */
  double sy[RT_LBFGS_MEMORY];

  /* Private: the line that is searched. */
  double *d, *trial;
  double slope, t, lo, hi, lp_lo, lp_hi, slope_lo, slope_hi;
  uint32_t tried;
  int zooming;
} rt_lbfgs;

/* Row of the k-th oldest pair. */
static inline uint32_t rt_lbfgs_pair(const rt_lbfgs *s, uint32_t k) { return (s->oldest + k) % RT_LBFGS_MEMORY; }

/* Doubles of workspace; 0 if dim is 0 or the size does not fit. */
size_t rt_lbfgs_doubles(size_t dim);
/* work: rt_lbfgs_doubles(dim) doubles, borrowed as long as s is used. */
void rt_lbfgs_init(rt_lbfgs *s, size_t dim, double tolerance, double *work);
/* Copies the first iterate.  Returns 0, or -1 (nothing changed) when lp or a number of the gradient is not finite. */
int rt_lbfgs_start(rt_lbfgs *s, const double *x, double lp, const double *gradient);
/* Begins the search along the next direction: RT_LBFGS_EVAL, or RT_LBFGS_CONVERGED. */
rt_lbfgs_status rt_lbfgs_search(rt_lbfgs *s);
/* Resumes with the density at s->at; gradient [dim] is borrowed for the call, and not read where lp is not finite. */
rt_lbfgs_status rt_lbfgs_advance(rt_lbfgs *s, double lp, const double *gradient);

#endif
