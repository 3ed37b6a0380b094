/* check_submodel.c: a model as a distribution over a record: `hs ~ horseshoe(D)`, `hs.beta`.
 *
 * The statement becomes a group: the statements of that model with `hs.` in front of every name that they define, and what was given in
 * the place of the parameters.  A name or an element is put there as it stands, so that `y ~ ...` on a parameter observes the data that was given;
 * anything else is a `let` first.  The sizes of the model's signature are told from the types of what was given, and are names too, `hs.N`.
 * From there on nothing is special about them: the checker, binding and lowering see one model whose quantities are called `hs.beta`.
 *
 * Groups are made when the arrays of a body are collected, and checked in their turn.  In `hs[j] ~ m(...)` each array that
 * is drawn or built by elements has the subscripts of hs in front of its own; what the model tracks and predicts is left out there. */
#include "compiler/check_state.h"

#include "lang/ast_copy.h"

#include <string.h>

enum { DEPTH_MAX = 16, COUNT_MAX = 1000 };

struct submodel {
  symbol *model;
  ast_expr *call;
  ast_expr **args;     /* in the order of the signature */
  const char *name;    /* of the record */
  ast_exprs subs;      /* of an array of records */
  submodel *outer;
  unsigned depth;
  bool failed;         /* reported */
};

typedef struct copy {
  ctx *c;
  submodel *m;
  const check_model *of;
  ptr_map defined;     /* names of the model that are drawn or built by elements */
} copy;

static const char *inside(copy *k, const char *name) { return intern(k->c->p->names, arena_printf(k->c->a, "%s.%s", k->m->name, name)); }

static size_t param_of(const copy *k, const char *name) {
  size_t i = 0;
  while (i < k->of->ndata && k->of->data[i]->name != name) i++;
  return i;
}

static bool is_place(const ast_expr *e) { return e->kind == EXPR_NAME || (e->kind == EXPR_INDEX && e->index.base->kind == EXPR_NAME); }

/* What a use of the parameter is replaced by: its argument, or the name of the `let` that holds it. */
static bool by_let(const ast_expr *arg) { return !is_place(arg) && arg->kind != EXPR_INT && arg->kind != EXPR_REAL && arg->kind != EXPR_BOOL; }

static ast_exprs with_subs(copy *k, ast_copier *copier, const ast_exprs *first, const ast_exprs *then) {
  ast_copier plain = {.mem = k->c->a};
  ast_exprs out = ast_copy_exprs(&plain, first);
  for (size_t i = 0; then && i < then->n; i++) {
    ast_expr *e = ast_copy_expr(copier, then->items[i]);
    ARENA_PUSH(k->c->a, out.items, out.n, out.cap, e);
  }
  return out;
}

static ast_expr *element(copy *k, const char *name, ast_exprs subs, span at) {
  ast_expr *base = ast_new_name(k->c->a, name, at);
  if (subs.n == 0) return base;
  ast_expr *e = ast_new_expr(k->c->a, EXPR_INDEX, at);
  e->index.base = base;
  e->index.subs = subs;
  return e;
}

/* `beta`, and `inner.beta` of what the model has drawn itself. */
static bool is_defined(copy *k, const char *name) {
  if (ptr_map_get(&k->defined, name)) return true;
  const char *dot = strchr(name, '.');
  return dot && ptr_map_get(&k->defined, intern_bytes(k->c->p->names, name, (size_t)(dot - name)));
}

static ast_expr *copy_use(copy *k, ast_copier *copier, const char *name, const ast_exprs *subs, span at) {
  size_t p = param_of(k, name);
  if (p < k->of->ndata) {
    const ast_expr *arg = k->m->args[p];
    ast_copier plain = {.mem = k->c->a};
    ast_expr *whole = by_let(arg) ? ast_new_name(k->c->a, inside(k, name), at) : ast_copy_expr(&plain, arg);
    whole->at = at;
    if (!subs) return whole;
    ast_expr *e = ast_new_expr(k->c->a, EXPR_INDEX, at);
    e->index.base = whole;
    e->index.subs = ast_copy_exprs(copier, subs);
    return e;
  }
  if (k->m->subs.n == 0 || !is_defined(k, name)) return NULL;
  return element(k, inside(k, name), with_subs(k, copier, &k->m->subs, subs), at);
}

