/* schedule_run.h: a schedule, stepped from sweep to sweep.
 *
 *     schedule_begin(&s, code, registers, p)
 *     while (schedule_next(&s, &stats, &step) == SCHEDULE_STEP) do step.sweeps sweeps at step.beta and measure
 *
 * A step allocates nothing.  Registers are the caller's: a driver begins a schedule for each block of replicas that shares one. */
#ifndef AIM_VM_SCHEDULE_RUN_H
#define AIM_VM_SCHEDULE_RUN_H

#include "compiler/program.h"
#include "compiler/schedule.h"
#include "vm/rest_piece.h"

/* What a driver has measured when it asks for the next step. */
typedef struct schedule_stats {
  double energy, best, acceptance, ess; /* as in schedule.h */
  const double *energies;               /* [n] of the replicas */
  size_t n;
  uint64_t sweeps;                      /* done so far */
  uint64_t since_best;                  /* of these, since the best energy was met */
} schedule_stats;

typedef struct schedule_step {
  double beta;
  uint64_t sweeps;
  bool restart; /* before them */
} schedule_step;

typedef enum schedule_state { SCHEDULE_STEP, SCHEDULE_DONE, SCHEDULE_FAILED } schedule_state;

typedef struct schedule_slot {
  double energy;
  uint64_t since;
  bool set;
} schedule_slot;

typedef struct schedule_run {
  const schedule *s;
  double *r;           /* [s->registers] */
  schedule_slot *slot; /* [s->slots] */
  size_t at;
  const char *why;     /* SCHEDULE_FAILED */
  span where;
} schedule_run;

/* What a schedule reads of the model is bound and can be told as a number.  NULL, or what cannot. */
const char *schedule_inputs(const schedule *s, const program *p, double *r);
/* inputs: [s->registers] as schedule_inputs filled them; copied to x->r. */
void schedule_begin(schedule_run *x, const double *inputs);
schedule_state schedule_next(schedule_run *x, const schedule_stats *stats, schedule_step *step /* OUT */);
/* Where it stands, between two steps. */
void schedule_rest(schedule_run *x, rest_bytes *b);

/* (sum w)^2 / (n sum w^2) of n weights exp(-d energy): what part of them draws at an inverse temperature d higher are worth. */
double schedule_ess(const double *energy, size_t n, double d);

#endif
