/* check_site.c: `~`: what stands left of it, and whether it goes with what stands right.
 *
 * A name of the signature, or a `let` over data, is observed; a new name becomes a latent, or inside `predict` a prediction.
 * The right side may be repeated along leading axes of the left, never the other way round. */
#include "compiler/check_state.h"

#include "lang/ast_copy.h"

check_site *site_add(ctx *c, symbol *s, ir_site_role role, const ty_info *type, span at) {
  if (!c->model) return NULL;
  if (s->site == 0) {
    check_site x = {.sym = s, .role = role, .at = at};
    ARENA_PUSH(c->a, c->model->sites, c->model->nsites, c->cap_sites, x);
    s->site = (uint32_t)c->model->nsites;
  }
  check_site *x = &c->model->sites[s->site - 1];
  if (type) x->type = (ty_info *)type;
  return x;
}

void check_subs(ctx *c, const ast_target *t) {
  for (size_t i = 0; i < t->subs.n; i++) {
    ast_expr *e = t->subs.items[i];
    if (e->kind == EXPR_ALL) continue;
    if (e->kind == EXPR_RANGE) check_int(c, e->range.lo, "the start of a slice"), check_int(c, e->range.hi, "the end of a slice");
    else check_int(c, e, "an index");
  }
}

/* A type with further axes in front, and without its first axes. */
static const ty_info *with_axes(ctx *c, const ty_info *element, const ir_size *extent, unsigned n) {
  ty_info *t = ARENA_NEW(c->a, ty_info);
  *t = *element;
  t->rank = (uint8_t)(n + element->rank);
  for (unsigned k = 0; k < element->rank; k++) t->dim[n + k] = element->dim[k];
  for (unsigned k = 0; k < n; k++) t->dim[k] = extent[k];
  return t;
}

const ty_info *ty_without_axes(ctx *c, const ty_info *whole, unsigned n) {
  ty_info *t = ARENA_NEW(c->a, ty_info);
  *t = *whole;
  t->rank = (uint8_t)(whole->rank - n);
  for (unsigned k = 0; k < t->rank; k++) t->dim[k] = whole->dim[n + k];
  return t;
}

unsigned slice_extents(ctx *c, const ast_target *t, ir_size *extent) {
  unsigned n = 0;
  for (size_t i = 0; i < t->subs.n && n < IR_MAX_RANK; i++)
    if (t->subs.items[i]->kind == EXPR_RANGE) extent[n++] = range_extent(c, t->subs.items[i]->range.lo, t->subs.items[i]->range.hi);
  return n;
}

/* A product of a matrix and a vector by `*`, somewhere in the sums and products of e. */
static const ast_expr *product_in(const ast_expr *e, int depth) {
  if (e->kind == EXPR_UNARY && depth < 40) return product_in(e->unary.arg, depth + 1);
  if (e->kind != EXPR_BINARY || depth == 40) return NULL;
  const ast_expr *l = e->binary.lhs, *r = e->binary.rhs;
  if (e->binary.op == OP_MUL && ty_of(l) && ty_of(r) && ty_of(l)->rank == 2 && ty_of(r)->rank == 1) return e;
  const ast_expr *found = product_in(l, depth + 1);
  return found ? found : product_in(r, depth + 1);
}

static const ast_expr *matrix_times_vector(const ast_args *args) {
  const ast_expr *found = NULL;
  for (size_t i = 0; i < args->n && !found; i++) found = product_in(args->items[i].value, 0);
  return found;
}

/* Whether `right` is `left` with one more axis of length 1, as a solution of one equation is. */
static bool one_axis_more(const ctx *c, const ty_info *left, const ty_info *right) {
  int64_t n;
  bool same = right->rank == left->rank + 1 && size_is_const(c->p->sizes, right->dim[left->rank], &n) && n == 1;
  for (unsigned k = 0; k < left->rank && same; k++) same = left->dim[k] == right->dim[k];
  return same;
}

static bool ragged(const symbol *s) { return s && s->param && s->param->rows == ROWS_CELLS; }

