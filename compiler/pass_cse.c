/* pass_cse.c: operations equal to one that dominates them are replaced by it.
 *
 * A table of the operations in sight, keyed by everything that determines a value; a block's entries leave it when the block
 * ends.  Regions take part: their bodies are compared value by value under the renaming of indices and states, and of one
 * loop's outputs without a state those that build the same result become one.  Draws are functions of their operands and merge like anything else.  Operands of commutative operations are compared in either
 * order, which no bit of a result depends on. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

#include <string.h>

typedef struct entry {
  uint64_t hash;
  ir_op *op;
  uint32_t below; /* the entry it covers in its slot, 0 for none */
} entry;

typedef struct table {
  ir_fn *fn;
  arena *mem;
  ir_map renamed;
  /* Of the region that is compared: values inside it, which are set before they are read.  One map for all comparisons, as those around a region are
   * compared after it and those beside it do not see into it. */
  ir_map inner;
  entry *e; /* a stack; e[0] unused */
  size_t n, cap;
  uint32_t *slot;
  uint32_t nslots;
  bool changed;
} table;

static uint64_t mix(uint64_t h, uint64_t x) {
  h = (h ^ x) * 0x9E3779B97F4A7C15u;
  return h ^ (h >> 32);
}

static bool commutes(int code) {
  return code == IR_ADD_OP || code == IR_MUL_OP || code == IR_EQ_OP || code == IR_NE_OP || code == IR_AND_OP || code == IR_OR_OP;
}

static bool mergeable(const ir_op *op) { return ir_op_table[op->code].effect != IR_MODEL; }

