/* print.c: a tree as source text.
 *
 * Parentheses are put where the grammar needs them: each expression has the level of the rule that makes it, and each place the
 * lowest level it takes.  Tests print and parse every program and compare the trees. */
#include "lang/ast.h"
#include "lang/lex.h"

#include <stdio.h>
#include <string.h>

/* The nonterminals of grammar.y, loosest first. */
typedef enum level { L_EXPR, L_LOW, L_OR, L_AND, L_NOT, L_CMP, L_SUM, L_TERM, L_UN, L_POW, L_POSTFIX, L_PRIM } level;

static level op_level(ast_op op) {
  switch (op) {
  case OP_THEN: case OP_UNTIL: case OP_REPEAT: case OP_ARROW: return L_LOW;
  case OP_OR: return L_OR;
  case OP_AND: return L_AND;
  case OP_NOT: return L_NOT;
  case OP_LT: case OP_GT: case OP_LE: case OP_GE: case OP_EQ: case OP_NE: return L_CMP;
  case OP_ADD: case OP_SUB: return L_SUM;
  case OP_MUL: case OP_DIV: case OP_FLOORDIV: case OP_MOD: case OP_MATMUL: return L_TERM;
  case OP_NEG: return L_UN;
  case OP_POW: return L_POW;
  default: return L_POSTFIX;
  }
}

static level level_of(const ast_expr *e) {
  if (e->kind == EXPR_LET) return L_EXPR;
  if (e->kind == EXPR_BINARY) return op_level(e->binary.op);
  if (e->kind == EXPR_UNARY) return op_level(e->unary.op);
  if (e->kind == EXPR_INDEX || e->kind == EXPR_FIELD || (e->kind == EXPR_CALL && e->call.of)) return L_POSTFIX;
  if ((e->kind == EXPR_INT && !e->integer.text && e->integer.value < 0) ||
      (e->kind == EXPR_REAL && !e->real.text && e->real.value < 0))
    return L_UN;
  return L_PRIM;
}

static void put_name(strbuf *out, const ast_name *n) {
  const char *s = n->name ? n->name : "";
  if (lex_needs_quotes(s)) strbuf_printf(out, "`%s`", s);
  else strbuf_puts(out, s);
}

static void put_string(strbuf *out, const char *s, size_t n) {
  strbuf_putc(out, '"');
  for (size_t i = 0; i < n; i++) {
    if (s[i] == '\n') strbuf_puts(out, "\\n");
    else if (s[i] == '"' || s[i] == '\\') strbuf_putc(out, '\\'), strbuf_putc(out, s[i]);
    else strbuf_putc(out, s[i]);
  }
  strbuf_putc(out, '"');
}

/* The shortest text that reads back as the same number, with a dot whatever the locale. */
static void put_real(strbuf *out, double v) {
  char text[40];
  for (int digits = 1; digits <= 17; digits++) {
    double back;
    snprintf(text, sizeof text, "%.*e", digits - 1, v);
    if (sscanf(text, "%lf", &back) == 1 && back == v) break;
  }
  for (char *c = text; *c; c++)
    if (!strchr("0123456789eE+-", *c)) *c = '.';
  strbuf_puts(out, text);
}

static void put_expr(strbuf *out, const ast_expr *e, level least);

static void put_args(strbuf *out, const ast_args *args, level least) {
  for (size_t i = 0; i < args->n; i++) {
    if (i) strbuf_puts(out, ", ");
    if (args->items[i].name.name) {
      put_name(out, &args->items[i].name);
      strbuf_puts(out, " = ");
    }
    put_expr(out, args->items[i].value, least);
  }
}

static void put_exprs(strbuf *out, const ast_exprs *list) {
  for (size_t i = 0; i < list->n; i++) {
    if (i) strbuf_puts(out, ", ");
    put_expr(out, list->items[i], L_EXPR);
  }
}

