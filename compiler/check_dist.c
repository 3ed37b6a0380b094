/* check_dist.c: distributions: their declarations, and calls of them right of `~` and in logpdf. */
#include "compiler/check_state.h"

#include "lang/ast_copy.h"

#include <math.h>
#include <string.h>

static const char *const members[] = {"logpdf", "cdf", "logcdf", "logccdf", "quantile", "sample", "valid", "standard", "from_standard"};
enum { LOGPDF, CDF, LOGCDF, LOGCCDF, QUANTILE, SAMPLE, VALID, STANDARD, FROM_STANDARD, NMEMBERS };

/* A standard variate is free on the reals, or on real[K]; the support it is moved to has as many coordinates. */
static void check_standard(ctx *c, const check_dist *d) {
  const ast_stmt *s = d->standard ? d->standard : d->from_standard;
  if (!s) return;
  if (!d->standard || !d->from_standard) {
    diag *g = cx_error(c, "E0619", s->member.name.at, "`%s` needs `%s` beside it", s->member.name.name, d->standard ? "from_standard" : "standard");
    cx_help(c, g, "`standard(z)` is the log density of a variate z, `from_standard(z)` what becomes of z");
  } else if (d->discrete || d->on->support > IR_SUP_INTERVAL || d->on->kind != TY_REAL) {
    cx_error(c, "E0619", s->member.name.at, "only a distribution on reals comes from a standard variate");
  }
}

check_dist *dist_parts(check_state *st, symbol *s) {
  sym_info *x = sym_of(s);
  if (x->dist) return x->dist;
  if (is_scheme(s)) {
    symbol *probe = scheme_probe(st, s);
    return probe ? x->dist = dist_parts(st, probe) : NULL;
  }
  const signature *sig = signature_of(st, s);
  if (!sig) return NULL;
  check_dist *d = x->dist = ARENA_NEW(st->p->mem, check_dist);
  d->sym = s;
  d->decl = s->decl;
  d->params = sig->params;
  d->nparams = sig->n;
  d->on = sig->result;
  d->discrete = ty_is_integer(d->on);
  ctx c;
  ctx_init(&c, st, CTX_DIST, s);
  size_t errors = st->p->diags->errors;
  ast_stmt **slot[NMEMBERS] = {&d->logpdf, &d->cdf,   &d->logcdf,   &d->logccdf,      &d->quantile,
                               &d->sample, &d->valid, &d->standard, &d->from_standard};
  const ast_block *b = s->decl->body;
  for (size_t i = 0; b && i < b->n; i++) {
    ast_stmt *m = b->items[i];
    if (m->kind != STMT_MEMBER || name_missing(&m->member.name)) continue;
    int k = 0;
    while (k < NMEMBERS && strcmp(members[k], m->member.name.name) != 0) k++;
    if (k == NMEMBERS) {
      diag *g = cx_error(&c, "E0417", m->member.name.at, "a distribution has no member called `%s`", m->member.name.name);
      const char *near = nearest_of(m->member.name.name, members, NMEMBERS);
      if (strcmp(m->member.name.name, "pdf") == 0 || strcmp(m->member.name.name, "logpmf") == 0 || strcmp(m->member.name.name, "lpdf") == 0)
        near = "logpdf";
      if (near) cx_help(&c, g, "did you mean `%s`?", near);
      else cx_help(&c, g, "members are logpdf(x), cdf(x), logcdf(x), logccdf(x), quantile(p), sample(), valid(), standard(z) and from_standard(z)");
      continue;
    }
    if (*slot[k]) {
      diag *g = cx_error(&c, "E0402", m->member.name.at, "`%s` is declared twice", members[k]);
      cx_point(&c, g, (*slot[k])->member.name.at, "first here");
      continue;
    }
    size_t want = k == SAMPLE || k == VALID ? 0 : 1;
    if (m->member.params.n != want) {
      diag *g = cx_error(&c, want > m->member.params.n ? "E0412" : "E0413", m->member.name.at, "`%s` takes %s", members[k],
                         want ? "one parameter" : "no parameter");
      cx_help(&c, g, "write `%s(%s)`", members[k], want == 0 ? "" : k == QUANTILE ? "p" : k >= STANDARD ? "z" : "x");
      continue;
    }
    *slot[k] = m;
  }
  if (!ty_is_error(d->on) && st->p->diags->errors == errors) check_standard(&c, d);
  if (!d->logpdf && b && st->p->diags->errors == errors) {
    diag *g = cx_error(&c, "E0608", s->decl->head.len ? s->decl->head : s->at, "distribution `%s` has no `logpdf`", s->name);
    cx_help(&c, g, "add `logpdf(x) = ...`, the log density of x");
  }
  return d;
}

