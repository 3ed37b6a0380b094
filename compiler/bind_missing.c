/* bind_missing.c: what becomes of values that are missing (lower.h: lower_missing).
 *
 * A value can be missing where a statement of the model gives it a distribution.  If something reads the array as well, its missing
 * values are unknowns, which have to be on a support that is known beforehand; else they are drawn after each draw of the
 * unknowns, and may be of any kind.  In their places the array gets a value that was seen, so that whatever looks at
 * all elements finds possible ones; nothing counts it.
 *
 * An unknown that `given` gives in part is the same thing: data of which the missing elements stay unknown. */
#include "compiler/bind_state.h"

#include <string.h>

static bool literal(const ast_expr *e) {
  if (e && e->kind == EXPR_UNARY && e->unary.op == OP_NEG) e = e->unary.arg;
  return !e || e->kind == EXPR_INT || e->kind == EXPR_REAL;
}

static bool one_taken(const binder *b, const char *name) {
  for (size_t k = 0; k < b->model->nsites; k++)
    if (strcmp(b->model->sites[k].sym->name, name) == 0) return true;
  for (size_t k = 0; k < b->n; k++)
    if (strcmp(b->of[k].sym->name, name) == 0) return true;
  return false;
}

/* The name of what is missing. */
static const char *gap_name(const binder *b, const symbol *s) { return arena_printf(b->a, s->kind == SYM_LATENT ? "%s_free" : "%s_mis", s->name); }

static bool taken(const binder *b, const symbol *s) {
  const char *y = s->name;
  return one_taken(b, gap_name(b, s)) || one_taken(b, arena_printf(b->a, "%s.at", y)) || one_taken(b, arena_printf(b->a, "%s.seen", y)) ||
         one_taken(b, arena_printf(b->a, "%s.slot", y));
}

/* Why an unknown cannot be given in part, and the way out; or NULL. */
static const char *why_not_given(const binder *b, const symbol *s, const char **help) {
  const check_site *site = &b->model->sites[s->site - 1];
  const ty_info *on = check_drawn_on(site);
  *help = "give all of it, or nothing";
  if (s->type->rank == 0) return "it is the only one";
  const bool plain = s->type->kind == TY_REAL && s->type->support == IR_SUP_REAL && on->kind == TY_REAL && on->support == IR_SUP_REAL; /* a MultiNormal, a RandomWalk */
  if (!plain && (s->type->event_rank || on->event_rank)) {
    if (on->support == IR_SUP_SIMPLEX || s->type->support == IR_SUP_SIMPLEX)
      *help = "give all of it, or nothing; or write what is known into the model: what is left of a Dirichlet is one of the other counts, times what is left of 1";
    else if (s->type->support == IR_SUP_ORDERED || on->support == IR_SUP_ORDERED)
      *help = "give all of it, or nothing; or draw its elements apart, `b: real<lower = a> ~ Flat()` with `factor logpdf(D, b)`, and give those that are known";
    return "its elements depend on each other by its type";
  }
  if (site->event && on->rank && on->kind != TY_REAL) return "its elements are counts that depend on each other";
  if (taken(b, s)) {
    *help = arena_printf(b->a, "`%s`, `%s.at` and `%s.seen` have to be free: rename what has them", gap_name(b, s), s->name, s->name);
    return "the model has a name that the others would get";
  }
  const bool counted = s->type->support == IR_SUP_FINITE || (on->support == IR_SUP_FINITE && on->count != IR_SIZE_NONE);
  const bool fixed = counted || (literal(s->type->lo) && literal(s->type->hi) && literal(on->lo) && literal(on->hi));
  return fixed ? NULL : "it is on a support that only the run knows";
}

/* Whether the rows of a ragged array are observed as wholes (compiler/check_row_matrices.c). */
static bool rows_drawn(const binder *b, const symbol *s) {
  const char *rows = arena_printf(b->a, "%s.rows", s->name);
  for (size_t k = 0; k < b->model->nsites; k++)
    if (strcmp(b->model->sites[k].sym->name, rows) == 0) return true;
  return false;
}

