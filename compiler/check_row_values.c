/* check_row_values.c: rows of ragged arrays as values (check_ragged.c).
 *
 *     track a = cumsum(w[1, 2..len[1]])               track a = cumsum(w[`len.start[1]` + 2..`len.start[1]` + `len[1]`])
 *     plate d in 1..D {                               plate d in 1..D {
 *       let c = cumsum(w[d])                            let s.1[d, 1] = w[d, 1]
 *                                                       for i.1 in 2..len[d] { let s.1[d, i.1] = s.1[d, i.1 - 1] + w[d, i.1] }
 *       y[d] ~ Normal(c + sd(w[d]), s)                  y[d] ~ Normal(s.1[d] + sqrt(sum((w[d, i.2] - m.2)^2 for i.2 in ..) / (len[d] - 1)), s)
 *     }                                               }
 *
 * A row that a number or a size names is a slice of the long array, as long as the size `len[1]` says: an array like any other.  Of a row that a
 * loop's index names the length differs from one iteration to the next, and no array has such an axis.  So expressions of such rows are written
 * out: what works element by element is kept, for check_row_slices.c to write for one element at a time, and a function is replaced by its
 * body.  What that builds by elements, and a `let` of a row, becomes a ragged array of its own. */
#include "compiler/check_ragged.h"

#include <string.h>

enum { DEEPEST = 16, FIRST_MOST = 60, MOST_TEXT = 4 << 20 };

/* ---- pieces */

/* How many elements a range has. */
static ast_expr *length_of(ragged *g, const ast_expr *range) {
  ast_expr *lo = ragged_copy(g, range->range.lo), *hi = ragged_copy(g, range->range.hi);
  if (lo->kind == EXPR_INT) return ragged_plus(g, hi, 1 - lo->integer.value);
  return ragged_plus(g, ragged_binary(g, OP_SUB, hi, lo), 1);
}

/* a..len[d] - k with literal a; *less is how many elements of the row are not in it. */
static bool to_end(ragged *g, const ragged_rows *r, const ast_expr *row, const ast_expr *range, int64_t *less) {
  const ast_expr *lo = range->range.lo;
  if (lo->kind != EXPR_INT || lo->integer.value < 1) return false;
  ast_expr *hi = ragged_plus(g, ragged_copy(g, range->range.hi), 0);
  int64_t k = 0;
  if (hi->kind == EXPR_BINARY && hi->binary.op == OP_SUB && hi->binary.rhs->kind == EXPR_INT) {
    k = hi->binary.rhs->integer.value;
    hi = hi->binary.lhs;
  }
  *less = lo->integer.value - 1 + k;
  return k >= 0 && hi->kind == EXPR_INDEX && ragged_name(hi->index.base) == r->len && hi->index.subs.n == 1 && ast_same_text(g->a, hi->index.subs.items[0], row);
}

/* ---- rows that a number or a size names */

/* What does not change from one iteration to the next: numbers, D, and ints of the signature. */
static bool is_fixed(const ragged *g, const ragged_rows *r, const ast_expr *e) {
  if (e->kind == EXPR_BINARY && (e->binary.op == OP_ADD || e->binary.op == OP_SUB)) return is_fixed(g, r, e->binary.lhs) && is_fixed(g, r, e->binary.rhs);
  if (e->kind == EXPR_INT || ragged_name(e) == r->extent) return true;
  for (size_t k = 0; e->kind == EXPR_NAME && k < g->model->params.n; k++) {
    const ast_param *p = &g->model->params.items[k];
    if (p->name.name == e->name.name) return p->type && p->type->kind == TYPE_NAMED && p->type->dims.n == 0 && strcmp(p->type->name.name, "int") == 0;
  }
  return false;
}

static ast_expr *fixed_size(row_scope *s, const ragged_rows *r, const char *of, ast_rows what, const ast_expr *row, span at) {
  ragged *g = s->g;
  const char *name = intern(g->p->names, arena_printf(g->a, "%s[%s]", of, ast_expr_text(g->a, row)));
  ragged_add_size(g, r, name, what, row);
  return ast_new_name(g->a, name, at);
}

/* The slice of the long array, or NULL. */
static ast_expr *fixed_slice(row_scope *s, const ragged_rows *r, const ast_exprs *subs, span at) {
  ragged *g = s->g;
  int64_t less;
  const ast_expr *range = is_fixed(g, r, subs->items[0]) ? ragged_open_range(g, r, subs, at) : NULL, *row = subs->items[0];
  if (!range || subs->n > 2 || !to_end(g, r, row, range, &less)) return NULL;
  ast_expr *start = fixed_size(s, r, r->start, ROWS_START_OF, row, at), *n = fixed_size(s, r, r->len, ROWS_LENGTH_OF, row, at);
  ast_expr *lo = ragged_plus(g, start, range->range.lo->integer.value), *hi = ragged_binary(g, OP_ADD, ragged_copy(g, start), n);
  return ragged_range(g, lo, ragged_plus(g, hi, range->range.lo->integer.value - 1 - less), at);
}

