/* eliminate_step.c: elimination and drawing at one position (eliminate.h). */
#include "compiler/eliminate.h"

#include <math.h>
#include <string.h>

/* ---- states and values */

ir_size step_states(const eliminator *e, uint32_t x) { return e->g->var[x / FACTOR_LAGS].states; }

double step_cells(const eliminator *e, step_set scope) {
  double n = 1.0;
  for (uint32_t x = 0; x < STEP_MAX_VARS; x++)
    if (scope & step_bit(x)) n *= elim_number(e, step_states(e, x));
  return n;
}

static ir_val value_of(eliminator *e, ir_builder *b, uint32_t x) { return factor_value(b, &e->g->var[x / FACTOR_LAGS], e->state[x]); }

/* ---- tables */

step_table step_term(const factor *f) {
  step_table t = {.f = f};
  for (uint32_t r = 0; r < f->nrefs; r++) t.scope |= step_bit(step_var(f->ref[r].var, f->ref[r].lag));
  return t;
}

void step_add(eliminator *e, step_list *list, step_table t) {
  if (list->n == STEP_MAX_TABLES) factors_refuse(e->g, e->g->var[0].site->where, "more than %d terms read the same finite unknowns", STEP_MAX_TABLES);
  list->t[list->n++] = t;
}

static ir_cloner cloner_of(const eliminator *e, const factor *f) {
  ir_cloner c = {.from = f->fn, .map = ir_map_new(e->g->m->mem, f->fn)};
  for (size_t k = 0; k < f->ncaptures; k++) ir_map_set(&c.map, f->capture_param[k], ir_map_get(e->outer, f->capture[k]));
  return c;
}

/* The index of a loop by the number of the iteration. */
static ir_val loop_index(const eliminator *e, ir_builder *b, const factor_loop *l, ir_val n) {
  int64_t first;
  if (size_is_const(e->g->m->sizes, l->first, &first) && first == 0) return n;
  return ir_op2(b, IR_ADD_OP, n, ir_size_val(b, l->first));
}

/* The table of a gathered factor: its term for each state, added up by the element that it reads. */
static ir_val gathered(eliminator *e, ir_builder *b, const factor *f) {
  const factor *t = f->from;
  const factor_var *v = &e->g->var[f->ref[0].var]; /* the term's own reference has the number of before positions were taken apart */
  ir_val zero = ir_new_array(b, ir_type_of(f->fn, f->table)), extent[FACTOR_MAX_LOOPS], n;
  ir_op *loop = NULL;
  ir_builder in = *b;
  if (t->nloops == 0 || t->nloops > IR_MAX_RANK) factors_refuse(e->g, t->op->where, "`%s` is read at a position from data outside of loops, or in too many", v->site->name);
  for (uint32_t k = 0; k < t->nloops; k++) extent[k] = ir_size_val(b, t->loop[k].extent);
  loop = ir_loop_begin(b, IR_PLATE_OP, t->nloops, extent);
  in = ir_builder_in(b, &loop->u.loop->body);
  /* The position does not depend on the state. */
  ir_cloner c = cloner_of(e, t);
  ir_val index[FACTOR_MAX_LOOPS];
  for (uint32_t k = 0; k < t->nloops; k++) {
    index[k] = loop_index(e, &in, &t->loop[k], loop->u.loop->index[k]);
    ir_map_set(&c.map, t->loop[k].index, index[k]);
  }
  ir_map_set(&c.map, t->ref[0].state, factor_value(&in, v, ir_int(&in, 0)));
  ir_clone_block(&c, &in, &t->fn->body);
  ir_axes axes = {.n = t->fn->nret}; /* the last axis open */
  for (uint32_t k = 1; k < t->fn->nret; k++) axes.at[k - 1] = ir_map_get(&c.map, t->fn->ret[k]);
  n = ir_size_val(&in, v->states);
  ir_op *states = ir_loop_begin(&in, IR_PLATE_OP, 1, &n);
  ir_builder each = ir_builder_in(&in, &states->u.loop->body);
  c = cloner_of(e, t);
  for (uint32_t k = 0; k < t->nloops; k++) ir_map_set(&c.map, t->loop[k].index, index[k]);
  ir_map_set(&c.map, t->ref[0].state, factor_value(&each, v, states->u.loop->index[0]));
  ir_clone_block(&c, &each, &t->fn->body);
  ir_val terms = ir_loop_out(e->fn, states, IR_STACK, 0, NULL, ir_map_get(&c.map, t->fn->ret[0]));
  return ir_loop_out(e->fn, loop, IR_KEYED, zero, &axes, terms);
}

