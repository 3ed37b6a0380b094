/* derive_loglik.c: @loglik: the log density of each observation by itself.
 *
 * The walk of derive.c meets each `observe` in its block.  There it becomes a *point*: a value, and its position in the array of
 * the observed site.  A point leaves the loops around it one by one.  Of its position, what varies in a loop is gone behind it: the loop's output has
 * these axes.  Where they are the loop's indices in order the output is a `stack`, else a `keyed` sum over zeros, so
 * that a branch not taken may add 0 anywhere.  What is left at the top is put into the array; points of one site add up. */
#include "compiler/derive_internal.h"

#include "compiler/ir_uses.h"

#include <string.h>

static ir_type slice_type(const loglik_point *p, const ir_axes *axes) {
  ir_type t = {.elem = IR_REAL};
  for (uint32_t k = 0; k < axes->n; k++)
    if (!axes->at[k]) t.dim[t.rank++] = p->site->type.dim[k];
  return t;
}

static ir_val blank(ir_builder *b, ir_type t) { return t.rank ? ir_new_array(b, t) : ir_real(b, 0.0); }

static void add_point(derivation *d, loglik_point p) { ARENA_PUSH(d->m->mem, d->point, d->npoints, d->cap_points, p); }

void derive_point_observe(derivation *d, ir_builder *b, const ir_op *op) {
  const ir_tilde *t = op->u.tilde;
  if (t->site->given) return;
  ir_val x = derive_get(d, op->args[0]);
  loglik_point p = {.site = t->site, .axes = derive_get_axes(d, &t->axes)};
  ir_type type = ir_type_of(d->fn, x);
  p.axes.n += type.rank > t->dist->event_rank ? type.rank - t->dist->event_rank : 0;
  p.val = derive_terms(d, b, op, x);
  add_point(d, p);
}

static bool varies(const derivation *d, ir_val v, const ir_loop *loop) { return v && ir_block_within(ir_home(d->fn, v), &loop->body); }

/* The axes that vary are the loop's indices, in order and with its extents, and stand before the others. */
static bool in_order(const derivation *d, const loglik_point *p, const ir_loop *loop) {
  uint32_t used = 0;
  for (uint32_t k = 0; k < p->axes.n; k++) {
    ir_val v = p->axes.at[k];
    if (!varies(d, v, loop)) {
      if (!v && used < loop->rank) return false;
      continue;
    }
    if (used == loop->rank || v != loop->index[used] || ir_size_of(d->fn, loop->extent[used]) != p->site->type.dim[k]) return false;
    used++;
  }
  return used == loop->rank;
}

void derive_points_loop(derivation *d, ir_builder *b, ir_op *loop, uint32_t first) {
  for (uint32_t i = first; i < d->npoints; i++) {
    loglik_point *p = &d->point[i];
    const ir_loop *l = loop->u.loop;
    ir_axes inner = {0}, outer = p->axes; /* of the loop's output; of the point behind it */
    bool any = false;
    for (uint32_t k = 0; k < p->axes.n; k++) {
      ir_val v = p->axes.at[k];
      bool on = varies(d, v, l);
      any |= on;
      if (on || !v) inner.at[inner.n++] = v;
      if (on) outer.at[k] = 0;
    }
    if (!any) {
      p->val = ir_loop_out(d->fn, loop, IR_SUM, 0, NULL, p->val);
    } else if (in_order(d, p, l)) {
      p->val = ir_loop_out(d->fn, loop, IR_STACK, 0, NULL, p->val);
    } else {
      ir_builder before = *b;
      before.before = loop; /* zeros, made outside */
      ir_val zeros = blank(&before, slice_type(p, &outer));
      p->val = ir_loop_out(d->fn, loop, IR_KEYED, zeros, &inner, p->val);
    }
    p->axes = outer;
  }
}

/* What stands in only one branch: the other adds 0, at position 0 where the position is its own. */
static void lone(derivation *d, ir_op *branch, ir_builder *other, loglik_point *p, bool then_) {
  const ir_block *home = then_ ? &branch->u.branch->then_ : &branch->u.branch->else_;
  for (uint32_t k = 0; k < p->axes.n; k++) {
    ir_val v = p->axes.at[k];
    if (!v || !ir_block_within(ir_home(d->fn, v), home)) continue;
    ir_val zero = ir_int(other, 0);
    p->axes.at[k] = then_ ? ir_if_out(d->fn, branch, v, zero) : ir_if_out(d->fn, branch, zero, v);
  }
  ir_val none = blank(other, slice_type(p, &p->axes));
  p->val = then_ ? ir_if_out(d->fn, branch, p->val, none) : ir_if_out(d->fn, branch, none, p->val);
}

