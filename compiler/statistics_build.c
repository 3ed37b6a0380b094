/* statistics_build.c: coefficients before a plate, features in its body (statistics.h). */
#include "compiler/statistics.h"

#include <string.h>

ir_val stat_coef_value(stat_plate *x, stat_coef c) { return c.v ? c.v : ir_real(&x->before, 1.0); }

bool stat_coefs_meet(uint32_t n, const stat_coef *args) {
  uint32_t group = 0;
  for (uint32_t k = 0; k < n; k++) {
    if (group && args[k].group && args[k].group != group) return false;
    if (args[k].group) group = args[k].group;
  }
  return true;
}

stat_coef stat_coef_op(stat_plate *x, ir_code code, uint32_t n, const stat_coef *args) {
  stat_coef r = {0};
  ir_val v[3] = {0};
  for (uint32_t k = 0; k < n; k++) {
    v[k] = stat_coef_value(x, args[k]);
    if (args[k].group) r.group = args[k].group;
  }
  ir_builder *b = stat_place(x, r.group);
  r.v = n == 1 ? ir_op1(b, code, v[0]) : n == 2 ? ir_op2(b, code, v[0], v[1]) : ir_op3(b, code, v[0], v[1], v[2]);
  return r;
}

/* a times s, element by element where a is a vector. */
static ir_val scaled(ir_builder *b, ir_val a, ir_val s) {
  ir_type t = ir_type_of(b->fn, a);
  if (t.rank == 0) return ir_op2(b, IR_MUL_OP, a, s);
  ir_val n = ir_size_val(b, t.dim[0]);
  ir_op *loop = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  ir_builder in = ir_builder_in(b, &loop->u.loop->body);
  return ir_loop_out(b->fn, loop, IR_STACK, 0, NULL, ir_op2(&in, IR_MUL_OP, ir_at1(&in, a, loop->u.loop->index[0]), s));
}

stat_coef stat_coef_mul(stat_plate *x, stat_coef a, stat_coef b) {
  if (!a.v) return b;
  if (!b.v) return a;
  if (ir_type_of(x->fn, b.v).rank) {
    stat_coef t = a;
    a = b;
    b = t;
  }
  uint32_t group = a.group ? a.group : b.group;
  return (stat_coef){scaled(stat_place(x, group), a.v, b.v), group};
}

ir_val stat_feature(stat_plate *x, ir_val v) {
  ir_map_set(&x->data, v, 1);
  return v;
}

ir_val stat_feature_mul(stat_plate *x, ir_val a, ir_val b) {
  if (!a || !b) return a ? a : b;
  return stat_feature(x, scaled(&x->body, a, b));
}

stat_linear stat_distributed(stat_plate *x, const stat_linear *l, bool scale, bool weight) {
  stat_linear r = *l;
  if (!l->scale.v) scale = false;
  if (!l->weight) weight = false;
  if (!scale && !weight) return r;
  r.term = ARENA_ARRAY(x->m->mem, stat_term, l->n);
  if (l->n) memcpy(r.term, l->term, l->n * sizeof *r.term);
  for (size_t k = 0; k < l->n; k++) {
    stat_term *t = &r.term[k];
    if (scale) t->c = stat_coef_mul(x, t->c, l->scale);
    if (!weight) continue;
    t->feature = stat_feature_mul(x, t->feature, l->weight);
    if (t->when) t->other = stat_feature_mul(x, t->other, l->weight);
    t->count = false;
  }
  if (scale) r.scale = (stat_coef){0};
  if (weight) r.weight = 0;
  return r;
}

ir_val stat_plus(ir_builder *b, ir_val total, ir_val v, bool minus) {
  if (!total) return minus ? ir_op1(b, IR_NEG_OP, v) : v;
  return ir_op2(b, minus ? IR_SUB_OP : IR_ADD_OP, total, v);
}

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

ir_op *stat_prepare_plate(stat_plate *x, frame *f, size_t n, const ir_val *feature, const stat_groups *g) {
  const ir_loop *from = x->loop->u.loop;
  ir_val extent[IR_MAX_RANK];
  for (uint32_t k = 0; k < from->rank; k++) extent[k] = ir_map_get(&f->c.map, from->extent[k]);
  ir_op *plate = ir_loop_begin(&f->b, IR_PLATE_OP, from->rank, extent);
  for (uint32_t k = 0; k < from->rank; k++) ir_map_set(&f->c.map, from->index[k], plate->u.loop->index[k]);
  ir_builder in = ir_builder_in(&f->b, &plate->u.loop->body);
  ir_val *all = ARENA_ARRAY(x->m->mem, ir_val, n + IR_MAX_RANK);
  if (n) memcpy(all, feature, n * sizeof *all);
  for (uint32_t k = 0; g && k < g->nkeys; k++) all[n++] = g->key[k];
  stat_clone_features(x, f, &in, n, all);
  return plate;
}
