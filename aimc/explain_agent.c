/* explain_agent.c: aimc explain of a `simulate` statement: the agent's factors, their tables and what was found of them; as JSON, the tables themselves. */
#include "aimc/aimc.h"

#include "lang/json_text.h"
#include "vm/agent_tables.h"
#include "vm/number_text.h"

#include <math.h>
#include <string.h>

typedef struct explaining {
  aim_task *t;
  const agent_tables *tables;
} explaining;

static size_t value_count(const explaining *x, ir_size size) { return (size_t)size_eval(x->t->p.sizes, size); }

static const char *number(char *out, double v) {
  number_text(out, v);
  return out;
}

/* ---- as text */

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }

/* "place, move" */
static void print_parents(const agent_part *p) {
  for (size_t k = 0; k < p->nparents; k++) printf("%s%s", k ? ", " : "", p->parent[k]->name);
}

static void print_structure(const agent_table *x) {
  if (x->part->nparents) {
    printf(" given ");
    print_parents(x->part);
    printf(": %zu column%s", x->columns, plural(x->columns));
  }
  fputs(x->part->nparents ? ", " : ": ", stdout);
  if (x->points == 1) printf("one value %s, by a formula", x->part->nparents ? "each" : "for certain");
  else if (x->points) printf("at most %zu values%s, by a formula", x->points, x->part->nparents ? " each" : "");
  else if (!x->seen) printf("%zu numbers, too many to look at", x->n * x->columns);
  else if (x->certain) printf("one value %s", x->part->nparents ? "each" : "for certain");
  else printf("%zu of %zu numbers are not 0", x->nonzero, x->n * x->columns);
  putchar('\n');
}

static void print_part(const explaining *x, bool world, table_kind kind, const symbol *of, const char *word) {
  const agent_table *t = agent_table_find(x->tables, world, kind, of);
  if (!t) return;
  printf("    %s", word);
  print_structure(t);
}

static void print_preference(const explaining *x, const symbol *of) {
  const agent_table *t = agent_table_find(x->tables, false, TABLE_PREFER, of);
  if (!t) return;
  char text[NUMBER_TEXT_SIZE];
  if (t->columns > 1) printf("    prefer: another at each of %zu steps of the plan", t->columns);
  else fputs("    prefer", stdout);
  for (size_t k = 0; t->p && t->columns == 1 && k < t->n && k < 12; k++) printf("%s%s", k ? ", " : ": ", number(text, t->p[k]));
  printf("%s\n", t->columns == 1 && t->n > 12 ? ", ..." : "");
}

static void print_variables(const explaining *x, const check_agent *a) {
  for (size_t k = 0; k < a->nactions; k++) printf("  action %s, %zu value%s\n", a->action[k].sym->name, value_count(x, a->action[k].size), plural(value_count(x, a->action[k].size)));
  for (size_t k = 0; k < a->nstates; k++) {
    const agent_state *s = &a->state[k];
    printf("  state %s, %zu value%s", s->sym->name, value_count(x, s->size), plural(value_count(x, s->size)));
    if (s->every > 1) printf(", every %lld steps", (long long)s->every);
    putchar('\n');
    print_part(x, a->world, TABLE_START, s->sym, "start");
    print_part(x, a->world, TABLE_STEP, s->sym, "step");
  }
  for (size_t k = 0; k < a->nobservations; k++) {
    const agent_observation *o = &a->observation[k];
    printf("  observation %s, %zu value%s\n", o->sym->name, value_count(x, o->size), plural(value_count(x, o->size)));
    print_part(x, a->world, TABLE_OBSERVE, o->sym, "likelihood");
    if (!a->world) print_preference(x, o->sym);
  }
}

/* What the tables take, and what they would over all states and actions together. */
static void print_size(const explaining *x, const check_agent *a) {
  double states = 1, actions = 1, own = 0, joint = 0;
  for (size_t k = 0; k < a->nstates; k++) states *= (double)value_count(x, a->state[k].size);
  for (size_t k = 0; k < a->nactions; k++) actions *= (double)value_count(x, a->action[k].size);
  for (size_t k = 0; k < x->tables->n; k++) {
    const agent_table *t = &x->tables->table[k];
    if (t->world != a->world || (t->kind != TABLE_STEP && t->kind != TABLE_OBSERVE)) continue;
    own += (double)(t->points ? 0 : t->n) * (double)t->columns;
    joint += (double)t->n * states * (t->kind == TABLE_STEP ? actions : 1);
  }
  printf("  %.6g states in all; steps and likelihoods are %.6g numbers, which over all states and actions would be %.6g\n", states, own, joint);
}

