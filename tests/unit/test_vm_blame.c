/* test_vm_blame.c: data that leave a model without a density are told with line and element: when they are bound, where what is made of them alone is not a number, else when a
 * run finds no point to begin at; and data of which a part is not a number that nothing reads are no fault. */
#include "tests/unit/kept_text.h"
#include "tests/unit/task_fixture.h"

typedef struct blame_case {
  const char *text;
  bool bound;          /* told by aim_bind */
  const char *says[3]; /* NULL: nothing is wrong */
} blame_case;

#define LINE "model m(x: real[N], n: real[N], y: real[N]) {\n  a ~ Normal(0, 1)\n"
#define ON(x, n) "}\ninfer m on x = " x ", n = " n ", y = [1, 2, 3] with nuts(chains = 1, warmup = 50, draws = 50)\n"

static const blame_case cases[] = {
    {LINE "  let lx = log(x) + n\n  y ~ Normal(a * lx, 1)\n" ON("[1, -2, 3]", "[0, 0, 0]"), true, {"E0788", "m.aim:3:12", "element [2]"}},
    {LINE "  let lx = [if n[i] > 0 { 0.0 } else { log(x[i]) } for i in 1..N]\n  plate i in 1..N { y[i] ~ Normal(a * lx[i], 1) }\n" ON("[1, -2, 3]", "[0, 1, 0]"), false, {NULL}},
    {LINE "  let lx = log(x) + n\n  plate i in 1..N if x[i] > 0 { y[i] ~ Normal(a * lx[i], 1) }\n" ON("[1, -2, 3]", "[0, 0, 0]"), false, {NULL}},
    {LINE "  let lx = log(x) + n\n  y ~ Normal(a * lx, 1)\n" ON("[1, 0, 3]", "[0, 0, 0]"), false, {"E0911", "4 |   y ~ Normal", "`y[2]` is impossible at each of 16 draws"}},
    {LINE "  plate i in 1..N { y[i] ~ Normal(a * x[i] / n[i], 1) }\n" ON("[1, 2, 3]", "[1, 1, 0]"), false, {"E0911", "`y` is observed here", "`y[3]` is impossible at each of 16 draws"}},
    {LINE "  plate i in 1..N { y[i] ~ Normal(a * x[i] / n[i], 1) }\n" ON("[1, 0, 0]", "[1, 0, 0]"), false, {"E0911", "m.aim:3:21", "`y[2]` is of a density that is NaN at each of 16 draws from the prior, as is 1 other"}},
    {"model m(x: real[N], y: real[N]) {\n  a ~ Normal(0, 1)\n  y ~ MultiNormal(rep(a, N), gp_exp_quad(distances(x, x), 1.0, 2.0))\n}\ninfer m on x = [1, 3, 3], y = [1, 2, 2] with nuts(chains = 1, warmup = 50, draws = 50)\n", true,
     {"E0788", "m.aim:3:3", "the matrix is singular: row 3 is a combination of those before it"}},
    {"model m(x: real[N], y: real[N], z: real[N]) {\n  a ~ Normal(0, 1)\n  if a > 100 { y ~ MultiNormal(rep(a, N), gp_exp_quad(distances(x, x), 1.0, 2.0)) } else { y ~ Normal(a, 1) }\n}\ninfer m on x = [1, 3, 3], y = [1, 2, 2], z = [1, 2, 2] with nuts(chains = 1, warmup = 50, draws = 50)\n", false, {NULL}},
    {"model m(y: real[2]) {\n  s ~ HalfNormal(1)\n  y ~ MultiNormal([0.0, 0.0], [[s^2, 2 * s^2], [2 * s^2, s^2]])\n}\ninfer m on y = [1, 2] with nuts(chains = 1, warmup = 50, draws = 50)\n", false,
     {"E0911", "m.aim:3:3", "without a Cholesky factor: the matrix is not positive definite: row 2 is at fault, given those before it"}},
    {"model m(q: real[N], y: real[N]) {\n  y[1] ~ Normal(0, 1)\n  y[2..N] ~ Normal(0.5 * y[1..N - 1], q[2..N] - 3)\n}\ninfer m on q = [1, 2, 9], y = [1, null, null] with prior(draws = 10)\n", false, {"E0911", "m.aim:3:3", "invalid parameter"}},
};

static void data_to_blame_are_named(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const blame_case *x = &cases[k];
    fixture f = open_task(x->text, (opening){0});
    text t = {0};
    aim_status bound = aim_bind(f.t), st = bound == AIM_OK ? aim_run(f.t, NULL) : bound;
    aim_task_messages(f.t, 0, keep, &t);
    bool right = (bound != AIM_OK) == x->bound && (st == AIM_E_PROGRAM) == (x->says[0] != NULL);
    for (int i = 0; i < 3 && x->says[i]; i++) right = right && strstr(t.s, x->says[i]);
    if (!right) fail_msg("%s: bound %d, %s:\n%s", x->text, bound, aim_status_text(st), t.s);
    close_fixture(&f);
  }
}

