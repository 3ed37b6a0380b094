/* agent_tables.c: see the header. */
#include "vm/agent_tables.h"

#include "vm/interp.h"
#include "vm/number_text.h"

#include <math.h>
#include <string.h>

const agent_table *agent_table_find(const agent_tables *t, bool world, table_kind kind, const symbol *of) {
  for (size_t k = 0; k < t->n; k++)
    if (t->table[k].world == world && t->table[k].kind == kind && t->table[k].of == of) return &t->table[k];
  return NULL;
}

static bool is_distribution(const agent_table *x) { return x->kind <= TABLE_OBSERVE; }

/* "the step of `place`" */
static const char *table_text(arena *mem, const agent_table *x) {
  static const char *const of[] = {[TABLE_START] = "the start of", [TABLE_STEP] = "the step of", [TABLE_OBSERVE] = "the observation", [TABLE_PREFER] = "the preference for",
                                   [TABLE_COUNTS] = "the counts of"};
  static const char *const alone[] = {[TABLE_HABIT] = "the habit", [TABLE_POLICIES] = "the list of policies", [TABLE_GOAL] = "the goal"};
  return x->of ? arena_printf(mem, "%s `%s`", of[x->kind], x->of->name) : alone[x->kind];
}

/* " at place = 2, move = 1" */
static const char *column_text(arena *mem, const agent_table *x, size_t column) {
  strbuf b;
  strbuf_init(&b, mem);
  size_t *at = ARENA_ARRAY(mem, size_t, x->part->nparents);
  for (size_t k = x->part->nparents; k-- > 0; column /= x->values[k]) at[k] = column % x->values[k] + 1;
  for (size_t k = 0; k < x->part->nparents; k++) strbuf_printf(&b, "%s%s = %zu", k ? ", " : " at ", x->part->parent[k]->name, at[k]);
  return b.s;
}

/* ---- which tables there are */

static bool has_values(aim_task *t, const symbol *s, ir_size size) {
  const int64_t n = size_eval(t->p.sizes, size);
  if (n >= 1 && n <= INT32_MAX) return true;
  diag_add(&t->p.diags, DIAG_ERROR, "E0775", s->at, n < 1 ? "`%s` has no value with these data" : "`%s` has too many values with these data", s->name);
  return false;
}

static bool check_sizes(aim_task *t, const check_agent *a) {
  bool ok = true;
  for (size_t k = 0; k < a->nactions; k++) ok = has_values(t, a->action[k].sym, a->action[k].size) && ok;
  for (size_t k = 0; k < a->nstates; k++) ok = has_values(t, a->state[k].sym, a->state[k].size) && ok;
  for (size_t k = 0; k < a->nobservations; k++) ok = has_values(t, a->observation[k].sym, a->observation[k].size) && ok;
  return ok;
}

static bool add(aim_task *t, agent_tables *out, size_t *cap, bool world, table_kind kind, const agent_part *part, const symbol *of) {
  static const char *const names[] = {[TABLE_START] = "start", [TABLE_STEP] = "step", [TABLE_OBSERVE] = "observe", [TABLE_PREFER] = "prefer", [TABLE_COUNTS] = "counts",
                                      [TABLE_HABIT] = "habit", [TABLE_POLICIES] = "policies", [TABLE_GOAL] = "goal"};
  arena *mem = &t->mem;
  if (!part->value) return true;
  const char *name = arena_printf(mem, of ? "%s%s.%s" : "%s%s", world ? "world." : "", names[kind], of ? of->name : "");
  agent_table x = {.kind = kind, .world = world, .part = part, .of = of, .fn = ir_fn_find(t->p.module, name), .n = 1, .columns = 1};
  if (!x.fn) return false;
  size_t *values = ARENA_ARRAY(mem, size_t, part->nparents);
  x.values = values;
  for (size_t k = 0; k < part->nparents; k++) {
    values[k] = (size_t)size_eval(t->p.sizes, part->parent[k]->type->count);
    x.columns = x.columns > SIZE_MAX / values[k] ? SIZE_MAX : x.columns * values[k];
  }
  const ir_type r = ir_type_of(x.fn, x.fn->ret[0]);
  if (is_distribution(&x)) {
    x.points = x.fn->nret == 2 ? (size_t)size_eval(t->p.sizes, r.dim[0]) : r.elem == IR_INT && r.rank == 0 ? 1 : 0;
    x.rank = 1;
    x.n = (size_t)(x.dim[0] = size_eval(t->p.sizes, of->type->count));
  } else {
    x.rank = r.rank;
    for (int k = 0; k < r.rank; k++) x.n *= (size_t)(x.dim[k] = size_eval(t->p.sizes, r.dim[k]));
  }
  ARENA_PUSH(mem, out->table, out->n, *cap, x);
  return true;
}

