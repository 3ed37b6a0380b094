/* check_expr.c: expressions: names, operators, arrays, comprehensions, choices.
 *
 * Values are scalars or arrays.  Operators work element by element; the operand of smaller rank is repeated along the leading
 * axes of the other, whose trailing extents must be the same symbols. */
#include "compiler/check_state.h"

#include <math.h>
#include <string.h>

const ty_info *set_type(ast_expr *e, const ty_info *t) {
  e->info = (ty_info *)t;
  return t;
}

const ty_info *check_error(ctx *c, ast_expr *e) { return set_type(e, ty_scalar(c->st, TY_ERROR)); }

bool value_expected(ctx *c, const ast_expr *e, const ty_info *t, const char *what) {
  if (ty_is_error(t)) return false;
  if (ty_is_value(t)) return true;
  cx_error(c, "E0501", e->at, "%s must be a number or an array, not %s", what, ty_print(c->p, t));
  return false;
}

bool check_int(ctx *c, ast_expr *e, const char *what) {
  const ty_info *t = check_expr(c, e);
  if (ty_is_error(t)) return false;
  if (ty_is_integer(t) && t->rank == 0) return true;
  diag *d = cx_error(c, "E0505", e->at, "%s must be one integer, not %s", what, ty_print(c->p, t));
  point_shape(c, d, e);
  if (e->kind == EXPR_BINARY && e->binary.op == OP_DIV) cx_help(c, d, "`/` gives a real; `//` divides integers");
  else if (t->kind == TY_REAL && t->rank == 0 && e->kind == EXPR_NAME && e->name.sym && e->name.sym->kind == SYM_DATA)
    cx_help(c, d, "declare it as `%s: int`", e->name.name);
  return false;
}

bool check_cond(ctx *c, ast_expr *e, const char *what) {
  const ty_info *t = check_expr(c, e);
  if (ty_is_error(t)) return false;
  if (t->kind == TY_BOOL && t->rank == 0) return true;
  diag *d = cx_error(c, "E0504", e->at, "%s must be one truth value, not %s", what, ty_print(c->p, t));
  if (t->kind == TY_BOOL) cx_help(c, d, "`all(...)` and `any(...)` reduce an array; `select(c, a, b)` chooses element by element");
  else if (ty_is_value(t)) cx_help(c, d, "compare it with something: `... != 0`");
  return false;
}

/* --- loops */

static void loop_bounds(ctx *c, ast_range *r, loop *l) {
  bool outer = c->stochastic;
  c->stochastic = false;
  bool lo = check_int(c, r->lo, "the start of a range"), hi = check_int(c, r->hi, "the end of a range");
  if (c->stochastic) {
    diag *d = cx_error(c, "E0530", span_join(r->lo->at, r->hi->at), "how often a loop runs may not depend on a %s", c->kind == CTX_AGENT ? "state or an action" : "latent");
    cx_help(c, d, "run over the largest range, in which everything is drawn, and choose by values: `if i <= k { a } else { b }`");
  }
  c->stochastic = outer;
  double by = 1;
  if (r->by) {
    check_expr(c, r->by);
    if (!const_of_expr(r->by, &by) || by != (double)(long long)by || by == 0) {
      diag *d = cx_error(c, "E0519", r->by->at, "`by` needs a whole number other than 0, written out");
      cx_help(c, d, "`by -1` counts down");
      return;
    }
  }
  double a, b;
  if (by > 0 && const_of_expr(r->lo, &a) && const_of_expr(r->hi, &b) && a > b + 1) {
    diag *d = diag_add(c->p->diags, DIAG_WARNING, "W0501", span_join(r->lo->at, r->hi->at), "this range is empty");
    cx_help(c, d, "`%g..%g by -1` counts down", a, b);
  }
  l->affine = by == 1 || by == -1;
  l->down = by < 0;
  ir_size s = lo ? size_of_expr(c, r->lo) : IR_SIZE_NONE, e = hi ? size_of_expr(c, r->hi) : IR_SIZE_NONE;
  l->lo = l->down ? e : s;
  l->hi = l->down ? s : e;
}

