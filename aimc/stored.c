/* stored.c: runs from their directories (stored.h). */
#include "aimc/stored.h"

#include "vm/run_read.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The statement whose result it was; aim_statement_count if there is none. */
static size_t statement_of(const aim_program *p, const char *name) {
  size_t k = 0, n = aim_statement_count(p);
  aim_statement s;
  while (k < n && (aim_statement_get(p, k, &s) != AIM_OK || strcmp(s.name, name) != 0)) k++;
  return k;
}

static aim_status give(aim_task *t, const run_given *g) {
  aim_status st = AIM_OK;
  if (g->any_path) aim_data_anywhere(t);
  for (size_t k = 0; k < g->n_data && st == AIM_OK; k++) st = aim_data_text(t, g->data[k]);
  for (size_t k = 0; k < g->n_options && st == AIM_OK; k++) st = aim_set_text(t, g->option[k].option, g->option[k].value);
  return st == AIM_OK && g->seed ? aim_set_int(t, "seed", (int64_t)g->seed) : st;
}

static int open_given(const args *a, aim_vm *vm, const run_given *g, bool pointwise, stored *out) {
  int status;
  /* Paths are those of the command line that the run had. */
  if (access(g->program, R_OK) != 0) {
    fprintf(stderr, "aimc: \"%s\", the program of the run in \"%s\", is not there: start in the folder that the run was started in\n", g->program, out->directory);
    return EXIT_WRONG;
  }
  out->p = load(a, vm, g->program, &status);
  if (!out->p) return status;
  const size_t k = statement_of(out->p, g->name);
  if (k == aim_statement_count(out->p)) {
    fprintf(stderr, "aimc: \"%s\" has no result called `%s` any more, which is what the run in \"%s\" was\n", g->program, g->name, out->directory);
    return EXIT_WRONG;
  }
  aim_status st = aim_task_statement(out->p, k, &out->t);
  if (st == AIM_OK) st = give(out->t, g);
  if (st == AIM_OK && pointwise) st = aim_set_text(out->t, "pointwise", "on");
  if (st == AIM_OK) st = run_read(out->t, out->directory);
  return out->t ? report_task(a, out->t, st) : exit_of(st);
}

int stored_open(const args *a, aim_vm *vm, const char *directory, bool pointwise, stored *out) {
  *out = (stored){.directory = directory};
  struct stat is;
  if (stat(directory, &is) == 0 && !S_ISDIR(is.st_mode)) {
    fprintf(stderr, "aimc: \"%s\" is a file: %s wants the directory of a run (--out)\n", directory, a->command);
    return EXIT_WRONG;
  }
  arena mem;
  arena_init(&mem, &vm->alloc, 0);
  int status = EXIT_HOST;
  if (ARENA_TRY(&mem)) fputs("aimc: memory is exhausted\n", stderr);
  else {
    run_given g;
    const char *why = run_given_read(directory, &mem, &g);
    if (why) fprintf(stderr, "aimc: %s\n", why), status = EXIT_WRONG;
    else status = open_given(a, vm, &g, pointwise, out);
  }
  arena_free(&mem);
  return status;
}

void stored_close(stored *s) {
  aim_task_free(s->t);
  aim_program_free(s->p);
}
