/* derive.c: densities, samplers and outputs of a model, all by one walk.
 *
 * The walk clones the model and replaces its own operations.  sample becomes the element of a parameter (density),
 * that of a transformed parameter (logdens, constrain), or a draw (prior; outputs, for predicted sites).  Terms of the
 * density are added up in each block and leave a loop as its sums.  What only puts a given site's array together is
 * not cloned: the array is there (derive_image.c). */
#include "compiler/derive_internal.h"

#include "compiler/lower.h"

#include <math.h>
#include <string.h>

bool derive_is_discrete(const ir_site *site) { return site->support >= IR_SUP_INT; }

ir_type derive_uncon_type(ir_module *m, const ir_site *site) {
  ir_type t = site->type;
  size_table *s = m->sizes;
  ir_size one = size_const(s, 1), two = size_const(s, 2);
  ir_size K = t.rank ? t.dim[t.rank - 1] : one;
  switch (site->support) {
  case IR_SUP_SIMPLEX:
  case IR_SUP_SUM_TO_ZERO: t.dim[t.rank - 1] = size_sub(s, K, one); break;
  case IR_SUP_COV:
  case IR_SUP_CHOLESKY_COV: t.dim[--t.rank - 1] = size_div(s, size_mul(s, K, size_add(s, K, one)), two); break;
  case IR_SUP_CORR:
  case IR_SUP_CHOLESKY_CORR: t.dim[--t.rank - 1] = size_div(s, size_mul(s, K, size_sub(s, K, one)), two); break;
  default: break;
  }
  return t;
}

ir_val derive_get(derivation *d, ir_val v) { return v ? ir_map_get(&d->c.map, v) : 0; }

ir_axes derive_get_axes(derivation *d, const ir_axes *axes) {
  ir_axes to = {.n = axes->n};
  for (uint32_t k = 0; k < axes->n; k++) to.at[k] = derive_get(d, axes->at[k]);
  return to;
}

/* ---- terms */

void derive_add_part(derivation *d, ir_builder *b, int part, ir_val v) {
  if (d->form == FORM_LOGDENS) part = PART_PRIOR;
  if (d->form != FORM_DENSITY && d->form != FORM_LOGDENS && d->form != FORM_BOUNDS) return;
  ir_code join = d->form == FORM_BOUNDS ? IR_MAX_OP : IR_ADD_OP;
  d->part[part] = d->part[part] ? ir_op2(b, join, d->part[part], v) : v;
}

/* An argument at a position of the event that a scalar distribution is spread over. */
ir_val derive_spread_arg(ir_builder *b, ir_val arg, uint32_t formal_rank, uint32_t nidx, const ir_val *idx) {
  ir_type t = ir_type_of(b->fn, arg);
  if (t.rank <= formal_rank) return arg;
  uint32_t n = t.rank - formal_rank;
  ir_axes axes = {.n = t.rank};
  memcpy(axes.at, idx + (nidx - n), n * sizeof *axes.at);
  return ir_at(b, arg, axes);
}

static ir_val density_of(ir_builder *b, const ir_dist *dist, ir_val x, uint32_t n, const ir_val *args) {
  ir_val all[DERIVE_MAX_ARGS];
  all[0] = x;
  memcpy(all + 1, args, n * sizeof *args);
  ir_val lp = ir_call(b, dist->logpdf, n + 1, all)->res[0];
  if (dist->valid) lp = ir_op2(b, IR_GUARD_OP, ir_call(b, dist->valid, n, args)->res[0], lp);
  return lp;
}

/* The parameters of a member after its own x, or key and index. */
uint32_t derive_formal_rank(const ir_fn *member, uint32_t k) { return ir_type_of(member, member->param[k].val).rank; }

