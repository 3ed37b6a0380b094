/* derive_weights.c: finite elements weighed many at a time.
 *
 * @local.<site> reads the element's own value where it reads the site at the element's index.  With a state in place of that read it is the log weight of the state given
 * everything else, and a plate around it has the weights of many states of many elements: nothing is written into the frame and taken back, what does not
 * depend on the element is computed once for all of them, and engines run it on lanes.
 *
 * Conditions that do not depend on the site are left out where they decide about the whole density whatever the state is: a chain stands where it is positive.  Those of one component of a
 * mixture, or of what only another state chooses, stay.  Left out are also those that ask of another unknown what its support says.
 *
 * A read at a position that may be the element's is the state there and what stands in the array elsewhere.  Elements between which there is no such read, nor one at
 * another element's position, are independent given everything else: they are drawn at once.  Others are drawn at once where none of them
 * reads another, which @conflicts.<site> tells of one element and a set of them: a colouring is found by asking it (mh_colour.h). */
#include "compiler/derive.h"
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

#include <string.h>

typedef enum place { PLACE_HERE, PLACE_OTHER, PLACE_UNKNOWN } place;

typedef struct weigher {
  ir_cloner c; /* first, since hooks get its address */
  const ir_fn *local, *model;
  const ir_site *site;
  uint32_t rank;
  ir_val param;                /* of local */
  ir_val index[IR_MAX_RANK];   /* of local */
  ir_val state;                /* of the function being made */
  bool *dep;                   /* by value of local, or of the function that counts: depends on the site */
  bool *inner;                 /* by value of local: used otherwise than as a term of the density that every state has */
  bool whole;                  /* the site is read otherwise than by elements */
  bool apart;                  /* no element reads another */
} weigher;

/* v is an index of the element, plus a constant other than 0, or something else. */
static place axis_place(const weigher *w, ir_val v, ir_val index) {
  if (v == index) return PLACE_HERE;
  const ir_op *op = ir_def_op(w->local, v);
  int64_t n;
  if (!op || (op->code != IR_ADD_OP && op->code != IR_SUB_OP)) return PLACE_UNKNOWN;
  const bool left = op->args[0] == index && ir_is_int(w->local, op->args[1], &n);
  const bool right = !left && op->code == IR_ADD_OP && op->args[1] == index && ir_is_int(w->local, op->args[0], &n);
  return (left || right) && n != 0 ? PLACE_OTHER : PLACE_UNKNOWN;
}

static place place_of(const weigher *w, const ir_axes *at) {
  place p = PLACE_HERE;
  for (uint32_t a = 0; a < w->rank; a++) {
    const place q = axis_place(w, at->at[a], w->index[a]);
    if (q == PLACE_OTHER) return q;
    if (q == PLACE_UNKNOWN) p = q;
  }
  return p;
}

static bool reads_element(const weigher *w, const ir_op *op) {
  if (op->code != IR_AT_OP || op->args[0] != w->param || op->u.axes.n != w->rank) return false;
  for (uint32_t a = 0; a < w->rank; a++)
    if (!op->u.axes.at[a] || ir_type_of(w->local, op->u.axes.at[a]).rank) return false;
  return true;
}

typedef struct use_of {
  weigher *w;
  const ir_op *op;
} use_of;

static void see_use(void *user, ir_val *use) {
  use_of *u = user;
  weigher *w = u->w;
  if (*use != w->param || w->rank == 0) return;
  if (!reads_element(w, u->op)) w->whole = true;
  else if (place_of(w, &u->op->u.axes) != PLACE_HERE) w->apart = false;
}

static void see_op(void *user, ir_op *op) {
  use_of u = {user, op};
  ir_visit_uses(op, see_use, &u);
}

/* ---- terms of the density */

static void mark_inner(void *user, ir_val *use) { ((bool *)user)[*use] = true; }

static void keep_term(weigher *w, ir_val term, bool inner) { w->inner[term] = w->inner[term] || inner; }

static void find_inner(weigher *w, const ir_block *block);

