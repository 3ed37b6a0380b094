/* check_agent_options.c: what stands behind `beliefs`, `plan`, `learn` and `simulate`: methods, and their options as numbers.
 *
 * One table: a new option is a row, and its field in agent.h. */
#include "compiler/check_state.h"

#include <stddef.h>
#include <string.h>

const char *const beliefs_names[BELIEFS_COUNT] = {[BELIEFS_AUTO] = "auto", [BELIEFS_EXACT] = "exact", [BELIEFS_VMP] = "vmp", [BELIEFS_FIXED_POINT] = "fixed_point",
                                                  [BELIEFS_MMP] = "mmp", [BELIEFS_GIBBS] = "gibbs"};
const char *const search_names[SEARCH_COUNT] = {[SEARCH_ALL] = "all", [SEARCH_TREE] = "tree", [SEARCH_MCTS] = "mcts"};

/* Who has an option: methods of beliefs, searches, and the rest. */
enum {
  B_VMP = 1u << BELIEFS_VMP,
  B_FIXED = 1u << BELIEFS_FIXED_POINT,
  B_MMP = 1u << BELIEFS_MMP,
  B_GIBBS = 1u << BELIEFS_GIBBS,
  B_ALL = (1u << BELIEFS_COUNT) - 1,
  S_TREE = 256u << SEARCH_TREE,
  S_MCTS = 256u << SEARCH_MCTS,
  O_EFE = 1u << 16,
  O_LEARN = 1u << 17,
  O_SIMULATE = 1u << 18
};

typedef enum option_kind { OPT_COUNT, OPT_WHOLE, OPT_REAL, OPT_SWITCH, OPT_WORD, OPT_SEARCH, OPT_PART } option_kind;

typedef struct agent_option {
  const char *name;
  unsigned of;
  option_kind kind;
  size_t offset;      /* OPT_WHOLE: of a uint64_t; OPT_REAL: of a double; OPT_PART: of an agent_part; else of a uint32_t */
  double least, most; /* of numbers; OPT_REAL: above least, unless `least_too` */
  bool least_too;
  const char *words[4];
} agent_option;

#define BELIEFS(f) offsetof(agent_beliefs, f)
#define PLAN(f) offsetof(agent_plan, f)
#define LEARN(f) offsetof(agent_learn, f)
#define SIMULATE(f) offsetof(agent_simulation, f)
static const agent_option options[] = {
    {"iterations", B_VMP | B_FIXED | B_MMP, OPT_COUNT, BELIEFS(iterations), .most = 1e6},
    {"tol", B_VMP | B_FIXED | B_MMP, OPT_REAL, BELIEFS(tol), 0, 1, .least_too = true},
    {"window", B_MMP, OPT_COUNT, BELIEFS(window), .most = 1e6},
    {"samples", B_GIBBS, OPT_COUNT, BELIEFS(samples), .most = 1e9},
    {"warmup", B_GIBBS, OPT_COUNT, BELIEFS(warmup), .most = 1e9, .least_too = true},
    {"thin", B_GIBBS, OPT_COUNT, BELIEFS(thin), .most = 1e6},
    {"sensory_precision", B_ALL, OPT_REAL, BELIEFS(sensory_precision), 0, 1e12},
    {"state_precision", B_ALL, OPT_REAL, BELIEFS(state_precision), 0, 1e12},
    {"horizon", O_EFE, OPT_COUNT, PLAN(horizon), .most = 1000},
    {"search", O_EFE, OPT_SEARCH, PLAN(search)},
    {"precision", O_EFE, OPT_REAL, PLAN(precision), 0, 1e12},
    {"utility", O_EFE, OPT_SWITCH, PLAN(utility)},
    {"state_gain", O_EFE, OPT_WORD, PLAN(state_gain), .words = {"joint", "by_observation", "off"}},
    {"parameter_gain", O_EFE, OPT_SWITCH, PLAN(parameter_gain)},
    {"selection", O_EFE, OPT_WORD, PLAN(selection), .words = {"deterministic", "stochastic"}},
    {"choose", O_EFE, OPT_WORD, PLAN(choose), .words = {"actions", "policy"}},
    {"action_precision", O_EFE, OPT_REAL, PLAN(action_precision), 0, 1e12},
    {"habit", O_EFE, OPT_PART, PLAN(habit)},
    {"policies", O_EFE, OPT_PART, PLAN(policies)},
    {"goal", O_EFE, OPT_PART, PLAN(goal)},
    {"beam", S_TREE, OPT_COUNT, PLAN(beam), .most = 1e9},
    {"prune", S_TREE, OPT_REAL, PLAN(prune), 0, 1, .least_too = true},
    {"samples", S_MCTS, OPT_COUNT, PLAN(samples), .most = 1e9},
    {"rate", O_LEARN, OPT_REAL, LEARN(rate), 0, 1e6},
    {"forget", O_LEARN, OPT_REAL, LEARN(forget), 0, 1, .least_too = true},
    {"steps", O_SIMULATE, OPT_COUNT, SIMULATE(steps), .most = 1e9},
    {"trials", O_SIMULATE, OPT_COUNT, SIMULATE(trials), .most = 1e9},
    {"agents", O_SIMULATE, OPT_COUNT, SIMULATE(agents), .most = 1e9},
    {"threads", O_SIMULATE, OPT_COUNT, SIMULATE(threads), .most = 4096, .least_too = true},
    {"seed", O_SIMULATE, OPT_WHOLE, SIMULATE(seed)},
};
enum { NOPTIONS = sizeof options / sizeof options[0] };

