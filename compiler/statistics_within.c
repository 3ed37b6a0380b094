/* statistics_within.c: sums of squares and products of linear forms with coefficients by group: y - (alpha[g] + b x), all over s[g].
 *
 * In a group with weights w(i), n = sum w^2, let m_j be the weighted mean of feature j there and d_j = f_j - m_j.  A linear form is then
 *     sum_j c_j f_j = u + sum_j c_j d_j,   u = c_1 + sum_j c_j m_j,
 * and as sum w^2 d_j = 0, the sum of products over the group is n u_a u_b plus that of the d_j.  Where only the coefficient of 1 is grouped, the latter have the same
 * coefficients in all groups, and one triangular factor of all d_j serves for them (statistics_square.c).  Else each group has its own: d = q U with U unit upper triangular by
 * modified Gram-Schmidt, whose sums are sums by key, so that
 *     sum_i w^2 (sum_j c_j d_j)(sum_j e_j d_j) = sum_k D_k (c_k + sum_{j>k} U_kj c_j)(e_k + sum_{j>k} U_kj e_j),   D_k = sum w^2 q_k^2.
 * (Bjorck, Numerical Methods for Least Squares Problems, 2.4.2: U is the factor of a matrix near to d, however badly conditioned d is.)
 *
 * A group that no iteration has adds 0, and nothing to a derivative where its coefficients are finite.
 *
 * A mean in double precision is off by its rounding, of which sum w^2 d_j would see n times; so m_j is a mean and the mean of what it leaves, which are subtracted and
 * multiplied one after the other. */
#include "compiler/statistics.h"

/* a / b, 0 where b is 0. */
static ir_val ratio(ir_builder *b, ir_val a, ir_val d) {
  ir_val zero = ir_real(b, 0.0);
  ir_val none = ir_op2(b, IR_EQ_OP, d, zero);
  return ir_op3(b, IR_SELECT_OP, none, zero, ir_op2(b, IR_DIV_OP, a, ir_op3(b, IR_SELECT_OP, none, ir_real(b, 1.0), d)));
}

/* In @prepare: a[.., ..] / total[..], for each group. */
static ir_val divided(frame *f, ir_val a, ir_val total) {
  ir_type t = ir_type_of(f->prepare, a), of = ir_type_of(f->prepare, total);
  ir_val extent[IR_MAX_RANK] = {0};
  for (uint32_t k = 0; k < t.rank; k++) extent[k] = ir_size_val(&f->b, t.dim[k]);
  ir_op *plate = ir_loop_begin(&f->b, IR_PLATE_OP, t.rank, extent);
  ir_builder in = ir_builder_in(&f->b, &plate->u.loop->body);
  ir_axes all = {.n = t.rank}, group = {.n = of.rank};
  for (uint32_t k = 0; k < t.rank; k++) all.at[k] = plate->u.loop->index[k];
  for (uint32_t k = 0; k < of.rank; k++) group.at[k] = plate->u.loop->index[k];
  return ir_loop_out(f->prepare, plate, IR_STACK, 0, NULL, ratio(&in, ir_at(&in, a, all), ir_at(&in, total, group)));
}

/* v less a - or of vectors each element - times s; 0 stands for no a, no s. */
static ir_val less(ir_builder *b, ir_val v, ir_val a, ir_val s) {
  ir_type t = ir_type_of(b->fn, v);
  if (t.rank == 0) {
    if (a) v = ir_op2(b, IR_SUB_OP, v, a);
    return s ? ir_op2(b, IR_MUL_OP, v, s) : v;
  }
  ir_val n = ir_size_val(b, t.dim[0]);
  ir_op *each = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  ir_builder in = ir_builder_in(b, &each->u.loop->body);
  ir_val k = each->u.loop->index[0], e = ir_at1(&in, v, k);
  if (a) e = ir_op2(&in, IR_SUB_OP, e, ir_at1(&in, a, k));
  return ir_loop_out(b->fn, each, IR_STACK, 0, NULL, s ? ir_op2(&in, IR_MUL_OP, e, s) : e);
}

