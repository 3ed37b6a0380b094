/* flat_direction.c: see flat_direction.h. */
#include "vm/flat_direction.h"

#include "stdlib/runtime/rt_philox.h"
#include "vm/eigen.h"

#include <math.h>
#include <string.h>

enum { DOMAIN = 0x666c6174 };

/* Coordinates of unbounded unknowns with flat priors; more than FLAT_MOST, or 0. */
static size_t flat_coordinates(const program *p, size_t at[FLAT_MOST]) {
  size_t n = 0;
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    if (s->discrete || !s->improper || s->site->support != IR_SUP_REAL) continue;
    for (size_t e = 0; e < s->batch * s->free; e++, n++)
      if (n < FLAT_MOST) at[n] = s->at_free + e;
      else return n + 1;
  }
  return n;
}

/* |g'v| is rounding beside the terms that cancel. */
static bool orthogonal(const double *g, const double *v, size_t n) {
  double sum = 0, size = 0;
  for (size_t i = 0; i < n; i++) sum += g[i] * v[i], size += fabs(g[i] * v[i]);
  return fabs(sum) <= 1e-9 * size;
}

typedef struct search {
  const eval_model *m;
  eval_worker w;
  size_t n, dim, points;
  size_t at[FLAT_MOST];
  double *q, *grad, *g; /* [dim], [dim], [points * n] */
  double *A, *w_, *V, *work;
} search;

static bool gradients(search *s) {
  size_t have = 0;
  for (uint64_t k = 0; k < 4 * s->points && have < s->points; k++) {
    double lp;
    for (size_t i = 0; i < s->dim; i++) s->q[i] = 4 * ((double)(rt_key_fold(rt_key_fold(DOMAIN, k), i) >> 11) * 0x1p-53) - 2;
    if (!eval_grad(&s->w, 1, 1, s->q, &lp, s->grad)) return false;
    bool finite = isfinite(lp);
    for (size_t i = 0; i < s->n; i++) finite = finite && isfinite(s->g[have * s->n + i] = s->grad[s->at[i]]);
    have += finite;
  }
  return have == s->points;
}

static void look(search *s, flat_direction *out) {
  const size_t n = s->n;
  if (!gradients(s)) return;
  for (size_t p = 0; p < s->points; p++)
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++) s->A[i * n + j] += s->g[p * n + i] * s->g[p * n + j];
  if (!eigen_symmetric(n, s->A, s->w_, s->V, s->work)) return;
  size_t least = 0;
  for (size_t k = 1; k < n; k++)
    if (s->w_[k] < s->w_[least]) least = k;
  const double *v = s->V + least * n;
  for (size_t p = 0; p < s->points; p++)
    if (!orthogonal(s->g + p * n, v, n)) return;
  size_t top = 0;
  for (size_t i = 1; i < n; i++)
    if (fabs(v[i]) > (1 + 1e-9) * fabs(v[top])) top = i; /* of equal ones the first */
  for (size_t i = 0; i < n; i++)
    if (fabs(v[i]) > 1e-6 * fabs(v[top])) {
      out->at[out->n] = s->at[i];
      out->by[out->n++] = v[i] / v[top];
    }
}

void flat_direction_find(const eval_model *m, const aim_alloc *alloc, flat_direction *out) {
  search s = {.m = m, .dim = m->p->dim};
  out->n = 0;
  s.n = flat_coordinates(m->p, s.at);
  if (s.n == 0 || s.n > FLAT_MOST || m->grad < 0) return;
  s.points = 2 * s.n + 8;
  const size_t cells = 2 * s.dim + s.points * s.n + 2 * s.n * s.n + 3 * s.n;
  double *room = alloc_get(alloc, cells, sizeof *room);
  if (!room) return;
  memset(room, 0, cells * sizeof *room);
  s.q = room;
  s.grad = s.q + s.dim;
  s.g = s.grad + s.dim;
  s.A = s.g + s.points * s.n;
  s.V = s.A + s.n * s.n;
  s.w_ = s.V + s.n * s.n;
  s.work = s.w_ + s.n;
  if (eval_worker_init(&s.w, m, 0, alloc)) {
    look(&s, out);
    eval_worker_free(&s.w);
  }
  alloc_put(alloc, room, cells * sizeof *room);
}