static ir_val spread_terms(ir_builder *b, const ir_dist *dist, ir_val value, uint32_t n, const ir_val *given, ir_mode mode) {
  ir_type x = ir_type_of(b->fn, value);
  if (x.rank <= dist->event_rank) return density_of(b, dist, value, n, given);
  uint32_t spread = x.rank - dist->event_rank;
  ir_val extent[IR_MAX_RANK], args[DERIVE_MAX_ARGS];
  for (uint32_t k = 0; k < spread; k++) extent[k] = ir_size_val(b, x.dim[k]);
  ir_op *loop = ir_loop_begin(b, IR_PLATE_OP, spread, extent);
  ir_builder in = ir_builder_in(b, &loop->u.loop->body);
  ir_axes axes = {.n = x.rank};
  memcpy(axes.at, loop->u.loop->index, spread * sizeof *axes.at);
  ir_val one = ir_at(&in, value, axes);
  for (uint32_t k = 0; k < n; k++)
    args[k] = derive_spread_arg(&in, given[k], derive_formal_rank(dist->logpdf, k + 1), spread, loop->u.loop->index);
  ir_val lp = density_of(&in, dist, one, n, args);
  return ir_loop_out(b->fn, loop, mode, 0, NULL, lp);
}

ir_val derive_tilde_term(ir_builder *b, const ir_dist *dist, ir_val value, uint32_t n, const ir_val *given) {
  return spread_terms(b, dist, value, n, given, IR_SUM);
}

static ir_val terms_of(derivation *d, ir_builder *b, const ir_op *op, ir_val value, ir_mode mode) {
  uint32_t skip = op->code == IR_OBSERVE_OP ? 1 : 0, n = op->nargs - skip;
  ir_val args[DERIVE_MAX_ARGS];
  for (uint32_t k = 0; k < n; k++) args[k] = derive_get(d, op->args[k + skip]);
  return spread_terms(b, op->u.tilde->dist, value, n, args, mode);
}

ir_val derive_term(derivation *d, ir_builder *b, const ir_op *op, ir_val value) { return terms_of(d, b, op, value, IR_SUM); }
ir_val derive_terms(derivation *d, ir_builder *b, const ir_op *op, ir_val value) { return terms_of(d, b, op, value, IR_STACK); }

/* ---- from the unconstrained space */

/* x and the log Jacobian for one event at u: 0 where there is none, or none is wanted. */
static ir_val constrain(derivation *d, ir_builder *b, const ir_op *op, ir_val u, ir_val *jacobian) {
  const ir_tilde *t = op->u.tilde;
  ir_val lo = derive_get(d, t->lo), hi = derive_get(d, t->hi);
  *jacobian = 0;
  switch (t->site->support) {
  case IR_SUP_REAL: return u;
  case IR_SUP_LOWER:
    *jacobian = d->mode ? 0 : u;
    return ir_op2(b, IR_ADD_OP, ir_op1(b, IR_EXP_OP, u), lo);
  case IR_SUP_UPPER:
    *jacobian = d->mode ? 0 : u;
    return ir_op2(b, IR_SUB_OP, hi, ir_op1(b, IR_EXP_OP, u));
  case IR_SUP_INTERVAL: {
    ir_val width = ir_op2(b, IR_SUB_OP, hi, lo);
    ir_val some = ir_op2(b, IR_LT_OP, ir_real(b, 0.0), width);
    ir_val w = ir_op1(b, IR_LOG1P_EXP_OP, u), v = ir_op1(b, IR_LOG1P_EXP_OP, ir_op1(b, IR_NEG_OP, u));
    ir_val j = d->mode ? ir_real(b, 0.0) : ir_op2(b, IR_SUB_OP, ir_op1(b, IR_LOG_OP, width), ir_op2(b, IR_ADD_OP, w, v));
    *jacobian = ir_op2(b, IR_GUARD_OP, some, j);
    return ir_op2(b, IR_ADD_OP, ir_op2(b, IR_MUL_OP, width, ir_op1(b, IR_INV_LOGIT_OP, u)), lo);
  }
  default: {
    ir_type point = ir_type_of(d->model, op->res[0]);
    bool lower = t->site->support == IR_SUP_ORDERED && lo;
    ir_fn *f = lower_bijector(d->p, d->m, (ir_support)t->site->support, lower, point);
    ir_val args[2] = {u, lo};
    ir_op *call = ir_call(b, f, lower ? 2 : 1, args);
    *jacobian = d->mode ? 0 : call->res[1];
    return call->res[0];
  }
  }
}

