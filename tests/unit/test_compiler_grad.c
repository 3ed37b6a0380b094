/* test_compiler_grad.c: gradients against finite differences in extended precision.
 *
 * A derived function and its gradient are evaluated by the naive evaluator.  The directional derivative that the gradient gives
 * is compared with Richardson-extrapolated central differences of the function in long double.  An error is measured against the
 * sum of the absolute values of the terms g_i d_i, of which it may be 1e-9.
 *
 * Each file tests/ir/grad_*.ir holds one function, and in comments what it is evaluated at and what its gradient looks like:
 *   # size N 6        a number for a size            # below k 3     the ints of parameter k are drawn from 0 .. 2
 *   # loops 2         loops in the gradient          # keyed 1       keyed outputs in it
 *
 *   test_compiler_grad [random programs] [first seed] */
#include "tests/gen_ir.c"
#include "tests/ref_eval.c"

#include "compiler/grad.h"
#include "compiler/grad_internal.h"
#include "tests/unit/host.h"

#include <setjmp.h>
#include <stdio.h>
/* cmocka.h wants the headers above. */
#include <cmocka.h>

static uint64_t programs = 500, first_seed = 1;

typedef struct bench {
  host host;
  aim_alloc alloc;
  arena mem;
  ir_module *m;
} bench;

static void bench_open(bench *t) {
  memset(t, 0, sizeof *t);
  t->alloc = (aim_alloc){host_fn, &t->host};
  arena_init(&t->mem, &t->alloc, 0);
  if (ARENA_TRY(&t->mem)) abort();
  t->m = ir_module_new(&t->mem);
}

static void bench_close(bench *t) {
  arena_free(&t->mem);
  assert_int_equal(t->host.bytes, 0);
}

static const char *text_of(bench *t, const ir_fn *fn) {
  strbuf s;
  strbuf_init(&s, &t->mem);
  ir_print_fn(fn, &s);
  return s.s;
}

/* Long texts: a message of cmocka is cut off. */
static void show(bench *t, const ir_fn *fn) { fputs(text_of(t, fn), stderr); }

static ir_fn *parse(bench *t, const char *text) {
  const char *error = NULL;
  if (!ir_parse(t->m, text, strlen(text), &error)) fail_msg("%s\n%s", error, text);
  ir_fn *fn = t->m->fn[t->m->nfns - 1];
  const char *fault = ir_verify(fn);
  if (fault) fail_msg("%s", fault);
  return fn;
}

static ir_fn *derive(bench *t, const ir_fn *fn) {
  grad_options options = {0};
  ir_fn *g = grad_derive_with(t->m, fn, "grad", &options);
  if (!g) fail_msg("%s", options.message);
  const char *fault = ir_verify(g);
  if (!fault) return g;
  show(t, fn);
  show(t, g);
  fail_msg("%s", fault);
  return g;
}

/* ---- finite differences */

typedef struct line {
  bench *t;
  const ir_fn *fn;
  const ref_array *in;
  const long double *direction; /* over the cells of all unconstrained parameters */
} line;

static long double value_at(const line *l, long double h) {
  const ir_fn *fn = l->fn;
  arena mem;
  arena_init(&mem, &l->t->alloc, 0);
  if (ARENA_TRY(&mem)) abort();
  ref_array *in = ARENA_ARRAY(&mem, ref_array, fn->nparams), *out = ARENA_ARRAY(&mem, ref_array, fn->nret);
  size_t at = 0;
  for (uint32_t k = 0; k < fn->nparams; k++) {
    in[k] = l->in[k];
    if (fn->param[k].role != IR_ROLE_UNCON) continue;
    in[k].cell = ARENA_ARRAY(&mem, ref_cell, in[k].n);
    for (size_t j = 0; j < in[k].n; j++) in[k].cell[j].real = l->in[k].cell[j].real + h * l->direction[at++];
  }
  ref_report report;
  ref_status status = ref_eval(REF_LONG, fn, &mem, in, out, &report);
  if (status != REF_OK) fail_msg("%s", report.why ? report.why : "bound");
  long double y = out[0].cell[0].real;
  arena_free(&mem);
  return y;
}