/* ---- rows that an index names */

enum { ELEM1 = 1, ELEM2 = 1, ELEM3 = 1, REDUCE = 0, SHAPE = 0, DRAW = 0, DISTFN = 0 };
static const bool of_elements[] = {
#define B(ID, name, kind, op) kind,
    BUILTINS(B)
#undef B
};


bool ragged_is_elementwise(const ragged *g, const ast_expr *e) {
  bool own;
  const symbol *s = ragged_callee(g, e, &own);
  if (s && s->kind == SYM_BUILTIN) return of_elements[s->builtin] || ((s->builtin == BUILTIN_MIN || s->builtin == BUILTIN_MAX) && e->call.args.n == 2);
  const ast_decl *f = s && s->kind == SYM_FN ? s->decl : NULL;
  bool scalars = f && f->type && f->type->dims.n == 0 && f->type->args.n == 0;
  for (size_t i = 0; scalars && i < f->params.n; i++) scalars = !f->params.items[i].type || (f->params.items[i].type->dims.n == 0 && f->params.items[i].type->args.n == 0);
  return scalars;
}

static bool is_size(const ast_expr *e) {
  if (e->kind == EXPR_BINARY) return is_size(e->binary.lhs) && is_size(e->binary.rhs);
  return e->kind == EXPR_INT || e->kind == EXPR_NAME;
}

bool ragged_sized(const ast_expr *range) { return is_size(range->range.lo) && is_size(range->range.hi); }

static const ast_expr *row_of_list(ragged *g, const ast_exprs *l, bool sized) {
  const ast_expr *x = NULL;
  for (size_t i = 0; i < l->n && !x; i++) x = ragged_row_in(g, l->items[i], sized);
  return x;
}

const ast_expr *ragged_row_in(ragged *g, const ast_expr *e, bool sized) {
  const ast_expr *x = NULL;
  switch (e->kind) {
  case EXPR_UNARY: return e->unary.op == OP_TRANSPOSE ? NULL : ragged_row_in(g, e->unary.arg, sized);
  case EXPR_BINARY:
    if (e->binary.op == OP_MATMUL) return NULL;
    x = ragged_row_in(g, e->binary.lhs, sized);
    return x ? x : ragged_row_in(g, e->binary.rhs, sized);
  case EXPR_IF:
    x = ragged_row_in(g, e->if_.then, sized);
    return x ? x : ragged_row_in(g, e->if_.else_, sized);
  case EXPR_LET: return ragged_row_in(g, e->let.body, sized);
  case EXPR_CALL:
    for (size_t i = 0; ragged_is_elementwise(g, e) && i < e->call.args.n && !x; i++) x = ragged_row_in(g, e->call.args.items[i].value, sized);
    return x;
  case EXPR_INDEX: {
    const ragged_rows *r = ragged_rows_of(g, ragged_name(e->index.base));
    const ast_expr *range = r ? ragged_open_range(g, r, &e->index.subs, e->at) : NULL;
    if (range) return sized || !ragged_sized(range) ? e : NULL;
    return r ? NULL : row_of_list(g, &e->index.subs, sized);
  }
  default: return NULL;
  }
}

ast_expr *ragged_length(ragged *g, const ast_expr *row) {
  return length_of(g, ragged_open_range(g, ragged_rows_of(g, ragged_name(row->index.base)), &row->index.subs, row->at));
}

static ast_expr *behind(ragged *g, const ast_expr *lo, const ast_expr *by) {
  ast_expr *e = ragged_copy(g, by);
  if (lo->kind == EXPR_INT) return ragged_plus(g, e, lo->integer.value - 1);
  return ragged_plus(g, ragged_binary(g, OP_ADD, e, ragged_copy(g, lo)), -1);
}

ast_expr *ragged_row_element(ragged *g, const ast_expr *row, const ast_expr *sub) {
  const ast_expr *lo = ragged_open_range(g, ragged_rows_of(g, ragged_name(row->index.base)), &row->index.subs, row->at)->range.lo;
  ast_expr *then = sub->kind == EXPR_RANGE ? ragged_range(g, behind(g, lo, sub->range.lo), behind(g, lo, sub->range.hi), sub->at) : behind(g, lo, sub);
  return ragged_at(g, row->index.base->name.name, ragged_copy(g, row->index.subs.items[0]), then, row->at);
}

ast_expr *ragged_part(ragged *g, const ast_expr *row, const ast_expr *sub) { return ragged_element(g, row, &sub, 1); }

/* ---- statements before the one at hand */

