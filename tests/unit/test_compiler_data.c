/* Data sets: what the readers accept, with values, places and levels; every wrong file in tests/data_bad with its whole message; limits;
 * the host's memory; and each allocation failing. */
#include "compiler/data.h"
#include "tests/unit/comma_locale.h"
#include "tests/unit/golden.h"
#include "tests/unit/data_fixture.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define START(f) \
  fixture f;     \
  start(&f)

static void print_diags(strbuf *b, const diag_list *l) {
  for (size_t i = 0; i < l->n; i++) {
    strbuf_printf(b, "%s %s\n", l->items[i]->code, l->items[i]->message);
    for (size_t k = 0; k < l->items[i]->nremarks; k++) strbuf_printf(b, "  help: %s\n", l->items[i]->remarks[k].text);
  }
}

static int json(fixture *f, const char *s) { return data_read_json(&f->ds, "t.json", s, strlen(s)); }
static int csv(fixture *f, const char *s) { return data_read_csv(&f->ds, "t.csv", s, strlen(s)); }

static const data_array *get(fixture *f, const char *name, data_kind kind, int rank, size_t cells) {
  const data_array *x = data_find(&f->ds, name);
  assert_non_null(x);
  assert_int_equal(x->kind, kind);
  assert_int_equal(x->rank, rank);
  assert_int_equal(x->cells, cells);
  return x;
}

static void same_reals(const data_array *x, const double *want) {
  for (size_t i = 0; i < x->cells; i++)
    if (isnan(want[i])) assert_true(isnan(x->f64[i]));
    else assert_memory_equal(&x->f64[i], &want[i], sizeof(double));
}

static void same_ints(const data_array *x, const int64_t *want) { assert_memory_equal(x->i64, want, x->cells * sizeof *want); }

/* --- what is read -------------------------------------------------------------------------------------------------- */

static void test_json_values(void **state) {
  (void)state;
  START(f);
  assert_int_equal(json(&f, "{\"N\": 3, \"mu\": -0.0, \"y\": [[1, 2, 3], [4, 5, 6]], \"x\": [1, 2.5, null, \"Inf\", \"-Infinity\", \"NaN\"],"
                            "\"b\": [true, false], \"e\": [], \"e2\": [[], []], \"none\": null, \"i\": [7, null],"
                            "\"big\": [9223372036854775807, -9223372036854775808], \"t\": [\"b\", \"a\", \"b\", null, \"\"]}"), 0);
  same_ints(get(&f, "N", DATA_INT, 0, 1), (int64_t[]){3});
  same_reals(get(&f, "mu", DATA_REAL, 0, 1), (double[]){-0.0});
  const data_array *y = get(&f, "y", DATA_INT, 2, 6);
  same_ints(y, (int64_t[]){1, 2, 3, 4, 5, 6});
  assert_int_equal(y->dims[0], 2);
  assert_int_equal(y->dims[1], 3);
  assert_null(y->missing);
  const data_array *x = get(&f, "x", DATA_REAL, 1, 6);
  same_reals(x, (double[]){1, 2.5, NAN, INFINITY, -INFINITY, NAN});
  assert_memory_equal(x->missing, ((uint8_t[]){0, 0, 1, 0, 0, 0}), 6); /* a NaN that is spelt out is not missing */
  assert_int_equal(x->n_missing, 1);
  same_ints(get(&f, "b", DATA_BOOL, 1, 2), (int64_t[]){1, 0});
  get(&f, "e", DATA_INT, 1, 0);
  const data_array *e2 = get(&f, "e2", DATA_INT, 2, 0);
  assert_int_equal(e2->dims[0], 2);
  assert_int_equal(e2->dims[1], 0);
  assert_int_equal(get(&f, "none", DATA_INT, 0, 1)->n_missing, 1);
  same_ints(get(&f, "i", DATA_INT, 1, 2), (int64_t[]){7, 0});
  same_ints(get(&f, "big", DATA_INT, 1, 2), (int64_t[]){INT64_MAX, INT64_MIN});
  const data_array *t = get(&f, "t", DATA_TEXT, 1, 5);
  same_ints(t, (int64_t[]){3, 2, 3, 0, 1});
  assert_int_equal(t->n_levels, 3);
  assert_string_equal(t->levels[0], "");
  assert_string_equal(t->levels[1], "a");
  assert_string_equal(t->levels[2], "b");
  assert_string_equal(data_cell_where(y, 5, &f.a), "key \"y\", element [2, 3]");
  assert_string_equal(data_cell_where(data_find(&f.ds, "N"), 0, &f.a), "key \"N\"");
  const double *reals = data_reals(data_find(&f.ds, "i"), &f.a);
  assert_true(reals[0] == 7 && isnan(reals[1]));
  assert_ptr_equal(data_reals(x, &f.a), x->f64);
  assert_null(data_find(&f.ds, "absent"));
  end(&f);
}

