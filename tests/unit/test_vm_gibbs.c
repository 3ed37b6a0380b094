/* test_vm_gibbs.c: Gibbs sampling and slices against enumeration, closed forms and their own prior; wrong twins that the same tests must
 * catch.
 *
 * Kernels.  Of models with a few finite unknowns the kernel of a sweep is computed as a matrix from the weights that the driver draws by: the posterior times
 * it is the posterior, to 1e-12 in total variation, for the order of the model, for permutations, and where classes and colours are drawn at once.  With one term of one
 * element forgotten it is not, by more than 1e-3; nor where elements that depend on each other are drawn at once.
 *
 * Slices.  Points drawn exactly from a density are updated once: moments stay what they are.  z = 4.9, a false alarm once in a million for each, with
 * exact standard errors.  A twin that takes any point of the interval for one of the slice must fail.
 *
 * Conjugate conditionals.  The terms of each element, at several values of it, are those of the family with the parameters that @natural gives, up to a
 * constant, to 1e-10 of their size; and the parameters do not move with the element.  Runs that draw from them agree with closed forms and with slices.
 *
 * Multivariate normal conditionals.  The density of arrays drawn at random is the quadratic form that the driver draws from, to 1e-10 of its size; draws agree with slices, and
 * with a gradient that forgets a term of one element they do not.
 *
 * Posteriors with closed forms: each mean and mean square within 4.9 MCSE.  The twins run on an engine that falsifies the score of one element.
 *
 * Joint test (Geweke 2004): chains that start in exact draws from a model without observations must stay there, whatever is moved given what. */
#include "compiler/derive.h"
#include "tests/unit/host.h"
#include "tests/unit/statement.h"
#include "vm/conditional.h"
#include "vm/joint_normal.h"
#include "vm/slice.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* ---- kernels of finite models */

static const char *const finite_models[] = {
    "model ising(J: real) {\n  s: spin[3, 2] ~ Flat()\n  h ~ Bernoulli(0.3)\n"
    "  plate i in 1..2, j in 1..2 { factor J * s[i, j] * s[i + 1, j] }\n  plate i in 1..3 { factor J * s[i, 1] * s[i, 2] }\n  factor select(h, 0.7, 0.0) * s[1, 1]\n}\n"
    "infer ising on J = 0.6 with gibbs\n",
    "model labels(x: real[N], g: index(G)[N]) {\n  k: index(3)[G] ~ Categorical([0.2, 0.5, 0.3])\n  n: int<lower = 0, upper = 2> ~ Flat()\n"
    "  plate i in 1..N { x[i] ~ Normal(k[g[i]] - n, 1) }\n}\n"
    "infer labels on x = [0.3, 2.5, 1.1, -0.2], g = [1, 3, 2, 1] with gibbs\n",
    "model chain(y: real[T], P: simplex(3)[3]) {\n  z[1] ~ Categorical([0.5, 0.3, 0.2])\n"
    "  for t in 2..T { z[t] ~ Categorical(P[z[t - 1]]) }\n  plate t in 1..T { y[t] ~ Normal(z[t], 0.8) }\n}\n"
    "infer chain on y = [1.2, 2.9, 0.3, 2.2], P = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]] with gibbs\n",
    "model graph(edge: index(N)[E, 2], J: real[E], h: real[N]) {\n  s: spin[N] ~ Flat()\n  energy -sum(J[e] * s[edge[e, 1]] * s[edge[e, 2]] for e in 1..E) - sum(h[i] * s[i] for i in 1..N)\n}\n"
    "infer graph on edge = [[1, 2], [2, 3], [3, 1], [4, 5], [5, 6], [1, 6], [7, 8], [8, 9], [9, 10], [10, 2]], J = [1, -0.5, 0.7, 1, 0.2, -1, 0.3, 0.6, -0.8, 0.5], "
    "h = [0.1, 0, -0.3, 0.2, 0, 0.5, 0, 0, -0.2, 0.3] with gibbs\n",
    "model ring(L: int) {\n  s: index(2)[L] ~ Flat()\n  factor 0.6 * sum((s[i] == s[i % L + 1]) + 0.2 * (s[i] == 1) for i in 1..L)\n}\n"
    "infer ring on L = 9 with gibbs\n",
    /* Which elements are read depends on others. */
    "model sides(J: real, N: int) {\n  s: spin[N] ~ Flat()\n  plate i in 1..N { if s[if i == 1 { N } else { i - 1 }] == 1 { factor J + J * s[1] } else { factor 0.1 * i } }\n}\n"
    "infer sides on J = 0.6, N = 5 with gibbs\n",
    "model rows(P: simplex(2)[2], b: bool[3]) {\n  z: bool[3, 2] ~ Bernoulli(0.4)\n  plate i in 1..3 { b[i] ~ Bernoulli(if z[i, 1] == z[i, 2] { 0.9 } else { 0.2 }) }\n}\n"
    "infer rows on P = [[0.5, 0.5], [0.5, 0.5]], b = [1, 0, 1] with gibbs\n"};

enum { MOST_STATES = 1024, MOST_ELEMENTS = 10, MOST_EACH = 3 };

typedef struct finite_model {
  mh_walk c;
  mh_element element[MOST_ELEMENTS];
  size_t n, states[MOST_ELEMENTS], count;
} finite_model;

static finite_model *collecting;
static bool collect(mh_walk *c, const mh_element *x) {
  (void)c;
  finite_model *f = collecting;
  assert_true(f->n < MOST_ELEMENTS);
  f->element[f->n] = *x;
  f->states[f->n++] = mh_states(x);
  f->count *= mh_states(x);
  return true;
}

static void put_state(finite_model *f, size_t s) {
  for (size_t e = 0; e < f->n; s /= f->states[e++])
    f->c.frame[f->element[e].p->at + f->element[e].e].integer = mh_state(&f->element[e], s % f->states[e]);
}

