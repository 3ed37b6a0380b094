/* eval.h: the derived functions of one bound model, as drivers of inference call them.
 *
 * eval_model is a built program loaded into an engine; it is read only afterwards and shared by all threads.  eval_worker is
 * one thread's way to call it: argument lists are laid out once, so that a call costs what the engine's call costs and
 * allocates nothing.
 *
 * The latents of a model stand in one flat frame of cells (program_site.at), an unconstrained point in one flat array of doubles
 * (program_site.at_free).  Functions read both in place.
 *
 * Faults.  A worker counts what goes wrong in calls: guards (invalid parameters, which give -inf) and NaN, each with the place of the
 * first.  The engine is asked for the place of a NaN once in a worker's life, since that runs the function again. */
#ifndef AIM_VM_EVAL_H
#define AIM_VM_EVAL_H

#include "compiler/program.h"

#include <stdbool.h>

typedef struct eval_site {
  int local, bounds, point, natural, naturals, weights, conflicts, joint, given, slim; /* numbers of its functions, -1 where there is none */
  size_t *given_at;            /* [ngiven] where its arrays stand among the cells of @given */
  bool bounds_move;            /* bounds depend on other latents */
  bool bounds_vary;            /* or on the element */
} eval_site;

/* A block of sites: numbers of its functions. */
typedef struct eval_block {
  int grad, constrain;
} eval_block;

/* A stage of @grad: numbers of its functions. */
typedef struct eval_stage {
  int before, part;
} eval_stage;

typedef struct eval_crew eval_crew; /* crew.h */

typedef struct eval_model {
  const program *p;
  const exec_engine *engine;
  exec_program *loaded;
  int grad, logdens, constrain, prior, density, tempered, outputs, loglik, recover; /* numbers of functions; -1: not derived, or the model has none */
  eval_block *block;           /* [p->nblocks] */
  eval_site *site;             /* [p->nsites] */
  eval_stage *stage;           /* [p->nstages] */
  size_t output_cells;
  exec_report prepared;        /* where @prepare stopped, when loading ended with EXEC_BOUND */
} eval_model;

typedef struct eval_faults {
  uint64_t guards, nans;       /* points, or terms that were asked for, with a guard that failed; with a NaN */
  span guard_where, nan_where; /* file 0: none, or not known */
  bool factor;                 /* the first guard was a matrix without a Cholesky factor: */
  int64_t row;                 /* the row, from 0, at which it stops, */
  double share;                /* and its pivot over the diagonal */
  exec_status stopped;         /* EXEC_BOUND: where, index and extent tell which */
  span where;
  int64_t index, extent;
} eval_faults;

typedef struct eval_worker {
  const eval_model *m;
  const aim_alloc *alloc;
  exec_worker *w;
  eval_crew *crew;             /* where @grad is cut into stages; else NULL */
  exec_arg *in, *out;          /* room for every function's arguments */
  size_t n_in, n_out;
  exec_cell index[IR_MAX_RANK], key, result[3];
  exec_cell *outputs;          /* [output_cells]: results of @outputs, one after the other */
  exec_cell *ones;             /* stands for a discrete site where a function of the unconstrained point wants its values: 1 is
                                  in every finite support */
  size_t n_ones;
  bool nan_sought;
  eval_faults faults;
} eval_worker;

/* Loads what program_build derived.  Tables live in p->mem (whose owner has set ARENA_TRY).  EXEC_OK, or the engine's status with
 * *message where it has one. */
exec_status eval_model_load(eval_model *m, const program *p, const exec_engine *engine, int isa, size_t memory,
                            const aim_alloc *alloc, const char **message);
void eval_model_unload(eval_model *m); /* a zeroed struct is fine */
/* Before work that is worth waiting for what the engine still prepares (contract.h). */
void eval_model_ready(const eval_model *m);

/* helpers: threads that share gradients with the caller, where the model was cut for that.  False if memory fails; w is then empty and
 * eval_worker_free may still be called. */
bool eval_worker_init(eval_worker *w, const eval_model *m, size_t helpers, const aim_alloc *alloc);
void eval_worker_free(eval_worker *w); /* a zeroed struct is fine */
/* Forgets counted faults, e.g. between chains. */
void eval_faults_clear(eval_worker *w);
/* Warm-up is over.  On its way a chain looks at points outside the support, and where numbers overflow, in any healthy run: guards that failed and
 * NaNs so far are forgotten. */
