/* factor_term.c: one term of a model's density as a function of the elements of variables that it reads.
 *
 * The term is computed backwards from its operands, by cloning what they are made of.  Four things are not cloned: a value from the top
 * of the model that does not depend on a variable (a capture), an element of a variable (a reference), an element of another
 * unknown (read from its array), and an element of an array that a plate has stacked, which is computed for that element
 * alone: labels are often spread into arrays before they are used. */
#include "compiler/factors.h"

#include "compiler/ir_uses.h"
#include "compiler/passes.h"
#include "compiler/loop_ends.h"

#include <math.h>
#include <string.h>

/* Values of the model in the term: those of a region that is computed for one iteration, then those around it. */
typedef struct scope scope;
struct scope {
  const ir_block *region; /* NULL: outermost */
  ir_map map;
  scope *up;
};

#define FACTOR_LOOP_VARIES "this stands in a loop whose length varies; a loop over all with a condition may be summed out: `plate t in 2..T if t > first[i] { ... }`"

typedef struct outliner {
  factor_graph *g;
  factor *f;
  const ir_op *op;
  ir_map scratch; /* of clones in progress */
  bool *ready;    /* by value of the model: what a region that is cloned reads and `scratch` has already */
  ir_axes gather; /* the position from data, where there is one */
  int regions;    /* that stand around what is looked at, in the term */
  bool varying;   /* it stands in a loop whose ends are data */
  /* A piece that has to be cut leaves by this. */
  jmp_buf cut;
  uint32_t cut_loop;
  int64_t cut_at; /* iterations that stay together */
} outliner;

static ir_val get(outliner *o, ir_builder *b, scope *s, ir_val v);

static ir_axes get_axes(outliner *o, ir_builder *b, scope *s, const ir_axes *axes) {
  ir_axes to = {.n = axes->n};
  for (uint32_t k = 0; k < axes->n; k++) to.at[k] = get(o, b, s, axes->at[k]);
  return to;
}

/* ---- what the model's values are */

/* The image of v, reading arrays of images through `at`. */
static bool image_of(const factor_graph *g, ir_val v, site_image *out) {
  *out = g->image[v];
  if (out->site) return true;
  const ir_op *op = ir_def_op(g->model, v);
  if (!op || op->code != IR_AT_OP || !image_of(g, op->args[0], out)) return false;
  uint32_t a = 0;
  for (uint32_t k = 0; k < out->axes.n && a < op->u.axes.n; k++)
    if (!out->axes.at[k]) out->axes.at[k] = op->u.axes.at[a++];
  return true;
}

const ir_site *factor_element(const factor_graph *g, ir_val v, ir_axes *axes) {
  site_image i;
  if (!image_of(g, v, &i) || i.site->role != IR_LATENT || !g->summed[i.site->number]) return NULL;
  for (uint32_t k = 0; k < i.axes.n; k++)
    if (!i.axes.at[k]) return NULL;
  *axes = i.axes;
  return i.site;
}

ir_val factor_whole(const factor_graph *g, const ir_site *site) {
  for (const ir_op *op = g->model->body.last; op; op = op->prev)
    for (uint32_t k = 0; k < op->nres; k++) {
      const site_image *i = &g->image[op->res[k]];
      bool whole = i->site == site;
      for (uint32_t a = 0; whole && a < i->axes.n; a++) whole = !i->axes.at[a];
      if (whole) return op->res[k];
    }
  return 0;
}

/* ---- captures and references */

static ir_val capture(outliner *o, ir_val v) {
  factor *f = o->f;
  for (size_t k = 0; k < f->ncaptures; k++)
    if (f->capture[k] == v) return f->capture_param[k];
  arena *mem = o->g->m->mem;
  ir_val p = ir_param_add(f->fn, IR_ROLE_PLAIN, arena_printf(mem, "c.%zu", f->ncaptures + 1), ir_type_of(o->g->model, v));
  size_t cap = f->cap_captures, n = f->ncaptures;
  ARENA_PUSH(mem, f->capture, f->ncaptures, f->cap_captures, v);
  ARENA_PUSH(mem, f->capture_param, n, cap, p);
  return p;
}

