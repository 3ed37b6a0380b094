/* rt_isa_qr.c: rows added to the triangular factor of a matrix, by Householder reflections.
 *
 * Up to RT_QR_ROWS rows at a time stand below R.  Reflection j maps column j of both to a multiple of the unit vector j: only row j of R and the
 * added rows take part, the rest of R being zero there (the structured factorisation of LAPACK's dtpqrt, unblocked).  With alpha = R[j][j] and x the column of
 * the added rows, beta = -sign(alpha) |(alpha, x)|, u = x / (alpha - beta) and tau = (beta - alpha) / beta (Golub and Van Loan 2013, 5.1.3; Householder vector (1, u)).
 * Everything is stored by rows, so both halves of a reflection run along columns.  The order of operations is fixed: a sum over rows is four
 * partial ones, of the rows i mod 4, and no width of registers enters. */
#include "stdlib/runtime/rt_isa_lanes.h"

enum { TILE = 8, VECS = TILE / RT_W, PARTS = 4 };

/* The powers of two that keep squares of entries as large as `most` in range; a power of two rounds nothing. */
static double scale_for(double most) { return most > 0x1p400 ? 0x1p-600 : most < 0x1p-400 ? 0x1p600 : 1.0; }

/* Eight columns of the reflection (1, u), tau applied to the row `top` and the m rows of c. */
static inline void reflect(double *top, double *c, ptrdiff_t stride, const double *u, double tau, ptrdiff_t m)
{
    rt_vec part[PARTS][VECS], t[VECS];
    for (int q = 0; q < PARTS; q++)
        for (int v = 0; v < VECS; v++)
            part[q][v] = (rt_vec){0.0};
    ptrdiff_t i = 0;
    for (; i + PARTS <= m; i += PARTS)
        for (int q = 0; q < PARTS; q++)
            for (int v = 0; v < VECS; v++)
                part[q][v] += u[i + q] * RT_VEC(c + (i + q) * stride + v * RT_W);
    for (int q = 0; i < m; i++, q++)
        for (int v = 0; v < VECS; v++)
            part[q][v] += u[i] * RT_VEC(c + i * stride + v * RT_W);
    for (int v = 0; v < VECS; v++) {
        t[v] = tau * (RT_VEC(top + v * RT_W) + ((part[0][v] + part[1][v]) + (part[2][v] + part[3][v])));
        RT_VEC_AT(top + v * RT_W) -= t[v];
    }
    for (i = 0; i < m; i++)
        for (int v = 0; v < VECS; v++)
            RT_VEC_AT(c + i * stride + v * RT_W) -= u[i] * t[v];
}

/* m <= RT_QR_ROWS rows at c, `stride` doubles apart (a multiple of TILE, at least p), which are used up.  top: `stride` doubles. */
static void add_rows(double *R, double *c, double *u, double *top, ptrdiff_t m, ptrdiff_t p, ptrdiff_t stride)
{
    for (ptrdiff_t j = 0; j < p; j++) {
        double alpha = R[j * p + j], most = __builtin_fabs(alpha), squares = 0.0;
        for (ptrdiff_t i = 0; i < m; i++) {
            double a = __builtin_fabs(c[i * stride + j]);
            most = a <= most ? most : a; /* a NaN is taken, and kept */
        }
        double s = scale_for(most);
        for (ptrdiff_t i = 0; i < m; i++) {
            u[i] = c[i * stride + j] * s;
            squares += u[i] * u[i];
        }
        if (squares == 0.0)
            continue;
        alpha *= s;
        double length = __builtin_sqrt(alpha * alpha + squares), beta = alpha < 0.0 ? length : -length, first = alpha - beta;
        double tau = (beta - alpha) / beta;
        for (ptrdiff_t i = 0; i < m; i++)
            u[i] /= first;
        /* Tiles begin at multiples of eight: columns left of j that one covers are done, and nothing reads what becomes of them. */
        for (ptrdiff_t k = j / TILE * TILE; k < p; k += TILE) {
            for (ptrdiff_t l = k; l < k + TILE; l++)
                top[l] = l > j && l < p ? R[j * p + l] : 0.0;
            reflect(top + k, c + k, stride, u, tau, m);
            for (ptrdiff_t l = k > j ? k : j + 1; l < k + TILE && l < p; l++)
                R[j * p + l] = top[l];
        }
        R[j * p + j] = beta / s;
    }
}

void RT_LV(rt_k_qr_rows)(double *R, const double *A, ptrdiff_t m, ptrdiff_t p, double *scratch)
{
    ptrdiff_t stride = (p + TILE - 1) / TILE * TILE;
    double *top = scratch, *c = scratch + stride, *u = c + RT_QR_ROWS * stride;
    for (ptrdiff_t j = 0; j < p; j++)
        for (ptrdiff_t k = 0; k < j; k++)
            R[j * p + k] = 0.0;
    for (ptrdiff_t at = 0; at < m; at += RT_QR_ROWS) {
        ptrdiff_t rows = m - at < RT_QR_ROWS ? m - at : RT_QR_ROWS;
        for (ptrdiff_t i = 0; i < rows; i++) {
            for (ptrdiff_t k = 0; k < p; k++)
                c[i * stride + k] = A[(at + i) * p + k];
            for (ptrdiff_t k = p; k < stride; k++)
                c[i * stride + k] = 0.0;
        }
        add_rows(R, c, u, top, rows, p, stride);
    }
}
