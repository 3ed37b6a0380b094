/* build.c: nodes of expressions and types, as the grammar's actions ask for them. */
#include "lang/build.h"
#include "lang/grammar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

span build_span(const parser *p, token t) { return (span){p->file, t.off, t.len}; }

span build_join(const parser *p, token a, token b) { return span_join(build_span(p, a), build_span(p, b)); }

ast_name build_name(const parser *p, token t) { return (ast_name){.name = t.name, .at = build_span(p, t)}; }

static const char *text_of(const parser *p, token t) { return source_get(p->map, p->file)->text + t.off; }

static ast_expr *new_expr(parser *p, expr_kind kind, span at) {
  ast_expr *e = ARENA_NEW(p->a, ast_expr);
  e->kind = kind;
  e->id = p->ids++;
  e->at = at;
  e->depth = 1;
  return e;
}

/* Makes e higher than its child.  A tree over the limit loses its children: what is too high to be walked must not exist. */
static void over(parser *p, ast_expr *e, const ast_expr *child) {
  if (e->kind == EXPR_ERROR || !child) return;
  if (child->depth >= e->depth) e->depth = (uint16_t)(child->depth + 1);
  if (e->depth <= AST_MAX_DEPTH) return;
  if (!p->too_high) {
    p->too_high = true;
    diag *d = diag_add(p->diags, DIAG_ERROR, "E0206", e->at, "this expression is more than %d levels deep", AST_MAX_DEPTH);
    diag_help(p->diags, d, "name parts of it with `let`, or write a long sum as `sum(e for i in 1..N)`");
  }
  e->kind = EXPR_ERROR;
  e->depth = 1;
}

static void over_args(parser *p, ast_expr *e, const ast_args *args) {
  for (size_t i = 0; i < args->n; i++) over(p, e, args->items[i].value);
}

static void over_exprs(parser *p, ast_expr *e, const ast_exprs *list) {
  for (size_t i = 0; i < list->n; i++) over(p, e, list->items[i]);
}

static void over_iter(parser *p, ast_expr *e, const ast_iter *iter) {
  for (size_t i = 0; i < iter->n; i++) {
    const ast_range *r = &iter->items[i];
    over(p, e, r->lo), over(p, e, r->hi), over(p, e, r->by), over(p, e, r->over);
  }
  over(p, e, iter->cond);
}

ast_expr *build_error(parser *p, span at) { return new_expr(p, EXPR_ERROR, at); }

ast_expr *build_int(parser *p, token t) {
  ast_expr *e = new_expr(p, EXPR_INT, build_span(p, t));
  const char *s = text_of(p, t);
  e->integer.text = arena_strndup(p->a, s, t.len);
  int64_t v = 0;
  for (uint32_t i = 0; i < t.len && s[i] >= '0' && s[i] <= '9'; i++) {
    int digit = s[i] - '0';
    if (v > (INT64_MAX - digit) / 10) {
      diag *d = diag_add(p->diags, DIAG_ERROR, "E0103", e->at, "this integer does not fit into 64 bits");
      diag_help(p->diags, d, "the largest is %lld; a real number is written with a dot: `%.*s.0`", (long long)INT64_MAX,
                (int)(t.len < 40 ? t.len : 40), s);
      e->kind = EXPR_ERROR;
      return e;
    }
    v = 10 * v + digit;
  }
  e->integer.value = v;
  return e;
}

/* strtod reads a decimal point only in the host's locale; so the literal goes in without one, its exponent adjusted. */
static double to_double(parser *p, const char *s, size_t n) {
  strbuf b;
  strbuf_init(&b, p->a);
  size_t i = 0, fraction = 0;
  bool dot = false;
  for (; i < n && s[i] != 'e' && s[i] != 'E'; i++) {
    if (s[i] == '.') {
      dot = true;
    } else {
      strbuf_putc(&b, s[i]);
      fraction += dot;
    }
  }
  long exponent = 0;
  if (i < n) {
    bool minus = s[i + 1 < n ? i + 1 : i] == '-';
    for (i++; i < n; i++)
      if (s[i] >= '0' && s[i] <= '9' && exponent < 100000000) exponent = 10 * exponent + (s[i] - '0');
    if (minus) exponent = -exponent;
  }
  strbuf_printf(&b, "e%ld", exponent - (long)fraction);
  return strtod(b.s, NULL);
}

