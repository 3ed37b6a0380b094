/* check_row_parts.c: parts of models whose data are rows of ragged arrays, written out where they are drawn (check_ragged.c).
 *
 *     model walk(y: real[N], s: real) {               plate d in 1..D {
 *       m ~ Normal(0, s)                                r.m[d] ~ Normal(0, s)
 *       y[1] ~ Normal(m, 1)                             w[d, 1] ~ Normal(r.m[d], 1)
 *       for t in 2..N { y[t] ~ Normal(y[t - 1], 1) }    for r.t in 2..len[d] { w[d, r.t] ~ Normal(w[d, r.t - 1], 1) }
 *     }                                               }
 *     plate d in 1..D { r[d] ~ walk(w[d], s) }
 *
 * It is what check_submodel.c does with arrays, done before anything is checked: the sizes of the part are no sizes here, so that they are
 * replaced by the lengths of the rows.  What is written out is then taken for text of the model, rows and all. */
#include "compiler/check_ragged.h"

#include <string.h>

enum { DEEPEST = 16 };

typedef struct row_part {
  ragged *g;
  const ast_decl *of;
  const ast_expr *call;
  const char *name;      /* of the record */
  const ast_exprs *subs; /* of the array of records */
  const row_name *given; /* parameters and sizes */
  ptr_map defined;       /* names that are drawn or built by elements */
} row_part;

static const ast_expr *given(const row_part *p, const char *name) {
  const row_name *n = p->given;
  while (n && n->name != name) n = n->outer;
  return n ? n->value : NULL;
}

static void give(row_part *p, const char *name, const ast_expr *value) {
  row_name *n = ARENA_NEW(p->g->a, row_name);
  *n = (row_name){.name = name, .value = value, .outer = p->given};
  p->given = n;
}

static const char *inside(const row_part *p, const char *name) { return intern(p->g->p->names, arena_printf(p->g->a, "%s.%s", p->name, name)); }

static ast_exprs behind(const row_part *p, ast_copier *c, const ast_exprs *then) {
  ast_copier plain = {.mem = p->g->a};
  ast_exprs out = ast_copy_exprs(&plain, p->subs);
  for (size_t i = 0; then && i < then->n; i++) {
    ast_expr *e = ast_copy_expr(c, then->items[i]);
    ARENA_PUSH(p->g->a, out.items, out.n, out.cap, e);
  }
  return out;
}

/* `beta`, and `inner.beta` of what the part has drawn itself. */
static bool is_defined(const row_part *p, const char *name) {
  if (ptr_map_get(&p->defined, name)) return true;
  const char *dot = strchr(name, '.');
  return dot && ptr_map_get(&p->defined, intern_bytes(p->g->p->names, name, (size_t)(dot - name)));
}

static ast_expr *copy_use(ast_copier *c, const char *name, const ast_exprs *subs, span at) {
  row_part *p = c->user;
  const ast_expr *value = given(p, name);
  if (value && subs && subs->n == 1 && ragged_row_in(p->g, value, false) == value) {
    ast_expr *sub = ast_copy_expr(c, subs->items[0]);
    return sub->kind == EXPR_ALL ? ragged_copy(p->g, value) : ragged_part(p->g, value, sub);
  }
  if (value) return subs ? ragged_subscripted(p->g, ragged_copy(p->g, value), ast_copy_exprs(c, subs), at) : ragged_copy(p->g, value);
  if (!is_defined(p, name)) return NULL;
  return ragged_subscripted(p->g, ast_new_name(p->g->a, inside(p, name), at), behind(p, c, subs), at);
}

static ast_expr *copy_expr(ast_copier *c, const ast_expr *e) {
  if (e->kind == EXPR_NAME) return copy_use(c, e->name.name, NULL, e->at);
  if (e->kind == EXPR_INDEX && e->index.base->kind == EXPR_NAME) return copy_use(c, e->index.base->name.name, &e->index.subs, e->at);
  return NULL;
}

