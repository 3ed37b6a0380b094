/* check_agent.c: agents and worlds as wholes: their variables, and which statements there are (agent.h).
 *
 * An agent does not run from top to bottom: its statements may name variables that stand further down.  So variables and `let`s are entered
 * first, in their order, and then every expression is checked with a note of what it may read (agent_read): a step reads what was a step
 * ago, an observation what is. */
#include "compiler/check_state.h"

/* ---- what an expression reads */

bool agent_read(ctx *c, symbol *s, span at) {
  agent_reads *r = c->reads;
  const bool variable = s->kind == SYM_ACTION || s->kind == SYM_STATE || s->kind == SYM_OBSERVATION || s->kind == SYM_TIME;
  if (!variable && s->kind != SYM_DATA) return true;
  if (variable && !(r->may & 1u << s->kind)) {
    diag *d = cx_error(c, "E0650", at, "%s cannot read %s", r->what, sym_noun(s));
    cx_say(c, d, "`%s` is %s", s->name, sym_noun(s));
    cx_point(c, d, s->at, "declared here");
    cx_help(c, d, "%s", r->why);
    return false;
  }
  for (size_t k = 0; k < r->n; k++)
    if (r->seen[k] == s) return true;
  ARENA_PUSH(c->a, r->seen, r->n, r->cap, s);
  return true;
}

/* States before actions, each in the order of their declarations, and the step of the plan last. */
static bool comes_before(symbol *a, symbol *b) {
  const int x = a->kind == SYM_STATE ? 0 : a->kind == SYM_ACTION ? 1 : 2, y = b->kind == SYM_STATE ? 0 : b->kind == SYM_ACTION ? 1 : 2;
  return x != y ? x < y : sym_of(a)->mark < sym_of(b)->mark;
}

void agent_part_close(ctx *c, agent_part *p, const agent_reads *r) {
  p->parent = ARENA_ARRAY(c->a, symbol *, r->n);
  p->reads = ARENA_ARRAY(c->a, symbol *, r->n);
  for (size_t k = 0; k < r->n; k++) {
    symbol *s = (symbol *)r->seen[k];
    if (s->kind == SYM_DATA) {
      p->reads[p->nreads++] = s;
      continue;
    }
    size_t at = p->nparents++;
    for (; at > 0 && comes_before(s, p->parent[at - 1]); at--) p->parent[at] = p->parent[at - 1];
    p->parent[at] = s;
  }
}

/* ---- variables */

/* The number of values of a variable, 1..n; IR_SIZE_NONE after a report. */
static ir_size check_range(ctx *c, const ast_stmt *s, const char *noun, const ty_info **type) {
  const ast_type *t = s->variable.type;
  const ty_info *x = *type = check_type(c, s->variable.type);
  const char *name = s->variable.name.name;
  if (ty_is_error(x)) return IR_SIZE_NONE;
  if (t->dims.n || x->rank) {
    diag *d = cx_error(c, "E0652", t->at, "%s `%s` is one number, not an array", noun, name);
    cx_help(c, d, "give each element a declaration of its own");
    return IR_SIZE_NONE;
  }
  if (t->kind != TYPE_RANGE && !(x->kind == TY_INT && x->count != IR_SIZE_NONE)) {
    diag *d = cx_error(c, "E0652", t->at, "%s `%s` is one of 1..n, and this is %s", noun, name, ty_print(c->p, x));
    cx_help(c, d, "write the number of its values: `%s: 1..4`", name);
    return IR_SIZE_NONE;
  }
  if (x->lo) {
    diag *d = cx_error(c, "E0652", t->lo->at, "the values of `%s` are counted from 1", name);
    cx_help(c, d, "write `1..n`, and compute with `%s - 1` where counting from 0 is meant", name);
    return IR_SIZE_NONE;
  }
  int64_t n;
  if (x->count == IR_SIZE_NONE) {
    diag *d = cx_error(c, "E0510", t->hi->at, "how many values `%s` has must be known before the run", name);
    cx_help(c, d, "sizes are made of literals and of sizes and ints of the signature by `+ - * // %%`");
  } else if (size_is_const(c->p->sizes, x->count, &n) && n < 1) {
    cx_error(c, "E0652", t->at, "`%s` has no value", name);
    return IR_SIZE_NONE;
  }
  return x->count;
}

