/* emit_internal.h: the state of an emission, shared by emit*.c. */
#ifndef AIM_CODEGEN_EMIT_INTERNAL_H
#define AIM_CODEGEN_EMIT_INTERNAL_H

#include "codegen/abi.h"
#include "codegen/emit.h"
#include "lang/arena.h"

#include <setjmp.h>

#include <llvm-c/Core.h>

typedef LLVMValueRef LV;
typedef LLVMBasicBlockRef LB;

/* Arrays of at most this many cells may live in registers. */
enum { CG_CELLS_MOST = 64, CG_FEW = 32 };
/* Iterations of a tile (emit_tile.c): a multiple of 32. */
enum { CG_TILE = 128 };
enum { CG_BLOCKS_CELLS = sizeof(cg_blocks) / 8, CG_SUM_CELLS = sizeof(cg_sum) / 8 };

/* What stands for an IR value.  A scalar is an SSA value (i1 for bool).  An array is one of
 *   cells    an SSA value for each cell, row-major: a small array of a body that is unrolled or runs on lanes
 *   a view   the address of its first cell and the distance, in cells, between neighbours along each axis
 *   memory   the address of its first cell, row-major and dense: stride is NULL */
typedef struct cg_value {
  LV v;
  LV *cell, *stride;
  LV home;        /* the memory that cg_memory gave it */
  LV last;        /* state of a scan: an alloca of what the iteration before placed, at index + before; else NULL */
  ir_size before;
  ir_val index;
  ir_val root;    /* arrays: the value that owns the memory; 0: memory that nobody writes during the call */
  uint32_t uses;  /* operands and yields that name it, anywhere */
  bool by_tile;   /* result of an operation that emit_tile.c takes out of the body of its plate */
  int out;        /* result of the function that this memory is; -1: none */
} cg_value;

/* What a check does when it fails.  Where many iterations are under way together nothing can be told at once: it is noted that
 * something failed, and when all is done a plain loop counts the guards, in the order of operations, or finds the index. */
typedef enum cg_checks { CG_REPORT, CG_NOTE, CG_COUNT } cg_checks;

typedef struct cg_tiles cg_tiles;
typedef struct cg_columns cg_columns;

typedef struct cg_emit_state {
  ir_module *m;
  const cg_ahead *ahead; /* NULL: an object for the engine */
  const ir_fn *fn;
  arena *mem;
  const char *error;
  jmp_buf fail;
  LLVMContextRef cx;
  LLVMModuleRef mod, support, services; /* services: where there is no host; else NULL */
  LLVMBuilderRef b, entry; /* entry: where allocas and loads from the context go */
  LLVMTypeRef f64, i64, i1, ptr, vd, i32;
  LV func, ctx, host;
  cg_value *v;
  /* numbers of sizes, by ir_size, as loaded in this function */
  LV *size;
  uint32_t nsize_cache;
  strbuf meta;        /* the whole description */
  uint32_t nslots, nsizes; /* of this function */
  uint32_t *number;   /* of operations: see cg_op_number */
  bool *in_cells;     /* [fn->nvals] results of `new` and `put` that are cells wherever they stand */
  struct shared_column { LLVMTypeRef type; LV at; bool taken; } *shared; /* see cg_column; taken: by the plate at hand */
  size_t nshared, cap_shared;
  int lanes;          /* doubles in a vector of the target */
  bool masks;         /* the target loads and stores parts of vectors */
  cg_tiles *tiles;    /* of the plate at hand, which goes by tiles; else NULL */
  cg_columns *columns; /* special functions of the body at hand whose results stand in columns; else NULL */
  LV group;           /* access group of the loads and stores of iterations on lanes; NULL outside */
  cg_checks checks;
  LV failed;          /* CG_NOTE: alloca i1 */
  struct guard_count { const ir_op *op; LV count; } *guard; /* CG_COUNT */
  size_t nguards, cap_guards;
  bool once;          /* the function is called so rarely that short code is better than fast code */
  bool long_bodies;   /* nobody waits for its code, which may take long to compile */
  int unrolled;       /* depth of loops that stand unrolled or on lanes: small arrays are cells there */
  unsigned kind_group, kind_parallel, kind_loop, kind_invariant;
  LV *groups;         /* distinct nodes, one a loop */
  uint32_t ngroups, next_group;
  const ir_op **ops;  /* in order, for numbers */
  size_t nops, cap_ops;
} E;

_Noreturn void cg_fail(E *e, const char *why);

