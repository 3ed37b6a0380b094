/* cmd_report.c: aimc report: a page of one run that is over, or of several. */
#include "aimc/stored.h"

#include "aimc/report.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int write_page(const args *a, const stored *s, size_t n) {
  char beside[PATH_MAX];
  const char *path = a->object;
  if (!path) {
    snprintf(beside, sizeof beside, "%s/report.html", a->file[0]);
    path = beside;
  }
  report_run *run = calloc(n, sizeof *run);
  aim_status st = run ? AIM_OK : AIM_E_MEMORY;
  for (size_t k = 0; k < n && run; k++) run[k] = (report_run){.p = s[k].p, .t = s[k].t, .name = s[k].directory};
  if (st == AIM_OK) st = report_write(run, n, path);
  free(run);
  if (st == AIM_OK) return a->object ? EXIT_FINE : printf("%s\n", path) < 0 ? EXIT_HOST : EXIT_FINE;
  if (st != AIM_E_IO) return report_task(a, s[0].t, st);
  fprintf(stderr, "aimc: %s: %s\n", path, strerror(aim_task_errno(s[0].t)));
  return EXIT_HOST;
}

int cmd_report(const args *a, aim_vm *vm) {
  stored *s = calloc(a->n_files, sizeof *s);
  if (!s) {
    fputs("aimc: memory is exhausted\n", stderr);
    return EXIT_HOST;
  }
  int status = EXIT_FINE;
  for (size_t k = 0; k < a->n_files && status == EXIT_FINE; k++) status = stored_open(a, vm, a->file[k], false, &s[k]);
  if (status == EXIT_FINE) status = write_page(a, s, a->n_files);
  for (size_t k = 0; k < a->n_files; k++) stored_close(&s[k]);
  free(s);
  return status;
}
