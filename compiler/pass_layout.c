/* pass_layout.c: a matrix of data that a loop goes down row by row is kept by columns.
 *
 *     plate i < N { at X, i, :    at X, i, k }         X row-major: iterations are D numbers apart
 *     plate i < N { at C, :, i    at C, k, i }         C = X' in the frame: they are next to each other
 *
 * Lanes of a vector, and blocks of iterations, then load neighbours.  The copy is made by @prepare; a frame matrix that
 * nobody reads by rows any more is not kept as well (frame_tidy).
 *
 * needs: a function that is no model.  keeps: every bit.  Where: real matrices of data or frame of more than one column, known
 * to have FEWEST_ROWS rows or not known to have fewer, read in a plate of one axis, at the top, whose own index is the row.  Not
 * in plates with an `if`, a factorisation or a solve in them, whose iterations do not run side by side. */
#include "compiler/frame.h"
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

enum { FEWEST_ROWS = 64 };

typedef struct columns {
  ir_module *m;
  ir_fn *fn;
  const ir_op *plate;
  bool side_by_side;
  ir_val *copy;   /* by value: the matrix by columns */
  uint32_t n;
  bool writing;
  frame w;
  bool changed;
} columns;

static void see_op(void *user, ir_op *op) {
  columns *c = user;
  if (op->code == IR_IF_OP || op->code == IR_CHOLESKY_OP || op->code == IR_CHOL_ADJ_OP || op->code == IR_TRISOLVE_OP) c->side_by_side = false;
}

static bool worth_it(const columns *c, ir_val matrix) {
  if (matrix >= c->n) return false;
  const ir_value *x = ir_value_of(c->fn, matrix);
  if (x->def != IR_DEF_PARAM || x->type.elem != IR_REAL || x->type.rank != 2) return false;
  uint8_t role = c->fn->param[x->slot].role;
  if (role != IR_ROLE_DATA && role != IR_ROLE_FRAME) return false;
  int64_t rows = size_eval(c->m->sizes, x->type.dim[0]), cols = size_eval(c->m->sizes, x->type.dim[1]);
  return (rows == IR_SIZE_UNBOUND || rows >= FEWEST_ROWS) && (cols == IR_SIZE_UNBOUND || cols > 1);
}

/* The plate's index, or that and a literal. */
static bool own_row(const columns *c, ir_val v) {
  ir_val i = c->plate->u.loop->index[0];
  if (v == i) return true;
  const ir_op *op = v ? ir_def_op(c->fn, v) : NULL;
  int64_t n;
  if (!op || (op->code != IR_ADD_OP && op->code != IR_SUB_OP)) return false;
  if (op->args[0] == i) return ir_is_int(c->fn, op->args[1], &n);
  return op->code == IR_ADD_OP && op->args[1] == i && ir_is_int(c->fn, op->args[0], &n);
}

static ir_val by_columns(columns *c, ir_val matrix, span where) {
  if (c->copy[matrix]) return c->copy[matrix];
  ir_fn *prepare = ir_fn_find(c->m, "prepare");
  if (!c->writing) frame_open(&c->w, c->m, c->fn, &prepare);
  c->writing = true;
  ir_type t = ir_type_of(c->fn, matrix);
  ir_builder *b = &c->w.b;
  ir_val extent[2] = {ir_size_val(b, t.dim[1]), ir_size_val(b, t.dim[0])};
  ir_op *plate = ir_loop_begin(b, IR_PLATE_OP, 2, extent);
  ir_builder in = ir_builder_in(b, &plate->u.loop->body);
  ir_axes axes = {.n = 2, .at = {plate->u.loop->index[1], plate->u.loop->index[0]}};
  ir_val e = ir_at(&in, ir_map_get(&c->w.c.map, matrix), axes);
  c->copy[matrix] = frame_add(&c->w, c->fn, ir_loop_out(c->w.prepare, plate, IR_STACK, 0, NULL, e));
  ir_remark_add(c->m, "layout", where, false, "a matrix is kept by columns for this loop");
  return c->copy[matrix];
}

static void turn(void *user, ir_op *op) {
  columns *c = user;
  if (op->code != IR_AT_OP || !worth_it(c, op->args[0])) return;
  ir_val row = op->u.axes.at[0], col = op->u.axes.at[1];
  if (!own_row(c, row) || (col && own_row(c, col))) return;
  op->args[0] = by_columns(c, op->args[0], op->where);
  op->u.axes.at[0] = col;
  op->u.axes.at[1] = row;
  c->changed = true;
}

bool pass_layout(ir_module *m, ir_fn *fn) {
  if (fn->is_model || frame_is_prepare(fn)) return false;
  columns c = {.m = m, .fn = fn, .n = fn->nvals, .copy = ARENA_ARRAY(m->mem, ir_val, fn->nvals)};
  for (ir_op *op = fn->body.first; op; op = op->next) {
    if (op->code != IR_PLATE_OP || op->u.loop->rank != 1) continue;
    c.plate = op;
    c.side_by_side = true;
    ir_visit_ops(&op->u.loop->body, see_op, &c);
    if (c.side_by_side) ir_visit_ops(&op->u.loop->body, turn, &c);
  }
  return c.changed;
}
