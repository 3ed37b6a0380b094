/* pass_divide.c: a division by what other iterations, or other divisions, divide by as well becomes a product with its reciprocal.
 *
 *     plate i < N { r[i] / s ... }    ->    w = 1 / s;  plate i < N { r[i] * w ... }
 *     a / v, b / v in one block       ->    w = 1 / v;  a * w, b * w
 *     a / 3.0                         ->    a * 0.333...
 *
 * needs: a function.  Rounds once more: a / b is off by half a unit in the last place, a (1 / b) by less than 1.5.  Where b is 0, infinite
 * or NaN the product is what the quotient is.  Not so where 1 / b leaves the range of normal numbers: for |b| < 2^-1024 it is infinite,
 * and the product with it where the quotient may not be; for |b| > 2^1022 it is subnormal and has fewer digits.  A literal whose reciprocal
 * is not a normal number is left alone.
 *
 * It runs after differentiation, not before: the adjoint of a quotient uses the quotient, and shares sums with it. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

typedef struct divider {
  ir_module *m;
  ir_fn *fn;
  uint32_t *divides; /* by value: divisions by it */
  ir_val *inverse;   /* by value: its reciprocal, made right behind it */
  uint32_t n;
  bool changed;
} divider;

static bool is_reciprocal(const ir_fn *fn, const ir_op *op) {
  double c;
  return ir_is_real(fn, op->args[0], &c) && c == 1;
}

static void count_divisor(void *user, ir_op *op) {
  divider *d = user;
  if (op->code == IR_DIV_OP) d->divides[op->args[1]]++;
}

static bool has_normal_reciprocal(double c) {
  double r = 1 / c, size = r < 0 ? -r : r;
  return size >= 0x1p-1022 && size < 0x1p1022;
}

/* The loop whose body op stands in, ifs in between or not. */
static const ir_op *loop_around(const ir_block *block) {
  const ir_op *op = block->owner;
  while (op && !ir_is_loop(op)) op = op->block->owner;
  return op;
}

/* 1 / v where v is defined, for all that divide by it; a parameter's stands at the start of the function. */
static ir_val reciprocal(divider *d, ir_val v, span where) {
  if (d->inverse[v]) return d->inverse[v];
  const ir_value *x = ir_value_of(d->fn, v);
  ir_builder b = {.fn = d->fn, .where = where};
  if (x->def == IR_DEF_RESULT) {
    b.block = x->op->block;
    b.before = x->op->next;
  } else {
    b.block = x->def == IR_DEF_PARAM ? &d->fn->body : &x->op->u.loop->body;
    b.before = b.block->first;
  }
  return d->inverse[v] = ir_op2(&b, IR_DIV_OP, ir_real(&b, 1), v);
}

static void look_at(void *user, ir_op *op) {
  divider *d = user;
  if (op->code != IR_DIV_OP || is_reciprocal(d->fn, op)) return;
  ir_val a = op->args[0], v = op->args[1], by = 0;
  double c;
  if (v >= d->n) return; /* made here */
  if (ir_is_real(d->fn, v, &c)) {
    if (!has_normal_reciprocal(c)) return;
    ir_builder b = {.fn = d->fn, .block = op->block, .before = op, .where = op->where};
    by = ir_real(&b, 1 / c);
  } else {
    const ir_op *loop = loop_around(op->block);
    bool outside = loop && !ir_block_within(ir_home(d->fn, v), &loop->u.loop->body);
    if (!outside && d->divides[v] < 2) return;
    by = reciprocal(d, v, op->where);
    if (outside) ir_remark_add(d->m, "divide", op->where, false, "a division in a loop is a product with a reciprocal made before it");
    else ir_remark_add(d->m, "divide", op->where, false, "divisions by one value share its reciprocal");
  }
  op->code = IR_MUL_OP;
  op->args[0] = a;
  op->args[1] = by;
  d->changed = true;
}

bool pass_divide(ir_module *m, ir_fn *fn) {
  divider d = {.m = m, .fn = fn, .n = fn->nvals};
  d.divides = ARENA_ARRAY(m->mem, uint32_t, fn->nvals);
  d.inverse = ARENA_ARRAY(m->mem, ir_val, fn->nvals);
  ir_visit_ops(&fn->body, count_divisor, &d);
  ir_visit_ops(&fn->body, look_at, &d);
  return d.changed;
}
