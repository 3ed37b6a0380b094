/* emit.c: functions, blocks and scalar operations; the module around them and its way through LLVM. */
#include "codegen/emit_internal.h"

#include "compiler/ir_uses.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/DebugInfo.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/Linker.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void cg_fail(E *e, const char *why) {
  e->error = why;
  longjmp(e->fail, 1);
}

/* ---- small pieces */

LV cg_int(E *e, int64_t n) { return LLVMConstInt(e->i64, (unsigned long long)n, 1); }
LV cg_mul(E *e, LV a, LV b) { return LLVMBuildMul(e->b, a, b, ""); }
LV cg_add(E *e, LV a, LV b) { return LLVMBuildAdd(e->b, a, b, ""); }
LV cg_gep(E *e, LV base, LV index) { return LLVMBuildInBoundsGEP2(e->b, e->i64, base, &index, 1, ""); }
LB cg_block(E *e, const char *name) { return LLVMAppendBasicBlockInContext(e->cx, e->func, name); }

bool cg_const(LV v, int64_t *n) {
  if (!LLVMIsAConstantInt(v)) return false;
  *n = LLVMConstIntGetSExtValue(v);
  return true;
}

static LV empty_node(E *e) { return LLVMMetadataAsValue(e->cx, LLVMMDNodeInContext2(e->cx, NULL, 0)); }

/* Field k of the context, or element k of a table found there. */
static LV context_field(E *e, LLVMBuilderRef b, unsigned k, LLVMTypeRef t) {
  LV at = LLVMConstInt(e->i64, k, 0);
  LV v = LLVMBuildLoad2(b, t, LLVMBuildInBoundsGEP2(b, e->i64, e->ctx, &at, 1, ""), "");
  LLVMSetMetadata(v, e->kind_invariant, empty_node(e));
  return v;
}
static LV table_entry(E *e, LV table, uint32_t k, LLVMTypeRef t) {
  LV at = LLVMConstInt(e->i64, k, 0);
  LV v = LLVMBuildLoad2(e->entry, t, LLVMBuildInBoundsGEP2(e->entry, e->i64, table, &at, 1, ""), "");
  LLVMSetMetadata(v, e->kind_invariant, empty_node(e));
  return v;
}
enum { CTX_SIZE, CTX_SLOT, CTX_IN, CTX_OUT, CTX_HOST };

LV cg_size(E *e, ir_size s) {
  int64_t n;
  if (size_value(e->m->sizes, s, &n)) return cg_int(e, n);
  if (s < e->nsize_cache && e->size[s]) return e->size[s];
  if (s >= e->nsize_cache) {
    uint32_t to = s + 64;
    LV *grown = ARENA_ARRAY(e->mem, LV, to);
    if (e->nsize_cache) memcpy(grown, e->size, e->nsize_cache * sizeof *grown);
    e->size = grown;
    e->nsize_cache = to;
  }
  strbuf_puts(&e->meta, "size ");
  size_print(e->m->sizes, s, &e->meta);
  strbuf_putc(&e->meta, '\n');
  LV table = context_field(e, e->entry, CTX_SIZE, e->ptr);
  return e->size[s] = table_entry(e, table, e->nsizes++, e->i64);
}

static ir_size cells_size(E *e, ir_type t) {
  ir_size s = size_const(e->m->sizes, 1);
  for (int k = 0; k < t.rank; k++) s = size_mul(e->m->sizes, s, t.dim[k]);
  if (s == IR_SIZE_NONE) cg_fail(e, "the number of cells of an array is too complicated");
  return s;
}
LV cg_cells(E *e, ir_type t) { return cg_size(e, cells_size(e, t)); }

/* Memory of mul * s + add cells. */
static LV slot_new(E *e, int64_t mul, int64_t add, ir_size s) {
  strbuf_printf(&e->meta, "slot %lld %lld ", (long long)mul, (long long)add);
  size_print(e->m->sizes, s, &e->meta);
  strbuf_putc(&e->meta, '\n');
  return table_entry(e, context_field(e, e->entry, CTX_SLOT, e->ptr), e->nslots++, e->ptr);
}
LV cg_slot_scaled(E *e, int64_t mul, int64_t add, ir_type t) { return slot_new(e, mul, add, cells_size(e, t)); }
LV cg_temp(E *e, ir_type t) { return slot_new(e, 1, 0, cells_size(e, t)); }

LV cg_memory(E *e, ir_val v) {
  cg_value *x = &e->v[v];
  x->root = v;
  return x->v = x->out >= 0 ? table_entry(e, context_field(e, e->entry, CTX_OUT, e->ptr), (uint32_t)x->out, e->ptr)
                            : cg_temp(e, ir_type_of(e->fn, v));
}