bool ragged_knows(const row_scope *s, const char *name) {
  const row_name *n = s->names;
  while (n && n->name != name) n = n->outer;
  return n || ragged_is_data(s->g, name);
}

static const row_name *known(const row_scope *s, const char *name) {
  const row_name *n = s->names;
  while (n && n->name != name) n = n->outer;
  return n;
}

void ragged_bind(row_scope *s, const char *name, const ast_expr *value) {
  row_name *n = ARENA_NEW(s->g->a, row_name);
  *n = (row_name){name, value, strlen(ast_expr_text(s->g->a, value)), s->names};
  s->names = n;
}

/* The value in the place of a name. */
static ast_expr *put_value(row_scope *s, const row_name *n, span at) {
  ragged *g = s->g;
  g->written += n->length;
  if (g->written <= MOST_TEXT) {
    ast_expr *x = ragged_copy(g, n->value);
    if (!s->fn) x->at = at; /* what is wrong with it here is told here; of a parameter, where it was given */
    return x;
  }
  diag *d = ragged_refuse(g, at, "rows of ragged arrays are written out, and this is too long");
  if (d) diag_help(g->p->diags, d, "give parts of it names by `let`, in the loop over rows");
  return ast_new_expr(g->a, EXPR_ERROR, at);
}

static bool may_add(const row_scope *s) { return s->before && s->shields == 0; }

static ast_stmt *let_new(ragged *g, const char *name, ast_expr *value) {
  ast_stmt *x = ARENA_NEW(g->a, ast_stmt);
  x->kind = STMT_LET;
  x->at = value->at;
  x->let.target.name = (ast_name){.name = name, .at = value->at};
  x->let.target.at = value->at;
  x->let.value = value;
  x->depth = (uint16_t)(1 + value->depth);
  return x;
}

bool ragged_stmt_before(row_scope *s, ast_stmt *x) {
  if (!may_add(s)) return false;
  ARENA_PUSH(s->g->a, s->before->items, s->before->n, s->before->cap, x);
  ragged_note_let(s, x);
  return true;
}

void ragged_note_let(row_scope *s, const ast_stmt *x) {
  if (s->branch && x->kind == STMT_LET) ARENA_PUSH(s->g->a, s->branch->lets, s->branch->n, s->branch->cap, x->let.target.name.name);
}

typedef struct defined {
  const row_branch *in;
  const ast_expr *found;
} defined;

static ast_expr *find_defined(ast_copier *c, const ast_expr *e) {
  defined *f = c->user;
  const char *name = ragged_name(e);
  for (const row_branch *b = f->in; name && b && !f->found; b = b->outer)
    for (size_t i = 0; i < b->n; i++)
      if (b->lets[i] == name) f->found = e;
  return NULL;
}

/* The value where all conditions around it hold, 0 elsewhere. */
static ast_expr *under_branch(row_scope *s, ast_expr *value) {
  ragged *g = s->g;
  for (const row_branch *b = s->branch; b; b = b->outer) {
    ast_expr *cond = ragged_copy(g, b->cond), *none = ast_new_int(g->a, 0, value->at);
    value = b->holds ? ast_new_if(g->a, cond, value, none) : ast_new_if(g->a, cond, none, value);
  }
  defined f = {.in = s->branch};
  ast_copier c = {.mem = g->a, .user = &f, .expr = find_defined};
  (void)ast_copy_expr(&c, value);
  if (!f.found) return value;
  diag *d = ragged_refuse(g, f.found->at, "an array as long as a row is made of this before the condition, where it is not known");
  if (d) diag_help(g->p->diags, d, "define what it reads before the `if`");
  return ast_new_int(g->a, 0, value->at);
}

bool ragged_let_before(row_scope *s, const char *name, ast_expr *value) { return may_add(s) && ragged_stmt_before(s, let_new(s->g, name, value)); }

/* Statements around the element of an array: a loop `index in first..len[d]` of that kind, or none. */
static void add_element(row_scope *s, const ragged_rows *r, stmt_kind loop, const char *index, ast_expr *first, const char *array, ast_expr *sub, ast_expr *value) {
  ragged *g = s->g;
  const char *d = s->row->var.name;
  const span at = value->at;
  ast_stmt *x = let_new(g, array, under_branch(s, value));
  ast_expr *row = ast_new_name(g->a, d, at);
  ARENA_PUSH(g->a, x->let.target.subs.items, x->let.target.subs.n, x->let.target.subs.cap, row);
  ARENA_PUSH(g->a, x->let.target.subs.items, x->let.target.subs.n, x->let.target.subs.cap, sub);
  if (loop != STMT_LET) {
    ast_stmt *y = ARENA_NEW(g->a, ast_stmt);
    ast_block *body = ARENA_NEW(g->a, ast_block);
    ast_range range = {.var = {.name = index, .at = at}, .lo = first, .hi = ragged_end(g, r, ast_new_name(g->a, d, at), at), .at = at};
    *y = (ast_stmt){.kind = loop, .at = at, .depth = (uint16_t)(1 + x->depth)};
    body->at = at;
    ARENA_PUSH(g->a, body->items, body->n, body->cap, x);
    ast_iter *it = loop == STMT_FOR ? &y->for_.iter : &y->plate.iter;
    it->at = at;
    ARENA_PUSH(g->a, it->items, it->n, it->cap, range);
    *(loop == STMT_FOR ? &y->for_.body : &y->plate.body) = body;
    x = y;
  }
  ast_block *before = s->branch ? s->branch->ahead : s->before;
  ARENA_PUSH(g->a, before->items, before->n, before->cap, x);
}

