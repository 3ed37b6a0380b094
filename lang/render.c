/* render.c: the picture of a diagnostic.
 *
 *     error[E0401]: message                severity, code, and the message
 *       --> schools.aim:7:19               the primary place
 *        |
 *      7 |     y[j] ~ Normal(theta[j], s)  its line, tabs expanded
 *        |                   ^^^^^^^^ label
 *        |
 *      4 |   plate k in 1..K {            each further place, `-` under it
 *        |   ----------------- label
 *        |
 *        = help: the way out
 *
 * A span over several lines is shown by its first line, underlined to the end, and its last.  Lines wider than the
 * terminal are cut around the underlined part. */
#include "lang/render.h"

#include <string.h>

enum { TAB = 8, DEFAULT_WIDTH = 100, LEAST_WIDTH = 20 };

static const char *const severity_text[] = {"error", "warning", "note", "help"};
static const char *const severity_colour[] = {"\x1b[1;31m", "\x1b[1;33m", "\x1b[1;36m", "\x1b[1;32m"};

typedef struct canvas {
  strbuf *out;
  source_map *map;
  bool colour;
  unsigned width;
  int gutter; /* digits of the largest line number shown */
} canvas;

static void colour(canvas *c, const char *code) {
  if (c->colour) strbuf_puts(c->out, code);
}

static void bar(canvas *c, uint32_t line) {
  colour(c, "\x1b[1;34m");
  if (line) strbuf_printf(c->out, " %*u |", c->gutter, line);
  else strbuf_printf(c->out, " %*s |", c->gutter, "");
  colour(c, "\x1b[0m");
}

static void blank(canvas *c) {
  bar(c, 0);
  strbuf_putc(c->out, '\n');
}

static int digits(uint32_t n) {
  int d = 1;
  while (n >= 10) n /= 10, d++;
  return d;
}

/* What one byte position of a line shows: its bytes, or a stand-in for what a terminal must not see. */
static int glyph(const char *s, size_t n, uint32_t column, const char **text, size_t *len, uint32_t *width) {
  uint32_t cp;
  int bytes = utf8_decode(s, n, &cp);
  if (bytes == 1 && cp == '\t') {
    *text = "        ";
    *width = TAB - column % TAB;
    *len = *width;
  } else if (bytes == 0 || cp < 0x20 || cp == 0x7f || (cp >= 0x80 && cp < 0xa0) || (cp >= 0x202a && cp <= 0x202e) ||
             (cp >= 0x2066 && cp <= 0x2069)) {
    *text = "\xef\xbf\xbd";
    *len = 3;
    *width = 1;
  } else {
    *text = s;
    *len = (size_t)bytes;
    *width = (uint32_t)utf8_width(cp);
  }
  return bytes ? bytes : 1;
}

/* One line and the mark under it.  from and to are offsets in the file. */
static void show_line(canvas *c, uint32_t file, uint32_t line, uint32_t from, uint32_t to, char mark, const char *label,
                      const char *paint) {
  span l = source_line(c->map, file, line);
  const source_file *f = source_get(c->map, file);
  uint32_t end = l.off + l.len;
  if (to > end) to = end;
  if (from > end) from = end;
  /* Display columns, from 0, of the mark; bidirectional controls and their like count as one. */
  uint32_t column = 0, first = 0, last = 0, total = 0;
  for (uint32_t i = l.off; i < end;) {
    const char *text;
    size_t len;
    uint32_t w;
    if (i <= from) first = column;
    i += (uint32_t)glyph(f->text + i, end - i, column, &text, &len, &w);
    column += w;
    if (i <= to) last = column;
  }
  total = column;
  if (from >= end) first = total;
  if (last <= first) last = first + 1;
  /* The window of columns shown. */
  uint32_t left = 0, right = total;
  bool cut_left = false, cut_right = false;
  if (total > c->width) {
    uint32_t room = c->width - 6;
    left = first > room / 3 ? first - room / 3 : 0;
    if (left + room > total) left = total > room ? total - room : 0;
    right = left + room;
    cut_left = left > 0;
    cut_right = right < total;
    if (last > right) last = right;
    if (first > right) first = right;
  }
  bar(c, line);
  if (l.len) strbuf_putc(c->out, ' ');
  if (cut_left) strbuf_puts(c->out, "...");
  uint32_t shown_first = first, pad = 0;
  column = 0;
  for (uint32_t i = l.off; i < end;) {
    const char *text;
    size_t len;
    uint32_t w;
    i += (uint32_t)glyph(f->text + i, end - i, column, &text, &len, &w);
    if (column >= left && column + w <= right) strbuf_put(c->out, text, len);
    else if (column < left && column + w > left) pad = column + w - left; /* half a wide glyph or tab */
    if (pad) {
      for (; pad; pad--) strbuf_putc(c->out, ' ');
    }
    column += w;
  }
  if (cut_right) strbuf_puts(c->out, "...");
  while (c->out->n && c->out->s[c->out->n - 1] == ' ') c->out->s[--c->out->n] = '\0';
  strbuf_putc(c->out, '\n');
  bar(c, 0);
  strbuf_putc(c->out, ' ');
  for (uint32_t i = left; i < shown_first + (cut_left ? 3 : 0); i++) strbuf_putc(c->out, ' ');
  colour(c, paint);
  for (uint32_t i = first; i < last; i++) strbuf_putc(c->out, mark);
  if (label && *label) strbuf_printf(c->out, " %s", label);
  colour(c, "\x1b[0m");
  strbuf_putc(c->out, '\n');
}

