/* test_rt_spin_bits.c: the kernels of spins that are bits: planes, hubs, groups of sites that commute, and words of 64 replicas, which have a plain kernel here that
 * draws what rt_spin.h defines.  Statistical tests as in test_rt_spin.c. */
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
#include "stdlib/runtime/rt_philox.h"
#include "stdlib/runtime/rt_spin.h"
#include "tests/unit/spin_problems.h"

/* Spins of a plane: a colour's spins flip independently, given the other colour, with probabilities by their K. */
static void test_plane(void **unused)
{
  (void)unused;
  enum { W = 256, H = 64, N = W * H };
  for (int kind = 0; kind < 4; kind++)
    for (int rule = 0; rule < RT_SPIN_RULES; rule++) {
      rt_spin_problem p = lattice(W, H, kind != 2, kind != 3, kind > 0, kind == 1 ? -0.5 : 0.75);
      if (kind == 3)
        for (size_t i = 0; i < N; i++)
          if (next() % 5 == 0) ((int8_t *)p.right)[i] = 0;
      rt_spin_plan plan = {.rule = (rt_spin_rule)rule, .order = RT_SPIN_COLOURED, .coding = RT_SPIN_PLANE, .key = 11, .replicas = 3, .keep_best = 1};
      tried t = set_up(&p, RT_SPIN_F32, 0);
      assert_int_equal(rt_spin_choose(&t.model, &plan, 1), RT_SPIN_PLANE);
      start(&t, &plan, NULL);
      double beta[8] = {0.2, 0.3, 0.4, 0.5, 0.45, 0.4, 0.3, 0.2}, floor[8] = {0.05, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, least = INFINITY;
      double tried_[9] = {0}, flipped[9] = {0}, expected[9] = {0}, variance[9] = {0}, pairs = 0, pairs_expected = 0, pairs_variance = 0;
      int8_t *was = room(N), *is = room(N);
      for (int sweep = 0; sweep < 8; sweep++) {
        t.k->store(&t.run, 1, 0, was);
        t.k->sweep(&t.run, &(rt_spin_schedule){.sweeps = 1, .beta = beta + sweep, .floor = floor + sweep});
        t.k->store(&t.run, 1, 0, is);
        least = fmin(least, t.run.energy[1]);
        assert_true(fabs(t.run.energy[1] - rt_spin_energy(&p, 0, is)) < 1e-6);
        double before[2] = {0, 0}; /* flip less its probability, of the spin before in the row, by colour */
        double spread[2] = {0, 0};
        for (size_t i = 0; i < N; i++) {
          size_t x = i % W, y = i / W, colour = (x + y) % 2;
          const int8_t *other = colour ? is : was; /* the first colour sees the others as they were */
          int K = 0;
          for (int side = 0; side < 4; side++) {
            size_t xx = side == 0 ? (x + 1) % W : side == 1 ? (x + W - 1) % W : x, yy = side == 2 ? (y + 1) % H : side == 3 ? (y + H - 1) % H : y;
            int open = (side == 0 && x + 1 == W && !p.wrap_x) || (side == 1 && x == 0 && !p.wrap_x) || (side == 2 && y + 1 == H && !p.wrap_y) ||
                       (side == 3 && y == 0 && !p.wrap_y);
            size_t owner = side == 0 || side == 2 ? i : yy * W + xx;
            int bond = !p.right ? 1 : side < 2 ? p.right[owner] : p.down[owner];
            if (!open) K += bond * (p.coupling < 0 ? -1 : 1) * was[i] * other[yy * W + xx];
          }
          double a = rt_spin_acceptance(plan.rule, 2 * beta[sweep] * fabs(p.coupling) * K, floor[sweep]), d = (was[i] != is[i]) - a;
          tried_[K + 4]++;
          flipped[K + 4] += was[i] != is[i];
          expected[K + 4] += a;
          variance[K + 4] += a * (1 - a);
          pairs += d * before[colour];
          pairs_variance += a * (1 - a) * spread[colour];
          before[colour] = d;
          spread[colour] = a * (1 - a);
        }
      }
      for (int k = 0; k < 9; k++)
        if (!(fabs(flipped[k] - expected[k]) <= 4.9 * sqrt(variance[k] + 1e-9)))
          fail_msg("kind %d, rule %d, K = %d: %g of %g flipped, not %g", kind, rule, k - 4, flipped[k], tried_[k], expected[k]);
      assert_true(fabs(pairs - pairs_expected) <= 4.9 * sqrt(pairs_variance));
      assert_true(kind < 2 || tried_[3] + tried_[5] > 100);
      t.k->store(&t.run, 1, 1, is);
      assert_true(t.run.best_energy[1] <= least && fabs(rt_spin_energy(&p, 0, is) - t.run.best_energy[1]) < 1e-6);
      free(was);
      free(is);
      end(&t);
      drop(&p);
    }
}

/* Spins as bits have the same bits at every level, and whatever calls their sweeps are divided over; so have the best states. */
static void test_bits_levels(void **unused)
{
  (void)unused;
  for (int form = 0; form < 4; form++) {
    rt_spin_problem p = form == 0 ? sparse(150, 0.15, 1, 0) : form == 1 ? sparse(90, 0.5, 2, 0) : form == 2 ? lattice(128, 32, 1, 0, 1, 1) : units(150, 0.25);
    rt_spin_plan plan = {.order = form == 1 ? RT_SPIN_RANDOM : RT_SPIN_COLOURED, .key = 3, .replicas = form == 2 ? 2 : 700, .keep_best = 1,
                         .coding = form == 2 ? RT_SPIN_PLANE : form == 3 ? RT_SPIN_IN_WORDS : RT_SPIN_IN_BITS};
    double beta[6] = {0.1, 0.2, 0.4, 0.6, 0.8, 0.4}, *energy[2] = {room(6 * 700 * sizeof(double)), room(6 * 700 * sizeof(double))};
    int8_t *first = NULL, *best = NULL;
    for (int level = 2; level <= rt_isa_best(); level++) {
      tried t = set_up(&p, RT_SPIN_F32, level);
      plan.groups = t.groups.count ? &t.groups : NULL;
      start(&t, &plan, NULL);
      double *e = energy[level > 2];
      t.k->sweep(&t.run, &(rt_spin_schedule){.sweeps = (size_t)level, .beta = beta, .by_sweep = 1, .energy = e});
      t.k->sweep(&t.run, &(rt_spin_schedule){.sweeps = 6 - (size_t)level, .beta = beta + level, .by_sweep = 1, .energy = e + (size_t)level * plan.replicas});
      int8_t *s = room(plan.replicas * p.n), *b = room(plan.replicas * p.n);
      for (size_t r = 0; r < plan.replicas; r++) {
        t.k->store(&t.run, r, 0, s + r * p.n);
        t.k->store(&t.run, r, 1, b + r * p.n);
        double least = INFINITY;
        for (size_t k = 0; k < 6; k++) least = fmin(least, e[k * plan.replicas + r]);
        assert_true(e[5 * plan.replicas + r] == rt_spin_energy(&p, 0, s + r * p.n) && t.run.energy[r] == e[5 * plan.replicas + r]);
        assert_true(t.run.best_energy[r] <= least && t.run.best_energy[r] == rt_spin_energy(&p, 0, b + r * p.n));
      }
      if (first) {
        assert_memory_equal(s, first, plan.replicas * p.n);
        assert_memory_equal(b, best, plan.replicas * p.n);
        assert_memory_equal(energy[0], energy[1], 6 * plan.replicas * sizeof(double));
        free(s);
        free(b);
      } else {
        first = s;
        best = b;
      }
      end(&t);
    }
    free(first);
    free(best);
    free(energy[0]);
    free(energy[1]);
    drop(&p);
  }
}

/* A hub of 350 or 900 bonds, as bits: how often it flips where its bonds nearly cancel; bonds of weight 1, or one of 2. */
static void test_hub(void **unused)
{
  (void)unused;
  enum { R = 4096 };
  for (size_t leaves = 350; leaves <= 900; leaves += 550)
    for (int heavy = 0; heavy < 2; heavy++) {
      size_t n = leaves + 1;
      uint32_t *row = room((n + 1) * sizeof *row), *column = room(2 * leaves * sizeof *column), hub = 0;
      double *weight = room(2 * leaves * sizeof *weight);
      for (size_t k = 0; k < leaves; k++) {
        column[k] = (uint32_t)k + 1;
        column[leaves + k] = hub;
        weight[k] = weight[leaves + k] = heavy && k == 0 ? 2 : 1;
        row[k + 1] = (uint32_t)(leaves + k);
      }
      row[0] = 0;
      row[n] = (uint32_t)(2 * leaves);
      rt_spin_problem p = {.form = RT_SPIN_SPARSE, .n = n, .row = row, .column = column, .weight = weight, .coupling = 1};
      int8_t *s = room(R * n), *got = room(n);
      for (int K = 0; K <= 6; K += 2) { /* the hub's field, less the one unit that a weight of 2 adds */
        double field = K + heavy, beta = 0.15;
        for (size_t r = 0; r < R; r++)
          for (size_t i = 0; i < n; i++) s[r * n + i] = i == 0 || i - 1 < (leaves + (size_t)K) / 2 ? 1 : -1;
        rt_spin_plan plan = {.coding = RT_SPIN_IN_BITS, .key = 21 + (uint64_t)K, .replicas = R, .sites = &hub, .site_count = 1};
        tried t = set_up(&p, RT_SPIN_F32, 0);
        start(&t, &plan, s);
        t.k->sweep(&t.run, &(rt_spin_schedule){.sweeps = 1, .beta = &beta});
        double flips = 0, a = rt_spin_acceptance(RT_SPIN_METROPOLIS, 2 * beta * field, 0), other = rt_spin_acceptance(RT_SPIN_METROPOLIS, 2 * beta * (field + 1), 0);
        for (size_t r = 0; r < R; r++) {
          flips += (double)t.run.flips[r];
          t.k->store(&t.run, r, 0, got);
          assert_true(t.run.energy[r] == rt_spin_energy(&p, 0, got) && (got[0] < 0) == (t.run.flips[r] == 1));
        }
        assert_true(fabs(flips - R * a) <= 4.9 * sqrt(R * a * (1 - a)) + 1e-9);
        assert_true(fabs(flips - R * other) > 4.9 * sqrt(R * other * (1 - other))); /* one unit beside would be seen */
        end(&t);
      }
      free(s), free(got), free(row), free(column), free(weight);
    }
}

/* ---- groups of sites that commute, and words of 64 replicas */

/* A list of all sites in an order of its own. */
static uint32_t *shuffled(size_t n)
{
  uint32_t *list = room(n * sizeof *list);
  for (size_t i = 0; i < n; i++) list[i] = (uint32_t)i;
  for (size_t i = n; i > 1; i--) {
    size_t j = (size_t)(next() % i);
    uint32_t x = list[i - 1];
    list[i - 1] = list[j];
    list[j] = x;
  }
  return list;
}

static double coupling_of(const rt_spin_problem *p, size_t i, size_t j)
{
  int8_t *s = room(p->n);
  memset(s, 1, p->n);
  double plus = energy_with(p, s, i, 1) - energy_with(p, s, i, -1);
  s[j] = -1;
  double minus = energy_with(p, s, i, 1) - energy_with(p, s, i, -1);
  free(s);
  return (minus - plus) / 4;
}

/* Every site is in one group; coupled sites are never in one, and go in the order of the list; and what a group counts is c + B. */
static void test_groups(void **unused)
{
  (void)unused;
  for (int kind = 0; kind < 5; kind++) {
    rt_spin_problem p = kind == 0 ? units(90, 0.1) : kind == 1 ? units(70, 0.6) : kind == 2 ? lattice(6, 9, 1, 1, 1, 1) : kind == 3 ? sparse(120, 0.05, 2, 0) : units(600, 0.01);
    size_t n = p.n;
    tried t = set_up(&p, RT_SPIN_F32, 0);
    uint32_t *list = kind == 3 ? NULL : shuffled(n), *rank = room(n * sizeof *rank);
    size_t *group = room(n * sizeof *group), seen = 0, at = 0;
    rt_spin_groups g;
    const size_t bytes = rt_spin_groups_size(&t.model, n);
    void *memory = room(bytes);
    assert_int_equal(rt_spin_groups_make(&g, &t.model, list, memory), kind != 1);
    for (size_t k = 0; k < n; k++) rank[list ? list[k] : k] = (uint32_t)k, group[k] = n;
    int8_t *s = room(n);
    for (size_t i = 0; i < n; i++) s[i] = next() & 1 ? 1 : -1;
    for (size_t k = 0; k < g.count; k++) {
      const rt_spin_group *x = &g.group[k];
      assert_int_equal(2 * x->pad + x->bonds + x->even, (1 << x->planes) - 1);
      for (int l = 0; l < 8; l++) {
        size_t i = x->at[l] / 2;
        assert_int_equal(x->lanes >> l & 1, i < n);
        if (i > n) continue;
        assert_true(group[i] == n);
        group[i] = k;
        seen++;
        int up = x->even && s[i] > 0;
        for (size_t e = 0; e < x->bonds; e++) {
          uint32_t b = g.bond[8 * (at + e) + (size_t)l];
          up += ((b / 2 < n ? s[b / 2] : 1) > 0) != (int)(b & 1);
        }
        int d = x->bonds + x->even, K = (s[i] > 0 ? 1 : -1) * (2 * up - d) - x->even;
        double rise = energy_with(&p, s, i, -s[i]) - rt_spin_energy(&p, 0, s);
        assert_true(fabs(rise - 2 * t.model.unit * K) < 1e-9);
      }
      at += x->bonds;
    }
    assert_true(seen == n);
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++)
        if (rank[i] < rank[j] && coupling_of(&p, i, j) != 0) assert_true(group[i] < group[j]);
    leave(memory, bytes);
    free(list), free(rank), free(group), free(s);
    end(&t);
    drop(&p);
  }
  /* A chain in its order has sites that wait for each other; by colours it has not. */
  rt_spin_problem chain = lattice(64, 1, 0, 0, 0, 1);
  tried t = set_up(&chain, RT_SPIN_F32, 0);
  uint32_t list[64];
  for (uint32_t k = 0; k < 64; k++) list[k] = k < 32 ? 2 * k : 2 * k - 63;
  void *memory = room(rt_spin_groups_size(&t.model, 64));
  rt_spin_groups g;
  assert_false(rt_spin_groups_make(&g, &t.model, NULL, memory));
  assert_true(rt_spin_groups_make(&g, &t.model, list, memory));
  assert_true(g.count <= 10 && rt_spin_groups_size(&t.model, 63) == 0);
  leave(memory, rt_spin_groups_size(&t.model, 64));
  end(&t);
  drop(&chain);
  /* Longer lists of which too few commute have no room for groups, and none are written beyond it. */
  rt_spin_problem long_chain = lattice(300, 1, 0, 0, 0, 1);
  t = set_up(&long_chain, RT_SPIN_F32, 0);
  assert_true(t.groups_bytes > 0 && t.groups.count == 300 / 4);
  assert_false(rt_spin_groups_make(&g, &t.model, NULL, t.groups_memory));
  end(&t);
  drop(&long_chain);
}