/* Probabilities of the states of element e given the rest of the state that was put, as the driver draws them. */
static void conditional(finite_model *f, const finite_order *order, size_t e, double *p) {
  const mh_element *x = &f->element[e];
  const size_t ld = x->p->piece;
  double *lw = f->c.s->weight, top = -INFINITY, total = 0;
  size_t place = 0;
  while (order->list && (size_t)order->list[place] != x->e) place++;
  if (!order->weighed) fail_msg("`%s` is not weighed", x->p->name);
  assert_int_equal(x->p->states, f->states[e]);
  eval_frame_set(f->c.w, f->c.frame);
  assert_true(eval_weights(f->c.w, x->site, order->list, order->list ? place : x->e, 1, lw));
  for (size_t k = 0; k < f->states[e]; k++) {
    assert_int_equal(x->p->first_state + x->p->state_step * (int64_t)k, mh_state(x, k));
    top = fmax(top, lw[k * ld]);
  }
  for (size_t k = 0; k < f->states[e]; k++) total += p[k] = exp(lw[k * ld] - top);
  for (size_t k = 0; k < f->states[e]; k++) p[k] /= total;
}

/* Adds what state s becomes, with probability p, when elements k .. n - 1 of `of` have not been drawn yet. */
static void spread(const finite_model *f, const size_t *of, size_t n, size_t k, double (*each)[MOST_EACH], size_t s, double p, double *next) {
  if (k == n) {
    next[s] += p;
    return;
  }
  size_t unit = 1;
  for (size_t j = 0; j < of[k]; j++) unit *= f->states[j];
  const size_t rest = s - s / unit % f->states[of[k]] * unit;
  for (size_t v = 0; v < f->states[of[k]]; v++) spread(f, of, n, k + 1, each, rest + v * unit, p * each[k][v], next);
}

/* row [count] of a distribution over states becomes that after n elements of one site were drawn at once, each given the old state. */
static void update(finite_model *f, const mh_tables *t, const size_t *of, size_t n, double *row) {
  double next[MOST_STATES] = {0}, each[MOST_ELEMENTS][MOST_EACH];
  for (size_t s = 0; s < f->count; s++) {
    if (row[s] == 0) continue;
    put_state(f, s);
    for (size_t k = 0; k < n; k++) conditional(f, &t->finite[f->element[of[k]].site], of[k], each[k]);
    spread(f, of, n, 0, each, s, row[s], next);
  }
  memcpy(row, next, f->count * sizeof *row);
}

/* A sweep by the classes of each site; the twin draws whole sites at once. */
static void update_classes(finite_model *f, const mh_tables *t, bool twin, double *row) {
  for (size_t first = 0; first < f->n;) {
    const finite_order *x = &t->finite[f->element[first].site];
    const size_t batch = f->element[first].p->batch;
    if (!x->weighed) fail_msg("`%s` is not weighed", f->element[first].p->name);
    for (size_t k = 0; k < (twin || !x->start ? 1 : x->classes); k++) {
      size_t of[MOST_ELEMENTS], n = 0;
      const size_t from = twin || !x->start ? 0 : x->start[k], to = twin || !x->start ? batch : x->start[k + 1];
      for (size_t e = from; e < to; e++) of[n++] = first + (x->list ? (size_t)x->list[e] : e);
      if (twin || x->start) update(f, t, of, n, row);
      for (size_t e = 0; e < n && !(twin || x->start); e++) update(f, t, &of[e], 1, row);
    }
    first += batch;
  }
}

typedef enum sweep_kind { BY_ELEMENTS, BY_CLASSES, BY_COLOURS, ALL_AT_ONCE } sweep_kind;

/* The largest total variation between the posterior and what sweeps make of it, and a check that rows are distributions. */
static double stationarity(const char *model, const exec_engine *engine, sweep_kind kind) {
  fixture x = open_statement(model, 0, engine);
  aim_task *t = x.t;
  const char *why;
  finite_model f = {.count = 1};
  mh_tables tables;
  mh_scratch scratch;
  eval_worker w;
  if (ARENA_TRY(&t->mem)) fail();
  assert_true(mh_tables_make(&tables, &t->model, false, &t->mem, &why));
  mh_walk_make(&f.c, &tables, &t->mem);
  mh_scratch_make(&scratch, &tables, &t->mem, &t->vm->alloc);
  assert_true(eval_worker_init(&w, &t->model, 0, &t->vm->alloc));
  f.c.w = &w;
  f.c.s = &scratch;
  f.c.frame = ARENA_ARRAY(&t->mem, exec_cell, t->p.cells);
  run_status st;
  eval_faults faults;
  if (kind == BY_COLOURS) assert_true(mh_tables_colour(&tables, &t->mem, &t->vm->alloc, &st, &faults));
  collecting = &f;
  eval_frame_set(&w, f.c.frame);
  for (size_t k = 0; k < t->p.nsites; k++) assert_true(mh_walk_elements(&f.c, k, 0, t->p.site[k].batch, collect));
  assert_in_range(f.count, 2, MOST_STATES);
  double pi[MOST_STATES], total = 0, worst = 0;
  for (size_t s = 0; s < f.count; s++) {
    double part[3];
    put_state(&f, s);
    assert_true(eval_density(&w, f.c.frame, part));
    total += pi[s] = exp(part[0] + part[1] + part[2]);
  }
  for (size_t s = 0; s < f.count; s++) pi[s] /= total;
  size_t order[MOST_ELEMENTS];
  for (size_t e = 0; e < f.n; e++) order[e] = e;
  uint64_t seed = 1;
  for (int sweep = 0; sweep < 20; sweep++) {
    double row[MOST_STATES], tv = 0;
    memcpy(row, pi, f.count * sizeof *row);
    if (kind == BY_ELEMENTS)
      for (size_t e = 0; e < f.n; e++) update(&f, &tables, &order[e], 1, row);
    else update_classes(&f, &tables, kind == ALL_AT_ONCE, row);
    for (size_t s = 0; s < f.count; s++) tv += fabs(row[s] - pi[s]) / 2;
    if (!(tv <= worst)) worst = tv;
    for (size_t e = f.n; e-- > 1;) { /* the next sweep's permutation */
      const size_t j = next_random(&seed) % (e + 1), k = order[e];
      order[e] = order[j];
      order[j] = k;
    }
  }
  eval_worker_free(&w);
  mh_scratch_free(&scratch);
  close_fixture(&x);
  return worst;
}

static void test_kernels(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof finite_models / sizeof *finite_models; k++) {
    for (sweep_kind kind = BY_ELEMENTS; kind <= BY_COLOURS; kind++) {
      double tv = stationarity(finite_models[k], NULL, kind);
      if (!(tv <= 1e-12)) fail_msg("model %zu, sweep %d: %g", k, (int)kind, tv);
    }
  }
}

