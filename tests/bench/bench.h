/* bench.h: the harness of `make bench`.
 *
 * A benchmark checks its own result first; one that is wrong is reported as an error and gives no figure.  Then it times body and
 * baseline in turn (A B A B ...), so that what the machine does meanwhile falls on both, and reports the median with its spread.
 * Bodies run warm: the harness calls each once, finds how many iterations take a few milliseconds, and counts from there.
 *
 * Records go to bench.json as they are made.  `value` is a median, `min` and `max` are of single runs, `interval` is a 95 %
 * bootstrap interval of the median, `ratio` is the median over the median of the baseline.  Benchmarks use malloc and end the
 * process when memory or a file fails: they are no part of the library. */
#ifndef AIM_BENCH_H
#define AIM_BENCH_H

#include "vm/aim.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bench bench;

/* Does n iterations. */
typedef void bench_body(void *ctx, long n);

typedef struct bench_side {
  bench_body *body;
  void *ctx;
} bench_side;

/* How a time becomes a figure.  BENCH_TIME: seconds of an iteration * scale.  BENCH_RATE: scale / seconds of an iteration. */
typedef enum bench_measure { BENCH_TIME, BENCH_RATE } bench_measure;

typedef struct bench_row {
  const char *name, *unit;
  bench_measure measure;
  double scale;
  const char *baseline; /* what it is; NULL: none */
  double bar;           /* what the figure should reach, on the right side of it; 0: none stated */
  const char *check;    /* what was checked, with its figure; a row without one is refused */
  bool wall;            /* times are of the wall clock: what somebody waits for */
  double most;          /* of a time: the largest ratio to the baseline that it should have; 0: none stated */
} bench_row;

/* True if the pattern of this run selects the name. */
bool bench_wanted(const bench *b, const char *name);

/* Times `a` against `base` (body NULL: alone) `runs` times and records the row. */
void bench_pair(bench *b, const bench_row *row, bench_side a, bench_side base, int runs);
/* The same with two baselines: the second is recorded as a row of its own, `second`, in the unit of the first (a roofline). */
void bench_three(bench *b, const bench_row *row, bench_side a, bench_side base, const char *second, bench_side other, int runs);

/* Records figures taken elsewhere [runs]; base [runs] or NULL. */
void bench_record(bench *b, const bench_row *row, const double *value, const double *base, int runs);

/* A benchmark whose result is wrong: the run fails.  One that needs what is not here: said, and no failure. */
void bench_wrong(bench *b, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void bench_skip(bench *b, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Seconds of a clock that runs on, and of all processors' time that this process has used.  What runs in one thread is timed by the
 * latter: on a machine that others use too, a wall clock would time them. */
double bench_now(void);
double bench_cpu(void);
/* Directory for files of benchmarks, made by the harness; paths of the command, of a program that does nothing, of launch.c, and of
 * the tool that compares draws with a reference. */
const char *bench_dir(const bench *b);
const char *bench_aimc(const bench *b);
const char *bench_aim_cc(const bench *b);
const char *bench_empty(const bench *b);
const char *bench_launch(const bench *b);
const char *bench_check_posterior(const bench *b);
/* Runs argv[0] to its end, standard output into the file `out`.  False unless it exits with 0.  Wall clock, where wanted
 * (process.c). */
bool bench_spawn(const char *const *argv, const char *out, double *seconds /* OUT */);
/* A string that lives as long as the process. */
const char *bench_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Zeroed; ends the process when there is none. */
void *bench_alloc(size_t count, size_t size);

/* ---- engines: the interpreter, and machine code where this build has it (engine.c) */

typedef enum bench_engine {
  BENCH_VM,
  BENCH_JIT,     /* objects are kept in the cache of this build's benchmarks */
  BENCH_JIT_ANEW, /* compiles each time */
  BENCH_RUN      /* what `aimc run` has, with the interpreter beside the code and outputs compiled from the first draw */
} bench_engine;
enum { BENCH_ENGINES = 2 }; /* to be compared: BENCH_VM and BENCH_JIT */

/* "gradient_radon" with BENCH_JIT is "gradient_radon/jit". */
const char *bench_row_name(const char *name, bench_engine e);
/* "vm", "jit". */
const char *bench_engine_name(bench_engine e);
bool bench_has_engine(bench_engine e);
/* A vm with the default allocator, a clock, and this engine alone: a model that machine code refuses is refused. */
aim_vm *bench_vm(bench_engine e);
void bench_engines_set_up(const bench *b);

/* ---- a model to be run, through aim.h (model.c) */

/* Data of a model, ended by a name that is NULL. */
typedef struct bench_data {
  const char *name;
  const double *real; /* one of the two */
  const int64_t *integer;
  int rank;
  int64_t dims[2];
} bench_data;

typedef struct bench_model {
  aim_vm *vm;
  aim_program *program;
  aim_task *task;
} bench_model;

/* vm: consumed; NULL: one with the default allocator, a clock and the interpreter.  False, with the message on stderr, if the text or data is wrong. */
bool bench_model_open(bench_model *m, aim_vm *vm, const char *text, const bench_data *data);
void bench_model_close(bench_model *m);
/* Seconds that the object of a bound model took, and its bytes.  The model's vm has an engine of machine code. */
double bench_compile_seconds(const bench_model *m, size_t *object_bytes /* OUT */);
/* aim_evaluator_new, with the message on stderr if it fails. */
bool bench_model_evaluator(bench_model *m, aim_evaluator **out);
/* One run under a method, single-threaded; options are pairs of name and value ended by NULL.  Processor seconds of aim_run, or a
 * negative number with the message on stderr. */
double bench_model_run(bench_model *m, const char *method, const char *const *names, const int64_t *values);
/* Rubin's eight schools, as on the first page of the language. */
extern const char bench_schools_text[];
extern const double bench_schools_y[8], bench_schools_sigma[8];
extern const bench_data bench_schools_data[];

/* Numbers for data: a stream of its own for each seed. */
typedef struct bench_random {
  uint64_t state;
} bench_random;
double bench_uniform(bench_random *r);
double bench_normal(bench_random *r);

/* ---- the benchmarks, a file each */
void bench_density(bench *b);    /* log density and gradient */
void bench_sampling(bench *b);   /* mh, importance, prior */
void bench_posteriors(bench *b); /* first transitions, effective draws a second */
void bench_threads(bench *b);    /* one gradient on several threads */
void bench_spins(bench *b);      /* annealing */
void bench_empathy(bench *b);    /* statements that anneal agents */
void bench_memory(bench *b);     /* traces, calls of the allocator */
void bench_process(bench *b);    /* the command: start, memory, files */
void bench_compile(bench *b);    /* time to machine code, against the size of program and data */

#endif
