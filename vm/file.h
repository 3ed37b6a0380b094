/* file.h: files that are there as a whole or not at all. */
#ifndef AIM_VM_FILE_H
#define AIM_VM_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum { FILE_MODE_NEW = -1 }; /* 0666 less the umask */

/* Writes bytes [n] to `temporary`, a name in the same folder that is ours (what stands there is removed: a killed run left it), and renames that
 * to `path`.  mode: of the file, or FILE_MODE_NEW.  0 or an errno value, with the old file as it was.  Allocates nothing. */
int file_replace(const char *path, const char *temporary, const void *bytes, size_t n, int mode);

/* As rename, but that a device, pipe or socket is left what it is.  0 or an errno value. */
int file_rename(const char *temporary, const char *path);

/* A file that is written piece by piece, under another name until it is whole. */
enum { FILE_BUFFER = 1 << 16 };
typedef struct file_out {
  int fd, status;          /* status: 0 or the errno value of what failed first; then nothing more is written */
  size_t n;
  char buffer[FILE_BUFFER];
} file_out;

/* Each returns whether all is well so far. */
bool file_begin(file_out *f, const char *temporary);
bool file_put(file_out *f, const void *bytes, size_t n);
/* Closes and renames, or where something failed, or the host does not want it (`whole` is false), removes.  0 or an errno value. */
int file_end(file_out *f, const char *temporary, const char *path, bool whole);

#endif