/* The same where the coordinate is the distribution's standard variate z: the density of x is that of z over the derivative of
 * from_standard, which the Jacobian takes away again, so that neither is computed. */
static ir_val constrain_standard(derivation *d, ir_builder *b, const ir_op *op, ir_val z) {
  const ir_dist *dist = op->u.tilde->dist;
  ir_val all[DERIVE_MAX_ARGS] = {z};
  for (uint32_t k = 0; k < op->nargs; k++) all[k + 1] = derive_get(d, op->args[k]);
  if (d->form == FORM_LOGDENS) {
    ir_val lp = ir_call(b, dist->standard, op->nargs + 1, all)->res[0];
    if (dist->valid) lp = ir_op2(b, IR_GUARD_OP, ir_call(b, dist->valid, op->nargs, all + 1)->res[0], lp);
    derive_add_part(d, b, PART_PRIOR, lp);
  }
  return ir_call(b, dist->from_standard, op->nargs + 1, all)->res[0];
}

/* ---- the walk */

/* On its own support while others are on the unconstrained space. */
static bool held(const derivation *d, const ir_site *site) { return derive_is_discrete(site) || (site->held && d->form != FORM_CONSTRAIN); }

/* Whether a site's array is a parameter as it is. */
static bool given(const derivation *d, const ir_site *site) {
  if (!site || site->role != IR_LATENT) return false;
  switch (d->form) {
  case FORM_DENSITY:
  case FORM_BOUNDS:
  case FORM_LOGLIK:
  case FORM_OUTPUTS: return true;
  case FORM_LOGDENS:
  case FORM_BLOCK:
  case FORM_CONSTRAIN: return (site->support == IR_SUP_REAL && !site->standard) || held(d, site);
  default: return false;
  }
}

static ir_val param_part(derivation *d, ir_builder *b, const ir_site *site, const ir_axes *axes) {
  ir_axes to = derive_get_axes(d, axes);
  ir_val p = d->site_param[site->number];
  bool whole = true;
  for (uint32_t k = 0; k < to.n; k++) whole = whole && !to.at[k];
  to.n = ir_type_of(d->fn, p).rank;
  return whole ? p : ir_at(b, p, to);
}

/* The value is part of a given site's array: no need to build it. */
static bool use_image(derivation *d, ir_builder *b, ir_val v) {
  const site_image *i = &d->image[v];
  if (!given(d, i->site)) return false;
  ir_map_set(&d->c.map, v, param_part(d, b, i->site, &i->axes));
  return true;
}

/* Values given from outside may lie out of bounds, also because a latent that a bound reads has moved.  A distribution guards its
 * own support only.  Of an ordered vector the first element meets the bound. */
static ir_val inside(derivation *d, ir_builder *b, const ir_tilde *t, ir_val x, ir_val term) {
  ir_val lo = derive_get(d, t->lo), hi = derive_get(d, t->hi);
  ir_type type = ir_type_of(d->fn, x);
  if ((!lo && !hi) || type.elem == IR_BOOL) return term;
  if (type.rank == 1 && t->site->support == IR_SUP_ORDERED && lo) {
    x = ir_at1(b, x, ir_int(b, 0));
    hi = 0;
  } else if (type.rank) {
    return term;
  }
  return ir_op2(b, IR_GUARD_OP, derive_in_bounds(b, x, lo, hi), term);
}

