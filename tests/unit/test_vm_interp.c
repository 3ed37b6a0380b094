/* test_vm_interp.c: the interpreter against the reference evaluator (engine_check.h), and what is its own: which plates run on
 * lanes, refusals, the place of a NaN.  argv[1]: random programs, 300 if not given; `test_vm_interp time` prints timings instead. */
#include "vm/interp.h"

#include "tests/unit/engine_check.h"

#include <time.h>

/* ---- which plates run on lanes: so that the programs above do test what they say */

static void lanes_of(const char *text, int64_t n, unsigned vector, unsigned all) {
  world w;
  world_open(&w);
  bind(&w, "N", n);
  bind(&w, "K", 3);
  bind(&w, "J", 5);
  parse(&w, text);
  invent(&w, 3);
  machine m;
  assert_int_equal(machine_open(&w, &m, 0, 1, NULL), EXEC_OK);
  unsigned v, a;
  interp_plates(m.program, m.fn, &v, &a);
  if (v != vector || a != all) fail_msg("%u of %u plates on lanes, expected %u of %u:\n%s", v, a, vector, all, text);
  machine_close(&m);
  world_close(&w);
}

static void test_ways(void **state) {
  (void)state;
  lanes_of(programs[0], 100, 1, 1);
  lanes_of(programs[0], 3, 0, 1);   /* too short */
  lanes_of(programs[3], 100, 1, 1); /* rows of a matrix */
  lanes_of(programs[4], 100, 1, 1); /* the same by columns */
  lanes_of(programs[5], 100, 1, 1); /* gather and keyed sum */
  lanes_of(programs[7], 8, 4, 4);   /* boxes: flat */
  lanes_of(programs[7], 100, 4, 4); /* and by rows */
  lanes_of(programs[13], 100, 1, 1); /* scans inside */
  lanes_of(programs[14], 100, 0, 1); /* an if that varies */
  lanes_of(programs[15], 100, 1, 2); /* an extent that does: the plate inside */
  lanes_of(programs[19], 100, 1, 1); /* products */
  lanes_of(programs[20], 100, 1, 2); /* a factor each: the plate inside */
}

static void refused(const char *text, size_t limit, const char *expected) {
  world w;
  world_open(&w);
  bind(&w, "N", 1 << 20);
  parse(&w, text);
  exec_program *program;
  const char *message;
  exec_options o = {.memory = limit};
  exec_cell y = {.real = 0};
  exec_data d = {"y", &y};
  assert_int_equal(interp_engine.load(w.m, 1, &d, &o, &w.alloc, &program, &message), EXEC_REFUSED);
  assert_null(program);
  assert_non_null(message);
  if (!strstr(message, expected)) fail_msg("`%s`, expected `%s`", message, expected);
  world_close(&w);
}

static void test_refusals(void **state) {
  (void)state;
  refused("func @f(%x: real[M] latent) -> (real[M]) {\n return %x\n}\n", 0, "@f: an array has an extent that is unbound");
  refused("func @f(%x: real[N] data) -> (real[N]) {\n return %x\n}\n", 0, "no data is bound to `x`");
  refused("func @f(%frame.1: real frame) -> (real) {\n return %frame.1\n}\n", 0, "@prepare has no result for `frame.1`");
  refused("func @f(%x: real[N] latent) -> (real[N, N]) {\n %n = size N\n %o = matmul %x, %x'\n return %o\n}\n", 1 << 24, "memory limit");
  refused("func @f(%x: real[N] latent) -> (real[N, N, N, N]) {\n %a = new real[N, N, N, N]\n return %a\n}\n", 0, "too large");
  refused("func @g(%x: real) -> (real) {\n return %x\n}\nfunc @f(%x: real latent) -> (real) {\n %y = call @g(%x)\n return %y\n}\n", 0, "@g was not inlined");
}

/* ---- the place of a NaN */

static void nan_line(const char *text, double x, int line) {
  world w;
  world_open(&w);
  bind(&w, "N", 6);
  parse(&w, text);
  /* Parsed text has no spans: operations get their number in the function instead. */
  uint32_t k = 0;
  for (ir_op *op = w.fn->body.first; op; op = op->next) {
    op->where.off = ++k;
    if (op->code != IR_PLATE_OP) continue;
    for (ir_op *in = op->u.loop->body.first; in; in = in->next) in->where.off = ++k;
  }
  w.in = ARENA_ARRAY(&w.mem, ref_array, 2);
  w.in[0] = ref_reals(&w.mem, 1, &x);
  w.in[1] = ref_reals(&w.mem, 6, (double[]){1, 2, -3, 4, 5, 6});
  machine m;
  exec_report r;
  assert_int_equal(machine_open(&w, &m, 0, 1, NULL), EXEC_OK);
  bool found = interp_engine.find_nan(m.worker, m.fn, m.in, &r);
  if (found != (line > 0) || (found && (int)r.where.off != line)) fail_msg("found %d at %u, expected %d:\n%s", found, r.where.off, line, text);
  machine_close(&m);
  world_close(&w);
}