static bool same_place(const loglik_point *p, const loglik_point *q) {
  if (p->site != q->site || p->axes.n != q->axes.n) return false;
  for (uint32_t k = 0; k < p->axes.n; k++)
    if (p->axes.at[k] != q->axes.at[k]) return false;
  return true;
}

void derive_points_if(derivation *d, ir_op *branch, ir_builder *then_, ir_builder *else_, uint32_t first, uint32_t middle) {
  uint32_t n = middle - first;
  bool pairs = d->npoints - middle == n;
  for (uint32_t k = 0; k < n && pairs; k++) pairs = same_place(&d->point[first + k], &d->point[middle + k]);
  if (pairs) {
    for (uint32_t k = first; k < middle; k++) d->point[k].val = ir_if_out(d->fn, branch, d->point[k].val, d->point[k + n].val);
    d->npoints = middle;
    return;
  }
  for (uint32_t k = first; k < d->npoints; k++) lone(d, branch, k < middle ? else_ : then_, &d->point[k], k < middle);
}

/* The array of a site so far, plus a point. */
static ir_val join(derivation *d, ir_builder *b, ir_val sum, const loglik_point *p) {
  ir_val v = p->val;
  bool whole = true;
  for (uint32_t k = 0; k < p->axes.n; k++) whole = whole && !p->axes.at[k];
  if (!whole) {
    ir_axes all = {.n = p->axes.n};
    v = ir_put(b, blank(b, slice_type(p, &all)), p->axes, v);
  }
  if (!sum) return v;
  ir_type t = ir_type_of(d->fn, v);
  if (t.rank == 0) return ir_op2(b, IR_ADD_OP, sum, v);
  ir_val extent[IR_MAX_RANK];
  for (uint32_t k = 0; k < t.rank; k++) extent[k] = ir_size_val(b, t.dim[k]);
  ir_op *loop = ir_loop_begin(b, IR_PLATE_OP, t.rank, extent);
  ir_builder in = ir_builder_in(b, &loop->u.loop->body);
  ir_axes at = {.n = t.rank};
  memcpy(at.at, loop->u.loop->index, t.rank * sizeof *at.at);
  ir_val x = ir_at(&in, sum, at), y = ir_at(&in, v, at);
  return ir_loop_out(d->fn, loop, IR_STACK, 0, NULL, ir_op2(&in, IR_ADD_OP, x, y));
}

/* What is missing was not observed: 0 in its places, which stand in y.at (lower.h). */
static ir_val without_missing(derivation *d, ir_builder *b, const ir_site *site, ir_val sum) {
  const char *name = arena_printf(d->m->mem, "%s.at", site->name);
  ir_val at = 0;
  for (uint32_t k = 0; k < d->fn->nparams; k++)
    if (strcmp(d->fn->param[k].name, name) == 0) at = d->fn->param[k].val;
  ir_type t = ir_type_of(d->fn, sum);
  if (!at || t.rank != site->type.rank) return sum;
  ir_val extent = ir_size_val(b, ir_type_of(d->fn, at).dim[0]);
  ir_op *loop = ir_loop_begin(b, IR_PLATE_OP, 1, &extent);
  ir_builder in = ir_builder_in(b, &loop->u.loop->body);
  ir_axes axes = {.n = t.rank};
  for (uint32_t k = 0; k < t.rank; k++) {
    ir_axes place = {.n = 2, .at = {loop->u.loop->index[0], ir_int(&in, k)}};
    axes.at[k] = ir_at(&in, at, place);
  }
  return ir_loop_out(d->fn, loop, IR_INTO, sum, &axes, ir_real(&in, 0.0));
}

ir_fn *derive_loglik(check_program *p, ir_module *m, const ir_fn *model, const ir_site **site, uint32_t *n) {
  derivation *d = derive_begin(p, m, model, "loglik", FORM_LOGLIK);
  derive_walk(d);
  ir_builder b = ir_builder_at_end(d->fn, &d->fn->body);
  ir_val *ret = ARENA_ARRAY(m->mem, ir_val, model->nsites);
  *n = 0;
  for (uint32_t s = 0; s < model->nsites; s++) {
    ir_val sum = 0;
    for (uint32_t k = 0; k < d->npoints; k++)
      if (d->point[k].site == model->site[s]) sum = join(d, &b, sum, &d->point[k]);
    if (!sum) continue;
    site[*n] = model->site[s];
    ret[(*n)++] = without_missing(d, &b, model->site[s], sum);
  }
  if (*n == 0) {
    ir_fn_remove(m, d->fn);
    return NULL;
  }
  ir_return(d->fn, *n, ret);
  return d->fn;
}
