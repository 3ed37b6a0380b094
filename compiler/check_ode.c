/* check_ode.c: calls of `ode(f, u0, t0, ts, parameters of f ..., rtol =, atol =, max_steps =, solver =)`.
 *
 * f(t, u, parameters) is called as it would be at the start, f(t0, u0, parameters ...): that call is made and checked like any other, and is
 * the first of the recorded arguments.  What it gives must be of u0's type. */
#include "compiler/check_state.h"

#include <string.h>

static const char form[] = "ode(f, u0, t0, ts, parameters of f ..., rtol = 1e-6, atol = 1e-9, max_steps = 10000)";

typedef struct ode_call {
  const ast_arg *plain[4]; /* f, u0, t0, ts */
  ast_expr *option[3];     /* rtol, atol, max_steps; NULL: not given */
  bool stiff;
  ast_args rest;           /* of f, behind t and u */
} ode_call;

static bool wrong(ctx *c, const ast_expr *x, const char *what) {
  diag *d = cx_error(c, "E0511", x->at, "`ode` needs %s here, not %s", what, ty_print(c->p, ty_of(x)));
  point_shape(c, d, x);
  cx_help(c, d, "it is `%s`", form);
  return false;
}

/* `bdf` is what others call their method for stiff systems. */
static bool take_solver(ctx *c, const ast_arg *a, ode_call *o) {
  const char *name = a->value->kind == EXPR_NAME ? a->value->name.name : "";
  o->stiff = strcmp(name, "stiff") == 0 || strcmp(name, "bdf") == 0;
  if (o->stiff || strcmp(name, "dopri5") == 0) return true;
  diag *d = cx_error(c, "E0411", a->value->at, "`ode` has no such solver");
  cx_help(c, d, "it is `dopri5`, or `stiff` for stiff systems");
  return false;
}

/* Sorts the arguments; false after a report. */
static bool sort_arguments(ctx *c, const ast_expr *e, ode_call *o) {
  static const char *const options[] = {"rtol", "atol", "max_steps"};
  size_t n = 0;
  bool ok = true;
  for (size_t i = 0; i < e->call.args.n; i++) {
    const ast_arg *a = &e->call.args.items[i];
    size_t k = 0;
    while (k < 3 && a->name.name && strcmp(a->name.name, options[k]) != 0) k++;
    if (!a->name.name && n < 4) {
      o->plain[n++] = a;
    } else if (a->name.name && k < 3 && o->option[k]) {
      cx_error(c, "E0414", a->at, "`%s` is given twice", options[k]);
      ok = false;
    } else if (a->name.name && k < 3) {
      o->option[k] = a->value;
    } else if (a->name.name && strcmp(a->name.name, "solver") == 0) {
      ok &= take_solver(c, a, o);
    } else {
      ARENA_PUSH(c->a, o->rest.items, o->rest.n, o->rest.cap, *a);
    }
  }
  if (n == 4) return ok;
  diag *d = cx_error(c, "E0412", e->at, "`ode` needs a function, the state at the start, its time, and the times of the results");
  cx_help(c, d, "it is `%s`", form);
  return false;
}

