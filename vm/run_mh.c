/* run_mh.c: single-site Metropolis-Hastings.
 *
 * A sweep visits every element of every latent site once, and a transition is a sweep, or after warm-up as many steps as the option
 * `steps` says: the scan then goes on where it stopped, so the chain is the same one, looked at more or less often.  One *step* proposes a new value for one element and scores only what
 * that element can change, @local.<site>, at the old and at the new value: the cost of a step does not grow with the model.  The
 * old score cannot be kept from the sweep before, since neighbours have moved meanwhile.
 *
 * Proposals, all symmetric on the scale they are made on:
 *   real, bounds       a normal step on the unconstrained scale (log of the distance to a bound, logit between two); the Jacobian
 *                      stands in the ratio
 *   vectors, matrices  a normal step of all unconstrained coordinates of one event, taken to the support by @point.<site>
 *   finite             another value, uniformly; of two values the heat bath, 1 / (1 + exp(-r)) in place of min(1, exp(r)), since a
 *                      sweep that always flips what it may is nearly periodic (and is periodic where the values are alike)
 *   integers           a normal step rounded away from zero
 *
 * Each element has a scale of its own, found during warm-up by stochastic approximation (Robbins and Monro 1951) towards the
 * acceptance that is best for its dimension (Roberts, Gelman and Gilks 1997), and frozen afterwards, so that what is kept
 * comes from one Markov chain.
 *
 * The log density of a kept draw is computed once a sweep; between, the differences of accepted proposals are added to it, since a
 * few steps shall not cost what the model does.
 *
 * Latents stand in one flat frame, written in place; the undo log takes a rejected proposal back, and the cells of an accepted one are
 * listed for the store, which may share the rest with the draw before (run_store.c).  An element is visited at most once between two
 * such draws, so the list has no repetitions.  After a sweep nearly every chunk of a shared frame has changed: copy-on-write frames
 * then take 1.05 of the memory of flat ones and more time, and draws are flat. */
#include "vm/run.h"

#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_sample.h"
#include "vm/undo.h"

#include <math.h>
#include <string.h>

enum { INIT_TRIES = 100 };

/* What one thread needs for the chain at hand. */
typedef struct mh_scratch {
  double *log_scale; /* [elements] */
  double *u, *u_new; /* [dim], [largest free]: unconstrained coordinates of vector events */
  double *jacobian;  /* [elements] of vector events, at u */
  double *event;     /* [largest event] */
  double *q;         /* [dim] */
  undo_log undo;
} mh_scratch;

typedef struct mh_run {
  run *r;
  size_t elements, largest_event, largest_free;
  size_t *first;       /* [nsites] number of a site's first element */
  mh_scratch *scratch; /* [threads] */
} mh_run;

typedef struct mh_chain {
  const mh_run *m;
  run *r;
  chain_state *x;
  eval_worker *w;
  mh_scratch *s;
  exec_cell *frame;
  uint64_t key;     /* of the chain */
  uint64_t sweep_key;
  uint64_t sweep;   /* the scan stands before element e of this site in this sweep */
  size_t site, e;
  double gain;      /* of the adaptation in this sweep; 0: frozen */
  double accept;    /* summed over the steps of this transition */
  double lp;        /* log density of the frame, */
  bool listed;      /* what changes goes to x->changed */
  bool stale;       /* which is to be computed anew */
  run_status status;
} mh_chain;

/* One element, as its step needs it. */
typedef struct mh_element {
  size_t site, number;        /* number: over all sites */
  const program_site *p;
  int64_t at[IR_MAX_RANK];
  size_t e;                   /* place in the site's batch */
  double lo, hi;
} mh_element;

static rt_draw_addr address(const mh_chain *c, const mh_element *x, int use, uint64_t k) {
  return (rt_draw_addr){c->sweep_key, (uint32_t)(3 * x->site) + (uint32_t)use, k};
}

static bool stopped(mh_chain *c) {
  c->status = RUN_E_BOUND;
  return false;
}

/* The event of x has a new value that stays. */
static void list_event(chain_state *s, const mh_element *x) {
  for (size_t k = 0; k < x->p->event; k++) s->changed[s->n_changed++] = x->p->at + x->e * x->p->event + k;
}

