/* emit.h: from AIM IR to an object file, through LLVM.  Part of aim-cc only: nothing that a host links includes this. */
#ifndef AIM_CODEGEN_EMIT_H
#define AIM_CODEGEN_EMIT_H

#include "compiler/ir.h"

typedef struct cg_target {
  const char *cpu;            /* LLVM's name: "x86-64-v3"; or "native" */
  int width;                  /* preferred vector width in bits; 0: LLVM's choice */
  bool has_fma;
} cg_target;

/* A word of the host's struct of data, in an object that is built ahead of time (ahead.h). */
typedef enum cg_field_kind { CG_FIELD_SIZE, CG_FIELD_SCALAR, CG_FIELD_ARRAY } cg_field_kind;
typedef struct cg_field {
  cg_field_kind kind;
  const char *name;         /* the symbol, or the data parameter */
  const char *cells, *most; /* sizes as text: of an array; the largest value of an index, or NULL */
} cg_field;

/* What such an object has besides: functions prefix_*, and what the services of abi.h are made of. */
typedef struct cg_ahead {
  const char *prefix;
  const cg_field *field;
  size_t n;
  uint64_t key_prior, key_outputs;
  const void *services; /* bitcode for the target's level */
  size_t nservices;
} cg_ahead;

/* Compiles every function of m; function k becomes the symbol aim_fn_<k>, and `aim_meta` describes what the host has to
 * provide (codegen/, in docs/internals.md).  Sizes bound in m's table become constants; the others are read at run time.
 * ahead, where not NULL, makes an object for a C host instead, without a description.
 * Returns NULL and the object in *object (malloc'd), or a message in m's arena. */
const char *cg_emit(ir_module *m, const cg_target *target, const cg_ahead *ahead, const void *support, size_t nsupport, char **object, size_t *nobject, char **text);

#endif
