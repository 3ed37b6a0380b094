/* test_vm_density_tables.c: log densities of scalar distributions and their gradients against tests/tables/densities.txt, which mpmath made with 160 digits.
 *
 * Each distribution is one model: a row of the table is an iteration of a plate, with parameters and value as latents (integers as data) and a
 * coefficient c[i] as well, so that one gradient has the row's density as its derivative in c[i], and the row's derivatives beside it.  Both may be off by
 * 1e-13 of the sum of the absolute terms that the table gives; the largest errors are printed. */
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

enum { ROWS = 64, PARAMS = 3, LATENTS = 1 + PARAMS + 1 };

typedef struct row {
  double v[PARAMS + 1];         /* parameters and the value */
  double want[LATENTS], size[LATENTS]; /* density, and the derivatives of what is real */
} row;

static bool read_row(FILE *in, row *r, int n, int latents) {
  for (int k = 0; k <= n; k++)
    if (fscanf(in, "%lf", &r->v[k]) != 1) return false;
  for (int k = 0; k < latents; k++)
    if (fscanf(in, "%lf %lf", &r->want[k], &r->size[k]) != 2) return false;
  return true;
}

/* Checks a distribution and returns its largest error as a share of what is allowed. */
static double check(const char *call, const char *kinds, const char *kind, const row *t, int rows) {
  int n = (int)strlen(kinds);
  bool whole = strcmp(kind, "count") == 0 || strcmp(kind, "upto") == 0, truth = strcmp(kind, "bool") == 0;
  static char text[1024], json[64 * ROWS];
  char *s = text, *j = json;
  s += sprintf(s, "model m(N: int");
  j += sprintf(j, "{\"N\": %d", rows);
  for (int k = 0; k <= n; k++) {
    if (k < n ? kinds[k] != 'n' : !whole && !truth) continue;
    char name[16] = "x";
    if (k < n) sprintf(name, "p%d", k);
    s += sprintf(s, ", %s: %s[N]", name, k == n && truth ? "bool" : "int");
    j += sprintf(j, ", \"%s\": [", name);
    for (int i = 0; i < rows; i++) j += sprintf(j, "%s%.0f", i ? ", " : "", t[i].v[k]);
    j += sprintf(j, "]");
  }
  strcpy(j, "}");
  s += sprintf(s, ") {\n c: real[N] ~ Flat()\n");
  double q[LATENTS * ROWS], g[LATENTS * ROWS];
  int m = 1;
  for (int i = 0; i < rows; i++) q[i] = 1.0;
  for (int k = 0; k <= n; k++) {
    if (k < n ? kinds[k] == 'n' : whole || truth) continue;
    if (k < n) s += sprintf(s, " p%d: real[N] ~ Flat()\n", k);
    else s += sprintf(s, " x: real[N] ~ Flat()\n");
    for (int i = 0; i < rows; i++) q[m * rows + i] = t[i].v[k];
    m++;
  }
  sprintf(s, " factor sum(c[i] * logpdf(%s, x[i]) for i in 1..N)\n}", call);
  model_run r;
  model_open(&r, text, json, NEED_GRAD);
  assert_int_equal(r.dim, m * rows);
  model_grad(&r, q, g);
  double worst = 0.0;
  for (int i = 0; i < rows; i++)
    for (int k = 0; k < m; k++) {
      double off = fabs(g[k * rows + i] - t[i].want[k]) / (t[i].size[k] + 1e-300) / 1e-13;
      if (!(off <= 1.0))
        print_message("  %s with %.17g, %.17g, %.17g, %.17g: %s %d is %.17g, not %.17g, of terms %g\n", call, t[i].v[0], t[i].v[1], t[i].v[2],
                      t[i].v[3], k ? "derivative" : "density", k, g[k * rows + i], t[i].want[k], t[i].size[k]);
      worst = off <= worst ? worst : off;
    }
  model_close(&r);
  return worst;
}

static void test_densities(void **state) {
  (void)state;
  FILE *in = fopen("tests/tables/densities.txt", "r");
  assert_non_null(in);
  char call[128], kinds[8], kind[8], worst_call[128] = "";
  double worst = 0.0;
  int seen = 0, all = 0, rows;
  while (fscanf(in, " %127[^:]: %7s %7s %d", call, kinds, kind, &rows) == 4) {
    assert_in_range(rows, 1, ROWS);
    row t[ROWS] = {0};
    int latents = 1;
    for (const char *k = kinds; *k; k++) latents += *k != 'n';
    latents += strcmp(kind, "count") != 0 && strcmp(kind, "upto") != 0 && strcmp(kind, "bool") != 0;
    for (int i = 0; i < rows; i++) assert_true(read_row(in, &t[i], (int)strlen(kinds), latents));
    double off = check(call, kinds, kind, t, rows);
    if (!(off <= worst)) {
      worst = off;
      strcpy(worst_call, call);
    }
    seen++;
    all += rows;
  }
  fclose(in);
  assert_int_equal(seen, 38);
  print_message("  %d distributions, %d points; largest error %.2g of the bound (%s)\n", seen, all, worst, worst_call);
  assert_true(worst <= 1.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_densities)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
