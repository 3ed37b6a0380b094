/* bind_eval.c: values that are needed when data is bound: bounds and defaults of a signature, and numbers written in
 * bindings.  Scalars only; the depth of a tree is bounded by the parser, the work by b->fuel. */
#include "compiler/bind_state.h"

#include "compiler/builtin.h"
#include "stdlib/runtime/rt_math_core.h"

const char BIND_LATER[] = "this needs a size that is not known yet";

enum { MAX_NESTING = 16 }; /* defaults that read defaults */

typedef struct eval {
  binder *b;
  span at; /* of what could not be evaluated */
  int nesting;
} eval;

static const char *value(eval *v, const ast_expr *e, bind_num *out);

static const char *fail(eval *v, const ast_expr *e, const char *why) {
  v->at = e->at;
  return why;
}

static bind_num integer(int64_t i) { return (bind_num){.kind = DATA_INT, .i = i}; }
static bind_num boolean(bool i) { return (bind_num){.kind = DATA_BOOL, .i = i}; }
static bind_num real(double r) { return (bind_num){.kind = DATA_REAL, .r = r}; }

bind_num bind_cell(const data_array *x, size_t cell) {
  if (x->kind == DATA_REAL) return real(x->f64[cell]);
  return (bind_num){.kind = x->kind == DATA_BOOL ? DATA_BOOL : DATA_INT, .i = x->i64[cell]};
}

const char *bind_num_text(binder *b, bind_num x) {
  return x.kind == DATA_REAL ? bind_real_text(b, x.r) : arena_printf(b->a, "%lld", (long long)x.i);
}

static int compare(bind_num a, bind_num b) { /* 2: NaN */
  if (a.kind != DATA_REAL && b.kind != DATA_REAL) return (a.i > b.i) - (a.i < b.i);
  double x = bind_num_real(a), y = bind_num_real(b);
  return x != x || y != y ? 2 : (x > y) - (x < y);
}

static const char *arith(ast_op op, bind_num a, bind_num b, bind_num *out) {
  static const char overflow[] = "this integer does not fit in 64 bits";
  bool reals = a.kind == DATA_REAL || b.kind == DATA_REAL;
  double x = bind_num_real(a), y = bind_num_real(b);
  int64_t n = 0;
  switch (op) {
  case OP_ADD:
    if (reals) *out = real(x + y);
    else if (__builtin_add_overflow(a.i, b.i, &n)) return overflow;
    else *out = integer(n);
    return NULL;
  case OP_SUB:
    if (reals) *out = real(x - y);
    else if (__builtin_sub_overflow(a.i, b.i, &n)) return overflow;
    else *out = integer(n);
    return NULL;
  case OP_MUL:
    if (reals) *out = real(x * y);
    else if (__builtin_mul_overflow(a.i, b.i, &n)) return overflow;
    else *out = integer(n);
    return NULL;
  case OP_DIV: *out = real(x / y); return NULL;
  case OP_POW: *out = real(rt_pow(x, y)); return NULL;
  case OP_FLOORDIV:
  case OP_MOD:
    if (reals) return op == OP_MOD ? "`%` divides integers" : "`//` divides integers";
    if (b.i == 0) return "this divides by zero";
    if (b.i == -1) { /* INT64_MIN // -1 */
      if (op == OP_MOD) *out = integer(0);
      else if (__builtin_sub_overflow((int64_t)0, a.i, &n)) return overflow;
      else *out = integer(n);
      return NULL;
    }
    n = a.i / b.i;
    if (a.i % b.i != 0 && (a.i < 0) != (b.i < 0)) n--;
    *out = integer(op == OP_FLOORDIV ? n : a.i - n * b.i);
    return NULL;
  case OP_LT: *out = boolean(compare(a, b) == -1); return NULL;
  case OP_LE: *out = boolean(compare(a, b) <= 0); return NULL;
  case OP_GT: *out = boolean(compare(a, b) == 1); return NULL;
  case OP_GE: *out = boolean(compare(a, b) == 0 || compare(a, b) == 1); return NULL;
  case OP_EQ: *out = boolean(compare(a, b) == 0); return NULL;
  case OP_NE: *out = boolean(compare(a, b) != 0); return NULL;
  case OP_AND: *out = boolean(x != 0 && y != 0); return NULL;
  case OP_OR: *out = boolean(x != 0 || y != 0); return NULL;
  default: return "this operator has no meaning here";
  }
}

static bool same_word(const char *a, const char *lower) {
  while (*a && (*a | 32) == *lower) a++, lower++;
  return !*a && !*lower;
}

