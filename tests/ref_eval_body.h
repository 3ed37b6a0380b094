/* ref_eval_body.h: the evaluator, included once per precision by ref_eval.c, which defines REAL, NAME(x) and MATH(x). */

typedef struct NAME(frame) {
  evaluator *ev;
  const ir_fn *fn;
  ref_array *env; /* each value owns its cells, reused when it is defined again */
} NAME(frame);

static REAL NAME(sum)(const REAL *e, int64_t n) {
  if (n <= 4096) {
    REAL acc[32] = {0};
    for (int64_t k = 0; k < n; k++) acc[k % 32] += e[k];
    for (int h = 16; h >= 1; h /= 2)
      for (int l = 0; l < h; l++) acc[l] += acc[l + h];
    return acc[0];
  }
  int64_t blocks = (n + 4095) / 4096;
  REAL *block = malloc((size_t)blocks * sizeof *block);
  if (!block) return 0;
  for (int64_t k = 0; k < blocks; k++) block[k] = NAME(sum)(e + 4096 * k, k == blocks - 1 ? n - 4096 * k : 4096);
  REAL s = NAME(sum)(block, blocks);
  free(block);
  return s;
}

static REAL NAME(max)(REAL a, REAL b) { return a != a || b != b ? a + b : a > b ? a : b; }
static REAL NAME(min)(REAL a, REAL b) { return a != a || b != b ? a + b : a < b ? a : b; }

static ref_array NAME(result)(NAME(frame) *f, ir_val v) { return own_cells(f->ev, &f->env[v], ir_type_of(f->fn, v)); }

static REAL NAME(real)(NAME(frame) *f, ir_val v) { return (REAL)f->env[v].cell[0].real; }
static int64_t NAME(integer)(NAME(frame) *f, ir_val v) { return f->env[v].cell[0].integer; }

static REAL NAME(real_op)(NAME(frame) *f, const ir_op *op) {
  REAL a = op->nargs > 0 ? NAME(real)(f, op->args[0]) : 0, b = op->nargs > 1 ? NAME(real)(f, op->args[1]) : 0;
  switch (op->code) {
  case IR_ADD_OP: return a + b;
  case IR_SUB_OP: return a - b;
  case IR_MUL_OP: return a * b;
  case IR_DIV_OP: return a / b;
  case IR_FMA_OP: return MATH(fma)(a, b, NAME(real)(f, op->args[2]));
  case IR_NEG_OP: return -a;
  case IR_ABS_OP: return MATH(abs)(a);
  case IR_MIN_OP: return NAME(min)(a, b);
  case IR_MAX_OP: return NAME(max)(a, b);
  case IR_SIGN_OP: return a != a ? a : (REAL)(a > 0) - (REAL)(a < 0);
  case IR_FLOOR_OP: return MATH(floor)(a);
  case IR_CEIL_OP: return MATH(ceil)(a);
  case IR_ROUND_OP: return MATH(round)(a);
  case IR_SQRT_OP: return MATH(sqrt)(a);
  case IR_EXP_OP: return MATH(exp)(a);
  case IR_LOG_OP: return MATH(log)(a);
  case IR_LOG1P_OP: return MATH(log1p)(a);
  case IR_EXPM1_OP: return MATH(expm1)(a);
  case IR_POW_OP: return MATH(pow)(a, b);
  case IR_SIN_OP: return MATH(sin)(a);
  case IR_COS_OP: return MATH(cos)(a);
  case IR_TAN_OP: return MATH(tan)(a);
  case IR_ASIN_OP: return MATH(asin)(a);
  case IR_ACOS_OP: return MATH(acos)(a);
  case IR_ATAN_OP: return MATH(atan)(a);
  case IR_ATAN2_OP: return MATH(atan2)(a, b);
  case IR_SINH_OP: return MATH(sinh)(a);
  case IR_COSH_OP: return MATH(cosh)(a);
  case IR_TANH_OP: return MATH(tanh)(a);
  case IR_ERF_OP: return MATH(erf)(a);
  case IR_ERFC_OP: return MATH(erfc)(a);
  case IR_LGAMMA_OP: return MATH(lgamma)(a);
  case IR_DIGAMMA_OP: return MATH(digamma)(a);
  case IR_TRIGAMMA_OP: return MATH(trigamma)(a);
  case IR_LOG1P_EXP_OP: return MATH(log1p_exp)(a);
  case IR_INV_LOGIT_OP: return MATH(inv_logit)(a);
  case IR_PHI_OP: return MATH(phi)(a);
  case IR_LOG_PHI_OP: return MATH(log_phi)(a);
  case IR_INV_PHI_OP: return MATH(inv_phi)(a);
#define X(CODE, name, meaning) case IR_##CODE##_OP: return MATH(special)(RT_##CODE, a, b, op->nargs > 2 ? NAME(real)(f, op->args[2]) : 0);
  RT_SPECIAL_OPS(X)
#undef X
  default: refuse(f->ev, op, "an operation that the evaluator does not know");
  }
}

