/* child.h: one run of aim-cc. */
#ifndef AIM_CODEGEN_CHILD_H
#define AIM_CODEGEN_CHILD_H

#include "lang/alloc.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct cg_reply {
  char *object;       /* from alloc; NULL on failure */
  size_t n, cap;
  char message[256];  /* one line, on failure */
  bool memory;        /* it failed for want of memory */
} cg_reply;

/* Runs the program at `path` with the request as its input, and kills it after `seconds`. */
void cg_child_run(cg_reply *r, const char *path, const void *request, size_t n, int seconds, const aim_alloc *alloc);

#endif
