/* syntax_error.c: what is said when a token cannot stand where it does.
 *
 * The set of terminals that could stand there comes from the parser's automaton; here it becomes words, coarse enough to
 * be read ("an expression" for its dozen of first tokens).  Before that come slips that have a
 * message of their own (syntax_habit.c) and misspelt keywords. */
#include "lang/grammar.h"
#include "lang/syntax_error.h"

#include <stdarg.h>
#include <string.h>

static const char *spelling(int kind) {
  static const char *const names[GRAMMAR_TERMINALS] = {
      [T_LP] = "`(`",         [T_RP] = "`)`",           [T_LB] = "`[`",         [T_RB] = "`]`",
      [T_LC] = "`{`",         [T_RC] = "`}`",           [T_COMMA] = "`,`",      [T_COLON] = "`:`",
      [T_TILDE] = "`~`",      [T_EQ] = "`=`",           [T_LT] = "`<`",         [T_GT] = "`>`",
      [T_DOTDOT] = "`..`",    [T_FOR] = "`for`",        [T_IF] = "`if`",        [T_ELSE] = "`else`",
      [T_IN] = "`in`",        [T_ON] = "`on`",          [T_GIVEN] = "`given`",  [T_WITH] = "`with`",
      [T_USING] = "`using`",  [T_UNTIL] = "`until`",    [T_AS] = "`as`",        [T_STEPS] = "`steps`",
      [T_EVERY] = "`every`",  [T_START] = "`start`",    [T_STEP] = "`step`",    [T_BY] = "`by`",
      [T_ID] = "a name",      [T_STR] = "a string",     [T_INT] = "an integer", [T_SEP] = "the end of the statement",
      [T_DOT] = "`.`",        [T_QUOTE] = "`'`",        [T_MINUS] = "`-`",      [T_LET] = "`let`",
      [T_PLATE] = "`plate`",  [T_ARROW] = "`->`",
  };
  return kind > 0 && kind < GRAMMAR_TERMINALS ? names[kind] : NULL;
}

enum { LISTED = 7 };

typedef struct expectation {
  bool can[GRAMMAR_TERMINALS]; /* exact terminals, LEX_EOF included */
  const char *words[LISTED];
  int nwords;
} expectation;

static void expect_word(expectation *e, const char *word) {
  if (word && e->nwords < LISTED) e->words[e->nwords++] = word;
}

static void forget(expectation *e, const int *kinds, size_t n) {
  for (size_t i = 0; i < n; i++) e->can[kinds[i]] = false;
}
#define FORGET(e, ...)                        \
  do {                                        \
    static const int kinds_[] = {__VA_ARGS__}; \
    forget((e), kinds_, sizeof kinds_ / sizeof *kinds_); \
  } while (0)

