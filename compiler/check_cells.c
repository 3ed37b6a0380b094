/* check_cells.c: loops over rows and their elements as loops over all elements (check_ragged.c).
 *
 *     for d in 1..D, n in 2..len[d] {                 for len.cell in 1..len.sum {
 *       z[d, 1] ~ Normal(m[d], 1)                       z[len.cell] ~ Normal(if len.col[len.cell] == 1 { m[len.row[len.cell]] }
 *       z[d, n] ~ Normal(z[d, n - 1], 1)                                     else { z[len.cell - 1] }, 1)
 *       y[d, n] ~ Normal(z[d, n], s)                    if len.col[len.cell] >= 2 { y[len.cell] ~ Normal(z[len.cell], s) }
 *     }                                               }
 *
 * An element of the loop's own row at n - k is that many places before, where the loop or a condition says that it still is of this row.  Any
 * other element of data, as y[d, len[d]], is looked up where its row starts, and is nowhere if the row has none such. */
#include "compiler/check_ragged.h"

#include <string.h>

ragged_rows *ragged_loop_of(const ragged *g, const ast_iter *it, size_t *k) {
  for (*k = 0; *k + 1 < it->n; (*k)++) {
    const ast_range *d = &it->items[*k], *n = d + 1;
    bool down;
    if (!ragged_is_one(d->lo) || !n->lo || d->by || d->over) continue;
    const char *len = ragged_runs(n, d->var.name, &down), *extent = ragged_extent(g, d->hi);
    if (!down && (n->lo->kind != EXPR_INT || n->lo->integer.value < 1)) continue;
    ragged_rows *r = len ? ragged_rows_by(g, len, extent) : NULL;
    if (r) return r;
  }
  return NULL;
}

typedef struct writer {
  ragged *g;
  ragged_rows *r;
  const char *d, *n, *cell;
  bool down;     /* the loop goes through rows from their ends, and places are counted from there: 1 is len[d] */
  int64_t least; /* the place of n is never below it here */
  int64_t exact; /* what it is here; 0: not known */
  bool chosen;   /* inside a condition that reads n */
  const ast_block *body; /* of the loop, or the one statement `of`; both NULL in a sum */
  const ast_stmt *of;
  ast_op only;   /* what is written is evaluated for every n and holds where n `only` since: OP_EQ, OP_GE; OP_NOT: there is no such condition */
  int64_t since;
} writer;

/* ---- pieces of trees */

static ast_expr *at_cell(const writer *w, const char *array, span at) { return ragged_at(w->g, array, ast_new_name(w->g->a, w->cell, at), NULL, at); }

/* The place of element n of row d in the long array; 0 where the row has no such element. */
static ast_expr *place_of(ragged *g, const ragged_rows *r, const ast_expr *d, const ast_expr *n) {
  ast_expr *low = ragged_binary(g, OP_GE, ragged_copy(g, n), ast_new_int(g->a, 1, n->at));
  ast_expr *high = ragged_binary(g, OP_LE, ragged_copy(g, n), ragged_end(g, r, ragged_copy(g, d), d->at));
  ast_expr *at = ragged_binary(g, OP_ADD, ragged_at(g, r->start, ragged_copy(g, d), NULL, d->at), ragged_copy(g, n));
  return ast_new_if(g->a, ragged_binary(g, OP_AND, low, high), at, ast_new_int(g->a, 0, n->at));
}

/* ---- what is read */

static bool whole_sub(const ast_expr *e) { return e->kind != EXPR_ALL && e->kind != EXPR_RANGE; }

/* The place that an expression names by a number, from the side that the loop begins at; 0: none. */
static int64_t place_named(const writer *w, const ast_expr *e) {
  int64_t less;
  if (w->down) return ragged_is_end(e, w->r->len, w->d, &less) ? less + 1 : 0;
  return e->kind == EXPR_INT && e->integer.value > 0 ? e->integer.value : 0;
}

