/* check_warn.c: what has the right types and is seldom what was meant.
 *
 * A warning holds of every run of the program: a product that takes columns for rows, a scale or a rate that is below 0 for some values of an unknown.  Where
 * that hangs on what the checker does not follow nothing is said. */
#include "compiler/check_state.h"

#include <string.h>

/* ---- matrices */

/* What stands behind a name. */
static const ast_expr *meant(const ast_expr *e) {
  for (int k = 0; k < 8 && e->kind == EXPR_NAME && e->name.sym && e->name.sym->kind == SYM_LET && sym_of(e->name.sym)->value && !e->name.sym->elementwise; k++) e = sym_of(e->name.sym)->value;
  return e;
}

/* The same, and of an array that one statement sets what its elements are. */
static const ast_expr *element_of(const ast_expr *e) {
  e = meant(e);
  const symbol *s = e->kind == EXPR_NAME ? e->name.sym : NULL;
  return s && s->kind == SYM_LET && s->elementwise && sym_of((symbol *)s)->value ? sym_of((symbol *)s)->value : e;
}

static bool calls(const ast_expr *e, int builtin) {
  return e->kind == EXPR_CALL && e->call.fn.sym && e->call.fn.sym->kind == SYM_BUILTIN && e->call.fn.sym->builtin == builtin;
}

typedef enum shape_of { PLAIN, FACTOR, SYMMETRIC } shape_of;

/* A matrix that is a Cholesky factor, a covariance or a correlation, as far as its declaration tells. */
static shape_of matrix_shape(const ast_expr *e) {
  if (!ty_of(e) || ty_of(e)->rank != 2) return PLAIN;
  e = meant(e);
  if (calls(e, BUILTIN_CHOLESKY)) return FACTOR;
  while (e->kind == EXPR_INDEX) e = e->index.base; /* one of an array of them: a row or a block has another rank, or another use */
  const ty_info *t = e->kind == EXPR_NAME && e->name.sym ? e->name.sym->type : NULL;
  if (!t) return PLAIN;
  if (t->support == IR_SUP_CHOLESKY_COV || t->support == IR_SUP_CHOLESKY_CORR) return FACTOR;
  return t->support == IR_SUP_COV || t->support == IR_SUP_CORR ? SYMMETRIC : PLAIN;
}

/* An operand as it stands, if it is short and needs no parentheses. */
static const char *text_of(ctx *c, const ast_expr *e, const char *long_name) {
  const char *text = ast_expr_text(c->a, e);
  return strlen(text) > 20 || e->kind == EXPR_BINARY || e->kind == EXPR_IF || e->kind == EXPR_LET ? long_name : text;
}

/* `v + diag(w)` repeats v along the rows.  Who writes a covariance so has left out the distances, or means a diagonal. */
static void warn_row(ctx *c, const ast_expr *e, const ast_expr *row, const ast_expr *matrix) {
  if (ty_of(row)->rank != 1 || ty_of(matrix)->rank != 2 || !calls(matrix, BUILTIN_DIAG)) return;
  diag *d = diag_add(c->p->diags, DIAG_WARNING, "W0502", e->binary.op_at, "a vector is added to every row of a diagonal matrix");
  cx_point(c, d, row->at, "%s", ty_print(c->p, ty_of(row)));
  if (row->kind == EXPR_CALL && strncmp(row->call.fn.name, "gp_", 3) == 0)
    cx_help(c, d, "covariances of all pairs are those of their distances: `%s(distances(x, x), ...)`", row->call.fn.name);
  else cx_help(c, d, "to add it to the diagonal write `diag(v + w)`");
}

