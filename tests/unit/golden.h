/* golden.h: compares text with a file beside the test's input; with UPDATE=1 in the environment it writes the file instead. */
#ifndef AIM_TESTS_GOLDEN_H
#define AIM_TESTS_GOLDEN_H

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole file, NUL-terminated; NULL when it cannot be read.  The caller frees it. */
static inline char *golden_read(const char *path, size_t *n) {
  FILE *f = fopen(path, "rb");
  if (n) *n = 0;
  if (!f) return NULL;
  size_t cap = 4096, len = 0;
  char *s = malloc(cap);
  for (size_t got; s && (got = fread(s + len, 1, cap - len - 1, f)) > 0;) {
    len += got;
    if (len + 1 == cap) s = realloc(s, cap *= 2);
  }
  fclose(f);
  if (s) s[len] = '\0';
  if (s && n) *n = len;
  return s;
}

static inline bool golden_updating(void) {
  const char *v = getenv("UPDATE");
  return v && *v && strcmp(v, "0") != 0;
}

/* Whether text equals the file's content.  Says on stderr where they part. */
static inline bool golden_equal(const char *path, const char *text) {
  if (golden_updating()) {
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(text, 1, strlen(text), f) == strlen(text);
    if (f && fclose(f) != 0) ok = false;
    if (!ok) fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return ok;
  }
  char *want = golden_read(path, NULL);
  if (!want) {
    fprintf(stderr, "%s: %s (UPDATE=1 writes it)\n", path, strerror(errno));
    return false;
  }
  bool same = strcmp(want, text) == 0;
  if (!same) {
    size_t i = 0, line = 1, start = 0;
    for (; want[i] && want[i] == text[i]; i++)
      if (want[i] == '\n') line++, start = i + 1;
    fprintf(stderr, "%s:%zu: differs\n  expected: %.*s\n  got:      %.*s\n", path, line, (int)strcspn(want + start, "\n"), want + start,
            (int)strcspn(text + start, "\n"), text + start);
  }
  free(want);
  return same;
}

/* Names in a folder that end in suffix, sorted; the caller frees each and the array.  No such folder gives none. */
static inline char **golden_list(const char *folder, const char *suffix, size_t *n) {
  char **names = NULL;
  size_t count = 0;
  DIR *d = opendir(folder);
  for (struct dirent *e; d && (e = readdir(d));) {
    size_t len = strlen(e->d_name), tail = strlen(suffix);
    if (len < tail || strcmp(e->d_name + len - tail, suffix) != 0) continue;
    names = realloc(names, (count + 1) * sizeof *names);
    names[count] = malloc(len + 1);
    memcpy(names[count++], e->d_name, len + 1);
  }
  if (d) closedir(d);
  for (size_t i = 1; i < count; i++) {
    char *x = names[i];
    size_t k = i;
    for (; k > 0 && strcmp(names[k - 1], x) > 0; k--) names[k] = names[k - 1];
    names[k] = x;
  }
  *n = count;
  return names;
}

static inline void golden_list_free(char **names, size_t n) {
  for (size_t i = 0; i < n; i++) free(names[i]);
  free(names);
}

/* folder/name with its last extension replaced, in a static buffer of the caller. */
static inline const char *golden_path(char *out, size_t size, const char *folder, const char *name, const char *extension) {
  const char *dot = strrchr(name, '.');
  int stem = dot ? (int)(dot - name) : (int)strlen(name);
  snprintf(out, size, "%s/%.*s%s", folder, stem, name, extension);
  return out;
}

#endif