size_t iter_enter(ctx *c, ast_iter *it, loop_kind kind) {
  for (size_t i = 0; i < it->n; i++) {
    ast_range *r = &it->items[i];
    loop *l = ARENA_NEW(c->a, loop);
    l->range = r;
    l->kind = kind;
    l->depth = c->depth;
    symbol *s = sym_new(c->st, SYM_INDEX, r->var.name, r->var.at);
    s->type = ty_scalar(c->st, TY_INT);
    if (r->over) {
      bool outer = c->stochastic;
      c->stochastic = false;
      const ty_info *t = check_expr(c, r->over);
      s->stochastic = c->stochastic;
      c->stochastic |= outer;
      if (ty_is_error(t) || !value_expected(c, r->over, t, "what a loop runs over")) s->type = ty_scalar(c->st, TY_ERROR);
      else if (t->rank == 0) {
        diag *d = cx_error(c, "E0515", r->over->at, "a loop runs over a range or an array, not over %s", ty_print(c->p, t));
        if (ty_is_integer(t)) cx_help(c, d, "write `%s in 1..%s`", r->var.name, r->over->kind == EXPR_NAME ? r->over->name.name : "n");
        s->type = ty_scalar(c->st, TY_ERROR);
      } else {
        ty_info *x = ty_new(c->st, t->kind, t->rank - 1, t->dim + 1);
        if (t->kind == TY_INT) x->support = t->support, x->count = t->count, x->hi = t->hi;
        s->type = x;
        l->lo = size_const(c->p->sizes, 1);
        l->hi = t->dim[0];
      }
    } else {
      loop_bounds(c, r, l);
    }
    sym_of(s)->loop = l;
    r->var.sym = s;
    value_add(c, s);
    l->outer = c->loops;
    c->loops = l;
  }
  if (it->cond) check_cond(c, it->cond, "a filter");
  return it->n;
}

void iter_leave(ctx *c, size_t n) {
  while (n-- > 0) c->loops = c->loops->outer;
}

bool iter_extents(ctx *c, const ast_iter *it, loop *innermost, ir_size *dim, const char *what) {
  if (it->n > IR_MAX_RANK) {
    cx_error(c, "E0513", it->at, "an array has at most %d axes", IR_MAX_RANK);
    return false;
  }
  if (it->cond) {
    diag *d = cx_error(c, "E0510", it->cond->at, "%s cannot have a filter: its extent would not be known before the run", what);
    cx_help(c, d, "choose a value for the rest: `if c { a } else { b }`");
    return false;
  }
  loop *l = innermost;
  for (size_t i = it->n; i-- > 0; l = l->outer) {
    if (l->lo == IR_SIZE_NONE || l->hi == IR_SIZE_NONE || (!l->affine && !l->range->over)) {
      const ast_range *r = &it->items[i];
      if ((r->lo && ty_is_error(ty_of(r->lo))) || (r->hi && ty_is_error(ty_of(r->hi)))) return false;
      diag *d = cx_error(c, "E0510", r->at, "the extent of %s must be known before the run", what);
      cx_say(c, d, "these bounds are not sizes");
      cx_help(c, d, "a reduction goes over any range: `sum(e for k in 1..t)`, and so `log_sum_exp`, `max` and others; or let the array run to a size, with `if c { a } else { b }` for the rest");
      return false;
    }
    size_table *t = c->p->sizes;
    dim[i] = size_add(t, size_sub(t, l->hi, l->lo), size_const(t, 1));
  }
  return true;
}

/* --- operators */

/* Numbers with a name, which a declaration of that name hides. */
static bool constant_named(ctx *c, ast_expr *e) {
  const bool inf = strcmp(e->name.name, "inf") == 0;
  if ((!inf && strcmp(e->name.name, "pi") != 0) || ptr_map_get(&c->later, e->name.name) || ptr_map_get(&c->gone, e->name.name)) return false;
  const char *text = e->name.name;
  e->kind = EXPR_REAL;
  e->real.value = inf ? (double)INFINITY : 3.14159265358979323846;
  e->real.text = text;
  return true;
}