static void print_beliefs(const agent_beliefs *b) {
  printf("  beliefs %s", beliefs_names[b->method]);
  if (b->method == BELIEFS_VMP || b->method == BELIEFS_FIXED_POINT || b->method == BELIEFS_MMP) printf(", %u iterations, tolerance %g", b->iterations, b->tol);
  if (b->method == BELIEFS_MMP) printf(", window %u", b->window);
  if (b->method == BELIEFS_GIBBS) printf(", %u samples after %u, thin %u", b->samples, b->warmup, b->thin);
  if (b->sensory_precision != 1) printf(", sensory precision %g", b->sensory_precision);
  if (b->state_precision != 1) printf(", state precision %g", b->state_precision);
  putchar('\n');
}

static void print_plan(const explaining *x, const check_agent *a) {
  const agent_plan *p = &a->plan;
  static const char *const gains[] = {[GAIN_JOINT] = "information about states", [GAIN_BY_OBSERVATION] = "information about states by each observation", [GAIN_OFF] = NULL};
  if (a->nactions == 0) return;
  printf("  plan efe, horizon %u, %.6g policies%s, search %s", p->horizon, agent_policies(x->t, x->tables), p->policies.value ? " listed" : "", search_names[p->search]);
  if (p->search == SEARCH_TREE && p->beam) printf(", beam %u", p->beam);
  if (p->search == SEARCH_TREE) printf(", prune %g", p->prune);
  if (p->search == SEARCH_MCTS) printf(", %u samples", p->samples);
  printf("\n    precision %g; values", p->precision);
  size_t n = 0;
  if (p->utility) printf("%s preferences", n++ ? "," : "");
  if (gains[p->state_gain]) printf("%s %s", n++ ? "," : "", gains[p->state_gain]);
  if (p->parameter_gain && a->nlearn) printf("%s information about what is learnt", n++ ? "," : "");
  printf("%s; %s choice of %s", n ? "" : " nothing", p->selection ? "stochastic" : "deterministic", p->choose ? "a policy" : "each action");
  if (p->selection) printf(", action precision %g", p->action_precision);
  putchar('\n');
  if (p->habit.value) printf("    habit: %zu weights\n", agent_table_find(x->tables, false, TABLE_HABIT, NULL)->n);
  const agent_table *goal = agent_table_find(x->tables, false, TABLE_GOAL, NULL);
  if (!goal) return;
  printf("    goal given ");
  print_parents(goal->part);
  printf(": met in %zu of %zu\n", goal->nonzero, goal->columns);
}

static void print_agent(const explaining *x, const char *name) {
  const plan *pl = &x->t->plan;
  const agent_simulation *s = &pl->simulation;
  const check_agent *a = pl->agent;
  printf("%s: agent %s in %s%s, %u step%s, %u trial%s, %u agent%s, seed %llu\n", name, a->sym->name, pl->world ? "world " : "a world of its own equations", pl->world ? pl->world->sym->name : "",
         s->steps, plural(s->steps), s->trials, plural(s->trials), s->agents, plural(s->agents), (unsigned long long)s->seed);
  print_variables(x, a);
  print_size(x, a);
  print_beliefs(&a->beliefs);
  print_plan(x, a);
  for (size_t k = 0; k < a->nlearn; k++) {
    printf("  learns %s by counts, rate %g", a->learn[k].data->name, a->learn[k].rate);
    if (a->learn[k].forget > 0) printf(", forgetting %g a step", a->learn[k].forget);
    putchar('\n');
  }
  if (!pl->world) return;
  printf("world %s:\n", pl->world->sym->name);
  print_variables(x, pl->world);
  print_size(x, pl->world);
}

/* ---- as JSON */

static void put_name(const explaining *x, const char *key, const char *name) {
  strbuf b;
  strbuf_init(&b, &x->t->mem);
  json_put_text(&b, name);
  printf("%s%s", key, b.s);
}

static void put_number(double v) {
  char text[NUMBER_TEXT_SIZE];
  if (isfinite(v)) fputs(number(text, v), stdout);
  else printf(v > 0 ? "\"inf\"" : "\"-inf\"");
}

/* Nested lists, one level for each of dim. */
static void put_nested(const double *p, const size_t *dim, size_t rank) {
  if (rank == 0) {
    put_number(*p);
    return;
  }
  size_t cells = 1;
  for (size_t k = 1; k < rank; k++) cells *= dim[k];
  putchar('[');
  for (size_t i = 0; i < dim[0]; i++) {
    if (i) putchar(',');
    put_nested(p + i * cells, dim + 1, rank - 1);
  }
  putchar(']');
}

