/* eliminate.c: the walk over dimensions, and plates (eliminate.h). */
#include "compiler/eliminate.h"

#include <string.h>

double elim_number(const eliminator *e, ir_size n) {
  int64_t x;
  if (!size_value(e->g->m->sizes, n, &x)) return 16.0; /* without data: of no use but to compare orders */
  return x > 0 ? (double)x : 0.0;
}

/* A position from a size: what the data cannot have is an error when the program runs. */
ir_val elim_position(eliminator *e, ir_builder *b, uint32_t dim, ir_size at) {
  size_table *s = e->g->m->sizes;
  ir_val p = ir_size_val(b, at);
  int64_t room;
  bool known = size_value(s, size_sub(s, e->g->dim[dim].extent, at), &room) && room > 0;
  return known ? p : ir_op2(b, IR_BOUND_OP, p, ir_size_val(b, e->g->dim[dim].extent));
}

/* ---- ranges */

bool elim_stands(eliminator *e, const factor *f, uint32_t dim, const elim_range *r) {
  size_table *s = e->g->m->sizes;
  return factor_size_le(e->g, f->first[dim], r->first) &&
         factor_size_le(e->g, size_add(s, r->first, r->count), size_add(s, f->first[dim], f->count[dim]));
}

static void add_border(eliminator *e, ir_size *list, size_t *n, ir_size x) {
  size_t k = 0;
  while (k < *n && !factor_size_le(e->g, x, list[k])) k++;
  if (k < *n && factor_size_le(e->g, list[k], x)) return;
  memmove(list + k + 1, list + k, (*n - k) * sizeof *list);
  list[k] = x;
  ++*n;
}

size_t elim_ranges(eliminator *e, uint32_t dim, const elim_part *part, ir_size from, elim_range **out) {
  size_table *s = e->g->m->sizes;
  ir_size end = e->g->dim[dim].extent;
  ir_size *border = ARENA_ARRAY(e->g->m->mem, ir_size, 2 * part->nf + 2);
  size_t n = 0;
  add_border(e, border, &n, from);
  add_border(e, border, &n, end);
  for (size_t k = 0; k < part->nf; k++) {
    const factor *f = part->f[k];
    add_border(e, border, &n, f->first[dim]);
    add_border(e, border, &n, size_add(s, f->first[dim], f->count[dim]));
  }
  elim_range *r = *out = ARENA_ARRAY(e->g->m->mem, elim_range, n);
  size_t count = 0;
  for (size_t k = 0; k + 1 < n; k++) {
    if (!factor_size_le(e->g, from, border[k]) || !factor_size_le(e->g, border[k + 1], end)) continue;
    int64_t length;
    ir_size d = size_sub(s, border[k + 1], border[k]);
    r[count++] = (elim_range){border[k], d, size_is_const(s, d, &length) && length == 1};
  }
  return count;
}

/* ---- splitting what is read at a position */

typedef struct split {
  uint32_t here;             /* variables without further axes */
  step_list tables;          /* terms of these, and of what is known or kept */
  elim_part part[FACTOR_MAX_VARS];
  uint32_t nparts;           /* variables with further axes, as far as terms tie them together */
} split;

static uint32_t reads(const factor *f, uint32_t vars) {
  uint32_t set = 0;
  for (uint32_t r = 0; r < f->nrefs; r++) set |= 1u << f->ref[r].var;
  return set & vars;
}

static split *split_part(eliminator *e, const elim_part *part) {
  split *s = ARENA_NEW(e->g->m->mem, split);
  uint32_t deeper = 0;
  for (uint32_t v = 0; v < e->g->nvars; v++) {
    if (!(part->vars & 1u << v)) continue;
    if (e->g->var[v].dims == e->open) s->here |= 1u << v;
    else deeper |= 1u << v;
  }
  for (uint32_t v = 0; v < e->g->nvars; v++) {
    if (!(deeper & 1u << v)) continue;
    uint32_t together = 1u << v, before = 0;
    while (together != before) {
      before = together;
      for (size_t k = 0; k < part->nf; k++) {
        uint32_t set = reads(part->f[k], deeper);
        if (set & together) together |= set;
      }
    }
    deeper &= ~together;
    elim_part *p = &s->part[s->nparts++];
    p->vars = together;
    p->f = ARENA_ARRAY(e->g->m->mem, const factor *, part->nf);
    for (size_t k = 0; k < part->nf; k++)
      if (reads(part->f[k], together)) p->f[p->nf++] = part->f[k];
  }
  for (size_t k = 0; k < part->nf; k++) {
    bool below = false;
    for (uint32_t p = 0; p < s->nparts; p++) below = below || reads(part->f[k], s->part[p].vars);
    if (!below) step_add(e, &s->tables, step_term(part->f[k]));
  }
  return s;
}

