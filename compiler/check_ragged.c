/* check_ragged.c: ragged arrays of a signature, written out as long ones.
 *
 *     w: index(V)[d in 1..D, len[d]]                  len: int<lower = 0>[D], w: index(V)[len.sum],
 *                                                     len.row: index(D)[len.sum], len.col: int[len.sum]
 *     plate d in 1..D, n in 1..len[d] {               plate len.cell in 1..len.sum {
 *       z[d, n] ~ Categorical(theta[d])                 z[len.cell] ~ Categorical(theta[len.row[len.cell]])
 *       w[d, n] ~ Categorical(phi[z[d, n]])             w[len.cell] ~ Categorical(phi[z[len.cell]])
 *     }                                               }
 *
 * The rows stand one after the other.  len.row and len.col say which row an element is of and which of its elements it is; binding
 * makes them (bind_ragged.c).  From there on nothing is special: the loop over all elements is a plate of one axis, whatever the
 * lengths, and what is read by the row is a gather.  An array that such a plate defines by [d, n] is ragged too. */
#include "compiler/check_state.h"

#include "lang/ast_copy.h"

#include <string.h>

/* Arrays whose rows have the lengths of one array. */
typedef struct rows {
  const char *len, *extent; /* the lengths; D */
  const char *sum, *row, *col;
  const char **names;       /* of the arrays */
  size_t n, cap;
} rows;

typedef struct ragged {
  check_program *p;
  arena *a;
  rows *of;
  size_t n, cap;
  unsigned cells; /* loops written out so far */
  bool reported;
} ragged;

static const char *part(ragged *g, const char *len, const char *word) { return intern(g->p->names, arena_printf(g->a, "%s.%s", len, word)); }

static bool is_one(const ast_expr *e) { return e && e->kind == EXPR_INT && e->integer.value == 1; }
static const char *name_of(const ast_expr *e) { return e && e->kind == EXPR_NAME ? e->name.name : NULL; }

/* len of `len[d]`, else NULL. */
static const char *lengths(const ast_expr *e, const char *d) {
  if (!e || e->kind != EXPR_INDEX || e->index.subs.n != 1 || !d || name_of(e->index.subs.items[0]) != d) return NULL;
  return name_of(e->index.base);
}

static rows *rows_of(ragged *g, const char *array) {
  for (size_t k = 0; k < g->n; k++)
    for (size_t i = 0; i < g->of[k].n; i++)
      if (g->of[k].names[i] == array) return &g->of[k];
  return NULL;
}

static void add_array(ragged *g, rows *r, const char *name) {
  if (!rows_of(g, name)) ARENA_PUSH(g->a, r->names, r->n, r->cap, name);
}

/* ---- the signature */

static ast_type *type_new(ragged *g, const char *name, span at, ast_expr *size, ast_expr *extent) {
  ast_type *t = ARENA_NEW(g->a, ast_type);
  t->kind = TYPE_NAMED;
  t->at = at;
  t->name = (ast_name){.name = intern(g->p->names, name), .at = at};
  if (size) ARENA_PUSH(g->a, t->args.items, t->args.n, t->args.cap, size);
  ast_dim d = {.size = extent, .at = at};
  ARENA_PUSH(g->a, t->dims.items, t->dims.n, t->dims.cap, d);
  return t;
}

static ast_param *param_find(ast_decl *m, const char *name) {
  for (size_t k = 0; k < m->params.n; k++)
    if (m->params.items[k].name.name == name) return &m->params.items[k];
  return NULL;
}

static void add_param(ragged *g, ast_decl *m, const char *name, ast_type *type, ast_rows what, const char *len) {
  ast_param p = {.name = {.name = name, .at = type->at}, .type = type, .at = type->at, .rows = what, .lengths = len};
  ARENA_PUSH(g->a, m->params.items, m->params.n, m->params.cap, p);
}

/* What is ragged in another way is left, and refused where types are checked. */
static bool is_ragged(const ast_type *t) {
  if (!t || t->kind != TYPE_NAMED || t->dims.n != 2) return false;
  const ast_dim *d = &t->dims.items[0], *n = &t->dims.items[1];
  return d->var.name && is_one(d->lo) && name_of(d->size) && !n->var.name && lengths(n->size, d->var.name) && (t->args.n == 0 || strcmp(t->name.name, "index") == 0);
}

