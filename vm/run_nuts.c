/* run_nuts.c: chains of NUTS on threads. */
#include "vm/run.h"

#include "compiler/ir_cost.h"
#include "vm/checkpoint.h"
#include "vm/initial.h"
#include "vm/nuts_chain.h"
#include "vm/run_starts.h"

#include <math.h>
#include <string.h>

typedef struct nuts_run {
  run *r;
  size_t dim;
  double flops;  /* of a gradient */
  double **work; /* [threads] */
  double **start; /* [threads] a point and workspace, of starts or with init = pathfinder for a search of the chain's own; NULL where initial points are random */
  const run_starts *starts; /* NULL, or what the search for starts has found */
} nuts_run;

typedef struct nuts_job {
  nuts_run *n;
  chain_state *x;
  eval_worker *w;
  int chain;
  size_t thread;
  nuts_result result;
} nuts_job;

adapt_kind run_metric_kind(plan_metric m, size_t dim) {
  switch (m) {
  case PLAN_FISHER: return ADAPT_FISHER;
  case PLAN_DENSE: return ADAPT_DENSE;
  case PLAN_LOWRANK: return ADAPT_LOWRANK;
  case PLAN_METRIC_AUTO: return dim <= METRIC_MOST ? ADAPT_AUTO : ADAPT_DIAGONAL;
  default: return ADAPT_DIAGONAL;
  }
}

/* As it was before it was cut into stages. */
static double gradient_flops(const program *p) {
  ir_fn *grad = p->uncut ? p->uncut : ir_fn_find(p->module, "grad");
  ir_cost_number n;
  return grad && ir_cost_eval(p->module, ir_cost_fn(grad), &n) ? (double)n.flops : 0.0;
}

static int density(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad) {
  nuts_job *j = user;
  return eval_grad(j->w, lanes, stride, q, lp, grad) ? 0 : 1;
}

/* The first draw after warm-up: the file gets its adaptation. */
static run_status warm_up_over(nuts_job *j) {
  run *r = j->n->r;
  j->x->warmed = run_now(r);
  j->x->tally.log_volume = nuts_log_volume(&j->result, j->n->dim);
  atomic_store_explicit(&j->x->warm, 1, memory_order_relaxed);
  if (!j->x->csv) return RUN_OK;
  const nuts_result *a = &j->result;
  int failed = a->metric ? csv_adaptation(j->x->csv, a->step_size, a->metric, j->n->dim) : csv_adaptation_factor(j->x->csv, a->step_size, &a->factor);
  return failed ? RUN_E_IO : RUN_OK;
}

static int on_draw(void *user, uint32_t index, bool warmup, const double *q, const rt_nuts_stats *s) {
  nuts_job *j = user;
  run *r = j->n->r;
  chain_state *x = j->x;
  const uint64_t done = 1 + atomic_fetch_add_explicit(&x->done, 1, memory_order_relaxed);
  if (!warmup) {
    if (index == 0 && (x->status = warm_up_over(j)) != RUN_OK) return 1;
    if (s->divergent) atomic_fetch_add_explicit(&x->divergent, 1, memory_order_relaxed);
    x->tally.accept_sum += s->accept_stat;
    if ((index + 1) % (uint32_t)r->o.thin == 0) {
      const double stats[DRAWS_N_STATS] = {s->log_density, s->accept_stat, s->step_size, s->depth,
                                           s->n_leapfrog,  s->divergent,   s->energy};
      if (!run_frame(r, j->chain, j->w, q, x->frame)) x->status = RUN_E_BOUND;
      else x->status = run_keep(r, j->chain, j->w, x->frame, stats);
      if (x->status != RUN_OK) return 1;
    }
  }
  if (warmup && index + 1 == r->o.warmup) eval_faults_settle(j->w);
  x->status = run_rest_status(r, done);
  return x->status != RUN_OK;
}

/* What the chain tells of itself. */
static void take_over(nuts_job *j) {
  const nuts_result *a = &j->result;
  chain_state *x = j->x;
  x->tally.step_size = a->step_size;
  x->tally.form = a->form;
  x->tally.again = a->again;
  for (int k = 0; k < 2; k++) x->tally.work[k] = a->n_leapfrog[k];
  x->tally.n_max_depth = a->n_max_depth[1];
  x->tally.n_nan = a->n_nan;
}

static void on_rest(void *user, const nuts_chain *c, uint32_t done) {
  nuts_job *j = user;
  run *r = j->n->r;
  if (!run_rest_due(r, j->chain, done)) return;
  take_over(j);
  if (j->x->rest->bytes) nuts_chain_save(c, j->x->rest + 1);
  run_rest_put(r, j->chain, j->w);
}

static run_status status_of(const nuts_job *j, nuts_status st) {
  switch (st) {
  case NUTS_OK: return RUN_OK;
  case NUTS_STOPPED: return j->x->status;
  case NUTS_E_DENSITY: return RUN_E_BOUND;
  case NUTS_E_INIT: return RUN_E_INIT;
  default: return RUN_E_INTERNAL;
  }
}

/* Where no path leads anywhere the chain begins at random. */
static void begin(nuts_job *j, nuts_options *o) {
  nuts_run *n = j->n;
  double *q = n->start[j->thread];
  if (n->starts) {
    if (run_starts_draw(n->starts, j->chain, j->w, q + n->dim, q)) o->init = q;
    return;
  }
  const initial_search by = {.key = rt_key_fold(o->key, RUN_KEY_INIT), .radius = o->init_radius, .paths = (uint32_t)n->r->o.paths};
  if (initial_find(&by, n->dim, density, j, q + n->dim, q)) o->init = q;
}

