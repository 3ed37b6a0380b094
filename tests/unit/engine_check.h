/* engine_check.h: an engine of compiler/contract.h against the reference evaluator, bit for bit, at every instruction-set level.
 * The including test sets `engine` first.
 *
 * Programs are IR text, one for each operation and mode in each way of running it, and random ones (random_count of them).  Then
 * what the contract promises beyond values: frames, checks, no allocation in a call, failing allocations. */
#ifndef TESTS_UNIT_ENGINE_CHECK_H
#define TESTS_UNIT_ENGINE_CHECK_H

#include "compiler/contract.h"
#include "stdlib/runtime/rt_kernels.h"
#include "tests/gen_ir.c"
#include "tests/ref_eval.c"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static exec_engine engine;

/* ---- host */

typedef struct heap {
  long calls, fail_at; /* fail_at 0: never */
  long live;
} heap;

static void *heap_fn(void *user, void *ptr, size_t old_size, size_t size) {
  heap *h = user;
  (void)old_size;
  if (size == 0) {
    if (ptr) h->live--;
    free(ptr);
    return NULL;
  }
  h->calls++;
  if (h->fail_at && h->calls >= h->fail_at) return NULL;
  void *r = realloc(ptr, size);
  if (r && !ptr) h->live++;
  return r;
}

/* ---- one program with inputs */

typedef struct world {
  heap heap;
  aim_alloc alloc;
  arena mem, eval;
  ir_module *m;
  ir_fn *fn;
  ref_array *in;
} world;

static void world_open(world *w) {
  memset(w, 0, sizeof *w);
  w->alloc = (aim_alloc){heap_fn, &w->heap};
  arena_init(&w->mem, &w->alloc, 0);
  arena_init(&w->eval, &w->alloc, 0);
  if (ARENA_TRY(&w->mem)) fail_msg("no memory");
  if (ARENA_TRY(&w->eval)) fail_msg("no memory");
  w->m = ir_module_new(&w->mem);
}

static void world_close(world *w) {
  arena_free(&w->eval);
  arena_free(&w->mem);
  assert_int_equal(w->heap.live, 0);
}

static void bind(world *w, const char *name, int64_t n) { size_bind(w->m->sizes, size_symbol(w->m->sizes, name), n); }

static void parse(world *w, const char *text) {
  const char *error = NULL;
  if (!ir_parse(w->m, text, strlen(text), &error)) fail_msg("%s\n%s", error, text);
  w->fn = w->m->fn[w->m->nfns - 1];
  const char *wrong = ir_verify(w->fn);
  if (wrong) fail_msg("%s\n%s", wrong, text);
}

static uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/* Reals in (-2, 2), ints in 0 .. below - 1, keys anything. */
static void invent(world *w, int64_t below) {
  w->in = ARENA_ARRAY(&w->mem, ref_array, w->fn->nparams + 1);
  for (uint32_t k = 0; k < w->fn->nparams; k++) {
    ir_type t = ir_type_of(w->fn, w->fn->param[k].val);
    int64_t n = ref_count(w->m, t);
    assert_true(n >= 0);
    w->in[k] = (ref_array){(size_t)n, ARENA_ARRAY(&w->mem, ref_cell, (size_t)n)};
    for (int64_t e = 0; e < n; e++) {
      uint64_t x = mix((uint64_t)k * 1000003 + (uint64_t)e);
      if (t.elem == IR_REAL) w->in[k].cell[e].real = (double)(int64_t)(x >> 12) * 0x1p-50 - 2.0;
      else w->in[k].cell[e].integer = t.elem == IR_INT ? (int64_t)(x % (uint64_t)below) : t.elem == IR_BOOL ? (int64_t)(x & 1) : (int64_t)x;
    }
  }
}

typedef struct machine {
  exec_program *program;
  exec_worker *worker;
  exec_arg *in, *out;
  int fn;
  size_t lanes;
} machine;

static exec_cell to_cell(ir_type t, ref_cell x) {
  return t.elem == IR_REAL ? (exec_cell){.real = (double)x.real} : (exec_cell){.integer = x.integer};
}

/* Loads the module and lays the inputs out for some lanes, all alike. */
static exec_status machine_open(world *w, machine *m, int isa, size_t lanes, const char **message) {
  memset(m, 0, sizeof *m);
  exec_data *data = ARENA_ARRAY(&w->mem, exec_data, w->fn->nparams);
  size_t ndata = 0, nin = 0;
  m->in = ARENA_ARRAY(&w->mem, exec_arg, w->fn->nparams);
  for (uint32_t k = 0; k < w->fn->nparams; k++) {
    const ir_param *p = &w->fn->param[k];
    ir_type t = ir_type_of(w->fn, p->val);
    bool bound = p->role == IR_ROLE_DATA;
    size_t l = bound ? 1 : lanes;
    exec_cell *c = ARENA_ARRAY(&w->mem, exec_cell, w->in[k].n * l);
    for (size_t e = 0; e < w->in[k].n * l; e++) c[e] = to_cell(t, w->in[k].cell[e / l]);
    if (bound) data[ndata++] = (exec_data){p->name, c};
    else m->in[nin++] = (exec_arg){c, l};
  }
  m->out = ARENA_ARRAY(&w->mem, exec_arg, w->fn->nret);
  for (uint32_t k = 0; k < w->fn->nret; k++) {
    size_t n = (size_t)ref_count(w->m, ir_type_of(w->fn, w->fn->ret[k]));
    m->out[k] = (exec_arg){ARENA_ARRAY(&w->mem, exec_cell, n * lanes + 1), lanes};
  }
  m->lanes = lanes;
  exec_options options = {.isa = isa, .user = engine.user};
  exec_status s = engine.load(w->m, ndata, data, &options, &w->alloc, &m->program, message);
  if (s != EXEC_OK) return s;
  m->fn = engine.find(m->program, w->fn->name);
  assert_true(m->fn >= 0);
  m->worker = engine.worker_new(m->program);
  return m->worker ? EXEC_OK : EXEC_MEMORY;
}

static void machine_close(machine *m) {
  engine.worker_free(m->worker);
  engine.unload(m->program);
}

static bool same(ir_type t, exec_cell a, ref_cell b) {
  if (t.elem != IR_REAL) return a.integer == b.integer;
  double x = (double)b.real;
  if (x != x) return a.real != a.real;
  return memcmp(&a.real, &x, sizeof x) == 0;
}

/* 0, or the only one to be tried. */
static int only_isa;

static int levels(int *isa) {
  int n = 0;
  if (only_isa) {
    *isa = only_isa;
    return 1;
  }
  if (rt_isa_best() < 2) isa[n++] = 0;
  else for (int v = 2; v <= rt_isa_best(); v++) isa[n++] = v;
  return n;
}

static void show(world *w) {
  strbuf b;
  strbuf_init(&b, &w->mem);
  ir_print_fn(w->fn, &b);
  print_error("%s\n", b.s);
  for (size_t k = 0; k < size_symbol_count(w->m->sizes); k++) {
    const char *name;
    ir_size s = size_symbol_at(w->m->sizes, k);
    if (size_is_symbol(w->m->sizes, s, &name)) print_error("%s = %ld\n", name, (long)size_eval(w->m->sizes, s));
  }
}

