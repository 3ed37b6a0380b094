/* Pairwise problems: every format against its own definition, by enumeration of all states; names, kinds and conventions; binding. */
#include "compiler/data.h"
#include "compiler/program.h"
#include "tests/unit/data_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef int reader(data_set *, const char *, const char *, size_t);

static void read_text(fixture *f, reader *read, const char *text) {
  if (read(&f->ds, "t", text, strlen(text)) == 0) return;
  fail_msg("%s", f->diags.items[0]->message);
}

static const data_array *get(fixture *f, const char *name) {
  const data_array *x = data_find(&f->ds, name);
  if (!x) fail_msg("there is no %s", name);
  return x;
}

static double cell(fixture *f, const char *name, size_t k) { return data_reals(get(f, name), &f->a)[k]; }

/* - sum J s s - sum h s, from what a model sees. */
static double energy(fixture *f, unsigned state) {
  const int64_t *edge = get(f, "edge")->i64;
  const data_array *h = data_find(&f->ds, "h");
  double e = 0;
  for (size_t k = 0; k < get(f, "J")->cells; k++) {
    int si = state >> (edge[2 * k] - 1) & 1 ? 1 : -1, sj = state >> (edge[2 * k + 1] - 1) & 1 ? 1 : -1;
    e -= cell(f, "J", k) * si * sj;
  }
  for (size_t i = 0; h && i < h->cells; i++) e -= h->f64[i] * (state >> i & 1 ? 1 : -1);
  return e;
}

static int bit(unsigned state, int i) { return (int)(state >> i & 1); }
static int spin(unsigned state, int i) { return bit(state, i) ? 1 : -1; }

static void test_max_cut(void **state) {
  (void)state;
  fixture f;
  start(&f);
  read_text(&f, data_read_max_cut, "4 5\n1 2 3\n3 1 -1\r\n2 3 2\n\n4 3 7\n 2\t4 1 \n");
  assert_int_equal(get(&f, "N")->i64[0], 4);
  assert_int_equal(get(&f, "E")->i64[0], 5);
  assert_int_equal(get(&f, "J")->kind, DATA_INT);
  assert_null(data_find(&f.ds, "h"));
  assert_memory_equal(get(&f, "edge")->i64, ((int64_t[]){1, 2, 3, 1, 2, 3, 4, 3, 2, 4}), 10 * sizeof(int64_t));
  assert_string_equal(data_cell_where(get(&f, "edge"), 3, &f.a), "array \"edge\", element [2, 2]");
  double sum = 3 - 1 + 2 + 7 + 1;
  for (unsigned s = 0; s < 16; s++) {
    double cut = 3 * (bit(s, 0) != bit(s, 1)) - (bit(s, 0) != bit(s, 2)) + 2 * (bit(s, 1) != bit(s, 2)) + 7 * (bit(s, 2) != bit(s, 3)) + (bit(s, 1) != bit(s, 3));
    assert_true(cut == (sum - energy(&f, s)) / 2);
  }
  end(&f);

  start(&f);
  read_text(&f, data_read_max_cut, "2 1\n1 2 0.5\n");
  assert_int_equal(get(&f, "w")->kind, DATA_REAL);
  assert_true(cell(&f, "w", 0) == 0.5 && cell(&f, "J", 0) == -0.5);
  end(&f);
}

static void test_ising(void **state) {
  (void)state;
  fixture f;
  start(&f);
  read_text(&f, data_read_ising, "# three sites\nising 3 2 2\nh 0 -0.25\nh 2 1\nJ 0 1 1.5\n# half way\nJ 1 2 -2\n");
  for (unsigned s = 0; s < 8; s++)
    assert_true(energy(&f, s) == -1.5 * spin(s, 0) * spin(s, 1) + 2 * spin(s, 1) * spin(s, 2) + 0.25 * spin(s, 0) - spin(s, 2));
  assert_true(cell(&f, "h", 1) == 0);
  end(&f);

  start(&f);
  read_text(&f, data_read_ising, "ising 2 0 0");
  assert_int_equal(get(&f, "J")->cells, 0);
  assert_int_equal(get(&f, "edge")->dims[1], 2);
  end(&f);
}

static void test_qubo(void **state) {
  (void)state;
  fixture f;
  start(&f);
  read_text(&f, data_read_qubo, "3 5\n1 1 -3\n2 2 4\n1 2 5\n1 3 -2\n3 2 1\n");
  double q[3][3] = {{-3, 5, -2}, {5, 4, 1}, {-2, 1, 0}};
  for (unsigned s = 0; s < 8; s++) {
    double v = 0;
    for (int i = 0; i < 3; i++)
      for (int j = 0; j < 3; j++) v += q[i][j] * bit(s, i) * bit(s, j);
    assert_true(v == energy(&f, s) + cell(&f, "offset", 0));
  }
  assert_true(cell(&f, "linear", 1) == 4 && cell(&f, "quadratic", 0) == 10 && cell(&f, "quadratic", 1) == -4);
  end(&f);
}

