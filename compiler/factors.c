/* factors.c: the factor graph of a model (factors.h). */
#include "compiler/factors.h"

#include "compiler/ir_uses.h"
#include "compiler/loop_ends.h"
#include "compiler/passes.h"

#include <stdarg.h>
#include <string.h>

_Noreturn void factors_refuse(factor_graph *g, span where, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  g->why = arena_vprintf(g->m->mem, format, ap);
  va_end(ap);
  g->where = where;
  longjmp(g->refuse, 1);
}

bool factor_size_le(factor_graph *g, ir_size a, ir_size b) {
  int64_t x, y;
  size_table *t = g->m->sizes;
  ir_size d = size_sub(t, b, a);
  if (size_value(t, d, &x)) return x >= 0;
  if (size_is_const(t, d, &x)) return x >= 0;
  /* Without data: literals come first, and what has a symbol is long. */
  if (size_is_const(t, a, &x)) return true;
  if (size_is_const(t, b, &y)) return false;
  factors_refuse(g, g->model->body.first->where, "ranges whose order is only known with data");
}

/* ---- dependence */

typedef struct use_search {
  const bool *flags;
  bool hit;
} use_search;

static void see_use(void *user, ir_val *use) {
  use_search *s = user;
  s->hit = s->hit || (*use && s->flags[*use]);
}

static bool is_summed(const factor_graph *g, const ir_site *s) { return s->role == IR_LATENT && g->summed[s->number]; }

typedef struct term_search {
  const factor_graph *g;
  bool terms, dep;
} term_search;

static void see_terms(void *user, ir_op *op) {
  term_search *s = user;
  bool drawn = op->code == IR_SAMPLE_OP && op->u.tilde->site->role == IR_LATENT;
  if (op->code == IR_OBSERVE_OP || drawn || op->code == IR_FACTOR_OP || op->code == IR_ENERGY_OP) s->terms = true;
  use_search u = {s->g->dep, false};
  ir_visit_uses(op, see_use, &u);
  s->dep = s->dep || u.hit;
}

bool factor_uses(const factor_graph *g, const ir_op *op) {
  if (op->code == IR_SAMPLE_OP && (is_summed(g, op->u.tilde->site) || op->u.tilde->site->role == IR_PREDICTED)) return true;
  if (op->code == IR_IF_OP) {
    term_search s = {.g = g};
    see_terms(&s, (ir_op *)op);
    ir_visit_ops((ir_block *)&op->u.branch->then_, see_terms, &s);
    ir_visit_ops((ir_block *)&op->u.branch->else_, see_terms, &s);
    return s.dep;
  }
  use_search u = {g->dep, false};
  ir_visit_uses((ir_op *)op, see_use, &u);
  return u.hit;
}

/* Terms of a recursion, or draws: they cannot be taken together. */
static void see_apart(void *user, ir_op *op) {
  bool *apart = user;
  *apart = *apart || op->code == IR_SAMPLE_OP;
  for (uint32_t k = 0; ir_is_loop(op) && k < op->u.loop->nout; k++) *apart = *apart || op->u.loop->out[k].state;
}

bool factor_takes_loop(const factor_graph *g, const ir_op *op) {
  if (!ir_is_loop(op)) return false;
  const ir_loop *loop = op->u.loop;
  bool told = true, apart = false;
  for (uint32_t k = 0; k < loop->rank; k++) {
    if (ir_size_of(g->model, loop->extent[k]) != IR_SIZE_NONE) continue;
    told = told && loop_ends_of(g->model, loop, k).extent != IR_SIZE_NONE && loop_ends_matter(g->model, loop, k, g->dep, g->m->mem);
  }
  for (uint32_t k = 0; k < op->nres; k++) apart = apart || !g->dep[op->res[k]] || loop->out[k].state;
  if (told || apart) return false;
  term_search s = {.g = g};
  ir_visit_ops((ir_block *)&loop->body, see_terms, &s);
  ir_visit_ops((ir_block *)&loop->body, see_apart, &apart);
  return s.terms && s.dep && !apart;
}