/* The interpreter's results, at every level and for one lane and three, are those of the reference. */
static void agree(world *w) {
  ref_array *want = ARENA_ARRAY(&w->eval, ref_array, w->fn->nret + 1);
  ref_report expected;
  ref_status r = ref_eval(REF_DOUBLE, w->fn, &w->eval, w->in, want, &expected);
  if (r == REF_REFUSED) {
    show(w);
    fail_msg("the reference refuses: %s", expected.why);
  }
  int isa[4], n = levels(isa);
  for (int v = 0; v < n; v++)
    for (size_t lanes = 1; lanes <= 3; lanes += 2) {
      machine m;
      const char *message = NULL;
      exec_report report;
      if (machine_open(w, &m, isa[v], lanes, &message) != EXEC_OK) {
        show(w);
        fail_msg("refused: %s", message ? message : "no memory");
      }
      for (int again = 0; again < 2; again++) {
        exec_status s = engine.call(m.worker, m.fn, lanes, m.in, m.out, &report);
        if ((s == EXEC_BOUND) != (r == REF_BOUND)) {
          show(w);
          fail_msg("status %d, reference %d", s, r);
        }
        if (s == EXEC_BOUND) continue;
        if (report.guards != expected.guards * lanes) {
          show(w);
          fail_msg("%ld guards, reference %ld", (long)report.guards, (long)expected.guards);
        }
        for (uint32_t k = 0; k < w->fn->nret; k++)
          for (size_t e = 0; e < want[k].n; e++)
            for (size_t l = 0; l < lanes; l++)
              if (!same(ir_type_of(w->fn, w->fn->ret[k]), m.out[k].p[e * lanes + l], want[k].cell[e])) {
                show(w);
                fail_msg("level %d, lane %ld of %ld, result %u, element %ld: %.17g (%ld), reference %.17g (%ld)", isa[v], (long)l, (long)lanes, k,
                         (long)e, m.out[k].p[e * lanes + l].real, (long)m.out[k].p[e * lanes + l].integer, (double)want[k].cell[e].real,
                         (long)want[k].cell[e].integer);
              }
      }
      machine_close(&m);
    }
}

/* ---- random programs */

static long random_count = 300;

static void test_random(void **state) {
  (void)state;
  for (long k = 0; k < random_count; k++) {
    world w;
    world_open(&w);
    gen_options o = gen_default();
    o.calls = false;
    o.dense = k % 3 == 0;
    o.draws = k % 2 == 0;
    o.smooth = k % 5 == 0;
    o.size = 20 + (int)(k % 7) * 15;
    w.fn = gen_fn(w.m, (uint64_t)k, &o, &w.mem, &w.in);
    agree(&w);
    world_close(&w);
  }
}


/* ---- every scalar operation: alone, and in a plate with each choice of operands that vary */

static const char *type_name(char letter, int same) {
  switch (letter) {
    case 'r': return "real";
    case 'i': return "int";
    case 'b': return "bool";
    case 'k': return "key";
    default: return same == 0 ? "real" : same == 1 ? "int" : same == 2 ? "bool" : "key";
  }
}

static void one_operation(int code, int same, int vary, int64_t n) {
  world w;
  world_open(&w);
  const char *sig = ir_op_table[code].signature, *colon = strchr(sig, ':');
  int nargs = (int)(colon - sig);
  strbuf b;
  strbuf_init(&b, &w.mem);
  strbuf_puts(&b, "func @f(");
  for (int k = 0; k < nargs; k++)
    strbuf_printf(&b, "%s%%a%d: %s%s latent", k ? ", " : "", k, type_name(sig[k], same), vary >> k & 1 ? "[N]" : "");
  strbuf_printf(&b, ") -> (%s%s) {\n", type_name(colon[1], same), n >= 0 ? "[N]" : "");
  if (n >= 0) strbuf_puts(&b, "%n = size N\n%x = plate %i < %n -> stack {\n");
  for (int k = 0; k < nargs; k++) if (vary >> k & 1) strbuf_printf(&b, "%%b%d = at %%a%d, %%i\n", k, k);
  strbuf_printf(&b, "%%r = %s ", ir_op_table[code].name);
  for (int k = 0; k < nargs; k++) strbuf_printf(&b, "%s%%%c%d", k ? ", " : "", vary >> k & 1 ? 'b' : 'a', k);
  strbuf_puts(&b, n >= 0 ? "\nyield %r\n}\nreturn %x\n}\n" : "\nreturn %r\n}\n");
  if (n >= 0) bind(&w, "N", n);
  parse(&w, b.s);
  invent(&w, 7);
  agree(&w);
  world_close(&w);
}

static void test_operations(void **state) {
  (void)state;
  for (int code = 0; code < IR_OP_COUNT; code++) {
    const char *sig = ir_op_table[code].signature, *colon = strchr(sig, ':');
    if (!colon || colon == sig || ir_op_table[code].effect == IR_MODEL) continue;
    bool any_n = memchr(sig, 'n', (size_t)(colon - sig)) != NULL, any_s = memchr(sig, 's', (size_t)(colon - sig)) != NULL;
    for (int same = 0; same < (any_s ? 4 : any_n ? 2 : 1); same++) {
      one_operation(code, same, 0, -1);
      for (int vary = 0; vary < 1 << (colon - sig); vary++) {
        one_operation(code, same, vary, 3);
        one_operation(code, same, vary, 300);
      }
    }
  }
}

/* ---- extremes: of 0 and -0 the last counts, and NaN whatever stands around it */

static void test_extremes(void **state) {
  (void)state;
  static const int64_t sizes[] = {1, 2, 8, 9, 31, 32, 40, 320, 5024}; /* and whole groups of 32, in which rows of vectors meet */
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int pattern = 0; pattern < 8; pattern++) {
      world w;
      world_open(&w);
      bind(&w, "N", sizes[s]);
      parse(&w, "func @f(%x: real[N] data) -> (real, real) {\n %n = size N\n %hi, %lo = plate %i < %n -> max, min {\n  %v = at %x, %i\n  yield %v, %v\n }\n return %hi, %lo\n}\n");
      invent(&w, 1);
      ref_cell *x = w.in[0].cell;
      const size_t n = (size_t)sizes[s];
      for (size_t k = 0; k < n; k++) {
        const double sign = pattern & 2 ? -1 : 1, zero = mix(k + (uint64_t)pattern) >> 9 & 1 ? 0.0 : -0.0;
        x[k].real = mix(k) & (pattern & 1 ? 15 : 1) ? sign * fabs((double)x[k].real) : zero; /* zeros among others that are larger, or smaller */
      }
      if (pattern >= 4) x[mix((uint64_t)pattern) % n].real = NAN;
      agree(&w);
      world_close(&w);
    }
}

/* ---- programs, over extents at the edges of blocks and sums */

