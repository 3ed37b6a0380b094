/* run_anneal.c: simulated annealing.
 *
 * Replicas are annealed in blocks of at most 64 (512 where a spin is a bit), each under a run of the schedule of its own: what a schedule reads (energy, best, acceptance) is that of its
 * block, so blocks need not wait for each other, and a replica's fate does not depend on the number of threads.  What is kept is the best state that each replica has
 * met where energies were looked at (replicas.h), a row for each, also when the run is stopped. */
#include "vm/checkpoint.h"
#include "vm/replicas.h"
#include "vm/schedule_run.h"

#include "stdlib/runtime/rt_philox.h"

#include <math.h>
#include <pthread.h>

/* Where a block stands between two sweeps, or two calls of many. */
typedef struct progress {
  schedule_step step;
  uint64_t k;           /* sweeps of this one that are done */
  double beta;          /* of the last step */
  schedule_stats stats; /* its pointer is none of this */
  bool begun, over;
} progress;

typedef struct block {
  replicas x;
  schedule_run schedule;
  progress now;
  anneal_trace *trace;
  run_status status;
  eval_faults faults;
  size_t at;     /* of its bytes, among those of all blocks */
  int saved;     /* the tick when they were written there */
} block;

typedef struct anneal {
  run *r;
  replicas_kit kit;
  size_t blocks, most; /* replicas in one */
  block *block;         /* [blocks] */
  double *inputs;
  replicas_steps *steps; /* [threads] */
  anneal_trace *trace;  /* [blocks] */
  size_t over;          /* blocks that have ended, under */
  pthread_mutex_t lock; /* of the bytes of blocks at rest, which are one checkpoint */
} anneal;

void anneal_trace_add(anneal_trace *t, anneal_point p) {
  if (p.sweep % t->stride) return;
  if (t->n == t->most) { /* half of them say as much of twice the time */
    for (size_t k = 0; k < t->most / 2; k++) t->point[k] = t->point[2 * k];
    t->n = t->most / 2;
    t->stride *= 2;
    if (p.sweep % t->stride) return;
  }
  t->point[t->n++] = p;
}

/* ---- at rest.  A checkpoint holds the blocks as each of them stood when it was last saved; those that have not begun are as they were made.  It counts no rows:
 * they are made when all blocks are over, and made again from these where the run goes on. */

static uint64_t key_of(const anneal *m, const block *b) { return rt_key_fold(m->r->o.seed, (uint64_t)(b - m->block)); }

static void pieces(anneal *m, block *b, rest_bytes *at) {
  anneal_point *const point = b->trace->point;
  rest_piece(at, &b->now, sizeof b->now);
  b->now.stats.energies = b->x.energy;
  rest_piece(at, &b->faults, sizeof b->faults);
  rest_piece(at, point, b->trace->most * sizeof *point);
  rest_piece(at, b->trace, sizeof *b->trace);
  b->trace->point = point;
  schedule_rest(&b->schedule, at);
  if (!at->from || b->now.begun) replicas_rest(&b->x, key_of(m, b), 0, at);
}

/* After a sweep, at the end of a block, and where it is stopped: `last` of its calls. */
static void rest(anneal *m, block *b, const eval_worker *w, bool last) {
  run *r = m->r;
  chain_state *x = &r->chain[0];
  if (!x->rest || (!last && !run_rest_old(r, b->saved))) return;
  b->saved = atomic_load_explicit(&r->tick, memory_order_relaxed);
  b->faults = w->faults;
  pthread_mutex_lock(&m->lock);
  m->over += b->now.over;
  pieces(m, b, &(rest_bytes){.to = (char *)(x->rest + 1) + b->at});
  if (last || run_rest_old(r, x->saved)) {
    run_rest_head(r, 0, atomic_load_explicit(&x->done, memory_order_relaxed), r->rest_bytes, m->over == m->blocks);
    run_rest_put(r, 0, w);
  }
  pthread_mutex_unlock(&m->lock);
}

