/* run_starts.c: where chains of nuts begin unless the program says, and whether they ended where the posterior's mass is.
 *
 * Chains should begin far from each other, so that R-hat can tell that they have not met; but a random point may lie in the basin of a mode without
 * mass, which a chain then does not leave: of the chains of a predator-prey model every fourth.  So a few maximisations are tried first, from random
 * points that belong to the run, not to a chain.  Where all end at one density there is one mode as far as they can tell, and chains begin at random.
 * Where they do not, each is repeated as a path of Pathfinder, whose ELBO bounds the mass of the posterior that its normal approximation sees, from
 * below.  Densities alone could not be compared: a narrow peak, or the neck of a funnel, has much of it and little mass.  Paths whose ELBO is lower than
 * the best by more than `hopeless` nats are dropped, and chains begin at draws of the others, in turn.
 *
 * Modes whose masses are within that of each other thus stay, and a chain is sent to one of them without regard to its mass.
 *
 * A chain that began at random may fall where no trial ended, as the lines of a maximisation step over what holds a chain back: in a factor analysis all
 * eight trials found the mode that counts, and all four chains another one.  So after a quarter of warm-up a chain that has met nothing but densities that are hopeless beside that of a
 * draw of the approximation along a trial path begins again at that draw.  Chains could begin at such draws at once; but in the typical set, and with a metric
 * not yet learnt, their first trajectories are long, and R-hat would lose the distance between starts.
 *
 * When the chains are over their masses are compared with those of the paths.  The mass of the region where a chain has drawn is
 *
 *     log Z = E[log p] + H <= E[log p] + log |2 pi e S| / 2,
 *
 * H being the entropy of the draws and S their covariance, as of all distributions with a covariance the normal one has most entropy.  The ELBO is a bound of the other kind, so a path
 * whose ELBO is higher has found more mass, however far from normal the posterior is.  Estimated by a mean of few draws, it exceeds log Z by t nats with a probability of at most
 * e^-t, by Markov's inequality for the mean of exp(log p - log q).  S is what the chain's metric has learnt; its log determinant is too low by about 1 / n for each unknown, n
 * being the effective draws of the last window of warm-up. */
#include "vm/run_starts.h"

#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_sample.h"
#include "vm/pathfinder.h"

#include <math.h>

/* A path is given up after so many steps; draws for each ELBO; of a chain until one has a finite density; with fewer draws, or a warm-up that is cut short (adapt.h), a chain is not judged. */
enum { TRIALS = 8, STEPS = 100, ELBO_DRAWS = 5, TRIES = 16, MOST_DIM = 10000, LEAST_DRAWS = 50, LEAST_WARMUP = 150 };
static const double tolerance = 1e-6; /* of maximisations, in nats: where scales differ much, a looser one ends on the way */
static const double same = 5.0;       /* densities that differ by less are of one mode, or of modes like each other */

/* Approximations of one mode differ in their ELBO by what they miss of its shape, which grows with the number of unknowns. */
static double hopeless(size_t dim) { return 10.0 + 0.5 * (double)dim; }

/* By so much estimates of masses from some draws and from chains may differ that are of one region. */
static double noise(size_t dim) { return 10.0 + 0.1 * (double)dim; }

typedef struct trial {
  bool ended;
  double lp;
  pathfinder_normal a;
  double *keep; /* [pathfinder_normal_doubles] of a */
} trial;

