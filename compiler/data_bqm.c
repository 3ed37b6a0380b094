/* data_bqm.c: dimod's binary quadratic models in JSON (data_bqm.h): lists of biases, and of the two ends of each pair from 0. */
#include "compiler/data_bqm.h"

#include "compiler/data_graph.h"

#include <string.h>

typedef struct bqm {
  data_set *ds;
  const char *file;
  const json_t *root;
} bqm;

static int wrong(bqm *q, const char *code, const char *where, const char *help, const char *what) {
  return data_fail(q->ds, code, q->file, where, help, "%s", what);
}

static const char *element(bqm *q, const char *key, size_t k) { return arena_printf(q->ds->a, "key \"%s\", element [%zu]", key, k + 1); }

bool data_is_bqm(const json_t *root) {
  const char *type = json_string_value(json_object_get(root, "type"));
  return type && strcmp(type, "BinaryQuadraticModel") == 0;
}

/* The list of n elements under a key; n SIZE_MAX: of any number. */
static const json_t *list(bqm *q, const char *key, size_t n) {
  const json_t *v = json_object_get(q->root, key);
  const char *where = arena_printf(q->ds->a, "key \"%s\"", key);
  if (!json_is_array(v)) {
    wrong(q, "E0745", where, "write it with `to_serializable(use_bytes=False)`", "a list of numbers is expected here");
    return NULL;
  }
  if (n != SIZE_MAX && json_array_size(v) != n) {
    data_fail(q->ds, "E0743", q->file, where, NULL, "the list has %zu elements, and %zu are expected", json_array_size(v), n);
    return NULL;
  }
  return v;
}

static int variable(bqm *q, const char *key, const json_t *v, size_t k, size_t n, int64_t *out) {
  const json_t *x = json_array_get(v, k);
  if (!json_is_integer(x) || json_integer_value(x) < 0 || (uint64_t)json_integer_value(x) >= n)
    return wrong(q, "E0741", element(q, key, k), "an integer from 0, below the number of variables", "this is the place of no variable");
  *out = json_integer_value(x) + 1;
  return 0;
}

int data_read_bqm(data_set *ds, const char *file, const json_t *root, arena *scratch) {
  bqm q = {ds, file, root};
  const char *type = json_string_value(json_object_get(root, "variable_type"));
  bool spin = type && strcmp(type, "SPIN") == 0, binary = type && strcmp(type, "BINARY") == 0;
  if (!spin && !binary) return wrong(&q, "E0744", "key \"variable_type\"", "write \"SPIN\" or \"BINARY\"", "the file does not say whether its variables are -1/+1 or 0/1");
  const json_t *linear = list(&q, "linear_biases", SIZE_MAX), *biases = list(&q, "quadratic_biases", SIZE_MAX);
  if (!linear || !biases) return -1;
  size_t n = json_array_size(linear), m = json_array_size(biases);
  const json_t *head = list(&q, "quadratic_head", m), *tail = list(&q, "quadratic_tail", m), *constant = json_object_get(root, "offset");
  if (!head || !tail) return -1;
  if (n > (size_t)GRAPH_MAX_SITES) return wrong(&q, "E0758", "key \"linear_biases\"", NULL, "there are more variables than 2^24");
  if (constant && !json_is_number(constant)) return wrong(&q, "E0745", "key \"offset\"", NULL, "a number is expected here");
  graph g;
  graph_init(&g, ds, file, scratch, (int64_t)n, m);
  g.constant = constant ? json_number_value(constant) : 0;
  for (size_t k = 0; k < n; k++) {
    const json_t *x = json_array_get(linear, k);
    if (!json_is_number(x)) return wrong(&q, "E0745", element(&q, "linear_biases", k), NULL, "a number is expected here");
    g.linear[k] = json_number_value(x);
  }
  for (size_t k = 0; k < m; k++) {
    int64_t i, j;
    const json_t *x = json_array_get(biases, k);
    if (variable(&q, "quadratic_head", head, k, n, &i) < 0 || variable(&q, "quadratic_tail", tail, k, n, &j) < 0) return -1;
    if (!json_is_number(x)) return wrong(&q, "E0745", element(&q, "quadratic_biases", k), NULL, "a number is expected here");
    if (i == j) return wrong(&q, "E0742", element(&q, "quadratic_head", k), "the bias of one variable is one of \"linear_biases\"", "this pair joins a variable to itself");
    size_t before = graph_add(&g, i, j, json_number_value(x));
    if (before)
      return data_fail(ds, "E0742", file, element(&q, "quadratic_head", k), "give each pair once, with the sum of its biases",
                       "this pair of variables is element [%zu] already", before);
  }
  return graph_enter(&g, spin ? GRAPH_SPIN : GRAPH_BINARY);
}
