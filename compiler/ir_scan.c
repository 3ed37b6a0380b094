/* ir_scan.c: words and names of the IR's text (ir_scan.h). */
#include "compiler/ir_scan.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void ir_scan_fail_at(ir_scan *ps, const char *where, const char *what) {
  unsigned line = 1;
  for (const char *p = ps->text; p < where; p++) line += *p == '\n';
  ps->error = arena_printf(ps->mem, "line %u: %s", line, what);
  longjmp(ps->fault, 1);
}

_Noreturn void ir_scan_fail(ir_scan *ps, const char *what) { ir_scan_fail_at(ps, ps->p, what); }

_Noreturn void ir_scan_fail_name(ir_scan *ps, const char *before, const char *name, const char *after) {
  ir_scan_fail(ps, arena_printf(ps->mem, "%s%.80s%s", before, name, after));
}

/* ---- tokens */

void ir_scan_space(ir_scan *ps) {
  for (;;) {
    while (*ps->p == ' ' || *ps->p == '\t' || *ps->p == '\n' || *ps->p == '\r') ps->p++;
    if (*ps->p != '#') return;
    while (ps->p < ps->end && *ps->p != '\n') ps->p++;
  }
}

bool ir_scan_at(ir_scan *ps, char c) {
  ir_scan_space(ps);
  return *ps->p == c && ps->p < ps->end;
}

bool ir_scan_accept(ir_scan *ps, const char *token) {
  ir_scan_space(ps);
  size_t n = strlen(token);
  if (strncmp(ps->p, token, n) != 0) return false;
  if (ir_text_is_name_byte(token[n - 1]) && ir_text_is_name_byte(ps->p[n])) return false;
  ps->p += n;
  return true;
}

void ir_scan_expect(ir_scan *ps, const char *token) {
  if (!ir_scan_accept(ps, token)) ir_scan_fail_name(ps, "expected `", token, "`");
}

/* The word at the cursor, interned, or NULL. */
const char *ir_scan_word(ir_scan *ps) {
  ir_scan_space(ps);
  const char *from = ps->p;
  while (ir_text_is_name_byte(*ps->p)) ps->p++;
  return ps->p == from ? NULL : intern_bytes(&ps->names, from, (size_t)(ps->p - from));
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

const char *ir_scan_quoted(ir_scan *ps) {
  strbuf text;
  strbuf_init(&text, ps->mem);
  ir_scan_expect(ps, "\"");
  while (*ps->p != '"') {
    char c = *ps->p;
    if (ps->p >= ps->end || c == '\n' || c == '\0') ir_scan_fail(ps, "a string without its closing quote");
    if (c == '\\') {
      c = *++ps->p;
      if (c == 'x') {
        int hi = hex_digit(ps->p[1]), lo = hi < 0 ? -1 : hex_digit(ps->p[2]);
        if (lo < 0 || hi * 16 + lo == 0) ir_scan_fail(ps, "an escape that is not \\x and two digits");
        c = (char)(hi * 16 + lo);
        ps->p += 2;
      } else if (c != '"' && c != '\\') {
        ir_scan_fail(ps, "an unknown escape in a string");
      }
    }
    strbuf_putc(&text, c);
    ps->p++;
  }
  ps->p++;
  return intern_bytes(&ps->names, text.s, text.n);
}

const char *ir_scan_name(ir_scan *ps, const char *of) {
  ir_scan_space(ps);
  const char *s = *ps->p == '"' ? ir_scan_quoted(ps) : ir_scan_word(ps);
  if (!s) ir_scan_fail_name(ps, "expected the name of a ", of, "");
  return s;
}

int64_t ir_scan_integer(ir_scan *ps) {
  ir_scan_space(ps);
  bool negative = *ps->p == '-';
  if (negative) ps->p++;
  if (*ps->p < '0' || *ps->p > '9') ir_scan_fail(ps, "expected an integer");
  int64_t n = 0;
  for (; *ps->p >= '0' && *ps->p <= '9'; ps->p++) {
    int digit = *ps->p - '0';
    if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, negative ? -digit : digit, &n))
      ir_scan_fail(ps, "an integer that does not fit 64 bits");
  }
  return n;
}

