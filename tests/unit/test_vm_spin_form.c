/* test_vm_spin_form.c: energies as quadratic forms against @tempered itself, at random states; and energies that are none. */
#include "tests/unit/task_fixture.h"
#include "vm/interp.h"
#include "stdlib/runtime/rt_potts.h"
#include "vm/spin_order.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

typedef struct session {
  fixture f;
  arena mem;
  aim_alloc alloc;
  host heap;
} session;

static void begin(session *s, const char *body, const char *data) {
  static char text[4096];
  snprintf(text, sizeof text, "model m(%s\nanneal m on %s with hold(sweeps = 1)\n", body, data);
  s->f = open_task(text, (opening){.engine = &interp_engine});
  expect_ok(&s->f, aim_bind(s->f.t));
  s->heap = (host){0};
  s->alloc = (aim_alloc){host_fn, &s->heap};
  arena_init(&s->mem, &s->alloc, 0);
}

static void end(session *s) {
  arena_free(&s->mem);
  assert_int_equal(s->heap.bytes, 0);
  close_fixture(&s->f);
}

#define EDGES "edge = [[1, 2], [2, 3], [3, 4], [4, 1], [2, 4], [2, 4], [5, 1]], J = [1.0, 0.5, -2.0, 0.25, 3.0, 1.5, -1.0]"
#define MATRIX "K = [[0.5, 1.0, -2.0], [1.0, 7.0, 0.25], [-2.0, 0.25, 1.0]]"


/* The form's energy. */
static double of_form(const spin_form *f, const exec_cell *frame) {
  if (f->q) {
    uint16_t c[64];
    assert_true(f->n <= 64);
    for (size_t k = 0; k < f->n; k++) c[k] = (uint16_t)(frame[k].integer - 1);
    const rt_potts_problem p = {.graph = f->problem, .q = f->q, .H = f->H};
    return f->constant + rt_potts_energy(&p, c);
  }
  int8_t s[64];
  assert_true(f->n <= 64);
  for (size_t k = 0; k < f->n; k++) s[k] = (int8_t)(f->truth[k] ? 2 * frame[k].integer - 1 : frame[k].integer);
  return f->constant + rt_spin_energy(&f->problem, 0, s);
}

/* Pairs and form that are expected; compares energies at 50 states. */
static void expect_form(const char *body, const char *data, size_t couplings, rt_spin_form form) {
  session s;
  begin(&s, body, data);
  spin_form f;
  const char *why = NULL;
  assert_int_equal(ARENA_TRY(&s.mem), 0);
  bool found = spin_form_find(&s.f.t->model, &s.mem, &f, &why);
  if (!found) fprintf(stderr, "%s: %s\n", body, why);
  assert_true(found);
  assert_int_equal(f.couplings, couplings);
  assert_int_equal(f.problem.form, form);
  eval_worker w;
  assert_true(eval_worker_init(&w, &s.f.t->model, 0, &s.alloc));
  exec_cell frame[64];
  for (uint64_t k = 0; k < 50; k++) {
    double part[2];
    assert_true(eval_prior(&w, k, frame) && eval_tempered(&w, frame, part));
    assert_true(part[0] == 0);
    if (fabs(of_form(&f, frame) + part[1]) > 1e-12 * (1.0 + fabs(part[1]))) {
      fprintf(stderr, "%s: %.17g, not %.17g\n", body, of_form(&f, frame), -part[1]);
      fail();
    }
  }
  eval_worker_free(&w);
  end(&s);
}

