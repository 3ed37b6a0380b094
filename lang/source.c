/* source.c: texts, line tables, and the width of what a terminal shows. */
#include "lang/source.h"

#include <string.h>

enum { TAB = 8 };

void source_map_init(source_map *m, arena *a) {
  memset(m, 0, sizeof *m);
  m->a = a;
}

int source_add(source_map *m, const char *name, const char *text, size_t len) {
  if (len > SOURCE_MAX_BYTES || m->n >= INT32_MAX) return 0;
  source_file f = {.len = (uint32_t)len};
  f.name = arena_strndup(m->a, name, strlen(name));
  f.text = arena_strndup(m->a, text, len);
  ARENA_PUSH(m->a, m->files, m->n, m->cap, f);
  return (int)m->n;
}

const source_file *source_get(const source_map *m, uint32_t file) {
  return file != 0 && file <= m->n ? &m->files[file - 1] : NULL;
}

/* A line ends with "\n", "\r\n" or a lone "\r", which old editors wrote. */
static source_file *with_lines(source_map *m, uint32_t file) {
  if (file == 0 || file > m->n) return NULL;
  source_file *f = &m->files[file - 1];
  if (f->nlines) return f;
  size_t n = 0, cap = 0;
  uint32_t *lines = NULL;
  ARENA_PUSH(m->a, lines, n, cap, 0);
  for (uint32_t i = 0; i < f->len; i++) {
    char c = f->text[i];
    if (c == '\n' || (c == '\r' && f->text[i + 1] != '\n')) ARENA_PUSH(m->a, lines, n, cap, i + 1);
  }
  f->lines = lines;
  f->nlines = (uint32_t)n;
  return f;
}

uint32_t source_line_count(source_map *m, uint32_t file) {
  const source_file *f = with_lines(m, file);
  return f ? f->nlines : 0;
}

span source_line(source_map *m, uint32_t file, uint32_t line) {
  const source_file *f = with_lines(m, file);
  if (!f || line == 0 || line > f->nlines) return (span){file, 0, 0};
  uint32_t from = f->lines[line - 1], to = line < f->nlines ? f->lines[line] : f->len;
  while (to > from && (f->text[to - 1] == '\n' || f->text[to - 1] == '\r')) to--;
  return (span){file, from, to - from};
}

source_place source_locate(source_map *m, uint32_t file, uint32_t off) {
  const source_file *f = with_lines(m, file);
  if (!f) return (source_place){1, 1};
  if (off > f->len) off = f->len;
  uint32_t lo = 0, hi = f->nlines; /* lines[lo] <= off < lines[hi] */
  while (hi - lo > 1) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (f->lines[mid] <= off) lo = mid;
    else hi = mid;
  }
  uint32_t column = 0;
  for (uint32_t i = f->lines[lo]; i < off;) {
    uint32_t cp;
    int n = utf8_decode(f->text + i, f->len - i, &cp);
    if (n && i + (uint32_t)n > off) break; /* off is inside a character: its first column */
    if (n == 1 && cp == '\t') column += TAB - column % TAB;
    else column += n ? (uint32_t)utf8_width(cp) : 1;
    i += n ? (uint32_t)n : 1;
  }
  return (source_place){lo + 1, column + 1};
}

span span_join(span a, span b) {
  if (!a.file) return b;
  if (!b.file || b.file != a.file || b.off + b.len < a.off) return a;
  uint32_t end = a.off + a.len > b.off + b.len ? a.off + a.len : b.off + b.len;
  return (span){a.file, a.off, end - a.off};
}

span span_after(span s) { return (span){s.file, s.off + s.len, 0}; }

int utf8_decode(const char *s, size_t n, uint32_t *cp) {
  const unsigned char *p = (const unsigned char *)s;
  static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
  if (n == 0) return 0;
  if (p[0] < 0x80) return *cp = p[0], 1;
  int len = p[0] >= 0xf0 && p[0] < 0xf8 ? 4 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xc0 && p[0] < 0xe0 ? 2 : 0;
  if (len == 0 || (size_t)len > n) return 0;
  uint32_t c = p[0] & (0x7fu >> len);
  for (int i = 1; i < len; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
    c = c << 6 | (p[i] & 0x3f);
  }
  if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0;
  *cp = c;
  return len;
}

typedef struct interval {
  uint32_t first, last;
} interval;

static bool within(const interval *t, size_t n, uint32_t cp) {
  for (size_t i = 0; i < n && t[i].first <= cp; i++)
    if (cp <= t[i].last) return true;
  return false;
}

/* The blocks that terminals agree on; a full table of Unicode would serve a caret little. */
int utf8_width(uint32_t cp) {
  static const interval none[] = {{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},
                                  {0x64b, 0x65f},   {0x93c, 0x93c},   {0x94d, 0x94d},   {0xe31, 0xe31},
                                  {0xe34, 0xe3a},   {0xe47, 0xe4e},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
                                  {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064}, {0x20d0, 0x20ff},
                                  {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef}};
  static const interval wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
                                  {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},
                                  {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
                                  {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
  if (cp < 0x20 || cp == 0x7f) return 1; /* shown as a replacement character */
  if (cp < 0x300) return 1;
  if (within(none, sizeof none / sizeof *none, cp)) return 0;
  return within(wide, sizeof wide / sizeof *wide, cp) ? 2 : 1;
}

bool source_path_below(const char *path) {
  int depth = 0;
  if (path[0] == '/') return false;
  while (*path) {
    size_t n = strcspn(path, "/");
    if (n == 2 && path[0] == '.' && path[1] == '.') depth--;
    else if (n > 0 && !(n == 1 && path[0] == '.')) depth++;
    if (depth < 0) return false;
    path += n;
    path += *path == '/';
  }
  return true;
}
