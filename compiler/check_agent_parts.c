/* check_agent_parts.c: the expressions of an agent: where states start and step, what is observed of them, what is preferred, what is learnt. */
#include "compiler/check_state.h"

#include "lang/ast_copy.h"

#include <math.h>
#include <string.h>

enum { STATES = 1u << SYM_STATE, ACTIONS = 1u << SYM_ACTION, TIME = 1u << SYM_TIME };

/* ---- vectors over the values of a variable */

/* Probabilities that are written out. */
static void check_written(ctx *c, const ast_expr *e) {
  if (e->kind == EXPR_IF) {
    check_written(c, e->if_.then);
    check_written(c, e->if_.else_);
  }
  if (e->kind != EXPR_ARRAY) return;
  double sum = 0, x;
  for (size_t k = 0; k < e->array.elems.n; k++) {
    if (!const_of_expr(e->array.elems.items[k], &x)) return;
    if (x < 0) {
      cx_error(c, "E0653", e->array.elems.items[k]->at, "%g is negative, and probabilities are not", x);
      return;
    }
    sum += x;
  }
  if (fabs(sum - 1) <= AGENT_SUM_TOLERANCE) return;
  diag *d = cx_error(c, "E0653", e->at, "these probabilities sum to %.10g, not to 1", sum);
  if (sum > 0) cx_help(c, d, "to give weights, divide them by their sum: `let w = [...]`, and then `w / sum(w)`");
}

/* The array of the signature of which e is a row, and nothing else. */
static const symbol *row_of(const ast_expr *e) {
  const ast_expr *base = e->kind == EXPR_INDEX ? e->index.base : e;
  const symbol *s = base->kind == EXPR_NAME ? base->name.sym : NULL;
  const size_t subs = e->kind == EXPR_INDEX ? e->index.subs.n : 0;
  if (!s || s->kind != SYM_DATA || s->type->rank != subs + 1) return NULL;
  for (size_t k = 0; k < subs; k++) {
    const ty_info *t = ty_of(e->index.subs.items[k]);
    if (!t || t->kind != TY_INT || t->rank) return NULL;
  }
  return s;
}

/* e is a vector with an element for each value of `of`, which was declared at `declared`. */
static void check_vector(ctx *c, ast_expr *e, const symbol *of, const ast_type *declared, agent_reads *r, agent_part *p, bool simplex) {
  c->reads = r;
  const ty_info *t = check_expr(c, e);
  c->reads = NULL;
  p->at = e->at;
  if (ty_is_error(t) || ty_is_error(of->type)) return;
  const char *what = simplex ? "a probability" : "a log preference";
  const char *n = size_text(c->st, of->type->count);
  if (!ty_is_value(t) || t->rank != 1 || t->dim[0] != of->type->count) {
    diag *d = cx_error(c, "E0651", e->at, "%s must have %s for each value of `%s`: real[%s], not %s", r->what, what, of->name, n, ty_print(c->p, t));
    point_shape(c, d, e);
    cx_point(c, d, declared->at, "`%s` has %s values", of->name, n);
    if (t->rank == 0 && t->kind == TY_INT) cx_help(c, d, "a value that is certain is `onehot(k, %s)`", n);
    else if (t->rank == 0) cx_help(c, d, "write one for each value: `[...]`, or `rep(x, %s)`", n);
    else if (t->rank > 1) cx_help(c, d, "name the row by what it depends on: `P[s]`");
    return;
  }
  if (simplex) check_written(c, e);
  p->value = e;
  p->row = row_of(e);
  agent_part_close(c, p, r);
}

const ty_info *agent_data_part(ctx *c, ast_expr *e, const char *what, agent_part *p) {
  agent_reads r = {.what = what, .why = "it is made of data alone"};
  c->reads = &r;
  const ty_info *t = check_expr(c, e);
  c->reads = NULL;
  p->at = e->at;
  if (ty_is_error(t) || !value_expected(c, e, t, what)) return NULL;
  p->value = e;
  p->row = row_of(e);
  agent_part_close(c, p, &r);
  return t;
}