/* The place of n, or *by behind it. */
static bool is_column(const writer *w, const ast_expr *e, int64_t *by) {
  *by = 0;
  if (ragged_name(e) == w->n) return true;
  const int64_t named = w->exact ? place_named(w, e) : 0;
  if (named && named <= w->exact) {
    *by = named - w->exact;
    return true;
  }
  if (e->kind != EXPR_BINARY || (e->binary.op != OP_ADD && e->binary.op != OP_SUB)) return false;
  if (ragged_name(e->binary.lhs) != w->n || e->binary.rhs->kind != EXPR_INT) return false;
  *by = (e->binary.op == OP_ADD) != w->down ? e->binary.rhs->integer.value : -e->binary.rhs->integer.value;
  return true;
}

static bool sets(const ast_block *b, const char *array) {
  for (size_t i = 0; b && i < b->n; i++) {
    const ast_stmt *s = b->items[i];
    switch (s->kind) {
    case STMT_SAMPLE: if (s->sample.target.name.name == array) return true; break;
    case STMT_LET: if (s->let.target.name.name == array) return true; break;
    case STMT_PLATE: if (sets(s->plate.body, array)) return true; break;
    case STMT_FOR: if (sets(s->for_.body, array)) return true; break;
    case STMT_IF: if (sets(s->if_.then, array) || sets(s->if_.else_, array)) return true; break;
    default: break;
    }
  }
  return false;
}

/* Whether the loop itself sets elements of the array, so that those behind n are not there yet. */
static bool sets_here(const writer *w, const char *array) {
  return sets(w->body, array) || (w->of && w->of->kind == STMT_SAMPLE && w->of->sample.target.name.name == array);
}

static bool reads(const ast_expr *e, const char *name) {
  if (e->kind == EXPR_BINARY) return reads(e->binary.lhs, name) || reads(e->binary.rhs, name);
  if (e->kind == EXPR_UNARY) return reads(e->unary.arg, name);
  return ragged_name(e) == name;
}

/* The long array's subscript for the first two of an element's; NULL: there is none, and it was reported. */
static ast_expr *subscript(ast_copier *c, const ragged_rows *r, const char *array, const ast_exprs *subs, span at) {
  writer *w = c->user;
  ragged *g = w->g;
  int64_t by;
  const ast_expr *d = subs->items[0], *n = subs->items[1];
  if (w->r == r && w->d && ragged_name(d) == w->d && is_column(w, n, &by)) {
    ast_expr *cell = ast_new_name(g->a, w->cell, at);
    if (by == 0) return cell;
    if (by < 0 && w->least + by >= 1) return ragged_binary(g, w->down ? OP_ADD : OP_SUB, cell, ast_new_int(g->a, -by, at));
    if (!ragged_is_data(g, array) && !(w->chosen && !sets_here(w, array))) {
      diag *e = ragged_refuse(g, at, "it cannot be told that row `%s` of `%s` has such an element", w->d, array);
      if (e && by < 0 && w->down) diag_help(g->p->diags, e, "start the loop at `%s[%s] - %lld`", r->len, w->d, -(long long)by);
      else if (e && w->down) diag_help(g->p->diags, e, "read elements that earlier iterations have set, `%s[%s, %s + 1]`", array, w->d, w->n);
      else if (e && by < 0) diag_help(g->p->diags, e, "start the loop at %lld, or choose: `if %s <= %lld { ... } else { ... }`", 1 - (long long)by, w->n, -(long long)by);
      else if (e && !sets_here(w, array)) diag_help(g->p->diags, e, "choose: `if %s <= %s[%s] - %lld { ... } else { ... }`", w->n, r->len, w->d, (long long)by);
      else if (e) diag_help(g->p->diags, e, "read elements that earlier iterations have set, `%s[%s, %s - 1]`", array, w->d, w->n);
      return cell;
    }
  }
  if (w->r == r && w->d && ragged_name(d) == w->n && ragged_name(n) == w->d) {
    diag *e = diag_add(g->p->diags, DIAG_ERROR, "E0528", at, "`%s[%s, %s]` is element %s of row %s", array, w->n, w->d, w->d, w->n);
    diag_help(g->p->diags, e, "the row comes first: `%s[%s, %s]`", array, w->d, w->n);
    return ast_new_name(g->a, w->cell, at);
  }
  if (!whole_sub(d) || !whole_sub(n)) {
    diag *e = ragged_refuse(g, at, "a part of a row of `%s` has no fixed length", array);
    if (e) diag_help(g->p->diags, e, "go through it element by element, as in `sum(%s[d, i] for i in 1..%s[d])`", array, r->len);
    return ast_new_int(g->a, 1, at);
  }
  return place_of(g, r, ast_copy_expr(c, d), ast_copy_expr(c, n));
}

