/* rt_extreme.h: the largest and the least of a run of numbers.
 *
 * What is meant is the fold m = rt_max(m, v[l]) in the order of l.  Taken in eight strands it gives the same but where the extreme is a zero, whose
 * sign is that of the last one in order; then the fold runs as it is written. */
#ifndef RT_EXTREME_H
#define RT_EXTREME_H

#include <stdint.h>

#include "stdlib/runtime/rt_math.h"

#define RT_EXTREME(fold, op)                                                              \
    static inline double fold##_in_order(double m, const double *v, int64_t n)            \
    {                                                                                     \
        for (int64_t l = 0; l < n; l++) m = op(m, v[l]);                                  \
        return m;                                                                         \
    }                                                                                     \
    static inline double fold(double m, const double *v, int64_t n)                       \
    {                                                                                     \
        double s[8];                                                                      \
        int64_t l = 8;                                                                    \
        if (n < 16) return fold##_in_order(m, v, n);                                      \
        for (int k = 0; k < 8; k++) s[k] = v[k];                                          \
        for (; l + 8 <= n; l += 8)                                                        \
            for (int k = 0; k < 8; k++) s[k] = op(s[k], v[l + k]);                        \
        double r = fold##_in_order(fold##_in_order(m, s, 8), v + l, n - l);               \
        return r == 0.0 ? fold##_in_order(m, v, n) : r;                                   \
    }
RT_EXTREME(rt_fold_max, rt_max)
RT_EXTREME(rt_fold_min, rt_min)
#undef RT_EXTREME

#endif