static void NAME(scalar_op)(NAME(frame) *f, const ir_op *op) {
  ref_cell *r = NAME(result)(f, op->res[0]).cell;
  const ir_val *x = op->args;
  bool reals = op->nargs > 0 && ir_type_of(f->fn, x[0]).elem == IR_REAL;
  switch (op->code) {
  case IR_REAL_OP: r->real = op->u.real; return;
  case IR_INT_OP:
  case IR_BOOL_OP: r->integer = op->u.integer; return;
  case IR_SIZE_OP: r->integer = size_bound_value(f->ev, op, op->u.size); return;
  case IR_EQ_OP: r->integer = reals ? NAME(real)(f, x[0]) == NAME(real)(f, x[1]) : NAME(integer)(f, x[0]) == NAME(integer)(f, x[1]); return;
  case IR_NE_OP: r->integer = reals ? NAME(real)(f, x[0]) != NAME(real)(f, x[1]) : NAME(integer)(f, x[0]) != NAME(integer)(f, x[1]); return;
  case IR_LT_OP: r->integer = reals ? NAME(real)(f, x[0]) < NAME(real)(f, x[1]) : NAME(integer)(f, x[0]) < NAME(integer)(f, x[1]); return;
  case IR_LE_OP: r->integer = reals ? NAME(real)(f, x[0]) <= NAME(real)(f, x[1]) : NAME(integer)(f, x[0]) <= NAME(integer)(f, x[1]); return;
  case IR_AND_OP: r->integer = NAME(integer)(f, x[0]) && NAME(integer)(f, x[1]); return;
  case IR_OR_OP: r->integer = NAME(integer)(f, x[0]) || NAME(integer)(f, x[1]); return;
  case IR_NOT_OP: r->integer = !NAME(integer)(f, x[0]); return;
  case IR_SELECT_OP: *r = f->env[NAME(integer)(f, x[0]) ? x[1] : x[2]].cell[0]; return;
  case IR_TO_REAL_OP: r->real = (REAL)NAME(integer)(f, x[0]); return;
  case IR_TO_INT_OP: r->integer = saturate((long double)NAME(real)(f, x[0])); return;
  case IR_BOOL_INT_OP: r->integer = NAME(integer)(f, x[0]); return;
  case IR_GUARD_OP:
    *r = f->env[x[1]].cell[0];
    if (!NAME(integer)(f, x[0])) {
      r->real = -INFINITY;
      if (f->ev->report->guards++ == 0) f->ev->report->op = op;
    }
    return;
  case IR_BOUND_OP: {
    int64_t i = NAME(integer)(f, x[0]), n = NAME(integer)(f, x[1]);
    if (i < 0 || i >= n) out_of_bounds(f->ev, op, i, n);
    r->integer = i;
    return;
  }
  case IR_FOLD_OP: r->integer = (int64_t)rt_key_fold((uint64_t)NAME(integer)(f, x[0]), (uint64_t)NAME(integer)(f, x[1])); return;
  default: break;
  }
  if (ir_type_of(f->fn, op->res[0]).elem == IR_INT && op->code <= IR_SIGN_OP)
    r->integer = int_op((ir_code)op->code, NAME(integer)(f, x[0]), op->nargs > 1 ? NAME(integer)(f, x[1]) : 0);
  else
    r->real = NAME(real_op)(f, op);
}

