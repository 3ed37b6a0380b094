/* test_aim_api.c: the library as a host uses it, through aim.h and nothing else. */
#include "tests/unit/kept_text.h"
#include "vm/aim.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char schools[] =
    "model schools(y: real[J], sigma: real<lower = 0>[J], prior_sd: real = 5) {\n"
    "  mu  ~ Normal(0, prior_sd)\n"
    "  tau ~ HalfCauchy(5)\n"
    "  plate j in 1..J { theta[j] ~ Normal(mu, tau); y[j] ~ Normal(theta[j], sigma[j]) }\n"
    "  track spread = tau^2\n"
    "  predict { y_new[j] ~ Normal(theta[j], sigma[j]) for j in 1..J }\n"
    "}\n"
    "infer schools with nuts(chains = 3, warmup = 100, draws = 60)\n"
    "infer schools with mh(draws = 70) as slow\n";
static const char coin[] = "model coin(y: bool[N]) { p ~ Beta(1, 1); y ~ Bernoulli(p) }\n";
static const double y8[8] = {28, 8, -3, 7, -1, 1, 18, 12}, sigma8[8] = {15, 10, 16, 11, 9, 11, 10, 18};
static const int64_t J = 8;

/* An allocator that counts, and may fail from one call on or at one call. */
typedef struct counter {
  _Atomic long calls, live;
  long fail_at; /* 0: never */
  int persistent;
} counter;

static void *counting(void *user, void *ptr, size_t old_size, size_t size) {
  counter *c = user;
  if (size == 0) {
    c->live -= (long)old_size;
    free(ptr);
    return NULL;
  }
  long n = atomic_fetch_add(&c->calls, 1) + 1;
  if (c->fail_at && (c->persistent ? n >= c->fail_at : n == c->fail_at)) return NULL;
  void *p = realloc(ptr, size);
  if (p) c->live += (long)size - (long)old_size;
  return p;
}

static aim_vm *vm_with(counter *c) {
  aim_config config;
  aim_config_init(&config);
  config.alloc = counting;
  config.alloc_user = c;
  return aim_vm_new(&config);
}

static aim_program *load(aim_vm *vm, const char *source) {
  aim_program *p;
  aim_status st = aim_load(vm, "test.aim", source, strlen(source), &p);
  text t = {0};
  if (p) aim_program_messages(p, 0, keep, &t);
  if (st != AIM_OK) print_error("%s\n", t.s);
  assert_int_equal(st, AIM_OK);
  return p;
}

static aim_task *task_of(aim_program *p) {
  aim_task *t;
  assert_int_equal(aim_task_model(p, NULL, &t), AIM_OK);
  return t;
}

static void bind_schools(aim_task *t) {
  assert_int_equal(aim_data_f64(t, "y", y8, 1, &J), AIM_OK);
  assert_int_equal(aim_data_f64(t, "sigma", sigma8, 1, &J), AIM_OK);
}

static void run(aim_task *t, const char *method, int64_t draws) {
  if (method) assert_int_equal(aim_set_text(t, "method", method), AIM_OK);
  if (draws) assert_int_equal(aim_set_int(t, "draws", draws), AIM_OK);
  aim_status st = aim_run(t, NULL);
  text m = {0};
  aim_task_messages(t, 0, keep, &m);
  if (st != AIM_OK) print_error("%s\n", m.s);
  assert_int_equal(st, AIM_OK);
}

/* ---- programs */

static void lists_what_is_in_a_program(void **state) {
  (void)state;
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, schools);
  assert_int_equal(aim_model_count(p), 1);
  assert_string_equal(aim_model_name(p, 0), "schools");
  assert_null(aim_model_name(p, 1));
  assert_int_equal(aim_input_count(p, 0), 3);
  aim_input in;
  assert_int_equal(aim_input_get(p, 0, 1, &in), AIM_OK);
  assert_string_equal(in.name, "sigma");
  assert_true(in.required);
  assert_int_equal(aim_input_get(p, 0, 2, &in), AIM_OK);
  assert_false(in.required);
  assert_int_equal(aim_input_get(p, 0, 3, &in), AIM_E_USAGE);
  assert_int_equal(aim_latent_count(p, 0), 3);
  aim_latent l;
  assert_int_equal(aim_latent_get(p, 0, 2, &l), AIM_OK);
  assert_string_equal(l.name, "theta");
  assert_string_equal(l.type, "real[J]");
  assert_int_equal(aim_statement_count(p), 2);
  aim_statement s;
  assert_int_equal(aim_statement_get(p, 1, &s), AIM_OK);
  assert_string_equal(s.name, "slow");
  assert_string_equal(s.method, "mh");
  assert_int_equal(s.line, 9);
  assert_true(s.named);
  aim_program_free(p);
  aim_vm_free(vm);
}

