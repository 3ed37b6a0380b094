/* check_stmt.c: statements of models, functions and members of distributions. */
#include "compiler/check_state.h"

#include <string.h>

static void declared_let(ctx *c, const ast_target *t, const ast_expr *value, const ty_info **type) {
  const ty_info *want = check_type(c, t->type), *is = *type;
  *type = want;
  if (ty_is_error(want) || ty_is_error(is)) return;
  if (shape_equal(want, is) && ty_join(want->kind, is->kind) == want->kind) return;
  diag *d = cx_error(c, "E0517", value->at, "`%s` is declared %s, but its value is %s", t->name.name, ty_print(c->p, want),
                     ty_print(c->p, is));
  cx_point(c, d, t->type->at, "declared here");
  point_shape(c, d, value);
}

/* The type of an element, where the value is for a slice: its last axes, or one for all. */
static const ty_info *slice_element(ctx *c, const ast_target *t, const ast_expr *value, const ty_info *v, const ir_size *extent, unsigned n) {
  if (v->rank == 0) return v;
  bool fits = v->rank >= n;
  for (unsigned k = 0; k < n && fits; k++) fits = v->dim[k] == extent[k];
  if (fits) return ty_without_axes(c, v, n);
  diag *d = cx_error(c, "E0517", value->at, "the value of this slice is %s", ty_print(c->p, v));
  cx_point(c, d, t->at, "a slice of %s elements%s", size_text(c->st, extent[0]), n > 1 ? " along its first axis" : "");
  return ty_scalar(c->st, TY_ERROR);
}

/* In `predict` a recursion goes on with an array that the model has built by elements, as a forecast does. */
static symbol *recursion_continued(ctx *c, const ast_target *t, symbol *taken) {
  const bool ours = c->in_predict && taken && taken->kind == SYM_LET && taken->elementwise && taken->type && !ty_is_error(taken->type);
  return ours && elements_of_body(taken) && sym_of(taken)->elems != ptr_map_get(&c->arrays, t) ? taken : NULL;
}

static void let_element(ctx *c, ast_target *t, ast_expr *value) {
  check_subs(c, t);
  symbol *taken = ptr_map_get(&c->names, t->name.name), *continues = recursion_continued(c, t, taken);
  /* What is there as a whole has no elements to add: of these nothing more is said. */
  elements *e = taken && !taken->elementwise ? NULL : elements_of(c, t, false, continues);
  symbol *s = e ? elements_symbol(e) : NULL;
  if (taken && taken != s && !continues) {
    if (!taken->type || !ty_is_error(taken->type)) {
      diag *d = cx_error(c, "E0402", t->at, "`%s` is already %s", t->name.name, sym_noun(taken));
      cx_point(c, d, taken->at, "declared here");
      cx_help(c, d, "there are no mutable variables: give the new array a name of its own");
    }
    check_expr(c, value);
    return;
  }
  bool outer = c->stochastic;
  c->stochastic = false;
  if (!s) {
    s = sym_new(c->st, SYM_LET, t->name.name, t->name.at);
    s->elementwise = true;
    if (e) elements_start(c, e, s);
    else s->type = ty_scalar(c->st, TY_ERROR);
    value_hide(c, s);
    if (e && continues) {
      sym_of(s)->continues = continues;
      s->stochastic = continues->stochastic;
      continues->read = true;
      elements_typed(c, e, ty_without_axes(c, continues->type, (unsigned)t->subs.n), continues->at);
    }
  }
  t->name.sym = s;
  sym_of(s)->value = sym_of(s)->set_again ? NULL : value;
  sym_of(s)->set_again = true;
  if (e && !s->type) elements_assume(c, e, ty_scalar(c->st, elements_guess(c, e)));
  const ty_info *v = check_expr(c, value);
  if (e) elements_assumed(e);
  s->stochastic |= c->stochastic;
  c->stochastic |= outer;
  if (!e) return;
  if (!ty_is_error(v) && !value_expected(c, value, v, "an element")) v = ty_scalar(c->st, TY_ERROR);
  if (t->type) declared_let(c, t, value, &v);
  ir_size extent[IR_MAX_RANK];
  const unsigned slices = slice_extents(c, t, extent);
  if (slices && !ty_is_error(v)) v = slice_element(c, t, value, v, extent, slices);
  const ty_info *first = elements_element(e);
  if (!ty_is_error(v)) {
    ty_kind kind = ty_join(v->kind, first ? (ty_kind)first->kind : elements_guess(c, e));
    if (kind != TY_ERROR && (!first || !ty_is_error(first)) && (!first || kind == first->kind)) {
      if (kind != v->kind) v = ty_as(c->st, v, kind);
    }
  }
  elements_typed(c, e, v, t->at);
  elements_visited(e, t);
}