static const ty_info *check_name(ctx *c, ast_expr *e) {
  const char *name = e->name.name;
  if (!name[0]) return check_error(c, e);
  symbol *s = value_find(c, name);
  if (!s && constant_named(c, e)) return check_expr(c, e);
  if (!s) {
    unknown_value(c, name, e->at);
    return check_error(c, e);
  }
  e->name.sym = s;
  s->read = true;
  if (c->reads && !agent_read(c, s, e->at)) return check_error(c, e);
  if (s->stochastic) c->stochastic = true;
  if (s->elementwise) elements_read(c, s, NULL, e->at);
  if (c->subscripted != e) order_read(c, s, NULL, e);
  if (!s->type) {
    /* Other symbols get their types before anything can name them. */
    diag *d = cx_error(c, "E0505", e->at, "the size of an array must be one integer, and `%s` is an array", name);
    cx_point(c, d, s->at, "`%s` is declared here", name);
    return check_error(c, e);
  }
  return set_type(e, s->type);
}

static const ty_info *check_unary(ctx *c, ast_expr *e) {
  ast_expr *x = e->unary.arg;
  const ty_info *t = check_expr(c, x);
  if (ty_is_error(t)) return check_error(c, e);
  switch (e->unary.op) {
  case OP_NOT:
    if (t->kind == TY_BOOL) return set_type(e, ty_as(c->st, t, TY_BOOL));
    cx_error(c, "E0504", x->at, "`not` needs a truth value, not %s", ty_print(c->p, t));
    return check_error(c, e);
  case OP_TRANSPOSE:
    if (!value_expected(c, x, t, "what is transposed")) return check_error(c, e);
    if (t->rank != 2) {
      diag *d = cx_error(c, "E0516", e->at, "only a matrix can be transposed, this is %s", ty_print(c->p, t));
      point_shape(c, d, x);
      if (t->rank == 1) cx_help(c, d, "a vector is neither a row nor a column: `v @ M`, `M @ v` and `dot(v, w)` work as they are");
      return check_error(c, e);
    }
    return set_type(e, ty_new(c->st, t->kind, 2, (ir_size[]){t->dim[1], t->dim[0]}));
  default:
    if (!value_expected(c, x, t, "the operand of `-`")) return check_error(c, e);
    return set_type(e, ty_as(c->st, t, t->kind == TY_REAL ? TY_REAL : TY_INT));
  }
}

static const ty_info *check_matmul(ctx *c, ast_expr *e, const ty_info *a, const ty_info *b) {
  if (a->rank == 0 || b->rank == 0 || a->rank > 2 || b->rank > 2) {
    const ast_expr *bad = a->rank == 0 || a->rank > 2 ? e->binary.lhs : e->binary.rhs;
    diag *d = cx_error(c, "E0503", e->binary.op_at, "`@` multiplies vectors and matrices, not %s", ty_print(c->p, ty_of(bad)));
    point_shape(c, d, bad);
    /* An unknown that was drawn without a shape, beside something with one. */
    const ty_info *other = bad == e->binary.lhs ? b : a;
    const symbol *x = bad->kind == EXPR_NAME ? bad->name.sym : NULL;
    if (ty_of(bad)->rank == 0 && other->rank > 0 && x && x->kind == SYM_LATENT) {
      cx_point(c, d, x->at, "`%s` is one number", x->name);
      cx_help(c, d, "declare how many: `%s: real[%s] ~ ...`", x->name, size_text(c->st, other->dim[bad == e->binary.lhs ? 0 : other->rank - 1]));
    } else if (ty_of(bad)->rank == 0) cx_help(c, d, "use `*` for a number");
    return check_error(c, e);
  }
  if (a->dim[a->rank - 1] != b->dim[0]) {
    diag *d = cx_error(c, "E0503", e->binary.op_at, "`@` needs the last extent on the left to be the first on the right: %s @ %s",
                       ty_print(c->p, a), ty_print(c->p, b));
    cx_say(c, d, "%s against %s", size_text(c->st, a->dim[a->rank - 1]), size_text(c->st, b->dim[0]));
    point_shape(c, d, e->binary.lhs);
    point_shape(c, d, e->binary.rhs);
    if (a->rank == 2 && a->dim[0] == b->dim[0]) cx_help(c, d, "did you mean the transpose, `X' @ ...`?");
    else if (b->rank == 2 && a->dim[a->rank - 1] == b->dim[1]) cx_help(c, d, "did you mean the transpose, `... @ X'`?");
    return check_error(c, e);
  }
  ir_size dim[2];
  int rank = 0;
  if (a->rank == 2) dim[rank++] = a->dim[0];
  if (b->rank == 2) dim[rank++] = b->dim[1];
  ty_kind kind = a->kind == TY_REAL || b->kind == TY_REAL ? TY_REAL : TY_INT;
  return set_type(e, rank ? ty_new(c->st, kind, rank, dim) : ty_scalar(c->st, kind));
}

