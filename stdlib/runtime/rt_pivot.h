/* rt_pivot.h: why a matrix has no Cholesky factor: the pivot at which the factorisation stops. */
#ifndef AIM_RUNTIME_RT_PIVOT_H
#define AIM_RUNTIME_RT_PIVOT_H

#include <stddef.h>

/* The first row of the symmetric A [n n], of which the lower half is read, whose pivot is not above 0; n if there is none.  The pivot is what the row has on the diagonal beyond
 * the rows before it: 0, up to rounding, where it is a combination of them, and *share is the pivot over A[row][row].  t [n n] is scratch: L D of A = L D L'. */
static inline ptrdiff_t rt_pivot(const double *A, ptrdiff_t n, double *t, double *share /* OUT */) {
  for (ptrdiff_t i = 0; i < n; i++)
    for (ptrdiff_t j = 0; j <= i; j++) {
      double s = A[i * n + j];
      for (ptrdiff_t k = 0; k < j; k++) s -= t[i * n + k] * t[j * n + k] / t[k * n + k];
      t[i * n + j] = s;
      if (i != j || s > 0) continue;
      *share = s / A[i * n + i];
      return i;
    }
  return n;
}

#endif