/* New ones come last: tests name some by their number. */
static const char *const programs[] = {
    /* the outputs of a plate, scalars */
    "func @f(%y: real[N] data, %m: real uncon) -> (real, real, real, real[N], real[N], real[J]) {\n"
    "  %n = size N\n %z = new real[N]\n %g = new real[J]\n %j = size J\n %one = int 1\n %nm = sub %n, %one\n"
    "  %s, %hi, %lo, %st, %in, %ke = plate %i < %n -> sum, max, min, stack, into = %z, keyed = %g {\n"
    "    %v = at %y, %i\n %d = sub %v, %m\n %q = mul %d, %d\n %k = imod %i, %j\n %r = sub %nm, %i\n"
    "    yield %q, %v, %d, %d, [%r] %q, [%k] %v\n  }\n  return %s, %hi, %lo, %st, %in, %ke\n}\n",
    /* special functions of what varies, of what does not and of each other, with checks around them, in a box, and without sums */
    "func @f(%y: real[N] data, %m: real uncon, %x: real[N, K] data) -> (real, real[N], real[J], real, real[N, K], real[N]) {\n"
    "  %n = size N\n %k = size K\n %j = size J\n %one = real 1.0\n %g = new real[J]\n %mm = mul %m, %m\n %nu = add %mm, %one\n"
    "  %s, %st, %ke = plate %i < %n -> sum, stack, keyed = %g {\n"
    "    %v = at %y, %i\n %e = exp %v\n %a = add %e, %one\n %c = imod %i, %j\n"
    "    %p = log_gamma_p %nu, %a\n %q = log_student %a, %p\n %o = lt %p, %v\n %w = guard %o, %q\n"
    "    %b = log_beta_odds %nu, %a, %a\n %z = add %b, %w\n"
    "    yield %b, %z, [%c] %p\n  }\n"
    "  %t, %u = plate %i < %n, %l < %k -> sum, stack {\n    %v = at %x, %i, %l\n %h = owens_t %v, %m\n %r = mul %h, %v\n yield %h, %r\n  }\n"
    "  %only = plate %i < %n -> stack {\n    %v = at %y, %i\n %h = owens_t %v, %m\n yield %h\n  }\n"
    "  return %s, %st, %ke, %t, %u, %only\n}\n",
    /* values that do not vary */
    "func @f(%y: real[N] data, %m: real uncon) -> (real, real, real[N], real[J]) {\n"
    "  %n = size N\n %g = new real[J]\n %zero = int 0\n"
    "  %s, %hi, %st, %ke = plate %i < %n -> sum, max, stack, keyed = %g {\n    yield %m, %m, %m, [%zero] %m\n  }\n"
    "  return %s, %hi, %st, %ke\n}\n",
    /* arrays of arrays: slices, rows, transposed reads */
    "func @f(%x: real[N, K] data, %b: real[K] uncon, %t: real[K, N] data) -> (real, real[K], real[N, K], real[N], real[K], real[K]) {\n"
    "  %n = size N\n %k = size K\n"
    "  %s, %v, %st, %e, %hi, %lo = plate %i < %n -> sum, sum, stack, stack, max, min {\n"
    "    %row = at %x, %i, :\n %col = at %t, :, %i\n"
    "    %d = matmul %row, %b\n"
    "    %p = plate %j < %k -> stack {\n %a = at %row, %j\n %c = at %col, %j\n %ac = mul %a, %c\n yield %ac\n }\n"
    "    %q = plate %j < %k -> sum {\n %a = at %row, %j\n %c = at %b, %j\n %ac = mul %a, %c\n yield %ac\n }\n"
    "    %sq = mul %d, %q\n"
    "    yield %sq, %p, %row, %q, %col, %p\n  }\n  return %s, %v, %st, %e, %hi, %lo\n}\n",
    /* a regression by columns: rows times a vector, and the sums of scaled rows, from an iteration's value, a shared one and its neighbour's */
    "func @f(%x: real[K, N + 1] data, %b: real[K] uncon, %y: real[N] data, %m: real uncon) -> (real, real[K], real[K], real[K], real[K], real[N]) {\n"
    "  %n = size N\n %k = size K\n %one = int 1\n"
    "  %s, %g, %h, %u, %v, %e = plate %i < %n -> sum, sum, sum, sum, sum, stack {\n"
    "    %i1 = add %i, %one\n %row = at %x, :, %i\n %next = at %x, :, %i1\n %d = matmul %row, %b\n %dn = matmul %b, %next\n"
    "    %yi = at %y, %i\n %r = sub %yi, %d\n %q = mul %r, %dn\n"
    "    %p, %pm = plate %j < %k -> stack, stack {\n %a = at %row, %j\n %ra = mul %r, %a\n %ma = mul %m, %a\n yield %ra, %ma\n }\n"
    "    %pn = plate %j < %k -> stack {\n %a = at %x, %j, %i1\n %ra = mul %a, %r\n yield %ra\n }\n"
    "    %w = exp %q\n"
    "    %pb = plate %j < %k -> stack {\n %a = at %row, %j\n %bj = at %b, %j\n %ab = mul %a, %bj\n yield %ab\n }\n"
    "    yield %w, %p, %pm, %pn, %pb, %d\n  }\n  return %s, %g, %h, %u, %v, %e\n}\n",
    /* gathers and their adjoints, with a checked index */
    "func @f(%y: real[N] data, %c: int[N] data, %al: real[J] uncon, %be: real uncon, %fl: real[N] data) -> (real, real[J], real) {\n"
    "  %n = size N\n %j = size J\n %g0 = new real[J]\n"
    "  %lp, %da, %db = plate %i < %n -> sum, keyed = %g0, sum {\n"
    "    %k = at %c, %i\n %kb = bound %k, %j\n %a = at %al, %kb\n %f = at %fl, %i\n %m = fma %be, %f, %a\n"
    "    %yi = at %y, %i\n %r = sub %yi, %m\n %q = mul %r, %r\n %df = mul %r, %f\n    yield %q, [%kb] %r, %df\n  }\n"
    "  return %lp, %da, %db\n}\n",
    /* neighbours: affine positions with offsets */
    "func @f(%y: real[N] data, %x: real[J, N] data) -> (real, real[N]) {\n"
    "  %n = size N\n %one = int 1\n %two = int 2\n %m = sub %n, %one\n %z = new real[N]\n"
    "  %s, %o = plate %i < %m -> sum, into = %z {\n"
    "    %i1 = add %i, %one\n %ib = bound %i1, %n\n %a = at %y, %i\n %b = at %y, %ib\n %c = at %x, %two, %i1\n %bc = mul %b, %c\n %d = sub %bc, %a\n"
    "    %l = sub %m, %i\n %e = at %y, %l\n %de = mul %d, %e\n yield %de, [%i1] %d\n  }\n  return %s, %o\n}\n",
    /* boxes: rows and flat */
    "func @f(%x: real[J, N] data, %y: real[N, J] data, %r: real[J] uncon) -> (real, real[J, N], real[N, J], real, real, real[J, N, 2]) {\n"
    "  %n = size N\n %j = size J\n %three = int 2\n"
    "  %s, %st = plate %a < %j, %b < %n -> sum, stack {\n"
    "    %u = at %x, %a, %b\n %v = at %r, %a\n %w = at %y, %b, %a\n %uv = fma %u, %v, %w\n yield %uv, %uv\n  }\n"
    "  %s2, %st2 = plate %b < %n, %a < %j -> sum, stack {\n"
    "    %u = at %x, %a, %b\n %v = at %r, %a\n %w = at %y, %b, %a\n %uv = fma %u, %v, %w\n yield %uv, %uv\n  }\n"
    "  %s3 = plate %b < %n, %a < %j -> sum {\n %w = at %y, %b, %a\n yield %w\n  }\n"
    "  %s4, %st4 = plate %b < %j, %a < %n, %c < %three -> sum, stack {\n %w = at %y, %a, %b\n %v = at %x, %c, %a\n %wv = mul %w, %v\n yield %wv, %wv\n  }\n"
    "  return %s, %st, %st2, %s2, %s3, %st4\n}\n",
    /* slices into results; keyed rows */
    "func @f(%x: real[N, K] data, %c: int[N] data) -> (real[N, K], real[K, J], real[J, K]) {\n"
    "  %n = size N\n %k = size K\n %z = new real[N, K]\n %g = new real[K, J]\n %h = new real[J, K]\n"
    "  %a, %b, %d = plate %i < %n -> into = %z, keyed = %g, keyed = %h {\n"
    "    %row = at %x, %i, :\n %ci = at %c, %i\n"
    "    %p = plate %j < %k -> stack {\n %v = at %row, %j\n %w = mul %v, %v\n yield %w\n }\n"
    "    yield [%i, :] %row, [:, %ci] %p, [%ci, :] %row\n  }\n  return %a, %b, %d\n}\n",
    /* keyed by lists */
    "func @f(%x: real[N, K] data, %c: int[N, K] data, %d: int[K] data) -> (real[J, J], real[J]) {\n"
    "  %n = size N\n %g = new real[J, J]\n %h = new real[J]\n"
    "  %a, %b = plate %i < %n -> keyed = %g, keyed = %h {\n"
    "    %row = at %x, %i, :\n %cs = at %c, %i, :\n yield [%cs, %d] %row, [%cs] %row\n  }\n  return %a, %b\n}\n",
    /* scans at top level: carry, into, keyed, stack, sum, downwards */
    "func @f(%y: real[N] data, %x0: real uncon, %v0: real[K] uncon) -> (real, real[N], real[J], real[N], real, real[K], real[N, K], real) {\n"
    "  %n = size N\n %j = size J\n %k = size K\n %h = real 0.5\n %g = new real[J]\n %z = new real[N]\n"
    "  %c, %in, %ke, %st, %s, %v, %vs, %m = scan %t < %n -> carry %x = %x0, into %sofar = %z, keyed %ks = %g, stack, sum, carry %w = %v0, stack, max {\n"
    "    %yt = at %y, %t\n %x1 = fma %x, %h, %yt\n %kk = imod %t, %j\n %o = at %ks, %kk\n %p = mul %o, %h\n %e = at %sofar, %t\n %pe = add %p, %e\n"
    "    %w1 = plate %q < %k -> stack {\n %wq = at %w, %q\n %wy = fma %wq, %h, %yt\n yield %wy\n }\n"
    "    yield %x1, [%t] %x, [%kk] %x1, %pe, %x1, %w1, %w, %p\n  }\n"
    "  return %c, %in, %ke, %st, %s, %v, %vs, %m\n}\n",
    "func @f(%y: real[N] data, %x0: real uncon, %v0: real[K] uncon) -> (real, real[N], real, real[N, K], real[K]) {\n"
    "  %n = size N\n %k = size K\n %h = real 0.5\n"
    "  %c, %st, %s, %ss, %sv = scan %t < %n down -> carry %x = %x0, stack, sum, stack, sum {\n"
    "    %yt = at %y, %t\n %x1 = fma %x, %h, %yt\n"
    "    %w1 = plate %q < %k -> stack {\n %wq = at %v0, %q\n %wy = fma %wq, %h, %yt\n yield %wy\n }\n"
    "    yield %x1, %x, %x1, %w1, %w1\n  }\n  return %c, %st, %s, %ss, %sv\n}\n",
    /* states that change places */
    "func @f(%y: real[N] data, %a0: real[K] uncon, %b0: real[K] uncon, %p0: real uncon, %q0: real uncon) -> (real[K], real[K], real, real, real[K, K]) {\n"
    "  %n = size N\n %z = new real[K, K]\n %k = size K\n %zero = int 0\n %h = real 0.75\n"
    "  %a1, %b1, %p1, %q1 = scan %t < %n -> carry %a = %a0, carry %b = %b0, carry %p = %p0, carry %q = %q0 {\n"
    "    %yt = at %y, %t\n %pq = mul %p, %h\n %bb = put %b, [%zero], %yt\n yield %bb, %a, %q, %pq\n  }\n"
    "  %m = scan %t < %k -> into %s = %z {\n %row = at %s, %t, :\n %first = at %s, :, %zero\n yield [%t, :] %a1\n  }\n"
    "  return %a1, %b1, %p1, %q1, %m\n}\n",
    /* the body of a plate on lanes with scans, plates over lane arrays, put, if on what lanes share */
    "func @f(%y: real[N] data, %v0: real[K] uncon, %c: int[N] data, %flag: bool latent) -> (real, real[N, K], real[K], real[N], real[J]) {\n"
    "  %n = size N\n %k = size K\n %h = real 0.5\n %zero = int 0\n %one = int 1\n %g = new real[J]\n %two = int 2\n"
    "  %s, %st, %v, %e, %ke = plate %i < %n -> sum, stack, sum, stack, keyed = %g {\n"
    "    %yi = at %y, %i\n %ci = at %c, %i\n %z = new real[K]\n %zz = new real[K, 2]\n %kg = new real[K]\n"
    "    %last, %seq, %par, %tot, %acc = scan %t < %k -> carry %x = %yi, into %so = %z, into %rr = %zz, sum, keyed %kk = %kg {\n"
    "      %vt = at %v0, %t\n %x1 = fma %x, %h, %vt\n %d = at %so, %t\n %x2 = add %x1, %d\n %rw = at %rr, %t, :\n"
    "      %two.v = plate %q < %two -> stack {\n %r1 = at %rw, %q\n %r2 = add %r1, %x2\n yield %r2\n }\n"
    "      %old = at %kk, %zero\n %mix = fma %old, %h, %x2\n"
    "      yield %x2, [%t] %x, [%t, :] %two.v, %x2, [%zero] %mix\n    }\n"
    "    %cz = imod %ci, %k\n %pick = at %seq, %cz\n %put = put %seq, [%cz], %last\n %pz = put %z, [%cz], %yi\n"
    "    %br, %ba = if %flag {\n %u = mul %pick, %h\n yield %u, %put\n } else {\n %u = exp %yi\n yield %u, %pz\n }\n"
    "    %f = plate %q < %k -> sum {\n %a = at %ba, %q\n %b = at %par, %q, %one\n %ab = mul %a, %b\n %abc = fma %ab, %tot, %br\n yield %abc\n }\n"
    "    %mx = plate %q < %k -> max {\n %a = at %put, %q\n yield %a\n }\n"
    "    %fm = add %f, %mx\n yield %fm, %ba, %put, %br, [%ci] %pick\n  }\n  return %s, %st, %v, %e, %ke\n}\n",
    /* an if that varies: one iteration at a time */
    "func @f(%y: real[N] data, %b: real uncon) -> (real, real[N], real[J]) {\n"
    "  %n = size N\n %z = new real[J]\n %j = size J\n"
    "  %s, %st, %ke = plate %i < %n -> sum, stack, keyed = %z {\n"
    "    %yi = at %y, %i\n %c = lt %yi, %b\n %v, %w = if %c {\n %u = exp %yi\n yield %u, %b\n } else {\n %u = mul %yi, %yi\n yield %u, %u\n }\n"
    "    %k = imod %i, %j\n yield %v, %w, [%k] %v\n  }\n  return %s, %st, %ke\n}\n",
    /* extents that vary: the lists of an inverse */
    "func @f(%c: int[N] data, %y: real[N] data) -> (real[J], int[J + 1], int[N], real) {\n"
    "  %j = size J\n %p = inv_ptr %c, %j\n %l = inv_list %c, %j\n %one = int 1\n"
    "  %st, %t = plate %b < %j -> stack, sum {\n"
    "    %lo = at %p, %b\n %b1 = add %b, %one\n %hi = at %p, %b1\n %n = sub %hi, %lo\n"
    "    %s = plate %i < %n -> sum {\n %q = add %lo, %i\n %e = at %l, %q\n %v = at %y, %e\n %vv = mul %v, %v\n yield %vv\n }\n"
    "    yield %s, %s\n  }\n  return %st, %p, %l, %t\n}\n",
    /* guards */
    "func @f(%y: real[N] data, %s: real uncon) -> (real, real[N], real) {\n"
    "  %n = size N\n %z = real 0.0\n %ok = lt %z, %s\n %gs = guard %ok, %s\n"
    "  %t, %st = plate %i < %n -> max, stack {\n %v = at %y, %i\n %p = lt %z, %v\n %g = guard %p, %v\n %h = guard %ok, %v\n %gh = guard %p, %s\n %m = max %g, %h\n yield %m, %gh\n }\n"
    "  return %t, %st, %gs\n}\n",
    /* draws */
    "func @f(%k: key key, %y: real[N] data, %w: real[N, K] data, %c: int[N] data) -> (real[N], real[N], real[N], real[N], real[N], int[N], int[N], int[N], int[N], key[N], real, int) {\n"
    "  %n = size N\n %kk = size K\n %one = real 1.5\n %zero = int 0\n %h = real 0.25\n %m = real 40.0\n %u1 = plate %i < %kk -> stack {\n %x = at %w, %zero, %i\n %x2 = mul %x, %x\n yield %x2\n }\n"
    "  %u, %z, %e, %g, %lg, %p, %b, %cat, %cat2, %ks = plate %i < %n -> stack, stack, stack, stack, stack, stack, stack, stack, stack, stack {\n"
    "    %yi = at %y, %i\n %a = abs %yi\n %sh = add %a, %h\n %f = fold %k, %i\n %rate = mul %sh, %m\n %ci = at %c, %i\n"
    "    %w2 = plate %j < %kk -> stack {\n %x = at %w, %i, %j\n %x2 = mul %x, %x\n yield %x2\n }\n"
    "    %u = draw.uniform 1, %k, %i\n %z = draw.normal 2, %f, %i\n %e = draw.exponential 3, %f, %zero\n %g = draw.gamma 4, %k, %i, %sh\n"
    "    %lg = draw.log_gamma 5, %k, %i, %h\n %p = draw.poisson 6, %k, %i, %rate\n %b = draw.binomial 7, %k, %i, %ci, %h\n"
    "    %cat = draw.categorical 8, %k, %i, %w2\n %cat2 = draw.categorical 9, %k, %i, %u1\n"
    "    yield %u, %z, %e, %g, %lg, %p, %b, %cat, %cat2, %f\n  }\n"
    "  %top = draw.gamma 11, %k, %zero, %one\n %five = int 5\n %bin = draw.binomial 12, %k, %zero, %five, %h\n"
    "  return %u, %z, %e, %g, %lg, %p, %b, %cat, %cat2, %ks, %top, %bin\n}\n",
    /* dense operations */
    "func @f(%a: real[K, N] data, %b: real[N, K] data, %x: real[N] uncon, %y: real[K] uncon) -> (real[K, K], real[K, K], real[N, N], real[K], real[K], real[N], real, real[K, N], real[K, K], real[K], real[K, K], real[K]) {\n"
    "  %k = size K\n %n = size N\n %ab = matmul %a, %b\n %aa = matmul %a, %a'\n %ata = matmul %a', %b'\n %ax = matmul %a, %x\n %bx = matmul %b', %x\n %ya = matmul %y, %a\n"
    "  %xx = matmul %x, %x\n %yx = matmul %y, %x'\n %c = real 3.0\n"
    "  %spd = plate %i < %k, %j < %k -> stack {\n %v = at %aa, %i, %j\n %eq = eq %i, %j\n %z = real 0.0\n %d = select %eq, %c, %z\n %r = add %v, %d\n yield %r\n }\n"
    "  %l = cholesky %spd\n %s = trisolve %l, %y\n %sm = trisolve %l', %aa\n %bad = cholesky %ab\n %s2 = trisolve %l', %s\n"
    "  return %ab, %aa, %ata, %ax, %bx, %ya, %xx, %yx, %l, %s, %sm, %s2\n}\n",
    /* products inside a plate: rows, lane matrices */
    "func @f(%x: real[N, K] data, %t: real[N, K, 2] data, %b: real[K] uncon, %m: real[K, 3] data) -> (real[N], real, real[N, 3], real[N, 2], real[N], real[N, 2, 3], real[N, K, 3]) {\n"
    "  %n = size N\n %k = size K\n"
    "  %d, %s, %v, %w, %q, %mm, %ou = plate %i < %n -> stack, sum, stack, stack, stack, stack, stack {\n"
    "    %row = at %x, %i, :\n %dot = matmul %b, %row\n %v = matmul %row, %m\n %ti = at %t, %i, :, :\n %tb = matmul %ti', %b\n %tr = matmul %row, %row\n"
    "    %tm = matmul %ti', %m\n %ov = matmul %row, %v'\n yield %dot, %dot, %v, %tb, %tr, %tm, %ov\n  }\n  return %d, %s, %v, %w, %q, %mm, %ou\n}\n",
    /* a factor for each iteration: not on lanes, its parts are */
    "func @f(%s: real[J] uncon, %x: real[K] data) -> (real, real[J]) {\n"
    "  %j = size J\n %k = size K\n %one = real 1.0\n"
    "  %lp, %st = plate %i < %j -> sum, stack {\n %si = at %s, %i\n %s2 = fma %si, %si, %one\n"
    "    %a = plate %p < %k, %q < %k -> stack {\n %u = at %x, %p\n %v = at %x, %q\n %uv = mul %u, %v\n %e = eq %p, %q\n %z = real 0.0\n %d = select %e, %s2, %z\n %r = add %uv, %d\n yield %r\n }\n"
    "    %l = cholesky %a\n %r = trisolve %l, %x\n %q = matmul %r, %r\n yield %q, %q\n  }\n  return %lp, %st\n}\n",
    /* integers */
    "func @f(%c: int[N] data, %d: int[N] data) -> (int, int, int, int[N], int[J], int[J], int[N], real) {\n"
    "  %n = size N\n %j = size J\n %g = new int[J]\n %two = int 2\n"
    "  %s, %hi, %lo = plate %i < %n -> sum, max, min {\n %a = at %c, %i\n %b = at %d, %i\n %ab = mul %a, %b\n yield %ab, %a, %ab\n }\n"
    "  %st, %ke = plate %i < %n -> stack, keyed = %g {\n %a = at %c, %i\n %b = at %d, %i\n %ab = sub %a, %b\n yield %ab, [%b] %a\n }\n"
    "  %as = plate %i < %n -> sum {\n %a = at %c, %i\n %v = plate %q < %j -> stack {\n %aq = mul %a, %q\n yield %aq\n }\n yield %v\n }\n"
    "  %st2, %fs = plate %i < %n -> stack, sum {\n %a = at %c, %i\n %t = plate %q < %j -> sum {\n %aq = mul %a, %q\n yield %aq\n }\n %tr = to_real %t\n %mx = plate %q < %j -> max {\n %aq = imod %a, %two\n %r = add %aq, %q\n yield %r\n }\n %tm = add %t, %mx\n yield %tm, %tr\n }\n"
    "  return %s, %hi, %lo, %st, %ke, %as, %st2, %fs\n}\n",
    /* the same array as a start twice, and a start that is still read */
    "func @f(%y: real[N] data, %c: int[N] data, %g: real[J] uncon) -> (real[J], real[J], real[J], real[J]) {\n"
    "  %n = size N\n %z = new real[J]\n %p = plate %i < %n -> keyed = %z {\n %v = at %y, %i\n %k = at %c, %i\n yield [%k] %v\n }\n"
    "  %q, %r = plate %i < %n -> keyed = %p, keyed = %p {\n %v = at %y, %i\n %k = at %c, %i\n yield [%k] %v, [%k] %v\n }\n"
    "  %s = plate %i < %n -> keyed = %q {\n %k = at %c, %i\n %v = at %q, %k\n yield [%k] %v\n }\n"
    "  %t = plate %i < %n -> keyed = %g {\n %k = at %c, %i\n %v = at %g, %k\n yield [%k] %v\n }\n"
    "  return %q, %r, %s, %t\n}\n",
    /* long inner sums, on lanes and not */
    "func @f(%y: real[N] data, %x: real[5] uncon) -> (real[5], real[2], real) {\n"
    "  %n = size N\n %five = int 5\n %two = int 2\n"
    "  %a = plate %i < %five -> stack {\n %v = at %x, %i\n %s = plate %j < %n -> sum {\n %u = at %y, %j\n %uv = mul %u, %v\n yield %uv\n }\n yield %s\n }\n"
    "  %b = scan %j < %n -> sum {\n %u = at %y, %j\n %r = plate %i < %two -> stack {\n %v = at %x, %i\n %uv = mul %u, %v\n yield %uv\n }\n yield %r\n }\n"
    "  %c = scan %j < %n -> sum {\n %u = at %y, %j\n yield %u\n }\n"
    "  return %a, %b, %c\n}\n",
    /* extremes of zeros of both signs, and of arrays */
    "func @f(%y: real[N] data, %x: real[N, K] data, %h: real uncon) -> (real, real, real[K], real[K], real, real[N]) {\n"
    "  %n = size N\n %k = size K\n %z = real 0.0\n %nan = real nan\n"
    "  %a, %b, %c, %d = plate %i < %n -> max, min, max, min {\n %v = at %y, %i\n %zv = mul %v, %z\n %p = max %zv, %z\n %av = abs %v\n"
    "    %w = plate %q < %k -> stack {\n %u = at %x, %i, %q\n %uz = mul %u, %z\n yield %uz\n }\n %m = mul %av, %z\n %mm = sub %z, %m\n yield %zv, %mm, %w, %w\n  }\n"
    "  %e, %f = plate %i < %n -> max, stack {\n %v = at %y, %i\n %c1 = lt %h, %v\n %s = select %c1, %v, %nan\n"
    "    %g = plate %q < %k -> min {\n %u = at %x, %i, %q\n %us = mul %u, %s\n yield %us\n }\n yield %s, %g\n  }\n"
    "  return %a, %b, %c, %d, %e, %f\n}\n",
    /* sums of arrays without elements, next to others */
    "func @f(%x: real[N, K] data, %z: real[N, 0] data, %v: real[K] uncon) -> (real[N, 0], real[0], real[N], real[0]) {\n"
    "  %n = size N\n %k = size K\n %nz = new real[0]\n"
    "  %a, %b, %c = plate %i < %n -> stack, sum, stack {\n %row = at %z, %i, :\n"
    "    %s, %t, %m = plate %q < %k -> sum, sum, max {\n %u = at %x, %i, %q\n yield %row, %u, %nz\n }\n yield %s, %row, %t\n  }\n"
    "  return %a, %b, %c, %b\n}\n",
    /* extents known only at the call; negative ones count as none, those of sizes among them */
    "func @f(%y: real[N] data, %e: int index) -> (real, real, real, real, real, real, real[5], real[5]) {\n"
    "  %n = size N\n %m = imod %e, %n\n %neg = neg %m\n %two = int 2\n %less = size N - 300\n %g0 = new real[5]\n"
    "  %a, %x = plate %i < %m -> sum, max {\n %v = at %y, %i\n %w = exp %v\n yield %w, %w\n }\n"
    "  %b = plate %i < %neg -> sum {\n yield %a\n }\n"
    "  %c = plate %j < %two, %i < %m -> sum {\n %v = at %y, %i\n yield %v\n }\n"
    "  %l, %u = plate %i < %less -> sum, max {\n %v = at %y, %i\n %w = exp %v\n yield %w, %v\n }\n"
    "  %five = int 5\n %none = sub %m, %m\n"
    "  %g = plate %i < %m, %q < %five -> keyed = %g0 {\n %v = at %y, %i\n yield [%q] %v\n }\n"
    "  %h = plate %i < %none, %q < %five -> keyed = %g {\n %v = at %y, %i\n yield [%q] %v\n }\n"
    "  return %a, %x, %b, %c, %l, %u, %g, %h\n}\n",
    /* rows added to a triangular factor: more than are taken at a time, none, a rank below the number of columns, one factor after another */
    "func @f(%a: real[N, K] data, %b: real[K, N] data, %x: real[N, 1] data, %y: real[N, 11] data) -> (real[K, K], real[N, N], real[1, 1], real[K, K], real[K, K], real[11, 11]) {\n"
    "  %zk = new real[K, K]\n %zn = new real[N, N]\n %z1 = new real[1, 1]\n %none = new real[0, K]\n %z11 = new real[11, 11]\n %three = int 3\n"
    "  %r = qr_r %zk, %a\n %q = qr_r %zn, %b\n %s = qr_r %z1, %x\n %t = qr_r %r, %none\n %y.r = qr_r %z11, %y\n"
    "  %u = scan %i < %three -> carry %so.far = %r {\n %more = qr_r %so.far, %a\n yield %more\n }\n"
    "  return %r, %q, %s, %t, %u, %y.r\n}\n",
    /* a regression over two matrices, by columns and by rows, with a check of what the products are */
    "func @f(%x: real[K, N + 1] data, %z: real[N, K] data, %b: real[K] uncon, %y: real[N] data, %hi: real uncon) -> (real, real, real[K], real[K], real[N]) {\n"
    "  %n = size N\n %k = size K\n %one = int 1\n"
    "  %s, %t, %g, %h, %e = plate %i < %n -> sum, sum, sum, sum, stack {\n"
    "    %i1 = add %i, %one\n %row = at %x, :, %i1\n %d = matmul %row, %b\n %zr = at %z, %i, :\n %c = matmul %b, %zr\n"
    "    %yi = at %y, %i\n %r = sub %yi, %d\n %q = mul %d, %c\n %ok = lt %hi, %d\n %gd = guard %ok, %q\n"
    "    %p = plate %j < %k -> stack {\n %a = at %row, %j\n %ra = mul %r, %a\n yield %ra\n }\n"
    "    %pq = plate %j < %k -> stack {\n %a = at %x, %j, %i\n %qa = mul %a, %q\n yield %qa\n }\n"
    "    yield %q, %gd, %p, %pq, %c\n  }\n  return %s, %t, %g, %h, %e\n}\n",
    /* outputs of a model: pairs below the diagonal left out by a condition, sums of zeros of either sign among them, and draws */
    "func @outputs(%s: int[N, K] data, %a: real[K, K] data, %m: real uncon, %key: key key) -> (real[N, 3], real[N]) {\n"
    "  %n = size N\n %k = size K\n %zero = real 0.0\n %none = real -0.0\n %z = new real[3]\n %i0 = int 0\n %i1 = int 1\n %i2 = int 2\n"
    "  %o = plate %q < %n -> stack {\n    %row = at %s, %q, :\n"
    "    %e, %f, %g = plate %i < %k -> sum, sum, sum {\n      %si = at %row, %i\n %ri = to_real %si\n"
    "      %e1, %f1, %g1 = plate %j < %k -> sum, sum, sum {\n        %c = lt %i, %j\n"
    "        %v = if %c {\n %x = at %a, %i, %j\n %sj = at %row, %j\n %rj = to_real %sj\n %p = mul %ri, %rj\n %t = mul %x, %p\n yield %t\n } else {\n yield %zero\n }\n"
    "        %y = at %a, %j, %i\n %w = lt %y, %m\n %cw = and %c, %w\n %u = if %cw {\n yield %none\n } else {\n yield %zero\n }\n"
    "        %cv = or %w, %c\n %h = select %cv, %none, %y\n        yield %v, %u, %h\n      }\n      yield %e1, %f1, %g1\n    }\n"
    "    %p0 = put %z, [%i0], %e\n %p1 = put %p0, [%i1], %f\n %p2 = put %p1, [%i2], %g\n    yield %p2\n  }\n"
    "  %d = plate %q < %n -> stack {\n %x = draw.normal 3, %key, %q\n %u = draw.uniform 4, %key, %q\n %v = draw.exponential 5, %key, %q\n %y = fma %x, %m, %u\n %w = mul %y, %v\n yield %w\n }\n"
    "  return %o, %d\n}\n",
    /* slices into columns of matrices with any number of columns: of a plate, where keys repeat, of a scan */
    "func @f(%x: real[N, K] data) -> (real[K, N], real[K, N], real[K, N]) {\n"
    "  %n = size N\n %k = size K\n %two = int 2\n %z = new real[K, N]\n"
    "  %a, %b = plate %i < %n -> into = %z, keyed = %z {\n"
    "    %row = at %x, %i, :\n %h = idiv %i, %two\n"
    "    %p = plate %j < %k -> stack {\n %v = at %row, %j\n %w = mul %v, %v\n yield %w\n }\n"
    "    yield [:, %i] %p, [:, %h] %p\n  }\n"
    "  %c = scan %t < %n -> into %so.far = %z {\n"
    "    %p = plate %j < %k -> stack {\n %v = at %x, %t, %j\n %w = mul %v, %v\n yield %w\n }\n    yield [:, %t] %p\n  }\n"
    "  return %a, %b, %c\n}\n",
    /* a regression over as many rows as a number that is computed says, at positions with many terms */
    "func @f(%x: real[K, N + 1] data, %b: real[K] uncon) -> (real, real[K], real[K]) {\n"
    "  %n = size N\n %k = size K\n %twenty = int 20\n %m = min %n, %twenty\n %z = sub %n, %n\n %one = int 1\n"
    "  %s, %g, %h = plate %i < %m -> sum, sum, sum {\n"
    "    %i1 = add %one, %i\n %i2 = add %z, %i1\n %i3 = sub %i2, %z\n %row = at %x, :, %i3\n %d = matmul %row, %b\n %e = exp %d\n"
    "    %p = plate %j < %k -> stack {\n %a = at %row, %j\n %ra = mul %e, %a\n yield %ra\n }\n"
    "    %q = plate %j < %k -> stack {\n %a = at %x, %j, %i\n %ra = mul %d, %a\n yield %ra\n }\n"
    "    yield %e, %p, %q\n  }\n  return %s, %g, %h\n}\n",
};

