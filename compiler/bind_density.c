/* bind_density.c: observations that no value of the unknowns could make possible, told before anything runs.
 *
 * The statements of the model are gone through as they will run, as far as data alone say how: an observed value is held
 * against the support of its distribution, and parameters that are data against their bounds and `valid()`; the times of an `ode` are held
 * against their order.  What depends on an
 * unknown, or on more than bind_eval computes, is left to the run, whose reports then are the only ones.  So is what lies
 * beyond MAX_VISITS statements: large data are not to wait for this.
 *
 * The same walk counts how often an element is observed where the sizes alone could not tell (check_twice.c).  No run would notice, so
 * that goes on to MAX_COUNTED statements. */
#include "compiler/bind_state.h"

#include "compiler/builtin.h"

#include <math.h>
#include <string.h>

enum { MAX_VISITS = 200000, MAX_COUNTED = 20000000, MAX_LITERAL = 64 };

typedef struct walk {
  binder *b;
  size_t visits, limit;
  const ast_target ***by; /* [sites] of counted observations: [cells] what has observed the element; NULL before the first */
  bool found; /* one report is enough */
} walk;

static void walk_block(walk *w, const ast_block *block);

static bool evaluate(walk *w, const ast_expr *e, bind_num *out) {
  span at;
  return !bind_eval(w->b, e, out, &at);
}

static bool push(binder *b, const symbol *s, bind_num x) {
  if (b->nlocals == BIND_MAX_LOCALS) return false;
  b->local[b->nlocals++] = (bind_local){s, x};
  return true;
}

static double number(bind_num x) { return bind_num_real(x); }

/* ---- parameters */

static void report_parameters(walk *w, const ast_expr *dist, const check_dist *d, const ast_expr *rule) {
  binder *b = w->b;
  diag *g = bind_error(b, "E0788", dist->at, "these parameters of `%s` are out of range: it needs `%s`", d->sym->name, ast_expr_text(b->a, rule));
  strbuf text;
  strbuf_init(&text, b->a);
  for (size_t k = 0; k < d->nparams; k++)
    for (size_t i = 0; i < b->nlocals; i++)
      if (b->local[i].sym == d->params[k])
        strbuf_printf(&text, "%s%s = %s", text.n ? ", " : "", d->params[k]->name, bind_num_text(b, b->local[i].value));
  if (text.n) bind_say(b, g, "%s", text.s);
  w->found = true;
}

/* Every part of `a and b` that data decide must hold. */
static void check_valid(walk *w, const ast_expr *dist, const check_dist *d, const ast_expr *e) {
  bind_num x;
  if (e->kind == EXPR_BINARY && e->binary.op == OP_AND) {
    check_valid(w, dist, d, e->binary.lhs);
    if (!w->found) check_valid(w, dist, d, e->binary.rhs);
  } else if (evaluate(w, e, &x) && x.kind == DATA_BOOL && x.i == 0) report_parameters(w, dist, d, e);
}

static void check_parameters(walk *w, const ast_expr *dist, const check_dist *d) {
  const ast_stmt *valid = d->valid;
  if (valid && valid->member.value) check_valid(w, dist, d, valid->member.value);
  binder *b = w->b;
  for (size_t i = b->nlocals; i-- > 0 && !w->found && !valid;) {
    const symbol *s = b->local[i].sym;
    if (s->kind != SYM_PARAM || !s->type || s->type->rank) continue;
    bind_num lo, hi;
    double x = number(b->local[i].value);
    bool low = s->type->lo && evaluate(w, s->type->lo, &lo) && x < number(lo);
    bool high = !low && s->type->hi && evaluate(w, s->type->hi, &hi) && x > number(hi);
    if (!low && !high) continue;
    bind_error(b, "E0788", dist->at, "`%s` of `%s` must be at %s %s, and is %s here", s->name, d->sym->name, low ? "least" : "most",
               bind_num_text(b, low ? lo : hi), bind_num_text(b, b->local[i].value));
    w->found = true;
  }
}