static const ty_info *check_binary(ctx *c, ast_expr *e) {
  ast_op op = e->binary.op;
  if (op == OP_FLOORDIV) c->floor_left = e->binary.lhs;
  const ty_info *a = check_expr(c, e->binary.lhs);
  if (op == OP_FLOORDIV && ty_is_error(a)) return check_error(c, e);
  const ty_info *b = check_expr(c, e->binary.rhs);
  if (ty_is_error(a) || ty_is_error(b)) return check_error(c, e);
  if (op == OP_THEN || op == OP_UNTIL || op == OP_REPEAT || op == OP_ARROW) {
    cx_error(c, "E0501", e->binary.op_at, "`%s` belongs to schedules and options", ast_op_text(op));
    return check_error(c, e);
  }
  if ((op == OP_EQ || op == OP_NE) && (a->kind == TY_STRING) != (b->kind == TY_STRING)) {
    const bool left = a->kind == TY_STRING;
    ast_expr *text = left ? e->binary.lhs : e->binary.rhs;
    const ty_info *other = left ? b : a;
    if (other->kind != TY_INT || !level_number(c, text, other->count)) {
      diag *d = cx_error(c, "E0501", text->at, "a text is no value to compare with");
      cx_help(c, d, "a column of texts is data of the type `index(K)`, K being a size: with that it is compared, `region[i] == \"north\"`");
      return check_error(c, e);
    }
    *(left ? &a : &b) = text->info;
  }
  strbuf what;
  strbuf_init(&what, c->a);
  strbuf_printf(&what, "an operand of `%s`", ast_op_text(op));
  if (!value_expected(c, e->binary.lhs, a, what.s) || !value_expected(c, e->binary.rhs, b, what.s)) return check_error(c, e);
  if (op == OP_MATMUL) return check_matmul(c, e, a, b);
  ty_kind kind = ty_join(a->kind, b->kind);
  switch (op) {
  case OP_AND: case OP_OR:
    if (kind != TY_BOOL) {
      const ast_expr *bad = a->kind != TY_BOOL ? e->binary.lhs : e->binary.rhs;
      diag *d = cx_error(c, "E0504", bad->at, "`%s` needs truth values, not %s", ast_op_text(op), ty_print(c->p, ty_of(bad)));
      cx_help(c, d, "compare it with something: `... != 0`");
      return check_error(c, e);
    }
    break;
  case OP_LT: case OP_GT: case OP_LE: case OP_GE: case OP_EQ: case OP_NE: {
    /* `a <lower = 0>= 1` and `a < b < c` read as a comparison of a truth value. */
    const ast_expr *l = e->binary.lhs;
    if (a->kind == TY_BOOL && b->kind != TY_BOOL && l->kind == EXPR_BINARY && l->binary.op >= OP_LT && l->binary.op <= OP_NE) {
      diag *d = cx_error(c, "E0504", e->binary.op_at, "a truth value is compared with a number");
      cx_help(c, d, "comparisons do not chain: write `a < b and b < c`");
      return check_error(c, e);
    }
    kind = TY_BOOL;
    break;
  }
  case OP_DIV: case OP_POW: kind = TY_REAL; break;
  case OP_FLOORDIV: case OP_MOD:
    if (kind == TY_REAL) {
      const ast_expr *bad = a->kind == TY_REAL ? e->binary.lhs : e->binary.rhs;
      diag *d = cx_error(c, "E0501", bad->at, "`%s` divides integers, this is %s", ast_op_text(op), ty_print(c->p, ty_of(bad)));
      if (bad->kind == EXPR_BINARY && bad->binary.op == OP_POW) cx_help(c, d, "`^` gives a real: `int(a^b)` is the integer");
      else if (op == OP_FLOORDIV) cx_help(c, d, "`floor(a / b)` divides reals");
      return check_error(c, e);
    }
    kind = TY_INT;
    double n;
    if (const_of_expr(e->binary.rhs, &n) && n == 0) {
      cx_error(c, "E0501", e->binary.rhs->at, "`%s` by zero", ast_op_text(op));
      return check_error(c, e);
    }
    break;
  default: if (kind == TY_BOOL) kind = TY_INT; break;
  }
  ty_info shape;
  if (!shape_broadcast(a, b, &shape)) {
    what.n = 0;
    strbuf_printf(&what, "the operands of `%s`", ast_op_text(op));
    report_shapes(c, e->binary.op_at, what.s, ast_op_text(op), e->binary.lhs, e->binary.rhs);
    return check_error(c, e);
  }
  warn_matrices(c, e);
  return set_type(e, shape.rank ? ty_new(c->st, kind, shape.rank, shape.dim) : ty_scalar(c->st, kind));
}

