/* lower_dist.c: ~ statements, and distributions as functions of the module.
 *
 * A distribution is instantiated for the shapes of its arguments: Dirichlet over real[K] and over real[3] are two sets of
 * functions, so that their sizes are the model's own and inlining them is copying. */
#include "compiler/builtin.h"
#include "compiler/lower_internal.h"

#include <math.h>
#include <string.h>

/* The density is zero outside the bounds of the support. */
static ir_val inside_support(lower *l, const check_dist *d, ir_val lp, const ir_type *x) {
  const ty_info *on = d->on;
  if (x->rank || x->elem == IR_BOOL || on->rank) return lp;
  ir_val v = l->fn->param[0].val;
  for (int side = 0; side < 2; side++) {
    const ast_expr *bound = side == 0 ? on->lo : on->hi;
    if (!bound) continue;
    ir_val w = lower_scalar_as(l, bound, (ir_elem)x->elem);
    lp = ir_op2(&l->b, IR_GUARD_OP, side == 0 ? ir_op2(&l->b, IR_LE_OP, w, v) : ir_op2(&l->b, IR_LE_OP, v, w), lp);
  }
  return lp;
}

/* A member as a function of (x or key and index, parameters...). */
static ir_fn *member(lower *l, const check_dist *d, const ast_stmt *s, const char *name, const ir_type *params, const ir_type *x) {
  if (!s) return NULL;
  ir_fn *fn = ir_fn_new(l->m, name, false);
  lower_saved saved;
  lower_enter(l, fn, &saved);
  l->b.where = (span){0}; /* what is made of no expression of the member stands at each call, when that is inlined */
  bool sampler = s == d->sample;
  for (size_t k = 0; k < d->nparams; k++) lower_unify(l, d->params[k]->type, params[k]);
  if (x && d->on->rank == x->rank) lower_unify(l, d->on, *x);
  bool maps = s == d->standard || s == d->from_standard;
  if (sampler) {
    l->key = ir_param_add(fn, IR_ROLE_PLAIN, "key", ir_scalar(IR_KEY));
    l->index = ir_param_add(fn, IR_ROLE_PLAIN, "index", ir_scalar(IR_INT));
  } else if (s->member.params.n) {
    ir_type at = s == d->quantile ? ir_scalar(IR_REAL) : *x;
    lower_bind(l, s->member.params.items[0].name.sym, ir_param_add(fn, IR_ROLE_PLAIN, maps ? "z" : "x", at));
  }
  for (size_t k = 0; k < d->nparams; k++) lower_bind(l, d->params[k], ir_param_add(fn, IR_ROLE_PLAIN, d->params[k]->name, params[k]));
  ir_elem elem = s == d->valid ? IR_BOOL : sampler || s == d->quantile ? (ir_elem)x->elem : IR_REAL;
  ir_val v;
  if (s->member.value) {
    v = ty_of(s->member.value)->rank ? lower_array_as(l, s->member.value, elem) : lower_scalar_as(l, s->member.value, elem);
  } else {
    l->ret_elem = elem;
    lower_block(l, s->member.body);
    v = l->ret ? l->ret : ir_real(&l->b, 0.0);
  }
  if (s == d->logpdf) v = inside_support(l, d, v, x);
  ir_return(fn, 1, &v);
  lower_leave(l, &saved);
  return fn;
}

/* The parameters' declared bounds and the member valid() as one condition; NULL when there is none. */
static ir_fn *validity(lower *l, const check_dist *d, const char *name, const ir_type *params) {
  if (d->valid) return member(l, d, d->valid, name, params, NULL);
  bool any = false;
  for (size_t k = 0; k < d->nparams; k++) {
    const ty_info *t = d->params[k]->type;
    any = any || (t->rank == 0 && (t->lo || t->hi));
  }
  if (!any) return NULL;
  ir_fn *fn = ir_fn_new(l->m, name, false);
  lower_saved saved;
  lower_enter(l, fn, &saved);
  for (size_t k = 0; k < d->nparams; k++) lower_unify(l, d->params[k]->type, params[k]);
  for (size_t k = 0; k < d->nparams; k++) lower_bind(l, d->params[k], ir_param_add(fn, IR_ROLE_PLAIN, d->params[k]->name, params[k]));
  ir_val ok = 0;
  for (size_t k = 0; k < d->nparams; k++) {
    const ty_info *t = d->params[k]->type;
    if (t->rank) continue;
    ir_val p = lower_find(l, d->params[k])->v;
    ir_elem elem = (ir_elem)ir_type_of(fn, p).elem;
    for (int side = 0; side < 2; side++) {
      const ast_expr *bound = side == 0 ? t->lo : t->hi;
      if (!bound) continue;
      ir_val v = lower_scalar_as(l, bound, elem);
      ir_val c = side == 0 ? ir_op2(&l->b, IR_LE_OP, v, p) : ir_op2(&l->b, IR_LE_OP, p, v);
      ok = ok ? ir_op2(&l->b, IR_AND_OP, ok, c) : c;
    }
  }
  ir_return(fn, 1, &ok);
  lower_leave(l, &saved);
  return fn;
}

static const char *member_name(lower *l, const char *dist, const char *part) { return arena_printf(l->mem, "%s.%s", dist, part); }

