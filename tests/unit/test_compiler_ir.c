/* test_compiler_ir.c: texts of the IR print and parse back; every rule that a text or a program can break has its message. */
#include "compiler/ir.h"
#include "compiler/ir_cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/golden.h"
#include "tests/plain_heap.h"

#include <stdlib.h>
#include <string.h>

static arena mem;

static int setup(void **state) {
  (void)state;
  arena_init(&mem, &plain_heap, 0);
  return ARENA_TRY(&mem) ? -1 : 0;
}

static int teardown(void **state) {
  (void)state;
  arena_free(&mem);
  return 0;
}

static const char *print(const ir_module *m) {
  strbuf out;
  strbuf_init(&out, &mem);
  ir_print(m, &out);
  return out.s;
}

/* NULL, or what the parser or the verifier has against a text. */
static const char *fault_of(const char *text, ir_module **out) {
  ir_module *m = ir_module_new(&mem);
  const char *error;
  if (!ir_parse(m, text, strlen(text), &error)) return error;
  for (uint32_t k = 0; k < m->nfns; k++) {
    error = ir_verify(m->fn[k]);
    if (error) return error;
  }
  if (out) *out = m;
  return NULL;
}

static void test_goldens(void **state) {
  (void)state;
  size_t n, seen = 0;
  char path[300], **names = golden_list("tests/ir", ".ir", &n);
  for (size_t k = 0; k < n; k++) {
    ir_module *m, *again;
    size_t len;
    snprintf(path, sizeof path, "tests/ir/%s", names[k]);
    char *text = golden_read(path, &len);
    assert_non_null(text);
    const char *fault = fault_of(text, &m);
    if (fault) fail_msg("%s: %s", names[k], fault);
    const char *first = print(m);
    assert_null(fault_of(first, &again));
    assert_string_equal(first, print(again));
    if (!strchr(names[k], '_')) { /* those belong to a pass or a derivation, whose tests compare what comes out */
      seen++;
      if (!golden_equal(golden_path(path, sizeof path, "tests/ir", names[k], ".expected"), first)) fail_msg("%s", names[k]);
    }
    free(text);
  }
  golden_list_free(names, n);
  assert_true(seen >= 4);
}

typedef struct broken {
  const char *body, *message;
} broken;

/* Bodies of a function with the parameters below. */
static const char head[] =
    "func @callee(%x: real, %v: real[n]) -> (real, real[n]) { return %x, %v }\n"
    "func @f(%x: real, %n: int, %b: bool, %k: key, %v: real[N], %w: real[P], %M: real[N, N], %R: real[N, P], %q: int[N]) {\n";