/* The same of a value that no row alone tells the length of, `[... for i in 1..len[d] - 1]`. */
static ragged_rows *rows_of_value(row_scope *s, const ast_expr *e, int64_t *less) {
  ragged *g = s->g;
  const ast_expr *n[2];
  if (!may_add(s) || !s->row || ragged_axes(g, e, n) != 1) return NULL;
  ast_expr *hi = ragged_plus(g, ragged_copy(g, n[0]), 0);
  const bool shorter = hi->kind == EXPR_BINARY && hi->binary.op == OP_SUB && hi->binary.rhs->kind == EXPR_INT;
  *less = shorter ? hi->binary.rhs->integer.value : 0;
  const char *len = ragged_lengths(shorter ? hi->binary.lhs : hi, s->row->var.name);
  return len && *less <= FIRST_MOST ? ragged_rows_by(g, len, ragged_extent(g, s->row->hi)) : NULL;
}

/* Whether an array as long as the row may be made here; its rows and how many of their first elements are not of it. */
static ragged_rows *rows_for(row_scope *s, const ast_expr *row, int64_t *less) {
  ragged *g = s->g;
  if (!row) return NULL;
  if (row->kind != EXPR_INDEX || !ragged_name(row->index.base)) return rows_of_value(s, row, less);
  ragged_rows *r = ragged_rows_of(g, ragged_name(row->index.base));
  const ast_expr *range = ragged_open_range(g, r, &row->index.subs, row->at);
  if (!may_add(s) || !s->row || ragged_name(row->index.subs.items[0]) != s->row->var.name || ragged_extent(g, s->row->hi) != r->extent) return NULL;
  return to_end(g, r, row->index.subs.items[0], range, less) && *less <= FIRST_MOST ? r : NULL;
}

/* array[d, less + 1..len[d]] */
static ast_expr *whole_of(row_scope *s, const ragged_rows *r, const char *array, int64_t less, span at) {
  ragged *g = s->g;
  const char *d = s->row->var.name;
  return ragged_at(g, array, ast_new_name(g->a, d, at), ragged_range(g, ast_new_int(g->a, less + 1, at), ragged_end(g, r, ast_new_name(g->a, d, at), at), at), at);
}

const ast_expr *ragged_keep_row(row_scope *s, const char *name, const ast_expr *value) {
  ragged *g = s->g;
  int64_t less;
  const ast_expr *row = ragged_row_in(g, value, false);
  if (row == value || s->branch) return value;
  ragged_rows *r = rows_for(s, row ? row : value, &less);
  if (!r) return value;
  const char *array = intern(g->p->names, arena_printf(g->a, "%s.%u", name, ++g->locals)), *n = intern(g->p->names, arena_printf(g->a, "%s.n%u", name, g->locals));
  ragged_add_array(g, r, array);
  ragged_set_row(s, r, array, n, less, value);
  return whole_of(s, r, array, less, value->at);
}

void ragged_set_row(row_scope *s, const ragged_rows *r, const char *array, const char *index, int64_t less, const ast_expr *value) {
  ragged *g = s->g;
  const span at = value->at;
  ast_expr *n = ast_new_name(g->a, index, at), *x = ragged_part(g, value, ragged_plus(g, n, -less));
  if (less > 0) x = ast_new_if(g->a, ragged_binary(g, OP_GE, ast_new_name(g->a, index, at), ast_new_int(g->a, less + 1, at)), x, ast_new_int(g->a, 0, at));
  add_element(s, r, STMT_PLATE, index, ast_new_int(g->a, 1, at), array, ast_new_name(g->a, index, at), x);
}

/* ---- functions of rows, replaced by their bodies */

typedef struct body {
  row_scope in;
  ast_stmt **lets; /* plain ones that had no place before the statement */
  size_t nlets, cap_lets;
  const ast_expr *row; /* the first argument that is one */
  bool failed;
} body;

