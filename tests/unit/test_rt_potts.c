/* test_rt_potts.c: the kernels of sites with q values against exact kernel matrices and moments, and the codings and levels against each other.
 *
 * Statistical tests have fixed seeds and a false-alarm probability of about 1e-6. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_potts.h"
#include "tests/unit/random_stream.h"

static void *room(size_t bytes)
{
  void *p = aligned_alloc(RT_SPIN_ALIGN, (bytes + RT_SPIN_ALIGN) / RT_SPIN_ALIGN * RT_SPIN_ALIGN);
  assert_non_null(p);
  memset(p, 0xA5, bytes);
  return p;
}

/* A ring of n sites with chords; Gaussian weights, or all 0.7. */
static rt_potts_problem graph(size_t n, size_t q, int random, int fields)
{
  uint32_t *row = room((n + 1) * sizeof *row), *column = room(n * n * sizeof *column), e = 0;
  double *weight = room(n * n * sizeof *weight), *w = calloc(n * n, sizeof *w), *H = fields ? room(n * q * sizeof *H) : NULL;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++)
      if (i - j == 1 || i - j == n - 1 || uniform() < 0.3) w[i * n + j] = w[j * n + i] = random ? normal() : 0.7;
  for (size_t i = 0; i < n; i++) {
    row[i] = e;
    for (size_t j = 0; j < n; j++)
      if (w[i * n + j] != 0) {
        weight[e] = w[i * n + j];
        column[e++] = (uint32_t)j;
      }
    for (size_t c = 0; H && c < q; c++) H[i * q + c] = normal();
  }
  row[n] = e;
  free(w);
  return (rt_potts_problem){{.form = RT_SPIN_SPARSE, .n = n, .row = row, .column = column, .weight = random ? weight : (free(weight), NULL), .coupling = 0.7}, q, H};
}

static rt_potts_problem lattice(size_t width, size_t height, size_t q, int wrap)
{
  return (rt_potts_problem){
      {.form = RT_SPIN_LATTICE, .n = width * height, .width = width, .height = height, .wrap_x = wrap, .wrap_y = wrap, .coupling = 1}, q, NULL};
}

static void drop(rt_potts_problem *p)
{
  const void *parts[] = {p->graph.row, p->graph.column, p->graph.weight, p->H};
  for (size_t k = 0; k < 4; k++) free((void *)parts[k]);
}

typedef struct tried {
  rt_potts_model model;
  rt_potts_run run;
  const rt_potts_kernels *k;
  void *memory[2];
} tried;

static void start(tried *t, const rt_potts_problem *p, const rt_spin_plan *plan, const uint16_t *s, int level, rt_spin_precision precision)
{
  t->k = rt_potts_kernels_for(level);
  size_t bytes = rt_potts_model_size(&t->model, p, precision);
  assert_true(bytes > 0);
  rt_potts_model_make(&t->model, t->memory[0] = room(bytes));
  bytes = rt_potts_run_size(&t->model, plan);
  assert_true(bytes > 0);
  rt_potts_run_init(&t->run, &t->model, plan, t->memory[1] = room(bytes));
  t->k->load(&t->run, s);
}

static void end(tried *t)
{
  free(t->memory[0]);
  free(t->memory[1]);
}

/* ---- exact kernels */

enum { MOST = 1024 };

/* The states with colours of all sites, and P of them. */
static size_t states_of(const rt_potts_problem *p)
{
  size_t count = 1;
  for (size_t i = 0; i < p->graph.n; i++) count *= p->q;
  return count;
}
static void unpack(const rt_potts_problem *p, size_t x, uint16_t *s)
{
  for (size_t i = 0; i < p->graph.n; i++, x /= p->q) s[i] = (uint16_t)(x % p->q);
}
static size_t pack(const rt_potts_problem *p, const uint16_t *s)
{
  size_t x = 0;
  for (size_t i = p->graph.n; i-- > 0;) x = x * p->q + s[i];
  return x;
}