static ast_expr *copy_expr(ast_copier *copier, const ast_expr *e) {
  copy *k = copier->user;
  if (e->kind == EXPR_NAME && e->name.name[0]) return copy_use(k, copier, e->name.name, NULL, e->at);
  if (e->kind == EXPR_INDEX && e->index.base->kind == EXPR_NAME) return copy_use(k, copier, e->index.base->name.name, &e->index.subs, e->at);
  return NULL;
}

static const char *copy_name(ast_copier *copier, const char *name) {
  copy *k = copier->user;
  size_t p = param_of(k, name);
  if (p < k->of->ndata && k->m->args[p]->kind == EXPR_NAME) return k->m->args[p]->name.name; /* of `predict y` */
  return inside(k, name);
}

static bool copy_target(ast_copier *copier, const ast_target *t, ast_target *out) {
  copy *k = copier->user;
  if (name_missing(&t->name)) return false;
  *out = *t;
  size_t p = param_of(k, t->name.name);
  const ast_expr *arg = p < k->of->ndata ? k->m->args[p] : NULL;
  const ast_exprs none = {0}, *first = &none;
  const char *name = inside(k, t->name.name);
  if (arg && is_place(arg)) {
    name = arg->kind == EXPR_NAME ? arg->name.name : arg->index.base->name.name;
    if (arg->kind == EXPR_INDEX) first = &arg->index.subs;
  } else if (!arg && is_defined(k, t->name.name)) first = &k->m->subs;
  out->name = (ast_name){.name = name, .at = t->name.at};
  out->subs = with_subs(k, copier, first, &t->subs);
  out->type = ast_copy_type(copier, t->type);
  return true;
}

void submodel_note(ptr_map *defined, const ast_block *b) {
  for (size_t i = 0; b && i < b->n; i++) {
    const ast_stmt *s = b->items[i];
    if (s->kind == STMT_GROUP) s = s->group.of;
    switch (s->kind) {
    case STMT_SAMPLE: ptr_map_put(defined, s->sample.target.name.name, (void *)s); break;
    case STMT_LET:
      if (s->let.target.subs.n) ptr_map_put(defined, s->let.target.name.name, (void *)s);
      break;
    case STMT_PLATE: submodel_note(defined, s->plate.body); break;
    case STMT_FOR: submodel_note(defined, s->for_.body); break;
    case STMT_IF: submodel_note(defined, s->if_.then), submodel_note(defined, s->if_.else_); break;
    default: break;
    }
  }
}

static void add_let(copy *k, ast_block *body, size_t param) {
  ast_stmt *s = ARENA_NEW(k->c->a, ast_stmt);
  ast_expr *value = k->m->args[param];
  s->kind = STMT_LET;
  s->at = value->at;
  s->let.target.name = (ast_name){.name = inside(k, k->of->data[param]->name), .at = value->at};
  s->let.target.at = value->at;
  s->let.value = value;
  ARENA_PUSH(k->c->a, body->items, body->n, body->cap, s);
}

/* The model that s draws from, or NULL. */
static symbol *drawn_model(ctx *c, const ast_stmt *s) {
  const ast_expr *e = s->kind == STMT_SAMPLE ? s->sample.dist : NULL;
  if (!c->model || !e || e->kind != EXPR_CALL || e->call.of || !e->call.fn.name[0]) return NULL;
  symbol *f = callable_find(c, e->call.fn.name);
  return f && f->kind == SYM_MODEL ? f : NULL;
}

static bool uses_itself(ctx *c, const ast_expr *e, symbol *model) {
  bool again = model == c->owner;
  for (const submodel *m = c->expanding; m && !again; m = m->outer) again = m->model == model;
  if (!again) return false;
  diag *d = cx_error(c, "E0415", e->at, "model `%s` is a part of itself", model->name);
  cx_point(c, d, model->at, "declared here");
  return true;
}

/* What is given for parameter i, by its name or its place; NULL: nothing. */
static const ast_expr *given_for(const ast_expr *call, const check_model *of, size_t i) {
  const ast_arg *named = ast_args_find(&call->call.args, of->data[i]->name);
  if (named) return named->value;
  return i < call->call.args.n && !call->call.args.items[i].name.name ? call->call.args.items[i].value : NULL;
}