ir_dist *lower_dist_instance(lower *l, const check_dist *d, const ir_type *params, ir_type x) {
  strbuf name;
  strbuf_init(&name, l->mem);
  strbuf_puts(&name, d->sym->label ? d->sym->label : d->sym->name);
  /* An overload is told apart by the names of its parameters, an instance by their extents. */
  bool first = check_find(l->p, d->sym->name) == d->sym;
  for (size_t k = 0; k < d->nparams && !first && !d->sym->label; k++) strbuf_printf(&name, "%c%s", k ? '-' : '/', d->params[k]->name);
  for (size_t k = 0; k < d->nparams; k++)
    for (int a = 0; a < params[k].rank; a++) {
      strbuf_putc(&name, '.');
      size_print(l->m->sizes, params[k].dim[a], &name);
    }
  if (d->nparams == 0 || x.rank)
    for (int a = 0; a < x.rank; a++) {
      strbuf_puts(&name, a ? "," : ":");
      size_print(l->m->sizes, x.dim[a], &name);
    }
  if (strcmp(d->sym->name, "Flat") == 0) strbuf_printf(&name, ".%d", x.elem);
  ir_dist *r = ir_dist_find(l->m, name.s);
  if (r) return r;
  r = ir_dist_new(l->m, name.s);
  r->support = d->on->support;
  r->event_rank = x.rank;
  r->discrete = d->discrete;
  r->nparams = (uint32_t)d->nparams;
  r->logpdf = member(l, d, d->logpdf, member_name(l, r->name, "logpdf"), params, &x);
  r->sample = member(l, d, d->sample, member_name(l, r->name, "sample"), params, &x);
  r->cdf = member(l, d, d->cdf, member_name(l, r->name, "cdf"), params, &x);
  r->valid = validity(l, d, member_name(l, r->name, "valid"), params);
  return r;
}

/* The members that put the site's coordinate on the distribution's standard variate are made where a site may want them. */
static void add_standard(lower *l, const check_dist *d, ir_dist *r, const ir_type *params, ir_type x) {
  if (!d->standard || r->standard) return;
  r->standard = member(l, d, d->standard, member_name(l, r->name, "standard"), params, &x);
  r->from_standard = member(l, d, d->from_standard, member_name(l, r->name, "from_standard"), params, &x);
}

/* ---- arguments */

enum { MAX_ARGS = 62 };

typedef struct draw_from {
  const check_dist *d;
  const check_call *call;
  ir_val args[MAX_ARGS + 2]; /* and the bounds that cut */
  ir_type types[MAX_ARGS];
  uint32_t n;
} draw_from;

/* The arguments at a position of the batch, aligned to its trailing axes; and to an event of `spread` axes that a
 * distribution of scalars is spread over: then arguments may be arrays over the event. */
static bool arguments(lower *l, draw_from *f, const ast_expr *dist, uint32_t nbatch, const ir_val *idx, uint32_t spread) {
  f->call = check_call_of(l->p, dist);
  f->d = f->call ? check_dist_of(l->p, f->call->callee) : NULL;
  if (!f->d || f->call->nargs > MAX_ARGS) return lower_refuse(l, dist->at, "this distribution");
  f->n = (uint32_t)f->call->nargs;
  for (uint32_t k = 0; k < f->n; k++) {
    const ast_expr *a = f->call->args[k];
    const ty_info *formal = f->d->params[k]->type;
    uint32_t extra = (uint32_t)(ty_of(a)->rank - formal->rank), nb = extra > spread ? extra - spread : 0;
    f->args[k] = lower_part(l, a, nb, idx + (nbatch - nb), lower_elem_kind(formal));
    f->types[k] = ir_type_of(l->fn, f->args[k]);
    if (spread) f->types[k].rank = formal->rank;
  }
  return true;
}

static void prepare_arguments(lower *l, const ast_expr *dist) {
  const check_call *c = check_call_of(l->p, dist);
  for (size_t k = 0; c && k < c->nargs; k++) lower_prepare(l, c->args[k]);
}

/* Runs `bound`, written in terms of the distribution's parameters, with these arguments. */
static ir_val in_terms_of(lower *l, const draw_from *f, const ast_expr *bound, ir_elem elem) {
  size_t binds = l->nbind;
  size_frame was = l->sizes;
  memset(&l->sizes, 0, sizeof l->sizes);
  for (uint32_t k = 0; k < f->n; k++) {
    lower_unify(l, f->d->params[k]->type, ir_type_of(l->fn, f->args[k]));
    lower_bind(l, f->d->params[k], f->args[k]);
  }
  ir_val v = lower_scalar_as(l, bound, elem);
  l->nbind = binds;
  l->sizes = was;
  return v;
}

/* ---- supports */

typedef struct bounds {
  ir_support support;
  ir_val lo, hi;
  bool cut_lo, cut_hi; /* narrower than the distribution's own */
} bounds;

static bool same_literal(const ast_expr *a, const ast_expr *b) {
  if (!a || !b) return a == b;
  double x = a->kind == EXPR_INT ? (double)a->integer.value : a->kind == EXPR_REAL ? a->real.value : 0;
  double y = b->kind == EXPR_INT ? (double)b->integer.value : b->kind == EXPR_REAL ? b->real.value : 1;
  return (a->kind == EXPR_INT || a->kind == EXPR_REAL) && (b->kind == EXPR_INT || b->kind == EXPR_REAL) && x == y;
}

/* Where the site's type and its distribution agree: the type's bounds are expressions of the model, the distribution's of its
 * parameters. */
