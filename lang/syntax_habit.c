/* syntax_habit.c: slips that people who know Stan, R or Python make: they get a message of their own. */
#include "lang/grammar.h"
#include "lang/syntax_error.h"

#include <string.h>

/* Whether a word stands before t on its line. */
static bool behind_word(const parser *p, token t, const char *word) {
  const char *text = source_get(p->map, p->file)->text;
  size_t n = strlen(word);
  for (uint32_t i = t.off; i >= n && text[i - 1] != '\n' && t.off - i < 200; i--)
    if (memcmp(text + i - n, word, n) == 0) return true;
  return false;
}

static bool one_of(const parser *p, token t, const char *const *words, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (syntax_spelled(p, t, words[i])) return true;
  return false;
}
#define ONE_OF(p, t, ...) one_of((p), (t), (const char *const[]){__VA_ARGS__}, sizeof(const char *[]){__VA_ARGS__} / sizeof(char *))

static const char *skip_blanks(const char *s) {
  while (*s == ' ' || *s == '\t') s++;
  return s;
}

/* The text between the brackets at *s, which then stands behind them; empty where there are none or they do not close. */
static const char *between(parser *p, const char **s, char open, char close) {
  const char *from = skip_blanks(*s);
  if (*from != open) return "";
  const char *to = ++from;
  while (*to && *to != close && *to != '\n' && to - from < 60) to++;
  if (*to != close) return "";
  *s = to + 1;
  return arena_printf(p->a, "%.*s", (int)(to - from), from);
}

static const char *word_at(parser *p, const char **s) {
  const char *from = skip_blanks(*s), *to = from;
  while ((*to >= 'a' && *to <= 'z') || (*to >= 'A' && *to <= 'Z') || (*to >= '0' && *to <= '9') || *to == '_') to++;
  *s = to;
  return arena_printf(p->a, "%.*s", (int)(to - from > 60 ? 60 : to - from), from);
}

/* `array[N] real<lower = 0> y`, which begins at start: the declaration as it is written here, or NULL. */
static const char *turned_declaration(parser *p, token start) {
  const char *s = syntax_text(p, start);
  const char *type = word_at(p, &s), *outer = "";
  if (strcmp(type, "array") == 0) {
    outer = between(p, &s, '[', ']');
    type = word_at(p, &s);
  }
  bool reals = strcmp(type, "vector") == 0 || strcmp(type, "row_vector") == 0 || strcmp(type, "matrix") == 0;
  if (!reals && strcmp(type, "real") != 0 && strcmp(type, "int") != 0) return NULL;
  const char *bounds = between(p, &s, '<', '>'), *inner = between(p, &s, '[', ']'), *name = word_at(p, &s);
  if (!*inner) inner = between(p, &s, '[', ']');
  if (!*name) return NULL;
  strbuf b;
  strbuf_init(&b, p->a);
  strbuf_printf(&b, "%s: %s", name, reals ? "real" : type);
  if (*bounds) strbuf_printf(&b, "<%s>", bounds);
  if (*outer || *inner) strbuf_printf(&b, "[%s%s%s]", outer, *outer && *inner ? ", " : "", inner);
  return b.s;
}

static bool in_brackets_of(const parser *p, int kind) {
  return p->tokens.nopen && p->tokens.open[p->tokens.nopen - 1].kind == kind;
}

/* Whether t, itself a bracket or not, stands in a block. */
static bool in_brackets_of_block(const parser *p) {
  const size_t n = p->tokens.nopen;
  return n > 1 && p->tokens.open[n - 2].kind == T_LC;
}

static bool in_brackets_of_call(const parser *p) {
  size_t n = p->tokens.nopen;
  return n == 2 && p->tokens.open[0].kind == T_LP;
}
/* `fn f(real x)`: a type in front of a parameter. */
static bool type_before_parameter(parser *p, token t) {
  token first = syntax_first_word(p, t);
  bool type_before = p->before.kind > 0 && ONE_OF(p, p->before, "real", "int", "vector", "row_vector", "matrix", "array");
  if (type_before && p->nwords > 2 && p->tokens.nopen && (first.kind == T_MODEL || first.kind == T_FN || first.kind == T_DIST) &&
      (t.kind == T_ID || t.kind == T_LT || t.kind == T_LB)) {
    const char *ours = turned_declaration(p, p->before);
    diag *d = syntax_report(p, p->before, "E0203", "a declaration names the variable first");
    if (ours) diag_help(p->diags, d, "write `%s`", ours);
    else diag_help(p->diags, d, "write `y: real[N]`: name, colon, type, and the extents behind it");
    return true;
  }
  return false;
}