/* A parameter that is an array of the data, element by element. */
static void check_array_parameter(walk *w, const ast_expr *dist, const check_dist *d, const symbol *param, const bound *y) {
  size_t n = y->x->cells;
  if (w->visits > MAX_VISITS || n > MAX_VISITS - w->visits) return;
  w->visits += n;
  for (size_t k = 0; k < n && !w->found; k++) {
    if (y->missing && y->missing->missing[k]) continue;
    size_t mark = w->b->nlocals;
    if (!push(w->b, param, bind_cell(y->x, k))) return;
    check_parameters(w, dist, d);
    w->b->nlocals = mark;
  }
}

/* Probabilities that are written out, or rows of the data: as `simplex(K)`, they are none below 0, and sum to 1. */
static void check_probabilities(walk *w, const check_dist *d, const symbol *param, const ast_expr *e) {
  const bound *y = e->kind == EXPR_NAME && e->name.sym ? bind_of(w->b, e->name.sym) : NULL;
  bool literal = e->kind == EXPR_ARRAY && e->array.elems.n;
  if (!literal && !(y && y->cells && y->x && !y->missing && !y->fill && y->sym->type->rank && y->sym->type->kind == TY_REAL)) return;
  int64_t n = literal ? (int64_t)e->array.elems.n : 0;
  size_t rows = 1;
  if (!literal) {
    if (!size_value(w->b->p->sizes, y->sym->type->dim[y->sym->type->rank - 1], &n) || n < 1) return;
    rows = y->x->cells / (size_t)n;
  }
  if (w->visits > MAX_VISITS || rows * (size_t)n > MAX_VISITS - w->visits) return;
  w->visits += rows * (size_t)n;
  for (size_t r = 0; r < rows && !w->found; r++) {
    double sum = 0;
    bool negative = false;
    for (size_t k = 0; k < (size_t)n; k++) {
      bind_num x = {.kind = DATA_REAL};
      if (literal && !evaluate(w, e->array.elems.items[k], &x)) return;
      double v = literal ? number(x) : y->cells[r * (size_t)n + k].real;
      negative |= !(v >= 0);
      sum += v;
    }
    if (!negative && fabs(sum - 1) <= BIND_SUM_TOLERANCE) continue;
    const char *name = param->name;
    diag *g = bind_error(w->b, "E0788", e->at, negative ? "`%s` of `%s` has an element below 0" : "`%s` of `%s` must sum to 1, and sums to %s here", name,
                         d->sym->name, bind_real_text(w->b, sum));
    if (rows > 1) bind_say(w->b, g, "row %zu", r + 1);
    if (negative) bind_help(w->b, g, "probabilities are at least 0, and sum to 1");
    else bind_help(w->b, g, "weights become probabilities by `%s / sum(%s)`%s", literal ? "x" : y->sym->name, literal ? "x" : y->sym->name,
              strcmp(d->sym->name, "Categorical") == 0 ? "; `Categorical(logit = log(x))` takes them as they are" : "");
    if (y) bind_point_binding(w->b, g, y);
    w->found = true;
  }
}