void step_gather(eliminator *e, ir_builder *b) {
  e->gathered = ARENA_ARRAY(e->g->m->mem, ir_val, e->g->ngathered + 1);
  for (size_t k = 0; k < e->g->nfactors; k++) {
    const factor *f = &e->g->factor[k];
    if (f->from && !e->gathered[f->gathered]) e->gathered[f->gathered] = gathered(e, b, f);
  }
}

/* A term at the states of e: summed over those of its loops that no variable has. */
static ir_val term_value(eliminator *e, ir_builder *b, const factor *f) {
  ir_cloner c = cloner_of(e, f);
  if (f->from) ir_map_set(&c.map, f->table, e->gathered[f->gathered]);
  for (uint32_t r = 0; r < f->nrefs; r++) ir_map_set(&c.map, f->ref[r].state, value_of(e, b, step_var(f->ref[r].var, f->ref[r].lag)));
  ir_op *loop[FACTOR_MAX_LOOPS];
  ir_builder at[FACTOR_MAX_LOOPS + 1] = {*b};
  uint32_t n = 0;
  for (uint32_t k = 0; k < f->nloops; k++) {
    const factor_loop *l = &f->loop[k];
    ir_builder *in = &at[n];
    ir_val i;
    size_table *s = e->g->m->sizes;
    if (l->fixed != IR_SIZE_NONE) {
      i = ir_size_val(in, l->down ? size_sub(s, l->flip, l->fixed) : l->fixed);
    } else if (l->dim >= 0) {
      i = l->down ? ir_op2(in, IR_SUB_OP, ir_size_val(in, size_add(s, l->flip, l->shift)), e->pos[l->dim]) : ir_op2(in, IR_SUB_OP, e->pos[l->dim], ir_size_val(in, l->shift));
    } else {
      ir_val extent = ir_size_val(in, l->extent);
      loop[n] = ir_loop_begin(in, IR_PLATE_OP, 1, &extent);
      at[n + 1] = ir_builder_in(in, &loop[n]->u.loop->body);
      i = loop_index(e, &at[n + 1], l, loop[n]->u.loop->index[0]);
      n++;
    }
    ir_map_set(&c.map, l->index, i);
  }
  ir_clone_block(&c, &at[n], &f->fn->body);
  ir_val v = ir_map_get(&c.map, f->fn->ret[0]);
  while (n-- > 0) v = ir_loop_out(e->fn, loop[n], IR_SUM, 0, NULL, v);
  return v;
}

/* A table of many variables has one axis for all of them, the last variable moving fastest: arrays have few axes, and one may be the position
 * in a chain. */
static bool is_flat(step_set scope) {
  uint32_t n = 0;
  for (step_set s = scope; s; s &= s - 1) n++;
  return n >= IR_MAX_RANK;
}

static ir_val flat_index(eliminator *e, ir_builder *b, step_set scope) {
  ir_val at = 0;
  for (uint32_t x = 0; x < STEP_MAX_VARS; x++)
    if (scope & step_bit(x)) at = at ? ir_op2(b, IR_ADD_OP, ir_op2(b, IR_MUL_OP, at, ir_size_val(b, step_states(e, x))), e->state[x]) : e->state[x];
  return at;
}

static ir_val table_value(eliminator *e, ir_builder *b, const step_table *t) {
  if (t->f) return term_value(e, b, t->f);
  ir_axes axes = {.n = t->npos};
  memcpy(axes.at, t->at, t->npos * sizeof *t->at);
  if (is_flat(t->scope)) {
    axes.at[axes.n++] = flat_index(e, b, t->scope);
    return ir_at(b, t->array, axes);
  }
  for (uint32_t x = 0; x < STEP_MAX_VARS; x++)
    if (t->scope & step_bit(x)) axes.at[axes.n++] = e->state[x];
  return axes.n ? ir_at(b, t->array, axes) : t->array;
}