/* Whether the shape on the right begins that on the left. */
static bool leading(const ty_info *left, const ty_info *right) {
  if (right->rank == 0 || right->rank >= left->rank) return false;
  for (unsigned k = 0; k < right->rank; k++)
    if (left->dim[k] != right->dim[k]) return false;
  return true;
}

/* The shape on the right must end the shape on the left. */
static bool check_sizes(ctx *c, const ast_stmt *s, const ty_info *left, drawn *d) {
  drawn_settle(c, s->sample.dist, left, d);
  ty_info right = {.kind = d->event.kind, .support = IR_SUP_REAL};
  unsigned n = d->batch.rank + d->event.rank;
  if (n > IR_MAX_RANK) {
    cx_error(c, "E0513", s->sample.dist->at, "an array has at most %d axes", IR_MAX_RANK);
    return false;
  }
  right.rank = (uint8_t)n;
  for (unsigned k = 0; k < d->batch.rank; k++) right.dim[k] = d->batch.dim[k];
  for (unsigned k = 0; k < d->event.rank; k++) right.dim[d->batch.rank + k] = d->event.dim[k];
  bool fits = right.rank <= left->rank;
  for (unsigned k = 0; k < right.rank && fits; k++) fits = left->dim[left->rank - right.rank + k] == right.dim[k];
  if (fits) return true;
  const ast_target *t = &s->sample.target;
  diag *g;
  if (right.rank > left->rank) {
    g = cx_error(c, "E0603", s->sample.dist->at, "the right side of `~` is larger than the left: %s against %s", ty_print(c->p, &right),
                 ty_print(c->p, left));
    cx_point(c, g, t->at, "this is %s", ty_print(c->p, left));
  } else {
    g = cx_error(c, "E0502", s->sample.dist->at, "the sides of `~` do not go together: %s ~ %s", ty_print(c->p, left),
                 ty_print(c->p, &right));
    cx_point(c, g, t->at, "this is %s", ty_print(c->p, left));
  }
  const ast_args *args = &s->sample.dist->call.args;
  for (size_t i = 0; i < args->n; i++)
    if (ty_of(args->items[i].value) && ty_of(args->items[i].value)->rank > 0) point_shape(c, g, args->items[i].value);
  const ast_expr *product = right.rank > left->rank ? matrix_times_vector(args) : NULL;
  if (product) {
    strbuf text;
    strbuf_init(&text, c->a);
    ast_print_expr(&text, product->binary.lhs);
    strbuf_puts(&text, " @ ");
    ast_print_expr(&text, product->binary.rhs);
    if (text.n > 60) strbuf_init(&text, c->a), strbuf_puts(&text, "X @ v");
    cx_help(c, g, "`*` multiplies element by element: did you mean `%s`?", text.s);
  } else if (one_axis_more(c, left, &right)) {
    cx_help(c, g, "a column of a matrix is a vector: `X[:, 1]`");
  } else if (ragged(t->name.sym) && left->rank == 1) {
    cx_help(c, g, "`%s` is all of its rows, one after the other; row by row it is `plate d in 1..D { %s[d] ~ ... }`", t->name.name, t->name.name);
  } else if (leading(left, &right)) {
    cx_help(c, g, "shapes are matched from the last axis backwards; row by row it is `plate i in 1..%s { %s[i] ~ ... }`, with `[i]` on the right too", size_text(c->st, left->dim[0]), t->name.name);
  } else if (c->loops && right.rank > left->rank) cx_help(c, g, "inside a loop, give the arguments their subscripts too");
  return false;
}

