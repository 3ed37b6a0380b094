/* child.h: one run of aim-cc.
 *
 * Works in a host with threads, signal handlers and children of its own: the process is spawned, never forked; it gets three
 * descriptors, an empty environment, no blocked signal and default actions; no signal reaches the host but SIGCHLD; and a host that
 * collects or ignores children does no harm, since an object says itself whether it is whole. */
#ifndef AIM_CODEGEN_CHILD_H
#define AIM_CODEGEN_CHILD_H

#include "lang/alloc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What aim-cc writes before the object, both in the byte order of the machine. */
typedef struct cg_answer {
  char magic[8];
  uint64_t n; /* bytes of the object */
} cg_answer;
#define CG_ANSWER_MAGIC {'A', 'I', 'M', 'o', 'b', 'j', '0', '1'}

typedef struct cg_reply {
  char *object;       /* of n bytes, in an allocation of cap; NULL on failure */
  size_t n, cap;
  char message[256];  /* one line, on failure */
  bool memory;        /* it failed for want of memory here, not in aim-cc */
} cg_reply;

/* Runs the program at `path` with the request as its input, and kills it after `seconds`, or when `cancel`, a descriptor (-1:
 * none), can be read or is closed at its other end. */
void cg_child_run(cg_reply *r, const char *path, const void *request, size_t n, int seconds, int cancel, const aim_alloc *alloc);

#endif
