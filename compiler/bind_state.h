/* bind_state.h: what the files of binding share.  Private to compiler/bind*.c.
 *
 * bind.c finds the data of each name and runs the steps; bind_source.c reads bindings and files; bind_tables.c matches tables and texts; bind_ragged.c lays rows one after the other; bind_size.c gives sizes their
 * numbers and compares extents; bind_missing.c finds a place for values that are missing; bind_eval.c evaluates what may stand in a bound, a default or a binding; bind_value.c converts
 * cells; bind_support.c compares them with their declarations, bind_density.c with their distributions.  A step reports all it finds, and the next is not
 * taken after an error, so that one mistake is not told twice. */
#ifndef AIM_COMPILER_BIND_STATE_H
#define AIM_COMPILER_BIND_STATE_H

#include "compiler/bind.h"
#include "compiler/ptr_map.h"

/* A name of the signature, or a size that stands in types only. */
typedef struct bound {
  const symbol *sym;
  const ty_info *type;              /* of sym; of a latent without a declared type with the support of its distribution */
  const data_array *x;              /* NULL: nothing was given; where values are missing, a copy that has some value there */
  const data_array *missing;        /* what was given, where values are missing; else NULL */
  bool latent;                      /* missing: they are unknowns of the model; else they are drawn afterwards */
  const data_array *const *columns; /* [ncolumns] x was put together from these by columns(..) */
  size_t ncolumns;
  span at;                          /* of the binding in a statement or an override; file 0: found by its name */
  bool written;                     /* the binding itself holds the cells */
  bool listed;                      /* x is in the order of a list of levels (bind_order.c) */
  bool fill;                        /* x is a scalar and stands for every element */
  uint8_t rank;                     /* as declared, when x was accepted */
  int64_t dim[IR_MAX_RANK];         /* extents of x on these axes; -1: x is empty and does not say */
  const exec_cell *cells;           /* as the model reads them; NULL for sizes */
} bound;

/* Where a size got its number. */
typedef struct size_origin {
  ir_size size;
  span at;          /* of the declaration or the default */
  const char *text; /* "`y` has 8 elements (schools.json, key "y")" */
} size_origin;

/* A size that was told by the largest value of an index(K). */
typedef struct size_guess {
  ir_size size;
  int64_t n, occur; /* how many of 1..n the data have */
  span at;
  const char *where;
} size_guess;

typedef struct bind_num {
  data_kind kind; /* REAL, INT, BOOL */
  int64_t i;
  double r;       /* REAL */
} bind_num;

/* What a name means besides data: an index of a loop, a parameter of a distribution. */
typedef struct bind_local {
  const symbol *sym;
  bind_num value;
} bind_local;
enum { BIND_MAX_LOCALS = 48 };

/* How far the sum of probabilities may be from 1 in a model; the prelude's valid() has the same. */
#define BIND_SUM_TOLERANCE 1e-8

typedef struct binder {
  program *p;
  arena *a;
  const check_model *model;
  const ast_run *run;   /* may be NULL */
  const data_set *given; /* by the host and by flags; may be NULL */
  data_set files;       /* of the statement */
  data_set tables;      /* columns of both that stand for those of their names: rows in the order of a key, texts numbered as in a key */
  data_set *own;        /* [n] of the file behind a name: `given v = "digit.json"` */
  bound *of;            /* [n]: the signature's in its order, sizes that stand in types only, latents that are given */
  size_t n;
  ptr_map at;           /* by symbol: its place in `of` */
  size_origin *origin;
  size_t norigins, cap_origins;
  size_guess *guess;
  size_t nguesses, cap_guesses;
  double sum_tolerance; /* of the elements of a simplex */
  size_t fuel;          /* steps of evaluation left */
  bind_local local[BIND_MAX_LOCALS];
  size_t nlocals;
} binder;

diag *bind_error(binder *b, const char *code, span at, const char *format, ...) __attribute__((format(printf, 4, 5)));
#define bind_say(b, d, ...) diag_say(&(b)->p->diags, (d), __VA_ARGS__)
#define bind_point(b, d, at, ...) diag_point(&(b)->p->diags, (d), (at), __VA_ARGS__)
#define bind_note(b, d, ...) diag_note(&(b)->p->diags, (d), __VA_ARGS__)
#define bind_help(b, d, ...) diag_help(&(b)->p->diags, (d), __VA_ARGS__)

