/* run_map.c: the mode of the posterior density, by L-BFGS from several initial points.
 *
 * The density is that of the latents as declared, without the Jacobian of the unconstrained space (NEED_MODE): a mode of it does not depend
 * on how the sampler sees the model. */
#include "vm/run.h"

#include "vm/ascend.h"

#include <math.h>
#include <string.h>

typedef struct path {
  ascent_status status;
  double lp, seconds;
  double *x;          /* [dim] */
  uint32_t evaluations;
  eval_faults faults;
} path;

typedef struct mode {
  run *r;
  size_t dim;
  path *path;       /* [paths] */
  double **work;    /* [threads] */
  exec_cell *frame; /* the best, on its support */
  double lp;
} mode;

typedef struct climb {
  run *r;
  eval_worker *w;
} climb;

static int density(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad) {
  return eval_grad(((climb *)user)->w, lanes, stride, q, lp, grad) ? 0 : 1;
}

static int on_step(void *user, const rt_lbfgs *s) {
  (void)s;
  return run_stopping(((climb *)user)->r);
}

static void ascend_one(void *ctx, size_t job, size_t thread, eval_worker *w) {
  mode *m = ctx;
  run *r = m->r;
  path *p = &m->path[job];
  climb c = {r, w};
  const double began = run_now(r);
  ascent_options o = {.key = rt_key_fold(rt_key_fold(r->o.seed, job), RUN_KEY_INIT), .init_radius = r->o.init_radius, .tolerance = r->o.tolerance,
                      .iterations = (uint32_t)r->o.iterations};
  ascent_target t = {.dim = m->dim, .density = density, .density_user = &c, .on_step = on_step, .step_user = &c};
  rt_lbfgs s;
  p->status = ascend(&o, &t, m->work[thread], &s);
  p->lp = p->status == ASCENT_CONVERGED || p->status == ASCENT_LIMIT ? s.lp : -INFINITY;
  if (p->lp > -INFINITY) memcpy(p->x, s.x, m->dim * sizeof *p->x);
  p->evaluations = s.evaluations;
  p->seconds = run_now(r) - began;
  p->faults = w->faults;
  atomic_fetch_add_explicit(&r->chain[0].done, 1, memory_order_relaxed);
}

run_status run_modes(run *r, double **best) {
  const size_t dim = r->m->p->dim, paths = (size_t)r->o.paths, threads = run_threads(r, paths), doubles = ascent_doubles(dim);
  mode m = {.r = r, .dim = dim};
  if (doubles == 0) return RUN_E_MEMORY;
  m.path = ARENA_ARRAY(r->mem, path, paths);
  for (size_t k = 0; k < paths; k++) m.path[k].x = ARENA_ARRAY(r->mem, double, dim);
  m.work = ARENA_ARRAY(r->mem, double *, threads);
  for (size_t k = 0; k < threads; k++) m.work[k] = ARENA_ARRAY(r->mem, double, doubles);
  run_status st = run_jobs(r, paths, ascend_one, &m);
  if (st != RUN_OK) return st;
  if (run_stopping(r)) return RUN_STOPPED;
  const path *top = NULL;
  for (size_t k = 0; k < paths; k++) {
    const path *p = &m.path[k];
    eval_faults_merge(&r->faults, &p->faults);
    if (p->status == ASCENT_E_DENSITY) return RUN_E_BOUND;
    if (p->lp > -INFINITY && (!top || p->lp > top->lp)) top = p;
    r->chain[0].tally.work[0] += p->evaluations;
    r->chain[0].seconds[0] += p->seconds;
  }
  if (!top) return RUN_E_INIT;
  r->modes = (run_modes_found){.lp = top->lp, .paths = (uint32_t)paths, .settled = top->status == ASCENT_CONVERGED};
  /* Two paths that differ by less than this ended at one mode, as far as the tolerance can tell. */
  const double same = fmax(1e-3, 100 * r->o.tolerance);
  for (size_t k = 0; k < paths; k++) r->modes.agreed += m.path[k].lp >= top->lp - same;
  *best = top->x;
  return RUN_OK;
}

const char *run_no_reals(run *r, const char *method) {
  const program *p = r->m->p;
  for (size_t k = 0; k < p->nsites; k++)
    if (p->site[k].discrete && !p->site[k].summed) return arena_printf(r->mem, "%s moves real numbers only, and `%s` is discrete", method, p->site[k].name);
  return p->dim ? NULL : arena_printf(r->mem, "%s has nothing to move: the model has no unknown real number", method);
}

typedef struct keeping {
  run *r;
  const double *q;
} keeping;

static void keep(void *ctx, size_t job, size_t thread, eval_worker *w) {
  (void)job, (void)thread;
  const keeping *k = ctx;
  run *r = k->r;
  chain_state *x = &r->chain[0];
  atomic_store(&x->warm, 1);
  const double stats[DRAWS_N_STATS] = {r->modes.lp, 1.0, 0.0, 0.0, 0.0, 0.0, -r->modes.lp};
  x->status = run_frame(r, 0, w, k->q, x->frame) ? run_keep(r, 0, w, x->frame, stats) : RUN_E_BOUND;
  x->tally.accept_sum = 1.0;
  x->faults = w->faults;
  if (x->csv) csv_elapsed(x->csv, x->seconds[0], 0.0);
}

run_status run_map(run *r) {
  if ((r->why = run_no_reals(r, "map"))) return r->status = RUN_E_METHOD;
  r->total = (uint64_t)r->o.paths;
  keeping k = {.r = r};
  double *best = NULL;
  run_status st = run_modes(r, &best);
  if (st != RUN_OK) return r->status = st;
  k.q = best;
  st = run_jobs(r, 1, keep, &k);
  return st == RUN_OK ? run_join(r) : (r->status = st);
}
