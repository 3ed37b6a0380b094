/* ir_cost.c: see the header. */
#include "compiler/ir_cost.h"

/* Of a scan that ends itself nobody knows the length; what has to guess takes it for this one. */
enum { CELL = 8, ITERATIONS_GUESSED = 64 };

static ir_cost zero(size_table *t) {
  ir_size none = size_const(t, 0);
  return (ir_cost){none, none, none, true};
}

static ir_cost plus(size_table *t, ir_cost a, ir_cost b) {
  return (ir_cost){size_add(t, a.flops, b.flops), size_add(t, a.read, b.read), size_add(t, a.written, b.written), a.exact && b.exact};
}

static ir_cost times(size_table *t, ir_cost a, ir_size n) {
  return (ir_cost){size_mul(t, a.flops, n), size_mul(t, a.read, n), size_mul(t, a.written, n), a.exact};
}

static ir_size cells(size_table *t, ir_type type) {
  ir_size n = size_const(t, 1);
  for (int k = 0; k < type.rank; k++) n = size_mul(t, n, type.dim[k]);
  return n;
}

static ir_size bytes(size_table *t, ir_type type) { return size_mul(t, size_const(t, CELL), cells(t, type)); }

static ir_cost cost_block(ir_fn *fn, ir_block *block, int depth);

static ir_cost cost_loop(ir_fn *fn, ir_op *op, int depth) {
  size_table *t = fn->module->sizes;
  ir_loop *loop = op->u.loop;
  ir_cost c = cost_block(fn, &loop->body, depth + 1);
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *out = &loop->out[k];
    ir_type y = ir_type_of(fn, out->yield);
    bool adds = out->mode == IR_SUM || out->mode == IR_KEYED || out->mode == IR_MAX || out->mode == IR_MIN;
    if (adds) c.flops = size_add(t, c.flops, cells(t, y));
    if (out->mode == IR_KEYED) c.read = size_add(t, c.read, bytes(t, y));
    if (out->mode == IR_STACK || out->mode == IR_INTO || out->mode == IR_KEYED || y.rank) c.written = size_add(t, c.written, bytes(t, y));
  }
  for (uint32_t k = 0; k < loop->rank; k++) {
    ir_size n = loop->live ? size_const(t, ITERATIONS_GUESSED) : ir_size_of(fn, loop->extent[k]);
    if (n) c = times(t, c, n);
    if (!n || loop->live) c.exact = false;
  }
  return c;
}

/* The dearer of two blocks where their difference is known in sign, else the sum: never too little. */
static ir_cost cost_if(ir_fn *fn, ir_op *op, int depth) {
  size_table *t = fn->module->sizes;
  ir_cost a = cost_block(fn, &op->u.branch->then_, depth + 1), b = cost_block(fn, &op->u.branch->else_, depth + 1);
  int64_t x, y;
  if (size_is_const(t, a.flops, &x) && size_is_const(t, b.flops, &y) && a.exact && b.exact) return x >= y ? a : b;
  return plus(t, a, b);
}

static ir_cost cost_op(ir_fn *fn, ir_op *op, int depth) {
  size_table *t = fn->module->sizes;
  ir_cost c = zero(t);
  if (depth > IR_MAX_DEPTH) {
    c.exact = false;
    return c;
  }
  ir_type a = op->nargs > 0 ? ir_type_of(fn, op->args[0]) : ir_scalar(IR_REAL), r = op->nres ? ir_type_of(fn, op->res[0]) : ir_scalar(IR_REAL);
  switch (op->code) {
  case IR_PLATE_OP:
  case IR_SCAN_OP: return cost_loop(fn, op, depth);
  case IR_IF_OP: return cost_if(fn, op, depth);
  case IR_CALL_OP: {
    ir_size *from, *to;
    size_t n = ir_call_sizes(fn, op->u.callee, op->nargs, op->args, &from, &to);
    c = cost_block(op->u.callee, &op->u.callee->body, depth + 1);
    c.flops = size_substitute(t, c.flops, n, from, to);
    c.read = size_substitute(t, c.read, n, from, to);
    c.written = size_substitute(t, c.written, n, from, to);
    return c;
  }
  case IR_NEW_OP: c.written = bytes(t, r); return c;
  case IR_AT_OP:
    c.read = bytes(t, r);
    c.flops = cells(t, r);
    return c;
  case IR_PUT_OP: {
    ir_type x = ir_type_of(fn, op->args[1]);
    c.read = c.written = bytes(t, x);
    c.flops = cells(t, x);
    return c;
  }
  case IR_MATMUL_OP: {
    ir_type b = ir_type_of(fn, op->args[1]);
    bool outer = a.rank == 1 && b.rank == 1 && (op->flags & IR_TRANS_B);
    ir_size inner = outer ? size_const(t, 1) : a.dim[a.rank == 1 || (op->flags & IR_TRANS_A) ? 0 : 1];
    c.flops = size_mul(t, size_const(t, outer ? 1 : 2), size_mul(t, inner, cells(t, r)));
    c.read = size_add(t, bytes(t, a), bytes(t, b));
    c.written = bytes(t, r);
    return c;
  }
  case IR_CHOLESKY_OP:
  case IR_CHOL_ADJ_OP: {
    ir_size cube = size_mul(t, a.dim[0], cells(t, a));
    c.flops = op->code == IR_CHOLESKY_OP ? size_div(t, cube, size_const(t, 3)) : cube;
    c.read = bytes(t, a);
    c.written = bytes(t, r);
    return c;
  }
  case IR_QR_R_OP: {
    ir_size rows = cells(t, ir_type_of(fn, op->args[1]));
    c.flops = size_mul(t, size_const(t, 2), size_mul(t, a.dim[0], rows));
    c.read = size_add(t, bytes(t, a), bytes(t, ir_type_of(fn, op->args[1])));
    c.written = bytes(t, r);
    return c;
  }
  case IR_TRISOLVE_OP:
    c.flops = size_mul(t, a.dim[0], cells(t, r));
    c.read = size_add(t, bytes(t, a), bytes(t, r));
    c.written = bytes(t, r);
    return c;
  case IR_INV_PTR_OP:
  case IR_INV_LIST_OP:
    c.flops = cells(t, a);
    c.read = bytes(t, a);
    c.written = bytes(t, r);
    return c;
  case IR_CATEGORICAL_OP:
    c.read = bytes(t, ir_type_of(fn, op->args[2]));
    c.flops = size_add(t, size_const(t, ir_op_table[op->code].flops), cells(t, ir_type_of(fn, op->args[2])));
    return c;
  default: c.flops = size_const(t, ir_op_table[op->code].flops); return c;
  }
}

static ir_cost cost_block(ir_fn *fn, ir_block *block, int depth) {
  ir_cost c = zero(fn->module->sizes);
  for (ir_op *op = block->first; op; op = op->next) c = plus(fn->module->sizes, c, cost_op(fn, op, depth));
  return c;
}

ir_cost ir_cost_fn(ir_fn *fn) { return cost_block(fn, &fn->body, 0); }
ir_cost ir_cost_op(ir_fn *fn, ir_op *op) { return cost_op(fn, op, 0); }

bool ir_cost_eval(const ir_module *m, ir_cost cost, ir_cost_number *out) {
  const ir_size s[3] = {cost.flops, cost.read, cost.written};
  int64_t *to[3] = {&out->flops, &out->read, &out->written};
  for (int k = 0; k < 3; k++) {
    *to[k] = s[k] ? size_eval(m->sizes, s[k]) : -1;
    if (*to[k] < 0) return false;
  }
  return true;
}
