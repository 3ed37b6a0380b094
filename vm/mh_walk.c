/* mh_walk.c: steps of a walker (mh_walk.h).
 *
 * Latents stand in one flat frame, written in place; the undo log takes a rejected proposal back, and the cells of an accepted one are
 * listed for the store, which may share the rest with the draw before (run_store.c).  An element is visited at most once between two
 * such draws, so the list has no repetitions. */
#include "vm/conditional.h"
#include "vm/joint_normal.h"
#include "vm/start_search.h"

#include "compiler/derive.h"
#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_sample.h"

#include <math.h>
#include <string.h>

enum { INIT_TRIES = 100, INIT_RADII = 4, INIT_SEARCHES = 3 };

static rt_draw_addr address(const mh_walk *c, const mh_element *x, int use, uint64_t k) {
  return (rt_draw_addr){c->sweep_key, (uint32_t)(3 * x->site) + (uint32_t)use, k};
}

bool mh_walk_score(mh_walk *c, const mh_element *x, mh_score *out) {
  c->scores++;
  if (!c->t->tempered) {
    out->hot = 0.0;
    const bool slim = c->by_given == x->site + 1;
    if (slim ? !eval_slim(c->w, x->site, c->s->given, &out->base) : !eval_local(c->w, x->site, x->at, &out->base)) return mh_walk_stopped(c);
    out->all = out->base;
    return true;
  }
  double part[2];
  if (!eval_local_tempered(c->w, x->site, x->at, part)) return mh_walk_stopped(c);
  *out = (mh_score){part[0], part[1], c->beta == 0 ? part[0] : part[0] + c->beta * part[1]};
  return true;
}

void mh_walk_moved(mh_walk *c, const mh_element *x, const mh_score *now, const mh_score *old) {
  c->lp += now->base - old->base;
  c->hot += now->hot - old->hot;
  for (size_t k = 0; k < x->p->event && c->changed; k++) c->changed[c->n_changed++] = x->p->at + x->e * x->p->event + k;
}

double mh_acceptance(bool heat_bath, double floor, double r) {
  const double p = r >= 0 ? 1.0 : r > -700 ? rt_exp(r) : 0.0; /* a NaN is 0 too */
  if (heat_bath) return p < 1.0 ? p / (1.0 + p) : 1.0 / (1.0 + rt_exp(-r));
  return p < floor && r > -INFINITY ? floor : p;
}

/* Decides about the value that now stands in the frame.  log_ratio is what the proposal adds to the difference of the scores. */
static bool decide(mh_walk *c, const mh_element *x, const mh_score *old, double log_ratio, size_t mark, bool *accepted, bool heat_bath,
                   double target) {
  mh_score now;
  *accepted = false;
  if (!mh_walk_score(c, x, &now)) return false;
  double r = now.all - old->all + log_ratio;
  const double p = mh_acceptance(heat_bath, c->rule == MH_METROPOLIS ? c->floor : 0.0, r);
  *accepted = p >= 1.0 || (p > 0 && rt_draw_uniform(address(c, x, 1, x->e)) < p);
  if (*accepted) {
    undo_commit(&c->s->undo, mark);
    mh_walk_moved(c, x, &now, old);
  } else {
    undo_rollback(&c->s->undo, c->frame, mark);
  }
  c->accept += p;
  if (c->gain > 0) c->log_scale[x->number] += c->gain * (p - target);
  return true;
}

double mh_move(const mh_element *x, double from, double d, double *to) {
  const double lo = x->lo, hi = x->hi;
  if (lo > -INFINITY && hi < INFINITY) {
    double a = from - lo, b = hi - from, u = rt_log(a) - rt_log(b) + d;
    double e = rt_exp(u < 0 ? u : -u), small = (hi - lo) * e / (1.0 + e);
    *to = u < 0 ? lo + small : hi - small;
    double a1 = *to - lo, b1 = hi - *to;
    return a1 > 0 && b1 > 0 ? rt_log(a1) + rt_log(b1) - rt_log(a) - rt_log(b) : -INFINITY;
  }
  if (lo > -INFINITY) {
    *to = lo + (from - lo) * rt_exp(d);
    return *to > lo && *to < INFINITY ? d : -INFINITY;
  }
  if (hi < INFINITY) {
    *to = hi - (hi - from) * rt_exp(d);
    return *to < hi && *to > -INFINITY ? d : -INFINITY;
  }
  *to = from + d;
  return 0.0;
}

