/* check_over.c: distributions over distributions.
 *
 * A `dist` with a parameter of kind `d: dist` is a *scheme*.  What takes the place of d is known where the scheme is used, so a declaration
 * is made for that use (a *special*), in which the parameters of what was given stand in the place of d:
 *
 *     dist truncated(d: dist, lower: d) on d<lower = lower> { logpdf(x) = d.logpdf(x) - d.logccdf(lower) }
 *
 * with Weibull(shape, scale) for d is
 *
 *     dist truncated(d.shape: real<lower = 0>, d.scale: real<lower = 0>, lower: real) on real<lower = max(0, lower)> {
 *       logpdf(x) = logpdf(Weibull(d.shape, d.scale), x) - logccdf(Weibull(d.shape, d.scale), lower)
 *     }
 *
 * From there on it is a distribution like any other.  What is given may be a special itself.  Uses with the same distributions share one.
 *
 * `d: dist[K]` is K distributions: those of one call whose arguments have an element for each, Normal(mu, 1) with mu: real[K], whose
 * parameters then have a further axis; or an array of calls, [Normal(0, 1), Cauchy(0, 1)], each with parameters of its own. */
#include "compiler/check_state.h"

#include "lang/ast_copy.h"

#include <string.h>

enum { DEPTH_MAX = 12, PARAMS_MAX = 60 };

typedef struct component {
  symbol *dist;
  const check_dist *parts;
  const signature *sig;
  bool *varies;       /* [sig->n] which have an element for each component of a dist[K] */
  const char *prefix; /* of its parameters in the special */
  span at;
} component;

/* What was given for one parameter of kind dist. */
typedef struct place {
  const ast_param *param;
  bool array, listed; /* dist[K]; by an array of calls */
  size_t n;           /* components: 1, or as many as are listed */
  component *of;
} place;

typedef struct special special;
struct special {
  place *places;
  symbol *sym; /* NULL when it could not be made */
  special *next;
};

/* A copy in the making. */
typedef struct over {
  ctx *c;
  symbol *scheme;
  place *places;
  size_t n;
  const component *inner; /* whose parameters are being copied */
  bool on;                /* the support is */
  const char *lacks;      /* the first member that is missing, and in what */
  const component *lacking;
  span lacks_at;
  bool failed;
} over;

static bool is_dist_param(const ast_param *p) { return p->type && p->type->kind == TYPE_NAMED && strcmp(p->type->name.name, "dist") == 0; }

bool is_scheme(const symbol *s) {
  for (size_t i = 0; s->kind == SYM_DIST && i < s->decl->params.n; i++)
    if (is_dist_param(&s->decl->params.items[i])) return true;
  return false;
}

bool is_over(const symbol *s) { return s->kind == SYM_DIST && sym_of((symbol *)s)->special_of; }

/* --- parts of a copy */

static const char *prefixed(over *o, const component *f, const char *name) {
  return intern(o->c->p->names, arena_printf(o->c->a, "%s.%s", f->prefix, name));
}

/* Names in the declaration of what was given: its parameters and sizes are those of the special. */
static const char *inner_name(ast_copier *k, const char *name) {
  over *o = k->user;
  const signature *sig = o->inner->sig;
  for (size_t i = 0; i < sig->n; i++)
    if (sig->params[i]->name == name) return prefixed(o, o->inner, name);
  for (size_t i = 0; i < sig->nsizes; i++)
    if (sig->sizes[i]->name == name) return prefixed(o, o->inner, name);
  return NULL;
}

static ast_copier inner_copier(over *o, const component *f) {
  o->inner = f;
  return (ast_copier){.mem = o->c->a, .user = o, .name = inner_name};
}

static place *place_of(over *o, const char *name) {
  for (size_t i = 0; i < o->n; i++)
    if (o->places[i].param->name.name == name) return &o->places[i];
  return NULL;
}

