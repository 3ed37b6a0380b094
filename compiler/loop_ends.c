/* loop_ends.c: what the index of a loop whose ends are data may be (loop_ends.h). */
#include "compiler/loop_ends.h"

#include "compiler/ir_uses.h"

bool loop_ends_add(const ir_op *op, ir_val a, ir_val b) {
  return op->code == IR_ADD_OP && ((op->args[0] == a && op->args[1] == b) || (op->args[1] == a && op->args[0] == b));
}

/* v as t plus a size. */
static bool follows(const ir_fn *fn, ir_val index, ir_val start, ir_val v, ir_size *offset) {
  size_table *s = fn->module->sizes;
  const ir_op *op = ir_def_op(fn, v);
  *offset = size_const(s, 0);
  if (start ? op && loop_ends_add(op, index, start) : v == index) return true;
  if (!op || (op->code != IR_ADD_OP && op->code != IR_SUB_OP)) return false;
  const bool add = op->code == IR_ADD_OP;
  for (uint32_t k = 0; k < (add ? 2u : 1u); k++) {
    ir_size n = ir_size_of(fn, op->args[1 - k]);
    if (n == IR_SIZE_NONE || !follows(fn, index, start, op->args[k], offset)) continue;
    *offset = add ? size_add(s, *offset, n) : size_sub(s, *offset, n);
    return true;
  }
  return false;
}

/* What is added to the index and no size: the value from which t runs. */
static ir_val start_of(const ir_fn *fn, const ir_loop *loop, ir_val index) {
  for (const ir_op *op = loop->body.first; op; op = op->next)
    for (uint32_t k = 0; op->code == IR_ADD_OP && k < 2; k++) {
      ir_val x = op->args[1 - k];
      if (op->args[k] == index && ir_size_of(fn, x) == IR_SIZE_NONE && !ir_block_within(ir_home(fn, x), &loop->body)) return x;
    }
  return 0;
}

loop_ends loop_ends_of(const ir_fn *fn, const ir_loop *loop, uint32_t axis) {
  const ir_val index = loop->index[axis];
  loop_ends r = {.start = start_of(fn, loop, index), .extent = IR_SIZE_NONE};
  size_table *s = fn->module->sizes;
  for (const ir_op *op = loop->body.first; op; op = op->next) {
    ir_size offset, n = op->code == IR_BOUND_OP ? ir_size_of(fn, op->args[1]) : IR_SIZE_NONE;
    if (n == IR_SIZE_NONE || !follows(fn, index, r.start, op->args[0], &offset)) continue;
    r.first = size_sub(s, size_const(s, 0), offset);
    r.extent = n;
    break;
  }
  return r;
}

typedef struct search {
  const bool *moves, *arrays; /* by value: depends on the index; is one of the arrays */
  bool found;
} search;

static void see_read(void *user, ir_op *op) {
  search *s = user;
  if (op->code != IR_AT_OP || !s->arrays[op->args[0]]) return;
  for (uint32_t k = 0; k < op->u.axes.n; k++) s->found = s->found || (op->u.axes.at[k] && s->moves[op->u.axes.at[k]]);
}

bool loop_ends_matter(const ir_fn *fn, const ir_loop *loop, uint32_t axis, const bool *arrays, arena *mem) {
  bool *moves = ARENA_ARRAY(mem, bool, fn->nvals);
  moves[loop->index[axis]] = true;
  ir_spread(moves, fn);
  search s = {moves, arrays, false};
  ir_visit_ops((ir_block *)&loop->body, see_read, &s);
  return s.found;
}
