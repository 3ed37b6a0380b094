/* export_npz.c: draws as NumPy's .npz: a zip archive (APPNOTE.TXT 6.3) of stored .npy members (format version 1.0).
 *
 * A member's checksum stands in front of its bytes, so each array is gone through twice: once for the checksum, once to be written.  Sizes and places have the
 * 64-bit records that NumPy itself always writes, so that draws of more than 4 GB are read by the same programs. */
#include "vm/export.h"

#include <stdio.h>
#include <string.h>

enum { ZIP_LOCAL = 0x04034b50, ZIP_ENTRY = 0x02014b50, ZIP_END64 = 0x06064b50, ZIP_LOCATOR = 0x07064b50, ZIP_END = 0x06054b50, ZIP_VERSION = 45, ZIP_DATE = 0x21 };

/* An array: the draws of a quantity, or a statistic of the sampler. */
typedef struct member {
  struct member *next;
  const char *name;
  size_t quantity;       /* or */
  int stat;              /* -1: a quantity */
  char header[512];      /* of .npy, magic and length in front */
  size_t header_bytes, cells;
  bool whole;            /* integers */
  uint32_t crc;
  uint64_t bytes, at;
} member;

typedef struct zip {
  export_out *x;
  uint32_t table[256];
  uint64_t at;           /* bytes written */
  double *row;
} zip;

static void le(unsigned char *out, uint64_t v, int n) {
  for (int k = 0; k < n; k++) out[k] = (unsigned char)(v >> 8 * k);
}

