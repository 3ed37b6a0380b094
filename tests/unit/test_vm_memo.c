/* test_vm_memo.c: results that are kept.  The table against a list that is searched from end to end; programs with `@memo` against themselves without it, whose
 * draws have the same bits; what a key is made of. */
#include "tests/unit/task_fixture.h"
#include "vm/interp.h"
#include "vm/memo_table.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* ---- the table */

enum { MOST = 9, KEY = 3 };

/* The last used first. */
typedef struct model {
  int64_t key[MOST][KEY], value[MOST];
  size_t n, size;
} model;

static int64_t model_find(model *m, const int64_t *key, int64_t value, bool *dropped) {
  size_t at = 0;
  while (at < m->n && memcmp(m->key[at], key, sizeof m->key[at]) != 0) at++;
  const bool found = at < m->n;
  const int64_t was = found ? m->value[at] : value;
  *dropped = !found && m->n == m->size;
  if (!found && m->n < m->size) m->n++;
  if (!found) at = m->n - 1;
  memmove(m->key[1], m->key[0], at * sizeof m->key[0]);
  memmove(m->value + 1, m->value, at * sizeof *m->value);
  memcpy(m->key[0], key, sizeof m->key[0]);
  m->value[0] = was;
  return found ? was : -1;
}

static void test_table(void **state) {
  (void)state;
  uint64_t seed = 3;
  for (uint32_t size = 1; size <= MOST; size++) {
    const size_t bytes = memo_bytes(size, KEY, 2);
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    memset(memory, 0xA5, bytes);
    memo_table *t = memo_make(memory, size, KEY, 2);
    model m = {.size = size};
    exec_memo want = {0}, got = {0};
    for (int step = 0; step < 20000; step++) {
      int64_t key[KEY] = {(int64_t)(next_random(&seed) % 4), 7, (int64_t)(next_random(&seed) % 3)};
      exec_cell parts[KEY], value[2] = {{.integer = 0}};
      bool dropped;
      for (int k = 0; k < KEY; k++) parts[k].integer = key[k];
      const int64_t was = model_find(&m, key, step, &dropped);
      const int64_t h = memo_find(t, 2, (memo_part[]){{parts, 1}, {parts + 1, 2}}, value);
      want.asked++;
      want.dropped += dropped;
      want.found += was >= 0;
      assert_int_equal(h >= 0, was >= 0);
      if (was >= 0) assert_true(value[0].integer == was && value[1].integer == -was);
      memo_keep(t, h, (exec_cell[]){{.integer = step}, {.integer = -step}}); /* nothing, where it was found */
    }
    memo_count(t, &got);
    assert_memory_equal(&got, &want, sizeof got);
    assert_true(size == MOST || got.dropped > 1000);
    free(memory);
  }
}

/* A value that comes late goes to the search that asked for it, or nowhere; keys differ by bits, as 0 and -0 do. */
static void test_late(void **state) {
  (void)state;
  void *memory = aligned_alloc(64, (memo_bytes(2, 1, 1) + 63) / 64 * 64);
  memo_table *t = memo_make(memory, 2, 1, 1);
  exec_cell key[4] = {{.real = 0.0}, {.real = -0.0}, {.real = NAN}, {.real = 4.0}}, v = {.real = 0.0}, got;
#define FIND(k) memo_find(t, 1, (memo_part[]){{key + (k), 1}}, &got)
  const int64_t a = FIND(0), b = FIND(1);
  assert_true(a < 0 && b < 0 && a != b);
  assert_int_equal(FIND(0), a); /* asked for, and not there yet */
  v.real = 10.0;
  memo_keep(t, a, &v);
  assert_true(FIND(0) >= 0 && got.real == 10.0);
  const int64_t c = FIND(2); /* takes the place of -0 */
  v.real = 11.0;
  memo_keep(t, b, &v);
  assert_true(FIND(0) >= 0 && got.real == 10.0);
  assert_int_equal(FIND(2), c);
  v.real = 12.0;
  memo_keep(t, c, &v);
  assert_true(FIND(2) >= 0 && got.real == 12.0);
  assert_true(FIND(1) < 0);
#undef FIND
  free(memory);
  assert_int_equal(memo_bytes(65536, INT64_MAX / 8, 1), 0);
  memory = aligned_alloc(64, (memo_bytes(1, 0, 1) + 63) / 64 * 64); /* of no arguments */
  t = memo_make(memory, 1, 0, 1);
  assert_true(memo_find(t, 0, NULL, &got) < 0);
  memo_keep(t, -1, &v);
  assert_true(memo_find(t, 0, NULL, &got) >= 0 && got.real == 12.0);
  free(memory);
}

/* ---- programs */

/* Arguments are states, single draws, elements of them, data by position, and whole arrays of reals; functions of functions, of scalars over an array, in loops, and
 * one that is too cheap. */
