/* test_vm_cycle.c: the same posterior by every way to it: small models with finite unknowns and one number, by nuts with the finite ones summed out and
 * drawn back, by gibbs in order and by colours, and by cycles, each against the sum over all states of the integral over the number.
 *
 * Means of all unknowns, the recovered states of chains among them (exact smoothing), and of what models track are within 4.9 MCSE of the exact ones: a false alarm once in a million for
 * each of some 300 figures.  Twins: a density that is too flat in one of the methods must be caught.
 *
 * The integral is a midpoint sum of 4000 points over an interval that leaves out less than 1e-9, with an error below 1e-6. */
#include "tests/unit/kept_text.h"
#include "tests/unit/known_means.h"
#include "tests/unit/statement.h"

typedef struct small_model {
  const char *text;  /* of the model */
  const char *data;
  const char *real, *finite; /* names of what is continuous, and of what is not */
  double lo, hi;     /* of the continuous unknown */
} small_model;

static const small_model models[] = {
    {"model mixture(x: real[N]) {\n  mu ~ Normal(0, 2)\n  plate i in 1..N {\n    k[i] ~ Categorical([0.3, 0.5, 0.2])\n    x[i] ~ Normal(mu * (k[i] - 1), 0.8)\n  }\n"
     "  track one = mean(k == 1)\n  track both = k[1] * mu\n}\n",
     "x = [0.2, 1.4, 1.1, 3.2, -0.3]", "mu", "k", -20, 20},
    {"model chain(y: real[T], P: simplex(3)[3]) {\n  m ~ Normal(1, 1)\n  z[1] ~ Categorical([0.5, 0.3, 0.2])\n  for t in 2..T { z[t] ~ Categorical(P[z[t - 1]]) }\n"
     "  plate t in 1..T { y[t] ~ Normal(m * z[t], 1) }\n  track stays = sum(z[t] == z[t + 1] for t in 1..T - 1)\n}\n",
     "y = [1.2, 2.9, 0.3, 2.2, 3.1], P = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]", "m", "z", -10, 12},
    {"model change(y: int[T]) {\n  tau: index(T) ~ Flat()\n  r ~ Gamma(2, 1)\n  plate t in 1..T { y[t] ~ Poisson(if t <= tau { 3.0 } else { r }) }\n  track late = tau > 4\n}\n",
     "y = [4, 2, 3, 5, 1, 0, 1, 2]", "r", "tau", 0, 40},
    {"model select(y: real[N], X: real[N, 2]) {\n  g ~ Bernoulli(0.4)\n  h ~ Bernoulli(0.4)\n  b ~ Normal(0, 2)\n"
     "  plate i in 1..N { y[i] ~ Normal(b * (g * X[i, 1] + h * X[i, 2]), 1.5) }\n  track gh = g * h\n}\n",
     "y = [0.9, -0.4, 1.8, 0.1], X = [[1, 0.3], [-0.5, 0.2], [1.4, 1], [0.3, -0.8]]", "b", "g, h", -24, 24},
    {"model groups(x: real[N], g: index(G)[N]) {\n  p ~ Beta(2, 3)\n  z: bool[G] ~ Bernoulli(p)\n  plate i in 1..N { x[i] ~ Normal(if z[g[i]] { 1.5 } else { 0.0 }, 1) }\n}\n",
     "x = [0.3, 1.9, 1.1, -0.2, 0.8, 2.2], g = [1, 2, 3, 1, 3, 2]", "p", "z", 0, 1}};
enum { NMODELS = sizeof models / sizeof *models, METHODS_TRIED = 5, GRID = 4000, MOST = 64 };

static const char *const methods[METHODS_TRIED] = {"nuts(draws = 4000)", "gibbs(draws = 8000)", "gibbs(draws = 8000, order = coloured)", "cycle(nuts([%s]), gibbs([%s])), draws = 8000",
                                                   "cycle(gibbs([%s], order = random), slice([%s])), draws = 8000"};

static void statement(char *out, size_t size, const small_model *m, int method) {
  char with[200];
  const bool turned = method == 4;
  snprintf(with, sizeof with, methods[method], turned ? m->finite : m->real, turned ? m->real : m->finite);
  const char *name = strchr(m->text, ' ') + 1;
  snprintf(out, size, "%sinfer %.*s on %s with %s as a\n", m->text, (int)(strchr(name, '(') - name), name, m->data, with);
}

