/* ahead_support.c: what an object that is built ahead of time has inside besides the services (services.c): arithmetic of extents that
 * says when it overflows, checks of data, keys.
 *
 * Compiled to bitcode once for each level and linked with the runtime's own files; what a model does not use is dropped. */
#include "stdlib/runtime/rt_philox.h"

#define CG __attribute__((always_inline))

/* ---- extents: INT64_MIN is one that does not fit, and stays so */

CG int64_t ahead_add(int64_t a, int64_t b) {
  int64_t r;
  return a == INT64_MIN || b == INT64_MIN || __builtin_add_overflow(a, b, &r) ? INT64_MIN : r;
}
CG int64_t ahead_mul(int64_t a, int64_t b) {
  int64_t r;
  return a == INT64_MIN || b == INT64_MIN || __builtin_mul_overflow(a, b, &r) ? INT64_MIN : r;
}
/* Cells of memory after an array of `cells` that begins at `at`: whole lines of 8, and never none, as a failed check may read the
 * first cell.  An array of a negative number of cells does not fit. */
CG int64_t ahead_after(int64_t at, int64_t cells) {
  if (at < 0 || cells < 0 || cells > INT64_MAX / 64 || at > INT64_MAX / 64) return INT64_MIN;
  return at + (cells + 8) / 8 * 8;
}

/* ---- data: every element of an index counts from 1 to `most` */

int64_t ahead_indices(const int64_t *x, int64_t n, int64_t most) {
  int64_t inside = 1;
  for (int64_t k = 0; k < n; k++) inside &= x[k] >= 1 && x[k] <= most;
  return inside;
}

/* The key of draw number `draw` of a chain for what `purpose` names: as the drivers of vm/ make it. */
int64_t ahead_key(int64_t seed, int64_t chain, int64_t purpose, int64_t draw) {
  uint64_t key = rt_key_fold((uint64_t)seed, (uint64_t)chain);
  return (int64_t)rt_key_fold(rt_key_fold(key, (uint64_t)purpose), (uint64_t)draw);
}