/* The derivative along the line by Ridders' extrapolation, and an estimate of its error. */
static long double difference(const line *l, long double h, long double *error) {
  enum { ROWS = 7 };
  long double a[ROWS][ROWS], best = 0;
  *error = INFINITY;
  for (int i = 0; i < ROWS; i++, h /= 2) {
    a[0][i] = (value_at(l, h) - value_at(l, -h)) / (2 * h);
    long double factor = 4;
    for (int j = 1; j <= i; j++, factor *= 4) {
      a[j][i] = (a[j - 1][i] * factor - a[j - 1][i - 1]) / (factor - 1);
      long double e = fmaxl(fabsl(a[j][i] - a[j - 1][i]), fabsl(a[j][i] - a[j - 1][i - 1]));
      if (e <= *error) {
        *error = e;
        best = a[j][i];
      }
    }
  }
  return best;
}

typedef struct outcome {
  long double worst; /* error by scale */
  int unusable;      /* directions whose differences were too poor to judge */
  int checked;
} outcome;

/* f and its gradient g at one point; along `directions` random lines and as many axes. */
static outcome check_at(bench *t, const ir_fn *f, const ir_fn *g, const ref_array *in, int directions, uint64_t *seed) {
  outcome r = {0};
  ref_array *out = ARENA_ARRAY(&t->mem, ref_array, g->nret), *plain = ARENA_ARRAY(&t->mem, ref_array, f->nret);
  ref_report report;
  if (ref_eval(REF_DOUBLE, g, &t->mem, in, out, &report) != REF_OK) {
    show(t, f);
    show(t, g);
    fail_msg("%s", report.why ? report.why : "bound");
  }
  uint64_t guards = report.guards;
  assert_int_equal(ref_eval(REF_DOUBLE, f, &t->mem, in, plain, &report), REF_OK);
  assert_int_equal(guards, report.guards);
  double want = (double)plain[0].cell[0].real, got = (double)out[0].cell[0].real;
  if (memcmp(&want, &got, sizeof want) != 0) {
    show(t, f);
    show(t, g);
    fail_msg("value %a, not %a", got, want);
  }
  size_t n = 0, at = 0;
  for (uint32_t k = 1; k < g->nret; k++) n += out[k].n;
  long double *gradient = ARENA_ARRAY(&t->mem, long double, n), *d = ARENA_ARRAY(&t->mem, long double, n);
  for (uint32_t k = 1; k < g->nret; k++)
    for (size_t j = 0; j < out[k].n; j++) gradient[at++] = out[k].cell[j].real;
  line l = {t, f, in, d};
  for (int c = 0; c < 2 * directions && n > 0; c++) {
    size_t axis = below(seed, n);
    long double slope = 0, scale = 0, e = 0, exact = 0;
    for (size_t k = 0; k < n; k++) {
      d[k] = c % 2 ? k == axis : (long double)below(seed, 2001) / 1000 - 1;
      slope += gradient[k] * d[k];
      scale += fabsl(gradient[k] * d[k]);
    }
    /* Differences of a value of size 1 carry about 1e-15 themselves. */
    scale += 1e-5L * (1 + fabsl((long double)want));
    static const long double step[] = {0x1p-4L, 0x1p-7L, 0x1p-10L};
    bool judged = false;
    for (int s = 0; s < 3 && !judged; s++) {
      exact = difference(&l, step[s], &e);
      judged = e < 2e-10L * scale;
    }
    if (!judged) {
      r.unusable++;
      continue;
    }
    r.checked++;
    long double error = fabsl(slope - exact) / scale;
    if (!(error <= 1e-9L)) {
      show(t, f);
      show(t, g);
      fail_msg("derivative %.15Lg, not %.15Lg (%.1Le of %.2Lg)", slope, exact, error, scale);
    }
    if (error > r.worst) r.worst = error;
  }
  return r;
}

