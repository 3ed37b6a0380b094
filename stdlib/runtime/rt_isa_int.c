/* rt_isa_int.c: int64 columns.  Arithmetic wraps, and so is done in uint64. */
#include "stdlib/runtime/rt_isa_columns.h"

static inline int64_t wrap_add(int64_t x, int64_t y) { return (int64_t)((uint64_t)x + (uint64_t)y); }
static inline int64_t wrap_sub(int64_t x, int64_t y) { return (int64_t)((uint64_t)x - (uint64_t)y); }
static inline int64_t wrap_mul(int64_t x, int64_t y) { return (int64_t)((uint64_t)x * (uint64_t)y); }

/* Division by -1 is a negation, since INT64_MIN / -1 traps. */
static inline int64_t floor_div(int64_t x, int64_t y)
{
    if (y == 0)
        return 0;
    if (y == -1)
        return wrap_sub(0, x);
    int64_t q = x / y, r = x % y;
    return q - (r != 0 && (r < 0) != (y < 0));
}

static inline int64_t floor_mod(int64_t x, int64_t y)
{
    if (y == 0 || y == -1)
        return 0;
    int64_t r = x % y;
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

#define X_iadd wrap_add(x, y)
#define X_isub wrap_sub(x, y)
#define X_imul wrap_mul(x, y)
#define X_ifloordiv floor_div(x, y)
#define X_imod floor_mod(x, y)
#define X_imin x < y ? x : y
#define X_imax x > y ? x : y
#define X_and (x != 0) & (y != 0)
#define X_or (x | y) != 0
#define DEFINE_IBIN(E, name, m)                                                                                   \
    void RT_LV(rt_ibin_##name)(int64_t *d, const int64_t *a, int sa, const int64_t *b, int sb, ptrdiff_t n)       \
    {                                                                                                             \
        RT_COLUMNS2(int64_t, int64_t, X_##name);                                                                  \
    }
RT_IBIN_OPS(DEFINE_IBIN)

#define X_eq x == y
#define X_ne x != y
#define X_lt x < y
#define X_le x <= y
#define X_gt x > y
#define X_ge x >= y
#define DEFINE_ICMP(E, name, m)                                                                                   \
    void RT_LV(rt_icmp_##name)(int64_t *d, const int64_t *a, int sa, const int64_t *b, int sb, ptrdiff_t n)       \
    {                                                                                                             \
        RT_COLUMNS2(int64_t, int64_t, (X_##name) ? 1 : 0);                                                        \
    }
RT_CMP_OPS(DEFINE_ICMP)

#define X_ineg wrap_sub(0, x)
#define X_iabs x < 0 ? wrap_sub(0, x) : x
#define X_isign (x > 0) - (x < 0)
#define X_not x == 0
#define DEFINE_IUN(E, name, m) \
    void RT_LV(rt_iun_##name)(int64_t *d, const int64_t *a, ptrdiff_t n) { RT_COLUMNS1(int64_t, X_##name); }
RT_IUN_OPS(DEFINE_IUN)

/* The columns are named for the macro: a is the condition. */
static inline void select_columns(int64_t *d, const int64_t *a, int sa, const int64_t *b, int sb, const int64_t *c, int sc, ptrdiff_t n)
{
    RT_COLUMNS3(int64_t, int64_t, int64_t, x != 0 ? y : z);
}

void RT_LV(rt_k_iselect)(int64_t *d, const int64_t *c, int sc, const int64_t *a, int sa, const int64_t *b, int sb, ptrdiff_t n)
{
    select_columns(d, c, sc, a, sa, b, sb, n);
}

void RT_LV(rt_k_int_to_real)(double *d, const int64_t *a, ptrdiff_t n) { RT_COLUMNS1(int64_t, (double)x); }

static inline int64_t saturating(double x)
{
    int fits = x >= -0x1p63 && x < 0x1p63;
    int64_t v = (int64_t)(fits ? x : 0.0);
    v = x >= 0x1p63 ? INT64_MAX : v;
    return x < -0x1p63 ? INT64_MIN : v;
}

void RT_LV(rt_k_real_to_int)(int64_t *d, const double *a, ptrdiff_t n) { RT_COLUMNS1(double, saturating(x)); }