static step_set here_set(const split *s) {
  step_set set = 0;
  for (uint32_t v = 0; v < FACTOR_MAX_VARS; v++)
    if (s->here & 1u << v) set |= step_bit(step_var(v, 0));
  return set;
}

/* The dimension to open for a part: all of its variables have it, and better one without ties along it. */
static uint32_t choose_dim(eliminator *e, const elim_part *part, bool *chain) {
  uint32_t common = ~e->open, first = FACTOR_MAX_VARS, second = FACTOR_MAX_VARS;
  for (uint32_t v = 0; v < e->g->nvars; v++) {
    if (!(part->vars & 1u << v)) continue;
    common &= e->g->var[v].dims;
    if (first == FACTOR_MAX_VARS) first = v;
    else if (!(e->g->var[v].dims & e->g->var[first].dims & ~e->open)) second = v;
  }
  uint32_t tied = FACTOR_MAX_DIMS;
  for (uint32_t d = 0; d < e->g->ndims; d++) {
    if (!(common & 1u << d)) continue;
    uint32_t lag = 0;
    for (size_t k = 0; k < part->nf; k++)
      for (uint32_t r = 0; r < part->f[k]->nrefs; r++) {
        const factor_ref *x = &part->f[k]->ref[r];
        if (e->g->var[x->var].dims & 1u << d && e->g->dim[d].lag && x->lag > lag) lag = x->lag;
      }
    if (!lag) {
      *chain = false;
      return d;
    }
    tied = d;
  }
  *chain = true;
  if (tied < FACTOR_MAX_DIMS) return tied;
  for (uint32_t v = 0; v < e->g->nvars; v++)
    if (part->vars & 1u << v) e->g->blame |= e->g->var[v].dims & ~e->open;
  const factor_var *x = &e->g->var[first], *y = second < FACTOR_MAX_VARS ? &e->g->var[second] : NULL;
  if (y) factors_refuse(e->g, y->site->where, "every element of `%s` is tied to every element of `%s`", x->site->name, y->site->name);
  factors_refuse(e->g, x->site->where, "the elements of `%s` are tied together along more than one axis", x->site->name);
}

static elim_part standing(eliminator *e, const elim_part *part, uint32_t dim, const elim_range *r) {
  elim_part p = {.vars = part->vars, .f = ARENA_ARRAY(e->g->m->mem, const factor *, part->nf)};
  for (size_t k = 0; k < part->nf; k++)
    if (elim_stands(e, part->f[k], dim, r)) p.f[p.nf++] = part->f[k];
  return p;
}

/* ---- plates */

static ir_op *open_range(eliminator *e, ir_builder *b, uint32_t dim, const elim_range *r, ir_builder *in) {
  e->open |= 1u << dim;
  *in = *b;
  if (r->single) {
    e->pos[dim] = elim_position(e, b, dim, r->first);
    return NULL;
  }
  ir_val n = ir_size_val(b, r->count);
  ir_op *loop = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  *in = ir_builder_in(b, &loop->u.loop->body);
  e->pos[dim] = ir_op2(in, IR_ADD_OP, loop->u.loop->index[0], ir_size_val(in, r->first));
  e->repeats *= elim_number(e, r->count);
  return loop;
}

static void plate_sum(eliminator *e, ir_builder *b, uint32_t dim, const elim_part *part, step_list *out) {
  elim_range *range;
  size_t n = elim_ranges(e, dim, part, size_const(e->g->m->sizes, 0), &range);
  for (size_t k = 0; k < n; k++) {
    ir_builder in;
    double repeats = e->repeats;
    ir_op *loop = open_range(e, b, dim, &range[k], &in);
    elim_part p = standing(e, part, dim, &range[k]);
    step_list list = {.n = 0};
    elim_sum(e, &in, &p, &list);
    step_join(e, &in, &list);
    for (uint32_t i = 0; i < list.n; i++) {
      step_table t = list.t[i];
      if (loop) t.array = ir_loop_out(e->fn, loop, IR_SUM, 0, NULL, t.array);
      step_add(e, out, t);
    }
    e->open &= ~(1u << dim);
    e->repeats = repeats;
  }
}

ir_val elim_blank(eliminator *e, ir_builder *b, uint32_t v) {
  const factor_var *x = &e->g->var[v];
  ir_type t = {.elem = x->site->type.elem};
  for (uint32_t k = 0; k < x->site->type.rank; k++)
    if (factor_axis_open(x, k) && !(e->open & 1u << x->dim[k])) t.dim[t.rank++] = x->site->type.dim[k];
  return ir_new_array(b, t);
}