LV cg_alloca(E *e, LLVMTypeRef t) {
  LV v = LLVMBuildAlloca(e->entry, t, "");
  if (LLVMGetTypeKind(t) == LLVMArrayTypeKind) LLVMSetAlignment(v, 64); /* columns: vectors that cross no line */
  return v;
}

static void in_group(E *e, LV access) {
  if (e->group) LLVMSetMetadata(access, e->kind_group, e->group);
}
LV cg_load(E *e, int elem, LV address) {
  LV v = LLVMBuildLoad2(e->b, elem == IR_REAL ? e->f64 : e->i64, address, "");
  in_group(e, v);
  return elem == IR_BOOL ? LLVMBuildICmp(e->b, LLVMIntNE, v, cg_int(e, 0), "") : v;
}
void cg_store(E *e, int elem, LV value, LV address) {
  if (elem == IR_BOOL) value = LLVMBuildZExt(e->b, value, e->i64, "");
  in_group(e, LLVMBuildStore(e->b, value, address));
}

/* Calls a function of support.c, declared here by its type there. */
LV cg_call(E *e, const char *name, unsigned n, LV *args) {
  LV f = LLVMGetNamedFunction(e->support, name);
  if (!f) cg_fail(e, arena_printf(e->mem, "support code lacks %s", name));
  LLVMTypeRef t = LLVMGlobalGetValueType(f);
  LV here = LLVMGetNamedFunction(e->mod, name);
  if (!here) here = LLVMAddFunction(e->mod, name, t);
  return LLVMBuildCall2(e->b, t, here, args, n, "");
}

LV cg_host_call(E *e, unsigned field, LLVMTypeRef result, unsigned n, LV *args) {
  LLVMTypeRef t[8];
  for (unsigned k = 0; k < n; k++) t[k] = LLVMTypeOf(args[k]);
  LLVMTypeRef ft = LLVMFunctionType(result, t, n, 0);
  LV host = context_field(e, e->b, CTX_HOST, e->ptr), at = LLVMConstInt(e->i64, field, 0);
  LV f = LLVMBuildLoad2(e->b, e->ptr, LLVMBuildInBoundsGEP2(e->b, e->i64, host, &at, 1, ""), "");
  LLVMSetMetadata(f, e->kind_invariant, empty_node(e));
  return LLVMBuildCall2(e->b, ft, f, args, n, "");
}

void cg_copy_cells(E *e, LV d, LV s, LV n) {
  if (d == s) return;
  cg_call(e, "cg_copy", 3, (LV[]){d, s, n});
}

/* ---- counted loops */

cg_for cg_for_begin(E *e, LV n) {
  cg_for f = {.n = n, .body = cg_block(e, "body"), .exit = cg_block(e, "exit")};
  LB from = LLVMGetInsertBlock(e->b);
  int64_t k;
  if (cg_const(n, &k) && k > 0) LLVMBuildBr(e->b, f.body);
  else LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, cg_int(e, 0), n, ""), f.body, f.exit);
  LLVMPositionBuilderAtEnd(e->b, f.body);
  f.index = LLVMBuildPhi(e->b, e->i64, "i");
  LV zero = cg_int(e, 0);
  LLVMAddIncoming(f.index, &zero, &from, 1);
  return f;
}

void cg_for_end_parallel(E *e, cg_for *f, LV group) {
  LV next = LLVMBuildNSWAdd(e->b, f->index, cg_int(e, 1), "");
  LB here = LLVMGetInsertBlock(e->b);
  LLVMAddIncoming(f->index, &next, &here, 1);
  LV br = LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, next, f->n, ""), f->body, f->exit);
  if (group) {
    LLVMMetadataRef self = LLVMTemporaryMDNode(e->cx, NULL, 0);
    LLVMMetadataRef pa[2] = {LLVMMDStringInContext2(e->cx, "llvm.loop.parallel_accesses", 27), LLVMValueAsMetadata(group)};
    LLVMMetadataRef parts[2] = {self, LLVMMDNodeInContext2(e->cx, pa, 2)};
    LLVMMetadataRef id = LLVMMDNodeInContext2(e->cx, parts, 2);
    LLVMMetadataReplaceAllUsesWith(self, id);
    LLVMSetMetadata(br, e->kind_loop, LLVMMetadataAsValue(e->cx, id));
  }
  LLVMPositionBuilderAtEnd(e->b, f->exit);
}
void cg_for_end(E *e, cg_for *f) { cg_for_end_parallel(e, f, NULL); }

/* ---- numbers of operations: in ir_visit_ops order, the same on both sides of the text */

