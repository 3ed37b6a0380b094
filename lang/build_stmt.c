/* build_stmt.c: nodes of statements and declarations. */
#include "lang/build.h"
#include "lang/grammar.h"

#include <string.h>

static ast_stmt *new_stmt(parser *p, stmt_kind kind, span at) {
  ast_stmt *s = ARENA_NEW(p->a, ast_stmt);
  s->kind = kind;
  s->id = p->ids++;
  s->at = at;
  s->depth = 1;
  return s;
}

/* Statements nest through brackets, whose depth is bounded; only chains of `else if` need the limit. */
static void over_stmt(parser *p, ast_stmt *s, unsigned depth) {
  if (s->kind == STMT_ERROR) return;
  if (depth >= s->depth) s->depth = (uint16_t)(depth + 1);
  if (s->depth <= AST_MAX_DEPTH) return;
  if (!p->too_high) {
    p->too_high = true;
    diag *d = diag_add(p->diags, DIAG_ERROR, "E0206", s->at, "these statements are more than %d levels deep", AST_MAX_DEPTH);
    diag_help(p->diags, d, "move the inner ones into a function, or choose with an array instead of a chain of `else if`");
  }
  memset(&s->error, 0, sizeof s->error);
  s->kind = STMT_ERROR;
  s->depth = 1;
}

static void over_block(parser *p, ast_stmt *s, const ast_block *b) {
  unsigned depth = 0;
  for (size_t i = 0; b && i < b->n; i++)
    if (b->items[i]->depth > depth) depth = b->items[i]->depth;
  over_stmt(p, s, depth);
}

ast_target *build_target(parser *p, token name, ast_exprs *subs, ast_type *type, span end) {
  ast_target *t = ARENA_NEW(p->a, ast_target);
  t->name = build_name(p, name);
  if (subs) t->subs = *subs;
  t->type = type;
  t->at = span_join(t->name.at, end);
  if (type) t->at = span_join(t->at, type->at);
  return t;
}

ast_block *build_block(parser *p, token open, ast_block *list, token close) {
  if (!list) list = ARENA_NEW(p->a, ast_block);
  list->at = build_join(p, open, close);
  return list;
}

ast_block *build_block_add(parser *p, ast_block *list, ast_stmt *s) {
  if (!list) list = ARENA_NEW(p->a, ast_block);
  ARENA_PUSH(p->a, list->items, list->n, list->cap, s);
  return list;
}

ast_stmt *build_bad_stmt(parser *p, token t, ast_block *body) {
  ast_stmt *s = new_stmt(p, STMT_ERROR, build_span(p, t));
  s->error.body = body;
  over_block(p, s, body);
  return s;
}

/* What followed `else` is kept with the rest of the erroneous statement. */
ast_stmt *build_bad_else(parser *p, ast_stmt *bad, ast_block *more) {
  for (size_t i = 0; bad->error.body && i < more->n; i++) build_block_add(p, bad->error.body, more->items[i]);
  over_block(p, bad, more);
  return bad;
}

ast_stmt *build_sample(parser *p, ast_target *target, token tilde, ast_expr *dist, ast_iter *iter) {
  ast_stmt *s = new_stmt(p, STMT_SAMPLE, span_join(target->at, iter ? iter->at : dist->at));
  s->sample.target = *target;
  s->sample.dist = dist;
  if (iter) s->sample.iter = *iter;
  s->sample.tilde = build_span(p, tilde);
  return s;
}

ast_stmt *build_let(parser *p, token let, ast_target *target, ast_expr *value) {
  ast_stmt *s = new_stmt(p, STMT_LET, span_join(build_span(p, let), value->at));
  s->let.target = *target;
  s->let.value = value;
  return s;
}

ast_stmt *build_assign(parser *p, ast_target *target, ast_expr *value) {
  ast_stmt *s = new_stmt(p, STMT_ASSIGN, span_join(target->at, value->at));
  s->assign.target = *target;
  s->assign.value = value;
  return s;
}

ast_stmt *build_plate(parser *p, token plate, ast_iter *iter, ast_block *body) {
  ast_stmt *s = new_stmt(p, STMT_PLATE, span_join(build_span(p, plate), body->at));
  s->plate.iter = *iter;
  s->plate.body = body;
  over_block(p, s, body);
  return s;
}

