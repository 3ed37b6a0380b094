/* check_row_matrices.c: matrices over the elements of rows of ragged arrays, and distributions that draw a row at once (check_ragged.c).
 *
 *     plate d in 1..D {                               plate d in 1..D {
 *       let K = f(distances(x[d], x[d]))                let K.1 = [if i <= len[d] and j <= len[d] { f(abs(x[d, i] - x[d, j])) } else { if i == j { 1.0 } else { 0.0 } }
 *                                                                  for i in 1..len.max, j in 1..len.max]
 *       let f = cholesky(K) @ z[d]                      let L.2 = cholesky(K.1)
 *       y[d] ~ MultiNormal(f, K)                        let f.3 = L.2 @ [if i <= len[d] { z[d, i] } else { 0.0 } for i in 1..len.max]
 *     }                                                 y.rows[d] ~ PaddedMultiNormal(len[d], [if i <= len[d] { f.3[i] } else { 0.0 } ...], K.1)
 *                                                     }
 *
 *                                                     let y.rows = [if i <= len[d] { y[d, i] } else { 0 } for d in 1..D, i in 1..len.max]     # before
 *
 * No array has an axis of changing length, so a matrix stands in the corner of a rectangle that the longest row fills.  A square one has the
 * identity behind it, any other 0: factors, solutions and products of such matrices are again those of their corners, in corners.  In the
 * tree such a value is a comprehension over the lengths that there are, [K.1[i, j] for i in 1..len[d], j in 1..len[d]], of which an element is read by
 * putting subscripts in the place of its indices.  What the program writes as a comprehension, or by `rep`, is kept as it is until an element is read. */
#include "compiler/check_ragged.h"

#include <string.h>

/* ---- shapes */

/* The rows whose length, plus or minus a number, a bound is: len[d] - 1. */
static ragged_rows *rows_of_length(const ragged *g, const ast_expr *hi) {
  while (hi->kind == EXPR_BINARY && (hi->binary.op == OP_ADD || hi->binary.op == OP_SUB) && hi->binary.rhs->kind == EXPR_INT) hi = hi->binary.lhs;
  const char *len = hi->kind == EXPR_INDEX && hi->index.subs.n == 1 ? ragged_name(hi->index.base) : NULL;
  for (size_t k = 0; len && k < g->n; k++)
    if (g->of[k].len == len) return &g->of[k];
  return NULL;
}

static unsigned axes_of_list(ragged *g, const ast_exprs *l, const ast_expr *n[2]) {
  bool varies = false;
  for (size_t k = 0; k < l->n && k < 2; k++) {
    n[k] = l->items[k];
    varies = varies || rows_of_length(g, n[k]);
  }
  return varies && l->n <= 2 ? (unsigned)l->n : 0;
}

static unsigned larger(ragged *g, const ast_expr *const *of, size_t count, const ast_expr *n[2]) {
  unsigned most = 0;
  for (size_t k = 0; k < count; k++) {
    const ast_expr *x[2];
    const unsigned axes = of[k] ? ragged_axes(g, of[k], x) : 0;
    if (axes > most) memcpy(n, x, sizeof x), most = axes;
  }
  return most;
}