/* Where each program costs a compilation. */
static bool few_extents;

static void test_programs(void **state) {
  (void)state;
  static const int64_t all[] = {0, 1, 2, 3, 4, 31, 32, 33, 255, 256, 257, 4095, 4096, 4097}, some[] = {0, 3, 33, 257, 4097};
  const int64_t *extents = few_extents ? some : all;
  static const int64_t widths[] = {0, 1, 3, 34, 65};
  for (size_t p = 0; p < sizeof programs / sizeof *programs; p++)
    for (size_t n = 0; n < (few_extents ? sizeof some : sizeof all) / sizeof *all; n++)
      for (size_t k = 0; k < sizeof widths / sizeof *widths; k++) {
        bool square = strstr(programs[p], "real[N, N]") != NULL, imod = strstr(programs[p], "imod %e") != NULL;
        bool tiles = strstr(programs[p], "real[N, K] data, %b: real[K]") && strstr(programs[p], "real[K, N + 1]"); /* at any width */
        if (extents[n] > 300 && (square || (widths[k] != 3 && !tiles))) continue;
        if (widths[k] == 65 && !strstr(programs[p], "real[K, N + 1]")) continue;
        if (widths[k] == 0 && !strstr(programs[p], "real[K, N + 1]")) continue;
        if (extents[n] == 0 && (imod || strstr(programs[p], "at %w, %zero"))) continue;
        world w;
        world_open(&w);
        bind(&w, "N", extents[n]);
        bind(&w, "K", widths[k]);
        bind(&w, "J", 5);
        parse(&w, programs[p]);
        invent(&w, imod ? 1 << 20 : 5);
        agree(&w);
        world_close(&w);
      }
}