static const char *renamed(const row_scope *s, const char *name) {
  if (!s->fn || strcmp(name, "pi") == 0 || strcmp(name, "inf") == 0) return name;
  return intern(s->g->p->names, arena_printf(s->g->a, "%s.%u", name, s->fn));
}

static const ast_expr *argument(const ast_expr *call, const ast_params *ps, size_t i) {
  const ast_arg *named = ast_args_find(&call->call.args, ps->items[i].name.name);
  if (named) return named->value;
  return i < call->call.args.n && !call->call.args.items[i].name.name ? call->call.args.items[i].value : ps->items[i].default_;
}

static bool is_place(const ast_expr *e) {
  if (e->kind == EXPR_INDEX && e->index.base->kind == EXPR_NAME) {
    for (size_t i = 0; i < e->index.subs.n; i++)
      if (!is_size(e->index.subs.items[i])) return false;
    return true;
  }
  return e->kind == EXPR_NAME || e->kind == EXPR_INT || e->kind == EXPR_REAL || e->kind == EXPR_BOOL;
}

static void keep_let(body *b, const char *name, ast_expr *value) {
  const ast_expr *n[2];
  const unsigned axes = ragged_axes(b->in.g, value, n);
  const char *own = renamed(&b->in, name);
  if (axes == 2) ragged_bind(&b->in, name, ragged_keep_matrix(&b->in, name, value));
  else if (axes == 1) ragged_bind(&b->in, name, ragged_keep_row(&b->in, name, value));
  else if (!ragged_let_before(&b->in, own, value)) ARENA_PUSH(b->in.g->a, b->lets, b->nlets, b->cap_lets, let_new(b->in.g, own, value));
}

static ast_expr *read_size(ragged *g, const ast_expr *array, size_t axis) {
  ast_expr *e = ast_new_call(g->a, intern(g->p->names, "size"), array->at);
  ast_add_arg(g->a, e, ragged_copy(g, array));
  ast_add_arg(g->a, e, ast_new_int(g->a, (int64_t)axis + 1, array->at));
  return e;
}

static bool bind_param(body *b, const ast_expr *call, const ast_params *ps, size_t i) {
  ragged *g = b->in.g;
  const ast_param *p = &ps->items[i];
  const ast_expr *arg = argument(call, ps, i), *n_of[2];
  const unsigned axes = arg ? ragged_axes(g, arg, n_of) : 0;
  const ast_expr *row = axes == 1 ? ragged_row_in(g, arg, false) : NULL;
  if (!arg || !p->type || p->type->kind != TYPE_NAMED) return false;
  if (axes && (p->type->dims.n != axes || p->type->args.n)) return false;
  for (size_t k = 0; k < p->type->dims.n; k++) {
    const char *size = ragged_name(p->type->dims.items[k].size);
    if (!size) continue;
    ast_expr *n = axes ? ragged_copy(g, n_of[k]) : read_size(g, arg, k);
    const row_name *before = known(&b->in, size);
    if (!before) ragged_bind(&b->in, size, n);
    else if (!ast_same_text(g->a, before->value, n)) return false;
  }
  if (axes == 1 && !b->row) b->row = row ? row : arg;
  if (axes == 2) ragged_bind(&b->in, p->name.name, ragged_keep_matrix(&b->in, p->name.name, arg));
  else if (axes || is_place(arg)) ragged_bind(&b->in, p->name.name, arg);
  else keep_let(b, p->name.name, ragged_copy(g, arg));
  return true;
}

/* `let s[k] = e`, alone or in the loop over k that goes to the row's end. */
static bool build(body *b, ast_copier *c, const ast_range *loop, stmt_kind kind, const ast_stmt *let) {
  row_scope *s = &b->in;
  ragged *g = s->g;
  int64_t less = 0;
  ragged_rows *r = let->kind == STMT_LET && let->let.target.subs.n == 1 ? rows_for(s, b->row, &less) : NULL;
  if (!r) return false;
  const char *own = let->let.target.name.name, *array = renamed(s, own), *index = NULL;
  if (!known(s, own)) {
    ragged_add_array(g, r, array);
    ragged_bind(s, own, whole_of(s, r, array, less, let->at));
    for (int64_t k = 1; k <= less; k++) add_element(s, r, STMT_LET, NULL, NULL, array, ast_new_int(g->a, k, let->at), ast_new_int(g->a, 0, let->at));
  }
  ast_expr *first = NULL;
  const row_name *outer = s->names;
  if (loop) {
    if (loop->by || loop->over) return false;
    ast_expr *hi = ragged_plus(g, ast_copy_expr(c, loop->hi), less);
    first = ragged_plus(g, ast_copy_expr(c, loop->lo), less);
    if (first->kind != EXPR_INT || !ast_same_text(g->a, hi, ragged_end(g, r, ast_new_name(g->a, s->row->var.name, hi->at), hi->at))) return false;
    index = renamed(s, loop->var.name);
    ragged_bind(s, loop->var.name, ragged_plus(g, ast_new_name(g->a, index, loop->at), -less));
  }
  ast_expr *sub = ragged_plus(g, ast_copy_expr(c, let->let.target.subs.items[0]), less), *value = ast_copy_expr(c, let->let.value);
  add_element(s, r, kind, index, first, array, sub, value);
  s->names = outer;
  return true;
}

