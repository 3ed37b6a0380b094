/* statements.c: the statements of a program, as the commands go through them. */
#include "aimc/aimc.h"

#include <string.h>

static bool is_picked(const args *a, const aim_statement *s) { return !a->only || strcmp(a->only, s->name) == 0; }

/* How many statements --only picks; says so where there is none. */
static size_t count_picked(const args *a, const aim_program *p) {
  const size_t n = aim_statement_count(p);
  size_t picked = 0;
  aim_statement s;
  for (size_t k = 0; k < n; k++) picked += aim_statement_get(p, k, &s) == AIM_OK && is_picked(a, &s);
  if (picked) return picked;
  if (!a->only) {
    fprintf(stderr, "aimc: there is no model in %s\n", a->file[0]);
    return 0;
  }
  fprintf(stderr, "aimc: no statement has a result named `%s`; there %s:", a->only, n == 1 ? "is" : "are");
  for (size_t k = 0; k < n; k++)
    if (aim_statement_get(p, k, &s) == AIM_OK) fprintf(stderr, " %s", s.name);
  fputc('\n', stderr);
  return 0;
}

int each_statement(const args *a, aim_program *p, statement_visit *visit, void *user) {
  const size_t picked = count_picked(a, p);
  int status = picked ? EXIT_FINE : EXIT_WRONG;
  aim_statement s;
  for (size_t k = 0; k < aim_statement_count(p) && status == EXIT_FINE; k++)
    if (aim_statement_get(p, k, &s) == AIM_OK && is_picked(a, &s)) status = visit(a, p, k, picked, user);
  return status;
}

int statement_task(aim_program *p, size_t k, aim_task **t, aim_statement *s) {
  aim_status st = aim_task_statement(p, k, t);
  if (st == AIM_OK) st = aim_statement_get(p, k, s);
  if (st == AIM_OK) return EXIT_FINE;
  fprintf(stderr, "aimc: %s\n", aim_status_text(st));
  return exit_of(st);
}

int first_task(const args *a, aim_program *p, aim_task **t) {
  aim_statement s;
  size_t k = 0;
  if (!count_picked(a, p)) return EXIT_WRONG;
  while (aim_statement_get(p, k, &s) == AIM_OK && !is_picked(a, &s)) k++;
  return statement_task(p, k, t, &s);
}

int prepare_task(const args *a, aim_task *t) {
  aim_status st = AIM_OK;
  if (a->any_path) aim_data_anywhere(t);
  for (size_t k = 0; k < a->n_data && st == AIM_OK; k++) st = aim_data_text(t, a->data[k]);
  for (size_t k = 0; k < a->n_options && st == AIM_OK; k++) st = aim_set_text(t, a->option[k].name, a->option[k].value);
  return st == AIM_OK ? EXIT_FINE : report_task(a, t, st);
}

/* What each_task and each_bound_task visit with. */
typedef struct visiting {
  task_visit *visit;
  bool bound;
} visiting;

static int visit_task(const args *a, aim_program *p, size_t k, size_t picked, void *user) {
  (void)picked;
  const visiting *v = user;
  aim_task *t = NULL;
  aim_statement s;
  int status = statement_task(p, k, &t, &s);
  if (status == EXIT_FINE) status = prepare_task(a, t);
  if (status == EXIT_FINE) status = v->bound ? bind_task(a, t) : EXIT_FINE;
  if (status == EXIT_FINE) status = v->visit(a, t, s.name);
  aim_task_free(t);
  return status;
}

int bind_task(const args *a, aim_task *t) { return report_task(a, t, aim_bind(t)); }
int each_task(const args *a, aim_program *p, task_visit *visit) { return each_statement(a, p, visit_task, &(visiting){visit, false}); }
int each_bound_task(const args *a, aim_program *p, task_visit *visit) { return each_statement(a, p, visit_task, &(visiting){visit, true}); }
