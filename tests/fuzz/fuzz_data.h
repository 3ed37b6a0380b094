/* fuzz_data.h: reads bytes with one reader and checks every invariant that data.h states.  A hash of the input chooses whether an allocation
 * fails, and which: files are inputs as they are. */
#ifndef AIM_TESTS_FUZZ_DATA_H
#define AIM_TESTS_FUZZ_DATA_H

#include "compiler/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct fuzz_heap {
  long live, calls, fail_at;
} fuzz_heap;

static void *fuzz_fn(void *user, void *ptr, size_t old_size, size_t size) {
  fuzz_heap *h = user;
  (void)old_size;
  if (size == 0) {
    if (ptr) h->live--;
    free(ptr);
    return NULL;
  }
  if (h->fail_at && ++h->calls >= h->fail_at) return NULL;
  void *p = realloc(ptr, size);
  if (!ptr && p) h->live++;
  return p;
}

static void fuzz_check(const data_set *ds, arena *a) {
  for (size_t k = 0; k < ds->n; k++) {
    const data_array *x = ds->arrays[k];
    size_t cells, missing = 0;
    if (data_cells(x->rank, x->dims, &cells) < 0 || cells != x->cells || data_find(ds, x->name) != x) abort();
    for (size_t i = 0; i < cells; i++) {
      bool gone = x->missing && x->missing[i];
      missing += gone;
      if (gone && (x->kind == DATA_REAL ? !isnan(x->f64[i]) : x->i64[i] != 0)) abort();
      if (x->kind == DATA_BOOL && (x->i64[i] & ~1)) abort();
      if (x->kind == DATA_TEXT && (x->i64[i] < !gone || x->i64[i] > (int64_t)x->n_levels)) abort();
    }
    for (size_t i = 1; i < x->n_levels; i++)
      if (strcmp(x->levels[i - 1], x->levels[i]) >= 0) abort();
    if (missing != x->n_missing || (x->missing && !missing)) abort();
    if (missing == cells && x->kind != DATA_INT) abort();
    if (cells) data_cell_where(x, cells - 1, a);
  }
}

/* The part that may jump, apart from what must survive the jump. */
static void fuzz_read(int (*read)(data_set *, const char *, const char *, size_t), arena *a, const char *bytes, size_t n) {
  jmp_buf here;
  a->oom = &here;
  if (setjmp(here)) return;
  diag_list diags;
  data_set ds;
  diag_init(&diags, a);
  data_init(&ds, a, &diags);
  int status = read(&ds, "fuzz", bytes, n);
  if ((status == 0) != (ds.n_errors == 0) || (ds.n_errors && !diags.n)) abort();
  fuzz_check(&ds, a);
}

static int fuzz_data(int (*read)(data_set *, const char *, const char *, size_t), const char *bytes, size_t n) {
  uint32_t hash = 2166136261u; /* FNV-1a */
  for (size_t i = 0; i < n; i++) hash = (hash ^ (unsigned char)bytes[i]) * 16777619u;
  fuzz_heap heap = {.fail_at = hash >> 24 & 3 ? 0 : 1 + (hash >> 26)};
  aim_alloc alloc = {fuzz_fn, &heap};
  arena a;
  arena_init(&a, &alloc, 0);
  fuzz_read(read, &a, bytes, n);
  arena_free(&a);
  if (heap.live) abort();
  return 0;
}

#endif
