/* csv_writer.h: the draws of one chain as a CmdStan CSV file, which ArviZ, R's posterior and cmdstanr open as it is.
 *
 * What is on disk.  Rows go into a buffer and reach the file with write(2) in whole lines only, so that a file cut short by
 * a signal or a crash of the process ends in a complete row.  What waits in the buffer (64 KiB, or one row) is lost then:
 * a driver calls csv_flush as often as it wants to bound that.  A full disk may cut the last write; the writer then takes the
 * file back to the end of its last whole row and reports ENOSPC.
 *
 * Two runs at once.  A run owns its output directory through a lock (csv_lock_take): the file `.aim-lock` with an
 * flock(2) on it, which the kernel drops when the process ends however it ends, so that no stale lock is ever left in
 * the way.  The second run gets CSV_BUSY and a message.  Existing files are replaced when a run starts, never later: the
 * writer creates `NAME.part` anew, writes the header, and renames it over NAME, so that a reader sees the old file
 * whole or the new one.  Where the file system has no flock the lock fails with its errno.  A path that is a device
 * or a pipe (/dev/stdout) is written in place.
 *
 * Numbers are the shortest of 15, 16 or 17 digits that reads back as the same bits, in any locale.  Infinities and NaN are
 * written inf, -inf and nan.
 *
 * Status.  Every function that writes returns 0 or an errno value; after a failure the writer only repeats it.
 * Nothing here prints. */
#ifndef AIM_VM_CSV_WRITER_H
#define AIM_VM_CSV_WRITER_H

#include "lang/alloc.h"
#include "stdlib/runtime/rt_factor.h"
#include "vm/draws.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the header says of the run.  Texts are borrowed for the call of csv_open. */
typedef struct csv_info {
  const char *model;     /* model name */
  const char *method;    /* "nuts", whose settings the header then has; or another */
  const char *version;   /* of AIM */
  const char *data;      /* data file, or "" */
  uint64_t seed;
  int chain;             /* from 1 */
  int64_t warmup, samples;
  int64_t thin;          /* 0 means 1 */
  bool save_warmup;
  bool biased;           /* the draws are of no distribution that the model tells, and a line says so */
  double delta;          /* target of the acceptance statistic */
  int max_depth;
  const char *metric;    /* "diagonal", "fisher", "dense", "lowrank" or "auto"; NULL is diagonal */
  double stepsize;       /* initial */
} csv_info;

typedef struct csv_writer csv_writer;

/* Takes the lock of an existing directory.  Returns 0 and the descriptor, EWOULDBLOCK if another run holds it, or
 * another errno. */
int csv_lock_take(const char *directory, int *lock /* OUT */);
void csv_lock_drop(int lock);

/* Starts `path`.  The store gives the columns' names and must outlive the writer.  At most 0666 less the umask. */
int csv_open(csv_writer **w /* OUT */, const aim_alloc *alloc, const char *path, const draws *columns, const csv_info *info);
/* Goes on with a file of which `offset` bytes, whole lines, stay.  EINVAL if it is shorter or no file. */
int csv_reopen(csv_writer **w /* OUT */, const aim_alloc *alloc, const char *path, const draws *columns, uint64_t offset);
uint64_t csv_written(const csv_writer *w); /* bytes in the file, without those that wait */
/* Between warm-up and sampling: step size and the diagonal of the inverse mass matrix [n]. */
int csv_adaptation(csv_writer *w, double stepsize, const double *inverse_mass, size_t n);
/* The same of a metric with a factor: rows of a dense inverse mass matrix; the scale, eigenvalues and eigenvectors of a low-rank one. */
int csv_adaptation_factor(csv_writer *w, double stepsize, const rt_factor *factor);
/* One row: stats [DRAWS_N_STATS], values [draws_columns]. */
int csv_row(csv_writer *w, const double *values, const double *stats);
/* The same from row-major cells of the quantities one after the other, as draws_add_cells takes them. */
int csv_row_cells(csv_writer *w, const double *cells, const double *stats);
int csv_flush(csv_writer *w);
/* Elapsed seconds, at the end. */
int csv_elapsed(csv_writer *w, double warmup, double sampling);
/* Flushes, closes and frees; the status of the whole file.  NULL gives 0. */
int csv_close(csv_writer *w);

#endif