/* v of fn as a loop index plus a size, or as a size. */
static factor_pos position(outliner *o, const ir_fn *fn, ir_val v) {
  const factor_graph *g = o->g;
  factor_pos none = {-1, 0, IR_SIZE_NONE};
  ir_size s = ir_size_of(fn, v);
  if (s != IR_SIZE_NONE) return (factor_pos){-1, 0, s};
  for (uint32_t k = 0; fn == o->f->fn && k < o->f->nloops; k++)
    if (o->f->loop[k].index == v) return (factor_pos){(int)k, 0, size_const(g->m->sizes, 0)};
  if (fn == o->f->fn && ir_value_of(fn, v)->def == IR_DEF_PARAM) { /* made by @prepare? */
    for (size_t k = 0; k < o->f->ncaptures; k++) {
      if (o->f->capture_param[k] != v) continue;
      ir_val made = factor_prepared(g, o->f->capture[k]);
      if (made) return position(o, g->prepare, made);
    }
    return none;
  }
  const ir_op *op = ir_def_op(fn, v);
  if (!op) return none;
  if (op->code == IR_BOUND_OP) return position(o, fn, op->args[0]);
  if (op->code != IR_ADD_OP && op->code != IR_SUB_OP) return none;
  factor_pos x = position(o, fn, op->args[0]), y = position(o, fn, op->args[1]);
  if (x.at == IR_SIZE_NONE || y.at == IR_SIZE_NONE || (y.loop >= 0 && x.loop >= 0)) return none;
  x.at = op->code == IR_ADD_OP ? size_add(g->m->sizes, x.at, y.at) : size_sub(g->m->sizes, x.at, y.at);
  if (y.loop >= 0) {
    x.loop = y.loop;
    x.down = op->code == IR_SUB_OP ? !y.down : y.down;
  }
  return x;
}

static uint32_t var_of(const factor_graph *g, const ir_site *site) {
  uint32_t k = 0;
  while (g->var[k].site != site) k++;
  return k;
}

/* The entries of a position are computed at the top of the term, not in a loop of its own. */
static bool visible(const ir_fn *fn, const ir_axes *axes) {
  for (uint32_t k = 0; k < axes->n; k++)
    if (ir_home(fn, axes->at[k]) != &fn->body) return false;
  return true;
}

_Noreturn static void cut(outliner *o, int loop, int64_t at) {
  o->cut_loop = (uint32_t)loop;
  o->cut_at = at;
  longjmp(o->cut, 1);
}

/* What position() could not tell, from numbers.  Along an axis of length `extent`. */
static factor_pos numbered(outliner *o, ir_val v, ir_size extent) {
  factor_run r;
  if (!factor_run_of(o->g, o->f, v, &r)) return (factor_pos){-1, 0, IR_SIZE_NONE};
  if (r.loop < 0) return (factor_pos){-1, 0, factor_near(o->g, r.value, extent)};
  const factor_loop *l = &o->f->loop[r.loop];
  int64_t n = 0, first = 0;
  size_value(o->g->m->sizes, l->extent, &n);
  size_value(o->g->m->sizes, l->first, &first);
  /* Two positions may be the end of a ring rather than a way back. */
  bool even = r.slope == 0 || r.slope == 1 || (r.slope == -1 && r.length > 2);
  if (!even || r.length < n) cut(o, r.loop, even ? r.length : 1);
  if (r.slope == 0) return (factor_pos){-1, 0, factor_near(o->g, r.value, extent)};
  return (factor_pos){r.loop, r.slope < 0, factor_near(o->g, r.value - r.slope * first, extent)};
}

/* Whether the position is outside of an axis in all iterations; a loop in which some are is cut. */
static bool beyond(outliner *o, const factor_pos *p, ir_size extent) {
  size_table *t = o->g->m->sizes;
  int64_t at, length, first = 0, n = 1;
  if (!size_value(t, p->at, &at) || !size_value(t, extent, &length)) return false;
  if (p->loop < 0) return at < 0 || at >= length;
  if (!size_value(t, o->f->loop[p->loop].first, &first) || !size_value(t, o->f->loop[p->loop].extent, &n) || n <= 0) return false;
  int64_t from = p->down ? at - first : at + first, step = p->down ? -1 : 1, to = from + step * (n - 1);
  bool starts = from >= 0 && from < length, ends = to >= 0 && to < length;
  if (starts && ends) return false;
  if (starts) cut(o, p->loop, step > 0 ? length - from : from + 1);
  if (from < 0 ? step < 0 || to < 0 : step > 0 || to >= length) return true;
  cut(o, p->loop, step > 0 ? -from : from - length + 1);
}

