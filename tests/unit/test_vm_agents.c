/* test_vm_agents.c: the tables of agents, as `aimc explain --json` prints them, against those of discrete models whose tables are known.
 *
 * tests/agents/cases/NAME.json are models as other libraries take them: A[m][outcome][states..], B[f][next][parents..][action], C, D, E, counts, policies.  Each is
 * turned into an agent whose data are these arrays, and where there is a tests/agents/NAME.aim, which says the same in formulas, that one is looked at as
 * well.  tests/agents/invalid.json are models that are wrong.
 *
 * Twins: a table with two entries exchanged is told from the right one. */
#include "tests/unit/task_fixture.h"
#include "vm/agent_tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

enum { MOST_AXES = 8, MOST_PATH = 1024 };
#define NEAR 1e-12 /* formulas such as 1 - 0.98 round; rows of the data are read as they are */

static char aimc[MOST_PATH], folder[MOST_PATH];

static int find_aimc(void **state) {
  (void)state;
  ssize_t n = readlink("/proc/self/exe", aimc, sizeof aimc - 64);
  if (n <= 0) return -1;
  aimc[n] = '\0';
  *strrchr(aimc, '/') = '\0';
  *strrchr(aimc, '/') = '\0';
  snprintf(folder, sizeof folder, "%.900s/files-test_vm_agents", aimc);
  strcat(aimc, "/aimc");
  mkdir(folder, 0755);
  return access(aimc, X_OK);
}

/* ---- the command */

typedef struct answer {
  json_t *tables; /* NULL: none */
  char *messages; /* lines of JSON */
  int status;
} answer;

static char *slurp(const char *path) {
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  char *text = NULL;
  size_t n = 0, cap = 0;
  do {
    text = realloc(text, cap = 2 * cap + 4096);
    n += fread(text + n, 1, cap - n - 1, f);
  } while (n == cap - 1);
  text[n] = '\0';
  fclose(f);
  return text;
}

static answer explain(const char *program) {
  char command[6 * MOST_PATH], path[MOST_PATH + 64];
  snprintf(command, sizeof command, "'%s' explain --json '%s' --data '%s/data.json' >'%s/out' 2>'%s/err'", aimc, program, folder, folder, folder);
  const int status = system(command);
  answer a = {.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1};
  snprintf(path, sizeof path, "%s/out", folder);
  a.tables = json_load_file(path, 0, NULL);
  snprintf(path, sizeof path, "%s/err", folder);
  a.messages = slurp(path);
  return a;
}

static void answer_free(answer *a) {
  json_decref(a->tables);
  free(a->messages);
}

/* ---- models as programs */

static json_t *get(json_t *x, const char *a, const char *b) { return json_object_get(json_object_get(x, a), b); }
static size_t count_of(json_t *list, size_t k) { return (size_t)json_integer_value(json_array_get(list, k)); }

/* "[4, 2, 2]" */
static void put_shape(FILE *f, json_t *x) {
  if (!json_is_array(x)) return;
  fputc('[', f);
  for (json_t *y = x; json_is_array(y); y = json_array_get(y, 0)) fprintf(f, "%s%zu", y == x ? "" : ", ", json_array_size(y));
  fputc(']', f);
}

static json_t *element(json_t *x, size_t n, const size_t *at) {
  for (size_t k = 0; k < n; k++) x = json_array_get(x, at[k]);
  return x;
}

/* The first axis becomes the last. */
static json_t *turned(json_t *x) {
  size_t dim[MOST_AXES], at[MOST_AXES] = {0}, rank = 0;
  for (json_t *y = x; json_is_array(y); y = json_array_get(y, 0)) dim[rank++] = json_array_size(y);
  if (rank == 1) return json_deep_copy(x);
  json_t *stack[MOST_AXES], *out = json_array();
  stack[1] = out;
  for (size_t axis = 1; axis < rank;) {
    if (axis + 1 < rank && at[axis] < dim[axis]) {
      json_t *inner = json_array();
      json_array_append_new(stack[axis], inner);
      stack[++axis] = inner;
      at[axis] = 0;
      continue;
    }
    if (axis + 1 == rank) {
      for (at[axis] = 0; at[axis] < dim[axis]; at[axis]++) {
        json_t *row = json_array();
        for (at[0] = 0; at[0] < dim[0]; at[0]++) json_array_append_new(row, json_deep_copy(element(x, rank, at)));
        json_array_append_new(stack[axis], row);
      }
    }
    if (--axis == 0) break;
    at[axis]++;
  }
  return out;
}

