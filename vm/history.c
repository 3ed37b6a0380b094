/* history.c: a table of traces, each cloned from the one before it. */
#include "vm/history.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { FIRST_DRAWS = 64 };

bool trace_history_init(trace_history *h, const aim_alloc *alloc, size_t cells, const trace_options *options) {
  trace_options o = options ? *options : (trace_options){0};
  if (o.chunk_cells == 0 && cells > HISTORY_CHUNK_CELLS) o.chunk_cells = HISTORY_CHUNK_CELLS;
  memset(h, 0, sizeof *h);
  return trace_heap_init(&h->heap, alloc, cells, &o);
}

/* Oldest first: a chunk that changed in the next draw is then held by one draw alone when its turn comes. */
void trace_history_clear(trace_history *h) {
  for (size_t k = 0; k < h->n; k++) trace_free(&h->draws[k]);
  h->n = 0;
}

void trace_history_free(trace_history *h) {
  trace_history_clear(h);
  if (h->draws) alloc_put(h->heap.chunk.alloc, h->draws, h->cap * sizeof *h->draws);
  h->draws = NULL;
  h->cap = 0;
  trace_heap_free(&h->heap);
}

bool trace_history_reserve(trace_history *h, size_t n) {
  if (n <= h->cap) return true;
  const aim_alloc *a = h->heap.chunk.alloc;
  size_t bytes = alloc_bytes(n, sizeof *h->draws);
  trace *draws = bytes ? a->fn(a->user, h->draws, h->cap * sizeof *h->draws, bytes) : NULL;
  if (!draws) return false;
  h->draws = draws;
  h->cap = n;
  return true;
}

static size_t times(size_t a, size_t b) { return a && b > SIZE_MAX / a ? SIZE_MAX : a * b; }
static size_t plus(size_t a, size_t b) { return b > SIZE_MAX - a ? SIZE_MAX : a + b; }

/* Blocks of a level with `count` blocks of `span` cells. */
static size_t level_bound(const trace_heap *h, size_t count, size_t span, size_t n, size_t walk) {
  size_t rounds = h->cells ? walk / h->cells + 2 : 1;
  size_t entered = plus(plus(walk / span, rounds), n), all = times(n, count);
  return plus(count, entered < all ? entered : all);
}

trace_history_need trace_history_bound(const trace_history *h, size_t n, size_t window) {
  const trace_heap *heap = &h->heap;
  size_t walk = times(n, window), count = heap->chunks, span = (size_t)1 << heap->shift;
  trace_history_need need = {.chunks = level_bound(heap, count, span, n, walk)};
  for (unsigned level = 1; level <= heap->depth; level++) {
    count = (count + TRACE_FANOUT - 1) / TRACE_FANOUT;
    span = times(span, TRACE_FANOUT);
    need.nodes = plus(need.nodes, level_bound(heap, count, span, n, walk));
  }
  size_t blocks = plus(times(need.chunks, heap->chunk.block), times(need.nodes, heap->node.block));
  need.bytes = plus(plus(blocks, times(n, sizeof *h->draws)), heap->chunk.block + heap->depth * heap->node.block);
  return need;
}

bool trace_history_prewarm(trace_history *h, size_t n, size_t window) {
  trace_history_need need = trace_history_bound(h, n, window);
  return need.bytes != SIZE_MAX && trace_history_reserve(h, n) && pool_prewarm(&h->heap.chunk, need.chunks) &&
         pool_prewarm(&h->heap.node, need.nodes);
}

void trace_history_trim(trace_history *h) {
  pool_trim(&h->heap.chunk);
  pool_trim(&h->heap.node);
}

/* A draw that is not in the table yet: a clone of the last one. */
static bool next_draw(trace_history *h, trace *t) {
  if (h->n == h->cap) {
    size_t cap = h->cap ? alloc_bytes(h->cap, 2) : FIRST_DRAWS;
    if (!cap || !trace_history_reserve(h, cap)) return false;
  }
  *t = h->n ? trace_clone(&h->draws[h->n - 1]) : trace_create(&h->heap);
  return true;
}

static bool keep_draw(trace_history *h, trace *t, bool complete) {
  if (complete) h->draws[h->n++] = *t;
  else trace_free(t);
  return complete;
}

bool trace_history_append(trace_history *h, const void *frame, const size_t *changed, size_t n) {
  trace t;
  if (!next_draw(h, &t)) return false;
  bool complete = true;
  for (size_t c = 0; c < n && complete; c++) {
    int64_t bits;
    memcpy(&bits, (const char *)frame + 8 * changed[c], 8);
    complete = trace_set_int(&t, changed[c], bits);
  }
  return keep_draw(h, &t, complete);
}

bool trace_history_append_frame(trace_history *h, const void *frame) {
  trace t;
  return next_draw(h, &t) && keep_draw(h, &t, trace_store(&t, frame));
}

double trace_history_real(const trace_history *h, size_t k, size_t cell) {
  assert(k < h->n);
  return trace_real(&h->draws[k], cell);
}

int64_t trace_history_int(const trace_history *h, size_t k, size_t cell) {
  assert(k < h->n);
  return trace_int(&h->draws[k], cell);
}

void trace_history_read(const trace_history *h, size_t k, size_t first, size_t n, void *out) {
  assert(k < h->n);
  trace_read(&h->draws[k], first, n, out);
}

void trace_history_series(const trace_history *h, size_t cell, size_t first, size_t n, void *out) {
  assert(first <= h->n && n <= h->n - first);
  for (size_t k = 0; k < n; k++) {
    int64_t bits = trace_int(&h->draws[first + k], cell);
    memcpy((char *)out + 8 * k, &bits, 8);
  }
}

size_t trace_history_bytes(const trace_history *h) {
  return (size_t)trace_heap_bytes(&h->heap) + h->cap * sizeof *h->draws;
}
