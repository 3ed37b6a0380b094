/* weighted.c: moments of weighted particles. */
#include "vm/weighted.h"

#include <math.h>

void weighted_add(weighted *s, double w, const double *reference, const double *x) {
  s->w += w;
  s->ww += w * w;
  for (size_t k = 0; k < s->n; k++) {
    /* Infinite values of both are equal, not NaN apart. */
    double d = x[k] == reference[k] ? 0.0 : x[k] - reference[k], wd = w * d;
    s->cell[k].wx += wd;
    s->cell[k].wxx += wd * d;
    s->cell[k].wwx += w * wd;
    s->cell[k].wwxx += wd * wd;
  }
}

void weighted_merge(weighted *s, const weighted *other) {
  s->w += other->w;
  s->ww += other->ww;
  for (size_t k = 0; k < s->n; k++) {
    s->cell[k].wx += other->cell[k].wx;
    s->cell[k].wxx += other->cell[k].wxx;
    s->cell[k].wwx += other->cell[k].wwx;
    s->cell[k].wwxx += other->cell[k].wwxx;
  }
}

double weighted_ess(const weighted *s) { return s->w * s->w / s->ww; }

weighted_moments weighted_get(const weighted *s, const double *reference, size_t cell) {
  const weighted_cell *c = &s->cell[cell];
  double n = weighted_ess(s), m = c->wx / s->w, var = c->wxx / s->w - m * m, error = c->wwxx - 2.0 * m * c->wwx + m * m * s->ww;
  weighted_moments out = {reference[cell] + m, NAN, NAN};
  if (!(n > 1.0)) return out;
  double factor = n / (n - 1.0);
  out.sd = sqrt((var < 0.0 ? 0.0 : var) * factor);
  out.mcse = sqrt((error < 0.0 ? 0.0 : error) * factor) / s->w;
  return out;
}
