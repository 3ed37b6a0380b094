/* replicas.c: blocks of replicas (replicas.h). */
#include "vm/replicas.h"

#include "vm/spin_order.h"

#include "stdlib/runtime/rt_philox.h"

#include <math.h>
#include <string.h>

/* ---- making */

static void *aligned(arena *a, size_t bytes) {
  uintptr_t p = (uintptr_t)arena_alloc(a, bytes + RT_SPIN_ALIGN, 1);
  return (void *)((p + RT_SPIN_ALIGN - 1) & ~(uintptr_t)(RT_SPIN_ALIGN - 1));
}

static rt_spin_plan plan_of(const replicas_kit *kit, size_t n, bool keep_best) {
  static const rt_spin_order orders[] = {[KERNEL_SEQUENTIAL] = RT_SPIN_SEQUENTIAL, [KERNEL_RANDOM] = RT_SPIN_RANDOM, [KERNEL_COLOURED] = RT_SPIN_COLOURED};
  const kernel *o = &kit->r->o.kernel;
  rt_spin_plan plan = {.rule = o->rule != KERNEL_METROPOLIS ? RT_SPIN_HEAT_BATH : o->floor > 0 ? RT_SPIN_FLOORED : RT_SPIN_METROPOLIS,
                       .order = orders[o->order], .replicas = n, .sites = kit->sites, .site_count = kit->sites ? kit->form.n : 0, .groups = kit->groups.count ? &kit->groups : NULL, .proposals = (size_t)o->proposals, .keep_best = keep_best};
  if (kit->form.q) plan.coding = n >= RT_POTTS_LANES ? RT_SPIN_IN_LANES : RT_SPIN_SCALAR;
  else plan.coding = rt_spin_choose(&kit->model, &plan, kit->one_beta);
  return plan;
}

/* One array of two axes is a lattice, perhaps. */
static bool is_plane(replicas_kit *kit, rt_spin_problem *out) {
  const program *p = kit->r->m->p;
  if (!kit->one_beta || p->nsites != 1 || p->site[0].rank != 2) return false;
  return spin_order_plane(&kit->form, (size_t)p->site[0].dim[0], (size_t)p->site[0].dim[1], kit->r->mem, out);
}

/* Sites that can be moved together, where the kernels would move as many replicas so. */
static void find_groups(replicas_kit *kit) {
  rt_spin_plan plan = plan_of(kit, (size_t)kit->r->o.draws, true);
  plan.groups = &kit->groups;
  if (rt_spin_choose(&kit->model, &plan, true) != RT_SPIN_IN_WORDS) return;
  const size_t room = rt_spin_groups_size(&kit->model, kit->form.n);
  if (room && !rt_spin_groups_make(&kit->groups, &kit->model, kit->sites, aligned(kit->r->mem, room))) kit->groups.count = 0;
}

/* Looks whether the energy is a quadratic form that the kernels take; else *why it is not. */
static bool find_spins(replicas_kit *kit, const char **why) {
  static const rt_spin_precision precisions[] = {[KERNEL_F64] = RT_SPIN_F64, [KERNEL_F32] = RT_SPIN_F32, [KERNEL_MIXED] = RT_SPIN_MIXED};
  run *r = kit->r;
  rt_spin_problem plane;
  const rt_spin_problem *problem = &kit->form.problem;
  if (!spin_form_find(r->m, r->mem, &kit->form, why)) return false;
  *why = "the least acceptance differs from rung to rung";
  if (r->o.kernel.floor > 0 && !kit->one_beta) return false;
  *why = "it is too large";
  if (r->o.kernel.order == KERNEL_COLOURED) {
    kit->sites = spin_order_coloured(problem, r->mem);
    if (is_plane(kit, &plane)) problem = &plane;
  }
  if (kit->form.q) {
    const rt_potts_problem p = {.graph = kit->form.problem, .q = kit->form.q, .H = kit->form.H};
    size_t room = rt_potts_model_size(&kit->potts, &p, precisions[r->o.kernel.precision]);
    if (!room) return false;
    rt_potts_model_make(&kit->potts, aligned(r->mem, room));
    kit->colours = rt_potts_kernels_for(0);
    return true;
  }
  size_t bytes = rt_spin_model_size(&kit->model, problem, precisions[r->o.kernel.precision]);
  if (!bytes) return false;
  rt_spin_model_make(&kit->model, aligned(r->mem, bytes));
  kit->kernels = rt_spin_kernels_for(0);
  if (kit->one_beta) find_groups(kit);
  return true;
}

