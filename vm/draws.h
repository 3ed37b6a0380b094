/* draws.h: posterior draws in memory.
 *
 * A store has columns, each a scalar quantity such as theta[3] or Sigma[1,2], and for each chain a row per draw.
 * All memory is taken once, by draws_create; adding a draw allocates nothing.
 *
 * Layout: per chain, per column, the draws follow each other (column-major inside a chain), because that is how
 * diagnostics read them: one column of one chain is one contiguous array.
 *
 * A shared store holds some of its quantities, those of a frame of cells, as copy-on-write frames (history.h) instead: for
 * chains that change few cells from draw to draw.  Its reading functions are the same.
 *
 * Rows reach their columns a few together, since a row touches every column and columns lie far apart.
 *
 * Threads: one thread writes each chain, and chains may be written at the same time.  The number of rows in the columns is
 * published with release order, so that any thread may read the rows below draws_count().  Columns of frames are an exception: they
 * are read when their chain is no longer written, and by draws_of in one thread at a time. */
#ifndef AIM_VM_DRAWS_H
#define AIM_VM_DRAWS_H

#include "lang/alloc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Statistics of the sampler, kept as columns of their own, in CmdStan's order. */
typedef enum draws_stat {
  DRAWS_LP, DRAWS_ACCEPT_STAT, DRAWS_STEPSIZE, DRAWS_TREEDEPTH, DRAWS_N_LEAPFROG, DRAWS_DIVERGENT, DRAWS_ENERGY,
  DRAWS_N_STATS
} draws_stat;
/* "lp__", "accept_stat__", ... */
const char *draws_stat_name(draws_stat stat);

/* A quantity as the model names it: a base name and extents; it makes one column per cell. */
typedef struct draws_quantity {
  const char *name;
  int rank;            /* 0 for a scalar; at most DRAWS_MAX_RANK */
  const int64_t *dims; /* [rank], each >= 0; an extent of 0 makes no column */
} draws_quantity;

enum { DRAWS_MAX_RANK = 16 };

typedef struct draws draws;

/* A store for the quantities, copied.  Columns of a quantity run with the first index fastest (CmdStan's order, which its
 * readers expect: Sigma[1,1], Sigma[2,1], ...).  NULL when memory fails, a product does not fit, or
 * chains < 1. */
draws *draws_create(const aim_alloc *alloc, const draws_quantity *q, size_t n, int chains, size_t capacity);

/* Where a quantity lies in a frame: row-major from cell `at`. */
typedef struct draws_place {
  size_t at;
  bool integer; /* cells are int64_t, else double */
} draws_place;

/* The frames of a shared store. */
typedef struct draws_frames {
  size_t cells;             /* of a frame */
  size_t n;                 /* the first n quantities of the store lie in it */
  const draws_place *place; /* [n] */
  size_t window;            /* what changes from draw to draw lies in a window of so many cells, as trace_history_bound has it */
} draws_frames;

/* The same with frames.  What `capacity` draws need at most is taken here, so adding a draw allocates nothing. */
draws *draws_create_shared(const aim_alloc *alloc, const draws_quantity *q, size_t n, int chains, size_t capacity, const draws_frames *f);
/* Bytes of the frames of all chains at most; SIZE_MAX if that does not fit, 0 when memory fails. */
size_t draws_frames_bound(const aim_alloc *alloc, const draws_frames *f, int chains, size_t capacity);
/* All chains are done: their last rows reach the columns, and what frames did not need is given back. */
void draws_settle(draws *d);
void draws_free(draws *d); /* NULL is fine */

size_t draws_columns(const draws *d);
int draws_chains(const draws *d);
size_t draws_capacity(const draws *d); /* rows per chain */
size_t draws_bytes(const draws *d);    /* taken from the host; of a shared store, while no chain is written */
bool draws_shared(const draws *d);     /* it has frames */

/* Column of the cell at row-major place `cell` of quantity q: what a sampler that fills row-major arrays needs. */
size_t draws_column(const draws *d, size_t q, size_t cell);
size_t draws_quantity_of(const draws *d, size_t column); /* inverse: which quantity */
size_t draws_cell_of(const draws *d, size_t column);     /* inverse: row-major place in it */
size_t draws_place_of(const draws *d, size_t column);    /* and among the cells of all quantities, one after the other */

/* Name of a column in `out` [size]: "theta[3]", "Sigma[1,2]".  Returns the length needed without the NUL, as snprintf. */
size_t draws_name(const draws *d, size_t column, char *out, size_t size);
/* The same as CmdStan spells it in a CSV header: "theta.3", and "hs:beta.2" of hs.beta[2]; commas and quotes of a name become others. */
size_t draws_csv_name(const draws *d, size_t column, char *out, size_t size);
/* The column of that name (either spelling), or (size_t)-1. */
size_t draws_find(const draws *d, const char *name);

/* Appends a row to a chain: values [draws_columns] in column order, stats [DRAWS_N_STATS].  Returns 0, or -1 when the
 * chain is full. */
int draws_add(draws *d, int chain, const double *values, const double *stats);
/* The same from row-major cells of the quantities one after the other, as models hold them. */
int draws_add_cells(draws *d, int chain, const double *cells, const double *stats);

/* Appends a row that is read back from a file: values [draws_columns] in column order.  frame: of a shared store a frame, in which the cells of its quantities
 * are replaced by the row's; else NULL.  0, -1 when the chain is full, 1 when memory fails. */
int draws_add_row(draws *d, int chain, const double *values, void *frame, const double *stats);

/* Takes the rows of a chain out again, before any is read.  The store is not shared. */
void draws_forget(draws *d, int chain);

/* Appends to a shared store: the frame as it is, the n cells that were written since the last call (the first copies the whole frame, and
 * so does changed NULL, by comparison), and row-major cells of the quantities outside frames.  Returns 0, -1 when the chain is full, 1 when
 * memory fails, which leaves the chain as it was. */
int draws_add_frame(draws *d, int chain, const void *frame, const size_t *changed, size_t n, const double *rest, const double *stats);

/* Rows that still wait reach their columns.  In the thread that writes the chain, or while none does. */
void draws_flush(draws *d, int chain);
size_t draws_added(const draws *d, int chain); /* rows of a chain, those that wait among them; where draws_flush may be called */
size_t draws_count(const draws *d, int chain); /* rows in the columns; all that were added, once the chain was flushed or is full */
/* The draws of one column of one chain, contiguous; borrowed, valid below draws_count.  A column of frames is copied together when it is
 * first asked for, and kept until draws_free; NULL when memory fails. */
const double *draws_of(const draws *d, int chain, size_t column);
const double *draws_stat_of(const draws *d, int chain, draws_stat stat);
/* Doubles from a draw of one chain to the same draw of the next, the same for every column outside frames: for diagnose.h. */
size_t draws_chain_stride(const draws *d);
/* The first n draws of a column, copied to out [n]: allocates nothing. */
void draws_series(const draws *d, int chain, size_t column, size_t n, double *out);
/* Quantity q of one draw, row-major, to out. */
void draws_cells(const draws *d, int chain, size_t draw, size_t q, double *out);
/* The whole frame of one draw, to out [cells of a frame, 8 bytes each].  The store is shared. */
void draws_frame(const draws *d, int chain, size_t draw, void *out);

#endif