unsigned ragged_axes(ragged *g, const ast_expr *e, const ast_expr *n[2]) {
  const ast_expr *x[2] = {0}, *y[2] = {0};
  switch (e->kind) {
  case EXPR_UNARY: {
    const unsigned axes = ragged_axes(g, e->unary.arg, x);
    const bool turn = e->unary.op == OP_TRANSPOSE && axes == 2;
    n[0] = x[turn], n[1] = x[!turn];
    return e->unary.op == OP_TRANSPOSE && axes < 2 ? 0 : axes;
  }
  case EXPR_BINARY: {
    if (e->binary.op != OP_MATMUL) return larger(g, (const ast_expr *[]){e->binary.lhs, e->binary.rhs}, 2, n);
    const unsigned a = ragged_axes(g, e->binary.lhs, x), b = ragged_axes(g, e->binary.rhs, y);
    if (a < 2 && b < 2) return 0;
    n[0] = a == 2 ? x[0] : y[1];
    n[1] = y[1];
    return a == 2 && b == 2 ? 2 : 1; /* what is no matrix of rows is taken for a vector */
  }
  case EXPR_IF: return larger(g, (const ast_expr *[]){e->if_.then, e->if_.else_}, 2, n);
  case EXPR_LET: return ragged_axes(g, e->let.body, n);
  case EXPR_CALL:
    if (ragged_is_call(g, e, "diag", 1) && ragged_axes(g, e->call.args.items[0].value, x) == 1) {
      n[0] = n[1] = x[0];
      return 2;
    }
    if (ragged_is_call(g, e, "rep", 2)) {
      ast_exprs sizes = {0};
      for (size_t k = 1; k < e->call.args.n; k++) ARENA_PUSH(g->a, sizes.items, sizes.n, sizes.cap, e->call.args.items[k].value);
      return axes_of_list(g, &sizes, n);
    }
    if (ragged_is_elementwise(g, e)) {
      const ast_expr **of = ARENA_ARRAY(g->a, const ast_expr *, e->call.args.n);
      for (size_t k = 0; k < e->call.args.n; k++) of[k] = e->call.args.items[k].value;
      return larger(g, of, e->call.args.n, n);
    }
    return 0;
  case EXPR_COMPREHENSION: {
    ast_exprs sizes = {0};
    const ast_iter *it = &e->comprehension.iter;
    for (size_t k = 0; k < it->n; k++) {
      if (!ragged_is_one(it->items[k].lo) || it->items[k].by || it->items[k].over) return 0;
      ARENA_PUSH(g->a, sizes.items, sizes.n, sizes.cap, it->items[k].hi);
    }
    return it->cond ? 0 : axes_of_list(g, &sizes, n);
  }
  case EXPR_INDEX: {
    const ast_expr *row = ragged_row_in(g, e, false); /* or that of a gather, b[g[d]] */
    if (row) n[0] = ragged_length(g, row);
    return row != NULL;
  }
  default: return 0;
  }
}

/* ---- elements */

typedef struct element {
  ragged *g;
  const ast_expr *at[2]; /* subscripts */
  unsigned rank;
} element;

/* An index put in the place of a comprehension's own. */
typedef struct indices {
  const ast_iter *iter;
  const ast_expr *const *at;
  ragged *g;
} indices;

static ast_expr *put_index(ast_copier *c, const ast_expr *e) {
  const indices *x = c->user;
  const char *name = ragged_name(e);
  for (size_t k = 0; name && k < x->iter->n; k++)
    if (x->iter->items[k].var.name == name) return ragged_copy(x->g, x->at[k]);
  return NULL;
}

static ast_expr *sum_over(ragged *g, const char *index, const ast_expr *n, ast_expr *body) {
  ast_expr *e = ast_new_expr(g->a, EXPR_REDUCE, body->at);
  ast_range r = {.var = {.name = index, .at = body->at}, .lo = ast_new_int(g->a, 1, body->at), .hi = ragged_copy(g, n), .at = body->at};
  e->reduce.fn = (ast_name){.name = intern(g->p->names, "sum"), .at = body->at, .library = true};
  e->reduce.body = body;
  e->reduce.iter.at = body->at;
  ARENA_PUSH(g->a, e->reduce.iter.items, e->reduce.iter.n, e->reduce.iter.cap, r);
  e->depth = (uint16_t)(2 + body->depth);
  return e;
}

/* Element [.., at] of a factor of a product: the last subscripts that it has axes for, and of a plain vector that one. */
static ast_expr *factor_at(ragged *g, const ast_expr *e, const ast_expr *first, const ast_expr *last, const ast_expr *inner) {
  const ast_expr *n[2];
  const unsigned axes = ragged_axes(g, e, n);
  if (axes == 2) return ragged_element(g, e, (const ast_expr *[]){first, last}, 2);
  if (axes == 1) return ragged_element(g, e, &inner, 1);
  ast_exprs subs = {0};
  ARENA_PUSH(g->a, subs.items, subs.n, subs.cap, ragged_copy(g, inner));
  return ragged_subscripted(g, ragged_copy(g, e), subs, e->at);
}