static const symbol *own_data(const ctx *c, const ast_expr *e) {
  for (size_t i = 0; e && e->kind == EXPR_NAME && i < c->model->ndata; i++)
    if (c->model->data[i]->name == e->name.name) return c->model->data[i];
  return NULL;
}

/* `len[1]` of the model around, by the name of its size; NULL: it has none, which is reported. */
static const char *row_size(ctx *c, const char *of, const ast_expr *row, span at) {
  const char *text = ast_expr_text(c->a, row), *name = intern(c->p->names, arena_printf(c->a, "%s[%s]", of, text));
  for (size_t i = 0; i < c->model->ndata; i++)
    if (c->model->data[i]->name == name) return name;
  diag *d = cx_error(c, "E0690", at, "this model reads row %s as an array, and must have it from the model around", text);
  cx_point(c, d, row->at, "here");
  cx_help(c, d, "give it that row by itself: a parameter `x: real[N]`, and `y[%s]` in the call", text);
  return NULL;
}

/* With a ragged array go the arrays that say how its rows lie (check_ragged.c), which the call does not name. */
static bool give_rows(ctx *c, ast_expr *call, const check_model *of) {
  static const char *const words[] = {[ROWS_LENGTHS] = "", [ROWS_ROW] = ".row", [ROWS_COLUMN] = ".col", [ROWS_START] = ".start", [ROWS_LONGEST] = ".max", [ROWS_LENGTH_OF] = "", [ROWS_START_OF] = ".start"};
  for (size_t i = 0; i < of->ndata; i++) {
    const ast_param *p = of->data[i]->param;
    const ast_expr *arg = p->rows == ROWS_CELLS ? given_for(call, of, i) : NULL;
    if (!arg) continue; /* what is missing is told by match_args */
    const symbol *y = own_data(c, arg);
    if (!y || !y->param || y->param->rows != ROWS_CELLS) {
      if (arg->kind == EXPR_ERROR) return false;
      diag *d = cx_error(c, "E0690", arg->at, "`%s` of `%s` is ragged: only ragged data of the signature can be given for it", of->data[i]->name, call->call.fn.name);
      cx_point(c, d, of->data[i]->at, "declared here");
      if (y) cx_point(c, d, y->at, "this is %s", ty_print(c->p, y->type));
      return false;
    }
    for (size_t k = 0; k < of->ndata; k++) {
      const ast_param *rows = of->data[k]->param;
      if (rows->rows <= ROWS_CELLS || rows->lengths != p->lengths || given_for(call, of, k)) continue;
      const char *name = intern(c->p->names, arena_printf(c->a, "%s%s", y->param->lengths, words[rows->rows]));
      if (rows->row) name = row_size(c, name, rows->row, arg->at);
      if (!name) return false;
      ast_arg a = {.name = {.name = of->data[k]->name, .at = arg->at}, .value = ast_new_name(c->a, name, arg->at), .at = arg->at};
      ARENA_PUSH(c->a, call->call.args.items, call->call.args.n, call->call.args.cap, a);
    }
  }
  return true;
}

/* The copy, or what is to be reported; *failed says that it was. */
static ast_block *expand(ctx *c, const ast_stmt *s, submodel *m) {
  symbol *model = m->model;
  ast_expr *e = m->call;
  if (uses_itself(c, e, model)) return NULL;
  if (!sym_of(model)->model) check_model_body(c->st, model);
  if (sym_of(model)->over_failed) return NULL;
  if (m->depth > DEPTH_MAX || ++c->st->nsubmodels > COUNT_MAX) {
    cx_error(c, "E0621", e->at, m->depth > DEPTH_MAX ? "models are nested more than %d deep" : "a program draws from at most %d models", m->depth > DEPTH_MAX ? DEPTH_MAX : COUNT_MAX);
    return NULL;
  }
  if (s->sample.target.type) {
    diag *d = cx_error(c, "E0607", s->sample.target.type->at, "`%s` is a record, whose types model `%s` declares", m->name, model->name);
    cx_point(c, d, model->at, "declared here");
    return NULL;
  }
  copy k = {.c = c, .m = m, .of = sym_of(model)->model};
  if (!give_rows(c, e, k.of)) return NULL;
  const signature sig = {.params = k.of->data, .n = k.of->ndata};
  if (!match_args(c, e, model, &sig, &m->args)) return NULL;
  ptr_map_init(&k.defined, c->a);
  submodel_note(&k.defined, model->decl->body);
  ast_copier copier = {.mem = c->a, .user = &k, .expr = copy_expr, .name = copy_name, .target = copy_target};
  for (size_t i = 0; i < k.of->ndata; i++)
    if (m->args[i] == k.of->data[i]->param->default_) m->args[i] = ast_copy_expr(&copier, m->args[i]);
  ast_block *body = ast_copy_block(&copier, model->decl->body), *all = ARENA_NEW(c->a, ast_block);
  all->at = body->at;
  for (size_t i = 0; i < k.of->ndata; i++)
    if (by_let(m->args[i])) add_let(&k, all, i);
  for (size_t i = 0; i < body->n; i++) {
    ast_stmt *x = body->items[i];
    /* What is reported stands outside of loops. */
    if (m->subs.n && (x->kind == STMT_TRACK || x->kind == STMT_PREDICT || x->kind == STMT_REPLICATE)) continue;
    ARENA_PUSH(c->a, all->items, all->n, all->cap, x);
  }
  return all;
}