static void write_signature(ragged *g, ast_decl *m) {
  const size_t own = m->params.n;
  for (size_t k = 0; k < own; k++) {
    ast_type *t = m->params.items[k].type;
    if (!is_ragged(t)) continue;
    const char *len = lengths(t->dims.items[1].size, t->dims.items[0].var.name), *extent = name_of(t->dims.items[0].size);
    span at = t->dims.items[1].at;
    rows *r = NULL;
    for (size_t i = 0; i < g->n; i++)
      if (g->of[i].len == len && g->of[i].extent == extent) r = &g->of[i];
    if (!r) {
      rows fresh = {.len = len, .extent = extent, .sum = part(g, len, "sum"), .row = part(g, len, "row"), .col = part(g, len, "col")};
      ARENA_PUSH(g->a, g->of, g->n, g->cap, fresh);
      r = &g->of[g->n - 1];
      if (!param_find(m, len)) add_param(g, m, len, type_new(g, "int", at, NULL, ast_new_name(g->a, extent, at)), ROWS_LENGTHS, len);
      param_find(m, len)->rows = ROWS_LENGTHS;
      add_param(g, m, r->row, type_new(g, "index", at, ast_new_name(g->a, extent, at), ast_new_name(g->a, r->sum, at)), ROWS_ROW, len);
      add_param(g, m, r->col, type_new(g, "int", at, NULL, ast_new_name(g->a, r->sum, at)), ROWS_COLUMN, len);
    }
    ast_param *p = &m->params.items[k];
    p->rows = ROWS_CELLS;
    p->lengths = len;
    t->dims.items[0] = (ast_dim){.size = ast_new_name(g->a, r->sum, at), .at = at};
    t->dims.n = 1;
    add_array(g, r, p->name.name);
  }
}

/* ---- loops */

/* Whether ranges k and k + 1 are `d in 1..D, n in 1..len[d]`; their rows. */
static rows *loop_of(ragged *g, const ast_iter *it, size_t *k) {
  for (*k = 0; *k + 1 < it->n; (*k)++) {
    const ast_range *d = &it->items[*k], *n = d + 1;
    if (!is_one(d->lo) || !is_one(n->lo) || d->by || n->by) continue;
    const char *len = lengths(n->hi, d->var.name), *extent = name_of(d->hi);
    for (size_t i = 0; i < g->n && len; i++)
      if (g->of[i].len == len && g->of[i].extent == extent) return &g->of[i];
  }
  return NULL;
}

typedef struct writer {
  ragged *g;
  rows *r;
  const char *d, *n, *cell;
} writer;

static bool is_cell(const writer *w, const ast_exprs *subs) {
  return subs->n == 2 && name_of(subs->items[0]) == w->d && name_of(subs->items[1]) == w->n;
}

static ast_exprs one_sub(const writer *w, span at) {
  ast_exprs subs = {0};
  ast_expr *e = ast_new_name(w->g->a, w->cell, at);
  ARENA_PUSH(w->g->a, subs.items, subs.n, subs.cap, e);
  return subs;
}

static ast_expr *at_cell(const writer *w, const char *name, span at) {
  ast_expr *e = ast_new_expr(w->g->a, EXPR_INDEX, at);
  e->index.base = ast_new_name(w->g->a, name, at);
  e->index.subs = one_sub(w, at);
  e->depth = 2;
  return e;
}

static ast_expr *write_expr(ast_copier *c, const ast_expr *e) {
  const writer *w = c->user;
  const char *name = name_of(e);
  if (name) return name == w->d ? at_cell(w, w->r->row, e->at) : name == w->n ? at_cell(w, w->r->col, e->at) : NULL;
  if (e->kind != EXPR_INDEX || !is_cell(w, &e->index.subs) || !(name = name_of(e->index.base)) || rows_of(w->g, name) != w->r) return NULL;
  return at_cell(w, name, e->at);
}

static bool write_target(ast_copier *c, const ast_target *t, ast_target *out) {
  const writer *w = c->user;
  if (!is_cell(w, &t->subs) || rows_of(w->g, t->name.name) != w->r) return false;
  out->subs = one_sub(w, t->at);
  out->type = ast_copy_type(c, t->type);
  return true;
}

static writer writer_of(ragged *g, rows *r, const ast_iter *it, size_t k) {
  const char *word = g->cells ? arena_printf(g->a, "cell%u", g->cells + 1) : "cell";
  g->cells++;
  return (writer){.g = g, .r = r, .d = it->items[k].var.name, .n = it->items[k + 1].var.name, .cell = part(g, r->len, word)};
}

/* Puts one range for the two at k; what stands beside them is copied with w. */
static ast_iter write_iter(ast_copier *c, const ast_iter *it, size_t k) {
  const writer *w = c->user;
  ast_iter out = {.at = it->at, .cond = ast_copy_expr(c, it->cond)};
  for (size_t i = 0; i < it->n; i++) {
    ast_range r = it->items[i];
    if (i == k) {
      r = (ast_range){.var = {.name = w->cell, .at = r.var.at}, .lo = r.lo, .hi = ast_new_name(w->g->a, w->r->sum, r.at), .at = r.at};
    } else if (i == k + 1) {
      continue;
    } else if (i > k) {
      r.lo = ast_copy_expr(c, r.lo);
      r.hi = ast_copy_expr(c, r.hi);
      r.by = ast_copy_expr(c, r.by);
      r.over = ast_copy_expr(c, r.over);
    }
    ARENA_PUSH(w->g->a, out.items, out.n, out.cap, r);
  }
  return out;
}

