/* kernel.h: what stands behind `using`: how the sweeps of annealing and tempering move. */
#ifndef AIM_COMPILER_KERNEL_H
#define AIM_COMPILER_KERNEL_H

#include "compiler/check.h"

typedef enum kernel_rule { KERNEL_GIBBS, KERNEL_GLAUBER, KERNEL_METROPOLIS } kernel_rule;
typedef enum kernel_order { KERNEL_SEQUENTIAL, KERNEL_RANDOM, KERNEL_COLOURED } kernel_order;
typedef enum kernel_precision { KERNEL_F64, KERNEL_F32, KERNEL_MIXED } kernel_precision;

typedef struct kernel {
  kernel_rule rule;           /* glauber: the heat bath at sites drawn at random */
  kernel_order order;
  kernel_precision precision; /* of local fields, where energies are quadratic in spins */
  uint32_t replicas;          /* anneal */
  uint64_t proposals;         /* visits of a sweep in random order; 0: as many as there are sites */
  double floor;               /* metropolis: acceptance is at least floor / (1 + beta), which is a search and draws from nothing */
  bool allow_biased;          /* of an inference: with a floor nevertheless */
} kernel;

/* Reads `gibbs`, `metropolis(replicas = 64, order = random)`, ...; NULL is the default.  False after a diagnostic (E0845). */
bool kernel_read(diag_list *diags, const ast_expr *e, bool anneals, kernel *out);

const char *kernel_rule_name(kernel_rule r);
const char *kernel_order_name(kernel_order o);
const char *kernel_precision_name(kernel_precision p);

#endif