ast_stmt *build_for(parser *p, token for_, ast_iter *iter, ast_expr *until, ast_block *body) {
  ast_stmt *s = new_stmt(p, STMT_FOR, span_join(build_span(p, for_), body->at));
  s->for_.iter = *iter;
  s->for_.until = until;
  s->for_.body = body;
  over_block(p, s, body);
  return s;
}

ast_stmt *build_if(parser *p, token if_, ast_expr *cond, ast_block *then, ast_block *else_) {
  ast_stmt *s = new_stmt(p, STMT_IF, span_join(build_span(p, if_), else_ ? else_->at : then->at));
  s->if_.cond = cond;
  s->if_.then = then;
  s->if_.else_ = else_;
  over_block(p, s, then), over_block(p, s, else_);
  return s;
}

ast_stmt *build_else_if(parser *p, token if_, ast_expr *cond, ast_block *then, ast_stmt *chained) {
  ast_block *else_ = build_block_add(p, NULL, chained);
  else_->at = chained->at;
  ast_stmt *s = build_if(p, if_, cond, then, else_);
  if (s->kind == STMT_IF) s->if_.chained = true;
  return s;
}

ast_stmt *build_track(parser *p, token track, ast_args *items) {
  ast_stmt *s = new_stmt(p, STMT_TRACK, span_join(build_span(p, track), items->items[items->n - 1].at));
  s->track.items = *items;
  return s;
}

ast_stmt *build_predict(parser *p, token predict, ast_block *body) {
  ast_stmt *s = new_stmt(p, STMT_PREDICT, span_join(build_span(p, predict), body->at));
  s->predict.body = body;
  s->predict.braces = true;
  over_block(p, s, body);
  return s;
}

ast_stmt *build_predict_one(parser *p, token predict, ast_stmt *sample) {
  ast_block *body = build_block_add(p, NULL, sample);
  body->at = sample->at;
  ast_stmt *s = build_predict(p, predict, body);
  if (s->kind == STMT_PREDICT) s->predict.braces = false;
  return s;
}

ast_stmt *build_replicate(parser *p, token predict, token name) {
  ast_stmt *s = new_stmt(p, STMT_REPLICATE, build_join(p, predict, name));
  s->replicate = build_name(p, name);
  return s;
}

ast_stmt *build_value_stmt(parser *p, stmt_kind kind, token keyword, ast_expr *value) {
  ast_stmt *s = new_stmt(p, kind, span_join(build_span(p, keyword), value->at));
  s->value = value;
  return s;
}

ast_stmt *build_command(parser *p, token name, ast_args *args, const token *close) {
  ast_expr *call = build_call(p, name, args, close ? *close : name);
  ast_stmt *s = new_stmt(p, STMT_COMMAND, call->at);
  s->value = call;
  return s;
}

static ast_stmt *new_variable(parser *p, stmt_kind kind, token keyword, token name, ast_type *type) {
  ast_stmt *s = new_stmt(p, kind, span_join(build_span(p, keyword), type->at));
  s->variable.name = build_name(p, name);
  s->variable.type = type;
  return s;
}

ast_stmt *build_action(parser *p, token keyword, token name, ast_type *type) {
  return new_variable(p, STMT_ACTION, keyword, name, type);
}

ast_stmt *build_state(parser *p, token keyword, token name, ast_type *type) {
  return new_variable(p, STMT_STATE, keyword, name, type);
}

ast_stmt *build_state_clause(parser *p, ast_stmt *s, state_clause clause, token keyword, ast_expr *value) {
  static const char *const words[] = {"every", "start", "step"};
  ast_expr **slot = clause == CLAUSE_EVERY   ? &s->variable.every
                    : clause == CLAUSE_START ? &s->variable.start
                                             : &s->variable.step;
  if (*slot) {
    diag *d = diag_add(p->diags, DIAG_ERROR, "E0205", build_span(p, keyword), "a second `%s` for state `%s`", words[clause],
                       s->variable.name.name);
    diag_point(p->diags, d, (*slot)->at, "the first one is here");
  } else {
    *slot = value;
  }
  s->at = span_join(s->at, value->at);
  return s;
}

