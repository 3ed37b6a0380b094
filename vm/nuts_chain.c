/* nuts_chain.c: initial point, warm-up and draws of one chain; see nuts_chain.h. */
#include "vm/nuts_chain.h"

#include "stdlib/runtime/rt_math.h"
#include "vm/initial.h"

#include <math.h>
#include <string.h>

/* The chain's key is folded once more, so that initial points and transitions share no draw. */
enum { FOLD_TRANSITIONS = 0, FOLD_INIT = 1 };

struct nuts_chain {
  const nuts_options *o;
  const nuts_target *t;
  nuts_result *r;
  rt_nuts nuts;
  adapt_step step;
  adapt_metric metric;
  double *gradient, *point;
  adapt_result learnt;
  uint64_t searches;
  double top;     /* the highest log density of warm-up, until it has been told */
  uint32_t done;  /* transitions, those of warm-up included */
  double *work;   /* [doubles] */
  size_t doubles;
};
typedef nuts_chain chain;

void nuts_options_init(nuts_options *o, uint64_t key) {
  *o = (nuts_options){.warmup = 1000, .draws = 1000, .max_depth = 10, .init_tries = 100, .delta = 0.8, .step_size = 1.0, .init_radius = 2.0, .key = key};
}

/* The kernel's workspace, gradient, point, diagonal metric, and what adaptation keeps. */
static size_t doubles_of(size_t dim, uint32_t max_depth, adapt_kind kind) {
  size_t kernel = rt_nuts_doubles(dim, max_depth);
  size_t adapted = adapt_metric_doubles(dim, kind);
  const size_t most = SIZE_MAX / sizeof(double) / 8;
  if (kernel == 0 || adapted == 0 || dim > most || kernel > most || adapted > most) return 0;
  return kernel + 3 * dim + adapted;
}

/* And the chain itself behind them. */
size_t nuts_chain_doubles(size_t dim, uint32_t max_depth, adapt_kind kind) {
  const size_t n = doubles_of(dim, max_depth, kind);
  return n ? n + (sizeof(chain) + sizeof(double) - 1) / sizeof(double) : 0;
}

static bool options_valid(const nuts_options *o, const nuts_target *t) {
  return nuts_chain_doubles(t->dim, o->max_depth, o->kind) != 0 && t->density && o->init_tries > 0 && o->delta > 0.0 && o->delta < 1.0 &&
         o->step_size > 0.0 && isfinite(o->step_size) && o->init_radius >= 0.0 && isfinite(o->init_radius);
}

static nuts_status evaluate(chain *c, const double *q, double *lp) {
  c->r->density_code = c->t->density(c->t->density_user, 1, 1, q, lp, c->gradient);
  return c->r->density_code ? NUTS_E_DENSITY : NUTS_OK;
}

static nuts_status point_find(chain *c) {
  const nuts_options *o = c->o;
  const uint64_t key = rt_key_fold(o->key, FOLD_INIT);
  uint32_t tries = o->init || o->init_radius == 0.0 ? 1 : o->init_tries; /* the same point gives the same answer */
  for (uint32_t k = 0; k < tries; k++) {
    if (!o->init) initial_point(key, k, o->init_radius, c->t->dim, c->point);
    else for (size_t i = 0; i < c->t->dim; i++) c->point[i] = o->init[i];
    double lp = NAN;
    nuts_status st = evaluate(c, c->point, &lp);
    c->r->init_tries = k + 1;
    if (st) return st;
    if (rt_nuts_point_set(&c->nuts, c->point, lp, c->gradient, 1) == 0) return NUTS_OK;
    if (isnan(lp) || lp == INFINITY) c->r->n_nan++;
  }
  return NUTS_E_INIT;
}

/* Answers the kernel until it is done. */
static nuts_status drive(chain *c, int want) {
  while (want == RT_NUTS_EVAL) {
    double lp = NAN;
    nuts_status st = evaluate(c, c->nuts.q_eval, &lp);
    if (st) return st;
    want = rt_nuts_advance(&c->nuts, lp, c->gradient);
  }
  c->r->n_nan += c->nuts.stats.n_nan;
  return NUTS_OK;
}

