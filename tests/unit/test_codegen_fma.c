/* test_codegen_fma.c: the fused multiply-add of support.c, in integers, against the C library's, over random bits and at the edges:
 * cancellation, ties, denormals, overflow, infinities.  argv[1]: how many, 2000000 if not given. */
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma GCC diagnostic ignored "-Wattributes"
#define fma soft_fma
#define memcpy soft_memcpy
#define memset soft_memset
#include "codegen/support.c"
#undef fma
#undef memcpy
#undef memset

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static long count = 2000000;
static uint64_t state = 42;

static uint64_t bits(void) {
  state += 0x9E3779B97F4A7C15u;
  uint64_t x = state;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/* Any bits; or exponents near each other's; or few significant bits, so that ties occur; or special values. */
static double number(int kind) {
  static const double special[] = {0.0, -0.0, 1.0, -1.0, INFINITY, -INFINITY, NAN, 0x1p-1074, 0x1p-1022, 0x1.fffffffffffffp1023, 0x1p-537, 0x1p511};
  uint64_t b = bits();
  if (kind == 3) return special[b % (sizeof special / sizeof *special)];
  if (kind == 1) b = (b & 0x800fffffffffffffu) | (uint64_t)(1023 - 60 + bits() % 120) << 52;
  if (kind == 2) b = (b & 0x800f800000000001u) | (uint64_t)(bits() % 130) << 52;
  return rt_from_bits(b);
}

static void same(double a, double b, double c) {
  double x = soft_fma(a, b, c), y = __builtin_fma(a, b, c);
  if (x != x && y != y) return;
  if (rt_bits_of(x) != rt_bits_of(y)) fail_msg("fma(%a, %a, %a) is %a, not %a", a, b, c, x, y);
}

static void test_fma(void **unused) {
  (void)unused;
  for (long k = 0; k < count; k++) {
    double a = number((int)(bits() % 4)), b = number((int)(bits() % 4)), c = number((int)(bits() % 4));
    same(a, b, c);
    same(a, b, -(a * b)); /* what the product's rounding lost */
    same(a, b, nextafter(-(a * b), 0.0));
  }
}

int main(int argc, char **argv) {
  if (argc > 1) count = atol(argv[1]);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_fma)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
