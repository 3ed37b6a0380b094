/* start_search.h: a state of finite density near one that is impossible, for walkers whose model no draw from the prior fits.
 *
 * Supports that other unknowns decide make almost every draw impossible: an animal that is seen after it has died, cut points that are to stand in order, colours of
 * which neighbours may not share one.  What is impossible is local, though: few elements have a conditional density of 0.  So these are changed, one after the other
 * (minimal conflicts; Minton et al. 1992): to a value that is possible given everything else, where there is one; else to one under which the fewest of the elements next
 * to it that were looked at before are impossible.  Sweeps go through the elements forwards and backwards, so that what a chain of states needs travels along it in one sweep.
 * Now and then all elements are moved, each to something possible. */
#ifndef AIM_VM_START_SEARCH_H
#define AIM_VM_START_SEARCH_H

#include "vm/mh_walk.h"

/* From the state in the walker's frame.  *found: no element is impossible there.  False with c->status where the walker cannot go on. */
bool start_search(mh_walk *c, uint64_t key, bool *found /* OUT */);

#endif
