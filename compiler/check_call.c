/* check_call.c: calls of functions written in AIM.
 *
 * Parameters are generic in sizes: a call solves the sizes in the parameters' types from the arguments' extents and substitutes
 * them in the result's.  A function from scalars to a scalar is applied element by element when an argument is an array. */
#include "compiler/check_state.h"

#include <string.h>

void call_record(ctx *c, const ast_expr *e, symbol *callee, ast_expr **args, size_t n, bool lifted, const size_solution *sizes) {
  check_call *r = ARENA_NEW(c->a, check_call);
  *r = (check_call){callee, args, n, lifted, NULL, NULL, 0};
  if (sizes) {
    r->size_from = sizes->from;
    r->size_to = sizes->to;
    r->nsizes = sizes->n;
  }
  ptr_map_put(&c->st->calls, e, r);
}

static void point_declared(ctx *c, diag *d, const symbol *s) {
  if (s->at.file && !sym_of((symbol *)s)->library) cx_point(c, d, s->at, "`%s` is declared here", s->name);
}

/* "`Normal(mu, sigma)`" */
static const char *call_form(ctx *c, const symbol *callee, const signature *sig) {
  strbuf b;
  strbuf_init(&b, c->a);
  strbuf_printf(&b, "`%s(", callee->name);
  for (size_t i = 0; i < sig->n; i++) strbuf_printf(&b, "%s%s", i ? ", " : "", sig->params[i]->name);
  strbuf_puts(&b, ")`");
  return b.s;
}

bool match_args(ctx *c, const ast_expr *call, symbol *callee, const signature *sig, ast_expr ***out) {
  const ast_args *given = &call->call.args;
  ast_expr **args = ARENA_ARRAY(c->a, ast_expr *, sig->n);
  bool ok = true, named = false;
  for (size_t i = 0; i < given->n; i++) {
    const ast_arg *a = &given->items[i];
    size_t k = i;
    if (a->name.name) {
      named = true;
      for (k = 0; k < sig->n && sig->params[k]->name != a->name.name; k++) {}
      if (k == sig->n) {
        diag *d = cx_error(c, "E0411", a->name.at, "`%s` has no parameter called `%s`", callee->name, a->name.name);
        const char **words = ARENA_ARRAY(c->a, const char *, sig->n);
        for (size_t j = 0; j < sig->n; j++) words[j] = sig->params[j]->name;
        const char *other = sym_of(callee)->library ? habit_parameter(callee->name, a->name.name) : NULL;
        const char *near = other ? NULL : nearest_of(a->name.name, words, sig->n);
        if (other) cx_help(c, d, "%s", other);
        else if (near) cx_help(c, d, "did you mean `%s`?", near);
        else cx_help(c, d, "it is %s", call_form(c, callee, sig));
        ok = false;
        continue;
      }
    } else if (named) {
      diag *d = cx_error(c, "E0414", a->at, "an argument without a name follows one with a name");
      cx_help(c, d, "name it too");
      ok = false;
      continue;
    } else if (i >= sig->n) {
      diag *d = cx_error(c, "E0413", a->at, "`%s` takes %zu argument%s, not %zu", callee->name, sig->n, sig->n == 1 ? "" : "s", given->n);
      cx_help(c, d, "it is %s", call_form(c, callee, sig));
      point_declared(c, d, callee);
      return false;
    }
    if (args[k]) {
      diag *d = cx_error(c, "E0414", a->at, "`%s` is given twice", sig->params[k]->name);
      cx_point(c, d, args[k]->at, "first here");
      ok = false;
      continue;
    }
    args[k] = a->value;
  }
  for (size_t k = 0; k < sig->n && ok; k++) {
    if (args[k]) continue;
    const ast_param *p = sig->params[k]->param;
    if (p && p->default_) {
      args[k] = p->default_;
      continue;
    }
    diag *d = cx_error(c, "E0412", call->at, "`%s` needs its argument `%s`", callee->name, sig->params[k]->name);
    cx_help(c, d, "it is %s", call_form(c, callee, sig));
    point_declared(c, d, callee);
    ok = false;
  }
  *out = args;
  return ok;
}

/* --- sizes */

/* s in the caller's sizes.  What is not solved yet keeps its name, or gets one that no caller can have (apart), so that it
 * is not taken for a size of the caller that happens to have the same name. */
static ir_size known(check_state *st, ir_size s, const size_solution *sol, bool apart) {
  size_table *t = st->p->sizes;
  ir_size *from = ARENA_ARRAY(st->p->mem, ir_size, sol->n), *to = ARENA_ARRAY(st->p->mem, ir_size, sol->n);
  size_t n = 0;
  for (size_t k = 0; k < sol->n; k++) {
    if (sol->to[k] == IR_SIZE_NONE && !apart) continue;
    from[n] = sol->from[k];
    to[n++] = sol->to[k] != IR_SIZE_NONE ? sol->to[k] : size_symbol(t, arena_printf(st->p->mem, "unsolved %zu", k));
  }
  return n ? size_substitute(t, s, n, from, to) : s;
}

