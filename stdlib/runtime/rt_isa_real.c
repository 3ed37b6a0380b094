/* rt_isa_real.c: real columns of two and three operands, and real comparisons. */
#include "stdlib/runtime/rt_isa_columns.h"
#include "stdlib/runtime/rt_math.h"

#define X_add x + y
#define X_sub x - y
#define X_mul x * y
#define X_div x / y
#define X_pow rt_pow(x, y)
#define X_min rt_min(x, y)
#define X_max rt_max(x, y)
#define X_atan2 rt_atan2(x, y)
#define DEFINE_BIN(E, name, m)                                                                                    \
    void RT_LV(rt_bin_##name)(double *d, const double *a, int sa, const double *b, int sb, ptrdiff_t n)           \
    {                                                                                                             \
        RT_COLUMNS2(double, double, X_##name);                                                                    \
    }
RT_BIN_OPS(DEFINE_BIN)

#define X_eq x == y
#define X_ne x != y
#define X_lt x < y
#define X_le x <= y
#define X_gt x > y
#define X_ge x >= y
#define DEFINE_CMP(E, name, m)                                                                                    \
    void RT_LV(rt_cmp_##name)(int64_t *d, const double *a, int sa, const double *b, int sb, ptrdiff_t n)          \
    {                                                                                                             \
        RT_COLUMNS2(double, double, (X_##name) ? 1 : 0);                                                          \
    }
RT_CMP_OPS(DEFINE_CMP)

void RT_LV(rt_k_fma)(double *d, const double *a, int sa, const double *b, int sb, const double *c, int sc, ptrdiff_t n)
{
    RT_COLUMNS3(double, double, double, rt_fma(x, y, z));
}

/* The columns are named for the macro: a is the condition. */
static inline void select_columns(double *d, const int64_t *a, int sa, const double *b, int sb, const double *c, int sc, ptrdiff_t n)
{
    RT_COLUMNS3(int64_t, double, double, x != 0 ? y : z);
}

void RT_LV(rt_k_select)(double *d, const int64_t *c, int sc, const double *a, int sa, const double *b, int sb, ptrdiff_t n)
{
    select_columns(d, c, sc, a, sa, b, sb, n);
}
