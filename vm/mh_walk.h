/* mh_walk.h: the walker that moves one element at a time, by Metropolis-Hastings or from its conditional: run_mh.c makes chains of it, tempering and
 * annealing their replicas.
 *
 * One *step* proposes a new value for one element and scores only what that element can change, @local.<site>, at the old and at the new
 * value: the cost of a step does not grow with the model.  The old score cannot be kept from the sweep before, since neighbours have
 * moved meanwhile.
 *
 * Proposals, all symmetric on the scale they are made on:
 *   real, bounds       a normal step on the unconstrained scale (log of the distance to a bound, logit between two); the Jacobian
 *                      stands in the ratio
 *   vectors, matrices  a normal step of all unconstrained coordinates of one event, taken to the support by @point.<site>
 *   finite             another value, uniformly; of two values the heat bath, 1 / (1 + exp(-r)) in place of min(1, exp(r)), since a
 *                      sweep that always flips what it may is nearly periodic (and is periodic where the values are alike)
 *   integers           a normal step rounded away from zero
 * A walker with the rule MH_GIBBS draws finite elements from their conditional, all values enumerated; MH_SLICE does so too, and moves everything
 * else by slice sampling (conditional.h).  MH_METROPOLIS accepts by min(1, exp(r)) whatever the number of values.
 *
 * Each element has a scale of its own, found while `gain` is positive by stochastic approximation (Robbins and Monro 1951) towards the
 * acceptance that is best for its dimension (Roberts, Gelman and Gilks 1997).
 *
 * A tempered walker is at an inverse temperature beta: it moves by the first part of @tempered plus beta times the second, and keeps
 * both parts up to date. */
#ifndef AIM_VM_MH_WALK_H
#define AIM_VM_MH_WALK_H

#include "compiler/derive.h"
#include "stdlib/runtime/rt_kernels.h"
#include "vm/finite_sweep.h"
#include "vm/run.h"
#include "vm/undo.h"

typedef enum mh_rule { MH_MIXED, MH_GIBBS, MH_METROPOLIS, MH_SLICE } mh_rule;
/* A finite element with more values is not enumerated. */
enum { MH_MOST_STATES = 1024 };

/* What all walkers over a model share. */
typedef struct mh_tables {
  const eval_model *m;
  size_t elements, largest_event, largest_free;
  size_t *first; /* [nsites] number of a site's first element */
  finite_order *finite; /* [nsites] how a walker with the rule MH_SLICE visits it */
  const rt_kernels *kernels;
  bool tempered; /* the model was built so */
} mh_tables;

/* What one thread needs for the walker at hand. */
typedef struct mh_scratch {
  double *u_new; /* [largest_free] */
  double *event; /* [largest_event] */
  double *q;     /* [dim] */
  double *weight; /* of the states of one element, or of a piece of a finite site */
  exec_cell *given; /* statistics of what stands still while the site at hand moves */
  double *natural; /* parameters of all elements of a site */
  double *joint;  /* of the largest site that is drawn together */
  int64_t together[DERIVE_WEIGHED]; /* finite elements that follow each other in an order of its own, and are drawn together where they are apart */
  undo_log undo;
} mh_scratch;

typedef struct start_state start_state;

typedef struct mh_walk {
  const mh_tables *t;
  eval_worker *w;
  mh_scratch *s;
  exec_cell *frame;
  double *log_scale; /* [elements] */
  double *width;     /* MH_SLICE: [elements + dim] of the first interval: of scalars; of the coordinates of vector events */
  double *u;         /* [dim] unconstrained coordinates of vector events */
  double *jacobian;  /* [elements] of these, at u */
  uint64_t key;      /* of the chain */
  double init_radius;
  bool exact;        /* starts as the first draw from the prior that lies within its bounds, whatever the second part of @tempered makes of it */
  bool again;        /* exact: it was not the first draw */
  mh_rule rule;
  bool random;       /* elements are visited at random, else in order */
  size_t *order;     /* [elements]: each sweep in an order of its own, in which every element stands once; NULL: it is that of the model */
  const bool *moves; /* [nsites] sites that a scan moves; NULL: all */
  const size_t *visits; /* [nsites] sites in the order of a sweep; NULL: that of the model */
  size_t by_given;   /* the site, from 1, that is scored from the scratch's statistics; 0: none */
  bool naturals;     /* the scratch has natural parameters of the site at hand */
  bool plain;        /* MH_SLICE: families are not looked at */
  double floor;      /* MH_METROPOLIS: least acceptance; 0, or a search that draws from nothing */
  double beta;       /* tempered */
  double gain;       /* of the adaptation in this sweep; 0: frozen */
  size_t *changed, n_changed; /* cells of accepted proposals are listed here; NULL: they are not */

  uint64_t sweep_key;
  uint64_t sweep;    /* the scan stands before element e of this site in this sweep */
  size_t site, e;    /* the site's place in the order */
  double accept;     /* summed over the steps of the last scan */
  size_t scores;     /* computed by the last scan */
  double lp, hot;    /* log density of the frame at beta 0 and what each unit of beta adds; of an untempered one all is in lp */
  start_state *search; /* while a start is searched (start_search.h) */
  bool stale;        /* these have gathered differences for a sweep, and are to be computed anew */
  run_status status;
} mh_walk;