/* Elements that depend on each other may not be drawn at once. */
static void test_no_colours(void **state) {
  (void)state;
  assert_true(stationarity(finite_models[0], NULL, ALL_AT_ONCE) > 1e-3);
  assert_true(stationarity(finite_models[2], NULL, ALL_AT_ONCE) > 1e-3);
}

/* Neighbours along two axes need two colours, a ring of five three. */
static void test_colours(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t colours;
  } model[] = {{"model grid(L: int, J: real) {\n  s: index(3)[L, L] ~ Flat()\n  plate i in 1..L - 1, j in 1..L { factor J * (s[i, j] == s[i + 1, j]) }\n"
                "  plate i in 1..L, j in 1..L - 1 { factor J * (s[i, j] == s[i, j + 1]) }\n}\ninfer grid on L = 12, J = 0.5 with gibbs\n", 2},
               {"model ring(L: int) {\n  s: spin[L] ~ Flat()\n  factor sum(0.3 * s[i] * s[i % L + 1] for i in 1..L)\n}\ninfer ring on L = 5 with gibbs\n", 3}};
  for (size_t k = 0; k < 2; k++) {
    fixture f = open_statement(model[k].text, 0, NULL);
    aim_task *t = f.t;
    mh_tables tables;
    run_status st;
    eval_faults faults;
    const char *why;
    if (ARENA_TRY(&t->mem)) fail();
    assert_true(mh_tables_make(&tables, &t->model, false, &t->mem, &why));
    assert_true(mh_tables_colour(&tables, &t->mem, &t->vm->alloc, &st, &faults));
    assert_int_equal(tables.finite[0].classes, model[k].colours);
    close_fixture(&f);
  }
}

/* Forgets the field of h on the first spin, which is -1 in the first of its states. */
static void forget_field(const exec_arg *in, double *score) {
  const int64_t element = in[2].p[in[3].p->integer].integer;
  if (element == 0) *score -= in[1].p->integer ? -0.7 : 0.0;
}

static void test_forgotten_term(void **state) {
  (void)state;
  exec_engine e = false_engine("weights.s", forget_field);
  assert_true(stationarity(finite_models[0], &e, BY_ELEMENTS) > 1e-3);
  assert_int_not_equal(target, -1);
}

/* ---- slices */

enum { POINTS = 100000 };

/* Gamma(2, 1) at `at`, then a twin that has seen both ends of the interval and says yes to every point of it. */
typedef struct gamma_line {
  double at;
  bool twin, left, right;
  double level;
} gamma_line;

static bool gamma_density(void *user, double d, double *out) {
  gamma_line *l = user;
  const double x = l->at + d;
  *out = x > 0 ? log(x) - x : -INFINITY;
  if (l->twin && l->left && l->right) *out = INFINITY;
  if (d == 0) l->level = *out;
  if (*out < l->level - 8) *(d < 0 ? &l->left : &l->right) = true; /* surely below the level */
  return true;
}

/* Largest |z| of three moments of Gamma(2, 1) after one update of exact draws. */
static double slice_z(double width, bool twin) {
  static const double truth[] = {2, 6, 24}, second[] = {6, 120, 5040}; /* E x^k = (k + 1)! */
  double sum[3] = {0}, worst = 0;
  for (uint64_t n = 0; n < POINTS; n++) {
    const double from = rt_draw_gamma((rt_draw_addr){77, 0, n}, 2.0);
    gamma_line l = {.at = from, .twin = twin};
    rt_draw_addr at = {rt_key_fold(78, n), 0, 0};
    double d;
    assert_true(slice_update(gamma_density, &l, width, SLICE_MOST_STEPS, &at, &d));
    const double x = from + d;
    sum[0] += x, sum[1] += x * x, sum[2] += x * x * x;
  }
  for (int k = 0; k < 3; k++) {
    double z = fabs(sum[k] / POINTS - truth[k]) / sqrt((second[k] - truth[k] * truth[k]) / POINTS);
    if (!(z <= worst)) worst = z;
  }
  return worst;
}

static void test_slices(void **state) {
  (void)state;
  static const double width[] = {0.05, 1, 30};
  for (int k = 0; k < 3; k++) {
    double z = slice_z(width[k], false);
    if (!(z < 4.9)) fail_msg("width %g: z = %g", width[k], z);
  }
}

static void test_slice_without_shrinkage(void **state) {
  (void)state;
  assert_false(slice_z(30, true) < 4.9);
}

/* A slice without end, and a point outside: the update ends, and an impossible point finds the support. */
static bool flat_density(void *user, double d, double *out) {
  ++*(size_t *)user;
  *out = d * 0;
  return true;
}

static bool far_density(void *user, double d, double *out) {
  (void)user;
  *out = d == 0 ? -INFINITY : NAN;
  return true;
}

static void test_hard_slices(void **state) {
  (void)state;
  size_t calls = 0;
  rt_draw_addr at = {1, 0, 0};
  double d;
  assert_true(slice_update(flat_density, &calls, 1, SLICE_MOST_STEPS, &at, &d));
  assert_in_range(calls, 900, 1100);
  assert_true(fabs(d) <= 1000);
  assert_true(slice_update(far_density, NULL, 1, SLICE_MOST_STEPS, &at, &d));
  assert_true(d == 0);
}

/* ---- conjugate conditionals */

