/* run_population.c: population annealing (Hukushima and Iba 2003, Machta 2010), the sequential Monte Carlo sampler of a tempered density.
 *
 * Each chain is a population of its own.  It starts as draws from the prior; a step from beta to beta' weights the replicas by w = exp(-(beta' - beta) E),
 * multiplies the estimate of Z by their mean, resamples the population in proportion to w, and sweeps at beta'.  The
 * schedule may choose beta' from the energies (`adaptive`).  Z is unbiased in each population, so populations are joined by the mean of Z. */
#include "vm/checkpoint.h"
#include "vm/replicas.h"
#include "vm/schedule_run.h"

#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_sample.h"

#include <math.h>
#include <string.h>

/* Where a population stands between two sweeps. */
typedef struct progress {
  uint64_t t;           /* steps begun */
  uint64_t k;           /* sweeps of this one that are done */
  schedule_step step;
  double beta, log_z;
  schedule_stats stats; /* its pointer is none of this */
} progress;

typedef struct population {
  replicas x;
  schedule_run s;
  double *weight;   /* [n] */
  uint32_t *copies; /* [n] */
  uint32_t *parent; /* [n] */
  progress now;
} population;

typedef struct populations {
  run *r;
  replicas_kit kit;
  double *inputs;
  population *of; /* [chains] */
} populations;

/* Systematic resampling; replicas that are not chosen become copies of those chosen more than once. */
static void resample(population *p, double sum, double u) {
  const size_t n = p->x.n;
  double below = 0.0;
  size_t drawn = 0;
  for (size_t k = 0; k < n; k++) {
    below += p->weight[k] / sum * (double)n;
    size_t upto = k + 1 == n ? n : (size_t)ceil(below - u);
    if (upto > n) upto = n;
    p->copies[k] = (uint32_t)(upto > drawn ? upto - drawn : 0);
    if (upto > drawn) drawn = upto;
  }
  size_t free = 0;
  for (size_t k = 0; k < n; k++)
    if (p->copies[k]) p->parent[k] = (uint32_t)k;
  for (size_t k = 0; k < n; k++)
    for (; p->copies[k] > 1; p->copies[k]--) {
      while (p->copies[free]) free++;
      p->parent[free] = (uint32_t)k;
      p->copies[free] = 1;
    }
  replicas_resample(&p->x, p->parent);
}

/* Draws of density 0 are none of the prior's, which is what it would be without them. */
static bool begin(population *p, double u) {
  const size_t n = p->x.n;
  double possible = 0.0;
  for (size_t k = 0; k < n; k++) possible += p->weight[k] = replicas_possible(&p->x, k);
  if (possible < (double)n && possible > 0.0) resample(p, possible, u);
  p->now.log_z = rt_log(possible / (double)n);
  return possible > 0.0;
}

static void step_to(run *r, population *p, double d, double u) {
  const size_t n = p->x.n;
  double top = -INFINITY, sum = 0.0;
  for (size_t k = 0; k < n; k++) {
    p->weight[k] = r->rules->weight(d, p->x.energy[k]);
    if (p->weight[k] > top) top = p->weight[k];
  }
  for (size_t k = 0; k < n; k++) sum += p->weight[k] = rt_exp(p->weight[k] - top);
  p->now.log_z += top + rt_log(sum / (double)n);
  resample(p, sum, u);
}

/* ---- at rest */

static void rest(population *p, uint64_t key, rest_bytes *b) {
  rest_piece(b, &p->now, sizeof p->now);
  p->now.stats.energies = p->x.energy;
  schedule_rest(&p->s, b);
  replicas_rest(&p->x, key, 0, b);
}

/* ---- a population */

static void measure(population *p) {
  const replicas *x = &p->x;
  schedule_stats *s = &p->now.stats;
  double sum = 0.0, best = s->best;
  for (size_t k = 0; k < x->n; k++) {
    sum += x->energy[k];
    if (x->energy[k] < best) best = x->energy[k];
  }
  s->energy = sum / (double)x->n;
  if (best < s->best) s->since_best = 0;
  s->best = best;
}

static void put(run *r, size_t job, population *p, eval_worker *w) {
  chain_state *c = &r->chain[job];
  if (!run_rest_due(r, (int)job, atomic_load_explicit(&c->done, memory_order_relaxed))) return;
  if (c->rest->bytes) rest(p, 0, &(rest_bytes){.to = (char *)(c->rest + 1)});
  run_rest_put(r, (int)job, w);
}

/* From where it stands through the steps that are left. */
static run_status anneal(populations *m, size_t job, size_t thread, eval_worker *w, uint64_t key) {
  run *r = m->r;
  population *p = &m->of[job];
  replicas *x = &p->x;
  chain_state *c = &r->chain[job];
  progress *now = &p->now;
  for (;;) {
    if (now->k == now->step.sweeps) {
      measure(p);
      const schedule_state state = schedule_next(&p->s, &now->stats, &now->step);
      if (state != SCHEDULE_STEP) return state == SCHEDULE_FAILED ? RUN_E_SCHEDULE : RUN_OK;
      const double d = now->step.beta - now->beta;
      now->stats.ess = schedule_ess(x->energy, x->n, d);
      if (d != 0) step_to(r, p, d, rt_draw_uniform((rt_draw_addr){rt_key_fold(key, RUN_KEY_RESAMPLE), 0, now->t}));
      now->beta = now->step.beta;
      now->t++;
      now->k = 0;
      if (now->step.sweeps == 0) continue;
    }
    /* Scales of proposals stay: adapted to what a replica met, a step would not leave the density alone. */
    if (!replicas_sweep(x, w, thread, &now->beta, true, 0.0)) return x->status;
    now->k++;
    now->stats.sweeps++;
    now->stats.since_best++;
    now->stats.acceptance = x->accepted / (double)(x->visits ? x->visits : 1);
    atomic_fetch_add_explicit(&c->done, 1, memory_order_relaxed);
    c->status = run_stopping(r) ? RUN_STOPPED : RUN_OK;
    put(r, job, p, w);
    if (c->status != RUN_OK) return c->status;
  }
}