/* number: which of its kind it is. */
static symbol *new_variable(ctx *c, sym_kind kind, ast_stmt *s, size_t number, ir_size *size) {
  static const char *const nouns[] = {[SYM_ACTION] = "action", [SYM_STATE] = "state", [SYM_OBSERVATION] = "observation"};
  ast_name *name = &s->variable.name;
  symbol *v = sym_new(c->st, kind, name->name, name->at);
  *size = check_range(c, s, nouns[kind], &v->type);
  if (*size == IR_SIZE_NONE) v->type = ty_scalar(c->st, TY_ERROR);
  v->stochastic = true;
  sym_of(v)->mark = number;
  name->sym = v;
  if (!name_missing(name)) value_add(c, v);
  return v;
}

/* `every` slows a state down. */
static int64_t check_every(ctx *c, ast_stmt *s) {
  ast_expr *e = s->variable.every;
  if (!e || e->kind == EXPR_ERROR) return 1;
  if (e->kind == EXPR_INT && e->integer.value >= 1 && e->integer.value <= 1000000) return e->integer.value;
  diag *d = cx_error(c, "E0659", e->at, "`every` needs a whole number from 1 to 1000000, written out");
  cx_help(c, d, "`every 4`: `%s` makes a step at every fourth step of the world", s->variable.name.name);
  return 1;
}

/* The actions of the agent that a world is for are the world's. */
static void enter_owner(ctx *c, check_agent *a) {
  ast_name *owner = &a->decl->owner;
  if (!name_present(owner) || name_missing(owner)) return;
  symbol *s = ptr_map_get(&c->st->user, owner->name);
  if (!s || !s->decl || s->decl->kind != DECL_AGENT) {
    diag *d = s ? cx_error(c, "E0809", owner->at, "`%s` is %s, and a world is for an agent", s->name, sym_noun(s))
                : cx_error(c, "E0801", owner->at, "there is no agent called `%s`", owner->name);
    if (s) cx_point(c, d, s->at, "declared here");
    const char **words = ARENA_ARRAY(c->a, const char *, c->st->ndecls + 1);
    size_t n = 0;
    for (size_t i = 0; i < c->st->ndecls; i++)
      if (c->st->decls[i]->decl && c->st->decls[i]->decl->kind == DECL_AGENT) words[n++] = c->st->decls[i]->name;
    const char *near = nearest_of(owner->name, words, n);
    if (near) cx_help(c, d, "did you mean `%s`?", near);
    return;
  }
  owner->sym = a->owner = s;
  check_agent_body(c->st, s);
  const check_agent *of = sym_of(s)->agent;
  for (size_t k = 0; of && k < of->nactions; k++) {
    symbol *v = sym_new(c->st, SYM_ACTION, of->action[k].sym->name, of->action[k].sym->at);
    v->type = of->action[k].sym->type;
    v->stochastic = true;
    sym_of(v)->mark = k;
    a->action[a->nactions++] = (agent_action){v, of->action[k].size};
    value_add(c, v);
  }
}

static size_t count_kind(const ast_block *b, stmt_kind kind) {
  size_t n = 0;
  for (size_t i = 0; i < b->n; i++) n += b->items[i]->kind == kind;
  return n;
}

/* A `let` reads data alone, since there is no time at which it would be computed. */
static void check_agent_let(ctx *c, ast_stmt *s, agent_part *p) {
  agent_reads r = {.what = "a `let`", .why = "a `let` of an agent is made of data: write this where it is read, or make it a function of its arguments"};
  c->reads = &r;
  check_stmt(c, s);
  c->reads = NULL;
  p->value = s->let.value;
  p->at = s->at;
  agent_part_close(c, p, &r);
}

