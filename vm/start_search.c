/* start_search.c: minimal conflicts (start_search.h). */
#include "vm/start_search.h"

#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_sample.h"
#include "vm/conditional.h"

#include <math.h>
#include <string.h>

/* Values that are tried of an element: all of a finite one with no more, else so many.  Sweeps at most, and such in a row of which none leaves fewer impossible elements than all before; of so many one in
 * which everything moves, and some when all is possible, since what fits may be far from where the density is.  Densities of elements at most, and that many sweeps in any case. */
enum { MOST_VALUES = 64, SOME_VALUES = 24, SWEEPS = 400, IN_VAIN = 60, SHAKE = 5, SETTLE = 3, SCORES = 400000, LEAST_SWEEPS = 20 };
static const double stays = 0.75; /* the share of numbers that are not discrete which stay where nothing is better */

struct start_state {
  uint64_t key;      /* of the sweep */
  bool back, shake;  /* elements are visited from the last to the first; what is possible moves too */
  size_t impossible; /* elements met in this sweep */
  size_t most;       /* c->scores when the search is given up */
  bool last;         /* what was looked at last was possible */
};

static bool possible(const mh_score *s) { return s->base + s->hot > -INFINITY && s->base + s->hot < INFINITY; }

static rt_draw_addr number(const mh_walk *c, const mh_element *x, uint64_t k) { return (rt_draw_addr){rt_key_fold(c->search->key, x->number), 0, k}; }

static size_t values_of(const mh_element *x) {
  const size_t n = x->p->discrete && x->p->site->support == IR_SUP_FINITE ? mh_states(x) : 0;
  return n && n <= MOST_VALUES ? n : SOME_VALUES;
}

/* A number of a random size: normal, with a scale from 1/8 to 64, or to 4 where there are bounds, to which the step is relative. */
static double step(const mh_walk *c, const mh_element *x, size_t k) {
  const double powers = x->lo > -INFINITY || x->hi < INFINITY ? 5.0 : 9.0;
  return 0.125 * rt_exp(powers * 0.6931471805599453 * rt_draw_uniform(number(c, x, 3 * k))) * rt_draw_normal(number(c, x, 3 * k + 1));
}

/* Where the k-th value is looked for: around what the element had, or what one next to it has. */
static exec_cell origin(const mh_walk *c, const mh_element *x, size_t k, exec_cell old) {
  const uint32_t rank = x->p->batch_rank;
  const uint32_t way = (uint32_t)(rt_draw_uniform(number(c, x, 3 * k + 2)) * (double)(4 * rank));
  if (rank == 0 || way >= 2 * rank) return old;
  const uint32_t axis = way / 2;
  size_t stride = 1;
  for (uint32_t a = axis + 1; a < rank; a++) stride *= (size_t)x->p->dim[a];
  if (way % 2 ? x->at[axis] + 1 >= x->p->dim[axis] : x->at[axis] == 0) return old;
  return c->frame[x->p->at + (way % 2 ? x->e + stride : x->e - stride)];
}

/* Gives the element its k-th value.  Of all but finite ones with few values, value 0 is that which it had: old, an integer or a real, or u for vector events. */
static bool propose(mh_walk *c, const mh_element *x, size_t k, exec_cell old) {
  const program_site *p = x->p;
  exec_cell *cell = c->frame + p->at + x->e * p->event;
  if (p->discrete) {
    const size_t n = p->site->support == IR_SUP_FINITE ? mh_states(x) : 0;
    const double u = rt_draw_uniform(number(c, x, 3 * k));
    if (n && n <= MOST_VALUES) cell->integer = mh_state(x, k);
    else if (k == 0) *cell = old;
    else if (n) cell->integer = mh_state(x, (size_t)(u * (double)n));
    else cell->integer = (int64_t)fmin(fmax(rint((double)origin(c, x, k, old).integer + 4.0 * step(c, x, k)), fmax(x->lo, -9e15)), fmin(x->hi, 9e15));
    return true;
  }
  if (c->t->m->site[x->site].point < 0) {
    const double from = k > 0 ? origin(c, x, k, old).real : 0.0;
    *cell = old;
    if (k > 0 && from > x->lo && from < x->hi && mh_move(x, from, step(c, x, k), &cell->real) == -INFINITY) *cell = old;
    return true;
  }
  const double *u = c->u + p->at_free + x->e * p->free;
  for (size_t i = 0; i < p->free; i++) {
    const double scale = k == 0 ? 0.0 : rt_exp(-0.5 * (double)(k % 8));
    c->s->u_new[i] = u[i] + scale * rt_draw_normal(number(c, x, 3 * (k * p->free + i) + 2));
  }
  if (!eval_point(c->w, x->site, c->s->u_new, x->lo, c->s->event, &c->jacobian[x->number])) return mh_walk_stopped(c);
  memcpy(cell, c->s->event, p->event * sizeof *cell);
  return true;
}