/* q' = q K for one visit to a site; K by energies alone. */
static void visit_exact(const rt_potts_problem *p, size_t site, rt_spin_rule rule, double beta, double floor, const double *E, double *q)
{
  static double out[MOST];
  double pull[16], to[16];
  size_t count = states_of(p), step = 1;
  assert_true(p->q <= 16);
  for (size_t i = 0; i < site; i++) step *= p->q;
  memset(out, 0, count * sizeof *out);
  for (size_t x = 0; x < count; x++) {
    size_t old = x / step % p->q, first = x - old * step;
    for (size_t c = 0; c < p->q; c++) pull[c] = -beta * E[first + c * step];
    rt_potts_visit(rule, p->q, pull, old, floor, to);
    for (size_t c = 0; c < p->q; c++) out[first + c * step] += q[x] * to[c];
  }
  memcpy(q, out, count * sizeof *out);
}

static double chi_z(double chi, double df) { return (cbrt(chi / df) - (1 - 2 / (9 * df))) / sqrt(2 / (9 * df)); }

static double two_sweeps(const rt_potts_problem *p, rt_spin_plan plan, rt_spin_precision precision, rt_spin_rule expected, double beta, const uint16_t *from, double *invariance)
{
  static double q[MOST], E[MOST], seen[MOST], pi[MOST];
  size_t n = p->graph.n, count = states_of(p);
  uint16_t s[16];
  double betas[2] = {beta, beta}, floors[2] = {0.45, 0.45}, z = 0, cells = 0, chi = 0, rest = 0, rest_seen = 0;
  assert_true(count <= MOST);
  for (size_t x = 0; x < count; x++) {
    unpack(p, x, s);
    E[x] = rt_potts_energy(p, s);
    z += pi[x] = exp(-beta * E[x]);
    seen[x] = 0;
  }
  for (size_t x = 0; x < count; x++) pi[x] /= z;
  memcpy(q, pi, sizeof q);
  for (size_t i = 0; i < n; i++) visit_exact(p, i, expected, beta, 0.45, E, q);
  *invariance = 0;
  for (size_t x = 0; x < count; x++) *invariance += 0.5 * fabs(q[x] - pi[x]);

  memset(q, 0, sizeof q);
  q[pack(p, from)] = 1;
  for (int k = 0; k < 2; k++)
    for (size_t i = 0; i < n; i++) visit_exact(p, i, expected, beta, 0.45, E, q);
  tried t;
  uint16_t *all = room(plan.replicas * n * sizeof *all);
  for (size_t r = 0; r < plan.replicas; r++) memcpy(all + r * n, from, n * sizeof *from);
  start(&t, p, &plan, all, 0, precision);
  t.k->sweep(&t.run, &(rt_spin_schedule){.sweeps = 2, .beta = betas, .by_sweep = 1, .floor = floors});
  for (size_t r = 0; r < plan.replicas; r++) {
    t.k->store(&t.run, r, 0, s);
    assert_true(fabs(t.run.energy[r] - rt_potts_energy(p, s)) < 1e-9);
    seen[pack(p, s)]++;
  }
  for (size_t x = 0; x < count; x++) {
    double e = q[x] * (double)plan.replicas;
    if (e < 5) {
      rest += e;
      rest_seen += seen[x];
    } else {
      chi += (seen[x] - e) * (seen[x] - e) / e;
      cells++;
    }
  }
  if (rest >= 1) {
    chi += (rest_seen - rest) * (rest_seen - rest) / rest;
    cells++;
  }
  free(all);
  end(&t);
  return chi_z(chi, cells - 1);
}

