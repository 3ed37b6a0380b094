/* check_builtin.c: calls of the functions in compiler/builtin.h. */
#include "compiler/check_state.h"

typedef enum builtin_kind { ELEM1, ELEM2, ELEM3, REDUCE, SHAPE, DRAW, DISTFN } builtin_kind;

static const struct {
  const char *name;
  builtin_kind kind;
} table[] = {
#define B(ID, name, kind, op) {name, kind},
    BUILTINS(B)
#undef B
};

/* Exactly or at least so many arguments, none of them named. */
static bool count_args(ctx *c, ast_expr *e, const char *form, size_t least, size_t most) {
  ast_args *args = &e->call.args;
  bool ok = true;
  for (size_t i = 0; i < args->n; i++) {
    if (args->items[i].name.name && ok) {
      cx_error(c, "E0411", args->items[i].name.at, "`%s` takes its arguments without names", e->call.fn.name);
      ok = false;
    }
    const ty_info *t = check_expr(c, args->items[i].value);
    if (!value_expected(c, args->items[i].value, t, "an argument")) ok = false;
  }
  if (args->n < least || args->n > most) {
    diag *d = cx_error(c, args->n < least ? "E0412" : "E0413", e->at, "`%s` does not take %zu argument%s", e->call.fn.name, args->n,
                       args->n == 1 ? "" : "s");
    cx_help(c, d, "it is `%s`", form);
    ok = false;
  }
  return ok;
}

static ast_expr *arg(const ast_expr *e, size_t i) { return e->call.args.items[i].value; }

static const ty_info *result(ctx *c, ast_expr *e, symbol *callee, const ty_info *t) {
  size_t n = e->call.args.n;
  ast_expr **args = ARENA_ARRAY(c->a, ast_expr *, n);
  for (size_t i = 0; i < n; i++) args[i] = arg(e, i);
  call_record(c, e, callee, args, n, false, NULL);
  return set_type(e, t);
}

/* One argument must be an array of that rank. */
static bool need_rank(ctx *c, const ast_expr *e, const ast_expr *x, unsigned rank, const char *noun) {
  const ty_info *t = ty_of(x);
  if (t->rank == rank) return true;
  diag *d = cx_error(c, "E0511", x->at, "`%s` needs %s here, not %s", e->call.fn.name, noun, ty_print(c->p, t));
  point_shape(c, d, x);
  if (rank == 1 && t->rank == 2 && e->call.fn.sym && e->call.fn.sym->builtin == BUILTIN_DOT) cx_help(c, d, "a matrix times a vector is `X @ v`");
  return false;
}

/* A number that is written out, of which the function is NaN. */
static void warn_domain(ctx *c, const ast_expr *e, int builtin) {
  double x;
  if (!const_of_expr(arg(e, 0), &x)) return;
  const bool nan = ((builtin == BUILTIN_LOG || builtin == BUILTIN_SQRT) && x < 0) || (builtin == BUILTIN_LOG1P && x < -1);
  if (nan) diag_add(c->p->diags, DIAG_WARNING, "W0503", e->at, "`%s` of %g is not a number", e->call.fn.name, x);
}