static ast_expr *write_element(ast_copier *c, const ast_expr *e) {
  const element *x = c->user;
  ragged *g = x->g;
  const ast_expr *n[2] = {0}, *const *last = x->at + x->rank;
  const unsigned axes = ragged_axes(g, e, n);
  if (axes == 0) return ragged_copy(g, e);
  switch (e->kind) {
  case EXPR_UNARY: return e->unary.op == OP_TRANSPOSE ? ragged_element(g, e->unary.arg, (const ast_expr *[]){last[-1], last[-2]}, 2) : NULL;
  case EXPR_BINARY: {
    if (e->binary.op != OP_MATMUL) return NULL;
    const ast_expr *u[2] = {0}, *v[2] = {0};
    const unsigned a = ragged_axes(g, e->binary.lhs, u);
    (void)ragged_axes(g, e->binary.rhs, v);
    const char *index = ragged_fresh(g, "k");
    const ast_expr *k = ast_new_name(g->a, index, e->at), *i = axes == 2 ? last[-2] : last[-1];
    return sum_over(g, index, a == 2 ? u[1] : v[0], ragged_binary(g, OP_MUL, factor_at(g, e->binary.lhs, i, k, k), factor_at(g, e->binary.rhs, k, last[-1], k)));
  }
  case EXPR_CALL:
    if (ragged_is_call(g, e, "rep", 2)) return ragged_copy(g, e->call.args.items[0].value);
    if (!ragged_is_call(g, e, "diag", 1)) return NULL;
    return ast_new_if(g->a, ragged_binary(g, OP_EQ, ragged_copy(g, last[-2]), ragged_copy(g, last[-1])), ragged_element(g, e->call.args.items[0].value, last - 1, 1), ragged_real(g, 0, e->at));
  case EXPR_COMPREHENSION: {
    indices in = {&e->comprehension.iter, last - axes, g};
    ast_copier put = {.mem = g->a, .user = &in, .expr = put_index};
    return ast_copy_expr(&put, e->comprehension.body);
  }
  case EXPR_INDEX: return ragged_row_in(g, e, false) == e ? ragged_row_element(g, e, last[-1]) : NULL;
  default: return NULL;
  }
}

ast_expr *ragged_element(ragged *g, const ast_expr *e, const ast_expr *const *at, unsigned rank) {
  element x = {.g = g, .rank = rank};
  memcpy(x.at, at, rank * sizeof *at);
  ast_copier c = {.mem = g->a, .user = &x, .expr = write_element};
  return ast_copy_expr(&c, e);
}

/* ---- rectangles */

static ast_expr *put_longest(ast_copier *c, const ast_expr *e) {
  ragged *g = c->user;
  const ragged_rows *r = e->kind == EXPR_INDEX ? rows_of_length(g, e) : NULL;
  return r ? ast_new_name(g->a, r->max, e->at) : NULL;
}

static ast_range range_of(ragged *g, const char *index, const ast_expr *n, bool most, span at) {
  ast_copier c = {.mem = g->a, .user = g, .expr = most ? put_longest : NULL};
  return (ast_range){.var = {.name = index, .at = at}, .lo = ast_new_int(g->a, 1, at), .hi = ast_copy_expr(&c, n), .at = at};
}

static ast_expr *comprehension_new(ragged *g, const char *const *index, const ast_expr *const *n, unsigned axes, bool most, ast_expr *body) {
  ast_expr *e = ast_new_expr(g->a, EXPR_COMPREHENSION, body->at);
  e->comprehension.body = body;
  e->comprehension.iter.at = body->at;
  for (unsigned k = 0; k < axes; k++) {
    ast_range r = range_of(g, index[k], n[k], most, body->at);
    ARENA_PUSH(g->a, e->comprehension.iter.items, e->comprehension.iter.n, e->comprehension.iter.cap, r);
  }
  e->depth = (uint16_t)(2 + body->depth);
  return e;
}