static void test_csv_values(void **state) {
  (void)state;
  START(f);
  assert_int_equal(csv(&f, "\xef\xbb\xbf\"\",id,score,ok,name,when,code\r\n"
                           "1,7,1.5,TRUE,\"Bo \"\"B\"\"\",,\"1\"\r\n"
                           "\r\n"
                           "2,-9223372036854775808, 2 ,false,\"NA\",NA,\"\"\r\n"
                           "3,+8,-1e-3,,\"two\nlines\",NA,\"2\"\r\n"
                           "4,NA,Inf,TRUE,\"\",NA,3"), 0);
  assert_int_equal(f.ds.n, 6); /* the column without a name is skipped */
  const data_array *id = get(&f, "id", DATA_INT, 1, 4);
  same_ints(id, (int64_t[]){7, INT64_MIN, 8, 0});
  assert_memory_equal(id->missing, ((uint8_t[]){0, 0, 0, 1}), 4);
  same_reals(get(&f, "score", DATA_REAL, 1, 4), (double[]){1.5, 2, -1e-3, INFINITY});
  same_ints(get(&f, "ok", DATA_BOOL, 1, 4), (int64_t[]){1, 0, 0, 1});
  const data_array *name = get(&f, "name", DATA_TEXT, 1, 4);
  assert_int_equal(name->n_missing, 0);
  assert_int_equal(name->n_levels, 4);
  assert_string_equal(name->levels[0], "");
  assert_string_equal(name->levels[1], "Bo \"B\"");
  assert_string_equal(name->levels[2], "NA");
  assert_string_equal(name->levels[3], "two\nlines");
  same_ints(name, (int64_t[]){2, 3, 4, 1});
  assert_int_equal(get(&f, "when", DATA_INT, 1, 4)->n_missing, 4);
  const data_array *code = get(&f, "code", DATA_INT, 1, 4); /* quotes do not make a number a text */
  same_ints(code, (int64_t[]){1, 0, 2, 3});
  assert_int_equal(code->n_missing, 1);
  assert_string_equal(data_cell_where(id, 0, &f.a), "line 2, column 2 (\"id\")");
  assert_string_equal(data_cell_where(id, 1, &f.a), "line 4, column 2 (\"id\")");
  assert_string_equal(data_cell_where(id, 3, &f.a), "line 7, column 2 (\"id\")");
  end(&f);
}

static void test_csv_shapes(void **state) {
  (void)state;
  static const char *const texts[] = {"a,b\n1,2\n", "a;b\n1;2\n", "a\tb\r\n1\t2", "a,b\r1,2\r", "\"a\",\"b\"\n\"1\",\"2\"\n", " a , b \n 1 ,\t2 \n"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    START(f);
    assert_int_equal(csv(&f, texts[i]), 0);
    same_ints(get(&f, "a", DATA_INT, 1, 1), (int64_t[]){1});
    same_ints(get(&f, "b", DATA_INT, 1, 1), (int64_t[]){2});
    end(&f);
  }
  START(f);
  assert_int_equal(csv(&f, "only,header\n"), 0);
  get(&f, "only", DATA_INT, 1, 0);
  assert_int_equal(data_read_csv(&f.ds, "u.csv", "flag\nTRUE\n1\n", 12), 0); /* neither all booleans nor all numbers */
  get(&f, "flag", DATA_TEXT, 1, 2);
  end(&f);
}

