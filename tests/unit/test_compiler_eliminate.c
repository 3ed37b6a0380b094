/* test_compiler_eliminate.c: orders of elimination against all orders, and against that of the text.
 *
 * The cost of an order is the number of entries of all tables that it meets.  For random graphs of up to 7 variables the order found is
 * the best of all n! ones; for those of up to 15 it is never dearer than the order of the text, and on 12 terms that share a variable at
 * least ten times cheaper. */
#include "compiler/eliminate.h"
#include "tests/unit/host.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct graph {
  uint32_t n, nscopes;
  step_set scope[64];
  double log_states[STEP_MAX_VARS];
} graph;

static double cost(const graph *g, const uint32_t *order) {
  step_set scope[128];
  uint32_t n = g->nscopes;
  double total = 0.0;
  memcpy(scope, g->scope, n * sizeof *scope);
  for (uint32_t k = 0; k < g->n; k++) {
    step_set joined = step_bit(order[k]);
    uint32_t left = 0;
    for (uint32_t i = 0; i < n; i++) {
      if (scope[i] & step_bit(order[k])) joined |= scope[i];
      else scope[left++] = scope[i];
    }
    double l = 0.0;
    for (uint32_t x = 0; x < STEP_MAX_VARS; x++)
      if (joined & step_bit(x)) l += g->log_states[x];
    total += exp(l);
    scope[left++] = joined & ~step_bit(order[k]);
    n = left;
  }
  return total;
}

static double best(const graph *g, uint32_t *order, uint32_t fixed) {
  if (fixed == g->n) return cost(g, order);
  double least = HUGE_VAL;
  for (uint32_t k = fixed; k < g->n; k++) {
    uint32_t x = order[k];
    order[k] = order[fixed];
    order[fixed] = x;
    double c = best(g, order, fixed + 1);
    if (c < least) least = c;
    order[fixed] = order[k];
    order[k] = x;
  }
  return least;
}

static graph random_graph(uint64_t *seed, uint32_t n) {
  graph g = {.n = n, .nscopes = n + (uint32_t)below(seed, n)};
  for (uint32_t x = 0; x < STEP_MAX_VARS; x++) g.log_states[x] = log((double)(2 + below(seed, 4)));
  for (uint32_t k = 0; k < g.nscopes; k++)
    for (uint32_t i = 0, size = 1 + (uint32_t)below(seed, 3); i < size; i++) g.scope[k] |= step_bit((uint32_t)below(seed, n));
  return g;
}

static void find(arena *mem, const graph *g, uint32_t *order) {
  eliminate_order(mem, g->nscopes, g->scope, (step_bit(g->n) - 1), g->log_states, order);
  step_set seen = 0;
  for (uint32_t k = 0; k < g->n; k++) seen |= step_bit(order[k]);
  assert_true(seen == step_bit(g->n) - 1);
}

static void test_orders(void **state) {
  (void)state;
  host heap = {0};
  aim_alloc alloc = {host_fn, &heap};
  arena mem;
  arena_init(&mem, &alloc, (size_t)1 << 30);
  if (ARENA_TRY(&mem)) fail_msg("no memory");
  uint64_t seed = 11;
  for (int round = 0; round < 200; round++) {
    graph g = random_graph(&seed, 2 + (uint32_t)below(&seed, round < 150 ? 6 : 14));
    uint32_t order[STEP_MAX_VARS], text[STEP_MAX_VARS];
    find(&mem, &g, order);
    for (uint32_t k = 0; k < g.n; k++) text[k] = k;
    double c = cost(&g, order), by_text = cost(&g, text);
    assert_true(c <= by_text * (1 + 1e-9));
    if (g.n <= 7) assert_true(c <= best(&g, text, 0) * (1 + 1e-9));
  }
  graph star = {.n = 13, .nscopes = 12};
  for (uint32_t k = 0; k < 12; k++) star.scope[k] = step_bit(0) | step_bit(k + 1);
  for (uint32_t x = 0; x < STEP_MAX_VARS; x++) star.log_states[x] = log(3.0);
  uint32_t order[STEP_MAX_VARS], text[STEP_MAX_VARS];
  find(&mem, &star, order);
  for (uint32_t k = 0; k < star.n; k++) text[k] = k;
  assert_true(cost(&star, order) * 10 <= cost(&star, text));
  arena_free(&mem);
  assert_int_equal(heap.bytes, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_orders)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
