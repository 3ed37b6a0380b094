/* grad_rules.c: the adjoints of operations without blocks.
 *
 * For y = f(a, b) with the adjoint r of y, rule adds r df/da to a and r df/db to b.  Results are used where a derivative is
 * an expression in them: exp, tanh, sqrt, a quotient. */
#include "compiler/grad_internal.h"

/* One entry an operation; a missing one does not compile. */
enum {
  KIND_REAL = GRAD_ZERO, KIND_INT = GRAD_ZERO, KIND_BOOL = GRAD_ZERO, KIND_SIZE = GRAD_ZERO,
  KIND_ADD = GRAD_RULE, KIND_SUB = GRAD_RULE, KIND_MUL = GRAD_RULE, KIND_DIV = GRAD_RULE,
  KIND_IDIV = GRAD_ZERO, KIND_IMOD = GRAD_ZERO,
  KIND_FMA = GRAD_RULE, KIND_NEG = GRAD_RULE, KIND_ABS = GRAD_RULE, KIND_MIN = GRAD_RULE, KIND_MAX = GRAD_RULE,
  KIND_SIGN = GRAD_ZERO, KIND_FLOOR = GRAD_ZERO, KIND_CEIL = GRAD_ZERO, KIND_ROUND = GRAD_ZERO,
  KIND_SQRT = GRAD_RULE, KIND_EXP = GRAD_RULE, KIND_LOG = GRAD_RULE, KIND_LOG1P = GRAD_RULE, KIND_EXPM1 = GRAD_RULE,
  KIND_POW = GRAD_RULE, KIND_SIN = GRAD_RULE, KIND_COS = GRAD_RULE, KIND_TAN = GRAD_RULE, KIND_ASIN = GRAD_RULE,
  KIND_ACOS = GRAD_RULE, KIND_ATAN = GRAD_RULE, KIND_ATAN2 = GRAD_RULE, KIND_SINH = GRAD_RULE, KIND_COSH = GRAD_RULE,
  KIND_TANH = GRAD_RULE, KIND_ERF = GRAD_RULE, KIND_ERFC = GRAD_RULE, KIND_LGAMMA = GRAD_RULE, KIND_DIGAMMA = GRAD_RULE,
  KIND_TRIGAMMA = GRAD_REFUSE,
  KIND_LOG1P_EXP = GRAD_RULE, KIND_INV_LOGIT = GRAD_RULE, KIND_PHI = GRAD_RULE, KIND_LOG_PHI = GRAD_RULE, KIND_INV_PHI = GRAD_RULE,
  KIND_LOG_BESSEL_I0E = GRAD_RULE, KIND_BESSEL_RATIO = GRAD_RULE, KIND_BESSEL_GAP = GRAD_REFUSE, KIND_OWENS_T = GRAD_RULE,
  KIND_LOG_GAMMA_P = GRAD_RULE, KIND_LOG_GAMMA_P_A = GRAD_REFUSE, KIND_LOG_GAMMA_P_X = GRAD_REFUSE,
  KIND_LOG_GAMMA_Q = GRAD_RULE, KIND_LOG_GAMMA_Q_A = GRAD_REFUSE, KIND_LOG_GAMMA_Q_X = GRAD_REFUSE,
  KIND_LOG_STUDENT = GRAD_RULE, KIND_LOG_STUDENT_NU = GRAD_REFUSE, KIND_LOG_STUDENT_Z = GRAD_REFUSE,
  KIND_LOG_BETA_ODDS = GRAD_RULE, KIND_LOG_BETA_ODDS_A = GRAD_REFUSE, KIND_LOG_BETA_ODDS_B = GRAD_REFUSE, KIND_LOG_BETA_ODDS_W = GRAD_REFUSE,
  KIND_EQ = GRAD_ZERO, KIND_NE = GRAD_ZERO, KIND_LT = GRAD_ZERO, KIND_LE = GRAD_ZERO,
  KIND_AND = GRAD_ZERO, KIND_OR = GRAD_ZERO, KIND_NOT = GRAD_ZERO,
  KIND_SELECT = GRAD_RULE, KIND_TO_REAL = GRAD_ZERO, KIND_TO_INT = GRAD_ZERO, KIND_BOOL_INT = GRAD_ZERO,
  KIND_GUARD = GRAD_RULE, KIND_BOUND = GRAD_ZERO,
  KIND_NEW = GRAD_ZERO, KIND_AT = GRAD_RULE, KIND_PUT = GRAD_RULE, KIND_MATMUL = GRAD_RULE, KIND_CHOLESKY = GRAD_RULE,
  KIND_CHOL_ADJ = GRAD_REFUSE, KIND_TRISOLVE = GRAD_RULE, KIND_QR_R = GRAD_REFUSE, KIND_INV_PTR = GRAD_ZERO, KIND_INV_LIST = GRAD_ZERO,
  KIND_PLATE = GRAD_REGION, KIND_SCAN = GRAD_REGION, KIND_IF = GRAD_REGION, KIND_CALL = GRAD_REFUSE,
  KIND_MEMO = GRAD_REFUSE, KIND_MEMO_FIND = GRAD_REFUSE, KIND_MEMO_KEEP = GRAD_REFUSE,
  KIND_FOLD = GRAD_ZERO, KIND_UNIFORM = GRAD_ZERO, KIND_NORMAL = GRAD_ZERO, KIND_EXPONENTIAL = GRAD_ZERO,
  KIND_GAMMA = GRAD_REFUSE, KIND_LOG_GAMMA = GRAD_REFUSE,
  KIND_POISSON = GRAD_ZERO, KIND_BINOMIAL = GRAD_ZERO, KIND_CATEGORICAL = GRAD_ZERO,
  KIND_SAMPLE = GRAD_REFUSE, KIND_OBSERVE = GRAD_REFUSE, KIND_FACTOR = GRAD_REFUSE, KIND_ENERGY = GRAD_REFUSE, KIND_TRACK = GRAD_REFUSE
};