static void show(canvas *c, span at, char mark, const char *label, const char *paint) {
  const source_file *f = source_get(c->map, at.file);
  if (!f) return;
  uint32_t from = at.off > f->len ? f->len : at.off;
  uint32_t to = at.len > f->len - from ? f->len : from + at.len;
  uint32_t first = source_locate(c->map, at.file, from).line;
  uint32_t last = to > from ? source_locate(c->map, at.file, to - 1).line : first;
  if (first == last) {
    show_line(c, at.file, first, from, to, mark, label, paint);
    return;
  }
  span head = source_line(c->map, at.file, first), tail = source_line(c->map, at.file, last);
  show_line(c, at.file, first, from, head.off + head.len, mark, NULL, paint);
  if (last > first + 1) {
    colour(c, "\x1b[1;34m");
    strbuf_puts(c->out, " ...\n");
    colour(c, "\x1b[0m");
  }
  uint32_t start = tail.off;
  while (start < to && (f->text[start] == ' ' || f->text[start] == '\t')) start++;
  show_line(c, at.file, last, start, to, mark, label, paint);
}

static uint32_t last_line(source_map *m, span at) {
  const source_file *f = source_get(m, at.file);
  if (!f) return 0;
  uint32_t off = at.len ? at.off + at.len - 1 : at.off;
  return source_locate(m, at.file, off > f->len ? f->len : off).line;
}

static void arrow(canvas *c, span at) {
  const source_file *f = source_get(c->map, at.file);
  source_place place = source_locate(c->map, at.file, at.off);
  colour(c, "\x1b[1;34m");
  strbuf_printf(c->out, " %*s-->", c->gutter, "");
  colour(c, "\x1b[0m");
  strbuf_printf(c->out, " %s:%u:%u\n", f->name, place.line, place.column);
}

void render_diag(strbuf *out, source_map *m, const diag *d, const render_options *o) {
  canvas c = {.out = out, .map = m, .colour = o && o->colour, .width = o && o->width ? o->width : DEFAULT_WIDTH, .gutter = 1};
  if (c.width < LEAST_WIDTH) c.width = LEAST_WIDTH;
  int g = digits(last_line(m, d->at));
  if (g > c.gutter) c.gutter = g;
  for (size_t i = 0; i < d->nlabels; i++) {
    g = digits(last_line(m, d->labels[i].at));
    if (g > c.gutter) c.gutter = g;
  }
  const char *paint = severity_colour[d->severity];
  colour(&c, paint);
  strbuf_printf(out, "%s[%s]", severity_text[d->severity], d->code);
  colour(&c, "\x1b[0m\x1b[1m");
  strbuf_printf(out, ": %s", d->message);
  colour(&c, "\x1b[0m");
  strbuf_putc(out, '\n');
  uint32_t file = d->at.file;
  if (source_get(m, file)) {
    arrow(&c, d->at);
    blank(&c);
    show(&c, d->at, '^', d->label, paint);
  }
  for (size_t i = 0; i < d->nlabels; i++) {
    const diag_label *l = &d->labels[i];
    if (!source_get(m, l->at.file)) continue;
    if (file) blank(&c);
    if (l->at.file != file) {
      arrow(&c, l->at);
      blank(&c);
      file = l->at.file;
    }
    show(&c, l->at, '-', l->text, "\x1b[1;34m");
  }
  if (d->nremarks && file) blank(&c);
  for (size_t i = 0; i < d->nremarks; i++) {
    colour(&c, "\x1b[1;34m");
    strbuf_printf(out, " %*s = ", c.gutter, "");
    colour(&c, severity_colour[d->remarks[i].kind]);
    strbuf_puts(out, severity_text[d->remarks[i].kind]);
    colour(&c, "\x1b[0m");
    strbuf_printf(out, ": %s\n", d->remarks[i].text);
  }
  strbuf_putc(out, '\n');
}

void render_list(strbuf *out, source_map *m, const diag_list *list, const render_options *o) {
  for (size_t i = 0; i < list->n; i++) render_diag(out, m, list->items[i], o);
  if (list->dropped)
    strbuf_printf(out, "and %zu more %s\n", list->dropped, list->dropped == 1 ? "error" : "errors");
}
