/* eliminate_order.c: in which order variables are eliminated.
 *
 * Eliminating x joins it with its neighbours, and the table over all of them is what it costs.  Which neighbours x has when the set
 * S is gone does not depend on the order within S: they are what x reaches through S.  So the least cost of S is
 * min over x in S of cost(S - x) + table(x after S - x), a dynamic programme over sets (Bodlaender et al. 2012), which is
 * exact and used for up to EXACT variables.  More are eliminated in the greedy order that adds the fewest edges, and of equal ones
 * first that with the smallest table. */
#include "compiler/eliminate.h"

#include <math.h>
#include <string.h>

enum { EXACT = 15 };

typedef struct ordering {
  uint32_t n;
  uint32_t x[STEP_MAX_VARS];        /* the variables */
  step_set near[STEP_MAX_VARS];     /* neighbours of x[k], kept ones among them */
  const double *log_states;
} ordering;

static double table(const ordering *o, step_set s) {
  double l = 0.0;
  for (uint32_t k = 0; k < STEP_MAX_VARS; k++)
    if (s & step_bit(k)) l += o->log_states[k];
  return exp(l);
}

/* Edges that eliminating x[k] adds; near of the others is changed where `apply`. */
static uint32_t fill(ordering *o, uint32_t k, const bool *gone, bool apply) {
  uint32_t added = 0;
  for (uint32_t i = 0; i < o->n; i++) {
    if (gone[i] || i == k || !(o->near[k] & step_bit(o->x[i]))) continue;
    step_set missing = o->near[k] & ~o->near[i] & ~step_bit(o->x[i]);
    for (step_set m = missing; m; m &= m - 1) added++;
    if (apply) o->near[i] = (o->near[i] | missing) & ~step_bit(o->x[k]);
  }
  return added;
}

static void by_fill(ordering o, uint32_t *order) {
  bool gone[STEP_MAX_VARS] = {false};
  for (uint32_t step = 0; step < o.n; step++) {
    uint32_t best = o.n, least = 0;
    double smallest = 0.0;
    for (uint32_t k = 0; k < o.n; k++) {
      if (gone[k]) continue;
      uint32_t f = fill(&o, k, gone, false);
      double t = table(&o, o.near[k] | step_bit(o.x[k]));
      if (best < o.n && (f > least || (f == least && t >= smallest))) continue;
      best = k;
      least = f;
      smallest = t;
    }
    fill(&o, best, gone, true);
    gone[best] = true;
    order[step] = o.x[best];
  }
}

/* The neighbours of x[k] once the variables of the set `gone` (bits by number) are eliminated. */
static step_set reached(const ordering *o, uint32_t k, uint32_t gone) {
  step_set seen = o->near[k];
  uint32_t todo = gone, passed = 0;
  for (bool more = true; more;) {
    more = false;
    for (uint32_t i = 0; i < o->n; i++)
      if (todo & 1u << i && !(passed & 1u << i) && seen & step_bit(o->x[i])) {
        seen |= o->near[i];
        passed |= 1u << i;
        more = true;
      }
  }
  for (uint32_t i = 0; i < o->n; i++)
    if (gone & 1u << i) seen &= ~step_bit(o->x[i]);
  return seen & ~step_bit(o->x[k]);
}

static void exactly(const ordering *o, arena *mem, uint32_t *order) {
  size_t sets = (size_t)1 << o->n;
  double *cost = ARENA_ARRAY(mem, double, sets);
  uint8_t *last = ARENA_ARRAY(mem, uint8_t, sets);
  for (size_t s = 1; s < sets; s++) {
    cost[s] = (double)INFINITY;
    for (uint32_t k = 0; k < o->n; k++) {
      if (!(s & (size_t)1 << k)) continue;
      size_t before = s & ~((size_t)1 << k);
      if (cost[before] >= cost[s]) continue;
      double c = cost[before] + table(o, reached(o, k, (uint32_t)before) | step_bit(o->x[k]));
      if (c >= cost[s]) continue;
      cost[s] = c;
      last[s] = (uint8_t)k;
    }
  }
  size_t s = sets - 1;
  for (uint32_t k = o->n; k-- > 0; s &= ~((size_t)1 << last[s])) order[k] = o->x[last[s]];
}

void eliminate_order(arena *mem, uint32_t nscopes, const step_set *scopes, step_set vars, const double *log_states, uint32_t *order) {
  ordering o = {.log_states = log_states};
  for (uint32_t x = 0; x < STEP_MAX_VARS; x++) {
    if (!(vars & step_bit(x))) continue;
    step_set near = 0;
    for (uint32_t k = 0; k < nscopes; k++)
      if (scopes[k] & step_bit(x)) near |= scopes[k];
    o.x[o.n] = x;
    o.near[o.n++] = near & ~step_bit(x);
  }
  if (o.n <= EXACT) exactly(&o, mem, order);
  else by_fill(o, order);
}