static nuts_status step_search(chain *c) {
  nuts_status st = drive(c, rt_nuts_step_start(&c->nuts, c->searches++));
  if (st) return st;
  c->r->step_bounded |= c->nuts.step_bounded != 0;
  adapt_step_restart(&c->step, c->nuts.step_size);
  return NUTS_OK;
}

/* The density at the chain's point, anew. */
static nuts_status point_again(chain *c) {
  double lp = NAN;
  nuts_status st = evaluate(c, c->nuts.q, &lp);
  if (st) return st;
  return rt_nuts_point_set(&c->nuts, c->nuts.q, lp, c->gradient, 1) ? NUTS_E_DENSITY : NUTS_OK;
}

/* Transition `at`, counted from the start of warm-up. */
static nuts_status transition(chain *c, uint64_t at, bool warmup) {
  nuts_status st = c->t->moves ? point_again(c) : NUTS_OK;
  if (st) return st;
  st = drive(c, rt_nuts_start(&c->nuts, at));
  if (st) return st;
  const rt_nuts_stats *stats = &c->nuts.stats;
  nuts_result *r = c->r;
  int phase = !warmup;
  r->n_leapfrog[phase] += stats->n_leapfrog;
  r->n_divergent[phase] += stats->divergent;
  r->n_max_depth[phase] += stats->depth == c->o->max_depth;
  return NUTS_OK;
}

static nuts_status hand_out(chain *c, uint32_t index, bool warmup) {
  const nuts_target *t = c->t;
  if (!warmup) {
    if (t->draws)
      for (size_t i = 0; i < t->dim; i++) t->draws[index * t->dim + i] = c->nuts.q[i];
    if (t->stats) t->stats[index] = c->nuts.stats;
    c->r->draws = index + 1;
  }
  c->done++;
  nuts_status st = t->on_draw && t->on_draw(t->draw_user, index, warmup, c->nuts.q, &c->nuts.stats) ? NUTS_STOPPED : NUTS_OK;
  if (t->on_rest) t->on_rest(t->draw_user, c, c->done);
  return st;
}

/* Sets what was learnt.  The kernel keeps the gradient at its point multiplied by the factor, so with a new or old one it is taken once more. */
static nuts_status metric_take(chain *c) {
  adapt_result *a = &c->learnt;
  bool factored = a->factor.dim != 0, again = factored || c->nuts.factored;
  if (factored ? rt_nuts_factor_set(&c->nuts, &a->factor) : rt_nuts_metric_set(&c->nuts, a->inv_metric)) return NUTS_OK;
  c->r->form = a->form;
  c->r->metric = factored ? NULL : a->inv_metric;
  c->r->factor = a->factor;
  return again ? point_again(c) : NUTS_OK;
}

/* After a transition of warm-up. */
static nuts_status metric_adapt(chain *c) {
  if (adapt_wants_gradient(c->o->kind)) rt_nuts_gradient(&c->nuts, c->gradient);
  c->metric.steps += c->nuts.stats.n_leapfrog;
  adapt_change change = adapt_metric_update(&c->metric, c->nuts.q, c->gradient, &c->learnt);
  nuts_status st = change == ADAPT_SAME ? NUTS_OK : metric_take(c);
  if (st || change != ADAPT_WINDOW) return st;
  rt_nuts_stats kept = c->nuts.stats;
  st = step_search(c);
  c->nuts.stats = kept;
  return st;
}

/* Adaptation, which has so many transitions of warm-up, begins with the metric of the options. */
static nuts_status adapt_begin(chain *c, uint32_t transitions) {
  const size_t dim = c->t->dim;
  adapt_metric_init(&c->metric, c->o->kind, dim, transitions, c->learnt.inv_metric + dim);
  c->metric.gradient_flops = c->o->gradient_flops;
  adapt_step_init(&c->step, c->o->delta);
  c->learnt.factor = (rt_factor){0};
  for (size_t i = 0; i < dim; i++) c->learnt.inv_metric[i] = c->o->metric ? c->o->metric[i] : 1.0;
  c->r->metric = c->learnt.inv_metric;
  c->nuts.step_size = c->r->step_size = c->o->step_size;
  return rt_nuts_metric_set(&c->nuts, c->learnt.inv_metric) ? NUTS_E_OPTIONS : NUTS_OK;
}

