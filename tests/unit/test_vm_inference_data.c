/* A run as NetCDF by the schema of InferenceData: groups, dimensions, coordinates, and every number against the draws.  Skipped, and counted, where there
 * is no netCDF library. */
#include "compiler/netcdf.h"
#include "tests/unit/task_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static netcdf lib;
static char path[] = "/tmp/aim-inference-XXXXXX.nc";

static void need_library(void) {
  if (netcdf_open(&lib)) return;
  print_message("skipped: no netCDF library is installed\n");
  skip();
}

static const char text[] = "model m(g: index(J)[N], x: real[N, 2], y: real[N]) {\n  a: real[J] ~ Normal(0, 1)\n  L: cholesky_corr(2) ~ Flat()\n  k ~ Bernoulli(0.5)\n"
                           "  y ~ Normal(a[g] + x[1, 1] * L[2, 1] + k, 1)\n  track twice = 2 * a\n  predict y\n  predict { z: real[3] ~ Normal(a[1], 1) }\n}\n"
                           "infer m on x = [[1, 2], [3, 4], [5, 6], [7, 8]], y = [0.5, -1, 2, 1] with mh, warmup = 20, draws = 30, chains = 2";

/* What NetCDF cannot tell apart, by its names or by those that dimensions would have. */
static const char alike[] = "model m(y: real) {\n  `a/b`: real[3] ~ Normal(0, 1)\n  a_b: real[2] ~ Normal(0, 1)\n  x_dim_0: real[3] ~ Normal(0, 1)\n  x: real[2] ~ Normal(0, 1)\n"
                            "  y ~ Normal(sum(`a/b`) + sum(a_b) + sum(x), 1)\n}\ninfer m on y = 1 with mh, warmup = 20, draws = 30, chains = 2";

static void run_model_with(fixture *f, const char *save, host *h) {
  *f = open_task(text, (opening){.memory = h});
  char csv[] = "/tmp/aim-levels-XXXXXX.csv";
  int fd = mkstemps(csv, 4);
  assert_int_equal(write(fd, "g\nlow\nhigh\nhigh\nmiddle\n", 23), 23);
  close(fd);
  assert_int_equal(aim_data_file(f->t, csv), AIM_OK);
  unlink(csv);
  assert_int_equal(aim_set_text(f->t, "pointwise", "on"), AIM_OK);
  if (save) assert_int_equal(aim_set_text(f->t, "save", save), AIM_OK);
  expect_ok(f, aim_run(f->t, NULL));
}

static void run_model(fixture *f, const char *save) { run_model_with(f, save, NULL); }

static void write_model(fixture *f) { expect_ok(f, aim_write_netcdf(f->t, path)); }

/* The number of a variable, whose dimensions have to be those. */
static int variable(int group, const char *name, const char *const *dims, size_t rank, int type) {
  int n, unused;
  assert_int_equal(lib.inq(group, &unused, &n, &unused, &unused), 0);
  for (int k = 0; k < n; k++) {
    char found[NETCDF_MAX_NAME + 1], dim[NETCDF_MAX_NAME + 1];
    int t, r, id[NETCDF_MAX_DIMS], attributes;
    assert_int_equal(lib.inq_var(group, k, found, &t, &r, id, &attributes), 0);
    if (strcmp(found, name) != 0) continue;
    assert_int_equal(t, type);
    assert_int_equal(r, rank);
    for (int i = 0; i < r; i++) {
      size_t length;
      assert_int_equal(lib.inq_dim(group, id[i], dim, &length), 0);
      assert_string_equal(dim, dims[i]);
    }
    return k;
  }
  fail_msg("there is no %s", name);
  return -1;
}

