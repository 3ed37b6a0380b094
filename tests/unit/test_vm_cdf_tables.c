/* test_vm_cdf_tables.c: logcdf and logccdf of scalar distributions against tests/tables/cdfs.txt, which mpmath made: both tails, and extremes of scales and shapes.
 *
 * A distribution is one model, a row of the table an iteration: with coefficients c and d as latents the gradient of sum(c[i] logcdf + d[i] logccdf) has
 * all values.  A logarithm may be off by 1e-13 of itself, or absolutely by 1e-13 where it is above -1.
 *
 * Their derivatives in parameters and value are compared with tests/tables/cdf_slopes.txt, one model for each of both tails.  They may be off by 1e-13 of
 * themselves, or of 1 over what the argument is compared with: a location with the scale, a scale with itself; of what is a difference, of the sum of its terms. */
#include "tests/model_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 256, PARAMS = 4 };

static double off_by(double got, double want) { return got == want ? 0.0 : fabs(got - want) / fmax(1.0, fabs(want)) / 1e-13; }

/* The largest error as a share of what is allowed. */
static double check(const char *call, const char *kinds, bool whole, int n, double v[][ROWS], double want[2][ROWS]) {
  const int params = (int)strlen(kinds);
  static char text[1024], json[64 * (PARAMS + 1) * ROWS];
  char *s = text, *j = json;
  s += sprintf(s, "model m(N: int");
  j += sprintf(j, "{\"N\": %d", n);
  for (int k = 0; k <= params; k++) {
    const bool integer = k < params ? kinds[k] == 'n' : whole;
    char name[16] = "x";
    if (k < params) sprintf(name, "p%d", k);
    s += sprintf(s, ", %s: %s[N]", name, integer ? "int" : "real");
    j += sprintf(j, ", \"%s\": [", name);
    for (int i = 0; i < n; i++) j += sprintf(j, integer ? "%s%.0f" : "%s%.17g", i ? ", " : "", v[k][i]);
    j += sprintf(j, "]");
  }
  strcpy(j, "}");
  sprintf(s, ") {\n c: real[N] ~ Flat()\n d: real[N] ~ Flat()\n factor sum(c[i] * logcdf(%s, x[i]) + d[i] * logccdf(%s, x[i]) for i in 1..N)\n}", call, call);
  double q[2 * ROWS], g[2 * ROWS], worst = 0.0;
  for (int i = 0; i < 2 * n; i++) q[i] = 1.0;
  model_run r;
  model_open(&r, text, json, NEED_GRAD);
  assert_int_equal(r.dim, 2 * n);
  model_grad(&r, q, g);
  for (int i = 0; i < n; i++)
    for (int upper = 0; upper < 2; upper++) {
      const double off = off_by(g[upper * n + i], want[upper][i]);
      if (!(off <= 1.0))
        print_message("  %s with %.17g, %.17g, %.17g, %.17g, %.17g: %s is %.17g, not %.17g\n", call, v[0][i], v[1][i], v[2][i], v[3][i], v[4][i], upper ? "logccdf" : "logcdf",
                      g[upper * n + i], want[upper][i]);
      worst = off <= worst ? worst : off;
    }
  model_close(&r);
  return worst;
}

static void test_cdfs(void **state) {
  (void)state;
  FILE *in = fopen("tests/tables/cdfs.txt", "r");
  assert_non_null(in);
  static double v[PARAMS + 1][ROWS], want[2][ROWS];
  char call[128], kinds[8], kind[8], worst_call[128] = "";
  double worst = 0.0;
  int n, seen = 0, rows = 0;
  while (fscanf(in, " %127[^:]: %7s %7s %d", call, kinds, kind, &n) == 4) {
    assert_in_range(n, 1, ROWS);
    memset(v, 0, sizeof v);
    for (int i = 0; i < n; i++) {
      for (size_t k = 0; k <= strlen(kinds); k++) assert_int_equal(fscanf(in, "%lf", &v[k][i]), 1);
      for (int upper = 0; upper < 2; upper++) assert_int_equal(fscanf(in, "%lf", &want[upper][i]), 1);
    }
    double off = check(call, kinds, strcmp(kind, "int") == 0, n, v, want);
    if (!(off <= worst)) {
      worst = off;
      strcpy(worst_call, call);
    }
    seen++;
    rows += n;
  }
  fclose(in);
  assert_int_equal(seen, 44);
  print_message("  %d distributions, %d points; largest error %.2g of the bound (%s)\n", seen, rows, worst, worst_call);
  assert_true(worst <= 1.0);
}