/* Every form of a real against strtod, which the C locale of this test makes right. */
static void test_csv_reals_are_exact(void **state) {
  (void)state;
  uint64_t s = 88172645463325252u;
  for (int i = 0; i < 20000; i++) {
    char text[128], line[160];
    s ^= s << 13, s ^= s >> 7, s ^= s << 17;
    double x;
    memcpy(&x, &s, 8);
    if (!isfinite(x)) continue;
    if (i % 3 == 0) snprintf(text, sizeof text, "%.17e", x);
    else if (i % 3 == 1) snprintf(text, sizeof text, "%.*f", i % 12, ldexp((double)(int64_t)s, -40));
    else snprintf(text, sizeof text, "%.*f", 1 + i % 25, (double)(s % 1000000) / 1e4);
    START(f);
    size_t n = (size_t)snprintf(line, sizeof line, "x\n%s\n0.5\n", text);
    assert_int_equal(data_read_csv(&f.ds, "t.csv", line, n), 0);
    double want = strtod(text, NULL);
    assert_memory_equal(&get(&f, "x", DATA_REAL, 1, 2)->f64[0], &want, 8);
    end(&f);
  }
}

static void test_many_names_and_merging(void **state) {
  (void)state;
  START(f);
  enum { N = 5000 };
  strbuf b;
  strbuf_init(&b, &f.a);
  strbuf_putc(&b, '{');
  for (int i = 0; i < N; i++) strbuf_printf(&b, "%s\"v%d\": %d", i ? ", " : "", i, i);
  strbuf_putc(&b, '}');
  assert_int_equal(json(&f, b.s), 0);
  assert_int_equal(csv(&f, "w,z,g\n1,2.5,a\n"), 0);
  for (int i = 0; i < N; i++) {
    char name[16];
    snprintf(name, sizeof name, "v%d", i);
    assert_int_equal(get(&f, name, DATA_INT, 0, 1)->i64[0], i);
  }
  assert_int_equal(f.ds.n, N + 3);
  /* A name that two files give is an error that names both; the others of the second file are there. */
  assert_int_equal(data_read_csv(&f.ds, "second.csv", "z,new\n5.5,6\n", 12), -1);
  assert_string_equal(f.diags.items[0]->code, "E0757");
  assert_string_equal(f.diags.items[0]->message, "second.csv, column 1 (\"z\"): the name \"z\" is taken already, by column 2 (\"z\") of t.csv");
  same_reals(get(&f, "z", DATA_REAL, 1, 1), (double[]){2.5});
  get(&f, "new", DATA_INT, 1, 1);
  /* Columns by which tables may be matched wait. */
  assert_int_equal(data_read_csv(&f.ds, "third.csv", "g\nb\n", 4), 0);
  assert_int_equal(f.ds.n_again, 1);
  assert_string_equal(f.ds.again[0]->levels[0], "b");
  assert_string_equal(get(&f, "g", DATA_TEXT, 1, 1)->levels[0], "a");
  end(&f);
}

/* --- the host ------------------------------------------------------------------------------------------------------ */