static void check_member(check_state *st, symbol *dist, ast_stmt *m, int k) {
  check_dist *d = sym_of(dist)->dist;
  ctx c;
  ctx_init(&c, st, CTX_DIST, dist);
  signature_enter(&c, sym_of(dist)->sig);
  c.in_sample = k == SAMPLE;
  if (m->member.params.n) {
    ast_param *p = &m->member.params.items[0];
    symbol *x = sym_new(st, SYM_PARAM, p->name.name, p->name.at);
    x->param = p;
    p->name.sym = x;
    if (k == QUANTILE) x->type = ty_scalar(st, TY_REAL);
    else if (k >= STANDARD) x->type = ty_new(st, TY_REAL, d->on->rank, d->on->dim);
    else {
      ty_info *t = ARENA_NEW(c.a, ty_info);
      *t = *d->on;
      x->type = t;
    }
    value_add(&c, x);
  }
  bool event = k == SAMPLE || k == QUANTILE || k == FROM_STANDARD;
  ty_kind kind = event ? (ty_kind)d->on->kind : k == VALID ? TY_BOOL : TY_REAL;
  c.result = event ? ty_as(st, d->on, kind) : ty_scalar(st, kind);
  c.result_at = m->member.name.at;
  if (ty_is_error(d->on) && event) c.result = NULL;
  check_returning(&c, m->member.value, m->member.body, members[k]);
}

void check_dist_body(check_state *st, symbol *dist) {
  check_dist *d = dist_parts(st, dist);
  if (!d) return;
  sym_info *x = sym_of(dist), *scheme = x->special_of ? sym_of(x->special_of) : NULL;
  if (is_scheme(dist)) {
    sym_info *probe = sym_of(d->sym);
    if (!probe->queued) ARENA_PUSH(st->p->mem, st->queue, st->nqueue, st->cap_queue, d->sym);
    probe->queued = true;
    return;
  }
  if (scheme && scheme->over_failed) return;
  size_t before = st->p->diags->n, errors = st->p->diags->errors;
  ast_stmt *all[NMEMBERS] = {d->logpdf, d->cdf, d->logcdf, d->logccdf, d->quantile, d->sample, d->valid, d->standard, d->from_standard};
  for (int k = 0; k < NMEMBERS; k++)
    if (all[k]) check_member(st, dist, all[k], k);
  if (!scheme || st->p->diags->errors == errors) return;
  /* What is wrong with a scheme is said once, and where it was used. */
  scheme->over_failed = true;
  for (size_t i = before; i < st->p->diags->n && x->special_at.off != dist->at.off; i++)
    diag_point(st->p->diags, st->p->diags->items[i], x->special_at, "used here");
}

/* --- calls */