static const broken bodies[] = {
    /* text */
    {"%a = frobnicate %x", "no operation `frobnicate`"},
    {"%a = add %x, %y", "%y is not defined here"},
    {"%x = real 1.0", "%x is defined already"},
    {"%a = real 1", "expected a real"},
    {"%a = real 1e999", "out of range"},
    {"%a = real 0x1p3", "expected a real"},
    {"%a = int 9223372036854775808", "does not fit 64 bits"},
    {"%a = int x", "expected an integer"},
    {"%a = bool maybe", "expected `false`"},
    {"%a = size", "expected a size"},
    {"%a = size 4 // 0", "expected a size"},
    {"%a = new real[1, 2, 3, 4, 5, 6, 7]", "more than six axes"},
    {"%a = new float[3]", "`float` is no element type"},
    {"%a, %b2 = exp %x", "has 1 results here, not 2"},
    {"exp %x", "has 1 results here, not 0"},
    {"%a = exp %x, %x", "`exp` has 1 operands"},
    {"%a = fma %x, %x", "`fma` has 3 operands"},
    {"%a = draw.normal 1, %k", "a key and an index"},
    {"%a = plate %i < %n -> sum { %c = exp %x }", "expected `yield`"},
    {"%a = plate %i < %n -> sum { yield %x, %x }", "expected `}`"},
    {"%a = plate %i < %n -> total { yield %x }", "`total` is no mode"},
    {"%a = plate %i < %n -> keyed { yield %x }", "expected `=`"},
    {"%a = plate %i < %n -> carry %s = %x { yield %x }", "expected `=`"},
    {"%a = scan %i < %n -> carry = %x { yield %x }", "expected `%`"},
    {"%a = plate %i < %n -> into = %v { yield %x }", "expected `[`"},
    {"%a = if %b { yield %x } else { }", "different numbers of values"},
    {"%a = if %b { yield %x }", "expected `else`"},
    {"plate %i < %n { %z = exp %x } %c = exp %z", "%z is not defined here"},
    {"plate %i < %n { } %c = add %i, %n", "%i is not defined here"},
    {"%a = call @nobody(%x)", "no function @nobody"},
    {"observe y %x ~ @N()", "no site y"},
    {"return %x", "returns 1 values, its head says 0"},
    {"%a = at %v, %n, %n, %n, %n, %n, %n, %n", "more than six entries"},
    {"track nolabel %x", "expected `\"`"},
    {"track \"a\\q\" %x", "unknown escape"},
    {"track \"a", "without its closing quote"},
    /* operand types */
    {"%a = exp %n", "operand 1 is int, not a real"},
    {"%a = add %x, %n", "operand 2 is int, not real"},
    {"%a = add %b, %b", "operand 1 is bool, not a real or an int"},
    {"%a = idiv %x, %x", "operand 1 is real, not an int"},
    {"%a = add %v, %v", "operand 1 is real[N], not a real or an int"},
    {"%a = select %n, %x, %x", "operand 1 is int, not a bool"},
    {"%a = select %b, %x, %n", "operand 3 is int, not real"},
    {"%a = fold %n, %n", "operand 1 is int, not a key"},
    {"%a = guard %x, %x", "operand 1 is real, not a bool"},
    {"%a = eq %v, %v", "operand 1 is real[N], not a scalar"},
    /* arrays */
    {"%a = at %x, %n", "an element of what is no array"},
    {"%a = at %M, %n", "a position of 1 entries in an array of rank 2"},
    {"%a = at %v, %x", "an entry of the position is real, not int"},
    {"%a = at %v, %q", "an entry of the position is int[N], not int"},
    {"%a = put %v, [%n], %n", "operand 2 is int, not real"},
    {"%a = put %M, [%n, :], %w", "operand 2 is real[P], not real[N]"},
    {"%a = put %x, [], %x", "an element of what is no array"},
    {"%a = new real", "a new array without axes"},
    {"%a = matmul %x, %v", "operand 1 is real, not a vector or matrix"},
    {"%a = matmul %R, %v", "the shapes real[N, P] and real[N] do not go together"},
    {"%a = matmul %R', %w", "do not go together"},
    {"%a = matmul %q, %v", "operand 1 is int[N]"},
    {"%a = cholesky %R", "operand 1 is real[N, P], which is not square"},
    {"%a = cholesky %v", "operand 1 is real[N], not a matrix of reals"},
    {"%a = chol_adj %M, %R", "operand 2 is real[N, P], not real[N, N]"},
    {"%a = trisolve %M, %w", "do not go together"},
    {"%a = qr_r %R, %M", "operand 1 is real[N, P], which is not square"},
    {"%a = qr_r %M, %v", "operand 2 is real[N], not a matrix of reals"},
    {"%a = qr_r %M, %R", "the shapes real[N, N] and real[N, P] do not go together"},
    {"%a = inv_ptr %v, %n", "not a list of ints"},
    {"%a = inv_ptr %q, %n", "neither a literal nor a size"},
    {"%c = int 3 %a = inv_list %M, %c", "not a list of ints"},
    /* draws */
    {"%a = draw.normal 1, %n, %n", "operand 1 is int, not key"},
    {"%a = draw.normal 1, %k, %x", "operand 2 is real, not int"},
    {"%a = draw.normal -1, %k, %n", "a negative site"},
    {"%a = draw.normal 1, %k, %n, %x", "3 operands where there should be 2"},
    {"%a = draw.gamma 1, %k, %n", "2 operands where there should be 3"},
    {"%a = draw.gamma 1, %k, %n, %n", "operand 3 is int, not real"},
    {"%a = draw.binomial 1, %k, %n, %x, %x", "operand 3 is real, not int"},
    {"%a = draw.categorical 1, %k, %n, %x", "not a list of weights"},
    /* loops */
    {"%a = plate %i < %x -> sum { yield %x }", "an extent is real, not int"},
    {"%a = scan %i < %n, %j < %n -> sum { yield %x }", "a scan over more than one axis"},
    {"%a = plate %i < %n down -> sum { yield %x }", "a plate that runs down"},
    {"%a = scan %i < %n while %c -> carry %s = %x { yield %s }", "%c is no state of this scan"},
    {"%a = scan %i < %n while %s -> carry %s = %x { yield %s }", "what a scan goes on by is real, not bool"},
    {"%t = bool true %a, %a2 = scan %i < %n while %s -> carry %s = %t, sum { yield %s, %x }", "may end early and reduces"},
    {"%t = bool true %a = scan %i < %n down while %s -> carry %s = %t { yield %s }", "no upward scan"},
    {"%t = bool true %o = int 1 %m = add %n, %o %a = scan %i < %m while %s -> carry %s = %t { yield %s }", "has no size"},
    {"%a = plate %i < %n -> carry = %x { yield %x }", "a plate that carries"},
    {"%a = plate %i < %n -> stack { yield %x }", "neither a literal nor a size"},
    {"%c = int 2 %a = plate %i < %c, %j < %c, %l < %c -> stack { %z = new real[1, 1, 1, 1] yield %z }", "a stack of more than six axes"},
    {"%a = plate %i < %n -> sum { yield %b }", "a sum of what is not a number"},
    {"%a = plate %i < %n -> max { yield %k }", "an extreme of what is not a number"},
    {"%a = plate %i < %n -> into = %v { yield [%i] %n }", "a placed value is int, not real"},
    {"%a = plate %i < %n -> into = %v { yield [%i, %i] %x }", "a position of 2 entries in an array of rank 1"},
    {"%a = plate %i < %n -> into = %v { yield [%x] %x }", "an entry of the position is real"},
    {"%a = plate %i < %n -> keyed = %v { yield [%i] %v }", "an added value is real[N], not real"},
    {"%a = plate %i < %n -> keyed = %v { yield [%q] %x }", "an added value is real, not real[N]"},
    {"%a = plate %i < %n -> keyed = %v { yield [%w] %w }", "a position that is not of ints"},
    {"%a = plate %i < %n -> keyed = %M { yield [%q, %i] %v }", "a position of scalars and arrays"},
    {"%p = new int[P] %a = plate %i < %n -> keyed = %M { yield [%q, %p] %v }", "an entry of the position is int[P], not int[N]"},
    {"%a = plate %i < %n -> keyed = %v { yield [%i, %i] %x }", "a position of 2 entries in an array of rank 1"},
    {"%a = scan %i < %n -> carry %c = %x { yield %n }", "a carried value is int, not real"},
    {"%a = scan %i < %n -> keyed %c = %b { yield [] %b }", "a sum of what is not a number"},
    {"%a = if %x { yield %x } else { yield %x }", "the condition is real, not bool"},
    {"%a = if %b { yield %x } else { yield %n }", "a yielded value is int, not real"},
    /* calls */
    {"%a, %c = call @callee(%x)", "1 operands where there should be 2"},
    {"%a, %c = call @callee(%n, %v)", "operand 1 is int, not real"},
    {"%a, %c = call @callee(%x, %M)", "operand 2 is real[N, N], not real[N]"},
    {"call @f(%x, %n, %b, %k, %v, %w, %M, %R, %q)", "a function that calls itself"},
    /* models */
    {"factor %x", "an operation of models outside a model"},
    {"track \"x\" %x", "an operation of models outside a model"},
    {"site s latent real real event 0", "sites outside a model"},
};

