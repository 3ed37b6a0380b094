/* cache.h: compiled objects on disk, by content.
 *
 * A file is named by a hash of its whole key and holds key, object and a checksum, all compared when it is read, so that neither a
 * collision nor a damaged file is ever run.  The directory must belong to the caller, with mode 0700, and is opened without
 * following links; else there is no cache.  Writers make a file of their own and rename it: readers see all of it or nothing. */
#ifndef AIM_CODEGEN_CACHE_H
#define AIM_CODEGEN_CACHE_H

#include "lang/alloc.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct cg_cache {
  int dir; /* -1: off */
} cg_cache;

/* Makes the directory (its parent must exist or be makeable) if it is not there.  Off, with *why, if it cannot be trusted. */
cg_cache cg_cache_open(const char *path, const char **why);
void cg_cache_close(cg_cache *c);
/* The object stored under this key, from alloc; NULL if there is none.  *size is also the size of the allocation. */
char *cg_cache_get(const cg_cache *c, const void *key, size_t nkey, const aim_alloc *alloc, size_t *size);
/* Failure to write is not an error: the next run compiles again. */
void cg_cache_put(const cg_cache *c, const void *key, size_t nkey, const void *object, size_t n);

#endif