static void put_iter(strbuf *out, const ast_iter *iter) {
  for (size_t i = 0; i < iter->n; i++) {
    const ast_range *r = &iter->items[i];
    if (i) strbuf_puts(out, ", ");
    put_name(out, &r->var);
    strbuf_puts(out, " in ");
    if (r->over) {
      put_expr(out, r->over, L_SUM);
      continue;
    }
    put_expr(out, r->lo, L_SUM);
    strbuf_puts(out, "..");
    put_expr(out, r->hi, L_SUM);
    if (r->by) strbuf_puts(out, " by "), put_expr(out, r->by, L_SUM);
  }
  if (iter->cond) strbuf_puts(out, " if "), put_expr(out, iter->cond, L_EXPR);
}

static void put_unary(strbuf *out, const ast_expr *e) {
  switch (e->unary.op) {
  case OP_NEG:
    strbuf_putc(out, '-');
    put_expr(out, e->unary.arg, L_UN);
    break;
  case OP_NOT:
    strbuf_puts(out, "not ");
    put_expr(out, e->unary.arg, L_NOT);
    break;
  default:
    put_expr(out, e->unary.arg, L_POSTFIX);
    strbuf_putc(out, '\'');
    break;
  }
}

static void put_binary(strbuf *out, const ast_expr *e) {
  level own = op_level(e->binary.op), left = own, right = (level)(own + 1);
  if (e->binary.op == OP_ARROW) left = L_OR;
  if (own == L_CMP) left = L_SUM;
  if (own == L_POW) left = L_POSTFIX, right = L_UN;
  put_expr(out, e->binary.lhs, left);
  strbuf_printf(out, own == L_POW ? "%s" : " %s ", ast_op_text(e->binary.op));
  put_expr(out, e->binary.rhs, right);
}

static void put_bare(strbuf *out, const ast_expr *e) {
  switch (e->kind) {
  case EXPR_ERROR: strbuf_puts(out, "`<error>`"); break;
  case EXPR_INT:
    if (e->integer.text) strbuf_puts(out, e->integer.text);
    else strbuf_printf(out, "%lld", (long long)e->integer.value);
    break;
  case EXPR_REAL:
    if (e->real.text) strbuf_puts(out, e->real.text);
    else put_real(out, e->real.value);
    break;
  case EXPR_BOOL: strbuf_puts(out, e->boolean ? "true" : "false"); break;
  case EXPR_STRING: put_string(out, e->string.bytes, e->string.len); break;
  case EXPR_NAME: put_name(out, &e->name); break;
  case EXPR_UNARY: put_unary(out, e); break;
  case EXPR_BINARY: put_binary(out, e); break;
  case EXPR_CALL:
    if (e->call.of) {
      put_expr(out, e->call.of, L_POSTFIX);
      strbuf_putc(out, '.');
    }
    put_name(out, &e->call.fn);
    strbuf_putc(out, '(');
    put_args(out, &e->call.args, L_EXPR);
    strbuf_putc(out, ')');
    break;
  case EXPR_REDUCE:
    put_name(out, &e->reduce.fn);
    strbuf_putc(out, '(');
    put_expr(out, e->reduce.body, L_EXPR);
    strbuf_puts(out, " for ");
    put_iter(out, &e->reduce.iter);
    strbuf_putc(out, ')');
    break;
  case EXPR_ARRAY:
    strbuf_putc(out, '[');
    put_exprs(out, &e->array.elems);
    strbuf_putc(out, ']');
    break;
  case EXPR_COMPREHENSION:
    strbuf_putc(out, '[');
    put_expr(out, e->comprehension.body, L_EXPR);
    strbuf_puts(out, " for ");
    put_iter(out, &e->comprehension.iter);
    strbuf_putc(out, ']');
    break;
  case EXPR_INDEX:
    put_expr(out, e->index.base, L_POSTFIX);
    strbuf_putc(out, '[');
    put_exprs(out, &e->index.subs);
    strbuf_putc(out, ']');
    break;
  case EXPR_FIELD:
    put_expr(out, e->field.base, L_POSTFIX);
    strbuf_putc(out, '.');
    put_name(out, &e->field.field);
    break;
  case EXPR_IF:
    strbuf_puts(out, "if ");
    put_expr(out, e->if_.cond, L_EXPR);
    strbuf_puts(out, " { ");
    put_expr(out, e->if_.then, L_EXPR);
    strbuf_puts(out, " } else ");
    if (e->if_.else_->kind == EXPR_IF) {
      put_bare(out, e->if_.else_);
    } else {
      strbuf_puts(out, "{ ");
      put_expr(out, e->if_.else_, L_EXPR);
      strbuf_puts(out, " }");
    }
    break;
  case EXPR_LET:
    strbuf_puts(out, "let ");
    put_name(out, &e->let.var);
    strbuf_puts(out, " = ");
    put_expr(out, e->let.value, L_EXPR);
    strbuf_puts(out, " in ");
    put_expr(out, e->let.body, L_EXPR);
    break;
  case EXPR_RANGE:
    put_expr(out, e->range.lo, L_SUM);
    strbuf_puts(out, "..");
    put_expr(out, e->range.hi, L_SUM);
    break;
  case EXPR_ALL: strbuf_putc(out, ':'); break;
  }
}

