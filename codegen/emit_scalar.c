/* emit_scalar.c: operations on scalars, checks, and random draws. */
#include "codegen/emit_internal.h"
#include "stdlib/runtime/rt_kernels.h"

#include <string.h>

/* ---- scalar operations */

LV cg_val(E *e, ir_val v) {
  if (!e->v[v].v) cg_fail(e, arena_printf(e->mem, "%s %u of `%s` in %s is used before its definition", (const char *[]){"value", "parameter", "result", "index", "state"}[e->fn->val[v].def], e->fn->val[v].slot, e->fn->val[v].op ? ir_op_table[e->fn->val[v].op->code].name : "function", e->fn->name));
  return e->v[v].v;
}

/* Functions of support.c that are an instruction or a few. */
static const char *short_function(int code) {
  switch (code) {
    case IR_SIGN_OP: return "cg_sign";
    case IR_FLOOR_OP: return "cg_floor";
    case IR_CEIL_OP: return "cg_ceil";
    case IR_ROUND_OP: return "cg_round";
    case IR_SQRT_OP: return "cg_sqrt";
    default: return NULL;
  }
}

typedef struct math {
  const char *name; /* in support.c */
  cg_service_code service;
} math;

static const math *math_function(int code) {
  switch (code) {
#define X(CODE, name) case IR_##CODE##_OP: { static const math m = {"cg_" #name, CG_HOST_##name}; return &m; }
    X(EXP, exp) X(LOG, log) X(LOG1P, log1p) X(EXPM1, expm1) X(SIN, sin) X(COS, cos) X(TAN, tan) X(ASIN, asin) X(ACOS, acos) X(ATAN, atan)
    X(SINH, sinh) X(COSH, cosh) X(TANH, tanh) X(ERF, erf) X(ERFC, erfc) X(LGAMMA, lgamma) X(DIGAMMA, digamma) X(TRIGAMMA, trigamma)
    X(LOG1P_EXP, log1p_exp) X(INV_LOGIT, inv_logit) X(PHI, phi) X(LOG_PHI, log_phi) X(INV_PHI, inv_phi) X(POW, pow) X(ATAN2, atan2)
#undef X
    default: return NULL;
  }
}

int cg_special_code(int code) {
  switch (code) {
#define X(CODE, name, meaning) case IR_##CODE##_OP: return RT_##CODE;
    RT_SPECIAL_OPS(X)
#undef X
    default: return -1;
  }
}

/* A column of one element. */
static LV special(E *e, int code, const ir_op *op, LV *a) {
  LV at = cg_alloca(e, LLVMArrayType2(e->f64, 4)), stride = LLVMConstInt(e->i32, 0, 0), from[3] = {at, at, at};
  for (uint32_t k = 0; k < op->nargs; k++) cg_store(e, IR_REAL, a[k], from[k] = cg_gep(e, at, cg_int(e, k)));
  LV d = cg_gep(e, at, cg_int(e, 3));
  cg_special(e, code, d, from, (LV[]){stride, stride, stride}, cg_int(e, 1));
  return cg_load(e, IR_REAL, d);
}

static LV intrinsic(E *e, const char *name, LLVMTypeRef t, unsigned n, LV *args) {
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  LV f = LLVMGetIntrinsicDeclaration(e->mod, id, &t, 1);
  return LLVMBuildCall2(e->b, LLVMIntrinsicGetType(e->cx, id, &t, 1), f, args, n, "");
}

LV cg_fma(E *e, LV a, LV b, LV c) { return intrinsic(e, "llvm.fma", e->f64, 3, (LV[]){a, b, c}); }

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
  const char *name = short_function(op->code);
  if (name) return cg_call(e, name, 1, a);
  int code = cg_special_code(op->code);
  if (code >= 0) return special(e, code, op, a);
  const math *m = math_function(op->code);
  if (!m) cg_fail(e, arena_printf(e->mem, "machine code for `%s` does not exist", ir_op_table[op->code].name));
  /* On lanes it becomes vectors; elsewhere a call costs as much as its body, which would stand there once for each. */
  return e->group ? cg_call(e, m->name, op->nargs, a) : cg_service(e, m->service, op->nargs, a);
}

static LV int_select(E *e, LLVMIntPredicate p, LV a, LV b) { return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, p, a, b, ""), a, b, ""); }

/* Conditions of unrolled loops are known, and so is what they decide. */
static LV logical(E *e, int code, LV a, LV b) {
  int64_t known;
  if (cg_const(b, &known)) { LV c = a; a = b; b = c; }
  if (cg_const(a, &known)) return (code == IR_AND_OP) == (known != 0) ? b : a;
  return code == IR_AND_OP ? LLVMBuildAnd(e->b, a, b, "") : LLVMBuildOr(e->b, a, b, "");
}

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
    case IR_AND_OP: case IR_OR_OP: return logical(e, op->code, a[0], a[1]);
    case IR_NOT_OP: return LLVMBuildNot(e->b, a[0], "");
    case IR_TO_REAL_OP: return LLVMBuildSIToFP(e->b, a[0], e->f64, "");
    case IR_BOOL_INT_OP: return LLVMBuildZExt(e->b, a[0], e->i64, "");
    case IR_FOLD_OP: return cg_service(e, CG_HOST_fold_key, 2, a);
    default: cg_fail(e, arena_printf(e->mem, "machine code for `%s` does not exist", ir_op_table[op->code].name));
  }
}

LV cg_fold_start(E *e, int mode, int elem) {
  if (mode == IR_SUM) return cg_int(e, 0);
  if (elem == IR_REAL) return LLVMConstReal(e->f64, mode == IR_MAX ? -__builtin_inf() : __builtin_inf());
  return cg_int(e, mode == IR_MAX ? INT64_MIN : INT64_MAX);
}