/* Whether there is a better place, as the caller knows: then the chain begins anew there, with what is left of warm-up. */
static nuts_status begin_again(chain *c, uint32_t left) {
  double lp = NAN;
  if (!c->t->again(c->t->density_user, c->top, c->point)) return NUTS_OK;
  nuts_status st = evaluate(c, c->point, &lp);
  if (st || rt_nuts_point_set(&c->nuts, c->point, lp, c->gradient, 1) || (st = adapt_begin(c, left))) return st;
  c->r->again = true;
  const rt_nuts_stats kept = c->nuts.stats;
  st = step_search(c);
  c->nuts.stats = kept;
  return st;
}

static nuts_status begin(chain *c) {
  nuts_status st = point_find(c);
  return st || c->o->warmup == 0 ? st : step_search(c);
}

/* Warm-up is over. */
static void settle(chain *c) {
  if (c->o->warmup > 0) c->nuts.step_size = adapt_step_final(&c->step);
  c->r->step_size = c->nuts.step_size;
}

nuts_status nuts_chain_step(nuts_chain *c) {
  const uint32_t warmup = c->o->warmup, i = c->done;
  nuts_status st;
  if (i < warmup) {
    if ((st = transition(c, i, true))) return st;
    c->nuts.step_size = adapt_step_update(&c->step, c->nuts.stats.accept_stat);
    if ((st = metric_adapt(c))) return st;
    if (c->nuts.stats.log_density > c->top) c->top = c->nuts.stats.log_density;
    if (c->t->again && i + 1 == warmup / 4 && (st = begin_again(c, warmup - warmup / 4))) return st;
    return hand_out(c, i, true);
  }
  if (i == warmup) settle(c);
  if ((st = transition(c, i, false))) return st;
  return hand_out(c, i - warmup, false);
}

double nuts_log_volume(const nuts_result *r, size_t dim) {
  const rt_factor *f = &r->factor;
  double v = 0.0;
  for (size_t i = 0; i < dim; i++) v += r->metric ? 0.5 * rt_log(r->metric[i]) : rt_log(f->L ? f->L[i * dim + i] : f->scale[i]);
  for (size_t k = 0; !r->metric && !f->L && k < f->rank; k++) v += rt_log(1.0 + f->gain[k]);
  return v;
}

const double *nuts_chain_point(const nuts_chain *c) { return c->nuts.q; }

/* ---- a chain as bytes: the structs, then the workspace.  Pointers into that become offsets plus one, since kernel and adaptation exchange
 * vectors by their pointers; all others are those of the process. */

typedef struct rest {
  chain c;
  nuts_result r;
} rest;

enum { MOST_POINTERS = 80 };

typedef struct places {
  void *at[MOST_POINTERS];
  size_t n;
} places;

static void place(places *p, void *pointer) { p->at[p->n++] = pointer; }

static void place_factor(places *p, rt_factor *f) {
  place(p, &f->L);
  place(p, &f->scale);
  place(p, &f->U);
  place(p, &f->gain);
}

/* Every pointer into the workspace. */
static places places_of(rest *x) {
  places p = {.n = 0};
  rt_nuts *s = &x->c.nuts;
  adapt_metric *m = &x->c.metric;
  void *const plain[] = {&s->q_eval, &s->q, &s->g, &s->inv_metric, &s->scale, &s->by_factor, &s->plain_g, &s->scratch, &s->proposal_q, &s->proposal_g, &s->tree_rho,
                         &s->inner_p, &s->stack, &m->mean, &m->m2, &m->mean_front, &m->m2_front, &m->L, &m->scratch, &m->draws.q, &m->draws.g, &m->draws.cov[0],
                         &m->draws.cov[1], &x->c.learnt.inv_metric, &x->c.gradient, &x->c.point, &x->r.metric};
  for (size_t k = 0; k < sizeof plain / sizeof *plain; k++) place(&p, plain[k]);
  for (int k = 0; k < 2; k++) {
    place(&p, &s->end[k].q);
    place(&p, &s->end[k].p);
    place(&p, &s->end[k].g);
  }
  place_factor(&p, &s->factor);
  place_factor(&p, &x->c.learnt.factor);
  place_factor(&p, &x->r.factor);
  for (int k = 0; k < METRIC_FORMS; k++) {
    place_factor(&p, &m->form[k].f);
    place(&p, &m->form[k].memory);
  }
  return p;
}