/* One element, as its step needs it. */
typedef struct mh_element {
  size_t site, number;        /* number: over all sites */
  const program_site *p;
  int64_t at[IR_MAX_RANK];
  size_t e;                   /* place in the site's batch */
  double lo, hi;
} mh_element;

/* The terms of an element: those of the first part of @tempered, of the second, and what a walker at beta goes by. */
typedef struct mh_score {
  double base, hot, all;
} mh_score;

/* Takes memory from the arena.  False with *why (in mem) where some site has no density for single elements. */
bool mh_tables_make(mh_tables *t, const eval_model *m, bool tempered, arena *mem, const char **why);
void mh_scratch_make(mh_scratch *s, const mh_tables *t, arena *mem, const aim_alloc *alloc);
/* Outside the arena's reach, before the first step; mh_scratch_free after the last. */
bool mh_scratch_reserve(mh_scratch *s, const mh_tables *t);
void mh_scratch_free(mh_scratch *s);
/* Finite sites are visited by colours (finite_sweep.h).  Takes memory from both; false with the status of a run. */
bool mh_tables_colour(mh_tables *t, arena *mem, const aim_alloc *alloc, run_status *status /* OUT */, eval_faults *faults /* OUT */);
/* Gives a walker its arrays. */
void mh_walk_make(mh_walk *c, const mh_tables *t, arena *mem);

/* Each returns false with c->status when it cannot go on.
 *
 * Finds a point of finite density, from the prior, near the origin, or by a search from there, and forgets scales. */
bool mh_walk_start(mh_walk *c, double scale);
/* A walker between two scans as bytes, its frame included, and again: the same walk goes on.  What a rule comes to keep from step to step belongs in here. */
size_t mh_walk_bytes(const mh_tables *t, size_t window);
void mh_walk_save(const mh_walk *c, void *bytes /* OUT */);
void mh_walk_restore(mh_walk *c, const void *bytes);
/* The frame among the bytes. */
const exec_cell *mh_walk_saved_frame(const void *bytes);
/* The scan goes on for n steps. */
bool mh_walk_scan(mh_walk *c, size_t n);
/* The score of an element at the value that stands in the frame. */
bool mh_walk_score(mh_walk *c, const mh_element *x, mh_score *out);
/* Calls step for n elements of a site from the first-th, each with its bounds. */
typedef bool mh_step(mh_walk *c, const mh_element *x);
bool mh_walk_elements(mh_walk *c, size_t site, size_t first, size_t n, mh_step *step);
/* An event has a new value that stays; what its score was and is. */
void mh_walk_moved(mh_walk *c, const mh_element *x, const mh_score *now, const mh_score *old);
/* Before a step of a vector event: a bounded ordered vector whose bound moved has other coordinates, its first being log(x[0] - lo). */
bool mh_walk_refresh_point(mh_walk *c, const mh_element *x, double *u);
/* Probability of accepting a proposal that adds r to the log density: min(1, exp(r)), at least floor unless what it proposes is impossible; of the heat bath 1 / (1 + exp(-r)). */
double mh_acceptance(bool heat_bath, double floor, double r);
/* A real element moved by d on the unconstrained scale: log of the distance to a bound, logit between two.  Returns what the Jacobian adds to
 * the log density from `from` to *to; -INFINITY where *to rounds to a bound. */
double mh_move(const mh_element *x, double from, double d, double *to /* OUT */);
/* After eval_* returned false. */
static inline bool mh_walk_stopped(mh_walk *c) {
  c->status = RUN_E_BOUND;
  return false;
}
/* lp and hot as a call computes them, where they are stale. */
bool mh_walk_refresh(mh_walk *c);

#endif
