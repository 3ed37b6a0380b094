/* embed.c: a program that brings its own data to a model and reads the posterior from memory.
 *
 *     cc embed.c -laim -ljansson -lm -lpthread && ./a.out */
#include <aim.h>

#include <stdio.h>
#include <string.h>

static const char *const model =
    "model eight_schools(y: real[J], sigma: real<lower = 0>[J]) {\n"
    "  mu  ~ Normal(0, 5)\n"
    "  tau ~ HalfCauchy(5)\n"
    "  plate j in 1..J {\n"
    "    theta[j] ~ Normal(mu, tau)\n"
    "    y[j]     ~ Normal(theta[j], sigma[j])\n"
    "  }\n"
    "}\n";

static void put(void *user, const char *text, size_t n) { fwrite(text, 1, n, user); }

static int infer(aim_task *t) {
  const double y[8] = {28, 8, -3, 7, -1, 1, 18, 12}, sigma[8] = {15, 10, 16, 11, 9, 11, 10, 18};
  const int64_t J = 8;
  aim_data_f64(t, "y", y, 1, &J);
  aim_data_f64(t, "sigma", sigma, 1, &J);
  aim_set_int(t, "seed", 2026);
  aim_set_real(t, "target_accept", 0.95);
  aim_status st = aim_run(t, NULL);
  if (st != AIM_OK) {
    aim_task_messages(t, 0, put, stderr);
    fprintf(stderr, "embed: %s\n", aim_status_text(st));
    return 1;
  }
  aim_summary_write(t, 0, put, stdout);

  /* How often is the effect of school A larger than that of school B? */
  size_t theta = aim_quantity_find(t, "theta"), larger = 0, all = 0;
  for (int c = 0; c < aim_chain_count(t); c++) {
    const double *a = aim_draws(t, c, theta, 0), *b = aim_draws(t, c, theta, 1);
    for (size_t k = 0; k < aim_draw_count(t, c); k++, all++) larger += a[k] > b[k];
  }
  printf("P(theta[1] > theta[2]) = %.2f\n", (double)larger / (double)all);
  return 0;
}

int main(void) {
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *program = NULL;
  aim_task *task = NULL;
  int failed = 1;
  if (vm && aim_load(vm, "eight_schools", model, strlen(model), &program) == AIM_OK && aim_task_model(program, NULL, &task) == AIM_OK)
    failed = infer(task);
  else if (program)
    aim_program_messages(program, 0, put, stderr);
  aim_task_free(task);
  aim_program_free(program);
  aim_vm_free(vm);
  return failed;
}
