/* eval.c: calls into an engine with arguments laid out beforehand (eval.h). */
#include "vm/crew.h"
#include "vm/interp.h"

#include <math.h>
#include <string.h>

/* ---- loading */

typedef struct reads {
  const ir_fn *fn;
  bool latent, index;
} reads;

static void see_use(reads *r, ir_val v) {
  const ir_value *x = ir_value_of(r->fn, v);
  if (v == 0 || x->def != IR_DEF_PARAM) return;
  for (uint32_t k = 0; k < r->fn->nparams; k++) {
    if (r->fn->param[k].val != v) continue;
    r->latent |= r->fn->param[k].role == IR_ROLE_LATENT;
    r->index |= r->fn->param[k].role == IR_ROLE_INDEX;
  }
}

static void visit_use(void *user, ir_val *use) { see_use(user, *use); }
static void visit_op(void *user, ir_op *op) { ir_visit_uses(op, visit_use, user); }

/* Whether bounds have to be asked for again before every step. */
static void study_bounds(const program *p, const char *name, eval_site *x) {
  const ir_fn *fn = ir_fn_find(p->module, name);
  reads r = {.fn = fn};
  if (!fn) return;
  ir_visit_ops((ir_block *)&fn->body, visit_op, &r);
  for (uint32_t k = 0; k < fn->nret; k++) see_use(&r, fn->ret[k]);
  x->bounds_move = r.latent;
  x->bounds_vary = r.latent || r.index;
}

exec_status eval_model_load(eval_model *m, const program *p, const exec_engine *engine, int isa, size_t memory,
                            const aim_alloc *alloc, const char **message) {
  *m = (eval_model){.p = p, .engine = engine};
  *message = NULL;
  m->site = ARENA_ARRAY(p->mem, eval_site, p->nsites + 1);
  exec_options o = {.isa = isa, .memory = memory, .user = engine->user, .sure = &interp_engine, .prepared = &m->prepared};
  exec_status st = engine->load(p->module, p->ndata, p->data, &o, alloc, &m->loaded, message);
  if (st != EXEC_OK) {
    m->loaded = NULL;
    return st;
  }
  m->grad = engine->find(m->loaded, "grad");
  m->constrain = engine->find(m->loaded, "constrain");
  m->block = ARENA_ARRAY(p->mem, eval_block, p->nblocks + 1);
  for (size_t k = 0; k < p->nblocks; k++)
    m->block[k] = (eval_block){engine->find(m->loaded, program_block_fn(p, "grad", k)), engine->find(m->loaded, program_block_fn(p, "constrain.block", k))};
  m->prior = engine->find(m->loaded, "prior");
  m->density = engine->find(m->loaded, "density");
  m->logdens = engine->find(m->loaded, "logdens");
  m->tempered = engine->find(m->loaded, "tempered");
  m->outputs = engine->find(m->loaded, "outputs");
  m->loglik = engine->find(m->loaded, "loglik");
  m->recover = engine->find(m->loaded, "recover");
  m->stage = ARENA_ARRAY(p->mem, eval_stage, p->nstages + 1);
  for (size_t k = 0; k < p->nstages; k++) m->stage[k] = (eval_stage){engine->find(m->loaded, p->stage[k].before), engine->find(m->loaded, p->stage[k].part)};
  for (size_t k = 0; k < p->noutputs; k++) m->output_cells += p->output[k].cells;
  for (size_t k = 0; k < p->nsites; k++) {
    eval_site *x = &m->site[k];
    const char *name = p->site[k].name;
    x->local = engine->find(m->loaded, arena_printf(p->mem, "local.%s", name));
    x->natural = engine->find(m->loaded, arena_printf(p->mem, "natural.%s", name));
    x->naturals = engine->find(m->loaded, arena_printf(p->mem, "naturals.%s", name));
    x->weights = engine->find(m->loaded, arena_printf(p->mem, "weights.%s", name));
    x->given = engine->find(m->loaded, arena_printf(p->mem, "given.%s", name));
    x->slim = engine->find(m->loaded, arena_printf(p->mem, "slim.%s", name));
    x->given_at = ARENA_ARRAY(p->mem, size_t, p->site[k].ngiven);
    for (size_t i = 0; i + 1 < p->site[k].ngiven; i++) x->given_at[i + 1] = x->given_at[i] + p->site[k].given_cells[i];
    x->joint = engine->find(m->loaded, arena_printf(p->mem, "joint.%s", name));
    x->conflicts = engine->find(m->loaded, arena_printf(p->mem, "conflicts.%s", name));
    const char *bounds = arena_printf(p->mem, "bounds.%s", name);
    x->bounds = engine->find(m->loaded, bounds);
    x->point = engine->find(m->loaded, arena_printf(p->mem, "point.%s", name));
    study_bounds(p, bounds, x);
  }
  return EXEC_OK;
}