/* A matrix that is written out, or is one of the data, or a part of an array of them. */
static const double *matrix_of(walk *w, const ast_expr *e, size_t *n, const bound **data) {
  const ast_expr *base = e->kind == EXPR_INDEX ? e->index.base : e;
  const bound *y = *data = base->kind == EXPR_NAME && base->name.sym ? bind_of(w->b, base->name.sym) : NULL;
  if (e->kind == EXPR_ARRAY && e->array.elems.n && e->array.elems.n <= MAX_LITERAL) {
    double *x = ARENA_ARRAY(w->b->a, double, e->array.elems.n * e->array.elems.n);
    *n = e->array.elems.n;
    for (size_t i = 0; i < *n; i++) {
      const ast_expr *row = e->array.elems.items[i];
      if (row->kind != EXPR_ARRAY || row->array.elems.n != *n) return NULL;
      for (size_t j = 0; j < *n; j++) {
        bind_num v;
        if (!evaluate(w, row->array.elems.items[j], &v)) return NULL;
        x[i * *n + j] = number(v);
      }
    }
    return x;
  }
  if (!y || !y->cells || !y->x || y->missing || y->fill || y->sym->type->kind != TY_REAL || y->sym->type->rank < 2) return NULL;
  const size_t rank = y->sym->type->rank, subs = e->kind == EXPR_INDEX ? e->index.subs.n : 0;
  if (rank != subs + 2 || y->x->rank != (int)rank) return NULL;
  size_t at = 0;
  for (size_t k = 0; k < subs; k++) {
    bind_num i;
    const ast_expr *sub = e->index.subs.items[k];
    if (sub->kind == EXPR_RANGE || sub->kind == EXPR_ALL || !evaluate(w, sub, &i) || i.kind == DATA_REAL || i.i < 1 || i.i > y->x->dims[k]) return NULL;
    at = at * (size_t)y->x->dims[k] + (size_t)(i.i - 1);
  }
  *n = (size_t)y->x->dims[rank - 1];
  return &y->cells[at * *n * *n].real;
}

/* A parameter that is a covariance matrix, or the factor of one. */
static void check_matrix(walk *w, const check_dist *d, const symbol *param, const ast_expr *e) {
  binder *b = w->b;
  const bound *y;
  size_t n, cell;
  const double *x = matrix_of(w, e, &n, &y);
  if (!x || w->visits > MAX_VISITS || n * n > MAX_VISITS - w->visits) return;
  w->visits += n * n;
  const ir_support support = (ir_support)param->type->support;
  const char *why = bind_matrix_fault(b, support, x, n, &cell);
  if (!why) return;
  diag *g = bind_error(b, "E0788", e->at, "`%s` of `%s`%s: %s", param->name, d->sym->name, cell < n * n ? arena_printf(b->a, ", element [%zu, %zu]", cell / n + 1, cell % n + 1) : "", why);
  if (y) bind_point_binding(b, g, y);
  if (support == IR_SUP_CHOLESKY_COV && !bind_matrix_fault(b, IR_SUP_COV, x, n, &cell)) bind_help(b, g, "this is a covariance matrix: `cov = ...`");
  w->found = true;
}

/* ---- observed values */

typedef struct range {
  bool lower, upper;
  bind_num lo, hi;
  const char *words; /* NULL: as the bounds are */
} range;

static range support_of(walk *w, const check_dist *d, const check_call *call) {
  binder *b = w->b;
  const ty_info *t = d->on;
  range r = {0};
  int64_t n;
  if (t->rank) return r;
  if (t->kind == TY_BOOL) return (range){true, true, {.kind = DATA_INT, .i = 0}, {.kind = DATA_INT, .i = 1}, "0 and 1"};
  if (t->count != IR_SIZE_NONE) {
    ir_size count = size_substitute(b->p->sizes, t->count, call->nsizes, call->size_from, call->size_to);
    if (size_value(b->p->sizes, count, &n))
      r = (range){true, true, {.kind = DATA_INT, .i = 1}, {.kind = DATA_INT, .i = n}, arena_printf(b->a, "1..%lld", (long long)n)};
    return r;
  }
  if (t->support != IR_SUP_LOWER && t->support != IR_SUP_UPPER && t->support != IR_SUP_INTERVAL && t->support != IR_SUP_INT &&
      t->support != IR_SUP_FINITE)
    return r;
  r.lower = t->lo && evaluate(w, t->lo, &r.lo);
  r.upper = t->hi && evaluate(w, t->hi, &r.hi);
  return r;
}

static const char *range_words(walk *w, const check_dist *d, const range *r) {
  binder *b = w->b;
  if (r->words) return r->words;
  const char *kind = d->on->kind != TY_REAL ? "int, " : "";
  if (r->lower && r->upper) return arena_printf(b->a, "%s%s to %s", kind, bind_num_text(b, r->lo), bind_num_text(b, r->hi));
  return arena_printf(b->a, "%sat %s %s", kind, r->lower ? "least" : "most", bind_num_text(b, r->lower ? r->lo : r->hi));
}