/* `parameters { ... }`, `parameter x`: the blocks of a Stan program, and words in front of a name. */
static bool program_block(parser *p, token t) {
  token first = syntax_first_word(p, t);
  bool block = p->tokens.nopen == 0 || (t.kind == T_LC && (p->tokens.nopen == 1 || p->nwords == 1));
  if (ONE_OF(p, first, "data", "parameters", "transformed", "generated", "functions") && block && p->nwords <= 3 &&
      (t.kind == T_LC || t.kind == T_ID)) {
    diag *d = syntax_report(p, first, "E0203", "there are no program blocks in AIM");
    if (syntax_spelled(p, first, "data")) diag_help(p->diags, d, "data is the model's signature: `model m(y: real[N], sigma: real[N]) { ... }`");
    else if (syntax_spelled(p, first, "parameters"))
      diag_help(p->diags, d, "a parameter is declared where it is drawn: `mu: real ~ Normal(0, 5)`");
    else if (syntax_spelled(p, first, "generated"))
      diag_help(p->diags, d, "write `predict { ... }` for draws and `track name = e` for quantities, inside the model");
    else if (syntax_spelled(p, first, "functions")) diag_help(p->diags, d, "a function stands by itself: `fn f(x: real): real = ...`");
    else diag_help(p->diags, d, "write `let name = e` in the model");
    return true;
  }
  if (t.kind == T_ID && p->nwords == 1 && p->tokens.nopen && first.kind == T_ID && ONE_OF(p, t, "quantities", "parameters") && ONE_OF(p, first, "generated", "transformed")) {
    bool generated = syntax_spelled(p, first, "generated");
    return syntax_slip(p, first, "E0203", "there are no program blocks in AIM", "%s", generated ? "write `predict { ... }` for draws and `track name = e` for quantities" : "write `let name = e`");
  }
  if (t.kind == T_ID && p->nwords == 1 && p->tokens.nopen && ONE_OF(p, first, "parameter", "param", "parameters", "random", "latent", "unknown", "data")) {
    diag *d = syntax_report(p, first, "E0203", arena_printf(p->a, "a declaration starts with the name, not with `%s`", first.name));
    if (syntax_spelled(p, first, "data")) diag_help(p->diags, d, "data stand in the model's signature: `model m(%s: real[N]) { ... }`", t.name);
    else diag_help(p->diags, d, "drop the word: `%s: real ~ ...`", t.name);
    return true;
  }
  return false;
}

/* `real f(real x) { ... }`. */
static bool foreign_function(parser *p, token t) {
  token name = tokens_peek(&p->tokens, 0);
  if (p->nwords || p->tokens.nopen || name.kind != T_ID || tokens_peek(&p->tokens, 1).kind != T_LP || !ONE_OF(p, t, "real", "int", "void", "vector", "row_vector", "matrix", "array", "float", "double")) return false;
  return syntax_slip(p, t, "E0203", "the result of a function stands behind its parameters", "write `fn %s(x: real): real = ...`", name.name);
}

/* `let x ~ D`. */
static bool word_before_draw(parser *p, token t) {
  token first = syntax_first_word(p, t);
  if (t.kind == T_TILDE && p->before.kind == T_ID && (first.kind == T_LET || first.kind == T_OBSERVE) && p->nwords == 2)
    return syntax_slip(p, first, "E0203", arena_printf(p->a, "`~` stands without `%.*s`", (int)first.len, syntax_text(p, first)), first.kind == T_LET ? "write `%s ~ ...` for a random variable, `let %s = ...` for a definition" : "write `%s ~ ...`: a name of the signature is observed", p->before.name, p->before.name);
  return false;
}

