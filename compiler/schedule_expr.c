/* schedule_expr.c: numbers and conditions of schedules. */
#include "compiler/schedule_internal.h"

#include "compiler/check_state.h"

#include <string.h>

static const sched_value bad = {SCHED_BAD, 0, 0};

bool sched_literal(const ast_expr *e, int64_t *n) {
  bool minus = e->kind == EXPR_UNARY && e->unary.op == OP_NEG;
  if (minus) e = e->unary.arg;
  if (e->kind != EXPR_INT) return false;
  *n = minus ? -e->integer.value : e->integer.value;
  return true;
}

static sched_value number(sched_ctx *c, sched_type t, double x, span at) { return (sched_value){t, sched_number(c, x, at), 1}; }

/* A size or a scalar of the model, in a register of its own that the driver fills. */
static sched_value input(sched_ctx *c, const symbol *s) {
  sched_type t = !s->type || s->size ? SCHED_INT : s->type->kind == TY_REAL ? SCHED_REAL : s->type->kind == TY_BOOL ? SCHED_BOOL : SCHED_INT;
  for (size_t k = 0; k < c->out->ninputs; k++)
    if (c->out->input[k].sym == s) return (sched_value){t, c->out->input[k].reg, 1};
  schedule_input x = {s, sched_reg(c)};
  ARENA_PUSH(c->a, c->out->input, c->out->ninputs, c->out->cap_inputs, x);
  return (sched_value){t, x.reg, 1};
}

static const symbol *of_model(const check_model *m, const char *name) {
  for (size_t k = 0; m && k < m->nsize_syms; k++)
    if (m->size_syms[k]->name == name) return m->size_syms[k];
  for (size_t k = 0; m && k < m->ndata; k++)
    if (m->data[k]->name == name && m->data[k]->type && m->data[k]->type->rank == 0) return m->data[k];
  return NULL;
}

static sched_value name(sched_ctx *c, const ast_expr *e) {
  static const char *const fixed[] = {"beta", "energy", "best", "acceptance", "ess"};
  if (name_missing(&e->name)) return bad;
  const char *n = e->name.name;
  sched_name *x = sched_find(c, n);
  if (x && !(x->v.type == SCHED_RAMP && strcmp(n, "beta") == 0)) return x->v;
  const symbol *s = c->outside && !x ? of_model(c->model, n) : NULL;
  if (s) return input(c, s);
  for (uint32_t k = 0; k < SCHEDULE_FIXED; k++)
    if (strcmp(fixed[k], n) == 0) {
      if (k != SCHEDULE_BETA) c->out->feedback = true;
      if (k == SCHEDULE_ESS) c->out->weighs = true;
      return (sched_value){SCHED_REAL, k, 1};
    }
  diag *d = sched_error(c, "E0843", e->at, "`%s` is not known in a schedule", n);
  const char *words[64];
  size_t count = 0;
  for (; count < SCHEDULE_FIXED; count++) words[count] = fixed[count];
  for (sched_name *k = c->env; k && count < 60; k = k->outer) words[count++] = k->name;
  for (size_t k = 0; c->outside && c->model && k < c->model->nsize_syms && count < 64; k++) words[count++] = c->model->size_syms[k]->name;
  const char *near = diag_nearest(n, words, count);
  if (near) diag_help(c->p->diags, d, "did you mean `%s`?", near);
  else if (c->outside) diag_help(c->p->diags, d, "a statement may read sizes and single numbers of its model's data");
  else diag_help(c->p->diags, d, "a schedule reads its parameters, beta, energy, best, acceptance and ess");
  return bad;
}

static sched_value field(sched_ctx *c, const ast_expr *e) {
  const ast_expr *base = e->field.base;
  sched_name *x = base->kind == EXPR_NAME ? sched_find(c, base->name.name) : NULL;
  bool from = strcmp(e->field.field.name, "from") == 0, to = strcmp(e->field.field.name, "to") == 0;
  if (x && x->v.type == SCHED_BAD) return bad;
  if (x && x->v.type == SCHED_RAMP && (from || to)) return (sched_value){SCHED_REAL, x->v.reg + to, 1};
  diag *d = sched_error(c, "E0843", e->at, "only a parameter of type `ramp` has parts");
  diag_help(c->p->diags, d, "they are `from` and `to`");
  return bad;
}