/* By hand: a normal log density up to its constant, and a keyed sum in which order shows. */
static void test_values(void **state) {
  (void)state;
  world w;
  world_open(&w);
  bind(&w, "N", 3);
  parse(&w, "func @f(%y: real[N] data, %m: real uncon) -> (real, real[2]) {\n %n = size N\n %h = real -0.5\n %g = new real[2]\n %one = int 1\n"
            " %s, %k = plate %i < %n -> sum, keyed = %g {\n %v = at %y, %i\n %d = sub %v, %m\n %q = mul %d, %d\n yield %q, [%one] %v\n }\n"
            " %r = mul %h, %s\n return %r, %k\n}\n");
  w.in = ARENA_ARRAY(&w.mem, ref_array, 2);
  w.in[0] = ref_reals(&w.mem, 3, (double[]){1e300, -1e300, 3.0});
  w.in[1] = ref_reals(&w.mem, 1, (double[]){1.0});
  machine m;
  assert_int_equal(machine_open(&w, &m, 0, 1, NULL), EXEC_OK);
  assert_int_equal(engine.call(m.worker, m.fn, 1, m.in, m.out, NULL), EXEC_OK);
  assert_true(m.out[0].p[0].real == -__builtin_inf());
  assert_true(m.out[1].p[0].real == 0.0 && m.out[1].p[1].real == 3.0);
  machine_close(&m);
  world_close(&w);
}