size_t nuts_chain_bytes(size_t dim, uint32_t max_depth, adapt_kind kind) {
  size_t n = doubles_of(dim, max_depth, kind);
  return n && n < SIZE_MAX / sizeof(double) - sizeof(rest) ? sizeof(rest) + n * sizeof(double) : 0;
}

void nuts_chain_save(const nuts_chain *c, void *bytes) {
  rest x;
  memset(&x, 0, sizeof x);
  x.c = *c;
  x.r = *c->r;
  x.c.o = NULL;
  x.c.t = NULL;
  x.c.r = NULL;
  x.c.work = NULL;
  x.c.nuts.k = NULL;
  x.c.nuts.dense = NULL;
  places p = places_of(&x);
  for (size_t k = 0; k < p.n; k++) {
    uintptr_t v;
    memcpy(&v, p.at[k], sizeof v);
    if (v) v = (v - (uintptr_t)c->work) / sizeof(double) + 1;
    memcpy(p.at[k], &v, sizeof v);
  }
  memcpy(bytes, &x, sizeof x);
  memcpy((char *)bytes + sizeof x, c->work, c->doubles * sizeof(double));
}

/* c has been made as for a new chain. */
static bool restore(chain *c, const void *bytes) {
  rest x;
  memcpy(&x, bytes, sizeof x);
  if (x.c.doubles != c->doubles || x.c.done > (uint64_t)c->o->warmup + c->o->draws) return false;
  places p = places_of(&x);
  for (size_t k = 0; k < p.n; k++) {
    uintptr_t v;
    memcpy(&v, p.at[k], sizeof v);
    if (v > c->doubles + 1) return false;
    if (v) v = (uintptr_t)c->work + (v - 1) * sizeof(double);
    memcpy(p.at[k], &v, sizeof v);
  }
  x.c.o = c->o;
  x.c.t = c->t;
  x.c.r = c->r;
  x.c.work = c->work;
  x.c.nuts.k = c->nuts.k;
  x.c.nuts.dense = c->nuts.dense;
  memcpy(c->work, (const char *)bytes + sizeof x, c->doubles * sizeof(double));
  *c = x.c;
  *c->r = x.r;
  return true;
}

nuts_status nuts_chain_open(const nuts_options *o, const nuts_target *t, double *work, nuts_result *r, nuts_chain **out) {
  *r = (nuts_result){.status = NUTS_E_OPTIONS};
  if (!options_valid(o, t)) return r->status;
  const size_t dim = t->dim, doubles = doubles_of(dim, o->max_depth, o->kind);
  chain *c = *out = (chain *)(void *)(work + doubles);
  *c = (chain){.o = o, .t = t, .r = r, .work = work, .doubles = doubles};
  rt_nuts_init(&c->nuts, dim, o->max_depth, rt_key_fold(o->key, FOLD_TRANSITIONS), work);
  work += rt_nuts_doubles(dim, o->max_depth);
  c->gradient = work;
  c->point = work + dim;
  c->learnt.inv_metric = work + 2 * dim;
  c->top = -INFINITY;
  if (adapt_begin(c, o->warmup)) return r->status;
  if (t->from) return restore(c, t->from) ? r->status = NUTS_OK : r->status;
  return r->status = begin(c);
}

nuts_status nuts_chain_run(const nuts_options *o, const nuts_target *t, double *work, nuts_result *r) {
  nuts_chain *c;
  nuts_status st = nuts_chain_open(o, t, work, r, &c);
  while (st == NUTS_OK && c->done < (uint64_t)o->warmup + o->draws) st = nuts_chain_step(c);
  if (st == NUTS_OK && o->draws == 0) settle(c);
  return r->status = st;
}