/* Elements of data that are not drawn, x[d, i] with i the index of an axis of length len[d], are read from their rectangle, which data alone make:
 * there every position is in range, so that no element of a matrix needs a choice of its own. */
typedef struct reads {
  ragged *g;
  const char *const *index;
  const ast_expr *const *n;
  unsigned axes;
} reads;

static ast_expr *read_rectangle(ast_copier *c, const ast_expr *e) {
  const reads *x = c->user;
  ragged *g = x->g;
  const char *array = e->kind == EXPR_INDEX && e->index.subs.n == 2 ? ragged_name(e->index.base) : NULL;
  const ragged_rows *r = array && ragged_is_real_data(g, array) && !ragged_is_drawn(g, array) ? ragged_rows_of(g, array) : NULL;
  for (unsigned k = 0; r && k < x->axes; k++) {
    if (ragged_name(e->index.subs.items[1]) != x->index[k]) continue;
    const ast_expr *row = e->index.subs.items[0];
    if (!ast_same_text(g->a, x->n[k], ragged_end(g, r, ragged_copy(g, row), e->at))) return NULL;
    return ragged_at(g, ragged_rectangle_of_data(g, r, array, e->at), ragged_copy(g, row), ast_new_name(g->a, x->index[k], e->at), e->at);
  }
  return NULL;
}

/* e in a rectangle that has room for the longest row, with `other` behind it. */
static ast_expr *padded(ragged *g, const ast_expr *e, const ast_expr *const *n, unsigned axes, ast_expr *other) {
  const char *index[2] = {ragged_fresh(g, "i"), ragged_fresh(g, "j")};
  const ast_expr *at[2] = {ast_new_name(g->a, index[0], e->at), ast_new_name(g->a, index[1], e->at)};
  reads data = {g, index, n, axes};
  ast_copier c = {.mem = g->a, .user = &data, .expr = read_rectangle};
  ast_expr *inside = NULL, *x = ast_copy_expr(&c, ragged_element(g, e, at, axes));
  for (unsigned k = 0; k < axes; k++) {
    if (!rows_of_length(g, n[k])) continue;
    ast_expr *in = ragged_binary(g, OP_LE, ragged_copy(g, at[k]), ragged_copy(g, n[k]));
    inside = inside ? ragged_binary(g, OP_AND, inside, in) : in;
  }
  if (axes == 2 && ast_same_text(g->a, n[0], n[1])) other = ast_new_if(g->a, ragged_binary(g, OP_EQ, ragged_copy(g, at[0]), ragged_copy(g, at[1])), ragged_real(g, 1, e->at), other);
  return comprehension_new(g, index, n, axes, true, ast_new_if(g->a, inside, x, other));
}

/* Names that stand for rectangles, by the comprehensions over their corners. */
static ast_expr *corner(ragged *g, const char *array, const ast_expr *const *n, unsigned axes, span at) {
  const char *index[2] = {ragged_fresh(g, "i"), ragged_fresh(g, "j")};
  ast_expr *x = ragged_at(g, array, ast_new_name(g->a, index[0], at), axes > 1 ? ast_new_name(g->a, index[1], at) : NULL, at);
  return comprehension_new(g, index, n, axes, false, x);
}

static const char *rectangle_of(const ragged *g, const ast_expr *e) {
  const ast_expr *b = e->kind == EXPR_COMPREHENSION ? e->comprehension.body : NULL;
  const char *name = b && b->kind == EXPR_INDEX && b->index.subs.n == e->comprehension.iter.n ? ragged_name(b->index.base) : NULL;
  bool is = false;
  for (size_t k = 0; name && k < g->nrectangles; k++) is = is || g->rectangles[k] == name;
  for (size_t k = 0; is && k < b->index.subs.n; k++) is = ragged_name(b->index.subs.items[k]) == e->comprehension.iter.items[k].var.name;
  return is ? name : NULL;
}

