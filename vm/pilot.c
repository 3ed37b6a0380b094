/* pilot.c: a short chain that measures what the data know; see pilot.h. */
#include "vm/pilot.h"

#include "stdlib/runtime/rt_philox.h"
#include "vm/nuts_chain.h"

#include <math.h>
#include <string.h>

/* Transitions, doublings of one, and evaluations of all.  What is measured starts anew at transition 10, 20, 40 and 80, so that the way
 * from the initial point does not count; a pilot that ends soon after falls back on the stretch before. */
enum { WARMUP = 100, DRAWS = 60, DEPTH = 6, EVALUATIONS = 4000, FIRST_RESTART = 10, LAST_RESTART = 80, LEAST_DRAWS = 10 };
static const uint64_t KEY = 0x6e6f6e63656e7472; /* of every pilot */

typedef struct pilot {
  eval_worker w;
  size_t dim;
  double *g;       /* [dim] gradient at a draw */
  double *sum[2];  /* [dim] of its squares: of this stretch, and of the one before */
  uint32_t draws[2], seen, restart;
  uint32_t evaluations;
} pilot;

static int density(void *user, size_t lanes, size_t stride, const double *q, double *lp, double *grad) {
  pilot *x = user;
  if (++x->evaluations > EVALUATIONS) return 1;
  return eval_grad(&x->w, lanes, stride, q, lp, grad) ? 0 : 1;
}

static int on_draw(void *user, uint32_t index, bool warmup, const double *q, const rt_nuts_stats *s) {
  pilot *x = user;
  (void)index, (void)warmup, (void)s;
  if (++x->seen == x->restart && x->restart <= LAST_RESTART) {
    x->restart *= 2;
    double *stretch = x->sum[0];
    x->sum[0] = x->sum[1];
    x->sum[1] = stretch;
    x->draws[1] = x->draws[0];
    x->draws[0] = 0;
    memset(x->sum[0], 0, x->dim * sizeof *x->sum[0]);
  }
  double lp;
  if (!eval_grad(&x->w, 1, 1, q, &lp, x->g)) return 1;
  for (size_t i = 0; i < x->dim; i++) x->sum[0][i] += x->g[i] * x->g[i];
  x->draws[0]++;
  return 0;
}

/* The median by rank: elements are few, or the gradient costs more than this. */
static double median(double *x, size_t n) {
  size_t lo = 0, hi = n - 1, k = (n - 1) / 2;
  while (lo < hi) { /* Hoare's selection */
    double pivot = x[lo + (hi - lo) / 2];
    size_t i = lo, j = hi;
    for (;;) {
      while (x[i] < pivot) i++;
      while (x[j] > pivot) j--;
      if (i >= j) break;
      double t = x[i];
      x[i++] = x[j];
      x[j--] = t;
    }
    if (k <= j) hi = j;
    else lo = j + 1;
  }
  return x[k];
}

bool pilot_weigh(const eval_model *m, const aim_alloc *alloc, double *weight) {
  const program *p = m->p;
  size_t chain = nuts_chain_doubles(p->dim, DEPTH, ADAPT_DIAGONAL), n = chain + 3 * p->dim;
  for (size_t k = 0; k < p->nsites; k++) weight[k] = (double)NAN;
  double *work = chain ? alloc_get(alloc, n, sizeof *work) : NULL;
  if (!work) return false;
  pilot x = {.dim = p->dim, .g = work + chain, .sum = {work + chain + p->dim, work + chain + 2 * p->dim}, .restart = FIRST_RESTART};
  bool ok = eval_worker_init(&x.w, m, 0, alloc);
  if (ok) {
    x.w.nan_sought = true; /* the run tells where */
    memset(x.sum[0], 0, p->dim * sizeof *x.sum[0]);
    nuts_options o;
    nuts_options_init(&o, KEY);
    o.warmup = WARMUP;
    o.draws = DRAWS;
    o.max_depth = DEPTH;
    nuts_target t = {.dim = p->dim, .density = density, .density_user = &x, .on_draw = on_draw, .draw_user = &x};
    nuts_result r;
    nuts_chain_run(&o, &t, work, &r);
    int of = x.draws[0] >= LEAST_DRAWS ? 0 : 1;
    for (size_t k = 0; k < p->nsites && x.draws[of] >= LEAST_DRAWS; k++) {
      const program_site *s = &p->site[k];
      if (s->site->standard && s->cells) weight[k] = median(x.sum[of] + s->at_free, s->free * s->batch) / x.draws[of] - 1;
    }
  }
  eval_worker_free(&x.w);
  alloc_put(alloc, work, n * sizeof *work);
  return ok;
}

/* The least r of a site that stays centred (pilot.h). */
static double least_weight(const program_site *s) { return 2.0 * exp(6.0 / sqrt(2.0 * (double)s->batch)); }

size_t pilot_judge(program *p, const double *weight) {
  const char **list = ARENA_ARRAY(p->mem, const char *, p->nsites + 1);
  size_t n = 0;
  for (size_t k = 0; k < p->nsites; k++)
    if (centre_is_open(&p->centring, p->site[k].site) && weight[k] >= least_weight(&p->site[k])) list[n++] = p->site[k].name;
  p->centring.measured = list;
  p->centring.nmeasured = n;
  return n;
}

void pilot_tell(program *p, const double *weight) {
  for (size_t k = 0; k < p->nsites; k++) {
    const ir_site *s = p->site[k].site;
    if (isnan(weight[k])) continue;
    const char *much = arena_printf(p->mem, "of it the data say %.*f times as much as its prior", weight[k] < 10 ? 1 : 0, weight[k] < 0 ? 0.0 : weight[k]);
    if (!s->standard) ir_remark_add(p->module, "centre", s->where, true, "%s is sampled as it is: %s", s->name, much);
    else if (s->formula) ir_remark_add(p->module, "centre", s->where, false, "%s is sampled through z, as %s: %s", s->name, s->formula, much);
    else ir_remark_add(p->module, "centre", s->where, false, "%s is sampled through a standard variate: %s", s->name, much);
  }
}
