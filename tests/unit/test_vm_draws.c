/* test_vm_draws.c: draws that share what did not change, against flat ones: the same bits, less memory, the same calls.
 *
 * A count as argument multiplies the lengths of the comparisons; `time` prints memory and time of both stores as well, on frames of
 * several lengths. */
#include "stdlib/runtime/rt_philox.h"
#include "tests/unit/host.h"
#include "vm/api.h"
#include "vm/trace.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static int longer = 1;
static bool timed;

static const char hierarchy[] =
    "model hierarchy() {\n  mu ~ Normal(0, 1)\n  s: real<lower = 0> ~ HalfNormal(2)\n"
    "  plate i in 1..40 { x[i] ~ Normal(mu, s); u[i]: real<lower = 0, upper = 1> ~ Uniform(0, 1) }\n"
    "  y[1] ~ Normal(0, 1)\n  for t in 2..30 { y[t] ~ Normal(0.9 * y[t - 1], 1) }\n"
    "  track total = mu + s\n  predict { z[i] ~ Normal(x[i], s) for i in 1..3 }\n}\n";
static const char vectors[] =
    "model vectors() {\n  plate i in 1..9 { w[i] ~ Dirichlet([1.0, 2.0, 3.0, 0.5]) }\n  o: ordered(5) ~ Normal(0, 1)\n"
    "  m ~ Normal(0, 1)\n  plate i in 1..20 { a[i] ~ Normal(m, w[1, 2]) }\n}\n";
static const char discrete[] =
    "model discrete() {\n  p ~ Beta(1, 1)\n  plate i in 1..30 { b[i] ~ Bernoulli(p); k[i] ~ Poisson(3); g[i] ~ Categorical([0.2, 0.3, 0.5]) }\n"
    "  track heads = sum(b)\n}\n";
static const char line[] = "model line(N: int) { mu ~ Normal(0, 1); plate i in 1..N { x[i] ~ Normal(mu, 1) } }\n";

typedef struct job {
  const char *text;
  int64_t cells; /* N, or 0 */
  int64_t steps, thin, draws, warmup, chains;
  run_keeping keep;
  const char *output;
  const aim_watch *watch;
  const char *save;
} job;

typedef struct task {
  aim_vm *vm;
  aim_program *p;
  aim_task *t;
} task;

static void print(void *user, const char *s, size_t n) {
  (void)user;
  print_error("%.*s", (int)n, s);
}

static void task_free(task *t) {
  aim_task_free(t->t);
  aim_program_free(t->p);
  aim_vm_free(t->vm);
}

static double now(void *user) {
  (void)user;
  return seconds();
}

/* Leaves the run in t, which the caller frees whatever the status. */
static aim_status job_run(const job *j, host *h, task *t) {
  aim_config config;
  aim_config_init(&config);
  if (h) config.alloc = host_fn, config.alloc_user = h;
  config.clock = now;
  *t = (task){aim_vm_new(&config), NULL, NULL};
  if (!t->vm) return AIM_E_MEMORY;
  aim_status st = aim_load(t->vm, "test.aim", j->text, strlen(j->text), &t->p);
  if (st == AIM_E_PROGRAM) aim_program_messages(t->p, 0, print, NULL);
  if (st == AIM_OK) st = aim_task_model(t->p, NULL, &t->t);
  if (st == AIM_OK && j->cells) st = aim_data_i64(t->t, "N", &j->cells, 0, NULL);
  const struct { const char *name; int64_t value; } option[] = {{"steps", j->steps}, {"thin", j->thin ? j->thin : 1}, {"draws", j->draws},
                                                                {"warmup", j->warmup}, {"chains", j->chains ? j->chains : 1}, {"threads", 2}};
  if (st == AIM_OK) st = aim_set_text(t->t, "method", "mh");
  for (size_t k = 0; k < sizeof option / sizeof *option && st == AIM_OK; k++) st = aim_set_int(t->t, option[k].name, option[k].value);
  if (st == AIM_OK && j->output) st = aim_set_text(t->t, "output", j->output);
  if (st == AIM_OK && j->save) st = aim_set_text(t->t, "save", j->save);
  if (st != AIM_OK) return st;
  t->t->keep = j->keep;
  st = aim_run(t->t, j->watch);
  if (st == AIM_E_PROGRAM || st == AIM_E_INTERNAL) aim_task_messages(t->t, 0, print, NULL);
  return st;
}