/* Room for all blocks, as they have been made or as they were at rest. */
static void rest_make(anneal *m) {
  run *r = m->r;
  chain_state *x = &r->chain[0];
  const char *from = x->from ? (const char *)(x->from + 1) : NULL;
  rest_bytes all = {0};
  for (size_t k = 0; k < m->blocks; k++) {
    m->block[k].at = all.n;
    pieces(m, &m->block[k], &all);
  }
  r->rest_bytes = all.n;
  run_rest_make(r);
  for (size_t k = 0; k < m->blocks; k++) {
    block *b = &m->block[k];
    if (from) pieces(m, b, &(rest_bytes){.from = from + b->at});
    if (from && b->now.begun) atomic_fetch_add_explicit(&x->done, b->now.stats.sweeps * b->x.n, memory_order_relaxed);
    if (x->rest) pieces(m, b, &(rest_bytes){.to = (char *)(x->rest + 1) + b->at});
    m->over += b->now.over;
  }
}

/* Statistics of a block after a sweep. */
static void measure(const replicas *x, schedule_stats *s) {
  const double best = x->tally.best;
  s->energy = x->tally.energy / (double)x->n;
  s->since_best = best < s->best ? 0 : s->since_best + 1;
  if (best < s->best) s->best = best;
  s->acceptance = x->visits ? x->accepted / (double)x->visits : 1.0;
}

/* ---- schedules that read nothing: many sweeps to a call */

/* Sweeps of a call: enough to be worth one, few enough that a run that is to stop does so soon. */
static size_t call_length(const replicas *x) {
  enum { VISITS = 1 << 24 };
  const size_t each = x->n * x->kit->form.n, every = replicas_every(x), most = VISITS / (each ? each : 1) / every * every;
  return most < every ? every : most > REPLICAS_SWEEPS ? REPLICAS_SWEEPS : most;
}

static void make_sweeps(anneal *m, block *b, replicas_steps *t) {
  run *r = m->r;
  replicas *x = &b->x;
  anneal_trace *trace = b->trace;
  if (t->n == 0) return;
  const size_t every = replicas_every(x);
  const uint64_t visits = x->n * (r->o.kernel.proposals ? (uint64_t)r->o.kernel.proposals : x->kit->form.n);
  replicas_anneal(x, t);
  for (size_t k = 0; k < t->n; k++) {
    const uint64_t sweeps = ++b->now.stats.sweeps;
    if (sweeps % every && k + 1 < t->n) continue;
    const double share = (double)(t->tally[k].flips - trace->flips) / (double)(visits * (sweeps - trace->sweeps));
    trace->flips = t->tally[k].flips;
    trace->sweeps = sweeps;
    anneal_trace_add(trace, (anneal_point){sweeps, t->beta[k], t->tally[k].energy / (double)x->n, t->tally[k].best, share});
  }
  atomic_fetch_add_explicit(&r->chain[0].done, t->n * x->n, memory_order_relaxed);
  t->n = 0;
}

static run_status anneal_open(anneal *m, block *b, size_t thread, eval_worker *w) {
  const size_t length = call_length(&b->x);
  progress *now = &b->now;
  schedule_state state;
  replicas_steps *t = &m->steps[thread];
  t->n = 0;
  do {
    while (now->k < now->step.sweeps) {
      t->beta[t->n++] = now->step.beta;
      now->k++;
      if (t->n < length) continue;
      make_sweeps(m, b, t);
      const bool stop = run_stopping(m->r);
      rest(m, b, w, stop);
      if (stop) return RUN_STOPPED;
    }
    now->k = 0;
    state = schedule_next(&b->schedule, &now->stats, &now->step);
  } while (state == SCHEDULE_STEP);
  if (state != SCHEDULE_DONE) return RUN_E_SCHEDULE;
  make_sweeps(m, b, t);
  return RUN_OK;
}

/* Points that a trace has room for: no more than the schedule has sweeps, where that can be told beforehand. */
static size_t trace_room(anneal *m) {
  const schedule_stats stats = {.best = INFINITY, .acceptance = 1.0, .ess = 1.0};
  schedule_step step;
  uint64_t sweeps = 0;
  if (m->r->o.schedule->feedback) return ANNEAL_POINTS;
  schedule_begin(&m->block[0].schedule, m->inputs);
  while (sweeps < ANNEAL_POINTS && schedule_next(&m->block[0].schedule, &stats, &step) == SCHEDULE_STEP) sweeps += step.sweeps;
  return sweeps < ANNEAL_POINTS ? (size_t)(sweeps + 2) / 2 * 2 : ANNEAL_POINTS;
}

