/* cmd_check.c: aimc check: what is wrong with files, without their data. */
#include "aimc/aimc.h"

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }

int cmd_check(const args *a, aim_vm *vm) {
  int worst = EXIT_FINE;
  for (size_t k = 0; k < a->n_files; k++) {
    int status;
    aim_program *p = load(a, vm, a->file[k], &status);
    if (status > worst) worst = status;
    if (!p) continue;
    if (a->json) {
      aim_program_free(p);
      continue;
    }
    size_t models = aim_model_count(p), statements = 0;
    aim_statement s;
    for (size_t i = 0; i < aim_statement_count(p); i++) statements += aim_statement_get(p, i, &s) == AIM_OK && s.line > 0;
    if (!a->quiet) printf("%s: %zu model%s, %zu statement%s\n", a->file[k], models, plural(models), statements, plural(statements));
    for (size_t m = 0; m < models && !a->quiet; m++) {
      printf("  %s(", aim_model_name(p, m));
      aim_input in;
      for (size_t i = 0; aim_input_get(p, m, i, &in) == AIM_OK; i++)
        printf("%s%s: %s%s", i ? ", " : "", in.name, in.type, in.required ? "" : " = ...");
      printf(")");
      aim_latent l;
      for (size_t i = 0; aim_latent_get(p, m, i, &l) == AIM_OK; i++) printf("%s %s: %s", i ? "," : " ->", l.name, l.type);
      printf("\n");
    }
    aim_program_free(p);
  }
  return worst;
}
