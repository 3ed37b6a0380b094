/* lower_missing.c: missing values of observed arrays (lower.h says what stands for them).
 *
 * Missing values that something reads are unknowns: y_mis is a site of density 1, and y is the data with y_mis put into the
 * places y.at.  A statement that observes y then gives the missing elements their density as it gives the others theirs, so
 * the joint density is the model's, whatever reads y.  Those that nothing reads are integrated out by leaving their terms out:
 * a factor whose variable stands nowhere else integrates to 1.  They are drawn with the outputs. */
#include "compiler/lower_internal.h"

#include <string.h>

static const lower_missing *missing_of(const lower *l, const symbol *s) {
  for (size_t k = 0; l->options && k < l->options->nmissing; k++)
    if (strcmp(l->options->missing[k].name, s->name) == 0) return &l->options->missing[k];
  return NULL;
}

/* The place of missing value m: an index for each axis of y. */
static ir_axes place(lower *l, const lower_gap *g, ir_val m, uint32_t rank) {
  ir_axes axes = {.n = rank};
  for (uint32_t k = 0; k < rank; k++) {
    ir_axes at = {.n = 2, .at = {m, ir_int(&l->b, k)}};
    axes.at[k] = ir_at(&l->b, g->at, at);
  }
  return axes;
}

/* A bound of the declared type, at a place, and of the distribution, a literal: the one that is narrower. */
static ir_val bound_at(lower *l, const ast_expr *declared, const ast_expr *own, bool lower_side, const ir_axes *axes, ir_elem elem) {
  ir_val v = 0;
  if (declared) {
    uint32_t r = ty_of(declared)->rank;
    v = r ? lower_convert(l, lower_elem(l, declared, r, axes->at + (axes->n - r)), elem) : lower_scalar_as(l, declared, elem);
  }
  if (!own) return v;
  ir_val w = lower_scalar_as(l, own, elem);
  return v ? ir_op2(&l->b, lower_side ? IR_MAX_OP : IR_MIN_OP, v, w) : w;
}

static const ty_info *drawn_on(const check_site *s) { return s->role == IR_LATENT ? check_drawn_on(s) : s->on; }

/* The support of the missing values: what is finite has a least and a greatest value. */
static ir_support support_of(const ty_info *t, const ty_info *on) {
  if (t->kind == TY_REAL) {
    const bool below = t->lo || on->lo, above = t->hi || on->hi;
    return below && above ? IR_SUP_INTERVAL : below ? IR_SUP_LOWER : above ? IR_SUP_UPPER : IR_SUP_REAL;
  }
  return t->support == IR_SUP_FINITE || on->kind == TY_BOOL ? IR_SUP_FINITE : IR_SUP_INT;
}

static ir_val integer_bound(lower *l, const check_site *s, bool lower_side, const ir_axes *axes) {
  const ty_info *t = s->sym->type, *on = drawn_on(s);
  if (t->spin) return ir_int(&l->b, lower_side ? -1 : 1);
  if (t->kind == TY_BOOL || on->kind == TY_BOOL) return ir_int(&l->b, lower_side ? 0 : 1);
  if (s->role == IR_LATENT && !t->lo && !t->hi && on->support == IR_SUP_FINITE && on->count != IR_SIZE_NONE)
    return lower_side ? ir_int(&l->b, 1) : ir_size_val(&l->b, lower_size(l, on->count)); /* its counts are the model's */
  const ast_expr *own = lower_side ? on->lo : on->hi; /* one in parameters is left to the density */
  ir_val v = bound_at(l, lower_side ? t->lo : t->hi, own && own->kind == EXPR_INT ? own : NULL, lower_side, axes, IR_INT);
  return v || !lower_side || t->support != IR_SUP_FINITE ? v : ir_int(&l->b, 1);
}

