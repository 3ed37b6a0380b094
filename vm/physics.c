/* physics.c: kernels against the distributions that they are to leave (physics.h). */
#include "vm/physics.h"

#include "vm/conditional.h"
#include "vm/replicas.h"
#include "vm/schedule_run.h"

#include "stdlib/runtime/rt_philox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const physics_rules physics_exact = {rt_spin_acceptance, rt_potts_visit, mh_acceptance};

/* Replicas that meet states (as many as anneal in one block), and sweeps that they make at each inverse temperature; where states are not enumerated, pairs of
 * replicas and elements of each site that are looked at.  2^10 is PHYSICS_STATES. */
enum { REPLICAS = 64, SWEEPS = 16, PAIRS = 4, LOOKED_AT = 16, ELEMENTS = 10, ROWS = 64, LONGEST_SCHEDULE = 100000, MOST_SWEEPS = 20000 };

typedef struct bench {
  mh_walk c;            /* first: steps get it, and find the bench around it */
  run *r;
  const physics_rules *rules;
  physics_report *out;
  replicas_kit kit;
  replicas x;
  eval_worker w;
  bool reserved;
  double beta[PHYSICS_BETAS];
  size_t betas;
  double scale;         /* 1 + the largest |E| or |base| met */
  double worst;         /* difference of energies */
  /* Enumerated.  Element e has value[e] values, and a state is the sum of their numbers times stride[e]. */
  mh_element *element;  /* [elements] */
  size_t *value, *stride;
  size_t elements, states;
  double *base, *hot;   /* [states] */
  double **visit;       /* [elements]: [states][value] probabilities of the values after a visit */
  double *p, *v, *next, *before; /* [states] */
  double *pull;         /* [colours] beta a_c */
  exec_cell *other;     /* [cells] */
} bench;

static void row(bench *b, const char *what, double beta, double value, double limit, physics_verdict verdict) {
  physics_report *o = b->out;
  if (verdict == PHYSICS_BIASED && value <= limit) verdict = PHYSICS_PASS; /* too hot for the floor to matter */
  if (verdict == PHYSICS_PASS && !(value <= limit)) verdict = PHYSICS_FAIL; /* a NaN fails */
  o->failed += verdict == PHYSICS_FAIL;
  if (o->rows < ROWS) o->row[o->rows++] = (physics_row){what, beta, value, limit, verdict};
}

/* Numbers of this size differ by rounding, relative to it; probabilities exp(-beta E) by that of the exponent. */
static double energy_limit(const bench *b) { return 1e-12 * b->scale; }
static double flux_limit(const bench *b, double beta) { return 1e-12 + 0x1p-50 * beta * b->scale; }

static void see(bench *b, double energy) {
  if (isfinite(energy) && 1.0 + fabs(energy) > b->scale) b->scale = 1.0 + fabs(energy);
}

/* The largest difference so far; one that is no number stays. */
static double worse(double worst, double d) { return isnan(worst) || d <= worst ? worst : d; }

/* Both parts change by as much as the kernel takes them to. */
static void compare(bench *b, const double local[2], double base, double hot) {
  b->worst = worse(b->worst, fabs(local[0] - base) + fabs(local[1] - hot));
  b->out->compared++;
}

/* ---- inverse temperatures */

static int rising(const void *x, const void *y) {
  const double a = *(const double *)x, b = *(const double *)y;
  return (a > b) - (a < b);
}

