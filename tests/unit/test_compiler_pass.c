/* test_compiler_pass.c: passes on texts with known results, and on random programs.
 *
 * Random programs: printing and parsing is the identity; each pass alone, and the pipeline, keeps what ir_verify checks and
 * the value, in the same bits where the pass promises so.  argv[1] is the number of programs (500). */
#include "compiler/frame.h"
#include "compiler/passes.h"
#include "tests/gen_ir.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/golden.h"
#include "tests/plain_heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long programs = 500;
static unsigned long changed[32]; /* programs that each pass changed */

/* ---- random programs */

static gen_options options_for(uint64_t seed) {
  gen_options o = gen_default();
  o.size = 10 + (int)(seed % 7) * 8;
  o.smooth = seed % 3 == 0;
  o.draws = seed % 5 == 0;
  return o;
}

static bool same_bits(long double a, long double b) {
  if (a != a || b != b) return a != a && b != b;
  return a == b && signbit(a) == signbit(b);
}

/* Roundings of the sums that fma and products replace: of the program's size, on values of moderate magnitude, through
 * functions whose derivative may be some hundreds. */
static bool close_to(long double a, long double b) {
  if (a != a || b != b) return a != a && b != b;
  return a == b || fabsl(a - b) <= 1e-8L * (1 + fabsl(a));
}


/* The arguments of a function that passes gave frame parameters: those of its data, then @prepare's results by their names. */
static const ref_array *with_frame(const ir_fn *fn, arena *mem, const ref_array *in, ref_status *status) {
  const ir_fn *prepare = ir_fn_find(fn->module, "prepare");
  if (!prepare || !prepare->nret) return in;
  ref_array *data = ARENA_ARRAY(mem, ref_array, prepare->nparams), *frame = ARENA_ARRAY(mem, ref_array, prepare->nret);
  ref_array *all = ARENA_ARRAY(mem, ref_array, fn->nparams);
  for (uint32_t k = 0; k < prepare->nparams; k++)
    for (uint32_t j = 0; j < fn->nparams; j++)
      if (strcmp(prepare->param[k].name, fn->param[j].name) == 0) data[k] = in[j];
  *status = ref_eval(REF_DOUBLE, prepare, mem, data, frame, NULL);
  if (*status != REF_OK) return in;
  for (uint32_t k = 0; k < fn->nparams; k++) all[k] = fn->param[k].role == IR_ROLE_FRAME ? frame[atoi(fn->param[k].name + 6) - 1] : in[k];
  return all;
}

static long double value_of(const ir_fn *fn, arena *mem, const ref_array *in, ref_status *status) {
  ref_array out = {0};
  *status = REF_OK;
  in = with_frame(fn, mem, in, status);
  if (*status != REF_OK) return 0;
  *status = ref_eval(REF_DOUBLE, fn, mem, in, &out, NULL);
  return *status == REF_OK ? out.cell[0].real : 0;
}

static void complain(arena *mem, uint64_t seed, const char *pass, const char *what, const ir_fn *fn) {
  strbuf text;
  strbuf_init(&text, mem);
  ir_print_fn(fn, &text);
  print_error("seed %llu, pass %s: %s\n%s", (unsigned long long)seed, pass, what, text.n < 20000 ? text.s : "");
  fail();
}

/* Runs the pass as before data is bound: with no numbers, it cannot hold that a size is small. */
static bool run_unbound(bool (*run)(ir_module *m, ir_fn *fn), ir_module *m, ir_fn *fn, arena *mem) {
  size_t n = size_symbol_count(m->sizes);
  int64_t *number = ARENA_ARRAY(mem, int64_t, n);
  for (size_t k = 0; k < n; k++) number[k] = size_eval(m->sizes, size_symbol_at(m->sizes, k));
  size_unbind_all(m->sizes);
  bool changes = run(m, fn);
  for (size_t k = 0; k < n; k++)
    if (number[k] != IR_SIZE_UNBOUND) size_bind(m->sizes, size_symbol_at(m->sizes, k), number[k]);
  return changes;
}

