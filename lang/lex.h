/* lex.h: bytes -> tokens.  Internal to lang/.
 *
 * Two layers.  lex_next reads one raw token, newlines included.  tokens_next (tokens.c) turns newlines into separators by
 * the language's rules, so that the grammar sees a SEP exactly between two statements: never first, last, doubled, after
 * `{` or before `}`. */
#ifndef AIM_LANG_LEX_H
#define AIM_LANG_LEX_H

#include "lang/diag.h"
#include "lang/intern.h"

/* What the lexer yields besides the grammar's terminals (lang/grammar.h, from 1); 0 is the end of the file. */
enum { LEX_EOF = 0, LEX_NEWLINE = 1000 };

typedef struct token {
  int kind;
  uint32_t off, len;
  const char *name; /* interned, of names and keywords; else NULL */
} token;

typedef struct lexer {
  const char *text, *end, *at;
  uint32_t file;
  intern_table *names;
  diag_list *diags;
} lexer;

void lex_init(lexer *l, intern_table *names, const source_map *m, int file, diag_list *diags);
token lex_next(lexer *l);
/* Moves to the end of the line. */
void lex_skip_line(lexer *l);

/* The terminal of a keyword, or the one of a plain name. */
int lex_keyword(const char *s, size_t n);
/* Whether a name must be back-quoted in source. */
bool lex_needs_quotes(const char *name);
/* Whether the word is a keyword anywhere. */
bool lex_keyword_name(const char *name);

enum { TOKENS_AHEAD = 3 };

typedef struct bracket {
  int kind; /* T_LP, T_LB or T_LC */
  span at;
} bracket;

typedef struct tokens {
  lexer lex;
  token raw[TOKENS_AHEAD]; /* read but not yet taken */
  int nraw;
  token last;            /* the last token handed out; kind -1 at the start */
  bool starts_statement; /* the next token is the first of a statement or declaration */
  bool at_line_start;    /* the last token handed out was the first on its line */
  bracket *open;         /* brackets open at this point, outermost first */
  size_t nopen, cap_open;
  span unclosed;         /* the `(` or `[` that the last token, a `}`, found open; file 0: none */
} tokens;

void tokens_init(tokens *t, intern_table *names, const source_map *m, int file, diag_list *diags);
token tokens_next(tokens *t);
/* The raw token i places after the next one to come, newlines skipped. */
token tokens_peek(tokens *t, int i);
/* Whether a line that ends with this token goes on in the next. */
bool tokens_join(int kind);
/* Forgets `(` and `[` left open since the last `{`, so that newlines count again: error recovery. */
void tokens_close_parens(tokens *t);

#endif
