/* pool.h: blocks of one size, kept for reuse between the host's allocator and those who need many of them.
 *
 * A block that is put back stays in the pool while fewer than `max` blocks are kept, and goes to the host otherwise;
 * so the pool bounds what lies idle, never what is in use.  Once the number of blocks in use has reached its peak
 * with `max` not in the way, get and put call the host no more.
 *
 * Threads: a pool has no lock.  One thread uses it at a time.  Threads that share blocks own a pool each: a block may
 * be put into another pool of the same block size and host than the one it came from (see `live`).
 *
 * Under AddressSanitizer each kept block is poisoned as a whole, so that a read after put is reported as it would be
 * after free, and each block is an object of the host's, so that an overrun is seen as well. */
#ifndef AIM_VM_POOL_H
#define AIM_VM_POOL_H

#include "lang/alloc.h"

#include <stdbool.h>
#include <stdint.h>

/* Counts since pool_init.  hits + misses is the number of successful gets. */
typedef struct pool_stats {
  uint64_t hits;    /* gets served by a kept block */
  uint64_t misses;  /* gets served by the host */
  uint64_t returns; /* puts that kept the block */
  uint64_t drops;   /* puts that gave it to the host because `max` blocks were kept */
  int64_t live;     /* gets minus puts: blocks in use.  With blocks that move between pools only the sum over the
                       pools counts blocks; one pool alone may then be below zero */
  size_t kept;      /* free blocks in the pool */
  size_t peak;      /* high-water mark, in bytes, of blocks in use and kept together */
} pool_stats;

typedef struct pool {
  const aim_alloc *alloc; /* borrowed; outlives the pool */
  struct pool_free *free; /* last put first, since its bytes are likely still in the cache */
  size_t block;           /* bytes of each block */
  size_t max, min;        /* most blocks kept by put; blocks kept by trim */
  pool_stats stats;
} pool;

enum { POOL_UNBOUNDED = 0 };

/* block  bytes of each block, raised to the size of a pointer; blocks are aligned as the host aligns.
 * max    most free blocks kept, POOL_UNBOUNDED for no bound.
 * min    free blocks that pool_trim leaves; 0 for max / 4, and for none in an unbounded pool. */
void pool_init(pool *p, const aim_alloc *alloc, size_t block, size_t max, size_t min);

/* Gives the kept blocks to the host.  Blocks in use stay valid; they can go to another pool only. */
void pool_free(pool *p);

/* A block with unspecified bytes, owned by the caller until put; NULL if the host has none. */
void *pool_get(pool *p);

/* Consumes a block of pool_get, of this pool or of its like.  NULL is allowed and does nothing. */
void pool_put(pool *p, void *block);

/* Takes blocks from the host until `count` are kept, or `max` if that is less.  False if the host refused; those
 * taken until then are kept.  These are no misses. */
bool pool_prewarm(pool *p, size_t count);

/* Gives kept blocks to the host until `min` are left. */
void pool_trim(pool *p);

/* Bytes taken from the host by this pool and not given back by it: (live + kept) * block. */
int64_t pool_bytes(const pool *p);

#endif