/* ---- any schedule, any model */

static run_status anneal_watched(anneal *m, block *b, size_t thread, eval_worker *w) {
  run *r = m->r;
  replicas *x = &b->x;
  progress *now = &b->now;
  schedule_stats *stats = &now->stats;
  const size_t every = m->kit.spins ? replicas_every(x) : 1;
  for (;;) {
    if (now->k == now->step.sweeps) {
      now->k = 0;
      if (x->sparing && r->o.schedule->weighs) replicas_read(x);
      const schedule_state state = schedule_next(&b->schedule, stats, &now->step);
      if (m->kit.spins && state != SCHEDULE_STEP) replicas_look(x);
      if (state != SCHEDULE_STEP) return state == SCHEDULE_DONE ? RUN_OK : RUN_E_SCHEDULE;
      if (r->o.schedule->weighs && now->step.beta != now->beta) stats->ess = schedule_ess(x->energy, x->n, now->step.beta - now->beta);
      now->beta = now->step.beta;
      if (now->step.restart && !replicas_restart(x, w)) return x->status;
      if (now->step.restart) stats->since_best = 0;
    }
    const double gain = r->m->p->dim ? 2.0 / pow(1.0 + (double)stats->sweeps, 0.6) : 0.0;
    if (!replicas_sweep(x, w, thread, &now->beta, true, gain)) return x->status;
    stats->sweeps++;
    measure(x, stats);
    b->trace->sweeps = stats->sweeps;
    if (stats->sweeps % every == 0) anneal_trace_add(b->trace, (anneal_point){stats->sweeps, now->beta, stats->energy, stats->best, stats->acceptance});
    if (++now->k == now->step.sweeps) atomic_fetch_add_explicit(&r->chain[0].done, now->k * x->n, memory_order_relaxed);
    const bool stop = run_stopping(r);
    rest(m, b, w, stop);
    if (!stop) continue;
    if (m->kit.spins) replicas_look(x);
    return RUN_STOPPED;
  }
}

static run_status anneal_block(anneal *m, block *b, size_t thread, eval_worker *w) {
  const bool open = m->kit.spins && !m->r->o.schedule->feedback;
  progress *now = &b->now;
  w->faults = b->faults;
  if (now->over) return RUN_OK;
  b->x.sparing = m->kit.spins && !open;
  if (!now->begun) {
    if (!replicas_start(&b->x, w, thread, key_of(m, b), 0)) return b->x.status;
    schedule_begin(&b->schedule, m->inputs);
    if (!open) measure(&b->x, &now->stats);
    now->stats.since_best = 0;
    now->begun = true;
  }
  const run_status st = open ? anneal_open(m, b, thread, w) : anneal_watched(m, b, thread, w);
  if (st != RUN_OK) return st;
  now->over = true;
  rest(m, b, w, true);
  return RUN_OK;
}

static void anneal_job(void *ctx, size_t job, size_t thread, eval_worker *w) {
  anneal *m = ctx;
  block *b = &m->block[job];
  b->status = anneal_block(m, b, thread, w);
  if (b->status != RUN_OK && b->status != RUN_STOPPED) atomic_store_explicit(m->r->stop, 1, memory_order_relaxed);
  b->faults = w->faults;
}

static run_status keep_all(anneal *m, eval_worker *w) {
  run *r = m->r;
  chain_state *x = &r->chain[0];
  for (size_t b = 0; b < m->blocks; b++)
    for (size_t k = 0; k < m->block[b].x.n; k++) {
      double part[3];
      replicas_state(&m->block[b].x, k, true, x->frame);
      if (!eval_density(w, x->frame, part)) return RUN_E_BOUND;
      const replicas *block = &m->block[b].x;
      const double accept = block->visits ? block->accepted / (double)block->visits : 1.0;
      const double stats[DRAWS_N_STATS] = {part[0] + part[1] + part[2], accept, 0.0, 0.0, (double)m->trace[b].sweeps, 0.0, block->best[k]};
      const run_status st = run_keep(r, 0, w, x->frame, stats);
      if (st != RUN_OK) return st;
      x->tally.accept_sum += accept;
    }
  return RUN_OK;
}

