/* ir_cost.h: what executing a function costs, symbolically in the sizes and as numbers once these are bound.
 *
 * Flops are those of the table, times the iterations around; the dense operations count their own (m n k multiply-adds for
 * a product, n^3 / 3 for a Cholesky factor).  Bytes are those of array elements read by `at` and dense operations and written
 * by loop outputs and `put`: what moves if nothing stays in registers or cache.  Of an `if` the
 * dearer branch counts where sizes do not matter, else both; a loop whose extent is neither a literal nor a size counts as one iteration, and the cost is then a
 * lower bound (exact false). */
#ifndef AIM_COMPILER_IR_COST_H
#define AIM_COMPILER_IR_COST_H

#include "compiler/ir.h"

typedef struct ir_cost {
  ir_size flops, read, written; /* flops and bytes; IR_SIZE_NONE when the polynomial passed the limits of size.h */
  bool exact;
} ir_cost;

/* Of the whole function; calls count their callee's body. */
ir_cost ir_cost_fn(ir_fn *fn);
/* Of one operation with its blocks, executed once. */
ir_cost ir_cost_op(ir_fn *fn, ir_op *op);

/* Numbers with the sizes as bound; false when one is missing, or overflows. */
typedef struct ir_cost_number {
  int64_t flops, read, written;
} ir_cost_number;
bool ir_cost_eval(const ir_module *m, ir_cost cost, ir_cost_number *out /* OUT */);

#endif
