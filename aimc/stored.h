/* stored.h: runs that are over, from the directory that --out named. */
#ifndef AIMC_STORED_H
#define AIMC_STORED_H

#include "aimc/aimc.h"

typedef struct stored {
  const char *directory;
  aim_program *p;
  aim_task *t; /* has run */
} stored;

/* Loads program and data as the run was given them, and reads its draws.  An exit status; what is there is freed by stored_close in any case.
 * pointwise: log likelihoods will be asked for. */
int stored_open(const args *a, aim_vm *vm, const char *directory, bool pointwise, stored *out /* OUT */);
void stored_close(stored *s);

#endif
