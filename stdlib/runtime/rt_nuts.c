/* rt_nuts.c: the no-U-turn sampler as an iterative state machine; see rt_nuts.h for what it computes.
 *
 * A trajectory has a backward and a forward end.  A doubling grows one of them by a half of 2^depth leapfrog steps, and rt_nuts_advance
 * handles one of these: finish the step, weigh the new state, merge subtrees, and either begin the next step or close the half.
 *
 * Workspace, in vectors of `padded` doubles:
 *
 *     inv_metric scale | q g | end[0].{q p g} end[1].{q p g} | proposal_q proposal_g | tree_rho inner_p | by_factor plain_g scratch | stack
 *
 * The stack has one vector for a waiting leaf (level 0) and three (rho, first, last) for a waiting subtree of 2^level leaves,
 * level 1 .. max_depth - 1. */
#include "stdlib/runtime/rt_nuts.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_nuts_kernels.h"

enum { IDLE, TREE, SEARCH };                     /* rt_nuts.mode */
enum { SITE_MOMENTUM, SITE_DIRECTION, SITE_PICK }; /* what a draw under draw_key is for */
enum { FIXED_VECTORS = 17, SLOT_VECTORS = 3 };

/* Weights exp(h0 - H - ref) are rescaled when one would pass e^RESCALE, so none overflows; what underflows weighs less than e^-700 of
 * another state. */
#define RESCALE 500.0

/* Bounds of the search for a step size. */
#define STEP_LOW 0x1p-40
#define STEP_HIGH 0x1p24

const rt_nuts_kernels *rt_nuts_kernels_for(int level)
{
#if defined(__x86_64__)
  int best = rt_isa_best();
  if (level <= 0 || level > best) level = best;
  return level >= 4 ? &rt_nuts_kernels_v4 : level == 3 ? &rt_nuts_kernels_v3 : &rt_nuts_kernels_v2;
#else
  (void)level;
  return &rt_nuts_kernels_generic;
#endif
}

static size_t padded_dim(size_t dim)
{
  return (dim + (RT_NUTS_LANES - 1)) / RT_NUTS_LANES * RT_NUTS_LANES;
}

static size_t vectors(uint32_t max_depth)
{
  return FIXED_VECTORS + 1 + (size_t)SLOT_VECTORS * (max_depth - 1);
}

size_t rt_nuts_doubles(size_t dim, uint32_t max_depth)
{
  if (dim == 0 || max_depth == 0 || max_depth > RT_NUTS_DEPTH_LIMIT) return 0;
  if (dim > SIZE_MAX / sizeof(double) / vectors(max_depth) - RT_NUTS_LANES) return 0;
  return padded_dim(dim) * vectors(max_depth);
}

void rt_nuts_init(rt_nuts *s, size_t dim, uint32_t max_depth, uint64_t key, double *work)
{
  *s = (rt_nuts){0};
  s->dim = dim;
  s->padded = padded_dim(dim);
  s->max_depth = max_depth;
  s->key = key;
  s->step_size = 1.0;
  s->stride = 1;
  s->k = rt_nuts_kernels_for(0);
  s->dense = rt_kernels_for(0);
  for (size_t i = 0, n = rt_nuts_doubles(dim, max_depth); i < n; i++) work[i] = 0.0;

  double **take[FIXED_VECTORS] = {&s->inv_metric, &s->scale,    &s->q,        &s->g,          &s->end[0].q,   &s->end[0].p, &s->end[0].g,
                                  &s->end[1].q,   &s->end[1].p, &s->end[1].g, &s->proposal_q, &s->proposal_g, &s->tree_rho, &s->inner_p,
                                  &s->by_factor,  &s->plain_g,  &s->scratch};
  for (int i = 0; i < FIXED_VECTORS; i++, work += s->padded) *take[i] = work;
  s->stack = work;
  for (size_t i = 0; i < dim; i++) s->inv_metric[i] = s->scale[i] = 1.0;
}

void rt_nuts_lane_set(rt_nuts *s, double *q_eval, size_t stride)
{
  s->lane = q_eval;
  s->stride = stride;
}

static int is_finite(double x)
{
  return x - x == 0.0;
}

/* F' times a gradient if the metric has a factor, else the gradient itself; *stride is that of the result. */
static const double *gradient_metric(rt_nuts *s, const double *gradient, size_t *stride)
{
  if (!s->factored) return gradient;
  if (*stride != 1) {
    for (size_t i = 0; i < s->dim; i++) s->plain_g[i] = gradient[i * *stride];
    gradient = s->plain_g;
    *stride = 1;
  }
  rt_factor_times(s->dense, &s->factor, 1, gradient, s->by_factor, s->scratch);
  return s->by_factor;
}