static void run_right(const job *j, host *h, task *t) { assert_int_equal(job_run(j, h, t), AIM_OK); }

/* ---- the same bits */

static void same_draws(const aim_task *a, const aim_task *b) {
  assert_true(draws_shared(a->run.store) && !draws_shared(b->run.store));
  assert_int_equal(aim_quantity_count(a), aim_quantity_count(b));
  for (int c = 0; c < aim_chain_count(a); c++) {
    size_t n = aim_draw_count(a, c);
    assert_int_equal(n, aim_draw_count(b, c));
    for (size_t q = 0; q < aim_quantity_count(a); q++) {
      aim_quantity x;
      assert_int_equal(aim_quantity_get(a, q, &x), AIM_OK);
      double *one = malloc(x.cells * sizeof *one), *other = malloc(x.cells * sizeof *other);
      for (size_t k = 0; k < n; k++) { /* before aim_draws has copied anything */
        assert_int_equal(aim_draw_get(a, c, k, q, one), AIM_OK);
        assert_int_equal(aim_draw_get(b, c, k, q, other), AIM_OK);
        assert_memory_equal(one, other, x.cells * sizeof *one);
      }
      for (size_t e = 0; e < x.cells; e++) assert_memory_equal(aim_draws(a, c, q, e), aim_draws(b, c, q, e), n * sizeof(double));
      assert_ptr_equal(aim_draws(a, c, q, 0), aim_draws(a, c, q, 0));
      free(one);
      free(other);
    }
    for (int s = 0; s < DRAWS_N_STATS; s++) assert_memory_equal(aim_stats(a, c, (aim_stat)s), aim_stats(b, c, (aim_stat)s), n * sizeof(double));
  }
}

/* Outputs are functions of the latents and the draw's number, so they can be computed from the frame that comes back. */
static void outputs_follow_from_frames(aim_task *t) {
  if (t->p.noutputs == 0) return;
  eval_worker w;
  assert_true(eval_worker_init(&w, &t->model, 0, &t->vm->alloc));
  exec_cell *frame = calloc(t->p.cells, sizeof *frame);
  for (int c = 0; c < aim_chain_count(t); c++) {
    uint64_t key = rt_key_fold(rt_key_fold(t->run.o.seed, (uint64_t)c), RUN_KEY_OUTPUTS);
    for (size_t k = 0; k < aim_draw_count(t, c); k++) {
      draws_frame(t->run.store, c, k, frame);
      assert_true(eval_outputs(&w, frame, rt_key_fold(key, k)));
      const exec_cell *at = w.outputs;
      for (size_t o = 0; o < t->p.noutputs; o++)
        for (size_t e = 0; e < t->p.output[o].cells; e++, at++) {
          double x = t->p.output[o].elem == IR_REAL ? at->real : (double)at->integer;
          assert_memory_equal(&x, &aim_draws(t, c, t->p.nsites + o, e)[k], sizeof x);
        }
    }
  }
  free(frame);
  eval_worker_free(&w);
}

/* Differences of proposals add up to the density. */
static void densities_are_right(aim_task *t) {
  aim_evaluator *e;
  assert_int_equal(aim_evaluator_new(t, &e), AIM_OK);
  double *x = malloc(aim_cells(e) * sizeof *x);
  for (size_t k = 0; k < aim_draw_count(t, 0); k++) {
    double *at = x;
    for (size_t q = 0; q < t->p.nsites; q++) {
      assert_int_equal(aim_draw_get(t, 0, k, q, at), AIM_OK);
      at += t->p.site[q].cells;
    }
    aim_score s;
    assert_int_equal(aim_score_get(e, x, &s), AIM_OK);
    double lp = s.prior + s.likelihood + s.factors;
    assert_true(fabs(lp - aim_stats(t, 0, AIM_STAT_LP)[k]) <= 1e-11 * (1 + fabs(lp)));
  }
  free(x);
  aim_evaluator_free(e);
}