static void test_host(void **state) {
  (void)state;
  START(f);
  double x[6] = {1, 2, NAN, 4, 5, 6};
  int64_t n = 6;
  int32_t small[2] = {-1, INT32_MIN};
  assert_int_equal(data_bind_f64(&f.ds, "x", x, 2, (int64_t[]){2, 3}), 0);
  assert_int_equal(data_bind_i64(&f.ds, "n", &n, 0, NULL), 0);
  assert_int_equal(data_bind_i32(&f.ds, "small", small, 1, (int64_t[]){2}), 0);
  assert_int_equal(data_bind_f64(&f.ds, "none", NULL, 2, (int64_t[]){0, 1ll << 62}), 0);
  assert_ptr_equal(get(&f, "x", DATA_REAL, 2, 6)->f64, x);
  assert_true(data_find(&f.ds, "x")->borrowed);
  assert_ptr_equal(get(&f, "n", DATA_INT, 0, 1)->i64, &n);
  same_ints(get(&f, "small", DATA_INT, 1, 2), (int64_t[]){-1, INT32_MIN});
  assert_string_equal(data_cell_where(data_find(&f.ds, "x"), 4, &f.a), "array \"x\" bound by the program, element [2, 2]");
  assert_int_equal(data_bind_missing(&f.ds, "x", (uint8_t[]){0, 0, 0, 2, 0, 0}), 0);
  const data_array *m = get(&f, "x", DATA_REAL, 2, 6);
  same_reals(m, (double[]){1, 2, NAN, NAN, 5, 6});
  assert_memory_equal(m->missing, ((uint8_t[]){0, 0, 0, 1, 0, 0}), 6);
  assert_true(x[3] == 4); /* the host's memory is as it was */
  assert_int_equal(f.ds.n_errors, 0);

  assert_int_equal(data_bind_f64(&f.ds, "x", x, 0, NULL), -1);
  assert_int_equal(data_bind_f64(&f.ds, "r", x, 17, (int64_t[]){1}), -1);
  assert_int_equal(data_bind_f64(&f.ds, "r", x, 1, (int64_t[]){-1}), -1);
  assert_int_equal(data_bind_f64(&f.ds, "r", x, 2, (int64_t[]){1ll << 40, 1ll << 40}), -1);
  assert_int_equal(data_bind_i64(&f.ds, "r", NULL, 1, (int64_t[]){3}), -1);
  assert_int_equal(data_bind_i64(&f.ds, "", &n, 0, NULL), -1);
  assert_int_equal(data_bind_missing(&f.ds, "absent", (uint8_t[]){0}), -1);
  strbuf b;
  strbuf_init(&b, &f.a);
  print_diags(&b, &f.diags);
  assert_string_equal(b.s,
                      "E0757 array \"x\" bound by the program: the name \"x\" is taken already, by array \"x\" bound by the program\n"
                      "  help: rename or remove one of the two\n"
                      "E0758 array \"r\": an array has 0 to 16 dimensions, with an extent for each\n"
                      "E0758 array \"r\": an extent is negative, or all together do not fit in memory\n"
                      "E0758 array \"r\": an extent is negative, or all together do not fit in memory\n"
                      "E0758 array \"r\": there are extents but no cells\n"
                      "E0756 array bound by the program: this name is empty; names have 1 to 1024 bytes\n"
                      "E0758 array \"absent\": no array of this name has been bound\n");
  end(&f);
}

/* --- wrong input --------------------------------------------------------------------------------------------------- */

static void test_wrong_files(void **state) {
  (void)state;
  START(f);
  size_t n;
  char **names = golden_list("tests/data_bad", "", &n);
  assert_true(n >= 60);
  strbuf b;
  strbuf_init(&b, &f.a);
  for (size_t i = 0; i < n; i++) {
    if (names[i][0] == '.' || strcmp(names[i], "expected") == 0) continue;
    START(g);
    int status = data_read_file(&g.ds, arena_printf(&f.a, "tests/data_bad/%s", names[i]));
    if (status != -1 || g.diags.errors == 0) fail_msg("%s was accepted", names[i]);
    assert_int_equal(g.ds.n_errors, g.diags.errors);
    strbuf_printf(&b, "--- %s\n", names[i]);
    print_diags(&b, &g.diags);
    end(&g);
  }
  /* What must never be printed: contents. */
  assert_null(strstr(b.s, "hunter2"));
  assert_null(strstr(b.s, "root:"));
  assert_null(strstr(b.s, "BEGIN"));
  assert_true(golden_equal("tests/data_bad/expected", b.s));
  golden_list_free(names, n);
  end(&f);
}