/* ---- bind_source.c */

/* Reads the files of the statement. */
bool bind_read_files(binder *b);
/* Finds the data of one name.  False after a report; x stays NULL where there is none. */
bool bind_find(binder *b, bound *y);
/* The array of that name in the data set or the statement's files, or NULL. */
const data_array *bind_array(const binder *b, const char *name);
/* The nearest name in them, or NULL. */
const char *bind_nearest(binder *b, const char *name);

/* "`a`, `b` and 3 more": the names in them; "" where there is none that can be shown. */
const char *bind_names(binder *b);

/* ---- bind.c: places for messages */

/* `schools.json, key "y", element [3]`.  cell (size_t)-1: the array as a whole. */
const char *bind_where(binder *b, const bound *y, size_t cell);
/* The place of an event: of its first cell, by the batch_rank leading indices. */
const char *bind_event_where(binder *b, const bound *y, size_t cell, int batch_rank);
/* Points at the binding that gave y its data, if one did. */
void bind_point_binding(binder *b, diag *d, const bound *y);
span bind_type_span(const symbol *s);
/* "int[3, 2]": what was found. */
const char *bind_shape_text(binder *b, const data_array *x);
/* Reports that nothing was given for y; false. */
bool bind_absent(binder *b, const bound *y);
bound *bind_of(const binder *b, const symbol *s);
/* A number as JSON would have it, whatever the locale. */
const char *bind_real_text(binder *b, double x);

/* ---- bind_eval.c */

static inline double bind_num_real(bind_num x) { return x.kind == DATA_REAL ? x.r : (double)x.i; }
/* The value of a scalar expression.  In a checked tree names mean data and sizes; in a binding there are none.  NULL, or
 * a reason to report at *at; BIND_LATER when a size in it has no number yet. */
const char *bind_eval(binder *b, const ast_expr *e, bind_num *out, span *at);
extern const char BIND_LATER[];
const char *bind_num_text(binder *b, bind_num x);
bind_num bind_cell(const data_array *x, size_t cell);

/* ---- bind_size.c */

/* Compares ranks and fills y->rank and y->dim. */
bool bind_shape(binder *b, bound *y);
bool bind_sizes(binder *b);
/* Says where the numbers in a size come from: as a note where that is `but`. */
void bind_point_origins(binder *b, diag *d, ir_size s, span but);
/* Notes on numbers that more data could change, for a run that goes on. */
void bind_say_guesses(binder *b);
/* Where every observed array is empty. */
void bind_say_empty(binder *b);
/* The extents of latents and predictions, once every size has its number. */
bool bind_check_sites(binder *b);

/* ---- bind_tables.c */

/* Matches tables that have a column of texts in common.  False after a report. */
bool bind_tables(binder *b);
/* Gives columns of texts that share an index(K) the levels of all of them.  False after a report. */
bool bind_levels(binder *b);
/* Puts levels, and tables of them, into the order of the list that a size was given.  False after a report. */
bool bind_order(binder *b);
/* A note where the order of an array's elements has to be that of levels, and nothing shows that it is. */
void bind_say_order(binder *b);

/* ---- bind_ragged.c */

/* Lays the rows of ragged arrays one after the other, and makes what goes with them.  False after a report. */
bool bind_ragged(binder *b);

/* ---- bind_missing.c */

/* Decides what becomes of the missing values of y, and puts others in their places.  False after a report. */
bool bind_missing(binder *b, bound *y);
/* Fills p->missing, and adds to p->data what the lowering reads of them. */
void bind_say_missing(binder *b);

/* ---- bind_value.c, bind_support.c */

bool bind_convert(binder *b, bound *y);
/* ` ("abc")` for one short word, so that no message repeats more of a file than that; else "". */
const char *bind_word_shown(binder *b, const char *s);
/* The integer of a scalar of an int type: false after a report. */
bool bind_int(binder *b, const bound *y, int64_t *n);
bool bind_support(binder *b, const bound *y);
/* What is wrong with a matrix x [n * n] as one of this support, in words; NULL: nothing, or the support is none of matrices.  *cell (OUT): where, or (size_t)-1. */
const char *bind_matrix_fault(binder *b, ir_support support, const double *x, size_t n, size_t *cell);

/* ---- bind_density.c */

/* Whether the observations can have a density above 0, as far as data alone tell; reports the first that cannot. */
bool bind_possible(binder *b);

#endif