/* The distribution given, applied to its parameters in the special: all of a dist[K], or with subs the component there. */
static ast_expr *applied(over *o, ast_copier *k, const component *f, const ast_exprs *subs, span at) {
  ast_expr *call = ast_new_call(o->c->a, f->dist->name, at);
  call->call.fn.sym = f->dist;
  call->call.fn.library = sym_of(f->dist)->library;
  for (size_t i = 0; i < f->sig->n; i++) {
    ast_expr *x = ast_new_name(o->c->a, prefixed(o, f, f->sig->params[i]->name), at);
    if (subs && f->varies[i]) {
      ast_expr *element = ast_new_expr(o->c->a, EXPR_INDEX, at);
      element->index.base = x;
      element->index.subs = ast_copy_exprs(k, subs);
      x = element;
    }
    ast_add_arg(o->c->a, call, x);
  }
  return call;
}

static ast_expr *whole(over *o, ast_copier *k, const place *p, span at) {
  if (!p->listed) return applied(o, k, &p->of[0], NULL, at);
  ast_expr *all = ast_new_expr(o->c->a, EXPR_ARRAY, at);
  for (size_t i = 0; i < p->n; i++) {
    ast_expr *one = applied(o, k, &p->of[i], NULL, at);
    ARENA_PUSH(o->c->a, all->array.elems.items, all->array.elems.n, all->array.elems.cap, one);
  }
  return all;
}

static ast_expr *error_at(over *o, span at) {
  o->failed = true;
  return ast_new_expr(o->c->a, EXPR_ERROR, at);
}

static bool has_member(const check_dist *d, const char *m) {
  if (strcmp(m, "cdf") == 0) return d->cdf;
  if (strcmp(m, "logcdf") == 0) return d->logcdf || d->cdf;
  if (strcmp(m, "logccdf") == 0) return d->logccdf || d->cdf;
  if (strcmp(m, "quantile") == 0) return d->quantile;
  if (strcmp(m, "sample") == 0) return d->sample;
  return true;
}

/* m(D(...), arguments) for `d.m(arguments)`. */
static ast_expr *of_component(over *o, ast_copier *k, const ast_expr *e, const component *f, const ast_exprs *subs) {
  const char *m = e->call.fn.name;
  if (strcmp(m, "floor") == 0) {
    ast_expr *x = ast_copy_expr(k, e->call.args.items[0].value);
    if (!f->parts->discrete) return x;
    ast_expr *floor = ast_new_call(o->c->a, intern(o->c->p->names, "floor"), e->at), *whole_ = ast_new_call(o->c->a, intern(o->c->p->names, "int"), e->at);
    ast_add_arg(o->c->a, floor, x);
    ast_add_arg(o->c->a, whole_, floor);
    return whole_;
  }
  if (!has_member(f->parts, m) && !o->lacks) {
    o->lacks = m;
    o->lacking = f;
    o->lacks_at = e->at;
  }
  ast_expr *call = ast_new_call(o->c->a, m, e->at);
  ast_add_arg(o->c->a, call, applied(o, k, f, subs, e->at));
  for (size_t i = 0; i < e->call.args.n; i++) ast_add_arg(o->c->a, call, ast_copy_expr(k, e->call.args.items[i].value));
  return call;
}

