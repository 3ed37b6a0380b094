/* api_blame.c: which data are to blame for a density that is 0, or not a number, wherever a run begins. */
#include "vm/api.h"

#include "compiler/bind.h"
#include "vm/interp.h"

#include <math.h>

enum { TRIES = 16 /* draws from the prior */, FRAME_TRIES = 3 };

const char api_no_factor[] = "covariances of points that are equal, or nearly so, are singular up to rounding: add to the diagonal, `K + diag(rep(1e-6, N))`";

/* A model of the task in the interpreter, beside its own.  Nothing but this call holds it, so memory that runs out on the way gives it back. */
static exec_status load_apart(aim_task *t, eval_model *m /* OUT */) {
  arena *a = t->p.mem;
  jmp_buf *outer = a->oom, here;
  const char *message;
  *m = (eval_model){0};
  a->oom = &here;
  if (setjmp(here)) {
    a->oom = outer;
    eval_model_unload(m);
    longjmp(*outer, 1);
  }
  const exec_status st = eval_model_load(m, &t->p, &interp_engine, t->vm->config.isa, t->vm->config.memory, &t->vm->alloc, &message);
  a->oom = outer;
  return st;
}

/* ---- what is made of data alone */

static bool same(span a, span b) { return a.file == b.file && a.off == b.off && a.len == b.len; }

/* guard: where a guard failed; then a matrix without a factor is to blame that is made there, or nothing. */
static bool blame_data(aim_task *t, const span *guard) {
  diag_list *l = &t->p.diags;
  eval_model m;
  eval_worker w;
  exec_report r = {0};
  bool found = false;
  if (load_apart(t, &m) == EXEC_OK) {
    const int prepare = interp_engine.find(m.loaded, "prepare");
    if (prepare >= 0 && eval_worker_init(&w, &m, 0, &t->vm->alloc)) {
      found = interp_engine.find_nan(w.w, prepare, w.in, &r);
      eval_worker_free(&w);
    }
  }
  eval_model_unload(&m);
  if (!found || !r.where.file || (guard && !(r.factor && same(r.where, *guard)))) return false;
  diag *d = diag_add(l, DIAG_ERROR, "E0788", r.where, r.factor ? "this has a covariance matrix, made of data alone, without a Cholesky factor" : "this is NaN whatever the unknowns are, since it is made of data alone");
  strbuf at;
  strbuf_init(&at, l->a);
  for (uint32_t k = 0; k < r.naxes; k++) strbuf_printf(&at, "%s%lld", k ? ", " : "element [", (long long)r.at[k] + 1);
  if (r.naxes) diag_say(l, d, "%s]", at.s);
  if (r.factor) diag_note(l, d, "%s", bind_pivot_text(l->a, (size_t)r.row, r.share));
  diag_help(l, d, "%s", r.factor ? api_no_factor : "look at the data behind it: a logarithm or a root of a negative number, 0 / 0, or a difference of infinities");
  return true;
}

bool api_blame_data(aim_task *t) { return blame_data(t, NULL); }

/* Some result of @prepare is not a number. */
static bool frame_has_nan(const aim_task *t) {
  const ir_fn *fn = ir_fn_find(t->p.module, "prepare");
  const exec_engine *engine = t->model.engine;
  for (uint32_t k = 0; fn && engine->frame && k < fn->nret; k++) {
    const ir_type type = ir_type_of(fn, fn->ret[k]);
    const exec_cell *x = type.elem == IR_REAL ? engine->frame(t->model.loaded, k + 1) : NULL;
    size_t cells = 1;
    for (int a = 0; a < type.rank; a++) cells *= (size_t)size_eval(t->p.sizes, type.dim[a]);
    for (size_t e = 0; x && e < cells; e++)
      if (isnan(x[e].real)) return true;
  }
  return false;
}

bool api_refuse_data(aim_task *t) {
  const eval_model *m = &t->model;
  if (m->prior < 0 || m->density < 0 || !frame_has_nan(t)) return false;
  exec_cell *frame = ARENA_ARRAY(t->p.mem, exec_cell, t->p.cells + 1);
  eval_worker w;
  bool all = eval_worker_init(&w, m, 0, &t->vm->alloc);
  span guard = {0};
  if (!all) return false;
  for (uint64_t k = 0; k < FRAME_TRIES && all; k++) {
    double part[3];
    eval_faults_clear(&w);
    all = eval_prior(&w, k, frame) && eval_density(&w, frame, part);
    if (!all || isnan(part[0] + part[1] + part[2])) continue;
    all = w.faults.guard_where.file && (!guard.file || same(guard, w.faults.guard_where)); /* as of a covariance: `valid` */
    guard = w.faults.guard_where;
  }
  eval_worker_free(&w);
  return all && blame_data(t, guard.file ? &guard : NULL);
}