/* The overload that a call means: the first that has all the names it uses and as many parameters as it needs. */
symbol *dist_choose(ctx *c, const ast_expr *e, symbol *first) {
  const ast_args *args = &e->call.args;
  symbol *named = NULL;
  for (symbol *s = first; s; s = s->next_overload) {
    const ast_params *ps = &s->decl->params;
    bool has = true, counts = args->n <= ps->n;
    size_t missing = 0;
    for (size_t i = 0; i < args->n && has; i++) {
      if (!args->items[i].name.name) continue;
      has = false;
      for (size_t k = 0; k < ps->n; k++) has |= ps->items[k].name.name == args->items[i].name.name;
    }
    for (size_t k = args->n; k < ps->n; k++) missing += ps->items[k].default_ == NULL;
    if (has && counts && missing == 0) return s;
    if (has && !named) named = s;
  }
  if (named) return named; /* match_args says what is wrong */
  if (!first->next_overload) return first;
  diag *d = cx_error(c, "E0610", e->at, "no `%s` has parameters of these names", first->name);
  const char *words[32];
  size_t n = 0;
  strbuf forms;
  strbuf_init(&forms, c->a);
  for (symbol *s = first; s; s = s->next_overload) {
    strbuf_printf(&forms, "%s`%s(", s == first ? "" : s->next_overload ? ", " : " or ", s->name);
    for (size_t k = 0; k < s->decl->params.n; k++) {
      strbuf_printf(&forms, "%s%s", k ? ", " : "", s->decl->params.items[k].name.name);
      if (n < 32) words[n++] = s->decl->params.items[k].name.name;
    }
    strbuf_puts(&forms, ")`");
  }
  const char *near = NULL, *other = NULL;
  for (size_t i = 0; i < args->n && !near; i++)
    if (args->items[i].name.name) near = nearest_of(args->items[i].name.name, words, n);
  for (size_t i = 0; i < args->n && !near && !other; i++)
    if (args->items[i].name.name) other = habit_parameter(first->name, args->items[i].name.name);
  if (other && sym_of(first)->library) cx_help(c, d, "%s", other);
  else if (near) cx_help(c, d, "did you mean `%s = ...`?", near);
  else cx_help(c, d, "it is %s", forms.s);
  return NULL;
}

bool drawn_finish(ctx *c, ast_expr *e, symbol *s, ast_expr **args, drawn *out) {
  check_state *st = c->st;
  e->call.fn.sym = s;
  callee_used(c, s, e->at);
  const signature *sig = signature_of(st, s);
  check_dist *parts = sig ? dist_parts(st, s) : NULL;
  if (!parts) return false;
  if (!unify_args(c, e, s, sig, args, &out->batch, &out->sizes) || ty_is_error(parts->on)) return false;
  call_record(c, e, s, args, sig->n, out->batch.rank > 0, &out->sizes);
  warn_sign(c, e, sig, args);
  out->dist = s;
  out->parts = parts;
  out->args = args;
  out->event = *ty_substitute(st, parts->on, &out->sizes);
  out->event.event_rank = out->event.rank;
  out->flat = sym_of(s)->library && s->name == st->flat;
  ty_info *t = ARENA_NEW(c->a, ty_info);
  t->kind = TY_DIST;
  ty_info *event = ARENA_NEW(c->a, ty_info);
  *event = out->event;
  t->event = event;
  set_type(e, t);
  return true;
}