static void same_summary(aim_task *a, aim_task *b) {
  aim_summary x, y;
  for (size_t q = 0; q < aim_quantity_count(a); q++) {
    assert_int_equal(aim_summarise(a, q, 0, &x), AIM_OK);
    assert_int_equal(aim_summarise(b, q, 0, &y), AIM_OK);
    assert_memory_equal(&x, &y, sizeof x);
  }
}

static void shared_draws_are_flat_draws(void **state) {
  (void)state;
  static const char *const text[] = {hierarchy, vectors, discrete};
  static const int64_t steps[] = {1, 3, 17, 1000, 0};
  for (size_t m = 0; m < 3; m++)
    for (size_t s = 0; s < 5; s++)
      for (int64_t thin = 1; thin <= 3; thin += 2) {
        job j = {.text = text[m], .steps = steps[s], .thin = thin, .draws = 60 * longer, .warmup = 5, .chains = 3, .keep = RUN_KEEP_SHARED};
        task a, b;
        run_right(&j, NULL, &a);
        j.keep = RUN_KEEP_FLAT;
        run_right(&j, NULL, &b);
        same_summary(a.t, b.t);
        same_draws(a.t, b.t);
        outputs_follow_from_frames(a.t);
        densities_are_right(a.t);
        task_free(&a);
        task_free(&b);
      }
}

/* Draws a few steps apart are the chain of sweeps, looked at more often. */
static void steps_go_on_with_the_sweep(void **state) {
  (void)state;
  job sweeps = {.text = line, .cells = 29, .draws = 20, .warmup = 7, .keep = RUN_KEEP_FLAT};
  task a, b;
  run_right(&sweeps, NULL, &a);
  static const int64_t steps[] = {1, 5, 30, 60};
  for (size_t s = 0; s < 4; s++) {
    job j = sweeps;
    j.keep = RUN_KEEP_AUTO;
    j.steps = steps[s];
    j.draws = 20 * 30 / steps[s];
    run_right(&j, NULL, &b);
    for (int64_t k = 1; k <= 20; k++) {
      if (k * 30 % steps[s]) continue;
      size_t at = (size_t)(k * 30 / steps[s] - 1);
      assert_true(aim_draws(a.t, 0, 0, 0)[k - 1] == aim_draws(b.t, 0, 0, 0)[at]);
      for (size_t e = 0; e < 29; e++) assert_true(aim_draws(a.t, 0, 1, e)[k - 1] == aim_draws(b.t, 0, 1, e)[at]);
      assert_true(aim_stats(a.t, 0, AIM_STAT_LP)[k - 1] == aim_stats(b.t, 0, AIM_STAT_LP)[at]);
    }
    assert_true(aim_stats(b.t, 0, AIM_STAT_LEAPFROGS)[0] == 2.0 * (double)steps[s]);
    task_free(&b);
  }
  task_free(&a);
}

/* Lines of a file that are no comments, whose times differ. */
static char *rows_of(const char *path, size_t *n) {
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  size_t room = 1 << 20;
  char *out = malloc(room), *row = malloc(room);
  *n = 0;
  while (fgets(row, (int)room, f)) {
    size_t length = strlen(row);
    if (row[0] == '#') continue;
    assert_true(*n + length < room);
    memcpy(out + *n, row, length);
    *n += length;
  }
  free(row);
  fclose(f);
  return out;
}