/* An element of a variable: one parameter for each that the term reads. */
static ir_val reference(outliner *o, ir_builder *b, const ir_site *site, const ir_axes *axes) {
  factor *f = o->f;
  factor_ref r = {.var = var_of(o->g, site)};
  bool gather = false, moving = false;
  ir_val outside = 0;
  for (uint32_t k = 0; k < axes->n; k++) {
    factor_pos *p = &r.pos[k];
    *p = position(o, f->fn, axes->at[k]);
    if (p->at == IR_SIZE_NONE) *p = numbered(o, axes->at[k], site->type.dim[k]);
    if (p->at == IR_SIZE_NONE) {
      gather = true;
      continue;
    }
    if (!outside && beyond(o, p, site->type.dim[k])) outside = axes->at[k], moving = p->loop >= 0;
    int64_t one;
    const factor_loop *l = p->loop >= 0 ? &f->loop[p->loop] : NULL;
    if (l && l->cut && size_is_const(o->g->m->sizes, l->extent, &one) && one == 1)
      *p = (factor_pos){-1, 0, p->down ? size_sub(o->g->m->sizes, p->at, l->first) : size_add(o->g->m->sizes, p->at, l->first)};
  }
  /* Nothing stands there, so a condition keeps the model from looking.  Where it does not, the model ends in an error: that of a fixed position is in
   * what @prepare checks, but sums go over positions that there are, and would pass over an iteration without one. */
  if (outside && moving && !o->regions) factors_refuse(o->g, o->op->where, "a loop reads beyond the elements of `%s` with these data", site->name);
  if (outside && o->regions) return factor_value(b, &o->g->var[r.var], ir_op2(b, IR_MIN_OP, ir_op2(b, IR_MAX_OP, outside, ir_int(b, 0)), ir_int(b, 0)));
  if (gather) {
    bool again = o->gather.n > 0 && f->ref[0].var == r.var && memcmp(&o->gather, axes, sizeof *axes) == 0;
    if (again) return f->ref[0].state;
    if (!visible(f->fn, axes) && o->varying) factors_refuse(o->g, o->op->where, "`%s` is read at a position from data in a loop whose ends are data; a loop over all may be summed out: `plate n in 1..N { ... }`", site->name);
    if (!visible(f->fn, axes) && ir_is_loop(o->op)) factors_refuse(o->g, o->op->where, FACTOR_LOOP_VARIES);
    if (!visible(f->fn, axes)) factors_refuse(o->g, o->op->where, "`%s` is read at positions of a loop inside one term, as of a `sum`; a loop of terms may be summed out: `plate i in 1..N { factor ... }`", site->name);
    if (f->nrefs) factors_refuse(o->g, o->op->where, "`%s` is read at a position from data, beside other finite unknowns", site->name);
    o->gather = *axes;
  } else if (o->gather.n) {
    factors_refuse(o->g, o->op->where, "`%s` is read beside a finite unknown at a position from data", site->name);
  }
  for (uint32_t k = 0; k < f->nrefs; k++)
    if (f->ref[k].var == r.var && memcmp(f->ref[k].pos, r.pos, sizeof r.pos) == 0) return f->ref[k].state;
  if (f->nrefs == FACTOR_MAX_REFS) factors_refuse(o->g, o->op->where, "this reads more than %d elements of finite unknowns", FACTOR_MAX_REFS);
  r.state = ir_param_add(f->fn, IR_ROLE_PLAIN, arena_printf(o->g->m->mem, "s.%u", f->nrefs + 1), ir_scalar((ir_elem)site->type.elem));
  f->ref[f->nrefs++] = r;
  return r.state;
}

/* A condition of the term that is the same in all iterations: 0 or 1; else -1. */
static int certain(const outliner *o, ir_val condition) {
  factor_run r;
  int64_t n = 1;
  if (!factor_run_of(o->g, o->f, condition, &r)) return -1;
  if (r.loop >= 0) size_value(o->g->m->sizes, o->f->loop[r.loop].extent, &n);
  return r.slope == 0 && r.length >= n ? r.value != 0 : -1;
}

/* ---- cloning */

