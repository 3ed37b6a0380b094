/* run_tempering.c: parallel tempering (replica exchange: Swendsen and Wang 1986, Geyer 1991).
 *
 * Each chain is a ladder: one replica on each rung, all swept at their rung's inverse temperature, then neighbours exchange rungs with
 *
 *     min(1, exp((beta[i+1] - beta[i]) (E of the replica on i+1 - E of that on i)))
 *
 * pairs of even and of odd i in turn (deterministic even-odd order: Okabe et al. 2001).  Replicas keep their state and change rungs.  During warm-up the inner
 * rungs move to where all neighbours reject alike: the cumulative rejection is interpolated linearly in beta and cut into equal parts (Syed, Bouchard-Cote,
 * Deligiannidis and Doucet 2022, algorithm 4), after rounds that double in length.  Draws are of the last rung.
 *
 * log Z comes by bridging between neighbours at the geometric mean of their densities (Bennett 1976, Meng and Wong 1996), and starts from the
 * counting measure of the prior, so it is there for ladders that begin at 0:
 *
 *     Z[i+1] / Z[i] = <exp(-d E / 2)> on rung i  /  <exp(d E / 2)> on rung i+1,    d = beta[i+1] - beta[i] */
#include "vm/checkpoint.h"
#include "vm/replicas.h"
#include "vm/schedule_run.h"

#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_sample.h"

#include <math.h>
#include <string.h>

/* A mean of exponentials: sum = sum of exp(x - top). */
typedef struct log_mean {
  double top, sum, n;
} log_mean;

static void log_mean_add(log_mean *m, double x) {
  if (m->n == 0 || x > m->top) {
    m->sum = m->n == 0 ? 0.0 : m->sum * rt_exp(m->top - x);
    m->top = x;
  }
  m->sum += rt_exp(x - m->top);
  m->n += 1.0;
}

static double log_mean_get(const log_mean *m) { return m->top + rt_log(m->sum / m->n); }

typedef struct ladder {
  replicas x;
  double *beta;        /* [rungs] */
  double *of;          /* [rungs] beta of each replica */
  size_t *at;          /* [rungs] replica on a rung */
  double *rejected;    /* [rungs - 1] in this round, */
  double *tried;       /* of so many exchanges */
  double *next;        /* [rungs] */
  log_mean *up, *down; /* [rungs - 1] */
  int64_t round;       /* the rungs move after so many transitions */
} ladder;

typedef struct tempering {
  run *r;
  replicas_kit kit;
  size_t rungs;
  uint64_t sweeps;     /* between exchanges: the most that any rung asks for */
  ladder *of;          /* [chains] */
} tempering;

static double exchange_ratio(double beta_low, double beta_high, double energy_low, double energy_high) {
  return (beta_high - beta_low) * (energy_high - energy_low);
}

static double step_weight(double step, double energy) { return -step * energy; }

const temper_rules temper_exact = {exchange_ratio, step_weight};

static void exchange(tempering *m, ladder *l, uint64_t key, uint64_t t) {
  for (size_t i = t & 1; i + 1 < m->rungs; i += 2) {
    size_t a = l->at[i], b = l->at[i + 1];
    double r = m->r->rules->exchange(l->beta[i], l->beta[i + 1], l->x.energy[a], l->x.energy[b]);
    double p = mh_acceptance(false, 0.0, r);
    l->tried[i] += 1.0;
    l->rejected[i] += 1.0 - p;
    if (!(p >= 1.0 || rt_draw_uniform((rt_draw_addr){key, (uint32_t)i, t}) < p)) continue;
    l->at[i] = b;
    l->at[i + 1] = a;
    l->of[b] = l->beta[i];
    l->of[a] = l->beta[i + 1];
  }
}

/* Rungs at equal parts of the cumulative rejection. */
static void move_rungs(tempering *m, ladder *l) {
  const size_t n = m->rungs;
  double total = 0.0;
  for (size_t i = 0; i + 1 < n; i++) {
    double r = l->tried[i] > 0 ? l->rejected[i] / l->tried[i] : 0.0;
    total += l->next[i] = r > 1e-3 ? r : 1e-3;
    l->tried[i] = l->rejected[i] = 0.0;
  }
  double from = 0.0, *width = l->next, last = l->beta[n - 1], below = l->beta[0];
  size_t i = 0;
  for (size_t k = 1; k + 1 < n; k++) {
    double want = total * (double)k / (double)(n - 1);
    while (i + 2 < n && from + width[i] < want) from += width[i++], below = l->of[i];
    double above = i + 2 == n ? last : l->of[i + 1];
    l->beta[k] = below + (above - below) * (want - from) / width[i];
  }
  for (size_t k = 0; k < n; k++) l->of[l->at[k]] = l->beta[k];
}

