/* pass_factor.c: what does not vary in a loop is no factor of what the loop sums.
 *
 *     sum over i of k a[i]    ->    k (sum over i of a[i])
 *
 * k stands outside of the loop, and anywhere in the product: under signs, over a divisor, in a product that other sums use too; a select of 0 by
 * a condition that does not vary is a factor 1 or 0.  Several
 * sums often differ by such factors only, and are one afterwards: the square of the residuals in a log density and in its derivative by the
 * scale.  What is computed in the loop never gets more.
 *
 * needs: a function on its way to an engine.  Not before differentiation, which finds factors itself, nor before terms of one element are cut
 * from a density, which wants its sums added, not multiplied.  Other roundings.  Where k is infinite or NaN so is k times the sum (NaN
 * when that is 0, no iteration among the reasons), which the sum of products may not be. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

enum { MAX_DEPTH = 16 };

static bool inside(const ir_fn *fn, const ir_op *loop, ir_val v) { return ir_block_within(ir_home(fn, v), &loop->u.loop->body); }

typedef struct product {
  ir_fn *fn;
  ir_op *loop;
  const uint32_t *uses;
  uint32_t nuses;
  ir_val factor; /* what does not vary, made behind the loop; 0: nothing found */
  ir_builder inside, after;
} product;

static bool read_once(const product *p, ir_val v) { return v < p->nuses && p->uses[v] == 1; }

static void take_factor(product *p, ir_val k) { p->factor = p->factor ? ir_op2(&p->after, IR_MUL_OP, p->factor, k) : k; }

/* v is x where a condition that does not vary holds, else 0. */
static bool is_switch(const product *p, const ir_op *def) {
  double zero;
  return def->code == IR_SELECT_OP && !inside(p->fn, p->loop, def->args[0]) && ir_is_real(p->fn, def->args[2], &zero) && zero == 0 &&
         inside(p->fn, p->loop, def->args[1]);
}

/* Has v, read by the sum or a product on its way there, a factor that does not vary?  `whole`: v itself goes when it is taken
 * apart, so that making it again without the factor costs nothing. */
static bool has_factor(const product *p, ir_val v, bool whole, int depth) {
  const ir_op *def = ir_def_op(p->fn, v);
  if (!def || depth == 0 || !inside(p->fn, p->loop, v)) return false;
  if (def->code == IR_NEG_OP) return has_factor(p, def->args[0], read_once(p, def->args[0]), depth - 1);
  if (def->code == IR_DIV_OP) return whole && has_factor(p, def->args[0], read_once(p, def->args[0]), depth - 1);
  if (is_switch(p, def)) return true;
  if (def->code != IR_MUL_OP) return false;
  ir_val a = def->args[0], b = def->args[1];
  if (!inside(p->fn, p->loop, a) || !inside(p->fn, p->loop, b)) return true;
  return whole && (has_factor(p, a, read_once(p, a), depth - 1) || has_factor(p, b, read_once(p, b), depth - 1));
}

/* v without its factors, which go to p->factor. */
static ir_val without_factors(product *p, ir_val v, bool whole, int depth) {
  if (!has_factor(p, v, whole, depth)) return v;
  ir_op *def = ir_def_op(p->fn, v);
  ir_val a = def->args[0], b = def->nargs > 1 ? def->args[1] : 0;
  if (def->code == IR_NEG_OP) {
    take_factor(p, ir_real(&p->after, -1));
    return without_factors(p, a, read_once(p, a), depth - 1);
  }
  if (is_switch(p, def)) {
    take_factor(p, ir_op3(&p->after, IR_SELECT_OP, a, ir_real(&p->after, 1), ir_real(&p->after, 0)));
    return without_factors(p, b, whole && read_once(p, b), depth - 1);
  }
  if (def->code == IR_MUL_OP && !inside(p->fn, p->loop, a)) {
    take_factor(p, a);
    return without_factors(p, b, whole && read_once(p, b), depth - 1);
  }
  if (def->code == IR_MUL_OP && !inside(p->fn, p->loop, b)) {
    take_factor(p, b);
    return without_factors(p, a, whole && read_once(p, a), depth - 1);
  }
  a = without_factors(p, a, read_once(p, a), depth - 1);
  if (def->code == IR_MUL_OP) b = without_factors(p, b, read_once(p, b), depth - 1);
  p->inside.block = def->block;
  p->inside.before = def->next;
  p->inside.where = def->where;
  return ir_op2(&p->inside, (ir_code)def->code, a, b);
}

/* Takes what does not vary out of the product that output k sums; true if there was any. */
static bool factor_out(ir_fn *fn, ir_op *loop, uint32_t k, const uint32_t *uses, uint32_t nuses, ir_builder after) {
  ir_out *out = &loop->u.loop->out[k];
  product p = {.fn = fn, .loop = loop, .uses = uses, .nuses = nuses, .inside = {.fn = fn}, .after = after};
  bool whole = out->yield < nuses && uses[out->yield] == 1;
  if (!has_factor(&p, out->yield, whole, MAX_DEPTH)) return false;
  ir_val rest = without_factors(&p, out->yield, whole, MAX_DEPTH);
  out->yield = rest;
  ir_builder b = after; /* behind the factors */
  ir_val result = loop->res[k], sum = ir_result_renew(fn, loop, k);
  ir_take_over(fn, ir_op2(&b, IR_MUL_OP, p.factor, sum), result);
  return true;
}

typedef struct factorer {
  ir_module *m;
  ir_fn *fn;
  const uint32_t *uses;
  uint32_t nuses;
  bool changed;
} factorer;

static void look_at(void *user, ir_op *op) {
  factorer *f = user;
  if (!ir_is_loop(op)) return;
  for (uint32_t k = 0; k < op->nres; k++) {
    const ir_out *out = &op->u.loop->out[k];
    ir_type t = ir_type_of(f->fn, out->yield);
    if (out->mode != IR_SUM || t.rank || t.elem != IR_REAL || f->uses[op->res[k]] == 0) continue;
    ir_builder after = {.fn = f->fn, .block = op->block, .before = op->next, .where = op->where};
    if (!factor_out(f->fn, op, k, f->uses, f->nuses, after)) continue;
    ir_remark_add(f->m, "factor", op->where, false, "a factor that does not vary is multiplied once, behind the sum");
    f->changed = true;
  }
}

bool pass_factor(ir_module *m, ir_fn *fn) {
  factorer f = {m, fn, ir_use_counts(fn, m->mem), fn->nvals, false};
  ir_visit_ops(&fn->body, look_at, &f);
  return f.changed;
}