/* Predictions as well, which no term reads: the sums and what is left of the model go without them. */
static void mark_elements(void *user, ir_op *op) {
  factor_graph *g = user;
  if (op->code != IR_SAMPLE_OP) return;
  const ir_site *site = op->u.tilde->site;
  if (is_summed(g, site) || site->role == IR_PREDICTED) g->dep[op->res[0]] = true;
}

/* ---- variables */

ir_val factor_prepared(const factor_graph *g, ir_val v) {
  for (uint32_t p = 0; g->prepare && p < g->model->nparams; p++) {
    unsigned r = 0;
    const ir_param *q = &g->model->param[p];
    if (q->val != v || q->role != IR_ROLE_FRAME || strncmp(q->name, "frame.", 6) != 0) continue;
    for (const char *c = q->name + 6; *c; c++) r = 10 * r + (unsigned)(*c - '0');
    if (r >= 1 && r <= g->prepare->nret) return g->prepare->ret[r - 1];
  }
  return 0;
}

/* v of fn as a size.  A declared type and a distribution may bound a site by the same one. */
static ir_size size_in(const ir_fn *fn, ir_val v) {
  const ir_op *op = ir_def_op(fn, v);
  if (!op || (op->code != IR_MIN_OP && op->code != IR_MAX_OP)) return ir_size_of(fn, v);
  ir_size a = size_in(fn, op->args[0]), b = size_in(fn, op->args[1]);
  return a == b ? a : IR_SIZE_NONE;
}

/* v of the model as a size, also where @prepare has it. */
static ir_size size_of(const factor_graph *g, ir_val v) {
  ir_val made = factor_prepared(g, v);
  return made ? size_in(g->prepare, made) : size_in(g->model, v);
}

static const factor_var *var_find(const factor_graph *g, const ir_site *site) {
  for (uint32_t k = 0; k < g->nvars; k++)
    if (g->var[k].site == site) return &g->var[k];
  return NULL;
}

static ir_size last_of(const factor_graph *g, const factor_var *v) {
  size_table *s = g->m->sizes;
  return size_sub(s, size_add(s, v->first, v->states), size_const(s, 1));
}

/* The larger or smaller of two sizes; of one that is not known, nothing. */
static ir_size extreme(factor_graph *g, ir_size a, ir_size b, bool larger) {
  if (a == IR_SIZE_NONE || b == IR_SIZE_NONE) return IR_SIZE_NONE;
  return factor_size_le(g, a, b) == larger ? b : a;
}

/* A size that v of fn, the model or what prepares it, is never above, or below. */
static ir_size limit_of(factor_graph *g, const ir_fn *fn, ir_val v, bool upper, int depth) {
  size_table *s = g->m->sizes;
  ir_val made = fn == g->model ? factor_prepared(g, v) : 0;
  if (made) return limit_of(g, g->prepare, made, upper, depth);
  ir_size known = size_in(fn, v);
  ir_axes axes;
  if (known != IR_SIZE_NONE || depth == 0) return known;
  const ir_site *site = fn == g->model ? factor_element(g, v, &axes) : NULL;
  const factor_var *x = site ? var_find(g, site) : NULL;
  if (x) return upper ? last_of(g, x) : x->first;
  const ir_op *op = ir_def_op(fn, v);
  if (!op) return IR_SIZE_NONE;
  if (op->code == IR_IF_OP) {
    uint32_t slot = ir_value_of(fn, v)->slot;
    return extreme(g, limit_of(g, fn, op->u.branch->then_yield[slot], upper, depth - 1), limit_of(g, fn, op->u.branch->else_yield[slot], upper, depth - 1), upper);
  }
  if (op->nargs < 1 || op->nargs > 3) return IR_SIZE_NONE;
  const bool turned = op->code == IR_SUB_OP;
  ir_size a = IR_SIZE_NONE, b = IR_SIZE_NONE;
  if (op->code != IR_BOOL_INT_OP && op->code != IR_SELECT_OP) a = limit_of(g, fn, op->args[0], upper, depth - 1);
  if (op->nargs == 2) b = limit_of(g, fn, op->args[1], turned ? !upper : upper, depth - 1);
  switch (op->code) {
  case IR_BOOL_INT_OP: return size_const(s, upper);
  case IR_MIN_OP:
  case IR_MAX_OP:
    /* Of the smaller of two numbers, what is known of one is an upper limit. */
    if (upper == (op->code == IR_MIN_OP) && (a == IR_SIZE_NONE || b == IR_SIZE_NONE)) return a == IR_SIZE_NONE ? b : a;
    return extreme(g, a, b, op->code == IR_MAX_OP);
  case IR_ADD_OP: return size_add(s, a, b);
  case IR_SUB_OP: return size_sub(s, a, b);
  case IR_MUL_OP: {
    ir_size zero = size_const(s, 0), x0 = limit_of(g, fn, op->args[0], false, depth - 1), x1 = limit_of(g, fn, op->args[1], false, depth - 1);
    bool positive = x0 != IR_SIZE_NONE && x1 != IR_SIZE_NONE && factor_size_le(g, zero, x0) && factor_size_le(g, zero, x1);
    return positive ? size_mul(s, a, b) : IR_SIZE_NONE;
  }
  case IR_SELECT_OP: return extreme(g, limit_of(g, fn, op->args[1], upper, depth - 1), limit_of(g, fn, op->args[2], upper, depth - 1), upper);
  case IR_BOUND_OP: return a;
  default: return IR_SIZE_NONE;
  }
}

