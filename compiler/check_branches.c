/* check_branches.c: unknowns that both branches of a condition draw, drawn once.
 *
 *     if t == 1 { x[t] ~ Normal(0, 1) }               x[t] ~ Normal(if t == 1 { 0 } else { x[t - 1] }, if t == 1 { 1 } else { s })
 *     else { x[t] ~ Normal(x[t - 1], s) }
 *     if g[i] { u[i] ~ Normal(0, 1) }                 u[i] ~ switch(if g[i] { 1 } else { 2 }, [Normal(0, 1), StudentT(4, 0, s)])
 *     else { u[i] ~ StudentT(4, 0, s) }
 *     if wide { b ~ Normal(0, 9) }                    b ~ Normal(0, if wide { 9 } else { 1 })
 *     else { b ~ Normal(0, 1) }
 *
 * An unknown is there whatever the condition says, so it is the condition that chooses its distribution.  The branches have to draw the same
 * unknowns in the same order, in the same loops, and do nothing else; what is otherwise drawn under a condition is refused later.  `switch` computes the parameters
 * of all its distributions, so what reads the array that is being drawn is read only where it is chosen. */
#include "compiler/check_state.h"

#include "lang/ast_copy.h"

#include <string.h>

typedef struct branches {
  check_state *st;
  arena *a;
  const ast_decl *model;
  ptr_map lets; /* names that stand for values: what is drawn of them is observed, and may be by kinds */
} branches;

static bool same_type(const branches *b, const ast_type *x, const ast_type *y) {
  strbuf s, t;
  strbuf_init(&s, b->a);
  strbuf_init(&t, b->a);
  ast_print_type(&s, x);
  ast_print_type(&t, y);
  return strcmp(s.s, t.s) == 0;
}

static bool same_target(const branches *b, const ast_target *x, const ast_target *y) {
  if (x->name.name != y->name.name || x->subs.n != y->subs.n || (x->type && y->type && !same_type(b, x->type, y->type))) return false;
  for (size_t i = 0; i < x->subs.n; i++)
    if (!ast_same_text(b->a, x->subs.items[i], y->subs.items[i])) return false;
  return true;
}

bool same_family(const ast_expr *x, const ast_expr *y) {
  if (x->kind != EXPR_CALL || y->kind != EXPR_CALL || x->call.of || y->call.of || x->call.fn.name != y->call.fn.name || x->call.fn.library != y->call.fn.library || x->call.args.n != y->call.args.n) return false;
  for (size_t i = 0; i < x->call.args.n; i++)
    if (x->call.args.items[i].name.name != y->call.args.items[i].name.name) return false;
  return true;
}

static bool is_dist(const branches *b, const ast_expr *e) {
  if (e->kind == EXPR_ARRAY) return e->array.elems.n && is_dist(b, e->array.elems.items[0]);
  if (e->kind != EXPR_CALL || e->call.of || !e->call.fn.name[0]) return false;
  const symbol *s = e->call.fn.library ? NULL : ptr_map_get(&b->st->user, e->call.fn.name);
  if (!s) s = library_find(b->st, e->call.fn.name);
  return s && s->kind == SYM_DIST;
}

static ast_expr *choice(const branches *b, const ast_expr *cond, ast_expr *then, ast_expr *else_) {
  ast_copier plain = {.mem = b->a};
  ast_expr *e = ast_new_if(b->a, ast_copy_expr(&plain, cond), then, else_);
  e->at = else_->at;
  return e;
}

/* One distribution of the family that both are of, or NULL. */
static ast_expr *one_family(const branches *b, const ast_expr *cond, ast_expr *x, ast_expr *y) {
  if (!same_family(x, y)) return NULL;
  ast_copier plain = {.mem = b->a};
  ast_expr *e = ast_copy_expr(&plain, y);
  for (size_t i = 0; i < x->call.args.n; i++) {
    ast_expr *u = x->call.args.items[i].value, *v = y->call.args.items[i].value;
    const bool dist = is_dist(b, u) || is_dist(b, v);
    ast_expr *value = dist ? one_family(b, cond, u, v) : ast_same_text(b->a, u, v) ? v : choice(b, cond, u, v);
    if (!value) return NULL;
    e->call.args.items[i].value = value;
    if (value->depth >= e->depth) e->depth = (uint16_t)(1 + value->depth);
  }
  return e;
}

typedef struct reads {
  const char *array;
  bool found;
} reads;

static ast_expr *find_read(ast_copier *c, const ast_expr *e) {
  reads *r = c->user;
  r->found |= e->kind == EXPR_NAME && e->name.name == r->array;
  return NULL;
}

/* The distribution with parameters that read the array only where it is chosen. */
static ast_expr *guarded(const branches *b, const ast_expr *cond, ast_expr *dist, bool first, const char *array) {
  for (size_t i = 0; dist->kind == EXPR_ARRAY && i < dist->array.elems.n; i++) {
    ast_expr *e = guarded(b, cond, dist->array.elems.items[i], first, array);
    if (e->depth >= dist->depth) dist->depth = (uint16_t)(1 + e->depth);
  }
  for (size_t i = 0; dist->kind == EXPR_CALL && i < dist->call.args.n; i++) {
    ast_expr **value = &dist->call.args.items[i].value;
    reads r = {.array = array};
    ast_copier c = {.mem = b->a, .user = &r, .expr = find_read};
    (void)ast_copy_expr(&c, *value);
    if (!r.found) continue;
    ast_expr *other = ast_new_int(b->a, 1, (*value)->at);
    if (is_dist(b, *value)) *value = guarded(b, cond, *value, first, array);
    else *value = first ? choice(b, cond, *value, other) : choice(b, cond, other, *value);
    if ((*value)->depth >= dist->depth) dist->depth = (uint16_t)(1 + (*value)->depth);
  }
  return dist;
}

