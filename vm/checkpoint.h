/* checkpoint.h: how far a chain has come, on disk beside its draws, so that an interrupted run goes on to the same bits.
 *
 * A file holds a record and the chain at rest behind it (nuts_chain.h, mh_walk.h), as this build has them in memory.  It is written to a temporary name and
 * renamed, so it is whole or the one before; a sum over all bytes tells a damaged one.  What decides the draws stands in it as a fingerprint.
 *
 * Rows reach the CSV file before the checkpoint that counts them, so a file that a killed run left has at least those; what is behind
 * `offset` is cut off and made again. */
#ifndef AIM_VM_CHECKPOINT_H
#define AIM_VM_CHECKPOINT_H

#include "vm/run.h"

typedef struct checkpoint {
  char magic[8];
  uint64_t fingerprint;
  uint64_t bytes;        /* of the chain behind the record; 0: it is over, and its rows are all there is to tell */
  uint64_t over;         /* it has ended */
  uint64_t chain, done;  /* its number; transitions */
  uint64_t rows, offset; /* complete rows, and the bytes of the CSV file up to there */
  uint64_t divergent;
  double seconds[2];
  run_tally tally;
  eval_faults faults;
  uint64_t sum;          /* of the rest of the record and the chain */
} checkpoint;

/* Of all that decides the draws of a run: version, sources (those of the program, without what flags say), options, data, and how sites are sampled. */
uint64_t checkpoint_fingerprint(const run *r, const source_map *sources, const char *version);

/* Of the program and its data alone: what a run that is read back has to agree in. */
uint64_t checkpoint_model(const program *p, const source_map *sources);

/* Fills in magic and sum of the record at the head of `bytes` [sizeof(checkpoint) + its `bytes`] and writes both.  0 or an errno value, with the old file
 * as it was.  Allocates nothing. */
int checkpoint_write(const char *path, const char *temporary, checkpoint *bytes);

typedef enum checkpoint_state { CHECKPOINT_FINE, CHECKPOINT_ABSENT, CHECKPOINT_DAMAGED } checkpoint_state;
/* Reads one, into memory of a; *out is NULL unless it is fine. */
checkpoint_state checkpoint_read(const char *path, arena *a, checkpoint **out);

/* Reads the rows of a CSV file of ours, as far as `offset`, into the store.  False, with none of them there, unless they are `rows` whole ones.
 * frame: of a store of frames, room for one, with what it is to have where latents are not kept; else NULL. */
bool checkpoint_rows(const char *path, uint64_t offset, uint64_t rows, draws *into, int chain, void *frame, arena *scratch);

#endif
