/* pathfinder.h: a normal approximation on the unconstrained space, found along the way to the mode (Zhang, Carpenter, Gelman and
 * Vehtari 2022, "Pathfinder: parallel quasi-Newton variational inference", algorithms 1 to 4).
 *
 * Each iterate x of L-BFGS has an estimate of the inverse Hessian, a diagonal and a term of low rank, and so a normal
 *
 *     N(x + S g, S),    S = D (I + Q (L L' - I) Q') D
 *
 * with D diagonal, Q [dim][rank] of orthonormal columns, L [rank][rank] lower triangular.  The one of largest ELBO, estimated with a few draws,
 * is the result.  Of a long path that is most of the work; who only wants to know which of several paths are any good looks at fewer of its
 * iterates.  Memory is the caller's; nothing allocates. */
#ifndef AIM_VM_PATHFINDER_H
#define AIM_VM_PATHFINDER_H

#include "vm/ascend.h"

enum { PATHFINDER_RANK = 2 * RT_LBFGS_MEMORY };

typedef struct pathfinder_normal {
  size_t dim;
  uint32_t rank;
  double *centre, *scale; /* [dim] mean; diagonal of D */
  double *basis;          /* [rank][dim] columns of Q */
  double factor[PATHFINDER_RANK][PATHFINDER_RANK]; /* L */
  double log_det;         /* log |D| + log |L| */
  double elbo;            /* estimated; -INFINITY: there is no approximation */
} pathfinder_normal;

typedef struct pathfinder_options {
  ascent_options ascent;
  uint32_t elbo_draws;  /* for each estimate of the ELBO; 5 is usual */
  bool sparse;          /* of a long path, only iterates 1, 2, 3, 4, 6, 8, 11 and so on, by a quarter further each time, and the last */
  bool values;          /* the density takes a gradient of NULL where only its value is wanted, as for those draws */
} pathfinder_options;

typedef struct pathfinder_result {
  ascent_status status;     /* of the maximisation.  Where best.elbo is finite the approximation stands, whatever it says */
  pathfinder_normal best;   /* in the workspace */
  uint32_t iterations;
  uint64_t evaluations;
} pathfinder_result;

/* Doubles of workspace, and of what a result keeps of it; 0 if dim is 0 or too large. */
size_t pathfinder_doubles(size_t dim);
size_t pathfinder_normal_doubles(size_t dim);
/* work: pathfinder_doubles(dim).  keep: pathfinder_normal_doubles(dim), for the result. */
void pathfinder_run(const pathfinder_options *o, size_t dim, nuts_density density, void *user, double *work, double *keep, pathfinder_result *r);
/* Draw number `draw` under a key: q [dim].  Returns its log density under the approximation.  scratch [dim]. */
double pathfinder_draw(const pathfinder_normal *a, uint64_t key, uint64_t draw, double *q, double *scratch);

#endif
