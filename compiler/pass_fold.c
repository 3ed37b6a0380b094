/* pass_fold.c: constants, identities, and loops over nothing.
 *
 * Constants are computed by stdlib/runtime's functions, which engines call too: the same bits.  Identities hold for every
 * IEEE value, with these exceptions, which are part of what the operations mean:
 *   x + 0.0 is x, which keeps a -0.0 that the sum would lose
 *   pow by a literal: x^0 = 1, x^1 = x, x^2 = x x, x^3 = (x x) x, x^0.5 = sqrt x, x^-1 = 1 / x
 * A read of an array looks through the puts that made it, where positions are the same or apart.  x 0.0 and x - x stay, for infinite x.  Division by a literal power of two is a product, exactly. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"
#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"

#include <math.h>
#include <string.h>

typedef struct folder {
  ir_fn *fn;
  ir_map renamed;
  bool changed;
} folder;

/* ---- constants */

static void make_real(folder *f, ir_op *op, double x) {
  op->code = IR_REAL_OP;
  op->nargs = 0;
  op->u.real = x;
  f->changed = true;
}

static void make_int(folder *f, ir_op *op, ir_code code, int64_t n) {
  op->code = (uint16_t)code;
  op->nargs = 0;
  op->u.integer = n;
  f->changed = true;
}

bool fold_real_value(int code, double a, double b, double c, double *r) {
  switch (code) {
  case IR_ADD_OP: *r = a + b; return true;
  case IR_SUB_OP: *r = a - b; return true;
  case IR_MUL_OP: *r = a * b; return true;
  case IR_DIV_OP: *r = a / b; return true;
  case IR_FMA_OP: *r = rt_fma(a, b, c); return true;
  case IR_NEG_OP: *r = -a; return true;
  case IR_ABS_OP: *r = rt_abs(a); return true;
  case IR_MIN_OP: *r = rt_min(a, b); return true;
  case IR_MAX_OP: *r = rt_max(a, b); return true;
  case IR_SIGN_OP: *r = rt_sign(a); return true;
  case IR_FLOOR_OP: *r = rt_floor(a); return true;
  case IR_CEIL_OP: *r = rt_ceil(a); return true;
  case IR_ROUND_OP: *r = rt_round(a); return true;
  case IR_SQRT_OP: *r = rt_sqrt(a); return true;
  case IR_EXP_OP: *r = rt_exp(a); return true;
  case IR_LOG_OP: *r = rt_log(a); return true;
  case IR_LOG1P_OP: *r = rt_log1p(a); return true;
  case IR_EXPM1_OP: *r = rt_expm1(a); return true;
  case IR_POW_OP: *r = rt_pow(a, b); return true;
  case IR_SIN_OP: *r = rt_sin(a); return true;
  case IR_COS_OP: *r = rt_cos(a); return true;
  case IR_TAN_OP: *r = rt_tan(a); return true;
  case IR_ASIN_OP: *r = rt_asin(a); return true;
  case IR_ACOS_OP: *r = rt_acos(a); return true;
  case IR_ATAN_OP: *r = rt_atan(a); return true;
  case IR_ATAN2_OP: *r = rt_atan2(a, b); return true;
  case IR_SINH_OP: *r = rt_sinh(a); return true;
  case IR_COSH_OP: *r = rt_cosh(a); return true;
  case IR_TANH_OP: *r = rt_tanh(a); return true;
  case IR_ERF_OP: *r = rt_erf(a); return true;
  case IR_ERFC_OP: *r = rt_erfc(a); return true;
  case IR_LGAMMA_OP: *r = rt_lgamma(a); return true;
  case IR_DIGAMMA_OP: *r = rt_digamma(a); return true;
  case IR_TRIGAMMA_OP: *r = rt_trigamma(a); return true;
  case IR_LOG1P_EXP_OP: *r = rt_log1p_exp(a); return true;
  case IR_INV_LOGIT_OP: *r = rt_inv_logit(a); return true;
  case IR_PHI_OP: *r = rt_phi(a); return true;
  case IR_LOG_PHI_OP: *r = rt_log_phi(a); return true;
  case IR_INV_PHI_OP: *r = rt_inv_phi(a); return true;
#define X(CODE, name, meaning) case IR_##CODE##_OP: rt_kernels_for(0)->special[RT_##CODE](r, &a, 0, &b, 0, &c, 0, 1); return true;
  RT_SPECIAL_OPS(X)
#undef X
  default: return false;
  }
}