static ast_expr *write_body(body *b, ast_copier *c, const ast_decl *f) {
  if (f->value) return ast_copy_expr(c, f->value);
  for (size_t i = 0; i < f->body->n; i++) {
    const ast_stmt *x = f->body->items[i];
    const bool loop = x->kind == STMT_FOR || x->kind == STMT_PLATE;
    const ast_iter *it = x->kind == STMT_FOR ? &x->for_.iter : &x->plate.iter;
    const ast_block *inside = x->kind == STMT_FOR ? x->for_.body : x->plate.body;
    if (x->kind == STMT_RETURN) return ast_copy_expr(c, x->value);
    if (x->kind == STMT_LET && x->let.target.subs.n == 0) keep_let(b, x->let.target.name.name, ast_copy_expr(c, x->let.value));
    else if (loop ? it->n != 1 || it->cond || inside->n != 1 || !build(b, c, &it->items[0], x->kind, inside->items[0]) : !build(b, c, NULL, STMT_LET, x)) return NULL;
  }
  return NULL;
}

static ast_expr *write_value(ast_copier *c, const ast_expr *e);

static const char *write_name(ast_copier *c, const char *name) { return renamed(c->user, name); }

/* The value of a call with rows among its arguments; NULL: it cannot be written out. */
static ast_expr *written_out(row_scope *s, const ast_expr *call) {
  ragged *g = s->g;
  bool own;
  const symbol *sym = ragged_callee(g, call, &own);
  const ast_decl *f = sym && sym->kind == SYM_FN ? sym->decl : NULL;
  if (!f || s->depth >= DEEPEST) return NULL;
  body b = {.in = *s};
  b.in.library = !own;
  b.in.names = NULL;
  b.in.fn = ++g->locals;
  b.in.depth++;
  for (size_t i = 0; i < f->params.n; i++)
    if (!bind_param(&b, call, &f->params, i)) return NULL;
  ast_copier c = {.mem = g->a, .user = &b.in, .expr = write_value, .name = write_name};
  ast_expr *value = write_body(&b, &c, f);
  for (size_t i = b.nlets; value && i-- > 0;) {
    ast_expr *x = ast_new_expr(g->a, EXPR_LET, call->at);
    x->let.var = b.lets[i]->let.target.name;
    x->let.value = b.lets[i]->let.value;
    x->let.body = value;
    x->depth = (uint16_t)(1 + (x->let.value->depth > value->depth ? x->let.value->depth : value->depth));
    value = x;
  }
  return value;
}

/* ---- expressions */

bool ragged_reduces(const ragged *g, const ast_expr *e) {
  static const char *const names[] = {"sum", "mean", "max", "min", "prod", "all", "any"};
  for (size_t i = 0; e->kind == EXPR_CALL && e->call.args.n == 1 && i < sizeof names / sizeof *names; i++)
    if (ragged_is_call(g, e, names[i], 1)) return true;
  return false;
}

static ast_expr *product(row_scope *s, ast_expr *a, ast_expr *b, span at) {
  ragged *g = s->g;
  ast_expr *e = ast_new_call(g->a, intern(g->p->names, "sum"), at);
  ast_add_arg(g->a, e, ragged_binary(g, OP_MUL, a, b));
  return ragged_row_in(g, e->call.args.items[0].value, false) ? e : ragged_reduce(g, e);
}

static ast_expr *size_of(ragged *g, ast_expr *call, unsigned axes, const ast_expr *const *n) {
  const ast_expr *k = call->call.args.n == 2 ? call->call.args.items[1].value : NULL;
  const int64_t axis = !k ? 1 : k->kind == EXPR_INT ? k->integer.value : 0;
  return axis >= 1 && axis <= (int64_t)axes ? ragged_copy(g, n[axis - 1]) : call;
}

