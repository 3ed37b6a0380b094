/* test_vm_clamp.c: unknowns that are given, whole and in part, under every method that moves finite ones: against the unclamped model, summed over the states
 * that agree with what is given.
 *
 * The enumeration never sees `given`: it asks the density of the model without it.  Means of all elements are within 4.9 MCSE of the exact ones (false alarm one in a
 * million each, seeds are fixed), evidences within 7 of their errors (two in a million where 16 chains estimate them), the state of lowest energy is the lowest that
 * agrees, and elements that are given have their value in every draw.  The enumeration with another value given, and kernels with a false weight, must be told. */
#include "tests/unit/known_means.h"
#include "tests/unit/statement.h"

enum { MOST = 32, GRID = 4000 };
#define FREE NAN

typedef struct clamp_model {
  const char *text, *name, *data; /* of the model */
  const char *given;              /* as a statement has it */
  const char *site;               /* what is given */
  size_t n;
  double value[9];                /* [n] of the site's elements, FREE where they are not given */
  const char *parts;              /* of a cycle */
  double lo, hi;                  /* of its continuous unknown; equal where there is none */
  bool energy;
} clamp_model;

#define RBM "model rbm(W: real[V, H], a: real[V], b: real[H]) {\n  v: bool[V] ~ Flat()\n  h: bool[H] ~ Flat()\n  energy -(dot(a, v) + dot(b, h) + dot(v, W @ h))\n}\n"
#define WEIGHTS "W = [[1, -0.5], [0.3, 0.8], [-1, 0.2]], a = [0.1, -0.2, 0.4], b = [0.3, -0.1]"

static const clamp_model models[] = {
    {RBM, "rbm", WEIGHTS, "v = [1, 0, 1]", "v", 3, {1, 0, 1}, "gibbs([h])", 0, 0, true},
    {RBM, "rbm", WEIGHTS, "v = [1, null, 0]", "v", 3, {1, FREE, 0}, "gibbs([v], order = random), mh([h])", 0, 0, true},
    {"model ising(edge: index(N)[E, 2], J: real[E], h: real[N]) {\n  s: spin[N] ~ Flat()\n  energy -sum(J[e] * s[edge[e, 1]] * s[edge[e, 2]] for e in 1..E) - dot(h, s)\n}\n",
     "ising", "edge = [[1, 2], [2, 3], [3, 4], [4, 1], [1, 5], [3, 5]], J = [0.7, -0.5, 0.8, 0.6, -0.4, 0.9], h = [0.1, -0.2, 0.3, 0, -0.1]",
     "s = [null, 1, null, null, -1]", "s", 5, {FREE, 1, FREE, FREE, -1}, "gibbs([s])", 0, 0, true},
    {"model potts(L: int, q: int, J: real = 0.6) {\n  s: index(q)[L, L] ~ Flat()\n"
     "  energy -J * sum((s[i, j] == s[i % L + 1, j]) + (s[i, j] == s[i, j % L + 1]) for i in 1..L, j in 1..L)\n}\n",
     "potts", "L = 3, q = 3", "s = [[1, null, 2], [null, null, 3], [1, 2, null]]", "s", 9, {1, FREE, 2, FREE, FREE, 3, 1, 2, FREE}, "gibbs([s])", 0, 0, true},
    {"model mix(x: real[N]) {\n  mu ~ Normal(0, 2)\n  plate i in 1..N {\n    k[i] ~ Categorical([0.3, 0.5, 0.2])\n    x[i] ~ Normal(mu * (k[i] - 1), 0.8)\n  }\n}\n", "mix",
     "x = [0.2, 1.4, 1.1, 3.2, -0.3]", "k = [null, 3, null, null, 1]", "k", 5, {FREE, 3, FREE, FREE, 1}, "nuts([mu]), gibbs([k])", -20, 20, false},
    {"model hmm(y: real[T], P: simplex(3)[3]) {\n  m ~ Normal(1, 1)\n  z[1] ~ Categorical([0.5, 0.3, 0.2])\n  for t in 2..T { z[t] ~ Categorical(P[z[t - 1]]) }\n"
     "  plate t in 1..T { y[t] ~ Normal(m * z[t], 1) }\n}\n", "hmm",
     "y = [1.2, 2.9, 0.3, 2.2, 3.1], P = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]", "z = [null, null, 2, null, 3]", "z", 5, {FREE, FREE, 2, FREE, 3},
     "slice([m]), gibbs([z])", -10, 12, false}};
enum { NMODELS = sizeof models / sizeof *models };

/* ---- the oracle */