void eval_model_unload(eval_model *m) {
  if (m->loaded) m->engine->unload(m->loaded);
  m->loaded = NULL;
}

void eval_model_ready(const eval_model *m) {
  if (m->engine->ready) m->engine->ready(m->loaded);
}

/* ---- workers */

bool eval_worker_init(eval_worker *w, const eval_model *m, size_t helpers, const aim_alloc *alloc) {
  *w = (eval_worker){.m = m, .alloc = alloc};
  size_t given = 0;
  for (size_t k = 0; k < m->p->nsites; k++)
    if (m->p->site[k].ngiven > given) given = m->p->site[k].ngiven;
  w->n_in = m->p->nsites + IR_MAX_RANK + 1 + given;
  w->n_out = m->p->nsites + m->p->noutputs + m->p->nloglik + 3 + given;
  w->in = alloc_get(alloc, w->n_in, sizeof *w->in);
  w->out = alloc_get(alloc, w->n_out, sizeof *w->out);
  w->outputs = alloc_get(alloc, m->output_cells + 1, sizeof *w->outputs);
  for (size_t k = 0; k < m->p->nsites; k++)
    if (m->p->site[k].discrete && m->p->site[k].cells > w->n_ones) w->n_ones = m->p->site[k].cells;
  w->ones = alloc_get(alloc, w->n_ones + 1, sizeof *w->ones);
  for (size_t k = 0; w->ones && k < w->n_ones; k++) w->ones[k].integer = 1;
  w->w = m->engine->worker_new(m->loaded);
  bool cut = m->p->nstages > 0 && m->grad >= 0;
  if (cut && w->w) w->crew = eval_crew_new(m, w->w, helpers, alloc);
  if (w->in && w->out && w->outputs && w->ones && w->w && (w->crew || !cut)) return true;
  eval_worker_free(w);
  return false;
}

void eval_worker_free(eval_worker *w) {
  if (!w->m) return;
  eval_crew_free(w->crew);
  if (w->w) w->m->engine->worker_free(w->w);
  alloc_put(w->alloc, w->in, w->n_in * sizeof *w->in);
  alloc_put(w->alloc, w->out, w->n_out * sizeof *w->out);
  alloc_put(w->alloc, w->outputs, (w->m->output_cells + 1) * sizeof *w->outputs);
  alloc_put(w->alloc, w->ones, (w->n_ones + 1) * sizeof *w->ones);
  memset(w, 0, sizeof *w);
}

void eval_faults_clear(eval_worker *w) {
  memset(&w->faults, 0, sizeof w->faults);
  w->nan_sought = false;
}

void eval_faults_settle(eval_worker *w) {
  w->faults.guards = w->faults.nans = 0;
  w->faults.guard_where = w->faults.nan_where = (span){0};
  w->nan_sought = false; /* the next one is told with its place */
}

void eval_faults_merge(eval_faults *into, const eval_faults *from) {
  if (into->guard_where.file == 0) into->guard_where = from->guard_where, into->factor = from->factor, into->row = from->row, into->share = from->share;
  if (into->nan_where.file == 0) into->nan_where = from->nan_where;
  if (into->stopped == EXEC_OK && from->stopped != EXEC_OK) {
    into->stopped = from->stopped;
    into->where = from->where;
    into->index = from->index;
    into->extent = from->extent;
  }
  into->guards += from->guards;
  into->nans += from->nans;
}