/* ---- states */

static void check_state_parts(ctx *c, agent_state *x, const ast_stmt *s) {
  const char *name = x->sym->name;
  agent_reads start = {.what = arena_printf(c->a, "the start of `%s`", name), .why = "the start is before anything has happened: it is made of data alone"};
  agent_reads step = {.what = arena_printf(c->a, "the step of `%s`", name), .may = STATES | ACTIONS,
                      .why = "a step reads the states and actions of the step before; what is observed follows from states, by `observe`"};
  check_vector(c, s->variable.start, x->sym, s->variable.type, &start, &x->start, true);
  check_vector(c, s->variable.step, x->sym, s->variable.type, &step, &x->step, true);
}

/* ---- observations */

/* [logpdf(D, k) for k in 1..n]: log weights of any distribution, within 1..n. */
static ast_expr *weighed(ctx *c, ast_expr *dist, const ast_type *type, const char *name) {
  ast_copier copy = {.mem = c->a};
  intern_table *names = c->p->names;
  const span at = dist->at;
  const char *k = intern(names, arena_printf(c->a, "%s.value", name));
  ast_expr *density = ast_new_call(c->a, intern(names, "logpdf"), at), *all = ast_new_expr(c->a, EXPR_COMPREHENSION, at);
  ast_add_arg(c->a, density, dist);
  ast_add_arg(c->a, density, ast_new_name(c->a, k, at));
  ast_range r = {.var = {.name = k, .at = at}, .lo = ast_new_int(c->a, 1, at), .hi = ast_copy_expr(&copy, type->kind == TYPE_RANGE ? type->hi : type->args.items[0]), .at = at};
  ARENA_PUSH(c->a, all->comprehension.iter.items, all->comprehension.iter.n, all->comprehension.iter.cap, r);
  all->comprehension.iter.at = at;
  all->comprehension.body = density;
  return all;
}

static bool is_probabilities(ctx *c, const drawn *d) {
  return sym_of(d->dist)->library && d->dist->name == intern(c->p->names, "Categorical") && strcmp(d->parts->params[0]->name, "p") == 0;
}

/* What is no distribution of integers.  False after a report. */
static bool draws_integers(ctx *c, const agent_observation *x, ast_expr *e) {
  const ty_info *t = ty_of(e);
  const bool dist = t->kind == TY_DIST;
  if (dist && t->event->kind == TY_INT) return true;
  const char *name = x->sym->name;
  diag *d = dist ? cx_error(c, "E0654", e->at, "`%s` draws %s, and `%s` is one of 1..n", e->call.fn.name, t->event->kind == TY_BOOL ? "truth values" : "reals", name)
                 : cx_error(c, "E0654", e->at, "right of `~` stands a distribution, this is %s", ty_print(c->p, t));
  if (dist && t->event->kind == TY_BOOL) cx_help(c, d, "write the probabilities of 1 and 2: `Categorical([1 - p, p])`");
  else if (dist) cx_help(c, d, "observations are discrete: `Categorical(A[s])`, or another distribution of integers");
  else cx_help(c, d, "`Categorical(p)` observes 1..n by their probabilities");
  return false;
}

