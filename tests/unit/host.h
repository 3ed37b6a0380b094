/* host.h: what the tests of pools, traces and histories share: a host allocator that counts calls and bytes, checks the
 * sizes it is given back and fails the calls that a test names; random numbers; a clock and a median. */
#ifndef AIM_TESTS_HOST_H
#define AIM_TESTS_HOST_H

#include "lang/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#elif __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define TSAN 1
#endif
#if defined(ASAN) || defined(TSAN)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

typedef struct host {
  _Atomic size_t calls, bytes; /* calls that allocate; bytes out */
  size_t fail_at;              /* the call with this number fails; 0 for none */
  bool persistent;             /* and all after it */
} host;

static inline void *host_fn(void *user, void *ptr, size_t old_size, size_t size) {
  host *h = user;
  size_t *head = ptr ? (size_t *)ptr - 2 : NULL;
  if (head && *head != old_size) abort();
  if (size == 0) {
    h->bytes -= old_size;
    free(head);
    return NULL;
  }
  size_t call = ++h->calls;
  if (h->fail_at && (call == h->fail_at || (h->persistent && call > h->fail_at))) return NULL;
  size_t *now = realloc(head, size + 16);
  if (!now) return NULL;
  *now = size;
  const size_t was = ptr ? old_size : 0;
  if (size > was) memset((char *)(now + 2) + was, 0xA5, size - was); /* nobody finds there what an earlier owner left */
  h->bytes += size - was;
  return now + 2;
}

static inline uint64_t next_random(uint64_t *s) { /* SplitMix64 */
  uint64_t z = *s += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static inline size_t below(uint64_t *s, size_t n) { return (size_t)(next_random(s) % n); }

static inline double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static inline double median(double *x, size_t n) {
  qsort(x, n, sizeof *x, by_value);
  return x[n / 2];
}

#endif