static ir_val list_value(eliminator *e, ir_builder *b, const step_list *list) {
  ir_val sum = 0;
  for (uint32_t k = 0; k < list->n; k++) {
    ir_val v = table_value(e, b, &list->t[k]);
    sum = sum ? ir_op2(b, IR_ADD_OP, sum, v) : v;
  }
  return sum ? sum : ir_real(b, 0.0);
}

static ir_op *over_flat(eliminator *e, ir_builder *b, step_set scope, ir_builder *in) {
  ir_size all = size_const(e->g->m->sizes, 1);
  for (uint32_t x = 0; x < STEP_MAX_VARS; x++)
    if (scope & step_bit(x)) all = size_mul(e->g->m->sizes, all, step_states(e, x));
  if (all == IR_SIZE_NONE) factors_refuse(e->g, e->g->var[0].site->where, "a table of too many states");
  ir_val n = ir_size_val(b, all);
  ir_op *loop = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  *in = ir_builder_in(b, &loop->u.loop->body);
  ir_val rest = loop->u.loop->index[0];
  for (uint32_t x = STEP_MAX_VARS; x-- > 0;) {
    if (!(scope & step_bit(x))) continue;
    bool first = !(scope & (step_bit(x) - 1));
    ir_val states = ir_size_val(in, step_states(e, x));
    e->state[x] = first ? rest : ir_op2(in, IR_IMOD_OP, rest, states);
    if (!first) rest = ir_op2(in, IR_IDIV_OP, rest, states);
  }
  return loop;
}

/* Loops over the states of `scope`: begins one and sets e->state.  NULL for no variable. */
static ir_op *over_states(eliminator *e, ir_builder *b, step_set scope, ir_builder *in) {
  ir_val extent[IR_MAX_RANK];
  uint32_t rank = 0, x[IR_MAX_RANK];
  *in = *b;
  if (!scope) return NULL;
  if (is_flat(scope)) return over_flat(e, b, scope, in);
  for (uint32_t k = 0; k < STEP_MAX_VARS; k++) {
    if (!(scope & step_bit(k))) continue;
    x[rank] = k;
    extent[rank++] = ir_size_val(b, step_states(e, k));
  }
  ir_op *loop = ir_loop_begin(b, IR_PLATE_OP, rank, extent);
  *in = ir_builder_in(b, &loop->u.loop->body);
  for (uint32_t k = 0; k < rank; k++) e->state[x[k]] = loop->u.loop->index[k];
  return loop;
}

static void count(eliminator *e, step_set scope) {
  double n = step_cells(e, scope);
  e->cells += e->repeats * n;
  if (n > e->widest) e->widest = n;
}

ir_val step_array(eliminator *e, ir_builder *b, const step_list *list, step_set scope) {
  ir_builder in;
  if (list->n == 1 && !list->t[0].f && list->t[0].scope == scope && list->t[0].npos == 0) return list->t[0].array;
  count(e, scope);
  ir_op *loop = over_states(e, b, scope, &in);
  ir_val v = list_value(e, &in, list);
  return loop ? ir_loop_out(e->fn, loop, IR_STACK, 0, NULL, v) : v;
}

void step_join(eliminator *e, ir_builder *b, step_list *list) {
  step_list out = {.n = 0};
  bool done[STEP_MAX_TABLES] = {false};
  for (uint32_t k = 0; k < list->n; k++) {
    if (done[k]) continue;
    step_list same = {.n = 0};
    step_set scope = step_free(e, &list->t[k]);
    for (uint32_t i = k; i < list->n; i++) {
      if (done[i] || step_free(e, &list->t[i]) != scope) continue;
      done[i] = true;
      step_add(e, &same, list->t[i]);
    }
    step_add(e, &out, (step_table){.scope = scope, .array = step_array(e, b, &same, scope)});
  }
  *list = out;
}

/* ---- elimination */

static ir_val largest(ir_builder *b, ir_val x, ir_val n) {
  ir_op *find = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  ir_builder in = ir_builder_in(b, &find->u.loop->body);
  return ir_loop_out(b->fn, find, IR_MAX, 0, NULL, ir_at1(&in, x, find->u.loop->index[0]));
}