/* The left side of an observation: the declared array, less its subscripted axes. */
static bool observed_shape(ctx *c, const ast_target *t, symbol *s, ty_info *out) {
  *out = *s->type;
  if (ty_is_error(s->type)) return false;
  if (t->subs.n > s->type->rank) {
    diag *d = cx_error(c, "E0506", t->at, "%zu subscript%s on `%s`, which is %s", t->subs.n, t->subs.n == 1 ? "" : "s", s->name,
                       ty_print(c->p, s->type));
    cx_point(c, d, s->at, "declared here");
    return false;
  }
  unsigned rank = 0;
  bool ok = true;
  ast_expr base = {.kind = EXPR_NAME, .at = t->name.at};
  base.name = t->name;
  base.name.sym = s;
  base.info = (ty_info *)s->type;
  for (unsigned k = 0; k < s->type->rank; k++) {
    ast_expr *sub = k < t->subs.n ? t->subs.items[k] : NULL;
    if (!sub || sub->kind == EXPR_ALL) {
      out->dim[rank++] = s->type->dim[k];
      continue;
    }
    if (sub->kind == EXPR_RANGE) {
      ok = check_int(c, sub->range.lo, "the start of a slice") && check_int(c, sub->range.hi, "the end of a slice") && ok;
      ir_size n = ok ? range_extent(c, sub->range.lo, sub->range.hi) : IR_SIZE_NONE;
      if (ok && n == IR_SIZE_NONE) cx_error(c, "E0509", sub->at, "the length of a slice must be known before the run");
      ok = ok && n != IR_SIZE_NONE;
      out->dim[rank++] = n;
      continue;
    }
    const ty_info *x = check_expr(c, sub);
    if (ty_is_error(x)) ok = false;
    else if (x->kind != TY_INT || x->rank) {
      diag *d = cx_error(c, "E0505", sub->at, "left of `~` an index must be one integer, not %s", ty_print(c->p, x));
      if (x->rank) cx_help(c, d, "write the loop with a plate");
      ok = false;
    } else check_bounds(c, sub, x, s->type->dim[k], &base, k);
  }
  out->rank = (uint8_t)rank;
  return ok;
}

/* Reports a distribution of arrays over a slice: what it draws is the last axes of the data, whole. */
static bool part_of_draw(ctx *c, const ast_stmt *s, const symbol *sym, const drawn *d) {
  const ast_target *t = &s->sample.target;
  if (!ty_is_error(sym->type) && d->event.rank > 0 && t->subs.n + d->event.rank > sym->type->rank) {
    diag *g = cx_error(c, "E0607", t->at, "`%s` draws an array at once, and this is a part of one of `%s`", d->dist->name, sym->name);
    cx_point(c, g, sym->at, "%s", ty_print(c->p, sym->type));
    if (sym->type->rank == 1) cx_help(c, g, "name the part, and observe that: `let part = %s[...]`, `part ~ %s(...)`", sym->name, d->dist->name);
    else cx_help(c, g, "arrange the data so that each row is one draw, `let rows = %s'`, and observe `rows[k] ~ %s(...)`", sym->name, d->dist->name);
    return true;
  }
  return false;
}

static void check_observed(ctx *c, ast_stmt *s, symbol *sym) {
  ast_target *t = &s->sample.target;
  sym_of(sym)->used = true;
  if (t->type) {
    diag *d = cx_error(c, "E0607", t->type->at, "`%s` has its type from the signature", sym->name);
    cx_point(c, d, sym->at, "declared here");
  }
  drawn d;
  ty_info left;
  if (!sym->type) return;
  while (t->subs.n && t->subs.items[t->subs.n - 1]->kind == EXPR_ALL) t->subs.n--; /* w[k, :] is w[k] */
  if (sym->kind == SYM_LET && sym->stochastic) {
    check_drawn(c, s->sample.dist, &d);
    diag *g = cx_error(c, "E0602", s->sample.tilde, "`%s` depends on a latent, so it cannot be observed", sym->name);
    cx_point(c, g, sym->at, "computed here");
    cx_help(c, g, "`factor logpdf(%s(...), %s)` adds this density; mind the Jacobian if you mean a density of `%s`",
            s->sample.dist->kind == EXPR_CALL ? s->sample.dist->call.fn.name : "D", sym->name, sym->name);
    return;
  }
  bool ok = observed_shape(c, t, sym, &left);
  ok = check_drawn(c, s->sample.dist, &d) && ok;
  if (sym->elementwise) {
    ast_exprs subs = t->subs;
    elements_read(c, sym, t->subs.n ? &subs : NULL, t->at);
  }
  sym->observed = true;
  order_drawn(c, t);
  check_site *site = site_add(c, sym, IR_OBSERVED, sym->type, t->at);
  if (!ty_is_error(sym->type) && t->subs.n <= sym->type->rank) {
    bool open = check_twice(c, t, sym);
    if (site) site->counted |= open;
  }
  if (!ok || part_of_draw(c, s, sym, &d)) return;
  if (site && !d.parts->sample) {
    site->undrawn = d.dist;
    site->undrawn_at = s->sample.dist->at;
  }
  if (site && sym->type->kind == TY_INT && d.event.kind == TY_REAL && !d.flat) site->as_real = true;
  if (site) {
    site->on_varies |= site->on && site->on != d.parts->on;
    if (!site->on || d.parts->on->rank >= site->on->rank) site->on = d.parts->on;
    for (size_t k = 0; k < t->subs.n; k++) site->sliced |= t->subs.items[k]->kind == EXPR_RANGE || t->subs.items[k]->kind == EXPR_ALL;
  }
  check_sizes(c, s, &left, &d);
  check_support(c, t->at, &left, sym->param ? sym->param->type : NULL, &d, s->sample.dist, true);
}