ty_info *ty_substitute(check_state *st, const ty_info *t, const size_solution *sol) {
  ty_info *out = ARENA_NEW(st->p->mem, ty_info);
  *out = *t;
  for (unsigned k = 0; k < t->rank; k++) out->dim[k] = known(st, t->dim[k], sol, false);
  if (t->count != IR_SIZE_NONE) out->count = known(st, t->count, sol, false);
  return out;
}

static ir_size with(check_state *st, ir_size s, ir_size symbol, int64_t n) {
  ir_size to = size_const(st->p->sizes, n);
  return size_substitute(st->p->sizes, s, 1, &symbol, &to);
}

/* Solves pattern == actual for the one unknown in pattern, if it is linear in it. */
static void solve(check_state *st, ir_size pattern, ir_size actual, size_solution *sol) {
  size_table *t = st->p->sizes;
  size_t unknown = sol->n;
  for (size_t k = 0; k < sol->n; k++) {
    if (sol->to[k] != IR_SIZE_NONE) continue;
    if (with(st, pattern, sol->from[k], 0) == pattern && with(st, pattern, sol->from[k], 1) == pattern) continue;
    if (unknown < sol->n) return;
    unknown = k;
  }
  if (unknown == sol->n) return;
  pattern = known(st, pattern, sol, true);
  ir_size u = size_symbol(t, arena_printf(st->p->mem, "unsolved %zu", unknown));
  if (pattern == u) {
    sol->to[unknown] = actual;
    return;
  }
  ir_size zero = with(st, pattern, u, 0), one = with(st, pattern, u, 1), two = with(st, pattern, u, 2);
  int64_t slope, again;
  if (!size_difference(st, one, zero, &slope) || !size_difference(st, two, one, &again) || slope != again || slope == 0) return;
  ir_size rest = size_sub(t, actual, zero), q;
  if (slope == 1) q = rest;
  else if (slope == -1) q = size_sub(t, size_const(t, 0), rest);
  else {
    ir_size n = size_const(t, slope < 0 ? -slope : slope);
    if (slope < 0) rest = size_sub(t, size_const(t, 0), rest);
    q = size_div(t, rest, n);
    if (size_mul(t, q, n) != rest) return;
  }
  sol->to[unknown] = q;
}

bool size_solution_whole(const size_solution *sol) {
  bool whole = true;
  for (size_t k = 0; k < sol->n; k++) whole = whole && sol->to[k] != IR_SIZE_NONE;
  return whole;
}

void solve_event(check_state *st, const ty_info *event, const ty_info *actual, size_solution *sol) {
  for (unsigned k = 0; k < event->rank && event->rank <= actual->rank; k++)
    solve(st, event->dim[k], actual->dim[actual->rank - event->rank + k], sol);
}

static const char *kind_word(ty_kind k) { return k == TY_REAL ? "real" : k == TY_INT ? "int" : "bool"; }

static void wrong_argument(ctx *c, const ast_expr *arg, symbol *callee, const signature *sig, const symbol *param, const size_solution *sol) {
  const ty_info *t = ty_of(arg);
  diag *d = cx_error(c, "E0511", arg->at, "argument `%s` of `%s` must be %s, not %s", param->name, callee->name,
                     ty_print(c->p, ty_substitute(c->st, param->type, sol)), ty_print(c->p, t));
  point_shape(c, d, arg);
  if (param->at.file && !sym_of(callee)->library) cx_point(c, d, param->at, "declared here");
  if (param->type->kind == TY_BOOL && t->kind == TY_INT) cx_help(c, d, "compare it: `... != 0`");
  /* An unknown real is never whole: another argument was meant here. */
  const bool drawn = arg->kind == EXPR_NAME && arg->name.sym && arg->name.sym->kind == SYM_LATENT;
  if (param->type->kind == TY_INT && t->kind == TY_REAL && drawn && sig->n > 1) cx_help(c, d, "it is %s, in this order", call_form(c, callee, sig));
  else if (param->type->kind == TY_INT && t->kind == TY_REAL) cx_help(c, d, "`int(x)` converts a real that is whole");
  if (param->type->rank == 2 && t->rank == 1 && t->kind == TY_REAL)
    cx_help(c, d, "a diagonal matrix is `diag(v)`, `diag(s^2)` of standard deviations s; independent elements are drawn by `Normal(mu, s)`");
  if (param->type->rank == 2 && t->rank == 0) cx_help(c, d, "a diagonal matrix is `diag(rep(x, K))`; independent elements are drawn by `x: real[K] ~ Normal(mu, sigma)`");
  if (param->type->rank == 1 && t->rank == 2 && callee->kind == SYM_FN && sig->n == 1) cx_help(c, d, "row by row it is `[%s(%s[i]) for i in 1..%s]`", callee->name, arg->kind == EXPR_NAME ? arg->name.name : "X", size_text(c->st, t->dim[0]));
  if (param->type->rank == 1 && t->rank == 0) cx_help(c, d, "`rep(x, K)` is a vector of K copies");
}

