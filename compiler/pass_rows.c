/* pass_rows.c: a product of a matrix and a vector is computed where its rows are read.
 *
 *     eta = matmul X, beta                 plate i < N { ... x = at X, i, :
 *     plate i < N { ... eta[i] ... }                         e = matmul x, beta ... }
 *
 * A regression's gradient is then one loop over the rows: a row is multiplied, and while it is still in a cache what it
 * contributes to the adjoint of beta is added.  An array of N numbers is neither written nor read.
 *
 * needs: a function.  keeps: every bit, as an inner product is the canonical sum that an element of the matrix product is.
 * Where: the matrix is a parameter that is not differentiated, the product is read once, by a plate of the same block
 * with one axis, at its own index or a fixed distance from it.  Read by two loops, it would be computed twice. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

typedef struct row_former {
  ir_module *m;
  ir_fn *fn;
  const uint32_t *uses;
  uint32_t n;
  ir_op **reader; /* by value: an operation that uses it */
  ir_op *at;      /* being looked at */
  bool changed;
} row_former;

/* Of the two operands, the matrix; -1: this is no product of a matrix and a vector. */
static int matrix_operand(const ir_fn *fn, const ir_op *op) {
  int a = ir_type_of(fn, op->args[0]).rank, b = ir_type_of(fn, op->args[1]).rank;
  return a == 2 && b == 1 ? 0 : a == 1 && b == 2 ? 1 : -1;
}

/* A row is computed as its operand is read: from memory, and that of a value nobody differentiates. */
static bool stands_still(const ir_fn *fn, ir_val v) {
  const ir_value *x = ir_value_of(fn, v);
  if (x->def != IR_DEF_PARAM) return false;
  uint8_t role = fn->param[x->slot].role;
  return role == IR_ROLE_DATA || role == IR_ROLE_FRAME || role == IR_ROLE_PLAIN;
}

static void see_use(void *user, ir_val *use) {
  row_former *f = user;
  f->reader[*use] = f->at;
}

static void see_reader(void *user, ir_op *op) {
  row_former *f = user;
  f->at = op;
  ir_visit_uses(op, see_use, f);
}

/* i, or i and a literal. */
static bool at_own_index(const ir_fn *fn, const ir_loop *plate, ir_val v) {
  if (v == plate->index[0]) return true;
  const ir_op *op = ir_def_op(fn, v);
  if (!op || (op->code != IR_ADD_OP && op->code != IR_SUB_OP)) return false;
  int64_t n;
  if (op->args[0] == plate->index[0]) return ir_is_int(fn, op->args[1], &n);
  return op->code == IR_ADD_OP && op->args[1] == plate->index[0] && ir_is_int(fn, op->args[0], &n);
}

static void form(void *user, ir_op *op) {
  row_former *f = user;
  ir_fn *fn = f->fn;
  if (op->code != IR_MATMUL_OP) return;
  int matrix = matrix_operand(fn, op);
  if (matrix < 0 || !stands_still(fn, op->args[matrix])) return;
  ir_val product = op->res[0];
  ir_op *read = product < f->n ? f->reader[product] : NULL, *plate = read ? read->block->owner : NULL;
  if (!read || read->code != IR_AT_OP || read->args[0] != product || !plate || plate->code != IR_PLATE_OP || plate->block != op->block) return;
  if (f->uses[product] != 1) {
    ir_remark_add(f->m, "rows", op->where, true, "the product is read in more than one place");
    return;
  }
  if (plate->u.loop->rank != 1 || !at_own_index(fn, plate->u.loop, read->u.axes.at[0])) return;

  bool transposed = op->flags & (matrix == 0 ? IR_TRANS_A : IR_TRANS_B);
  ir_axes row = {.n = 2};
  row.at[(matrix == 0) == transposed ? 1 : 0] = read->u.axes.at[0];
  ir_builder b = {.fn = fn, .block = read->block, .before = read, .where = op->where};
  ir_val x = ir_at(&b, op->args[matrix], row);
  ir_val dot = matrix == 0 ? ir_matmul(&b, x, op->args[1], 0) : ir_matmul(&b, op->args[0], x, 0);
  ir_replace_uses(fn, read->res[0], dot);
  ir_remove(read);
  ir_remove(op);
  ir_remark_add(f->m, "rows", op->where, false, "each row of the product is computed in the loop that reads it");
  f->changed = true;
}

bool pass_rows(ir_module *m, ir_fn *fn) {
  row_former f = {.m = m, .fn = fn, .n = fn->nvals, .uses = ir_use_counts(fn, m->mem)};
  f.reader = ARENA_ARRAY(m->mem, ir_op *, f.n);
  ir_visit_ops(&fn->body, see_reader, &f);
  ir_visit_ops(&fn->body, form, &f);
  return f.changed;
}