struct run_starts {
  run *r;
  size_t dim;
  double level; /* the highest log density of a trial */
  trial trial[TRIALS];
  uint32_t good[TRIALS], ngood; /* 0: chains begin at random */
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

/* The approximation along trial `job`, in keep [pathfinder_normal_doubles]. */
static pathfinder_normal approximation(const run_starts *s, size_t job, eval_worker *w, double *work, double *keep) {
  asking a = {s->r, w};
  const pathfinder_options o = {.ascent = ascent_of(s->r, job), .elbo_draws = ELBO_DRAWS, .sparse = true};
  pathfinder_result found;
  pathfinder_run(&o, s->dim, density, &a, work, keep, &found);
  return found.best;
}

static void approximate(void *ctx, size_t job, size_t thread, eval_worker *w) {
  run_starts *s = ctx;
  trial *x = &s->trial[job];
  x->a = approximation(s, job, w, s->work[thread], x->keep);
}

static run_status approximate_all(run_starts *s) {
  for (size_t k = 0; k < TRIALS; k++) s->trial[k].keep = ARENA_ARRAY(s->r->mem, double, pathfinder_normal_doubles(s->dim));
  return run_jobs_early(s->r, TRIALS, approximate, s);
}

static double best_elbo(const run_starts *s) {
  double best = -INFINITY;
  for (size_t k = 0; k < TRIALS; k++) best = fmax(best, s->trial[k].a.elbo);
  return best;
}

/* Whether all trials that led anywhere ended at one density. */
static bool agree(run_starts *s) {
  double least = INFINITY;
  s->level = -INFINITY;
  for (size_t k = 0; k < TRIALS; k++) {
    if (!s->trial[k].ended) continue;
    least = fmin(least, s->trial[k].lp);
    s->level = fmax(s->level, s->trial[k].lp);
  }
  return !(s->level - least > same);
}

static void pick(run_starts *s) {
  const double best = best_elbo(s);
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
  if (st != RUN_OK || run_stopping(r)) return st;
  if (!agree(s)) {
    st = approximate_all(s);
    if (st != RUN_OK || run_stopping(r)) return st;
    pick(s);
    r->starts_tried = TRIALS;
    r->starts_kept = s->ngood;
  }
  *starts = s;
  return RUN_OK;
}

size_t run_starts_doubles(size_t dim) {
  const size_t path = pathfinder_doubles(dim), normal = pathfinder_normal_doubles(dim);
  return path && normal ? path + normal : 0;
}

/* A draw of finite density for a chain.  False: there is none. */
static bool draw(const run_starts *s, const pathfinder_normal *a, int chain, eval_worker *w, double *work, double *q, double *lp) {
  const uint64_t key = rt_key_fold(rt_key_fold(s->r->o.seed, (uint64_t)chain), RUN_KEY_STARTS);
  for (uint64_t k = 0; k < TRIES; k++) {
    *lp = NAN;
    pathfinder_draw(a, key, k, q, work);
    if (!eval_grad(w, 1, 1, q, lp, work)) return false;
    if (isfinite(*lp)) return true;
  }
  return false;
}

bool run_starts_draw(const run_starts *s, int chain, eval_worker *w, double *work, double *q) {
  double lp;
  return s->ngood > 0 && draw(s, &s->trial[s->good[(size_t)chain % s->ngood]].a, chain, w, work, q, &lp);
}

bool run_starts_again(const run_starts *s, int chain, double top, eval_worker *w, double *work, double *q) {
  /* A draw hardly lies higher than the end of the path, and mostly half a nat lower for each unknown: chains that are where they should be cost nothing. */
  if (s->ngood > 0 || !(top < s->level - hopeless(s->dim))) return false;
  const pathfinder_normal a = approximation(s, (size_t)chain % TRIALS, w, work, work + pathfinder_doubles(s->dim));
  double lp;
  return isfinite(a.elbo) && draw(s, &a, chain, w, work, q, &lp) && top < lp - hopeless(s->dim);
}

/* ---- afterwards */

/* The log density that draws of a chain have on average; NaN if they are few. */
static double mean_density(const run *r, size_t chain) {
  const size_t n = draws_count(r->store, (int)chain);
  const double *lp = draws_stat_of(r->store, (int)chain, DRAWS_LP);
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += lp[i];
  return n < LEAST_DRAWS ? NAN : sum / (double)n;
}

run_status run_starts_judge(run_starts *s) {
  run *r = s->r;
  const double d = (double)s->dim;
  const size_t chains = (size_t)r->o.chains;
  bool known = s->ngood > 0;
  if (r->o.warmup < LEAST_WARMUP) return RUN_OK;
  /* Where trials agree their approximations are made if some chain draws lower than a normal posterior would have it. */
  for (size_t c = 0; c < chains && !known && !run_stopping(r); c++)
    if (mean_density(r, c) < s->level - 0.5 * d - noise(s->dim)) {
      const run_status st = approximate_all(s);
      if (st != RUN_OK) return st;
      known = true;
    }
  for (size_t c = 0; c < chains && known; c++) {
    const double mass = mean_density(r, c) + d * (0.5 + RT_HALF_LOG_2PI) + r->chain[c].tally.log_volume;
    if (best_elbo(s) - mass > noise(s->dim)) r->chain[c].missed = best_elbo(s) - mass;
  }
  return RUN_OK;
}