/* An action that the agent has and the world declares again. */
static bool is_owners(ctx *c, const check_agent *a, const ast_stmt *s) {
  for (size_t k = 0; a->owner && k < a->nactions; k++) {
    const symbol *v = a->action[k].sym;
    if (v->name != s->variable.name.name) continue;
    const ty_info *t = check_type(c, s->variable.type);
    if (!ty_is_error(t) && !ty_is_error(v->type) && t->count != v->type->count) {
      diag *d = cx_error(c, "E0658", s->variable.type->at, "action `%s` has other values than that of agent `%s`", v->name, a->owner->name);
      cx_point(c, d, v->at, "the agent's");
    }
    return true;
  }
  return false;
}

static void enter_variables(ctx *c, check_agent *a, agent_part *lets) {
  ast_block *b = a->decl->body;
  size_t nlets = 0;
  for (size_t i = 0; i < b->n; i++) {
    ast_stmt *s = b->items[i];
    switch (s->kind) {
    case STMT_LET: check_agent_let(c, s, &lets[nlets++]); break;
    case STMT_ACTION:
      if (is_owners(c, a, s)) break;
      a->action[a->nactions].sym = new_variable(c, SYM_ACTION, s, a->nactions, &a->action[a->nactions].size);
      a->nactions++;
      break;
    case STMT_STATE: {
      agent_state *x = &a->state[a->nstates];
      x->sym = new_variable(c, SYM_STATE, s, a->nstates++, &x->size);
      x->every = check_every(c, s);
      break;
    }
    case STMT_OBSERVE: {
      agent_observation *x = &a->observation[a->nobservations];
      x->sym = new_variable(c, SYM_OBSERVATION, s, a->nobservations++, &x->size);
      x->declared = s->variable.type;
      break;
    }
    default: break;
    }
  }
}

/* ---- the whole */

/* There is something to see, and something to see it of. */
static void check_whole(ctx *c, const check_agent *a) {
  const char *noun = ast_decl_noun(a->decl->kind), *name = a->sym->name;
  if (a->nstates == 0 || a->nobservations == 0) {
    diag *d = cx_error(c, "E0657", a->decl->head, "%s `%s` has no %s", noun, name, a->nstates == 0 ? "state" : "observation");
    cx_help(c, d, "%s", a->nstates == 0 ? "what there is to know is a state: `state s: 1..2 start [0.5, 0.5] step P[s]`"
                                        : "what is seen of the states is an observation: `observe o: 1..3 ~ Categorical(A[s])`");
  }
  if (a->plan.at.file && a->nactions == 0) {
    diag *d = cx_error(c, "E0657", a->plan.at, "agent `%s` has no action to plan", name);
    cx_help(c, d, "declare what it can do, `action move: 1..4`, and read it in the step of a state");
  }
}

static void note_parents(ptr_map *map, const agent_part *p, const symbol *but) {
  for (size_t k = 0; k < p->nparents; k++)
    if (p->parent[k] != but) ptr_map_put(map, p->parent[k], p->parent[k]);
}

/* What nothing depends on but its own step. */
static void warn_idle(ctx *c, const check_agent *a) {
  ptr_map matters;
  ptr_map_init(&matters, c->a);
  note_parents(&matters, &a->plan.goal, NULL);
  for (size_t k = 0; k < a->nobservations; k++) note_parents(&matters, &a->observation[k].likelihood, NULL);
  for (size_t k = 0; k < a->nstates; k++) note_parents(&matters, &a->state[k].step, a->state[k].sym);
  for (size_t k = 0; k < a->nstates; k++) {
    const symbol *s = a->state[k].sym;
    if (!s->name[0] || ptr_map_get(&matters, s)) continue;
    diag *d = diag_add(c->p->diags, DIAG_WARNING, "W0650", s->at, "nothing depends on the state `%s`", s->name);
    cx_help(c, d, "an observation shows it: `observe o: 1..n ~ Categorical(A[%s])`", s->name);
  }
  for (size_t k = 0; k < a->nactions && !a->owner; k++) {
    const symbol *s = a->action[k].sym;
    if (!s->name[0] || ptr_map_get(&matters, s)) continue;
    diag *d = diag_add(c->p->diags, DIAG_WARNING, "W0650", s->at, "the action `%s` changes nothing", s->name);
    cx_help(c, d, "the step of a state reads it: `step onehot(%s, n)`", s->name);
  }
}