/* Whether the place of n `op` a number holds. */
static ast_expr *column_is(const writer *w, ast_op op, int64_t n, span at) {
  ragged *g = w->g;
  ast_expr *col = at_cell(w, w->r->col, at);
  if (w->down) col = ragged_binary(g, OP_ADD, ragged_binary(g, OP_SUB, ragged_end(g, w->r, at_cell(w, w->r->row, at), at), col), ast_new_int(g->a, 1, at));
  return ragged_binary(g, op, col, ast_new_int(g->a, n, at));
}

/* e where the condition of w holds, else what stands in for it: nothing is read that is not there. */
static ast_expr *where_held(const writer *w, ast_expr *e, ast_expr *other) {
  return w->only == OP_NOT ? e : ast_new_if(w->g->a, column_is(w, w->only, w->since, e->at), e, other);
}

static ast_exprs subscripts(ast_copier *c, const ragged_rows *r, const char *array, const ast_exprs *subs, span at) {
  ast_exprs out = {0};
  ast_expr *first = subscript(c, r, array, subs, at);
  ARENA_PUSH(c->mem, out.items, out.n, out.cap, first);
  for (size_t i = 2; i < subs->n; i++) {
    ast_expr *e = ast_copy_expr(c, subs->items[i]);
    ARENA_PUSH(c->mem, out.items, out.n, out.cap, e);
  }
  return out;
}

/* The place that n is compared with; of a loop that goes up any number, also below the first. */
static bool place_compared(const writer *w, const ast_expr *e, int64_t *k) {
  if (w->down) return (*k = place_named(w, e)) > 0;
  if (e->kind == EXPR_INT) *k = e->integer.value;
  return e->kind == EXPR_INT;
}

/* What n is at least where a condition holds, or does not. */
static int64_t least_where(const writer *w, const ast_expr *c, bool holds) {
  if (c->kind == EXPR_UNARY && c->unary.op == OP_NOT) return least_where(w, c->unary.arg, !holds);
  if (c->kind != EXPR_BINARY) return w->least;
  if (c->binary.op == OP_AND && holds) {
    int64_t a = least_where(w, c->binary.lhs, true), b = least_where(w, c->binary.rhs, true);
    return a > b ? a : b;
  }
  int64_t k, n = w->least;
  if (!w->n || ragged_name(c->binary.lhs) != w->n || !place_compared(w, c->binary.rhs, &k)) return w->least;
  static const ast_op turned[] = {[OP_LT] = OP_GT, [OP_GT] = OP_LT, [OP_LE] = OP_GE, [OP_GE] = OP_LE};
  const ast_op op = w->down && c->binary.op >= OP_LT && c->binary.op <= OP_GE ? turned[c->binary.op] : c->binary.op;
  switch (op) {
  case OP_EQ: n = holds ? k : k == w->least ? k + 1 : n; break;
  case OP_NE: n = !holds ? k : k == w->least ? k + 1 : n; break;
  case OP_GT: n = holds ? k + 1 : n; break;
  case OP_GE: n = holds ? k : n; break;
  case OP_LT: n = holds ? n : k; break;
  case OP_LE: n = holds ? n : k + 1; break;
  default: break;
  }
  return n > w->least ? n : w->least;
}