/* ---- positions: the cells that `axes` picks in an array of type t, as offsets in the order of the slice; good until the next call */

static int64_t NAME(positions)(NAME(frame) *f, const ir_op *op, ir_type t, const ir_axes *axes, int64_t entry, int64_t **offsets) {
  int64_t stride[IR_MAX_RANK], dim[IR_MAX_RANK], base = 0, count = 1, n = 1;
  for (int k = t.rank - 1; k >= 0; k--) {
    dim[k] = size_number(f->ev, op, t.dim[k]);
    stride[k] = n;
    n *= dim[k];
  }
  for (int k = 0; k < t.rank; k++) {
    if (!axes->at[k]) {
      count *= dim[k];
      continue;
    }
    const ref_array *list = &f->env[axes->at[k]];
    int64_t i = list->cell[ir_type_of(f->fn, axes->at[k]).rank ? entry : 0].integer;
    if (i < 0 || i >= dim[k]) refuse(f->ev, op, "a position outside its array");
    base += i * stride[k];
  }
  f->ev->offsets = arena_grow(f->ev->mem, f->ev->offsets, &f->ev->cap_offsets, (size_t)count, sizeof *f->ev->offsets);
  int64_t *at = f->ev->offsets;
  for (int64_t e = 0; e < count; e++) {
    int64_t rest = e;
    at[e] = base;
    for (int k = t.rank - 1; k >= 0; k--)
      if (!axes->at[k]) {
        at[e] += rest % dim[k] * stride[k];
        rest /= dim[k];
      }
  }
  *offsets = at;
  return count;
}

/* ---- dense algebra, by the formulas of rt_kernels.h */

/* Two matrices: chains of 128 fused terms, added in order. */
static REAL NAME(chains)(const ref_cell *a, int64_t sa, const ref_cell *b, int64_t sb, int64_t n) {
  REAL sum = 0, chain = 0;
  for (int64_t k = 0; k < n; k++) {
    if (k % 128 == 0) chain = 0;
    chain = MATH(fma)((REAL)a[k * sa].real, (REAL)b[k * sb].real, chain);
    if (k % 128 == 127 || k == n - 1) sum = k < 128 ? chain : sum + chain;
  }
  return sum;
}

static void NAME(matmul)(NAME(frame) *f, const ir_op *op) {
  ir_type ta = ir_type_of(f->fn, op->args[0]), tb = ir_type_of(f->fn, op->args[1]);
  const ref_cell *a = f->env[op->args[0]].cell, *b = f->env[op->args[1]].cell;
  ref_cell *r = NAME(result)(f, op->res[0]).cell;
  bool outer = ta.rank == 1 && tb.rank == 1 && (op->flags & IR_TRANS_B);
  int64_t m = 1, n = 1, inner = 1, a0 = size_number(f->ev, op, ta.dim[0]), b0 = size_number(f->ev, op, tb.dim[0]);
  int64_t a1 = ta.rank == 2 ? size_number(f->ev, op, ta.dim[1]) : 1, b1 = tb.rank == 2 ? size_number(f->ev, op, tb.dim[1]) : 1;
  int64_t ai, ak, bk, bj; /* strides by row of the result, inner index, column */
  if (outer) {
    m = a0, n = b0, ai = 1, ak = 0, bk = 0, bj = 1;
  } else {
    bool at = op->flags & IR_TRANS_A, bt = op->flags & IR_TRANS_B;
    if (ta.rank == 1) inner = a0, ai = 0, ak = 1;
    else if (at) m = a1, inner = a0, ai = 1, ak = a1;
    else m = a0, inner = a1, ai = a1, ak = 1;
    if (tb.rank == 1) bk = 1, bj = 0;
    else if (bt) n = b0, bk = 1, bj = b1;
    else n = b1, bk = b1, bj = 1;
  }
  REAL *term = arena_alloc(f->ev->mem, (size_t)inner, sizeof *term);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      if (ta.rank == 2 && tb.rank == 2) {
        r[i * n + j].real = NAME(chains)(a + i * ai, ak, b + j * bj, bk, inner);
        continue;
      }
      for (int64_t k = 0; k < inner; k++) term[k] = (REAL)a[i * ai + k * ak].real * (REAL)b[k * bk + j * bj].real;
      r[i * n + j].real = outer ? term[0] : NAME(sum)(term, inner);
    }
}

