/* test_vm_physics.c: kernels against the distributions that they are to leave, on states that are enumerated.
 *
 * Exact numbers are those of ISING-F: J = 1 where i + j leaves 2 on division by 3, else 1/2; h_i = ((i - 1) / N - 1/2) / 10.  Wrong kernels must be caught. */
#include "tests/unit/task_fixture.h"
#include "vm/interp.h"
#include "vm/mh_walk.h"
#include "vm/physics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define ISING_F                                                                                                                              \
  "model agent(N: int) {\n  s: spin[N] ~ Flat()\n"                                                                                          \
  "  energy -sum((if (i + j) % 3 == 2 { 1.0 } else { 0.5 }) * s[i] * s[j] for i in 1..N, j in 1..N if i < j) - sum(0.1 * ((i - 1) / N - 0.5) * s[i] for i in 1..N)\n}\n"
#define POTTS                                                                                                                                \
  "model potts(N: int, K: int) {\n  plate i in 1..N { k[i] ~ Categorical(uniform(K)) }\n"                                                     \
  "  energy -sum((if k[i] == k[i + 1] { 1.3 } else { 0.0 }) for i in 1..N - 1) - 0.2 * k[1]\n}\n"
#define TRIPLES                                                                                                                              \
  "model triples(N: int) {\n  s: spin[N] ~ Flat()\n  energy -0.7 * sum(s[i] * s[i + 1] * s[i + 2] for i in 1..N - 2)\n}\n"
#define FREE                                                                                                                                 \
  "model free(N: int) {\n  s: spin[N] ~ Flat()\n  energy -sum(s[i] * s[i + 1] for i in 1..N - 1)\n}\n"

/* Colours: a ring of random couplings with fields, a ring of equal ones, a lattice that wraps; a lattice of spins; truth values beside spins; spins beside colours,
 * which only single elements move. */
#define COLOURS                                                                                                                              \
  "model colours(N: int, J: real[N], h: real[N]) {\n  s: index(3)[N] ~ Flat()\n"                                                            \
  "  energy -sum((J[i] + 0.1) * (s[i] == s[i % N + 1]) for i in 1..N) - sum(h[i] * (s[i] == 2) for i in 1..N)\n}\n"
#define RING "model ring(N: int, q: int) {\n  s: index(q)[N] ~ Flat()\n  energy -0.8 * sum((s[i] == s[i % N + 1]) for i in 1..N)\n}\n"
#define LATTICE_OF(type)                                                                                                                     \
  "model lattice(L: int, M: int) {\n  s: " type "[L, M] ~ Flat()\n"                                                                          \
  "  energy -sum((s[i, j] == s[i % L + 1, j]) + (s[i, j] == s[i, j % M + 1]) for i in 1..L, j in 1..M)\n}\n"
#define MACHINE                                                                                                                              \
  "model machine(V: int, H: int) {\n  v: bool[V] ~ Flat()\n  s: spin[H] ~ Flat()\n"                                                          \
  "  energy -0.3 * sum((i - 2 * j) * v[i] * s[j] for i in 1..V, j in 1..H) + 0.4 * sum(s)\n}\n"
#define BOTH                                                                                                                                 \
  "model both(V: int, H: int) {\n  v: index(3)[V] ~ Flat()\n  s: spin[H] ~ Flat()\n"                                                         \
  "  energy -0.3 * sum((i - 2 * j) * (v[i] == 2) * s[j] for i in 1..V, j in 1..H) + 0.4 * sum((v[i] == v[i + 1]) for i in 1..V - 1)\n}\n"

typedef struct checked {
  fixture f;
  physics_report r;
} checked;

static checked check(const char *text, const physics_rules *rules, const temper_rules *exchange) {
  checked c = {.f = open_task(text, (opening){.engine = &interp_engine})};
  c.f.t->rules = exchange;
  expect_ok(&c.f, aim_bind(c.f.t));
  expect_ok(&c.f, api_physics(c.f.t, rules, &c.r));
  return c;
}

