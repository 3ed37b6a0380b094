/* test_vm_trace.c: copy-on-write traces.
 *
 *     test_vm_trace [operations]
 *
 * Traces are compared with plain arrays under random histories (fixed seeds), by default of 1.2e6 operations.  Times
 * are printed; only the bound on a clone is asserted, 50 ns, in builds without a sanitizer. */
#include "tests/unit/host.h"
#include "vm/trace.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static size_t operations = 1200000;

/* --- traces against arrays --- */

enum { SLOTS = 10 };

typedef struct world {
  trace_heap heap;
  size_t cells;
  trace slot[SLOTS]; /* root NULL: empty */
  uint64_t *model[SLOTS];
  uint64_t *buffer;
} world;

static void world_check(world *w, size_t s) {
  trace_read(&w->slot[s], 0, w->cells, w->buffer);
  if (w->cells) assert_memory_equal(w->buffer, w->model[s], 8 * w->cells);
}

static int by_address(const void *a, const void *b) {
  uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
  return (x > y) - (x < y);
}

/* The chunks in use are exactly those that some handle reaches, and the zero chunk; what is own adds up. */
static void world_check_memory(world *w) {
  size_t n = 0, own = 0, own_chunks = 0, reached = 0;
  const void **seen = malloc((SLOTS + 1) * w->heap.chunks * sizeof *seen);
  trace zero = trace_create(&w->heap);
  for (size_t k = 0; k < w->heap.chunks; k++) seen[n++] = trace_chunk(&zero, k, NULL, NULL);
  trace_free(&zero);
  for (size_t s = 0; s < SLOTS; s++) {
    if (!w->slot[s].root) continue;
    for (size_t k = 0; k < w->heap.chunks; k++) seen[n++] = trace_chunk(&w->slot[s], k, NULL, NULL);
    trace_stats st = trace_measure(&w->slot[s]);
    own += st.own_bytes;
    own_chunks += st.own_chunks;
    if (reached < st.shared_chunks) reached = st.shared_chunks;
  }
  qsort(seen, n, sizeof *seen, by_address);
  size_t distinct = 0;
  for (size_t i = 0; i < n; i++) distinct += i == 0 || seen[i] != seen[i - 1];
  free(seen);
  assert_int_equal(distinct, w->heap.chunk.stats.live);
  assert_true(own_chunks + reached + 1 <= distinct);
  assert_true((int64_t)own <= trace_heap_bytes(&w->heap));
}

static void random_step(world *w, uint64_t *seed) {
  size_t s = below(seed, SLOTS), n = w->cells;
  if (!w->slot[s].root) {
    size_t from = below(seed, SLOTS);
    if (w->slot[from].root && below(seed, 8)) {
      w->slot[s] = trace_clone(&w->slot[from]);
      memcpy(w->model[s], w->model[from], 8 * n);
    } else {
      w->slot[s] = trace_create(&w->heap);
      memset(w->model[s], 0, 8 * n);
    }
    return;
  }
  size_t i = below(seed, n), len = 1 + below(seed, n - i);
  switch (below(seed, 24)) {
  case 0:
  case 1:
    trace_free(&w->slot[s]);
    break;
  case 2: /* a range */
    for (size_t c = 0; c < len; c++) w->model[s][i + c] = next_random(seed);
    assert_true(trace_write(&w->slot[s], i, len, w->model[s] + i));
    break;
  case 3: /* a frame with few differences */
    for (size_t c = 0; c < 3; c++) w->model[s][below(seed, n)] = next_random(seed) & 1;
    assert_true(trace_store(&w->slot[s], w->model[s]));
    break;
  case 4:
    trace_read(&w->slot[s], i, len, w->buffer);
    assert_memory_equal(w->buffer, w->model[s] + i, 8 * len);
    break;
  case 5: {
    size_t o = below(seed, SLOTS);
    if (w->slot[o].root)
      assert_int_equal(trace_equal(&w->slot[s], &w->slot[o]), memcmp(w->model[s], w->model[o], 8 * n) == 0);
    break;
  }
  case 6: { /* a whole chunk in place */
    size_t first, count;
    uint64_t *cells = trace_chunk_edit(&w->slot[s], below(seed, w->heap.chunks), &first, &count);
    assert_non_null(cells);
    assert_memory_equal(cells, w->model[s] + first, 8 * count);
    for (size_t c = 0; c < count; c++) cells[c] = w->model[s][first + c] += c;
    break;
  }
  case 7:
    world_check(w, s);
    break;
  default:
    if (below(seed, 3)) {
      w->model[s][i] = next_random(seed);
      if (below(seed, 2)) {
        double x;
        memcpy(&x, &w->model[s][i], 8);
        assert_true(trace_set_real(&w->slot[s], i, x));
      } else {
        assert_true(trace_set_int(&w->slot[s], i, (int64_t)w->model[s][i]));
      }
    } else {
      double x = trace_real(&w->slot[s], i);
      assert_memory_equal(&x, &w->model[s][i], 8);
      assert_true((uint64_t)trace_int(&w->slot[s], i) == w->model[s][i]);
    }
  }
}