/* The bound of what has one bound here and another there: the wider, where that can be told. */
static ast_expr *wider(ast_expr *a, ast_expr *b, bool lower) {
  double x, y;
  if (!a || !b) return NULL;
  if (!const_of_expr(a, &x) || !const_of_expr(b, &y)) return a->kind == EXPR_NAME && b->kind == EXPR_NAME && a->name.name == b->name.name ? a : NULL;
  return (lower ? x <= y : x >= y) ? a : b;
}

/* Notes the support of the distribution for a site, which is that of all its statements together. */
static void note_event(ctx *c, check_site *site, const drawn *d, bool ok) {
  if (!site || !ok || d->flat) return;
  ty_info *event = ARENA_NEW(c->a, ty_info);
  *event = d->event;
  event->lo = drawn_bound(c, d, d->event.lo);
  event->hi = drawn_bound(c, d, d->event.hi);
  if (site->event) {
    event->support = site->event->support;
    event->lo = wider(site->event->lo, event->lo, true);
    event->hi = wider(site->event->hi, event->hi, false);
  }
  site->event = event;
}

/* The type of what a new name holds at one position.  A slice, of so many elements along n axes, has their axes in front of that. */
static const ty_info *drawn_type(ctx *c, ast_stmt *s, drawn *d, bool ok, const ir_size *extent, unsigned n) {
  ast_target *t = &s->sample.target;
  if (t->type) {
    const ty_info *declared = check_type(c, t->type);
    bool fits = ty_is_error(declared) || declared->rank >= n + declared->event_rank;
    for (unsigned k = 0; k < n && fits && !ty_is_error(declared); k++) fits = declared->dim[k] == extent[k];
    if (!fits) {
      diag *g = cx_error(c, "E0517", t->type->at, "the slice `%s[...]` is declared %s", t->name.name, ty_print(c->p, declared));
      cx_say(c, g, "it has %s element%s%s", size_text(c->st, extent[0]), extent[0] == size_const(c->p->sizes, 1) ? "" : "s", n > 1 ? " along its first axis" : "");
      return ty_scalar(c->st, TY_ERROR);
    }
    if (ty_is_error(declared)) return declared;
    const ty_info *element = n ? ty_without_axes(c, declared, n) : declared;
    if (!ok || !check_sizes(c, s, declared, d)) return element;
    if (!check_support(c, t->at, declared, t->type, d, s->sample.dist, false)) return element;
    if (d->event.rank <= element->event_rank) return element;
    ty_info *out = ARENA_NEW(c->a, ty_info);
    *out = *element;
    out->event_rank = d->event.rank;
    return out;
  }
  if (!ok) return ty_scalar(c->st, TY_ERROR);
  if (!size_solution_whole(&d->sizes)) {
    diag *g = cx_error(c, "E0604", t->at, "`%s` needs a declared size, which `%s` draws any of", t->name.name, d->dist->name);
    const char *support = support_text(&d->event);
    cx_help(c, g, "write `%s: %s ~ ...`", t->name.name, support ? arena_printf(c->a, "%s(K)", support) : "real[K]");
    return ty_scalar(c->st, TY_ERROR);
  }
  if (d->batch.rank > n) {
    diag *g = cx_error(c, "E0604", t->at, "`%s` needs a declared shape, since its distribution has arrays as arguments", t->name.name);
    const ast_args *args = &s->sample.dist->call.args;
    for (size_t i = 0; i < args->n; i++) {
      const ast_expr *a = args->items[i].value;
      if (ty_of(a)->rank > 0) cx_point(c, g, a->at, "%s", ty_print(c->p, ty_of(a)));
    }
    ty_info want = {.kind = d->event.kind, .support = IR_SUP_REAL, .rank = d->batch.rank};
    for (unsigned k = 0; k < d->batch.rank; k++) want.dim[k] = d->batch.dim[k];
    const char *near = nearest_value(c, t->name.name);
    const symbol *data = near ? ptr_map_get(&c->names, near) : NULL;
    if (data && data->kind == SYM_DATA) cx_help(c, g, "did you mean `%s`?  An unknown is declared: `%s: %s ~ ...`", near, t->name.name, ty_print(c->p, &want));
    else if (t->subs.n == 0 && d->event.rank == 0) cx_help(c, g, "write `%s: %s ~ ...`", t->name.name, ty_print(c->p, &want));
    else if (t->subs.n) cx_help(c, g, "give the arguments their subscripts too");
    return ty_scalar(c->st, TY_ERROR);
  }
  ty_info *out = ARENA_NEW(c->a, ty_info);
  *out = *ty_scalar(c->st, d->event.kind);
  out->rank = d->event.rank;
  for (unsigned k = 0; k < d->event.rank; k++) out->dim[k] = d->event.dim[k];
  out->event_rank = d->event.rank;
  if (d->event.kind == TY_INT && d->event.count != IR_SIZE_NONE) out->count = d->event.count;
  if (n && !check_sizes(c, s, with_axes(c, out, extent, n), d)) return ty_scalar(c->st, TY_ERROR);
  return out;
}