bool factor_range_exact(const factor_graph *g, const ir_tilde *t) {
  const factor_var *v = var_find(g, t->site);
  return v->spin || v->site->type.elem == IR_BOOL || (size_of(g, t->lo) == v->first && size_of(g, t->hi) == last_of(g, v));
}

enum { LIMIT_DEPTH = 12 };

static void add_var(factor_graph *g, const ir_op *op) {
  const ir_tilde *t = op->u.tilde;
  size_table *s = g->m->sizes;
  ir_size lo = t->lo ? limit_of(g, g->model, t->lo, false, LIMIT_DEPTH) : IR_SIZE_NONE, hi = t->hi ? limit_of(g, g->model, t->hi, true, LIMIT_DEPTH) : IR_SIZE_NONE;
  factor_var *known = (factor_var *)var_find(g, t->site);
  if (lo == IR_SIZE_NONE || hi == IR_SIZE_NONE)
    factors_refuse(g, op->where, t->lo && t->hi ? "the range of `%s` is not known; a declared type with bounds that are sizes says it: `k: int<lower = 1, upper = T> ~ ...`" : "`%s` has no largest or no smallest value", t->site->name);
  if (known) { /* the wider of two ranges */
    ir_size last = extreme(g, last_of(g, known), hi, true);
    known->first = extreme(g, known->first, lo, false);
    if (!known->spin) known->states = size_add(s, size_sub(s, last, known->first), size_const(s, 1));
    return;
  }
  factor_var v = {.site = t->site, .states = size_add(s, size_sub(s, hi, lo), size_const(s, 1)), .first = lo};
  int64_t x, y;
  v.spin = t->site->support == IR_SUP_FINITE && size_is_const(s, lo, &x) && size_is_const(s, hi, &y) && x == -1 && y == 1;
  if (v.spin) v.states = size_const(s, 2);
  if (g->nvars == FACTOR_MAX_VARS) factors_refuse(g, op->where, "more than %d finite unknowns", FACTOR_MAX_VARS);
  g->var[g->nvars++] = v;
}

/* The number, from 0, of a variable's state, and the value of a number. */
ir_val factor_state(ir_builder *b, const factor_var *v, ir_val value) {
  if (v->site->type.elem == IR_BOOL) return ir_op1(b, IR_BOOL_INT_OP, value);
  if (v->spin) return ir_op2(b, IR_IDIV_OP, ir_op2(b, IR_ADD_OP, value, ir_int(b, 1)), ir_int(b, 2));
  return ir_op2(b, IR_SUB_OP, value, ir_size_val(b, v->first));
}

ir_val factor_value(ir_builder *b, const factor_var *v, ir_val state) {
  if (v->site->type.elem == IR_BOOL) return ir_op2(b, IR_EQ_OP, state, ir_int(b, 1));
  if (v->spin) return ir_op2(b, IR_SUB_OP, ir_op2(b, IR_MUL_OP, state, ir_int(b, 2)), ir_int(b, 1));
  return ir_op2(b, IR_ADD_OP, state, ir_size_val(b, v->first));
}

