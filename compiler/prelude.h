/* prelude.h: the library written in AIM, embedded as text (made by stdlib/embed.sh from stdlib/prelude).
 *
 * It is indexed by name, so that a program parses what it uses: declarations are sorted by name, in the order of strcmp, and
 * overloads of a distribution stand in the order of the file. */
#ifndef AIM_COMPILER_PRELUDE_H
#define AIM_COMPILER_PRELUDE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct aim_prelude_decl {
  const char *name, *file;
  const char *text; /* from the word `fn` or `dist` on */
  size_t len;
  bool dist;
} aim_prelude_decl;

extern const aim_prelude_decl aim_prelude[];
extern const size_t aim_prelude_count;

#endif