int rt_nuts_point_set(rt_nuts *s, const double *q, double lp, const double *gradient, size_t stride)
{
  size_t stride_g = stride;
  int ok = is_finite(lp);
  for (size_t i = 0; ok && i < s->dim; i++) ok = is_finite(q[i * stride]) && is_finite(gradient[i * stride]);
  if (!ok) return -1;
  gradient = gradient_metric(s, gradient, &stride_g);
  for (size_t i = 0; i < s->dim; i++) {
    s->q[i] = q[i * stride];
    s->g[i] = gradient[i * stride_g];
  }
  s->lp = lp;
  return 0;
}

int rt_nuts_metric_set(rt_nuts *s, const double *inv_metric)
{
  for (size_t i = 0; i < s->dim; i++)
    if (!(is_finite(inv_metric[i]) && inv_metric[i] > 0.0)) return -1;
  for (size_t i = 0; i < s->dim; i++) {
    s->inv_metric[i] = inv_metric[i];
    s->scale[i] = 1.0 / __builtin_sqrt(inv_metric[i]);
  }
  s->factored = 0;
  return 0;
}

int rt_nuts_factor_set(rt_nuts *s, const rt_factor *factor)
{
  if (factor->dim != s->dim || !rt_factor_valid(factor)) return -1;
  s->factor = *factor;
  s->factored = 1;
  for (size_t i = 0; i < s->dim; i++) s->inv_metric[i] = s->scale[i] = 1.0;
  return 0;
}

void rt_nuts_gradient(rt_nuts *s, double *g)
{
  if (s->factored) rt_factor_solve(s->dense, &s->factor, 1, s->g, g, s->scratch);
  else for (size_t i = 0; i < s->dim; i++) g[i] = s->g[i];
}

static void momentum_draw(const rt_nuts *s, double *p)
{
  s->k->momenta(s->padded, s->draw_key, SITE_MOMENTUM, s->scale, p);
#ifdef RT_NUTS_BREAK_MOMENTUM
  /* A test compiles this file a second time into a wrong sampler, whose momenta are F^-1 z where they should be F'^-1 z. */
  if (s->factored) {
    rt_factor_solve(s->dense, &s->factor, 0, p, s->by_factor, s->scratch);
    rt_factor_times(s->dense, &s->factor, 1, s->by_factor, p, s->scratch);
  }
#endif
}

static double pick_uniform(rt_nuts *s)
{
  return rt_u01(rt_philox_u64(rt_draw_bits((rt_draw_addr){s->draw_key, SITE_PICK, s->n_uniform++}, 0), 0));
}

/* The first half of a leapfrog step at one end; its new position goes to the caller. */
static int step_begin(rt_nuts *s, rt_nuts_end *e, double step)
{
  if (s->factored) {
    for (size_t i = 0; i < s->dim; i++) e->p[i] += 0.5 * step * e->g[i];
    rt_factor_times(s->dense, &s->factor, 0, e->p, s->by_factor, s->scratch);
    for (size_t i = 0; i < s->dim; i++) e->q[i] += step * s->by_factor[i];
  } else {
    s->k->kick_drift(s->padded, step, s->inv_metric, e->q, e->p, e->g);
  }
  if (s->lane) {
    for (size_t i = 0; i < s->dim; i++) s->lane[i * s->stride] = e->q[i];
    s->q_eval = s->lane;
  } else {
    s->q_eval = e->q;
  }
  return RT_NUTS_EVAL;
}

/* The second half.  Returns the Hamiltonian, +inf when the density or the gradient was not usable. */
static double step_end(rt_nuts *s, rt_nuts_end *e, double step, double lp, const double *gradient)
{
  double h = __builtin_inf();
  if (is_finite(lp)) {
    size_t stride = s->stride;
    gradient = gradient_metric(s, gradient, &stride);
    h = 0.5 * s->k->kick(s->padded, s->dim, stride, step, s->inv_metric, gradient, e->p, e->g) - lp;
    if (h != h) {
      s->stats.n_nan++;
      h = __builtin_inf();
    }
  } else if (lp != -__builtin_inf()) {
    s->stats.n_nan++;
  }
  return h;
}