/* What a list of options sets. */
typedef struct reading {
  ctx *c;
  const char *owner; /* "vmp" */
  unsigned of;
  char *into;
} reading;

static const char *list_words(ctx *c, const char *const *words, size_t n) {
  strbuf b;
  strbuf_init(&b, c->a);
  for (size_t k = 0; k < n; k++) strbuf_printf(&b, "%s`%s`", k == 0 ? "" : k + 1 < n ? ", " : n == 2 ? " or " : ", or ", words[k]);
  return b.s;
}

static void unknown_option(const reading *r, const ast_name *name) {
  const char *words[NOPTIONS];
  size_t n = 0;
  for (size_t k = 0; k < NOPTIONS; k++)
    if (options[k].of & r->of) words[n++] = options[k].name;
  diag *d = cx_error(r->c, "E0804", name->at, "`%s` has no option called `%s`", r->owner, name->name);
  static const struct { const char *other, *ours; } habits[] = {
      {"num_iter", "iterations"}, {"n_iter", "iterations"}, {"dF_tol", "tol"}, {"tolerance", "tol"}, {"inference_horizon", "window"}, {"policy_len", "horizon"},
      {"gamma", "precision"}, {"alpha", "action_precision"}, {"zeta", "sensory_precision"}, {"precision_A", "sensory_precision"}, {"omega", "state_precision"}, {"precision_B", "state_precision"}, {"E", "habit"}, {"use_utility", "utility"}, {"use_states_info_gain", "state_gain"},
      {"use_param_info_gain", "parameter_gain"}, {"action_selection", "selection"}, {"lr", "rate"}, {"learning_rate", "rate"}, {"n", "samples"}};
  const char *near = NULL;
  for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++)
    for (size_t k = 0; k < n && strcmp(habits[i].other, name->name) == 0; k++)
      if (strcmp(words[k], habits[i].ours) == 0) near = words[k];
  if (!near) near = nearest_of(name->name, words, n);
  if (near) cx_help(r->c, d, "did you mean `%s`?", near);
  else if (n) cx_help(r->c, d, "its options are %s", list_words(r->c, words, n));
  else cx_help(r->c, d, "it has none");
}

