/* kernel_inputs.h: what tests of kernels share: random matrices, comparison to the bit, and a sum as its header defines it.  Included behind
 * cmocka.h. */
#ifndef AIM_TESTS_KERNEL_INPUTS_H
#define AIM_TESTS_KERNEL_INPUTS_H

#include "stdlib/runtime/rt_kernels.h"
#include "tests/unit/random_stream.h"

#include <stdlib.h>
#include <string.h>

/* Numbers in (-2, 2). */
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
