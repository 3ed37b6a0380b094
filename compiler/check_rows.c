/* check_rows.c: a loop over rows with loops over their elements inside, taken apart (check_ragged.c).
 *
 *     plate d in 1..D {                                       plate d in 1..D {
 *       mu[d] ~ Normal(0, 1)                                    mu[d] ~ Normal(0, 1)
 *       let m = mu[d] + x[d]                                    let m.d1[d] = mu[d] + x[d]
 *                                                             }
 *       z[d, 1] ~ Normal(m, 1)                                for d in 1..D, n in 2..len[d] {
 *       for n in 2..len[d] {                                    z[d, 1] ~ Normal(m.d1[d], 1)
 *         z[d, n] ~ Normal(m + z[d, n - 1], 1)                  z[d, n] ~ Normal(m.d1[d] + z[d, n - 1], 1)
 *       }                                                     }
 *       plate n in 1..len[d] { y[d, n] ~ Normal(z[d, n], s) } plate d in 1..D, n in 1..len[d] { y[d, n] ~ Normal(z[d, n], s) }
 *     }
 *
 * A condition of the row, `if g[d] { for n in 1..len[d] { ... } }`, goes into the loop.  Iterations of the outer loop only meet through arrays, and what reads an element before it is set is found later, so nothing changes
 * where the parts are run one after the other.  The first elements of a row go into the loop that sets the others, which is where
 * check_cells.c wants them. */
#include "compiler/check_ragged.h"

typedef struct local {
  const char *name, *array;
} local;

typedef struct outer {
  ragged *g;
  const ast_stmt *of;
  const ast_range *range; /* d in 1..D */
  const ast_expr *cond;
  local *locals;
  size_t nlocals, cap_locals;
  ast_block *rest;        /* statements that wait for a loop over rows of their own */
  ast_block *first;       /* first elements that wait for the loop that sets the others */
  ast_block *out;
} outer;

static void push(ragged *g, ast_block *b, ast_stmt *s) { ARENA_PUSH(g->a, b->items, b->n, b->cap, s); }

static ast_iter *iter_of(ast_stmt *s) {
  return s->kind == STMT_PLATE ? &s->plate.iter : s->kind == STMT_FOR ? &s->for_.iter : s->kind == STMT_SAMPLE ? &s->sample.iter : NULL;
}

static bool is_inner(const ragged *g, const ast_stmt *s, const ast_range *d) {
  const ast_iter *it = iter_of((ast_stmt *)s);
  bool down;
  const char *len = it && it->n ? ragged_runs(&it->items[0], d->var.name, &down) : NULL;
  return len && ragged_rows_by(g, len, ragged_extent(g, d->hi));
}

/* Whether loops over the elements of row d stand in the block, under conditions of the row or not. */
static bool has_inner_in(const ragged *g, const ast_block *b, const ast_range *d) {
  for (size_t i = 0; b && i < b->n; i++) {
    const ast_stmt *x = b->items[i];
    if (is_inner(g, x, d) || (x->kind == STMT_IF && (has_inner_in(g, x->if_.then, d) || has_inner_in(g, x->if_.else_, d)))) return true;
  }
  return false;
}

static bool has_inner(const ragged *g, const ast_stmt *s) {
  const ast_iter *it = s->kind == STMT_PLATE ? &s->plate.iter : s->kind == STMT_FOR ? &s->for_.iter : NULL;
  if (!it || it->n != 1 || !ragged_is_one(it->items[0].lo) || it->items[0].by || it->items[0].over || !ragged_extent(g, it->items[0].hi)) return false;
  return has_inner_in(g, s->kind == STMT_PLATE ? s->plate.body : s->for_.body, &it->items[0]);
}

static ast_expr *at_row(const outer *o, const char *name, span at) { return ragged_at(o->g, name, ast_new_name(o->g->a, o->range->var.name, at), NULL, at); }

static const char *array_of(const outer *o, const char *name) {
  for (size_t k = o->nlocals; k-- > 0;)
    if (o->locals[k].name == name) return o->locals[k].array;
  return NULL;
}

static ast_expr *read_local(ast_copier *c, const ast_expr *e) {
  const outer *o = c->user;
  const char *name = ragged_name(e), *array = name ? array_of(o, name) : NULL;
  return array ? at_row(o, array, e->at) : NULL;
}

static ast_stmt *copy(outer *o, const ast_stmt *s) {
  ast_copier c = {.mem = o->g->a, .user = o, .expr = read_local};
  return ast_copy_stmt(&c, s);
}

/* A loop like the outer one over what waits. */
static void flush(outer *o) {
  if (!o->rest->n) return;
  ast_copier plain = {.mem = o->g->a};
  ast_stmt of = *o->of;
  ast_block none = {0}, **body = of.kind == STMT_PLATE ? &of.plate.body : &of.for_.body;
  *body = &none;
  ast_stmt *s = ast_copy_stmt(&plain, &of);
  *(s->kind == STMT_PLATE ? &s->plate.body : &s->for_.body) = o->rest;
  push(o->g, o->out, s);
  o->rest = ARENA_NEW(o->g->a, ast_block);
  o->rest->at = o->of->at;
}