static ir_val draw_all(lower *l, const check_site *s, lower_gap *g, ir_elem elem) {
  const ty_info *t = s->sym->type, *on = drawn_on(s);
  const check_dist *flat = check_dist_of(l->p, check_library(l->p, "Flat"));
  ir_dist *d = lower_dist_instance(l, flat, NULL, ir_scalar(elem));
  if (t->lo) lower_prepare(l, t->lo);
  if (t->hi) lower_prepare(l, t->hi);
  lower_box box = lower_box_begin(l, 1, &g->n);
  ir_axes at = {.n = 1, .at = {box.idx[0]}}, axes = place(l, g, box.idx[0], t->rank);
  ir_val lo = elem == IR_REAL ? bound_at(l, t->lo, on->lo, true, &axes, elem) : integer_bound(l, s, true, &axes);
  ir_val hi = elem == IR_REAL ? bound_at(l, t->hi, on->hi, false, &axes, elem) : integer_bound(l, s, false, &axes);
  ir_val v = ir_sample(&l->b, g->site, d, at, lo, hi, 0, NULL);
  lower_box_end(l, &box);
  return ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, v);
}

/* Reals: y_mis is put into its places.  Integers: each element is what was seen, or one of y_mis, which is a form in which they can be summed out. */
static void make_latent(lower *l, const check_site *s, lower_gap *g, const char *name) {
  const ty_info *t = s->sym->type;
  const ir_val data = lower_find(l, s->sym)->v;
  const ir_elem elem = lower_elem_kind(t);
  g->site = ir_site_new(l->fn, name, IR_LATENT, support_of(t, drawn_on(s)), ir_array(elem, 1, &g->n), 0);
  g->site->where = s->at;
  ir_val all = draw_all(l, s, g, elem), whole;
  if (elem == IR_REAL) {
    lower_box box = lower_box_begin(l, 1, &g->n);
    ir_axes at = {.n = 1, .at = {box.idx[0]}}, axes = place(l, g, box.idx[0], t->rank);
    ir_val v = ir_at(&l->b, all, at);
    lower_box_end(l, &box);
    whole = ir_loop_out(l->fn, box.op, IR_INTO, data, &axes, v);
  } else {
    ir_type of = lower_type(l, t);
    of.elem = IR_BOOL;
    ir_val seen = ir_param_add(l->fn, IR_ROLE_DATA, arena_printf(l->mem, "%s.seen", s->sym->name), of);
    of.elem = IR_INT;
    ir_val slot = ir_param_add(l->fn, IR_ROLE_DATA, arena_printf(l->mem, "%s.slot", s->sym->name), of);
    lower_box box = lower_box_begin(l, of.rank, of.dim);
    ir_axes axes = {.n = of.rank};
    memcpy(axes.at, box.idx, of.rank * sizeof *axes.at);
    ir_axes at = {.n = 1, .at = {ir_at(&l->b, slot, axes)}};
    ir_val v = ir_op3(&l->b, IR_SELECT_OP, ir_at(&l->b, seen, axes), ir_at(&l->b, data, axes), ir_at(&l->b, all, at));
    lower_box_end(l, &box);
    whole = ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, v);
  }
  lower_bind(l, s->sym, whole);
  lower_forget(l, 0);
}

/* Drawn by the statements that observe y, in whose array the missing elements are then found. */
static void draw_later(lower *l, const check_site *s, lower_gap *g, const char *name) {
  const ty_info *t = s->sym->type;
  ir_type of = lower_type(l, t);
  g->site = ir_site_new(l->fn, name, IR_LATENT, support_of(t, drawn_on(s)), ir_array((ir_elem)of.elem, 1, &g->n), 0);
  g->site->where = s->at;
  g->site->gathered = true;
  of.elem = IR_BOOL;
  g->seen = ir_param_add(l->fn, IR_ROLE_DATA, arena_printf(l->mem, "%s.seen", s->sym->name), of);
  of.elem = IR_INT;
  g->slot = ir_param_add(l->fn, IR_ROLE_DATA, arena_printf(l->mem, "%s.slot", s->sym->name), of);
}

