/* eliminate_chain.c: chains (eliminate.h).
 *
 * With lag L, the message after position p is
 *     m[p](z[p], ..., z[p-L+1]) = log sum over z[p-L] of exp( m[p-1](z[p-1], ..., z[p-L]) + terms at p )
 * The first L positions have nothing to sum and are written out; what follows is a scan for each range of positions in which the same
 * terms stand.  Terms that do not vary along the chain are computed before it, and those that read the present state alone in a
 * plate over the range, where they are independent of each other: emissions vectorise, and the scan only adds. */
#include "compiler/eliminate.h"

#include <string.h>

typedef struct chain {
  eliminator *e;
  uint32_t dim, lag;
  uint32_t own, deep;      /* variables with no further axes; with some */
  step_set free;           /* variables around the chain that its terms read and that are not known */
  const elim_part *part;
} chain;

static step_set window(const chain *c, uint32_t from, uint32_t to) {
  step_set set = 0;
  for (uint32_t v = 0; v < FACTOR_MAX_VARS; v++)
    for (uint32_t l = from; l <= to; l++)
      if (c->own & 1u << v) set |= step_bit(step_var(v, l));
  return set;
}

/* The scope of a message, one position on. */
static step_set later(const chain *c, step_set s) {
  step_set own = window(c, 0, FACTOR_MAX_LAG);
  return ((s & own) << 1) | (s & ~own);
}

static chain chain_of(eliminator *e, uint32_t dim, const elim_part *part) {
  chain c = {.e = e, .dim = dim, .part = part};
  uint32_t open = e->open | 1u << dim;
  for (uint32_t v = 0; v < e->g->nvars; v++) {
    if (!(part->vars & 1u << v)) continue;
    if (e->g->var[v].dims == open) c.own |= 1u << v;
    else c.deep |= 1u << v;
  }
  for (size_t k = 0; k < part->nf; k++)
    for (uint32_t r = 0; r < part->f[k]->nrefs; r++) {
      const factor_ref *x = &part->f[k]->ref[r];
      if (!(part->vars & 1u << x->var)) {
        step_set bit = step_bit(step_var(x->var, x->lag));
        if (!(e->bound & bit)) c.free |= bit;
      } else if (x->lag > c.lag) {
        c.lag = x->lag;
      }
      if (x->lag && c.deep & 1u << x->var) {
        e->g->blame = e->g->var[x->var].dims;
        factors_refuse(e->g, part->f[k]->op->where, "the elements of `%s` are tied together along more than one axis", e->g->var[x->var].site->name);
      }
    }
  return c;
}

static bool varies(const chain *c, const factor *f) {
  for (uint32_t k = 0; k < f->nloops; k++)
    if (f->loop[k].dim == (int)c->dim) return f->loop[k].varies;
  return true;
}

static uint32_t lag_of(const chain *c, const factor *f) {
  uint32_t lag = 0;
  for (uint32_t r = 0; r < f->nrefs; r++)
    if (c->part->vars & 1u << f->ref[r].var && f->ref[r].lag > lag) lag = f->ref[r].lag;
  return lag;
}

static bool is_deep(const chain *c, const factor *f) {
  for (uint32_t r = 0; r < f->nrefs; r++)
    if (c->deep & 1u << f->ref[r].var) return true;
  return false;
}

typedef enum kind { ALL, STEADY, EMISSIONS, TIES } kind;

/* The tables of one kind at the open position of a range. */
static void tables(chain *c, ir_builder *b, const elim_range *r, kind what, step_list *out) {
  eliminator *e = c->e;
  bool deep_ties = false;
  for (size_t k = 0; k < c->part->nf; k++) deep_ties = deep_ties || (is_deep(c, c->part->f[k]) && lag_of(c, c->part->f[k]) > 0);
  const kind deep = deep_ties ? TIES : EMISSIONS;
  elim_part p = {.vars = what == ALL || what == deep ? c->deep : 0, .f = ARENA_ARRAY(e->g->m->mem, const factor *, c->part->nf)};
  for (size_t k = 0; k < c->part->nf; k++) {
    const factor *f = c->part->f[k];
    if (!elim_stands(e, f, c->dim, r)) continue;
    kind is = is_deep(c, f) ? deep : !varies(c, f) ? STEADY : lag_of(c, f) ? TIES : EMISSIONS;
    if (what == ALL || is == what) p.f[p.nf++] = f;
  }
  if (p.nf) elim_sum(e, b, &p, out);
}

/* ---- the way forward */

/* A range in a loop: what is known before it. */
typedef struct ahead {
  step_list steady, emissions; /* the latter with an axis for the position in the range */
} ahead;

