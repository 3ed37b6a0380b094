/* run_prior.c: independent draws from the prior, the outputs with them: prior and prior predictive simulation. */
#include "vm/run.h"

#include "stdlib/runtime/rt_philox.h"

#include <math.h>

enum { MOST_TRIES = 10000 };

/* Draws of density 0, as where bounds that depend on other unknowns leave nothing, are none: the next is taken. */
static run_status draw(run *r, uint64_t key, eval_worker *w, exec_cell *frame, double part[3]) {
  for (uint64_t k = 0; k < MOST_TRIES; k++) {
    if (!eval_prior(w, k ? rt_key_fold(key, k) : key, frame) || !eval_density(w, frame, part)) return RUN_E_BOUND;
    if (part[0] > -INFINITY) return RUN_OK;
    if (run_stopping(r)) return RUN_STOPPED;
  }
  return RUN_E_INIT;
}

static void chain(void *ctx, size_t job, size_t thread, eval_worker *w) {
  (void)thread;
  run *r = ctx;
  chain_state *x = &r->chain[job];
  const uint64_t key = rt_key_fold(rt_key_fold(r->o.seed, job), RUN_KEY_PRIOR);
  const double began = run_now(r);
  atomic_store(&x->warm, 1);
  for (int64_t k = 0; k < r->o.draws; k++) {
    double part[3];
    if ((x->status = draw(r, rt_key_fold(key, (uint64_t)k), w, x->frame, part)) != RUN_OK) break;
    /* lp__ is the log density of what was drawn, the prior: the data have no part in it. */
    const double stats[DRAWS_N_STATS] = {part[0], 1.0, 0.0, 0.0, 0.0, 0.0, -part[0]};
    if ((x->status = run_keep_alone(r, (int)job, w, stats)) != RUN_OK) break;
  }
  run_chain_over(r, (int)job, x->status, w);
  x->seconds[1] = run_now(r) - began;
  if (x->csv) csv_elapsed(x->csv, 0.0, x->seconds[1]);
}

run_status run_prior(run *r) {
  if (r->m->prior < 0) {
    r->why = "some latent has no prior that can be drawn (a Flat one, or one bounded without a cdf)";
    return r->status = RUN_E_METHOD;
  }
  r->total = (uint64_t)(r->o.chains * r->o.draws);
  run_status st = run_jobs(r, (size_t)r->o.chains, chain, r);
  return st == RUN_OK ? run_join(r) : (r->status = st);
}