void report_undrawn(ctx *c, span at, const symbol *dist, const char *name) {
  diag *d = cx_error(c, "E0608", at, "`%s` cannot be predicted: `%s` has no `sample`", name, dist->name);
  if (!sym_of((symbol *)dist)->library) cx_help(c, d, "add `sample() { ... }` to `dist %s`", dist->name);
  else if (is_over(dist)) cx_help(c, d, "predict it from the distribution that was given to `%s`", dist->name);
}

/* A prediction has to be drawn. */
static bool drawable(ctx *c, const ast_stmt *s, const drawn *d, bool ok) {
  if (!ok || !c->in_predict || d->parts->sample) return ok;
  report_undrawn(c, s->sample.dist->at, d->dist, s->sample.target.name.name);
  return false;
}

/* The kind of number that a distribution of numbers draws. */
static const ty_info *number_drawn(ctx *c, const ast_expr *dist) {
  if (dist && dist->kind == EXPR_ARRAY && dist->array.elems.n) return number_drawn(c, dist->array.elems.items[0]);
  symbol *s = dist && dist->kind == EXPR_CALL && !dist->call.of ? callee_find(c, &dist->call.fn) : NULL;
  if (!s || s->kind != SYM_DIST) return NULL;
  if (is_scheme(s)) {
    const ty_info *found = NULL;
    for (size_t k = 0; k < dist->call.args.n && !found; k++) found = number_drawn(c, dist->call.args.items[k].value);
    return found;
  }
  const check_dist *d = dist_parts(c->st, s);
  return d && ty_is_value(d->on) && d->on->rank == 0 ? ty_scalar(c->st, (ty_kind)d->on->kind) : NULL;
}

