/* run_mh.c: chains that move one element at a time: mh, gibbs and slice (mh_walk.h, conditional.h).
 *
 * A sweep visits every element of every latent site once, and a transition is a sweep, or after warm-up as many steps as the option
 * `steps` says: the scan then goes on where it stopped, so the chain is the same one, looked at more or less often.  Scales are frozen
 * after warm-up, so that what is kept comes from one Markov chain.
 *
 * The log density of a kept draw is computed once a sweep; between, the differences of accepted proposals are added to it, since a
 * few steps shall not cost what the model does.  After a sweep nearly every chunk of a shared frame has changed: copy-on-write frames
 * then take 1.05 of the memory of flat ones and more time, and draws are flat. */
#include "vm/checkpoint.h"
#include "vm/mh_walk.h"

#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_philox.h"

#include <string.h>

typedef struct mh_run {
  run *r;
  mh_tables tables;
  mh_walk *walk;       /* [threads] */
  mh_scratch *scratch; /* [threads] */
} mh_run;

static bool keep_draw(run *r, chain_state *x, mh_walk *c, int chain, size_t steps) {
  if (!mh_walk_refresh(c)) return false;
  const double accept = steps ? c->accept / (double)steps : 1.0;
  const double stats[DRAWS_N_STATS] = {c->lp, accept, 0.0, 0.0, (double)c->scores, 0.0, -c->lp};
  x->n_changed = c->n_changed;
  c->status = run_keep(r, chain, c->w, c->frame, stats);
  c->n_changed = 0;
  return c->status == RUN_OK;
}

static void rest(run *r, chain_state *x, const mh_walk *c, int chain, uint64_t done) {
  if (!run_rest_due(r, chain, done)) return;
  if (x->rest->bytes) mh_walk_save(c, x->rest + 1);
  run_rest_put(r, chain, c->w);
}

static void run_chain_of(run *r, chain_state *x, mh_walk *c, int chain) {
  const int64_t warmup = r->o.warmup, total = warmup + r->o.draws * r->o.thin;
  const size_t sweep = c->t->elements, kept = sweep && r->o.steps ? (size_t)r->o.steps : sweep;
  const int64_t done = (int64_t)run_rest_begin(r, chain, c->w);
  c->changed = x->changed;
  if (done && run_rest_status(r, (uint64_t)done) == RUN_PAUSED) {
    c->status = RUN_PAUSED;
    return;
  }
  if (x->from && x->from->bytes) mh_walk_restore(c, x->from + 1);
  else if (!x->from && !mh_walk_start(c, r->o.scale)) return;
  if (done == 0) c->stale = true;
  for (int64_t t = done; t < total; t++) {
    const bool warm = t >= warmup;
    const size_t steps = warm ? kept : sweep;
    if (t == warmup) {
      eval_faults_settle(c->w);
      atomic_store_explicit(&x->warm, 1, memory_order_relaxed);
      x->warmed = run_now(r);
    }
    c->changed = warm ? x->changed : NULL;
    c->gain = warm ? 0.0 : 2.0 / rt_pow(1.0 + (double)t, 0.6);
    if (!mh_walk_scan(c, steps)) return;
    x->tally.work[warm] += c->scores;
    if (warm) {
      x->tally.accept_sum += steps ? c->accept / (double)steps : 1.0;
      if ((t - warmup + 1) % r->o.thin == 0 && !keep_draw(r, x, c, chain, steps)) return;
    }
    atomic_fetch_add_explicit(&x->done, 1, memory_order_relaxed);
    x->status = c->status = run_rest_status(r, (uint64_t)t + 1);
    rest(r, x, c, chain, (uint64_t)t + 1);
    if (c->status != RUN_OK) break;
  }
}

static void chain(void *ctx, size_t job, size_t thread, eval_worker *w) {
  mh_run *m = ctx;
  run *r = m->r;
  chain_state *x = &r->chain[job];
  mh_walk c = m->walk[thread];
  c.w = w;
  c.s = &m->scratch[thread];
  c.frame = x->frame;
  c.init_radius = r->o.init_radius;
  if (r->o.method != PLAN_MH) c.rule = MH_SLICE;
  c.key = rt_key_fold(r->o.seed, job);
  run_chain_of(r, x, &c, (int)job);
  run_rest_end(r, (int)job, c.status, w);
}

size_t run_mh_rest_bytes(const run *r) {
  const program *p = r->m->p;
  mh_tables t = {.m = r->m};
  for (size_t k = 0; k < p->nsites; k++) t.elements += p->site[k].batch;
  return mh_walk_bytes(&t, r->window);
}

/* Sites in the order of `blocks`, the others behind; NULL where the statement has none. */
static const size_t *order_of_blocks(run *r) {
  const program *p = r->m->p;
  if (r->o.nblocks == 0) return NULL;
  size_t *visits = ARENA_ARRAY(r->mem, size_t, p->nsites), n = 0;
  bool *named = ARENA_ARRAY(r->mem, bool, p->nsites);
  for (size_t k = 0; k < r->o.nblocks; k++)
    for (size_t s = 0; s < p->nsites; s++)
      if (!named[s] && program_names(r->o.blocks[k], &p->site[s])) visits[n++] = s, named[s] = true;
  for (size_t s = 0; s < p->nsites; s++)
    if (!named[s]) visits[n++] = s;
  return visits;
}

run_status run_mh(run *r) {
  mh_run m = {.r = r};
  const char *why;
  if (!mh_tables_make(&m.tables, r->m, false, r->mem, &why)) {
    r->why = why;
    return r->status = RUN_E_METHOD;
  }
  run_status st = RUN_OK;
  if (r->o.order == KERNEL_COLOURED && !mh_tables_colour(&m.tables, r->mem, r->alloc, &st, &r->faults)) return r->status = st;
  const size_t *visits = order_of_blocks(r);
  size_t threads = run_threads(r, (size_t)r->o.chains);
  m.walk = ARENA_ARRAY(r->mem, mh_walk, threads);
  m.scratch = ARENA_ARRAY(r->mem, mh_scratch, threads);
  for (size_t k = 0; k < threads; k++) {
    mh_walk_make(&m.walk[k], &m.tables, r->mem);
    m.walk[k].visits = visits;
    if (r->o.order == KERNEL_RANDOM) m.walk[k].order = ARENA_ARRAY(r->mem, size_t, m.tables.elements);
    mh_scratch_make(&m.scratch[k], &m.tables, r->mem, r->alloc);
  }
  run_rest_make(r);
  /* From here on nothing is taken from the arena, whose jump would lose the logs. */
  for (size_t k = 0; k < threads && st == RUN_OK; k++)
    if (!mh_scratch_reserve(&m.scratch[k], &m.tables)) st = RUN_E_MEMORY;
  r->status = st == RUN_OK ? run_chains(r, chain, &m) : st;
  for (size_t k = 0; k < threads; k++) mh_scratch_free(&m.scratch[k]);
  return r->status;
}