static void look_ahead(chain *c, ir_builder *b, const elim_range *r, ahead *a) {
  eliminator *e = c->e;
  a->steady.n = a->emissions.n = 0;
  e->pos[c->dim] = ir_size_val(b, r->first);
  tables(c, b, r, STEADY, &a->steady);
  step_join(e, b, &a->steady);
  ir_val n = ir_size_val(b, r->count);
  ir_op *loop = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  ir_builder in = ir_builder_in(b, &loop->u.loop->body);
  double repeats = e->repeats;
  e->repeats *= elim_number(e, r->count);
  e->pos[c->dim] = ir_op2(&in, IR_ADD_OP, loop->u.loop->index[0], ir_size_val(&in, r->first));
  tables(c, &in, r, EMISSIONS, &a->emissions);
  step_join(e, &in, &a->emissions);
  for (uint32_t k = 0; k < a->emissions.n; k++) {
    step_table *t = &a->emissions.t[k];
    t->array = ir_loop_out(e->fn, loop, IR_STACK, 0, NULL, t->array);
    t->npos = 1;
  }
  if (!a->emissions.n) ir_remove(loop);
  e->repeats = repeats;
}

static void add_ahead(chain *c, const ahead *a, ir_val index, step_list *list) {
  for (uint32_t k = 0; k < a->steady.n; k++) step_add(c->e, list, a->steady.t[k]);
  for (uint32_t k = 0; k < a->emissions.n; k++) {
    step_table t = a->emissions.t[k];
    t.at[0] = index;
    step_add(c->e, list, t);
  }
}

/* The message after the open position, from that before it (message 0: there is none). */
static ir_val advance(chain *c, ir_builder *b, ir_val message, step_set scope, step_list *list, uint32_t seen) {
  eliminator *e = c->e;
  if (message) step_add(e, list, (step_table){.scope = later(c, scope), .array = message});
  if (seen >= c->lag) step_eliminate(e, b, list, window(c, c->lag, c->lag), NULL);
  return step_array(e, b, list, window(c, 0, seen < c->lag ? seen : c->lag - 1) | c->free);
}

/* Messages of all positions from lag - 1 on, where kept. */
typedef struct messages {
  bool keep;
  ir_val all;
} messages;

static ir_axes message_axes(const eliminator *e, ir_val message, ir_val at) {
  ir_axes axes = {.n = ir_type_of(e->fn, message).rank + 1u};
  axes.at[0] = at;
  return axes;
}

static ir_val through_range(chain *c, ir_builder *b, const elim_range *r, ir_val message, messages *m) {
  eliminator *e = c->e;
  step_set scope = window(c, 0, c->lag - 1) | c->free;
  step_list list = {.n = 0};
  if (r->single) {
    e->pos[c->dim] = elim_position(e, b, c->dim, r->first);
    tables(c, b, r, ALL, &list);
    message = advance(c, b, message, scope, &list, c->lag);
    if (m->keep) m->all = ir_put(b, m->all, message_axes(e, message, e->pos[c->dim]), message);
    return message;
  }
  ahead *a = ARENA_NEW(e->g->m->mem, ahead);
  look_ahead(c, b, r, a);
  ir_val n = ir_size_val(b, r->count);
  ir_op *scan = ir_loop_begin(b, IR_SCAN_OP, 1, &n);
  ir_loop_state(e->fn, scan, IR_CARRY, message);
  ir_builder in = ir_builder_in(b, &scan->u.loop->body);
  double repeats = e->repeats;
  e->repeats *= elim_number(e, r->count);
  e->pos[c->dim] = ir_op2(&in, IR_ADD_OP, scan->u.loop->index[0], ir_size_val(&in, r->first));
  add_ahead(c, a, scan->u.loop->index[0], &list);
  tables(c, &in, r, TIES, &list);
  ir_val next = advance(c, &in, scan->u.loop->out[0].state, scope, &list, c->lag);
  ir_loop_finish(e->fn, scan, 0, NULL, next);
  if (m->keep) {
    ir_axes axes = message_axes(e, next, e->pos[c->dim]);
    m->all = ir_loop_out(e->fn, scan, IR_INTO, m->all, &axes, next);
  }
  e->repeats = repeats;
  return scan->res[0];
}

/* The message after the last position. */
static ir_val forward(chain *c, ir_builder *b, const elim_range *range, size_t n, messages *m) {
  eliminator *e = c->e;
  size_table *s = e->g->m->sizes;
  ir_val message = 0;
  for (uint32_t p = 0; p < c->lag; p++) {
    elim_range at = {size_const(s, p), size_const(s, 1), true};
    step_list list = {.n = 0};
    e->pos[c->dim] = elim_position(e, b, c->dim, at.first);
    tables(c, b, &at, ALL, &list);
    message = advance(c, b, message, p ? window(c, 0, p - 1) | c->free : 0, &list, p);
  }
  if (m->keep) {
    ir_type t = ir_type_of(e->fn, message);
    memmove(t.dim + 1, t.dim, t.rank * sizeof *t.dim);
    t.dim[0] = e->g->dim[c->dim].extent;
    t.rank++;
    m->all = ir_put(b, ir_new_array(b, t), message_axes(e, message, e->pos[c->dim]), message);
  }
  for (size_t k = 0; k < n; k++) message = through_range(c, b, &range[k], message, m);
  return message;
}