void submodel_expand(ctx *c, ast_stmt *s) {
  symbol *model = drawn_model(c, s);
  if (!model) return;
  ast_stmt *of = ARENA_NEW(c->a, ast_stmt), *group = s;
  *of = *s;
  const ast_target *t = &of->sample.target;
  submodel *m = ARENA_NEW(c->a, submodel);
  *m = (submodel){.model = model, .call = of->sample.dist, .name = t->name.name, .subs = t->subs, .outer = c->expanding};
  m->depth = c->expanding ? c->expanding->depth + 1 : 1;
  ast_block *body = name_missing(&t->name) ? NULL : expand(c, of, m);
  m->failed = body == NULL;
  if (of->sample.iter.n) {
    /* `hs[j] ~ m(...) for j in 1..J`: the group in a plate. */
    group = ARENA_NEW(c->a, ast_stmt);
    s->kind = STMT_PLATE;
    s->plate.iter = of->sample.iter;
    s->plate.body = ARENA_NEW(c->a, ast_block);
    s->plate.body->at = s->at;
    ARENA_PUSH(c->a, s->plate.body->items, s->plate.body->n, s->plate.body->cap, group);
  }
  *group = (ast_stmt){.kind = STMT_GROUP, .at = of->at, .id = of->id, .depth = of->depth};
  group->group.of = of;
  group->group.info = m;
  group->group.body = body ? body : ARENA_NEW(c->a, ast_block);
}

/* The sizes of the signature from the types of what was given. */
static bool check_signature(ctx *c, submodel *m) {
  const check_model *of = sym_of(m->model)->model;
  bool ok = true;
  for (size_t i = 0; i < of->ndata; i++) {
    c->subscripted = m->args[i]; /* that the part gets it does not read it: what it does with it is written out */
    ok = !ty_is_error(check_expr(c, m->args[i])) && ok;
  }
  c->subscripted = NULL;
  size_t nsizes = 0; /* numbers of levels, which stand behind the others, are told again in this model */
  while (nsizes < of->nsize_syms && !of->size_syms[nsizes]->level) nsizes++;
  signature sig = {.params = of->data, .n = of->ndata, .sizes = of->size_syms, .nsizes = nsizes};
  size_solution sol;
  if (!ok || !unify_args(c, m->call, m->model, &sig, m->args, NULL, &sol)) return false;
  for (size_t i = 0; i < nsizes; i++) {
    symbol *s = sym_new(c->st, SYM_SIZE, intern(c->p->names, arena_printf(c->a, "%s.%s", m->name, of->size_syms[i]->name)), m->call->at);
    s->type = ty_scalar(c->st, TY_INT);
    s->size = sol.to[i];
    sym_of(s)->used = true;
    value_add(c, s);
  }
  return true;
}

