/* NetCDF as data: a file that netCDF4 wrote (tests/arrays/make_netcdf.py), from disk and from memory; damaged ones.  Skipped, and counted, where
 * there is no netCDF library: then the message has to say how to get it. */
#include "compiler/data_input.h"
#include "compiler/netcdf.h"
#include "tests/unit/data_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void need_library(void) {
  netcdf n;
  if (netcdf_open(&n)) return;
  fixture f;
  start(&f);
  assert_int_equal(data_read_file(&f.ds, "tests/arrays/netcdf.nc"), -1);
  assert_string_equal(f.diags.items[0]->code, "E0748");
  end(&f);
  print_message("skipped: no netCDF library is installed\n");
  skip();
}

static const data_array *get(fixture *f, const char *name, data_kind kind, int rank, size_t cells) {
  const data_array *x = data_find(&f->ds, name);
  if (!x) fail_msg("there is no %s", name);
  assert_int_equal(x->kind, kind);
  assert_int_equal(x->rank, rank);
  assert_int_equal(x->cells, cells);
  return x;
}

static void is_reals(const data_array *x, const double *want) {
  for (size_t k = 0; k < x->cells; k++) assert_true(x->f64[k] == want[k] || (isnan(want[k]) && isnan(x->f64[k])));
}

static void has_values(fixture *f) {
  is_reals(get(f, "x", DATA_REAL, 2, 6), (double[]){1.5, 2, 3, 4, 5, 6});
  const data_array *holes = get(f, "holes", DATA_REAL, 1, 3);
  is_reals(holes, (double[]){0.5, NAN, 2});
  assert_memory_equal(holes->missing, ((uint8_t[]){0, 1, 0}), 3);
  is_reals(get(f, "packed", DATA_REAL, 1, 3), (double[]){10, 10.5, 8});
  const data_array *n = get(f, "n", DATA_INT, 1, 3);
  assert_memory_equal(n->i64, ((int64_t[]){INT64_MAX, 0, 3}), 24);
  assert_int_equal(n->n_missing, 1);
  assert_memory_equal(get(f, "on", DATA_BOOL, 1, 3)->i64, ((int64_t[]){1, 0, 1}), 24);
  const data_array *name = get(f, "name", DATA_TEXT, 1, 3);
  assert_memory_equal(name->i64, ((int64_t[]){1, 2, 1}), 24);
  assert_string_equal(name->levels[1], "äpfel");
  const data_array *letters = get(f, "letters", DATA_TEXT, 1, 3);
  assert_memory_equal(letters->i64, ((int64_t[]){2, 3, 1}), 24);
  assert_string_equal(letters->levels[2], "abcde");
  assert_int_equal(get(f, "time", DATA_INT, 1, 2)->i64[1], 20);
  is_reals(get(f, "one", DATA_REAL, 0, 1), (double[]){2.5});
  is_reals(get(f, "y", DATA_REAL, 1, 2), (double[]){7, 8}); /* of observed_data; its coordinate and other groups are no data */
  assert_null(data_find(&f->ds, "obs"));
  assert_null(data_find(&f->ds, "mu"));
  assert_string_equal(data_cell_where(data_find(&f->ds, "x"), 3, &f->a), "variable \"x\", element [2, 2]");
}

static char *file_bytes(fixture *f, size_t *n) {
  FILE *in = fopen("tests/arrays/netcdf.nc", "rb");
  assert_non_null(in);
  char *s = ARENA_ARRAY(&f->a, char, 1 << 16);
  *n = fread(s, 1, 1 << 16, in);
  fclose(in);
  return s;
}

/* As what comes through a pipe is read. */
static int read_bytes(fixture *f, const char *bytes, size_t n) {
  data_input in = data_input_memory(&f->ds, "m.nc", bytes, n);
  return data_netcdf(&in);
}

static void test_values(void **state) {
  (void)state;
  need_library();
  fixture f;
  start(&f);
  if (data_read_file(&f.ds, "tests/arrays/netcdf.nc")) fail_msg("%s", f.diags.items[0]->message);
  has_values(&f);
  end(&f);
  start(&f);
  size_t n;
  const char *s = file_bytes(&f, &n);
  if (read_bytes(&f, s, n)) fail_msg("%s", f.diags.items[0]->message);
  has_values(&f);
  end(&f);
}

/* The classic format, as netCDF 3 had it: it knows no groups.  missing_value may be of another type than the variable, and 0.1 is then what
 * the cells can hold of it; one that is no integer marks no integer.  An array without a value has the kind that binds to any. */