static void histories_match_arrays(void **state) {
  (void)state;
  static const struct { size_t cells, chunk; } layouts[] = {
      {1, 0}, {5, 0}, {8, 0}, {9, 8}, {100, 0}, {128, 8}, {129, 8}, {513, 0}, {2500, 8}, {3000, 0}};
  enum { LAYOUTS = sizeof layouts / sizeof *layouts };
  for (size_t l = 0; l < LAYOUTS; l++) {
    host m = {0};
    aim_alloc a = {host_fn, &m};
    world w = {.cells = layouts[l].cells};
    trace_options o = {.chunk_cells = layouts[l].chunk, .pool_max = l & 1 ? 20 : POOL_UNBOUNDED};
    assert_true(trace_heap_init(&w.heap, &a, w.cells, &o));
    int64_t empty = trace_heap_bytes(&w.heap);
    for (size_t s = 0; s < SLOTS; s++) w.model[s] = calloc(w.cells, 8);
    w.buffer = calloc(w.cells, 8);
    uint64_t seed = 100 + l;
    for (size_t step = 0; step < operations / LAYOUTS; step++) {
      random_step(&w, &seed);
      if (step % 1000 == 0) {
        for (size_t s = 0; s < SLOTS; s++)
          if (w.slot[s].root) world_check(&w, s);
        world_check_memory(&w);
        if (o.pool_max) assert_true(w.heap.chunk.stats.kept <= o.pool_max && w.heap.node.stats.kept <= o.pool_max);
        assert_int_equal(m.bytes, trace_heap_bytes(&w.heap));
      }
    }
    for (size_t s = 0; s < SLOTS; s++) trace_free(&w.slot[s]), free(w.model[s]);
    free(w.buffer);
    assert_int_equal(w.heap.chunk.stats.live, 1); /* the zero tree */
    assert_int_equal(w.heap.node.stats.live, w.heap.depth);
    pool_free(&w.heap.chunk);
    pool_free(&w.heap.node);
    assert_int_equal(trace_heap_bytes(&w.heap), empty);
    trace_heap_free(&w.heap);
    assert_int_equal(w.heap.chunk.stats.live, 0);
    assert_int_equal(w.heap.node.stats.live, 0);
    assert_int_equal(m.bytes, 0);
  }
}

static void layouts_out_of_range_are_refused(void **state) {
  (void)state;
  host m = {0};
  aim_alloc a = {host_fn, &m};
  trace_heap h;
  assert_false(trace_heap_init(&h, &a, (size_t)-1, NULL));
  assert_false(trace_heap_init(&h, &a, 10, &(trace_options){.chunk_cells = 100}));
  assert_false(trace_heap_init(&h, &a, 10, &(trace_options){.chunk_cells = 4}));
  assert_false(trace_heap_init(&h, &a, 10, &(trace_options){.chunk_cells = 8192}));
  assert_int_equal(m.calls, 0);
  /* A frame far larger than memory costs its zero tree. */
  assert_true(trace_heap_init(&h, &a, (size_t)1 << 40, NULL));
  trace t = trace_create(&h);
  assert_true(trace_set_int(&t, ((size_t)1 << 40) - 1, -7));
  assert_int_equal(trace_int(&t, ((size_t)1 << 40) - 1), -7);
  assert_int_equal(trace_int(&t, ((size_t)1 << 40) - 2), 0);
  assert_true(m.bytes < 20000);
  trace_free(&t);
  trace_heap_free(&h);
  assert_true(trace_heap_init(&h, &a, 0, NULL));
  t = trace_create(&h);
  trace c = trace_clone(&t);
  assert_true(trace_equal(&t, &c));
  assert_true(trace_store(&t, NULL));
  trace_free(&t);
  trace_free(&c);
  trace_heap_free(&h);
  assert_int_equal(m.bytes, 0);
}