bool replicas_kit_make(replicas_kit *kit, run *r, size_t jobs, bool one_beta) {
  *kit = (replicas_kit){.r = r, .one_beta = one_beta};
  const char *why = NULL;
  kit->spins = find_spins(kit, &why);
  if (!kit->spins && r->o.kernel.order == KERNEL_COLOURED) {
    r->why = arena_printf(r->mem, "`order = coloured` takes an energy of pairs of spins or colours, and this is none: %s", why);
    return false;
  }
  if (!mh_tables_make(&kit->tables, r->m, true, r->mem, &why)) {
    r->why = why;
    return false;
  }
  kit->threads = run_threads(r, jobs);
  kit->scratch = ARENA_ARRAY(r->mem, mh_scratch, kit->threads);
  for (size_t k = 0; k < kit->threads; k++) mh_scratch_make(&kit->scratch[k], &kit->tables, r->mem, r->alloc);
  return true;
}

size_t replicas_block(const replicas_kit *kit, size_t replicas) {
  enum { FEW = 64 };
  if (!kit->spins || kit->form.q) return FEW;
  return plan_of(kit, replicas, true).coding == RT_SPIN_IN_BITS ? RT_SPIN_BLOCK : FEW;
}

bool replicas_kit_reserve(replicas_kit *kit) {
  for (size_t k = 0; k < kit->threads; k++)
    if (!mh_scratch_reserve(&kit->scratch[k], &kit->tables)) return false;
  return true;
}

void replicas_kit_free(replicas_kit *kit) {
  for (size_t k = 0; k < kit->threads; k++) mh_scratch_free(&kit->scratch[k]);
}

static size_t way_back(const replicas_kit *kit) { return kit->r->m->p->dim + kit->tables.elements; }

void replicas_make(replicas *x, const replicas_kit *kit, size_t n, bool keep_best) {
  arena *a = kit->r->mem;
  const size_t cells = kit->r->m->p->cells;
  *x = (replicas){.kit = kit, .n = n};
  x->energy = ARENA_ARRAY(a, double, n);
  x->best = ARENA_ARRAY(a, double, n);
  if (kit->spins) {
    x->plan = plan_of(kit, n, keep_best);
    x->bytes = kit->form.q ? rt_potts_run_size(&kit->potts, &x->plan) : rt_spin_run_size(&kit->model, &x->plan);
    x->memory = aligned(a, x->bytes);
    x->flips = ARENA_ARRAY(a, uint64_t, n);
    if (kit->form.q) x->colour = ARENA_ARRAY(a, uint16_t, 2 * n * cells);
    else x->state = ARENA_ARRAY(a, int8_t, 2 * n * cells);
    return;
  }
  x->walk = ARENA_ARRAY(a, mh_walk, n);
  x->frame = ARENA_ARRAY(a, exec_cell, n * cells);
  if (keep_best) x->record = ARENA_ARRAY(a, exec_cell, n * cells);
  if (keep_best && kit->r->o.schedule && kit->r->o.schedule->restarts) x->way_back = ARENA_ARRAY(a, double, n * way_back(kit) + 1);
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
  const program *p = x->kit->r->m->p;
  if (x->record) memcpy(x->record + k * p->cells, x->walk[k].frame, p->cells * sizeof(exec_cell));
  if (!x->way_back) return;
  double *to = x->way_back + k * way_back(x->kit);
  memcpy(to, x->walk[k].u, p->dim * sizeof *to);
  memcpy(to + p->dim, x->walk[k].jacobian, x->kit->tables.elements * sizeof *to);
}