static json_t *model_of(json_t *x, const char *key) { return json_object_get(json_object_get(x, "model"), key); }
static json_t *nth(json_t *x, const char *key, size_t k) { return json_array_get(model_of(x, key), k); }
static bool learns(json_t *x, const char *key, size_t k) { return json_is_array(nth(x, key, k)); }

static void put_input(FILE *f, json_t *data, const char *name, size_t k, json_t *value, const char *type, int *inputs) {
  char key[16];
  snprintf(key, sizeof key, "%s%zu", name, k + 1);
  json_object_set(data, key, value);
  fprintf(f, "%s%s: ", (*inputs)++ ? ", " : "", key);
  if (type) {
    size_t dim[MOST_AXES], rank = 0;
    for (json_t *y = value; json_is_array(y); y = json_array_get(y, 0)) dim[rank++] = json_array_size(y);
    fprintf(f, "%s(%zu)", type, dim[rank - 1]);
    for (size_t i = 0; i + 1 < rank; i++) fprintf(f, "%s%zu%s", i ? ", " : "[", dim[i], i + 2 < rank ? "" : "]");
  } else {
    fputs("real", f);
    put_shape(f, value);
  }
}

/* What is learnt is declared as simplexes, their axis last; all else as the case has it. */
static void put_table_input(FILE *f, json_t *data, json_t *x, const char *key, const char *counts, size_t k, int *inputs) {
  if (!learns(x, counts, k)) {
    put_input(f, data, key, k, nth(x, key, k), NULL, inputs);
    return;
  }
  json_t *rows = turned(nth(x, key, k)), *prior = turned(nth(x, counts, k));
  put_input(f, data, key, k, rows, "simplex", inputs);
  put_input(f, data, counts, k, prior, NULL, inputs);
  json_decref(rows);
  json_decref(prior);
}

static void put_signature(FILE *f, json_t *data, json_t *x) {
  int inputs = 0;
  for (size_t k = 0; k < json_array_size(model_of(x, "A")); k++) put_table_input(f, data, x, "A", "pA", k, &inputs);
  for (size_t k = 0; k < json_array_size(model_of(x, "B")); k++) put_table_input(f, data, x, "B", "pB", k, &inputs);
  for (size_t k = 0; k < json_array_size(model_of(x, "D")); k++) put_table_input(f, data, x, "D", "pD", k, &inputs);
  for (size_t k = 0; k < json_array_size(model_of(x, "C")); k++) put_input(f, data, "C", k, nth(x, "C", k), NULL, &inputs);
  for (size_t k = 0; k < json_array_size(model_of(x, "H")); k++) put_input(f, data, "H", k, nth(x, "H", k), NULL, &inputs);
  if (json_is_array(model_of(x, "E"))) put_input(f, data, "E", 0, model_of(x, "E"), NULL, &inputs);
  json_t *policies = get(x, "settings", "policies");
  if (!json_is_array(policies)) return;
  /* The agents of these cases have one action. */
  json_t *from1 = json_array();
  for (size_t k = 0; k < json_array_size(policies); k++) {
    json_t *row = json_array(), *steps = json_array_get(policies, k);
    for (size_t t = 0; t < json_array_size(steps); t++) json_array_append_new(row, json_integer(1 + json_integer_value(json_array_get(json_array_get(steps, t), 0))));
    json_array_append_new(from1, row);
  }
  json_object_set_new(data, "V1", from1);
  fprintf(f, ", V1: int");
  put_shape(f, from1);
}

/* "[:, s1, s2, u1]", or "[s1, s2, u1]" where the values come last. */
static void put_subscripts(FILE *f, json_t *parents, long factor, size_t controls, bool last) {
  fprintf(f, "[%s", last ? "" : ":");
  for (size_t k = 0; k < json_array_size(parents); k++) fprintf(f, "%ss%zu", k || !last ? ", " : "", count_of(parents, k) + 1);
  if (factor >= 0 && controls > 1) fprintf(f, ", u%ld", factor + 1);
  else if (factor >= 0) fputs(", 1", f);
  fputc(']', f);
}

