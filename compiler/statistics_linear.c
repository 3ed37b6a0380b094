/* statistics_linear.c: sum_i sum_j c_j f_j(i) = sum_j c_j F_j, with F_j = sum_i f_j(i) in @prepare; with grouped coefficients
 * sum_g sum_j c_j(g) F_j[g], with F_j[g] the sum over the iterations of group g (statistics.h). */
#include "compiler/statistics.h"

#include "compiler/ir_uses.h"

/* F of one feature, kept in the frame. */
typedef struct kept {
  ir_val feature;
  uint32_t group;
  ir_val sum;
} kept;

typedef struct sums {
  stat_plate *x;
  frame *f;
  ir_builder *after;
  ir_op *plate;
  kept *of;
  size_t n;
  ir_val count;
} sums;

static ir_val sum_of(sums *s, ir_val feature, uint32_t group) {
  stat_plate *x = s->x;
  if (!feature && !group) return s->count = s->count ? s->count : ir_op1(s->after, IR_TO_REAL_OP, ir_iterations(s->after, x->loop->u.loop));
  for (size_t k = 0; k < s->n; k++)
    if (s->of[k].feature == feature && s->of[k].group == group) return s->of[k].sum;
  ir_builder in = ir_builder_in(&s->f->b, &s->plate->u.loop->body);
  ir_val v = feature ? ir_map_get(&s->f->c.map, feature) : ir_real(&in, 1.0);
  ir_val sum = group ? stat_group_sum(s->f, stat_groups_of(x, group), s->plate, v) : ir_loop_out(s->f->prepare, s->plate, IR_SUM, 0, NULL, v);
  return (s->of[s->n++] = (kept){feature, group, frame_add(s->f, x->fn, sum)}).sum;
}

/* The sum where the term's coefficient stands: for a group, its own. */
static ir_val statistic(sums *s, ir_builder *b, const stat_term *t, ir_val feature) {
  ir_val sum = sum_of(s, feature, t->c.group);
  if (!t->c.group) return sum;
  const stat_groups *g = stat_groups_of(s->x, t->c.group);
  return ir_at(b, sum, stat_group_axes(g, ir_type_of(s->x->fn, sum).rank - g->nkeys));
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

ir_val stat_sum_linear(stat_plate *x, frame *f, ir_builder *after, const stat_linear *given, size_t *nstatistics) {
  if (given->n == 0) return 0;
  stat_linear l = stat_distributed(x, given, given->scale.group != 0, true);
  ir_val *features = ARENA_ARRAY(x->m->mem, ir_val, 2 * l.n + STAT_MOST_GROUPS * IR_MAX_RANK);
  size_t n = 0;
  for (size_t k = 0; k < l.n; k++) {
    features[n++] = l.term[k].feature;
    features[n++] = l.term[k].other;
    if (!l.term[k].c.group) continue;
    const stat_groups *g = stat_groups_of(x, l.term[k].c.group);
    bool known = false; /* the keys of a group once */
    for (size_t j = 0; j < k; j++) known = known || l.term[j].c.group == l.term[k].c.group;
    for (uint32_t q = 0; q < g->nkeys && !known; q++) features[n++] = g->key[q];
  }
  sums s = {x, f, after, stat_prepare_plate(x, f, n, features, NULL), ARENA_ARRAY(x->m->mem, kept, 2 * l.n), 0, 0};
  ir_val total = 0, in_group[STAT_MOST_GROUPS] = {0};
  for (size_t k = 0; k < l.n; k++) {
    const stat_term *t = &l.term[k];
    ir_builder *b = t->c.group ? stat_place(x, t->c.group) : after;
    ir_val sum = statistic(&s, b, t, t->feature);
    if (t->when) sum = ir_op3(b, IR_SELECT_OP, t->when, sum, statistic(&s, b, t, t->other));
    ir_val *to = t->c.group ? &in_group[t->c.group - 1] : &total;
    *to = stat_plus(b, *to, product(b, t, sum), t->minus);
  }
  for (uint32_t k = 0; k < x->ngroups; k++)
    if (in_group[k]) total = stat_plus(after, total, ir_loop_out(x->fn, x->group[k].plate, IR_SUM, 0, NULL, in_group[k]), false);
  if (l.scale.v) total = ir_op2(after, IR_MUL_OP, total, l.scale.v);
  *nstatistics = s.n;
  return total;
}