static const char *copy_name(ast_copier *c, const char *name) {
  return strcmp(name, "pi") == 0 || strcmp(name, "inf") == 0 ? name : inside(c->user, name);
}

static bool copy_target(ast_copier *c, const ast_target *t, ast_target *out) {
  row_part *p = c->user;
  if (name_missing(&t->name)) return false;
  const ast_expr *value = given(p, t->name.name);
  ast_expr *x = value ? copy_use(c, t->name.name, t->subs.n ? &t->subs : NULL, t->at) : NULL;
  out->type = ast_copy_type(c, t->type);
  if (x && x->kind == EXPR_INDEX && x->index.base->kind == EXPR_NAME) {
    out->name.name = x->index.base->name.name;
    out->subs = x->index.subs;
  } else if (x && x->kind == EXPR_NAME) {
    out->name.name = x->name.name;
  } else if (x && x->kind == EXPR_INDEX && x->index.base->kind == EXPR_INDEX && x->index.base->index.base->kind == EXPR_NAME) { /* an element of what is one itself */
    out->name.name = x->index.base->index.base->name.name;
    out->subs = x->index.base->index.subs;
    for (size_t i = 0; i < x->index.subs.n; i++) ARENA_PUSH(p->g->a, out->subs.items, out->subs.n, out->subs.cap, x->index.subs.items[i]);
  } else {
    out->name.name = inside(p, t->name.name);
    out->subs = is_defined(p, t->name.name) ? behind(p, c, &t->subs) : ast_copy_exprs(c, &t->subs);
  }
  return true;
}

static const ast_type *type_of_data(const ragged *g, const char *name) {
  for (size_t k = 0; k < g->model->params.n; k++)
    if (g->model->params.items[k].name.name == name) return g->model->params.items[k].type;
  return NULL;
}

/* The k-th extent of an argument: that of the signature, where it stands there. */
static ast_expr *extent_of(const row_part *p, const ast_expr *arg, size_t k) {
  const ast_expr *base = arg->kind == EXPR_INDEX ? arg->index.base : arg;
  const ast_type *t = base->kind == EXPR_NAME ? type_of_data(p->g, base->name.name) : NULL;
  size_t at = k + (arg->kind == EXPR_INDEX ? arg->index.subs.n : 0);
  for (size_t i = 0; t && arg->kind == EXPR_INDEX && i < arg->index.subs.n; i++)
    if (arg->index.subs.items[i]->kind == EXPR_ALL || arg->index.subs.items[i]->kind == EXPR_RANGE) t = NULL;
  if (t && t->args.n == 0 && at < t->dims.n) return ragged_copy(p->g, t->dims.items[at].size);
  ast_expr *n = ast_new_call(p->g->a, intern(p->g->p->names, "size"), arg->at);
  ast_add_arg(p->g->a, n, ragged_copy(p->g, arg));
  ast_add_arg(p->g->a, n, ast_new_int(p->g->a, (int64_t)k + 1, arg->at));
  return n;
}

static bool is_place(const ast_expr *e) {
  return e->kind == EXPR_NAME || e->kind == EXPR_INT || e->kind == EXPR_REAL || e->kind == EXPR_BOOL || (e->kind == EXPR_INDEX && e->index.base->kind == EXPR_NAME);
}

