/* parse.c: drives the grammar over the tokens, and recovers from errors.
 *
 * Before a token is fed, the grammar is asked whether it can take it.  If not, the error is reported and tokens are skipped
 * up to the end of the statement, or up to a `{` that starts the body the statement was going to have.  There the grammar
 * goes on: with what it has, when that is a complete statement, else with an erroneous statement in its place.  So the
 * statements of a misspelt plate are still checked, and braces still match. */
#include "lang/parse.h"
#include "lang/build.h"
#include "lang/grammar.h"

#include <string.h>

/* Errors beyond those shown that end the parse; it bounds the time a hopeless file takes. */
enum { HOPELESS = 100 };

static void note_progress(parser *p, token t) {
  p->before = t;
  if (t.kind == T_SEP || t.kind == T_LC || t.kind == T_RC) {
    p->nwords = 0;
    p->binds = false;
    return;
  }
  if (p->nwords == 0) p->reported = p->diags->errors + p->diags->dropped;
  if (p->nwords < 4) p->words[p->nwords] = t;
  p->nwords++;
  bool outside = p->tokens.nopen == 0 || p->tokens.open[p->tokens.nopen - 1].kind == T_LC;
  if (outside && (t.kind == T_TILDE || t.kind == T_EQ)) p->binds = true;
  if (p->nwords == 1 && (t.kind == T_LET || t.kind == T_RETURN || t.kind == T_ENERGY || t.kind == T_FACTOR)) p->binds = true;
}

static void feed(parser *p, token t) {
  grammar_feed(p->engine, t.kind, t, p);
  note_progress(p, t);
}

static bool accepts(const parser *p, int kind) { return grammar_accepts(p->engine, kind, false); }

static token synthetic(int kind, token at) { return (token){.kind = kind, .off = at.off, .len = 0}; }

/* Feeds a token at which recovery ends.  False when it fits nowhere: a stray `}`.  Of a statement that goes wrong in its
 * first words nothing is kept, nor where `all` of it is wrong: `s <- 3` is not the command `s`. */
static bool resume(parser *p, token sync, token bad, bool all) {
  if (!accepts(p, sync.kind) || (p->nwords > 0 && (all || p->nwords < 3) && sync.kind != T_LC)) {
    bad.kind = T_BAD;
    if (!grammar_recover(p->engine, sync.kind, bad, p)) return false;
  }
  feed(p, sync);
  return true;
}

/* `real<lower = 0>= 1`: the `>=` is two tokens glued together. */
static bool split_glued(parser *p, token t) {
  if (t.kind != T_GE || !accepts(p, T_GT)) return false;
  token gt = {.kind = T_GT, .off = t.off, .len = 1}, eq = {.kind = T_EQ, .off = t.off + 1, .len = 1};
  feed(p, gt);
  if (accepts(p, T_EQ)) feed(p, eq);
  return true;
}

/* Skips to a place where parsing can go on, and goes on there.  Returns false at the end of the file. */
static bool recover(parser *p, token t) {
  token bad = p->nwords ? p->words[0] : t;
  if (bad.off <= t.off) bad.len = t.off + t.len - bad.off;
  const bool draws = t.kind == T_TILDE; /* `log(y) ~ D` is not the command `log(y)` */
  /* An unclosed bracket had swallowed the newline in front of this line. */
  bool in_parens = p->tokens.nopen && p->tokens.open[p->tokens.nopen - 1].kind != T_LC;
  if (in_parens && p->tokens.at_line_start && t.kind != T_RP && t.kind != T_RB && t.kind != T_COMMA) {
    tokens_close_parens(&p->tokens);
    if (resume(p, synthetic(T_SEP, t), bad, draws) && accepts(p, t.kind)) {
      feed(p, t);
      return true;
    }
  }
  /* A statement behind a block on one line, without the `;` between. */
  if (p->before.kind == T_RC && !in_parens && accepts(p, T_SEP)) {
    feed(p, synthetic(T_SEP, t));
    if (accepts(p, t.kind)) {
      feed(p, t);
      return true;
    }
  }
  size_t nest = 0;
  for (;; t = tokens_next(&p->tokens)) {
    tokens_close_parens(&p->tokens);
    switch (t.kind) {
    case LEX_EOF:
      return false;
    case T_LC:
      if (nest == 0 && (accepts(p, T_LC) || !p->binds) && resume(p, t, bad, draws)) return true;
      nest++;
      break;
    case T_RC:
      if (nest) nest--;
      else if (resume(p, t, bad, draws)) return true;
      break;
    case T_SEP:
      if (nest == 0 && resume(p, t, bad, draws)) return true;
      break;
    default:
      break;
    }
  }
}

/* Whether t, the first token of a statement inside a block, can only be the start of a declaration: then the block before
 * it lacks its brace. */
