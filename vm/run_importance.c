/* run_importance.c: importance sampling from the prior, and annealed importance sampling.
 *
 * Annealed particles (Neal 2001) start as draws from the prior and climb a ladder of inverse temperatures: a step from beta to beta' adds
 * -(beta' - beta) E to the log weight, and then the particle is swept at beta'.  Where they end up is kept; what follows is the same for both.
 *
 * Particle i is drawn from the prior under its own key and weighted by its likelihood and factors; where its prior density is 0, as where bounds that depend
 * on other unknowns leave nothing, its weight is 0.  Only the weights are kept: a
 * particle that resampling chooses is drawn again from its key, so memory does not grow with the size of the model.
 *
 *     log Z   = log mean w                                          unbiased in Z, not in log Z
 *     se      = sqrt((mean w^2 / (mean w)^2 - 1) / (N - 1))         of log Z, by the delta method
 *     ESS     = (sum w)^2 / sum w^2                                 Kong 1992
 *
 * Means, standard deviations and their errors are those of the weighted particles, not of the draws, which repeat particles and
 * would look more certain than they are.  A second pass over the particles gathers them (weighted.h); a particle whose weight
 * cannot change a digit is left out of it.
 *
 * Draws are resampled (resample.h). */
#include "vm/replicas.h"

#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_philox.h"
#include "vm/resample.h"

#include <math.h>
#include <string.h>

/* GROUPS of particles have sums of their own, at most SUM_CELLS cells of these in all, whatever the number of threads. */
enum { BLOCK = 256, GROUPS = 16, SUM_CELLS = 1 << 21 };

typedef struct importance {
  run *r;
  size_t n, blocks;
  double *logw;         /* [n] */
  eval_faults *faults;  /* [blocks] */
  run_status *status;   /* [blocks] */
  exec_cell **frame;    /* [threads] */
  replicas_kit kit;     /* annealed: */
  replicas *block;      /* [threads] */
  exec_cell *end;       /* [n][cells] where particles ended; NULL: they are drawn from the prior again */
  double *beta;         /* [rungs] */
  size_t rungs;
  uint64_t sweeps;      /* on each */
  uint64_t *parent;     /* [chains * draws] */
  uint64_t key;
  size_t best;          /* a particle of the largest weight */
  double top, sum;      /* its log weight; of the weights over that of the best */
  size_t groups;
  weighted *part;       /* [groups] */
  double **row;         /* [2 * groups][cells of a draw]: a particle, and the best one */
} importance;

static void weigh(void *ctx, size_t job, size_t thread, eval_worker *w) {
  importance *m = ctx;
  run *r = m->r;
  size_t end = (job + 1) * BLOCK < m->n ? (job + 1) * BLOCK : m->n;
  for (size_t i = job * BLOCK; i < end && m->status[job] == RUN_OK; i++) {
    double part[3];
    if (run_stopping(r)) m->status[job] = RUN_STOPPED;
    else if (!eval_prior(w, rt_key_fold(m->key, i), m->frame[thread]) || !eval_density(w, m->frame[thread], part)) m->status[job] = RUN_E_BOUND;
    else m->logw[i] = !(part[0] > -INFINITY) || isnan(part[1] + part[2]) || part[1] + part[2] == INFINITY ? -INFINITY : part[1] + part[2];
  }
  m->faults[job] = w->faults;
  atomic_fetch_add_explicit(&r->chain[0].done, end - job * BLOCK, memory_order_relaxed);
}

static run_status climb(importance *m, size_t job, size_t thread, eval_worker *w) {
  run *r = m->r;
  replicas *x = &m->block[thread];
  const size_t first = job * BLOCK, cells = r->m->p->cells;
  x->n = m->n - first < BLOCK ? m->n - first : BLOCK;
  double *logw = m->logw + first, beta = 0.0;
  if (!replicas_start(x, w, thread, rt_key_fold(m->key, job), 0)) return x->status;
  for (size_t k = 0; k < x->n; k++) logw[k] = replicas_possible(x, k) ? 0.0 : -INFINITY;
  for (size_t i = 0; i < m->rungs; beta = m->beta[i++]) {
    for (size_t k = 0; k < x->n && m->beta[i] != beta; k++) logw[k] += r->rules->weight(m->beta[i] - beta, x->energy[k]);
    for (uint64_t s = 0; s < m->sweeps; s++) {
      if (!replicas_sweep(x, w, thread, &m->beta[i], true, 0.0)) return x->status;
      if (run_stopping(r)) return RUN_STOPPED;
    }
  }
  for (size_t k = 0; k < x->n; k++) {
    replicas_state(x, k, false, m->end + (first + k) * cells);
    if (isnan(logw[k])) logw[k] = -INFINITY;
  }
  atomic_fetch_add_explicit(&r->chain[0].done, x->n, memory_order_relaxed);
  return RUN_OK;
}