const uint8_t grad_kind_table[IR_OP_COUNT] = {
#define X(CODE, name, sig, effect, flops, doc) KIND_##CODE,
    IR_OPS(X)
#undef X
};

#define SQRT_2_PI 2.506628274631000502
#define INV_SQRT_2_PI 0.3989422804014326779
#define SQRT_HALF 0.7071067811865475244
#define INV_2_PI 0.1591549430918953358
#define TWO_OVER_SQRT_PI 1.128379167095512574

/* ---- shorthand: the operands' images and emitters at the end of the scope's block */

typedef struct rule {
  grad *g;
  grad_scope *s;
  ir_builder *b;
  const ir_op *op;
  ir_val r, y;       /* adjoint and image of the result */
  ir_val x[3];       /* images of the operands */
} rule;

static ir_val num(rule *u, double c) { return ir_real(u->b, c); }
static ir_val neg(rule *u, ir_val a) { return grad_neg(u->b, a); }
static ir_val add(rule *u, ir_val a, ir_val c) { return ir_op2(u->b, IR_ADD_OP, a, c); }
static ir_val sub(rule *u, ir_val a, ir_val c) { return ir_op2(u->b, IR_SUB_OP, a, c); }
static ir_val mul(rule *u, ir_val a, ir_val c) { return grad_mul(u->b, a, c); }
static ir_val quo(rule *u, ir_val a, ir_val c) { return ir_op2(u->b, IR_DIV_OP, a, c); }
static ir_val apply(rule *u, ir_code code, ir_val a) { return ir_op1(u->b, code, a); }
static ir_val either(rule *u, ir_val c, ir_val a, ir_val d) { return ir_op3(u->b, IR_SELECT_OP, c, a, d); }
static ir_val square(rule *u, ir_val a) { return mul(u, a, a); }
static bool wants(const rule *u, int k) { return grad_needed(u->g, u->op->args[k]); }
static void give(rule *u, int k, ir_val part) { grad_add(u->g, u->s, u->op->args[k], part); }

