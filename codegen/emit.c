/* emit.c: functions, blocks and counted loops. */
#include "codegen/emit_internal.h"

#include "compiler/ir_uses.h"

#include <llvm-c/DebugInfo.h>
#include <stdlib.h>
#include <stddef.h>
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

static void in_group(E *e, LV access) {
  if (e->group) LLVMSetMetadata(access, e->kind_group, e->group);
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
LV cg_scratch(E *e, int64_t cells) { return slot_new(e, 0, cells, size_const(e->m->sizes, 1)); }

LV cg_memory(E *e, ir_val v) {
  cg_value *x = &e->v[v];
  x->root = v;
  x->cell = x->stride = NULL;
  return x->home = x->v = x->out >= 0 ? table_entry(e, context_field(e, e->entry, CTX_OUT, e->ptr), (uint32_t)x->out, e->ptr)
                            : cg_temp(e, ir_type_of(e->fn, v));
}

LV cg_alloca(E *e, LLVMTypeRef t) {
  LV v = LLVMBuildAlloca(e->entry, t, "");
  if (LLVMGetTypeKind(t) == LLVMArrayTypeKind) LLVMSetAlignment(v, 64); /* columns: vectors that cross no line */
  return v;
}

LV cg_column(E *e, int elem, int64_t n) {
  LLVMTypeRef t = LLVMArrayType2(elem == IR_REAL ? e->f64 : e->i64, (uint64_t)n);
  if (n < CG_TILE) return cg_alloca(e, t);
  for (size_t k = 0; k < e->nshared; k++) {
    struct shared_column *c = &e->shared[k];
    if (c->taken || c->type != t) continue;
    c->taken = true;
    return c->at;
  }
  struct shared_column own = {t, cg_alloca(e, t), true};
  ARENA_PUSH(e->mem, e->shared, e->nshared, e->cap_shared, own);
  return own.at;
}
void cg_release_columns(E *e) {
  for (size_t k = 0; k < e->nshared; k++) e->shared[k].taken = false;
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

/* Calls a function of support.c, or of what objects for C hosts have inside, declared here by its type there. */
LV cg_call(E *e, const char *name, unsigned n, LV *args) {
  LV f = LLVMGetNamedFunction(e->support, name);
  if (!f && e->services) f = LLVMGetNamedFunction(e->services, name);
  if (!f) cg_fail(e, arena_printf(e->mem, "support code lacks %s", name));
  LLVMTypeRef t = LLVMGlobalGetValueType(f);
  LV here = LLVMGetNamedFunction(e->mod, name);
  if (!here) here = LLVMAddFunction(e->mod, name, t);
  return LLVMBuildCall2(e->b, t, here, args, n, "");
}

typedef struct service {
  const char *name; /* where there is no host it is in the object */
  enum { GIVES_double, GIVES_int64_t, GIVES_void } gives;
  bool math; /* called as CG_MATH_CALL says */
} service;

static const service services[] = {
#define X(result, name, parameters) {"cg_host_" #name, GIVES_##result, false},
    CG_PLAIN_SERVICES(X)
#undef X
#define X(result, name, parameters) {"cg_host_" #name, GIVES_##result, true},
    CG_MATH_SERVICES(X)
#undef X
};
_Static_assert(sizeof services / sizeof *services == CG_SERVICE_COUNT && offsetof(cg_host, special) == sizeof(void *) * CG_SERVICE_COUNT, "the order of cg_host");

static void note_call(E *e, LV call, LLVMAttributeIndex at, const char *name, uint64_t value) {
  LLVMAddCallSiteAttribute(call, at, LLVMCreateEnumAttribute(e->cx, LLVMGetEnumAttributeKindForName(name, strlen(name)), value));
}

/* A call of the host's function in that place of the table. */
static LV call_host(E *e, uint32_t place, LLVMTypeRef result, unsigned n, LV *args) {
  enum { NOTHING = 0, ARGUMENTS = 3 }; /* llvm::MemoryEffects: what arguments point to may be read and written */
  LLVMTypeRef t[11];
  bool pure = true;
  for (unsigned k = 0; k < n; k++) {
    t[k] = LLVMTypeOf(args[k]);
    pure &= t[k] != e->ptr;
  }
  LV host = context_field(e, e->b, CTX_HOST, e->ptr), at = LLVMConstInt(e->i64, place, 0);
  in_group(e, host);
  LV f = LLVMBuildLoad2(e->b, e->ptr, LLVMBuildInBoundsGEP2(e->b, e->i64, host, &at, 1, ""), "");
  LLVMSetMetadata(f, e->kind_invariant, empty_node(e));
  in_group(e, f);
  LV call = LLVMBuildCall2(e->b, LLVMFunctionType(result, t, n, 0), f, args, n, "");
  note_call(e, call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, "memory", pure ? NOTHING : ARGUMENTS);
  note_call(e, call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, "nounwind", 0);
  note_call(e, call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, "willreturn", 0);
  for (unsigned k = 0; k < n; k++) if (t[k] == e->ptr) note_call(e, call, k + 1, "nocapture", 0);
  return call;
}

/* A column of a special function: what lies at a, b and c goes in. */
void cg_special(E *e, int code, LV d, LV *from, LV *stride, LV n) {
  static const char *const name[] = {
#define X(CODE, name, meaning) "cg_host_special_" #name,
      RT_SPECIAL_OPS(X)
#undef X
  };
  LV args[8] = {d, from[0], stride[0], from[1], stride[1], from[2], stride[2], n};
  if (e->ahead) cg_call(e, name[code], 8, args);
  else call_host(e, (uint32_t)(CG_SERVICE_COUNT + code), e->vd, 8, args);
}

LV cg_service(E *e, cg_service_code code, unsigned n, LV *args) {
  const service *s = &services[code];
  if (e->ahead) return cg_call(e, s->name, n, args);
  LV call = call_host(e, code, s->gives == GIVES_double ? e->f64 : s->gives == GIVES_int64_t ? e->i64 : e->vd, n, args);
  if (s->math) LLVMSetInstructionCallConv(call, LLVMWin64CallConv);
  return call;
}

void cg_copy_cells(E *e, LV d, LV s, LV n) {
  if (d == s) return;
  cg_service(e, CG_HOST_copy, 3, (LV[]){d, s, n});
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

static LV close_loop(E *e, cg_for *f) {
  LV next = LLVMBuildNSWAdd(e->b, f->index, cg_int(e, 1), "");
  LB here = LLVMGetInsertBlock(e->b);
  LLVMAddIncoming(f->index, &next, &here, 1);
  LV br = LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, next, f->n, ""), f->body, f->exit);
  LLVMPositionBuilderAtEnd(e->b, f->exit);
  return br;
}
void cg_for_end(E *e, cg_for *f) { close_loop(e, f); }

static LLVMMetadataRef property(E *e, const char *name, LLVMMetadataRef value) {
  LLVMMetadataRef p[2] = {LLVMMDStringInContext2(e->cx, name, strlen(name)), value};
  return LLVMMDNodeInContext2(e->cx, p, 2);
}
static LLVMMetadataRef number(LLVMTypeRef t, int n) { return LLVMValueAsMetadata(LLVMConstInt(t, (unsigned long long)n, 0)); }

void cg_for_end_lanes(E *e, cg_for *f, LV group, int interleave, bool parts, bool unroll) {
  LV br = close_loop(e, f);
  LLVMMetadataRef self = LLVMTemporaryMDNode(e->cx, NULL, 0), p[7] = {self};
  unsigned n = 1;
  p[n++] = property(e, "llvm.loop.parallel_accesses", LLVMValueAsMetadata(group));
  p[n++] = property(e, "llvm.loop.vectorize.enable", number(e->i1, 1));
  p[n++] = property(e, "llvm.loop.vectorize.width", number(e->i32, e->lanes));
  if (interleave) p[n++] = property(e, "llvm.loop.interleave.count", number(e->i32, interleave));
  if (parts && e->masks) p[n++] = property(e, "llvm.loop.vectorize.predicate.enable", number(e->i1, 1));
  if (unroll) p[n++] = LLVMMDNodeInContext2(e->cx, (LLVMMetadataRef[]){LLVMMDStringInContext2(e->cx, "llvm.loop.unroll.full", 21)}, 1);
  LLVMMetadataRef id = LLVMMDNodeInContext2(e->cx, p, n);
  LLVMMetadataReplaceAllUsesWith(self, id);
  LLVMSetMetadata(br, e->kind_loop, LLVMMetadataAsValue(e->cx, id));
}

LV cg_new_group(E *e) {
  if (e->next_group >= e->ngroups) cg_fail(e, "more loops than there are");
  return e->groups[e->next_group++];
}

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

/* Both sides at once: on lanes, where they are a few operations that cannot fail.  One of them where the condition is known, as that of
 * an unrolled loop's indices is. */
static void both_sides(E *e, const ir_op *op) {
  const ir_if *f = op->u.branch;
  int64_t known;
  if (cg_const(cg_val(e, op->args[0]), &known)) {
    cg_emit_block(e, known ? &f->then_ : &f->else_);
    for (uint32_t k = 0; k < op->nres; k++) e->v[op->res[k]].v = cg_val(e, (known ? f->then_yield : f->else_yield)[k]);
    return;
  }
  cg_emit_block(e, &f->then_);
  cg_emit_block(e, &f->else_);
  for (uint32_t k = 0; k < op->nres; k++)
    e->v[op->res[k]].v = LLVMBuildSelect(e->b, cg_val(e, op->args[0]), cg_val(e, f->then_yield[k]), cg_val(e, f->else_yield[k]), "");
}

static void emit_if(E *e, const ir_op *op) {
  const ir_if *f = op->u.branch;
  if (e->unrolled) {
    both_sides(e, op);
    return;
  }
  LB side[2] = {cg_block(e, "then"), cg_block(e, "else")}, end[2], on = cg_block(e, "on");
  LLVMBuildCondBr(e->b, cg_val(e, op->args[0]), side[0], side[1]);
  LV *from = ARENA_ARRAY(e->mem, LV, 2 * op->nres);
  for (uint32_t k = 0; k < op->nres; k++)
    if (ir_type_of(e->fn, op->res[k]).rank) cg_memory(e, op->res[k]);
  for (int s = 0; s < 2; s++) {
    LLVMPositionBuilderAtEnd(e->b, side[s]);
    cg_emit_block(e, s ? &f->else_ : &f->then_);
    const ir_val *y = s ? f->else_yield : f->then_yield;
    for (uint32_t k = 0; k < op->nres; k++) {
      ir_type t = ir_type_of(e->fn, op->res[k]);
      if (t.rank) cg_copy_value(e, e->v[op->res[k]].v, t, &e->v[y[k]]);
      else from[2 * k + (uint32_t)s] = cg_val(e, y[k]);
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

/* Machine code keeps no results: nothing is ever found, and what would be kept is what was computed. */
static void emit_memo(E *e, const ir_op *op) {
  const bool find = op->code == IR_MEMO_FIND_OP;
  const ir_val r = op->res[find];
  const ir_type t = ir_type_of(e->fn, r);
  if (find) e->v[op->res[0]].v = cg_int(e, -1);
  if (t.rank) {
    LV d = cg_memory(e, r);
    if (!find) cg_copy_value(e, d, t, &e->v[op->args[1]]);
  } else if (!find) {
    e->v[r].v = cg_val(e, op->args[1]);
  } else {
    e->v[r].v = LLVMConstNull(t.elem == IR_REAL ? e->f64 : t.elem == IR_BOOL ? e->i1 : e->i64);
  }
}

void cg_emit_op(E *e, const ir_op *op) {
  LV *r = op->nres ? &e->v[op->res[0]].v : NULL;
  if (e->tiles && cg_by_tile(e, op)) {
    cg_tile_op(e, op);
    return;
  }
  if (e->columns && cg_by_column(e, op)) {
    cg_column_op(e, op);
    return;
  }
  switch (op->code) {
    case IR_REAL_OP: *r = LLVMConstBitCast(cg_int(e, (int64_t)((union { double d; int64_t i; }){.d = op->u.real}).i), e->f64); return;
    case IR_INT_OP: *r = cg_int(e, op->u.integer); return;
    case IR_BOOL_OP: *r = LLVMConstInt(e->i1, op->u.integer != 0, 0); return;
    case IR_SIZE_OP: *r = cg_size(e, op->u.size); return;
    case IR_SELECT_OP: *r = LLVMBuildSelect(e->b, cg_val(e, op->args[0]), cg_val(e, op->args[1]), cg_val(e, op->args[2]), ""); return;
    case IR_GUARD_OP: cg_guard_op(e, op); return;
    case IR_BOUND_OP: cg_bound_op(e, op); return;
    case IR_NEW_OP: cg_new(e, op); return;
    case IR_AT_OP: cg_at(e, op); return;
    case IR_PUT_OP: cg_put(e, op); return;
    case IR_MATMUL_OP: case IR_CHOLESKY_OP: case IR_CHOL_ADJ_OP: case IR_TRISOLVE_OP: case IR_QR_R_OP: case IR_INV_PTR_OP: case IR_INV_LIST_OP:
      cg_dense(e, op);
      return;
    case IR_PLATE_OP: case IR_SCAN_OP: cg_emit_loop(e, op); return;
    case IR_IF_OP: emit_if(e, op); return;
    case IR_MEMO_FIND_OP: case IR_MEMO_KEEP_OP: emit_memo(e, op); return;
    case IR_UNIFORM_OP: case IR_NORMAL_OP: case IR_EXPONENTIAL_OP: case IR_GAMMA_OP: case IR_LOG_GAMMA_OP: case IR_POISSON_OP:
    case IR_BINOMIAL_OP: case IR_CATEGORICAL_OP: cg_draw_op(e, op); return;
    case IR_CALL_OP: cg_fail(e, "a call was not inlined");
    default: cg_scalar_op(e, op); return;
  }
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

/* Functions of which one call is one draw, or one run: their code need not be fast, but short. */
static bool runs_once(const char *name) { return strcmp(name, "prepare") == 0 || strcmp(name, "prior") == 0; }

static bool in_home(const cg_value *x) { return x->home && x->v == x->home && !x->cell && !x->stride; }

void cg_emit_fn(E *e, const ir_fn *fn, uint32_t number) {
  e->fn = fn;
  e->v = ARENA_ARRAY(e->mem, cg_value, fn->nvals);
  uint32_t *uses = ir_use_counts(fn, e->mem);
  for (ir_val v = 0; v < fn->nvals; v++) e->v[v].uses = uses[v], e->v[v].out = -1;
  e->nsize_cache = e->nslots = e->nsizes = 0;
  e->size = NULL;
  e->group = NULL;
  e->tiles = NULL;
  e->columns = NULL;
  e->nshared = 0;
  e->checks = CG_REPORT;
  e->unrolled = 0;
  e->once = runs_once(fn->name);
  e->long_bodies = strcmp(fn->name, "outputs") == 0;
  number_ops(e);
  e->in_cells = cg_cells_plan(e);
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
    if (t.rank && e->v[v].out == (int)k && in_home(&e->v[v])) continue;
    LV out = table_entry(e, context_field(e, e->entry, CTX_OUT, e->ptr), k, e->ptr);
    if (t.rank) cg_copy_value(e, out, t, &e->v[v]);
    else cg_store(e, t.elem, e->v[v].v, out);
  }
  LLVMBuildRet(e->b, cg_int(e, 0));
  LLVMBuildBr(e->entry, start);
}