typedef struct seeding {
  outliner *o;
  ir_builder *b;
  scope *s;
  const ir_op *root;
} seeding;

static bool inside(const outliner *o, ir_val v, const ir_op *root) {
  const ir_value *x = ir_value_of(o->g->model, v);
  if (x->def == IR_DEF_PARAM) return false;
  if (x->op == root) return true; /* its index or state; a result is not read inside */
  for (const ir_op *op = x->op; op; op = op->block->owner)
    if (op->block->owner == root) return true;
  return false;
}

/* v is computed from what is outside alone, and without a check that a condition may stand before. */
static bool from_outside(const seeding *x, ir_val v, int depth) {
  if (!v || !inside(x->o, v, x->root)) return true;
  const ir_op *op = ir_def_op(x->o->g->model, v);
  if (!op || depth == 0 || op->nres != 1 || ir_op_table[op->code].effect != IR_PURE) return false;
  for (uint32_t k = 0; k < op->nargs; k++)
    if (!from_outside(x, op->args[k], depth - 1)) return false;
  for (uint32_t k = 0; op->code == IR_AT_OP && k < op->u.axes.n; k++)
    if (!from_outside(x, op->u.axes.at[k], depth - 1)) return false;
  return true;
}

static void seed_value(seeding *x, ir_val v) {
  if (!v || inside(x->o, v, x->root)) return;
  ir_val to = get(x->o, x->b, x->s, v);
  ir_map_set(&x->o->scratch, v, to);
}

/* Computes the result of op before the region. */
static void seed_result(seeding *x, const ir_op *op) {
  ir_val to = get(x->o, x->b, x->s, op->res[0]);
  ir_map_set(&x->o->scratch, op->res[0], to);
  x->o->ready[op->res[0]] = true;
}

static void seed(void *user, ir_val *use) { seed_value(user, *use); }

/* A row of a variable, of which elements are read. */
static bool is_row(const factor_graph *g, ir_val v) {
  site_image i;
  ir_axes axes;
  return image_of(g, v, &i) && i.site->role == IR_LATENT && g->summed[i.site->number] && !factor_element(g, v, &axes);
}

/* Operands from outside of what is being cloned; of an element of a variable, what its position is made of. */
static void seed_op(void *user, ir_op *op) {
  seeding *x = user;
  const factor_graph *g = x->o->g;
  ir_axes axes;
  if (op->nres == 1 && factor_element(g, op->res[0], &axes)) {
    bool outside = true;
    for (uint32_t k = 0; k < axes.n; k++) outside = outside && from_outside(x, axes.at[k], 8);
    if (outside) {
      seed_result(x, op);
      return;
    }
    for (uint32_t k = 0; k < axes.n; k++) seed_value(x, axes.at[k]);
    return;
  }
  if (op->nres == 1 && is_row(g, op->res[0])) return;
  if (op->code == IR_AT_OP && g->dep[op->args[0]] && !inside(x->o, op->args[0], x->root) && from_outside(x, op->res[0], 8)) {
    seed_result(x, op);
    return;
  }
  ir_visit_uses(op, seed, x);
}

static void see_row(void *user, ir_val *use) {
  ir_cloner *c = user;
  outliner *o = c->user;
  site_image i;
  if (*use && !ir_map_get(&c->map, *use) && is_row(o->g, *use) && image_of(o->g, *use, &i))
    factors_refuse(o->g, o->op->where, "`%s` is read as a whole here", i.site->name);
}

static bool clone_hook(ir_cloner *c, ir_builder *b, const ir_op *op) {
  outliner *o = c->user;
  ir_axes axes;
  if (op->nres == 1 && o->ready[op->res[0]]) return true;
  const ir_site *site = op->nres == 1 ? factor_element(o->g, op->res[0], &axes) : NULL;
  if (site) {
    for (uint32_t k = 0; k < axes.n; k++) axes.at[k] = ir_map_get(&c->map, axes.at[k]);
    ir_map_set(&c->map, op->res[0], reference(o, b, site, &axes));
    return true;
  }
  if (op->nres == 1 && is_row(o->g, op->res[0])) return true;
  int is = op->code == IR_IF_OP ? certain(o, ir_map_get(&c->map, op->args[0])) : -1;
  if (is >= 0) {
    const ir_if *branch = op->u.branch;
    ir_clone_block(c, b, is ? &branch->then_ : &branch->else_);
    for (uint32_t k = 0; k < op->nres; k++) ir_map_set(&c->map, op->res[k], ir_map_get(&c->map, (is ? branch->then_yield : branch->else_yield)[k]));
    return true;
  }
  ir_visit_uses((ir_op *)op, see_row, c);
  return false;
}

