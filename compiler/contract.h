/* contract.h: how a derived program is executed, whoever executes it.
 *
 * An *engine* turns the functions of a module, with its sizes and data bound, into something that runs: the interpreter of
 * vm/, and the JIT of codegen/.  Drivers of inference know only this header.
 *
 * Calls are batched.  Each argument is an array of cells for `lanes` lanes at once: cell e of lane l stands at
 * p[e * stride + l].  One lane has stride 1 and is a plain row-major array.  A cell is a double, or an int64_t for int, bool
 * and key.  Which lanes a call groups never changes a result.
 *
 * A program is loaded once (load compiles, runs @prepare, and allocates everything); workers then run it.  One worker is
 * used by one thread at a time; a call allocates nothing and changes nothing but the worker's scratch and the outputs. */
#ifndef AIM_COMPILER_CONTRACT_H
#define AIM_COMPILER_CONTRACT_H

#include "compiler/ir.h"
#include "lang/alloc.h"

typedef union exec_cell {
  double real;
  int64_t integer;
} exec_cell;

typedef struct exec_arg {
  exec_cell *p;
  size_t stride;
} exec_arg;

/* What is bound before a program is loaded: the numbers of the sizes are in the module's size table; `data` holds one pointer
 * for each data parameter name, in any order, borrowed as long as the program lives. */
typedef struct exec_data {
  const char *name;
  const exec_cell *p;
} exec_data;

typedef enum exec_status {
  EXEC_OK,
  EXEC_BOUND,  /* an index was out of range: see the report, of load that of exec_options */
  EXEC_MEMORY, /* load only */
  EXEC_REFUSED /* load only: a limit, or something this engine does not run: see the message */
} exec_status;

typedef struct exec_report {
  span where;              /* of the failing operation, or of the first NaN */
  int64_t index, extent;   /* EXEC_BOUND */
  uint64_t guards;         /* guards that failed in this call, counted over elements */
  bool factor;             /* find_nan: the operation is `cholesky`, of a matrix that has no factor: */
  int64_t row;             /* the row, from 0, at which it stops, */
  double share;            /* and its pivot over the diagonal (rt_pivot.h) */
  uint32_t naxes;          /* find_nan: it stands in a plate, of which this is the iteration, from 0 */
  int64_t at[IR_MAX_RANK];
  span guard_where;        /* of one of them: of the first, unless several fail in one loop whose iterations an engine runs together */
} exec_report;

/* This very processor, which may have more than its level says; for an engine that has levels only, the best of these. */
enum { EXEC_ISA_NATIVE = 5 };

typedef struct exec_engine exec_engine;

typedef struct exec_options {
  int isa;        /* 0: the best level of this machine; 2, 3, 4: x86-64-v2, v3, v4; or EXEC_ISA_NATIVE.  Results are the same */
  size_t memory;  /* limit in bytes for buffers; 0: none */
  const void *user; /* exec_engine.user */
  const exec_engine *sure; /* the interpreter, for an engine that may go back to it; NULL: there is none */
  exec_report *prepared; /* OUT of load: where @prepare stopped, when that is why it failed.  May be NULL */
} exec_options;

typedef struct exec_program exec_program;
typedef struct exec_worker exec_worker;

/* What has executed a program so far, for those who want to know. */
typedef struct exec_account {
  uint64_t interpreted, compiled; /* calls */
  unsigned cached, made, refused; /* objects found in the cache, compiled, and not to be had: up to 2 in all */
  unsigned declined;              /* functions that workers found faster interpreted, and went back to it for */
  double seconds;                 /* that the cache or the compiler took */
  size_t object;                  /* bytes of machine code and constants */
  char why[160];                  /* one line where an object was not to be had, or nothing */
} exec_account;

/* Results of functions that are kept (memo.h): how often they were asked for, how often they were there, and how many went for lack of room. */
typedef struct exec_memo {
  uint64_t asked, found, dropped;
} exec_memo;

struct exec_engine {
  const char *name;
  /* Loads every derived function of m.  *message, where not NULL, lives in m's arena. */
  exec_status (*load)(const ir_module *m, size_t ndata, const exec_data *data, const exec_options *options,
                      const aim_alloc *alloc, exec_program **out, const char **message);
  void (*unload)(exec_program *p);
  /* The number of a function for call, or -1. */
  int (*find)(const exec_program *p, const char *name);
  exec_worker *(*worker_new)(exec_program *p); /* NULL: no memory */
  void (*worker_free)(exec_worker *w);
  /* Runs function fn.  in: its parameters that are neither data nor frame, in order; out: its results.  out may not overlap
   * in.  *report may be NULL. */
  exec_status (*call)(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report);
  /* Runs fn again watching every value: true and report->where if some operation made a NaN from operands without one. */
  bool (*find_nan)(exec_worker *w, int fn, const exec_arg *in, exec_report *report);
  const void *user; /* how the engine was set up; load finds it in its options.  NULL where there is nothing to say */
  /* The next two may be NULL.  frame: result r of @prepare, from 1, borrowed until the program is unloaded; NULL if there is none.
   * account: exact when no worker is left, a little behind while some run. */
  const exec_cell *(*frame)(const exec_program *p, uint32_t r);
  void (*account)(const exec_program *p, exec_account *out);
  /* Of the workers that were freed; false where the program keeps no results.  May be NULL. */
  bool (*memo)(const exec_program *p, exec_memo *out);
  /* Returns when nothing that load began beside its caller is left which the engine was told to wait for.  Calls before are as good, but may be
   * slower: a driver does first what is short.  May be NULL. */
  void (*ready)(exec_program *p);
};

#endif
