/* pass_select.c: a condition inside a plate becomes a choice between two values that are both computed.
 *
 *     v = plate i < N -> stack {                      v = plate i < N -> stack {
 *       r = if c { e = exp x; yield e } else { .. }     e = exp x
 *       yield r                                         r = select c, e, ..
 *     }                                                 yield r }
 *
 * Engines run a plate on lanes, but not one with an `if` in it, since every lane would go its own way.  Few operations cost less on all lanes
 * than on those alone that need them.
 *
 * needs: a function.  keeps: every bit of its values.  What is evaluated for nothing must not fail: scalars, elements in range, neither checks nor
 * draws.  It may well be infinite or NaN, so this is for functions that are not differentiated any more: the adjoint of a select would carry
 * 0 times that.  A plate keeps all its conditions where it has to keep one. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

enum { MOST_FLOPS = 100, MOST_OPS = 256 };

typedef struct chooser {
  ir_fn *fn;
  ir_map renamed;
  bool changed;
} chooser;

typedef struct price {
  int flops, ops;
} price;

static bool scalar_results(const ir_fn *fn, const ir_op *op) {
  for (uint32_t k = 0; k < op->nres; k++)
    if (ir_type_of(fn, op->res[k]).rank > 0 || ir_type_of(fn, op->res[k]).elem == IR_KEY) return false;
  return true;
}

/* Whether all of the block may be evaluated at any time. */
static bool is_total(const ir_fn *fn, ir_block *block, price *p) {
  for (ir_op *op = block->first; op; op = op->next) {
    p->flops += ir_op_table[op->code].flops;
    if (p->flops > MOST_FLOPS || ++p->ops > MOST_OPS || !scalar_results(fn, op)) return false;
    if (op->code == IR_IF_OP) {
      if (!is_total(fn, &op->u.branch->then_, p) || !is_total(fn, &op->u.branch->else_, p)) return false;
    } else if (op->code == IR_AT_OP) {
      if (!ir_positions_safe(fn, &op->u.axes, ir_type_of(fn, op->args[0]))) return false;
    } else if (ir_op_table[op->code].effect != IR_PURE || op->code == IR_CALL_OP || op->code == IR_MEMO_OP || op->code == IR_MEMO_FIND_OP || op->code == IR_MEMO_KEEP_OP) {
      return false;
    }
  }
  return true;
}

/* Whether the plate has conditions of its own, and each may go. */
static bool all_may_go(const ir_fn *fn, ir_op *plate) {
  price p = {0};
  bool any = false;
  for (ir_op *op = plate->u.loop->body.first; op; op = op->next) {
    if (op->code != IR_IF_OP) continue;
    any = true;
    if (!scalar_results(fn, op) || !is_total(fn, &op->u.branch->then_, &p) || !is_total(fn, &op->u.branch->else_, &p)) return false;
  }
  return any;
}

static void choose(chooser *c, ir_op *op);

static void spread(chooser *c, ir_block *from, ir_op *before) {
  for (ir_op *op = from->first, *next; op; op = next) {
    next = op->next;
    if (op->code == IR_IF_OP) choose(c, op);
  }
  while (from->first) ir_move(from->first, before->block, before);
}

static void choose(chooser *c, ir_op *op) {
  ir_if *branch = op->u.branch;
  spread(c, &branch->then_, op);
  spread(c, &branch->else_, op);
  ir_builder here = {.fn = c->fn, .block = op->block, .before = op, .where = op->where};
  for (uint32_t k = 0; k < op->nres; k++) {
    const ir_val a = branch->then_yield[k], b = branch->else_yield[k];
    ir_map_set(&c->renamed, op->res[k], a == b ? a : ir_op3(&here, IR_SELECT_OP, op->args[0], a, b));
  }
  ir_remove(op);
  c->changed = true;
}

static void visit(void *user, ir_op *op) {
  chooser *c = user;
  if (op->code != IR_PLATE_OP || !all_may_go(c->fn, op)) return;
  for (ir_op *x = op->u.loop->body.first, *next; x; x = next) {
    next = x->next;
    if (x->code == IR_IF_OP) choose(c, x);
  }
}

bool pass_select(ir_module *m, ir_fn *fn) {
  chooser c = {.fn = fn, .renamed = ir_map_new(m->mem, fn)};
  ir_visit_ops(&fn->body, visit, &c);
  if (c.changed) ir_rename_all(fn, &c.renamed);
  return c.changed;
}
