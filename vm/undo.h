/* undo.h: takes back writes to a flat frame of cells.
 *
 * A single chain works in place on one frame.  Before it writes a cell it records the cell's offset and old value;
 * a rejected proposal is rolled back, an accepted one committed.  This costs 16 bytes and a few instructions for
 * each write, whatever the length of the frame, where a copy of the frame would cost its length.
 *
 * Marks nest (a transaction within a proposal): an inner commit hands its records to the enclosing mark, the
 * outermost commit forgets them.  The buffer grows by doubling and never shrinks, so after warm-up nothing allocates.
 * A log is used by one thread at a time. */
#ifndef AIM_VM_UNDO_H
#define AIM_VM_UNDO_H

#include "lang/alloc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct undo_record {
  size_t cell;   /* offset in the frame, in cells */
  uint64_t bits; /* what the cell held */
} undo_record;

typedef struct undo_log {
  const aim_alloc *alloc; /* borrowed; outlives the log */
  undo_record *records;   /* oldest first; [0, n) since the outermost mark */
  size_t n, cap;
  size_t depth; /* open marks */
} undo_log;

void undo_init(undo_log *u, const aim_alloc *alloc);
void undo_free(undo_log *u);

/* Room for n records in all.  False if the host has no memory; the log is then as before. */
bool undo_reserve(undo_log *u, size_t n);

/* Opens a mark; close it with undo_rollback or undo_commit, innermost first. */
size_t undo_mark(undo_log *u);

bool undo_grow(undo_log *u);

/* Records that cell i of the frame is about to be written; a mark is open.  False if the host has no memory: then the
 * cell must not be written, and the marks can still be rolled back.  Recording a cell twice is correct, only longer:
 * records are restored newest first. */
static inline bool undo_note(undo_log *u, const void *frame, size_t i) {
  if (u->n == u->cap && !undo_grow(u)) return false;
  undo_record *r = &u->records[u->n++];
  r->cell = i;
  __builtin_memcpy(&r->bits, (const char *)frame + 8 * i, 8);
  return true;
}

/* Restores every cell recorded since the mark, and closes it. */
void undo_rollback(undo_log *u, void *frame, size_t mark);

/* Keeps what was written since the mark, and closes it. */
void undo_commit(undo_log *u, size_t mark);

#endif