static bounds intersect(lower *l, const draw_from *f, const ty_info *type, uint32_t n, const ir_val *idx) {
  const ty_info *on = f->d->on;
  bool flat = strcmp(f->d->sym->name, "Flat") == 0;
  bounds b = {.support = (ir_support)type->support};
  if (type->support > IR_SUP_INTERVAL && type->support < IR_SUP_INT) {
    if (type->support == IR_SUP_ORDERED && type->lo) b.lo = lower_scalar_as(l, type->lo, IR_REAL);
    return b; /* a vector's own support */
  }
  if (type->support == IR_SUP_REAL && on->support > IR_SUP_INTERVAL && on->support < IR_SUP_INT) {
    b.support = (ir_support)on->support;
    return b;
  }
  ir_elem elem = on->kind == TY_REAL ? IR_REAL : IR_INT;
  if (flat && type->kind != TY_REAL) elem = IR_INT;
  for (int side = 0; side < 2; side++) {
    const ast_expr *t = side == 0 ? type->lo : type->hi, *d = side == 0 ? on->lo : on->hi;
    ir_val v = 0;
    if (t) {
      uint32_t r = ty_of(t)->rank;
      v = r ? lower_convert(l, lower_elem(l, t, r, idx + (n - r)), elem) : lower_scalar_as(l, t, elem);
    }
    bool cut = t && !flat && !same_literal(t, d);
    if (d && !same_literal(t, d)) {
      ir_val w = in_terms_of(l, f, d, elem);
      v = v ? ir_op2(&l->b, side == 0 ? IR_MAX_OP : IR_MIN_OP, v, w) : w;
    }
    if (side == 0) b.lo = v, b.cut_lo = cut;
    else b.hi = v, b.cut_hi = cut;
  }
  if (elem == IR_REAL) {
    b.support = b.lo && b.hi ? IR_SUP_INTERVAL : b.lo ? IR_SUP_LOWER : b.hi ? IR_SUP_UPPER : IR_SUP_REAL;
  } else {
    const ty_info *finite = type->support == IR_SUP_FINITE ? type : on->support == IR_SUP_FINITE ? on : NULL;
    if (finite && finite->kind == TY_BOOL) {
      b.lo = ir_int(&l->b, 0);
      b.hi = ir_int(&l->b, 1);
    } else if (finite && finite->spin) {
      b.lo = ir_int(&l->b, -1);
      b.hi = ir_int(&l->b, 1);
    } else if (finite && !b.lo) {
      b.lo = ir_int(&l->b, 1);
    }
    b.support = finite ? IR_SUP_FINITE : IR_SUP_INT;
    b.cut_lo = b.cut_lo && type->support == IR_SUP_INT;
    b.cut_hi = b.cut_hi && type->support == IR_SUP_INT;
  }
  return b;
}

/* ---- truncation
 *
 * A type narrower than the distribution conditions it: the density is divided by the mass between the bounds.  The site
 * then has a distribution of its own, with the bounds that cut as further parameters, so that the mass is part of the
 * site's term wherever that goes.  Of integers both bounds belong to what is left.  Without a cdf the mass is a constant (the checker saw to that) and is left out. */

static ir_fn *log_cdf_of(lower *l, const check_dist *d, const ir_dist *r, const ir_type *params, ir_type x) {
  const char *name = member_name(l, r->name, "logcdf");
  ir_fn *fn = ir_fn_find(l->m, name);
  return fn || !d->logcdf ? fn : member(l, d, d->logcdf, name, params, &x);
}

static ir_fn *log_ccdf_of(lower *l, const check_dist *d, const ir_dist *r, const ir_type *params, ir_type x) {
  const char *name = member_name(l, r->name, "logccdf");
  ir_fn *fn = ir_fn_find(l->m, name);
  return fn || !d->logccdf ? fn : member(l, d, d->logccdf, name, params, &x);
}

static ir_fn *quantile_of(lower *l, const check_dist *d, const ir_dist *r, const ir_type *params, ir_type x) {
  const char *name = member_name(l, r->name, "quantile");
  ir_fn *fn = ir_fn_find(l->m, name);
  return fn || !d->quantile ? fn : member(l, d, d->quantile, name, params, &x);
}

static ir_val distribution_function(lower *l, const draw_from *f, const ir_dist *d, int builtin, ir_val *args);

struct lower_tails {
  lower *l;
  const draw_from *from;         /* its parameters here */
  const ir_dist *d;
  bool below, above;             /* the logarithm of that tail keeps its digits */
  ir_val args[MAX_ARGS + 1];     /* x goes in front */
};

ir_val lower_tail(ir_builder *b, lower_tails *t, int builtin, ir_val x) {
  ir_val args[MAX_ARGS + 1];
  memcpy(args, t->args, (t->d->nparams + 1) * sizeof *args);
  args[0] = x;
  ir_builder was = t->l->b;
  t->l->b = *b;
  ir_val v = distribution_function(t->l, t->from, t->d, builtin, args);
  t->l->b = was;
  return v;
}

/* log(exp(big) - exp(small)) */
static ir_val log_difference(ir_builder *b, ir_val big, ir_val small) {
  ir_val d = ir_op1(b, IR_EXPM1_OP, ir_op2(b, IR_SUB_OP, small, big));
  return ir_op2(b, IR_ADD_OP, big, ir_op1(b, IR_LOG_OP, ir_op1(b, IR_NEG_OP, d)));
}