/* An array over the values of the parents and then those of the variable; null where it is too large. */
static void put_table(const explaining *x, const char *key, const agent_table *t) {
  printf(",\"%s\":", key);
  if (!t || !t->p) {
    fputs("null", stdout);
    return;
  }
  size_t *dim = ARENA_ARRAY(&x->t->mem, size_t, t->part->nparents + t->rank), rank = 0;
  for (size_t k = 0; k < t->part->nparents; k++) dim[rank++] = t->values[k];
  for (size_t k = 0; k < t->rank; k++) dim[rank++] = (size_t)t->dim[k];
  put_nested(t->p, dim, rank);
}

static void put_parents(const explaining *x, const agent_part *p) {
  fputs(",\"parents\":[", stdout);
  for (size_t k = 0; k < p->nparents; k++) put_name(x, k ? "," : "", p->parent[k]->name);
  putchar(']');
}

static void put_variables(const explaining *x, const check_agent *a) {
  fputs("\"actions\":[", stdout);
  for (size_t k = 0; k < a->nactions; k++) {
    put_name(x, k ? ",{\"name\":" : "{\"name\":", a->action[k].sym->name);
    printf(",\"values\":%zu}", value_count(x, a->action[k].size));
  }
  fputs("],\"states\":[", stdout);
  for (size_t k = 0; k < a->nstates; k++) {
    const agent_state *s = &a->state[k];
    put_name(x, k ? ",{\"name\":" : "{\"name\":", s->sym->name);
    printf(",\"values\":%zu,\"every\":%lld", value_count(x, s->size), (long long)s->every);
    put_table(x, "start", agent_table_find(x->tables, a->world, TABLE_START, s->sym));
    put_parents(x, &s->step);
    put_table(x, "step", agent_table_find(x->tables, a->world, TABLE_STEP, s->sym));
    putchar('}');
  }
  fputs("],\"observations\":[", stdout);
  for (size_t k = 0; k < a->nobservations; k++) {
    const agent_observation *o = &a->observation[k];
    put_name(x, k ? ",{\"name\":" : "{\"name\":", o->sym->name);
    printf(",\"values\":%zu", value_count(x, o->size));
    put_parents(x, &o->likelihood);
    put_table(x, "likelihood", agent_table_find(x->tables, a->world, TABLE_OBSERVE, o->sym));
    if (!a->world) put_table(x, "prefer", agent_table_find(x->tables, false, TABLE_PREFER, o->sym));
    putchar('}');
  }
  putchar(']');
}

static void put_agent(const explaining *x, const char *name) {
  const plan *pl = &x->t->plan;
  const check_agent *a = pl->agent;
  put_name(x, "{\"name\":", name);
  put_name(x, ",\"agent\":", a->sym->name);
  putchar(',');
  put_variables(x, a);
  fputs(",\"learn\":[", stdout);
  for (size_t k = 0; k < a->nlearn; k++) {
    put_name(x, k ? ",{\"name\":" : "{\"name\":", a->learn[k].data->name);
    fputs(",\"rate\":", stdout);
    put_number(a->learn[k].rate);
    fputs(",\"forget\":", stdout);
    put_number(a->learn[k].forget);
    put_table(x, "counts", agent_table_find(x->tables, false, TABLE_COUNTS, a->learn[k].data));
    putchar('}');
  }
  putchar(']');
  put_table(x, "habit", agent_table_find(x->tables, false, TABLE_HABIT, NULL));
  put_table(x, "policies", agent_table_find(x->tables, false, TABLE_POLICIES, NULL));
  put_table(x, "goal", agent_table_find(x->tables, false, TABLE_GOAL, NULL));
  if (pl->world) {
    put_name(x, ",\"world\":{\"name\":", pl->world->sym->name);
    putchar(',');
    put_variables(x, pl->world);
    putchar('}');
  }
  puts("}");
}

int agent_explain(const args *a, aim_task *t, const char *name) {
  agent_tables tables;
  const aim_status st = api_agent_tables(t, &tables);
  if (st != AIM_OK) return report_task(a, t, st);
  if (ARENA_TRY(&t->mem)) {
    fputs("aimc: memory is exhausted\n", stderr);
    return EXIT_HOST;
  }
  const explaining x = {t, &tables};
  if (a->json) put_agent(&x, name);
  else print_agent(&x, name);
  fflush(stdout);
  return bind_task(a, t);
}
