/* baseline_spins.c: annealing as one would write it: a loop over sites, a random number and a comparison for each. */
#include "tests/bench/baseline.h"

#include <math.h>

static inline uint64_t step(uint64_t *x) {
  *x ^= *x << 13;
  *x ^= *x >> 7;
  return *x ^= *x << 17;
}
static inline float uniform(uint64_t *x) { return (float)(step(x) >> 40) * 0x1p-24f; }

static inline int accepted(float cost, uint64_t *random) { return cost <= 0 || uniform(random) < expf(-cost); }

void baseline_spins_dense(baseline_spins *b) {
  size_t n = b->n;
  for (size_t i = 0; i < n; i++) {
    b->f[i] = 0;
    for (size_t j = 0; j < n; j++) b->f[i] += b->J[i * n + j] * b->s[j];
  }
  for (size_t t = 0; t < b->sweeps; t++) {
    float beta2 = 2 * (float)b->beta[t];
    for (size_t i = 0; i < n; i++) {
      if (!accepted(beta2 * b->s[i] * b->f[i], &b->random)) continue;
      float d = -2 * b->s[i];
      const float *row = b->J + i * n;
      b->s[i] = -b->s[i];
      for (size_t j = 0; j < n; j++) b->f[j] += d * row[j];
    }
  }
}

void baseline_spins_sparse(baseline_spins *b) {
  for (size_t i = 0; i < b->n; i++) {
    b->f[i] = 0;
    for (size_t e = b->row[i]; e < b->row[i + 1]; e++) b->f[i] += b->weight[e] * b->s[b->column[e]];
  }
  for (size_t t = 0; t < b->sweeps; t++) {
    float beta2 = 2 * (float)b->beta[t];
    for (size_t i = 0; i < b->n; i++) {
      if (!accepted(beta2 * b->s[i] * b->f[i], &b->random)) continue;
      float d = -2 * b->s[i];
      b->s[i] = -b->s[i];
      for (size_t e = b->row[i]; e < b->row[i + 1]; e++) b->f[b->column[e]] += d * b->weight[e];
    }
  }
}

void baseline_spins_torus(baseline_torus *b) {
  size_t w = b->width, h = b->height;
  float p[9];
  for (int k = 0; k < 9; k++) p[k] = k <= 4 ? 1 : expf(-2 * (float)b->beta * (float)(k - 4));
  for (size_t t = 0; t < b->sweeps; t++)
    for (size_t y = 0; y < h; y++) {
      size_t up = (y ? y - 1 : h - 1) * w, here = y * w, down = (y + 1 < h ? y + 1 : 0) * w;
      for (size_t x = 0; x < w; x++) {
        size_t left = x ? x - 1 : w - 1, right = x + 1 < w ? x + 1 : 0;
        int f = b->down[up + x] * b->s[up + x] + b->down[here + x] * b->s[down + x] + b->right[here + left] * b->s[here + left] +
                b->right[here + x] * b->s[here + right];
        if (uniform(&b->random) < p[4 + b->s[here + x] * f]) b->s[here + x] = (int8_t)-b->s[here + x];
      }
    }
}

void baseline_spins_colours(baseline_colours *b) {
  float weight[5];
  for (int k = 0; k < 5; k++) weight[k] = expf((float)b->beta * (float)k);
  for (size_t t = 0; t < b->sweeps; t++)
    for (size_t y = 0; y < b->height; y++)
      for (size_t x = 0; x < b->width; x++) {
        size_t i = y * b->width + x;
        uint8_t count[8] = {0};
        float sum[8], total = 0;
        if (y) count[b->s[i - b->width]]++;
        if (x) count[b->s[i - 1]]++;
        if (x + 1 < b->width) count[b->s[i + 1]]++;
        if (y + 1 < b->height) count[b->s[i + b->width]]++;
        for (size_t c = 0; c < b->q; c++) sum[c] = total += weight[count[c]];
        float u = uniform(&b->random) * total;
        uint8_t c = 0;
        while (c + 1u < b->q && sum[c] <= u) c++;
        b->s[i] = c;
      }
}
