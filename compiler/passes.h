/* passes.h: what turns a derived function into a faster one with the same meaning.
 *
 * A pass is a file with one entry, its contract above it.  Each takes a function that ir_verify accepts, leaves one that it
 * accepts, and returns true if it changed anything.  None touches MODEL operations, so all may run on a model as well.
 *
 * What a pass promises about values:
 *   EXACT   the same bits for every input (signs and payloads of NaN apart)
 *   ROUND   the same value up to roundings; it runs before any engine sees the function, so engines still agree bit for bit */
#ifndef AIM_COMPILER_PASSES_H
#define AIM_COMPILER_PASSES_H

#include "compiler/ir.h"

bool pass_inline(ir_module *m, ir_fn *fn);    /* EXACT  calls become their callee's body */
bool pass_fold(ir_module *m, ir_fn *fn);      /* ROUND  constants, identities, loops over nothing: exact, but that x + 0.0 keeps -0.0 and pow by a small literal is its product or root */
bool pass_cse(ir_module *m, ir_fn *fn);       /* EXACT  equal operations become one */
bool pass_dce(ir_module *m, ir_fn *fn);       /* EXACT  operations, loop results and states that nothing reads go */
bool pass_hoist(ir_module *m, ir_fn *fn);     /* EXACT  what does not vary in a loop moves out of it */
bool pass_strength(ir_module *m, ir_fn *fn);  /* ROUND  expressions become cheaper ones: inverses cancel, literals and signs gather */
bool pass_divide(ir_module *m, ir_fn *fn);    /* ROUND  divisions in loops, and by one value, become products with its reciprocal */
bool pass_lift(ir_module *m, ir_fn *fn);      /* EXACT  what an inner plate computes from its own index alone leaves the loop around it */
bool pass_keep(ir_module *m, ir_fn *fn);      /* EXACT  what went into a matrix that is factorised is read, not computed again */
bool pass_sum(ir_module *m, ir_fn *fn);       /* ROUND  sums of what does not vary become products */
bool pass_factor(ir_module *m, ir_fn *fn);    /* ROUND  factors that do not vary leave the sum */
bool pass_unroll(ir_module *m, ir_fn *fn);    /* ROUND  short loops of known length are written out */
bool pass_choose(ir_module *m, ir_fn *fn);    /* EXACT  a choice between two results of one function is made among its operands */
bool pass_root(ir_module *m, ir_fn *fn);      /* ROUND  a state read only through the inverse of what makes it: the scan carries what that gives */
bool pass_recurrence(ir_module *m, ir_fn *fn); /* ROUND  of a scan with one state the chain stays, the rest becomes plates */
bool pass_split(ir_module *m, ir_fn *fn);     /* EXACT  costly work of a scan that needs no state becomes a plate before it */
bool pass_carry(ir_module *m, ir_fn *fn);     /* EXACT  array states read one step later are carried */
bool pass_copy(ir_module *m, ir_fn *fn);      /* EXACT  loops that only copy an array become the array; scans without state plates */
bool pass_fuse(ir_module *m, ir_fn *fn);      /* EXACT  plates over one box become one plate */
bool pass_fma(ir_module *m, ir_fn *fn);       /* ROUND  a product that feeds one sum becomes fma; last */

/* ROUND  sums over data become products with statistics of the data.  Not of pass_table: it adds to @prepare (*prepare, made where there is
 * none), so it is for functions of a program, after passes_structural and before differentiation. */
bool pass_statistics(ir_module *m, ir_fn *fn, ir_fn **prepare);
bool pass_rows(ir_module *m, ir_fn *fn);      /* EXACT  a matrix times a vector is computed where its rows are read */
bool pass_select(ir_module *m, ir_fn *fn);    /* EXACT  conditions in plates become choices of values; behind differentiation */
bool pass_share(ir_module *m, ir_fn *fn);     /* EXACT  functions of one exponential share it */
/* These two add to @prepare; a function that they change has parameters "frame.<r>" more (frame.h). */
bool pass_frame(ir_module *m, ir_fn *fn);     /* ROUND  what a loop computes from data alone is computed by @prepare */
bool pass_layout(ir_module *m, ir_fn *fn);    /* EXACT  matrices of data that loops read by rows are kept by columns */

typedef struct pass_info {
  const char *name;
  bool (*run)(ir_module *m, ir_fn *fn);
  bool exact;
} pass_info;
extern const pass_info pass_table[];
extern const size_t pass_count;

/* The pipeline: all of the above in their order, the structural ones to a fixed point (bounded).  For every function on its
 * way to an engine; what derivations need beforehand (inlining, say) they call by name. */
void passes_run(ir_module *m, ir_fn *fn);
/* The first part of it: for a density from which terms are cut. */
void passes_structural(ir_module *m, ir_fn *fn);
/* That and what changes loops: for a function that is to be differentiated. */
void passes_before_grad(ir_module *m, ir_fn *fn);
/* What a function computes from data alone goes to @prepare, after passes_structural and before a derivation.  by_columns: it
 * goes through data from end to end, so that a matrix kept by columns pays. */
void passes_data(ir_module *m, ir_fn *fn, bool by_columns);

/* What engines compute for an operation of one, two or three reals (others are not read); false where it is none. */
bool fold_real_value(int code, double a, double b, double c, double *r /* OUT */);

#endif
