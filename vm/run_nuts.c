/* run_nuts.c: chains of NUTS on threads. */
#include "vm/run.h"

#include "compiler/ir_cost.h"
#include "vm/checkpoint.h"
#include "vm/nuts_chain.h"

#include <math.h>
#include <string.h>

typedef struct nuts_run {
  run *r;
  size_t dim;
  double flops;  /* of a gradient */
  double **work; /* [threads] */
  checkpoint **spare; /* [threads] with room for a chain; NULL: no checkpoints are written */
} nuts_run;

typedef struct nuts_job {
  nuts_run *n;
  chain_state *x;
  eval_worker *w;
  int chain;
  nuts_result result;
  checkpoint *spare;
  run_status status;  /* why on_draw ended the chain */
  uint64_t divergent;
  double began, warmed;
} nuts_job;

static adapt_kind kind_of(plan_metric m, size_t dim) {
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
  j->warmed = run_now(r);
  atomic_store_explicit(&j->x->warm, 1, memory_order_relaxed);
  if (!j->x->csv) return RUN_OK;
  const nuts_result *a = &j->result;
  int failed = a->metric ? csv_adaptation(j->x->csv, a->step_size, a->metric, j->n->dim) : csv_adaptation_factor(j->x->csv, a->step_size, &a->factor);
  return failed ? RUN_E_IO : RUN_OK;
}

static int on_draw(void *user, uint32_t index, bool warmup, const double *q, const rt_nuts_stats *s) {
  nuts_job *j = user;
  run *r = j->n->r;
  atomic_fetch_add_explicit(&j->x->done, 1, memory_order_relaxed);
  if (!warmup) {
    if (index == 0 && (j->status = warm_up_over(j)) != RUN_OK) return 1;
    if (s->divergent) atomic_fetch_add_explicit(&j->x->divergent, 1, memory_order_relaxed);
    j->x->accept_sum += s->accept_stat;
    if ((index + 1) % (uint32_t)r->o.thin == 0) {
      const double stats[DRAWS_N_STATS] = {s->log_density, s->accept_stat, s->step_size, s->depth,
                                           s->n_leapfrog,  s->divergent,   s->energy};
      if (!run_frame(r, j->chain, j->w, q, j->x->frame)) j->status = RUN_E_BOUND;
      else j->status = run_keep(r, j->chain, j->w, j->x->frame, stats);
      if (j->status != RUN_OK) return 1;
    }
  }
  if (warmup && index + 1 == r->o.warmup) eval_faults_settle(j->w);
  if (!run_stopping(r)) return 0;
  j->status = RUN_STOPPED;
  return 1;
}

/* A checkpoint after every second or, where chains are large, every 16 MiB of them, at the end of warm-up, and when the chain ends or is stopped.  One that
 * cannot be written leaves the one before: a full disk is the affair of the draws. */
static void on_rest(void *user, const nuts_chain *c, uint32_t done) {
  nuts_job *j = user;
  run *r = j->n->r;
  chain_state *x = j->x;
  if (!j->spare || (j->status != RUN_OK && j->status != RUN_STOPPED)) return;
  const size_t bytes = run_rest_bytes(r);
  const int tick = atomic_load_explicit(&r->tick, memory_order_relaxed), wait = 1 + (int)(bytes >> 24);
  const bool over = done == (uint64_t)(r->o.warmup + r->o.draws * r->o.thin);
  if (!over && j->status == RUN_OK && done != r->o.warmup && tick < x->saved + wait) return;
  x->saved = tick;
  if (csv_flush(x->csv)) return; /* the next row tells */
  const nuts_result *a = &j->result;
  const double now = run_now(r);
  const bool warm = j->warmed > 0;
  checkpoint *k = j->spare;
  memset(k, 0, sizeof *k);
  k->fingerprint = r->fingerprint;
  k->bytes = over ? 0 : bytes;
  k->chain = (uint64_t)j->chain;
  k->done = done;
  k->rows = draws_count(r->store, j->chain);
  k->offset = csv_written(x->csv);
  k->divergent = atomic_load_explicit(&x->divergent, memory_order_relaxed);
  for (int i = 0; i < 2; i++) k->leapfrogs[i] = a->n_leapfrog[i];
  k->n_max_depth = a->n_max_depth[1];
  k->n_nan = a->n_nan;
  k->accept_sum = x->accept_sum;
  k->step_size = a->step_size;
  k->seconds[0] = (warm ? j->warmed : now) - j->began;
  k->seconds[1] = warm ? now - j->warmed : 0;
  k->faults = j->w->faults;
  k->form = a->form;
  if (!over) nuts_chain_save(c, k + 1);
  checkpoint_write(x->save[0], x->save[1], k);
}