/* Slips of a statement that runs a model. */
static bool run_slip(parser *p, token t) {
  token first = syntax_first_word(p, t);
  bool runs = first.kind == T_INFER || first.kind == T_ANNEAL;
  if (runs && t.kind == T_LP && p->nwords == 2)
    return syntax_slip(p, t, "E0203", "data do not stand in parentheses", "data follow `on`: `%s %s on \"data.json\"`", first.name, p->before.name ? p->before.name : "m");
  if (runs && t.kind == T_ID && p->before.kind == T_RP && tokens_peek(&p->tokens, 0).kind == T_EQ)
    return syntax_slip(p, t, "E0203", "a `,` is missing", "options follow the method behind commas: `..., %s = ...`", t.name);
  if (runs && (t.kind == T_INT || t.kind == T_REAL) && p->before.kind == T_ID && grammar_accepts(p->engine, T_EQ, true))
    return syntax_slip(p, t, "E0203", "a `=` is missing", "options are set by `=`: `%s = %.*s`", p->before.name, (int)t.len, syntax_text(p, t));
  if (runs && t.kind == T_TILDE)
    return syntax_slip(p, t, "E0203", "a run draws nothing by `~`", "`given %s = ...` fixes an unknown; its prior stands in the model", p->before.name ? p->before.name : "x");
  if (runs && t.kind == T_EQ && p->before.kind == T_RB)
    return syntax_slip(p, t, "E0203", "no single element is set by a run", "an array is set whole: `given beta = [0, 1, 2]`");
  return false;
}

/* `x ~ D(...) if c`, `let x = e for i in 1..N`, `let x = for i in 1..N { ... }`, `sum(e, i in 1..N)`. */
static bool clause_behind(parser *p, token t) {
  token first = syntax_first_word(p, t);
  if (t.kind == T_FOR && first.kind == T_LET && p->nwords > 2 && in_brackets_of(p, T_LC) && grammar_accepts(p->engine, T_SEP, true)) {
    const char *name = p->words[1].name ? p->words[1].name : "x";
    return syntax_slip(p, t, "E0203", "a `let` has no `for` behind it", "write `for i in 1..N { let %s[i] = ... }`, or an array: `let %s = [e for i in 1..N]`", name, name);
  }
  if (t.kind == T_FOR && first.kind == T_LET && p->nwords > 1 && p->before.kind == T_EQ) {
    const char *name = p->words[1].name ? p->words[1].name : "x";
    return syntax_slip(p, t, "E0203", "a loop has no value", "write `for i in 1..N { let %s[i] = ... }`, or an array: `let %s = [e for i in 1..N]`", name, name);
  }
  if (t.kind == T_IN && p->before.kind == T_ID && in_brackets_of(p, T_LP) && !grammar_accepts(p->engine, T_IN, true))
    return syntax_slip(p, t, "E0203", "a range in a call follows `for`", "write `sum(e for %s in 1..N)`", p->before.name);
  if (t.kind == T_IF && p->before.kind == T_RP && first.kind == T_ID && p->tokens.nopen && grammar_accepts(p->engine, T_FOR, true))
    return syntax_slip(p, t, "E0203", "a condition does not follow its statement", "write `if c { %s ~ ... }`; for elements `select(c, a, b)` chooses", first.name);
  return false;
}

