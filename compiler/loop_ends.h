/* loop_ends.h: loops whose ends are data.
 *
 * `for t in first[i] + 1..T` is to the IR a loop of so many iterations, whose index counts from 0.  What wants to know which elements it meets, in a sum over all
 * positions or of one element alone, takes t less a size as the index, over all that it may be, and a condition. */
#ifndef AIM_COMPILER_LOOP_ENDS_H
#define AIM_COMPILER_LOOP_ENDS_H

#include "compiler/ir.h"

/* Every iteration looks at some element of an array, at t plus a size, which says what t may be. */
typedef struct loop_ends {
  ir_val start;          /* t is the loop's index plus this; 0: t is the index */
  ir_size first, extent; /* the numbers that t may be; IR_SIZE_NONE: that is not told */
} loop_ends;

loop_ends loop_ends_of(const ir_fn *fn, const ir_loop *loop, uint32_t axis);
/* Whether the loop reads an array of `arrays`, by value of fn, at a position that its index decides: if not, it matters to none of their elements which iterations there are. */
bool loop_ends_matter(const ir_fn *fn, const ir_loop *loop, uint32_t axis, const bool *arrays, arena *mem);
/* op is a + b. */
bool loop_ends_add(const ir_op *op, ir_val a, ir_val b);

#endif
