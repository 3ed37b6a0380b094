/* name_index.c: see the header.  Crafted collisions cost a long probe, which the limits on sources and data sets bound. */
#include "compiler/name_index.h"

#include <string.h>

struct name_entry {
  const char *name; /* NULL: free */
  uint32_t hash, number;
};

static uint32_t hash_of(const char *s) {
  uint64_t h = 14695981039346656037u; /* FNV-1a */
  for (; *s; s++) h = (h ^ (unsigned char)*s) * 1099511628211u;
  return (uint32_t)(h ^ (h >> 32));
}

/* The entry of a name, or the free one where it belongs. */
static name_entry *entry_of(const name_index *x, uint32_t hash, const char *name) {
  for (uint32_t i = hash & (x->size - 1);; i = (i + 1) & (x->size - 1)) {
    name_entry *e = &x->slot[i];
    if (!e->name || (e->hash == hash && strcmp(e->name, name) == 0)) return e;
  }
}

uint32_t name_index_get(const name_index *x, const char *name) { return x->size ? entry_of(x, hash_of(name), name)->number : 0; }

static void grow(name_index *x) {
  name_index old = *x;
  x->size = old.size ? 2 * old.size : 32;
  x->slot = ARENA_ARRAY(x->a, name_entry, x->size);
  for (uint32_t i = 0; i < old.size; i++)
    if (old.slot[i].name) *entry_of(x, old.slot[i].hash, old.slot[i].name) = old.slot[i];
}

uint32_t name_index_add(name_index *x, const char *name, uint32_t number) {
  if (2 * (x->n + 1) > x->size) grow(x);
  uint32_t hash = hash_of(name);
  name_entry *e = entry_of(x, hash, name);
  if (e->name) return e->number;
  *e = (name_entry){name, hash, number};
  x->n++;
  return 0;
}