static void expected(parser *p, expectation *e) {
  memset(e, 0, sizeof *e);
  for (int k = 0; k <= T_FALSE; k++) {
    if (k == T_BAD || k == T_OPEQ || k == T_START_FILE || k == T_START_EXPR) continue;
    e->can[k] = grammar_accepts(p->engine, k, true);
  }
  bool after_operand = e->can[T_STAR];
  if (e->can[T_MODEL] && e->can[T_INFER]) {
    expect_word(e, "a declaration (`model`, `fn`, ...) or a statement such as `infer`");
    FORGET(e, T_MODEL, T_AGENT, T_WORLD, T_FN, T_DIST, T_SCHEDULE, T_IMPORT, T_MEMO, T_INFER, T_ANNEAL, T_SIMULATE, T_GENERATE, LEX_EOF);
  }
  if (e->can[T_PLATE]) {
    expect_word(e, "a statement");
    FORGET(e, T_ID, T_PLATE, T_FOR, T_IF, T_LET, T_RETURN, T_TRACK, T_PREDICT, T_ENERGY, T_FACTOR, T_ACTION, T_STATE, T_OBSERVE,
           T_PREFER, T_BELIEFS, T_PLAN, T_LEARN);
  }
  if (e->can[T_REAL]) {
    expect_word(e, "an expression");
    FORGET(e, T_ID, T_INT, T_REAL, T_STR, T_TRUE, T_FALSE, T_LP, T_LB, T_IF, T_MINUS, T_NOT, T_LET);
  } else if (e->can[T_ID] && e->can[T_INT]) {
    expect_word(e, "a type");
    FORGET(e, T_ID, T_INT);
  }
  if (after_operand)
    FORGET(e, T_PLUS, T_MINUS, T_STAR, T_SLASH, T_SLASH2, T_PCT, T_AT, T_CARET, T_LB, T_LP, T_QUOTE, T_DOT, T_THEN, T_REPEAT,
           T_ARROW, T_OR, T_AND, T_LT, T_GT, T_LE, T_GE, T_EQEQ, T_NE);
  if (after_operand && !(e->can[T_ON] || e->can[T_AS])) FORGET(e, T_UNTIL);
  if (after_operand && p->before.kind == T_ID) FORGET(e, T_LP);
  if (!after_operand && p->before.kind == T_RP) FORGET(e, T_DOT);
  static const int order[] = {T_ID,    T_STR,  T_INT,   T_TILDE, T_COLON, T_EQ,    T_COMMA, T_LP,    T_RP,   T_LB,
                              T_RB,    T_LC,   T_RC,    T_GT,    T_LT,    T_DOTDOT, T_IN,   T_ELSE,  T_START, T_STEP,
                              T_EVERY, T_ON,   T_GIVEN, T_WITH,  T_USING, T_UNTIL, T_AS,   T_STEPS, T_FOR,  T_IF,
                              T_BY};
  int before = e->nwords;
  for (size_t i = 0; i < sizeof order / sizeof *order; i++)
    if (e->can[order[i]]) expect_word(e, spelling(order[i]));
  if (after_operand && e->nwords - before < 3) expect_word(e, "an operator");
  if (e->can[T_SEP] && e->nwords < 4) expect_word(e, "the end of the statement");
}

const char *syntax_text(const parser *p, token t) { return source_get(p->map, p->file)->text + t.off; }

/* How a message names a token; long ones are cut. */
static const char *token_words(parser *p, token t) {
  if (t.kind == LEX_EOF) return "the end of the file";
  if (t.kind == T_SEP) return *syntax_text(p, t) == ';' ? "`;`" : "the end of the line";
  if (t.kind == T_STR) return "a string";
  int n = (int)(t.len > 40 ? 40 : t.len);
  return arena_printf(p->a, "`%.*s`%s", n, syntax_text(p, t), t.len > 40 ? "..." : "");
}

bool syntax_spelled(const parser *p, token t, const char *s) {
  return t.len == strlen(s) && memcmp(syntax_text(p, t), s, t.len) == 0;
}

diag *syntax_report(parser *p, token t, const char *code, const char *message) {
  return diag_add(p->diags, DIAG_ERROR, code, build_span(p, t), "%s", message);
}

bool syntax_slip(parser *p, token t, const char *code, const char *message, const char *help, ...) {
  va_list ap;
  va_start(ap, help);
  diag_help(p->diags, syntax_report(p, t, code, message), "%s", arena_vprintf(p->a, help, ap));
  va_end(ap);
  return true;
}

token syntax_first_word(const parser *p, token t) { return p->nwords ? p->words[0] : t; }

/* Whether a `//` stands before t on its line: a comment as in C. */
static bool behind_slashes(const parser *p, token t, span *at) {
  const char *text = source_get(p->map, p->file)->text;
  for (uint32_t i = t.off; i >= 2 && text[i - 1] != '\n' && text[i - 1] != '\r'; i--) {
    if (text[i - 1] == '/' && text[i - 2] == '/') {
      *at = (span){p->file, i - 2, 2};
      return true;
    }
    if (t.off - i > 400) break;
  }
  return false;
}
static const char *const statement_words[] = {"let",    "plate",   "for",    "if",     "predict", "track", "factor",
                                              "energy", "return",  "action", "state",  "observe", "prefer", "beliefs",
                                              "plan",   "learn"};
static const char *const declaration_words[] = {"model",    "agent",  "world",  "fn",       "dist",    "schedule",
                                                "import",   "infer",  "anneal", "simulate", "generate"};

