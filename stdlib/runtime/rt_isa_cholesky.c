/* rt_isa_cholesky.c: the Cholesky factor, triangular solves and the factor's adjoint. */
#include "stdlib/runtime/rt_isa_tile.h"

RT_DEFINE_TILE(tile1, 1)

/* Column by column.  The upper triangle of L serves as scratch: its row j holds column j of the factor, so that the sums for eight rows of a column
 * run along contiguous memory.  In the end it is copied down and zeroed.  With L == A the lower triangle keeps A until then. */
int RT_LV(rt_k_cholesky)(double *L, const double *A, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j++) {
        double *row = L + j * n;
        double pivot = 0.0;
        for (ptrdiff_t i = j; i < n; i += 8) {
            int w = n - i < 8 ? (int)(n - i) : 8;
            rt_v8 s;
            tile1(&s, (rt_view){L + j, 0, n}, (rt_view){L + i, n, 1}, j, w);
            for (int r = 0; r < w; r++) {
                double t = A[(i + r) * n + j] - s[r];
                if (i + r == j) {
                    if (!(t > 0.0) || t == __builtin_inf())
                        return 1;
                    pivot = __builtin_sqrt(t);
                    row[j] = pivot;
                } else {
                    row[i + r] = t / pivot;
                }
            }
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
        if (m == 1) {
            X[i] = (B[i] - rt_view_dot(l, stride, x, 1, step)) / pivot;
            continue;
        }
        for (ptrdiff_t j = 0; j < m; j += 8) {
            int w = m - j < 8 ? (int)(m - j) : 8;
            rt_v8 s;
            tile1(&s, (rt_view){l, 0, stride}, (rt_view){x + j, m, 1}, step, w);
            for (int r = 0; r < w; r++)
                X[i * m + j + r] = (B[i * m + j + r] - s[r]) / pivot;
        }
    }
}

/* Abar = 1/2 L^-T (Phi(P) + Phi(P)') L^-1 with P = L' Lbar and Phi the lower triangle with its diagonal halved. */
void RT_LV(rt_k_cholesky_adjoint)(double *Abar, const double *L, const double *Lbar, ptrdiff_t n)
{
    /* The lower triangle of P: row i needs the rows of Lbar from i on, so that it can take row i's place. */
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j <= i; j += 8) {
            int w = i + 1 - j < 8 ? (int)(i + 1 - j) : 8;
            rt_v8 s;
            tile1(&s, (rt_view){L + i * n + i, 0, n}, (rt_view){Lbar + i * n + j, n, 1}, n - i, w);
            rt_tile_store(Abar + i * n + j, &s, w);
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
