/* abi.h: what compiled code and its host agree on.  Included by both sides: the host compiles it as C, and codegen/support.c,
 * which becomes bitcode inside every compiled object, and codegen/services.c as well.
 *
 * A compiled function takes one cg_ctx and returns 0, or 1 when an index was out of range.  It reads and writes nothing but what
 * hangs off the context; the only calls that leave the object go through `host`. */
#ifndef AIM_CODEGEN_ABI_H
#define AIM_CODEGEN_ABI_H

#include <stdint.h>

#include "codegen/sums.h"
#include "stdlib/runtime/rt_kernels.h"

/* Raised when the layout of these structs or the meaning of the description that an object carries changes. */
enum { CG_ABI = 5 };

typedef union cg_cell {
  double real;
  int64_t integer;
} cg_cell;

typedef struct cg_host cg_host;

typedef struct cg_ctx {
  const int64_t *size;      /* numbers of the sizes that the object names */
  cg_cell *const *slot;     /* memory for arrays */
  const cg_cell *const *in; /* the parameters, in order, data and frame among them */
  cg_cell *const *out;
  const cg_host *host;
  int64_t guards, guard_where;     /* failures; the first one's operation, valid when guards > 0 */
  int64_t where, index, extent;    /* of the failing bound */
} cg_ctx;

typedef int64_t cg_fn(cg_ctx *c);

/* Services of the host: X(result, name, parameters).  What is no loop of the model's own is compiled once, with the host, and not in
 * every object.  A service reads and writes nothing but its arguments and what they point to, so that one without pointers is pure. */
#define CG_SERVICES(X) CG_PLAIN_SERVICES(X) CG_MATH_SERVICES(X)
#define CG_PLAIN_SERVICES(X) CG_DENSE_SERVICES(X) CG_DRAW_SERVICES(X) CG_CHECK_SERVICES(X) CG_SUM_SERVICES(X) CG_COLUMN_SERVICES(X) CG_LAW_SERVICES(X)

#define CG_DENSE_SERVICES(X)                                                                                                    \
  X(double, dot, (const double *a, const double *b, int64_t n))                                                                 \
  X(void, gemv, (double *d, const double *a, const double *x, int64_t m, int64_t n, int64_t trans))                             \
  /* d [m] = A x of a column-major matrix whose n columns are ld cells apart. */                                                \
  X(void, gemv_columns, (double *d, const double *a, int64_t ld, const double *x, int64_t m, int64_t n))                        \
  X(void, gemm, (double *d, const double *a, const double *b, int64_t m, int64_t n, int64_t k, int64_t ta, int64_t tb))         \
  /* NaN everywhere when there is no factor. */                                                                                 \
  X(void, cholesky, (double *d, const double *a, int64_t n))                                                                    \
  X(void, chol_adj, (double *d, const double *l, const double *lbar, int64_t n))                                                \
  X(void, trisolve, (double *d, const double *l, const double *b, int64_t n, int64_t m, int64_t trans))                         \
  /* d = the triangular factor of the rows of r (n by n) and of b (m by n); scratch as RT_QR_SCRATCH says. */                   \
  X(void, qr_r, (double *d, const double *r, const double *b, int64_t m, int64_t n, double *scratch))                           \
  /* ptr has buckets + 1 cells; list, of n cells, may be NULL, and then ptr keeps the starts. */                                \
  X(void, inverse, (int64_t *ptr, int64_t *list, const int64_t *k, int64_t n, int64_t buckets))

#define CG_DRAW_SERVICES(X)                                                                                                     \
  /* code: the ir_code of a draw; parameters and result as bits. */                                                             \
  X(int64_t, draw, (int64_t code, int64_t site, int64_t key, int64_t index, int64_t a, int64_t b))                              \
  X(int64_t, categorical, (int64_t site, int64_t key, int64_t index, const double *w, int64_t n))                               \
  X(int64_t, fold_key, (int64_t key, int64_t n))

/* n failures of the guard `where`; a failed bound. */
#define CG_CHECK_SERVICES(X)                                                                                                    \
  X(void, guard, (cg_ctx *c, int64_t n, int64_t where))                                                                         \
  X(void, bound, (cg_ctx *c, int64_t where, int64_t index, int64_t extent))