/* Extents and bounds in other places than a type has them. */
static bool extent_slip(parser *p, token t) {
  token first = syntax_first_word(p, t);
  if (t.kind == T_LB && p->before.kind == T_ID && in_brackets_of_call(p) && (first.kind == T_MODEL || first.kind == T_FN || first.kind == T_DIST) && grammar_accepts(p->engine, T_COLON, true)) {
    const char *s = syntax_text(p, t), *inner = between(p, &s, '[', ']');
    return syntax_slip(p, t, "E0203", "extents follow the type", "write `%s: real[%s]`", p->before.name, *inner ? inner : "N");
  }
  if (t.kind == T_LB && p->before.kind == T_RB && (first.kind == T_MODEL || first.kind == T_FN || first.kind == T_DIST || (p->nwords > 2 && p->words[1].kind == T_COLON)) && !grammar_accepts(p->engine, T_LB, true))
    return syntax_slip(p, t, "E0203", "extents stand in one pair of brackets", "write `real[N, P]`");
  if (t.kind == T_RB && p->before.kind == T_LB && grammar_accepts(p->engine, T_INT, true))
    return syntax_slip(p, t, "E0203", "an extent is missing", "give it a name, `real[N]`: what is not data gets its number from them");
  if (t.kind == T_LT && p->nwords == 1 && first.kind == T_ID && grammar_accepts(p->engine, T_TILDE, true) && ONE_OF(p, tokens_peek(&p->tokens, 0), "lower", "upper") &&
      !ONE_OF(p, first, "real", "int", "vector", "row_vector", "matrix", "ordered", "array"))
    return syntax_slip(p, t, "E0203", "bounds belong to a type", "write `%s: real<lower = 0> ~ ...`", p->before.name);
  if (t.kind == T_EQ && in_brackets_of(p, T_LP) && ONE_OF(p, p->before, "lower", "upper"))
    return syntax_slip(p, t, "E0203", "bounds stand between `<` and `>`", "write `real<lower = 0>` or `real<lower = 0, upper = 1>`");
  if (t.kind == T_LB && p->before.kind == T_RB && p->nwords > 3 && in_brackets_of_block(p) && (grammar_accepts(p->engine, T_TILDE, true) || grammar_accepts(p->engine, T_EQ, true)) && !grammar_accepts(p->engine, T_LB, true)) {
    const token name = first.kind == T_LET ? p->words[1] : first;
    const char *s = syntax_text(p, t), *inner = between(p, &s, '[', ']');
    const int n = (int)(p->before.off - name.off);
    return syntax_slip(p, t, "E0203", "the subscripts of what is set stand in one pair of brackets", "write `%.*s, %s]`", n > 60 ? 60 : n, syntax_text(p, name), *inner ? inner : "j");
  }
  if ((t.kind == T_INT || t.kind == T_REAL || t.kind == T_MINUS) && p->before.kind == T_LT && p->nwords > 2 && grammar_accepts(p->engine, T_ID, true) && !grammar_accepts(p->engine, T_INT, true))
    return syntax_slip(p, t, "E0203", "bounds have names", "write `real<lower = 0>` or `real<lower = 0, upper = 1>`");
  return false;
}

/* `x[i, j]`, as it stands left of a `~` behind t; NULL: nowhere. */
static const char *drawn_below(const parser *p, token t, const char *name) {
  const char *text = source_get(p->map, p->file)->text;
  const size_t n = strlen(name);
  for (const char *at = text + t.off; (at = strstr(at, name)) != NULL; at += n) {
    if (at[n] != '[' || (at > text && (at[-1] == '_' || (at[-1] >= '0' && at[-1] <= '9') || (at[-1] | 32) >= 'a'))) continue;
    const char *end = at + n;
    while (*end && *end != ']' && *end != '\n') end++;
    if (*end != ']' || end - at > 60) continue;
    if (*skip_blanks(end + 1) == '~') return arena_printf(p->a, "%.*s", (int)(end + 1 - at), at);
  }
  return NULL;
}

