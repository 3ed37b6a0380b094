/* lexer.re: one raw token at a time.
 *
 * A byte that belongs to no token is reported and skipped, so the grammar never sees it; a slip with an obvious meaning
 * (`&&`) is reported and read as what was meant. */
#include "lang/lex.h"
#include "lang/grammar.h"

#include <string.h>

/*!include:re2c "unicode_categories.re" */

void lex_init(lexer *l, intern_table *names, const source_map *m, int file, diag_list *diags) {
  const source_file *f = source_get(m, (uint32_t)file);
  l->text = f->text;
  l->end = f->text + f->len;
  l->at = f->text;
  l->file = (uint32_t)file;
  l->names = names;
  l->diags = diags;
  if (f->len >= 3 && memcmp(f->text, "\xef\xbb\xbf", 3) == 0) l->at += 3; /* a byte order mark */
  /* Each second byte of UTF-16 would have a message of its own. */
  if (f->len < 2 || (memcmp(f->text, "\xff\xfe", 2) != 0 && memcmp(f->text, "\xfe\xff", 2) != 0)) return;
  diag *d = diag_add(diags, DIAG_ERROR, "E0101", (span){l->file, 0, 0}, "this file is UTF-16");
  diag_help(diags, d, "save the file as UTF-8");
  l->at = l->end;
}

void lex_skip_line(lexer *l) {
  while (l->at < l->end && *l->at != '\n' && *l->at != '\r') l->at++;
}

typedef struct keyword {
  const char *text;
  int kind;
} keyword;

int lex_keyword(const char *s, size_t n) {
  static const keyword table[] = {
      {"action", T_ACTION}, {"agent", T_AGENT},     {"and", T_AND},           {"anneal", T_ANNEAL},
      {"as", T_AS},         {"beliefs", T_BELIEFS}, {"by", T_BY},             {"dist", T_DIST},
      {"else", T_ELSE},     {"energy", T_ENERGY},   {"every", T_EVERY},       {"factor", T_FACTOR},
      {"false", T_FALSE},   {"fn", T_FN},           {"for", T_FOR},           {"generate", T_GENERATE},
      {"given", T_GIVEN},   {"if", T_IF},           {"import", T_IMPORT},     {"in", T_IN},
      {"infer", T_INFER},   {"learn", T_LEARN},     {"let", T_LET},           {"model", T_MODEL},
      {"not", T_NOT},       {"observe", T_OBSERVE}, {"on", T_ON},             {"or", T_OR},
      {"plan", T_PLAN},     {"plate", T_PLATE},     {"predict", T_PREDICT},   {"prefer", T_PREFER},
      {"repeat", T_REPEAT}, {"return", T_RETURN},   {"schedule", T_SCHEDULE}, {"simulate", T_SIMULATE},
      {"start", T_START},   {"state", T_STATE},     {"step", T_STEP},         {"steps", T_STEPS},
      {"then", T_THEN},     {"track", T_TRACK},     {"true", T_TRUE},         {"until", T_UNTIL},
      {"using", T_USING},   {"with", T_WITH},       {"world", T_WORLD},
  };
  size_t lo = 0, hi = sizeof table / sizeof *table;
  while (lo < hi) {
    size_t mid = (lo + hi) / 2;
    int c = strncmp(table[mid].text, s, n);
    if (c == 0 && table[mid].text[n] != '\0') c = 1;
    if (c == 0) return table[mid].kind;
    if (c < 0) lo = mid + 1;
    else hi = mid;
  }
  return T_ID;
}

bool lex_keyword_name(const char *name) { return lex_keyword(name, strlen(name)) != T_ID; }

static token make(const lexer *l, int kind, const char *from) {
  return (token){kind, (uint32_t)(from - l->text), (uint32_t)(l->at - from), NULL};
}

static token named(lexer *l, int kind, const char *from) {
  token t = make(l, kind, from);
  t.name = intern_bytes(l->names, from, (size_t)(l->at - from));
  return t;
}

static span span_of(const lexer *l, const char *from, const char *to) {
  return (span){l->file, (uint32_t)(from - l->text), (uint32_t)(to - from)};
}