/* Means of all unknowns and of what is tracked, in the order of the quantities; returns their number. */
static size_t exact_means(const small_model *m, double *mean) {
  char text[2000];
  statement(text, sizeof text, m, 1);
  fixture f = open_statement(text, 0, NULL);
  aim_task *t = f.t;
  const program *p = &t->p;
  eval_worker w;
  exec_cell frame[MOST] = {{0}};
  double total = 0, unit = 0;
  size_t cells = p->cells + t->model.output_cells, states = 1, n[MOST] = {0};
  assert_true(cells <= MOST && eval_worker_init(&w, &t->model, 0, &t->vm->alloc));
  memset(mean, 0, cells * sizeof *mean);
  for (size_t s = 0; s < p->nsites; s++)
    for (size_t e = 0; e < p->site[s].batch && p->site[s].discrete; e++) states *= n[p->site[s].at + e] = p->site[s].states;
  for (size_t k = 0; k < states; k++)
    for (int g = 0; g < GRID; g++) {
      double part[3];
      size_t rest = k;
      for (size_t s = 0; s < p->nsites; s++)
        for (size_t e = 0; e < p->site[s].batch; e++) {
          exec_cell *c = &frame[p->site[s].at + e];
          if (p->site[s].discrete) {
            c->integer = p->site[s].first_state + (int64_t)(rest % p->site[s].states) * p->site[s].state_step;
            rest /= p->site[s].states;
          } else {
            c->real = m->lo + (g + 0.5) * (m->hi - m->lo) / GRID;
          }
        }
      assert_true(eval_density(&w, frame, part));
      if (k == 0 && g == GRID / 2) unit = part[0] + part[1] + part[2];
      const double weight = exp(part[0] + part[1] + part[2] + 8.0);
      if (weight == 0) continue;
      if (p->noutputs) assert_true(eval_outputs(&w, frame, 1));
      total += weight;
      size_t q = 0;
      for (size_t s = 0; s < p->nsites; s++)
        for (size_t e = 0; e < p->site[s].cells; e++) mean[q++] += weight * eval_cell_real(&p->site[s], frame[p->site[s].at + e]);
      size_t at = 0;
      for (size_t o = 0; o < p->noutputs; o++)
        for (size_t e = 0; e < p->output[o].cells; e++, at++) mean[q++] += weight * (p->output[o].elem == IR_REAL ? w.outputs[at].real : (double)w.outputs[at].integer);
    }
  assert_true(isfinite(unit) && total > 0 && isfinite(total));
  for (size_t q = 0; q < cells; q++) mean[q] /= total;
  eval_worker_free(&w);
  close_fixture(&f);
  return cells;
}

/* The largest |z| of a run. */
static double worst(const small_model *m, int method, const double *mean, size_t cells, const exec_engine *engine) {
  char text[2000];
  statement(text, sizeof text, m, method);
  fixture f = open_statement(text, 0, engine);
  assert_int_equal(aim_run(f.t, NULL), AIM_OK);
  const double most = farthest_mean(f.t, mean, cells);
  close_fixture(&f);
  return most;
}

static void test_agreement(void **state) {
  (void)state;
  for (size_t k = 0; k < NMODELS; k++) {
    double mean[MOST];
    const size_t cells = exact_means(&models[k], mean);
    for (int method = 0; method < METHODS_TRIED; method++) {
      const double z = worst(&models[k], method, mean, cells, NULL);
      if (!(z < 4.9)) fail_msg("method %d: z = %g\n%s", method, z, models[k].text);
    }
  }
}

static void flatter(const exec_arg *in, double *value) {
  (void)in;
  *value *= 0.6;
}

/* The values of the gradient say no to other points than its density would; and weights favour a state. */
static void test_twins(void **state) {
  (void)state;
  static const struct {
    size_t model;
    int method;
    const char *name;
  } twin[] = {{0, 3, "grad"}, {1, 1, "weights.z"}, {1, 2, "weights.z"}, {3, 1, "weights.g"}, {4, 3, "weights.z"}, {0, 1, "natural.mu"}};
  for (size_t k = 0; k < sizeof twin / sizeof *twin; k++) {
    double mean[MOST];
    const size_t cells = exact_means(&models[twin[k].model], mean);
    exec_engine e = false_engine(twin[k].name, flatter);
    if (worst(&models[twin[k].model], twin[k].method, mean, cells, &e) < 4.9) fail_msg("a false %s was not caught in model %zu", twin[k].name, twin[k].model);
    assert_int_not_equal(target, -1);
  }
}