static bool stopped(eval_worker *w, exec_status st, const exec_report *r) {
  if (w->faults.stopped == EXEC_OK) {
    w->faults.stopped = st;
    w->faults.where = r->where;
    w->faults.index = r->index;
    w->faults.extent = r->extent;
  }
  return false;
}

static inline bool called(eval_worker *w, exec_status st, const exec_report *r) {
  if (__builtin_expect(r->guards != 0, 0)) {
    if (w->faults.guards == 0) w->faults.guard_where = r->guard_where, w->faults.factor = false;
    w->faults.guards++; /* a point, however many of its terms fail */
  }
  return __builtin_expect(st == EXEC_OK, 1) || stopped(w, st, r);
}

static inline bool call(eval_worker *w, int fn, size_t lanes) {
  exec_report r = {0};
  return called(w, w->m->engine->call(w->w, fn, lanes, w->in, w->out, &r), &r);
}

/* Log densities lp [n], NaN among them; the arguments are still those of the call.  A matrix that has no Cholesky factor makes the point
 * impossible, as a guard does, and is counted as one; any other NaN is a fault of the program, and is looked for once. */
static void met_nan(eval_worker *w, int fn, size_t n, double *lp) {
  if (w->nan_sought) {
    w->faults.nans++;
    return;
  }
  exec_report r = {0};
  bool found = fn == w->m->grad && w->crew ? eval_crew_find_nan(w->crew, w->in, &r) : w->m->engine->find_nan(w->w, fn, w->in, &r);
  if (found && r.factor) {
    if (w->faults.guards++ == 0) w->faults.guard_where = r.where, w->faults.factor = true, w->faults.row = r.row, w->faults.share = r.share;
    for (size_t k = 0; k < n; k++)
      if (isnan(lp[k])) lp[k] = -(double)INFINITY;
    return;
  }
  w->nan_sought = true;
  w->faults.nans++;
  if (found && w->faults.nan_where.file == 0) w->faults.nan_where = r.where;
}

static void set_point(eval_worker *w, size_t stride, const double *q) {
  const program *p = w->m->p;
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    w->in[k] = s->discrete ? (exec_arg){w->ones, 1} : (exec_arg){(exec_cell *)(void *)(q + s->at_free * stride), stride};
  }
}

void eval_frame_set(eval_worker *w, const exec_cell *frame) {
  const program *p = w->m->p;
  for (size_t k = 0; k < p->nsites; k++) w->in[k] = (exec_arg){(exec_cell *)frame + p->site[k].at, 1};
}

/* A failed guard is a fault of a point whose density it made 0.  Where finite unknowns are summed out it may be one of their values only that is
 * impossible, and where the density is finite that is all it was. */
static size_t impossible(size_t lanes, const double *lp) {
  size_t n = 0;
  for (size_t l = 0; l < lanes; l++) n += !isfinite(lp[l]);
  return n;
}

static bool density_called(eval_worker *w, int fn, exec_status st, exec_report *r, size_t lanes, double *lp) {
  const size_t points = __builtin_expect(r->guards != 0, 0) && st == EXEC_OK ? impossible(lanes, lp) : 1;
  if (points == 0) r->guards = 0;
  if (!called(w, st, r)) return false;
  if (points > 1) w->faults.guards += points - 1;
  if (lanes == 1 && isnan(*lp)) met_nan(w, fn, 1, lp);
  return true;
}