static void test_transitions(void **unused)
{
  (void)unused;
  rt_potts_problem p[] = {graph(5, 3, 1, 1), graph(4, 5, 0, 0), lattice(2, 2, 4, 1), graph(5, 2, 1, 0), graph(3, 9, 0, 1)};
  for (size_t k = 0; k < 5; k++) {
    uint16_t from[16];
    for (size_t i = 0; i < p[k].graph.n; i++) from[i] = (uint16_t)(next() % p[k].q);
    for (int coding = RT_SPIN_SCALAR; coding <= RT_SPIN_IN_LANES; coding++)
      for (int rule = 0; rule < 2 * RT_SPIN_RULES; rule++) {
        const rt_spin_precision precision = rule < RT_SPIN_RULES ? RT_SPIN_F64 : RT_SPIN_F32;
        rt_spin_plan plan = {.rule = (rt_spin_rule)(rule % RT_SPIN_RULES), .coding = (rt_spin_coding)coding, .key = 50 + k, .replicas = 20000};
        double moved, z = two_sweeps(&p[k], plan, precision, plan.rule, 0.8, from, &moved);
        if (!(z < 4.75)) fail_msg("problem %zu, coding %d, rule %d: z = %g", k, coding, rule, z);
        if (!(plan.rule == RT_SPIN_FLOORED ? moved > 1e-4 : moved < 1e-12)) fail_msg("problem %zu, rule %d: a sweep moves P by %g", k, rule, moved);
        /* Another rule is seen. */
        z = two_sweeps(&p[k], plan, precision, (rt_spin_rule)((rule + 1) % RT_SPIN_RULES), 1.5, from, &moved);
        if (!(z > 10)) fail_msg("problem %zu, coding %d: rule %d goes unseen, z = %g", k, coding, rule, z);
      }
  }
  for (size_t k = 0; k < 5; k++) drop(&p[k]);
}

/* Couplings whose sums f32 cannot tell apart: 2^25 and 2^25 + 1/2.  In f64 the kernels are those of the energies; in f32 they are not, and that is seen. */
static void test_wide(void **unused)
{
  (void)unused;
  const uint32_t row[] = {0, 4, 6, 8, 10, 12}, column[] = {1, 2, 3, 4, 0, 2, 0, 1, 0, 4, 0, 3};
  const double weight[] = {0x1p25, 0.5, 0x1p25, 1, 0x1p25, 0.7, 0.5, 0.7, 0x1p25, 0.2, 1, 0.2};
  const rt_potts_problem p = {{.form = RT_SPIN_SPARSE, .n = 5, .row = row, .column = column, .weight = weight}, 3, NULL};
  const uint16_t from[5] = {0, 1, 1, 2, 2};
  for (int coding = RT_SPIN_SCALAR; coding <= RT_SPIN_IN_LANES; coding++)
    for (int rule = 0; rule < RT_SPIN_FLOORED; rule++) {
      rt_spin_plan plan = {.rule = (rt_spin_rule)rule, .coding = (rt_spin_coding)coding, .key = 9, .replicas = 20000};
      double moved, z = two_sweeps(&p, plan, RT_SPIN_F64, plan.rule, 1.5, from, &moved);
      if (!(z < 4.75)) fail_msg("coding %d, rule %d: z = %g", coding, rule, z);
      z = two_sweeps(&p, plan, RT_SPIN_MIXED, plan.rule, 1.5, from, &moved);
      if (!(z > 10)) fail_msg("coding %d, rule %d: f32 goes unseen, z = %g", coding, rule, z);
    }
}

