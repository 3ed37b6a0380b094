/* dump.c: a tree as S-expressions, for tests: every child of every node, in order, and nothing else. */
#include "lang/ast.h"

#include <string.h>

static void name(strbuf *o, const ast_name *n) {
  const char *s = n->name ? n->name : "";
  bool plain = *s != '\0';
  for (const char *c = s; *c; c++)
    if (strchr(" ()[]{}\"`;,.'", *c)) plain = false;
  strbuf_printf(o, plain ? "%s" : "`%s`", s);
}

static void expr(strbuf *o, const ast_expr *e);

static void child(strbuf *o, const ast_expr *e) {
  strbuf_putc(o, ' ');
  expr(o, e);
}

static void args(strbuf *o, const ast_args *list) {
  for (size_t i = 0; i < list->n; i++) {
    const ast_arg *a = &list->items[i];
    if (!a->name.name) {
      child(o, a->value);
      continue;
    }
    strbuf_puts(o, " (= ");
    name(o, &a->name);
    child(o, a->value);
    strbuf_putc(o, ')');
  }
}

static void exprs(strbuf *o, const ast_exprs *list) {
  for (size_t i = 0; i < list->n; i++) child(o, list->items[i]);
}

static void iter(strbuf *o, const ast_iter *it) {
  strbuf_puts(o, " (for");
  for (size_t i = 0; i < it->n; i++) {
    const ast_range *r = &it->items[i];
    strbuf_puts(o, " (");
    name(o, &r->var);
    if (r->over) strbuf_puts(o, " in"), child(o, r->over);
    else child(o, r->lo), child(o, r->hi);
    if (r->by) strbuf_puts(o, " by"), child(o, r->by);
    strbuf_putc(o, ')');
  }
  if (it->cond) strbuf_puts(o, " (if"), child(o, it->cond), strbuf_putc(o, ')');
  strbuf_putc(o, ')');
}

static void string(strbuf *o, const char *s, size_t n) {
  strbuf_putc(o, '"');
  for (size_t i = 0; i < n; i++) {
    if (s[i] == '\n') strbuf_puts(o, "\\n");
    else if (s[i] == '"' || s[i] == '\\') strbuf_printf(o, "\\%c", s[i]);
    else strbuf_putc(o, s[i]);
  }
  strbuf_putc(o, '"');
}

static void expr(strbuf *o, const ast_expr *e) {
  switch (e->kind) {
  case EXPR_ERROR: strbuf_puts(o, "<error>"); return;
  case EXPR_INT: strbuf_printf(o, "%lld", (long long)e->integer.value); return;
  case EXPR_REAL:
    if (e->real.text) strbuf_puts(o, e->real.text);
    else strbuf_printf(o, "%a", e->real.value);
    return;
  case EXPR_BOOL: strbuf_puts(o, e->boolean ? "true" : "false"); return;
  case EXPR_STRING: string(o, e->string.bytes, e->string.len); return;
  case EXPR_NAME: name(o, &e->name); return;
  case EXPR_ALL: strbuf_putc(o, ':'); return;
  default: break;
  }
  strbuf_putc(o, '(');
  switch (e->kind) {
  case EXPR_UNARY:
    strbuf_puts(o, e->unary.op == OP_NEG ? "neg" : e->unary.op == OP_NOT ? "not" : "transpose");
    child(o, e->unary.arg);
    break;
  case EXPR_BINARY:
    strbuf_puts(o, ast_op_text(e->binary.op));
    child(o, e->binary.lhs), child(o, e->binary.rhs);
    break;
  case EXPR_CALL:
    strbuf_puts(o, e->call.of ? "member" : "call ");
    if (e->call.of) {
      child(o, e->call.of);
      strbuf_putc(o, ' ');
    }
    name(o, &e->call.fn);
    args(o, &e->call.args);
    break;
  case EXPR_REDUCE:
    strbuf_puts(o, "reduce ");
    name(o, &e->reduce.fn);
    child(o, e->reduce.body);
    iter(o, &e->reduce.iter);
    break;
  case EXPR_ARRAY:
    strbuf_puts(o, "array");
    exprs(o, &e->array.elems);
    break;
  case EXPR_COMPREHENSION:
    strbuf_puts(o, "build");
    child(o, e->comprehension.body);
    iter(o, &e->comprehension.iter);
    break;
  case EXPR_INDEX:
    strbuf_puts(o, "index");
    child(o, e->index.base);
    exprs(o, &e->index.subs);
    break;
  case EXPR_FIELD:
    strbuf_puts(o, "field");
    child(o, e->field.base);
    strbuf_putc(o, ' ');
    name(o, &e->field.field);
    break;
  case EXPR_IF:
    strbuf_puts(o, "if");
    child(o, e->if_.cond), child(o, e->if_.then), child(o, e->if_.else_);
    break;
  case EXPR_LET:
    strbuf_puts(o, "let ");
    name(o, &e->let.var);
    child(o, e->let.value), child(o, e->let.body);
    break;
  case EXPR_RANGE:
    strbuf_puts(o, "..");
    child(o, e->range.lo), child(o, e->range.hi);
    break;
  default: break;
  }
  strbuf_putc(o, ')');
}

