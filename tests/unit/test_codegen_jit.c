/* test_codegen_jit.c: machine code against the reference evaluator (engine_check.h) at every instruction-set level.  argv[1]: random programs, 40 if not given;
 * a second argument runs the programs at all extents. */
#include "codegen/jit.h"
#include "vm/interp.h"

#include "tests/unit/engine_check.h"

#include <math.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

static char compiler[4096], cache_dir[4096];
static jit_config config;

static void forget(void) {
  char command[4300];
  snprintf(command, sizeof command, "rm -rf '%s'", cache_dir);
  assert_int_equal(system(command), 0);
}

static void test_unsuited(void **state) {
  (void)state;
  world w;
  world_open(&w);
  parse(&w, "func @f(%x: real uncon) -> (real) {\n return %x\n}\n");
  jit_config other = config;
  other.compiler = "/nonexistent";
  other.cache = NULL;
  exec_engine e = jit_engine(&other);
  exec_options o = {.user = e.user};
  exec_program *program;
  const char *message;
  assert_int_equal(e.load(w.m, 0, NULL, &o, &w.alloc, &program, &message), EXEC_REFUSED);
  assert_non_null(message);
  o = (exec_options){0};
  assert_int_equal(e.load(w.m, 0, NULL, &o, &w.alloc, &program, &message), EXEC_REFUSED);
  world_close(&w);
}

/* The other engine looks for NaNs. */
static void test_nan(void **state) {
  (void)state;
  world w;
  world_open(&w);
  parse(&w, "func @f(%x: real uncon) -> (real) {\n %y = log %x\n return %y\n}\n");
  w.fn->body.first->where.off = 7;
  jit_config other = config;
  other.fallback = &interp_engine;
  exec_engine e = jit_engine(&other);
  exec_options o = {.user = e.user};
  exec_program *program;
  assert_int_equal(e.load(w.m, 0, NULL, &o, &w.alloc, &program, NULL), EXEC_OK);
  exec_worker *worker = e.worker_new(program);
  exec_cell x = {.real = -1.0};
  exec_arg in = {&x, 1};
  exec_report r;
  assert_true(e.find_nan(worker, e.find(program, "f"), &in, &r));
  assert_int_equal(r.where.off, 7);
  x.real = 1.0;
  assert_false(e.find_nan(worker, 0, &in, &r));
  e.worker_free(worker);
  e.unload(program);
  world_close(&w);
}

/* ---- random programs by the batch: one module, so that a compilation serves many */

enum { BATCH = 40 };

typedef struct batch {
  world w;
  ir_fn *fn[BATCH];
  ref_array *in[BATCH], *want[BATCH];
  ref_status status[BATCH];
  ref_report expected[BATCH];
  exec_data *data;
  size_t ndata, cap_data;
  int n;
} batch;

