/* test_compiler_size.c: sizes are one id per expression, print and parse back, and evaluate with every overflow caught. */
#include "compiler/size.h"
#include "tests/plain_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static arena mem;
static size_table *t;

static int setup(void **state) {
  (void)state;
  arena_init(&mem, &plain_heap, 0);
  if (ARENA_TRY(&mem)) return -1;
  t = size_table_new(&mem);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  arena_free(&mem);
  return 0;
}

static ir_size parse(const char *text) {
  const char *p = text;
  ir_size s = size_parse(t, &p);
  return s && *p == '\0' ? s : IR_SIZE_NONE;
}

static const char *print(ir_size s) {
  strbuf out;
  strbuf_init(&out, &mem);
  size_print(t, s, &out);
  return out.s;
}

static void test_canonical(void **state) {
  (void)state;
  static const char *const equal[][2] = {
      {"K - 1 + 1", "K"}, {"J + K", "K + J"}, {"2*(M + N)", "N*2 + 2*M"}, {"(a + b)*(a - b)", "a*a - b*b"}, {"K - K", "0"},
      {"6*M*N // (2*N)", "3*M"}, {"(4*N + 2) // 2", "2*N + 1"}, {"N // N", "1"}, {"4*N % 2", "0"}, {"7 // -2", "-4"},
      {"7 % -2", "-1"}, {"-7 // 2", "-4"}, {"-7 % 2", "1"}, {"(N // 2) + (N // 2)", "2*(N // 2)"}, {"-(K - 2)", "2 - K"}};
  for (size_t k = 0; k < sizeof equal / sizeof *equal; k++) {
    assert_int_not_equal(parse(equal[k][0]), IR_SIZE_NONE);
    assert_int_equal(parse(equal[k][0]), parse(equal[k][1]));
  }
  static const char *const differ[][2] = {{"J", "K"}, {"N // 2", "(N + 1) // 2"}, {"N % 2", "N // 2"}, {"N*N", "N"}, {"2*N // 4", "N // 2"}};
  for (size_t k = 0; k < sizeof differ / sizeof *differ; k++) assert_int_not_equal(parse(differ[k][0]), parse(differ[k][1]));
}

static void test_print(void **state) {
  (void)state;
  static const char *const text[] = {"K - 1", "2*M*K", "0", "-3", "N // 2", "2*(N // 2) + 1", "(N + 1) // (2*K)", "-K + 4", "N*N - N % 3",
                                     "(N // 2) // 3", "-9223372036854775808", "9223372036854775807*K", "`n - x`", "2*`a*b` + n.x", "(`1` + 1) // 3"};
  for (size_t k = 0; k < sizeof text / sizeof *text; k++) {
    ir_size s = parse(text[k]);
    assert_int_not_equal(s, IR_SIZE_NONE);
    assert_int_equal(parse(print(s)), s);
  }
  size_symbol(t, "K");
  assert_string_equal(print(parse("1 + K*2 - 3")), "2*K - 2");
  assert_string_equal(print(parse("(K + 1) // 2 * 2")), "2*((K + 1) // 2)");
  assert_string_equal(print(size_symbol(t, "n - x")), "`n - x`");
  assert_string_equal(print(size_symbol(t, "n.x")), "n.x");
  /* What is not closed ends with the text, not behind it. */
  const char *open = "`n - x", *end = open + strlen(open);
  assert_int_equal(size_parse(t, &open), IR_SIZE_NONE);
  assert_ptr_equal(open, end);
}

/* What one table prints, another prints too, whatever the order in which each of them met the names. */
static void test_print_order(void **state) {
  (void)state;
  static const char *const text[] = {"a*b + 2*b + m",         "b*a + m + 2*b",   "x*y*z - x*x*z + y",        "(m // b)*(a // b) + a // m + m % a",
                                     "(b + a) // (m + 2*b)*a", "b % (a*m - b) + (m + a) % b", "2*(b // 3) - (b // 2) + (a // 3)"};
  static const char *const first[] = {"a*b*m*x*y*z", "z*y*x*m*b*a", "m*a*z*b*x*y", "(m % 5) + (m // 5) + (a % b) + b // a + b % 3 + b // 3"};
  for (size_t k = 0; k < sizeof text / sizeof *text; k++) {
    const char *expected = NULL;
    for (size_t j = 0; j < sizeof first / sizeof *first; j++) {
      t = size_table_new(&mem);
      assert_int_not_equal(parse(first[j]), IR_SIZE_NONE);
      ir_size s = parse(text[k]);
      assert_int_not_equal(s, IR_SIZE_NONE);
      const char *printed = print(s);
      if (!expected) expected = printed;
      assert_string_equal(printed, expected);
      assert_int_equal(parse(printed), s);
      t = size_table_new(&mem);
      assert_string_equal(print(parse(printed)), printed);
    }
  }
  assert_string_equal(print(parse("m + 2*b + b*a")), "a*b + 2*b + m");
}

