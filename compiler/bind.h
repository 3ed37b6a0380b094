/* bind.h: data against a signature.
 *
 * bind_data takes the arrays of a data set (files and host), the inline bindings of a run statement (`x = eruptions`, `K = 2`,
 * `X = columns(age, karnofsky)`) and command-line overrides, and gives every parameter of the model its cells and every size its
 * number.  It checks kinds, ranks, extents, declared supports and bounds element by element, and missing values, and names the
 * file, the key and the element in every message.
 *
 * Latents that the statement gives (`given phi = 0.98`) are data as well, of their types in the model, and stand in p->data behind those of the
 * signature; a text names a file that has them.
 *
 * Where a name's data come from; the first of these that has it:
 *   1. an override (bind_override)                     `--data K=3`
 *   2. an array that the host bound (data_bind_f64)
 *   3. a binding of the statement                      `on "faithful.csv", x = eruptions`
 *   4. a file that was read into the data set          `--data other.csv`
 *   5. a file of the statement
 * Files of the statement are looked for in the folder of the program and may not lie outside it unless p->any_path is set.  One
 * that the host has read into the data set already, under the name that the statement gives, is not read again.
 *
 * Sizes.  An int of the signature gets its number from data, from what it measures (K of w: simplex(K)), or from its default, in
 * this order of need: data first, then defaults, then extents.  A size that stands in types only (N of y: real[N]) is solved from
 * extents; a scalar integer of its name in the data must agree.  A size that only index(K) mentions is the number of levels of
 * a text column, or the largest value, which a note then says.
 *
 * Kinds.  int reads as real; 0/1, and texts no/yes or false/true, as bool; text as index(K), by its levels; reals without a
 * fraction as int.  A scalar fills an array whose declaration has a default.  A column of one row reads as a scalar.  NaN is refused. */
#ifndef AIM_COMPILER_BIND_H
#define AIM_COMPILER_BIND_H

#include "compiler/program.h"

/* Fills p->data, p->ndata and the numbers of the sizes; may be called again with other data or another model.  A parameter with a
 * default and no data is left out (lowering puts the default in its place; an int default gives its size the number), and so is
 * an int scalar, which is a size.  run may be NULL, and so may data.
 *
 * Cells of the right kind are used where they lie: what the data set holds or borrows must outlive p->data.  All else is in
 * p->mem.  False after a diagnostic in p->diags (E0770 to E0786), or in data->diags when a file cannot be read. */
bool bind_data(program *p, const check_model *model, const ast_decl *run, data_set *data);

/* Reads what stands behind `--data`: `name = expression` is kept in p->overrides for bind_data and takes what a binding of a
 * statement takes; anything else is a file, read into data.  Call it after program_open.  text is copied.  False after a diagnostic. */
bool bind_override(program *p, data_set *data, const char *text);

/* What is wrong with a matrix whose factorisation stops at this row, from 0, where the pivot is that share of the diagonal (rt_pivot.h). */
const char *bind_pivot_text(arena *a, size_t row, double share);

#endif