void lower_gaps_begin(lower *l) {
  for (size_t k = 0; k < l->model->nsites; k++) {
    const check_site *s = &l->model->sites[k];
    const lower_missing *what = s->role == IR_OBSERVED || l->given[k] ? missing_of(l, s->sym) : NULL;
    if (!what) continue;
    lower_gap *g = &l->gap[k];
    size_table *t = l->m->sizes;
    const char *name = what->gap;
    *g = (lower_gap){.what = what, .n = size_const(t, what->n)};
    l->b.where = s->at;
    ir_size dim[2] = {g->n, size_const(t, s->sym->type->rank)};
    g->at = ir_param_add(l->fn, IR_ROLE_DATA, arena_printf(l->mem, "%s.at", s->sym->name), ir_array(IR_INT, 2, dim));
    if (what->latent && l->options->order == ORDER_MISSING) {
      draw_later(l, s, g, name);
      continue;
    }
    if (what->latent) {
      make_latent(l, s, g, name);
      continue;
    }
    ir_type seen = lower_type(l, s->sym->type);
    seen.elem = IR_BOOL;
    g->seen = ir_param_add(l->fn, IR_ROLE_DATA, arena_printf(l->mem, "%s.seen", s->sym->name), seen);
    g->drawn = lower_drawn_like(l, (uint32_t)k, name, s->at, &g->site);
  }
}

/* ---- vectors of which some elements are missing */

static const ast_decl *library(const lower *l, const char *name) { return check_library(l->p, name)->decl; }

/* The covariance of the library's MultiNormal; 0: d is another distribution, maybe a program's own of that name. */
static ir_val covariance_of(lower *l, const check_dist *d, ir_val matrix) {
  const symbol *form_of = check_library(l->p, "MultiNormal");
  while (form_of && form_of != d->sym) form_of = form_of->next_overload;
  if (!form_of) return 0;
  const char *form = d->params[1]->name;
  if (strcmp(form, "cov") == 0) return matrix;
  if (strcmp(form, "cholesky") == 0) return ir_matmul(&l->b, matrix, matrix, IR_TRANS_B);
  return lower_fn_call(l, library(l, "inverse_of_precision"), IR_REAL, &matrix, NULL);
}

