/* run.c: beginning and end of a run, and keeping a draw (run.h). */
#include "vm/run.h"

#include "stdlib/runtime/rt_philox.h"

#include <string.h>

unsigned run_method_needs(plan_method m) {
  switch (m) {
  case PLAN_NUTS: return NEED_GRAD | NEED_OUTPUTS | NEED_DENSITY | NEED_PRIOR;
  case PLAN_MH: return NEED_LOCAL | NEED_DENSITY | NEED_PRIOR | NEED_OUTPUTS | NEED_LOGDENS;
  case PLAN_IMPORTANCE:
  case PLAN_PRIOR: return NEED_PRIOR | NEED_DENSITY | NEED_OUTPUTS;
  default: return 0;
  }
}

run_options run_options_of(const plan *pl) {
  bool independent = pl->method == PLAN_PRIOR || pl->method == PLAN_IMPORTANCE;
  return (run_options){.method = pl->method,
                       .seed = pl->seed,
                       .chains = independent ? 1 : pl->chains,
                       .warmup = independent ? 0 : pl->warmup,
                       .draws = pl->draws,
                       .thin = independent ? 1 : pl->thin,
                       .particles = (int64_t)pl->particles,
                       .threads = pl->threads,
                       .max_depth = pl->max_depth,
                       .target_accept = pl->target_accept,
                       .step_size = pl->step_size > 0 ? pl->step_size : 1.0,
                       .init_radius = pl->init_radius,
                       .scale = pl->scale > 0 ? pl->scale : 1.0,
                       .save = pl->save,
                       .nsave = pl->nsave};
}

static bool saved(const run_options *o, const char *name) {
  bool hit = o->nsave == 0;
  for (size_t k = 0; k < o->nsave && !hit; k++) hit = strcmp(o->save[k], name) == 0;
  return hit;
}

static run_status make_store(run *r) {
  const program *p = r->m->p;
  size_t n = 0;
  draws_quantity *q = ARENA_ARRAY(r->mem, draws_quantity, p->nsites + p->noutputs);
  bool *kept = ARENA_ARRAY(r->mem, bool, p->nsites + p->noutputs);
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    if (!(kept[k] = saved(&r->o, s->name))) continue;
    q[n++] = (draws_quantity){s->name, (int)s->rank, s->dim};
    r->cells += s->cells;
  }
  for (size_t k = 0; k < p->noutputs; k++) {
    const program_output *o = &p->output[k];
    if (!(kept[p->nsites + k] = saved(&r->o, o->name))) continue;
    q[n++] = (draws_quantity){o->name, (int)o->rank, o->dim};
    r->cells += o->cells;
    r->outputs = true;
  }
  r->kept = kept;
  r->store = draws_create(r->alloc, q, n, (int)r->o.chains, (size_t)r->o.draws);
  return r->store ? RUN_OK : RUN_E_MEMORY;
}

run_status run_begin(run *r) {
  run_status st = make_store(r);
  if (st != RUN_OK) return st;
  r->chain = ARENA_ARRAY(r->mem, chain_state, (size_t)r->o.chains);
  for (int64_t c = 0; c < r->o.chains; c++) {
    r->chain[c].row = ARENA_ARRAY(r->mem, double, r->cells);
    r->chain[c].frame = ARENA_ARRAY(r->mem, exec_cell, r->m->p->cells);
  }
  return RUN_OK;
}

void run_end(run *r) {
  for (int64_t c = 0; r->chain && c < r->o.chains; c++) {
    int e = csv_close(r->chain[c].csv);
    r->chain[c].csv = NULL;
    if (e && r->io_errno == 0) r->io_errno = e;
  }
  if (r->io_errno && (r->status == RUN_OK || r->status == RUN_STOPPED)) r->status = RUN_E_IO;
}

double run_now(const run *r) { return r->clock ? r->clock(r->clock_user) : 0.0; }

static run_status csv_put(run *r, int c) {
  chain_state *x = &r->chain[c];
  int tick = atomic_load_explicit(&r->tick, memory_order_relaxed);
  int e = csv_row_of(x->csv, r->store, c, draws_count(r->store, c) - 1);
  if (e == 0 && tick != x->flushed) {
    x->flushed = tick;
    e = csv_flush(x->csv);
  }
  return e == 0 ? RUN_OK : RUN_E_IO;
}

run_status run_keep(run *r, int c, eval_worker *w, const exec_cell *frame, const double *stats) {
  const program *p = r->m->p;
  chain_state *x = &r->chain[c];
  double *row = x->row;
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    if (!r->kept[k]) continue;
    for (size_t e = 0; e < s->cells; e++) row[e] = eval_cell_real(s, frame[s->at + e]);
    row += s->cells;
  }
  if (r->outputs) {
    uint64_t key = rt_key_fold(rt_key_fold(r->o.seed, (uint64_t)c), RUN_KEY_OUTPUTS);
    if (!eval_outputs(w, frame, rt_key_fold(key, draws_count(r->store, c)))) return RUN_E_BOUND;
    const exec_cell *at = w->outputs;
    for (size_t k = 0; k < p->noutputs; at += p->output[k++].cells) {
      const program_output *o = &p->output[k];
      if (!r->kept[p->nsites + k]) continue;
      for (size_t e = 0; e < o->cells; e++) row[e] = o->elem == IR_REAL ? at[e].real : (double)at[e].integer;
      row += o->cells;
    }
  }
  if (draws_add_cells(r->store, c, x->row, stats)) return RUN_E_INTERNAL;
  return x->csv ? csv_put(r, c) : RUN_OK;
}

run_status run_join(run *r) {
  run_status st = RUN_OK;
  for (int64_t c = 0; c < r->o.chains; c++) {
    const chain_state *x = &r->chain[c];
    eval_faults_merge(&r->faults, &x->faults);
    if (x->status == RUN_OK) continue;
    if (st == RUN_OK || (st == RUN_STOPPED && x->status != RUN_STOPPED)) st = x->status;
  }
  return r->status = st;
}