#define DIMS(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void same_draws(fixture *f, int group, int id, const char *name, size_t rank) {
  size_t q = aim_quantity_find(f->t, name);
  aim_quantity what;
  assert_int_equal(aim_quantity_get(f->t, q, &what), AIM_OK);
  assert_int_equal(what.rank + 2, rank);
  for (int c = 0; c < 2; c++)
    for (size_t d = 0; d < 30; d++) {
      double want[16], got[16];
      size_t start[8] = {(size_t)c, d}, count[8] = {1, 1};
      for (int k = 0; k < what.rank; k++) count[k + 2] = (size_t)what.dims[k];
      assert_int_equal(lib.get_vara_double(group, id, start, count, got), 0);
      aim_draw_get(f->t, c, d, q, want);
      assert_memory_equal(got, want, what.cells * sizeof *want);
    }
}

static int group_of(int root, const char *name) {
  int id;
  if (lib.inq_ncid(root, name, &id)) fail_msg("there is no group %s", name);
  return id;
}

static void test_schema(void **state) {
  (void)state;
  need_library();
  fixture f;
  run_model(&f, NULL);
  write_model(&f);
  int root, g, id;
  assert_int_equal(lib.open(path, NETCDF_NOWRITE, &root), 0);
  g = group_of(root, "posterior");
  id = variable(g, "a", DIMS("chain", "draw", "g"), NETCDF_DOUBLE);
  same_draws(&f, g, id, "a", 3);
  id = variable(g, "twice", DIMS("chain", "draw", "g"), NETCDF_DOUBLE);
  same_draws(&f, g, id, "twice", 3);
  id = variable(g, "L", DIMS("chain", "draw", "L_dim_0", "L_dim_1"), NETCDF_DOUBLE);
  same_draws(&f, g, id, "L", 4);
  id = variable(g, "k", DIMS("chain", "draw"), NETCDF_BYTE);
  same_draws(&f, g, id, "k", 2);
  id = variable(g, "g", DIMS("g"), NETCDF_STRING);
  for (size_t k = 0; k < 3; k++) {
    const size_t one = 1;
    char *s;
    assert_int_equal(lib.get_vara_string(g, id, &k, &one, &s), 0);
    assert_string_equal(s, ((const char *const[]){"high", "low", "middle"})[k]);
    lib.free_string(1, &s);
  }
  char library[8] = "";
  assert_int_equal(lib.get_att_text(g, NETCDF_GLOBAL, "inference_library", library), 0);
  assert_string_equal(library, "AIM");

  g = group_of(root, "posterior_predictive");
  same_draws(&f, g, variable(g, "y", DIMS("chain", "draw", "y_dim_0"), NETCDF_DOUBLE), "y_rep", 3);
  same_draws(&f, g, variable(g, "z", DIMS("chain", "draw", "z_dim_0"), NETCDF_DOUBLE), "z", 3);

  g = group_of(root, "log_likelihood");
  id = variable(g, "y", DIMS("chain", "draw", "y_dim_0"), NETCDF_DOUBLE);
  for (size_t c = 0; c < 2; c++)
    for (size_t k = 0; k < 4; k++) {
      double got[30];
      size_t n;
      const size_t start[3] = {c, 0, k}, count[3] = {1, 30, 1};
      assert_int_equal(lib.get_vara_double(g, id, start, count, got), 0);
      assert_memory_equal(got, aim_loglik(f.t, (int)c, 0, k, &n), sizeof got);
    }

  g = group_of(root, "sample_stats");
  id = variable(g, "lp", DIMS("chain", "draw"), NETCDF_DOUBLE);
  double lp[30];
  assert_int_equal(lib.get_vara_double(g, id, (size_t[]){1, 0}, (size_t[]){1, 30}, lp), 0);
  assert_memory_equal(lp, aim_stats(f.t, 1, AIM_STAT_LP), sizeof lp);
  variable(g, "acceptance_rate", DIMS("chain", "draw"), NETCDF_DOUBLE);

  double y[4], x[8];
  g = group_of(root, "observed_data");
  assert_int_equal(lib.get_vara_double(g, variable(g, "y", DIMS("y_dim_0"), NETCDF_DOUBLE), (size_t[]){0}, (size_t[]){4}, y), 0);
  assert_true(y[0] == 0.5 && y[1] == -1 && y[2] == 2 && y[3] == 1);
  g = group_of(root, "constant_data");
  assert_int_equal(lib.get_vara_double(g, variable(g, "x", DIMS("x_dim_0", "x_dim_1"), NETCDF_DOUBLE), (size_t[]){0, 0}, (size_t[]){4, 2}, x), 0);
  assert_true(x[1] == 2 && x[6] == 7);
  variable(g, "g", DIMS("g_dim_0"), NETCDF_STRING); /* the texts themselves */
  lib.close(root);
  close_fixture(&f);
}