/* s - S x[k] y[k], one rounding each. */
static REAL NAME(less)(REAL s, const ref_cell *x, int64_t sx, const ref_cell *y, int64_t sy, int64_t n) {
  for (int64_t k = 0; k < n; k++) s = MATH(fma)(-(REAL)x[k * sx].real, (REAL)y[k * sy].real, s);
  return s;
}

static void NAME(cholesky)(NAME(frame) *f, const ir_op *op) {
  int64_t n = size_number(f->ev, op, ir_type_of(f->fn, op->args[0]).dim[0]);
  const ref_cell *a = f->env[op->args[0]].cell;
  ref_array out = NAME(result)(f, op->res[0]);
  ref_cell *l = out.cell;
  for (size_t k = 0; k < out.n; k++) l[k].real = 0;
  for (int64_t j = 0; j < n; j++) {
    REAL pivot = NAME(less)((REAL)a[j * n + j].real, l + j * n, 1, l + j * n, 1, j);
    if (!(pivot > 0) || pivot == (REAL)INFINITY) {
      for (size_t k = 0; k < out.n; k++) l[k].real = NAN;
      return;
    }
    REAL d = MATH(sqrt)(pivot), inverse = 1 / d;
    l[j * n + j].real = d;
    for (int64_t i = j + 1; i < n; i++)
      l[i * n + j].real = NAME(less)((REAL)a[i * n + j].real, l + i * n, 1, l + j * n, 1, j) * inverse;
  }
}

/* L' x = b from the last row up, and its terms in that order. */
static void NAME(solve)(int64_t n, int64_t m, const ref_cell *l, bool trans, ref_cell *x) {
  for (int64_t c = 0; c < m; c++)
    for (int64_t step = 0; step < n; step++) {
      int64_t i = trans ? n - 1 - step : step, first = trans ? n - 1 : 0;
      const ref_cell *row = trans ? l + first * n + i : l + i * n;
      REAL s = NAME(less)((REAL)x[i * m + c].real, row, trans ? -n : 1, x + first * m + c, trans ? -m : m, step);
      x[i * m + c].real = s * (1 / (REAL)l[i * n + i].real);
    }
}

static void NAME(trisolve)(NAME(frame) *f, const ir_op *op) {
  ref_array x = NAME(result)(f, op->res[0]);
  memcpy(x.cell, f->env[op->args[1]].cell, x.n * sizeof *x.cell);
  int64_t n = size_number(f->ev, op, ir_type_of(f->fn, op->args[0]).dim[0]);
  NAME(solve)(n, n ? (int64_t)x.n / n : 0, f->env[op->args[0]].cell, op->flags & IR_TRANS_A, x.cell);
}

