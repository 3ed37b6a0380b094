/* replicas.c: blocks of replicas (replicas.h). */
#include "vm/replicas.h"

#include "stdlib/runtime/rt_philox.h"

#include <math.h>
#include <string.h>

/* ---- making */

bool replicas_kit_make(replicas_kit *kit, run *r, size_t jobs) {
  *kit = (replicas_kit){.r = r};
  const char *why;
  if (!mh_tables_make(&kit->tables, r->m, true, r->mem, &why)) {
    r->why = why;
    return false;
  }
  kit->threads = run_threads(r, jobs);
  kit->scratch = ARENA_ARRAY(r->mem, mh_scratch, kit->threads);
  for (size_t k = 0; k < kit->threads; k++) mh_scratch_make(&kit->scratch[k], &kit->tables, r->mem, r->alloc);
  return true;
}

bool replicas_kit_reserve(replicas_kit *kit) {
  for (size_t k = 0; k < kit->threads; k++)
    if (!mh_scratch_reserve(&kit->scratch[k], &kit->tables)) return false;
  return true;
}

void replicas_kit_free(replicas_kit *kit) {
  for (size_t k = 0; k < kit->threads; k++) mh_scratch_free(&kit->scratch[k]);
}

void replicas_make(replicas *x, const replicas_kit *kit, size_t n, bool keep_best) {
  arena *a = kit->r->mem;
  const size_t cells = kit->r->m->p->cells;
  *x = (replicas){.kit = kit, .n = n};
  x->energy = ARENA_ARRAY(a, double, n);
  x->best = ARENA_ARRAY(a, double, n);
  x->walk = ARENA_ARRAY(a, mh_walk, n);
  x->frame = ARENA_ARRAY(a, exec_cell, n * cells);
  if (keep_best) x->record = ARENA_ARRAY(a, exec_cell, n * cells);
  static const mh_rule rules[] = {[KERNEL_GIBBS] = MH_GIBBS, [KERNEL_GLAUBER] = MH_GIBBS, [KERNEL_METROPOLIS] = MH_METROPOLIS};
  const run_options *o = &kit->r->o;
  for (size_t k = 0; k < n; k++) {
    mh_walk *c = &x->walk[k];
    mh_walk_make(c, &kit->tables, a);
    c->frame = x->frame + k * cells;
    c->init_radius = o->init_radius;
    c->rule = rules[o->kernel.rule];
    c->random = o->kernel.order == KERNEL_RANDOM;
  }
}

bool replicas_exact_start(run *r) {
  const program *p = r->m->p;
  const char *name = NULL;
  for (size_t k = 0; k < p->nsites && !name; k++)
    if (p->site[k].improper || isnan(p->site[k].log_count)) name = p->site[k].name;
  if (name) r->why = arena_printf(r->mem, "there is no distribution to draw `%s` from at inverse temperature 0", name);
  else if (r->m->prior < 0) r->why = "some latent has no prior that can be drawn, where the replicas would start";
  else if (p->weights_beside_energy) r->why = "besides its energies the model has observations or factors, which inverse temperature 0 leaves: there is no way to start from exact draws";
  return !r->why;
}

/* ---- moving */

static void record(replicas *x, size_t k) {
  x->best[k] = x->energy[k];
  if (x->record) memcpy(x->record + k * x->kit->r->m->p->cells, x->walk[k].frame, x->kit->r->m->p->cells * sizeof(exec_cell));
}

bool replicas_start(replicas *x, eval_worker *w, size_t thread, uint64_t key, uint64_t first) {
  for (size_t k = 0; k < x->n; k++) {
    mh_walk *c = &x->walk[k];
    c->w = w;
    c->s = &x->kit->scratch[thread];
    c->key = rt_key_fold(key, first + k);
    c->sweep = 0;
    c->site = c->e = 0;
    c->status = RUN_OK;
    c->exact = x->exact;
    if (!mh_walk_start(c, x->kit->r->o.scale)) {
      x->status = c->status;
      return false;
    }
    x->energy[k] = -c->hot;
    record(x, k);
  }
  return true;
}

bool replicas_sweep(replicas *x, eval_worker *w, size_t thread, const double *beta, bool same, double gain) {
  const kernel *o = &x->kit->r->o.kernel;
  const size_t steps = o->proposals ? (size_t)o->proposals : x->kit->tables.elements;
  x->visits = 0;
  x->accepted = 0.0;
  for (size_t k = 0; k < x->n; k++) {
    mh_walk *c = &x->walk[k];
    c->w = w;
    c->s = &x->kit->scratch[thread];
    c->beta = beta[same ? 0 : k];
    c->gain = gain;
    c->floor = o->floor / (1.0 + c->beta);
    if (!mh_walk_scan(c, steps) || !mh_walk_refresh(c)) {
      x->status = c->status;
      return false;
    }
    x->visits += steps;
    x->accepted += c->accept;
    x->energy[k] = -c->hot;
    if (x->energy[k] < x->best[k]) record(x, k);
  }
  return true;
}

void replicas_state(const replicas *x, size_t k, bool best, exec_cell *frame) {
  const size_t cells = x->kit->r->m->p->cells;
  memcpy(frame, best ? x->record + k * cells : x->walk[k].frame, cells * sizeof *frame);
}

void replicas_copy(replicas *x, size_t to, size_t from) {
  mh_walk *t = &x->walk[to], *f = &x->walk[from];
  const mh_tables *tables = &x->kit->tables;
  memcpy(t->frame, f->frame, tables->m->p->cells * sizeof *t->frame);
  memcpy(t->u, f->u, tables->m->p->dim * sizeof *t->u);
  memcpy(t->jacobian, f->jacobian, tables->elements * sizeof *t->jacobian);
  t->lp = f->lp;
  t->hot = f->hot;
  t->stale = f->stale;
  x->energy[to] = x->energy[from];
}