static void test_files_that_cannot_be_read(void **state) {
  (void)state;
  START(f);
  assert_int_equal(data_read_file(&f.ds, "tests/no such.json"), -1);
  assert_int_equal(data_read_file(&f.ds, "model.aim"), -1);
  assert_int_equal(data_read_file(&f.ds, ".json"), -1);
  char path[] = "/tmp/aim-data-XXXXXX.csv";
  int fd = mkstemps(path, 4);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, "a,b\n1,2\n", 8), 8);
  close(fd);
  f.ds.max_stream = 7;
  assert_int_equal(data_read_file(&f.ds, path), -1);
  assert_string_equal(f.diags.items[3]->code, "E0751");
  f.ds.max_stream = 8;
  assert_int_equal(data_read_file(&f.ds, path), 0);
  get(&f, "b", DATA_INT, 1, 1);
  unlink(path);
  strbuf b;
  strbuf_init(&b, &f.a);
  print_diags(&b, &f.diags);
  assert_non_null(strstr(b.s, "E0750 tests/no such.json: cannot be opened: No such file or directory\n"));
  assert_non_null(strstr(b.s, "E0752 model.aim: data files end in .json, .csv, .tsv, .npy,"));
  assert_non_null(strstr(b.s, "is larger than the limit of 7 bytes\n"));
  end(&f);
}

/* Many wrong rows are counted and bounded. */
static void test_error_limit(void **state) {
  (void)state;
  START(f);
  strbuf b;
  strbuf_init(&b, &f.a);
  strbuf_puts(&b, "a,b\n");
  for (int i = 0; i < 10000; i++) strbuf_puts(&b, "1\n");
  assert_int_equal(csv(&f, b.s), -1);
  assert_int_equal(f.diags.errors, DIAG_MAX_ERRORS);
  assert_int_equal(f.ds.n_errors, DIAG_MAX_ERRORS);
  end(&f);
}

static void test_limits(void **state) {
  (void)state;
  START(f);
  strbuf b;
  strbuf_init(&b, &f.a);
  for (int i = 0; i <= DATA_MAX_ARRAYS; i++) strbuf_printf(&b, "%sc%d", i ? "," : "", i);
  assert_int_equal(csv(&f, b.s), -1);
  assert_string_equal(f.diags.items[0]->message, "t.csv, line 1: there are more than 65536 columns");
  end(&f);
}

/* --- locale and memory --------------------------------------------------------------------------------------------- */

static void test_locale(void **state) {
  (void)state;
  if (!comma_locale()) {
    print_message("skipped: no locale with a decimal comma is installed or can be made\n");
    skip();
  }
  START(f);
  assert_int_equal(json(&f, "{\"j\": [1.5, 0.1]}"), 0);
  assert_int_equal(csv(&f, "c\n1.5\n0.12345678901234567890123\n"), 0);
  same_reals(get(&f, "j", DATA_REAL, 1, 2), (double[]){1.5, 0.1});
  same_reals(get(&f, "c", DATA_REAL, 1, 2), (double[]){1.5, 0.12345678901234567890123});
  end(&f);
  setlocale(LC_ALL, "C");
}

static void read_everything(fixture *f) {
  static const double host[2] = {1, 2};
  data_bind_f64(&f->ds, "h", host, 1, (int64_t[]){2});
  data_bind_missing(&f->ds, "h", (uint8_t[]){1, 0});
  json(f, "{\"x\": [[1, null], [2.5, 3]], \"t\": [\"b\", \"a\"], \"rows\": [[1], [2, 3]], \"bad\": [[[1], [2, 3]]]}");
  csv(f, "name,v,w\nAnn,1,NA\nBo,2,1.234567890123456789012345678901234567890123456789012345678901234567\n\nCy,3,4\n");
  csv(f, "name,u\n1,2,3\n");
  data_read_file(&f->ds, "tests/data_bad/ragged.json");
  data_read_file(&f->ds, "tests/data_bad/short_row.csv");
  json(f, "{\"x\": ");
}

