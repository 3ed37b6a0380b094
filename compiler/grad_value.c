/* grad_value.c: small emitters for adjoints of any type.
 *
 * Adjoints start from literal ones and zeros, so the emitters for reals fold these; everything else is left to the passes. */
#include "compiler/grad_internal.h"

ir_val grad_neg(ir_builder *b, ir_val x) {
  double c;
  return ir_is_real(b->fn, x, &c) ? ir_real(b, -c) : ir_op1(b, IR_NEG_OP, x);
}

ir_val grad_mul(ir_builder *b, ir_val x, ir_val y) {
  double c, d;
  bool known = ir_is_real(b->fn, x, &c);
  if (!known && ir_is_real(b->fn, y, &c)) {
    ir_val swap = x;
    x = y;
    y = swap;
    known = true;
  }
  if (known) {
    if (c == 1) return y;
    if (c == -1) return grad_neg(b, y);
    if (ir_is_real(b->fn, y, &d)) return ir_real(b, c * d);
  }
  return ir_op2(b, IR_MUL_OP, x, y);
}

ir_val grad_sum(ir_builder *b, ir_val x, ir_val y) {
  if (!x || !y) return x ? x : y;
  double c, d;
  if (ir_is_real(b->fn, x, &c) && ir_is_real(b->fn, y, &d)) return ir_real(b, c + d);
  grad_each e = grad_each_begin(b, ir_type_of(b->fn, x));
  ir_val p = grad_each_get(&e, x), q = grad_each_get(&e, y);
  return grad_each_end(&e, ir_op2(&e.b, IR_ADD_OP, p, q));
}

ir_val grad_zero(ir_builder *b, ir_type type) {
  if (type.rank) return ir_new_array(b, type);
  return type.elem == IR_INT ? ir_int(b, 0) : ir_real(b, 0);
}

ir_val grad_scale(ir_builder *b, ir_val scalar, ir_val x) {
  double c;
  if (ir_is_real(b->fn, scalar, &c) && c == 1) return x;
  grad_each e = grad_each_begin(b, ir_type_of(b->fn, x));
  return grad_each_end(&e, grad_mul(&e.b, scalar, grad_each_get(&e, x)));
}

grad_each grad_each_begin(ir_builder *b, ir_type type) {
  grad_each e = {.b = *b};
  if (type.rank == 0) return e;
  ir_val extent[IR_MAX_RANK];
  for (int k = 0; k < type.rank; k++) extent[k] = ir_size_val(b, type.dim[k]);
  e.plate = ir_loop_begin(b, IR_PLATE_OP, type.rank, extent);
  e.b = ir_builder_in(b, &e.plate->u.loop->body);
  e.at.n = type.rank;
  for (int k = 0; k < type.rank; k++) e.at.at[k] = e.plate->u.loop->index[k];
  return e;
}

ir_val grad_each_get(grad_each *e, ir_val x) { return e->plate ? ir_at(&e->b, x, e->at) : x; }

ir_val grad_each_end(grad_each *e, ir_val y) {
  return e->plate ? ir_loop_out(e->b.fn, e->plate, IR_STACK, 0, NULL, y) : y;
}

bool grad_inside(const ir_fn *fn, ir_val v, const ir_op *loop) {
  const ir_value *x = ir_value_of(fn, v);
  if (x->def == IR_DEF_PARAM || x->def == IR_DEF_NONE) return false;
  if (x->op == loop) return x->def != IR_DEF_RESULT;
  const ir_block *block = x->op->block; /* an index or state of a loop further in is inside as well */
  for (; block && block->owner; block = block->owner->block)
    if (block->owner == loop) return true;
  return false;
}
