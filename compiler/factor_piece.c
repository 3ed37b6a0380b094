/* factor_piece.c: positions and conditions of a factor's function as numbers (factors.h).
 *
 * Sizes have numbers when sums are built.  What depends on nothing but sizes and the index of one loop can then be computed for each
 * iteration: where it moves by the same step from one to the next, the loop need not be cut.  Whatever the formula is (`i % N + 1`,
 * `max(t - 1, 1)`, `if i == N { 1 } else { i + 1 }`), only what it comes to counts. */
#include "compiler/factors.h"

#include <string.h>

typedef struct evaluation {
  const factor_graph *g;
  const factor *f;
  const int64_t *index; /* of the loops; NULL: which of them the value depends on is asked for */
  uint32_t loops;       /* the answer */
  int budget;           /* operations that may still be looked at: a formula is a graph, and read as a tree */
} evaluation;

enum { EVAL_OPS = 200 };

static bool eval(evaluation *x, const ir_fn *fn, ir_val v, int64_t *out);

static bool eval_param(evaluation *x, const ir_fn *fn, ir_val v, int64_t *out) {
  for (uint32_t k = 0; fn == x->f->fn && k < x->f->nloops; k++) {
    if (x->f->loop[k].index != v) continue;
    x->loops |= 1u << k;
    *out = x->index ? x->index[k] : 0;
    return true;
  }
  for (size_t k = 0; fn == x->f->fn && k < x->f->ncaptures; k++) {
    if (x->f->capture_param[k] != v) continue;
    ir_val made = factor_prepared(x->g, x->f->capture[k]);
    return made && eval(x, x->g->prepare, made, out);
  }
  return false;
}

static int64_t floor_div(int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return (int64_t)(0 - (uint64_t)a);
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t wrap(ir_code code, int64_t a, int64_t b) {
  uint64_t x = (uint64_t)a, y = (uint64_t)b;
  return (int64_t)(code == IR_ADD_OP ? x + y : code == IR_SUB_OP ? x - y : x * y);
}

static bool eval(evaluation *x, const ir_fn *fn, ir_val v, int64_t *out) {
  const ir_op *op = ir_def_op(fn, v);
  int64_t a[3] = {0};
  if (!op) return ir_value_of(fn, v)->def == IR_DEF_PARAM && eval_param(x, fn, v, out);
  if (x->budget-- <= 0 || op->nargs > 3 || ir_type_of(fn, v).elem == IR_REAL || ir_type_of(fn, v).rank) return false;
  switch (op->code) {
  case IR_INT_OP:
  case IR_BOOL_OP: *out = op->u.integer; return true;
  case IR_SIZE_OP: return size_value(x->g->m->sizes, op->u.size, out);
  case IR_IF_OP:
    if (!eval(x, fn, op->args[0], a)) return false;
    if (!x->index) return eval(x, fn, op->u.branch->then_yield[ir_value_of(fn, v)->slot], out) && eval(x, fn, op->u.branch->else_yield[ir_value_of(fn, v)->slot], out);
    return eval(x, fn, (a[0] ? op->u.branch->then_yield : op->u.branch->else_yield)[ir_value_of(fn, v)->slot], out);
  default: break;
  }
  for (uint32_t k = 0; k < op->nargs; k++) {
    if (op->code == IR_BOUND_OP && k == 1) break;
    if (ir_type_of(fn, op->args[k]).elem == IR_REAL || ir_type_of(fn, op->args[k]).rank || !eval(x, fn, op->args[k], &a[k])) return false;
  }
  switch (op->code) {
  case IR_ADD_OP:
  case IR_SUB_OP:
  case IR_MUL_OP: *out = wrap((ir_code)op->code, a[0], a[1]); return true;
  case IR_IDIV_OP: *out = floor_div(a[0], a[1]); return true;
  case IR_IMOD_OP: *out = a[1] == 0 ? 0 : wrap(IR_SUB_OP, a[0], wrap(IR_MUL_OP, a[1], floor_div(a[0], a[1]))); return true;
  case IR_NEG_OP: *out = wrap(IR_SUB_OP, 0, a[0]); return true;
  case IR_MIN_OP: *out = a[0] < a[1] ? a[0] : a[1]; return true;
  case IR_MAX_OP: *out = a[0] > a[1] ? a[0] : a[1]; return true;
  case IR_EQ_OP: *out = a[0] == a[1]; return true;
  case IR_NE_OP: *out = a[0] != a[1]; return true;
  case IR_LT_OP: *out = a[0] < a[1]; return true;
  case IR_LE_OP: *out = a[0] <= a[1]; return true;
  case IR_AND_OP: *out = a[0] && a[1]; return true;
  case IR_OR_OP: *out = a[0] || a[1]; return true;
  case IR_NOT_OP: *out = !a[0]; return true;
  case IR_SELECT_OP: *out = a[0] ? a[1] : a[2]; return true;
  case IR_BOUND_OP:
  case IR_BOOL_INT_OP: *out = a[0]; return true;
  default: return false;
  }
}

static bool eval_at(const factor_graph *g, const factor *f, ir_val v, const int64_t *index, int64_t *out) {
  evaluation x = {.g = g, .f = f, .index = index, .budget = EVAL_OPS};
  return eval(&x, f->fn, v, out);
}

bool factor_run_of(const factor_graph *g, const factor *f, ir_val v, factor_run *out) {
  evaluation which = {.g = g, .f = f, .budget = EVAL_OPS};
  int64_t index[FACTOR_MAX_LOOPS] = {0}, n, next;
  if (!eval(&which, f->fn, v, &next) || which.loops & (which.loops - 1)) return false;
  *out = (factor_run){.loop = -1, .length = 1};
  if (!which.loops) return eval_at(g, f, v, index, &out->value);
  uint32_t l = 0;
  while (!(which.loops >> l & 1)) l++;
  out->loop = (int)l;
  if (!size_value(g->m->sizes, f->loop[l].first, &index[l]) || !size_value(g->m->sizes, f->loop[l].extent, &n)) return false;
  if (!eval_at(g, f, v, index, &out->value)) return false;
  int64_t last = out->value;
  for (int64_t k = 1; k < n; k++, last = next) {
    index[l]++;
    if (!eval_at(g, f, v, index, &next)) return false;
    if (k == 1) out->slope = wrap(IR_SUB_OP, next, last);
    else if (wrap(IR_SUB_OP, next, last) != out->slope) break;
    out->length++;
  }
  return true;
}

ir_size factor_near(const factor_graph *g, int64_t n, ir_size end) {
  size_table *t = g->m->sizes;
  int64_t length;
  if (!size_value(t, end, &length) || length <= 0) return size_const(t, n);
  int64_t whole = floor_div(n + length / 2, length);
  if (whole < -1 || whole > 1) return size_const(t, n);
  ir_size s = size_const(t, n - whole * length);
  return whole == 0 ? s : whole > 0 ? size_add(t, s, end) : size_sub(t, s, end);
}