/* ---- the contract beyond values */

static const char *const hierarchical =
    "func @prepare(%y: real[N] data, %c: int[N] data) -> (real, real[N], int) {\n"
    "  %n = size N\n %j = size J\n %s, %q = plate %i < %n -> sum, stack {\n %v = at %y, %i\n %w = mul %v, %v\n yield %w, %w\n }\n %nj = mul %n, %j\n return %s, %q, %nj\n}\n"
    "func @f(%frame.3: int frame, %c: int[N] data, %y: real[N] data, %frame.2: real[N] frame, %al: real[J] latent, %frame.1: real frame, %tau: real latent) -> (real, real[J]) {\n"
    "  %n = size N\n %j = size J\n %g0 = new real[J]\n %z = real 0.0\n %ok = lt %z, %tau\n %lt = log %tau\n %lg = guard %ok, %lt\n %nr = to_real %frame.3\n"
    "  %lp, %g = plate %i < %n -> sum, keyed = %g0 {\n %k = at %c, %i\n %kb = bound %k, %j\n %a = at %al, %kb\n %v = at %frame.2, %i\n %u = at %y, %i\n %d = sub %v, %a\n %du = mul %d, %u\n yield %du, [%kb] %d\n }\n"
    "  %l2 = add %lp, %frame.1\n %l3 = add %l2, %lg\n %l4 = add %l3, %nr\n return %l4, %g\n}\n";

