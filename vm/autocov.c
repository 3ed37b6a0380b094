/* autocov.c: direct sums for short lags, a radix-2 Fourier transform for long ones; see autocov.h. */
#include "vm/autocov.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"

#include <stdint.h>

static size_t transform_size(size_t n) {
  size_t size = 4;
  while (size < 2 * n) size *= 2;
  return size;
}

/* value [n], then the transform's data, power spectrum and roots of unity: size complex, size real, size / 2 complex. */
size_t autocov_doubles(size_t n) {
  if (n > SIZE_MAX / sizeof(double) / 32) return 0;
  return n + 4 * transform_size(n);
}

void autocov_init(autocov *a, const double *y, size_t m, size_t n, double *work) {
  *a = (autocov){.y = y, .m = m, .n = n, .value = work, .fourier = work + n, .size = transform_size(n)};
}

/* In place, z [2 * size] as re, im; root[2k], root[2k + 1] = cos, -sin of 2 pi k / size.  Decimation in frequency: input in natural order,
 * output in bit-reversed order, which the power spectrum does not mind if the way back takes it (transform_back). */
static void transform(double *z, const double *root, size_t size) {
  for (size_t half = size / 2, step = 1; half > 0; half /= 2, step *= 2)
    for (size_t block = 0; block < size; block += 2 * half)
      for (size_t k = 0; k < half; k++) {
        double *u = z + 2 * (block + k), *v = u + 2 * half;
        double c = root[2 * k * step], s = root[2 * k * step + 1];
        double dr = u[0] - v[0], di = u[1] - v[1];
        u[0] += v[0];
        u[1] += v[1];
        v[0] = dr * c - di * s;
        v[1] = dr * s + di * c;
      }
}

/* The inverse without the factor 1 / size: bit-reversed order in, natural order out. */
static void transform_back(double *z, const double *root, size_t size) {
  for (size_t half = 1, step = size / 2; half < size; half *= 2, step /= 2)
    for (size_t block = 0; block < size; block += 2 * half)
      for (size_t k = 0; k < half; k++) {
        double *u = z + 2 * (block + k), *v = u + 2 * half;
        double c = root[2 * k * step], s = -root[2 * k * step + 1];
        double vr = v[0] * c - v[1] * s, vi = v[0] * s + v[1] * c;
        v[0] = u[0] - vr;
        v[1] = u[1] - vi;
        u[0] += vr;
        u[1] += vi;
      }
}

static void fourier_all(autocov *a) {
  size_t size = a->size;
  double *z = a->fourier, *power = z + 2 * size, *root = power + size;
  for (size_t k = 0; k < size / 2; k++) {
    double angle = 6.283185307179586477 * ((double)k / (double)size);
    root[2 * k] = rt_cos(angle);
    root[2 * k + 1] = -rt_sin(angle);
  }
  for (size_t k = 0; k < size; k++) power[k] = 0.0;
  for (size_t c = 0; c < a->m; c += 2) {
    const double *x = a->y + c * a->n, *y = x + a->n;
    for (size_t i = 0; i < size; i++) {
      z[2 * i] = i < a->n ? x[i] : 0.0;
      z[2 * i + 1] = i < a->n ? y[i] : 0.0;
    }
    transform(z, root, size);
    for (size_t k = 0; k < size; k++) power[k] += z[2 * k] * z[2 * k] + z[2 * k + 1] * z[2 * k + 1];
  }
  for (size_t k = 0; k < size; k++) {
    z[2 * k] = power[k];
    z[2 * k + 1] = 0.0;
  }
  transform_back(z, root, size);
  double scale = 1.0 / ((double)size * (double)a->n * (double)a->m);
  for (size_t t = a->known; t < a->n; t++) a->value[t] = z[2 * t] * scale;
  a->known = a->n;
}

double autocov_at(autocov *a, size_t t) {
  if (t >= a->known && t >= AUTOCOV_DIRECT) {
    if (a->known < AUTOCOV_DIRECT) autocov_at(a, AUTOCOV_DIRECT - 1);
    fourier_all(a);
  }
  const rt_kernels *k = rt_kernels_for(0);
  for (; a->known <= t; a->known++) {
    double sum = 0.0;
    for (size_t c = 0; c < a->m; c++) {
      const double *y = a->y + c * a->n;
      sum += k->dot(y, 1, y + a->known, 1, (ptrdiff_t)(a->n - a->known)) / (double)a->n;
    }
    a->value[a->known] = sum / (double)a->m;
  }
  return a->value[t];
}
