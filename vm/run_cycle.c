/* run_cycle.c: cycles of methods: each moves unknowns of its own, given all others as they stand.
 *
 * A part of nuts is a chain of its own (nuts_chain.h) whose density changes between its transitions: the other parts move there, in the order of the statement.  Its step size and metric
 * adapt to the density of its unknowns averaged over what the others do, and are frozen after warm-up, as are scales and widths of the walker that the parts without gradients share.
 * Where each chain is stands in the frame from its first point on, so that what one part conditions on is where the others are. */
#include "vm/mh_walk.h"

#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_philox.h"
#include "vm/checkpoint.h"
#include "vm/nuts_chain.h"

#include <string.h>

struct cycle_job;

/* A part of nuts in one chain. */
typedef struct cycle_nuts {
  struct cycle_job *job;
  size_t block;
  nuts_options o;
  nuts_target t;
  nuts_result result;
  nuts_chain *chain;
  rt_nuts_stats stats; /* of its last transition */
} cycle_nuts;

typedef struct cycle_run {
  run *r;
  mh_tables tables;
  mh_walk *walk;       /* [threads] */
  mh_scratch *scratch; /* [threads] */
  cycle_nuts *nuts;    /* [threads][nblocks] */
  double **work;       /* [threads][nblocks] */
  exec_cell **spare;   /* [threads] */
  bool **moves;        /* [nparts] */
  size_t nblocks;      /* parts of nuts */
  adapt_kind *kind;    /* [nblocks] */
  size_t *at;          /* [nblocks] where the chain is among the bytes at rest: behind the walker, whose are the first */
} cycle_run;

typedef struct cycle_job {
  cycle_run *n;
  chain_state *x;
  mh_walk c;
  int chain;
  size_t thread;
  cycle_nuts *nuts; /* [nblocks] */
} cycle_job;

/* ---- a part of nuts.  One whose unknowns are arrays without elements has no dimension, and does nothing. */

static size_t dim_of(const cycle_run *n, size_t block) { return n->r->m->p->block[block].dim; }

static int density(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad) {
  const cycle_nuts *p = user;
  (void)lanes; /* a chain asks for one point at stride 1 */
  (void)stride;
  return eval_block_grad(p->job->c.w, p->block, p->job->c.frame, q, lp, grad) ? 0 : 1;
}

/* The chain's point into the frame. */
static bool put_point(const cycle_nuts *p, const double *q) {
  cycle_job *j = p->job;
  j->c.stale = true;
  return eval_block_constrain(j->c.w, p->block, q, j->c.frame, j->n->spare[j->thread]);
}

static int on_draw(void *user, uint32_t index, bool warmup, const double *q, const rt_nuts_stats *s) {
  cycle_nuts *p = user;
  (void)index, (void)warmup;
  p->stats = *s;
  return !put_point(p, q);
}

static run_status status_of(nuts_status st) {
  return st == NUTS_OK ? RUN_OK : st == NUTS_STOPPED || st == NUTS_E_DENSITY ? RUN_E_BOUND : st == NUTS_E_INIT ? RUN_E_INIT : RUN_E_INTERNAL;
}

static run_status open_nuts(cycle_job *j, size_t block) {
  const run_options *o = &j->n->r->o;
  const checkpoint *from = j->x->from;
  cycle_nuts *p = &j->nuts[block];
  *p = (cycle_nuts){.job = j, .block = block};
  if (dim_of(j->n, block) == 0) return RUN_OK;
  nuts_options_init(&p->o, block ? rt_key_fold(j->c.key, block) : j->c.key);
  p->o.warmup = (uint32_t)o->warmup;
  p->o.draws = (uint32_t)(o->draws * o->thin);
  p->o.max_depth = (uint32_t)o->max_depth;
  p->o.kind = j->n->kind[block];
  p->o.delta = o->target_accept;
  p->o.step_size = o->step_size;
  p->o.init_radius = o->init_radius;
  p->t = (nuts_target){.dim = dim_of(j->n, block), .density = density, .density_user = p, .on_draw = on_draw, .draw_user = p, .moves = true,
                       .from = from ? (const char *)(from + 1) + j->n->at[block] : NULL};
  const nuts_status st = nuts_chain_open(&p->o, &p->t, j->n->work[j->thread * j->n->nblocks + block], &p->result, &p->chain);
  if (st == NUTS_OK && !from && !put_point(p, nuts_chain_point(p->chain))) return RUN_E_BOUND;
  return status_of(st);
}

