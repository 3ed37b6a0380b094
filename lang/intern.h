/* intern.h: names.  Equal names are one pointer, so comparing is `==` and a name can key a table by address. */
#ifndef AIM_LANG_INTERN_H
#define AIM_LANG_INTERN_H

#include "lang/arena.h"

typedef struct intern_entry intern_entry;

typedef struct intern_table {
  arena *a;
  intern_entry **slots; /* open addressing; size is a power of two */
  size_t size, n;
} intern_table;

void intern_init(intern_table *t, arena *a);

/* The one copy of these n bytes, NUL-terminated, valid as long as the arena.  The bytes hold no NUL. */
const char *intern_bytes(intern_table *t, const char *s, size_t n);
const char *intern(intern_table *t, const char *s);

#endif
