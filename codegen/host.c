/* host.c: the services of abi.h for the engine: kernels of the runtime behind signatures that pass everything as 64 bits. */
#include "codegen/host.h"

#include "codegen/services.h"
#include "stdlib/runtime/rt_kernels.h"

static void host_cholesky(const rt_kernels *k, double *d, const double *a, int64_t n) {
  if (k->cholesky(d, a, n)) k->fill(d, __builtin_nan(""), n * n);
}

#define SERVICES(v)                                                                                                                  \
  static double dot_##v(const double *a, const double *b, int64_t n) { return rt_kernels_##v.dot(a, 1, b, 1, n); }                   \
  static void gemv_##v(double *d, const double *a, const double *x, int64_t m, int64_t n, int64_t t) {                              \
    rt_kernels_##v.gemv(d, a, x, m, n, (int)t);                                                                                      \
  }                                                                                                                                  \
  static void gemv_columns_##v(double *d, const double *a, int64_t ld, const double *x, int64_t m, int64_t n) {                      \
    rt_kernels_##v.gemv_columns(d, a, ld, x, m, n);                                                                                 \
  }                                                                                                                                  \
  static void gemm_##v(double *d, const double *a, const double *b, int64_t m, int64_t n, int64_t k, int64_t ta, int64_t tb) {      \
    rt_kernels_##v.gemm(d, a, b, m, n, k, (int)ta, (int)tb);                                                                         \
  }                                                                                                                                  \
  static void cholesky_##v(double *d, const double *a, int64_t n) { host_cholesky(&rt_kernels_##v, d, a, n); }                       \
  static void chol_adj_##v(double *d, const double *l, const double *b, int64_t n) { rt_kernels_##v.cholesky_adjoint(d, l, b, n); }  \
  static void trisolve_##v(double *d, const double *l, const double *b, int64_t n, int64_t m, int64_t t) {                          \
    rt_kernels_##v.solve_lower(d, l, b, n, m, (int)t);                                                                               \
  }                                                                                                                                  \
  static void qr_r_##v(double *d, const double *r, const double *b, int64_t m, int64_t n, double *scratch) {                         \
    rt_kernels_##v.copy(d, r, n * n);                                                                                                \
    rt_kernels_##v.qr_rows(d, b, m, n, scratch);                                                                                     \
  }                                                                                                                                  \
  static const cg_host host_##v = {dot_##v, gemv_##v, gemv_columns_##v, gemm_##v, cholesky_##v, chol_adj_##v, trisolve_##v, qr_r_##v, service_inverse, service_draw, service_categorical};
SERVICES(v2)
SERVICES(v3)
SERVICES(v4)

const cg_host *cg_host_for(int level) { return level >= 4 ? &host_v4 : level == 3 ? &host_v3 : &host_v2; }