bool check_drawn(ctx *c, ast_expr *e, drawn *out) {
  *out = (drawn){0};
  check_state *st = c->st;
  if (e->kind == EXPR_ERROR) {
    check_error(c, e);
    return false;
  }
  /* What a special was made of is not looked for by name. */
  bool made = e->kind == EXPR_CALL && e->call.fn.sym && e->call.fn.sym->kind == SYM_DIST;
  symbol *first = made ? e->call.fn.sym : e->kind == EXPR_CALL && e->call.fn.name[0] && !e->call.of ? callee_find(c, &e->call.fn) : NULL;
  if (e->kind != EXPR_CALL || !first || first->kind != SYM_DIST) {
    if (e->kind == EXPR_CALL && first && first->kind == SYM_MODEL) {
      diag *d = cx_error(c, "E0612", e->at, "model `%s` is not a distribution that could stand here", first->name);
      cx_help(c, d, "it is drawn by a statement of a model: `x ~ %s(...)`", first->name);
      check_error(c, e);
      return false;
    }
    bool missing;
    const char *meant = e->kind == EXPR_CALL && first && !e->call.of && first->kind != SYM_DIST && first->kind != SYM_MODEL && (first->kind == SYM_BUILTIN || sym_of(first)->library) ? habit_dist(first->name, &missing) : NULL;
    if (meant && !missing) {
      diag *d = cx_error(c, "E0612", e->call.fn.at, "`%s` is a function, not a distribution", first->name);
      cx_help(c, d, "%s", meant);
      for (size_t i = 0; i < e->call.args.n; i++) check_expr(c, e->call.args.items[i].value);
      check_error(c, e);
      return false;
    }
    if (e->kind == EXPR_CALL && !first && !e->call.of) {
      for (size_t i = 0; i < e->call.args.n; i++)
        if (!expr_draws(c, e->call.args.items[i].value) && !expr_draws_all(c, e->call.args.items[i].value)) check_expr(c, e->call.args.items[i].value);
      if (e->call.fn.name[0]) {
        symbol *v = ptr_map_get(&c->names, e->call.fn.name);
        if (v) unknown_callable(c, e->call.fn.name, e->call.fn.at, "a distribution");
        else if (!st->names_missing) {
          const char *other = habit_dist(e->call.fn.name, &missing);
          diag *d = cx_error(c, "E0407", e->call.fn.at, missing ? "`%s` is not among the distributions of this version" : "there is no distribution called `%s`",
                             e->call.fn.name);
          const char *near = other ? NULL : nearest_dist(c, e->call.fn.name);
          if (other) cx_help(c, d, "%s", other);
          else if (near) cx_help(c, d, "did you mean `%s`?", near);
          else cx_help(c, d, "docs/language.md, section 9, has a table of them");
        }
      }
      check_error(c, e);
      return false;
    }
    if (e->kind == EXPR_IF && (expr_draws(c, e->if_.then) || expr_draws(c, e->if_.else_))) {
      diag *d = cx_error(c, "E0612", e->at, "a choice between distributions is not written `if` here");
      cx_help(c, d, "`switch(k, [D, E])` is the k-th of them, `if c { x ~ D } else { x ~ E }` a choice of statements; of one distribution the arguments may choose: `Normal(if c { a } else { b }, 1)`");
      check_error(c, e);
      return false;
    }
    const ty_info *t = e->kind == EXPR_NAME && (first = callable_find(c, e->name.name)) && first->kind == SYM_DIST &&
                               !ptr_map_get(&c->names, e->name.name)
                           ? NULL
                           : check_expr(c, e);
    if (!t) {
      diag *d = cx_error(c, "E0612", e->at, "`%s` needs its parameters", e->name.name);
      cx_help(c, d, "write `%s(...)`", e->name.name);
      check_error(c, e);
    } else if (!ty_is_error(t)) {
      diag *d = c->distfn ? cx_error(c, "E0612", e->at, "`%s` takes a distribution first, this is %s", c->distfn, ty_print(c->p, t))
                          : cx_error(c, "E0612", e->at, "right of `~` stands a distribution, this is %s", ty_print(c->p, t));
      if (c->distfn) cx_help(c, d, "it is `%s(Normal(0, 1), x)`", c->distfn);
      else if (e->kind == EXPR_IF) cx_help(c, d, "use the statement: `if c { x ~ A } else { x ~ B }`");
      else cx_help(c, d, "`let x = ...` names a value; `factor e` adds to the log density");
    }
    return false;
  }
  for (symbol *s = first; s; s = s->next_overload)
    if (is_scheme(s)) return check_over(c, e, first, out);
  bool ok = true, outer = c->stochastic;
  c->stochastic = false;
  for (size_t i = 0; i < e->call.args.n; i++)
    if (ty_is_error(check_expr(c, e->call.args.items[i].value))) ok = false;
  out->stochastic = c->stochastic;
  c->stochastic |= outer;
  symbol *s = dist_choose(c, e, first);
  check_error(c, e);
  if (!s) return false;
  const signature *sig = signature_of(st, s);
  ast_expr **args;
  if (!sig || !match_args(c, e, s, sig, &args)) {
    e->call.fn.sym = s;
    callee_used(c, s, e->at);
    return false;
  }
  return ok && drawn_finish(c, e, s, args, out);
}

