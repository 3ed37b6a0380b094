/* interp_life.c: where each value of a function is used last, so that its memory can serve again.
 *
 * Operations and ends of blocks are numbered in the order in which they are emitted.  The last use of a value is counted at
 * the level of the block that defines it: a use inside a loop is a use by the loop.  What may read a value's memory under
 * another name (an element seen in place, a slice, a checked index) prolongs its life; a slice that is not made reads its
 * position late, so it prolongs the life of that too. */
#include "vm/interp_compile.h"

static void note_use(icomp *c, ir_val v) {
  if (!v) return;
  ival *x = &c->v[v];
  uint32_t n = c->stack[x->depth].number;
  if (x->last == n && x->last_uses > 0) { /* what stands behind v was noted with the first of these uses */
    x->last_uses++;
    return;
  }
  x->last = n;
  x->last_uses = 1;
  const ir_op *def = c->fn->val[v].def == IR_DEF_RESULT ? c->fn->val[v].op : NULL;
  if (def && (def->code == IR_AT_OP || def->code == IR_BOUND_OP)) {
    note_use(c, def->args[0]);
    if (def->code == IR_AT_OP && ir_type_of(c->fn, v).rank > 0)
      for (uint32_t k = 0; k < def->u.axes.n; k++) note_use(c, def->u.axes.at[k]);
  }
}

static void note_other(icomp *c, ir_val v) {
  if (!v) return;
  c->v[v].other_uses++;
  note_use(c, v);
}

static void note_axes(icomp *c, const ir_axes *a) {
  for (uint32_t k = 0; k < a->n; k++) note_other(c, a->at[k]);
}

static void life_block(icomp *c, const ir_block *b);

static void life_begin(icomp *c, ir_val v) {
  c->v[v].depth = c->depth;
  c->v[v].last = c->number;
}

static void life_op(icomp *c, const ir_op *op) {
  c->stack[c->depth].number = ++c->number;
  for (uint32_t k = 0; k < op->nargs; k++) {
    if (op->code == IR_AT_OP) note_use(c, op->args[k]);
    else note_other(c, op->args[k]);
    if (op->code == IR_MATMUL_OP) c->v[op->args[k]].mat_uses++;
  }
  if (op->code == IR_AT_OP || op->code == IR_PUT_OP) note_axes(c, &op->u.axes);
  uint32_t own = c->number;
  if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) {
    const ir_loop *loop = op->u.loop;
    for (uint32_t k = 0; k < loop->rank; k++) note_other(c, loop->extent[k]);
    for (uint32_t k = 0; k < loop->nout; k++) note_other(c, loop->out[k].init);
    c->depth++;
    for (uint32_t k = 0; k < loop->rank; k++) life_begin(c, loop->index[k]);
    for (uint32_t k = 0; k < loop->nout; k++) if (loop->out[k].state) life_begin(c, loop->out[k].state);
    life_block(c, &loop->body);
    for (uint32_t k = 0; k < loop->nout; k++) {
      note_other(c, loop->out[k].yield);
      note_axes(c, &loop->out[k].axes);
    }
    c->depth--;
  } else if (op->code == IR_IF_OP) {
    for (int side = 0; side < 2; side++) {
      c->depth++;
      life_block(c, side ? &op->u.branch->else_ : &op->u.branch->then_);
      const ir_val *y = side ? op->u.branch->else_yield : op->u.branch->then_yield;
      for (uint32_t k = 0; k < op->nres; k++) note_other(c, y[k]);
      c->depth--;
    }
  }
  for (uint32_t k = 0; k < op->nres; k++) {
    c->v[op->res[k]].depth = c->depth;
    c->v[op->res[k]].last = own;
  }
}

/* Leaves the number of the block's end standing, for what the block yields. */
static void life_block(icomp *c, const ir_block *b) {
  if (c->depth > IR_MAX_DEPTH) interp_refuse(c, "loops are nested too deeply");
  for (const ir_op *op = b->first; op; op = op->next) life_op(c, op);
  c->stack[c->depth].number = ++c->number;
}

void interp_life(icomp *c) {
  c->number = c->depth = 0;
  life_block(c, &c->fn->body);
  for (uint32_t k = 0; k < c->fn->nret; k++) note_other(c, c->fn->ret[k]);
  c->ndying = c->number + 1;
  c->dying = ARENA_ARRAY(c->tmp, ir_val, c->ndying);
  for (ir_val v = 1; v < c->fn->nvals; v++) {
    c->v[v].next_dying = c->dying[c->v[v].last];
    c->dying[c->v[v].last] = v;
  }
  c->number = 0;
}
