/* emit_large.c: very long blocks, so that compiling them takes time in proportion to their length.
 *
 * LLVM's register allocator compares the ranges in which values live, and in a gradient many of them reach from the forward half
 * of a block to the end of its backward half: its time grows with the square of their number.  Nearly all of them end up in memory
 * anyway.  Here they are put there first: a long block is cut into stretches, and a value that another stretch uses is stored once
 * where it is computed and loaded once in each stretch that uses it.  Accesses are volatile, which keeps them where they stand, and
 * change no bit.  Places in memory are used again after the last use of what they held.
 *
 * Other parts of LLVM take time with the square of a block's length as well: the scheduler looks at all uses of a register in the
 * block, and a constant has thousands; the propagation of copies looks at what lies between a copy and its use.  So each stretch
 * becomes a block of its own.  Blocks in a chain would be joined again, but not where another branch leaves them: between two of
 * them stands a test, of a word in memory that is always 0, for a way out that nobody takes. */
#include "codegen/emit_internal.h"

#include "compiler/ptr_map.h"

enum { LONG = 2048, STRETCH = 256 };

typedef struct held {
  LV slot, loaded;
  uint32_t at, last; /* positions in the block: of the value, and of its last use outside its stretch, 0 if there is none */
  uint32_t stretch;  /* where `loaded` stands */
} held;

/* Places that are free, by the type of what they hold. */
typedef struct pool {
  LLVMTypeRef type;
  LV *slot;
  size_t n, cap;
} pool;

typedef struct block {
  E *e;
  LV fn;
  LLVMBuilderRef top; /* in the entry block */
  ptr_map held;       /* by value */
  pool *pool;         /* of the function */
  size_t npools, cap_pools;
  uint32_t fixed;     /* position of the last instruction that has to stay in the first stretch */
  LV *end;            /* [n] the last instruction of each stretch but the last */
  size_t n, cap;
  LV zero;            /* the word that is tested; NULL: not made yet */
  LB out;             /* the way out */
} block;

static uint32_t stretch_of(uint32_t at) { return at / STRETCH; }

/* What a register may hold, but addresses: those are used next to where they are computed. */
static bool is_number(LV v) {
  LLVMTypeKind k = LLVMGetTypeKind(LLVMTypeOf(v));
  return k == LLVMDoubleTypeKind || k == LLVMIntegerTypeKind || k == LLVMVectorTypeKind;
}

static pool *pool_of(block *b, LLVMTypeRef type) {
  for (size_t k = 0; k < b->npools; k++) if (b->pool[k].type == type) return &b->pool[k];
  ARENA_PUSH(b->e->mem, b->pool, b->npools, b->cap_pools, (pool){.type = type});
  return &b->pool[b->npools - 1];
}

static LV slot_take(block *b, LLVMTypeRef type) {
  pool *p = pool_of(b, type);
  return p->n ? p->slot[--p->n] : LLVMBuildAlloca(b->top, type, "");
}
static void slot_give(block *b, LLVMTypeRef type, LV slot) {
  pool *p = pool_of(b, type);
  ARENA_PUSH(b->e->mem, p->slot, p->n, p->cap, slot);
}

/* Notes the values of the block that another of its stretches uses.  A phi takes what the iteration before left, and is no use here. */
static void find_uses(block *b, LB at) {
  uint32_t n = 0;
  b->fixed = 0;
  for (LV i = LLVMGetFirstInstruction(at); i; i = LLVMGetNextInstruction(i)) {
    n++;
    if (LLVMIsAPHINode(i)) continue;
    if (LLVMIsAAllocaInst(i)) b->fixed = n;
    int args = LLVMGetNumOperands(i);
    for (int k = 0; k < args; k++) {
      held *h = ptr_map_get(&b->held, LLVMGetOperand(i, (unsigned)k));
      if (h && stretch_of(h->at) != stretch_of(n)) h->last = n;
    }
    if (!is_number(i)) continue;
    held *h = ARENA_NEW(b->e->mem, held);
    h->at = n;
    ptr_map_put(&b->held, i, h);
  }
}