/* What the chain had done when the checkpoint was written. */
static void go_on(nuts_job *j, const checkpoint *k) {
  chain_state *x = j->x;
  const bool warm = k->done > (uint64_t)j->n->r->o.warmup;
  atomic_store(&x->done, k->done);
  atomic_store(&x->divergent, k->divergent);
  atomic_store(&x->warm, warm);
  x->accept_sum = k->accept_sum;
  j->w->faults = k->faults;
  j->began -= k->seconds[0] + k->seconds[1];
  if (warm) j->warmed = j->began + k->seconds[0];
  nuts_result *a = &j->result;
  *a = (nuts_result){.step_size = k->step_size, .form = k->form, .n_leapfrog = {k->leapfrogs[0], k->leapfrogs[1]}, .n_max_depth = {0, (uint32_t)k->n_max_depth}, .n_nan = k->n_nan};
}

static run_status status_of(const nuts_job *j, nuts_status st) {
  switch (st) {
  case NUTS_OK: return RUN_OK;
  case NUTS_STOPPED: return j->status;
  case NUTS_E_DENSITY: return RUN_E_BOUND;
  case NUTS_E_INIT: return RUN_E_INIT;
  default: return RUN_E_INTERNAL;
  }
}

static void chain(void *ctx, size_t job, size_t thread, eval_worker *w) {
  nuts_run *n = ctx;
  run *r = n->r;
  chain_state *x = &r->chain[job];
  nuts_job j = {.n = n, .x = x, .w = w, .chain = (int)job, .spare = n->spare && x->csv ? n->spare[thread] : NULL, .began = run_now(r)};
  nuts_options o;
  nuts_options_init(&o, rt_key_fold(r->o.seed, job));
  o.warmup = (uint32_t)r->o.warmup;
  o.draws = (uint32_t)(r->o.draws * r->o.thin);
  o.max_depth = (uint32_t)r->o.max_depth;
  o.kind = kind_of(r->o.metric, n->dim);
  o.gradient_flops = n->flops;
  o.delta = r->o.target_accept;
  o.step_size = r->o.step_size;
  o.init_radius = r->o.init_radius;
  nuts_target t = {.dim = n->dim, .density = density, .density_user = &j, .on_draw = on_draw, .draw_user = &j, .on_rest = on_rest};
  const checkpoint *from = x->from;
  if (from) {
    go_on(&j, from);
    t.from = from + 1;
  }
  if (!from || from->bytes) x->status = status_of(&j, nuts_chain_run(&o, &t, n->work[thread], &j.result));
  run_chain_over(r, x);
  double end = run_now(r);
  x->step_size = j.result.step_size;
  x->form = j.result.form;
  for (int k = 0; k < 2; k++) x->work[k] = j.result.n_leapfrog[k];
  x->n_max_depth = j.result.n_max_depth[1];
  x->n_nan = j.result.n_nan;
  x->seconds[0] = (j.warmed > 0 ? j.warmed : end) - j.began;
  x->seconds[1] = j.warmed > 0 ? end - j.warmed : 0;
  x->faults = w->faults;
  if (x->csv) csv_elapsed(x->csv, x->seconds[0], x->seconds[1]);
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
  x->faults = w->faults;
  run_chain_over(r, x);
}

size_t run_rest_bytes(const run *r) {
  const size_t dim = r->m->p->dim;
  return r->o.method == PLAN_NUTS && dim ? nuts_chain_bytes(dim, (uint32_t)r->o.max_depth, kind_of(r->o.metric, dim)) : 0;
}

run_status run_nuts(run *r) {
  const program *p = r->m->p;
  if (p->dim && (r->why = run_no_reals(r, "nuts"))) return r->status = RUN_E_METHOD;
  size_t chains = (size_t)r->o.chains, threads = run_threads(r, chains);
  nuts_run n = {.r = r, .dim = p->dim};
  r->total = (uint64_t)r->o.chains * (uint64_t)(r->o.warmup + r->o.draws * r->o.thin);
  run_status st;
  if (n.dim == 0) {
    r->total = (uint64_t)(r->o.chains * r->o.draws);
    st = run_jobs(r, chains, no_latents, &n);
  } else {
    size_t doubles = nuts_chain_doubles(n.dim, (uint32_t)r->o.max_depth, kind_of(r->o.metric, n.dim));
    if (doubles == 0) return r->status = RUN_E_MEMORY;
    n.flops = gradient_flops(p);
    n.work = ARENA_ARRAY(r->mem, double *, threads);
    for (size_t k = 0; k < threads; k++) n.work[k] = ARENA_ARRAY(r->mem, double, doubles);
    if (r->chain[0].save[0]) {
      n.spare = ARENA_ARRAY(r->mem, checkpoint *, threads);
      for (size_t k = 0; k < threads; k++) n.spare[k] = arena_alloc(r->mem, sizeof(checkpoint) + run_rest_bytes(r), 1);
    }
    st = run_jobs(r, chains, chain, &n);
  }
  return st == RUN_OK ? run_join(r) : (r->status = st);
}
