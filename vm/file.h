/* file.h: files that are there as a whole or not at all. */
#ifndef AIM_VM_FILE_H
#define AIM_VM_FILE_H

#include <stddef.h>

enum { FILE_MODE_NEW = -1 }; /* 0666 less the umask */

/* Writes bytes [n] to `temporary`, a name in the same folder that is ours (what stands there is removed: a killed run left it), and renames that
 * to `path`.  mode: of the file, or FILE_MODE_NEW.  0 or an errno value, with the old file as it was.  Allocates nothing. */
int file_replace(const char *path, const char *temporary, const void *bytes, size_t n, int mode);

#endif