/* What the chains of nuts tell of themselves: the first its step size and metric. */
static void take_over(cycle_job *j) {
  j->x->tally.n_max_depth = j->x->tally.n_nan = 0;
  for (size_t b = j->n->nblocks; b-- > 0;) {
    const nuts_result *a = &j->nuts[b].result;
    if (!j->nuts[b].chain) continue;
    j->x->tally.step_size = a->step_size;
    j->x->tally.form = a->form;
    j->x->tally.n_max_depth += a->n_max_depth[1];
    j->x->tally.n_nan += a->n_nan;
  }
}

/* ---- a cycle */

static run_status move(cycle_job *j, size_t part, size_t block) {
  const run_options *o = &j->n->r->o;
  mh_walk *c = &j->c;
  if (o->part[part].method == PLAN_NUTS) return j->nuts[block].chain ? status_of(nuts_chain_step(j->nuts[block].chain)) : RUN_OK;
  c->rule = o->part[part].method == PLAN_MH ? MH_MIXED : MH_SLICE;
  c->plain = o->part[part].method == PLAN_SLICE;
  c->moves = j->n->moves[part];
  return mh_walk_scan(c, c->t->elements) ? RUN_OK : c->status;
}

/* What a draw tells of how it was made: sums over the parts of nuts, their mean acceptance and greatest depth, and the step of the first. */
static void tell(const cycle_job *j, double scores, double stats[DRAWS_N_STATS]) {
  double accept = 0, n = 0;
  const double none[DRAWS_N_STATS] = {j->c.lp, 1.0, 0.0, 0.0, scores, 0.0, -j->c.lp};
  memcpy(stats, none, sizeof none);
  for (size_t b = 0; b < j->n->nblocks; b++) {
    const rt_nuts_stats *s = &j->nuts[b].stats;
    if (!j->nuts[b].chain) continue;
    if (n++ == 0) stats[DRAWS_STEPSIZE] = s->step_size, stats[DRAWS_N_LEAPFROG] = 0.0;
    accept += s->accept_stat;
    if (s->depth > stats[DRAWS_TREEDEPTH]) stats[DRAWS_TREEDEPTH] = s->depth;
    stats[DRAWS_N_LEAPFROG] += s->n_leapfrog;
    if (s->divergent) stats[DRAWS_DIVERGENT] = 1.0;
  }
  if (n) stats[DRAWS_ACCEPT_STAT] = accept / n;
}

/* The t-th cycle, from 0. */
static run_status cycle(cycle_job *j, int64_t t) {
  run *r = j->n->r;
  chain_state *x = j->x;
  mh_walk *c = &j->c;
  const bool warm = t >= r->o.warmup;
  double accept = 0, scores = 0, leapfrogs = 0, stats[DRAWS_N_STATS];
  if (t == r->o.warmup) {
    atomic_store_explicit(&x->warm, 1, memory_order_relaxed);
    x->warmed = run_now(r);
  }
  c->gain = warm ? 0.0 : 2.0 / rt_pow(1.0 + (double)t, 0.6);
  for (size_t k = 0, block = 0; k < r->o.nparts; k++) {
    const bool nuts = r->o.part[k].method == PLAN_NUTS;
    const run_status st = move(j, k, block);
    if (st != RUN_OK) return st;
    if (nuts) leapfrogs += j->nuts[block++].stats.n_leapfrog;
    else accept += c->accept, scores += (double)c->scores;
  }
  x->tally.work[warm] += (uint64_t)(scores + leapfrogs);
  if (warm) {
    const bool kept = (t - r->o.warmup + 1) % r->o.thin == 0;
    if (kept && !mh_walk_refresh(c)) return c->status;
    tell(j, scores, stats);
    if (stats[DRAWS_DIVERGENT] > 0) atomic_fetch_add_explicit(&x->divergent, 1, memory_order_relaxed);
    x->tally.accept_sum += j->n->nblocks ? stats[DRAWS_ACCEPT_STAT] : accept / (double)(c->t->elements ? c->t->elements : 1);
    if (kept) {
      const run_status st = run_keep(r, j->chain, c->w, c->frame, stats);
      if (st != RUN_OK) return st;
    }
  }
  if (t + 1 == r->o.warmup) eval_faults_settle(c->w);
  const uint64_t done = 1 + atomic_fetch_add_explicit(&x->done, 1, memory_order_relaxed);
  return run_rest_status(r, done);
}

/* The cycle at rest: the walker, and behind it the chains of nuts. */
static void rest(cycle_job *j, uint64_t done) {
  take_over(j);
  if (!run_rest_due(j->n->r, j->chain, done)) return;
  char *to = (char *)(j->x->rest + 1);
  if (j->x->rest->bytes) {
    mh_walk_save(&j->c, to);
    for (size_t b = 0; b < j->n->nblocks; b++)
      if (j->nuts[b].chain) nuts_chain_save(j->nuts[b].chain, to + j->n->at[b]);
  }
  run_rest_put(j->n->r, j->chain, j->c.w);
}