/* --- costs of one write --- */

static void one_write_copies_one_chunk_and_its_path(void **state) {
  (void)state;
  static const size_t lengths[] = {10, 512, 513, 8192, 8193, 100000, 1000000};
  for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
    host m = {0};
    aim_alloc a = {host_fn, &m};
    trace_heap h;
    size_t n = lengths[l];
    assert_true(trace_heap_init(&h, &a, n, NULL));
    uint64_t *frame = malloc(8 * n);
    for (size_t i = 0; i < n; i++) frame[i] = i + 1;
    trace t = trace_create(&h);
    trace_stats s = trace_measure(&t);
    assert_int_equal(s.own_bytes + s.shared_bytes, 0);
    assert_int_equal(s.zero_bytes, trace_heap_bytes(&h));
    assert_true(trace_write(&t, 0, n, frame));
    trace c = trace_clone(&t);
    int64_t chunks = h.chunk.stats.live, nodes = h.node.stats.live;
    s = trace_measure(&c);
    assert_int_equal(s.own_bytes, 0);
    assert_int_equal(s.shared_chunks, h.chunks);
    size_t whole = s.shared_bytes;
    assert_true(trace_set_int(&c, n / 2, -1));
    assert_int_equal(h.chunk.stats.live, chunks + 1);
    assert_int_equal(h.node.stats.live, nodes + (int64_t)h.depth);
    s = trace_measure(&c);
    assert_int_equal(s.own_chunks, 1);
    assert_int_equal(s.own_bytes, h.chunk.block + h.depth * h.node.block);
    assert_int_equal(s.own_bytes + s.shared_bytes, whole);
    /* The second write to the chunk is in place, through either handle. */
    assert_true(trace_set_int(&c, n / 2, -2));
    assert_true(trace_set_int(&t, n / 2, -3));
    assert_int_equal(h.chunk.stats.live, chunks + 1);
    assert_int_equal(h.node.stats.live, nodes + (int64_t)h.depth);
    assert_int_equal(trace_int(&c, n / 2), -2);
    /* Storing what is there already copies nothing; storing one difference copies one chunk. */
    trace d = trace_clone(&t);
    trace_read(&d, 0, n, frame);
    assert_true(trace_store(&d, frame));
    assert_int_equal(h.chunk.stats.live, chunks + 1);
    frame[n - 1] ^= 1;
    assert_true(trace_store(&d, frame));
    assert_int_equal(h.chunk.stats.live, chunks + 2);
    trace_free(&t);
    trace_free(&c);
    trace_free(&d);
    trace_heap_free(&h);
    free(frame);
    assert_int_equal(m.bytes, 0);
  }
}

/* A heap goes, and a handle of another heap is left as the only holder of its zero tree: the blocks are then ordinary
 * ones, which are written in place and no longer taken for zero. */