ast_stmt *build_state_end(parser *p, ast_stmt *s) {
  const char *name = s->variable.name.name;
  if (!s->variable.start || !s->variable.step) {
    const char *what = !s->variable.start ? "start" : "step";
    diag *d = diag_add(p->diags, DIAG_ERROR, "E0205", s->at, "state `%s` has no `%s`", name, what);
    if (!s->variable.start)
      diag_help(p->diags, d, "give the distribution of its first value, as in `start [0.5, 0.5]` or `start onehot(1, 4)`");
    else
      diag_help(p->diags, d, "give the distribution of the next value, as in `step turn[%s]`", name);
    if (!s->variable.start) s->variable.start = build_error(p, span_after(s->at));
    if (!s->variable.step) s->variable.step = build_error(p, span_after(s->at));
  }
  return s;
}

ast_stmt *build_observe(parser *p, token keyword, token name, ast_type *type, ast_expr *dist) {
  ast_stmt *s = new_variable(p, STMT_OBSERVE, keyword, name, type);
  s->variable.dist = dist;
  s->at = span_join(s->at, dist->at);
  return s;
}

ast_stmt *build_prefer(parser *p, token keyword, ast_target *target, ast_expr *value) {
  ast_stmt *s = new_stmt(p, STMT_PREFER, span_join(build_span(p, keyword), value->at));
  s->prefer.target = *target;
  s->prefer.value = value;
  return s;
}

ast_stmt *build_learn(parser *p, token keyword, token name, ast_expr *dist, ast_args *options) {
  span end = options && options->n ? options->items[options->n - 1].at : dist->at;
  ast_stmt *s = new_stmt(p, STMT_LEARN, span_join(build_span(p, keyword), end));
  s->learn.name = build_name(p, name);
  s->learn.dist = dist;
  if (options) s->learn.options = *options;
  return s;
}

/* The grammar reads a member's parameters as arguments, because `sample()` and a command look alike up to `=` or `{`. */
ast_stmt *build_member(parser *p, token name, ast_args *args, ast_expr *value, ast_block *body) {
  ast_stmt *s = new_stmt(p, STMT_MEMBER, span_join(build_span(p, name), value ? value->at : body->at));
  s->member.name = build_name(p, name);
  s->member.value = value;
  s->member.body = body;
  if (body) over_block(p, s, body);
  if (s->kind == STMT_ERROR) return s;
  ast_params *params = NULL;
  for (size_t i = 0; args && i < args->n; i++) {
    const ast_arg *arg = &args->items[i];
    if (name_present(&arg->name) || arg->value->kind != EXPR_NAME) {
      diag *d = diag_add(p->diags, DIAG_ERROR, "E0205", arg->at, "a member's parameter is a plain name");
      diag_help(p->diags, d, "write `%s(x) = ...`: its type is the distribution's", s->member.name.name);
      continue;
    }
    ast_param param = {.name = arg->value->name, .at = arg->at, .id = p->ids++};
    params = build_params_add(p, params, &param);
  }
  if (params) s->member.params = *params;
  return s;
}

static ast_decl *new_decl(parser *p, decl_kind kind, span at) {
  ast_decl *d = ARENA_NEW(p->a, ast_decl);
  d->kind = kind;
  d->id = p->ids++;
  d->at = d->head = at;
  return d;
}

ast_decl *build_bad_decl(parser *p, token t, ast_block *body) {
  ast_decl *d = new_decl(p, DECL_ERROR, build_span(p, t));
  d->name.name = intern(p->names, "");
  d->body = body;
  return d;
}

ast_decl *build_decl(parser *p, decl_kind kind, token keyword, token name, ast_params *params, bool has_params, token end) {
  ast_decl *d = new_decl(p, kind, build_join(p, keyword, end));
  d->name = build_name(p, name);
  if (params) d->params = *params;
  d->has_params = has_params;
  return d;
}

ast_decl *build_decl_end(parser *p, ast_decl *d, ast_type *type, ast_expr *value, ast_block *body) {
  (void)p;
  d->type = type;
  d->value = value;
  d->body = body;
  if (type) d->head = span_join(d->head, type->at);
  d->at = span_join(d->head, value ? value->at : body->at);
  return d;
}

ast_decl *build_memo(parser *p, token keyword, ast_args *options, ast_decl *fn) {
  fn->memo = build_span(p, keyword);
  if (options) fn->memo_options = *options;
  fn->at = span_join(fn->memo, fn->at);
  return fn;
}