static ast_expr *member_call(over *o, ast_copier *k, const ast_expr *e) {
  static const char *const names[] = {"logpdf", "cdf", "logcdf", "logccdf", "quantile", "sample", "floor"};
  enum { N = sizeof names / sizeof names[0] };
  const ast_expr *of = e->call.of;
  const ast_exprs *subs = of->kind == EXPR_INDEX ? &of->index.subs : NULL;
  if (subs) of = of->index.base;
  const place *p = of->kind == EXPR_NAME ? place_of(o, of->name.name) : NULL;
  if (!p) return NULL;
  const char *m = e->call.fn.name;
  size_t i = 0;
  while (i < N && strcmp(names[i], m) != 0) i++;
  if (i == N) {
    diag *d = cx_error(o->c, "E0417", e->call.fn.at, "a `dist` parameter has no member called `%s`", m);
    const char *near = nearest_of(m, names, N);
    if (near) cx_help(o->c, d, "did you mean `%s`?", near);
    else cx_help(o->c, d, "members are logpdf(x), cdf(x), logcdf(x), logccdf(x), quantile(p), sample() and floor(x)");
    return error_at(o, e->at);
  }
  size_t want = strcmp(m, "sample") != 0;
  if (e->call.args.n != want || (want && e->call.args.items[0].name.name)) {
    cx_error(o->c, e->call.args.n > want ? "E0413" : "E0412", e->at, "`%s` takes %s", m, want ? "one argument" : "no argument");
    return error_at(o, e->at);
  }
  if (p->array != (subs != NULL) || (subs && subs->n != 1)) {
    diag *d = cx_error(o->c, "E0512", e->call.of->at, p->array ? "`%s` is an array of distributions" : "`%s` is one distribution", of->name.name);
    cx_point(o->c, d, p->param->at, "declared here");
    if (p->array) cx_help(o->c, d, "write `%s[k].%s(...)`", of->name.name, m);
    else cx_help(o->c, d, "write `%s.%s(...)`, or declare it `%s: dist[K]`", of->name.name, m, of->name.name);
    return error_at(o, e->at);
  }
  /* Of a list, the one at the subscript: a choice among all. */
  ast_expr *r = of_component(o, k, e, &p->of[p->n - 1], subs);
  for (size_t j = p->n - 1; j-- > 0;) {
    ast_expr *here = ast_new_expr(o->c->a, EXPR_BINARY, e->at);
    here->binary.op = OP_EQ;
    here->binary.lhs = ast_copy_expr(k, subs->items[0]);
    here->binary.rhs = ast_new_int(o->c->a, (int64_t)j + 1, e->at);
    here->binary.op_at = e->at;
    r = ast_new_if(o->c->a, here, of_component(o, k, e, &p->of[j], subs), r);
  }
  return r;
}

/* K of a list of components is their number. */
static const place *listed_by(const over *o, const char *size) {
  for (size_t i = 0; i < o->n; i++) {
    const place *p = &o->places[i];
    const ast_expr *dim = p->listed ? p->param->type->dims.items[0].size : NULL;
    if (dim && dim->kind == EXPR_NAME && dim->name.name == size) return p;
  }
  return NULL;
}

static ast_expr *copy_expr(ast_copier *k, const ast_expr *e) {
  over *o = k->user;
  if (e->kind == EXPR_CALL && e->call.of) return member_call(o, k, e);
  if (e->kind == EXPR_NAME) {
    const place *p = place_of(o, e->name.name), *list = p ? NULL : listed_by(o, e->name.name);
    if (p) return whole(o, k, p, e->at);
    return list ? ast_new_int(o->c->a, (int64_t)list->n, e->at) : NULL;
  }
  const place *p = e->kind == EXPR_FIELD && e->field.base->kind == EXPR_NAME ? place_of(o, e->field.base->name.name) : NULL;
  if (!p) return NULL;
  if (strcmp(e->field.field.name, "spacing") == 0) return ast_new_int(o->c->a, p->of[0].parts->discrete, e->at);
  diag *d = cx_error(o->c, "E0417", e->field.field.at, "a `dist` parameter has no number called `%s`", e->field.field.name);
  cx_help(o->c, d, "`%s.spacing` is 1 where it draws integers, else 0; members are called: `%s.cdf(x)`", p->param->name.name, p->param->name.name);
  return error_at(o, e->at);
}

static ast_type *named_type(over *o, const char *name, span at) {
  ast_type *t = ARENA_NEW(o->c->a, ast_type);
  *t = (ast_type){.kind = TYPE_NAMED, .at = at, .depth = 1, .name = {.name = intern(o->c->p->names, name), .at = at}};
  return t;
}

