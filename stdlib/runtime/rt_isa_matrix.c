/* rt_isa_matrix.c: matrix-vector products, outer products and transposes. */
#include "stdlib/runtime/rt_isa_block.h"
#include "stdlib/runtime/rt_isa_tile.h"

/* x' A: sums over the rows of A, eight columns at a time. */
static void rows_sum(double *y, const double *A, const double *x, ptrdiff_t m, ptrdiff_t n)
{
    /* Short rows do not fill a tile. */
    if (n < 3) {
        for (ptrdiff_t j = 0; j < n; j++)
            y[j] = rt_view_dot(x, 1, A + j, n, m);
        return;
    }
    rt_tile_row out;
    for (ptrdiff_t j0 = 0; j0 < n; j0 += RT_TILE) {
        /* The last tile overlaps the one before it, to be full; it computes some elements again. */
        ptrdiff_t j = j0 + RT_TILE > n && n >= RT_TILE ? n - RT_TILE : j0;
        int w = n - j < RT_TILE ? (int)(n - j) : RT_TILE;
        rt_tile(&out, x, A + j, n, m, w);
        rt_tile_store(y + j, &out, w);
    }
}

void RT_LV(rt_k_gemv)(double *y, const double *A, const double *x, ptrdiff_t m, ptrdiff_t n, int trans)
{
    if (trans)
        rows_sum(y, A, x, m, n);
    else
        for (ptrdiff_t i = 0; i < m; i++)
            y[i] = rt_view_dot(A + i * n, 1, x, 1, n);
}

void RT_LV(rt_k_ger)(double *A, double alpha, const double *x, const double *y, ptrdiff_t m, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < m; i++) {
        double s = alpha * x[i];
        double *row = A + i * n;
        RT_INDEPENDENT for (ptrdiff_t j = 0; j < n; j++) row[j] += s * y[j];
    }
}

void RT_LV(rt_k_transpose)(double *D, const double *A, ptrdiff_t m, ptrdiff_t n)
{
    if (D != A) {
        RT_LV(rt_block_transpose)(D, m, A, n, m, n);
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < i; j++) {
            double t = D[i * n + j];
            D[i * n + j] = D[j * n + i];
            D[j * n + i] = t;
        }
}
