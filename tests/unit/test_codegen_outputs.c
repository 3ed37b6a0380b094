/* test_codegen_outputs.c: whole runs under machine code, outputs included, against the interpreter at every instruction-set level: what is tracked and predicted,
 * with random draws and without, states that are recovered, results that are kept, and what depends on data alone. */
#include "codegen/tier.h"
#include "stdlib/runtime/rt_kernels.h"
#include "vm/interp.h"

#include "tests/unit/codegen_host.h"
#include "tests/unit/task_fixture.h"

#define CLAMPED "model m(seen: real[R, C], J: real = 0.8) {\n  s: spin[R, C] ~ Flat()\n" \
  "  energy -J * sum(s[i, j] * s[i + 1, j] for i in 1..R - 1, j in 1..C) - J * sum(s[i, j] * s[i, j + 1] for i in 1..R, j in 1..C - 1) - sum(seen[i, j] * s[i, j]^3 for i in 1..R, j in 1..C)\n" \
  "  track up = sum(s) / (R * C)\n}\n" \
  "infer m on seen = [[0.2, -0.1, 0.4], [1.1, 0.3, -0.6]] given s = [[1, null, null], [null, null, -1]] "

static const char *const programs[] = {
    /* draws of every kind, from a posterior */
    "model m(y: real[N], x: real[N]) {\n"
    "  a ~ Normal(0, 2);  b ~ Normal(0, 2);  s ~ HalfNormal(1)\n"
    "  plate i in 1..N { y[i] ~ Normal(a + b * x[i], s) }\n"
    "  track spread = [abs(y[i] - a - b * x[i]) / s for i in 1..N], mean_x = mean(x)\n"
    "  predict {\n"
    "    plate i in 1..N { r[i] ~ Normal(a + b * x[i], s) }\n"
    "    g ~ Gamma(2 + s, 1);  n ~ Poisson(exp(b));  k ~ Binomial(20, 0.3);  c ~ Categorical([0.2, 0.5, 0.3]);  w ~ Dirichlet([1.0, 2.0, 3.0])\n"
    "    track high = max(r), over = sum(if r[i] > y[i] { 1.0 } else { 0.0 } for i in 1..N)\n"
    "  }\n}\n"
    "infer m on y = [1.1, 1.9, 3.2, 3.9, 5.1], x = [1, 2, 3, 4, 5] with nuts(chains = 2, warmup = 100, draws = 60)\n",
    /* a mixture: labels are summed out, and recovered for the outputs */
    "model m(x: real[N], K: int) {\n"
    "  w ~ Dirichlet(rep(1.0, K));  mu: ordered(K) ~ Normal(0, 5)\n"
    "  plate i in 1..N { k[i] ~ Categorical(w);  x[i] ~ Normal(mu[k[i]], 1) }\n"
    "  track first = mean(k == 1)\n"
    "  predict { plate i in 1..N { again[i] ~ Normal(mu[k[i]], 1) } }\n}\n"
    "infer m on x = [-2.1, -1.8, 2.3, 1.9, 2.2, -2.4], K = 2 with nuts(chains = 2, warmup = 100, draws = 60)\n",
    /* the same, the labels drawn */
    "model m(x: real[N], K: int) {\n"
    "  w ~ Dirichlet(rep(1.0, K));  mu: real[K] ~ Normal(0, 5)\n"
    "  plate i in 1..N { k[i] ~ Categorical(w);  x[i] ~ Normal(mu[k[i]], 1) }\n"
    "  predict { z ~ Categorical(w);  y ~ Normal(mu[z], 1) }\n}\n"
    "infer m on x = [-2.1, -1.8, 2.3, 1.9, 2.2, -2.4], K = 2 with gibbs(chains = 2, warmup = 50, draws = 60)\n",
    /* functions whose results the interpreter keeps and machine code computes */
    "@memo fn cost(J: real[N, N], s: spin[N]): real = sum(J[i, j] * s[i] * s[j] for i in 1..N, j in 1..N)\n"
    "@memo(size = 2) fn slow(x: real): real = sum(sin(x * k) for k in 1..50)\n"
    "model m(J: real[P, N, N]) {\n"
    "  s: spin[N] ~ Flat();  x ~ Normal(0, 2)\n"
    "  energy -0.2 * cost(J[1], s) - 0.01 * slow(x)\n"
    "  track a = [cost(J[p], s) for p in 1..P], b = slow(floor([x, x + 1, 2 * x])), c = [slow(J[p, 1, 2]) for p in 1..P]\n}\n"
    "infer m on J = [[[0, 1, -1], [1, 0, 0.5], [-1, 0.5, 0]], [[0, 2, 0], [2, 0, -0.25], [0, -0.25, 0]]] with mh(chains = 2, warmup = 50, draws = 200)\n",
    /* emotions of many agents, on lanes; and a society that is annealed */
    "import ising\nmodel m(K: int, n: int) {\n  let J = fixture_coupling(n)\n  let h = fixture_field(n)\n  s: spin[K, n] ~ Flat()\n"
    "  track felt = [emotion(J, h, s[k]) for k in 1..K]\n}\n"
    "infer m on K = 37, n = 20 with prior(draws = 50)\n",
    "import ising\nmodel m(K: int, N: int, w: real[3]) {\n  let own = fixture_coupling(N)\n  let h = fixture_field(N)\n"
    "  let J = [[own[i, j] * (if (i + j) % (k + 1) == 0 { 0.6 } else { 1.0 }) for i in 1..N, j in 1..N] for k in 1..K]\n"
    "  let actual = [if k % 2 == 0 and i <= N // 4 { 1 } else { -1 } for k in 1..K, i in 1..N]\n"
    "  s: spin[K, N] ~ Flat()\n  energy sum(ising_energy(J[k], h, s[k]) for k in 1..K)\n"
    "  let e = [empathy(overlap(s[k], actual[k]), energy_error(ising_energy(J[k], h, s[k]), ising_energy(J[k], h, actual[k])), similarity(own, J[k]), w) for k in 1..K]\n"
    "  let a = attention(e)\n  track e, a, who = closest(e), mood = collective(a, [emotion(J[k], h, actual[k]) for k in 1..K])\n"
    "  predict { flips[k] ~ Bernoulli(flip_chance(e[k])) for k in 1..K }\n}\n"
    "anneal m on K = 5, N = 12, w = [0.4, 0.3, 0.3] with cooling(10) using metropolis(order = random, proposals = 50, replicas = 40)\n",
    /* rows of ragged arrays: kept, drawn and missing element by element, in parts, and carried by loops that replicate some of each */
    "model walk(y: real[N], s: real) { m ~ Normal(0, 1);  y[1] ~ Normal(m, s)\n  for t in 2..N { y[t] ~ Normal(m + 0.5 * y[t - 1], s) } }\n"
    "model m(w: real[d in 1..D, len[d]], x: real[d in 1..D, len[d]], v: real[d in 1..D, len[d]], c: bool[D]) {\n"
    "  s ~ HalfNormal(1);  b ~ Normal(0, 1);  mu: real[D] ~ Normal(0, 1)\n"
    "  plate d in 1..D {\n    z[d, 1..len[d]] ~ RandomWalk(mu[d], s)\n    let path = cumsum(x[d] * b);  let p = softmax(z[d])\n    w[d] ~ Normal(path + p + sd(w[d]), s)\n"
    "    if c[d] { plate n in 1..len[d] - 1 { v[d, n] ~ Normal(z[d, n], s) } }\n    factor -0.1 * dot(z[d], x[d])\n  }\n"
    "  plate d in 1..D { r[d] ~ walk(x[d], s + 1) }\n  track top = max(z), u = r.m\n  predict v\n  predict { plate d in 1..D, n in 1..len[d] { q[d, n] ~ Normal(z[d, n], s) } }\n}\n"
    "infer m on w = [1.5, 2, 3, 2, 3, 3.5, 1, 2], x = [0.3, null, 0.7, 0.1, 2.2, 0.4, 0.5, -0.6], v = [1, 2, 1.5, 0.2, 0.1, 0.9, 1.3, 2], c = [1, 0, 1], len = [3, 2, 3] with nuts(chains = 2, warmup = 100, draws = 60)\n",
    /* matrices of rows: draws of rows at once, factors, products */
    "model m(x: real[d in 1..D, len[d]], y: real[d in 1..D, len[d]], k: int[d in 1..D, len[d]], v: real[d in 1..D, len[d]]) {\n"
    "  s ~ HalfNormal(1);  rho ~ InvGamma(5, 5);  noise ~ HalfNormal(0.5);  mu: real[D] ~ Normal(0, 1)\n  plate d in 1..D, n in 1..len[d] { z[d, n] ~ Normal(0, 1) }\n"
    "  plate d in 1..D {\n    let K = gp_exp_quad(distances(x[d], x[d]), s, rho) + diag(rep(0.1 + noise^2, len[d]))\n    let f = mu[d] + cholesky(K) @ z[d]\n"
    "    y[d] ~ MultiNormal(rep(mu[d], len[d]), K)\n    v[d] ~ Normal(f, noise)\n    k[d] ~ Multinomial(sum(k[d]), softmax(f))\n  }\n"
    "  predict y\n  predict v\n  predict { plate d in 1..D { again[d] ~ MultiNormal(x[d] * s, diag(rep(noise + 1, len[d]))) } }\n}\n"
    "infer m on x = [0.3, -1, 0.7, 0.1, 2.2, 0.4], y = [1, 2, 3, 2, 3, 3.5], k = [3, 0, 2, 4, 1, 1], v = [0.2, 1, 0.5, 2, 3, 1.5], len = [3, 1, 2] with nuts(chains = 2, warmup = 100, draws = 60), init = random\n",
    /* sites that are given in part, alone and in a cycle with several parts of nuts */
    CLAMPED "with gibbs(chains = 2, warmup = 20, draws = 60)\n",
    CLAMPED "with tempering(beta = linear(0.2 -> 1, rungs = 3), chains = 2, warmup = 20, draws = 60) using metropolis(floor = 0.1, allow_biased = true)\n",
    "model m(x: real[N]) {\n  mu ~ Normal(0, 2);  tau ~ Gamma(2, 1)\n  plate i in 1..N { k[i] ~ Categorical([0.3, 0.5, 0.2]);  x[i] ~ Normal(mu * k[i], 1 / sqrt(tau)) }\n  track one = mean(k == 1) + mu * tau\n}\n"
    "infer m on x = [0.2, 1.4, 1.1, 3.2, -0.3] given k = [null, 3, null, null, 1] with cycle(nuts([mu]), gibbs([k]), nuts([tau])), chains = 2, warmup = 50, draws = 60\n",
    /* colours in the precision that they have by default, back to the best state on the way */
    "model m(N: int) {\n  s: index(3)[N] ~ Flat()\n  energy 0.7 * sum(if s[i] == s[if i == N { 1 } else { i + 1 }] { 1.0 } else { 0.0 } for i in 1..N)\n  track alike = sum(s[i] == s[i + 1] for i in 1..N - 1)\n}\n"
    "anneal m on N = 31 with linear(beta = 3 -> 0.2, sweeps = 40) then restart then hold(beta = 2, sweeps = 8) using gibbs(replicas = 70)\n",
};