static const char *kind_name(ty_kind k) { return k == TY_REAL ? "real" : k == TY_BOOL ? "bool" : "int"; }

/* The outer extents stand in front of those of t. */
static void put_dims(over *o, ast_copier *k, ast_type *t, const ast_dims *outer) {
  ast_dims inner = t->dims;
  t->dims = (ast_dims){0};
  for (size_t i = 0; i < outer->n; i++) {
    ast_dim d = outer->items[i];
    d.size = ast_copy_expr(k, d.size);
    ARENA_PUSH(o->c->a, t->dims.items, t->dims.n, t->dims.cap, d);
  }
  for (size_t i = 0; i < inner.n; i++) ARENA_PUSH(o->c->a, t->dims.items, t->dims.n, t->dims.cap, inner.items[i]);
}

/* Both hold: max(a, b) of lower bounds, min of upper ones.  Over the components of a dist[K] it is one that holds, so the least of a. */
static ast_expr *extreme(over *o, const char *fn, ast_expr *a, ast_expr *b) {
  ast_expr *call = ast_new_call(o->c->a, intern(o->c->p->names, fn), a->at);
  ast_add_arg(o->c->a, call, a);
  if (b) ast_add_arg(o->c->a, call, b);
  return call;
}

static bool same_literal(const ast_expr *a, const ast_expr *b) {
  double x, y;
  return a && b && const_of_expr(a, &x) && const_of_expr(b, &y) && x == y;
}

static const ast_arg *bound_of(const ast_type *t, const char *name) {
  const ast_arg *a = ast_args_find(&t->bounds, name);
  return a;
}

/* A bound of the support of what was given, or NULL where its components do not share one. */
static ast_expr *shared_bound(over *o, const place *p, const char *name) {
  const component *f = &p->of[0];
  const ast_arg *b = bound_of(f->dist->decl->type, name);
  if (!b) return NULL;
  for (size_t i = 1; i < p->n; i++) {
    const ast_arg *other = bound_of(p->of[i].dist->decl->type, name);
    if (!other || !same_literal(b->value, other->value)) return NULL;
  }
  ast_copier k = inner_copier(o, f);
  ast_expr *e = ast_copy_expr(&k, b->value);
  if (!p->array || p->n > 1 || e->kind == EXPR_INT || e->kind == EXPR_REAL) return e;
  if (e->kind != EXPR_NAME) return NULL;
  for (size_t i = 0; i < f->sig->n; i++)
    if (prefixed(o, f, f->sig->params[i]->name) == e->name.name && f->varies[i])
      return extreme(o, strcmp(name, "lower") == 0 ? "min" : "max", e, NULL);
  return e;
}

static void add_bound(over *o, ast_type *t, const char *name, ast_expr *value) {
  ast_arg a = {.name = {.name = intern(o->c->p->names, name), .at = value->at}, .value = value, .at = value->at};
  ARENA_PUSH(o->c->a, t->bounds.items, t->bounds.n, t->bounds.cap, a);
}

/* `d` as a type: right of `on` its support, cut by the bounds that are written; for a parameter what it draws. */
static ast_type *copy_type(ast_copier *k, const ast_type *t) {
  over *o = k->user;
  place *p = t->kind == TYPE_NAMED ? place_of(o, t->name.name) : NULL;
  if (!p) return NULL;
  const component *f = &p->of[0];
  const ast_type *on = f->dist->decl->type;
  ast_copier inner = inner_copier(o, f);
  if (on->kind != TYPE_NAMED) return ast_copy_type(&inner, on);
  bool plain = !o->on || t->dims.n;
  ast_type *x = named_type(o, plain ? kind_name((ty_kind)f->parts->on->kind) : on->name.name, t->at);
  if (!plain) x->args = ast_copy_exprs(&inner, &on->args);
  for (size_t i = 0; i < on->dims.n; i++) {
    ast_dim d = on->dims.items[i];
    d.size = ast_copy_expr(&inner, d.size);
    ARENA_PUSH(o->c->a, x->dims.items, x->dims.n, x->dims.cap, d);
  }
  put_dims(o, k, x, &t->dims);
  if (plain) return x;
  for (int side = 0; side < 2; side++) {
    const char *name = side == 0 ? "lower" : "upper";
    const ast_arg *own = bound_of(t, name);
    ast_expr *a = shared_bound(o, p, name), *b = own ? ast_copy_expr(k, own->value) : NULL;
    if (a && b) a = extreme(o, side == 0 ? "max" : "min", a, b);
    if (a || b) add_bound(o, x, name, a ? a : b);
  }
  return x;
}