/* The log of the mass in (lo, hi], from the tail that it lies in where the distribution knows the log of that. */
static ir_val log_mass(ir_builder *b, lower_tails *t, ir_val lo, ir_val hi) {
  if (!hi && !t->above) return ir_op1(b, IR_LOG_OP, ir_op2(b, IR_SUB_OP, ir_real(b, 1.0), lower_tail(b, t, BUILTIN_CDF, lo)));
  if (!hi) return lower_tail(b, t, BUILTIN_LOGCCDF, lo);
  if (!lo) return lower_tail(b, t, BUILTIN_LOGCDF, hi);
  if (!t->below && !t->above) return ir_op1(b, IR_LOG_OP, ir_op2(b, IR_SUB_OP, lower_tail(b, t, BUILTIN_CDF, hi), lower_tail(b, t, BUILTIN_CDF, lo)));
  if (!t->below) return log_difference(b, lower_tail(b, t, BUILTIN_LOGCCDF, lo), lower_tail(b, t, BUILTIN_LOGCCDF, hi));
  if (!t->above) return log_difference(b, lower_tail(b, t, BUILTIN_LOGCDF, hi), lower_tail(b, t, BUILTIN_LOGCDF, lo));
  /* By selects, so that loops stay straight. */
  ir_val low = lower_tail(b, t, BUILTIN_LOGCDF, lo), high = ir_op2(b, IR_LT_OP, ir_real(b, 0.5), lower_tail(b, t, BUILTIN_CDF, lo));
  ir_val more = ir_op3(b, IR_SELECT_OP, high, lower_tail(b, t, BUILTIN_LOGCCDF, lo), lower_tail(b, t, BUILTIN_LOGCDF, hi));
  ir_val less = ir_op3(b, IR_SELECT_OP, high, lower_tail(b, t, BUILTIN_LOGCCDF, hi), low);
  return log_difference(b, more, less);
}

/* A function with the parameters of a member and then the bounds; all [at least n + 2] gets them in order. */
static ir_fn *with_bounds(lower *l, const char *name, const ir_fn *like, const ir_dist *d, bool cut_lo, bool cut_hi, ir_val *all, ir_val *lo, ir_val *hi) {
  ir_fn *fn = ir_fn_new(l->m, name, false);
  ir_type bound = ir_scalar(d->discrete ? IR_INT : IR_REAL);
  for (uint32_t k = 0; k < like->nparams; k++)
    all[k] = ir_param_add(fn, IR_ROLE_PLAIN, like->param[k].name, ir_type_of(like, like->param[k].val));
  *lo = cut_lo ? ir_param_add(fn, IR_ROLE_PLAIN, "lo", bound) : 0;
  *hi = cut_hi ? ir_param_add(fn, IR_ROLE_PLAIN, "hi", bound) : 0;
  return fn;
}

/* The same member, which has no use for the bounds. */
static ir_fn *forward(lower *l, const char *name, ir_fn *from, const ir_dist *d, const bounds *b) {
  if (!from) return NULL;
  ir_val all[MAX_ARGS + 2], lo, hi;
  ir_fn *fn = with_bounds(l, name, from, d, b->cut_lo, b->cut_hi, all, &lo, &hi);
  ir_builder in = ir_builder_at_end(fn, &fn->body);
  ir_val v = ir_call(&in, from, from->nparams, all)->res[0];
  ir_return(fn, 1, &v);
  return fn;
}

/* The tails of d inside fn, which l has entered and whose parameters from `first` on are those of d. */
static lower_tails tails_in(lower *l, const draw_from *f, const ir_dist *d, const ir_val *first, draw_from *from /* OUT */) {
  *from = *f;
  from->n = d->nparams;
  memcpy(from->args, first, d->nparams * sizeof *first);
  lower_tails t = {.l = l, .from = from, .d = d, .below = d->discrete || f->d->logcdf, .above = d->discrete || f->d->logccdf};
  memcpy(t.args + 1, first, d->nparams * sizeof *first);
  return t;
}

static ir_fn *truncated_logpdf(lower *l, const char *name, const draw_from *f, const ir_dist *d, const bounds *b) {
  ir_val all[MAX_ARGS + 2], lo, hi;
  ir_fn *fn = with_bounds(l, name, d->logpdf, d, b->cut_lo, b->cut_hi, all, &lo, &hi);
  lower_saved saved;
  lower_enter(l, fn, &saved);
  draw_from here;
  lower_tails t = tails_in(l, f, d, all + 1, &here);
  ir_val v = ir_call(&l->b, d->logpdf, d->nparams + 1, all)->res[0];
  /* No mass, as far as the cdf can tell, or bounds the wrong way round (NaN): outside the support of what the bounds depend on. */
  ir_builder in = l->b;
  ir_val from = lo && d->discrete ? ir_op2(&in, IR_SUB_OP, lo, ir_int(&in, 1)) : lo, mass = log_mass(&in, &t, from, hi);
  v = ir_op2(&in, IR_GUARD_OP, ir_op2(&in, IR_LT_OP, ir_real(&in, -(double)INFINITY), mass), ir_op2(&in, IR_SUB_OP, v, mass));
  if (lo) v = ir_op2(&in, IR_GUARD_OP, ir_op2(&in, IR_LE_OP, lo, all[0]), v);
  if (hi) v = ir_op2(&in, IR_GUARD_OP, ir_op2(&in, IR_LE_OP, all[0], hi), v);
  ir_return(fn, 1, &v);
  lower_leave(l, &saved);
  return fn;
}

static ir_fn *truncated_draw(lower *l, const char *name, const draw_from *f, const ir_dist *d, const bounds *b) {
  if (!d->sample) return NULL;
  ir_val all[MAX_ARGS + 2], lo, hi;
  ir_fn *fn = with_bounds(l, name, d->sample, d, b->cut_lo, b->cut_hi, all, &lo, &hi);
  lower_saved saved;
  lower_enter(l, fn, &saved);
  draw_from here;
  lower_tails t = tails_in(l, f, d, all + 2, &here);
  ir_val v = lower_truncated_draw(&l->b, d, &t, all, lo, hi);
  ir_return(fn, 1, &v);
  lower_leave(l, &saved);
  return fn;
}