/* A model without a name; an unknown without a distribution. */
static bool half_declaration(parser *p, token t) {
  token first = syntax_first_word(p, t);
  if (t.kind == T_LC && p->nwords == 1 && first.kind == T_MODEL)
    return syntax_slip(p, t, "E0203", "this model has no name and no signature", "write `model name(y: real[N]) { ... }`; the signature lists the data");
  if ((t.kind == T_SEP || t.kind == T_RC) && p->nwords > 2 && first.kind == T_ID && p->words[1].kind == T_COLON && (p->tokens.nopen || t.kind == T_RC) &&
      grammar_accepts(p->engine, T_TILDE, true)) {
    /* The type as it was written, and a density that goes with it. */
    const char *type = syntax_text(p, p->words[2]);
    int n = (int)(p->before.off + p->before.len - p->words[2].off);
    if (n > 60) n = (int)p->words[2].len;
    const char *text = arena_printf(p->a, "%.*s", n, type);
    bool real = strncmp(text, "real", 4) == 0, lower = strstr(text, "lower") != NULL, upper = strstr(text, "upper") != NULL;
    diag *d = syntax_report(p, first, "E0203", "an unknown needs a distribution");
    d->at = span_join(d->at, build_span(p, p->before));
    /* The same name with subscripts, further down: it is drawn by elements. */
    const char *below = strchr(text, '[') ? drawn_below(p, t, first.name) : NULL;
    if (below) {
      const char *extents = strchr(text, '[');
      diag_help(p->diags, d, "what is drawn by elements needs no declaration; a type may stand where they are drawn: `%s: %.*s ~ ...`", below, (int)(extents - text), text);
      return true;
    }
    diag_help(p->diags, d, "write `%s: %s ~ %s`%s; data stand in the model's signature", first.name, text,
              !real || (lower && upper) ? "Flat()" : lower ? "HalfNormal(1)" : upper ? "Flat()" : "Normal(0, 1)",
              real && !upper ? ", or `~ Flat()` for none" : "");
    if (strchr(text, '[')) diag_help(p->diags, d, "an array that is drawn by elements needs no declaration: `plate i in 1..N { %s[i] ~ D(...) }`", first.name);
    return true;
  }
  return false;
}

/* `real x`: a type in front of a name. */
static bool type_before_name(parser *p, token t) {
  token first = syntax_first_word(p, t);
  bool first_is_type = ONE_OF(p, first, "real", "int", "vector", "row_vector", "matrix", "simplex", "ordered", "positive_ordered",
                              "unit_vector", "corr_matrix", "cov_matrix", "cholesky_factor_corr", "cholesky_factor_cov", "array",
                              "bool", "float", "double", "complex");
  if (first_is_type && p->nwords >= 1 && p->tokens.nopen && !p->binds &&
      (t.kind == T_ID || t.kind == T_LT || t.kind == T_SEP)) {
    const char *ours = turned_declaration(p, first);
    diag *d = syntax_report(p, first, "E0203", "a declaration names the variable first");
    if (ours) diag_help(p->diags, d, "write `%s ~ ...` for a random variable%s; data goes into the signature", ours,
                        t.kind == T_ID ? arena_printf(p->a, ", `let %s = ...` for a definition", t.name) : "");
    else if (t.kind == T_ID)
      diag_help(p->diags, d, "write `%s: real ~ ...` for a random variable, `let %s = ...` for a definition; data goes into the signature",
                t.name, t.name);
    else diag_help(p->diags, d, "write `x: real<lower = 0> ~ ...`; bounds follow the type, and data goes into the signature");
    return true;
  }
  return false;
}

/* `target += e`, `x <- e`. */
static bool assignment(parser *p, token t) {
  token first = syntax_first_word(p, t);
  if (t.kind == T_OPEQ) {
    bool target = syntax_spelled(p, first, "target");
    diag *d = syntax_report(p, t, "E0203", "there are no mutable variables to add to");
    if (target) diag_help(p->diags, d, "write `factor e` to add `e` to the log density; what stands as `normal_lpdf(y | mu, s)` in Stan is `y ~ Normal(mu, s)` for data, else `factor logpdf(Normal(mu, s), y)`");
    else diag_help(p->diags, d, "a sum is `sum(e for i in 1..N)`, a recursion an indexed `let s[t] = s[t - 1] + e`");
    return true;
  }
  token next = tokens_peek(&p->tokens, 0);
  if (t.kind == T_LT && next.kind == T_MINUS && next.off == t.off + 1) {
    t.len = 2;
    const char *name = p->nwords == 1 && first.name ? first.name : "mu";
    return syntax_slip(p, t, "E0203", "`<-` does not assign", "write `let %s = e` for a definition, `%s ~ D` for a random variable", name, name);
  }
  return false;
}

/* The `~` behind t on its line, or NULL. */
static const char *tilde_behind(const parser *p, token t) {
  const char *s = syntax_text(p, t);
  while (*s && *s != '~' && *s != '\n' && *s != '#' && *s != ';' && *s != '{' && *s != '}') s++;
  return *s == '~' ? s : NULL;
}