void site_assume(ctx *c, symbol *s, span at) {
  elements *e = sym_of(s)->elems;
  if (!c->left || c->left->name.sym != s || !e) return;
  const ty_info *t = c->left->type ? check_type(c, c->left->type) : number_drawn(c, c->right);
  if (t) {
    elements_assume(c, e, t);
    return;
  }
  diag *d = cx_error(c, "E0604", at, "`%s` is read before it has a type", s->name);
  cx_point(c, d, c->left->at, "this statement would tell it");
  cx_help(c, d, "declare its elements here, as in `%s[t]: real[K] ~ ...`", s->name);
}

/* The symbol of an array that is drawn by elements, from its first statement on. */
static symbol *elements_drawn(ctx *c, elements *e, const ast_target *t, ir_site_role role, sym_kind kind, symbol *continues) {
  symbol *sym = sym_new(c->st, kind, t->name.name, t->name.at);
  sym->stochastic = true;
  sym_of(sym)->continues = continues;
  if (continues) continues->read = true;
  elements_start(c, e, sym);
  site_add(c, sym, role, NULL, t->at);
  value_hide(c, sym);
  /* A forecast may read the array that it continues from the first statement on. */
  if (continues && continues->type) elements_typed(c, e, ty_without_axes(c, continues->type, (unsigned)t->subs.n), continues->at);
  return sym;
}

/* How an array is read: by elements whose places are sums of names and numbers, as y[t - 1] is; or as the data that they are. */
typedef struct lags {
  const char *array;
  bool steps, other;
} lags;

static bool is_step(const ast_expr *e) {
  if (e->kind == EXPR_BINARY) return (e->binary.op == OP_ADD || e->binary.op == OP_SUB) && is_step(e->binary.lhs) && is_step(e->binary.rhs);
  return e->kind == EXPR_NAME || e->kind == EXPR_INT;
}

static ast_expr *note_lag(ast_copier *k, const ast_expr *e) {
  lags *l = k->user;
  if (e->kind == EXPR_NAME && e->name.name == l->array) l->other = true;
  if (e->kind != EXPR_INDEX || e->index.base->kind != EXPR_NAME || e->index.base->name.name != l->array) return NULL;
  l->steps = true;
  for (size_t i = 0; i < e->index.subs.n; i++) l->other |= !is_step(e->index.subs.items[i]);
  return (ast_expr *)e;
}

/* Whether what stands in front of statement n of a block reads the array that it continues step by step. */
static bool read_by_steps(ctx *c, const ast_block *body, size_t n) {
  lags l = {.array = body->items[n]->sample.target.name.name};
  ast_copier k = {.mem = c->a, .user = &l, .expr = note_lag};
  for (size_t i = 0; i < n; i++) (void)ast_copy_stmt(&k, body->items[i]);
  return l.steps && !l.other;
}

void forecasts_begin(ctx *c, const ast_block *body) {
  for (size_t i = 0; i < body->n; i++) {
    const ast_stmt *s = body->items[i];
    const ast_target *t = &s->sample.target;
    if (s->kind != STMT_SAMPLE || s->sample.iter.n || !t->subs.n) continue;
    symbol *sym = ptr_map_get(&c->names, t->name.name);
    if (!sym || (sym->kind != SYM_DATA && sym->kind != SYM_LATENT) || !sym->type || ty_is_error(sym->type)) continue;
    if (!read_by_steps(c, body, i)) continue;
    elements *e = elements_of(c, t, true, sym);
    if (e && !elements_symbol(e)) elements_drawn(c, e, t, IR_PREDICTED, SYM_PREDICT, sym);
  }
}