static ir_dist *truncated(lower *l, draw_from *f, ir_dist *d, const bounds *b) {
  if ((!b->cut_lo && !b->cut_hi) || !d->cdf) return d;
  const char *name = member_name(l, d->name, !b->cut_hi ? "above" : !b->cut_lo ? "below" : "between");
  if (b->cut_lo) f->args[f->n++] = b->lo;
  if (b->cut_hi) f->args[f->n++] = b->hi;
  ir_dist *r = ir_dist_find(l->m, name);
  if (r) return r;
  r = ir_dist_new(l->m, name);
  r->support = d->support;
  r->discrete = d->discrete;
  r->nparams = f->n;
  r->logpdf = truncated_logpdf(l, member_name(l, name, "logpdf"), f, d, b);
  r->sample = truncated_draw(l, member_name(l, name, "sample"), f, d, b);
  r->valid = forward(l, member_name(l, name, "valid"), d->valid, d, b);
  return r;
}

/* ---- the statement */

typedef struct tilde {
  const ast_stmt *s;
  symbol *sym;
  ir_site *site;
  ir_type type;   /* of the whole array */
  uint32_t event; /* axes of one event */
} tilde;

/* What a statement gives arrays of: the site's own, or of an observed one its replica and its missing values. */
typedef struct given_to {
  symbol *sym[2];
  ir_val v[2];    /* 0: nothing */
} given_to;

static given_to targets(lower *l, symbol *sym) {
  given_to g = {0};
  if (lower_is_drawn(l, sym) || lower_in_order(l, sym)) {
    g.sym[0] = sym;
  } else {
    g.sym[0] = l->replica[sym->site - 1];
    g.sym[1] = l->gap[sym->site - 1].drawn;
  }
  return g;
}

/* A draw where the value is missing, else what was seen. */
static ir_val draw_missing(lower *l, const lower_gap *g, ir_val seen, ir_dist *d, ir_axes axes, ir_val y, uint32_t n, const ir_val *args) {
  ir_op *branch = ir_if_begin(&l->b, seen);
  ir_builder outer = l->b;
  l->b = ir_builder_in(&outer, &branch->u.branch->else_);
  ir_val v = ir_sample(&l->b, g->site, d, axes, 0, 0, n, args);
  l->b = outer;
  return ir_if_out(l->fn, branch, y, v);
}

/* Whether the elements of a vector are observed and drawn one by one, as some of them are missing. */
static bool by_elements(const lower *l, const tilde *t) {
  return t->event && !lower_is_drawn(l, t->sym) && lower_in_order(l, t->sym) && !l->ordered[t->sym->site - 1];
}

/* What is missing of a vector. */
static ir_val draw_rest(lower *l, const tilde *t, const check_dist *cd, const ir_axes *axes, const lindex *pos, const ir_val *args) {
  const ir_val v = t->event == 1 ? lower_draw_rest(l, &l->gap[t->sym->site - 1], t->site, cd, axes, lower_read(l, t->sym, axes->n, pos), args) : 0;
  if (v || l->refused) return v;
  diag *d = diag_add(l->p->diags, DIAG_ERROR, "E0912", t->s->at, "missing values of `%s` cannot be drawn from the prior", t->sym->name);
  diag_note(l->p->diags, d, "what is missing of a vector is drawn given the rest of it, and `%s` has no such draws", cd->sym->name);
  l->refused = true;
  return 0;
}

/* The same where what was drawn is read by the statements that follow, which find it in the array itself. */
static ir_val draw_in_order(lower *l, const tilde *t, const check_dist *cd, ir_dist *d, const bounds *b, bool cut, ir_axes axes, const lindex *pos, uint32_t n, const ir_val *args) {
  const uint32_t number = t->sym->site - 1;
  const lower_gap *g = &l->gap[number];
  if (l->ordered[number]) return ir_sample(&l->b, l->ordered[number], d, axes, 0, 0, n, args);
  if (by_elements(l, t)) return draw_rest(l, t, cd, &axes, pos, args);
  ir_op *branch = ir_if_begin(&l->b, ir_at(&l->b, g->seen, axes));
  ir_builder outer = l->b;
  l->b = ir_builder_in(&outer, &branch->u.branch->then_);
  ir_val seen = lower_read(l, t->sym, axes.n, pos);
  ir_observe(&l->b, t->site, d, axes, seen, n, args);
  l->b = ir_builder_in(&outer, &branch->u.branch->else_);
  ir_axes slot = {.n = 1, .at = {ir_at(&l->b, g->slot, axes)}};
  ir_val drawn = ir_sample(&l->b, g->site, d, slot, b->lo, b->hi, n, args);
  ir_def_op(l->fn, drawn)->u.tilde->cut = cut;
  l->b = outer;
  return ir_if_out(l->fn, branch, seen, drawn);
}

