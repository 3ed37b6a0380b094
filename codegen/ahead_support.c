/* ahead_support.c: what an object that is built ahead of time has inside where the engine calls out: the services of abi.h under the
 * names that emit.c calls them by, and arithmetic of extents that says when it overflows.
 *
 * Compiled to bitcode once for each level and linked with the runtime's own files; what a model does not use is dropped. */
#include "codegen/abi.h"
#include "codegen/services.h"
#include "stdlib/runtime/rt_isa.h"
#include "stdlib/runtime/rt_philox.h"

#define CG __attribute__((always_inline))

/* ---- services, with the signatures of cg_host */

double cg_host_dot(const double *a, const double *b, int64_t n) { return RT_LV(rt_k_dot)(a, 1, b, 1, n); }
void cg_host_gemv(double *d, const double *a, const double *x, int64_t m, int64_t n, int64_t trans) {
  RT_LV(rt_k_gemv)(d, a, x, m, n, (int)trans);
}
void cg_host_gemv_columns(double *d, const double *a, int64_t ld, const double *x, int64_t m, int64_t n) {
  RT_LV(rt_k_gemv_columns)(d, a, ld, x, m, n);
}
void cg_host_gemm(double *d, const double *a, const double *b, int64_t m, int64_t n, int64_t k, int64_t ta, int64_t tb) {
  RT_LV(rt_k_gemm)(d, a, b, m, n, k, (int)ta, (int)tb);
}
void cg_host_cholesky(double *d, const double *a, int64_t n) {
  if (RT_LV(rt_k_cholesky)(d, a, n)) RT_LV(rt_k_fill)(d, __builtin_nan(""), n * n);
}
void cg_host_chol_adj(double *d, const double *l, const double *lbar, int64_t n) { RT_LV(rt_k_cholesky_adjoint)(d, l, lbar, n); }
void cg_host_trisolve(double *d, const double *l, const double *b, int64_t n, int64_t m, int64_t trans) {
  RT_LV(rt_k_solve_lower)(d, l, b, n, m, (int)trans);
}
void cg_host_qr_r(double *d, const double *r, const double *b, int64_t m, int64_t n, double *scratch) {
  RT_LV(rt_k_copy)(d, r, n * n);
  RT_LV(rt_k_qr_rows)(d, b, m, n, scratch);
}
void cg_host_inverse(int64_t *ptr, int64_t *list, const int64_t *k, int64_t n, int64_t buckets) { service_inverse(ptr, list, k, n, buckets); }
int64_t cg_host_draw(int64_t code, int64_t site, int64_t key, int64_t index, int64_t a, int64_t b) {
  return service_draw(code, site, key, index, a, b);
}
int64_t cg_host_categorical(int64_t site, int64_t key, int64_t index, const double *w, int64_t n) {
  return service_categorical(site, key, index, w, n);
}

/* ---- extents: INT64_MIN is one that does not fit, and stays so */

CG int64_t ahead_add(int64_t a, int64_t b) {
  int64_t r;
  return a == INT64_MIN || b == INT64_MIN || __builtin_add_overflow(a, b, &r) ? INT64_MIN : r;
}
CG int64_t ahead_mul(int64_t a, int64_t b) {
  int64_t r;
  return a == INT64_MIN || b == INT64_MIN || __builtin_mul_overflow(a, b, &r) ? INT64_MIN : r;
}
/* Cells of memory after an array of `cells` that begins at `at`: whole lines of 8, and never none, as a failed check may read the
 * first cell.  An array of a negative number of cells does not fit. */
CG int64_t ahead_after(int64_t at, int64_t cells) {
  if (at < 0 || cells < 0 || cells > INT64_MAX / 64 || at > INT64_MAX / 64) return INT64_MIN;
  return at + (cells + 8) / 8 * 8;
}

/* ---- data: every element of an index counts from 1 to `most` */

int64_t ahead_indices(const int64_t *x, int64_t n, int64_t most) {
  int64_t inside = 1;
  for (int64_t k = 0; k < n; k++) inside &= x[k] >= 1 && x[k] <= most;
  return inside;
}

/* The key of draw number `draw` of a chain for what `purpose` names: as the drivers of vm/ make it. */
int64_t ahead_key(int64_t seed, int64_t chain, int64_t purpose, int64_t draw) {
  uint64_t key = rt_key_fold((uint64_t)seed, (uint64_t)chain);
  return (int64_t)rt_key_fold(rt_key_fold(key, (uint64_t)purpose), (uint64_t)draw);
}