/* The cells that a target names: an interval of each axis, at the position `at` of which a walk through them stands. */
typedef struct region {
  const ast_target *t;
  unsigned rank;
  int64_t dim[IR_MAX_RANK], lo[IR_MAX_RANK], hi[IR_MAX_RANK], at[IR_MAX_RANK];
  size_t cell;
} region;

static void find_cell(region *g) {
  g->cell = 0;
  for (unsigned k = 0; k < g->rank; k++) g->cell = g->cell * (size_t)g->dim[k] + (size_t)(g->at[k] - 1);
}

/* False when there are none, or data do not tell. */
static bool region_of(walk *w, region *g, const ast_target *t, const ty_info *type) {
  *g = (region){.t = t, .rank = type->rank};
  for (unsigned k = 0; k < g->rank; k++) {
    if (!size_value(w->b->p->sizes, type->dim[k], &g->dim[k]) || g->dim[k] <= 0) return false;
    g->lo[k] = 1, g->hi[k] = g->dim[k];
    const ast_expr *sub = k < t->subs.n ? t->subs.items[k] : NULL;
    if (!sub || sub->kind == EXPR_ALL) continue;
    bind_num a, b;
    bool slice = sub->kind == EXPR_RANGE;
    if (!evaluate(w, slice ? sub->range.lo : sub, &a) || !evaluate(w, slice ? sub->range.hi : sub, &b)) return false;
    if (a.kind == DATA_REAL || b.kind == DATA_REAL || a.i < 1 || b.i > g->dim[k] || a.i > b.i) return false;
    g->lo[k] = a.i, g->hi[k] = b.i;
  }
  memcpy(g->at, g->lo, sizeof g->at);
  find_cell(g);
  return true;
}

static bool next_cell(region *g) {
  int k = (int)g->rank - 1;
  while (k >= 0 && g->at[k] == g->hi[k]) g->at[k] = g->lo[k], k--;
  if (k < 0) return false;
  g->at[k]++;
  find_cell(g);
  return true;
}

static const char *cell_name(walk *w, const char *array, const region *g) {
  strbuf name;
  strbuf_init(&name, w->b->a);
  strbuf_puts(&name, array);
  for (unsigned k = 0; k < g->rank; k++) strbuf_printf(&name, "%s%lld%s", k ? ", " : "[", (long long)g->at[k], k + 1 == g->rank ? "]" : "");
  return name.s;
}

/* Distributions of numbers from 0 whose density is 0 at 0, whatever their parameters. */
static bool vanishes_at_0(binder *b, const check_dist *d) {
  static const char *const names[] = {"LogNormal", "InvGamma", "InvChiSquared", "ScaledInvChiSquared", "Frechet"};
  for (size_t k = 0; k < sizeof names / sizeof *names; k++)
    if (strcmp(d->sym->name, names[k]) == 0) return check_library(&b->p->check, d->sym->name) == d->sym;
  return false;
}

/* `Beta` at an end of its support, where the density is 0 or infinite unless that parameter is 1, and the parameters are unknowns. */
static bool at_end_of_beta(walk *w, const check_dist *d, double x) {
  binder *b = w->b;
  if ((x != 0 && x != 1) || strcmp(d->sym->name, "Beta") != 0 || check_library(&b->p->check, "Beta") != d->sym) return false;
  for (size_t i = 0; i < b->nlocals; i++)
    if (b->local[i].sym == d->params[x == 1]) return false;
  return true;
}