/* sample(D): a draw inside a sampler. */
static const ty_info *check_draw_of(ctx *c, ast_expr *e, symbol *callee) {
  drawn d;
  if (e->call.args.n != 1 || e->call.args.items[0].name.name) {
    diag *g = cx_error(c, e->call.args.n < 1 ? "E0412" : "E0413", e->at, "`sample` takes a distribution");
    cx_help(c, g, "it is `sample(Normal(0, 1))`");
    return check_error(c, e);
  }
  ast_expr *dist = e->call.args.items[0].value;
  const char *outer = c->distfn;
  c->distfn = "sample";
  bool ok = check_drawn(c, dist, &d);
  c->distfn = outer;
  if (!ok) return check_error(c, e);
  if (!c->in_sample) {
    diag *g = cx_error(c, "E0609", e->at, "`sample` draws only in the sample() of a distribution");
    cx_help(c, g, "in a model a draw has a name: `x ~ %s(...)`", d.dist->name);
    return check_error(c, e);
  }
  if (!d.parts->sample) {
    cx_error(c, "E0608", dist->at, "`%s` has no `sample` and cannot be drawn from", d.dist->name);
    return check_error(c, e);
  }
  if (d.batch.rank) {
    diag *g = cx_error(c, "E0512", dist->at, "`sample` draws once, and the arguments are arrays");
    cx_help(c, g, "`[sample(D(a[i])) for i in 1..N]` draws an array");
    return check_error(c, e);
  }
  c->stochastic = true;
  ast_expr **args = ARENA_ARRAY(c->a, ast_expr *, 1);
  args[0] = dist;
  call_record(c, e, callee, args, 1, false, NULL);
  return set_type(e, ty_as(c->st, &d.event, (ty_kind)d.event.kind));
}

/* Why a distribution cannot answer: the member that it lacks, or NULL. */
static const char *lacks(const drawn *d, int builtin) {
  const check_dist *p = d->parts;
  switch (builtin) {
  case BUILTIN_CDF: return p->cdf ? NULL : "cdf";
  case BUILTIN_LOGCDF: return p->logcdf || p->cdf ? NULL : "cdf";
  case BUILTIN_LOGCCDF: return p->logccdf || p->cdf ? NULL : "cdf";
  case BUILTIN_QUANTILE: return p->quantile ? NULL : "quantile";
  default: return NULL;
  }
}

void drawn_settle(ctx *c, ast_expr *dist, const ty_info *x, drawn *d) {
  if (size_solution_whole(&d->sizes)) return;
  solve_event(c->st, d->parts->on, x, &d->sizes);
  const ty_info *event = ty_substitute(c->st, d->parts->on, &d->sizes);
  for (unsigned k = 0; k < d->event.rank; k++) d->event.dim[k] = event->dim[k];
  ty_info *drawn_type = (ty_info *)ty_of(dist), *settled = ARENA_NEW(c->a, ty_info);
  *settled = d->event;
  if (drawn_type->kind == TY_DIST) drawn_type->event = settled;
}