/* ---- each operation by itself */

typedef struct point {
  ir_code code;
  double a[3][3]; /* three points of up to three operands */
} point;

static const point points[] = {
    {IR_ADD_OP, {{1, 2}, {-1, 0.5}, {0, 0}}},
    {IR_SUB_OP, {{1, 2}, {-1, 0.5}, {0, 0}}},
    {IR_MUL_OP, {{1, 2}, {-1, 0.5}, {0, 0}}},
    {IR_DIV_OP, {{1, 2}, {-1, 0.5}, {0, -3}}},
    {IR_FMA_OP, {{1, 2, 3}, {-1, 0.5, 0}, {0, 0, 1}}},
    {IR_NEG_OP, {{1}, {0}, {-2}}},
    {IR_ABS_OP, {{1}, {-0.5}, {-2}}},
    {IR_MIN_OP, {{1, 2}, {-1, -1.5}, {0, 1}}},
    {IR_MAX_OP, {{1, 2}, {-1, -1.5}, {0, 1}}},
    {IR_SQRT_OP, {{1}, {0.25}, {90}}},
    {IR_EXP_OP, {{1}, {-5}, {0}}},
    {IR_LOG_OP, {{1}, {0.25}, {90}}},
    {IR_LOG1P_OP, {{1}, {-0.75}, {0}}},
    {IR_EXPM1_OP, {{1}, {-5}, {0}}},
    {IR_POW_OP, {{1.5, 2.5}, {0.25, -1}, {3, 0}}},
    {IR_SIN_OP, {{1}, {-5}, {0}}},
    {IR_COS_OP, {{1}, {-5}, {0}}},
    {IR_TAN_OP, {{1}, {-5}, {0}}},
    {IR_ASIN_OP, {{0.5}, {-0.9}, {0}}},
    {IR_ACOS_OP, {{0.5}, {-0.9}, {0}}},
    {IR_ATAN_OP, {{0.5}, {-9}, {0}}},
    {IR_ATAN2_OP, {{0.5, 1}, {-9, -2}, {0.1, -3}}},
    {IR_SINH_OP, {{0.5}, {-3}, {0}}},
    {IR_COSH_OP, {{0.5}, {-3}, {0}}},
    {IR_TANH_OP, {{0.5}, {-3}, {0}}},
    {IR_ERF_OP, {{0.5}, {-2}, {0}}},
    {IR_ERFC_OP, {{0.5}, {-2}, {3}}},
    {IR_LGAMMA_OP, {{0.5}, {2.5}, {40}}},
    {IR_DIGAMMA_OP, {{0.5}, {2.5}, {40}}},
    {IR_LOG1P_EXP_OP, {{0.5}, {-20}, {20}}},
    {IR_INV_LOGIT_OP, {{0.5}, {-8}, {8}}},
    {IR_PHI_OP, {{0.5}, {-4}, {0}}},
    {IR_LOG_PHI_OP, {{0.5}, {-20}, {-1000}}},
    {IR_INV_PHI_OP, {{0.5}, {0.125}, {0.99}}},
    {IR_LOG_BESSEL_I0E_OP, {{0.5}, {-3}, {20}}},
    {IR_BESSEL_RATIO_OP, {{0.5}, {3}, {20}}},
    {IR_OWENS_T_OP, {{0.5, 0.5}, {-2, 0.25}, {1, -0.9}}},
    {IR_LOG_GAMMA_P_OP, {{0.5, 0.25}, {3, 5}, {12, 3}}},
    {IR_LOG_GAMMA_Q_OP, {{0.5, 0.25}, {3, 5}, {12, 3}}},
    {IR_LOG_STUDENT_OP, {{0.5, 0.25}, {3, -5}, {12, 3}}},
    {IR_LOG_BETA_ODDS_OP, {{0.5, 0.25, 2}, {3, 5, 0.5}, {12, 3, 9}}},
};

