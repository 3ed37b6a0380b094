/* test_vm_pool.c: the counts of pools, and the undo log against copies of its frame (fixed seeds). */
#include "tests/unit/host.h"
#include "vm/pool.h"
#include "vm/undo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* --- pools --- */

static void pool_counts_what_it_does(void **state) {
  (void)state;
  host m = {0};
  aim_alloc a = {host_fn, &m};
  pool p;
  pool_init(&p, &a, 100, 8, 0);
  void *b[12];
  for (int i = 0; i < 12; i++) assert_non_null(b[i] = pool_get(&p));
  assert_int_equal(p.stats.misses, 12);
  assert_int_equal(p.stats.live, 12);
  for (int i = 0; i < 12; i++) pool_put(&p, b[i]);
  assert_int_equal(p.stats.returns, 8);
  assert_int_equal(p.stats.drops, 4);
  assert_int_equal(p.stats.kept, 8);
  assert_int_equal(p.stats.live, 0);
  assert_int_equal(p.stats.peak, 1200);
  assert_int_equal(m.bytes, 800);
  assert_int_equal(pool_bytes(&p), 800);
  assert_ptr_equal(pool_get(&p), b[7]);
  assert_int_equal(p.stats.hits, 1);
  pool_put(&p, b[7]);
  pool_trim(&p);
  assert_int_equal(p.stats.kept, 2); /* max / 4 */
  assert_true(pool_prewarm(&p, 5));
  assert_int_equal(p.stats.kept, 5);
  assert_true(pool_prewarm(&p, 100));
  assert_int_equal(p.stats.kept, 8);
  assert_int_equal(p.stats.misses, 12);
  pool_put(&p, NULL);
  pool_free(&p);
  assert_int_equal(m.bytes, 0);

  pool_init(&p, &a, 100, 8, 3);
  assert_true(pool_prewarm(&p, 8));
  pool_trim(&p);
  assert_int_equal(p.stats.kept, 3);
  m.fail_at = m.calls + 2;
  assert_false(pool_prewarm(&p, 8));
  assert_int_equal(p.stats.kept, 4);
  for (int i = 0; i < 4; i++) assert_non_null(b[i] = pool_get(&p));
  m.fail_at = m.calls + 1;
  assert_null(pool_get(&p));
  assert_int_equal(p.stats.live, 4);
  assert_int_equal(p.stats.hits, 4);
  assert_int_equal(p.stats.misses, 0);
  for (int i = 0; i < 4; i++) pool_put(&p, b[i]);
  pool_free(&p);
  assert_int_equal(m.bytes, 0);
}

#ifdef ASAN
#include <sanitizer/asan_interface.h>
static void kept_blocks_are_poisoned(void **state) {
  (void)state;
  host m = {0};
  aim_alloc a = {host_fn, &m};
  pool p;
  pool_init(&p, &a, 64, POOL_UNBOUNDED, 0);
  char *b = pool_get(&p);
  assert_null(__asan_region_is_poisoned(b, 64));
  pool_put(&p, b);
  for (size_t i = 0; i < 64; i++) assert_true(__asan_address_is_poisoned(b + i));
  assert_ptr_equal(pool_get(&p), b);
  assert_null(__asan_region_is_poisoned(b, 64));
  pool_put(&p, b);
  pool_free(&p);
}
#endif

/* --- the undo log --- */

/* Nested marks, against a copy of the frame for each mark. */
static void undo_restores_frames(void **state) {
  (void)state;
  enum { N = 50, DEEP = 6 };
  host m = {0};
  aim_alloc a = {host_fn, &m};
  undo_log u;
  undo_init(&u, &a);
  uint64_t seed = 11;
  static uint64_t frame[N], saved[DEEP][N];
  size_t marks[DEEP], depth = 0, calls = 0;
  for (size_t step = 0; step < 200000; step++) {
    if (step == 100000) calls = m.calls;
    size_t what = below(&seed, 10);
    if (what == 0 && depth < DEEP) {
      memcpy(saved[depth], frame, sizeof frame);
      marks[depth++] = undo_mark(&u);
    } else if (what == 1 && depth) {
      undo_rollback(&u, frame, marks[--depth]);
      assert_memory_equal(frame, saved[depth], sizeof frame);
    } else if (what == 2 && depth) {
      undo_commit(&u, marks[--depth]);
      if (depth == 0) assert_int_equal(u.n, 0);
    } else if (depth) {
      size_t i = below(&seed, N);
      assert_true(undo_note(&u, frame, i));
      frame[i] = next_random(&seed);
    }
  }
  /* Every path was long enough in the first half; the log never shrinks. */
  while (depth) undo_rollback(&u, frame, marks[--depth]);
  assert_true(m.calls - calls <= 1);
  undo_free(&u);
  assert_int_equal(m.bytes, 0);
}

static void undo_without_memory_still_rolls_back(void **state) {
  (void)state;
  enum { N = 1000 };
  for (size_t fail = 1;; fail++) {
    host m = {.fail_at = fail};
    aim_alloc a = {host_fn, &m};
    undo_log u;
    undo_init(&u, &a);
    static uint64_t frame[N], before[N];
    for (size_t i = 0; i < N; i++) before[i] = frame[i] = i * fail;
    size_t mark = undo_mark(&u), i = 0;
    for (; i < N && undo_note(&u, frame, i); i++) frame[i] = ~frame[i];
    undo_rollback(&u, frame, mark);
    assert_memory_equal(frame, before, sizeof frame);
    undo_free(&u);
    assert_int_equal(m.bytes, 0);
    if (i == N) {
      assert_true(fail > 3);
      break;
    }
  }
}

/* A proposal on one site of a long frame: after the first, nothing allocates. */
static void undo_after_warm_up_allocates_nothing(void **state) {
  (void)state;
  enum { N = 4096 };
  host m = {0};
  aim_alloc a = {host_fn, &m};
  undo_log u;
  undo_init(&u, &a);
  assert_true(undo_reserve(&u, 100));
  static double frame[N];
  uint64_t seed = 5;
  size_t calls = m.calls;
  double start = seconds();
  for (size_t step = 0; step < 100000; step++) {
    size_t mark = undo_mark(&u);
    for (size_t c = 0; c < 10; c++) {
      size_t i = below(&seed, N);
      assert_true(undo_note(&u, frame, i));
      frame[i] += 1;
    }
    if (step & 1) undo_rollback(&u, frame, mark);
    else undo_commit(&u, mark);
  }
  print_message("undo: %.1f ns for a proposal of 10 cells\n", 1e9 * (seconds() - start) / 1e5);
  assert_int_equal(m.calls, calls);
  double sum = 0;
  for (size_t i = 0; i < N; i++) sum += frame[i];
  assert_true(sum == 10 * 50000.0);
  undo_free(&u);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pool_counts_what_it_does),
#ifdef ASAN
      cmocka_unit_test(kept_blocks_are_poisoned),
#endif
      cmocka_unit_test(undo_restores_frames),
      cmocka_unit_test(undo_without_memory_still_rolls_back),
      cmocka_unit_test(undo_after_warm_up_allocates_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