static const ty_info *check_elementwise(ctx *c, ast_expr *e, symbol *callee, size_t n) {
  static const char *const forms[] = {"%s(x)", "%s(a, b)", "%s(a, b, c)"};
  strbuf form;
  strbuf_init(&form, c->a);
  if (callee->builtin == BUILTIN_SELECT) strbuf_puts(&form, "select(c, a, b)");
  else strbuf_puts(&form, arena_printf(c->a, n == 1 ? forms[0] : n == 2 ? forms[1] : forms[2], e->call.fn.name));
  if (!count_args(c, e, form.s, n, n)) return check_error(c, e);
  if (n == 1) warn_domain(c, e, callee->builtin);
  ty_info shape = *ty_of(arg(e, 0));
  for (size_t i = 1; i < n; i++) {
    ty_info both = {0};
    if (!shape_broadcast(&shape, ty_of(arg(e, i)), &both)) {
      strbuf_init(&form, c->a);
      strbuf_printf(&form, "the arguments of `%s`", e->call.fn.name);
      size_t other = 0;
      for (size_t k = 0; k < i; k++)
        if (ty_of(arg(e, k))->rank) other = k;
      report_shapes(c, e->at, form.s, "", arg(e, other), arg(e, i));
      return check_error(c, e);
    }
    shape.rank = both.rank;
    for (unsigned k = 0; k < both.rank; k++) shape.dim[k] = both.dim[k];
  }
  ty_kind kind = TY_REAL, first = ty_of(arg(e, 0))->kind;
  switch (callee->builtin) {
  case BUILTIN_ABS: kind = first == TY_REAL ? TY_REAL : TY_INT; break;
  case BUILTIN_TO_INT: kind = TY_INT; break;
  case BUILTIN_MIN: case BUILTIN_MAX:
    kind = ty_join(first, ty_of(arg(e, 1))->kind);
    if (kind == TY_BOOL) kind = TY_INT;
    break;
  case BUILTIN_SELECT:
    if (first != TY_BOOL) {
      diag *d = cx_error(c, "E0504", arg(e, 0)->at, "`select` chooses by truth values, not by %s", ty_print(c->p, ty_of(arg(e, 0))));
      cx_help(c, d, "compare it with something: `select(x > 0, a, b)`");
      return check_error(c, e);
    }
    kind = ty_join(ty_of(arg(e, 1))->kind, ty_of(arg(e, 2))->kind);
    break;
  default: break;
  }
  return result(c, e, callee, shape.rank ? ty_new(c->st, kind, shape.rank, shape.dim) : ty_scalar(c->st, kind));
}

/* The kind of a reduction of elements of a kind; TY_ERROR after a report. */
static ty_kind reduced(ctx *c, const ast_expr *at, int builtin, const char *name, ty_kind kind) {
  switch (builtin) {
  case BUILTIN_MEAN: return TY_REAL;
  case BUILTIN_ALL: case BUILTIN_ANY:
    if (kind == TY_BOOL) return TY_BOOL;
    diag *d = cx_error(c, "E0504", at->at, "`%s` needs truth values, not %s", name, ty_print(c->p, ty_of(at)));
    cx_help(c, d, "compare it with something: `... != 0`");
    return TY_ERROR;
  default: return kind == TY_BOOL ? TY_INT : kind;
  }
}

const ty_info *check_reduce(ctx *c, ast_expr *e) {
  const char *name = e->reduce.fn.name;
  ast_iter *it = &e->reduce.iter;
  size_t mark = scope_enter(c), n = iter_enter(c, it, LOOP_LOCAL);
  c->guards += it->cond != NULL;
  const ty_info *t = check_expr(c, e->reduce.body);
  c->guards -= it->cond != NULL;
  iter_leave(c, n);
  scope_leave(c, mark);
  if (!name[0]) return check_error(c, e);
  symbol *s = callee_find(c, &e->reduce.fn);
  if (!s) {
    unknown_callable(c, name, e->reduce.fn.at, "a function");
    return check_error(c, e);
  }
  e->reduce.fn.sym = s;
  const bool log_sum = s->kind == SYM_FN && sym_of(s)->library && name == c->st->log_sum_exp;
  if (!log_sum && (s->kind != SYM_BUILTIN || table[s->builtin].kind != REDUCE)) {
    diag *d = cx_error(c, "E0405", e->reduce.fn.at, "`%s` does not reduce a range", name);
    if (s->kind == SYM_FN) cx_help(c, d, "give it an array: `%s([... for i in 1..N])`", name);
    else cx_help(c, d, "`sum`, `prod`, `mean`, `min`, `max`, `all`, `any` and `log_sum_exp` do");
    return check_error(c, e);
  }
  if (!value_expected(c, e->reduce.body, t, "what is reduced")) return check_error(c, e);
  if (t->rank > 0 && (log_sum || (s->builtin != BUILTIN_SUM && s->builtin != BUILTIN_MEAN))) {
    diag *d = cx_error(c, "E0511", e->reduce.body->at, "`%s` over a range needs one number each time, not %s", name, ty_print(c->p, t));
    cx_help(c, d, "`%s(%s(...) for ...)` reduces both", name, name);
    return check_error(c, e);
  }
  ty_kind kind = log_sum ? TY_REAL : reduced(c, e->reduce.body, s->builtin, name, t->kind);
  if (kind == TY_ERROR) return check_error(c, e);
  return set_type(e, ty_as(c->st, t, kind));
}

