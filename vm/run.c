/* run.c: beginning and end of a run, and keeping a draw (run.h). */
#include "vm/run.h"

#include "stdlib/runtime/rt_philox.h"

#include <string.h>

unsigned run_method_needs(plan_method m) {
  switch (m) {
  case PLAN_NUTS: return NEED_GRAD | NEED_OUTPUTS | NEED_DENSITY | NEED_PRIOR;
  case PLAN_GIBBS: return NEED_LOCAL | NEED_WEIGHTS | NEED_NATURAL | NEED_DENSITY | NEED_PRIOR | NEED_OUTPUTS | NEED_LOGDENS;
  case PLAN_SLICE: return NEED_LOCAL | NEED_WEIGHTS | NEED_DENSITY | NEED_PRIOR | NEED_OUTPUTS | NEED_LOGDENS;
  case PLAN_MH: return NEED_LOCAL | NEED_DENSITY | NEED_PRIOR | NEED_OUTPUTS | NEED_LOGDENS;
  case PLAN_CYCLE: return NEED_LOCAL | NEED_WEIGHTS | NEED_NATURAL | NEED_GRAD | NEED_BLOCK | NEED_DENSITY | NEED_PRIOR | NEED_OUTPUTS;
  case PLAN_LAPLACE:
  case PLAN_PATHFINDER: return NEED_GRAD | NEED_LOGDENS | NEED_OUTPUTS | NEED_DENSITY | NEED_PRIOR;
  case PLAN_MAP: return NEED_GRAD | NEED_MODE | NEED_OUTPUTS | NEED_DENSITY | NEED_PRIOR;
  case PLAN_ANNEAL:
  case PLAN_TEMPERING:
  case PLAN_POPULATION:
  case PLAN_AIS: return NEED_TEMPERED | NEED_LOCAL | NEED_DENSITY | NEED_PRIOR | NEED_OUTPUTS | NEED_LOGDENS;
  case PLAN_IMPORTANCE: return NEED_PRIOR | NEED_DENSITY | NEED_OUTPUTS;
  case PLAN_PRIOR: return NEED_PRIOR | NEED_DENSITY | NEED_OUTPUTS | NEED_ORDER;
  default: return 0;
  }
}

run_options run_options_of(const plan *pl) {
  const bool alone = method_is(pl->method, METHOD_ALONE);
  const bool warms = method_is(pl->method, METHOD_MARKOV);
  return (run_options){.method = pl->method,
                       .seed = pl->seed,
                       .chains = alone ? 1 : pl->chains,
                       .warmup = warms ? pl->warmup : 0,
                       .draws = pl->method == PLAN_ANNEAL ? pl->kernel.replicas : pl->method == PLAN_POPULATION ? (int64_t)pl->particles : pl->draws,
                       .thin = warms ? pl->thin : 1,
                       .steps = pl->method == PLAN_MH ? pl->steps : 0,
                       .particles = (int64_t)pl->particles,
                       .threads = pl->threads,
                       .max_depth = pl->max_depth,
                       .order = pl->order,
                       .part = pl->part,
                       .nparts = pl->nparts,
                       .blocks = pl->blocks,
                       .nblocks = pl->nblocks,
                       .metric = pl->metric,
                       .init = pl->init,
                       .target_accept = pl->target_accept,
                       .step_size = pl->step_size > 0 ? pl->step_size : 1.0,
                       .init_radius = pl->init_radius,
                       .scale = pl->scale > 0 ? pl->scale : 1.0,
                       .until = method_is(pl->method, METHOD_RESTS) ? pl->until : (until){0},
                       .paths = pl->paths,
                       .iterations = pl->iterations,
                       .tolerance = pl->tolerance,
                       .schedule = pl->schedule,
                       .kernel = pl->kernel,
                       .save = pl->save,
                       .nsave = pl->nsave};
}

run_status run_begin(run *r) {
  run_status st = run_store_make(r);
  if (st != RUN_OK) return st;
  r->until_text = until_text(&r->o.until, r->mem);
  r->chain = ARENA_ARRAY(r->mem, chain_state, (size_t)r->o.chains);
  for (int64_t c = 0; c < r->o.chains; c++) {
    r->chain[c].row = ARENA_ARRAY(r->mem, double, r->cells);
    r->chain[c].frame = ARENA_ARRAY(r->mem, exec_cell, r->m->p->cells);
    if (r->window) r->chain[c].changed = ARENA_ARRAY(r->mem, size_t, r->window);
  }
  return RUN_OK;
}

void run_end(run *r) {
  if (r->store) draws_settle(r->store);
  for (int64_t c = 0; r->chain && c < r->o.chains; c++) {
    int e = csv_close(r->chain[c].csv);
    r->chain[c].csv = NULL;
    if (e && r->io_errno == 0) r->io_errno = e;
  }
  if (r->io_errno && (r->status == RUN_OK || r->status == RUN_STOPPED)) r->status = RUN_E_IO;
}