/* The mean of each column in each group; with `rest`, of what it is when the mean is subtracted. */
static void group_means(stat_plate *x, frame *f, stat_columns *c, const ir_val *features, bool rest, ir_val *total /* IN OUT */) {
  const stat_groups *g = stat_groups_of(x, c->group);
  ir_op *plate = stat_prepare_plate(x, f, c->n + 1, features, g);
  ir_builder in = ir_builder_in(&f->b, &plate->u.loop->body);
  ir_val w = c->weight ? ir_map_get(&f->c.map, c->weight) : 0, ww = w ? ir_op2(&in, IR_MUL_OP, w, w) : 0;
  if (!rest) *total = stat_group_sum(f, g, plate, ww ? ww : ir_real(&in, 1.0));
  ir_val *sum = ARENA_ARRAY(x->m->mem, ir_val, c->n);
  for (size_t k = 0; k < c->n; k++) {
    const stat_column *t = &c->c[k];
    ir_val mean = rest ? ir_at(&in, t->mean, stat_key_axes(g, f, t->width != 0)) : 0;
    sum[k] = stat_group_sum(f, g, plate, less(&in, ir_map_get(&f->c.map, t->feature), mean, ww));
  }
  for (size_t k = 0; k < c->n; k++) {
    stat_column *t = &c->c[k];
    ir_val v = divided(f, sum[k], *total);
    *(rest ? &t->rest : &t->mean) = v;
    *(rest ? &t->kept_rest : &t->kept) = frame_add(f, x->fn, v);
  }
}

/* d of every column times the weight, as arrays over the iterations. */
static void deviations(stat_plate *x, frame *f, const stat_columns *c, const ir_val *features, ir_val *d /* OUT [c->n] */) {
  const stat_groups *g = stat_groups_of(x, c->group);
  ir_op *plate = stat_prepare_plate(x, f, c->n + 1, features, g);
  ir_builder in = ir_builder_in(&f->b, &plate->u.loop->body);
  ir_axes at = stat_key_axes(g, f, 0);
  for (size_t k = 0; k < c->n; k++) {
    ir_val v = less(&in, ir_map_get(&f->c.map, c->c[k].feature), ir_at(&in, c->c[k].mean, at), 0);
    v = less(&in, v, ir_at(&in, c->c[k].rest, at), c->weight ? ir_map_get(&f->c.map, c->weight) : 0);
    d[k] = ir_loop_out(f->prepare, plate, IR_STACK, 0, NULL, v);
  }
}

/* One step: what column k has of each later one, and that subtracted. */
static void gram_schmidt_step(stat_plate *x, frame *f, const stat_columns *c, size_t k, ir_val *d /* IN OUT */) {
  const stat_groups *g = stat_groups_of(x, c->group);
  const uint32_t rank = x->loop->u.loop->rank;
  ir_op *plate = stat_prepare_plate(x, f, 0, NULL, g);
  ir_builder in = ir_builder_in(&f->b, &plate->u.loop->body);
  ir_axes here = {.n = rank};
  for (uint32_t q = 0; q < rank; q++) here.at[q] = plate->u.loop->index[q];
  ir_val pivot = ir_at(&in, d[k], here), square = stat_group_sum(f, g, plate, ir_op2(&in, IR_MUL_OP, pivot, pivot));
  ir_val *sum = ARENA_ARRAY(x->m->mem, ir_val, c->n);
  for (size_t j = k + 1; j < c->n; j++) sum[j] = stat_group_sum(f, g, plate, ir_op2(&in, IR_MUL_OP, pivot, ir_at(&in, d[j], here)));
  c->row[k * c->n + k] = frame_add(f, x->fn, square);
  if (k + 1 == c->n) return;
  ir_val *share = ARENA_ARRAY(x->m->mem, ir_val, c->n);
  for (size_t j = k + 1; j < c->n; j++) {
    share[j] = divided(f, sum[j], square);
    c->row[k * c->n + j] = frame_add(f, x->fn, share[j]);
  }
  plate = stat_prepare_plate(x, f, 0, NULL, g);
  in = ir_builder_in(&f->b, &plate->u.loop->body);
  for (uint32_t q = 0; q < rank; q++) here.at[q] = plate->u.loop->index[q];
  pivot = ir_at(&in, d[k], here);
  ir_axes at = stat_key_axes(g, f, 0);
  for (size_t j = k + 1; j < c->n; j++) {
    ir_val v = ir_op2(&in, IR_SUB_OP, ir_at(&in, d[j], here), ir_op2(&in, IR_MUL_OP, ir_at(&in, share[j], at), pivot));
    d[j] = ir_loop_out(f->prepare, plate, IR_STACK, 0, NULL, v);
  }
}

