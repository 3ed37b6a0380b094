/* trace.h: a frame of a model's choices that is copied in constant time.
 *
 * A trace is n cells of 8 bytes, each a real (double) or an integer (int64_t); which of the two, and which site a cell
 * belongs to, is the caller's static layout, and the accessor reinterprets.  Cells lie in chunks (512 cells, 4 KB;
 * fewer for a short frame) under a tree of fanout 16.  Chunks and nodes are blocks with a reference count.  A clone
 * counts one more reference on the root.  The first write to a shared chunk copies that chunk and the nodes above it;
 * the rest stays shared.  In brackets the counts:
 *
 *     a = one handle               b = clone of a, then a write to a cell of b's last chunk
 *
 *     a                            a                             b
 *     |                            |                             |
 *     v                            v                             v
 *     [1| . . . ]                  [1| . . . ]                   [1| . . . ]            nodes
 *         | | |                        | | |                         | | |
 *         | | '--> [1|cells]           | | '--> [1|cells]            | | '--> [1|cells']  the copied chunk
 *         | '----> [1|cells]           | '----> [2|cells] <----------|-'
 *         '------> [1|cells]           '------> [2|cells] <----------'
 *
 * A block may be written in place exactly when its count and the counts of all nodes above it are 1; a chunk with count
 * 1 below a shared node is shared.  Copying a node raises the counts of its children, so a walk from the root that
 * copies each shared block on its way never needs to look up.
 *
 * A new trace is one reference to a tree of zeros, which has one block for each level: every child of a zero node is
 * the same block.  So a frame of any length starts in constant time and grows by what is written to it.
 *
 * Why fanout 16: a write to one cell of 1e5 copies 4112 + 2 * 144 bytes; with fanout 64 the nodes would be 1056 bytes
 * of it, and a read would save one load of three.
 *
 * Threads.  Counts are atomic; all else is owned.  A heap (its pools) is used by one thread at a time, and so is
 * a handle, by the thread that uses its heap.  trace_clone_to gives a handle for another thread's heap without touching
 * that heap, so either thread may call it as long as no other uses the source handle meanwhile; passing the handle
 * over must be ordered by the caller (a queue, a join).  Then both threads read, write and free on their own.
 * Increments are relaxed: who clones holds a reference already.  Decrements release, and the check for count 1 before
 * a write in place or a reuse acquires: the last reads of other holders thus happen before it. */
#ifndef AIM_VM_TRACE_H
#define AIM_VM_TRACE_H

#include "lang/alloc.h"
#include "vm/pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  TRACE_CHUNK_CELLS = 512, /* cells of a chunk of a long frame: 4 KB */
  TRACE_FANOUT = 16,
};

/* The source and sink of the blocks of all traces of one layout in one thread.  Handles point to it: it does not move
 * while one is alive.  Traces of two heaps may share blocks if both were made with the same cells, chunk_cells and
 * host allocator. */
typedef struct trace_heap {
  size_t cells;       /* n, the length of each frame */
  size_t chunks;      /* blocks of cells of each frame, at least 1 */
  unsigned shift;     /* a chunk has 1 << shift cells */
  unsigned depth;     /* levels of nodes above the chunks */
  pool chunk, node;   /* where blocks come from; the caller may prewarm, trim and read their statistics */
  struct trace_block *zero; /* root of the tree of zeros, one reference */
} trace_heap;

typedef struct trace_options {
  size_t chunk_cells; /* a power of two from 8 to 4096; 0 for 512, or less if the frame is shorter.  Small chunks make
                         scattered writes cheap (bytes copied), large ones make reading a range and cloning a written
                         frame cheap (blocks counted) */
  size_t pool_max;    /* free chunks kept, and free nodes; POOL_UNBOUNDED (0) for all */
  size_t pool_min;    /* what pool_trim leaves of each; 0 for pool_max / 4 */
} trace_options;

/* A handle owns one reference.  It is a plain value, but copying the struct makes no reference: clone does. */
typedef struct trace {
  trace_heap *heap;
  struct trace_block *root;
} trace;

/* False if the host has no memory, or if cells or options are out of range (cells above 2^48); heap is then empty and
 * need not be freed.  options may be NULL. */
bool trace_heap_init(trace_heap *h, const aim_alloc *alloc, size_t cells, const trace_options *options);

/* Every handle of this heap must have been freed; blocks that handles of other heaps hold stay theirs. */
void trace_heap_free(trace_heap *h);

/* Keeps ready what `writes` first writes to shared chunks need.  False if the host refused. */
bool trace_heap_prewarm(trace_heap *h, size_t writes);

/* Bytes of all blocks in use through this heap, the zero tree included, and of those kept free.  Exact; with blocks
 * that moved between heaps, exact in the sum over the heaps. */
int64_t trace_heap_bytes(const trace_heap *h);

/* All cells zero.  O(1), no allocation. */
trace trace_create(trace_heap *h);

/* O(1), no allocation.  The clone has the heap of the source, or the one given. */
trace trace_clone(const trace *t);
trace trace_clone_to(trace_heap *h, const trace *t);

/* Consumes the handle.  Costs as many steps as blocks become free. */
void trace_free(trace *t);

/* Reading.  i < cells; O(depth). */
double trace_real(const trace *t, size_t i);
int64_t trace_int(const trace *t, size_t i);
/* Copies cells [first, first + n) to out, 8 bytes each. */
void trace_read(const trace *t, size_t first, size_t n, void *out);

/* Writing.  Each returns false if the host has no memory: the cells are then as before. */
bool trace_set_real(trace *t, size_t i, double value);
bool trace_set_int(trace *t, size_t i, int64_t value);
/* Copies n cells from in to [first, first + n); every chunk touched becomes the trace's own. */
bool trace_write(trace *t, size_t first, size_t n, const void *in);
/* Makes all cells equal to the flat frame `in`, bit by bit; chunks that are equal already stay shared. */
bool trace_store(trace *t, const void *in);

/* True if all cells have the same bits (so NaN equals itself, and 0.0 differs from -0.0).  Shared parts cost nothing.
 * Both traces have the same length and chunk size. */
bool trace_equal(const trace *a, const trace *b);

/* Chunks in order, k < heap->chunks.  Cells [first, first + n) lie at the result, which is borrowed until the trace is
 * written or freed.  first and n may be NULL. */
const void *trace_chunk(const trace *t, size_t k, size_t *first, size_t *n);
/* The same for writing, borrowed until the trace is cloned or freed; NULL if the host has no memory. */
void *trace_chunk_edit(trace *t, size_t k, size_t *first, size_t *n);

/* Exact bytes of the blocks below one handle; each block is counted once, however often it occurs. */
typedef struct trace_stats {
  size_t own_bytes;    /* blocks no other handle reaches: what trace_free would give back */
  size_t shared_bytes; /* blocks that others reach too, the zero tree not included */
  size_t zero_bytes;   /* blocks of the zero tree */
  size_t own_chunks, shared_chunks; /* chunks among them; the other chunks of the frame are the zero chunk */
} trace_stats;

/* O(blocks).  No other thread may write or free a trace that shares blocks meanwhile, or the split between own and
 * shared is that of some moment in between. */
trace_stats trace_measure(const trace *t);

#endif