static void put_agent(FILE *f, json_t *data, json_t *x) {
  json_t *states = get(x, "structure", "num_states"), *outcomes = get(x, "structure", "num_obs"), *controls = get(x, "structure", "num_controls");
  fputs("agent a(", f);
  put_signature(f, data, x);
  fputs(") {\n", f);
  for (size_t k = 0; k < json_array_size(states); k++)
    if (count_of(controls, k) > 1) fprintf(f, "  action u%zu: 1..%zu\n", k + 1, count_of(controls, k));
  for (size_t k = 0; k < json_array_size(states); k++) {
    fprintf(f, "  state s%zu: 1..%zu start D%zu step B%zu", k + 1, count_of(states, k), k + 1, k + 1);
    put_subscripts(f, json_array_get(get(x, "structure", "B_factors"), k), (long)k, count_of(controls, k), learns(x, "pB", k));
    fputc('\n', f);
  }
  for (size_t k = 0; k < json_array_size(outcomes); k++) {
    fprintf(f, "  observe o%zu: 1..%zu ~ Categorical(A%zu", k + 1, count_of(outcomes, k), k + 1);
    put_subscripts(f, json_array_get(get(x, "structure", "A_factors"), k), -1, 0, learns(x, "pA", k));
    fputs(")\n", f);
  }
  for (size_t k = 0; k < json_array_size(model_of(x, "C")); k++)
    fprintf(f, "  prefer o%zu = C%zu%s\n", k + 1, k + 1, json_is_array(json_array_get(nth(x, "C", k), 0)) ? "[:, t]" : "");
  static const char *const learnt[][2] = {{"A", "pA"}, {"B", "pB"}, {"D", "pD"}};
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < json_array_size(model_of(x, learnt[i][1])); k++)
      if (learns(x, learnt[i][1], k)) fprintf(f, "  learn %s%zu ~ Dirichlet(%s%zu)\n", learnt[i][0], k + 1, learnt[i][1], k + 1);
  fprintf(f, "  plan efe(horizon = %lld", (long long)json_integer_value(get(x, "settings", "policy_len")));
  if (json_is_array(model_of(x, "E"))) fputs(", habit = E1", f);
  if (json_is_array(get(x, "settings", "policies"))) fputs(", policies = V1", f);
  if (json_is_array(model_of(x, "H"))) fputs(", goal = H1[s1] == 1", f);
  fputs(")\n}\nsimulate a with steps = 5\n", f);
}

/* folder/agent.aim and folder/data.json. */
static void write_program(json_t *x) {
  char path[MOST_PATH + 64];
  snprintf(path, sizeof path, "%s/agent.aim", folder);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  json_t *data = json_object();
  put_agent(f, data, x);
  fclose(f);
  snprintf(path, sizeof path, "%s/data.json", folder);
  assert_int_equal(json_dump_file(data, path, JSON_REAL_PRECISION(17)), 0);
  json_decref(data);
}

/* ---- comparison */

static const char *text_of(json_t *x, const char *key) { return json_string_value(json_object_get(x, key)); }

/* The number of a variable in a list of them; -1: it is none. */
static long position(json_t *list, const char *name) {
  for (size_t k = 0; k < json_array_size(list); k++)
    if (strcmp(text_of(json_array_get(list, k), "name"), name) == 0) return (long)k;
  return -1;
}

static size_t wrong; /* entries that differ, since it was last set to 0 */

static void compare(json_t *is, json_t *wanted, const char *what, const char *name) {
  if (json_is_number(is) && json_is_number(wanted) && fabs(json_number_value(is) - json_number_value(wanted)) <= NEAR) return;
  if (wrong++ == 0 && name) fprintf(stderr, "%s: %s: an entry is not what it should be\n", name, what);
}

