/* prelude.h: the library written in AIM, embedded as text (made by stdlib/embed.sh from stdlib).
 *
 * It is indexed by name, so that a program parses what it uses: declarations are sorted by name, in the order of strcmp, and
 * overloads of a distribution or schedule stand in the order of the file. */
#ifndef AIM_COMPILER_PRELUDE_H
#define AIM_COMPILER_PRELUDE_H

#include <stddef.h>

typedef enum prelude_kind { PRELUDE_FN, PRELUDE_DIST, PRELUDE_SCHEDULE } prelude_kind;

typedef struct aim_prelude_decl {
  const char *name, *file;
  const char *text; /* from the word `fn`, `dist` or `schedule` on */
  size_t len;
  prelude_kind kind;
} aim_prelude_decl;

extern const aim_prelude_decl aim_prelude[];
extern const size_t aim_prelude_count;

/* stdlib/NAME.aim: what `import NAME` brings in, whole. */
typedef struct aim_module {
  const char *name, *text;
  size_t len;
} aim_module;

extern const aim_module aim_modules[];
extern const size_t aim_module_count;

#endif