/* `t * L` multiplies the columns of L: its rows are scaled, as a covariance diag(t) L L' diag(t) has it, by `diag(t) @ L`. */
static bool warn_columns(ctx *c, const ast_expr *e, const ast_expr *vector, const ast_expr *matrix) {
  const shape_of is = ty_of(vector)->rank == 1 ? matrix_shape(matrix) : PLAIN;
  if (is == PLAIN) return false;
  const char *v = text_of(c, vector, "v"), *m = text_of(c, matrix, is == FACTOR ? "L" : "S");
  diag *d = diag_add(c->p->diags, DIAG_WARNING, "W0504", e->binary.op_at, "`*` multiplies each column of %s by an element of a vector", is == FACTOR ? "a Cholesky factor" : "a covariance");
  point_shape(c, d, vector);
  point_shape(c, d, matrix);
  if (is == FACTOR) cx_help(c, d, "the product with a vector is `%s @ %s`; scales belong to rows, `diag(%s) @ %s`; if the columns are meant, write `%s @ diag(%s)`", m, v, v, m, m, v);
  else cx_help(c, d, "the product with a vector is `%s @ %s`, the covariance with these scales `diag(%s) @ %s @ diag(%s)`; if the columns are meant, write `%s @ diag(%s)`", m, v, v, m, v, m, v);
  return true;
}

/* `diag(t) * L` is diagonal, and `L * L'` for a lower triangular L as well. */
static bool warn_diagonal(ctx *c, const ast_expr *e) {
  const ast_expr *a = e->binary.lhs, *b = e->binary.rhs;
  if (ty_of(a)->rank != 2 || ty_of(b)->rank != 2) return false;
  const ast_expr *x = meant(a), *y = meant(b);
  const bool scaled = calls(x, BUILTIN_DIAG) != calls(y, BUILTIN_DIAG);
  const ast_expr *flipped = x->kind == EXPR_UNARY && x->unary.op == OP_TRANSPOSE ? x : y->kind == EXPR_UNARY && y->unary.op == OP_TRANSPOSE ? y : NULL;
  const ast_expr *other = flipped == x ? b : a;
  const bool square = flipped && flipped->unary.arg->kind == EXPR_NAME && other->kind == EXPR_NAME && flipped->unary.arg->name.sym == other->name.sym && matrix_shape(other) == FACTOR;
  if (!scaled && !square) return false;
  diag *d = diag_add(c->p->diags, DIAG_WARNING, "W0504", e->binary.op_at, scaled ? "`*` with a diagonal matrix leaves nothing but the diagonal" : "`*` of a Cholesky factor and its transpose leaves nothing but the diagonal");
  cx_help(c, d, "`*` multiplies element by element: the product of matrices is `%s @ %s`", text_of(c, a, "A"), text_of(c, b, "B"));
  return true;
}

void warn_matrices(ctx *c, const ast_expr *e) {
  const ast_expr *a = e->binary.lhs, *b = e->binary.rhs;
  if (c->library) return;
  if (e->binary.op == OP_ADD || e->binary.op == OP_SUB) {
    warn_row(c, e, a, b);
    warn_row(c, e, b, a);
  } else if (e->binary.op == OP_MUL && !warn_columns(c, e, a, b) && !warn_columns(c, e, b, a)) {
    warn_diagonal(c, e);
  }
}

/* ---- signs */

/* Whether nothing that is declared keeps a latent of reals above 0. */
static bool may_be_negative(const check_site *s) {
  const ty_info *t = s->type, *e = s->event;
  return t && t->kind == TY_REAL && t->support == IR_SUP_REAL && !t->lo && (!e || (e->support == IR_SUP_REAL && !e->lo));
}

static const check_site *site_of(ctx *c, const symbol *s) { return s && s->kind == SYM_LATENT && s->site ? &c->model->sites[s->site - 1] : NULL; }

static bool sums(const ast_expr *e) { return calls(e, BUILTIN_SUM) || calls(e, BUILTIN_MEAN) || calls(e, BUILTIN_DOT); }