static ast_expr *switched(const branches *b, const ast_expr *cond, ast_expr *x, ast_expr *y, const char *array) {
  ast_expr *all = ast_new_expr(b->a, EXPR_ARRAY, y->at), *call = ast_new_call(b->a, intern(b->st->p->names, "switch"), y->at);
  ast_expr *of[2] = {guarded(b, cond, x, true, array), guarded(b, cond, y, false, array)};
  for (int i = 0; i < 2; i++) {
    ARENA_PUSH(b->a, all->array.elems.items, all->array.elems.n, all->array.elems.cap, of[i]);
    if (of[i]->depth >= all->depth) all->depth = (uint16_t)(1 + of[i]->depth);
  }
  ast_add_arg(b->a, call, choice(b, cond, ast_new_int(b->a, 1, x->at), ast_new_int(b->a, 2, y->at)));
  ast_add_arg(b->a, call, all);
  return call;
}

static bool same_iter(const branches *b, const ast_iter *x, const ast_iter *y) {
  if (x->n != y->n || !x->cond != !y->cond || (x->cond && !ast_same_text(b->a, x->cond, y->cond))) return false;
  for (size_t i = 0; i < x->n; i++) {
    const ast_range *p = &x->items[i], *q = &y->items[i];
    if (p->var.name != q->var.name || p->by || q->by || p->over || q->over || !ast_same_text(b->a, p->lo, q->lo) || !ast_same_text(b->a, p->hi, q->hi)) return false;
  }
  return true;
}

static const ast_iter *iter_of(const ast_stmt *s) { return s->kind == STMT_PLATE ? &s->plate.iter : s->kind == STMT_FOR ? &s->for_.iter : &s->sample.iter; }
static ast_block *body_of(const ast_stmt *s) { return s->kind == STMT_PLATE ? s->plate.body : s->kind == STMT_FOR ? s->for_.body : NULL; }

/* A draw of what may be an unknown. */
static bool draws(const branches *b, const ast_stmt *s) {
  if (s->kind != STMT_SAMPLE || s->sample.dist->kind != EXPR_CALL) return false;
  if (ptr_map_get(&b->lets, s->sample.target.name.name)) return false;
  for (size_t i = 0; i < b->model->params.n; i++)
    if (b->model->params.items[i].name.name == s->sample.target.name.name) return false;
  return is_dist(b, s->sample.dist);
}

static bool alike(const branches *b, const ast_block *x, const ast_block *y) {
  if (!y || x->n != y->n || x->n == 0) return false;
  for (size_t i = 0; i < x->n; i++) {
    const ast_stmt *p = x->items[i], *q = y->items[i];
    if (p->kind != q->kind) return false;
    if (body_of(p) ? !alike(b, body_of(p), body_of(q)) : !draws(b, p) || !draws(b, q) || !same_target(b, &p->sample.target, &q->sample.target)) return false;
    if (!same_iter(b, iter_of(p), iter_of(q))) return false;
  }
  return true;
}

/* The statements of the second branch as those of both. */
static void join_alike(const branches *b, const ast_expr *cond, const ast_block *then, ast_block *else_) {
  for (size_t k = 0; k < then->n; k++) {
    ast_stmt *x = then->items[k], *y = else_->items[k];
    if (body_of(x)) {
      join_alike(b, cond, body_of(x), body_of(y));
    } else {
      ast_expr *dist = one_family(b, cond, x->sample.dist, y->sample.dist);
      y->sample.dist = dist ? dist : switched(b, cond, x->sample.dist, y->sample.dist, y->sample.target.name.name);
      y->depth = (uint16_t)(1 + y->sample.dist->depth);
      if (!y->sample.target.type) y->sample.target.type = x->sample.target.type;
    }
  }
}

static void join_block(const branches *b, ast_block *body) {
  if (!body) return;
  ast_block out = {.at = body->at};
  for (size_t i = 0; i < body->n; i++) {
    ast_stmt *s = body->items[i];
    switch (s->kind) {
    case STMT_PLATE: join_block(b, s->plate.body); break;
    case STMT_FOR: join_block(b, s->for_.body); break;
    case STMT_PREDICT: join_block(b, s->predict.body); break;
    case STMT_IF:
      join_block(b, s->if_.then);
      join_block(b, s->if_.else_);
      if (!alike(b, s->if_.then, s->if_.else_)) break;
      join_alike(b, s->if_.cond, s->if_.then, s->if_.else_);
      for (size_t k = 0; k < s->if_.else_->n; k++) ARENA_PUSH(b->a, out.items, out.n, out.cap, s->if_.else_->items[k]);
      continue;
    default: break;
    }
    ARENA_PUSH(b->a, out.items, out.n, out.cap, s);
  }
  *body = out;
}

static void note_lets(branches *b, const ast_block *body) {
  for (size_t i = 0; body && i < body->n; i++) {
    ast_stmt *s = body->items[i];
    switch (s->kind) {
    case STMT_LET: ptr_map_put(&b->lets, s->let.target.name.name, s); break;
    case STMT_PLATE: note_lets(b, s->plate.body); break;
    case STMT_FOR: note_lets(b, s->for_.body); break;
    case STMT_IF: note_lets(b, s->if_.then), note_lets(b, s->if_.else_); break;
    case STMT_PREDICT: note_lets(b, s->predict.body); break;
    default: break;
    }
  }
}

void branches_join(check_state *st, ast_decl *model) {
  branches b = {.st = st, .a = st->p->mem, .model = model};
  ptr_map_init(&b.lets, b.a);
  note_lets(&b, model->body);
  join_block(&b, model->body);
}