/* ---- factors */

/* f becomes a factor over all elements of its variable that reads a table; the term is kept as what the table is made of. */
static void gather(factor_graph *g, factor *f) {
  ir_module *m = g->m;
  factor *from = ARENA_NEW(m->mem, factor);
  *from = *f;
  const ir_site *site = g->var[from->ref[0].var].site;
  const factor_var *v = &g->var[from->ref[0].var];
  if (site->type.rank == IR_MAX_RANK) factors_refuse(g, f->op->where, "`%s` has too many axes to be read at positions from data", site->name);
  pass_fold(m, from->fn);
  pass_dce(m, from->fn);
  *f = (factor){.op = from->op, .from = from, .gathered = g->ngathered++, .fn = ir_fn_new(m, "term", false), .nrefs = 1};
  factor_ref *r = &f->ref[0];
  r->var = from->ref[0].var;
  ir_type table = {.elem = IR_REAL};
  ir_axes axes = {.n = 0};
  for (uint32_t k = 0; k < site->type.rank; k++) {
    factor_loop *l = &f->loop[f->nloops++];
    *l = (factor_loop){.first = size_const(m->sizes, 0), .extent = site->type.dim[k], .dim = -1};
    l->index = ir_param_add(f->fn, IR_ROLE_PLAIN, arena_printf(m->mem, "i.%u", k + 1), ir_scalar(IR_INT));
    r->pos[k] = (factor_pos){(int)k, 0, size_const(m->sizes, 0)};
    table.dim[table.rank++] = site->type.dim[k];
    axes.at[axes.n++] = l->index;
  }
  table.dim[table.rank++] = v->states;
  f->table = ir_param_add(f->fn, IR_ROLE_PLAIN, "table", table);
  r->state = ir_param_add(f->fn, IR_ROLE_PLAIN, "s.1", ir_scalar((ir_elem)site->type.elem));
  ir_builder b = ir_builder_at_end(f->fn, &f->fn->body);
  axes.at[axes.n++] = factor_state(&b, v, r->state);
  ir_val x = ir_at(&b, f->table, axes);
  ir_return(f->fn, 1, &x);
}

/* A loop around it has no iteration with these data, such as `for t in 3..T` with T = 1: it ties nothing, and an array may be shorter than
 * the distance at which it would. */
static bool stands_nowhere(const factor_graph *g, const factor *f) {
  for (uint32_t k = 0; k < f->nloops; k++) {
    int64_t n;
    const ir_size extent = f->loop[k].extent;
    if (size_value(g->m->sizes, extent, &n) && n <= 0) return true;
  }
  return false;
}

static void add_factor(factor_graph *g, const ir_op *op) {
  if (op->code == IR_IF_OP)
    for (uint32_t k = 0; k < op->nres; k++)
      if (!g->dep[op->res[k]]) factors_refuse(g, op->where, "a condition with definitions among its observations");
  factor_piece todo[FACTOR_MAX_PIECES + 1];
  memset(todo, 0, sizeof *todo);
  for (uint32_t n = 1, made = 0; n;) {
    factor f = {0};
    factor_made how = factor_outline(g, &f, op, &todo[n - 1]);
    if (how == FACTOR_CUT && n + made == FACTOR_MAX_PIECES)
      factors_refuse(g, op->where, "this reads other elements in each of more than %d iterations", FACTOR_MAX_PIECES);
    if (how == FACTOR_CUT) {
      n++;
      continue;
    }
    n--;
    made++;
    if (stands_nowhere(g, &f)) continue;
    if (how == FACTOR_GATHERED) gather(g, &f);
    ARENA_PUSH(g->m->mem, g->factor, g->nfactors, g->cap_factors, f);
  }
}

