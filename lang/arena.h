/* arena.h: memory that lives as long as one phase (a source and its AST, one IR module, one bound program).
 *
 * Everything allocated from an arena is freed together by arena_free.  Pointers go from shorter-lived arenas to
 * longer-lived ones, never back.
 *
 * Allocation never returns NULL.  When the host's allocator fails, or a limit is passed, the arena jumps to the
 * handler that its owner set with ARENA_TRY: the phase unwinds as a whole, and its entry point frees the arena and
 * returns a status.  So code that builds trees needs no check at every step, and each allocation can be made to
 * fail in a test.  Nothing that holds a resource other than arena memory may be live across such a jump.
 *
 *     arena a;
 *     arena_init(&a, alloc, limit_bytes);
 *     if (ARENA_TRY(&a)) { arena_free(&a); return AIM_E_MEMORY; }
 *     ... arena_alloc(&a, n, sizeof *x) ...
 */
#ifndef AIM_LANG_ARENA_H
#define AIM_LANG_ARENA_H

#include "lang/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

typedef struct arena_block arena_block;

typedef struct arena {
  const aim_alloc *alloc; /* borrowed; outlives the arena */
  arena_block *blocks;    /* newest first */
  char *at, *end;         /* free part of the newest block */
  size_t used, limit;     /* bytes taken from the host; most that may be taken (0: no limit) */
  jmp_buf *oom;           /* where a failed allocation goes */
  jmp_buf here;           /* storage for ARENA_TRY */
} arena;

void arena_init(arena *a, const aim_alloc *alloc, size_t limit);
void arena_free(arena *a);  /* frees all; the arena may be used again */

/* Evaluates to 0 when set, to 1 when an allocation failed later. */
#define ARENA_TRY(a) ((a)->oom = &(a)->here, setjmp((a)->here))

/* Zeroed memory for count objects, aligned to 16.  count 0 gives a valid pointer that must not be read. */
void *arena_alloc(arena *a, size_t count, size_t size);
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), 1, sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc((a), (n), sizeof(type)))

/* Copies of bytes, with a NUL behind them. */
char *arena_strndup(arena *a, const char *s, size_t n);
char *arena_printf(arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(arena *a, const char *format, va_list ap);

/* A growing array in an arena: `ARENA_PUSH(a, list.items, list.n, list.cap, value)`.  The old storage stays in the
 * arena, so at most half of it is waste. */
void *arena_grow(arena *a, void *items, size_t *cap, size_t need, size_t size);
#define ARENA_PUSH(a, items, n, cap, value)                                                    \
  do {                                                                                         \
    if ((size_t)(n) == (size_t)(cap)) {                                                        \
      size_t cap_ = (size_t)(cap);                                                             \
      (items) = arena_grow((a), (items), &cap_, (size_t)(n) + 1, sizeof *(items));             \
      (cap) = cap_;                                                                            \
    }                                                                                          \
    (items)[(n)++] = (value);                                                                  \
  } while (0)

/* Text that grows in an arena; `s` is always terminated. */
typedef struct strbuf {
  arena *a;
  char *s;
  size_t n, cap;
} strbuf;

void strbuf_init(strbuf *b, arena *a);
void strbuf_put(strbuf *b, const char *s, size_t n);
void strbuf_puts(strbuf *b, const char *s);
void strbuf_putc(strbuf *b, char c);
void strbuf_printf(strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
