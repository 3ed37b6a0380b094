/* test_vm_history.c: kept draws against flat copies: contents, exact bytes and time. */
#include "tests/unit/host.h"
#include "vm/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* 1000 kept proposals of one site each on 1e5 sites: at most 5 MB besides the frame. */
static void keep_single_site_draws(size_t chunk_cells) {
  host m = {0};
  aim_alloc a = {host_fn, &m};
  trace_history h;
  size_t n = 100000;
  assert_true(trace_history_init(&h, &a, n, &(trace_options){.chunk_cells = chunk_cells}));
  int64_t *frame = malloc(8 * n);
  for (size_t i = 0; i < n; i++) frame[i] = (int64_t)i;
  assert_true(trace_history_append_frame(&h, frame));
  size_t before = m.bytes;
  uint64_t seed = 3;
  for (size_t k = 0; k < 1000; k++) {
    size_t i = below(&seed, n);
    frame[i] = -1 - (int64_t)k;
    assert_true(trace_history_append(&h, frame, &i, 1));
  }
  print_message("history: 1000 draws of one of 1e5 cells in chunks of %d take %.2f MB\n", 1 << h.heap.shift,
                1e-6 * (double)(m.bytes - before));
  assert_true(m.bytes - before <= 5000000);
  assert_int_equal(m.bytes, trace_history_bytes(&h));
  free(frame);
  trace_history_free(&h);
  assert_int_equal(m.bytes, 0);
}

static void single_site_draws_are_small(void **state) {
  (void)state;
  keep_single_site_draws(0);
  keep_single_site_draws(TRACE_CHUNK_CELLS);
}

static void every_allocation_of_a_history_may_fail(void **state) {
  (void)state;
  enum { N = 300, DRAWS = 150 };
  static uint64_t frame[N], back[N];
  static uint64_t draws[DRAWS][N];
  size_t fail = 1;
  for (bool failed = true; failed; fail++) {
    host m = {.fail_at = fail};
    aim_alloc a = {host_fn, &m};
    trace_history h;
    failed = false;
    if (!trace_history_init(&h, &a, N, &(trace_options){.chunk_cells = 64})) {
      failed = true;
      assert_int_equal(m.bytes, 0);
      continue;
    }
    memset(frame, 0, sizeof frame);
    uint64_t seed = 4;
    while (h.n < DRAWS) {
      size_t changed[3];
      for (size_t c = 0; c < 3; c++) frame[changed[c] = below(&seed, N)] = next_random(&seed);
      size_t before = h.n;
      while (!(h.n % 2 ? trace_history_append(&h, frame, changed, 3) : trace_history_append_frame(&h, frame))) {
        assert_int_equal(h.n, before);
        failed = true; /* once: the next try gets its memory */
      }
      memcpy(draws[before], frame, sizeof frame);
    }
    for (size_t k = 0; k < DRAWS; k++) {
      trace_history_read(&h, k, 0, N, back);
      assert_memory_equal(back, draws[k], sizeof back);
    }
    assert_int_equal(m.bytes, trace_history_bytes(&h));
    trace_history_free(&h);
    assert_int_equal(m.bytes, 0);
  }
  assert_true(fail > 100);
}

static void a_history_filled_again_allocates_nothing(void **state) {
  (void)state;
  enum { N = 20000 };
  host m = {0};
  aim_alloc a = {host_fn, &m};
  uint64_t seed;
  size_t calls = 0;
  trace_history y;
  assert_true(trace_history_init(&y, &a, N, NULL));
  static int64_t frame[N];
  for (size_t round = 0; round < 3; round++) {
    if (round == 1) calls = m.calls;
    seed = 9;
    for (size_t k = 0; k < 300; k++) {
      size_t changed[5];
      for (size_t c = 0; c < 5; c++) frame[changed[c] = below(&seed, N)]++;
      assert_true(trace_history_append(&y, frame, changed, 5));
    }
    trace_history_clear(&y);
  }
  assert_int_equal(m.calls, calls);
  trace_history_free(&y);
  assert_int_equal(m.bytes, 0);
}