/* A misspelt keyword looks like two names in a row, or like a name where a declaration starts. */
static bool misspelt(parser *p, token t) {
  bool top = p->tokens.nopen == 0 || (p->tokens.nopen == 1 && (t.kind == T_LC || t.kind == T_LP));
  static const struct {
    const char *foreign, *own;
  } others[] = {{"func", "fn"},        {"function", "fn"},      {"proc", "fn"},    {"var", "let"},       {"val", "let"},     {"const", "let"},
                {"auto", "let"},       {"while", "for"},        {"foreach", "for"}, {"sample", "infer"},  {"fit", "infer"},   {"run", "infer"},
                {"include", "import"}, {"use", "import"},       {"class", "model"}, {"program", "model"}, {"print", "track"}, {"distribution", "dist"},
                {"elif", "else if"},   {"elseif", "else if"},  {"elsif", "else if"}};
  token first = syntax_first_word(p, t);
  bool at_first = p->nwords == 0;
  if (first.kind != T_ID || p->nwords > 1 || !first.name) return false;
  /* Inside a block one name alone is a command, so only what follows it tells. */
  if (!top && at_first) return false;
  if (!top && t.kind != T_ID && t.kind != T_LC && t.kind != T_MINUS && t.kind != T_INT) return false;
  const char *const *words = top ? declaration_words : statement_words;
  size_t n = top ? sizeof declaration_words / sizeof *declaration_words : sizeof statement_words / sizeof *statement_words;
  const char *near = NULL;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (strcmp(first.name, others[i].foreign) == 0) near = others[i].own;
  if (syntax_spelled(p, first, "def")) near = "fn";
  if (!near) near = diag_nearest(first.name, words, n);
  if (!near && !top) return false;
  diag *d = diag_add(p->diags, DIAG_ERROR, "E0201", build_span(p, first), top ? "`%s` does not start a declaration" : "`%s` does not start a statement",
                     first.name);
  if (near && strcmp(near, "let") == 0 && strlen(first.name) > 4) diag_help(p->diags, d, "write `let name = e`");
  else if (syntax_spelled(p, first, "def")) diag_help(p->diags, d, "write `model name(data) { ... }` for a model, `fn name(x: real): real = ...` for a function");
  else if (near) diag_help(p->diags, d, "did you mean `%s`?", near);
  else if (grammar_accepts(p->engine, T_MODEL, true) || top)
    diag_help(p->diags, d, "statements such as `x ~ D` stand inside a model: `model name(data) { ... }`");
  return true;
}

static void say_after(parser *p, strbuf *b) {
  if (p->before.kind <= 0 || p->before.kind == T_SEP || p->nwords == 0) return;
  strbuf_printf(b, " after %s", token_words(p, p->before));
}

/* The keyword that a misspelt one in the middle of a statement stands for, or NULL. */
static const char *nearest_clause(const expectation *e, token t) {
  static const struct {
    int kind;
    const char *word;
  } clauses[] = {{T_ON, "on"},       {T_GIVEN, "given"}, {T_WITH, "with"},   {T_USING, "using"}, {T_UNTIL, "until"},
                 {T_AS, "as"},       {T_STEPS, "steps"}, {T_EVERY, "every"}, {T_START, "start"}, {T_STEP, "step"},
                 {T_IN, "in"},       {T_BY, "by"},       {T_FOR, "for"},     {T_IF, "if"},       {T_ELSE, "else"},
                 {T_THEN, "then"},   {T_REPEAT, "repeat"}, {T_AND, "and"},   {T_OR, "or"}};
  const char *words[sizeof clauses / sizeof *clauses];
  size_t n = 0;
  for (size_t i = 0; i < sizeof clauses / sizeof *clauses; i++)
    if (e->can[clauses[i].kind]) words[n++] = clauses[i].word;
  return t.kind == T_ID ? diag_nearest(t.name, words, n) : NULL;
}