static ast_expr *write_expr(ast_copier *c, const ast_expr *e) {
  writer *w = c->user;
  const char *name = ragged_name(e);
  if (name) return !w->d ? NULL : name == w->d ? at_cell(w, w->r->row, e->at) : name == w->n ? at_cell(w, w->r->col, e->at) : NULL;
  if (e->kind == EXPR_IF) {
    const int64_t least = w->least;
    const bool chosen = w->chosen;
    ast_expr *cond = ast_copy_expr(c, e->if_.cond);
    w->chosen = chosen || (w->n && reads(e->if_.cond, w->n));
    w->least = least_where(w, e->if_.cond, true);
    ast_expr *then_ = ast_copy_expr(c, e->if_.then);
    w->least = least;
    w->least = least_where(w, e->if_.cond, false);
    ast_expr *else_ = ast_copy_expr(c, e->if_.else_);
    w->least = least;
    w->chosen = chosen;
    ast_expr *x = ast_new_if(w->g->a, cond, then_, else_);
    x->at = e->at;
    return x;
  }
  if (e->kind == EXPR_INDEX && w->only != OP_NOT && !ragged_rows_of(w->g, ragged_name(e->index.base))) {
    ast_exprs subs = {0};
    for (size_t i = 0; i < e->index.subs.n; i++) {
      const ast_expr *sub = e->index.subs.items[i];
      ast_expr *y = ast_copy_expr(c, sub);
      if (whole_sub(sub) && sub->kind != EXPR_INT && ragged_name(sub) != w->d) y = where_held(w, y, ast_new_int(w->g->a, 1, sub->at));
      ARENA_PUSH(w->g->a, subs.items, subs.n, subs.cap, y);
    }
    return ragged_subscripted(w->g, ast_copy_expr(c, e->index.base), subs, e->at);
  }
  if (e->kind != EXPR_INDEX || e->index.subs.n < 2 || !(name = ragged_name(e->index.base))) return NULL;
  const ragged_rows *r = ragged_rows_of(w->g, name);
  if (!r) return NULL;
  ast_exprs subs = subscripts(c, r, name, &e->index.subs, e->at);
  const bool data = ragged_is_data(w->g, name), own = ragged_name(subs.items[0]) == w->cell;
  if (data && !own) subs.items[0] = where_held(w, subs.items[0], ast_new_int(w->g->a, 1, e->at));
  ast_expr *x = ragged_subscripted(w->g, ast_new_name(w->g->a, name, e->index.base->at), subs, e->at);
  return data || own ? x : where_held(w, x, ast_new_int(w->g->a, 1, e->at));
}

static bool write_target(ast_copier *c, const ast_target *t, ast_target *out) {
  writer *w = c->user;
  const ragged_rows *r = t->subs.n >= 2 ? ragged_rows_of(w->g, t->name.name) : NULL;
  if (!r) return false;
  int64_t by;
  bool own = w->r == r && w->d && ragged_name(t->subs.items[0]) == w->d && is_column(w, t->subs.items[1], &by) && by == 0;
  if (!own && !ragged_is_data(w->g, t->name.name)) {
    diag *d = ragged_refuse(w->g, t->at, "this element of `%s` is set outside of the loop over its row", t->name.name);
    if (d) diag_help(w->g->p->diags, d, "inside `plate d in 1..%s` set the first ones, `%s[d, 1]`, and then the others: `for n in 2..%s[d] { %s[d, n] ~ ... }`", r->extent, t->name.name, r->len, t->name.name);
  }
  out->subs = subscripts(c, r, t->name.name, &t->subs, t->at);
  out->type = ast_copy_type(c, t->type);
  return true;
}