static const char *name_value(eval *v, const ast_expr *e, bind_num *out) {
  const symbol *s = e->name.sym;
  if (!s && same_word(e->name.name, "nan")) return fail(v, e, "NaN is no number: in a binding no value may be missing");
  if (!s) return fail(v, e, "a name may stand in a binding only by itself");
  for (size_t k = v->b->nlocals; k-- > 0;)
    if (v->b->local[k].sym == s) {
      *out = v->b->local[k].value;
      return NULL;
    }
  int64_t n;
  if (s->size != IR_SIZE_NONE) {
    if (size_value(v->b->p->sizes, s->size, &n)) {
      *out = integer(n);
      return NULL;
    }
    return fail(v, e, BIND_LATER);
  }
  const bound *y = bind_of(v->b, s);
  if (!y || s->type->rank > 0) return fail(v, e, "this is not one number of the data");
  if (y->x && y->x->cells) {
    *out = bind_cell(y->x, 0);
    return NULL;
  }
  if (!s->param || !s->param->default_) return fail(v, e, "there are no data for this");
  if (v->nesting == MAX_NESTING) return fail(v, e, "these defaults depend on each other");
  v->nesting++;
  const char *why = value(v, s->param->default_, out);
  v->nesting--;
  return why;
}

static const bound *array_of(eval *v, const ast_expr *e) {
  if (e->kind != EXPR_NAME || !e->name.sym) return NULL;
  const bound *y = bind_of(v->b, e->name.sym);
  return y && y->x && !y->fill && y->x->rank == y->sym->type->rank && y->x->kind != DATA_TEXT ? y : NULL;
}

static const char *element_value(eval *v, const ast_expr *e, bind_num *out) {
  const bound *y = array_of(v, e->index.base);
  if (!y || (int)e->index.subs.n != y->x->rank) return fail(v, e, "only elements of data arrays can be read here");
  size_t cell = 0;
  for (size_t k = 0; k < e->index.subs.n; k++) {
    const ast_expr *sub = e->index.subs.items[k];
    if (sub->kind == EXPR_RANGE || sub->kind == EXPR_ALL) return fail(v, sub, "only elements of data arrays can be read here");
    bind_num i;
    const char *why = value(v, sub, &i);
    if (why) return why;
    if (i.kind == DATA_REAL) return fail(v, sub, "an index is an integer");
    if (i.i < 1 || i.i > y->x->dims[k]) return fail(v, sub, "this index is outside its array");
    cell = cell * (size_t)y->x->dims[k] + (size_t)(i.i - 1);
  }
  if (y->missing && y->missing->missing[cell]) return fail(v, e, "this value is missing");
  *out = bind_cell(y->x, cell);
  return NULL;
}

/* max(x), sum(x), ... over a data array. */
static const char *reduce_value(eval *v, const ast_expr *e, int builtin, bind_num *out) {
  const bound *y = array_of(v, e->call.args.items[0].value);
  if (!y) return fail(v, e, "this function cannot be computed when data is bound");
  size_t n = y->x->cells;
  if (n == 0 && builtin != BUILTIN_SUM) return fail(v, e, "this array is empty");
  bind_num all = n ? bind_cell(y->x, 0) : integer(0);
  double sum = bind_num_real(all);
  for (size_t k = 1; k < n; k++) {
    bind_num x = bind_cell(y->x, k);
    if (builtin == BUILTIN_MAX ? compare(x, all) == 1 : builtin == BUILTIN_MIN && compare(x, all) == -1) all = x;
    sum += bind_num_real(x);
    if (builtin == BUILTIN_SUM) {
      const char *why = arith(OP_ADD, all, x, &all);
      if (why) return fail(v, e, why);
    }
  }
  *out = builtin == BUILTIN_MEAN ? real(sum / (double)n) : all;
  return NULL;
}