/* --- arrays and choices */

static const ty_info *check_array(ctx *c, ast_expr *e) {
  ast_exprs *x = &e->array.elems;
  if (x->n == 0) {
    diag *d = cx_error(c, "E0512", e->at, "an empty array has no type");
    cx_help(c, d, "`rep(0.0, 0)` is an empty array of reals");
    return check_error(c, e);
  }
  const ty_info *first = NULL;
  ty_kind kind = TY_BOOL;
  bool ok = true;
  for (size_t i = 0; i < x->n; i++) {
    const ty_info *t = check_expr(c, x->items[i]);
    if (ty_is_error(t) || !value_expected(c, x->items[i], t, "an element")) {
      ok = false;
      continue;
    }
    if (first && !shape_equal(first, t)) {
      if (ok) {
        diag *d = cx_error(c, "E0512", x->items[i]->at, "the elements of an array have one shape: %s and %s", ty_print(c->p, first),
                           ty_print(c->p, t));
        cx_point(c, d, x->items[0]->at, "the first is %s", ty_print(c->p, first));
      }
      ok = false;
      continue;
    }
    if (!first) first = t;
    kind = ty_join(kind, t->kind);
  }
  if (!ok) return check_error(c, e);
  if (first->rank == IR_MAX_RANK) {
    cx_error(c, "E0513", e->at, "an array has at most %d axes", IR_MAX_RANK);
    return check_error(c, e);
  }
  ir_size dim[IR_MAX_RANK] = {size_const(c->p->sizes, (int64_t)x->n)};
  for (unsigned k = 0; k < first->rank; k++) dim[k + 1] = first->dim[k];
  return set_type(e, ty_new(c->st, kind, first->rank + 1, dim));
}

static const ty_info *check_comprehension(ctx *c, ast_expr *e) {
  ast_iter *it = &e->comprehension.iter;
  size_t mark = scope_enter(c), n = iter_enter(c, it, LOOP_LOCAL);
  ir_size dim[IR_MAX_RANK];
  bool ok = iter_extents(c, it, c->loops, dim, "an array");
  c->guards += it->cond != NULL;
  const ty_info *t = check_expr(c, e->comprehension.body);
  c->guards -= it->cond != NULL;
  iter_leave(c, n);
  scope_leave(c, mark);
  if (ty_is_error(t) || !ok || !value_expected(c, e->comprehension.body, t, "an element")) return check_error(c, e);
  if (n + t->rank > IR_MAX_RANK) {
    cx_error(c, "E0513", e->at, "an array has at most %d axes", IR_MAX_RANK);
    return check_error(c, e);
  }
  for (unsigned k = 0; k < t->rank; k++) dim[n + k] = t->dim[k];
  return set_type(e, ty_new(c->st, t->kind, (int)n + t->rank, dim));
}

