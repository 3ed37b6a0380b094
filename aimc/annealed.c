/* annealed.c: what aimc run prints after `anneal`: the energies that were reached and the state of the lowest. */
#include "aimc/aimc.h"

#include "vm/api.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PAGE = 100, LEAST = 40, ROOM = 32, VALUE = 32 };

/* Columns of the terminal, or of a page where there is none. */
static size_t line_width(void) {
  struct winsize w;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= LEAST ? w.ws_col : PAGE;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int print_quantiles(const aim_task *t) {
  static const double at[] = {0, 0.05, 0.25, 0.5, 0.75, 0.95, 1};
  size_t n = aim_draw_count(t, 0);
  const double *energy = aim_stats(t, 0, AIM_STAT_ENERGY);
  double *sorted = malloc(n * sizeof *sorted);
  if (!sorted) {
    fputs("aimc: memory is exhausted\n", stderr);
    return EXIT_HOST;
  }
  memcpy(sorted, energy, n * sizeof *sorted);
  qsort(sorted, n, sizeof *sorted, by_value);
  printf("replicas' lowest energies:");
  for (size_t k = 0; k < sizeof at / sizeof *at; k++) printf("%s %g %% %.6g", k ? "," : "", 100 * at[k], sorted[(size_t)(at[k] * (double)(n - 1) + 0.5)]);
  fputs("\n\n", stdout);
  free(sorted);
  return EXIT_FINE;
}

/* Its values are two, written + and -. */
static bool is_spin(const aim_task *t, const aim_quantity *q) {
  const program *p = &t->p;
  if (q->kind != AIM_LATENT) return false;
  for (size_t k = 0; k < p->nsites; k++)
    if (strcmp(p->site[k].name, q->name) == 0) return p->site[k].spin || p->site[k].site->type.elem == IR_BOOL;
  return false;
}

/* One cell as text: a sign, with a gap before each row of an array, or a number. */
static size_t cell_text(const aim_quantity *q, bool spin, size_t cell, double x, char text[VALUE]) {
  size_t row = q->rank > 1 ? (size_t)q->dims[q->rank - 1] : 0;
  if (spin) return (size_t)snprintf(text, VALUE, "%s%c", cell && row && cell % row == 0 ? " " : "", x > 0 ? '+' : '-');
  return (size_t)snprintf(text, VALUE, q->discrete ? "%s%.0f" : "%s%.6g", cell ? " " : "", x);
}

/* The quantity at a draw, on one line of that width unless `all` of it is wanted. */
static void print_quantity(const aim_task *t, size_t k, const aim_quantity *q, size_t draw, size_t names, size_t width, bool all) {
  const bool spin = is_spin(t, q);
  size_t used = names + 2;
  if (!aim_draws(t, 0, k, 0)) return;
  printf("%-*s  ", (int)names, q->name);
  for (size_t i = 0; i < q->cells; i++) {
    const double *x = aim_draws(t, 0, k, i);
    char text[VALUE];
    if (!x) break;
    size_t n = cell_text(q, spin, i, x[draw], text);
    if (!all && used + n + (i + 1 < q->cells ? ROOM : 0) > width && q->cells - i > 1) {
      printf(" ... (%zu values)", q->cells);
      break;
    }
    fputs(text, stdout);
    used += n;
  }
  putchar('\n');
}

int annealed_print(const args *a, const aim_task *t) {
  aim_annealing found;
  if (aim_annealing_get(t, &found) != AIM_OK || found.best >= aim_draw_count(t, 0)) return EXIT_FINE;
  int status = print_quantiles(t);
  size_t names = 0, width = line_width();
  aim_quantity q;
  for (size_t k = 0; aim_quantity_get(t, k, &q) == AIM_OK; k++)
    if (strlen(q.name) > names) names = strlen(q.name);
  if (names > width / 2) names = width / 2;
  for (size_t k = 0; status == EXIT_FINE && aim_quantity_get(t, k, &q) == AIM_OK; k++) print_quantity(t, k, &q, (size_t)found.best, names, width, a->all);
  return status;
}
