/* run_anneal.c: simulated annealing.
 *
 * Replicas are annealed in blocks of at most 64 (512 where a spin is a bit), each under a run of the schedule of its own: what a schedule reads (energy, best, acceptance) is that of its
 * block, so blocks need not wait for each other, and a replica's fate does not depend on the number of threads.  What is kept is the best state that each replica has
 * met where energies were looked at (replicas.h), a row for each, also when the run is stopped. */
#include "vm/replicas.h"
#include "vm/schedule_run.h"

#include "stdlib/runtime/rt_philox.h"

#include <math.h>

typedef struct anneal {
  run *r;
  replicas_kit kit;
  size_t blocks, most; /* replicas in one */
  replicas *block;      /* [blocks] */
  schedule_run *schedule; /* [blocks] */
  double *inputs;
  replicas_steps *steps; /* [threads] */
  run_status *status;   /* [blocks] */
  eval_faults *faults;  /* [blocks] */
  anneal_trace *trace;  /* [blocks] */
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

/* Statistics of a block after a sweep. */
static void measure(const replicas *x, schedule_stats *s) {
  enum { APART = 4 }; /* sums and extremes that do not wait for each other */
  double sum[APART] = {0.0}, best = s->best, lowest[APART] = {best, best, best, best};
  for (size_t k = 0; k < x->n; k++) {
    const double b = x->best[k];
    sum[k % APART] += x->energy[k];
    lowest[k % APART] = b < lowest[k % APART] ? b : lowest[k % APART];
  }
  for (size_t k = 0; k < APART; k++)
    if (lowest[k] < best) best = lowest[k];
  s->energy = (sum[0] + sum[1] + sum[2] + sum[3]) / (double)x->n;
  s->since_best = best < s->best ? 0 : s->since_best + 1;
  s->best = best;
  s->acceptance = x->visits ? x->accepted / (double)x->visits : 1.0;
}

/* ---- schedules that read nothing: many sweeps to a call */

/* Sweeps of a call: enough to be worth one, few enough that a run that is to stop does so soon. */
static size_t call_length(const replicas *x) {
  enum { VISITS = 1 << 24 };
  const size_t each = x->n * x->kit->form.n, every = replicas_every(x), most = VISITS / (each ? each : 1) / every * every;
  return most < every ? every : most > REPLICAS_SWEEPS ? REPLICAS_SWEEPS : most;
}

static run_status make_sweeps(anneal *m, size_t job, schedule_stats *stats, replicas_steps *t) {
  run *r = m->r;
  replicas *x = &m->block[job];
  anneal_trace *trace = &m->trace[job];
  if (t->n == 0) return RUN_OK;
  const size_t every = replicas_every(x);
  const uint64_t visits = x->n * (r->o.kernel.proposals ? (uint64_t)r->o.kernel.proposals : x->kit->form.n);
  replicas_anneal(x, t);
  for (size_t k = 0; k < t->n; k++) {
    stats->sweeps++;
    if (stats->sweeps % every && k + 1 < t->n) continue;
    const double share = (double)(t->tally[k].flips - trace->flips) / (double)(visits * (stats->sweeps - trace->sweeps));
    trace->flips = t->tally[k].flips;
    trace->sweeps = stats->sweeps;
    anneal_trace_add(trace, (anneal_point){stats->sweeps, t->beta[k], t->tally[k].energy / (double)x->n, t->tally[k].best, share});
  }
  atomic_fetch_add_explicit(&r->chain[0].done, t->n * x->n, memory_order_relaxed);
  t->n = 0;
  return run_stopping(r) ? RUN_STOPPED : RUN_OK;
}

static run_status anneal_open(anneal *m, size_t job, size_t thread) {
  const size_t length = call_length(&m->block[job]);
  schedule_stats stats = {.best = INFINITY, .acceptance = 1.0, .ess = 1.0};
  schedule_step step;
  schedule_state state;
  replicas_steps *t = &m->steps[thread];
  t->n = 0;
  schedule_begin(&m->schedule[job], m->inputs);
  while ((state = schedule_next(&m->schedule[job], &stats, &step)) == SCHEDULE_STEP)
    for (uint64_t k = 0; k < step.sweeps; k++) {
      t->beta[t->n++] = step.beta;
      if (t->n < length) continue;
      run_status st = make_sweeps(m, job, &stats, t);
      if (st != RUN_OK) return st;
    }
  return state == SCHEDULE_DONE ? make_sweeps(m, job, &stats, t) : RUN_E_SCHEDULE;
}

/* Points that a trace has room for: no more than the schedule has sweeps, where that can be told beforehand. */
static size_t trace_room(anneal *m) {
  const schedule_stats stats = {.best = INFINITY, .acceptance = 1.0, .ess = 1.0};
  schedule_step step;
  uint64_t sweeps = 0;
  if (m->r->o.schedule->feedback) return ANNEAL_POINTS;
  schedule_begin(&m->schedule[0], m->inputs);
  while (sweeps < ANNEAL_POINTS && schedule_next(&m->schedule[0], &stats, &step) == SCHEDULE_STEP) sweeps += step.sweeps;
  return sweeps < ANNEAL_POINTS ? (size_t)(sweeps + 2) / 2 * 2 : ANNEAL_POINTS;
}

/* ---- any schedule, any model */

static run_status anneal_block(anneal *m, size_t job, size_t thread, eval_worker *w) {
  run *r = m->r;
  replicas *x = &m->block[job];
  schedule_run *s = &m->schedule[job];
  schedule_stats stats = {.best = INFINITY, .ess = 1.0, .energies = x->energy, .n = x->n};
  schedule_step step;
  double beta = 0.0;
  if (!replicas_start(x, w, thread, rt_key_fold(r->o.seed, job), 0)) return x->status;
  if (m->kit.spins && !r->o.schedule->feedback) return anneal_open(m, job, thread);
  x->sparing = m->kit.spins;
  measure(x, &stats);
  stats.since_best = 0;
  schedule_begin(s, m->inputs);
  const size_t every = m->kit.spins ? replicas_every(x) : 1;
  schedule_state state;
  while ((state = schedule_next(s, &stats, &step)) == SCHEDULE_STEP) {
    if (r->o.schedule->weighs && step.beta != beta) stats.ess = schedule_ess(x->energy, x->n, step.beta - beta);
    beta = step.beta;
    for (uint64_t k = 0; k < step.sweeps; k++) {
      const double gain = r->m->p->dim ? 2.0 / pow(1.0 + (double)stats.sweeps, 0.6) : 0.0;
      if (!replicas_sweep(x, w, thread, &beta, true, gain)) return x->status;
      stats.sweeps++;
      measure(x, &stats);
      m->trace[job].sweeps = stats.sweeps;
      if (stats.sweeps % every == 0) anneal_trace_add(&m->trace[job], (anneal_point){stats.sweeps, beta, stats.energy, stats.best, stats.acceptance});
      if (run_stopping(r)) break;
    }
    if (run_stopping(r)) break;
    atomic_fetch_add_explicit(&r->chain[0].done, step.sweeps * x->n, memory_order_relaxed);
  }
  if (m->kit.spins) replicas_look(x);
  if (state == SCHEDULE_STEP) return RUN_STOPPED;
  if (state == SCHEDULE_DONE) return RUN_OK;
  return RUN_E_SCHEDULE;
}

static void anneal_job(void *ctx, size_t job, size_t thread, eval_worker *w) {
  anneal *m = ctx;
  m->status[job] = anneal_block(m, job, thread, w);
  if (m->status[job] != RUN_OK && m->status[job] != RUN_STOPPED) atomic_store_explicit(m->r->stop, 1, memory_order_relaxed);
  m->faults[job] = w->faults;
}

static void keep(void *ctx, size_t job, size_t thread, eval_worker *w) {
  (void)job, (void)thread;
  anneal *m = ctx;
  run *r = m->r;
  chain_state *x = &r->chain[0];
  atomic_store(&x->warm, 1);
  for (size_t b = 0; b < m->blocks; b++)
    for (size_t k = 0; k < m->block[b].n; k++) {
      double part[3];
      replicas_state(&m->block[b], k, true, x->frame);
      if (!eval_density(w, x->frame, part)) {
        x->status = RUN_E_BOUND;
        return;
      }
      const replicas *block = &m->block[b];
      const double accept = block->visits ? block->accepted / (double)block->visits : 1.0;
      const double stats[DRAWS_N_STATS] = {part[0] + part[1] + part[2], accept, 0.0, 0.0, (double)m->trace[b].sweeps, 0.0, block->best[k]};
      if ((x->status = run_keep(r, 0, w, x->frame, stats)) != RUN_OK) return;
      x->accept_sum += accept;
    }
}

/* The best of all, for whoever tells the result. */
static void tell(anneal *m) {
  anneal_result *out = &m->r->annealed;
  out->best = INFINITY;
  double sum = 0.0;
  for (size_t b = 0; b < m->blocks; b++) {
    const replicas *x = &m->block[b];
    if (m->trace[b].sweeps > out->sweeps) out->sweeps = m->trace[b].sweeps;
    for (size_t k = 0; k < x->n; k++) {
      sum += x->best[k];
      if (x->best[k] >= out->best) continue;
      out->best = x->best[k];
      out->replica = b * m->most + k;
    }
  }
  for (size_t b = 0; b < m->blocks; b++)
    for (size_t k = 0; k < m->block[b].n; k++) out->reached += m->block[b].best[k] <= out->best + 1e-9 * fabs(out->best);
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
  m.block = ARENA_ARRAY(r->mem, replicas, m.blocks);
  m.schedule = ARENA_ARRAY(r->mem, schedule_run, m.blocks);
  m.status = ARENA_ARRAY(r->mem, run_status, m.blocks);
  m.faults = ARENA_ARRAY(r->mem, eval_faults, m.blocks);
  m.trace = ARENA_ARRAY(r->mem, anneal_trace, m.blocks);
  m.steps = ARENA_ARRAY(r->mem, replicas_steps, m.kit.threads);
  size_t points = 0;
  for (size_t b = 0; b < m.blocks; b++) {
    replicas_make(&m.block[b], &m.kit, b + 1 < m.blocks ? m.most : replicas_all - b * m.most, true);
    m.schedule[b] = (schedule_run){.s = r->o.schedule, .r = ARENA_ARRAY(r->mem, double, r->o.schedule->registers),
                                   .slot = ARENA_ARRAY(r->mem, schedule_slot, r->o.schedule->slots + 1)};
    if (b == 0) points = trace_room(&m);
    m.trace[b] = (anneal_trace){.stride = 1, .point = ARENA_ARRAY(r->mem, anneal_point, points), .most = points};
  }
  run_status st = replicas_kit_reserve(&m.kit) ? run_jobs(r, m.blocks, anneal_job, &m) : RUN_E_MEMORY;
  for (size_t b = 0; b < m.blocks; b++) {
    eval_faults_merge(&r->faults, &m.faults[b]);
    if (st == RUN_OK || (st == RUN_STOPPED && m.status[b] != RUN_OK)) st = m.status[b];
    if (m.status[b] != RUN_E_SCHEDULE) continue;
    r->why = m.schedule[b].why;
    r->where = m.schedule[b].where;
  }
  if (st == RUN_OK || st == RUN_STOPPED) {
    tell(&m);
    run_status kept = run_jobs(r, 1, keep, &m);
    if (kept == RUN_OK) kept = r->chain[0].status;
    if (kept != RUN_OK) st = kept;
  }
  replicas_kit_free(&m.kit);
  return r->status = st;
}