ir_val lower_draw_rest(lower *l, const lower_gap *g, ir_site *site, const check_dist *d, const ir_axes *axes, ir_val x, const ir_val *args) {
  const ir_val cov = d->on->rank == 1 ? covariance_of(l, d, args[1]) : 0;
  if (!cov) return 0;
  ir_builder *b = &l->b;
  ir_axes row = *axes;
  row.n = axes->n + 1; /* and all of the vector */
  row.at[axes->n] = 0;
  const ir_val seen = ir_at(b, g->seen, row), slot = ir_at(b, g->slot, row), turn = lower_fn_call(l, library(l, "seen_first"), IR_INT, &seen, NULL);
  const ir_val in_turn[2] = {cov, turn}, factor = lower_fn_call(l, library(l, "factor_in_turn"), IR_REAL, in_turn, NULL);
  const check_dist *normal = check_dist_of(l->p, check_library(l->p, "Normal"));
  const ir_type scalar = ir_scalar(IR_REAL), type[2] = {scalar, scalar};
  ir_dist *law = lower_dist_instance(l, normal, type, scalar);

  const ir_val extent = ir_size_val(b, ir_type_of(l->fn, x).dim[0]), zero = ir_new_array(b, ir_type_of(l->fn, x));
  ir_op *loop = ir_loop_begin(b, IR_SCAN_OP, 1, &extent);
  const uint32_t values = ir_loop_state(l->fn, loop, IR_INTO, x), variates = ir_loop_state(l->fn, loop, IR_INTO, zero);
  const ir_builder outer = *b;
  *b = ir_builder_in(&outer, &loop->u.loop->body);
  const ir_val p = loop->u.loop->index[0], k = ir_op2(b, IR_SUB_OP, ir_at1(b, turn, p), ir_int(b, 1));
  const ir_axes row_of_factor = {.n = 2, .at = {p, 0}}, diagonal = {.n = 2, .at = {p, p}};
  /* Variates further on are 0 yet. */
  const ir_val known = ir_matmul(b, ir_at(b, factor, row_of_factor), loop->u.loop->out[variates].state, 0);
  const ir_val of[2] = {ir_op2(b, IR_ADD_OP, ir_at1(b, args[0], k), known), ir_at(b, factor, diagonal)};
  ir_op *branch = ir_if_begin(b, ir_at1(b, seen, k));
  const ir_builder inside = *b;
  *b = ir_builder_in(&inside, &branch->u.branch->then_);
  ir_axes here = *axes;
  here.at[here.n++] = k;
  const ir_val there = ir_at1(b, x, k);
  ir_observe(b, site, law, here, there, 2, of);
  *b = ir_builder_in(&inside, &branch->u.branch->else_);
  const ir_axes missing = {.n = 1, .at = {ir_at1(b, slot, k)}};
  const ir_val drawn = ir_sample(b, g->site, law, missing, 0, 0, 2, of);
  *b = inside;
  const ir_val v = ir_if_out(l->fn, branch, there, drawn), z = ir_op2(b, IR_DIV_OP, ir_op2(b, IR_SUB_OP, v, of[0]), of[1]);
  *b = outer;
  const ir_axes at_k = {.n = 1, .at = {k}}, at_p = {.n = 1, .at = {p}};
  ir_loop_finish(l->fn, loop, values, &at_k, v);
  ir_loop_finish(l->fn, loop, variates, &at_p, z);
  return loop->res[values];
}

/* ---- the distribution where a value may be missing */

static ir_fn *with_seen(lower *l, const char *name, const ir_fn *like, ir_val *all) {
  ir_fn *fn = ir_fn_new(l->m, name, false);
  for (uint32_t k = 0; k < like->nparams; k++) all[k] = ir_param_add(fn, IR_ROLE_PLAIN, like->param[k].name, ir_type_of(like, like->param[k].val));
  all[like->nparams] = ir_param_add(fn, IR_ROLE_PLAIN, "seen", ir_scalar(IR_BOOL));
  return fn;
}

ir_dist *lower_seen(lower *l, ir_dist *d) {
  const char *name = arena_printf(l->mem, "%s.seen", d->name);
  ir_dist *r = ir_dist_find(l->m, name);
  if (r) return r;
  r = ir_dist_new(l->m, name);
  r->support = d->support;
  r->event_rank = d->event_rank;
  r->discrete = d->discrete;
  r->nparams = d->nparams + 1;
  ir_val *all = ARENA_ARRAY(l->mem, ir_val, d->logpdf->nparams + 1);
  r->logpdf = with_seen(l, arena_printf(l->mem, "%s.logpdf", name), d->logpdf, all);
  ir_builder in = ir_builder_at_end(r->logpdf, &r->logpdf->body);
  ir_val lp = ir_call(&in, d->logpdf, d->logpdf->nparams, all)->res[0];
  lp = ir_op3(&in, IR_SELECT_OP, all[d->logpdf->nparams], lp, ir_real(&in, 0.0));
  ir_return(r->logpdf, 1, &lp);
  if (d->valid) {
    r->valid = with_seen(l, arena_printf(l->mem, "%s.valid", name), d->valid, all);
    in = ir_builder_at_end(r->valid, &r->valid->body);
    ir_val ok = ir_call(&in, d->valid, d->valid->nparams, all)->res[0];
    ir_return(r->valid, 1, &ok);
  }
  return r;
}

/* ---- which elements the statements observe */

typedef struct interval {
  bool known;
  int64_t lo, hi; /* both included */
} interval;

