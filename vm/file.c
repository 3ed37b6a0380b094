/* file.c: replacing a file as a whole (file.h). */
#include "vm/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *bytes, size_t n) {
  while (n) {
    ssize_t k = write(fd, bytes, n);
    if (k == 0) return EIO;
    if (k < 0 && errno != EINTR) return errno;
    if (k > 0) bytes += k, n -= (size_t)k;
  }
  return 0;
}

int file_rename(const char *temporary, const char *path) {
  struct stat st;
  if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode)) return ENOTSUP;
  return rename(temporary, path) < 0 ? errno : 0;
}

int file_replace(const char *path, const char *temporary, const void *bytes, size_t n, int mode) {
  unlink(temporary);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd < 0) return errno;
  int status = write_all(fd, bytes, n);
  if (status == 0 && mode != FILE_MODE_NEW && fchmod(fd, (mode_t)mode) < 0) status = errno;
  if (close(fd) < 0 && status == 0 && errno != EINTR) status = errno;
  if (status == 0) status = file_rename(temporary, path);
  if (status) unlink(temporary);
  return status;
}

bool file_begin(file_out *f, const char *temporary) {
  unlink(temporary);
  f->n = 0;
  f->fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  f->status = f->fd < 0 ? errno : 0;
  return f->status == 0;
}

static void drain(file_out *f) {
  if (f->status == 0) f->status = write_all(f->fd, f->buffer, f->n);
  f->n = 0;
}

bool file_put(file_out *f, const void *bytes, size_t n) {
  const char *from = bytes;
  while (n) {
    const size_t room = FILE_BUFFER - f->n, k = n < room ? n : room;
    memcpy(f->buffer + f->n, from, k);
    f->n += k, from += k, n -= k;
    if (f->n == FILE_BUFFER) drain(f);
  }
  return f->status == 0;
}

int file_end(file_out *f, const char *temporary, const char *path, bool whole) {
  if (f->fd < 0) return f->status;
  drain(f);
  if (close(f->fd) < 0 && f->status == 0 && errno != EINTR) f->status = errno;
  whole = whole && f->status == 0;
  if (whole && (f->status = file_rename(temporary, path)) != 0) whole = false;
  if (!whole) unlink(temporary);
  return f->status;
}