static void add_param(over *o, ast_params *out, ast_param p) { ARENA_PUSH(o->c->a, out->items, out->n, out->cap, p); }

static void add_place(over *o, ast_copier *k, ast_params *out, const place *p) {
  for (size_t i = 0; i < p->n; i++) {
    const component *f = &p->of[i];
    for (size_t j = 0; j < f->sig->n; j++) {
      const symbol *s = f->sig->params[j];
      ast_copier inner = inner_copier(o, f);
      ast_param x = {.name = {.name = prefixed(o, f, s->name), .at = s->at}, .at = s->at};
      x.type = s->param->type ? ast_copy_type(&inner, s->param->type) : named_type(o, kind_name((ty_kind)s->type->kind), s->at);
      if (p->array && f->varies[j]) put_dims(o, k, x.type, &p->param->type->dims);
      add_param(o, out, x);
    }
  }
}

/* --- specials */

static bool same_places(const place *a, const place *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (a[i].n != b[i].n || a[i].listed != b[i].listed) return false;
    for (size_t j = 0; j < a[i].n; j++) {
      const component *f = &a[i].of[j], *g = &b[i].of[j];
      if (f->dist != g->dist || memcmp(f->varies, g->varies, f->sig->n * sizeof *f->varies) != 0) return false;
    }
  }
  return true;
}

/* The scheme needs a member that what was given has not. */
static void report_lacking(over *o, span use) {
  ctx *c = o->c;
  const component *f = o->lacking;
  diag *d = cx_error(c, "E0608", f->at.file ? f->at : use, "`%s` needs the `%s` of `%s`, which has none", o->scheme->name, o->lacks, f->dist->name);
  if (!sym_of(o->scheme)->library) cx_point(c, d, o->lacks_at, "needed here");
  if (!sym_of(f->dist)->library) cx_help(c, d, "add a member `%s(x)` to `dist %s`", has_member(f->parts, "cdf") ? o->lacks : "cdf", f->dist->name);
  else cx_help(c, d, "docs/language.md, section 9, says which have a distribution function");
}

static void copy_members(over *o, ast_copier *k, ast_decl *d, span use) {
  const ast_block *from = o->scheme->decl->body;
  d->body = ARENA_NEW(o->c->a, ast_block);
  if (!from) return;
  d->body->at = from->at;
  for (size_t i = 0; i < from->n && !o->failed; i++) {
    const ast_stmt *m = from->items[i];
    o->lacks = NULL;
    ast_stmt *x = ast_copy_stmt(k, m);
    if (o->lacks) {
      /* What can do without is left out; a density has to be there. */
      bool needed = m->kind == STMT_MEMBER && (strcmp(m->member.name.name, "logpdf") == 0 || strcmp(m->member.name.name, "valid") == 0);
      if (!needed) continue;
      if (!o->failed) report_lacking(o, use);
      o->failed = true;
      return;
    }
    ARENA_PUSH(o->c->a, d->body->items, d->body->n, d->body->cap, x);
  }
}

static unsigned depth_of(const place *p, size_t n) {
  unsigned deepest = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < p[i].n; j++) {
      unsigned d = sym_of(p[i].of[j].dist)->over_depth;
      if (d > deepest) deepest = d;
    }
  return deepest;
}