typedef struct exact {
  double mean[MOST];  /* in the order of the unclamped model's cells */
  const char *name[4]; /* of its sites */
  size_t cells[4], nsites;
  double log_z, least;
} exact;

/* The values of an element: truth values, spins, or 1 to 3. */
static size_t states_of(const program_site *s) { return s->site->type.elem == IR_BOOL || s->spin ? 2 : 3; }

static int64_t state_of(const program_site *s, size_t k) { return s->site->type.elem == IR_BOOL ? (int64_t)k : s->spin ? 2 * (int64_t)k - 1 : 1 + (int64_t)k; }

static double cell_value(const program_site *s, exec_cell c) { return eval_cell_real(s, c); }

static exact enumerate(const clamp_model *m, const double *value) {
  char text[2000];
  exact x = {.least = INFINITY};
  snprintf(text, sizeof text, "%sinfer %s on %s with gibbs\n", m->text, m->name, m->data);
  fixture f = open_statement(text, 0, NULL);
  const program *p = &f.t->p;
  eval_worker w;
  exec_cell frame[MOST] = {{0}};
  size_t states = 1;
  double total = 0;
  assert_true(p->cells <= MOST && p->nsites <= 4 && eval_worker_init(&w, &f.t->model, 0, &f.t->vm->alloc));
  for (size_t s = 0; s < p->nsites; s++)
    for (size_t e = 0; e < p->site[s].batch && p->site[s].discrete; e++) states *= states_of(&p->site[s]);
  const int grid = m->hi > m->lo ? GRID : 1;
  for (size_t k = 0; k < states; k++) {
    size_t rest = k, real = 0;
    bool agrees = true;
    for (size_t s = 0; s < p->nsites; s++)
      for (size_t e = 0; e < p->site[s].batch; e++) {
        exec_cell *c = &frame[p->site[s].at + e];
        if (!p->site[s].discrete) {
          real = p->site[s].at + e;
          continue;
        }
        c->integer = state_of(&p->site[s], rest % states_of(&p->site[s]));
        rest /= states_of(&p->site[s]);
        if (strcmp(p->site[s].name, m->site) == 0 && !isnan(value[e])) agrees &= cell_value(&p->site[s], *c) == value[e];
      }
    for (int g = 0; g < grid && agrees; g++) {
      double part[3];
      if (grid > 1) frame[real].real = m->lo + (g + 0.5) * (m->hi - m->lo) / GRID;
      assert_true(eval_density(&w, frame, part));
      const double lp = part[0] + part[1] + part[2], weight = exp(lp);
      if (-lp < x.least) x.least = -lp;
      total += weight;
      for (size_t s = 0; s < p->nsites; s++)
        for (size_t e = 0; e < p->site[s].cells; e++) x.mean[p->site[s].at + e] += weight * cell_value(&p->site[s], frame[p->site[s].at + e]);
    }
  }
  for (size_t c = 0; c < p->cells; c++) x.mean[c] /= total;
  x.log_z = log(total * (grid > 1 ? (m->hi - m->lo) / GRID : 1.0));
  x.nsites = p->nsites;
  static char names[4][16]; /* the program's own names go with it */
  for (size_t s = 0; s < p->nsites; s++) {
    snprintf(names[s], sizeof names[s], "%s", p->site[s].name);
    x.name[s] = names[s];
    x.cells[s] = p->site[s].cells;
  }
  eval_worker_free(&w);
  close_fixture(&f);
  return x;
}

/* ---- runs */

static fixture open_run(const clamp_model *m, const char *verb, const char *with, const exec_engine *engine) {
  char text[2000];
  snprintf(text, sizeof text, "%s%s %s on %s given %s with %s as a\n", m->text, verb, m->name, m->data, m->given, with);
  return open_statement(text, 0, engine);
}

static bool whole(const clamp_model *m) {
  for (size_t e = 0; e < m->n; e++)
    if (isnan(m->value[e])) return false;
  return true;
}