/* Canonical sums in progress: of blocks of 4096 terms (sums.h), n at a time; of terms that come in runs of any length; of arrays of w
 * cells, three counts and then levels of `lanes` rows. */
#define CG_SUM_SERVICES(X)                                                                                                      \
  X(void, blocks_start, (cg_blocks *s, int64_t n))                                                                              \
  X(void, blocks_push, (cg_blocks *s, const double *acc, int64_t n))                                                            \
  X(double, blocks_value, (const cg_blocks *s))                                                                                 \
  X(void, blocks_values, (double *d, const double *acc, const cg_blocks *s, int64_t n, int64_t many))                           \
  X(void, lanes_values, (double *d, const double *acc, int64_t n))                                                              \
  X(void, columns_add, (double *acc, const double *r, const double *a, int64_t ld, int64_t count, int64_t n))                   \
  X(void, sum_start, (cg_sum *s))                                                                                               \
  X(void, sum_push, (cg_sum *s, const double *e, int64_t n))                                                                    \
  X(double, sum_value, (cg_sum *s))                                                                                             \
  X(void, csum_start, (int64_t *s, int64_t w, int64_t lanes))                                                                   \
  X(void, csum_push, (int64_t *s, const double *v, int64_t w, int64_t lanes))                                                   \
  X(void, csum_value, (double *d, int64_t *s, int64_t w, int64_t lanes))

/* Cells, and what else becomes of a column. */
#define CG_COLUMN_SERVICES(X)                                                                                                   \
  X(void, copy, (int64_t *d, const int64_t *a, int64_t n))                                                                      \
  X(void, fill, (int64_t *d, int64_t v, int64_t n))                                                                             \
  X(double, fold_max, (double m, const double *v, int64_t n))                                                                   \
  X(double, fold_min, (double m, const double *v, int64_t n))                                                                   \
  X(int64_t, fold_isum, (int64_t m, const int64_t *v, int64_t n))                                                               \
  X(int64_t, fold_imax, (int64_t m, const int64_t *v, int64_t n))                                                               \
  X(int64_t, fold_imin, (int64_t m, const int64_t *v, int64_t n))                                                               \
  X(void, scatter_add, (double *d, const int64_t *at, const double *v, int64_t n))                                              \
  X(void, iscatter_add, (int64_t *d, const int64_t *at, const int64_t *v, int64_t n))

/* Columns d + k ld of the special functions op[k] of one law at the same operands (rt_kernels.h). */
#define CG_LAW_SERVICES(X)                                                                                                      \
  X(void, special_of_law, (double *d, int64_t ld, const int64_t *op, int64_t count, const double *a, int64_t sa,                \
                           const double *b, int64_t sb, const double *c, int64_t sc, int64_t n))

/* Of one element.  On lanes support.c's stand inline.  The host's are called by a convention in which xmm6 to xmm15 survive: what a scan
 * has in registers stays there, and the compiler need not look for places to keep it. */
#ifdef CG_AHEAD
#define CG_MATH_CALL
#else
#define CG_MATH_CALL __attribute__((ms_abi))
#endif
#define CG_MATH_SERVICES(X) CG_MATH1(CG_MATH1_SERVICE, X) X(double, pow, (double a, double b)) X(double, atan2, (double a, double b))
#define CG_MATH1(Y, X)                                                                                                          \
  Y(X, exp) Y(X, log) Y(X, log1p) Y(X, expm1) Y(X, sin) Y(X, cos) Y(X, tan) Y(X, asin) Y(X, acos) Y(X, atan) Y(X, sinh)         \
  Y(X, cosh) Y(X, tanh) Y(X, erf) Y(X, erfc) Y(X, lgamma) Y(X, digamma) Y(X, trigamma) Y(X, log1p_exp) Y(X, inv_logit)          \
  Y(X, phi) Y(X, log_phi) Y(X, inv_phi)
#define CG_MATH1_SERVICE(X, name) X(double, name, (double a))

struct cg_host {
#define X(result, name, parameters) result(*name) parameters;
  CG_PLAIN_SERVICES(X)
#undef X
#define X(result, name, parameters) result(CG_MATH_CALL *name) parameters;
  CG_MATH_SERVICES(X)
#undef X
  rt_special_fn *special[RT_SPECIAL_COUNT]; /* columns */
};

#endif