static const ty_info *check_reduction(ctx *c, ast_expr *e, symbol *callee) {
  const char *name = e->call.fn.name;
  bool two = callee->builtin == BUILTIN_MIN || callee->builtin == BUILTIN_MAX;
  if (two && e->call.args.n == 2) return check_elementwise(c, e, callee, 2);
  if (!count_args(c, e, arena_printf(c->a, two ? "%s(x)` or `%s(a, b)" : "%s(x)", name, name), 1, 1)) return check_error(c, e);
  const ty_info *t = ty_of(arg(e, 0));
  if (t->rank == 0) {
    diag *d = cx_error(c, "E0511", arg(e, 0)->at, "`%s` reduces an array, this is one %s", name, ty_print(c->p, t));
    cx_help(c, d, "over a range it is `%s(... for i in 1..N)`", name);
    return check_error(c, e);
  }
  ty_kind kind = reduced(c, arg(e, 0), callee->builtin, name, t->kind);
  if (kind == TY_ERROR) return check_error(c, e);
  return result(c, e, callee, ty_scalar(c->st, kind));
}

/* A size given as an argument. */
static ir_size size_arg(ctx *c, const ast_expr *e, const ast_expr *x) {
  const ty_info *t = ty_of(x);
  ir_size s = ty_is_integer(t) && t->rank == 0 ? size_of_expr(c, x) : IR_SIZE_NONE;
  int64_t n;
  if (s == IR_SIZE_NONE) {
    diag *d = cx_error(c, "E0510", x->at, "an extent given to `%s` must be known before the run", e->call.fn.name);
    cx_help(c, d, "extents are made of sizes and literals by `+ - * // %%`");
  } else if (size_is_const(c->p->sizes, s, &n) && n < 0) {
    cx_error(c, "E0510", x->at, "an extent is negative: %lld", (long long)n);
    return IR_SIZE_NONE;
  }
  return s;
}

static const ty_info *check_rep(ctx *c, ast_expr *e, symbol *callee) {
  if (!count_args(c, e, "rep(x, n, ...)", 2, 1 + IR_MAX_RANK)) return check_error(c, e);
  const ty_info *t = ty_of(arg(e, 0));
  ir_size dim[2 * IR_MAX_RANK];
  unsigned rank = 0;
  for (size_t i = 1; i < e->call.args.n; i++)
    if ((dim[rank++] = size_arg(c, e, arg(e, i))) == IR_SIZE_NONE) return check_error(c, e);
  for (unsigned k = 0; k < t->rank; k++) dim[rank++] = t->dim[k];
  if (rank > IR_MAX_RANK) {
    cx_error(c, "E0513", e->at, "an array has at most %d axes", IR_MAX_RANK);
    return check_error(c, e);
  }
  return result(c, e, callee, ty_new(c->st, t->kind, (int)rank, dim));
}