void check_let(ctx *c, ast_stmt *st) {
  ast_target *t = &st->let.target;
  ast_expr *value = st->let.value;
  if (t->subs.n) {
    let_element(c, t, value);
    return;
  }
  bool outer = c->stochastic;
  c->stochastic = false;
  const ty_info *v = check_expr(c, value);
  if (!ty_is_error(v) && !value_expected(c, value, v, "a `let`")) v = ty_scalar(c->st, TY_ERROR);
  if (t->type) declared_let(c, t, value, &v);
  symbol *s = sym_new(c->st, SYM_LET, t->name.name, t->name.at);
  s->type = v;
  sym_of(s)->value = value;
  s->stochastic = c->stochastic;
  c->stochastic |= outer;
  if (v->rank == 0 && ty_is_integer(v) && !s->stochastic) s->size = size_of_expr(c, value), s->whole = value;
  t->name.sym = s;
  if (name_missing(&t->name)) return;
  value_add(c, s);
}

static void check_loop(ctx *c, ast_iter *it, loop_kind kind, ast_block *body) {
  size_t mark = scope_enter(c), n = iter_enter(c, it, kind);
  c->conds += it->cond != NULL;
  if (c->in_predict) forecasts_begin(c, body);
  check_block(c, body);
  c->conds -= it->cond != NULL;
  iter_leave(c, n);
  scope_leave(c, mark);
}

static void scalar_value(ctx *c, ast_expr *e, const char *what) {
  const ty_info *t = check_expr(c, e);
  if (ty_is_error(t)) return;
  if (ty_is_value(t) && t->rank == 0) return;
  diag *d = cx_error(c, "E0501", e->at, "%s must be one number, not %s", what, ty_print(c->p, t));
  if (ty_is_value(t)) cx_help(c, d, "`sum(...)` adds the elements");
}

static void check_track(ctx *c, ast_stmt *s) {
  for (size_t i = 0; i < s->track.items.n; i++) {
    ast_arg *a = &s->track.items.items[i];
    const ty_info *t = check_expr(c, a->value);
    value_expected(c, a->value, t, "what is tracked");
    const char *name = a->name.name;
    if (!name && a->value->kind == EXPR_NAME) name = a->value->name.name;
    if (!name || !name[0]) continue;
    const ast_arg *before = ptr_map_get(&c->tracks, name);
    symbol *v = a->name.name ? ptr_map_get(&c->names, name) : NULL;
    if (before || (v && (v->kind == SYM_LATENT || v->kind == SYM_DATA))) {
      diag *d = cx_error(c, "E0402", a->at, "`%s` is already %s", name, before ? "tracked" : sym_noun(v));
      cx_point(c, d, before ? before->at : v->at, "first here");
      cx_help(c, d, "the names of what a run keeps are unique");
    }
    ptr_map_put(&c->tracks, name, a);
  }
}

static void check_predict(ctx *c, ast_stmt *s) {
  if (c->in_predict) {
    cx_error(c, "E0607", s->at, "a `predict` inside a `predict`");
    return;
  }
  size_t mark = scope_enter(c);
  c->in_predict = true;
  c->predict_depth = c->depth;
  size_t from = c->nall;
  check_block(c, s->predict.body);
  c->in_predict = false;
  for (size_t i = from; i < c->nall; i++) {
    symbol *x = c->all[i];
    if (x->kind != SYM_PREDICT || sym_of(x)->continues) continue;
    const ast_arg *before = ptr_map_get(&c->tracks, x->name);
    if (before) {
      diag *d = cx_error(c, "E0402", x->at, "`%s` is predicted or tracked twice", x->name);
      cx_point(c, d, before->at, "first here");
      cx_help(c, d, "the names of what a run keeps are unique");
    }
    ast_arg *kept = ARENA_NEW(c->a, ast_arg);
    kept->at = x->at;
    ptr_map_put(&c->tracks, x->name, kept);
  }
  scope_leave(c, mark);
}

static void check_return(ctx *c, ast_stmt *s) {
  const ty_info *t = check_expr(c, s->value);
  const ty_info *want = c->result;
  if (!want || ty_is_error(want) || ty_is_error(t)) return;
  if (shape_equal(t, want) && ty_is_value(t) && ty_join(t->kind, want->kind) == want->kind) return;
  diag *d = cx_error(c, "E0517", s->value->at, "this returns %s, but %s was declared", ty_print(c->p, t), ty_print(c->p, want));
  cx_point(c, d, c->result_at, "declared here");
  point_shape(c, d, s->value);
}