/* Program `seed` with sizes and data of names of its own. */
static void batch_add(batch *b, uint64_t seed) {
  world *w = &b->w;
  gen_options o = gen_default();
  o.calls = false;
  o.dense = seed % 3 == 0;
  o.draws = seed % 2 == 0;
  o.smooth = seed % 5 == 0;
  o.wide = seed % 6 == 1;
  o.size = 20 + (int)(seed % 7) * 15;
  size_table *z = w->m->sizes;
  int k = b->n++;
  ir_fn *from = gen_fn(w->m, seed, &o, &w->mem, &b->in[k]);
  size_t n = 0, symbols = size_symbol_count(z);
  ir_size *old = ARENA_ARRAY(&w->mem, ir_size, symbols), *own = ARENA_ARRAY(&w->mem, ir_size, symbols);
  for (size_t q = 0; q < symbols; q++) {
    const char *name;
    ir_size s = size_symbol_at(z, q);
    if (!size_is_symbol(z, s, &name) || strchr(name, '.')) continue;
    old[n] = s;
    own[n] = size_symbol(z, arena_printf(&w->mem, "%s.%d", name, k));
    size_bind(z, own[n++], size_eval(z, s));
  }
  /* One of each batch as the function of that name, whose bodies may be long. */
  ir_fn *f = ir_fn_new(w->m, k == 0 ? "outputs" : arena_printf(&w->mem, "random%llu", (unsigned long long)seed), false);
  ir_cloner c = {.from = from, .map = ir_map_new(&w->mem, from), .nsizes = n, .size_from = old, .size_to = own};
  for (uint32_t q = 0; q < from->nparams; q++) {
    const ir_param *p = &from->param[q];
    ir_type t = ir_type_substitute(z, ir_type_of(from, p->val), n, old, own);
    const char *name = arena_printf(&w->mem, "%s.%d", p->name, k);
    ir_map_set(&c.map, p->val, ir_param_add(f, p->role, name, t));
    if (p->role != IR_ROLE_DATA) continue;
    exec_cell *cell = ARENA_ARRAY(&w->mem, exec_cell, b->in[k][q].n + 1);
    for (size_t e = 0; e < b->in[k][q].n; e++) cell[e] = to_cell(t, b->in[k][q].cell[e]);
    exec_data d = {name, cell};
    ARENA_PUSH(&w->mem, b->data, b->ndata, b->cap_data, d);
  }
  ir_builder at = ir_builder_at_end(f, &f->body);
  ir_clone_block(&c, &at, &from->body);
  ir_val *ret = ARENA_ARRAY(&w->mem, ir_val, from->nret + 1);
  for (uint32_t q = 0; q < from->nret; q++) ret[q] = ir_map_get(&c.map, from->ret[q]);
  ir_return(f, from->nret, ret);
  const char *wrong = ir_verify(f);
  if (wrong) fail_msg("%s", wrong);
  w->m->fn[w->m->nfns - 2] = f; /* in place of what it was made from */
  w->m->nfns--;
  b->fn[k] = f;
  b->want[k] = ARENA_ARRAY(&w->eval, ref_array, f->nret + 1);
  b->status[k] = ref_eval(REF_DOUBLE, f, &w->eval, b->in[k], b->want[k], &b->expected[k]);
  if (b->status[k] == REF_REFUSED) fail_msg("the reference refuses: %s", b->expected[k].why);
}

static void batch_check(batch *b, int k, exec_program *program, exec_worker *worker, int isa, size_t lanes) {
  ir_fn *f = b->fn[k];
  arena *mem = &b->w.eval;
  exec_arg *in = ARENA_ARRAY(mem, exec_arg, f->nparams + 1), *out = ARENA_ARRAY(mem, exec_arg, f->nret + 1);
  size_t nin = 0;
  for (uint32_t q = 0; q < f->nparams; q++) {
    if (f->param[q].role == IR_ROLE_DATA) continue;
    size_t n = b->in[k][q].n;
    in[nin] = (exec_arg){ARENA_ARRAY(mem, exec_cell, n * lanes + 1), lanes};
    for (size_t e = 0; e < n * lanes; e++) in[nin].p[e] = to_cell(ir_type_of(f, f->param[q].val), b->in[k][q].cell[e / lanes]);
    nin++;
  }
  for (uint32_t q = 0; q < f->nret; q++) out[q] = (exec_arg){ARENA_ARRAY(mem, exec_cell, b->want[k][q].n * lanes + 1), lanes};
  exec_report report;
  exec_status s = engine.call(worker, engine.find(program, f->name), lanes, in, out, &report);
  b->w.fn = f;
  if ((s == EXEC_BOUND) != (b->status[k] == REF_BOUND)) {
    show(&b->w);
    fail_msg("level %d: status %d, reference %d", isa, s, b->status[k]);
  }
  if (s == EXEC_BOUND) return;
  if (report.guards != b->expected[k].guards * lanes) {
    show(&b->w);
    fail_msg("level %d: %ld guards, reference %ld", isa, (long)report.guards, (long)b->expected[k].guards);
  }
  for (uint32_t q = 0; q < f->nret; q++)
    for (size_t e = 0; e < b->want[k][q].n * lanes; e++)
      if (!same(ir_type_of(f, f->ret[q]), out[q].p[e], b->want[k][q].cell[e / lanes])) {
        show(&b->w);
        fail_msg("level %d, %ld lanes, result %u, element %ld: %.17g, reference %.17g", isa, (long)lanes, q, (long)(e / lanes), out[q].p[e].real,
                 (double)b->want[k][q].cell[e / lanes].real);
      }
}