static void clone(outliner *o, ir_builder *b, scope *s, const ir_op *op) {
  seeding x = {o, b, s, op};
  bool *around = o->ready;
  o->ready = ARENA_ARRAY(o->g->m->mem, bool, o->g->model->nvals);
  ir_visit_uses((ir_op *)op, seed, &x);
  o->regions += op->code == IR_IF_OP || ir_is_loop(op);
  if (ir_is_loop(op)) {
    ir_visit_ops((ir_block *)&op->u.loop->body, seed_op, &x);
  } else if (op->code == IR_IF_OP) {
    ir_visit_ops((ir_block *)&op->u.branch->then_, seed_op, &x);
    ir_visit_ops((ir_block *)&op->u.branch->else_, seed_op, &x);
  }
  ir_cloner c = {.from = o->g->model, .map = o->scratch, .hook = clone_hook, .user = o};
  ir_clone_op(&c, b, op);
  o->scratch = c.map;
  o->ready = around;
  o->regions -= op->code == IR_IF_OP || ir_is_loop(op);
  for (uint32_t k = 0; k < op->nres; k++) ir_map_set(&s->map, op->res[k], ir_map_get(&o->scratch, op->res[k]));
}

/* An element of a stacked array, computed alone; 0 where this is no such thing. */
static ir_val stacked(outliner *o, ir_builder *b, scope *s, const ir_op *at) {
  const factor_graph *g = o->g;
  ir_val array = at->args[0];
  const ir_op *op = ir_def_op(g->model, array);
  if (!op || op->code != IR_PLATE_OP || !g->dep[array]) return 0;
  const ir_loop *loop = op->u.loop;
  const ir_out *out = &loop->out[ir_value_of(g->model, array)->slot];
  if (out->mode != IR_STACK) return 0;
  for (uint32_t k = 0; k < loop->rank; k++)
    if (!at->u.axes.at[k]) return 0;
  while (s->region && !ir_block_within(op->block, s->region)) s = s->up;
  scope inner = {&loop->body, ir_map_new(g->m->mem, g->model), s};
  for (uint32_t k = 0; k < loop->rank; k++) ir_map_set(&inner.map, loop->index[k], get(o, b, s, at->u.axes.at[k]));
  ir_val v = get(o, b, &inner, out->yield);
  if (at->u.axes.n == loop->rank) return v;
  ir_axes rest = {.n = at->u.axes.n - loop->rank};
  for (uint32_t k = 0; k < rest.n; k++) rest.at[k] = get(o, b, s, at->u.axes.at[loop->rank + k]);
  return ir_at(b, v, rest);
}

static ir_val made(outliner *o, ir_builder *b, scope *s, ir_val v) {
  factor_graph *g = o->g;
  const ir_value *x = ir_value_of(g->model, v);
  ir_axes axes;
  const ir_site *site = factor_element(g, v, &axes);
  if (site) {
    axes = get_axes(o, b, s, &axes);
    return reference(o, b, site, &axes);
  }
  const ir_op *def = ir_def_op(g->model, v);
  const bool literal = def && (def->code == IR_REAL_OP || def->code == IR_INT_OP || def->code == IR_BOOL_OP || def->code == IR_SIZE_OP);
  if (ir_home(g->model, v) == &g->model->body && !g->dep[v] && !literal) return capture(o, v);
  if (x->def == IR_DEF_STATE) {
    /* What was placed stays, so the finished array has it too. */
    if (x->op->u.loop->out[x->slot].mode != IR_INTO) factors_refuse(g, o->op->where, "this depends on a recursion");
    return get(o, b, s, x->op->res[x->slot]);
  }
  if (x->def != IR_DEF_RESULT) factors_refuse(g, o->op->where, "this depends on a recursion");
  if (x->op->code == IR_SAMPLE_OP) {
    const ir_tilde *t = x->op->u.tilde;
    ir_val whole = factor_whole(g, t->site);
    if (!whole) factors_refuse(g, o->op->where, "`%s` is not put together at the top of the model", t->site->name);
    axes = get_axes(o, b, s, &t->axes);
    axes.n = t->site->type.rank;
    return ir_at(b, capture(o, whole), axes);
  }
  ir_val y = x->op->code == IR_AT_OP ? stacked(o, b, s, x->op) : 0;
  if (y) return y;
  int is = x->op->code == IR_IF_OP ? certain(o, get(o, b, s, x->op->args[0])) : -1;
  if (is >= 0) return get(o, b, s, (is ? x->op->u.branch->then_yield : x->op->u.branch->else_yield)[x->slot]);
  clone(o, b, s, x->op);
  return ir_map_get(&s->map, v);
}

