/* trace.c: reference-counted chunks under a radix tree.  The header draws it.
 *
 * All writing goes through `own`, which makes one slot of an owned node (or the handle's root) refer to a block that
 * no one else reaches.  A block is altered only after `own` returned it, so "count 1 on the whole path" needs no
 * other check.  When `own` fails on the way down, what it copied above holds the same cells as before. */
#include "vm/trace.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

enum { BITS = 4, MASK = TRACE_FANOUT - 1, LEAST_SHIFT = 3, LONG_SHIFT = 9, MOST_SHIFT = 12 };

typedef struct trace_block block;

/* Followed by the children of a node, or by the cells of a chunk, 16 bytes behind the start. */
struct trace_block {
  _Atomic uint64_t count; /* 64 bits, as 2^32 handles fit into the memory of a large machine */
  uint32_t level;         /* 0 for a chunk; a node's children have level - 1 */
  uint32_t zero;          /* 1 in the zero tree: all cells below are zero, and the block may occur many times */
};

_Static_assert(sizeof(block) == 16, "cells keep the alignment of the host's blocks");

static block **children(block *b) { return (block **)(void *)(b + 1); }
static char *cells(block *b) { return (char *)(b + 1); }

static size_t chunk_bytes(const trace_heap *h) { return (size_t)8 << h->shift; }
static pool *pool_of(trace_heap *h, const block *b) { return b->level ? &h->node : &h->chunk; }

/* A relaxed increment is enough: the caller reaches b, so the count cannot drop to zero meanwhile. */
static void retain(block *b) { atomic_fetch_add_explicit(&b->count, 1, memory_order_relaxed); }

/* Acquires what other holders did before they let go. */
static bool sole(block *b) { return atomic_load_explicit(&b->count, memory_order_acquire) == 1; }

/* Recursion is as deep as the tree: at most 12 levels.  A sole holder needs no atomic write, since only a holder
 * could raise the count. */
static void release(trace_heap *h, block *b) {
  if (!sole(b) && atomic_fetch_sub_explicit(&b->count, 1, memory_order_acq_rel) != 1) return;
  if (b->level)
    for (size_t c = 0; c < TRACE_FANOUT; c++) release(h, children(b)[c]);
  pool_put(pool_of(h, b), b);
}

static block *block_new(trace_heap *h, unsigned level) {
  block *b = pool_get(level ? &h->node : &h->chunk);
  if (!b) return NULL;
  atomic_init(&b->count, 1);
  b->level = level;
  b->zero = 0;
  return b;
}

/* The block of *slot, copied first if others hold it.  The slot is the root of a handle or lies in an owned node. */
static block *own(trace_heap *h, block **slot) {
  block *b = *slot;
  if (sole(b)) {
    /* The heap that made a zero tree may be gone, and its last block becomes an ordinary one. */
    if (b->zero) b->zero = 0;
    return b;
  }
  block *c = block_new(h, b->level);
  if (!c) return NULL;
  if (b->level) {
    memcpy(children(c), children(b), TRACE_FANOUT * sizeof(block *));
    for (size_t i = 0; i < TRACE_FANOUT; i++) retain(children(c)[i]);
  } else {
    memcpy(cells(c), cells(b), chunk_bytes(h));
  }
  release(h, b);
  return *slot = c;
}

static block *chunk_at(const trace *t, size_t k) {
  block *b = t->root;
  for (unsigned down = t->heap->depth * BITS; down; down -= BITS) b = children(b)[k >> (down - BITS) & MASK];
  return b;
}

static block *chunk_own(trace *t, size_t k) {
  block *b = own(t->heap, &t->root);
  for (unsigned down = t->heap->depth * BITS; down && b; down -= BITS)
    b = own(t->heap, &children(b)[k >> (down - BITS) & MASK]);
  return b;
}

/* --- heaps --- */

static bool zero_tree(trace_heap *h) {
  block *b = block_new(h, 0);
  if (!b) return false;
  memset(cells(b), 0, chunk_bytes(h));
  b->zero = 1;
  for (unsigned level = 1; level <= h->depth; level++) {
    block *up = block_new(h, level);
    if (!up) {
      release(h, b);
      return false;
    }
    for (size_t c = 0; c < TRACE_FANOUT; c++) children(up)[c] = b;
    atomic_store_explicit(&b->count, TRACE_FANOUT, memory_order_relaxed);
    up->zero = 1;
    b = up;
  }
  h->zero = b;
  return true;
}