/* part, or 0 where the incoming adjoint is 0, which times an infinite derivative would be NaN. */
static ir_val unless_zero(rule *u, ir_val part) {
  double c;
  if (ir_is_real(u->g->to, u->r, &c) && c != 0) return part;
  return either(u, ir_op2(u->b, IR_EQ_OP, u->r, num(u, 0)), num(u, 0), part);
}

/* (1 - y)(1 + y) */
static ir_val one_minus_square(rule *u, ir_val y) { return mul(u, sub(u, num(u, 1), y), add(u, num(u, 1), y)); }

/* e^(-x^2 / 2) / sqrt(2 pi) */
static ir_val normal_pdf(rule *u, ir_val x) {
  return mul(u, num(u, INV_SQRT_2_PI), apply(u, IR_EXP_OP, mul(u, num(u, -0.5), square(u, x))));
}

/* pdf(x) / Phi(x) from y = log Phi(x): e^(log pdf - y), where both are large and cancel below -50 the asymptotic series
 * -x / (1 - 1/x^2 + 3/x^4 - 15/x^6 + 105/x^8), whose next term is 1e-14 there. */
static ir_val inverse_mills(rule *u, ir_val x, ir_val y) {
  ir_val near = apply(u, IR_EXP_OP, sub(u, mul(u, num(u, -0.5), square(u, x)), y));
  ir_val q = quo(u, num(u, 1), square(u, x)), d = num(u, 105);
  static const double coefficient[] = {-15, 3, -1, 1};
  for (int k = 0; k < 4; k++) d = ir_op3(u->b, IR_FMA_OP, d, q, num(u, coefficient[k]));
  ir_val far = quo(u, neg(u, x), d);
  return either(u, ir_op2(u->b, IR_LT_OP, x, num(u, -50)), far, mul(u, num(u, INV_SQRT_2_PI), near));
}

static void rule_pow(rule *u) {
  ir_val a = u->x[0], b = u->x[1];
  double c;
  if (wants(u, 0)) {
    ir_val zero = num(u, 0), d;
    if (ir_is_real(u->g->to, b, &c)) {
      d = c == 0 ? zero : c == 1 ? num(u, 1) : c == 2 ? mul(u, b, a) : mul(u, b, ir_op2(u->b, IR_POW_OP, a, num(u, c - 1)));
    } else {
      d = mul(u, b, ir_op2(u->b, IR_POW_OP, a, sub(u, b, num(u, 1))));
      d = either(u, ir_op2(u->b, IR_EQ_OP, b, zero), zero, d);
    }
    give(u, 0, unless_zero(u, mul(u, u->r, d)));
  }
  if (wants(u, 1)) {
    ir_val zero = num(u, 0), d = mul(u, u->y, apply(u, IR_LOG_OP, a));
    give(u, 1, unless_zero(u, mul(u, u->r, either(u, ir_op2(u->b, IR_EQ_OP, a, zero), zero, d))));
  }
}

/* A function whose derivatives are operations of their own: that in operand k is of[k]. */
static void rule_special(rule *u, const ir_code *of) {
  for (uint32_t k = 0; k < u->op->nargs; k++) {
    if (!wants(u, (int)k)) continue;
    ir_val d = u->op->nargs == 2 ? ir_op2(u->b, of[k], u->x[0], u->x[1]) : ir_op3(u->b, of[k], u->x[0], u->x[1], u->x[2]);
    give(u, (int)k, unless_zero(u, mul(u, u->r, d)));
  }
}

/* dT/dh = -(Phi(a h) - 1/2) pdf(h), dT/da = e^(-h^2 (1 + a^2) / 2) / (2 pi (1 + a^2)) (Owen 1956). */
static void rule_owens_t(rule *u) {
  ir_val h = u->x[0], a = u->x[1];
  if (wants(u, 0)) {
    ir_val part = mul(u, num(u, -0.5), apply(u, IR_ERF_OP, mul(u, num(u, SQRT_HALF), mul(u, a, h))));
    give(u, 0, mul(u, u->r, mul(u, part, normal_pdf(u, h))));
  }
  if (wants(u, 1)) {
    ir_val q = add(u, num(u, 1), square(u, a));
    ir_val e = apply(u, IR_EXP_OP, mul(u, num(u, -0.5), mul(u, square(u, h), q)));
    give(u, 1, mul(u, u->r, quo(u, mul(u, num(u, INV_2_PI), e), q)));
  }
}

