/* sum_out.c: the collapsed model and the recovery (sum_out.h). */
#include "compiler/sum_out.h"

#include "compiler/eliminate.h"
#include "compiler/ir_uses.h"

#include <string.h>

/* ---- what stays of the model */

typedef struct copier {
  factor_graph *g;
  ir_fn *fn;
  ir_cloner c;
} copier;

static ir_axes get_axes(const copier *x, const ir_axes *axes) {
  ir_axes to = {.n = axes->n};
  for (uint32_t k = 0; k < axes->n; k++) to.at[k] = axes->at[k] ? ir_map_get(&x->c.map, axes->at[k]) : 0;
  return to;
}

/* The density of 1 on events of a type: what is left of a draw whose density has become a term of a sum. */
static ir_dist *flat(ir_module *m, const ir_site *site, ir_type t) {
  strbuf name;
  strbuf_init(&name, m->mem);
  strbuf_printf(&name, "Flat.%d.%d", site->support, t.elem);
  for (uint32_t k = 0; k < t.rank; k++) {
    strbuf_putc(&name, ':');
    size_print(m->sizes, t.dim[k], &name);
  }
  ir_dist *d = ir_dist_find(m, name.s);
  if (d) return d;
  d = ir_dist_new(m, name.s);
  d->support = site->support;
  d->event_rank = t.rank;
  d->logpdf = ir_fn_new(m, arena_printf(m->mem, "%s.logpdf", name.s), false);
  ir_param_add(d->logpdf, IR_ROLE_PLAIN, "x", t);
  ir_builder b = ir_builder_at_end(d->logpdf, &d->logpdf->body);
  ir_val zero = ir_real(&b, 0.0);
  ir_return(d->logpdf, 1, &zero);
  return d;
}

static void copy_block(copier *x, ir_builder *b, const ir_block *block);

static void copy_loop(copier *x, ir_builder *b, const ir_op *op) {
  const ir_loop *from = op->u.loop;
  ir_val extent[IR_MAX_RANK];
  for (uint32_t k = 0; k < from->rank; k++) extent[k] = ir_map_get(&x->c.map, from->extent[k]);
  ir_op *loop = ir_loop_begin(b, (ir_code)op->code, from->rank, extent);
  loop->where = op->where;
  loop->u.loop->down = from->down;
  for (uint32_t k = 0; k < from->rank; k++) ir_map_set(&x->c.map, from->index[k], loop->u.loop->index[k]);
  for (uint32_t k = 0; k < from->nout; k++) {
    const ir_out *out = &from->out[k];
    if (!out->state || x->g->dep[op->res[k]]) continue;
    uint32_t n = ir_loop_state(x->fn, loop, (ir_mode)out->mode, ir_map_get(&x->c.map, out->init));
    ir_map_set(&x->c.map, out->state, loop->u.loop->out[n].state);
  }
  if (from->live) loop->u.loop->live = ir_map_get(&x->c.map, from->live);
  ir_builder in = ir_builder_in(b, &loop->u.loop->body);
  copy_block(x, &in, &from->body);
  uint32_t n = 0;
  for (uint32_t k = 0; k < from->nout; k++) {
    const ir_out *out = &from->out[k];
    if (!out->state || x->g->dep[op->res[k]]) continue;
    ir_axes axes = get_axes(x, &out->axes);
    ir_loop_finish(x->fn, loop, n, &axes, ir_map_get(&x->c.map, out->yield));
    ir_map_set(&x->c.map, op->res[k], loop->res[n++]);
  }
  for (uint32_t k = 0; k < from->nout; k++) {
    const ir_out *out = &from->out[k];
    if (out->state || x->g->dep[op->res[k]]) continue;
    ir_axes axes = get_axes(x, &out->axes);
    ir_val v = ir_loop_out(x->fn, loop, (ir_mode)out->mode, out->init ? ir_map_get(&x->c.map, out->init) : 0, &axes, ir_map_get(&x->c.map, out->yield));
    ir_map_set(&x->c.map, op->res[k], v);
  }
  if (!loop->u.loop->body.first && !loop->nres) ir_remove(loop);
}