static bool look(mh_walk *c, const mh_element *x) {
  mh_score s;
  if (!mh_walk_score(c, x, &s)) return false;
  c->search->last = possible(&s);
  return true;
}

/* How many of the elements next to x that this sweep has visited are impossible. */
static bool conflicts(mh_walk *c, const mh_element *x, unsigned *n) {
  size_t stride = 1;
  *n = 0;
  for (uint32_t k = x->p->batch_rank; k-- > 0; stride *= (size_t)x->p->dim[k]) {
    if (c->search->back ? x->at[k] + 1 >= x->p->dim[k] : x->at[k] == 0) continue;
    if (!mh_walk_elements(c, x->site, c->search->back ? x->e + stride : x->e - stride, 1, look)) return false;
    *n += !c->search->last;
  }
  return true;
}

/* One of the values that fit best.  Numbers that are not discrete mostly stay where nothing would be better, since they are often what many elements share. */
static bool choose(mh_walk *c, const mh_element *x, exec_cell old, size_t *chosen) {
  const size_t n = values_of(x);
  double *lw = c->s->weight;
  bool any = false;
  for (size_t k = 0; k < n; k++) {
    mh_score s;
    if (!propose(c, x, k, old) || !mh_walk_score(c, x, &s)) return false;
    lw[k] = possible(&s) ? s.base + s.hot : -INFINITY;
    any |= possible(&s);
  }
  unsigned least = UINT32_MAX, m;
  for (size_t k = 0; k < n && !any; k++) {
    if (!propose(c, x, k, old) || !conflicts(c, x, &m)) return false;
    if (m < least) {
      for (size_t i = 0; i < k; i++) lw[i] = -INFINITY;
      least = m;
    }
    lw[k] = m == least ? 0.0 : -INFINITY;
  }
  *chosen = 0;
  if (!any && !x->p->discrete && lw[0] == 0.0 && rt_draw_uniform((rt_draw_addr){rt_key_fold(c->search->key, x->number), 2, 0}) < stays) return true;
  *chosen = (size_t)rt_draw_categorical_log((rt_draw_addr){rt_key_fold(c->search->key, x->number), 1, 0}, lw, (ptrdiff_t)n);
  return true;
}

static bool mend(mh_walk *c, const mh_element *x) {
  const program_site *p = x->p;
  if (c->scores >= c->search->most) return c->search->impossible++, true;
  if (p->event == 0 || !look(c, x)) return c->status == RUN_OK;
  if (!c->search->last) c->search->impossible++;
  else if (!c->search->shake) return true;
  const exec_cell old = c->frame[p->at + x->e * p->event];
  size_t k;
  if (!choose(c, x, old, &k) || !propose(c, x, k, old)) return false;
  if (c->t->m->site[x->site].point >= 0) memcpy(c->u + p->at_free + x->e * p->free, c->s->u_new, p->free * sizeof(double));
  return true;
}

static bool sweep(mh_walk *c) {
  const program *p = c->t->m->p;
  for (size_t i = 0; i < p->nsites; i++) {
    const size_t s = c->search->back ? p->nsites - 1 - i : i, n = p->site[s].batch;
    if (!c->search->back && !mh_walk_elements(c, s, 0, n, mend)) return false;
    for (size_t e = n; e-- > 0 && c->search->back;)
      if (!mh_walk_elements(c, s, e, 1, mend)) return false;
  }
  return true;
}

bool start_search(mh_walk *c, uint64_t key, bool *found) {
  const size_t least = LEAST_SWEEPS * c->t->elements, most = c->scores + (least > SCORES ? least : SCORES);
  size_t k = 0, fewest = SIZE_MAX, best = 0;
  start_state state = {0};
  c->search = &state;
  *found = false;
  bool ok = true;
  for (; k < SWEEPS && k < best + IN_VAIN && c->scores < most && ok && !*found; k++) {
    state = (start_state){.key = rt_key_fold(key, k), .back = k % 2 == 1, .shake = k % SHAKE == SHAKE - 1, .most = most};
    ok = sweep(c);
    *found = ok && state.impossible == 0;
    if (state.impossible < fewest) fewest = state.impossible, best = k;
  }
  for (size_t end = k + SETTLE; k < end && ok && *found; k++) {
    state = (start_state){.key = rt_key_fold(key, k), .shake = true, .most = SIZE_MAX};
    ok = sweep(c);
  }
  c->search = NULL;
  c->stale = true;
  return ok;
}