static void compare_vectors(json_t *is, json_t *wanted, const char *what, const char *name) {
  if (json_array_size(is) != json_array_size(wanted)) wrong++;
  for (size_t k = 0; k < json_array_size(wanted); k++) {
    json_t *a = json_array_get(is, k), *b = json_array_get(wanted, k);
    if (json_is_array(b)) compare_vectors(a, b, what, name);
    else compare(a, b, what, name);
  }
}

/* table [parents..][n] against wanted [n][factors..] or, with an action of that factor as the last axis, [n][factors..][action].  An agent may read fewer
 * states than the case has axes for, and then its table is the same along the others. */
static void compare_table(json_t *all, json_t *table, json_t *parents, json_t *wanted, json_t *factors, long factor, const char *what, const char *name) {
  json_t *states = json_object_get(all, "states"), *actions = json_object_get(all, "actions");
  size_t axes = json_array_size(factors) + (factor >= 0 ? 1 : 0), dim[MOST_AXES], at[MOST_AXES] = {0}, n = json_array_size(wanted), total = 1;
  json_t *y = json_array_get(wanted, 0);
  for (size_t k = 0; k < axes; k++, y = json_array_get(y, 0)) total *= dim[k] = json_array_size(y);
  for (size_t cell = 0; cell < total; cell++) {
    size_t rest = cell;
    for (size_t k = axes; k-- > 0; rest /= dim[k]) at[k] = rest % dim[k];
    json_t *row = table;
    for (size_t k = 0; k < json_array_size(parents); k++) {
      const char *parent = json_string_value(json_array_get(parents, k));
      const long state = position(states, parent), action = position(actions, parent);
      size_t axis = 0;
      if (state >= 0)
        while (axis < json_array_size(factors) && count_of(factors, axis) != (size_t)state) axis++;
      else axis = action >= 0 && factor >= 0 ? axes - 1 : axes;
      if (axis >= axes) {
        wrong++;
        return;
      }
      row = json_array_get(row, at[axis]);
    }
    if (json_array_size(row) != n) wrong++;
    for (size_t o = 0; o < n; o++) compare(json_array_get(row, o), element(json_array_get(wanted, o), axes, at), what, name);
  }
}

static void compare_plan(json_t *is, json_t *x, const char *name) {
  if (json_is_array(model_of(x, "E"))) compare_vectors(json_object_get(is, "habit"), model_of(x, "E"), "habit", name);
  json_t *policies = get(x, "settings", "policies"), *listed = json_object_get(is, "policies");
  for (size_t k = 0; k < json_array_size(policies); k++)
    for (size_t t = 0; t < json_array_size(json_array_get(policies, k)); t++)
      compare(json_array_get(json_array_get(listed, k), t), json_array_get(json_array_get(json_array_get(policies, k), t), 0), "policies", name);
  if (json_is_array(model_of(x, "H"))) compare_vectors(json_object_get(is, "goal"), nth(x, "H", 0), "goal", name);
}

static void compare_all(json_t *is, json_t *x, bool generated, const char *name) {
  wrong = 0;
  json_t *states = json_object_get(is, "states"), *observations = json_object_get(is, "observations");
  for (size_t k = 0; k < json_array_size(model_of(x, "B")); k++) {
    json_t *s = json_array_get(states, k);
    compare_vectors(json_object_get(s, "start"), nth(x, "D", k), "start", name);
    compare_table(is, json_object_get(s, "step"), json_object_get(s, "parents"), nth(x, "B", k), json_array_get(get(x, "structure", "B_factors"), k), (long)k, "step", name);
  }
  for (size_t k = 0; k < json_array_size(model_of(x, "A")); k++) {
    json_t *o = json_array_get(observations, k), *C = nth(x, "C", k);
    compare_table(is, json_object_get(o, "likelihood"), json_object_get(o, "parents"), nth(x, "A", k), json_array_get(get(x, "structure", "A_factors"), k), -1, "likelihood", name);
    json_t *wanted = turned(C);
    if (json_is_array(json_array_get(C, 0))) compare_vectors(json_object_get(o, "prefer"), wanted, "preference", name);
    else compare_vectors(json_object_get(o, "prefer"), C, "preference", name);
    json_decref(wanted);
  }
  if (!generated) return;
  compare_plan(is, x, name);
  static const char *const keys[] = {"pA", "pB", "pD"};
  size_t n = 0;
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < json_array_size(model_of(x, keys[i])); k++) {
      if (!learns(x, keys[i], k)) continue;
      json_t *wanted = turned(nth(x, keys[i], k));
      compare_vectors(json_object_get(json_array_get(json_object_get(is, "learn"), n++), "counts"), wanted, "counts", name);
      json_decref(wanted);
    }
}