static const broken texts[] = {
    {"fun @f() { }", "line 1: expected func, model or dist"},
    {"\n\nfunc f() { }", "line 3: expected `@`"},
    {"func @f() { ", "without its closing brace"},
    {"func @f() { } func @f() { }", "a function @f already"},
    {"func @f(%x: real, %x: int) { }", "%x is defined already"},
    {"func @f(%x: real sometimes) { }", "`sometimes` is no role"},
    {"func @f(%x: real[]) { }", "expected a size"},
    {"func @f(%x: real) -> (int) { return %x }", "returns real where its head says int"},
    {"func @f(%x: real) -> (real[2]) { return %x }", "returns real where its head says real[2]"},
    {"func @f(%x: int key) { }", "the role key is int, not key"},
    {"func @f(%x: real index) { }", "the role index is real, not int"},
    {"func @f(%x: int uncon) { }", "an unconstrained parameter that is not real"},
    {"func @f(%x: real) -> (real) { %y = call @g(%x) return %y } func @g(%x: real) -> (real) { %y = call @f(%x) return %y }", "calls itself"},
    {"func @f(%x: real) { call @m(%x) } model @m(%x: real) { }", "a call of a model"},
    {"dist @D real event 3 params 0 { }", "such an event"},
    {"dist @D real event 0 params 0 { logpdf @nobody }", "no function @nobody"},
    {"dist @D round event 0 params 0 { }", "`round` is no support"},
    {"dist @D real event 0 params 0 { } dist @D real event 0 params 0 { }", "a distribution @D already"},
    {"model @m(%x: real latent) { }", "a parameter of a model that is not data"},
    {"model @m() { site s seen real real event 0 }", "`seen` is no role of a site"},
    {"model @m() { site s latent real real event 0 site s latent real real event 0 }", "a site s already"},
    {"model @m() { site s latent real real event 1 }", "whose event has more axes"},
    {"model @m() { site s latent real real event 0 %x = real 1.0 observe s %x ~ @D() }", "an observation of a site that is drawn"},
    {"model @m() { site s observed real real event 0 %x = sample s ~ @D() }", "a draw of a site that is observed"},
    {"model @m() { site s latent real[3] real event 0 %x = sample s ~ @D() }", "a place of 0 entries for a site with 1"},
    {"model @m() { site s latent real[3] real event 0 %i = real 1.0 %x = sample s[%i] ~ @D() }", "an entry of the place is real"},
    {"model @m() { site s latent real[3] simplex event 1 %i = int 1 %x = sample s[%i] ~ @D() }", "a place of 1 entries for a site with 0"},
    {"model @m() { site s latent real lower event 0 %i = int 1 %x = sample s in (%i, _) ~ @D() }", "a bound that is not"},
    {"model @m() { site s observed real real event 0 %i = int 1 observe s %i ~ @D() }", "the observed value is int, not real"},
    {"dist @D real event 0 params 2 { } model @m() { site s latent real real event 0 %x = sample s ~ @D() }", "0 operands where there should be 2"},
    {"model @m(%i: int) { factor %i }", "operand 1 is int, not real"},
};

