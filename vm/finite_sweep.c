/* finite_sweep.c: classes of finite elements, and their draws (finite_sweep.h). */
#include "vm/finite_sweep.h"

#include "compiler/derive.h"
#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_sample.h"
#include "vm/conditional.h"

#include <math.h>
#include <string.h>

/* Integers between bounds are weighed when they are not more than a slice and its steps would look at a few times. */
enum { MOST_INTEGERS = 32 };

void finite_order_make(finite_order *x, const eval_model *m, size_t site, arena *mem) {
  const program_site *p = &m->p->site[site];
  const size_t most = p->site->support == IR_SUP_FINITE ? MH_MOST_STATES : MOST_INTEGERS;
  *x = (finite_order){.weighed = m->site[site].weights >= 0 && p->states >= 1 && p->states <= most};
  if (!x->weighed) return;
  x->classes = p->batch;
  if (p->apart || p->batch_rank == 0) {
    size_t *start = ARENA_ARRAY(mem, size_t, 2);
    start[1] = p->batch;
    x->start = start;
    x->classes = 1;
  }
  if (!p->listed) return;
  int64_t *list = ARENA_ARRAY(mem, int64_t, p->batch);
  for (size_t e = 0; e < p->batch; e++) list[e] = (int64_t)e;
  x->list = list;
}

/* ---- colours */

bool finite_order_colour(finite_order *x, eval_worker *w, size_t site, arena *mem) {
  const program_site *p = &w->m->p->site[site];
  if (!x->weighed || x->start || w->m->site[site].conflicts < 0) return true;
  exec_cell *frame = ARENA_ARRAY(mem, exec_cell, w->m->p->cells), *mark = frame + p->at;
  int64_t *list = ARENA_ARRAY(mem, int64_t, p->batch);
  bool *done = ARENA_ARRAY(mem, bool, p->batch);
  size_t *start = ARENA_ARRAY(mem, size_t, p->batch + 1), n = 0, classes = 0;
  eval_frame_set(w, frame);
  while (n < p->batch && classes < FINITE_MOST_COLOURS) {
    int64_t at[IR_MAX_RANK] = {0};
    memset(mark, 0, p->cells * sizeof *mark);
    for (size_t e = 0; e < p->batch; e++) {
      bool any = done[e];
      if (!any && !eval_conflicts(w, site, at, &any)) return false;
      if (!any) {
        mark[e].integer = 1;
        done[e] = true;
        list[n++] = (int64_t)e;
      }
      for (uint32_t k = p->batch_rank; k-- > 0; at[k] = 0)
        if (++at[k] < p->dim[k]) break;
    }
    start[++classes] = n;
  }
  for (size_t e = 0; e < p->batch; e++) {
    if (done[e]) continue;
    list[n++] = (int64_t)e;
    start[++classes] = n;
  }
  *x = (finite_order){.weighed = true, .list = list, .start = start, .classes = classes};
  return true;
}

/* ---- draws */

/* What it would be among others, without their company.  True if there was a NaN. */
static bool draw_alone(mh_walk *c, size_t site, size_t e, double *lw, size_t ld, int64_t *value) {
  const program_site *p = &c->t->m->p->site[site];
  bool nan = false;
  for (size_t k = 0; k < p->states; k++) {
    const double v = lw[k * ld];
    nan |= isnan(v);
    lw[k] = v < INFINITY ? v : -INFINITY;
  }
  const int64_t k = rt_draw_choice((rt_draw_addr){c->sweep_key, (uint32_t)(3 * site), e}, lw, (ptrdiff_t)p->states);
  if (k >= 0) value[e] = p->first_state + p->state_step * k;
  return nan;
}

static bool draw_piece(mh_walk *c, size_t site, const int64_t *list, size_t first, size_t n) {
  const program_site *p = &c->t->m->p->site[site];
  const size_t ld = p->piece;
  const rt_choices how = {(ptrdiff_t)p->states, (ptrdiff_t)ld, c->sweep_key, (uint32_t)(3 * site), list ? list + first : NULL, (int64_t)first, p->first_state, p->state_step};
  double *lw = c->s->weight;
  int64_t *value = &c->frame[p->at].integer, before[DERIVE_WEIGHED];
  if (!eval_weights(c->w, site, list, first, n, lw)) return mh_walk_stopped(c);
  c->scores += n * p->states;
  for (size_t k = 0; k < n && c->changed; k++) before[k] = value[list ? (size_t)list[first + k] : first + k];
  const bool nan = n == 1 ? draw_alone(c, site, list ? (size_t)list[first] : first, lw, ld, value) : c->t->kernels->choose(value, lw, (ptrdiff_t)n, &how);
  if (__builtin_expect(nan, 0)) eval_weights_nan(c->w, site);
  for (size_t k = 0; k < n && c->changed; k++) {
    const size_t e = list ? (size_t)list[first + k] : first + k;
    if (value[e] != before[k]) c->changed[c->n_changed++] = p->at + e;
  }
  return true;
}

/* The end of the class that the place is in. */
static size_t class_end(const finite_order *x, size_t at) {
  if (!x->start) return at + 1;
  size_t lo = 0, hi = x->classes; /* start[lo] <= at < start[hi] */
  while (hi - lo > 1) {
    const size_t mid = lo + (hi - lo) / 2;
    *(x->start[mid] <= at ? &lo : &hi) = mid;
  }
  return x->start[hi];
}

bool finite_sweep(mh_walk *c, size_t site, size_t first, size_t n) {
  const finite_order *x = &c->t->finite[site];
  c->accept += (double)n;
  for (size_t end = first + n, to; first < end; first = to) {
    to = class_end(x, first);
    if (to > end) to = end;
    if (to - first > c->t->m->p->site[site].piece) to = first + c->t->m->p->site[site].piece;
    if (!draw_piece(c, site, x->list, first, to - first)) return false;
  }
  return true;
}

bool finite_draw(mh_walk *c, size_t site, const int64_t *list, size_t n) {
  c->accept += (double)n;
  for (size_t first = 0, to; first < n; first = to) {
    to = n - first > DERIVE_WEIGHED ? first + DERIVE_WEIGHED : n;
    if (!draw_piece(c, site, list, first, to - first)) return false;
  }
  return true;
}
