/* services.h: the services of abi.h that are not kernels of the runtime alone.  The engine puts them into the table that compiled code
 * gets; objects that are built ahead of time have them inside.  So this header includes nothing but abi.h, IR codes and the runtime. */
#ifndef AIM_CODEGEN_SERVICES_H
#define AIM_CODEGEN_SERVICES_H

#include "codegen/abi.h"
#include "compiler/ir.h"
#include "stdlib/runtime/rt_sample.h"

/* ptr has buckets + 1 cells; list, of n cells, may be NULL, and then ptr keeps the starts. */
static inline void service_inverse(int64_t *ptr, int64_t *list, const int64_t *k, int64_t n, int64_t buckets) {
  for (int64_t b = 0; b <= buckets; b++) ptr[b] = 0;
  for (int64_t e = 0; e < n; e++) if (k[e] >= 0 && k[e] < buckets) ptr[k[e] + 1]++;
  for (int64_t b = 0; b < buckets; b++) ptr[b + 1] += ptr[b];
  if (!list) return;
  for (int64_t e = 0; e < n; e++) list[e] = 0;
  for (int64_t e = 0; e < n; e++) if (k[e] >= 0 && k[e] < buckets) list[ptr[k[e]]++] = e;
}

static inline int64_t service_bits(double x) { return ((cg_cell){.real = x}).integer; }
static inline double service_real(int64_t n) { return ((cg_cell){.integer = n}).real; }

/* code: the ir_code of a draw; parameters and result as bits. */
static inline int64_t service_draw(int64_t code, int64_t site, int64_t key, int64_t index, int64_t a, int64_t b) {
  rt_draw_addr at = {(uint64_t)key, (uint32_t)site, (uint64_t)index};
  switch (code) {
    case IR_UNIFORM_OP: return service_bits(rt_draw_uniform(at));
    case IR_NORMAL_OP: return service_bits(rt_draw_normal(at));
    case IR_EXPONENTIAL_OP: return service_bits(rt_draw_exponential(at));
    case IR_GAMMA_OP: return service_bits(rt_draw_gamma(at, service_real(a)));
    case IR_LOG_GAMMA_OP: return service_bits(rt_draw_log_gamma(at, service_real(a)));
    case IR_POISSON_OP: return rt_draw_poisson(at, service_real(a));
    case IR_BINOMIAL_OP: return rt_draw_binomial(at, a, service_real(b));
    default: return 0;
  }
}

static inline int64_t service_categorical(int64_t site, int64_t key, int64_t index, const double *w, int64_t n) {
  return rt_draw_categorical((rt_draw_addr){(uint64_t)key, (uint32_t)site, (uint64_t)index}, w, n);
}

#endif