/* Lane after lane: a crew spreads one evaluation, not several. */
static exec_status grad_by_crew(eval_worker *w, size_t lanes, exec_report *report) {
  const size_t nsites = w->m->p->nsites;
  size_t nout = 1;
  for (size_t k = 0; k < nsites; k++) nout += !w->m->p->site[k].discrete;
  exec_status st = EXEC_OK;
  for (size_t l = 0; l < lanes && st == EXEC_OK; l++) {
    exec_report r;
    if (l) {
      for (size_t k = 0; k < nsites; k++) w->in[k].p += !w->m->p->site[k].discrete;
      for (size_t k = 0; k < nout; k++) w->out[k].p++;
    }
    st = eval_crew_grad(w->crew, w->in, w->out, &r);
    const uint64_t guards = report->guards + r.guards;
    if (report->guards) r.guard_where = report->guard_where;
    *report = r;
    report->guards = guards;
  }
  return st;
}

bool eval_grad(eval_worker *w, size_t lanes, size_t stride, const double *q, double *lp, double *grad) {
  const program *p = w->m->p;
  set_point(w, stride, q);
  w->out[0] = (exec_arg){(exec_cell *)(void *)lp, stride};
  /* There is no partial derivative for what was summed out. */
  for (size_t k = 0, n = 1; k < p->nsites; k++)
    if (!p->site[k].discrete) w->out[n++] = (exec_arg){(exec_cell *)(void *)(grad + p->site[k].at_free * stride), stride};
  exec_report r = {0};
  const exec_status st = w->crew ? grad_by_crew(w, lanes, &r) : w->m->engine->call(w->w, w->m->grad, lanes, w->in, w->out, &r);
  return density_called(w, w->m->grad, st, &r, lanes, lp);
}

bool eval_logdens(eval_worker *w, const double *q, double *lp) {
  set_point(w, 1, q);
  w->out[0] = (exec_arg){(exec_cell *)(void *)lp, 1};
  exec_report r = {0};
  const exec_status st = w->m->engine->call(w->w, w->m->logdens, 1, w->in, w->out, &r);
  return density_called(w, w->m->logdens, st, &r, 1, lp);
}

bool eval_constrain(eval_worker *w, const double *q, exec_cell *frame) {
  const program *p = w->m->p;
  set_point(w, 1, q);
  for (size_t k = 0; k < p->nsites; k++) w->out[k] = (exec_arg){frame + p->site[k].at, 1};
  return call(w, w->m->constrain, 1);
}

static void set_block_point(eval_worker *w, size_t b, const double *q, const exec_cell *frame) {
  const program *p = w->m->p;
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    w->in[k] = (exec_arg){s->block == b + 1 ? (exec_cell *)(void *)(q + s->at_block) : (exec_cell *)frame + s->at, 1};
  }
}

bool eval_block_grad(eval_worker *w, size_t b, const exec_cell *frame, const double *q, double *lp, double *grad) {
  const program *p = w->m->p;
  size_t n = 0;
  set_block_point(w, b, q, frame);
  w->out[n++] = (exec_arg){(exec_cell *)(void *)lp, 1};
  for (size_t k = 0; k < p->nsites; k++)
    if (p->site[k].block == b + 1) w->out[n++] = (exec_arg){(exec_cell *)(void *)(grad + p->site[k].at_block), 1};
  if (!call(w, w->m->block[b].grad, 1)) return false;
  if (isnan(*lp)) met_nan(w, w->m->block[b].grad, 1, lp);
  return true;
}

bool eval_block_constrain(eval_worker *w, size_t b, const double *q, exec_cell *frame, exec_cell *spare) {
  const program *p = w->m->p;
  set_block_point(w, b, q, frame);
  for (size_t k = 0; k < p->nsites; k++) w->out[k] = (exec_arg){(p->site[k].block == b + 1 ? frame : spare) + p->site[k].at, 1};
  return call(w, w->m->block[b].constrain, 1);
}

bool eval_recover(eval_worker *w, uint64_t key, exec_cell *frame) {
  const program *p = w->m->p;
  size_t in = 0, out = 0;
  if (w->m->recover < 0) return true;
  w->key.integer = (int64_t)key;
  for (size_t k = 0; k < p->nsites; k++) *(p->site[k].summed ? &w->out[out++] : &w->in[in++]) = (exec_arg){frame + p->site[k].at, 1};
  w->in[in] = (exec_arg){&w->key, 1};
  exec_report r = {0};
  const exec_status st = w->m->engine->call(w->w, w->m->recover, 1, w->in, w->out, &r);
  r.guards = 0; /* of values that were weighed and are impossible */
  return called(w, st, &r);
}

