/* derive_boxes.c: sums of sums as sums over boxes, for derive_local.c to narrow along every axis.
 *
 *     plate i < n -> sum { i' = i + 1;  yield plate j < m -> sum { .. s[i, j] s[i', j] .. } }
 *
 * says of an element of s only in which rows it is read; plate i < n, j < m -> sum says which pairs.  What stands around the inner sum is then in every iteration, so it has to be cheap. */
#include "compiler/derive.h"
#include "compiler/ir_uses.h"

static bool is_cheap(const ir_op *op) { return !ir_is_loop(op) && op->code != IR_IF_OP && ir_op_table[op->code].flops <= 1; }

static bool sums(const ir_fn *fn, const ir_op *op, uint32_t slot) {
  return op && op->code == IR_PLATE_OP && op->u.loop->out[slot].mode == IR_SUM && ir_type_of(fn, op->res[slot]).rank == 0;
}

/* The output as that of a box behind it; 0 where it is no sum of sums. */
static ir_val box(ir_module *m, ir_fn *fn, ir_op *outer, uint32_t slot) {
  const ir_val yield = outer->u.loop->out[slot].yield;
  const ir_loop *around = outer->u.loop;
  const ir_op *inner = sums(fn, outer, slot) ? ir_def_op(fn, yield) : NULL;
  const uint32_t of = inner ? ir_value_of(fn, yield)->slot : 0;
  if (!sums(fn, inner, of) || inner->block != &around->body || around->rank + inner->u.loop->rank > IR_MAX_RANK) return 0;
  ir_val extent[IR_MAX_RANK];
  uint32_t rank = 0;
  for (uint32_t k = 0; k < around->rank; k++) extent[rank++] = around->extent[k];
  for (uint32_t k = 0; k < inner->u.loop->rank; k++) {
    if (ir_block_within(ir_home(fn, inner->u.loop->extent[k]), &around->body)) return 0;
    extent[rank++] = inner->u.loop->extent[k];
  }
  size_t n, inside;
  ir_op **ops = ir_needed(fn, &around->body, yield, m->mem, &n);
  ir_op **body = ir_needed(fn, &inner->u.loop->body, inner->u.loop->out[of].yield, m->mem, &inside);
  for (size_t k = 0; k < n; k++)
    if (ops[k] != inner && !is_cheap(ops[k])) return 0;
  ir_cloner c = {.from = fn, .map = ir_map_new(m->mem, fn)};
  ir_builder b = {.fn = fn, .block = outer->block, .before = outer->next};
  ir_op *loop = ir_loop_begin(&b, IR_PLATE_OP, rank, extent);
  ir_builder in = ir_builder_in(&b, &loop->u.loop->body);
  for (uint32_t k = 0; k < rank; k++) ir_map_set(&c.map, k < around->rank ? around->index[k] : inner->u.loop->index[k - around->rank], loop->u.loop->index[k]);
  for (size_t k = 0; k < n; k++)
    if (ops[k] != inner) ir_clone_op(&c, &in, ops[k]);
  for (size_t k = 0; k < inside; k++) ir_clone_op(&c, &in, body[k]);
  const ir_val v = ir_map_get(&c.map, inner->u.loop->out[of].yield);
  return ir_loop_out(fn, loop, IR_SUM, 0, NULL, v ? v : inner->u.loop->out[of].yield);
}

ir_fn *derive_boxes(ir_module *m, const ir_fn *density) {
  ir_fn *fn = ir_fn_new(m, arena_printf(m->mem, "boxes.%s", density->name), false);
  ir_cloner c = {.from = density, .map = ir_map_new(m->mem, density)};
  for (uint32_t k = 0; k < density->nparams; k++) {
    const ir_param *p = &density->param[k];
    ir_map_set(&c.map, p->val, ir_param_add(fn, (ir_role)p->role, p->name, ir_type_of(density, p->val)));
  }
  ir_builder b = ir_builder_at_end(fn, &fn->body);
  ir_clone_block(&c, &b, &density->body);
  ir_val ret[IR_MAX_RANK];
  for (uint32_t k = 0; k < density->nret; k++) ret[k] = ir_map_get(&c.map, density->ret[k]);
  ir_return(fn, density->nret, ret);
  /* A box stands behind the sum that it replaces, and is looked at next: sums may be nested deeper. */
  for (ir_op *op = fn->body.first; op; op = op->next)
    for (uint32_t k = 0; ir_is_loop(op) && k < op->u.loop->nout; k++) {
      const ir_val v = box(m, fn, op, k);
      if (v) ir_replace_uses(fn, op->res[k], v);
    }
  return fn;
}