static bool list(aim_task *t, agent_tables *out, size_t *cap, const check_agent *a, bool world) {
  bool ok = true;
  for (size_t k = 0; k < a->nstates; k++) {
    const agent_state *s = &a->state[k];
    ok = add(t, out, cap, world, TABLE_START, &s->start, s->sym) && add(t, out, cap, world, TABLE_STEP, &s->step, s->sym) && ok;
  }
  for (size_t k = 0; k < a->nobservations; k++) {
    const agent_observation *o = &a->observation[k];
    ok = add(t, out, cap, world, TABLE_OBSERVE, &o->likelihood, o->sym) && add(t, out, cap, world, TABLE_PREFER, &o->prefer, o->sym) && ok;
  }
  for (size_t k = 0; k < a->nlearn; k++) ok = add(t, out, cap, world, TABLE_COUNTS, &a->learn[k].counts, a->learn[k].data) && ok;
  ok = add(t, out, cap, world, TABLE_HABIT, &a->plan.habit, NULL) && ok;
  ok = add(t, out, cap, world, TABLE_POLICIES, &a->plan.policies, NULL) && ok;
  return add(t, out, cap, world, TABLE_GOAL, &a->plan.goal, NULL) && ok;
}

/* ---- evaluation */

typedef enum fault { FAULT_NONE, FAULT_BOUND, FAULT_NAN, FAULT_NEGATIVE, FAULT_SUM, FAULT_INFINITE, FAULT_OUTSIDE } fault;

typedef struct finding {
  fault what;
  size_t column;
  double value;
  exec_report report;
} finding;

/* Room for what one call returns. */
typedef struct room {
  exec_cell *index;   /* [most parents] */
  exec_arg *in;
  exec_cell *out[2];  /* [most cells] */
} room;

static size_t stored(const agent_table *x) { return x->points ? x->points : x->n; }

static bool is_looked_at(const agent_table *x) { return x->columns <= AGENT_TABLE_MOST && stored(x) <= 4 * (size_t)AGENT_TABLE_MOST / x->columns; }

/* A column as numbers, where it is kept or small; and what is wrong with it. */
static fault look(agent_table *x, const room *r, double *to, double *value) {
  const ir_elem elem = (ir_elem)ir_type_of(x->fn, x->fn->ret[0]).elem;
  double sum = 0;
  if (x->points) {
    if (to) memset(to, 0, x->n * sizeof *to);
    size_t some = 0;
    for (size_t k = 0; k < x->points; k++) {
      const int64_t at = r->out[0][k].integer;
      const double w = x->fn->nret == 2 ? r->out[1][k].real : 1.0;
      *value = w;
      if (w != w) return FAULT_NAN;
      if (w < 0) return FAULT_NEGATIVE;
      if (w == (double)INFINITY) return FAULT_INFINITE;
      if (w == 0) continue;
      *value = (double)at + 1;
      if (at < 0 || (uint64_t)at >= x->n) return FAULT_OUTSIDE;
      bool again = false;
      for (size_t i = 0; i < k; i++) again = again || (r->out[0][i].integer == at && (x->fn->nret == 1 || r->out[1][i].real > 0));
      some += !again;
      sum += w;
      if (to) to[at] += w;
    }
    x->nonzero += some;
    x->certain = x->certain && some == 1;
  } else {
    size_t some = 0;
    for (size_t k = 0; k < x->n; k++) {
      const double v = elem == IR_REAL ? r->out[0][k].real : (double)r->out[0][k].integer;
      if (to) to[k] = v;
      *value = v;
      if (v != v) return FAULT_NAN;
      if (v < 0 && (is_distribution(x) || x->kind == TABLE_COUNTS || x->kind == TABLE_HABIT)) return FAULT_NEGATIVE;
      if (v == (double)INFINITY) return FAULT_INFINITE;
      some += v != 0;
      sum += v;
    }
    x->nonzero += some;
    x->certain = x->certain && some == 1;
  }
  *value = sum;
  if (is_distribution(x) && fabs(sum - 1) > AGENT_SUM_TOLERANCE) return FAULT_SUM;
  return x->kind == TABLE_HABIT && sum == 0 ? FAULT_SUM : FAULT_NONE;
}

