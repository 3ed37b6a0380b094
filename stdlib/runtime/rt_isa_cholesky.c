/* rt_isa_cholesky.c: the Cholesky factor, triangular solves and the factor's adjoint, in terms of blocks. */
#include "stdlib/runtime/rt_isa_block.h"

/* ---- the factor */

/* Up to here setting up tiles costs more than they save. */
enum { SMALL = 16 };

static int factor_small(double *L, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j++) {
        double pivot = L[j * n + j];
        if (!(pivot > 0.0) || pivot == __builtin_inf())
            return 1;
        pivot = __builtin_sqrt(pivot);
        L[j * n + j] = pivot;
        double inverse = 1.0 / pivot;
        for (ptrdiff_t i = j + 1; i < n; i++) {
            L[i * n + j] *= inverse;
            L[j * n + i] = 0.0;
            for (ptrdiff_t k = j + 1; k <= i; k++)
                L[i * n + k] = __builtin_fma(-L[i * n + j], L[k * n + j], L[i * n + k]);
        }
    }
    return 0;
}

/* Strips of so many rows are transposed at a time. */
enum { STRIP = 8 };

/* Along rows of the upper triangle all work is contiguous, so L' is computed there and transposed in the end. */
int RT_LV(rt_k_cholesky)(double *L, const double *A, ptrdiff_t n)
{
    if (n <= SMALL) {
        if (L != A)
            for (ptrdiff_t i = 0; i < n; i++)
                for (ptrdiff_t j = 0; j <= i; j++)
                    L[i * n + j] = A[i * n + j];
        return factor_small(L, n);
    }
    for (ptrdiff_t i = 0; i < n; i += STRIP) {
        ptrdiff_t end = n - i < STRIP ? n : i + STRIP;
        RT_LV(rt_block_transpose)(L + i, n, A + i * n, n, end - i, i);
        for (ptrdiff_t r = i; r < end; r++)
            for (ptrdiff_t j = i; j <= r; j++)
                L[j * n + r] = A[r * n + j];
    }
    if (!RT_LV(rt_block_factor)(L, n))
        return 1;
    for (ptrdiff_t i = 0; i < n; i += STRIP) {
        ptrdiff_t end = n - i < STRIP ? n : i + STRIP;
        RT_LV(rt_block_transpose)(L + end * n + i, n, L + i * n + end, n, end - i, n - end);
        for (ptrdiff_t r = i; r < end; r++) {
            for (ptrdiff_t j = r + 1; j < end; j++)
                L[j * n + r] = L[r * n + j];
            for (ptrdiff_t j = r + 1; j < n; j++)
                L[r * n + j] = 0.0;
        }
    }
    return 0;
}

/* ---- solves */

void RT_LV(rt_k_solve_lower)(double *X, const double *L, const double *B, ptrdiff_t n, ptrdiff_t m, int trans)
{
    if (n <= 0 || m <= 0)
        return;
    if (X != B)
        for (ptrdiff_t i = 0; i < n * m; i++)
            X[i] = B[i];
    /* L' is solved from the last row up: in that order it is lower triangular too. */
    if (trans)
        RT_LV(rt_block_solve)(X + (n - 1) * m, -m, (rt_factor){L + (n - 1) * (n + 1), -1, -n}, n, m);
    else
        RT_LV(rt_block_solve)(X, m, (rt_factor){L, n, 1}, n, m);
}

/* ---- the adjoint
 *
 * Murray 2016, "Differentiation of the Cholesky decomposition", algorithm "chol_blocked_rev", on the lower triangle of A, which enters as Lbar.  For
 * a block on the diagonal, with its rows of L to the left of it R, itself D, and below them B and C:
 *
 *     R D       Cbar = Cbar D^-1;  Bbar -= Cbar R;  Dbar -= Cbar' C;  Dbar = this, for Dbar and D;  Rbar -= Cbar' B + (Dbar + Dbar') R
 *     B C
 *
 * from the last block to the first.  What leaves is halved off the diagonal, and so symmetric.  Cbar' stands in the upper triangle, where rows are
 * contiguous, and becomes the result there. */

/* Without blocks: each is one number. */
static void adjoint_small(double *A, const double *L, ptrdiff_t row, ptrdiff_t n)
{
    for (ptrdiff_t k = n - 1; k >= 0; k--) {
        double inverse = 1.0 / L[k * row + k], d = A[k * row + k];
        for (ptrdiff_t i = k + 1; i < n; i++) {
            double c = A[i * row + k] * inverse;
            d = __builtin_fma(-c, L[i * row + k], d);
            for (ptrdiff_t j = 0; j < k; j++) {
                A[i * row + j] = __builtin_fma(-c, L[k * row + j], A[i * row + j]);
                A[k * row + j] = __builtin_fma(-c, L[i * row + j], A[k * row + j]);
            }
            A[i * row + k] = A[k * row + i] = 0.5 * c;
        }
        A[k * row + k] = d *= 0.5 * inverse;
        for (ptrdiff_t j = 0; j < k; j++)
            A[k * row + j] = __builtin_fma(-2.0 * d, L[k * row + j], A[k * row + j]);
    }
}

enum { ADJOINT_BLOCK = 32, ADJOINT_SMALL = 8, ADJOINT_ALONE = 12 };

static void adjoint(double *A, const double *L, ptrdiff_t row, ptrdiff_t n)
{
    if (n <= ADJOINT_ALONE) {
        adjoint_small(A, L, row, n);
        return;
    }
    ptrdiff_t block = n > ADJOINT_BLOCK ? ADJOINT_BLOCK : ADJOINT_SMALL;
    for (ptrdiff_t k = (n - 1) / block * block; k >= 0; k -= block) {
        ptrdiff_t size = n - k < block ? n - k : block, end = k + size, below = n - end;
        double *D = A + k * row + k, *C = A + k * row + end; /* C: transposed */
        const double *LD = L + k * row + k, *LC = L + end * row + k;
        if (below > 0) {
            RT_LV(rt_block_transpose)(C, row, A + end * row + k, row, below, size);
            RT_LV(rt_block_solve)(C + (size - 1) * row, -row, (rt_factor){LD + (size - 1) * (row + 1), -1, -row}, size, below);
            RT_LV(rt_block_subtract)(A + end * row, row, (rt_factor){C, 1, row}, L + k * row, row, below, k, size);
            RT_LV(rt_block_subtract)(D, row, (rt_factor){C, row, 1}, LC, row, size, size, below);
        }
        adjoint(D, LD, row, size);
        if (below > 0) {
            RT_LV(rt_block_subtract)(A + k * row, row, (rt_factor){C, row, 1}, L + end * row, row, size, k, below);
            for (ptrdiff_t i = 0; i < size; i++)
                for (ptrdiff_t j = 0; j < below; j++)
                    C[i * row + j] *= 0.5;
            RT_LV(rt_block_transpose)(A + end * row + k, row, C, row, size, below);
        }
        double twice[ADJOINT_BLOCK * ADJOINT_BLOCK];
        for (ptrdiff_t i = 0; i < size; i++)
            for (ptrdiff_t j = 0; j < size; j++)
                twice[i * size + j] = 2.0 * D[i * row + j];
        RT_LV(rt_block_subtract)(A + k * row, row, (rt_factor){twice, size, 1}, L + k * row, row, size, k, size);
    }
}

void RT_LV(rt_k_cholesky_adjoint)(double *Abar, const double *L, const double *Lbar, ptrdiff_t n)
{
    if (Abar != Lbar)
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = 0; j <= i; j++)
                Abar[i * n + j] = Lbar[i * n + j];
    adjoint(Abar, L, n, n);
}
