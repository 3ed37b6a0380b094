/* data_npy.c: NumPy's array format, versions 1 to 3: a magic word, the length of a header, the header as a Python dictionary
 * of three keys, the cells (numpy.lib.format). */
#include "compiler/data_npy.h"

#include "compiler/data_input.h"

#include <string.h>

static int wrong(npy *r, const char *code, const char *help, const char *what) {
  return data_fail(r->pour.ds, code, r->pour.x->origin.file, r->where, help, "%s", what);
}

/* --- the header ---------------------------------------------------------------------------------------------------- */

typedef struct scan {
  const char *at, *end;
} scan;

static void spaces(scan *s) {
  while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t')) s->at++;
}

static bool take(scan *s, char c) {
  spaces(s);
  if (s->at == s->end || *s->at != c) return false;
  s->at++;
  return true;
}

static bool quoted(scan *s, const char **text, size_t *n) {
  spaces(s);
  if (s->at == s->end || (*s->at != '\'' && *s->at != '"')) return false;
  char quote = *s->at++;
  *text = s->at;
  while (s->at < s->end && *s->at != quote) s->at++;
  *n = (size_t)(s->at - *text);
  return take(s, quote);
}

static bool word(scan *s, const char *w) {
  spaces(s);
  size_t n = strlen(w);
  if ((size_t)(s->end - s->at) < n || memcmp(s->at, w, n) != 0) return false;
  s->at += n;
  return true;
}

static bool number(scan *s, uint64_t *n) {
  spaces(s);
  const char *first = s->at;
  for (*n = 0; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
    if (*n > (INT64_MAX - 9) / 10) return false;
    *n = 10 * *n + (uint64_t)(*s->at - '0');
  }
  if (s->at < s->end && *s->at == 'L') s->at++; /* as Python 2 wrote them */
  return s->at > first;
}

/* "<f8", "|b1", "=i4", "<U12". */
static int read_type(npy *r, const char *s, size_t n) {
  pour_type *t = &r->pour.type;
  size_t k = n && strchr("<>=|", *s) ? 1 : 0;
  t->big_endian = k && *s == '>';
  char kind = k < n ? s[k] : 0;
  t->size = 0;
  for (size_t i = k + 1; i < n && s[i] >= '0' && s[i] <= '9' && t->size <= POUR_MAX_CELL; i++) t->size = 10 * t->size + (size_t)(s[i] - '0');
  bool power = t->size == 1 || t->size == 2 || t->size == 4 || t->size == 8;
  switch (kind) {
  case 'f':
    t->kind = POUR_FLOAT;
    if (!power || t->size == 1) return wrong(r, "E0746", "convert it with `astype(\"f8\")`", "reals of this length are not read");
    return 0;
  case 'i':
  case 'u':
    t->kind = kind == 'i' ? POUR_INT : POUR_UINT;
    return power ? 0 : wrong(r, "E0746", "convert it with `astype(\"i8\")`", "integers of this length are not read");
  case 'b':
  case '?': t->kind = POUR_BOOL, t->size = 1; return 0;
  case 'U': t->kind = POUR_UCS4, t->size *= 4; break;
  case 'S':
  case 'a': t->kind = POUR_BYTES; break;
  case 'O': return wrong(r, "E0746", "convert it to numbers or texts, `astype(float)` or `astype(str)`, before it is saved", "the array holds Python objects, which only Python reads");
  case 'c': return wrong(r, "E0746", "save the real and the imaginary part as arrays of their own", "complex numbers are not read");
  case 'M':
  case 'm': return wrong(r, "E0746", "convert it with `astype(\"i8\")`", "dates and spans of time are not read");
  default: return wrong(r, "E0746", "reals, integers, truth values and texts are", "cells of this type are not read");
  }
  if (t->size == 0) t->size = t->kind == POUR_UCS4 ? 4 : 1, r->pour.x->cells = 0;
  return t->size <= POUR_MAX_CELL ? 0 : wrong(r, "E0746", NULL, "its texts are longer than 2^20 bytes");
}

static int read_header(npy *r) {
  data_array *x = r->pour.x;
  arena *a = r->pour.ds->a;
  const size_t skip = r->header[6] == 1 ? 10 : 12;
  scan s = {r->header + skip, r->header + r->n_header};
  static const char broken[] = "the header is not as NumPy writes it";
  int64_t *dims = ARENA_ARRAY(a, int64_t, DATA_MAX_RANK);
  bool has_type = false, has_order = false, has_shape = false, empty_text = false;
  if (!take(&s, '{')) return wrong(r, "E0745", NULL, broken);
  while (!take(&s, '}')) {
    const char *key;
    size_t n;
    if (!quoted(&s, &key, &n) || !take(&s, ':')) return wrong(r, "E0745", NULL, broken);
    if (n == 5 && memcmp(key, "descr", 5) == 0 && !has_type) {
      const char *type;
      spaces(&s);
      if (s.at < s.end && *s.at == '[') return wrong(r, "E0746", "save each field as an array of its own", "the array has fields, and such are not read");
      if (!quoted(&s, &type, &n)) return wrong(r, "E0745", NULL, broken);
      x->cells = 1;
      if (read_type(r, type, n) < 0) return -1;
      empty_text = x->cells == 0;
      has_type = true;
    } else if (n == 13 && memcmp(key, "fortran_order", 13) == 0) {
      has_order = true;
      r->pour.first_fastest = word(&s, "True");
      if (!r->pour.first_fastest && !word(&s, "False")) return wrong(r, "E0745", NULL, broken);
    } else if (n == 5 && memcmp(key, "shape", 5) == 0 && !has_shape) {
      has_shape = true;
      if (!take(&s, '(')) return wrong(r, "E0745", NULL, broken);
      while (!take(&s, ')')) {
        uint64_t d;
        if (!number(&s, &d)) return wrong(r, "E0745", NULL, broken);
        if (x->rank == DATA_MAX_RANK) return wrong(r, "E0758", NULL, "the array has more than 16 dimensions");
        dims[x->rank++] = (int64_t)d;
        take(&s, ',');
      }
    } else {
      return wrong(r, "E0745", NULL, broken);
    }
    take(&s, ',');
  }
  if (!has_type || !has_order || !has_shape) return wrong(r, "E0745", NULL, broken);
  x->dims = dims;
  if (data_cells(x->rank, dims, &x->cells) < 0) return wrong(r, "E0758", NULL, "the array does not fit in memory");
  if (empty_text && x->cells) return wrong(r, "E0746", NULL, "its texts have no room for a character");
  r->cells_at = r->n_header;
  if (r->expected != UINT64_MAX && (r->expected - r->cells_at) / r->pour.type.size < x->cells)
    return data_fail(r->pour.ds, "E0747", x->origin.file, r->where, "the file has been cut short: copy or save it again",
                     "the header promises %zu cells of %zu byte%s, and there are only %llu bytes", x->cells, r->pour.type.size, r->pour.type.size == 1 ? "" : "s",
                     (unsigned long long)(r->expected - r->cells_at));
  return data_pour_begin(&r->pour);
}