static void done(checked *c) { close_fixture(&c->f); }

static const physics_row *find(const physics_report *r, const char *what, double beta) {
  for (size_t k = 0; k < r->rows; k++)
    if (strcmp(r->row[k].what, what) == 0 && (isnan(beta) || r->row[k].beta == beta)) return &r->row[k];
  fail_msg("no row says %s", what);
  return NULL;
}

static double value(const physics_report *r, const char *what) { return find(r, what, NAN)->value; }

/* Of kernels and energies. */
static double largest_error(const physics_report *r) {
  double worst = 0.0;
  for (size_t i = 0; i < r->rows; i++)
    if (r->row[i].verdict != PHYSICS_VALUE) worst = fmax(worst, r->row[i].value);
  return worst;
}

static void test_golden(void **state) {
  (void)state;
  checked c = check(ISING_F "anneal agent on N = 2 with hold(0.3, 1)", &physics_exact, NULL);
  assert_true(fabs(value(&c.r, "log Z") - 1.3976149208) < 5e-11);
  done(&c);
  c = check(ISING_F "anneal agent on N = 6 with hold(0.3, 1)", &physics_exact, NULL);
  assert_int_equal(c.r.states, 64);
  assert_true(c.r.spins);
  assert_true(fabs(value(&c.r, "log Z") - 4.7037732358) < 5e-11);
  assert_true(fabs(value(&c.r, "mean energy") + 4.3997824907) < 5e-11);
  assert_true(fabs(value(&c.r, "mean |m|") - 0.6407730799) < 5e-11);
  done(&c);
  /* Two spins, J = 1, no field: Z = 4 cosh(beta). */
  c = check(FREE "anneal free on N = 2 with hold(0.7, 1)", &physics_exact, NULL);
  assert_true(fabs(value(&c.r, "log Z") - log(4.0 * cosh(0.7))) < 1e-14);
  assert_true(value(&c.r, "E(s) = E(-s)") < 1e-12);
  done(&c);
}

/* Every kernel and order, by local fields and by the terms of one element. */
static void test_right(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t states;
    bool pairs; /* moved by local fields; the others are no pairs of one kind under Flat(), and have no colours to be ordered by */
  } models[] = {{ISING_F "anneal agent on N = 10", 1024, true},
                {FREE "anneal free on N = 9", 512, true},
                {COLOURS "anneal colours on N = 6, J = [0.9, -0.4, 1.3, 0.2, -1.1, 0.5], h = [0.3, 0, -0.6, 0, 0.25, 1]", 729, true},
                {RING "anneal ring on N = 4, q = 5", 625, true},
                {RING "anneal ring on N = 10, q = 2", 1024, true},
                {LATTICE_OF("index(3)") "anneal lattice on L = 2, M = 3", 729, true},
                {LATTICE_OF("spin") "anneal lattice on L = 3, M = 3", 512, true},
                {MACHINE "anneal machine on V = 4, H = 5", 512, true},
                {BOTH "anneal both on V = 3, H = 4", 432, false},
                {TRIPLES "anneal triples on N = 8", 256, false},
                {POTTS "anneal potts on N = 5, K = 4", 1024, false}};
  static const char *const kernels[] = {"gibbs", "glauber", "metropolis", "gibbs(order = random)", "metropolis(order = random)", "gibbs(order = coloured)",
                                        "metropolis(order = coloured)"};
  double worst = 0.0;
  for (size_t m = 0; m < sizeof models / sizeof *models; m++)
    for (size_t k = 0; k < (models[m].pairs ? 7 : 5); k++) {
      char text[2048];
      snprintf(text, sizeof text, "%s with linear(0 -> 3, 10) using %s", models[m].text, kernels[k]);
      checked c = check(text, &physics_exact, NULL);
      assert_int_equal(c.r.states, models[m].states);
      assert_int_equal(c.r.spins, models[m].pairs);
      assert_int_equal(c.r.failed, 0);
      worst = fmax(worst, largest_error(&c.r));
      done(&c);
    }
  printf("largest error %.1e\n", worst);
  assert_true(worst < 1e-12);
}