static bool step_real(mh_walk *c, const mh_element *x) {
  size_t cell = x->p->at + x->e;
  mh_score old;
  double value, d = rt_exp(c->log_scale[x->number]) * rt_draw_normal(address(c, x, 0, x->e));
  const double ratio = mh_move(x, c->frame[cell].real, d, &value);
  if (ratio == -INFINITY) { /* rounded to a bound: rejected without a score */
    if (c->gain > 0) c->log_scale[x->number] -= c->gain * 0.44;
    return true;
  }
  if (!mh_walk_score(c, x, &old)) return false;
  size_t mark = undo_mark(&c->s->undo);
  undo_note(&c->s->undo, c->frame, cell);
  c->frame[cell].real = value;
  bool accepted;
  return decide(c, x, &old, ratio, mark, &accepted, false, 0.44);
}

static bool step_discrete(mh_walk *c, const mh_element *x) {
  size_t cell = x->p->at + x->e;
  const int64_t old_value = c->frame[cell].integer;
  const bool finite = x->p->site->support == IR_SUP_FINITE;
  bool two = false;
  int64_t value;
  if (finite && c->rule == MH_GIBBS && mh_states(x)) return mh_step_finite(c, x);
  if (finite) {
    const bool spin = x->lo == -1.0 && x->hi == 1.0; /* -1 and 1, nothing between */
    double others = spin ? 1.0 : x->hi - x->lo;
    if (!(others >= 1.0)) return true;
    two = others == 1.0 && c->rule != MH_METROPOLIS;
    if (spin) value = -old_value;
    else {
      value = (int64_t)x->lo + (int64_t)(rt_draw_uniform(address(c, x, 0, x->e)) * others);
      value += value >= old_value;
    }
  } else {
    double d = rt_exp(c->log_scale[x->number]) * rt_draw_normal(address(c, x, 0, x->e));
    d = d < 0 ? -ceil(-d) : ceil(d);
    double v = (double)old_value + (d > 1e15 ? 1e15 : d < -1e15 ? -1e15 : d);
    if (v < x->lo || v > x->hi || fabs(v) > 9e15) {
      if (c->gain > 0) c->log_scale[x->number] -= c->gain * 0.44;
      return true;
    }
    value = (int64_t)v;
  }
  mh_score old;
  if (!mh_walk_score(c, x, &old)) return false;
  size_t mark = undo_mark(&c->s->undo);
  undo_note(&c->s->undo, c->frame, cell);
  c->frame[cell].integer = value;
  bool accepted;
  return decide(c, x, &old, 0.0, mark, &accepted, two, 0.44);
}

bool mh_walk_refresh_point(mh_walk *c, const mh_element *x, double *u) {
  if (c->t->m->site[x->site].bounds_move && x->lo > -INFINITY && x->p->event > 0) {
    u[0] = rt_log(c->frame[x->p->at + x->e * x->p->event].real - x->lo);
    return eval_point(c->w, x->site, u, x->lo, c->s->event, &c->jacobian[x->number]);
  }
  return true;
}

