/* data_npz.c: NumPy's .npz: a zip archive whose members are .npy files, stored or deflated (APPNOTE.TXT 6.3, with the 64-bit records
 * that NumPy writes for large arrays).
 *
 * The directory at the end of the archive is believed only as far as it agrees with the file: places lie inside it, sizes are
 * possible, and the checksum of each member is compared. */
#include "compiler/data_input.h"
#include "compiler/data_npy.h"
#include "compiler/data_zlib.h"

#include <string.h>

enum { PIECE = 1 << 16, MOST_MEMBERS = 65535, END_BYTES = 22, ENTRY_BYTES = 46, LOCAL_BYTES = 30 };

typedef struct npz_job {
  const data_input *in;
  arena scratch, member;    /* of the archive; of one member */
  zlib z;
  zlib_stream stream;
  bool inflating;
  uint32_t crc[256];
} npz_job;

typedef struct member {
  const char *name;         /* without ".npy"; in the set's arena */
  const char *where;
  unsigned method, flags;
  uint32_t crc;
  uint64_t packed, size, at;
} member;

static int wrong(npz_job *job, const char *where, const char *code, const char *help, const char *what) {
  return data_fail(job->in->ds, code, job->in->file, where, help, "%s", what);
}

static const char *const cut_short = "the file has been cut short, or is no .npz: save it again with `numpy.savez`";

static uint64_t le(const unsigned char *s, int n) {
  uint64_t v = 0;
  for (int k = 0; k < n; k++) v |= (uint64_t)s[k] << 8 * k;
  return v;
}