/* Wrapping, as engines compute; division by zero gives 0. */
static bool int_value(int code, int64_t a, int64_t b, int64_t *r) {
  uint64_t x = (uint64_t)a, y = (uint64_t)b;
  switch (code) {
  case IR_ADD_OP: *r = (int64_t)(x + y); return true;
  case IR_SUB_OP: *r = (int64_t)(x - y); return true;
  case IR_MUL_OP: *r = (int64_t)(x * y); return true;
  case IR_NEG_OP: *r = (int64_t)(0 - x); return true;
  case IR_ABS_OP: *r = a < 0 ? (int64_t)(0 - x) : a; return true;
  case IR_MIN_OP: *r = a < b ? a : b; return true;
  case IR_MAX_OP: *r = a > b ? a : b; return true;
  case IR_IDIV_OP:
  case IR_IMOD_OP: {
    if (b == 0 || b == -1) {
      *r = b == 0 || code == IR_IMOD_OP ? 0 : (int64_t)(0 - x);
      return true;
    }
    int64_t q = a / b - (a % b != 0 && (a < 0) != (b < 0));
    *r = code == IR_IDIV_OP ? q : (int64_t)(x - y * (uint64_t)q);
    return true;
  }
  default: return false;
  }
}

static int64_t to_int(double x) {
  if (x != x) return 0;
  if (x >= 0x1p63) return INT64_MAX;
  if (x <= -0x1p63) return INT64_MIN;
  return (int64_t)x;
}

static bool is_literal(const ir_fn *fn, ir_val v) {
  const ir_op *op = ir_def_op(fn, v);
  return op && (op->code == IR_REAL_OP || op->code == IR_INT_OP || op->code == IR_BOOL_OP);
}

static bool fold_constant(folder *f, ir_op *op) {
  double x[3] = {0}, r;
  int64_t n[3] = {0}, s;
  if (op->nargs == 0 || op->nargs > 3 || op->nres != 1 || !strchr(ir_op_table[op->code].signature, ':')) return false;
  for (uint32_t k = 0; k < op->nargs; k++) {
    if (!is_literal(f->fn, op->args[k])) return false;
    const ir_op *def = ir_def_op(f->fn, op->args[k]);
    if (def->code == IR_REAL_OP) x[k] = def->u.real;
    else n[k] = def->u.integer;
  }
  bool reals = ir_type_of(f->fn, op->args[0]).elem == IR_REAL;
  switch (op->code) {
  case IR_EQ_OP: make_int(f, op, IR_BOOL_OP, reals ? x[0] == x[1] : n[0] == n[1]); return true;
  case IR_NE_OP: make_int(f, op, IR_BOOL_OP, reals ? x[0] != x[1] : n[0] != n[1]); return true;
  case IR_LT_OP: make_int(f, op, IR_BOOL_OP, reals ? x[0] < x[1] : n[0] < n[1]); return true;
  case IR_LE_OP: make_int(f, op, IR_BOOL_OP, reals ? x[0] <= x[1] : n[0] <= n[1]); return true;
  case IR_AND_OP: make_int(f, op, IR_BOOL_OP, n[0] && n[1]); return true;
  case IR_OR_OP: make_int(f, op, IR_BOOL_OP, n[0] || n[1]); return true;
  case IR_NOT_OP: make_int(f, op, IR_BOOL_OP, !n[0]); return true;
  case IR_TO_REAL_OP: make_real(f, op, (double)n[0]); return true;
  case IR_TO_INT_OP: make_int(f, op, IR_INT_OP, to_int(x[0])); return true;
  case IR_BOOL_INT_OP: make_int(f, op, IR_INT_OP, n[0]); return true;
  default: break;
  }
  if (reals && fold_real_value(op->code, x[0], x[1], x[2], &r)) {
    make_real(f, op, r);
    return true;
  }
  if (!reals && ir_type_of(f->fn, op->args[0]).elem == IR_INT && int_value(op->code, n[0], n[1], &s)) {
    make_int(f, op, IR_INT_OP, s);
    return true;
  }
  return false;
}

/* ---- identities */

static void becomes(folder *f, ir_op *op, ir_val v) {
  ir_map_set(&f->renamed, op->res[0], v);
  ir_remove(op);
  f->changed = true;
}

