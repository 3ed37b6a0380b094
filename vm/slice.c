/* slice.c: slice sampling of one coordinate (slice.h). */
#include "vm/slice.h"

#include <math.h>

enum { MOST_SHRINKS = 300 }; /* each halves the interval or better on average, so doubles run out of digits before */

static double uniform(rt_draw_addr *at) {
  double u = rt_draw_uniform(*at);
  at->index++;
  return u;
}

/* f(d) is above the level. */
static bool above(slice_density *f, void *user, double d, double level, bool *hit) {
  double v;
  if (!f(user, d, &v)) return false;
  *hit = v >= level;
  return true;
}

bool slice_update(slice_density *f, void *user, double width, int most, rt_draw_addr *at, double *d) {
  double here;
  bool hit;
  *d = 0.0;
  if (!f(user, 0.0, &here)) return false;
  const double level = here - rt_draw_exponential(*at);
  at->index++;
  double left = -width * uniform(at), right = left + width;
  int steps_left = (int)(uniform(at) * most), steps_right = most - 1 - steps_left;
  for (; steps_left > 0; steps_left--, left -= width) {
    if (!above(f, user, left, level, &hit)) return false;
    if (!hit) break;
  }
  for (; steps_right > 0; steps_right--, right += width) {
    if (!above(f, user, right, level, &hit)) return false;
    if (!hit) break;
  }
  for (int k = 0; k < MOST_SHRINKS; k++) {
    *d = left + uniform(at) * (right - left);
    if (!above(f, user, *d, level, &hit)) return false;
    if (hit) return true;
    if (*d < 0) left = *d;
    else right = *d;
  }
  *d = 0.0; /* rounding has hidden the slice */
  return f(user, 0.0, &here);
}