static const ty_info *check_if(ctx *c, ast_expr *e) {
  check_cond(c, e->if_.cond, "the condition of `if`");
  c->guards++;
  const ty_info *a = check_expr(c, e->if_.then), *b = check_expr(c, e->if_.else_);
  c->guards--;
  if (ty_is_error(a) || ty_is_error(b)) return check_error(c, e);
  if (!value_expected(c, e->if_.then, a, "a branch of `if`") || !value_expected(c, e->if_.else_, b, "a branch of `if`"))
    return check_error(c, e);
  if (!shape_equal(a, b)) {
    diag *d = cx_error(c, "E0514", e->if_.else_->at, "the branches of `if` have one shape: %s and %s", ty_print(c->p, a),
                       ty_print(c->p, b));
    cx_point(c, d, e->if_.then->at, "this is %s", ty_print(c->p, a));
    return check_error(c, e);
  }
  return set_type(e, ty_as(c->st, a, ty_join(a->kind, b->kind)));
}

static const ty_info *check_let_expr(ctx *c, ast_expr *e) {
  size_t mark = scope_enter(c);
  bool outer = c->stochastic;
  c->stochastic = false;
  const ty_info *t = check_expr(c, e->let.value);
  symbol *s = sym_new(c->st, SYM_LET, e->let.var.name, e->let.var.at);
  s->stochastic = c->stochastic;
  c->stochastic |= outer;
  s->type = ty_is_error(t) || !value_expected(c, e->let.value, t, "a `let`") ? ty_scalar(c->st, TY_ERROR) : t;
  if (ty_is_integer(t) && t->rank == 0 && !s->stochastic) s->size = size_of_expr(c, e->let.value), s->whole = e->let.value;
  e->let.var.sym = s;
  value_add(c, s);
  const ty_info *r = check_expr(c, e->let.body);
  scope_leave(c, mark);
  return set_type(e, r);
}

const ty_info *check_expr(ctx *c, ast_expr *e) {
  switch (e->kind) {
  case EXPR_ERROR: return check_error(c, e);
  case EXPR_INT: return set_type(e, ty_scalar(c->st, TY_INT));
  case EXPR_REAL: return set_type(e, ty_scalar(c->st, TY_REAL));
  case EXPR_BOOL: return set_type(e, ty_scalar(c->st, TY_BOOL));
  case EXPR_STRING: return set_type(e, ty_scalar(c->st, TY_STRING));
  case EXPR_NAME: return check_name(c, e);
  case EXPR_UNARY: return check_unary(c, e);
  case EXPR_BINARY: return check_binary(c, e);
  case EXPR_CALL: return check_call_expr(c, e);
  case EXPR_REDUCE: return check_reduce(c, e);
  case EXPR_ARRAY: return check_array(c, e);
  case EXPR_COMPREHENSION: return check_comprehension(c, e);
  case EXPR_INDEX: return check_index(c, e);
  case EXPR_FIELD: {
    if (field_resolve(c, e)) return check_expr(c, e);
    if (e->kind == EXPR_ERROR) return check_error(c, e);
    const ty_info *t = check_expr(c, e->field.base);
    if (!ty_is_error(t)) {
      diag *d = cx_error(c, "E0508", e->at, "%s has no fields", ty_print(c->p, t));
      if (ty_is_value(t)) cx_help(c, d, "elements are read with square brackets; a column name with a dot is back-quoted");
    }
    return check_error(c, e);
  }
  case EXPR_IF: return check_if(c, e);
  case EXPR_LET: return check_let_expr(c, e);
  case EXPR_RANGE: {
    diag *d = cx_error(c, "E0515", e->at, "a range can only be a subscript or what a loop runs over");
    cx_help(c, d, "`[i for i in 1..N]` is an array of numbers");
    return check_error(c, e);
  }
  case EXPR_ALL:
    cx_error(c, "E0515", e->at, "`:` can only be a subscript");
    return check_error(c, e);
  }
  return check_error(c, e);
}