static bool starts_declaration(parser *p, token t) {
  token next = tokens_peek(&p->tokens, 0), then = tokens_peek(&p->tokens, 1);
  switch (t.kind) {
  case T_MODEL: case T_AGENT: case T_WORLD: case T_FN: case T_DIST:
    return next.kind == T_ID && then.kind == T_LP;
  case T_SCHEDULE:
    return next.kind == T_ID && (then.kind == T_LP || then.kind == T_EQ || then.kind == T_LC);
  case T_INFER: case T_ANNEAL: case T_SIMULATE: case T_GENERATE:
    return next.kind == T_ID;
  case T_MEMO: return true;
  case T_IMPORT:
    return next.kind == T_STR || next.kind == T_ID;
  default:
    return false;
  }
}

static void close_braces(parser *p, token t, bool reported) {
  tokens_close_parens(&p->tokens);
  while (p->tokens.nopen) {
    bracket b = p->tokens.open[--p->tokens.nopen];
    tokens_close_parens(&p->tokens);
    if (b.kind != T_LC) continue;
    /* One brace is usually missing, but which of the open ones is the writer's to see: the innermost is shown. */
    if (!reported) syntax_missing_brace(p, t, b.at);
    reported = true;
    token bad = t;
    resume(p, synthetic(T_RC, t), bad, false);
  }
}

static void report_brackets(parser *p, token t) {
  diag *d = diag_add(p->diags, DIAG_ERROR, "E0206", build_span(p, t), "brackets nest more than %d levels deep", AST_MAX_BRACKETS);
  diag_help(p->diags, d, "name inner parts with `let`, or move them into a function");
}

static void run(parser *p, int start) {
  token t = {.kind = start};
  p->before.kind = -1;
  grammar_feed(p->engine, start, t, p);
  bool lost = false; /* the end came while skipping */
  for (;;) {
    t = tokens_next(&p->tokens);
    if (p->diags->dropped > HOPELESS) return;
    if (p->tokens.nopen > AST_MAX_BRACKETS || grammar_full(p->engine)) {
      report_brackets(p, t);
      return;
    }
    if (p->nwords == 0 && p->tokens.nopen && p->before.kind == T_SEP && starts_declaration(p, t)) {
      close_braces(p, t, false);
      if (accepts(p, T_SEP)) feed(p, synthetic(T_SEP, t));
    }
    if (t.kind == LEX_EOF) break;
    bool block = p->tokens.nopen == 0 || p->tokens.open[p->tokens.nopen - 1].kind == T_LC;
    if (p->nwords == 0) p->joint = (token){0};
    else if (block && p->tokens.at_line_start) p->joint = p->before;
    if (accepts(p, t.kind)) {
      feed(p, t);
      continue;
    }
    if (p->nwords == 0 || p->reported == p->diags->errors + p->diags->dropped) syntax_error(p, t);
    if (split_glued(p, t)) continue;
    if (!recover(p, t)) {
      t = (token){.kind = LEX_EOF, .off = source_get(p->map, p->file)->len};
      lost = true;
      break;
    }
  }
  /* The end of the file, maybe in the middle of something. */
  bool inside = false; /* a block */
  for (size_t i = 0; i < p->tokens.nopen; i++) inside = inside || p->tokens.open[i].kind == T_LC;
  bool cut = !lost && !accepts(p, inside ? T_RC : LEX_EOF);
  if (cut) syntax_error(p, t);
  close_braces(p, t, cut);
  if (!accepts(p, LEX_EOF)) {
    token bad = t;
    bad.kind = T_BAD;
    if (!grammar_recover(p->engine, LEX_EOF, bad, p)) return;
  }
  grammar_feed(p->engine, LEX_EOF, t, p);
}

static parser *parser_new(arena *a, intern_table *names, const source_map *m, int file, diag_list *diags) {
  parser *p = ARENA_NEW(a, parser);
  p->a = a;
  p->names = names;
  p->map = m;
  p->file = (uint32_t)file;
  p->diags = diags;
  p->ids = 1;
  p->engine = grammar_new(a);
  tokens_init(&p->tokens, names, m, file, diags);
  return p;
}

ast_file *parse_file(arena *a, intern_table *names, const source_map *m, int file, diag_list *diags) {
  parser *p = parser_new(a, names, m, file, diags);
  p->root = ARENA_NEW(a, ast_file);
  p->root->file = p->file;
  p->root->at = (span){p->file, 0, source_get(m, p->file)->len};
  run(p, T_START_FILE);
  p->root->ids = p->ids;
  placement_check(p, p->root);
  return p->root;
}

ast_expr *parse_expr(arena *a, intern_table *names, const source_map *m, int file, diag_list *diags) {
  size_t errors = diags->errors + diags->dropped;
  parser *p = parser_new(a, names, m, file, diags);
  p->root = ARENA_NEW(a, ast_file);
  run(p, T_START_EXPR);
  return diags->errors + diags->dropped == errors ? p->root_expr : NULL;
}