static void test_random_batches(void **state) {
  (void)state;
  forget();
  int isa[4], n = levels(isa);
  for (long first = 0; first < random_count; first += BATCH) {
    batch *b = test_calloc(1, sizeof *b);
    world_open(&b->w);
    for (long k = first; k < random_count && k < first + BATCH; k++) batch_add(b, (uint64_t)k);
    for (int v = 0; v < n; v++) {
      exec_program *program;
      const char *message = NULL;
      exec_options o = {.isa = isa[v], .user = engine.user};
      if (engine.load(b->w.m, b->ndata, b->data, &o, &b->w.alloc, &program, &message) != EXEC_OK) fail_msg("batch at %ld refused: %s", first, message ? message : "no memory");
      exec_worker *worker = engine.worker_new(program);
      assert_non_null(worker);
      for (int k = 0; k < b->n; k++)
        for (size_t lanes = 1; lanes <= 3; lanes += 2) batch_check(b, k, program, worker, isa[v], lanes);
      engine.worker_free(worker);
      engine.unload(program);
    }
    world_close(&b->w);
    test_free(b);
    if (first % 2000 == 0) forget(); /* objects of many batches would fill a disk */
  }
}

/* The same one by one, as a module of one function is compiled. */
static void test_random_alone(void **state) {
  long many = random_count;
  random_count = many < 4 ? many : 4;
  test_random(state);
  random_count = many;
}

/* ---- long programs */

/* About n operations of which the second half uses what the first computed, last value first, as gradients do: straight, or the
 * body of a loop. */
static char *long_text(arena *mem, int n, bool loop) {
  strbuf s;
  strbuf_init(&s, mem);
  if (loop) strbuf_puts(&s, "func @f(%x: real[N] data, %y: real[N] data) -> (real) {\n %n = size N\n %s = plate %i < %n -> sum {\n %f0 = at %x, %i\n %f1 = at %y, %i\n");
  else strbuf_puts(&s, "func @f(%x: real uncon, %y: real uncon) -> (real) {\n %f0 = neg %x\n %f1 = neg %y\n");
  strbuf_puts(&s, " %h = real 0.49\n");
  int m = n / 4;
  uint64_t seed = 5;
  for (int k = 2; k < m; k++) {
    seed = mix(seed);
    strbuf_printf(&s, " %%t%d = add %%f%d, %%f%d\n %%f%d = mul %%t%d, %%h\n", k, k - 1, (int)(seed % (uint64_t)k), k, k);
  }
  strbuf_puts(&s, " %b0 = real 1.0\n");
  for (int k = 1; k < m; k++) strbuf_printf(&s, " %%u%d = mul %%b%d, %%h\n %%b%d = fma %%u%d, %%h, %%f%d\n", k, k - 1, k, k, m - k);
  strbuf_printf(&s, loop ? " yield %%b%d\n }\n return %%s\n}\n" : " return %%b%d\n}\n", m - 1);
  return s.s;
}

static void test_long(void **state) {
  (void)state;
  for (int loop = 0; loop < 2; loop++) {
    world w;
    world_open(&w);
    bind(&w, "N", 70);
    parse(&w, long_text(&w.mem, 6000, loop));
    invent(&w, 1);
    agree(&w);
    world_close(&w);
  }
}

/* What a processor has beyond its level, and the order of instructions that suits it, changes no bit. */
static void test_native(void **state) {
  only_isa = EXEC_ISA_NATIVE;
  test_random_batches(state);
  test_long(state);
  only_isa = 0;
}

/* Processor time of aim-cc. */
static double compile_seconds(int n, bool loop, int64_t size) {
  world w;
  world_open(&w);
  bind(&w, "N", size);
  parse(&w, long_text(&w.mem, n, loop));
  invent(&w, 1);
  struct rusage before, after;
  machine m;
  const char *message = NULL;
  getrusage(RUSAGE_CHILDREN, &before);
  if (machine_open(&w, &m, 3, 1, &message) != EXEC_OK) fail_msg("%s", message);
  getrusage(RUSAGE_CHILDREN, &after);
  machine_close(&m);
  world_close(&w);
  return (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) + 1e-6 * (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec);
}

