/* kernel_inputs.h: what tests of kernels share: random numbers, comparison to the bit, and a sum as its header defines it.  Random numbers come from
 * one stream, so the order of tests is part of them.  Included behind cmocka.h. */
#ifndef AIM_TESTS_KERNEL_INPUTS_H
#define AIM_TESTS_KERNEL_INPUTS_H

#include "stdlib/runtime/rt_kernels.h"

#include <stdlib.h>
#include <string.h>

static uint64_t state = 0x9E3779B97F4A7C15u;

static inline uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545F4914F6CDD1Du;
}

static inline double uniform(void) { return (double)(next() >> 11) * 0x1p-53; }

/* Numbers in [-2, 2). */
static inline void fill_matrix(double *m, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        m[i] = (uniform() - 0.5) * 4.0;
}

static inline int same(double a, double b)
{
    return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0;
}

static inline void assert_same(const double *a, const double *b, ptrdiff_t n, const char *what)
{
    for (ptrdiff_t i = 0; i < n; i++)
        if (!same(a[i], b[i]))
            fail_msg("%s: element %td is %a and %a", what, i, a[i], b[i]);
}

/* The definition in rt_sum.h, literally, with scratch for the blocks' sums. */
static inline double sum_by_definition(const double *e, ptrdiff_t n)
{
    if (n > RT_SUM_BLOCK) {
        ptrdiff_t m = (n + RT_SUM_BLOCK - 1) / RT_SUM_BLOCK;
        double *sums = malloc((size_t)m * sizeof *sums);
        for (ptrdiff_t i = 0; i < m; i++)
            sums[i] = sum_by_definition(e + i * RT_SUM_BLOCK, i + 1 < m ? RT_SUM_BLOCK : n - i * RT_SUM_BLOCK);
        double r = sum_by_definition(sums, m);
        free(sums);
        return r;
    }
    double acc[32] = {0};
    for (ptrdiff_t i = 0; i < n; i++)
        acc[i % 32] += e[i];
    for (int h = 16; h > 0; h /= 2)
        for (int l = 0; l < h; l++)
            acc[l] += acc[l + h];
    return acc[0];
}

#endif
