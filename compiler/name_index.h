/* name_index.h: a hash table from names, by their text, to numbers from 1. */
#ifndef AIM_COMPILER_NAME_INDEX_H
#define AIM_COMPILER_NAME_INDEX_H

#include "lang/arena.h"

typedef struct name_entry name_entry;

typedef struct name_index {
  arena *a;
  name_entry *slot; /* open addressing; size is a power of two, at most half full */
  uint32_t size, n;
} name_index;

/* An index begins as {.a = arena}, without memory. */

/* The number of a name; 0 where it has none. */
uint32_t name_index_get(const name_index *x, const char *name);
/* Gives a name, borrowed as long as the index, a number that is not 0, unless it has one; returns the one before, or 0. */
uint32_t name_index_add(name_index *x, const char *name, uint32_t number);

#endif
