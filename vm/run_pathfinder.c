/* run_pathfinder.c: multi-path Pathfinder (Zhang, Carpenter, Gelman and Vehtari 2022, algorithm 5): the normal approximations of
 * several paths propose, and draws are resampled among all proposals by smoothed importance weights.
 *
 * A proposal is made again from its key when it is chosen, so memory does not grow with the number of draws. */
#include "vm/run.h"

#include "vm/pathfinder.h"
#include "vm/resample.h"

#include "stdlib/runtime/rt_math.h"

#include <math.h>

enum { ELBO_DRAWS = 5 };

typedef struct search {
  run *r;
  size_t dim, proposals;       /* of each path */
  pathfinder_result *path;     /* [paths] */
  double **keep;               /* [paths] */
  double **work;               /* [threads] */
  double *logw;                /* [paths * proposals] */
  uint64_t *parent;            /* [draws] */
  double *seconds;             /* [paths] */
  eval_faults *faults;         /* [paths] */
} search;

static int density(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad) {
  return (grad ? eval_grad(user, lanes, stride, q, lp, grad) : eval_logdens(user, q, lp)) ? 0 : 1;
}

static uint64_t proposal_key(const run *r, size_t path) { return rt_key_fold(rt_key_fold(r->o.seed, path), RUN_KEY_PRIOR); }

static void find(void *ctx, size_t job, size_t thread, eval_worker *w) {
  search *s = ctx;
  run *r = s->r;
  const double began = run_now(r);
  pathfinder_options o = {.ascent = {.key = rt_key_fold(rt_key_fold(r->o.seed, job), RUN_KEY_INIT), .init_radius = r->o.init_radius,
                                     .tolerance = r->o.tolerance, .iterations = (uint32_t)r->o.iterations},
                          .elbo_draws = ELBO_DRAWS, .values = true};
  pathfinder_result *p = &s->path[job];
  double *work = s->work[thread], *q = work, *scratch = work + s->dim;
  pathfinder_run(&o, s->dim, density, w, work, s->keep[job], p);
  for (size_t k = 0; k < s->proposals; k++) {
    double lp = NAN, lq = 0.0;
    if (isfinite(p->best.elbo) && !run_stopping(r)) {
      lq = pathfinder_draw(&p->best, proposal_key(r, job), k, q, scratch);
      if (!eval_logdens(w, q, &lp)) p->status = ASCENT_E_DENSITY;
    }
    s->logw[job * s->proposals + k] = isnan(lp) ? -INFINITY : lp - lq;
  }
  s->faults[job] = w->faults;
  s->seconds[job] = run_now(r) - began;
  atomic_fetch_add_explicit(&r->chain[0].done, s->proposals, memory_order_relaxed);
}

static void keep(void *ctx, size_t job, size_t thread, eval_worker *w) {
  (void)job;
  search *s = ctx;
  run *r = s->r;
  chain_state *x = &r->chain[0];
  double *q = s->work[thread], *scratch = q + s->dim;
  const double began = run_now(r);
  atomic_store(&x->warm, 1);
  for (int64_t k = 0; k < r->o.draws && x->status == RUN_OK; k++) {
    const size_t path = s->parent[k] / s->proposals;
    double lp = NAN;
    pathfinder_draw(&s->path[path].best, proposal_key(r, path), s->parent[k] % s->proposals, q, scratch);
    if (!eval_logdens(w, q, &lp) || !run_frame(r, 0, w, q, x->frame)) x->status = RUN_E_BOUND;
    const double stats[DRAWS_N_STATS] = {lp, 1.0, 0.0, 0.0, 0.0, 0.0, -lp};
    if (x->status == RUN_OK) x->status = run_keep(r, 0, w, x->frame, stats);
    atomic_fetch_add_explicit(&x->done, 1, memory_order_relaxed);
    if (x->status == RUN_OK && run_stopping(r)) x->status = RUN_STOPPED;
  }
  x->seconds[1] = run_now(r) - began;
  x->faults = w->faults;
  if (x->csv) csv_elapsed(x->csv, x->seconds[0], x->seconds[1]);
}

run_status run_pathfinder(run *r) {
  if ((r->why = run_no_reals(r, "pathfinder"))) return r->status = RUN_E_METHOD;
  const size_t paths = (size_t)r->o.paths, threads = run_threads(r, paths);
  search s = {.r = r, .dim = r->m->p->dim, .proposals = (size_t)r->o.draws};
  const size_t doubles = pathfinder_doubles(s.dim);
  if (doubles == 0) return r->status = RUN_E_MEMORY;
  r->total = paths * s.proposals + (uint64_t)r->o.draws;
  s.path = ARENA_ARRAY(r->mem, pathfinder_result, paths);
  s.keep = ARENA_ARRAY(r->mem, double *, paths);
  for (size_t k = 0; k < paths; k++) s.keep[k] = ARENA_ARRAY(r->mem, double, pathfinder_normal_doubles(s.dim));
  s.work = ARENA_ARRAY(r->mem, double *, threads);
  for (size_t k = 0; k < threads; k++) s.work[k] = ARENA_ARRAY(r->mem, double, doubles);
  s.logw = ARENA_ARRAY(r->mem, double, paths * s.proposals);
  s.parent = ARENA_ARRAY(r->mem, uint64_t, (size_t)r->o.draws);
  s.seconds = ARENA_ARRAY(r->mem, double, paths);
  s.faults = ARENA_ARRAY(r->mem, eval_faults, paths);
  run_status st = run_jobs(r, paths, find, &s);
  if (st != RUN_OK) return r->status = st;
  if (run_stopping(r)) return r->status = RUN_STOPPED;
  size_t found = 0;
  for (size_t k = 0; k < paths; k++) {
    eval_faults_merge(&r->faults, &s.faults[k]);
    if (s.path[k].status == ASCENT_E_DENSITY) return r->status = RUN_E_BOUND;
    r->chain[0].tally.work[0] += s.path[k].evaluations;
    r->chain[0].seconds[0] += s.seconds[k];
    found += isfinite(s.path[k].best.elbo);
  }
  run_weights(r, s.logw, paths * s.proposals);
  if (found == 0 || !(r->weight_sum > 0.0)) return r->status = RUN_E_INIT;
  r->modes = (run_modes_found){.lp = NAN, .paths = (uint32_t)paths, .agreed = (uint32_t)found, .settled = true};
  resample(rt_key_fold(r->o.seed, RUN_KEY_RESAMPLE), s.logw, paths * s.proposals, r->weight_top, r->weight_sum, (size_t)r->o.draws, s.parent);
  st = run_jobs(r, 1, keep, &s);
  return st == RUN_OK ? run_join(r) : (r->status = st);
}