void stat_group_columns(stat_plate *x, frame *f, stat_columns *c) {
  ir_val *features = ARENA_ARRAY(x->m->mem, ir_val, c->n + 1), total = 0;
  for (size_t k = 0; k < c->n; k++) features[k] = c->c[k].feature;
  features[c->n] = c->weight;
  group_means(x, f, c, features, false, &total);
  c->total = frame_add(f, x->fn, total);
  if (c->n) group_means(x, f, c, features, true, &total);
  if (c->pooled || !c->n) return;
  c->row = ARENA_ARRAY(x->m->mem, ir_val, c->n * c->n);
  ir_val *d = ARENA_ARRAY(x->m->mem, ir_val, c->n);
  deviations(x, f, c, features, d);
  for (size_t k = 0; k < c->n; k++) gram_schmidt_step(x, f, c, k, d);
}

/* ---- in the function, for one group */

static ir_val times(ir_builder *b, ir_val c, ir_val v) {
  if (!c) return v;
  return ir_type_of(b->fn, v).rank ? ir_matmul(b, c, v, 0) : ir_op2(b, IR_MUL_OP, c, v);
}

/* u: terms in their own order, so that y - mu becomes mean(y) - mu, and then what the means are off. */
static ir_val at_means(stat_plate *x, ir_builder *b, const stat_columns *c, const stat_linear *l) {
  const stat_groups *g = stat_groups_of(x, c->group);
  ir_val total = 0;
  for (int rest = 0; rest < 2; rest++)
    for (size_t k = 0; k < l->n; k++) {
      const stat_term *t = &l->term[k];
      const stat_column *w = t->feature ? stat_column_of(c, t->feature) : NULL;
      if (w) total = stat_plus(b, total, times(b, t->c.v, ir_at(b, rest ? w->kept_rest : w->kept, stat_group_axes(g, w->width != 0))), t->minus);
      else if (!rest) total = stat_plus(b, total, stat_coef_value(x, t->c), t->minus);
    }
  return total ? total : ir_real(b, 0.0);
}

/* Row k of U times the coefficients. */
static ir_val row_of(stat_plate *x, ir_builder *b, const stat_columns *c, const stat_linear *l, size_t k) {
  const stat_groups *g = stat_groups_of(x, c->group);
  ir_val total = 0;
  for (size_t q = 0; q < l->n; q++) {
    const stat_term *t = &l->term[q];
    const stat_column *w = t->feature ? stat_column_of(c, t->feature) : NULL;
    size_t j = w ? (size_t)(w - c->c) : 0;
    if (!w || j < k) continue;
    ir_val v = j == k ? stat_coef_value(x, t->c) : times(b, t->c.v, ir_at(b, c->row[k * c->n + j], stat_group_axes(g, 0)));
    total = stat_plus(b, total, v, t->minus);
  }
  return total;
}

ir_val stat_group_squares(stat_plate *x, const stat_columns *c, size_t k, const stat_square *s) {
  const stat_groups *g = stat_groups_of(x, c->group);
  ir_builder *b = stat_place(x, c->group);
  const stat_linear *l = &c->a[k], *m = &c->b[k];
  bool same = l->term == m->term;
  ir_axes at = stat_group_axes(g, 0);
  ir_val n = ir_at(b, c->total, at), u = at_means(x, b, c, l), v = same ? u : at_means(x, b, c, m);
  ir_val total = ir_op2(b, IR_MUL_OP, n, ir_op2(b, IR_MUL_OP, u, v));
  for (size_t r = 0; r < c->n && !c->pooled; r++) {
    u = row_of(x, b, c, l, r);
    v = same ? u : row_of(x, b, c, m, r);
    if (u && v) total = ir_op2(b, IR_ADD_OP, total, ir_op2(b, IR_MUL_OP, ir_at(b, c->row[r * c->n + r], at), ir_op2(b, IR_MUL_OP, u, v)));
  }
  const stat_coef scale[3] = {l->scale, m->scale, s->scale};
  for (int j = 0; j < 3; j++)
    if (scale[j].group) total = ir_op2(b, IR_MUL_OP, total, stat_coef_value(x, scale[j]));
  ir_val zero = ir_real(b, 0.0);
  total = ir_op3(b, IR_SELECT_OP, ir_op2(b, IR_EQ_OP, n, zero), zero, total);
  return ir_loop_out(x->fn, g->plate, IR_SUM, 0, NULL, total);
}