static uint64_t bits(double x) {
  uint64_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

/* What an operation has beside operands and blocks.  Also of operations inside a region, whose operands have other ids. */
static uint64_t hash_shape(const ir_fn *fn, const ir_op *op) {
  uint64_t h = mix(op->code, op->flags);
  switch (op->code) {
  case IR_REAL_OP: return mix(h, bits(op->u.real));
  case IR_NEW_OP: {
    ir_type t = ir_type_of(fn, op->res[0]);
    for (int k = 0; k < t.rank; k++) h = mix(h, t.dim[k]);
    return mix(h, t.elem);
  }
  case IR_SIZE_OP: return mix(h, op->u.size);
  case IR_CALL_OP: return mix(h, (uintptr_t)op->u.callee);
  case IR_MEMO_OP:
  case IR_MEMO_FIND_OP:
  case IR_MEMO_KEEP_OP: return mix(h, op->u.memo->number);
  case IR_PLATE_OP:
  case IR_SCAN_OP:
    h = mix(h, op->u.loop->rank * 2 + op->u.loop->down);
    for (uint32_t k = 0; k < op->u.loop->nout; k++) h = mix(h, op->u.loop->out[k].mode);
    for (const ir_op *x = op->u.loop->body.first; x; x = x->next) h = mix(h, hash_shape(fn, x));
    return h;
  case IR_IF_OP:
    for (const ir_op *x = op->u.branch->then_.first; x; x = x->next) h = mix(h, hash_shape(fn, x));
    h = mix(h, 7);
    for (const ir_op *x = op->u.branch->else_.first; x; x = x->next) h = mix(h, hash_shape(fn, x));
    return mix(h, op->nres);
  default:
    if (op->code == IR_INT_OP || op->code == IR_BOOL_OP || (op->code >= IR_UNIFORM_OP && op->code <= IR_CATEGORICAL_OP))
      h = mix(h, (uint64_t)op->u.integer);
    return h;
  }
}

static uint64_t hash_op(const ir_fn *fn, const ir_op *op) {
  uint64_t h = hash_shape(fn, op);
  if (commutes(op->code)) {
    ir_val a = op->args[0], b = op->args[1];
    return a < b ? mix(mix(h, a), b) : mix(mix(h, b), a);
  }
  for (uint32_t k = 0; k < op->nargs; k++) h = mix(h, op->args[k]);
  if (op->code == IR_AT_OP || op->code == IR_PUT_OP)
    for (uint32_t k = 0; k < op->u.axes.n; k++) h = mix(h, op->u.axes.at[k]);
  if (ir_is_loop(op))
    for (uint32_t k = 0; k < op->u.loop->rank; k++) h = mix(h, op->u.loop->extent[k]);
  return h;
}

/* ---- equality, under a renaming of y's inner values to x's */

static bool same(const ir_map *inner, ir_val x, ir_val y) { return x == y || (y && ir_map_get(inner, y) == x); }

static bool same_axes(const ir_map *inner, const ir_axes *x, const ir_axes *y) {
  if (x->n != y->n) return false;
  for (uint32_t k = 0; k < x->n; k++)
    if (!same(inner, x->at[k], y->at[k])) return false;
  return true;
}

static bool same_op(const ir_fn *fn, ir_map *inner, const ir_op *x, const ir_op *y);

static bool same_block(const ir_fn *fn, ir_map *inner, const ir_block *x, const ir_block *y) {
  const ir_op *a = x->first, *b = y->first;
  for (; a && b; a = a->next, b = b->next) {
    if (!mergeable(a) || !same_op(fn, inner, a, b)) return false;
    for (uint32_t k = 0; k < a->nres; k++) ir_map_set(inner, b->res[k], a->res[k]);
  }
  return !a && !b;
}

static bool same_loop(const ir_fn *fn, ir_map *inner, const ir_loop *x, const ir_loop *y) {
  if (x->rank != y->rank || x->down != y->down || x->nout != y->nout) return false;
  for (uint32_t k = 0; k < x->rank; k++) {
    if (!same(inner, x->extent[k], y->extent[k])) return false;
    ir_map_set(inner, y->index[k], x->index[k]);
  }
  for (uint32_t k = 0; k < x->nout; k++) {
    if (x->out[k].mode != y->out[k].mode || !same(inner, x->out[k].init, y->out[k].init)) return false;
    if (!x->out[k].state != !y->out[k].state) return false;
    if (y->out[k].state) ir_map_set(inner, y->out[k].state, x->out[k].state);
  }
  if (!x->live != !y->live || (x->live && !same(inner, x->live, y->live))) return false;
  if (!same_block(fn, inner, &x->body, &y->body)) return false;
  for (uint32_t k = 0; k < x->nout; k++)
    if (!same(inner, x->out[k].yield, y->out[k].yield) || !same_axes(inner, &x->out[k].axes, &y->out[k].axes)) return false;
  return true;
}

static bool same_if(const ir_fn *fn, ir_map *inner, const ir_op *a, const ir_op *b) {
  const ir_if *x = a->u.branch, *y = b->u.branch;
  if (!same_block(fn, inner, &x->then_, &y->then_)) return false;
  if (!same_block(fn, inner, &x->else_, &y->else_)) return false;
  for (uint32_t k = 0; k < a->nres; k++)
    if (!same(inner, x->then_yield[k], y->then_yield[k]) || !same(inner, x->else_yield[k], y->else_yield[k])) return false;
  return true;
}

static bool same_op(const ir_fn *fn, ir_map *inner, const ir_op *x, const ir_op *y) {
  if (x->code != y->code || x->flags != y->flags || x->nargs != y->nargs || x->nres != y->nres) return false;
  bool args = true;
  for (uint32_t k = 0; k < x->nargs; k++) args &= same(inner, x->args[k], y->args[k]);
  if (!args && commutes(x->code)) args = same(inner, x->args[0], y->args[1]) && same(inner, x->args[1], y->args[0]);
  if (!args) return false;
  switch (x->code) {
  case IR_REAL_OP: return bits(x->u.real) == bits(y->u.real);
  case IR_NEW_OP: return ir_type_equal(ir_type_of(fn, x->res[0]), ir_type_of(fn, y->res[0]));
  case IR_SIZE_OP: return x->u.size == y->u.size;
  case IR_CALL_OP: return x->u.callee == y->u.callee;
  case IR_MEMO_OP:
  case IR_MEMO_FIND_OP:
  case IR_MEMO_KEEP_OP: return x->u.memo->number == y->u.memo->number && x->u.memo->name == y->u.memo->name;
  case IR_AT_OP:
  case IR_PUT_OP: return same_axes(inner, &x->u.axes, &y->u.axes);
  case IR_PLATE_OP:
  case IR_SCAN_OP: return same_loop(fn, inner, x->u.loop, y->u.loop);
  case IR_IF_OP: return same_if(fn, inner, x, y);
  default:
    if (x->code == IR_INT_OP || x->code == IR_BOOL_OP || (x->code >= IR_UNIFORM_OP && x->code <= IR_CATEGORICAL_OP))
      return x->u.integer == y->u.integer;
    return true;
  }
}

/* ---- the walk */

static void push(table *t, uint64_t hash, ir_op *op) {
  uint32_t *slot = &t->slot[hash & (t->nslots - 1)];
  entry e = {hash, op, *slot};
  ARENA_PUSH(t->mem, t->e, t->n, t->cap, e);
  *slot = (uint32_t)t->n - 1;
}

static void pop_to(table *t, size_t mark) {
  while (t->n > mark) {
    t->n--;
    t->slot[t->e[t->n].hash & (t->nslots - 1)] = t->e[t->n].below;
  }
}

/* Outputs without a state that agree in everything.  Their results are read behind the loop only. */
static bool same_output(const ir_out *x, const ir_out *y) {
  if (x->mode != y->mode || x->state || y->state || x->init != y->init || x->yield != y->yield || x->axes.n != y->axes.n) return false;
  return memcmp(x->axes.at, y->axes.at, x->axes.n * sizeof *x->axes.at) == 0;
}

static void merge_outputs(table *t, ir_op *op) {
  ir_loop *loop = op->u.loop;
  uint32_t n = 0;
  for (uint32_t k = 0; k < loop->nout; k++) {
    uint32_t j = 0;
    while (j < n && !same_output(&loop->out[j], &loop->out[k])) j++;
    if (j < n) {
      ir_map_set(&t->renamed, op->res[k], op->res[j]);
      t->changed = true;
      continue;
    }
    loop->out[n] = loop->out[k];
    op->res[n] = op->res[k];
    t->fn->val[op->res[n]].slot = n;
    if (loop->out[n].state) t->fn->val[loop->out[n].state].slot = n;
    n++;
  }
  loop->nout = op->nres = n;
}

static void walk(table *t, ir_block *block) {
  size_t mark = t->n;
  for (ir_op *op = block->first, *next; op; op = next) {
    next = op->next;
    /* Yields stand behind the body, so a region's uses are renamed before and after it. */
    ir_rename_uses(op, &t->renamed);
    if (ir_is_loop(op)) walk(t, &op->u.loop->body);
    if (op->code == IR_IF_OP) {
      walk(t, &op->u.branch->then_);
      walk(t, &op->u.branch->else_);
    }
    if (ir_is_loop(op) || op->code == IR_IF_OP) ir_rename_uses(op, &t->renamed);
    if (ir_is_loop(op)) merge_outputs(t, op);
    if (!mergeable(op) || op->nres == 0) continue;
    uint64_t hash = hash_op(t->fn, op);
    uint32_t at = t->slot[hash & (t->nslots - 1)];
    for (; at; at = t->e[at].below) {
      if (t->e[at].hash != hash) continue;
      if (same_op(t->fn, &t->inner, t->e[at].op, op)) break;
    }
    if (at) {
      for (uint32_t k = 0; k < op->nres; k++) ir_map_set(&t->renamed, op->res[k], t->e[at].op->res[k]);
      ir_remove(op);
      t->changed = true;
    } else {
      push(t, hash, op);
    }
  }
  pop_to(t, mark);
}

bool pass_cse(ir_module *m, ir_fn *fn) {
  table t = {.fn = fn, .mem = m->mem, .renamed = ir_map_new(m->mem, fn), .inner = ir_map_new(m->mem, fn), .nslots = 64};
  while (t.nslots < fn->nvals) t.nslots *= 2;
  t.slot = ARENA_ARRAY(m->mem, uint32_t, t.nslots);
  ARENA_PUSH(t.mem, t.e, t.n, t.cap, ((entry){0}));
  walk(&t, &fn->body);
  if (t.changed) ir_rename_all(fn, &t.renamed);
  return t.changed;
}