/* ---- loops */

static writer writer_of(ragged *g, ragged_rows *r, const ast_iter *it, size_t k) {
  const char *word = g->cells ? arena_printf(g->a, "%s.cell%u", r->len, g->cells + 1) : arena_printf(g->a, "%s.cell", r->len);
  g->cells++;
  bool down;
  int64_t less;
  (void)ragged_runs(&it->items[k + 1], it->items[k].var.name, &down);
  if (down) (void)ragged_is_end(it->items[k + 1].lo, r->len, it->items[k].var.name, &less);
  return (writer){.g = g, .r = r, .only = OP_NOT, .d = it->items[k].var.name, .n = it->items[k + 1].var.name, .cell = intern(g->p->names, word), .down = down, .least = down ? less + 1 : it->items[k + 1].lo->integer.value};
}

static ast_copier copier_of(writer *w) { return (ast_copier){.mem = w->g->a, .user = w, .expr = write_expr, .target = write_target}; }

/* Puts one range for the two at k; what stands beside them is copied with w.  Where `filter`, iterations before the first n are left out. */
static ast_iter write_iter(ast_copier *c, const ast_iter *it, size_t k, bool filter) {
  const writer *w = c->user;
  ast_iter out = {.at = it->at, .cond = ast_copy_expr(c, it->cond)};
  if (filter && w->least > 1) {
    ast_expr *late = column_is(w, OP_GE, w->least, it->at);
    out.cond = out.cond ? ragged_binary(w->g, OP_AND, late, out.cond) : late;
  }
  for (size_t i = 0; i < it->n; i++) {
    ast_range r = it->items[i];
    if (i == k) {
      r = (ast_range){.var = {.name = w->cell, .at = r.var.at}, .lo = ast_new_int(w->g->a, 1, r.at), .hi = ast_new_name(w->g->a, w->r->sum, r.at), .at = r.at};
      if (w->down) {
        ast_expr *first = r.lo;
        r.lo = r.hi, r.hi = first;
        r.by = ast_new_int(w->g->a, -1, r.at);
      }
    } else if (i == k + 1) {
      continue;
    } else {
      r.lo = ast_copy_expr(c, r.lo);
      r.hi = ast_copy_expr(c, r.hi);
      r.by = ast_copy_expr(c, r.by);
      r.over = ast_copy_expr(c, r.over);
    }
    ARENA_PUSH(w->g->a, out.items, out.n, out.cap, r);
  }
  return out;
}

ast_expr *ragged_write_reduce(ast_copier *c, const ast_expr *e) {
  ragged *g = c->user;
  size_t k;
  ragged_rows *r = e->kind == EXPR_REDUCE ? ragged_loop_of(g, &e->reduce.iter, &k) : NULL;
  if (!r) return NULL;
  writer w = writer_of(g, r, &e->reduce.iter, k);
  ast_copier inner = copier_of(&w);
  ast_expr *x = ARENA_NEW(g->a, ast_expr);
  *x = *e;
  x->reduce.body = ast_copy_expr(&inner, ast_copy_expr(c, e->reduce.body));
  x->reduce.iter = write_iter(&inner, &e->reduce.iter, k, true);
  return x;
}

/* ---- bodies */

static void push(ragged *g, ast_block *b, ast_stmt *s) { ARENA_PUSH(g->a, b->items, b->n, b->cap, s); }

static ast_block *copy_block(writer *w, const ast_block *b);

