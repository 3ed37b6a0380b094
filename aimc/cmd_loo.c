/* cmd_loo.c: aimc loo: how well models would predict observations that they have not seen, and which of them would best. */
#include "aimc/aimc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is kept of a statement for the comparison. */
typedef struct result {
  char name[128];
  size_t n;
  double *elpd; /* [n] */
  double total;
} result;

/* The statements so far. */
typedef struct results {
  result *of; /* [n] */
  size_t n;
} results;

static int keep(results *x, const char *name, aim_task *t) {
  aim_loo l;
  const double *elpd;
  if (aim_loo_get(t, &l) != AIM_OK || aim_loo_points(t, &elpd, NULL) != AIM_OK) return EXIT_HOST;
  result *more = realloc(x->of, (x->n + 1) * sizeof *more);
  if (more) x->of = more;
  double *own = more ? malloc(l.observations * sizeof *own) : NULL;
  if (!own) {
    fputs("aimc: memory is exhausted\n", stderr);
    return EXIT_HOST;
  }
  memcpy(own, elpd, l.observations * sizeof *own);
  result *r = &x->of[x->n++];
  *r = (result){.n = l.observations, .elpd = own, .total = l.elpd};
  snprintf(r->name, sizeof r->name, "%s", name);
  return EXIT_FINE;
}

static int loo_task(const args *a, aim_task *t, const char *name, results *x) {
  int status = prepare_task(a, t);
  if (status) return status;
  aim_status st = aim_set_text(t, "pointwise", "on");
  if (st == AIM_OK) st = aim_run(t, NULL);
  if (st != AIM_OK) return report_task(a, t, st);
  printf("%s%s: ", x->n ? "\n" : "", name);
  st = aim_loo_write(t, put_text, stdout);
  if (st == AIM_OK && !a->quiet) {
    size_t findings;
    fputc('\n', stdout);
    st = aim_advice_write(t, &findings, put_text, stdout);
  }
  status = report_task(a, t, st);
  return status ? status : keep(x, name, t);
}

static int loo_statement(const args *a, aim_program *p, size_t k, size_t picked, void *user) {
  (void)picked;
  aim_task *t = NULL;
  aim_statement s;
  int status = statement_task(p, k, &t, &s);
  if (status == EXIT_FINE) status = loo_task(a, t, s.name, user);
  aim_task_free(t);
  return status;
}

static int by_total(const void *a, const void *b) {
  const result *x = a, *y = b;
  return x->total < y->total ? 1 : x->total > y->total ? -1 : strcmp(x->name, y->name);
}

/* Differences from the best, with the standard error of the sum of differences (Vehtari, Gelman and Gabry 2017, equation 24). */
static void compare(const results *x) {
  for (size_t k = 1; k < x->n; k++)
    if (x->of[k].n != x->of[0].n) {
      printf("\nnot compared: %s and %s have different numbers of observations\n", x->of[0].name, x->of[k].name);
      return;
    }
  qsort(x->of, x->n, sizeof *x->of, by_total);
  size_t width = 5;
  for (size_t k = 0; k < x->n; k++)
    if (strlen(x->of[k].name) > width) width = strlen(x->of[k].name);
  printf("\n%-*s  elpd_diff      SE\n", (int)width, "");
  for (size_t k = 0; k < x->n; k++) {
    const result *best = &x->of[0], *r = &x->of[k];
    double mean = (r->total - best->total) / (double)r->n, squares = 0;
    for (size_t i = 0; i < r->n; i++) {
      double d = r->elpd[i] - best->elpd[i] - mean;
      squares += d * d;
    }
    printf("%-*s %10.1f%8.1f\n", (int)width, r->name, k ? r->total - best->total : 0, k ? sqrt((double)r->n * squares / ((double)r->n - 1)) : 0);
  }
}

int cmd_loo(const args *a, aim_vm *vm) {
  int status;
  results x = {0};
  aim_program *p = load(a, vm, a->file[0], &status);
  if (!p) return status;
  status = each_statement(a, p, loo_statement, &x);
  if (status == EXIT_FINE && x.n > 1) compare(&x);
  for (size_t k = 0; k < x.n; k++) free(x.of[k].elpd);
  free(x.of);
  aim_program_free(p);
  return status;
}
