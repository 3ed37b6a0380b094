/* ref_eval.c: what both precisions share, and the two sets of functions they call. */
#include "tests/ref_eval.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_sample.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CELLS = 1 << 24, MOST_STEPS = 1 << 28 };

/* The sizes of a callee while it runs: the numbers of its symbols. */
typedef struct binding {
  size_t n;
  ir_size *symbol;
  int64_t *number;
  struct binding *outer;
} binding;

typedef struct evaluator {
  arena *mem;
  ir_module *m;
  ref_report *report;
  ref_status status;
  int depth;
  binding *bindings;
  int64_t *offsets; /* of the last position */
  size_t cap_offsets;
  jmp_buf stop;
} evaluator;

static _Noreturn void refuse(evaluator *ev, const ir_op *op, const char *why) {
  ev->status = REF_REFUSED;
  ev->report->why = why;
  ev->report->op = op;
  longjmp(ev->stop, 1);
}

static _Noreturn void out_of_bounds(evaluator *ev, const ir_op *op, int64_t index, int64_t extent) {
  ev->status = REF_BOUND;
  ev->report->op = op;
  ev->report->index = index;
  ev->report->extent = extent;
  longjmp(ev->stop, 1);
}

/* Sizes are numbers only through the bindings above: the symbols that a callee shares by name with its caller are replaced
 * by constants, and what is left is evaluated as a constant.  May be negative. */
static int64_t size_bound_value(evaluator *ev, const ir_op *op, ir_size s) {
  size_table *t = ev->m->sizes;
  int64_t n;
  if (size_is_const(t, s, &n)) return n;
  if (ev->bindings) {
    ir_size *to = arena_alloc(ev->mem, ev->bindings->n, sizeof *to);
    for (size_t k = 0; k < ev->bindings->n; k++) to[k] = size_const(t, ev->bindings->number[k]);
    s = size_substitute(t, s, ev->bindings->n, ev->bindings->symbol, to);
  }
  n = size_eval(t, s);
  /* -1 may be the value, or say that there is none: then one more has none either. */
  if (n == IR_SIZE_UNBOUND && size_eval(t, size_add(t, s, size_const(t, 1))) != 0) refuse(ev, op, "a size that is unbound");
  return n;
}

static int64_t size_number(evaluator *ev, const ir_op *op, ir_size s) {
  int64_t n = size_bound_value(ev, op, s);
  if (n < 0) refuse(ev, op, "an extent that is negative");
  return n;
}

static void bind_call(evaluator *ev, const ir_fn *caller, const ir_op *op) {
  binding *b = ARENA_NEW(ev->mem, binding);
  ir_size *to;
  b->n = ir_call_sizes(caller, op->u.callee, op->nargs, op->args, &b->symbol, &to);
  b->number = ARENA_ARRAY(ev->mem, int64_t, b->n);
  for (size_t k = 0; k < b->n; k++) b->number[k] = size_bound_value(ev, op, to[k]);
  b->outer = ev->bindings;
  ev->bindings = b;
}

static void unbind_call(evaluator *ev) { ev->bindings = ev->bindings->outer; }

int64_t ref_count(const ir_module *m, ir_type t) {
  int64_t n = 1;
  for (int k = 0; k < t.rank; k++) {
    int64_t d = size_eval(m->sizes, t.dim[k]);
    if (d < 0 || __builtin_mul_overflow(n, d, &n) || n > MOST_CELLS) return -1;
  }
  return n;
}

static ref_array own_cells(evaluator *ev, ref_array *r, ir_type t) {
  int64_t n = 1;
  for (int k = 0; k < t.rank; k++)
    if (__builtin_mul_overflow(n, size_number(ev, NULL, t.dim[k]), &n) || n > MOST_CELLS) refuse(ev, NULL, "an array of too many cells");
  if (!r->cell || r->n != (size_t)n) {
    r->n = (size_t)n;
    r->cell = ARENA_ARRAY(ev->mem, ref_cell, r->n);
  }
  return *r;
}

static int64_t saturate(long double x) {
  if (x != x) return 0;
  if (x >= 9223372036854775808.0L) return INT64_MAX;
  if (x <= -9223372036854775808.0L) return INT64_MIN;
  return (int64_t)x;
}

static int64_t int_op(ir_code code, int64_t a, int64_t b) {
  uint64_t x = (uint64_t)a, y = (uint64_t)b;
  int64_t q;
  switch (code) {
  case IR_ADD_OP: return (int64_t)(x + y);
  case IR_SUB_OP: return (int64_t)(x - y);
  case IR_MUL_OP: return (int64_t)(x * y);
  case IR_NEG_OP: return (int64_t)(0 - x);
  case IR_ABS_OP: return a < 0 ? (int64_t)(0 - x) : a;
  case IR_MIN_OP: return a < b ? a : b;
  case IR_MAX_OP: return a > b ? a : b;
  case IR_IDIV_OP:
  case IR_IMOD_OP:
    if (b == 0) return 0;
    if (b == -1) return code == IR_IDIV_OP ? (int64_t)(0 - x) : 0;
    q = a / b - (a % b != 0 && (a < 0) != (b < 0));
    return code == IR_IDIV_OP ? q : (int64_t)(x - y * (uint64_t)q);
  default: return 0;
  }
}

