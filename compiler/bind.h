/* bind.h: data against a signature.
 *
 * bind_data takes the arrays of a data set (files and host), the inline bindings of a run statement (`x = eruptions`, `K = 2`,
 * `X = columns(age, karnofsky)`) and command-line overrides, and gives every parameter of the model its cells and every size its
 * number.  It checks kinds (0/1 reads as bool, int as real), ranks, extents (if two arrays disagree both are shown), declared
 * supports and bounds element by element (index(K) in 1..K, simplexes that sum to 1, positive definite cov, ...), missing
 * values, and names the file, the key and the element in every message. */
#ifndef AIM_COMPILER_BIND_H
#define AIM_COMPILER_BIND_H

#include "compiler/program.h"

/* Fills p->data, p->ndata and the numbers of the sizes.  A parameter with a default and no data is left out (lowering puts the
 * default in its place; an int default gives its size the number).  False after a diagnostic. */
bool bind_data(program *p, const check_model *model, const ast_decl *run, data_set *data);

#endif