static void check_cell(walk *w, const ast_stmt *s, const check_dist *d, const bound *y, const region *g, const range *r) {
  binder *b = w->b;
  if (y->missing && y->missing->missing[g->cell]) return;
  bind_num x = y->sym->type->kind == TY_REAL ? (bind_num){.kind = DATA_REAL, .r = y->cells[g->cell].real}
                                             : (bind_num){.kind = DATA_INT, .i = y->cells[g->cell].integer};
  double v = number(x);
  const bool never = v == 0 && vanishes_at_0(b, d);
  if (at_end_of_beta(w, d, v)) {
    diag *e = bind_error(b, "E0787", s->sample.dist->at, "%s = %s, where the density of `Beta` is 0 or infinite", cell_name(w, y->sym->name, g), bind_num_text(b, x));
    if (!y->written) bind_note(b, e, "%s", bind_where(b, y, y->fill ? 0 : g->cell));
    bind_point_binding(b, e, y);
    bind_help(b, e, "shares of exactly 0 and 1 need a model of their own, or data moved off the ends: `let z = (y * (N - 1) + 0.5) / N`");
    w->found = true;
    return;
  }
  if (!never && !(r->lower && v < number(r->lo)) && !(r->upper && v > number(r->hi))) return;
  diag *e = never ? bind_error(b, "E0787", s->sample.dist->at, "%s = 0, and the density of `%s` is 0 there whatever its parameters", cell_name(w, y->sym->name, g), d->sym->name)
                  : bind_error(b, "E0787", s->sample.dist->at, "%s = %s is outside the support of `%s` (%s)", cell_name(w, y->sym->name, g), bind_num_text(b, x), d->sym->name,
                               range_words(w, d, r));
  if (!y->written) bind_note(b, e, "%s", bind_where(b, y, y->fill ? 0 : g->cell));
  bind_point_binding(b, e, y);
  const bool whole = !never && x.kind != DATA_REAL && r->lower && v < number(r->lo);
  if (whole && v == 0 && number(r->lo) == 1) bind_help(b, e, "counting starts at 1: add 1 to each in the data");
  else if (whole && v < 0) bind_help(b, e, "if it stands for a value that is missing, write `null` in JSON, `NA` or nothing in CSV");
  w->found = true;
}

/* The element of the array argument e that goes with the cell: its axes are the last ones of what is observed.  Names and slices of data. */
static bool argument_at(walk *w, const ast_expr *e, const region *g, bind_num *out) {
  const ast_expr *base = e->kind == EXPR_INDEX ? e->index.base : e;
  const bound *x = base->kind == EXPR_NAME && base->name.sym ? bind_of(w->b, base->name.sym) : NULL;
  if (!x || !x->x || x->fill || x->x->kind == DATA_TEXT || x->x->rank != x->sym->type->rank) return false;
  unsigned axis[IR_MAX_RANK], n = 0; /* of the region that are axes of what is observed */
  for (unsigned k = 0; k < g->rank; k++) {
    const ast_expr *sub = k < g->t->subs.n ? g->t->subs.items[k] : NULL;
    if (!sub || sub->kind == EXPR_ALL || sub->kind == EXPR_RANGE) axis[n++] = k;
  }
  unsigned rank = ty_of(e)->rank, next = n - rank;
  if (rank > n) return false;
  size_t cell = 0;
  for (int k = 0; k < x->x->rank; k++) {
    const ast_expr *sub = e->kind == EXPR_INDEX && (size_t)k < e->index.subs.n ? e->index.subs.items[k] : NULL;
    bind_num i = {.kind = DATA_INT, .i = 1};
    bool run = !sub || sub->kind == EXPR_ALL || sub->kind == EXPR_RANGE;
    if (sub && sub->kind != EXPR_ALL && !evaluate(w, run ? sub->range.lo : sub, &i)) return false;
    if (run && next == n) return false;
    if (run) i.i += g->at[axis[next]] - g->lo[axis[next]], next++;
    if (i.kind == DATA_REAL || i.i < 1 || i.i > x->x->dims[k]) return false;
    cell = cell * (size_t)x->x->dims[k] + (size_t)(i.i - 1);
  }
  if (x->missing && x->missing->missing[cell]) return false;
  *out = bind_cell(x->x, cell);
  return true;
}