ast_expr *build_real(parser *p, token t) {
  ast_expr *e = new_expr(p, EXPR_REAL, build_span(p, t));
  const char *s = text_of(p, t);
  e->real.text = arena_strndup(p->a, s, t.len);
  e->real.value = to_double(p, s, t.len);
  bool digits = false; /* a nonzero one before the exponent */
  for (uint32_t i = 0; i < t.len && s[i] != 'e' && s[i] != 'E'; i++) digits = digits || (s[i] >= '1' && s[i] <= '9');
  if (e->real.value > 1.7976931348623157e308) {
    diag *d = diag_add(p->diags, DIAG_ERROR, "E0103", e->at, "this number is too large for a real");
    diag_help(p->diags, d, "the largest is about 1.8e308; `inf` is infinity");
    e->kind = EXPR_ERROR;
  } else if (e->real.value == 0 && digits) {
    diag *d = diag_add(p->diags, DIAG_ERROR, "E0103", e->at, "this number is too small for a real: it would be read as 0");
    diag_help(p->diags, d, "the smallest is about 4.9e-324; work with logarithms instead");
    e->kind = EXPR_ERROR;
  }
  return e;
}

ast_expr *build_bool(parser *p, token t, bool value) {
  ast_expr *e = new_expr(p, EXPR_BOOL, build_span(p, t));
  e->boolean = value;
  return e;
}

/* Escapes: \n \t \" \\.  An unterminated string was reported by the lexer and ends with its line. */
ast_expr *build_string(parser *p, token t) {
  ast_expr *e = new_expr(p, EXPR_STRING, build_span(p, t));
  const char *s = text_of(p, t);
  strbuf b;
  strbuf_init(&b, p->a);
  size_t i = s[0] == '"' ? 1 : 3 < t.len ? 3 : t.len;
  for (; i < t.len && s[i] != '"'; i++) {
    if (s[i] != '\\' || i + 1 >= t.len) {
      strbuf_putc(&b, s[i]);
      continue;
    }
    char c = s[++i];
    if (c == 'n' || c == 't') {
      strbuf_putc(&b, c == 'n' ? '\n' : '\t');
    } else if (c == '"' || c == '\\') {
      strbuf_putc(&b, c);
    } else {
      span at = {p->file, t.off + (uint32_t)i - 1, 2};
      uint32_t cp;
      int n = utf8_decode(s + i, t.len - i, &cp);
      if (n > 1) at.len = (uint32_t)n + 1;
      diag *d = diag_add(p->diags, DIAG_ERROR, "E0105", at, "unknown escape in a string");
      diag_help(p->diags, d, "the escapes are \\n, \\t, \\\" and \\\\; a backslash itself is written \\\\");
    }
  }
  uint32_t cp;
  for (size_t k = 0; k < b.n;) {
    int n = utf8_decode(b.s + k, b.n - k, &cp);
    if (n == 0) {
      diag *d = diag_add(p->diags, DIAG_ERROR, "E0101", e->at, "this string is not valid UTF-8");
      diag_help(p->diags, d, "save the file as UTF-8");
      break;
    }
    k += (size_t)n;
  }
  e->string.bytes = b.s;
  e->string.len = b.n;
  return e;
}

ast_expr *build_name_expr(parser *p, token t) {
  ast_expr *e = new_expr(p, EXPR_NAME, build_span(p, t));
  e->name = build_name(p, t);
  return e;
}

ast_expr *build_prefix(parser *p, ast_op op, token t, ast_expr *arg) {
  ast_expr *e = new_expr(p, EXPR_UNARY, span_join(build_span(p, t), arg->at));
  e->unary.op = op;
  e->unary.arg = arg;
  over(p, e, arg);
  return e;
}

ast_expr *build_transpose(parser *p, ast_expr *arg, token t) {
  ast_expr *e = new_expr(p, EXPR_UNARY, span_join(arg->at, build_span(p, t)));
  e->unary.op = OP_TRANSPOSE;
  e->unary.arg = arg;
  over(p, e, arg);
  return e;
}

ast_expr *build_binary(parser *p, ast_op op, ast_expr *lhs, token t, ast_expr *rhs) {
  ast_expr *e = new_expr(p, EXPR_BINARY, span_join(lhs->at, rhs->at));
  e->binary.op = op;
  e->binary.lhs = lhs;
  e->binary.rhs = rhs;
  e->binary.op_at = build_span(p, t);
  over(p, e, lhs), over(p, e, rhs);
  return e;
}