LV cg_fold2(E *e, int mode, int elem, LV a, LV b) {
  if (elem == IR_REAL) return cg_call(e, mode == IR_MAX ? "cg_max" : "cg_min", 2, (LV[]){a, b});
  if (mode == IR_SUM) return cg_add(e, a, b);
  return int_select(e, mode == IR_MAX ? LLVMIntSGT : LLVMIntSLT, b, a);
}

/* ---- checks */

static void note(E *e, LV failed) {
  LLVMBuildStore(e->b, LLVMBuildOr(e->b, LLVMBuildLoad2(e->b, e->i1, e->failed, ""), failed, ""), e->failed);
}

void cg_guard_op(E *e, const ir_op *op) {
  LV c = cg_val(e, op->args[0]), x = cg_val(e, op->args[1]);
  e->v[op->res[0]].v = LLVMBuildSelect(e->b, c, x, LLVMConstReal(e->f64, -__builtin_inf()), "");
  if (e->checks == CG_NOTE) {
    note(e, LLVMBuildNot(e->b, c, ""));
    return;
  }
  if (e->checks == CG_COUNT) {
    LV count = NULL;
    for (size_t k = 0; k < e->nguards; k++) if (e->guard[k].op == op) count = e->guard[k].count;
    LV fails = LLVMBuildZExt(e->b, LLVMBuildNot(e->b, c, ""), e->i64, "");
    LLVMBuildStore(e->b, cg_add(e, LLVMBuildLoad2(e->b, e->i64, count, ""), fails), count);
    return;
  }
  LB bad = cg_block(e, "guard"), on = cg_block(e, "on");
  LLVMBuildCondBr(e->b, c, on, bad);
  LLVMPositionBuilderAtEnd(e->b, bad);
  cg_service(e, CG_HOST_guard, 3, (LV[]){e->ctx, cg_int(e, 1), cg_int(e, cg_op_number(e, op))});
  LLVMBuildBr(e->b, on);
  LLVMPositionBuilderAtEnd(e->b, on);
}

void cg_bound_op(E *e, const ir_op *op) {
  LV i = cg_val(e, op->args[0]), n = cg_val(e, op->args[1]);
  LV inside = LLVMBuildAnd(e->b, LLVMBuildICmp(e->b, LLVMIntSGE, i, cg_int(e, 0), ""), LLVMBuildICmp(e->b, LLVMIntSLT, i, n, ""), "");
  if (e->checks == CG_NOTE) {
    note(e, LLVMBuildNot(e->b, inside, ""));
    e->v[op->res[0]].v = LLVMBuildSelect(e->b, inside, i, cg_int(e, 0), "");
    return;
  }
  LB bad = cg_block(e, "bound"), on = cg_block(e, "on");
  LLVMBuildCondBr(e->b, inside, on, bad);
  LLVMPositionBuilderAtEnd(e->b, bad);
  cg_service(e, CG_HOST_bound, 4, (LV[]){e->ctx, cg_int(e, cg_op_number(e, op)), i, n});
  LLVMBuildRet(e->b, cg_int(e, 1));
  LLVMPositionBuilderAtEnd(e->b, on);
  e->v[op->res[0]].v = i;
}

/* ---- draws */

static LV as_bits(E *e, LV v) { return LLVMTypeOf(v) == e->f64 ? LLVMBuildBitCast(e->b, v, e->i64, "") : v; }


/* Draws without a loop of attempts: they run on lanes. */
bool cg_inverts(const ir_op *op) { return op->code == IR_UNIFORM_OP || op->code == IR_NORMAL_OP || op->code == IR_EXPONENTIAL_OP; }

void cg_draw_op(E *e, const ir_op *op) {
  ir_val r = op->res[0];
  LV key = cg_val(e, op->args[0]), index = cg_val(e, op->args[1]), site = cg_int(e, op->u.integer);
  if (op->code == IR_CATEGORICAL_OP) {
    e->v[r].v = cg_service(e, CG_HOST_categorical, 5, (LV[]){site, key, index, cg_address(e, op->args[2]), cg_cells(e, ir_type_of(e->fn, op->args[2]))});
    return;
  }
  if (e->group && cg_inverts(op)) {
    const char *name = op->code == IR_UNIFORM_OP ? "cg_draw_uniform" : op->code == IR_NORMAL_OP ? "cg_draw_normal" : "cg_draw_exponential";
    e->v[r].v = cg_call(e, name, 3, (LV[]){site, key, index});
    return;
  }
  LV p[2] = {cg_int(e, 0), cg_int(e, 0)};
  for (uint32_t k = 2; k < op->nargs && k < 4; k++) p[k - 2] = as_bits(e, cg_val(e, op->args[k]));
  LV x = cg_service(e, CG_HOST_draw, 6, (LV[]){cg_int(e, op->code), site, key, index, p[0], p[1]});
  e->v[r].v = ir_type_of(e->fn, r).elem == IR_REAL ? LLVMBuildBitCast(e->b, x, e->f64, "") : x;
}

void cg_scalar_op(E *e, const ir_op *op) {
  if (op->nargs == 0 || op->nargs > 3 || op->nres != 1) cg_fail(e, "an operation of models");
  LV a[3] = {NULL};
  for (uint32_t k = 0; k < op->nargs; k++) a[k] = cg_val(e, op->args[k]);
  e->v[op->res[0]].v = ir_type_of(e->fn, op->args[0]).elem == IR_REAL ? real_op(e, op, a) : int_op(e, op, a);
}
