/* api_density.c: evaluators of aim.h. */
#include "vm/api.h"

#include "stdlib/runtime/rt_philox.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool continuous(const check_model *m) {
  for (size_t k = 0; k < m->nsites; k++)
    if (m->sites[k].role == IR_LATENT && m->sites[k].type->kind != TY_REAL) return false;
  return true;
}

aim_status aim_evaluator_new(aim_task *t, aim_evaluator **out) {
  *out = NULL;
  if (!t) return AIM_E_USAGE;
  unsigned more = NEED_PRIOR | NEED_DENSITY | (t->plan.model && continuous(t->plan.model) ? NEED_GRAD : 0);
  aim_status st = api_bind(t, more);
  if (st != AIM_OK) return st;
  eval_model_ready(&t->model);
  aim_evaluator *e = alloc_get(&t->vm->alloc, 1, sizeof *e);
  if (!e) return AIM_E_MEMORY;
  memset(e, 0, sizeof *e);
  e->t = t;
  e->frame = alloc_get(&t->vm->alloc, t->p.cells + 1, sizeof *e->frame);
  e->spare = alloc_get(&t->vm->alloc, t->p.dim + 1, sizeof *e->spare);
  if (!e->frame || !e->spare || !eval_worker_init(&e->w, &t->model, t->plan.threads > 1 ? (size_t)t->plan.threads - 1 : 0, &t->vm->alloc)) {
    aim_evaluator_free(e);
    return AIM_E_MEMORY;
  }
  e->w.nan_sought = true; /* places of NaN are for runs; a host sees the NaN itself */
  *out = e;
  return AIM_OK;
}

void aim_evaluator_free(aim_evaluator *e) {
  if (!e) return;
  aim_alloc a = e->t->vm->alloc;
  eval_worker_free(&e->w);
  alloc_put(&a, e->frame, (e->t->p.cells + 1) * sizeof *e->frame);
  alloc_put(&a, e->spare, (e->t->p.dim + 1) * sizeof *e->spare);
  alloc_put(&a, e, sizeof *e);
}

/* The line tables were built when the task was bound, so nothing here allocates. */
static aim_status failed(aim_evaluator *e) {
  eval_faults *f = &e->w.faults;
  const source_file *file = source_get(&e->t->p.sources, f->where.file);
  source_place at = file ? source_locate(&e->t->p.sources, f->where.file, f->where.off) : (source_place){0, 0};
  snprintf(e->error, sizeof e->error, "%s:%u:%u: index %lld is outside 1..%lld", file ? file->name : e->t->of->name, at.line, at.column,
           (long long)f->index + 1, (long long)f->extent);
  memset(f, 0, sizeof *f);
  return AIM_E_PROGRAM;
}

const char *aim_evaluator_error(const aim_evaluator *e) { return e ? e->error : ""; }
size_t aim_dimension(const aim_evaluator *e) { return e ? e->t->p.dim : 0; }
size_t aim_cells(const aim_evaluator *e) { return e ? e->t->p.cells : 0; }

aim_status aim_log_density(aim_evaluator *e, const double *q, double *lp, double *gradient) {
  if (!e || !lp || (!q && e->t->p.dim) || e->t->model.grad < 0) return AIM_E_USAGE;
  return eval_grad(&e->w, 1, 1, q, lp, gradient ? gradient : e->spare) ? AIM_OK : failed(e);
}

static aim_status frame_out(aim_evaluator *e, double *out) {
  const program *p = &e->t->p;
  for (size_t k = 0; k < p->nsites; k++)
    for (size_t c = 0; c < p->site[k].cells; c++) out[p->site[k].at + c] = eval_cell_real(&p->site[k], e->frame[p->site[k].at + c]);
  return AIM_OK;
}

aim_status aim_constrain(aim_evaluator *e, const double *q, double *latents) {
  if (!e || !latents || e->t->model.constrain < 0 || e->t->model.grad < 0) return AIM_E_USAGE;
  return eval_constrain(&e->w, q, e->frame) ? frame_out(e, latents) : failed(e);
}

aim_status aim_prior_draw(aim_evaluator *e, uint64_t seed, uint64_t draw, double *latents) {
  if (!e || !latents || e->t->model.prior < 0) return AIM_E_USAGE;
  uint64_t key = rt_key_fold(rt_key_fold(rt_key_fold(seed, 0), RUN_KEY_PRIOR), draw);
  return eval_prior(&e->w, key, e->frame) ? frame_out(e, latents) : failed(e);
}

aim_status aim_score_get(aim_evaluator *e, const double *latents, aim_score *out) {
  if (!e || !latents || !out || e->t->model.density < 0) return AIM_E_USAGE;
  const program *p = &e->t->p;
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    bool real = s->site->type.elem == IR_REAL;
    for (size_t c = s->at; c < s->at + s->cells; c++) {
      /* Integers that a double does not hold are no values of a discrete site. */
      if (!real && !(fabs(latents[c]) < 0x1p53 && latents[c] == floor(latents[c]))) return AIM_E_USAGE;
      if (real) e->frame[c].real = latents[c];
      else e->frame[c].integer = (int64_t)latents[c];
    }
  }
  double part[3];
  if (!eval_density(&e->w, e->frame, part)) return failed(e);
  *out = (aim_score){part[0], part[1], part[2]};
  return AIM_OK;
}