static void files_are_the_same(void **state) {
  (void)state;
  char dir[2][64] = {"/tmp/aim_draws_a_XXXXXX", "/tmp/aim_draws_b_XXXXXX"}, path[2][256];
  static const char *const file[] = {"hierarchy-1.csv", "hierarchy-2.csv", "summary.tsv"};
  task t[2];
  for (int k = 0; k < 2; k++) {
    assert_non_null(mkdtemp(dir[k]));
    job j = {.text = hierarchy, .steps = 4, .draws = 50, .warmup = 3, .chains = 2, .keep = k ? RUN_KEEP_FLAT : RUN_KEEP_SHARED, .output = dir[k]};
    run_right(&j, NULL, &t[k]);
  }
  for (size_t f = 0; f < 3; f++) {
    char *text[2];
    size_t n[2];
    for (int k = 0; k < 2; k++) {
      snprintf(path[k], sizeof path[k], "%s/%s", dir[k], file[f]);
      text[k] = rows_of(path[k], &n[k]);
      unlink(path[k]);
    }
    assert_true(n[0] == n[1] && n[0] > 500);
    assert_memory_equal(text[0], text[1], n[0]);
    free(text[0]);
    free(text[1]);
  }
  for (int k = 0; k < 2; k++) {
    size_t n;
    char expect[64];
    snprintf(path[k], sizeof path[k], "%s/run.json", dir[k]);
    char *text = rows_of(path[k], &n);
    text[n] = '\0';
    snprintf(expect, sizeof expect, "\"draws_bytes\": %zu,", draws_bytes(t[k].t->run.store));
    assert_non_null(strstr(text, expect));
    assert_non_null(strstr(text, "\"steps\": 4,"));
    free(text);
    unlink(path[k]);
    snprintf(path[k], sizeof path[k], "%s/.lock", dir[k]);
    unlink(path[k]);
    rmdir(dir[k]);
    task_free(&t[k]);
  }
}

/* ---- which store */

static void few_steps_of_many_are_shared(void **state) {
  (void)state;
  const struct { job j; bool shared; } cases[] = {
      {{.text = line, .cells = 20000, .steps = 50, .draws = 50}, true},
      {{.text = line, .cells = 20000, .steps = 50, .draws = 50, .save = "[mu]"}, false},
      {{.text = line, .cells = 20000, .steps = 0, .draws = 50}, false},
      {{.text = line, .cells = 20000, .steps = 15000, .draws = 50}, false},
      {{.text = line, .cells = 20000, .steps = 5000, .thin = 3, .draws = 50}, false},
      {{.text = line, .cells = 20, .steps = 2, .draws = 50}, false},
      {{.text = line, .cells = 20000, .steps = 1, .draws = 1}, false},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    task t;
    run_right(&cases[k].j, NULL, &t);
    assert_int_equal(draws_shared(t.t->run.store), cases[k].shared);
    task_free(&t);
  }
}

/* ---- memory */

/* Calls of the allocator by threads other than the one that runs the task. */
typedef struct watched_host {
  host h;
  pthread_t owner;
  _Atomic size_t elsewhere;
} watched_host;

static void *watched_fn(void *user, void *ptr, size_t old_size, size_t size) {
  watched_host *w = user;
  if (!pthread_equal(pthread_self(), w->owner)) w->elsewhere++;
  return host_fn(&w->h, ptr, old_size, size);
}