void ast_dump_expr(strbuf *out, const ast_expr *e) { expr(out, e); }

static void type(strbuf *o, const ast_type *t) {
  if (t->kind == TYPE_RANGE) {
    strbuf_puts(o, "(..");
    child(o, t->lo), child(o, t->hi);
    strbuf_putc(o, ')');
    return;
  }
  strbuf_puts(o, "(type ");
  name(o, &t->name);
  if (t->bounds.n) strbuf_puts(o, " (bounds"), args(o, &t->bounds), strbuf_putc(o, ')');
  if (t->args.n) strbuf_puts(o, " (of"), exprs(o, &t->args), strbuf_putc(o, ')');
  if (t->dims.n) {
    strbuf_puts(o, " (dims");
    for (size_t i = 0; i < t->dims.n; i++) {
      const ast_dim *d = &t->dims.items[i];
      strbuf_putc(o, ' ');
      if (d->var.name) {
        strbuf_putc(o, '(');
        name(o, &d->var);
        child(o, d->lo), child(o, d->size);
        strbuf_putc(o, ')');
      } else {
        expr(o, d->size);
      }
    }
    strbuf_putc(o, ')');
  }
  strbuf_putc(o, ')');
}

static void target(strbuf *o, const ast_target *t) {
  if (!t->subs.n && !t->type) {
    name(o, &t->name);
    return;
  }
  strbuf_puts(o, "(var ");
  name(o, &t->name);
  if (t->subs.n) strbuf_puts(o, " (at"), exprs(o, &t->subs), strbuf_putc(o, ')');
  if (t->type) strbuf_putc(o, ' '), type(o, t->type);
  strbuf_putc(o, ')');
}

static void params(strbuf *o, const ast_params *list) {
  strbuf_puts(o, " (params");
  for (size_t i = 0; i < list->n; i++) {
    const ast_param *p = &list->items[i];
    strbuf_puts(o, " (");
    name(o, &p->name);
    if (p->type) strbuf_putc(o, ' '), type(o, p->type);
    if (p->default_) strbuf_puts(o, " ="), child(o, p->default_);
    strbuf_putc(o, ')');
  }
  strbuf_putc(o, ')');
}

static void stmt(strbuf *o, const ast_stmt *s, int depth);

static void block(strbuf *o, const char *word, const ast_block *b, int depth) {
  strbuf_putc(o, '\n');
  for (int i = 0; i <= depth; i++) strbuf_puts(o, "  ");
  strbuf_printf(o, "(%s", word);
  for (size_t i = 0; i < b->n; i++) {
    strbuf_putc(o, '\n');
    for (int k = 0; k <= depth + 1; k++) strbuf_puts(o, "  ");
    stmt(o, b->items[i], depth + 2);
  }
  strbuf_putc(o, ')');
}

static void clause(strbuf *o, const char *word, const ast_expr *e) {
  if (!e) return;
  strbuf_printf(o, " (%s", word);
  child(o, e);
  strbuf_putc(o, ')');
}