static void note_op(void *user, ir_op *op) {
  E *e = user;
  ARENA_PUSH(e->mem, e->ops, e->nops, e->cap_ops, op);
}

static int by_address(const void *a, const void *b) {
  const ir_op *const *x = a, *const *y = b;
  return (uintptr_t)*x < (uintptr_t)*y ? -1 : (uintptr_t)*x > (uintptr_t)*y;
}

typedef struct numbered {
  const ir_op *op;
  uint32_t n;
} numbered;

int64_t cg_op_number(E *e, const ir_op *op) {
  numbered *lo = (numbered *)(void *)e->number;
  size_t a = 0, n = e->nops;
  while (n) {
    size_t h = n / 2;
    if ((uintptr_t)lo[a + h].op < (uintptr_t)op) a += h + 1, n -= h + 1;
    else n = h;
  }
  return lo[a].n;
}

static void number_ops(E *e) {
  e->ops = NULL;
  e->nops = e->cap_ops = 0;
  ir_visit_ops((ir_block *)(uintptr_t)&e->fn->body, note_op, e);
  numbered *t = ARENA_ARRAY(e->mem, numbered, e->nops + 1);
  for (size_t k = 0; k < e->nops; k++) t[k] = (numbered){e->ops[k], (uint32_t)k};
  qsort(t, e->nops, sizeof *t, by_address);
  e->number = (uint32_t *)(void *)t;
}

/* ---- scalar operations */

static LV val(E *e, ir_val v) {
  if (!e->v[v].v) cg_fail(e, "a value is used before its definition");
  return e->v[v].v;
}

static const char *real_function(int code) {
  switch (code) {
#define X(CODE, name) case IR_##CODE##_OP: return "cg_" #name;
    X(SIGN, sign) X(FLOOR, floor) X(CEIL, ceil) X(ROUND, round) X(SQRT, sqrt) X(EXP, exp) X(LOG, log) X(LOG1P, log1p) X(EXPM1, expm1)
    X(SIN, sin) X(COS, cos) X(TAN, tan) X(ASIN, asin) X(ACOS, acos) X(ATAN, atan) X(SINH, sinh) X(COSH, cosh) X(TANH, tanh)
    X(ERF, erf) X(ERFC, erfc) X(LGAMMA, lgamma) X(DIGAMMA, digamma) X(TRIGAMMA, trigamma) X(LOG1P_EXP, log1p_exp)
    X(INV_LOGIT, inv_logit) X(PHI, phi) X(LOG_PHI, log_phi) X(INV_PHI, inv_phi) X(POW, pow) X(ATAN2, atan2)
#undef X
    default: return NULL;
  }
}

static LV intrinsic(E *e, const char *name, LLVMTypeRef t, unsigned n, LV *args) {
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  LV f = LLVMGetIntrinsicDeclaration(e->mod, id, &t, 1);
  return LLVMBuildCall2(e->b, LLVMIntrinsicGetType(e->cx, id, &t, 1), f, args, n, "");
}

static LV real_op(E *e, const ir_op *op, LV *a) {
  switch (op->code) {
    case IR_ADD_OP: return LLVMBuildFAdd(e->b, a[0], a[1], "");
    case IR_SUB_OP: return LLVMBuildFSub(e->b, a[0], a[1], "");
    case IR_MUL_OP: return LLVMBuildFMul(e->b, a[0], a[1], "");
    case IR_DIV_OP: return LLVMBuildFDiv(e->b, a[0], a[1], "");
    case IR_NEG_OP: return LLVMBuildFNeg(e->b, a[0], "");
    case IR_FMA_OP: return intrinsic(e, "llvm.fma", e->f64, 3, a);
    case IR_ABS_OP: return intrinsic(e, "llvm.fabs", e->f64, 1, a);
    case IR_MIN_OP: return cg_call(e, "cg_min", 2, a);
    case IR_MAX_OP: return cg_call(e, "cg_max", 2, a);
    case IR_EQ_OP: return LLVMBuildFCmp(e->b, LLVMRealOEQ, a[0], a[1], "");
    case IR_NE_OP: return LLVMBuildFCmp(e->b, LLVMRealUNE, a[0], a[1], "");
    case IR_LT_OP: return LLVMBuildFCmp(e->b, LLVMRealOLT, a[0], a[1], "");
    case IR_LE_OP: return LLVMBuildFCmp(e->b, LLVMRealOLE, a[0], a[1], "");
    case IR_TO_INT_OP: return cg_call(e, "cg_to_int", 1, a);
    default: break;
  }
  const char *name = real_function(op->code);
  if (!name) cg_fail(e, arena_printf(e->mem, "machine code for `%s` does not exist", ir_op_table[op->code].name));
  return cg_call(e, name, op->nargs, a);
}