/* `let name = value` of a rectangle; NULL: it has no place. */
static const char *keep(row_scope *s, const char *word, ast_expr *value) {
  ragged *g = s->g;
  const char *name = ragged_fresh(g, word);
  if (!ragged_let_before(s, name, value)) return NULL;
  ARENA_PUSH(g->a, g->rectangles, g->nrectangles, g->cap_rectangles, name);
  return name;
}

/* The rectangle of a matrix or vector of rows, as it is put into a call; NULL: it has no place. */
static ast_expr *rectangle(row_scope *s, const char *word, const ast_expr *e) {
  ragged *g = s->g;
  const ast_expr *n[2];
  const unsigned axes = ragged_axes(g, e, n);
  if (axes == 0) return ragged_copy(g, e);
  const char *name = rectangle_of(g, e);
  if (axes == 1 && !name) return padded(g, e, n, 1, ragged_real(g, 0, e->at));
  if (!name) name = keep(s, word, padded(g, e, n, axes, ragged_real(g, 0, e->at)));
  return name ? ast_new_name(g->a, name, e->at) : NULL;
}

ast_expr *ragged_keep_matrix(row_scope *s, const char *word, const ast_expr *e) {
  ragged *g = s->g;
  const ast_expr *n[2];
  if (ragged_axes(g, e, n) != 2 || rectangle_of(g, e)) return ragged_copy(g, e);
  const ast_expr *r = rectangle(s, word, e);
  return r ? corner(g, r->name.name, n, 2, e->at) : ragged_copy(g, e);
}

ast_expr *ragged_product(row_scope *s, ast_expr *a, ast_expr *b) {
  ragged *g = s->g;
  ast_expr *x = ragged_binary(g, OP_MATMUL, a, b);
  const ast_expr *n[2];
  const unsigned axes = ragged_axes(g, x, n);
  ast_expr *l = axes ? rectangle(s, "m", a) : NULL, *r = l ? rectangle(s, "m", b) : NULL;
  const char *name = r ? keep(s, "m", ragged_binary(g, OP_MATMUL, l, r)) : NULL;
  return name ? corner(g, name, n, axes, x->at) : x;
}

ast_expr *ragged_matrix_call(row_scope *s, const ast_expr *e) {
  static const char *const names[] = {"cholesky", "solve_lower", "solve_lower_t"};
  ragged *g = s->g;
  size_t f = 0;
  while (f < 3 && !ragged_is_call(g, e, names[f], 1)) f++;
  const ast_expr *n[2], *m[2];
  if (f == 3 || e->call.args.n != 1 + (f > 0) || ragged_axes(g, e->call.args.items[0].value, n) != 2) return NULL;
  const unsigned axes = f ? ragged_axes(g, e->call.args.items[1].value, m) : 2;
  if (axes == 0) return NULL;
  ast_expr *call = ast_new_call(g->a, e->call.fn.name, e->at);
  for (size_t k = 0; k < e->call.args.n; k++) {
    ast_expr *r = rectangle(s, "m", e->call.args.items[k].value);
    if (!r) return NULL;
    ast_add_arg(g->a, call, r);
  }
  const char *name = keep(s, names[f], call);
  return name ? corner(g, name, f ? m : n, axes, e->at) : NULL;
}

/* sum(K) and its like of what no row alone tells the length of. */
ast_expr *ragged_reduce(ragged *g, const ast_expr *call) {
  const ast_expr *n[2], *e = call->call.args.items[0].value;
  const unsigned axes = ragged_axes(g, e, n);
  if (axes == 0) return NULL;
  const char *index[2] = {ragged_fresh(g, "i"), ragged_fresh(g, "j")};
  const ast_expr *at[2] = {ast_new_name(g->a, index[0], e->at), ast_new_name(g->a, index[1], e->at)};
  ast_expr *x = ast_new_expr(g->a, EXPR_REDUCE, call->at);
  x->reduce.fn = call->call.fn;
  x->reduce.body = ragged_element(g, e, at, axes);
  x->reduce.iter.at = call->at;
  for (unsigned k = 0; k < axes; k++) {
    ast_range r = range_of(g, index[k], n[k], false, e->at);
    ARENA_PUSH(g->a, x->reduce.iter.items, x->reduce.iter.n, x->reduce.iter.cap, r);
  }
  x->depth = (uint16_t)(2 + x->reduce.body->depth);
  return x;
}

