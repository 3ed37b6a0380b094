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
  row_scope *scope;
  bool predicting;
  unsigned inside; /* loops over elements of rows around a statement: there x[d] is a slip for x[d, n] */
} slices;

/* 1..len[d] */
static ast_expr *whole_row(ragged *g, const ragged_rows *r, const ast_expr *row, span at) {
  return ragged_range(g, ast_new_int(g->a, 1, at), ragged_end(g, r, ragged_copy(g, row), at), at);
}

const ast_expr *ragged_open_range(ragged *g, const ragged_rows *r, const ast_exprs *subs, span at) {
  if (!r || subs->n == 0 || subs->items[0]->kind == EXPR_ALL || subs->items[0]->kind == EXPR_RANGE) return NULL;
  if (subs->n == 1 || subs->items[1]->kind == EXPR_ALL) return whole_row(g, r, subs->items[0], at);
  return subs->items[1]->kind == EXPR_RANGE ? subs->items[1] : NULL;
}

static ast_exprs element(slices *s, ast_copier *c, const ast_exprs *subs, const char *index, int64_t by, span at) {
  ast_exprs out = {0};
  ast_expr *row = ast_copy_expr(c, subs->items[0]), *column = ragged_plus(s->g, ast_new_name(s->g->a, index, at), by);
  ARENA_PUSH(s->g->a, out.items, out.n, out.cap, row);
  ARENA_PUSH(s->g->a, out.items, out.n, out.cap, column);
  for (size_t i = 2; i < subs->n; i++) {
    ast_expr *e = ast_copy_expr(c, subs->items[i]);
    ARENA_PUSH(s->g->a, out.items, out.n, out.cap, e);
  }
  return out;
}