void eval_faults_settle(eval_worker *w);
void eval_faults_merge(eval_faults *into, const eval_faults *from);

/* Each returns true, or false when the engine stopped (an index out of range; see faults).
 *
 * Log density at a point and its gradient, `lanes` points at a stride (contract.h). */
bool eval_grad(eval_worker *w, size_t lanes, size_t stride, const double *q, double *lp, double *grad);
/* The log density alone (NEED_LOGDENS), at one point. */
bool eval_logdens(eval_worker *w, const double *q, double *lp);
bool eval_constrain(eval_worker *w, const double *q, exec_cell *frame);
/* Of block b, from 0 (NEED_BLOCK), given the other sites as they stand in the frame: log density and gradient at q [its dim]; and the block's values, put into the frame.
 * spare [cells] is written to. */
bool eval_block_grad(eval_worker *w, size_t b, const exec_cell *frame, const double *q, double *lp, double *grad);
bool eval_block_constrain(eval_worker *w, size_t b, const double *q, exec_cell *frame, exec_cell *spare);
/* Draws what was summed out, given the other latents of the frame, into the frame. */
bool eval_recover(eval_worker *w, uint64_t key, exec_cell *frame);
bool eval_prior(eval_worker *w, uint64_t key, exec_cell *frame);
/* part: log prior, log likelihood, log factors. */
bool eval_density(eval_worker *w, const exec_cell *frame, double part[3]);
/* part: log density at inverse temperature 0, and what each unit of it adds (derive.h, @tempered). */
bool eval_tempered(eval_worker *w, const exec_cell *frame, double part[2]);
/* Fills w->outputs. */
bool eval_outputs(eval_worker *w, const exec_cell *frame, uint64_t key);

/* values [cells of all of program.loglik, one after the other]. */
bool eval_loglik(eval_worker *w, const exec_cell *frame, double *values);

/* Functions of one element (event) of site s: the frame is set once, then calls name the element by its multi-index `at`
 * [batch_rank].  eval_frame_set must be called again after any of the functions above. */
void eval_frame_set(eval_worker *w, const exec_cell *frame);
bool eval_local(eval_worker *w, size_t s, const int64_t *at, double *terms);
/* The same of a model that was built for tempering: the terms of both parts. */
bool eval_local_tempered(eval_worker *w, size_t s, const int64_t *at, double part[2]);
/* Natural parameters of its conditional (conjugate.h): n of them. */
bool eval_natural(eval_worker *w, size_t s, const int64_t *at, size_t n, double *c);
/* The same of all elements of a site, where they do not depend on each other: the first ones [batch], then the second; of a dirichlet [batch][event]. */
bool eval_naturals(eval_worker *w, size_t s, double *c);
/* Log weights of all states of n elements of a finite site, lw [states][piece] (of a scalar site [states]): list[first] and on, or where
 * the site is not listed first and on (derive.h, @weights). */
bool eval_weights(eval_worker *w, size_t s, const int64_t *list, size_t first, size_t n, double *lw);
/* One of them is NaN: counted, and its place looked for.  The arguments are those of the call before. */
void eval_weights_nan(eval_worker *w, size_t s);
/* Statistics of what does not move with site s, given [program_site.given cells]; and the terms of the density that depend on the site from these. */
bool eval_given(eval_worker *w, size_t s, exec_cell *given);
bool eval_slim(eval_worker *w, size_t s, const exec_cell *given, double *terms);
/* The gradient of the log density with respect to a site's array, at the frame that is set (derive.h, @joint). */
bool eval_joint(eval_worker *w, size_t s, double *gradient);
/* Whether the element depends on one of those marked in the frame that is set (derive.h, @conflicts). */
bool eval_conflicts(eval_worker *w, size_t s, const int64_t *at, bool *any);
bool eval_bounds(eval_worker *w, size_t s, const int64_t *at, double *lo, double *hi);
/* u [free] -> event [event cells], and the log Jacobian. */
bool eval_point(eval_worker *w, size_t s, const double *u, double lo, double *event, double *jacobian);

static inline double eval_cell_real(const program_site *s, exec_cell c) {
  return s->site->type.elem == IR_REAL ? c.real : (double)c.integer;
}

#endif