static void expect_fault(const char *text, const char *message) {
  const char *fault = fault_of(text, NULL);
  if (!fault) fail_msg("accepted: %s", text);
  if (!strstr(fault, message)) fail_msg("%s\n  wanted: %s\n  in: %s", fault, message, text);
}

static void test_broken(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof bodies / sizeof *bodies; k++) {
    const char *text = arena_printf(&mem, "%s%s\n}", head, bodies[k].body);
    expect_fault(text, bodies[k].message);
  }
  for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) expect_fault(texts[k].body, texts[k].message);
}

static void test_depth(void **state) {
  (void)state;
  for (int depth = 63; depth <= 66; depth++) {
    strbuf text;
    strbuf_init(&text, &mem);
    strbuf_puts(&text, "func @f(%b: bool) {");
    for (int k = 0; k < depth; k++) strbuf_puts(&text, "if %b {");
    for (int k = 0; k < depth; k++) strbuf_puts(&text, "} else { }");
    strbuf_puts(&text, "}");
    if (depth <= IR_MAX_DEPTH) assert_null(fault_of(text.s, NULL));
    else expect_fault(text.s, "nested too deep");
  }
}

/* Faults that no text has: each is made in a good function, found, and taken back. */
static void test_corrupted(void **state) {
  (void)state;
  ir_module *m;
  assert_null(fault_of("func @f(%x: real, %b: bool) -> (real) {\n"
                       "  %n = int 3\n  %y = exp %x\n  %z = add %y, %x\n"
                       "  %s = scan %i < %n -> carry %c = %x { %d = add %c, %y yield %d }\n"
                       "  %u = if %b { %g = exp %s yield %g } else { yield %s }\n"
                       "  return %u\n}", &m));
  ir_fn *fn = m->fn[0];
  ir_op *n = fn->body.first, *y = n->next, *z = y->next, *scan = z->next, *branch = scan->next;
  ir_val d = scan->u.loop->body.first->res[0];
#define FAULT(change, undo, message)                      \
  do {                                                    \
    change;                                               \
    const char *fault = ir_verify(fn);                    \
    assert_non_null(fault);                               \
    if (!strstr(fault, message)) fail_msg("%s", fault);   \
    undo;                                                 \
    assert_null(ir_verify(fn));                           \
  } while (0)
  ir_val keep = z->args[1];
  FAULT(z->args[1] = 0, z->args[1] = keep, "operand 2 is missing");
  FAULT(z->args[1] = 9999, z->args[1] = keep, "operand 2 is missing");
  FAULT(z->args[1] = d, z->args[1] = keep, "operand 2 is not defined here");
  FAULT(z->args[1] = scan->res[0], z->args[1] = keep, "operand 2 is not defined here");
  FAULT(fn->val[z->res[0]].type = ir_scalar(IR_INT), fn->val[z->res[0]].type = ir_scalar(IR_REAL), "the result is int, not real");
  FAULT(fn->val[z->res[0]].op = y, fn->val[z->res[0]].op = z, "does not know its definition");
  FAULT(fn->val[z->res[0]].slot = 1, fn->val[z->res[0]].slot = 0, "does not know its definition");
  FAULT(y->block = &scan->u.loop->body, y->block = &fn->body, "not linked into its block");
  FAULT(z->prev = n, z->prev = y, "not linked into its block");
  FAULT(y->code = IR_OP_COUNT, y->code = IR_EXP_OP, "no operation");
  FAULT(fn->body.last = z, fn->body.last = branch, "whose end is not its last operation");
  FAULT(scan->u.loop->body.owner = NULL, scan->u.loop->body.owner = scan, "a block that does not know its operation");
  FAULT(scan->code = IR_PLATE_OP, scan->code = IR_SCAN_OP, "a plate that carries");
  ir_val state_ = scan->u.loop->out[0].state;
  FAULT(scan->u.loop->out[0].state = 0, scan->u.loop->out[0].state = state_, "a state where none may be");
  FAULT(scan->u.loop->out[0].init = 0, scan->u.loop->out[0].init = keep, "whose start is missing");
  FAULT(scan->u.loop->out[0].mode = IR_STACK, scan->u.loop->out[0].mode = IR_CARRY, "whose start is missing or has no use");
  FAULT(scan->u.loop->out[0].mode = 9, scan->u.loop->out[0].mode = IR_CARRY, "a result of no mode");
  FAULT(scan->u.loop->live = state_, scan->u.loop->live = 0, "what a scan goes on by is real, not bool");
  FAULT(scan->u.loop->live = z->res[0], scan->u.loop->live = 0, "goes on by what it does not carry");
  FAULT(scan->u.loop->rank = 0, scan->u.loop->rank = 1, "no axis");
  FAULT(scan->nres = 0, scan->nres = 1, "differ in number");
  FAULT(scan->u.loop->out[0].axes.n = 1, scan->u.loop->out[0].axes.n = 0, "a position in a result that has none");
  FAULT(branch->u.branch->then_yield[0] = d, branch->u.branch->then_yield[0] = branch->u.branch->then_.first->res[0], "not defined here");
  ir_val ret = fn->ret[0];
  FAULT(fn->ret[0] = d, fn->ret[0] = ret, "a returned value is not defined here");
  FAULT(fn->val[ret].type.dim[0] = 0; fn->val[ret].type.rank = 1, fn->val[ret].type.rank = 0, "");
#undef FAULT
  /* The first step at fault is the one named. */
  assert_true(ir_verify_after(fn, "first"));
  fn->ret[0] = d;
  assert_false(ir_verify_after(fn, "second"));
  fn->ret[0] = ret;
  assert_false(ir_verify_after(fn, "third"));
  assert_non_null(strstr(m->fault, "second: @"));
}