/* True when the allocation that fails was met. */
static bool fails(fixture *f) {
  jmp_buf here;
  f->a.oom = &here;
  if (setjmp(here)) return true;
  read_everything(f);
  return false;
}

static void test_every_allocation_fails(void **state) {
  (void)state;
  START(f);
  read_everything(&f);
  size_t total = f.count.calls;
  assert_int_equal(f.ds.n_errors, 5);
  end(&f);
  for (int persistent = 0; persistent <= 1; persistent++)
    for (size_t at = 1; at <= total; at++) {
      start(&f);
      f.count.fail_at = at;
      f.count.persistent = persistent;
      if (!fails(&f)) fail_msg("request %zu of %zu was to fail", at, total);
      end(&f);
    }
}

/* A file that is written while it is read: at every point where it could be noticed it is the one file, the other, or said to have changed. */
typedef struct writing {
  host count;
  size_t at; /* the call at which the file changes */
  char *file;
  const char *other;
} writing;

static void *write_and_get(void *user, void *ptr, size_t old_size, size_t size) {
  writing *w = user;
  if (size && w->count.calls + 1 == w->at) memcpy(w->file, w->other, strlen(w->other));
  return host_fn(&w->count, ptr, old_size, size);
}

static char *repeated(const char *row, size_t bytes) {
  const size_t n = strlen(row);
  char *s = malloc(4 + bytes + 1);
  memcpy(s, "a,b\n", 4);
  for (size_t k = 0; k < bytes; k += n) memcpy(s + 4 + k, row, n);
  s[4 + bytes] = '\0';
  return s;
}

static bool are_all(const data_array *x, int64_t value) {
  for (size_t k = 0; k < x->cells; k++)
    if (x->i64[k] != value) return false;
  return true;
}

static void test_a_file_that_changes(void **state) {
  (void)state;
  enum { BYTES = 80000 };
  static const char *const rows[] = {"1,22222\n", "111\n", "1,\n\n", "1,x\n"}; /* fewer; of fewer cells; with gaps; of another kind */
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    char *other = repeated(rows[r], BYTES);
    size_t changed = 0;
    bool more = true;
    for (size_t at = 1; more; at++) {
      fixture f;
      writing w = {.at = at, .file = repeated("1,2\n", BYTES), .other = other};
      start(&f);
      f.alloc = (aim_alloc){write_and_get, &w};
      const int status = data_read_csv(&f.ds, "t.csv", w.file, 4 + BYTES);
      more = w.count.calls >= at;
      const data_array *a = data_find(&f.ds, "a"), *b = data_find(&f.ds, "b");
      if (status == 0 && !(are_all(a, 1) && (b->kind != DATA_INT || b->n_missing == b->cells || are_all(b, b->cells == BYTES / 4 ? 2 : 22222)))) fail_msg("change %zu at allocation %zu: a mixture", r, at);
      changed += status < 0 && strstr(f.diags.items[0]->message, "has changed while it was read") != NULL;
      arena_free(&f.a);
      assert_int_equal(w.count.bytes, 0);
      free(w.file);
    }
    free(other);
    assert_true(changed > 0 || r == 3);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_file_that_changes),
      cmocka_unit_test(test_json_values),
      cmocka_unit_test(test_csv_values),
      cmocka_unit_test(test_csv_shapes),
      cmocka_unit_test(test_csv_reals_are_exact),
      cmocka_unit_test(test_many_names_and_merging),
      cmocka_unit_test(test_host),
      cmocka_unit_test(test_wrong_files),
      cmocka_unit_test(test_files_that_cannot_be_read),
      cmocka_unit_test(test_error_limit),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_locale),
      cmocka_unit_test(test_every_allocation_fails),
  };
  if (setjmp(out_of_memory)) {
    fputs("out of memory\n", stderr);
    return 1;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
