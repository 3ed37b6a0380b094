/* ascend.c: one maximisation; see ascend.h. */
#include "vm/ascend.h"

#include "vm/initial.h"

#include <math.h>

enum { INIT_TRIES = 100 };

size_t ascent_doubles(size_t dim) {
  size_t kernel = rt_lbfgs_doubles(dim);
  return kernel && dim <= SIZE_MAX / sizeof(double) / 64 ? kernel + 2 * dim : 0;
}

/* What a search that found nothing better leaves to gain is rounding, or it is not. */
static ascent_status stuck(const rt_lbfgs *s) {
  return s->gain <= fmax(100 * s->tolerance, 1e-11 * fabs(s->lp)) ? ASCENT_CONVERGED : ASCENT_LIMIT;
}

static ascent_status start(const ascent_options *o, const ascent_target *t, double *q, double *g, rt_lbfgs *s) {
  uint32_t tries = o->init_radius == 0.0 ? 1 : INIT_TRIES;
  for (uint32_t k = 0; k < tries; k++) {
    double lp = NAN;
    initial_point(o->key, k, o->init_radius, t->dim, q);
    if (t->density(t->density_user, 1, 1, q, &lp, g)) return ASCENT_E_DENSITY;
    if (rt_lbfgs_start(s, q, lp, g) == 0) return ASCENT_CONVERGED;
  }
  return ASCENT_E_INIT;
}

ascent_status ascend(const ascent_options *o, const ascent_target *t, double *work, rt_lbfgs *s) {
  double *q = work, *g = work + t->dim;
  rt_lbfgs_init(s, t->dim, o->tolerance, work + 2 * t->dim);
  ascent_status st = start(o, t, q, g, s);
  if (st != ASCENT_CONVERGED) return st;
  for (;;) {
    if (t->on_step && t->on_step(t->step_user, s)) return ASCENT_STOPPED;
    if (s->iterations == o->iterations) return ASCENT_LIMIT;
    rt_lbfgs_status want = rt_lbfgs_search(s);
    while (want == RT_LBFGS_EVAL) {
      double lp = NAN;
      if (t->density(t->density_user, 1, 1, s->at, &lp, g)) return ASCENT_E_DENSITY;
      want = rt_lbfgs_advance(s, lp, g);
    }
    if (want == RT_LBFGS_CONVERGED) return ASCENT_CONVERGED;
    if (want == RT_LBFGS_STUCK) return stuck(s);
  }
}