/* A slip: what was written is read as what was meant. */
static token meant(lexer *l, int kind, const char *from, const char *message, const char *help) {
  diag *d = diag_add(l->diags, DIAG_ERROR, "E0102", span_of(l, from, l->at), "%s", message);
  diag_help(l->diags, d, "%s", help);
  return make(l, kind, from);
}

static token back_quoted(lexer *l, const char *from) {
  token t = make(l, T_ID, from);
  size_t n = (size_t)(l->at - from) - 2;
  if (n == 0) {
    diag *d = diag_add(l->diags, DIAG_ERROR, "E0106", span_of(l, from, l->at), "empty name between back quotes");
    diag_help(l->diags, d, "back quotes hold a column's name, as in `` `Sepal.Length` ``");
  }
  t.name = n ? intern_bytes(l->names, from + 1, n) : intern(l->names, "_");
  return t;
}

static void bad_byte(lexer *l, const char *from) {
  unsigned char c = (unsigned char)*from;
  span at = span_of(l, from, l->at);
  if (c == 0) {
    diag *d = diag_add(l->diags, DIAG_ERROR, "E0101", at, "a NUL byte in the source");
    diag_help(l->diags, d, "is this a text file, saved as UTF-8?");
  } else if (c >= 0x80) {
    diag *d = diag_add(l->diags, DIAG_ERROR, "E0101", at, "byte 0x%02x is not valid UTF-8", c);
    diag_help(l->diags, d, "save the file as UTF-8");
  } else if (c < 0x20 || c == 0x7f) {
    diag_add(l->diags, DIAG_ERROR, "E0101", at, "control character 0x%02x in the source", c);
  } else {
    diag *d = diag_add(l->diags, DIAG_ERROR, "E0101", at, "`%c` means nothing in AIM", c);
    if (c == '?') diag_help(l->diags, d, "a choice is written `if c { a } else { b }` or `select(c, a, b)`");
    if (c == '&') diag_help(l->diags, d, "the logical operators are `and`, `or` and `not`");
    if (c == '|') diag_help(l->diags, d, "the density of a distribution at x is `logpdf(Normal(mu, sigma), x)`; the logical operators are `and`, `or` and `not`");
    if (c == '$') diag_help(l->diags, d, "a field is read with `.`, as in `hs.beta`");
  }
}

static void bad_character(lexer *l, const char *from) {
  int n = (int)(l->at - from);
  diag *d = diag_add(l->diags, DIAG_ERROR, "E0101", span_of(l, from, l->at), "`%.*s` means nothing in AIM", n, from);
  diag_help(l->diags, d, "names are made of letters, digits and `_`; an odd one goes between back quotes");
}

/* Behind an integer's digits: `1.` and `1.x` are reals half written, `1..` is a range. */
static token integer(lexer *l, const char *from) {
  if (l->at < l->end && *l->at == '.' && (l->at + 1 >= l->end || l->at[1] != '.')) {
    l->at++;
    int n = (int)(l->at - from);
    diag *d = diag_add(l->diags, DIAG_ERROR, "E0103", span_of(l, from, l->at), "`%.*s` lacks digits after the dot", n, from);
    bool letter_follows = l->at < l->end && ((*l->at | 32) >= 'a' && (*l->at | 32) <= 'z');
    if (letter_follows) diag_help(l->diags, d, "the name of a file is a string: \"data.json\"");
    else diag_help(l->diags, d, "write `%.*s0`: a real number has digits on both sides of its dot", n, from);
    return make(l, T_REAL, from);
  }
  return make(l, T_INT, from);
}