static void put_expr(strbuf *out, const ast_expr *e, level least) {
  bool parens = level_of(e) < least;
  if (parens) strbuf_putc(out, '(');
  put_bare(out, e);
  if (parens) strbuf_putc(out, ')');
}

void ast_print_expr(strbuf *out, const ast_expr *e) { put_expr(out, e, L_EXPR); }

const char *ast_expr_text(arena *a, const ast_expr *e) {
  strbuf b;
  strbuf_init(&b, a);
  ast_print_expr(&b, e);
  return b.s;
}

bool ast_same_text(arena *a, const ast_expr *x, const ast_expr *y) { return strcmp(ast_expr_text(a, x), ast_expr_text(a, y)) == 0; }

void ast_print_type(strbuf *out, const ast_type *t) {
  if (t->kind == TYPE_RANGE) {
    put_expr(out, t->lo, L_PRIM);
    strbuf_puts(out, "..");
    put_expr(out, t->hi, L_SUM);
    return;
  }
  put_name(out, &t->name);
  if (t->bounds.n) {
    strbuf_putc(out, '<');
    put_args(out, &t->bounds, L_SUM);
    strbuf_putc(out, '>');
  }
  if (t->args.n) {
    strbuf_putc(out, '(');
    put_exprs(out, &t->args);
    strbuf_putc(out, ')');
  }
  if (t->dims.n == 0) return;
  strbuf_putc(out, '[');
  for (size_t i = 0; i < t->dims.n; i++) {
    const ast_dim *d = &t->dims.items[i];
    if (i) strbuf_puts(out, ", ");
    if (d->var.name) {
      put_name(out, &d->var);
      strbuf_puts(out, " in ");
      put_expr(out, d->lo, L_SUM);
      strbuf_puts(out, "..");
    }
    put_expr(out, d->size, d->var.name ? L_SUM : L_EXPR);
  }
  strbuf_putc(out, ']');
}

static void indent(strbuf *out, int depth) {
  for (int i = 0; i < depth; i++) strbuf_puts(out, "  ");
}

void ast_print_place(strbuf *out, const ast_target *t) {
  put_name(out, &t->name);
  if (t->subs.n) {
    strbuf_putc(out, '[');
    put_exprs(out, &t->subs);
    strbuf_putc(out, ']');
  }
}

static void put_target(strbuf *out, const ast_target *t) {
  ast_print_place(out, t);
  if (t->type) strbuf_puts(out, ": "), ast_print_type(out, t->type);
}

static void put_params(strbuf *out, const ast_params *params) {
  strbuf_putc(out, '(');
  for (size_t i = 0; i < params->n; i++) {
    const ast_param *q = &params->items[i];
    if (i) strbuf_puts(out, ", ");
    put_name(out, &q->name);
    if (q->type) strbuf_puts(out, ": "), ast_print_type(out, q->type);
    if (q->default_) strbuf_puts(out, " = "), put_expr(out, q->default_, L_EXPR);
  }
  strbuf_putc(out, ')');
}

static void put_stmt(strbuf *out, const ast_stmt *s, int depth);

static void put_block(strbuf *out, const ast_block *b, int depth) {
  strbuf_putc(out, '{');
  if (b->n) strbuf_putc(out, '\n');
  for (size_t i = 0; i < b->n; i++) {
    indent(out, depth + 1);
    put_stmt(out, b->items[i], depth + 1);
    strbuf_putc(out, '\n');
  }
  if (b->n) indent(out, depth);
  strbuf_putc(out, '}');
}

