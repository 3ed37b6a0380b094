/* conditional.c: draws of elements given everything else (conditional.h). */
#include "vm/conditional.h"

#include "stdlib/runtime/rt_sample.h"
#include "vm/slice.h"

#include <math.h>
#include <string.h>

/* ---- finite elements */

static bool is_spin(const mh_element *x) { return x->lo == -1.0 && x->hi == 1.0; } /* -1 and 1, nothing between */

size_t mh_states(const mh_element *x) {
  if (is_spin(x)) return 2;
  double n = x->hi - x->lo + 1.0;
  return n >= 1.0 && n <= MH_MOST_STATES ? (size_t)n : 0;
}

int64_t mh_state(const mh_element *x, size_t k) { return (int64_t)x->lo + (int64_t)(is_spin(x) ? 2 * k : k); }

bool mh_weights(mh_walk *c, const mh_element *x, double *lw, mh_score *was) {
  exec_cell *cell = &c->frame[x->p->at + x->e];
  const int64_t old = cell->integer;
  const size_t n = mh_states(x);
  for (size_t k = 0; k < n; k++) {
    mh_score now;
    cell->integer = mh_state(x, k);
    if (!mh_walk_score(c, x, &now)) return false;
    if (cell->integer == old) *was = now;
    lw[k] = now.all < INFINITY ? now.all : -INFINITY;
  }
  return true;
}

bool mh_step_finite(mh_walk *c, const mh_element *x) {
  exec_cell *cell = &c->frame[x->p->at + x->e];
  const int64_t old = cell->integer;
  const size_t n = mh_states(x);
  double *lw = c->s->weight;
  mh_score was = {0}, now;
  c->accept += 1.0;
  if (n == 1) return true;
  if (!mh_weights(c, x, lw, &was)) return false;
  bool any = false;
  for (size_t k = 0; k < n && !any; k++) any = lw[k] > -INFINITY;
  int64_t k = any ? rt_draw_categorical_log((rt_draw_addr){c->sweep_key, (uint32_t)(3 * x->site), x->e}, lw, (ptrdiff_t)n) : -1;
  cell->integer = k >= 0 ? mh_state(x, (size_t)k) : old;
  if (cell->integer == old) return true;
  if (!c->t->tempered) now = (mh_score){lw[k], 0.0, lw[k]};
  else if (!mh_walk_score(c, x, &now)) return false;
  mh_walk_moved(c, x, &now, &was);
  return true;
}

/* ---- slices */

/* What a density along one coordinate needs. */
typedef struct line {
  mh_walk *c;
  const mh_element *x;
  double from;        /* the coordinate at d = 0; of integers with its fraction */
  size_t k;           /* of an event's coordinates */
  mh_score first, last;
  size_t n;           /* scores so far */
} line;

static bool score(line *l, double log_jacobian, double *out) {
  if (!mh_walk_score(l->c, l->x, &l->last)) return false;
  if (l->n++ == 0) l->first = l->last;
  *out = l->last.all + log_jacobian;
  return true;
}

static bool real_density(void *user, double d, double *out) {
  line *l = user;
  const double log_jacobian = mh_move(l->x, l->from, d, &l->c->frame[l->x->p->at + l->x->e].real);
  *out = -INFINITY;
  return log_jacobian == -INFINITY || score(l, log_jacobian, out);
}

static bool integer_density(void *user, double d, double *out) {
  line *l = user;
  const mh_element *x = l->x;
  const double y = floor(l->from + d);
  *out = -INFINITY;
  if (y < x->lo || y > x->hi || !(fabs(y) < 9e15)) return true;
  l->c->frame[x->p->at + x->e].integer = (int64_t)y;
  return score(l, 0.0, out);
}

static bool point_density(void *user, double d, double *out) {
  line *l = user;
  mh_walk *c = l->c;
  const program_site *p = l->x->p;
  double *jacobian = &c->jacobian[l->x->number];
  c->s->u_new[l->k] = l->from + d;
  if (!eval_point(c->w, l->x->site, c->s->u_new, l->x->lo, c->s->event, jacobian)) return mh_walk_stopped(c);
  memcpy(c->frame + p->at + l->x->e * p->event, c->s->event, p->event * sizeof *c->s->event);
  return score(l, *jacobian, out);
}

static bool move(line *l, slice_density *f, double *width, double least) {
  mh_walk *c = l->c;
  rt_draw_addr at = {rt_key_fold(c->sweep_key, l->x->number), (uint32_t)l->k, 0};
  double d;
  if (!slice_update(f, l, *width, &at, &d)) return false;
  if (c->gain > 0) {
    const double ratio = 3.0 * fabs(d) / *width;
    *width *= 1.0 + 0.25 * c->gain * ((ratio < 10.0 ? ratio : 10.0) - 1.0); /* gain <= 2 */
    if (*width < least) *width = least;
  }
  mh_walk_moved(c, l->x, &l->last, &l->first);
  return true;
}

static bool slice_real(mh_walk *c, const mh_element *x) {
  line l = {.c = c, .x = x, .from = c->frame[x->p->at + x->e].real};
  return move(&l, real_density, &c->width[x->number], 0.0);
}

static bool slice_integer(mh_walk *c, const mh_element *x) {
  const double fraction = rt_draw_uniform((rt_draw_addr){rt_key_fold(c->sweep_key, x->number), 1, 0});
  line l = {.c = c, .x = x, .from = (double)c->frame[x->p->at + x->e].integer + fraction};
  return move(&l, integer_density, &c->width[x->number], 1.0);
}

static bool slice_point(mh_walk *c, const mh_element *x) {
  const size_t free = x->p->free, at = x->p->at_free + x->e * free;
  double *u = c->u + at, *width = c->width + c->t->elements + at;
  if (!mh_walk_refresh_point(c, x, u)) return mh_walk_stopped(c);
  memcpy(c->s->u_new, u, free * sizeof *u);
  for (size_t k = 0; k < free; k++) {
    line l = {.c = c, .x = x, .from = u[k], .k = k};
    if (!move(&l, point_density, &width[k], 0.0)) return false;
    u[k] = c->s->u_new[k];
  }
  return true;
}

bool mh_step_slice(mh_walk *c, const mh_element *x) {
  if (x->p->discrete && x->p->site->support == IR_SUP_FINITE && mh_states(x)) return mh_step_finite(c, x);
  c->accept += 1.0;
  if (x->p->discrete) return slice_integer(c, x);
  return c->t->m->site[x->site].point >= 0 ? slice_point(c, x) : slice_real(c, x);
}