void chain_sum(eliminator *e, ir_builder *b, uint32_t dim, const elim_part *part, step_list *out) {
  chain c = chain_of(e, dim, part);
  elim_range *range;
  size_t n = elim_ranges(e, dim, part, size_const(e->g->m->sizes, c.lag), &range);
  messages none = {.keep = false};
  e->open |= 1u << dim;
  ir_val message = forward(&c, b, range, n, &none);
  e->open &= ~(1u << dim);
  step_set last = window(&c, 0, c.lag - 1);
  step_list list = {.n = 0};
  step_add(e, &list, (step_table){.scope = last | c.free, .array = message});
  step_eliminate(e, b, &list, last, NULL);
  for (uint32_t k = 0; k < list.n; k++) step_add(e, out, list.t[k]);
}

/* ---- the way back */

/* Draws the variables of `set` at the open position from tables; places them in value (arrays along the chain). */
static void draw_set(chain *c, ir_builder *b, step_list *list, step_set set, ir_val *drawn) {
  step_trace *trace = ARENA_NEW(c->e->g->m->mem, step_trace);
  step_eliminate(c->e, b, list, set, trace);
  step_draw(c->e, b, trace, drawn);
}

static ir_val position_before(chain *c, ir_builder *b, uint32_t lag) {
  ir_val p = c->e->pos[c->dim];
  return lag ? ir_op2(b, IR_SUB_OP, p, ir_int(b, lag)) : p;
}

/* The states that the next earlier position has at lags 0 .. lag - 1. */
static void step_back(chain *c) {
  eliminator *e = c->e;
  for (uint32_t v = 0; v < e->g->nvars; v++)
    for (uint32_t l = 0; c->own & 1u << v && l < c->lag; l++) e->state[step_var(v, l)] = e->state[step_var(v, l + 1)];
  e->bound = (e->bound & ~window(c, 0, FACTOR_MAX_LAG)) | window(c, 0, c->lag - 1);
}

/* Tables for the state `lag` before the open position, given those after it. */
static void back_tables(chain *c, ir_builder *b, const elim_range *r, const messages *m, step_list *list) {
  tables(c, b, r, ALL, list);
  step_add(c->e, list, (step_table){.scope = window(c, 1, c->lag), .array = m->all, .npos = 1, .at = {position_before(c, b, 1)}});
}

static void back_through(chain *c, ir_builder *b, const elim_range *r, const messages *m, ir_val *value) {
  eliminator *e = c->e;
  step_set oldest = window(c, c->lag, c->lag);
  ir_val drawn[STEP_MAX_VARS];
  step_list list = {.n = 0};
  if (r->single) {
    e->pos[c->dim] = elim_position(e, b, c->dim, r->first);
    back_tables(c, b, r, m, &list);
    draw_set(c, b, &list, oldest, drawn);
    for (uint32_t v = 0; v < e->g->nvars; v++)
      if (c->own & 1u << v) value[v] = ir_put(b, value[v], elim_axes(e, b, v, c->dim, position_before(c, b, c->lag)), drawn[step_var(v, c->lag)]);
    step_back(c);
    return;
  }
  ir_val n = ir_size_val(b, r->count);
  ir_op *scan = ir_loop_begin(b, IR_SCAN_OP, 1, &n);
  scan->u.loop->down = true;
  uint32_t out = 0;
  for (uint32_t v = 0; v < e->g->nvars; v++)
    for (uint32_t l = 0; c->own & 1u << v && l < c->lag; l++) {
      out = ir_loop_state(e->fn, scan, IR_CARRY, e->state[step_var(v, l)]);
      e->state[step_var(v, l)] = scan->u.loop->out[out].state;
    }
  uint32_t place[FACTOR_MAX_VARS];
  for (uint32_t v = 0; v < e->g->nvars; v++)
    if (c->own & 1u << v) place[v] = ir_loop_state(e->fn, scan, IR_INTO, value[v]);
  ir_builder in = ir_builder_in(b, &scan->u.loop->body);
  e->pos[c->dim] = ir_op2(&in, IR_ADD_OP, scan->u.loop->index[0], ir_size_val(&in, r->first));
  back_tables(c, &in, r, m, &list);
  draw_set(c, &in, &list, oldest, drawn);
  out = 0;
  for (uint32_t v = 0; v < e->g->nvars; v++)
    for (uint32_t l = 0; c->own & 1u << v && l < c->lag; l++, out++) {
      ir_loop_finish(e->fn, scan, out, NULL, e->state[step_var(v, l + 1)]);
      e->state[step_var(v, l)] = scan->res[out];
    }
  for (uint32_t v = 0; v < e->g->nvars; v++) {
    if (!(c->own & 1u << v)) continue;
    ir_axes axes = elim_axes(e, &in, v, c->dim, position_before(c, &in, c->lag));
    ir_loop_finish(e->fn, scan, place[v], &axes, drawn[step_var(v, c->lag)]);
    value[v] = scan->res[place[v]];
  }
  e->bound = (e->bound & ~window(c, 0, FACTOR_MAX_LAG)) | window(c, 0, c->lag - 1);
}

