/* ir_uses.h: where values are used and defined, as passes need it.  Everything is computed by a walk over the function when
 * asked for and is stale after a change; nothing is kept in the IR. */
#ifndef AIM_COMPILER_IR_USES_H
#define AIM_COMPILER_IR_USES_H

#include "compiler/ir.h"

/* Uses of each value, those by the function's return among them. */
uint32_t *ir_use_counts(const ir_fn *fn, arena *mem);

/* Renames every use in fn by `map`, following chains: what a pass that replaces many values does once, at its end. */
void ir_rename_all(ir_fn *fn, const ir_map *map);
ir_val ir_renamed(const ir_map *map, ir_val v); /* v where it has no new name */
void ir_rename_uses(ir_op *op, const ir_map *map);

/* Every use of op and of the operations in its blocks. */
void ir_visit_region_uses(ir_op *op, ir_use_visitor *visit, void *user);

/* Unlinks op and puts it before `before`, or at the end of block when that is NULL. */
void ir_move(ir_op *op, ir_block *block, ir_op *before);

/* The block that v is visible in from its definition on: of the function for a parameter. */
const ir_block *ir_home(const ir_fn *fn, ir_val v);
/* Operations of the block that value v, of the block or from outside, needs, in order; *n of them. */
ir_op **ir_needed(const ir_fn *fn, const ir_block *block, ir_val v, arena *mem, size_t *n /* OUT */);
/* b is block or lies inside it. */
bool ir_block_within(const ir_block *b, const ir_block *block);

/* Sets the flags [nvals] of all values of fn that depend on one whose flag is set, through positions and extents as well.  What a
 * model draws is its own: it does not depend on the distribution's arguments. */
void ir_spread(bool *flags, const ir_fn *fn);

static inline bool ir_is_loop(const ir_op *op) { return op->code == IR_PLATE_OP || op->code == IR_SCAN_OP; }

/* Whether every position is in range by itself, whether or not the loops around it run. */
bool ir_positions_safe(const ir_fn *fn, const ir_axes *axes, ir_type array);

/* Two extents that are the same value or the same size. */
bool ir_same_extent(const ir_fn *fn, ir_val a, ir_val b);

/* Iterations of a loop as an int value before or behind it: the product of its extents, none below 0. */
ir_val ir_iterations(ir_builder *b, const ir_loop *loop);

#endif
