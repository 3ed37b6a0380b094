/* until.c: conditions that end a run (until.h). */
#include "compiler/until.h"

#include <string.h>

static const struct {
  const char *name;
  double above, below;
  const char *limits;
} known[] = {[UNTIL_ESS] = {"ess", 0, 1e12, "the argument of `ess` is the number of effective draws that are wanted, larger than 0"},
             [UNTIL_RHAT] = {"rhat", 1, 10, "the argument of `rhat` is the largest R-hat that is allowed, between 1 and 10"},
             [UNTIL_MCSE] = {"mcse", 0, 1, "the argument of `mcse` is a part of the standard deviation, between 0 and 1"}};

static bool wrong(diag_list *l, span at, const char *message, const char *help) {
  diag *d = diag_add(l, DIAG_ERROR, "E0810", at, "%s", message);
  diag_help(l, d, "%s", help);
  return false;
}

static bool number(const ast_expr *e, double *x) {
  if (e->kind == EXPR_INT) *x = (double)e->integer.value;
  else if (e->kind == EXPR_REAL) *x = e->real.value;
  else return false;
  return true;
}

static bool add(diag_list *l, const ast_expr *e, until_op op, double x, until *out) {
  if (out->n == UNTIL_MOST) return wrong(l, e->at, "these are too many conditions", "`ess` of a number is stricter than `ess` of a smaller one");
  out->step[out->n].op = op;
  out->step[out->n++].x = x;
  return true;
}

static bool condition(diag_list *l, const ast_expr *e, until *out) {
  static const char form[] = "such as `until ess(400)`, `until rhat(1.01) and ess(400)` or `until mcse(0.02)`";
  const char *name = e->kind == EXPR_CALL ? e->call.fn.name : e->kind == EXPR_NAME ? e->name.name : "";
  int k = UNTIL_ESS;
  while (k <= UNTIL_MCSE && strcmp(known[k].name, name) != 0) k++;
  if (k > UNTIL_MCSE) return wrong(l, e->at, "`until` of an inference statement asks for `ess`, `rhat` or `mcse`", form);
  double x = 0;
  if (e->kind != EXPR_CALL || e->call.args.n != 1 || e->call.args.items[0].name.name || !number(e->call.args.items[0].value, &x))
    return wrong(l, e->at, arena_printf(l->a, "`%s` takes one number", name), form);
  if (!(x > known[k].above && x < known[k].below)) return wrong(l, e->call.args.items[0].value->at, known[k].limits, form);
  return add(l, e, (until_op)k, x, out);
}

static bool read(diag_list *l, const ast_expr *e, until *out) {
  if (e->kind == EXPR_ERROR) return false;
  if (e->kind != EXPR_BINARY || (e->binary.op != OP_AND && e->binary.op != OP_OR)) return condition(l, e, out);
  return read(l, e->binary.lhs, out) && read(l, e->binary.rhs, out) && add(l, e, e->binary.op == OP_AND ? UNTIL_AND : UNTIL_OR, 0, out);
}

bool until_read(diag_list *l, const ast_expr *e, until *out) {
  *out = (until){0};
  return !e || read(l, e, out);
}

const char *until_text(const until *u, arena *a) {
  const char *text[UNTIL_MOST + 1] = {""};
  bool loose[UNTIL_MOST] = {false}; /* is an `or`, which binds less than `and` */
  size_t n = 0;
  for (size_t k = 0; k < u->n; k++) {
    const until_op op = u->step[k].op;
    if (op <= UNTIL_MCSE) {
      loose[n] = false;
      text[n++] = arena_printf(a, "%s(%g)", known[op].name, u->step[k].x);
      continue;
    }
    const bool and = op == UNTIL_AND;
    for (size_t i = n - 2; i < n && and; i++)
      if (loose[i]) text[i] = arena_printf(a, "(%s)", text[i]);
    n--;
    text[n - 1] = arena_printf(a, "%s %s %s", text[n - 1], and ? "and" : "or", text[n]);
    loose[n - 1] = !and;
  }
  return text[0];
}