/* Exchanges the first two entries of a vector that differ. */
static bool spoil(json_t *x) {
  for (size_t k = 0; k + 1 < json_array_size(x); k++) {
    json_t *a = json_array_get(x, k), *b = json_array_get(x, k + 1);
    if (json_is_array(a)) {
      if (spoil(a)) return true;
      continue;
    }
    if (json_number_value(a) == json_number_value(b)) continue;
    json_t *was = json_deep_copy(a);
    json_array_set(x, k, b);
    json_array_set_new(x, k + 1, was);
    return true;
  }
  return json_array_size(x) && json_is_array(json_array_get(x, json_array_size(x) - 1)) && spoil(json_array_get(x, json_array_size(x) - 1));
}

static void look_at(const char *program, json_t *x, bool generated, const char *name) {
  answer a = explain(program);
  if (!a.tables) fprintf(stderr, "%s: %s\n", name, a.messages);
  assert_non_null(a.tables);
  /* What is missing is said last, and is all that is wrong. */
  assert_non_null(strstr(a.messages, "\"code\":\"E0820\""));
  assert_int_equal(a.status, 1);
  compare_all(a.tables, x, generated, name);
  assert_int_equal(wrong, 0);
  static const char *const spoilt[][2] = {{"states", "step"}, {"observations", "likelihood"}};
  for (size_t k = 0; k < 2; k++) {
    json_t *twin = json_deep_copy(a.tables);
    assert_true(spoil(json_object_get(json_array_get(json_object_get(twin, spoilt[k][0]), 0), spoilt[k][1])));
    compare_all(twin, x, generated, NULL);
    assert_int_not_equal(wrong, 0);
    json_decref(twin);
  }
  answer_free(&a);
}

static void test_cases(void **state) {
  (void)state;
  char path[MOST_PATH + 64];
  struct dirent **list;
  const int n = scandir("tests/agents/cases", &list, NULL, alphasort);
  assert_true(n > 0);
  size_t cases = 0, written = 0;
  for (int k = 0; k < n; k++) {
    char *dot = strstr(list[k]->d_name, ".json");
    if (dot) {
      snprintf(path, sizeof path, "tests/agents/cases/%s", list[k]->d_name);
      json_t *x = json_load_file(path, 0, NULL);
      assert_non_null(x);
      *dot = '\0';
      write_program(x);
      snprintf(path, sizeof path, "%s/agent.aim", folder);
      look_at(path, x, true, list[k]->d_name);
      cases++;
      snprintf(path, sizeof path, "tests/agents/%s.aim", list[k]->d_name);
      if (access(path, R_OK) == 0) {
        look_at(path, x, false, list[k]->d_name);
        written++;
      }
      json_decref(x);
    }
    free(list[k]);
  }
  free(list);
  printf("%zu models, %zu of them in formulas too\n", cases, written);
  assert_true(cases >= 18 && written >= 3);
}

/* ---- wrong models */

/* The case as one with a structure that follows from A and B. */
static json_t *complete(json_t *wrong_case) {
  json_t *m = json_object_get(wrong_case, "model"), *B = json_array_get(json_object_get(m, "B"), 0), *A = json_array_get(json_object_get(m, "A"), 0);
  json_t *x = json_object();
  json_object_set(x, "model", m);
  json_object_set_new(x, "settings", json_pack("{s:i}", "policy_len", 1));
  json_object_set_new(x, "structure", json_pack("{s:[i],s:[i],s:[i],s:[[i]],s:[[i]]}", "num_states", (int)json_array_size(B), "num_obs", (int)json_array_size(A), "num_controls",
                                                (int)json_array_size(json_array_get(json_array_get(B, 0), 0)), "A_factors", 0, "B_factors", 0));
  return x;
}