/* Each cell against the support, whose bounds may be elements of arrays. */
static void check_observed(walk *w, const ast_stmt *s, const check_dist *d, const check_call *call, const bound *y) {
  binder *b = w->b;
  bool arrays = false;
  for (size_t k = 0; k < call->nargs; k++)
    arrays |= ty_of(call->args[k]) && ty_of(call->args[k])->rank > 0 && d->params[k]->type && d->params[k]->type->rank == 0;
  range r = support_of(w, d, call);
  region g;
  if (!arrays && !r.lower && !r.upper) return;
  if (!region_of(w, &g, &s->sample.target, y->sym->type)) return;
  do {
    size_t mark = b->nlocals;
    for (size_t k = 0; k < call->nargs && arrays; k++) {
      bind_num x;
      if (ty_of(call->args[k]) && ty_of(call->args[k])->rank > 0 && argument_at(w, call->args[k], &g, &x) && !push(b, d->params[k], x)) break;
    }
    if (arrays) r = support_of(w, d, call), w->visits++;
    check_cell(w, s, d, y, &g, &r);
    b->nlocals = mark;
  } while (!w->found && w->visits <= MAX_VISITS && next_cell(&g));
}

/* ---- elements that are observed twice */

static void count(walk *w, const ast_target *t) {
  binder *b = w->b;
  const symbol *sym = t->name.sym;
  size_t k = sym->site ? sym->site - 1 : b->model->nsites;
  region g;
  if (k >= b->model->nsites || !b->model->sites[k].counted || !region_of(w, &g, t, sym->type)) return;
  if (!w->by[k]) {
    size_t cells = 1;
    for (unsigned a = 0; a < g.rank; a++) cells *= (size_t)g.dim[a];
    w->by[k] = ARENA_ARRAY(b->a, const ast_target *, cells);
  }
  do {
    const ast_target *first = w->by[k][g.cell];
    if (first) {
      diag *d = bind_error(b, "E0615", t->at, "`%s` is observed twice", cell_name(w, sym->name, &g));
      if (first != t) bind_point(b, d, first->at, "first here");
      bind_say(b, d, "%s", first == t ? "by two iterations" : "here again");
      bind_help(b, d, first == t ? "each element is observed once: what begins in the middle of an array needs the place where it begins, `%s[start[d] + i]`"
                                 : "each element of `%s` comes from one distribution; `factor` adds further terms", sym->name);
      w->found = true;
      return;
    }
    w->by[k][g.cell] = t;
  } while (next_cell(&g));
}

/* ---- statements */

/* The bounds of an unknown, which data may set the wrong way round, or outside of what its distribution draws. */
static void check_bounds(walk *w, const ast_stmt *s, const check_dist *d, const check_call *call) {
  binder *b = w->b;
  const ast_target *target = &s->sample.target;
  const ty_info *t = target->name.sym ? target->name.sym->type : NULL;
  if (!target->type || !t || t->count != IR_SIZE_NONE || (!t->lo && !t->hi)) return;
  const range own = strcmp(d->sym->name, "Flat") == 0 ? (range){0} : support_of(w, d, call);
  bind_num lo, hi;
  const bool low = t->lo && evaluate(w, t->lo, &lo), high = t->hi && evaluate(w, t->hi, &hi), both = low && high;
  const bool open_low = low && number(lo) == -(double)INFINITY, open_high = high && number(hi) == (double)INFINITY;
  if (t->kind == TY_REAL && (open_low || open_high)) {
    diag *g = bind_error(b, "E0613", target->type->at, "a bound of `%s` is infinite here", target->name.name);
    bind_point(b, g, (open_low ? t->lo : t->hi)->at, "%s", bind_num_text(b, open_low ? lo : hi));
    diag_help(&b->p->diags, g, "an end that is always open has no bound; where data say on which side of 0 it lies, draw what is above 0 and give it its sign: `w[i]: real<lower = 0> ~ ...`, `let u = sign * w`");
    w->found = true;
    return;
  }
  if (!low && own.lower) lo = own.lo;
  if (!high && own.upper) hi = own.hi;
  if (!(low || own.lower) || !(high || own.upper) || (!low && !high)) return;
  if (number(lo) < number(hi) || (t->kind != TY_REAL && number(lo) == number(hi))) return;
  diag *g = both ? bind_error(b, "E0613", target->type->at, "no value lies between the bounds %s and %s", bind_num_text(b, lo), bind_num_text(b, hi))
                 : bind_error(b, "E0605", target->type->at, "`%s` draws nothing within these bounds", d->sym->name);
  for (int side = 0; side < 2; side++)
    if (side == 0 ? low : high) bind_point(b, g, (side == 0 ? t->lo : t->hi)->at, "%s here", bind_num_text(b, side == 0 ? lo : hi));
  w->found = true;
}