double run_log_count(const run *r) {
  double sum = 0.0;
  for (size_t k = 0; k < r->m->p->nsites; k++) sum += r->m->p->site[k].log_count;
  return sum;
}

double run_now(const run *r) { return r->clock ? r->clock(r->clock_user) : 0.0; }

static run_status csv_put(run *r, int c, const double *stats) {
  chain_state *x = &r->chain[c];
  int tick = atomic_load_explicit(&r->tick, memory_order_relaxed);
  int e = csv_row_cells(x->csv, x->row, stats);
  if (e == 0 && tick != x->flushed) {
    x->flushed = tick;
    e = csv_flush(x->csv);
  }
  return e == 0 ? RUN_OK : RUN_E_IO;
}

static void put_latents(const run *r, const exec_cell *frame, double *row) {
  const program *p = r->m->p;
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    if (!r->kept[k]) continue;
    for (size_t e = 0; e < s->cells; e++) row[e] = eval_cell_real(s, frame[s->at + e]);
    row += s->cells;
  }
}

/* row: of the outputs alone. */
static bool put_outputs(const run *r, eval_worker *w, const exec_cell *frame, uint64_t key, double *row) {
  const program *p = r->m->p;
  if (!r->outputs) return true;
  if (!eval_outputs(w, frame, key)) return false;
  const exec_cell *at = w->outputs;
  for (size_t k = 0; k < p->noutputs; at += p->output[k++].cells) {
    const program_output *o = &p->output[k];
    if (!r->kept[p->nsites + k]) continue;
    for (size_t e = 0; e < o->cells; e++) row[e] = o->elem == IR_REAL ? at[e].real : (double)at[e].integer;
    row += o->cells;
  }
  return true;
}

bool run_row(const run *r, eval_worker *w, const exec_cell *frame, uint64_t key, double *row) {
  put_latents(r, frame, row);
  return put_outputs(r, w, frame, key, row + r->latent_cells);
}

static uint64_t draw_key(const run *r, int c) {
  return rt_key_fold(rt_key_fold(rt_key_fold(r->o.seed, (uint64_t)c), RUN_KEY_OUTPUTS), draws_added(r->store, c));
}

/* Outputs may read what was summed out; else it is drawn where it is kept. */
bool run_recover(run *r, int c, eval_worker *w, exec_cell *frame) {
  bool wanted = r->outputs;
  for (size_t k = 0; k < r->m->p->nsites; k++) wanted = wanted || (r->m->p->site[k].summed && r->kept[k]);
  return !wanted || eval_recover(w, draw_key(r, c), frame);
}

bool run_frame(run *r, int c, eval_worker *w, const double *q, exec_cell *frame) {
  return eval_constrain(w, q, frame) && run_recover(r, c, w, frame);
}

run_status run_keep(run *r, int c, eval_worker *w, const exec_cell *frame, const double *stats) {
  chain_state *x = &r->chain[c];
  const bool shared = draws_shared(r->store);
  if (!shared || x->csv) put_latents(r, frame, x->row);
  if (!put_outputs(r, w, frame, draw_key(r, c), x->row + r->latent_cells)) return RUN_E_BOUND;
  int e = shared ? draws_add_frame(r->store, c, frame, x->changed, x->n_changed, x->row + r->latent_cells, stats)
                 : draws_add_cells(r->store, c, x->row, stats);
  if (e) return e > 0 ? RUN_E_MEMORY : RUN_E_INTERNAL;
  x->n_changed = 0;
  return x->csv ? csv_put(r, c, stats) : RUN_OK;
}

run_status run_keep_alone(run *r, int c, eval_worker *w, const double *stats) {
  chain_state *x = &r->chain[c];
  const run_status st = run_keep(r, c, w, x->frame, stats);
  if (st != RUN_OK) return st;
  x->tally.accept_sum += 1.0;
  atomic_fetch_add_explicit(&x->done, 1, memory_order_relaxed);
  return run_stopping(r) ? RUN_STOPPED : RUN_OK;
}

void run_chain_over(run *r, int c, run_status st, const eval_worker *w) {
  chain_state *x = &r->chain[c];
  x->status = st;
  x->faults = w->faults;
  if (st != RUN_OK && st != RUN_STOPPED && st != RUN_PAUSED) atomic_store_explicit(r->stop, 1, memory_order_relaxed);
}

run_status run_join(run *r) {
  run_status st = RUN_OK;
  for (int64_t c = 0; c < r->o.chains; c++) {
    const chain_state *x = &r->chain[c];
    eval_faults_merge(&r->faults, &x->faults);
    draws_flush(r->store, (int)c);
    if (x->status == RUN_OK) continue;
    if (st == RUN_OK || (st == RUN_STOPPED && x->status != RUN_STOPPED)) st = x->status;
  }
  return r->status = st;
}