static void says_what_is_wrong_with_a_program(void **state) {
  (void)state;
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p;
  const char *wrong = "model m(y: real[N]) {\n  y ~ Normal(mu2, 1)\n}\n";
  assert_int_equal(aim_load(vm, "wrong.aim", wrong, strlen(wrong), &p), AIM_E_PROGRAM);
  assert_non_null(p);
  aim_diagnostic d;
  assert_true(aim_program_diagnostic_count(p) >= 1);
  assert_int_equal(aim_program_diagnostic(p, 0, &d), AIM_OK);
  assert_int_equal(d.severity, AIM_ERROR);
  assert_string_equal(d.file, "wrong.aim");
  assert_int_equal(d.line, 2);
  assert_int_equal(d.column, 14);
  assert_non_null(strstr(d.message, "mu2"));
  text t = {0};
  assert_int_equal(aim_program_messages(p, 0, keep, &t), AIM_OK);
  assert_non_null(strstr(t.s, "wrong.aim:2:14"));
  aim_task *task;
  assert_int_equal(aim_task_model(p, NULL, &task), AIM_E_USAGE);
  aim_program_free(p);
  assert_int_equal(aim_load_file(vm, "no/such/file.aim", &p), AIM_E_IO);
  assert_int_equal(aim_program_errno(p), 2);
  aim_program_free(p);
  aim_vm_free(vm);
}

static void says_what_is_wrong_with_data_and_options(void **state) {
  (void)state;
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, schools);
  aim_task *t = task_of(p);
  assert_int_equal(aim_data_f64(t, "y", y8, 1, &J), AIM_OK);
  assert_int_equal(aim_run(t, NULL), AIM_E_PROGRAM);
  text m = {0};
  aim_task_messages(t, 0, keep, &m);
  assert_non_null(strstr(m.s, "sigma"));
  assert_int_equal(aim_run(t, NULL), AIM_E_USAGE); /* it stays broken */
  aim_task_free(t);

  t = task_of(p);
  bind_schools(t);
  assert_int_equal(aim_set_int(t, "no_such_option", 3), AIM_E_PROGRAM);
  assert_int_equal(aim_quantity_count(t), 0); /* no draws before the run */
  assert_null(aim_draws(t, 0, 0, 0));
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
}

/* ---- runs */

static void draws_can_be_read(void **state) {
  (void)state;
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, schools);
  aim_task *t;
  assert_int_equal(aim_task_statement(p, 0, &t), AIM_OK);
  bind_schools(t);
  run(t, NULL, 0);
  assert_int_equal(aim_chain_count(t), 3);
  assert_int_equal(aim_draw_count(t, 2), 60);
  assert_int_equal(aim_quantity_count(t), 5);
  static const char *const name[] = {"mu", "tau", "theta", "spread", "y_new"};
  static const aim_kind kind[] = {AIM_LATENT, AIM_LATENT, AIM_LATENT, AIM_TRACKED, AIM_PREDICTED};
  aim_quantity q;
  for (size_t k = 0; k < 5; k++) {
    assert_int_equal(aim_quantity_get(t, k, &q), AIM_OK);
    assert_string_equal(q.name, name[k]);
    assert_int_equal(q.kind, kind[k]);
    assert_int_equal(q.cells, k == 2 || k == 4 ? 8 : 1);
  }
  for (size_t k = 0; k < 60; k++) {
    double tau = aim_draws(t, 1, 1, 0)[k], theta[8];
    assert_true(aim_draws(t, 1, 3, 0)[k] == tau * tau);
    assert_int_equal(aim_draw_get(t, 1, k, 2, theta), AIM_OK);
    for (size_t j = 0; j < 8; j++) assert_true(aim_draws(t, 1, 2, j)[k] == theta[j]);
    assert_true(aim_stats(t, 1, AIM_STAT_LEAPFROGS)[k] >= 1);
  }
  aim_summary s;
  assert_int_equal(aim_summarise(t, 2, 7, &s), AIM_OK);
  assert_true(s.q5 < s.median && s.median < s.q95);
  assert_int_equal(aim_summarise(t, 2, 8, &s), AIM_E_USAGE);
  text w = {0};
  assert_int_equal(aim_summary_write(t, 0, keep, &w), AIM_OK);
  assert_non_null(strstr(w.s, "theta[8]"));
  assert_int_equal(aim_run(t, NULL), AIM_E_USAGE);
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
}