static const ty_info *check_columns(ctx *c, ast_expr *e, symbol *callee) {
  if (!count_args(c, e, "columns(x, y, ...)", 1, (size_t)-1)) return check_error(c, e);
  ty_kind kind = TY_BOOL;
  for (size_t i = 0; i < e->call.args.n; i++) {
    const ty_info *t = ty_of(arg(e, i));
    if (!need_rank(c, e, arg(e, i), 1, "vectors")) return check_error(c, e);
    if (t->dim[0] != ty_of(arg(e, 0))->dim[0]) {
      report_shapes(c, arg(e, i)->at, "the columns", "", arg(e, 0), arg(e, i));
      return check_error(c, e);
    }
    kind = ty_join(kind, t->kind);
  }
  (void)kind;
  ir_size dim[2] = {ty_of(arg(e, 0))->dim[0], size_const(c->p->sizes, (int64_t)e->call.args.n)};
  return result(c, e, callee, ty_new(c->st, TY_REAL, 2, dim));
}

static bool need_square(ctx *c, const ast_expr *e, const ast_expr *x) {
  if (!need_rank(c, e, x, 2, "a matrix")) return false;
  const ty_info *t = ty_of(x);
  if (t->dim[0] == t->dim[1]) return true;
  diag *d = cx_error(c, "E0511", x->at, "`%s` needs a square matrix, not %s", e->call.fn.name, ty_print(c->p, t));
  point_shape(c, d, x);
  return false;
}

static const ty_info *check_shape(ctx *c, ast_expr *e, symbol *callee) {
  check_state *st = c->st;
  switch (callee->builtin) {
  case BUILTIN_DOT: {
    if (!count_args(c, e, "dot(x, y)", 2, 2)) return check_error(c, e);
    if (!need_rank(c, e, arg(e, 0), 1, "a vector") || !need_rank(c, e, arg(e, 1), 1, "a vector")) return check_error(c, e);
    const ty_info *a = ty_of(arg(e, 0)), *b = ty_of(arg(e, 1));
    if (a->dim[0] != b->dim[0]) {
      report_shapes(c, e->at, "the arguments of `dot`", "", arg(e, 0), arg(e, 1));
      return check_error(c, e);
    }
    return result(c, e, callee, ty_scalar(st, ty_join(a->kind, b->kind) == TY_REAL ? TY_REAL : TY_INT));
  }
  case BUILTIN_REP: return check_rep(c, e, callee);
  case BUILTIN_COLUMNS: return check_columns(c, e, callee);
  case BUILTIN_SIZE: {
    /* The extents of data are not random, whatever the elements are. */
    bool outer = c->stochastic;
    bool ok = count_args(c, e, "size(x)` or `size(x, k)", 1, 2);
    c->stochastic = outer;
    if (!ok) return check_error(c, e);
    const ty_info *t = ty_of(arg(e, 0));
    double k = 1;
    if (t->rank == 0) {
      cx_error(c, "E0511", arg(e, 0)->at, "`size` needs an array, this is one %s", ty_print(c->p, t));
      return check_error(c, e);
    }
    if (e->call.args.n == 2 && (!const_of_expr(arg(e, 1), &k) || k < 1 || k > t->rank)) {
      cx_error(c, "E0520", arg(e, 1)->at, "the axis must be a number from 1 to %u", t->rank);
      return check_error(c, e);
    }
    return result(c, e, callee, ty_scalar(st, TY_INT));
  }
  case BUILTIN_ONEHOT: {
    if (!count_args(c, e, "onehot(k, n)", 2, 2)) return check_error(c, e);
    const ty_info *k = ty_of(arg(e, 0));
    if (k->kind != TY_INT || k->rank) {
      cx_error(c, "E0505", arg(e, 0)->at, "the place in `onehot` must be one integer, not %s", ty_print(c->p, k));
      return check_error(c, e);
    }
    ir_size n = size_arg(c, e, arg(e, 1));
    return n ? result(c, e, callee, ty_new(st, TY_REAL, 1, &n)) : check_error(c, e);
  }
  case BUILTIN_DIAG: {
    if (!count_args(c, e, "diag(v)", 1, 1) || !need_rank(c, e, arg(e, 0), 1, "a vector")) return check_error(c, e);
    const ty_info *v = ty_of(arg(e, 0));
    return result(c, e, callee, ty_new(st, TY_REAL, 2, (ir_size[]){v->dim[0], v->dim[0]}));
  }
  case BUILTIN_ODE: return check_ode(c, e, callee);
  case BUILTIN_CHOLESKY:
    if (!count_args(c, e, "cholesky(A)", 1, 1) || !need_square(c, e, arg(e, 0))) return check_error(c, e);
    return result(c, e, callee, ty_new(st, TY_REAL, 2, ty_of(arg(e, 0))->dim));
  default: { /* solve_lower, solve_lower_t */
    if (!count_args(c, e, arena_printf(c->a, "%s(L, b)", e->call.fn.name), 2, 2) || !need_square(c, e, arg(e, 0)))
      return check_error(c, e);
    const ty_info *l = ty_of(arg(e, 0)), *b = ty_of(arg(e, 1));
    if (b->rank != 1 && b->rank != 2) {
      need_rank(c, e, arg(e, 1), 1, "a vector or a matrix");
      return check_error(c, e);
    }
    if (b->dim[0] != l->dim[1]) {
      report_shapes(c, e->at, "the two sides", "", arg(e, 0), arg(e, 1));
      return check_error(c, e);
    }
    return result(c, e, callee, ty_new(st, TY_REAL, b->rank, b->dim));
  }
  }
}

