/* crew.h: threads that share one evaluation.
 *
 * Where @grad was cut into stages (compiler/stages.h), a crew runs it: the caller computes what stands between the large sums, and
 * caller and helpers take the blocks of a sum, one at a time.  Results do not depend on how many helpers there are or on who takes
 * what; 0 helpers is a crew of the caller alone.
 *
 * A crew belongs to one caller.  Helpers wait for work by looking for some microseconds and then by sleeping.  A call allocates
 * nothing. */
#ifndef AIM_VM_CREW_H
#define AIM_VM_CREW_H

#include "vm/eval.h"

/* For m->nstages > 0, calls of `own` through m->engine.  Starts as many of the helpers as the host has threads to give.  NULL: no
 * memory. */
eval_crew *eval_crew_new(const eval_model *m, exec_worker *own, size_t helpers, const aim_alloc *alloc);
void eval_crew_free(eval_crew *c); /* ends its threads; NULL is fine */

/* @grad at in [sites] to out [1 + sites], one lane: as the engine's call. */
exec_status eval_crew_grad(eval_crew *c, const exec_arg *in, exec_arg *out, exec_report *report);
/* As the engine's find_nan, of the last call, whose arguments must still be there. */
bool eval_crew_find_nan(eval_crew *c, const exec_arg *in, exec_report *report);

#endif