static bool read_number(const reading *r, const agent_option *o, const ast_expr *e) {
  double x;
  if (o->kind == OPT_REAL) {
    const bool number = const_of_expr(e, &x);
    if (number && (o->least_too ? x >= o->least : x > o->least) && x <= o->most) {
      *(double *)(void *)(r->into + o->offset) = x;
      return true;
    }
    if (!number) cx_error(r->c, "E0808", e->at, "`%s` must be a number", o->name);
    else if (o->least_too) cx_error(r->c, "E0808", e->at, "`%s` must lie between %g and %g", o->name, o->least, o->most);
    else if (x > o->most) cx_error(r->c, "E0808", e->at, "`%s` must be at most %g", o->name, o->most);
    else cx_error(r->c, "E0808", e->at, "`%s` must be larger than %g", o->name, o->least);
    return false;
  }
  const int64_t least = o->kind == OPT_COUNT && !o->least_too;
  if (e->kind == EXPR_INT && e->integer.value >= least && (o->kind == OPT_WHOLE || (double)e->integer.value <= o->most)) {
    if (o->kind == OPT_WHOLE) *(uint64_t *)(void *)(r->into + o->offset) = (uint64_t)e->integer.value;
    else *(uint32_t *)(void *)(r->into + o->offset) = (uint32_t)e->integer.value;
    return true;
  }
  if (e->kind == EXPR_INT && e->integer.value >= least) cx_error(r->c, "E0808", e->at, "`%s` must be at most %.0f", o->name, o->most);
  else cx_error(r->c, "E0808", e->at, "`%s` must be a whole number%s", o->name, least ? " from 1 up" : "");
  return false;
}

static bool read_word(const reading *r, const agent_option *o, const ast_expr *e) {
  size_t n = 0;
  const char *word = e->kind == EXPR_NAME ? e->name.name : e->kind == EXPR_STRING ? e->string.bytes : NULL;
  for (; o->words[n]; n++)
    if (word && strcmp(word, o->words[n]) == 0) {
      *(uint32_t *)(void *)(r->into + o->offset) = (uint32_t)n;
      return true;
    }
  diag *d = cx_error(r->c, "E0808", e->at, word ? "`%s` cannot be `%s`" : "`%s` must be a word", o->name, word);
  const char *near = word ? nearest_of(word, o->words, n) : NULL;
  if (near) cx_help(r->c, d, "did you mean `%s`?", near);
  else cx_help(r->c, d, "it is %s", list_words(r->c, o->words, n));
  return false;
}

static bool read_options(const reading *r, const ast_args *args);

/* A method with or without options: its name, or NULL after a report. */
static const ast_name *method_of(ctx *c, ast_expr *e, const char *what, const char *such) {
  if (e->kind == EXPR_NAME) return &e->name;
  if (e->kind == EXPR_CALL && !e->call.of) return &e->call.fn;
  if (e->kind == EXPR_ERROR) return NULL;
  diag *d = cx_error(c, "E0803", e->at, "behind `%s` stands a method", what);
  cx_help(c, d, "such as `%s`", such);
  return NULL;
}

static size_t find_method(ctx *c, const ast_name *name, const char *what, const char *const *words, size_t n) {
  for (size_t k = 0; k < n; k++)
    if (strcmp(words[k], name->name) == 0) return k;
  if (!name->name[0]) return n;
  diag *d = cx_error(c, "E0803", name->at, "there is no %s called `%s`", what, name->name);
  const char *near = nearest_of(name->name, words, n);
  if (near) cx_help(c, d, "did you mean `%s`?", near);
  else cx_help(c, d, n == 1 ? "it is %s" : "it is one of %s", list_words(c, words, n));
  return n;
}

static bool read_search(const reading *r, ast_expr *e) {
  agent_plan *p = (agent_plan *)(void *)r->into;
  const ast_name *name = method_of(r->c, e, "search", "search = tree(beam = 64)");
  if (!name) return false;
  size_t k = find_method(r->c, name, "search", search_names, SEARCH_COUNT);
  if (k == SEARCH_COUNT) return false;
  p->search = (plan_search)k;
  const reading own = {r->c, search_names[k], 256u << k, r->into};
  return e->kind != EXPR_CALL || read_options(&own, &e->call.args);
}

