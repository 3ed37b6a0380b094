/* posteriors.c: the posteriors of tests/posteriors, with the settings of their statements: effective draws a second, and for four metrics also to a gradient;
 * and the time from the command to a first transition.
 *
 * Data and reference values are looked for in ../shared/posteriordb, then in tests/posteriors/data; a posterior that is in neither is
 * skipped.  Effective draws: the time is the wall clock of aim_run, warm-up and files included; the draws are the smallest bulk
 * effective sample size of any latent or tracked cell.  Each run's files must pass check_posterior.  Runs differ by seed. */
#include "tests/bench/bench.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_RUNS = 5, MOST_CHAINS = 8, MOST_POSTERIORS = 256 };
#define ENOUGH_SECONDS 3.0 /* of one posterior: no further run begins after it */

static const char models[] = "tests/posteriors";

/* The folder of a posterior's data and reference; NULL if there is none. */
static const char *folder_of(const char *posterior) {
  static const char *const references[] = {"../shared/posteriordb", "tests/posteriors/data"};
  for (size_t k = 0; k < sizeof references / sizeof *references; k++) {
    const char *folder = bench_text("%s/%s", references[k], posterior);
    if (access(bench_text("%s/data.json", folder), R_OK) == 0) return folder;
  }
  return NULL;
}

static void put(void *user, const char *s, size_t n) { fwrite(s, 1, n, user); }
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

/* Of the kept draws of all chains. */
static double gradients(const aim_task *t) {
  double sum = 0;
  for (int c = 0; c < aim_chain_count(t); c++)
    for (size_t k = 0; k < aim_draw_count(t, c); k++) sum += aim_stats(t, c, AIM_STAT_LEAPFROGS)[k];
  return sum;
}

typedef struct run_figures {
  double time, ess, gradients;
} run_figures;

/* One run with a metric; NULL: that of the statement.  Says itself what is wrong. */
static bool run_once(bench *b, bench_engine engine, const char *name, const char *posterior, const char *folder, const char *metric, int64_t seed,
                     run_figures *of) {
  const char *out = bench_text("%s/%s", bench_dir(b), posterior);
  aim_vm *vm = bench_vm(engine);
  aim_program *p = NULL;
  aim_task *t = NULL;
  aim_plan plan;
  bool right =
      aim_load_file(vm, bench_text("%s/%s.aim", models, posterior), &p) == AIM_OK && aim_task_statement(p, 0, &t) == AIM_OK &&
      aim_data_file(t, bench_text("%s/data.json", folder)) == AIM_OK && aim_set_int(t, "seed", seed) == AIM_OK &&
      aim_set_int(t, "threads", 2) == AIM_OK && aim_set_text(t, "output", out) == AIM_OK &&
      (!metric || aim_set_text(t, "metric", metric) == AIM_OK) && aim_bind(t) == AIM_OK;
  if (right) {
    double began = bench_now();
    right = aim_run(t, NULL) == AIM_OK;
    of->time = bench_now() - began;
  }
  if (!right) {
    if (t)
      aim_task_messages(t, 0, put, stderr);
    else if (p)
      aim_program_messages(p, 0, put, stderr);
    bench_wrong(b, name, "the run failed");
  } else {
    of->ess = smallest_ess(t);
    of->gradients = gradients(t);
    right =
        aim_plan_get(t, &plan) == AIM_OK && draws_pass(b, bench_text("%s/reference.json", folder), out, &plan);
    if (!right)
      bench_wrong(b, name, "seed %lld: check_posterior does not pass, smallest effective sample size %.0f", (long long)seed, of->ess);
  }
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
  return right;
}

static void effective(bench *b, bench_engine engine, const char *posterior, const char *folder) {
  const char *name = bench_row_name(bench_text("ess_%s", posterior), engine);
  if (!bench_wanted(b, name) || !bench_has_engine(engine)) return;
  if (!folder) {
    bench_skip(b, name, "no data");
    return;
  }
  double rate[MOST_RUNS], total = 0, least = INFINITY;
  int n = 0;
  for (; n < MOST_RUNS && total < ENOUGH_SECONDS; n++) {
    run_figures of;
    if (!run_once(b, engine, name, posterior, folder, NULL, n + 1, &of)) return;
    rate[n] = of.ess / of.time;
    total += of.time;
    least = fmin(least, of.ess);
  }
  bench_record(b,
               &(bench_row){name, "ESS/s", BENCH_RATE, 1, NULL, 0,
                            bench_text("check_posterior passes; ESS %.0f; %.2f s a run", least, total / n), true},
               rate, NULL, n);
}

