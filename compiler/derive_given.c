/* derive_given.c: the terms of a site from statistics of everything else.
 *
 * While a site is moved by slices the other unknowns stand still, and may be looked at as data: a mixture's scales meet its labels and observations only through counts and moments for
 * each label.  So other latents are given the role of data for as long as pass_statistics runs, with a function of its own in the place of @prepare: @given.<site>, which is evaluated
 * once for a visit of the site, and @slim.<site>, the terms of the density that depend on the site, which reads what it returned. */
#include "compiler/derive.h"
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

#include <string.h>

/* The parameters of `from` on fn, all known but the site's. */
static void copy_params(ir_fn *fn, const ir_fn *from, const ir_site *site, ir_map *map) {
  for (uint32_t k = 0; k < from->nparams; k++) {
    const ir_param *p = &from->param[k];
    const bool own = p->role == IR_ROLE_LATENT && strcmp(p->name, site->name) == 0;
    const ir_val v = ir_param_add(fn, own ? IR_ROLE_LATENT : IR_ROLE_DATA, p->name, ir_type_of(from, p->val));
    if (map) ir_map_set(map, p->val, v);
  }
}

/* What the parameters are; those that the pass has added are handed on from stage to stage. */
static void restore_roles(ir_module *m, ir_fn *fn, const ir_fn *from) {
  for (uint32_t k = 0; k < fn->nparams; k++) {
    if (k < from->nparams) fn->param[k].role = from->param[k].role;
    else fn->param[k] = (ir_param){fn->param[k].val, IR_ROLE_STAGE, arena_printf(m->mem, "given.%u", k - from->nparams + 1)};
  }
}

typedef struct dependent {
  ir_builder b;
  const bool *dep;
  uint32_t nvals; /* of these */
} dependent;

/* v without the terms that do not depend on the site; 0: there is no other. */
static ir_val terms(dependent *d, ir_val v) {
  if (v < d->nvals && !d->dep[v]) return 0;
  const ir_op *op = ir_def_op(d->b.fn, v);
  if (!op || (op->code != IR_ADD_OP && op->code != IR_SUB_OP)) return v;
  const bool minus = op->code == IR_SUB_OP;
  const ir_val x = op->args[0], y = op->args[1], a = terms(d, x), c = terms(d, y);
  if (!c) return a;
  if (!a) return minus ? ir_op1(&d->b, IR_NEG_OP, c) : c;
  return a == x && c == y ? v : ir_op2(&d->b, minus ? IR_SUB_OP : IR_ADD_OP, a, c);
}

ir_fn *derive_given(ir_module *m, const ir_fn *density, const ir_site *site, ir_fn **given) {
  ir_fn *f = ir_fn_new(m, arena_printf(m->mem, "slim.%s", site->name), false);
  ir_fn *g = ir_fn_new(m, arena_printf(m->mem, "given.%s", site->name), false);
  ir_cloner c = {.from = density, .map = ir_map_new(m->mem, density)};
  copy_params(f, density, site, &c.map);
  copy_params(g, density, site, NULL);
  ir_return(g, 0, NULL);
  derive_sum(f, &c);
  passes_structural(m, f);
  bool *dep = ARENA_ARRAY(m->mem, bool, f->nvals);
  for (uint32_t k = 0; k < f->nparams; k++) dep[f->param[k].val] = f->param[k].role == IR_ROLE_LATENT;
  ir_spread(dep, f);
  dependent d = {ir_builder_at_end(f, &f->body), dep, f->nvals};
  const ir_val total = terms(&d, f->ret[0]);
  *given = NULL;
  if (total) {
    ir_return(f, 1, &total);
    pass_dce(m, f);
    ir_fn *statistics = g;
    if (pass_statistics(m, f, &statistics) && g->nret) *given = g;
  }
  if (!*given) {
    ir_fn_remove(m, f);
    ir_fn_remove(m, g);
    return NULL;
  }
  restore_roles(m, f, density);
  restore_roles(m, g, density);
  return f;
}
