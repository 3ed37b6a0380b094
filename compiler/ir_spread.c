/* ir_spread.c: what depends on given values of a function. */
#include "compiler/ir_uses.h"

typedef struct reach {
  const bool *from;
  bool hit;
} reach;

static void see_use(void *user, ir_val *use) {
  reach *r = user;
  r->hit = r->hit || (*use && r->from[*use]);
}

static bool any_use(const ir_op *op, const bool *from) {
  reach r = {from, false};
  ir_visit_uses((ir_op *)op, see_use, &r);
  return r.hit;
}

static bool set(bool *flags, ir_val v, bool on) {
  if (!v || !on || flags[v]) return false;
  flags[v] = true;
  return true;
}

/* One pass over a block; true if it marked something. */
static bool spread_block(bool *flags, const ir_block *block) {
  bool changed = false;
  for (const ir_op *op = block->first; op; op = op->next) {
    if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) {
      const ir_loop *loop = op->u.loop;
      for (uint32_t k = 0; k < loop->nout; k++)
        if (loop->out[k].state) changed |= set(flags, loop->out[k].state, loop->out[k].init && flags[loop->out[k].init]);
      changed |= spread_block(flags, &loop->body);
      bool extents = loop->live && flags[loop->live];
      for (uint32_t k = 0; k < loop->rank; k++) extents = extents || flags[loop->extent[k]];
      for (uint32_t k = 0; k < loop->nout; k++) {
        const ir_out *out = &loop->out[k];
        bool on = extents || flags[out->yield] || (out->init && flags[out->init]);
        for (uint32_t a = 0; a < out->axes.n; a++) on = on || (out->axes.at[a] && flags[out->axes.at[a]]);
        changed |= set(flags, op->res[k], on);
        if (out->state) changed |= set(flags, out->state, on);
      }
    } else if (op->code == IR_IF_OP) {
      changed |= spread_block(flags, &op->u.branch->then_);
      changed |= spread_block(flags, &op->u.branch->else_);
      for (uint32_t k = 0; k < op->nres; k++)
        changed |= set(flags, op->res[k], flags[op->args[0]] || flags[op->u.branch->then_yield[k]] || flags[op->u.branch->else_yield[k]]);
    } else if (op->code != IR_SAMPLE_OP && any_use(op, flags)) {
      for (uint32_t k = 0; k < op->nres; k++) changed |= set(flags, op->res[k], true);
    }
  }
  return changed;
}

void ir_spread(bool *flags, const ir_fn *fn) {
  while (spread_block(flags, &fn->body)) {}
}
