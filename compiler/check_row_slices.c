/* check_row_slices.c: slices of rows of ragged arrays, written out element by element (check_ragged.c).
 *
 *     w[d, 2..len[d]] ~ Normal(x[d, 2..len[d]], s)    w[d, len.i] ~ Normal(x[d, len.i], s) for len.i in 2..len[d]
 *     w[d] ~ Normal(m, s)                             w[d, len.i] ~ Normal(m, s) for len.i in 1..len[d]
 *     sum(w[d])                                       sum(w[d, len.i] for len.i in 1..len[d])
 *     w[d, 2..4]                                      [w[d, len.i] for len.i in 2..4]
 *
 * Left of `~` and inside a reduction a slice may have any length; anywhere else it is an array, whose length is a size. */
#include "compiler/check_ragged.h"

#include <string.h>

typedef struct slices {
  ragged *g;
  /* Inside a statement that was written out: its slice, which the same slice of other arrays of the same rows goes along with. */
  const ragged_rows *rows;
  const ast_expr *row, *range;
  const char *index;
  unsigned inside; /* loops over elements of rows around a statement: there x[d] is a slip for x[d, n] */
} slices;

static const char *text_of(ragged *g, const ast_expr *e) {
  strbuf b;
  strbuf_init(&b, g->a);
  ast_print_expr(&b, e);
  return b.s;
}

/* 1..len[d] */
static ast_expr *whole_row(ragged *g, const ragged_rows *r, const ast_expr *row, span at) {
  ast_copier plain = {.mem = g->a};
  ast_expr *e = ast_new_expr(g->a, EXPR_RANGE, at), *hi = ast_new_expr(g->a, EXPR_INDEX, at), *sub = ast_copy_expr(&plain, row);
  hi->index.base = ast_new_name(g->a, r->len, at);
  ARENA_PUSH(g->a, hi->index.subs.items, hi->index.subs.n, hi->index.subs.cap, sub);
  hi->depth = (uint16_t)(1 + sub->depth);
  e->range.lo = ast_new_int(g->a, 1, at);
  e->range.hi = hi;
  e->depth = (uint16_t)(1 + hi->depth);
  return e;
}

/* The range that subscripts leave open in a row; NULL: they name an element, or the whole array. */
static const ast_expr *open_range(ragged *g, const ragged_rows *r, const ast_exprs *subs, span at) {
  if (!r || subs->n == 0 || subs->items[0]->kind == EXPR_ALL || subs->items[0]->kind == EXPR_RANGE) return NULL;
  if (subs->n == 1 || subs->items[1]->kind == EXPR_ALL) return whole_row(g, r, subs->items[0], at);
  return subs->items[1]->kind == EXPR_RANGE ? subs->items[1] : NULL;
}

/* index + by */
static ast_expr *shifted(ragged *g, const char *index, int64_t by, span at) {
  ast_expr *i = ast_new_name(g->a, index, at), *e = by ? ast_new_expr(g->a, EXPR_BINARY, at) : i;
  if (!by) return i;
  e->binary.op = by < 0 ? OP_SUB : OP_ADD;
  e->binary.lhs = i;
  e->binary.rhs = ast_new_int(g->a, by < 0 ? -by : by, at);
  e->binary.op_at = at;
  e->depth = 2;
  return e;
}

static ast_exprs element(slices *s, ast_copier *c, const ast_exprs *subs, const char *index, int64_t by, span at) {
  ast_exprs out = {0};
  ast_expr *row = ast_copy_expr(c, subs->items[0]), *column = shifted(s->g, index, by, at);
  ARENA_PUSH(s->g->a, out.items, out.n, out.cap, row);
  ARENA_PUSH(s->g->a, out.items, out.n, out.cap, column);
  for (size_t i = 2; i < subs->n; i++) {
    ast_expr *e = ast_copy_expr(c, subs->items[i]);
    ARENA_PUSH(s->g->a, out.items, out.n, out.cap, e);
  }
  return out;
}