/* Decides about the value that now stands in the frame.  log_ratio is what the proposal adds to the difference of the scores. */
static bool decide(mh_chain *c, const mh_element *x, double old, double log_ratio, size_t mark, bool *accepted, bool heat_bath,
                   double target) {
  double now;
  *accepted = false;
  if (!eval_local(c->w, x->site, x->at, &now)) return stopped(c);
  double r = now - old + log_ratio;
  double p = r >= 0 ? 1.0 : r > -700 ? rt_exp(r) : 0.0; /* a NaN is 0 too */
  if (heat_bath) p = p < 1.0 ? p / (1.0 + p) : 1.0 / (1.0 + rt_exp(-r));
  *accepted = p >= 1.0 || (p > 0 && rt_draw_uniform(address(c, x, 1, x->e)) < p);
  if (*accepted) {
    undo_commit(&c->s->undo, mark);
    c->lp += now - old;
    if (c->listed) list_event(c->x, x);
  } else {
    undo_rollback(&c->s->undo, c->frame, mark);
  }
  c->accept += p;
  if (c->gain > 0) c->s->log_scale[x->number] += c->gain * (p - target);
  return true;
}

static bool step_real(mh_chain *c, const mh_element *x) {
  size_t cell = x->p->at + x->e;
  const double old_value = c->frame[cell].real, lo = x->lo, hi = x->hi;
  double old, value, ratio = 0.0;
  double d = rt_exp(c->s->log_scale[x->number]) * rt_draw_normal(address(c, x, 0, x->e));
  if (lo > -INFINITY && hi < INFINITY) {
    double a = old_value - lo, b = hi - old_value, u = rt_log(a) - rt_log(b) + d;
    double e = rt_exp(u < 0 ? u : -u), small = (hi - lo) * e / (1.0 + e);
    value = u < 0 ? lo + small : hi - small;
    double a1 = value - lo, b1 = hi - value;
    ratio = a1 > 0 && b1 > 0 ? rt_log(a1) + rt_log(b1) - rt_log(a) - rt_log(b) : -INFINITY;
  } else if (lo > -INFINITY) {
    value = lo + (old_value - lo) * rt_exp(d);
    ratio = value > lo && value < INFINITY ? d : -INFINITY;
  } else if (hi < INFINITY) {
    value = hi - (hi - old_value) * rt_exp(d);
    ratio = value < hi && value > -INFINITY ? d : -INFINITY;
  } else {
    value = old_value + d;
  }
  if (ratio == -INFINITY) { /* rounded to a bound: rejected without a score */
    if (c->gain > 0) c->s->log_scale[x->number] -= c->gain * 0.44;
    return true;
  }
  if (!eval_local(c->w, x->site, x->at, &old)) return stopped(c);
  size_t mark = undo_mark(&c->s->undo);
  undo_note(&c->s->undo, c->frame, cell);
  c->frame[cell].real = value;
  bool accepted;
  return decide(c, x, old, ratio, mark, &accepted, false, 0.44);
}

static bool step_discrete(mh_chain *c, const mh_element *x) {
  size_t cell = x->p->at + x->e;
  const int64_t old_value = c->frame[cell].integer;
  const bool finite = x->p->site->support == IR_SUP_FINITE;
  bool two = false;
  int64_t value;
  if (finite) {
    const bool spin = x->lo == -1.0 && x->hi == 1.0; /* -1 and 1, nothing between */
    double others = spin ? 1.0 : x->hi - x->lo;
    if (!(others >= 1.0)) return true;
    two = others == 1.0;
    if (spin) value = -old_value;
    else {
      value = (int64_t)x->lo + (int64_t)(rt_draw_uniform(address(c, x, 0, x->e)) * others);
      value += value >= old_value;
    }
  } else {
    double d = rt_exp(c->s->log_scale[x->number]) * rt_draw_normal(address(c, x, 0, x->e));
    d = d < 0 ? -ceil(-d) : ceil(d);
    double v = (double)old_value + (d > 1e15 ? 1e15 : d < -1e15 ? -1e15 : d);
    if (v < x->lo || v > x->hi || fabs(v) > 9e15) {
      if (c->gain > 0) c->s->log_scale[x->number] -= c->gain * 0.44;
      return true;
    }
    value = (int64_t)v;
  }
  double old;
  if (!eval_local(c->w, x->site, x->at, &old)) return stopped(c);
  size_t mark = undo_mark(&c->s->undo);
  undo_note(&c->s->undo, c->frame, cell);
  c->frame[cell].integer = value;
  bool accepted;
  return decide(c, x, old, 0.0, mark, &accepted, two, 0.44);
}