#define ON_LABELS " on x = [0.3, 0.6, 1.2, -1, 0.2, -0.7], g = [1, 2, 1, 2, 3, 3], n = [3, 4, 1, 2, 0, 7], b = [1, 0, 0, 1, 1, 0], X = [[1, 2], [0, 1], [1.5, -1], [0.2, 0.1], [3, 1], [1, 1]]"
static const struct {
  const char *text, *families; /* of the sites in order, a letter each: n g i b d, or - for none */
} conjugate_models[] = {
    {"model counts(x: real[N], g: index(3)[N], n: int[N], b: bool[N], X: real[N, 2]) {\n"
     "  p ~ Beta(2, 3)\n  b ~ Bernoulli(p)\n  q ~ Beta(1, 1)\n  n ~ Binomial(9, q)\n  w ~ Dirichlet([1.0, 2.5, 1.0])\n  g ~ Categorical(w)\n"
     "  let z = n + 1\n  l ~ Gamma(2, 0.5)\n  plate i in 1..N { z[i] ~ Poisson(l * (1 + i)) }\n  let y = n + 0.5\n  e ~ Exponential(2)\n  y ~ Exponential(e)\n  let u = n + 1.5\n  r ~ Gamma(3, 1)\n  u ~ Gamma(1.7, r)\n}\n"
     "infer counts" ON_LABELS " with gibbs\n", "bbdggg"},
    {"model scales(x: real[N], g: index(3)[N], n: int[N], b: bool[N], X: real[N, 2]) {\n"
     "  mu ~ Normal(1, 3)\n  tau ~ Gamma(2, 3)\n  v ~ InvGamma(3, 2)\n  theta: real[3] ~ Normal(mu, sqrt(v))\n"
     "  plate i in 1..N { x[i] ~ Normal(theta[g[i]], 1 / sqrt(tau)) }\n}\n"
     "infer scales" ON_LABELS " with gibbs\n", "ngin"},
    {"model line(x: real[N], g: index(3)[N], n: int[N], b: bool[N], X: real[N, 2]) {\n"
     "  a ~ Normal(0, 10)\n  beta: real[2] ~ Normal(0, 5)\n  v ~ InvGamma(2, 2)\n  x ~ Normal(a + X @ beta, sqrt(v))\n}\n"
     "infer line" ON_LABELS " with gibbs\n", "nni"},
    {"model walk(x: real[N], g: index(3)[N], n: int[N], b: bool[N], X: real[N, 2]) {\n"
     "  phi ~ Normal(0, 1)\n  h[1] ~ Normal(0, 1)\n  for t in 2..N { h[t] ~ Normal(phi * h[t - 1] + 0.1, 0.5) }\n  plate t in 1..N { x[t] ~ Normal(h[t], 1) }\n}\n"
     "infer walk" ON_LABELS " with gibbs\n", "nn"},
    {"model labels(x: real[N], g: index(3)[N], n: int[N], b: bool[N], X: real[N, 2]) {\n"
     "  w: simplex(2)[3] ~ Dirichlet([0.5, 1.5])\n  mu: real[2] ~ Normal(0, 3)\n  tau: real<lower = 0>[2] ~ Gamma(2, 1)\n"
     "  plate i in 1..N {\n    k[i] ~ Categorical(w[g[i]])\n    x[i] ~ Normal(mu[k[i]], 1 / sqrt(tau[k[i]]))\n  }\n}\n"
     "infer labels" ON_LABELS " with gibbs\n", "dng-"},
    {"model topics(x: real[N], g: index(3)[N], n: int[N], b: bool[N], X: real[N, 2]) {\n"
     "  theta: simplex(2)[3] ~ Dirichlet([0.7, 1.2])\n  phi: simplex(3)[2] ~ Dirichlet([0.3, 1.0, 2.0])\n"
     "  plate i in 1..N {\n    z[i] ~ Categorical(theta[1 + n[i] % 3])\n    g[i] ~ Categorical(phi[z[i]])\n  }\n}\n"
     "infer topics" ON_LABELS " with gibbs\n", "dd-"},
    {"model cells(x: real[N], g: index(3)[N], n: int[N], b: bool[N], X: real[N, 2]) {\n"
     "  u: simplex(2) ~ Dirichlet([1.0, 2.0])\n  v: simplex(2)[3] ~ Dirichlet([0.5, 0.5])\n  mu ~ Normal(0, 3)\n  t ~ Gamma(2, 1)\n"
     "  plate j in 1..3, k in 1..2 { a[j, k] ~ Normal(mu, 1 / sqrt(t)) }\n"
     "  let Y = [[2 + n[i], 3 * n[i]][k] for i in 1..N, k in 1..2]\n"
     "  plate i in 1..N {\n    h[i] ~ Categorical([0.5, 0.5])\n    Y[i] ~ Multinomial(sum(Y[i]), u)\n    x[i] ~ Normal(a[g[i], h[i]], 2)\n    factor log(v[g[i], h[i]])\n  }\n}\n"
     "infer cells" ON_LABELS " with gibbs\n", "ddngn-"},
    {"model others(x: real[N], g: index(3)[N], n: int[N], b: bool[N], X: real[N, 2]) {\n"
     "  m ~ Normal(0, 1)\n  x ~ Cauchy(m, 1)\n  c ~ Normal(0, 1)\n  n ~ Poisson(log = c)\n  s ~ HalfNormal(1)\n  let y = x + 1\n  y ~ Normal(0, s)\n  p ~ Beta(2, 2)\n  b ~ Bernoulli(p * p)\n"
     "  t: real<lower = 0> ~ Normal(1, 1)\n  f ~ Normal(0, 1)\n  factor select(f > 0.5, 0.0, -1.0)\n}\n"
     "infer others" ON_LABELS " with gibbs\n", "------"}};

static double basis(conjugate_family f, const double *c, double x) {
  switch (f) {
  case CONJ_NORMAL: return c[0] * x + c[1] * x * x;
  case CONJ_GAMMA: return c[0] * log(x) + c[1] * x;
  case CONJ_INV_GAMMA: return c[0] * log(x) + c[1] / x;
  default: return c[0] * log(x) + c[1] * log1p(-x);
  }
}

/* The n-th value of an element, or of an event, to be tried. */
static void put_value(mh_walk *c, const mh_element *x, int n) {
  exec_cell *cell = c->frame + x->p->at + x->e * x->p->event;
  double total = 0;
  switch (x->p->conjugate) {
  case CONJ_NORMAL: cell->real = -1.3 + 0.9 * n; break;
  case CONJ_BETA: cell->real = 0.1 + 0.2 * n; break;
  case CONJ_DIRICHLET:
    for (size_t k = 0; k < x->p->event; k++) total += cell[k].real = 1.0 + (double)((n + 1) * (int)(k + 1) % 5);
    for (size_t k = 0; k < x->p->event; k++) cell[k].real /= total;
    break;
  default: cell->real = 0.3 + 0.7 * n;
  }
}