/* What a metric gains: effective draws a second, and to a thousand gradients of kept draws, against those of the diagonal metric with the same seeds. */
static void metrics(bench *b, const char *posterior, const char *folder) {
  enum { SEEDS = 3 };
  static const char *const metric[] = {"diagonal", "auto", "lowrank", "dense"};
  const bench_engine engine = bench_has_engine(BENCH_JIT) ? BENCH_JIT : BENCH_VM;
  double rate[SEEDS], share[SEEDS], rate0[SEEDS], share0[SEEDS];
  bool wanted = false;
  for (size_t m = 0; m < sizeof metric / sizeof *metric; m++)
    wanted = wanted || bench_wanted(b, bench_text("metric_%s/%s", posterior, metric[m])) || bench_wanted(b, bench_text("metric_%s/%s/gradients", posterior, metric[m]));
  if (!wanted || !folder) return;
  for (size_t m = 0; m < sizeof metric / sizeof *metric; m++) {
    const char *name = bench_text("metric_%s/%s", posterior, metric[m]), *by_gradient = bench_text("%s/gradients", name);
    bool own = bench_wanted(b, name) || bench_wanted(b, by_gradient);
    if (m > 0 && !own) continue; /* the baseline is always run */
    for (int k = 0; k < SEEDS; k++) {
      run_figures of;
      if (!run_once(b, engine, name, posterior, folder, metric[m], k + 1, &of)) return;
      rate[k] = of.ess / of.time;
      share[k] = 1e3 * of.ess / of.gradients;
    }
    if (m == 0) memcpy(rate0, rate, sizeof rate), memcpy(share0, share, sizeof share);
    const char *baseline = m ? "metric = diagonal" : NULL, *check = "check_posterior passes";
    if (bench_wanted(b, name)) bench_record(b, &(bench_row){name, "ESS/s", BENCH_RATE, 1, baseline, 0, check, true}, rate, m ? rate0 : NULL, SEEDS);
    if (bench_wanted(b, by_gradient)) bench_record(b, &(bench_row){by_gradient, "ESS/1000 gradients", BENCH_RATE, 1, baseline, 0, check}, share, m ? share0 : NULL, SEEDS);
  }
}

/* ---- the whole process, from the command to one transition of one chain */

/* Files that the command leaves in the cache, or removes: the folder holds nothing else. */
static long kernels(const char *folder, bool clear) {
  long n = 0;
  DIR *d = opendir(folder);
  if (!d) return 0;
  for (struct dirent *e; (e = readdir(d));) {
    if (e->d_name[0] == '.') continue;
    n++;
    if (clear) unlink(bench_text("%s/%s", folder, e->d_name));
  }
  closedir(d);
  return n;
}

typedef enum start { START_VM, START_COLD, START_WARM, STARTS } start;

/* What the rows of eight schools should reach, in ms; any cold start 60. */
enum { COLD_MS = 60, WARM_SCHOOLS_MS = 5 };

static void first_transition(bench *b, start how, const char *posterior, const char *folder) {
  static const char *const suffix[STARTS] = {"vm", "jit_cold", "jit_warm"};
  const char *name = bench_text("start_%s/%s", posterior, suffix[how]);
  if (!bench_wanted(b, name) || (how != START_VM && !bench_has_engine(BENCH_JIT)) || !folder) return;
  const char *home = bench_text("%s/home", bench_dir(b)), *cache = bench_text("%s/aim", home), *out = bench_text("%s/start.txt", bench_dir(b));
  const char *argv[] = {bench_aimc(b), "run", bench_text("%s/%s.aim", models, posterior), "--data", bench_text("%s/data.json", folder),
                        "--engine", how == START_VM ? "vm" : "jit", "--chains", "1", "--warmup", "1", "--draws", "1", NULL};
  const char *empty[] = {bench_empty(b), NULL};
  const int runs = how == START_COLD ? 7 : 15;
  double v[15], w[15];
  char absolute[4096];
  if ((mkdir(home, 0700) != 0 && errno != EEXIST) || !realpath(home, absolute) || setenv("XDG_CACHE_HOME", absolute, 1) != 0) {
    bench_wrong(b, name, "%s cannot be made", home);
    return;
  }
  bool right = true;
  if (how != START_COLD) right = bench_spawn(argv, out, NULL);
  for (int k = 0; k < runs && right; k++) {
    if (how == START_COLD) kernels(cache, true);
    right = bench_spawn(argv, out, &v[k]) && bench_spawn(empty, "/dev/null", &w[k]);
    v[k] *= 1e3, w[k] *= 1e3;
  }
  long kept = how == START_VM ? 0 : kernels(cache, false);
  unsetenv("XDG_CACHE_HOME");
  if (!right || (how != START_VM && kept == 0))
    bench_wrong(b, name, right ? "no kernel is in the cache afterwards" : "`aimc run` fails");
  else
    bench_record(b,
                 &(bench_row){name, "ms", BENCH_TIME, 1, "an empty process",
                              how == START_COLD ? COLD_MS : how == START_WARM && strncmp(posterior, "eight_", 6) == 0 ? WARM_SCHOOLS_MS : 0,
                              how == START_VM ? "exits with 0" : "exits with 0; its kernel is in the cache", true},
                 v, w, runs);
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
  for (size_t k = 0; k < n; k++)
    for (int how = 0; how < STARTS; how++) first_transition(b, (start)how, name[k], folder_of(name[k]));
  for (size_t k = 0; k < n; k++)
    for (int e = 0; e < BENCH_ENGINES; e++) effective(b, (bench_engine)e, name[k], folder_of(name[k]));
  for (size_t k = 0; k < n; k++) metrics(b, name[k], folder_of(name[k]));
}
