/* pass_dce.c: operations, loop results, states and branch results that nothing reads go.
 *
 * Marks backwards from what the function returns and from MODEL operations: a result needs its operation's operands, a
 * loop's result or state its own output only, and everything the extents and conditions of the regions around it. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

enum { KEEP = 0x80 }; /* in op->flags while this pass runs: a region that must stay */

typedef struct marker {
  ir_fn *fn;
  arena *mem;
  uint8_t *live;
  ir_val *todo;
  size_t n, cap;
} marker;

static void need(void *user, ir_val *v) {
  marker *k = user;
  if (*v == 0 || k->live[*v]) return;
  k->live[*v] = 1;
  ARENA_PUSH(k->mem, k->todo, k->n, k->cap, *v);
}

static void need_regions(marker *k, ir_block *block) {
  for (ir_op *op = block->owner; op && !(op->flags & KEEP); op = op->block->owner) {
    op->flags |= KEEP;
    if (op->code == IR_IF_OP) need(k, &op->args[0]);
    else
      for (uint32_t j = 0; j < op->u.loop->rank; j++) need(k, &op->u.loop->extent[j]);
    if (ir_is_loop(op)) need(k, &op->u.loop->live);
  }
}

static void need_definition(marker *k, ir_val v) {
  ir_value *x = &k->fn->val[v];
  ir_op *op = x->op;
  if (x->def == IR_DEF_PARAM) return;
  need_regions(k, op->block);
  if (ir_is_loop(op)) {
    need_regions(k, &op->u.loop->body);
    if (x->def == IR_DEF_INDEX) return;
    ir_out *out = &op->u.loop->out[x->slot];
    need(k, &out->init);
    need(k, &out->yield);
    for (uint32_t j = 0; j < out->axes.n; j++) need(k, &out->axes.at[j]);
  } else if (op->code == IR_IF_OP) {
    need_regions(k, &op->u.branch->then_);
    need(k, &op->u.branch->then_yield[x->slot]);
    need(k, &op->u.branch->else_yield[x->slot]);
  } else {
    ir_visit_uses(op, need, k);
  }
}

static void need_model_op(void *user, ir_op *op) {
  marker *k = user;
  if (ir_op_table[op->code].effect != IR_MODEL) return;
  need_regions(k, op->block);
  ir_visit_uses(op, need, k);
}

static bool shrink_loop(marker *k, ir_op *op) {
  ir_loop *loop = op->u.loop;
  uint32_t n = 0;
  for (uint32_t j = 0; j < loop->nout; j++) {
    if (!k->live[op->res[j]] && !(loop->out[j].state && k->live[loop->out[j].state])) continue;
    loop->out[n] = loop->out[j];
    op->res[n] = op->res[j];
    k->fn->val[op->res[n]].slot = n;
    if (loop->out[n].state) k->fn->val[loop->out[n].state].slot = n;
    n++;
  }
  bool changed = n != loop->nout;
  loop->nout = op->nres = n;
  return changed;
}

static bool shrink_if(marker *k, ir_op *op) {
  ir_if *branch = op->u.branch;
  uint32_t n = 0;
  for (uint32_t j = 0; j < op->nres; j++) {
    if (!k->live[op->res[j]]) continue;
    branch->then_yield[n] = branch->then_yield[j];
    branch->else_yield[n] = branch->else_yield[j];
    op->res[n] = op->res[j];
    k->fn->val[op->res[n]].slot = n;
    n++;
  }
  bool changed = n != op->nres;
  op->nres = n;
  return changed;
}

static bool sweep(marker *k, ir_block *block) {
  bool changed = false;
  for (ir_op *op = block->first, *next; op; op = next) {
    next = op->next;
    bool stays = ir_op_table[op->code].effect == IR_MODEL || (op->flags & KEEP);
    for (uint32_t j = 0; j < op->nres; j++) stays |= k->live[op->res[j]];
    if (!stays) {
      ir_remove(op);
      changed = true;
      continue;
    }
    if (ir_is_loop(op)) {
      changed |= sweep(k, &op->u.loop->body);
      changed |= shrink_loop(k, op);
    } else if (op->code == IR_IF_OP) {
      changed |= sweep(k, &op->u.branch->then_);
      changed |= sweep(k, &op->u.branch->else_);
      changed |= shrink_if(k, op);
    }
    if (ir_is_loop(op) || op->code == IR_IF_OP) op->flags &= (uint8_t)~KEEP;
  }
  return changed;
}

bool pass_dce(ir_module *m, ir_fn *fn) {
  marker k = {.fn = fn, .mem = m->mem, .live = ARENA_ARRAY(m->mem, uint8_t, fn->nvals)};
  for (uint32_t j = 0; j < fn->nret; j++) need(&k, &fn->ret[j]);
  ir_visit_ops(&fn->body, need_model_op, &k);
  while (k.n) need_definition(&k, k.todo[--k.n]);
  return sweep(&k, &fn->body);
}