static void check_likelihood(ctx *c, agent_observation *x, const ast_stmt *s) {
  agent_part *p = &x->likelihood;
  ast_expr *e = s->variable.dist;
  ast_copier copier = {.mem = c->a};
  ast_expr *copy = ast_copy_expr(&copier, e);
  agent_reads r = {.what = arena_printf(c->a, "the observation `%s`", x->sym->name), .may = STATES,
                   .why = "an observation reads the states as they are; an action shows in it by the states that it moves"};
  p->at = e->at;
  drawn d;
  c->reads = &r;
  bool ok = expr_draws(c, e) || e->kind == EXPR_ERROR ? check_drawn(c, e, &d) : !ty_is_error(check_expr(c, e));
  c->reads = NULL;
  if (!ok || ty_is_error(x->sym->type) || !draws_integers(c, x, e)) return;
  if (d.event.rank || d.batch.rank) {
    diag *g = cx_error(c, "E0654", e->at, "`%s` is one number, and this draws an array", x->sym->name);
    for (size_t k = 0; k < d.parts->nparams; k++) point_shape(c, g, d.args[k]);
    cx_help(c, g, "name the row by the states that it depends on: `A[s]`");
    return;
  }
  if (!check_support(c, s->variable.name.at, x->sym->type, s->variable.type, &d, e, false)) return;
  if (is_probabilities(c, &d)) {
    p->value = d.args[0];
    check_written(c, p->value);
  } else {
    p->value = weighed(c, copy, s->variable.type, x->sym->name);
    p->logs = true;
    if (ty_is_error(check_expr(c, p->value))) return;
  }
  p->row = row_of(p->value);
  agent_part_close(c, p, &r);
}

/* ---- preferences */

static agent_observation *find_observation(check_agent *a, const char *name) {
  for (size_t k = 0; k < a->nobservations; k++)
    if (a->observation[k].sym->name == name) return &a->observation[k];
  return NULL;
}

static void unknown_observation(ctx *c, const check_agent *a, const ast_name *n) {
  const symbol *s = ptr_map_get(&c->names, n->name);
  diag *d = s ? cx_error(c, "E0655", n->at, "`%s` is %s, and preferences are over observations", n->name, sym_noun(s))
              : cx_error(c, "E0655", n->at, "agent `%s` has no observation called `%s`", a->sym->name, n->name);
  if (s) cx_point(c, d, s->at, "declared here");
  const char **words = ARENA_ARRAY(c->a, const char *, a->nobservations + 1);
  for (size_t k = 0; k < a->nobservations; k++) words[k] = a->observation[k].sym->name;
  const char *near = nearest_of(n->name, words, a->nobservations);
  if (near) cx_help(c, d, "did you mean `%s`?", near);
  else if (s && s->kind == SYM_STATE) cx_help(c, d, "a state to be reached is a goal: `plan efe(goal = %s == 1)`", n->name);
}

/* log(C): the preference of outcomes by their probabilities, which can be learnt. */
static const symbol *log_row_of(const ast_expr *e) {
  const symbol *f = e->kind == EXPR_CALL ? e->call.fn.sym : NULL;
  return f && f->kind == SYM_BUILTIN && f->builtin == BUILTIN_LOG && e->call.args.n == 1 ? row_of(e->call.args.items[0].value) : NULL;
}

static void check_prefer(ctx *c, check_agent *a, ast_stmt *s) {
  ast_target *t = &s->prefer.target;
  if (name_missing(&t->name)) return;
  agent_observation *x = find_observation(a, t->name.name);
  if (!x) {
    unknown_observation(c, a, &t->name);
    return;
  }
  t->name.sym = x->sym;
  if (t->subs.n) {
    diag *d = cx_error(c, "E0655", t->at, "a preference is of all values of `%s`", x->sym->name);
    cx_help(c, d, "write a vector, `prefer %s = [0, 3, -3]`; what changes with time is a row of it, `C[t]`", x->sym->name);
    return;
  }
  if (x->prefer.at.file) {
    diag *d = cx_error(c, "E0655", s->at, "a second preference for `%s`", x->sym->name);
    cx_point(c, d, x->prefer.at, "the first one");
    return;
  }
  agent_reads r = {.what = arena_printf(c->a, "the preference for `%s`", x->sym->name), .may = TIME,
                   .why = "a preference is made of data, and of `t`, the step of the plan from 1; a state to be reached is a goal: `plan efe(goal = s == 1)`"};
  size_t mark = scope_enter(c);
  const char *name = intern(c->p->names, "t");
  if (!ptr_map_get(&c->names, name)) {
    symbol *time = sym_new(c->st, SYM_TIME, name, s->at);
    ty_info *type = ARENA_NEW(c->a, ty_info);
    *type = *ty_scalar(c->st, TY_INT);
    type->support = IR_SUP_FINITE;
    type->count = size_const(c->p->sizes, a->plan.horizon);
    time->type = type;
    time->stochastic = true;
    value_add(c, time);
  }
  check_vector(c, s->prefer.value, x->sym, x->declared, &r, &x->prefer, false);
  scope_leave(c, mark);
  if (!x->prefer.row && x->prefer.value) x->prefer.row = log_row_of(x->prefer.value);
}