/* Draws of a large model a few steps apart: the chain of sweeps, seen forty times as often. */
static void steps_of_mh(void **state) {
  (void)state;
  static const char walk[] = "model walk(N: int) { x[1] ~ Normal(0, 1); for t in 2..N { x[t] ~ Normal(x[t - 1], 1) } }\n";
  enum { N = 4000 };
  const int64_t cells = N, steps[] = {0, N / 40};
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, walk);
  aim_task *t[2];
  for (int k = 0; k < 2; k++) {
    t[k] = task_of(p);
    assert_int_equal(aim_data_i64(t[k], "N", &cells, 0, NULL), AIM_OK);
    aim_set_int(t[k], "chains", 2);
    aim_set_int(t[k], "warmup", 2);
    assert_int_equal(aim_set_int(t[k], "steps", -1), AIM_E_PROGRAM);
    assert_int_equal(aim_set_int(t[k], "steps", steps[k]), AIM_OK);
    aim_plan plan;
    assert_int_equal(aim_plan_get(t[k], &plan), AIM_OK);
    assert_int_equal(plan.steps, steps[k]);
    assert_int_equal(aim_set_text(t[k], "method", "mh"), AIM_OK);
    assert_int_equal(aim_set_int(t[k], "draws", k ? 200 : 5), AIM_OK);
    assert_int_equal(aim_run(t[k], NULL), AIM_OK);
  }
  static double x[N], y[N];
  for (int c = 0; c < 2; c++) {
    for (size_t k = 0; k < 5; k++) {
      assert_int_equal(aim_draw_get(t[0], c, k, 0, x), AIM_OK);
      assert_int_equal(aim_draw_get(t[1], c, 40 * k + 39, 0, y), AIM_OK);
      assert_memory_equal(x, y, sizeof x);
      assert_true(aim_stats(t[0], c, AIM_STAT_LP)[k] == aim_stats(t[1], c, AIM_STAT_LP)[40 * k + 39]);
      for (size_t e = 0; e < N; e += 57) assert_true(aim_draws(t[1], c, 0, e)[40 * k + 39] == x[e]);
    }
    assert_int_equal(aim_draw_get(t[1], c, 200, 0, y), AIM_E_USAGE);
    assert_null(aim_draws(t[1], c, 0, N));
  }
  for (int k = 0; k < 2; k++) aim_task_free(t[k]);
  aim_program_free(p);
  aim_vm_free(vm);
}

/* All draws of a run as bits. */
static double *draws_of(aim_program *p, const char *method, int64_t threads, int64_t seed, size_t *n) {
  aim_task *t = task_of(p);
  bind_schools(t);
  aim_set_int(t, "threads", threads);
  aim_set_int(t, "seed", seed);
  aim_set_int(t, "warmup", 50);
  aim_set_int(t, "particles", 600);
  run(t, method, 40);
  double *out = malloc(sizeof *out * 19 * 40 * 8);
  *n = 0;
  for (int c = 0; c < aim_chain_count(t); c++)
    for (size_t q = 0; q < aim_quantity_count(t); q++) {
      aim_quantity x;
      aim_quantity_get(t, q, &x);
      for (size_t e = 0; e < x.cells; e++, *n += 40) memcpy(out + *n, aim_draws(t, c, q, e), 40 * sizeof *out);
    }
  aim_task_free(t);
  return out;
}

static void threads_do_not_change_draws(void **state) {
  (void)state;
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, schools);
  static const char *const method[] = {"nuts", "mh", "importance", "prior", "gibbs", "slice"};
  for (int k = 0; k < 6; k++) {
    size_t n1, n4, n5;
    double *one = draws_of(p, method[k], 1, 7, &n1), *four = draws_of(p, method[k], 4, 7, &n4), *other = draws_of(p, method[k], 4, 8, &n5);
    assert_int_equal(n1, n4);
    assert_memory_equal(one, four, n1 * sizeof *one);
    assert_memory_not_equal(one, other, n1 * sizeof *one);
    free(one), free(four), free(other);
  }
  aim_program_free(p);
  aim_vm_free(vm);
}

/* Posterior of p after 3 of 4: Beta(4, 2), mean 2/3; the evidence of this sequence is B(4, 2) = 1/20.  Each check is a z of 4.9, a
 * false alarm once in a million. */
static void methods_agree_with_exact_results(void **state) {
  (void)state;
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, coin);
  const int32_t y[] = {1, 1, 0, 1};
  const int64_t n = 4;
  static const char *const method[] = {"nuts", "mh", "importance", "prior", "gibbs", "slice"};
  static const double mean[] = {2.0 / 3, 2.0 / 3, 2.0 / 3, 0.5, 2.0 / 3, 2.0 / 3};
  for (int k = 0; k < 6; k++) {
    aim_task *t = task_of(p);
    assert_int_equal(aim_data_i32(t, "y", y, 1, &n), AIM_OK);
    aim_set_int(t, "particles", 40000);
    run(t, method[k], 4000);
    aim_summary s;
    assert_int_equal(aim_summarise(t, 0, 0, &s), AIM_OK);
    assert_true(fabs(s.mean - mean[k]) < 4.9 * s.mcse);
    aim_evidence e;
    assert_int_equal(aim_evidence_get(t, &e), k == 2 ? AIM_OK : AIM_E_USAGE);
    if (k == 2) assert_true(fabs(exp(e.log_evidence) * 20 - 1) < 4.9 * e.standard_error);
    aim_task_free(t);
  }
  aim_program_free(p);
  aim_vm_free(vm);
}

