/* check_ragged.h: what the files that write ragged arrays out share (check_ragged.c). */
#ifndef AIM_COMPILER_CHECK_RAGGED_H
#define AIM_COMPILER_CHECK_RAGGED_H

#include "compiler/check_state.h"

#include "lang/ast_copy.h"

/* Arrays whose rows have the lengths of one array. */
typedef struct ragged_rows {
  const char *len, *extent; /* the lengths; D, or the text of a number */
  const char *sum, *row, *col, *start, *max;
  const char **names;       /* of the arrays */
  size_t n, cap;
} ragged_rows;

typedef struct ragged {
  check_program *p;
  arena *a;
  ast_decl *model;
  ragged_rows *of;
  size_t n, cap;
  unsigned cells, locals; /* loops written out so far; names made */
  unsigned parts;         /* that are being written out, one in another */
  const char **rectangles; /* names of arrays in whose corners matrices of rows are */
  size_t nrectangles, cap_rectangles;
  const char **drawn;     /* data of which rows are drawn at once */
  size_t ndrawn, cap_drawn;
  ast_block ahead;        /* statements for the beginning of the model */
  size_t written;         /* bytes of text that took the place of names */
  bool reported;
} ragged;

/* A name that stands for an expression of rows. */
typedef struct row_name {
  const char *name;
  const ast_expr *value;
  size_t length; /* of its text */
  const struct row_name *outer;
} row_name;

/* A branch of a condition in a loop over rows, inside others.  An array as long as the row is made before the outermost condition, element by
 * element where all of them hold; there no name is known that a branch defines. */
typedef struct row_branch {
  const ast_expr *cond;
  bool holds;
  ast_block *ahead;       /* statements for before the outermost condition */
  const char **lets;      /* names that the branch defines */
  size_t n, cap;
  struct row_branch *outer;
} row_branch;

/* Where an expression stands whose rows are written out. */
typedef struct row_scope {
  ragged *g;
  const row_name *names;
  ast_block *before;    /* statements that are to run before the one at hand; NULL: it is in no block */
  const ast_range *row; /* `d in 1..D` of the loop whose body that block is, or NULL */
  const ast_range *over; /* the nearest `d in 1..D` around it, also where conditions or a filter stand between */
  row_branch *branch;   /* the innermost branch around it in the loop over `row`, or NULL */
  unsigned shields;     /* conditions and local names around the expression: nothing goes before the statement then */
  unsigned fn, depth;   /* of the function whose body is copied; how many are around it */
  bool library;         /* that function is the library's, and so is what it calls */
  const ast_expr *skip;
} row_scope;

/* check_row_trees.c: the name that e is, or NULL. */
const char *ragged_name(const ast_expr *e);
bool ragged_is_one(const ast_expr *e);
/* How many rows `1..e` goes through, as an extent, or NULL; that of rows as an expression. */
const char *ragged_extent(const ragged *g, const ast_expr *e);
ast_expr *ragged_extent_new(ragged *g, const ragged_rows *r, span at);
/* What a call is of, or NULL; whether it is the program's own. */
const symbol *ragged_callee(const ragged *g, const ast_expr *e, bool *own /* OUT */);
/* A call, with at least so many arguments, of what the language itself has of this name. */
bool ragged_is_call(const ragged *g, const ast_expr *e, const char *fn, size_t least);
/* A name that nothing else has. */
const char *ragged_fresh(ragged *g, const char *word);
/* New expressions.  Operands are consumed; those that two expressions share are to be copied. */
ast_expr *ragged_copy(ragged *g, const ast_expr *e);
ast_expr *ragged_real(ragged *g, double x, span at);
ast_expr *ragged_binary(ragged *g, ast_op op, ast_expr *a, ast_expr *b); /* `a op b`, at a */
ast_expr *ragged_plus(ragged *g, ast_expr *e, int64_t by);               /* e + by, numbers gathered */
ast_expr *ragged_range(ragged *g, ast_expr *lo, ast_expr *hi, span at);
ast_expr *ragged_subscripted(ragged *g, ast_expr *base, ast_exprs subs, span at);
ast_expr *ragged_at(ragged *g, const char *array, ast_expr *sub, ast_expr *then, span at); /* array[sub], array[sub, then] */
ast_expr *ragged_end(ragged *g, const ragged_rows *r, ast_expr *row, span at);             /* len[row] */