typedef struct long_program {
  int n; /* operations */
  bool loop;
  int64_t size;
} long_program;

/* Fails where b takes `bound` times as long as a, each the least of at least three tries.  Other processes cost time, never save any: what is
 * too slow is tried again. */
static void grows_below(double bound, long_program a, long_program b) {
  enum { TRIES = 3, MOST_TRIES = 12 };
  double ta = 1e9, tb = 1e9;
  for (int k = 0; k < MOST_TRIES && (k < TRIES || tb >= bound * ta); k++) {
    ta = fmin(ta, compile_seconds(a.n, a.loop, a.size));
    tb = fmin(tb, compile_seconds(b.n, b.loop, b.size));
  }
  print_message("%s of %d operations: %.0f ms\n", b.loop ? "a body" : "a program", b.n, 1e3 * tb);
  if (tb >= bound * ta)
    fail_msg("%d operations for %lld take %g s, %d for %lld %g s", b.n, (long long)b.size, tb, a.n, (long long)a.size, ta);
}

/* Four times the operations take less than six times as long, and the number of iterations takes none.  Between the two largest sizes
 * a compilation that leaves long blocks whole takes 9 times as long for a program and 19 for a body, one that keeps far values in
 * registers more than that. */
static void test_compile_time(void **state) {
  (void)state;
  if (rt_isa_best() < 3) skip();
  exec_engine kept = engine;
  jit_config other = config;
  other.cache = NULL;
  engine = jit_engine(&other);
  for (int loop = 0; loop < 2; loop++)
    for (int n = 5000; n <= 20000; n *= 4) grows_below(6, (long_program){n / 4, loop, 100}, (long_program){n, loop, 100});
  grows_below(2, (long_program){1000, true, 100}, (long_program){1000, true, 100000});
  engine = kept;
}

/* ---- places of guards */

static span first_guard(world *w, exec_engine e, uint64_t *count) {
  exec_engine kept = engine;
  engine = e;
  machine m;
  const char *message = NULL;
  exec_report report;
  if (machine_open(w, &m, 0, 1, &message) != EXEC_OK) fail_msg("%s", message);
  assert_int_equal(e.call(m.worker, m.fn, 1, m.in, m.out, &report), EXEC_OK);
  machine_close(&m);
  engine = kept;
  *count = report.guards;
  return report.guard_where;
}

/* In a plate of n the guard at 101 fails in the last iteration, and that at 102 in iteration `other`, where that is below n.  Alone
 * it is told alike by both engines; of several each tells one that failed. */
static void guard_places(int n, int other) {
  world w;
  world_open(&w);
  bind(&w, "N", n);
  parse(&w, arena_printf(&w.mem,
                         "func @f(%%x: real[N] data) -> (real) {\n %%n = size N\n %%a = int %d\n %%b = int %d\n %%s = plate %%i < %%n -> sum {\n"
                         " %%v = at %%x, %%i\n %%c = lt %%i, %%a\n %%g = guard %%c, %%v\n %%d = eq %%i, %%b\n %%e = not %%d\n"
                         " %%h = guard %%e, %%g\n yield %%h\n }\n return %%s\n}\n",
                         n - 1, other));
  for (ir_op *op = w.fn->body.first; op; op = op->next) {
    if (op->code != IR_PLATE_OP) continue;
    uint32_t off = 101;
    for (ir_op *in = op->u.loop->body.first; in; in = in->next) if (in->code == IR_GUARD_OP) in->where.off = off++;
  }
  invent(&w, 1);
  uint64_t count[2];
  span vm = first_guard(&w, interp_engine, &count[0]), jit = first_guard(&w, engine, &count[1]);
  assert_int_equal(count[0], other < n ? 2 : 1);
  assert_int_equal(count[1], count[0]);
  if (other >= n) {
    assert_int_equal(vm.off, 101);
    assert_int_equal(jit.off, 101);
  } else {
    assert_in_range(vm.off, 101, 102);
    assert_in_range(jit.off, 101, 102);
  }
  world_close(&w);
}

