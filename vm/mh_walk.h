/* mh_walk.h: single-site Metropolis-Hastings: the walker that run_mh.c makes chains of, and the replicas of tempering and annealing.
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
 * A walker with the rule MH_GIBBS draws finite elements from their conditional, all values enumerated, and one with MH_METROPOLIS
 * accepts by min(1, exp(r)) whatever their number.
 *
 * Each element has a scale of its own, found while `gain` is positive by stochastic approximation (Robbins and Monro 1951) towards the
 * acceptance that is best for its dimension (Roberts, Gelman and Gilks 1997).
 *
 * A tempered walker is at an inverse temperature beta: it moves by the first part of @tempered plus beta times the second, and keeps
 * both parts up to date. */
#ifndef AIM_VM_MH_WALK_H
#define AIM_VM_MH_WALK_H

#include "vm/run.h"
#include "vm/undo.h"

typedef enum mh_rule { MH_MIXED, MH_GIBBS, MH_METROPOLIS } mh_rule;

/* What all walkers over a model share. */
typedef struct mh_tables {
  const eval_model *m;
  size_t elements, largest_event, largest_free;
  size_t *first; /* [nsites] number of a site's first element */
  bool tempered; /* the model was built so */
} mh_tables;

/* What one thread needs for the walker at hand. */
typedef struct mh_scratch {
  double *u_new; /* [largest_free] */
  double *event; /* [largest_event] */
  double *q;     /* [dim] */
  undo_log undo;
} mh_scratch;

typedef struct mh_walk {
  const mh_tables *t;
  eval_worker *w;
  mh_scratch *s;
  exec_cell *frame;
  double *log_scale; /* [elements] */
  double *u;         /* [dim] unconstrained coordinates of vector events */
  double *jacobian;  /* [elements] of these, at u */
  uint64_t key;      /* of the chain */
  double init_radius;
  bool exact;        /* starts as the first draw from the prior, whatever the second part of @tempered makes of it */
  mh_rule rule;
  bool random;       /* elements are visited at random, else in order */
  double floor;      /* MH_METROPOLIS: least acceptance; 0, or a search that draws from nothing */
  double beta;       /* tempered */
  double gain;       /* of the adaptation in this sweep; 0: frozen */
  size_t *changed, n_changed; /* cells of accepted proposals are listed here; NULL: they are not */

  uint64_t sweep_key;
  uint64_t sweep;    /* the scan stands before element e of this site in this sweep */
  size_t site, e;
  double accept;     /* summed over the steps of the last scan */
  double lp, hot;    /* log density of the frame at beta 0 and what each unit of beta adds; of an untempered one all is in lp */
  bool stale;        /* these have gathered differences for a sweep, and are to be computed anew */
  run_status status;
} mh_walk;

/* Takes memory from the arena.  False with *why (in mem) where some site has no density for single elements. */
bool mh_tables_make(mh_tables *t, const eval_model *m, bool tempered, arena *mem, const char **why);
void mh_scratch_make(mh_scratch *s, const mh_tables *t, arena *mem, const aim_alloc *alloc);
/* Outside the arena's reach, before the first step; mh_scratch_free after the last. */
bool mh_scratch_reserve(mh_scratch *s, const mh_tables *t);
void mh_scratch_free(mh_scratch *s);
/* Gives a walker its arrays. */
void mh_walk_make(mh_walk *c, const mh_tables *t, arena *mem);

/* Each returns false with c->status when it cannot go on.
 *
 * Finds a point of finite density, from the prior or near the origin, and forgets scales. */
bool mh_walk_start(mh_walk *c, double scale);
/* The scan goes on for n steps. */
bool mh_walk_scan(mh_walk *c, size_t n);
/* lp and hot as a call computes them, where they are stale. */
bool mh_walk_refresh(mh_walk *c);

#endif