/* A bounded ordered vector whose bound moved has other coordinates, its first being log(x[0] - lo). */
static bool refresh_point(mh_chain *c, const mh_element *x, double *u) {
  if (c->r->m->site[x->site].bounds_move && x->lo > -INFINITY && x->p->event > 0) {
    u[0] = rt_log(c->frame[x->p->at + x->e * x->p->event].real - x->lo);
    return eval_point(c->w, x->site, u, x->lo, c->s->event, &c->s->jacobian[x->number]);
  }
  return true;
}

static bool step_point(mh_chain *c, const mh_element *x) {
  mh_scratch *s = c->s;
  const size_t free = x->p->free, n = x->p->event, cell = x->p->at + x->e * n;
  double *u = s->u + x->p->at_free + x->e * free, old, jacobian;
  if (free == 0) return true;
  if (!refresh_point(c, x, u)) return stopped(c);
  const double scale = rt_exp(s->log_scale[x->number]);
  for (size_t k = 0; k < free; k++) s->u_new[k] = u[k] + scale * rt_draw_normal(address(c, x, 0, x->e * free + k));
  if (!eval_local(c->w, x->site, x->at, &old)) return stopped(c);
  if (!eval_point(c->w, x->site, s->u_new, x->lo, s->event, &jacobian)) return stopped(c);
  size_t mark = undo_mark(&s->undo);
  for (size_t k = 0; k < n; k++) undo_note(&s->undo, c->frame, cell + k);
  memcpy(c->frame + cell, s->event, n * sizeof *s->event);
  bool accepted;
  if (!decide(c, x, old, jacobian - s->jacobian[x->number], mark, &accepted, false, free == 1 ? 0.44 : 0.27)) return false;
  if (accepted) {
    memcpy(u, s->u_new, free * sizeof *u);
    s->jacobian[x->number] = jacobian;
  }
  return true;
}

typedef bool mh_step(mh_chain *c, const mh_element *x);

