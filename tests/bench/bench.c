/* bench.c: timing, statistics and the report of `make bench`.
 *
 *     bench [-b build directory] [-c commit] [pattern]
 *
 * What it needs is in the build directory (aimc, aim-cc, check_posterior, bench/empty, bench/launch); bench.json goes there too.  Exit
 * status: 0 all right, 1 a benchmark gave a wrong result, 2 a file or argument is wrong. */
#include "tests/bench/bench.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RUN_SECONDS 4e-3 /* a timed run lasts at least this long: the clock's grain and one interrupt are then below a percent */
enum { MAX_RUNS = 101, RESAMPLES = 1000 };

struct bench {
  const char *pattern, *dir, *aimc, *empty, *launch, *check_posterior, *commit, *machine, *aim_cc;
  FILE *json;
  int rows, wrong, skipped;
};

static double read_clock(clockid_t which) {
  struct timespec t;
  clock_gettime(which, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_now(void) { return read_clock(CLOCK_MONOTONIC); }
double bench_cpu(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

void *bench_alloc(size_t count, size_t size) {
  void *p = calloc(count ? count : 1, size);
  if (!p) fputs("bench: out of memory\n", stderr), exit(2);
  return p;
}

const char *bench_text(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  char *s;
  if (vasprintf(&s, format, ap) < 0) fputs("bench: out of memory\n", stderr), exit(2);
  va_end(ap);
  return s;
}

const char *bench_dir(const bench *b) { return b->dir; }
const char *bench_aimc(const bench *b) { return b->aimc; }
const char *bench_aim_cc(const bench *b) { return b->aim_cc; }
const char *bench_empty(const bench *b) { return b->empty; }
const char *bench_launch(const bench *b) { return b->launch; }
const char *bench_check_posterior(const bench *b) { return b->check_posterior; }

bool bench_wanted(const bench *b, const char *name) { return !b->pattern || fnmatch(b->pattern, name, 0) == 0; }

/* Weyl sequence through a mixer (Steele, Lea and Flood 2014). */
static uint64_t next_bits(bench_random *r) {
  uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double bench_uniform(bench_random *r) { return ((double)(next_bits(r) >> 11) + 0.5) * 0x1p-53; }

double bench_normal(bench_random *r) {
  double u = bench_uniform(r), v = bench_uniform(r);
  return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* ---- statistics */

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(double *v, int n) {
  qsort(v, (size_t)n, sizeof *v, by_size);
  return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

/* 95 % percentile interval of the median (Efron and Tibshirani 1993), seeded, so that equal data give an equal interval. */
static void bootstrap(const double *v, int n, double *lo, double *hi) {
  bench_random r = {1};
  double m[RESAMPLES], s[MAX_RUNS];
  for (int k = 0; k < RESAMPLES; k++) {
    for (int i = 0; i < n; i++) s[i] = v[(int)(bench_uniform(&r) * n)];
    m[k] = median(s, n);
  }
  qsort(m, RESAMPLES, sizeof *m, by_size);
  *lo = m[RESAMPLES / 40];
  *hi = m[RESAMPLES - 1 - RESAMPLES / 40];
}

/* ---- the report */

static void number(FILE *f, const char *key, double v) {
  if (isfinite(v))
    fprintf(f, ", \"%s\": %.6g", key, v);
  else
    fprintf(f, ", \"%s\": null", key);
}

static void text(FILE *f, const char *key, const char *s) {
  fprintf(f, ", \"%s\": ", key);
  if (!s) {
    fputs("null", f);
    return;
  }
  putc('"', f);
  for (; *s; s++) {
    if (*s == '"' || *s == '\\') putc('\\', f);
    if ((unsigned char)*s >= ' ') putc(*s, f);
  }
  putc('"', f);
}

void bench_record(bench *b, const bench_row *row, const double *value, const double *base, int runs) {
  if (!row->check) {
    bench_wrong(b, row->name, "nothing was checked");
    return;
  }
  double v[MAX_RUNS], w[MAX_RUNS], lo, hi;
  if (runs > MAX_RUNS) runs = MAX_RUNS;
  memcpy(v, value, (size_t)runs * sizeof *v);
  bootstrap(v, runs, &lo, &hi);
  double mid = median(v, runs), from = NAN, p99 = v[(99 * (runs - 1) + 99) / 100];
  if (base) {
    memcpy(w, base, (size_t)runs * sizeof *w);
    from = median(w, runs);
  }
  /* A rate misses its bar from below, a time from above. */
  bool met = row->bar == 0 || (row->measure == BENCH_RATE ? mid >= row->bar : mid <= row->bar);
  if (row->most != 0 && !(base && mid <= row->most * from)) met = false;
  const char *verdict = row->bar == 0 && row->most == 0 ? "" : met ? "met" : "MISSED";
  FILE *f = b->json;
  fprintf(f, "%s  {\"name\": \"%s\"", b->rows++ ? ",\n" : "", row->name);
  number(f, "value", mid);
  text(f, "unit", row->unit);
  number(f, "min", v[0]);
  number(f, "max", v[runs - 1]);
  fprintf(f, ", \"runs\": %d", runs);
  text(f, "baseline", row->baseline);
  number(f, "ratio", base && from != 0 ? mid / from : NAN);
  number(f, "baseline_value", from);
  number(f, "p99", p99);
  fprintf(f, ", \"interval\": [%.6g, %.6g]", lo, hi);
  number(f, "bar", row->bar == 0 ? NAN : row->bar);
  number(f, "ratio_bar", row->most == 0 ? NAN : row->most);
  text(f, "check", row->check);
  text(f, "clock", row->wall ? "wall" : "processor");
  text(f, "machine", b->machine);
  text(f, "commit", b->commit);
  putc('}', f);
  fflush(f);

  char ratio[32] = "", bar[32] = "";
  if (base && from != 0) snprintf(ratio, sizeof ratio, "%.3g", mid / from);
  if (row->bar != 0) snprintf(bar, sizeof bar, "%.4g", row->bar);
  else if (row->most != 0) snprintf(bar, sizeof bar, "x%.3g", row->most);
  printf("%-58s %10.4g %-12s %10.4g %10.4g %4d  %6s  %8s %-6s  %s; %s\n", row->name, mid, row->unit, v[0], v[runs - 1], runs, ratio,
         bar, verdict, row->baseline ? row->baseline : "no baseline", row->check);
  fflush(stdout);
}

void bench_wrong(bench *b, const char *name, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  printf("%-58s WRONG: ", name);
  vprintf(format, ap);
  printf("\n");
  va_end(ap);
  fflush(stdout);
  b->wrong++;
}

void bench_skip(bench *b, const char *name, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  printf("%-58s skipped: ", name);
  vprintf(format, ap);
  printf("\n");
  va_end(ap);
  fflush(stdout);
  b->skipped++;
}

/* ---- timing */

static double timed(bench_side s, long n, bool wall) {
  double began = wall ? bench_now() : bench_cpu();
  s.body(s.ctx, n);
  return (wall ? bench_now() : bench_cpu()) - began;
}

/* Iterations that last RUN_SECONDS; the search itself warms caches, predictors and clocks. */
static long calibrate(bench_side s) {
  if (!s.body) return 0;
  timed(s, 1, false);
  for (long n = 1;; n *= 2) {
    double t = timed(s, n, false);
    if (t >= RUN_SECONDS || n > 1L << 40) {
      long more = (long)((double)n * RUN_SECONDS / t) + 1;
      return t > 2 * RUN_SECONDS && more < n ? more : n;
    }
  }
}

static double figure(const bench_row *row, double seconds) {
  return row->measure == BENCH_TIME ? seconds * row->scale : row->scale / seconds;
}

void bench_three(bench *b, const bench_row *row, bench_side a, bench_side base, const char *second, bench_side other, int runs) {
  bench_side side[3] = {a, base, other};
  long n[3];
  double v[3][MAX_RUNS];
  if (runs > MAX_RUNS) runs = MAX_RUNS;
  for (int s = 0; s < 3; s++) n[s] = calibrate(side[s]);
  for (int k = 0; k < runs; k++)
    for (int s = 0; s < 3; s++)
      if (side[s].body) v[s][k] = figure(row, timed(side[s], n[s], row->wall) / (double)n[s]);
  bench_record(b, row, v[0], base.body ? v[1] : NULL, runs);
  if (other.body) {
    bench_row r = *row;
    r.name = bench_text("%s/%s", row->name, second);
    r.baseline = "the figure above";
    r.bar = 0;
    bench_record(b, &r, v[2], v[0], runs);
  }
}

void bench_pair(bench *b, const bench_row *row, bench_side a, bench_side base, int runs) {
  bench_three(b, row, a, base, NULL, (bench_side){0}, runs);
}

/* ---- the machine */

static const char *cpu_name(void) {
  static char line[256];
  FILE *f = fopen("/proc/cpuinfo", "r");
  const char *name = "unknown processor";
  while (f && fgets(line, sizeof line, f)) {
    char *at = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || !at) continue;
    line[strcspn(line, "\n")] = 0;
    name = bench_text("%s", at + 2);
    break;
  }
  if (f) fclose(f);
  return name;
}

static const char *isa(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return "x86-64-v4";
  if (__builtin_cpu_supports("x86-64-v3")) return "x86-64-v3";
  return "x86-64-v2";
#else
  return "generic";
#endif
}

int main(int argc, char **argv) {
  bench b = {.commit = "unknown"};
  const char *build = "build";
  for (int o; (o = getopt(argc, argv, "b:c:")) != -1;) {
    if (o == 'b')
      build = optarg;
    else if (o == 'c')
      b.commit = optarg;
    else
      return 2;
  }
  const char *out = bench_text("%s/bench.json", build);
  b.dir = bench_text("%s/bench", build);
  b.aimc = bench_text("%s/aimc", build);
  b.aim_cc = bench_text("%s/aim-cc", build);
  b.empty = bench_text("%s/bench/empty", build);
  b.launch = bench_text("%s/bench/launch", build);
  b.check_posterior = bench_text("%s/check_posterior", build);
  /* A pattern without a star may match anywhere in the name. */
  if (optind < argc && argv[optind][0]) b.pattern = strchr(argv[optind], '*') ? argv[optind] : bench_text("*%s*", argv[optind]);
  b.machine = bench_text("%s, %ld processors, %s, compiler %s %s", cpu_name(), sysconf(_SC_NPROCESSORS_ONLN), isa(),
#ifdef __clang__
                         "clang",
#else
                         "gcc",
#endif
                         __VERSION__);
  if (mkdir(b.dir, 0777) != 0 && errno != EEXIST) return perror(b.dir), 2;
  b.json = fopen(out, "w");
  if (!b.json) return perror(out), 2;
  fputs("[\n", b.json);
  printf("%s; commit %s\n\n", b.machine, b.commit);
  printf("%-58s %10s %-12s %10s %10s %4s  %6s  %8s %-6s  %s\n", "benchmark", "median", "unit", "min", "max", "runs", "ratio", "bar",
         "", "baseline; check");
  bench_engines_set_up(&b);
  double began = bench_now();
  bench_density(&b);
  bench_sampling(&b);
  bench_spins(&b);
  bench_empathy(&b);
  bench_memory(&b);
  bench_process(&b);
  bench_compile(&b);
  bench_posteriors(&b);
  bench_threads(&b);
  fputs("\n]\n", b.json);
  bool written = !ferror(b.json);
  if (fclose(b.json) != 0 || !written) return perror(out), 2;
  printf("\n%d figures, %d wrong, %d skipped, %.0f s; %s\n", b.rows, b.wrong, b.skipped, bench_now() - began, out);
  return b.wrong ? 1 : 0;
}
