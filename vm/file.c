/* file.c: replacing a file as a whole (file.h). */
#include "vm/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

int file_replace(const char *path, const char *temporary, const void *bytes, size_t n, int mode) {
  unlink(temporary);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd < 0) return errno;
  int status = write_all(fd, bytes, n);
  if (status == 0 && mode != FILE_MODE_NEW && fchmod(fd, (mode_t)mode) < 0) status = errno;
  if (close(fd) < 0 && status == 0 && errno != EINTR) status = errno;
  if (status == 0 && rename(temporary, path) < 0) status = errno;
  if (status) unlink(temporary);
  return status;
}
