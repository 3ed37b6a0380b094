/* rt_isa_matrix.c: matrix products, outer products and transposes. */
#include "stdlib/runtime/rt_isa_tile.h"

void RT_LV(rt_k_gemm)(double *C, const double *A, const double *B, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, int ta, int tb)
{
    rt_view a = {A, ta ? 1 : k, ta ? m : 1};
    rt_view b = {B, tb ? 1 : n, tb ? k : 1};
    /* Short rows do not fill a tile, and columns of B that lie along k need no transposing loads. */
    if (n < 3 || (tb && a.col == 1)) {
        for (ptrdiff_t i = 0; i < m; i++)
            for (ptrdiff_t j = 0; j < n; j++)
                C[i * n + j] = rt_view_dot(a.p + i * a.row, a.col, b.p + j * b.col, b.row, k);
        return;
    }
    rt_tile_row out[4];
    for (ptrdiff_t j0 = 0; j0 < n; j0 += RT_TILE) {
        /* The last tile overlaps the one before it, to be full; it computes some elements again. */
        ptrdiff_t j = j0 + RT_TILE > n && n >= RT_TILE ? n - RT_TILE : j0;
        int w = n - j < RT_TILE ? (int)(n - j) : RT_TILE;
        rt_view bj = {b.p + j * b.col, b.row, b.col};
        ptrdiff_t i = 0;
        for (; i + 4 <= m; i += 4) {
            rt_view ai = {a.p + i * a.row, a.row, a.col};
            rt_tile(out, 4, ai, bj, k, w);
            for (int r = 0; r < 4; r++)
                rt_tile_store(C + (i + r) * n + j, out + r, w);
        }
        for (; i < m; i++) {
            rt_view ai = {a.p + i * a.row, a.row, a.col};
            rt_tile(out, 1, ai, bj, k, w);
            rt_tile_store(C + i * n + j, out, w);
        }
    }
}

void RT_LV(rt_k_gemv)(double *y, const double *A, const double *x, ptrdiff_t m, ptrdiff_t n, int trans)
{
    if (trans)
        RT_LV(rt_k_gemm)(y, x, A, 1, n, m, 0, 0);
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
    enum { TILE = 8 };
    if (D == A) {
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = 0; j < i; j++) {
                double t = D[i * n + j];
                D[i * n + j] = D[j * n + i];
                D[j * n + i] = t;
            }
        return;
    }
    for (ptrdiff_t i0 = 0; i0 < m; i0 += TILE)
        for (ptrdiff_t j0 = 0; j0 < n; j0 += TILE) {
            ptrdiff_t i1 = i0 + TILE < m ? i0 + TILE : m, j1 = j0 + TILE < n ? j0 + TILE : n;
            for (ptrdiff_t j = j0; j < j1; j++)
                for (ptrdiff_t i = i0; i < i1; i++)
                    D[j * m + i] = A[i * n + j];
        }
}
