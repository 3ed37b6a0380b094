/* rt_isa_cholesky.c: the Cholesky factor, triangular solves and the factor's adjoint. */
#include "stdlib/runtime/rt_isa_tile.h"

/* The eight columns from j on, or where fewer than eight are left of n >= 8, the last eight: a tile runs fastest full.  The first *skip of them were
 * done before (they may have been overwritten since, so what the tile holds for them is meaningless). */
static ptrdiff_t tile_start(ptrdiff_t j, ptrdiff_t n, int *skip, int *w)
{
    ptrdiff_t start = j + RT_TILE > n && n >= RT_TILE ? n - RT_TILE : j;
    *skip = (int)(j - start);
    *w = n - start < RT_TILE ? (int)(n - start) : RT_TILE;
    return start;
}

/* Up to here a tile's set-up costs more than it saves. */
enum { SMALL = 12 };

static int factor_small(double *L, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j++) {
        double t = L[j * n + j] - rt_view_dot(L + j * n, 1, L + j * n, 1, j);
        if (!(t > 0.0) || t == __builtin_inf())
            return 1;
        double pivot = __builtin_sqrt(t);
        L[j * n + j] = pivot;
        for (ptrdiff_t i = j + 1; i < n; i++) {
            L[i * n + j] = (L[i * n + j] - rt_view_dot(L + i * n, 1, L + j * n, 1, j)) / pivot;
            L[j * n + i] = 0.0;
        }
    }
    return 0;
}

/* Column by column, in place of A's copy in the lower triangle.  The upper triangle serves as scratch: its row j holds column j of the factor, so that
 * the sums for eight rows of a column run along contiguous memory.  In the end it is copied down and zeroed. */
int RT_LV(rt_k_cholesky)(double *L, const double *A, ptrdiff_t n)
{
    if (L != A)
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = 0; j <= i; j++)
                L[i * n + j] = A[i * n + j];
    if (n <= SMALL)
        return factor_small(L, n);
    for (ptrdiff_t j = 0; j < n; j++) {
        double *row = L + j * n;
        double pivot = 0.0;
        for (ptrdiff_t i0 = j; i0 < n; i0 += RT_TILE) {
            int skip, w;
            ptrdiff_t i = tile_start(i0, n, &skip, &w);
            rt_tile_row s;
            rt_tile(&s, 1, (rt_view){L + j, 0, n}, (rt_view){L + i, n, 1}, j, w);
            double e[RT_TILE];
            rt_tile_store(e, &s, RT_TILE);
            if (i0 == j) {
                double t = row[j] - e[skip];
                if (!(t > 0.0) || t == __builtin_inf())
                    return 1;
                pivot = __builtin_sqrt(t);
                row[j] = pivot;
                skip++;
            }
            for (int r = skip; r < w; r++)
                row[i + r] = (L[(i + r) * n + j] - e[r]) / pivot;
        }
    }
    for (ptrdiff_t j = 0; j < n; j++)
        for (ptrdiff_t i = j + 1; i < n; i++) {
            L[i * n + j] = L[j * n + i];
            L[j * n + i] = 0.0;
        }
    return 0;
}

void RT_LV(rt_k_solve_lower)(double *X, const double *L, const double *B, ptrdiff_t n, ptrdiff_t m, int trans)
{
    for (ptrdiff_t step = 0; step < n; step++) {
        ptrdiff_t i = trans ? n - 1 - step : step;
        /* The known part: rows 0..i-1 of X, or rows i+1..n-1 with column i of L. */
        const double *l = trans ? L + (i + 1) * n + i : L + i * n;
        const double *x = trans ? X + (i + 1) * m : X;
        ptrdiff_t stride = trans ? n : 1;
        double pivot = L[i * n + i];
        if (m < 3) {
            for (ptrdiff_t j = 0; j < m; j++)
                X[i * m + j] = (B[i * m + j] - rt_view_dot(l, stride, x + j, m, step)) / pivot;
            continue;
        }
        for (ptrdiff_t j0 = 0; j0 < m; j0 += RT_TILE) {
            int skip, w;
            ptrdiff_t j = tile_start(j0, m, &skip, &w);
            rt_tile_row s;
            rt_tile(&s, 1, (rt_view){l, 0, stride}, (rt_view){x + j, m, 1}, step, w);
            double e[RT_TILE];
            rt_tile_store(e, &s, RT_TILE);
            for (int r = skip; r < w; r++)
                X[i * m + j + r] = (B[i * m + j + r] - e[r]) / pivot;
        }
    }
}

/* Abar = 1/2 L^-T (Phi(P) + Phi(P)') L^-1 with P = L' Lbar and Phi the lower triangle with its diagonal halved. */
void RT_LV(rt_k_cholesky_adjoint)(double *Abar, const double *L, const double *Lbar, ptrdiff_t n)
{
    /* The lower triangle of P: row i needs the rows of Lbar from i on, so that it can take row i's place. */
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j0 = 0; j0 <= i; j0 += RT_TILE) {
            int skip, w;
            ptrdiff_t j = tile_start(j0, i + 1, &skip, &w);
            rt_tile_row s;
            rt_tile(&s, 1, (rt_view){L + i * n + i, 0, n}, (rt_view){Lbar + i * n + j, n, 1}, n - i, w);
            double e[RT_TILE];
            rt_tile_store(e, &s, RT_TILE);
            for (int r = skip; r < w; r++)
                Abar[i * n + j + r] = e[r];
        }
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < i; j++)
            Abar[j * n + i] = Abar[i * n + j];
    /* L' Y = (symmetric), and then L' Abar = Y' since Abar is symmetric. */
    RT_LV(rt_k_solve_lower)(Abar, L, Abar, n, n, 1);
    RT_LV(rt_k_transpose)(Abar, Abar, n, n);
    RT_LV(rt_k_solve_lower)(Abar, L, Abar, n, n, 1);
    for (ptrdiff_t i = 0; i < n; i++) {
        Abar[i * n + i] *= 0.5;
        for (ptrdiff_t j = 0; j < i; j++) {
            double v = 0.25 * (Abar[i * n + j] + Abar[j * n + i]);
            Abar[i * n + j] = v;
            Abar[j * n + i] = v;
        }
    }
}
