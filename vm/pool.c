/* pool.c: a list of free blocks, linked through their first word. */
#include "vm/pool.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON 1
#endif
#endif
#ifdef POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

struct pool_free {
  struct pool_free *next;
};

void pool_init(pool *p, const aim_alloc *alloc, size_t block, size_t max, size_t min) {
  memset(p, 0, sizeof *p);
  p->alloc = alloc;
  p->block = block < sizeof(struct pool_free) ? sizeof(struct pool_free) : block;
  p->max = max == POOL_UNBOUNDED ? (size_t)-1 : max;
  p->min = min || max == POOL_UNBOUNDED ? min : max / 4;
}

static void *take(pool *p) {
  struct pool_free *b = p->free;
  ASAN_UNPOISON_MEMORY_REGION(b, p->block);
  p->free = b->next;
  p->stats.kept--;
  return b;
}

static void keep(pool *p, void *block) {
  struct pool_free *b = block;
  b->next = p->free;
  p->free = b;
  p->stats.kept++;
  ASAN_POISON_MEMORY_REGION(b, p->block);
}

static void shrink(pool *p, size_t count) {
  while (p->stats.kept > count) alloc_put(p->alloc, take(p), p->block);
}

void pool_free(pool *p) { shrink(p, 0); }

void pool_trim(pool *p) { shrink(p, p->min); }

int64_t pool_bytes(const pool *p) { return (p->stats.live + (int64_t)p->stats.kept) * (int64_t)p->block; }

static void see_peak(pool *p) {
  int64_t now = pool_bytes(p);
  if (now > 0 && (size_t)now > p->stats.peak) p->stats.peak = (size_t)now;
}

void *pool_get(pool *p) {
  if (p->free) {
    p->stats.hits++;
    p->stats.live++;
    return take(p);
  }
  void *b = alloc_get(p->alloc, 1, p->block);
  if (!b) return NULL;
  p->stats.misses++;
  p->stats.live++;
  see_peak(p);
  return b;
}

void pool_put(pool *p, void *block) {
  if (!block) return;
  p->stats.live--;
  if (p->stats.kept < p->max) {
    p->stats.returns++;
    keep(p, block);
  } else {
    p->stats.drops++;
    alloc_put(p->alloc, block, p->block);
  }
}

bool pool_prewarm(pool *p, size_t count) {
  if (count > p->max) count = p->max;
  while (p->stats.kept < count) {
    void *b = alloc_get(p->alloc, 1, p->block);
    if (!b) return false;
    keep(p, b);
    see_peak(p);
  }
  return true;
}