static void check_new(ctx *c, ast_stmt *s, symbol *continues) {
  ast_target *t = &s->sample.target;
  ir_site_role role = c->in_predict ? IR_PREDICTED : IR_LATENT;
  sym_kind kind = c->in_predict ? SYM_PREDICT : SYM_LATENT;
  drawn d;
  if (t->subs.n == 0) {
    bool ok = drawable(c, s, &d, check_drawn(c, s->sample.dist, &d));
    symbol *sym = sym_new(c->st, kind, t->name.name, t->name.at);
    t->name.sym = sym;
    sym->stochastic = true;
    sym->type = drawn_type(c, s, &d, ok, NULL, 0);
    if (c->loops) {
      diag *g = cx_error(c, "E0616", t->at, "every iteration over `%s` would draw `%s` again", c->loops->range->var.name, sym->name);
      cx_point(c, g, c->loops->range->at, "the loop over `%s`", c->loops->range->var.name);
      cx_help(c, g, "`%s[%s]` gives every iteration its own; one for all is drawn before the loop", sym->name, c->loops->range->var.name);
      sym->type = ty_scalar(c->st, TY_ERROR);
    } else if (c->conds && role == IR_LATENT) {
      diag *g = cx_error(c, "E0531", t->at, "`%s` is drawn under a condition only", sym->name);
      cx_help(c, g, "draw it always, and choose where it is used; branches that draw the same and do nothing else are one draw: `if c { x ~ D } else { x ~ E }`");
      sym->type = ty_scalar(c->st, TY_ERROR);
    }
    if (!c->loops) note_event(c, site_add(c, sym, role, sym->type, t->at), &d, ok);
    value_add(c, sym);
    return;
  }
  check_subs(c, t);
  elements *e = elements_of(c, t, true, continues);
  ir_size extent[IR_MAX_RANK];
  const unsigned slices = slice_extents(c, t, extent);
  symbol *sym = e ? elements_symbol(e) : NULL;
  if (!e) {
    /* Reported: know the name, so that nothing else is. */
    if (!ptr_map_get(&c->names, t->name.name) || continues) {
      sym = sym_new(c->st, kind, t->name.name, t->name.at);
      sym->type = ty_scalar(c->st, TY_ERROR);
      sym->stochastic = true;
      sym->elementwise = true;
      sym_of(sym)->home = c->in_predict ? c->predict_depth : 0;
      t->name.sym = sym;
      value_hide(c, sym);
    }
    bool ok = check_drawn(c, s->sample.dist, &d);
    if (!slices) drawn_type(c, s, &d, ok, NULL, 0);
    return;
  }
  if (!sym) sym = elements_drawn(c, e, t, role, kind, continues);
  t->name.sym = sym;
  bool ok = drawable(c, s, &d, check_drawn(c, s->sample.dist, &d));
  elements_assumed(e);
  const ty_info *element = elements_element(e), *mine;
  if (element && !t->type && ok && !ty_is_error(element)) {
    /* The first element's type is everybody's. */
    const ty_info *left = slices ? with_axes(c, element, extent, slices) : element;
    if (check_sizes(c, s, left, &d)) check_support(c, t->at, left, NULL, &d, s->sample.dist, false);
  } else {
    mine = drawn_type(c, s, &d, ok, extent, slices);
    elements_typed(c, e, mine, t->at);
  }
  if (sym->type) note_event(c, site_add(c, sym, role, sym->type, t->at), &d, ok);
  if (c->conds && !s->sample.iter.cond && !ty_is_error(sym->type)) {
    diag *g = cx_error(c, "E0531", t->at, "this element of `%s` is drawn under a condition", sym->name);
    cx_help(c, g, "branches that draw the same and do nothing else are one draw: `if c { x[i] ~ D } else { x[i] ~ E }`; else draw it always, and choose its distribution, `switch(if c { 1 } else { 2 }, [D, E])`, or the values of its parameters");
    sym->type = ty_scalar(c->st, TY_ERROR);
  }
  elements_visited(e, t);
}

static void check_sample_member(ctx *c, ast_stmt *s) {
  ast_target *t = &s->sample.target;
  drawn d;
  if (t->subs.n) {
    diag *g = cx_error(c, "E0607", t->at, "in `sample` a draw has no subscripts");
    cx_help(c, g, "`[draw_normal() for i in 1..N]` draws an array");
    check_subs(c, t);
  }
  bool ok = check_drawn(c, s->sample.dist, &d);
  symbol *sym = sym_new(c->st, SYM_LET, t->name.name, t->name.at);
  sym->stochastic = true;
  sym->type = drawn_type(c, s, &d, ok, NULL, 0);
  if (t->subs.n) sym->type = ty_scalar(c->st, TY_ERROR);
  t->name.sym = sym;
  value_add(c, sym);
}