static void test_each_operation(void **state) {
  (void)state;
  uint64_t seed = 7;
  bool covered[IR_OP_COUNT] = {false};
  for (size_t p = 0; p < sizeof points / sizeof *points; p++) {
    const ir_op_info *info = &ir_op_table[points[p].code];
    size_t n = strcspn(info->signature, ":");
    covered[points[p].code] = true;
    bench t;
    bench_open(&t);
    strbuf s;
    strbuf_init(&s, &t.mem);
    strbuf_puts(&s, "func @f(");
    for (size_t k = 0; k < n; k++) strbuf_printf(&s, "%s%%x%zu: real uncon", k ? ", " : "", k);
    strbuf_printf(&s, ") -> (real) {\n  %%y = %s", info->name);
    for (size_t k = 0; k < n; k++) strbuf_printf(&s, "%s%%x%zu", k ? ", " : " ", k);
    strbuf_puts(&s, "\n  %z = exp %x0\n  %w = mul %y, %z\n  return %w\n}\n");
    ir_fn *f = parse(&t, s.s), *g = derive(&t, f);
    for (int c = 0; c < 3; c++) {
      ref_array in[3];
      for (size_t k = 0; k < n; k++) in[k] = ref_reals(&t.mem, 1, &points[p].a[c][k]);
      /* -1000 in e^x times the function is 0; so is its derivative, and is checked to be. */
      outcome r = check_at(&t, f, g, in, 2, &seed);
      if (r.unusable) fail_msg("%s at point %d: %d of %d directions unusable", info->name, c, r.unusable, r.checked + r.unusable);
    }
    bench_close(&t);
  }
  /* Operations of arrays, select and guard are in files. */
  for (int code = 0; code < IR_OP_COUNT; code++) {
    if (grad_kind_table[code] != GRAD_RULE || !strchr(ir_op_table[code].signature, ':')) continue;
    if (!covered[code] && code != IR_SELECT_OP && code != IR_GUARD_OP) fail_msg("%s is not tested", ir_op_table[code].name);
  }
}

/* The gradient of a function of one real at one point. */
static double slope_at(const char *body, double x) {
  bench t;
  bench_open(&t);
  ir_fn *f = parse(&t, arena_printf(&t.mem, "func @f(%%x: real uncon) -> (real) {\n%s  return %%y\n}\n", body)), *g = derive(&t, f);
  ref_array in = ref_reals(&t.mem, 1, &x), out[2];
  assert_int_equal(ref_eval(REF_DOUBLE, g, &t.mem, &in, out, NULL), REF_OK);
  double r = (double)out[1].cell[0].real;
  bench_close(&t);
  return r;
}