/* op keeps its result and becomes code(a, b). */
static void rewrite(folder *f, ir_op *op, ir_code code, ir_val a, ir_val b) {
  ir_val *args = ARENA_ARRAY(f->fn->module->mem, ir_val, 2);
  args[0] = a;
  args[1] = b;
  op->code = (uint16_t)code;
  op->args = args;
  op->nargs = b ? 2 : 1;
  f->changed = true;
}

static ir_builder before(folder *f, ir_op *op) { return (ir_builder){.fn = f->fn, .block = op->block, .before = op, .where = op->where}; }

static bool is(const ir_fn *fn, ir_val v, double x) {
  double y;
  return ir_is_real(fn, v, &y) && memcmp(&x, &y, sizeof x) == 0;
}

static bool is_zero(const ir_fn *fn, ir_val v) { return is(fn, v, 0.0) || is(fn, v, -0.0); }

static bool is_int(const ir_fn *fn, ir_val v, int64_t n) {
  int64_t m;
  return ir_is_int(fn, v, &m) && m == n;
}

static ir_val negated(const ir_fn *fn, ir_val v) {
  const ir_op *op = ir_def_op(fn, v);
  return op && op->code == IR_NEG_OP ? op->args[0] : 0;
}

/* Its reciprocal is exact and neither overflows nor is subnormal. */
static bool is_power_of_two(double x) {
  uint64_t u;
  memcpy(&u, &x, sizeof u);
  uint64_t e = u >> 52 & 0x7FF;
  return (u & 0xFFFFFFFFFFFFFu) == 0 && e > 2 && e < 2044;
}

static void simplify_real(folder *f, ir_op *op) {
  ir_fn *fn = f->fn;
  ir_val a = op->args[0], b = op->nargs > 1 ? op->args[1] : 0;
  ir_builder at = before(f, op);
  double c;
  switch (op->code) {
  case IR_ADD_OP:
    if (is_zero(fn, b)) becomes(f, op, a);
    else if (is_zero(fn, a)) becomes(f, op, b);
    else if (negated(fn, b)) rewrite(f, op, IR_SUB_OP, a, negated(fn, b));
    else if (negated(fn, a)) rewrite(f, op, IR_SUB_OP, b, negated(fn, a));
    break;
  case IR_SUB_OP:
    if (is_zero(fn, b)) becomes(f, op, a);
    else if (is(fn, a, -0.0)) rewrite(f, op, IR_NEG_OP, b, 0);
    else if (negated(fn, b)) rewrite(f, op, IR_ADD_OP, a, negated(fn, b));
    break;
  case IR_MUL_OP:
    if (is(fn, b, 1.0)) becomes(f, op, a);
    else if (is(fn, a, 1.0)) becomes(f, op, b);
    else if (is(fn, b, -1.0)) rewrite(f, op, IR_NEG_OP, a, 0);
    else if (is(fn, a, -1.0)) rewrite(f, op, IR_NEG_OP, b, 0);
    else if (negated(fn, a) && negated(fn, b)) rewrite(f, op, IR_MUL_OP, negated(fn, a), negated(fn, b));
    break;
  case IR_DIV_OP:
    if (is(fn, b, 1.0)) becomes(f, op, a);
    else if (is(fn, b, -1.0)) rewrite(f, op, IR_NEG_OP, a, 0);
    else if (ir_is_real(fn, b, &c) && is_power_of_two(c)) rewrite(f, op, IR_MUL_OP, a, ir_real(&at, 1 / c));
    break;
  case IR_NEG_OP:
    if (negated(fn, a)) becomes(f, op, negated(fn, a));
    break;
  case IR_ABS_OP:
    if (negated(fn, a)) rewrite(f, op, IR_ABS_OP, negated(fn, a), 0);
    break;
  case IR_POW_OP:
    if (!ir_is_real(fn, b, &c)) break;
    if (c == 0) make_real(f, op, 1.0);
    else if (c == 1) becomes(f, op, a);
    else if (c == 2) rewrite(f, op, IR_MUL_OP, a, a);
    else if (c == 3) rewrite(f, op, IR_MUL_OP, ir_op2(&at, IR_MUL_OP, a, a), a);
    else if (c == 0.5) rewrite(f, op, IR_SQRT_OP, a, 0);
    else if (c == -1) rewrite(f, op, IR_DIV_OP, ir_real(&at, 1.0), a);
    break;
  default: break;
  }
}