static void test_nan(void **state) {
  (void)state;
  const char *text = "func @f(%x: real latent, %y: real[N] latent) -> (real) {\n %a = log %x\n %n = size N\n"
                     " %s = plate %i < %n -> sum {\n %v = at %y, %i\n %l = mul %v, %a\n %q = sqrt %v\n %lq = add %l, %q\n yield %lq\n }\n %e = exp %s\n return %e\n}\n";
  nan_line(text, -1.0, 1);
  nan_line(text, 1.0, 6);
  nan_line(text, __builtin_nan(""), 6); /* log is not to blame, the square root of -3 is */
  const char *sum = "func @f(%x: real latent, %y: real[N] latent) -> (real) {\n %n = size N\n"
                    " %s = plate %i < %n -> sum {\n %v = at %y, %i\n %l = mul %v, %x\n yield %l\n }\n %e = exp %s\n return %e\n}\n";
  nan_line(sum, __builtin_inf(), 2); /* inf - inf, in the sum */
  nan_line(sum, 1.0, 0);
}

/* What a scan that ends early does not write, another call may have left as NaN. */
static void test_nan_before(void **state) {
  (void)state;
  world w;
  world_open(&w);
  bind(&w, "N", 6);
  parse(&w, "func @f(%x: real latent, %y: real[N] latent) -> (real) {\n %n = size N\n %yes = bool true\n %first = int 0\n"
            " %more, %s = scan %i < %n while %go -> carry %go = %yes, stack {\n %v = at %y, %i\n %q = sqrt %v\n %on = lt %x, %v\n yield %on, %q\n }\n"
            " %e = at %s, %first\n return %e\n}\n");
  double x = -10;
  w.in = ARENA_ARRAY(&w.mem, ref_array, 2);
  w.in[0] = ref_reals(&w.mem, 1, &x);
  w.in[1] = ref_reals(&w.mem, 6, (double[]){1, 2, 3, 4, 5, -6});
  machine m;
  exec_report r;
  assert_int_equal(machine_open(&w, &m, 0, 1, NULL), EXEC_OK);
  assert_int_equal(interp_engine.call(m.worker, m.fn, 1, m.in, m.out, NULL), EXEC_OK);
  m.in[0].p->real = 10; /* the first iteration is the last */
  assert_false(interp_engine.find_nan(m.worker, m.fn, m.in, &r));
  machine_close(&m);
  world_close(&w);
}

/* ---- timing, on request */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void time_one(const char *what, const char *text, int64_t n, int64_t below, double per) {
  world w;
  world_open(&w);
  bind(&w, "N", n);
  bind(&w, "J", 8);
  bind(&w, "K", 20);
  parse(&w, text);
  invent(&w, below);
  int isa[4], levels_here = levels(isa);
  for (int v = 0; v < levels_here; v++) {
    machine m;
    const char *message = NULL;
    if (machine_open(&w, &m, isa[v], 1, &message) != EXEC_OK) fail_msg("%s", message);
    double best = 1e9;
    for (int round = 0; round < 5; round++) {
      long calls = 0;
      double t0 = now(), t1;
      do {
        for (int k = 0; k < 16; k++) interp_engine.call(m.worker, m.fn, 1, m.in, m.out, NULL);
        calls += 16;
        t1 = now();
      } while (t1 - t0 < 0.04);
      double t = (t1 - t0) / (double)calls;
      if (t < best) best = t;
    }
    printf("%-40s v%d  %10.1f ns a call", what, isa[v], best * 1e9);
    if (per > 0) printf("  %8.3f ns each, %.0f M/s", best * 1e9 / per, per / best * 1e-6);
    printf("\n");
    machine_close(&m);
  }
  world_close(&w);
}

static const char *const normal_plate =
    "func @f(%y: real[N] data, %mu: real uncon, %iv: real uncon) -> (real) {\n %n = size N\n %s = plate %i < %n -> sum {\n"
    " %v = at %y, %i\n %d = sub %v, %mu\n %z = mul %d, %iv\n %q = mul %z, %z\n yield %q\n }\n return %s\n}\n";