static run_status keep_all(populations *m, size_t job, eval_worker *w) {
  run *r = m->r;
  population *p = &m->of[job];
  chain_state *c = &r->chain[job];
  for (size_t k = 0; k < p->x.n; k++) {
    double part[3];
    replicas_state(&p->x, k, false, c->frame);
    if (!eval_density(w, c->frame, part)) return RUN_E_BOUND;
    const double stat[DRAWS_N_STATS] = {part[0] + part[1] + part[2], p->now.stats.acceptance, 0.0, 0.0, (double)p->now.stats.sweeps, 0.0, p->x.energy[k]};
    run_status st = run_keep(r, (int)job, w, c->frame, stat);
    if (st != RUN_OK) return st;
    c->tally.accept_sum += p->now.stats.acceptance;
  }
  c->tally.log_z = p->now.log_z;
  c->over = true;
  put(r, job, p, w);
  return RUN_OK;
}

static run_status run_one(populations *m, size_t job, size_t thread, eval_worker *w) {
  run *r = m->r;
  population *p = &m->of[job];
  chain_state *c = &r->chain[job];
  const uint64_t key = rt_key_fold(r->o.seed, job);
  run_rest_begin(r, (int)job, w);
  if (c->from && c->from->bytes == 0) return RUN_OK;
  if (run_stopping(r)) return RUN_STOPPED; /* a first sweep may take long */
  if (c->from) rest(p, key, &(rest_bytes){.from = (const char *)(c->from + 1)});
  else {
    if (!replicas_start(&p->x, w, thread, key, 0)) return p->x.status;
    p->now = (progress){.stats = {.best = INFINITY, .acceptance = 1.0, .ess = 1.0, .energies = p->x.energy, .n = p->x.n}};
    if (!begin(p, rt_draw_uniform((rt_draw_addr){rt_key_fold(key, RUN_KEY_RESAMPLE), 1, 0}))) return RUN_E_INIT;
    schedule_begin(&p->s, m->inputs);
  }
  const run_status st = anneal(m, job, thread, w, key);
  if (st != RUN_OK && st != RUN_E_SCHEDULE) return st;
  atomic_store(&c->warm, 1);
  return st == RUN_OK ? keep_all(m, job, w) : st;
}

static void population_job(void *ctx, size_t job, size_t thread, eval_worker *w) {
  populations *m = ctx;
  run_rest_end(m->r, (int)job, run_one(m, job, thread, w), w);
}

run_status run_population(run *r) {
  populations m = {.r = r};
  const size_t chains = (size_t)r->o.chains;
  if (!replicas_exact_start(r)) return r->status = RUN_E_METHOD;
  if (!replicas_kit_make(&m.kit, r, chains, true)) return r->status = RUN_E_METHOD;
  const schedule *s = r->o.schedule;
  m.inputs = ARENA_ARRAY(r->mem, double, s->registers);
  const char *unknown = schedule_inputs(s, r->m->p, m.inputs);
  if (unknown) {
    r->why = arena_printf(r->mem, "the schedule reads `%s`, whose value is not known", unknown);
    return r->status = RUN_E_METHOD;
  }
  m.of = ARENA_ARRAY(r->mem, population, chains);
  for (size_t c = 0; c < chains; c++) {
    population *p = &m.of[c];
    replicas_make(&p->x, &m.kit, (size_t)r->o.draws, false);
    p->x.exact = true;
    p->s = (schedule_run){.s = s, .r = ARENA_ARRAY(r->mem, double, s->registers), .slot = ARENA_ARRAY(r->mem, schedule_slot, s->slots + 1)};
    p->weight = ARENA_ARRAY(r->mem, double, p->x.n);
    p->copies = ARENA_ARRAY(r->mem, uint32_t, p->x.n);
    p->parent = ARENA_ARRAY(r->mem, uint32_t, p->x.n);
  }
  rest_bytes b = {0};
  rest(&m.of[0], 0, &b);
  r->rest_bytes = b.n;
  run_rest_make(r);
  run_status st = replicas_kit_reserve(&m.kit) ? run_jobs(r, chains, population_job, &m) : RUN_E_MEMORY;
  replicas_kit_free(&m.kit);
  if (st != RUN_OK) return r->status = st;
  st = run_join(r);
  for (size_t c = 0; c < chains && st == RUN_E_SCHEDULE && !r->why; c++) {
    r->why = m.of[c].s.why;
    r->where = m.of[c].s.where;
  }
  if (st != RUN_OK) return st;
  double top = -INFINITY, sum = 0.0, squares = 0.0, n = (double)chains;
  for (size_t c = 0; c < chains; c++)
    if (r->chain[c].tally.log_z > top) top = r->chain[c].tally.log_z;
  for (size_t c = 0; c < chains; c++) {
    double z = rt_exp(r->chain[c].tally.log_z - top);
    sum += z;
    squares += z * z;
  }
  double spread = n * squares / (sum * sum) - 1.0;
  r->log_evidence = top + rt_log(sum / n) + run_log_count(r);
  r->log_evidence_se = chains > 1 ? sqrt((spread > 0 ? spread : 0) / (n - 1.0)) : NAN;
  r->weight_ess = NAN;
  r->has_evidence = true;
  return st;
}