/* What the kernels' energies are for the model. */
static void read_energies(replicas *x, bool fresh) {
  const double constant = x->kit->form.constant, *energy = x->kit->form.q ? x->potts.energy : x->spin.energy;
  const double *best = x->kit->form.q ? x->potts.best_energy : x->spin.best_energy;
  const uint64_t *flips = x->kit->form.q ? x->potts.changes : x->spin.flips;
  uint64_t accepted = 0;
  for (size_t k = 0; k < x->n; k++) {
    x->energy[k] = energy[k] + constant;
    if (!fresh) accepted += flips[k] - x->flips[k];
    x->flips[k] = flips[k];
  }
  for (size_t k = 0; k < x->n; k++)
    if (x->plan.keep_best) x->best[k] = best[k] + constant;
    else if (fresh || x->energy[k] < x->best[k]) x->best[k] = x->energy[k];
  x->accepted = (double)accepted;
}

/* Energies of the kernels in a tally, as the model's. */
static void add_constant(const replicas *x, rt_spin_tally *t) {
  t->energy += (double)x->n * x->kit->form.constant;
  t->best += x->kit->form.constant;
}

/* The tally where energies are at hand. */
static void count(replicas *x) {
  x->tally = (rt_spin_tally){0.0, INFINITY, 0};
  for (size_t k = 0; k < x->n; k++) {
    x->tally.energy += x->energy[k];
    if (x->best[k] < x->tally.best) x->tally.best = x->best[k];
  }
}

static bool start_spins(replicas *x, uint64_t key, uint64_t first) {
  x->plan.key = key;
  x->plan.first_replica = first;
  x->plan.replicas = x->n;
  if (x->kit->form.q) {
    rt_potts_run_init(&x->potts, &x->kit->potts, &x->plan, x->memory);
    x->kit->colours->load(&x->potts, NULL);
  } else {
    rt_spin_run_init(&x->spin, &x->kit->model, &x->plan, x->memory);
    x->kit->kernels->load(&x->spin, NULL);
  }
  read_energies(x, true);
  count(x);
  return true;
}

/* Where spins are bits or sites have colours, energies are counted from the state: the work of a third of a sweep. */
size_t replicas_every(const replicas *x) {
  enum { APART = 8 };
  return x->kit->form.q || rt_spin_as_bits(x->plan.coding) ? APART : 1;
}

static bool sweep_spins(replicas *x, const double *beta, bool same) {
  const kernel *o = &x->kit->r->o.kernel;
  const double floor = o->floor / (1.0 + beta[0]);
  const rt_spin_schedule s = {.sweeps = 1, .beta = beta, .by_replica = same ? 0 : 1, .floor = &floor,
                              .every = x->sparing ? replicas_every(x) : 1, .more = x->sparing, .tally = x->sparing ? &x->tally : NULL};
  const uint64_t flips = x->tally.flips;
  if (x->kit->form.q) x->kit->colours->sweep(&x->potts, &s);
  else x->kit->kernels->sweep(&x->spin, &s);
  x->visits = x->n * (o->proposals ? (size_t)o->proposals : x->kit->form.n);
  if (x->sparing) {
    add_constant(x, &x->tally);
    x->accepted = (double)(x->tally.flips - flips);
  } else read_energies(x, false);
  return true;
}

void replicas_anneal(replicas *x, replicas_steps *t) {
  const kernel *o = &x->kit->r->o.kernel;
  for (size_t k = 0; k < t->n; k++) t->floor[k] = o->floor / (1.0 + t->beta[k]);
  const rt_spin_schedule s = {.sweeps = t->n, .beta = t->beta, .by_sweep = 1, .floor = t->floor, .every = replicas_every(x), .tally = t->tally};
  if (x->kit->form.q) x->kit->colours->sweep(&x->potts, &s);
  else x->kit->kernels->sweep(&x->spin, &s);
  x->visits = t->n * x->n * (o->proposals ? (size_t)o->proposals : x->kit->form.n);
  read_energies(x, false);
  for (size_t k = 0; k < t->n; k++) add_constant(x, &t->tally[k]);
}