static void a_draw_allocates_nothing(void **state) {
  (void)state;
  static const int64_t steps[] = {1, 7, 64, 200};
  for (size_t s = 0; s < 4; s++)
    for (int64_t thin = 1; thin <= 2; thin++) {
      watched_host w = {.owner = pthread_self()};
      aim_config config;
      aim_config_init(&config);
      config.alloc = watched_fn;
      config.alloc_user = &w;
      aim_vm *vm = aim_vm_new(&config);
      aim_program *p;
      aim_task *t;
      int64_t cells = 701;
      assert_int_equal(aim_load(vm, "test.aim", line, strlen(line), &p), AIM_OK);
      assert_int_equal(aim_task_model(p, NULL, &t), AIM_OK);
      aim_data_i64(t, "N", &cells, 0, NULL);
      aim_set_text(t, "method", "mh");
      aim_set_int(t, "steps", steps[s]);
      aim_set_int(t, "thin", thin);
      aim_set_int(t, "draws", 300 * longer);
      aim_set_int(t, "warmup", 2);
      aim_set_int(t, "chains", 2);
      t->keep = RUN_KEEP_SHARED;
      size_t before = w.h.bytes;
      assert_int_equal(aim_bind(t), AIM_OK);
      before = w.h.bytes;
      assert_int_equal(aim_run(t, NULL), AIM_OK);
      assert_true(draws_shared(t->run.store));
      assert_int_equal(w.elsewhere, 0);
      /* Exact: what the store says is what its end gives back. */
      size_t bytes = draws_bytes(t->run.store), held = w.h.bytes;
      assert_true(held >= before + bytes);
      assert_non_null(aim_draws(t, 1, 1, 5));
      assert_true(draws_bytes(t->run.store) == bytes + w.h.bytes - held);
      bytes = draws_bytes(t->run.store), held = w.h.bytes;
      draws_free(t->run.store);
      t->run.store = NULL;
      assert_int_equal(held - w.h.bytes, bytes);
      aim_task_free(t);
      aim_program_free(p);
      aim_vm_free(vm);
      assert_int_equal(w.h.bytes, 0);
    }
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  for (int persistent = 0; persistent < 2; persistent++) {
    bool whole = false;
    size_t n = 0;
    while (!whole) {
      n += 1 + n / (SANITIZED ? 16 : 200);
      host h = {.fail_at = n, .persistent = persistent};
      job j = {.text = line, .cells = 40, .steps = 2, .draws = 6, .warmup = 1, .keep = RUN_KEEP_SHARED};
      task t;
      aim_status st = job_run(&j, &h, &t);
      if (st == AIM_OK) {
        aim_summary s;
        aim_status summary = aim_summarise(t.t, 1, 3, &s);
        whole = aim_draws(t.t, 0, 1, 3) && aim_draws(t.t, 0, 1, 4) && summary == AIM_OK;
        double x[40];
        assert_int_equal(aim_draw_get(t.t, 0, 5, 1, x), AIM_OK);
        if (whole) assert_true(aim_draws(t.t, 0, 1, 3)[5] == x[3]);
      } else {
        assert_int_equal(st, AIM_E_MEMORY);
      }
      task_free(&t);
      assert_int_equal(h.bytes, 0);
    }
  }
}

static int stop_soon(void *user, const aim_progress *p) {
  (void)user;
  return p->done > 300;
}

static void a_stopped_run_keeps_what_it_has(void **state) {
  (void)state;
  aim_watch w = {.size = sizeof w, .progress = stop_soon};
  job j = {.text = line, .cells = 3000, .steps = 3, .draws = 400000, .warmup = 1, .chains = 2, .watch = &w};
  task t;
  assert_int_equal(job_run(&j, NULL, &t), AIM_STOPPED);
  assert_true(draws_shared(t.t->run.store));
  for (int c = 0; c < 2; c++) {
    size_t n = aim_draw_count(t.t, c);
    const double *x = aim_draws(t.t, c, 1, 2999);
    assert_non_null(x);
    for (size_t k = 0; k < n; k++) assert_true(isfinite(x[k]));
  }
  /* What is left of the room for all draws: the table and the statistics. */
  assert_true(draws_bytes(t.t->run.store) < 2 * 400000 * (sizeof(trace) + 8 * DRAWS_N_STATS) + (1u << 20) +
                                                1500 * (aim_draw_count(t.t, 0) + aim_draw_count(t.t, 1)));
  task_free(&t);
}

/* ---- figures */

typedef struct figure {
  size_t bytes;   /* of the store */
  double seconds; /* of a kept draw, its steps included */
} figure;