static void invert(evaluator *ev, const ir_op *op, ref_array k, int64_t buckets, ref_array out) {
  int64_t at = 0;
  for (size_t p = 0; p < k.n; p++)
    if (k.cell[p].integer < 0 || k.cell[p].integer >= buckets) refuse(ev, op, "an index outside its buckets");
  for (int64_t b = 0; b < buckets; b++) {
    if (op->code == IR_INV_PTR_OP) out.cell[b].integer = at;
    for (size_t p = 0; p < k.n; p++) {
      if (k.cell[p].integer != b) continue;
      if (op->code == IR_INV_LIST_OP) out.cell[at].integer = (int64_t)p;
      at++;
    }
  }
  if (op->code == IR_INV_PTR_OP) out.cell[buckets].integer = at;
}

static double rt_special(int which, double a, double b, double c) {
  double r;
  rt_kernels_for(0)->special[which](&r, &a, 0, &b, 0, &c, 0, 1);
  return r;
}

#define REAL double
#define NAME(x) double_##x
#define MATH(x) rt_##x
#include "tests/ref_eval_body.h"
#undef REAL
#undef NAME
#undef MATH

static const long double SQRT_HALF = 0.707106781186547524400844362104849039L;

static long double long_fma(long double a, long double b, long double c) { return fmal(a, b, c); }
static long double long_abs(long double x) { return fabsl(x); }
static long double long_floor(long double x) { return floorl(x); }
static long double long_ceil(long double x) { return ceill(x); }
static long double long_round(long double x) { return rintl(x); }
static long double long_sqrt(long double x) { return sqrtl(x); }
static long double long_exp(long double x) { return expl(x); }
static long double long_log(long double x) { return logl(x); }
static long double long_log1p(long double x) { return log1pl(x); }
static long double long_expm1(long double x) { return expm1l(x); }
static long double long_pow(long double x, long double y) { return powl(x, y); }
static long double long_sin(long double x) { return sinl(x); }
static long double long_cos(long double x) { return cosl(x); }
static long double long_tan(long double x) { return tanl(x); }
static long double long_asin(long double x) { return asinl(x); }
static long double long_acos(long double x) { return acosl(x); }
static long double long_atan(long double x) { return atanl(x); }
static long double long_atan2(long double y, long double x) { return atan2l(y, x); }
static long double long_sinh(long double x) { return sinhl(x); }
static long double long_cosh(long double x) { return coshl(x); }
static long double long_tanh(long double x) { return tanhl(x); }
static long double long_erf(long double x) { return erfl(x); }
static long double long_erfc(long double x) { return erfcl(x); }
static long double long_lgamma(long double x) { return lgammal(x); }
static long double long_log1p_exp(long double x) { return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x)); }
static long double long_inv_logit(long double x) { return 1 / (1 + expl(-x)); }
static long double long_phi(long double x) { return erfcl(-x * SQRT_HALF) / 2; }

/* Below -100 erfc is near its underflow: the asymptotic series phi(x) = pdf(x) / |x| (1 - 1/x^2 + 3/x^4 - ...). */
static long double long_log_phi(long double x) {
  if (x > 0) return log1pl(-erfcl(x * SQRT_HALF) / 2);
  if (x > -100) return logl(erfcl(-x * SQRT_HALF) / 2);
  long double sum = 1, term = 1;
  for (int k = 1; k < 12; k++) sum += term *= -(2 * k - 1) / (x * x);
  return -x * x / 2 - logl(-x) - 0.918938533204672741780329736405617640L + logl(sum);
}

/* Newton on log phi or on its mirror image, from the double value. */
static long double long_inv_phi(long double p) {
  long double x = rt_inv_phi((double)p);
  if (!isfinite(x)) return x;
  bool upper = p > 0.5L;
  long double q = upper ? 1 - p : p, z = upper ? -x : x;
  for (int k = 0; k < 3; k++) {
    long double f = long_log_phi(z), slope = expl(-z * z / 2 - 0.918938533204672741780329736405617640L - f);
    z -= (f - logl(q)) / slope;
  }
  return upper ? -z : z;
}

/* Recurrence up to 30, then the asymptotic series with Bernoulli numbers. */
static long double long_digamma(long double x) {
  const long double pi = 3.141592653589793238462643383279502884L;
  if (x <= 0) return floorl(x) == x ? (long double)NAN : long_digamma(1 - x) - pi / tanl(pi * x);
  long double r = 0;
  for (; x < 30; x += 1) r -= 1 / x;
  long double y = 1 / (x * x);
  return r + logl(x) - 1 / (2 * x) -
         y * (1.0L / 12 - y * (1.0L / 120 - y * (1.0L / 252 - y * (1.0L / 240 - y * (1.0L / 132 - y * (691.0L / 32760 - y / 12))))));
}

