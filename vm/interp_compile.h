/* interp_compile.h: from IR to instructions.  Internal to vm/interp*.c.
 *
 *   interp_life.c     where each value is used last
 *   interp_region.c   whether a plate can run on columns, and which values then differ between lanes
 *   interp_place.c    memory, operands, positions and slices
 *   interp_rows.c     rows of a matrix: products with a vector, sums of scaled rows
 *   interp_emit.c     operations
 *   interp_loop.c     plates, scans and their outputs, if
 *
 * Everything here lives in an arena that is freed when loading is done. */
#ifndef AIM_VM_INTERP_COMPILE_H
#define AIM_VM_INTERP_COMPILE_H

#include "vm/interp_code.h"

/* Where a value is.
 *   CELL   a scalar that all lanes share: c[at]
 *   COL    a scalar for each lane: p[at][lane].  With `first` not 0 the value is c[first] + lane, and at may be 0: no column
 *          was made because no use needs one
 *   ARR    an array that all lanes share: p[at][element]
 *   LANES  an array for each lane: p[at][element * B + lane]
 *   SLICE  elements of `of` at `axes`; not made, its uses read them where they are */
typedef enum vkind { K_NONE, K_CELL, K_COL, K_ARR, K_LANES, K_SLICE } vkind;

typedef struct ival {
  uint8_t kind;
  bool own;         /* the memory [off, off + size) is this value's to reuse */
  bool known;       /* an int with value k */
  bool vary;        /* differs between the lanes of the region being compiled */
  uint8_t affine;   /* 1: first + lane; 2: an index of a flat box */
  bool column;      /* affine, and some use reads it as a column */
  bool scaled;      /* the rows of interp_scaled_rows_mark; then the sums are at slot `at`, or the results if `single` */
  bool single;
  uint32_t at, first;
  uint32_t as_slot; /* CELL: the slot that shows it as a column of stride 0; 0: not made yet */
  uint32_t hint;    /* a slot where the value should be computed; 0: none */
  int64_t k, off, size, cells;
  ir_val root;      /* the value whose memory this one reads */
  ir_val of;
  ir_axes axes;
  uint32_t depth;   /* of the block that defines it */
  uint32_t last, last_uses; /* number of the operation or block end that uses it last, and how often that does */
  uint32_t other_uses, mat_uses; /* uses that are not the array of an `at`; those by a matmul among them */
  ir_val next_dying;
} ival;

typedef struct region {
  bool on;          /* instructions are made for lanes */
  int64_t block;    /* B */
  ir_op *plate;
  uint32_t flat;    /* axes of a box run as one sequence; 0: the last axis alone */
  uint32_t first;   /* cell: iteration of lane 0 */
} region;

typedef struct icomp {
  arena *tmp;
  exec_program *program;
  const ir_fn *fn;
  const char *refused;
  bool watched;
  ival *v;
  ir_val *dying; /* by number: first value that dies there */
  uint32_t ndying, number, depth;
  struct { uint32_t number; } stack[IR_MAX_DEPTH + 4];
  region lane;
  span at;

  interp_ins *code;
  span *where;
  size_t ncode, cap_code, nwhere, cap_where;
  interp_slot *slot;
  size_t nslot, cap_slot;
  interp_const *constant;
  size_t nconst, cap_const;
  uint32_t ncells;

  struct memory_gap { int64_t off, size; } *gap; /* free memory, by offset */
  size_t ngap, cap_gap;
  int64_t work;
  struct memory_gap *temp; /* freed when the operation is done */
  size_t ntemp, cap_temp;
  unsigned plates, vector_plates;
} icomp;

/* A whole program is refused: does not return. */
_Noreturn void interp_refuse(icomp *c, const char *why);

void interp_life(icomp *c);
/* The whole position `axes` in an array of this type is the index of a box that runs flat. */
bool interp_is_flat(const icomp *c, const ir_axes *axes, const ir_op *plate, uint32_t flat, ir_type array);
/* ---- rows of a matrix (interp_rows.c) */

/* The `at` that defines v, or NULL. */
const ir_op *interp_at_of(const icomp *c, ir_val v);
/* The slice that op makes is a row of a shared matrix, `[affine, :]` or, of one kept by columns, `[:, affine]`, that only products
 * read: then it need not be made.  Of a product, the operand that is such a row times a shared vector; -1: none. */