static bool natural_is_right(mh_walk *c, const mh_element *x) {
  double first[MOST_ELEMENTS], base = 0;
  const bool simplex = x->p->conjugate == CONJ_DIRICHLET;
  const size_t n = simplex ? x->p->event : 2;
  for (int v = 0; v < 4; v++) {
    double natural[MOST_ELEMENTS], local, of = 0;
    put_value(c, x, v);
    eval_frame_set(c->w, c->frame);
    assert_true(eval_natural(c->w, x->site, x->at, n, natural));
    assert_true(eval_local(c->w, x->site, x->at, &local));
    if (v == 0) memcpy(first, natural, sizeof first);
    for (size_t k = 0; k < n; k++) assert_true(fabs(natural[k] - first[k]) <= 1e-10 * (1 + fabs(first[k])));
    if (simplex)
      for (size_t k = 0; k < n; k++) of += natural[k] * log(c->frame[x->p->at + x->e * n + k].real);
      else of = basis(x->p->conjugate, natural, c->frame[x->p->at + x->e].real);
    if (v == 0) base = local - of;
    if (!(fabs(local - of - base) <= 1e-10 * (1 + fabs(local) + fabs(of)))) fail_msg("%s: %.17g and %.17g", x->p->name, local - of, base);
  }
  return true;
}

/* A walker that stands at a draw from the prior of a statement's model. */
typedef struct standing {
  fixture f;
  mh_tables tables;
  mh_scratch scratch;
  mh_walk c;
  eval_worker w;
} standing;

static void stand(standing *x, const char *text) {
  const char *why;
  x->f = open_statement(text, 0, NULL);
  aim_task *t = x->f.t;
  if (ARENA_TRY(&t->mem)) fail();
  assert_true(mh_tables_make(&x->tables, &t->model, false, &t->mem, &why));
  mh_walk_make(&x->c, &x->tables, &t->mem);
  mh_scratch_make(&x->scratch, &x->tables, &t->mem, &t->vm->alloc);
  assert_true(eval_worker_init(&x->w, &t->model, 0, &t->vm->alloc));
  x->c.w = &x->w;
  x->c.s = &x->scratch;
  x->c.frame = ARENA_ARRAY(&t->mem, exec_cell, t->p.cells);
  assert_true(eval_prior(&x->w, 5, x->c.frame));
  eval_frame_set(&x->w, x->c.frame);
}

static void leave(standing *x) {
  eval_worker_free(&x->w);
  mh_scratch_free(&x->scratch);
  close_fixture(&x->f);
}

/* Those of the element alone are its own among those of the site. */
static bool natural_among_all(mh_walk *c, const mh_element *x) {
  const bool simplex = x->p->conjugate == CONJ_DIRICHLET;
  const size_t n = simplex ? x->p->event : 2;
  double natural[MOST_ELEMENTS];
  assert_true(eval_natural(c->w, x->site, x->at, n, natural));
  for (size_t k = 0; k < n; k++) {
    const double among = c->s->natural[simplex ? x->e * n + k : k * x->p->batch + x->e];
    assert_true(fabs(natural[k] - among) <= 1e-13 * fabs(among));
  }
  return true;
}

static void check_naturals(const char *text, const char *families) {
  static const char letters[] = "-ngibd";
  standing s;
  stand(&s, text);
  const program *p = &s.f.t->p;
  assert_int_equal(p->nsites, strlen(families));
  for (size_t k = 0; k < p->nsites; k++) {
    if (letters[p->site[k].conjugate] != families[k]) fail_msg("%s: `%s` is %s", text, p->site[k].name, conjugate_name(p->site[k].conjugate));
    if (s.f.t->model.site[k].naturals >= 0) {
      assert_true(eval_naturals(&s.w, k, s.scratch.natural));
      assert_true(mh_walk_elements(&s.c, k, 0, p->site[k].batch, natural_among_all));
    }
    if (families[k] != '-') assert_true(mh_walk_elements(&s.c, k, 0, p->site[k].batch, natural_is_right));
  }
  leave(&s);
}

/* Values used twice, thirty deep: no family is looked for beyond a budget of work. */
static void test_doubling(void **state) {
  (void)state;
  char text[4096];
  size_t n = (size_t)snprintf(text, sizeof text, "model m() {\n  a0 ~ Normal(0, 1)\n  b ~ Normal(0, 1)\n");
  for (int k = 1; k <= 30; k++) n += (size_t)snprintf(text + n, sizeof text - n, "  let a%d = a%d - 0.5 * (a%d + b)\n", k, k - 1, k - 1);
  snprintf(text + n, sizeof text - n, "  factor -a30^2\n}\ninfer m with gibbs\n");
  check_naturals(text, "--");
}

static void test_naturals(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof conjugate_models / sizeof *conjugate_models; k++) check_naturals(conjugate_models[k].text, conjugate_models[k].families);
}

/* ---- multivariate normal conditionals */

