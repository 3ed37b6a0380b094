/* gen_ir.h: random well-typed derived functions with inputs, for tests of passes, engines and derivations.
 *
 * A function takes data (reals and index arrays) and unconstrained reals and returns one real.  Its operations stay within
 * their domains whatever the values (log of 1 + x^2, division by 1 + x^2, Cholesky of x x' + c I, gathers by data in
 * range), values stay moderate (tanh and the like bound them), and with `smooth` every operation is differentiable and
 * nothing branches on a real that varies with a parameter.  One seed, one function, on every machine. */
#ifndef TESTS_GEN_IR_H
#define TESTS_GEN_IR_H

#include "compiler/ir.h"
#include "tests/ref_eval.h"

typedef struct gen_options {
  int size;     /* roughly the number of operations; 0: 40 */
  bool smooth;  /* differentiable in every UNCON parameter */
  bool dense;   /* matmul, cholesky, trisolve */
  bool loops;   /* plates, scans */
  bool draws;   /* a key parameter (last) and random draws */
  bool calls;   /* one or two library functions beside it, called */
  bool wide;    /* axes of all arrays may be longer than what machine code takes apart */
} gen_options;

/* All but draws and wide. */
gen_options gen_default(void);

/* Adds a function (and its callees) to m, named by the seed; binds the size symbols it makes (0..12, sometimes 40 or
 * 100) in m's table.  A module should hold one generated function, as symbols are shared by name.  *in, when not NULL, gets
 * an array for each parameter in mem.  The result verifies. */
ir_fn *gen_fn(ir_module *m, uint64_t seed, const gen_options *options, arena *mem, ref_array **in);

#endif