static void zero_blocks_outlive_their_heap(void **state) {
  (void)state;
  for (size_t n = 8; n <= 8 * TRACE_FANOUT; n *= TRACE_FANOUT) {
    host m = {0};
    aim_alloc a = {host_fn, &m};
    trace_heap h[3];
    trace t[3];
    trace_options o = {.chunk_cells = 8};
    assert_true(trace_heap_init(&h[0], &a, n, &o));
    for (size_t i = 1; i < 3; i++) {
      trace_heap gone;
      assert_true(trace_heap_init(&h[i], &a, n, &o));
      assert_true(trace_heap_init(&gone, &a, n, &o));
      trace first = trace_create(&gone);
      t[i] = trace_clone_to(&h[i], &first);
      trace_free(&first);
      trace_heap_free(&gone);
    }
    t[0] = trace_create(&h[0]);
    assert_true(trace_equal(&t[0], &t[1]) && trace_equal(&t[1], &t[2]));
    for (size_t i = 1; i < 3; i++)
      for (size_t k = 0; k < h[i].chunks; k++) assert_true(trace_set_int(&t[i], 8 * k, (int64_t)(100 * i + k)));
    /* The zero chunk of a lone node had 16 holders, the last of which wrote in place. */
    assert_int_equal(h[1].chunk.stats.live, h[1].chunks - 1 + 1);
    assert_false(trace_equal(&t[0], &t[1]) || trace_equal(&t[1], &t[2]));
    trace_stats s = trace_measure(&t[1]);
    assert_int_equal(s.own_chunks, h[1].chunks);
    assert_int_equal(s.own_bytes, h[1].chunks * h[1].chunk.block + h[1].depth * h[1].node.block);
    assert_int_equal(s.zero_bytes, 0);
    for (size_t i = 0; i < 3; i++) trace_free(&t[i]), trace_heap_free(&h[i]);
    assert_int_equal(m.bytes, 0);
  }
}

/* --- failing allocations --- */

/* Clones, writes and frees; every operation that fails leaves its trace as it was. */
static void scenario(host *m, bool *failed) {
  aim_alloc a = {host_fn, m};
  enum { N = 700 };
  static uint64_t frame[N], was[N], now[N];
  trace_heap h;
  uint64_t seed = 21;
  if (!trace_heap_init(&h, &a, N, &(trace_options){.chunk_cells = 8, .pool_max = 4})) {
    *failed = true;
    assert_int_equal(m->bytes, 0);
    return;
  }
  trace t = trace_create(&h), c[6];
  size_t clones = 0;
  bool ok = trace_heap_prewarm(&h, 2);
  *failed |= !ok;
  for (size_t step = 0; step < 24; step++) {
    trace_read(&t, 0, N, was);
    if (clones < 6) c[clones++] = trace_clone(&t);
    else trace_free(&c[--clones]);
    memcpy(frame, was, sizeof was);
    size_t i = below(&seed, N - 50);
    switch (step % 4) {
    case 0:
      frame[i] = step + 1;
      ok = trace_set_int(&t, i, (int64_t)frame[i]);
      break;
    case 1:
      for (size_t j = 0; j < 40; j++) frame[i + j] = next_random(&seed);
      ok = trace_write(&t, i, 40, frame + i);
      break;
    case 2:
      frame[i] = frame[N - 1 - i] = next_random(&seed);
      ok = trace_store(&t, frame);
      break;
    default: {
      size_t first, count;
      uint64_t *cells = trace_chunk_edit(&t, i / 8, &first, &count);
      ok = cells != NULL;
      if (ok) cells[0] = frame[first] = step;
    }
    }
    trace_read(&t, 0, N, now);
    assert_memory_equal(now, ok ? frame : was, sizeof now);
    *failed |= !ok;
  }
  while (clones) trace_free(&c[--clones]);
  trace_free(&t);
  assert_int_equal(h.chunk.stats.live, 1);
  assert_int_equal(h.node.stats.live, h.depth);
  trace_heap_free(&h);
  assert_int_equal(m->bytes, 0);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  for (int persistent = 0; persistent < 2; persistent++) {
    size_t fail = 1;
    for (bool failed = true; failed; fail++) {
      host m = {.fail_at = fail, .persistent = persistent};
      failed = false;
      scenario(&m, &failed);
      assert_int_equal(failed, m.calls >= fail);
    }
    assert_true(fail > 50);
  }
}

/* --- after warm-up --- */