static LV int_select(E *e, LLVMIntPredicate p, LV a, LV b) { return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, p, a, b, ""), a, b, ""); }

static LV int_op(E *e, const ir_op *op, LV *a) {
  switch (op->code) {
    case IR_ADD_OP: return LLVMBuildAdd(e->b, a[0], a[1], "");
    case IR_SUB_OP: return LLVMBuildSub(e->b, a[0], a[1], "");
    case IR_MUL_OP: return LLVMBuildMul(e->b, a[0], a[1], "");
    case IR_NEG_OP: return LLVMBuildNeg(e->b, a[0], "");
    case IR_ABS_OP: return int_select(e, LLVMIntSGT, a[0], LLVMBuildNeg(e->b, a[0], ""));
    case IR_MIN_OP: return int_select(e, LLVMIntSLT, a[0], a[1]);
    case IR_MAX_OP: return int_select(e, LLVMIntSGT, a[0], a[1]);
    case IR_IDIV_OP: return cg_call(e, "cg_idiv", 2, a);
    case IR_IMOD_OP: return cg_call(e, "cg_imod", 2, a);
    case IR_EQ_OP: return LLVMBuildICmp(e->b, LLVMIntEQ, a[0], a[1], "");
    case IR_NE_OP: return LLVMBuildICmp(e->b, LLVMIntNE, a[0], a[1], "");
    case IR_LT_OP: return LLVMBuildICmp(e->b, LLVMIntSLT, a[0], a[1], "");
    case IR_LE_OP: return LLVMBuildICmp(e->b, LLVMIntSLE, a[0], a[1], "");
    case IR_AND_OP: return LLVMBuildAnd(e->b, a[0], a[1], "");
    case IR_OR_OP: return LLVMBuildOr(e->b, a[0], a[1], "");
    case IR_NOT_OP: return LLVMBuildNot(e->b, a[0], "");
    case IR_TO_REAL_OP: return LLVMBuildSIToFP(e->b, a[0], e->f64, "");
    case IR_BOOL_INT_OP: return LLVMBuildZExt(e->b, a[0], e->i64, "");
    case IR_FOLD_OP: return cg_call(e, "cg_fold", 2, a);
    default: cg_fail(e, arena_printf(e->mem, "machine code for `%s` does not exist", ir_op_table[op->code].name));
  }
}

static void emit_guard(E *e, const ir_op *op) {
  LV c = val(e, op->args[0]), x = val(e, op->args[1]);
  e->v[op->res[0]].v = LLVMBuildSelect(e->b, c, x, LLVMConstReal(e->f64, -__builtin_inf()), "");
  if (e->column) {
    LV count = NULL;
    for (size_t k = 0; k < e->nguards; k++) if (e->guard[k].op == op) count = e->guard[k].count;
    LV fails = LLVMBuildZExt(e->b, LLVMBuildNot(e->b, c, ""), e->i64, "");
    LLVMBuildStore(e->b, cg_add(e, LLVMBuildLoad2(e->b, e->i64, count, ""), fails), count);
    return;
  }
  LB bad = cg_block(e, "guard"), on = cg_block(e, "on");
  LLVMBuildCondBr(e->b, c, on, bad);
  LLVMPositionBuilderAtEnd(e->b, bad);
  cg_call(e, "cg_guard", 3, (LV[]){e->ctx, cg_int(e, 1), cg_int(e, cg_op_number(e, op))});
  LLVMBuildBr(e->b, on);
  LLVMPositionBuilderAtEnd(e->b, on);
}

static void emit_bound(E *e, const ir_op *op) {
  LV i = val(e, op->args[0]), n = val(e, op->args[1]);
  LV inside = LLVMBuildAnd(e->b, LLVMBuildICmp(e->b, LLVMIntSGE, i, cg_int(e, 0), ""), LLVMBuildICmp(e->b, LLVMIntSLT, i, n, ""), "");
  if (e->column) {
    LLVMBuildStore(e->b, LLVMBuildOr(e->b, LLVMBuildLoad2(e->b, e->i64, e->failed, ""), LLVMBuildZExt(e->b, LLVMBuildNot(e->b, inside, ""), e->i64, ""), ""), e->failed);
    e->v[op->res[0]].v = LLVMBuildSelect(e->b, inside, i, cg_int(e, 0), "");
    return;
  }
  LB bad = cg_block(e, "bound"), on = cg_block(e, "on");
  LLVMBuildCondBr(e->b, inside, on, bad);
  LLVMPositionBuilderAtEnd(e->b, bad);
  cg_call(e, "cg_bound", 4, (LV[]){e->ctx, cg_int(e, cg_op_number(e, op)), i, n});
  LLVMBuildRet(e->b, cg_int(e, 1));
  LLVMPositionBuilderAtEnd(e->b, on);
  e->v[op->res[0]].v = i;
}