static bool is_real(const char *kinds, bool whole, int k) { return kinds[k] ? kinds[k] != 'n' : !whole; }

/* The derivatives of one tail in all that is real, in[n][...] of them: the largest error as a share of what is allowed. */
static double check_slopes(const char *call, const char *kinds, bool whole, int n, double v[][ROWS], double want[][ROWS], double size[][ROWS], bool upper) {
  const int params = (int)strlen(kinds);
  static char text[1024], json[64 * (PARAMS + 1) * ROWS];
  static double q[(PARAMS + 1) * ROWS], g[(PARAMS + 1) * ROWS];
  char *s = text, *j = json;
  int reals = 0;
  s += sprintf(s, "model m(N: int");
  j += sprintf(j, "{\"N\": %d", n);
  for (int pass = 0; pass < 2; pass++) {
    for (int k = 0; k <= params; k++) {
      if (is_real(kinds, whole, k) != (pass == 1)) continue;
      char name[16] = "x";
      if (k < params) sprintf(name, "p%d", k);
      s += pass ? sprintf(s, " %s: real[N] ~ Flat()\n", name) : sprintf(s, ", %s: int[N]", name);
      if (!pass) j += sprintf(j, ", \"%s\": [", name);
      for (int i = 0; i < n; i++)
        if (pass) q[reals * n + i] = v[k][i];
        else j += sprintf(j, "%s%.0f", i ? ", " : "", v[k][i]);
      if (pass) reals++;
      else j += sprintf(j, "]");
    }
    if (!pass) s += sprintf(s, ") {\n");
  }
  strcpy(j, "}");
  sprintf(s, " factor sum(%s(%s, x[i]) for i in 1..N)\n}", upper ? "logccdf" : "logcdf", call);
  model_run r;
  model_open(&r, text, json, NEED_GRAD);
  assert_int_equal(r.dim, reals * n);
  model_grad(&r, q, g);
  double worst = 0.0;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < reals; k++) {
      const double off = fabs(g[k * n + i] - want[k][i]) / (size[k][i] + 1e-300) / 1e-13;
      if (!(off <= 1.0))
        print_message("  %s with %.17g, %.17g, %.17g, %.17g, %.17g: slope %d of %s is %.17g, not %.17g, of %g\n", call, v[0][i], v[1][i], v[2][i], v[3][i], v[4][i], k,
                      upper ? "logccdf" : "logcdf", g[k * n + i], want[k][i], size[k][i]);
      worst = off <= worst ? worst : off;
    }
  model_close(&r);
  return worst;
}

static void test_slopes(void **state) {
  (void)state;
  FILE *in = fopen("tests/tables/cdf_slopes.txt", "r");
  assert_non_null(in);
  static double v[PARAMS + 1][ROWS], want[2][PARAMS + 1][ROWS], size[2][PARAMS + 1][ROWS];
  char call[128], kinds[8], kind[8], worst_call[128] = "";
  double worst = 0.0;
  int n, seen = 0, slopes = 0;
  while (fscanf(in, " %127[^:]: %7s %7s %d", call, kinds, kind, &n) == 4) {
    assert_in_range(n, 1, ROWS);
    const bool whole = strcmp(kind, "int") == 0;
    const int params = (int)strlen(kinds);
    int reals = 0;
    memset(v, 0, sizeof v);
    for (int k = 0; k <= params; k++) reals += is_real(kinds, whole, k);
    for (int i = 0; i < n; i++) {
      for (int k = 0; k <= params; k++) assert_int_equal(fscanf(in, "%lf", &v[k][i]), 1);
      for (int upper = 0; upper < 2; upper++)
        for (int k = 0; k < reals; k++) assert_int_equal(fscanf(in, "%lf %lf", &want[upper][k][i], &size[upper][k][i]), 2);
    }
    for (int upper = 0; upper < 2; upper++) {
      const double off = check_slopes(call, kinds, whole, n, v, want[upper], size[upper], upper);
      if (!(off <= worst)) {
        worst = off;
        strcpy(worst_call, call);
      }
    }
    seen++;
    slopes += 2 * reals * n;
  }
  fclose(in);
  assert_int_equal(seen, 42);
  print_message("  %d distributions, %d derivatives; largest error %.2g of the bound (%s)\n", seen, slopes, worst, worst_call);
  assert_true(worst <= 1.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cdfs), cmocka_unit_test(test_slopes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
