/* csv_writer.c: one chain as a CmdStan CSV file. */
#include "vm/csv_writer.h"

#include "lang/source.h"
#include "vm/number_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 16, LINE = 512 };

struct csv_writer {
  const aim_alloc *alloc;
  const draws *columns;
  int fd, status;
  bool regular;    /* can be truncated and was made under a temporary name */
  char *temporary; /* until it is renamed; same allocation as path */
  char *path;
  size_t path_bytes;
  char *buffer;
  size_t n, cap;
  off_t written; /* bytes in the file: whole lines only */
};

int csv_lock_take(const char *directory, int *lock) {
  *lock = -1;
  int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return errno;
  int fd = openat(dir, ".aim-lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  int failed = fd < 0 ? errno : 0;
  close(dir);
  if (failed) return failed;
  while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    if (errno == EINTR) continue;
    failed = errno;
    close(fd);
    return failed;
  }
  *lock = fd;
  return 0;
}

/* The lock file stays: removing it would let a third run lock a new file of that name while a second holds the old. */
void csv_lock_drop(int lock) {
  if (lock >= 0) close(lock);
}

/* --- the buffer ---------------------------------------------------------------------------------------------------- */

/* After a write that failed half-way the file ends after its last whole line again. */
static void cut_back(csv_writer *w, size_t put) {
  while (put > 0 && w->buffer[put - 1] != '\n') put--;
  if (w->regular && ftruncate(w->fd, w->written + (off_t)put) == 0) w->written += (off_t)put;
}

int csv_flush(csv_writer *w) {
  size_t put = 0;
  while (w->status == 0 && put < w->n) {
    ssize_t k = write(w->fd, w->buffer + put, w->n - put);
    if (k > 0) put += (size_t)k;
    else if (k == 0) w->status = EIO;
    else if (errno != EINTR) w->status = errno;
  }
  if (w->status) cut_back(w, put);
  else w->written += (off_t)put;
  w->n = 0;
  return w->status;
}

/* Room for `size` more bytes, so that a line is never split between two writes. */
static char *room(csv_writer *w, size_t size) {
  if (w->status) return NULL;
  if (size > w->cap - w->n && csv_flush(w)) return NULL;
  if (size <= w->cap - w->n) return w->buffer + w->n;
  char *p = w->alloc->fn(w->alloc->user, w->buffer, w->cap, size);
  if (!p) {
    w->status = ENOMEM;
    return NULL;
  }
  w->buffer = p;
  w->cap = size;
  return w->buffer;
}

/* "# key = value".  A long value is cut; control characters and bytes that are not UTF-8 become '?', so that a file's name
 * can neither forge a line nor stop a reader. */
static void comment(csv_writer *w, const char *key, const char *value) {
  char *at = room(w, LINE), *o = at;
  if (!at) return;
  o += sprintf(o, "# %s", key);
  for (size_t n = strlen(value); n && o - at < LINE - 8;) {
    uint32_t cp;
    int k = utf8_decode(value, n, &cp);
    if (k == 0 || cp < 0x20 || cp == 0x7f) *o++ = '?';
    else memcpy(o, value, (size_t)k), o += k;
    value += k ? k : 1;
    n -= (size_t)(k ? k : 1);
  }
  *o++ = '\n';
  w->n += (size_t)(o - at);
}

static void comment_int(csv_writer *w, const char *key, long long value) {
  char text[32];
  snprintf(text, sizeof text, "%lld", value);
  comment(w, key, text);
}

static void comment_real(csv_writer *w, const char *key, double value) {
  char text[NUMBER_TEXT_SIZE];
  number_text(text, value);
  comment(w, key, text);
}

/* --- the header ---------------------------------------------------------------------------------------------------- */

/* Key by key what CmdStan 2.36 writes and its readers look for.  cmdstanr finds the sampler in method, algorithm and engine,
 * ArviZ splits warm-up off by save_warmup, num_warmup and thin; both accept 0 and 1 for booleans. */