static long double long_trigamma(long double x) {
  const long double pi = 3.141592653589793238462643383279502884L;
  if (x <= 0) {
    long double s = sinl(pi * x);
    return floorl(x) == x ? (long double)INFINITY : pi * pi / (s * s) - long_trigamma(1 - x);
  }
  long double r = 0;
  for (; x < 30; x += 1) r += 1 / (x * x);
  long double y = 1 / (x * x);
  return r + 1 / x + y / 2 +
         y / x * (1.0L / 6 - y * (1.0L / 30 - y * (1.0L / 42 - y * (1.0L / 30 - y * (5.0L / 66 - y * (691.0L / 2730 - y * 7 / 6))))));
}

/* Power series of positive terms, and complements: for moderate arguments. */
static long double long_log_gamma_p(long double a, long double x) {
  long double t = 1, s = 1;
  for (int n = 1; n < 2000 && t > s * 1e-22L; n++) s += t *= x / (a + n);
  return a * logl(x) - x - lgammal(a + 1) + logl(s);
}
static long double long_log_gamma_q(long double a, long double x) { return log1pl(-expl(long_log_gamma_p(a, x))); }

static long double long_beta_series(long double a, long double b, long double x, long double y) {
  long double t = 1, s = 1;
  for (int n = 1; n < 20000 && t > s * 1e-22L; n++) s += t *= x * (a + b + n - 1) / (a + n);
  return a * logl(x) + b * logl(y) + lgammal(a + b) - lgammal(a + 1) - lgammal(b) + logl(s);
}
static long double long_log_beta_odds(long double a, long double b, long double w) {
  long double x = w / (1 + w), y = 1 / (1 + w);
  return x * (a + b) < a ? long_beta_series(a, b, x, y) : log1pl(-expl(long_beta_series(b, a, y, x)));
}
static long double long_log_student(long double nu, long double z) {
  long double tail = expl(long_log_beta_odds(nu / 2, 0.5L, nu / (z * z))) / 2;
  return z < 0 ? logl(tail) : log1pl(-tail);
}

/* As in Owen 1956, for |a| <= 1. */
static long double long_owens_t(long double h, long double a) {
  long double q = h * h / 2, t = 1, sum = 0, power = a, r = atanl(a);
  for (int j = 0; j < 200; j++) {
    sum += t;
    r += (j % 2 ? 1 : -1) * (1 - expl(-q) * sum) * power / (2 * j + 1);
    power *= a * a;
    t *= q / (j + 1);
  }
  return r / (2 * 3.141592653589793238462643383279502884L);
}

static long double long_bessel(long double x, int order) {
  long double t = order ? x / 2 : 1, s = t;
  for (int n = 1; n < 500; n++) s += t *= x * x / 4 / n / (n + order);
  return s;
}
static long double long_log_bessel_i0e(long double x) { return logl(long_bessel(x, 0)) - fabsl(x); }
static long double long_bessel_ratio(long double x) { return long_bessel(x, 1) / long_bessel(x, 0); }

/* Derivatives, which no test differentiates again, are those of the runtime. */
static long double long_special(int which, long double a, long double b, long double c) {
  switch (which) {
  case RT_LOG_GAMMA_P: return long_log_gamma_p(a, b);
  case RT_LOG_GAMMA_Q: return long_log_gamma_q(a, b);
  case RT_LOG_STUDENT: return long_log_student(a, b);
  case RT_LOG_BETA_ODDS: return long_log_beta_odds(a, b, c);
  case RT_OWENS_T: return long_owens_t(a, b);
  case RT_LOG_BESSEL_I0E: return long_log_bessel_i0e(a);
  case RT_BESSEL_RATIO: return long_bessel_ratio(a);
  default: return rt_special(which, (double)a, (double)b, (double)c);
  }
}

#define REAL long double
#define NAME(x) extended_##x
#define MATH(x) long_##x
#include "tests/ref_eval_body.h"
#undef REAL
#undef NAME
#undef MATH

ref_status ref_eval(ref_precision precision, const ir_fn *fn, arena *mem, const ref_array *in, ref_array *out, ref_report *report) {
  ref_report unread;
  if (!report) report = &unread;
  memset(report, 0, sizeof *report);
  evaluator *ev = ARENA_NEW(mem, evaluator);
  ev->mem = mem;
  ev->m = fn->module;
  ev->report = report;
  if (setjmp(ev->stop)) return ev->status;
  if (precision == REF_DOUBLE) double_call(ev, fn, in, out);
  else extended_call(ev, fn, in, out);
  return REF_OK;
}

ref_array ref_reals(arena *mem, size_t n, const double *x) {
  ref_array r = {n, ARENA_ARRAY(mem, ref_cell, n)};
  for (size_t k = 0; k < n; k++) r.cell[k].real = x[k];
  return r;
}

ref_array ref_ints(arena *mem, size_t n, const int64_t *x) {
  ref_array r = {n, ARENA_ARRAY(mem, ref_cell, n)};
  for (size_t k = 0; k < n; k++) r.cell[k].integer = x[k];
  return r;
}
