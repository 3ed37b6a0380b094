/* derive_boxes.c: sums of sums as sums over boxes, for derive_local.c to narrow along every axis.
 *
 *     plate i < n -> sum { row = at s, i, :;  yield (plate j < m -> sum { .. row[j] .. }) + (plate k < len[i] -> sum { .. row[k] .. }) }
 *
 * says of an element of s only in which rows it is read; plate i < n, j < m -> sum and plate i < n, k < K -> sum { if k < len[i] { .. } } say which pairs, where
 * elements are read as s[i, j].  What stands around an inner sum is then in every iteration, so it has to be cheap. */
#include "compiler/derive.h"
#include "compiler/ir_uses.h"
#include "compiler/loop_ends.h"

enum { MOST_TERMS = 16 };

static bool is_cheap(const ir_op *op) { return !ir_is_loop(op) && op->code != IR_IF_OP && ir_op_table[op->code].flops <= 1; }

static bool sums(const ir_fn *fn, const ir_op *op, uint32_t slot) {
  return op && op->code == IR_PLATE_OP && op->u.loop->out[slot].mode == IR_SUM && ir_type_of(fn, op->res[slot]).rank == 0;
}

/* One term of what a loop sums: an inner sum, over positions of its own, or whatever else. */
typedef struct boxed {
  ir_val v;
  bool minus;
  const ir_op *inner; /* NULL: it is no sum that a box may be made of */
  bool varies;        /* its only axis has ends that are data */
  loop_ends r;
} boxed;

/* Arrays of latents, and what depends on these. */
static bool *latent_arrays(ir_module *m, const ir_fn *fn) {
  bool *is = ARENA_ARRAY(m->mem, bool, fn->nvals);
  for (uint32_t k = 0; k < fn->nparams; k++) is[fn->param[k].val] = fn->param[k].role == IR_ROLE_LATENT;
  ir_spread(is, fn);
  return is;
}

/* The inner sum that v is, if a box can be made of it and what stands around. */
static void see_inner(ir_module *m, const ir_fn *fn, const ir_op *outer, boxed *x) {
  const ir_loop *around = outer->u.loop;
  const ir_op *inner = ir_def_op(fn, x->v);
  if (!inner || !sums(fn, inner, ir_value_of(fn, x->v)->slot) || inner->block != &around->body || around->rank + inner->u.loop->rank > IR_MAX_RANK) return;
  for (uint32_t k = 0; k < inner->u.loop->rank; k++) {
    if (!ir_block_within(ir_home(fn, inner->u.loop->extent[k]), &around->body)) continue;
    if (inner->u.loop->rank > 1) return;
    x->varies = true;
    x->r = loop_ends_of(fn, inner->u.loop, k);
    if (x->r.extent == IR_SIZE_NONE || !loop_ends_matter(fn, inner->u.loop, k, latent_arrays(m, fn), m->mem)) return;
  }
  size_t n;
  ir_op **ops = ir_needed(fn, &around->body, x->v, m->mem, &n);
  for (size_t k = 0; k < n; k++)
    if (ops[k] != inner && !is_cheap(ops[k])) return;
  x->inner = inner;
}

static bool add_terms(ir_module *m, const ir_fn *fn, const ir_op *outer, ir_val v, bool minus, boxed *list, size_t *n) {
  const ir_op *op = ir_def_op(fn, v);
  if (op && op->block == &outer->u.loop->body && (op->code == IR_ADD_OP || op->code == IR_SUB_OP))
    return add_terms(m, fn, outer, op->args[0], minus, list, n) && add_terms(m, fn, outer, op->args[1], minus != (op->code == IR_SUB_OP), list, n);
  if (*n == MOST_TERMS) return false;
  list[*n] = (boxed){.v = v, .minus = minus};
  see_inner(m, fn, outer, &list[(*n)++]);
  return true;
}

/* What a value is in the box: itself where it comes from outside. */
static ir_val in_box(const ir_cloner *c, ir_val v) {
  const ir_val to = v ? ir_map_get(&c->map, v) : 0;
  return to ? to : v;
}

/* An element of a row is one of the array. */
static bool of_row(ir_cloner *c, ir_builder *b, const ir_op *op) {
  const ir_op *row = op->code == IR_AT_OP ? ir_def_op(c->from, op->args[0]) : NULL;
  if (!row || row->code != IR_AT_OP) return false;
  ir_axes axes = row->u.axes;
  uint32_t n = 0;
  for (uint32_t k = 0; k < axes.n; k++) {
    const bool open = !axes.at[k];
    const ir_val at = open ? n < op->u.axes.n ? op->u.axes.at[n] : 0 : axes.at[k];
    n += open;
    axes.at[k] = in_box(c, at);
  }
  ir_map_set(&c->map, op->res[0], ir_at(b, in_box(c, row->args[0]), axes));
  return true;
}