static ir_val get(outliner *o, ir_builder *b, scope *s, ir_val v) {
  if (!v) return 0;
  while (s->region && !ir_block_within(ir_home(o->g->model, v), s->region)) s = s->up;
  ir_val to = ir_map_get(&s->map, v);
  if (to) return to;
  to = made(o, b, s, v);
  ir_map_set(&s->map, v, to);
  return to;
}

/* ---- the term */

static ir_val block_term(outliner *o, ir_builder *b, scope *s, const ir_block *block);

static ir_map map_copy(const ir_map *m) {
  ir_map to = {m->mem, ARENA_ARRAY(m->mem, ir_val, m->n), m->n};
  memcpy(to.to, m->to, m->n * sizeof *m->to);
  return to;
}

/* What is computed in a branch is not seen behind it. */
static ir_val branch_term(outliner *o, ir_builder *b, scope *s, const ir_op *op) {
  ir_val condition = get(o, b, s, op->args[0]);
  int is = certain(o, condition);
  if (is >= 0) {
    ir_val v = block_term(o, b, s, is ? &op->u.branch->then_ : &op->u.branch->else_);
    return v ? v : ir_real(b, 0.0);
  }
  ir_op *to = ir_if_begin(b, condition);
  ir_val v[2];
  o->regions++;
  for (int k = 0; k < 2; k++) {
    scope inner = *s;
    inner.map = map_copy(&s->map);
    ir_builder in = ir_builder_in(b, k == 0 ? &to->u.branch->then_ : &to->u.branch->else_);
    v[k] = block_term(o, &in, &inner, k == 0 ? &op->u.branch->then_ : &op->u.branch->else_);
    if (!v[k]) v[k] = ir_real(&in, 0.0);
  }
  o->regions--;
  return ir_if_out(b->fn, to, v[0], v[1]);
}

/* A loop below a condition. */
static ir_val loop_term(outliner *o, ir_builder *b, scope *s, const ir_op *op) {
  const ir_loop *from = op->u.loop;
  for (uint32_t k = 0; k < from->nout; k++)
    if (from->out[k].state) factors_refuse(o->g, op->where, "observations in a recursion under a condition");
  ir_val extent[IR_MAX_RANK];
  for (uint32_t k = 0; k < from->rank; k++) extent[k] = get(o, b, s, from->extent[k]);
  ir_op *to = ir_loop_begin(b, IR_PLATE_OP, from->rank, extent);
  scope inner = *s;
  inner.map = map_copy(&s->map);
  for (uint32_t k = 0; k < from->rank; k++) ir_map_set(&inner.map, from->index[k], to->u.loop->index[k]);
  ir_builder in = ir_builder_in(b, &to->u.loop->body);
  ir_val v = block_term(o, &in, &inner, &from->body);
  if (!v) v = ir_real(&in, 0.0);
  return ir_loop_out(b->fn, to, IR_SUM, 0, NULL, v);
}

/* The term of a draw whose range is narrower than that of its variable, because it depends on data or on other variables. */
static ir_val term_in_range(outliner *o, ir_builder *b, scope *s, const ir_tilde *t, ir_val x, uint32_t n, const ir_val *args) {
  ir_op *to = ir_if_begin(b, derive_in_bounds(b, x, get(o, b, s, t->lo), get(o, b, s, t->hi)));
  ir_builder in = ir_builder_in(b, &to->u.branch->then_), out = ir_builder_in(b, &to->u.branch->else_);
  ir_val v = derive_tilde_term(&in, t->dist, x, n, args);
  return ir_if_out(b->fn, to, v, ir_real(&out, -(double)INFINITY));
}

