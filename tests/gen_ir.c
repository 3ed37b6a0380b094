/* gen_ir.c: random well-typed functions.
 *
 * A list of what is in scope (reals, arrays, indices) grows as operations are made and shrinks at the end of a block.
 * Each real carries a bound on its magnitude; one that could get large goes through tanh first. */
#include "tests/gen_ir.h"

#include <string.h>

typedef struct item {
  ir_val v;
  double most; /* bound of |x|, of every element for an array */
} item;

typedef struct items {
  item it[256];
  size_t n;
} items;

typedef struct axis {
  ir_val index;
  ir_size size;
} axis;

typedef struct generator {
  ir_fn *fn;
  size_table *sizes;
  arena *mem;
  gen_options opt;
  uint64_t state;
  int budget, loops; /* operations left; loops around the cursor */
  double work;       /* iterations of all of them */
  items reals, arrays;
  axis index[32];
  size_t nindices;
  ir_size size[4]; /* N0 (may be 0), N1 >= 1, N2 (may be 0), and the literal 3 */
  int64_t number[4];
  ir_val gather; /* int[N0] of values in 0 .. N1 - 1 */
  ir_val key;
  ir_fn *callee[2];
  int ncallees;
} generator;

static uint64_t next(generator *g) {
  uint64_t z = g->state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

static int pick(generator *g, int n) { return (int)(next(g) % (uint64_t)n); }
static double unit(generator *g) { return (double)(next(g) >> 11) * 0x1p-53; }

/* A literal with few digits, so that failing programs read well. */
static double literal(generator *g) { return (double)(pick(g, 41) - 20) / 8.0; }

static void add_real(generator *g, ir_val v, double most) {
  if (g->reals.n < 256) g->reals.it[g->reals.n++] = (item){v, most};
}

static void add_array(generator *g, ir_val v, double most) {
  if (g->arrays.n < 256) g->arrays.it[g->arrays.n++] = (item){v, most};
}

typedef struct mark {
  size_t reals, arrays, indices;
} mark;

static mark enter(generator *g) { return (mark){g->reals.n, g->arrays.n, g->nindices}; }
static void leave(generator *g, mark m) {
  g->reals.n = m.reals;
  g->arrays.n = m.arrays;
  g->nindices = m.indices;
}

gen_options gen_default(void) { return (gen_options){.size = 40, .dense = true, .loops = true, .calls = true}; }

/* ---- scalars */

/* Recent values are likelier, so that expressions get deep. */
static item some_real(generator *g, ir_builder *b) {
  if (g->reals.n == 0 || pick(g, 12) == 0) {
    double x = literal(g);
    add_real(g, ir_real(b, x), x < 0 ? -x : x);
    return g->reals.it[g->reals.n - 1];
  }
  size_t back = (size_t)pick(g, pick(g, 2) ? 4 : (int)g->reals.n) % g->reals.n;
  return g->reals.it[g->reals.n - 1 - back];
}

static item tame(generator *g, ir_builder *b, item x, double most) {
  if (x.most <= most) return x;
  (void)g;
  return (item){ir_op1(b, IR_TANH_OP, x.v), 1};
}

static ir_val one_plus_square(ir_builder *b, ir_val x) {
  ir_val one = ir_real(b, 1.0), square = ir_op2(b, IR_MUL_OP, x, x);
  return ir_op2(b, IR_ADD_OP, one, square);
}

static item unary(generator *g, ir_builder *b) {
  item x = tame(g, b, some_real(g, b), 8);
  double m = x.most;
  switch (pick(g, g->opt.smooth ? 21 : 27)) {
  case 0: return (item){ir_op1(b, IR_EXP_OP, tame(g, b, x, 3).v), 21};
  case 1: return (item){ir_op1(b, IR_LOG_OP, one_plus_square(b, x.v)), 5};
  case 2: return (item){ir_op1(b, IR_SQRT_OP, one_plus_square(b, x.v)), m + 1};
  case 3: return (item){ir_op1(b, IR_SIN_OP, x.v), 1};
  case 4: return (item){ir_op1(b, IR_COS_OP, x.v), 1};
  case 5: return (item){ir_op1(b, IR_TANH_OP, x.v), 1};
  case 6: return (item){ir_op1(b, IR_ATAN_OP, x.v), 2};
  case 7: return (item){ir_op1(b, IR_ERF_OP, x.v), 1};
  case 8: /* often with its derivative, which is made of the same exponential */
    if (pick(g, 2)) add_real(g, ir_op1(b, IR_INV_LOGIT_OP, pick(g, 2) ? x.v : ir_op1(b, IR_NEG_OP, x.v)), 1);
    return (item){ir_op1(b, IR_LOG1P_EXP_OP, x.v), m + 1};
  case 9: return (item){ir_op1(b, IR_INV_LOGIT_OP, x.v), 1};
  case 10: return (item){ir_op1(b, IR_LGAMMA_OP, one_plus_square(b, x.v)), 250};
  case 11: return (item){ir_op1(b, IR_DIGAMMA_OP, one_plus_square(b, x.v)), 6};
  case 12: return (item){ir_op1(b, IR_PHI_OP, x.v), 1};
  case 13: return (item){ir_op1(b, IR_LOG_PHI_OP, x.v), 40};
  case 14: return (item){ir_op1(b, IR_NEG_OP, x.v), m};
  case 15: return (item){ir_op1(b, IR_LOG1P_OP, ir_op2(b, IR_MUL_OP, x.v, x.v)), 5};
  case 16: return (item){ir_op1(b, IR_EXPM1_OP, tame(g, b, x, 3).v), 21};
  case 17: return (item){ir_op1(b, IR_SINH_OP, tame(g, b, x, 3).v), 11};
  case 18: return (item){ir_op1(b, IR_ERFC_OP, x.v), 2};
  case 19: return (item){ir_op1(b, IR_INV_PHI_OP, ir_op1(b, IR_INV_LOGIT_OP, tame(g, b, x, 3).v)), 3};
  case 20: return (item){ir_op2(b, IR_POW_OP, one_plus_square(b, tame(g, b, x, 3).v), ir_real(b, (double)(pick(g, 9) - 4) / 2)), 100};
  case 21: return (item){ir_op1(b, IR_ABS_OP, x.v), m};
  case 22: return (item){ir_op1(b, IR_FLOOR_OP, x.v), m + 1};
  case 23: return (item){ir_op1(b, IR_ROUND_OP, x.v), m + 1};
  case 24: return (item){ir_op1(b, IR_SIGN_OP, x.v), 1};
  case 25: return (item){ir_op1(b, IR_CEIL_OP, x.v), m + 1};
  default: return (item){ir_op1(b, IR_TO_REAL_OP, ir_op1(b, IR_TO_INT_OP, x.v)), m + 1};
  }
}

/* A parameter by its number: x0, x1, k0, c0, u0, u1, v1, ... */
static ir_val param_of(const generator *g, int k) { return g->fn->param[k].val; }

static ir_val condition(generator *g, ir_builder *b);

/* Special functions, and where nothing is differentiated their derivatives too. */
static item special(generator *g, ir_builder *b) {
  ir_val x = tame(g, b, some_real(g, b), 3).v, y = tame(g, b, some_real(g, b), 3).v;
  ir_val a = one_plus_square(b, x), c = one_plus_square(b, y);
  static const ir_code plain[] = {IR_LOG_GAMMA_P_OP, IR_LOG_GAMMA_Q_OP}, more[] = {IR_LOG_GAMMA_P_A_OP, IR_LOG_GAMMA_P_X_OP, IR_LOG_GAMMA_Q_A_OP, IR_LOG_GAMMA_Q_X_OP};
  static const ir_code student[] = {IR_LOG_STUDENT_OP, IR_LOG_STUDENT_NU_OP, IR_LOG_STUDENT_Z_OP};
  static const ir_code beta[] = {IR_LOG_BETA_ODDS_OP, IR_LOG_BETA_ODDS_A_OP, IR_LOG_BETA_ODDS_B_OP, IR_LOG_BETA_ODDS_W_OP};
  switch (pick(g, g->opt.smooth ? 6 : 7)) {
  case 0: return (item){ir_op2(b, plain[pick(g, 2)], a, c), 60};
  case 1: return (item){ir_op2(b, student[g->opt.smooth ? 0 : pick(g, 3)], a, y), 60};
  case 2: return (item){ir_op3(b, beta[g->opt.smooth ? 0 : pick(g, 4)], a, c, one_plus_square(b, some_real(g, b).v)), 100};
  case 3: return (item){ir_op2(b, IR_OWENS_T_OP, x, ir_op1(b, IR_TANH_OP, y)), 1};
  case 4: return (item){ir_op1(b, IR_LOG_BESSEL_I0E_OP, x), 4};
  case 5: return (item){ir_op1(b, g->opt.smooth || pick(g, 2) ? IR_BESSEL_RATIO_OP : IR_BESSEL_GAP_OP, a), 1};
  default: return (item){ir_op2(b, more[pick(g, 4)], a, c), 60};
  }
}

static item binary(generator *g, ir_builder *b) {
  item x = tame(g, b, some_real(g, b), 1e4), y = tame(g, b, some_real(g, b), 1e4);
  switch (pick(g, g->opt.smooth ? 10 : 13)) {
  case 0:
  case 1: return (item){ir_op2(b, IR_ADD_OP, x.v, y.v), x.most + y.most};
  case 2: return (item){ir_op2(b, IR_SUB_OP, x.v, y.v), x.most + y.most};
  case 3:
  case 4: return (item){ir_op2(b, IR_MUL_OP, x.v, y.v), x.most * y.most};
  case 5: { /* by a literal, by what does not vary in any loop, or by anything */
    int what = pick(g, 4);
    if (what == 0) return (item){ir_op2(b, IR_DIV_OP, x.v, ir_real(b, 1.5 + pick(g, 20))), x.most};
    return (item){ir_op2(b, IR_DIV_OP, x.v, one_plus_square(b, what == 1 ? param_of(g, 4 + pick(g, 2)) : y.v)), x.most};
  }
  case 6: return (item){ir_op3(b, IR_FMA_OP, x.v, y.v, some_real(g, b).v), x.most * y.most + 1e8};
  case 7: { /* among values, or results of one function */
    ir_val c = condition(g, b);
    if (pick(g, 2)) return (item){ir_op3(b, IR_SELECT_OP, c, x.v, y.v), x.most + y.most};
    ir_val u = ir_op1(b, IR_TANH_OP, x.v), v = ir_op1(b, IR_TANH_OP, y.v);
    return (item){ir_op3(b, IR_SELECT_OP, c, ir_op1(b, IR_NEG_OP, u), ir_op1(b, IR_NEG_OP, v)), 1};
  }
  case 8: return (item){ir_op2(b, IR_ATAN2_OP, x.v, one_plus_square(b, y.v)), 4};
  case 9: return special(g, b);
  case 10: return (item){ir_op2(b, IR_MIN_OP, x.v, y.v), x.most + y.most};
  case 11: return (item){ir_op2(b, IR_MAX_OP, x.v, y.v), x.most + y.most};
  default: { /* a guard that may fail, and its -inf made moderate again */
    ir_val c = ir_op2(b, IR_LT_OP, x.v, y.v);
    return (item){ir_op1(b, IR_TANH_OP, ir_op2(b, IR_GUARD_OP, c, x.v)), 1};
  }
  }
}

/* On ints, and on reals only where nothing has to be smooth. */
static ir_val condition(generator *g, ir_builder *b) {
  if (!g->opt.smooth && pick(g, 2)) return ir_op2(b, pick(g, 2) ? IR_LT_OP : IR_LE_OP, some_real(g, b).v, some_real(g, b).v);
  if (g->nindices) {
    ir_val i = g->index[pick(g, (int)g->nindices)].index;
    ir_val r = ir_op2(b, IR_IMOD_OP, i, ir_int(b, 2 + pick(g, 3)));
    ir_val c = ir_op2(b, pick(g, 2) ? IR_EQ_OP : IR_NE_OP, r, ir_int(b, pick(g, 2)));
    return pick(g, 4) ? c : ir_op1(b, IR_NOT_OP, c);
  }
  return ir_op2(b, IR_LT_OP, ir_size_val(b, g->size[0]), ir_int(b, pick(g, 12)));
}

/* ---- arrays */

/* An index that is in range of an axis of this extent, or 0. */
static ir_val index_for(generator *g, ir_builder *b, ir_size size) {
  ir_val found = 0;
  int seen = 0;
  for (size_t k = 0; k < g->nindices; k++)
    if (g->index[k].size == size && pick(g, ++seen) == 0) found = g->index[k].index;
  if (found && pick(g, 6)) return found;
  if (size == g->size[1])
    for (size_t k = 0; k < g->nindices; k++)
      if (g->index[k].size == g->size[0] && pick(g, 2)) {
        ir_val at = ir_at1(b, g->gather, g->index[k].index);
        return pick(g, 3) ? at : ir_op2(b, IR_BOUND_OP, at, ir_size_val(b, size));
      }
  if (found) return found;
  int64_t n;
  if (size == g->size[1]) return ir_int(b, 0);
  if (size_is_const(g->sizes, size, &n) && n > 0) return ir_int(b, pick(g, (int)n));
  return 0;
}

static bool element(generator *g, ir_builder *b, item *out) {
  if (!g->arrays.n) return false;
  item a = g->arrays.it[pick(g, (int)g->arrays.n)];
  ir_type t = ir_type_of(g->fn, a.v);
  ir_axes axes = {.n = t.rank};
  for (int k = 0; k < t.rank; k++)
    if (!(axes.at[k] = index_for(g, b, t.dim[k]))) return false;
  *out = (item){ir_at(b, a.v, axes), a.most};
  return true;
}

static void steps(generator *g, ir_builder *b, int n);

/* A moderate value out of a few operations of its own. */
static item expression(generator *g, ir_builder *b, int n, double most) {
  size_t before = g->reals.n;
  steps(g, b, n);
  item x = g->reals.n > before ? g->reals.it[g->reals.n - 1] : some_real(g, b);
  return tame(g, b, x, most);
}

static void plate(generator *g, ir_builder *b) {
  mark m = enter(g);
  uint32_t rank = 1 + (uint32_t)(pick(g, 4) == 0);
  ir_val extent[2];
  ir_size size[2];
  double count = 1;
  for (uint32_t k = 0; k < rank; k++) {
    int which = pick(g, 4);
    size[k] = g->size[which];
    count *= (double)g->number[which];
    extent[k] = ir_size_val(b, size[k]);
  }
  if (g->work * count > 4000) return;
  int nout = 1 + pick(g, 3);
  ir_val keyed = 0, summed_array = 0;
  if (pick(g, 3) == 0) keyed = ir_new_array(b, ir_array(IR_REAL, 1, &g->size[1]));
  ir_op *op = ir_loop_begin(b, IR_PLATE_OP, rank, extent);
  ir_builder in = ir_builder_in(b, &op->u.loop->body);
  for (uint32_t k = 0; k < rank; k++) g->index[g->nindices++] = (axis){op->u.loop->index[k], size[k]};
  double work = g->work;
  g->work *= count > 1 ? count : 1;
  g->loops++;
  steps(g, &in, 1 + pick(g, 4));
  struct {
    ir_val v;
    double most;
    bool array;
  } result[5];
  int n = 0;
  for (int k = 0; k < nout; k++) {
    item x = expression(g, &in, 1 + pick(g, 4), 100);
    int how = pick(g, g->opt.smooth ? 4 : 5);
    ir_mode mode = how < 2 ? IR_SUM : how < 4 ? IR_STACK : pick(g, 2) ? IR_MAX : IR_MIN;
    ir_val v = ir_loop_out(g->fn, op, mode, 0, NULL, x.v);
    result[n].v = v;
    result[n].most = mode == IR_STACK ? x.most : mode == IR_SUM ? x.most * count : 1e300;
    result[n++].array = mode == IR_STACK;
  }
  if (pick(g, 8) == 0 && g->arrays.n) { /* the sum of rows */
    for (size_t k = 0; k < g->arrays.n && !summed_array; k++) {
      item a = g->arrays.it[k];
      ir_type t = ir_type_of(g->fn, a.v);
      if (t.rank != 2 || t.dim[0] != size[0]) continue;
      summed_array = ir_loop_out(g->fn, op, IR_SUM, 0, NULL, ir_at1(&in, a.v, op->u.loop->index[0]));
      result[n].v = summed_array;
      result[n].most = a.most * count;
      result[n++].array = true;
    }
  }
  if (keyed) {
    ir_val at = index_for(g, &in, g->size[1]);
    item x = expression(g, &in, 1 + pick(g, 2), 10);
    ir_axes axes = {.n = 1, .at = {at}};
    result[n].v = ir_loop_out(g->fn, op, IR_KEYED, keyed, &axes, x.v);
    result[n].most = x.most * count;
    result[n++].array = true;
  }
  g->loops--;
  g->work = work;
  leave(g, m);
  for (int k = 0; k < n; k++) {
    if (result[k].array) add_array(g, result[k].v, result[k].most);
    else if (result[k].most == 1e300) add_real(g, ir_op1(b, IR_TANH_OP, result[k].v), 1);
    else add_real(g, result[k].v, result[k].most);
  }
}

/* States of each kind: a carried real, an array built from its own last element, and counts added by key.  Some end themselves. */
static void scan(generator *g, ir_builder *b) {
  int which = pick(g, 4);
  if (g->work * (double)g->number[which] > 2000) return;
  double work = g->work;
  mark m = enter(g);
  ir_val extent = ir_size_val(b, g->size[which]), one = ir_int(b, 1), zero = ir_int(b, 0);
  item p0 = tame(g, b, some_real(g, b), 100);
  ir_size dim = size_add(g->sizes, g->size[which], size_const(g->sizes, 1));
  bool into = pick(g, 2), keyed = pick(g, 3) == 0, stack = pick(g, 2), sum = pick(g, 3) == 0;
  ir_val start = 0, counts = 0, go = condition(g, b);
  if (into) start = ir_put(b, ir_new_array(b, ir_array(IR_REAL, 1, &dim)), (ir_axes){.n = 1, .at = {zero}}, p0.v);
  if (keyed) counts = ir_new_array(b, ir_array(IR_REAL, 1, &g->size[1]));
  ir_op *op = ir_loop_begin(b, IR_SCAN_OP, 1, &extent);
  op->u.loop->down = !into && pick(g, 3) == 0;
  ir_val t = op->u.loop->index[0];
  uint32_t carry = ir_loop_state(g->fn, op, IR_CARRY, p0.v), placed = 0, added = 0, live = 0;
  bool ends = !op->u.loop->down && pick(g, 3) == 0;
  if (ends) {
    live = ir_loop_state(g->fn, op, IR_CARRY, go);
    op->u.loop->live = op->u.loop->out[live].state;
    stack = sum = false; /* of a stack there would be elements without a value */
  }
  if (into) placed = ir_loop_state(g->fn, op, IR_INTO, start);
  if (keyed) added = ir_loop_state(g->fn, op, IR_KEYED, counts);
  ir_builder in = ir_builder_in(b, &op->u.loop->body);
  g->index[g->nindices++] = (axis){t, g->size[which]};
  g->work *= g->number[which] > 1 ? (double)g->number[which] : 1;
  g->loops++;
  add_real(g, op->u.loop->out[carry].state, p0.most > 1 ? p0.most : 1);
  if (into) add_real(g, ir_at1(&in, op->u.loop->out[placed].state, t), 100);
  if (keyed) add_real(g, ir_at1(&in, op->u.loop->out[added].state, zero), 1e4);
  item x = expression(g, &in, 2 + pick(g, 4), 50), y = expression(g, &in, 1 + pick(g, 3), 50);
  ir_loop_finish(g->fn, op, carry, NULL, ir_op1(&in, IR_TANH_OP, x.v));
  if (ends) ir_loop_finish(g->fn, op, live, NULL, condition(g, &in));
  if (into) {
    ir_axes axes = {.n = 1, .at = {ir_op2(&in, IR_ADD_OP, t, one)}};
    ir_loop_finish(g->fn, op, placed, &axes, y.v);
  }
  if (keyed) {
    ir_axes axes = {.n = 1, .at = {index_for(g, &in, g->size[1])}};
    ir_loop_finish(g->fn, op, added, &axes, tame(g, &in, y, 1).v);
  }
  ir_val stacked = stack ? ir_loop_out(g->fn, op, IR_STACK, 0, NULL, y.v) : 0;
  ir_val summed = sum ? ir_loop_out(g->fn, op, IR_SUM, 0, NULL, x.v) : 0;
  g->loops--;
  g->work = work;
  leave(g, m);
  add_real(g, op->res[carry], p0.most > 1 ? p0.most : 1);
  if (into) {
    add_array(g, op->res[placed], 100);
    add_real(g, ir_at1(b, op->res[placed], extent), 100);
  }
  if (keyed) add_array(g, op->res[added], 1e4);
  if (stacked) add_array(g, stacked, 50);
  if (summed) add_real(g, summed, 5000);
}

/* Recurrences with one real state, as passes take them apart: x' = c x + d carried either way, a deviation read as a variance in an
 * array, and what differentiation makes of such: a downward scan that adds to the element before. */
static void recurrence(generator *g, ir_builder *b) {
  int which = pick(g, 3), kind = pick(g, 4);
  double n = (double)g->number[which];
  mark m = enter(g);
  ir_val extent = ir_size_val(b, g->size[which]), zero = ir_int(b, 0);
  ir_size dim = size_add(g->sizes, g->size[which], size_const(g->sizes, 1));
  item p0 = tame(g, b, some_real(g, b), 10);
  ir_val start = p0.v;
  if (kind == 2) { /* every element differs, as adjoints do */
    ir_val length = ir_size_val(b, dim);
    ir_op *fill = ir_loop_begin(b, IR_PLATE_OP, 1, &length);
    ir_builder in = ir_builder_in(b, &fill->u.loop->body);
    ir_val j = ir_op1(&in, IR_TO_REAL_OP, fill->u.loop->index[0]);
    start = ir_loop_out(g->fn, fill, IR_STACK, 0, NULL, ir_op1(&in, IR_SIN_OP, ir_op2(&in, IR_MUL_OP, j, p0.v)));
  } else if (kind == 1) {
    start = ir_put(b, ir_new_array(b, ir_array(IR_REAL, 1, &dim)), (ir_axes){.n = 1, .at = {zero}}, p0.v);
  }
  ir_op *op = ir_loop_begin(b, IR_SCAN_OP, 1, &extent);
  op->u.loop->down = kind == 2 || (kind != 1 && pick(g, 2));
  ir_builder in = ir_builder_in(b, &op->u.loop->body);
  ir_val t = op->u.loop->index[0], next = ir_op2(&in, IR_ADD_OP, t, ir_int(&in, 1));
  uint32_t number = ir_loop_state(g->fn, op, kind == 1 ? IR_INTO : kind == 2 ? IR_KEYED : IR_CARRY, start);
  ir_val state = op->u.loop->out[number].state;
  ir_axes read = {.n = 1, .at = {kind == 2 ? next : t}}, written = {.n = 1, .at = {kind == 2 ? t : next}};
  g->index[g->nindices++] = (axis){t, g->size[which]};
  g->work *= n > 1 ? n : 1;
  g->loops++;
  item c = expression(g, &in, 1 + pick(g, 3), 100), d = expression(g, &in, 1 + pick(g, 3), 10);
  c = tame(g, &in, c, 0.99);
  ir_val x = kind == 1 || kind == 2 ? ir_at(&in, state, read) : state, y;
  double most = 10 + 10 * n;
  if (kind == 1) { /* sqrt(1 + d^2 + (c x)^2) */
    ir_val xx = ir_op2(&in, IR_MUL_OP, x, x), cc = ir_op2(&in, IR_MUL_OP, c.v, c.v);
    y = ir_op1(&in, IR_SQRT_OP, ir_op2(&in, IR_ADD_OP, ir_op2(&in, IR_MUL_OP, cc, xx), one_plus_square(&in, d.v)));
  } else if (kind == 2 && !g->opt.smooth) { /* an adjoint of 0 stays 0 */
    ir_val none = ir_op2(&in, IR_EQ_OP, x, ir_real(&in, 0));
    y = ir_op3(&in, IR_SELECT_OP, none, ir_real(&in, 0), ir_op2(&in, IR_DIV_OP, ir_op2(&in, IR_MUL_OP, x, c.v), one_plus_square(&in, d.v)));
  } else if (kind == 2) {
    y = ir_op2(&in, IR_MUL_OP, ir_op2(&in, IR_MUL_OP, ir_real(&in, 0.5), x), c.v);
  } else {
    ir_val a = ir_op2(&in, IR_SUB_OP, d.v, ir_op2(&in, IR_MUL_OP, x, c.v));
    y = pick(g, 2) ? a : ir_op3(&in, IR_SELECT_OP, condition(g, &in), ir_op1(&in, IR_NEG_OP, a), ir_op2(&in, IR_MUL_OP, a, ir_real(&in, 0.5)));
  }
  if (kind == 1 || kind == 2) ir_loop_finish(g->fn, op, number, &written, y);
  else ir_loop_finish(g->fn, op, number, NULL, y);
  ir_val use = kind == 1 ? ir_op2(&in, IR_MUL_OP, ir_op2(&in, IR_MUL_OP, x, x), c.v) : ir_op2(&in, IR_MUL_OP, x, d.v);
  ir_val total = pick(g, 3) ? ir_loop_out(g->fn, op, IR_SUM, 0, NULL, use) : 0, all = pick(g, 3) ? 0 : ir_loop_out(g->fn, op, IR_STACK, 0, NULL, use);
  g->loops--;
  g->work /= n > 1 ? n : 1;
  leave(g, m);
  if (kind == 1 || kind == 2) add_array(g, op->res[number], most);
  else add_real(g, op->res[number], most);
  if (total) add_real(g, ir_op1(b, IR_ATAN_OP, total), 2);
  if (all) add_array(g, all, 1e6);
}

static void branch(generator *g, ir_builder *b) {
  ir_op *op = ir_if_begin(b, condition(g, b));
  item x[2], y[2];
  for (int k = 0; k < 2; k++) {
    mark m = enter(g);
    ir_builder in = ir_builder_in(b, k ? &op->u.branch->else_ : &op->u.branch->then_);
    x[k] = expression(g, &in, 1 + pick(g, 3), 100);
    y[k] = expression(g, &in, 1 + pick(g, 2), 100);
    leave(g, m);
  }
  ir_val v = ir_if_out(g->fn, op, x[0].v, x[1].v), w = ir_if_out(g->fn, op, y[0].v, y[1].v);
  add_real(g, v, 100);
  add_real(g, w, 100);
}

/* e^-(i - j)^2, a covariance. */
static ir_val bell(ir_builder *in, ir_val i, ir_val j) {
  ir_val d = ir_op1(in, IR_TO_REAL_OP, ir_op2(in, IR_SUB_OP, i, j));
  return ir_op1(in, IR_EXP_OP, ir_op1(in, IR_NEG_OP, ir_op2(in, IR_MUL_OP, d, d)));
}

/* A = G G' + 2 I is positive definite for any G, and so is A plus a covariance; then a solve, a product and sums of them. */
static void dense(generator *g, ir_builder *b) {
  ir_size n = g->size[1 + 2 * pick(g, 2)];
  ir_val extent = ir_size_val(b, n), two = ir_real(b, 2.0), zero = ir_real(b, 0.0);
  item scale = tame(g, b, some_real(g, b), 1), shift = tame(g, b, some_real(g, b), 1);
  ir_op *rows = ir_loop_begin(b, IR_PLATE_OP, 2, (ir_val[]){extent, extent});
  ir_builder in = ir_builder_in(b, &rows->u.loop->body);
  ir_val i = rows->u.loop->index[0], j = rows->u.loop->index[1];
  ir_val d = ir_op1(&in, IR_TO_REAL_OP, ir_op2(&in, IR_SUB_OP, i, j));
  ir_val e = ir_op1(&in, IR_SIN_OP, ir_op3(&in, IR_FMA_OP, d, scale.v, shift.v));
  ir_val G = ir_loop_out(g->fn, rows, IR_STACK, 0, NULL, e);
  ir_val GG = ir_matmul(b, G, G, IR_TRANS_B);
  ir_op *add = ir_loop_begin(b, IR_PLATE_OP, 2, (ir_val[]){extent, extent});
  in = ir_builder_in(b, &add->u.loop->body);
  i = add->u.loop->index[0], j = add->u.loop->index[1];
  ir_val diagonal = ir_op3(&in, IR_SELECT_OP, ir_op2(&in, IR_EQ_OP, i, j), two, zero);
  ir_val sum = ir_op2(&in, IR_ADD_OP, ir_at(&in, GG, (ir_axes){.n = 2, .at = {i, j}}), diagonal);
  bool covariance = pick(g, 2);
  if (covariance) sum = ir_op2(&in, IR_ADD_OP, sum, bell(&in, i, j));
  ir_val A = ir_loop_out(g->fn, add, IR_STACK, 0, NULL, sum), L = ir_cholesky(b, A);
  ir_val row = ir_at1(b, G, ir_int(b, 0));
  ir_val x = ir_trisolve(b, L, row, pick(g, 2)), y = ir_matmul(b, G, x, pick(g, 2));
  add_array(g, y, 1e3);
  add_array(g, x, 1e3);
  if (covariance) { /* the same numbers again, as in an adjoint */
    ir_op *again = ir_loop_begin(b, IR_PLATE_OP, 2, (ir_val[]){extent, extent});
    in = ir_builder_in(b, &again->u.loop->body);
    i = again->u.loop->index[0], j = again->u.loop->index[1];
    ir_val part = ir_op2(&in, IR_MUL_OP, bell(&in, i, j), ir_at(&in, L, (ir_axes){.n = 2, .at = {i, j}}));
    add_real(g, ir_loop_out(g->fn, again, IR_SUM, 0, NULL, part), 1e3);
  }
  if (pick(g, 2)) add_array(g, L, 200);
  if (pick(g, 2)) add_array(g, ir_trisolve(b, L, G, pick(g, 2)), 1e3);
  if (pick(g, 3) == 0) add_array(g, ir_matmul(b, x, y, IR_TRANS_B), 1e6);
  if (!g->opt.smooth && pick(g, 3) == 0) add_array(g, ir_qr_r(b, A, G), 1e4);
  add_real(g, ir_matmul(b, x, row, 0), 1e5);
}

/* x1' v1 or x1 x0, read by one loop at its own index; every row counts. */
static void regression(generator *g, ir_builder *b) {
  bool down = pick(g, 2), left = pick(g, 2);
  ir_val X = param_of(g, 1), v = down ? param_of(g, 6) : param_of(g, 0);
  ir_val eta = left ? ir_matmul(b, v, X, down ? 0 : IR_TRANS_B) : ir_matmul(b, X, v, down ? IR_TRANS_A : 0);
  item x = tame(g, b, some_real(g, b), 10);
  ir_val n = ir_size_val(b, g->size[down ? 0 : 1]);
  ir_op *op = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  ir_builder in = ir_builder_in(b, &op->u.loop->body);
  ir_val e = ir_op1(&in, IR_TANH_OP, ir_op2(&in, IR_ADD_OP, ir_at1(&in, eta, op->u.loop->index[0]), x.v));
  if (pick(g, 2)) add_real(g, ir_loop_out(g->fn, op, IR_SUM, 0, NULL, e), 100);
  else add_array(g, ir_loop_out(g->fn, op, IR_STACK, 0, NULL, e), 1);
}

/* Loops that passes and derivations treat apart: copies, arrays placed element by element, arrays carried, contributions
 * by lists of keys, and buckets of an index array, whose loops have extents known only when they run. */
static void rebuild(generator *g, ir_builder *b) {
  item a = g->arrays.it[pick(g, (int)g->arrays.n)];
  ir_type t = ir_type_of(g->fn, a.v);
  int what = pick(g, 7);
  if (what == 6) {
    regression(g, b);
    return;
  }
  ir_val extent[IR_MAX_RANK], one = ir_int(b, 1);
  for (int d = 0; d < t.rank; d++) extent[d] = ir_size_val(b, t.dim[d]);
  if (g->work > 40) return;
  if (what < 2 || (what == 2 && t.rank == 1)) {
    ir_val start = what ? ir_new_array(b, t) : 0;
    ir_op *op = ir_loop_begin(b, what == 2 ? IR_SCAN_OP : IR_PLATE_OP, t.rank, extent);
    ir_builder in = ir_builder_in(b, &op->u.loop->body);
    ir_axes axes = {.n = t.rank};
    for (int d = 0; d < t.rank; d++) axes.at[d] = op->u.loop->index[d];
    if (what == 2) op->u.loop->down = pick(g, 2);
    ir_val e = ir_at(&in, a.v, axes);
    if (what) e = ir_op1(&in, IR_SIN_OP, e);
    add_array(g, ir_loop_out(g->fn, op, what ? IR_INTO : IR_STACK, start, what ? &axes : NULL, e), what ? 1 : a.most);
  } else if (what == 3) {
    ir_val n = ir_size_val(b, g->size[1]), ptr = ir_inverse(b, IR_INV_PTR_OP, g->gather, n), list = ir_inverse(b, IR_INV_LIST_OP, g->gather, n);
    item scale = tame(g, b, some_real(g, b), 10);
    ir_op *buckets = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
    ir_builder in = ir_builder_in(b, &buckets->u.loop->body);
    ir_val k = buckets->u.loop->index[0], lo = ir_at1(&in, ptr, k), hi = ir_at1(&in, ptr, ir_op2(&in, IR_ADD_OP, k, one));
    ir_val count = ir_op2(&in, IR_SUB_OP, hi, lo);
    ir_op *members = ir_loop_begin(&in, IR_PLATE_OP, 1, &count);
    ir_builder inner = ir_builder_in(&in, &members->u.loop->body);
    ir_val p = ir_at1(&inner, list, ir_op2(&inner, IR_ADD_OP, lo, members->u.loop->index[0]));
    ir_val x = ir_op2(&inner, IR_MUL_OP, scale.v, ir_at1(&inner, param_of(g, 0), p));
    ir_val sum = ir_loop_out(g->fn, members, IR_SUM, 0, NULL, x);
    add_array(g, ir_loop_out(g->fn, buckets, IR_STACK, 0, NULL, sum), 2000);
  } else if (what == 4) {
    ir_val three = ir_int(b, 3), start = ir_new_array(b, ir_array(IR_REAL, 1, &g->size[1]));
    ir_op *op = ir_loop_begin(b, IR_PLATE_OP, 1, &three);
    ir_axes axes = {.n = 1, .at = {g->gather}};
    add_array(g, ir_loop_out(g->fn, op, IR_KEYED, start, &axes, param_of(g, 0)), 600);
  } else {
    ir_val start = param_of(g, 6); /* v1 [N1] */
    item x = tame(g, b, some_real(g, b), 10);
    ir_val n = ir_size_val(b, g->size[1]);
    ir_op *op = ir_loop_begin(b, IR_SCAN_OP, 1, &n);
    uint32_t carry = ir_loop_state(g->fn, op, IR_CARRY, start);
    ir_builder in = ir_builder_in(b, &op->u.loop->body);
    ir_axes axes = {.n = 1, .at = {op->u.loop->index[0]}};
    ir_val old = ir_at(&in, op->u.loop->out[carry].state, axes);
    ir_val e = ir_op1(&in, IR_TANH_OP, ir_op2(&in, IR_MUL_OP, old, x.v));
    ir_loop_finish(g->fn, op, carry, NULL, ir_put(&in, op->u.loop->out[carry].state, axes, e));
    add_array(g, op->res[carry], 2);
  }
}

static void draw(generator *g, ir_builder *b) {
  ir_val index = g->nindices ? g->index[pick(g, (int)g->nindices)].index : ir_int(b, pick(g, 5));
  ir_val key = pick(g, 2) ? g->key : ir_op2(b, IR_FOLD_OP, g->key, index);
  int64_t site = 1 + pick(g, 20);
  ir_val shape = one_plus_square(b, tame(g, b, some_real(g, b), 3).v);
  switch (pick(g, 7)) {
  case 0: add_real(g, ir_draw(b, IR_UNIFORM_OP, site, key, index, 0, NULL), 1); break;
  case 1: add_real(g, ir_draw(b, IR_NORMAL_OP, site, key, index, 0, NULL), 10); break;
  case 2: add_real(g, ir_draw(b, IR_EXPONENTIAL_OP, site, key, index, 0, NULL), 50); break;
  case 3: add_real(g, ir_draw(b, IR_GAMMA_OP, site, key, index, 1, &shape), 100); break;
  case 4: add_real(g, ir_draw(b, IR_LOG_GAMMA_OP, site, key, index, 1, &shape), 50); break;
  case 5: add_real(g, ir_op1(b, IR_TO_REAL_OP, ir_draw(b, IR_POISSON_OP, site, key, index, 1, &shape)), 100); break;
  default: {
    ir_val params[2] = {ir_int(b, 5 + pick(g, 20)), ir_op1(b, IR_INV_LOGIT_OP, shape)};
    add_real(g, ir_op1(b, IR_TO_REAL_OP, ir_draw(b, IR_BINOMIAL_OP, site, key, index, 2, params)), 30);
  }
  }
}

static void call(generator *g, ir_builder *b) {
  ir_fn *callee = g->callee[pick(g, g->ncallees)];
  ir_val args[2] = {tame(g, b, some_real(g, b), 10).v, tame(g, b, some_real(g, b), 10).v};
  if (ir_type_of(callee, callee->param[0].val).rank) {
    for (size_t k = 0; k < g->arrays.n; k++)
      if (ir_type_of(g->fn, g->arrays.it[k].v).rank == 1) {
        args[0] = g->arrays.it[k].v;
        add_real(g, ir_op1(b, IR_TANH_OP, ir_call(b, callee, 2, args)->res[0]), 1);
        return;
      }
    return;
  }
  ir_op *op = ir_call(b, callee, 2, args);
  add_real(g, op->res[0], 200);
  add_real(g, op->res[1], 20);
}

/* A number, or three, that are a function of two others: kept in a table of few entries, and computed where they are not there. */
static void kept(generator *g, ir_builder *b) {
  const bool array = pick(g, 2);
  ir_memo *f = ARENA_NEW(g->fn->module->mem, ir_memo);
  *f = (ir_memo){.name = "kept", .size = (uint32_t)(1 + pick(g, 4)), .number = ++g->fn->module->nmemos};
  const ir_val key[2] = {tame(g, b, some_real(g, b), 10).v, ir_op1(b, IR_ROUND_OP, tame(g, b, some_real(g, b), 10).v)};
  const ir_val n = ir_size_val(b, g->size[3]);
  ir_op *found = ir_memo_find(b, f, array ? ir_array(IR_REAL, 1, &g->size[3]) : ir_scalar(IR_REAL), 2, key);
  ir_op *op = ir_if_begin(b, ir_op2(b, IR_LE_OP, ir_int(b, 0), found->res[0]));
  ir_builder in = ir_builder_in(b, &op->u.branch->else_), body = in;
  ir_op *loop = array ? ir_loop_begin(&in, IR_PLATE_OP, 1, &n) : NULL;
  if (array) body = ir_builder_in(&in, &loop->u.loop->body);
  ir_val y = ir_op1(&body, IR_SIN_OP, ir_op2(&body, IR_MUL_OP, key[0], key[1]));
  if (array) {
    y = ir_op2(&body, IR_ADD_OP, y, ir_op1(&body, IR_TO_REAL_OP, loop->u.loop->index[0]));
    y = ir_loop_out(g->fn, loop, IR_STACK, 0, NULL, y);
  }
  y = ir_if_out(g->fn, op, found->res[1], ir_memo_keep(&in, f, found->res[0], y));
  if (array) add_array(g, y, 4);
  else add_real(g, y, 1);
}

static void step(generator *g, ir_builder *b) {
  item x;
  int what = pick(g, 27);
  g->budget--;
  if (what < 6) {
    x = unary(g, b);
  } else if (what < 12) {
    x = binary(g, b);
  } else if (what < 17) {
    if (!element(g, b, &x)) x = binary(g, b);
  } else {
    if (what < 20 && g->opt.loops && g->loops < 3) plate(g, b);
    else if (what == 20 && g->opt.loops && g->loops < 2) scan(g, b);
    else if (what == 21 && g->loops < 4) branch(g, b);
    else if (what == 22 && g->opt.dense && g->loops < 1) dense(g, b);
    else if (what == 26 && g->opt.loops && g->loops == 0) recurrence(g, b);
    else if (what == 24 && !g->opt.smooth && pick(g, 3) == 0) kept(g, b);
    else if (what >= 24 && g->opt.loops && g->loops < 2) rebuild(g, b);
    else if (what == 23 && g->opt.draws) draw(g, b);
    else if (what == 23 && g->ncallees) call(g, b);
    return;
  }
  add_real(g, x.v, x.most);
}

static void steps(generator *g, ir_builder *b, int n) {
  for (int k = 0; k < n && g->budget > 0; k++) step(g, b);
}

/* ---- the function around it */

static void make_callees(generator *g, ir_module *m, uint64_t seed) {
  ir_fn *f = g->callee[0] = ir_fn_new(m, arena_printf(m->mem, "lib%llu.scalar", (unsigned long long)seed), false);
  ir_val x = ir_param_add(f, IR_ROLE_PLAIN, "x", ir_scalar(IR_REAL)), y = ir_param_add(f, IR_ROLE_PLAIN, "y", ir_scalar(IR_REAL));
  ir_builder b = ir_builder_at_end(f, &f->body);
  ir_val d = ir_op2(&b, IR_SUB_OP, x, y), q = ir_op2(&b, IR_MUL_OP, d, d), h = ir_real(&b, -0.5);
  ir_return(f, 2, (ir_val[]){ir_op2(&b, IR_MUL_OP, q, h), d});

  f = g->callee[1] = ir_fn_new(m, arena_printf(m->mem, "lib%llu.mean", (unsigned long long)seed), false);
  ir_size k = size_symbol(m->sizes, "lib.k");
  x = ir_param_add(f, IR_ROLE_PLAIN, "x", ir_array(IR_REAL, 1, &k));
  y = ir_param_add(f, IR_ROLE_PLAIN, "y", ir_scalar(IR_REAL));
  b = ir_builder_at_end(f, &f->body);
  ir_val n = ir_size_val(&b, k);
  ir_op *loop = ir_loop_begin(&b, IR_PLATE_OP, 1, &n);
  ir_builder in = ir_builder_in(&b, &loop->u.loop->body);
  ir_op *inner = ir_call(&in, g->callee[0], 2, (ir_val[]){ir_at1(&in, x, loop->u.loop->index[0]), y});
  ir_val s = ir_loop_out(f, loop, IR_SUM, 0, NULL, inner->res[0]);
  ir_val count = ir_op2(&b, IR_ADD_OP, ir_op1(&b, IR_TO_REAL_OP, n), ir_real(&b, 1.0));
  ir_return(f, 1, (ir_val[]){ir_op2(&b, IR_DIV_OP, s, count)});
  g->ncallees = 2;
}

static ref_array fill(generator *g, ir_type t, int64_t below) {
  int64_t n = ref_count(g->fn->module, t);
  ref_array r = {(size_t)n, ARENA_ARRAY(g->mem, ref_cell, (size_t)n)};
  for (int64_t k = 0; k < n; k++) {
    if (t.elem == IR_REAL) r.cell[k].real = (double)(float)(4 * unit(g) - 2);
    else r.cell[k].integer = below ? pick(g, (int)below) : (int64_t)next(g);
  }
  return r;
}

ir_fn *gen_fn(ir_module *m, uint64_t seed, const gen_options *options, arena *mem, ref_array **in) {
  generator *g = ARENA_NEW(mem, generator);
  g->opt = options ? *options : gen_default();
  g->state = seed * 0xD1342543DE82EF95u + 1;
  g->mem = mem;
  g->sizes = m->sizes;
  g->work = 1;
  if (g->opt.calls) make_callees(g, m, seed);
  ir_fn *fn = g->fn = ir_fn_new(m, arena_printf(m->mem, "gen%llu", (unsigned long long)seed), false);
  static const char *const symbol[3] = {"N0", "N1", "N2"};
  for (int k = 0; k < 3; k++) {
    int kind = pick(g, 12);
    g->number[k] = kind == 0 ? 100 : kind == 1 ? 40 : pick(g, 12);
    if (k == 1) g->number[k] = g->opt.wide ? 65 + pick(g, 9) : 1 + pick(g, 9);
    g->size[k] = size_symbol(m->sizes, symbol[k]);
    size_bind(m->sizes, g->size[k], g->number[k]);
  }
  g->size[3] = size_const(m->sizes, g->number[3] = 3);
  ir_size grid[2] = {g->size[1], g->size[0]};
  const struct {
    ir_role role;
    const char *name;
    ir_type type;
    int64_t below;
  } param[] = {
      {IR_ROLE_DATA, "x0", ir_array(IR_REAL, 1, &g->size[0]), 0}, {IR_ROLE_DATA, "x1", ir_array(IR_REAL, 2, grid), 0},
      {IR_ROLE_DATA, "k0", ir_array(IR_INT, 1, &g->size[0]), g->number[1]}, {IR_ROLE_DATA, "c0", ir_array(IR_INT, 1, &g->size[0]), 2},
      {IR_ROLE_UNCON, "u0", ir_scalar(IR_REAL), 0}, {IR_ROLE_UNCON, "u1", ir_scalar(IR_REAL), 0},
      {IR_ROLE_UNCON, "v1", ir_array(IR_REAL, 1, &g->size[1]), 0}, {IR_ROLE_UNCON, "v2", ir_array(IR_REAL, 1, &g->size[2]), 0},
      {IR_ROLE_UNCON, "w", ir_array(IR_REAL, 2, grid), 0}, {IR_ROLE_KEY, "key", ir_scalar(IR_KEY), 0}};
  size_t n = sizeof param / sizeof *param - !g->opt.draws;
  ref_array *args = ARENA_ARRAY(mem, ref_array, n);
  for (size_t k = 0; k < n; k++) {
    ir_val v = ir_param_add(fn, param[k].role, param[k].name, param[k].type);
    args[k] = fill(g, param[k].type, param[k].below);
    if (param[k].type.elem == IR_KEY) g->key = v;
    else if (k == 2) g->gather = v;
    else if (param[k].type.elem == IR_INT) continue;
    else if (param[k].type.rank) add_array(g, v, 2);
    else add_real(g, v, 2);
  }
  if (in) *in = args;
  ir_builder b = ir_builder_at_end(fn, &fn->body);
  g->budget = g->opt.size ? g->opt.size : 40;
  while (g->budget > 0) step(g, &b);
  /* Everything at the top counts, so that nothing is dead but by chance. */
  ir_val total = ir_real(&b, 0.0);
  for (size_t k = 0; k < g->reals.n; k++)
    if (k < 3 || pick(g, 3)) total = ir_op2(&b, IR_ADD_OP, total, tame(g, &b, g->reals.it[k], 1e4).v);
  for (size_t k = 0; k < g->arrays.n; k++) {
    item a = g->arrays.it[k];
    ir_type t = ir_type_of(fn, a.v);
    if (pick(g, 3) == 0) continue;
    ir_val extent[IR_MAX_RANK];
    for (int d = 0; d < t.rank; d++) extent[d] = ir_size_val(&b, t.dim[d]);
    ir_op *loop = ir_loop_begin(&b, IR_PLATE_OP, t.rank, extent);
    ir_builder body = ir_builder_in(&b, &loop->u.loop->body);
    ir_axes axes = {.n = t.rank};
    for (int d = 0; d < t.rank; d++) axes.at[d] = loop->u.loop->index[d];
    ir_val e = ir_op1(&body, IR_SIN_OP, ir_at(&body, a.v, axes));
    total = ir_op2(&b, IR_ADD_OP, total, ir_loop_out(fn, loop, IR_SUM, 0, NULL, e));
  }
  ir_return(fn, 1, &total);
  return fn;
}