static ast_stmt *copy_stmt(writer *w, const ast_stmt *s) {
  ast_copier c = copier_of(w);
  if (s->kind != STMT_IF) return ast_copy_stmt(&c, s);
  ast_stmt *x = ARENA_NEW(w->g->a, ast_stmt);
  const int64_t least = w->least;
  const bool chosen = w->chosen;
  *x = *s;
  x->if_.cond = ast_copy_expr(&c, s->if_.cond);
  w->chosen = chosen || (w->n && reads(s->if_.cond, w->n));
  w->least = least_where(w, s->if_.cond, true);
  x->if_.then = copy_block(w, s->if_.then);
  w->least = least;
  w->least = least_where(w, s->if_.cond, false);
  x->if_.else_ = s->if_.else_ ? copy_block(w, s->if_.else_) : NULL;
  w->least = least;
  w->chosen = chosen;
  return x;
}

static ast_block *copy_block(writer *w, const ast_block *b) {
  ast_block *out = ARENA_NEW(w->g->a, ast_block);
  out->at = b->at;
  for (size_t i = 0; i < b->n; i++) push(w->g, out, copy_stmt(w, b->items[i]));
  return out;
}

static const ast_target *target_of(const ast_stmt *s) {
  return s->kind == STMT_LET ? &s->let.target : s->kind == STMT_SAMPLE && !s->sample.iter.n ? &s->sample.target : NULL;
}

/* The place of `x[d, k]`, a first element of an array that the loop goes on with; else 0. */
static int64_t first_of(const writer *w, const ast_stmt *s) {
  const ast_target *t = target_of(s);
  if (!t || t->subs.n < 2 || ragged_name(t->subs.items[0]) != w->d) return 0;
  return ragged_rows_of(w->g, t->name.name) == w->r && !ragged_is_data(w->g, t->name.name) ? place_named(w, t->subs.items[1]) : 0;
}

/* The first elements of what s sets for the others, by number; NULL if there are none. */
static const ast_stmt **firsts_of(const writer *w, const ast_block *body, const ast_stmt *s) {
  const ast_target *t = target_of(s);
  int64_t by;
  if (!t || t->subs.n < 2 || ragged_name(t->subs.items[0]) != w->d || !is_column(w, t->subs.items[1], &by) || by) return NULL;
  if (ragged_rows_of(w->g, t->name.name) != w->r || ragged_is_data(w->g, t->name.name) || w->least < 2 || w->least > 64) return NULL;
  const ast_stmt **first = ARENA_ARRAY(w->g->a, const ast_stmt *, (size_t)w->least);
  for (size_t i = 0; i < body->n; i++) {
    int64_t k = target_of(body->items[i]) && target_of(body->items[i])->name.name == t->name.name ? first_of(w, body->items[i]) : 0;
    if (k > 0 && k < w->least) first[k] = body->items[i];
  }
  for (int64_t k = 1; k < w->least; k++) {
    if (first[k] && first[k]->kind == s->kind) continue;
    const char *place = !w->down ? arena_printf(w->g->a, "%lld", (long long)k) : k == 1 ? arena_printf(w->g->a, "%s[%s]", w->r->len, w->d) : arena_printf(w->g->a, "%s[%s] - %lld", w->r->len, w->d, (long long)k - 1);
    diag *d = ragged_refuse(w->g, t->at, "element `%s[%s, %s]` of each row is not set", t->name.name, w->d, place);
    if (d) diag_help(w->g->p->diags, d, "before the loop write `%s[%s, %s] ~ ...`", t->name.name, w->d, place);
    return NULL;
  }
  return first;
}

/* value, in which plain `let`s of the body before it are known. */
static ast_expr *with_lets(writer *w, const ast_block *lets, ast_expr *value) {
  ast_copier c = copier_of(w);
  for (size_t i = lets->n; i-- > 0;) {
    ast_expr *e = ast_new_expr(w->g->a, EXPR_LET, value->at);
    e->let.var = lets->items[i]->let.target.name;
    e->let.value = ast_copy_expr(&c, lets->items[i]->let.value);
    e->let.body = value;
    e->depth = ast_above(e->let.value->depth, value->depth);
    value = e;
  }
  return value;
}