static symbol *special_of(ctx *c, symbol *scheme, place *places, size_t n, span use) {
  sym_info *x = sym_of(scheme);
  for (special *s = x->specials; s; s = s->next)
    if (same_places(s->places, places, n)) return s->sym;
  special *new = ARENA_NEW(c->a, special);
  *new = (special){places, NULL, x->specials};
  x->specials = new;
  if (x->over_failed) return NULL;
  over o = {.c = c, .scheme = scheme, .places = places, .n = n};
  ast_copier k = {.mem = c->a, .user = &o, .expr = copy_expr, .type = copy_type};
  ast_decl *from = scheme->decl, *d = ARENA_NEW(c->a, ast_decl);
  *d = *from;
  d->params = (ast_params){0};
  unsigned depth = depth_of(places, n) + 1;
  for (size_t i = 0; i < from->params.n; i++) {
    const ast_param *p = &from->params.items[i];
    const place *pl = is_dist_param(p) ? place_of(&o, p->name.name) : NULL;
    if (pl) {
      add_place(&o, &k, &d->params, pl);
      continue;
    }
    ast_param own = *p;
    own.name.sym = NULL;
    own.type = ast_copy_type(&k, p->type);
    own.default_ = ast_copy_expr(&k, p->default_);
    add_param(&o, &d->params, own);
  }
  if (depth > DEPTH_MAX || d->params.n > PARAMS_MAX) {
    diag *g = cx_error(c, "E0620", use, depth > DEPTH_MAX ? "distributions over distributions are nested more than %d deep" : "this distribution has more than %d parameters",
                       depth > DEPTH_MAX ? DEPTH_MAX : PARAMS_MAX);
    cx_help(c, g, "write the density with `factor`");
    return NULL;
  }
  o.on = true;
  d->type = ast_copy_type(&k, from->type);
  o.on = false;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 1; j < places[i].n; j++)
      if (places[i].of[j].parts->on->kind != places[i].of[0].parts->on->kind || places[i].of[j].parts->on->rank != places[i].of[0].parts->on->rank) {
        diag *g = cx_error(c, "E0601", places[i].of[j].at, "the distributions of a list draw values of one kind");
        cx_say(c, g, "this draws %s", ty_print(c->p, places[i].of[j].parts->on));
        cx_point(c, g, places[i].of[0].at, "this draws %s", ty_print(c->p, places[i].of[0].parts->on));
        return NULL;
      }
  copy_members(&o, &k, d, use);
  if (o.failed && !o.lacks) x->over_failed = true;
  if (o.failed) return NULL;
  symbol *s = sym_new(c->st, SYM_DIST, scheme->name, scheme->at);
  s->decl = d;
  d->name.sym = s;
  s->label = arena_printf(c->a, "%s.%s.%u", scheme->name, n ? places[0].of[0].dist->name : "", ++c->st->nspecials);
  sym_of(s)->library = x->library;
  sym_of(s)->special_of = scheme;
  sym_of(s)->special_at = use;
  sym_of(s)->over_depth = depth;
  return new->sym = s;
}

/* --- uses */

bool expr_draws(ctx *c, const ast_expr *e) {
  if (e->kind != EXPR_CALL || e->call.of || !e->call.fn.name[0]) return false;
  const symbol *s = e->call.fn.sym ? e->call.fn.sym : callee_find(c, &e->call.fn);
  if (s && s->kind == SYM_MODEL) return true; /* to be reported */
  char initial = e->call.fn.name[0];
  return s ? s->kind == SYM_DIST : initial >= 'A' && initial <= 'Z'; /* an unknown one is reported as what it was meant to be */
}

bool expr_draws_all(ctx *c, const ast_expr *e) {
  if (e->kind != EXPR_ARRAY || e->array.elems.n == 0) return false;
  for (size_t i = 0; i < e->array.elems.n; i++)
    if (!expr_draws(c, e->array.elems.items[i])) return false;
  return true;
}

/* An argument that is a distribution, or an array of them. */
typedef struct given_dist {
  const ast_expr *e;
  size_t n;
  drawn *of;
  bool listed;
} given_dist;

