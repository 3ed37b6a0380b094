/* run_cycle.c: cycles of methods: each moves unknowns of its own, given all others as they stand.
 *
 * The part of nuts, where there is one, is a chain of its own (nuts_chain.h) whose density changes between its transitions: the other parts move there, in
 * their cyclic order.  Its step size and metric adapt to the density of its unknowns averaged over what the others do, and are frozen after warm-up, as are
 * scales and widths of the walker that the others share. */
#include "vm/mh_walk.h"

#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_philox.h"
#include "vm/checkpoint.h"
#include "vm/nuts_chain.h"

#include <string.h>

typedef struct cycle_run {
  run *r;
  mh_tables tables;
  mh_walk *walk;       /* [threads] */
  mh_scratch *scratch; /* [threads] */
  double **work;       /* [threads] of nuts */
  exec_cell **spare;   /* [threads] */
  bool **moves;        /* [nparts] */
  size_t nuts;         /* the part; nparts: there is none */
  size_t walk_bytes;   /* of a walker at rest; the chain of nuts stands behind it */
  adapt_kind kind;
} cycle_run;

typedef struct cycle_job {
  cycle_run *n;
  chain_state *x;
  mh_walk c;
  int chain;
  size_t thread;
  nuts_result result;
} cycle_job;

/* All parts but that of nuts, beginning behind it. */
static bool sweep(cycle_job *j, int64_t t) {
  const cycle_run *n = j->n;
  const run_options *o = &n->r->o;
  mh_walk *c = &j->c;
  double accept = 0;
  size_t scores = 0;
  c->gain = t >= o->warmup ? 0.0 : 2.0 / rt_pow(1.0 + (double)t, 0.6);
  for (size_t k = 1; k <= o->nparts; k++) {
    const size_t at = (n->nuts + k) % o->nparts;
    const size_t part = n->nuts < o->nparts ? at : k - 1;
    if (part == n->nuts) continue;
    c->rule = o->part[part].method == PLAN_MH ? MH_MIXED : MH_SLICE;
    c->plain = o->part[part].method == PLAN_SLICE;
    c->moves = n->moves[part];
    if (!mh_walk_scan(c, c->t->elements)) return false;
    accept += c->accept;
    scores += c->scores;
  }
  c->accept = accept;
  c->scores = scores;
  return true;
}

/* The cycle is complete, the t-th from 0. */
static run_status complete(cycle_job *j, int64_t t, const rt_nuts_stats *s) {
  run *r = j->n->r;
  chain_state *x = j->x;
  mh_walk *c = &j->c;
  const bool warm = t >= r->o.warmup;
  if (t == r->o.warmup) {
    atomic_store_explicit(&x->warm, 1, memory_order_relaxed);
    x->warmed = run_now(r);
  }
  if (!sweep(j, t)) return c->status;
  x->work[warm] += c->scores + (s ? s->n_leapfrog : 0);
  if (warm) {
    if (s && s->divergent) atomic_fetch_add_explicit(&x->divergent, 1, memory_order_relaxed);
    x->accept_sum += s ? s->accept_stat : c->accept / (double)(c->t->elements ? c->t->elements : 1);
    if ((t - r->o.warmup + 1) % r->o.thin == 0) {
      if (!mh_walk_refresh(c)) return c->status;
      const double accept = s ? s->accept_stat : 1.0;
      const double stats[DRAWS_N_STATS] = {c->lp, accept, s ? s->step_size : 0.0, s ? s->depth : 0.0, s ? s->n_leapfrog : (double)c->scores, s ? s->divergent : 0.0, -c->lp};
      const run_status st = run_keep(r, j->chain, c->w, c->frame, stats);
      if (st != RUN_OK) return st;
    }
  }
  if (t + 1 == r->o.warmup) eval_faults_settle(c->w);
  const uint64_t done = 1 + atomic_fetch_add_explicit(&x->done, 1, memory_order_relaxed);
  return run_rest_status(r, done);
}

