/* factor_apart.c: positions of a dimension as variables of their own (factors.h).
 *
 * A variable along a dimension from which a positions are taken at its beginning and b at its end becomes a + b + 1: one for each of these positions,
 * without the axis, and one for what is left, along a dimension that is as much shorter.  A loop that a factor's positions move with
 * is cut likewise: iterations that read what was taken apart stand for themselves.  All variables of the dimension are cut alike, so that they stay
 * side by side. */
#include "compiler/factors.h"

#include <string.h>

static int64_t number(factor_graph *g, ir_size s, span where) {
  int64_t n;
  if (!size_value(g->m->sizes, s, &n)) factors_refuse(g, where, "a position that is only known with data");
  return n;
}

/* What is to be done in dimension d. */
typedef struct apart {
  factor_graph *g;
  uint32_t d;
  int64_t length, front, back; /* of the dimension; positions that are taken */
  factor_var old[FACTOR_MAX_VARS];
  uint32_t taken[FACTOR_MAX_VARS]; /* by old number: the variable of the first position that is taken; others follow */
  uint32_t rest[FACTOR_MAX_VARS];  /* what is left */
} apart;

static bool is_taken(const apart *x, int64_t at) { return at < x->front || at >= x->length - x->back; }

/* The variable of a position that is taken. */
static uint32_t var_at(const apart *x, uint32_t old, int64_t at) {
  return x->taken[old] + (uint32_t)(at < x->front ? at : x->front + at - (x->length - x->back));
}

static factor_var *add_var(apart *x, uint32_t v) {
  factor_graph *g = x->g;
  if (g->nvars == FACTOR_MAX_VARS) factors_refuse(g, x->old[v].site->where, "more than %d elements of finite unknowns are tied together", FACTOR_MAX_VARS);
  g->var[g->nvars] = x->old[v];
  return &g->var[g->nvars++];
}

static void cut_vars(apart *x) {
  factor_graph *g = x->g;
  const uint32_t n = g->nvars;
  size_table *t = g->m->sizes;
  ir_size extent = g->dim[x->d].extent, offset = g->dim[x->d].offset;
  memcpy(x->old, g->var, sizeof x->old);
  g->nvars = 0;
  for (uint32_t v = 0; v < n; v++) {
    bool along = x->old[v].dims >> x->d & 1;
    x->rest[v] = g->nvars;
    if (!along || x->front + x->back < x->length) add_var(x, v);
    x->taken[v] = g->nvars;
    for (int64_t k = 0; along && k < x->front + x->back; k++) {
      factor_var *y = add_var(x, v);
      y->dims &= ~(1u << x->d);
      ir_size at = size_add(t, offset, k < x->front ? size_const(t, k) : size_add(t, extent, size_const(t, k - x->front - x->back)));
      for (uint32_t a = 0; a < y->site->type.rank; a++)
        if (y->dim[a] == x->d && factor_axis_open(&x->old[v], a)) y->at[a] = at;
    }
  }
  if (x->front + x->back >= x->length) return;
  g->dim[x->d].extent = size_sub(t, extent, size_const(t, x->front + x->back));
  g->dim[x->d].offset = size_add(t, offset, size_const(t, x->front));
}

/* Iterations of a loop: one, or those that read only what is left. */
typedef struct part {
  ir_size first, count;
  bool fixed;
  int64_t at; /* the number of first */
} part;

typedef struct parts {
  uint32_t loop, n;
  part *of;
} parts;

/* Position k of a loop, counted from its first iteration, as a size. */
static ir_size iteration(const factor_graph *g, const factor_loop *l, int64_t k) { return size_add(g->m->sizes, l->first, factor_near(g, k, l->extent)); }

static bool moves(const apart *x, const factor_ref *r, uint32_t axis, uint32_t loop) {
  const factor_var *v = &x->old[r->var];
  return v->dim[axis] == x->d && factor_axis_open(v, axis) && r->pos[axis].loop == (int)loop;
}