static void put_if(strbuf *out, const ast_stmt *s, int depth) {
  for (;;) {
    strbuf_puts(out, "if ");
    put_expr(out, s->if_.cond, L_EXPR);
    strbuf_putc(out, ' ');
    put_block(out, s->if_.then, depth);
    if (!s->if_.else_) return;
    strbuf_puts(out, " else ");
    if (!s->if_.chained) break;
    s = s->if_.else_->items[0];
    if (s->kind != STMT_IF) return;
  }
  put_block(out, s->if_.else_, depth);
}

/* A command or member whose name is also a statement's keyword was written in back quotes, and must be again. */
static void put_leading_name(strbuf *out, const ast_name *n) {
  if (lex_keyword_name(n->name)) strbuf_printf(out, "`%s`", n->name);
  else put_name(out, n);
}

/* A word and its expression, which may be missing. */
static void put_clause(strbuf *out, const char *word, const ast_expr *e) {
  if (!e) return;
  strbuf_puts(out, word);
  put_expr(out, e, L_EXPR);
}

static void put_definition(strbuf *out, const char *word, const ast_target *t, const ast_expr *value) {
  strbuf_puts(out, word);
  put_target(out, t);
  put_clause(out, " = ", value);
}

static void put_loop(strbuf *out, const char *word, const ast_iter *iter, const ast_expr *until, const ast_block *body, int depth) {
  strbuf_puts(out, word);
  put_iter(out, iter);
  put_clause(out, " until ", until);
  strbuf_putc(out, ' ');
  put_block(out, body, depth);
}

static void put_variable(strbuf *out, const char *word, const ast_stmt *s) {
  strbuf_puts(out, word);
  put_name(out, &s->variable.name);
  strbuf_puts(out, ": ");
  ast_print_type(out, s->variable.type);
  put_clause(out, " every ", s->variable.every);
  put_clause(out, " start ", s->variable.start);
  put_clause(out, " step ", s->variable.step);
  put_clause(out, " ~ ", s->variable.dist);
}

static void put_stmt(strbuf *out, const ast_stmt *s, int depth) {
  switch (s->kind) {
  case STMT_ERROR:
    strbuf_puts(out, "`<error>`");
    if (s->error.body) strbuf_putc(out, ' '), put_block(out, s->error.body, depth);
    break;
  case STMT_SAMPLE:
    put_target(out, &s->sample.target);
    put_clause(out, " ~ ", s->sample.dist);
    if (s->sample.iter.n) strbuf_puts(out, " for "), put_iter(out, &s->sample.iter);
    break;
  case STMT_LET: put_definition(out, "let ", &s->let.target, s->let.value); break;
  case STMT_ASSIGN: put_definition(out, "", &s->assign.target, s->assign.value); break;
  case STMT_PREFER: put_definition(out, "prefer ", &s->prefer.target, s->prefer.value); break;
  case STMT_PLATE: put_loop(out, "plate ", &s->plate.iter, NULL, s->plate.body, depth); break;
  case STMT_FOR: put_loop(out, "for ", &s->for_.iter, s->for_.until, s->for_.body, depth); break;
  case STMT_IF: put_if(out, s, depth); break;
  case STMT_TRACK:
    strbuf_puts(out, "track ");
    put_args(out, &s->track.items, L_EXPR);
    break;
  case STMT_PREDICT:
    strbuf_puts(out, "predict ");
    if (s->predict.braces) put_block(out, s->predict.body, depth);
    else put_stmt(out, s->predict.body->items[0], depth);
    break;
  case STMT_REPLICATE:
    strbuf_puts(out, "predict ");
    put_name(out, &s->replicate);
    break;
  case STMT_ENERGY: put_clause(out, "energy ", s->value); break;
  case STMT_FACTOR: put_clause(out, "factor ", s->value); break;
  case STMT_RETURN: put_clause(out, "return ", s->value); break;
  case STMT_BELIEFS: put_clause(out, "beliefs ", s->value); break;
  case STMT_PLAN: put_clause(out, "plan ", s->value); break;
  case STMT_COMMAND:
    put_leading_name(out, &s->value->call.fn);
    if (s->value->call.args.n) {
      strbuf_putc(out, '(');
      put_args(out, &s->value->call.args, L_EXPR);
      strbuf_putc(out, ')');
    }
    break;
  case STMT_ACTION: put_variable(out, "action ", s); break;
  case STMT_STATE: put_variable(out, "state ", s); break;
  case STMT_OBSERVE: put_variable(out, "observe ", s); break;
  case STMT_LEARN:
    strbuf_puts(out, "learn ");
    put_name(out, &s->learn.name);
    put_clause(out, " ~ ", s->learn.dist);
    if (s->learn.options.n) strbuf_puts(out, ", "), put_args(out, &s->learn.options, L_EXPR);
    break;
  case STMT_MEMBER:
    put_leading_name(out, &s->member.name);
    put_params(out, &s->member.params);
    strbuf_puts(out, s->member.value ? " = " : " ");
    if (s->member.value) put_expr(out, s->member.value, L_EXPR);
    else put_block(out, s->member.body, depth);
    break;
  case STMT_GROUP: put_stmt(out, s->group.of, depth); break;
  }
}