static void test_conventions(void **state) {
  (void)state;
  assert_true(slope_at("  %y = abs %x\n", 0) == 0);
  assert_true(slope_at("  %z = real 0.0\n  %y = max %x, %z\n", 0) == 1);
  assert_true(slope_at("  %z = real 0.0\n  %y = max %z, %x\n", 0) == 0);
  assert_true(slope_at("  %y = min %x, %x\n", 3) == 1);
  assert_true(slope_at("  %y = floor %x\n", 0.5) == 0);
  assert_true(slope_at("  %z = real 0.0\n  %y = pow %x, %z\n", 0) == 0);
  assert_true(slope_at("  %z = real 0.0\n  %y = pow %z, %x\n", 2) == 0);
  assert_true(slope_at("  %z = real 2.0\n  %y = pow %x, %z\n", 0) == 0);
  assert_true(slope_at("  %y = pow %x, %x\n", 1) == 1);
  assert_true(slope_at("  %l = log %x\n  %y = exp %l\n", 0) == 0);
  assert_true(slope_at("  %l = sqrt %x\n  %y = mul %l, %l\n", 0) == 0);
  assert_true(slope_at("  %z = real 0.0\n  %c = lt %z, %x\n  %l = log %x\n  %y = select %c, %l, %x\n", 0) == 1);
  assert_true(slope_at("  %z = real 0.0\n  %c = lt %z, %x\n  %l = sqrt %x\n  %g = guard %c, %l\n  %y = exp %g\n", 0) == 0);
  /* No gradient is promised where the guard makes the result -inf; where it holds nothing stands in its way. */
  assert_true(slope_at("  %z = real 0.0\n  %c = lt %z, %x\n  %l = mul %x, %x\n  %y = guard %c, %l\n", 3) == 6);
  /* log phi far in the tail: -x (1 + 1/x^2 + ...) */
  assert_true(fabs(slope_at("  %y = log_phi %x\n", -1e9) / 1e9 - 1) < 1e-15);
  assert_true(fabs(slope_at("  %y = log_phi %x\n", -50.000001) - slope_at("  %y = log_phi %x\n", -49.999999) - 2e-6) < 1e-9);
}

/* ---- files */

static const char *const files[] = {
    "radon", "ar1", "garch", "hmm", "lse_inf", "max_ties", "max_array", "nested_gather", "nested_rows", "fused_nested", "if",
    "if_empty", "if_lists", "if_scan", "into_lags", "carry", "carry_data", "keyed", "dense", "put", "ragged", "while", "scan_plain"};

static char *read_text(bench *t, const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("%s: not found; run from the root of the sources", path);
  strbuf s;
  strbuf_init(&s, &t->mem);
  char buffer[4096];
  size_t n;
  while ((n = fread(buffer, 1, sizeof buffer, file)) > 0) strbuf_put(&s, buffer, n);
  fclose(file);
  return s.s;
}

/* The number after "# key name" in the text; -1 if there is none. */
static int64_t directive(const char *text, const char *key, const char *name) {
  char want[64];
  snprintf(want, sizeof want, "# %s %s%s", key, name, name[0] ? " " : "");
  const char *p = strstr(text, want);
  return p ? strtoll(p + strlen(want), NULL, 10) : -1;
}

typedef struct count {
  int loops, keyed, ops;
} count;

static void count_op(void *user, ir_op *op) {
  count *c = user;
  c->ops++;
  if (op->code != IR_PLATE_OP && op->code != IR_SCAN_OP) return;
  c->loops++;
  for (uint32_t k = 0; k < op->u.loop->nout; k++) c->keyed += op->u.loop->out[k].mode == IR_KEYED;
}

static ref_array *draw_inputs(bench *t, const ir_fn *f, const char *text, uint64_t *seed) {
  ref_array *in = ARENA_ARRAY(&t->mem, ref_array, f->nparams);
  for (uint32_t k = 0; k < f->nparams; k++) {
    ir_type type = ir_type_of(f, f->param[k].val);
    in[k].n = (size_t)ref_count(t->m, type);
    in[k].cell = ARENA_ARRAY(&t->mem, ref_cell, in[k].n);
    int64_t most = directive(text, "below", f->param[k].name);
    for (size_t j = 0; j < in[k].n; j++) {
      if (type.elem == IR_REAL) in[k].cell[j].real = ((double)below(seed, 2001) - 1000) / 1000;
      else in[k].cell[j].integer = (int64_t)below(seed, (size_t)most);
    }
  }
  return in;
}