/* Codings, levels, orders and calls give the same states, clamped sites stay, energies are those of the states. */
static void test_same(void **unused)
{
  (void)unused;
  for (int form = 0; form < 6; form++) { /* 4 and 5: as 0 and 3, in f32 */
    rt_potts_problem p = form % 4 == 0 ? graph(40, 5, 1, 1) : form == 1 ? lattice(15, 15, 5, 1) : form == 2 ? lattice(12, 10, 3, 0) : graph(20, 1000, 0, 1);
    size_t n = p.graph.n, count = n - n / 4;
    uint32_t *list = room(n * sizeof *list);
    for (size_t i = 0; i < n; i++) list[i] = (uint32_t)((i * 7 + 2) % n);
    for (int order = 0; order < 3; order++)
      for (int rule = 0; rule < RT_SPIN_RULES; rule++) {
        uint16_t *first = NULL, *best = NULL;
        double energy[4 * 19], energy0[4 * 19];
        for (int level = 2; level <= rt_isa_best(); level++)
          for (int coding = RT_SPIN_SCALAR; coding <= RT_SPIN_IN_LANES; coding++) {
            rt_spin_plan plan = {.rule = (rt_spin_rule)rule, .order = (rt_spin_order)order, .coding = (rt_spin_coding)coding, .key = 8, .replicas = 19,
                                 .first_replica = 3, .sites = order == 2 ? list : NULL, .site_count = count, .proposals = 50, .keep_best = 1};
            double beta[4] = {0.3, 1, 2, 0.7}, floor[4] = {0.01, 0.02, 0.03, 0.04};
            tried t;
            start(&t, &p, &plan, NULL, level, form < 4 ? RT_SPIN_F64 : RT_SPIN_F32);
            uint16_t *s = room(19 * n * sizeof *s), *b = room(19 * n * sizeof *b), *was = room(n * sizeof *was);
            t.k->store(&t.run, 4, 0, was);
            t.k->sweep(&t.run, &(rt_spin_schedule){.sweeps = (size_t)level - 1, .beta = beta, .by_sweep = 1, .floor = floor, .energy = energy});
            t.k->sweep(&t.run, &(rt_spin_schedule){.sweeps = 5 - (size_t)level, .beta = beta + level - 1, .by_sweep = 1, .floor = floor + level - 1,
                                                   .energy = energy + (level - 1) * 19});
            for (size_t r = 0; r < 19; r++) {
              t.k->store(&t.run, r, 0, s + r * n);
              t.k->store(&t.run, r, 1, b + r * n);
              assert_true(fabs(energy[3 * 19 + r] - rt_potts_energy(&p, s + r * n)) < 1e-9);
              assert_true(fabs(t.run.best_energy[r] - rt_potts_energy(&p, b + r * n)) < 1e-9);
              for (int k = 0; k < 4; k++) assert_true(t.run.best_energy[r] <= energy[k * 19 + (int)r]);
              for (size_t i = 0; i < n; i++) assert_true(s[r * n + i] < p.q);
            }
            for (size_t k = count; order == 2 && k < n; k++) assert_int_equal(s[4 * n + list[k]], was[list[k]]);
            if (first) {
              assert_memory_equal(s, first, 19 * n * sizeof *s);
              assert_memory_equal(b, best, 19 * n * sizeof *b);
              assert_memory_equal(energy, energy0, sizeof energy);
              free(s);
              free(b);
            } else {
              first = s;
              best = b;
              memcpy(energy0, energy, sizeof energy);
            }
            free(was);
            end(&t);
          }
        free(first);
        free(best);
      }
    free(list);
    drop(&p);
  }
}

/* The 4 x 4 torus with three colours (transfer matrix): mean energy after a warm-up, over independent replicas. */
static void test_moments(void **unused)
{
  (void)unused;
  static const struct { double beta, E, var; } exact[] = {
      {1.00505253874238, -27.3609964080768, 23.9474972202}, {0.833333333333333, -22.1823569121621, 32.3979526139}};
  for (size_t k = 0; k < 2; k++)
    for (int rule = 0; rule < RT_SPIN_FLOORED; rule++) {
      enum { R = 4096, WARM = 200 };
      rt_potts_problem p = lattice(4, 4, 3, 1);
      rt_spin_plan plan = {.rule = (rt_spin_rule)rule, .coding = RT_SPIN_IN_LANES, .key = 21 + k, .replicas = R};
      tried t;
      start(&t, &p, &plan, NULL, 0, RT_SPIN_F64);
      t.k->sweep(&t.run, &(rt_spin_schedule){.sweeps = WARM, .beta = &exact[k].beta});
      double sum = 0;
      for (size_t r = 0; r < R; r++) sum += t.run.energy[r];
      double z = (sum / R - exact[k].E) / sqrt(exact[k].var / R);
      if (!(fabs(z) < 4.9)) fail_msg("beta %g, rule %d: E = %g, z = %g", exact[k].beta, rule, sum / R, z);
      end(&t);
    }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_transitions),
      cmocka_unit_test(test_same),
      cmocka_unit_test(test_wide),
      cmocka_unit_test(test_moments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