static void gather(tempering *m, ladder *l) {
  for (size_t i = 0; i + 1 < m->rungs; i++) {
    double d = l->beta[i + 1] - l->beta[i];
    log_mean_add(&l->up[i], -0.5 * d * l->x.energy[l->at[i]]);
    log_mean_add(&l->down[i], 0.5 * d * l->x.energy[l->at[i + 1]]);
  }
}

/* ---- at rest */

static void ladder_rest(ladder *l, size_t rungs, uint64_t key, rest_bytes *b) {
  const size_t pairs = rungs - 1;
  rest_piece(b, &l->round, sizeof l->round);
  rest_piece(b, l->beta, rungs * sizeof *l->beta);
  rest_piece(b, l->of, rungs * sizeof *l->of);
  rest_piece(b, l->at, rungs * sizeof *l->at);
  rest_piece(b, l->rejected, pairs * sizeof *l->rejected);
  rest_piece(b, l->tried, pairs * sizeof *l->tried);
  rest_piece(b, l->up, pairs * sizeof *l->up);
  rest_piece(b, l->down, pairs * sizeof *l->down);
  replicas_rest(&l->x, key, 0, b);
}

/* ---- a chain */

static run_status keep_draw(tempering *m, size_t job, eval_worker *w) {
  run *r = m->r;
  chain_state *c = &r->chain[job];
  const replicas *x = &m->of[job].x;
  const size_t k = m->of[job].at[m->rungs - 1];
  double part[3];
  replicas_state(x, k, false, c->frame);
  if (!eval_density(w, c->frame, part)) return RUN_E_BOUND;
  const double stats[DRAWS_N_STATS] = {part[0] + part[1] + part[2], x->accepted / (double)(x->visits ? x->visits : 1), 0.0, 0.0, (double)x->visits, 0.0, x->energy[k]};
  return run_keep(r, (int)job, w, c->frame, stats);
}

static double evidence_of(const tempering *m, const ladder *l) {
  double log_z = 0.0;
  for (size_t i = 0; i + 1 < m->rungs; i++) log_z += log_mean_get(&l->up[i]) - log_mean_get(&l->down[i]);
  return log_z;
}

static run_status begin(tempering *m, size_t job, size_t thread, eval_worker *w, uint64_t key) {
  const chain_state *c = &m->r->chain[job];
  ladder *l = &m->of[job];
  if (c->from) {
    if (c->from->bytes) ladder_rest(l, m->rungs, key, &(rest_bytes){.from = (const char *)(c->from + 1)});
    return RUN_OK;
  }
  if (!replicas_start(&l->x, w, thread, key, 0)) return l->x.status;
  for (size_t k = 0; k < m->rungs; k++) l->at[k] = k, l->of[k] = l->beta[k];
  l->round = 16;
  return RUN_OK;
}

static run_status temper(tempering *m, size_t job, size_t thread, eval_worker *w) {
  run *r = m->r;
  chain_state *c = &r->chain[job];
  ladder *l = &m->of[job];
  replicas *x = &l->x;
  const uint64_t key = rt_key_fold(r->o.seed, job);
  const int64_t warmup = r->o.warmup, total = warmup + r->o.draws * r->o.thin, done = (int64_t)run_rest_begin(r, (int)job, w);
  run_status st = begin(m, job, thread, w, key);
  for (int64_t t = done; t < total && st == RUN_OK; t++) {
    const bool warm = t >= warmup;
    const double gain = warm ? 0.0 : 2.0 / rt_pow(1.0 + (double)t, 0.6);
    if (t == warmup) {
      atomic_store_explicit(&c->warm, 1, memory_order_relaxed);
      c->warmed = run_now(r);
    }
    for (uint64_t k = 0; k < m->sweeps; k++)
      if (!replicas_sweep(x, w, thread, l->of, false, gain)) return x->status;
    exchange(m, l, rt_key_fold(key, RUN_KEY_EXCHANGE), (uint64_t)t);
    if (!warm && t + 1 == l->round && 2 * l->round <= warmup) {
      /* Betas of the round before are read from `of`, sorted by rung. */
      for (size_t k = 0; k < m->rungs; k++) l->of[k] = l->beta[k];
      move_rungs(m, l);
      l->round *= 2;
    }
    if (warm) {
      gather(m, l);
      c->tally.accept_sum += x->accepted / (double)(x->visits ? x->visits : 1);
      if ((t - warmup + 1) % r->o.thin == 0 && (st = keep_draw(m, job, w)) != RUN_OK) return st;
    }
    if (t + 1 == total) c->tally.log_z = evidence_of(m, l);
    atomic_fetch_add_explicit(&c->done, 1, memory_order_relaxed);
    st = c->status = run_rest_status(r, (uint64_t)t + 1);
    if (!run_rest_due(r, (int)job, (uint64_t)t + 1)) continue;
    if (c->rest->bytes) ladder_rest(l, m->rungs, key, &(rest_bytes){.to = (char *)(c->rest + 1)});
    run_rest_put(r, (int)job, w);
  }
  return st;
}

