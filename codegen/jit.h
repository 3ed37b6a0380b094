/* jit.h: the engine of compiler/contract.h that runs machine code.
 *
 * Loading writes the module's functions as a request, takes the object from the cache or from aim-cc, and relocates it.  Whatever
 * fails on that way is EXEC_REFUSED with one line: the caller may then load with another engine.  Results are those of the
 * interpreter bit for bit, NaN payloads aside.
 *
 * Data parameters are bound by name; result r of @prepare, from 1, is the parameter "frame.<r>" of the other functions.  Model
 * functions, and functions with a parameter of role PLAIN, are left out. */
#ifndef AIM_CODEGEN_JIT_H
#define AIM_CODEGEN_JIT_H

#include "compiler/contract.h"

typedef struct jit_stats {
  double compile;  /* seconds in aim-cc, or in reading the cache */
  size_t object;   /* bytes */
  bool cached;
} jit_stats;

typedef struct jit_config {
  const char *compiler;        /* path of aim-cc */
  const char *cache;           /* directory; NULL: none */
  const exec_engine *fallback; /* looks for NaNs, loaded in a worker when one is first sought; NULL: none are found */
  int seconds;                 /* a compilation may take; 0: 60 */
} jit_config;

/* An engine set up so.  config lives as long as its programs. */
exec_engine jit_engine(const jit_config *config);
void jit_stats_of(const exec_program *p, jit_stats *out);

#endif
