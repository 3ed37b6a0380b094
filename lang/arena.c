/* arena.c: bump allocation from blocks that double in size up to a cap.  In sanitizer builds every object is its own
 * block, so that an overrun is seen where it happens. */
#include "lang/arena.h"

#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ONE_BLOCK_EACH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_BLOCK_EACH 1
#endif
#endif
#ifndef ONE_BLOCK_EACH
#define ONE_BLOCK_EACH 0
#endif

enum { ALIGN = 16, FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

struct arena_block {
  arena_block *next;
  size_t size; /* of the whole block, this header included */
};

static size_t round_up(size_t n) { return (n + (ALIGN - 1)) & ~(size_t)(ALIGN - 1); }

void arena_init(arena *a, const aim_alloc *alloc, size_t limit) {
  memset(a, 0, sizeof *a);
  a->alloc = alloc;
  a->limit = limit;
}

void arena_free(arena *a) {
  for (arena_block *b = a->blocks, *next; b; b = next) {
    next = b->next;
    alloc_put(a->alloc, b, b->size);
  }
  a->blocks = NULL;
  a->at = a->end = NULL;
  a->used = 0;
}

static _Noreturn void fail(arena *a) { longjmp(*a->oom, 1); }

static char *new_block(arena *a, size_t payload) {
  size_t head = round_up(sizeof(arena_block));
  if (payload > (size_t)-1 - head) fail(a);
  size_t size = head + payload;
  if (a->limit && (size > a->limit || a->used > a->limit - size)) fail(a);
  arena_block *b = alloc_get(a->alloc, 1, size);
  if (!b) fail(a);
  b->next = a->blocks;
  b->size = size;
  a->blocks = b;
  a->used += size;
  return (char *)b + head;
}

void *arena_alloc(arena *a, size_t count, size_t size) {
  size_t n = alloc_bytes(count, size);
  if (n == 0) {
    if (count != 0 && size != 0) fail(a);
    n = 1;
  }
  if (n > (size_t)-1 / 2) fail(a);
  size_t need = ONE_BLOCK_EACH ? n : round_up(n);
  if (ONE_BLOCK_EACH || need > LARGEST_BLOCK / 4) return memset(new_block(a, need), 0, n);
  if (need > (size_t)(a->end - a->at)) {
    size_t payload = a->blocks && a->blocks->size < LARGEST_BLOCK ? 2 * a->blocks->size : FIRST_BLOCK;
    if (payload > LARGEST_BLOCK) payload = LARGEST_BLOCK;
    if (payload < need) payload = need;
    a->at = new_block(a, payload);
    a->end = a->at + payload;
  }
  void *p = a->at;
  a->at += need;
  return memset(p, 0, n);
}

char *arena_strndup(arena *a, const char *s, size_t n) {
  if (n == (size_t)-1) fail(a);
  char *p = arena_alloc(a, n + 1, 1);
  if (n) memcpy(p, s, n);
  return p;
}

char *arena_vprintf(arena *a, const char *format, va_list ap) {
  va_list again;
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, format, ap);
  char *p = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1, 1);
  if (n > 0) vsnprintf(p, (size_t)n + 1, format, again);
  va_end(again);
  return p;
}

char *arena_printf(arena *a, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  char *p = arena_vprintf(a, format, ap);
  va_end(ap);
  return p;
}

void *arena_grow(arena *a, void *items, size_t *cap, size_t need, size_t size) {
  size_t old = *cap, now = old ? old : 8;
  while (now < need) {
    if (now > (size_t)-1 / 2) fail(a);
    now *= 2;
  }
  if (now == old) return items;
  void *p = arena_alloc(a, now, size);
  if (old) memcpy(p, items, old * size);
  *cap = now;
  return p;
}

void strbuf_init(strbuf *b, arena *a) {
  b->a = a;
  b->cap = 0;
  b->n = 0;
  b->s = arena_grow(a, NULL, &b->cap, 64, 1);
  b->s[0] = '\0';
}

void strbuf_put(strbuf *b, const char *s, size_t n) {
  if (n >= (size_t)-1 - b->n - 1) fail(b->a);
  b->s = arena_grow(b->a, b->s, &b->cap, b->n + n + 1, 1);
  if (n) memcpy(b->s + b->n, s, n);
  b->n += n;
  b->s[b->n] = '\0';
}

void strbuf_puts(strbuf *b, const char *s) { strbuf_put(b, s, strlen(s)); }

void strbuf_putc(strbuf *b, char c) { strbuf_put(b, &c, 1); }

void strbuf_printf(strbuf *b, const char *format, ...) {
  va_list ap, again;
  va_start(ap, format);
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, format, ap);
  va_end(ap);
  if (n > 0) {
    b->s = arena_grow(b->a, b->s, &b->cap, b->n + (size_t)n + 1, 1);
    vsnprintf(b->s + b->n, (size_t)n + 1, format, again);
    b->n += (size_t)n;
  }
  va_end(again);
}
