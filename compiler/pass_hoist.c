/* pass_hoist.c: what does not vary in a loop moves before it, as far out as its operands allow.
 *
 * Moved are operations of any price and whole inner loops; out of an `if`, which may guard against their cost, only
 * literals and sizes.  As a loop may run no iteration, what could then fail stays: a `bound`, and a position that is not in range
 * by itself, unless the loop's extents are known to be at least 1. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

typedef struct hoister {
  ir_fn *fn;
  bool changed;
} hoister;

typedef struct safety {
  const ir_fn *fn;
  bool safe;
} safety;

static void check_safe(void *user, ir_op *op) {
  safety *s = user;
  if (op->code == IR_BOUND_OP || ir_op_table[op->code].effect == IR_MODEL || op->code == IR_CALL_OP) s->safe = false;
  if (op->code == IR_AT_OP || op->code == IR_PUT_OP) s->safe &= ir_positions_safe(s->fn, &op->u.axes, ir_type_of(s->fn, op->args[0]));
  if (ir_is_loop(op))
    for (uint32_t k = 0; k < op->u.loop->nout; k++) s->safe &= ir_positions_safe(s->fn, &op->u.loop->out[k].axes, ir_type_of(s->fn, op->res[k]));
}

static bool region_safe(const ir_fn *fn, ir_op *op) {
  safety s = {fn, true};
  check_safe(&s, op);
  if (ir_is_loop(op)) ir_visit_ops(&op->u.loop->body, check_safe, &s);
  if (op->code == IR_IF_OP) {
    ir_visit_ops(&op->u.branch->then_, check_safe, &s);
    ir_visit_ops(&op->u.branch->else_, check_safe, &s);
  }
  return s.safe;
}

static bool runs_surely(const ir_fn *fn, const ir_op *loop) {
  int64_t n;
  if (loop->u.loop->live) return false;
  for (uint32_t k = 0; k < loop->u.loop->rank; k++)
    if (!ir_is_int(fn, loop->u.loop->extent[k], &n) || n < 1) return false;
  return true;
}

typedef struct freedom {
  const ir_fn *fn;
  const ir_op *region; /* whose own values do not count */
  const ir_block *block;
  bool inside;         /* some operand is defined in `block` or deeper */
} freedom;

static void note_operand(void *user, ir_val *use) {
  freedom *f = user;
  const ir_block *home = ir_home(f->fn, *use);
  if (!ir_block_within(home, f->block)) return;
  for (const ir_block *b = home; b && b != f->block; b = b->owner ? b->owner->block : NULL)
    if (b->owner == f->region) return;
  f->inside = true;
}

static bool is_literal(const ir_op *op) {
  return op->code == IR_REAL_OP || op->code == IR_INT_OP || op->code == IR_BOOL_OP || op->code == IR_SIZE_OP;
}

static bool has_model_op(ir_op *op) {
  return ir_op_table[op->code].effect == IR_MODEL;
}

static void hoist_op(void *user, ir_op *op) {
  hoister *h = user;
  if (has_model_op(op) || !op->block->owner) return;
  bool safe = false, asked = false;
  ir_op *target = NULL;
  for (ir_block *block = op->block; block->owner; block = block->owner->block) {
    ir_op *region = block->owner;
    if (region->code == IR_IF_OP && !is_literal(op)) break;
    freedom f = {.fn = h->fn, .region = op, .block = block};
    ir_visit_region_uses(op, note_operand, &f);
    if (f.inside) break;
    if (!asked) {
      safe = region_safe(h->fn, op);
      asked = true;
    }
    if (!safe && (region->code == IR_IF_OP || !runs_surely(h->fn, region))) break;
    target = region;
  }
  if (!target) return;
  ir_move(op, target->block, target);
  h->changed = true;
}

/* In order and outer first, so that operands have moved before what reads them. */
static void hoist_block(hoister *h, ir_block *block) {
  for (ir_op *op = block->first, *next; op; op = next) {
    next = op->next;
    hoist_op(h, op);
    if (ir_is_loop(op)) {
      hoist_block(h, &op->u.loop->body);
    } else if (op->code == IR_IF_OP) {
      hoist_block(h, &op->u.branch->then_);
      hoist_block(h, &op->u.branch->else_);
    }
  }
}

bool pass_hoist(ir_module *m, ir_fn *fn) {
  (void)m;
  hoister h = {.fn = fn};
  hoist_block(&h, &fn->body);
  return h.changed;
}