/* The value for the column that there is: of[k] for column k, and `other`. */
static ast_expr *by_column(writer *w, ast_expr *const *of, ast_expr *other) {
  ast_expr *e = other;
  for (int64_t k = w->least - 1; k >= 1; k--) e = ast_new_if(w->g->a, column_is(w, OP_EQ, k, other->at), of[k], e);
  return e;
}

static ast_expr *value_of(const ast_stmt *s, size_t arg) { return s->kind == STMT_LET ? s->let.value : s->sample.dist->call.args.items[arg].value; }

/* The k-th distribution for column k, the last one for the others.  All parameters are evaluated for each element, so reads are guarded. */
static ast_expr *switched(writer *w, const ast_stmt *s, const ast_stmt **first, const ast_block *lets) {
  ragged *g = w->g;
  ast_copier c = copier_of(w);
  const int64_t least = w->least;
  const span at = s->sample.dist->at;
  ast_expr *all = ast_new_expr(g->a, EXPR_ARRAY, at), **number = ARENA_ARRAY(g->a, ast_expr *, (size_t)least);
  for (int64_t k = 1; k <= least; k++) {
    w->least = w->since = k;
    w->exact = k < least ? k : 0;
    w->only = k < least ? OP_EQ : OP_GE;
    ast_expr *dist = ast_copy_expr(&c, k < least ? first[k]->sample.dist : s->sample.dist);
    for (size_t i = 0; k == least && i < dist->call.args.n; i++) dist->call.args.items[i].value = with_lets(w, lets, dist->call.args.items[i].value);
    ARENA_PUSH(g->a, all->array.elems.items, all->array.elems.n, all->array.elems.cap, dist);
    all->depth = ast_above(all->depth, dist->depth);
    if (k < least) number[k] = ast_new_int(g->a, k, at);
  }
  w->only = OP_NOT;
  ast_expr *call = ast_new_call(g->a, intern(g->p->names, "switch"), at);
  ast_add_arg(g->a, call, by_column(w, number, ast_new_int(g->a, least, at)));
  ast_add_arg(g->a, call, all);
  return call;
}

/* One statement for all elements of the row. */
static ast_stmt *join(writer *w, const ast_stmt *s, const ast_stmt **first, const ast_block *lets) {
  ragged *g = w->g;
  ast_copier c = copier_of(w);
  bool same = true, calls = true;
  for (int64_t k = 1; k < w->least; k++) {
    same &= s->kind == STMT_LET || same_family(s->sample.dist, first[k]->sample.dist);
    calls &= s->kind == STMT_SAMPLE && s->sample.dist->kind == EXPR_CALL && first[k]->sample.dist->kind == EXPR_CALL;
  }
  ast_stmt *x = ast_copy_stmt(&c, s);
  if (!same && calls) x->sample.dist = switched(w, s, first, lets);
  else if (!same) x->sample.dist = ast_new_expr(g->a, EXPR_ERROR, s->sample.dist->at); /* reported: what stands there is no distribution */
  const size_t n = !same ? 0 : s->kind == STMT_LET ? 1 : s->sample.dist->call.args.n;
  ast_expr **of = ARENA_ARRAY(g->a, ast_expr *, (size_t)w->least);
  for (size_t i = 0; i < n; i++) {
    const int64_t least = w->least;
    for (int64_t k = 1; k < least; k++) {
      w->least = w->exact = k;
      of[k] = ast_copy_expr(&c, value_of(first[k], i));
    }
    w->least = least;
    w->exact = 0;
    ast_expr *v = by_column(w, of, with_lets(w, lets, ast_copy_expr(&c, value_of(s, i))));
    if (s->kind == STMT_LET) x->let.value = v;
    else x->sample.dist->call.args.items[i].value = v;
  }
  if (s->kind == STMT_SAMPLE && !x->sample.target.type) x->sample.target.type = ast_copy_type(&c, first[1]->sample.target.type);
  return x;
}