/* What has further axes is drawn in a plate over the positions, the chain being known. */
static void draw_deep(chain *c, ir_builder *b, const elim_range *r, const ir_val *along, ir_val *value) {
  eliminator *e = c->e;
  ir_builder in = *b;
  ir_op *loop = NULL;
  if (r->single) {
    e->pos[c->dim] = elim_position(e, b, c->dim, r->first);
  } else {
    ir_val n = ir_size_val(b, r->count);
    loop = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
    in = ir_builder_in(b, &loop->u.loop->body);
    e->pos[c->dim] = ir_op2(&in, IR_ADD_OP, loop->u.loop->index[0], ir_size_val(&in, r->first));
  }
  step_set bound = e->bound;
  elim_part p = {.vars = c->deep, .f = ARENA_ARRAY(e->g->m->mem, const factor *, c->part->nf)};
  uint32_t lag = 0;
  for (size_t k = 0; k < c->part->nf; k++) {
    const factor *f = c->part->f[k];
    if (!is_deep(c, f) || !elim_stands(e, f, c->dim, r)) continue;
    p.f[p.nf++] = f;
    if (lag_of(c, f) > lag) lag = lag_of(c, f);
  }
  for (uint32_t v = 0; v < e->g->nvars; v++)
    for (uint32_t l = 0; c->own & 1u << v && l <= lag; l++) {
      ir_axes axes = elim_axes(e, &in, v, c->dim, position_before(c, &in, l));
      e->state[step_var(v, l)] = factor_state(&in, &e->g->var[v], ir_at(&in, along[v], axes));
      e->bound |= step_bit(step_var(v, l));
    }
  ir_val part_value[FACTOR_MAX_VARS];
  elim_draw(e, &in, &p, part_value);
  for (uint32_t v = 0; v < e->g->nvars; v++) {
    if (!(c->deep & 1u << v)) continue;
    ir_axes axes = elim_axes(e, &in, v, c->dim, e->pos[c->dim]);
    value[v] = loop ? ir_loop_out(e->fn, loop, IR_INTO, value[v], &axes, part_value[v]) : ir_put(b, value[v], axes, part_value[v]);
  }
  e->bound = bound;
}

void chain_draw(eliminator *e, ir_builder *b, uint32_t dim, const elim_part *part, ir_val *value) {
  chain c = chain_of(e, dim, part);
  size_table *s = e->g->m->sizes;
  elim_range *range;
  size_t n = elim_ranges(e, dim, part, size_const(s, c.lag), &range);
  for (uint32_t v = 0; v < e->g->nvars; v++)
    if (part->vars & 1u << v) value[v] = elim_blank(e, b, v);
  messages m = {.keep = true};
  step_set bound = e->bound;
  ir_val drawn[STEP_MAX_VARS];
  e->open |= 1u << dim;
  ir_val message = forward(&c, b, range, n, &m);
  /* The last positions from the last message, the others one by one. */
  step_list list = {.n = 0};
  step_add(e, &list, (step_table){.scope = window(&c, 0, c.lag - 1), .array = message});
  e->pos[dim] = ir_size_val(b, size_sub(s, e->g->dim[dim].extent, size_const(s, 1)));
  draw_set(&c, b, &list, window(&c, 0, c.lag - 1), drawn);
  for (uint32_t v = 0; v < e->g->nvars; v++)
    for (uint32_t l = 0; c.own & 1u << v && l < c.lag; l++)
      value[v] = ir_put(b, value[v], elim_axes(e, b, v, dim, position_before(&c, b, l)), drawn[step_var(v, l)]);
  for (size_t k = n; k-- > 0;) back_through(&c, b, &range[k], &m, value);
  e->bound = bound;
  if (c.deep) {
    ir_val along[FACTOR_MAX_VARS];
    memcpy(along, value, sizeof along);
    for (uint32_t p = 0; p < c.lag; p++) {
      elim_range at = {size_const(s, p), size_const(s, 1), true};
      draw_deep(&c, b, &at, along, value);
    }
    for (size_t k = 0; k < n; k++) draw_deep(&c, b, &range[k], along, value);
  }
  e->open &= ~(1u << dim);
}
