/* data_file.c: data files: their readers by ending, opening, and reading by positions.
 *
 * Formats of large data are read in pieces from the open file.  The others, and whatever is no regular file (a pipe), are read into memory first. */
#include "compiler/data_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int whole_reader(data_set *, const char *, const char *, size_t);

typedef struct format {
  const char *ending;
  whole_reader *whole;
  int (*pieces)(const data_input *);
} format;

static const format formats[] = {
    {".json", data_read_json, NULL},   {".csv", NULL, data_csv},          {".tsv", NULL, data_csv},         {".npy", NULL, data_npy},
    {".npz", NULL, data_npz},          {".safetensors", NULL, data_safetensors}, {".nc", NULL, data_netcdf}, {".gset", data_read_max_cut, NULL}, {".rud", data_read_max_cut, NULL},
    {".mc", data_read_max_cut, NULL},  {".ising", data_read_ising, NULL}, {".qubo", data_read_qubo, NULL},  {".coo", data_read_coo, NULL},
};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

typedef struct file_job {
  data_set *ds;
  const char *path;
  const format *f;
  int fd;
  char *bytes;
  size_t n, cap, max;
} file_job;

static void file_cleanup(void *ctx) {
  file_job *job = ctx;
  if (job->fd >= 0) close(job->fd);
  alloc_put(job->ds->a->alloc, job->bytes, job->cap);
}

/* strerror is not safe between threads, and its two reentrant forms differ; this is the form of glibc. */
const char *data_error_text(int code, arena *a) {
  char buffer[128];
  const char *s = strerror_r(code, buffer, sizeof buffer);
  return arena_strndup(a, s, strlen(s));
}

static int cannot_be_read(data_set *ds, const char *file, int code) {
  return data_fail(ds, "E0750", file, "", NULL, "cannot be read: %s", data_error_text(code, ds->a));
}

int data_input_get(const data_input *in, uint64_t at, void *to, size_t n) {
  if (in->fd < 0) {
    if (n) memcpy(to, in->bytes + at, n);
    return 0;
  }
  for (size_t done = 0; done < n;) {
    ssize_t got = pread(in->fd, (char *)to + done, n - done, (off_t)(at + done));
    if (got > 0) done += (size_t)got;
    else if (got == 0) return data_fail(in->ds, "E0750", in->file, "", NULL, "has become shorter while it was read");
    else if (errno != EINTR) return cannot_be_read(in->ds, in->file, errno);
  }
  return 0;
}

data_input data_input_memory(data_set *ds, const char *file, const char *bytes, size_t n) {
  return (data_input){.ds = ds, .file = arena_strndup(ds->a, file, strlen(file)), .fd = -1, .bytes = bytes, .size = n};
}

static int too_large(const file_job *job, uint64_t most) {
  return data_fail(job->ds, "E0751", job->path, "", "split it, or raise the limit of data files", "is larger than the limit of %llu bytes", (unsigned long long)most);
}

/* Room for one byte more than the limit, so that a file that is too large is noticed whatever fstat said. */
static bool file_room(file_job *job, size_t want) {
  if (want > job->max + 1) want = job->max + 1;
  char *p = job->ds->a->alloc->fn(job->ds->a->alloc->user, job->bytes, job->cap, want);
  if (!p) return false;
  job->bytes = p;
  job->cap = want;
  return true;
}

static int read_whole(file_job *job, size_t size) {
  data_set *ds = job->ds;
  if (size > job->max) size = job->max;
  if (!file_room(job, size ? size + 1 : 65536)) longjmp(*ds->a->oom, 1);
  while (job->n <= job->max) {
    if (job->n == job->cap && !file_room(job, job->cap > job->max / 2 ? job->max + 1 : 2 * job->cap)) longjmp(*ds->a->oom, 1);
    ssize_t got = read(job->fd, job->bytes + job->n, job->cap - job->n);
    if (got == 0) {
      if (job->f->whole) return job->f->whole(ds, job->path, job->bytes, job->n);
      data_input in = data_input_memory(ds, job->path, job->bytes, job->n);
      return job->f->pieces(&in);
    }
    if (got > 0) job->n += (size_t)got;
    else if (errno != EINTR) return cannot_be_read(ds, job->path, errno);
  }
  return too_large(job, job->max);
}

static int file_body(void *ctx) {
  file_job *job = ctx;
  data_set *ds = job->ds;
  job->fd = open(job->path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (job->fd < 0 || fstat(job->fd, &st) < 0)
    return data_fail(ds, "E0750", job->path, "", errno == ENOENT ? "paths are relative to the directory where the program runs" : NULL, "cannot be opened: %s",
                     data_error_text(errno, ds->a));
  if (S_ISDIR(st.st_mode)) return data_fail(ds, "E0750", job->path, "", "name a file in it", "is a directory");
  if (!job->f->pieces || !S_ISREG(st.st_mode)) return read_whole(job, st.st_size > 0 ? (size_t)st.st_size : 0);
  if ((uint64_t)st.st_size > ds->max_stream) return too_large(job, ds->max_stream);
  data_input in = {.ds = ds, .file = job->path, .fd = job->fd, .size = (uint64_t)st.st_size};
  return job->f->pieces(&in);
}

static bool ends_with(const char *s, const char *ending) {
  size_t n = strlen(s), m = strlen(ending);
  return n > m && strncasecmp(s + n - m, ending, m) == 0;
}

static const char *all_endings(arena *a) {
  strbuf b;
  strbuf_init(&b, a);
  for (size_t k = 0; k < N_FORMATS; k++) strbuf_printf(&b, "%s%s", k == 0 ? "" : k + 1 == N_FORMATS ? " or " : ", ", formats[k].ending);
  return b.s;
}

int data_read_file(data_set *ds, const char *path) {
  file_job job = {.ds = ds, .fd = -1, .max = ds->max_file < UINT32_MAX ? ds->max_file : UINT32_MAX};
  job.path = arena_strndup(ds->a, path, strlen(path));
  for (size_t k = 0; k < N_FORMATS && !job.f; k++)
    if (ends_with(path, formats[k].ending)) job.f = &formats[k];
  if (!job.f) return data_fail(ds, "E0752", job.path, "", "rename the file or convert it", "data files end in %s", all_endings(ds->a));
  return data_guard(ds, file_body, file_cleanup, &job);
}