/* The sum over all iterations of outer, and where there is one of the inner sum, of one term. */
static ir_val sum_of(ir_module *m, ir_fn *fn, const ir_op *outer, const boxed *x, ir_builder *b) {
  const ir_loop *around = outer->u.loop, *loop = x->inner ? x->inner->u.loop : NULL;
  ir_val extent[IR_MAX_RANK];
  uint32_t rank = 0;
  for (uint32_t k = 0; k < around->rank; k++) extent[rank++] = around->extent[k];
  for (uint32_t k = 0; loop && k < loop->rank; k++) extent[rank++] = x->varies ? ir_size_val(b, x->r.extent) : loop->extent[k];
  ir_cloner c = {.from = fn, .map = ir_map_new(m->mem, fn), .hook = of_row};
  ir_op *box = ir_loop_begin(b, IR_PLATE_OP, rank, extent);
  const ir_val *index = box->u.loop->index;
  ir_builder in = ir_builder_in(b, &box->u.loop->body);
  for (uint32_t k = 0; k < around->rank; k++) ir_map_set(&c.map, around->index[k], index[k]);
  size_t n, inside;
  ir_op **ops = ir_needed(fn, &around->body, x->v, m->mem, &n);
  for (size_t k = 0; k < n; k++)
    if (ops[k] != x->inner) ir_clone_op(&c, &in, ops[k]);
  if (!loop) return ir_loop_out(fn, box, IR_SUM, 0, NULL, in_box(&c, x->v));
  const ir_val yield = loop->out[ir_value_of(fn, x->v)->slot].yield;
  ir_op **body = ir_needed(fn, &loop->body, yield, m->mem, &inside), *where = NULL;
  ir_builder into = in;
  if (x->varies) {
    /* t is index + first; it is in the loop where start <= t < start + its extent. */
    int64_t none;
    const ir_val t = size_is_const(m->sizes, x->r.first, &none) && none == 0 ? index[rank - 1] : ir_op2(&in, IR_ADD_OP, index[rank - 1], ir_size_val(&in, x->r.first));
    const ir_val start = in_box(&c, x->r.start), k = start ? ir_op2(&in, IR_SUB_OP, t, start) : t;
    const ir_val from = ir_op2(&in, IR_LE_OP, ir_int(&in, 0), k), to = ir_op2(&in, IR_LT_OP, k, ir_map_get(&c.map, loop->extent[0]));
    where = ir_if_begin(&in, ir_op2(&in, IR_AND_OP, from, to));
    into = ir_builder_in(&in, &where->u.branch->then_);
    ir_map_set(&c.map, loop->index[0], k);
    for (size_t i = 0; i < inside && start; i++)
      if (loop_ends_add(body[i], loop->index[0], x->r.start)) ir_map_set(&c.map, body[i]->res[0], t);
  } else {
    for (uint32_t k = 0; k < loop->rank; k++) ir_map_set(&c.map, loop->index[k], index[around->rank + k]);
  }
  for (size_t k = 0; k < inside; k++)
    if (!(where && x->r.start && loop_ends_add(body[k], loop->index[0], x->r.start))) ir_clone_op(&c, &into, body[k]);
  ir_val v = in_box(&c, yield);
  if (where) {
    ir_builder no = ir_builder_in(&in, &where->u.branch->else_);
    v = ir_if_out(fn, where, v, ir_real(&no, 0.0));
  }
  return ir_loop_out(fn, box, IR_SUM, 0, NULL, v);
}

/* The output as a sum of boxes behind it; 0 where there are none in it. */
static ir_val boxes_of(ir_module *m, ir_fn *fn, ir_op *outer, uint32_t slot) {
  boxed list[MOST_TERMS];
  size_t n = 0;
  bool any = false;
  if (!sums(fn, outer, slot) || !add_terms(m, fn, outer, outer->u.loop->out[slot].yield, false, list, &n)) return 0;
  for (size_t k = 0; k < n; k++) any = any || list[k].inner;
  if (!any) return 0;
  ir_builder b = {.fn = fn, .block = outer->block, .before = outer->next};
  ir_val total = 0;
  for (size_t k = 0; k < n; k++) {
    const ir_val v = sum_of(m, fn, outer, &list[k], &b);
    if (total) total = ir_op2(&b, list[k].minus ? IR_SUB_OP : IR_ADD_OP, total, v);
    else total = list[k].minus ? ir_op1(&b, IR_NEG_OP, v) : v;
  }
  return total;
}

ir_fn *derive_boxes(ir_module *m, const ir_fn *density) {
  ir_fn *fn = ir_fn_new(m, arena_printf(m->mem, "boxes.%s", density->name), false);
  ir_cloner c = {.from = density, .map = ir_map_new(m->mem, density)};
  for (uint32_t k = 0; k < density->nparams; k++) {
    const ir_param *p = &density->param[k];
    ir_map_set(&c.map, p->val, ir_param_add(fn, (ir_role)p->role, p->name, ir_type_of(density, p->val)));
  }
  ir_builder b = ir_builder_at_end(fn, &fn->body);
  ir_clone_block(&c, &b, &density->body);
  ir_val ret[IR_MAX_RANK];
  for (uint32_t k = 0; k < density->nret; k++) ret[k] = ir_map_get(&c.map, density->ret[k]);
  ir_return(fn, density->nret, ret);
  /* Boxes stand behind the sum that they replace, and are looked at next: sums may be nested deeper. */
  for (ir_op *op = fn->body.first; op; op = op->next)
    for (uint32_t k = 0; ir_is_loop(op) && k < op->u.loop->nout; k++) {
      const ir_val v = boxes_of(m, fn, op, k);
      if (v) ir_replace_uses(fn, op->res[k], v);
    }
  return fn;
}
