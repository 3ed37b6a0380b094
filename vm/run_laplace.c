/* run_laplace.c: draws from the normal approximation at the mode of the unconstrained density, Jacobian included.
 *
 *     q ~ N(mode, H^-1),    H = -Hessian of the log density at the mode
 *     log evidence = lp(mode) + (dim/2) log 2 pi - (1/2) log |H|
 *
 * The Hessian is made of central differences of the gradient, each coordinate with a step that is a small part of its own conditional standard
 * deviation.  How good the approximation is, the importance weights of its draws tell: Pareto's k of them (psis.h). */
#include "vm/run.h"

#include "vm/pathfinder.h"

#include "stdlib/runtime/rt_draws.h"
#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_sample.h"

#include <math.h>

enum { MOST_DIM = 8192 }; /* half a gigabyte of Hessian */
/* Steps: the first for curvature alone, then this part of 1 / sqrt(curvature). */
#define FIRST_STEP 1e-4
#define STEP_PART 2e-3

typedef struct laplace {
  run *r;
  size_t dim;
  const double *mode;
  double *hessian;       /* [dim][dim], then its factor L */
  double **work;         /* [threads][3 dim] */
  bool *flat;            /* [dim] coordinates without curvature */
  run_status *status;    /* [dim] */
  double *logw;          /* [draws] */
} laplace;

/* The difference of gradients over h to either side of coordinate i, to out [dim]. */
static bool difference(const laplace *l, eval_worker *w, double *work, size_t i, double h, double *out) {
  double *q = work, *g = work + l->dim, lp[2];
  for (size_t k = 0; k < l->dim; k++) q[k] = l->mode[k];
  q[i] = l->mode[i] + h;
  if (!eval_grad(w, 1, 1, q, &lp[0], out)) return false;
  q[i] = l->mode[i] - h;
  if (!eval_grad(w, 1, 1, q, &lp[1], g)) return false;
  for (size_t k = 0; k < l->dim; k++) out[k] = (out[k] - g[k]) / (2.0 * h);
  return true;
}

static void column(void *ctx, size_t job, size_t thread, eval_worker *w) {
  laplace *l = ctx;
  double *work = l->work[thread], *out = work + 2 * l->dim, *row = l->hessian + job * l->dim;
  double h = FIRST_STEP * fmax(1.0, fabs(l->mode[job]));
  for (int k = 0; k < 2; k++) {
    if (!difference(l, w, work, job, h, out)) {
      l->status[job] = RUN_E_BOUND;
      return;
    }
    if (!(-out[job] > 0.0) || !isfinite(out[job])) break;
    h = STEP_PART / sqrt(-out[job]);
  }
  l->flat[job] = !(-out[job] > 0.0) || !isfinite(out[job]);
  for (size_t k = 0; k < l->dim; k++) row[k] = -out[k];
}

/* The site that a coordinate belongs to. */
static const char *site_of(const program *p, size_t coordinate) {
  const char *name = "";
  for (size_t k = 0; k < p->nsites; k++)
    if (!p->site[k].discrete && p->site[k].at_free <= coordinate) name = p->site[k].name;
  return name;
}

static run_status factorise(laplace *l) {
  const size_t n = l->dim;
  for (size_t i = 0; i < n; i++)
    if (l->flat[i]) {
      l->r->why = arena_printf(l->r->mem, "the density does not fall away from its mode along `%s`, so no normal fits there; nuts needs no mode", site_of(l->r->m->p, i));
      return RUN_E_METHOD;
    }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) l->hessian[i * n + j] = 0.5 * (l->hessian[i * n + j] + l->hessian[j * n + i]);
  if (rt_kernels_for(0)->cholesky(l->hessian, l->hessian, (ptrdiff_t)n) == 0) return RUN_OK;
  l->r->why = "the density does not fall away from its mode in every direction, so no normal fits there; nuts needs no mode";
  return RUN_E_METHOD;
}

