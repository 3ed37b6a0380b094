/* pass_copy.c: loops that only rebuild what is there.
 *
 *   a state that the body does not read: its output is built as in a plate, so a scan left without states becomes a plate
 *   `into` at exactly the loop's indices over the whole array: `stack`
 *   `stack` of `at X, i, j` at exactly the loop's indices over all of X: X itself */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

typedef struct copier {
  ir_fn *fn;
  const uint32_t *uses;
  ir_map renamed;
  bool changed;
} copier;

/* axes names the loop's own indices in order, then whole axes, in an array whose first extents are the loop's. */
static bool own_position(const ir_fn *fn, const ir_loop *loop, const ir_axes *axes, ir_type array) {
  if (axes->n != array.rank || array.rank < loop->rank) return false;
  for (uint32_t k = 0; k < axes->n; k++) {
    if (k >= loop->rank) {
      if (axes->at[k] != 0) return false;
    } else if (axes->at[k] != loop->index[k] || ir_size_of(fn, loop->extent[k]) != array.dim[k]) {
      return false;
    }
  }
  return true;
}

static void drop_states(copier *c, ir_op *op) {
  ir_loop *loop = op->u.loop;
  if (op->code != IR_SCAN_OP) return;
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *out = &loop->out[k];
    if (out->mode == IR_CARRY || (out->state && c->uses[out->state] > 0)) return;
    /* The order of these sums would change. */
    if (loop->down && (out->mode == IR_SUM || out->mode == IR_KEYED)) return;
  }
  for (uint32_t k = 0; k < loop->nout; k++) loop->out[k].state = 0;
  op->code = IR_PLATE_OP;
  loop->down = false;
  c->changed = true;
}

static void copy_op(void *user, ir_op *op) {
  copier *c = user;
  if (!ir_is_loop(op)) return;
  ir_loop *loop = op->u.loop;
  drop_states(c, op);
  for (uint32_t k = 0; k < loop->nout; k++) {
    ir_out *out = &loop->out[k];
    if (out->mode == IR_INTO && !out->state && own_position(c->fn, loop, &out->axes, ir_type_of(c->fn, op->res[k]))) {
      out->mode = IR_STACK;
      out->init = 0;
      out->axes = (ir_axes){0};
      c->changed = true;
    }
    if (out->mode != IR_STACK || c->uses[op->res[k]] == 0) continue;
    ir_op *at = ir_def_op(c->fn, out->yield);
    if (!at || at->code != IR_AT_OP || at->block != &loop->body) continue;
    ir_val array = ir_renamed(&c->renamed, at->args[0]);
    if (!own_position(c->fn, loop, &at->u.axes, ir_type_of(c->fn, array))) continue;
    if (ir_block_within(ir_home(c->fn, array), &loop->body)) continue;
    ir_map_set(&c->renamed, op->res[k], array);
    c->changed = true;
  }
}

bool pass_copy(ir_module *m, ir_fn *fn) {
  copier c = {.fn = fn, .uses = ir_use_counts(fn, m->mem), .renamed = ir_map_new(m->mem, fn)};
  ir_visit_ops(&fn->body, copy_op, &c);
  if (c.changed) ir_rename_all(fn, &c.renamed);
  return c.changed;
}