const ty_info *check_distfn(ctx *c, ast_expr *e, symbol *callee) {
  const char *name = e->call.fn.name;
  if (callee->builtin == BUILTIN_SAMPLE) return check_draw_of(c, e, callee);
  if (e->call.args.n != 2 || e->call.args.items[0].name.name || e->call.args.items[1].name.name) {
    diag *d = cx_error(c, e->call.args.n < 2 ? "E0412" : "E0413", e->at, "`%s` takes a distribution and a value", name);
    cx_help(c, d, "it is `%s(Normal(0, 1), x)`", name);
    return check_error(c, e);
  }
  drawn dr;
  ast_expr *dist = e->call.args.items[0].value, *x = e->call.args.items[1].value;
  const char *outer = c->distfn;
  c->distfn = name;
  bool ok = check_drawn(c, dist, &dr);
  c->distfn = outer;
  const ty_info *t = check_expr(c, x);
  if (!ok || ty_is_error(t) || !value_expected(c, x, t, "the value")) return check_error(c, e);
  const char *missing = lacks(&dr, callee->builtin);
  if (missing) {
    bool cdf = strcmp(missing, "cdf") == 0;
    diag *d = cx_error(c, "E0608", dist->at, cdf ? "`%s` has no distribution function" : "`%s` has no `quantile`", dr.dist->name);
    if (!sym_of(dr.dist)->library) cx_help(c, d, "`%s` needs a member `%s(%s)`", name, missing, cdf ? "x" : "p");
    else if (cdf) cx_help(c, d, "docs/language.md, section 9, says which have one");
    return check_error(c, e);
  }
  bool quantile = callee->builtin == BUILTIN_QUANTILE;
  if (quantile && (dr.event.rank || t->kind == TY_BOOL)) {
    cx_error(c, "E0512", e->at, "`quantile` is of a distribution of numbers, at a probability");
    return check_error(c, e);
  }
  if (!quantile && dr.parts->discrete && t->kind == TY_REAL) {
    cx_error(c, "E0601", x->at, "`%s` draws %s, this is %s", dr.dist->name, dr.event.kind == TY_BOOL ? "truth values" : "integers",
             ty_print(c->p, t));
    return check_error(c, e);
  }
  drawn_settle(c, dist, t, &dr);
  bool fits = t->rank >= dr.event.rank;
  for (unsigned k = 0; k < dr.event.rank && fits; k++) fits = t->dim[t->rank - dr.event.rank + k] == dr.event.dim[k];
  ty_info front = {.rank = (uint8_t)(fits ? t->rank - dr.event.rank : 0)}, both = {0};
  for (unsigned k = 0; k < front.rank; k++) front.dim[k] = t->dim[k];
  if (!fits || !shape_broadcast(&front, &dr.batch, &both)) {
    diag *d = cx_error(c, "E0502", x->at, "`%s` does not fit the distribution: it is %s", name, ty_print(c->p, t));
    cx_point(c, d, dist->at, "this draws %s", ty_print(c->p, &dr.event));
    point_shape(c, d, x);
    return check_error(c, e);
  }
  ast_expr **args = ARENA_ARRAY(c->a, ast_expr *, 2);
  args[0] = dist;
  args[1] = x;
  call_record(c, e, callee, args, 2, both.rank > 0, NULL);
  ty_kind kind = quantile ? (ty_kind)dr.event.kind : TY_REAL;
  return set_type(e, both.rank ? ty_new(c->st, kind, both.rank, both.dim) : ty_scalar(c->st, kind));
}

/* --- supports */

static ast_expr *put_argument(ast_copier *k, const ast_expr *e) {
  const drawn *d = k->user;
  for (size_t i = 0; e->kind == EXPR_NAME && i < d->parts->nparams; i++)
    if (d->parts->params[i] == e->name.sym) return d->args[i];
  return NULL;
}

ast_expr *drawn_bound(ctx *c, const drawn *d, const ast_expr *bound) {
  ast_copier k = {.mem = c->a, .user = (void *)d, .expr = put_argument};
  return ast_copy_expr(&k, bound);
}

/* Whether a declared bound may cut away some of what the distribution draws. */
static bool cuts(const ast_expr *declared, const ast_expr *drawn_at, bool lower) {
  if (!declared) return false;
  if (!drawn_at) return true;
  double a, b;
  if (const_of_expr(declared, &a) && const_of_expr(drawn_at, &b)) return lower ? a > b : a < b;
  if (declared->kind == EXPR_NAME && drawn_at->kind == EXPR_NAME && declared->name.sym == drawn_at->name.sym) return false;
  return true;
}

static bool depends_on_latent(const ast_expr *e) {
  if (!e) return false;
  switch (e->kind) {
  case EXPR_NAME: return e->name.sym && e->name.sym->stochastic;
  case EXPR_UNARY: return depends_on_latent(e->unary.arg);
  case EXPR_BINARY: return depends_on_latent(e->binary.lhs) || depends_on_latent(e->binary.rhs);
  case EXPR_INT: case EXPR_REAL: return false;
  case EXPR_INDEX: {
    if (depends_on_latent(e->index.base)) return true;
    for (size_t i = 0; i < e->index.subs.n; i++)
      if (depends_on_latent(e->index.subs.items[i])) return true;
    return false;
  }
  case EXPR_CALL:
    for (size_t i = 0; i < e->call.args.n; i++)
      if (depends_on_latent(e->call.args.items[i].value)) return true;
    return false;
  default: return true;
  }
}