/* xoroshiro128+ */
static uint64_t draw(uint64_t q[2])
{
  uint64_t out = q[0] + q[1], b = q[1] ^ q[0];
  q[0] = (q[0] << 24 | q[0] >> 40) ^ b ^ b << 16;
  q[1] = b << 37 | b >> 27;
  return out;
}

/* The number of xoroshiro128** at the same state. */
static uint64_t number_beside(const uint64_t q[2])
{
  uint64_t x = 5 * q[0];
  return 9 * (x << 7 | x >> 57);
}

/* Digits of decisions that come out wrong. */
enum { NO_TWIN, TWIN_WORDS, TWIN_LAST, TWINS };

/* Words as rt_spin.h defines them, a spin at a time. */
static void plain_words(const rt_spin_problem *p, const rt_spin_plan *plan, const rt_spin_groups *g, double beta, double floor, uint64_t sweep, int twin, int8_t *s)
{
  size_t n = p->n;
  for (size_t b = 0; 64 * b < plan->replicas; b++) {
    uint64_t key = rt_key_fold(plan->key, ((uint64_t)1 << 63) + plan->first_replica / 64 + b), q[8][2];
    for (uint32_t l = 0; l < 8; l++) {
      rt_philox w = rt_philox4x32(key, l, RT_SPIN_SITE_STREAM, (uint32_t)sweep, (uint32_t)(sweep >> 32));
      q[l][0] = rt_philox_u64(w, 0);
      q[l][1] = rt_philox_u64(w, 1) | 1;
    }
    for (size_t k = 0; k < g->count; k++)
      for (size_t l = 0; l < 8; l++) {
        uint64_t first[RT_SPIN_BITS_SUMS], digit[RT_SPIN_BITS], after[2];
        size_t i = g->group[k].at[l] / 2;
        for (int j = 0; j < RT_SPIN_BITS_SUMS; j++) first[j] = q[l][0], digit[j] = draw(q[l]);
        memcpy(after, q[l], sizeof after);
        for (int j = RT_SPIN_BITS_SUMS; j < RT_SPIN_BITS_FIRST; j++) {
          digit[j] = first[RT_SPIN_BITS_SUMS - RT_SPIN_BITS_FIRST + j];
          if (twin == TWIN_WORDS) digit[j] = ~digit[j];
        }
        for (int j = RT_SPIN_BITS_FIRST; j < RT_SPIN_BITS; j++) {
          digit[j] = number_beside(after);
          if (twin == TWIN_LAST) digit[j] = ~digit[j];
          draw(after);
        }
        for (size_t r = 0; i < n && r < 64 && 64 * b + r < plan->replicas; r++) {
          int8_t *x = s + (64 * b + r) * n;
          double a = rt_spin_acceptance(plan->rule, beta * (energy_with(p, x, i, -x[i]) - rt_spin_energy(p, 0, x)), floor);
          uint32_t u = 0;
          for (int j = 0; j < RT_SPIN_BITS; j++) u = 2 * u + (uint32_t)(digit[j] >> r & 1);
          if (a >= 1 || u < (a >= 1.0 - 0x1p-33 ? UINT32_MAX : (uint32_t)(a * 0x1p32))) x[i] = (int8_t)-x[i];
        }
      }
  }
}