/* The lowest, the middle and the highest of the statement's; of a schedule that looks at what it meets, three that stand for it. */
static bool find_betas(bench *b) {
  run *r = b->r;
  const schedule *s = r->o.schedule;
  double *inputs = ARENA_ARRAY(r->mem, double, s->registers), *all = NULL;
  size_t n = 0, cap = 0;
  schedule_run x = {.s = s, .r = ARENA_ARRAY(r->mem, double, s->registers), .slot = ARENA_ARRAY(r->mem, schedule_slot, s->slots + 1)};
  const char *unknown = schedule_inputs(s, r->m->p, inputs);
  if (unknown) {
    r->why = arena_printf(r->mem, "the schedule reads `%s`, whose value is not known", unknown);
    return false;
  }
  if (!s->feedback) {
    const schedule_stats none = {.acceptance = 1.0, .ess = 1.0};
    schedule_step step;
    schedule_state state;
    schedule_begin(&x, inputs);
    while ((state = schedule_next(&x, &none, &step)) == SCHEDULE_STEP && n < LONGEST_SCHEDULE)
      if (isfinite(step.beta)) ARENA_PUSH(r->mem, all, n, cap, step.beta);
    if (state == SCHEDULE_FAILED) {
      r->why = arena_printf(r->mem, "the schedule %s", x.why);
      return false;
    }
  }
  if (n == 0) {
    memcpy(b->beta, (double[]){0.1, 0.5, 2.0}, sizeof b->beta);
    b->betas = PHYSICS_BETAS;
    return true;
  }
  qsort(all, n, sizeof *all, rising);
  const double picked[] = {all[0], all[n / 2], all[n - 1]};
  for (size_t k = 0; k < PHYSICS_BETAS; k++)
    if (k == 0 || picked[k] > b->beta[b->betas - 1]) b->beta[b->betas++] = picked[k];
  return true;
}

/* ---- energies */

/* A cell of the frame as a spin. */
static double spin_at(const bench *b, size_t i) { return (double)(b->kit.form.truth[i] ? 2 * b->c.frame[i].integer - 1 : b->c.frame[i].integer); }

/* Of the state in the frame, what the rest of it has cell i prefer: the local field of a spin, which it costs 2 s f to flip, or a_c of the colour c, counted
 * from 1, that the cell has or may take. */
static double local(const bench *b, size_t i, int64_t c) {
  const spin_form *f = &b->kit.form;
  const rt_spin_problem *p = &f->problem;
  double a = f->q ? f->H ? f->H[i * f->q + (size_t)c - 1] : 0.0 : p->h ? p->h[i] : 0.0;
  if (p->form == RT_SPIN_DENSE) {
    for (size_t j = 0; j < p->n; j++) a += j == i ? 0.0 : p->J[i * p->n + j] * spin_at(b, j);
    return a;
  }
  for (uint32_t k = p->row[i]; k < p->row[i + 1]; k++) {
    const size_t j = p->column[k];
    const double J = p->weight ? p->weight[k] : p->coupling;
    if (f->q) a += b->c.frame[j].integer == c ? J : 0.0;
    else a += J * spin_at(b, j);
  }
  return a;
}

/* The frame and `other` exchange an event. */
static void swap(bench *b, const mh_element *x) {
  const size_t at = x->p->at + x->e * x->p->event;
  for (size_t i = at; i < at + x->p->event; i++) {
    const exec_cell kept = b->c.frame[i];
    b->c.frame[i] = b->other[i];
    b->other[i] = kept;
  }
}

/* What the kernel takes for the change of the two parts when the event goes from what stands in `other` to what stands in the frame. */
static bool local_change(bench *b, const mh_element *x, double change[2] /* OUT */) {
  if (b->kit.spins) {
    const size_t at = x->p->at + x->e;
    const int64_t is = b->c.frame[at].integer, was = b->other[at].integer;
    change[0] = change[1] = 0.0;
    if (is == was) return true;
    if (b->kit.form.q) change[1] = local(b, at, is) - local(b, at, was);
    else change[1] = 2.0 * spin_at(b, at) * local(b, at, is);
    return true;
  }
  mh_score now, old;
  eval_frame_set(&b->w, b->c.frame);
  if (!mh_walk_score(&b->c, x, &now)) return false;
  swap(b, x);
  const bool fine = mh_walk_score(&b->c, x, &old);
  swap(b, x);
  change[0] = now.base - old.base;
  change[1] = now.hot - old.hot;
  return fine;
}