/* ---- learning */

static const symbol *find_data(const check_agent *a, const char *name) {
  for (size_t k = 0; k < a->data->ndata; k++)
    if (a->data->data[k]->name == name) return a->data->data[k];
  return NULL;
}

static bool is_simplexes(ctx *c, const check_agent *a, const ast_name *n, const symbol *s) {
  if (!s) {
    const symbol *other = ptr_map_get(&c->names, n->name);
    diag *d = other ? cx_error(c, "E0656", n->at, "`%s` is %s, and an agent learns arrays of its signature", n->name, sym_noun(other))
                    : cx_error(c, "E0656", n->at, "the signature of agent `%s` has no `%s`", a->sym->name, n->name);
    if (other) cx_point(c, d, other->at, "declared here");
    const char **words = ARENA_ARRAY(c->a, const char *, a->data->ndata + 1);
    for (size_t k = 0; k < a->data->ndata; k++) words[k] = a->data->data[k]->name;
    const char *near = nearest_of(n->name, words, a->data->ndata);
    if (near) cx_help(c, d, "did you mean `%s`?", near);
    return false;
  }
  if (ty_is_error(s->type)) return false;
  if (s->type->support == IR_SUP_SIMPLEX) return true;
  diag *d = cx_error(c, "E0656", n->at, "what is learnt are probabilities, and `%s` is %s", n->name, ty_print(c->p, s->type));
  cx_point(c, d, s->at, "declared here");
  if (s->type->rank) cx_help(c, d, "declare its last axis as a simplex, `%s: simplex(K)[...]`", n->name);
  return false;
}

static void check_learn(ctx *c, check_agent *a, ast_stmt *s) {
  ast_name *n = &s->learn.name;
  if (name_missing(n)) return;
  symbol *data = (symbol *)find_data(a, n->name);
  if (!is_simplexes(c, a, n, data)) return;
  n->sym = data;
  sym_of(data)->used = true;
  for (size_t k = 0; k < a->nlearn; k++)
    if (a->learn[k].data == data) {
      diag *d = cx_error(c, "E0656", s->at, "`%s` is learnt twice", data->name);
      cx_point(c, d, a->learn[k].at, "first here");
      return;
    }
  agent_learn *x = &a->learn[a->nlearn++];
  *x = (agent_learn){.data = data, .at = n->at, .rate = 1};
  check_learn_options(c, &s->learn.options, x);
  ast_expr *e = s->learn.dist;
  agent_reads r = {.what = arena_printf(c->a, "the prior of `%s`", data->name), .why = "counts are made of data alone"};
  drawn d;
  c->reads = &r;
  bool ok = check_drawn(c, e, &d);
  c->reads = NULL;
  if (!ok) return;
  if (!sym_of(d.dist)->library || d.dist->name != intern(c->p->names, "Dirichlet")) {
    diag *g = cx_error(c, "E0656", e->at, "probabilities are learnt as counts: behind `~` stands `Dirichlet(counts)`");
    cx_help(c, g, "`learn %s ~ Dirichlet(4 * %s)` begins as sure as after four observations", data->name, data->name);
    return;
  }
  const ty_info *t = ty_of(d.args[0]), *whole = data->type;
  bool fits = t->rank <= whole->rank;
  for (unsigned k = 0; k < t->rank && fits; k++) fits = t->dim[k] == whole->dim[whole->rank - t->rank + k];
  if (!fits) {
    diag *g = cx_error(c, "E0656", e->at, "the counts of `%s` have its shape: real%s, not %s", data->name, strchr(ty_print(c->p, ty_as(c->st, whole, TY_REAL)), '['), ty_print(c->p, t));
    cx_point(c, g, data->at, "`%s` is %s", data->name, ty_print(c->p, whole));
    point_shape(c, g, d.args[0]);
    return;
  }
  x->counts.value = d.args[0];
  x->counts.at = e->at;
  agent_part_close(c, &x->counts, &r);
}