void replicas_read(replicas *x) {
  const double accepted = x->accepted;
  read_energies(x, false);
  x->accepted = accepted;
}

void replicas_look(replicas *x) {
  const rt_spin_schedule none = {.sweeps = 0};
  if (x->kit->form.q) x->kit->colours->sweep(&x->potts, &none);
  else x->kit->kernels->sweep(&x->spin, &none);
  replicas_read(x);
}

static void frame_of(const replicas *x, const int8_t *s, exec_cell *frame) {
  for (size_t k = 0; k < x->kit->form.n; k++) frame[k].integer = x->kit->form.truth[k] ? s[k] > 0 : s[k];
}

bool replicas_start(replicas *x, eval_worker *w, size_t thread, uint64_t key, uint64_t first) {
  if (x->kit->spins) return start_spins(x, key, first);
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
  count(x);
  return true;
}

bool replicas_possible(const replicas *x, size_t k) { return x->kit->spins || (!x->walk[k].again && x->walk[k].lp > -INFINITY); }

bool replicas_sweep(replicas *x, eval_worker *w, size_t thread, const double *beta, bool same, double gain) {
  if (x->kit->spins) return sweep_spins(x, beta, same);
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
  count(x);
  return true;
}

void replicas_state(const replicas *x, size_t k, bool best, exec_cell *frame) {
  const size_t cells = x->kit->r->m->p->cells;
  if (x->kit->spins) {
    if (x->kit->form.q) {
      x->kit->colours->store(&x->potts, k, best, x->colour);
      for (size_t c = 0; c < cells; c++) frame[c].integer = x->colour[c] + 1;
      return;
    }
    x->kit->kernels->store(&x->spin, k, best, x->state);
    frame_of(x, x->state, frame);
    return;
  }
  memcpy(frame, best ? x->record + k * cells : x->walk[k].frame, cells * sizeof *frame);
}

static void restart_spins(replicas *x) {
  const size_t cells = x->kit->form.n;
  replicas_look(x);
  if (x->kit->form.q) {
    for (size_t k = 0; k < x->n; k++) x->kit->colours->store(&x->potts, k, 1, x->colour + k * cells);
    x->kit->colours->load(&x->potts, x->colour);
  } else {
    for (size_t k = 0; k < x->n; k++) x->kit->kernels->store(&x->spin, k, 1, x->state + k * cells);
    x->kit->kernels->load(&x->spin, x->state);
  }
  read_energies(x, false);
}

bool replicas_restart(replicas *x, eval_worker *w) {
  if (x->kit->spins) {
    restart_spins(x);
    return true;
  }
  const program *p = x->kit->r->m->p;
  for (size_t k = 0; k < x->n; k++) {
    mh_walk *c = &x->walk[k];
    const double *from = x->way_back + k * way_back(x->kit);
    memcpy(c->frame, x->record + k * p->cells, p->cells * sizeof *c->frame);
    memcpy(c->u, from, p->dim * sizeof *c->u);
    memcpy(c->jacobian, from + p->dim, x->kit->tables.elements * sizeof *c->jacobian);
    c->w = w;
    c->stale = true;
    if (!mh_walk_refresh(c)) {
      x->status = c->status;
      return false;
    }
    x->energy[k] = -c->hot;
  }
  return true;
}

