/* statistics_group.c: iterations in groups: the plate over positions where grouped coefficients are computed, and sums for each group in @prepare
 * (statistics.h). */
#include "compiler/statistics.h"

#include <string.h>

uint32_t stat_groups_with(stat_plate *x, uint32_t n, const ir_val *key, const ir_size *size) {
  for (uint32_t k = 0; k < x->ngroups; k++) {
    const stat_groups *g = &x->group[k];
    if (g->nkeys == n && memcmp(g->key, key, n * sizeof *key) == 0 && memcmp(g->size, size, n * sizeof *size) == 0) return k + 1;
  }
  if (x->ngroups == STAT_MOST_GROUPS) return 0;
  stat_groups *g = &x->group[x->ngroups++];
  *g = (stat_groups){.nkeys = n, .image = ir_map_new(x->m->mem, x->fn)};
  ir_val extent[IR_MAX_RANK];
  for (uint32_t k = 0; k < n; k++) {
    g->key[k] = key[k];
    g->size[k] = size[k];
    extent[k] = ir_size_val(&x->before, size[k]);
  }
  g->plate = ir_loop_begin(&x->before, IR_PLATE_OP, n, extent);
  g->in = ir_builder_in(&x->before, &g->plate->u.loop->body);
  if (x->before.before == x->loop) x->before.before = g->plate; /* what does not vary is computed before all of them */
  return x->ngroups;
}

ir_builder *stat_place(stat_plate *x, uint32_t group) { return group ? &stat_groups_of(x, group)->in : &x->before; }

ir_axes stat_group_axes(const stat_groups *g, uint32_t more) {
  ir_axes axes = {.n = g->nkeys + more};
  for (uint32_t k = 0; k < g->nkeys; k++) axes.at[k] = g->plate->u.loop->index[k];
  return axes;
}

ir_axes stat_key_axes(const stat_groups *g, const frame *f, uint32_t more) {
  ir_axes axes = {.n = g->nkeys + more};
  for (uint32_t k = 0; k < g->nkeys; k++) axes.at[k] = ir_map_get(&f->c.map, g->key[k]);
  return axes;
}

ir_val stat_group_sum(frame *f, const stat_groups *g, ir_op *plate, ir_val v) {
  ir_type t = ir_type_of(f->prepare, v);
  ir_size dim[IR_MAX_RANK];
  memcpy(dim, g->size, g->nkeys * sizeof *dim);
  memcpy(dim + g->nkeys, t.dim, t.rank * sizeof *dim);
  ir_builder before = {.fn = f->prepare, .block = plate->block, .before = plate, .where = plate->where};
  ir_val none = ir_new_array(&before, ir_array(IR_REAL, (int)(g->nkeys + t.rank), dim));
  ir_axes axes = stat_key_axes(g, f, t.rank);
  return ir_loop_out(f->prepare, plate, IR_KEYED, none, &axes, v);
}

ir_val stat_group_counts(stat_plate *x, frame *f, const stat_groups *g) {
  ir_op *plate = stat_prepare_plate(x, f, 0, NULL, g);
  ir_builder in = ir_builder_in(&f->b, &plate->u.loop->body);
  return frame_add(f, x->fn, stat_group_sum(f, g, plate, ir_real(&in, 1.0)));
}