static void cycles_after_warm_up_allocate_nothing(void **state) {
  (void)state;
  enum { PARTICLES = 200, N = 20000 };
  host m = {0};
  aim_alloc a = {host_fn, &m};
  trace_heap h;
  assert_true(trace_heap_init(&h, &a, N, NULL));
  static trace p[PARTICLES], q[PARTICLES];
  uint64_t seed = 8;
  size_t calls = 0;
  for (size_t i = 0; i < PARTICLES; i++) p[i] = trace_create(&h);
  for (size_t step = 0; step < 60; step++) {
    if (step == 30) {
      /* Which chunks die with which particle is random: keep a margin over what was seen. */
      assert_true(trace_heap_prewarm(&h, 4 * PARTICLES));
      calls = m.calls;
    }
    for (size_t i = 0; i < PARTICLES; i++) q[i] = trace_clone(&p[below(&seed, PARTICLES)]);
    for (size_t i = 0; i < PARTICLES; i++) trace_free(&p[i]);
    for (size_t i = 0; i < PARTICLES; i++) {
      p[i] = q[i];
      assert_true(trace_set_real(&p[i], below(&seed, 1500), (double)i));
    }
  }
  assert_int_equal(m.calls, calls);
  for (size_t i = 0; i < PARTICLES; i++) trace_free(&p[i]);
  trace_heap_free(&h);
  assert_int_equal(m.bytes, 0);
}

/* --- times --- */

static void clones_take_constant_time(void **state) {
  (void)state;
  enum { CLONES = 10000, REPEATS = 15 };
  static trace c[CLONES];
  for (size_t n = 10; n <= 1000000; n *= 10) {
    host m = {0};
    aim_alloc a = {host_fn, &m};
    trace_heap h;
    assert_true(trace_heap_init(&h, &a, n, NULL));
    double *frame = malloc(8 * n);
    for (size_t i = 0; i < n; i++) frame[i] = (double)i;
    trace t = trace_create(&h);
    assert_true(trace_store(&t, frame));
    int64_t live = h.chunk.stats.live + h.node.stats.live;
    double clone[REPEATS], drop[REPEATS], write[REPEATS], get[REPEATS];
    uint64_t seed = n;
    volatile double sum = 0;
    for (size_t r = 0; r < REPEATS; r++) {
      double s0 = seconds();
      for (size_t i = 0; i < CLONES; i++) c[i] = trace_clone(&t);
      double s1 = seconds();
      assert_int_equal(h.chunk.stats.live + h.node.stats.live, live);
      for (size_t i = 0; i < CLONES; i++) trace_free(&c[i]);
      double s2 = seconds();
      for (size_t i = 0; i < 200; i++) {
        trace d = trace_clone(&t);
        assert_true(trace_set_real(&d, below(&seed, n), 1));
        trace_free(&d);
      }
      double s3 = seconds();
      for (size_t i = 0; i < CLONES; i++) sum = sum + trace_real(&t, below(&seed, n));
      double s4 = seconds();
      clone[r] = 1e9 * (s1 - s0) / CLONES;
      drop[r] = 1e9 * (s2 - s1) / CLONES;
      write[r] = 1e9 * (s3 - s2) / 200;
      get[r] = 1e9 * (s4 - s3) / CLONES;
    }
    double ns = median(clone, REPEATS);
    print_message("%8zu cells: clone %.1f ns, free %.1f ns, clone + one write + free %.0f ns, random read %.1f ns\n", n, ns,
                  median(drop, REPEATS), median(write, REPEATS), median(get, REPEATS));
    if (!SANITIZED) assert_true(ns <= 50);
    trace_free(&t);
    trace_heap_free(&h);
    free(frame);
    assert_int_equal(m.bytes, 0);
  }
}

