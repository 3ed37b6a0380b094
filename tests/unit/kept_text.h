/* kept_text.h: what the library writes, kept for a test to read.  Includes nothing of ours, so that tests of the installed library
 * may use it. */
#ifndef AIM_TESTS_KEPT_TEXT_H
#define AIM_TESTS_KEPT_TEXT_H

#include <stddef.h>
#include <string.h>

typedef struct text {
  char s[20000]; /* what is more is left out; ends in NUL */
  size_t n;
} text;

static inline void keep(void *user, const char *s, size_t n) {
  text *t = user;
  if (n > sizeof t->s - 1 - t->n) n = sizeof t->s - 1 - t->n;
  memcpy(t->s + t->n, s, n);
  t->n += n;
  t->s[t->n] = '\0';
}

#endif