/* The subscript c of `x[d, c]`, a literal, or counted from the end as in `x[d, len[d]]`; else 0.  Of an array that the rows define: elements of data are observed where they stand. */
static int64_t first_of(const outer *o, const ast_stmt *s, const char **name) {
  const ast_target *t = s->kind == STMT_LET ? &s->let.target : s->kind == STMT_SAMPLE && !s->sample.iter.n ? &s->sample.target : NULL;
  if (!t || t->subs.n < 2 || ragged_name(t->subs.items[0]) != o->range->var.name) return 0;
  const ragged_rows *r = ragged_rows_of(o->g, t->name.name);
  if (!r || ragged_is_data(o->g, t->name.name)) return 0;
  *name = t->name.name;
  int64_t less;
  if (ragged_is_end(t->subs.items[1], r->len, o->range->var.name, &less)) return less + 1;
  return t->subs.items[1]->kind == EXPR_INT ? t->subs.items[1]->integer.value : 0;
}

static bool sets(const ast_block *b, const char *name) {
  for (size_t i = 0; b && i < b->n; i++) {
    const ast_stmt *s = b->items[i];
    const ast_target *t = s->kind == STMT_LET ? &s->let.target : s->kind == STMT_SAMPLE ? &s->sample.target : NULL;
    if (t && t->name.name == name) return true;
  }
  return false;
}

/* Moves the first elements that `body` goes on with to its beginning. */
static ast_block *with_first(outer *o, const ast_block *body) {
  ast_block *b = ARENA_NEW(o->g->a, ast_block), *left = ARENA_NEW(o->g->a, ast_block);
  b->at = left->at = body->at;
  for (size_t i = 0; i < o->first->n; i++) {
    const char *name;
    ast_stmt *s = o->first->items[i];
    first_of(o, s, &name);
    push(o->g, sets(body, name) ? b : left, s);
  }
  o->first = left;
  for (size_t i = 0; i < body->n; i++) push(o->g, b, body->items[i]);
  return b;
}

static ast_expr *both(ragged *g, ast_expr *a, ast_expr *b) {
  if (!a || !b) return a ? a : b;
  return ragged_binary(g, OP_AND, a, b);
}

static void inner(outer *o, ast_stmt *s) {
  ast_iter *it = iter_of(s), pair = {.at = it->at};
  ast_copier plain = {.mem = o->g->a};
  ast_range row = *o->range;
  row.lo = ast_copy_expr(&plain, row.lo);
  row.hi = ast_copy_expr(&plain, row.hi);
  ARENA_PUSH(o->g->a, pair.items, pair.n, pair.cap, row);
  for (size_t i = 0; i < it->n; i++) ARENA_PUSH(o->g->a, pair.items, pair.n, pair.cap, it->items[i]);
  pair.cond = both(o->g, ast_copy_expr(&plain, o->cond), it->cond);
  *it = pair;
  if (s->kind == STMT_PLATE) s->plate.body = with_first(o, s->plate.body);
  if (s->kind == STMT_FOR) s->for_.body = with_first(o, s->for_.body);
  push(o->g, o->out, s);
}

/* ---- conditions of the row */

static ast_stmt *if_new(ragged *g, ast_expr *cond, ast_block *then_, ast_block *else_, const ast_stmt *of) {
  ast_stmt *s = ARENA_NEW(g->a, ast_stmt);
  *s = (ast_stmt){.kind = STMT_IF, .id = of->id, .at = of->at, .depth = of->depth};
  s->if_.cond = cond;
  s->if_.then = then_;
  s->if_.else_ = else_;
  return s;
}

static ast_block *block_of(ragged *g, ast_stmt *s) {
  ast_block *b = ARENA_NEW(g->a, ast_block);
  b->at = s->at;
  push(g, b, s);
  return b;
}

/* The loop with a plate in place of `~ ... for`, so that it has a body. */
static ast_stmt *with_body(ragged *g, ast_stmt *s) {
  if (s->kind != STMT_SAMPLE) return s;
  ast_stmt *x = ARENA_NEW(g->a, ast_stmt);
  *x = (ast_stmt){.kind = STMT_PLATE, .id = s->id, .at = s->at, .depth = (uint16_t)(s->depth + 1)};
  x->plate.iter = s->sample.iter;
  s->sample.iter = (ast_iter){0};
  x->plate.body = block_of(g, s);
  return x;
}

static ast_block **body_of(ast_stmt *loop) { return loop->kind == STMT_PLATE ? &loop->plate.body : &loop->for_.body; }

/* A condition of the row, around those that follow it. */
typedef struct way {
  const struct way *up;
  const ast_stmt *cond;
  bool holds;
  ast_block lets; /* of the branch so far: what follows, conditions included, may read them */
} way;