/* log sum exp, shifted by the largest, unless that is infinite: of impossible states alone it is -inf. */
static ir_val log_sum_exp(ir_builder *b, ir_val x, ir_val n) {
  ir_val max = largest(b, x, n);
  ir_val infinite = ir_op2(b, IR_EQ_OP, ir_op1(b, IR_ABS_OP, max), ir_real(b, (double)INFINITY));
  ir_val c = ir_op3(b, IR_SELECT_OP, infinite, ir_real(b, 0.0), max);
  ir_op *add = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  ir_builder in = ir_builder_in(b, &add->u.loop->body);
  ir_val d = ir_op2(&in, IR_SUB_OP, ir_at1(&in, x, add->u.loop->index[0]), c);
  ir_val s = ir_loop_out(b->fn, add, IR_SUM, 0, NULL, ir_op1(&in, IR_EXP_OP, d));
  return ir_op2(b, IR_ADD_OP, c, ir_op1(b, IR_LOG_OP, s));
}

/* The weights of the states of x, the other variables being at their states. */
static ir_val weights(eliminator *e, ir_builder *b, const step_list *met, uint32_t x, ir_val *n) {
  *n = ir_size_val(b, step_states(e, x));
  ir_op *loop = ir_loop_begin(b, IR_PLATE_OP, 1, n);
  ir_builder in = ir_builder_in(b, &loop->u.loop->body);
  e->state[x] = loop->u.loop->index[0];
  return ir_loop_out(e->fn, loop, IR_STACK, 0, NULL, list_value(e, &in, met));
}

static void eliminate(eliminator *e, ir_builder *b, step_list *tables, uint32_t x, step_list *met) {
  step_list rest = {.n = 0};
  step_set scope = 0;
  met->n = 0;
  for (uint32_t k = 0; k < tables->n; k++) {
    bool reads = tables->t[k].scope & step_bit(x);
    step_add(e, reads ? met : &rest, tables->t[k]);
    if (reads) scope |= step_free(e, &tables->t[k]);
  }
  count(e, scope);
  /* A term of few variables is not computed again for each state of the others. */
  for (uint32_t k = 0; k < met->n; k++) {
    step_set own = step_free(e, &met->t[k]);
    if (!met->t[k].f || own == scope) continue;
    step_list one = {.t = {met->t[k]}, .n = 1};
    met->t[k] = (step_table){.scope = own, .array = step_array(e, b, &one, own)};
  }
  scope &= ~step_bit(x);
  ir_builder in;
  ir_op *loop = over_states(e, b, scope, &in);
  ir_val n, w = weights(e, &in, met, x, &n), v = e->most_likely ? largest(&in, w, n) : log_sum_exp(&in, w, n);
  step_add(e, &rest, (step_table){.scope = scope, .array = loop ? ir_loop_out(e->fn, loop, IR_STACK, 0, NULL, v) : v});
  *tables = rest;
}

void step_eliminate(eliminator *e, ir_builder *b, step_list *tables, step_set vars, step_trace *trace) {
  step_set scopes[STEP_MAX_TABLES];
  double log_states[STEP_MAX_VARS];
  uint32_t order[STEP_MAX_VARS], n = 0;
  for (uint32_t k = 0; k < tables->n; k++) scopes[k] = step_free(e, &tables->t[k]);
  for (uint32_t x = 0; x < STEP_MAX_VARS; x++) {
    log_states[x] = x / FACTOR_LAGS < e->g->nvars ? log(fmax(elim_number(e, step_states(e, x)), 1.0)) : 0.0;
    n += (vars & step_bit(x)) != 0;
  }
  eliminate_order(e->g->m->mem, tables->n, scopes, vars, log_states, order);
  step_list met;
  for (uint32_t k = 0; k < n; k++) {
    eliminate(e, b, tables, order[k], &met);
    if (!trace) continue;
    trace->order[k] = order[k];
    trace->met[k] = ARENA_NEW(e->g->m->mem, step_list);
    *trace->met[k] = met;
  }
  if (trace) trace->n = n;
}

