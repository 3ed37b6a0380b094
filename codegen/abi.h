/* abi.h: what compiled code and its host agree on.  Included by both sides: the host compiles it as C, and codegen/support.c,
 * which becomes bitcode inside every compiled object, as well.
 *
 * A compiled function takes one cg_ctx and returns 0, or 1 when an index was out of range.  It reads and writes nothing but what
 * hangs off the context; the only calls that leave the object go through `host`. */
#ifndef AIM_CODEGEN_ABI_H
#define AIM_CODEGEN_ABI_H

#include <stdint.h>

/* Raised when the layout of these structs or the meaning of the description that an object carries changes. */
enum { CG_ABI = 3 };

typedef union cg_cell {
  double real;
  int64_t integer;
} cg_cell;

/* Services with loops too large to be in every object.  All pure but for what they write to d. */
typedef struct cg_host {
  double (*dot)(const double *a, const double *b, int64_t n);
  void (*gemv)(double *d, const double *a, const double *x, int64_t m, int64_t n, int64_t trans);
  /* d [m] = A x of a column-major matrix whose n columns are ld cells apart. */
  void (*gemv_columns)(double *d, const double *a, int64_t ld, const double *x, int64_t m, int64_t n);
  void (*gemm)(double *d, const double *a, const double *b, int64_t m, int64_t n, int64_t k, int64_t ta, int64_t tb);
  void (*cholesky)(double *d, const double *a, int64_t n); /* NaN everywhere when there is no factor */
  void (*chol_adj)(double *d, const double *l, const double *lbar, int64_t n);
  void (*trisolve)(double *d, const double *l, const double *b, int64_t n, int64_t m, int64_t trans);
  /* d = the triangular factor of the rows of r (n by n) and of b (m by n); scratch as RT_QR_SCRATCH says. */
  void (*qr_r)(double *d, const double *r, const double *b, int64_t m, int64_t n, double *scratch);
  /* ptr has buckets + 1 cells; list, of n cells, may be NULL, and then ptr keeps the starts. */
  void (*inverse)(int64_t *ptr, int64_t *list, const int64_t *k, int64_t n, int64_t buckets);
  /* code: the ir_code of a draw; parameters and result as bits. */
  int64_t (*draw)(int64_t code, int64_t site, int64_t key, int64_t index, int64_t a, int64_t b);
  int64_t (*categorical)(int64_t site, int64_t key, int64_t index, const double *w, int64_t n);
} cg_host;

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

#endif