static void copy_block(copier *x, ir_builder *b, const ir_block *block) {
  for (const ir_op *op = block->first; op; op = op->next) {
    b->where = op->where;
    if (op->code == IR_TRACK_OP || factor_takes_loop(x->g, op)) continue;
    if (ir_is_loop(op)) {
      copy_loop(x, b, op);
    } else if (!factor_uses(x->g, op)) {
      ir_clone_op(&x->c, b, op);
    } else if (op->code == IR_SAMPLE_OP && op->u.tilde->site->role == IR_LATENT && !x->g->summed[op->u.tilde->site->number]) {
      const ir_tilde *t = op->u.tilde;
      ir_val lo = t->lo ? ir_map_get(&x->c.map, t->lo) : 0, hi = t->hi ? ir_map_get(&x->c.map, t->hi) : 0;
      ir_dist *d = flat(x->g->m, t->site, ir_type_of(x->g->model, op->res[0]));
      ir_map_set(&x->c.map, op->res[0], ir_sample(b, t->site, d, get_axes(x, &t->axes), lo, hi, 0, NULL));
    }
  }
}

/* A model without what depends on the variables, still open at its end. */
static copier *copy_model(factor_graph *g, const char *name, ir_builder *b) {
  ir_module *m = g->m;
  copier *x = ARENA_NEW(m->mem, copier);
  x->g = g;
  x->fn = ir_fn_new(m, name, true);
  x->c = (ir_cloner){.from = g->model, .map = ir_map_new(m->mem, g->model)};
  for (uint32_t k = 0; k < g->model->nparams; k++) {
    const ir_param *p = &g->model->param[k];
    ir_map_set(&x->c.map, p->val, ir_param_add(x->fn, (ir_role)p->role, p->name, ir_type_of(g->model, p->val)));
  }
  x->fn->site = ARENA_ARRAY(m->mem, ir_site *, g->model->nsites);
  memcpy(x->fn->site, g->model->site, g->model->nsites * sizeof *x->fn->site);
  x->fn->nsites = x->fn->cap_sites = g->model->nsites;
  for (uint32_t k = 0; k < x->fn->nsites; k++) name_index_add(&x->fn->site_names, x->fn->site[k]->name, x->fn->site[k]->number);
  *b = ir_builder_at_end(x->fn, &x->fn->body);
  copy_block(x, b, &g->model->body);
  b->where = g->var[0].site->where;
  return x;
}

static eliminator *eliminator_of(factor_graph *g, copier *x) {
  eliminator *e = ARENA_NEW(g->m->mem, eliminator);
  e->g = g;
  e->fn = x->fn;
  e->outer = &x->c.map;
  e->repeats = 1.0;
  return e;
}

static ir_fn *collapse(factor_graph *g, double limit, sum_out_plan *out) {
  ir_builder b;
  copier *x = copy_model(g, "collapsed", &b);
  eliminator *e = eliminator_of(g, x);
  eliminate_sum(e, &b);
  out->cells = e->cells;
  out->widest = e->widest;
  if (e->cells > limit) {
    strbuf names;
    strbuf_init(&names, g->m->mem);
    for (uint32_t k = 0; k < g->nvars; k++) strbuf_printf(&names, "%s`%s`", !k ? "" : k + 1 < g->nvars ? ", " : " and ", g->var[k].site->name);
    factors_refuse(g, g->var[0].site->where, "the sums over %s have %.3g terms, the largest table %.3g; %.3g are allowed", names.s, e->cells, e->widest, limit);
  }
  return x->fn;
}

/* The array of a site of which v is all, or what was left when positions were taken apart (it comes first), or one of these positions. */
static ir_val collect(ir_builder *b, const factor_var *v, ir_val whole, ir_val value) {
  ir_axes axes = {.n = v->site->type.rank};
  bool spread = false;
  for (uint32_t k = 0; k < axes.n; k++) {
    if (factor_axis_open(v, k)) continue;
    axes.at[k] = ir_size_val(b, v->at[k]);
    spread = true;
  }
  return spread ? ir_put(b, whole ? whole : ir_new_array(b, v->site->type), axes, value) : value;
}

static ir_fn *recover(factor_graph *g, bool most_likely) {
  ir_builder b;
  copier *x = copy_model(g, "recovery", &b);
  eliminator *e = eliminator_of(g, x);
  const ir_site *drawn[FACTOR_MAX_VARS] = {NULL};
  for (uint32_t k = 0; k < g->nvars; k++) {
    ir_site **s = &x->fn->site[g->var[k].site->number - 1];
    if ((*s)->role == IR_LATENT) {
      *s = ARENA_NEW(g->m->mem, ir_site);
      **s = *g->var[k].site;
      (*s)->role = IR_PREDICTED;
    }
    drawn[k] = *s;
  }
  e->drawn = drawn;
  e->most_likely = most_likely;
  ir_val value[FACTOR_MAX_VARS];
  eliminate_draw(e, &b, value);
  for (uint32_t n = 0; n < g->model->nsites; n++) {
    ir_val whole = 0;
    for (uint32_t k = 0; k < g->nvars; k++)
      if (g->var[k].site == g->model->site[n]) whole = collect(&b, &g->var[k], whole, value[k]);
    if (whole) ir_track(&b, g->model->site[n]->name, whole);
  }
  return x->fn;
}