#define PROGRAM(memo)                                                                                                                        \
  memo "fn cost(J: real[N, N], s: spin[N]): real = sum(J[i, j] * s[i] * s[j] for i in 1..N, j in 1..N)\n"                                   \
  memo "fn shares(k: int[M], q: int): real[q] = [mean(if k[i] == c { 1.0 } else { 0.0 } for i in 1..M) for c in 1..q]\n"               \
  memo "fn slow(x: real): real = sum(sin(x * k) for k in 1..50)\n"                                                                          \
  memo "fn twice(J: real[N, N], s: spin[N], x: real): real = cost(J, s) + slow(floor(x)) + sum(cos(1.0 * i) for i in 1..N)\n"                \
  memo "fn cheap(x: real): real = x + 1\n"                                                                                                  \
  "model m(J: real[P, N, N]) {\n"                                                                                                           \
  "  s: spin[N] ~ Flat()\n"                                                                                                                 \
  "  k: index(3)[5] ~ Flat()\n"                                                                                                             \
  "  x ~ Normal(0, 2)\n"                                                                                                                    \
  "  energy -0.2 * cost(J[1], s) - sum((k[i] == k[i + 1]) for i in 1..4) - 0.01 * slow(x)\n"                                                \
  "  let a = [cost(J[p], s) * twice(J[p], s, x) for p in 1..P]\n"                                                                            \
  "  track a, b = shares(k, 3), c = slow(floor([x, x + 1, 2 * x])), d = cheap(x), e = twice(J[2], s, 3.0)\n"                                 \
  "}\n"                                                                                                                                     \
  "infer m on J = [[[0, 1, -1], [1, 0, 0.5], [-1, 0.5, 0]], [[0, 2, 0], [2, 0, -0.25], [0, -0.25, 0]]] with mh(chains = 3, warmup = 50, draws = 400), threads = 2\n"

static fixture ran_with(const char *text) {
  fixture f = open_task(text, (opening){.engine = &interp_engine});
  expect_ok(&f, aim_run(f.t, NULL));
  return f;
}

static void test_same_bits(void **state) {
  (void)state;
  fixture plain = ran_with(PROGRAM("")), kept = ran_with(PROGRAM("@memo\n")), few = ran_with(PROGRAM("@memo(size = 2)\n"));
  fixture *const others[] = {&kept, &few};
  exec_memo count[2], none;
  assert_false(interp_engine.memo(plain.t->model.loaded, &none));
  for (size_t o = 0; o < 2; o++) {
    aim_quantity q;
    for (size_t i = 0; aim_quantity_get(plain.t, i, &q) == AIM_OK; i++) {
      double x[16], y[16];
      for (size_t chain = 0; chain < 3; chain++)
        for (size_t k = 0; k < 400; k++) {
          assert_int_equal(aim_draw_get(plain.t, chain, k, i, x), AIM_OK);
          assert_int_equal(aim_draw_get(others[o]->t, chain, k, i, y), AIM_OK);
          assert_memory_equal(x, y, q.cells * sizeof *x);
        }
    }
    assert_true(interp_engine.memo(others[o]->t->model.loaded, &count[o]));
  }
  printf("asked %llu, found %llu; with room for two, asked %llu, found %llu, dropped %llu\n", (unsigned long long)count[0].asked, (unsigned long long)count[0].found,
         (unsigned long long)count[1].asked, (unsigned long long)count[1].found, (unsigned long long)count[1].dropped);
  /* Eight states of s, with two of J; 243 of k; a few whole parts of x. */
  assert_true(count[0].found > count[0].asked * 3 / 4);
  assert_true(count[1].found < count[0].found && count[1].dropped > 1000);
  close_fixture(&plain), close_fixture(&kept), close_fixture(&few);
}

/* What stands in @outputs: data by position, states by their cells; what is too cheap is computed. */
static void test_keys(void **state) {
  (void)state;
  fixture r = ran_with(PROGRAM("@memo\n"));
  strbuf text;
  strbuf_init(&text, &r.t->mem);
  ir_print_fn(ir_fn_find(r.t->p.module, "outputs"), &text);
  const char *at = text.s;
  size_t finds = 0, costs = 0;
  for (; (at = strstr(at, "memo_find")); at++) {
    char line[200];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
    size_t operands = 0;
    for (const char *c = line; *c; c++) operands += *c == ',';
    const bool cost = strstr(line, "\"cost\"") != NULL;
    costs += cost;
    finds++;
    if (cost) assert_true(operands == 1 || operands == 2); /* s, and which J unless that is written */
    assert_null(strstr(line, "\"cheap\""));
  }
  assert_true(finds >= 5 && costs >= 1);
  for (uint32_t k = 0; k < r.t->p.module->nfns; k++) { /* and nowhere else */
    const ir_fn *fn = r.t->p.module->fn[k];
    if (fn->is_model || strcmp(fn->name, "outputs") == 0) continue;
    strbuf_init(&text, &r.t->mem);
    ir_print_fn(fn, &text);
    assert_null(strstr(text.s, "memo"));
  }
  close_fixture(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_late), cmocka_unit_test(test_same_bits), cmocka_unit_test(test_keys)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
