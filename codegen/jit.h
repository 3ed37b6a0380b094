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
  double seconds;      /* in aim-cc, and in reading the cache */
  size_t object;       /* bytes; 0: there is none */
  bool cached;
  char why[256];       /* one line when the last step failed */
  const char *cache_off; /* why there is no cache where one was asked for, static text; else NULL */
  bool distrusted;     /* it is there, and somebody else could write to it */
} jit_stats;

/* Code that has come to memory, as profilers and debuggers want to know it.  Borrowed during the call. */
typedef struct jit_image {
  const void *base;                 /* tells images apart */
  const void *object;               /* [nobject] the ELF file, its section headers saying where the sections are */
  size_t nobject;
  uint32_t nfns;
  const char *const *name;          /* [nfns] */
  const void *const *code;          /* [nfns] */
  const size_t *bytes;              /* [nfns] */
} jit_image;

typedef struct jit_config {
  const char *compiler;        /* path of aim-cc */
  const char *cache;           /* directory; NULL: none */
  const exec_engine *fallback; /* looks for NaNs, loaded in a worker when one is first sought; NULL: none are found */
  int seconds;                 /* a compilation may take; 0: 60 */
  uint64_t cache_most;         /* bytes; 0: CG_CACHE_MOST */
  /* Where not NULL, told of code that comes and, by its base, of code that goes; in any thread, several at once. */
  void (*came)(const jit_image *image);
  void (*went)(const void *base);
} jit_config;

/* An engine set up so.  config lives as long as its programs. */
exec_engine jit_engine(const jit_config *config);
void jit_stats_of(const exec_program *p, jit_stats *out);

/* ---- loading in steps, for whoever has the same program in another engine and goes on with it while aim-cc works */

/* That program, whose @prepare has run, and which functions shall be machine code.  Lives as long as the opened program. */
typedef struct jit_base {
  const exec_engine *engine; /* has `frame` */
  const exec_program *program;
  bool (*wanted)(const ir_fn *fn);
} jit_base;

/* Reads what is needed of the module.  The program cannot be called yet, but functions can be found. */
exec_status jit_open(const ir_module *m, size_t ndata, const exec_data *data, const exec_options *options, const aim_alloc *alloc,
                     const jit_base *base, exec_program **out /* OUT */, const char **message /* OUT */);
/* Gets the object from the cache, or from aim-cc, and makes the program ready for workers.  EXEC_REFUSED: it is not in the cache;
 * or see stats.why, and the other step may be tried.  Neither reads the module, so a thread of its own may do this; `cancel`: see
 * child.h. */
exec_status jit_recall(exec_program *p);
exec_status jit_compile(exec_program *p, int cancel);

#endif