/* ---- draws of rows */

/* The rows, where the target is one of them, `w[d]` of data or `w[d, 1..len[d]]`, in the loop over d. */
static ragged_rows *rows_of_target(const ragged *g, const row_scope *s, const ast_target *t) {
  const char *d = s->over ? s->over->var.name : NULL, *extent = s->over ? ragged_extent(g, s->over->hi) : NULL;
  if (!d || !extent || t->subs.n == 0 || ragged_name(t->subs.items[0]) != d) return NULL;
  ragged_rows *r = ragged_rows_of(g, t->name.name);
  const ast_expr *part = t->subs.n == 2 ? t->subs.items[1] : NULL;
  if (part && part->kind == EXPR_RANGE) {
    const char *len = ragged_is_one(part->range.lo) ? ragged_lengths(part->range.hi, d) : NULL;
    return len ? ragged_rows_by(g, len, extent) : NULL;
  }
  return r && r->extent == extent && (t->subs.n == 1 || (part && part->kind == EXPR_ALL)) ? r : NULL;
}

static const ast_expr *argument_of(const ast_expr *call, const char *name, size_t place) {
  const ast_arg *a = ast_args_find(&call->call.args, name);
  if (a) return a->value;
  return place < call->call.args.n && !call->call.args.items[place].name.name ? call->call.args.items[place].value : NULL;
}

/* w[d, n] ~ Normal(if n == 1 { start } else { w[d, n - 1] }, sigma) for n in 1..len[d] */
static ast_stmt *walk(row_scope *s, const ragged_rows *r, const ast_stmt *x) {
  ragged *g = s->g;
  const ast_target *t = &x->sample.target;
  const ast_expr *start = argument_of(x->sample.dist, "start", 0), *sigma = argument_of(x->sample.dist, "sigma", 1);
  if (!start || !sigma || x->sample.dist->call.args.n != 2 || t->type) return NULL;
  const span at = x->sample.dist->at;
  const char *d = s->over->var.name, *n = ragged_fresh(g, "n");
  ast_expr *before = ragged_at(g, t->name.name, ast_new_name(g->a, d, at), ragged_plus(g, ast_new_name(g->a, n, at), -1), at);
  ast_expr *mean = ast_new_if(g->a, ragged_binary(g, OP_EQ, ast_new_name(g->a, n, at), ast_new_int(g->a, 1, at)), ragged_copy(g, start), before);
  ast_expr *dist = ast_new_call(g->a, intern(g->p->names, "Normal"), at);
  ast_add_arg(g->a, dist, mean);
  ast_add_arg(g->a, dist, ragged_copy(g, sigma));
  ast_stmt *y = ARENA_NEW(g->a, ast_stmt), *loop = ARENA_NEW(g->a, ast_stmt);
  *y = *x;
  y->sample.iter = (ast_iter){0};
  y->sample.dist = dist;
  y->sample.target.subs = (ast_exprs){0};
  ARENA_PUSH(g->a, y->sample.target.subs.items, y->sample.target.subs.n, y->sample.target.subs.cap, ast_new_name(g->a, d, at));
  ARENA_PUSH(g->a, y->sample.target.subs.items, y->sample.target.subs.n, y->sample.target.subs.cap, ast_new_name(g->a, n, at));
  *loop = (ast_stmt){.kind = STMT_FOR, .id = x->id, .at = x->at, .depth = (uint16_t)(2 + dist->depth)};
  ast_block *body = ARENA_NEW(g->a, ast_block);
  body->at = x->at;
  ARENA_PUSH(g->a, body->items, body->n, body->cap, y);
  ast_range range = {.var = {.name = n, .at = at}, .lo = ast_new_int(g->a, 1, at), .hi = ragged_end(g, r, ast_new_name(g->a, d, at), at), .at = at};
  loop->for_.iter.at = at;
  ARENA_PUSH(g->a, loop->for_.iter.items, loop->for_.iter.n, loop->for_.iter.cap, range);
  loop->for_.body = body;
  return loop;
}