static void stmt(strbuf *o, const ast_stmt *s, int depth) {
  static const char *const words[] = {
      [STMT_ERROR] = "<error>",  [STMT_SAMPLE] = "~",           [STMT_LET] = "let",          [STMT_ASSIGN] = "assign",
      [STMT_PLATE] = "plate",    [STMT_FOR] = "for",            [STMT_IF] = "if",            [STMT_TRACK] = "track",
      [STMT_PREDICT] = "predict", [STMT_REPLICATE] = "replicate", [STMT_ENERGY] = "energy",  [STMT_FACTOR] = "factor",
      [STMT_RETURN] = "return",  [STMT_COMMAND] = "command",    [STMT_ACTION] = "action",    [STMT_STATE] = "state",
      [STMT_OBSERVE] = "observe", [STMT_PREFER] = "prefer",     [STMT_BELIEFS] = "beliefs",  [STMT_PLAN] = "plan",
      [STMT_LEARN] = "learn",    [STMT_MEMBER] = "member",       [STMT_GROUP] = "group"};
  strbuf_printf(o, "(%s", words[s->kind]);
  switch (s->kind) {
  case STMT_ERROR:
    if (s->error.body) block(o, "do", s->error.body, depth);
    break;
  case STMT_GROUP: block(o, "do", s->group.body, depth); break;
  case STMT_SAMPLE:
    strbuf_putc(o, ' ');
    target(o, &s->sample.target);
    child(o, s->sample.dist);
    if (s->sample.iter.n) iter(o, &s->sample.iter);
    break;
  case STMT_LET:
    strbuf_putc(o, ' ');
    target(o, &s->let.target);
    child(o, s->let.value);
    break;
  case STMT_ASSIGN:
    strbuf_putc(o, ' ');
    target(o, &s->assign.target);
    child(o, s->assign.value);
    break;
  case STMT_PLATE:
    iter(o, &s->plate.iter);
    block(o, "do", s->plate.body, depth);
    break;
  case STMT_FOR:
    iter(o, &s->for_.iter);
    clause(o, "until", s->for_.until);
    block(o, "do", s->for_.body, depth);
    break;
  case STMT_IF:
    child(o, s->if_.cond);
    block(o, "then", s->if_.then, depth);
    if (s->if_.else_) block(o, s->if_.chained ? "else-if" : "else", s->if_.else_, depth);
    break;
  case STMT_TRACK: args(o, &s->track.items); break;
  case STMT_PREDICT: block(o, s->predict.braces ? "do" : "one", s->predict.body, depth); break;
  case STMT_REPLICATE:
    strbuf_putc(o, ' ');
    name(o, &s->replicate);
    break;
  case STMT_ENERGY: case STMT_FACTOR: case STMT_RETURN: case STMT_COMMAND: case STMT_BELIEFS: case STMT_PLAN:
    child(o, s->value);
    break;
  case STMT_ACTION: case STMT_STATE: case STMT_OBSERVE:
    strbuf_putc(o, ' ');
    name(o, &s->variable.name);
    strbuf_putc(o, ' ');
    type(o, s->variable.type);
    clause(o, "every", s->variable.every);
    clause(o, "start", s->variable.start);
    clause(o, "step", s->variable.step);
    if (s->variable.dist) child(o, s->variable.dist);
    break;
  case STMT_PREFER:
    strbuf_putc(o, ' ');
    target(o, &s->prefer.target);
    child(o, s->prefer.value);
    break;
  case STMT_LEARN:
    strbuf_putc(o, ' ');
    name(o, &s->learn.name);
    child(o, s->learn.dist);
    args(o, &s->learn.options);
    break;
  case STMT_MEMBER:
    strbuf_putc(o, ' ');
    name(o, &s->member.name);
    params(o, &s->member.params);
    if (s->member.value) child(o, s->member.value);
    if (s->member.body) block(o, "do", s->member.body, depth);
    break;
  }
  strbuf_putc(o, ')');
}

static void list(strbuf *o, const char *word, const ast_args *l) {
  if (!l->n) return;
  strbuf_printf(o, " (%s", word);
  args(o, l);
  strbuf_putc(o, ')');
}

static void run(strbuf *o, const ast_run *r) {
  strbuf_printf(o, "(%s ", ast_verb_text(r->verb));
  name(o, &r->model);
  if (r->world.name) strbuf_puts(o, " (in "), name(o, &r->world), strbuf_putc(o, ')');
  list(o, "on", &r->on);
  list(o, "given", &r->given);
  list(o, "with", &r->with);
  clause(o, "using", r->using_);
  clause(o, "until", r->until);
  clause(o, "steps", r->steps);
  if (r->as.name) strbuf_puts(o, " (as "), name(o, &r->as), strbuf_putc(o, ')');
}

static void decl(strbuf *o, const ast_decl *d) {
  static const char *const words[] = {"<error>", "model", "agent", "world", "fn", "dist", "schedule", "import"};
  if (d->kind == DECL_RUN) {
    run(o, d->run);
    strbuf_puts(o, ")\n");
    return;
  }
  strbuf_printf(o, "(%s", words[d->kind]);
  if (d->name.name && *d->name.name) strbuf_putc(o, ' '), name(o, &d->name);
  if (d->memo.file) strbuf_puts(o, " (memo"), args(o, &d->memo_options), strbuf_putc(o, ')');
  if (d->has_params) params(o, &d->params);
  if (d->owner.name) strbuf_puts(o, " (owner "), name(o, &d->owner), strbuf_putc(o, ')');
  if (d->type) strbuf_putc(o, ' '), type(o, d->type);
  if (d->value) child(o, d->value);
  if (d->body) block(o, "do", d->body, 0);
  strbuf_puts(o, ")\n");
}

void ast_dump(strbuf *out, const ast_file *file) {
  for (size_t i = 0; i < file->n; i++) decl(out, file->items[i]);
}
