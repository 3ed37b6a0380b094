/* derive_draw.c: a sample operation as a draw from its distribution. */
#include "compiler/derive_internal.h"

#include <math.h>
#include <string.h>

static ir_val flat_index(derivation *d, ir_builder *b, const ir_site *site, const ir_axes *axes) {
  ir_val i = ir_int(b, 0);
  for (uint32_t k = 0; k < axes->n; k++)
    i = ir_op2(b, IR_ADD_OP, ir_op2(b, IR_MUL_OP, i, ir_size_val(b, site->type.dim[k])), derive_get(d, axes->at[k]));
  return i;
}

static ir_val call_sampler(ir_builder *b, const ir_dist *dist, ir_val key, ir_val index, uint32_t n, const ir_val *args) {
  ir_val all[DERIVE_MAX_ARGS + 1] = {key, index};
  memcpy(all + 2, args, n * sizeof *args);
  return ir_call(b, dist->sample, n + 2, all)->res[0];
}

ir_val derive_in_bounds(ir_builder *b, ir_val x, ir_val lo, ir_val hi) {
  ir_val ok = ir_bool(b, true);
  if (lo) ok = ir_op2(b, IR_AND_OP, ok, ir_op2(b, IR_LE_OP, lo, x));
  if (hi) ok = ir_op2(b, IR_AND_OP, ok, ir_op2(b, IR_LE_OP, x, hi));
  return ok;
}

/* A site narrower than its distribution, where no cdf tells more (truncate_draw.c), is drawn by rejection: the first of TRIES draws inside the
 * bounds.  If none is (for a mass of 1 % that happens once in 10^28 draws, for one of 10^-4 every other time) a real is NaN, which no
 * driver takes for a draw, and an integer the bound nearest to the last try. */
enum { TRIES = 6400 };

static ir_val draw_bounded(ir_builder *b, const ir_dist *dist, ir_val key, ir_val index, uint32_t n, const ir_val *args, ir_val lo,
                           ir_val hi) {
  ir_val first = call_sampler(b, dist, key, index, n, args);
  ir_op *miss = ir_if_begin(b, derive_in_bounds(b, first, lo, hi));
  ir_builder in = ir_builder_in(b, &miss->u.branch->else_);
  ir_val count = ir_int(&in, TRIES);
  ir_op *scan = ir_loop_begin(&in, IR_SCAN_OP, 1, &count);
  ir_loop_state(b->fn, scan, IR_CARRY, first);
  ir_val x = scan->u.loop->out[0].state;
  ir_builder body = ir_builder_in(&in, &scan->u.loop->body);
  ir_op *again = ir_if_begin(&body, derive_in_bounds(&body, x, lo, hi));
  ir_builder redo = ir_builder_in(&body, &again->u.branch->else_);
  ir_val key2 = ir_op2(&redo, IR_FOLD_OP, key, ir_op2(&redo, IR_ADD_OP, scan->u.loop->index[0], ir_int(&redo, 1)));
  ir_val y = call_sampler(&redo, dist, key2, index, n, args);
  ir_loop_finish(b->fn, scan, 0, NULL, ir_if_out(b->fn, again, x, y));
  ir_val z = scan->res[0];
  if (ir_type_of(b->fn, z).elem == IR_REAL) {
    z = ir_op3(&in, IR_SELECT_OP, derive_in_bounds(&in, z, lo, hi), z, ir_real(&in, (double)NAN));
  } else {
    if (lo) z = ir_op2(&in, IR_MAX_OP, z, lo);
    if (hi) z = ir_op2(&in, IR_MIN_OP, z, hi);
  }
  return ir_if_out(b->fn, miss, first, z);
}

/* An element of a finite type that has no distribution but the counting measure: all values alike. */
static ir_val draw_alike(derivation *d, ir_builder *b, const ir_tilde *t, ir_val index) {
  ir_val lo = derive_get(d, t->lo), hi = derive_get(d, t->hi);
  ir_val key = ir_op2(b, IR_FOLD_OP, d->key, ir_int(b, t->site->number));
  ir_val u = ir_draw(b, IR_UNIFORM_OP, 1, key, index, 0, NULL);
  int64_t from, to;
  if (t->site->type.elem == IR_BOOL) return ir_op2(b, IR_LE_OP, ir_real(b, 0.5), u);
  if (ir_is_int(d->fn, lo, &from) && ir_is_int(d->fn, hi, &to) && from == -1 && to == 1)
    return ir_op3(b, IR_SELECT_OP, ir_op2(b, IR_LT_OP, u, ir_real(b, 0.5)), lo, hi);
  ir_val n = ir_op2(b, IR_ADD_OP, ir_op2(b, IR_SUB_OP, hi, lo), ir_int(b, 1));
  ir_val k = ir_op1(b, IR_TO_INT_OP, ir_op1(b, IR_FLOOR_OP, ir_op2(b, IR_MUL_OP, u, ir_op1(b, IR_TO_REAL_OP, n))));
  return ir_op2(b, IR_ADD_OP, lo, k);
}

