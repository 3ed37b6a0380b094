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

/* What stands for an IR value: a scalar's SSA value (i1 for bool), or the address of an array's first cell. */
typedef struct cg_value {
  LV v;
  ir_val root;    /* arrays: the value that owns the memory; 0: memory that nobody writes during the call */
  uint32_t uses;  /* operands and yields that name it, anywhere */
  int out;        /* result of the function that this memory is; -1: none */
} cg_value;

typedef struct cg_emit_state {
  ir_module *m;
  const ir_fn *fn;
  arena *mem;
  const char *error;
  jmp_buf fail;
  LLVMContextRef cx;
  LLVMModuleRef mod, support;
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
  /* inside the loop of a column plate */
  LV group;           /* access group of its loads and stores; NULL outside */
  bool column;        /* checks are collected, not taken */
  LV failed;          /* alloca i1: some bound failed */
  struct guard_count { const ir_op *op; LV count; } *guard;
  size_t nguards, cap_guards;
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
LV cg_host_call(E *e, unsigned field, LLVMTypeRef result, unsigned n, LV *args);
LV cg_alloca(E *e, LLVMTypeRef t);
LV cg_slot_scaled(E *e, int64_t mul, int64_t add, ir_type t); /* memory of mul * cells of t + add cells */
LV cg_memory(E *e, ir_val v);             /* where v's array is to be built; sets root */
LV cg_temp(E *e, ir_type t);
void cg_copy_cells(E *e, LV d, LV s, LV n);
LB cg_block(E *e, const char *name);
int64_t cg_op_number(E *e, const ir_op *op);

typedef struct cg_for {
  LB body, exit;
  LV index, n, first;
} cg_for;
cg_for cg_for_begin(E *e, LV n);
void cg_for_end(E *e, cg_for *f);
void cg_for_end_parallel(E *e, cg_for *f, LV group);

void cg_emit_block(E *e, const ir_block *b);
void cg_emit_op(E *e, const ir_op *op);
void cg_emit_loop(E *e, const ir_op *op);
LV cg_tree(E *e, LV *t, int64_t n); /* the canonical sum of n <= 32 terms, which it overwrites */
/* emit_array.c */
void cg_at(E *e, const ir_op *op);
bool cg_in_place(const ir_axes *axes); /* the slice is seen where it stands */
LV cg_flat(E *e, ir_type t, const ir_axes *axes); /* fixed axes' part of the position */
typedef enum cg_place_mode { CG_STORE, CG_ADD } cg_place_mode;
void cg_place(E *e, ir_type t, LV base, const ir_axes *axes, ir_type yt, LV y, cg_place_mode mode);
void cg_put(E *e, const ir_op *op);
void cg_dense(E *e, const ir_op *op);
bool cg_takes(E *e, const ir_op *op, ir_val init);

#endif
