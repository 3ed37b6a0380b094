/* rt_lbfgs.c: limited-memory BFGS as a state machine; see rt_lbfgs.h.
 *
 * The line x + t d is searched in two phases (Nocedal and Wright 2006, algorithms 3.5 and 3.6): t grows until an interval
 * must hold an acceptable point, then the interval shrinks by cubic interpolation.  lo is the end with the higher density.
 *
 * Workspace, in vectors of dim: x g d trial | RT_LBFGS_MEMORY steps | RT_LBFGS_MEMORY changes. */
#include "stdlib/runtime/rt_lbfgs.h"

#include "stdlib/runtime/rt_math.h"

/* Wolfe's constants, the rounding of a density relative to its size, evaluations of one line, and the cut of a step that left the support. */
#define ARMIJO 1e-4
#define CURVATURE 0.9
#define ROUNDING 1e-14
enum { TRIES = 40 };
#define BACK 0.1

static int finite(double x) { return x - x == 0.0; }

static double dot(const double *a, const double *b, size_t n)
{
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

size_t rt_lbfgs_doubles(size_t dim)
{
  const size_t vectors = 4 + 2 * RT_LBFGS_MEMORY;
  return dim > SIZE_MAX / sizeof(double) / vectors ? 0 : dim * vectors;
}

void rt_lbfgs_init(rt_lbfgs *s, size_t dim, double tolerance, double *work)
{
  *s = (rt_lbfgs){.dim = dim, .tolerance = tolerance};
  s->x = work;
  s->g = work + dim;
  s->d = work + 2 * dim;
  s->trial = work + 3 * dim;
  s->step = work + 4 * dim;
  s->change = s->step + RT_LBFGS_MEMORY * dim;
  s->at = s->trial;
}

int rt_lbfgs_start(rt_lbfgs *s, const double *x, double lp, const double *gradient)
{
  if (!finite(lp)) return -1;
  for (size_t i = 0; i < s->dim; i++)
    if (!finite(gradient[i])) return -1;
  for (size_t i = 0; i < s->dim; i++) s->x[i] = x[i], s->g[i] = gradient[i];
  s->lp = lp;
  s->pairs = s->oldest = 0;
  return 0;
}

/* d = H g by the two loops of algorithm 7.4. */
static void direction(rt_lbfgs *s)
{
  const size_t n = s->dim;
  double a[RT_LBFGS_MEMORY];
  for (size_t i = 0; i < n; i++) s->d[i] = s->g[i];
  for (uint32_t k = s->pairs; k-- > 0;) {
    const uint32_t p = rt_lbfgs_pair(s, k);
    const double *step = s->step + p * n, *change = s->change + p * n;
    a[p] = dot(step, s->d, n) / s->sy[p];
    for (size_t i = 0; i < n; i++) s->d[i] -= a[p] * change[i];
  }
  if (s->pairs) {
    const uint32_t p = rt_lbfgs_pair(s, s->pairs - 1);
    const double *change = s->change + p * n, scale = s->sy[p] / dot(change, change, n);
    for (size_t i = 0; i < n; i++) s->d[i] *= scale;
  }
  for (uint32_t k = 0; k < s->pairs; k++) {
    const uint32_t p = rt_lbfgs_pair(s, k);
    const double *step = s->step + p * n, *change = s->change + p * n;
    const double b = dot(change, s->d, n) / s->sy[p];
    for (size_t i = 0; i < n; i++) s->d[i] += (a[p] - b) * step[i];
  }
}

static rt_lbfgs_status try(rt_lbfgs *s, double t)
{
  s->t = t;
  for (size_t i = 0; i < s->dim; i++) s->trial[i] = s->x[i] + t * s->d[i];
  return RT_LBFGS_EVAL;
}

rt_lbfgs_status rt_lbfgs_search(rt_lbfgs *s)
{
  const double size = rt_sqrt(dot(s->g, s->g, s->dim));
  direction(s);
  s->slope = dot(s->g, s->d, s->dim);
  if (s->pairs && !(s->slope > 0.0)) { /* rounding has spoilt the pairs */
    s->pairs = 0;
    direction(s);
    s->slope = size * size;
  }
  s->gain = 0.5 * s->slope;
  if (!(s->gain > s->tolerance)) return RT_LBFGS_CONVERGED;
  s->tried = 0;
  s->zooming = 0;
  s->lo = 0.0;
  s->lp_lo = s->lp;
  s->slope_lo = s->slope;
  /* Along the plain gradient a step has no scale of its own: at first it goes one unit far, or less. */
  return try(s, s->pairs || size <= 1.0 ? 1.0 : 1.0 / size);
}

/* Where the cubic through both ends has its maximum, kept away from the ends. */
static double interpolate(const rt_lbfgs *s)
{
  const double width = s->hi - s->lo;
  double t = s->lo + 0.5 * width;
  if (finite(s->lp_hi)) {
    const double a = -s->slope_lo - s->slope_hi + 3.0 * (s->lp_hi - s->lp_lo) / width, q = a * a - s->slope_lo * s->slope_hi;
    if (q >= 0.0) {
      const double root = width > 0.0 ? rt_sqrt(q) : -rt_sqrt(q), down = -s->slope_hi + s->slope_lo + 2.0 * root;
      const double at = s->hi - width * (-s->slope_hi + root - a) / down;
      if (finite(at)) t = at;
    }
  } else {
    t = s->lo + BACK * width;
  }
  const double least = s->lo + 0.05 * width, most = s->lo + 0.95 * width, low = rt_min(least, most), high = rt_max(least, most);
  return rt_min(rt_max(t, low), high);
}

/* Takes the trial point as the new iterate. */
static rt_lbfgs_status accept(rt_lbfgs *s, double lp, const double *gradient)
{
  const size_t n = s->dim;
  const uint32_t p = s->pairs < RT_LBFGS_MEMORY ? rt_lbfgs_pair(s, s->pairs) : s->oldest;
  double *step = s->step + p * n, *change = s->change + p * n, sy = 0.0, yy = 0.0;
  for (size_t i = 0; i < n; i++) {
    step[i] = s->trial[i] - s->x[i];
    change[i] = s->g[i] - gradient[i];
    sy += step[i] * change[i];
    yy += change[i] * change[i];
    s->x[i] = s->trial[i];
    s->g[i] = gradient[i];
  }
  if (sy > 1e-12 * yy) {
    s->sy[p] = sy;
    if (s->pairs < RT_LBFGS_MEMORY) s->pairs++;
    else s->oldest = (s->oldest + 1) % RT_LBFGS_MEMORY;
  } else if (s->pairs == RT_LBFGS_MEMORY) { /* its row was overwritten */
    s->pairs--;
    s->oldest = (s->oldest + 1) % RT_LBFGS_MEMORY;
  }
  s->lp = lp;
  s->iterations++;
  return RT_LBFGS_STEP;
}

static void move_high(rt_lbfgs *s, double t, double lp, double slope)
{
  s->hi = t;
  s->lp_hi = lp;
  s->slope_hi = slope;
}

static void move_low(rt_lbfgs *s, double t, double lp, double slope)
{
  s->lo = t;
  s->lp_lo = lp;
  s->slope_lo = slope;
}

/* No acceptable point: the search starts anew from the iterate, along the gradient. */
static rt_lbfgs_status give_up(rt_lbfgs *s)
{
  if (s->pairs == 0) return RT_LBFGS_STUCK;
  s->pairs = 0;
  return rt_lbfgs_search(s) == RT_LBFGS_EVAL ? RT_LBFGS_EVAL : RT_LBFGS_STUCK;
}

rt_lbfgs_status rt_lbfgs_advance(rt_lbfgs *s, double lp, const double *gradient)
{
  double slope = 0.0;
  int usable = finite(lp);
  s->evaluations++;
  s->tried++;
  if (usable) {
    slope = dot(gradient, s->d, s->dim);
    usable = finite(slope);
  }
  if (!usable) lp = -__builtin_inf();
  if (usable) {
    const double rounding = ROUNDING * rt_max(1.0, rt_abs(s->lp));
    const int wolfe = lp >= s->lp + ARMIJO * s->t * s->slope && rt_abs(slope) <= CURVATURE * s->slope;
    const int near = lp >= s->lp - rounding && rt_abs(slope) <= 0.8 * s->slope && s->t * s->slope <= 1e3 * rounding;
    if (wolfe || near) return accept(s, lp, gradient);
  }
  if (s->tried == TRIES) {
    /* What was reached is not ideal, but better. */
    if (usable && lp > s->lp) return accept(s, lp, gradient);
    return give_up(s);
  }
  if (!s->zooming) {
    if (usable && lp >= s->lp + ARMIJO * s->t * s->slope && lp >= s->lp_lo && slope > 0.0) {
      move_low(s, s->t, lp, slope);
      return try(s, 2.5 * s->t);
    }
    s->zooming = 1;
    if (usable && lp >= s->lp + ARMIJO * s->t * s->slope && lp >= s->lp_lo) { /* past the maximum, and higher */
      move_high(s, s->lo, s->lp_lo, s->slope_lo);
      move_low(s, s->t, lp, slope);
    } else {
      move_high(s, s->t, lp, slope);
    }
  } else if (!usable || lp < s->lp + ARMIJO * s->t * s->slope || lp <= s->lp_lo) {
    move_high(s, s->t, lp, slope);
  } else {
    if (slope * (s->hi - s->lo) <= 0.0) move_high(s, s->lo, s->lp_lo, s->slope_lo);
    move_low(s, s->t, lp, slope);
  }
  const double t = interpolate(s);
  if (t == s->lo || t == s->hi) return give_up(s);
  return try(s, t);
}
