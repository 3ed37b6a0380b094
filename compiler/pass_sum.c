/* pass_sum.c: sums over a loop of what does not vary in it become products.
 *
 * With n iterations, v and c defined outside the loop:
 *     sum of v         n v; where v may be infinite, 0 when n = 0
 *     sum of a + c     sum of a, plus the above for c; likewise a - c, c - a
 *     sum of k a       k times the sum of a, for a finite literal k
 *     sum of guard c, a   the guard of the sum, where n > 0: the same value, counted once if c fails
 * Other roundings than the sums they replace: part of the canonical pipeline, before any engine sees the function.  needs
 * pass_hoist before it; leaves dead outputs for pass_dce. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

static bool finite_literal(const ir_fn *fn, ir_val v) {
  double x;
  return ir_is_real(fn, v, &x) && x - x == 0;
}

/* A finite literal, or a coordinate of the unconstrained space, which drivers keep finite. */
static bool surely_finite(const ir_fn *fn, ir_val v) {
  const ir_value *x = ir_value_of(fn, v);
  return finite_literal(fn, v) || (x->def == IR_DEF_PARAM && fn->param[x->slot].role == IR_ROLE_UNCON);
}

static ir_val repeated(ir_builder *b, const ir_loop *loop, ir_val v) {
  ir_val n = ir_iterations(b, loop);
  if (ir_type_of(b->fn, v).elem == IR_INT) return ir_op2(b, IR_MUL_OP, n, v);
  ir_val product = ir_op2(b, IR_MUL_OP, ir_op1(b, IR_TO_REAL_OP, n), v), zero = ir_real(b, 0.0);
  if (surely_finite(b->fn, v)) return product;
  return ir_op3(b, IR_SELECT_OP, ir_op2(b, IR_LT_OP, ir_int(b, 0), n), product, zero);
}

static bool inside(const ir_fn *fn, const ir_op *loop, ir_val v) { return ir_block_within(ir_home(fn, v), &loop->u.loop->body); }

/* Rewrites output k of loop once; true if it did. */
static bool split(ir_fn *fn, ir_op *loop, uint32_t k, const uint32_t *uses, uint32_t nuses) {
  ir_out *out = &loop->u.loop->out[k];
  ir_type t = ir_type_of(fn, out->yield);
  if (out->mode != IR_SUM || t.rank || (t.elem != IR_REAL && t.elem != IR_INT)) return false;
  ir_builder after = {.fn = fn, .block = loop->block, .before = loop->next, .where = loop->where};
  ir_val result = loop->res[k], sum, whole;
  if (!inside(fn, loop, out->yield)) {
    ir_result_renew(fn, loop, k);
    ir_take_over(fn, repeated(&after, loop->u.loop, out->yield), result);
    out->mode = IR_MAX; /* dead; and no sum to be looked at again */
    return true;
  }
  ir_op *def = ir_def_op(fn, out->yield);
  if (!def || out->yield >= nuses || uses[out->yield] != 1 || !ir_block_within(def->block, &loop->u.loop->body)) return false;
  if (def->code != IR_ADD_OP && def->code != IR_SUB_OP && def->code != IR_MUL_OP && def->code != IR_NEG_OP &&
      def->code != IR_GUARD_OP)
    return false;
  ir_val a = def->args[0], b = def->nargs > 1 ? def->args[1] : 0;
  bool va = inside(fn, loop, a), vb = b && inside(fn, loop, b);
  if (def->code != IR_NEG_OP && (va == vb || (def->code == IR_GUARD_OP && va))) return false;
  ir_val literal = va ? b : a;
  if (def->code == IR_MUL_OP && t.elem == IR_REAL && !finite_literal(fn, literal)) return false;
  sum = ir_result_renew(fn, loop, k);
  if (def->code == IR_NEG_OP) {
    out->yield = a;
    whole = ir_op1(&after, IR_NEG_OP, sum);
  } else if (def->code == IR_GUARD_OP) {
    out->yield = b;
    ir_val none = ir_op2(&after, IR_LE_OP, ir_iterations(&after, loop->u.loop), ir_int(&after, 0));
    whole = ir_op2(&after, IR_GUARD_OP, ir_op2(&after, IR_OR_OP, a, none), sum);
    ir_def_op(fn, whole)->where = def->where;
  } else if (def->code == IR_MUL_OP) {
    out->yield = va ? a : b;
    whole = ir_op2(&after, IR_MUL_OP, literal, sum);
  } else {
    out->yield = va ? a : b;
    ir_val rest = repeated(&after, loop->u.loop, va ? b : a);
    whole = va ? ir_op2(&after, (ir_code)def->code, sum, rest) : ir_op2(&after, (ir_code)def->code, rest, sum);
  }
  ir_take_over(fn, whole, result);
  return true;
}

typedef struct summer {
  ir_fn *fn;
  const uint32_t *uses;
  uint32_t nuses;
  bool changed;
} summer;

static void split_sums(void *user, ir_op *op) {
  summer *s = user;
  if (!ir_is_loop(op)) return;
  for (uint32_t k = 0; k < op->nres; k++) {
    if (s->uses[op->res[k]] == 0) continue;
    while (split(s->fn, op, k, s->uses, s->nuses)) s->changed = true;
  }
}

bool pass_sum(ir_module *m, ir_fn *fn) {
  summer s = {fn, ir_use_counts(fn, m->mem), fn->nvals, false};
  ir_visit_ops(&fn->body, split_sums, &s);
  return s.changed;
}