/* Importance sampling reports the error of its particles, however many draws are made of them: z = (mean - truth) / MCSE has standard deviation 1.
 * Over 40 seeds that of a right program leaves 0.7..1.4 with probability 0.002; the seeds are fixed.  Counting resampled draws as
 * independent gives 3 at 100 particles. */
static void importance_knows_its_error(void **state) {
  (void)state;
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, "model coin(y: bool[N]) { p ~ Beta(1, 1); y ~ Bernoulli(p); track twice = 2 * p, one = 1.0 }\n");
  const int32_t y[] = {1, 1, 0, 1};
  const int64_t n = 4;
  static const int64_t particles[] = {100, 1000, 100000};
  enum { SEEDS = 40 };
  for (int k = 0; k < 3; k++) {
    double sum = 0, squares = 0;
    for (int seed = 1; seed <= SEEDS; seed++) {
      aim_task *t = task_of(p);
      assert_int_equal(aim_data_i32(t, "y", y, 1, &n), AIM_OK);
      aim_set_int(t, "particles", particles[k]);
      aim_set_int(t, "seed", seed);
      run(t, "importance", 1000);
      aim_summary s, twice, one;
      aim_evidence e;
      assert_int_equal(aim_summarise(t, 0, 0, &s), AIM_OK);
      assert_int_equal(aim_summarise(t, 1, 0, &twice), AIM_OK);
      assert_int_equal(aim_summarise(t, 2, 0, &one), AIM_OK);
      assert_int_equal(aim_evidence_get(t, &e), AIM_OK);
      assert_true(fabs(twice.mean - 2 * s.mean) < 1e-12 && fabs(twice.mcse - 2 * s.mcse) < 1e-12 && fabs(twice.sd - 2 * s.sd) < 1e-12);
      assert_true(one.mean == 1 && isnan(one.mcse) && isnan(one.ess_bulk));
      assert_true(s.ess_bulk == e.ess && s.ess_tail == fmin(e.ess, 1000) && isnan(s.rhat));
      assert_true(fabs(s.sd / sqrt(8.0 / (36 * 7)) - 1) < 4.9 / sqrt(e.ess));
      double z = (s.mean - 2.0 / 3) / s.mcse;
      sum += z;
      squares += z * z;
      aim_task_free(t);
    }
    double sd = sqrt((squares - sum * sum / SEEDS) / (SEEDS - 1));
    if (!(sd > 0.7 && sd < 1.4)) print_error("%lld particles: sd of z %g\n", (long long)particles[k], sd);
    assert_true(sd > 0.7 && sd < 1.4);
    assert_true(fabs(sum / SEEDS) < 4.9 / sqrt(SEEDS));
  }
  aim_program_free(p);
  aim_vm_free(vm);
}

/* Latents of several kinds under mh against their exact means: a bounded, a count, an index, a pair of spins. */
static void mh_moves_every_kind_of_latent(void **state) {
  (void)state;
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, "model kinds() {\n"
                            "  u: real<lower = 1, upper = 3> ~ Flat()\n"
                            "  e ~ Exponential(2)\n"
                            "  c ~ Poisson(2.5)\n"
                            "  k ~ Categorical([0.2, 0.3, 0.5])\n"
                            "  s: spin[2] ~ Flat()\n"
                            "  w ~ Dirichlet([1.0, 2.0, 3.0])\n"
                            "  factor 0.5 * s[1] * s[2]\n"
                            "  track ss = s[1] * s[2] + 0.0\n"
                            "}\n");
  aim_task *t = task_of(p);
  run(t, "mh", 10000);
  static const struct { const char *name; size_t cell; double mean; } expect[] = {
      {"u", 0, 2}, {"e", 0, 0.5}, {"c", 0, 2.5}, {"k", 0, 2.3}, {"s", 0, 0}, {"w", 0, 1.0 / 6}, {"w", 2, 0.5}, {"ss", 0, 0.46211715726000975}};
  for (size_t k = 0; k < sizeof expect / sizeof *expect; k++) {
    aim_summary s;
    size_t q = aim_quantity_find(t, expect[k].name);
    assert_int_equal(aim_summarise(t, q, expect[k].cell, &s), AIM_OK);
    if (!(fabs(s.mean - expect[k].mean) < 4.9 * s.mcse)) print_error("%s: %g, not %g (mcse %g)\n", expect[k].name, s.mean, expect[k].mean, s.mcse);
    assert_true(fabs(s.mean - expect[k].mean) < 4.9 * s.mcse);
    assert_true(s.mcse < 0.1); /* what the check can see */
  }
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
}