static void sample(derivation *d, ir_builder *b, const ir_op *op) {
  const ir_tilde *t = op->u.tilde;
  const ir_site *site = t->site;
  ir_val v;
  if (site->role == IR_PREDICTED) {
    v = d->form == FORM_OUTPUTS ? derive_draw(d, b, op) : derive_blank(b, ir_type_of(d->model, op->res[0]));
  } else if (d->form == FORM_PRIOR) {
    v = derive_draw(d, b, op);
  } else {
    ir_axes axes = t->axes;
    axes.n = ir_type_of(d->fn, d->site_param[site->number]).rank;
    ir_val u = param_part(d, b, site, &axes), jacobian = 0;
    if (t->standard && !held(d, site) && (d->form == FORM_LOGDENS || d->form == FORM_BLOCK || d->form == FORM_CONSTRAIN)) {
      ir_map_set(&d->c.map, op->res[0], constrain_standard(d, b, op, u));
      return;
    }
    v = given(d, site) ? u : constrain(d, b, op, u, &jacobian);
    if (d->form == FORM_DENSITY) derive_add_part(d, b, PART_PRIOR, inside(d, b, t, v, derive_term(d, b, op, v)));
    if (d->form == FORM_LOGDENS) {
      const ir_val term = derive_term(d, b, op, v);
      derive_add_part(d, b, PART_PRIOR, site->held ? inside(d, b, t, v, term) : term);
    }
    if (jacobian) derive_add_part(d, b, PART_PRIOR, jacobian);
    if (site == d->target) derive_add_bounds(d, b, t);
  }
  ir_map_set(&d->c.map, op->res[0], v);
}

static void walk_block(derivation *d, ir_builder *b, const ir_block *block);

/* Walks a block with parts of its own. */
static void walk_parts(derivation *d, ir_builder *b, const ir_block *block, ir_val part[PART_COUNT]) {
  ir_val was[PART_COUNT];
  memcpy(was, d->part, sizeof was);
  memset(d->part, 0, sizeof d->part);
  walk_block(d, b, block);
  memcpy(part, d->part, sizeof was);
  memcpy(d->part, was, sizeof was);
}

static void walk_loop(derivation *d, ir_builder *b, const ir_op *op) {
  const ir_loop *from = op->u.loop;
  ir_val extent[IR_MAX_RANK], part[PART_COUNT];
  for (uint32_t k = 0; k < from->rank; k++) extent[k] = derive_get(d, from->extent[k]);
  for (uint32_t k = 0; k < from->nout; k++)
    if (from->out[k].state) use_image(d, b, from->out[k].state);
  ir_op *loop = ir_loop_begin(b, (ir_code)op->code, from->rank, extent);
  loop->where = op->where;
  loop->u.loop->down = from->down;
  for (uint32_t k = 0; k < from->rank; k++) ir_map_set(&d->c.map, from->index[k], loop->u.loop->index[k]);
  uint32_t *number = ARENA_ARRAY(d->m->mem, uint32_t, from->nout);
  for (uint32_t k = 0; k < from->nout; k++) {
    const ir_out *out = &from->out[k];
    if (!out->state || given(d, d->image[op->res[k]].site)) continue;
    number[k] = ir_loop_state(d->fn, loop, (ir_mode)out->mode, derive_get(d, out->init));
    ir_map_set(&d->c.map, out->state, loop->u.loop->out[number[k]].state);
  }
  if (from->live) loop->u.loop->live = derive_get(d, from->live);
  ir_builder in = ir_builder_in(b, &loop->u.loop->body);
  const uint32_t points = d->npoints;
  walk_parts(d, &in, &from->body, part);
  for (uint32_t k = 0; k < from->nout; k++) {
    const ir_out *out = &from->out[k];
    if (given(d, d->image[op->res[k]].site)) continue;
    ir_axes axes = derive_get_axes(d, &out->axes);
    ir_val yield = derive_get(d, out->yield), v;
    if (out->state) {
      ir_loop_finish(d->fn, loop, number[k], &axes, yield);
      v = loop->res[number[k]];
    } else {
      v = ir_loop_out(d->fn, loop, (ir_mode)out->mode, derive_get(d, out->init), &axes, yield);
    }
    ir_map_set(&d->c.map, op->res[k], v);
  }
  for (uint32_t k = 0; k < from->nout; k++) use_image(d, b, op->res[k]);
  derive_points_loop(d, b, loop, points);
  for (int k = 0; k < PART_COUNT; k++)
    if (part[k]) derive_add_part(d, b, k, ir_loop_out(d->fn, loop, d->form == FORM_BOUNDS ? IR_MAX : IR_SUM, 0, NULL, part[k]));
}