/* The distribution over a rectangle, or NULL. */
static ast_expr *padded_dist(row_scope *s, const ragged_rows *r, const ast_expr *dist) {
  ragged *g = s->g;
  const bool normal = ragged_is_call(g, dist, "MultiNormal", 2), counts = ragged_is_call(g, dist, "Multinomial", 2);
  if ((!normal && !counts) || dist->call.args.n != 2) return NULL;
  ast_expr *call = ast_new_call(g->a, intern(g->p->names, normal ? "PaddedMultiNormal" : "Multinomial"), dist->at);
  if (normal) ast_add_arg(g->a, call, ragged_end(g, r, ast_new_name(g->a, s->over->var.name, dist->at), dist->at));
  for (size_t k = 0; k < 2; k++) {
    const ast_arg *a = &dist->call.args.items[k];
    const bool is_p = a->name.name ? strcmp(a->name.name, "p") == 0 : k == 1;
    const ast_expr *n[2];
    const unsigned axes = ragged_axes(g, a->value, n), want = counts ? is_p : a->name.name ? 1 + (strcmp(a->name.name, "mu") != 0) : 1 + (unsigned)k;
    if (axes != want) {
      diag *x = ragged_refuse(g, a->value->at, want == 2 ? "this is no matrix over the elements of the row" : want == 1 ? "this is not as long as the row" : "this has a value for each element of a row, and has to be one number");
      if (x && want == 2) diag_help(g->p->diags, x, "it has a row and a column for each element, as `gp_exp_quad(distances(x[%s], x[%s]), 1, 1)` and `diag(rep(1, %s[%s]))` have; a function gives it as one expression, `[... for i in 1..N, j in 1..N]`", s->over->var.name, s->over->var.name, r->len, s->over->var.name);
      if (x && want == 1) diag_help(g->p->diags, x, "one value for all is `rep(m, %s[%s])`; an expression for each, `[... for i in 1..%s[%s]]`", r->len, s->over->var.name, r->len, s->over->var.name);
      return ast_new_expr(g->a, EXPR_ERROR, dist->at);
    }
    ast_expr *value = want ? rectangle(s, "m", a->value) : ragged_copy(g, a->value);
    if (!value) return NULL;
    ast_add_arg(g->a, call, value);
    call->call.args.items[call->call.args.n - 1].name = a->name;
  }
  return call;
}

static const char *rectangle_name(const ragged *g, const char *name) { return intern(g->p->names, arena_printf(g->a, "%s.rows", name)); }

const char *ragged_drawn_name(const ragged *g, const char *name) {
  for (size_t k = 0; k < g->ndrawn; k++)
    if (g->drawn[k] == name) return rectangle_name(g, name);
  return name;
}

bool ragged_is_drawn(const ragged *g, const char *name) { return ragged_drawn_name(g, name) != name || ragged_draws(g->model->body, name); }

/* let w.rows = [if i <= len[d] { w[d, i] } else { 0 } for d in 1..D, i in 1..len.max], at the beginning of the model. */
const char *ragged_rectangle_of_data(ragged *g, const ragged_rows *r, const char *name, span at) {
  const char *array = rectangle_name(g, name);
  for (size_t k = 0; k < g->ahead.n; k++)
    if (g->ahead.items[k]->let.target.name.name == array) return array;
  const char *d = ragged_fresh(g, "d"), *index = ragged_fresh(g, "i");
  ast_expr *row = ragged_at(g, name, ast_new_name(g->a, d, at), NULL, at);
  const ast_expr *n[2] = {ragged_extent_new(g, r, at), ragged_length(g, row)}, *i = ast_new_name(g->a, index, at);
  ast_expr *inside = ragged_binary(g, OP_LE, ragged_copy(g, i), ragged_copy(g, n[1]));
  ast_expr *x = ast_new_if(g->a, inside, ragged_element(g, row, &i, 1), ast_new_int(g->a, 0, at));
  ast_stmt *let = ARENA_NEW(g->a, ast_stmt);
  *let = (ast_stmt){.kind = STMT_LET, .at = at};
  let->let.target = (ast_target){.name = {.name = array, .at = at}, .at = at};
  let->let.value = comprehension_new(g, (const char *[]){d, index}, n, 2, true, x);
  let->depth = (uint16_t)(1 + let->let.value->depth);
  ARENA_PUSH(g->a, g->ahead.items, g->ahead.n, g->ahead.cap, let);
  return array;
}