/* `sum(e for d in 1..D, n in 1..len[d])` */
static ast_expr *write_reduce(ast_copier *c, const ast_expr *e) {
  ragged *g = c->user;
  size_t k;
  rows *r = e->kind == EXPR_REDUCE ? loop_of(g, &e->reduce.iter, &k) : NULL;
  if (!r) return NULL;
  writer w = writer_of(g, r, &e->reduce.iter, k);
  ast_copier inner = {.mem = g->a, .user = &w, .expr = write_expr};
  ast_expr *x = ARENA_NEW(g->a, ast_expr);
  *x = *e;
  x->reduce.body = ast_copy_expr(&inner, ast_copy_expr(c, e->reduce.body));
  x->reduce.iter = write_iter(&inner, &e->reduce.iter, k);
  return x;
}

/* ---- statements */

static void find_arrays(ragged *g, const ast_block *b, const ast_iter *outer);

static void find_target(ragged *g, const ast_iter *it, const ast_target *t) {
  size_t k;
  rows *r = it ? loop_of(g, it, &k) : NULL;
  if (!r) return;
  writer w = {.g = g, .r = r, .d = it->items[k].var.name, .n = it->items[k + 1].var.name};
  if (is_cell(&w, &t->subs) && t->name.name && t->name.name[0]) add_array(g, r, t->name.name);
}

static void find_arrays(ragged *g, const ast_block *b, const ast_iter *outer) {
  for (size_t i = 0; b && i < b->n; i++) {
    const ast_stmt *s = b->items[i];
    switch (s->kind) {
    case STMT_SAMPLE: find_target(g, s->sample.iter.n ? &s->sample.iter : outer, &s->sample.target); break;
    case STMT_LET: find_target(g, outer, &s->let.target); break;
    case STMT_PLATE: find_arrays(g, s->plate.body, &s->plate.iter); break;
    case STMT_IF:
      find_arrays(g, s->if_.then, outer);
      find_arrays(g, s->if_.else_, outer);
      break;
    case STMT_PREDICT: find_arrays(g, s->predict.body, outer); break;
    default: break;
    }
  }
}

static void write_block(ragged *g, ast_block *b) {
  for (size_t i = 0; b && i < b->n; i++) {
    ast_stmt *s = b->items[i];
    ast_iter *it = s->kind == STMT_PLATE ? &s->plate.iter : s->kind == STMT_SAMPLE ? &s->sample.iter : NULL;
    size_t k;
    rows *r = it && it->n ? loop_of(g, it, &k) : NULL;
    if (r) {
      writer w = writer_of(g, r, it, k);
      ast_copier c = {.mem = g->a, .user = &w, .expr = write_expr, .target = write_target};
      ast_iter loop = write_iter(&c, it, k);
      s = b->items[i] = ast_copy_stmt(&c, s);
      *(s->kind == STMT_PLATE ? &s->plate.iter : &s->sample.iter) = loop;
    }
    switch (s->kind) {
    case STMT_PLATE: write_block(g, s->plate.body); break;
    case STMT_FOR: write_block(g, s->for_.body); break;
    case STMT_IF:
      write_block(g, s->if_.then);
      write_block(g, s->if_.else_);
      break;
    case STMT_PREDICT: write_block(g, s->predict.body); break;
    default: break;
    }
  }
}

/* Elements that are read or defined in any other way. */
static void refuse(ragged *g, const char *name, const ast_exprs *subs, span at) {
  const rows *r = name && subs->n > 1 && !g->reported ? rows_of(g, name) : NULL;
  if (!r) return;
  g->reported = true;
  diag *d = diag_add(g->p->diags, DIAG_ERROR, "E0690", at, "`%s` is ragged, and this is not an element of the loop's own", name);
  diag_help(g->p->diags, d, "inside `plate d in 1..%s, i in 1..%s[d]` write `%s[d, i]`; other elements are not available yet", r->extent, r->len, name);
}

static ast_expr *see_expr(ast_copier *c, const ast_expr *e) {
  if (e->kind == EXPR_INDEX) refuse(c->user, name_of(e->index.base), &e->index.subs, e->at);
  return NULL;
}

static bool see_target(ast_copier *c, const ast_target *t, ast_target *out) {
  (void)out;
  refuse(c->user, t->name.name, &t->subs, t->at);
  return false;
}

void ragged_write_out(check_program *p, ast_decl *m) {
  ragged g = {.p = p, .a = p->mem};
  write_signature(&g, m);
  if (g.n == 0) return;
  find_arrays(&g, m->body, NULL);
  ast_copier sums = {.mem = p->mem, .user = &g, .expr = write_reduce};
  m->body = ast_copy_block(&sums, m->body);
  write_block(&g, m->body);
  ast_copier see = {.mem = p->mem, .user = &g, .expr = see_expr, .target = see_target};
  ast_copy_block(&see, m->body);
}