/* With r = I1 / I0 and g = 1 - r, (log I0e)' = -g for x >= 0, and r' = 1 - r / x - r^2 = g (2 - g) - r / x, 1/2 at 0. */
static void rule_bessel(rule *u) {
  ir_val x = u->x[0];
  if (u->op->code == IR_LOG_BESSEL_I0E_OP) {
    ir_val g = apply(u, IR_BESSEL_GAP_OP, apply(u, IR_ABS_OP, x));
    give(u, 0, neg(u, mul(u, u->r, mul(u, apply(u, IR_SIGN_OP, x), g))));
    return;
  }
  ir_val small = ir_op2(u->b, IR_LT_OP, x, num(u, 1e-8)), g = apply(u, IR_BESSEL_GAP_OP, x);
  ir_val share = either(u, small, num(u, 0.5), quo(u, u->y, either(u, small, num(u, 1), x)));
  give(u, 0, mul(u, u->r, sub(u, mul(u, g, sub(u, num(u, 2), g)), share)));
}

/* The derivative of a function of one variable. */
static ir_val slope(rule *u) {
  ir_val x = u->x[0], y = u->y;
  switch (u->op->code) {
  case IR_ABS_OP: return apply(u, IR_SIGN_OP, x);
  case IR_EXP_OP: return y;
  case IR_EXPM1_OP: return apply(u, IR_EXP_OP, x); /* y + 1 has no digits far below 0 */
  case IR_SIN_OP: return apply(u, IR_COS_OP, x);
  case IR_COS_OP: return neg(u, apply(u, IR_SIN_OP, x));
  case IR_TAN_OP: return add(u, num(u, 1), square(u, y));
  case IR_SINH_OP: return apply(u, IR_COSH_OP, x);
  case IR_COSH_OP: return apply(u, IR_SINH_OP, x);
  case IR_TANH_OP: return one_minus_square(u, y);
  case IR_ERF_OP: return mul(u, num(u, TWO_OVER_SQRT_PI), apply(u, IR_EXP_OP, neg(u, square(u, x))));
  case IR_ERFC_OP: return mul(u, num(u, -TWO_OVER_SQRT_PI), apply(u, IR_EXP_OP, neg(u, square(u, x))));
  case IR_LGAMMA_OP: return apply(u, IR_DIGAMMA_OP, x);
  case IR_DIGAMMA_OP: return apply(u, IR_TRIGAMMA_OP, x);
  case IR_LOG1P_EXP_OP: return apply(u, IR_INV_LOGIT_OP, x);
  case IR_INV_LOGIT_OP: return mul(u, y, sub(u, num(u, 1), y));
  case IR_PHI_OP: return normal_pdf(u, x);
  default: return inverse_mills(u, x, y); /* LOG_PHI */
  }
}

/* ---- arrays */

/* The lower triangle of -x z', x and z being vectors or matrices. */
static ir_val minus_lower(rule *u, ir_val x, ir_val z, ir_type type) {
  ir_val m = ir_matmul(u->b, x, z, IR_TRANS_B);
  grad_each e = grad_each_begin(u->b, type);
  ir_val lower = ir_op2(&e.b, IR_LE_OP, e.at.at[1], e.at.at[0]);
  ir_val minus = ir_op1(&e.b, IR_NEG_OP, grad_each_get(&e, m));
  return grad_each_end(&e, ir_op3(&e.b, IR_SELECT_OP, lower, minus, ir_real(&e.b, 0)));
}