/* From where it stands to its end. */
static run_status run_on(cycle_job *j, uint64_t done) {
  const run *r = j->n->r;
  run_status st = RUN_OK;
  if (done && run_rest_status(r, done) == RUN_PAUSED) return RUN_PAUSED;
  if (j->x->from && j->x->from->bytes == 0) return RUN_OK;
  if (j->x->from) mh_walk_restore(&j->c, j->x->from + 1);
  else if (!mh_walk_start(&j->c, r->o.scale)) return j->c.status;
  for (size_t b = 0; b < j->n->nblocks && st == RUN_OK; b++) st = open_nuts(j, b);
  for (int64_t t = (int64_t)done; t < r->o.warmup + r->o.draws * r->o.thin && st == RUN_OK; t++) {
    st = j->x->status = cycle(j, t);
    rest(j, (uint64_t)t + 1);
  }
  return st;
}

static void chain(void *ctx, size_t job, size_t thread, eval_worker *w) {
  cycle_run *n = ctx;
  run *r = n->r;
  chain_state *x = &r->chain[job];
  cycle_job j = {.n = n, .x = x, .c = n->walk[thread], .chain = (int)job, .thread = thread, .nuts = n->nuts + thread * n->nblocks};
  const uint64_t done = run_rest_begin(r, (int)job, w);
  j.c.w = w;
  j.c.s = &n->scratch[thread];
  j.c.frame = x->frame;
  j.c.init_radius = r->o.init_radius;
  j.c.key = rt_key_fold(r->o.seed, job);
  run_rest_end(r, (int)job, run_on(&j, done), w);
}

/* What a thread needs for its chain: memory from the arena.  False where there is none. */
static bool make_thread(cycle_run *n, size_t thread) {
  run *r = n->r;
  const program *p = r->m->p;
  mh_walk_make(&n->walk[thread], &n->tables, r->mem);
  if (r->o.order == KERNEL_RANDOM) n->walk[thread].order = ARENA_ARRAY(r->mem, size_t, n->tables.elements);
  mh_scratch_make(&n->scratch[thread], &n->tables, r->mem, r->alloc);
  n->spare[thread] = ARENA_ARRAY(r->mem, exec_cell, p->cells);
  for (size_t b = 0; b < n->nblocks; b++) {
    const size_t doubles = dim_of(n, b) ? nuts_chain_doubles(dim_of(n, b), (uint32_t)r->o.max_depth, n->kind[b]) : 0;
    if (dim_of(n, b) && doubles == 0) return false;
    n->work[thread * n->nblocks + b] = ARENA_ARRAY(r->mem, double, doubles);
  }
  return true;
}

run_status run_cycle(run *r) {
  const program *p = r->m->p;
  cycle_run n = {.r = r, .nblocks = p->nblocks};
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
    for (size_t s = 0; s < p->nsites; s++)
      for (size_t i = 0; i < r->o.part[k].n; i++) n.moves[k][s] |= program_names(r->o.part[k].name[i], &p->site[s]);
  }
  n.kind = ARENA_ARRAY(r->mem, adapt_kind, n.nblocks);
  n.at = ARENA_ARRAY(r->mem, size_t, n.nblocks);
  r->rest_bytes = mh_walk_bytes(&n.tables, 0);
  for (size_t b = 0; b < n.nblocks; b++) {
    n.kind[b] = run_metric_kind(r->o.metric, dim_of(&n, b));
    n.at[b] = r->rest_bytes;
    if (dim_of(&n, b)) r->rest_bytes += nuts_chain_bytes(dim_of(&n, b), (uint32_t)r->o.max_depth, n.kind[b]);
  }
  const size_t threads = run_threads(r, (size_t)r->o.chains);
  n.walk = ARENA_ARRAY(r->mem, mh_walk, threads);
  n.scratch = ARENA_ARRAY(r->mem, mh_scratch, threads);
  n.spare = ARENA_ARRAY(r->mem, exec_cell *, threads);
  n.nuts = ARENA_ARRAY(r->mem, cycle_nuts, threads * n.nblocks);
  n.work = ARENA_ARRAY(r->mem, double *, threads * n.nblocks);
  for (size_t k = 0; k < threads; k++)
    if (!make_thread(&n, k)) return r->status = RUN_E_MEMORY;
  run_rest_make(r);
  /* From here on nothing is taken from the arena, whose jump would lose the logs. */
  for (size_t k = 0; k < threads && st == RUN_OK; k++)
    if (!mh_scratch_reserve(&n.scratch[k], &n.tables)) st = RUN_E_MEMORY;
  r->status = st == RUN_OK ? run_chains(r, chain, &n) : st;
  for (size_t k = 0; k < threads; k++) mh_scratch_free(&n.scratch[k]);
  return r->status;
}