static void simplify_int(folder *f, ir_op *op) {
  ir_fn *fn = f->fn;
  ir_val a = op->args[0], b = op->nargs > 1 ? op->args[1] : 0;
  switch (op->code) {
  case IR_ADD_OP:
    if (is_int(fn, b, 0)) becomes(f, op, a);
    else if (is_int(fn, a, 0)) becomes(f, op, b);
    break;
  case IR_SUB_OP:
    if (is_int(fn, b, 0)) becomes(f, op, a);
    else if (a == b) make_int(f, op, IR_INT_OP, 0);
    else {
      /* (x + c) - c and (x + y) - x: what one-based indices leave behind */
      const ir_op *sum = ir_def_op(fn, a);
      int64_t c, d;
      if (!sum || sum->code != IR_ADD_OP) break;
      if (sum->args[1] == b || (ir_is_int(fn, b, &c) && ir_is_int(fn, sum->args[1], &d) && c == d)) becomes(f, op, sum->args[0]);
      else if (sum->args[0] == b || (ir_is_int(fn, b, &c) && ir_is_int(fn, sum->args[0], &d) && c == d)) becomes(f, op, sum->args[1]);
    }
    break;
  case IR_MUL_OP:
    if (is_int(fn, b, 1)) becomes(f, op, a);
    else if (is_int(fn, a, 1)) becomes(f, op, b);
    else if (is_int(fn, a, 0) || is_int(fn, b, 0)) make_int(f, op, IR_INT_OP, 0);
    break;
  case IR_IDIV_OP:
    if (is_int(fn, b, 1)) becomes(f, op, a);
    break;
  case IR_IMOD_OP:
    if (is_int(fn, b, 1)) make_int(f, op, IR_INT_OP, 0);
    break;
  case IR_NEG_OP:
    if (negated(fn, a)) becomes(f, op, negated(fn, a));
    break;
  case IR_MIN_OP:
  case IR_MAX_OP:
    if (a == b) becomes(f, op, a);
    break;
  default: break;
  }
}

/* Sizes that are literals by now, and arithmetic on sizes, which is a size again. */
static bool fold_size(folder *f, ir_op *op) {
  size_table *t = f->fn->module->sizes;
  ir_size s = IR_SIZE_NONE;
  int64_t n;
  if (op->nargs == 2 && op->nres == 1 && ir_type_of(f->fn, op->res[0]).elem == IR_INT) {
    ir_size a = ir_size_of(f->fn, op->args[0]), b = ir_size_of(f->fn, op->args[1]);
    if (!a || !b) return false;
    if (op->code == IR_ADD_OP) s = size_add(t, a, b);
    if (op->code == IR_SUB_OP) s = size_sub(t, a, b);
    if (op->code == IR_MUL_OP) s = size_mul(t, a, b);
  }
  if (!s) return false;
  if (size_is_const(t, s, &n)) {
    make_int(f, op, IR_INT_OP, n);
  } else {
    op->code = IR_SIZE_OP;
    op->nargs = 0;
    op->u.size = s;
    f->changed = true;
  }
  return true;
}

/* The least and the greatest value of an int, as sizes, where loops and sizes tell; depth bounds the walk. */
static bool range_of(const ir_fn *fn, ir_val v, int depth, ir_size *lo, ir_size *hi) {
  size_table *t = fn->module->sizes;
  const ir_value *x = ir_value_of(fn, v);
  ir_size s = ir_size_of(fn, v), one = size_const(t, 1), a, b, c, d;
  if (s) {
    *lo = *hi = s;
  } else if (x->def == IR_DEF_INDEX) {
    *lo = size_const(t, 0);
    *hi = size_sub(t, ir_size_of(fn, x->op->u.loop->extent[x->slot]), one);
  } else if (x->def != IR_DEF_RESULT || depth == 0 || x->op->nargs != 2 || x->op->nres != 1) {
    return false;
  } else if (x->op->code == IR_BOUND_OP) {
    *lo = size_const(t, 0);
    *hi = size_sub(t, ir_size_of(fn, x->op->args[1]), one);
  } else if (x->op->code == IR_ADD_OP || x->op->code == IR_SUB_OP) {
    if (!range_of(fn, x->op->args[0], depth - 1, &a, &b) || !range_of(fn, x->op->args[1], depth - 1, &c, &d)) return false;
    bool add = x->op->code == IR_ADD_OP;
    *lo = add ? size_add(t, a, c) : size_sub(t, a, d);
    *hi = add ? size_add(t, b, d) : size_sub(t, b, c);
  } else {
    return false;
  }
  return *lo != IR_SIZE_NONE && *hi != IR_SIZE_NONE;
}

