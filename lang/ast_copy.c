/* ast_copy.c: copies of trees (ast_copy.h). */
#include "lang/ast_copy.h"

static ast_name copy_name(ast_copier *c, ast_name n) {
  const char *other = c->name && n.name && n.name[0] ? c->name(c, n.name) : NULL;
  return (ast_name){.name = other ? other : n.name, .at = n.at};
}

ast_exprs ast_copy_exprs(ast_copier *c, const ast_exprs *l) {
  ast_exprs out = {0};
  for (size_t i = 0; i < l->n; i++) {
    ast_expr *e = ast_copy_expr(c, l->items[i]);
    ARENA_PUSH(c->mem, out.items, out.n, out.cap, e);
  }
  return out;
}

/* What stands before the `=` of an argument is the callee's name, not one of this place. */
ast_args ast_copy_args(ast_copier *c, const ast_args *a) {
  ast_args out = {0};
  for (size_t i = 0; i < a->n; i++) {
    ast_arg x = a->items[i];
    x.value = ast_copy_expr(c, x.value);
    ARENA_PUSH(c->mem, out.items, out.n, out.cap, x);
  }
  return out;
}

static ast_iter copy_iter(ast_copier *c, const ast_iter *it) {
  ast_iter out = {.at = it->at, .cond = ast_copy_expr(c, it->cond)};
  for (size_t i = 0; i < it->n; i++) {
    ast_range r = it->items[i];
    r.var = copy_name(c, r.var);
    r.lo = ast_copy_expr(c, r.lo);
    r.hi = ast_copy_expr(c, r.hi);
    r.by = ast_copy_expr(c, r.by);
    r.over = ast_copy_expr(c, r.over);
    ARENA_PUSH(c->mem, out.items, out.n, out.cap, r);
  }
  return out;
}

ast_expr *ast_copy_expr(ast_copier *c, const ast_expr *e) {
  if (!e) return NULL;
  ast_expr *other = c->expr ? c->expr(c, e) : NULL;
  if (other) return other;
  ast_expr *x = ARENA_NEW(c->mem, ast_expr);
  *x = *e;
  x->info = NULL;
  switch (e->kind) {
  case EXPR_ERROR: case EXPR_INT: case EXPR_REAL: case EXPR_BOOL: case EXPR_ALL: break;
  case EXPR_STRING: x->string.level = NULL; break;
  case EXPR_NAME: x->name = copy_name(c, e->name); break;
  case EXPR_UNARY: x->unary.arg = ast_copy_expr(c, e->unary.arg); break;
  case EXPR_BINARY:
    x->binary.lhs = ast_copy_expr(c, e->binary.lhs);
    x->binary.rhs = ast_copy_expr(c, e->binary.rhs);
    break;
  case EXPR_CALL:
    x->call.of = ast_copy_expr(c, e->call.of);
    x->call.fn.sym = NULL;
    x->call.args = ast_copy_args(c, &e->call.args);
    break;
  case EXPR_REDUCE:
    x->reduce.fn.sym = NULL;
    x->reduce.iter = copy_iter(c, &e->reduce.iter);
    x->reduce.body = ast_copy_expr(c, e->reduce.body);
    break;
  case EXPR_ARRAY: x->array.elems = ast_copy_exprs(c, &e->array.elems); break;
  case EXPR_COMPREHENSION:
    x->comprehension.iter = copy_iter(c, &e->comprehension.iter);
    x->comprehension.body = ast_copy_expr(c, e->comprehension.body);
    break;
  case EXPR_INDEX:
    x->index.base = ast_copy_expr(c, e->index.base);
    x->index.subs = ast_copy_exprs(c, &e->index.subs);
    break;
  case EXPR_FIELD: x->field.base = ast_copy_expr(c, e->field.base); break;
  case EXPR_IF:
    x->if_.cond = ast_copy_expr(c, e->if_.cond);
    x->if_.then = ast_copy_expr(c, e->if_.then);
    x->if_.else_ = ast_copy_expr(c, e->if_.else_);
    break;
  case EXPR_LET:
    x->let.var = copy_name(c, e->let.var);
    x->let.value = ast_copy_expr(c, e->let.value);
    x->let.body = ast_copy_expr(c, e->let.body);
    break;
  case EXPR_RANGE:
    x->range.lo = ast_copy_expr(c, e->range.lo);
    x->range.hi = ast_copy_expr(c, e->range.hi);
    break;
  }
  return x;
}

ast_type *ast_copy_type(ast_copier *c, const ast_type *t) {
  if (!t) return NULL;
  ast_type *other = c->type ? c->type(c, t) : NULL;
  if (other) return other;
  ast_type *x = ARENA_NEW(c->mem, ast_type);
  *x = *t;
  x->info = NULL;
  x->bounds = ast_copy_args(c, &t->bounds);
  x->args = ast_copy_exprs(c, &t->args);
  x->lo = ast_copy_expr(c, t->lo);
  x->hi = ast_copy_expr(c, t->hi);
  x->dims = (ast_dims){0};
  for (size_t i = 0; i < t->dims.n; i++) {
    ast_dim d = t->dims.items[i];
    d.var = copy_name(c, d.var);
    d.lo = ast_copy_expr(c, d.lo);
    d.size = ast_copy_expr(c, d.size);
    ARENA_PUSH(c->mem, x->dims.items, x->dims.n, x->dims.cap, d);
  }
  return x;
}

