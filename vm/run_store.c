/* run_store.c: what a run keeps its draws in.
 *
 * Flat is the rule: one contiguous array a column.  Draws of mh(steps = n) that are a few steps apart share what did not change
 * (draws_create_shared), where that takes at most half of the memory of flat draws.  The bound is that of the blocks taken before the first
 * transition, so it is known here, not estimated.
 *
 * Time agrees with that limit.  Figures of whole runs, steps included, shared over flat (test_vm_draws time prints them):
 *
 *     sites   steps to a draw    bytes of a draw    memory    time
 *     1e5               50        9960 / 804865      0.012   0.013    (8-byte cells; the store's tables of columns are 6500 of the 9960)
 *     1e5             1000       30737 / 812079      0.038   0.38
 *     1e5            10000      148055 / 848147      0.17    0.83
 *     1e4             5000       45701 /  82879      0.55    1.00
 *     1e3               50        1136 /   8059      0.14    0.85
 *     1e3              400        4024 /   8062      0.50    1.03
 *
 * What a run gains is lost where a model has outputs of its own size, or files: rows and outputs cost what the model does. */
#include "vm/run.h"

#include <string.h>

static bool saved(const run_options *o, const char *name, bool part) { return plan_keeps(o->save, o->nsave, name, part); }

/* The cells that change from draw to draw at most: those of the elements of so many steps.  0 if that may be any cell. */
static size_t window_of(const run *r) {
  const program *p = r->m->p;
  size_t elements = 0, largest = 1;
  for (size_t k = 0; k < p->nsites; k++) {
    elements += p->site[k].batch;
    if (p->site[k].event > largest) largest = p->site[k].event;
  }
  size_t steps = (size_t)r->o.steps;
  if (r->o.method != PLAN_MH || steps == 0 || steps > elements / (size_t)r->o.thin) return 0;
  size_t n = alloc_bytes(steps * (size_t)r->o.thin, largest);
  return n && n < p->cells ? n : 0;
}

static run_status make_shared(run *r, const draws_quantity *q, size_t n, draws_frames *f) {
  r->window = f->window;
  if (f->window == 0) f->window = f->cells;
  r->store = draws_create_shared(r->alloc, q, n, (int)r->o.chains, (size_t)r->o.draws, f);
  return r->store ? RUN_OK : RUN_E_MEMORY;
}

run_status run_store_make(run *r) {
  const program *p = r->m->p;
  const size_t most = p->nsites + p->noutputs;
  size_t n = 0;
  draws_quantity *q = ARENA_ARRAY(r->mem, draws_quantity, most);
  draws_place *place = ARENA_ARRAY(r->mem, draws_place, p->nsites);
  bool *kept = ARENA_ARRAY(r->mem, bool, most);
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    if (!(kept[k] = saved(&r->o, s->name, s->part_given))) continue;
    place[n] = (draws_place){s->at, s->site->type.elem != IR_REAL};
    q[n++] = (draws_quantity){s->name, (int)s->rank, s->dim};
    r->latent_cells += s->cells;
  }
  draws_frames f = {.cells = p->cells, .n = n, .place = place, .window = window_of(r)};
  r->cells = r->latent_cells;
  for (size_t k = 0; k < p->noutputs; k++) {
    const program_output *o = &p->output[k];
    if (!(kept[p->nsites + k] = saved(&r->o, o->name, false))) continue;
    q[n++] = (draws_quantity){o->name, (int)o->rank, o->dim};
    r->cells += o->cells;
    r->outputs = true;
  }
  r->kept = kept;
  const int chains = (int)r->o.chains;
  if (r->keep == RUN_KEEP_SHARED) return make_shared(r, q, n, &f);
  if (f.window && r->keep == RUN_KEEP_AUTO) {
    size_t bytes = draws_frames_bound(r->alloc, &f, chains, (size_t)r->o.draws);
    if (bytes == 0) return RUN_E_MEMORY;
    size_t flat = alloc_bytes((size_t)chains * (size_t)r->o.draws, 8 * r->latent_cells);
    if (flat == 0 && r->latent_cells) flat = SIZE_MAX;
    if (bytes <= flat / 2) return make_shared(r, q, n, &f);
  }
  r->store = draws_create(r->alloc, q, n, chains, (size_t)r->o.draws);
  return r->store ? RUN_OK : RUN_E_MEMORY;
}
