/* derive_joint.c: arrays of reals whose conditional is one multivariate normal distribution: coefficients of a regression, a path of states, a vector under a normal prior.
 *
 * That is so where the log density is a polynomial of degree 2 in the whole array.  The degree of each value is computed along its operations: products add degrees, sums take the
 * larger, anything else that depends on the array has none; nothing is said about distributions.  The gradient of such a density is affine, g(x) = b - Q x, so b and the precision Q
 * are found by evaluating it at 0 and at the unit vectors (joint_normal.h): all that is derived here is the gradient, by the rules that nuts uses, statistics of the
 * data among them. */
#include "compiler/derive.h"
#include "compiler/grad.h"
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

#include <string.h>

enum { NONE = 255, MOST_DEGREE = 2 };

typedef struct degrees {
  const ir_fn *fn;
  ir_val param;
  const bool *dep;     /* by value: depends on the array */
  uint8_t *of;         /* by value: degree + 1; 0: not known yet */
} degrees;

static unsigned degree(degrees *d, ir_val v);

static unsigned larger(unsigned a, unsigned b) { return a == NONE || b == NONE ? NONE : a > b ? a : b; }
static unsigned added(unsigned a, unsigned b) { return a == NONE || b == NONE || a + b > MOST_DEGREE ? NONE : a + b; }

static bool axes_fixed(const degrees *d, const ir_axes *axes) {
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k] && d->dep[axes->at[k]]) return false;
  return true;
}

static unsigned loop_degree(degrees *d, const ir_op *op, uint32_t slot) {
  const ir_loop *loop = op->u.loop;
  const ir_out *out = &loop->out[slot];
  if (op->code != IR_PLATE_OP || out->mode == IR_MAX || out->mode == IR_MIN || !axes_fixed(d, &out->axes)) return NONE;
  for (uint32_t k = 0; k < loop->rank; k++)
    if (d->dep[loop->extent[k]]) return NONE;
  return larger(degree(d, out->yield), out->init ? degree(d, out->init) : 0);
}

static unsigned op_degree(degrees *d, const ir_op *op, uint32_t slot) {
  const ir_val *a = op->args;
  switch (op->code) {
  case IR_ADD_OP:
  case IR_SUB_OP: return larger(degree(d, a[0]), degree(d, a[1]));
  case IR_NEG_OP: return degree(d, a[0]);
  case IR_MUL_OP:
  case IR_MATMUL_OP: return added(degree(d, a[0]), degree(d, a[1]));
  case IR_FMA_OP: return larger(added(degree(d, a[0]), degree(d, a[1])), degree(d, a[2]));
  case IR_DIV_OP: return d->dep[a[1]] ? NONE : degree(d, a[0]);
  case IR_TRISOLVE_OP: return d->dep[a[0]] ? NONE : degree(d, a[1]);
  case IR_GUARD_OP: return d->dep[a[0]] ? NONE : degree(d, a[1]);
  case IR_SELECT_OP: return d->dep[a[0]] ? NONE : larger(degree(d, a[1]), degree(d, a[2]));
  case IR_AT_OP: return axes_fixed(d, &op->u.axes) ? degree(d, a[0]) : NONE;
  case IR_PUT_OP: return axes_fixed(d, &op->u.axes) ? larger(degree(d, a[0]), degree(d, a[1])) : NONE;
  case IR_PLATE_OP:
  case IR_SCAN_OP: return loop_degree(d, op, slot);
  case IR_IF_OP: return d->dep[a[0]] ? NONE : larger(degree(d, op->u.branch->then_yield[slot]), degree(d, op->u.branch->else_yield[slot]));
  default: return NONE;
  }
}

static unsigned degree(degrees *d, ir_val v) {
  if (!d->dep[v]) return 0;
  if (v == d->param) return 1;
  if (!d->of[v]) {
    const ir_op *op = ir_def_op(d->fn, v);
    const unsigned n = op ? op_degree(d, op, ir_value_of(d->fn, v)->slot) : NONE;
    d->of[v] = (uint8_t)(n == NONE ? NONE : n + 1);
  }
  return d->of[v] == NONE ? NONE : d->of[v] - 1u;
}

/* The density's sum, with the array as the parameter that is differentiated. */
static ir_fn *total_of(ir_module *m, const ir_fn *density, const ir_site *site, ir_val *param) {
  ir_fn *fn = ir_fn_new(m, arena_printf(m->mem, "quadratic.%s", site->name), false);
  ir_cloner c = {.from = density, .map = ir_map_new(m->mem, density)};
  *param = 0;
  for (uint32_t k = 0; k < density->nparams; k++) {
    const ir_param *p = &density->param[k];
    const bool is = p->role == IR_ROLE_LATENT && strcmp(p->name, site->name) == 0;
    const ir_val v = ir_param_add(fn, is ? IR_ROLE_UNCON : (ir_role)p->role, p->name, ir_type_of(density, p->val));
    if (is) *param = v;
    ir_map_set(&c.map, p->val, v);
  }
  derive_sum(fn, &c);
  return fn;
}

ir_fn *derive_joint(ir_module *m, const ir_fn *density, ir_fn **prepare, const ir_site *site, bool statistics) {
  ir_val param;
  ir_fn *f = total_of(m, density, site, &param), *g = NULL;
  passes_structural(m, f);
  bool *dep = ARENA_ARRAY(m->mem, bool, f->nvals);
  dep[param] = true;
  ir_spread(dep, f);
  degrees d = {f, param, dep, ARENA_ARRAY(m->mem, uint8_t, f->nvals)};
  if (degree(&d, f->ret[0]) == 2) {
    if (statistics) pass_statistics(m, f, prepare);
    passes_data(m, f, true);
    passes_before_grad(m, f);
    grad_options options = {0};
    g = grad_derive_with(m, f, arena_printf(m->mem, "joint.%s", site->name), &options);
    if (g) ir_return(g, 1, (ir_val[]){g->ret[1]});
  }
  ir_fn_remove(m, f);
  return g;
}
