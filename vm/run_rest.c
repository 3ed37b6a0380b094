/* run_rest.c: chains at rest between two transitions: when they are saved, what is counted, and how they wait for each other (run.h).
 *
 * A chain that waits is one that was saved in memory, with the very bytes that a checkpoint has: going on is the same whether the pause was for the other
 * chains or for the end of a process. */
#include "vm/checkpoint.h"

#include <string.h>

size_t run_rest_bytes(const run *r) {
  switch (r->o.method) {
  case PLAN_NUTS: return run_nuts_rest_bytes(r);
  case PLAN_MH:
  case PLAN_GIBBS:
  case PLAN_SLICE: return run_mh_rest_bytes(r);
  case PLAN_ANNEAL:
  case PLAN_CYCLE:
  case PLAN_TEMPERING:
  case PLAN_POPULATION: return r->rest_bytes ? r->rest_bytes : RUN_REST_LATER;
  default: return 0;
  }
}

void run_rest_make(run *r) {
  const size_t bytes = sizeof(checkpoint) + run_rest_bytes(r);
  for (int64_t c = 0; c < r->o.chains; c++)
    if (r->o.until.n || r->chain[c].save[0]) *(r->chain[c].rest = arena_alloc(r->mem, bytes, 1)) = (checkpoint){0};
}

static uint64_t transitions(const run *r, int64_t draws) { return (uint64_t)(r->o.warmup + draws * r->o.thin); }

void run_rest_clock(run *r, int c) {
  chain_state *x = &r->chain[c];
  x->began = run_now(r) - (x->from ? x->from->seconds[0] + x->from->seconds[1] : 0.0);
  x->warmed = 0;
}

uint64_t run_rest_begin(run *r, int c, eval_worker *w) {
  chain_state *x = &r->chain[c];
  const checkpoint *k = x->from;
  x->status = RUN_OK;
  run_rest_clock(r, c);
  if (!k) return 0;
  const bool warm = k->done > (uint64_t)r->o.warmup;
  atomic_store(&x->done, k->done);
  atomic_store(&x->divergent, k->divergent);
  atomic_store(&x->warm, warm);
  x->tally = k->tally;
  w->faults = k->faults;
  if (warm) x->warmed = x->began + k->seconds[0];
  return k->done;
}

run_status run_rest_status(const run *r, uint64_t done) {
  if (run_stopping(r)) return RUN_STOPPED;
  return done >= transitions(r, r->pause) && r->pause < r->o.draws ? RUN_PAUSED : RUN_OK;
}

static void seconds(const run *r, const chain_state *x, double out[2]) {
  const double now = run_now(r);
  out[0] = (x->warmed > 0 ? x->warmed : now) - x->began;
  out[1] = x->warmed > 0 ? now - x->warmed : 0;
}

bool run_rest_old(const run *r, int saved) {
  const int wait = 1 + (int)(run_rest_bytes(r) >> 24);
  return atomic_load_explicit(&r->tick, memory_order_relaxed) >= saved + wait;
}

/* When the one before is old, at the end of warm-up, and when the chain ends, pauses or is stopped. */
bool run_rest_due(run *r, int c, uint64_t done) {
  chain_state *x = &r->chain[c];
  if (!x->rest || (x->status != RUN_OK && x->status != RUN_STOPPED && x->status != RUN_PAUSED)) return false;
  /* Populations have as many sweeps as their schedule asks for. */
  const bool over = r->o.method == PLAN_POPULATION ? x->over : done == transitions(r, r->o.draws);
  if (!over && x->status == RUN_OK && (!x->save[0] || (done != (uint64_t)r->o.warmup && !run_rest_old(r, x->saved)))) return false;
  run_rest_head(r, c, done, over ? 0 : run_rest_bytes(r), over);
  return true;
}

void run_rest_head(run *r, int c, uint64_t done, size_t bytes, bool over) {
  chain_state *x = &r->chain[c];
  x->saved = atomic_load_explicit(&r->tick, memory_order_relaxed);
  memset(x->rest, 0, sizeof *x->rest);
  x->rest->done = done;
  x->rest->bytes = bytes;
  x->rest->over = over;
}

/* A checkpoint that cannot be written leaves the one before: a full disk is the affair of the draws. */
void run_rest_put(run *r, int c, const eval_worker *w) {
  chain_state *x = &r->chain[c];
  checkpoint *k = x->rest;
  k->fingerprint = r->fingerprint;
  k->chain = (uint64_t)c;
  k->rows = draws_added(r->store, c);
  k->divergent = atomic_load_explicit(&x->divergent, memory_order_relaxed);
  k->tally = x->tally;
  k->faults = w->faults;
  seconds(r, x, k->seconds);
  if (!x->save[0] || csv_flush(x->csv)) return; /* the next row tells */
  k->offset = csv_written(x->csv);
  checkpoint_write(x->save[0], x->save[1], k);
}

void run_rest_seconds(run *r, int c) { seconds(r, &r->chain[c], r->chain[c].seconds); }

void run_rest_end(run *r, int c, run_status st, const eval_worker *w) {
  run_chain_over(r, c, st, w);
  run_rest_seconds(r, c);
}

static int64_t next_pause(int64_t draws) {
  enum { FIRST = 100, LEAST = 50 };
  return draws == 0 ? FIRST : draws + (draws / 4 > LEAST ? draws / 4 : LEAST);
}

static run_status rounds(run *r, run_job *job, void *ctx) {
  if (r->o.until.n == 0) {
    r->pause = r->o.draws;
    return run_jobs(r, (size_t)r->o.chains, job, ctx);
  }
  r->until_hard = SIZE_MAX;
  for (r->pause = 0;;) {
    r->pause = next_pause(r->pause);
    if (r->pause > r->o.draws) r->pause = r->o.draws;
    run_status st = run_jobs(r, (size_t)r->o.chains, job, ctx);
    if (st != RUN_OK) return st;
    for (int64_t c = 0; c < r->o.chains; c++)
      if (r->chain[c].status != RUN_OK && r->chain[c].status != RUN_PAUSED) return RUN_OK;
    for (int64_t c = 0; c < r->o.chains; c++) draws_flush(r->store, (int)c);
    if ((st = run_until(r, &r->until_met)) != RUN_OK) return st;
    if (r->until_met || r->pause == r->o.draws) break;
    /* A chain that came from a checkpoint behind this pause has not moved. */
    for (int64_t c = 0; c < r->o.chains; c++)
      if (r->chain[c].rest->done) r->chain[c].from = r->chain[c].rest;
  }
  return RUN_OK;
}

run_status run_chains(run *r, run_job *job, void *ctx) {
  r->total = (uint64_t)r->o.chains * transitions(r, r->o.draws);
  run_status st = rounds(r, job, ctx);
  for (int64_t c = 0; c < r->o.chains; c++) {
    chain_state *x = &r->chain[c];
    if (x->status == RUN_PAUSED) x->status = RUN_OK;
    if (x->csv) csv_elapsed(x->csv, x->seconds[0], x->seconds[1]);
  }
  return st == RUN_OK ? run_join(r) : (r->status = st);
}
