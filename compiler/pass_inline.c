/* pass_inline.c: calls become copies of their callee's body.
 *
 * The callee's sizes are those of the arguments (ir_call_sizes).  Calls in the copy are met by the same walk, so in the end
 * none is left, unless a function reaches itself: such a call, which ir_verify rejects, stays.  An operation that comes
 * from another source than the call (the prelude, say) takes the call's place, which is what a user can act on. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

#include <string.h>

typedef struct reach {
  arena *mem;
  ir_fn **fn;
  size_t n, cap;
} reach;

static void note_callee(void *user, ir_op *op) {
  reach *r = user;
  if (op->code != IR_CALL_OP) return;
  for (size_t k = 0; k < r->n; k++)
    if (r->fn[k] == op->u.callee) return;
  ARENA_PUSH(r->mem, r->fn, r->n, r->cap, op->u.callee);
}

/* callee leads back to itself or to fn. */
static bool recursive(arena *mem, const ir_fn *fn, ir_fn *callee) {
  reach r = {.mem = mem};
  if (callee == fn) return true;
  ir_visit_ops(&callee->body, note_callee, &r);
  for (size_t k = 0; k < r.n; k++) {
    if (r.fn[k] == callee || r.fn[k] == fn) return true;
    ir_visit_ops(&r.fn[k]->body, note_callee, &r);
  }
  return false;
}

static void take_place(void *user, ir_op *op) {
  const span *where = user;
  if (where->file && op->where.file != where->file) op->where = *where;
}

static bool inline_block(ir_module *m, ir_fn *fn, ir_block *block, ir_map *renamed) {
  bool changed = false;
  for (ir_op *op = block->first, *next; op; op = next) {
    next = op->next;
    if (ir_is_loop(op)) changed |= inline_block(m, fn, &op->u.loop->body, renamed);
    if (op->code == IR_IF_OP) {
      changed |= inline_block(m, fn, &op->u.branch->then_, renamed);
      changed |= inline_block(m, fn, &op->u.branch->else_, renamed);
    }
    if (op->code != IR_CALL_OP || recursive(m->mem, fn, op->u.callee)) continue;
    ir_fn *callee = op->u.callee;
    ir_builder b = {.fn = fn, .block = block, .before = op, .where = op->where};
    ir_cloner c = {.from = callee, .map = ir_map_new(m->mem, callee)};
    ir_size *from, *to;
    ir_rename_uses(op, renamed);
    c.nsizes = ir_call_sizes(fn, callee, op->nargs, op->args, &from, &to);
    c.size_from = from;
    c.size_to = to;
    for (uint32_t k = 0; k < op->nargs; k++) ir_map_set(&c.map, callee->param[k].val, op->args[k]);
    ir_op *before = op->prev;
    ir_clone_block(&c, &b, &callee->body);
    next = before ? before->next : block->first; /* the copy, then what stood behind the call */
    for (ir_op *x = next; x != op; x = x->next) {
      take_place(&op->where, x);
      if (ir_is_loop(x)) ir_visit_ops(&x->u.loop->body, take_place, &op->where);
      if (x->code == IR_IF_OP) {
        ir_visit_ops(&x->u.branch->then_, take_place, &op->where);
        ir_visit_ops(&x->u.branch->else_, take_place, &op->where);
      }
    }
    for (uint32_t k = 0; k < op->nres; k++) ir_map_set(renamed, op->res[k], ir_map_get(&c.map, callee->ret[k]));
    if (next == op) next = op->next;
    ir_remove(op);
    changed = true;
  }
  return changed;
}

bool pass_inline(ir_module *m, ir_fn *fn) {
  ir_map renamed = ir_map_new(m->mem, fn);
  bool changed = inline_block(m, fn, &fn->body, &renamed);
  if (changed) ir_rename_all(fn, &renamed);
  return changed;
}
