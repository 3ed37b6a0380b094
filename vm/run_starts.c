/* run_starts.c: where chains of nuts begin unless the program says.
 *
 * Chains should begin far from each other, so that R-hat can tell that they have not met; but a random point may lie in the basin of a mode without
 * mass, which a chain then does not leave: of the chains of a predator-prey model every fourth.  So a few maximisations are tried first, from random
 * points that belong to the run, not to a chain.  Where all end at one density there is one mode as far as they can tell, and chains begin at random.  Where
 * they do not, each is repeated as a path of Pathfinder, whose ELBO bounds the mass of the posterior that its normal approximation sees, from below.
 * Densities alone could not be compared: a narrow peak, or the neck of a funnel, has much of it and little mass.  Paths whose ELBO is lower than the
 * best by more than `hopeless` nats are dropped, and chains begin at draws of the others, in turn.
 *
 * Modes whose masses are within that of each other thus stay, and a chain is sent to one of them without regard to its mass. */
#include "vm/run_starts.h"

#include "stdlib/runtime/rt_sample.h"
#include "vm/pathfinder.h"

#include <math.h>

/* A path is given up after so many steps; draws for each ELBO; of a chain until one has a finite density. */
enum { TRIALS = 8, STEPS = 100, ELBO_DRAWS = 5, TRIES = 16, MOST_DIM = 10000 };
static const double tolerance = 1e-6; /* of maximisations, in nats: where scales differ much, a looser one ends on the way */
static const double same = 5.0;       /* densities that differ by less are of one mode, or of modes like each other */

/* Approximations of one mode differ in their ELBO by what they miss of its shape, which grows with the number of unknowns. */
static double hopeless(size_t dim) { return 10.0 + 0.5 * (double)dim; }

typedef struct trial {
  bool ended;
  double lp;
  pathfinder_normal a;
  double *keep; /* [pathfinder_normal_doubles] of a */
} trial;

struct run_starts {
  run *r;
  size_t dim;
  trial trial[TRIALS];
  uint32_t good[TRIALS], ngood;
  double **work; /* [threads] */
};

typedef struct asking {
  run *r;
  eval_worker *w;
} asking;

static int density(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad) {
  asking *a = user;
  return run_stopping(a->r) || !eval_grad(a->w, lanes, stride, q, lp, grad);
}

static ascent_options ascent_of(const run *r, size_t job) {
  return (ascent_options){.key = rt_key_fold(rt_key_fold(r->o.seed, RUN_KEY_STARTS), job), .init_radius = r->o.init_radius, .tolerance = tolerance,
                          .iterations = STEPS};
}

static void climb(void *ctx, size_t job, size_t thread, eval_worker *w) {
  run_starts *s = ctx;
  trial *x = &s->trial[job];
  asking a = {s->r, w};
  const ascent_options o = ascent_of(s->r, job);
  ascent_target t = {.dim = s->dim, .density = density, .density_user = &a};
  rt_lbfgs at;
  const ascent_status st = ascend(&o, &t, s->work[thread], &at);
  x->ended = st == ASCENT_CONVERGED || st == ASCENT_LIMIT;
  x->lp = x->ended ? at.lp : -INFINITY;
}

static void approximate(void *ctx, size_t job, size_t thread, eval_worker *w) {
  run_starts *s = ctx;
  trial *x = &s->trial[job];
  asking a = {s->r, w};
  const pathfinder_options o = {.ascent = ascent_of(s->r, job), .elbo_draws = ELBO_DRAWS, .sparse = true};
  pathfinder_result found;
  pathfinder_run(&o, s->dim, density, &a, s->work[thread], x->keep, &found);
  x->a = found.best;
}

/* Whether all trials that led anywhere ended at one density. */
static bool agree(const run_starts *s) {
  double least = INFINITY, most = -INFINITY;
  for (size_t k = 0; k < TRIALS; k++) {
    if (!s->trial[k].ended) continue;
    least = fmin(least, s->trial[k].lp);
    most = fmax(most, s->trial[k].lp);
  }
  return !(most - least > same);
}

static void pick(run_starts *s) {
  double best = -INFINITY;
  for (size_t k = 0; k < TRIALS; k++) best = fmax(best, s->trial[k].a.elbo);
  for (uint32_t k = 0; k < TRIALS; k++)
    if (isfinite(best) && s->trial[k].a.elbo >= best - hopeless(s->dim)) s->good[s->ngood++] = k;
}

run_status run_starts_find(run *r, run_starts **starts) {
  *starts = NULL;
  const size_t dim = r->m->p->dim;
  if (dim > MOST_DIM || r->o.warmup == 0 || r->o.init_radius == 0.0) return RUN_OK;
  const size_t threads = run_threads(r, TRIALS), climbing = ascent_doubles(dim), pathing = pathfinder_doubles(dim);
  run_starts *s = ARENA_ARRAY(r->mem, run_starts, 1);
  *s = (run_starts){.r = r, .dim = dim, .work = ARENA_ARRAY(r->mem, double *, threads)};
  for (size_t k = 0; k < threads; k++) s->work[k] = ARENA_ARRAY(r->mem, double, pathing > climbing ? pathing : climbing);
  run_status st = run_jobs_early(r, TRIALS, climb, s);
  if (st != RUN_OK || run_stopping(r) || agree(s)) return st;
  for (size_t k = 0; k < TRIALS; k++) s->trial[k].keep = ARENA_ARRAY(r->mem, double, pathfinder_normal_doubles(dim));
  st = run_jobs_early(r, TRIALS, approximate, s);
  if (st != RUN_OK || run_stopping(r)) return st;
  pick(s);
  r->starts_tried = TRIALS;
  r->starts_kept = s->ngood;
  if (s->ngood > 0) *starts = s;
  return RUN_OK;
}

bool run_starts_draw(const run_starts *s, int chain, eval_worker *w, double *q, double *work) {
  const pathfinder_normal *a = &s->trial[s->good[(size_t)chain % s->ngood]].a;
  const uint64_t key = rt_key_fold(rt_key_fold(s->r->o.seed, (uint64_t)chain), RUN_KEY_STARTS);
  for (uint64_t k = 0; k < TRIES; k++) {
    double lp = NAN;
    pathfinder_draw(a, key, k, q, work);
    if (!eval_grad(w, 1, 1, q, &lp, work)) return false;
    if (isfinite(lp)) return true;
  }
  return false;
}
