/* ir_uses.c: see the header. */
#include "compiler/ir_uses.h"

static void count_use(void *user, ir_val *use) { ((uint32_t *)user)[*use]++; }
static void count_in_op(void *user, ir_op *op) { ir_visit_uses(op, count_use, user); }

uint32_t *ir_use_counts(const ir_fn *fn, arena *mem) {
  uint32_t *n = ARENA_ARRAY(mem, uint32_t, fn->nvals);
  ir_visit_ops((ir_block *)&fn->body, count_in_op, n);
  for (uint32_t k = 0; k < fn->nret; k++) n[fn->ret[k]]++;
  return n;
}

ir_val ir_renamed(const ir_map *map, ir_val v) {
  for (ir_val to; (to = ir_map_get(map, v)) != 0 && to != v;) v = to;
  return v;
}

static void rename_use(void *user, ir_val *use) { *use = ir_renamed(user, *use); }
static void rename_in_op(void *user, ir_op *op) { ir_visit_uses(op, rename_use, user); }

void ir_rename_uses(ir_op *op, const ir_map *map) { ir_visit_uses(op, rename_use, (void *)map); }

void ir_rename_all(ir_fn *fn, const ir_map *map) {
  ir_visit_ops(&fn->body, rename_in_op, (void *)map);
  for (uint32_t k = 0; k < fn->nret; k++) fn->ret[k] = ir_renamed(map, fn->ret[k]);
}

typedef struct region_visit {
  ir_use_visitor *visit;
  void *user;
} region_visit;

static void visit_in_region(void *user, ir_op *op) {
  const region_visit *r = user;
  ir_visit_uses(op, r->visit, r->user);
}

void ir_visit_region_uses(ir_op *op, ir_use_visitor *visit, void *user) {
  region_visit r = {visit, user};
  ir_visit_uses(op, visit, user);
  if (ir_is_loop(op)) {
    ir_visit_ops(&op->u.loop->body, visit_in_region, &r);
  } else if (op->code == IR_IF_OP) {
    ir_visit_ops(&op->u.branch->then_, visit_in_region, &r);
    ir_visit_ops(&op->u.branch->else_, visit_in_region, &r);
  }
}

void ir_move(ir_op *op, ir_block *block, ir_op *before) {
  ir_remove(op);
  op->block = block;
  op->next = before;
  op->prev = before ? before->prev : block->last;
  *(op->prev ? &op->prev->next : &block->first) = op;
  *(op->next ? &op->next->prev : &block->last) = op;
}

const ir_block *ir_home(const ir_fn *fn, ir_val v) {
  const ir_value *x = &fn->val[v];
  if (x->def == IR_DEF_RESULT) return x->op->block;
  if (x->def == IR_DEF_PARAM) return &fn->body;
  return &x->op->u.loop->body;
}

static void want(void *user, ir_val *use) { ((bool *)user)[*use] = true; }

ir_op **ir_needed(const ir_fn *fn, const ir_block *block, ir_val v, arena *mem, size_t *n) {
  bool *wanted = ARENA_ARRAY(mem, bool, fn->nvals);
  size_t all = 0, k;
  for (const ir_op *op = block->first; op; op = op->next) all++;
  ir_op **ops = ARENA_ARRAY(mem, ir_op *, all);
  wanted[v] = true;
  k = all;
  for (ir_op *op = block->last; op; op = op->prev) {
    bool need = false;
    for (uint32_t r = 0; r < op->nres; r++) need = need || wanted[op->res[r]];
    if (!need) continue;
    ops[--k] = op;
    ir_visit_region_uses(op, want, wanted);
  }
  *n = all - k;
  return ops + k;
}

bool ir_block_within(const ir_block *b, const ir_block *block) {
  for (; b; b = b->owner ? b->owner->block : NULL)
    if (b == block) return true;
  return false;
}

bool ir_same_extent(const ir_fn *fn, ir_val a, ir_val b) {
  if (a == b) return true;
  ir_size s = ir_size_of(fn, a);
  return s != IR_SIZE_NONE && s == ir_size_of(fn, b);
}

ir_val ir_iterations(ir_builder *b, const ir_loop *loop) {
  ir_val product = 0;
  for (uint32_t k = 0; k < loop->rank; k++) {
    ir_val n = loop->extent[k];
    int64_t known;
    /* A symbol is the length of an axis of data; other sizes and values may be negative. */
    bool plain = ir_is_int(b->fn, n, &known) ? known >= 0 : size_is_symbol(b->fn->module->sizes, ir_size_of(b->fn, n), NULL);
    if (!plain) n = ir_op2(b, IR_MAX_OP, n, ir_int(b, 0));
    product = product ? ir_op2(b, IR_MUL_OP, product, n) : n;
  }
  return product;
}

/* In range whether or not any loop runs: a loop's own index, a checked index, or an index read from data. */
static bool entry_safe(const ir_fn *fn, ir_val v, ir_size dim) {
  int64_t i, n;
  if (v == 0) return true;
  if (ir_is_int(fn, v, &i)) return size_value(fn->module->sizes, dim, &n) && i >= 0 && i < n;
  const ir_value *x = ir_value_of(fn, v);
  if (x->def == IR_DEF_INDEX) return ir_size_of(fn, x->op->u.loop->extent[x->slot]) == dim;
  const ir_op *op = ir_def_op(fn, v);
  if (!op) return false;
  if (op->code == IR_BOUND_OP) return ir_size_of(fn, op->args[1]) == dim;
  if (op->code != IR_AT_OP) return false;
  const ir_value *array = ir_value_of(fn, op->args[0]);
  return array->def == IR_DEF_PARAM && fn->param[array->slot].role == IR_ROLE_DATA;
}

bool ir_positions_safe(const ir_fn *fn, const ir_axes *axes, ir_type array) {
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k] && (ir_type_of(fn, axes->at[k]).rank || !entry_safe(fn, axes->at[k], array.dim[k]))) return false;
  return true;
}