token lex_next(lexer *l) {
  const char *from, *marker = NULL;
  for (;;) {
    from = l->at;
    /*!re2c
      re2c:define:YYCTYPE = "unsigned char";
      re2c:define:YYCURSOR = "l->at";
      re2c:define:YYLIMIT = "l->end";
      re2c:define:YYMARKER = marker;
      re2c:yyfill:enable = 0;
      re2c:eof = 0;
      re2c:encoding-policy = fail;

      letter = L | Nl | "_";
      id     = letter (letter | Mn | Mc | Nd | No)*;
      digits = [0-9]+;
      expo   = [eE] [+-]? digits;
      any    = [^\x00];

      $            { return make(l, LEX_EOF, from); }
      [ \t\f]+     { continue; }
      [\u00a0\u200b\u2009\u202f] { continue; }
      "\r\n" | "\n" | "\r" { return make(l, LEX_NEWLINE, from); }
      "#" [^\n\r\x00]* { lex_skip_line(l); continue; }

      id {
        int kind = lex_keyword(from, (size_t)(l->at - from));
        return named(l, kind, from);
      }
      "`" [^`\x00-\x1f\x7f]* "`" { return back_quoted(l, from); }
      "`" {
        lex_skip_line(l);
        diag *d = diag_add(l->diags, DIAG_ERROR, "E0106", span_of(l, from, from + 1), "no closing back quote on this line");
        diag_help(l->diags, d, "a back-quoted name ends on its line and has no tab in it, as in `` `Sepal.Length` ``");
        token t = make(l, T_ID, from);
        t.name = intern(l->names, "_");
        return t;
      }

      digits                    { return integer(l, from); }
      digits "." digits expo?   { return make(l, T_REAL, from); }
      digits expo               { return make(l, T_REAL, from); }
      digits [eE] [+-]? {
        /* `2e` without an exponent, or a number that runs into a name. */
        if (l->at[-1] == '+' || l->at[-1] == '-') l->at--;
        diag_add(l->diags, DIAG_ERROR, "E0103", span_of(l, from, l->at), "`%.*s` lacks the digits of its exponent",
                 (int)(l->at - from), from);
        return make(l, T_REAL, from);
      }
      digits letter (letter | Mn | Mc | Nd)* {
        const char *name = from;
        while (*name >= '0' && *name <= '9') name++;
        int digits = (int)(name - from), rest = (int)(l->at - name);
        diag *d = diag_add(l->diags, DIAG_ERROR, "E0103", span_of(l, from, l->at), "a number runs into a name");
        diag_help(l->diags, d, "names start with a letter; a product is written `%.*s * %.*s`", digits, from, rest, name);
        return make(l, T_INT, from);
      }
      "." digits expo? {
        diag *d = diag_add(l->diags, DIAG_ERROR, "E0103", span_of(l, from, l->at), "`%.*s` lacks digits before the dot",
                           (int)(l->at - from), from);
        diag_help(l->diags, d, "write `0%.*s`: a real number has digits on both sides of its dot", (int)(l->at - from), from);
        return make(l, T_REAL, from);
      }

      ["] ([^"\\\n\r\x00] | [\\] [^\n\r\x00])* ["] { return make(l, T_STR, from); }
      ["] {
        diag *d = diag_add(l->diags, DIAG_ERROR, "E0105", span_of(l, from, from + 1), "this string has no end on its line");
        diag_help(l->diags, d, "close it with `\"`");
        lex_skip_line(l);
        return make(l, T_STR, from);
      }
      [\u201c\u201d\u201e] {
        lex_skip_line(l);
        const char *close = from + 3;
        while (close < l->at && memcmp(close, "\xe2\x80", 2) != 0 && *close != '"') close++;
        /* The last character of the line may be cut off in its middle. */
        if (close < l->at && *close == '"') l->at = close + 1;
        else if (l->at - close >= 3) l->at = close + 3;
        return meant(l, T_STR, from, "typographic quotes", "strings stand between plain quotes: \"...\"");
      }

      "("  { return make(l, T_LP, from); }
      ")"  { return make(l, T_RP, from); }
      "["  { return make(l, T_LB, from); }
      "]"  { return make(l, T_RB, from); }
      "{"  { return make(l, T_LC, from); }
      "}"  { return make(l, T_RC, from); }
      ","  { return make(l, T_COMMA, from); }
      ";"  { return make(l, T_SEP, from); }
      ":"  { return make(l, T_COLON, from); }
      "~"  { return make(l, T_TILDE, from); }
      "="  { return make(l, T_EQ, from); }
      "==" { return make(l, T_EQEQ, from); }
      "!=" { return make(l, T_NE, from); }
      "<"  { return make(l, T_LT, from); }
      "<=" { return make(l, T_LE, from); }
      ">"  { return make(l, T_GT, from); }
      ">=" { return make(l, T_GE, from); }
      "+"  { return make(l, T_PLUS, from); }
      "-"  { return make(l, T_MINUS, from); }
      "*"  { return make(l, T_STAR, from); }
      "/"  { return make(l, T_SLASH, from); }
      "//" { return make(l, T_SLASH2, from); }
      "%"  { return make(l, T_PCT, from); }
      "^"  { return make(l, T_CARET, from); }
      "@"  { return make(l, T_AT, from); }
      "'"  { return make(l, T_QUOTE, from); }
      "."  { return make(l, T_DOT, from); }
      ".." { return make(l, T_DOTDOT, from); }
      "->" { return make(l, T_ARROW, from); }
      "+=" | "-=" | "*=" | "/=" { return make(l, T_OPEQ, from); }

      "..." { return meant(l, T_DOTDOT, from, "`...` is not a range", "write `1..N`, with two dots"); }
      "**"  { return meant(l, T_CARET, from, "powers are not written `**`", "write `x^2`"); }
      "&&"  { return meant(l, T_AND, from, "`&&` is not an operator", "write `and`"); }
      "||"  { return meant(l, T_OR, from, "`||` is not an operator", "write `or`"); }
      "!"   { return meant(l, T_NOT, from, "`!` is not an operator", "write `not`"); }
      ":="  { return meant(l, T_EQ, from, "`:=` is not an operator", "write `let x = e` for a definition, `x ~ D` for a random variable"); }
      "===" { return meant(l, T_EQEQ, from, "`===` is not an operator", "write `==`"); }
      ".*"  { return meant(l, T_STAR, from, "`.*` is not an operator", "`*` is element-wise already; the matrix product is `@`"); }
      "./"  { return meant(l, T_SLASH, from, "`./` is not an operator", "`/` is element-wise already"); }
      ".^"  { return meant(l, T_CARET, from, "`.^` is not an operator", "`^` is element-wise already"); }
      "%*%" { return meant(l, T_AT, from, "`%*%` is not an operator", "the matrix product is `@`"); }
      "<>"  { return meant(l, T_NE, from, "`<>` is not an operator", "write `!=`"); }
      "=>"  { return meant(l, T_ARROW, from, "`=>` is not an operator", "write `->` for a schedule from one value to another, `>=` to compare"); }
      "\u2264" { return meant(l, T_LE, from, "`\xe2\x89\xa4` is not an operator", "write `<=`"); }
      "\u2265" { return meant(l, T_GE, from, "`\xe2\x89\xa5` is not an operator", "write `>=`"); }
      "\u2260" { return meant(l, T_NE, from, "`\xe2\x89\xa0` is not an operator", "write `!=`"); }
      "\u2212" { return meant(l, T_MINUS, from, "this minus sign is the typographic one", "write `-`"); }
      "\u00d7" | "\u00b7" | "\u22c5" { return meant(l, T_STAR, from, "this is a typographic product sign", "write `*`"); }
      "\u223c" { return meant(l, T_TILDE, from, "this tilde is the typographic one", "write `~`"); }

      "/*" {
        const char *to = l->at;
        while (to < l->end && !(to + 1 < l->end && to[0] == '*' && to[1] == '/')) to++;
        diag *d = diag_add(l->diags, DIAG_ERROR, "E0104", span_of(l, from, from + 2), "comments are not written `/* */`");
        diag_help(l->diags, d, "a comment starts with `#` and ends with the line");
        l->at = to < l->end ? to + 2 : to;
        continue;
      }

      [^\x00-\x7f] { bad_character(l, from); continue; }
      *            { l->at = from + 1; bad_byte(l, from); continue; }
    */
  }
}

/* Reads the name back with the scanner itself, so the two cannot disagree. */
bool lex_needs_quotes(const char *name) {
  size_t n = strlen(name);
  const char *at = name, *end = name + n, *marker = NULL;
  /*!re2c
    re2c:define:YYCURSOR = at;
    re2c:define:YYLIMIT = end;
    id {
      if (at != end) return true;
      switch (lex_keyword(name, n)) {
      case T_AND: case T_ELSE: case T_FALSE: case T_FOR: case T_IF: case T_IN: case T_LET: case T_NOT: case T_OR:
      case T_PLATE: case T_RETURN: case T_TRUE:
        return true;
      default:
        return false;
      }
    }
    $ { return true; }
    * { return true; }
  */
}