static void walk_if(derivation *d, ir_builder *b, const ir_op *op) {
  ir_val part[2][PART_COUNT];
  ir_op *branch = ir_if_begin(b, derive_get(d, op->args[0]));
  branch->where = op->where;
  ir_builder then_ = ir_builder_in(b, &branch->u.branch->then_), else_ = ir_builder_in(b, &branch->u.branch->else_);
  const uint32_t first = d->npoints;
  walk_parts(d, &then_, &op->u.branch->then_, part[0]);
  const uint32_t middle = d->npoints;
  walk_parts(d, &else_, &op->u.branch->else_, part[1]);
  for (uint32_t k = 0; k < op->nres; k++) {
    ir_val x = derive_get(d, op->u.branch->then_yield[k]), y = derive_get(d, op->u.branch->else_yield[k]);
    ir_map_set(&d->c.map, op->res[k], ir_if_out(d->fn, branch, x, y));
  }
  derive_points_if(d, branch, &then_, &else_, first, middle);
  for (int k = 0; k < PART_COUNT; k++) {
    if (!part[0][k] && !part[1][k]) continue;
    double none = d->form == FORM_BOUNDS ? -(double)INFINITY : 0.0;
    ir_val x = part[0][k] ? part[0][k] : ir_real(&then_, none), y = part[1][k] ? part[1][k] : ir_real(&else_, none);
    derive_add_part(d, b, k, ir_if_out(d->fn, branch, x, y));
  }
}

static void walk_block(derivation *d, ir_builder *b, const ir_block *block) {
  for (const ir_op *op = block->first; op; op = op->next) {
    b->where = op->where;
    switch (op->code) {
    case IR_SAMPLE_OP: sample(d, b, op); break;
    case IR_OBSERVE_OP:
      if (d->form == FORM_DENSITY || d->form == FORM_LOGDENS)
        derive_add_part(d, b, PART_LIKELIHOOD, derive_term(d, b, op, derive_get(d, op->args[0])));
      if (d->form == FORM_LOGLIK) derive_point_observe(d, b, op);
      break;
    case IR_FACTOR_OP:
      if (d->form == FORM_DENSITY || d->form == FORM_LOGDENS) derive_add_part(d, b, PART_FACTOR, derive_get(d, op->args[0]));
      break;
    case IR_ENERGY_OP:
      if (d->form == FORM_DENSITY || d->form == FORM_LOGDENS)
        derive_add_part(d, b, PART_ENERGY, ir_op1(b, IR_NEG_OP, derive_get(d, op->args[0])));
      break;
    case IR_TRACK_OP:
      if (d->form == FORM_OUTPUTS && !derive_gathers(d->model, op)) ARENA_PUSH(d->m->mem, d->track, d->ntracks, d->cap_tracks, derive_get(d, op->args[0]));
      break;
    case IR_PLATE_OP:
    case IR_SCAN_OP: walk_loop(d, b, op); break;
    case IR_IF_OP: walk_if(d, b, op); break;
    case IR_PUT_OP:
      if (use_image(d, b, op->res[0])) break;
      ir_clone_op(&d->c, b, op);
      break;
    default: ir_clone_op(&d->c, b, op);
    }
  }
}

/* ---- entries */

derivation *derive_begin(check_program *p, ir_module *m, const ir_fn *model, const char *name, derive_form form) {
  derivation *d = ARENA_NEW(m->mem, derivation);
  d->p = p;
  d->m = m;
  d->model = model;
  d->form = form;
  d->fn = ir_fn_new(m, name, false);
  d->image = derive_images(m->mem, model);
  d->site_param = ARENA_ARRAY(m->mem, ir_val, model->nsites + 1);
  d->c = (ir_cloner){.from = model, .map = ir_map_new(m->mem, model)};
  for (uint32_t k = 0; k < model->nparams; k++) {
    const ir_param *q = &model->param[k];
    ir_map_set(&d->c.map, q->val, ir_param_add(d->fn, (ir_role)q->role, q->name, ir_type_of(model, q->val)));
  }
  bool uncon = form == FORM_LOGDENS || form == FORM_CONSTRAIN || form == FORM_BLOCK;
  for (uint32_t k = 0; k < model->nsites && form != FORM_PRIOR; k++) {
    const ir_site *s = model->site[k];
    if (s->role != IR_LATENT) continue;
    bool u = uncon && !held(d, s);
    d->site_param[s->number] = ir_param_add(d->fn, u ? IR_ROLE_UNCON : IR_ROLE_LATENT, s->name, u ? derive_uncon_type(m, s) : s->type);
  }
  if (form == FORM_PRIOR || form == FORM_OUTPUTS) d->key = ir_param_add(d->fn, IR_ROLE_KEY, "key", ir_scalar(IR_KEY));
  return d;
}

