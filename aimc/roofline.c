/* roofline.c: loops that keep the arithmetic units, and the memory, busy (roofline.h).  Compiled with -O3, which makes vectors of them. */
#include "aimc/roofline.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define BEST_LEVEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define BEST_LEVEL
#endif

double processor_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { LANES = 8, CHAINS = 12, TRIES = 7 };
#define RUN_SECONDS 3e-3

typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef uint64_t words __attribute__((vector_size(LANES * sizeof(uint64_t))));

static inline __attribute__((always_inline)) void step(lanes *x) {
  for (int l = 0; l < LANES; l++) (*x)[l] = __builtin_fma((*x)[l], 0.999, 0.5);
}

/* CHAINS independent vectors: enough for every unit at its latency, and few enough for registers. */
BEST_LEVEL static double multiply_add(long n) {
  lanes x[CHAINS];
  double s = 0;
  for (int k = 0; k < CHAINS; k++)
    for (int l = 0; l < LANES; l++) x[k][l] = 1e-3 * (k + l);
  for (long i = 0; i < n; i++)
    for (int k = 0; k < CHAINS; k++) step(&x[k]);
  for (int k = 0; k < CHAINS; k++)
    for (int l = 0; l < LANES; l++) s += x[k][l];
  return s;
}

BEST_LEVEL static uint64_t read_all(const uint64_t *x, size_t n) {
  words a = {0}, b = a, c = a, d = a;
  uint64_t s = 0;
  for (size_t k = 0; k + 4 * LANES <= n; k += 4 * LANES) {
    a += *(const words *)(const void *)(x + k), b += *(const words *)(const void *)(x + k + LANES);
    c += *(const words *)(const void *)(x + k + 2 * LANES), d += *(const words *)(const void *)(x + k + 3 * LANES);
  }
  a += b, c += d, a += c;
  for (int l = 0; l < LANES; l++) s += a[l];
  return s;
}

static volatile double kept;

double roofline_flops(void) {
  long n = 1000;
  double best = 0;
  for (int k = 0; k < TRIES;) {
    double began = processor_seconds();
    kept = multiply_add(n);
    double t = processor_seconds() - began;
    if (t < RUN_SECONDS && n < 1L << 32) {
      n *= 2;
      continue;
    }
    double rate = 2.0 * LANES * CHAINS * (double)n / t;
    if (rate > best) best = rate;
    k++;
  }
  return best;
}

double roofline_bytes(size_t bytes) {
  const size_t least = 4096, most = (size_t)256 << 20;
  bytes = (bytes < least ? least : bytes > most ? most : bytes) / 256 * 256;
  uint64_t *x = aligned_alloc(64, bytes);
  if (!x) return 0;
  for (size_t k = 0; k < bytes / 8; k++) x[k] = k;
  long n = 1;
  double best = 0;
  for (int k = 0; k < TRIES;) {
    double began = processor_seconds();
    for (long i = 0; i < n; i++) {
      /* The buffer might be another each time: no read may be left out. */
      __asm__ volatile("" : "+r"(x) : : "memory");
      kept = (double)read_all(x, bytes / 8);
    }
    double t = processor_seconds() - began;
    if (t < RUN_SECONDS && n < 1L << 32) {
      n *= 2;
      continue;
    }
    double rate = (double)bytes * (double)n / t;
    if (rate > best) best = rate;
    k++;
  }
  free(x);
  return best;
}