/* --- the stream ---------------------------------------------------------------------------------------------------- */

void npy_begin(npy *r, data_set *ds, const char *file, const char *name, uint64_t expected, arena *scratch) {
  *r = (npy){.pour = {.ds = ds, .scratch = scratch}, .expected = expected, .need = 12};
  data_array *x = r->pour.x = ARENA_NEW(ds->a, data_array);
  x->name = name;
  x->origin = (data_origin){.source = DATA_FROM_NUMPY, .file = file};
  r->where = data_array_where(x, ds->a);
  r->header = ARENA_ARRAY(scratch, char, r->need);
}

/* The header's length, once its first 12 bytes are there. */
static int read_length(npy *r) {
  const unsigned char *h = (const unsigned char *)r->header;
  if (memcmp(h, "\x93NUMPY", 6) != 0) return wrong(r, "E0745", "save it with `numpy.save` or `numpy.savez`", "this is not an array of NumPy");
  if (h[6] < 1 || h[6] > 3) return wrong(r, "E0745", NULL, "this version of the format is not known: 1 to 3 are");
  uint64_t n = h[6] == 1 ? 10 + (uint64_t)(h[8] | h[9] << 8) : 12 + ((uint64_t)h[8] | (uint64_t)h[9] << 8 | (uint64_t)h[10] << 16 | (uint64_t)h[11] << 24);
  if (n > NPY_MAX_HEADER || n < 12) return wrong(r, "E0745", NULL, "the header's length makes no sense");
  r->n_header = (size_t)n;
  char *whole = ARENA_ARRAY(r->pour.scratch, char, r->n_header + 1);
  memcpy(whole, r->header, 12);
  r->header = whole;
  r->need = r->n_header;
  return 0;
}

int npy_bytes(npy *r, const char *bytes, size_t n) {
  while (!r->ready && n) {
    size_t part = r->need - r->got < n ? r->need - r->got : n;
    memcpy(r->header + r->got, bytes, part);
    r->got += part;
    bytes += part;
    n -= part;
    if (r->got < r->need) return 0;
    if (r->n_header == 0 && read_length(r) < 0) return -1;
    if (r->got == r->n_header) {
      if (read_header(r) < 0) return -1;
      r->ready = true;
    }
  }
  return n ? data_pour_bytes(&r->pour, bytes, n) : 0;
}

int npy_end(npy *r) {
  if (!r->ready || r->pour.done < r->pour.x->cells)
    return wrong(r, "E0747", "the file has been cut short: copy or save it again", "the array ends before all of it has come");
  return data_pour_end(&r->pour);
}

/* --- .npy ---------------------------------------------------------------------------------------------------------- */

/* The name of a file without folder and ending. */
static const char *base_name(data_set *ds, const char *file) {
  const char *slash = strrchr(file, '/'), *s = slash ? slash + 1 : file, *dot = strrchr(s, '.');
  return arena_strndup(ds->a, s, dot ? (size_t)(dot - s) : strlen(s));
}

typedef struct npy_job {
  const data_input *in;
  arena scratch;
} npy_job;

static int npy_body(void *ctx) {
  enum { PIECE = 1 << 16 };
  npy_job *job = ctx;
  const data_input *in = job->in;
  job->scratch.oom = in->ds->a->oom;
  npy r;
  npy_begin(&r, in->ds, in->file, base_name(in->ds, in->file), in->size, &job->scratch);
  char *piece = ARENA_ARRAY(&job->scratch, char, PIECE);
  for (uint64_t at = 0; at < in->size;) {
    size_t n = in->size - at < PIECE ? (size_t)(in->size - at) : PIECE;
    if (data_input_get(in, at, piece, n) < 0 || npy_bytes(&r, piece, n) < 0) return -1;
    at += n;
  }
  return npy_end(&r);
}

static void npy_cleanup(void *ctx) { arena_free(&((npy_job *)ctx)->scratch); }

int data_npy(const data_input *in) {
  npy_job job = {.in = in};
  arena_init(&job.scratch, in->ds->a->alloc, in->ds->a->limit);
  return data_guard(in->ds, npy_body, npy_cleanup, &job);
}

int data_read_npy(data_set *ds, const char *file, const char *bytes, size_t n) {
  data_input in = data_input_memory(ds, file, bytes, n);
  return data_npy(&in);
}
