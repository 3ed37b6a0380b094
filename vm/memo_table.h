/* memo_table.h: results that a worker keeps, by the bits of what they were computed from (compiler/memo.h).
 *
 * A table has room for `size` keys of `key` cells with `value` cells each; when it is full, what was asked for least recently goes.  It lives in memory of the
 * caller's, is used by one thread, and allocates nothing.
 *
 * A search that finds nothing makes an entry at once, for which its handle stands: memo_keep gives it the value, unless a later search has taken its place. */
#ifndef AIM_VM_MEMO_TABLE_H
#define AIM_VM_MEMO_TABLE_H

#include "compiler/contract.h"

typedef struct memo_table memo_table;

typedef struct memo_part {
  const exec_cell *p;
  int64_t n;
} memo_part;

/* Bytes of a table; 0 where that overflows. */
size_t memo_bytes(uint32_t size, int64_t key, int64_t value);
/* `memory` is aligned for any type. */
memo_table *memo_make(void *memory, uint32_t size, int64_t key, int64_t value);

/* The key is the parts one after the other.  Returns a handle, not negative where the value was there: it is then in `value`. */
int64_t memo_find(memo_table *t, size_t parts, const memo_part *part, exec_cell *value /* OUT */);
void memo_keep(memo_table *t, int64_t handle, const exec_cell *value);

void memo_count(const memo_table *t, exec_memo *sum /* added to */);

#endif
