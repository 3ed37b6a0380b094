/* sums.h: canonical sums as compiled code and the services hold them: accumulators, and blocks of 4096 terms. */
#ifndef AIM_CODEGEN_SUMS_H
#define AIM_CODEGEN_SUMS_H

#include <stdint.h>

#include "stdlib/runtime/rt_sum.h"

typedef double cg_v8 __attribute__((vector_size(64), aligned(8), may_alias));

/* Sums of blocks of 4096 terms, of which a sum of any length is made. */
typedef struct cg_blocks {
  int64_t blocks;
  double first;               /* the first block's sum: of one block it is the result */
  double up[2][RT_SUM_LANES]; /* levels: each holds up to 4096 terms */
  int64_t upcount[2];
} cg_blocks;

/* A sum in progress whose terms come in runs of any length. */
typedef struct cg_sum {
  double acc[RT_SUM_LANES];
  int64_t count;
  cg_blocks blocks;
} cg_sum;

static inline __attribute__((always_inline)) double sum_tree(const double *acc) {
  cg_v8 a = *(const cg_v8 *)acc, b = *(const cg_v8 *)(acc + 8), c = *(const cg_v8 *)(acc + 16), d = *(const cg_v8 *)(acc + 24);
  a += c, b += d;
  a += b;
  double t0 = a[0] + a[4], t1 = a[1] + a[5], t2 = a[2] + a[6], t3 = a[3] + a[7];
  t0 += t2, t1 += t3;
  return t0 + t1;
}

static inline __attribute__((always_inline)) void sum_clear(double *acc) {
  cg_v8 z = {0};
  for (int k = 0; k < 4; k++) *(cg_v8 *)(acc + 8 * k) = z;
}

#endif