/* An unknown of any sign in which e is linear, if the rest does not read it; or NULL. */
static symbol *linear_in(ctx *c, const ast_expr *e, int depth) {
  if (depth == 0) return NULL;
  e = element_of(e);
  symbol *s = NULL;
  switch (e->kind) {
  case EXPR_NAME: return site_of(c, e->name.sym) && may_be_negative(site_of(c, e->name.sym)) ? e->name.sym : NULL;
  case EXPR_INDEX: return linear_in(c, e->index.base, depth - 1);
  case EXPR_UNARY: return e->unary.op == OP_NOT ? NULL : linear_in(c, e->unary.arg, depth - 1);
  case EXPR_COMPREHENSION: return linear_in(c, e->comprehension.body, depth - 1);
  case EXPR_REDUCE: return strcmp(e->reduce.fn.name, "sum") == 0 || strcmp(e->reduce.fn.name, "mean") == 0 ? linear_in(c, e->reduce.body, depth - 1) : NULL;
  case EXPR_CALL:
    for (size_t k = 0; sums(e) && k < e->call.args.n && !s; k++) s = linear_in(c, e->call.args.items[k].value, depth - 1);
    return s;
  case EXPR_BINARY:
    switch (e->binary.op) {
    case OP_ADD: case OP_SUB: case OP_MUL: case OP_MATMUL:
      s = linear_in(c, e->binary.lhs, depth - 1);
      return s ? s : linear_in(c, e->binary.rhs, depth - 1);
    case OP_DIV: return linear_in(c, e->binary.lhs, depth - 1);
    default: return NULL;
    }
  default: return NULL;
  }
}

static bool constant(const ast_expr *bound) {
  double x;
  return !bound || const_of_expr(bound, &x);
}

/* Whether no other unknown bounds this one. */
static bool fixed_bounds(const check_site *s) {
  return s && s->type && constant(s->type->lo) && constant(s->type->hi) && (!s->event || (constant(s->event->lo) && constant(s->event->hi)));
}

typedef struct reading_count {
  ctx *c;
  const symbol *s;
  size_t n, left; /* readings found; nodes that are still looked at */
} reading_count;

/* Counts how often e reads s: twice where that cannot be told, or where what else it reads may be bounded by s. */
static void count_reads(reading_count *k, const ast_expr *e) {
  if (!e || k->n > 1) return;
  if (k->left-- == 0) {
    k->n = 2;
    k->left = 1;
    return;
  }
  e = element_of(e);
  const ast_iter *iter = NULL;
  switch (e->kind) {
  case EXPR_INT: case EXPR_REAL: case EXPR_BOOL: case EXPR_STRING: case EXPR_ALL: return;
  case EXPR_NAME:
    if (e->name.sym == k->s) k->n++;
    else if (!e->name.sym || (e->name.sym->stochastic && !fixed_bounds(site_of(k->c, e->name.sym)))) k->n = 2;
    return;
  case EXPR_UNARY: count_reads(k, e->unary.arg); return;
  case EXPR_BINARY:
    count_reads(k, e->binary.lhs);
    count_reads(k, e->binary.rhs);
    return;
  case EXPR_INDEX:
    for (size_t i = 0; i < e->index.subs.n; i++) count_reads(k, e->index.subs.items[i]);
    count_reads(k, e->index.base);
    return;
  case EXPR_RANGE:
    count_reads(k, e->range.lo);
    count_reads(k, e->range.hi);
    return;
  case EXPR_CALL:
    for (size_t i = 0; i < e->call.args.n; i++) count_reads(k, e->call.args.items[i].value);
    if (e->call.of) k->n = 2;
    return;
  case EXPR_ARRAY:
    for (size_t i = 0; i < e->array.elems.n; i++) count_reads(k, e->array.elems.items[i]);
    return;
  case EXPR_IF:
    count_reads(k, e->if_.cond);
    count_reads(k, e->if_.then);
    count_reads(k, e->if_.else_);
    return;
  case EXPR_REDUCE: iter = &e->reduce.iter; count_reads(k, e->reduce.body); break;
  case EXPR_COMPREHENSION: iter = &e->comprehension.iter; count_reads(k, e->comprehension.body); break;
  default: k->n = 2; return;
  }
  if (iter->cond) k->n = 2;
}

static bool read_once(ctx *c, const ast_expr *e, const symbol *s) {
  reading_count k = {.c = c, .s = s, .left = 2000};
  count_reads(&k, e);
  return k.n == 1;
}

