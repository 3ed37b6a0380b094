/* Arrays of NumPy and tensors: files that those tools wrote (tests/arrays), in pieces of any length; names and places; headers made by
 * hand; and a CSV file read through its window, which has to give what memory gives. */
#include "compiler/data.h"
#include "compiler/data_npy.h"
#include "tests/unit/data_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void read_file(fixture *f, const char *path) {
  if (data_read_file(&f->ds, path)) fail_msg("%s", f->diags.items[0]->message);
}

static const data_array *get(fixture *f, const char *name, data_kind kind, int rank, size_t cells) {
  const data_array *x = data_find(&f->ds, name);
  if (!x) fail_msg("there is no %s", name);
  assert_int_equal(x->kind, kind);
  assert_int_equal(x->rank, rank);
  assert_int_equal(x->cells, cells);
  return x;
}

static void is_reals(fixture *f, const char *name, int rank, size_t n, const double *want) {
  const data_array *x = get(f, name, DATA_REAL, rank, n);
  for (size_t k = 0; k < n; k++) assert_true(x->f64[k] == want[k] || (isnan(want[k]) && isnan(x->f64[k])));
}

static void is_ints(fixture *f, const char *name, data_kind kind, size_t n, const int64_t *want) {
  assert_memory_equal(get(f, name, kind, 1, n)->i64, want, n * sizeof *want);
}

static void has_kinds(fixture *f) {
  is_reals(f, "f8", 2, 6, (double[]){1.5, -2.25, 0.1, INFINITY, -INFINITY, NAN});
  is_reals(f, "f4_big", 1, 2, (double[]){1.5, -0.1f});
  is_reals(f, "f2", 1, 5, (double[]){1, -2.5, 65504, 0x1p-24, INFINITY});
  is_ints(f, "i1", DATA_INT, 2, (int64_t[]){-128, 127});
  is_ints(f, "i2_big", DATA_INT, 2, (int64_t[]){-2, 300});
  is_ints(f, "i8", DATA_INT, 2, (int64_t[]){INT64_MIN, INT64_MAX});
  is_ints(f, "u4", DATA_INT, 2, (int64_t[]){4294967295, 0});
  is_ints(f, "u8", DATA_INT, 1, (int64_t[]){INT64_MAX});
  is_ints(f, "b", DATA_BOOL, 3, (int64_t[]){1, 0, 1});
  const data_array *t = get(f, "text", DATA_TEXT, 2, 4);
  assert_int_equal(t->n_levels, 3);
  assert_string_equal(t->levels[2], "äpfel"); /* bytes order: behind ASCII */
  assert_memory_equal(t->i64, ((int64_t[]){2, 3, 1, 2}), 4 * sizeof(int64_t));
  const data_array *bytes = get(f, "bytes", DATA_TEXT, 1, 2);
  assert_string_equal(bytes->levels[0], "no");
  is_reals(f, "scalar", 0, 1, (double[]){7});
  const data_array *none = get(f, "none", DATA_INT, 2, 0);
  assert_int_equal(none->dims[1], 3);
  const data_array *x = get(f, "fortran", DATA_REAL, 3, 24);
  for (int k = 0; k < 24; k++) assert_true(x->f64[k] == k);
  assert_string_equal(data_cell_where(x, 6, &f->a), "array \"fortran\", element [1, 2, 3]");
}

static void test_numpy(void **state) {
  (void)state;
  fixture f;
  start(&f);
  read_file(&f, "tests/arrays/stored.npz");
  has_kinds(&f);
  read_file(&f, "tests/arrays/weights.npy"); /* named after the file */
  assert_true(get(&f, "weights", DATA_REAL, 3, 24)->f64[23] == 23);
  end(&f);
}

static void test_deflated(void **state) {
  (void)state;
  fixture f;
  start(&f);
  if (data_read_file(&f.ds, "tests/arrays/deflated.npz")) {
    if (strcmp(f.diags.items[0]->code, "E0748") != 0) fail_msg("%s", f.diags.items[0]->message);
    print_message("skipped: no zlib is installed\n");
    end(&f);
    skip();
  }
  has_kinds(&f);
  const data_array *x = get(&f, "long", DATA_INT, 1, 20000);
  for (int k = 0; k < 20000; k++) assert_int_equal(x->i64[k], k % 7);
  end(&f);
}

static void test_tensors(void **state) {
  (void)state;
  fixture f;
  start(&f);
  read_file(&f, "tests/arrays/tensors.safetensors");
  assert_int_equal(f.ds.n, 4); /* metadata is no tensor */
  is_reals(&f, "w", 2, 6, (double[]){0, 1, 2, 3, 4, 5});
  is_ints(&f, "k", DATA_INT, 2, (int64_t[]){3, -4});
  is_ints(&f, "on", DATA_BOOL, 2, (int64_t[]){1, 0});
  is_reals(&f, "h", 1, 1, (double[]){0.5});
  assert_string_equal(data_cell_where(data_find(&f.ds, "w"), 4, &f.a), "tensor \"w\", element [2, 2]");
  end(&f);

  static const char header[] = "{\"x\": {\"dtype\": \"BF16\", \"shape\": [2], \"data_offsets\": [0, 4]}}";
  char bytes[8 + sizeof header - 1 + 4] = {(char)(sizeof header - 1)};
  memcpy(bytes + 8, header, sizeof header - 1);
  memcpy(bytes + 8 + sizeof header - 1, "\xc0\x3f\x49\xc0", 4); /* 1.5, -3.140625 */
  start(&f);
  assert_int_equal(data_read_safetensors(&f.ds, "t", bytes, sizeof bytes), 0);
  is_reals(&f, "x", 1, 2, (double[]){1.5, -3.140625});
  end(&f);
}

