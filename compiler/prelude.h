/* prelude.h: the library written in AIM, embedded as text (made by stdlib/embed.sh from stdlib/prelude). */
#ifndef AIM_COMPILER_PRELUDE_H
#define AIM_COMPILER_PRELUDE_H

#include <stddef.h>

typedef struct aim_prelude_file {
  const char *name, *text;
  size_t len;
} aim_prelude_file;

extern const aim_prelude_file aim_prelude[];
extern const size_t aim_prelude_count;

#endif