#define ON_LINE " on y = [0.3, 1.2, -0.4, 2.2, 0.9, -1.5], X = [[1, 0.2, 1], [0, 1.1, -1], [1.5, -1, 0.3], [0.2, 0.1, 2], [3, 1, 0], [1, 1, 1]], g = [1, 2, 1, 3, 3, 2]"
static const struct {
  const char *text, *joint; /* the site, or "" where none is drawn together */
} joint_models[] = {
    {"model line(y: real[N], X: real[N, 3], g: index(3)[N]) {\n  v ~ InvGamma(3, 2)\n  beta: real[3] ~ Normal(0.5, 2)\n  y ~ Normal(X @ beta, sqrt(v))\n}\ninfer line" ON_LINE " with gibbs\n", "beta"},
    {"model vector(y: real[N], X: real[N, 3], g: index(3)[N]) {\n  b: real[3] ~ MultiNormal([1.0, 0.0, -1.0], [[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 1.5]])\n"
     "  plate i in 1..N { y[i] ~ Normal(b[g[i]], 0.8) }\n}\ninfer vector" ON_LINE " with gibbs\n", "b"},
    {"model path(y: real[N], X: real[N, 3], g: index(3)[N]) {\n  phi ~ Normal(0, 1)\n  h[1] ~ Normal(0, 1)\n  for t in 2..N { h[t] ~ Normal(phi * h[t - 1] + 0.1, 0.5) }\n"
     "  plate t in 1..N { y[t] ~ Normal(h[t], 1) }\n}\ninfer path" ON_LINE " with gibbs\n", "h"},
    {"model curve(y: real[N], X: real[N, 3], g: index(3)[N]) {\n  beta: real[3] ~ Normal(0, 2)\n  k: bool[N] ~ Bernoulli(0.5)\n"
     "  plate i in 1..N { y[i] ~ Normal(select(k[i], X[i, 1] * beta[1] + X[i, 2] * beta[2], 0.3 * beta[3] + beta[g[i]]), 1) }\n}\ninfer curve" ON_LINE " with gibbs\n", "beta"},
    {"model groups(y: real[N], X: real[N, 3], g: index(3)[N]) {\n  mu: real[3] ~ Normal(0, 2)\n  plate j in 1..3, k in 1..3 { beta[j, k] ~ Normal(mu[k], 0.7) }\n"
     "  plate i in 1..N { y[i] ~ Normal(dot(X[i], beta[g[i]]), 1) }\n}\ninfer groups" ON_LINE " with gibbs\n", "beta"},
    {"model centre(y: real[N], X: real[N, 3], g: index(3)[N]) {\n  mu: real[3] ~ Normal(0, 2)\n  plate i in 1..N { X[i] ~ MultiNormal(mu, [[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 1.5]]) }\n}\n"
     "infer centre" ON_LINE " with gibbs\n", "mu"},
    {"model heavy(y: real[N], X: real[N, 3], g: index(3)[N]) {\n  beta: real[3] ~ Normal(0, 2)\n  y ~ StudentT(4, X @ beta, 1)\n}\ninfer heavy" ON_LINE " with gibbs\n", ""},
    {"model scaled(y: real[N], X: real[N, 3], g: index(3)[N]) {\n  b: real[3] ~ Normal(0, 1)\n  y ~ Normal(1, exp(sum(b)))\n}\ninfer scaled" ON_LINE " with gibbs\n", ""},
    {"model apart(y: real[N], X: real[N, 3], g: index(3)[N]) {\n  b: real[3] ~ Normal(0, 1)\n  plate i in 1..N { y[i] ~ Normal(b[g[i]], 1) }\n}\ninfer apart" ON_LINE " with gibbs\n", ""}};
enum { N_JOINT = sizeof joint_models / sizeof *joint_models };

/* The log density of random arrays is the quadratic form, up to a constant, to 1e-10 of its size. */
static void check_joint(const char *text, const char *name) {
  standing s;
  stand(&s, text);
  const program *p = &s.f.t->p;
  const program_site *site = NULL;
  for (size_t k = 0; k < p->nsites; k++) {
    if (p->site[k].joint != (strcmp(p->site[k].name, name) == 0)) fail_msg("%s: `%s`", text, p->site[k].name);
    if (p->site[k].joint) site = &p->site[k];
  }
  if (site) {
    double b[MOST_ELEMENTS], Q[MOST_ELEMENTS * MOST_ELEMENTS], base = 0;
    uint64_t seed = 3;
    const size_t n = site->cells;
    assert_true(n <= MOST_ELEMENTS && joint_normal_form(&s.c, (size_t)(site - p->site), b, Q));
    for (int v = 0; v < 6; v++) {
      double part[3], of = 0;
      exec_cell *x = s.c.frame + site->at;
      for (size_t i = 0; i < n; i++) x[i].real = 4.0 * (double)(next_random(&seed) >> 11) * 0x1p-53 - 2.0;
      for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) of += x[i].real * ((i == j ? b[i] : 0.0) - 0.5 * Q[i * n + j] * x[j].real);
      assert_true(eval_density(&s.w, s.c.frame, part));
      const double lp = part[0] + part[1] + part[2];
      if (v == 0) base = lp - of;
      if (!(fabs(lp - of - base) <= 1e-10 * (1 + fabs(lp) + fabs(of)))) fail_msg("%s: %.17g and %.17g", text, lp - of, base);
    }
  }
  leave(&s);
}

static void test_joint_forms(void **state) {
  (void)state;
  for (size_t k = 0; k < N_JOINT; k++) check_joint(joint_models[k].text, joint_models[k].joint);
}

/* Every quantity of a run with gibbs against the same run with slice: the largest |z|. */
static double against_slices(const char *text, const exec_engine *engine) {
  double worst = 0;
  fixture f[2];
  for (int k = 0; k < 2; k++) {
    f[k] = open_statement(text, 0, k == 0 ? engine : NULL);
    if (k == 1) {
      close_fixture(&f[k]);
      aim_config config;
      aim_config_init(&config);
      f[k].vm = aim_vm_new(&config);
      assert_int_equal(aim_load(f[k].vm, "m.aim", text, strlen(text), &f[k].p), AIM_OK);
      assert_int_equal(aim_task_statement(f[k].p, 0, &f[k].t), AIM_OK);
      assert_int_equal(aim_set_text(f[k].t, "method", "slice"), AIM_OK);
    }
    assert_int_equal(aim_set_int(f[k].t, "draws", 5000), AIM_OK);
    assert_int_equal(aim_run(f[k].t, NULL), AIM_OK);
  }
  for (size_t q = 0; q < aim_quantity_count(f[0].t); q++) {
    aim_quantity x;
    assert_int_equal(aim_quantity_get(f[0].t, q, &x), AIM_OK);
    for (size_t e = 0; e < x.cells; e++) {
      aim_summary a, b;
      assert_int_equal(aim_summarise(f[0].t, q, e, &a), AIM_OK);
      assert_int_equal(aim_summarise(f[1].t, q, e, &b), AIM_OK);
      double z = fabs(a.mean - b.mean) / hypot(a.mcse, b.mcse);
      if (z > worst) worst = z;
    }
  }
  close_fixture(&f[0]);
  close_fixture(&f[1]);
  return worst;
}

static void test_against_slices(void **state) {
  (void)state;
  for (size_t k = 0; k < 4; k++) {
    double z = against_slices(conjugate_models[k].text, NULL);
    if (!(z < 4.9)) fail_msg("%s: z = %g", conjugate_models[k].text, z);
  }
}

/* Draws of whole arrays against slices; and where a term of one element is forgotten. */
static void forget_term(const exec_arg *in, double *gradient) {
  (void)in;
  *gradient -= 0.5;
}