static char *file_bytes(fixture *f, const char *path, size_t *n) {
  FILE *in = fopen(path, "rb");
  assert_non_null(in);
  char *s = ARENA_ARRAY(&f->a, char, 1 << 16);
  *n = fread(s, 1, 1 << 16, in);
  fclose(in);
  return s;
}

/* Whatever the pieces, the array is the same; short of its last byte it is an error. */
static void test_pieces(void **state) {
  (void)state;
  for (size_t piece = 1; piece < 400; piece += piece < 20 ? 1 : 61) {
    fixture f;
    start(&f);
    size_t n;
    const char *s = file_bytes(&f, "tests/arrays/weights.npy", &n);
    npy r;
    npy_begin(&r, &f.ds, "t", "x", n, &f.a);
    for (size_t k = 0; k < n; k += piece) assert_int_equal(npy_bytes(&r, s + k, n - k < piece ? n - k : piece), 0);
    assert_int_equal(npy_end(&r), 0);
    const data_array *x = get(&f, "x", DATA_REAL, 3, 24);
    for (int k = 0; k < 24; k++) assert_true(x->f64[k] == k);
    for (size_t less = 1; less <= n; less += 13) assert_int_equal(data_read_npy(&f.ds, "y.npy", s, n - less), -1);
    end(&f);
  }
}

/* Any byte of an archive changed: an array or a message, and the checksum finds every change of a cell. */
static void test_damage(void **state) {
  (void)state;
  fixture g;
  start(&g);
  size_t n;
  const char *s = file_bytes(&g, "tests/arrays/stored.npz", &n);
  for (size_t k = 0; k < n; k += 7) {
    fixture f;
    start(&f);
    char *copy = ARENA_ARRAY(&f.a, char, n);
    memcpy(copy, s, n);
    copy[k] ^= 0x55;
    int status = data_read_npz(&f.ds, "t.npz", copy, n);
    assert_true((status == 0) == (f.diags.errors == 0));
    end(&f);
  }
  end(&g);
}

/* A file of some windows gives what its bytes in memory give: values, places, levels. */
static void test_window(void **state) {
  (void)state;
  enum { ROWS = 80000 };
  fixture f, g;
  start(&f), start(&g);
  strbuf b;
  strbuf_init(&b, &f.a);
  strbuf_puts(&b, "\xef\xbb\xbfid,\"na\"\"me\",x\r\n");
  for (int k = 0; k < ROWS; k++) {
    if (k % 1000 == 0) strbuf_puts(&b, "\n");
    strbuf_printf(&b, "%d,\"n,%d\n%s\",%s%d.25\r\n", k, k * 7919 % 101, k % 3 ? "\"\"" : "", k % 11 ? "" : "-", k);
  }
  char path[] = "/tmp/aim-window-XXXXXX.csv";
  int fd = mkstemps(path, 4);
  assert_true(fd >= 0 && write(fd, b.s, b.n) == (ssize_t)b.n);
  close(fd);
  int status = data_read_file(&g.ds, path);
  unlink(path);
  if (status) fail_msg("%s", g.diags.items[0]->message);
  assert_true(b.n > 6 << 18);
  assert_int_equal(data_read_csv(&f.ds, "t.csv", b.s, b.n), 0);
  for (size_t k = 0; k < 3; k++) {
    const data_array *x = f.ds.arrays[k], *y = g.ds.arrays[k];
    assert_string_equal(x->name, y->name);
    assert_int_equal(x->kind, y->kind);
    assert_int_equal(y->cells, ROWS);
    assert_memory_equal(x->i64, y->i64, ROWS * 8);
    assert_memory_equal(x->origin.lines, y->origin.lines, ROWS * 4);
    assert_int_equal(x->n_levels, y->n_levels);
    for (size_t l = 0; l < x->n_levels; l++) {
      assert_string_equal(x->levels[l], y->levels[l]);
      assert_true(l == 0 || strcmp(x->levels[l - 1], x->levels[l]) < 0);
    }
  }
  assert_int_equal(f.ds.arrays[1]->n_levels, 202);
  assert_int_equal(f.ds.arrays[0]->i64[ROWS - 1], ROWS - 1);
  end(&f), end(&g);
}

/* Each allocation failing, and nothing kept. */
static void test_memory(void **state) {
  (void)state;
  static const char *const paths[] = {"tests/arrays/stored.npz", "tests/arrays/deflated.npz", "tests/arrays/tensors.safetensors"};
  for (volatile size_t k = 0; k < 3; k++)
    for (volatile size_t at = 1;; at++) {
      fixture f;
      start(&f);
      f.count.fail_at = at;
      f.count.persistent = true;
      jmp_buf here;
      f.a.oom = &here;
      volatile bool done = false;
      if (!setjmp(here)) {
        data_read_file(&f.ds, paths[k]);
        done = true;
      }
      f.count.fail_at = 0;
      end(&f);
      if (done) break;
      assert_true(at < 1000);
    }
}

int main(void) {
  if (setjmp(out_of_memory)) {
    fputs("out of memory\n", stderr);
    return 2;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_numpy),  cmocka_unit_test(test_deflated), cmocka_unit_test(test_tensors), cmocka_unit_test(test_pieces),
      cmocka_unit_test(test_damage), cmocka_unit_test(test_window),   cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
