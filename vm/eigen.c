/* eigen.c: the symmetric eigenvalue problem; see eigen.h. */
#include "vm/eigen.h"

#include <float.h>
#include <math.h>

enum { STEPS = 60 }; /* to an eigenvalue; two or three are usual */

/* Four sums next to each other, as one would wait for itself. */
static double dot(size_t n, const double *x, const double *y) {
  double s[4] = {0.0, 0.0, 0.0, 0.0};
  size_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (size_t j = 0; j < 4; j++) s[j] += x[i + j] * y[i + j];
  for (size_t j = 0; i < n; i++, j++) s[j] += x[i] * y[i];
  return (s[0] + s[1]) + (s[2] + s[3]);
}

/* A becomes tridiagonal: diagonal d [n], beside it e [n - 1].  Reflection k, I - v v', leaves its v [n - k - 1] behind the diagonal of row k of A; |v|^2
 * is 2, or v is 0.  p: room for n. */
static void tridiagonalise(size_t n, double *A, double *d, double *e, double *p) {
  for (size_t k = 0; k < n; k++) {
    d[k] = A[k * n + k];
    if (k + 1 == n) break;
    size_t m = n - k - 1;
    double *v = A + k * n + k + 1, norm = sqrt(dot(m, v, v));
    e[k] = v[0];
    if (m == 1) continue;
    if (dot(m - 1, v + 1, v + 1) == 0.0) {
      for (size_t i = 0; i < m; i++) v[i] = 0.0;
      continue;
    }
    /* x + sign(x_0) |x| e_0 is reflected into the axis, and has the square length 2 |x| (|x| + |x_0|). */
    e[k] = v[0] > 0.0 ? -norm : norm;
    double scale = 1.0 / sqrt(norm * (norm + fabs(v[0])));
    v[0] -= e[k];
    for (size_t i = 0; i < m; i++) v[i] *= scale;
    /* B - v w' - w v' with w = B v - (v' B v / 2) v, for the rest B of A. */
    for (size_t i = 0; i < m; i++) p[i] = dot(m, A + (k + 1 + i) * n + k + 1, v);
    double half = 0.5 * dot(m, p, v);
    for (size_t i = 0; i < m; i++) p[i] -= half * v[i];
    for (size_t i = 0; i < m; i++) {
      double *restrict row = A + (k + 1 + i) * n + k + 1, vi = v[i], pi = p[i];
      for (size_t j = 0; j < m; j++) row[j] -= vi * p[j] + pi * v[j];
    }
  }
}

/* V = H_{n-3} .. H_1 H_0, from the last reflection to the first, which leaves most of V alone. */
static void reflections_multiply(size_t n, const double *A, double *V) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) V[i * n + j] = i == j;
  for (size_t k = n > 2 ? n - 2 : 0; k-- > 0;) {
    const double *v = A + k * n + k + 1;
    size_t m = n - k - 1;
    for (size_t i = k + 1; i < n; i++) {
      double *row = V + i * n + k + 1, s = dot(m, row, v);
      for (size_t j = 0; j < m; j++) row[j] -= s * v[j];
    }
  }
}

/* The eigenvalue of [[a, b], [b, c]] that is nearer to c. */
static double wilkinson(double a, double b, double c) {
  double half = 0.5 * (a - c), root = sqrt(half * half + b * b);
  return b == 0.0 ? c : c - b * b / (half + (half < 0.0 ? -root : root));
}

/* One QR step with a shift on rows lo .. hi, as rotations of neighbours that chase the element outside the band downwards; V follows. */
static void step(size_t n, size_t lo, size_t hi, double *d, double *e, double *V) {
  double x = d[lo] - wilkinson(d[hi - 1], e[hi - 1], d[hi]), z = e[lo];
  for (size_t k = lo; k < hi; k++) {
    double r = sqrt(x * x + z * z), c = r > 0.0 ? x / r : 1.0, s = r > 0.0 ? z / r : 0.0;
    double a = d[k], b = e[k], f = d[k + 1], cross = 2.0 * c * s * b;
    if (k > lo) e[k - 1] = r;
    d[k] = c * c * a + cross + s * s * f;
    d[k + 1] = s * s * a - cross + c * c * f;
    x = e[k] = c * s * (f - a) + (c * c - s * s) * b;
    if (k + 1 < hi) {
      z = s * e[k + 1];
      e[k + 1] *= c;
    }
    double *restrict u = V + k * n, *restrict v = u + n;
    for (size_t j = 0; j < n; j++) {
      double uj = u[j], vj = v[j];
      u[j] = c * uj + s * vj;
      v[j] = c * vj - s * uj;
    }
  }
}

bool eigen_symmetric(size_t n, double *A, double *w, double *V, double *work) {
  double *e = work;
  for (size_t i = 0; i < n * n; i++)
    if (!isfinite(A[i])) return false;
  if (n == 0) return true;
  tridiagonalise(n, A, w, e, work + n);
  reflections_multiply(n, A, V);
  for (size_t hi = n - 1, steps = 0; hi > 0;) {
    size_t lo = hi;
    while (lo > 0 && fabs(e[lo - 1]) > DBL_EPSILON * (fabs(w[lo - 1]) + fabs(w[lo]))) lo--;
    if (lo == hi) {
      hi--;
      steps = 0;
      continue;
    }
    if (++steps > STEPS) return false;
    step(n, lo, hi, w, e, V);
  }
  for (size_t k = 0; k < n; k++)
    if (!isfinite(w[k])) return false;
  return true;
}