static void rule_trisolve(rule *u) {
  bool trans = u->op->flags & IR_TRANS_A;
  ir_val b = ir_trisolve(u->b, u->x[0], u->r, trans ? 0 : IR_TRANS_A);
  give(u, 1, b);
  if (wants(u, 0)) give(u, 0, minus_lower(u, trans ? u->y : b, trans ? b : u->y, ir_type_of(u->g->f, u->op->args[0])));
}

/* r has the shape of op(A) op(B).  With P = op(A): P += r op(B)', and A is P or P'; likewise B. */
static void rule_matmul(rule *u) {
  ir_val a = u->x[0], c = u->x[1], r = u->r;
  bool ta = u->op->flags & IR_TRANS_A, tb = u->op->flags & IR_TRANS_B;
  int rank_a = ir_type_of(u->g->to, a).rank, rank_c = ir_type_of(u->g->to, c).rank;
  ir_val pa = 0, pc = 0;
  bool wa = wants(u, 0), wc = wants(u, 1);
  if (rank_a == 1 && rank_c == 1 && tb) { /* outer product */
    if (wa) pa = ir_matmul(u->b, r, c, 0);
    if (wc) pc = ir_matmul(u->b, r, a, IR_TRANS_A);
  } else if (rank_a == 1 && rank_c == 1) {
    if (wa) pa = grad_scale(u->b, r, c);
    if (wc) pc = grad_scale(u->b, r, a);
  } else if (rank_c == 1) {
    if (wa) pa = ta ? ir_matmul(u->b, c, r, IR_TRANS_B) : ir_matmul(u->b, r, c, IR_TRANS_B);
    if (wc) pc = ir_matmul(u->b, a, r, ta ? 0 : IR_TRANS_A);
  } else if (rank_a == 1) {
    if (wa) pa = ir_matmul(u->b, r, c, tb ? 0 : IR_TRANS_B);
    if (wc) pc = tb ? ir_matmul(u->b, r, a, IR_TRANS_B) : ir_matmul(u->b, a, r, IR_TRANS_B);
  } else {
    if (wa) pa = ta ? ir_matmul(u->b, c, r, (tb ? IR_TRANS_A : 0) | IR_TRANS_B) : ir_matmul(u->b, r, c, tb ? 0 : IR_TRANS_B);
    if (wc) pc = tb ? ir_matmul(u->b, r, a, IR_TRANS_A | (ta ? IR_TRANS_B : 0)) : ir_matmul(u->b, a, r, ta ? 0 : IR_TRANS_A);
  }
  if (pa) give(u, 0, pa);
  if (pc) give(u, 1, pc);
}

static void rule_put(rule *u) {
  ir_axes axes = grad_image_axes(u->g, &u->op->u.axes);
  if (wants(u, 1)) give(u, 1, ir_at(u->b, u->r, axes));
  if (wants(u, 0)) {
    ir_val zero = grad_zero(u->b, ir_type_of(u->g->to, u->x[1]));
    give(u, 0, ir_put(u->b, u->r, axes, zero));
  }
}