/* Up to the first fault.  The arena is not asked for anything while the worker lives. */
static void evaluate(aim_task *t, exec_worker *w, agent_table *x, double *p, const room *r, finding *f) {
  const exec_engine *e = t->model.engine;
  const int fn = e->find(t->model.loaded, x->fn->name);
  const size_t parents = x->part->nparents;
  x->certain = true;
  for (size_t k = 0; k < parents; k++) r->index[k].integer = 0;
  for (size_t column = 0; column < x->columns; column++) {
    exec_arg out[2] = {{r->out[0], 1}, {r->out[1], 1}};
    f->column = column;
    if (e->call(w, fn, 1, r->in, out, &f->report) != EXEC_OK) {
      f->what = FAULT_BOUND;
      return;
    }
    f->what = look(x, r, p ? p + column * x->n : NULL, &f->value);
    if (f->what) return;
    for (size_t k = parents; k-- > 0;) {
      if (++r->index[k].integer < (int64_t)x->values[k]) break;
      r->index[k].integer = 0;
    }
  }
  x->seen = true;
  x->p = p;
}

static void report(aim_task *t, const agent_table *x, const finding *f) {
  diag_list *l = &t->p.diags;
  const char *what = table_text(&t->mem, x), *where = column_text(&t->mem, x, f->column);
  diag *d;
  char number[NUMBER_TEXT_SIZE];
  number_text(number, f->value);
  switch (f->what) {
  case FAULT_NONE: return;
  case FAULT_BOUND:
    api_report_bound(t, f->report.where, f->report.index, f->report.extent, "with these data");
    diag_point(l, l->items[l->n - 1], x->part->at, "%s%s", what, where);
    return;
  case FAULT_NAN: diag_add(l, DIAG_ERROR, "E0791", x->part->at, "%s is NaN%s", what, where); return;
  case FAULT_NEGATIVE:
    diag_add(l, DIAG_ERROR, "E0791", x->part->at, "%s has %s%s, and %s are not negative", what, number, where, is_distribution(x) ? "probabilities" : x->kind == TABLE_COUNTS ? "counts" : "weights");
    return;
  case FAULT_SUM:
    if (x->kind == TABLE_HABIT) diag_add(l, DIAG_ERROR, "E0791", x->part->at, "the habit has no weight above 0");
    else diag_add(l, DIAG_ERROR, "E0791", x->part->at, "the probabilities of %s sum to %s, not to 1%s", what, number, where);
    return;
  case FAULT_INFINITE: diag_add(l, DIAG_ERROR, "E0791", x->part->at, "%s is not finite%s", what, where); return;
  case FAULT_OUTSIDE:
    d = diag_add(l, DIAG_ERROR, "E0791", x->part->at, "%s is %s%s", what, number, where);
    diag_say(l, d, "`%s` is one of 1..%zu", x->of->name, x->n);
    return;
  }
}

/* Rows of counts that are all 0 are of probabilities that do not exist. */
static void check_counts(aim_task *t, const agent_table *x) {
  const size_t n = x->rank ? (size_t)x->dim[x->rank - 1] : 0;
  for (size_t row = 0; n && row < x->n / n; row++) {
    double sum = 0;
    for (size_t k = 0; k < n; k++) sum += x->p[row * n + k];
    if (sum > 0) continue;
    diag_add(&t->p.diags, DIAG_ERROR, "E0791", x->part->at, "row %zu of %s has none above 0", row + 1, table_text(&t->mem, x));
    return;
  }
}

double agent_policies(const aim_task *t, const agent_tables *tables) {
  const agent_table *v = agent_table_find(tables, false, TABLE_POLICIES, NULL);
  double n = 0;
  if (v) return (double)v->dim[0];
  agent_policy_count(t->plan.agent, t->p.sizes, true, &n);
  return n;
}

/* Each entry is an action, and there are as many as the plan has steps. */
static void check_policies(aim_task *t, const agent_table *x) {
  const check_agent *a = t->plan.agent;
  diag_list *l = &t->p.diags;
  if (x->dim[1] != a->plan.horizon || (x->rank == 3 && (size_t)x->dim[2] != a->nactions)) {
    diag *d = diag_add(l, DIAG_ERROR, "E0791", x->part->at, "a policy has %lld steps%s here, and the horizon is %u", (long long)x->dim[1],
                       x->rank == 3 ? arena_printf(&t->mem, " of %lld actions", (long long)x->dim[2]) : "", a->plan.horizon);
    if (x->rank == 3) diag_note(l, d, "the agent has %zu actions", a->nactions);
    return;
  }
  for (size_t k = 0; k < x->n; k++) {
    const agent_action *act = &a->action[k % a->nactions];
    const int64_t most = size_eval(t->p.sizes, act->size);
    if (x->p[k] >= 0 && x->p[k] < (double)most) continue;
    const size_t row = k / (x->n / (size_t)x->dim[0]);
    diag_add(l, DIAG_ERROR, "E0791", x->part->at, "policy %zu has the action %.0f, and `%s` is one of 1..%lld", row + 1, x->p[k] + 1, act->sym->name, (long long)most);
    return;
  }
}