/* Categorical(p), Categorical(logit = eta) of a row: what stands behind it has no probability. */
static ast_stmt *draw_label(row_scope *s, const ast_stmt *x) {
  ragged *g = s->g;
  const ast_expr *dist = x->sample.dist, *n[2];
  if (!ragged_is_call(g, dist, "Categorical", 1) || dist->call.args.n != 1 || ragged_axes(g, dist->call.args.items[0].value, n) != 1) return NULL;
  const ast_arg *p = &dist->call.args.items[0];
  const bool logit = p->name.name && strcmp(p->name.name, "logit") == 0;
  ast_expr *nothing = ragged_real(g, 0, dist->at), *call = ast_new_call(g->a, dist->call.fn.name, dist->at);
  if (logit) nothing = ragged_binary(g, OP_DIV, ragged_real(g, -1, dist->at), nothing);
  ast_add_arg(g->a, call, padded(g, p->value, n, 1, nothing));
  call->call.args.items[0].name = p->name;
  ast_stmt *y = ARENA_NEW(g->a, ast_stmt);
  *y = *x;
  y->sample.dist = call;
  return y;
}

static ragged_rows *rows_of_arguments(ragged *g, const ast_expr *dist) {
  for (size_t k = 0; k < dist->call.args.n; k++) {
    const ast_expr *n[2];
    const unsigned axes = ragged_axes(g, dist->call.args.items[k].value, n);
    if (axes && rows_of_length(g, n[0])) return rows_of_length(g, n[0]);
  }
  return NULL;
}

ast_stmt *ragged_draw_row(row_scope *s, const ast_stmt *x, bool predicted) {
  ragged *g = s->g;
  if (x->kind != STMT_SAMPLE) return NULL;
  ast_stmt *label = draw_label(s, x);
  if (label) return label;
  if (!s->over || !ragged_draws_array(g, x->sample.dist)) return NULL;
  const ast_target *t = &x->sample.target;
  ragged_rows *r = rows_of_target(g, s, t);
  const bool data = r && ragged_is_data(g, t->name.name);
  if (r && ragged_is_call(g, x->sample.dist, "RandomWalk", 2)) {
    ragged_add_array(g, r, t->name.name);
    return walk(s, r, x);
  }
  if (!r && predicted && t->subs.n == 1 && ragged_name(t->subs.items[0]) == s->over->var.name) r = rows_of_arguments(g, x->sample.dist);
  else if (!data) return NULL;
  if (!r || ragged_extent(g, s->over->hi) != r->extent) return NULL;
  ast_expr *dist = padded_dist(s, r, x->sample.dist);
  if (!dist) return NULL;
  ast_stmt *y = ARENA_NEW(g->a, ast_stmt);
  *y = *x;
  y->sample.dist = dist;
  if (dist->kind == EXPR_ERROR || !data) return y; /* a prediction fills the beginning of each row of a matrix */
  if (ragged_drawn_name(g, t->name.name) == t->name.name) ARENA_PUSH(g->a, g->drawn, g->ndrawn, g->cap_drawn, t->name.name);
  y->sample.target = (ast_target){.name = {.name = ragged_rectangle_of_data(g, r, t->name.name, t->at), .at = t->name.at}, .at = t->at};
  ARENA_PUSH(g->a, y->sample.target.subs.items, y->sample.target.subs.n, y->sample.target.subs.cap, ast_new_name(g->a, s->over->var.name, t->at));
  return y;
}
