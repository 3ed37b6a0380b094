/* test_vm_linear.c: from source to a bound task, thousands of statements, as generators of models write them, cost in proportion to their number. */
#include "tests/unit/task_fixture.h"

#include <stdlib.h>
#include <time.h>

/* A line has its number and the one before. */
typedef struct shape {
  const char *what, *head, *line, *tail;
} shape;

static const shape shapes[] = {
    {"a chain of scalars", "model m(y: real = 0.5) {\nx0 ~ Normal(0, 1)\n", "x%zu ~ Normal(x%zu, 1)\n", "y ~ Normal(x1, 1)\n}\n"},
    {"predictions", "model m(y: real = 0.5) {\nx0 ~ Normal(0, 1)\n", "predict p%zu ~ Normal(x0, %zu + 1)\n", "y ~ Normal(x0, 1)\n}\n"},
};

static double time_of(const shape *s, size_t n) {
  size_t cap = strlen(s->head) + strlen(s->tail) + n * (strlen(s->line) + 40) + 100, len = 0;
  char *text = malloc(cap);
  len += (size_t)snprintf(text + len, cap - len, "%s", s->head);
  for (size_t i = 1; i <= n; i++) len += (size_t)snprintf(text + len, cap - len, s->line, i, i - 1);
  snprintf(text + len, cap - len, "%sinfer m with nuts(chains = 1, warmup = 1, draws = 1)\n", s->tail);
  clock_t t = clock();
  fixture f = open_task(text, (opening){0});
  expect_ok(&f, aim_bind(f.t));
  t = clock() - t;
  close_fixture(&f);
  free(text);
  return (double)t / CLOCKS_PER_SEC;
}

/* Sixteen times the lines take some 16 to 36 times as long (they leave the caches), what grows with the square 256 times.  Processor time, the least of at
 * least two tries: other processes cost time, never save any, so where it takes longer it is tried again. */
static void test_linear(void **state) {
  (void)state;
  enum { TRIES = 2, MOST_TRIES = 12, BOUND = 96 };
  for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
    double small = 1e9, large = 1e9;
    for (int i = 0; i < MOST_TRIES && (i < TRIES || large >= BOUND * small); i++) {
      double a = time_of(&shapes[k], 100), b = time_of(&shapes[k], 1600);
      if (a < small) small = a;
      if (b < large) large = b;
    }
    printf("%s: %.1f ms for 100, %.1f ms for 1600\n", shapes[k].what, 1e3 * small, 1e3 * large);
    assert_true(large < BOUND * small);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_linear)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