/* Weights of policies; policies; a condition. */
static bool read_part(const reading *r, const agent_option *o, ast_expr *e) {
  ctx *c = r->c;
  agent_part *p = (agent_part *)(void *)(r->into + o->offset);
  if (strcmp(o->name, "goal") == 0) {
    agent_reads reads = {.what = "a goal", .may = 1u << SYM_STATE, .why = "a goal is a condition on states, such as `place == 4`"};
    c->reads = &reads;
    bool ok = check_cond(c, e, "a goal");
    c->reads = NULL;
    p->at = e->at;
    if (!ok) return false;
    agent_part_close(c, p, &reads);
    p->value = e;
    if (p->nparents) return true;
    diag *d = cx_error(c, "E0808", e->at, "a goal says something about a state");
    cx_help(c, d, "such as `goal = place == 4`");
    return false;
  }
  const ty_info *t = agent_data_part(c, e, arena_printf(c->a, "`%s`", o->name), p);
  return t != NULL;
}

static bool read_options(const reading *r, const ast_args *args) {
  bool ok = true;
  for (size_t i = 0; i < args->n; i++) {
    const ast_arg *a = &args->items[i];
    if (a->value->kind == EXPR_ERROR || name_missing(&a->name)) continue;
    if (!name_present(&a->name)) {
      diag *d = cx_error(r->c, "E0804", a->at, "options of `%s` have names", r->owner);
      for (size_t k = 0; k < NOPTIONS; k++)
        if (options[k].of & r->of) {
          cx_help(r->c, d, "such as `%s = ...`", options[k].name);
          break;
        }
      ok = false;
      continue;
    }
    const ast_arg *first = ast_args_find(args, a->name.name);
    if (first != a) {
      diag *d = cx_error(r->c, "E0822", a->name.at, "`%s` is set twice", a->name.name);
      cx_point(r->c, d, first->at, "first here");
      ok = false;
      continue;
    }
    const agent_option *o = NULL;
    for (size_t k = 0; k < NOPTIONS && !o; k++)
      if (options[k].of & r->of && strcmp(options[k].name, a->name.name) == 0) o = &options[k];
    if (!o) {
      unknown_option(r, &a->name);
      ok = false;
      continue;
    }
    switch (o->kind) {
    case OPT_COUNT: case OPT_WHOLE: case OPT_REAL: ok = read_number(r, o, a->value) && ok; break;
    case OPT_WORD: ok = read_word(r, o, a->value) && ok; break;
    case OPT_SWITCH:
      if (a->value->kind == EXPR_BOOL) *(uint32_t *)(void *)(r->into + o->offset) = a->value->boolean;
      else {
        cx_error(r->c, "E0808", a->value->at, "`%s` is `true` or `false`", o->name);
        ok = false;
      }
      break;
    case OPT_SEARCH: ok = read_search(r, a->value) && ok; break;
    case OPT_PART: ok = read_part(r, o, a->value) && ok; break;
    }
  }
  return ok;
}

void check_beliefs(ctx *c, check_agent *a, ast_stmt *s) {
  agent_beliefs *b = &a->beliefs;
  *b = (agent_beliefs){.method = BELIEFS_AUTO, .iterations = 16, .tol = 1e-6, .window = 8, .samples = 1000, .warmup = 100, .thin = 1, .sensory_precision = 1, .state_precision = 1};
  const ast_name *name = s ? method_of(c, s->value, "beliefs", "vmp(iterations = 16)") : NULL;
  if (!name) return;
  b->at = s->at;
  const size_t k = find_method(c, name, "method of beliefs", beliefs_names, BELIEFS_COUNT);
  if (k == BELIEFS_COUNT) return;
  b->method = (beliefs_method)k;
  const reading r = {c, beliefs_names[k], 1u << k, (char *)b};
  if (s->value->kind == EXPR_CALL) read_options(&r, &s->value->call.args);
}

/* ---- plans */