/* ---- observations that nothing makes possible */

typedef struct verdict {
  bool bad, nan;
  const program_loglik *of;
  size_t cell, others; /* how many other observations are like it */
  bool made;           /* r tells the first NaN that is made on the way, which a guard may have hidden */
  exec_report r;
} verdict;

/* The first observation of density 0, or NaN, at every draw from the prior. */
static verdict judge(const program *p, const eval_model *m, const aim_alloc *alloc, exec_cell *frame, double *value, uint8_t *never, size_t cells) {
  verdict v = {0};
  eval_worker w;
  if (!eval_worker_init(&w, m, 0, alloc)) return v;
  bool ok = true;
  for (uint64_t k = 0; k < TRIES && ok; k++) {
    ok = eval_prior(&w, k, frame) && eval_loglik(&w, frame, value);
    for (size_t c = 0; c < cells && ok; c++) {
      if (isfinite(value[c])) never[c] = 0;
      else if (k == 0) never[c] = isnan(value[c]) ? 2 : 1;
    }
  }
  exec_report r = {0};
  const bool made = ok && interp_engine.find_nan(w.w, m->loglik, w.in, &r) && r.where.file; /* of the last call */
  eval_worker_free(&w);
  size_t from = 0;
  for (size_t s = 0; s < p->nloglik && ok; from += p->loglik[s++].cells)
    for (size_t c = 0; c < p->loglik[s].cells; c++) {
      if (!never[from + c]) continue;
      if (v.bad) v.others++;
      else v = (verdict){true, never[from + c] == 2, &p->loglik[s], c, 0, made, r};
    }
  return v;
}

void api_blame_observation(aim_task *t, diag *d) {
  program *p = &t->p;
  const program_sums sums = p->sums;
  p->sums = SUMS_NONE;
  const bool built = program_build(p, NEED_PRIOR | NEED_LOGLIK);
  p->sums = sums;
  size_t cells = 0;
  for (size_t k = 0; k < p->nloglik; k++) cells += p->loglik[k].cells;
  if (!built || !cells) return;
  exec_cell *frame = ARENA_ARRAY(p->mem, exec_cell, p->cells + 1);
  double *value = ARENA_ARRAY(p->mem, double, cells);
  uint8_t *never = ARENA_ARRAY(p->mem, uint8_t, cells);
  eval_model m;
  verdict v = {0};
  if (load_apart(t, &m) == EXEC_OK && m.prior >= 0 && m.loglik >= 0)
    v = judge(p, &m, &t->vm->alloc, frame, value, never, cells);
  eval_model_unload(&m);
  if (!v.bad) return;
  strbuf at;
  strbuf_init(&at, p->mem);
  size_t rest = v.of->cells, cell = v.cell;
  for (uint32_t a = 0; a < v.of->rank; a++) {
    rest /= (size_t)v.of->dim[a];
    strbuf_printf(&at, "%s%zu", a ? ", " : "[", cell / rest + 1);
    cell %= rest;
  }
  if (v.of->rank) strbuf_puts(&at, "]");
  const ir_site *site = ir_site_find(p->ir, v.of->name);
  if (site) diag_point(&p->diags, d, site->where, "`%s` is observed here", v.of->name);
  const char *more = v.others ? arena_printf(p->mem, ", as %s %zu other%s", v.others == 1 ? "is" : "are", v.others, v.others == 1 ? "" : "s") : "";
  if (v.made && v.r.factor) {
    diag_note(&p->diags, d, "at draws from the prior it has a covariance without a Cholesky factor: %s", bind_pivot_text(p->mem, (size_t)v.r.row, v.r.share));
    return;
  }
  diag_note(&p->diags, d, "`%s%s` is %s at each of %d draws from the prior%s: look at its value, and at the data that its distribution is made of, for a division by 0 or a logarithm of it", v.of->name, at.n ? at.s : "",
            v.nan ? "of a density that is NaN" : "impossible", TRIES, more);
}