static void climb_job(void *ctx, size_t job, size_t thread, eval_worker *w) {
  importance *m = ctx;
  m->status[job] = climb(m, job, thread, w);
  m->faults[job] = w->faults;
  if (m->status[job] != RUN_OK && m->status[job] != RUN_STOPPED) atomic_store_explicit(m->r->stop, 1, memory_order_relaxed);
}

/* The state of particle i again. */
static bool particle(const importance *m, size_t i, eval_worker *w, exec_cell *frame) {
  const size_t cells = m->r->m->p->cells;
  if (!m->end) return eval_prior(w, rt_key_fold(m->key, i), frame);
  memcpy(frame, m->end + i * cells, cells * sizeof *frame);
  return true;
}

static bool replay(const importance *m, size_t i, size_t thread, eval_worker *w, double *row) {
  uint64_t key = rt_key_fold(m->key, i);
  return particle(m, i, w, m->frame[thread]) && run_row(m->r, w, m->frame[thread], rt_key_fold(key, RUN_KEY_OUTPUTS), row);
}

static void gather(void *ctx, size_t job, size_t thread, eval_worker *w) {
  importance *m = ctx;
  run *r = m->r;
  weighted *s = &m->part[job];
  double *row = m->row[2 * job], *best = m->row[2 * job + 1];
  size_t first = job * (m->n / m->groups), end = job + 1 < m->groups ? first + m->n / m->groups : m->n;
  if (!replay(m, m->best, thread, w, best)) m->status[job] = RUN_E_BOUND;
  for (size_t i = first; i < end && m->status[job] == RUN_OK; i++) {
    double weight = rt_exp(m->logw[i] - m->top);
    if (run_stopping(r)) m->status[job] = RUN_STOPPED;
    else if (!(weight * (double)m->n > 1e-17 * m->sum)) continue;
    else if (!replay(m, i, thread, w, row)) m->status[job] = RUN_E_BOUND;
    else weighted_add(s, weight, best, row);
  }
  m->faults[job] = w->faults;
  atomic_fetch_add_explicit(&r->chain[0].done, end - first, memory_order_relaxed);
}

static run_status moments(importance *m) {
  run *r = m->r;
  for (size_t g = 0; g < m->groups; g++) m->status[g] = RUN_OK;
  run_status st = run_jobs(r, m->groups, gather, m);
  for (size_t g = 0; g < m->groups; g++) {
    eval_faults_merge(&r->faults, &m->faults[g]);
    if (st == RUN_OK) st = m->status[g];
    if (g) weighted_merge(&m->part[0], &m->part[g]);
  }
  if (st != RUN_OK) return st;
  r->moments = ARENA_ARRAY(r->mem, weighted_moments, r->cells);
  for (size_t k = 0; k < r->cells; k++) r->moments[k] = weighted_get(&m->part[0], m->row[1], k);
  return RUN_OK;
}

static void keep(void *ctx, size_t job, size_t thread, eval_worker *w) {
  (void)thread;
  importance *m = ctx;
  run *r = m->r;
  chain_state *x = &r->chain[job];
  atomic_store(&x->warm, 1);
  for (int64_t k = 0; k < r->o.draws; k++) {
    uint64_t i = m->parent[(int64_t)job * r->o.draws + k];
    double part[3];
    if (!particle(m, i, w, x->frame) || !eval_density(w, x->frame, part)) {
      x->status = RUN_E_BOUND;
      break;
    }
    const double lp = part[0] + part[1] + part[2];
    const double stats[DRAWS_N_STATS] = {lp, 1.0, 0.0, 0.0, 0.0, 0.0, -lp};
    if ((x->status = run_keep_alone(r, (int)job, w, stats)) != RUN_OK) break;
  }
  run_chain_over(r, (int)job, x->status, w);
}

