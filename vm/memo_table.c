/* memo_table.c: a hash table with chains, whose entries are in a list by use as well (memo_table.h). */
#include "vm/memo_table.h"

#include <string.h>

#define NONE UINT32_MAX

typedef struct entry {
  uint64_t hash;
  int64_t serial;       /* of the search that made it */
  uint32_t next;        /* in its bucket */
  uint32_t newer, older;
  bool there;           /* it has its value */
} entry;

struct memo_table {
  uint32_t size, used, mask, newest, oldest;
  int64_t key, value, serial;
  exec_memo count;
  uint32_t *bucket; /* [mask + 1] */
  entry *e;         /* [size] */
  exec_cell *keys, *values, *asked; /* [size][key], [size][value], [key] */
};

static uint32_t buckets_of(uint32_t size) {
  uint32_t n = 1;
  while (n < size) n *= 2;
  return n;
}

static size_t lines(size_t bytes) { return (bytes + 15) / 16 * 16; }

size_t memo_bytes(uint32_t size, int64_t key, int64_t value) {
  int64_t cells, bytes;
  if (__builtin_add_overflow(key, value, &cells) || __builtin_mul_overflow(cells, (int64_t)size, &cells) || __builtin_add_overflow(cells, key, &cells) ||
      __builtin_mul_overflow(cells, (int64_t)sizeof(exec_cell), &bytes))
    return 0;
  const size_t fixed = lines(sizeof(memo_table)) + lines(buckets_of(size) * sizeof(uint32_t)) + lines(size * sizeof(entry));
  return (size_t)bytes > SIZE_MAX / 2 ? 0 : fixed + (size_t)bytes;
}

memo_table *memo_make(void *memory, uint32_t size, int64_t key, int64_t value) {
  memo_table *t = memory;
  unsigned char *at = (unsigned char *)memory + lines(sizeof *t);
  *t = (memo_table){.size = size, .mask = buckets_of(size) - 1, .newest = NONE, .oldest = NONE, .key = key, .value = value};
  t->bucket = (uint32_t *)(void *)at;
  at += lines(((size_t)t->mask + 1) * sizeof *t->bucket);
  t->e = (entry *)(void *)at;
  at += lines(size * sizeof *t->e);
  t->keys = (exec_cell *)(void *)at;
  t->values = t->keys + (int64_t)size * key;
  t->asked = t->values + (int64_t)size * value;
  memset(t->bucket, 0xff, ((size_t)t->mask + 1) * sizeof *t->bucket);
  return t;
}

/* Four lanes of multiplications, so that a long key takes a cycle for each cell. */
static uint64_t hash_of(const exec_cell *k, int64_t n) {
  uint64_t h[4] = {0x9E3779B97F4A7C15u, 0xC2B2AE3D27D4EB4Fu, 0x165667B19E3779F9u, 0x27D4EB2F165667C5u};
  for (int64_t i = 0; i < n; i++) {
    uint64_t x = (h[i & 3] ^ (uint64_t)k[i].integer) * 0xBF58476D1CE4E5B9u;
    h[i & 3] = x ^ x >> 29;
  }
  uint64_t x = h[0];
  for (int l = 1; l < 4; l++) x = (x ^ x >> 32 ^ h[l]) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

static void take_out(memo_table *t, uint32_t i) {
  entry *e = &t->e[i];
  *(e->newer != NONE ? &t->e[e->newer].older : &t->newest) = e->older;
  *(e->older != NONE ? &t->e[e->older].newer : &t->oldest) = e->newer;
}

static void put_first(memo_table *t, uint32_t i) {
  entry *e = &t->e[i];
  e->newer = NONE;
  e->older = t->newest;
  *(t->newest != NONE ? &t->e[t->newest].newer : &t->oldest) = i;
  t->newest = i;
}

/* An entry for a new key, out of its bucket and of the list. */
static uint32_t fresh(memo_table *t) {
  if (t->used < t->size) return t->used++;
  const uint32_t i = t->oldest;
  uint32_t *link = &t->bucket[t->e[i].hash & t->mask];
  while (*link != i) link = &t->e[*link].next;
  *link = t->e[i].next;
  take_out(t, i);
  t->count.dropped++;
  return i;
}

static int64_t handle_of(const memo_table *t, uint32_t i) { return -1 - (t->e[i].serial * t->size + i); }

int64_t memo_find(memo_table *t, size_t parts, const memo_part *part, exec_cell *value) {
  exec_cell *to = t->asked;
  for (size_t k = 0; k < parts; k++) {
    memcpy(to, part[k].p, (size_t)part[k].n * sizeof *to);
    to += part[k].n;
  }
  const size_t bytes = (size_t)t->key * sizeof *to;
  const uint64_t hash = hash_of(t->asked, t->key);
  uint32_t *bucket = &t->bucket[hash & t->mask], i = *bucket;
  while (i != NONE && (t->e[i].hash != hash || memcmp(t->keys + i * t->key, t->asked, bytes) != 0)) i = t->e[i].next;
  t->count.asked++;
  if (i == NONE) {
    i = fresh(t);
    bucket = &t->bucket[hash & t->mask];
    t->e[i] = (entry){.hash = hash, .serial = t->serial++, .next = *bucket};
    *bucket = i;
    memcpy(t->keys + i * t->key, t->asked, bytes);
    put_first(t, i);
    return handle_of(t, i);
  }
  if (i != t->newest) {
    take_out(t, i);
    put_first(t, i);
  }
  if (!t->e[i].there) return handle_of(t, i);
  t->count.found++;
  memcpy(value, t->values + i * t->value, (size_t)t->value * sizeof *value);
  return i;
}

void memo_keep(memo_table *t, int64_t handle, const exec_cell *value) {
  if (handle >= 0) return;
  const int64_t u = -1 - handle, i = u % t->size;
  if (t->e[i].serial != u / t->size) return;
  memcpy(t->values + i * t->value, value, (size_t)t->value * sizeof *value);
  t->e[i].there = true;
}

void memo_count(const memo_table *t, exec_memo *sum) {
  sum->asked += t->count.asked;
  sum->found += t->count.found;
  sum->dropped += t->count.dropped;
}
