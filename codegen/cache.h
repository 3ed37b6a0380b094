/* cache.h: compiled objects on disk, by content.
 *
 * A file is named by a hash of its whole key and holds key, object and a checksum, all compared when it is read, so that neither a
 * collision nor a damaged file is ever run.  The directory must belong to the caller, with mode 0700, and is opened without
 * following links; so are the files, which must be plain, of one name, and the caller's too; else they are as good as absent.  Writers
 * make a file of their own and rename it: readers see all of it or nothing, and what a writer that died leaves is removed later.
 *
 * When the files outgrow a limit, those that were used longest ago go.  A file's time of change is that of its last use. */
#ifndef AIM_CODEGEN_CACHE_H
#define AIM_CODEGEN_CACHE_H

#include "lang/alloc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CG_CACHE_MOST ((uint64_t)256 << 20)

typedef struct cg_cache {
  int dir;         /* -1: off */
  uint64_t most;   /* bytes */
  const char *off; /* why it is off, static text; NULL when it is not */
  bool distrusted; /* the directory is there, and somebody else could write to it */
} cg_cache;

/* Makes the directory (its parent must exist or be makeable) if it is not there. */
cg_cache cg_cache_open(const char *path, uint64_t most);
void cg_cache_close(cg_cache *c);
/* The object stored under this key, from alloc; NULL if there is none.  *size is also the size of the allocation. */
char *cg_cache_get(const cg_cache *c, const void *key, size_t nkey, const aim_alloc *alloc, size_t *size /* OUT */);
/* Failure to write is not an error: the next run compiles again. */
void cg_cache_put(const cg_cache *c, const void *key, size_t nkey, const void *object, size_t n);

typedef struct cg_cache_state {
  uint64_t entries, bytes;
  uint64_t hits;           /* of the entries that are there; two hits at once may count as one */
} cg_cache_state;
cg_cache_state cg_cache_survey(const cg_cache *c);
/* Removes every entry, and nothing that the cache did not write.  Returns how many there were. */
uint64_t cg_cache_clear(const cg_cache *c);

#endif