static int density(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad) {
  cycle_job *j = user;
  (void)lanes; /* a chain asks for one point at stride 1 */
  (void)stride;
  return eval_block_grad(j->c.w, j->c.frame, q, lp, grad) ? 0 : 1;
}

static int on_draw(void *user, uint32_t index, bool warmup, const double *q, const rt_nuts_stats *s) {
  cycle_job *j = user;
  const int64_t t = (warmup ? 0 : j->n->r->o.warmup) + (int64_t)index;
  j->c.stale = true;
  if (!eval_block_constrain(j->c.w, q, j->c.frame, j->n->spare[j->thread])) j->x->status = RUN_E_BOUND;
  else j->x->status = complete(j, t, s);
  return j->x->status != RUN_OK;
}

/* What the chain of nuts tells of itself. */
static void take_over(cycle_job *j) {
  const nuts_result *a = &j->result;
  j->x->step_size = a->step_size;
  j->x->form = a->form;
  j->x->n_max_depth = a->n_max_depth[1];
  j->x->n_nan = a->n_nan;
}

/* The cycle at rest: the walker, and behind it the chain of nuts, if there is one. */
static void rest(cycle_job *j, const nuts_chain *nuts, uint64_t done) {
  if (!run_rest_due(j->n->r, j->chain, done)) return;
  char *to = (char *)(j->x->rest + 1);
  if (nuts) take_over(j);
  if (j->x->rest->bytes) {
    mh_walk_save(&j->c, to);
    if (nuts) nuts_chain_save(nuts, to + j->n->walk_bytes);
  }
  run_rest_put(j->n->r, j->chain, j->c.w);
}

static void on_rest(void *user, const nuts_chain *c, uint32_t done) { rest(user, c, done); }

static run_status run_with_nuts(cycle_job *j) {
  const run_options *o = &j->n->r->o;
  const checkpoint *from = j->x->from;
  nuts_options n;
  nuts_options_init(&n, j->c.key);
  n.warmup = (uint32_t)o->warmup;
  n.draws = (uint32_t)(o->draws * o->thin);
  n.max_depth = (uint32_t)o->max_depth;
  n.kind = j->n->kind;
  n.delta = o->target_accept;
  n.step_size = o->step_size;
  n.init_radius = o->init_radius;
  const nuts_target t = {.dim = j->n->r->m->p->block_dim, .density = density, .density_user = j, .on_draw = on_draw, .draw_user = j, .on_rest = on_rest, .moves = true,
                         .from = from ? (const char *)(from + 1) + j->n->walk_bytes : NULL};
  const nuts_status st = nuts_chain_run(&n, &t, j->n->work[j->thread], &j->result);
  take_over(j);
  return st == NUTS_OK ? RUN_OK : st == NUTS_STOPPED ? j->x->status : st == NUTS_E_DENSITY ? RUN_E_BOUND : st == NUTS_E_INIT ? RUN_E_INIT : RUN_E_INTERNAL;
}

static run_status run_without(cycle_job *j, uint64_t done) {
  const run_options *o = &j->n->r->o;
  run_status st = RUN_OK;
  for (int64_t t = (int64_t)done; t < o->warmup + o->draws * o->thin && st == RUN_OK; t++) {
    st = j->x->status = complete(j, t, NULL);
    rest(j, NULL, (uint64_t)t + 1);
  }
  return st;
}

/* From where it stands to its end. */
static run_status run_on(cycle_job *j, uint64_t done) {
  const run *r = j->n->r;
  if (done && run_rest_status(r, done) == RUN_PAUSED) return RUN_PAUSED;
  if (j->x->from && j->x->from->bytes == 0) return RUN_OK;
  if (j->x->from) mh_walk_restore(&j->c, j->x->from + 1);
  else if (!mh_walk_start(&j->c, r->o.scale)) return j->c.status;
  return j->n->nuts < r->o.nparts ? run_with_nuts(j) : run_without(j, done);
}

