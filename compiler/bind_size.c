/* bind_size.c: the numbers of sizes, and extents against them.
 *
 * Numbers that stand in the data come first.  Then, as long as one more size can be told: defaults of ints, extents with one
 * unknown size (size_solve), and, when neither tells another, the levels or the largest value of an index(K).  At the end every
 * extent is compared, so that the order in which sizes were found decides only which of two arrays a message calls wrong. */
#include "compiler/bind_state.h"

static const char *size_text(binder *b, ir_size s) {
  strbuf text;
  strbuf_init(&text, b->a);
  size_print(b->p->sizes, s, &text);
  return text.s;
}

static bool depends_on(binder *b, ir_size s, ir_size symbol) {
  size_table *t = b->p->sizes;
  ir_size zero = size_const(t, 0), one = size_const(t, 1);
  return size_substitute(t, s, 1, &symbol, &zero) != s || size_substitute(t, s, 1, &symbol, &one) != s;
}

static void set_size(binder *b, ir_size s, int64_t n, span at, const char *text) {
  size_bind(b->p->sizes, s, n);
  size_origin o = {.size = s, .at = at, .text = text};
  ARENA_PUSH(b->a, b->origin, b->norigins, b->cap_origins, o);
}

void bind_point_origins(binder *b, diag *d, ir_size s, span but) {
  for (size_t k = 0; k < b->norigins; k++) {
    const size_origin *o = &b->origin[k];
    int64_t n;
    if (!depends_on(b, s, o->size) || !size_value(b->p->sizes, o->size, &n)) continue;
    if (o->at.file == but.file && o->at.off == but.off) bind_note(b, d, "%s = %lld: %s", size_text(b, o->size), (long long)n, o->text);
    else bind_point(b, d, o->at, "%s = %lld: %s", size_text(b, o->size), (long long)n, o->text);
  }
}

static const char *axis_text(binder *b, const bound *y, int axis) {
  if (y->rank <= 1) return "";
  return arena_printf(b->a, " along axis %d", axis + 1);
}

static const char *plural(int64_t n) { return n == 1 ? "" : "s"; }

bool bind_shape(binder *b, bound *y) {
  const symbol *s = y->sym;
  const data_array *x = y->x;
  y->rank = s->type->rank;
  for (int k = 0; k < y->rank; k++) y->dim[k] = -1;
  if (x->rank == 0 && y->rank > 0 && s->param && s->param->default_ && s->type->event_rank == 0) {
    y->fill = true;
    return true;
  }
  if (y->rank == 0 && x->rank == 1 && x->cells == 1 && x->origin.source == DATA_FROM_CSV) return true;
  /* A list of no lists does not show how long these would be. */
  if (!x->rows && (x->rank == y->rank || (x->rank > 0 && x->rank < y->rank && x->cells == 0))) {
    for (int k = 0; k < x->rank; k++) y->dim[k] = x->dims[k];
    return true;
  }
  diag *d = bind_error(b, "E0773", bind_type_span(s), "%s: %s was found, and `%s` is %s", bind_where(b, y, (size_t)-1),
                       bind_shape_text(b, x), s->name, ty_print(&b->p->check, s->type));
  bind_say(b, d, "declared here");
  bind_point_binding(b, d, y);
  if (x->rows && y->rank == 2) bind_help(b, d, "make all rows equally long (null stands for a missing value), or declare it ragged: `%s: T[d in 1..D, len[d]]`", s->name);
  else if (x->rank == 0 && y->rank == 1) bind_help(b, d, "write an array of one as `[x]`");
  else if (y->rank == 0 && x->cells == 1) bind_help(b, d, "write `x` for one value and `[x]` for an array of one");
  else if (y->rank == 0) bind_help(b, d, "declare it as an array: `%s: %s[N]`", s->name, ty_print(&b->p->check, s->type));
  else if (y->rank == 2 && x->rank == 1) bind_help(b, d, "`on ..., %s = columns(a, b)` makes a matrix of columns", s->name);
  return false;
}