/* The parts of loop l; none if nothing along d moves with it. */
static parts parts_of(const apart *x, const factor *f, uint32_t l) {
  factor_graph *g = x->g;
  const factor_loop *loop = &f->loop[l];
  parts p = {.loop = l};
  bool any = false;
  int64_t from = 0, to = 0;
  for (uint32_t r = 0; r < f->nrefs; r++)
    for (uint32_t a = 0; a < x->old[f->ref[r].var].site->type.rank; a++) {
      if (!moves(x, &f->ref[r], a, l)) continue;
      int64_t at = number(g, f->ref[r].pos[a].at, f->op->where), lo = x->front - at, hi = x->length - x->back - at;
      from = !any || lo > from ? lo : from;
      to = !any || hi < to ? hi : to;
      any = true;
    }
  if (!any) return p;
  const int64_t first = number(g, loop->first, f->op->where), n = number(g, loop->extent, f->op->where), end = first + (n > 0 ? n : 0);
  if (from < first) from = first;
  if (to > end) to = end;
  if (to < from) to = from = end;
  const int64_t single = from - first + (end - to);
  if (single > 4 * FACTOR_MAX_VARS) factors_refuse(g, f->op->where, "this ties elements of `%s` together that are any distance apart", x->old[f->ref[0].var].site->name);
  p.of = ARENA_ARRAY(g->m->mem, part, (size_t)single + 1);
  for (int64_t i = first; i < end; i++) {
    if (i == from && to > from) {
      p.of[p.n++] = (part){iteration(g, loop, i - first), size_sub(g->m->sizes, iteration(g, loop, to - first), iteration(g, loop, i - first)), false, i};
      i = to - 1;
    } else {
      p.of[p.n++] = (part){iteration(g, loop, i - first), size_const(g->m->sizes, 1), true, i};
    }
  }
  return p;
}

static void set_part(factor *f, uint32_t l, const part *p) {
  if (p->fixed) {
    f->loop[l].fixed = p->first;
  } else {
    f->loop[l].first = p->first;
    f->loop[l].extent = p->count;
  }
}

/* f in the given parts of the loops that move. */
static void place_refs(const apart *x, factor *f, const part *const *at) {
  factor_graph *g = x->g;
  size_table *t = g->m->sizes;
  for (uint32_t r = 0; r < f->nrefs; r++) {
    factor_ref *ref = &f->ref[r];
    const uint32_t old = ref->var;
    const factor_var *v = &x->old[old];
    ref->var = x->rest[old];
    for (uint32_t a = 0; a < v->site->type.rank; a++) {
      if (v->dim[a] != x->d || !factor_axis_open(v, a)) continue;
      factor_pos *p = &ref->pos[a];
      const part *in = p->loop >= 0 ? at[p->loop] : NULL;
      if (in && in->fixed) *p = (factor_pos){-1, 0, size_add(t, p->at, in->first)};
      int64_t where = number(g, p->at, f->op->where) + (p->loop >= 0 ? in->at : 0);
      if (where < 0 || where >= x->length) factors_refuse(g, f->op->where, "`%s` is read where it has no element", v->site->name);
      if (is_taken(x, where)) ref->var = var_at(x, old, where);
      else p->at = size_sub(t, p->at, size_const(t, x->front));
    }
  }
}

static void cut_factor(const apart *x, const factor *f) {
  factor_graph *g = x->g;
  parts loop[FACTOR_MAX_LOOPS];
  uint32_t n = 0, now[FACTOR_MAX_LOOPS] = {0};
  for (uint32_t l = 0; l < f->nloops; l++) {
    loop[n] = parts_of(x, f, l);
    if (!loop[n].of) continue;
    if (!loop[n].n) return; /* the loop has no iterations */
    n++;
  }
  for (bool more = true; more;) {
    factor y = *f;
    const part *at[FACTOR_MAX_LOOPS] = {NULL};
    for (uint32_t k = 0; k < n; k++) {
      at[loop[k].loop] = &loop[k].of[now[k]];
      set_part(&y, loop[k].loop, at[loop[k].loop]);
    }
    place_refs(x, &y, at);
    ARENA_PUSH(g->m->mem, g->factor, g->nfactors, g->cap_factors, y);
    more = false;
    for (uint32_t k = n; k-- > 0 && !more;) {
      more = ++now[k] < loop[k].n;
      if (!more) now[k] = 0;
    }
  }
}