/* False if no weight is positive. */
static bool estimate(importance *m) {
  double top = -INFINITY, sum = 0.0, squares = 0.0, n = (double)m->n;
  for (size_t i = 0; i < m->n; i++)
    if (m->logw[i] > top) top = m->logw[m->best = i];
  if (top == -INFINITY) return false;
  for (size_t i = 0; i < m->n; i++) {
    double w = rt_exp(m->logw[i] - top);
    sum += w;
    squares += w * w;
  }
  m->top = top;
  m->r->has_evidence = true;
  m->sum = sum;
  m->r->log_evidence = top + rt_log(sum / n) + run_log_count(m->r);
  m->r->weight_ess = sum * sum / squares;
  double spread = n * squares / (sum * sum) - 1.0;
  m->r->log_evidence_se = m->n > 1 ? sqrt((spread > 0 ? spread : 0) / (n - 1.0)) : NAN;

  uint64_t key = rt_key_fold(m->r->o.seed, RUN_KEY_RESAMPLE);
  resample(key, m->logw, m->n, top, sum, (size_t)(m->r->o.chains * m->r->o.draws), m->parent);
  return true;
}

/* What annealing particles takes. */
static bool make_ladder(importance *m, size_t jobs, size_t threads) {
  run *r = m->r;
  r->status = RUN_E_METHOD;
  if (!replicas_exact_start(r)) return false;
  m->rungs = temper_ladder(r, &m->beta, &m->sweeps);
  if (m->rungs == 0 || !replicas_kit_make(&m->kit, r, jobs, true)) return false;
  m->end = ARENA_ARRAY(r->mem, exec_cell, m->n * r->m->p->cells);
  m->block = ARENA_ARRAY(r->mem, replicas, threads);
  for (size_t k = 0; k < threads; k++) {
    replicas_make(&m->block[k], &m->kit, m->n < BLOCK ? m->n : BLOCK, false);
    m->block[k].exact = true;
  }
  r->status = RUN_OK;
  return true;
}

run_status run_importance(run *r) {
  const bool annealed = r->o.method == PLAN_AIS;
  if (r->m->prior < 0) {
    r->why = "particles are drawn from the prior, and some latent has no prior that can be drawn";
    return r->status = RUN_E_METHOD;
  }
  importance m = {.r = r, .n = (size_t)r->o.particles};
  m.blocks = (m.n + BLOCK - 1) / BLOCK;
  size_t threads = run_threads(r, m.blocks > GROUPS ? m.blocks : GROUPS);
  m.key = rt_key_fold(r->o.seed, RUN_KEY_PRIOR);
  m.logw = ARENA_ARRAY(r->mem, double, m.n);
  m.groups = r->cells <= SUM_CELLS / GROUPS ? GROUPS : SUM_CELLS / r->cells + 1;
  size_t jobs = m.groups > m.blocks ? m.groups : m.blocks;
  m.faults = ARENA_ARRAY(r->mem, eval_faults, jobs);
  m.status = ARENA_ARRAY(r->mem, run_status, jobs);
  m.part = ARENA_ARRAY(r->mem, weighted, m.groups);
  m.row = ARENA_ARRAY(r->mem, double *, 2 * m.groups);
  for (size_t g = 0; g < m.groups; g++) {
    m.part[g] = (weighted){.n = r->cells, .cell = ARENA_ARRAY(r->mem, weighted_cell, r->cells)};
    m.row[2 * g] = ARENA_ARRAY(r->mem, double, r->cells);
    m.row[2 * g + 1] = ARENA_ARRAY(r->mem, double, r->cells);
  }
  m.parent = ARENA_ARRAY(r->mem, uint64_t, (size_t)(r->o.chains * r->o.draws));
  m.frame = ARENA_ARRAY(r->mem, exec_cell *, threads);
  for (size_t k = 0; k < threads; k++) m.frame[k] = ARENA_ARRAY(r->mem, exec_cell, r->m->p->cells);
  r->total = 2 * m.n + (uint64_t)(r->o.chains * r->o.draws);

  if (annealed && !make_ladder(&m, m.blocks, threads)) return r->status;
  run_status st;
  if (!annealed) st = run_jobs(r, m.blocks, weigh, &m);
  else if (replicas_kit_reserve(&m.kit)) st = run_jobs(r, m.blocks, climb_job, &m);
  else st = RUN_E_MEMORY;
  if (annealed) replicas_kit_free(&m.kit);
  for (size_t b = 0; b < m.blocks; b++) {
    eval_faults_merge(&r->faults, &m.faults[b]);
    if (st == RUN_OK) st = m.status[b];
  }
  if (st != RUN_OK) return r->status = st;
  if (!estimate(&m)) return r->status = RUN_E_INIT;
  if ((st = moments(&m)) != RUN_OK) return r->status = st;
  st = run_jobs(r, (size_t)r->o.chains, keep, &m);
  return st == RUN_OK ? run_join(r) : (r->status = st);
}