/* ---- memory */

static void an_iteration_allocates_nothing(void **state) {
  (void)state;
  static const char *const method[] = {"nuts", "mh", "importance", "prior", "gibbs", "slice"};
  for (int k = 0; k < 6; k++) {
    long calls[2];
    for (int longer = 0; longer < 2; longer++) {
      counter c = {0};
      aim_vm *vm = vm_with(&c);
      aim_program *p = load(vm, schools);
      aim_task *t = task_of(p);
      bind_schools(t);
      aim_set_int(t, "warmup", 150);
      aim_set_int(t, "particles", 512);
      aim_set_int(t, "draws", longer ? 900 : 100);
      aim_set_text(t, "method", method[k]);
      assert_int_equal(aim_bind(t), AIM_OK);
      long before = c.calls;
      run(t, NULL, 0);
      calls[longer] = c.calls - before;
      aim_task_free(t);
      aim_program_free(p);
      aim_vm_free(vm);
      assert_int_equal(c.live, 0);
    }
    if (calls[0] != calls[1]) print_error("%s: %ld calls for 100 draws, %ld for 900\n", method[k], calls[0], calls[1]);
    assert_int_equal(calls[0], calls[1]);
  }
}

static aim_status tiny_run(counter *c, const char *method) {
  aim_vm *vm = vm_with(c);
  aim_program *p = NULL;
  aim_task *t = NULL;
  aim_status st = vm ? aim_load(vm, "test.aim", schools, strlen(schools), &p) : AIM_E_MEMORY;
  if (st == AIM_OK) st = aim_task_model(p, NULL, &t);
  if (st == AIM_OK) st = aim_data_f64(t, "y", y8, 1, &J);
  if (st == AIM_OK) st = aim_data_f64(t, "sigma", sigma8, 1, &J);
  if (st == AIM_OK) st = aim_set_text(t, "method", method);
  if (st == AIM_OK) st = aim_set_int(t, "draws", 5);
  if (st == AIM_OK) st = aim_set_int(t, "warmup", 3);
  if (st == AIM_OK) st = aim_set_int(t, "particles", 20);
  if (st == AIM_OK) st = aim_run(t, NULL);
  text w = {0};
  if (st == AIM_OK) st = aim_summary_write(t, 0, keep, &w);
  if (st == AIM_OK) st = aim_advice_write(t, NULL, keep, &w);
  aim_evaluator *e = NULL;
  if (st == AIM_OK) st = aim_evaluator_new(t, &e);
  aim_evaluator_free(e);
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
  return st;
}

/* Arenas take each object from the host in sanitizer builds: tens of thousands of calls, of which some are then passed over. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SKIP = 16 };
#else
enum { SKIP = 1 << 30 };
#endif

static void every_allocation_may_fail(void **state) {
  (void)state;
  static const char *const method[] = {"nuts", "mh", "importance", "gibbs"};
  for (int k = 0; k < 4; k++)
    for (int persistent = 0; persistent < 2; persistent++) {
      aim_status st = AIM_E_MEMORY;
      long n = 0;
      while (st != AIM_OK) {
        n += 1 + n / SKIP;
        counter c = {.fail_at = n, .persistent = persistent};
        st = tiny_run(&c, method[k]);
        if (st != AIM_OK) assert_int_equal(st, AIM_E_MEMORY);
        assert_int_equal(c.live, 0);
        assert_true(n < 1000000);
      }
      assert_true(n > 20);
    }
}

static void draws_beyond_the_limit_are_refused(void **state) {
  (void)state;
  aim_config config;
  aim_config_init(&config);
  config.memory = 8 << 20;
  aim_vm *vm = aim_vm_new(&config);
  aim_program *p = load(vm, schools);
  for (int late = 0; late < 2; late++) {
    aim_task *t = task_of(p);
    bind_schools(t);
    if (late) assert_int_equal(aim_bind(t), AIM_OK); /* and then the option */
    aim_set_int(t, "draws", 1000000);
    assert_int_equal(aim_run(t, NULL), AIM_E_MEMORY);
    aim_diagnostic d;
    assert_int_equal(aim_task_diagnostic(t, aim_task_diagnostic_count(t) - 1, &d), AIM_OK);
    assert_string_equal(d.code, "E0935");
    assert_non_null(strstr(d.message, "`theta` has 8 elements"));
    aim_task_free(t);
  }
  aim_task *t = task_of(p);
  bind_schools(t);
  run(t, NULL, 100);
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
}

/* ---- stopping, and two at once */