bool trace_heap_init(trace_heap *h, const aim_alloc *alloc, size_t n, const trace_options *options) {
  static const trace_options defaults;
  const trace_options *o = options ? options : &defaults;
  memset(h, 0, sizeof *h);
  if (n > SIZE_MAX / 16 || (uint64_t)n > (uint64_t)1 << 48) return false;
  unsigned shift = LEAST_SHIFT;
  if (o->chunk_cells) {
    while (shift < MOST_SHIFT && (size_t)1 << shift < o->chunk_cells) shift++;
    if ((size_t)1 << shift != o->chunk_cells) return false;
  } else {
    while (shift < LONG_SHIFT && (size_t)1 << shift < n) shift++;
  }
  h->cells = n;
  h->shift = shift;
  h->chunks = n ? ((n - 1) >> shift) + 1 : 1;
  while ((h->chunks - 1) >> (h->depth * BITS)) h->depth++;
  pool_init(&h->chunk, alloc, sizeof(block) + chunk_bytes(h), o->pool_max, o->pool_min);
  pool_init(&h->node, alloc, sizeof(block) + TRACE_FANOUT * sizeof(block *), o->pool_max, o->pool_min);
  if (zero_tree(h)) return true;
  trace_heap_free(h);
  return false;
}

void trace_heap_free(trace_heap *h) {
  if (h->zero) release(h, h->zero);
  h->zero = NULL;
  pool_free(&h->chunk);
  pool_free(&h->node);
}

bool trace_heap_prewarm(trace_heap *h, size_t writes) {
  if (h->depth && writes > (size_t)-1 / h->depth) return false;
  return pool_prewarm(&h->chunk, writes) && pool_prewarm(&h->node, writes * h->depth);
}

int64_t trace_heap_bytes(const trace_heap *h) { return pool_bytes(&h->chunk) + pool_bytes(&h->node); }

/* --- handles --- */

trace trace_create(trace_heap *h) {
  retain(h->zero);
  return (trace){h, h->zero};
}

trace trace_clone(const trace *t) {
  retain(t->root);
  return *t;
}

trace trace_clone_to(trace_heap *h, const trace *t) {
  assert(h->cells == t->heap->cells && h->shift == t->heap->shift);
  retain(t->root);
  return (trace){h, t->root};
}

void trace_free(trace *t) {
  if (t->root) release(t->heap, t->root);
  t->root = NULL;
}

/* --- cells --- */

static char *cell_at(const trace *t, size_t i) {
  assert(i < t->heap->cells);
  return cells(chunk_at(t, i >> t->heap->shift)) + 8 * (i & (((size_t)1 << t->heap->shift) - 1));
}

static bool cell_set(trace *t, size_t i, const void *value) {
  assert(i < t->heap->cells);
  block *b = chunk_own(t, i >> t->heap->shift);
  if (!b) return false;
  memcpy(cells(b) + 8 * (i & (((size_t)1 << t->heap->shift) - 1)), value, 8);
  return true;
}

double trace_real(const trace *t, size_t i) {
  double x;
  memcpy(&x, cell_at(t, i), 8);
  return x;
}

int64_t trace_int(const trace *t, size_t i) {
  int64_t x;
  memcpy(&x, cell_at(t, i), 8);
  return x;
}

bool trace_set_real(trace *t, size_t i, double value) { return cell_set(t, i, &value); }
bool trace_set_int(trace *t, size_t i, int64_t value) { return cell_set(t, i, &value); }

/* How many of the cells [i, end) lie in the chunk of cell i. */
static size_t chunk_run(const trace_heap *h, size_t i, size_t end) {
  size_t full = (size_t)1 << h->shift, left = full - (i & (full - 1));
  return left < end - i ? left : end - i;
}

/* The cells of chunk k within the frame. */
static size_t chunk_span(const trace_heap *h, size_t k, size_t *first) {
  assert(k < h->chunks);
  *first = k << h->shift;
  size_t left = h->cells - *first, full = (size_t)1 << h->shift;
  return left < full ? left : full;
}