/* f(t0, u0, ...), checked; NULL after a report. */
static ast_expr *first_call(ctx *c, const ast_expr *e, const ode_call *o) {
  const ast_expr *f = o->plain[0]->value;
  symbol *s = f->kind == EXPR_NAME ? callable_find(c, f->name.name) : NULL;
  if (!s || s->kind != SYM_FN) {
    diag *d = cx_error(c, "E0405", f->at, "`ode` needs the name of a function here");
    cx_help(c, d, "declare it: `fn f(t: real, u: real[D], ...): real[D] = ...`, the derivative of the state u at the time t");
    return NULL;
  }
  const ast_decl *decl = s->decl;
  if (decl && decl->params.n && decl->params.items[0].type && decl->params.items[0].type->dims.n) {
    diag *d = cx_error(c, "E0511", f->at, "`ode` calls `%s` with the time first, and its first parameter is a vector", s->name);
    cx_point(c, d, s->at, "declared here");
    cx_help(c, d, "declare it `fn %s(t: real, u: real[D], ...): real[D]`, also where the derivative does not depend on the time", s->name);
    return NULL;
  }
  ast_expr *call = ARENA_NEW(c->a, ast_expr);
  *call = (ast_expr){.kind = EXPR_CALL, .id = f->id, .at = e->at, .depth = e->depth};
  call->call.fn = f->name;
  ast_arg t = {.value = o->plain[2]->value, .at = o->plain[2]->at}, u = {.value = o->plain[1]->value, .at = o->plain[1]->at};
  ast_args *args = &call->call.args;
  ARENA_PUSH(c->a, args->items, args->n, args->cap, t);
  ARENA_PUSH(c->a, args->items, args->n, args->cap, u);
  for (size_t i = 0; i < o->rest.n; i++) ARENA_PUSH(c->a, args->items, args->n, args->cap, o->rest.items[i]);
  const ty_info *r = check_expr(c, call);
  if (ty_is_error(r)) return NULL;
  const ty_info *state = ty_of(u.value);
  if (state->rank != 1) return wrong(c, u.value, "the state as a vector"), NULL;
  if (ty_of(t.value)->rank != 0) return wrong(c, t.value, "one time"), NULL;
  if (r->rank == 1 && r->dim[0] == state->dim[0]) return call;
  diag *d = cx_error(c, "E0511", f->at, "`%s` gives %s, which is no derivative of the state, %s", s->name, ty_print(c->p, r), ty_print(c->p, state));
  cx_point(c, d, s->at, "declared here");
  cx_help(c, d, "it should be `fn %s(t: real, u: real[D], ...): real[D]`", s->name);
  return NULL;
}

const ty_info *check_ode(ctx *c, ast_expr *e, symbol *callee) {
  ode_call o = {0};
  if (!sort_arguments(c, e, &o)) return check_error(c, e);
  ast_expr *call = first_call(c, e, &o), *ts = o.plain[3]->value;
  bool ok = call != NULL;
  const ty_info *times = check_expr(c, ts);
  if (ty_is_error(times) || !value_expected(c, ts, times, "an argument")) ok = false;
  else if (times->rank != 1) ok = wrong(c, ts, "the times as a vector");
  for (int k = 0; k < 3; k++) {
    if (!o.option[k]) continue;
    const ty_info *t = check_expr(c, o.option[k]);
    double x;
    if (ty_is_error(t) || !value_expected(c, o.option[k], t, "an argument")) ok = false;
    else if (t->rank != 0) ok = wrong(c, o.option[k], "one number");
    else if (const_of_expr(o.option[k], &x) && !(x > 0)) {
      cx_error(c, "E0618", o.option[k]->at, "`%s` of `ode` must be above 0", k == 0 ? "rtol" : k == 1 ? "atol" : "max_steps");
      ok = false;
    } else if (k == 2 && size_of_expr(c, o.option[k]) == IR_SIZE_NONE) {
      diag *d = cx_error(c, "E0510", o.option[k]->at, "`max_steps` of `ode` must be known before the run");
      cx_help(c, d, "it is made of sizes and whole numbers by `+ - * // %%`");
      ok = false;
    }
  }
  if (!ok) return check_error(c, e);
  ast_expr **args = ARENA_ARRAY(c->a, ast_expr *, 8);
  const ast_expr *const all[7] = {call, o.plain[1]->value, o.plain[2]->value, ts, o.option[0], o.option[1], o.option[2]};
  for (int k = 0; k < 7; k++) args[k] = (ast_expr *)all[k];
  args[7] = o.stiff ? args[0] : NULL; /* whether the method is the implicit one */
  call_record(c, e, callee, args, 8, false, NULL);
  ir_size dim[2] = {times->dim[0], ty_of(args[1])->dim[0]};
  return set_type(e, ty_new(c->st, TY_REAL, 2, dim));
}
