/* grad_if.c: the adjoint of an if: an if with the same condition, each block computing its source block again and then that
 * block's adjoint. */
#include "compiler/grad_internal.h"

/* One block, forward; t is open.  r: the adjoints of what it yields. */
static void arm_forward(grad *g, grad_scope *t, uint32_t n, const ir_val *yield, const ir_val *r) {
  for (uint32_t k = 0; k < n; k++) {
    if (!r[k]) continue;
    grad_add(g, t, yield[k], r[k]);
    grad_seed_value(g, t, yield[k], r[k]);
  }
  grad_seed_block(g, t);
  grad_forward(g, t);
}

void grad_if(grad *g, grad_scope *s, ir_op *op, bool fused) {
  const ir_if *from = op->u.branch;
  ir_val *r = ARENA_ARRAY(g->mem, ir_val, op->nres), *then_ = ARENA_ARRAY(g->mem, ir_val, op->nres);
  bool any = false;
  for (uint32_t k = 0; k < op->nres; k++) {
    if (!grad_needed(g, op->res[k])) continue;
    r[k] = fused ? grad_seed_emit(g, s, op->res[k]) : grad_take(g, s, op->res[k]);
    any |= r[k] != 0;
  }
  if (!any) return;
  ir_op *branch = ir_if_begin(&s->b, grad_image(g, op->args[0]));
  bool recompute = s->recompute || !fused;
  grad_scope a = grad_scope_open(g, s, &from->then_, &branch->u.branch->then_, NULL, recompute);
  arm_forward(g, &a, op->nres, from->then_yield, r);
  for (uint32_t k = 0; k < op->nres; k++) then_[k] = grad_image(g, from->then_yield[k]);
  grad_reverse(g, &a);
  grad_scope_close(g, &a);
  grad_scope b = grad_scope_open(g, s, &from->else_, &branch->u.branch->else_, NULL, recompute);
  arm_forward(g, &b, op->nres, from->else_yield, r);
  for (uint32_t k = 0; k < op->nres && fused; k++) {
    ir_val res = ir_if_out(g->to, branch, then_[k], grad_image(g, from->else_yield[k]));
    ir_map_set(&g->clone.map, op->res[k], res);
    g->info[op->res[k]].fused = true;
  }
  grad_reverse(g, &b);
  grad_scope_close(g, &b);
  grad_leave_if(g, &a, &b, branch);
}
