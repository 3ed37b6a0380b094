/* ptr_map.c: see the header.  A key whose value is NULL keeps its slot, so probing needs no tombstones. */
#include "compiler/ptr_map.h"

void ptr_map_init(ptr_map *m, arena *a) { *m = (ptr_map){.a = a}; }

static size_t ptr_map_slot(const ptr_map *m, const void *key) {
  uint64_t h = (uint64_t)(uintptr_t)key;
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdu;
  h ^= h >> 33;
  size_t i = (size_t)h & (m->size - 1);
  while (m->keys[i] && m->keys[i] != key) i = (i + 1) & (m->size - 1);
  return i;
}

void *ptr_map_get(const ptr_map *m, const void *key) {
  if (m->size == 0 || !key) return NULL;
  size_t i = ptr_map_slot(m, key);
  return m->keys[i] ? m->values[i] : NULL;
}

void *ptr_map_put(ptr_map *m, const void *key, void *value) {
  if (2 * (m->n + 1) > m->size) {
    ptr_map old = *m;
    m->size = old.size ? 2 * old.size : 16;
    m->keys = ARENA_ARRAY(m->a, const void *, m->size);
    m->values = ARENA_ARRAY(m->a, void *, m->size);
    m->n = 0;
    for (size_t i = 0; i < old.size; i++)
      if (old.keys[i] && old.values[i]) {
        size_t j = ptr_map_slot(m, old.keys[i]);
        m->keys[j] = old.keys[i];
        m->values[j] = old.values[i];
        m->n++;
      }
  }
  size_t i = ptr_map_slot(m, key);
  void *before = m->keys[i] ? m->values[i] : NULL;
  if (!m->keys[i]) m->n++;
  m->keys[i] = key;
  m->values[i] = value;
  return before;
}
