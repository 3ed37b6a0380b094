/* test_vm_vector_tables.c: log densities of vectors and matrices, and of counts, with their gradients against tests/tables/vectors.txt, which mpmath made with
 * 80 digits from textbook formulas in determinants and inverses.
 *
 * An entry is a model whose factor is c times the density, so that one gradient at c = 1 has the density as its derivative in c and the density's derivatives beside
 * it.  Each may be off by 1e-13 of the sum of the absolute terms that the table gives; the largest error is printed. */
#include "tests/model_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 24, ENTRIES = 73 };

static bool line(FILE *in, char *text, size_t room) {
  if (!fgets(text, (int)room, in)) return false;
  text[strcspn(text, "\n")] = '\0';
  return true;
}

static void point(FILE *in, model_run *r, const char *model, int n, double *worst) {
  double q[1 + MOST], g[1 + MOST], want, size;
  q[0] = 1.0;
  for (int k = 1; k <= n; k++) assert_int_equal(fscanf(in, "%lf", &q[k]), 1);
  const double lp = model_grad(r, q, g);
  for (int k = 0; k <= n; k++) {
    assert_int_equal(fscanf(in, "%lf %lf", &want, &size), 2);
    const double off = fabs(g[k] - want) / (size + 1e-300) / 1e-13;
    if (!(off <= 1.0)) print_message("  %s: %s %d at %.17g, ... is %.17g, not %.17g, of terms %g\n", model, k ? "derivative" : "density", k, q[n ? 1 : 0], g[k], want, size);
    *worst = off <= *worst ? *worst : off;
  }
  assert_true(lp == g[0]);
}

static void test_vectors(void **state) {
  (void)state;
  FILE *in = fopen("tests/tables/vectors.txt", "r");
  assert_non_null(in);
  char model[1024], data[256], most[1024] = "";
  double worst = 0.0;
  int seen = 0;
  while (line(in, model, sizeof model) && line(in, data, sizeof data)) {
    int n, rows;
    assert_int_equal(fscanf(in, "%d %d", &n, &rows), 2);
    assert_true(n <= MOST);
    model_run r;
    model_open(&r, model, data[0] == '-' ? NULL : data, NEED_GRAD);
    assert_int_equal(r.dim, 1 + n);
    double here = 0.0;
    for (int k = 0; k < rows; k++) point(in, &r, model, n, &here);
    model_close(&r);
    if (!(here <= worst)) worst = here, strcpy(most, model);
    line(in, data, sizeof data); /* the end of the last row */
    seen++;
  }
  fclose(in);
  print_message("  %d models; largest error %.2g of the bound (%s)\n", seen, worst, most);
  assert_int_equal(seen, ENTRIES);
  assert_true(worst <= 1.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