/* --- numbers that were given */

static bool given_numbers(binder *b) {
  bool ok = true;
  for (size_t k = 0; k < b->n; k++) {
    bound *y = &b->of[k];
    int64_t n;
    if (!y->x || y->sym->size == IR_SIZE_NONE || y->rank > 0) continue;
    if (!bind_int(b, y, &n)) ok = false;
    else {
      span at = y->at.file ? y->at : y->sym->at;
      set_size(b, y->sym->size, n, at, y->written ? "set here" : arena_printf(b->a, "given by %s", bind_where(b, y, (size_t)-1)));
    }
  }
  return ok;
}

/* --- numbers that can be told */

static bool number_defaults(binder *b, bool *progress) {
  int64_t n;
  for (size_t k = 0; k < b->model->ndata; k++) {
    const bound *y = &b->of[k];
    const symbol *s = y->sym;
    if (y->x || s->size == IR_SIZE_NONE || !s->param->default_ || size_value(b->p->sizes, s->size, &n)) continue;
    bind_num v;
    span at;
    const char *why = bind_eval(b, s->param->default_, &v, &at);
    if (why == BIND_LATER) continue;
    if (!why && v.kind == DATA_REAL) why = "the default of an int is an integer";
    if (why) {
      bind_error(b, "E0780", at, "the default of `%s` cannot be computed: %s", s->name, why);
      return false;
    }
    set_size(b, s->size, v.i, s->param->default_->at, "the default, since the data do not give it");
    *progress = true;
  }
  return true;
}

static bool number_extents(binder *b, bool *progress) {
  size_table *t = b->p->sizes;
  for (size_t k = 0; k < b->n; k++) {
    const bound *y = &b->of[k];
    for (int axis = 0; y->x && axis < y->rank; axis++) {
      ir_size dim = y->sym->type->dim[axis], symbol;
      int64_t n;
      if (y->dim[axis] < 0 || size_value(t, dim, &n) || !size_solve(t, dim, y->dim[axis], &symbol, &n)) continue;
      const char *text = arena_printf(b->a, "`%s` has %lld element%s%s (%s)", y->sym->name, (long long)y->dim[axis], plural(y->dim[axis]),
                                      axis_text(b, y, axis), bind_where(b, y, (size_t)-1));
      set_size(b, symbol, n, bind_type_span(y->sym), text);
      *progress = true;
      if (n >= 0) continue;
      diag *d = bind_error(b, "E0775", bind_type_span(y->sym), "`%s` would be %lld", size_text(b, symbol), (long long)n);
      bind_say(b, d, "%s is %lld in %s", size_text(b, dim), (long long)y->dim[axis], bind_where(b, y, (size_t)-1));
      return false;
    }
  }
  return true;
}

static bool is_index(const bound *y) {
  return y->x && y->sym->type && y->sym->type->support == IR_SUP_FINITE && y->sym->type->count != IR_SIZE_NONE;
}

/* How many of 1..top stand in the arrays that index(count) describes. */
static int64_t count_values(binder *b, ir_size count, int64_t top) {
  enum { MOST = 1 << 24 };
  if (top < 1 || top > MOST) return top;
  uint8_t *seen = ARENA_ARRAY(b->a, uint8_t, (size_t)top);
  int64_t n = 0;
  for (size_t i = 0; i < b->model->ndata; i++) {
    const bound *z = &b->of[i];
    if (!is_index(z) || z->sym->type->count != count || z->x->kind != DATA_INT) continue;
    for (size_t c = 0; c < z->x->cells; c++) {
      int64_t v = z->x->i64[c];
      if (v < 1 || v > top || seen[v - 1]) continue;
      seen[v - 1] = 1;
      n++;
    }
  }
  return n;
}