static ast_expr *write_call(row_scope *s, ast_copier *c, const ast_expr *e) {
  ragged *g = s->g;
  ast_expr *x = ARENA_NEW(g->a, ast_expr);
  *x = *e;
  x->call.fn.sym = NULL;
  x->call.fn.library |= s->library;
  x->call.args = ast_copy_args(c, &e->call.args);
  size_t rows = 0, all = 0;
  for (size_t i = 0; i < x->call.args.n; i++) {
    const ast_expr *n[2];
    const unsigned axes = ragged_axes(g, x->call.args.items[i].value, n);
    all += axes;
    rows += axes == 1;
    if (i == 0 && axes && ragged_is_call(g, x, "size", 1)) return size_of(g, x, axes, n);
  }
  if (all == 0 || ragged_is_elementwise(g, x)) return x;
  if (ragged_reduces(g, x)) {
    ast_expr *sum = all == 1 && ragged_row_in(g, x->call.args.items[0].value, false) ? NULL : ragged_reduce(g, x);
    return sum ? sum : x;
  }
  ast_expr *matrix = ragged_matrix_call(s, x);
  if (matrix) return matrix;
  if (ragged_is_call(g, x, "dot", 2) && all > rows) {
    diag *d = diag_add(g->p->diags, DIAG_ERROR, "E0511", e->at, "`dot` needs vectors here, and one of these is a matrix over a row");
    diag_help(g->p->diags, d, "a matrix times a vector is `K @ v`");
    return ast_new_expr(g->a, EXPR_ERROR, e->at);
  }
  if (ragged_is_call(g, x, "dot", 2) && x->call.args.n == 2 && rows == 2) return product(s, x->call.args.items[0].value, x->call.args.items[1].value, e->at);
  ast_expr *value = written_out(s, x);
  return value ? value : x; /* refused later */
}

/* Whether all that has an axis of changing length in e are rows, parts of which are rows again. */
static bool of_rows(ragged *g, const ast_expr *e) {
  const ast_expr *n[2];
  if (ragged_axes(g, e, n) == 0) return true;
  switch (e->kind) {
  case EXPR_UNARY: return of_rows(g, e->unary.arg);
  case EXPR_BINARY: return e->binary.op != OP_MATMUL && of_rows(g, e->binary.lhs) && of_rows(g, e->binary.rhs);
  case EXPR_IF: return of_rows(g, e->if_.then) && of_rows(g, e->if_.else_);
  case EXPR_LET: return of_rows(g, e->let.body);
  case EXPR_CALL:
    for (size_t i = 0; i < e->call.args.n; i++)
      if (!of_rows(g, e->call.args.items[i].value)) return false;
    return ragged_is_elementwise(g, e);
  default: return e->kind == EXPR_INDEX;
  }
}

/* c[k] and K[i, j]; K[i], K[:, j], K[2..len[d], j] and other parts as comprehensions; NULL: it is something else, or a part of a row. */
static ast_expr *element_of(ragged *g, const ast_expr *base, const ast_exprs *subs) {
  const ast_expr *n[2], *at[2];
  const unsigned axes = ragged_axes(g, base, n);
  if (axes == 0 || subs->n > axes || subs->n == 0) return NULL;
  ast_iter iter = {.at = base->at};
  for (unsigned k = 0; k < axes; k++) {
    const ast_expr *sub = k < subs->n ? subs->items[k] : NULL;
    if (axes == 1 && (sub->kind == EXPR_ALL || (sub->kind == EXPR_RANGE && of_rows(g, base)))) return NULL;
    at[k] = sub;
    if (sub && sub->kind != EXPR_ALL && sub->kind != EXPR_RANGE) continue;
    const bool part = sub && sub->kind == EXPR_RANGE;
    ast_range r = {.var = {.name = ragged_fresh(g, "i"), .at = base->at}, .lo = ast_new_int(g->a, 1, base->at), .hi = part ? length_of(g, sub) : ragged_copy(g, n[k]), .at = base->at};
    ARENA_PUSH(g->a, iter.items, iter.n, iter.cap, r);
    ast_expr *i = ast_new_name(g->a, r.var.name, base->at);
    at[k] = part ? behind(g, sub->range.lo, i) : i;
  }
  ast_expr *element = ragged_element(g, base, at, axes);
  if (iter.n == 0) return element;
  ast_expr *x = ast_new_expr(g->a, EXPR_COMPREHENSION, base->at);
  x->comprehension.body = element;
  x->comprehension.iter = iter;
  x->depth = (uint16_t)(2 + element->depth);
  return x;
}

