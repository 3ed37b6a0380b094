/* derive_bounds.c: the bounds of one element of a site, and the bijector of one event. */
#include "compiler/derive_internal.h"

#include "compiler/lower.h"

#include <math.h>

/* The bounds of this element if it is the one asked for, else -inf: the largest over all elements is the answer. */
void derive_add_bounds(derivation *d, ir_builder *b, const ir_tilde *t) {
  ir_val here = ir_bool(b, true);
  for (uint32_t k = 0; k < t->axes.n; k++)
    here = ir_op2(b, IR_AND_OP, here, ir_op2(b, IR_EQ_OP, derive_get(d, t->axes.at[k]), d->index[k]));
  for (int side = 0; side < 2; side++) {
    ir_val v = derive_get(d, side == 0 ? t->lo : t->hi);
    if (v && ir_type_of(d->fn, v).elem == IR_INT) v = ir_op1(b, IR_TO_REAL_OP, v);
    if (!v) v = ir_real(b, side == 0 ? -(double)INFINITY : (double)INFINITY);
    derive_add_part(d, b, side, ir_op3(b, IR_SELECT_OP, here, v, ir_real(b, -(double)INFINITY)));
  }
}

typedef struct tilde_search {
  const ir_site *site;
  const ir_tilde *found;
  uint32_t count;
} tilde_search;

static void see_tilde(void *user, ir_op *op) {
  tilde_search *s = user;
  if (op->code != IR_SAMPLE_OP || op->u.tilde->site != s->site) return;
  s->found = op->u.tilde;
  s->count++;
}

/* The same for every element: it stands at the top of the model, or is a number wherever it stands. */
static bool at_top(const ir_fn *fn, ir_val v) {
  const ir_op *op = ir_def_op(fn, v);
  return v == 0 || ir_value_of(fn, v)->def == IR_DEF_PARAM || (op && (op->block == &fn->body || op->nargs == 0));
}

static ir_val common_bound(derivation *d, ir_builder *b, ir_val v) {
  const ir_op *op = v ? ir_def_op(d->model, v) : NULL;
  if (op && op->block != &d->model->body) ir_clone_op(&d->c, b, op); /* the walk left its image in a loop */
  return derive_get(d, v);
}

/* Bounds that do not vary from element to element. */
static const ir_tilde *common_bounds(const ir_fn *model, const ir_site *site) {
  tilde_search s = {.site = site};
  ir_visit_ops((ir_block *)&model->body, see_tilde, &s);
  return s.count == 1 && at_top(model, s.found->lo) && at_top(model, s.found->hi) ? s.found : NULL;
}

static void add_index_params(derivation *d, const ir_site *site) {
  static const char *const names[] = {"i", "j", "k", "l", "m", "n"};
  for (int k = 0; k < site->type.rank - site->event_rank; k++)
    d->index[k] = ir_param_add(d->fn, IR_ROLE_INDEX, names[k], ir_scalar(IR_INT));
}

ir_fn *derive_bounds(check_program *p, ir_module *m, const ir_fn *model, const ir_site *site) {
  derivation *d = derive_begin(p, m, model, arena_printf(m->mem, "bounds.%s", site->name), FORM_BOUNDS);
  add_index_params(d, site);
  const ir_tilde *common = common_bounds(model, site);
  if (!common) d->target = site;
  derive_walk(d);
  ir_builder b = ir_builder_at_end(d->fn, &d->fn->body);
  if (common)
    for (int side = 0; side < 2; side++) {
      ir_val v = common_bound(d, &b, side == 0 ? common->lo : common->hi);
      if (v && ir_type_of(d->fn, v).elem == IR_INT) v = ir_op1(&b, IR_TO_REAL_OP, v);
      d->part[side] = v;
    }
  for (int side = 0; side < 2; side++)
    if (!d->part[side]) d->part[side] = ir_real(&b, side == 0 ? -(double)INFINITY : (double)INFINITY);
  ir_return(d->fn, 2, d->part);
  return d->fn;
}

ir_fn *derive_point(check_program *p, ir_module *m, const ir_fn *model, const ir_site *site) {
  const bool plain = site->support == IR_SUP_REAL && site->event_rank > 0;
  if ((site->support <= IR_SUP_INTERVAL && !plain) || derive_is_discrete(site)) return NULL;
  tilde_search s = {.site = site};
  ir_visit_ops((ir_block *)&model->body, see_tilde, &s);
  bool lower = s.found && site->support == IR_SUP_ORDERED && s.found->lo;
  ir_type event = ir_array(IR_REAL, site->event_rank, site->type.dim + (site->type.rank - site->event_rank));
  if (plain) { /* a vector that is its own unconstrained form */
    ir_fn *fn = ir_fn_new(m, arena_printf(m->mem, "point.%s", site->name), false);
    ir_val ret[2] = {ir_param_add(fn, IR_ROLE_UNCON, site->name, event)};
    ir_param_add(fn, IR_ROLE_LATENT, "lo", ir_scalar(IR_REAL));
    ir_builder b = ir_builder_at_end(fn, &fn->body);
    ret[1] = ir_real(&b, 0.0);
    ir_return(fn, 2, ret);
    return fn;
  }
  ir_fn *f = lower_bijector(p, m, (ir_support)site->support, lower, event);
  ir_fn *fn = ir_fn_new(m, arena_printf(m->mem, "point.%s", site->name), false);
  ir_val args[2] = {ir_param_add(fn, IR_ROLE_UNCON, site->name, ir_type_of(f, f->param[0].val)),
                    ir_param_add(fn, IR_ROLE_LATENT, "lo", ir_scalar(IR_REAL))};
  ir_builder b = ir_builder_at_end(fn, &fn->body);
  ir_op *call = ir_call(&b, f, lower ? 2 : 1, args);
  ir_return(fn, 2, call->res);
  return fn;
}
