/* model.c: programs of benchmarks, loaded and run through aim.h. */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <string.h>

const char bench_schools_text[] = "model eight_schools(y: real[J], sigma: real<lower = 0>[J]) {\n"
                                  "  mu  ~ Normal(0, 5)\n"
                                  "  tau ~ HalfCauchy(5)\n"
                                  "  plate j in 1..J {\n"
                                  "    theta[j] ~ Normal(mu, tau)\n"
                                  "    y[j]     ~ Normal(theta[j], sigma[j])\n"
                                  "  }\n"
                                  "}\n";
const double bench_schools_y[8] = {28, 8, -3, 7, -1, 1, 18, 12};
const double bench_schools_sigma[8] = {15, 10, 16, 11, 9, 11, 10, 18};
const bench_data bench_schools_data[] = {
    {"y", bench_schools_y, NULL, 1, {8}}, {"sigma", bench_schools_sigma, NULL, 1, {8}}, {NULL}};

static void put(void *user, const char *s, size_t n) { fwrite(s, 1, n, user); }

/* The message of a status that is not AIM_OK. */
static bool right(bench_model *m, aim_status st) {
  if (st == AIM_OK) return true;
  fprintf(stderr, "bench: %s\n", aim_status_text(st));
  if (m->task)
    aim_task_messages(m->task, 0, put, stderr);
  else if (m->program)
    aim_program_messages(m->program, 0, put, stderr);
  return false;
}

static aim_status bind(aim_task *t, const bench_data *d) {
  return d->real ? aim_data_f64(t, d->name, d->real, d->rank, d->dims) : aim_data_i64(t, d->name, d->integer, d->rank, d->dims);
}

bool bench_model_open(bench_model *m, aim_vm *vm, const char *text, const bench_data *data) {
  memset(m, 0, sizeof *m);
  m->vm = vm ? vm : bench_vm(BENCH_VM);
  if (!right(m, aim_load(m->vm, "bench.aim", text, strlen(text), &m->program))) return false;
  if (!right(m, aim_task_model(m->program, NULL, &m->task))) return false;
  for (; data && data->name; data++)
    if (!right(m, bind(m->task, data))) return false;
  return true;
}

void bench_model_close(bench_model *m) {
  aim_task_free(m->task);
  aim_program_free(m->program);
  aim_vm_free(m->vm);
  memset(m, 0, sizeof *m);
}

bool bench_model_evaluator(bench_model *m, aim_evaluator **out) { return right(m, aim_evaluator_new(m->task, out)); }

double bench_model_run(bench_model *m, const char *method, const char *const *names, const int64_t *values) {
  if (!right(m, aim_set_text(m->task, "method", method)) || !right(m, aim_set_int(m->task, "threads", 1))) return -1;
  for (size_t k = 0; names[k]; k++)
    if (!right(m, aim_set_int(m->task, names[k], values[k]))) return -1;
  if (!right(m, aim_bind(m->task))) return -1;
  double began = bench_cpu();
  if (!right(m, aim_run(m->task, NULL))) return -1;
  return bench_cpu() - began;
}