static ir_val op_term(outliner *o, ir_builder *b, scope *s, const ir_op *op) {
  ir_val args[DERIVE_MAX_ARGS], x;
  switch (op->code) {
  case IR_OBSERVE_OP:
    x = get(o, b, s, op->args[0]);
    for (uint32_t k = 1; k < op->nargs; k++) args[k - 1] = get(o, b, s, op->args[k]);
    return derive_tilde_term(b, op->u.tilde->dist, x, op->nargs - 1, args);
  case IR_SAMPLE_OP:
    x = get(o, b, s, op->res[0]);
    for (uint32_t k = 0; k < op->nargs; k++) args[k] = get(o, b, s, op->args[k]);
    if (o->g->summed[op->u.tilde->site->number] && !factor_range_exact(o->g, op->u.tilde)) return term_in_range(o, b, s, op->u.tilde, x, op->nargs, args);
    return derive_tilde_term(b, op->u.tilde->dist, x, op->nargs, args);
  case IR_FACTOR_OP: return get(o, b, s, op->args[0]);
  case IR_ENERGY_OP: return ir_op1(b, IR_NEG_OP, get(o, b, s, op->args[0]));
  case IR_IF_OP: return branch_term(o, b, s, op);
  case IR_PLATE_OP:
  case IR_SCAN_OP: return loop_term(o, b, s, op);
  default: return 0;
  }
}

static bool has_terms(const ir_op *op) {
  if (op->code == IR_OBSERVE_OP || op->code == IR_SAMPLE_OP || op->code == IR_FACTOR_OP || op->code == IR_ENERGY_OP) return true;
  const ir_block *block[2] = {NULL, NULL};
  if (ir_is_loop(op)) block[0] = &op->u.loop->body;
  if (op->code == IR_IF_OP) {
    block[0] = &op->u.branch->then_;
    block[1] = &op->u.branch->else_;
  }
  for (int k = 0; k < 2 && block[k]; k++)
    for (const ir_op *p = block[k]->first; p; p = p->next)
      if (has_terms(p)) return true;
  return false;
}

static ir_val block_term(outliner *o, ir_builder *b, scope *s, const ir_block *block) {
  ir_val sum = 0;
  for (const ir_op *op = block->first; op; op = op->next) {
    ir_val v = has_terms(op) ? op_term(o, b, s, op) : 0;
    if (v) sum = sum ? ir_op2(b, IR_ADD_OP, sum, v) : v;
  }
  return sum;
}

/* Halves of a piece: its first `at` iterations of loop l, and the others. */
static void cut_piece(const factor_graph *g, const factor *f, uint32_t l, int64_t at, factor_piece piece[2]) {
  size_table *t = g->m->sizes;
  ir_size first = f->loop[l].first, n = f->loop[l].extent, here = factor_near(g, at, n);
  piece[1] = piece[0];
  piece[0].first[l] = first;
  piece[0].count[l] = here;
  piece[1].first[l] = size_add(t, first, here);
  piece[1].count[l] = size_sub(t, n, here);
}

/* ---- loops whose ends are data: below a condition, over all positions that an array has which the loop looks at (loop_ends.h) */

/* Gives the loop's index, and t, as what they are at number t; whether such an iteration is there, and `also`.  That iterations lie where the loop_ends says is
 * checked, as the model does. */
static ir_val enter_between(outliner *o, ir_builder *b, scope *root, const ir_loop *loop, uint32_t axis, const loop_ends *r, ir_val t, ir_val also) {
  ir_val start = r->start ? get(o, b, root, r->start) : ir_int(b, 0), n = get(o, b, root, loop->extent[axis]);
  /* From where to where: n iterations, none beyond. */
  ir_op *some = ir_if_begin(b, ir_op2(b, IR_LT_OP, ir_int(b, 0), n));
  ir_builder yes = ir_builder_in(b, &some->u.branch->then_), no = ir_builder_in(b, &some->u.branch->else_);
  ir_val room = ir_size_val(&yes, r->extent), from = ir_op2(&yes, IR_SUB_OP, start, ir_size_val(&yes, r->first));
  ir_val last = ir_op2(&yes, IR_SUB_OP, ir_op2(&yes, IR_ADD_OP, from, n), ir_int(&yes, 1));
  from = ir_op2(&yes, IR_BOUND_OP, from, room);
  last = ir_op2(&yes, IR_BOUND_OP, last, room);
  ir_val here = ir_op2(&yes, IR_SUB_OP, t, ir_size_val(&yes, r->first));
  ir_val is = ir_op2(&yes, IR_AND_OP, ir_op2(&yes, IR_LE_OP, from, here), ir_op2(&yes, IR_LE_OP, here, last));
  is = ir_if_out(b->fn, some, is, ir_bool(&no, false));
  for (const ir_op *op = loop->body.first; op && r->start; op = op->next)
    if (loop_ends_add(op, loop->index[axis], r->start)) ir_map_set(&root->map, op->res[0], t);
  ir_map_set(&root->map, loop->index[axis], r->start ? ir_op2(b, IR_SUB_OP, t, start) : t);
  return also ? ir_op2(b, IR_AND_OP, also, is) : is;
}