/* A step: the event takes the value it has in `other`, and what that changes locally is compared with what it changes on the whole. */
static bool look(mh_walk *c, const mh_element *x) {
  bench *b = (bench *)c;
  double was[2], is[2], change[2];
  if (!eval_tempered(&b->w, c->frame, was)) return mh_walk_stopped(c);
  swap(b, x);
  bool fine = eval_tempered(&b->w, c->frame, is) || mh_walk_stopped(c);
  if (fine && isfinite(was[0] + was[1]) && isfinite(is[0] + is[1])) {
    see(b, was[0]), see(b, was[1]), see(b, is[0]), see(b, is[1]);
    fine = local_change(b, x, change);
    if (fine) compare(b, change, is[0] - was[0], is[1] - was[1]);
  }
  swap(b, x);
  eval_frame_set(&b->w, c->frame);
  return fine;
}

/* Replicas are swept, and the energies that are kept for them compared with the model's. */
static bool sweep_and_compare(bench *b) {
  double worst = 0.0;
  const rt_spin_model *m = &b->kit.model;
  const bool narrow = b->kit.spins && m->precision == RT_SPIN_F32 && !m->exact;
  if (!replicas_start(&b->x, &b->w, 0, rt_key_fold(b->r->o.seed, 0), 0)) return false;
  for (size_t t = 0; t < b->betas; t++) {
    for (size_t k = 0; k < SWEEPS; k++)
      if (!replicas_sweep(&b->x, &b->w, 0, &b->beta[t], true, 0.0)) return false;
    for (size_t k = 0; k < b->x.n; k++) {
      double part[2];
      replicas_state(&b->x, k, false, b->c.frame);
      if (!eval_tempered(&b->w, b->c.frame, part)) return mh_walk_stopped(&b->c);
      see(b, part[1]);
      if (b->x.energy[k] != -part[1]) worst = worse(worst, fabs(b->x.energy[k] + part[1])); /* or both are infinite */
    }
  }
  row(b, "energies kept through sweeps", NAN, worst, narrow ? 1e-5 * b->scale : energy_limit(b), PHYSICS_PASS);
  return true;
}

/* Elements of replicas, where states are not enumerated. */
static bool look_at_some(bench *b) {
  for (size_t k = 0; k + 1 < b->x.n && k < PAIRS; k++) {
    replicas_state(&b->x, k, false, b->c.frame);
    replicas_state(&b->x, k + 1, false, b->other);
    eval_frame_set(&b->w, b->c.frame);
    for (size_t i = 0; i < b->r->m->p->nsites; i++) {
      const size_t n = b->r->m->p->site[i].batch, step = n / LOOKED_AT + 1;
      for (size_t e = 0; e < n; e += step)
        if (!mh_walk_elements(&b->c, i, e, 1, look)) return false;
    }
  }
  return true;
}

/* ---- states */

static bool gather(mh_walk *c, const mh_element *x) {
  bench *b = (bench *)c;
  const size_t n = mh_states(x);
  if (n == 1) return true;
  if (n == 0 || b->states * n > PHYSICS_STATES) {
    b->states = 0;
    return false;
  }
  b->element[b->elements] = *x;
  b->value[b->elements] = n;
  b->stride[b->elements++] = b->states;
  b->states *= n;
  return true;
}

/* Lists the elements; b->states 0 with the reason where states cannot be enumerated. */
static bool list_states(bench *b) {
  const program *p = b->r->m->p;
  b->states = 1;
  eval_frame_set(&b->w, b->c.frame);
  for (size_t k = 0; k < p->nsites && b->states; k++) {
    const program_site *s = &p->site[k];
    if (!s->discrete || s->site->support != IR_SUP_FINITE || s->event != 1 || b->r->m->site[k].bounds_move) {
      b->out->why = arena_printf(b->r->mem, "`%s` is not made of elements with a finite number of values each", s->name);
      b->states = 0;
    } else if (!mh_walk_elements(&b->c, k, 0, s->batch, gather) && b->c.status != RUN_OK) {
      return false;
    }
  }
  if (!b->states && !b->out->why) b->out->why = arena_printf(b->r->mem, "there are more than %d states", PHYSICS_STATES);
  b->out->states = b->states;
  return true;
}