/* One draw at position idx [n] of the batch: `lead` has what the subscripts make of that, the last `rest` positions pass through. */
static void one(lower *l, const tilde *t, uint32_t nlead, const lindex *lead, uint32_t n, const ir_val *idx, uint32_t rest, given_to *out) {
  const ast_expr *dist = t->s->sample.dist;
  bool latent = lower_is_drawn(l, t->sym), unknown = t->sym->kind == SYM_LATENT;
  draw_from f = {0};
  const check_call *call = check_call_of(l->p, dist);
  const check_dist *cd = call ? check_dist_of(l->p, call->callee) : NULL;
  if (!cd) {
    lower_refuse(l, dist->at, "this distribution");
    return;
  }
  bool flat = strcmp(cd->sym->name, "Flat") == 0;
  uint32_t spread = t->event > cd->on->rank ? t->event - cd->on->rank : 0;
  if (!arguments(l, &f, dist, n, idx, spread)) return;

  ir_axes axes = {0};
  lindex pos[IR_MAX_RANK];
  for (uint32_t k = 0; k < nlead; k++) pos[axes.n] = lead[k], axes.at[axes.n++] = lead[k].v;
  for (uint32_t k = n - rest; k < n; k++) pos[axes.n] = lower_index_at(l, idx[k]), axes.at[axes.n++] = idx[k];

  ir_type x = ir_scalar(flat ? (ir_elem)t->type.elem : lower_elem_kind(cd->on));
  if (!spread || flat) {
    x.rank = (uint8_t)t->event;
    for (uint32_t k = 0; k < t->event; k++) x.dim[k] = t->type.dim[t->type.rank - t->event + k];
  } else {
    x.rank = cd->on->rank;
    for (uint32_t k = 0; k < x.rank; k++) x.dim[k] = t->type.dim[t->type.rank - x.rank + k];
  }
  ir_dist *d = lower_dist_instance(l, cd, f.types, x);

  bounds b = {0};
  if (latent || unknown) {
    b = intersect(l, &f, t->sym->type, n, idx);
    t->site->support = (uint8_t)b.support;
    if (unknown) d = truncated(l, &f, d, &b);
  }
  if (latent) {
    bool cut = b.cut_lo || b.cut_hi;
    if (unknown && !cut && x.rank == t->event && b.support <= IR_SUP_INTERVAL) add_standard(l, cd, d, f.types, x);
    ir_val v = ir_sample(&l->b, t->site, d, axes, b.lo, b.hi, f.n, f.args);
    ir_tilde *tilde = ir_def_op(l->fn, v)->u.tilde;
    tilde->cut = cut && d->nparams == cd->nparams; /* a truncated distribution draws between its bounds itself */
    if (d->standard && !t->site->formula) t->site->formula = lower_formula(l, cd, call);
    out->v[0] = v;
    return;
  }
  uint32_t number = t->sym->site - 1;
  const lower_gap *gap = &l->gap[number];
  if (lower_in_order(l, t->sym)) {
    const ir_site *site = l->ordered[number] ? l->ordered[number] : gap->site;
    if (site->type.elem != x.elem) lower_refuse(l, t->s->at, "drawing what has distributions of integers and of reals");
    else out->v[0] = draw_in_order(l, t, cd, d, &b, (b.cut_lo || b.cut_hi) && d->nparams == cd->nparams, axes, pos, f.n, f.args);
    return;
  }
  ir_val y = lower_convert(l, lower_read(l, t->sym, axes.n, pos), (ir_elem)x.elem);
  ir_val seen = gap->seen ? ir_at(&l->b, gap->seen, axes) : 0;
  f.args[f.n] = seen;
  ir_observe(&l->b, t->site, seen ? lower_seen(l, d) : d, axes, y, f.n + (seen != 0), f.args);
  for (int k = 0; k < 2; k++) {
    if (!out->sym[k]) continue;
    ir_site *site = k == 0 ? l->replica_site[number] : gap->site;
    if (site->type.elem != x.elem) {
      lower_refuse(l, t->s->at, k == 0 ? "`predict` of what has distributions of integers and of reals"
                                       : "a missing value of what has distributions of integers and of reals");
      return;
    }
    out->v[k] = k == 0 ? ir_sample(&l->b, site, d, axes, 0, 0, f.n, f.args) : draw_missing(l, gap, seen, d, axes, y, f.n, f.args);
  }
}

void lower_prepare_statement(lower *l, const ast_stmt *s) {
  if (s->kind == STMT_SAMPLE) prepare_arguments(l, s->sample.dist);
  else lower_prepare(l, s->let.value);
}