static ast_expr *read_element(slices *s, ast_copier *c, const ast_expr *e, const char *index, int64_t by) {
  ast_expr *x = ast_new_expr(s->g->a, EXPR_INDEX, e->at);
  x->index.base = ast_new_name(s->g->a, e->index.base->name.name, e->index.base->at);
  x->index.subs = element(s, c, &e->index.subs, index, by, e->at);
  x->depth = (uint16_t)(2 + e->depth);
  return x;
}

static const char *fresh(slices *s, const ragged_rows *r) {
  return intern(s->g->p->names, arena_printf(s->g->a, "%s.i%u", r->len, ++s->g->locals));
}

static ast_iter over(slices *s, ast_copier *c, const char *index, const ast_expr *range) {
  ast_iter it = {.at = range->at};
  ast_range r = {.var = {.name = index, .at = range->at}, .lo = ast_copy_expr(c, range->range.lo), .hi = ast_copy_expr(c, range->range.hi), .at = range->at};
  ARENA_PUSH(s->g->a, it.items, it.n, it.cap, r);
  return it;
}

static bool reduces(const char *fn) {
  static const char *const names[] = {"sum", "mean", "max", "min", "prod", "all", "any"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(fn, names[i]) == 0) return true;
  return false;
}

/* Whether `is` is `from` moved by a number: 1..len[d] - 1 is 2..len[d] moved by -1. */
static bool moved(ragged *g, const ast_expr *is, const ast_expr *from, int64_t *by) {
  const ast_expr *a = is->range.lo, *b = from->range.lo, *hi = is->range.hi, *was = from->range.hi;
  *by = 0;
  if (strcmp(text_of(g, is), text_of(g, from)) == 0) return true;
  if (a->kind != EXPR_INT || b->kind != EXPR_INT || (*by = a->integer.value - b->integer.value) == 0) return false;
  ast_copier plain = {.mem = g->a};
  ast_expr *e = ast_new_expr(g->a, EXPR_BINARY, hi->at);
  e->binary.op = *by < 0 ? OP_SUB : OP_ADD;
  e->binary.lhs = ast_copy_expr(&plain, was);
  e->binary.rhs = ast_new_int(g->a, *by < 0 ? -*by : *by, hi->at);
  return strcmp(text_of(g, e), text_of(g, hi)) == 0;
}

/* What can be a size: no element of an array, such as a row's length. */
static bool is_size(const ast_expr *e) {
  if (e->kind == EXPR_BINARY) return is_size(e->binary.lhs) && is_size(e->binary.rhs);
  return e->kind == EXPR_INT || e->kind == EXPR_NAME;
}

static ast_expr *write_slice(ast_copier *c, const ast_expr *e) {
  slices *s = c->user;
  const ast_expr *of = e->kind == EXPR_CALL && !e->call.of && e->call.args.n == 1 && reduces(e->call.fn.name) ? e->call.args.items[0].value : e;
  const char *name = of->kind == EXPR_INDEX ? ragged_name(of->index.base) : NULL;
  const ragged_rows *r = name ? ragged_rows_of(s->g, name) : NULL;
  const ast_expr *range = open_range(s->g, r, &of->index.subs, of->at);
  if (!r || !range) return NULL;
  if (of != e) {
    const char *index = fresh(s, r);
    ast_expr *x = ast_new_expr(s->g->a, EXPR_REDUCE, e->at);
    x->reduce.fn = e->call.fn;
    x->reduce.body = read_element(s, c, of, index, 0);
    x->reduce.iter = over(s, c, index, range);
    x->depth = (uint16_t)(2 + x->reduce.body->depth);
    return x;
  }
  int64_t by;
  if (s->rows == r && strcmp(text_of(s->g, e->index.subs.items[0]), text_of(s->g, s->row)) == 0 && moved(s->g, range, s->range, &by))
    return read_element(s, c, e, s->index, by);
  if (range != e->index.subs.items[1 % e->index.subs.n] || !is_size(range->range.lo) || !is_size(range->range.hi)) return NULL; /* refused later: it has no fixed length */
  const char *index = fresh(s, r);
  ast_expr *x = ast_new_expr(s->g->a, EXPR_COMPREHENSION, e->at);
  x->comprehension.body = read_element(s, c, e, index, 0);
  x->comprehension.iter = over(s, c, index, range);
  x->depth = (uint16_t)(2 + x->comprehension.body->depth);
  return x;
}