static void general(parser *p, token t) {
  expectation e;
  expected(p, &e);
  const char *clause = nearest_clause(&e, t);
  bool at_top = p->nwords == 0 && p->tokens.nopen == 0;
  if (at_top && (t.kind == T_PLATE || t.kind == T_FOR || t.kind == T_LET || t.kind == T_IF || t.kind == T_RETURN)) {
    diag *d = syntax_report(p, t, "E0201", arena_printf(p->a, "`%s` does not start a declaration", t.name));
    diag_help(p->diags, d, "statements stand inside a model or a function: `model name(data) { ... }`");
    return;
  }
  strbuf b;
  strbuf_init(&b, p->a);
  if (e.nwords == 0 || e.nwords == LISTED) {
    strbuf_printf(&b, "%s cannot stand here", token_words(p, t));
    diag *d = syntax_report(p, t, "E0201", b.s);
    if (clause) diag_help(p->diags, d, "did you mean `%s`?", clause);
    else if ((t.kind == T_COMMA || t.kind == T_ID || t.kind == T_STR) && p->nwords == 2 && e.can[T_ON] && p->words[1].kind == T_ID)
      diag_help(p->diags, d, "data follows `on`, options follow `with`: `%s %s on \"data.json\" with nuts(draws = 1000)`", p->words[0].name, p->words[1].name);
    else if (p->nwords) diag_say(p->diags, d, "does not go on from %s", token_words(p, p->before));
    return;
  }
  strbuf_puts(&b, "expected ");
  for (int i = 0; i < e.nwords; i++) {
    if (i) strbuf_puts(&b, i + 1 < e.nwords ? ", " : " or ");
    strbuf_puts(&b, e.words[i]);
  }
  say_after(p, &b);
  strbuf_printf(&b, ", found %s", token_words(p, t));
  /* The end of a line is best shown where something is missing. */
  span at = build_span(p, t);
  if ((t.kind == T_SEP && *syntax_text(p, t) != ';') || t.kind == LEX_EOF) at = span_after(build_span(p, p->before));
  if (p->before.kind <= 0) at = build_span(p, t);
  diag *d = diag_add(p->diags, DIAG_ERROR, "E0201", at, "%s", b.s);
  size_t n = p->tokens.nopen;
  if (t.kind == T_LP || t.kind == T_LB || t.kind == T_LC) n -= n > 0; /* t itself */
  if (n && p->tokens.open[n - 1].kind != T_LC && (p->tokens.at_line_start || t.kind == LEX_EOF || t.kind == T_RC))
    diag_point(p->diags, d, p->tokens.open[n - 1].at, "this bracket is still open");
  else if (p->tokens.unclosed.file)
    diag_point(p->diags, d, p->tokens.unclosed, "this bracket is still open");
  if (p->joint.len && tokens_join(p->joint.kind))
    diag_point(p->diags, d, build_span(p, p->joint), "the line ends with %s, so the statement goes on", token_words(p, p->joint));
  span slashes;
  if (behind_slashes(p, t, &slashes)) {
    diag_point(p->diags, d, slashes, "this is a division");
    diag_help(p->diags, d, "a comment starts with `#`; `//` divides and rounds down");
  } else if (p->before.kind == T_RC && e.can[T_SEP]) {
    diag_help(p->diags, d, "statements on one line are separated by `;`");
  } else if (t.kind == T_COMMA && p->words[0].kind == T_LET && p->nwords && e.can[T_SEP]) {
    diag_help(p->diags, d, "a `let` defines one name; the next is a statement of its own, on its line or behind `;`");
  } else if (t.kind == T_COMMA && p->nwords == 1 && p->words[0].kind == T_ID && n && e.can[T_TILDE]) {
    const token other = tokens_peek(&p->tokens, 0);
    diag_help(p->diags, d, "each has a statement of its own: `%s ~ ...; %s ~ ...`", p->words[0].name, other.kind == T_ID ? other.name : "b");
  } else if (clause) {
    diag_help(p->diags, d, "did you mean `%s`?", clause);
  } else if (p->nwords == 1 && p->words[0].kind == T_ID && n && p->tokens.open[n - 1].kind == T_LC && t.kind == T_ID) {
    diag_help(p->diags, d, "a random variable is written `%s ~ %s(...)`", p->words[0].name, t.name);
  } else if (t.kind == T_ID && p->before.kind == T_ID && e.can[T_COLON] && n) {
    if (tokens_peek(&p->tokens, 0).kind == T_COLON) diag_help(p->diags, d, "a name with a space in it stands between back quotes: `` `%s %s` ``", p->before.name, t.name);
    else diag_help(p->diags, d, "a type follows a colon: `%s: %s`", p->before.name, t.name);
  } else if (p->nwords == 1 && p->words[0].kind == T_ID && n && p->tokens.open[n - 1].kind == T_LC && e.can[T_TILDE] &&
             (t.kind == T_PLUS || t.kind == T_MINUS || t.kind == T_STAR || t.kind == T_SLASH || t.kind == T_CARET)) {
    diag_help(p->diags, d, "a function gives its value by `return %s ...`; in a model `let y = %s ...` names one", p->words[0].name, p->words[0].name);
  } else if (p->nwords == 0 && n && p->tokens.open[n - 1].kind == T_LC && (t.kind == T_LB || t.kind == T_LP || t.kind == T_INT || t.kind == T_REAL || t.kind == T_MINUS)) {
    diag_help(p->diags, d, "a value alone does nothing; a function gives its own by `return ...`");
  } else if (t.kind == T_DOTDOT && p->nwords) {
    diag_help(p->diags, d, "a range stands in `for i in 1..N`, in a subscript `x[1..N]` or in a type `1..4`");
  } else if (t.kind == T_ID && t.len == 1 && syntax_spelled(p, t, "T") && tokens_peek(&p->tokens, 0).kind == T_LB) {
    token lower = tokens_peek(&p->tokens, 1);
    bool literal = lower.kind == T_INT || lower.kind == T_REAL;
    const char *name = p->words[0].kind == T_ID ? p->words[0].name : "x";
    const char *bound = lower.kind == T_COMMA ? "upper = b" : arena_printf(p->a, "lower = %.*s", literal ? (int)lower.len : 1, literal ? syntax_text(p, lower) : "a");
    diag_help(p->diags, d, "write `%s ~ truncated(D, %s)`, or for an unknown `%s: real<%s> ~ D`", name, bound, name, bound);
  } else if (e.can[T_LC] && (p->words[0].kind == T_IF || p->words[0].kind == T_FOR || p->words[0].kind == T_PLATE) && p->nwords > 1) {
    diag_help(p->diags, d, "what belongs to `%s` stands in braces: `{ ... }`", p->words[0].name);
  } else if (e.nwords == 1 && e.can[T_LP] && p->nwords == 2 && t.kind == T_LC) {
    diag_help(p->diags, d, "the signature lists the data and may be empty: `%s %s() { ... }`", p->words[0].name, p->words[1].name);
  } else if (e.nwords == 1 && e.can[T_COLON] && p->words[0].kind == T_FN) {
    diag_help(p->diags, d, "a function names the type of its result: `fn f(x: real): real = ...`");
  } else if (e.nwords == 1 && e.can[T_ON] && p->words[0].kind == T_DIST) {
    diag_help(p->diags, d, "a distribution names its support: `dist D(mu: real) on real { ... }`");
  } else if (e.nwords == 1 && e.can[T_ELSE]) {
    diag_help(p->diags, d, "an `if` that gives a value has both branches: `if c { a } else { b }`");
  } else if (t.name && t.kind != T_ID && t.kind != T_IN && e.can[T_ID]) {
    diag_help(p->diags, d, "`%s` is a word of the language; as a name it is written `` `%s` ``", t.name, t.name);
  } else if (e.can[T_COMMA] && (t.kind == T_ID || t.kind == T_INT || t.kind == T_REAL) && p->before.kind != T_COMMA && n && !p->tokens.at_line_start) {
    diag_help(p->diags, d, grammar_accepts(p->engine, T_STAR, true) ? "is a `,` missing, or an operator such as `*`?" : "is a `,` missing?");
  }
}

/* A statement of a block whose braces were missed already. */
static bool of_unbraced(const parser *p, token t) {
  if (!p->unbraced || p->tokens.nopen > (t.kind == T_LP || t.kind == T_LB || t.kind == T_LC)) return false;
  const char *text = source_get(p->map, p->file)->text;
  uint32_t at = syntax_first_word(p, t).off;
  return at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t');
}

void syntax_error(parser *p, token t) {
  if (of_unbraced(p, t)) return;
  if (t.kind != LEX_EOF && (syntax_habit(p, t) || misspelt(p, t))) return;
  general(p, t);
}

void syntax_missing_brace(parser *p, token t, span open) {
  bool end = t.kind == LEX_EOF;
  diag *d = end ? diag_add(p->diags, DIAG_ERROR, "E0202", build_span(p, t), "the file ends before a `}`")
                : diag_add(p->diags, DIAG_ERROR, "E0202", build_span(p, t), "a declaration inside a block: is a `}` missing above?");
  diag_point(p->diags, d, open, "this `{` has no `}`");
  if (!end) diag_help(p->diags, d, "close the block before `%s`", t.name ? t.name : "it");
}