static int stop_soon(void *user, const aim_progress *p) {
  (void)user;
  return p->done > 200;
}

static void a_run_can_be_stopped(void **state) {
  (void)state;
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, schools);
  aim_task *t = task_of(p);
  bind_schools(t);
  aim_set_int(t, "draws", 1000000);
  aim_set_int(t, "chains", 2);
  aim_watch w = {.size = sizeof w, .progress = stop_soon};
  assert_int_equal(aim_run(t, &w), AIM_STOPPED);
  size_t n = aim_draw_count(t, 0);
  assert_true(n < 1000000);
  if (n) assert_true(isfinite(aim_draws(t, 0, 0, 0)[n - 1]));
  aim_task_free(t);
  t = task_of(p);
  bind_schools(t);
  aim_stop(t);
  assert_int_equal(aim_run(t, NULL), AIM_STOPPED);
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
}

static void *other_host(void *out) {
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p;
  aim_task *t;
  double *mean = out;
  if (vm && aim_load(vm, "test.aim", schools, strlen(schools), &p) == AIM_OK && aim_task_model(p, NULL, &t) == AIM_OK) {
    aim_data_f64(t, "y", y8, 1, &J);
    aim_data_f64(t, "sigma", sigma8, 1, &J);
    aim_set_int(t, "draws", 100);
    aim_summary s;
    if (aim_run(t, NULL) == AIM_OK && aim_summarise(t, 0, 0, &s) == AIM_OK) *mean = s.mean;
    aim_task_free(t);
    aim_program_free(p);
  }
  aim_vm_free(vm);
  return NULL;
}

static void two_vms_coexist(void **state) {
  (void)state;
  pthread_t a, b;
  double mean[3] = {NAN, NAN, NAN};
  assert_int_equal(pthread_create(&a, NULL, other_host, &mean[0]), 0);
  assert_int_equal(pthread_create(&b, NULL, other_host, &mean[1]), 0);
  other_host(&mean[2]);
  pthread_join(a, NULL);
  pthread_join(b, NULL);
  assert_true(isfinite(mean[0]) && mean[0] == mean[1] && mean[0] == mean[2]);
}

/* ---- densities */

/* Central differences, of a density beside its gradient, of ten coordinates at most, and of one alone: h^2 of the third derivative and 1e-14 * 100 / h of rounding. */
static void expect_slope(aim_evaluator *e, double *q, int k, double want) {
  const double h = 1e-5, at = q[k];
  double hi, lo, unused[10];
  q[k] = at + h;
  aim_log_density(e, q, &hi, unused);
  q[k] = at - h;
  aim_log_density(e, q, &lo, NULL);
  q[k] = at;
  assert_true(fabs((hi - lo) / (2 * h) - want) < 1e-6 * (1 + fabs(want)));
}

static void a_host_can_evaluate_densities(void **state) {
  (void)state;
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, schools);
  aim_task *t = task_of(p);
  bind_schools(t);
  aim_evaluator *e;
  assert_int_equal(aim_evaluator_new(t, &e), AIM_OK);
  assert_int_equal(aim_dimension(e), 10);
  assert_int_equal(aim_cells(e), 10);
  double q[10], g[10], x[10], lp;
  for (int k = 0; k < 10; k++) q[k] = 0.3 * k - 1;
  assert_int_equal(aim_log_density(e, q, &lp, g), AIM_OK);
  assert_int_equal(aim_constrain(e, q, x), AIM_OK);
  assert_true(x[0] == q[0]);
  aim_score s;
  assert_int_equal(aim_score_get(e, x, &s), AIM_OK);
  /* On the unconstrained scale tau = exp(q[1]) adds its Jacobian, and so does each theta = mu + tau * z.  All terms are below 200, and
   * each has a few roundings. */
  assert_true(x[2] == x[0] + x[1] * q[2] || x[2] == fma(x[1], q[2], x[0]));
  assert_true(fabs(s.prior + s.likelihood + s.factors + 9 * q[1] - lp) < 1e-12);
  for (int k = 0; k < 10; k++) expect_slope(e, q, k, g[k]);
  double a[10], b[10];
  assert_int_equal(aim_prior_draw(e, 5, 0, a), AIM_OK);
  assert_int_equal(aim_prior_draw(e, 5, 1, b), AIM_OK);
  assert_memory_not_equal(a, b, sizeof a);
  assert_int_equal(aim_prior_draw(e, 5, 0, b), AIM_OK);
  assert_memory_equal(a, b, sizeof a);
  a[1] = -1; /* tau outside its support */
  assert_int_equal(aim_score_get(e, a, &s), AIM_OK);
  assert_true(s.prior + s.likelihood == -INFINITY);
  aim_evaluator_free(e);
  run(t, NULL, 20); /* the same task still runs */
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
}

