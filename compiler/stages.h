/* stages.h: an evaluation cut at its large sums, so that threads can share them.
 *
 * A top-level plate of fn with one axis and nothing but real sums as outputs, long and dear enough, becomes a *stage*.  fn is
 * replaced by functions that an engine loads as any others:
 *
 *   @NAME.before.S   parameters of fn, totals of the stages before S      -> what the plate reads, its live values
 *   @NAME.part.S     parameters of fn, live values of S, block number     -> for each output, the sum over that block
 *   @NAME            parameters of fn, totals of all stages               -> results of fn
 *
 * A block is 4096 iterations, so the totals, one for each block, are what the canonical sum adds up in its last step: @NAME does
 * that, and results are those of fn bit for bit, whoever computes the blocks in whatever order. */
#ifndef AIM_COMPILER_STAGES_H
#define AIM_COMPILER_STAGES_H

#include "compiler/ir.h"

enum { STAGE_BLOCK = 4096 };

typedef struct stage {
  const char *before, *part;
  size_t nlive, noutputs;
  const size_t *live;  /* [nlive] cells of each live value */
  const size_t *cells; /* [noutputs] cells of one block's sum */
  size_t blocks;
} stage;

/* Cuts fn where a plate's flops reach `least` and its blocks 2, as the sizes are bound now.  Returns the number of stages; 0
 * leaves fn alone.  After a cut fn is no function of m any more, though it lives as long. */
size_t stages_cut(ir_module *m, ir_fn *fn, int64_t least, stage **out);

#endif