static void temper_job(void *ctx, size_t job, size_t thread, eval_worker *w) {
  tempering *m = ctx;
  run_rest_end(m->r, (int)job, temper(m, job, thread, w), w);
}

size_t temper_ladder(run *r, double **beta, uint64_t *sweeps) {
  const schedule *s = r->o.schedule;
  double *inputs = ARENA_ARRAY(r->mem, double, s->registers);
  schedule_run x = {.s = s, .r = ARENA_ARRAY(r->mem, double, s->registers), .slot = ARENA_ARRAY(r->mem, schedule_slot, s->slots + 1)};
  const char *unknown = schedule_inputs(s, r->m->p, inputs);
  if (unknown) {
    r->why = arena_printf(r->mem, "the ladder reads `%s`, whose value is not known", unknown);
    r->status = RUN_E_METHOD;
    return 0;
  }
  const schedule_stats none = {.acceptance = 1.0, .ess = 1.0};
  schedule_step step;
  schedule_state state;
  size_t n = 0, cap = 0;
  *beta = NULL;
  *sweeps = 1;
  schedule_begin(&x, inputs);
  while ((state = schedule_next(&x, &none, &step)) == SCHEDULE_STEP && n <= TEMPER_MOST_RUNGS) {
    ARENA_PUSH(r->mem, *beta, n, cap, step.beta);
    if (step.sweeps > *sweeps) *sweeps = step.sweeps;
  }
  if (state == SCHEDULE_FAILED) {
    r->why = x.why;
    r->where = x.where;
    r->status = RUN_E_SCHEDULE;
    return 0;
  }
  for (size_t k = 1; k < n && !r->why; k++)
    if (!((*beta)[k] > (*beta)[k - 1])) r->why = "the rungs of a ladder rise: each inverse temperature is above the one before";
  if (n == 0) r->why = "the ladder has no rung";
  if (n > TEMPER_MOST_RUNGS) r->why = arena_printf(r->mem, "the ladder has more than %d rungs", TEMPER_MOST_RUNGS);
  if (!r->why) return n;
  r->status = RUN_E_METHOD;
  return 0;
}

/* Chains are independent: their spread is the error. */
static void join_evidence(run *r, const double *log_z, size_t n) {
  double mean = 0.0, spread = 0.0;
  for (size_t k = 0; k < n; k++) mean += log_z[k] / (double)n;
  for (size_t k = 0; k < n; k++) spread += (log_z[k] - mean) * (log_z[k] - mean);
  r->log_evidence = mean + run_log_count(r);
  r->log_evidence_se = n > 1 ? sqrt(spread / (double)(n - 1) / (double)n) : NAN;
  r->weight_ess = NAN;
  r->has_evidence = true;
}

run_status run_tempering(run *r) {
  tempering m = {.r = r};
  double *beta;
  m.rungs = temper_ladder(r, &beta, &m.sweeps);
  if (m.rungs == 0) return r->status;
  const size_t chains = (size_t)r->o.chains, pairs = m.rungs - 1;
  if (!replicas_kit_make(&m.kit, r, chains, false)) return r->status = RUN_E_METHOD;
  m.of = ARENA_ARRAY(r->mem, ladder, chains);
  for (size_t c = 0; c < chains; c++) {
    ladder *l = &m.of[c];
    replicas_make(&l->x, &m.kit, m.rungs, false);
    l->beta = ARENA_ARRAY(r->mem, double, m.rungs);
    memcpy(l->beta, beta, m.rungs * sizeof *beta);
    l->of = ARENA_ARRAY(r->mem, double, m.rungs);
    l->next = ARENA_ARRAY(r->mem, double, m.rungs);
    l->at = ARENA_ARRAY(r->mem, size_t, m.rungs);
    l->rejected = ARENA_ARRAY(r->mem, double, pairs + 1);
    l->tried = ARENA_ARRAY(r->mem, double, pairs + 1);
    l->up = ARENA_ARRAY(r->mem, log_mean, pairs + 1);
    l->down = ARENA_ARRAY(r->mem, log_mean, pairs + 1);
  }
  rest_bytes b = {0};
  ladder_rest(&m.of[0], m.rungs, 0, &b);
  r->rest_bytes = b.n;
  run_rest_make(r);
  run_status st = replicas_kit_reserve(&m.kit) ? run_chains(r, temper_job, &m) : (r->status = RUN_E_MEMORY);
  replicas_kit_free(&m.kit);
  if (st != RUN_OK) return st;
  double *log_z = ARENA_ARRAY(r->mem, double, chains);
  for (size_t c = 0; c < chains; c++) log_z[c] = r->chain[c].tally.log_z;
  if (st == RUN_OK && beta[0] == 0 && replicas_exact_start(r)) join_evidence(r, log_z, chains);
  return st;
}
