/* rt_invert.h: draws by inversion, of random bits: what one draw (rt_sample.c), columns of them (rt_isa_draw.c) and compiled loops have in common. */
#ifndef RT_INVERT_H
#define RT_INVERT_H

#include "stdlib/runtime/rt_math.h"

/* A tail probability p in (0, 1/2] and the side it is on.  63 bits of w and, below them, those of more, give p full precision however small. */
typedef struct rt_tail {
    double p;
    int upper;
} rt_tail;

static inline rt_tail rt_tail_of(uint64_t w, uint64_t more)
{
    double p = (double)(int64_t)(w >> 1) * 0x1p-64 + ((double)(int64_t)(more >> 1) + 0.5) * 0x1p-127;
    return (rt_tail){p, (int)(w & 1)};
}

static inline double rt_normal_of(rt_tail t)
{
    double z = rt_inv_phi(t.p);
    return t.upper ? -z : z;
}

static inline double rt_exponential_of(rt_tail t)
{
    return t.upper ? -rt_log(t.p) : -rt_log1p(-t.p);
}

#endif