/* What only elements from the first n on have. */
static void close_group(writer *w, ast_block *out, ast_block *group, const ast_block *lets) {
  if (group->n > lets->n) {
    ast_stmt *s = ARENA_NEW(w->g->a, ast_stmt);
    *s = *group->items[group->n - 1];
    s->kind = STMT_IF;
    s->depth++;
    memset(&s->if_, 0, sizeof s->if_);
    s->if_.cond = column_is(w, OP_GE, w->least, group->at);
    s->if_.then = ARENA_NEW(w->g->a, ast_block);
    *s->if_.then = *group;
    push(w->g, out, s);
  }
  *group = (ast_block){.at = group->at};
  for (size_t i = 0; i < lets->n; i++) push(w->g, group, copy_stmt(w, lets->items[i]));
}

static ast_block *write_body(writer *w, const ast_block *body) {
  if (w->least == 1) return copy_block(w, body);
  ast_block *out = ARENA_NEW(w->g->a, ast_block), group = {.at = body->at}, lets = {0};
  out->at = body->at;
  for (size_t i = 0; i < body->n; i++) {
    const ast_stmt *s = body->items[i];
    if (first_of(w, s)) continue;
    const ast_stmt **first = firsts_of(w, body, s);
    if (first) {
      close_group(w, out, &group, &lets);
      push(w->g, out, join(w, s, first, &lets));
      continue;
    }
    push(w->g, &group, copy_stmt(w, s));
    if (s->kind == STMT_LET && !s->let.target.subs.n) push(w->g, &lets, (ast_stmt *)s);
  }
  close_group(w, out, &group, &lets);
  return out;
}

/* Around the loops that are written out, elements are looked up. */
void ragged_write_loops(ragged *g, ast_block *b) {
  writer outside = {.g = g, .least = 1, .only = OP_NOT};
  ast_copier rest = copier_of(&outside);
  for (size_t i = 0; b && i < b->n; i++) {
    ast_stmt *s = b->items[i];
    ast_iter *it = s->kind == STMT_PLATE ? &s->plate.iter : s->kind == STMT_FOR ? &s->for_.iter : s->kind == STMT_SAMPLE ? &s->sample.iter : NULL;
    size_t k;
    ragged_rows *r = it && it->n ? ragged_loop_of(g, it, &k) : NULL;
    if (r) {
      writer w = writer_of(g, r, it, k);
      ast_copier c = copier_of(&w);
      ast_stmt *x = ARENA_NEW(g->a, ast_stmt);
      w.of = s;
      w.body = s->kind == STMT_PLATE ? s->plate.body : s->kind == STMT_FOR ? s->for_.body : NULL;
      *x = *s;
      if (s->kind == STMT_SAMPLE) {
        x = ast_copy_stmt(&c, s);
        x->sample.iter = write_iter(&c, it, k, true);
      } else if (s->kind == STMT_PLATE) {
        x->plate.iter = write_iter(&c, it, k, false);
        x->plate.body = write_body(&w, s->plate.body);
      } else {
        x->for_.iter = write_iter(&c, it, k, false);
        x->for_.body = write_body(&w, s->for_.body);
      }
      b->items[i] = x;
      continue;
    }
    switch (s->kind) {
    case STMT_PLATE:
    case STMT_FOR:
      it->cond = ast_copy_expr(&rest, it->cond);
      ragged_write_loops(g, s->kind == STMT_PLATE ? s->plate.body : s->for_.body);
      break;
    case STMT_IF:
      s->if_.cond = ast_copy_expr(&rest, s->if_.cond);
      ragged_write_loops(g, s->if_.then);
      ragged_write_loops(g, s->if_.else_);
      break;
    case STMT_PREDICT: ragged_write_loops(g, s->predict.body); break;
    default: b->items[i] = ast_copy_stmt(&rest, s); break;
    }
  }
}