/* Values before and after a renaming, a removal, and a copy of a function into another one with other sizes. */
static void test_edit(void **state) {
  (void)state;
  ir_module *m;
  assert_null(fault_of("func @f(%x: real[n]) -> (real) {\n"
                       "  %n = size n\n  %s = plate %i < %n -> sum { %a = at %x, %i %b = exp %a yield %b }\n  return %s\n}", &m));
  ir_fn *f = m->fn[0], *g = ir_fn_new(m, "g", false);
  ir_size n = size_symbol(m->sizes, "n"), four = size_const(m->sizes, 4);
  ir_val x = ir_param_add(g, IR_ROLE_PLAIN, "x", ir_array(IR_REAL, 1, &four));
  ir_cloner c = {.from = f, .map = ir_map_new(&mem, f), .nsizes = 1, .size_from = &n, .size_to = &four};
  ir_map_set(&c.map, f->param[0].val, x);
  ir_builder b = ir_builder_at_end(g, &g->body);
  ir_clone_block(&c, &b, &f->body);
  ir_val s = ir_map_get(&c.map, f->ret[0]), t = ir_op1(&b, IR_NEG_OP, s);
  ir_return(g, 1, &t);
  assert_null(ir_verify(g));
  int64_t four_again;
  assert_true(ir_is_int(g, ir_map_get(&c.map, f->body.first->res[0]), &four_again));
  assert_int_equal(four_again, 4);
  ir_replace_uses(g, t, s);
  ir_remove(ir_def_op(g, t));
  assert_null(ir_verify(g));
  strbuf out;
  strbuf_init(&out, &mem);
  ir_print_fn(g, &out);
  assert_string_equal(out.s, "func @g(%x: real[4]) -> (real) {\n  %0 = int 4\n  %1 = plate %2 < %0 -> sum {\n    %3 = at %x, %2\n    %4 = exp %3\n"
                             "    yield %4\n  }\n  return %1\n}\n");
}