/* Draws do not depend on threads. */
static void test_threads(void **state) {
  (void)state;
  for (int method = 2; method < METHODS_TRIED; method++) {
    char text[2000];
    statement(text, sizeof text, &models[1], method);
    fixture f[2];
    for (int k = 0; k < 2; k++) {
      f[k] = open_statement(text, 0, NULL);
      assert_int_equal(aim_set_int(f[k].t, "threads", 1 + 2 * k), AIM_OK);
      assert_int_equal(aim_set_int(f[k].t, "draws", 50), AIM_OK);
      assert_int_equal(aim_run(f[k].t, NULL), AIM_OK);
    }
    for (int c = 0; c < aim_chain_count(f[0].t); c++)
      for (size_t q = 0; q < aim_quantity_count(f[0].t); q++) assert_memory_equal(aim_draws(f[0].t, c, q, 0), aim_draws(f[1].t, c, q, 0), 50 * sizeof(double));
    close_fixture(&f[0]);
    close_fixture(&f[1]);
  }
}

/* The gradient does not ask where a finite unknown was declared. */
static void test_places(void **state) {
  (void)state;
  static const char *const text[] = {
      "model m(x: real[N]) {\n  k: bool[N] ~ Bernoulli(0.4)\n  a ~ Normal(0, 1)\n  b ~ Gamma(3, 1)\n  c: real[2] ~ Normal(0, 2)\n  x ~ Normal(a + b * k + c[1], 1)\n}\n"
      "infer m on x = [1, 2, 3] with nuts\n",
      "model m(x: real[N]) {\n  a ~ Normal(0, 1)\n  b ~ Gamma(3, 1)\n  c: real[2] ~ Normal(0, 2)\n  k: bool[N] ~ Bernoulli(0.4)\n  x ~ Normal(a + b * k + c[1], 1)\n}\n"
      "infer m on x = [1, 2, 3] with nuts\n"};
  static const double q[4] = {0.3, -0.4, 1.2, 0.7};
  double lp[2], grad[2][4];
  for (int k = 0; k < 2; k++) {
    fixture f = open_statement(text[k], 0, NULL);
    eval_worker w;
    assert_int_equal(f.t->p.dim, 4);
    assert_true(eval_worker_init(&w, &f.t->model, 0, &f.t->vm->alloc));
    assert_true(eval_grad(&w, 1, 1, q, &lp[k], grad[k]));
    eval_worker_free(&w);
    close_fixture(&f);
  }
  assert_true(fabs(lp[0] - lp[1]) <= 1e-12 * fabs(lp[0]));
  for (int i = 0; i < 4; i++) assert_true(fabs(grad[0][i] - grad[1][i]) <= 1e-12 * (1 + fabs(grad[0][i])));
}

/* Several parts of nuts, each given the others.
 *
 * Labels, a mean and a precision: labels are summed out by hand and the other two integrated on a grid.  A hierarchy of normals, mu ~ N(0, 1), theta_j ~ N(mu, 1), y_j ~ N(theta_j, 1): theta_j given mu
 * has mean (mu + y_j) / 2 and variance 1/2; marginally y_j ~ N(mu, 2), so mu has precision 1 + J / 2 and mean sum(y) / 2 over that. */
#define PARTS_LABELS "model labels(x: real[N]) {\n  mu ~ Normal(0, 2)\n  tau ~ Gamma(2, 1)\n  plate i in 1..N { k[i] ~ Bernoulli(0.4); x[i] ~ Normal(mu * k[i], 1 / sqrt(tau)) }\n}\n" \
  "infer labels on x = [0.3, 2.1, 1.8, -0.4, 2.5] with cycle(%s), draws = 8000\n"
#define PARTS_NORMALS "model normals(y: real[J]) {\n  mu ~ Normal(0, 1)\n  theta: real[J] ~ Normal(mu, 1)\n  y ~ Normal(theta, 1)\n  track mm = mu^2, tt = theta^2\n}\n" \
  "infer normals on y = [0.5, 1.5, -0.3] with cycle(%s), draws = 8000\n"

static void exact_labels(double mean[7]) {
  static const double x[5] = {0.3, 2.1, 1.8, -0.4, 2.5};
  double total = 0;
  memset(mean, 0, 7 * sizeof *mean);
  for (int a = 0; a < 1200; a++)
    for (int b = 0; b < 1200; b++) {
      const double mu = -10 + 20 * (a + 0.5) / 1200, tau = 30 * (b + 0.5) / 1200;
      double w = exp(-mu * mu / 8 - tau) * tau, on[5];
      for (int i = 0; i < 5; i++) {
        const double one = 0.4 * exp(-0.5 * tau * (x[i] - mu) * (x[i] - mu)), none = 0.6 * exp(-0.5 * tau * x[i] * x[i]);
        w *= sqrt(tau) * (one + none);
        on[i] = one / (one + none);
      }
      total += w;
      mean[0] += w * mu;
      mean[1] += w * tau;
      for (int i = 0; i < 5; i++) mean[2 + i] += w * on[i];
    }
  for (int i = 0; i < 7; i++) mean[i] /= total;
}