static void test_invalid(void **state) {
  (void)state;
  char path[MOST_PATH + 64];
  json_t *all = json_load_file("tests/agents/invalid.json", 0, NULL);
  assert_non_null(all);
  size_t refused = 0, accepted = 0, of_a_run = 0;
  for (size_t k = 0; k < json_array_size(all); k++) {
    json_t *c = json_array_get(all, k);
    const char *name = text_of(c, "name");
    /* These two are good models that are shown a wrong observation, which is a matter of running them. */
    if (json_object_get(c, "observation")) {
      of_a_run++;
      continue;
    }
    json_t *x = complete(c);
    write_program(x);
    snprintf(path, sizeof path, "%s/agent.aim", folder);
    answer a = explain(path);
    const bool reject = strcmp(text_of(c, "expect"), "reject") == 0;
    if (reject == (a.tables != NULL)) fprintf(stderr, "%s is %s\n%s\n", name, reject ? "accepted" : "refused", a.messages);
    assert_int_equal(a.tables == NULL, reject);
    assert_int_equal(a.status, 1);
    if (reject) {
      /* The message is about the array that is wrong: the case's name begins with its letter. */
      char array[8];
      snprintf(array, sizeof array, "%c%d", name[0], strcmp(name, "C_wrong_modalities") == 0 ? 2 : 1);
      const char *variable = name[0] == 'A' ? "`o1`" : name[0] == 'E' ? "habit" : name[0] == 'C' ? "o2" : "`s1`";
      if (!strstr(a.messages, array) && !strstr(a.messages, variable)) fprintf(stderr, "%s: %s\n", name, a.messages);
      assert_true(strstr(a.messages, array) || strstr(a.messages, variable));
      assert_null(strstr(a.messages, "E0820"));
      refused++;
    } else accepted++;
    answer_free(&a);
    json_decref(x);
  }
  json_decref(all);
  assert_int_equal(refused, 9);
  assert_int_equal(accepted, 1);
  assert_int_equal(of_a_run, 2);
}

/* ---- what only the data tell */