/* The size that only index(K) mentions. */
static bool number_indices(binder *b, bool *progress) {
  for (size_t k = 0; k < b->model->ndata && !*progress; k++) {
    const bound *y = &b->of[k], *most = y;
    ir_size count = y->sym->type->count, symbol;
    int64_t n, top = 0;
    if (!is_index(y) || size_value(b->p->sizes, count, &n)) continue;
    bool text = false;
    for (size_t i = k; i < b->model->ndata; i++) {
      const bound *z = &b->of[i];
      if (!is_index(z) || z->sym->type->count != count) continue;
      if (z->x->kind == DATA_TEXT) {
        text = true;
        most = z;
        top = (int64_t)z->x->n_levels;
        break;
      }
      for (size_t c = 0; c < z->x->cells; c++) {
        bind_num v = bind_cell(z->x, c);
        if (v.kind != DATA_INT || v.i <= top) continue;
        top = v.i;
        most = z;
      }
    }
    if (!size_solve(b->p->sizes, count, top, &symbol, &n)) continue;
    const char *where = bind_where(b, most, (size_t)-1);
    set_size(b, symbol, n, bind_type_span(most->sym),
             text ? arena_printf(b->a, "levels of `%s` (%s)", most->sym->name, where)
                  : arena_printf(b->a, "the largest value of `%s` (%s)", most->sym->name, where));
    *progress = true;
    if (text) continue;
    size_guess g = {.size = symbol, .n = n, .occur = count_values(b, count, top), .at = bind_type_span(most->sym), .where = where};
    ARENA_PUSH(b->a, b->guess, b->nguesses, b->cap_guesses, g);
  }
  return true;
}

void bind_say_guesses(binder *b) {
  for (size_t k = 0; k < b->nguesses; k++) {
    const size_guess *g = &b->guess[k];
    diag *d = diag_add(&b->p->diags, DIAG_NOTE, "N0785", g->at, "%s = %lld, the largest value in %s", size_text(b, g->size), (long long)g->n,
                       g->where);
    if (g->occur < g->n) bind_say(b, d, "%lld of 1..%lld occur", (long long)g->occur, (long long)g->n);
    if (g->occur < g->n / 2)
      bind_help(b, d, "if these are labels rather than counts from 1, number them; unknowns of groups without data only follow their prior");
    else bind_help(b, d, "if there are more, say how many: `on ..., %s = ...`", size_text(b, g->size));
  }
}

void bind_say_empty(binder *b) {
  const check_site *first = NULL;
  for (size_t k = 0; k < b->model->nsites; k++) {
    const check_site *s = &b->model->sites[k];
    if (s->role != IR_OBSERVED || !s->type) continue;
    bool empty = false;
    int64_t n;
    for (int axis = 0; axis < s->type->rank; axis++) empty |= size_value(b->p->sizes, s->type->dim[axis], &n) && n == 0;
    if (!empty) return;
    if (!first) first = s;
  }
  if (!first) return;
  diag *d = diag_add(&b->p->diags, DIAG_WARNING, "W0801", bind_type_span(first->sym), "nothing is observed, since `%s` has no elements: model `%s` draws from its prior",
                     first->sym->name, b->model->sym->name);
  bind_help(b, d, "is this the file that was meant?");
}

/* --- what could not be told */

static bool report_unknown(binder *b, const bound *y) {
  const symbol *s = y->sym;
  if (s->kind == SYM_DATA && s->param->default_) {
    bind_error(b, "E0780", s->param->default_->at, "the default of `%s` cannot be computed: these defaults depend on each other", s->name);
    return false;
  }
  if (s->kind == SYM_DATA) return bind_absent(b, y);
  diag *d = bind_error(b, "E0776", s->at, "the data do not tell `%s`", s->name);
  for (size_t k = 0; k < b->model->ndata; k++) {
    const bound *x = &b->of[k];
    for (int axis = 0; x->x && axis < x->rank; axis++) {
      ir_size dim = x->sym->type->dim[axis];
      int64_t n;
      if (x->dim[axis] < 0 || size_value(b->p->sizes, dim, &n) || !depends_on(b, dim, s->size)) continue;
      bind_note(b, d, "`%s` has %lld element%s%s, declared as %s", x->sym->name, (long long)x->dim[axis], plural(x->dim[axis]),
                axis_text(b, x, axis), size_text(b, dim));
    }
  }
  bind_help(b, d, "give its number: `on ..., %s = ...`", s->name);
  return false;
}

