/* grad_shift.c: values that a result does not depend on although it is computed with them.
 *
 * log_sum_exp subtracts the maximum and adds it again:  r = c + log(sum over i of exp(x[i] - c)), the sum a loop or written out.  r does not depend on c, whose
 * adjoint is 1 - sum exp(x[i] - c) / sum exp(x[i] - c): what rounding leaves of 0, at the price of differentiating the
 * maximum.  Such a c, where nothing else uses it or the pieces in between, is a constant. */
#include "compiler/grad_internal.h"

typedef struct shifts {
  grad *g;
  uint32_t *uses; /* by value */
} shifts;

static void count_use(void *user, ir_val *use) {
  ((shifts *)user)->uses[*use]++;
}

static void count_op(void *user, ir_op *op) { ir_visit_uses(op, count_use, user); }

/* The operation behind v if it is of that code and nothing else uses v. */
static const ir_op *only(const shifts *s, ir_val v, ir_code code) {
  const ir_op *op = ir_def_op(s->g->f, v);
  return op && op->code == code && s->uses[v] == 1 ? op : NULL;
}

/* The number of terms of a sum of exp(x - c) that is written out; 0 if v is something else. */
static uint32_t terms(const shifts *s, ir_val v, ir_val c, int depth) {
  const ir_op *exp = only(s, v, IR_EXP_OP), *sub = exp ? only(s, exp->args[0], IR_SUB_OP) : NULL, *add = only(s, v, IR_ADD_OP);
  if (sub) return sub->args[1] == c && sub->args[0] != c;
  if (!add || depth == 0) return 0;
  uint32_t a = terms(s, add->args[0], c, depth - 1), b = terms(s, add->args[1], c, depth - 1);
  return a && b ? a + b : 0;
}

static bool is_shift(const shifts *s, ir_val c, ir_val rest) {
  const ir_op *log = only(s, rest, IR_LOG_OP);
  uint32_t n = log ? terms(s, log->args[0], c, 8) : 0;
  if (n) return s->uses[c] == n + 1;
  const ir_op *plate = log ? only(s, log->args[0], IR_PLATE_OP) : NULL;
  if (!plate || s->uses[c] != 2) return false;
  const ir_out *out = &plate->u.loop->out[ir_value_of(s->g->f, log->args[0])->slot];
  const ir_op *exp = out->mode == IR_SUM ? only(s, out->yield, IR_EXP_OP) : NULL;
  const ir_op *sub = exp && exp->block == &plate->u.loop->body ? only(s, exp->args[0], IR_SUB_OP) : NULL;
  return sub && sub->block == exp->block && sub->args[1] == c;
}

static void look_at(void *user, ir_op *op) {
  shifts *s = user;
  if (op->code != IR_ADD_OP || ir_type_of(s->g->f, op->res[0]).elem != IR_REAL) return;
  for (int k = 0; k < 2; k++)
    if (is_shift(s, op->args[k], op->args[1 - k])) s->g->info[op->args[k]].constant = true;
}

void grad_find_shifts(grad *g) {
  shifts s = {g, ARENA_ARRAY(g->mem, uint32_t, g->f->nvals)};
  ir_visit_ops((ir_block *)&g->f->body, count_op, &s);
  for (uint32_t k = 0; k < g->f->nret; k++) count_use(&s, &g->f->ret[k]);
  ir_visit_ops((ir_block *)&g->f->body, look_at, &s);
}