static void check_rest(aim_task *t, const agent_tables *tables) {
  diag_list *l = &t->p.diags;
  for (size_t k = 0; k < tables->n; k++) {
    const agent_table *x = &tables->table[k];
    if (!x->seen || !x->p) continue;
    if (x->kind == TABLE_COUNTS) check_counts(t, x);
    if (x->kind == TABLE_POLICIES) check_policies(t, x);
    if (x->kind == TABLE_GOAL && x->nonzero == 0) diag_add(l, DIAG_ERROR, "E0791", x->part->at, "no state meets this goal");
    if (x->kind == TABLE_HABIT && (double)x->n != agent_policies(t, tables)) {
      diag *d = diag_add(l, DIAG_ERROR, "E0791", x->part->at, "the habit has %zu weights, and there are %.15g policies", x->n, agent_policies(t, tables));
      diag_help(l, d, "it has a weight for each, in their order: the last action of the last step runs fastest");
    }
  }
}

static void evaluate_all(aim_task *t, agent_tables *tables, exec_worker *w, double *const *p, const room *r, finding *f) {
  for (size_t k = 0; k < tables->n; k++) {
    agent_table *x = &tables->table[k];
    if (is_looked_at(x)) evaluate(t, w, x, p[k], r, &f[k]);
  }
}

static aim_status tables_make(aim_task *t, agent_tables *out) {
  size_t cap = 0, most = 1, parents = 1;
  const plan *pl = &t->plan;
  if (!check_sizes(t, pl->agent) || (pl->world && !check_sizes(t, pl->world))) return AIM_E_PROGRAM;
  if (!list(t, out, &cap, pl->agent, false) || (pl->world && !list(t, out, &cap, pl->world, true))) return AIM_E_INTERNAL;
  double **p = ARENA_ARRAY(&t->mem, double *, out->n);
  finding *f = ARENA_ARRAY(&t->mem, finding, out->n);
  for (size_t k = 0; k < out->n; k++) {
    const agent_table *x = &out->table[k];
    if (is_looked_at(x) && stored(x) > most) most = stored(x);
    if (x->part->nparents > parents) parents = x->part->nparents;
    if (x->n <= AGENT_TABLE_MOST / x->columns) p[k] = ARENA_ARRAY(&t->mem, double, x->n * x->columns);
  }
  room r = {.index = ARENA_ARRAY(&t->mem, exec_cell, parents), .in = ARENA_ARRAY(&t->mem, exec_arg, parents)};
  r.out[0] = ARENA_ARRAY(&t->mem, exec_cell, most);
  r.out[1] = ARENA_ARRAY(&t->mem, exec_cell, most);
  for (size_t k = 0; k < parents; k++) r.in[k] = (exec_arg){&r.index[k], 1};
  exec_worker *w = t->model.engine->worker_new(t->model.loaded);
  if (!w) return AIM_E_MEMORY;
  evaluate_all(t, out, w, p, &r, f);
  t->model.engine->worker_free(w);
  const size_t errors = t->p.diags.errors;
  for (size_t k = 0; k < out->n; k++) report(t, &out->table[k], &f[k]);
  check_rest(t, out);
  return t->p.diags.errors == errors ? AIM_OK : AIM_E_PROGRAM;
}

static aim_status make(aim_task *t, agent_tables *out) {
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  const plan *pl = &t->plan;
  if (!program_bind(&t->p, agent_data(&t->p.check, pl->agent, pl->world), pl->run, &t->data)) return AIM_E_PROGRAM;
  if (!program_build_agent(&t->p, pl->agent, pl->world, true)) return t->p.broken ? AIM_E_INTERNAL : AIM_E_PROGRAM;
  const aim_status st = api_load(t, &interp_engine, pl->agent->sym->at, "agent");
  return st == AIM_OK ? tables_make(t, out) : st;
}

aim_status api_agent_tables(aim_task *t, agent_tables *out) {
  *out = (agent_tables){0};
  if (!t || !t->plan.agent || t->state != TASK_NEW || t->model.loaded) return AIM_E_USAGE;
  const aim_status st = make(t, out);
  if (st != AIM_OK) t->state = TASK_BROKEN;
  return st;
}