ir_val elim_place(const eliminator *e, ir_builder *b, uint32_t dim, ir_val at) {
  int64_t offset;
  if (size_is_const(e->g->m->sizes, e->g->dim[dim].offset, &offset) && offset == 0) return at;
  return ir_op2(b, IR_ADD_OP, at, ir_size_val(b, e->g->dim[dim].offset));
}

ir_axes elim_axes(const eliminator *e, ir_builder *b, uint32_t v, uint32_t dim, ir_val at) {
  const factor_var *x = &e->g->var[v];
  ir_axes axes = {.n = 0};
  for (uint32_t k = 0; k < x->site->type.rank; k++)
    if (!factor_axis_open(x, k)) continue;
    else if (x->dim[k] == dim) axes.at[axes.n++] = elim_place(e, b, dim, at);
    else if (!(e->open & 1u << x->dim[k])) axes.at[axes.n++] = 0;
  return axes;
}

static void plate_draw(eliminator *e, ir_builder *b, uint32_t dim, const elim_part *part, ir_val *value) {
  elim_range *range;
  size_t n = elim_ranges(e, dim, part, size_const(e->g->m->sizes, 0), &range);
  for (uint32_t v = 0; v < e->g->nvars; v++)
    if (part->vars & 1u << v) value[v] = elim_blank(e, b, v);
  for (size_t k = 0; k < n; k++) {
    ir_builder in;
    ir_op *loop = open_range(e, b, dim, &range[k], &in);
    elim_part p = standing(e, part, dim, &range[k]);
    ir_val part_value[FACTOR_MAX_VARS];
    elim_draw(e, &in, &p, part_value);
    for (uint32_t v = 0; v < e->g->nvars; v++) {
      if (!(part->vars & 1u << v)) continue;
      ir_axes axes = elim_axes(e, &in, v, dim, e->pos[dim]);
      value[v] = loop ? ir_loop_out(e->fn, loop, IR_INTO, value[v], &axes, part_value[v]) : ir_put(b, value[v], axes, part_value[v]);
    }
    e->open &= ~(1u << dim);
  }
}

/* ---- the walk */

static void open_sum(eliminator *e, ir_builder *b, const elim_part *part, step_list *out) {
  bool chain;
  uint32_t d = choose_dim(e, part, &chain);
  if (chain) chain_sum(e, b, d, part, out);
  else plate_sum(e, b, d, part, out);
}

void elim_sum(eliminator *e, ir_builder *b, const elim_part *part, step_list *out) {
  split *s = split_part(e, part);
  for (uint32_t k = 0; k < s->nparts; k++) open_sum(e, b, &s->part[k], &s->tables);
  step_eliminate(e, b, &s->tables, here_set(s), NULL);
  for (uint32_t k = 0; k < s->tables.n; k++) step_add(e, out, s->tables.t[k]);
}

void elim_draw(eliminator *e, ir_builder *b, const elim_part *part, ir_val *value) {
  split *s = split_part(e, part);
  step_set bound = e->bound, here = here_set(s);
  for (uint32_t k = 0; k < s->nparts && here; k++) open_sum(e, b, &s->part[k], &s->tables);
  step_trace *trace = ARENA_NEW(e->g->m->mem, step_trace);
  ir_val drawn[STEP_MAX_VARS];
  step_eliminate(e, b, &s->tables, here, trace);
  step_draw(e, b, trace, drawn);
  for (uint32_t v = 0; v < e->g->nvars; v++)
    if (s->here & 1u << v) value[v] = drawn[step_var(v, 0)];
  for (uint32_t k = 0; k < s->nparts; k++) {
    bool chain;
    uint32_t d = choose_dim(e, &s->part[k], &chain);
    if (chain) chain_draw(e, b, d, &s->part[k], value);
    else plate_draw(e, b, d, &s->part[k], value);
  }
  e->bound = bound;
}

static elim_part everything(eliminator *e) {
  const factor_graph *g = e->g;
  elim_part p = {.vars = (1u << g->nvars) - 1, .f = ARENA_ARRAY(g->m->mem, const factor *, g->nfactors), .nf = g->nfactors};
  for (size_t k = 0; k < g->nfactors; k++) p.f[k] = &g->factor[k];
  return p;
}

void eliminate_sum(eliminator *e, ir_builder *b) {
  elim_part all = everything(e);
  step_list list = {.n = 0};
  step_gather(e, b);
  elim_sum(e, b, &all, &list);
  step_join(e, b, &list);
  for (uint32_t k = 0; k < list.n; k++) ir_factor(b, list.t[k].array);
}

void eliminate_draw(eliminator *e, ir_builder *b, ir_val *value) {
  elim_part all = everything(e);
  step_gather(e, b);
  elim_draw(e, b, &all, value);
}