static void walk_draw(walk *w, const ast_stmt *s) {
  binder *b = w->b;
  const check_call *call = check_call_of(&b->p->check, s->sample.dist);
  const check_dist *d = call ? check_dist_of(&b->p->check, call->callee) : NULL;
  if (s->sample.target.name.sym) count(w, &s->sample.target);
  if (!d || call->nargs != d->nparams || w->visits++ > MAX_VISITS || w->found) return;
  bind_num value[16];
  bool known[16] = {0};
  size_t mark = b->nlocals;
  for (size_t k = 0; k < call->nargs && k < 16; k++)
    known[k] = ty_of(call->args[k]) && ty_of(call->args[k])->rank == 0 && evaluate(w, call->args[k], &value[k]);
  for (size_t k = 0; k < call->nargs && k < 16; k++)
    if (known[k] && !push(b, d->params[k], value[k])) break;
  check_parameters(w, s->sample.dist, d);
  if (!w->found) check_bounds(w, s, d, call);
  for (size_t k = 0; k < call->nargs && !w->found; k++) {
    const ast_expr *e = call->args[k];
    if (d->params[k]->type && d->params[k]->type->support == IR_SUP_SIMPLEX) check_probabilities(w, d, d->params[k], e);
    if (d->params[k]->type && d->params[k]->type->event_rank == 2 && !w->found) check_matrix(w, d, d->params[k], e);
    const bound *y = e->kind == EXPR_NAME && e->name.sym && d->params[k]->type && d->params[k]->type->rank == 0 ? bind_of(b, e->name.sym) : NULL;
    if (y && y->x && !y->fill && y->sym->type->rank && y->x->kind != DATA_TEXT) check_array_parameter(w, s->sample.dist, d, d->params[k], y);
  }
  const symbol *sym = s->sample.target.name.sym;
  const bound *y = sym ? bind_of(b, sym) : NULL;
  if (y && y->cells && !w->found) check_observed(w, s, d, call, y);
  b->nlocals = mark;
}

/* ---- let u = ode(f, u0, t0, ts, ...) with ts data: from t0 on, none before the one that it follows */

static void check_times(walk *w, const ast_expr *e) {
  const symbol *f = e->kind == EXPR_CALL ? e->call.fn.sym : NULL;
  if (!f || f->kind != SYM_BUILTIN || f->builtin != BUILTIN_ODE) return;
  const check_call *call = check_call_of(&w->b->p->check, e);
  const ast_expr *ts = call->args[3];
  const bound *x = ts->kind == EXPR_NAME && ts->name.sym ? bind_of(w->b, ts->name.sym) : NULL;
  bind_num t0;
  if (!x || !x->x || x->fill) return;
  double last = evaluate(w, call->args[2], &t0) ? number(t0) : -HUGE_VAL;
  for (size_t k = 0; k < x->x->cells; k++) {
    double t = number(bind_cell(x->x, k));
    if (t < last) {
      const char *name = x->sym->name;
      const char *before = k ? arena_printf(w->b->a, "%s[%zu] = %s", name, k, bind_real_text(w->b, last))
                             : arena_printf(w->b->a, "the start, %s", bind_real_text(w->b, last));
      diag *g = bind_error(w->b, "E0787", ts->at, "the times of `ode` are out of order: %s[%zu] = %s comes after %s", name, k + 1, bind_real_text(w->b, t), before);
      bind_help(w->b, g, "sort the rows of the data by time");
      w->found = true;
      return;
    }
    last = t;
  }
}

