/* ptr_map.h: a hash table from pointers to pointers, for tables keyed by interned names or tree nodes. */
#ifndef AIM_COMPILER_PTR_MAP_H
#define AIM_COMPILER_PTR_MAP_H

#include "lang/arena.h"

typedef struct ptr_map {
  arena *a;
  const void **keys; /* open addressing; size is a power of two, at most half full */
  void **values;
  size_t size, n;
} ptr_map;

void ptr_map_init(ptr_map *m, arena *a);
/* The value of a key, or NULL. */
void *ptr_map_get(const ptr_map *m, const void *key);
/* Sets the value of a key, which is not NULL, and returns the one before.  A value of NULL makes the key unknown again. */
void *ptr_map_put(ptr_map *m, const void *key, void *value);

#endif