static void make_table(uint32_t table[256]) {
  for (uint32_t k = 0; k < 256; k++) {
    uint32_t c = k;
    for (int i = 0; i < 8; i++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
    table[k] = c;
  }
}

static bool put(zip *z, const void *bytes, size_t n) {
  z->at += n;
  return file_put(z->x->f, bytes, n);
}

static bool put_le(zip *z, uint64_t v, int n) {
  unsigned char b[8];
  le(b, v, n);
  return put(z, b, (size_t)n);
}

/* Bytes of a member, to the file or, where crc is not NULL, into a checksum. */
static bool flow(zip *z, const void *bytes, size_t n, uint32_t *crc) {
  if (!crc) return put(z, bytes, n);
  const unsigned char *s = bytes;
  uint32_t c = *crc;
  for (size_t k = 0; k < n; k++) c = z->table[(c ^ s[k]) & 0xff] ^ c >> 8;
  *crc = c;
  return true;
}

static bool flow_cells(zip *z, const member *m, const double *x, size_t n, uint32_t *crc) {
  for (size_t k = 0; k < n; k++) {
    unsigned char b[8];
    uint64_t bits;
    const int64_t whole = m->whole ? (int64_t)x[k] : 0;
    memcpy(&bits, m->whole ? (const void *)&whole : (const void *)&x[k], sizeof bits);
    le(b, bits, 8);
    if (!flow(z, b, sizeof b, crc)) return false;
  }
  return true;
}

static bool flow_member(zip *z, const member *m, uint32_t *crc) {
  const draws *d = z->x->t->run.store;
  if (!flow(z, m->header, m->header_bytes, crc)) return false;
  for (int c = 0; c < draws_chains(d); c++)
    for (size_t i = 0; i < z->x->draws; i++) {
      if (m->stat < 0) draws_cells(d, c, i, m->quantity, z->row);
      const double *x = m->stat < 0 ? z->row : &draws_stat_of(d, c, (draws_stat)m->stat)[i];
      if (!flow_cells(z, m, x, m->cells, crc)) return false;
    }
  return true;
}

/* "\x93NUMPY", version 1.0, and a dictionary that ends in a newline at a multiple of 64. */
static void make_header(zip *z, member *m, const int64_t *dims, int rank) {
  char *text = m->header + 10;
  size_t n = (size_t)snprintf(text, 480, "{'descr': '%s', 'fortran_order': False, 'shape': (%d, %zu,", m->whole ? "<i8" : "<f8", draws_chains(z->x->t->run.store), z->x->draws);
  for (int k = 0; k < rank; k++) n += (size_t)snprintf(text + n, 480 - n, " %lld,", (long long)dims[k]);
  n += (size_t)snprintf(text + n, 480 - n, "), }");
  while ((n + 11) % 64) text[n++] = ' ';
  text[n++] = '\n';
  memcpy(m->header, "\x93NUMPY\x01\x00", 8);
  le((unsigned char *)m->header + 8, n, 2);
  m->header_bytes = n + 10;
  m->bytes = m->header_bytes + 8 * (uint64_t)m->cells * (uint64_t)draws_chains(z->x->t->run.store) * z->x->draws;
}

static member *members_of(zip *z) {
  member *first = NULL, **last = &first;
  aim_quantity q;
  for (int s = 0; s < DRAWS_N_STATS; s++, last = &(*last)->next) {
    *last = ARENA_NEW(z->x->mem, member);
    **last = (member){.name = draws_stat_name((draws_stat)s), .stat = s, .cells = 1};
    make_header(z, *last, NULL, 0);
  }
  for (size_t k = 0; aim_quantity_get(z->x->t, k, &q) == AIM_OK; k++, last = &(*last)->next) {
    *last = ARENA_NEW(z->x->mem, member);
    **last = (member){.name = q.name, .quantity = k, .stat = -1, .cells = q.cells, .whole = q.discrete};
    make_header(z, *last, q.dims, q.rank);
  }
  return first;
}

/* Version, flags (names are UTF-8), stored, a fixed date, so that equal draws make equal files. */
static bool put_common(zip *z, const member *m, size_t name, int extra) {
  return put_le(z, ZIP_VERSION, 2) && put_le(z, 1u << 11, 2) && put_le(z, 0, 2) && put_le(z, 0, 2) && put_le(z, ZIP_DATE, 2) && put_le(z, m->crc, 4) &&
         put_le(z, UINT32_MAX, 4) && put_le(z, UINT32_MAX, 4) && put_le(z, name, 2) && put_le(z, (uint64_t)extra, 2);
}

static bool put_name(zip *z, const member *m) { return put(z, m->name, strlen(m->name)) && put(z, ".npy", 4); }

static bool put_member(zip *z, member *m) {
  uint32_t crc = UINT32_MAX;
  flow_member(z, m, &crc);
  m->crc = ~crc;
  m->at = z->at;
  return put_le(z, ZIP_LOCAL, 4) && put_common(z, m, strlen(m->name) + 4, 20) && put_name(z, m) && put_le(z, 1, 2) && put_le(z, 16, 2) && put_le(z, m->bytes, 8) &&
         put_le(z, m->bytes, 8) && flow_member(z, m, NULL);
}

static bool put_entry(zip *z, const member *m) {
  return put_le(z, ZIP_ENTRY, 4) && put_le(z, ZIP_VERSION, 2) && put_common(z, m, strlen(m->name) + 4, 28) && put_le(z, 0, 2) && put_le(z, 0, 2) && put_le(z, 0, 2) &&
         put_le(z, 0, 4) && put_le(z, UINT32_MAX, 4) && put_name(z, m) && put_le(z, 1, 2) && put_le(z, 24, 2) && put_le(z, m->bytes, 8) && put_le(z, m->bytes, 8) &&
         put_le(z, m->at, 8);
}

static bool put_end(zip *z, uint64_t entries, uint64_t at) {
  const uint64_t bytes = z->at - at, end = z->at;
  return put_le(z, ZIP_END64, 4) && put_le(z, 44, 8) && put_le(z, ZIP_VERSION, 2) && put_le(z, ZIP_VERSION, 2) && put_le(z, 0, 4) && put_le(z, 0, 4) &&
         put_le(z, entries, 8) && put_le(z, entries, 8) && put_le(z, bytes, 8) && put_le(z, at, 8) && put_le(z, ZIP_LOCATOR, 4) && put_le(z, 0, 4) && put_le(z, end, 8) &&
         put_le(z, 1, 4) && put_le(z, ZIP_END, 4) && put_le(z, 0, 2) && put_le(z, 0, 2) && put_le(z, UINT16_MAX, 2) && put_le(z, UINT16_MAX, 2) &&
         put_le(z, UINT32_MAX, 4) && put_le(z, UINT32_MAX, 4) && put_le(z, 0, 2);
}

bool export_npz(export_out *x) {
  zip z = {.x = x};
  make_table(z.table);
  member *all = members_of(&z);
  size_t most = 0;
  uint64_t entries = 0;
  for (const member *m = all; m; m = m->next) most = m->cells > most ? m->cells : most;
  z.row = ARENA_ARRAY(x->mem, double, most);
  for (member *m = all; m; m = m->next, entries++)
    if (!put_member(&z, m)) return false;
  const uint64_t at = z.at;
  for (const member *m = all; m; m = m->next)
    if (!put_entry(&z, m)) return false;
  return put_end(&z, entries, at);
}
