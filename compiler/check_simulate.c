/* check_simulate.c: `simulate a in w on .. with ..`: an agent, the world that it is put into, and how long. */
#include "compiler/check_state.h"

#include <string.h>

static const char *nearest_in(ctx *c, const char *name, decl_kind kind) {
  const char **words = ARENA_ARRAY(c->a, const char *, c->st->ndecls + 1);
  size_t n = 0;
  for (size_t i = 0; i < c->st->ndecls; i++)
    if (c->st->decls[i]->decl->kind == kind) words[n++] = c->st->decls[i]->name;
  return nearest_of(name, words, n);
}

/* The world of the statement, or NULL: none, or a report. */
static symbol *find_world(ctx *c, ast_run *r) {
  if (!name_present(&r->world) || name_missing(&r->world)) return NULL;
  symbol *s = ptr_map_get(&c->st->user, r->world.name);
  if (s && s->decl && s->decl->kind == DECL_WORLD) return r->world.sym = s;
  if (!s && c->st->syntax_errors) return NULL;
  diag *d = s ? cx_error(c, "E0809", r->world.at, "`%s` is %s, not a world", s->name, sym_noun(s))
              : cx_error(c, "E0801", r->world.at, "there is no world called `%s`", r->world.name);
  const char *near = nearest_in(c, r->world.name, DECL_WORLD);
  if (s) cx_point(c, d, s->at, "declared here");
  if (near) cx_help(c, d, "did you mean `%s`?", near);
  else if (s && s->decl && s->decl->kind == DECL_AGENT) cx_help(c, d, "without `in`, the agent's own equations are its world");
  return NULL;
}

/* What one of the two has and the other must have too: observations of the agent, actions of the world. */
typedef struct side {
  const symbol **sym;
  size_t n;
} side;

static side observations(ctx *c, const check_agent *a) {
  side s = {ARENA_ARRAY(c->a, const symbol *, a->nobservations + 1), a->nobservations};
  for (size_t k = 0; k < s.n; k++) s.sym[k] = a->observation[k].sym;
  return s;
}

static side actions(ctx *c, const check_agent *a) {
  side s = {ARENA_ARRAY(c->a, const symbol *, a->nactions + 1), a->nactions};
  for (size_t k = 0; k < s.n; k++) s.sym[k] = a->action[k].sym;
  return s;
}

static const symbol *of_name(const side *s, const char *name) {
  for (size_t k = 0; k < s->n; k++)
    if (s->sym[k]->name == name) return s->sym[k];
  return NULL;
}

static void report_sizes(ctx *c, span at, const char *what, const symbol *a, const symbol *w) {
  diag *d = cx_error(c, "E0658", at, "agent and world have different values of the %s `%s`: 1..%s and 1..%s", what, a->name, size_text(c->st, a->type->count),
                     size_text(c->st, w->type->count));
  cx_point(c, d, a->at, "the agent's");
  cx_point(c, d, w->at, "the world's");
}

static void help_nearest(ctx *c, diag *d, const side *s, const char *name, const char *verb) {
  const char **words = ARENA_ARRAY(c->a, const char *, s->n + 1);
  for (size_t k = 0; k < s->n; k++) words[k] = s->sym[k]->name;
  const char *near = nearest_of(name, words, s->n);
  if (near) cx_help(c, d, "did you mean `%s`, which it %s?", near, verb);
}

static void check_match(ctx *c, const check_agent *a, const check_agent *w, const ast_run *r) {
  const span at = r->world.at;
  if (w->owner && w->owner != a->sym) {
    diag *d = cx_error(c, "E0658", at, "world `%s` is for agent `%s`", w->sym->name, w->owner->name);
    cx_point(c, d, w->decl->owner.at, "declared here");
    return;
  }
  const side seen = observations(c, a), shown = observations(c, w), taken = actions(c, w), chosen = actions(c, a);
  for (size_t k = 0; k < seen.n; k++) {
    const symbol *o = seen.sym[k], *x = of_name(&shown, o->name);
    if (x && x->type->count != o->type->count) report_sizes(c, at, "observation", o, x);
    if (x) continue;
    diag *d = cx_error(c, "E0658", at, "the agent observes `%s`, which world `%s` does not show", o->name, w->sym->name);
    cx_point(c, d, o->at, "the agent's observation");
    cx_point(c, d, w->sym->at, "the world");
    help_nearest(c, d, &shown, o->name, "shows");
  }
  for (size_t k = 0; k < taken.n && !w->owner; k++) {
    const symbol *v = taken.sym[k], *x = of_name(&chosen, v->name);
    if (x && x->type->count != v->type->count) report_sizes(c, at, "action", x, v);
    if (x) continue;
    diag *d = cx_error(c, "E0658", at, "world `%s` waits for the action `%s`, which agent `%s` does not have", w->sym->name, v->name, a->sym->name);
    cx_point(c, d, v->at, "the world's action");
    cx_point(c, d, a->sym->at, "the agent");
    help_nearest(c, d, &chosen, v->name, "has");
  }
}

