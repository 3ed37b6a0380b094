/* pass_fma.c: a product that only one sum reads becomes an fma with it: one rounding less, and on most machines one
 * operation less.  x y - c needs -c, and c - x y needs -x or -y: a literal or the operand of a negation where there is one, else
 * what does not vary in the loop.  Runs last, since nothing looks through an fma. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

typedef struct fma_former {
  ir_fn *fn;
  const uint32_t *uses;
  uint32_t n;
  bool changed;
} fma_former;

static ir_op *sole_product(const fma_former *f, const ir_op *op, ir_val v) {
  ir_op *def = ir_def_op(f->fn, v);
  return def && v < f->n && def->code == IR_MUL_OP && f->uses[v] == 1 && def->block == op->block ? def : NULL;
}

/* What it costs to have -v: nothing, once before the loop, an operation. */
static int price_of_minus(const fma_former *f, const ir_op *op, ir_val v) {
  const ir_op *def = ir_def_op(f->fn, v);
  if (def && (def->code == IR_REAL_OP || def->code == IR_NEG_OP)) return 0;
  return ir_home(f->fn, v) == op->block ? 2 : 1;
}

static ir_val minus(ir_builder *b, ir_val v) {
  const ir_op *def = ir_def_op(b->fn, v);
  if (def && def->code == IR_NEG_OP) return def->args[0];
  return def && def->code == IR_REAL_OP ? ir_real(b, -def->u.real) : ir_op1(b, IR_NEG_OP, v);
}

static void form(void *user, ir_op *op) {
  fma_former *f = user;
  if ((op->code != IR_ADD_OP && op->code != IR_SUB_OP) || ir_type_of(f->fn, op->res[0]).elem != IR_REAL) return;
  bool sub = op->code == IR_SUB_OP, left = true;
  ir_op *product = sole_product(f, op, op->args[0]);
  if (!product) {
    product = sole_product(f, op, op->args[1]);
    left = false;
  }
  if (!product) return;
  ir_builder b = {.fn = f->fn, .block = op->block, .before = op, .where = op->where};
  ir_val x = product->args[0], y = product->args[1], c = op->args[left];
  if (sub && left) c = minus(&b, c);
  if (sub && !left) {
    ir_val *cheaper = price_of_minus(f, op, x) <= price_of_minus(f, op, y) ? &x : &y;
    *cheaper = minus(&b, *cheaper);
  }
  ir_val *args = ARENA_ARRAY(f->fn->module->mem, ir_val, 3);
  args[0] = x;
  args[1] = y;
  args[2] = c;
  op->code = IR_FMA_OP;
  op->args = args;
  op->nargs = 3;
  ir_remove(product);
  f->changed = true;
}

bool pass_fma(ir_module *m, ir_fn *fn) {
  fma_former f = {fn, ir_use_counts(fn, m->mem), fn->nvals, false};
  ir_visit_ops(&fn->body, form, &f);
  return f.changed;
}