double ir_scan_real(ir_scan *ps) {
  if (ir_scan_accept(ps, "inf")) return INFINITY;
  if (ir_scan_accept(ps, "nan")) return NAN;
  if (ir_scan_accept(ps, "-inf")) return -INFINITY;
  const char *from = ps->p, *p = from + (*from == '-'), *digits = p;
  const char *point = NULL;
  while (*p >= '0' && *p <= '9') p++;
  bool ok = p > digits, marked = false;
  if (*p == '.') {
    point = p++;
    marked = true;
    while (*p >= '0' && *p <= '9') p++;
  }
  if (*p == 'e') {
    marked = true;
    p++;
    if (*p == '-' || *p == '+') p++;
    ok &= *p >= '0' && *p <= '9';
    while (*p >= '0' && *p <= '9') p++;
  }
  if (!ok || !marked || ir_text_is_name_byte(*p)) ir_scan_fail(ps, "expected a real: it has a point or an exponent, or is inf or nan");
  /* strtod wants the locale's own point. */
  strbuf text;
  strbuf_init(&text, ps->mem);
  strbuf_put(&text, from, (size_t)((point ? point : p) - from));
  if (point) {
    strbuf_puts(&text, localeconv()->decimal_point);
    strbuf_put(&text, point + 1, (size_t)(p - point - 1));
  }
  double x = strtod(text.s, NULL);
  if (isinf(x)) ir_scan_fail(ps, "a real out of range");
  ps->p = p;
  return x;
}

ir_size ir_scan_size(ir_scan *ps) {
  ir_scan_space(ps);
  ir_size s = size_parse(ps->m->sizes, &ps->p);
  if (!s) ir_scan_fail(ps, "expected a size, or it is too large");
  return s;
}

int ir_scan_choice(ir_scan *ps, const char *of, size_t n, const char *const *names) {
  const char *w = ir_scan_word(ps);
  for (size_t k = 0; k < n && w; k++)
    if (strcmp(w, names[k]) == 0) return (int)k;
  if (!w) ir_scan_fail_name(ps, "expected a ", of, "");
  ir_scan_fail(ps, arena_printf(ps->mem, "`%.80s` is no %s", w, of));
}

ir_type ir_scan_type(ir_scan *ps) {
  ir_type t = ir_scalar((ir_elem)ir_scan_choice(ps, "element type", 4, ir_elem_name));
  if (*ps->p != '[') return t;
  ps->p++;
  do {
    if (t.rank == IR_MAX_RANK) ir_scan_fail(ps, "an array of more than six axes");
    t.dim[t.rank++] = ir_scan_size(ps);
  } while (ir_scan_accept(ps, ","));
  ir_scan_expect(ps, "]");
  return t;
}

/* ---- names of values */

static size_t scope_slot(const ir_scope *s, const char *key) {
  size_t at = ((uintptr_t)key >> 4) * 0x9E3779B97F4A7C15u >> 20 & (s->cap - 1);
  while (s->key[at] && s->key[at] != key) at = (at + 1) & (s->cap - 1);
  return at;
}

void ir_scan_scope_begin(ir_scan *ps) {
  ps->scope = (ir_scope){.cap = 64};
  ps->scope.key = ARENA_ARRAY(ps->mem, const char *, 64);
  ps->scope.val = ARENA_ARRAY(ps->mem, ir_val, 64);
}

void ir_scan_define(ir_scan *ps, const char *key, ir_val v) {
  ir_scope *s = &ps->scope;
  if (2 * (s->used + 1) > s->cap) {
    ir_scope old = *s;
    s->cap *= 2;
    s->key = ARENA_ARRAY(ps->mem, const char *, s->cap);
    s->val = ARENA_ARRAY(ps->mem, ir_val, s->cap);
    for (size_t k = 0; k < old.cap; k++) {
      if (!old.key[k]) continue;
      size_t at = scope_slot(s, old.key[k]);
      s->key[at] = old.key[k];
      s->val[at] = old.val[k];
    }
  }
  size_t at = scope_slot(s, key);
  if (s->key[at] && s->val[at]) ir_scan_fail_name(ps, "%", key, " is defined already");
  if (!s->key[at]) s->used++;
  s->key[at] = key;
  s->val[at] = v;
  ARENA_PUSH(ps->mem, s->live.v, s->live.n, s->live.cap, key);
}

void ir_scan_scope_leave(ir_scan *ps, size_t mark) {
  ir_scope *s = &ps->scope;
  while (s->live.n > mark) s->val[scope_slot(s, s->live.v[--s->live.n])] = 0;
}

const char *ir_scan_value_name(ir_scan *ps) {
  ir_scan_expect(ps, "%");
  const char *w = ir_text_is_name_byte(*ps->p) ? ir_scan_word(ps) : NULL;
  if (!w) ir_scan_fail(ps, "expected the name of a value");
  return w;
}

ir_val ir_scan_value(ir_scan *ps) {
  const char *key = ir_scan_value_name(ps);
  size_t at = scope_slot(&ps->scope, key);
  if (!ps->scope.key[at] || !ps->scope.val[at]) ir_scan_fail_name(ps, "%", key, " is not defined here");
  return ps->scope.val[at];
}