/* The factor by reflections of the whole of both, in the order of rt_isa_qr.c for doubles: 64 rows at a time, sums over rows in four parts. */
static void NAME(qr_r)(NAME(frame) *f, const ir_op *op) {
  int64_t p = size_number(f->ev, op, ir_type_of(f->fn, op->args[0]).dim[0]), rows = size_number(f->ev, op, ir_type_of(f->fn, op->args[1]).dim[0]);
  ref_array out = NAME(result)(f, op->res[0]);
  ref_cell *r = out.cell, *x = arena_alloc(f->ev->mem, (size_t)(rows * p), sizeof *x);
  memcpy(x, f->env[op->args[1]].cell, (size_t)(rows * p) * sizeof *x);
  for (int64_t i = 0; i < p; i++)
    for (int64_t j = 0; j < p; j++) r[i * p + j].real = j < i ? 0 : f->env[op->args[0]].cell[i * p + j].real;
  for (int64_t at = 0; at < rows; at += 64)
    for (int64_t j = 0, m = rows - at < 64 ? rows - at : 64; j < p; j++) {
      ref_cell *c = x + at * p;
      REAL most = (REAL)fabsl((long double)r[j * p + j].real), squares = 0, u[64];
      for (int64_t i = 0; i < m; i++) {
        REAL a = (REAL)fabsl((long double)c[i * p + j].real);
        most = a <= most ? most : a;
      }
      REAL s = most > (REAL)0x1p400 ? (REAL)0x1p-600 : most < (REAL)0x1p-400 ? (REAL)0x1p600 : (REAL)1;
      for (int64_t i = 0; i < m; i++) {
        u[i] = (REAL)c[i * p + j].real * s;
        squares += u[i] * u[i];
      }
      if (squares == 0) continue;
      REAL alpha = (REAL)r[j * p + j].real * s, length = MATH(sqrt)(alpha * alpha + squares), beta = alpha < 0 ? length : -length;
      REAL first = alpha - beta, tau = (beta - alpha) / beta;
      for (int64_t i = 0; i < m; i++) u[i] /= first;
      for (int64_t k = j + 1; k < p; k++) {
        REAL part[4] = {0, 0, 0, 0};
        for (int64_t i = 0; i < m; i++) part[i % 4] += u[i] * (REAL)c[i * p + k].real;
        REAL t = tau * ((REAL)r[j * p + k].real + ((part[0] + part[1]) + (part[2] + part[3])));
        r[j * p + k].real = (REAL)r[j * p + k].real - t;
        for (int64_t i = 0; i < m; i++) c[i * p + k].real = (REAL)c[i * p + k].real - u[i] * t;
      }
      r[j * p + j].real = beta / s;
    }
}

/* With P = L' Lbar, lower half and half its diagonal: L'^-1 P L^-1, made symmetric. */
static void NAME(chol_adj)(NAME(frame) *f, const ir_op *op) {
  int64_t n = size_number(f->ev, op, ir_type_of(f->fn, op->args[0]).dim[0]);
  const ref_cell *l = f->env[op->args[0]].cell, *bar = f->env[op->args[1]].cell;
  ref_array out = NAME(result)(f, op->res[0]);
  ref_cell *p = arena_alloc(f->ev->mem, (size_t)(n * n), sizeof *p), *q = arena_alloc(f->ev->mem, (size_t)(n * n), sizeof *q);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j <= i; j++) {
      REAL s = 0;
      for (int64_t k = i; k < n; k++) s += (REAL)l[k * n + i].real * (REAL)bar[k * n + j].real;
      p[i * n + j].real = i == j ? s / 2 : s;
    }
  NAME(solve)(n, n, l, true, p); /* L'^-1 P */
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) q[j * n + i] = p[i * n + j];
  NAME(solve)(n, n, l, true, q); /* its transpose, times L^-1 from the right */
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) out.cell[i * n + j].real = ((REAL)q[i * n + j].real + (REAL)q[j * n + i].real) / 2;
}

/* ---- draws */