static const char *event_text(ctx *c, const drawn *d) {
  if (d->event.kind == TY_BOOL) return "truth values";
  if (d->event.kind == TY_INT) return "integers";
  return d->event.rank == 0 ? "reals" : ty_print(c->p, &d->event);
}

/* What is declared, t, beside what `d` draws; `at` is the statement's place. */
typedef struct meeting {
  ctx *c;
  span at;
  const ty_info *t;
  const ast_type *type; /* NULL: nothing is declared */
  const drawn *d;
  const ast_expr *dist;
} meeting;

static diag *mismatch(const meeting *m, const char *draws) {
  ctx *c = m->c;
  diag *g = cx_error(c, "E0601", m->at, "`%s` draws %s, but this is declared %s", m->d->dist->name, draws, ty_print(c->p, m->t));
  cx_point(c, g, m->dist->at, "draws %s", draws);
  if (m->type) cx_point(c, g, m->type->at, "declared here");
  return g;
}

/* `Flat()`: any support that is finite, or not of integers. */
static bool flat_fits(const meeting *m) {
  ctx *c = m->c;
  if (m->t->kind != TY_INT || m->t->support != IR_SUP_INT || (m->t->lo && m->t->hi)) return true;
  diag *g = cx_error(c, "E0606", m->dist->at, "`Flat()` over all integers cannot be normalised or drawn");
  if (m->type) cx_point(c, g, m->type->at, "the support");
  cx_help(c, g, "give a finite type, such as `index(K)`, `bool` or `int<lower = a, upper = b>`");
  return false;
}

/* Reals, integers and truth values. */
static bool kind_fits(const meeting *m, bool observed) {
  ctx *c = m->c;
  const ty_info *t = m->t;
  const drawn *d = m->d;
  const bool discrete = d->parts->discrete;
  if (discrete && (t->kind == TY_REAL || (t->kind == TY_INT && d->event.kind == TY_BOOL && !t->spin))) {
    cx_help(c, mismatch(m, event_text(c, d)), "declare it as `%s`%s", d->event.kind == TY_BOOL ? "bool" : "int", d->event.kind == TY_BOOL && observed ? ", as which 0 and 1 of the data are read" : "");
    return false;
  }
  if (!discrete && (t->kind == TY_BOOL || (t->kind == TY_INT && !observed))) {
    cx_help(c, mismatch(m, event_text(c, d)), t->kind == TY_BOOL ? "`Bernoulli` draws truth values" : "declare it as `real`, or draw it from a distribution of integers");
    return false;
  }
  /* Integers of another kind: counts for a truth value, 0 and 1 for a spin, 1..J for 1..K. */
  bool ranges = t->count != IR_SIZE_NONE && d->event.count != IR_SIZE_NONE && t->count != d->event.count;
  if (!discrete || (!ranges && (t->kind != TY_BOOL || d->event.kind == TY_BOOL) && (!t->spin || d->event.spin))) return true;
  diag *g = mismatch(m, d->event.count != IR_SIZE_NONE ? arena_printf(c->a, "1..%s", size_text(c->st, d->event.count)) : event_text(c, d));
  for (size_t i = 0; ranges && i < d->parts->nparams; i++) point_shape(c, g, d->args[i]);
  if (t->spin) cx_help(c, g, "`Flat()` draws a spin; `2 * b - 1` is -1 or 1 for a truth value b");
  return false;
}

static const char *own_distribution(int support) {
  switch (support) {
  case IR_SUP_SIMPLEX: return "Dirichlet(alpha)";
  case IR_SUP_SUM_TO_ZERO: return "ZeroSumNormal(sigma)";
  case IR_SUP_CORR: return "LKJ(eta)";
  case IR_SUP_CHOLESKY_CORR: return "LKJCholesky(eta)";
  case IR_SUP_COV: return "Wishart(nu, V)";
  default: return NULL;
  }
}