void grad_rule(grad *g, grad_scope *s, const ir_op *op, ir_val r) {
  rule uu = {.g = g, .s = s, .b = &s->b, .op = op, .r = r, .y = grad_image(g, op->res[0])}, *u = &uu;
  for (uint32_t k = 0; k < op->nargs && k < 3; k++) u->x[k] = grad_image(g, op->args[k]);
  ir_val a = u->x[0], b = u->x[1], q;
  switch (op->code) {
  case IR_ADD_OP:
    give(u, 0, r);
    give(u, 1, r);
    break;
  case IR_SUB_OP:
    give(u, 0, r);
    if (wants(u, 1)) give(u, 1, neg(u, r));
    break;
  case IR_FMA_OP: give(u, 2, r); /* fallthrough */
  case IR_MUL_OP:
    if (op->args[0] == op->args[1]) {
      give(u, 0, mul(u, mul(u, r, num(u, 2)), a));
      break;
    }
    if (wants(u, 0)) give(u, 0, mul(u, r, b));
    if (wants(u, 1)) give(u, 1, mul(u, r, a));
    break;
  case IR_DIV_OP:
    q = quo(u, r, b);
    give(u, 0, q);
    if (wants(u, 1)) give(u, 1, neg(u, mul(u, q, u->y)));
    break;
  case IR_NEG_OP: give(u, 0, neg(u, r)); break;
  case IR_MIN_OP:
  case IR_MAX_OP:
    q = op->code == IR_MIN_OP ? ir_op2(u->b, IR_LE_OP, a, b) : ir_op2(u->b, IR_LE_OP, b, a);
    if (wants(u, 0)) give(u, 0, either(u, q, r, num(u, 0)));
    if (wants(u, 1)) give(u, 1, either(u, q, num(u, 0), r));
    break;
  case IR_SELECT_OP:
    if (wants(u, 1)) give(u, 1, either(u, a, r, num(u, 0)));
    if (wants(u, 2)) give(u, 2, either(u, a, num(u, 0), r));
    break;
  case IR_GUARD_OP: give(u, 1, grad_of_density(u->g, r) ? r : either(u, a, r, num(u, 0))); break;
  case IR_SQRT_OP: give(u, 0, unless_zero(u, quo(u, mul(u, r, num(u, 0.5)), u->y))); break;
  case IR_LOG_OP: give(u, 0, unless_zero(u, quo(u, r, a))); break;
  case IR_LOG1P_OP: give(u, 0, unless_zero(u, quo(u, r, add(u, num(u, 1), a)))); break;
  case IR_POW_OP: rule_pow(u); break;
  case IR_ASIN_OP:
  case IR_ACOS_OP:
    q = quo(u, r, apply(u, IR_SQRT_OP, one_minus_square(u, a)));
    give(u, 0, unless_zero(u, op->code == IR_ASIN_OP ? q : neg(u, q)));
    break;
  case IR_ATAN_OP: give(u, 0, quo(u, r, add(u, num(u, 1), square(u, a)))); break;
  case IR_ATAN2_OP:
    q = quo(u, r, add(u, square(u, a), square(u, b)));
    if (wants(u, 0)) give(u, 0, mul(u, q, b));
    if (wants(u, 1)) give(u, 1, neg(u, mul(u, q, a)));
    break;
  case IR_LOG_GAMMA_P_OP: rule_special(u, (const ir_code[]){IR_LOG_GAMMA_P_A_OP, IR_LOG_GAMMA_P_X_OP}); break;
  case IR_LOG_GAMMA_Q_OP: rule_special(u, (const ir_code[]){IR_LOG_GAMMA_Q_A_OP, IR_LOG_GAMMA_Q_X_OP}); break;
  case IR_LOG_STUDENT_OP: rule_special(u, (const ir_code[]){IR_LOG_STUDENT_NU_OP, IR_LOG_STUDENT_Z_OP}); break;
  case IR_LOG_BETA_ODDS_OP: rule_special(u, (const ir_code[]){IR_LOG_BETA_ODDS_A_OP, IR_LOG_BETA_ODDS_B_OP, IR_LOG_BETA_ODDS_W_OP}); break;
  case IR_OWENS_T_OP: rule_owens_t(u); break;
  case IR_LOG_BESSEL_I0E_OP:
  case IR_BESSEL_RATIO_OP: rule_bessel(u); break;
  case IR_INV_PHI_OP: {
    ir_val e = apply(u, IR_EXP_OP, mul(u, num(u, 0.5), square(u, u->y)));
    give(u, 0, unless_zero(u, mul(u, r, mul(u, num(u, SQRT_2_PI), e))));
    break;
  }
  case IR_AT_OP: grad_add_keyed(g, s, op->args[0], grad_image_axes(g, &op->u.axes), r, false); break;
  case IR_PUT_OP: rule_put(u); break;
  case IR_MATMUL_OP: rule_matmul(u); break;
  case IR_CHOLESKY_OP: give(u, 0, ir_chol_adj(u->b, u->y, r)); break;
  case IR_TRISOLVE_OP: rule_trisolve(u); break;
  default: give(u, 0, mul(u, r, slope(u))); break;
  }
}
