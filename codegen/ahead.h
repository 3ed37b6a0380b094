/* ahead.h: objects and headers that a C host compiles in, made from a program ahead of time.
 *
 * An object has the derived functions of one model with the services that they use inside, under names that begin with the prefix; it
 * refers to nothing else but memcpy and memset.  Sizes that are bound in the program's table are constants of its code; those of
 * `runtime` are fields that the host sets. */
#ifndef AIM_CODEGEN_AHEAD_H
#define AIM_CODEGEN_AHEAD_H

#include "compiler/program.h"

typedef enum ahead_kind { AHEAD_SIZE, AHEAD_SCALAR, AHEAD_ARRAY } ahead_kind;

/* A field of the host's struct of data: a word each, in this order. */
typedef struct ahead_field {
  ahead_kind kind;
  const char *name, *c_name; /* in the model; in C */
  ir_type type;
  ir_size most;              /* of an index: the largest value; else IR_SIZE_NONE */
} ahead_field;

typedef struct ahead_spec {
  arena *mem;
  const program *p;          /* built: see program_build; sizes of `runtime` are unbound in it */
  const char *prefix;        /* a C identifier */
  const char *source;        /* name of the file, for the header */
  int level;                 /* 2, 3, 4: x86-64-v2 ... */
  const ir_size *runtime;    /* [nruntime] symbols */
  size_t nruntime;
  /* Keys of draws, as the drivers fold them in (vm/run.h). */
  uint64_t key_prior, key_outputs;
  /* ahead_describe */
  ahead_field *field;
  size_t nfields;
} ahead_spec;

/* A C identifier like name, in the arena: other bytes become `_`, and reserved words get one at their end. */
const char *ahead_c_name(arena *mem, const char *name);
/* The same beside n members that there are: another one. */
const char *ahead_member(arena *mem, const char *const *taken, size_t n, const char *name);
/* Fills in the fields.  NULL, or why this model has no object, as one line. */
const char *ahead_describe(ahead_spec *s);
/* Runs the compiler (aim-cc) for at most so many seconds.  NULL, or why not, as one line in the arena.  The object is in the arena. */
const char *ahead_object(const ahead_spec *s, const char *compiler, int seconds, const aim_alloc *alloc, const char **object /* OUT */,
                         size_t *n /* OUT */);
/* The header: header.c. */
void ahead_header(const ahead_spec *s, strbuf *out);
/* The function of that name ("grad") in the object; NULL if the model has none. */
const ir_fn *ahead_fn(const ahead_spec *s, const char *name);

#endif