static ast_target copy_target(ast_copier *c, const ast_target *t) {
  ast_target x = *t;
  if (c->target && c->target(c, t, &x)) return x;
  x.name = copy_name(c, t->name);
  x.subs = ast_copy_exprs(c, &t->subs);
  x.type = ast_copy_type(c, t->type);
  return x;
}

static ast_params copy_params(ast_copier *c, const ast_params *ps) {
  ast_params out = {0};
  for (size_t i = 0; i < ps->n; i++) {
    ast_param p = ps->items[i];
    p.name = copy_name(c, p.name);
    p.type = ast_copy_type(c, p.type);
    p.default_ = ast_copy_expr(c, p.default_);
    ARENA_PUSH(c->mem, out.items, out.n, out.cap, p);
  }
  return out;
}

ast_stmt *ast_copy_stmt(ast_copier *c, const ast_stmt *s) {
  if (s->kind == STMT_GROUP) s = s->group.of;
  ast_stmt *x = ARENA_NEW(c->mem, ast_stmt);
  *x = *s;
  switch (s->kind) {
  case STMT_ERROR: x->error.body = ast_copy_block(c, s->error.body); break;
  case STMT_SAMPLE:
    x->sample.target = copy_target(c, &s->sample.target);
    x->sample.dist = ast_copy_expr(c, s->sample.dist);
    x->sample.iter = copy_iter(c, &s->sample.iter);
    break;
  case STMT_LET:
    x->let.target = copy_target(c, &s->let.target);
    x->let.value = ast_copy_expr(c, s->let.value);
    break;
  case STMT_PLATE:
    x->plate.iter = copy_iter(c, &s->plate.iter);
    x->plate.body = ast_copy_block(c, s->plate.body);
    break;
  case STMT_FOR:
    x->for_.iter = copy_iter(c, &s->for_.iter);
    x->for_.until = ast_copy_expr(c, s->for_.until);
    x->for_.body = ast_copy_block(c, s->for_.body);
    break;
  case STMT_IF:
    x->if_.cond = ast_copy_expr(c, s->if_.cond);
    x->if_.then = ast_copy_block(c, s->if_.then);
    x->if_.else_ = ast_copy_block(c, s->if_.else_);
    break;
  case STMT_TRACK:
    x->track.items = ast_copy_args(c, &s->track.items);
    for (size_t i = 0; i < x->track.items.n; i++) x->track.items.items[i].name = copy_name(c, x->track.items.items[i].name);
    break;
  case STMT_PREDICT: x->predict.body = ast_copy_block(c, s->predict.body); break;
  case STMT_REPLICATE: x->replicate = copy_name(c, s->replicate); break;
  case STMT_ENERGY: case STMT_FACTOR: case STMT_RETURN: x->value = ast_copy_expr(c, s->value); break;
  case STMT_MEMBER:
    x->member.params = copy_params(c, &s->member.params);
    x->member.value = ast_copy_expr(c, s->member.value);
    x->member.body = ast_copy_block(c, s->member.body);
    break;
  default: break;
  }
  return x;
}

ast_block *ast_copy_block(ast_copier *c, const ast_block *b) {
  if (!b) return NULL;
  ast_block *x = ARENA_NEW(c->mem, ast_block);
  x->at = b->at;
  for (size_t i = 0; i < b->n; i++) {
    ast_stmt *s = ast_copy_stmt(c, b->items[i]);
    ARENA_PUSH(c->mem, x->items, x->n, x->cap, s);
  }
  return x;
}

ast_expr *ast_new_expr(arena *mem, expr_kind kind, span at) {
  ast_expr *e = ARENA_NEW(mem, ast_expr);
  e->kind = kind;
  e->at = at;
  e->depth = 1;
  return e;
}

ast_expr *ast_new_name(arena *mem, const char *name, span at) {
  ast_expr *e = ast_new_expr(mem, EXPR_NAME, at);
  e->name = (ast_name){.name = name, .at = at};
  return e;
}

ast_expr *ast_new_int(arena *mem, int64_t value, span at) {
  ast_expr *e = ast_new_expr(mem, EXPR_INT, at);
  e->integer.value = value;
  return e;
}

ast_expr *ast_new_if(arena *mem, ast_expr *cond, ast_expr *then_, ast_expr *else_) {
  ast_expr *e = ast_new_expr(mem, EXPR_IF, then_->at);
  e->if_.cond = cond;
  e->if_.then = then_;
  e->if_.else_ = else_;
  e->depth = ast_above(cond->depth, then_->depth > else_->depth ? then_->depth : else_->depth);
  return e;
}

ast_expr *ast_new_call(arena *mem, const char *fn, span at) {
  ast_expr *e = ast_new_expr(mem, EXPR_CALL, at);
  e->call.fn = (ast_name){.name = fn, .at = at, .library = true};
  return e;
}

void ast_add_arg(arena *mem, ast_expr *call, ast_expr *value) {
  ast_arg a = {.value = value, .at = value->at};
  ARENA_PUSH(mem, call->call.args.items, call->call.args.n, call->call.args.cap, a);
}