/* 1000 draws of 1e5 cells, 50 changed in each: exact bytes and the time to keep and to read them, against copies. */
static void history_against_flat_copies(void **state) {
  (void)state;
  enum { N = 100000, CHANGED = 50 };
  size_t draws = SANITIZED ? 100 : 1000;
  static const size_t chunk[] = {512, 64, 16};
  uint64_t *frame = malloc(8 * N);
  size_t *changed = malloc(draws * CHANGED * sizeof *changed);
  uint64_t *back = malloc(8 * N);
  uint64_t *flat = malloc(draws * 8 * N);
  double flat_s = 0;
  for (size_t v = 0; v < 4; v++) {
    host m = {0};
    aim_alloc a = {host_fn, &m};
    trace_history h;
    uint64_t seed = 31;
    double took = 0, first_took = 0;
    if (v) assert_true(trace_history_init(&h, &a, N, &(trace_options){.chunk_cells = chunk[v - 1]}));
    /* Twice: into memory fresh from the system, then into the same memory again. */
    for (size_t round = 0; round < 2; round++) {
      if (v && round) trace_history_clear(&h);
      first_took = took;
      took = 0;
      seed = 31;
      for (size_t i = 0; i < N; i++) frame[i] = i;
      if (v) assert_true(trace_history_append_frame(&h, frame));
      for (size_t k = 0; k < draws; k++) {
        size_t *list = changed + k * CHANGED;
        for (size_t c = 0; c < CHANGED; c++) frame[list[c] = below(&seed, N)] = next_random(&seed);
        double start = seconds();
        if (v) assert_true(trace_history_append(&h, frame, list, CHANGED));
        else memcpy(flat + k * N, frame, 8 * N);
        took += seconds() - start;
      }
    }
    /* v = 0 keeps flat copies, which the others are compared with. */
    if (!v) {
      flat_s = took;
      print_message("history: %zu flat draws of 1e5 cells: %.0f MB, %.1f us a draw (%.1f in fresh memory)\n", draws,
                    8e-6 * N * (double)draws, 1e6 * took / (double)draws, 1e6 * first_took / (double)draws);
      continue;
    }
    for (size_t k = 0; k < draws; k += 7) {
      trace_history_read(&h, k + 1, 0, N, back);
      assert_memory_equal(back, flat + k * N, 8 * N);
    }
    size_t cell = changed[CHANGED * (draws / 2)];
    trace_history_series(&h, cell, 1, draws, back);
    for (size_t k = 0; k < draws; k++) {
      assert_true(back[k] == flat[k * N + cell]);
      assert_true((uint64_t)trace_history_int(&h, k + 1, cell) == back[k]);
      double x = trace_history_real(&h, k + 1, cell);
      assert_memory_equal(&x, &back[k], 8);
    }
    double start = seconds();
    for (size_t c = 0; c < 100; c++) trace_history_series(&h, below(&seed, N), 1, draws, back);
    double series = (seconds() - start) / 100;
    size_t bytes = trace_history_bytes(&h);
    assert_int_equal(bytes, m.bytes);
    print_message("history: in chunks of %3zu: %.1f MB (1/%.1f), %.1f us a draw (1/%.1f; %.1f fresh), %.1f us a series\n",
                  chunk[v - 1], 1e-6 * (double)bytes, 8.0 * N * (double)draws / (double)bytes,
                  1e6 * took / (double)draws, flat_s / took, 1e6 * first_took / (double)draws, 1e6 * series);
    /* Each changed cell costs at most its chunk and path. */
    assert_true(bytes <= (N + draws * CHANGED * 512) * 9 && bytes < draws * 8 * N / 3);
    trace_history_free(&h);
    assert_int_equal(m.bytes, 0);
  }
  free(frame);
  free(changed);
  free(back);
  free(flat);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(single_site_draws_are_small),
      cmocka_unit_test(every_allocation_of_a_history_may_fail),
      cmocka_unit_test(a_history_filled_again_allocates_nothing),
      cmocka_unit_test(history_against_flat_copies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