static void write_text(const char *name, const char *text) {
  char path[MOST_PATH + 64];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

static void test_data(void **state) {
  (void)state;
  static const struct {
    const char *body, *data, *says; /* NULL: nothing but that the engine is missing */
  } programs[] = {
      {"agent a(w: real[2]) { state s: 1..2 start w step onehot(s, 2)\nobserve o: 1..2 ~ Categorical(onehot(s, 2)) }", "{\"w\": [0.5, 0.4]}",
       "E0791\",\"message\":\"the probabilities of the start of `s` sum to 0.9, not to 1\""},
      {"agent a(P: real[3, 2, 2]) { action go: 1..3\nstate s: 1..2 start uniform(2) step P[go, s]\nobserve o: 1..2 ~ Categorical(onehot(s, 2)) }",
       "{\"P\": [[[1, 0], [0, 1]], [[0, 1], [0.5, 0.25]], [[1, 0], [1, 0]]]}", "the probabilities of the step of `s` sum to 0.75, not to 1 at s = 2, go = 2"},
      {"agent a(P: real[2, 2]) { state s: 1..2 start uniform(2) step onehot(s, 2)\nobserve o: 1..2 ~ Categorical(P[s]) }", "{\"P\": [[1, 0], [1.5, -0.5]]}",
       "the observation `o` has -0.5 at s = 2, and probabilities are not negative"},
      {"agent a(k: int) { action go: 1..2\nstate s: 1..4 start onehot(1, 4) step onehot(s + k * go, 4)\nobserve o: 1..4 ~ Categorical(onehot(s, 4)) }", "{\"k\": 1}",
       "the step of `s` is 5 at s = 3, go = 2"},
      {"agent a(k: int) { action go: 1..2\nstate s: 1..2 start onehot(1, 2) step 1.5 * onehot(1, 2) - 0.5 * onehot(2, 2) + 0 * k * onehot(s, 2)\nobserve o: 1..2 ~ Categorical(onehot(s, 2)) }", "{\"k\": 1}",
       "the step of `s` has -0.5 at s = 1, and probabilities are not negative"},
      {"agent a(k: int) { action go: 1..2\nstate s: 1..2 start onehot(1, 2) step 1.5 * onehot(1, 2) + -0.5 * onehot(go + k, 2)\nobserve o: 1..2 ~ Categorical(onehot(s, 2)) }", "{\"k\": 2}",
       "the step of `s` has -0.5 at go = 1, and probabilities are not negative"},
      {"agent a(x: real) { state s: 1..2 start onehot(1, 2) step 1 / x * onehot(s, 2)\nobserve o: 1..2 ~ Categorical(onehot(s, 2)) }", "{\"x\": 0}", "the step of `s` is not finite at s = 1"},
      {"agent a(k: int) { action go: 1..2\nstate s: 1..4 start onehot(1, 4) step onehot(min(s + k * go, 4), 4)\nobserve o: 1..4 ~ Categorical(onehot(s, 4)) }", "{\"k\": 1}", NULL},
      {"agent a(C: real[T, 2]) { action go: 1..2\nstate s: 1..2 start uniform(2) step onehot(go, 2)\nobserve o: 1..2 ~ Categorical(onehot(s, 2))\nprefer o = C[t]\nplan efe(horizon = 3) }",
       "{\"C\": [[0, 1], [0, 2]]}", "index 3 is outside 1..2"},
      {"agent a(n: int) { state s: 1..n start uniform(n) step onehot(s, n)\nobserve o: 1..2 ~ Categorical([0.5, 0.5]) }", "{\"n\": 0}", "`s` has no value with these data"},
      {"agent a(E: real[P]) { action go: 1..2\nstate s: 1..2 start uniform(2) step onehot(go, 2)\nobserve o: 1..2 ~ Categorical(onehot(s, 2))\nplan efe(horizon = 2, habit = E) }",
       "{\"E\": [0.2, 0.3, 0.5]}", "the habit has 3 weights, and there are 4 policies"},
      {"agent a(V: int[P, 2]) { action go: 1..2\nstate s: 1..2 start uniform(2) step onehot(go, 2)\nobserve o: 1..2 ~ Categorical(onehot(s, 2))\nplan efe(horizon = 2, policies = V) }",
       "{\"V\": [[1, 2], [2, 3]]}", "policy 2 has the action 3, and `go` is one of 1..2"},
      {"agent a(V: int[P, H]) { action go: 1..2\nstate s: 1..2 start uniform(2) step onehot(go, 2)\nobserve o: 1..2 ~ Categorical(onehot(s, 2))\nplan efe(horizon = 2, policies = V) }",
       "{\"V\": [[1, 2, 1], [2, 1, 1]]}", "a policy has 3 steps here, and the horizon is 2"},
      {"agent a(k: int) { action go: 1..2\nstate s: 1..2 start uniform(2) step onehot(go, 2)\nobserve o: 1..2 ~ Categorical(onehot(s, 2))\nplan efe(horizon = 2, goal = s == k) }", "{\"k\": 3}",
       "no state meets this goal"},
      {"agent a(A: simplex(2)[2], c: real[2, 2]) { state s: 1..2 start uniform(2) step onehot(s, 2)\nobserve o: 1..2 ~ Categorical(A[s])\nlearn A ~ Dirichlet(c) }",
       "{\"A\": [[1, 0], [0, 1]], \"c\": [[1, 0], [0, 0]]}", "row 2 of the counts of `A` has none above 0"},
      {"agent a(x: real) { state s: 1..2 start uniform(2) step onehot(s, 2)\nobserve o: 1..2 ~ Categorical([x / x, 1 - x / x]) }", "{\"x\": 0}", "the observation `o` is NaN"},
      {"agent a(A: simplex(2)[2]) { state s: 1..2 start uniform(2) step onehot(s, 2)\nobserve o: 1..2 ~ Categorical(A[s]) }", "{\"A\": [[1, 0], [0.5, 0.25]]}",
       "element [2]: the elements sum to 0.75, and those of a simplex to 1"},
      {"agent a(A: simplex(2)[2]) { state s: 1..2 start uniform(2) step onehot(s, 2)\nobserve o: 1..2 ~ Categorical(A[s]) }", "{\"A\": [[1, 0], [0.5, null]]}",
       "a value of `A` is missing, and the tables of an agent are known"},
      {"agent a(r: real<lower = 0>[2]) { state s: 1..2 start uniform(2) step onehot(s, 2)\nobserve o: 1..40 ~ Poisson(r[s]) }", "{\"r\": [1, 4]}", NULL},
  };
  char path[MOST_PATH + 64];
  for (size_t k = 0; k < sizeof programs / sizeof *programs; k++) {
    char text[2048];
    snprintf(text, sizeof text, "%s\nsimulate a with steps = 5\n", programs[k].body);
    write_text("agent.aim", text);
    write_text("data.json", programs[k].data);
    snprintf(path, sizeof path, "%s/agent.aim", folder);
    answer a = explain(path);
    const char *says = programs[k].says ? programs[k].says : "E0820";
    if (!strstr(a.messages, says)) fprintf(stderr, "%s\n%s\n", programs[k].body, a.messages);
    assert_non_null(strstr(a.messages, says));
    assert_int_equal(a.tables == NULL, programs[k].says != NULL);
    assert_int_equal(a.status, 1);
    answer_free(&a);
  }
}

/* A likelihood that is no Categorical is its density on 1..n, and what lies outside does not count. */
static void test_density(void **state) {
  (void)state;
  /* A function of the program's own is not taken for the library's. */
  write_text("agent.aim", "fn softmax(x: real[N]): real[N] = x\nagent a(r: real<lower = 0>[2]) { state s: 1..2 start uniform(2) step onehot(s, 2)\nobserve o: 1..6 ~ Poisson(r[s]) }\nsimulate a with steps = 5\n");
  write_text("data.json", "{\"r\": [1.5, 4]}");
  char path[MOST_PATH + 64];
  snprintf(path, sizeof path, "%s/agent.aim", folder);
  answer a = explain(path);
  json_t *rows = json_object_get(json_array_get(json_object_get(a.tables, "observations"), 0), "likelihood");
  for (size_t s = 0; s < 2; s++) {
    double w[6], sum = 0;
    for (int o = 1; o <= 6; o++) sum += w[o - 1] = exp(o * log(s ? 4 : 1.5) - lgamma(o + 1.0));
    for (size_t o = 0; o < 6; o++) assert_true(fabs(json_number_value(json_array_get(json_array_get(rows, s), o)) - w[o] / sum) < 1e-14);
  }
  answer_free(&a);
}

/* Each allocation fails in turn: the tables are made or are not, and all memory comes back. */
static void test_memory(void **state) {
  (void)state;
  static const char text[] = "agent a(A: simplex(2)[2], E: real[4]) {\n  let w = E / sum(E)\n  action go: 1..2\n  state s: 1..2 start uniform(2) step 0.5 * onehot(go, 2) + 0.5 * onehot(s, 2)\n"
                             "  observe o: 1..2 ~ Categorical(A[s])\n  observe p: 1..2 ~ Categorical(logit = [w[1], s])\n  prefer o = [0, 1]\n"
                             "  plan efe(horizon = 2, habit = w)\n  learn A ~ Dirichlet(4 * A)\n}\nsimulate a on A = [[1, 0], [0.5, 0.5]], E = [1, 2, 3, 4]\n";
  size_t most = 0, made = 0;
  for (size_t at = 0; at == 0 || at <= most; at++) {
    host h = {0};
    fixture f = open_task(text, (opening){.memory = &h});
    const size_t before = h.calls;
    h.fail_at = at ? before + at : 0;
    agent_tables tables;
    const aim_status st = api_agent_tables(f.t, &tables);
    if (at == 0) {
      expect_ok(&f, st);
      most = h.calls - before;
    } else assert_true(st == AIM_OK || st == AIM_E_MEMORY);
    made += st == AIM_OK;
    if (st == AIM_OK) assert_int_equal(tables.n, 7);
    close_fixture(&f);
    assert_int_equal(h.bytes, 0);
  }
  assert_true(most > 20);
  printf("%zu allocations, %zu runs made the tables\n", most, made);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_invalid), cmocka_unit_test(test_data), cmocka_unit_test(test_density), cmocka_unit_test(test_memory)};
  return cmocka_run_group_tests(tests, find_aimc, NULL);
}