/* What has one value only stands in the frame since the replicas' last state was read. */
static void set_state(bench *b, size_t state) {
  for (size_t e = 0; e < b->elements; e++) {
    const mh_element *x = &b->element[e];
    b->c.frame[x->p->at + x->e].integer = mh_state(x, state / b->stride[e] % b->value[e]);
  }
}

static size_t number_of(const bench *b, size_t state, size_t e) { return state / b->stride[e] % b->value[e]; }

/* Both parts of every state by the whole model; then each change of one element by what its kernel goes by. */
static bool enumerate(bench *b) {
  for (size_t state = 0; state < b->states; state++) {
    double part[2];
    set_state(b, state);
    if (!eval_tempered(&b->w, b->c.frame, part)) return mh_walk_stopped(&b->c);
    b->base[state] = part[0];
    b->hot[state] = part[1];
    see(b, part[0]), see(b, part[1]);
  }
  for (size_t state = 0; state < b->states; state++)
    for (size_t e = 0; e < b->elements; e++)
      for (size_t k = 0; k < b->value[e]; k++) {
        const mh_element *x = &b->element[e];
        const size_t from = state + k * b->stride[e] - number_of(b, state, e) * b->stride[e];
        double change[2];
        if (from == state || !isfinite(b->base[from] + b->hot[from]) || !isfinite(b->base[state] + b->hot[state])) continue;
        set_state(b, state);
        b->other[x->p->at + x->e].integer = mh_state(x, k);
        if (!local_change(b, x, change)) return false;
        compare(b, change, b->base[state] - b->base[from], b->hot[state] - b->hot[from]);
      }
  return true;
}

/* The state in which every value is the next one, the last the first: of spins -s. */
static size_t turned(const bench *b, size_t state) {
  size_t to = 0;
  for (size_t e = 0; e < b->elements; e++) to += (number_of(b, state, e) + 1) % b->value[e] * b->stride[e];
  return to;
}

/* Without fields no spin and no colour is like another. */
static void check_symmetry(bench *b) {
  const spin_form *f = &b->kit.form;
  double worst = 0.0;
  if (!b->kit.spins || f->problem.h || f->H) return;
  for (size_t state = 0; state < b->states; state++) worst = worse(worst, fabs(b->hot[state] - b->hot[turned(b, state)]));
  row(b, f->q ? "E(s) = E(colours in turn)" : "E(s) = E(-s)", NAN, worst, energy_limit(b), PHYSICS_PASS);
}

/* ---- the distribution */

/* At beta = 0 an infinite energy counts nothing. */
static double log_weight(const bench *b, double beta, size_t state) { return beta == 0 ? b->base[state] : b->base[state] + beta * b->hot[state]; }

/* p [states], and log Z. */
static double distribution(const bench *b, double beta, double *p) {
  double top = -INFINITY, sum = 0.0;
  for (size_t k = 0; k < b->states; k++) top = fmax(top, log_weight(b, beta, k));
  for (size_t k = 0; k < b->states; k++) sum += p[k] = exp(log_weight(b, beta, k) - top);
  for (size_t k = 0; k < b->states; k++) p[k] /= sum;
  return top + log(sum);
}

