/* memory.c: copies of traces, and calls of the allocator.
 *
 * Traces are below aim.h, so their rows use vm/trace.h directly; what is shipped on top of them (particles, replay) will have rows
 * of its own. */
#include "tests/bench/bench.h"

#include "vm/trace.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 31 };

static void *host(void *user, void *ptr, size_t old_size, size_t size) {
  (void)old_size;
  if (user) atomic_fetch_add_explicit((_Atomic uint64_t *)user, 1, memory_order_relaxed);
  if (size) return realloc(ptr, size);
  free(ptr);
  return NULL;
}

/* ---- traces */

typedef struct frame {
  trace t;
  size_t cells, at;
  double *flat, *copy;
} frame;

static void clone(void *ctx, long n) {
  frame *f = ctx;
  for (long k = 0; k < n; k++) {
    trace c = trace_clone(&f->t);
    trace_free(&c);
  }
}
static void clone_write(void *ctx, long n) {
  frame *f = ctx;
  for (long k = 0; k < n; k++) {
    trace c = trace_clone(&f->t);
    f->at = (f->at + 7919) % f->cells;
    trace_set_real(&c, f->at, (double)k);
    trace_free(&c);
  }
}
static void copy(void *ctx, long n) {
  frame *f = ctx;
  for (long k = 0; k < n; k++) {
    memcpy(f->copy, f->flat, f->cells * sizeof(double));
    __asm__ volatile("" : : "r"(f->copy) : "memory"); /* someone might look */
  }
}

/* What a write to a clone copies, in bytes; 0 if the clone or its source then reads wrongly. */
static size_t copied(frame *f, size_t at) {
  trace c = trace_clone(&f->t);
  bool right = trace_set_real(&c, at, -1) && trace_real(&c, at) == -1 && trace_real(&f->t, at) == f->flat[at];
  size_t other = (at + f->cells / 2) % f->cells;
  right = right && (other == at || trace_real(&c, other) == f->flat[other]);
  size_t bytes = trace_measure(&c).own_bytes;
  trace_free(&c);
  return right ? bytes : 0;
}

static void traces(bench *b, size_t cells, const char *power) {
  const char *name[] = {bench_text("trace_clone_%s", power), bench_text("trace_clone_write_%s", power),
                        bench_text("trace_write_bytes_%s", power)};
  if (!bench_wanted(b, name[0]) && !bench_wanted(b, name[1]) && !bench_wanted(b, name[2])) return;
  aim_alloc alloc = {host, NULL};
  trace_heap h;
  frame f = {.cells = cells, .flat = bench_alloc(cells, sizeof(double)), .copy = bench_alloc(cells, sizeof(double))};
  if (!trace_heap_init(&h, &alloc, cells, NULL)) {
    bench_wrong(b, name[0], "no heap");
    return;
  }
  f.t = trace_create(&h);
  bench_random r = {81};
  for (size_t k = 0; k < cells; k++) f.flat[k] = bench_uniform(&r);
  bool written = trace_write(&f.t, 0, cells, f.flat);
  size_t bytes = written ? copied(&f, cells / 3) : 0;
  const char *check = "clone and source read what they should";
  if (!bytes)
    bench_wrong(b, name[0], "a write to a clone shows in its source, or not in the clone");
  else {
    bench_side flat = {copy, &f};
    if (bench_wanted(b, name[0]))
      bench_pair(b, &(bench_row){name[0], "ns", BENCH_TIME, 1e9, "memcpy of the frame", 20, check}, (bench_side){clone, &f}, flat,
                 RUNS);
    if (bench_wanted(b, name[1]))
      bench_pair(b, &(bench_row){name[1], "ns", BENCH_TIME, 1e9, "memcpy of the frame", 0, check}, (bench_side){clone_write, &f},
                 flat, RUNS);
    if (bench_wanted(b, name[2])) {
      double v = (double)bytes, whole = 8 * (double)cells;
      bench_record(b, &(bench_row){name[2], "bytes", BENCH_TIME, 1, "bytes of the frame", 0, check}, &v, &whole, 1);
    }
  }
  trace_free(&f.t);
  trace_heap_free(&h);
  free(f.flat);
  free(f.copy);
}

/* ---- calls of the host's allocator by a run of eight schools */

static bool calls_of(const char *method, int64_t draws, uint64_t *calls) {
  _Atomic uint64_t count = 0;
  aim_config c;
  aim_config_init(&c);
  c.alloc = host;
  c.alloc_user = &count;
  bool independent = strcmp(method, "importance") == 0 || strcmp(method, "prior") == 0;
  const char *name[] = {strcmp(method, "importance") == 0 ? "particles" : "draws", independent ? NULL : "warmup", "chains", NULL};
  int64_t value[] = {draws, 100, 1};
  bench_model m;
  aim_vm *vm = aim_vm_new(&c);
  bool right =
      vm && bench_model_open(&m, vm, bench_schools_text, bench_schools_data) && bench_model_run(&m, method, name, value) >= 0;
  aim_evidence e;
  right = right && (strcmp(method, "importance") == 0 ? aim_evidence_get(m.task, &e) == AIM_OK && e.particles == (uint64_t)draws
                                                      : aim_draw_count(m.task, 0) == (size_t)draws);
  *calls = count;
  if (vm) bench_model_close(&m);
  return right;
}

static void allocations(bench *b, const char *method) {
  const char *name = bench_text("allocations_%s", method);
  if (!bench_wanted(b, name)) return;
  enum { MORE = 10000 };
  uint64_t few, many;
  if (!calls_of(method, 1000, &few) || !calls_of(method, 1000 + MORE, &many) || !few) {
    bench_wrong(b, name, "the run failed");
    return;
  }
  double v = ((double)many - (double)few) / MORE;
  if (v != 0)
    bench_wrong(b, name, "%g calls of the allocator an iteration", v);
  else
    bench_record(b,
                 &(bench_row){name, "calls/draw", BENCH_TIME, 1, NULL, 0,
                              bench_text("%d further draws, %llu calls in all", MORE, (unsigned long long)many)},
                 &v, NULL, 1);
}

void bench_memory(bench *b) {
  traces(b, 100, "1e2");
  traces(b, 1000, "1e3");
  traces(b, 10000, "1e4");
  traces(b, 100000, "1e5");
  traces(b, 1000000, "1e6");
  allocations(b, "prior");
  allocations(b, "importance");
  allocations(b, "mh");
  allocations(b, "nuts");
}