/* The statements of a branch, each under all the conditions around it. */
static void under(outer *o, const way *up, const ast_stmt *cond, bool holds) {
  ragged *g = o->g;
  const ast_block *b = holds ? cond->if_.then : cond->if_.else_;
  way w = {.up = up, .cond = cond, .holds = holds};
  for (size_t i = 0; b && i < b->n; i++) {
    const ast_stmt *x = b->items[i];
    if (x->kind == STMT_LET && !x->let.target.subs.n) {
      push(g, &w.lets, copy(o, x));
      continue;
    }
    if (x->kind == STMT_IF && (has_inner_in(g, x->if_.then, o->range) || has_inner_in(g, x->if_.else_, o->range))) {
      under(o, &w, x, true);
      under(o, &w, x, false);
      continue;
    }
    const bool loop = is_inner(g, x, o->range);
    ast_stmt *y = loop ? with_body(g, copy(o, x)) : copy(o, x);
    ast_block *body = loop ? *body_of(y) : block_of(g, y);
    for (const way *k = &w; k; k = k->up) {
      ast_block *in = ARENA_NEW(g->a, ast_block);
      in->at = y->at;
      ast_copier names = {.mem = g->a, .user = o, .expr = read_local};
      ast_expr *c = ast_copy_expr(&names, k->cond->if_.cond);
      ast_copier plain = {.mem = g->a};
      for (size_t j = 0; j < k->lets.n; j++) push(g, in, ast_copy_stmt(&plain, k->lets.items[j]));
      for (size_t j = 0; j < body->n; j++) push(g, in, body->items[j]);
      if (!k->holds) {
        ast_expr *no = ast_new_expr(g->a, EXPR_UNARY, c->at);
        no->unary.op = OP_NOT;
        no->unary.arg = c;
        no->depth = (uint16_t)(c->depth + 1);
        c = no;
      }
      body = block_of(g, if_new(g, c, in, NULL, k->cond));
    }
    if (loop) {
      *body_of(y) = body;
      flush(o);
      inner(o, y);
    } else {
      push(g, o->rest, body->items[0]);
    }
  }
}

static void take_apart(ragged *g, const ast_stmt *s, ast_block *out) {
  const ast_iter *it = s->kind == STMT_PLATE ? &s->plate.iter : &s->for_.iter;
  const ast_block *body = s->kind == STMT_PLATE ? s->plate.body : s->for_.body;
  outer o = {.g = g, .of = s, .range = &it->items[0], .cond = it->cond, .out = out};
  o.rest = ARENA_NEW(g->a, ast_block);
  o.first = ARENA_NEW(g->a, ast_block);
  o.rest->at = s->at;
  for (size_t i = 0; i < body->n; i++) {
    const ast_stmt *x = body->items[i];
    const char *name;
    if (is_inner(g, x, o.range)) {
      flush(&o);
      inner(&o, copy(&o, x));
    } else if (x->kind == STMT_IF && (has_inner_in(g, x->if_.then, o.range) || has_inner_in(g, x->if_.else_, o.range))) {
      under(&o, NULL, x, true);
      under(&o, NULL, x, false);
    } else if (first_of(&o, x, &name)) {
      push(g, o.first, copy(&o, x));
    } else if (x->kind == STMT_LET && !x->let.target.subs.n) {
      ast_stmt *y = copy(&o, x);
      local l = {x->let.target.name.name, intern(g->p->names, arena_printf(g->a, "%s.%s%u", x->let.target.name.name, o.range->var.name, ++g->locals))};
      ARENA_PUSH(g->a, o.locals, o.nlocals, o.cap_locals, l);
      ast_expr *d = ast_new_name(g->a, o.range->var.name, x->let.target.at);
      y->let.target.name.name = l.array;
      ARENA_PUSH(g->a, y->let.target.subs.items, y->let.target.subs.n, y->let.target.subs.cap, d);
      push(g, o.rest, y);
    } else {
      push(g, o.rest, copy(&o, x));
    }
  }
  for (size_t i = 0; i < o.first->n; i++) push(g, o.rest, o.first->items[i]); /* refused later */
  flush(&o);
}

void ragged_distribute(ragged *g, ast_block *b) {
  if (!b) return;
  ast_block out = {.at = b->at};
  for (size_t i = 0; i < b->n; i++) {
    ast_stmt *s = b->items[i];
    if (has_inner(g, s)) {
      take_apart(g, s, &out);
      continue;
    }
    switch (s->kind) {
    case STMT_PLATE: ragged_distribute(g, s->plate.body); break;
    case STMT_FOR: ragged_distribute(g, s->for_.body); break;
    case STMT_IF:
      ragged_distribute(g, s->if_.then);
      ragged_distribute(g, s->if_.else_);
      break;
    case STMT_PREDICT: ragged_distribute(g, s->predict.body); break;
    default: break;
    }
    push(g, &out, s);
  }
  *b = out;
}