/* helpers */
LV cg_int(E *e, int64_t n);
LV cg_size(E *e, ir_size s);
bool cg_const(LV v, int64_t *n);
LV cg_cells(E *e, ir_type t); /* number of cells */
LV cg_mul(E *e, LV a, LV b);
LV cg_add(E *e, LV a, LV b);
LV cg_gep(E *e, LV base, LV index);
LV cg_load(E *e, int elem, LV address);
void cg_store(E *e, int elem, LV value, LV address);
LV cg_call(E *e, const char *name, unsigned n, LV *args);
/* The services of abi.h, in the order of cg_host. */
typedef enum cg_service_code {
#define X(result, name, parameters) CG_HOST_##name,
  CG_SERVICES(X)
#undef X
  CG_SERVICE_COUNT
} cg_service_code;
LV cg_service(E *e, cg_service_code code, unsigned n, LV *args);
/* Column d [n] of the special function `code`, an rt_special, of three columns; of those that it has fewer operands than are not read.
 * stride: 1, or 0 of one that every element shares, as i32. */
void cg_special(E *e, int code, LV d, LV *from, LV *stride, LV n);
LV cg_alloca(E *e, LLVMTypeRef t);
/* n cells for the plate on lanes at hand.  Long columns are shared by plates that come one after the other, so that the stack that a
 * function takes does not grow with their number; short ones may become registers. */
LV cg_column(E *e, int elem, int64_t n);
void cg_release_columns(E *e); /* that plate is complete */
LV cg_slot_scaled(E *e, int64_t mul, int64_t add, ir_type t); /* memory of mul * cells of t + add cells */
LV cg_memory(E *e, ir_val v);             /* where v's array is to be built; sets root */
LV cg_temp(E *e, ir_type t);
LV cg_scratch(E *e, int64_t cells);
void cg_copy_cells(E *e, LV d, LV s, LV n);
LB cg_block(E *e, const char *name);
int64_t cg_op_number(E *e, const ir_op *op);

typedef struct cg_for {
  LB body, exit;
  LV index, n, first;
} cg_for;
cg_for cg_for_begin(E *e, LV n);
void cg_for_end(E *e, cg_for *f);
/* The iterations are independent and become vectors, `interleave` of them in one go (0: LLVM's choice); parts: the number of
 * iterations is no multiple of that, so that the last vectors have lanes off; unroll: of a known number, the vectors stand one after
 * the other without a loop. */
void cg_for_end_lanes(E *e, cg_for *f, LV group, int interleave, bool parts, bool unroll);
LV cg_new_group(E *e);