/* The statement inside its `for`: positions that subscripts leave open become a plate, but for the first ones, which are given. */
void lower_sample_at(lower *l, const ast_stmt *s, uint32_t given, const ir_val *at) {
  const ast_target *target = &s->sample.target;
  tilde t = {.s = s, .sym = target->name.sym};
  uint32_t number = t.sym->site - 1;
  t.site = l->site[number];
  t.type = t.site->type;
  const check_call *call = check_call_of(l->p, s->sample.dist);
  const check_dist *cd = call ? check_dist_of(l->p, call->callee) : NULL;
  bool flat = cd && strcmp(cd->sym->name, "Flat") == 0;
  t.event = t.site->event_rank;
  if (cd && !flat && cd->on->rank > t.event) t.event = cd->on->rank;
  t.site->event_rank = by_elements(l, &t) ? 0 : (uint8_t)t.event;
  if (l->replica_site[number]) l->replica_site[number]->event_rank = (uint8_t)t.event;

  lindex lead[IR_MAX_RANK];
  lower_slice cut[IR_MAX_RANK];
  ir_size extent[IR_MAX_RANK];
  uint32_t nlead = 0, n = 0, used = 0;
  bool sliced = false;
  for (; nlead < target->subs.n && nlead < IR_MAX_RANK; nlead++) {
    const ast_expr *sub = target->subs.items[nlead];
    ir_size dim = t.type.dim[nlead];
    cut[nlead] = (lower_slice){.axis = -1};
    if (sub->kind != EXPR_ALL && sub->kind != EXPR_RANGE) {
      lead[nlead] = lower_index(l, sub, dim);
      continue;
    }
    cut[nlead] = sub->kind == EXPR_ALL ? (lower_slice){.dim = dim, .extent = dim} : lower_slice_of(l, sub, dim);
    if (cut[nlead].extent == IR_SIZE_NONE) {
      lower_refuse(l, sub->at, "this slice left of `~`");
      return;
    }
    if (used < given) {
      lead[nlead] = lower_slice_at(l, &cut[nlead], at[used++]);
      cut[nlead].axis = -1;
      continue;
    }
    cut[nlead].axis = (int)n;
    extent[n++] = cut[nlead].extent;
    sliced = true;
  }
  for (; used < given && nlead < IR_MAX_RANK; nlead++) {
    cut[nlead] = (lower_slice){.axis = -1};
    lead[nlead] = lower_index_at(l, at[used++]);
  }
  uint32_t rest = t.type.rank - t.event > nlead ? t.type.rank - t.event - nlead : 0;
  for (uint32_t k = 0; k < rest; k++) extent[n++] = t.type.dim[nlead + k];
  given_to g = targets(l, t.sym);
  if (n == 0) {
    one(l, &t, nlead, lead, given, at, 0, &g);
  } else {
    size_t mark = lower_mark(l);
    prepare_arguments(l, s->sample.dist);
    lower_box box = lower_box_begin(l, n, extent);
    for (uint32_t k = 0; k < nlead; k++)
      if (cut[k].axis >= 0) lead[k] = lower_slice_at(l, &cut[k], box.idx[cut[k].axis]);
    ir_val idx[2 * IR_MAX_RANK];
    if (given) memcpy(idx, at, given * sizeof *idx);
    memcpy(idx + given, box.idx, n * sizeof *idx);
    one(l, &t, nlead, lead, given + n, idx, rest, &g);
    for (uint32_t k = 0; k < rest; k++) lead[nlead + k] = lower_index_at(l, box.idx[n - rest + k]);
    lower_box_end(l, &box);
    lower_forget(l, mark);
    for (int k = 0; k < 2; k++) {
      if (!g.v[k]) continue;
      if (!sliced) g.v[k] = ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, g.v[k]);
      else if (!l->refused) lower_define_slice(l, g.sym[k], &box, nlead + rest, lead, g.v[k]);
    }
    if (sliced) return;
  }
  for (int k = 0; k < 2 && !l->refused; k++) {
    if (!g.v[k]) continue;
    const binding *built = lower_find(l, g.sym[k]); /* also as a whole, when an `if` joins it */
    if (nlead || (built && built->kind == BIND_BUILD)) lower_define(l, g.sym[k], nlead, lead, g.v[k]);
    else lower_bind(l, g.sym[k], g.v[k]);
  }
}

static void tilde_here(lower *l, void *user) { lower_sample_at(l, user, 0, NULL); }

void lower_sample_from(lower *l, const ast_stmt *s, size_t open) { lower_ranges(l, &s->sample.iter, open, false, NULL, s, tilde_here, (void *)s); }

/* A draw in a sampler, with a key of its own. */
static ir_val draw_of(lower *l, const draw_from *f, ir_type x) {
  ir_dist *d = lower_dist_instance(l, f->d, f->types, x);
  if (!d->sample) return 0;
  ir_val args[MAX_ARGS + 2] = {ir_op2(&l->b, IR_FOLD_OP, l->key, ir_int(&l->b, ++l->draws)), l->index};
  memcpy(args + 2, f->args, f->n * sizeof *args);
  return ir_call(&l->b, d->sample, f->n + 2, args)->res[0];
}

/* `u ~ D` in sample(). */
static void draw_local(lower *l, const ast_stmt *s) {
  const symbol *u = s->sample.target.name.sym;
  draw_from f = {0};
  const check_call *call = check_call_of(l->p, s->sample.dist);
  const check_dist *cd = call ? check_dist_of(l->p, call->callee) : NULL;
  ir_val v = 0;
  if (cd && !s->sample.target.subs.n && !s->sample.iter.n && u->type->rank == cd->on->rank && arguments(l, &f, s->sample.dist, 0, NULL, 0))
    v = draw_of(l, &f, lower_type(l, u->type));
  if (v) lower_bind(l, s->sample.target.name.sym, v);
  else lower_refuse(l, s->at, "drawing this in sample()");
}

void lower_sample(lower *l, const ast_stmt *s) {
  if (!l->model) {
    draw_local(l, s);
    return;
  }
  const ast_target *t = &s->sample.target;
  if (l->predicting && t->subs.n && check_continued(t->name.sym)) lower_start(l, t->name.sym);
  if (s->sample.iter.n) lower_sample_from(l, s, 0);
  else tilde_here(l, (void *)s);
}

/* ---- logpdf(D, x) and its kin as functions */

static ir_val log_of(lower *l, ir_val p) { return ir_op1(&l->b, IR_LOG_OP, p); }

/* cdf, logcdf or logccdf at args[0].  A distribution's own formulas hold on its support; outside of it the answer is 0 or 1.
 *
 * A continuous one has that answer at the ends of its support too, where derivatives of its formulas often do not exist: of (x / scale)^shape at 0, say.
 * So there they are asked at a point inside, and nothing flows back from it. */