static void test_words(void **unused)
{
  (void)unused;
  enum { SWEEPS = 5, R = 100 };
  for (int level = 2; level <= rt_isa_best(); level++) {
    int told[TWINS] = {0}; /* runs that the wrong digits change: those of the words a some ten decisions of each hang on, on the last half of one */
    for (int kind = 0; kind < 4; kind++) {
      rt_spin_problem p = kind == 0 ? units(60, 0.1) : kind == 1 ? units(64, 0.7) : kind == 2 ? units(70, 0.4) : lattice(16, 8, 1, 0, 1, -0.5);
      size_t n = p.n;
      tried t = set_up(&p, RT_SPIN_F32, level);
      for (int rule = 0; rule < RT_SPIN_RULES; rule++) {
        rt_spin_plan plan = {.rule = (rt_spin_rule)rule, .coding = RT_SPIN_IN_WORDS, .key = 40 + (uint64_t)kind, .replicas = R, .first_replica = 64, .keep_best = 1, .groups = &t.groups};
        start(&t, &plan, NULL);
        int8_t *s = room(R * n), *wrong[TWINS] = {NULL, room(R * n), room(R * n)}, *got = room(n);
        for (size_t r = 0; r < R; r++) t.k->store(&t.run, r, 0, s + r * n);
        for (int twin = 1; twin < TWINS; twin++) memcpy(wrong[twin], s, R * n);
        double beta[SWEEPS] = {0, 0.2, 0.4, 0.7, 1.5}, floor[SWEEPS] = {0.3, 0.2, 0.1, 0.05, 0.01};
        t.k->sweep(&t.run, &(rt_spin_schedule){.sweeps = 2, .beta = beta, .by_sweep = 1, .floor = floor});
        t.k->sweep(&t.run, &(rt_spin_schedule){.sweeps = SWEEPS - 2, .beta = beta + 2, .by_sweep = 1, .floor = floor + 2});
        for (uint64_t q = 0; q < SWEEPS; q++) {
          plain_words(&p, &plan, &t.groups, beta[q], floor[q], q, NO_TWIN, s);
          for (int twin = 1; twin < TWINS && level == rt_isa_best(); twin++) plain_words(&p, &plan, &t.groups, beta[q], floor[q], q, twin, wrong[twin]);
        }
        for (size_t r = 0; r < R; r++) {
          t.k->store(&t.run, r, 0, got);
          assert_memory_equal(got, s + r * n, n);
          assert_true(t.run.energy[r] == rt_spin_energy(&p, 0, got));
        }
        for (int twin = 1; twin < TWINS; twin++) {
          told[twin] += memcmp(wrong[twin], s, R * n) != 0;
          free(wrong[twin]);
        }
        free(s), free(got);
        leave(t.run_memory, t.run_bytes);
        t.run_memory = NULL;
      }
      end(&t);
      drop(&p);
    }
    if (level == rt_isa_best()) assert_true(told[TWIN_WORDS] > 10 && told[TWIN_LAST] > 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plane), cmocka_unit_test(test_bits_levels), cmocka_unit_test(test_hub), cmocka_unit_test(test_groups), cmocka_unit_test(test_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