static void NAME(draw)(NAME(frame) *f, const ir_op *op) {
  ref_cell *r = NAME(result)(f, op->res[0]).cell;
  rt_draw_addr at = {(uint64_t)NAME(integer)(f, op->args[0]), (uint32_t)op->u.integer, (uint64_t)NAME(integer)(f, op->args[1])};
  double a = op->nargs > 2 ? (double)f->env[op->args[2]].cell[0].real : 0;
  switch (op->code) {
  case IR_UNIFORM_OP: r->real = rt_draw_uniform(at); break;
  case IR_NORMAL_OP: r->real = rt_draw_normal(at); break;
  case IR_EXPONENTIAL_OP: r->real = rt_draw_exponential(at); break;
  case IR_GAMMA_OP: r->real = rt_draw_gamma(at, a); break;
  case IR_LOG_GAMMA_OP: r->real = rt_draw_log_gamma(at, a); break;
  case IR_POISSON_OP: r->integer = rt_draw_poisson(at, a); break;
  case IR_BINOMIAL_OP: r->integer = rt_draw_binomial(at, NAME(integer)(f, op->args[2]), (double)NAME(real)(f, op->args[3])); break;
  default: {
    const ref_array *w = &f->env[op->args[2]];
    double *weight = arena_alloc(f->ev->mem, w->n, sizeof *weight);
    for (size_t k = 0; k < w->n; k++) weight[k] = (double)w->cell[k].real;
    r->integer = rt_draw_categorical(at, weight, (ptrdiff_t)w->n);
  }
  }
}

/* ---- regions */

static void NAME(block)(NAME(frame) *f, const ir_block *block);

static void NAME(copy)(NAME(frame) *f, ir_val to, ir_val from) {
  ref_array r = NAME(result)(f, to);
  if (r.n && r.cell != f->env[from].cell) memmove(r.cell, f->env[from].cell, r.n * sizeof *r.cell);
}

static void NAME(loop)(NAME(frame) *f, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  int64_t extent[IR_MAX_RANK], total = 1;
  for (uint32_t k = 0; k < loop->rank; k++) {
    extent[k] = NAME(integer)(f, loop->extent[k]);
    if (extent[k] < 0) extent[k] = 0;
    if (extent[k] > MOST_CELLS || (total *= extent[k]) > MOST_CELLS) refuse(f->ev, op, "a loop of too many iterations");
  }
  REAL **terms = arena_alloc(f->ev->mem, loop->nout, sizeof *terms);
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *out = &loop->out[k];
    ref_array r = NAME(result)(f, op->res[k]);
    bool reals = ir_type_of(f->fn, op->res[k]).elem == IR_REAL;
    if (out->init) NAME(copy)(f, op->res[k], out->init);
    if (out->state) NAME(copy)(f, out->state, out->init);
    for (size_t e = 0; e < r.n && !out->init; e++) {
      r.cell[e].integer = out->mode == IR_MAX ? INT64_MIN : out->mode == IR_MIN ? INT64_MAX : 0;
      r.cell[e].real = out->mode == IR_MAX ? -INFINITY : out->mode == IR_MIN ? INFINITY : 0;
    }
    if (out->mode == IR_SUM && reals) {
      if ((int64_t)r.n > 0 && total > MOST_CELLS / (int64_t)r.n) refuse(f->ev, op, "a sum of too many values");
      terms[k] = arena_alloc(f->ev->mem, (size_t)total * r.n, sizeof **terms);
    }
  }
  for (int64_t e = 0; e < total; e++) {
    if (loop->live && !NAME(integer)(f, loop->live)) break;
    int64_t rest = loop->down ? total - 1 - e : e;
    for (uint32_t k = loop->rank; k-- > 0;) {
      NAME(result)(f, loop->index[k]).cell[0].integer = rest % extent[k];
      rest /= extent[k];
    }
    NAME(block)(f, &loop->body);
    for (uint32_t k = 0; k < loop->nout; k++) {
      const ir_out *out = &loop->out[k];
      ref_array r = f->env[op->res[k]], y = f->env[out->yield];
      ir_type t = ir_type_of(f->fn, op->res[k]);
      int64_t *at, n, place = loop->down ? total - 1 - e : e;
      switch (out->mode) {
      case IR_STACK: memcpy(r.cell + (size_t)place * y.n, y.cell, y.n * sizeof *y.cell); break;
      case IR_INTO:
        n = NAME(positions)(f, op, t, &out->axes, 0, &at);
        for (int64_t j = 0; j < n; j++) r.cell[at[j]] = y.cell[j];
        break;
      case IR_KEYED: {
        int64_t entries = 1;
        for (uint32_t j = 0; j < out->axes.n; j++)
          if (out->axes.at[j] && ir_type_of(f->fn, out->axes.at[j]).rank) entries = (int64_t)f->env[out->axes.at[j]].n;
        for (int64_t i = 0; i < entries; i++) {
          n = NAME(positions)(f, op, t, &out->axes, i, &at);
          for (int64_t j = 0; j < n; j++) {
            if (t.elem == IR_REAL) r.cell[at[j]].real = (REAL)r.cell[at[j]].real + (REAL)y.cell[i * n + j].real;
            else r.cell[at[j]].integer = int_op(IR_ADD_OP, r.cell[at[j]].integer, y.cell[i * n + j].integer);
          }
        }
        break;
      }
      case IR_SUM:
        for (size_t j = 0; j < y.n; j++) {
          if (terms[k]) terms[k][(int64_t)j * total + e] = (REAL)y.cell[j].real;
          else r.cell[j].integer = int_op(IR_ADD_OP, r.cell[j].integer, y.cell[j].integer);
        }
        break;
      case IR_MAX:
      case IR_MIN:
        for (size_t j = 0; j < y.n; j++) {
          ir_code code = out->mode == IR_MAX ? IR_MAX_OP : IR_MIN_OP;
          if (t.elem == IR_INT) r.cell[j].integer = int_op(code, r.cell[j].integer, y.cell[j].integer);
          else r.cell[j].real = code == IR_MAX_OP ? NAME(max)((REAL)r.cell[j].real, (REAL)y.cell[j].real) : NAME(min)((REAL)r.cell[j].real, (REAL)y.cell[j].real);
        }
        break;
      default: if (y.n) memmove(r.cell, y.cell, y.n * sizeof *y.cell); break;
      }
    }
    /* All outputs have been built from the states as they were: now the states move on together. */
    for (uint32_t k = 0; k < loop->nout; k++)
      if (loop->out[k].state) NAME(copy)(f, loop->out[k].state, op->res[k]);
  }
  for (uint32_t k = 0; k < loop->nout; k++)
    for (size_t j = 0; j < f->env[op->res[k]].n && terms[k]; j++)
      f->env[op->res[k]].cell[j].real = NAME(sum)(terms[k] + (int64_t)j * total, total);
}