/* The rows of an array with that length in d: those of an array of the signature, or of a loop `d in 1..D` around the statement. */
static ragged_rows *rows_of_target(slices *s, const ast_target *t) {
  ragged_rows *r = ragged_rows_of(s->g, t->name.name);
  const ast_expr *hi = t->subs.n >= 2 && t->subs.items[1]->kind == EXPR_RANGE ? t->subs.items[1]->range.hi : NULL;
  const char *len = hi ? ragged_lengths(hi, ragged_name(t->subs.items[0])) : NULL;
  for (size_t k = 0; !r && len && k < s->g->n; k++)
    if (s->g->of[k].len == len) r = &s->g->of[k];
  return r;
}

static unsigned loops_in_rows(const ragged *g, const ast_iter *it) {
  unsigned n = 0;
  for (size_t i = 0; i < it->n; i++)
    for (size_t k = 0; k < g->n && it->items[i].hi; k++)
      n += it->items[i].hi->kind == EXPR_INDEX && ragged_name(it->items[i].hi->index.base) == g->of[k].len;
  return n;
}

static ast_stmt *write_statement(slices *s, const ast_stmt *x) {
  ast_copier c = {.mem = s->g->a, .user = s, .expr = write_slice};
  const ast_target *t = x->kind == STMT_SAMPLE ? &x->sample.target : NULL;
  ragged_rows *r = t ? rows_of_target(s, t) : NULL;
  const ast_expr *range = r ? open_range(s->g, r, &t->subs, t->at) : NULL;
  if (!range || (t->subs.n == 1 && s->inside + loops_in_rows(s->g, &x->sample.iter) > 0)) return ast_copy_stmt(&c, x);
  ragged_add_array(s->g, r, t->name.name);
  slices inner = {.g = s->g, .rows = r, .row = t->subs.items[0], .range = range, .index = fresh(s, r)};
  ast_iter last = over(s, &c, inner.index, range);
  c.user = &inner;
  ast_stmt *y = ast_copy_stmt(&c, x);
  y->sample.target.subs = element(&inner, &c, &t->subs, inner.index, 0, t->at);
  if (y->sample.iter.n == 0) y->sample.iter.at = last.at;
  ARENA_PUSH(s->g->a, y->sample.iter.items, y->sample.iter.n, y->sample.iter.cap, last.items[0]);
  return y;
}

static void write_block(slices *s, ast_block *b) {
  ast_copier c = {.mem = s->g->a, .user = s, .expr = write_slice};
  for (size_t i = 0; b && i < b->n; i++) {
    ast_stmt *x = b->items[i];
    switch (x->kind) {
    case STMT_PLATE:
    case STMT_FOR: {
      const unsigned here = loops_in_rows(s->g, x->kind == STMT_PLATE ? &x->plate.iter : &x->for_.iter);
      s->inside += here;
      write_block(s, x->kind == STMT_PLATE ? x->plate.body : x->for_.body);
      s->inside -= here;
      break;
    }
    case STMT_IF:
      x->if_.cond = ast_copy_expr(&c, x->if_.cond);
      write_block(s, x->if_.then);
      write_block(s, x->if_.else_);
      break;
    case STMT_PREDICT: write_block(s, x->predict.body); break;
    default: b->items[i] = write_statement(s, x); break;
    }
  }
}

void ragged_write_slices(ragged *g, ast_block *b) {
  slices s = {.g = g};
  write_block(&s, b);
}