static ast_expr *write_index(row_scope *s, ast_copier *c, const ast_expr *e) {
  ragged *g = s->g;
  const char *name = ragged_name(e->index.base);
  if (name && !known(s, name)) {
    const ragged_rows *r = s->fn ? NULL : ragged_rows_of(g, name);
    ast_expr *slice = r ? fixed_slice(s, r, &e->index.subs, e->at) : NULL;
    for (size_t k = 0; !s->fn && !r && k < g->n; k++)
      if (name == g->of[k].len && e->index.subs.n == 1 && is_fixed(g, &g->of[k], e->index.subs.items[0]))
        return fixed_size(s, &g->of[k], name, ROWS_LENGTH_OF, e->index.subs.items[0], e->at);
    if (!slice) return NULL;
    return ragged_at(g, name, slice, NULL, e->at);
  }
  ast_expr *base = ast_copy_expr(c, e->index.base);
  ast_exprs subs = ast_copy_exprs(c, &e->index.subs);
  ast_expr *of = base->kind == EXPR_INDEX ? NULL : element_of(g, base, &subs);
  if (of) return of;
  const ast_expr *n[2];
  if (subs.n == 1 && ragged_row_in(g, base, false) && ragged_axes(g, base, n) == 1) return subs.items[0]->kind == EXPR_ALL ? base : ragged_part(g, base, subs.items[0]);
  ast_expr *x = ARENA_NEW(g->a, ast_expr);
  *x = *e;
  x->index.base = base;
  x->index.subs = subs;
  return x;
}

static ast_expr *write_value(ast_copier *c, const ast_expr *e) {
  row_scope *s = c->user;
  if (e == s->skip) {
    s->skip = NULL;
    return NULL;
  }
  switch (e->kind) {
  case EXPR_NAME: {
    const row_name *n = known(s, e->name.name);
    return n ? put_value(s, n, e->at) : s->fn ? ast_new_name(s->g->a, renamed(s, e->name.name), e->at) : NULL;
  }
  case EXPR_BINARY: {
    if (e->binary.op != OP_MATMUL) return NULL;
    ast_expr *a = ast_copy_expr(c, e->binary.lhs), *b = ast_copy_expr(c, e->binary.rhs);
    const ast_expr *n[2];
    if (ragged_axes(s->g, a, n) != 1 || ragged_axes(s->g, b, n) != 1) return ragged_product(s, a, b);
    return product(s, a, b, e->at);
  }
  case EXPR_CALL: return e->call.of ? NULL : write_call(s, c, e);
  case EXPR_INDEX: return write_index(s, c, e);
  case EXPR_LET: {
    ast_expr *value = ast_copy_expr(c, e->let.value), *x;
    const row_name *outer = s->names;
    if (ragged_row_in(s->g, value, false)) {
      ragged_bind(s, e->let.var.name, value);
      x = ast_copy_expr(c, e->let.body);
    } else {
      x = ARENA_NEW(s->g->a, ast_expr);
      *x = *e;
      x->let.var.name = renamed(s, e->let.var.name);
      x->let.value = value;
      s->shields++;
      x->let.body = ast_copy_expr(c, e->let.body);
      s->shields--;
    }
    s->names = outer;
    return x;
  }
  case EXPR_IF: case EXPR_REDUCE: case EXPR_COMPREHENSION: {
    s->shields++;
    s->skip = e;
    ast_expr *x = ast_copy_expr(c, e);
    s->shields--;
    if (x->kind == EXPR_REDUCE) x->reduce.fn.library |= s->library;
    return x;
  }
  default: return NULL;
  }
}

bool ragged_draws_array(const ragged *g, const ast_expr *dist) {
  bool own;
  const symbol *d = dist ? ragged_callee(g, dist, &own) : NULL;
  return d && d->kind == SYM_DIST && d->decl->type && d->decl->type->dims.n + d->decl->type->args.n > 0;
}

void ragged_name_slice(row_scope *s, ast_stmt *x) {
  ast_target *t = x->kind == STMT_SAMPLE ? &x->sample.target : NULL;
  if (!t || t->subs.n != 1 || t->subs.items[0]->kind != EXPR_RANGE || !ragged_is_data(s->g, t->name.name) || !ragged_rows_of(s->g, t->name.name) || !ragged_draws_array(s->g, x->sample.dist)) return;
  ast_expr *slice = ragged_subscripted(s->g, ast_new_name(s->g->a, t->name.name, t->name.at), t->subs, t->at);
  const char *name = ragged_fresh(s->g, t->name.name);
  if (!ragged_let_before(s, name, slice)) return;
  t->name.name = name;
  t->subs = (ast_exprs){0};
}

static bool write_target(ast_copier *c, const ast_target *t, ast_target *out) {
  row_scope *s = c->user;
  const ragged_rows *r = t->subs.n && ragged_is_data(s->g, t->name.name) ? ragged_rows_of(s->g, t->name.name) : NULL;
  ast_expr *slice = r ? fixed_slice(s, r, &t->subs, t->at) : NULL;
  if (!slice) return false;
  out->subs = (ast_exprs){0};
  ARENA_PUSH(c->mem, out->subs.items, out->subs.n, out->subs.cap, slice);
  out->type = ast_copy_type(c, t->type);
  return true;
}

ast_copier ragged_value_copier(row_scope *s) { return (ast_copier){.mem = s->g->a, .user = s, .expr = write_value, .name = write_name, .target = write_target}; }
