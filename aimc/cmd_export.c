/* cmd_export.c: aimc export: the draws of a run that is over, in other formats. */
#include "aimc/stored.h"

#include <string.h>

int cmd_export(const args *a, aim_vm *vm) {
  if (a->n_files < 2) {
    fprintf(stderr, "aimc: export wants the directory of a run and where to: aimc export %s draws.nc\n", a->file[0]);
    return EXIT_WRONG;
  }
  bool pointwise = false;
  for (size_t k = 1; k < a->n_files; k++) {
    const char *dot = strrchr(a->file[k], '.');
    pointwise = pointwise || (dot && strcmp(dot, ".nc") == 0);
  }
  stored s;
  int status = stored_open(a, vm, a->file[0], pointwise, &s);
  for (size_t k = 1; k < a->n_files && status == EXIT_FINE; k++) status = report_task(a, s.t, aim_write_draws(s.t, a->file[k]));
  stored_close(&s);
  return status;
}
