/* format.c: the layout of source text.
 *
 * The text is taken apart into *words* (tokens and comments) on *lines*; what stood between two words is forgotten but for
 * line breaks, one blank line, and whether a column was aligned.  Three steps put it together again: read_words, indent_lines, and
 * align_words, which moves words to the right until those that the author had aligned are aligned again.
 *
 * Working on tokens and not on the tree keeps every comment where it stood, and every break of a line that means something. */
#include "lang/format.h"

#include "lang/grammar.h"
#include "lang/lex.h"

#include <string.h>

typedef struct word {
  int kind;           /* of the token; LEX_NEWLINE for a comment */
  uint32_t off, len;
  uint32_t column;    /* where it stood, in columns of the display */
  uint32_t gap;       /* spaces before it, as canonical */
  uint32_t blanks;    /* spaces that stood before it on its line */
  uint32_t width;     /* columns it takes */
  uint32_t at;        /* column it gets, counted from the indentation */
  bool first;         /* of its line */
  bool statement;     /* starts a statement or declaration */
  uint32_t link;      /* the word of the line above that it was aligned with, counted from 1; 0: none */
} word;

typedef struct line {
  uint32_t begin, end; /* words */
  uint32_t indent;     /* steps of two spaces */
  bool blank_before;
} line;

typedef struct format {
  arena *a;
  const source_file *file;
  word *words;
  size_t nwords, cap_words;
  line *lines;
  size_t nlines, cap_lines;
} format;

/* ---- what stands between two words */

/* Keywords wherever they stand. */
static bool is_reserved(int kind) {
  switch (kind) {
  case T_AND: case T_ELSE: case T_FOR: case T_IF: case T_IN: case T_LET: case T_NOT: case T_OR: case T_PLATE: case T_RETURN: return true;
  default: return false;
  }
}

/* What a value can end with: a minus behind it is a subtraction. */
static bool ends_value(int kind) {
  switch (kind) {
  case T_ID: case T_INT: case T_REAL: case T_STR: case T_TRUE: case T_FALSE: case T_RP: case T_RB: case T_RC: case T_QUOTE: return true;
  default: return false;
  }
}

/* `state` and its like are words of statements or somebody's names; which, only the grammar knows. */
static bool is_contextual(const token *t) { return t->name && t->kind != T_ID && !is_reserved(t->kind) && !ends_value(t->kind); }

typedef struct before {
  token last;         /* the token before */
  bool prefix;        /* it was a sign, or the `@` of an annotation: `-x`, `@memo` */
  bool tight;         /* it was the `<` of bounds */
  size_t bounds;      /* `<` of bounds that are open */
} before;

/* Spaces between two tokens of one line.  spaced: whether any stood there. */
static uint32_t gap_of(const before *b, const token *t, bool closes_bounds, bool opens_bounds, bool spaced) {
  int p = b->last.kind, k = t->kind;
  if (b->prefix || b->tight || p == T_LP || (p == T_MEMO && k == T_LP) || p == T_LB || p == T_DOT || p == T_DOTDOT || p == T_CARET) return 0;
  switch (k) {
  case T_COMMA: case T_SEP: case T_RP: case T_RB: case T_DOT: case T_DOTDOT: case T_CARET: case T_QUOTE: return 0;
  case T_COLON: return p == T_COMMA;
  case T_RC: return p != T_LC;
  case T_LP: case T_LB:
    if (is_reserved(p) || p == T_COMMA || p == T_COLON || p == T_LC || p == T_RC || p == T_SEP) return 1;
    if (is_contextual(&b->last)) return spaced;
    return !ends_value(p);
  case T_LT: return !opens_bounds;
  case T_GT: return !closes_bounds;
  default: return 1;
  }
}

/* `<` that opens the bounds of a type, as in `real<lower = 0>`: a name and `=` follow. */
static bool at_bounds(tokens *t) { return tokens_peek(t, 0).name && tokens_peek(t, 1).kind == T_EQ; }

/* A minus with a value before it subtracts.  Behind a word like `energy` or `step`, which may be a name, it is what it looked like. */
static bool is_sign(const before *b, bool spaced, bool space_behind) {
  if (is_contextual(&b->last)) return spaced && !space_behind;
  return !ends_value(b->last.kind);
}

/* ---- reading */

static void columns(const format *f, uint32_t from, uint32_t to, uint32_t *column) {
  const char *s = f->file->text;
  for (uint32_t i = from; i < to;) {
    uint32_t cp;
    int n = utf8_decode(s + i, to - i, &cp);
    if (s[i] == '\n' || s[i] == '\r') *column = 0;
    else if (s[i] == '\t') *column += 8 - *column % 8;
    else *column += n ? (uint32_t)utf8_width(cp) : 1;
    i += n ? (uint32_t)n : 1;
  }
}