static LV as_bits(E *e, LV v) { return LLVMTypeOf(v) == e->f64 ? LLVMBuildBitCast(e->b, v, e->i64, "") : v; }

enum { HOST_DOT, HOST_GEMV, HOST_GEMM, HOST_CHOLESKY, HOST_CHOL_ADJ, HOST_TRISOLVE, HOST_QR_R, HOST_INVERSE, HOST_DRAW, HOST_CATEGORICAL };

static void emit_draw(E *e, const ir_op *op) {
  ir_val r = op->res[0];
  LV key = val(e, op->args[0]), index = val(e, op->args[1]), site = cg_int(e, op->u.integer);
  if (op->code == IR_CATEGORICAL_OP) {
    e->v[r].v = cg_host_call(e, HOST_CATEGORICAL, e->i64, 5, (LV[]){site, key, index, val(e, op->args[2]), cg_cells(e, ir_type_of(e->fn, op->args[2]))});
    return;
  }
  LV p[2] = {cg_int(e, 0), cg_int(e, 0)};
  for (uint32_t k = 2; k < op->nargs && k < 4; k++) p[k - 2] = as_bits(e, val(e, op->args[k]));
  LV x = cg_host_call(e, HOST_DRAW, e->i64, 6, (LV[]){cg_int(e, op->code), site, key, index, p[0], p[1]});
  e->v[r].v = ir_type_of(e->fn, r).elem == IR_REAL ? LLVMBuildBitCast(e->b, x, e->f64, "") : x;
}

static void emit_if(E *e, const ir_op *op) {
  const ir_if *f = op->u.branch;
  LB side[2] = {cg_block(e, "then"), cg_block(e, "else")}, end[2], on = cg_block(e, "on");
  LLVMBuildCondBr(e->b, val(e, op->args[0]), side[0], side[1]);
  LV *from = ARENA_ARRAY(e->mem, LV, 2 * op->nres);
  for (uint32_t k = 0; k < op->nres; k++)
    if (ir_type_of(e->fn, op->res[k]).rank) cg_memory(e, op->res[k]);
  for (int s = 0; s < 2; s++) {
    LLVMPositionBuilderAtEnd(e->b, side[s]);
    cg_emit_block(e, s ? &f->else_ : &f->then_);
    const ir_val *y = s ? f->else_yield : f->then_yield;
    for (uint32_t k = 0; k < op->nres; k++) {
      ir_type t = ir_type_of(e->fn, op->res[k]);
      if (t.rank) cg_copy_cells(e, e->v[op->res[k]].v, val(e, y[k]), cg_cells(e, t));
      else from[2 * k + (uint32_t)s] = val(e, y[k]);
    }
    end[s] = LLVMGetInsertBlock(e->b);
    LLVMBuildBr(e->b, on);
  }
  LLVMPositionBuilderAtEnd(e->b, on);
  for (uint32_t k = 0; k < op->nres; k++) {
    if (ir_type_of(e->fn, op->res[k]).rank) continue;
    LV phi = LLVMBuildPhi(e->b, LLVMTypeOf(from[2 * k]), "");
    LLVMAddIncoming(phi, &from[2 * k], end, 2);
    e->v[op->res[k]].v = phi;
  }
}

void cg_emit_op(E *e, const ir_op *op) {
  LV *r = op->nres ? &e->v[op->res[0]].v : NULL;
  switch (op->code) {
    case IR_REAL_OP: *r = LLVMConstBitCast(cg_int(e, (int64_t)((union { double d; int64_t i; }){.d = op->u.real}).i), e->f64); return;
    case IR_INT_OP: *r = cg_int(e, op->u.integer); return;
    case IR_BOOL_OP: *r = LLVMConstInt(e->i1, op->u.integer != 0, 0); return;
    case IR_SIZE_OP: *r = cg_size(e, op->u.size); return;
    case IR_SELECT_OP: *r = LLVMBuildSelect(e->b, val(e, op->args[0]), val(e, op->args[1]), val(e, op->args[2]), ""); return;
    case IR_GUARD_OP: emit_guard(e, op); return;
    case IR_BOUND_OP: emit_bound(e, op); return;
    case IR_NEW_OP: {
      ir_type t = ir_type_of(e->fn, op->res[0]);
      cg_call(e, "cg_fill", 3, (LV[]){cg_memory(e, op->res[0]), cg_int(e, 0), cg_cells(e, t)});
      return;
    }
    case IR_AT_OP: cg_at(e, op); return;
    case IR_PUT_OP: cg_put(e, op); return;
    case IR_MATMUL_OP: case IR_CHOLESKY_OP: case IR_CHOL_ADJ_OP: case IR_TRISOLVE_OP: case IR_QR_R_OP: case IR_INV_PTR_OP: case IR_INV_LIST_OP:
      cg_dense(e, op);
      return;
    case IR_PLATE_OP: case IR_SCAN_OP: cg_emit_loop(e, op); return;
    case IR_IF_OP: emit_if(e, op); return;
    case IR_UNIFORM_OP: case IR_NORMAL_OP: case IR_EXPONENTIAL_OP: case IR_GAMMA_OP: case IR_LOG_GAMMA_OP: case IR_POISSON_OP:
    case IR_BINOMIAL_OP: case IR_CATEGORICAL_OP: emit_draw(e, op); return;
    case IR_CALL_OP: cg_fail(e, "a call was not inlined");
    default: break;
  }
  if (op->nargs == 0 || op->nargs > 3 || op->nres != 1) cg_fail(e, "an operation of models");
  LV a[3] = {NULL};
  for (uint32_t k = 0; k < op->nargs; k++) a[k] = val(e, op->args[k]);
  *r = ir_type_of(e->fn, op->args[0]).elem == IR_REAL ? real_op(e, op, a) : int_op(e, op, a);
}