/* Eight schools, non-centred: value and gradient. */
static const char *const schools =
    "func @f(%y: real[J] data, %is: real[J] data, %mu: real uncon, %lt: real uncon, %e: real[J] uncon) -> (real, real, real, real[J]) {\n"
    " %j = size J\n %tau = exp %lt\n %h = real -0.5\n %p2 = real 0.2\n %p04 = real 0.04\n %z0 = mul %mu, %p2\n %z1 = mul %z0, %z0\n %l0 = mul %h, %z1\n %dm0 = mul %mu, %p04\n"
    " %t2 = mul %tau, %p2\n %t3 = mul %t2, %t2\n %one = real 1.0\n %t4 = add %one, %t3\n %t5 = log %t4\n %t6 = mul %t2, %p2\n %two = real 2.0\n %t7 = mul %t6, %two\n %t8 = div %t7, %t4\n"
    " %lp, %q, %dmu, %dtau, %de = plate %i < %j -> sum, sum, sum, sum, stack {\n"
    "  %yi = at %y, %i\n %si = at %is, %i\n %ei = at %e, %i\n %th = fma %tau, %ei, %mu\n %r = sub %yi, %th\n %z = mul %r, %si\n %zz = mul %z, %z\n %ee = mul %ei, %ei\n"
    "  %dth = mul %z, %si\n %dt = mul %dth, %ei\n %de0 = mul %dth, %tau\n %de1 = sub %de0, %ei\n yield %zz, %ee, %dth, %dt, %de1\n }\n"
    " %a = mul %h, %lp\n %b = mul %h, %q\n %ab = add %a, %b\n %c = add %ab, %l0\n %d = sub %c, %t5\n %f = add %d, %lt\n"
    " %g = sub %dmu, %dm0\n %k = sub %dtau, %t8\n %l = mul %k, %tau\n %m = add %l, %one\n return %f, %g, %m, %de\n}\n";

/* The terms of one element: about twenty scalar operations, with two logarithms. */
static const char *const conditional =
    "func @f(%y: real[J] data, %s: real[J] data, %mu: real latent, %tau: real latent, %th: real[J] latent, %i: int index) -> (real) {\n"
    " %h = real -0.5\n %t = at %th, %i\n %yi = at %y, %i\n %si = at %s, %i\n %d = sub %yi, %t\n %z = div %d, %si\n %q = mul %z, %z\n %a = mul %h, %q\n %ls = abs %si\n %l1 = log %ls\n %b = sub %a, %l1\n"
    " %e = sub %t, %mu\n %f = div %e, %tau\n %g = mul %f, %f\n %k = mul %h, %g\n %at = abs %tau\n %l2 = log %at\n %m = sub %k, %l2\n %o = add %b, %m\n %zero = real 0.0\n %ok = lt %zero, %at\n %r = guard %ok, %o\n return %r\n}\n";

static const char *const logistic =
    "func @f(%x: real[N, K] data, %y: real[N] data, %b: real[K] uncon) -> (real, real[K]) {\n %n = size N\n"
    " %lp, %g = plate %i < %n -> sum, sum {\n %row = at %x, %i, :\n %e = matmul %row, %b\n %yi = at %y, %i\n %l = log1p_exp %e\n %ye = mul %yi, %e\n %v = sub %ye, %l\n %p = inv_logit %e\n %r = sub %yi, %p\n"
    "  %k = size K\n %c = plate %q < %k -> stack {\n %xq = at %row, %q\n %rx = mul %r, %xq\n yield %rx\n }\n yield %v, %c\n }\n return %lp, %g\n}\n";

static const char *const scalar_chain =
    "func @f(%x: real uncon, %n: int index) -> (real) {\n %h = real 0.5\n %s = scan %i < %n -> carry %a = %x {\n"
    " %b = mul %a, %h\n %c = add %b, %x\n %d = mul %c, %h\n %e = sub %d, %x\n %f = mul %e, %h\n %g = add %f, %x\n %k = mul %g, %h\n %l = sub %k, %x\n yield %l\n }\n return %s\n}\n";

static void timings(void **state) {
  (void)state;
  time_one("normal plate, 1e6", normal_plate, 1000000, 8, 1e6);
  time_one("normal plate, 1000", normal_plate, 1000, 8, 1000);
  time_one("radon, gather and keyed sum, 919", programs[5], 919, 5, 919);
  time_one("eight schools, gradient", schools, 8, 8, 0);
  time_one("one element's terms", conditional, 8, 8, 0);
  time_one("logistic regression, 1000 x 20", logistic, 1000, 2, 20000);
  time_one("scalar chain (steps below 10000 x 9)", scalar_chain, 8, 10000, 0);
}

int main(int argc, char **argv) {
  engine = interp_engine;
  if (argc > 1 && strcmp(argv[1], "time") == 0) {
    const struct CMUnitTest timing[] = {cmocka_unit_test(timings)};
    return cmocka_run_group_tests(timing, NULL, NULL);
  }
  if (argc > 1) random_count = atol(argv[1]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_operations),
      cmocka_unit_test(test_programs),
      cmocka_unit_test(test_extremes),
      cmocka_unit_test(test_ways),
      cmocka_unit_test(test_frame),
      cmocka_unit_test(test_memory),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_nan),
      cmocka_unit_test(test_nan_before),
      cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
