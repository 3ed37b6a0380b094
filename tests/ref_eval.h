/* ref_eval.h: a deliberately simple evaluator of derived functions, the oracle for engines, passes and derivations.
 *
 * One scalar at a time, straight from docs/ir.md, in one of two precisions:
 *   REF_DOUBLE  stdlib/runtime's functions on doubles: an engine must return the same bits (chol_adj: the same up to
 *               roundings, its order of operations is not part of the meaning)
 *   REF_LONG    the C library's on long double (x87: 64 bits of mantissa): for finite differences and error bounds.
 *               Draws are the double draws of the parameters rounded to double.
 * Sizes must be bound in the module's table.  Everything returned lives in `mem`, whose failure the caller catches. */
#ifndef TESTS_REF_EVAL_H
#define TESTS_REF_EVAL_H

#include "compiler/ir.h"

typedef enum ref_precision { REF_DOUBLE, REF_LONG } ref_precision;

typedef struct ref_cell {
  long double real; /* of real values; holds any double exactly */
  int64_t integer;  /* of int, bool and key */
} ref_cell;

/* Row-major; a scalar is one cell. */
typedef struct ref_array {
  size_t n;
  ref_cell *cell;
} ref_array;

typedef enum ref_status { REF_OK, REF_BOUND, REF_REFUSED } ref_status;

typedef struct ref_report {
  const char *why;       /* REF_REFUSED: an unbound size, a negative extent, a MODEL operation, ... */
  const ir_op *op;       /* that failed, or whose guard failed first */
  int64_t index, extent; /* REF_BOUND; `at` and the positions of outputs are checked as well */
  uint64_t guards;       /* guards that failed */
  uint64_t steps;        /* operations executed */
} ref_report;

/* in: one array for each parameter of fn, data and all; out: fn->nret arrays, filled. */
ref_status ref_eval(ref_precision precision, const ir_fn *fn, arena *mem, const ref_array *in, ref_array *out, ref_report *report);

/* Cells that a value of this type has with the sizes as bound; -1 if a size is unbound or negative, or the product too large. */
int64_t ref_count(const ir_module *m, ir_type t);

/* Convenience. */
ref_array ref_reals(arena *mem, size_t n, const double *x);
ref_array ref_ints(arena *mem, size_t n, const int64_t *x);

#endif