static bool again(void *user, double top, double *q) {
  nuts_job *j = user;
  return run_starts_again(j->n->starts, j->chain, top, j->w, j->n->start[j->thread] + j->n->dim, q);
}

static void chain(void *ctx, size_t job, size_t thread, eval_worker *w) {
  nuts_run *n = ctx;
  run *r = n->r;
  chain_state *x = &r->chain[job];
  nuts_job j = {.n = n, .x = x, .w = w, .chain = (int)job, .thread = thread};
  nuts_options o;
  nuts_options_init(&o, rt_key_fold(r->o.seed, job));
  o.warmup = (uint32_t)r->o.warmup;
  o.draws = (uint32_t)(r->o.draws * r->o.thin);
  o.max_depth = (uint32_t)r->o.max_depth;
  o.kind = run_metric_kind(r->o.metric, n->dim);
  o.gradient_flops = n->flops;
  o.delta = r->o.target_accept;
  o.step_size = r->o.step_size;
  o.init_radius = r->o.init_radius;
  const uint64_t done = run_rest_begin(r, (int)job, w);
  nuts_target t = {.dim = n->dim, .density = density, .density_user = &j, .on_draw = on_draw, .draw_user = &j, .on_rest = on_rest, .again = n->starts ? again : NULL, .from = x->from ? x->from + 1 : NULL};
  if (done && run_rest_status(r, done) == RUN_PAUSED) x->status = RUN_PAUSED;
  else if (!x->from || x->from->bytes) {
    if (n->start && !x->from) begin(&j, &o);
    x->status = status_of(&j, nuts_chain_run(&o, &t, n->work[thread], &j.result));
    take_over(&j);
  }
  run_rest_end(r, (int)job, x->status, w);
}

/* The log density where there is nothing to move: what is summed out has no values yet at which @density could be asked. */
static bool fixed_density(eval_worker *w, const exec_cell *frame, double *lp) {
  double part[3] = {0};
  if (w->m->recover >= 0) return eval_grad(w, 1, 1, lp, lp, lp);
  bool ok = eval_density(w, frame, part);
  *lp = part[0] + part[1] + part[2];
  return ok;
}

/* A model without continuous latents has nothing to move: its draws are independent. */
static void no_latents(void *ctx, size_t job, size_t thread, eval_worker *w) {
  (void)thread;
  run *r = ((nuts_run *)ctx)->r;
  chain_state *x = &r->chain[job];
  double lp = 0.0;
  if (!fixed_density(w, x->frame, &lp)) x->status = RUN_E_BOUND;
  const double stats[DRAWS_N_STATS] = {lp, 1.0, 0.0, 0.0, 0.0, 0.0, -lp};
  atomic_store(&x->warm, 1);
  for (int64_t k = 0; k < r->o.draws && x->status == RUN_OK; k++) {
    x->status = run_recover(r, (int)job, w, x->frame) ? run_keep(r, (int)job, w, x->frame, stats) : RUN_E_BOUND;
    atomic_fetch_add_explicit(&x->done, 1, memory_order_relaxed);
    if (x->status == RUN_OK && run_stopping(r)) x->status = RUN_STOPPED;
  }
  run_chain_over(r, (int)job, x->status, w);
}

size_t run_nuts_rest_bytes(const run *r) {
  const size_t dim = r->m->p->dim;
  return dim ? nuts_chain_bytes(dim, (uint32_t)r->o.max_depth, run_metric_kind(r->o.metric, dim)) : 0;
}

run_status run_nuts(run *r) {
  const program *p = r->m->p;
  if (p->dim && (r->why = run_no_reals(r, "nuts"))) return r->status = RUN_E_METHOD;
  size_t chains = (size_t)r->o.chains, threads = run_threads(r, chains);
  nuts_run n = {.r = r, .dim = p->dim};
  if (n.dim == 0) {
    r->total = (uint64_t)(r->o.chains * r->o.draws);
    run_status st = run_jobs(r, chains, no_latents, &n);
    return st == RUN_OK ? run_join(r) : (r->status = st);
  }
  size_t doubles = nuts_chain_doubles(n.dim, (uint32_t)r->o.max_depth, run_metric_kind(r->o.metric, n.dim));
  if (doubles == 0) return r->status = RUN_E_MEMORY;
  n.flops = gradient_flops(p);
  n.work = ARENA_ARRAY(r->mem, double *, threads);
  for (size_t k = 0; k < threads; k++) n.work[k] = ARENA_ARRAY(r->mem, double, doubles);
  run_starts *s = NULL;
  if (r->o.init == PLAN_INIT_AUTO) {
    run_status st = run_starts_find(r, &s);
    if (st != RUN_OK) return r->status = st;
    n.starts = s;
  }
  if (n.starts || r->o.init == PLAN_INIT_PATHFINDER) {
    const size_t search = n.starts ? run_starts_doubles(n.dim) : initial_search_doubles(n.dim);
    if (search == 0) return r->status = RUN_E_MEMORY;
    n.start = ARENA_ARRAY(r->mem, double *, threads);
    for (size_t k = 0; k < threads; k++) n.start[k] = ARENA_ARRAY(r->mem, double, search + n.dim);
  }
  run_rest_make(r);
  run_status st = run_chains(r, chain, &n);
  for (size_t c = 0; c < chains; c++) r->starts_again += r->chain[c].tally.again;
  if (s && (st == RUN_OK || st == RUN_STOPPED)) st = run_starts_judge(s);
  return st == RUN_OK ? r->status : (r->status = st);
}