/* Ancestors of 10,000 particles of 1e5 cells each: the handles move, the cells do not. */
static void resampling_moves_no_cells(void **state) {
  (void)state;
  enum { PARTICLES = 10000, REPEATS = 9 };
  host m = {0};
  aim_alloc a = {host_fn, &m};
  trace_heap h;
  assert_true(trace_heap_init(&h, &a, 100000, NULL));
  trace *p = malloc(PARTICLES * sizeof *p), *q = malloc(PARTICLES * sizeof *q);
  double took[REPEATS];
  uint64_t seed = 77;
  for (size_t i = 0; i < PARTICLES; i++) p[i] = trace_create(&h);
  for (size_t r = 0; r < REPEATS; r++) {
    for (size_t i = 0; i < PARTICLES; i++) assert_true(trace_set_real(&p[i], r, (double)i));
    double start = seconds();
    for (size_t i = 0; i < PARTICLES; i++) q[i] = trace_clone(&p[below(&seed, PARTICLES)]);
    for (size_t i = 0; i < PARTICLES; i++) trace_free(&p[i]);
    took[r] = 1e3 * (seconds() - start);
    trace *swap = p;
    p = q;
    q = swap;
  }
  print_message("resampling 10000 particles of 1e5 cells: %.2f ms\n", median(took, REPEATS));
  for (size_t i = 0; i < PARTICLES; i++) trace_free(&p[i]);
  free(p);
  free(q);
  trace_heap_free(&h);
  assert_int_equal(m.bytes, 0);
}

/* --- threads --- */

enum { SHARED_CELLS = 3000, BASES = 4, MAIL = 16 };

/* Two workers, each with its own heap, clone the same bases, write, free, and send each other handles. */
typedef struct mailbox {
  pthread_mutex_t lock;
  trace item[MAIL];
  uint64_t *model[MAIL];
  size_t n;
} mailbox;

typedef struct worker {
  trace_heap *heap, *other;
  const trace *bases; /* read by both, freed after both ended */
  uint64_t *const *base_models;
  mailbox *in, *out;
  uint64_t seed;
  size_t steps, sent, wrong;
  _Atomic size_t step; /* relaxed, so that it orders nothing the race detector should see unordered */
  struct worker *peer;
} worker;

/* Neither runs ahead by more than some steps, so that they work at the same time whatever the scheduler does. */
static void keep_pace(worker *w, size_t step) {
  atomic_store_explicit(&w->step, step, memory_order_relaxed);
  while (atomic_load_explicit(&w->peer->step, memory_order_relaxed) + 2000 < step) sched_yield();
}

static void *work(void *arg) {
  worker *w = arg;
  enum { MINE = 6 };
  trace mine[MINE] = {{0}};
  uint64_t *model[MINE], *buffer = malloc(8 * SHARED_CELLS);
  for (size_t s = 0; s < MINE; s++) model[s] = malloc(8 * SHARED_CELLS);
  for (size_t step = 0; step < w->steps; step++) {
    size_t s = below(&w->seed, MINE), b = below(&w->seed, BASES), i = below(&w->seed, SHARED_CELLS);
    if (step % 100 == 0) keep_pace(w, step);
    if (!mine[s].root) {
      if (below(&w->seed, 4) == 0) {
        pthread_mutex_lock(&w->in->lock);
        if (w->in->n) {
          size_t k = --w->in->n;
          mine[s] = w->in->item[k];
          free(model[s]);
          model[s] = w->in->model[k];
        }
        pthread_mutex_unlock(&w->in->lock);
      } else {
        mine[s] = trace_clone_to(w->heap, &w->bases[b]);
        memcpy(model[s], w->base_models[b], 8 * SHARED_CELLS);
      }
      continue;
    }
    switch (below(&w->seed, 16)) {
    case 0:
    case 1:
      trace_free(&mine[s]);
      break;
    case 2: {
      if (below(&w->seed, 4)) break;
      pthread_mutex_lock(&w->out->lock);
      if (w->out->n < MAIL) {
        size_t k = w->out->n++;
        w->out->item[k] = trace_clone_to(w->other, &mine[s]);
        w->out->model[k] = malloc(8 * SHARED_CELLS);
        memcpy(w->out->model[k], model[s], 8 * SHARED_CELLS);
        w->sent++;
      }
      pthread_mutex_unlock(&w->out->lock);
      break;
    }
    case 3:
      trace_read(&mine[s], 0, SHARED_CELLS, buffer);
      w->wrong += memcmp(buffer, model[s], 8 * SHARED_CELLS) != 0;
      trace_read(&w->bases[b], 0, SHARED_CELLS, buffer);
      w->wrong += memcmp(buffer, w->base_models[b], 8 * SHARED_CELLS) != 0;
      break;
    default:
      model[s][i] = next_random(&w->seed);
      w->wrong += !trace_set_int(&mine[s], i, (int64_t)model[s][i]);
    }
  }
  atomic_store_explicit(&w->step, w->steps, memory_order_relaxed);
  for (size_t s = 0; s < MINE; s++) {
    if (mine[s].root) {
      trace_read(&mine[s], 0, SHARED_CELLS, buffer);
      w->wrong += memcmp(buffer, model[s], 8 * SHARED_CELLS) != 0;
    }
    trace_free(&mine[s]);
    free(model[s]);
  }
  free(buffer);
  return NULL;
}