bool derive_alike(const ir_tilde *t) {
  return t->site->support == IR_SUP_FINITE && t->lo && t->hi && derive_is_flat(t->dist);
}

static ir_val draw_one(derivation *d, ir_builder *b, const ir_tilde *t, ir_val index, uint32_t n, const ir_val *args) {
  if (derive_alike(t)) return draw_alike(d, b, t, index);
  ir_val lo = derive_get(d, t->lo), hi = derive_get(d, t->hi);
  ir_val key = ir_op2(b, IR_FOLD_OP, d->key, ir_int(b, t->site->number));
  ir_elem x = (ir_elem)ir_type_of(t->dist->sample, t->dist->sample->ret[0]).elem;
  bool scalar = t->dist->event_rank == 0 && x != IR_BOOL, ordered = t->site->support == IR_SUP_ORDERED;
  return scalar && (ordered ? lo != 0 : t->cut) ? draw_bounded(b, t->dist, key, index, n, args, lo, hi) : call_sampler(b, t->dist, key, index, n, args);
}

/* Independent draws x in increasing order: each goes to the place that the number of smaller ones tells, equal ones in their order. */
static ir_val sorted(ir_builder *b, ir_val x) {
  ir_type type = ir_type_of(b->fn, x);
  ir_val n = ir_size_val(b, type.dim[0]), none = ir_new_array(b, type);
  ir_op *place = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  ir_builder in = ir_builder_in(b, &place->u.loop->body);
  ir_val i = place->u.loop->index[0], xi = ir_at1(&in, x, i);
  ir_op *rank = ir_loop_begin(&in, IR_PLATE_OP, 1, &n);
  ir_builder one = ir_builder_in(&in, &rank->u.loop->body);
  ir_val j = rank->u.loop->index[0], xj = ir_at1(&one, x, j);
  ir_val tie = ir_op2(&one, IR_AND_OP, ir_op2(&one, IR_EQ_OP, xj, xi), ir_op2(&one, IR_LT_OP, j, i));
  ir_val less = ir_op1(&one, IR_BOOL_INT_OP, ir_op2(&one, IR_OR_OP, ir_op2(&one, IR_LT_OP, xj, xi), tie));
  ir_axes at = {.n = 1, .at = {ir_loop_out(b->fn, rank, IR_SUM, 0, NULL, less)}};
  return ir_loop_out(b->fn, place, IR_INTO, none, &at, xi);
}

ir_val derive_blank(ir_builder *b, ir_type t) {
  if (t.rank) return ir_new_array(b, t);
  return t.elem == IR_REAL ? ir_real(b, 0.0) : t.elem == IR_INT ? ir_int(b, 0) : ir_bool(b, false);
}

ir_val derive_draw(derivation *d, ir_builder *b, const ir_op *op) {
  const ir_tilde *t = op->u.tilde;
  const ir_dist *dist = t->dist;
  ir_type x = ir_type_of(d->model, op->res[0]);
  /* Elements drawn one by one have the right law only if nothing ties them together; the order of equal laws is made afterwards. */
  bool tied = x.rank > dist->event_rank && t->site->support > IR_SUP_INTERVAL && t->site->support < IR_SUP_INT;
  bool ordered = tied && t->site->support == IR_SUP_ORDERED && x.rank == 1;
  for (uint32_t k = 0; dist->sample && k < op->nargs; k++)
    ordered = ordered && ir_type_of(d->model, op->args[k]).rank <= derive_formal_rank(dist->sample, k + 2);
  if ((!dist->sample && !derive_alike(t)) || (tied && !ordered)) {
    if (!d->undrawable) d->undrawable = t->site;
    return derive_blank(b, x);
  }
  ir_val args[DERIVE_MAX_ARGS], index = flat_index(d, b, t->site, &t->axes);
  for (uint32_t k = 0; k < op->nargs; k++) args[k] = derive_get(d, op->args[k]);
  if (x.rank <= dist->event_rank) return draw_one(d, b, t, index, op->nargs, args);
  uint32_t spread = x.rank - dist->event_rank;
  ir_val extent[IR_MAX_RANK];
  for (uint32_t k = 0; k < spread; k++) extent[k] = ir_size_val(b, x.dim[k]);
  ir_op *loop = ir_loop_begin(b, IR_PLATE_OP, spread, extent);
  ir_builder in = ir_builder_in(b, &loop->u.loop->body);
  for (uint32_t k = 0; k < op->nargs; k++)
    args[k] = derive_spread_arg(&in, args[k], derive_formal_rank(dist->sample, k + 2), spread, loop->u.loop->index);
  for (uint32_t k = 0; k < spread; k++)
    index = ir_op2(&in, IR_ADD_OP, ir_op2(&in, IR_MUL_OP, index, extent[k]), loop->u.loop->index[k]);
  ir_val v = draw_one(d, &in, t, index, op->nargs, args);
  ir_val all = ir_loop_out(d->fn, loop, IR_STACK, 0, NULL, v);
  return ordered ? sorted(b, all) : all;
}