/* Counts go to rows: what is learnt is read as rows of its array, and nowhere else. */
typedef struct uses {
  ctx *c;
  const agent_learn *learn;
  size_t n;
} uses;

static void see_use(uses *u, const agent_part *p, const char *how) {
  const symbol *data = u->learn->data;
  bool reads = false;
  for (size_t k = 0; k < p->nreads; k++) reads = reads || p->reads[k] == data;
  if (!reads) return;
  u->n++;
  if (p->row == data) return;
  diag *d = cx_error(u->c, "E0656", p->at, "`%s` is learnt, and this makes something else of it", data->name);
  cx_point(u->c, d, u->learn->at, "learnt here");
  cx_help(u->c, d, "%s", how);
}

static void check_learnt(ctx *c, const check_agent *a, const agent_part *lets, size_t nlets) {
  for (size_t k = 0; k < a->nlearn; k++) {
    uses u = {c, &a->learn[k], 0};
    const char *row = arena_printf(c->a, "counts are added to rows: read one as it is, `%s[...]`", a->learn[k].data->name);
    for (size_t i = 0; i < a->nstates; i++) {
      see_use(&u, &a->state[i].start, row);
      see_use(&u, &a->state[i].step, row);
    }
    for (size_t i = 0; i < a->nobservations; i++) {
      see_use(&u, &a->observation[i].likelihood, row);
      see_use(&u, &a->observation[i].prefer, "log preferences are learnt as the probabilities of outcomes: `prefer o = log(C)`");
    }
    see_use(&u, &a->plan.habit, row);
    see_use(&u, &a->plan.policies, row);
    see_use(&u, &a->plan.goal, row);
    for (size_t i = 0; i < nlets; i++) see_use(&u, &lets[i], "a `let` is computed once: read the array itself");
    if (u.n || c->p->diags->errors) continue;
    diag *d = cx_error(c, "E0656", a->learn[k].at, "nothing is drawn from `%s`, so there is nothing to learn it by", a->learn[k].data->name);
    cx_help(c, d, "`observe o: 1..n ~ Categorical(%s[s])`, or the `start` or `step` of a state, reads it", a->learn[k].data->name);
  }
}

/* ---- all of them */

static ast_stmt *only(ctx *c, const check_agent *a, stmt_kind kind, const char *word) {
  ast_stmt *first = NULL;
  for (size_t i = 0; i < a->decl->body->n; i++) {
    ast_stmt *s = a->decl->body->items[i];
    if (s->kind != kind) continue;
    if (first) {
      diag *d = cx_error(c, "E0657", s->at, "a second `%s` in agent `%s`", word, a->sym->name);
      cx_point(c, d, first->at, "the first one");
    } else first = s;
  }
  return first;
}

void check_agent_parts(ctx *c, check_agent *a, agent_part *lets, size_t nlets) {
  ast_block *b = a->decl->body;
  check_beliefs(c, a, only(c, a, STMT_BELIEFS, "beliefs"));
  check_plan(c, a, only(c, a, STMT_PLAN, "plan"));
  size_t states = 0, observations = 0;
  for (size_t i = 0; i < b->n; i++) {
    ast_stmt *s = b->items[i];
    if (s->kind == STMT_STATE) check_state_parts(c, &a->state[states++], s);
    if (s->kind == STMT_OBSERVE) check_likelihood(c, &a->observation[observations++], s);
    if (s->kind == STMT_PREFER) check_prefer(c, a, s);
    if (s->kind == STMT_LEARN) check_learn(c, a, s);
  }
  check_learnt(c, a, lets, nlets);
}
