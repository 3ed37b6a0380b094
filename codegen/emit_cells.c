/* emit_cells.c: small arrays that are cells outside of straight code.
 *
 * An array that is built element by element, at positions known while compiling, and read that way, needs no memory: each of its
 * elements is an SSA value.  In memory each `put` of a chain would be a copy of the whole array, or a store and a load that LLVM has to follow.
 * Where something else reads it, as an array or at a position that is computed, it stays in memory: it would be put there again for each
 * such use. */
#include "codegen/emit_internal.h"

#include "compiler/ir_uses.h"

enum { CELLS_MOST = 8 };

typedef struct marking {
  E *e;
  bool *memory; /* [nvals] something needs it in memory */
} marking;

/* Scalar positions known while compiling, of every axis. */
static bool known_place(E *e, const ir_axes *axes) {
  for (uint32_t k = 0; k < axes->n; k++) {
    int64_t n;
    if (!axes->at[k] || !ir_is_int(e->fn, axes->at[k], &n)) return false;
  }
  return true;
}

static void need(void *user, ir_val *v) { ((marking *)user)->memory[*v] = true; }

static void need_list(marking *m, const ir_axes *axes) {
  for (uint32_t k = 0; k < axes->n; k++) if (axes->at[k]) m->memory[axes->at[k]] = true;
}

/* What a loop yields, or begins with, is copied to where the loop has it. */
static void mark(marking *m, const ir_op *op) {
  const bool known = (op->code == IR_AT_OP || op->code == IR_PUT_OP) && known_place(m->e, &op->u.axes);
  switch (op->code) {
    case IR_AT_OP: case IR_PUT_OP:
      if (known) return;
      m->memory[op->args[0]] = true;
      if (op->code == IR_PUT_OP) m->memory[op->res[0]] = true;
      need_list(m, &op->u.axes);
      return;
    case IR_PLATE_OP: case IR_SCAN_OP:
      for (uint32_t k = 0; k < op->u.loop->nout; k++) need_list(m, &op->u.loop->out[k].axes);
      return;
    case IR_IF_OP: return;
    default: ir_visit_uses((ir_op *)(uintptr_t)op, need, m);
  }
}

static bool small(E *e, ir_val v) {
  const ir_type t = ir_type_of(e->fn, v);
  const int64_t n = t.rank ? cg_known_cells(e, t) : 0;
  return n >= 1 && n <= CELLS_MOST;
}

bool *cg_cells_plan(E *e) {
  marking m = {e, ARENA_ARRAY(e->mem, bool, e->fn->nvals)};
  bool *cells = ARENA_ARRAY(e->mem, bool, e->fn->nvals);
  for (size_t k = 0; k < e->nops; k++) mark(&m, e->ops[k]);
  /* A chain is in memory up to where something needs it there. */
  for (size_t k = e->nops; k-- > 0;)
    if (e->ops[k]->code == IR_PUT_OP && (m.memory[e->ops[k]->res[0]] || !small(e, e->ops[k]->res[0]))) m.memory[e->ops[k]->args[0]] = true;
  for (size_t k = 0; k < e->nops; k++)
    if (e->ops[k]->code == IR_NEW_OP || e->ops[k]->code == IR_PUT_OP) cells[e->ops[k]->res[0]] = !m.memory[e->ops[k]->res[0]] && small(e, e->ops[k]->res[0]);
  return cells;
}
