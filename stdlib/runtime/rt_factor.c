/* rt_factor.c: products with the factor of a metric; see rt_factor.h. */
#include "stdlib/runtime/rt_factor.h"

static int is_finite(double x)
{
  return x - x == 0.0;
}

int rt_factor_valid(const rt_factor *f)
{
  size_t n = f->dim;
  if (f->L) {
    for (size_t i = 0; i < n * n; i++)
      if (!is_finite(f->L[i])) return 0;
    for (size_t i = 0; i < n; i++)
      if (!(f->L[i * n + i] > 0.0)) return 0;
    return 1;
  }
  for (size_t i = 0; i < n; i++)
    if (!(is_finite(f->scale[i]) && f->scale[i] > 0.0)) return 0;
  for (size_t i = 0; i < f->rank * n; i++)
    if (!is_finite(f->U[i])) return 0;
  for (size_t i = 0; i < f->rank; i++)
    if (!(is_finite(f->gain[i]) && f->gain[i] > -1.0)) return 0;
  return 1;
}

typedef double v4 __attribute__((vector_size(32), aligned(8), may_alias));

/* y = x + U' G U x, or with the inverse of I + G for I + G.  Directions are few and dimensions often too, so a row is taken once for both
 * products.  Its inner product with x has four lanes, and lane i mod 4 takes what is left. */
static void stretch(const rt_factor *f, int inverse, const double *x, double *y)
{
  size_t n = f->dim, whole = n / 4 * 4;
  for (size_t i = 0; i < n; i++) y[i] = x[i];
  for (size_t j = 0; j < f->rank; j++) {
    const double *u = f->U + j * n;
    v4 s = {0.0, 0.0, 0.0, 0.0};
    for (size_t i = 0; i < whole; i += 4) s += *(const v4 *)(u + i) * *(const v4 *)(x + i);
    for (size_t i = whole; i < n; i++) s[i - whole] += u[i] * x[i];
    double along = (s[0] + s[2]) + (s[1] + s[3]);
    along *= inverse ? -f->gain[j] / (1.0 + f->gain[j]) : f->gain[j];
    for (size_t i = 0; i < whole; i += 4) *(v4 *)(y + i) += along * *(const v4 *)(u + i);
    for (size_t i = whole; i < n; i++) y[i] += along * u[i];
  }
}

void rt_factor_times(const rt_kernels *k, const rt_factor *f, int trans, const double *x, double *y, double *scratch)
{
  ptrdiff_t n = (ptrdiff_t)f->dim;
  if (f->L) {
    k->gemv(y, f->L, x, n, n, trans);
  } else if (trans) {
    for (size_t i = 0; i < f->dim; i++) scratch[i] = f->scale[i] * x[i];
    stretch(f, 0, scratch, y);
  } else {
    stretch(f, 0, x, y);
    for (size_t i = 0; i < f->dim; i++) y[i] *= f->scale[i];
  }
}

void rt_factor_solve(const rt_kernels *k, const rt_factor *f, int trans, const double *x, double *y, double *scratch)
{
  if (f->L) {
    k->solve_lower(y, f->L, x, (ptrdiff_t)f->dim, 1, trans);
  } else if (trans) {
    stretch(f, 1, x, y);
    for (size_t i = 0; i < f->dim; i++) y[i] /= f->scale[i];
  } else {
    for (size_t i = 0; i < f->dim; i++) scratch[i] = x[i] / f->scale[i];
    stretch(f, 1, scratch, y);
  }
}

double rt_factor_flops(const rt_factor *f)
{
  double n = (double)f->dim;
  return f->L ? 4.0 * n * n : f->rank ? 8.0 * n * (double)f->rank + 4.0 * n : 0.0;
}