static bool given_check(ctx *c, ast_expr *e, given_dist *g) {
  g->e = e;
  g->listed = e->kind == EXPR_ARRAY;
  g->n = g->listed ? e->array.elems.n : 1;
  g->of = ARENA_ARRAY(c->a, drawn, g->n);
  bool ok = true;
  for (size_t i = 0; i < g->n; i++) ok = check_drawn(c, g->listed ? e->array.elems.items[i] : e, &g->of[i]) && ok;
  if (g->listed) check_error(c, e);
  return ok;
}

static void place_fill(ctx *c, place *p, const ast_param *param, const given_dist *g) {
  *p = (place){.param = param, .array = param->type->dims.n > 0, .listed = g->listed, .n = g->n};
  p->of = ARENA_ARRAY(c->a, component, g->n);
  for (size_t i = 0; i < g->n; i++) {
    component *f = &p->of[i];
    const drawn *d = &g->of[i];
    f->dist = d->dist;
    f->parts = d->parts;
    f->sig = signature_of(c->st, d->dist);
    f->at = g->listed ? g->e->array.elems.items[i]->at : g->e->at;
    f->prefix = g->listed ? arena_printf(c->a, "%s.%zu", param->name.name, i + 1) : param->name.name;
    f->varies = ARENA_ARRAY(c->a, bool, f->sig->n);
    for (size_t k = 0; k < f->sig->n; k++) f->varies[k] = p->array && !g->listed && ty_of(d->args[k])->rank > f->sig->params[k]->type->rank;
  }
}

/* The parameters of a scheme by name, for match_args. */
static signature *scheme_signature(ctx *c, symbol *s) {
  sym_info *x = sym_of(s);
  if (x->sig) return x->sig;
  signature *sig = x->sig = ARENA_NEW(c->a, signature);
  const ast_params *ps = &s->decl->params;
  sig->params = ARENA_ARRAY(c->a, symbol *, ps->n);
  for (size_t i = 0; i < ps->n; i++) {
    symbol *p = sym_new(c->st, SYM_PARAM, ps->items[i].name.name, ps->items[i].name.at);
    p->param = &ps->items[i];
    sig->params[sig->n++] = p;
    if (is_dist_param(&ps->items[i]) && (ps->items[i].type->dims.n > 1 || ps->items[i].type->bounds.n || ps->items[i].type->args.n)) {
      diag *d = cx_error(c, "E0512", ps->items[i].type->at, "a `dist` parameter is one distribution or a vector of them");
      cx_help(c, d, "write `%s: dist` or `%s: dist[K]`", p->name, p->name);
      x->over_failed = true;
    }
  }
  return sig;
}

static bool not_a_dist(ctx *c, const symbol *scheme, const symbol *param, const ast_expr *e) {
  if (ty_of(e) && ty_is_error(ty_of(e))) return false;
  diag *d = cx_error(c, "E0612", e->at, "`%s` of `%s` is a distribution, this is %s", param->name, scheme->name, ty_print(c->p, ty_of(e)));
  cx_help(c, d, "it is written `%s(Normal(0, 1), ...)`", scheme->name);
  return false;
}