static void walk(factor_graph *g, const ir_block *block, bool vars) {
  for (const ir_op *op = block->first; op; op = op->next) {
    if (ir_is_loop(op)) {
      if (!vars && factor_takes_loop(g, op)) add_factor(g, op);
      else walk(g, &op->u.loop->body, vars);
      continue;
    }
    if (vars) {
      if (op->code == IR_SAMPLE_OP && is_summed(g, op->u.tilde->site)) add_var(g, op);
      continue;
    }
    if (!factor_uses(g, op)) continue;
    if (op->code == IR_SAMPLE_OP) {
      const ir_tilde *t = op->u.tilde;
      if (t->site->role != IR_LATENT) continue;
      if (!is_summed(g, t->site) && ((t->lo && g->dep[t->lo]) || (t->hi && g->dep[t->hi])))
        factors_refuse(g, op->where, "the bounds of `%s` depend on a finite unknown", t->site->name);
      for (uint32_t k = 0; k < t->axes.n; k++)
        if (t->axes.at[k] && g->dep[t->axes.at[k]]) factors_refuse(g, op->where, "the place of `%s` depends on a finite unknown", t->site->name);
      add_factor(g, op);
    } else if (op->code == IR_OBSERVE_OP || op->code == IR_FACTOR_OP || op->code == IR_ENERGY_OP) {
      add_factor(g, op);
    } else if (op->code == IR_IF_OP) {
      term_search s = {.g = g};
      ir_visit_ops((ir_block *)&op->u.branch->then_, see_terms, &s);
      ir_visit_ops((ir_block *)&op->u.branch->else_, see_terms, &s);
      if (s.terms) add_factor(g, op);
    }
  }
}

/* ---- dimensions */

enum { AXES = FACTOR_MAX_VARS * IR_MAX_RANK };

static uint32_t root(uint32_t *up, uint32_t a) {
  while (up[a] != a) a = up[a] = up[up[a]];
  return a;
}

static void find_dims(factor_graph *g) {
  uint32_t up[AXES];
  int number[AXES];
  for (uint32_t a = 0; a < AXES; a++) up[a] = a, number[a] = -1;
  for (size_t i = 0; i < g->nfactors; i++) {
    const factor *f = &g->factor[i];
    int axis[FACTOR_MAX_LOOPS];
    memset(axis, -1, sizeof axis);
    for (uint32_t r = 0; r < f->nrefs; r++)
      for (uint32_t k = 0; k < g->var[f->ref[r].var].site->type.rank; k++) {
        int l = f->ref[r].pos[k].loop;
        if (l < 0) continue;
        uint32_t a = f->ref[r].var * IR_MAX_RANK + k;
        if (axis[l] < 0) axis[l] = (int)a;
        else up[root(up, a)] = root(up, (uint32_t)axis[l]);
      }
  }
  for (uint32_t v = 0; v < g->nvars; v++) {
    factor_var *x = &g->var[v];
    for (uint32_t k = 0; k < x->site->type.rank; k++) {
      uint32_t a = root(up, v * IR_MAX_RANK + k);
      ir_size n = x->site->type.dim[k];
      if (number[a] < 0) {
        if (g->ndims == FACTOR_MAX_DIMS) factors_refuse(g, x->site->where, "finite unknowns with more than %d axes", FACTOR_MAX_DIMS);
        number[a] = (int)g->ndims;
        g->dim[g->ndims++] = (factor_dim){.extent = n, .offset = size_const(g->m->sizes, 0)};
      }
      const factor_dim *d = &g->dim[number[a]];
      if (d->extent != n && !(factor_size_le(g, d->extent, n) && factor_size_le(g, n, d->extent)))
        factors_refuse(g, x->site->where, "`%s` is read along an array of another length", x->site->name);
      x->dim[k] = (uint32_t)number[a];
      if (x->dims & 1u << number[a]) factors_refuse(g, x->site->where, "two axes of `%s` are read with one index", x->site->name);
      x->dims |= 1u << number[a];
    }
  }
}