static void compare(fixture *a, fixture *b, size_t p, int isa) {
  aim_quantity q;
  for (size_t k = 0; aim_quantity_get(a->t, k, &q) == AIM_OK; k++)
    for (size_t e = 0; e < q.cells; e++)
      for (int chain = 0; aim_draws(a->t, chain, k, e); chain++) {
        const double *x = aim_draws(a->t, chain, k, e), *y = aim_draws(b->t, chain, k, e);
        assert_non_null(y);
        const size_t n = a->t->run.store ? draws_count(a->t->run.store, chain) : 0;
        assert_true(n > 0 && draws_count(b->t->run.store, chain) == n);
        for (size_t r = 0; r < n; r++)
          if (memcmp(&x[r], &y[r], sizeof x[r]) != 0) fail_msg("program %zu at level %d: draw %zu of %s[%zu] is %.17g, and %.17g by machine code", p, isa, r, q.name, e, x[r], y[r]);
      }
}

static void test_same_bits(void **state) {
  (void)state;
  char objects[4200];
  jit_config jit = {.compiler = compiler, .cache = in_folder(objects, "objects"), .fallback = &interp_engine};
  const tier_config config = {.jit = &jit, .sure = &interp_engine, .wait = true}; /* and no patience: both objects are there from the first call */
  const exec_engine engine = tier_engine(&config);
  for (size_t p = 0; p < sizeof programs / sizeof *programs; p++) {
    fixture vm = open_task(programs[p], (opening){.engine = &interp_engine});
    expect_ok(&vm, aim_run(vm.t, NULL));
    for (int isa = 2; isa <= rt_isa_best() && isa <= 4; isa++) {
      fixture code = open_task(programs[p], (opening){.engine = &engine, .isa = isa});
      expect_ok(&code, aim_run(code.t, NULL));
      exec_account account;
      engine.account(code.t->model.loaded, &account);
      assert_int_equal(account.made + account.cached, 2);
      assert_int_equal(account.refused, 0);
      if (!(account.compiled > 10 * account.interpreted)) fail_msg("program %zu: %llu compiled, %llu interpreted", p, (unsigned long long)account.compiled, (unsigned long long)account.interpreted);
      compare(&vm, &code, p, isa);
      close_fixture(&code);
    }
    close_fixture(&vm);
  }
}

int main(void) {
  if (host_open()) return 1;
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