void check_sample(ctx *c, ast_stmt *s) {
  ast_target *t = &s->sample.target;
  c->left = t;
  c->right = s->sample.dist;
  size_t mark = scope_enter(c), n = s->sample.iter.n ? iter_enter(c, &s->sample.iter, LOOP_PLATE) : 0;
  bool plain = n == 0;
  if (plain) {
    /* No scope of its own: the name outlives the statement. */
    scope_leave(c, mark);
  }
  c->conds += s->sample.iter.cond != NULL;
  symbol *sym = ptr_map_get(&c->names, t->name.name);
  drawn d;
  if (name_missing(&t->name)) check_drawn(c, s->sample.dist, &d);
  else if (c->in_sample) check_sample_member(c, s);
  else if (!c->model) {
    /* The parser has said that a function cannot draw. */
    check_drawn(c, s->sample.dist, &d);
    symbol *x = sym_new(c->st, SYM_LET, t->name.name, t->name.at);
    x->type = ty_scalar(c->st, TY_ERROR);
    if (!sym) value_hide(c, x);
  } else if (!sym) check_new(c, s, NULL);
  else {
    bool same = sym->elementwise && sym_of(sym)->elems && ptr_map_get(&c->arrays, t) == (void *)sym_of(sym)->elems;
    bool broken = sym->type && ty_is_error(sym->type);
    switch ((sym_kind)sym->kind) {
    case SYM_DATA: case SYM_LET: case SYM_LATENT: case SYM_PREDICT:
      if (same && sym->kind != SYM_LET) {
        check_new(c, s, sym_of(sym)->continues);
        break;
      }
      if (c->in_predict && sym->kind != SYM_PREDICT && t->subs.n) {
        check_new(c, s, sym);
        break;
      }
      if (c->in_predict || sym->kind == SYM_LATENT || sym->kind == SYM_PREDICT) {
        check_subs(c, t);
        check_drawn(c, s->sample.dist, &d);
        if (broken) break;
        diag *g = cx_error(c, "E0615", t->at, "`%s` is %s", sym->name,
                           c->in_predict && sym->kind != SYM_PREDICT ? "already part of the model" : "drawn twice");
        cx_point(c, g, sym->at, "first here");
        if (c->in_predict && (sym->observed || sym->kind == SYM_DATA)) cx_help(c, g, "`predict %s` replicates an observed quantity", sym->name);
        else if (c->in_predict) cx_help(c, g, "give the prediction a name of its own");
        else cx_help(c, g, "a quantity comes from one distribution; `factor` adds further terms");
        break;
      }
      t->name.sym = sym;
      if (sym->kind == SYM_LET && sym->elementwise && t->subs.n && !broken && elements_beyond(c, t, sym)) {
        diag *g = cx_error(c, "E0615", t->at, "elements of `%s` are set by `let` and drawn", sym->name);
        cx_point(c, g, sym->at, "set here");
        cx_help(c, g, "draw those under another name, and put both together: `rest: real[N - 1] ~ D`, `let %s = [if i == 1 { a } else { rest[i - 1] } for i in 1..N]`", sym->name);
        sym->type = ty_scalar(c->st, TY_ERROR);
        check_drawn(c, s->sample.dist, &d);
        break;
      }
      check_observed(c, s, sym);
      break;
    default: {
      check_subs(c, t);
      check_drawn(c, s->sample.dist, &d);
      diag *g = cx_error(c, "E0607", t->at, "`%s` is %s and cannot be drawn", sym->name, sym_noun(sym));
      cx_point(c, g, sym->at, "declared here");
      if (sym->kind == SYM_SIZE) cx_help(c, g, "sizes are read from the extents of the data");
    }
    }
  }
  c->left = NULL;
  c->conds -= s->sample.iter.cond != NULL;
  if (!plain) {
    iter_leave(c, n);
    scope_leave(c, mark);
  }
}