/* Each allocation failing, once and from then on: the model beside the task's own, which tells who is to blame, is given back. */
static void memory_that_runs_out(void **state) {
  (void)state;
  for (size_t k = 0; k < 5; k += 4)
    for (int persistent = 0; persistent < 2; persistent++) {
      bool failed = true;
      for (size_t at = 1; failed; at++) {
        host h = {.persistent = persistent};
        fixture f = open_task(cases[k].text, (opening){.memory = &h});
        h.fail_at = h.calls + at;
        aim_status st = aim_bind(f.t);
        if (st == AIM_OK) st = aim_run(f.t, NULL);
        failed = h.calls >= h.fail_at;
        h.fail_at = 0;
        assert_true(st == AIM_E_MEMORY || st == AIM_E_PROGRAM);
        close_fixture(&f);
        assert_int_equal(h.bytes, 0);
      }
    }
}

/* Unknowns with flat priors that only a sum of them tells, and such as are told, if barely. */
static void posteriors_without_an_end_are_told(void **state) {
  (void)state;
  static const struct { const char *model, *says; } cases[] = {
      {"a: real ~ Flat()\n b: real ~ Flat()\n y ~ Normal(a + b, 1)", "move together, a by 1, b by -1."},
      {"a: real ~ Flat()\n b: real[2] ~ Flat()\n s ~ HalfNormal(1)\n y ~ Normal(a + b[g], s)", "move together, a by 1, b[1] by -1, b[2] by -1."},
      {"a: real ~ Flat()\n b: real ~ Flat()\n plate i in 1..N { h[i] ~ Bernoulli(logit = 2 * a - 3 * b)\n y[i] ~ Normal(h[i], 1) }", "a by 1, b by 0.667."},
      {"a: real ~ Flat()\n b ~ Normal(0, 1)\n y ~ Normal(b, 1)", "nothing depends on a, whose prior is flat."},
      {"a: real ~ Flat()\n b ~ Normal(0, 1000)\n y ~ Normal(a + b, 1)", NULL},
      {"a: real ~ Flat()\n b: real ~ Flat()\n y ~ Normal(a + b * (1 + 1e-6 * x), 1)", NULL},
      {"a: real ~ Flat()\n u ~ Normal(0, 1)\n y ~ Normal(a * u, 1)", NULL},
      {"a: real ~ Flat()\n b: real ~ Flat()\n y ~ Normal(a + b^3, 1)\n x ~ Normal(a, 1)", NULL},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    char source[1000];
    snprintf(source, sizeof source, "model m(x: real[N], g: index(2)[N], y: real[N]) {\n %s\n}\ninfer m on x = [1, 2, 3, 4], g = [1, 2, 1, 2], y = [1, 2, 2, 3] with nuts(chains = 1, warmup = 50, draws = 50)\n", cases[k].model);
    fixture f = open_task(source, (opening){0});
    text t = {0};
    expect_ok(&f, aim_run(f.t, NULL));
    expect_ok(&f, aim_advice_write(f.t, NULL, keep, &t));
    const char *told = strstr(t.s, "is improper");
    if (cases[k].says ? !strstr(t.s, cases[k].says) : told != NULL) fail_msg("%s:\n%s", cases[k].model, t.s);
    close_fixture(&f);
  }
}

/* A prediction that looks outside an array ends the run of every method, which names the place: a Poisson(20) is beyond 3 at almost every draw. */
static void predictions_out_of_range_are_placed(void **state) {
  (void)state;
  static const char *const statements[] = {
      "infer m on tab = [1, 2, 3] with nuts(warmup = 10, draws = 20)", "infer m on tab = [1, 2, 3] with mh(warmup = 10, draws = 20)",
      "infer m on tab = [1, 2, 3] with cycle(nuts([a]), gibbs([b]), warmup = 10, draws = 20)", "infer m on tab = [1, 2, 3] with tempering(beta = linear(0.1 -> 1, rungs = 3), warmup = 10, draws = 20)",
      "infer m on tab = [1, 2, 3] with prior(draws = 20)", "infer m on tab = [1, 2, 3] with importance(particles = 50, draws = 20)",
      "infer m on tab = [1, 2, 3] with laplace(draws = 20)", "infer m on tab = [1, 2, 3] with pathfinder(draws = 20)",
      "anneal s on tab = [1, 2, 3] with linear(beta = 0.1 -> 1, sweeps = 5) using gibbs(replicas = 20)",
      "infer s on tab = [1, 2, 3] with population(beta = linear(0.1 -> 1, sweeps = 5), particles = 20)"};
  for (size_t k = 0; k < sizeof statements / sizeof *statements; k++) {
    char source[1000];
    const char *const predict = "  predict { k ~ Poisson(20)\n z ~ Normal(tab[k + 1], 1) }\n}\n";
    snprintf(source, sizeof source, "model m(tab: real[3]) {\n  a ~ Normal(0, 1)\n  b ~ Normal(a, 1)\n%smodel s(tab: real[3]) {\n  x: spin[4] ~ Flat()\n  energy -sum(x[i] * x[i + 1] for i in 1..3)\n%s%s\n", predict, predict, statements[k]);
    fixture f = open_task(source, (opening){0});
    text t = {0};
    const aim_status st = aim_run(f.t, NULL);
    aim_task_messages(f.t, 0, keep, &t);
    if (st != AIM_E_PROGRAM || !strstr(t.s, "is outside 1..3") || !strstr(t.s, strstr(statements[k], " s ") ? "m.aim:11:" : "m.aim:5:")) fail_msg("%s: %s\n%s", statements[k], aim_status_text(st), t.s);
    close_fixture(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(data_to_blame_are_named), cmocka_unit_test(memory_that_runs_out), cmocka_unit_test(posteriors_without_an_end_are_told), cmocka_unit_test(predictions_out_of_range_are_placed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