static word *put_word(format *f, word w) {
  uint32_t width = 0;
  columns(f, w.off, w.off + w.len, &width);
  w.width = width;
  if (w.first) {
    line l = {.begin = (uint32_t)f->nwords};
    ARENA_PUSH(f->a, f->lines, f->nlines, f->cap_lines, l);
  }
  ARENA_PUSH(f->a, f->words, f->nwords, f->cap_words, w);
  f->lines[f->nlines - 1].end = (uint32_t)f->nwords;
  return &f->words[f->nwords - 1];
}

typedef struct between {
  uint32_t breaks;   /* line breaks since the last word */
  uint32_t column, from;
} between;

/* The text from g->from to `to`, which holds no token: its comments become words. */
static void read_gap(format *f, between *g, uint32_t to) {
  const char *s = f->file->text;
  for (uint32_t i = g->from; i < to;) {
    if (s[i] == '#') {
      uint32_t end = i;
      while (end < to && s[end] != '\n' && s[end] != '\r') end++;
      uint32_t last = end;
      while (s[last - 1] == ' ' || s[last - 1] == '\t' || s[last - 1] == '\f') last--;
      columns(f, g->from, i, &g->column);
      uint32_t spaces = i - g->from;
      bool first = g->breaks > 0 || f->nwords == 0, blank = g->breaks > 1 && f->nwords > 0;
      put_word(f, (word){.kind = LEX_NEWLINE, .off = i, .len = last - i, .column = g->column, .gap = 2, .blanks = spaces, .first = first});
      if (first) f->lines[f->nlines - 1].blank_before = blank;
      columns(f, i, end, &g->column);
      g->breaks = 0;
      g->from = i = end;
    } else if (s[i] == '\n' || s[i] == '\r') {
      i += s[i] == '\r' && i + 1 < to && s[i + 1] == '\n' ? 2 : 1;
      g->breaks++;
      g->column = 0;
      g->from = i;
    } else {
      i++;
    }
  }
}

/* `{` stands on the line of what it belongs to, and `else` behind a brace that has a line of its own. */
static bool joins_line_above(const format *f, const token *t) {
  const word *last = &f->words[f->nwords - 1];
  if (last->kind == LEX_NEWLINE) return false;
  return (t->kind == T_LC && last->kind != T_SEP && last->kind != T_LC) || (t->kind == T_ELSE && last->kind == T_RC && last->first);
}

static void read_words(format *f, intern_table *names, const source_map *m, int file) {
  diag_list unheard;
  diag_init(&unheard, f->a);
  tokens t;
  tokens_init(&t, names, m, file, &unheard);
  before b = {.last = {.kind = -1}};
  between g = {.from = (uint32_t)(t.lex.at - t.lex.text)};
  bool separated = false;
  for (;;) {
    token k = tokens_next(&t);
    if (k.kind == T_SEP) {
      separated = true;
      continue;
    }
    if (k.kind == LEX_EOF) break;
    read_gap(f, &g, k.off);
    uint32_t stretch = k.off - g.from;
    bool first = f->nwords == 0 || (g.breaks && !joins_line_above(f, &k)) || f->words[f->nwords - 1].kind == LEX_NEWLINE;
    /* A separator is written as `;` where both of its statements stand on one line. */
    if (separated && !first) {
      put_word(f, (word){.kind = T_SEP, .off = 0, .len = 1});
      f->words[f->nwords - 1].width = 1;
      b = (before){.last = {.kind = T_SEP}};
    }
    columns(f, g.from, k.off, &g.column);
    bool spaced = stretch > 0, opens = k.kind == T_LT && ends_value(b.last.kind) && at_bounds(&t), closes = k.kind == T_GT && b.bounds > 0;
    const char *behind = f->file->text + k.off + k.len;
    bool sign = k.kind == T_MINUS && is_sign(&b, spaced, *behind == ' ' || *behind == '\t');
    word w = {.kind = k.kind, .off = k.off, .len = k.len, .column = g.column, .blanks = first ? 0 : stretch, .first = first,
              .statement = separated || b.last.kind == -1 || b.last.kind == T_MEMO || b.last.kind == T_SEP || b.last.kind == T_LC};
    if (!first) w.gap = gap_of(&b, &k, closes, opens, spaced);
    put_word(f, w);
    if (first) f->lines[f->nlines - 1].blank_before = g.breaks > 1 && f->nlines > 1;
    columns(f, k.off, k.off + k.len, &g.column);
    g.from = k.off + k.len;
    g.breaks = 0;
    b.bounds += (size_t)opens - (size_t)closes;
    b.prefix = sign || (k.kind == T_AT && w.statement);
    b.tight = opens;
    b.last = k;
    /* A reserved word ends no value, a bound's `>` does. */
    if (closes) b.last.kind = T_RB;
    separated = false;
  }
  read_gap(f, &g, f->file->len);
}

/* ---- indentation */

static bool opens(int kind) { return kind == T_LP || kind == T_LB || kind == T_LC; }
static bool closes(int kind) { return kind == T_RP || kind == T_RB || kind == T_RC; }

