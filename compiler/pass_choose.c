/* pass_choose.c: a choice between two results of one function becomes that function of the chosen operand.
 *
 *     select(c, f(x), f(y)) = f(select(c, x, y))      also behind the same steps: select(c, -f(x), -f(y)), select(c, k + f(x), k + f(y))
 *
 * The mass of an interval is taken from the tail that it lies in; of a symmetric law both tails are one function, and both of its ends are then
 * evaluated once, and differentiated once.
 *
 * needs: a function behind pass_hoist: what does not vary with the condition stands outside of its loop and stays there, for it is computed
 * once; so both results are made in the block that chooses.  keeps: every bit.  A guard on the way is counted once. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

enum { MAX_STEPS = 6, COSTLY = 14 };

typedef struct choice {
  ir_module *m;
  ir_fn *fn;
  const uint32_t *uses;
  uint32_t n; /* entries of uses */
  ir_map renamed;
  bool changed;
} choice;

static uint32_t uses_of(const choice *s, ir_val v) { return v < s->n ? s->uses[v] : 1; }

static ir_op *made_here(const choice *s, ir_val v, const ir_block *block) {
  ir_op *op = ir_def_op(s->fn, v);
  if (!op || op->block != block || op->nres != 1 || op->nargs == 0 || op->nargs > 3) return NULL;
  const ir_type t = ir_type_of(s->fn, v);
  return t.rank == 0 && t.elem == IR_REAL ? op : NULL;
}

/* What is passed through on the way to a function that costs something. */
static bool is_step(ir_code code) {
  return code == IR_NEG_OP || code == IR_ADD_OP || code == IR_SUB_OP || code == IR_MUL_OP || code == IR_DIV_OP || code == IR_GUARD_OP;
}

static bool is_costly(ir_code code) { return ir_op_table[code].effect == IR_PURE && ir_op_table[code].flops >= COSTLY; }

/* One function of x and of y as a function of the chosen one, before `at`; 0: they are not. */
static ir_val chosen(choice *s, ir_op *at, ir_val x, ir_val y, int steps) {
  const ir_op *p = made_here(s, x, at->block), *q = made_here(s, y, at->block);
  if (!p || !q || p == q || p->code != q->code || p->nargs != q->nargs || steps == 0) return 0;
  const bool costly = is_costly(p->code);
  if (!costly && !is_step(p->code)) return 0;
  /* Of a function one result may have other readers: there is still one evaluation less to differentiate. */
  if (costly ? uses_of(s, x) > 1 && uses_of(s, y) > 1 : uses_of(s, x) > 1 || uses_of(s, y) > 1) return 0;
  uint32_t differ = p->nargs;
  for (uint32_t k = 0; k < p->nargs; k++) {
    if (ir_renamed(&s->renamed, p->args[k]) == ir_renamed(&s->renamed, q->args[k])) continue;
    if (differ < p->nargs) return 0;
    differ = k;
  }
  if (differ == p->nargs || ir_type_of(s->fn, p->args[differ]).elem != IR_REAL) return 0;
  ir_val v = chosen(s, at, p->args[differ], q->args[differ], steps - 1);
  if (!v && !costly) return 0;
  ir_builder b = {.fn = s->fn, .block = at->block, .before = at, .where = p->where};
  if (!v) v = ir_op3(&b, IR_SELECT_OP, at->args[0], p->args[differ], q->args[differ]);
  ir_val args[3];
  for (uint32_t k = 0; k < p->nargs; k++) args[k] = k == differ ? v : p->args[k];
  return p->nargs == 1 ? ir_op1(&b, p->code, args[0]) : p->nargs == 2 ? ir_op2(&b, p->code, args[0], args[1]) : ir_op3(&b, p->code, args[0], args[1], args[2]);
}

static void choose(void *user, ir_op *op) {
  choice *s = user;
  ir_rename_uses(op, &s->renamed);
  if (op->code != IR_SELECT_OP) return;
  const ir_val v = chosen(s, op, op->args[1], op->args[2], MAX_STEPS);
  if (!v) return;
  ir_remark_add(s->m, "choose", op->where, false, "a choice between two results of one function is one call of it");
  ir_map_set(&s->renamed, op->res[0], v);
  ir_remove(op);
  s->changed = true;
}

bool pass_choose(ir_module *m, ir_fn *fn) {
  choice s = {.m = m, .fn = fn, .uses = ir_use_counts(fn, m->mem), .n = fn->nvals, .renamed = ir_map_new(m->mem, fn)};
  ir_visit_ops(&fn->body, choose, &s);
  if (s.changed) ir_rename_all(fn, &s.renamed);
  return s.changed;
}