/* ---- runs that go wrong */

static aim_status run_text(const char *source, const char *method, text *messages) {
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, source);
  aim_task *t = task_of(p);
  if (method) aim_set_text(t, "method", method);
  aim_set_int(t, "draws", 50);
  aim_set_int(t, "particles", 50);
  aim_status st = aim_run(t, NULL);
  if (st == AIM_OK) aim_advice_write(t, NULL, keep, messages);
  else aim_task_messages(t, 0, keep, messages);
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
  return st;
}

/* What is summed out has no coordinates, wherever it stands among the others: each partial derivative is that of its own coordinate. */
static void gradients_pass_over_what_is_summed_out(void **state) {
  (void)state;
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, "model m(x: real[N]) {\n  b ~ Bernoulli(0.3)\n  w ~ Beta(2, 2)\n  k: bool[N] ~ Bernoulli(w)\n  mu: real[2] ~ Normal(0, 3)\n  c ~ Categorical([0.2, 0.8])\n  s ~ HalfNormal(2)\n"
                            "  plate i in 1..N { x[i] ~ Normal(if k[i] { mu[1] } else { mu[2] } + b, s * c) }\n}\ninfer m on x = [-2.5, -1.0, 2.0, 1.5] with nuts\n");
  aim_task *t;
  assert_int_equal(aim_task_statement(p, 0, &t), AIM_OK);
  aim_evaluator *e;
  assert_int_equal(aim_evaluator_new(t, &e), AIM_OK);
  assert_int_equal(aim_dimension(e), 4);
  double q[4] = {0.2, -1.3, 0.9, 0.4}, g[4], lp;
  assert_int_equal(aim_log_density(e, q, &lp, g), AIM_OK);
  for (int k = 0; k < 4; k++) {
    expect_slope(e, q, k, g[k]);
    assert_true(fabs(g[k]) > 1e-3);
  }
  aim_evaluator_free(e);
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
}

static void a_run_that_cannot_begin_says_where(void **state) {
  (void)state;
  static const char nowhere[] = "model m() {\n  a ~ Normal(0, 1)\n  factor if a * a < 0 { 0.0 } else { log(0.0) }\n}\n";
  static const char *const method[] = {"nuts", "mh", "importance", "gibbs"};
  for (int k = 0; k < 4; k++) {
    text t = {0};
    assert_int_equal(run_text(nowhere, method[k], &t), AIM_E_PROGRAM);
    assert_non_null(strstr(t.s, "-inf"));
  }
  text t = {0};
  static const char nan[] = "model m() {\n  a ~ Normal(0, 1)\n  factor log(-1 - a * a)\n}\n";
  assert_int_equal(run_text(nan, "nuts", &t), AIM_E_PROGRAM);
  assert_non_null(strstr(t.s, "test.aim:3:"));
  assert_non_null(strstr(t.s, "NaN"));
}

/* A matrix without a Cholesky factor is an impossible point like any other, under every method. */
static void factors_that_do_not_exist_are_reported_with_their_line(void **state) {
  (void)state;
  static const char source[] = "model m() {\n  a ~ Normal(0, 1)\n  let L = cholesky([[1.0, a], [a, 1.0]])\n  factor log(L[2, 2])\n}\n";
  static const char *const method[] = {"mh", "nuts"};
  for (int k = 0; k < 2; k++) {
    text t = {0};
    assert_int_equal(run_text(source, method[k], &t), AIM_OK);
    assert_non_null(strstr(t.s, "a matrix had no Cholesky factor, first at"));
    assert_non_null(strstr(t.s, "test.aim:3:"));
    assert_null(strstr(t.s, "NaN"));
  }
}

static void invalid_parameters_are_reported_with_their_line(void **state) {
  (void)state;
  text t = {0};
  static const char source[] = "model m() {\n  a ~ Normal(0, 1)\n  b ~ Normal(0, a)\n}\n";
  assert_int_equal(run_text(source, "mh", &t), AIM_OK);
  assert_non_null(strstr(t.s, "parameter was invalid"));
  assert_non_null(strstr(t.s, "test.aim:3:"));
  /* What a chain tries on its way to the posterior is nobody's affair: b, far from 0, starts in (-2, 2), and half of that is invalid. */
  static const char healthy[] = "model m() {\n  b ~ Normal(9, 0.5)\n  c ~ Normal(0, b)\n}\n";
  static const char *const method[] = {"nuts", "mh"};
  for (int k = 0; k < 2; k++) {
    text quiet = {0};
    assert_int_equal(run_text(healthy, method[k], &quiet), AIM_OK);
    assert_null(strstr(quiet.s, "parameter was invalid"));
  }
}