static void use_slots(block *b, LB at) {
  E *e = b->e;
  uint32_t n = 0;
  b->n = 0;
  for (LV i = LLVMGetFirstInstruction(at), next; i; i = next) {
    next = LLVMGetNextInstruction(i);
    n++;
    if (LLVMIsAPHINode(i)) continue;
    if (n > 1 && n > b->fixed && stretch_of(n) != stretch_of(n - 1)) ARENA_PUSH(e->mem, b->end, b->n, b->cap, LLVMGetPreviousInstruction(i));
    int args = LLVMGetNumOperands(i);
    for (int k = 0; k < args; k++) {
      LV v = LLVMGetOperand(i, (unsigned)k);
      held *h = ptr_map_get(&b->held, v);
      if (!h || stretch_of(h->at) == stretch_of(n)) continue;
      if (!h->loaded || h->stretch != stretch_of(n)) {
        LLVMPositionBuilderBefore(e->b, i);
        h->loaded = LLVMBuildLoad2(e->b, LLVMTypeOf(v), h->slot, "");
        LLVMSetVolatile(h->loaded, 1);
        h->stretch = stretch_of(n);
      }
      LLVMSetOperand(i, (unsigned)k, h->loaded);
      if (h->last == n) slot_give(b, LLVMTypeOf(v), h->slot), h->last = 0;
    }
    held *h = ptr_map_get(&b->held, i);
    if (!h || h->last == 0) continue;
    h->slot = slot_take(b, LLVMTypeOf(i));
    LLVMPositionBuilderBefore(e->b, next);
    LLVMSetVolatile(LLVMBuildStore(e->b, i, h->slot), 1);
  }
}

/* Continues in block `to`. */
static void leave(block *b, LB to) {
  E *e = b->e;
  if (!b->zero) {
    b->zero = LLVMBuildAlloca(b->top, e->i64, "");
    LLVMSetVolatile(LLVMBuildStore(b->top, cg_int(e, 0), b->zero), 1);
    b->out = LLVMAppendBasicBlockInContext(e->cx, b->fn, "out");
    LLVMPositionBuilderAtEnd(e->b, b->out);
    LLVMTypeRef result = LLVMGetReturnType(LLVMGlobalGetValueType(b->fn));
    if (result == e->vd) LLVMBuildRetVoid(e->b);
    else LLVMBuildRet(e->b, LLVMConstNull(result));
  }
  LB from = LLVMGetPreviousBasicBlock(to);
  LLVMPositionBuilderAtEnd(e->b, from);
  LV word = LLVMBuildLoad2(e->b, e->i64, b->zero, "");
  LLVMSetVolatile(word, 1);
  LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, word, cg_int(e, 0), ""), to, b->out);
}

/* Each stretch a block.  The last one keeps the name, as the blocks behind it know that. */
static void cut(block *b, LB at) {
  E *e = b->e;
  if (b->n == 0) return;
  LB first = NULL;
  for (size_t k = 0; k < b->n; k++) {
    LB own = LLVMInsertBasicBlockInContext(e->cx, at, "stretch");
    if (!first) first = own;
    LLVMPositionBuilderAtEnd(e->b, own);
    for (LV i = NULL; i != b->end[k];) {
      i = LLVMGetFirstInstruction(at);
      LLVMInstructionRemoveFromParent(i);
      LLVMInsertIntoBuilder(e->b, i);
    }
  }
  for (LB from = LLVMGetFirstBasicBlock(b->fn); from; from = LLVMGetNextBasicBlock(from)) {
    LV last = LLVMGetBasicBlockTerminator(from);
    for (unsigned k = 0; last && k < LLVMGetNumSuccessors(last); k++) if (LLVMGetSuccessor(last, k) == at) LLVMSetSuccessor(last, k, first);
  }
  for (LB to = LLVMGetNextBasicBlock(first);; to = LLVMGetNextBasicBlock(to)) {
    leave(b, to);
    if (to == at) return;
  }
}

static bool is_long(LB at) {
  uint32_t n = 0;
  for (LV i = LLVMGetFirstInstruction(at); i && n <= LONG; i = LLVMGetNextInstruction(i)) n++;
  return n > LONG;
}

void cg_cut_long_blocks(E *e) {
  for (LV f = LLVMGetFirstFunction(e->mod); f; f = LLVMGetNextFunction(f)) {
    block b = {.e = e, .fn = f, .top = e->entry};
    for (LB at = LLVMGetFirstBasicBlock(f); at; at = LLVMGetNextBasicBlock(at)) {
      if (!is_long(at)) continue;
      LLVMPositionBuilderBefore(e->entry, LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(f)));
      ptr_map_init(&b.held, e->mem);
      find_uses(&b, at);
      use_slots(&b, at);
      cut(&b, at);
    }
  }
}