bool unify_args(ctx *c, const ast_expr *call, symbol *callee, const signature *sig, ast_expr **args, ty_info *batch,
                size_solution *sol) {
  check_state *st = c->st;
  size_t cap = sig->nsizes + sig->n;
  *sol = (size_solution){ARENA_ARRAY(c->a, ir_size, cap), ARENA_ARRAY(c->a, ir_size, cap), 0};
  for (size_t k = 0; k < sig->nsizes; k++) sol->from[sol->n++] = sig->sizes[k]->size;
  bool ok = true;
  ty_info none = {0};
  ty_info *lead = batch ? batch : &none;
  *lead = none;
  /* First what is plain: integers that are extents, and single symbols. */
  for (size_t i = 0; i < sig->n; i++) {
    const symbol *p = sig->params[i];
    const ty_info *t = ty_of(args[i]);
    if (!t || ty_is_error(t) || !p->type || ty_is_error(p->type)) return false;
    if (!value_expected(c, args[i], t, "an argument")) return false;
    ty_kind want = p->type->kind;
    if ((want == TY_BOOL && t->kind != TY_BOOL) || (want == TY_INT && t->kind == TY_REAL)) {
      if (ty_join(want, t->kind) == TY_REAL && p->type->rank == 0 && t->rank > 0) {
        diag *d = cx_error(c, "E0511", args[i]->at, "argument `%s` of `%s` must be %s, not real", p->name, callee->name, kind_word(want));
        point_shape(c, d, args[i]);
      } else wrong_argument(c, args[i], callee, sig, p, sol);
      ok = false;
      continue;
    }
    if (p->size != IR_SIZE_NONE && sym_of((symbol *)p)->extent) {
      ir_size s = t->rank == 0 ? size_of_expr(c, args[i]) : IR_SIZE_NONE;
      if (s == IR_SIZE_NONE) {
        diag *d = cx_error(c, "E0510", args[i]->at, "argument `%s` of `%s` is an extent, which must be known before the run", p->name,
                           callee->name);
        cx_help(c, d, "extents are made of sizes and literals by `+ - * // %%`");
        ok = false;
      }
      sol->from[sol->n] = p->size;
      sol->to[sol->n++] = s;
    }
    if (t->rank < p->type->rank) continue;
    const char *name;
    for (unsigned k = 0; k < p->type->rank; k++)
      if (size_is_symbol(st->p->sizes, p->type->dim[k], &name))
        solve(st, p->type->dim[k], t->dim[t->rank - p->type->rank + k], sol);
  }
  if (!ok) return false;
  for (size_t i = 0; i < sig->n; i++) {
    const symbol *p = sig->params[i];
    const ty_info *t = ty_of(args[i]);
    if (t->rank < p->type->rank) {
      wrong_argument(c, args[i], callee, sig, p, sol);
      ok = false;
      continue;
    }
    unsigned front = t->rank - p->type->rank;
    bool fits = batch != NULL || front == 0;
    for (unsigned k = 0; k < p->type->rank && fits; k++) {
      solve(st, p->type->dim[k], t->dim[front + k], sol);
      fits = known(st, p->type->dim[k], sol, true) == t->dim[front + k];
    }
    if (!fits) {
      wrong_argument(c, args[i], callee, sig, p, sol);
      ok = false;
      continue;
    }
    ty_info mine = {.rank = (uint8_t)front}, both = {0};
    for (unsigned k = 0; k < front; k++) mine.dim[k] = t->dim[k];
    if (!shape_broadcast(lead, &mine, &both)) {
      diag *d = cx_error(c, "E0502", call->at, "the arguments of `%s` do not go together", callee->name);
      for (size_t j = 0; j <= i; j++)
        if (ty_of(args[j])->rank > sig->params[j]->type->rank)
          cx_point(c, d, args[j]->at, "`%s` is %s", sig->params[j]->name, ty_print(c->p, ty_of(args[j])));
      for (size_t j = 0; j <= i; j++)
        if (ty_of(args[j])->rank > sig->params[j]->type->rank) point_shape(c, d, args[j]);
      ok = false;
      continue;
    }
    *lead = both;
    double x, bound;
    if (const_of_expr(args[i], &x)) {
      bool low = p->type->lo && const_of_expr(p->type->lo, &bound) && x < bound;
      bool high = !low && p->type->hi && p->type->count == IR_SIZE_NONE && const_of_expr(p->type->hi, &bound) && x > bound;
      if (low || high) {
        diag *d = cx_error(c, "E0618", args[i]->at, "`%s` of `%s` must be at %s %g", p->name, callee->name, low ? "least" : "most", bound);
        cx_say(c, d, "this is %g", x);
        ok = false;
      }
    }
  }
  for (size_t k = 0; k < sol->n && ok && callee->kind != SYM_DIST; k++)
    if (sol->to[k] == IR_SIZE_NONE) {
      cx_error(c, "E0511", call->at, "the size `%s` of `%s` does not follow from the arguments", size_text(st, sol->from[k]), callee->name);
      ok = false;
    }
  return ok;
}