static void test_guard_places(void **state) {
  (void)state;
  static const int sizes[] = {1, 3, 31, 32, 33, 256, 300, 4096, 5000};
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    guard_places(sizes[k], sizes[k]);
    guard_places(sizes[k], 0);
    guard_places(sizes[k], sizes[k] - 1);
  }
}

/* ---- the stack */

static void *call_on_thread(void *user) {
  machine *m = user;
  return (void *)(intptr_t)engine.call(m->worker, m->fn, 1, m->in, m->out, NULL);
}

/* Boxes one after the other, whose columns take 8 KB of stack each: together they take no more than one. */
static void test_stack(void **state) {
  (void)state;
  enum { BOXES = 48, STACK = 1 << 18 };
  world w;
  world_open(&w);
  bind(&w, "N", 3);
  bind(&w, "K", 70);
  strbuf s;
  strbuf_init(&s, &w.mem);
  strbuf_puts(&s, "func @f(%x: real[N, K] data) -> (real) {\n %n = size N\n %k = size K\n %s0 = real 0.5\n");
  for (int q = 1; q <= BOXES; q++)
    strbuf_printf(&s, " %%a%d, %%b%d, %%c%d, %%d%d = plate %%i%d < %%n, %%j%d < %%k -> sum, max, min, sum {\n %%u%d = at %%x, %%i%d, %%j%d\n %%v%d = mul %%u%d, %%s%d\n"
                      " yield %%u%d, %%v%d, %%v%d, %%v%d\n }\n %%s%d = max %%b%d, %%c%d\n", q, q, q, q, q, q, q, q, q, q, q, q - 1, q, q, q, q, q, q, q);
  strbuf_printf(&s, " return %%s%d\n}\n", BOXES);
  parse(&w, s.s);
  invent(&w, 1);
  machine m;
  const char *message = NULL;
  if (machine_open(&w, &m, 0, 1, &message) != EXEC_OK) fail_msg("%s", message);
  pthread_attr_t small;
  pthread_t thread;
  void *status;
  assert_int_equal(pthread_attr_init(&small), 0);
  assert_int_equal(pthread_attr_setstacksize(&small, STACK), 0);
  assert_int_equal(pthread_create(&thread, &small, call_on_thread, &m), 0);
  assert_int_equal(pthread_join(thread, &status), 0);
  assert_int_equal((intptr_t)status, EXEC_OK);
  pthread_attr_destroy(&small);
  machine_close(&m);
  world_close(&w);
}

int main(int argc, char **argv) {
  random_count = argc > 1 ? atol(argv[1]) : 40;
  few_extents = argc < 3;
  ssize_t n = readlink("/proc/self/exe", compiler, sizeof compiler - 32);
  if (n <= 0) return 1;
  compiler[n] = '\0';
  for (int k = 0; k < 2; k++) *strrchr(compiler, '/') = '\0';
  snprintf(cache_dir, sizeof cache_dir, "%.4000s/jit-cache", compiler);
  strcat(compiler, "/aim-cc");
  config.compiler = compiler;
  config.seconds = 600; /* a batch of programs on a busy machine */
  config.cache = cache_dir;
  engine = jit_engine(&config);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unsuited), cmocka_unit_test(test_nan), cmocka_unit_test(test_values), cmocka_unit_test(test_frame),
      cmocka_unit_test(test_memory), cmocka_unit_test(test_random_alone), cmocka_unit_test(test_random_batches), cmocka_unit_test(test_programs),
      cmocka_unit_test(test_guard_places), cmocka_unit_test(test_stack), cmocka_unit_test(test_extremes), cmocka_unit_test(test_long), cmocka_unit_test(test_native), cmocka_unit_test(test_compile_time),
  };
  const struct CMUnitTest slow[] = {cmocka_unit_test(test_operations)};
  if (!few_extents && cmocka_run_group_tests(slow, NULL, NULL)) return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