/* What a position runs over in its loops, as far as sums of counters and sizes say. */
static interval interval_of(const lower *l, ir_val v) {
  ir_size s = ir_size_of(l->fn, v);
  if (s != IR_SIZE_NONE) {
    int64_t n = size_eval(l->m->sizes, s);
    return (interval){true, n, n};
  }
  const ir_value *x = ir_value_of(l->fn, v);
  if (x->def == IR_DEF_INDEX) {
    interval n = interval_of(l, x->op->u.loop->extent[x->slot]);
    return (interval){n.known, 0, n.hi - 1};
  }
  const ir_op *op = ir_def_op(l->fn, v);
  if (!op) return (interval){0};
  if (op->code == IR_BOUND_OP) return interval_of(l, op->args[0]);
  if (op->code != IR_ADD_OP && op->code != IR_SUB_OP) return (interval){0};
  interval a = interval_of(l, op->args[0]), b = interval_of(l, op->args[1]);
  if (op->code == IR_ADD_OP) return (interval){a.known && b.known, a.lo + b.lo, a.hi + b.hi};
  return (interval){a.known && b.known, a.lo - b.hi, a.hi - b.lo};
}

typedef struct coverage {
  const lower *l;
  const ir_site *site;
  const lower_missing *what;
  bool *observed; /* [what->n] */
} coverage;

/* A position that cannot be told is taken to reach every element of its axis. */
static void see_observe(void *user, ir_op *op) {
  coverage *c = user;
  if (op->code != IR_OBSERVE_OP || op->u.tilde->site != c->site) return;
  const ir_axes *axes = &op->u.tilde->axes;
  uint32_t rank = c->site->type.rank;
  interval in[IR_MAX_RANK] = {0};
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k]) in[k] = interval_of(c->l, axes->at[k]);
  for (int64_t m = 0; m < c->what->n; m++) {
    bool inside = true;
    for (uint32_t k = 0; k < rank; k++) {
      int64_t at = c->what->at[m * rank + k];
      inside = inside && (!in[k].known || (at >= in[k].lo && at <= in[k].hi));
    }
    c->observed[m] |= inside;
  }
}

static bool all_observed(lower *l, const ir_site *site, const lower_missing *what) {
  coverage c = {l, site, what, ARENA_ARRAY(l->mem, bool, (size_t)what->n)};
  ir_visit_ops(&l->fn->body, see_observe, &c);
  for (int64_t m = 0; m < what->n; m++) {
    if (c.observed[m]) continue;
    strbuf at;
    strbuf_init(&at, l->mem);
    for (uint32_t k = 0; k < site->type.rank; k++)
      strbuf_printf(&at, "%s%lld", k ? ", " : "", (long long)what->at[m * site->type.rank + k] + 1);
    diag *d = diag_add(l->p->diags, DIAG_ERROR, "E0770", site->where, "`%s[%s]` is missing, and no statement observes it", site->name, at.s);
    diag_say(l->p->diags, d, "observes other elements");
    diag_help(l->p->diags, d, "give it a distribution: `%s[%s] ~ ...`", site->name, at.s);
    l->refused = true;
    return false;
  }
  return true;
}

void lower_gaps_end(lower *l) {
  for (size_t k = 0; k < l->model->nsites; k++) {
    const lower_gap *g = &l->gap[k];
    if (g->what && g->what->given) {
      l->b.where = l->site[k]->where;
      ir_track(&l->b, l->site[k]->name, lower_read_all(l, l->model->sites[k].sym));
    }
    if (!g->what || !all_observed(l, l->site[k], g->what) || (!g->drawn && !g->slot)) continue;
    l->b.where = g->site->where;
    ir_val all = lower_read_all(l, g->slot ? l->model->sites[k].sym : g->drawn);
    lower_box box = lower_box_begin(l, 1, &g->n);
    ir_val v = ir_at(&l->b, all, place(l, g, box.idx[0], ir_type_of(l->fn, all).rank));
    lower_box_end(l, &box);
    ir_track(&l->b, g->site->name, ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, v));
  }
}