static bool step_point(mh_walk *c, const mh_element *x) {
  mh_scratch *s = c->s;
  const size_t free = x->p->free, n = x->p->event, cell = x->p->at + x->e * n;
  double *u = c->u + x->p->at_free + x->e * free, jacobian;
  mh_score old;
  if (free == 0) return true;
  if (!mh_walk_refresh_point(c, x, u)) return mh_walk_stopped(c);
  const double scale = rt_exp(c->log_scale[x->number]);
  for (size_t k = 0; k < free; k++) s->u_new[k] = u[k] + scale * rt_draw_normal(address(c, x, 0, x->e * free + k));
  if (!mh_walk_score(c, x, &old)) return false;
  if (!eval_point(c->w, x->site, s->u_new, x->lo, s->event, &jacobian)) return mh_walk_stopped(c);
  size_t mark = undo_mark(&s->undo);
  for (size_t k = 0; k < n; k++) undo_note(&s->undo, c->frame, cell + k);
  memcpy(c->frame + cell, s->event, n * sizeof *s->event);
  bool accepted;
  if (!decide(c, x, &old, jacobian - c->jacobian[x->number], mark, &accepted, false, free == 1 ? 0.44 : 0.27)) return false;
  if (accepted) {
    memcpy(u, s->u_new, free * sizeof *u);
    c->jacobian[x->number] = jacobian;
  }
  return true;
}

static mh_step *step_of(const mh_walk *c, size_t site) {
  const eval_model *m = c->t->m;
  if (c->rule == MH_SLICE) return mh_step_slice;
  return m->p->site[site].discrete ? step_discrete : m->site[site].point >= 0 ? step_point : step_real;
}

static void element_next(mh_element *x) {
  x->e++;
  x->number++;
  for (uint32_t k = x->p->batch_rank; k-- > 0;) {
    if (++x->at[k] < x->p->dim[k]) return;
    x->at[k] = 0;
  }
}

bool mh_walk_elements(mh_walk *c, size_t site, size_t first, size_t n, mh_step *step) {
  const eval_site *es = &c->t->m->site[site];
  mh_element x = {.site = site, .number = c->t->first[site] + first, .p = &c->t->m->p->site[site], .e = first, .lo = -INFINITY, .hi = INFINITY};
  const bool ask = x.p->site->support != IR_SUP_REAL && es->bounds >= 0;
  size_t rest = first;
  for (uint32_t k = x.p->batch_rank; k-- > 0 && rest; rest /= (size_t)x.p->dim[k]) x.at[k] = (int64_t)(rest % (size_t)x.p->dim[k]);
  for (; x.e < first + n; element_next(&x)) {
    if (ask && (x.e == first || es->bounds_vary) && !eval_bounds(c->w, site, x.at, &x.lo, &x.hi)) return mh_walk_stopped(c);
    if (!step(c, &x)) return false;
  }
  return true;
}

/* n elements of a site, each moved as the walker's rule has it. */
static bool visit(mh_walk *c, size_t site, size_t first, size_t n) {
  if (c->moves && !c->moves[site]) return true;
  if (c->rule == MH_SLICE && c->t->finite[site].weighed) return finite_sweep(c, site, first, n);
  const program_site *p = &c->t->m->p->site[site];
  if (c->rule == MH_SLICE && !c->plain && p->joint && n == p->batch) {
    bool drawn;
    if (!joint_normal_draw(c, site, &drawn)) return false;
    if (drawn) c->accept += (double)n;
    if (drawn) return true;
  }
  if (c->rule == MH_SLICE && p->given) {
    if (!eval_given(c->w, site, c->s->given)) return mh_walk_stopped(c);
    c->by_given = site + 1;
  }
  if (c->rule == MH_SLICE && !c->plain && n == p->batch && c->t->m->site[site].naturals >= 0) {
    if (!eval_naturals(c->w, site, c->s->natural)) return mh_walk_stopped(c);
    c->naturals = true;
  }
  const bool ok = mh_walk_elements(c, site, first, n, step_of(c, site));
  c->naturals = false;
  c->by_given = 0;
  return ok;
}

static bool each_element(mh_walk *c, size_t site, mh_step *step) { return mh_walk_elements(c, site, 0, c->t->m->p->site[site].batch, step); }

