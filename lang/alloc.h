/* alloc.h: where every byte of AIM comes from.
 *
 * The host hands one function to the library (see aim.h); nothing in lang/, compiler/ or vm/ calls malloc.
 * The function follows realloc: ptr NULL allocates, size 0 frees and returns NULL, and a failed call returns
 * NULL and leaves ptr as it was.  It must be safe to call from several threads at once. */
#ifndef AIM_LANG_ALLOC_H
#define AIM_LANG_ALLOC_H

#include <stddef.h>

typedef struct aim_alloc {
  void *(*fn)(void *user, void *ptr, size_t old_size, size_t size);
  void *user;
} aim_alloc;

/* count * size, or 0 when the product does not fit: a zero-sized request then fails as any too large one. */
static inline size_t alloc_bytes(size_t count, size_t size) {
  return size != 0 && count > (size_t)-1 / size ? 0 : count * size;
}

/* n * size bytes, not zeroed; NULL on failure or overflow. */
static inline void *alloc_get(const aim_alloc *a, size_t count, size_t size) {
  size_t n = alloc_bytes(count, size);
  return n ? a->fn(a->user, NULL, 0, n) : NULL;
}

static inline void alloc_put(const aim_alloc *a, void *ptr, size_t old_size) {
  if (ptr) a->fn(a->user, ptr, old_size, 0);
}

#endif