static void exact_normals(double mean[8]) {
  static const double y[3] = {0.5, 1.5, -0.3};
  mean[0] = 0.5 * (y[0] + y[1] + y[2]) / 2.5;
  for (int j = 0; j < 3; j++) mean[1 + j] = (mean[0] + y[j]) / 2;
  for (int k = 0; k < 4; k++) mean[4 + k] = mean[k] * mean[k] + (k ? 0.5 + 0.25 / 2.5 : 1 / 2.5);
}

static double worst_of_parts(const char *text, const char *parts, const double *mean, size_t cells, const exec_engine *engine) {
  char whole[1000];
  snprintf(whole, sizeof whole, text, parts);
  fixture f = open_statement(whole, 0, engine);
  assert_int_equal(aim_run(f.t, NULL), AIM_OK);
  const double most = farthest_mean(f.t, mean, cells);
  close_fixture(&f);
  return most;
}

static void tilted(const exec_arg *in, double *value) { *value += in[0].p->real; }

static void test_several(void **state) {
  (void)state;
  static const struct {
    const char *text, *parts;
  } all[] = {{PARTS_LABELS, "nuts([mu]), nuts([tau]), gibbs([k])"},
             {PARTS_LABELS, "gibbs([k], order = random), nuts([tau], metric = diagonal), nuts([mu])"},
             {PARTS_LABELS, "nuts([tau]), slice([mu]), gibbs([k])"},
             {PARTS_NORMALS, "nuts([mu]), nuts([theta])"},
             {PARTS_NORMALS, "nuts([mu, theta], noncentred = [theta])"},
             {PARTS_NORMALS, "nuts([theta]), gibbs([mu])"}};
  double labels[7], normals[8];
  exact_labels(labels);
  exact_normals(normals);
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
    const double z = worst_of_parts(all[k].text, all[k].parts, k < 3 ? labels : normals, k < 3 ? 7 : 8, NULL);
    if (!(z < 4.9)) fail_msg("cycle(%s): z = %g", all[k].parts, z);
  }
  static const struct {
    int of;
    const char *name;
    void (*falsify)(const exec_arg *in, double *value);
  } twin[] = {{0, "grad", flatter}, {0, "grad.2", flatter}, {3, "grad.2", flatter}, {4, "grad", tilted}};
  for (size_t k = 0; k < sizeof twin / sizeof *twin; k++) {
    exec_engine e = false_engine(twin[k].name, twin[k].falsify);
    const double z = worst_of_parts(all[twin[k].of].text, all[twin[k].of].parts, twin[k].of < 3 ? labels : normals, twin[k].of < 3 ? 7 : 8, &e);
    if (z < 4.9) fail_msg("a false %s was not caught in cycle(%s)", twin[k].name, all[twin[k].of].parts);
    assert_int_not_equal(target, -1);
  }
}

/* A coordinate whose map reads what another part moves would change its meaning. */
static void test_refused(void **state) {
  (void)state;
  static const char *const wrong[][2] = {
      {"model m(y: real) { a ~ Uniform(0, 1); b: real<lower = 0, upper = 1 - a> ~ Flat(); y ~ Normal(a + b, 0.3) }\ninfer m on y = 0.5 with cycle(nuts([b]), gibbs([a]))\n", "E0848"},
      {"model m(y: real[J]) { mu ~ Normal(0, 1); t: real[J] ~ Normal(mu, 1); y ~ Normal(t, 1) }\ninfer m on y = [1, 2] with cycle(nuts([t], noncentred = [t]), nuts([mu]))\n", "E0832"}};
  for (size_t k = 0; k < 2; k++) {
    text said = {0};
    fixture f = open_task(wrong[k][0], (opening){0});
    assert_int_equal(aim_bind(f.t), AIM_E_PROGRAM);
    aim_task_messages(f.t, 0, keep, &said);
    assert_non_null(strstr(said.s, wrong[k][1]));
    close_fixture(&f);
  }
  fixture f = open_statement("model m(y: real) { a ~ Uniform(0, 1); b: real<lower = 0, upper = 1 - a> ~ Flat(); y ~ Normal(a + b, 0.3) }\ninfer m on y = 0.5 with cycle(nuts([a]), gibbs([b]))\n", 0, NULL);
  close_fixture(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_agreement), cmocka_unit_test(test_twins), cmocka_unit_test(test_threads), cmocka_unit_test(test_places), cmocka_unit_test(test_several),
                                     cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
