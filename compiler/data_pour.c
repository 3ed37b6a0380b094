/* data_pour.c: raw cells to the cells of a data_array (data_pour.h). */
#include "compiler/data_pour.h"

#include <math.h>
#include <string.h>

static int wrong(data_pour *p, const char *code, const char *help, const char *what) {
  return data_fail(p->ds, code, p->x->origin.file, data_cell_where(p->x, p->to, p->ds->a), help, "%s", what);
}

int data_pour_begin(data_pour *p) {
  data_array *x = p->x;
  bool real = p->type.kind == POUR_FLOAT || p->type.kind == POUR_BFLOAT16;
  x->kind = real && x->cells ? DATA_REAL : p->type.kind == POUR_BOOL && x->cells ? DATA_BOOL : DATA_INT;
  if (x->kind == DATA_REAL) x->f64 = p->reals = ARENA_ARRAY(p->ds->a, double, x->cells);
  else x->i64 = p->ints = ARENA_ARRAY(p->ds->a, int64_t, x->cells);
  size_t stride = 1;
  for (int k = x->rank - 1; k >= 0; k--) {
    p->stride[k] = stride;
    stride *= (size_t)x->dims[k];
  }
  p->texts.a = p->scratch;
  p->part = ARENA_ARRAY(p->scratch, char, p->type.size);
  p->text = ARENA_ARRAY(p->scratch, char, p->type.size);
  return 0;
}

static uint64_t bits(const data_pour *p, const char *s) {
  uint64_t v = 0;
  for (size_t k = 0; k < p->type.size; k++) v |= (uint64_t)(unsigned char)s[p->type.big_endian ? p->type.size - 1 - k : k] << 8 * k;
  return v;
}

/* IEEE binary16. */
static double half(uint64_t v) {
  int e = (int)(v >> 10 & 31);
  double m = (double)(v & 1023);
  double x = e == 0 ? ldexp(m, -24) : e == 31 ? (m > 0 ? (double)NAN : (double)INFINITY) : ldexp(1024 + m, e - 25);
  return v >> 15 & 1 ? -x : x;
}

static double real_of(const data_pour *p, const char *s) {
  uint64_t v = bits(p, s);
  if (p->type.kind == POUR_BFLOAT16) v <<= 16;
  if (p->type.size == 8) {
    double d;
    memcpy(&d, &v, 8);
    return d;
  }
  if (p->type.size == 2 && p->type.kind == POUR_FLOAT) return half(v);
  uint32_t w = (uint32_t)v;
  float f;
  memcpy(&f, &w, 4);
  return f;
}

static size_t utf8(char *to, uint32_t c) {
  if (c < 0x80) return to[0] = (char)c, 1;
  if (c < 0x800) return to[0] = (char)(0xc0 | c >> 6), to[1] = (char)(0x80 | (c & 63)), 2;
  if (c < 0x10000) return to[0] = (char)(0xe0 | c >> 12), to[1] = (char)(0x80 | (c >> 6 & 63)), to[2] = (char)(0x80 | (c & 63)), 3;
  return to[0] = (char)(0xf0 | c >> 18), to[1] = (char)(0x80 | (c >> 12 & 63)), to[2] = (char)(0x80 | (c >> 6 & 63)), to[3] = (char)(0x80 | (c & 63)), 4;
}

/* The text of a cell, which zeros fill up. */
static int add_text(data_pour *p, const char *s) {
  const size_t n = p->type.size;
  const char *text = s;
  size_t at = 0, used = 0; /* bytes of the text; of the cell */
  if (p->type.kind == POUR_UCS4) {
    text = p->text;
    for (; used < n; used += 4) {
      uint32_t c = 0;
      for (size_t i = 0; i < 4; i++) c |= (uint32_t)(unsigned char)s[used + (p->type.big_endian ? 3 - i : i)] << 8 * i;
      if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return wrong(p, "E0763", NULL, "this text holds a number that is no character");
      if (!c) break;
      at += utf8(p->text + at, c);
    }
  } else {
    uint32_t cp;
    while (at < n && s[at]) at++;
    used = at;
    for (size_t k = 0; k < at;) {
      int m = (signed char)s[k] > 0 ? 1 : utf8_decode(s + k, at - k, &cp);
      if (m == 0) return wrong(p, "E0763", NULL, "these bytes are not UTF-8");
      k += (size_t)m;
    }
  }
  for (; used < n; used++)
    if (s[used]) return wrong(p, "E0763", NULL, "this text holds the character U+0000");
  size_t code = data_texts_add(&p->texts, text, at);
  if (!code) return wrong(p, "E0758", NULL, "there are too many different texts");
  p->ints[p->to] = (int64_t)code;
  return 0;
}

static int add_cell(data_pour *p, const char *s) {
  switch (p->type.kind) {
  case POUR_FLOAT:
  case POUR_BFLOAT16: p->reals[p->to] = real_of(p, s); break;
  case POUR_INT: {
    unsigned shift = 64 - 8 * (unsigned)p->type.size;
    p->ints[p->to] = (int64_t)(bits(p, s) << shift) >> shift;
    break;
  }
  case POUR_UINT: {
    uint64_t v = bits(p, s);
    if (v > INT64_MAX) return wrong(p, "E0761", "integers have 64 bits with a sign", "this number is too large");
    p->ints[p->to] = (int64_t)v;
    break;
  }
  case POUR_BOOL:
    if (*s & ~1) return wrong(p, "E0745", NULL, "a truth value is the byte 0 or 1, and this is another");
    p->ints[p->to] = *s;
    break;
  case POUR_UCS4:
  case POUR_BYTES:
    if (add_text(p, s) < 0) return -1;
    break;
  }
  p->done++;
  if (!p->first_fastest) {
    p->to++;
    return 0;
  }
  for (int k = 0; k < p->x->rank; k++) {
    p->to += p->stride[k];
    if (++p->at[k] < p->x->dims[k]) break;
    p->to -= p->stride[k] * (size_t)p->x->dims[k];
    p->at[k] = 0;
  }
  return 0;
}

int data_pour_bytes(data_pour *p, const char *bytes, size_t n) {
  const size_t size = p->type.size, cells = p->x->cells;
  for (size_t k = 0; k < n && p->done < cells;) {
    if (p->n_part || n - k < size) {
      size_t take = size - p->n_part < n - k ? size - p->n_part : n - k;
      memcpy(p->part + p->n_part, bytes + k, take);
      k += take;
      p->n_part += take;
      if (p->n_part < size) break;
      p->n_part = 0;
      if (add_cell(p, p->part) < 0) return -1;
    } else {
      if (add_cell(p, bytes + k) < 0) return -1;
      k += size;
    }
  }
  return 0;
}

int data_pour_end(data_pour *p) {
  if (p->x->cells && (p->type.kind == POUR_UCS4 || p->type.kind == POUR_BYTES)) data_texts_levels(&p->texts, p->ds->a, p->x, p->ints);
  return data_enter(p->ds, p->x);
}