/* Costs of two texts, counted by hand. */
static void test_cost(void **state) {
  (void)state;
  ir_module *m;
  assert_null(fault_of("func @dot(%x: real[n], %y: real[n]) -> (real) {\n"
                       "  %n = size n\n  %s = plate %i < %n -> sum { %a = at %x, %i %b = at %y, %i %p = mul %a, %b yield %p }\n  return %s\n}\n"
                       "func @f(%x: real[J, K], %v: real[K], %k: int) -> (real, real[J]) {\n"
                       "  %u = matmul %x, %v\n  %d = call @dot(%u, %u)\n"
                       "  %m = plate %i < %k -> max { %e = exp %d yield %e }\n  return %m, %u\n}", &m));
  ir_cost dot = ir_cost_fn(m->fn[0]), f = ir_cost_fn(m->fn[1]);
  ir_cost_number n;
  assert_true(dot.exact);
  assert_false(f.exact);
  assert_false(ir_cost_eval(m, dot, &n));
  size_bind(m->sizes, size_symbol(m->sizes, "n"), 10);
  assert_true(ir_cost_eval(m, dot, &n));
  assert_int_equal(n.flops, 40); /* two reads, a product and an addition */
  assert_int_equal(n.read, 160);
  assert_int_equal(n.written, 0);
  size_bind(m->sizes, size_symbol(m->sizes, "J"), 3);
  size_bind(m->sizes, size_symbol(m->sizes, "K"), 5);
  assert_true(ir_cost_eval(m, f, &n));
  assert_int_equal(n.flops, 2 * 15 + 4 * 3 + 14 + 1);
  assert_int_equal(n.read, 8 * (15 + 5) + 16 * 3);
  assert_int_equal(n.written, 8 * 3);
}

/* Each allocation fails once: parsing, checking and printing unwind and leak nothing. */
typedef struct failing {
  size_t calls, fail_at, out;
} failing;

static void *failing_realloc(void *user, void *ptr, size_t old_size, size_t size) {
  failing *f = user;
  if (size == 0) {
    f->out -= old_size;
    free(ptr);
    return NULL;
  }
  if (++f->calls == f->fail_at) return NULL;
  void *p = realloc(ptr, size);
  if (p) f->out += size - (ptr ? old_size : 0);
  return p;
}

static bool parse_with(failing *f, const char *text, size_t n) {
  aim_alloc alloc = {failing_realloc, f};
  arena a;
  arena_init(&a, &alloc, 0);
  if (ARENA_TRY(&a)) {
    arena_free(&a);
    return false;
  }
  ir_module *m = ir_module_new(&a);
  const char *error;
  strbuf out;
  strbuf_init(&out, &a);
  if (ir_parse(m, text, n, &error))
    for (uint32_t k = 0; k < m->nfns; k++) ir_verify(m->fn[k]);
  ir_print(m, &out);
  arena_free(&a);
  return true;
}

static void test_memory(void **state) {
  (void)state;
  size_t n;
  char *text = golden_read("tests/ir/tmaze.ir", &n);
  assert_non_null(text);
  for (size_t at = 1;; at++) {
    failing f = {.fail_at = at};
    bool done = parse_with(&f, text, n);
    assert_int_equal(f.out, 0);
    if (done) {
      assert_true(at > 3);
      break;
    }
  }
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_goldens, setup, teardown),   cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
      cmocka_unit_test_setup_teardown(test_depth, setup, teardown),     cmocka_unit_test_setup_teardown(test_corrupted, setup, teardown),
      cmocka_unit_test_setup_teardown(test_edit, setup, teardown),      cmocka_unit_test_setup_teardown(test_cost, setup, teardown),
      cmocka_unit_test(test_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