typedef struct pair {
  exec_cell y[10], c[10], al[4], tau[1], lp[1], g[4];
  exec_data data[2];
  exec_arg in[2], out[2];
} pair;

static void pair_fill(pair *p) {
  for (int i = 0; i < 10; i++) p->y[i].real = 0.25 * i - 1.0, p->c[i].integer = i % 4;
  for (int j = 0; j < 4; j++) p->al[j].real = 0.5 * j;
  p->tau[0].real = 2.0;
  p->data[0] = (exec_data){"y", p->y};
  p->data[1] = (exec_data){"c", p->c};
  p->in[0] = (exec_arg){p->al, 1};
  p->in[1] = (exec_arg){p->tau, 1};
  p->out[0] = (exec_arg){p->lp, 1};
  p->out[1] = (exec_arg){p->g, 1};
}

static void pair_open(world *w) {
  world_open(w);
  bind(w, "N", 10);
  bind(w, "J", 4);
  parse(w, hierarchical);
}

static void test_frame(void **state) {
  (void)state;
  world w;
  pair_open(&w);
  pair p;
  pair_fill(&p);
  exec_program *program;
  const char *message;
  assert_int_equal(engine.load(w.m, 2, p.data, &(exec_options){.user = engine.user}, &w.alloc, &program, &message), EXEC_OK);
  exec_worker *worker = engine.worker_new(program);
  assert_non_null(worker);
  assert_int_equal(engine.find(program, "g"), -1);
  int f = engine.find(program, "f");
  exec_report r;
  assert_int_equal(engine.call(worker, f, 1, p.in, p.out, &r), EXEC_OK);
  /* Small dyadic numbers: sums are exact in any order. */
  double s = 0, lp = 0, g[4] = {0};
  for (int i = 0; i < 10; i++) {
    double y = p.y[i].real, d = y * y - p.al[i % 4].real;
    s += y * y, lp += d * y, g[i % 4] += d;
  }
  exec_cell want = {.real = 0}, two = {.real = 2.0};
  rt_kernels_for(0)->un[RT_LOG](&want.real, &two.real, 1);
  assert_true(p.lp[0].real == lp + s + want.real + 40.0);
  for (int j = 0; j < 4; j++) assert_true(p.g[j].real == g[j]);
  assert_int_equal(r.guards, 0);

  p.tau[0].real = -1.0;
  assert_int_equal(engine.call(worker, f, 1, p.in, p.out, &r), EXEC_OK);
  assert_true(p.lp[0].real == -__builtin_inf());
  assert_int_equal(r.guards, 1);

  p.c[7].integer = 4; /* the data is read in place */
  assert_int_equal(engine.call(worker, f, 1, p.in, p.out, &r), EXEC_BOUND);
  assert_int_equal(r.index, 4);
  assert_int_equal(r.extent, 4);
  p.c[7].integer = 3;

  /* No call allocates; two workers do not know each other. */
  long before = w.heap.calls;
  exec_worker *other = engine.worker_new(program);
  assert_int_equal(w.heap.calls, before + 1);
  for (int k = 0; k < 100; k++) {
    p.al[0].real = 0.125 * k;
    assert_int_equal(engine.call(k % 2 ? worker : other, f, 1, p.in, p.out, &r), EXEC_OK);
    engine.find_nan(other, f, p.in, &r);
  }
  assert_int_equal(w.heap.calls, before + 1);
  engine.worker_free(other);
  engine.worker_free(worker);
  engine.unload(program);
  world_close(&w);
}

/* The n-th allocation fails, for every n: a status, and nothing left behind. */
static void test_memory(void **state) {
  (void)state;
  world w;
  pair_open(&w);
  pair p;
  pair_fill(&p);
  heap h = {0};
  aim_alloc alloc = {heap_fn, &h};
  int failed = 0;
  for (long n = 1;; n++, failed++) {
    h = (heap){.fail_at = n};
    exec_program *program;
    const char *message;
    exec_status s = engine.load(w.m, 2, p.data, &(exec_options){.user = engine.user}, &alloc, &program, &message);
    exec_worker *worker = s == EXEC_OK ? engine.worker_new(program) : NULL;
    if (s == EXEC_OK && worker) {
      assert_int_equal(engine.call(worker, engine.find(program, "f"), 1, p.in, p.out, NULL), EXEC_OK);
      engine.worker_free(worker);
      engine.unload(program);
      assert_int_equal(h.live, 0);
      break;
    }
    if (s == EXEC_OK) engine.unload(program);
    else assert_int_equal(s, EXEC_MEMORY);
    assert_int_equal(h.live, 0);
  }
  assert_true(failed > 4);
  world_close(&w);
}

#endif