static void test_forms(void **state) {
  (void)state;
  /* An edge list with a pair twice: one coupling. */
  expect_form("edge: index(N)[E, 2], J: real[E], h: real[N] = 0) { s: spin[N] ~ Flat(); energy -sum(J[e] * s[edge[e, 1]] * s[edge[e, 2]] for e in 1..E) - dot(h, s) }",
              EDGES, 6, RT_SPIN_DENSE);
  expect_form("K: real[N, N]) { s: spin[N] ~ Flat(); energy -0.5 * dot(s, K @ s) }", MATRIX, 3, RT_SPIN_DENSE);
  expect_form("K: real[N, N]) { s: spin[N] ~ Flat(); energy -0.5 * dot(K @ s, s) + sum(s) }", MATRIX, 3, RT_SPIN_DENSE);
  expect_form("K: real[N, N]) { s: spin[N] ~ Flat(); energy -sum(K[i, j] * s[i] * s[j] for i in 1..N, j in 1..N if i < j) }", MATRIX, 3, RT_SPIN_DENSE);
  expect_form("K: real[N, N]) { s: spin[N] ~ Flat(); energy -sum(K[i, j] * s[i] * s[j] for i in 1..N, j in i + 1..N) }", MATRIX, 3, RT_SPIN_DENSE);
  expect_form("K: real[N, N]) { s: spin[N] ~ Flat(); energy 0.5 * sum(s)^2 - K[1, 2] * s[3] }", MATRIX, 3, RT_SPIN_DENSE);
  /* Lattices that wrap, and one that does not. */
  expect_form("L: int) { s: spin[L, L] ~ Flat(); energy -sum(s[i, j] * s[i % L + 1, j] + s[i, j] * s[i, j % L + 1] for i in 1..L, j in 1..L) }", "L = 6", 72, RT_SPIN_SPARSE);
  expect_form("L: int) { s: spin[L, L] ~ Flat(); energy -sum((s[i, j] == s[i % L + 1, j]) + (s[i, j] == s[i, j % L + 1]) for i in 1..L, j in 1..L) }", "L = 6", 72, RT_SPIN_SPARSE);
  expect_form("L: int) { s: spin[L] ~ Flat(); energy -sum(2.0 * s[i] * s[i + 1] for i in 1..L - 1) }", "L = 20", 19, RT_SPIN_SPARSE);
  /* Truth values, in two sites; a cut counts edges whose ends differ. */
  expect_form("W: real[V, H], a: real[V], b: real[H]) { v: bool[V] ~ Flat(); h: bool[H] ~ Flat(); energy -(dot(a, v) + dot(b, h) + dot(v, W @ h)) }",
              "W = [[1.0, 0.5], [-2.0, 0.25], [0.75, 3.0]], a = [0.5, 0.1, -1.0], b = [2.0, 1.0]", 6, RT_SPIN_DENSE);
  expect_form("edge: index(N)[E, 2], J: real[E]) { x: bool[N] ~ Flat(); energy -sum(J[e] * (x[edge[e, 1]] != x[edge[e, 2]]) for e in 1..E) }", EDGES, 6, RT_SPIN_DENSE);
  expect_form("Q: real[N, N]) { x: bool[N] ~ Flat(); energy dot(x, Q @ x) }", "Q = [[0.5, 1.0, -2.0], [1.0, 7.0, 0.25], [-2.0, 0.25, 1.0]]", 3, RT_SPIN_DENSE);
}

/* Colours. */
static void test_colours(void **state) {
  (void)state;
  expect_form("L: int, J: real = 1) { s: index(5)[L, L] ~ Flat(); energy -J * sum((s[i, j] == s[i % L + 1, j]) + (s[i, j] == s[i, j % L + 1]) for i in 1..L, j in 1..L) }",
              "L = 6", 72, RT_SPIN_SPARSE);
  /* A condition that chooses between two numbers. */
  expect_form("L: int) { s: index(3)[L, L] ~ Flat(); energy -sum((if s[i, j] == s[i % L + 1, j] { 1.0 } else { 0.25 }) + (if s[i, j] == s[i, j % L + 1] { 2.0 } else { 0.0 }) for i in 1..L, j in 1..L) }",
              "L = 6", 72, RT_SPIN_SPARSE);
  expect_form("edge: index(N)[E, 2], J: real[E]) { x: index(3)[N] ~ Flat(); energy sum(J[e] * (x[edge[e, 1]] != x[edge[e, 2]]) for e in 1..E) - 2.0 * (x[2] == 3) - sum(0.5 * (x[i] == 1) for i in 1..N) }",
              EDGES, 6, RT_SPIN_SPARSE);
}

/* Every site once, and in runs of sites that are not coupled, as many as colours are expected. */
static void expect_colours(const rt_spin_problem *p, arena *mem, size_t colours) {
  const uint32_t *order = spin_order_coloured(p, mem);
  uint8_t seen[4096] = {0};
  size_t runs = 1, from = 0;
  assert_true(p->n <= sizeof seen);
  for (size_t k = 0; k < p->n; k++) {
    assert_false(seen[order[k]]++);
    if (k && order[k] < order[k - 1]) runs++, from = k;
    for (size_t o = from; o < k; o++)
      for (uint32_t e = p->row[order[k]]; e < p->row[order[k] + 1]; e++) assert_int_not_equal(p->column[e], order[o]);
  }
  assert_int_equal(runs, colours);
}