static sched_value element(sched_ctx *c, const ast_expr *e) {
  const ast_expr *base = e->index.base;
  sched_name *x = base->kind == EXPR_NAME ? sched_find(c, base->name.name) : NULL;
  if (!x || x->v.type != SCHED_ARRAY || e->index.subs.n != 1) {
    if (!x || x->v.type != SCHED_BAD) sched_error(c, "E0843", e->at, "only a parameter of type `real[K]` has elements");
    return bad;
  }
  sched_value i = sched_expr(c, e->index.subs.items[0]);
  if (i.type == SCHED_BAD) return bad;
  if (i.type != SCHED_INT) {
    sched_error(c, "E0842", e->at, "a subscript is an int");
    return bad;
  }
  uint32_t r = sched_reg(c);
  sched_emit(c, SCHED_ELEMENT, r, x->v.reg, i.reg, e->at)->n = x->v.n;
  return (sched_value){SCHED_REAL, r, 1};
}

/* A number; report otherwise. */
static bool is_number(sched_ctx *c, sched_value v, const ast_expr *e) {
  if (v.type == SCHED_BAD) return false;
  if (v.type == SCHED_INT || v.type == SCHED_REAL) return true;
  sched_error(c, "E0842", e->at, "a number is wanted here");
  return false;
}

static sched_value pair(sched_ctx *c, const ast_expr *e) {
  sched_value x = sched_expr(c, e->binary.lhs), y = sched_expr(c, e->binary.rhs);
  if (!is_number(c, x, e->binary.lhs) || !is_number(c, y, e->binary.rhs)) return bad;
  sched_value v = {SCHED_RAMP, c->out->registers, 2};
  c->out->registers += 2;
  sched_emit(c, SCHED_MOVE, v.reg, x.reg, 0, e->at);
  sched_emit(c, SCHED_MOVE, v.reg + 1, y.reg, 0, e->at);
  return v;
}

static sched_value binary(sched_ctx *c, const ast_expr *e) {
  ast_op op = e->binary.op;
  if (op == OP_ARROW) return pair(c, e);
  sched_value x = sched_expr(c, e->binary.lhs), y = sched_expr(c, e->binary.rhs);
  if (x.type == SCHED_BAD || y.type == SCHED_BAD) return bad;
  uint32_t r = sched_reg(c);
  if (op == OP_AND || op == OP_OR) {
    if (x.type != SCHED_BOOL || y.type != SCHED_BOOL) {
      sched_error(c, "E0842", e->at, "`%s` joins conditions", ast_op_text(op));
      return bad;
    }
    sched_emit(c, op == OP_AND ? SCHED_AND : SCHED_OR, r, x.reg, y.reg, e->at);
    return (sched_value){SCHED_BOOL, r, 1};
  }
  if (!is_number(c, x, e->binary.lhs) || !is_number(c, y, e->binary.rhs)) return bad;
  bool ints = x.type == SCHED_INT && y.type == SCHED_INT;
  sched_type t = ints ? SCHED_INT : SCHED_REAL;
  switch (op) {
  case OP_ADD: sched_emit(c, SCHED_ADD, r, x.reg, y.reg, e->at); break;
  case OP_SUB: sched_emit(c, SCHED_SUB, r, x.reg, y.reg, e->at); break;
  case OP_MUL: sched_emit(c, SCHED_MUL, r, x.reg, y.reg, e->at); break;
  case OP_DIV: sched_emit(c, SCHED_DIV, r, x.reg, y.reg, e->at), t = SCHED_REAL; break;
  case OP_POW: sched_emit(c, SCHED_POW, r, x.reg, y.reg, e->at), t = SCHED_REAL; break;
  case OP_FLOORDIV: case OP_MOD:
    if (!ints) {
      sched_error(c, "E0842", e->at, "`%s` divides ints", ast_op_text(op));
      return bad;
    }
    sched_emit(c, op == OP_MOD ? SCHED_MOD : SCHED_FLOORDIV, r, x.reg, y.reg, e->at);
    break;
  case OP_LT: sched_emit(c, SCHED_LT, r, x.reg, y.reg, e->at), t = SCHED_BOOL; break;
  case OP_GT: sched_emit(c, SCHED_LT, r, y.reg, x.reg, e->at), t = SCHED_BOOL; break;
  case OP_LE: sched_emit(c, SCHED_LE, r, x.reg, y.reg, e->at), t = SCHED_BOOL; break;
  case OP_GE: sched_emit(c, SCHED_LE, r, y.reg, x.reg, e->at), t = SCHED_BOOL; break;
  case OP_EQ: sched_emit(c, SCHED_EQ, r, x.reg, y.reg, e->at), t = SCHED_BOOL; break;
  case OP_NE:
    sched_emit(c, SCHED_EQ, r, x.reg, y.reg, e->at);
    sched_emit(c, SCHED_NOT, r, r, 0, e->at);
    t = SCHED_BOOL;
    break;
  default:
    sched_error(c, "E0842", e->at, "`%s` has no meaning for numbers of a schedule", ast_op_text(op));
    return bad;
  }
  return (sched_value){t, r, 1};
}