static void draw(void *ctx, size_t job, size_t thread, eval_worker *w) {
  (void)job;
  laplace *l = ctx;
  run *r = l->r;
  chain_state *x = &r->chain[0];
  const double began = run_now(r);
  double *q = l->work[thread], *z = q + l->dim, log_det = 0.0;
  const uint64_t key = rt_key_fold(rt_key_fold(r->o.seed, 0), RUN_KEY_PRIOR);
  for (size_t i = 0; i < l->dim; i++) log_det += rt_log(l->hessian[i * l->dim + i]);
  atomic_store(&x->warm, 1);
  for (int64_t k = 0; k < r->o.draws && x->status == RUN_OK; k++) {
    const uint64_t own = rt_key_fold(key, (uint64_t)k);
    double square = 0.0, lp = NAN;
    rt_draw_normals(z, own, 0, l->dim);
    for (size_t i = 0; i < l->dim; i++) square += z[i] * z[i];
    rt_kernels_for(0)->solve_lower(q, l->hessian, z, (ptrdiff_t)l->dim, 1, 1);
    for (size_t i = 0; i < l->dim; i++) q[i] += l->mode[i];
    if (!eval_logdens(w, q, &lp) || !run_frame(r, 0, w, q, x->frame)) x->status = RUN_E_BOUND;
    l->logw[k] = isnan(lp) ? -INFINITY : lp - (log_det - 0.5 * square - (double)l->dim * RT_HALF_LOG_2PI);
    const double stats[DRAWS_N_STATS] = {lp, 1.0, 0.0, 0.0, 0.0, 0.0, -lp};
    if (x->status == RUN_OK) x->status = run_keep(r, 0, w, x->frame, stats);
    atomic_fetch_add_explicit(&x->done, 1, memory_order_relaxed);
    if (x->status == RUN_OK && run_stopping(r)) x->status = RUN_STOPPED;
  }
  r->log_evidence = r->modes.lp - log_det + (double)l->dim * RT_HALF_LOG_2PI;
  x->seconds[1] = run_now(r) - began;
  x->faults = w->faults;
  if (x->csv) csv_elapsed(x->csv, x->seconds[0], x->seconds[1]);
}

run_status run_laplace(run *r) {
  if ((r->why = run_no_reals(r, "laplace"))) return r->status = RUN_E_METHOD;
  laplace l = {.r = r, .dim = r->m->p->dim};
  if (l.dim > MOST_DIM) {
    r->why = arena_printf(r->mem, "laplace keeps a matrix with a row for each unknown number, and there are %zu; pathfinder does without", l.dim);
    return r->status = RUN_E_METHOD;
  }
  r->total = (uint64_t)r->o.paths + l.dim + (uint64_t)r->o.draws;
  double *mode = NULL;
  run_status st = run_modes(r, &mode);
  if (st != RUN_OK) return r->status = st;
  const size_t threads = run_threads(r, l.dim);
  l.mode = mode;
  l.hessian = ARENA_ARRAY(r->mem, double, l.dim * l.dim);
  l.flat = ARENA_ARRAY(r->mem, bool, l.dim);
  l.status = ARENA_ARRAY(r->mem, run_status, l.dim);
  l.logw = ARENA_ARRAY(r->mem, double, (size_t)r->o.draws);
  l.work = ARENA_ARRAY(r->mem, double *, threads);
  for (size_t k = 0; k < threads; k++) l.work[k] = ARENA_ARRAY(r->mem, double, 3 * l.dim);
  st = run_jobs(r, l.dim, column, &l);
  for (size_t k = 0; k < l.dim && st == RUN_OK; k++) st = l.status[k];
  if (st == RUN_OK) st = factorise(&l);
  if (st == RUN_OK) st = run_jobs(r, 1, draw, &l);
  if (st != RUN_OK) return r->status = st;
  run_weights(r, l.logw, draws_added(r->store, 0));
  return run_join(r);
}
