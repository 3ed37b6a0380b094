/* run_starts.h: chains kept out of modes without mass, or told of where they are not; see run_starts.c. */
#ifndef AIM_VM_RUN_STARTS_H
#define AIM_VM_RUN_STARTS_H

#include "vm/run.h"

typedef struct run_starts run_starts;

/* Doubles of workspace that a thread needs for the two functions below; 0 if dim is too large. */
size_t run_starts_doubles(size_t dim);
/* Looks for modes, on the run's threads.  *starts: what was found, in r->mem; NULL: nothing, and chains begin at random. */
run_status run_starts_find(run *r, run_starts **starts /* OUT */);
/* Where a chain begins: q [dim], the same whatever chains there are beside it.  False: at random. */
bool run_starts_draw(const run_starts *s, int chain, eval_worker *w, double *work, double *q /* OUT */);
/* Whether a chain that began at random, and has met no log density above `top` in the first part of warm-up, should rather go on from q [dim]: where a trial
 * path led, the posterior has far more density.  As above, the same whatever chains there are. */
bool run_starts_again(const run_starts *s, int chain, double top, eval_worker *w, double *work, double *q /* OUT */);
/* After the run: chain_state.missed of each chain.  RUN_OK, or RUN_E_MEMORY. */
run_status run_starts_judge(run_starts *s);

#endif