bool eval_prior(eval_worker *w, uint64_t key, exec_cell *frame) {
  const program *p = w->m->p;
  w->key.integer = (int64_t)key;
  w->in[0] = (exec_arg){&w->key, 1};
  for (size_t k = 0; k < p->nsites; k++) w->out[k] = (exec_arg){frame + p->site[k].at, 1};
  return call(w, w->m->prior, 1);
}

bool eval_density(eval_worker *w, const exec_cell *frame, double part[3]) {
  eval_frame_set(w, frame);
  for (int k = 0; k < 3; k++) w->out[k] = (exec_arg){&w->result[k], 1};
  if (!call(w, w->m->density, 1)) return false;
  for (int k = 0; k < 3; k++) part[k] = w->result[k].real;
  if (isnan(part[0] + part[1] + part[2]) && (isnan(part[0]) || isnan(part[1]) || isnan(part[2]))) met_nan(w, w->m->density, 3, part);
  return true;
}

bool eval_tempered(eval_worker *w, const exec_cell *frame, double part[2]) {
  eval_frame_set(w, frame);
  for (int k = 0; k < 2; k++) w->out[k] = (exec_arg){&w->result[k], 1};
  if (!call(w, w->m->tempered, 1)) return false;
  for (int k = 0; k < 2; k++) part[k] = w->result[k].real;
  if (isnan(part[0]) || isnan(part[1])) met_nan(w, w->m->tempered, 2, part);
  return true;
}

bool eval_outputs(eval_worker *w, const exec_cell *frame, uint64_t key) {
  const program *p = w->m->p;
  eval_frame_set(w, frame);
  w->key.integer = (int64_t)key;
  w->in[p->nsites] = (exec_arg){&w->key, 1};
  exec_cell *at = w->outputs;
  for (size_t k = 0; k < p->noutputs; at += p->output[k++].cells) w->out[k] = (exec_arg){at, 1};
  return call(w, w->m->outputs, 1);
}

bool eval_loglik(eval_worker *w, const exec_cell *frame, double *values) {
  const program *p = w->m->p;
  eval_frame_set(w, frame);
  for (size_t k = 0; k < p->nloglik; values += p->loglik[k++].cells) w->out[k] = (exec_arg){(exec_cell *)(void *)values, 1};
  return call(w, w->m->loglik, 1);
}

/* ---- one element */

static void set_index(eval_worker *w, const program_site *s, const int64_t *at) {
  for (uint32_t k = 0; k < s->batch_rank; k++) {
    w->index[k].integer = at[k];
    w->in[w->m->p->nsites + k] = (exec_arg){&w->index[k], 1};
  }
}

bool eval_local(eval_worker *w, size_t s, const int64_t *at, double *terms) {
  set_index(w, &w->m->p->site[s], at);
  w->out[0] = (exec_arg){&w->result[0], 1};
  if (!call(w, w->m->site[s].local, 1)) return false;
  *terms = w->result[0].real;
  if (__builtin_expect(isnan(*terms), 0)) met_nan(w, w->m->site[s].local, 1, terms);
  return true;
}

bool eval_local_tempered(eval_worker *w, size_t s, const int64_t *at, double part[2]) {
  set_index(w, &w->m->p->site[s], at);
  for (int k = 0; k < 2; k++) w->out[k] = (exec_arg){&w->result[k], 1};
  if (!call(w, w->m->site[s].local, 1)) return false;
  for (int k = 0; k < 2; k++) part[k] = w->result[k].real;
  if (__builtin_expect(isnan(part[0]) || isnan(part[1]), 0)) met_nan(w, w->m->site[s].local, 2, part);
  return true;
}