static mh_step *step_of(const eval_model *m, size_t site) {
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

/* Calls visit for n elements of a site from the first-th, each with its bounds. */
static bool some_elements(mh_chain *c, size_t site, size_t first, size_t n, mh_step *visit) {
  const eval_site *es = &c->r->m->site[site];
  mh_element x = {.site = site, .number = c->m->first[site] + first, .p = &c->r->m->p->site[site], .e = first, .lo = -INFINITY, .hi = INFINITY};
  const bool ask = x.p->site->support != IR_SUP_REAL && es->bounds >= 0;
  size_t rest = first;
  for (uint32_t k = x.p->batch_rank; k-- > 0 && rest; rest /= (size_t)x.p->dim[k]) x.at[k] = (int64_t)(rest % (size_t)x.p->dim[k]);
  for (; x.e < first + n; element_next(&x)) {
    if (ask && (x.e == first || es->bounds_vary) && !eval_bounds(c->w, site, x.at, &x.lo, &x.hi)) return stopped(c);
    if (!visit(c, &x)) return false;
  }
  return true;
}

static bool each_element(mh_chain *c, size_t site, mh_step *visit) { return some_elements(c, site, 0, c->r->m->p->site[site].batch, visit); }

/* The scan goes on for n steps; n is 0 if there are no elements. */
static bool scan(mh_chain *c, size_t n) {
  const program *p = c->r->m->p;
  c->accept = 0.0;
  eval_frame_set(c->w, c->frame);
  while (n) {
    size_t left = p->site[c->site].batch - c->e, take = left < n ? left : n;
    c->sweep_key = rt_key_fold(rt_key_fold(c->key, RUN_KEY_SWEEP), c->sweep);
    if (!some_elements(c, c->site, c->e, take, step_of(c->r->m, c->site))) return false;
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

/* ---- the initial point */

/* Values that neither the prior nor @constrain gave: coordinates of vector events, and discrete elements. */
static bool init_point(mh_chain *c, const mh_element *x) {
  double *u = c->s->u + x->p->at_free + x->e * x->p->free;
  memcpy(u, c->s->q + x->p->at_free + x->e * x->p->free, x->p->free * sizeof *u);
  if (!eval_point(c->w, x->site, u, x->lo, c->s->event, &c->s->jacobian[x->number])) return stopped(c);
  memcpy(c->frame + x->p->at + x->e * x->p->event, c->s->event, x->p->event * sizeof *c->s->event);
  return true;
}

static bool init_discrete(mh_chain *c, const mh_element *x) {
  double u = rt_draw_uniform(address(c, x, 0, x->e)), v = 0;
  if (x->lo == -1.0 && x->hi == 1.0 && x->p->site->support == IR_SUP_FINITE) v = u < 0.5 ? -1.0 : 1.0;
  else if (x->lo > -INFINITY && x->hi < INFINITY) v = x->lo + floor(u * (x->hi - x->lo + 1.0));
  else if (x->lo > -INFINITY) v = x->lo + floor(u * 3.0);
  else if (x->hi < INFINITY) v = x->hi - floor(u * 3.0);
  c->frame[x->p->at + x->e].integer = (int64_t)v;
  return true;
}

/* A real element that rounding put on its bound has no unconstrained value. */
static bool inside(mh_chain *c, const mh_element *x) {
  double v = c->frame[x->p->at + x->e].real;
  return v > x->lo && v < x->hi;
}

static bool find_point(mh_chain *c) {
  const eval_model *m = c->r->m;
  for (uint64_t t = 0; t < INIT_TRIES; t++) {
    uint64_t key = rt_key_fold(rt_key_fold(c->key, RUN_KEY_INIT), t);
    c->sweep_key = key;
    for (size_t k = 0; k < m->p->dim; k++)
      c->s->q[k] = c->r->o.init_radius * (2.0 * rt_draw_uniform((rt_draw_addr){key, UINT32_MAX, k}) - 1.0);
    /* The second half of the tries does not trust a prior that is too wide for its data. */
    bool prior = m->prior >= 0 && (t < INIT_TRIES / 2 || m->constrain < 0);
    if (prior ? !eval_prior(c->w, key, c->frame) : !eval_constrain(c->w, c->s->q, c->frame)) return stopped(c);
    eval_frame_set(c->w, c->frame);
    bool fit = true;
    for (size_t s = 0; s < m->p->nsites && fit; s++) {
      if (m->site[s].point >= 0) {
        if (!each_element(c, s, init_point)) return false;
      } else if (m->p->site[s].discrete) {
        if (!prior && !each_element(c, s, init_discrete)) return false;
      } else {
        fit = each_element(c, s, inside);
        if (c->status != RUN_OK) return false;
      }
    }
    double part[3];
    if (!fit) continue;
    if (!eval_density(c->w, c->frame, part)) return stopped(c);
    if (isfinite(part[0] + part[1] + part[2])) return true;
  }
  c->status = RUN_E_INIT;
  return false;
}

/* ---- chains */

static bool keep_draw(mh_chain *c, int chain, size_t steps) {
  if (c->stale) {
    double part[3];
    if (!eval_density(c->w, c->frame, part)) return stopped(c);
    c->lp = part[0] + part[1] + part[2];
    c->stale = false;
  }
  const double accept = steps ? c->accept / (double)steps : 1.0;
  const double stats[DRAWS_N_STATS] = {c->lp, accept, 0.0, 0.0, 2.0 * (double)steps, 0.0, -c->lp};
  c->status = run_keep(c->r, chain, c->w, c->frame, stats);
  return c->status == RUN_OK;
}

static void run_chain_of(mh_chain *c, int chain) {
  run *r = c->r;
  chain_state *x = c->x;
  const int64_t warmup = r->o.warmup, total = warmup + r->o.draws * r->o.thin;
  const size_t sweep = c->m->elements, kept = sweep && r->o.steps ? (size_t)r->o.steps : sweep;
  const double began = run_now(r);
  double warmed = began;
  if (!find_point(c)) return;
  c->stale = true;
  for (size_t k = 0; k < sweep; k++) c->s->log_scale[k] = rt_log(r->o.scale);
  for (int64_t t = 0; t < total; t++) {
    const bool warm = t >= warmup;
    const size_t steps = warm ? kept : sweep;
    if (t == warmup) {
      atomic_store_explicit(&x->warm, 1, memory_order_relaxed);
      warmed = run_now(r);
      if (warmup) eval_faults_settle(c->w);
      c->listed = x->changed != NULL;
    }
    c->gain = warm ? 0.0 : 2.0 / rt_pow(1.0 + (double)t, 0.6);
    if (!scan(c, steps)) return;
    x->work[warm] += 2 * steps;
    if (warm) {
      x->accept_sum += steps ? c->accept / (double)steps : 1.0;
      if ((t - warmup + 1) % r->o.thin == 0 && !keep_draw(c, chain, steps)) return;
    }
    atomic_fetch_add_explicit(&x->done, 1, memory_order_relaxed);
    if (run_stopping(r)) {
      c->status = RUN_STOPPED;
      break;
    }
  }
  x->seconds[0] = warmed - began;
  x->seconds[1] = run_now(r) - warmed;
  if (x->csv) csv_elapsed(x->csv, x->seconds[0], x->seconds[1]);
}

static void chain(void *ctx, size_t job, size_t thread, eval_worker *w) {
  mh_run *m = ctx;
  run *r = m->r;
  chain_state *x = &r->chain[job];
  mh_chain c = {.m = m, .r = r, .x = x, .w = w, .s = &m->scratch[thread], .frame = x->frame, .key = rt_key_fold(r->o.seed, job)};
  run_chain_of(&c, (int)job);
  x->status = c.status;
  run_chain_over(r, x);
  x->faults = w->faults;
}

static void scratch_init(mh_run *m, mh_scratch *s) {
  arena *a = m->r->mem;
  size_t dim = m->r->m->p->dim;
  s->log_scale = ARENA_ARRAY(a, double, m->elements);
  s->jacobian = ARENA_ARRAY(a, double, m->elements);
  s->u = ARENA_ARRAY(a, double, dim);
  s->q = ARENA_ARRAY(a, double, dim);
  s->u_new = ARENA_ARRAY(a, double, m->largest_free);
  s->event = ARENA_ARRAY(a, double, m->largest_event);
  undo_init(&s->undo, m->r->alloc);
}

run_status run_mh(run *r) {
  const program *p = r->m->p;
  mh_run m = {.r = r, .first = ARENA_ARRAY(r->mem, size_t, p->nsites)};
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    m.first[k] = m.elements;
    m.elements += s->batch;
    if (s->event > m.largest_event) m.largest_event = s->event;
    if (s->free > m.largest_free) m.largest_free = s->free;
    if (s->batch && r->m->site[k].local < 0) {
      r->why = arena_printf(r->mem, "mh has no density for single elements of `%s`", s->name);
      return r->status = RUN_E_METHOD;
    }
  }
  size_t threads = run_threads(r, (size_t)r->o.chains);
  m.scratch = ARENA_ARRAY(r->mem, mh_scratch, threads);
  for (size_t k = 0; k < threads; k++) scratch_init(&m, &m.scratch[k]);
  /* From here on nothing is taken from the arena, whose jump would lose the logs. */
  run_status st = RUN_OK;
  for (size_t k = 0; k < threads && st == RUN_OK; k++)
    if (!undo_reserve(&m.scratch[k].undo, m.largest_event + 1)) st = RUN_E_MEMORY;
  r->total = (uint64_t)r->o.chains * (uint64_t)(r->o.warmup + r->o.draws * r->o.thin);
  if (st == RUN_OK) st = run_jobs(r, (size_t)r->o.chains, chain, &m);
  for (size_t k = 0; k < threads; k++) undo_free(&m.scratch[k].undo);
  return st == RUN_OK ? run_join(r) : (r->status = st);
}