bool check_over(ctx *c, ast_expr *e, symbol *first, drawn *out) {
  bool ok = true, outer = c->stochastic;
  c->stochastic = false;
  size_t n = e->call.args.n;
  given_dist *given = ARENA_ARRAY(c->a, given_dist, n);
  for (size_t i = 0; i < n; i++) {
    ast_expr *v = e->call.args.items[i].value;
    if (expr_draws(c, v) || expr_draws_all(c, v)) {
      ok = given_check(c, v, &given[i]) && ok;
    } else if (v->kind == EXPR_COMPREHENSION && expr_draws(c, v->comprehension.body)) {
      diag *d = cx_error(c, "E0612", v->at, "distributions are not made by `for`");
      cx_help(c, d, "arguments that are arrays have an element for each: `%s(w, Normal(mu, sigma))`", first->name);
      check_error(c, v);
      ok = false;
    }
    else ok = !ty_is_error(check_expr(c, v)) && ok;
  }
  out->stochastic = c->stochastic;
  c->stochastic |= outer;
  symbol *scheme = dist_choose(c, e, first);
  check_error(c, e);
  if (!scheme) return false;
  e->call.fn.sym = scheme;
  const signature *sig = scheme_signature(c, scheme);
  ast_expr **args;
  if (!match_args(c, e, scheme, sig, &args) || !ok || sym_of(scheme)->over_failed) return false;
  place *places = ARENA_ARRAY(c->a, place, sig->n);
  const given_dist **from = ARENA_ARRAY(c->a, const given_dist *, sig->n);
  size_t nplaces = 0, total = 0;
  for (size_t k = 0; k < sig->n; k++) {
    for (size_t i = 0; i < n && !from[k]; i++)
      if (given[i].e && given[i].e == args[k]) from[k] = &given[i];
    if (!is_dist_param(sig->params[k]->param)) {
      total++;
      if (!from[k]) continue;
      diag *d = cx_error(c, "E0612", args[k]->at, "`%s` of `%s` is a value, not a distribution", sig->params[k]->name, scheme->name);
      cx_help(c, d, "a draw that has a name can be used as a value: `x ~ %s`", from[k]->of[0].dist->name);
      return false;
    }
    if (!from[k]) return not_a_dist(c, scheme, sig->params[k], args[k]);
    place *p = &places[nplaces++];
    place_fill(c, p, sig->params[k]->param, from[k]);
    if (p->listed && !p->array) {
      diag *d = cx_error(c, "E0612", args[k]->at, "`%s` of `%s` is one distribution, this is an array of %zu", sig->params[k]->name, scheme->name, p->n);
      cx_help(c, d, "`mixture(w, [...])` draws from one of several");
      return false;
    }
    for (size_t i = 0; i < p->n; i++) total += p->of[i].sig->n;
  }
  symbol *s = special_of(c, scheme, places, nplaces, e->at);
  if (!s) return false;
  ast_expr **all = ARENA_ARRAY(c->a, ast_expr *, total);
  size_t m = 0;
  for (size_t k = 0; k < sig->n; k++) {
    if (!from[k]) all[m++] = args[k];
    for (size_t i = 0; from[k] && i < from[k]->n; i++)
      for (size_t j = 0; j < signature_of(c->st, from[k]->of[i].dist)->n; j++) all[m++] = from[k]->of[i].args[j];
  }
  return drawn_finish(c, e, s, all, out);
}

/* A scheme that nothing uses is checked for a normal distribution. */
symbol *scheme_probe(check_state *st, symbol *scheme) {
  sym_info *x = sym_of(scheme);
  if (x->specials) return x->specials->sym;
  ctx c;
  ctx_init(&c, st, CTX_DIST, NULL);
  c.library = true;
  symbol *normal = callable_find(&c, intern(st->p->names, "Normal"));
  if (!normal) return NULL;
  const signature *sig = scheme_signature(&c, scheme), *own = signature_of(st, normal);
  place *places = ARENA_ARRAY(c.a, place, sig->n);
  size_t n = 0;
  for (size_t k = 0; k < sig->n; k++) {
    const ast_param *p = sig->params[k]->param;
    if (!is_dist_param(p)) continue;
    component *f = ARENA_NEW(c.a, component);
    *f = (component){.dist = normal, .parts = dist_parts(st, normal), .sig = own, .varies = ARENA_ARRAY(c.a, bool, own->n), .prefix = p->name.name};
    places[n] = (place){.param = p, .array = p->type->dims.n > 0, .n = 1, .of = f};
    for (size_t j = 0; j < own->n; j++) f->varies[j] = places[n].array;
    n++;
  }
  return special_of(&c, scheme, places, n, scheme->at);
}