/* As an expression, or for the numbers that are bound: a function is made for these. */
static bool not_negative(size_table *t, ir_size s) {
  int64_t n;
  return s && (size_is_const(t, s, &n) || size_value(t, s, &n)) && n >= 0;
}

/* 0 <= i < n for every value of i. */
static bool bound_holds(const ir_fn *fn, ir_val i, ir_val n) {
  size_table *t = fn->module->sizes;
  ir_size lo, hi, most = ir_size_of(fn, n);
  return most && range_of(fn, i, 8, &lo, &hi) && not_negative(t, lo) && not_negative(t, size_sub(t, size_sub(t, most, size_const(t, 1)), hi));
}

/* The chosen block's operations take the place of the if. */
static void splice(folder *f, ir_op *op, bool yes) {
  ir_block *from = yes ? &op->u.branch->then_ : &op->u.branch->else_;
  const ir_val *yield = yes ? op->u.branch->then_yield : op->u.branch->else_yield;
  while (from->first) ir_move(from->first, op->block, op);
  for (uint32_t k = 0; k < op->nres; k++) ir_map_set(&f->renamed, op->res[k], yield[k]);
  ir_remove(op);
  f->changed = true;
}

/* Two entries of a position. */
static bool same_entry(const ir_fn *fn, ir_val a, ir_val b) {
  int64_t m, n;
  return a == b || (a && b && ir_is_int(fn, a, &m) && ir_is_int(fn, b, &n) && m == n);
}

static bool apart(const ir_fn *fn, ir_val a, ir_val b) {
  int64_t m, n;
  return a && b && ir_is_int(fn, a, &m) && ir_is_int(fn, b, &n) && m != n;
}

/* A read of an array that was just put together: what was put at that very position, or what was there before it was put
 * elsewhere. */
static void read_through(folder *f, ir_op *op) {
  for (const ir_op *put = ir_def_op(f->fn, op->args[0]); put && put->code == IR_PUT_OP; put = ir_def_op(f->fn, op->args[0])) {
    bool same = put->u.axes.n == op->u.axes.n, elsewhere = false;
    for (uint32_t k = 0; k < op->u.axes.n && k < put->u.axes.n; k++) {
      same &= same_entry(f->fn, put->u.axes.at[k], op->u.axes.at[k]);
      elsewhere |= apart(f->fn, put->u.axes.at[k], op->u.axes.at[k]);
    }
    if (same) {
      becomes(f, op, put->args[1]);
      return;
    }
    if (!elsewhere) return;
    op->args[0] = ir_renamed(&f->renamed, put->args[0]);
    f->changed = true;
  }
}

/* ---- loops over ranges that end before they could begin, as 3..T where T is 1
 *
 * They have no iteration, and what they leave stands without them.  Other passes would keep what varies with their index in arrays of
 * their extents, and there is no array of -1 elements.  A loop that stacks has such an array from the program. */

static bool runs_backwards(const ir_fn *fn, const ir_loop *loop) {
  for (uint32_t k = 0; k < loop->rank; k++) {
    int64_t n;
    if (size_value(fn->module->sizes, ir_size_of(fn, loop->extent[k]), &n) && n < 0) return true;
  }
  return false;
}

/* What an output without an iteration is; 0 where it is an array that nothing has made. */
static ir_val of_nothing(ir_builder *b, const ir_out *out, ir_type t) {
  if (out->init) return out->init;
  if (out->mode == IR_SUM && t.rank) return ir_new_array(b, t);
  if (out->mode == IR_STACK || t.rank) return 0;
  if (t.elem == IR_REAL) return ir_real(b, out->mode == IR_SUM ? 0.0 : out->mode == IR_MAX ? -(double)INFINITY : (double)INFINITY);
  return ir_int(b, out->mode == IR_SUM ? 0 : out->mode == IR_MAX ? INT64_MIN : INT64_MAX);
}

