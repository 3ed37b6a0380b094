/* interp.h: the interpreter, the reference engine of compiler/contract.h.
 *
 * A derived function is compiled, once and at load, into a linear program of small instructions (interp_code.h).  Sizes have
 * numbers by then, so every array has its place in one block of memory, found by lifetimes, and a call allocates nothing.
 * Plates run on columns of up to 256 iterations at once, through the kernels of stdlib/runtime; what cannot run that way
 * runs one iteration at a time with the same bits.  docs/internals.md tells the design.
 *
 * Data parameters are bound by name.  The r-th result of @prepare, from 1, is the frame parameter "frame.<r>" of the other
 * functions.  Model functions, and functions with a parameter of role PLAIN, are not programs and are left out. */
#ifndef AIM_VM_INTERP_H
#define AIM_VM_INTERP_H

#include "compiler/contract.h"

extern const exec_engine interp_engine;

/* For tests and explain: which way each outermost plate of function fn runs.  Vector plates, and all plates emitted. */
void interp_plates(const exec_program *p, int fn, unsigned *vector, unsigned *all);

#endif
