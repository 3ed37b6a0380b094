/* What a run leaves behind: numbers as text, the store of draws, CmdStan CSV, run.json and the summary.  The statistical figures of
 * the summary are those of diagnose.h, which has tests of its own. */
#include "tests/unit/comma_locale.h"
#include "tests/unit/golden.h"
#include "tests/unit/host.h"
#include "vm/csv_writer.h"
#include "vm/diagnose.h"
#include "vm/draws.h"
#include "vm/number_text.h"
#include "vm/run_json.h"
#include "vm/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A directory of the test's own; gone at the end of the program. */
static char directory[] = "/tmp/aim-output-XXXXXX";
static char *in_directory(const char *name) {
  static char path[4][128];
  static int next;
  char *p = path[next++ % 4];
  snprintf(p, sizeof path[0], "%s/%s", directory, name);
  return p;
}

/* --- numbers ------------------------------------------------------------------------------------------------------- */

static void test_number_text(void **state) {
  (void)state;
  static const struct { double x; const char *text; } cases[] = {
      {0, "0"}, {-0.0, "-0"}, {1, "1"}, {-17, "-17"}, {0.1, "0.1"}, {0.8, "0.8"}, {1.5, "1.5"}, {1.0 / 3, "0.3333333333333333"},
      {0.1 + 0.2, "0.30000000000000004"}, {1e15, "1000000000000000"}, {12345678901234568.0, "12345678901234568"}, {123456789012345680.0, "1.2345678901234568e+17"}, {1e17, "1e+17"}, {1e22, "1e+22"},
      {1.5e300, "1.5e+300"}, {1e-5, "0.00001"}, {0.000123, "0.000123"}, {1.25e-6, "1.25e-06"}, {5e-324, "4.94065645841247e-324"},
      {2.2250738585072014e-308, "2.2250738585072014e-308"}, {1.7976931348623157e308, "1.7976931348623157e+308"}, {INFINITY, "inf"}, {-INFINITY, "-inf"}, {NAN, "nan"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[NUMBER_TEXT_SIZE];
    size_t n = number_text(text, cases[i].x);
    assert_string_equal(text, cases[i].text);
    assert_int_equal(n, strlen(text));
  }
}

/* The digits of a number from its first that is not 0 to its last such; their number. */
static size_t significant(char *out, const char *s) {
  size_t n = 0;
  for (; *s && *s != 'e'; s++)
    if (*s >= '0' && *s <= '9' && (n || *s != '0')) out[n++] = *s;
  while (n && out[n - 1] == '0') n--;
  out[n] = '\0';
  return n;
}

/* Bits survive; and no text of 15 or 16 digits that would do is passed over. */
static void test_number_text_round_trip(void **state) {
  (void)state;
  uint64_t s = 7;
  for (int i = 0; i < 1000000; i++) {
    uint64_t bits = next_random(&s);
    double x, back;
    memcpy(&x, &bits, 8);
    if (i % 4 == 1) x = (double)(int64_t)bits * 0x1p-63;
    if (i % 4 == 3) x = (double)(int64_t)(bits >> 20) / (double)(int64_t[]){1, 10, 1000, 1000000, 10000000000}[i / 4 % 5];
    if (i % 4 == 2) x = ldexp((double)(bits >> 40), (int)(bits % 60) - 40);
    if (!isfinite(x)) continue;
    char text[NUMBER_TEXT_SIZE], other[64];
    size_t n = number_text(text, x);
    assert_true(n < NUMBER_TEXT_SIZE && n == strlen(text));
    back = strtod(text, NULL);
    assert_memory_equal(&back, &x, 8);
    char digits[64], others[64];
    size_t used = significant(digits, text);
    for (size_t fewer = 15; fewer < used; fewer++) {
      snprintf(other, sizeof other, "%.*e", (int)fewer - 1, x);
      assert_true(strtod(other, NULL) != x);
    }
    /* Of its length it is the nearest decimal. */
    snprintf(other, sizeof other, "%.*e", (int)(used < 15 ? 15 : used) - 1, x);
    significant(others, other);
    assert_string_equal(digits, others);
  }
}

static void test_number_text_fixed(void **state) {
  (void)state;
  static const struct { double x; int decimals; const char *text; } cases[] = {
      {1.005, 2, "1.00"}, {2.5, 0, "2"}, {-0.004, 2, "0.00"}, {-3.14159, 3, "-3.142"}, {123456.7, -2, "123457"}, {1e12, 2, "1.000e+12"},
      {-1e300, 2, "-1.000e+300"}, {999999999999.0, 15, "999999999999.000000000000000"}, {NAN, 2, "nan"}, {-INFINITY, 2, "-inf"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[NUMBER_TEXT_SIZE];
    size_t n = number_text_fixed(text, cases[i].x, cases[i].decimals);
    assert_string_equal(text, cases[i].text);
    assert_int_equal(n, strlen(text));
  }
}

/* --- draws --------------------------------------------------------------------------------------------------------- */

static const draws_quantity quantities[] = {
    {"mu", 0, NULL}, {"theta", 1, (const int64_t[]){3}}, {"none", 2, (const int64_t[]){4, 0}}, {"Sigma", 2, (const int64_t[]){2, 3}}};
enum { COLUMNS = 10 };

static const double stats_row[DRAWS_N_STATS] = {-7.25, 0.875, 0.5, 2, 3, 0, 9.5};

static void test_draws(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  draws *d = draws_create(&alloc, quantities, 4, 2, 5);
  assert_non_null(d);
  assert_int_equal(draws_columns(d), COLUMNS);
  assert_int_equal(draws_bytes(d), h.bytes);
  static const char *const names[COLUMNS] = {"mu", "theta[1]", "theta[2]", "theta[3]", "Sigma[1,1]", "Sigma[2,1]", "Sigma[1,2]", "Sigma[2,2]", "Sigma[1,3]", "Sigma[2,3]"};
  static const size_t cells[COLUMNS] = {0, 0, 1, 2, 0, 3, 1, 4, 2, 5};
  for (size_t k = 0; k < COLUMNS; k++) {
    char name[16], dotted[16], cut[4];
    assert_int_equal(draws_name(d, k, name, sizeof name), strlen(names[k]));
    assert_string_equal(name, names[k]);
    draws_csv_name(d, k, dotted, sizeof dotted);
    assert_int_equal(draws_name(d, k, cut, sizeof cut), strlen(names[k]));
    assert_memory_equal(cut, names[k], strlen(names[k]) < 3 ? strlen(names[k]) : 3);
    assert_int_equal(draws_find(d, name), k);
    assert_int_equal(draws_find(d, dotted), k);
    assert_int_equal(draws_cell_of(d, k), cells[k]);
    assert_int_equal(draws_column(d, draws_quantity_of(d, k), cells[k]), k);
  }
  static const char *const absent[] = {"", "m", "mu[1]", "theta", "theta[0]", "theta[4]", "theta[01]", "theta[1", "theta[1]x", "theta.1]", "theta[1,1]", "Sigma[1.1]", "Sigma[3,1]",
                                       "none[1,1]", "theta[18446744073709551617]"};
  for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) assert_int_equal(draws_find(d, absent[i]), (size_t)-1);
  size_t calls = h.calls;
  double row[COLUMNS];
  for (int r = 0; r < 5; r++) {
    for (int k = 0; k < COLUMNS; k++) row[k] = 100 * r + k;
    assert_int_equal(draws_added(d, 1), r);
    assert_int_equal(r % 2 ? draws_add(d, 1, row, stats_row) : draws_add_cells(d, 1, row, stats_row), 0);
  }
  assert_int_equal(draws_add(d, 1, row, stats_row), -1);
  assert_int_equal(draws_count(d, 1), 5);
  assert_int_equal(draws_count(d, 0), 0);
  assert_int_equal(h.calls, calls); /* a draw allocates nothing */
  /* Sigma[2,1] is row-major cell 3, so place 4 + 3 of the cells, and column 5. */
  assert_true(draws_of(d, 1, 5)[1] == 105 && draws_of(d, 1, 5)[2] == 207);
  assert_true(draws_stat_of(d, 1, DRAWS_ENERGY)[4] == 9.5);
  assert_ptr_equal(draws_of(d, 1, 5), draws_of(d, 0, 5) + draws_chain_stride(d));
  draws_free(d);
  assert_int_equal(h.bytes, 0);
}

/* In a CSV header a point stands before an index, and only there. */
static void test_csv_names(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  static const int64_t two[] = {2};
  static const draws_quantity odd[] = {{"hs.beta", 1, two}, {"max(a, b)", 0, NULL}, {"say \"x\"", 0, NULL}};
  static const char *const expected[] = {"hs:beta.1", "hs:beta.2", "max(a; b)", "say 'x'"}, *const plain[] = {"hs.beta[1]", "hs.beta[2]", "max(a, b)", "say \"x\""};
  draws *d = draws_create(&alloc, odd, 3, 1, 1);
  for (size_t k = 0; k < 4; k++) {
    char name[32];
    draws_csv_name(d, k, name, sizeof name);
    assert_string_equal(name, expected[k]);
    assert_int_equal(draws_find(d, expected[k]), k);
    assert_int_equal(draws_find(d, plain[k]), k);
  }
  assert_int_equal(draws_find(d, "hs.beta.1"), (size_t)-1);
  draws_free(d);
}

static void test_draws_refuses(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  static const int64_t large[] = {1 << 20, 1 << 20}, negative[] = {-1};
  const draws_quantity bad[] = {{"x", 2, large}, {"x", 1, negative}, {"x", DRAWS_MAX_RANK + 1, large}, {"x", -1, NULL}};
  for (size_t i = 0; i < 4; i++) assert_null(draws_create(&alloc, &bad[i], 1, 1, 1));
  assert_null(draws_create(&alloc, quantities, 4, 0, 1));
  assert_null(draws_create(&alloc, quantities, 4, 1, (size_t)-1 / 8));
  draws_free(NULL);
  draws *d = draws_create(&alloc, NULL, 0, 1, 0); /* a model without quantities */
  assert_non_null(d);
  assert_int_equal(draws_add(d, 0, NULL, stats_row), -1);
  draws_free(d);
  for (size_t at = 1;; at++) {
    h = (host){.fail_at = at};
    d = draws_create(&alloc, quantities, 4, 2, 100);
    if (d) break;
    assert_int_equal(h.bytes, 0);
  }
  assert_true(h.calls >= 2);
  draws_free(d);
}

/* Rows that are handed on before they are many stay in their order. */
static void test_draws_wait(void **state) {
  (void)state;
  static const size_t flushed_at[] = {3, 10, 18};
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  draws *d = draws_create(&alloc, quantities, 4, 2, 21);
  for (size_t r = 0, f = 0; r < 21; r++) {
    double row[COLUMNS];
    for (int k = 0; k < COLUMNS; k++) row[k] = (double)(100 * r) + k;
    assert_int_equal(draws_add(d, 1, row, stats_row), 0);
    assert_int_equal(draws_added(d, 1), r + 1);
    if (f < 3 && r + 1 == flushed_at[f]) {
      f++;
      draws_flush(d, 1);
      assert_int_equal(draws_count(d, 1), r + 1);
    }
    for (size_t n = 0; n < draws_count(d, 1); n++)
      for (size_t k = 0; k < COLUMNS; k++) assert_true(draws_of(d, 1, k)[n] == (double)(100 * n + k));
  }
  assert_int_equal(draws_count(d, 1), 21);
  assert_int_equal(draws_count(d, 0), 0);
  draws_free(d);
}

typedef struct job {
  draws *d;
  int chain;
} job;

enum { THREAD_ROWS = 20000 };

static void *write_chain(void *arg) {
  job *j = arg;
  for (int r = 0; r < THREAD_ROWS; r++) {
    double row[COLUMNS];
    for (int k = 0; k < COLUMNS; k++) row[k] = r;
    draws_add(j->d, j->chain, row, stats_row);
  }
  return NULL;
}

/* A reader sees whole rows below the count while four writers run. */
static void test_draws_threads(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  draws *d = draws_create(&alloc, quantities, 4, 4, THREAD_ROWS);
  pthread_t threads[4];
  job jobs[4];
  for (int c = 0; c < 4; c++) {
    jobs[c] = (job){d, c};
    assert_int_equal(pthread_create(&threads[c], NULL, write_chain, &jobs[c]), 0);
  }
  for (size_t seen = 0; seen < THREAD_ROWS;) {
    seen = THREAD_ROWS;
    for (int c = 0; c < 4; c++) {
      size_t n = draws_count(d, c);
      if (n < seen) seen = n;
      for (size_t k = 0; n && k < COLUMNS; k++) assert_true(draws_of(d, c, k)[n - 1] == (double)(n - 1));
    }
  }
  for (int c = 0; c < 4; c++) pthread_join(threads[c], NULL);
  draws_free(d);
}

/* --- CSV ----------------------------------------------------------------------------------------------------------- */

/* A row of a store as the writer takes it. */
static int row_of(csv_writer *w, const draws *d, int chain, size_t row) {
  double values[COLUMNS], stats[DRAWS_N_STATS];
  for (size_t k = 0; k < COLUMNS; k++) values[k] = draws_of(d, chain, k)[row];
  for (int k = 0; k < DRAWS_N_STATS; k++) stats[k] = draws_stat_of(d, chain, (draws_stat)k)[row];
  return csv_row(w, values, stats);
}

static const csv_info info = {.model = "school", .method = "nuts", .version = "0.1.0", .data = "school.json", .seed = 18446744073709551615u, .chain = 2, .warmup = 100, .samples = 3,
                              .delta = 0.8, .max_depth = 10, .stepsize = 1};

static double cell_value(int row, int k) {
  static const double odd[] = {0.1, -1e-300, 1e22, 1.0 / 3, -0.0, 12345678.9};
  return k == 2 && row == 1 ? -INFINITY : k == 3 && row == 2 ? NAN : odd[(row + k) % 6];
}

static draws *filled(const aim_alloc *alloc, int rows) {
  draws *d = draws_create(alloc, quantities, 4, 1, 8);
  for (int r = 0; r < rows; r++) {
    double row[COLUMNS];
    for (int k = 0; k < COLUMNS; k++) row[k] = cell_value(r, k);
    draws_add(d, 0, row, stats_row);
  }
  draws_flush(d, 0);
  return d;
}

static int write_csv_of(const aim_alloc *alloc, const draws *d, const char *path, const csv_info *about) {
  csv_writer *w;
  int status = csv_open(&w, alloc, path, d, about);
  if (status) return status;
  if (about == &info) csv_adaptation(w, 0.40625, (const double[]){1, 0.25, 1.0 / 3}, 3);
  for (size_t r = 0; r < draws_count(d, 0); r++) row_of(w, d, 0, r);
  csv_elapsed(w, 0.25, 1.0625);
  return csv_close(w);
}

static int write_csv(const aim_alloc *alloc, const draws *d, const char *path) { return write_csv_of(alloc, d, path, &info); }

static void check_csv(const char *path, const draws *d) {
  size_t n = 0;
  char *s = golden_read(path, &n);
  assert_non_null(s);
  assert_true(golden_equal("tests/output/chain.csv", s));
  size_t row = 0;
  for (char *line = strtok(s, "\n"); line; line = strtok(NULL, "\n")) {
    if (*line == '#' || *line == 'l') continue;
    for (size_t k = 0; k < DRAWS_N_STATS + COLUMNS; k++) {
      double x = strtod(line, &line), want = k < DRAWS_N_STATS ? stats_row[k] : draws_of(d, 0, k - DRAWS_N_STATS)[row];
      if (isnan(want)) assert_true(isnan(x));
      else assert_memory_equal(&x, &want, 8);
      assert_int_equal(*line, k + 1 < DRAWS_N_STATS + COLUMNS ? ',' : '\0');
      line++;
    }
    line[-1] = '\0';
    row++;
  }
  assert_int_equal(row, draws_count(d, 0));
  free(s);
}

static void test_csv(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  draws *d = filled(&alloc, 3);
  char *path = in_directory("school-2.csv");
  assert_int_equal(write_csv(&alloc, d, path), 0);
  check_csv(path, d);
  assert_int_equal(write_csv(&alloc, d, path), 0); /* over the old file */
  check_csv(path, d);
  assert_int_equal(access(in_directory("school-2.csv.part"), F_OK), -1);
  draws_free(d);
  assert_int_equal(h.bytes, 0);
}

/* A row allocates nothing, and what csv_flush has returned from is in the file. */
static void test_csv_rows_arrive(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  draws *d = filled(&alloc, 3);
  char *path = in_directory("rows.csv");
  csv_writer *w;
  struct stat before, after;
  assert_int_equal(csv_open(&w, &alloc, path, d, &info), 0);
  assert_int_equal(stat(path, &before), 0); /* there from the start */
  size_t calls = h.calls;
  for (int i = 0; i < 5000; i++) assert_int_equal(row_of(w, d, 0, 1), 0);
  assert_int_equal(h.calls, calls);
  assert_int_equal(csv_flush(w), 0);
  assert_int_equal(stat(path, &after), 0);
  size_t n = 0;
  char *s = golden_read(path, &n);
  size_t lines = 0;
  for (size_t i = (size_t)before.st_size; i < n; i++) lines += s[i] == '\n';
  free(s);
  assert_int_equal(n, after.st_size);
  assert_int_equal(lines, 5000);
  assert_int_equal(csv_close(w), 0);
  draws_free(d);
}

static void test_csv_hostile_names(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  draws *d = filled(&alloc, 0);
  csv_info bad = info;
  char long_name[2000];
  memset(long_name, 'x', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = '\0';
  bad.model = "a\n1,2,3\r\x1b[2Jcaf\xc3\xa9\xff";
  bad.data = long_name;
  csv_writer *w;
  char *path = in_directory("hostile.csv");
  assert_int_equal(csv_open(&w, &alloc, path, d, &bad), 0);
  assert_int_equal(csv_close(w), 0);
  size_t n = 0;
  char *s = golden_read(path, &n);
  assert_non_null(strstr(s, "# model = a?1,2,3??[2Jcaf\xc3\xa9?\n"));
  assert_null(strchr(s, '\x1b'));
  for (char *line = strtok(s, "\n"); line; line = strtok(NULL, "\n")) assert_true(*line == '#' || strncmp(line, "lp__,", 5) == 0);
  free(s);
  draws_free(d);
}

static void test_csv_failures(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  draws *d = filled(&alloc, 3);
  assert_int_equal(write_csv(&alloc, d, "/nowhere/at/all.csv"), ENOENT);
  if (access("/dev/full", W_OK) == 0) {
    assert_int_equal(write_csv(&alloc, d, "/dev/full"), ENOSPC);
    struct stat st;
    assert_int_equal(stat("/dev/full", &st), 0);
    assert_true(S_ISCHR(st.st_mode)); /* written in place, not replaced */
  } else print_message("skipped: no /dev/full\n");
  assert_int_equal(mkdir(in_directory("taken.csv"), 0777), 0);
  assert_int_not_equal(write_csv(&alloc, d, in_directory("taken.csv")), 0);
  draws_free(d);
  assert_int_equal(h.bytes, 0);
}

/* The disk fills in the middle of a row: the file ends after a whole one, and the status stays. */
static void test_csv_disk_full(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  draws *d = filled(&alloc, 3);
  char *path = in_directory("full.csv");
  struct rlimit old, small;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  for (rlim_t limit = 2000; limit < 2200; limit += 7) {
    csv_writer *w;
    small = (struct rlimit){limit, old.rlim_max};
    assert_int_equal(csv_open(&w, &alloc, path, d, &info), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 40; i++) row_of(w, d, 0, 0);
    int flushed = csv_flush(w), again = row_of(w, d, 0, 0), closed = csv_close(w);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(flushed, EFBIG);
    assert_int_equal(again, EFBIG);
    assert_int_equal(closed, EFBIG);
    size_t n = 0, commas = 0;
    char *s = golden_read(path, &n);
    assert_true(n <= limit && n > limit - 400 && s[n - 1] == '\n');
    for (size_t i = n - 1; i-- > 0 && s[i] != '\n';) commas += s[i] == ',';
    assert_int_equal(commas, DRAWS_N_STATS + COLUMNS - 1);
    free(s);
  }
  signal(SIGXFSZ, handler);
  draws_free(d);
}

static void test_csv_allocations_fail(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  draws *d = filled(&alloc, 3);
  size_t base = h.bytes, failures = 0;
  for (size_t at = 1;; at++, failures++) {
    h.calls = 0;
    h.fail_at = at;
    int status = write_csv(&alloc, d, in_directory("memory.csv"));
    if (status == 0) break;
    assert_int_equal(status, ENOMEM);
    assert_int_equal(h.bytes, base);
  }
  assert_true(failures >= 3);
  h.fail_at = 0;
  draws_free(d);
}

static void test_csv_in_any_locale(void **state) {
  (void)state;
  if (!comma_locale()) {
    print_message("skipped: no locale with a decimal comma is installed or can be made\n");
    skip();
  }
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  draws *d = filled(&alloc, 3);
  char *path = in_directory("comma.csv"), text[NUMBER_TEXT_SIZE];
  int status = write_csv(&alloc, d, path);
  number_text_fixed(text, -1.25, 2);
  setlocale(LC_ALL, "C");
  assert_int_equal(status, 0);
  assert_string_equal(text, "-1.25");
  check_csv(path, d);
  draws_free(d);
}

static void test_lock(void **state) {
  (void)state;
  int first, second;
  assert_int_equal(csv_lock_take(directory, &first), 0);
  assert_int_equal(csv_lock_take(directory, &second), EWOULDBLOCK);
  assert_int_equal(second, -1);
  csv_lock_drop(second);
  csv_lock_drop(first);
  assert_int_equal(csv_lock_take(directory, &first), 0);
  csv_lock_drop(first);
  /* A process that dies with the lock leaves nothing in the way. */
  pid_t child = fork();
  if (child == 0) _exit(csv_lock_take(directory, &first) == 0 ? 7 : 1);
  int how;
  assert_int_equal(waitpid(child, &how, 0), child);
  assert_int_equal(WEXITSTATUS(how), 7);
  assert_int_equal(csv_lock_take(directory, &first), 0);
  csv_lock_drop(first);
  assert_int_equal(csv_lock_take("/nowhere/at/all", &first), ENOENT);
}

/* --- run.json ------------------------------------------------------------------------------------------------------ */

static const run_chain chains[] = {
    {.chain = 1, .stepsize = 0.40625, .draws = 1000, .divergent = 3, .leapfrogs = 7012, .accept_stat = 0.8, .ebfmi = 0.95, .warmup_seconds = 0.25, .sampling_seconds = 0.5, .file = "school-1.csv"},
    {.chain = 2, .stepsize = NAN, .draws = 0, .ebfmi = NAN, .accept_stat = NAN}};
static const run_info run = {.name = "school", .model = "school", .file = "a \"dir\"\\x\n\xff/school.aim", .method = "nuts", .version = "0.1.0", .build = "gcc 12", .data = (const char *const[]){"school.json", "caf\xc3\xa9.csv"},
                             .n_data = 2, .seed = 18446744073709551615u, .warmup = 1000, .draws = 1000, .thin = 1, .steps = 50, .draws_bytes = 800000, .target_accept = 0.8, .max_depth = 10, .metric = "diagonal", .chain = chains, .n_chains = 2,
                             .total_seconds = 0.75, .interrupted = true, .max_rhat = 1.01, .min_ess_bulk = 400.5, .min_ess_tail = NAN, .worst = "theta[3]",
                             .advice = "Look here.\nAnd there: \"x\".\n", .given = (const task_given[]){{"draws", "50"}, {NULL, "K = 2"}, {"save", "[mu]"}}, .n_given = 3, .any_path = true, .fingerprint = 0xabc, .until = "ess(400)"};

static void test_run_json(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  arena a;
  arena_init(&a, &alloc, 0);
  jmp_buf never;
  a.oom = &never;
  if (setjmp(never)) fail_msg("out of memory");
  char *path = in_directory("run.json");
  assert_int_equal(run_json_write(&run, path, &a), 0);
  assert_int_equal(run_json_write(&run, path, &a), 0);
  size_t n = 0;
  char *s = golden_read(path, &n);
  assert_true(golden_equal("tests/output/run.json", s));
  free(s);
  json_error_t e;
  json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &e);
  assert_non_null(root);
  assert_true(json_real_value(json_object_get(root, "seed")) == 18446744073709551615.0);
  assert_string_equal(json_string_value(json_object_get(root, "file")), "a \"dir\"\\x\n\xef\xbf\xbd/school.aim");
  assert_string_equal(json_string_value(json_array_get(json_object_get(root, "data"), 1)), "caf\xc3\xa9.csv");
  assert_true(json_is_null(json_object_get(json_array_get(json_object_get(root, "per_chain"), 1), "stepsize")));
  assert_int_equal(json_array_size(json_object_get(root, "per_chain")), 2);
  json_decref(root);
  assert_int_equal(access(in_directory("run.json.part"), F_OK), -1);
  assert_int_equal(run_json_write(&run, "/nowhere/at/all.json", &a), ENOENT);
  /* A file that cannot be replaced stays, and nothing is left beside it. */
  assert_int_equal(mkdir(in_directory("taken.json"), 0777), 0);
  assert_int_not_equal(run_json_write(&run, in_directory("taken.json"), &a), 0);
  assert_int_equal(access(in_directory("taken.json.part"), F_OK), -1);
  arena_free(&a);
  assert_int_equal(h.bytes, 0);
}

/* A method has the keys that mean something for it. */
static void test_run_json_methods(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  arena a;
  arena_init(&a, &alloc, 0);
  jmp_buf never;
  a.oom = &never;
  if (setjmp(never)) fail_msg("out of memory");
  static const char *const regions[] = {"East", "North \"\xff"};
  const program_levels levels[] = {{"region", regions, 2}};
  run_info i = run;
  i.method = "importance";
  i.weighted = true;
  i.particles = 10000;
  i.log_evidence = -2.5;
  i.log_evidence_se = NAN;
  i.effective_particles = 812.25;
  i.started = "2024-02-29T12:00:00Z";
  i.levels = levels;
  i.n_levels = 1;
  json_error_t e;
  json_t *root = json_loads(run_json_text(&i, &a), JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &e);
  assert_non_null(root);
  assert_true(json_real_value(json_object_get(root, "particles")) == 10000 && json_real_value(json_object_get(root, "log_evidence")) == -2.5);
  assert_true(json_real_value(json_object_get(root, "effective_particles")) == 812.25 && json_is_null(json_object_get(root, "log_evidence_se")));
  assert_string_equal(json_string_value(json_object_get(root, "started")), "2024-02-29T12:00:00Z");
  assert_string_equal(json_string_value(json_array_get(json_object_get(json_object_get(root, "levels"), "region"), 0)), "East");
  static const char *const absent[] = {"warmup", "thin", "steps", "target_accept", "max_depth", "metric", "diagnostics"};
  for (size_t k = 0; k < sizeof absent / sizeof *absent; k++) assert_null(json_object_get(root, absent[k]));
  assert_null(json_object_get(json_array_get(json_object_get(root, "per_chain"), 0), "stepsize"));
  json_decref(root);
  i = run;
  i.method = "mh";
  root = json_loads(run_json_text(&i, &a), JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &e);
  assert_non_null(root);
  assert_true(json_real_value(json_object_get(root, "steps")) == 50 && json_object_get(root, "diagnostics"));
  static const char *const gone[] = {"particles", "log_evidence", "target_accept", "max_depth", "metric", "started", "levels"};
  for (size_t k = 0; k < sizeof gone / sizeof *gone; k++) assert_null(json_object_get(root, gone[k]));
  json_decref(root);
  arena_free(&a);
  assert_int_equal(h.bytes, 0);
}

/* True when memory sufficed. */
static bool json_survives(arena *a) {
  jmp_buf here;
  a->oom = &here;
  if (setjmp(here)) return false;
  return run_json_write(&run, in_directory("memory.json"), a) == 0;
}

static void test_run_json_allocations_fail(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  arena a;
  bool done = false;
  for (size_t at = 1; !done; at++) {
    h = (host){.fail_at = at};
    arena_init(&a, &alloc, 0);
    done = json_survives(&a);
    assert_int_equal(access(in_directory("memory.json"), F_OK), done ? 0 : -1);
    arena_free(&a);
    assert_int_equal(h.bytes, 0);
  }
  assert_true(h.calls >= 1);
}

/* --- summary ------------------------------------------------------------------------------------------------------- */

static bool summary_survives(arena *a, const draws *d, strbuf *out) {
  jmp_buf here;
  a->oom = &here;
  if (setjmp(here)) return false;
  size_t n;
  summary_row *rows = summary_compute(d, a, &n);
  strbuf_init(out, a);
  summary_text(out, d, rows, n, 0, NULL);
  summary_tsv(out, d, rows, n);
  return true;
}

static void test_summary_text(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  draws *d = filled(&alloc, 3);
  arena a;
  arena_init(&a, &alloc, 0);
  jmp_buf never;
  a.oom = &never;
  if (setjmp(never)) fail_msg("out of memory");
  const summary_row rows[] = {
      {0, 4.4042, 0.1223, 3.2501, -1.02, 4.3911, 9.7777, 711.6, 1023.2, 1.0031},
      {1, -12345.678, 23.4, 1000.2, -13999.1, -12340.6, -10000.9, 1900, 2000, 1},
      {2, 0.000123456, 0.00000123, 0.00005, 0.00004, 0.00012, 0.0002, 4000, 3900, 0.9999},
      {3, 1e-12, 1e-14, 2e-13, 5e-13, 1e-12, 1.5e-12, 4000, 3900, 1.2345},
      {4, 1, NAN, 0, 1, 1, 1, NAN, NAN, NAN},
      {5, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN},
      {6, 3e14, 1e10, 1e12, 2e14, 3e14, 4e14, 10000, 12000.4, 1.0}};
  strbuf b;
  strbuf_init(&b, &a);
  summary_text(&b, d, rows, 7, 0, NULL);
  strbuf_putc(&b, '\n');
  summary_text(&b, d, rows, 7, 2, "out/school");
  strbuf_putc(&b, '\n');
  summary_text(&b, d, rows, 2, 1, NULL);
  strbuf_putc(&b, '\n');
  summary_text(&b, d, rows, 0, 0, NULL);
  strbuf_putc(&b, '\n');
  summary_tsv(&b, d, rows, 7);
  assert_true(golden_equal("tests/output/summary.txt", b.s));
  arena_free(&a);
  draws_free(d);
  assert_int_equal(h.bytes, 0);
}

static void test_summary_compute(void **state) {
  (void)state;
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  enum { N = 400 };
  draws *d = draws_create(&alloc, quantities, 4, 2, N + 10);
  uint64_t s = 3;
  double sum = 0;
  for (int c = 0; c < 2; c++)
    for (int r = 0; r < N + c; r++) { /* one chain is a row ahead, which is left out */
      double row[COLUMNS];
      for (int k = 0; k < COLUMNS; k++) row[k] = (double)next_random(&s) * 0x1p-64;
      row[4] = r % 2 ? nextafter(2, 3) : 2;
      if (r < N) sum += row[5];
      draws_add(d, c, row, stats_row);
    }
  arena a;
  arena_init(&a, &alloc, 0);
  jmp_buf never;
  a.oom = &never;
  if (setjmp(never)) fail_msg("out of memory");
  size_t n;
  summary_row *rows = summary_compute(d, &a, &n);
  assert_int_equal(n, COLUMNS);
  /* 800 additions of numbers in [0, 1] in another order: at most 800 roundings of a sum below 800 either way. */
  assert_true(fabs(rows[5].mean - sum / (2 * N)) <= 2 * 800 * 0x1p-53);
  diagnose_draws x = {draws_of(d, 0, 5), 2, N, draws_chain_stride(d), 1};
  double *work = ARENA_ARRAY(&a, double, diagnose_doubles(2, N));
  assert_true(rows[5].rhat == diagnose_rhat(&x, work) && rows[5].ess_bulk == diagnose_ess_bulk(&x, work) && rows[5].ess_tail == diagnose_ess_tail(&x, work));
  assert_true(rows[5].q5 < rows[5].q50 && rows[5].q50 < rows[5].q95 && rows[5].mcse > 0);
  assert_true(rows[4].mean == 2 && isnan(rows[4].rhat) && rows[4].sd == 0); /* constant but for rounding */
  arena_free(&a);
  /* Too few draws, or none, say so by NaN. */
  draws *few = filled(&alloc, 0);
  strbuf out;
  arena_init(&a, &alloc, 0);
  assert_true(summary_survives(&a, few, &out));
  assert_non_null(strstr(out.s, "- is not defined"));
  arena_free(&a);
  draws_free(few);
  size_t base = h.bytes, failures = 0;
  for (size_t at = 1;; at++, failures++) {
    h.calls = 0;
    h.fail_at = at;
    arena_init(&a, &alloc, 0);
    bool done = summary_survives(&a, d, &out);
    arena_free(&a);
    assert_int_equal(h.bytes, base);
    if (done) break;
  }
  assert_true(failures >= 1);
  h.fail_at = 0;
  draws_free(d);
}

/* --- other people's readers ---------------------------------------------------------------------------------------- */

static void test_arviz_opens_it(void **state) {
  (void)state;
  if (system("python3 -c 'import arviz' >/dev/null 2>&1") != 0) {
    print_message("skipped: python3 has no arviz\n");
    skip();
  }
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  draws *d = filled(&alloc, 3);
  assert_int_equal(write_csv(&alloc, d, in_directory("az-1.csv")), 0);
  assert_int_equal(write_csv(&alloc, d, in_directory("az-2.csv")), 0);
  char command[512];
  snprintf(command, sizeof command, "python3 tests/output/open_with_arviz.py %s/az-1.csv %s/az-2.csv", directory, directory);
  assert_int_equal(system(command), 0);
  csv_info mh = info;
  mh.method = "mh";
  assert_int_equal(write_csv_of(&alloc, d, in_directory("az-1.csv"), &mh), 0);
  assert_int_equal(write_csv_of(&alloc, d, in_directory("az-2.csv"), &mh), 0);
  assert_int_equal(system(command), 0);
  size_t n;
  char *s = golden_read(in_directory("az-1.csv"), &n);
  assert_non_null(strstr(s, "algorithm = mh"));
  assert_null(strstr(s, "nuts"));
  assert_null(strstr(s, "delta"));
  free(s);
  draws_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_number_text),
      cmocka_unit_test(test_number_text_round_trip),
      cmocka_unit_test(test_number_text_fixed),
      cmocka_unit_test(test_draws),
      cmocka_unit_test(test_csv_names),
      cmocka_unit_test(test_draws_refuses),
      cmocka_unit_test(test_draws_wait), cmocka_unit_test(test_draws_threads),
      cmocka_unit_test(test_csv),
      cmocka_unit_test(test_csv_rows_arrive),
      cmocka_unit_test(test_csv_hostile_names),
      cmocka_unit_test(test_csv_failures),
      cmocka_unit_test(test_csv_disk_full),
      cmocka_unit_test(test_csv_allocations_fail),
      cmocka_unit_test(test_csv_in_any_locale),
      cmocka_unit_test(test_lock),
      cmocka_unit_test(test_run_json),
      cmocka_unit_test(test_run_json_methods),
      cmocka_unit_test(test_run_json_allocations_fail),
      cmocka_unit_test(test_summary_text),
      cmocka_unit_test(test_summary_compute),
      cmocka_unit_test(test_arviz_opens_it),
  };
  if (!mkdtemp(directory)) {
    perror(directory);
    return 1;
  }
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  char command[64];
  snprintf(command, sizeof command, "rm -rf %s", directory);
  return system(command) != 0 || failed;
}