static void test_file(bench *t, const char *name) {
  char path[96];
  snprintf(path, sizeof path, "tests/ir/grad_%s.ir", name);
  const char *text = read_text(t, path);
  ir_fn *f = parse(t, text), *g = derive(t, f);
  for (size_t k = 0; k < size_symbol_count(t->m->sizes); k++) {
    ir_size symbol = size_symbol_at(t->m->sizes, k);
    const char *size = "";
    if (!size_is_symbol(t->m->sizes, symbol, &size)) continue;
    int64_t n = directive(text, "size", size);
    if (n < 0) fail_msg("%s: no number for %s", path, size);
    size_bind(t->m->sizes, symbol, n);
  }
  count c = {0};
  ir_visit_ops(&g->body, count_op, &c);
  int64_t loops = directive(text, "loops", ""), keyed = directive(text, "keyed", "");
  if (loops >= 0 && c.loops != loops) fail_msg("%s: %d loops", path, c.loops);
  if (keyed >= 0 && c.keyed != keyed) fail_msg("%s: %d keyed outputs", path, c.keyed);
  uint64_t seed = 11;
  int unusable = 0, checked = 0;
  for (int round = 0; round < 5; round++) {
    outcome r = check_at(t, f, g, draw_inputs(t, f, text, &seed), 4, &seed);
    unusable += r.unusable;
    checked += r.checked;
  }
  if (unusable > 4 || checked < 30) fail_msg("%s: %d directions judged, %d not", path, checked, unusable);
}

static void test_files(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
    bench t;
    bench_open(&t);
    test_file(&t, files[k]);
    bench_close(&t);
  }
}

/* ---- random programs */

static void test_random_programs(void **state) {
  (void)state;
  gen_options options = gen_default();
  options.smooth = true;
  options.calls = false;
  long double worst = 0;
  uint64_t unusable = 0, checked = 0;
  double ratio = 0;
  for (uint64_t k = 0; k < programs; k++) {
    bench t;
    bench_open(&t);
    options.size = k % 4 == 3 ? 120 : 0;
    ref_array *in = NULL;
    ir_fn *f = gen_fn(t.m, first_seed + k, &options, &t.mem, &in), *g = derive(&t, f);
    uint64_t seed = first_seed + k;
    outcome r = check_at(&t, f, g, in, 1, &seed);
    unusable += (uint64_t)r.unusable;
    checked += (uint64_t)r.checked;
    if (r.worst > worst) worst = r.worst;
    count a = {0}, b = {0};
    ir_visit_ops(&f->body, count_op, &a);
    ir_visit_ops(&g->body, count_op, &b);
    ratio += (double)b.ops / a.ops / (double)programs;
    bench_close(&t);
  }
  print_message("random programs: %llu; directions judged %llu, not %llu; worst error %.1Le; operations grow %.2f times\n",
                (unsigned long long)programs, (unsigned long long)checked, (unsigned long long)unusable, worst, ratio);
  assert_true(unusable * 20 <= checked + unusable);
}

/* ---- the rest of the contract */

static void test_refusals(void **state) {
  (void)state;
  static const struct {
    const char *text, *message;
  } wrong[] = {
      {"func @f(%x: real uncon) -> (real) {\n %y = trigamma %x\n return %y\n}\n", "`trigamma` has no derivative here"},
      {"func @f(%k: key key, %x: real uncon) -> (real) {\n %i = int 0\n %y = draw.gamma 1, %k, %i, %x\n return %y\n}\n",
       "`draw.gamma` has no derivative here"},
      {"func @f(%x: real uncon) -> (int) {\n %y = to_int %x\n return %y\n}\n",
       "the first result of a function to be differentiated is a real"},
      {"func @f(%x: real uncon) {\n}\n", "the first result of a function to be differentiated is a real"},
      {"func @g(%x: real) -> (real) {\n return %x\n}\nfunc @f(%x: real uncon) -> (real) {\n %y = call @g(%x)\n return %y\n}\n",
       "`call` has no derivative here"},
  };
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
    bench t;
    bench_open(&t);
    ir_fn *f = parse(&t, wrong[k].text);
    uint32_t n = t.m->nfns;
    grad_options options = {0};
    assert_null(grad_derive_with(t.m, f, "grad", &options));
    assert_string_equal(options.message, wrong[k].message);
    assert_int_equal(t.m->nfns, n);
    assert_null(grad_derive(t.m, f, "grad"));
    bench_close(&t);
  }
}