/* The first token at or behind line k, or NULL at the end: comments are indented like what follows them. */
static const word *next_token(const format *f, size_t k) {
  for (uint32_t i = f->lines[k].begin; i < f->nwords; i++)
    if (f->words[i].kind != LEX_NEWLINE) return &f->words[i];
  return NULL;
}

typedef struct bracket_at {
  int kind;
  uint32_t indent; /* of the line that opened it */
} bracket_at;

static void indent_lines(format *f) {
  bracket_at *open = NULL;
  size_t n = 0, cap = 0;
  for (size_t k = 0; k < f->nlines; k++) {
    line *l = &f->lines[k];
    const word *w = next_token(f, k);
    bool comment = f->words[l->begin].kind == LEX_NEWLINE;
    const bracket_at *in = n ? &open[n - 1] : NULL;
    bool closing = !comment && closes(f->words[l->begin].kind);
    if (closing) l->indent = in ? in->indent : 0;
    else if (in && in->kind != T_LC) l->indent = in->indent + 1;
    else l->indent = (in ? in->indent + 1 : 0) + (w && !w->statement && !closes(w->kind) && w->kind != T_ELSE);
    const word *before = k ? &f->words[f->lines[k - 1].end - 1] : NULL;
    if (closing || (before && before->kind == T_LC)) l->blank_before = false;
    for (uint32_t i = l->begin; i < l->end; i++) {
      if (closes(f->words[i].kind) && n) n--;
      if (!opens(f->words[i].kind)) continue;
      bracket_at b = {f->words[i].kind, l->indent};
      ARENA_PUSH(f->a, open, n, cap, b);
    }
  }
}

/* ---- alignment */

/* Comments go with comments, the signs of statements with such signs. */
static int column_class(int kind) { return kind == LEX_NEWLINE ? 2 : kind == T_TILDE || kind == T_EQ; }

/* Two words were aligned when they stood in one column, each behind a space and one behind more. */
static bool aligned(const word *above, const word *w) {
  return above->column == w->column && above->gap && w->gap && above->blanks && w->blanks && (above->blanks > 1 || w->blanks > 1) &&
         column_class(above->kind) == column_class(w->kind);
}

static void link_words(format *f) {
  for (size_t k = 1; k < f->nlines; k++) {
    const line *up = &f->lines[k - 1], *l = &f->lines[k];
    if (l->blank_before || up->indent != l->indent) continue;
    uint32_t i = up->begin + 1;
    for (uint32_t j = l->begin + 1; j < l->end; j++) {
      while (i < up->end && f->words[i].column < f->words[j].column) i++;
      if (i < up->end && aligned(&f->words[i], &f->words[j])) f->words[j].link = i + 1;
    }
  }
}

/* Places the words of line k; true if one moved. */
static bool place(format *f, size_t k) {
  const line *l = &f->lines[k];
  bool moved = false;
  uint32_t at = 0;
  for (uint32_t i = l->begin; i < l->end; i++) {
    word *w = &f->words[i];
    if (i > l->begin) at += w->gap;
    if (at < w->at) at = w->at;
    if (w->link && f->words[w->link - 1].at > at) at = f->words[w->link - 1].at;
    if (w->at != at) moved = true;
    w->at = at;
    if (w->link && f->words[w->link - 1].at < at) f->words[w->link - 1].at = at, moved = true;
    at += w->width;
  }
  return moved;
}

/* Words only ever move to the right.  A sweep down settles what depends on lines above, one up the rest of a group; groups whose columns
 * push each other may take a few, and the bound stops a pathological file, whose columns are then as good as they got. */
static void align_words(format *f) {
  enum { SWEEPS = 64 };
  bool moved = true;
  for (int s = 0; moved && s < SWEEPS; s++) {
    moved = false;
    for (size_t k = 0; k < f->nlines; k++) moved |= place(f, k);
    for (size_t k = f->nlines; k-- > 0;) moved |= place(f, k);
  }
}

/* ---- writing */

static void spaces(strbuf *out, uint32_t n) {
  while (n-- > 0) strbuf_putc(out, ' ');
}

static void write_lines(strbuf *out, const format *f) {
  for (size_t k = 0; k < f->nlines; k++) {
    const line *l = &f->lines[k];
    if (l->blank_before) strbuf_putc(out, '\n');
    spaces(out, 2 * l->indent);
    uint32_t at = 0;
    for (uint32_t i = l->begin; i < l->end; i++) {
      const word *w = &f->words[i];
      spaces(out, w->at - at);
      if (w->kind == T_SEP) strbuf_putc(out, ';');
      else strbuf_put(out, f->file->text + w->off, w->len);
      at = w->at + w->width;
    }
    strbuf_putc(out, '\n');
  }
}

void format_source(strbuf *out, intern_table *names, const source_map *m, int file) {
  format f = {.a = out->a, .file = source_get(m, (uint32_t)file)};
  read_words(&f, names, m, file);
  indent_lines(&f);
  link_words(&f);
  align_words(&f);
  write_lines(out, &f);
}