/* The largest |z| of the means of what moves; what is given has its value in every draw. */
static double worst(const clamp_model *m, const char *with, const exact *x, const exec_engine *engine) {
  fixture f = open_run(m, "infer", with, engine);
  double mean[MOST];
  size_t found = 0, at = 0;
  assert_int_equal(aim_run(f.t, NULL), AIM_OK);
  for (size_t q = 0; q < aim_quantity_count(f.t); q++) {
    aim_quantity of;
    assert_int_equal(aim_quantity_get(f.t, q, &of), AIM_OK);
    size_t first = 0, s = 0;
    while (s < x->nsites && strcmp(x->name[s], of.name) != 0) first += x->cells[s++];
    assert_true(s < x->nsites && of.cells == x->cells[s]);
    found++;
    for (size_t e = 0; e < of.cells; e++) {
      const bool is_given = strcmp(of.name, m->site) == 0 && !isnan(m->value[e]);
      mean[at++] = is_given ? NAN : x->mean[first + e];
      for (size_t d = 0; is_given && d < aim_draw_count(f.t, 0); d++) assert_true(aim_draws(f.t, 0, q, e)[d] == m->value[e]);
    }
  }
  assert_int_equal(found, x->nsites - whole(m));
  double most = farthest_mean(f.t, mean, at);
  aim_evidence evidence;
  if (aim_evidence_get(f.t, &evidence) == AIM_OK) {
    const double z = 0.7 * fabs(evidence.log_evidence - x->log_z) / evidence.standard_error; /* 7 errors are 4.9 */
    if (!(z <= most)) most = z;
  }
  close_fixture(&f);
  return most;
}

static void test_agreement(void **state) {
  (void)state;
  static const char *const all[] = {"gibbs(draws = 4000)", "gibbs(order = random, draws = 4000)", "gibbs(order = coloured, draws = 4000)", "slice(draws = 4000)", "mh(draws = 6000)",
                                    "tempering(beta = linear(0.2 -> 1, rungs = 4), draws = 4000)"};
  for (size_t k = 0; k < NMODELS; k++) {
    const clamp_model *m = &models[k];
    const exact x = enumerate(m, m->value);
    char cycle[200];
    snprintf(cycle, sizeof cycle, "cycle(%s), draws = 4000", m->parts);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
      const double z = worst(m, all[i], &x, NULL);
      if (!(z < 4.9)) fail_msg("%s by %s: z = %g", m->name, all[i], z);
    }
    double z = worst(m, cycle, &x, NULL);
    if (!(z < 4.9)) fail_msg("%s by %s: z = %g", m->name, cycle, z);
    if (strncmp(m->parts, "nuts", 4) == 0 && !((z = worst(m, "nuts(draws = 4000)", &x, NULL)) < 4.9)) fail_msg("%s by nuts: z = %g", m->name, z);
    if (!m->energy) continue;
    if (!((z = worst(m, "population(particles = 2000, chains = 16)", &x, NULL)) < 4.9)) fail_msg("%s by population: z = %g", m->name, z);
    if (!((z = worst(m, "ais(particles = 4000)", &x, NULL)) < 4.9)) fail_msg("%s by ais: z = %g", m->name, z);
    if (!((z = worst(m, "tempering(beta = linear(0 -> 1, rungs = 4), chains = 16) using metropolis", &x, NULL)) < 4.9)) fail_msg("%s by tempering: z = %g", m->name, z);
  }
}

/* The best states of all replicas agree with what is given, and the best of them is the lowest that does. */
static void test_anneal(void **state) {
  (void)state;
  for (size_t k = 0; k < NMODELS && models[k].energy; k++) {
    const clamp_model *m = &models[k];
    const exact x = enumerate(m, m->value);
    fixture f = open_run(m, "anneal", "geometric(beta = 0.1 -> 6, sweeps = 100) using metropolis(replicas = 16)", NULL);
    assert_int_equal(aim_run(f.t, NULL), AIM_OK);
    aim_annealing a;
    assert_int_equal(aim_annealing_get(f.t, &a), AIM_OK);
    assert_true(fabs(a.best_energy - x.least) < 1e-9);
    for (size_t q = 0; q < aim_quantity_count(f.t); q++) {
      aim_quantity of;
      assert_int_equal(aim_quantity_get(f.t, q, &of), AIM_OK);
      for (size_t e = 0; e < of.cells && strcmp(of.name, m->site) == 0; e++)
        for (size_t d = 0; d < aim_draw_count(f.t, 0); d++) assert_true(isnan(m->value[e]) || aim_draws(f.t, 0, q, e)[d] == m->value[e]);
    }
    close_fixture(&f);
  }
}

static void flatter(const exec_arg *in, double *value) {
  (void)in;
  *value *= 0.6;
}