/* Glasses of 1 to 10 spins, whole and in a ring. */
static void test_sizes(void **state) {
  (void)state;
  static const char *const kernels[] = {"gibbs", "metropolis(order = random)", "gibbs(order = coloured)"};
  double worst = 0.0;
  for (int n = 1; n <= 10; n++)
    for (size_t k = 0; k < 6; k++) {
      char text[1024];
      snprintf(text, sizeof text,
               "model glass(N: int) {\n  s: spin[N] ~ Flat()\n"
               "  energy -sum(sin(13.0 * i + 29.0 * j) * s[i] * s[j] for i in 1..N, j in 1..N if i < j and (%d == 1 or j == i + 1)) - sum(cos(7.0 * i) * s[i] for i in 1..N)\n}\n"
               "anneal glass on N = %d with linear(0 -> 2, 10) using %s", k < 3, n, kernels[k % 3]);
      checked c = check(text, &physics_exact, NULL);
      assert_int_equal(c.r.states, 1 << n);
      assert_true(c.r.spins); /* sines of data are numbers */
      assert_int_equal(c.r.failed, 0);
      worst = fmax(worst, largest_error(&c.r));
      done(&c);
    }
  printf("largest error %.1e\n", worst);
  assert_true(worst < 1e-12);
}

static void test_ladders(void **state) {
  (void)state;
  static const char *const with[] = {"tempering(beta = linear(0 -> 1, rungs = 5))", "population(beta = adaptive(0 -> 1, ess = 0.7))", "ais(beta = linear(0 -> 1, rungs = 9))"};
  for (size_t k = 0; k < 3; k++) {
    char text[2048];
    snprintf(text, sizeof text, "%sinfer agent on N = 7 with %s", ISING_F, with[k]);
    checked c = check(text, &physics_exact, NULL);
    assert_int_equal(c.r.failed, 0);
    assert_int_equal(c.r.states, 128);
    done(&c);
  }
  checked c = check(ISING_F "infer agent on N = 7 with prior", &physics_exact, NULL);
  assert_false(c.r.applies);
  done(&c);
}

/* Total variation 0.25 from exp(-E)/Z at beta = 1, as a published search has it; the floor is not an error, but told. */
static void test_floor(void **state) {
  (void)state;
  checked c = check(ISING_F "anneal agent on N = 6 with hold(1.0, 1) using metropolis(floor = 0.1, order = random)", &physics_exact, NULL);
  assert_int_equal(c.r.failed, 0);
  assert_int_equal(find(&c.r, "detailed balance of a visit", 1.0)->verdict, PHYSICS_BIASED);
  assert_int_equal(find(&c.r, "stationarity of a sweep", 1.0)->verdict, PHYSICS_BIASED);
  assert_true(fabs(value(&c.r, "total variation of its limit") - 0.25) < 0.005);
  done(&c);
  c = check(POTTS "anneal potts on N = 3, K = 3 with hold(4.0, 1) using metropolis(floor = 0.1)", &physics_exact, NULL);
  assert_int_equal(find(&c.r, "detailed balance of a visit", 4.0)->verdict, PHYSICS_BIASED);
  done(&c);
}