/* --- calls */

static const char *const future[] = {"geometric", "linear", "hold"};

static bool check_args(ctx *c, ast_expr *e) {
  bool ok = true;
  for (size_t i = 0; i < e->call.args.n; i++)
    if (ty_is_error(check_expr(c, e->call.args.items[i].value))) ok = false;
  return ok;
}

static const ty_info *check_fn_call(ctx *c, ast_expr *e, symbol *fn) {
  const signature *sig = signature_of(c->st, fn);
  callee_used(c, fn, e->at);
  bool ok = check_args(c, e);
  ast_expr **args;
  if (!sig || !match_args(c, e, fn, sig, &args) || !ok) return check_error(c, e);
  ty_info batch;
  size_solution sol;
  if (!unify_args(c, e, fn, sig, args, sig->lifts ? &batch : NULL, &sol)) return check_error(c, e);
  bool lifted = sig->lifts && batch.rank > 0;
  call_record(c, e, fn, args, sig->n, lifted, &sol);
  const ty_info *r = sig->result;
  if (!r || ty_is_error(r)) return check_error(c, e);
  if (lifted) return set_type(e, ty_new(c->st, r->kind, batch.rank, batch.dim));
  const ty_info *s = ty_substitute(c->st, r, &sol);
  return set_type(e, ty_as(c->st, s, s->kind));
}

const ty_info *check_call_expr(ctx *c, ast_expr *e) {
  const char *name = e->call.fn.name;
  if (!name[0]) {
    check_args(c, e);
    return check_error(c, e);
  }
  if (e->call.of) {
    const ty_info *t = check_expr(c, e->call.of);
    check_args(c, e);
    if (!ty_is_error(t)) {
      diag *d = cx_error(c, "E0508", e->at, "%s has no members that are called", ty_print(c->p, t));
      if (callable_find(c, name)) cx_help(c, d, "write `%s(...)`, with the value as an argument", name);
      else cx_help(c, d, "only a parameter `d: dist` of a distribution has: `d.logpdf(x)`");
    }
    return check_error(c, e);
  }
  symbol *s = callee_find(c, &e->call.fn);
  if (!s) {
    bool later = false;
    for (size_t i = 0; i < sizeof future / sizeof future[0]; i++) later |= strcmp(future[i], name) == 0;
    if (later && !ptr_map_get(&c->names, name)) {
      cx_error(c, "E0690", e->call.fn.at, "`%s` is not available yet", name);
    } else {
      for (size_t i = 0; i < e->call.args.n; i++) {
        ast_expr *x = e->call.args.items[i].value;
        /* Functions are values to some functions of other languages. */
        if (x->kind != EXPR_NAME || value_find(c, x->name.name) || !callable_find(c, x->name.name)) check_expr(c, x);
      }
      unknown_callable(c, name, e->call.fn.at, "a function");
    }
    return check_error(c, e);
  }
  e->call.fn.sym = s;
  switch ((sym_kind)s->kind) {
  case SYM_FN: return check_fn_call(c, e, s);
  case SYM_BUILTIN: return check_builtin(c, e, s);
  case SYM_DIST: {
    diag *d = cx_error(c, "E0612", e->at, "a distribution is not a value");
    cx_say(c, d, "`%s` stands right of `~`, or in `logpdf(%s(...), x)`", name, name);
    if (c->floor_left == e) cx_help(c, d, "a comment starts with `#`; `//` divides and rounds down");
    else cx_help(c, d, "to draw from it, give the draw a name: `x ~ %s(...)`", name);
    return check_error(c, e);
  }
  default: {
    check_args(c, e);
    diag *d = cx_error(c, "E0405", e->call.fn.at, "`%s` is %s, not a function", name, sym_noun(s));
    cx_point(c, d, s->at, "declared here");
    return check_error(c, e);
  }
  }
}