static int finish(rt_nuts *s)
{
  s->mode = IDLE;
  s->stats.accept_stat = s->accept_sum / s->stats.n_leapfrog;
  s->stats.energy = s->energy;
  s->stats.log_density = s->lp;
  s->stats.depth = s->depth;
  return RT_NUTS_DONE;
}

/* Begins a half of 2^depth steps. */
static int half_begin(rt_nuts *s)
{
  s->went = s->directions >> s->depth & 1;
  s->step = s->went ? s->step_size : -s->step_size;
  s->leaf = 0;
  s->half_weight = 0.0;
  s->threshold = 0.0;
  s->k->copy(s->padded, s->inner_p, s->end[s->went].p);
  return step_begin(s, &s->end[s->went], s->step);
}

int rt_nuts_start(rt_nuts *s, uint64_t t)
{
  s->mode = TREE;
  s->draw_key = rt_key_fold(s->key, 2 * t);
  s->n_uniform = 0;
  s->directions = rt_draw_bits((rt_draw_addr){s->draw_key, SITE_DIRECTION, 0}, 0).w[0];
  s->stats = (rt_nuts_stats){.step_size = s->step_size};

  rt_nuts_end *e = s->end;
  momentum_draw(s, e[0].p);
  s->k->copy(s->padded, e[0].q, s->q);
  s->k->copy(s->padded, e[0].g, s->g);
  s->k->copy(s->padded, e[1].q, s->q);
  s->k->copy(s->padded, e[1].p, e[0].p);
  s->k->copy(s->padded, e[1].g, s->g);
  s->k->copy(s->padded, s->tree_rho, e[0].p);
  s->h0 = s->energy = 0.5 * s->k->square(s->padded, s->inv_metric, e[0].p) - s->lp;
  s->ref = 0.0;
  s->weight = 1.0;
  s->accept_sum = 0.0;
  s->depth = 0;
  return half_begin(s);
}

/* Adds the new state's weight to the half, and draws whether the state becomes the half's proposal.
 *
 * A state that arrives when the half's total goes from W to W' replaces the proposal with probability 1 - W/W'.  So a proposal taken at
 * total W survives until the total passes W/u, with one uniform u for all states in between: P(W' < W/u) = W/W'. */
static void state_weigh(rt_nuts *s, const rt_nuts_end *e, double lp, double h)
{
  double delta = s->h0 - h;
  double ratio = delta < 0.0 ? s->k->exp(delta) : 1.0;
  s->accept_sum += ratio;
  if (delta - s->ref > RESCALE) {
    double shrink = s->k->exp(s->ref - delta);
    s->weight *= shrink;
    s->half_weight *= shrink;
    s->threshold *= shrink;
    s->ref = delta;
  }
  s->half_weight += s->ref == 0.0 && delta < 0.0 ? ratio : s->k->exp(delta - s->ref);
  if (s->leaf == 0 || s->half_weight > s->threshold) {
    if (s->depth > 0) s->threshold = s->half_weight / pick_uniform(s);
    s->k->copy(s->padded, s->proposal_q, e->q);
    s->k->copy(s->padded, s->proposal_g, e->g);
    s->half_lp = lp;
    s->half_energy = h;
  }
}

typedef struct slot {
  double *rho, *first, *last;
} slot;

static slot slot_at(const rt_nuts *s, uint32_t level)
{
  double *v = s->stack;
  if (level == 0) return (slot){v, v, v};
  v += s->padded * (1 + (size_t)SLOT_VECTORS * (level - 1));
  return (slot){v, v + s->padded, v + 2 * s->padded};
}

static rt_nuts_node slot_node(slot x)
{
  return (rt_nuts_node){x.rho, x.first, x.last};
}

/* A test compiles this file a second time into a wrong sampler, in which nothing turns inside a half. */
#ifdef RT_NUTS_BREAK_UTURN
#define STRAIGHT(x) ((void)(x), 1)
#else
#define STRAIGHT(x) (x)
#endif

/* Merges the state at the growing end with all waiting subtrees that it completes.  Returns 0 if one of them has turned.  *done is
 * set, and *half describes the half, when this was its last state. */