bool agent_policy_count(const check_agent *a, const size_table *sizes, bool bound, double *n) {
  double once = 1;
  *n = 1;
  for (size_t k = 0; k < a->nactions; k++) {
    int64_t values;
    if (bound ? !size_value(sizes, a->action[k].size, &values) : !size_is_const(sizes, a->action[k].size, &values)) return false;
    once *= (double)values;
  }
  for (uint32_t t = 0; t < a->plan.horizon; t++) *n *= once;
  return true;
}

/* Weights of policies are one for each. */
static void check_habit(ctx *c, const check_agent *a) {
  const agent_plan *p = &a->plan;
  const ast_expr *e = p->habit.value;
  const ty_info *t = e ? ty_of(e) : NULL;
  if (!t) return;
  if (t->rank != 1) {
    diag *d = cx_error(c, "E0651", e->at, "`habit` is a weight for each policy: a vector, not %s", ty_print(c->p, t));
    point_shape(c, d, e);
    return;
  }
  double n;
  int64_t has, listed;
  const ty_info *v = p->policies.value ? ty_of(p->policies.value) : NULL;
  if (!size_is_const(c->p->sizes, t->dim[0], &has)) return;
  if (v ? !v->rank || !size_is_const(c->p->sizes, v->dim[0], &listed) : !agent_policy_count(a, c->p->sizes, false, &n)) return;
  if (v) n = (double)listed;
  if ((double)has == n) return;
  diag *d = cx_error(c, "E0651", e->at, "`habit` has a weight for each policy, of which there are %.15g, and this is %s", n, ty_print(c->p, t));
  if (v) cx_point(c, d, p->policies.at, "the policies");
  else {
    for (size_t k = 0; k < a->nactions; k++) cx_point(c, d, a->action[k].sym->at, "`%s` has %s values", a->action[k].sym->name, size_text(c->st, a->action[k].size));
    cx_help(c, d, "every choice of actions in each of %u steps is a policy", p->horizon);
  }
  point_shape(c, d, e);
}

static void check_policies(ctx *c, const check_agent *a) {
  const ast_expr *e = a->plan.policies.value;
  const ty_info *t = e ? ty_of(e) : NULL;
  if (!t) return;
  int64_t n;
  const unsigned rank = a->nactions > 1 ? 3 : 2;
  bool fits = t->kind == TY_INT && t->rank == rank;
  if (fits && size_is_const(c->p->sizes, t->dim[1], &n)) fits = n == a->plan.horizon;
  if (fits && rank == 3 && size_is_const(c->p->sizes, t->dim[2], &n)) fits = (size_t)n == a->nactions;
  if (fits) return;
  const char *form = rank == 2 ? arena_printf(c->a, "int[P, %u]", a->plan.horizon) : arena_printf(c->a, "int[P, %u, %zu]", a->plan.horizon, a->nactions);
  diag *d = cx_error(c, "E0651", e->at, "policies are rows of actions, one for each step ahead: %s, not %s", form, ty_print(c->p, t));
  point_shape(c, d, e);
  cx_point(c, d, a->plan.at, "`horizon` is %u", a->plan.horizon);
}

void check_plan(ctx *c, check_agent *a, ast_stmt *s) {
  agent_plan *p = &a->plan;
  *p = (agent_plan){.horizon = 1, .samples = 1000, .precision = 16, .utility = 1, .parameter_gain = 1, .action_precision = 1};
  const ast_name *name = s ? method_of(c, s->value, "plan", "efe(horizon = 3)") : NULL;
  if (!name) return;
  p->at = s->at;
  static const char *const methods[] = {"efe"};
  if (find_method(c, name, "method of planning", methods, 1)) return;
  const reading r = {c, "efe", O_EFE, (char *)p};
  if (s->value->kind == EXPR_CALL && !read_options(&r, &s->value->call.args)) return;
  check_habit(c, a);
  check_policies(c, a);
}

void check_learn_options(ctx *c, const ast_args *args, agent_learn *l) {
  const reading r = {c, "learn", O_LEARN, (char *)l};
  read_options(&r, args);
}

void check_simulation_options(ctx *c, const ast_args *args, agent_simulation *out) {
  const reading r = {c, "simulate", O_SIMULATE, (char *)out};
  read_options(&r, args);
}
