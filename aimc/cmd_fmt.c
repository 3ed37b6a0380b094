/* cmd_fmt.c: aimc fmt: lays out source files in place, or standard input to standard output.
 *
 * A file is replaced as a whole, by renaming a new one over it, and only if it changes: an interrupted or failed run leaves what was. */
#include "aimc/aimc.h"

#include "lang/source.h"
#include "vm/file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct text {
  char *s;
  size_t n, cap;
  bool lost; /* memory ran out */
} text;

static void append(void *user, const char *s, size_t n) {
  text *t = user;
  if (t->lost) return;
  if (t->n + n + 1 > t->cap) {
    size_t cap = 2 * t->cap + n + 1;
    char *more = realloc(t->s, cap);
    if (!more) {
      t->lost = true;
      return;
    }
    t->s = more;
    t->cap = cap;
  }
  memcpy(t->s + t->n, s, n);
  t->n += n;
  t->s[t->n] = '\0';
}

/* 0, or what errno says of why not all of it could be read. */
static int read_all(FILE *f, text *t) {
  char some[16384];
  errno = 0;
  while (!feof(f) && !ferror(f) && !t->lost && t->n <= SOURCE_MAX_BYTES) append(t, some, fread(some, 1, sizeof some, f)); /* of what is larger the loader tells */
  if (ferror(f)) return errno ? errno : EIO;
  return t->lost ? ENOMEM : 0;
}

static int fails(const char *path, int error) {
  fprintf(stderr, "aimc: %s: %s\n", path, strerror(error));
  return EXIT_HOST;
}

/* Puts t in place of the file, which keeps its mode; a link keeps pointing at it. */
static int replace(const char *path, const text *t) {
  char real[PATH_MAX], fresh[PATH_MAX + 32];
  struct stat st;
  if (!realpath(path, real) || stat(real, &st) != 0) return fails(path, errno);
  snprintf(fresh, sizeof fresh, "%s.aimc-%ld", real, (long)getpid());
  int error = file_replace(real, fresh, t->s, t->n, (int)(st.st_mode & 07777));
  return error ? fails(path, error) : EXIT_FINE;
}

/* The layout of a loaded program to *out.  Messages are shown where the text cannot be read; what else is wrong with it is for `check`. */
static int lay_out(const args *a, aim_program *p, const char *path, text *out) {
  aim_status st = aim_program_format(p, append, out);
  if (st == AIM_E_PROGRAM) aim_program_messages(p, message_flags(a, stderr), put_text, stderr);
  if (st == AIM_E_INTERNAL)
    fprintf(stderr, "aimc: %s: laying this file out would change its meaning; this is a bug in AIM %s, please report it with the file\n", path, aim_version());
  if (st == AIM_E_MEMORY || (st == AIM_OK && out->lost)) {
    fprintf(stderr, "aimc: memory is exhausted\n");
    return EXIT_HOST;
  }
  return exit_of(st);
}

/* path NULL: standard input.  What is laid out is what was read, once: it may be a pipe, or be saved again meanwhile. */
static int format(const args *a, aim_vm *vm, const char *path) {
  const char *name = path ? path : "standard input";
  text in = {0}, out = {0};
  FILE *f = path ? fopen(path, "rb") : stdin;
  int error = f ? read_all(f, &in) : errno;
  if (f && path) fclose(f);
  aim_program *p = NULL;
  if (!error) aim_load(vm, name, in.s, in.n, &p);
  int status = p ? lay_out(a, p, name, &out) : fails(name, error ? error : ENOMEM);
  aim_program_free(p);
  const bool differs = in.n != out.n || (in.n && memcmp(in.s, out.s, in.n) != 0);
  if (status == EXIT_FINE && path && differs && !a->quiet) printf("%s\n", path);
  if (status == EXIT_FINE && a->check) status = differs ? EXIT_WRONG : EXIT_FINE;
  else if (status == EXIT_FINE && !path && out.n) fwrite(out.s, 1, out.n, stdout);
  else if (status == EXIT_FINE && path && differs) status = replace(path, &out);
  free(in.s);
  free(out.s);
  return status;
}

int cmd_fmt(const args *a, aim_vm *vm) {
  int worst = EXIT_FINE;
  for (size_t k = 0; k < a->n_files; k++) {
    int status = format(a, vm, strcmp(a->file[k], "-") == 0 ? NULL : a->file[k]);
    if (status > worst) worst = status;
  }
  return worst;
}