/* n steps at elements chosen uniformly, each of its own number in the sweep. */
static bool scan_random(mh_walk *c, size_t n) {
  const program *p = c->t->m->p;
  for (size_t k = 0; k < n; k++) {
    if (c->e == 0) c->sweep_key = rt_key_fold(rt_key_fold(c->key, RUN_KEY_SWEEP), c->sweep);
    size_t number = (size_t)(rt_draw_uniform((rt_draw_addr){c->sweep_key, UINT32_MAX, c->e}) * (double)c->t->elements), site = p->nsites - 1;
    while (c->t->first[site] > number) site--;
    /* The same element may come again in a sweep, and must not meet the same numbers. */
    uint64_t key = c->sweep_key;
    c->sweep_key = rt_key_fold(key, c->e);
    if (!visit(c, site, number - c->t->first[site], 1)) return false;
    c->sweep_key = key;
    if (++c->e < c->t->elements) continue;
    c->e = 0;
    c->sweep++;
    c->stale = true;
  }
  return true;
}

/* Elements of a site that are drawn together with those next to them, whatever their order. */
static bool joins(const mh_walk *c, size_t site) {
  const program_site *p = &c->t->m->p->site[site];
  return c->rule == MH_SLICE && (!c->moves || c->moves[site]) && c->t->finite[site].weighed && p->apart && p->listed;
}

/* One sweep in an order of its own: a permutation that is drawn as it is used (Fisher and Yates), and does not look at the state. */
static bool scan_permuted(mh_walk *c) {
  const mh_tables *t = c->t;
  size_t n = 0, of = 0; /* elements of site `of` that wait */
  c->sweep_key = rt_key_fold(rt_key_fold(c->key, RUN_KEY_SWEEP), c->sweep);
  for (size_t k = 0; k < t->elements; k++) c->order[k] = k;
  for (size_t k = t->elements; k-- > 0;) {
    const size_t j = (size_t)(rt_draw_uniform((rt_draw_addr){c->sweep_key, UINT32_MAX, k}) * (double)(k + 1)), number = c->order[j];
    c->order[j] = c->order[k];
    size_t site = t->m->p->nsites - 1;
    while (t->first[site] > number) site--;
    const bool waits = joins(c, site);
    if (n && (!waits || site != of || n == DERIVE_WEIGHED)) {
      if (!finite_draw(c, of, c->s->together, n)) return false;
      n = 0;
    }
    of = site;
    if (waits) c->s->together[n++] = (int64_t)(number - t->first[site]);
    else if (!visit(c, site, number - t->first[site], 1)) return false;
  }
  if (n && !finite_draw(c, of, c->s->together, n)) return false;
  c->sweep++;
  c->stale = true;
  return true;
}

bool mh_walk_scan(mh_walk *c, size_t n) {
  const program *p = c->t->m->p;
  c->accept = 0.0;
  c->scores = 0;
  eval_frame_set(c->w, c->frame);
  if (c->order) return n == 0 || scan_permuted(c);
  if (c->random) return scan_random(c, n);
  while (n) {
    const size_t site = c->visits ? c->visits[c->site] : c->site;
    size_t left = p->site[site].batch - c->e, take = left < n ? left : n;
    c->sweep_key = rt_key_fold(rt_key_fold(c->key, RUN_KEY_SWEEP), c->sweep);
    if (!visit(c, site, c->e, take)) return false;
    n -= take;
    c->e += take;
    if (take < left) continue;
    c->e = 0;
    if (++c->site < p->nsites) continue;
    c->site = 0;
    c->sweep++;
    c->stale = true;
  }
  return true;
}

bool mh_walk_refresh(mh_walk *c) {
  if (!c->stale) return true;
  double part[3];
  if (c->t->tempered ? !eval_tempered(c->w, c->frame, part) : !eval_density(c->w, c->frame, part)) return mh_walk_stopped(c);
  c->lp = c->t->tempered ? part[0] : part[0] + part[1] + part[2];
  c->hot = c->t->tempered ? part[1] : 0.0;
  c->stale = false;
  return true;
}

/* ---- the initial point */