bool interp_row_slice(const icomp *c, const ir_op *op);
int interp_row_dot(const icomp *c, const ir_op *op);
void interp_row_dot_emit(icomp *c, const ir_op *op, int row);
/* Marks the inner plates of a plate on lanes that make nothing but r x[:, i], to be summed over the iterations i of the outer
 * one, x being shared and kept by columns: the products go into the sums without an array for each lane. */
void interp_scaled_rows_mark(icomp *c, const ir_op *plate, uint32_t flat);
/* What takes the place of such a plate. */
void interp_scaled_rows_emit(icomp *c, const ir_op *op);
/* The array that op makes for each lane, if any, is not made. */
bool interp_not_made(const icomp *c, const ir_op *op);
/* Marks what varies when op runs on lanes; false if something in it cannot. */
bool interp_region_mark(icomp *c, const ir_op *plate, uint32_t flat, int64_t *lane_cells);

/* ---- instructions and memory */

interp_ins *interp_put(icomp *c, int op, uint32_t d, uint32_t a, uint32_t b);
uint32_t interp_cell(icomp *c);
uint32_t interp_cells(icomp *c, uint32_t n); /* neighbours */
uint32_t interp_slot_new(icomp *c, int kind, int64_t at);
uint32_t interp_int(icomp *c, int64_t k);   /* a cell that holds it */
uint32_t interp_real(icomp *c, double x);
int64_t interp_mem_get(icomp *c, int64_t cells);
void interp_mem_put(icomp *c, int64_t off, int64_t cells);
int64_t interp_mul(icomp *c, int64_t a, int64_t b); /* refuses overflow */
uint32_t interp_temp(icomp *c, int64_t cells);      /* a slot over memory that is free again after this operation */
void interp_temps_free(icomp *c, size_t mark);
void interp_die(icomp *c, uint32_t number);

/* Makes the place of a value: a cell, column, array or lane array as its type and `vary` say. */
void interp_make(icomp *c, ir_val v, bool vary);
bool interp_takes(const icomp *c, ir_val v, uint32_t number, bool lanes); /* v's array may be overwritten by operation `number` */

/* ---- operands */

typedef struct lane_operand { uint32_t slot; int stride; } lane_operand;
typedef struct array_operand { uint32_t slot; int64_t rs, ls; } array_operand;
/* An int that takes part in computing a position. */
typedef struct index_operand { bool known, column; int64_t k; uint32_t at; } index_operand;

bool interp_varies(const icomp *c, ir_val v);
int64_t interp_dims(const icomp *c, ir_type t, int64_t *dim); /* returns the number of cells; refuses a bad size */
uint32_t interp_as_cell(icomp *c, const ival *v);
uint32_t interp_cell_slot(icomp *c, ival *v);
lane_operand interp_as_lane(icomp *c, const ival *v);
array_operand interp_as_array(icomp *c, const ival *v); /* of scalars too: one element */
ir_val interp_root(const icomp *c, ir_val v);
void interp_copy(icomp *c, const ival *to, const ival *from);

/* The position of an `at`, through the slices that its array is of: the array that stands in memory and an entry an axis. */
ir_val interp_resolve(const icomp *c, ir_val array, const ir_axes *axes, ir_axes *out);
index_operand interp_index(icomp *c, ir_val v, bool first); /* first: of lane 0, for affine ones */
index_operand interp_flat(icomp *c, const int64_t *dim, const ir_axes *axes, bool first);
uint32_t interp_index_cell(icomp *c, index_operand i);
lane_operand interp_index_lane(icomp *c, index_operand i);
interp_shape interp_free_axes(const icomp *c, const int64_t *dim, const ir_axes *axes);
const void *interp_keep(icomp *c, const void *p, size_t size);
int interp_varying(const icomp *c, const ir_axes *axes, uint32_t *axis); /* how many entries vary, and the last one */
bool interp_trailing(const ir_axes *axes);
void interp_at(icomp *c, const ir_op *op);
/* Places or adds y at axes of the array `to`.  lanewise: once for each lane. */
void interp_place_value(icomp *c, const ival *to, ir_type type, const ir_axes *axes, const ival *y, bool add, bool lanewise);

/* ---- code */

void interp_block(icomp *c, const ir_block *b);
void interp_op(icomp *c, const ir_op *op);
void interp_loop(icomp *c, const ir_op *op, uint32_t number);
void interp_if(icomp *c, const ir_op *op);

/* Compiles one function into the program's arena. */
void interp_compile(icomp *c, interp_fn *out, const ir_fn *fn, size_t ndata, const exec_data *data, uint32_t nframe,
                    const cell *const *frame);

#endif