static void take(factor_graph *g, uint32_t d, int64_t front, int64_t back) {
  apart *x = ARENA_NEW(g->m->mem, apart);
  *x = (apart){.g = g, .d = d, .front = front, .back = back, .length = number(g, g->dim[d].extent, g->var[0].site->where)};
  const factor *list = g->factor;
  const size_t n = g->nfactors;
  cut_vars(x);
  g->factor = NULL;
  g->nfactors = g->cap_factors = 0;
  for (size_t k = 0; k < n; k++) cut_factor(x, &list[k]);
}

void factor_spread(factor_graph *g, uint32_t d) { take(g, d, number(g, g->dim[d].extent, g->var[0].site->where), 0); }

/* ---- what factors need at the ends */

/* How far a factor's moving positions lie apart in d; 0 where none move. */
static int64_t moving_lag(const factor_graph *g, const factor *f, uint32_t d) {
  bool any = false;
  int64_t least = 0, most = 0, at;
  for (uint32_t r = 0; r < f->nrefs; r++) {
    const factor_var *v = &g->var[f->ref[r].var];
    for (uint32_t a = 0; a < v->site->type.rank; a++) {
      if (v->dim[a] != d || !factor_axis_open(v, a) || f->ref[r].pos[a].loop < 0 || !size_value(g->m->sizes, f->ref[r].pos[a].at, &at)) continue;
      least = !any || at < least ? at : least;
      most = !any || at > most ? at : most;
      any = true;
    }
  }
  return most - least;
}

/* Whether positions that do not move are further apart than `lag`, or stand beside some that do, front and back being taken. */
static bool far_apart(const factor_graph *g, const factor *f, uint32_t d, int64_t lag, int64_t from, int64_t to) {
  bool moving = false, fixed = false;
  int64_t least = 0, most = 0;
  for (uint32_t r = 0; r < f->nrefs; r++) {
    const factor_var *v = &g->var[f->ref[r].var];
    for (uint32_t a = 0; a < v->site->type.rank; a++) {
      int64_t at;
      if (v->dim[a] != d || !factor_axis_open(v, a)) continue;
      if (f->ref[r].pos[a].loop >= 0) {
        moving = true;
      } else if (size_value(g->m->sizes, f->ref[r].pos[a].at, &at) && at >= from && at < to) {
        least = !fixed || at < least ? at : least;
        most = !fixed || at > most ? at : most;
        fixed = true;
      }
    }
  }
  return fixed && (moving || most - least > lag);
}

/* As few as may be, so that what is left is a chain of the memory that its moving factors ask for, or where there are none of as much as there may be. */
void factor_take_apart(factor_graph *g, uint32_t d) {
  int64_t length, lag = 0;
  if (!size_value(g->m->sizes, g->dim[d].extent, &length)) return;
  for (size_t k = 0; k < g->nfactors; k++) {
    int64_t own = moving_lag(g, &g->factor[k], d);
    if (own > lag) lag = own;
  }
  if (lag == 0) lag = FACTOR_MAX_LAG;
  for (int64_t n = 0; n <= FACTOR_MAX_APART && n < length; n++)
    for (int64_t back = 0; back <= n; back++) {
      bool far = false;
      for (size_t k = 0; k < g->nfactors && !far; k++) far = far_apart(g, &g->factor[k], d, lag, n - back, length - back);
      if (far) continue;
      if (n > 0) take(g, d, n - back, back);
      return;
    }
}
