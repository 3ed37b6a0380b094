/* rt_isa.h: what the rt_isa_*.c files share.  Each is compiled once per instruction-set level, with RT_ISA the level's name; what it exports carries
 * that name as a suffix, and rt_isa_table.c gathers it into the level's rt_kernels.  Private to these files. */
#ifndef RT_ISA_H
#define RT_ISA_H

#include <stddef.h>
#include <stdint.h>

#include "stdlib/runtime/rt_kernels.h"

#ifndef RT_ISA
#define RT_ISA generic
#endif
#define RT_CAT2(a, b) a##_##b
#define RT_CAT(a, b) RT_CAT2(a, b)
#define RT_LV(name) RT_CAT(name, RT_ISA)

/* On the loop below it: iterations are independent, for a destination is either an input itself or apart from it (rt_kernels.h).  Without it the
 * compiler's overlap test would send d == a to a scalar loop. */
#if defined(__clang__)
/* Clang warns where it then does not vectorise after all, as for integer division. */
#pragma clang diagnostic ignored "-Wpass-failed"
#define RT_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define RT_INDEPENDENT _Pragma("GCC ivdep")
#else
#define RT_INDEPENDENT
#endif

#define RT_DECLARE_UN(E, name, m) rt_un_fn RT_LV(rt_un_##name);
#define RT_DECLARE_BIN(E, name, m) rt_bin_fn RT_LV(rt_bin_##name);
#define RT_DECLARE_SPECIAL(E, name, m) rt_special_fn RT_LV(rt_special_##name);
#define RT_DECLARE_CMP(E, name, m) rt_cmp_fn RT_LV(rt_cmp_##name); rt_ibin_fn RT_LV(rt_icmp_##name);
#define RT_DECLARE_IUN(E, name, m) rt_iun_fn RT_LV(rt_iun_##name);
#define RT_DECLARE_IBIN(E, name, m) rt_ibin_fn RT_LV(rt_ibin_##name);
RT_UN_OPS(RT_DECLARE_UN)
RT_BIN_OPS(RT_DECLARE_BIN)
RT_SPECIAL_OPS(RT_DECLARE_SPECIAL)
RT_CMP_OPS(RT_DECLARE_CMP)
RT_IUN_OPS(RT_DECLARE_IUN)
RT_IBIN_OPS(RT_DECLARE_IBIN)

/* rt_isa_real.c */
void RT_LV(rt_k_fma)(double *d, const double *a, int sa, const double *b, int sb, const double *c, int sc, ptrdiff_t n);
void RT_LV(rt_k_select)(double *d, const int64_t *c, int sc, const double *a, int sa, const double *b, int sb, ptrdiff_t n);
/* rt_isa_int.c */
void RT_LV(rt_k_iselect)(int64_t *d, const int64_t *c, int sc, const int64_t *a, int sa, const int64_t *b, int sb, ptrdiff_t n);
void RT_LV(rt_k_int_to_real)(double *d, const int64_t *a, ptrdiff_t n);
void RT_LV(rt_k_real_to_int)(int64_t *d, const double *a, ptrdiff_t n);
/* rt_isa_move.c */
void RT_LV(rt_k_copy)(double *d, const double *a, ptrdiff_t n);
void RT_LV(rt_k_fill)(double *d, double v, ptrdiff_t n);
void RT_LV(rt_k_ifill)(int64_t *d, int64_t v, ptrdiff_t n);
void RT_LV(rt_k_iota)(int64_t *d, int64_t first, int64_t step, ptrdiff_t n);
void RT_LV(rt_k_gather)(double *d, const double *base, const int64_t *idx, ptrdiff_t n);
void RT_LV(rt_k_igather)(int64_t *d, const int64_t *base, const int64_t *idx, ptrdiff_t n);
void RT_LV(rt_k_load_strided)(double *d, const double *base, ptrdiff_t stride, ptrdiff_t n);
void RT_LV(rt_k_iload_strided)(int64_t *d, const int64_t *base, ptrdiff_t stride, ptrdiff_t n);
void RT_LV(rt_k_store_strided)(double *base, ptrdiff_t stride, const double *a, int sa, ptrdiff_t n);
void RT_LV(rt_k_add_strided)(double *base, ptrdiff_t stride, const double *a, int sa, ptrdiff_t n);
void RT_LV(rt_k_scatter)(double *base, const int64_t *idx, const double *a, int sa, ptrdiff_t n);
void RT_LV(rt_k_scatter_add)(double *base, const int64_t *idx, const double *a, int sa, ptrdiff_t n);
/* rt_isa_sum.c */
double RT_LV(rt_k_sum)(const double *e, ptrdiff_t n);
void RT_LV(rt_k_sum_push)(rt_summer *s, const double *e, ptrdiff_t n);
double RT_LV(rt_k_dot)(const double *a, int sa, const double *b, int sb, ptrdiff_t n);
void RT_LV(rt_k_sum_push_columns)(rt_summer *s, const double *a, int sa, const double *B, ptrdiff_t ld, ptrdiff_t count, ptrdiff_t n);
/* rt_isa_column_major.c */
void RT_LV(rt_k_gemv_columns)(double *y, const double *A, ptrdiff_t ld, const double *x, ptrdiff_t m, ptrdiff_t n);
/* rt_isa_matrix.c */
void RT_LV(rt_k_gemv)(double *y, const double *A, const double *x, ptrdiff_t m, ptrdiff_t n, int trans);
void RT_LV(rt_k_ger)(double *A, double alpha, const double *x, const double *y, ptrdiff_t m, ptrdiff_t n);
void RT_LV(rt_k_transpose)(double *D, const double *A, ptrdiff_t m, ptrdiff_t n);
/* rt_isa_gemm.c */
void RT_LV(rt_k_gemm)(double *C, const double *A, const double *B, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, int ta, int tb);
/* rt_isa_cholesky.c */
int RT_LV(rt_k_cholesky)(double *L, const double *A, ptrdiff_t n);
void RT_LV(rt_k_solve_lower)(double *X, const double *L, const double *B, ptrdiff_t n, ptrdiff_t m, int trans);
void RT_LV(rt_k_cholesky_adjoint)(double *Abar, const double *L, const double *Lbar, ptrdiff_t n);
/* rt_isa_qr.c */
void RT_LV(rt_k_qr_rows)(double *R, const double *A, ptrdiff_t m, ptrdiff_t p, double *scratch);
/* rt_isa_special.c */
void RT_LV(rt_k_special_of_law)(double *d, ptrdiff_t ld, const int64_t *op, ptrdiff_t count, const double *a, int sa, const double *b, int sb, const double *c, int sc, ptrdiff_t n);
/* rt_isa_choose.c */
int RT_LV(rt_k_choose)(int64_t *value, double *lw, ptrdiff_t n, const rt_choices *c);

#endif
