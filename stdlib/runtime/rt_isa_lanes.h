/* rt_isa_lanes.h: the 32 lanes of a canonical sum (rt_sum.h) as vectors, within one block of RT_SUM_BLOCK terms.
 *
 * Vectors are as wide as the level's registers, and the lanes so many of them; the width changes no rounding.  Products are rounded before they are
 * added: there is no fma in a canonical sum. */
#ifndef RT_ISA_LANES_H
#define RT_ISA_LANES_H

#include "stdlib/runtime/rt_isa.h"

#if defined(__AVX512F__)
enum { RT_W = 8 };
typedef double rt_vec __attribute__((vector_size(64), aligned(8), may_alias));
#elif defined(__AVX2__)
enum { RT_W = 4 };
typedef double rt_vec __attribute__((vector_size(32), aligned(8), may_alias));
#else
enum { RT_W = 2 };
typedef double rt_vec __attribute__((vector_size(16), aligned(8), may_alias));
#endif
enum { RT_NV = RT_SUM_LANES / RT_W };

#define RT_VEC(p) (*(const rt_vec *)(p))
#define RT_VEC_AT(p) (*(rt_vec *)(p))

/* Lanes above `used` hold nothing; adding their +0.0 would change nothing, so halving starts at the least power of two that covers the used ones. */
static inline double rt_lanes_halve(double *acc, ptrdiff_t used)
{
    if (used > 16)
        for (int l = 0; l < 16; l += RT_W)
            RT_VEC_AT(acc + l) += RT_VEC(acc + l + 16);
    if (used > 8)
        for (int l = 0; l < 8; l += RT_W)
            RT_VEC_AT(acc + l) += RT_VEC(acc + l + 8);
    if (used > 4)
        for (int l = 0; l < 4; l++)
            acc[l] += acc[l + 4];
    if (used > 2)
        for (int l = 0; l < 2; l++)
            acc[l] += acc[l + 2];
    return used > 1 ? acc[0] + acc[1] : acc[0];
}

static inline void rt_lanes_clear(double *acc)
{
    for (int l = 0; l < RT_SUM_LANES; l++)
        acc[l] = 0.0;
}

/* acc[l] += e[l + 32 k] over n terms, beginning with lane 0. */
static inline void rt_lanes_add(double *acc, const double *e, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    if (n >= RT_SUM_LANES) {
        rt_vec t[RT_NV];
        for (int v = 0; v < RT_NV; v++)
            t[v] = RT_VEC(acc + v * RT_W);
        for (; i + RT_SUM_LANES <= n; i += RT_SUM_LANES)
            for (int v = 0; v < RT_NV; v++)
                t[v] += RT_VEC(e + i + v * RT_W);
        for (int v = 0; v < RT_NV; v++)
            RT_VEC_AT(acc + v * RT_W) = t[v];
    }
    for (ptrdiff_t l = 0; i + l < n; l++)
        acc[l] += e[i + l];
}

/* The same with terms a[i] b[i]. */
static inline void rt_lanes_add_products(double *acc, const double *a, const double *b, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    if (n >= RT_SUM_LANES) {
        rt_vec t[RT_NV];
        for (int v = 0; v < RT_NV; v++)
            t[v] = RT_VEC(acc + v * RT_W);
        for (; i + RT_SUM_LANES <= n; i += RT_SUM_LANES)
            for (int v = 0; v < RT_NV; v++)
                t[v] += RT_VEC(a + i + v * RT_W) * RT_VEC(b + i + v * RT_W);
        for (int v = 0; v < RT_NV; v++)
            RT_VEC_AT(acc + v * RT_W) = t[v];
    }
    for (ptrdiff_t l = 0; i + l < n; l++)
        acc[l] += a[i + l] * b[i + l];
}

/* S of one block, n <= RT_SUM_BLOCK. */
static inline double rt_block_sum(const double *e, ptrdiff_t n)
{
    double acc[RT_SUM_LANES];
    rt_lanes_clear(acc);
    rt_lanes_add(acc, e, n);
    return rt_lanes_halve(acc, n);
}

static inline double rt_block_dot(const double *a, const double *b, ptrdiff_t n)
{
    double acc[RT_SUM_LANES];
    rt_lanes_clear(acc);
    rt_lanes_add_products(acc, a, b, n);
    return rt_lanes_halve(acc, n);
}

#endif