static const ty_info *check_draw(ctx *c, ast_expr *e, symbol *callee) {
  size_t n = 0;
  ty_kind kind = TY_REAL;
  bool vector = false;
  switch (callee->builtin) {
  case BUILTIN_DRAW_GAMMA: case BUILTIN_DRAW_LOG_GAMMA: n = 1; break;
  case BUILTIN_DRAW_POISSON: n = 1; kind = TY_INT; break;
  case BUILTIN_DRAW_BINOMIAL: n = 2; kind = TY_INT; break;
  case BUILTIN_DRAW_CATEGORICAL: n = 1; kind = TY_INT; vector = true; break;
  default: break;
  }
  const char *name = e->call.fn.name;
  if (!count_args(c, e, arena_printf(c->a, n == 0 ? "%s()" : vector ? "%s(p)" : n == 1 ? "%s(a)" : "%s(n, p)", name), n, n))
    return check_error(c, e);
  for (size_t i = 0; i < n; i++)
    if (!need_rank(c, e, arg(e, i), vector ? 1 : 0, vector ? "a vector" : "one number")) return check_error(c, e);
  if (callee->builtin == BUILTIN_DRAW_BINOMIAL && ty_of(arg(e, 0))->kind == TY_REAL) {
    cx_error(c, "E0505", arg(e, 0)->at, "the number of trials must be one integer");
    return check_error(c, e);
  }
  if (!c->in_sample) {
    diag *d = cx_error(c, "E0609", e->at, "`%s` draws at random, which only the `sample` of a distribution may do", name);
    cx_help(c, d, "in a model, `x ~ D` is a draw");
    return check_error(c, e);
  }
  c->stochastic = true;
  return result(c, e, callee, ty_scalar(c->st, kind));
}

const ty_info *check_builtin(ctx *c, ast_expr *e, symbol *callee) {
  switch (table[callee->builtin].kind) {
  case ELEM1: return check_elementwise(c, e, callee, 1);
  case ELEM2: return check_elementwise(c, e, callee, 2);
  case ELEM3: return check_elementwise(c, e, callee, 3);
  case REDUCE: return check_reduction(c, e, callee);
  case SHAPE: return check_shape(c, e, callee);
  case DRAW: return check_draw(c, e, callee);
  case DISTFN: return check_distfn(c, e, callee);
  }
  return check_error(c, e);
}