static void put_header(csv_writer *w, const csv_info *info) {
  char seed[32];
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)info->seed);
  comment(w, "stan_version_major = ", "2"); /* the version of the format */
  comment(w, "stan_version_minor = ", "36");
  comment(w, "stan_version_patch = ", "0");
  comment(w, "aim_version = ", info->version);
  comment(w, "model = ", info->model);
  if (info->biased) comment_int(w, "biased = ", 1);
  comment(w, "method = ", "sample");
  comment_int(w, "  num_samples = ", info->samples);
  comment_int(w, "  num_warmup = ", info->warmup);
  comment_int(w, "  save_warmup = ", info->save_warmup);
  comment_int(w, "  thin = ", info->thin ? info->thin : 1);
  if (strcmp(info->method, "nuts") == 0) {
    comment_int(w, "  engaged = ", 1);
    comment_real(w, "  delta = ", info->delta);
    comment(w, "  algorithm = ", "hmc");
    comment(w, "  engine = ", "nuts");
    comment_int(w, "  max_depth = ", info->max_depth);
    const char *metric = info->metric ? info->metric : "diagonal";
    bool diagonal = strcmp(metric, "diagonal") == 0 || strcmp(metric, "fisher") == 0;
    comment(w, "  metric = ", strcmp(metric, "dense") == 0 ? "dense_e" : diagonal ? "diag_e" : metric);
    if (strcmp(metric, "fisher") == 0) comment(w, "  metric_estimate = ", metric);
    comment_real(w, "  stepsize = ", info->stepsize);
  } else comment(w, "  algorithm = ", info->method);
  comment_int(w, "id = ", info->chain);
  comment(w, "data = ", info->data);
  comment(w, "seed = ", seed);
}