/* One name in both signatures is one array. */
static void check_shared(ctx *c, const check_agent *a, const check_agent *w, const ast_run *r) {
  for (size_t k = 0; k < w->data->ndata; k++)
    for (size_t i = 0; i < a->data->ndata; i++) {
      const symbol *x = a->data->data[i], *y = w->data->data[k];
      if (x->name != y->name || ty_is_error(x->type) || ty_is_error(y->type)) continue;
      if (strcmp(ty_print_full(c->p, x->type), ty_print_full(c->p, y->type)) == 0) continue;
      diag *d = cx_error(c, "E0658", r->world.at, "`%s` is %s for the agent and %s for the world, and both read one array of the data", x->name, ty_print_full(c->p, x->type),
                         ty_print_full(c->p, y->type));
      cx_point(c, d, x->at, "the agent's");
      cx_point(c, d, y->at, "the world's");
      cx_help(c, d, "declare them alike, or give one another name");
    }
}

static void refuse_clauses(ctx *c, const ast_run *r) {
  if (r->given.n) {
    diag *d = cx_error(c, "E0809", r->given.items[0].at, "`given` fixes unknowns of a model, and `simulate` has none");
    cx_help(c, d, "what a world begins with is the `start` of its states");
  }
  if (r->using_) cx_error(c, "E0845", r->using_->at, "`using` names the kernel of annealing and tempering");
  if (r->until) cx_error(c, "E0810", r->until->at, "`until` looks at chains, and `simulate` has none");
}

/* The options behind `with`, and the number of steps behind `for`. */
static ast_args named_options(ctx *c, const ast_run *r) {
  ast_args named = {0};
  for (size_t i = 0; i < r->with.n; i++)
    if (name_present(&r->with.items[i].name)) ARENA_PUSH(c->a, named.items, named.n, named.cap, r->with.items[i]);
  if (!r->steps) return named;
  const ast_arg steps = {.name = {.name = intern(c->p->names, "steps"), .at = r->steps->at}, .value = r->steps, .at = r->steps->at};
  ARENA_PUSH(c->a, named.items, named.n, named.cap, steps);
  return named;
}

static const agent_simulation usual = {.steps = 100, .trials = 1, .agents = 1, .seed = 1};

static void check_with(ctx *c, const ast_run *r) {
  for (size_t i = 0; i < r->with.n; i++) {
    const ast_arg *a = &r->with.items[i];
    if (name_present(&a->name) || a->value->kind == EXPR_ERROR) continue;
    diag *d = cx_error(c, "E0803", a->at, "`simulate` has no method");
    cx_help(c, d, "how the agent infers and plans stands in its `beliefs` and `plan`; here are options, such as `with steps = 100`");
  }
  const ast_args named = named_options(c, r);
  agent_simulation s = usual;
  check_simulation_options(c, &named, &s);
}

void check_simulate(ctx *c, ast_run *r, symbol *s) {
  const check_agent *a = sym_of(s)->agent;
  symbol *world = find_world(c, r);
  const check_agent *w = world ? sym_of(world)->agent : NULL;
  refuse_clauses(c, r);
  check_with(c, r);
  if (!a || a->wrong || (w && w->wrong)) return;
  if (w) {
    check_match(c, a, w, r);
    check_shared(c, a, w, r);
  }
  check_bindings(c, r, agent_data(c->p, a, w));
}

void agent_simulation_of(check_program *p, const ast_run *run, agent_simulation *out) {
  ctx c;
  ctx_init(&c, p->state, CTX_RUN, NULL);
  const ast_args named = named_options(&c, run);
  *out = usual;
  check_simulation_options(&c, &named, out);
}