static void test_numbers(void **state) {
  (void)state;
  ir_size K = size_symbol(t, "K"), N = size_symbol(t, "N"), s = parse("2*K*N - N // 3 + N % 3");
  assert_int_equal(size_eval(t, s), IR_SIZE_UNBOUND);
  size_bind(t, K, 5);
  size_bind(t, N, 7);
  assert_int_equal(size_eval(t, s), 70 - 2 + 1);
  assert_int_equal(size_eval(t, parse("K - 9")), -4);
  assert_int_equal(size_eval(t, parse("N // (K - 5)")), IR_SIZE_UNBOUND);
  size_bind(t, K, INT64_MAX);
  assert_int_equal(size_eval(t, parse("K + N")), IR_SIZE_UNBOUND);
  assert_int_equal(size_eval(t, parse("K * N")), IR_SIZE_UNBOUND);
  assert_int_equal(size_symbol_count(t), 2);
  assert_int_equal(size_symbol_at(t, 1), N);
  assert_int_equal(size_symbol_at(t, 2), IR_SIZE_NONE);
}

static void test_solve(void **state) {
  (void)state;
  ir_size symbol;
  int64_t value;
  assert_true(size_solve(t, parse("K - 1"), 4, &symbol, &value));
  assert_int_equal(symbol, parse("K"));
  assert_int_equal(value, 5);
  assert_false(size_solve(t, parse("2*K"), 5, &symbol, &value));
  assert_false(size_solve(t, parse("K*K"), 4, &symbol, &value));
  assert_false(size_solve(t, parse("K + N"), 4, &symbol, &value));
  assert_false(size_solve(t, parse("K // 2"), 4, &symbol, &value));
  assert_false(size_solve(t, parse("7"), 7, &symbol, &value));
  size_bind(t, parse("N"), 3);
  assert_true(size_solve(t, parse("K*N - N"), 12, &symbol, &value));
  assert_int_equal(value, 5);
}

static void test_substitute(void **state) {
  (void)state;
  ir_size from[2] = {parse("n"), parse("m")}, to[2] = {parse("m + 1"), parse("K - 1")};
  /* All at once: the m that n brings stays. */
  assert_int_equal(size_substitute(t, parse("n*m"), 2, from, to), parse("(m + 1)*(K - 1)"));
  assert_int_equal(size_substitute(t, parse("(n // 2) % m"), 2, from, to), parse("((m + 1) // 2) % (K - 1)"));
  ir_size four = parse("4");
  assert_int_equal(size_substitute(t, parse("n // 2 + n"), 1, from, &four), parse("6"));
  assert_int_equal(size_substitute(t, parse("K"), 2, from, to), parse("K"));
}

static void test_limits(void **state) {
  (void)state;
  static const char *const wrong[] = {"", "+", "K -", "(K", "2K", "K K", "9223372036854775808", "-9223372036854775809", "K // 0", "K % 0",
                                      "9223372036854775807 + 1", "9223372036854775807*2", "%", "a$"};
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) assert_int_equal(parse(wrong[k]), IR_SIZE_NONE);
  ir_size power = parse("K"), sum = parse("a"), nest = parse("K");
  for (int k = 0; k < 40; k++) power = size_mul(t, power, parse("K"));
  assert_int_equal(power, IR_SIZE_NONE);
  for (int k = 0; k < 300; k++) {
    char name[16] = {'s', (char)('a' + k % 26), (char)('a' + k / 26)};
    sum = size_add(t, sum, size_symbol(t, name));
  }
  assert_int_equal(sum, IR_SIZE_NONE);
  for (int k = 0; k < 40; k++) nest = size_div(t, nest, size_const(t, 2 + k % 3));
  assert_int_equal(nest, IR_SIZE_NONE);
  char deep[4000];
  memset(deep, '(', sizeof deep - 1);
  deep[sizeof deep - 1] = '\0';
  assert_int_equal(parse(deep), IR_SIZE_NONE);
}

/* Random expressions evaluate as their text does, term by term. */
static void test_random(void **state) {
  (void)state;
  uint64_t seed = 1;
  const char *symbol[3] = {"x", "y", "z"};
  int64_t number[3] = {7, -3, 11};
  for (int k = 0; k < 3; k++) size_bind(t, size_symbol(t, symbol[k]), number[k]);
  for (int trial = 0; trial < 2000; trial++) {
    ir_size s = size_const(t, 1);
    int64_t want = 1;
    for (int k = 0; k < 8; k++) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      int op = (int)(seed >> 33) % 5, which = (int)(seed >> 40) % 3, c = (int)(seed >> 50) % 9 - 4;
      ir_size arg = op < 3 ? size_add(t, size_symbol(t, symbol[which]), size_const(t, c)) : size_const(t, c ? c : 5);
      int64_t n = op < 3 ? number[which] + c : c ? c : 5;
      int64_t q = op >= 3 ? want / n - (want % n != 0 && (want < 0) != (n < 0)) : 0;
      s = op == 0 ? size_add(t, s, arg) : op == 1 ? size_sub(t, s, arg) : op == 2 ? size_mul(t, s, arg) : op == 3 ? size_div(t, s, arg) : size_mod(t, s, arg);
      want = op == 0 ? want + n : op == 1 ? want - n : op == 2 ? want * n : op == 3 ? q : want - n * q;
    }
    if (s == IR_SIZE_NONE) continue;
    assert_int_equal(size_eval(t, s), want);
    assert_int_equal(parse(print(s)), s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_canonical, setup, teardown), cmocka_unit_test_setup_teardown(test_print, setup, teardown),
      cmocka_unit_test_setup_teardown(test_print_order, setup, teardown),
      cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),   cmocka_unit_test_setup_teardown(test_solve, setup, teardown),
      cmocka_unit_test_setup_teardown(test_substitute, setup, teardown), cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
      cmocka_unit_test_setup_teardown(test_random, setup, teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