void cg_emit_block(E *e, const ir_block *b) {
  for (const ir_op *op = b->first; op; op = op->next) cg_emit_op(e, op);
}

/* ---- a function */

/* Results are built where the caller wants them, from the first operation on that their memory passes through. */
static void plan_homes(E *e) {
  for (uint32_t k = 0; k < e->fn->nret; k++) {
    ir_val v = e->fn->ret[k];
    ir_op *def = ir_def_op(e->fn, v);
    if (ir_type_of(e->fn, v).rank && def && def->code != IR_AT_OP && def->block == &e->fn->body && e->v[v].out < 0) e->v[v].out = (int)k;
  }
  for (ir_op *op = e->fn->body.last; op; op = op->prev) {
    if (op->code == IR_PUT_OP) {
      if (cg_takes(e, op, op->args[0])) e->v[op->args[0]].out = e->v[op->res[0]].out;
    } else if (ir_is_loop(op)) {
      for (uint32_t k = 0; k < op->nres; k++) {
        ir_val init = op->u.loop->out[k].init;
        if (init && ir_type_of(e->fn, init).rank && cg_takes(e, op, init)) e->v[init].out = e->v[op->res[k]].out;
      }
    }
  }
}

static void emit_fn(E *e, const ir_fn *fn, uint32_t number) {
  e->fn = fn;
  e->v = ARENA_ARRAY(e->mem, cg_value, fn->nvals);
  uint32_t *uses = ir_use_counts(fn, e->mem);
  for (ir_val v = 0; v < fn->nvals; v++) e->v[v].uses = uses[v], e->v[v].out = -1;
  e->nsize_cache = e->nslots = e->nsizes = 0;
  e->size = NULL;
  e->group = NULL;
  e->column = false;
  number_ops(e);
  strbuf_printf(&e->meta, "fn %s\n", fn->name);
  char *name = arena_printf(e->mem, "aim_fn_%u", number);
  e->func = LLVMAddFunction(e->mod, name, LLVMFunctionType(e->i64, &e->ptr, 1, 0));
  LLVMSetVisibility(e->func, LLVMHiddenVisibility);
  e->ctx = LLVMGetParam(e->func, 0);
  unsigned noalias = LLVMGetEnumAttributeKindForName("noalias", 7);
  LLVMAddAttributeAtIndex(e->func, 1, LLVMCreateEnumAttribute(e->cx, noalias, 0));
  LB entry = cg_block(e, "entry"), start = cg_block(e, "start");
  LLVMPositionBuilderAtEnd(e->entry, entry);
  LLVMPositionBuilderAtEnd(e->b, start);
  plan_homes(e);
  LV in = fn->nparams ? context_field(e, e->entry, CTX_IN, e->ptr) : NULL;
  for (uint32_t k = 0; k < fn->nparams; k++) {
    ir_val v = fn->param[k].val;
    e->v[v].v = table_entry(e, in, k, e->ptr);
    if (ir_type_of(fn, v).rank == 0) e->v[v].v = cg_load(e, ir_type_of(fn, v).elem, e->v[v].v);
  }
  cg_emit_block(e, &fn->body);
  for (uint32_t k = 0; k < fn->nret; k++) {
    ir_val v = fn->ret[k];
    ir_type t = ir_type_of(fn, v);
    if (t.rank && e->v[v].out == (int)k) continue;
    LV out = table_entry(e, context_field(e, e->entry, CTX_OUT, e->ptr), k, e->ptr);
    if (t.rank) cg_copy_cells(e, out, e->v[v].v, cg_cells(e, t));
    else cg_store(e, t.elem, e->v[v].v, out);
  }
  LLVMBuildRet(e->b, cg_int(e, 0));
  LLVMBuildBr(e->entry, start);
}