/* Uses of an operation, whose results' own are known. */
static void inner_uses(weigher *w, ir_op *op) {
  const ir_val *a = op->args;
  const bool inner = op->nres != 1 || w->inner[op->res[0]];
  switch (op->code) {
  case IR_ADD_OP:
    keep_term(w, a[0], inner);
    keep_term(w, a[1], inner);
    return;
  case IR_SUB_OP:
    keep_term(w, a[0], inner);
    w->inner[a[1]] = true;
    return;
  case IR_FMA_OP:
    w->inner[a[0]] = w->inner[a[1]] = true;
    keep_term(w, a[2], inner);
    return;
  case IR_GUARD_OP:
    w->inner[a[0]] = true;
    keep_term(w, a[1], inner);
    return;
  case IR_SELECT_OP:
    w->inner[a[0]] = true;
    keep_term(w, a[1], inner || w->dep[a[0]]);
    keep_term(w, a[2], inner || w->dep[a[0]]);
    return;
  case IR_IF_OP:
    w->inner[a[0]] = true;
    for (uint32_t k = 0; k < op->nres; k++) {
      const bool of = w->inner[op->res[k]] || w->dep[a[0]];
      keep_term(w, op->u.branch->then_yield[k], of);
      keep_term(w, op->u.branch->else_yield[k], of);
    }
    find_inner(w, &op->u.branch->then_);
    find_inner(w, &op->u.branch->else_);
    return;
  case IR_PLATE_OP:
    for (uint32_t k = 0; k < op->u.loop->rank; k++) w->inner[op->u.loop->extent[k]] = true;
    for (uint32_t k = 0; k < op->nres; k++) {
      const ir_out *out = &op->u.loop->out[k];
      for (uint32_t a = 0; a < out->axes.n; a++) w->inner[out->axes.at[a]] = true;
      w->inner[out->init] = true;
      keep_term(w, out->yield, w->inner[op->res[k]] || out->mode != IR_SUM);
    }
    find_inner(w, &op->u.loop->body);
    return;
  default:
    ir_visit_uses(op, mark_inner, w->inner);
    if (op->code == IR_SCAN_OP) find_inner(w, &op->u.loop->body);
  }
}

static void find_inner(weigher *w, const ir_block *block) {
  for (ir_op *op = block->last; op; op = op->prev) inner_uses(w, op);
}

static weigher study(ir_module *m, const ir_fn *model, const ir_fn *local, const ir_site *site) {
  weigher w = {.local = local, .model = model, .site = site, .rank = site->type.rank, .apart = true};
  uint32_t n = 0;
  w.c = (ir_cloner){.from = local, .map = ir_map_new(m->mem, local)};
  for (uint32_t k = 0; k < local->nparams; k++) {
    const ir_param *p = &local->param[k];
    if (p->role == IR_ROLE_INDEX) w.index[n++] = p->val;
    if (p->role == IR_ROLE_LATENT && strcmp(p->name, site->name) == 0) w.param = p->val;
  }
  w.dep = ARENA_ARRAY(m->mem, bool, local->nvals);
  w.dep[w.param] = true;
  ir_spread(w.dep, local);
  ir_visit_ops((ir_block *)&local->body, see_op, &w);
  return w;
}

static void copy_params(weigher *w, ir_fn *fn, bool indices) {
  for (uint32_t k = 0; k < w->local->nparams; k++) {
    const ir_param *p = &w->local->param[k];
    if (p->role == IR_ROLE_INDEX && !indices) continue;
    ir_map_set(&w->c.map, p->val, ir_param_add(fn, (ir_role)p->role, p->name, ir_type_of(w->local, p->val)));
  }
}

/* The position is the element's, in the function being made. */
static ir_val is_here(const weigher *w, ir_builder *b, const ir_axes *at) {
  ir_val here = 0;
  for (uint32_t a = 0; a < w->rank; a++) {
    ir_val same = ir_op2(b, IR_EQ_OP, ir_map_get(&w->c.map, at->at[a]), ir_map_get(&w->c.map, w->index[a]));
    here = here ? ir_op2(b, IR_AND_OP, here, same) : same;
  }
  return here;
}

static ir_axes image_of(const weigher *w, const ir_axes *at) {
  ir_axes to = {.n = at->n};
  for (uint32_t a = 0; a < at->n; a++) to.at[a] = ir_map_get(&w->c.map, at->at[a]);
  return to;
}

/* ---- conditions that hold of what another unknown is: an element of its support */