/* Values that a sum over them or a weighing of them finds impossible are no fault of a run: any count below the largest observed one here. */
static void impossible_values_of_a_finite_unknown_are_no_fault(void **state) {
  (void)state;
  static const char source[] = "model m() {\n  let k = [4, 6, 3]\n  n ~ DiscreteUniform(1, 12)\n  k ~ Binomial(n, 0.4)\n  t ~ Beta(2 + n, 3)\n}\n";
  static const char *const method[] = {"nuts", "gibbs"};
  for (int k = 0; k < 2; k++) {
    text t = {0};
    assert_int_equal(run_text(source, method[k], &t), AIM_OK);
    assert_null(strstr(t.s, "outside its support"));
  }
}

static void methods_refuse_models_they_do_not_fit(void **state) {
  (void)state;
  text t = {0};
  assert_int_equal(run_text("model m() { k ~ Poisson(3) }\n", "nuts", &t), AIM_E_PROGRAM);
  assert_non_null(strstr(t.s, "k"));
  assert_int_equal(run_text("model m() { u ~ Flat() }\n", "prior", &t), AIM_E_PROGRAM);
  assert_int_equal(run_text("model m() { k ~ Poisson(3) }\n", NULL, &t), AIM_OK);
}

/* A million simulated heads or tails say what the simulation's coin was; the data that the task was given do not. */
static void data_can_be_simulated(void **state) {
  (void)state;
  enum { N = 1000000 };
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p = load(vm, coin);
  int64_t *heads = calloc(N, sizeof *heads);
  const int64_t n = N, few = 3;
  assert_non_null(heads);
  aim_task *prior = task_of(p), *t = task_of(p), *other = task_of(p), *plain = task_of(p);
  assert_int_equal(aim_data_i64(prior, "y", heads, 1, &n), AIM_OK);
  assert_int_equal(aim_data_i64(t, "y", heads, 1, &n), AIM_OK);
  assert_int_equal(aim_data_i64(other, "y", heads, 1, &few), AIM_OK);
  assert_int_equal(aim_set_text(prior, "replicate", "perhaps"), AIM_E_USAGE);
  assert_int_equal(aim_set_text(prior, "replicate", "on"), AIM_OK);
  assert_int_equal(aim_data_simulated(t, prior, 0), AIM_E_USAGE);
  run(prior, "prior", 2);
  size_t rep = aim_quantity_find(prior, "y.rep");
  assert_int_not_equal(rep, (size_t)-1);
  assert_int_equal(aim_data_simulated(t, prior, 2), AIM_E_USAGE);
  assert_int_equal(aim_data_simulated(t, prior, 1), AIM_OK);
  assert_int_equal(aim_data_simulated(other, prior, 1), AIM_OK);
  run(t, "nuts", 50);
  aim_summary s;
  assert_int_equal(aim_summarise(t, 0, 0, &s), AIM_OK);
  assert_true(fabs(s.mean - aim_draws(prior, 0, 0, 0)[1]) < 0.003); /* 6 standard deviations of the posterior, or more */
  assert_int_equal(aim_bind(other), AIM_E_USAGE);                   /* other extents */
  assert_int_equal(aim_data_i64(plain, "y", heads, 1, &few), AIM_OK);
  run(plain, "prior", 2);
  assert_int_equal(aim_data_simulated(other, plain, 0), AIM_E_USAGE);
  aim_task_free(t);
  aim_task_free(other);
  aim_task_free(plain);
  aim_task_free(prior);
  free(heads);
  aim_program_free(p);
  aim_vm_free(vm);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lists_what_is_in_a_program),
      cmocka_unit_test(says_what_is_wrong_with_a_program),
      cmocka_unit_test(says_what_is_wrong_with_data_and_options),
      cmocka_unit_test(draws_can_be_read),
      cmocka_unit_test(steps_of_mh),
      cmocka_unit_test(threads_do_not_change_draws),
      cmocka_unit_test(methods_agree_with_exact_results),
      cmocka_unit_test(mh_moves_every_kind_of_latent),
      cmocka_unit_test(an_iteration_allocates_nothing),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(a_run_can_be_stopped),
      cmocka_unit_test(two_vms_coexist),
      cmocka_unit_test(a_host_can_evaluate_densities),
      cmocka_unit_test(gradients_pass_over_what_is_summed_out),
      cmocka_unit_test(a_run_that_cannot_begin_says_where),
      cmocka_unit_test(factors_that_do_not_exist_are_reported_with_their_line), cmocka_unit_test(invalid_parameters_are_reported_with_their_line),
      cmocka_unit_test(impossible_values_of_a_finite_unknown_are_no_fault), cmocka_unit_test(draws_beyond_the_limit_are_refused),
      cmocka_unit_test(importance_knows_its_error),
      cmocka_unit_test(data_can_be_simulated),
      cmocka_unit_test(methods_refuse_models_they_do_not_fit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
