/* tokens.c: the rules for newlines, and which words are keywords where.
 *
 * A newline ends a statement except inside ( ) and [ ], after a binary operator or a comma, before `{`, and before a line
 * that starts with a word continuing the statement (`with`, `else`, ...).  A brace inside parentheses opens a block
 * again, so the innermost open bracket decides. */
#include "lang/lex.h"
#include "lang/ast.h"
#include "lang/grammar.h"

#include <string.h>

void tokens_init(tokens *t, intern_table *names, const source_map *m, int file, diag_list *diags) {
  memset(t, 0, sizeof *t);
  lex_init(&t->lex, names, m, file, diags);
  t->last.kind = -1;
  t->starts_statement = true;
}

static span span_of(const tokens *t, token k) { return (span){t->lex.file, k.off, k.len}; }

/* The raw token i places ahead, newlines included. */
static token *ahead(tokens *t, int i) {
  while (t->nraw <= i) t->raw[t->nraw++] = lex_next(&t->lex);
  return &t->raw[i];
}

static void take(tokens *t) {
  ahead(t, 0);
  t->nraw--;
  memmove(t->raw, t->raw + 1, (size_t)t->nraw * sizeof *t->raw);
}

token tokens_peek(tokens *t, int i) {
  /* Runs of newlines would not fit the window; a newline is as good as the end of what is asked for. */
  return *ahead(t, i < TOKENS_AHEAD ? i : TOKENS_AHEAD - 1);
}

static bool in_parens(const tokens *t) {
  return t->nopen && t->open[t->nopen - 1].kind != T_LC;
}

/* Operators that can only stand between two operands; MINUS and NOT also start one, which does not matter here. */
bool tokens_join(int kind) {
  switch (kind) {
  case T_PLUS: case T_MINUS: case T_STAR: case T_SLASH: case T_SLASH2: case T_PCT: case T_CARET: case T_AT:
  case T_TILDE: case T_EQ: case T_EQEQ: case T_NE: case T_LT: case T_LE: case T_GE: case T_AND: case T_OR: case T_NOT:
  case T_COMMA: case T_DOT: case T_DOTDOT: case T_ARROW: case T_OPEQ: case T_IN: case T_LET: case T_MEMO:
    return true;
  default:
    return false;
  }
}

/* Operators that cannot start a statement, so that a line starting with one must be meant as a continuation. */
static bool joins_lines(int kind) {
  switch (kind) {
  case T_PLUS: case T_MINUS: case T_STAR: case T_SLASH: case T_PCT: case T_CARET: case T_AT: case T_EQEQ: case T_NE:
  case T_LT: case T_LE: case T_GE: case T_AND: case T_OR: case T_ARROW: case T_TILDE: case T_EQ: case T_COMMA: case T_DOTDOT:
    return true;
  default:
    return false;
  }
}

/* Whether the byte behind token k is c: `start[1]` is an element, `start [0.5, 0.5]` is a clause. */
static bool touches(const tokens *t, token k, char c) {
  const char *p = t->lex.text + k.off + k.len;
  return p < t->lex.end && *p == c;
}

/* A keyword followed by one of these is somebody's name. */
static bool named_by_what_follows(const tokens *t, token word, token next) {
  switch (next.kind) {
  case T_TILDE: case T_EQ: case T_COLON: case T_DOT: case T_COMMA: case T_OPEQ: case T_QUOTE:
    return true;
  case T_LB:
    return touches(t, word, '[');
  default:
    return false;
  }
}

/* Whether the line that starts with raw token 0 goes on with the statement before it. */
static bool continues(tokens *t) {
  token k = *ahead(t, 0);
  switch (k.kind) {
  case T_LC: case T_ELSE: case T_IN:
    return true;
  case T_ON: case T_WITH: case T_USING: case T_GIVEN: case T_THEN: case T_UNTIL: case T_AS: case T_START: case T_STEP: case T_EVERY:
    return !named_by_what_follows(t, k, *ahead(t, 1));
  default:
    return false;
  }
}

static void report_leading_operator(tokens *t, token k) {
  diag_list *diags = t->lex.diags;
  int n = (int)k.len;
  const char *s = t->lex.text + k.off;
  diag *d = diag_add(diags, DIAG_ERROR, "E0204", span_of(t, k), "a line cannot start with `%.*s`", n, s);
  diag_say(diags, d, "the statement ended with the line above");
  diag_help(diags, d, "end the line above with `%.*s`, or put the whole expression between parentheses", n, s);
}