static void put_names(csv_writer *w) {
  size_t length = 0, columns = draws_columns(w->columns);
  for (int k = 0; k < DRAWS_N_STATS; k++) length += strlen(draws_stat_name((draws_stat)k)) + 1;
  for (size_t k = 0; k < columns; k++) length += draws_csv_name(w->columns, k, NULL, 0) + 1;
  char *at = room(w, length + 1), *o = at;
  if (!at) return;
  for (int k = 0; k < DRAWS_N_STATS; k++) o += sprintf(o, "%s%s", k ? "," : "", draws_stat_name((draws_stat)k));
  for (size_t k = 0; k < columns; k++) {
    *o++ = ',';
    o += draws_csv_name(w->columns, k, o, length + 1 - (size_t)(o - at));
  }
  *o++ = '\n';
  w->n += (size_t)(o - at);
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

static int open_file(csv_writer *w) {
  struct stat st;
  w->regular = stat(w->path, &st) < 0 || S_ISREG(st.st_mode);
  if (!w->regular) w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
  else {
    unlink(w->temporary); /* of a run that was killed */
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  }
  return w->fd < 0 ? errno : 0;
}

/* A writer without a file.  NULL when memory fails. */
static csv_writer *writer_new(const aim_alloc *alloc, const char *path, const draws *columns) {
  csv_writer *w = alloc_get(alloc, 1, sizeof *w);
  if (!w) return NULL;
  size_t n = strlen(path);
  *w = (csv_writer){.alloc = alloc, .columns = columns, .fd = -1, .path_bytes = 2 * n + 7, .cap = BUFFER};
  w->path = alloc_get(alloc, 1, w->path_bytes);
  w->buffer = alloc_get(alloc, 1, w->cap);
  if (!w->path || !w->buffer) {
    csv_close(w);
    return NULL;
  }
  memcpy(w->path, path, n + 1);
  w->temporary = w->path + n + 1;
  memcpy(w->temporary, path, n);
  memcpy(w->temporary + n, ".part", 6);
  return w;
}

int csv_open(csv_writer **out, const aim_alloc *alloc, const char *path, const draws *columns, const csv_info *info) {
  *out = NULL;
  csv_writer *w = writer_new(alloc, path, columns);
  if (!w) return ENOMEM;
  w->status = open_file(w);
  if (w->status == 0) {
    put_header(w, info);
    put_names(w);
    csv_flush(w);
  }
  if (w->status == 0 && w->regular && rename(w->temporary, w->path) < 0) w->status = errno;
  if (w->status) {
    if (w->fd >= 0 && w->regular) unlink(w->temporary);
    return csv_close(w);
  }
  *out = w;
  return 0;
}

static int cut_file(csv_writer *w, off_t offset) {
  struct stat st;
  w->fd = open(w->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (w->fd < 0 || fstat(w->fd, &st) < 0) return errno;
  if (!S_ISREG(st.st_mode) || st.st_size < offset) return EINVAL;
  w->regular = true;
  w->written = offset;
  return ftruncate(w->fd, offset) < 0 || lseek(w->fd, offset, SEEK_SET) < 0 ? errno : 0;
}

int csv_reopen(csv_writer **out, const aim_alloc *alloc, const char *path, const draws *columns, uint64_t offset) {
  *out = NULL;
  csv_writer *w = writer_new(alloc, path, columns);
  if (!w) return ENOMEM;
  w->status = cut_file(w, (off_t)offset);
  if (w->status) return csv_close(w);
  *out = w;
  return 0;
}

uint64_t csv_written(const csv_writer *w) { return (uint64_t)w->written; }

/* The status so far, or that of the last write and of close, which may be the first to tell of a full disk (NFS). */
int csv_close(csv_writer *w) {
  if (!w) return 0;
  if (w->buffer) csv_flush(w);
  int status = w->status;
  if (w->fd >= 0 && close(w->fd) < 0 && status == 0 && errno != EINTR) status = errno;
  const aim_alloc *alloc = w->alloc;
  alloc_put(alloc, w->buffer, w->cap);
  alloc_put(alloc, w->path, w->path_bytes);
  alloc_put(alloc, w, sizeof *w);
  return status;
}

/* --- rows and comments --------------------------------------------------------------------------------------------- */

/* A line of n numbers: row itself, or the products of row's first `terms` elements with those of each row of factor [n][n]. */
static void comment_row(csv_writer *w, const double *row, const double *factor, size_t terms, size_t n) {
  char *at = room(w, (n + 1) * (NUMBER_TEXT_SIZE + 2)), *o = at;
  if (!at) return;
  *o++ = '#';
  *o++ = ' ';
  for (size_t j = 0; j < n; j++) {
    double x = factor ? 0.0 : row[j];
    for (size_t k = 0; factor && k < terms; k++) x += row[k] * factor[j * n + k];
    if (j) *o++ = ',', *o++ = ' ';
    o += number_text(o, x);
  }
  *o++ = '\n';
  w->n += (size_t)(o - at);
}

int csv_adaptation(csv_writer *w, double stepsize, const double *inverse_mass, size_t n) {
  comment(w, "Adaptation terminated", "");
  comment_real(w, "Step size = ", stepsize);
  if (n == 0) return w->status;
  comment(w, "Diagonal elements of inverse mass matrix:", "");
  comment_row(w, inverse_mass, NULL, n, n);
  return w->status;
}

int csv_adaptation_factor(csv_writer *w, double stepsize, const rt_factor *f) {
  size_t n = f->dim;
  comment(w, "Adaptation terminated", "");
  comment_real(w, "Step size = ", stepsize);
  if (f->L) {
    comment(w, "Elements of inverse mass matrix:", "");
    for (size_t i = 0; i < n && w->status == 0; i++) comment_row(w, f->L + i * n, f->L, i + 1, n);
    return w->status;
  }
  comment(w, "Inverse mass matrix D (I + U' (E - I) U) D, diagonal of D:", "");
  comment_row(w, f->scale, NULL, n, n);
  comment_int(w, "Roots of E, then rows of U, of rank ", (int64_t)f->rank);
  for (size_t k = 0; k < f->rank && w->status == 0; k++) comment_real(w, "", 1.0 + f->gain[k]);
  for (size_t k = 0; k < f->rank && w->status == 0; k++) comment_row(w, f->U + k * n, NULL, n, n);
  return w->status;
}

static int put_row(csv_writer *w, const double *values, bool row_major, const double *stats) {
  size_t columns = draws_columns(w->columns);
  char *at = room(w, (columns + DRAWS_N_STATS) * NUMBER_TEXT_SIZE + 1), *o = at;
  if (!at) return w->status;
  for (size_t k = 0; k < DRAWS_N_STATS; k++) {
    o += number_text(o, stats[k]);
    *o++ = ',';
  }
  for (size_t k = 0; k < columns; k++) {
    o += number_text(o, values[row_major ? draws_place_of(w->columns, k) : k]);
    *o++ = ',';
  }
  o[-1] = '\n';
  w->n += (size_t)(o - at);
  return 0;
}

int csv_row(csv_writer *w, const double *values, const double *stats) { return put_row(w, values, false, stats); }
int csv_row_cells(csv_writer *w, const double *cells, const double *stats) { return put_row(w, cells, true, stats); }

int csv_elapsed(csv_writer *w, double warmup, double sampling) {
  const double seconds[] = {warmup, sampling, warmup + sampling};
  static const char *const what[] = {" Elapsed Time: ", "               ", "               "};
  static const char *const name[] = {"Warm-up", "Sampling", "Total"};
  comment(w, "", "");
  for (int i = 0; i < 3; i++) {
    char number[NUMBER_TEXT_SIZE], text[64];
    number_text_fixed(number, seconds[i], 3);
    snprintf(text, sizeof text, "%s seconds (%s)", number, name[i]);
    comment(w, what[i], text);
  }
  comment(w, "", "");
  return w->status;
}
