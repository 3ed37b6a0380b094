/* rt_isa_column_major.c: the product of a column-major matrix and a vector.
 *
 * y[i] = S_j A[j ld + i] x[j].  A strip of rows lies in vectors, so a strip's sums need no shuffles: each lane of the canonical sum is a chain over
 * the columns j = lane, lane + 32, ...  The lanes' tree is walked depth first, which keeps at most six partial sums alive where 32 accumulators
 * would not fit into registers. */
#include "stdlib/runtime/rt_isa_tile.h"

enum { RT_STRIP_V = RT_W == 8 ? 4 : 2, RT_STRIP = RT_STRIP_V * RT_W };

typedef struct strip {
    rt_vec v[RT_STRIP_V];
} strip;

/* What a walk reads: the strip's first row of column 0, and n terms. */
typedef struct strip_terms {
    const double *a, *x;
    ptrdiff_t ld, n;
} strip_terms;

/* The chain of one lane, l < n.  A product stands for +0.0 plus itself: they differ for -0.0 alone, and what adds +0.0 to the whole sum mends that. */
RT_INLINE strip strip_32(const strip_terms *t, int l)
{
    strip r;
    const double *a = t->a + l * t->ld;
    for (int v = 0; v < RT_STRIP_V; v++)
        r.v[v] = RT_VEC(a + v * RT_W) * t->x[l];
    for (ptrdiff_t j = l + RT_SUM_LANES; j < t->n; j += RT_SUM_LANES) {
        a += RT_SUM_LANES * t->ld;
        for (int v = 0; v < RT_STRIP_V; v++)
            r.v[v] += RT_VEC(a + v * RT_W) * t->x[j];
    }
    return r;
}

/* The sum of the lanes that are l modulo h; lanes without a column hold +0.0, which adds nothing. */
#define STRIP_HALF(h, half)                                             \
    RT_INLINE strip strip_##h(const strip_terms *t, int l)              \
    {                                                                   \
        strip r = strip_##half(t, l);                                   \
        if (l + h < t->n) {                                             \
            strip s = strip_##half(t, l + h);                           \
            for (int v = 0; v < RT_STRIP_V; v++)                        \
                r.v[v] += s.v[v];                                       \
        }                                                               \
        return r;                                                       \
    }
STRIP_HALF(16, 32)
STRIP_HALF(8, 16)
STRIP_HALF(4, 8)
STRIP_HALF(2, 4)
STRIP_HALF(1, 2)

void RT_LV(rt_k_gemv_columns)(double *y, const double *A, ptrdiff_t ld, const double *x, ptrdiff_t m, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    if (n > 0 && n <= RT_SUM_BLOCK)
        /* The last strip overlaps the one before it, to be full; it computes some rows again. */
        while (m >= RT_STRIP && i < m) {
            i = i + RT_STRIP > m ? m - RT_STRIP : i;
            strip_terms t = {A + i, x, ld, n};
            strip r = strip_1(&t, 0);
            for (int v = 0; v < RT_STRIP_V; v++)
                RT_VEC_AT(y + i + v * RT_W) = r.v[v] + 0.0;
            i += RT_STRIP;
        }
    for (; i < m; i++)
        y[i] = rt_view_dot(A + i, ld, x, 1, n);
}