/* `log(y) ~ D`, `y - 1 ~ D`. */
static bool drawn_expression(parser *p, token t) {
  token first = syntax_first_word(p, t);
  const bool operator = t.kind == T_PLUS || t.kind == T_MINUS || t.kind == T_STAR || t.kind == T_SLASH || t.kind == T_CARET || t.kind == T_AT;
  const bool behind = operator || (t.kind == T_TILDE && p->before.kind == T_RP);
  const char *tilde = behind && p->nwords && first.kind == T_ID && in_brackets_of(p, T_LC) ? tilde_behind(p, t) : NULL;
  if (!tilde) return false;
  const char *from = syntax_text(p, first);
  int n = (int)(tilde - from);
  while (n > 0 && from[n - 1] == ' ') n--;
  const char *e = n > 60 ? "..." : arena_printf(p->a, "%.*s", n, from);
  return syntax_slip(p, first, "E0203", "an expression is not drawn", "where it is of data alone name it, `let z = %s`, and write `z ~ ...`; else draw the unknown itself, or add the density of the expression, and its Jacobian, by `factor`", e);
}

/* `if c:`, `1:N`, `for (i in ..)`. */
static bool block_or_range_slip(parser *p, token t) {
  token first = syntax_first_word(p, t);
  if (t.kind == T_COLON && p->tokens.nopen == 0 && grammar_accepts(p->engine, T_LC, true)) {
    diag *d = syntax_report(p, t, "E0202", "a block does not start with `:`");
    diag_help(p->diags, d, "what belongs to `%s` stands in braces: `{ ... }`", first.name ? first.name : "it");
    p->unbraced = true;
    return true;
  }
  if (t.kind == T_COLON && (p->before.kind == T_INT || p->before.kind == T_ID || p->before.kind == T_RP) &&
      (first.kind == T_FOR || first.kind == T_PLATE || in_brackets_of(p, T_LB) || grammar_accepts(p->engine, T_DOTDOT, true)))
    return syntax_slip(p, t, "E0202", "a range is not written with `:`", "write `1..N`; `:` alone, as in `X[:, j]`, takes a whole axis");
  if (t.kind == T_LP && (p->before.kind == T_FOR || p->before.kind == T_PLATE) && p->nwords == 1)
    return syntax_slip(p, t, "E0202", "the ranges of a loop stand without parentheses", "write `%s i in 1..N { ... }`", p->before.kind == T_FOR ? "for" : "plate");
  return false;
}

/* `> =`, `=` for `==`, quotes. */
static bool operator_slip(parser *p, token t) {
  token first = syntax_first_word(p, t);
  if (t.kind == T_GE && grammar_accepts(p->engine, T_GT, true)) {
    diag *d = syntax_report(p, t, "E0202", "`>=` is read as one operator here");
    diag_say(p->diags, d, "closes `<` and starts a value");
    diag_help(p->diags, d, "put a space between them: `> =`");
    return true;
  }
  if (t.kind == T_EQ && p->before.kind == T_RP && behind_word(p, t, "(fn("))
    return syntax_slip(p, t, "E0202", "a function is not written where it is used", "declare it: `fn f(x: real): real = ...`; a density of your own is a `dist D(mu: real) on real { logpdf(x) = ... }`");
  if (t.kind == T_LET && grammar_accepts(p->engine, T_LP, true) && !grammar_accepts(p->engine, T_LET, true))
    return syntax_slip(p, t, "E0202", "`let ... in` binds loosest of all", "as a part of an expression it stands in parentheses: `a - (let z = e in z^2)`");
  if (p->before.kind == T_QUOTE && (t.kind == T_ID || t.kind == T_QUOTE || t.kind == T_INT)) {
    diag *d = syntax_report(p, p->before, "E0105", "`'` transposes; it does not start a string");
    diag_help(p->diags, d, "strings stand between double quotes: \"...\"");
    return true;
  }
  if (t.kind == T_QUOTE)
    return syntax_slip(p, t, "E0105", "`'` does not start a string", "strings stand between double quotes: \"...\"; `x'` is the transpose of `x`");
  if (t.kind == T_EQ && (first.kind == T_IF || (grammar_accepts(p->engine, T_EQEQ, true) && !grammar_accepts(p->engine, T_COLON, true))))
    return syntax_slip(p, t, "E0202", "`=` does not compare", "write `==` for a comparison");
  if (t.kind == T_EQEQ && grammar_accepts(p->engine, T_EQ, true)) {
    diag *d = syntax_report(p, t, "E0202", "`==` compares; it does not define");
    bool draws = p->nwords == 1 && grammar_accepts(p->engine, T_TILDE, true);
    if (draws) diag_help(p->diags, d, "write `%s ~ ...` for a random variable, `let %s = ...` for a definition", first.name, first.name);
    else diag_help(p->diags, d, "write `=`");
    return true;
  }
  if ((t.kind == T_LT || t.kind == T_GT || t.kind == T_LE || t.kind == T_GE || t.kind == T_EQEQ || t.kind == T_NE) &&
      grammar_accepts(p->engine, T_AND, true) && !grammar_accepts(p->engine, t.kind, true) && p->before.kind != T_SEP)
    return syntax_slip(p, t, "E0202", "comparisons do not chain", "write `a < b and b < c`");
  return false;
}