/* What is given for a parameter, and the sizes that follow; false: it cannot be told here. */
static bool give_param(row_part *p, const ast_params *ps, size_t i, ast_block *out) {
  ragged *g = p->g;
  const ast_param *x = &ps->items[i];
  const ast_arg *named = ast_args_find(&p->call->call.args, x->name.name);
  const ast_expr *arg = named ? named->value : i < p->call->call.args.n && !p->call->call.args.items[i].name.name ? p->call->call.args.items[i].value : x->default_;
  if (!arg || !x->type || x->type->kind != TYPE_NAMED || x->rows != ROWS_NONE) return false;
  const ast_expr *row = ragged_row_in(g, arg, false);
  if (row && x->type->dims.n != 1) return false;
  const char *count = x->type->args.n == 1 ? ragged_name(x->type->args.items[0]) : NULL;
  const ast_type *data = row && row == arg ? type_of_data(g, row->index.base->name.name) : NULL;
  if (count && !given(p, count) && data && data->args.n == 1) give(p, count, data->args.items[0]);
  for (size_t k = 0; k < x->type->dims.n; k++) {
    const char *size = ragged_name(x->type->dims.items[k].size);
    if (!size || given(p, size)) continue;
    give(p, size, row ? ragged_length(g, row) : extent_of(p, arg, k));
  }
  if (count && !given(p, count)) return false;
  if (row == arg || is_place(arg)) {
    give(p, x->name.name, arg);
    return true;
  }
  const char *own = inside(p, x->name.name);
  ast_stmt *s = ARENA_NEW(g->a, ast_stmt);
  *s = (ast_stmt){.kind = STMT_LET, .at = arg->at, .depth = (uint16_t)(1 + arg->depth)};
  s->let.target = (ast_target){.name = {.name = own, .at = arg->at}, .at = arg->at};
  s->let.value = ragged_copy(p->g, arg);
  ARENA_PUSH(g->a, out->items, out->n, out->cap, s);
  give(p, x->name.name, ast_new_name(g->a, own, arg->at));
  return true;
}

static bool gives_row(ragged *g, const ast_args *args) {
  bool row = false;
  for (size_t i = 0; i < args->n; i++) row = row || ragged_row_in(g, args->items[i].value, false);
  return row;
}

static symbol *model_of(const ragged *g, const ast_stmt *s) {
  const ast_expr *call = s->kind == STMT_SAMPLE ? s->sample.dist : NULL;
  if (!call || call->kind != EXPR_CALL || call->call.of || s->sample.target.subs.n == 0 || s->sample.target.type) return NULL;
  symbol *model = ptr_map_get(&g->p->state->user, call->call.fn.name);
  return model && model->kind == SYM_MODEL && model->decl != g->model ? model : NULL;
}

bool ragged_draws_part(const ragged *g, const ast_stmt *s) { return model_of(g, s) != NULL; }

ast_block *ragged_write_part(ragged *g, const ast_stmt *s) {
  check_state *st = g->p->state;
  symbol *model = model_of(g, s);
  const ast_expr *call = s->sample.dist;
  if (!model || g->parts >= DEEPEST || !gives_row(g, &call->call.args)) return NULL;
  for (size_t i = 0; i < call->call.args.n; i++) { /* what it has not, or has twice, is told where it is checked */
    const ast_params *ps = &model->decl->params;
    size_t k = 0;
    while (call->call.args.items[i].name.name && k < ps->n && ps->items[k].name.name != call->call.args.items[i].name.name) k++;
    if (k == ps->n || i >= ps->n) return NULL;
  }
  if (!sym_of(model)->model) check_model_body(st, model);
  if (sym_of(model)->over_failed) return NULL;
  row_part p = {.g = g, .of = model->decl, .call = call, .name = s->sample.target.name.name, .subs = &s->sample.target.subs};
  ast_block *out = ARENA_NEW(g->a, ast_block);
  out->at = s->at;
  for (size_t i = 0; i < p.of->params.n; i++)
    if (!give_param(&p, &p.of->params, i, out)) return NULL;
  ptr_map_init(&p.defined, g->a);
  submodel_note(&p.defined, p.of->body);
  ast_copier c = {.mem = g->a, .user = &p, .expr = copy_expr, .name = copy_name, .target = copy_target};
  ast_block *body = ast_copy_block(&c, p.of->body);
  for (size_t i = 0; i < body->n; i++) {
    const stmt_kind kind = body->items[i]->kind;
    if (kind == STMT_TRACK || kind == STMT_PREDICT || kind == STMT_REPLICATE) continue; /* what is reported stands outside of loops */
    ARENA_PUSH(g->a, out->items, out->n, out->cap, body->items[i]);
  }
  return out;
}