/* emit.c */
void cg_emit_block(E *e, const ir_block *b);
void cg_emit_op(E *e, const ir_op *op);
void cg_emit_fn(E *e, const ir_fn *fn, uint32_t number);
/* emit_ahead.c */
void cg_ahead_emit(E *e, const cg_ahead *spec); /* the wrappers around the functions of the module */
/* emit_scalar.c */
LV cg_val(E *e, ir_val v);
void cg_guard_op(E *e, const ir_op *op);
void cg_bound_op(E *e, const ir_op *op);
bool cg_inverts(const ir_op *op);
void cg_draw_op(E *e, const ir_op *op);
LV cg_fma(E *e, LV a, LV b, LV c);
void cg_scalar_op(E *e, const ir_op *op);
int cg_special_code(int ir_code); /* its rt_special; -1: no special function */
LV cg_fold2(E *e, int mode, int elem, LV a, LV b); /* one step of a MAX, MIN or int SUM */
LV cg_fold_start(E *e, int mode, int elem);
/* emit_array.c */
void cg_at(E *e, const ir_op *op);
void cg_put(E *e, const ir_op *op);
void cg_new(E *e, const ir_op *op);
void cg_dense(E *e, const ir_op *op);
LV cg_flat(E *e, ir_type t, const ir_axes *axes); /* fixed axes' part of the position in a dense array */
typedef enum cg_place_mode { CG_STORE, CG_ADD } cg_place_mode;
/* Places y, a scalar or array of type yt, in the dense array of type t at base. */
void cg_place(E *e, ir_type t, LV base, const ir_axes *axes, ir_type yt, const cg_value *y, cg_place_mode mode);
LV cg_address(E *e, ir_val v);            /* of v as a dense array, which is made where it is not */
void cg_copy_value(E *e, LV d, ir_type t, const cg_value *x);
int64_t cg_known_cells(E *e, ir_type t);  /* 1 for a scalar; -1: not known while compiling */
LV *cg_cells_of(E *e, ir_val v);          /* all cells as SSA values; their number is known */
bool cg_takes(E *e, const ir_op *op, ir_val init);
/* Places of cells: those of array `t` at axes, for each cell of the slice. */
LV *cg_cells_put(E *e, ir_type t, LV *old, const ir_axes *axes, const LV *y, cg_place_mode mode);
int64_t cg_slice_offset(E *e, ir_type t, const ir_axes *axes, int64_t element); /* free axes' part, of a known shape */
LV cg_slice_at(E *e, ir_type t, const ir_axes *axes, int64_t element);          /* the same where only the free axes are known */
bool cg_small_matmul(E *e, const ir_op *op, int64_t *work);
/* emit_cells.c */
bool *cg_cells_plan(E *e); /* e->in_cells of the function at hand, whose operations are numbered */
/* emit_small.c */
int64_t cg_known_extent(E *e, ir_val v);   /* -1: not known while compiling */
int64_t cg_iterations(E *e, const ir_op *op); /* the same for a loop */
bool cg_straight(E *e, const ir_block *b, int64_t times, int64_t *budget);
bool cg_unrolls(E *e, const ir_op *op, int64_t times, int64_t *budget);
void cg_unroll(E *e, const ir_op *op);
/* emit_large.c */
void cg_cut_long_blocks(E *e); /* after all passes: bounds what the register allocator has to look at */
/* emit_sum.c */
LV cg_tree(E *e, LV *t, int64_t n); /* the canonical sum of n <= 32 terms, which it overwrites */
LV cg_tree_at(E *e, LV terms, int64_t n);
/* emit_lanes.c, emit_column.c, emit_loop.c */
void cg_emit_loop(E *e, const ir_op *op);
bool cg_lanes(E *e, const ir_op *op); /* false: it does not suit, and nothing was emitted */
/* emit_special.c */
cg_columns *cg_columns_find(E *e, const ir_op *plate, int64_t width); /* width: iterations of a group, at most; NULL: no special function */
void cg_columns_before(E *e, cg_columns *s, LV first, LV len);        /* iterations first .. first + len - 1 of the last axis */
void cg_columns_at(E *e, cg_columns *s, LV lane);                     /* s NULL: from here on they are calls */
bool cg_by_column(E *e, const ir_op *op);
void cg_column_op(E *e, const ir_op *op);
/* emit_tile.c */
cg_tiles *cg_tiles_find(E *e, const ir_op *plate);   /* marks what goes by tiles; NULL: nothing does */
void cg_tiles_drop(E *e, const cg_tiles *t);         /* takes the marks back */
bool cg_by_tile(E *e, const ir_op *op);
void cg_tiles_begin(E *e, cg_tiles *t, bool blocks); /* blocks: there may be more than one block of 4096 */
void cg_tiles_clear(E *e, cg_tiles *t);              /* the accumulators: at the beginning of a block */
void cg_tiles_before(E *e, cg_tiles *t, LV first, LV len);
void cg_tile_op(E *e, const ir_op *op);              /* in the body: reads or writes a column */
void cg_tiles_after(E *e, cg_tiles *t, LV len);
void cg_tiles_push(E *e, cg_tiles *t);               /* a block is complete */
bool cg_tiles_sum(E *e, cg_tiles *t, uint32_t out, LV many); /* makes that output of the plate; false: it is not one of these */

/* How a result of a loop is built. */
typedef struct cg_result {
  LV to;       /* array: its memory; scalar: an alloca */
  LV sum;      /* real SUM: the runtime's state of it */
  LV lanes;
  LV acc, rest; /* on lanes: [cells][lanes] accumulators or terms; a second set for the last iterations */
  LV column, at;
  LV *cell;     /* a carried array of few cells: an alloca for each */
  LV last;      /* what the iteration before placed */
  int64_t cells; /* of what is yielded; 1: a scalar; -1: not known */
  bool few;      /* SUM: at most 32 terms */
} cg_result;
void cg_result_begin(E *e, const ir_op *op, uint32_t k, cg_result *r); /* all but real sums */
int64_t cg_extents(E *e, const ir_loop *loop, LV *n);
LV cg_last_placed(E *e, ir_val state, const ir_axes *axes);
void cg_box(E *e, const ir_op *op, const LV *n);
bool cg_real_sum(E *e, const ir_op *op, uint32_t k);
void cg_checks_begin(E *e, const ir_op *op);
void cg_checks_end(E *e, const ir_op *op, const LV *n);

#endif