static void two_threads_share_blocks(void **state) {
  (void)state;
  host m = {0};
  aim_alloc a = {host_fn, &m};
  trace_options o = {.chunk_cells = 64};
  trace_heap heap[3];
  for (size_t i = 0; i < 3; i++) assert_true(trace_heap_init(&heap[i], &a, SHARED_CELLS, &o));
  trace bases[BASES];
  uint64_t *models[BASES], seed = 1;
  for (size_t b = 0; b < BASES; b++) {
    bases[b] = trace_create(&heap[2]);
    models[b] = calloc(SHARED_CELLS, 8);
    /* The first stays in the zero tree of a heap that is neither worker's. */
    for (size_t i = 0; i < SHARED_CELLS * b / BASES; i++) models[b][i] = next_random(&seed);
    assert_true(trace_store(&bases[b], models[b]));
  }
  mailbox box[2] = {{.lock = PTHREAD_MUTEX_INITIALIZER}, {.lock = PTHREAD_MUTEX_INITIALIZER}};
  worker w[2];
  pthread_t thread[2];
  for (size_t i = 0; i < 2; i++)
    w[i] = (worker){.heap = &heap[i], .other = &heap[1 - i], .bases = bases, .base_models = models, .in = &box[i],
                    .out = &box[1 - i], .seed = 40 + i, .steps = operations / (SANITIZED ? 20 : 6), .peer = &w[1 - i]};
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&thread[i], NULL, work, &w[i]), 0);
  for (size_t i = 0; i < 2; i++) pthread_join(thread[i], NULL);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(w[i].wrong, 0);
    assert_true(w[i].sent >= w[i].steps / 2000);
    for (size_t k = 0; k < box[i].n; k++) trace_free(&box[i].item[k]), free(box[i].model[k]);
  }
  /* The heap of the bases goes first, with blocks of its zero tree still held by one more clone. */
  trace last = trace_clone_to(&heap[0], &bases[0]);
  for (size_t b = 0; b < BASES; b++) trace_free(&bases[b]), free(models[b]);
  trace_heap_free(&heap[2]);
  for (size_t i = 0; i < SHARED_CELLS; i++) assert_int_equal(trace_int(&last, i), 0);
  for (size_t i = 0; i < SHARED_CELLS; i += 50) assert_true(trace_set_int(&last, i, (int64_t)i));
  for (size_t i = 0; i < SHARED_CELLS; i++) assert_int_equal(trace_int(&last, i), i % 50 ? 0 : i);
  trace_free(&last);
  int64_t chunks = 0, nodes = 0;
  for (size_t i = 0; i < 3; i++) {
    if (i < 2) trace_heap_free(&heap[i]);
    chunks += heap[i].chunk.stats.live;
    nodes += heap[i].node.stats.live;
  }
  assert_int_equal(chunks, 0);
  assert_int_equal(nodes, 0);
  assert_int_equal(m.bytes, 0);
}

int main(int argc, char **argv) {
  if (argc > 1) operations = strtoull(argv[1], NULL, 10);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(histories_match_arrays),
      cmocka_unit_test(layouts_out_of_range_are_refused),
      cmocka_unit_test(one_write_copies_one_chunk_and_its_path),
      cmocka_unit_test(zero_blocks_outlive_their_heap),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(cycles_after_warm_up_allocate_nothing),
      cmocka_unit_test(clones_take_constant_time),
      cmocka_unit_test(resampling_moves_no_cells),
      cmocka_unit_test(two_threads_share_blocks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