static void test_twins(void **state) {
  (void)state;
  for (size_t k = 0; k < NMODELS; k++) {
    const clamp_model *m = &models[k];
    double other[9];
    memcpy(other, m->value, sizeof other);
    for (size_t e = 0; e < m->n; e++)
      if (!isnan(other[e])) {
        other[e] = other[e] == 1 ? k == 2 ? -1 : k < 2 ? 0 : 2 : 1;
        break;
      }
    const exact x = enumerate(m, other);
    if (worst(m, "gibbs(draws = 4000)", &x, NULL) < 4.9) fail_msg("another value given in %s was not caught", m->name);
  }
  static const struct {
    size_t model;
    const char *name;
  } twin[] = {{0, "local.h"}, {1, "local.v_free"}, {2, "local.s_free"}, {3, "local.s_free"}, {4, "weights.k_free"}, {5, "local.z_free"}};
  for (size_t k = 0; k < sizeof twin / sizeof *twin; k++) {
    const exact x = enumerate(&models[twin[k].model], models[twin[k].model].value);
    exec_engine e = false_engine(twin[k].name, flatter);
    if (worst(&models[twin[k].model], "gibbs(draws = 4000)", &x, &e) < 4.9) fail_msg("a false %s was not caught", twin[k].name);
    assert_int_not_equal(target, -1);
  }
}

typedef struct reals {
  const char *text, *cycle;
  size_t cells;
  double mean[5], sd[5]; /* 0: given */
} reals;

static const reals normal_models[] = {
    /* A hierarchy: theta_j given mu has mean (mu + y_j) / 2, so that 4 mu = theta_1 + theta_4 + (y_2 + y_3) / 2 at the mean of mu, whose precision is 4. */
    {"model m(y: real[J]) {\n  mu ~ Normal(0, 1)\n  theta: real[J] ~ Normal(mu, 1)\n  y ~ Normal(theta, 1)\n}\n"
     "infer m on y = [0.5, 1.5, -0.3, 2] given theta = [1.0, null, null, 2.0] with ",
     "cycle(nuts([mu]), gibbs([theta])), draws = 4000", 5, {0.9, 1, 1.2, 0.3, 2}, {0.5, 0, 0.75, 0.75, 0}},
    /* Vectors.  A walk between 0 and 1: h_2 has mean 1/3 and precision 3/2 before three observations of mean 8/15; h_3 given h_2 has mean 1/2 + h_2 / 2 and variance 1/2. */
    {"model m(y: real[N]) {\n  h: real[4] ~ RandomWalk(0, 1)\n  y ~ Normal(h[2], 1)\n}\ninfer m on y = [0.5, 0.2, 0.9] given h = [0, null, null, 1] with ",
     "cycle(nuts([h])), draws = 4000", 4, {0, 7.0 / 15, 11.0 / 15, 1}, {0, 0.47140452079103168, 0.74535599249992990, 0}},
    /* b_2 has mean 1/2 and variance 3/4 given b_1, and b_3 has covariance 1/2 with it, mean 0 and variance 1. */
    {"model m(y: real[N]) {\n  b: real[3] ~ MultiNormal([0.0, 0.0, 0.0], [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])\n  y ~ Normal(b[2], 1)\n}\n"
     "infer m on y = [0.5, 0.2, 0.9] given b = [1, null, null] with ",
     "cycle(slice([b])), draws = 4000", 3, {1, 6.8 / 13, 0.2 / 13}, {0, 0.48038446141526137, 0.87705801930702916}}};

/* Models of normals, whose posterior is normal. */
static void test_reals(void **state) {
  (void)state;
  static const char *const methods[] = {"nuts(draws = 4000)", "gibbs(draws = 4000)", "slice(draws = 4000)", NULL};
  for (size_t k = 0; k < sizeof methods / sizeof *methods * (sizeof normal_models / sizeof *normal_models); k++) {
    const reals *m = &normal_models[k / 4];
    const char *method = methods[k % 4] ? methods[k % 4] : m->cycle;
    char text[1000];
    snprintf(text, sizeof text, "%s%s\n", m->text, method);
    fixture f = open_statement(text, 0, NULL);
    assert_int_equal(aim_run(f.t, NULL), AIM_OK);
    size_t at = 0;
    for (size_t q = 0; q < aim_quantity_count(f.t); q++) {
      aim_quantity of;
      assert_int_equal(aim_quantity_get(f.t, q, &of), AIM_OK);
      for (size_t e = 0; e < of.cells; e++, at++) {
        aim_summary s;
        assert_true(at < m->cells);
        assert_int_equal(aim_summarise(f.t, q, e, &s), AIM_OK);
        if (m->sd[at] == 0) assert_true(s.mean == m->mean[at]);
        else if (!(fabs(s.mean - m->mean[at]) < 4.9 * s.mcse && fabs(s.sd - m->sd[at]) < 0.05)) fail_msg("%s%s: cell %zu has mean %g, not %g; sd %g, not %g", m->text, method, at, s.mean, m->mean[at], s.sd, m->sd[at]);
      }
    }
    assert_int_equal(at, m->cells);
    close_fixture(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_agreement), cmocka_unit_test(test_anneal), cmocka_unit_test(test_twins), cmocka_unit_test(test_reals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