static void crc_table(npz_job *job) {
  for (uint32_t k = 0; k < 256; k++) {
    uint32_t c = k;
    for (int b = 0; b < 8; b++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
    job->crc[k] = c;
  }
}

static uint32_t crc_add(const npz_job *job, uint32_t crc, const char *s, size_t n) {
  crc = ~crc;
  for (size_t k = 0; k < n; k++) crc = job->crc[(crc ^ (unsigned char)s[k]) & 255] ^ crc >> 8;
  return ~crc;
}

/* --- one member ---------------------------------------------------------------------------------------------------- */

static int take(npz_job *job, npy *r, uint32_t *crc, const char *bytes, size_t n) {
  *crc = crc_add(job, *crc, bytes, n);
  return npy_bytes(r, bytes, n);
}

static int read_stored(npz_job *job, const member *m, npy *r, uint32_t *crc) {
  char *piece = ARENA_ARRAY(&job->member, char, PIECE);
  if (m->packed != m->size) return wrong(job, m->where, "E0747", cut_short, "the sizes of this member contradict each other");
  for (uint64_t done = 0; done < m->size;) {
    size_t n = m->size - done < PIECE ? (size_t)(m->size - done) : PIECE;
    if (data_input_get(job->in, m->at + done, piece, n) < 0 || take(job, r, crc, piece, n) < 0) return -1;
    done += n;
  }
  return 0;
}

static int read_deflated(npz_job *job, const member *m, npy *r, uint32_t *crc) {
  if (!job->z.handle && !zlib_open(&job->z))
    return wrong(job, m->where, "E0748", "install zlib (Debian: `zlib1g`), or save it with `numpy.savez`, which does not compress",
                 "the array is compressed, and there is no zlib on this machine");
  /* A byte of deflate stands for at most 1032. */
  if (m->size / 1032 > m->packed) return wrong(job, m->where, "E0747", cut_short, "the sizes of this member contradict each other");
  job->stream = (zlib_stream){0};
  if (job->z.inflate_init(&job->stream, -15, job->z.version(), (int)sizeof job->stream) != ZLIB_OK) longjmp(*job->in->ds->a->oom, 1);
  job->inflating = true;
  char *packed = ARENA_ARRAY(&job->member, char, PIECE), *plain = ARENA_ARRAY(&job->member, char, PIECE);
  uint64_t done = 0, out = 0;
  for (int state = ZLIB_OK; state != ZLIB_END;) {
    if (job->stream.avail_in == 0 && done < m->packed) {
      size_t n = m->packed - done < PIECE ? (size_t)(m->packed - done) : PIECE;
      if (data_input_get(job->in, m->at + done, packed, n) < 0) return -1;
      done += n;
      job->stream.next_in = (unsigned char *)packed;
      job->stream.avail_in = (unsigned)n;
    }
    job->stream.next_out = (unsigned char *)plain;
    job->stream.avail_out = PIECE;
    state = job->z.inflate(&job->stream, 0);
    size_t n = PIECE - job->stream.avail_out;
    out += n;
    if ((state != ZLIB_OK && state != ZLIB_END) || out > m->size || (state == ZLIB_OK && n == 0 && done == m->packed))
      return wrong(job, m->where, "E0747", cut_short, "the compressed bytes are damaged");
    if (take(job, r, crc, plain, n) < 0) return -1;
  }
  job->z.inflate_end(&job->stream);
  job->inflating = false;
  return out == m->size ? 0 : wrong(job, m->where, "E0747", cut_short, "the compressed bytes are damaged");
}

static int read_member(npz_job *job, member *m) {
  unsigned char local[LOCAL_BYTES];
  if (m->flags & 1) return wrong(job, m->where, "E0746", NULL, "the member is encrypted");
  if (m->method != 0 && m->method != 8) return wrong(job, m->where, "E0746", "save it with `numpy.savez` or `numpy.savez_compressed`", "the member is compressed by a method that is not deflate");
  if (m->at > job->in->size || job->in->size - m->at < LOCAL_BYTES) return wrong(job, m->where, "E0747", cut_short, "the directory points outside the file");
  if (data_input_get(job->in, m->at, local, LOCAL_BYTES) < 0) return -1;
  if (le(local, 4) != 0x04034b50) return wrong(job, m->where, "E0747", cut_short, "the directory points at something else");
  m->at += LOCAL_BYTES + le(local + 26, 2) + le(local + 28, 2);
  if (m->at > job->in->size || job->in->size - m->at < m->packed) return wrong(job, m->where, "E0747", cut_short, "the directory points outside the file");
  npy r;
  uint32_t crc = 0;
  npy_begin(&r, job->in->ds, job->in->file, m->name, m->size, &job->member);
  if ((m->method ? read_deflated(job, m, &r, &crc) : read_stored(job, m, &r, &crc)) < 0) return -1;
  if (crc != m->crc) return wrong(job, m->where, "E0747", "copy the file again", "the bytes are damaged: their checksum is another");
  return npy_end(&r);
}

/* --- the directory ------------------------------------------------------------------------------------------------- */

/* Sizes of 32 bits that do not suffice stand in a field of their own, in this order. */
static void wide(member *m, const unsigned char *extra, size_t n) {
  for (size_t k = 0; k + 4 <= n;) {
    size_t size = (size_t)le(extra + k + 2, 2), at = k + 4;
    if (le(extra + k, 2) == 1) {
      uint64_t *field[] = {&m->size, &m->packed, &m->at};
      for (int i = 0; i < 3; i++)
        if (*field[i] == UINT32_MAX && at + 8 <= k + 4 + size && at + 8 <= n) *field[i] = le(extra + at, 8), at += 8;
      return;
    }
    k += 4 + size;
  }
}

static int read_entries(npz_job *job, uint64_t at, uint64_t stop, uint64_t n) {
  data_set *ds = job->in->ds;
  unsigned char e[ENTRY_BYTES];
  int status = 0;
  for (uint64_t k = 0; k < n; k++) {
    if (stop - at < ENTRY_BYTES || data_input_get(job->in, at, e, ENTRY_BYTES) < 0) return wrong(job, "", "E0747", cut_short, "the directory of the archive is damaged");
    size_t name = (size_t)le(e + 28, 2), extra = (size_t)le(e + 30, 2), comment = (size_t)le(e + 32, 2);
    if (le(e, 4) != 0x02014b50 || stop - at - ENTRY_BYTES < name + extra + comment) return wrong(job, "", "E0747", cut_short, "the directory of the archive is damaged");
    char *text = ARENA_ARRAY(&job->scratch, char, name + extra + 1);
    if (data_input_get(job->in, at + ENTRY_BYTES, text, name + extra) < 0) return -1;
    member m = {.flags = (unsigned)le(e + 8, 2), .method = (unsigned)le(e + 10, 2), .crc = (uint32_t)le(e + 16, 4), .packed = le(e + 20, 4), .size = le(e + 24, 4), .at = le(e + 42, 4)};
    wide(&m, (unsigned char *)text + name, extra);
    at += ENTRY_BYTES + name + extra + comment;
    bool array = name > 4 && memcmp(text + name - 4, ".npy", 4) == 0;
    m.name = arena_strndup(ds->a, text, array ? name - 4 : name);
    const char *shown = data_name_shown(m.name, ds->a);
    m.where = arena_printf(ds->a, "array%s%s", *shown ? " " : "", shown);
    if (!array || memchr(text, '\0', name)) return wrong(job, m.where, "E0745", "an .npz holds what `numpy.savez` puts into it", "this member of the archive is no array");
    if (read_member(job, &m) < 0) status = -1;
    if (job->inflating) job->z.inflate_end(&job->stream);
    job->inflating = false;
    arena_free(&job->member);
    if (data_full(ds)) return -1;
  }
  return status;
}

/* The record at the end, behind which a comment may stand. */
static int find_directory(npz_job *job) {
  const data_input *in = job->in;
  size_t n = in->size < END_BYTES + 65535 ? (size_t)in->size : END_BYTES + 65535;
  unsigned char *tail = ARENA_ARRAY(&job->scratch, unsigned char, n);
  if (data_input_get(in, in->size - n, tail, n) < 0) return -1;
  size_t k = n < END_BYTES ? 0 : n - END_BYTES + 1;
  while (k > 0 && !(le(tail + k - 1, 4) == 0x06054b50 && le(tail + k - 1 + 20, 2) == n - END_BYTES - (k - 1))) k--;
  if (k == 0) return wrong(job, "", "E0745", cut_short, "this is not an archive of arrays");
  const unsigned char *end = tail + k - 1;
  uint64_t end_at = in->size - n + (k - 1), count = le(end + 10, 2), size = le(end + 12, 4), at = le(end + 16, 4);
  if ((count == 0xffff || size == UINT32_MAX || at == UINT32_MAX) && end_at >= 20) {
    unsigned char locator[20], record[56];
    if (data_input_get(in, end_at - 20, locator, 20) < 0) return -1;
    uint64_t there = le(locator + 8, 8);
    if (le(locator, 4) == 0x07064b50 && there <= in->size && in->size - there >= sizeof record) {
      if (data_input_get(in, there, record, sizeof record) < 0) return -1;
      if (le(record, 4) == 0x06064b50) count = le(record + 32, 8), size = le(record + 40, 8), at = le(record + 48, 8);
    }
  }
  if (count > MOST_MEMBERS) return wrong(job, "", "E0758", NULL, "the archive has more than 65535 members");
  if (at > end_at || size > end_at - at) return wrong(job, "", "E0747", cut_short, "the directory of the archive is damaged");
  return read_entries(job, at, at + size, count);
}

/* --- entry --------------------------------------------------------------------------------------------------------- */

static int npz_body(void *ctx) {
  npz_job *job = ctx;
  job->scratch.oom = job->member.oom = job->in->ds->a->oom;
  crc_table(job);
  return find_directory(job);
}

static void npz_cleanup(void *ctx) {
  npz_job *job = ctx;
  if (job->inflating) job->z.inflate_end(&job->stream);
  zlib_close(&job->z);
  arena_free(&job->member);
  arena_free(&job->scratch);
}

int data_npz(const data_input *in) {
  npz_job job = {.in = in};
  arena_init(&job.scratch, in->ds->a->alloc, in->ds->a->limit);
  arena_init(&job.member, in->ds->a->alloc, in->ds->a->limit);
  return data_guard(in->ds, npz_body, npz_cleanup, &job);
}

int data_read_npz(data_set *ds, const char *file, const char *bytes, size_t n) {
  data_input in = data_input_memory(ds, file, bytes, n);
  return data_npz(&in);
}
