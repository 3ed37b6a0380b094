/* plain_heap.h: the heap as a host's allocator, for tests that neither count nor fail allocations. */
#ifndef AIM_TESTS_PLAIN_HEAP_H
#define AIM_TESTS_PLAIN_HEAP_H

#include "lang/alloc.h"

#include <stdlib.h>

static void *plain_realloc(void *user, void *ptr, size_t old_size, size_t size) {
  (void)user, (void)old_size;
  if (size) return realloc(ptr, size);
  free(ptr);
  return NULL;
}

static const aim_alloc plain_heap = {plain_realloc, NULL};

#endif