static void keep(void *ctx, size_t job, size_t thread, eval_worker *w) {
  (void)job, (void)thread;
  anneal *m = ctx;
  atomic_store(&m->r->chain[0].warm, 1);
  run_chain_over(m->r, 0, keep_all(m, w), w);
}

/* The best of all, for whoever tells the result. */
static void tell(anneal *m) {
  anneal_result *out = &m->r->annealed;
  out->best = INFINITY;
  double sum = 0.0;
  for (size_t b = 0; b < m->blocks; b++) {
    const replicas *x = &m->block[b].x;
    if (m->trace[b].sweeps > out->sweeps) out->sweeps = m->trace[b].sweeps;
    for (size_t k = 0; k < x->n; k++) {
      sum += x->best[k];
      if (x->best[k] >= out->best) continue;
      out->best = x->best[k];
      out->replica = b * m->most + k;
    }
  }
  for (size_t b = 0; b < m->blocks; b++)
    for (size_t k = 0; k < m->block[b].x.n; k++) out->reached += m->block[b].x.best[k] <= out->best + 1e-9 * fabs(out->best);
  out->mean = sum / (double)m->r->o.draws;
  out->trace = m->trace;
  out->blocks = m->blocks;
}

run_status run_anneal(run *r) {
  anneal m = {.r = r};
  const size_t replicas_all = (size_t)r->o.draws;
  if (!replicas_kit_make(&m.kit, r, replicas_all, true)) return r->status = RUN_E_METHOD;
  m.most = replicas_block(&m.kit, replicas_all);
  m.blocks = (replicas_all + m.most - 1) / m.most;
  m.inputs = ARENA_ARRAY(r->mem, double, r->o.schedule->registers);
  const char *unknown = schedule_inputs(r->o.schedule, r->m->p, m.inputs);
  if (unknown) {
    r->why = arena_printf(r->mem, "the schedule reads `%s`, whose value is not known", unknown);
    return r->status = RUN_E_METHOD;
  }
  m.block = ARENA_ARRAY(r->mem, block, m.blocks);
  m.trace = ARENA_ARRAY(r->mem, anneal_trace, m.blocks);
  m.steps = ARENA_ARRAY(r->mem, replicas_steps, m.kit.threads);
  size_t points = 0;
  for (size_t k = 0; k < m.blocks; k++) {
    block *b = &m.block[k];
    replicas_make(&b->x, &m.kit, k + 1 < m.blocks ? m.most : replicas_all - k * m.most, true);
    b->now.stats = (schedule_stats){.best = INFINITY, .acceptance = 1.0, .ess = 1.0, .energies = b->x.energy, .n = b->x.n};
    b->schedule = (schedule_run){.s = r->o.schedule, .r = ARENA_ARRAY(r->mem, double, r->o.schedule->registers),
                                 .slot = ARENA_ARRAY(r->mem, schedule_slot, r->o.schedule->slots + 1)};
    if (k == 0) points = trace_room(&m);
    b->trace = &m.trace[k];
    *b->trace = (anneal_trace){.stride = 1, .point = ARENA_ARRAY(r->mem, anneal_point, points), .most = points};
  }
  rest_make(&m);
  run_rest_clock(r, 0);
  if (pthread_mutex_init(&m.lock, NULL)) return r->status = RUN_E_MEMORY;
  run_status st = replicas_kit_reserve(&m.kit) ? run_jobs(r, m.blocks, anneal_job, &m) : RUN_E_MEMORY;
  pthread_mutex_destroy(&m.lock);
  run_rest_seconds(r, 0);
  for (size_t k = 0; k < m.blocks; k++) {
    const block *b = &m.block[k];
    eval_faults_merge(&r->faults, &b->faults);
    if (st == RUN_OK || (st == RUN_STOPPED && b->status != RUN_OK)) st = b->status;
    if (b->status != RUN_E_SCHEDULE) continue;
    r->why = b->schedule.why;
    r->where = b->schedule.where;
  }
  if (st == RUN_OK || st == RUN_STOPPED) {
    tell(&m);
    run_status kept = run_jobs(r, 1, keep, &m);
    if (kept == RUN_OK) kept = run_join(r);
    if (kept != RUN_OK) st = kept;
  }
  replicas_kit_free(&m.kit);
  return r->status = st;
}