static void tell_exact(bench *b, double beta, double log_z) {
  const program *p = b->r->m->p;
  double energy = 0.0, m = 0.0;
  bool spins = true;
  for (size_t k = 0; k < p->nsites; k++) spins = spins && p->site[k].spin;
  for (size_t k = 0; k < b->states; k++) {
    double up = 0.0;
    for (size_t e = 0; e < b->elements; e++) up += number_of(b, k, e) ? 1.0 : -1.0;
    if (b->p[k] > 0) energy -= b->p[k] * b->hot[k];
    m += b->p[k] * fabs(up) / (double)b->elements;
  }
  row(b, "log Z", beta, log_z, NAN, PHYSICS_VALUE);
  row(b, "mean energy", beta, energy, NAN, PHYSICS_VALUE);
  if (spins && b->elements) row(b, "mean |m|", beta, m, NAN, PHYSICS_VALUE);
}

/* ---- visits */

/* By the kernels of spins and colours. */
static bool visit_local(bench *b, size_t state, size_t e, double floor, double *to) {
  const kernel *o = &b->r->o.kernel;
  const rt_spin_rule rule = o->rule != KERNEL_METROPOLIS ? RT_SPIN_HEAT_BATH : floor > 0 ? RT_SPIN_FLOORED : RT_SPIN_METROPOLIS;
  const size_t now = number_of(b, state, e), cell = b->element[e].p->at + b->element[e].e, q = b->kit.form.q;
  if (q) {
    for (size_t c = 0; c < q; c++) b->pull[c] = b->c.beta * local(b, cell, (int64_t)c + 1);
    b->rules->colour(rule, q, b->pull, now, floor, to);
    return true;
  }
  const double flip = b->rules->spin(rule, b->c.beta * 2.0 * spin_at(b, cell) * local(b, cell, 0), floor);
  to[1 - now] = flip;
  to[now] = 1.0 - flip;
  return true;
}

static bool visit_element(bench *b, size_t state, size_t e, double floor, double *to) {
  const mh_element *x = &b->element[e];
  const size_t now = number_of(b, state, e), n = b->value[e];
  mh_score was;
  set_state(b, state);
  eval_frame_set(&b->w, b->c.frame);
  if (!mh_weights(&b->c, x, to, &was)) return false;
  double sum = 0.0, top = -INFINITY;
  if (b->r->o.kernel.rule == KERNEL_METROPOLIS) { /* another value, each with the same probability */
    const double here = to[now];
    for (size_t k = 0; k < n; k++)
      if (k != now) sum += to[k] = b->rules->element(false, floor, to[k] - here) / (double)(n - 1);
    to[now] = 1.0 - sum;
    return true;
  }
  for (size_t k = 0; k < n; k++) top = fmax(top, to[k]);
  for (size_t k = 0; k < n; k++) sum += to[k] = exp(to[k] - top);
  for (size_t k = 0; k < n; k++) to[k] /= sum;
  return true;
}

/* The visits of all elements in all states that have a probability. */
static bool make_visits(bench *b, double beta) {
  const double floor = b->r->o.kernel.floor / (1.0 + beta);
  b->c.beta = beta;
  for (size_t state = 0; state < b->states; state++) {
    if (!(log_weight(b, beta, state) > -INFINITY)) continue;
    set_state(b, state);
    for (size_t e = 0; e < b->elements; e++) {
      double *to = b->visit[e] + state * b->value[e];
      if (!(b->kit.spins ? visit_local : visit_element)(b, state, e, floor, to)) return false;
    }
  }
  return true;
}

/* Adds share times what a visit of element e makes of the distribution v. */
static void move(const bench *b, size_t e, double share, const double *v, double *to) {
  for (size_t state = 0; state < b->states; state++) {
    const size_t first = state - number_of(b, state, e) * b->stride[e];
    const double *p = b->visit[e] + state * b->value[e];
    for (size_t k = 0; k < b->value[e] && v[state] > 0; k++) to[first + k * b->stride[e]] += share * v[state] * p[k];
  }
}