/* dimod: value = offset + sum a v + sum b v v', with v in {-1, 1} or {0, 1}. */
static void bqm(reader *read, const char *text, bool binary, double constant) {
  fixture f;
  start(&f);
  read_text(&f, read, text);
  for (unsigned s = 0; s < 8; s++) {
    int v[3];
    for (int i = 0; i < 3; i++) v[i] = binary ? bit(s, i) : spin(s, i);
    assert_true(constant + 0.5 * v[0] - 2 * v[2] + 3 * v[0] * v[1] - 1.5 * v[2] * v[1] == energy(&f, s) + cell(&f, "offset", 0));
  }
  assert_true(cell(&f, "linear", 2) == -2 && cell(&f, "quadratic", 1) == -1.5);
  end(&f);
}

static void test_bqm(void **state) {
  (void)state;
  bqm(data_read_coo, "# vartype=SPIN\n0 0 0.5\n0 1 3\n2 2 -2.0\n2 1 -1.5\n", false, 0);
  bqm(data_read_coo, "# vartype=BINARY\n0 0 0.5\n0 1 3\n2 2 -2.0\n2 1 -1.5\n", true, 0);
  static const char json[] = "{\"type\": \"BinaryQuadraticModel\", \"version\": {\"bqm_schema\": \"3.0.0\"}, \"use_bytes\": false, \"variable_labels\": [\"a\", \"b\", 7],"
                             "\"variable_type\": \"%s\", \"offset\": 1.25, \"linear_biases\": [0.5, 0, -2], \"quadratic_biases\": [3, -1.5],"
                             "\"quadratic_head\": [0, 2], \"quadratic_tail\": [1, 1]}";
  char text[600];
  snprintf(text, sizeof text, json, "SPIN");
  bqm(data_read_json, text, false, 1.25);
  snprintf(text, sizeof text, json, "BINARY");
  bqm(data_read_json, text, true, 1.25);
}

/* A model whose signature has the names of a file binds to it as it is. */
static void test_binding(void **state) {
  (void)state;
  static const char text[] = "model m(edge: index(N)[E, 2], J: real[E], h: real[N] = 0, w: real[E] = 1) {\n  p ~ Beta(1, 1)\n"
                             "  factor p * (sum(J) + sum(h) + sum(w) + edge[1, 1])\n}\n";
  static const struct { reader *read; const char *data; int64_t h; } cases[] = {
      {data_read_max_cut, "3 2\n1 2 3\n2 3 4\n", 0}, {data_read_ising, "ising 3 2 0\nJ 0 1 1\nJ 1 2 1\n", 3}, {data_read_qubo, "3 2\n1 2 1\n2 3 1\n", 3}};
  for (size_t k = 0; k < 3; k++) {
    fixture f;
    start(&f);
    program p;
    assert_true(program_open(&p, &f.a, "m.aim", text, strlen(text)));
    data_init(&f.ds, &f.a, &p.diags);
    assert_int_equal(cases[k].read(&f.ds, "t", cases[k].data, strlen(cases[k].data)), 0);
    assert_true(program_bind(&p, program_model(&p, NULL), NULL, &f.ds));
    int64_t n;
    assert_true(size_value(p.sizes, size_symbol(p.sizes, "N"), &n) && n == 3);
    for (size_t d = 0; d < p.ndata; d++)
      if (strcmp(p.data[d].name, "edge") == 0) assert_true(p.data[d].p[3].integer == 3);
    end(&f);
  }
}

/* Each allocation failing, and nothing kept. */
static void test_memory(void **state) {
  (void)state;
  for (volatile size_t at = 1;; at++) {
    fixture f;
    start(&f);
    f.count.fail_at = at;
    f.count.persistent = true;
    jmp_buf here;
    f.a.oom = &here;
    volatile bool done = false;
    if (!setjmp(here)) {
      data_read_qubo(&f.ds, "t", "3 2\n1 1 1\n2 3 1.23456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\n", 103);
      done = true;
    }
    f.count.fail_at = 0;
    end(&f);
    if (done) break;
    assert_true(at < 100);
  }
}

int main(void) {
  if (setjmp(out_of_memory)) {
    fputs("out of memory\n", stderr);
    return 2;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_max_cut), cmocka_unit_test(test_ising),   cmocka_unit_test(test_qubo),
      cmocka_unit_test(test_bqm),     cmocka_unit_test(test_binding), cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