/* ---- drawing */

/* The number of a state drawn by log weights. */
static ir_val draw_state(ir_builder *b, ir_val key, ir_val index, ir_val lw, ir_val n) {
  ir_val max = largest(b, lw, n);
  ir_op *each = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  ir_builder in = ir_builder_in(b, &each->u.loop->body);
  ir_val w = ir_op1(&in, IR_EXP_OP, ir_op2(&in, IR_SUB_OP, ir_at1(&in, lw, each->u.loop->index[0]), max));
  w = ir_loop_out(b->fn, each, IR_STACK, 0, NULL, w);
  return ir_draw(b, IR_CATEGORICAL_OP, 1, key, index, 1, &w);
}

/* That of the largest weight, the first of equal ones. */
static ir_val best_state(ir_builder *b, ir_val lw, ir_val n) {
  ir_val max = largest(b, lw, n);
  ir_op *find = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  ir_builder in = ir_builder_in(b, &find->u.loop->body);
  ir_val i = find->u.loop->index[0], is = ir_op2(&in, IR_EQ_OP, ir_at1(&in, lw, i), max);
  return ir_loop_out(b->fn, find, IR_MIN, 0, NULL, ir_op3(&in, IR_SELECT_OP, is, i, n));
}

/* The distribution of a state with log weights: its sampler returns the site's value. */
static ir_dist *states_dist(eliminator *e, uint32_t var, ir_size n) {
  ir_module *m = e->g->m;
  const factor_var *v = &e->g->var[var];
  strbuf name;
  strbuf_init(&name, m->mem);
  strbuf_printf(&name, "States.%u.", var);
  size_print(m->sizes, n, &name);
  ir_dist *d = ir_dist_find(m, name.s);
  if (d) return d;
  d = ir_dist_new(m, name.s);
  d->support = IR_SUP_FINITE;
  d->discrete = true;
  d->nparams = 1;
  ir_fn *fn = d->sample = ir_fn_new(m, arena_printf(m->mem, "%s.sample", name.s), false);
  ir_val key = ir_param_add(fn, IR_ROLE_PLAIN, "key", ir_scalar(IR_KEY)), index = ir_param_add(fn, IR_ROLE_PLAIN, "index", ir_scalar(IR_INT));
  ir_val lw = ir_param_add(fn, IR_ROLE_PLAIN, "lw", ir_array(IR_REAL, 1, &n));
  ir_builder b = ir_builder_at_end(fn, &fn->body);
  ir_val extent = ir_size_val(&b, n);
  ir_val x = factor_value(&b, v, e->most_likely ? best_state(&b, lw, extent) : draw_state(&b, key, index, lw, extent));
  ir_return(fn, 1, &x);
  return d;
}

/* The lag shifts the position along the one axis that is a chain. */
static ir_axes place(eliminator *e, ir_builder *b, uint32_t x) {
  const factor_var *v = &e->g->var[x / FACTOR_LAGS];
  ir_axes axes = {.n = v->site->type.rank};
  for (uint32_t k = 0; k < axes.n; k++) {
    if (!factor_axis_open(v, k)) {
      axes.at[k] = ir_size_val(b, v->at[k]);
      continue;
    }
    axes.at[k] = elim_place(e, b, v->dim[k], e->pos[v->dim[k]]);
    if (x % FACTOR_LAGS && e->g->dim[v->dim[k]].lag) axes.at[k] = ir_op2(b, IR_SUB_OP, axes.at[k], ir_int(b, x % FACTOR_LAGS));
  }
  return axes;
}

void step_draw(eliminator *e, ir_builder *b, const step_trace *trace, ir_val *value) {
  for (uint32_t k = trace->n; k-- > 0;) {
    uint32_t x = trace->order[k], var = x / FACTOR_LAGS;
    ir_val n, lw = weights(e, b, trace->met[k], x, &n);
    ir_site *site = (ir_site *)e->drawn[var];
    value[x] = ir_sample(b, site, states_dist(e, var, step_states(e, x)), place(e, b, x), 0, 0, 1, &lw);
    e->state[x] = factor_state(b, &e->g->var[var], value[x]);
    e->bound |= step_bit(x);
  }
}