/* A lattice of 16 rows of 128: as a plane it has the energies of the form. */
static void expect_plane(const char *energy, size_t colours, bool plane) {
  char body[512];
  session s;
  snprintf(body, sizeof body, "H: int, W: int) { s: spin[H, W] ~ Flat(); energy %s }", energy);
  begin(&s, body, "H = 16, W = 128");
  spin_form f;
  const char *why = NULL;
  assert_int_equal(ARENA_TRY(&s.mem), 0);
  assert_true(spin_form_find(&s.f.t->model, &s.mem, &f, &why));
  expect_colours(&f.problem, &s.mem, colours);
  rt_spin_problem lattice;
  assert_int_equal(spin_order_plane(&f, 16, 128, &s.mem, &lattice), plane);
  assert_false(spin_order_plane(&f, 128, 16, &s.mem, &lattice) && plane);
  if (plane) {
    assert_true(spin_order_plane(&f, 16, 128, &s.mem, &lattice));
    int8_t *x = ARENA_ARRAY(&s.mem, int8_t, f.n);
    uint64_t state = 1;
    for (size_t t = 0; t < 20; t++) {
      for (size_t i = 0; i < f.n; i++) x[i] = (state = state * 6364136223846793005u + 1442695040888963407u) >> 63 ? 1 : -1;
      assert_true(rt_spin_energy(&f.problem, 0, x) == rt_spin_energy(&lattice, 0, x));
    }
  }
  end(&s);
}

static void test_orders(void **state) {
  (void)state;
  expect_plane("-2.0 * sum(s[i, j] * s[i % H + 1, j] + s[i, j] * s[i, j % W + 1] for i in 1..H, j in 1..W)", 2, true);
  expect_plane("-sum(s[i, j] * s[i + 1, j] for i in 1..H - 1, j in 1..W) - sum((if (i * j) % 3 == 0 { -1.0 } else { 1.0 }) * s[i, j] * s[i, j % W + 1] for i in 1..H, j in 1..W)", 2, true);
  expect_plane("sum(s[i, j] * s[i, j % W + 1] for i in 1..H, j in 1..W if j != 5)", 3, true);
  /* Two strengths; a diagonal, which takes a third colour. */
  expect_plane("-sum(2.0 * s[i, j] * s[i % H + 1, j] + s[i, j] * s[i, j % W + 1] for i in 1..H, j in 1..W)", 2, false);
  expect_plane("-sum(s[i, j] * s[i % H + 1, j] + s[i, j] * s[i, j % W + 1] for i in 1..H, j in 1..W) - s[1, 1] * s[2, 2]", 3, false);
}

static void expect_none(const char *body, const char *data, const char *about) {
  session s;
  begin(&s, body, data);
  spin_form f;
  const char *why = NULL;
  assert_int_equal(ARENA_TRY(&s.mem), 0);
  assert_false(spin_form_find(&s.f.t->model, &s.mem, &f, &why));
  assert_non_null(why);
  if (!strstr(why, about)) fprintf(stderr, "%s: %s\n", body, why);
  assert_non_null(strstr(why, about));
  end(&s);
}

static void test_others(void **state) {
  (void)state;
  expect_none("n: int) { s: spin[n] ~ Flat(); energy s[1] * s[2] * s[3] }", "n = 4", "more than two");
  expect_none("n: int) { s: spin[n] ~ Flat(); energy exp(sum(s)) }", "n = 4", "another way");
  expect_none("n: int) { s: spin[n] ~ Flat(); energy if s[1] == 1 { exp(0.5 * s[2]) } else { 0.0 } }", "n = 4", "");
  expect_none("n: int) { s: index(3)[n] ~ Flat(); energy s[1] * 1.0 }", "n = 4", "the number of a colour");
  expect_none("n: int) { s: index(3)[n] ~ Flat(); energy (s[1] == s[2]) * (s[2] == s[3]) }", "n = 4", "products of conditions");
  expect_none("n: int) { s: index(3)[n] ~ Flat(); t: spin[n] ~ Flat(); energy s[1] == 2 }", "n = 4", "different numbers");
  expect_none("n: int) { s: spin[n] ~ Flat(); t ~ Normal(0, 1); energy s[1] * t }", "n = 4", "is not finite");
  expect_none("n: int) { s: spin[n] ~ Flat(); energy -sum(s); factor s[1] * 0.5 }", "n = 4", "more than the energy");
  expect_none("n: int) { s: bool[n] ~ Bernoulli(0.25); energy -sum(s) }", "n = 4", "is not finite");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_colours), cmocka_unit_test(test_orders), cmocka_unit_test(test_others)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