static void random_program(uint64_t seed, arena *mem) {
  gen_options o = options_for(seed);
  ref_array *in;
  ref_status status;
  ir_module *m = ir_module_new(mem);
  ir_fn *fn = gen_fn(m, seed, &o, mem, &in);
  const char *fault = ir_verify(fn);
  if (fault) complain(mem, seed, "none", fault, fn);
  long double want = value_of(fn, mem, in, &status);
  if (status != REF_OK) complain(mem, seed, "none", "does not run", fn);

  strbuf text, again;
  strbuf_init(&text, mem);
  ir_print(m, &text);
  ir_module *copy = ir_module_new(mem);
  const char *error;
  if (!ir_parse(copy, text.s, text.n, &error)) complain(mem, seed, "print and parse", error, fn);
  strbuf_init(&again, mem);
  ir_print(copy, &again);
  if (strcmp(text.s, again.s) != 0) complain(mem, seed, "print and parse", again.s, fn);

  for (size_t p = 0; p <= pass_count; p++) {
    pass_info pass = p < pass_count ? pass_table[p] : (pass_info){"all", NULL, false};
    ir_module *mp = ir_module_new(mem);
    ir_fn *fp = gen_fn(mp, seed, &o, mem, &in);
    /* Inlined first: loops meet loops. */
    if (p > 0 && p < pass_count && seed % 2) pass_inline(mp, fp);
    if (pass.run == pass_lift || pass.run == pass_divide || pass.run == pass_factor) pass_hoist(mp, fp); /* what does not vary has to stand outside */
    if (pass.run == pass_share) pass_cse(mp, fp);  /* and a value has one name */
    if (pass.run == pass_layout) pass_rows(mp, fp);
    if (pass.run) changed[p] += run_unbound(pass.run, mp, fp, mem);
    else passes_run(mp, fp);
    fault = ir_verify(fp);
    if (fault) complain(mem, seed, pass.name, fault, fp);
    ir_fn *prepare = ir_fn_find(mp, "prepare");
    if (prepare && (fault = ir_verify(prepare))) complain(mem, seed, pass.name, fault, prepare);
    if (prepare && seed % 2) { /* frames as the pipeline leaves them */
      pass_cse(mp, prepare);
      frame_tidy(mp, &prepare);
      if ((fault = ir_verify(fp))) complain(mem, seed, "frame_tidy", fault, fp);
    }
    long double got = value_of(fp, mem, in, &status);
    if (status != REF_OK) complain(mem, seed, pass.name, "does not run any more", fp);
    if (pass.exact ? !same_bits(want, got) : !close_to(want, got)) {
      print_error("want %.17Lg, got %.17Lg\n", want, got);
      complain(mem, seed, pass.name, "another value", fp);
    }
    /* What is done stays done: dead code elimination and common subexpressions are projections. */
    if (pass.run == pass_dce || pass.run == pass_cse) assert_false(pass.run(mp, fp));
  }
}

/* Runs f with an arena of its own. */
static void in_arena(void (*f)(arena *mem, const void *what), const void *what) {
  arena mem;
  arena_init(&mem, &plain_heap, 0);
  if (ARENA_TRY(&mem)) fail_msg("out of memory");
  f(&mem, what);
  arena_free(&mem);
}

static void random_seed(arena *mem, const void *seed) { random_program(*(const uint64_t *)seed, mem); }

static void test_random(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= programs; seed++) in_arena(random_seed, &seed);
  /* A pass that found nothing to do has not been tested. */
  for (size_t p = 0; p < pass_count; p++) {
    print_message("%s: %lu of %lu programs\n", pass_table[p].name, changed[p], programs);
    if (programs >= 500) assert_true(changed[p] > programs / 50);
  }
}

/* ---- texts: tests/ir/pass_<passes>[-<what>].ir and what comes out of it */