static const char *call_value(eval *v, const ast_expr *e, bind_num *out) {
  const char *cannot = "this function cannot be computed when data is bound";
  const symbol *s = e->call.fn.sym;
  if (!s) return fail(v, e, "a binding holds no calls other than `columns`");
  if (s->kind != SYM_BUILTIN) {
    const check_call *c = check_call_of(&v->b->p->check, e);
    s = c ? c->callee : s;
  }
  if (s->kind != SYM_BUILTIN) return fail(v, e, cannot);
  size_t n = e->call.args.n;
  if (s->builtin == BUILTIN_SIZE && n >= 1) {
    const ty_info *t = ty_of(e->call.args.items[0].value);
    int64_t axis = 1, size;
    if (n == 2) {
      bind_num k;
      const char *why = value(v, e->call.args.items[1].value, &k);
      if (why) return why;
      axis = k.i;
    }
    if (!t || axis < 1 || axis > t->rank) return fail(v, e, cannot);
    if (!size_value(v->b->p->sizes, t->dim[axis - 1], &size)) return fail(v, e, BIND_LATER);
    *out = integer(size);
    return NULL;
  }
  bool reduces = s->builtin == BUILTIN_MIN || s->builtin == BUILTIN_MAX || s->builtin == BUILTIN_SUM || s->builtin == BUILTIN_MEAN;
  if (reduces && n == 1) return reduce_value(v, e, s->builtin, out);
  bind_num a[2];
  if (n < 1 || n > 2) return fail(v, e, cannot);
  for (size_t k = 0; k < n; k++) {
    const char *why = value(v, e->call.args.items[k].value, &a[k]);
    if (why) return why;
  }
  double x = bind_num_real(a[0]);
  if (n == 2) {
    switch (s->builtin) {
    case BUILTIN_MIN: *out = compare(a[0], a[1]) == 1 ? a[1] : a[0]; return NULL;
    case BUILTIN_MAX: *out = compare(a[0], a[1]) == -1 ? a[1] : a[0]; return NULL;
    case BUILTIN_POW: *out = real(rt_pow(x, bind_num_real(a[1]))); return NULL;
    default: return fail(v, e, cannot);
    }
  }
  switch (s->builtin) {
  case BUILTIN_EXP: *out = real(rt_exp(x)); return NULL;
  case BUILTIN_LOG: *out = real(rt_log(x)); return NULL;
  case BUILTIN_SQRT: *out = real(rt_sqrt(x)); return NULL;
  case BUILTIN_ABS:
    if (a[0].kind == DATA_REAL) *out = real(rt_abs(x));
    else if (a[0].i < 0) {
      const char *why = arith(OP_SUB, integer(0), a[0], out);
      return why ? fail(v, e, why) : NULL;
    } else *out = a[0];
    return NULL;
  case BUILTIN_TO_REAL: *out = real(x); return NULL;
  default: return fail(v, e, cannot);
  }
}

static const char *value(eval *v, const ast_expr *e, bind_num *out) {
  if (v->b->fuel == 0) return fail(v, e, "this takes too long to compute");
  v->b->fuel--;
  switch (e->kind) {
  case EXPR_INT: *out = integer(e->integer.value); return NULL;
  case EXPR_REAL: *out = real(e->real.value); return NULL;
  case EXPR_BOOL: *out = boolean(e->boolean); return NULL;
  case EXPR_NAME: return name_value(v, e, out);
  case EXPR_INDEX: return element_value(v, e, out);
  case EXPR_CALL: return call_value(v, e, out);
  case EXPR_UNARY: {
    bind_num a;
    const char *why = value(v, e->unary.arg, &a);
    if (why) return why;
    if (e->unary.op == OP_NEG && a.kind == DATA_REAL) *out = real(-a.r);
    else if (e->unary.op == OP_NEG) {
      why = arith(OP_SUB, integer(0), a, out);
      if (why) return fail(v, e, why);
    } else if (e->unary.op == OP_NOT) *out = boolean(bind_num_real(a) == 0);
    else return fail(v, e, "this operator has no meaning here");
    return NULL;
  }
  case EXPR_BINARY: {
    bind_num a, b;
    const char *why = value(v, e->binary.lhs, &a);
    if (!why) why = value(v, e->binary.rhs, &b);
    if (why) return why;
    why = arith(e->binary.op, a, b, out);
    return why ? fail(v, e, why) : NULL;
  }
  case EXPR_IF: {
    bind_num c;
    const char *why = value(v, e->if_.cond, &c);
    return why ? why : value(v, bind_num_real(c) != 0 ? e->if_.then : e->if_.else_, out);
  }
  case EXPR_STRING: {
    int64_t n;
    if (e->string.level) {
      if (!size_value(v->b->p->sizes, e->string.level->size, &n)) return BIND_LATER;
      *out = integer(n);
      return NULL;
    }
    return fail(v, e, "this is a text, not a number");
  }
  case EXPR_ARRAY: return fail(v, e, "this is an array, not a number");
  default: return fail(v, e, "this is neither a number nor made of numbers");
  }
}

const char *bind_eval(binder *b, const ast_expr *e, bind_num *out, span *at) {
  eval v = {.b = b, .at = e->at};
  b->fuel = 100000;
  const char *why = value(&v, e, out);
  if (why) *at = v.at;
  return why;
}