void trace_read(const trace *t, size_t first, size_t n, void *out) {
  const trace_heap *h = t->heap;
  assert(first <= h->cells && n <= h->cells - first);
  for (size_t i = first, end = first + n, run; i < end; i += run) {
    run = chunk_run(h, i, end);
    memcpy((char *)out + 8 * (i - first), cell_at(t, i), 8 * run);
  }
}

/* Every chunk is made the trace's own before the first cell changes, so that a failure changes none. */
bool trace_write(trace *t, size_t first, size_t n, const void *in) {
  const trace_heap *h = t->heap;
  assert(first <= h->cells && n <= h->cells - first);
  if (n == 0) return true;
  for (size_t k = first >> h->shift, last = (first + n - 1) >> h->shift; k <= last; k++)
    if (!chunk_own(t, k)) return false;
  for (size_t i = first, end = first + n, run; i < end; i += run) {
    run = chunk_run(h, i, end);
    memcpy(cell_at(t, i), (const char *)in + 8 * (i - first), 8 * run);
  }
  return true;
}

/* Two passes for the same reason; the second looks only between the first and the last chunk that differ, and finds
 * differing again just those that the first made its own. */
bool trace_store(trace *t, const void *in) {
  const trace_heap *h = t->heap;
  const char *from = in;
  size_t first, n, low = h->chunks, high = 0;
  for (size_t k = 0; k < h->chunks; k++) {
    n = chunk_span(h, k, &first);
    if (n == 0 || memcmp(cells(chunk_at(t, k)), from + 8 * first, 8 * n) == 0) continue;
    if (!chunk_own(t, k)) return false;
    if (low > k) low = k;
    high = k + 1;
  }
  for (size_t k = low; k < high; k++) {
    n = chunk_span(h, k, &first);
    char *to = cells(chunk_at(t, k));
    if (memcmp(to, from + 8 * first, 8 * n) != 0) memcpy(to, from + 8 * first, 8 * n);
  }
  return true;
}

/* Cells and children behind the end of the frame are zero in every trace, so whole blocks are compared. */
static bool equal(const trace_heap *h, block *a, block *b) {
  if (a == b || (a->zero && b->zero)) return true;
  if (a->level == 0) return memcmp(cells(a), cells(b), chunk_bytes(h)) == 0;
  for (size_t c = 0; c < TRACE_FANOUT; c++)
    if (!equal(h, children(a)[c], children(b)[c])) return false;
  return true;
}

bool trace_equal(const trace *a, const trace *b) {
  assert(a->heap->cells == b->heap->cells && a->heap->shift == b->heap->shift);
  return equal(a->heap, a->root, b->root);
}

const void *trace_chunk(const trace *t, size_t k, size_t *first, size_t *n) {
  size_t at, count = chunk_span(t->heap, k, &at);
  if (first) *first = at;
  if (n) *n = count;
  return cells(chunk_at(t, k));
}

void *trace_chunk_edit(trace *t, size_t k, size_t *first, size_t *n) {
  size_t at, count = chunk_span(t->heap, k, &at);
  if (first) *first = at;
  if (n) *n = count;
  block *b = chunk_own(t, k);
  return b ? cells(b) : NULL;
}

/* --- sizes --- */

/* Blocks outside the zero tree occur once: copies keep every child at its place. */
static void measure(trace_heap *h, block *b, bool mine, trace_stats *s, unsigned *zero_levels) {
  if (b->zero) {
    if (*zero_levels < b->level + 1) *zero_levels = b->level + 1;
    return;
  }
  mine = mine && sole(b);
  *(mine ? &s->own_bytes : &s->shared_bytes) += pool_of(h, b)->block;
  if (b->level == 0) *(mine ? &s->own_chunks : &s->shared_chunks) += 1;
  else
    for (size_t c = 0; c < TRACE_FANOUT; c++) measure(h, children(b)[c], mine, s, zero_levels);
}

trace_stats trace_measure(const trace *t) {
  trace_stats s = {0};
  unsigned zero_levels = 0;
  measure(t->heap, t->root, true, &s, &zero_levels);
  if (zero_levels) s.zero_bytes = t->heap->chunk.block + (zero_levels - 1) * t->heap->node.block;
  return s;
}