/* v becomes what a sweep makes of it: each element in turn, or as many visits at random. */
static void sweep(bench *b) {
  const bool random = b->r->o.kernel.order == KERNEL_RANDOM;
  for (size_t t = 0; t < b->elements; t++) {
    memset(b->next, 0, b->states * sizeof *b->next);
    if (random)
      for (size_t e = 0; e < b->elements; e++) move(b, e, 1.0 / (double)b->elements, b->v, b->next);
    else move(b, b->kit.sites ? b->kit.sites[t] : t, 1.0, b->v, b->next);
    double *was = b->v;
    b->v = b->next;
    b->next = was;
  }
}

static double distance(const double *x, const double *y, size_t n) {
  double d = 0.0;
  for (size_t k = 0; k < n; k++) d += fabs(x[k] - y[k]);
  return d;
}

static double imbalance(const bench *b) {
  double sum = 0.0;
  for (size_t e = 0; e < b->elements; e++)
    for (size_t a = 0; a < b->states; a++)
      for (size_t k = number_of(b, a, e) + 1; k < b->value[e]; k++) {
        const size_t i = number_of(b, a, e), z = a + (k - i) * b->stride[e];
        const double there = b->p[a] > 0 ? b->p[a] * b->visit[e][a * b->value[e] + k] : 0.0;
        const double back = b->p[z] > 0 ? b->p[z] * b->visit[e][z * b->value[e] + i] : 0.0;
        sum += fabs(there - back) / (double)b->elements;
      }
  return sum;
}

static bool check_kernel(bench *b, double beta) {
  const bool biased = b->r->o.kernel.floor > 0;
  const physics_verdict verdict = biased ? PHYSICS_BIASED : PHYSICS_PASS;
  if (!make_visits(b, beta)) return false;
  const double log_z = distribution(b, beta, b->p);
  row(b, "detailed balance of a visit", beta, imbalance(b), flux_limit(b, beta), verdict);
  memcpy(b->v, b->p, b->states * sizeof *b->v);
  sweep(b);
  row(b, "stationarity of a sweep", beta, distance(b->v, b->p, b->states), flux_limit(b, beta), verdict);
  if (biased) { /* what it draws from instead, by iteration */
    for (size_t t = 0; t < MOST_SWEEPS; t++) {
      memcpy(b->before, b->v, b->states * sizeof *b->v);
      sweep(b);
      if (distance(b->before, b->v, b->states) < 1e-13) break;
    }
    row(b, "total variation of its limit", beta, 0.5 * distance(b->v, b->p, b->states), flux_limit(b, beta), PHYSICS_BIASED);
  }
  tell_exact(b, beta, log_z);
  return true;
}

/* Replicas at two inverse temperatures: exchanging them leaves the product of their distributions. */
static void check_exchange(bench *b, double low, double high) {
  double sum = 0.0;
  distribution(b, low, b->v);
  distribution(b, high, b->next);
  for (size_t i = 0; i < b->states; i++)
    for (size_t j = i + 1; j < b->states; j++) {
      const double there = b->v[i] * b->next[j], back = b->v[j] * b->next[i];
      if (!(there > 0 || back > 0)) continue;
      sum += fabs(there * mh_acceptance(false, 0.0, b->r->rules->exchange(low, high, -b->hot[i], -b->hot[j])) -
                  back * mh_acceptance(false, 0.0, b->r->rules->exchange(low, high, -b->hot[j], -b->hot[i])));
    }
  row(b, "detailed balance of an exchange", high, sum, flux_limit(b, high), PHYSICS_PASS);
}

/* ---- the whole */