/* ---- the module */

/* Attributes of the machine that the bitcode was compiled on must not become those of the object. */
static void strip(E *e, const cg_target *target) {
  unsigned lib = 0;
  (void)lib;
  for (LV f = LLVMGetFirstFunction(e->mod); f; f = LLVMGetNextFunction(f)) {
    if (LLVMIsDeclaration(f)) continue;
    static const char *const names[] = {"target-cpu", "target-features", "tune-cpu", "no-builtins", "min-legal-vector-width"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
      LLVMRemoveStringAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, names[k], (unsigned)strlen(names[k]));
    LLVMAddAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, LLVMCreateStringAttribute(e->cx, "no-builtins", 11, "", 0));
    if (target->width) {
      char w[16];
      int n = 0;
      for (int d = 1000, started = 0; d; d /= 10) if (target->width / d % 10 || started) w[n++] = (char)('0' + target->width / d % 10), started = 1;
      LLVMAddAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, LLVMCreateStringAttribute(e->cx, "prefer-vector-width", 19, w, (unsigned)n));
    }
    LLVMAddAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(e->cx, LLVMGetEnumAttributeKindForName("nounwind", 8), 0));
    LLVMSetUnnamedAddress(f, LLVMGlobalUnnamedAddr);
    const char *name = LLVMGetValueName(f);
    if (strncmp(name, "aim_fn_", 7) == 0) continue;
    bool routine = strcmp(name, "memcpy") == 0 || strcmp(name, "memset") == 0 || (strcmp(name, "fma") == 0 && !target->has_fma);
    if (routine) LLVMSetVisibility(f, LLVMHiddenVisibility);
    else LLVMSetLinkage(f, LLVMInternalLinkage);
  }
}

static void diagnose(LLVMDiagnosticInfoRef d, void *user) {
  E *e = user;
  if (LLVMGetDiagInfoSeverity(d) != LLVMDSError || e->error) return;
  char *text = LLVMGetDiagInfoDescription(d);
  e->error = arena_printf(e->mem, "%s", text);
  LLVMDisposeMessage(text);
}

static void add_meta(E *e) {
  LV text = LLVMConstStringInContext(e->cx, e->meta.s, (unsigned)e->meta.n, 0);
  LV g = LLVMAddGlobal(e->mod, LLVMTypeOf(text), "aim_meta");
  LLVMSetInitializer(g, text);
  LLVMSetGlobalConstant(g, 1);
  LLVMSetVisibility(g, LLVMHiddenVisibility);
}

static uint32_t plates(const ir_module *m);

static void make_groups(E *e);

static const char *emit_all(E *e, const cg_target *target, const void *support, size_t nsupport, char **object, size_t *nobject, char **text) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  const char *triple = "x86_64-pc-linux-gnu";
  LLVMTargetRef t;
  char *message = NULL;
  if (LLVMGetTargetFromTriple(triple, &t, &message)) cg_fail(e, "LLVM has no x86-64 back end");
  LLVMTargetMachineRef tm = LLVMCreateTargetMachine(t, triple, target->cpu, target->features, LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelDefault);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(tm);
  LLVMSetTarget(e->mod, triple);
  LLVMSetModuleDataLayout(e->mod, layout);
  LLVMMemoryBufferRef bc = LLVMCreateMemoryBufferWithMemoryRange(support, nsupport, "support", 0);
  if (LLVMParseBitcodeInContext2(e->cx, bc, &e->support)) cg_fail(e, "the support code is damaged");
  LLVMSetTarget(e->support, triple);
  LLVMSetModuleDataLayout(e->support, layout);
  make_groups(e);
  for (uint32_t k = 0; k < e->m->nfns; k++) emit_fn(e, e->m->fn[k], k);
  add_meta(e);
  if (LLVMLinkModules2(e->mod, e->support)) cg_fail(e, "the support code does not link");
  LV used = LLVMGetNamedGlobal(e->mod, "llvm.compiler.used");
  if (used) LLVMDeleteGlobal(used);
  strip(e, target);
  if (LLVMVerifyModule(e->mod, LLVMReturnStatusAction, &message)) {
    if (text) *text = LLVMPrintModuleToString(e->mod);
    cg_fail(e, arena_printf(e->mem, "LLVM rejects the code: %.300s", message));
  }
  LLVMPassBuilderOptionsRef o = LLVMCreatePassBuilderOptions();
  LLVMPassBuilderOptionsSetLoopVectorization(o, 1);
  LLVMPassBuilderOptionsSetSLPVectorization(o, 1);
  LLVMPassBuilderOptionsSetLoopInterleaving(o, 1);
  LLVMPassBuilderOptionsSetLoopUnrolling(o, 1);
  LLVMErrorRef failed = LLVMRunPasses(e->mod, "globaldce,default<O2>", tm, o);
  if (failed) cg_fail(e, "LLVM's passes failed");
  LLVMDisposePassBuilderOptions(o);
  if (text) *text = LLVMPrintModuleToString(e->mod);
  LLVMMemoryBufferRef out;
  if (LLVMTargetMachineEmitToMemoryBuffer(tm, e->mod, LLVMObjectFile, &message, &out)) cg_fail(e, arena_printf(e->mem, "%.300s", message));
  if (e->error) return e->error;
  *nobject = LLVMGetBufferSize(out);
  *object = malloc(*nobject);
  if (!*object) cg_fail(e, "no memory");
  memcpy(*object, LLVMGetBufferStart(out), *nobject);
  LLVMDisposeMemoryBuffer(out);
  LLVMDisposeTargetData(layout);
  LLVMDisposeTargetMachine(tm);
  return NULL;
}

