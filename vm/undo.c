/* undo.c: the parts of the undo log that are off the path of each write. */
#include "vm/undo.h"

#include <assert.h>
#include <string.h>

enum { FIRST_RECORDS = 64 };

void undo_init(undo_log *u, const aim_alloc *alloc) {
  memset(u, 0, sizeof *u);
  u->alloc = alloc;
}

void undo_free(undo_log *u) {
  alloc_put(u->alloc, u->records, u->cap * sizeof *u->records);
  undo_init(u, u->alloc);
}

bool undo_reserve(undo_log *u, size_t n) {
  if (n <= u->cap) return true;
  size_t bytes = alloc_bytes(n, sizeof *u->records);
  if (!bytes) return false;
  undo_record *records = u->alloc->fn(u->alloc->user, u->records, u->cap * sizeof *u->records, bytes);
  if (!records) return false;
  u->records = records;
  u->cap = n;
  return true;
}

bool undo_grow(undo_log *u) { return undo_reserve(u, u->cap ? alloc_bytes(u->cap, 2) : FIRST_RECORDS) && u->n < u->cap; }

size_t undo_mark(undo_log *u) {
  u->depth++;
  return u->n;
}

void undo_rollback(undo_log *u, void *frame, size_t mark) {
  assert(u->depth > 0 && mark <= u->n);
  while (u->n > mark) {
    const undo_record *r = &u->records[--u->n];
    memcpy((char *)frame + 8 * r->cell, &r->bits, 8);
  }
  u->depth--;
}

void undo_commit(undo_log *u, size_t mark) {
  assert(u->depth > 0 && mark <= u->n);
  (void)mark;
  if (--u->depth == 0) u->n = 0;
}
