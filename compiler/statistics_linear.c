/* statistics_linear.c: sum_i sum_j c_j f_j(i) = sum_j c_j F_j, with F_j = sum_i f_j(i) in @prepare; with grouped coefficients
 * sum_g sum_j c_j(g) F_j[g], with F_j[g] the sum over the iterations of group g (statistics.h). */
#include "compiler/statistics.h"

#include "compiler/ir_uses.h"

void stat_clone_features(stat_plate *x, frame *f, ir_builder *b, size_t n, const ir_val *feature) {
  ir_block *body = &x->loop->u.loop->body;
  stat_want(x, n, feature);
  for (const ir_op *op = body->first; op; op = op->next) {
    stat_mark_data(x, op); /* literals of features too */
    bool data = op->nres > 0;
    for (uint32_t k = 0; k < op->nres; k++) data = data && stat_is_data(x, op->res[k]);
    if (data && stat_is_wanted(x, op)) frame_clone(f, b, op);
  }
}

/* F of one term, kept in the frame. */
typedef struct kept {
  ir_val feature;
  bool grouped;
  ir_val sum;
} kept;

static ir_val sum_in_prepare(stat_plate *x, frame *f, ir_op *plate, const stat_term *t, bool grouped) {
  ir_builder in = ir_builder_in(&f->b, &plate->u.loop->body);
  ir_val v = t->feature ? ir_map_get(&f->c.map, t->feature) : ir_real(&in, 1.0);
  if (!grouped) return frame_add(f, x->fn, ir_loop_out(f->prepare, plate, IR_SUM, 0, NULL, v));
  ir_builder before = {.fn = f->prepare, .block = plate->block, .before = plate, .where = plate->where};
  ir_val none = ir_new_array(&before, ir_array(IR_REAL, (int)x->nkeys, x->key_size));
  ir_axes axes = {.n = x->nkeys};
  for (uint32_t k = 0; k < x->nkeys; k++) {
    axes.at[k] = ir_map_get(&f->c.map, x->key[k]);
    if (!axes.at[k]) return 0;
  }
  return frame_add(f, x->fn, ir_loop_out(f->prepare, plate, IR_KEYED, none, &axes, v));
}

/* c F, where the sum of a count is 0 only that. */
static ir_val product(ir_builder *b, const stat_term *t, ir_val sum) {
  double literal;
  if (!t->c.v) return sum;
  if (ir_type_of(b->fn, sum).rank) return ir_matmul(b, t->c.v, sum, 0);
  ir_val p = ir_op2(b, IR_MUL_OP, t->c.v, sum), zero = ir_real(b, 0.0);
  if (!t->count || (ir_is_real(b->fn, t->c.v, &literal) && literal - literal == 0)) return p;
  return ir_op3(b, IR_SELECT_OP, ir_op2(b, IR_EQ_OP, sum, zero), zero, p);
}

static ir_val plus(ir_builder *b, ir_val total, ir_val v, bool minus) {
  if (!total) return minus ? ir_op1(b, IR_NEG_OP, v) : v;
  return ir_op2(b, minus ? IR_SUB_OP : IR_ADD_OP, total, v);
}

ir_val stat_sum_linear(stat_plate *x, frame *f, ir_builder *after, const stat_linear *given, size_t *nstatistics) {
  if (given->n == 0) return 0;
  stat_linear l = stat_distributed(x, given, given->scale.grouped, true);
  const ir_loop *from = x->loop->u.loop;
  ir_val extent[IR_MAX_RANK];
  for (uint32_t k = 0; k < from->rank; k++) extent[k] = ir_map_get(&f->c.map, from->extent[k]);
  ir_op *plate = ir_loop_begin(&f->b, IR_PLATE_OP, from->rank, extent);
  for (uint32_t k = 0; k < from->rank; k++) ir_map_set(&f->c.map, from->index[k], plate->u.loop->index[k]);
  ir_builder in = ir_builder_in(&f->b, &plate->u.loop->body);
  ir_val *features = ARENA_ARRAY(x->m->mem, ir_val, l.n + x->nkeys);
  size_t nfeatures = 0;
  for (size_t k = 0; k < l.n; k++) features[nfeatures++] = l.term[k].feature;
  for (uint32_t k = 0; k < x->nkeys; k++) features[nfeatures++] = x->key[k];
  stat_clone_features(x, f, &in, nfeatures, features);

  kept *sums = ARENA_ARRAY(x->m->mem, kept, l.n);
  size_t nsums = 0;
  ir_val total = 0, in_group = 0, count = 0;
  for (size_t k = 0; k < l.n; k++) {
    const stat_term *t = &l.term[k];
    ir_val sum = 0;
    for (size_t j = 0; j < nsums; j++)
      if (sums[j].feature == t->feature && sums[j].grouped == t->c.grouped) sum = sums[j].sum;
    if (!sum && !t->feature && !t->c.grouped) {
      sum = count = count ? count : ir_op1(after, IR_TO_REAL_OP, ir_iterations(after, from));
    } else if (!sum) {
      sum = sum_in_prepare(x, f, plate, t, t->c.grouped);
      sums[nsums++] = (kept){t->feature, t->c.grouped, sum};
    }
    if (!t->c.grouped) {
      total = plus(after, total, product(after, t, sum), t->minus);
      continue;
    }
    ir_axes axes = {.n = x->nkeys};
    for (uint32_t q = 0; q < x->nkeys; q++) axes.at[q] = x->groups->u.loop->index[q];
    in_group = plus(&x->in_group, in_group, product(&x->in_group, t, ir_at(&x->in_group, sum, axes)), t->minus);
  }
  if (in_group) total = plus(after, total, ir_loop_out(x->fn, x->groups, IR_SUM, 0, NULL, in_group), false);
  if (l.scale.v) total = ir_op2(after, IR_MUL_OP, total, l.scale.v);
  *nstatistics = nsums;
  return total;
}