/* v is the k-th element of an unknown's simplex, k the index of a loop over all of it. */
static bool simplex_element(const weigher *w, ir_val v, const ir_loop *loop) {
  const ir_op *at = ir_def_op(w->local, v), *row = at ? ir_def_op(w->local, at->args[0]) : NULL;
  if (!at || at->code != IR_AT_OP || loop->rank != 1 || at->u.axes.at[at->u.axes.n - 1] != loop->index[0]) return false;
  const ir_val array = row && row->code == IR_AT_OP && at->u.axes.n == 1 ? row->args[0] : at->args[0];
  const ir_value *def = ir_value_of(w->local, array);
  if (def->def != IR_DEF_PARAM || w->local->param[def->slot].role != IR_ROLE_LATENT) return false;
  const ir_site *site = ir_site_find(w->model, w->local->param[def->slot].name);
  if (!site || site->support != IR_SUP_SIMPLEX || ir_size_of(w->local, loop->extent[0]) != site->type.dim[site->type.rank - 1]) return false;
  const ir_axes *axes = array == at->args[0] ? &at->u.axes : &row->u.axes;
  return axes->n == site->type.rank && (array == at->args[0] || !axes->at[axes->n - 1]);
}

static const ir_out *plate_out(const weigher *w, ir_val v, ir_mode mode, const ir_loop **loop) {
  const ir_op *op = ir_def_op(w->local, v);
  if (!op || op->code != IR_PLATE_OP) return NULL;
  *loop = op->u.loop;
  const ir_out *out = &op->u.loop->out[ir_value_of(w->local, v)->slot];
  return out->mode == mode ? out : NULL;
}

static bool is_real(const weigher *w, ir_val v, double want) {
  double x;
  return ir_is_real(w->local, v, &x) && x == want;
}

/* 1/2 < the least of [0 <= p[k]], or |sum of p[k] - 1| <= a tolerance, of a p that is a simplex. */
static bool holds_of_simplex(const weigher *w, const ir_op *op) {
  const ir_loop *loop;
  const ir_out *out;
  if (op->code == IR_LT_OP && is_real(w, op->args[0], 0.5) && (out = plate_out(w, op->args[1], IR_MIN, &loop))) {
    const ir_op *x = ir_def_op(w->local, out->yield);
    while (x && (x->code == IR_TO_REAL_OP || x->code == IR_BOOL_INT_OP)) x = ir_def_op(w->local, x->args[0]);
    return x && x->code == IR_LE_OP && is_real(w, x->args[0], 0.0) && simplex_element(w, x->args[1], loop);
  }
  if (op->code != IR_LE_OP || !is_real(w, op->args[1], 1e-8)) return false;
  const ir_op *x = ir_def_op(w->local, op->args[0]);
  if (x && x->code == IR_ABS_OP) x = ir_def_op(w->local, x->args[0]);
  return x && x->code == IR_ADD_OP && is_real(w, x->args[1], -1.0) && (out = plate_out(w, x->args[0], IR_SUM, &loop)) && simplex_element(w, out->yield, loop);
}

/* ---- weights */

/* A read of the element is the state.  A condition of a term that every state has holds if it does not depend on the site. */
static bool put_state(ir_cloner *c, ir_builder *b, const ir_op *op) {
  weigher *w = (weigher *)c;
  if (op->code == IR_GUARD_OP && !w->dep[op->args[0]] && !w->inner[op->res[0]]) {
    ir_map_set(&c->map, op->res[0], ir_map_get(&c->map, op->args[1]));
    return true;
  }
  if (holds_of_simplex(w, op)) {
    ir_map_set(&c->map, op->res[0], ir_bool(b, true));
    return true;
  }
  if (!reads_element(w, op)) return false;
  const place p = place_of(w, &op->u.axes);
  if (p == PLACE_OTHER) return false;
  ir_val v = w->state;
  if (p == PLACE_UNKNOWN) {
    const ir_val stands = ir_at(b, ir_map_get(&c->map, w->param), image_of(w, &op->u.axes));
    v = ir_op3(b, IR_SELECT_OP, is_here(w, b, &op->u.axes), v, stands);
  }
  ir_map_set(&c->map, op->res[0], v);
  return true;
}

typedef struct states {
  const ir_site *site;
  const ir_fn *model;
  size_table *sizes;
  bool known;
  int64_t lo;
  bool spin; /* -1 and 1 */
  ir_size n;
} states;

static void see_states(void *user, ir_op *op) {
  states *s = user;
  if (op->code != IR_SAMPLE_OP || op->u.tilde->site != s->site) return;
  int64_t lo;
  const ir_size hi = op->u.tilde->hi ? ir_size_of(s->model, op->u.tilde->hi) : IR_SIZE_NONE;
  if (hi == IR_SIZE_NONE || !op->u.tilde->lo || !ir_is_int(s->model, op->u.tilde->lo, &lo)) {
    s->known = false;
    return;
  }
  const bool spin = lo == -1 && hi == size_const(s->sizes, 1);
  const ir_size n = spin ? size_const(s->sizes, 2) : size_add(s->sizes, size_sub(s->sizes, hi, size_const(s->sizes, lo)), size_const(s->sizes, 1));
  if (s->n != IR_SIZE_NONE && (s->n != n || s->lo != lo || s->spin != spin)) s->known = false;
  s->lo = lo;
  s->spin = spin;
  s->n = n;
}

