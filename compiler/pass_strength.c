/* pass_strength.c: expressions become cheaper ones.
 *
 *   inverses      log(exp x) = x;  log(sqrt x) = 0.5 log x;  log(inv_logit x) = -log1p_exp(-x);
 *                 log1p(-inv_logit x) = log(1 - inv_logit x) = -log1p_exp(x)
 *                 sqrt(x) sqrt(x) = x and exp(log x) = x, where x cannot be negative by the way it is made
 *   literals      gather: c (d x) = (c d) x;  (x + c) + d = x + (c + d);  (x + c) + y = (x + y) + c, so that the constants of a sum
 *                 of log densities become one, added last, through guards too.  The same for sizes and ints.
 *   signs         (-x) y = -(x y);  -(c x) = (-c) x;  -(x - y) = y - x
 *   guards        guard 0 <= x, y = y where x cannot be negative by the way it is made: if x is NaN, y keeps its value
 *   medians       1/2 < phi x = 0 < x, and so of inv_logit x
 *   empty sums    select(0 < n, c, 0) n = c n for a finite literal c and a number n of iterations
 *
 * needs: a function; use counts decide, so that nothing is computed twice.  The values differ by roundings, and where x was
 * out of range: log(exp x) is x also where exp x overflows to inf or underflows to 0, which is the value that the formula
 * has; with x = -inf and inf both agree.  NaN stays NaN.  -(x - x) is 0.0, not -0.0. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

enum { MAX_DEPTH = 12 };

typedef struct reducer {
  ir_module *m;
  ir_fn *fn;
  ir_map renamed;
  uint32_t *uses;
  uint32_t n;  /* entries of uses */
  ir_map made; /* values made here for others: the uses of those; what they are made of is used once */
  bool changed;
} reducer;

static ir_builder before(const reducer *s, ir_op *op) { return (ir_builder){.fn = s->fn, .block = op->block, .before = op, .where = op->where}; }

static void becomes(reducer *s, ir_op *op, ir_val v) {
  if (v < s->n) s->uses[v] += s->uses[op->res[0]];
  else ir_map_set(&s->made, v, ir_map_get(&s->made, v) + s->uses[op->res[0]]);
  ir_map_set(&s->renamed, op->res[0], v);
  ir_remove(op);
  s->changed = true;
}

/* The operation behind v if it is of that code. */
static const ir_op *made_by(const reducer *s, ir_val v, ir_code code) {
  const ir_op *op = v ? ir_def_op(s->fn, v) : NULL;
  return op && op->code == code ? op : NULL;
}

static bool used_once(const reducer *s, ir_val v) {
  if (v < s->n) return s->uses[v] == 1;
  uint32_t uses = ir_map_get(&s->made, v);
  return uses <= 1;
}

/* ... and nobody else reads v, so that it goes when its reader does. */
static const ir_op *only(const reducer *s, ir_val v, ir_code code) { return used_once(s, v) ? made_by(s, v, code) : NULL; }

/* ... and it stands beside its reader: what it does may be done behind what the reader does without being done more often. */
static const ir_op *beside(const reducer *s, const ir_op *reader, ir_val v, ir_code code) {
  const ir_op *op = only(s, v, code);
  return op && op->block == reader->block ? op : NULL;
}

static bool is_finite(double x) { return x - x == 0; }

/* Not below 0, or NaN. */
static bool not_negative(const reducer *s, ir_val v, int depth) {
  const ir_op *op = ir_def_op(s->fn, v);
  double c;
  if (!op || depth == 0) return false;
  switch (op->code) {
  case IR_REAL_OP: return op->u.real >= 0;
  case IR_EXP_OP:
  case IR_SQRT_OP:
  case IR_ABS_OP:
  case IR_INV_LOGIT_OP:
  case IR_PHI_OP:
  case IR_ERFC_OP:
  case IR_LOG1P_EXP_OP: return true;
  case IR_SUB_OP: return ir_is_real(s->fn, op->args[0], &c) && c >= 1 && made_by(s, op->args[1], IR_INV_LOGIT_OP);
  case IR_FMA_OP:
    return (op->args[0] == op->args[1] || (not_negative(s, op->args[0], depth - 1) && not_negative(s, op->args[1], depth - 1))) &&
           not_negative(s, op->args[2], depth - 1);
  case IR_MUL_OP:
    if (op->args[0] == op->args[1]) return true; /* fallthrough */
  case IR_ADD_OP:
  case IR_DIV_OP:
  case IR_MAX_OP:
  case IR_MIN_OP: return not_negative(s, op->args[0], depth - 1) && not_negative(s, op->args[1], depth - 1);
  default: return false;
  }
}

