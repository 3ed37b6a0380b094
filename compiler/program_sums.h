/* program_sums.h: the part of program_build that sums finite unknowns out. */
#ifndef AIM_COMPILER_PROGRAM_SUMS_H
#define AIM_COMPILER_PROGRAM_SUMS_H

#include "compiler/program.h"

/* The model whose unknowns are the continuous ones, and that which draws the others given these, or finds the most likely; p->ir and NULL where p->sums wants none of
 * it, or there are no finite unknowns.  False after a diagnostic, with p->unsummed (SUMS_TRY), or with a fault of the module. */
bool program_collapse(program *p, ir_fn *prepare, bool most_likely, ir_fn **model, ir_fn **recovery);

#endif
