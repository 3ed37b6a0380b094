/* check_ragged.h: what the files that write ragged arrays out share (check_ragged.c). */
#ifndef AIM_COMPILER_CHECK_RAGGED_H
#define AIM_COMPILER_CHECK_RAGGED_H

#include "compiler/check_state.h"

#include "lang/ast_copy.h"

/* Arrays whose rows have the lengths of one array. */
typedef struct ragged_rows {
  const char *len, *extent; /* the lengths; D */
  const char *sum, *row, *col, *start;
  const char **names;       /* of the arrays */
  size_t n, cap;
} ragged_rows;

typedef struct ragged {
  check_program *p;
  arena *a;
  const ast_decl *model;
  ragged_rows *of;
  size_t n, cap;
  unsigned cells, locals; /* loops written out so far; arrays made of local names */
  bool reported;
} ragged;

/* Whether e is the name `name`; the name that e is, or NULL. */
const char *ragged_name(const ast_expr *e);
bool ragged_is_one(const ast_expr *e);
/* len of `len[d]`, else NULL. */
const char *ragged_lengths(const ast_expr *e, const char *d);
/* The rows of an array; those with these lengths. */
ragged_rows *ragged_rows_of(const ragged *g, const char *array);
ragged_rows *ragged_rows_by(const ragged *g, const char *len, const char *extent);
void ragged_add_array(ragged *g, ragged_rows *r, const char *name);
/* An array of the signature, which is whole wherever it is read. */
bool ragged_is_data(const ragged *g, const char *array);
diag *ragged_refuse(ragged *g, span at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Whether ranges k and k + 1 are `d in 1..D, n in a..len[d]` with a literal a; their rows. */
ragged_rows *ragged_loop_of(const ragged *g, const ast_iter *it, size_t *k);

/* check_row_slices.c: slices of rows, as their elements. */
void ragged_write_slices(ragged *g, ast_block *b);

/* check_rows.c: loops over rows with loops over their elements inside, as loops over both. */
void ragged_distribute(ragged *g, ast_block *b);

/* check_cells.c: loops over rows and elements, as loops over all elements; what reads them. */
void ragged_write_loops(ragged *g, ast_block *b);
ast_expr *ragged_write_reduce(ast_copier *c, const ast_expr *e);

#endif