ast_expr *build_call(parser *p, token fn, ast_args *args, token close) {
  ast_expr *e = new_expr(p, EXPR_CALL, build_join(p, fn, close));
  e->call.fn = build_name(p, fn);
  if (args) {
    e->call.args = *args;
    over_args(p, e, args);
  }
  return e;
}

ast_expr *build_member_call(parser *p, ast_expr *of, token fn, ast_args *args, token close) {
  ast_expr *e = build_call(p, fn, args, close);
  e->at = span_join(of->at, build_span(p, close));
  if (e->kind == EXPR_ERROR) return e;
  e->call.of = of;
  over(p, e, of);
  return e;
}

ast_expr *build_reduce(parser *p, token fn, ast_expr *body, ast_iter *iter, token close) {
  ast_expr *e = new_expr(p, EXPR_REDUCE, build_join(p, fn, close));
  e->reduce.fn = build_name(p, fn);
  e->reduce.body = body;
  e->reduce.iter = *iter;
  over(p, e, body), over_iter(p, e, iter);
  return e;
}

ast_expr *build_array(parser *p, token open, ast_exprs *elems, token close) {
  ast_expr *e = new_expr(p, EXPR_ARRAY, build_join(p, open, close));
  if (elems) {
    e->array.elems = *elems;
    over_exprs(p, e, elems);
  }
  return e;
}

ast_expr *build_comprehension(parser *p, token open, ast_expr *body, ast_iter *iter, token close) {
  ast_expr *e = new_expr(p, EXPR_COMPREHENSION, build_join(p, open, close));
  e->comprehension.body = body;
  e->comprehension.iter = *iter;
  over(p, e, body), over_iter(p, e, iter);
  return e;
}

ast_expr *build_index(parser *p, ast_expr *base, ast_exprs *subs, token close) {
  ast_expr *e = new_expr(p, EXPR_INDEX, span_join(base->at, build_span(p, close)));
  e->index.base = base;
  e->index.subs = *subs;
  over(p, e, base), over_exprs(p, e, subs);
  return e;
}

ast_expr *build_field(parser *p, ast_expr *base, token name) {
  ast_expr *e = new_expr(p, EXPR_FIELD, span_join(base->at, build_span(p, name)));
  e->field.base = base;
  e->field.field = build_name(p, name);
  over(p, e, base);
  return e;
}

ast_expr *build_if_expr(parser *p, token if_, ast_expr *cond, ast_expr *then, ast_expr *else_, span end) {
  ast_expr *e = new_expr(p, EXPR_IF, span_join(build_span(p, if_), end));
  e->if_.cond = cond;
  e->if_.then = then;
  e->if_.else_ = else_;
  over(p, e, cond), over(p, e, then), over(p, e, else_);
  return e;
}

ast_expr *build_let_expr(parser *p, token let, token var, ast_expr *value, ast_expr *body) {
  ast_expr *e = new_expr(p, EXPR_LET, span_join(build_span(p, let), body->at));
  e->let.var = build_name(p, var);
  e->let.value = value;
  e->let.body = body;
  over(p, e, value), over(p, e, body);
  return e;
}

ast_expr *build_range_expr(parser *p, ast_expr *lo, ast_expr *hi) {
  ast_expr *e = new_expr(p, EXPR_RANGE, span_join(lo->at, hi->at));
  e->range.lo = lo;
  e->range.hi = hi;
  over(p, e, lo), over(p, e, hi);
  return e;
}

ast_expr *build_all(parser *p, token colon) { return new_expr(p, EXPR_ALL, build_span(p, colon)); }

ast_expr *build_parens(parser *p, token open, ast_expr *e, token close) {
  e->at = build_join(p, open, close);
  return e;
}

ast_exprs *build_exprs_add(parser *p, ast_exprs *list, ast_expr *e) {
  if (!list) list = ARENA_NEW(p->a, ast_exprs);
  ARENA_PUSH(p->a, list->items, list->n, list->cap, e);
  return list;
}

ast_arg *build_arg(parser *p, const token *name, ast_expr *value) {
  ast_arg *arg = ARENA_NEW(p->a, ast_arg);
  if (name) arg->name = build_name(p, *name);
  arg->value = value;
  arg->at = name ? span_join(arg->name.at, value->at) : value->at;
  return arg;
}

