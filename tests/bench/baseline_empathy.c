/* baseline_empathy.c: agents made of spins as one would write them: an anneal that keeps its fields, and emotions by a loop over pairs. */
#include "tests/bench/baseline.h"

#include <math.h>
#include <string.h>

static inline uint64_t step(uint64_t *x) {
  *x ^= *x << 13;
  *x ^= *x >> 7;
  return *x ^= *x << 17;
}

static double energy_of(const double *J, const double *h, const double *s, size_t n) {
  double e = 0;
  for (size_t i = 0; i < n; i++) {
    double f = 0;
    for (size_t j = i + 1; j < n; j++) f += J[i * n + j] * s[j];
    e -= s[i] * (f + h[i]);
  }
  return e;
}

double baseline_predict(baseline_agent *a) {
  const size_t n = a->n;
  double s[64], f[64];
  for (size_t i = 0; i < n; i++) s[i] = step(&a->random) >> 63 ? 1 : -1;
  for (size_t i = 0; i < n; i++) {
    f[i] = a->h[i];
    for (size_t j = 0; j < n; j++) f[i] += (i != j) * a->J[i * n + j] * s[j];
  }
  for (size_t k = 0; k < a->sweeps; k++) {
    const double beta2 = 0.2 * exp(10.0 * (double)k / (double)a->sweeps);
    for (size_t p = 0; p < a->proposals; p++) {
      const uint64_t x = step(&a->random);
      const size_t i = (size_t)(((x & 0xffffffff) * n) >> 32);
      const double cost = beta2 * s[i] * f[i];
      if (cost > 0 && (double)(x >> 40) * 0x1p-24 >= exp(-cost)) continue;
      const double d = -2 * s[i];
      s[i] = -s[i];
      for (size_t j = 0; j < n; j++) f[j] += (i != j) * d * a->J[i * n + j];
    }
  }
  return energy_of(a->J, a->h, s, n);
}

void baseline_emotions(const double *J, const double *h, const double *s, size_t count, size_t n, double *out) {
  for (size_t k = 0; k < count; k++, s += n) {
    double e = 0, m = 0, pairs = 0, frustrated = 0;
    for (size_t i = 0; i < n; i++) {
      m += s[i];
      e -= h[i] * s[i];
      for (size_t j = i + 1; j < n; j++) {
        const double x = J[i * n + j] * s[i] * s[j];
        e -= x;
        frustrated += x < 0;
        pairs += J[i * n + j] != 0;
      }
    }
    m = fabs(m) / (double)n;
    out[4 * k] = -tanh(e / (double)n);
    out[4 * k + 1] = 1 - m;
    out[4 * k + 2] = frustrated / (pairs > 1 ? pairs : 1);
    out[4 * k + 3] = m;
  }
}
