/* nuts_chain.h: one chain of NUTS from its initial point to its last draw.
 *
 * Ties the kernel (stdlib/runtime/rt_nuts.h) to adaptation (vm/adapt.h).  Works on the unconstrained space; what the numbers mean is
 * the caller's affair.  Takes all memory before it starts and calls no allocator.  Results depend on the options, the key and the
 * density only, so chains may run on any threads in any order. */
#ifndef AIM_VM_NUTS_CHAIN_H
#define AIM_VM_NUTS_CHAIN_H

#include "stdlib/runtime/rt_nuts.h"
#include "vm/adapt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Log density and gradient at `lanes` points: coordinate i of lane l is q[i * stride + l], likewise grad; lp[l].  A chain calls it
 * with lanes 1, stride 1.  Points outside the support give -INFINITY (grad is then not read).  Returns 0, or any other number to
 * end the chain (a host that failed, an interrupt), which is handed back in nuts_result.density_code. */
typedef int (*nuts_density)(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad);

/* Called after each transition: index counts from 0 within warm-up and within draws.  q [dim] is borrowed for the call.  A result
 * other than 0 ends the chain with NUTS_STOPPED. */
typedef int (*nuts_on_draw)(void *user, uint32_t index, bool warmup, const double *q, const rt_nuts_stats *stats);

typedef enum nuts_status {
  NUTS_OK,
  NUTS_STOPPED,    /* by on_draw */
  NUTS_E_DENSITY,  /* by the density */
  NUTS_E_INIT,     /* no initial point with finite density and gradient */
  NUTS_E_OPTIONS   /* an option is out of its range */
} nuts_status;

typedef struct nuts_options {
  uint32_t warmup, draws;
  uint32_t max_depth;    /* 1..RT_NUTS_DEPTH_LIMIT */
  uint32_t init_tries;   /* at least 1 */
  double delta;          /* target acceptance, in (0, 1) */
  double step_size;      /* where the first search starts; the step itself when warmup is 0 and it must be > 0 */
  double init_radius;    /* initial points are uniform on (-r, r)^dim; 0: the origin */
  const double *init;    /* [dim] a given initial point, or NULL; borrowed */
  adapt_kind kind;       /* what warm-up learns */
  double gradient_flops; /* of one evaluation, for ADAPT_AUTO; 0: not known */
  const double *metric;  /* [dim] initial diagonal of M^-1, or NULL for ones; borrowed */
  uint64_t key;            /* of this chain: fold the chain's number in before */
} nuts_options;

/* A chain at rest between two transitions. */
typedef struct nuts_chain nuts_chain;

typedef struct nuts_target {
  size_t dim;
  nuts_density density;
  void *density_user;
  nuts_on_draw on_draw; /* may be NULL */
  void *draw_user;
  void (*on_rest)(void *user, const nuts_chain *c, uint32_t done); /* behind on_draw, the last included; may be NULL; done: transitions, warm-up's too.  Called with draw_user */
  bool (*again)(void *user, double top, double *q); /* asked once, when a quarter of warm-up is over: top is the highest log density that the chain has met.  True: the
                         * chain goes on from q [dim], searches its step anew and learns from there.  May be NULL.  Called with density_user */
  bool moves;           /* the density changes between transitions: it is asked again at the chain's point before each */
  const void *from;     /* NULL: begin; else what nuts_chain_save wrote of this chain, in this build: it goes on from there, to the same bits */
  double *draws;        /* NULL, or [options.draws * dim]: draw by draw, warm-up left out */
  rt_nuts_stats *stats; /* NULL, or [options.draws] */
} nuts_target;

typedef struct nuts_result {
  nuts_status status;
  int density_code;        /* what the density returned, if it ended the chain */
  uint32_t init_tries;     /* used */
  uint32_t draws;          /* complete draws, warm-up left out */
  double step_size;        /* after warm-up */
  metric_form form;        /* of the metric after warm-up */
  const double *metric;    /* [dim] the diagonal of M^-1 after warm-up, in the workspace; NULL: factor has it */
  rt_factor factor;        /* M^-1 = F F' of a dense or low-rank metric, its arrays in the workspace; else zeros */
  uint64_t n_leapfrog[2];  /* in warm-up, after it */
  uint32_t n_divergent[2];
  uint32_t n_max_depth[2]; /* transitions that ended because of max_depth */
  uint64_t n_nan;          /* evaluations that gave NaN or +inf, initial points included */
  bool again;              /* the chain went on from elsewhere (nuts_target.again) */
  bool step_bounded;       /* a search for a step size ended at its bound */
} nuts_result;

/* Defaults: 1000 + 1000 transitions, depth 10, 100 tries, delta 0.8, step 1, radius 2, a diagonal metric. */
void nuts_options_init(nuts_options *o, uint64_t key);
/* Doubles of workspace; 0 if dim is 0 or too large, or max_depth out of range. */
size_t nuts_chain_doubles(size_t dim, uint32_t max_depth, adapt_kind kind);
/* Bytes of a chain at rest; nuts_chain_save writes them.  They mean something to the same build only. */
size_t nuts_chain_bytes(size_t dim, uint32_t max_depth, adapt_kind kind);
void nuts_chain_save(const nuts_chain *c, void *bytes);
/* Runs the chain.  work: nuts_chain_doubles(t->dim, o->max_depth, o->kind) doubles, borrowed; it may be used again afterwards,
 * but r->metric and r->factor point into it. */
nuts_status nuts_chain_run(const nuts_options *o, const nuts_target *t, double *work, nuts_result *r);
/* The same by steps, for chains that take turns with others: a chain at its initial point, or where t->from left it, which stands in `work`; o, t and r are borrowed as long as it
 * lives.  Then warmup + draws transitions, each with what warm-up learns from it. */
nuts_status nuts_chain_open(const nuts_options *o, const nuts_target *t, double *work, nuts_result *r, nuts_chain **c /* OUT */);
nuts_status nuts_chain_step(nuts_chain *c);
/* Half the log determinant of M^-1 after warm-up: the log volume of the posterior that the metric was learnt from, up to d/2 log(2 pi e) where it is normal. */
double nuts_log_volume(const nuts_result *r, size_t dim);
/* [dim] where it is. */
const double *nuts_chain_point(const nuts_chain *c);

#endif