void derive_walk(derivation *d) {
  ir_builder b = ir_builder_at_end(d->fn, &d->fn->body);
  walk_block(d, &b, &d->model->body);
}

bool derive_gathers(const ir_fn *model, const ir_op *track) {
  const ir_site *site = ir_site_find(model, track->u.name);
  return site && site->gathered;
}

/* The sum of two parts, either of which may be absent. */
static ir_val join_parts(ir_builder *b, ir_val x, ir_val y) { return x && y ? ir_op2(b, IR_ADD_OP, x, y) : x ? x : y; }

static ir_fn *finish_density(derivation *d, uint32_t n, const ir_val *part) {
  ir_builder b = ir_builder_at_end(d->fn, &d->fn->body);
  ir_val ret[PART_COUNT];
  for (uint32_t k = 0; k < n; k++) ret[k] = part[k] ? part[k] : ir_real(&b, 0.0);
  ir_return(d->fn, n, ret);
  return d->fn;
}

ir_fn *derive_density(check_program *p, ir_module *m, const ir_fn *model) {
  derivation *d = derive_begin(p, m, model, "density", FORM_DENSITY);
  derive_walk(d);
  ir_builder b = ir_builder_at_end(d->fn, &d->fn->body);
  d->part[PART_FACTOR] = join_parts(&b, d->part[PART_FACTOR], d->part[PART_ENERGY]);
  return finish_density(d, PART_ENERGY, d->part);
}

static void see_energy(void *user, ir_op *op) { *(bool *)user |= op->code == IR_ENERGY_OP; }

bool derive_has_energy(const ir_fn *model) {
  bool has = false;
  ir_visit_ops((ir_block *)&model->body, see_energy, &has);
  return has;
}

ir_fn *derive_tempered(check_program *p, ir_module *m, const ir_fn *model) {
  derivation *d = derive_begin(p, m, model, "tempered", FORM_DENSITY);
  derive_walk(d);
  ir_builder b = ir_builder_at_end(d->fn, &d->fn->body);
  ir_val weights = join_parts(&b, d->part[PART_LIKELIHOOD], d->part[PART_FACTOR]), prior = d->part[PART_PRIOR];
  bool energy = derive_has_energy(model);
  ir_val part[2] = {energy ? join_parts(&b, prior, weights) : prior, energy ? d->part[PART_ENERGY] : weights};
  return finish_density(d, 2, part);
}

ir_fn *derive_logdens(check_program *p, ir_module *m, const ir_fn *model, bool mode) {
  derivation *d = derive_begin(p, m, model, "logdens", FORM_LOGDENS);
  d->mode = mode;
  derive_walk(d);
  return finish_density(d, 1, d->part);
}

static bool is_whole(const site_image *i) {
  bool whole = i->site != NULL;
  for (uint32_t a = 0; whole && a < i->axes.n; a++) whole = !i->axes.at[a];
  return whole;
}

/* What stands for each site, by its number: the last top-level value that is the whole array is the finished one, and of what is gathered that
 * which is tracked under its name; 0 where there is none. */
static ir_val *finished(const derivation *d) {
  const ir_fn *model = d->model;
  ir_val *of = ARENA_ARRAY(d->m->mem, ir_val, model->nsites + 1);
  bool gathers = false;
  for (uint32_t k = 0; k < model->nsites; k++) gathers |= model->site[k]->gathered;
  for (const ir_op *op = model->body.last; op && gathers; op = op->prev) {
    const ir_site *site = op->code == IR_TRACK_OP ? ir_site_find(model, op->u.name) : NULL;
    if (site && site->gathered && !of[site->number]) of[site->number] = op->args[0];
  }
  for (const ir_op *op = model->body.last; op; op = op->prev)
    for (uint32_t k = 0; k < op->nres; k++) {
      const site_image *i = &d->image[op->res[k]];
      if (is_whole(i) && !of[i->site->number]) of[i->site->number] = op->res[k];
    }
  return of;
}