static bool all_known(binder *b, ir_size s) {
  int64_t n;
  for (size_t k = 0; k < size_symbol_count(b->p->sizes); k++) {
    ir_size x = size_symbol_at(b->p->sizes, k);
    if (!size_value(b->p->sizes, x, &n) && depends_on(b, s, x)) return false;
  }
  return true;
}

static bool compare_extents(binder *b) {
  bool ok = true;
  for (size_t k = 0; k < b->n; k++) {
    const bound *y = &b->of[k];
    for (int axis = 0; y->x && axis < y->rank; axis++) {
      ir_size dim = y->sym->type->dim[axis];
      int64_t want, have = y->dim[axis];
      if (have < 0 || (size_value(b->p->sizes, dim, &want) && want == have)) continue;
      span at = bind_type_span(y->sym);
      if (!size_value(b->p->sizes, dim, &want)) {
        if (!all_known(b, dim)) continue; /* said below, once for the size */
        bind_error(b, "E0775", at, "the extent %s does not fit in 64 bits", size_text(b, dim));
        ok = false;
        break;
      }
      int64_t number;
      bool constant = size_is_const(b->p->sizes, dim, &number);
      diag *d = constant ? bind_error(b, "E0774", at, "`%s` has %lld element%s%s, and %lld %s declared", y->sym->name, (long long)have,
                                      plural(have), axis_text(b, y, axis), (long long)want, want == 1 ? "is" : "are")
                         : bind_error(b, "E0774", at, "`%s` has %lld element%s%s, and %s is %lld", y->sym->name, (long long)have,
                                      plural(have), axis_text(b, y, axis), size_text(b, dim), (long long)want);
      bind_say(b, d, "%lld in %s", (long long)have, bind_where(b, y, (size_t)-1));
      bind_point_origins(b, d, dim, at);
      bind_point_binding(b, d, y);
      if (y->rank == 2 && !constant) {
        int64_t other;
        if (y->dim[1 - axis] == want && size_value(b->p->sizes, y->sym->type->dim[1 - axis], &other) && other == have)
          bind_help(b, d, "the matrix in the data is the transpose of the declared one");
      }
      ok = false;
      break;
    }
  }
  return ok;
}

/* The numbers of levels that the model names. */
static bool number_levels(binder *b) {
  for (size_t k = b->model->ndata; k < b->n; k++) {
    const symbol *s = b->of[k].sym;
    const bound *y = NULL, *any = NULL;
    if (!s->level) continue;
    for (size_t i = 0; i < b->model->ndata && !y; i++) {
      if (!is_index(&b->of[i]) || b->of[i].sym->type->count != s->levels) continue;
      any = &b->of[i];
      if (any->x->kind == DATA_TEXT) y = any;
    }
    size_t n = 0;
    while (y && n < y->x->n_levels && strcmp(y->x->levels[n], s->level) != 0) n++;
    if (y && n < y->x->n_levels) {
      set_size(b, s->size, (int64_t)n + 1, s->at, arena_printf(b->a, "levels of `%s` (%s)", y->sym->name, bind_where(b, y, (size_t)-1)));
      continue;
    }
    if (!any) continue; /* the data are missing, which is said below */
    diag *d = y ? bind_error(b, "E0781", s->at, "`%s` has no level \"%s\"", y->sym->name, s->level)
                : bind_error(b, "E0781", s->at, "the values of `%s` are numbers, which have no names", any->sym->name);
    bind_point(b, d, bind_type_span(y ? y->sym : any->sym), "%s", bind_where(b, y ? y : any, (size_t)-1));
    if (!y) bind_help(b, d, "compare with the number, or give texts in the data: [\"a\", \"b\", \"a\"]");
    const char *near = y ? diag_nearest(s->level, y->x->levels, y->x->n_levels) : NULL;
    if (near) bind_help(b, d, "did you mean \"%s\"?", near);
    else if (y && y->x->n_levels > 0) bind_help(b, d, "there are %zu, from \"%s\" to \"%s\"", y->x->n_levels, y->x->levels[0], y->x->levels[y->x->n_levels - 1]);
    return false;
  }
  return true;
}