static ir_val distribution_function(lower *l, const draw_from *f, const ir_dist *d, int builtin, ir_val *args) {
  ir_type t = ir_type_of(l->fn, args[0]);
  bool upper = builtin == BUILTIN_LOGCCDF, log = builtin != BUILTIN_CDF;
  ir_val end[2] = {0, 0}, outside[2] = {0, 0};
  for (int side = 0; side < 2 && t.rank == 0; side++) {
    const ast_expr *bound = side == 0 ? f->d->on->lo : f->d->on->hi;
    if (bound && t.elem != IR_BOOL) end[side] = in_terms_of(l, f, bound, (ir_elem)t.elem);
  }
  ir_val inside = 0;
  if (!f->d->discrete && end[0] && end[1]) inside = ir_op2(&l->b, IR_MUL_OP, ir_real(&l->b, 0.5), ir_op2(&l->b, IR_ADD_OP, end[0], end[1]));
  else if (!f->d->discrete && end[0]) inside = ir_op2(&l->b, IR_ADD_OP, end[0], ir_real(&l->b, 1.0));
  else if (!f->d->discrete && end[1]) inside = ir_op2(&l->b, IR_SUB_OP, end[1], ir_real(&l->b, 1.0));
  const ir_val x = args[0];
  for (int side = 0; side < 2; side++) {
    if (!end[side]) continue;
    outside[side] = ir_op2(&l->b, inside ? IR_LE_OP : IR_LT_OP, side == 0 ? x : end[side], side == 0 ? end[side] : x);
    args[0] = inside ? ir_op3(&l->b, IR_SELECT_OP, outside[side], inside, args[0])
                     : ir_op2(&l->b, side == 0 ? IR_MAX_OP : IR_MIN_OP, args[0], end[side]);
  }
  ir_fn *own = upper ? log_ccdf_of(l, f->d, d, f->types, t) : builtin == BUILTIN_LOGCDF ? log_cdf_of(l, f->d, d, f->types, t) : NULL;
  if (!own && !d->cdf) return 0;
  ir_val v = ir_call(&l->b, own ? own : d->cdf, f->n + 1, args)->res[0];
  if (!own && log) { /* of a cdf that may be 0 or 1 to the last bit at the point inside */
    for (int side = 0; side < 2; side++)
      if (inside && outside[side]) v = ir_op3(&l->b, IR_SELECT_OP, outside[side], ir_real(&l->b, 0.5), v);
    v = upper ? ir_op1(&l->b, IR_LOG1P_OP, ir_op1(&l->b, IR_NEG_OP, v)) : log_of(l, v);
  }
  for (int side = 0; side < 2; side++) {
    if (!outside[side]) continue;
    bool none = (side == 0) != upper;
    ir_val constant = ir_real(&l->b, none ? (log ? -(double)INFINITY : 0.0) : (log ? 0.0 : 1.0));
    v = ir_op3(&l->b, IR_SELECT_OP, outside[side], constant, v);
  }
  return v;
}

ir_val lower_density_call(lower *l, const ast_expr *e) {
  const check_call *c = check_call_of(l->p, e);
  const ast_expr *dist = c->args[0], *x = c->nargs > 1 ? c->args[1] : NULL;
  int builtin = c->callee->builtin;
  draw_from f = {0};
  const check_call *inner = check_call_of(l->p, dist);
  const check_dist *cd = inner ? check_dist_of(l->p, inner->callee) : NULL;
  if (!cd || (builtin == BUILTIN_SAMPLE && !l->key)) {
    lower_refuse(l, e->at, "the density of this distribution");
    return ir_real(&l->b, 0.0);
  }
  if (!x) {
    ir_val v = arguments(l, &f, dist, 0, NULL, 0) ? draw_of(l, &f, lower_type(l, ty_of(e))) : 0;
    if (!v) lower_refuse(l, e->at, "drawing this");
    return v ? v : ir_real(&l->b, 0.0);
  }
  bool quantile = builtin == BUILTIN_QUANTILE;
  uint32_t batch = (uint32_t)(ty_of(e)->rank);
  size_t mark = lower_mark(l);
  lower_box box = {0};
  if (batch) {
    lower_prepare(l, x);
    prepare_arguments(l, dist);
    ir_type t = lower_type(l, ty_of(e));
    box = lower_box_begin(l, batch, t.dim);
  }
  ir_val v = 0;
  if (arguments(l, &f, dist, batch, box.idx, 0)) {
    ir_val args[MAX_ARGS + 1];
    uint32_t own = (uint32_t)(ty_of(x)->rank - cd->on->rank);
    args[0] = lower_part(l, x, own, box.idx + (batch - own), quantile ? IR_REAL : lower_elem_kind(cd->on));
    memcpy(args + 1, f.args, f.n * sizeof *args);
    ir_type t = ir_type_of(l->fn, args[0]);
    if (quantile) t.elem = lower_elem_kind(cd->on);
    ir_dist *d = lower_dist_instance(l, cd, f.types, t);
    if (builtin == BUILTIN_LOGPDF) v = ir_call(&l->b, d->logpdf, f.n + 1, args)->res[0];
    else if (quantile) {
      ir_fn *fn = quantile_of(l, cd, d, f.types, t);
      v = fn ? ir_call(&l->b, fn, f.n + 1, args)->res[0] : 0;
    } else v = distribution_function(l, &f, d, builtin, args);
    if (!v) lower_refuse(l, e->at, "the distribution function of this distribution");
    if (v && d->valid && builtin != BUILTIN_CDF && !quantile) v = ir_op2(&l->b, IR_GUARD_OP, ir_call(&l->b, d->valid, f.n, f.args)->res[0], v);
  }
  if (!v) v = ir_real(&l->b, 0.0);
  if (batch) {
    lower_box_end(l, &box);
    v = ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, v);
    lower_forget(l, mark);
  }
  return v;
}