/* Where f stands in dimension d, and the lags of its references there. */
static void place_in_dim(factor_graph *g, factor *f, uint32_t d) {
  factor_pos last = {-1, 0, IR_SIZE_NONE};
  bool first = true;
  for (int pass = 0; pass < 2; pass++)
    for (uint32_t r = 0; r < f->nrefs; r++) {
      factor_ref *x = &f->ref[r];
      const factor_var *v = &g->var[x->var];
      for (uint32_t k = 0; k < v->site->type.rank; k++) {
        if (v->dim[k] != d || !factor_axis_open(v, k)) continue;
        const factor_pos *p = &x->pos[k];
        if (first) last = *p;
        first = false;
        g->blame = 1u << d;
        if (p->loop != last.loop) factors_refuse(g, f->op->where, "this ties elements of `%s` together that are any distance apart", v->site->name);
        if (pass == 0) {
          if (factor_size_le(g, last.at, p->at)) last = *p;
          continue;
        }
        int64_t lag;
        ir_size apart = size_sub(g->m->sizes, last.at, p->at);
        if ((!size_is_const(g->m->sizes, apart, &lag) && !size_value(g->m->sizes, apart, &lag)) || lag > FACTOR_MAX_LAG)
          factors_refuse(g, f->op->where, "this ties elements of `%s` together that are more than %d apart", v->site->name, FACTOR_MAX_LAG);
        if (lag > 0 && x->lag > 0) {
          g->blame = v->dims;
          factors_refuse(g, f->op->where, "`%s` is tied to its neighbours along two axes", v->site->name);
        }
        g->blame = 0;
        x->lag += (uint32_t)lag;
        if (g->dim[d].lag < lag) g->dim[d].lag = (uint32_t)lag;
      }
    }
  f->first[d] = last.loop >= 0 ? size_add(g->m->sizes, last.at, f->loop[last.loop].first) : last.at;
  f->count[d] = last.loop >= 0 ? f->loop[last.loop].extent : size_const(g->m->sizes, 1);
  if (last.loop >= 0) {
    f->loop[last.loop].dim = (int)d;
    f->loop[last.loop].shift = last.at;
  }
}

/* A loop whose index is subtracted runs the other way round. */
static void turn_loops(factor_graph *g, factor *f) {
  size_table *s = g->m->sizes;
  for (uint32_t r = 0; r < f->nrefs; r++)
    for (uint32_t k = 0; k < g->var[f->ref[r].var].site->type.rank; k++) {
      factor_pos *p = &f->ref[r].pos[k];
      if (p->loop < 0 || !p->down) continue;
      factor_loop *l = &f->loop[p->loop];
      l->down = true;
      l->flip = size_add(s, size_add(s, l->first, l->first), size_sub(s, l->extent, size_const(s, 1)));
    }
  for (uint32_t r = 0; r < f->nrefs; r++)
    for (uint32_t k = 0; k < g->var[f->ref[r].var].site->type.rank; k++) {
      factor_pos *p = &f->ref[r].pos[k];
      if (p->loop < 0 || !f->loop[p->loop].down) continue;
      if (!p->down) g->blame = 0; /* both ways at once: no spreading helps */
      if (!p->down) factors_refuse(g, f->op->where, "this ties elements of `%s` together that are any distance apart", g->var[f->ref[r].var].site->name);
      p->at = size_sub(s, p->at, f->loop[p->loop].flip);
      p->down = 0;
    }
}

static void place(factor_graph *g, factor *f) {
  for (uint32_t r = 0; r < f->nrefs; r++) f->dims |= g->var[f->ref[r].var].dims;
  for (uint32_t d = 0; d < g->ndims; d++)
    if (f->dims & 1u << d) place_in_dim(g, f, d);
  pass_fold(g->m, f->fn);
  pass_dce(g->m, f->fn);
  uint32_t *uses = ir_use_counts(f->fn, g->m->mem);
  for (uint32_t k = 0; k < f->nloops; k++) f->loop[k].varies = uses[f->loop[k].index] > 0;
}

void factors_build(factor_graph *g) {
  arena *mem = g->m->mem;
  g->image = derive_images(mem, g->model);
  g->dep = ARENA_ARRAY(mem, bool, g->model->nvals);
  ir_visit_ops((ir_block *)&g->model->body, mark_elements, g);
  ir_spread(g->dep, g->model);
  walk(g, &g->model->body, true);
  walk(g, &g->model->body, false);
  find_dims(g);
  for (size_t k = 0; k < g->nfactors; k++) turn_loops(g, &g->factor[k]);
  for (uint32_t d = 0; d < g->ndims; d++)
    if (g->spread & 1u << d) factor_spread(g, d);
    else factor_take_apart(g, d);
  for (size_t k = 0; k < g->nfactors; k++) place(g, &g->factor[k]);
}