/* Whether each term of a sum is a logarithm or may have any sign by itself: not `17.5 + a`, whose offset may be there to keep it above 0. */
static bool unheld(ctx *c, const ast_expr *e, int depth) {
  e = element_of(e);
  if (depth == 0) return false;
  if (e->kind == EXPR_INDEX) return unheld(c, e->index.base, depth - 1);
  if (e->kind == EXPR_COMPREHENSION) return unheld(c, e->comprehension.body, depth - 1);
  if (e->kind == EXPR_BINARY && (e->binary.op == OP_ADD || e->binary.op == OP_SUB)) return unheld(c, e->binary.lhs, depth - 1) && unheld(c, e->binary.rhs, depth - 1);
  return calls(e, BUILTIN_LOG) || linear_in(c, e, depth);
}

/* The overload of a distribution whose argument is any real number: by its logarithm or its log odds. */
static const char *on_all_reals(const char *name, bool share) {
  if (share) return strcmp(name, "Bernoulli") == 0 ? "Bernoulli(logit = ...)" : strcmp(name, "Binomial") == 0 ? "Binomial(n, logit = ...)" : NULL;
  return strcmp(name, "Poisson") == 0 ? "Poisson(log = ...)" : strcmp(name, "NegBinomial") == 0 ? "NegBinomial(log = ..., phi = ...)" : NULL;
}

/* Whether a term of a sum is a logarithm. */
static bool has_log(const ast_expr *e, int depth) {
  e = element_of(e);
  if (depth == 0 || e->kind == EXPR_INDEX) return depth && has_log(e->index.base, depth - 1);
  if (e->kind == EXPR_BINARY && (e->binary.op == OP_ADD || e->binary.op == OP_SUB)) return has_log(e->binary.lhs, depth - 1) || has_log(e->binary.rhs, depth - 1);
  return calls(e, BUILTIN_LOG);
}

void warn_sign(ctx *c, const ast_expr *dist, const signature *sig, ast_expr *const *args) {
  for (size_t k = 0; c->model && k < sig->n; k++) {
    const ty_info *t = sig->params[k]->type;
    double bound, top;
    if (!t || !t->lo || !const_of_expr(t->lo, &bound) || bound != 0) continue;
    const ast_expr *e = args[k];
    symbol *s = linear_in(c, e, 12);
    if (!s || sym_of(s)->sign_told || !read_once(c, e, s) || !unheld(c, e, 12)) continue;
    sym_of(s)->sign_told = true;
    while (e->kind == EXPR_INDEX) e = e->index.base;
    const bool alone = e->kind == EXPR_NAME && e->name.sym == s, share = t->hi && const_of_expr(t->hi, &top) && top == 1;
    const char *name = dist->call.fn.name, *param = sig->params[k]->name, *what = alone ? arena_printf(c->a, "`%s`", s->name) : "this";
    diag *d = share ? diag_add(c->p->diags, DIAG_WARNING, "W0601", args[k]->at, "`%s` of `%s` lies between 0 and 1, and %s may lie anywhere", param, name, what)
                    : diag_add(c->p->diags, DIAG_WARNING, "W0601", args[k]->at, "`%s` of `%s` cannot be negative, and %s may be", param, name, what);
    cx_point(c, d, c->model->sites[s->site - 1].at, "drawn here");
    const char *other = sym_of(dist->call.fn.sym)->library ? on_all_reals(name, share) : NULL;
    if (!alone && share) cx_help(c, d, other ? "if it is a log odds, write `%s`" : "if it is a log odds, write `inv_logit(...)`", other);
    else if (!alone) cx_help(c, d, other ? "%s `%s`; else give its unknowns types or priors above 0" : "%s `exp(...)`; else give its unknowns types or priors above 0",
                             has_log(args[k], 12) ? "this is a logarithm: write" : "if it is a logarithm, write", other);
    else if (share) cx_help(c, d, "give it a prior on probabilities, such as `%s ~ Beta(1, 1)`%s", s->name,
                            other ? arena_printf(c->a, ", or take it as a log odds: `%s(%slogit = %s)`", name, name[1] == 'i' ? "n, " : "", s->name) : "");
    else cx_help(c, d, "give it a prior on what is above 0, such as `%s ~ HalfNormal(1)`, or a type that is: `%s: real<lower = 0> ~ ...`", s->name, s->name);
  }
}