bool eval_natural(eval_worker *w, size_t s, const int64_t *at, size_t n, double *c) {
  set_index(w, &w->m->p->site[s], at);
  const bool array = w->m->p->site[s].conjugate == CONJ_DIRICHLET;
  for (size_t k = 0; k < (array ? 1 : n); k++) w->out[k] = (exec_arg){(exec_cell *)(void *)(c + k), 1};
  return call(w, w->m->site[s].natural, 1);
}

bool eval_naturals(eval_worker *w, size_t s, double *c) {
  for (size_t k = 0; k < 2; k++) w->out[k] = (exec_arg){(exec_cell *)(void *)(c + k * w->m->p->site[s].batch), 1};
  return call(w, w->m->site[s].naturals, 1);
}

bool eval_weights(eval_worker *w, size_t s, const int64_t *list, size_t first, size_t n, double *lw) {
  const program_site *x = &w->m->p->site[s];
  exec_arg *in = w->in + w->m->p->nsites;
  if (x->batch_rank) {
    if (x->listed) *in++ = (exec_arg){(exec_cell *)(void *)list, 1};
    w->index[0].integer = (int64_t)first;
    w->index[1].integer = (int64_t)n;
    *in++ = (exec_arg){&w->index[0], 1};
    *in = (exec_arg){&w->index[1], 1};
  }
  w->out[0] = (exec_arg){(exec_cell *)(void *)lw, 1};
  return call(w, w->m->site[s].weights, 1);
}

void eval_weights_nan(eval_worker *w, size_t s) {
  double lp = NAN;
  met_nan(w, w->m->site[s].weights, 1, &lp);
}

bool eval_given(eval_worker *w, size_t s, exec_cell *given) {
  for (size_t k = 0; k < w->m->p->site[s].ngiven; k++) w->out[k] = (exec_arg){given + w->m->site[s].given_at[k], 1};
  return call(w, w->m->site[s].given, 1);
}

bool eval_slim(eval_worker *w, size_t s, const exec_cell *given, double *terms) {
  const size_t n = w->m->p->nsites;
  for (size_t k = 0; k < w->m->p->site[s].ngiven; k++) w->in[n + k] = (exec_arg){(exec_cell *)given + w->m->site[s].given_at[k], 1};
  w->out[0] = (exec_arg){&w->result[0], 1};
  if (!call(w, w->m->site[s].slim, 1)) return false;
  *terms = w->result[0].real;
  if (__builtin_expect(isnan(*terms), 0)) met_nan(w, w->m->site[s].slim, 1, terms);
  return true;
}

bool eval_joint(eval_worker *w, size_t s, double *gradient) {
  w->out[0] = (exec_arg){(exec_cell *)(void *)gradient, 1};
  return call(w, w->m->site[s].joint, 1);
}

bool eval_conflicts(eval_worker *w, size_t s, const int64_t *at, bool *any) {
  set_index(w, &w->m->p->site[s], at);
  w->out[0] = (exec_arg){&w->result[0], 1};
  if (!call(w, w->m->site[s].conflicts, 1)) return false;
  *any = w->result[0].real > 0;
  return true;
}

bool eval_bounds(eval_worker *w, size_t s, const int64_t *at, double *lo, double *hi) {
  set_index(w, &w->m->p->site[s], at);
  for (int k = 0; k < 2; k++) w->out[k] = (exec_arg){&w->result[k], 1};
  if (!call(w, w->m->site[s].bounds, 1)) return false;
  *lo = w->result[0].real;
  *hi = w->result[1].real;
  return true;
}

bool eval_point(eval_worker *w, size_t s, const double *u, double lo, double *event, double *jacobian) {
  exec_cell at_lo = {.real = lo};
  exec_arg in[2] = {{(exec_cell *)(void *)u, 1}, {&at_lo, 1}};
  exec_arg out[2] = {{(exec_cell *)(void *)event, 1}, {&w->result[1], 1}};
  exec_report r = {0};
  exec_status st = w->m->engine->call(w->w, w->m->site[s].point, 1, in, out, &r);
  if (st != EXEC_OK) return stopped(w, st, &r);
  *jacobian = w->result[1].real;
  return true;
}