/* States of no probability, by a factor and by an energy that is infinite: nothing walks into them, with a floor neither; at beta = 0 an energy counts nothing. */
static void test_walls(void **state) {
  (void)state;
  static const char *const walls[] = {"factor if s[1] == 1 and s[2] == 1 { -1.0 / zero } else { 0.0 }", "energy if s[1] == 1 and s[2] == 1 { 1.0 / zero } else { 0.0 }"};
  static const char *const kernels[] = {"gibbs", "metropolis", "metropolis(order = random)", "metropolis(floor = 0.2)"};
  for (size_t w = 0; w < 2; w++)
    for (size_t k = 0; k < 4; k++) {
      char text[1024];
      snprintf(text, sizeof text, "model wall(n: int, zero: real) {\n  s: spin[n] ~ Flat()\n  energy -sum(s[i] * s[i + 1] for i in 1..n - 1)\n  %s\n}\n"
               "anneal wall on n = 4, zero = 0.0 with linear(0 -> 2, 5) using %s", walls[w], kernels[k]);
      checked c = check(text, &physics_exact, NULL);
      assert_int_equal(c.r.failed, 0);
      assert_true(fabs(find(&c.r, "log Z", 0.0)->value - log(w ? 16.0 : 12.0)) < 1e-12);
      double z = 0.0, beta = 0.8;
      for (int a = 0; a < 16; a++) {
        double e = 0.0;
        for (int i = 0; i < 3; i++) e -= ((a >> i & 1) == (a >> (i + 1) & 1)) ? 1.0 : -1.0;
        if ((a & 3) != 3) z += exp(-beta * e);
      }
      size_t hits = 0;
      for (size_t i = 0; i < c.r.rows; i++)
        if (strcmp(c.r.row[i].what, "log Z") == 0 && fabs(c.r.row[i].beta - beta) < 1e-9) hits += fabs(c.r.row[i].value - log(z)) < 1e-12;
      assert_int_equal(hits, 1);
      done(&c);
    }
}

/* Wrong kernels: a temperature off by a hundredth of a percent; a floor that nobody asked for; a heat bath's rule that forgets its sign; an exchange at half the
 * difference. */
static double warm(rt_spin_rule rule, double x, double floor) { return rt_spin_acceptance(rule, 0.9999 * x, floor); }
static double floored(rt_spin_rule rule, double x, double floor) { return fmax(rt_spin_acceptance(rule, x, floor), 1e-9); }
static void warm_colour(rt_spin_rule rule, size_t q, const double *x, size_t now, double floor, double *to) {
  double y[8];
  assert_true(q <= 8);
  for (size_t c = 0; c < q; c++) y[c] = 0.9999 * x[c];
  rt_potts_visit(rule, q, y, now, floor, to);
}
/* Proposes among all colours above or below the site's, whichever are more: as many ways there as back, it seems. */
static void lopsided_colour(rt_spin_rule rule, size_t q, const double *x, size_t now, double floor, double *to) {
  const size_t first = 2 * now < q ? now + 1 : 0, end = 2 * now < q ? q : now;
  double stay = 1.0;
  for (size_t c = 0; c < q; c++) to[c] = c >= first && c < end ? rt_spin_acceptance(rule, x[now] - x[c], floor) / (double)(end - first) : 0.0;
  for (size_t c = 0; c < q; c++) stay -= to[c];
  to[now] = stay;
}
static double warm_element(bool heat_bath, double floor, double r) { return mh_acceptance(heat_bath, floor, 0.9999 * r); }
static double half_exchange(double low, double high, double e_low, double e_high) { return 0.5 * (high - low) * (e_high - e_low); }