ast_args *build_args_add(parser *p, ast_args *list, ast_arg *arg) {
  if (!list) list = ARENA_NEW(p->a, ast_args);
  ARENA_PUSH(p->a, list->items, list->n, list->cap, *arg);
  return list;
}

ast_range *build_range(parser *p, token var, ast_expr *lo, ast_expr *hi, ast_expr *by) {
  ast_range *r = ARENA_NEW(p->a, ast_range);
  r->var = build_name(p, var);
  r->lo = lo, r->hi = hi, r->by = by;
  r->at = span_join(r->var.at, by ? by->at : hi->at);
  return r;
}

ast_range *build_over(parser *p, token var, ast_expr *over_) {
  ast_range *r = ARENA_NEW(p->a, ast_range);
  r->var = build_name(p, var);
  r->over = over_;
  r->at = span_join(r->var.at, over_->at);
  return r;
}

ast_iter *build_iter_add(parser *p, ast_iter *iter, ast_range *r) {
  if (!iter) {
    iter = ARENA_NEW(p->a, ast_iter);
    iter->at = r->at;
  }
  iter->at = span_join(iter->at, r->at);
  ARENA_PUSH(p->a, iter->items, iter->n, iter->cap, *r);
  return iter;
}

ast_iter *build_iter_if(parser *p, ast_iter *iter, ast_expr *cond) {
  (void)p;
  iter->cond = cond;
  iter->at = span_join(iter->at, cond->at);
  return iter;
}

static ast_type *new_type(parser *p, type_kind kind, span at) {
  ast_type *t = ARENA_NEW(p->a, ast_type);
  t->kind = kind;
  t->id = p->ids++;
  t->at = at;
  t->depth = 1;
  return t;
}

/* Expressions are bounded, and types hold no types, so this stays below the limit + 1. */
static void type_over(ast_type *t, const ast_expr *child) {
  if (child && child->depth >= t->depth) t->depth = (uint16_t)(child->depth + 1);
}

ast_type *build_type(parser *p, token name, ast_args *bounds, ast_exprs *args, ast_dims *dims, span end) {
  span at = build_span(p, name);
  if (bounds && bounds->n) at = span_join(at, bounds->items[bounds->n - 1].at), at.len++; /* the `>` */
  ast_type *t = new_type(p, TYPE_NAMED, span_join(at, end));
  t->name = build_name(p, name);
  if (bounds) t->bounds = *bounds;
  if (args) t->args = *args;
  if (dims) t->dims = *dims;
  for (size_t i = 0; i < t->bounds.n; i++) type_over(t, t->bounds.items[i].value);
  for (size_t i = 0; i < t->args.n; i++) type_over(t, t->args.items[i]);
  for (size_t i = 0; i < t->dims.n; i++) type_over(t, t->dims.items[i].lo), type_over(t, t->dims.items[i].size);
  return t;
}

ast_type *build_type_range(parser *p, ast_expr *lo, ast_expr *hi) {
  ast_type *t = new_type(p, TYPE_RANGE, span_join(lo->at, hi->at));
  t->lo = lo;
  t->hi = hi;
  type_over(t, lo), type_over(t, hi);
  return t;
}

ast_dim *build_dim(parser *p, const token *var, ast_expr *lo, ast_expr *size) {
  ast_dim *d = ARENA_NEW(p->a, ast_dim);
  if (var) d->var = build_name(p, *var);
  d->lo = lo;
  d->size = size;
  d->at = var ? span_join(d->var.at, size->at) : size->at;
  return d;
}

ast_dims *build_dims_add(parser *p, ast_dims *list, ast_dim *d) {
  if (!list) list = ARENA_NEW(p->a, ast_dims);
  ARENA_PUSH(p->a, list->items, list->n, list->cap, *d);
  return list;
}

ast_param *build_param(parser *p, token name, ast_type *type, ast_expr *default_) {
  ast_param *param = ARENA_NEW(p->a, ast_param);
  param->name = build_name(p, name);
  param->type = type;
  param->default_ = default_;
  param->id = p->ids++;
  param->at = param->name.at;
  if (type) param->at = span_join(param->at, type->at);
  if (default_) param->at = span_join(param->at, default_->at);
  return param;
}

ast_params *build_params_add(parser *p, ast_params *list, ast_param *param) {
  if (!list) list = ARENA_NEW(p->a, ast_params);
  ARENA_PUSH(p->a, list->items, list->n, list->cap, *param);
  return list;
}