static void test_joint_draws(void **state) {
  (void)state;
  for (size_t k = 0; k < 6; k++) {
    double z = against_slices(joint_models[k].text, NULL);
    if (!(z < 4.9)) fail_msg("%s: z = %g", joint_models[k].text, z);
  }
  exec_engine e = false_engine("joint.b", forget_term);
  assert_false(against_slices(joint_models[1].text, &e) < 4.9);
  assert_int_not_equal(target, -1);
}

/* ---- slices from statistics */

static const char given_model[] =
    "model m(x: real[N], u: real[N]) {\n  mu: ordered(2) ~ Normal(0, 3)\n  s: real[2] ~ HalfNormal(1)\n  b ~ Cauchy(0, 1)\n"
    "  plate i in 1..N {\n    k[i] ~ Categorical([0.4, 0.6])\n    x[i] ~ Normal(mu[k[i]] + b * u[i], s[k[i]])\n  }\n}\n"
    "infer m on ";

/* With observations enough for statistics to pay. */
static const char *given_text(char *out, size_t size) {
  size_t n = (size_t)snprintf(out, size, "%s", given_model);
  for (int v = 0; v < 2; v++) {
    n += (size_t)snprintf(out + n, size - n, v ? "], u = [" : "x = [");
    for (int i = 0; i < 80; i++) n += (size_t)snprintf(out + n, size - n, "%s%.2f", i ? ", " : "", v ? 0.03 * (i * 37 % 80) - 1.2 : (i % 3 ? 2.0 : -0.5) + 0.02 * (i * 11 % 80));
  }
  snprintf(out + n, size - n, "] with gibbs\n");
  return out;
}

static void flatter(const exec_arg *in, double *score);

/* What the terms change by, from one value of a site to another, does not depend on which way they are computed, to 1e-10 of their size; runs agree with slices that read every element; and
 * terms that are too flat do not. */
static void test_given(void **state) {
  (void)state;
  char text[4096];
  fixture f = open_statement(given_text(text, sizeof text), 0, NULL);
  aim_task *t = f.t;
  eval_worker w;
  exec_cell frame[128], given[64];
  size_t found = 0;
  assert_true(t->p.cells <= 128 && eval_worker_init(&w, &t->model, 0, &t->vm->alloc));
  for (uint64_t key = 0; key < 4; key++)
    for (size_t s = 0; s < t->p.nsites; s++) {
      const program_site *x = &t->p.site[s];
      if (!x->given) continue;
      found++;
      assert_true(x->given <= 64 && eval_prior(&w, key, frame));
      double full[2], slim[2];
      for (int v = 0; v < 2; v++) {
        double part[3];
        assert_true(eval_density(&w, frame, part));
        full[v] = part[0] + part[1] + part[2];
        eval_frame_set(&w, frame);
        if (v == 0) assert_true(eval_given(&w, s, given));
        assert_true(eval_slim(&w, s, given, &slim[v]));
        for (size_t e = 0; e < x->cells; e++) frame[x->at + e].real = 0.3 + 1.1 * frame[x->at + e].real + 0.2 * (double)e;
      }
      assert_true(isfinite(full[0]) && isfinite(full[1]));
      if (!(fabs((full[1] - full[0]) - (slim[1] - slim[0])) <= 1e-10 * (1 + fabs(full[0]) + fabs(full[1])))) fail_msg("%s: %.17g and %.17g", x->name, full[1] - full[0], slim[1] - slim[0]);
    }
  assert_int_equal(found, 4 * 3);
  eval_worker_free(&w);
  close_fixture(&f);
  double z = against_slices(text, NULL);
  if (!(z < 4.9)) fail_msg("z = %g", z);
  exec_engine e = false_engine("slim.s", flatter);
  assert_false(against_slices(text, &e) < 4.9);
  assert_int_not_equal(target, -1);
}

/* The prior of the rate, or of the mean, is forgotten by a third. */
static void less_of_it(const exec_arg *in, double *natural) {
  (void)in;
  *natural *= 0.7;
}

static void test_false_naturals(void **state) {
  (void)state;
  static const char *const name[] = {"natural.p", "natural.w", "natural.l", "naturals.theta"};
  for (size_t k = 0; k < 4; k++) {
    exec_engine e = false_engine(name[k], less_of_it);
    assert_false(against_slices(conjugate_models[k == 3].text, &e) < 4.9);
    assert_int_not_equal(target, -1);
  }
}

/* ---- posteriors with closed forms */

typedef struct moment {
  const char *name;
  size_t cell;
  double truth;
} moment;

/* s ~ Gamma(3, 1) beside a normal; Beta(4, 2); Dirichlet(2, 3, 4); Poisson(3); a large finite unknown, binomial; the ordered pair of two standard normals. */
static const char posterior_model[] =
    "model m(y: bool[4], c: index(3)[6]) {\n"
    "  s ~ Gamma(3, 1)\n  mu ~ Normal(1, 2)\n  p ~ Beta(1, 1)\n  y ~ Bernoulli(p)\n  w ~ Dirichlet([1.0, 1.0, 1.0])\n  c ~ Categorical(w)\n"
    "  n ~ Poisson(3)\n  b ~ Binomial(2000, 0.3)\n  o: ordered(2) ~ Normal(0, 1)\n  k: index(3) ~ Categorical([0.2, 0.5, 0.3])\n  u: real<lower = -1, upper = 3> ~ Flat()\n  v: real<upper = 2> ~ Normal(2, 1)\n"
    "  z: real<lower = 1> ~ Exponential(1)\n  track s2 = s^2\n  track mu2 = mu^2\n  track p2 = p^2\n  track n2 = n * n\n  track b2 = (b - 600.0)^2\n  track gap = o[2] - o[1]\n  track k2 = k * k\n  track u2 = (u - 1)^2\n"
    "}\n"
    "infer m on y = [1, 1, 0, 1], c = [1, 2, 2, 3, 3, 3] with gibbs(draws = 15000, warmup = 1000)\n"
    "infer m on y = [1, 1, 0, 1], c = [1, 2, 2, 3, 3, 3] with slice(draws = 15000, warmup = 1000, order = random) as s\n";