/* Results by role: data never, latents on demand; what does not matter has a gradient of zeros; what is computed for other
 * results may have no derivative. */
static void test_parameters(void **state) {
  (void)state;
  static const char text[] = "func @f(%d: real data, %u: real uncon, %l: real latent, %n: real[3] uncon) -> (real, real) {\n"
                             "  %a = mul %d, %u\n  %b = mul %a, %l\n  %c = trigamma %u\n  return %b, %c\n}\n";
  bench t;
  bench_open(&t);
  ir_fn *f = parse(&t, text), *g = derive(&t, f);
  assert_int_equal(g->nret, 3);
  assert_int_equal(g->nparams, 4);
  assert_true(ir_type_equal(ir_type_of(g, g->ret[2]), ir_type_of(f, f->param[3].val)));
  grad_options options = {.latent = true};
  ir_fn *h = grad_derive_with(t.m, f, "latent", &options);
  assert_non_null(h);
  assert_null(options.message);
  assert_null(ir_verify(h));
  assert_int_equal(h->nret, 4);
  ref_array in[4] = {ref_reals(&t.mem, 1, (double[]){2}), ref_reals(&t.mem, 1, (double[]){3}), ref_reals(&t.mem, 1, (double[]){5}),
                     ref_reals(&t.mem, 3, (double[]){1, 1, 1})}, out[4];
  assert_int_equal(ref_eval(REF_DOUBLE, h, &t.mem, in, out, NULL), REF_OK);
  assert_true(out[0].cell[0].real == 30 && out[1].cell[0].real == 10 && out[2].cell[0].real == 6);
  for (int k = 0; k < 3; k++) assert_true(out[3].cell[k].real == 0);
  bench_close(&t);
}

/* The derivative of a derivative: f' made the first result of a function, and differentiated again. */
static void test_twice(void **state) {
  (void)state;
  bench t;
  bench_open(&t);
  char *text = read_text(&t, "tests/ir/grad_garch.ir");
  ir_fn *f = parse(&t, text), *g = derive(&t, f);
  for (size_t k = 0; k < size_symbol_count(t.m->sizes); k++) size_bind(t.m->sizes, size_symbol_at(t.m->sizes, k), 15);
  g->ret[0] = g->ret[2];
  g->nret = 1;
  ir_fn *h = derive(&t, g);
  uint64_t seed = 3;
  outcome r = check_at(&t, g, h, draw_inputs(&t, g, text, &seed), 4, &seed);
  assert_int_equal(r.unusable, 0);
  bench_close(&t);
}

/* True if differentiating with the n-th allocation failing, and all behind it, still succeeds. */
static bool succeeds(size_t n) {
  bench t;
  bench_open(&t);
  volatile bool done = false;
  ir_fn *f = parse(&t, read_text(&t, "tests/ir/grad_into_lags.ir"));
  t.host.fail_at = t.host.calls + n;
  t.host.persistent = true;
  if (!ARENA_TRY(&t.mem)) done = grad_derive(t.m, f, "grad") != NULL;
  bench_close(&t);
  return done;
}

/* Each allocation fails once: the arena's owner gets control back and nothing leaks. */
static void test_memory(void **state) {
  (void)state;
  size_t n = 1;
  while (!succeeds(n)) n++;
  assert_true(n > 1);
}

int main(int argc, char **argv) {
  if (argc > 1) programs = strtoull(argv[1], NULL, 10);
  if (argc > 2) first_seed = strtoull(argv[2], NULL, 10);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_operation), cmocka_unit_test(test_conventions), cmocka_unit_test(test_files),
      cmocka_unit_test(test_refusals),       cmocka_unit_test(test_parameters),  cmocka_unit_test(test_twice),
      cmocka_unit_test(test_memory),         cmocka_unit_test(test_random_programs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