/* Values that neither the prior nor @constrain gave: coordinates of vector events, and discrete elements. */
static bool init_point(mh_walk *c, const mh_element *x) {
  double *u = c->u + x->p->at_free + x->e * x->p->free;
  memcpy(u, c->s->q + x->p->at_free + x->e * x->p->free, x->p->free * sizeof *u);
  if (!eval_point(c->w, x->site, u, x->lo, c->s->event, &c->jacobian[x->number])) return mh_walk_stopped(c);
  memcpy(c->frame + x->p->at + x->e * x->p->event, c->s->event, x->p->event * sizeof *c->s->event);
  return true;
}

static bool init_discrete(mh_walk *c, const mh_element *x) {
  double u = rt_draw_uniform(address(c, x, 0, x->e)), v = 0;
  if (x->lo == -1.0 && x->hi == 1.0 && x->p->site->support == IR_SUP_FINITE) v = u < 0.5 ? -1.0 : 1.0;
  else if (x->lo > -INFINITY && x->hi < INFINITY) v = x->lo + floor(u * (x->hi - x->lo + 1.0));
  else if (x->lo > -INFINITY) v = x->lo + floor(u * 3.0);
  else if (x->hi < INFINITY) v = x->hi - floor(u * 3.0);
  c->frame[x->p->at + x->e].integer = (int64_t)v;
  return true;
}

/* A real element that rounding put on its bound has no unconstrained value. */
static bool inside(mh_walk *c, const mh_element *x) {
  double v = c->frame[x->p->at + x->e].real;
  return v > x->lo && v < x->hi;
}

/* A state from random numbers of `key`, its numbers drawn from the prior or uniform on (-radius, radius) unconstrained.  *fit: each lies inside of its bounds; then the density is that of
 * the state. */
static bool init_state(mh_walk *c, uint64_t key, bool prior, double radius, bool *fit) {
  const eval_model *m = c->t->m;
  c->sweep_key = key;
  for (size_t k = 0; k < m->p->dim; k++) c->s->q[k] = radius * (2.0 * rt_draw_uniform((rt_draw_addr){key, UINT32_MAX, k}) - 1.0);
  if (prior ? !eval_prior(c->w, key, c->frame) : !eval_constrain(c->w, c->s->q, c->frame)) return mh_walk_stopped(c);
  eval_frame_set(c->w, c->frame);
  *fit = true;
  for (size_t s = 0; s < m->p->nsites && *fit; s++) {
    if (m->site[s].point >= 0) {
      if (!each_element(c, s, init_point)) return false;
    } else if (m->p->site[s].discrete) {
      if (!prior && !each_element(c, s, init_discrete)) return false;
    } else {
      *fit = each_element(c, s, inside);
      if (c->status != RUN_OK) return false;
    }
  }
  c->stale = true;
  return !*fit || mh_walk_refresh(c);
}

/* A prior that is wide for its data gives states so improbable that a walk does not come back from them in its time: where two unknowns are known by their sum alone
 * each holds the other back, and a scale that is told by residuals of a wrong mean runs off with it.  So a state of that kind, far below one near the origin of the unconstrained space, gives way to it. */
static bool init_near(mh_walk *c, uint64_t key, bool prior) {
  const eval_model *m = c->t->m;
  if (m->constrain < 0 || m->p->dim == 0) return true;
  const double far = 10.0 + 0.5 * (double)m->p->dim; /* nats; draws of one normal differ by some dim / 2 */
  double best = c->lp + c->hot, chosen = c->init_radius, last = prior ? NAN : chosen, radius = chosen;
  bool of_prior = prior, fit;
  for (int k = 0; k < INIT_RADII; k++, radius /= 8) {
    if (!prior && k == 0) continue;
    if (!init_state(c, key, false, last = radius, &fit)) return false;
    if (fit && c->lp + c->hot > best + far) best = c->lp + c->hot, chosen = radius, of_prior = false;
  }
  return (!of_prior && chosen == last) || init_state(c, key, of_prior, chosen, &fit);
}