void check_submodel(ctx *c, ast_stmt *group) {
  submodel *m = group->group.info;
  const ast_target *t = &group->group.of->sample.target;
  if (!m->failed && c->loops && m->subs.n == 0) {
    diag *g = cx_error(c, "E0616", t->at, "every iteration over `%s` would draw `%s` again", c->loops->range->var.name, m->name);
    cx_point(c, g, c->loops->range->at, "the loop over `%s`", c->loops->range->var.name);
    cx_help(c, g, "`%s[%s]` gives every iteration its own; one for all is drawn before the loop", m->name, c->loops->range->var.name);
    m->failed = true;
  }
  if (!m->failed && m->subs.n == 0 && ptr_map_get(&c->names, m->name)) {
    symbol *again = sym_new(c->st, SYM_LATENT, m->name, t->name.at);
    again->type = ty_scalar(c->st, TY_ERROR);
    value_add(c, again);
    m->failed = true;
  } else if (!m->failed && !check_signature(c, m)) m->failed = true;
  if (m->subs.n == 0 || m->failed) {
    symbol *record = sym_new(c->st, SYM_LATENT, m->name, t->name.at);
    record->type = ty_scalar(c->st, m->failed ? TY_ERROR : TY_RECORD);
    record->stochastic = true;
    if (m->failed) value_hide(c, record);
    else value_add(c, record);
  }
  if (m->failed) {
    group->group.body = ARENA_NEW(c->a, ast_block);
    return;
  }
  size_t before = c->p->diags->n;
  check_block(c, group->group.body);
  for (size_t i = before; i < c->p->diags->n; i++) diag_point(c->p->diags, c->p->diags->items[i], group->at, "as a part of model `%s`", c->owner->name);
}

/* --- fields */

/* Reports a field of something that has others; false when nothing is known that begins with its name. */
static bool no_field(ctx *c, const ast_expr *e, const char *of) {
  const char **words = ARENA_ARRAY(c->a, const char *, c->nall + 1);
  size_t n = 0, prefix = strlen(of);
  for (size_t i = 0; i < c->nall; i++)
    if (strncmp(c->all[i]->name, of, prefix) == 0 && c->all[i]->name[prefix] == '.') words[n++] = c->all[i]->name + prefix + 1;
  if (n == 0) return false;
  diag *d = cx_error(c, "E0508", e->field.field.at, "`%s` has no `%s`", of, e->field.field.name);
  bool local = false;
  for (size_t i = 0; i < n; i++) local = local || strcmp(words[i], e->field.field.name) == 0;
  const char *near = nearest_of(e->field.field.name, words, n);
  if (near && !local) cx_help(c, d, "did you mean `%s.%s`?", of, near);
  else if (local) cx_help(c, d, "a plain `let` belongs to each of them; what is drawn, and arrays by elements, can be read from outside");
  return true;
}

/* "hs.inner.beta" of `hs[j].inner.beta`, and [j]; NULL when it is not made of names, fields and subscripts. */
static const char *path_of(ctx *c, const ast_expr *e, ast_exprs *subs) {
  if (e->kind == EXPR_NAME) return e->name.name;
  if (e->kind == EXPR_INDEX) {
    const char *of = path_of(c, e->index.base, subs);
    for (size_t i = 0; of && i < e->index.subs.n; i++) ARENA_PUSH(c->a, subs->items, subs->n, subs->cap, e->index.subs.items[i]);
    return of;
  }
  if (e->kind != EXPR_FIELD || !e->field.field.name[0]) return NULL;
  const char *of = path_of(c, e->field.base, subs);
  return of && of[0] ? intern(c->p->names, arena_printf(c->a, "%s.%s", of, e->field.field.name)) : NULL;
}

const char *field_path(ctx *c, const ast_expr *e) {
  ast_exprs subs = {0};
  const char *name = path_of(c, e, &subs);
  return subs.n ? NULL : name;
}

bool field_resolve(ctx *c, ast_expr *e) {
  ast_exprs subs = {0}, none = {0};
  const char *name = path_of(c, e, &subs);
  if (!name) return false;
  if (!ptr_map_get(&c->names, name)) {
    const char *of = path_of(c, e->field.base, &none);
    symbol *record = ptr_map_get(&c->names, of);
    bool broken = record && record->type && ty_is_error(record->type);
    if (!broken && record && record->type && record->type->kind != TY_RECORD) return false;
    if (!broken && !no_field(c, e, of)) return false;
    e->kind = EXPR_ERROR;
    return false;
  }
  ast_name whole = {.name = name, .at = e->at};
  if (subs.n == 0) {
    e->kind = EXPR_NAME;
    e->name = whole;
    return true;
  }
  ast_expr *base = ast_new_name(c->a, name, e->at);
  e->kind = EXPR_INDEX;
  e->index.base = base;
  e->index.subs = subs;
  return true;
}
