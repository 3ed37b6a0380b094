/* check_ragged.c: ragged arrays of a signature, written out as long ones.
 *
 *     w: index(V)[d in 1..D, len[d]]                  len: int<lower = 0>[D], w: index(V)[len.sum],
 *                                                     len.row: index(D)[len.sum], len.col: int[len.sum]
 *     plate d in 1..D, n in 1..len[d] {               plate len.cell in 1..len.sum {
 *       z[d, n] ~ Categorical(theta[d])                 z[len.cell] ~ Categorical(theta[len.row[len.cell]])
 *       w[d, n] ~ Categorical(phi[z[d, n]])             w[len.cell] ~ Categorical(phi[z[len.cell]])
 *     }                                               }
 *
 * The rows stand one after the other.  len.row and len.col say which row an element is of and which of its elements it is, len.start how many
 * elements stand before a row, len.max how many the longest has; binding makes them (bind_ragged.c).  check_row_values.c, check_row_matrices.c,
 * check_row_parts.c and check_row_slices.c write out what works on rows as wholes, check_rows.c takes loops apart that have loops over elements inside, check_cells.c
 * writes loops and elements out.  From there on nothing is special: the loop over all elements is a plate of one axis, whatever the
 * lengths, and what is read by the row is a gather.  An array that such a plate defines by [d, n] is ragged too. */
#include "compiler/check_ragged.h"

#include <stdarg.h>
#include <string.h>

const char *ragged_lengths(const ast_expr *e, const char *d) {
  if (!e || e->kind != EXPR_INDEX || e->index.subs.n != 1 || !d || ragged_name(e->index.subs.items[0]) != d) return NULL;
  return ragged_name(e->index.base);
}

bool ragged_is_end(const ast_expr *e, const char *len, const char *d, int64_t *less) {
  const bool minus = e && e->kind == EXPR_BINARY && e->binary.op == OP_SUB && e->binary.rhs->kind == EXPR_INT && e->binary.rhs->integer.value >= 0;
  *less = minus ? e->binary.rhs->integer.value : 0;
  const char *name = ragged_lengths(minus ? e->binary.lhs : e, d);
  return name && (!len || name == len);
}

static bool is_minus_one(const ast_expr *e) {
  return e && ((e->kind == EXPR_UNARY && e->unary.op == OP_NEG && ragged_is_one(e->unary.arg)) || (e->kind == EXPR_INT && e->integer.value == -1));
}

const char *ragged_runs(const ast_range *n, const char *d, bool *down) {
  int64_t less;
  *down = n->by != NULL;
  if (n->over || !n->hi) return NULL;
  if (!n->by) return ragged_lengths(n->hi, d);
  if (!is_minus_one(n->by) || !ragged_is_one(n->hi) || !ragged_is_end(n->lo, NULL, d, &less)) return NULL;
  return ragged_lengths(n->lo->kind == EXPR_BINARY ? n->lo->binary.lhs : n->lo, d);
}

ragged_rows *ragged_rows_of(const ragged *g, const char *array) {
  for (size_t k = 0; k < g->n; k++)
    for (size_t i = 0; i < g->of[k].n; i++)
      if (g->of[k].names[i] == array) return &g->of[k];
  return NULL;
}

ragged_rows *ragged_rows_by(const ragged *g, const char *len, const char *extent) {
  for (size_t i = 0; i < g->n; i++)
    if (g->of[i].len == len && g->of[i].extent == extent) return &g->of[i];
  return NULL;
}

diag *ragged_refuse(ragged *g, span at, const char *format, ...) {
  if (g->reported) return NULL;
  g->reported = true;
  va_list ap;
  va_start(ap, format);
  const char *text = arena_vprintf(g->a, format, ap);
  va_end(ap);
  return diag_add(g->p->diags, DIAG_ERROR, "E0690", at, "%s", text);
}

static const char *part(ragged *g, const char *len, const char *word) { return intern(g->p->names, arena_printf(g->a, "%s.%s", len, word)); }

void ragged_add_array(ragged *g, ragged_rows *r, const char *name) {
  if (!ragged_rows_of(g, name)) ARENA_PUSH(g->a, r->names, r->n, r->cap, name);
}

/* ---- the signature */

static ast_type *type_new(ragged *g, const char *name, span at, ast_expr *size, ast_expr *extent) {
  ast_type *t = ARENA_NEW(g->a, ast_type);
  t->kind = TYPE_NAMED;
  t->at = at;
  t->name = (ast_name){.name = intern(g->p->names, name), .at = at};
  if (size) ARENA_PUSH(g->a, t->args.items, t->args.n, t->args.cap, size);
  ast_dim d = {.size = extent, .at = at};
  if (extent) ARENA_PUSH(g->a, t->dims.items, t->dims.n, t->dims.cap, d);
  return t;
}

static ast_param *param_find(const ast_decl *m, const char *name) {
  for (size_t k = 0; k < m->params.n; k++)
    if (m->params.items[k].name.name == name) return &m->params.items[k];
  return NULL;
}

bool ragged_is_data(const ragged *g, const char *array) { return param_find(g->model, array) != NULL; }

bool ragged_is_real_data(const ragged *g, const char *array) {
  const ast_param *p = param_find(g->model, array);
  return p && p->type && p->type->kind == TYPE_NAMED && strcmp(p->type->name.name, "real") == 0;
}

static void add_param(ragged *g, ast_decl *m, const char *name, ast_type *type, ast_rows what, const char *len) {
  ast_param p = {.name = {.name = name, .at = type->at}, .type = type, .at = type->at, .rows = what, .lengths = len};
  ARENA_PUSH(g->a, m->params.items, m->params.n, m->params.cap, p);
}