static const moment posterior_moments[] = {
    {"s", 0, 3}, {"s2", 0, 12}, {"mu", 0, 1}, {"mu2", 0, 5}, {"p", 0, 4.0 / 6}, {"p2", 0, 20.0 / 42}, {"w", 0, 2.0 / 9}, {"w", 1, 3.0 / 9}, {"w", 2, 4.0 / 9},
    {"n", 0, 3}, {"n2", 0, 12}, {"b", 0, 600}, {"b2", 0, 420}, {"gap", 0, 1.1283791670955126}, {"k", 0, 2.1}, {"k2", 0, 4.9},
    {"u", 0, 1}, {"u2", 0, 4.0 / 3}, {"v", 0, 2 - 0.79788456080286536}, {"z", 0, 2}};
enum { N_MOMENTS = sizeof posterior_moments / sizeof *posterior_moments };

static double worst_z(const char *text, size_t statement, const exec_engine *engine, const moment *m, size_t n, const char **which) {
  fixture f = open_statement(text, statement, engine);
  assert_int_equal(aim_run(f.t, NULL), AIM_OK);
  double worst = 0;
  for (size_t k = 0; k < n; k++) {
    aim_summary x;
    assert_int_equal(aim_summarise(f.t, aim_quantity_find(f.t, m[k].name), m[k].cell, &x), AIM_OK);
    double z = fabs(x.mean - m[k].truth) / x.mcse;
    if (z <= worst) continue; /* a NaN is the worst */
    worst = z;
    *which = m[k].name;
  }
  close_fixture(&f);
  return worst;
}

static void test_posteriors(void **state) {
  (void)state;
  for (size_t k = 0; k < 2; k++) {
    const char *which = "";
    double z = worst_z(posterior_model, k, NULL, posterior_moments, N_MOMENTS, &which);
    if (!(z < 4.9)) fail_msg("statement %zu, %s: z = %g", k, which, z);
  }
}

/* in: the sites in order. */
static void without_jacobian(const exec_arg *in, double *score) { *score -= log(in[0].p->real); }
static void flatter(const exec_arg *in, double *score) {
  (void)in;
  *score *= 0.5;
}

static void test_false_scores(void **state) {
  (void)state;
  static const struct {
    const char *name;
    void (*f)(const exec_arg *in, double *score);
  } twin[] = {{"local.s", without_jacobian}, {"local.mu", flatter}, {"local.w", flatter}, {"local.n", flatter}, {"weights.k", flatter}};
  for (size_t k = 0; k < sizeof twin / sizeof *twin; k++) {
    const char *which = "";
    exec_engine e = false_engine(twin[k].name, twin[k].f);
    if (worst_z(posterior_model, 1, &e, posterior_moments, N_MOMENTS, &which) < 4.9) fail_msg("%s was not caught", twin[k].name);
    assert_int_not_equal(target, -1);
  }
}

/* ---- the joint test */

static const char joint_model[] =
    "model joint() {\n  mu ~ Normal(1, 1)\n  tau ~ Gamma(4, 2)\n  w ~ Dirichlet([2.0, 1.0, 1.0])\n"
    "  plate i in 1..4 {\n    k[i] ~ Categorical(w)\n    y[i] ~ Normal(mu + k[i], 1 / sqrt(tau))\n    c[i] ~ Poisson(tau)\n  }\n"
    "  track y1 = y[1]\n  track y2 = (y[1] - 1)^2\n  track k1 = k[1]\n  track tk = tau * c[1]\n}\n"
    "infer joint with gibbs(chains = 1024, warmup = 0, draws = 4)\n"
    "infer joint with slice(chains = 1024, warmup = 0, draws = 4, order = random) as s\n";
/* E (mu + k - 1)^2 = Var mu + E k^2 = 1 + (2 + 4 + 9) / 4, and E 1/tau = 2/3; E tau^2 = 5. */
static const moment joint_moments[] = {{"mu", 0, 1}, {"tau", 0, 2}, {"w", 0, 0.5}, {"w", 2, 0.25}, {"y1", 0, 2.75}, {"y2", 0, 1 + 15.0 / 4 + 2.0 / 3}, {"k1", 0, 1.75}, {"tk", 0, 5}};

/* Chains are independent, so means over each give the standard error. */
static double joint_z(size_t statement, const exec_engine *engine) {
  fixture f = open_statement(joint_model, statement, engine);
  assert_int_equal(aim_run(f.t, NULL), AIM_OK);
  double worst = 0;
  const int chains = aim_chain_count(f.t);
  for (size_t k = 0; k < sizeof joint_moments / sizeof *joint_moments; k++) {
    const size_t q = (size_t)aim_quantity_find(f.t, joint_moments[k].name);
    double sum = 0, square = 0;
    for (int c = 0; c < chains; c++) {
      const size_t n = aim_draw_count(f.t, c);
      const double *x = aim_draws(f.t, c, q, joint_moments[k].cell);
      double mean = 0;
      for (size_t i = 0; i < n; i++) mean += x[i] / (double)n;
      sum += mean, square += mean * mean;
    }
    const double mean = sum / chains, z = fabs(mean - joint_moments[k].truth) / sqrt((square / chains - mean * mean) / chains);
    if (!(z <= worst)) worst = z;
  }
  close_fixture(&f);
  return worst;
}

static void test_joint(void **state) {
  (void)state;
  for (size_t k = 0; k < 2; k++) {
    double z = joint_z(k, NULL);
    if (!(z < 4.9)) fail_msg("statement %zu: z = %g", k, z);
  }
}

static void test_joint_twin(void **state) {
  (void)state;
  exec_engine e = false_engine("local.tau", flatter);
  assert_false(joint_z(1, &e) < 4.9);
  assert_int_not_equal(target, -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kernels),     cmocka_unit_test(test_forgotten_term), cmocka_unit_test(test_no_colours), cmocka_unit_test(test_colours), cmocka_unit_test(test_slices), cmocka_unit_test(test_slice_without_shrinkage),
      cmocka_unit_test(test_hard_slices), cmocka_unit_test(test_doubling), cmocka_unit_test(test_naturals), cmocka_unit_test(test_joint_forms), cmocka_unit_test(test_joint_draws), cmocka_unit_test(test_given), cmocka_unit_test(test_against_slices), cmocka_unit_test(test_false_naturals), cmocka_unit_test(test_posteriors),     cmocka_unit_test(test_false_scores), cmocka_unit_test(test_joint), cmocka_unit_test(test_joint_twin)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
