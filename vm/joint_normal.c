/* joint_normal.c: multivariate normal conditionals (joint_normal.h). */
#include "vm/joint_normal.h"

#include "stdlib/runtime/rt_sample.h"

#include <math.h>
#include <string.h>

bool joint_normal_form(mh_walk *c, size_t site, double *b, double *Q) {
  const program_site *p = &c->t->m->p->site[site];
  const size_t n = p->cells;
  exec_cell *x = c->frame + p->at;
  memset(x, 0, n * sizeof *x);
  if (!eval_joint(c->w, site, b)) return mh_walk_stopped(c);
  for (size_t j = 0; j < n; j++) {
    double *row = Q + j * n;
    x[j].real = 1.0;
    if (!eval_joint(c->w, site, row)) return mh_walk_stopped(c);
    x[j].real = 0.0;
    for (size_t i = 0; i < n; i++) row[i] = b[i] - row[i];
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) Q[i * n + j] = Q[j * n + i] = 0.5 * (Q[i * n + j] + Q[j * n + i]);
  return true;
}

bool joint_normal_draw(mh_walk *c, size_t site, bool *drawn) {
  const program_site *p = &c->t->m->p->site[site];
  const size_t n = p->cells;
  const rt_kernels *k = c->t->kernels;
  exec_cell *x = c->frame + p->at;
  double *b = c->s->joint, *old = b + n, *Q = old + n;
  for (size_t i = 0; i < n; i++) old[i] = x[i].real;
  c->scores += n + 1;
  if (!joint_normal_form(c, site, b, Q)) return false;
  bool finite = true;
  for (size_t i = 0; i < n; i++) finite = finite && isfinite(b[i]);
  *drawn = finite && k->cholesky(Q, Q, (ptrdiff_t)n) == 0;
  if (*drawn) {
    const uint64_t key = rt_key_fold(c->sweep_key, c->t->first[site]);
    k->solve_lower(b, Q, b, (ptrdiff_t)n, 1, 0);
    for (size_t i = 0; i < n; i++) b[i] += rt_draw_normal((rt_draw_addr){key, (uint32_t)(3 * site), i});
    k->solve_lower(b, Q, b, (ptrdiff_t)n, 1, 1);
    for (size_t i = 0; i < n; i++) *drawn = *drawn && isfinite(b[i]);
  }
  const double *now = *drawn ? b : old;
  for (size_t i = 0; i < n; i++) x[i].real = now[i];
  if (!*drawn) return true;
  c->stale = true;
  if (p->event > 1) memcpy(c->u + p->at_free, b, n * sizeof *b); /* coordinates of vectors are the vectors */
  for (size_t i = 0; i < n && c->changed; i++) c->changed[c->n_changed++] = p->at + i;
  return true;
}