/* What is ragged in another way is left, and refused where types are checked. */
static bool is_ragged(const ragged *g, const ast_type *t) {
  if (!t || t->kind != TYPE_NAMED || t->dims.n != 2) return false;
  const ast_dim *d = &t->dims.items[0], *n = &t->dims.items[1];
  return d->var.name && ragged_is_one(d->lo) && ragged_extent(g, d->size) && !n->var.name && ragged_lengths(n->size, d->var.name) && (t->args.n == 0 || strcmp(t->name.name, "index") == 0);
}

static void write_signature(ragged *g, ast_decl *m) {
  const size_t own = m->params.n;
  for (size_t k = 0; k < own; k++) {
    ast_type *t = m->params.items[k].type;
    if (!is_ragged(g, t)) continue;
    const char *len = ragged_lengths(t->dims.items[1].size, t->dims.items[0].var.name), *extent = ragged_extent(g, t->dims.items[0].size);
    span at = t->dims.items[1].at;
    ragged_rows *r = ragged_rows_by(g, len, extent);
    if (!r) {
      ragged_rows fresh = {.len = len, .extent = extent, .sum = part(g, len, "sum"), .row = part(g, len, "row"), .col = part(g, len, "col"), .start = part(g, len, "start"), .max = part(g, len, "max")};
      ARENA_PUSH(g->a, g->of, g->n, g->cap, fresh);
      r = &g->of[g->n - 1];
      if (!param_find(m, len)) add_param(g, m, len, type_new(g, "int", at, NULL, ragged_extent_new(g, r, at)), ROWS_LENGTHS, len);
      param_find(m, len)->rows = ROWS_LENGTHS;
      add_param(g, m, r->row, type_new(g, "index", at, ragged_extent_new(g, r, at), ast_new_name(g->a, r->sum, at)), ROWS_ROW, len);
      add_param(g, m, r->col, type_new(g, "int", at, NULL, ast_new_name(g->a, r->sum, at)), ROWS_COLUMN, len);
      add_param(g, m, r->start, type_new(g, "int", at, NULL, ragged_extent_new(g, r, at)), ROWS_START, len);
      add_param(g, m, r->max, type_new(g, "int", at, NULL, NULL), ROWS_LONGEST, len);
    }
    ast_param *p = &m->params.items[k];
    p->rows = ROWS_CELLS;
    p->lengths = len;
    t->dims.items[0] = (ast_dim){.size = ast_new_name(g->a, r->sum, at), .at = at};
    t->dims.n = 1;
    ragged_add_array(g, r, p->name.name);
  }
}

/* ---- arrays that loops over rows define */

typedef struct around around;
struct around {
  const ast_range *range;
  const around *outer;
};

static const ast_range *range_of(const around *a, const char *name) {
  while (a && a->range->var.name != name) a = a->outer;
  return a && name ? a->range : NULL;
}

static void find_target(ragged *g, const around *loops, const ast_target *t) {
  if (t->subs.n < 2 || !t->name.name || !t->name.name[0]) return;
  const ast_range *d = range_of(loops, ragged_name(t->subs.items[0])), *n = range_of(loops, ragged_name(t->subs.items[1]));
  bool down;
  const char *len = d && n && ragged_is_one(d->lo) ? ragged_runs(n, d->var.name, &down) : NULL;
  ragged_rows *r = len ? ragged_rows_by(g, len, ragged_extent(g, d->hi)) : NULL;
  if (r) ragged_add_array(g, r, t->name.name);
}

static void find_block(ragged *g, const ast_block *b, const around *loops);

static void find_loop(ragged *g, const ast_iter *it, size_t k, const around *loops, const ast_block *body, const ast_target *t) {
  if (k < it->n) {
    around inner = {&it->items[k], loops};
    find_loop(g, it, k + 1, &inner, body, t);
  } else if (body) {
    find_block(g, body, loops);
  } else if (t) {
    find_target(g, loops, t);
  }
}

static void find_block(ragged *g, const ast_block *b, const around *loops) {
  for (size_t i = 0; b && i < b->n; i++) {
    const ast_stmt *s = b->items[i];
    switch (s->kind) {
    case STMT_SAMPLE: find_loop(g, &s->sample.iter, 0, loops, NULL, &s->sample.target); break;
    case STMT_LET: find_target(g, loops, &s->let.target); break;
    case STMT_PLATE: find_loop(g, &s->plate.iter, 0, loops, s->plate.body, NULL); break;
    case STMT_FOR: find_loop(g, &s->for_.iter, 0, loops, s->for_.body, NULL); break;
    case STMT_IF:
      find_block(g, s->if_.then, loops);
      find_block(g, s->if_.else_, loops);
      break;
    case STMT_PREDICT: find_block(g, s->predict.body, loops); break;
    default: break;
    }
  }
}

void ragged_add_size(ragged *g, const ragged_rows *r, const char *name, ast_rows what, const ast_expr *row) {
  ast_decl *m = g->model;
  if (param_find(m, name)) return;
  add_param(g, m, name, type_new(g, "int", row->at, NULL, NULL), what, r->len);
  m->params.items[m->params.n - 1].row = ragged_copy(g, row);
}

void ragged_write_out(check_program *p, ast_decl *m) {
  ragged g = {.p = p, .a = p->mem, .model = m};
  write_signature(&g, m);
  if (g.n == 0) return;
  ast_copier plain = {.mem = p->mem};
  m->body = ast_copy_block(&plain, m->body);
  find_block(&g, m->body, NULL);
  ragged_write_slices(&g, m->body);
  find_block(&g, m->body, NULL);
  ast_copier sums = {.mem = p->mem, .user = &g, .expr = ragged_write_reduce};
  m->body = ast_copy_block(&sums, m->body);
  ragged_distribute(&g, m->body);
  ragged_write_loops(&g, m->body);
}