static ast_expr *read_element(slices *s, ast_copier *c, const ast_expr *e, const char *index, int64_t by) {
  return ragged_subscripted(s->g, ast_new_name(s->g->a, e->index.base->name.name, e->index.base->at), element(s, c, &e->index.subs, index, by, e->at), e->at);
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

/* Whether `is` is `from` moved by a number: 1..len[d] - 1 is 2..len[d] moved by -1. */
static bool moved(ragged *g, const ast_expr *is, const ast_expr *from, int64_t *by) {
  const ast_expr *a = is->range.lo, *b = from->range.lo;
  *by = 0;
  if (ast_same_text(g->a, is, from)) return true;
  if (a->kind != EXPR_INT || b->kind != EXPR_INT) return false;
  *by = a->integer.value - b->integer.value;
  ast_expr *hi = ragged_plus(g, ragged_copy(g, is->range.hi), 0), *was = ragged_plus(g, ragged_copy(g, from->range.hi), *by);
  return ast_same_text(g->a, was, hi);
}

static ast_expr *write_slice(ast_copier *c, const ast_expr *e);

static ast_expr *write_sum(slices *s, const ast_expr *e, const ast_expr *row) {
  ragged *g = s->g;
  const ragged_rows *r = ragged_rows_of(g, ragged_name(row->index.base));
  const ast_expr *range = ragged_open_range(g, r, &row->index.subs, row->at);
  slices inner = {.g = g, .scope = s->scope, .rows = r, .row = row->index.subs.items[0], .range = range, .index = fresh(s, r)};
  ast_copier c = {.mem = g->a, .user = &inner, .expr = write_slice};
  ast_expr *x = ast_new_expr(g->a, EXPR_REDUCE, e->at);
  x->reduce.fn = e->call.fn;
  x->reduce.body = ast_copy_expr(&c, e->call.args.items[0].value);
  x->reduce.iter = over(s, &c, inner.index, range);
  x->depth = (uint16_t)(2 + x->reduce.body->depth);
  return x;
}

/* What every element of a row reads is computed once, before the statement. */
static ast_expr *once(slices *s, ast_expr *x, const char *word) {
  if (!s->rows) return x;
  const char *name = ragged_fresh(s->g, word);
  return ragged_let_before(s->scope, name, x) ? ast_new_name(s->g->a, name, x->at) : x;
}

/* A row where only an array can stand. */
static ast_expr *refused(slices *s, const ast_expr *e) {
  const char *name = e->index.base->name.name, *dot = ragged_is_data(s->g, name) ? NULL : strrchr(name, '.');
  if (dot) name = arena_printf(s->g->a, "%.*s", (int)(dot - name), name); /* of an array that a `let` of a row became */
  diag *d = ragged_refuse(s->g, e->at, "a row of `%s` has no fixed length, so it is no array here", name);
  if (d && dot) {
    diag_help(s->g->p->diags, d, "`%s[k]` is an element; the row goes with rows as long, element by element, and into `sum`, `dot`, `cumsum` and other functions of a vector", name);
  } else if (d) {
    diag_help(s->g->p->diags, d, "`%s[i, k]` is an element; in a loop over rows a row goes with rows as long, element by element, and into `sum`, `dot`, `cumsum` and other functions of a vector", name);
    diag_help(s->g->p->diags, d, "a row that a number names, as `%s[1]`, is an array like any other", name);
  }
  return ast_new_expr(s->g->a, EXPR_ERROR, e->at);
}

/* A value with an axis of changing length that a comprehension or a call builds. */
static bool is_built(const ragged *g, const ast_expr *e) {
  return e->kind == EXPR_COMPREHENSION || ragged_is_call(g, e, "rep", 2) || ragged_is_call(g, e, "diag", 1) || (e->kind == EXPR_BINARY && e->binary.op == OP_MATMUL);
}

static bool is_as_long(slices *s, const ast_expr *n) {
  ast_expr *hi = ragged_plus(s->g, ragged_copy(s->g, s->range->range.hi), 0);
  if (s->range->range.lo->kind != EXPR_INT) return false;
  hi = ragged_plus(s->g, hi, 1 - s->range->range.lo->integer.value);
  return ast_same_text(s->g->a, hi, ragged_plus(s->g, ragged_copy(s->g, n), 0));
}

static ast_expr *built_element(slices *s, ast_copier *c, const ast_expr *e) {
  const ast_expr *at = ragged_plus(s->g, ast_new_name(s->g->a, s->index, e->at), 1 - s->range->range.lo->integer.value);
  return ast_copy_expr(c, ragged_element(s->g, e, &at, 1));
}

static ast_expr *refused_value(slices *s, const ast_expr *e) {
  diag *d = ragged_refuse(s->g, e->at, "this has as many elements as a row, whose length changes, so it is no array here");
  if (d) {
    diag_help(s->g->p->diags, d, "in a loop over rows, `plate d in 1..D`, a `let` gives it a name, by which its elements are read; what is as long goes with it element by element");
    diag_help(s->g->p->diags, d, "matrices of a row go into `@`, `cholesky`, `solve_lower`, sums, and `MultiNormal` of data");
  }
  return ast_new_expr(s->g->a, EXPR_ERROR, e->at);
}

static ast_expr *write_slice(ast_copier *c, const ast_expr *e) {
  slices *s = c->user;
  if (e == s->scope->skip) {
    s->scope->skip = NULL;
    return NULL;
  }
  if (is_built(s->g, e)) {
    const ast_expr *n[2];
    const unsigned axes = ragged_axes(s->g, e, n);
    if (axes == 1 && s->rows && is_as_long(s, n[0])) return built_element(s, c, e);
    if (axes) return refused_value(s, e);
  }
  if (e->kind == EXPR_IF || e->kind == EXPR_LET || e->kind == EXPR_REDUCE || e->kind == EXPR_COMPREHENSION) {
    s->scope->shields++;
    s->scope->skip = e;
    ast_expr *x = ast_copy_expr(c, e);
    s->scope->shields--;
    return x;
  }
  const ast_expr *row = ragged_reduces(s->g, e) ? ragged_row_in(s->g, e->call.args.items[0].value, true) : NULL;
  if (row) return once(s, write_sum(s, e, row), e->call.fn.name);
  const ragged_rows *r = e->kind == EXPR_INDEX ? ragged_rows_of(s->g, ragged_name(e->index.base)) : NULL;
  const ast_expr *range = ragged_open_range(s->g, r, &e->index.subs, e->at);
  if (!range) return NULL;
  int64_t by;
  if (s->rows == r && ast_same_text(s->g->a, e->index.subs.items[0], s->row) && moved(s->g, range, s->range, &by))
    return read_element(s, c, e, s->index, by);
  if (!ragged_sized(range)) return s->inside ? NULL : refused(s, e); /* inside it is a slip, which has a message of its own */
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

static bool is_length(const ragged_rows *r, const ast_expr *e) {
  if (e->kind == EXPR_BINARY) e = e->binary.lhs;
  return e->kind == EXPR_INDEX && ragged_name(e->index.base) == r->len;
}

static unsigned loops_in_rows(const ragged *g, const ast_iter *it) {
  unsigned n = 0;
  for (size_t i = 0; i < it->n; i++)
    for (size_t k = 0; k < g->n && it->items[i].hi; k++)
      n += is_length(&g->of[k], it->items[i].hi) || (it->items[i].by && is_length(&g->of[k], it->items[i].lo));
  return n;
}

/* The statement whose distribution was reported: what it draws is known all the same. */
static ast_stmt *without_dist(slices *s, const ast_stmt *x) {
  ast_stmt *y = ARENA_NEW(s->g->a, ast_stmt);
  *y = *x;
  y->sample.dist = ast_new_expr(s->g->a, EXPR_ERROR, x->sample.dist->at);
  return y;
}

static void help_draw(slices *s, diag *d, const ast_stmt *x) {
  const ast_target *t = &x->sample.target;
  if (!d) return;
  if (!ragged_is_data(s->g, t->name.name) && strcmp(x->sample.dist->call.fn.name, "MultiNormal") == 0)
    diag_help(s->g->p->diags, d, "draw its standard variates, `z[d, n] ~ Normal(0, 1)` for the elements of the row, and make it of them: `let f = mu + cholesky(K) @ z[d]`");
  else
    diag_help(s->g->p->diags, d, "rows of data may be drawn by `MultiNormal` and `Multinomial`, rows of anything by `RandomWalk`; a row that a number names, `%s[1] ~ ...`, is an array; else keep each row in a rectangle, with an array of its length", t->name.name);
}

/* The statement for each element of the row that it sets, or as it stands. */
static ast_stmt *write_elements(slices *s, const ast_stmt *x) {
  ast_copier c = {.mem = s->g->a, .user = s, .expr = write_slice};
  const ast_target *t = x->kind == STMT_SAMPLE ? &x->sample.target : NULL;
  ragged_rows *r = t ? rows_of_target(s, t) : NULL;
  const ast_expr *range = r ? ragged_open_range(s->g, r, &t->subs, t->at) : NULL;
  if (!range || (t->subs.n == 1 && s->inside + loops_in_rows(s->g, &x->sample.iter) > 0)) return ast_copy_stmt(&c, x);
  const bool refused = ragged_draws_array(s->g, x->sample.dist);
  if (refused) {
    diag *d = ragged_refuse(s->g, x->sample.dist->at, "`%s` draws an array at once, and a row of `%s` has no fixed length", x->sample.dist->call.fn.name, t->name.name);
    help_draw(s, d, x);
  }
  ragged_add_array(s->g, r, t->name.name);
  slices inner = {.g = s->g, .scope = s->scope, .rows = r, .row = t->subs.items[0], .range = range, .index = fresh(s, r)};
  ast_iter last = over(s, &c, inner.index, range);
  c.user = &inner;
  ast_stmt *y = ast_copy_stmt(&c, refused ? without_dist(s, x) : x);
  y->sample.target.subs = element(&inner, &c, &t->subs, inner.index, 0, t->at);
  if (y->sample.iter.n == 0) y->sample.iter.at = last.at;
  ARENA_PUSH(s->g->a, y->sample.iter.items, y->sample.iter.n, y->sample.iter.cap, last.items[0]);
  return y;
}

/* `let c = v` and `let r[d] = v` of rows; false: x is something else. */
static bool write_let(slices *s, const ast_stmt *x) {
  const ast_target *t = x->kind == STMT_LET ? &x->let.target : NULL;
  const ast_expr *row = t ? ragged_row_in(s->g, x->let.value, false) : NULL, *n[2];
  const unsigned axes = t ? ragged_axes(s->g, x->let.value, n) : 0;
  if ((!row && axes == 0) || (axes == 2 && t->subs.n)) return false;
  if (t->subs.n == 0) {
    if (ragged_knows(s->scope, t->name.name)) {
      diag *d = diag_add(s->g->p->diags, DIAG_ERROR, "E0402", t->at, "`%s` is declared twice", t->name.name);
      diag_help(s->g->p->diags, d, "choose another name");
    }
    ragged_bind(s->scope, t->name.name, axes == 2 ? ragged_keep_matrix(s->scope, t->name.name, x->let.value) : ragged_keep_row(s->scope, t->name.name, x->let.value));
    return true;
  }
  const ast_expr *value = row ? x->let.value : ragged_keep_row(s->scope, t->name.name, x->let.value);
  if (!row) row = ragged_row_in(s->g, value, false);
  if (!row) return false;
  ragged_rows *r = ragged_rows_of(s->g, ragged_name(row->index.base));
  const char *d = ragged_name(row->index.subs.items[0]);
  const ast_expr *range = ragged_open_range(s->g, r, &row->index.subs, row->at);
  ast_expr *whole = whole_row(s->g, r, row->index.subs.items[0], row->at);
  if (t->subs.n != 1 || !s->scope->row || s->scope->branch || d != s->scope->row->var.name || ragged_name(t->subs.items[0]) != d || !ast_same_text(s->g->a, range, whole)) return false;
  ragged_add_array(s->g, r, t->name.name);
  ragged_set_row(s->scope, r, t->name.name, fresh(s, r), 0, value);
  return true;
}

static ast_block *block_at(slices *s, span at) {
  ast_block *b = ARENA_NEW(s->g->a, ast_block);
  b->at = at;
  return b;
}

static void append(slices *s, ast_block *b, const ast_block *more) {
  for (size_t i = 0; i < more->n; i++) ARENA_PUSH(s->g->a, b->items, b->n, b->cap, more->items[i]);
}

/* `d in 1..D`, where it is all that a loop runs over. */
static const ast_range *rows_range(const ast_iter *it) {
  return it->n == 1 && it->items[0].hi && !it->items[0].by && ragged_is_one(it->items[0].lo) ? &it->items[0] : NULL;
}

static void write_block(slices *s, ast_block *b, const ast_range *row);

/* A part of the model that is given rows, as its statements; of `r[d] ~ m(w[d]) for d in 1..D` in a plate. */
static bool write_row_part(slices *s, const ast_stmt *x, ast_block *out) {
  if (!ragged_draws_part(s->g, x)) return false;
  const row_name *names = s->scope->names;
  ast_copier values = ragged_value_copier(s->scope);
  ast_stmt one = *x;
  one.sample.iter = (ast_iter){0};
  ast_stmt *y = ast_copy_stmt(&values, &one);
  ast_block *part = ragged_write_part(s->g, y);
  if (!part) return false;
  const bool loop = x->sample.iter.n > 0;
  const ast_range *row = !loop ? s->scope->row : x->sample.iter.n == 1 && !x->sample.iter.cond ? &x->sample.iter.items[0] : NULL;
  const ast_range *over = s->scope->over;
  if (loop && rows_range(&x->sample.iter)) s->scope->over = rows_range(&x->sample.iter);
  row_branch *branch = s->scope->branch;
  if (loop) s->scope->branch = NULL;
  s->g->parts++;
  write_block(s, part, row);
  s->g->parts--;
  s->scope->branch = branch;
  s->scope->over = over;
  s->scope->names = names;
  if (!loop) {
    append(s, out, part);
    return true;
  }
  ast_stmt *plate = ARENA_NEW(s->g->a, ast_stmt);
  *plate = (ast_stmt){.kind = STMT_PLATE, .id = x->id, .at = x->at, .depth = (uint16_t)(x->depth + 1)};
  plate->plate.iter = x->sample.iter;
  plate->plate.body = part;
  ARENA_PUSH(s->g->a, out->items, out->n, out->cap, plate);
  return true;
}

/* What was made for before a statement, by elements. */
static void settle(slices *s, const ast_block *made, ast_block *out) {
  ast_block *before = s->scope->before;
  s->scope->before = out;
  for (size_t i = 0; i < made->n; i++) {
    ast_stmt *z = made->items[i];
    if (z->kind == STMT_PLATE || z->kind == STMT_FOR) { /* of one element each: what its row needs is one let of the row */
      ast_block *b = z->kind == STMT_PLATE ? z->plate.body : z->for_.body;
      b->items[0] = write_elements(s, b->items[0]);
    } else {
      z = write_elements(s, z);
    }
    ARENA_PUSH(s->g->a, out->items, out->n, out->cap, z);
  }
  s->scope->before = before;
}

/* x, and before it what it needs.  Of `x ~ D for d in 1..D` that stands in a plate with it. */
static void write_statement(slices *s, const ast_stmt *x, ast_block *out) {
  row_scope *scope = s->scope;
  const ast_range *row = scope->row;
  ast_block *first = block_at(s, x->at), *then = block_at(s, x->at);
  ast_copier values = ragged_value_copier(scope);
  const bool iter = x->kind == STMT_SAMPLE && x->sample.iter.n > 0;
  const ast_range *over = scope->over;
  row_branch *branch = scope->branch;
  if (iter) scope->branch = NULL;
  if (iter) scope->row = x->sample.iter.cond ? NULL : rows_range(&x->sample.iter);
  if (iter && rows_range(&x->sample.iter)) scope->over = rows_range(&x->sample.iter);
  scope->before = first;
  ast_stmt *y = ast_copy_stmt(&values, x);
  const bool gone = write_let(s, y);
  ast_stmt *drawn = ragged_draw_row(scope, y, s->predicting);
  if (drawn) y = drawn;
  ragged_name_slice(scope, y);
  scope->before = then;
  settle(s, first, then);
  if (!gone) ragged_note_let(scope, y);
  if (!gone) y = write_elements(s, y);
  scope->before = NULL;
  scope->row = row;
  scope->over = over;
  scope->branch = branch;
  if (gone || !iter || (then->n == 0 && y->kind == STMT_SAMPLE)) {
    append(s, out, then);
    if (!gone) ARENA_PUSH(s->g->a, out->items, out->n, out->cap, y);
    return;
  }
  ast_stmt *plate = ARENA_NEW(s->g->a, ast_stmt);
  *plate = (ast_stmt){.kind = STMT_PLATE, .id = x->id, .at = x->at, .depth = (uint16_t)(x->depth + 1)};
  plate->plate.iter = x->sample.iter;
  plate->plate.body = then;
  if (y->kind == STMT_SAMPLE) {
    y->sample.iter.items += x->sample.iter.n;
    y->sample.iter.n -= x->sample.iter.n;
    y->sample.iter.cap -= x->sample.iter.n;
    y->sample.iter.cond = NULL;
  }
  ARENA_PUSH(s->g->a, then->items, then->n, then->cap, y);
  ARENA_PUSH(s->g->a, out->items, out->n, out->cap, plate);
}

/* A condition; in a loop over rows what its branches need of arrays stands before it. */
static void write_if(slices *s, ast_stmt *x, const ast_range *row, ast_block *out) {
  row_scope *scope = s->scope;
  ast_copier values = ragged_value_copier(scope), c = {.mem = s->g->a, .user = s, .expr = write_slice};
  const ast_expr *cond = ast_copy_expr(&values, x->if_.cond);
  x->if_.cond = ast_copy_expr(&c, cond);
  row_branch in = {.cond = cond, .holds = true, .outer = scope->branch};
  in.ahead = scope->branch ? scope->branch->ahead : block_at(s, x->at);
  scope->branch = row ? &in : NULL;
  write_block(s, x->if_.then, row);
  in.holds = false;
  in.n = 0;
  write_block(s, x->if_.else_, row);
  scope->branch = in.outer;
  scope->row = row;
  if (row && !in.outer) settle(s, in.ahead, out);
}

static void write_block(slices *s, ast_block *b, const ast_range *row) {
  row_scope *scope = s->scope;
  const row_name *names = scope->names;
  ast_block *out = b ? block_at(s, b->at) : NULL;
  for (size_t i = 0; b && i < b->n; i++) {
    ast_stmt *x = b->items[i];
    scope->row = row;
    switch (x->kind) {
    case STMT_PLATE:
    case STMT_FOR: {
      const ast_iter *it = x->kind == STMT_PLATE ? &x->plate.iter : &x->for_.iter;
      const ast_range *over = scope->over;
      if (rows_range(it)) scope->over = rows_range(it);
      row_branch *branch = scope->branch;
      scope->branch = NULL;
      const unsigned here = loops_in_rows(s->g, it);
      s->inside += here;
      write_block(s, x->kind == STMT_PLATE ? x->plate.body : x->for_.body, it->cond ? NULL : rows_range(it));
      s->inside -= here;
      scope->over = over;
      scope->branch = branch;
      break;
    }
    case STMT_IF:
      write_if(s, x, row, out);
      break;
    case STMT_PREDICT:
      s->predicting = true;
      write_block(s, x->predict.body, NULL);
      s->predicting = false;
      break;
    default:
      if (!write_row_part(s, x, out)) write_statement(s, x, out);
      continue;
    }
    ARENA_PUSH(s->g->a, out->items, out->n, out->cap, x);
  }
  scope->names = names;
  if (b) *b = *out;
}

bool ragged_draws(const ast_block *b, const char *array) {
  for (size_t i = 0; b && i < b->n; i++) {
    const ast_stmt *x = b->items[i];
    switch (x->kind) {
    case STMT_SAMPLE:
      if (x->sample.target.name.name == array) return true;
      break;
    case STMT_PLATE:
      if (ragged_draws(x->plate.body, array)) return true;
      break;
    case STMT_FOR:
      if (ragged_draws(x->for_.body, array)) return true;
      break;
    case STMT_IF:
      if (ragged_draws(x->if_.then, array) || ragged_draws(x->if_.else_, array)) return true;
      break;
    default: break;
    }
  }
  return false;
}

/* Replicas of rows that are drawn at once are those of their matrix. */
static void replicate_rows(ragged *g, ast_stmt *x, const ast_block *all) {
  const char *own = x->replicate.name;
  x->replicate.name = ragged_drawn_name(g, own);
  if (x->replicate.name == own || !ragged_draws(all, own)) return;
  diag *d = ragged_refuse(g, x->replicate.at, "some rows of `%s` are drawn at once and others by elements, and replicas are of the one or the other", own);
  if (d) diag_help(g->p->diags, d, "draw them under names of your own: `predict { plate d in 1..D { ... } }`");
}

void ragged_write_slices(ragged *g, ast_block *b) {
  row_scope scope = {.g = g};
  slices s = {.g = g, .scope = &scope};
  write_block(&s, b, NULL);
  for (size_t i = 0; i < b->n; i++)
    if (b->items[i]->kind == STMT_REPLICATE) replicate_rows(g, b->items[i], b);
  g->ahead.at = b->at;
  append(&s, &g->ahead, b);
  *b = g->ahead;
}