/* What stable() remembers belongs to its place and to the call that it is in. */
static uint32_t slot_of(sched_ctx *c, const ast_expr *e) {
  sched_name *owner = c->env;
  const void *key = owner ? (const void *)owner : (const void *)e;
  ptr_map *at = ptr_map_get(&c->slot, key);
  if (!at) {
    at = ARENA_NEW(c->a, ptr_map);
    ptr_map_init(at, c->a);
    ptr_map_put(&c->slot, key, at);
  }
  uintptr_t n = (uintptr_t)ptr_map_get(at, e);
  if (!n) {
    n = ++c->out->slots;
    ptr_map_put(at, e, (void *)n);
  }
  return (uint32_t)(n - 1);
}

typedef struct function {
  const char *name;
  const char *param[2]; /* names that arguments may have */
  double missing[2];    /* NAN: must be there */
  schedule_code code;
  int arity;
  sched_type type;
  bool keeps;           /* ints stay ints */
} function;

static const function functions[] = {
    {"exp", {"x"}, {__builtin_nan("")}, SCHED_EXP, 1, SCHED_REAL, false},
    {"log", {"x"}, {__builtin_nan("")}, SCHED_LOG, 1, SCHED_REAL, false},
    {"sqrt", {"x"}, {__builtin_nan("")}, SCHED_SQRT, 1, SCHED_REAL, false},
    {"abs", {"x"}, {__builtin_nan("")}, SCHED_ABS, 1, SCHED_REAL, true},
    {"floor", {"x"}, {__builtin_nan("")}, SCHED_FLOOR, 1, SCHED_REAL, true},
    {"min", {"x", "y"}, {__builtin_nan(""), __builtin_nan("")}, SCHED_MIN, 2, SCHED_REAL, true},
    {"max", {"x", "y"}, {__builtin_nan(""), __builtin_nan("")}, SCHED_MAX, 2, SCHED_REAL, true},
    {"stalled", {"sweeps"}, {__builtin_nan("")}, SCHED_STALLED, 1, SCHED_BOOL, false},
    {"stable", {"window", "tolerance"}, {20, 1e-9}, SCHED_STABLE, 2, SCHED_BOOL, false},
    {"next_beta", {"ess", "most"}, {__builtin_nan(""), __builtin_inf()}, SCHED_NEXT, 2, SCHED_REAL, false},
};
enum { NFUNCTIONS = sizeof functions / sizeof functions[0] };

static sched_value call(sched_ctx *c, const ast_expr *e) {
  const function *f = NULL;
  const char *words[NFUNCTIONS];
  for (size_t k = 0; k < NFUNCTIONS; k++) {
    words[k] = functions[k].name;
    if (strcmp(words[k], e->call.fn.name) == 0) f = &functions[k];
  }
  const symbol *own = f ? NULL : ptr_map_get(&c->p->state->user, e->call.fn.name);
  if (own && own->kind == SYM_FN) return sched_function(c, own->decl, &e->call.args, e->at);
  if (!f) {
    diag *d = sched_error(c, "E0843", e->at, "`%s` is not a function that schedules know", e->call.fn.name);
    const char *near = diag_nearest(e->call.fn.name, words, NFUNCTIONS);
    if (near) diag_help(c->p->diags, d, "did you mean `%s`?", near);
    else diag_help(c->p->diags, d, "they are exp, log, sqrt, abs, floor, min, max, stable, stalled and next_beta, and functions of yours that are one expression");
    return bad;
  }
  sched_value v[2];
  bool given[2] = {false, false}, fits = true, ints = f->keeps;
  int next = 0;
  for (size_t k = 0; k < e->call.args.n && fits; k++) {
    const ast_arg *a = &e->call.args.items[k];
    int at = next;
    if (a->name.name)
      for (at = 0; at < f->arity && strcmp(f->param[at], a->name.name) != 0;) at++;
    else next++;
    fits = at < f->arity && !given[at];
    if (!fits) break;
    given[at] = true;
    v[at] = sched_expr(c, a->value);
    if (!is_number(c, v[at], a->value)) return bad;
    ints = ints && v[at].type == SCHED_INT;
  }
  for (int k = 0; k < f->arity && fits; k++) {
    if (given[k]) continue;
    fits = f->missing[k] == f->missing[k];
    if (fits) v[k] = number(c, SCHED_REAL, f->missing[k], e->at);
  }
  if (!fits) {
    diag *d = sched_error(c, "E0841", e->at, "these arguments do not fit `%s`", f->name);
    diag_help(c->p->diags, d, f->arity == 2 ? "it is called as `%s(%s, %s)`" : "it is called as `%s(%s)`", f->name, f->param[0], f->param[1]);
    return bad;
  }
  uint32_t r = sched_reg(c);
  schedule_instr *i = sched_emit(c, f->code, r, v[0].reg, f->arity == 2 ? v[1].reg : 0, e->at);
  if (f->code == SCHED_STABLE) i->n = slot_of(c, e);
  if (f->code >= SCHED_STALLED) c->out->feedback = true;
  if (f->code == SCHED_NEXT) c->out->weighs = true;
  return (sched_value){ints ? SCHED_INT : f->type, r, 1};
}