/* ---- logarithms of what was just made by an exponential */

static void reduce_log(reducer *s, ir_op *op) {
  ir_builder b = before(s, op);
  ir_val x = op->args[0], q = 0, y = 0;
  const ir_op *def;
  double c;
  if ((def = made_by(s, x, IR_EXP_OP))) y = def->args[0];
  else if ((def = only(s, x, IR_SQRT_OP))) y = ir_op2(&b, IR_MUL_OP, ir_real(&b, 0.5), ir_op1(&b, IR_LOG_OP, def->args[0]));
  else if ((def = made_by(s, x, IR_INV_LOGIT_OP))) q = ir_op1(&b, IR_NEG_OP, def->args[0]);
  else if ((def = made_by(s, x, IR_SUB_OP)) && ir_is_real(s->fn, def->args[0], &c) && c == 1 && (def = made_by(s, def->args[1], IR_INV_LOGIT_OP)))
    q = def->args[0];
  if (q) y = ir_op1(&b, IR_NEG_OP, ir_op1(&b, IR_LOG1P_EXP_OP, q));
  if (!y) return;
  ir_remark_add(s->m, "strength", op->where, false, "a logarithm undoes the exponential it is taken of");
  becomes(s, op, y);
}

static void reduce_log1p(reducer *s, ir_op *op) {
  const ir_op *neg = made_by(s, op->args[0], IR_NEG_OP), *def = neg ? made_by(s, neg->args[0], IR_INV_LOGIT_OP) : NULL;
  if (!def) return;
  ir_builder b = before(s, op);
  ir_val y = ir_op1(&b, IR_NEG_OP, ir_op1(&b, IR_LOG1P_EXP_OP, def->args[0]));
  ir_remark_add(s->m, "strength", op->where, false, "a logarithm undoes the exponential it is taken of");
  becomes(s, op, y);
}

/* ---- products */

/* v is c x for a literal c. */
static bool scaled(const reducer *s, ir_val v, double *c, ir_val *x) {
  const ir_op *def = made_by(s, v, IR_MUL_OP);
  for (int k = 0; def && k < 2; k++)
    if (ir_is_real(s->fn, def->args[k], c)) {
      *x = def->args[1 - k];
      return true;
    }
  return false;
}

/* select(0 < n, c, 0), n being that number of iterations: what a sum over n of a constant leaves. */
static bool empty_sum(const reducer *s, ir_val v, ir_val times, double *c) {
  const ir_op *count = made_by(s, times, IR_TO_REAL_OP), *select = made_by(s, v, IR_SELECT_OP);
  const ir_op *less = count && select ? made_by(s, select->args[0], IR_LT_OP) : NULL;
  double zero;
  int64_t low;
  if (!less || less->args[1] != count->args[0] || !ir_is_int(s->fn, less->args[0], &low) || low != 0) return false;
  if (!ir_is_real(s->fn, select->args[1], c) || !is_finite(*c) || !ir_is_real(s->fn, select->args[2], &zero) || zero != 0) return false;
  /* An extent of data, or one made to be at least 0. */
  const ir_op *max = made_by(s, count->args[0], IR_MAX_OP);
  if (max) return ir_is_int(s->fn, max->args[1], &low) && low == 0;
  return size_is_symbol(s->m->sizes, ir_size_of(s->fn, count->args[0]), NULL);
}

static void reduce_mul(reducer *s, ir_op *op) {
  ir_builder b = before(s, op);
  double c, d;
  ir_val x;
  const ir_op *root = made_by(s, op->args[0], IR_SQRT_OP);
  if (root && op->args[0] == op->args[1] && not_negative(s, root->args[0], MAX_DEPTH)) {
    becomes(s, op, root->args[0]);
    return;
  }
  for (int k = 0; k < 2; k++) {
    ir_val a = op->args[k], other = op->args[1 - k];
    const ir_op *neg;
    if (ir_is_real(s->fn, other, &c)) {
      if (scaled(s, a, &d, &x) && used_once(s, a) && is_finite(c * d)) {
        becomes(s, op, ir_op2(&b, IR_MUL_OP, ir_real(&b, c * d), x));
        return;
      }
      if ((neg = made_by(s, a, IR_NEG_OP))) {
        becomes(s, op, ir_op2(&b, IR_MUL_OP, ir_real(&b, -c), neg->args[0]));
        return;
      }
    } else if ((neg = beside(s, op, a, IR_NEG_OP))) {
      becomes(s, op, ir_op1(&b, IR_NEG_OP, ir_op2(&b, IR_MUL_OP, neg->args[0], other)));
      return;
    } else if (beside(s, op, a, IR_MUL_OP) && scaled(s, a, &c, &x) && is_finite(c)) {
      /* Outwards, where it meets others. */
      becomes(s, op, ir_op2(&b, IR_MUL_OP, ir_real(&b, c), ir_op2(&b, IR_MUL_OP, x, other)));
      return;
    }
    if (empty_sum(s, a, other, &c)) {
      becomes(s, op, ir_op2(&b, IR_MUL_OP, ir_real(&b, c), other));
      return;
    }
  }
}