void check_stmt(ctx *c, ast_stmt *s) {
  switch (s->kind) {
  case STMT_ERROR:
    if (s->error.body) {
      size_t mark = scope_enter(c);
      check_block(c, s->error.body);
      scope_leave(c, mark);
    }
    break;
  case STMT_SAMPLE: check_sample(c, s); break;
  case STMT_GROUP: check_submodel(c, s); break;
  case STMT_LET: check_let(c, s); break;
  case STMT_PLATE: check_loop(c, &s->plate.iter, LOOP_PLATE, s->plate.body); break;
  case STMT_FOR:
    if (s->for_.until) cx_error(c, "E0690", s->for_.until->at, "`until` on a loop belongs to schedules");
    check_loop(c, &s->for_.iter, LOOP_FOR, s->for_.body);
    break;
  case STMT_IF: {
    check_cond(c, s->if_.cond, "the condition of `if`");
    c->conds++;
    size_t mark = scope_enter(c);
    check_block(c, s->if_.then);
    scope_leave(c, mark);
    if (s->if_.else_) {
      mark = scope_enter(c);
      check_block(c, s->if_.else_);
      scope_leave(c, mark);
    }
    c->conds--;
    break;
  }
  case STMT_TRACK: check_track(c, s); break;
  case STMT_PREDICT: check_predict(c, s); break;
  case STMT_REPLICATE: {
    ast_name *n = &s->replicate;
    symbol *y = value_find(c, n->name);
    if (!y && !nearest_value(c, n->name)) {
      diag *d = cx_error(c, "E0401", n->at, "`%s` is not known", n->name);
      cx_help(c, d, "`predict y` draws what was observed as `y` again; another name has a distribution: `predict { %s ~ ... }`", n->name);
      break;
    }
    if (!y) {
      unknown_value(c, n->name, n->at);
      break;
    }
    n->sym = y;
    ARENA_PUSH(c->a, c->replicas, c->nreplicas, c->cap_replicas, n);
    break;
  }
  case STMT_ENERGY: scalar_value(c, s->value, "an energy"); break;
  case STMT_FACTOR: scalar_value(c, s->value, "a factor"); break;
  case STMT_RETURN: check_return(c, s); break;
  default: break; /* the parser has reported statements out of place */
  }
}

void check_block(ctx *c, ast_block *b) {
  for (size_t i = 0; i < b->n; i++) check_stmt(c, b->items[i]);
}

/* --- bodies with a value */

/* Reports a `return` that something follows; true when the block ends in one. */
static bool ends_in_return(ctx *c, const ast_block *b, bool tail) {
  bool returns = false;
  for (size_t i = 0; i < b->n; i++) {
    const ast_stmt *s = b->items[i];
    bool last = tail && i + 1 == b->n;
    switch (s->kind) {
    case STMT_RETURN:
      if (last) returns = true;
      else {
        diag *d = cx_error(c, "E0518", s->at, "`return` must be the last statement");
        cx_help(c, d, "a function has one way through: choose the value with `if c { a } else { b }`");
      }
      break;
    case STMT_IF: {
      bool a = ends_in_return(c, s->if_.then, last);
      bool e = s->if_.else_ ? ends_in_return(c, s->if_.else_, last) : false;
      if (last) returns = a && e;
      break;
    }
    case STMT_FOR: ends_in_return(c, s->for_.body, false); break;
    case STMT_PLATE: ends_in_return(c, s->plate.body, false); break;
    case STMT_ERROR: returns = true; break;
    default: break;
    }
  }
  return returns;
}

void check_returning(ctx *c, ast_expr *value, ast_block *body, const char *name) {
  if (body) {
    elements_collect(c, body);
    check_block(c, body);
    size_t errors = c->p->diags->errors;
    if (!ends_in_return(c, body, true) && c->p->diags->errors == errors && (!c->st->syntax_errors || c->library)) {
      span end = {body->at.file, body->at.off + (body->at.len ? body->at.len - 1 : 0), 1};
      diag *d = cx_error(c, "E0518", end, "`%s` ends without a `return`", name);
      cx_help(c, d, "add `return` and the value as the last statement");
    }
    return;
  }
  if (!value) return;
  ast_stmt s = {.kind = STMT_RETURN, .at = value->at};
  s.value = value;
  check_return(c, &s);
}
