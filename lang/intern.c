/* intern.c: a hash set of strings, at most half full. */
#include "lang/intern.h"

#include <string.h>

struct intern_entry {
  uint64_t hash;
  size_t len;
  char text[];
};

void intern_init(intern_table *t, arena *a) {
  memset(t, 0, sizeof *t);
  t->a = a;
}

/* FNV-1a.  Crafted collisions cost a long probe, which the limit on a source's size bounds. */
static uint64_t hash_of(const char *s, size_t n) {
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
  return h ^ h >> 32;
}

static void grow(intern_table *t) {
  size_t size = t->size ? 2 * t->size : 64;
  intern_entry **slots = ARENA_ARRAY(t->a, intern_entry *, size);
  for (size_t i = 0; i < t->size; i++) {
    intern_entry *e = t->slots[i];
    if (!e) continue;
    size_t at = e->hash & (size - 1);
    while (slots[at]) at = (at + 1) & (size - 1);
    slots[at] = e;
  }
  t->slots = slots;
  t->size = size;
}

const char *intern_bytes(intern_table *t, const char *s, size_t n) {
  if (2 * (t->n + 1) > t->size) grow(t);
  uint64_t h = hash_of(s, n);
  size_t at = h & (t->size - 1);
  for (; t->slots[at]; at = (at + 1) & (t->size - 1)) {
    intern_entry *e = t->slots[at];
    if (e->hash == h && e->len == n && memcmp(e->text, s, n) == 0) return e->text;
  }
  intern_entry *e = arena_alloc(t->a, sizeof *e + n + 1, 1);
  e->hash = h;
  e->len = n;
  memcpy(e->text, s, n);
  t->slots[at] = e;
  t->n++;
  return e->text;
}

const char *intern(intern_table *t, const char *s) { return intern_bytes(t, s, strlen(s)); }