/* A statement that starts with `//` is a comment from another language. */
static bool foreign_comment(tokens *t, token k) {
  if (k.kind != T_SLASH2) return false;
  diag_list *diags = t->lex.diags;
  diag *d = diag_add(diags, DIAG_ERROR, "E0104", span_of(t, k), "comments do not start with `//`");
  diag_help(diags, d, "write `#`; `//` is the division that rounds down");
  /* Tokens already read from this line go, and so does what is left of it. */
  bool ended = false;
  while (t->nraw && !ended) {
    ended = t->raw[0].kind == LEX_NEWLINE || t->raw[0].kind == LEX_EOF;
    if (!ended) take(t);
  }
  if (!ended) lex_skip_line(&t->lex);
  return true;
}

static void enter(tokens *t, token k) {
  bracket b = {k.kind, span_of(t, k)};
  ARENA_PUSH(t->lex.diags->a, t->open, t->nopen, t->cap_open, b);
}

/* A closing bracket closes its partner and whatever was left open inside it; a stray one closes nothing. */
static void leave(tokens *t, int opener) {
  for (size_t i = t->nopen; i-- > 0;) {
    if (t->open[i].kind == opener) {
      t->nopen = i;
      return;
    }
    if (t->open[i].kind == T_LC) return;
  }
}

void tokens_close_parens(tokens *t) {
  while (in_parens(t)) t->nopen--;
}

/* `@memo` in front of a declaration is one word. */
static void join_memo(tokens *t) {
  token at = *ahead(t, 0), word = *ahead(t, 1);
  if (at.kind != T_AT || word.kind != T_ID || t->nopen || word.off != at.off + at.len) return;
  if (strcmp(word.name, "memo") != 0) return;
  take(t);
  t->raw[0] = (token){.kind = T_MEMO, .off = at.off, .len = at.len + word.len};
}

/* Whether keyword k at the start of a statement is a keyword there. */
static bool keyword_here(tokens *t, token k) {
  return !named_by_what_follows(t, k, *ahead(t, 0));
}

static token hand_out(tokens *t, token k) {
  bool first = t->starts_statement;
  if (first && k.name && k.kind != T_ID) {
    switch (k.kind) {
    case T_AND: case T_ELSE: case T_FALSE: case T_FOR: case T_IF: case T_IN: case T_LET: case T_NOT: case T_OR: case T_PLATE:
    case T_RETURN: case T_TRUE:
      break;
    default:
      if (!keyword_here(t, k)) k.kind = T_ID;
    }
  }
  t->unclosed = (span){0};
  switch (k.kind) {
  case T_LP: case T_LB: case T_LC: enter(t, k); break;
  case T_RP: leave(t, T_LP); break;
  case T_RB: leave(t, T_LB); break;
  case T_RC:
    if (in_parens(t)) t->unclosed = t->open[t->nopen - 1].at;
    tokens_close_parens(t);
    leave(t, T_LC);
    break;
  default: break;
  }
  t->starts_statement = k.kind == T_SEP || k.kind == T_LC;
  t->last = k;
  return k;
}

token tokens_next(tokens *t) {
  token sep = {.kind = 0};
  bool have_sep = false, newline = false;
  for (;;) {
    token k = *ahead(t, 0);
    bool line = k.kind == LEX_NEWLINE;
    if (line || k.kind == T_SEP) {
      take(t);
      /* A `;` inside parentheses separates nothing; the grammar gets to see it and complain. */
      if (in_parens(t) && !line) return hand_out(t, k);
      newline = newline || line;
      if (in_parens(t) || (line && tokens_join(t->last.kind))) continue;
      if (!have_sep || !line) sep = k;
      have_sep = true;
      sep.kind = T_SEP;
      continue;
    }
    bool fresh = have_sep || t->starts_statement;
    if (fresh && k.kind == T_AT) {
      join_memo(t);
      k = *ahead(t, 0);
    }
    if (fresh && k.kind == T_SLASH2 && !in_parens(t)) {
      take(t);
      foreign_comment(t, k);
      continue;
    }
    t->at_line_start = newline || t->last.kind == -1;
    if (have_sep) {
      bool explicit_ = t->lex.text[sep.off] == ';';
      bool drop = t->starts_statement || t->last.kind == -1 || k.kind == T_RC || k.kind == LEX_EOF;
      if (!drop && !explicit_ && joins_lines(k.kind)) {
        report_leading_operator(t, k);
        drop = true;
      } else if (!drop && !explicit_ && continues(t)) {
        drop = true;
      }
      if (!drop) return hand_out(t, sep);
    }
    take(t);
    return hand_out(t, k);
  }
}