/* The k-th value of an element. */
static ir_val state_of(const states *s, ir_builder *b, ir_val k) {
  if (s->site->type.elem == IR_BOOL) return ir_op2(b, IR_NE_OP, k, ir_int(b, 0));
  if (s->spin) k = ir_op2(b, IR_ADD_OP, k, k);
  return s->lo ? ir_op2(b, IR_ADD_OP, k, ir_int(b, s->lo)) : k;
}

static void set_index(weigher *w, ir_builder *b, ir_val flat) {
  for (uint32_t a = w->rank; a-- > 1;) {
    const ir_val n = ir_size_val(b, w->site->type.dim[a]);
    ir_map_set(&w->c.map, w->index[a], ir_op2(b, IR_IMOD_OP, flat, n));
    flat = ir_op2(b, IR_IDIV_OP, flat, n);
  }
  ir_map_set(&w->c.map, w->index[0], flat);
}

ir_fn *derive_weights(ir_module *m, const ir_fn *model, const ir_fn *local, const ir_site *site, bool scattered, bool coloured, derive_states *found) {
  states s = {.site = site, .model = model, .sizes = m->sizes, .known = true, .n = IR_SIZE_NONE};
  if ((site->support != IR_SUP_FINITE && site->support != IR_SUP_INT) || local->nret != 1) return NULL;
  ir_visit_ops((ir_block *)&model->body, see_states, &s);
  weigher w = study(m, model, local, site);
  if (!s.known || s.n == IR_SIZE_NONE || w.whole) return NULL;
  w.inner = ARENA_ARRAY(m->mem, bool, local->nvals);
  find_inner(&w, &local->body);
  *found = (derive_states){w.apart, w.rank && (!w.apart || scattered), w.rank && (w.apart || coloured) ? DERIVE_WEIGHED : 1, s.lo, s.spin ? 2 : 1};
  ir_fn *fn = ir_fn_new(m, arena_printf(m->mem, "weights.%s", site->name), false);
  copy_params(&w, fn, false);
  ir_val list = 0, first = 0, n = 0;
  if (w.rank) {
    ir_size elements = size_const(m->sizes, 1);
    for (uint32_t a = 0; a < w.rank; a++) elements = size_mul(m->sizes, elements, site->type.dim[a]);
    if (found->listed) list = ir_param_add(fn, IR_ROLE_INDEX, "list", ir_array(IR_INT, 1, &elements));
    first = ir_param_add(fn, IR_ROLE_INDEX, "first", ir_scalar(IR_INT));
    n = ir_param_add(fn, IR_ROLE_INDEX, "n", ir_scalar(IR_INT));
  }
  ir_builder b = ir_builder_at_end(fn, &fn->body);
  const ir_val extent = ir_size_val(&b, s.n);
  const ir_size most = size_const(m->sizes, found->piece);
  const ir_val none = w.rank ? ir_new_array(&b, ir_array(IR_REAL, 1, &most)) : 0;
  ir_op *over = ir_loop_begin(&b, IR_PLATE_OP, 1, &extent);
  ir_builder in = ir_builder_in(&b, &over->u.loop->body);
  w.state = state_of(&s, &in, over->u.loop->index[0]);
  w.c.hook = put_state;
  ir_val row;
  if (w.rank) {
    ir_op *each = ir_loop_begin(&in, IR_PLATE_OP, 1, &n);
    ir_builder at = ir_builder_in(&in, &each->u.loop->body);
    ir_val e = ir_op2(&at, IR_ADD_OP, first, each->u.loop->index[0]);
    set_index(&w, &at, list ? ir_at1(&at, list, e) : e);
    ir_clone_block(&w.c, &at, &local->body);
    const ir_axes to = {.n = 1, .at = {each->u.loop->index[0]}};
    row = ir_loop_out(fn, each, IR_INTO, none, &to, ir_map_get(&w.c.map, local->ret[0]));
  } else {
    ir_map_set(&w.c.map, w.param, w.state);
    ir_clone_block(&w.c, &in, &local->body);
    row = ir_map_get(&w.c.map, local->ret[0]);
  }
  row = ir_loop_out(fn, over, IR_STACK, 0, NULL, row);
  ir_return(fn, 1, &row);
  return fn;
}