static void fold_loop(folder *f, ir_op *op) {
  ir_fn *fn = f->fn;
  const ir_loop *loop = op->u.loop;
  if (fn->is_model || !runs_backwards(fn, loop)) return;
  ir_builder b = {.fn = fn, .block = op->block, .before = op, .where = op->where};
  ir_val *left = ARENA_ARRAY(fn->module->mem, ir_val, loop->nout);
  for (uint32_t k = 0; k < loop->nout; k++)
    if (!(left[k] = of_nothing(&b, &loop->out[k], ir_type_of(fn, op->res[k])))) return;
  for (uint32_t k = 0; k < loop->nout; k++) ir_map_set(&f->renamed, op->res[k], left[k]);
  ir_remove(op);
  f->changed = true;
}

static void fold_op(void *user, ir_op *op) {
  folder *f = user;
  ir_fn *fn = f->fn;
  ir_rename_uses(op, &f->renamed);
  if (fold_constant(f, op) || fold_size(f, op)) return;
  ir_val a = op->nargs > 0 ? op->args[0] : 0, b = op->nargs > 1 ? op->args[1] : 0;
  const ir_op *def = a ? ir_def_op(fn, a) : NULL;
  bool known = def && def->code == IR_BOOL_OP;
  switch (op->code) {
  case IR_EQ_OP:
  case IR_LE_OP:
    if (a == b && ir_type_of(fn, a).elem != IR_REAL) make_int(f, op, IR_BOOL_OP, 1);
    return;
  case IR_NE_OP:
  case IR_LT_OP:
    if (a == b && (op->code == IR_LT_OP || ir_type_of(fn, a).elem != IR_REAL)) make_int(f, op, IR_BOOL_OP, 0);
    return;
  case IR_AND_OP:
  case IR_OR_OP: {
    const ir_op *other = ir_def_op(fn, b);
    bool absorbing = op->code == IR_OR_OP;
    if (a == b) becomes(f, op, a);
    else if (known) {
      if ((bool)def->u.integer == absorbing) make_int(f, op, IR_BOOL_OP, absorbing);
      else becomes(f, op, b);
    } else if (other && other->code == IR_BOOL_OP) {
      if ((bool)other->u.integer == absorbing) make_int(f, op, IR_BOOL_OP, absorbing);
      else becomes(f, op, a);
    }
    return;
  }
  case IR_NOT_OP:
    if (def && def->code == IR_NOT_OP) becomes(f, op, def->args[0]);
    return;
  case IR_SELECT_OP:
    if (known) becomes(f, op, def->u.integer ? b : op->args[2]);
    else if (b == op->args[2]) becomes(f, op, b);
    return;
  case IR_GUARD_OP:
    if (known && def->u.integer) becomes(f, op, b);
    else if (ir_def_op(fn, b) && ir_def_op(fn, b)->code == IR_GUARD_OP && ir_def_op(fn, b)->args[0] == a) becomes(f, op, b);
    return;
  case IR_BOUND_OP:
    if (bound_holds(fn, a, b)) becomes(f, op, a);
    return;
  case IR_AT_OP:
    read_through(f, op);
    if (!op->block || !(def = ir_def_op(fn, op->args[0])) || def->code != IR_NEW_OP) return;
    if (ir_type_of(fn, op->res[0]).rank) {
      op->code = IR_NEW_OP;
      op->nargs = 0;
      f->changed = true;
    } else if (ir_type_of(fn, a).elem == IR_REAL) {
      make_real(f, op, 0.0);
    } else if (ir_type_of(fn, a).elem != IR_KEY) {
      make_int(f, op, ir_type_of(fn, a).elem == IR_INT ? IR_INT_OP : IR_BOOL_OP, 0);
    }
    return;
  case IR_MEMO_OP:
    if (!fn->is_model) becomes(f, op, a);
    return;
  case IR_IF_OP:
    if (known) splice(f, op, def->u.integer);
    return;
  case IR_PLATE_OP:
  case IR_SCAN_OP: fold_loop(f, op); return;
  default: break;
  }
  if (op->nres != 1 || op->nargs == 0 || !strchr(ir_op_table[op->code].signature, ':')) return;
  ir_elem elem = (ir_elem)ir_type_of(fn, a).elem;
  if (elem == IR_REAL) simplify_real(f, op);
  else if (elem == IR_INT) simplify_int(f, op);
}

bool pass_fold(ir_module *m, ir_fn *fn) {
  folder f = {.fn = fn, .renamed = ir_map_new(m->mem, fn)};
  ir_visit_ops(&fn->body, fold_op, &f);
  if (f.changed) ir_rename_all(fn, &f.renamed);
  return f.changed;
}