static void reduce_div(reducer *s, ir_op *op) {
  const ir_op *neg = beside(s, op, op->args[0], IR_NEG_OP);
  double c, d;
  ir_val x;
  ir_builder b = before(s, op);
  if (neg) {
    becomes(s, op, ir_op1(&b, IR_NEG_OP, ir_op2(&b, IR_DIV_OP, neg->args[0], op->args[1])));
  } else if (scaled(s, op->args[0], &c, &x) && used_once(s, op->args[0]) && ir_is_real(s->fn, op->args[1], &d) && d != 0 && is_finite(c / d)) {
    becomes(s, op, ir_op2(&b, IR_MUL_OP, ir_real(&b, c / d), x));
  }
}

static void reduce_neg(reducer *s, ir_op *op) {
  ir_builder b = before(s, op);
  const ir_op *sub = beside(s, op, op->args[0], IR_SUB_OP);
  double c;
  ir_val x;
  if (sub) becomes(s, op, ir_op2(&b, IR_SUB_OP, sub->args[1], sub->args[0]));
  else if (scaled(s, op->args[0], &c, &x) && used_once(s, op->args[0])) becomes(s, op, ir_op2(&b, IR_MUL_OP, ir_real(&b, -c), x));
}

/* ---- sums: (sign) x + c */

typedef struct shifted {
  ir_val x; /* 0: a literal alone */
  bool minus;
  double c;
} shifted;

static bool plain_literal(const reducer *s, ir_val v, double *c) { return ir_is_real(s->fn, v, c) && is_finite(*c); }

/* v taken apart; true if it has a literal and goes away once it is. */
static bool take_apart(const reducer *s, const ir_op *reader, ir_val v, shifted *out) {
  *out = (shifted){.x = v};
  if (plain_literal(s, v, &out->c)) {
    out->x = 0;
    return true;
  }
  const ir_op *def = beside(s, reader, v, IR_ADD_OP);
  if (!def) def = beside(s, reader, v, IR_SUB_OP);
  if (!def) return false;
  bool sub = def->code == IR_SUB_OP;
  if (plain_literal(s, def->args[1], &out->c)) {
    out->x = def->args[0];
    if (sub) out->c = -out->c;
    return true;
  }
  if (plain_literal(s, def->args[0], &out->c)) {
    out->x = def->args[1];
    out->minus = sub;
    return true;
  }
  return false;
}

/* x + c as it is written: with x - c where c is negative it would never be the same twice. */
static ir_val plus_literal(ir_builder *b, ir_val x, double c) { return c == 0 ? x : ir_op2(b, IR_ADD_OP, x, ir_real(b, c)); }

static void reduce_sum(reducer *s, ir_op *op) {
  shifted p, q;
  bool sub = op->code == IR_SUB_OP, a = take_apart(s, op, op->args[0], &p), b = take_apart(s, op, op->args[1], &q);
  ir_builder at = before(s, op);
  if (!p.x && !q.x) return; /* pass_fold's */
  if (sub && !q.x) { /* x - c */
    becomes(s, op, ir_op2(&at, IR_ADD_OP, op->args[0], ir_real(&at, -q.c)));
    return;
  }
  if ((!a && !b) || (!p.x && !b) || (!q.x && !a)) return;
  double c = sub ? p.c - q.c : p.c + q.c;
  bool minus = q.minus != sub;
  if (!is_finite(c)) return;
  ir_val r;
  if (p.x && q.x) {
    if (p.minus && minus) { /* -x - y + c */
      becomes(s, op, ir_op2(&at, IR_SUB_OP, ir_real(&at, c), ir_op2(&at, IR_ADD_OP, p.x, q.x)));
      return;
    }
    r = p.minus ? ir_op2(&at, IR_SUB_OP, q.x, p.x) : ir_op2(&at, minus ? IR_SUB_OP : IR_ADD_OP, p.x, q.x);
  } else {
    r = p.x ? p.x : q.x;
    if (p.x ? p.minus : minus) {
      becomes(s, op, ir_op2(&at, IR_SUB_OP, ir_real(&at, c), r));
      return;
    }
  }
  becomes(s, op, plus_literal(&at, r, c));
}