ast_decl *build_import(parser *p, token keyword, token what) {
  ast_decl *d = new_decl(p, DECL_IMPORT, build_join(p, keyword, what));
  d->value = what.kind == T_STR ? build_string(p, what) : build_name_expr(p, what);
  return d;
}

ast_decl *build_run(parser *p, ast_verb verb, token keyword, token model) {
  ast_decl *d = new_decl(p, DECL_RUN, build_join(p, keyword, model));
  d->run = ARENA_NEW(p->a, ast_run);
  d->run->verb = verb;
  d->run->model = build_name(p, model);
  return d;
}

static void second_clause(parser *p, ast_decl *d, token keyword, span first) {
  diag *g = diag_add(p->diags, DIAG_ERROR, "E0205", build_span(p, keyword), "a second `%s` in this %s statement",
                     keyword.name ? keyword.name : "option", ast_verb_text(d->run->verb));
  diag_point(p->diags, g, first, "the first one is here");
  if (keyword.kind != T_AS) diag_help(p->diags, g, "put everything into one `%s`, separated by commas", keyword.name);
}

ast_decl *build_run_list(parser *p, ast_decl *d, token keyword, ast_args *list) {
  ast_run *r = d->run;
  ast_args *slot = keyword.kind == T_ON ? &r->on : keyword.kind == T_GIVEN ? &r->given : &r->with;
  d->at = span_join(d->at, list->items[list->n - 1].at);
  if (slot->n && keyword.kind == T_STEPS) {
    for (size_t i = 0; i < list->n; i++) ARENA_PUSH(p->a, slot->items, slot->n, slot->cap, list->items[i]);
  } else if (slot->n) {
    second_clause(p, d, keyword, slot->items[0].at);
  } else {
    *slot = *list;
  }
  return d;
}

ast_decl *build_run_expr(parser *p, ast_decl *d, token keyword, ast_expr *value) {
  ast_run *r = d->run;
  ast_expr **slot = keyword.kind == T_USING ? &r->using_ : keyword.kind == T_UNTIL ? &r->until : &r->steps;
  d->at = span_join(d->at, value->at);
  if (*slot) second_clause(p, d, keyword, (*slot)->at);
  else *slot = value;
  return d;
}

ast_decl *build_run_name(parser *p, ast_decl *d, token keyword, token name) {
  ast_run *r = d->run;
  ast_name *slot = keyword.kind == T_AS ? &r->as : &r->world;
  d->at = span_join(d->at, build_span(p, name));
  if (slot->name) second_clause(p, d, keyword, slot->at);
  else *slot = build_name(p, name);
  return d;
}

/* `with nuts until ess(400)` parses as one expression, for `until` is also an operator of schedules.  Outside an
 * annealing run it is the run's. */
static void hoist_until(parser *p, ast_run *r, ast_expr **last) {
  if (!*last || (*last)->kind != EXPR_BINARY || (*last)->binary.op != OP_UNTIL) return;
  if (r->until) {
    diag *d = diag_add(p->diags, DIAG_ERROR, "E0205", r->until->at, "a second `until` in this %s statement",
                       ast_verb_text(r->verb));
    diag_point(p->diags, d, (*last)->binary.rhs->at, "the first one is here");
    diag_help(p->diags, d, "join the conditions with `and` or `or`");
    return;
  }
  r->until = (*last)->binary.rhs;
  *last = (*last)->binary.lhs;
  hoist_until(p, r, last);
}

ast_decl *build_run_end(parser *p, ast_decl *d) {
  ast_run *r = d->run;
  if (r->verb == VERB_ANNEAL) return d;
  ast_args *lists[] = {&r->on, &r->given, &r->with};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    if (lists[i]->n) hoist_until(p, r, &lists[i]->items[lists[i]->n - 1].value);
  hoist_until(p, r, &r->using_);
  return d;
}

void build_file_add(parser *p, ast_decl *d) {
  unsigned depth = 1;
  for (size_t i = 0; d->body && i < d->body->n; i++)
    if (d->body->items[i]->depth >= depth) depth = d->body->items[i]->depth + 1u;
  d->depth = (uint16_t)depth;
  ARENA_PUSH(p->a, p->root->items, p->root->n, p->root->cap, d);
}