/* Structured supports: the same structure, or a density of the elements that the structure conditions. */
static bool structure_fits(const meeting *m) {
  ctx *c = m->c;
  const ty_info *t = m->t;
  const drawn *d = m->d;
  const char *special = support_text(t), *drawn_special = support_text(&d->event), *name = d->dist->name;
  if (special && t->support != IR_SUP_ORDERED) {
    if (drawn_special && d->event.support == t->support) return true;
    diag *g = cx_error(c, "E0614", m->at, "a `%s` cannot be drawn from `%s`, which draws %s", special, name, event_text(c, d));
    if (m->type) cx_point(c, g, m->type->at, "declared here");
    const char *own = own_distribution(t->support);
    if (own) cx_help(c, g, "`%s` draws a %s; `Flat()` with `factor` gives any density", own, special);
    else cx_help(c, g, "`Flat()` with `factor` gives it any density");
    return false;
  }
  if (!drawn_special || d->event.support == t->support || (t->support == IR_SUP_REAL && !m->type)) return true;
  diag *g = cx_error(c, "E0614", m->at, "`%s` draws a `%s`, but this is declared %s", name, drawn_special, ty_print(c->p, t));
  if (m->type) cx_point(c, g, m->type->at, "declared here");
  cx_help(c, g, "declare it as `%s(K)`", drawn_special);
  return false;
}

/* Truncation: the mass of what is left must be known, or not depend on a latent. */
static bool bounds_fit(const meeting *m) {
  ctx *c = m->c;
  const span at = m->at;
  const ty_info *t = m->t;
  const ast_type *type = m->type;
  const drawn *d = m->d;
  const char *name = d->dist->name;
  const ast_expr *lo = drawn_bound(c, d, d->event.lo), *hi = drawn_bound(c, d, d->event.hi);
  bool cut_lo = cuts(t->lo, lo, true), cut_hi = t->count == IR_SIZE_NONE && cuts(t->hi, hi, false);
  double a, b;
  if ((cut_lo || cut_hi) && ((t->lo && hi && const_of_expr(t->lo, &a) && const_of_expr(hi, &b) && a >= b) ||
                             (t->hi && lo && const_of_expr(t->hi, &a) && const_of_expr(lo, &b) && a <= b))) {
    diag *g = cx_error(c, "E0605", at, "`%s` draws nothing within these bounds", name);
    if (type) cx_point(c, g, type->at, "declared here");
    return false;
  }
  if ((cut_lo || cut_hi) && d->event.rank > 0) {
    diag *g = cx_error(c, "E0605", at, "these bounds cut the vectors that `%s` draws", name);
    if (type) cx_point(c, g, type->at, "declared here");
    cx_help(c, g, "draw it from `Flat()` and add the density with `factor logpdf(%s(...), x)`, which has no normaliser", name);
    return false;
  }
  bool latent = d->stochastic || (cut_lo && depends_on_latent(t->lo)) || (cut_hi && depends_on_latent(t->hi));
  if ((cut_lo || cut_hi) && latent && !d->parts->cdf) {
    diag *g = cx_error(c, "E0605", at, "the bounds cut `%s`, and what is left of it depends on a latent", name);
    if (type) cx_point(c, g, type->at, "these bounds");
    cx_point(c, g, m->dist->at, "`%s` has no `cdf` to normalise with", name);
    cx_help(c, g, "draw it from `Flat()` and add the density with `factor logpdf(%s(...), x)`, which has no normaliser", name);
    return false;
  }
  if (t->support == IR_SUP_ORDERED && d->event.rank == 0 && d->batch.rank > 0 && d->stochastic) {
    diag *g = cx_error(c, "E0605", at, "the order conditions elements that differ, and how much is left depends on a latent");
    if (type) cx_point(c, g, type->at, "declared here");
    cx_help(c, g, "draw it from `Flat()` and add the densities with `factor`");
    return false;
  }
  return true;
}

bool check_support(ctx *c, span at, const ty_info *t, const ast_type *type, const drawn *d, const ast_expr *dist, bool observed) {
  const meeting m = {c, at, t, type, d, dist};
  if (ty_is_error(t)) return false;
  if (d->flat) return observed || flat_fits(&m);
  if (!kind_fits(&m, observed)) return false;
  if (observed) return true;
  if (!structure_fits(&m)) return false;
  return (support_text(t) && t->support != IR_SUP_ORDERED) || bounds_fit(&m);
}
