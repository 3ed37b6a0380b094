/* history.h: the kept draws of a chain, each a whole frame, sharing what did not change between draws.
 *
 * A draw is a clone of the draw before plus the cells that changed.  A draw that changes c cells thus costs at most c
 * chunks and their paths, not a frame; reading a cell of any draw costs a walk of a few loads.
 *
 * Chunks have 64 cells here unless the options say otherwise.  Measured on frames of 1e5 cells: with 50 scattered
 * changes to a draw the draws take 1/24 of flat copies (1/4 with the 512 cells of trace.h); with every cell changed in
 * each draw, 1.05 of flat copies (1.01 with 512).
 *
 * Owned by one thread at a time.  The draws are traces of the history's own heap; trace_clone_to hands one to
 * another thread. */
#ifndef AIM_VM_HISTORY_H
#define AIM_VM_HISTORY_H

#include "vm/trace.h"

typedef struct trace_history {
  trace_heap heap;
  trace *draws; /* [0, n) */
  size_t n, cap;
} trace_history;

enum { HISTORY_CHUNK_CELLS = 64 };

/* As trace_heap_init, but options->chunk_cells 0 means HISTORY_CHUNK_CELLS, or less if the frame is shorter.  The
 * history does not move afterwards. */
bool trace_history_init(trace_history *h, const aim_alloc *alloc, size_t cells, const trace_options *options);
void trace_history_free(trace_history *h);

/* Forgets all draws; blocks and table are kept for the next ones. */
void trace_history_clear(trace_history *h);

/* Room in the table for n draws in all.  False if the host has no memory. */
bool trace_history_reserve(trace_history *h, size_t n);

/* Blocks and bytes that n draws take at most when the cells that change from one draw to the next lie in a window of `window`
 * consecutive cells, and each window begins where the last one ended, going round the frame; the first draw is a whole frame.
 * bytes is SIZE_MAX where that does not fit.
 *
 * On each level of the tree the walk through the frame enters at most walk / span blocks, one more for each round begun, and each end of a
 * window within a block counts this block again. */
typedef struct trace_history_need {
  size_t chunks, nodes, bytes; /* bytes: of these, the tree of zeros and the table */
} trace_history_need;
trace_history_need trace_history_bound(const trace_history *h, size_t n, size_t window);
/* Takes them from the host, so that n such appends call it no more.  False if it has not enough; what it gave is kept. */
bool trace_history_prewarm(trace_history *h, size_t n, size_t window);
/* Gives back what lies idle: no more draws come. */
void trace_history_trim(trace_history *h);

/* Appends a draw.  Each returns false if the host has no memory: the history is then as before.
 * frame    [cells]  the flat frame as it is now
 * changed  [n]      offsets of all cells written since the last append, in any order, repetitions allowed; the draw
 *                   before the first is all zero.  A cell left out keeps its value of the draw before
 * trace_history_append_frame compares the whole frame instead: O(cells). */
bool trace_history_append(trace_history *h, const void *frame, const size_t *changed, size_t n);
bool trace_history_append_frame(trace_history *h, const void *frame);

/* Reading.  k < n, cells within the frame. */
double trace_history_real(const trace_history *h, size_t k, size_t cell);
int64_t trace_history_int(const trace_history *h, size_t k, size_t cell);
void trace_history_read(const trace_history *h, size_t k, size_t first, size_t n, void *out);
/* Cell `cell` of draws [first, first + n), 8 bytes each: the series a diagnostic wants. */
void trace_history_series(const trace_history *h, size_t cell, size_t first, size_t n, void *out);

/* Exact bytes taken from the host: blocks in use and kept free, and the table. */
size_t trace_history_bytes(const trace_history *h);

#endif
