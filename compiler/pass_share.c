/* pass_share.c: functions of one value that are made of the same exponential share it.
 *
 * With e = exp(-|x|), by the definitions in rt_math.h:
 *     log1p_exp x = log1p(e), plus x where x > 0        inv_logit x = (e where x < 0, else 1) / (1 + e)
 * The value and the slope of a Bernoulli or binomial likelihood are this pair.
 *
 * needs: a function that will not be differentiated any more: the derivative of |x| at 0 is not that of what it stands for.  keeps:
 * every bit.  Where a block has two of these functions of one value or its negation, as |x| = |-x|.  Leaves operations
 * for pass_cse. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

/* The first of these functions of a value's magnitude, in a block; e: once there is a second one. */
typedef struct first_one {
  ir_op *op;
  ir_val e;
} first_one;

typedef struct sharer {
  ir_module *m;
  ir_fn *fn;
  first_one *first; /* by value */
  uint32_t n;
  bool changed;
} sharer;

static bool logistic(const ir_op *op) { return op->code == IR_LOG1P_EXP_OP || op->code == IR_INV_LOGIT_OP; }

/* The value whose magnitude counts. */
static ir_val unsigned_of(const ir_fn *fn, ir_val v) {
  const ir_op *op = ir_def_op(fn, v);
  return op && op->code == IR_NEG_OP ? op->args[0] : v;
}

static ir_val exponential(ir_builder *b, ir_val x) {
  return ir_op1(b, IR_EXP_OP, ir_op1(b, IR_NEG_OP, ir_op1(b, IR_ABS_OP, x)));
}

/* op becomes the last operation of its definition. */
static void expand(sharer *s, ir_op *op, ir_val e) {
  ir_fn *fn = s->fn;
  ir_builder b = {.fn = fn, .block = op->block, .before = op, .where = op->where};
  ir_val x = op->args[0], zero = ir_real(&b, 0), *args = ARENA_ARRAY(s->m->mem, ir_val, 3);
  if (op->code == IR_LOG1P_EXP_OP) {
    ir_val t = ir_op1(&b, IR_LOG1P_OP, e);
    args[0] = ir_op2(&b, IR_LT_OP, zero, x);
    args[1] = ir_op2(&b, IR_ADD_OP, x, t);
    args[2] = t;
    op->code = IR_SELECT_OP;
    op->nargs = 3;
  } else {
    ir_val one = ir_real(&b, 1);
    args[0] = ir_op3(&b, IR_SELECT_OP, ir_op2(&b, IR_LT_OP, x, zero), e, one);
    args[1] = ir_op2(&b, IR_ADD_OP, one, e);
    op->code = IR_DIV_OP;
    op->nargs = 2;
  }
  op->args = args;
}

static void share(void *user, ir_op *op) {
  sharer *s = user;
  if (!logistic(op)) return;
  ir_val x = unsigned_of(s->fn, op->args[0]);
  if (x >= s->n) return;
  first_one *one = &s->first[x];
  if (!one->op || one->op->block != op->block) {
    *one = (first_one){op, 0};
    return;
  }
  if (!one->e) {
    if (one->op->code == op->code && one->op->args[0] == op->args[0]) return;
    ir_builder b = {.fn = s->fn, .block = op->block, .before = one->op, .where = one->op->where};
    one->e = exponential(&b, x);
    ir_remark_add(s->m, "share", one->op->where, false, "log1p_exp and inv_logit share an exponential");
    expand(s, one->op, one->e);
    s->changed = true;
  }
  expand(s, op, one->e);
}

bool pass_share(ir_module *m, ir_fn *fn) {
  sharer s = {.m = m, .fn = fn, .first = ARENA_ARRAY(m->mem, first_one, fn->nvals), .n = fn->nvals};
  ir_visit_ops(&fn->body, share, &s);
  return s.changed;
}