/* Brackets that are too many, or others than AIM has. */
static bool bracket_slip(parser *p, token t) {
  if (t.kind == T_SEP && in_brackets_of(p, T_LP)) {
    diag *d = syntax_report(p, t, "E0202", "`;` between parentheses");
    diag_point(p->diags, d, p->tokens.open[p->tokens.nopen - 1].at, "opened here");
    diag_help(p->diags, d, "arguments are separated by `,`");
    return true;
  }
  if ((t.kind == T_RP || t.kind == T_RB) && p->nwords && grammar_accepts(p->engine, T_SEP, true))
    return syntax_slip(p, t, "E0202", t.kind == T_RP ? "this `)` closes nothing" : "this `]` closes nothing", "remove it, or look for a missing `%s` before it", t.kind == T_RP ? "(" : "[");
  if (t.kind == T_RC && p->tokens.nopen == 0 && (p->nwords == 0 || p->before.kind == T_RC))
    return syntax_slip(p, t, "E0202", "this `}` closes nothing", "remove it, or look for a missing `{` above");
  if (t.kind == T_LC && (p->before.kind == T_EQ || p->before.kind == T_LP || p->before.kind == T_COMMA || p->before.kind == T_TILDE))
    return syntax_slip(p, t, "E0202", "an array is not written with braces", "write `[1, 2, 3]`");
  if (in_brackets_of(p, T_LB) && ((t.kind == T_COMMA && p->before.kind == T_LB) || (t.kind == T_RB && p->before.kind == T_COMMA)) &&
      grammar_accepts(p->engine, T_COLON, true))
    return syntax_slip(p, t, "E0202", "a subscript is missing", "a whole axis is `:`: `X[:, j]` is a column, `X[i]` a row");
  return false;
}

/* `elif`; `else` and `@memo` in other places than theirs. */
static bool word_slip(parser *p, token t) {
  if (p->before.kind == T_RC && ONE_OF(p, t, "elif", "elseif", "elsif"))
    return syntax_slip(p, t, "E0202", "a second condition is written `else if`", "write `if c { a } else if d { b } else { e }`");
  if (t.kind == T_ELSE)
    return syntax_slip(p, t, "E0202", "`else` without an `if` before it", "it stands right behind the `}` of its `if`: `if c { a } else { b }`");
  if (p->before.kind == T_MEMO)
    return syntax_slip(p, t, "E0202", "`@memo` stands in front of a function", "write `@memo fn f(x: real): real = ...`: the results of `f` are kept");
  if (p->before.kind == T_ELSE && t.kind != T_LC)
    return syntax_slip(p, t, "E0202", "a branch stands in braces", "write `if c { a } else { b }`");
  return false;
}

bool syntax_habit(parser *p, token t) {
  static bool (*const slips[])(parser *, token) = {
      type_before_parameter, program_block, foreign_function, word_before_draw,    run_slip,      clause_behind, extent_slip, half_declaration,
      type_before_name,      assignment,    drawn_expression,    block_or_range_slip, operator_slip, bracket_slip,     word_slip,
  };
  for (size_t i = 0; i < sizeof slips / sizeof *slips; i++)
    if (slips[i](p, t)) return true;
  return false;
}