static ir_module *parse_text(arena *mem, const char *text, size_t n) {
  ir_module *m = ir_module_new(mem);
  const char *error;
  if (!ir_parse(m, text, n, &error)) fail_msg("%s", error);
  for (uint32_t k = 0; k < m->nfns; k++) {
    error = ir_verify(m->fn[k]);
    if (error) fail_msg("%s", error);
  }
  return m;
}

/* The file's name names the pass, or "all"; its last function is what the pass is run on and what is compared. */
static void golden(arena *mem, const char *file) {
  char path[300], pass[64];
  size_t n;
  snprintf(path, sizeof path, "tests/ir/%s", file);
  char *text = golden_read(path, &n);
  assert_non_null(text);
  snprintf(pass, sizeof pass, "%.*s", (int)strcspn(file + 5, ".-"), file + 5);
  ir_module *m = parse_text(mem, text, n);
  ir_fn *fn = m->fn[m->nfns - 1];
  bool found = strcmp(pass, "all") == 0;
  if (found) passes_run(m, fn);
  for (size_t p = 0; p < pass_count; p++) {
    if (strcmp(pass, pass_table[p].name) != 0) continue;
    found = true;
    assert_true(pass_table[p].run(m, fn));
    if (pass_table[p].run != pass_dce) pass_dce(m, fn);
  }
  if (!found) fail_msg("%s: no pass has this name", file);
  const char *fault = ir_verify(fn);
  if (fault) fail_msg("%s", fault);
  strbuf out;
  strbuf_init(&out, mem);
  ir_fn *prepare = ir_fn_find(m, "prepare");
  if (prepare && prepare != fn) {
    fault = ir_verify(prepare);
    if (fault) fail_msg("%s", fault);
    ir_print_fn(prepare, &out);
    strbuf_putc(&out, '\n');
  }
  ir_print_fn(fn, &out);
  if (!golden_equal(golden_path(path, sizeof path, "tests/ir", file, ".expected"), out.s)) fail_msg("%s", file);
  free(text);
}

static void golden_file(arena *mem, const void *file) { golden(mem, file); }

static void test_goldens(void **state) {
  (void)state;
  size_t n, seen = 0;
  char **names = golden_list("tests/ir", ".ir", &n);
  for (size_t k = 0; k < n; k++)
    if (strncmp(names[k], "pass_", 5) == 0) {
      in_arena(golden_file, names[k]);
      seen++;
    }
  golden_list_free(names, n);
  assert_true(seen >= pass_count);
}

/* ---- special values: what the contracts of rounding passes say of infinities and zeros */

static double run_text(arena *mem, const char *text, bool (*pass)(ir_module *, ir_fn *), const double *x, size_t n) {
  ir_module *m = parse_text(mem, text, strlen(text));
  ir_fn *fn = m->fn[0];
  if (pass) assert_true(pass(m, fn));
  ref_array in[4], out[4];
  assert_true(n <= 4);
  for (size_t k = 0; k < n; k++) in[k] = ref_reals(mem, 1, &x[k]);
  assert_int_equal(ref_eval(REF_DOUBLE, fn, mem, in, out, NULL), REF_OK);
  return (double)out[0].cell[0].real;
}

/* A quotient by 0, infinity or NaN is the product with the reciprocal; other quotients of powers of two are exact either way. */
static void divisors(arena *mem, const void *unused) {
  (void)unused;
  static const char text[] = "func @f(%a: real, %s: real) -> (real) {\n  %n = int 1\n  %y = plate %i < %n -> max {\n    %q = div %a, %s\n    yield %q\n  }\n"
                             "  return %y\n}\n";
  static const double s[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 0x1p900, 0x1p-900, -4.0}, a[] = {0.0, 1.0, -2.0, INFINITY, NAN};
  for (size_t j = 0; j < sizeof s / sizeof *s; j++)
    for (size_t k = 0; k < sizeof a / sizeof *a; k++) {
      double x[2] = {a[k], s[j]};
      if (!same_bits(run_text(mem, text, NULL, x, 2), run_text(mem, text, pass_divide, x, 2))) fail_msg("%g / %g", a[k], s[j]);
    }
  /* 1 / s is infinite. */
  double tiny[2] = {0x1p-1040, 0x1p-1040};
  assert_true(run_text(mem, text, NULL, tiny, 2) == 1);
  assert_true(isinf(run_text(mem, text, pass_divide, tiny, 2)));
}