static void NAME(call)(evaluator *ev, const ir_fn *fn, const ref_array *in, ref_array *out);

static void NAME(op)(NAME(frame) *f, const ir_op *op) {
  int64_t *at, n;
  if (++f->ev->report->steps > MOST_STEPS) refuse(f->ev, op, "too many steps");
  switch (op->code) {
  case IR_NEW_OP: {
    ref_array r = NAME(result)(f, op->res[0]);
    memset(r.cell, 0, r.n * sizeof *r.cell);
    return;
  }
  case IR_AT_OP: {
    ref_array r = NAME(result)(f, op->res[0]);
    n = NAME(positions)(f, op, ir_type_of(f->fn, op->args[0]), &op->u.axes, 0, &at);
    for (int64_t k = 0; k < n; k++) r.cell[k] = f->env[op->args[0]].cell[at[k]];
    return;
  }
  case IR_PUT_OP: {
    NAME(copy)(f, op->res[0], op->args[0]);
    n = NAME(positions)(f, op, ir_type_of(f->fn, op->args[0]), &op->u.axes, 0, &at);
    for (int64_t k = 0; k < n; k++) f->env[op->res[0]].cell[at[k]] = f->env[op->args[1]].cell[k];
    return;
  }
  case IR_MATMUL_OP: NAME(matmul)(f, op); return;
  case IR_CHOLESKY_OP: NAME(cholesky)(f, op); return;
  case IR_CHOL_ADJ_OP: NAME(chol_adj)(f, op); return;
  case IR_TRISOLVE_OP: NAME(trisolve)(f, op); return;
  case IR_QR_R_OP: NAME(qr_r)(f, op); return;
  case IR_INV_PTR_OP:
  case IR_INV_LIST_OP:
    invert(f->ev, op, f->env[op->args[0]], NAME(integer)(f, op->args[1]), NAME(result)(f, op->res[0]));
    return;
  case IR_PLATE_OP:
  case IR_SCAN_OP: NAME(loop)(f, op); return;
  case IR_IF_OP: {
    bool yes = NAME(integer)(f, op->args[0]);
    NAME(block)(f, yes ? &op->u.branch->then_ : &op->u.branch->else_);
    for (uint32_t k = 0; k < op->nres; k++) NAME(copy)(f, op->res[k], yes ? op->u.branch->then_yield[k] : op->u.branch->else_yield[k]);
    return;
  }
  case IR_MEMO_OP: NAME(copy)(f, op->res[0], op->args[0]); return;
  case IR_MEMO_FIND_OP: { /* nothing is ever there */
    ref_array h = NAME(result)(f, op->res[0]), v = NAME(result)(f, op->res[1]);
    h.cell[0].integer = -1;
    memset(v.cell, 0, v.n * sizeof *v.cell);
    return;
  }
  case IR_MEMO_KEEP_OP: NAME(copy)(f, op->res[0], op->args[1]); return;
  case IR_CALL_OP: {
    ref_array *in = arena_alloc(f->ev->mem, op->nargs, sizeof *in), *out = arena_alloc(f->ev->mem, op->nres, sizeof *out);
    for (uint32_t k = 0; k < op->nargs; k++) in[k] = f->env[op->args[k]];
    bind_call(f->ev, f->fn, op);
    NAME(call)(f->ev, op->u.callee, in, out);
    unbind_call(f->ev);
    for (uint32_t k = 0; k < op->nres; k++) {
      ref_array r = NAME(result)(f, op->res[k]);
      if (r.n) memcpy(r.cell, out[k].cell, r.n * sizeof *r.cell);
    }
    return;
  }
  case IR_UNIFORM_OP:
  case IR_NORMAL_OP:
  case IR_EXPONENTIAL_OP:
  case IR_GAMMA_OP:
  case IR_LOG_GAMMA_OP:
  case IR_POISSON_OP:
  case IR_BINOMIAL_OP:
  case IR_CATEGORICAL_OP: NAME(draw)(f, op); return;
  case IR_SAMPLE_OP:
  case IR_OBSERVE_OP:
  case IR_FACTOR_OP:
  case IR_ENERGY_OP:
  case IR_TRACK_OP: refuse(f->ev, op, "an operation of models");
  default: NAME(scalar_op)(f, op);
  }
}