bool mh_walk_start(mh_walk *c, double scale) {
  const eval_model *m = c->t->m;
  for (size_t k = 0; k < c->t->elements; k++) c->log_scale[k] = rt_log(scale);
  for (size_t k = 0; k < c->t->elements + m->p->dim; k++) c->width[k] = scale;
  for (uint64_t t = 0; t < INIT_TRIES; t++) {
    const uint64_t key = rt_key_fold(rt_key_fold(c->key, RUN_KEY_INIT), t);
    /* The second half of the tries does without the prior. */
    const bool prior = m->prior >= 0 && (t < INIT_TRIES / 2 || m->constrain < 0 || c->exact);
    bool fit;
    if (!init_state(c, key, prior, c->init_radius, &fit)) return false;
    c->again = t > 0 || !fit;
    if (fit && c->exact) return true;
    if (fit && isfinite(c->lp + c->hot)) return init_near(c, key, prior);
  }
  for (uint64_t t = 0; t < INIT_SEARCHES && !c->exact; t++) {
    const uint64_t key = rt_key_fold(rt_key_fold(c->key, RUN_KEY_INIT), INIT_TRIES + t);
    bool fit, found;
    if (!init_state(c, key, m->prior >= 0, c->init_radius, &fit)) return false;
    if (!fit) continue;
    if (!start_search(c, rt_key_fold(key, 1), &found)) return false;
    if (found && !mh_walk_refresh(c)) return false;
    if (found && isfinite(c->lp + c->hot)) return true;
  }
  c->status = RUN_E_INIT;
  return false;
}

/* ---- a walker as bytes: the record, then its arrays */

typedef struct mh_rest {
  uint64_t sweep_key, sweep, site, e, n_changed, stale;
  double lp, hot;
} mh_rest;

/* The arrays in the order of the bytes. */
typedef struct mh_part {
  void *at;
  size_t n; /* bytes */
} mh_part;

enum { MH_PARTS = 6 };

static void parts_of(const mh_walk *c, size_t n_changed, mh_part part[MH_PARTS]) {
  const program *p = c->t->m->p;
  const size_t elements = c->t->elements;
  const mh_part all[MH_PARTS] = {{c->frame, p->cells * sizeof *c->frame}, {c->log_scale, elements * sizeof(double)}, {c->width, (elements + p->dim) * sizeof(double)},
                                 {c->u, p->dim * sizeof(double)}, {c->jacobian, elements * sizeof(double)}, {c->changed, n_changed * sizeof *c->changed}};
  memcpy(part, all, sizeof all);
}

size_t mh_walk_bytes(const mh_tables *t, size_t window) {
  const mh_walk c = {.t = t};
  mh_part part[MH_PARTS];
  size_t n = sizeof(mh_rest);
  parts_of(&c, window, part);
  for (int k = 0; k < MH_PARTS; k++) n += part[k].n;
  return n;
}

void mh_walk_save(const mh_walk *c, void *bytes) {
  const mh_rest head = {c->sweep_key, c->sweep, c->site, c->e, c->n_changed, c->stale, c->lp, c->hot};
  mh_part part[MH_PARTS];
  char *to = bytes;
  memcpy(to, &head, sizeof head);
  to += sizeof head;
  parts_of(c, c->n_changed, part);
  for (int k = 0; k < MH_PARTS; to += part[k++].n)
    if (part[k].n) memcpy(to, part[k].at, part[k].n);
}

void mh_walk_restore(mh_walk *c, const void *bytes) {
  mh_rest head;
  mh_part part[MH_PARTS];
  const char *from = bytes;
  memcpy(&head, from, sizeof head);
  from += sizeof head;
  parts_of(c, head.n_changed, part);
  for (int k = 0; k < MH_PARTS; from += part[k++].n)
    if (part[k].n) memcpy(part[k].at, from, part[k].n);
  c->sweep_key = head.sweep_key;
  c->sweep = head.sweep;
  c->site = (size_t)head.site;
  c->e = (size_t)head.e;
  c->n_changed = (size_t)head.n_changed;
  c->stale = head.stale != 0;
  c->lp = head.lp;
  c->hot = head.hot;
}

