/* conditional.c: draws of elements given everything else (conditional.h). */
#include "vm/conditional.h"

#include "stdlib/runtime/rt_math.h"
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
  /* The first sweeps are far from where the density is, and slices there as long as all that is better: of the logarithm of a scale, hundreds. */
  const double most = c->gain > 0 ? 8.0 / c->gain : SLICE_MOST_STEPS;
  if (!slice_update(f, l, *width, most < SLICE_MOST_STEPS ? (int)most : SLICE_MOST_STEPS, &at, &d)) return false;
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

/* ---- families */

/* A draw that rounding put on the end of its support is moved to the number next to it. */
static double inside(double v, double hi) { return v <= 0 ? 0x1p-1022 : v < hi ? v : hi == 1.0 ? 1.0 - 0x1p-53 : 0x1.fffffffffffffp1023; }

/* Natural parameters of the element: among those of the whole site, or its own. */
static bool natural_of(mh_walk *c, const mh_element *x, double n[2]) {
  if (!c->naturals) return eval_natural(c->w, x->site, x->at, 2, n) || mh_walk_stopped(c);
  n[0] = c->s->natural[x->e];
  n[1] = c->s->natural[x->p->batch + x->e];
  return true;
}

/* *drawn: whether these are parameters of a distribution, on the element's own support.  Where a prior is improper they may be none. */
static bool draw_scalar(mh_walk *c, const mh_element *x, bool *drawn) {
  const conjugate_family family = x->p->conjugate;
  double n[2], v = 0.0, a, b;
  *drawn = false;
  if (!natural_of(c, x, n)) return false;
  const rt_draw_addr at = {c->sweep_key, (uint32_t)(3 * x->site), x->e};
  switch (family) {
  case CONJ_NORMAL:
    a = n[0], b = -2.0 * n[1];
    if (!(b > 0 && b < INFINITY && isfinite(a))) return true;
    v = a / b + rt_draw_normal(at) / sqrt(b);
    break;
  case CONJ_GAMMA:
  case CONJ_INV_GAMMA:
    a = family == CONJ_GAMMA ? n[0] + 1.0 : -n[0] - 1.0, b = -n[1];
    if (!(a > 0 && b > 0 && a < INFINITY && b < INFINITY) || x->lo != 0 || x->hi != INFINITY) return true;
    v = rt_draw_gamma(at, a);
    v = inside(family == CONJ_GAMMA ? v / b : b / v, INFINITY);
    break;
  case CONJ_BETA:
    a = n[0] + 1.0, b = n[1] + 1.0;
    if (!(a > 0 && b > 0 && a < INFINITY && b < INFINITY) || x->lo != 0 || x->hi != 1) return true;
    v = inside(rt_draw_beta(at, a, b), 1.0);
    break;
  default: return true;
  }
  c->frame[x->p->at + x->e].real = v;
  return *drawn = true;
}

/* Where a parameter is not positive the conditional is improper, and the element stays: its unconstrained coordinates are not kept up, so it has no other step. */
static bool draw_simplex(mh_walk *c, const mh_element *x) {
  const size_t n = x->p->event;
  double *g = c->naturals ? c->s->natural + x->e * n : c->s->event, top = -INFINITY, total = 0;
  exec_cell *cell = c->frame + x->p->at + x->e * n;
  if (!c->naturals && !eval_natural(c->w, x->site, x->at, n, g)) return mh_walk_stopped(c);
  const uint64_t key = rt_key_fold(c->sweep_key, x->number);
  for (size_t k = 0; k < n; k++)
    if (!(g[k] + 1.0 > 0 && g[k] < INFINITY)) return true;
  for (size_t k = 0; k < n; k++) {
    g[k] = rt_draw_log_gamma((rt_draw_addr){key, 0, k}, g[k] + 1.0);
    if (g[k] > top) top = g[k];
  }
  for (size_t k = 0; k < n; k++) total += g[k] = rt_exp(g[k] - top);
  for (size_t k = 0; k < n; k++) cell[k].real = inside(g[k] / total, 1.0);
  return true;
}

/* Of the element's conditional; *drawn is false where it has to be moved otherwise. */
static bool draw_conjugate(mh_walk *c, const mh_element *x, bool *drawn) {
  c->stale = true; /* the score before and after is not asked for */
  c->scores++;
  *drawn = true;
  return x->p->conjugate == CONJ_DIRICHLET ? draw_simplex(c, x) : draw_scalar(c, x, drawn);
}

bool mh_step_slice(mh_walk *c, const mh_element *x) {
  if (x->p->discrete && x->p->site->support == IR_SUP_FINITE && mh_states(x)) return mh_step_finite(c, x);
  c->accept += 1.0;
  if (x->p->discrete) return slice_integer(c, x);
  if (c->t->m->site[x->site].natural >= 0 && !c->plain) {
    bool drawn;
    if (!draw_conjugate(c, x, &drawn)) return false;
    if (drawn) return true;
  }
  return c->t->m->site[x->site].point >= 0 ? slice_point(c, x) : slice_real(c, x);
}