static bool check_all(bench *b) {
  if (!list_states(b)) return false;
  if (b->states) {
    b->base = ARENA_ARRAY(b->r->mem, double, b->states);
    b->hot = ARENA_ARRAY(b->r->mem, double, b->states);
    b->p = ARENA_ARRAY(b->r->mem, double, b->states);
    b->v = ARENA_ARRAY(b->r->mem, double, b->states);
    b->next = ARENA_ARRAY(b->r->mem, double, b->states);
    b->before = ARENA_ARRAY(b->r->mem, double, b->states);
    b->visit = ARENA_ARRAY(b->r->mem, double *, b->elements + 1);
    for (size_t e = 0; e < b->elements; e++) b->visit[e] = ARENA_ARRAY(b->r->mem, double, b->states * b->value[e]);
  }
  if (!sweep_and_compare(b)) return false;
  if (!(b->states ? enumerate : look_at_some)(b)) return false;
  row(b, "local against whole energies", NAN, b->worst, energy_limit(b), PHYSICS_PASS);
  if (!b->states) return true;
  check_symmetry(b);
  for (size_t k = 0; k < b->betas; k++)
    if (!check_kernel(b, b->beta[k])) return false;
  for (size_t k = 1; k < b->betas && b->r->o.method == PLAN_TEMPERING; k++) check_exchange(b, b->beta[k - 1], b->beta[k]);
  return true;
}

/* What is no arena's is the caller's to free, whatever comes back. */
static run_status check(bench *b, run *r) {
  if (ARENA_TRY(r->mem)) return RUN_E_MEMORY;
  const program *p = r->m->p;
  if (!find_betas(b)) return RUN_E_METHOD;
  const size_t n = r->o.method != PLAN_ANNEAL || r->o.draws > REPLICAS ? REPLICAS : r->o.draws < 2 ? 2 : (size_t)r->o.draws;
  if (!replicas_kit_make(&b->kit, r, 1, r->o.method != PLAN_TEMPERING)) return RUN_E_METHOD;
  replicas_make(&b->x, &b->kit, n, false);
  mh_walk_make(&b->c, &b->kit.tables, r->mem);
  b->c.w = &b->w;
  b->c.s = &b->kit.scratch[0];
  b->c.frame = ARENA_ARRAY(r->mem, exec_cell, p->cells + 1);
  b->other = ARENA_ARRAY(r->mem, exec_cell, p->cells + 1);
  b->pull = ARENA_ARRAY(r->mem, double, b->kit.form.q + 1);
  b->element = ARENA_ARRAY(r->mem, mh_element, ELEMENTS);
  b->value = ARENA_ARRAY(r->mem, size_t, ELEMENTS);
  b->stride = ARENA_ARRAY(r->mem, size_t, ELEMENTS);
  b->out->row = ARENA_ARRAY(r->mem, physics_row, ROWS);
  b->out->elements = b->kit.tables.elements;
  b->out->spins = b->kit.spins;
  b->reserved = true;
  if (!replicas_kit_reserve(&b->kit) || !eval_worker_init(&b->w, r->m, 0, r->alloc)) return RUN_E_MEMORY;
  if (check_all(b)) return RUN_OK;
  return b->c.status != RUN_OK ? b->c.status : b->x.status;
}

aim_status api_physics(aim_task *t, const physics_rules *rules, physics_report *out) {
  *out = (physics_report){0};
  if (t->state != TASK_BOUND) return AIM_E_USAGE;
  if (!(t->needs & NEED_TEMPERED)) return AIM_OK;
  out->applies = true;
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  run *r = &t->run;
  *r = (run){.m = &t->model, .alloc = &t->vm->alloc, .mem = &t->mem, .o = run_options_of(&t->plan), .rules = t->rules ? t->rules : &temper_exact, .stop = &t->stop};
  bench *b = ARENA_NEW(&t->mem, bench);
  b->r = r;
  b->rules = rules;
  b->out = out;
  b->scale = 1.0;
  const run_status st = check(b, r);
  eval_faults faults = b->w.faults;
  eval_worker_free(&b->w);
  if (b->reserved) replicas_kit_free(&b->kit);
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  if (st == RUN_E_BOUND) api_report_stop(t, &faults);
  if (st == RUN_E_INIT) api_report_init(t);
  if (st == RUN_E_METHOD) diag_add(&t->p.diags, DIAG_ERROR, "E0912", t->plan.model->decl->name.at, "%s", r->why);
  return api_status(st);
}