bool bind_sizes(binder *b) {
  size_unbind_all(b->p->sizes);
  b->norigins = b->nguesses = 0;
  if (!given_numbers(b) || !number_levels(b)) return false;
  for (bool progress = true; progress;) {
    progress = false;
    if (!number_defaults(b, &progress) || !number_extents(b, &progress)) return false;
    if (!progress) number_indices(b, &progress);
  }
  bool ok = compare_extents(b);
  /* A default that waits for another size is blamed only if nothing else is. */
  for (int defaults = 0; defaults < 2 && ok; defaults++)
    for (size_t k = 0; k < b->n; k++) {
      int64_t n;
      const bound *y = &b->of[k];
      if (y->sym->size == IR_SIZE_NONE || y->sym->type->rank > 0 || size_value(b->p->sizes, y->sym->size, &n)) continue;
      if ((y->sym->param && y->sym->param->default_) == (defaults == 1)) ok &= report_unknown(b, y);
    }
  return ok;
}

/* Supports of which there is nothing without elements. */
static bool needs_elements(ir_support s) {
  return s == IR_SUP_SIMPLEX || s == IR_SUP_UNIT_VECTOR || s == IR_SUP_SUM_TO_ZERO || s == IR_SUP_ORDERED || s == IR_SUP_CORR || s == IR_SUP_CHOLESKY_CORR;
}

bool bind_check_sites(binder *b) {
  bool ok = true;
  for (size_t k = 0; k < b->model->nsites; k++) {
    const check_site *s = &b->model->sites[k];
    if (s->role == IR_OBSERVED || !s->type) continue;
    const ty_info *t = s->type;
    bool empty = false;
    ir_size bad = IR_SIZE_NONE;
    int64_t n;
    for (int axis = 0; axis < t->rank; axis++) {
      if (!size_value(b->p->sizes, t->dim[axis], &n) || n < 0) bad = t->dim[axis];
      empty |= n == 0 && axis < t->rank - t->event_rank;
    }
    const char *what = "an extent of";
    const ir_support support = t->support == IR_SUP_REAL && s->event ? s->event->support : t->support;
    if (!bad && needs_elements(support) && t->rank && size_value(b->p->sizes, t->dim[t->rank - 1], &n) && n == 0)
      bad = t->dim[t->rank - 1], what = "the size of";
    if (!bad && !empty && t->support == IR_SUP_FINITE && t->count != IR_SIZE_NONE && size_value(b->p->sizes, t->count, &n) && n <= 0)
      bad = t->count, what = "the number of values of";
    if (!bad) continue;
    ok = false;
    if (!size_value(b->p->sizes, bad, &n)) {
      bind_error(b, "E0775", s->at, "%s `%s`, %s, does not fit in 64 bits", what, s->sym->name, size_text(b, bad));
      continue;
    }
    diag *d = bind_error(b, "E0775", s->at, "%s `%s` is %lld", what, s->sym->name, (long long)n);
    bind_say(b, d, "%s", size_text(b, bad));
    bind_point_origins(b, d, bad, s->at);
  }
  return ok;
}
