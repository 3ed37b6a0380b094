/* run_until.c: whether chains have said enough: the conditions of `until` (compiler/until.h).
 *
 * They are asked of the first `pause` draws of each chain, however many there are, so the answer is the same for a run that was interrupted.  A quantity that
 * fails is asked first the next time: most checks end with it. */
#include "vm/run.h"

#include "vm/diagnose.h"

#include <math.h>
#include <string.h>

typedef struct check {
  const run *r;
  double *x, *work; /* [chains][pause]; for diagnose.h */
  size_t hard;      /* the column that failed last */
} check;

/* Constant ones have nothing to say. */
static bool holds(const check *c, size_t column, until_op op, double limit) {
  const run *r = c->r;
  const size_t n = (size_t)r->pause;
  for (int64_t k = 0; k < r->o.chains; k++) draws_series(r->store, (int)k, column, n, c->x + (size_t)k * n);
  const diagnose_draws d = {.x = c->x, .chains = (size_t)r->o.chains, .draws = n, .chain_stride = n, .draw_stride = 1};
  diagnose_summary s;
  const diagnose_fault fault = diagnose_summarise(&d, c->work, &s);
  if (fault != DIAGNOSE_OK) return fault == DIAGNOSE_CONSTANT;
  switch (op) {
  case UNTIL_ESS: return s.ess_bulk >= limit && (isnan(s.ess_tail) || s.ess_tail >= limit);
  case UNTIL_RHAT: return s.rhat <= limit;
  default: return s.mcse_mean <= limit * s.sd;
  }
}

/* Latents and what is tracked; predictions are drawn anew for each draw. */
static bool is_asked(const run *r, size_t column) {
  const program *p = r->m->p;
  size_t q = draws_quantity_of(r->store, column);
  for (size_t k = 0; k < p->nsites + p->noutputs; k++)
    if (r->kept[k] && q-- == 0) return k < p->nsites || p->output[k - p->nsites].tracked;
  return false;
}

static bool all_hold(check *c, until_op op, double limit) {
  const size_t n = draws_columns(c->r->store);
  if (c->hard < n && !holds(c, c->hard, op, limit)) return false;
  for (size_t k = 0; k < n; k++)
    if (is_asked(c->r, k) && !holds(c, k, op, limit)) {
      c->hard = k;
      return false;
    }
  return true;
}

run_status run_until(run *r, bool *met) {
  const size_t chains = (size_t)r->o.chains, n = (size_t)r->pause, doubles = diagnose_doubles(chains, n);
  double *x = doubles ? alloc_get(r->alloc, chains * n, sizeof *x) : NULL, *work = doubles ? alloc_get(r->alloc, doubles, sizeof *work) : NULL;
  bool holds_here[UNTIL_MOST];
  size_t at = 0;
  check c = {.r = r, .x = x, .work = work, .hard = r->until_hard};
  for (size_t k = 0; k < r->o.until.n && x && work; k++) {
    const until_op op = r->o.until.step[k].op;
    if (op == UNTIL_AND || op == UNTIL_OR) {
      at--;
      holds_here[at - 1] = op == UNTIL_AND ? holds_here[at - 1] && holds_here[at] : holds_here[at - 1] || holds_here[at];
    } else holds_here[at++] = all_hold(&c, op, r->o.until.step[k].x);
  }
  r->until_hard = c.hard;
  alloc_put(r->alloc, x, chains * n * sizeof *x);
  alloc_put(r->alloc, work, doubles * sizeof *work);
  if (!x || !work) return RUN_E_MEMORY;
  *met = holds_here[0];
  return RUN_OK;
}