typedef void body_fn(walk *w, const void *body);

static void walk_loop(walk *w, const ast_iter *it, size_t axis, body_fn *body, const void *user) {
  binder *b = w->b;
  if (axis == it->n) {
    bind_num c;
    if (!it->cond || (evaluate(w, it->cond, &c) && number(c) != 0)) body(w, user);
    return;
  }
  const ast_range *r = &it->items[axis];
  const bound *over = NULL;
  bind_num lo = {.i = 1}, hi = {0}, by = {.kind = DATA_INT, .i = 1};
  if (r->over) {
    over = r->over->kind == EXPR_NAME && r->over->name.sym ? bind_of(b, r->over->name.sym) : NULL;
    if (!over || !over->cells || over->sym->type->rank != 1 || over->fill || over->sym->type->kind == TY_REAL) return;
    hi.i = (int64_t)over->x->cells;
  } else if (!evaluate(w, r->lo, &lo) || !evaluate(w, r->hi, &hi) || lo.kind == DATA_REAL || hi.kind == DATA_REAL ||
             (r->by && (!evaluate(w, r->by, &by) || by.kind == DATA_REAL || by.i == 0)))
    return;
  for (int64_t i = lo.i; (by.i > 0 ? i <= hi.i : i >= hi.i) && !w->found && w->visits <= w->limit;) {
    size_t mark = b->nlocals;
    w->visits++;
    if (!push(b, r->var.sym, (bind_num){.kind = DATA_INT, .i = over ? over->cells[i - 1].integer : i})) return;
    walk_loop(w, it, axis + 1, body, user);
    b->nlocals = mark;
    if (__builtin_add_overflow(i, by.i, &i)) return;
  }
}

static void block_body(walk *w, const void *body) { walk_block(w, body); }
static void draw_body(walk *w, const void *body) { walk_draw(w, body); }

/* A `let` of one number is known to what follows in its block, when data alone say it. */
static void walk_let(walk *w, const ast_stmt *s) {
  const ast_target *t = &s->let.target;
  bind_num x;
  check_times(w, s->let.value);
  if (!t->subs.n && t->name.sym && t->name.sym->type && t->name.sym->type->rank == 0 && t->name.sym->type->kind == TY_INT &&
      evaluate(w, s->let.value, &x) && x.kind == DATA_INT)
    push(w->b, t->name.sym, x);
}

static void walk_block(walk *w, const ast_block *block) {
  size_t mark = w->b->nlocals;
  for (size_t k = 0; block && k < block->n && !w->found && w->visits <= w->limit; k++) {
    const ast_stmt *s = block->items[k];
    bind_num c;
    switch (s->kind) {
    case STMT_SAMPLE: walk_loop(w, &s->sample.iter, 0, draw_body, s); break;
    case STMT_LET: walk_let(w, s); break;
    case STMT_GROUP: walk_block(w, s->group.body); break;
    case STMT_PLATE: walk_loop(w, &s->plate.iter, 0, block_body, s->plate.body); break;
    case STMT_FOR: walk_loop(w, &s->for_.iter, 0, block_body, s->for_.body); break;
    case STMT_IF:
      if (evaluate(w, s->if_.cond, &c)) walk_block(w, number(c) != 0 ? s->if_.then : s->if_.else_);
      break;
    default: break;
    }
  }
  w->b->nlocals = mark;
}

bool bind_possible(binder *b) {
  walk w = {.b = b, .limit = MAX_VISITS, .by = ARENA_ARRAY(b->a, const ast_target **, b->model->nsites + 1)};
  for (size_t k = 0; k < b->model->nsites; k++)
    if (b->model->sites[k].counted) w.limit = MAX_COUNTED;
  walk_block(&w, b->model->decl->body);
  return !w.found;
}