static void return_latents(derivation *d) {
  ir_val *ret = ARENA_ARRAY(d->m->mem, ir_val, d->model->nsites), *of = finished(d);
  uint32_t n = 0;
  for (uint32_t k = 0; k < d->model->nsites; k++) {
    const ir_site *site = d->model->site[k];
    if (site->role != IR_LATENT) continue;
    ir_builder b = ir_builder_at_end(d->fn, &d->fn->body);
    ret[n++] = given(d, site) ? d->site_param[site->number] : of[site->number] ? derive_get(d, of[site->number]) : derive_blank(&b, site->type);
  }
  ir_return(d->fn, n, ret);
}

ir_fn *derive_constrain(check_program *p, ir_module *m, const ir_fn *model, const char *block) {
  derivation *d = block ? derive_begin(p, m, model, block, FORM_BLOCK) : derive_begin(p, m, model, "constrain", FORM_CONSTRAIN);
  derive_walk(d);
  return_latents(d);
  return d->fn;
}

ir_fn *derive_prior(check_program *p, ir_module *m, const ir_fn *model, const ir_site **why) {
  derivation *d = derive_begin(p, m, model, "prior", FORM_PRIOR);
  derive_walk(d);
  if (d->undrawable) {
    *why = d->undrawable;
    ir_fn_remove(m, d->fn);
    return NULL;
  }
  return_latents(d);
  return d->fn;
}

/* The parameter of fn that has the role and name of q, which is added where there is none. */
static ir_val param_like(ir_fn *fn, const ir_param *q, ir_type t) {
  for (uint32_t k = 0; k < fn->nparams; k++)
    if (fn->param[k].role == q->role && strcmp(fn->param[k].name, q->name) == 0) return fn->param[k].val;
  return ir_param_add(fn, (ir_role)q->role, q->name, t);
}

/* Another model's derivation into the same function. */
static void walk_beside(derivation *d, const ir_fn *model) {
  derivation *x = ARENA_NEW(d->m->mem, derivation);
  *x = *d;
  x->model = model;
  x->image = derive_images(d->m->mem, model);
  x->site_param = ARENA_ARRAY(d->m->mem, ir_val, model->nsites + 1);
  x->c = (ir_cloner){.from = model, .map = ir_map_new(d->m->mem, model)};
  for (uint32_t k = 0; k < model->nparams; k++) ir_map_set(&x->c.map, model->param[k].val, param_like(d->fn, &model->param[k], ir_type_of(model, model->param[k].val)));
  for (uint32_t k = 0; k < model->nsites; k++) {
    const ir_site *s = model->site[k];
    const ir_param like = {.role = IR_ROLE_LATENT, .name = s->name};
    if (s->role == IR_LATENT) x->site_param[s->number] = param_like(d->fn, &like, s->type);
  }
  derive_walk(x);
  d->track = x->track;
  d->ntracks = x->ntracks;
}

ir_fn *derive_outputs(check_program *p, ir_module *m, const ir_fn *model, const ir_fn *more, const char *name) {
  derivation *d = derive_begin(p, m, model, name, FORM_OUTPUTS);
  derive_walk(d);
  if (more) walk_beside(d, more);
  if (d->ntracks == 0) {
    ir_fn_remove(m, d->fn);
    return NULL;
  }
  ir_return(d->fn, d->ntracks, d->track);
  return d->fn;
}

void derive_sum(ir_fn *fn, ir_cloner *c) {
  ir_builder b = ir_builder_at_end(fn, &fn->body);
  ir_clone_block(c, &b, &c->from->body);
  ir_val sum = 0;
  for (uint32_t k = 0; k < c->from->nret; k++) {
    const ir_val v = ir_map_get(&c->map, c->from->ret[k]);
    sum = sum ? ir_op2(&b, IR_ADD_OP, sum, v) : v;
  }
  ir_return(fn, 1, &sum);
}