/* guard c, x + d, where d is finite, is (guard c, x) + d. */
static void reduce_guard(reducer *s, ir_op *op) {
  shifted p;
  const ir_op *le = made_by(s, op->args[0], IR_LE_OP);
  double low;
  if (le && ir_is_real(s->fn, le->args[0], &low) && low <= 0 && not_negative(s, le->args[1], MAX_DEPTH)) {
    becomes(s, op, op->args[1]);
    return;
  }
  if (!take_apart(s, op, op->args[1], &p) || !p.x) return;
  ir_builder b = before(s, op);
  ir_val x = p.minus ? ir_op1(&b, IR_NEG_OP, p.x) : p.x;
  becomes(s, op, plus_literal(&b, ir_op2(&b, IR_GUARD_OP, op->args[0], x), p.c));
}

/* (i + a) + b for sizes and ints a and b, and the same with differences. */
static void reduce_int_sum(reducer *s, ir_op *op) {
  size_table *t = s->m->sizes;
  ir_size a, b = ir_size_of(s->fn, op->args[1]), c;
  ir_val x = op->args[0];
  bool minus = op->code == IR_SUB_OP;
  if (!b && !minus) {
    b = ir_size_of(s->fn, op->args[0]);
    x = op->args[1];
  }
  const ir_op *def = ir_def_op(s->fn, x);
  if (!b || !def || (def->code != IR_ADD_OP && def->code != IR_SUB_OP)) return;
  ir_val i = def->args[0];
  a = ir_size_of(s->fn, def->args[1]);
  if (!a && def->code == IR_ADD_OP) {
    i = def->args[1];
    a = ir_size_of(s->fn, def->args[0]);
  }
  if (!a) return;
  if (def->code == IR_SUB_OP) a = size_sub(t, size_const(t, 0), a);
  c = minus ? size_sub(t, a, b) : size_add(t, a, b);
  if (!c) return;
  ir_builder at = before(s, op);
  int64_t n;
  bool number = size_is_const(t, c, &n);
  if (number && n == 0) becomes(s, op, i);
  else if (number && n < 0 && n > INT64_MIN) becomes(s, op, ir_op2(&at, IR_SUB_OP, i, ir_int(&at, -n)));
  else becomes(s, op, ir_op2(&at, IR_ADD_OP, i, ir_size_val(&at, c)));
}

/* Whether a point lies above the median asks for no distribution function. */
static void reduce_less(reducer *s, ir_op *op) {
  double c;
  const ir_op *f = made_by(s, op->args[1], IR_PHI_OP);
  if (!f) f = made_by(s, op->args[1], IR_INV_LOGIT_OP);
  if (!f || !ir_is_real(s->fn, op->args[0], &c) || c != 0.5) return;
  ir_builder at = before(s, op);
  becomes(s, op, ir_op2(&at, IR_LT_OP, ir_real(&at, 0.0), f->args[0]));
}

/* ---- the walk */

static void reduce(void *user, ir_op *op) {
  reducer *s = user;
  ir_rename_uses(op, &s->renamed);
  if (op->nargs == 0 || op->nres != 1) return;
  ir_elem elem = (ir_elem)ir_type_of(s->fn, op->res[0]).elem;
  if (elem == IR_INT && (op->code == IR_ADD_OP || op->code == IR_SUB_OP)) reduce_int_sum(s, op);
  if (op->code == IR_LT_OP) reduce_less(s, op);
  if (elem != IR_REAL) return;
  switch (op->code) {
  case IR_LOG_OP: reduce_log(s, op); break;
  case IR_LOG1P_OP: reduce_log1p(s, op); break;
  case IR_EXP_OP: {
    const ir_op *log = made_by(s, op->args[0], IR_LOG_OP);
    if (log && not_negative(s, log->args[0], MAX_DEPTH)) becomes(s, op, log->args[0]);
    break;
  }
  case IR_MUL_OP: reduce_mul(s, op); break;
  case IR_DIV_OP: reduce_div(s, op); break;
  case IR_GUARD_OP: reduce_guard(s, op); break;
  case IR_NEG_OP: reduce_neg(s, op); break;
  case IR_ADD_OP:
  case IR_SUB_OP: reduce_sum(s, op); break;
  default: break;
  }
}

bool pass_strength(ir_module *m, ir_fn *fn) {
  reducer s = {.m = m, .fn = fn, .renamed = ir_map_new(m->mem, fn), .uses = ir_use_counts(fn, m->mem), .n = fn->nvals, .made = {.mem = m->mem}};
  ir_visit_ops(&fn->body, reduce, &s);
  if (s.changed) ir_rename_all(fn, &s.renamed);
  return s.changed;
}