static void test_alike(void **state) {
  (void)state;
  need_library();
  fixture f = open_task(alike, (opening){0});
  expect_ok(&f, aim_run(f.t, NULL));
  write_model(&f);
  int root, g;
  assert_int_equal(lib.open(path, NETCDF_NOWRITE, &root), 0);
  g = group_of(root, "posterior");
  same_draws(&f, g, variable(g, "a_b", DIMS("chain", "draw", "a_b_dim_0"), NETCDF_DOUBLE), "a/b", 3);
  same_draws(&f, g, variable(g, "a_b_", DIMS("chain", "draw", "a_b_dim_0_"), NETCDF_DOUBLE), "a_b", 3);
  same_draws(&f, g, variable(g, "x_dim_0", DIMS("chain", "draw", "x_dim_0_dim_0"), NETCDF_DOUBLE), "x_dim_0", 3);
  same_draws(&f, g, variable(g, "x", DIMS("chain", "draw", "x_dim_0_"), NETCDF_DOUBLE), "x", 3);
  lib.close(root);
  close_fixture(&f);
}

/* Without all latents there is no likelihood of an observation; the rest is there. */
static void test_saved(void **state) {
  (void)state;
  need_library();
  fixture f;
  run_model(&f, "[a]");
  write_model(&f);
  int root, id;
  assert_int_equal(lib.open(path, NETCDF_NOWRITE, &root), 0);
  int g = group_of(root, "posterior");
  same_draws(&f, g, variable(g, "a", DIMS("chain", "draw", "g"), NETCDF_DOUBLE), "a", 3);
  assert_int_not_equal(lib.inq_ncid(root, "log_likelihood", &id), 0);
  assert_int_not_equal(lib.inq_ncid(root, "posterior_predictive", &id), 0);
  lib.close(root);
  close_fixture(&f);
}

static void test_wrong(void **state) {
  (void)state;
  need_library();
  fixture f;
  run_model(&f, NULL);
  assert_int_equal(aim_write_netcdf(f.t, "/nowhere/at/all.nc"), AIM_E_IO);
  assert_int_equal(aim_task_diagnostic_count(f.t) > 0, 1);
  assert_int_equal(aim_write_netcdf(f.t, ""), AIM_E_USAGE);
  close_fixture(&f);
}

/* Each allocation failing: a status, the library's file closed and removed, nothing kept. */
static void test_memory(void **state) {
  (void)state;
  need_library();
  size_t failed = 0;
  for (size_t at = 1;; at += 1 + at / 8) {
    host h = {.persistent = true};
    fixture f;
    run_model_with(&f, NULL, &h);
    h.fail_at = h.calls + at;
    const size_t before = h.calls;
    aim_status st = aim_write_netcdf(f.t, path);
    const bool reached = h.calls - before >= at;
    assert_int_equal(st, reached ? AIM_E_MEMORY : AIM_OK);
    failed += reached;
    h.fail_at = 0;
    close_fixture(&f);
    assert_int_equal(h.bytes, 0);
    if (!reached) break;
  }
  assert_true(failed >= 3);
  char partial[sizeof path + 8];
  snprintf(partial, sizeof partial, "%s.partial", path);
  assert_int_equal(access(partial, F_OK), -1);
}

int main(void) {
  int fd = mkstemps(path, 3);
  if (fd < 0) return 2;
  close(fd);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_schema), cmocka_unit_test(test_alike), cmocka_unit_test(test_saved), cmocka_unit_test(test_wrong), cmocka_unit_test(test_memory)};
  int bad = cmocka_run_group_tests(tests, NULL, NULL);
  unlink(path);
  return bad;
}
