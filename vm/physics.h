/* physics.h: whether the kernels that an annealing or tempering statement moves its replicas with leave the distribution that it names.
 *
 *     P(s) ~ exp(base(s) - beta E(s)),    base and -E the two parts of @tempered
 *
 * Of a model with at most PHYSICS_STATES states everything is enumerated: E of each state by the whole model, and for each state and element the
 * probabilities that a visit gives to the element's values, as the functions say by which the shipped kernels decide (rt_spin_acceptance, rt_potts_visit,
 * mh_acceptance, mh_weights) and from the energy differences that they are given (local fields, @local).  From these come
 *
 *     detailed balance  sum over pairs of |P(a) K(a, b) - P(b) K(b, a)|, K the visit of an element drawn uniformly
 *     stationarity      sum of |P S - P|, S a sweep in the statement's order
 *
 * both of which are 0 but for rounding.  A larger model, or one with real numbers, is not enumerated: there local differences are compared with those of whole
 * energies at states that replicas have met. */
#ifndef AIM_VM_PHYSICS_H
#define AIM_VM_PHYSICS_H

#include "vm/api.h"

#include "stdlib/runtime/rt_potts.h"

enum { PHYSICS_STATES = 1024, PHYSICS_BETAS = 3 };

/* What visits are decided by.  A test puts wrong ones in their place, and must notice. */
typedef struct physics_rules {
  double (*spin)(rt_spin_rule rule, double x, double floor);
  void (*colour)(rt_spin_rule rule, size_t q, const double *x, size_t now, double floor, double *to);
  double (*element)(bool heat_bath, double floor, double r);
} physics_rules;
extern const physics_rules physics_exact;

typedef enum physics_verdict {
  PHYSICS_PASS,
  PHYSICS_FAIL,
  PHYSICS_BIASED, /* by intention: a floor under the acceptance is for search */
  PHYSICS_VALUE   /* an exact number, to compare others with */
} physics_verdict;

typedef struct physics_row {
  const char *what;
  double beta;  /* NAN: of no inverse temperature */
  double value, limit;
  physics_verdict verdict;
} physics_row;

typedef struct physics_report {
  bool applies;          /* the statement moves replicas at inverse temperatures; else the rest is empty */
  size_t elements, states; /* states 0: not enumerated, */
  const char *why;       /* because of this */
  size_t compared;       /* changes of an element whose local and whole energies were compared */
  bool spins;            /* the kernels of spins or colours move them, else one element at a time */
  physics_row *row;      /* [rows] borrowed from the task */
  size_t rows, failed;
} physics_report;

/* Checks the kernels of a bound task.  AIM_E_PROGRAM with a diagnostic where the statement cannot run. */
aim_status api_physics(aim_task *t, const physics_rules *rules, physics_report *out /* OUT */);

#endif