static uint32_t plates_of(const ir_block *b) {
  uint32_t n = 0;
  for (const ir_op *op = b->first; op; op = op->next) {
    if (ir_is_loop(op)) n += 1 + plates_of(&op->u.loop->body);
    else if (op->code == IR_IF_OP) n += plates_of(&op->u.branch->then_) + plates_of(&op->u.branch->else_);
  }
  return n;
}
static uint32_t plates(const ir_module *m) {
  uint32_t n = 0;
  for (uint32_t k = 0; k < m->nfns; k++) n += plates_of(&m->fn[k]->body);
  return n;
}

/* Access groups are distinct nodes, which the C API makes only by reading text. */
static void make_groups(E *e) {
  uint32_t n = 8 * plates(e->m) + 64; /* a loop may be emitted more than once */
  strbuf s;
  strbuf_init(&s, e->mem);
  strbuf_puts(&s, "!aim.groups = !{");
  for (uint32_t k = 0; k < n; k++) strbuf_printf(&s, "%s!%u", k ? ", " : "", k);
  strbuf_puts(&s, "}\n");
  for (uint32_t k = 0; k < n; k++) strbuf_printf(&s, "!%u = distinct !{}\n", k);
  LLVMMemoryBufferRef text = LLVMCreateMemoryBufferWithMemoryRangeCopy(s.s, s.n, "groups");
  LLVMModuleRef mod;
  char *message = NULL;
  if (LLVMParseIRInContext(e->cx, text, &mod, &message)) cg_fail(e, "access groups cannot be made");
  e->groups = ARENA_ARRAY(e->mem, LV, n);
  LLVMGetNamedMetadataOperands(mod, "aim.groups", e->groups);
  e->ngroups = n;
}

const char *cg_emit(ir_module *m, const cg_target *target, const void *support, size_t nsupport, char **object, size_t *nobject, char **text) {
  E *e = ARENA_NEW(m->mem, E);
  e->m = m;
  e->mem = m->mem;
  e->cx = LLVMContextCreate();
  e->mod = LLVMModuleCreateWithNameInContext("aim", e->cx);
  e->b = LLVMCreateBuilderInContext(e->cx);
  e->entry = LLVMCreateBuilderInContext(e->cx);
  e->f64 = LLVMDoubleTypeInContext(e->cx);
  e->i64 = LLVMInt64TypeInContext(e->cx);
  e->i32 = LLVMInt32TypeInContext(e->cx);
  e->i1 = LLVMInt1TypeInContext(e->cx);
  e->ptr = LLVMPointerTypeInContext(e->cx, 0);
  e->vd = LLVMVoidTypeInContext(e->cx);
  e->kind_group = LLVMGetMDKindIDInContext(e->cx, "llvm.access.group", 17);
  e->kind_loop = LLVMGetMDKindIDInContext(e->cx, "llvm.loop", 9);
  e->kind_invariant = LLVMGetMDKindIDInContext(e->cx, "invariant.load", 14);
  strbuf_init(&e->meta, e->mem);
  LLVMContextSetDiagnosticHandler(e->cx, diagnose, e);
  if (setjmp(e->fail) == 0) {
    const char *wrong = emit_all(e, target, support, nsupport, object, nobject, text);
    if (wrong) e->error = wrong;
  }
  LLVMDisposeBuilder(e->b);
  LLVMDisposeBuilder(e->entry);
  return e->error;
}