static void NAME(block)(NAME(frame) *f, const ir_block *block) {
  for (const ir_op *op = block->first; op; op = op->next) NAME(op)(f, op);
}

static void NAME(call)(evaluator *ev, const ir_fn *fn, const ref_array *in, ref_array *out) {
  NAME(frame) f = {ev, fn, arena_alloc(ev->mem, fn->nvals, sizeof *f.env)};
  if (++ev->depth > IR_MAX_DEPTH) refuse(ev, NULL, "calls nested too deep");
  for (uint32_t k = 0; k < fn->nparams; k++) {
    ref_array p = NAME(result)(&f, fn->param[k].val);
    if (p.n != in[k].n) refuse(ev, NULL, "an argument with another number of cells than its type");
    for (size_t j = 0; j < p.n; j++) {
      p.cell[j] = in[k].cell[j];
      p.cell[j].real = (REAL)p.cell[j].real;
    }
  }
  NAME(block)(&f, &fn->body);
  for (uint32_t k = 0; k < fn->nret; k++) {
    ref_array r = f.env[fn->ret[k]];
    out[k].n = r.n;
    out[k].cell = arena_alloc(ev->mem, r.n, sizeof *r.cell);
    if (r.n) memcpy(out[k].cell, r.cell, r.n * sizeof *r.cell);
  }
  ev->depth--;
}