static void put_run(strbuf *out, const ast_run *r) {
  strbuf_printf(out, "%s ", ast_verb_text(r->verb));
  put_name(out, &r->model);
  if (r->world.name) strbuf_puts(out, " in "), put_name(out, &r->world);
  if (r->steps) strbuf_puts(out, " for "), put_expr(out, r->steps, L_EXPR), strbuf_puts(out, " steps");
  /* Behind an annealing schedule, `until` would become the schedule's. */
  bool early = r->until && r->verb == VERB_ANNEAL;
  level least = r->until ? L_LOW : L_EXPR;
  if (early) strbuf_puts(out, " until "), put_expr(out, r->until, L_EXPR);
  if (r->on.n) strbuf_puts(out, " on "), put_args(out, &r->on, least);
  if (r->given.n) strbuf_puts(out, " given "), put_args(out, &r->given, least);
  if (r->with.n) strbuf_puts(out, " with "), put_args(out, &r->with, least);
  if (r->using_) strbuf_puts(out, " using "), put_expr(out, r->using_, least);
  if (r->until && !early) strbuf_puts(out, " until "), put_expr(out, r->until, L_OR);
  if (r->as.name) strbuf_puts(out, " as "), put_name(out, &r->as);
}

static void put_decl(strbuf *out, const ast_decl *d) {
  static const char *const words[] = {[DECL_MODEL] = "model ", [DECL_AGENT] = "agent ",       [DECL_WORLD] = "world ",
                                      [DECL_FN] = "fn ",       [DECL_DIST] = "dist ", [DECL_SCHEDULE] = "schedule "};
  switch (d->kind) {
  case DECL_ERROR:
    strbuf_puts(out, "`<error>`");
    if (d->body) strbuf_putc(out, ' '), put_block(out, d->body, 0);
    return;
  case DECL_IMPORT:
    strbuf_puts(out, "import ");
    put_expr(out, d->value, L_EXPR);
    return;
  case DECL_RUN: put_run(out, d->run); return;
  default: break;
  }
  if (d->memo.file) {
    strbuf_puts(out, "@memo");
    if (d->memo_options.n) strbuf_putc(out, '('), put_args(out, &d->memo_options, L_EXPR), strbuf_putc(out, ')');
    strbuf_putc(out, '\n');
  }
  strbuf_puts(out, words[d->kind]);
  put_name(out, &d->name);
  if (d->has_params) put_params(out, &d->params);
  if (d->owner.name) strbuf_puts(out, " for "), put_name(out, &d->owner);
  if (d->type) strbuf_puts(out, d->kind == DECL_DIST ? " on " : ": "), ast_print_type(out, d->type);
  if (d->value) strbuf_puts(out, " = "), put_expr(out, d->value, L_EXPR);
  if (d->body) strbuf_putc(out, ' '), put_block(out, d->body, 0);
}

void ast_print(strbuf *out, const ast_file *file) {
  for (size_t i = 0; i < file->n; i++) {
    if (i && (file->items[i]->body || file->items[i - 1]->body)) strbuf_putc(out, '\n');
    put_decl(out, file->items[i]);
    strbuf_putc(out, '\n');
  }
}
