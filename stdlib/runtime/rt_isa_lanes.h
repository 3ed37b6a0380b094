/* rt_isa_lanes.h: the 32 lanes of a canonical sum (rt_sum.h) as vectors, within one block of RT_SUM_BLOCK terms.
 *
 * Eight doubles are one vector in every build; the compiler splits it where the level's registers are narrower, which changes no rounding.  Products
 * are rounded before they are added: there is no fma in a canonical sum. */
#ifndef RT_ISA_LANES_H
#define RT_ISA_LANES_H

#include "stdlib/runtime/rt_isa.h"

typedef double rt_v8 __attribute__((vector_size(64), aligned(8), may_alias));

#define RT_V8(p) (*(const rt_v8 *)(p))
#define RT_V8_AT(p) (*(rt_v8 *)(p))

/* Lanes above `used` hold nothing; adding their +0.0 would change nothing, so halving starts at the least power of two that covers the used ones. */
static inline double rt_lanes_halve(double *acc, ptrdiff_t used)
{
    if (used > 16) {
        RT_V8_AT(acc) += RT_V8(acc + 16);
        RT_V8_AT(acc + 8) += RT_V8(acc + 24);
    }
    if (used > 8)
        RT_V8_AT(acc) += RT_V8(acc + 8);
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
        rt_v8 a0 = RT_V8(acc), a1 = RT_V8(acc + 8), a2 = RT_V8(acc + 16), a3 = RT_V8(acc + 24);
        for (; i + RT_SUM_LANES <= n; i += RT_SUM_LANES) {
            a0 += RT_V8(e + i);
            a1 += RT_V8(e + i + 8);
            a2 += RT_V8(e + i + 16);
            a3 += RT_V8(e + i + 24);
        }
        RT_V8_AT(acc) = a0;
        RT_V8_AT(acc + 8) = a1;
        RT_V8_AT(acc + 16) = a2;
        RT_V8_AT(acc + 24) = a3;
    }
    for (ptrdiff_t l = 0; i + l < n; l++)
        acc[l] += e[i + l];
}

/* The same with terms a[i] b[i]. */
static inline void rt_lanes_add_products(double *acc, const double *a, const double *b, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    if (n >= RT_SUM_LANES) {
        rt_v8 a0 = RT_V8(acc), a1 = RT_V8(acc + 8), a2 = RT_V8(acc + 16), a3 = RT_V8(acc + 24);
        for (; i + RT_SUM_LANES <= n; i += RT_SUM_LANES) {
            a0 += RT_V8(a + i) * RT_V8(b + i);
            a1 += RT_V8(a + i + 8) * RT_V8(b + i + 8);
            a2 += RT_V8(a + i + 16) * RT_V8(b + i + 16);
            a3 += RT_V8(a + i + 24) * RT_V8(b + i + 24);
        }
        RT_V8_AT(acc) = a0;
        RT_V8_AT(acc + 8) = a1;
        RT_V8_AT(acc + 16) = a2;
        RT_V8_AT(acc + 24) = a3;
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
