/* needs.h: the description that an object for the engine carries: what each of its functions has to be given. */
#ifndef AIM_CODEGEN_NEEDS_H
#define AIM_CODEGEN_NEEDS_H

#include "compiler/size.h"

enum { CG_LINE = 8 }; /* cells to which memory is rounded */

typedef struct cg_needs {
  int64_t *size;  /* numbers of the sizes that it reads */
  int64_t *slot;  /* where its arrays begin in memory of `work` cells */
  uint32_t nsizes, nslots;
  int64_t work;
} cg_needs;

/* Reads the text of aim_meta for an object of n functions, with numbers from `sizes`.  NULL, or why it cannot be: static text. */
const char *cg_needs_read(cg_needs *needs, uint32_t n, const char *text, size_table *sizes, arena *mem);

#endif
