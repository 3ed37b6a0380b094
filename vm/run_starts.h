/* run_starts.h: beginnings of chains out of modes without mass; see run_starts.c. */
#ifndef AIM_VM_RUN_STARTS_H
#define AIM_VM_RUN_STARTS_H

#include "vm/run.h"

typedef struct run_starts run_starts;

/* Looks for modes, on the run's threads.  *starts: where chains are to begin, in r->mem; NULL: at random. */
run_status run_starts_find(run *r, run_starts **starts /* OUT */);
/* Where a chain begins: q [dim], the same whatever chains there are beside it.  work [dim].  False: at random. */
bool run_starts_draw(const run_starts *s, int chain, eval_worker *w, double *q, double *work);

#endif