const exec_cell *mh_walk_saved_frame(const void *bytes) { return (const exec_cell *)(const void *)((const char *)bytes + sizeof(mh_rest)); }

/* ---- memory */

bool mh_tables_make(mh_tables *t, const eval_model *m, bool tempered, arena *mem, const char **why) {
  const program *p = m->p;
  *t = (mh_tables){.m = m, .first = ARENA_ARRAY(mem, size_t, p->nsites), .finite = ARENA_ARRAY(mem, finite_order, p->nsites), .kernels = rt_kernels_for(0), .tempered = tempered};
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    t->first[k] = t->elements;
    t->elements += s->batch;
    if (s->event > t->largest_event) t->largest_event = s->event;
    if (s->free > t->largest_free) t->largest_free = s->free;
    finite_order_make(&t->finite[k], m, k, mem);
    if (s->batch == 0 || m->site[k].local >= 0) continue;
    *why = arena_printf(mem, "there is no density for single elements of `%s`", s->name);
    return false;
  }
  return true;
}

bool mh_tables_colour(mh_tables *t, arena *mem, const aim_alloc *alloc, run_status *status, eval_faults *faults) {
  eval_worker w;
  *status = eval_worker_init(&w, t->m, 0, alloc) ? RUN_OK : RUN_E_MEMORY;
  for (size_t k = 0; k < t->m->p->nsites && *status == RUN_OK; k++)
    if (!finite_order_colour(&t->finite[k], &w, k, mem)) *status = RUN_E_BOUND;
  *faults = w.faults;
  eval_worker_free(&w);
  return *status == RUN_OK;
}

void mh_scratch_make(mh_scratch *s, const mh_tables *t, arena *mem, const aim_alloc *alloc) {
  s->q = ARENA_ARRAY(mem, double, t->m->p->dim);
  s->u_new = ARENA_ARRAY(mem, double, t->largest_free);
  s->event = ARENA_ARRAY(mem, double, t->largest_event);
  size_t weights = MH_MOST_STATES;
  for (size_t k = 0; k < t->m->p->nsites; k++)
    if (t->finite[k].weighed && weights < DERIVE_WEIGHED * t->m->p->site[k].states) weights = DERIVE_WEIGHED * t->m->p->site[k].states;
  s->weight = ARENA_ARRAY(mem, double, weights);
  size_t joint = 0;
  for (size_t k = 0; k < t->m->p->nsites; k++)
    if (t->m->p->site[k].joint && t->m->p->site[k].cells > joint) joint = t->m->p->site[k].cells;
  size_t natural = 0;
  for (size_t k = 0; k < t->m->p->nsites; k++) {
    const program_site *p = &t->m->p->site[k];
    const size_t all = p->conjugate == CONJ_DIRICHLET ? p->cells : 2 * p->batch;
    if (t->m->site[k].naturals >= 0 && all > natural) natural = all;
  }
  s->natural = ARENA_ARRAY(mem, double, natural);
  size_t given = 0;
  for (size_t k = 0; k < t->m->p->nsites; k++)
    if (t->m->p->site[k].given > given) given = t->m->p->site[k].given;
  s->given = ARENA_ARRAY(mem, exec_cell, given);
  s->joint = ARENA_ARRAY(mem, double, joint_normal_doubles(joint));
  undo_init(&s->undo, alloc);
}

bool mh_scratch_reserve(mh_scratch *s, const mh_tables *t) { return undo_reserve(&s->undo, t->largest_event + 1); }
void mh_scratch_free(mh_scratch *s) { undo_free(&s->undo); }

void mh_walk_make(mh_walk *c, const mh_tables *t, arena *mem) {
  *c = (mh_walk){.t = t, .init_radius = 2.0};
  c->log_scale = ARENA_ARRAY(mem, double, t->elements);
  c->width = ARENA_ARRAY(mem, double, t->elements + t->m->p->dim);
  c->jacobian = ARENA_ARRAY(mem, double, t->elements);
  c->u = ARENA_ARRAY(mem, double, t->m->p->dim);
}