static int subtrees_merge(rt_nuts *s, int *done, rt_nuts_node *half)
{
  const rt_nuts_kernels *k = s->k;
  const double *p = s->end[s->went].p;
  uint32_t leaf = s->leaf++;
  *done = s->leaf >> s->depth;
  if ((leaf & 1) == 0) {
    *half = (rt_nuts_node){p, p, p};
    if (!*done) k->copy(s->padded, slot_at(s, 0).rho, p);
    return 1;
  }
  /* The subtree that ends here has 2^level leaves, level <= depth < max_depth, and its slot is free: none of that size is waiting. */
  uint32_t level = (uint32_t)__builtin_ctz(s->leaf);
  slot to = slot_at(s, level), from = slot_at(s, 0);
  if (!STRAIGHT(k->pair(s->padded, s->inv_metric, from.rho, p, to.rho))) return 0;
  for (uint32_t l = 1; l < level; l++) {
    rt_nuts_node right = {to.rho, from.first, p};
    from = slot_at(s, l);
    if (!STRAIGHT(k->merge(s->padded, s->inv_metric, slot_node(from), right, to.rho))) return 0;
  }
  *half = (rt_nuts_node){to.rho, from.first, p};
  if (!*done) {
    k->copy(s->padded, to.first, from.first);
    k->copy(s->padded, to.last, p);
  }
  return 1;
}

/* Joins a complete half to the trajectory: the half's proposal is accepted with probability min(1, half / trajectory), which favours
 * far states and keeps the target (Betancourt 2017, A.3.2).  Returns 1 if the trajectory may double again. */
static int half_join(rt_nuts *s, rt_nuts_node half)
{
  if (pick_uniform(s) * s->weight < s->half_weight) {
    double *q = s->q, *g = s->g;
    s->q = s->proposal_q;
    s->g = s->proposal_g;
    s->proposal_q = q;
    s->proposal_g = g;
    s->lp = s->half_lp;
    s->energy = s->half_energy;
  }
  s->weight += s->half_weight;
  int straight;
  if (s->depth == 0) {
    straight = s->k->pair(s->padded, s->inv_metric, s->inner_p, half.rho, s->tree_rho);
  } else {
    rt_nuts_node tree = {s->tree_rho, s->end[1 - s->went].p, s->inner_p};
    straight = s->k->merge(s->padded, s->inv_metric, tree, half, s->tree_rho);
  }
  s->depth++;
  return straight && s->depth < s->max_depth;
}

static int tree_advance(rt_nuts *s, double lp, const double *gradient)
{
  rt_nuts_end *e = &s->end[s->went];
  double h = step_end(s, e, s->step, lp, gradient);
  s->stats.n_leapfrog++;
  if (h - s->h0 > RT_NUTS_ENERGY_LIMIT) {
    s->stats.divergent = 1;
    return finish(s);
  }
  state_weigh(s, e, lp, h);
  int done;
  rt_nuts_node half;
  if (!subtrees_merge(s, &done, &half)) return finish(s);
  if (!done) return step_begin(s, e, s->step);
  return half_join(s, half) ? half_begin(s) : finish(s);
}

/* The search for a step size. */

static int search_begin(rt_nuts *s)
{
  rt_nuts_end *e = &s->end[1];
  s->draw_key = rt_key_fold(s->search_key, s->search_n++);
  momentum_draw(s, e->p);
  s->k->copy(s->padded, e->q, s->q);
  s->k->copy(s->padded, e->g, s->g);
  s->h0 = 0.5 * s->k->square(s->padded, s->inv_metric, e->p) - s->lp;
  return step_begin(s, e, s->step_size);
}

int rt_nuts_step_start(rt_nuts *s, uint64_t t)
{
  s->mode = SEARCH;
  s->search_key = rt_key_fold(s->key, 2 * t + 1);
  s->stats = (rt_nuts_stats){0};
  s->search_n = 0;
  s->step_bounded = 0;
  if (!(s->step_size > STEP_LOW)) s->step_size = STEP_LOW;
  if (s->step_size > STEP_HIGH) s->step_size = STEP_HIGH;
  return search_begin(s);
}

static int search_advance(rt_nuts *s, double lp, const double *gradient)
{
  const double log_target = -0.22314355131420976; /* log 0.8 */
  double h = step_end(s, &s->end[1], s->step_size, lp, gradient);
  int up = s->h0 - h > log_target;
  if (s->search_n == 1) s->search_up = up;
  if (up == s->search_up) {
    double next = up ? 2.0 * s->step_size : 0.5 * s->step_size;
    if (next >= STEP_LOW && next <= STEP_HIGH) {
      s->step_size = next;
      return search_begin(s);
    }
    s->step_bounded = 1;
  }
  s->mode = IDLE;
  return RT_NUTS_DONE;
}

int rt_nuts_advance(rt_nuts *s, double log_density, const double *gradient)
{
  return s->mode == SEARCH ? search_advance(s, log_density, gradient) : tree_advance(s, log_density, gradient);
}