/* log(exp x) is x where exp leaves the range, and where x is no number. */
static void logarithms(arena *mem, const void *unused) {
  (void)unused;
  static const char text[] = "func @f(%x: real) -> (real) {\n  %e = exp %x\n  %y = log %e\n  return %y\n}\n";
  static const double x[] = {-INFINITY, -800, -1, 0, 3, 800, INFINITY, NAN};
  for (size_t k = 0; k < sizeof x / sizeof *x; k++) assert_true(same_bits(run_text(mem, text, pass_strength, &x[k], 1), x[k]));
  static const char root[] = "func @f(%x: real) -> (real) {\n  %e = exp %x\n  %s = sqrt %e\n  %y = mul %s, %s\n  return %y\n}\n";
  assert_true(isinf(run_text(mem, root, pass_strength, &x[5], 1)));
  assert_true(run_text(mem, root, pass_strength, &x[1], 1) == 0);
  /* Of what may be negative the square of the root stays. */
  static const char open[] = "func @f(%x: real) -> (real) {\n  %s = sqrt %x\n  %y = mul %s, %s\n  %one = real 1.0\n  %z = add %y, %one\n  %w = add %z, %one\n"
                             "  return %w\n}\n";
  assert_true(isnan(run_text(mem, open, pass_strength, &x[2], 1)));
}

/* (i + a) + b and what differences make of it are one step from i, the right one. */
static void steps_of_indices(arena *mem, const void *unused) {
  (void)unused;
  static const struct {
    const char *first, *second;
    double step;
  } forms[] = {
      {"add %i, %a", "add %v, %b", 8},  {"sub %i, %a", "add %v, %b", 2},  {"add %i, %a", "sub %v, %b", -2},  {"sub %i, %a", "sub %v, %b", -8},
      {"add %a, %i", "add %b, %v", 8},  {"sub %i, %a", "add %b, %v", 2},  {"sub %i, %b", "add %v, %b", 0},   {"sub %i, %b", "add %v, %a", -2},
      {"sub %a, %i", "add %v, %b", 8},  {"sub %a, %i", "sub %b, %v", 2},
  };
  for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
    char text[512];
    snprintf(text, sizeof text, "func @f(%%x: real) -> (real) {\n  %%n = int 10\n  %%a = int 3\n  %%b = int 5\n  %%y = plate %%i < %%n -> max {\n    %%v = %s\n    %%w = %s\n"
                                "    %%r = to_real %%w\n    yield %%r\n  }\n  return %%y\n}\n", forms[k].first, forms[k].second);
    const double x = 0;
    /* The largest is the last, or where i is subtracted the first; twice subtracted the last again. */
    const double want = run_text(mem, text, NULL, &x, 1);
    const bool down = strstr(forms[k].first, ", %i") && forms[k].first[0] == 's' && forms[k].second[0] == 'a';
    assert_true(want == forms[k].step + (down ? 0 : 9));
    ir_module *m = parse_text(mem, text, strlen(text));
    const bool done = pass_strength(m, m->fn[0]);
    if (done != (k < 8)) fail_msg("%s; %s: %s", forms[k].first, forms[k].second, done ? "changed" : "as it was");
    if (done && run_text(mem, text, pass_strength, &x, 1) != want) fail_msg("%s; %s", forms[k].first, forms[k].second);
  }
}

static void test_special_values(void **state) {
  (void)state;
  in_arena(steps_of_indices, NULL);
  in_arena(divisors, NULL);
  in_arena(logarithms, NULL);
}

int main(int argc, char **argv) {
  if (argc > 1) programs = strtoul(argv[1], NULL, 10);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_goldens), cmocka_unit_test(test_special_values), cmocka_unit_test(test_random)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