/* Why the missing values of y can have no place in the model, and the way out; or NULL, and whether they are latent. */
static const char *why_not(const binder *b, const symbol *s, bool *latent, const char **help) {
  if (s->kind == SYM_LATENT) {
    *latent = true;
    return why_not_given(b, s, help);
  }
  const check_site *site = s->kind == SYM_DATA && s->observed && s->site ? &b->model->sites[s->site - 1] : NULL;
  *help = "leave such rows out of the data";
  *latent = false;
  if (b->model->decl->kind != DECL_MODEL) {
    *help = "what is not known of a world is a state; what is to be learnt begins with counts: `learn A ~ Dirichlet(counts)`";
    return "the tables of an agent are known";
  }
  if (!site || !site->on) {
    if (rows_drawn(b, s)) {
      *help = "leave such elements out of their rows, whose lengths may differ: what is left of a normal row is normal";
      return "its rows are drawn at once";
    }
    *help = arena_printf(b->a, "give it a distribution, `%s ~ ...`, or leave such rows out of the data", s->name);
    return "no statement gives it a distribution";
  }
  if (s->type->rank == 0) {
    *help = arena_printf(b->a, "leave `%s` out of the signature, and it is unknown", s->name);
    return "it is the only one";
  }
  if (s->type->event_rank) return "its elements depend on each other by its type";
  if (taken(b, s)) {
    *help = arena_printf(b->a, "`%s_mis`, `%s.at` and `%s.seen` have to be free: rename what has them", s->name, s->name, s->name);
    return "the model has a name that they would get";
  }
  *latent = s->read || site->on->rank > 0 || site->sliced || site->undrawn;
  if (!*latent) return NULL;
  const char *why = s->read ? "the model reads it elsewhere" : site->sliced ? "a slice of it is observed" : site->undrawn ? "its distribution has no `sample`"
                                                                                                          : "it is part of a vector";
  if (s->type->kind != TY_REAL) {
    if (site->on->rank) return arena_printf(b->a, "%s, so it would be unknown, which counts of a vector cannot be", why);
    if (site->as_real) {
      *help = arena_printf(b->a, "declare `%s: real[...]`, as its distribution has it", s->name);
      return arena_printf(b->a, "%s, so it would be unknown, an integer of a distribution of reals", why);
    }
    if (site->on_varies) return arena_printf(b->a, "%s, so it would be unknown, on a support that differs from statement to statement", why);
    if (s->type->kind == TY_INT && s->type->support != IR_SUP_FINITE && site->on->kind == TY_INT && site->on->support == IR_SUP_FINITE) {
      *help = arena_printf(b->a, "declare `%s: index(K)[...]`", s->name);
      return arena_printf(b->a, "%s, so it would be unknown, of a range that its type does not tell", why);
    }
    return NULL;
  }
  if (site->on_varies || site->on->support > IR_SUP_INTERVAL || !literal(site->on->lo) || !literal(site->on->hi))
    return arena_printf(b->a, "%s, so it would be unknown, on a support that only the run knows", why);
  return NULL;
}

/* The array with a value that was seen wherever one is missing. */
static const data_array *filled(binder *b, const bound *y) {
  const data_array *x = y->x;
  data_array *to = ARENA_NEW(b->a, data_array);
  *to = *x;
  to->missing = NULL;
  to->n_missing = 0;
  size_t seen = 0;
  while (seen < x->cells && x->missing[seen]) seen++;
  bool none = seen == x->cells, real = x->kind == DATA_REAL || (none && y->sym->type->kind == TY_REAL);
  if (real) {
    double *cells = ARENA_ARRAY(b->a, double, x->cells);
    for (size_t k = 0; k < x->cells; k++) cells[k] = none ? 0.5 : x->f64[x->missing[k] ? seen : k];
    to->kind = DATA_REAL;
    to->f64 = cells;
  } else {
    int64_t *cells = ARENA_ARRAY(b->a, int64_t, x->cells);
    for (size_t k = 0; k < x->cells; k++) cells[k] = none ? 1 : x->i64[x->missing[k] ? seen : k];
    to->i64 = cells;
  }
  return to;
}

bool bind_missing(binder *b, bound *y) {
  const data_array *x = y->x;
  if (x->n_missing == 0) return true;
  const char *help, *why = why_not(b, y->sym, &y->latent, &help);
  if (!why) {
    y->missing = x;
    y->x = filled(b, y);
    return true;
  }
  size_t cell = 0;
  while (!x->missing[cell]) cell++;
  diag *d = bind_error(b, "E0770", bind_type_span(y->sym), "%s: a value of `%s` is missing, and %s", bind_where(b, y, cell), y->sym->name, why);
  if (x->n_missing > 1) bind_say(b, d, "%zu values are missing, the first of them there", x->n_missing);
  else bind_say(b, d, "one value is missing");
  bind_point_binding(b, d, y);
  bind_help(b, d, "%s", help);
  return false;
}

static void add_data(program *p, const char *name, const void *cells) { p->data[p->ndata++] = (exec_data){.name = name, .p = cells}; }

void bind_say_missing(binder *b) {
  program *p = b->p;
  p->missing = ARENA_ARRAY(b->a, lower_missing, b->n);
  for (size_t k = 0; k < b->n; k++) {
    const bound *y = &b->of[k];
    if (!y->missing) continue;
    const data_array *x = y->missing;
    int64_t *at = ARENA_ARRAY(b->a, int64_t, x->n_missing * y->rank), *seen = ARENA_ARRAY(b->a, int64_t, x->cells), *next = at;
    int64_t *slot = ARENA_ARRAY(b->a, int64_t, x->cells), n = 0;
    for (size_t cell = 0; cell < x->cells; cell++) {
      seen[cell] = !x->missing[cell];
      if (seen[cell]) continue;
      slot[cell] = n++;
      size_t rest = cell;
      for (int a = y->rank - 1; a >= 0; a--) {
        next[a] = (int64_t)(rest % (size_t)y->dim[a]);
        rest /= (size_t)y->dim[a];
      }
      next += y->rank;
    }
    p->missing[p->nmissing++] = (lower_missing){.name = y->sym->name, .gap = gap_name(b, y->sym), .given = y->sym->kind == SYM_LATENT, .n = (int64_t)x->n_missing, .latent = y->latent, .at = at};
    add_data(p, arena_printf(b->a, "%s.at", y->sym->name), at);
    const bool whole = y->sym->type->kind != TY_REAL;
    p->missing[p->nmissing - 1].discrete = whole;
    add_data(p, arena_printf(b->a, "%s.seen", y->sym->name), seen);
    add_data(p, arena_printf(b->a, "%s.slot", y->sym->name), slot);
  }
}