static void test_classic(void **state) {
  (void)state;
  need_library();
  netcdf n;
  assert_true(netcdf_open(&n));
  char path[] = "/tmp/aim-classic-XXXXXX.nc";
  int fd = mkstemps(path, 3), root, dim, x, i, none;
  assert_true(fd >= 0);
  close(fd);
  const size_t at = 0, three = 3;
  assert_int_equal(n.create(path, NETCDF_CLOBBER, &root), 0);
  assert_int_equal(n.def_dim(root, "row", 3, &dim), 0);
  assert_int_equal(n.def_var(root, "x", NETCDF_FLOAT, 1, &dim, &x), 0);
  assert_int_equal(n.def_var(root, "i", NETCDF_INT, 1, &dim, &i), 0);
  assert_int_equal(n.def_var(root, "none", NETCDF_DOUBLE, 1, &dim, &none), 0);
  assert_int_equal(n.put_att_double(root, x, "missing_value", NETCDF_DOUBLE, 1, (double[]){0.1}), 0);
  assert_int_equal(n.put_att_double(root, i, "missing_value", NETCDF_DOUBLE, 1, (double[]){2.5}), 0);
  assert_int_equal(n.put_att_double(root, none, "missing_value", NETCDF_DOUBLE, 1, (double[]){NAN}), 0);
  assert_int_equal(n.enddef(root), 0);
  assert_int_equal(n.put_vara_double(root, x, &at, &three, (double[]){1, 0.1, 3}), 0);
  assert_int_equal(n.put_vara_longlong(root, i, &at, &three, (long long[]){1, 2, 3}), 0);
  assert_int_equal(n.put_vara_double(root, none, &at, &three, (double[]){NAN, NAN, NAN}), 0);
  assert_int_equal(n.close(root), 0);
  fixture f;
  start(&f);
  int status = data_read_file(&f.ds, path);
  remove(path);
  if (status) fail_msg("%s", f.diags.items[0]->message);
  is_reals(get(&f, "x", DATA_REAL, 1, 3), (double[]){1, NAN, 3});
  assert_int_equal(get(&f, "i", DATA_INT, 1, 3)->n_missing, 0);
  assert_int_equal(get(&f, "none", DATA_INT, 1, 3)->n_missing, 3);
  end(&f);
}

static void test_wrong(void **state) {
  (void)state;
  need_library();
  fixture f;
  start(&f);
  size_t n;
  const char *s = file_bytes(&f, &n);
  assert_int_equal(read_bytes(&f, s, n / 2), -1);
  assert_int_equal(read_bytes(&f, s, 0), -1);
  assert_int_equal(read_bytes(&f, "plain text, and no more than that\n", 34), -1);
  for (size_t k = 0; k < f.diags.n; k++) assert_string_equal(f.diags.items[k]->code, "E0745");
  end(&f);
}

/* Sizes that a small file cannot hold: of texts without a byte too, each of which takes a cell. */
static void test_size(void **state) {
  (void)state;
  need_library();
  netcdf n;
  assert_true(netcdf_open(&n));
  char path[] = "/tmp/aim-size-XXXXXX.nc";
  int fd = mkstemps(path, 3), root, dims[3], id;
  assert_true(fd >= 0);
  close(fd);
  assert_int_equal(n.create(path, NETCDF_CLOBBER | NETCDF_NETCDF4, &root), 0);
  assert_int_equal(n.def_dim(root, "a", 1 << 20, &dims[0]), 0);
  assert_int_equal(n.def_dim(root, "b", 1 << 20, &dims[1]), 0);
  assert_int_equal(n.def_dim(root, "none", 0, &dims[2]), 0);
  assert_int_equal(n.def_var(root, "texts", NETCDF_CHAR, 3, dims, &id), 0);
  assert_int_equal(n.def_var(root, "reals", NETCDF_DOUBLE, 2, dims, &id), 0);
  assert_int_equal(n.close(root), 0);
  fixture f;
  start(&f);
  int status = data_read_file(&f.ds, path);
  remove(path);
  assert_int_equal(status, -1);
  assert_int_equal(f.diags.n, 2);
  for (size_t k = 0; k < f.diags.n; k++) assert_string_equal(f.diags.items[k]->code, "E0747");
  end(&f);
}

/* Each allocation failing: what the library holds is given back, which a sanitizer build sees. */
static void test_memory(void **state) {
  (void)state;
  need_library();
  for (volatile size_t at = 1;; at++) {
    fixture f;
    start(&f);
    f.count.fail_at = at;
    f.count.persistent = true;
    jmp_buf here;
    f.a.oom = &here;
    volatile bool done = false;
    if (!setjmp(here)) {
      data_read_file(&f.ds, "tests/arrays/netcdf.nc");
      done = true;
    }
    f.count.fail_at = 0;
    end(&f);
    if (done) break;
    assert_true(at < 500);
  }
}

int main(void) {
  if (setjmp(out_of_memory)) {
    fputs("out of memory\n", stderr);
    return 2;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_classic), cmocka_unit_test(test_wrong), cmocka_unit_test(test_size), cmocka_unit_test(test_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
