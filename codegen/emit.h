/* emit.h: from AIM IR to an object file, through LLVM.  Part of aim-cc only: nothing that a host links includes this. */
#ifndef AIM_CODEGEN_EMIT_H
#define AIM_CODEGEN_EMIT_H

#include "compiler/ir.h"

typedef struct cg_target {
  const char *cpu, *features; /* LLVM's names: "x86-64-v3" */
  int width;                  /* preferred vector width in bits; 0: LLVM's choice */
  bool has_fma;
} cg_target;

/* Compiles every function of m; function k becomes the symbol aim_fn_<k>, and `aim_meta` describes what the host has to
 * provide (codegen/, in docs/internals.md).  Sizes bound in m's table become constants; the others are read at run time.
 * Returns NULL and the object in *object (malloc'd), or a message in m's arena. */
const char *cg_emit(ir_module *m, const cg_target *target, const void *support, size_t nsupport, char **object, size_t *nobject, char **text);

#endif