static void chain(void *ctx, size_t job, size_t thread, eval_worker *w) {
  cycle_run *n = ctx;
  run *r = n->r;
  chain_state *x = &r->chain[job];
  cycle_job j = {.n = n, .x = x, .c = n->walk[thread], .chain = (int)job, .thread = thread};
  const uint64_t done = run_rest_begin(r, (int)job, w);
  j.c.w = w;
  j.c.s = &n->scratch[thread];
  j.c.frame = x->frame;
  j.c.init_radius = r->o.init_radius;
  j.c.key = rt_key_fold(r->o.seed, job);
  x->status = run_on(&j, done);
  run_chain_over(r, x);
  run_rest_end(r, (int)job);
  x->faults = w->faults;
}

run_status run_cycle(run *r) {
  const program *p = r->m->p;
  cycle_run n = {.r = r, .nuts = r->o.nparts, .kind = run_metric_kind(r->o.metric, p->block_dim)};
  const char *why;
  if (!mh_tables_make(&n.tables, r->m, false, r->mem, &why)) {
    r->why = why;
    return r->status = RUN_E_METHOD;
  }
  run_status st = RUN_OK;
  if (r->o.order == KERNEL_COLOURED && !mh_tables_colour(&n.tables, r->mem, r->alloc, &st, &r->faults)) return r->status = st;
  n.moves = ARENA_ARRAY(r->mem, bool *, r->o.nparts);
  for (size_t k = 0; k < r->o.nparts; k++) {
    n.moves[k] = ARENA_ARRAY(r->mem, bool, p->nsites);
    if (r->o.part[k].method == PLAN_NUTS) n.nuts = k;
    for (size_t s = 0; s < p->nsites; s++)
      for (size_t i = 0; i < r->o.part[k].n; i++) n.moves[k][s] |= program_names(r->o.part[k].name[i], &p->site[s]);
  }
  if (n.nuts < r->o.nparts && p->block_dim == 0) n.nuts = r->o.nparts; /* its unknowns are arrays without elements */
  const size_t threads = run_threads(r, (size_t)r->o.chains);
  const size_t doubles = n.nuts < r->o.nparts ? nuts_chain_doubles(p->block_dim, (uint32_t)r->o.max_depth, n.kind) : 0;
  if (n.nuts < r->o.nparts && doubles == 0) return r->status = RUN_E_MEMORY;
  n.walk = ARENA_ARRAY(r->mem, mh_walk, threads);
  n.scratch = ARENA_ARRAY(r->mem, mh_scratch, threads);
  n.work = ARENA_ARRAY(r->mem, double *, threads);
  n.spare = ARENA_ARRAY(r->mem, exec_cell *, threads);
  for (size_t k = 0; k < threads; k++) {
    mh_walk_make(&n.walk[k], &n.tables, r->mem);
    if (r->o.order == KERNEL_RANDOM) n.walk[k].order = ARENA_ARRAY(r->mem, size_t, n.tables.elements);
    mh_scratch_make(&n.scratch[k], &n.tables, r->mem, r->alloc);
    n.work[k] = ARENA_ARRAY(r->mem, double, doubles);
    n.spare[k] = ARENA_ARRAY(r->mem, exec_cell, p->cells);
  }
  n.walk_bytes = mh_walk_bytes(&n.tables, 0);
  r->rest_bytes = n.walk_bytes + (n.nuts < r->o.nparts ? nuts_chain_bytes(p->block_dim, (uint32_t)r->o.max_depth, n.kind) : 0);
  run_rest_make(r);
  /* From here on nothing is taken from the arena, whose jump would lose the logs. */
  for (size_t k = 0; k < threads && st == RUN_OK; k++)
    if (!mh_scratch_reserve(&n.scratch[k], &n.tables)) st = RUN_E_MEMORY;
  r->status = st == RUN_OK ? run_chains(r, chain, &n) : st;
  for (size_t k = 0; k < threads; k++) mh_scratch_free(&n.scratch[k]);
  return r->status;
}
