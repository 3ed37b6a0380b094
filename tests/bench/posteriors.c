/* posteriors.c: effective draws a second for the posteriors of tests/posteriors, with the settings of their statements.
 *
 * Data and reference values are looked for in ../shared/posteriordb; a posterior that is not there is skipped.  The time is the
 * wall clock of aim_run, warm-up and files included; the draws are the smallest bulk effective sample size of any latent or tracked
 * cell.  Each run's files must pass check_posterior.  Runs differ by seed. */
#include "tests/bench/bench.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_RUNS = 5, MOST_CHAINS = 8, MOST_POSTERIORS = 256 };
#define ENOUGH_SECONDS 3.0 /* of one posterior: no further run begins after it */

static const char models[] = "tests/posteriors", references[] = "../shared/posteriordb";

static void put(void *user, const char *s, size_t n) { fwrite(s, 1, n, user); }
static double seconds(void *user) {
  (void)user;
  return bench_now();
}

static double smallest_ess(aim_task *t) {
  double least = INFINITY;
  aim_quantity q;
  for (size_t k = 0; aim_quantity_get(t, k, &q) == AIM_OK; k++)
    for (size_t c = 0; q.kind != AIM_PREDICTED && c < q.cells; c++) {
      aim_summary s;
      if (aim_summarise(t, k, c, &s) == AIM_OK && s.ess_bulk < least) least = s.ess_bulk;
    }
  return least;
}

static bool draws_pass(const bench *b, const char *reference, const char *out, const aim_plan *plan) {
  const char *argv[MOST_CHAINS + 4] = {bench_check_posterior(b), "--quiet", reference};
  for (uint32_t c = 0; c < plan->chains && c < MOST_CHAINS; c++) argv[3 + c] = bench_text("%s/%s-%u.csv", out, plan->name, c + 1);
  return bench_spawn(argv, bench_text("%s/check_posterior.txt", bench_dir(b)), NULL);
}

/* Seconds of one run, and its effective draws; says itself what is wrong. */
static bool run_once(bench *b, const char *name, const char *posterior, int64_t seed, double *time, double *ess) {
  const char *out = bench_text("%s/%s", bench_dir(b), posterior);
  aim_config c;
  aim_config_init(&c);
  c.clock = seconds;
  aim_vm *vm = aim_vm_new(&c);
  aim_program *p = NULL;
  aim_task *t = NULL;
  aim_plan plan;
  bool right =
      vm && aim_load_file(vm, bench_text("%s/%s.aim", models, posterior), &p) == AIM_OK && aim_task_statement(p, 0, &t) == AIM_OK &&
      aim_data_file(t, bench_text("%s/%s/data.json", references, posterior)) == AIM_OK && aim_set_int(t, "seed", seed) == AIM_OK &&
      aim_set_int(t, "threads", 2) == AIM_OK && aim_set_text(t, "output", out) == AIM_OK && aim_bind(t) == AIM_OK;
  if (right) {
    double began = bench_now();
    right = aim_run(t, NULL) == AIM_OK;
    *time = bench_now() - began;
  }
  if (!right) {
    if (t)
      aim_task_messages(t, 0, put, stderr);
    else if (p)
      aim_program_messages(p, 0, put, stderr);
    bench_wrong(b, name, "the run failed");
  } else {
    *ess = smallest_ess(t);
    right =
        aim_plan_get(t, &plan) == AIM_OK && draws_pass(b, bench_text("%s/%s/reference.json", references, posterior), out, &plan);
    if (!right)
      bench_wrong(b, name, "seed %lld: check_posterior does not pass, smallest effective sample size %.0f", (long long)seed, *ess);
  }
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
  return right;
}

static void posterior(bench *b, const char *posterior) {
  const char *name = bench_text("ess_%s", posterior);
  if (!bench_wanted(b, name)) return;
  if (access(bench_text("%s/%s/data.json", references, posterior), R_OK) != 0) {
    bench_skip(b, name, "no data in %s", references);
    return;
  }
  double rate[MOST_RUNS], total = 0, least = INFINITY;
  int n = 0;
  for (; n < MOST_RUNS && total < ENOUGH_SECONDS; n++) {
    double time, ess;
    if (!run_once(b, name, posterior, n + 1, &time, &ess)) return;
    rate[n] = ess / time;
    total += time;
    least = fmin(least, ess);
  }
  bench_record(b,
               &(bench_row){name, "ESS/s", BENCH_RATE, 1, NULL, 0,
                            bench_text("check_posterior passes; ESS %.0f; %.2f s a run", least, total / n), true},
               rate, NULL, n);
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

void bench_posteriors(bench *b) {
  const char *name[MOST_POSTERIORS];
  size_t n = 0;
  DIR *d = opendir(models);
  if (!d) {
    bench_skip(b, "ess", "no folder %s: benchmarks run in the root of the repository", models);
    return;
  }
  for (struct dirent *e; n < MOST_POSTERIORS && (e = readdir(d));) {
    size_t length = strlen(e->d_name);
    if (length > 4 && strcmp(e->d_name + length - 4, ".aim") == 0) name[n++] = bench_text("%.*s", (int)length - 4, e->d_name);
  }
  closedir(d);
  qsort(name, n, sizeof *name, by_name);
  for (size_t k = 0; k < n; k++) posterior(b, name[k]);
}