/* check_ragged.c: len of `len[d]`, else NULL. */
const char *ragged_lengths(const ast_expr *e, const char *d);
/* The rows of an array; those with these lengths. */
ragged_rows *ragged_rows_of(const ragged *g, const char *array);
ragged_rows *ragged_rows_by(const ragged *g, const char *len, const char *extent);
void ragged_add_array(ragged *g, ragged_rows *r, const char *name);
/* An array of the signature, which is whole wherever it is read. */
bool ragged_is_data(const ragged *g, const char *array);
bool ragged_is_real_data(const ragged *g, const char *array);
diag *ragged_refuse(ragged *g, span at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Whether e is len[d], or that less a number; *less is the number. */
bool ragged_is_end(const ast_expr *e, const char *len, const char *d, int64_t *less);
/* The lengths that a range goes through from 1 on, or from the end down to 1; NULL: it is another. */
const char *ragged_runs(const ast_range *n, const char *d, bool *down);
/* Whether ranges k and k + 1 are `d in 1..D, n in a..len[d]` with a literal a; their rows. */
ragged_rows *ragged_loop_of(const ragged *g, const ast_iter *it, size_t *k);

/* A size that the signature has, what it is, and the row of which: `len[1]`. */
void ragged_add_size(ragged *g, const ragged_rows *r, const char *name, ast_rows what, const ast_expr *row);

/* check_row_values.c: expressions of rows.  A copier that writes them out up to what works element by element. */
ast_copier ragged_value_copier(row_scope *s);
/* The first row that e has an element for each element of, or NULL; with those whose ends are sizes, or without. */
const ast_expr *ragged_row_in(ragged *g, const ast_expr *e, bool sized);
bool ragged_sized(const ast_expr *range);
/* How long a row is; a row's element, or a part of it, in place of the row. */
ast_expr *ragged_length(ragged *g, const ast_expr *row);
ast_expr *ragged_part(ragged *g, const ast_expr *row, const ast_expr *sub);
/* sum(x) and its like. */
bool ragged_reduces(const ragged *g, const ast_expr *e);
/* Whether a name stands for a row, or is data. */
bool ragged_knows(const row_scope *s, const char *name);
void ragged_bind(row_scope *s, const char *name, const ast_expr *value);
/* The row as an array of its own, where there is a place for it and no condition around, else as it is. */
const ast_expr *ragged_keep_row(row_scope *s, const char *name, const ast_expr *value);
/* Sets array[d, index] for all elements of the row, 0 for the first `less`. */
void ragged_set_row(row_scope *s, const ragged_rows *r, const char *array, const char *index, int64_t less, const ast_expr *value);
/* Whether what a distribution draws is an array at once. */
bool ragged_draws_array(const ragged *g, const ast_expr *dist);
/* `let part = w[a..b]`, `part ~ D(...)` for `w[a..b] ~ D(...)` where D draws an array at once. */
void ragged_name_slice(row_scope *s, ast_stmt *x);
/* `let name = value` before the statement; false: it has no place there. */
bool ragged_let_before(row_scope *s, const char *name, ast_expr *value);

/* Notes a name that a branch defines. */
void ragged_note_let(row_scope *s, const ast_stmt *x);
/* The same of any statement. */
bool ragged_stmt_before(row_scope *s, ast_stmt *x);
/* Whether a call gives an element for each element of its arguments. */
bool ragged_is_elementwise(const ragged *g, const ast_expr *e);
/* The element of a row, or a part of it. */
ast_expr *ragged_row_element(ragged *g, const ast_expr *row, const ast_expr *sub);

/* check_row_matrices.c: how many axes a value over the elements of rows has, one or two, and their lengths; 0: it is something else. */
unsigned ragged_axes(ragged *g, const ast_expr *e, const ast_expr *n[2]);
/* Its element at these subscripts, as many as it has axes or more, of which the last count. */
ast_expr *ragged_element(ragged *g, const ast_expr *e, const ast_expr *const *at, unsigned rank);
/* A matrix as an array of its own, where there is a place for it, else as it is. */
ast_expr *ragged_keep_matrix(row_scope *s, const char *name, const ast_expr *value);
/* a @ b; cholesky(K) and its kin, or NULL; sum(K) and its kin, or NULL. */
ast_expr *ragged_product(row_scope *s, ast_expr *a, ast_expr *b);
ast_expr *ragged_matrix_call(row_scope *s, const ast_expr *call);
ast_expr *ragged_reduce(ragged *g, const ast_expr *call);
/* `w[d] ~ MultiNormal(...)` as a draw that the language has, or NULL. */
ast_stmt *ragged_draw_row(row_scope *s, const ast_stmt *x, bool predicted);
/* The rectangle of an array whose rows are so drawn, or the array itself. */
const char *ragged_drawn_name(const ragged *g, const char *name);
/* Whether a statement of the model draws elements of data; of a block. */
bool ragged_is_drawn(const ragged *g, const char *name);
bool ragged_draws(const ast_block *b, const char *array);
/* The name of the rectangle of an array of data, 0 behind the ends of rows, which stands at the beginning of the model. */
const char *ragged_rectangle_of_data(ragged *g, const ragged_rows *r, const char *name, span at);

/* check_row_parts.c: whether s draws a part of the model, and its statements where it is given rows, else NULL. */
bool ragged_draws_part(const ragged *g, const ast_stmt *s);
ast_block *ragged_write_part(ragged *g, const ast_stmt *s);

/* check_row_slices.c: slices of rows, as their elements.  The range that subscripts leave open in a row; NULL: they name an element, or the
 * whole array. */
const ast_expr *ragged_open_range(ragged *g, const ragged_rows *r, const ast_exprs *subs, span at);
void ragged_write_slices(ragged *g, ast_block *b);

/* check_rows.c: loops over rows with loops over their elements inside, as loops over both. */
void ragged_distribute(ragged *g, ast_block *b);

/* check_cells.c: loops over rows and elements, as loops over all elements; what reads them. */
void ragged_write_loops(ragged *g, ast_block *b);
ast_expr *ragged_write_reduce(ast_copier *c, const ast_expr *e);

#endif
