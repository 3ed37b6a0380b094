/* process.c: the command as a process (start, whole run, memory), the way from a text to its first transition, and files of draws.
 */
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { RUNS = 31, FULL_RUNS = 15 };

bool bench_spawn(const char *const *argv, const char *out, double *seconds) {
  posix_spawn_file_actions_t f;
  posix_spawn_file_actions_init(&f);
  posix_spawn_file_actions_addopen(&f, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  posix_spawn_file_actions_addopen(&f, 2, "/dev/null", O_WRONLY, 0);
  pid_t child;
  int status = -1;
  double began = bench_now();
  bool right = posix_spawn(&child, argv[0], &f, NULL, (char *const *)argv, environ) == 0 && waitpid(child, &status, 0) == child;
  if (seconds) *seconds = bench_now() - began;
  posix_spawn_file_actions_destroy(&f);
  return right && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool file_of(const char *path, const char *text) {
  FILE *f = fopen(path, "w");
  return f && fputs(text, f) >= 0 && fclose(f) == 0;
}

/* Lines of a file that are no comment; 0 if it cannot be read. */
static long rows_of(const char *path) {
  FILE *f = fopen(path, "r");
  if (!f) return 0;
  long n = 0;
  bool start = true, comment = false;
  for (int c; (c = getc_unlocked(f)) != EOF; start = c == '\n') {
    if (start) comment = c == '#';
    n += c == '\n' && !comment;
  }
  fclose(f);
  return n;
}

static bool says(const char *path, const char *what) {
  char line[1024];
  bool found = false;
  FILE *f = fopen(path, "r");
  while (f && !found && fgets(line, sizeof line, f)) found = strstr(line, what) != NULL;
  if (f) fclose(f);
  return found;
}

/* Peak of resident memory, in bytes; negative if the program fails. */
static double peak_of(const bench *b, const char *const *argv) {
  const char *launched[16] = {bench_launch(b)}, *out = bench_text("%s/peak.txt", bench_dir(b));
  for (int n = 0; argv[n] && n < 14; n++) launched[n + 1] = argv[n];
  double bytes = -1;
  FILE *f = bench_spawn(launched, out, NULL) ? fopen(out, "r") : NULL;
  if (!f || fscanf(f, "%lf", &bytes) != 1) bytes = -1;
  if (f) fclose(f);
  return bytes;
}

/* The command against the empty process: times, and the peak of resident memory. */
static void command(bench *b, const char *name, const char *memory, const char *const *argv, long draws, int runs, double bar) {
  if (!bench_wanted(b, name) && !(memory && bench_wanted(b, memory))) return;
  const char *out = bench_text("%s/run.txt", bench_dir(b)), *csv = bench_text("%s/start/eight_schools-1.csv", bench_dir(b));
  const char *checked[16] = {0};
  int n = 0;
  for (; argv[n]; n++) checked[n] = argv[n];
  checked[n++] = "--out";
  checked[n] = bench_text("%s/start", bench_dir(b));
  remove(csv);
  /* The header is a row too. */
  if (!bench_spawn(checked, out, NULL) || rows_of(csv) != draws + 1 || !says(out, "theta")) {
    bench_wrong(b, name, "`%s run` fails, or its first chain has not %ld draws", argv[0], draws);
    return;
  }
  const char *empty[] = {bench_empty(b), NULL};
  double v[RUNS], w[RUNS], m[RUNS], e[RUNS];
  for (int k = 0; k < runs; k++)
    if (!bench_spawn(argv, "/dev/null", &v[k]) || !bench_spawn(empty, "/dev/null", &w[k]) ||
        (memory && ((m[k] = peak_of(b, argv)) < 0 || (e[k] = peak_of(b, empty)) < 0))) {
      bench_wrong(b, name, "a process failed");
      return;
    }
  for (int k = 0; k < runs; k++) {
    v[k] *= 1e3, w[k] *= 1e3;
    if (memory) m[k] *= 1e-6, e[k] *= 1e-6;
  }
  const char *check = bench_text("%ld draws in its file", draws);
  if (bench_wanted(b, name))
    bench_record(b, &(bench_row){name, "ms", BENCH_TIME, 1, "an empty process", bar, check, true}, v, w, runs);
  if (memory && bench_wanted(b, memory))
    bench_record(b, &(bench_row){memory, "MB", BENCH_TIME, 1, "an empty process", 0, check}, m, e, runs);
}

static void commands(bench *b) {
  const char *model = bench_text("%s/eight_schools.aim", bench_dir(b)), *data = bench_text("%s/eight_schools.json", bench_dir(b));
  const char *text = bench_text(
      "%sinfer eight_schools on \"eight_schools.json\" with nuts(chains = 4, warmup = 1000, draws = 1000)\n", bench_schools_text);
  if (!file_of(model, text) ||
      !file_of(data, "{\"y\": [28, 8, -3, 7, -1, 1, 18, 12], \"sigma\": [15, 10, 16, 11, 9, 11, 10, 18]}\n")) {
    bench_wrong(b, "start", "%s cannot be written", model);
    return;
  }
  const char *first[] = {bench_aimc(b), "run", model, "--chains", "1", "--warmup", "1", "--draws", "1", NULL};
  const char *whole[] = {bench_aimc(b), "run", model, NULL};
  command(b, "start_first_draw", NULL, first, 1, RUNS, 100);
  command(b, "run_eight_schools", "memory_eight_schools", whole, 1000, FULL_RUNS, 0);
}

/* ---- from a text to its first transition, in a process that runs already */

static bool text_to(bool run, double *draw) {
  bench_model m;
  const char *name[] = {"chains", "warmup", "draws", NULL};
  int64_t value[] = {1, 0, 1};
  bool right = bench_model_open(&m, NULL, bench_schools_text, bench_schools_data);
  if (right && run) {
    right = bench_model_run(&m, "nuts", name, value) >= 0;
    const double *mu = right ? aim_draws(m.task, 0, aim_quantity_find(m.task, "mu"), 0) : NULL;
    if (mu)
      *draw = mu[0];
    else
      right = false;
  } else if (right) {
    right = aim_set_text(m.task, "method", "nuts") == AIM_OK && aim_bind(m.task) == AIM_OK;
  }
  bench_model_close(&m);
  return right;
}

static void text_to_transition(void *ctx, long n) {
  for (long k = 0; k < n; k++) text_to(true, ctx);
}
static void text_to_bound(void *ctx, long n) {
  for (long k = 0; k < n; k++) text_to(false, ctx);
}

static void first_transition(bench *b) {
  const char *name = "text_to_first_transition";
  if (!bench_wanted(b, name)) return;
  double once = 0, again = 1;
  if (!text_to(true, &once) || !text_to(true, &again) || once != again)
    bench_wrong(b, name, "two runs of one seed differ, or fail");
  else
    bench_three(b, &(bench_row){name, "us", BENCH_TIME, 1e6, NULL, 0, "one seed, one draw", true},
                (bench_side){text_to_transition, &once}, (bench_side){0}, "text_to_bound", (bench_side){text_to_bound, &once},
                RUNS);
}

/* ---- rows of a CSV file a second: a run with files, less the same run without */

enum { ROWS = 50000, COLUMNS = 17 };

static double run_prior(const char *out) {
  bench_model m;
  const char *name[] = {"draws", NULL};
  int64_t value[] = {ROWS};
  double t = -1;
  if (bench_model_open(&m, NULL, bench_schools_text, bench_schools_data) && (!out || aim_set_text(m.task, "output", out) == AIM_OK))
    t = bench_model_run(&m, "prior", name, value);
  bench_model_close(&m);
  return t;
}

/* As many numbers as a row holds, with the digits that a double needs. */
static double rows_by_hand(const char *path, int columns) {
  bench_random r = {91};
  double *v = bench_alloc(ROWS, sizeof *v);
  for (int k = 0; k < ROWS; k++) v[k] = 10 * bench_normal(&r);
  double began = bench_cpu();
  FILE *f = fopen(path, "w");
  if (!f) return -1;
  for (int k = 0; k < ROWS; k++)
    for (int c = 0; c < columns; c++) fprintf(f, "%.17g%c", v[(k + c) % ROWS], c + 1 < columns ? ',' : '\n');
  bool right = fclose(f) == 0;
  free(v);
  return right ? bench_cpu() - began : -1;
}

static void csv(bench *b) {
  const char *name = "csv_rows", *out = bench_text("%s/csv", bench_dir(b)),
             *path = bench_text("%s/csv/eight_schools-1.csv", bench_dir(b));
  if (!bench_wanted(b, name)) return;
  remove(path);
  enum { CSV_RUNS = 9 };
  double v[CSV_RUNS], w[CSV_RUNS];
  if (run_prior(out) < 0 || rows_of(path) != ROWS + 1) {
    bench_wrong(b, name, "%s has not %d rows", path, ROWS);
    return;
  }
  for (int k = 0; k < CSV_RUNS; k++) {
    double with = run_prior(out), without = run_prior(NULL), hand = rows_by_hand(bench_text("%s/hand.csv", bench_dir(b)), COLUMNS);
    if (with < 0 || without < 0 || hand < 0) {
      bench_wrong(b, name, "the run failed");
      return;
    }
    v[k] = 1e-3 * ROWS / (with - without);
    w[k] = 1e-3 * ROWS / hand;
  }
  bench_record(b, &(bench_row){name, "k rows/s", BENCH_RATE, 1, "fprintf of as many numbers", 0, bench_text("%d rows", ROWS)}, v, w,
               CSV_RUNS);
}

void bench_process(bench *b) {
  commands(b);
  first_transition(b);
  csv(b);
}