static void copy(replicas *x, size_t to, size_t from) {
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

void replicas_resample(replicas *x, const uint32_t *parent) {
  if (!x->kit->spins) {
    for (size_t k = 0; k < x->n; k++)
      if (parent[k] != k) copy(x, k, parent[k]);
    return;
  }
  const size_t cells = x->kit->form.n;
  if (x->kit->form.q) {
    uint16_t *were = x->colour, *become = x->colour + x->n * cells;
    for (size_t k = 0; k < x->n; k++)
      if (parent[k] == k) x->kit->colours->store(&x->potts, k, 0, were + k * cells);
    for (size_t k = 0; k < x->n; k++) memcpy(become + k * cells, were + parent[k] * cells, cells * sizeof *were);
    x->kit->colours->load(&x->potts, become);
    read_energies(x, false);
    return;
  }
  int8_t *from = x->state, *to = x->state + x->n * cells;
  for (size_t k = 0; k < x->n; k++)
    if (parent[k] == k) x->kit->kernels->store(&x->spin, k, 0, from + k * cells);
  for (size_t k = 0; k < x->n; k++) memcpy(to + k * cells, from + parent[k] * cells, cells);
  x->kit->kernels->load(&x->spin, to);
  read_energies(x, false);
}

/* ---- at rest */

/* What a kernel's run has beside its memory. */
typedef struct spins_rest {
  uint64_t visit, sweep, chunk;
  uint32_t site[64];
} spins_rest;

static void piece_of_spins(replicas *x, rest_bytes *b) {
  spins_rest s;
  rest_piece(b, x->flips, x->n * sizeof *x->flips);
  rest_piece(b, x->memory, x->bytes);
  if (x->kit->form.q) {
    s = (spins_rest){.visit = x->potts.visit, .sweep = x->potts.sweep, .chunk = x->potts.chunk};
    memcpy(s.site, x->potts.site, sizeof s.site);
  } else {
    s = (spins_rest){.visit = x->spin.visit, .sweep = x->spin.sweep, .chunk = x->spin.chunk};
    memcpy(s.site, x->spin.site, sizeof s.site);
  }
  rest_piece(b, &s, sizeof s);
  if (!b->from) return;
  if (x->kit->form.q) {
    x->potts.visit = s.visit, x->potts.sweep = s.sweep, x->potts.chunk = s.chunk;
    memcpy(x->potts.site, s.site, sizeof s.site);
  } else {
    x->spin.visit = s.visit, x->spin.sweep = s.sweep, x->spin.chunk = s.chunk;
    memcpy(x->spin.site, s.site, sizeof s.site);
  }
}

static void pieces(replicas *x, rest_bytes *b) {
  rest_piece(b, x->energy, x->n * sizeof *x->energy);
  rest_piece(b, x->best, x->n * sizeof *x->best);
  rest_piece(b, &x->visits, sizeof x->visits);
  rest_piece(b, &x->accepted, sizeof x->accepted);
  rest_piece(b, &x->tally, sizeof x->tally);
  if (x->kit->spins) {
    piece_of_spins(x, b);
    return;
  }
  if (x->record) rest_piece(b, x->record, x->n * x->kit->r->m->p->cells * sizeof *x->record);
  if (x->way_back) rest_piece(b, x->way_back, x->n * way_back(x->kit) * sizeof *x->way_back);
  const size_t each = mh_walk_bytes(&x->kit->tables, 0);
  b->n += x->n * each;
  for (size_t k = 0; k < x->n; k++) {
    if (b->to) mh_walk_save(&x->walk[k], b->to), b->to += each;
    else if (b->from) mh_walk_restore(&x->walk[k], b->from), b->from += each;
  }
}

/* What replicas_start sets beside the state. */
static void place(replicas *x, uint64_t key, uint64_t first) {
  x->plan.key = key;
  x->plan.first_replica = first;
  x->plan.replicas = x->n;
  if (x->kit->spins && x->kit->form.q) rt_potts_run_init(&x->potts, &x->kit->potts, &x->plan, x->memory);
  else if (x->kit->spins) rt_spin_run_init(&x->spin, &x->kit->model, &x->plan, x->memory);
  for (size_t k = 0; !x->kit->spins && k < x->n; k++) {
    x->walk[k].key = rt_key_fold(key, first + k);
    x->walk[k].status = RUN_OK;
    x->walk[k].exact = x->exact;
  }
}

void replicas_rest(replicas *x, uint64_t key, uint64_t first, rest_bytes *b) {
  if (b->from) place(x, key, first);
  pieces(x, b);
}