static void test_wrong(void **state) {
  (void)state;
  static const physics_rules wrong[] = {{warm, warm_colour, warm_element}, {floored, lopsided_colour, warm_element}};
  static const char *const kernels[] = {"gibbs", "metropolis", "metropolis(order = random)"};
  for (size_t w = 0; w < 2; w++)
    for (size_t k = 0; k < 3; k++) {
      char text[2048];
      snprintf(text, sizeof text, "%sanneal agent on N = 6 with hold(%s, 1) using %s", ISING_F, w ? "4.0" : "0.5", kernels[k]);
      checked c = check(text, &wrong[w], NULL);
      assert_true(c.r.failed >= 1);
      assert_int_equal(find(&c.r, "detailed balance of a visit", NAN)->verdict, PHYSICS_FAIL);
      done(&c);
    }
  for (size_t w = 0; w < 2; w++)
    for (size_t k = 0; k < 4; k++) {
      static const char *const with[] = {"gibbs", "gibbs(order = coloured)", "metropolis", "metropolis(order = random)"};
      char text[2048];
      snprintf(text, sizeof text, "%sanneal ring on N = 4, q = 4 with hold(0.5, 1) using %s", RING, with[k]);
      checked c = check(text, &wrong[w], NULL);
      assert_true(c.r.failed >= 1);
      assert_int_equal(find(&c.r, "detailed balance of a visit", NAN)->verdict, PHYSICS_FAIL);
      done(&c);
    }
  checked c = check(TRIPLES "anneal triples on N = 6 with hold(0.5, 1) using metropolis", &wrong[0], NULL);
  assert_int_equal(c.r.failed, 2);
  done(&c);
  temper_rules rules = temper_exact;
  rules.exchange = half_exchange;
  c = check(ISING_F "infer agent on N = 6 with tempering(beta = linear(0 -> 1, rungs = 3))", &physics_exact, &rules);
  assert_int_equal(c.r.failed, 2);
  assert_int_equal(find(&c.r, "detailed balance of an exchange", 1.0)->verdict, PHYSICS_FAIL);
  done(&c);
}

/* What cannot be enumerated is told, and local energies are looked at. */
static void test_large(void **state) {
  (void)state;
  static const char *const texts[] = {ISING_F "anneal agent on N = 80 with geometric(0.1 -> 2, 20)", TRIPLES "anneal triples on N = 50 with geometric(0.1 -> 2, 20)",
                                      "model mixed(n: int) {\n  x: real[n] ~ Normal(0, 1)\n  v ~ Dirichlet(rep(1.0, 3))\n  s: spin ~ Flat()\n  energy s * sum(x) + sum((x[i] - x[i + 1])^2 for i in 1..n - 1) + v[1]\n}\n"
                                      "anneal mixed on n = 3 with linear(0 -> 1, 10)"};
  for (size_t k = 0; k < 3; k++) {
    checked c = check(texts[k], &physics_exact, NULL);
    assert_int_equal(c.r.states, 0);
    assert_non_null(strstr(c.r.why, k < 2 ? "more than 1024 states" : "`x` is not made of"));
    assert_int_equal(c.r.spins, k == 0);
    assert_int_equal(c.r.failed, 0);
    assert_int_equal(c.r.rows, 2);
    assert_true(c.r.compared >= (k < 2 ? 20 : 10)); /* elements in which two replicas differ */
    done(&c);
  }
}

/* Each allocation fails once; what was taken is given back. */
static void test_memory(void **state) {
  (void)state;
  host h = {0};
  aim_config config;
  aim_config_init(&config);
  config.alloc = host_fn;
  config.alloc_user = &h;
  aim_vm *vm = aim_vm_new(&config);
  aim_vm_engine(vm, &interp_engine);
  static const char text[] = POTTS "anneal potts on N = 5, K = 4 with hold(0.3, 1)";
  aim_program *p;
  aim_task *t;
  physics_report r;
  assert_int_equal(aim_load(vm, "m.aim", text, strlen(text), &p), AIM_OK);
  assert_int_equal(aim_task_statement(p, 0, &t), AIM_OK);
  assert_int_equal(aim_bind(t), AIM_OK);
  aim_status st = AIM_E_MEMORY;
  size_t failed = 0;
  for (size_t n = 1; st != AIM_OK; n++) {
    h.fail_at = h.calls + n;
    st = api_physics(t, &physics_exact, &r);
    assert_true(st == AIM_OK || st == AIM_E_MEMORY);
    failed += st == AIM_E_MEMORY;
  }
  assert_true(failed > 2);
  assert_int_equal(r.failed, 0);
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
  assert_int_equal(h.bytes, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_right), cmocka_unit_test(test_sizes), cmocka_unit_test(test_ladders), cmocka_unit_test(test_floor),
                                     cmocka_unit_test(test_walls), cmocka_unit_test(test_wrong), cmocka_unit_test(test_large), cmocka_unit_test(test_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