/* The functions of factors were copied to where they are used. */
static void drop_terms(factor_graph *g, uint32_t from) {
  ir_module *m = g->m;
  uint32_t n = from;
  for (uint32_t k = from; k < m->nfns; k++) {
    bool term = false;
    for (size_t i = 0; i < g->nfactors; i++) term = term || g->factor[i].fn == m->fn[k] || (g->factor[i].from && g->factor[i].from->fn == m->fn[k]);
    if (!term) m->fn[n++] = m->fn[k];
  }
  m->nfns = n;
}

/* How each variable is summed, for `aimc explain`. */
static void tell(factor_graph *g, const sum_out_plan *p) {
  for (uint32_t k = 0; k < g->nvars; k++) {
    const factor_var *v = &g->var[k];
    if (k > 0 && g->var[k - 1].site == v->site) continue; /* positions of what was spread */
    strbuf how;
    strbuf_init(&how, g->m->mem);
    for (uint32_t a = 0; a < v->site->type.rank; a++) {
      const factor_dim *d = &g->dim[v->dim[a]];
      strbuf_puts(&how, a ? ", " : " ");
      if (!factor_axis_open(v, a)) strbuf_puts(&how, "one by one over ");
      else if (d->lag) strbuf_printf(&how, "by the forward recursion with %u earlier position%s over ", d->lag, d->lag > 1 ? "s" : "");
      else strbuf_puts(&how, "at each position of ");
      size_print(g->m->sizes, d->extent, &how);
    }
    ir_remark_add(g->m, "sum out", v->site->where, false, "%s is summed out%s; tables of %.3g entries, the largest of %.3g", v->site->name, how.s ? how.s : "", p->cells, p->widest);
  }
}

static bool try_sum(factor_graph *g, double limit, bool most_likely, sum_out_plan *out) {
  if (setjmp(g->refuse)) return false;
  factors_build(g);
  out->collapsed = collapse(g, limit, out);
  out->recovery = recover(g, most_likely);
  return true;
}

/* A short dimension among those that keep a model from being summed, of no more variables than there may be; else -1. */
static int to_spread(const factor_graph *g) {
  int best = -1;
  int64_t least = FACTOR_MAX_VARS + 1;
  for (uint32_t d = 0; d < g->ndims; d++) {
    int64_t n;
    if (!(g->blame & ~g->spread & 1u << d) || !size_value(g->m->sizes, g->dim[d].extent, &n) || n < 1 || n >= least) continue;
    least = n;
    best = (int)d;
  }
  return best;
}

bool sum_out(ir_module *m, const ir_fn *model, const ir_fn *prepare, const bool *summed, double limit, bool most_likely, sum_out_plan *out) {
  const uint32_t nfns = m->nfns, ndists = m->ndists;
  factor_graph *g = NULL;
  uint32_t spread = 0;
  for (int d = 0; d >= 0;) {
    factor_graph *next = ARENA_NEW(m->mem, factor_graph);
    *out = (sum_out_plan){.why = g ? out->why : NULL, .where = g ? out->where : (span){0}};
    g = next;
    *g = (factor_graph){.m = m, .model = model, .prepare = prepare, .summed = summed, .spread = spread};
    if (!try_sum(g, limit, most_likely, out)) {
      m->nfns = nfns;
      m->ndists = ndists;
      if (!spread) { /* the reason that speaks of the model as it is written */
        out->why = g->why;
        out->where = g->where;
      }
      d = to_spread(g);
      if (d >= 0) spread |= 1u << d;
      continue;
    }
    out->why = NULL;
    drop_terms(g, nfns);
    tell(g, out);
    return true;
  }
  return false;
}

typedef struct range_search {
  const ir_site *site;
  bool finite, seen;
} range_search;

static void see_draw(void *user, ir_op *op) {
  range_search *s = user;
  if (op->code != IR_SAMPLE_OP || op->u.tilde->site != s->site) return;
  s->seen = true;
  s->finite = s->finite && op->u.tilde->lo && op->u.tilde->hi;
}

bool sum_out_finite(const ir_fn *model, const ir_site *site) {
  if (site->role != IR_LATENT || !derive_is_discrete(site) || site->event_rank) return false;
  range_search s = {site, true, false};
  ir_visit_ops((ir_block *)&model->body, see_draw, &s);
  return s.seen && s.finite;
}