/* The term of op where the condition holds. */
static ir_val term_inside(outliner *o, ir_builder *b, scope *root, const ir_op *op, ir_val inside) {
  ir_op *to = ir_if_begin(b, inside);
  ir_builder in = ir_builder_in(b, &to->u.branch->then_), out = ir_builder_in(b, &to->u.branch->else_);
  o->regions++;
  o->varying = true;
  ir_val v = op_term(o, &in, root, op);
  o->regions--;
  return ir_if_out(b->fn, to, v, ir_real(&out, 0.0));
}

factor_made factor_outline(factor_graph *g, factor *f, const ir_op *op, factor_piece piece[2]) {
  arena *mem = g->m->mem;
  outliner *o = ARENA_NEW(mem, outliner);
  *o = (outliner){.g = g, .f = f, .op = op, .scratch = ir_map_new(mem, g->model)};
  scope root = {NULL, ir_map_new(mem, g->model), NULL};
  f->op = op;
  f->fn = ir_fn_new(g->m, "term", false);
  if (setjmp(o->cut)) {
    cut_piece(g, f, o->cut_loop, o->cut_at, piece);
    ir_fn_remove(g->m, f->fn);
    return FACTOR_CUT;
  }
  ir_builder b = ir_builder_at_end(f->fn, &f->fn->body);
  b.where = op->where;
  ir_val inside = 0; /* of loops whose ends are data: the iteration is one of theirs */
  /* Outer loops first. */
  const ir_op *around[IR_MAX_DEPTH];
  int depth = 0;
  for (const ir_op *p = op->block->owner; p; p = p->block->owner) around[depth++] = p;
  while (depth-- > 0) {
    const ir_loop *loop = around[depth]->u.loop;
    for (uint32_t k = 0; k < loop->rank; k++) {
      if (f->nloops == FACTOR_MAX_LOOPS) factors_refuse(g, op->where, "this stands in more than %d loops", FACTOR_MAX_LOOPS);
      factor_loop *l = &f->loop[f->nloops];
      *l = (factor_loop){.first = piece->first[f->nloops], .extent = piece->count[f->nloops], .dim = -1};
      l->cut = l->first != IR_SIZE_NONE;
      l->index = ir_param_add(f->fn, IR_ROLE_PLAIN, arena_printf(mem, "i.%u", f->nloops + 1), ir_scalar(IR_INT));
      ir_size all = ir_size_of(g->model, loop->extent[k]);
      loop_ends r = {.first = size_const(g->m->sizes, 0), .extent = all};
      if (all == IR_SIZE_NONE) r = loop_ends_of(g->model, loop, k);
      if (r.extent == IR_SIZE_NONE) factors_refuse(g, op->where, FACTOR_LOOP_VARIES);
      if (!l->cut) l->first = r.first;
      if (!l->cut) l->extent = r.extent;
      f->nloops++;
      if (all == IR_SIZE_NONE) inside = enter_between(o, &b, &root, loop, k, &r, l->index, inside);
      else ir_map_set(&root.map, loop->index[k], l->index);
    }
  }
  ir_val ret[IR_MAX_RANK + 1] = {inside ? term_inside(o, &b, &root, op, inside) : op_term(o, &b, &root, op)};
  memcpy(ret + 1, o->gather.at, o->gather.n * sizeof *ret);
  ir_return(f->fn, 1 + o->gather.n, ret);
  return o->gather.n > 0 ? FACTOR_GATHERED : FACTOR_PLAIN;
}
