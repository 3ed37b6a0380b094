/* schedule.h: annealing schedules as small programs.
 *
 * A schedule says which inverse temperature to sweep at, and for how long.  It is an expression: calls of declared schedules (the library's stand
 * in stdlib/prelude/schedule.aim) joined by `then`, `until` and `repeat`.  All calls are expanded where they stand, so that
 * what comes out is one flat list of instructions over numbered doubles, which a driver steps from sweep to sweep (vm/schedule_run.h) without allocating.  Ints and bools are
 * doubles too: whole numbers up to 2^53 are exact.
 *
 * Compiling checks as it goes, and a schedule that is only declared is compiled for its messages.  What a statement reads of a model (`cool(N)`) has its
 * number once data is bound: such names are listed with the registers that they fill. */
#ifndef AIM_COMPILER_SCHEDULE_H
#define AIM_COMPILER_SCHEDULE_H

#include "compiler/check.h"

/* Registers that mean the same in every schedule.  All but the first are written by the driver after each sweep. */
enum {
  SCHEDULE_BETA,       /* the running inverse temperature; 1 at first */
  SCHEDULE_ENERGY,     /* mean energy of the replicas */
  SCHEDULE_BEST,       /* lowest energy met so far by any of them */
  SCHEDULE_ACCEPTANCE, /* share of accepted proposals in the last sweep */
  SCHEDULE_ESS,        /* what the replicas are worth as draws at beta, weighted from the beta before: in (0, 1] */
  SCHEDULE_FIXED
};

typedef enum schedule_code {
  SCHED_SET,     /* dst = value */
  SCHED_MOVE,    /* dst = a */
  SCHED_ADD, SCHED_SUB, SCHED_MUL, SCHED_DIV, SCHED_FLOORDIV, SCHED_MOD, SCHED_POW, SCHED_MIN, SCHED_MAX,
  SCHED_LT, SCHED_LE, SCHED_EQ, SCHED_AND, SCHED_OR, /* dst = a op b, 0 or 1 */
  SCHED_NEG, SCHED_NOT, SCHED_EXP, SCHED_LOG, SCHED_SQRT, SCHED_ABS, SCHED_FLOOR,
  SCHED_ELEMENT, /* dst = register a + r[b] - 1, where 1 <= r[b] <= n; else the schedule fails */
  SCHED_STALLED, /* dst = the best energy is r[a] sweeps old or older */
  SCHED_STABLE,  /* dst = for r[a] sweeps the mean energy has stayed within r[b] max(1, |E|) of what it was; slot n */
  SCHED_NEXT,    /* dst = the inverse temperature above r[beta], at most r[b], at which the replicas' weights are worth r[a] of their number */
  SCHED_JUMP,    /* to n */
  SCHED_UNLESS,  /* to n if r[a] is 0 */
  SCHED_RESTART, /* before the next sweep every replica goes back to the best state that it has met */
  SCHED_SWEEP    /* r[a] sweeps */
} schedule_code;

typedef struct schedule_instr {
  schedule_code code;
  uint32_t dst, a, b, n;
  double value;
  span at;
} schedule_instr;

/* A name of the model that the statement reads: a size, or a scalar of the data. */
typedef struct schedule_input {
  const symbol *sym;
  uint32_t reg;
} schedule_input;

typedef struct schedule {
  schedule_instr *code;
  size_t n, cap;
  uint32_t registers, slots;
  schedule_input *input;
  size_t ninputs, cap_inputs;
  bool feedback; /* it reads what the driver measures, */
  bool weighs;   /* and has all replicas weighed, for ess or next_beta */
  bool restarts; /* it has a restart, which counts as feedback */
} schedule;

/* Compiles a schedule expression of a run statement over the model.  NULL after a diagnostic (E0840 to E0846). */
const schedule *schedule_compile(check_program *p, const check_model *m, const ast_expr *e);
/* Compiles the body of a declaration with its parameters open, for its messages. */
bool schedule_check(check_program *p, const ast_decl *d);
/* Enters a declaration; several of one name differ in the names of their parameters. */
void schedule_declare(check_program *p, ast_decl *d, bool library);

#endif