void check_agent_body(check_state *st, symbol *agent) {
  sym_info *info = sym_of(agent);
  if (info->agent) return;
  ctx c;
  ctx_init(&c, st, CTX_AGENT, agent);
  ast_decl *d = agent->decl;
  check_agent *a = info->agent = ARENA_NEW(c.a, check_agent);
  check_model *m = ARENA_NEW(c.a, check_model);
  *m = (check_model){.decl = d, .sym = agent};
  *a = (check_agent){.decl = d, .sym = agent, .world = d->kind == DECL_WORLD, .data = m};
  c.model = m;
  const size_t errors = st->p->diags->errors;
  model_signature(&c);
  const symbol *owner = name_present(&d->owner) ? ptr_map_get(&st->user, d->owner.name) : NULL;
  const size_t of_owner = owner && owner->decl && owner->decl->kind == DECL_AGENT ? count_kind(owner->decl->body, STMT_ACTION) : 0;
  a->action = ARENA_ARRAY(c.a, agent_action, count_kind(d->body, STMT_ACTION) + of_owner);
  a->state = ARENA_ARRAY(c.a, agent_state, count_kind(d->body, STMT_STATE));
  a->observation = ARENA_ARRAY(c.a, agent_observation, count_kind(d->body, STMT_OBSERVE));
  a->learn = ARENA_ARRAY(c.a, agent_learn, count_kind(d->body, STMT_LEARN));
  const size_t nlets = count_kind(d->body, STMT_LET);
  agent_part *lets = ARENA_ARRAY(c.a, agent_part, nlets);
  elements_collect(&c, d->body);
  enter_owner(&c, a);
  enter_variables(&c, a, lets);
  check_agent_parts(&c, a, lets, nlets);
  if (!st->syntax_errors) check_whole(&c, a);
  a->wrong = st->p->diags->errors != errors;
  if (a->wrong || st->syntax_errors) return;
  warn_unused(&c);
  warn_idle(&c, a);
}

/* ---- queries */

check_agent *check_agent_of(check_program *p, const ast_decl *decl) {
  (void)p;
  return decl && (decl->kind == DECL_AGENT || decl->kind == DECL_WORLD) && decl->name.sym ? sym_of(decl->name.sym)->agent : NULL;
}

const check_model *agent_data(check_program *p, const check_agent *agent, const check_agent *world) {
  const check_model *a = agent->data, *w = world ? world->data : NULL;
  if (!w) return a;
  check_model *m = ARENA_NEW(p->mem, check_model);
  *m = *a;
  m->data = ARENA_ARRAY(p->mem, symbol *, a->ndata + w->ndata);
  m->size_syms = ARENA_ARRAY(p->mem, symbol *, a->nsize_syms + w->nsize_syms);
  m->ndata = m->nsize_syms = 0;
  for (size_t k = 0; k < a->ndata; k++) m->data[m->ndata++] = a->data[k];
  for (size_t k = 0; k < a->nsize_syms; k++) m->size_syms[m->nsize_syms++] = a->size_syms[k];
  for (size_t k = 0; k < w->ndata; k++) m->data[m->ndata++] = w->data[k];
  for (size_t k = 0; k < w->nsize_syms; k++) m->size_syms[m->nsize_syms++] = w->size_syms[k];
  return m;
}