static figure measure(int64_t cells, int64_t steps, int64_t draws, run_keeping keep) {
  job j = {.text = line, .cells = cells, .steps = steps, .draws = draws, .warmup = 1, .keep = keep};
  task t;
  run_right(&j, NULL, &t);
  assert_int_equal(draws_shared(t.t->run.store), keep == RUN_KEEP_SHARED);
  figure f = {draws_bytes(t.t->run.store), t.t->run.chain[0].seconds[1] / (double)draws};
  task_free(&t);
  return f;
}

/* 1000 proposals of one site of 1e5 take at most 5 MB beyond what one draw takes. */
static void proposals_of_large_frames_are_small(void **state) {
  (void)state;
  enum { N = 100000 };
  const struct { int64_t steps, draws; double most; } cases[] = {{1, 1000, 5e6}, {50, 20, 5e6}, {50, 1000, 5e6}};
  for (size_t k = 0; k < 3; k++) {
    figure one = measure(N - 1, cases[k].steps, 1, RUN_KEEP_SHARED), all = measure(N - 1, cases[k].steps, cases[k].draws, RUN_KEEP_SHARED);
    double extra = (double)(all.bytes - one.bytes);
    print_message("draws: %lld of %lld steps on 1e5 sites: %.2f MB, %.2f MB beyond the first, %.1f us a draw\n", (long long)cases[k].draws,
                  (long long)cases[k].steps, 1e-6 * (double)all.bytes, 1e-6 * extra, 1e6 * all.seconds);
    assert_true(extra <= cases[k].most);
  }
}

/* Medians of runs taken in turn. */
static void both_stores(void **state) {
  (void)state;
  if (!timed) skip();
  enum { RUNS = 5 };
  static const struct { int64_t cells, steps, draws; } cases[] = {
      {99999, 1, 500}, {99999, 50, 500}, {99999, 1000, 200}, {99999, 10000, 50}, {99999, 50000, 20}, {9999, 50, 2000}, {9999, 1000, 1000},
      {9999, 5000, 200}, {999, 5, 10000}, {999, 50, 10000}, {999, 200, 5000}, {999, 400, 5000}, {299, 5, 20000}, {299, 50, 20000}, {99, 5, 50000}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    double flat[RUNS], shared[RUNS];
    size_t bytes[2] = {0};
    for (int r = 0; r < RUNS; r++) {
      figure f = measure(cases[k].cells, cases[k].steps, cases[k].draws, RUN_KEEP_FLAT);
      figure s = measure(cases[k].cells, cases[k].steps, cases[k].draws, RUN_KEEP_SHARED);
      flat[r] = f.seconds, shared[r] = s.seconds, bytes[0] = f.bytes, bytes[1] = s.bytes;
    }
    double x = median(flat, RUNS), y = median(shared, RUNS), n = (double)cases[k].draws;
    print_message("%6lld sites, %5lld steps: flat %9.0f bytes %9.2f us, shared %9.0f bytes %9.2f us a draw: %.3f of the memory, %.3f of the time\n",
                  (long long)cases[k].cells + 1, (long long)cases[k].steps, (double)bytes[0] / n, 1e6 * x, (double)bytes[1] / n, 1e6 * y,
                  (double)bytes[1] / (double)bytes[0], y / x);
  }
}

int main(int argc, char **argv) {
  for (int k = 1; k < argc; k++) {
    if (strcmp(argv[k], "time") == 0) timed = true;
    else if (atoi(argv[k]) > 0) longer = atoi(argv[k]);
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shared_draws_are_flat_draws),    cmocka_unit_test(steps_go_on_with_the_sweep), cmocka_unit_test(files_are_the_same),
      cmocka_unit_test(few_steps_of_many_are_shared),   cmocka_unit_test(a_draw_allocates_nothing),   cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(a_stopped_run_keeps_what_it_has), cmocka_unit_test(proposals_of_large_frames_are_small), cmocka_unit_test(both_stores),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