/* ---- conflicts */

static ir_val count_marks(weigher *w, ir_fn *fn, ir_block *block, bool *known);

static ir_val plus(ir_builder *b, ir_val x, ir_val y) { return !x ? y : !y ? x : ir_op2(b, IR_ADD_OP, x, y); }

static ir_val count_op(weigher *w, ir_fn *fn, ir_builder *b, ir_op *op, bool *known) {
  ir_val t;
  switch (op->code) {
  case IR_AT_OP: {
    if (op->args[0] != ir_map_get(&w->c.map, w->param)) return 0;
    ir_val here = 0, v = op->res[0];
    for (uint32_t a = 0; a < w->rank; a++) {
      if (w->dep[op->u.axes.at[a]]) *known = false; /* marks are no positions */
      ir_val same = ir_op2(b, IR_EQ_OP, op->u.axes.at[a], ir_map_get(&w->c.map, w->index[a]));
      here = here ? ir_op2(b, IR_AND_OP, here, same) : same;
    }
    if (ir_type_of(fn, v).elem == IR_BOOL) v = ir_op1(b, IR_BOOL_INT_OP, v);
    return ir_op3(b, IR_SELECT_OP, here, ir_real(b, 0.0), ir_op1(b, IR_TO_REAL_OP, v));
  }
  case IR_PLATE_OP:
    t = count_marks(w, fn, &op->u.loop->body, known);
    return t ? ir_loop_out(fn, op, IR_SUM, 0, NULL, t) : 0;
  case IR_SCAN_OP:
    if (count_marks(w, fn, &op->u.loop->body, known)) *known = false; /* what it reads may depend on its state */
    return 0;
  case IR_IF_OP: {
    ir_val x = count_marks(w, fn, &op->u.branch->then_, known), y = count_marks(w, fn, &op->u.branch->else_, known);
    if (!x && !y) return 0;
    if (w->dep[op->args[0]]) *known = false; /* marks do not say which side is read */
    ir_builder then_ = ir_builder_in(b, &op->u.branch->then_), else_ = ir_builder_in(b, &op->u.branch->else_);
    return ir_if_out(fn, op, x ? x : ir_real(&then_, 0.0), y ? y : ir_real(&else_, 0.0));
  }
  default: return 0;
  }
}

/* Marked elements other than the function's own that the block reads, as a real; 0: it reads none.  *known becomes false where that cannot be told. */
static ir_val count_marks(weigher *w, ir_fn *fn, ir_block *block, bool *known) {
  ir_builder b = {.fn = fn, .block = block};
  ir_val total = 0;
  for (ir_op *op = block->first, *last = block->last; op; op = op->next) {
    total = plus(&b, total, count_op(w, fn, &b, op, known));
    if (op == last) break;
  }
  return total;
}

typedef struct latent_use {
  const weigher *w;
  const ir_fn *fn;
  bool known;
} latent_use;

static void see_latent(void *user, ir_val *use) {
  latent_use *r = user;
  const ir_value *v = ir_value_of(r->fn, *use);
  if (v->def != IR_DEF_PARAM || r->fn->param[v->slot].role != IR_ROLE_LATENT) return;
  if (*use != ir_map_get(&r->w->c.map, r->w->param)) r->known = false;
}

static void see_latent_op(void *user, ir_op *op) { ir_visit_uses(op, see_latent, user); }

/* The walk that counts reads is over positions alone: what else the local density computes is dead. */
ir_fn *derive_conflicts(ir_module *m, const ir_fn *model, const ir_fn *local, const ir_site *site) {
  weigher w = study(m, model, local, site);
  if (w.whole || w.rank == 0) return NULL;
  ir_fn *fn = ir_fn_new(m, arena_printf(m->mem, "conflicts.%s", site->name), false);
  copy_params(&w, fn, true);
  ir_builder b = ir_builder_at_end(fn, &fn->body);
  ir_clone_block(&w.c, &b, &local->body);
  w.dep = ARENA_ARRAY(m->mem, bool, fn->nvals);
  w.dep[ir_map_get(&w.c.map, w.param)] = true;
  ir_spread(w.dep, fn);
  latent_use r = {&w, fn, true};
  ir_val total = count_marks(&w, fn, &fn->body, &r.known);
  if (!total) total = ir_real(&b, 0.0);
  ir_return(fn, 1, &total);
  pass_dce(m, fn);
  ir_visit_ops(&fn->body, see_latent_op, &r);
  if (r.known) return fn;
  ir_fn_remove(m, fn);
  return NULL;
}