static sched_value choice(sched_ctx *c, const ast_expr *e) {
  uint32_t cond = sched_condition(c, e->if_.cond), r = sched_reg(c);
  size_t no = c->out->n;
  sched_emit(c, SCHED_UNLESS, 0, cond, 0, e->at);
  sched_value x = sched_expr(c, e->if_.then);
  sched_emit(c, SCHED_MOVE, r, x.reg, 0, e->at);
  size_t over = c->out->n;
  sched_emit(c, SCHED_JUMP, 0, 0, 0, e->at);
  c->out->code[no].n = (uint32_t)c->out->n;
  sched_value y = sched_expr(c, e->if_.else_);
  sched_emit(c, SCHED_MOVE, r, y.reg, 0, e->at);
  c->out->code[over].n = (uint32_t)c->out->n;
  if (x.type == SCHED_BAD || y.type == SCHED_BAD) return bad;
  bool numbers = x.type <= SCHED_REAL && y.type <= SCHED_REAL;
  if (x.type > SCHED_BOOL || y.type > SCHED_BOOL || (x.type != y.type && !numbers)) {
    sched_error(c, "E0842", e->at, "both branches of an `if` are numbers, or both are conditions");
    return bad;
  }
  return (sched_value){x.type == y.type ? x.type : SCHED_REAL, r, 1};
}

static sched_value list(sched_ctx *c, const ast_expr *e) {
  size_t n = e->array.elems.n;
  sched_value v = {SCHED_ARRAY, 0, (uint32_t)n}, *x = ARENA_ARRAY(c->a, sched_value, n + 1);
  for (size_t k = 0; k < n; k++) {
    x[k] = sched_expr(c, e->array.elems.items[k]);
    if (!is_number(c, x[k], e->array.elems.items[k])) return bad;
  }
  v.reg = c->out->registers;
  c->out->registers += (uint32_t)n;
  for (size_t k = 0; k < n; k++) sched_emit(c, SCHED_MOVE, v.reg + (uint32_t)k, x[k].reg, 0, e->at);
  return v;
}

sched_value sched_expr(sched_ctx *c, const ast_expr *e) {
  switch (e->kind) {
  case EXPR_ERROR: c->failed = true; return bad;
  case EXPR_INT: return number(c, SCHED_INT, (double)e->integer.value, e->at);
  case EXPR_REAL: return number(c, SCHED_REAL, e->real.value, e->at);
  case EXPR_BOOL: return number(c, SCHED_BOOL, e->boolean, e->at);
  case EXPR_NAME: return name(c, e);
  case EXPR_FIELD: return field(c, e);
  case EXPR_INDEX: return element(c, e);
  case EXPR_BINARY: return binary(c, e);
  case EXPR_CALL: return call(c, e);
  case EXPR_IF: return choice(c, e);
  case EXPR_ARRAY: return list(c, e);
  case EXPR_UNARY: {
    sched_value x = sched_expr(c, e->unary.arg);
    if (x.type == SCHED_BAD) return bad;
    bool not_ = e->unary.op == OP_NOT;
    if (e->unary.op == OP_TRANSPOSE || (not_ ? x.type != SCHED_BOOL : x.type > SCHED_REAL)) break;
    uint32_t r = sched_reg(c);
    sched_emit(c, not_ ? SCHED_NOT : SCHED_NEG, r, x.reg, 0, e->at);
    return (sched_value){x.type, r, 1};
  }
  default: break;
  }
  sched_error(c, "E0842", e->at, "this has no meaning in a schedule");
  return bad;
}

uint32_t sched_condition(sched_ctx *c, const ast_expr *e) {
  sched_value v = sched_expr(c, e);
  if (v.type != SCHED_BOOL && v.type != SCHED_BAD) {
    diag *d = sched_error(c, "E0842", e->at, "a condition is wanted here");
    diag_help(c->p->diags, d, "such as `stable(window = 20)`, `energy < -100` or `acceptance < 0.01`");
  }
  return v.reg;
}
