/* test_rt_dense.c: kernels of dense algebra, products, factorisations, solves and their adjoints, have the same bits at every instruction-set level and the
 * written-out definitions' values, and factorisations mean what their headers say.  Levels beyond the machine's own fall back to it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"
#include "tests/unit/kernel_inputs.h"

static double dot_by_definition(const double *x, ptrdiff_t sx, const double *y, ptrdiff_t sy, ptrdiff_t n)
{
    double *p = malloc((size_t)(n > 0 ? n : 1) * sizeof *p);
    for (ptrdiff_t i = 0; i < n; i++)
        p[i] = x[i * sx] * y[i * sy];
    double r = sum_by_definition(p, n);
    free(p);
    return r;
}

/* An element of a product of matrices: chains of 128, added in order. */
static double product_by_definition(const double *x, ptrdiff_t sx, const double *y, ptrdiff_t sy, ptrdiff_t n)
{
    double sum = 0.0;
    for (ptrdiff_t first = 0; first < n; first += 128) {
        double chain = 0.0;
        for (ptrdiff_t k = first; k < n && k < first + 128; k++)
            chain = fma(x[k * sx], y[k * sy], chain);
        sum = first ? sum + chain : chain;
    }
    return sum;
}

/* t less n products, in order. */
static double less_by_definition(double t, const double *x, ptrdiff_t sx, const double *y, ptrdiff_t sy, ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < n; k++)
        t = fma(-x[k * sx], y[k * sy], t);
    return t;
}

static void test_products(void **unused)
{
    (void)unused;
    static const ptrdiff_t shapes[][3] = {{1, 1, 1}, {3, 2, 1}, {2, 3, 4}, {5, 7, 3}, {8, 8, 8}, {9, 17, 31}, {4, 8, 32}, {6, 9, 33}, {13, 12, 70},
                                          {1, 9, 5000}, {5, 3, 4097}, {7, 1, 40}, {1, 8, 0}, {4, 20, 9000}, {40, 5, 40}, {37, 3, 4},
                                          {9, 7, 1}, {33, 4, 17}, {5000, 6, 5}, {6, 7, 9},
                                          {16, 24, 128}, {17, 25, 129}, {270, 31, 300}, {4, 4, 4}, {0, 3, 2}, {3, 0, 2}, {24, 96, 256}};
    for (size_t t = 0; t < sizeof shapes / sizeof *shapes; t++) {
        ptrdiff_t m = shapes[t][0], n = shapes[t][1], k = shapes[t][2];
        double *A = malloc((size_t)(m * k + 1) * 8), *B = malloc((size_t)(k * n + 1) * 8), *C = malloc((size_t)(m * n + 1) * 8), *D = malloc((size_t)(m * n + 1) * 8);
        fill_matrix(A, m * k);
        fill_matrix(B, k * n);
        for (int flags = 0; flags < 4; flags++) {
            int ta = flags & 1, tb = flags >> 1;
            for (ptrdiff_t i = 0; i < m; i++)
                for (ptrdiff_t j = 0; j < n; j++)
                    D[i * n + j] = product_by_definition(A + (ta ? i : i * k), ta ? m : 1, B + (tb ? j * k : j), tb ? 1 : n, k);
            for (int level = 2; level <= 4; level++) {
                C[m * n] = 99.0;
                rt_kernels_for(level)->gemm(C, A, B, m, n, k, ta, tb);
                assert_same(D, C, m * n, "gemm");
                assert_true(C[m * n] == 99.0);
            }
        }
        for (int level = 2; level <= 4; level++) {
            const rt_kernels *q = rt_kernels_for(level);
            double *y = malloc((size_t)(m + k + 1) * 8), *x = malloc((size_t)(m + k + 1) * 8);
            fill_matrix(x, m + k);
            q->gemv(y, A, x, m, k, 0);
            for (ptrdiff_t i = 0; i < m; i++)
                assert_true(same(y[i], dot_by_definition(A + i * k, 1, x, 1, k)));
            q->gemv(y, A, x, m, k, 1);
            for (ptrdiff_t j = 0; j < k; j++)
                assert_true(same(y[j], dot_by_definition(A + j, k, x, 1, m)));
            /* The same matrix as one of k rows in columns; then without its first row, where there is one. */
            for (ptrdiff_t row = 0; row <= 1 && row < k; row++) {
                y[k - row] = 99.0;
                q->gemv_columns(y, A + row, k, x, k - row, m);
                for (ptrdiff_t j = row; j < k; j++)
                    assert_true(same(y[j - row], dot_by_definition(A + j, k, x, 1, m)));
                assert_true(y[k - row] == 99.0);
            }
            double *T = malloc((size_t)(m * k + 1) * 8);
            q->transpose(T, A, m, k);
            for (ptrdiff_t i = 0; i < m; i++)
                for (ptrdiff_t j = 0; j < k; j++)
                    assert_true(T[j * m + i] == A[i * k + j]);
            memcpy(T, A, (size_t)(m * k) * 8);
            q->ger(T, 0.7, x, x + m, m, k);
            for (ptrdiff_t i = 0; i < m; i++)
                for (ptrdiff_t j = 0; j < k; j++)
                    assert_true(T[i * k + j] == A[i * k + j] + 0.7 * x[i] * x[m + j]);
            free(T);
            free(x);
            free(y);
        }
        free(A);
        free(B);
        free(C);
        free(D);
    }
}

/* A well-conditioned symmetric positive definite matrix. */
static void fill_spd(double *A, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j <= i; j++)
            A[i * n + j] = A[j * n + i] = exp(-0.5 * fabs((double)(i - j))) * (1.0 + 0.01 * uniform()) + (i == j ? 1.0 : 0.0);
}

/* Sizes around vectors, tiles and blocks of 8, 24, 32, 96 and 144 rows. */
static const ptrdiff_t dims[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 23, 24, 25, 31, 32, 33, 40, 41, 63, 64, 65, 69, 95, 96, 97, 143, 144, 145, 203};
enum { DIM = 203, NDIMS = sizeof dims / sizeof *dims };

static void test_cholesky(void **unused)
{
    (void)unused;
    static double A[DIM * DIM], L2[DIM * DIM], L[DIM * DIM];
    for (size_t t = 0; t < NDIMS; t++) {
        ptrdiff_t n = dims[t];
        fill_spd(A, n);
        for (int level = 2; level <= 4; level++) {
            const rt_kernels *k = rt_kernels_for(level);
            double *out = level == 2 ? L2 : L;
            memset(out, 0xff, sizeof L);
            assert_int_equal(k->cholesky(out, A, n), 0);
            if (level > 2)
                assert_same(L2, L, n * n, "cholesky");
            memcpy(L, A, sizeof A);
            for (ptrdiff_t i = 0; i < n; i++) /* the upper triangle must not matter */
                for (ptrdiff_t j = i + 1; j < n; j++)
                    L[i * n + j] = NAN;
            assert_int_equal(k->cholesky(L, L, n), 0);
            assert_same(L2, L, n * n, "cholesky in place");
        }
        /* L L' = A to n roundings of the diagonal, about 2, and by the stated formula. */
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = 0; j < n; j++) {
                long double s = 0;
                for (ptrdiff_t k = 0; k <= (i < j ? i : j); k++)
                    s += (long double)L2[i * n + k] * L2[j * n + k];
                assert_true(fabsl(s - A[i * n + j]) < 0x1p-51L * (long double)(n + 2));
                double pivot = less_by_definition(A[i * n + j], L2 + i * n, 1, L2 + j * n, 1, i < j ? i : j);
                assert_true(L2[i * n + j] == (j > i ? 0.0 : j == i ? sqrt(pivot) : pivot * (1.0 / L2[j * n + j])));
            }
    }
    /* Not positive definite, not finite, not a number, in any row: refused, at every level. */
    for (size_t t = 0; t < NDIMS; t++) {
        ptrdiff_t n = dims[t];
        for (ptrdiff_t i = 0; i < n; i += n > 20 ? 13 : 1)
            for (int what = 0; what < 4; what++) {
                fill_spd(A, n);
                A[i * n + i] = what == 0 ? -1.0 : what == 1 ? NAN : what == 2 ? INFINITY : 0.0;
                for (int level = 2; level <= 4; level++)
                    assert_int_equal(rt_kernels_for(level)->cholesky(L, A, n), 1);
            }
    }
}

static void test_solves(void **unused)
{
    (void)unused;
    static const ptrdiff_t widths[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 20, 23, 24, 25, 33, 50};
    enum { WIDTH = 50 };
    static double A[DIM * DIM], L[DIM * DIM], X2[DIM * WIDTH], X[DIM * WIDTH], B[DIM * WIDTH];
    for (size_t t = 0; t < NDIMS; t++) {
        ptrdiff_t n = dims[t];
        fill_spd(A, n);
        assert_int_equal(rt_kernels_for(0)->cholesky(L, A, n), 0);
        for (ptrdiff_t i = 0; i < n; i++) /* the upper triangle must not matter */
            for (ptrdiff_t j = i + 1; j < n; j++)
                L[i * n + j] = NAN;
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            ptrdiff_t m = widths[w];
            fill_matrix(B, n * m);
            for (int trans = 0; trans < 2; trans++) {
                for (ptrdiff_t step = 0; step < n; step++) {
                    ptrdiff_t i = trans ? n - 1 - step : step, first = trans ? n - 1 : 0;
                    for (ptrdiff_t j = 0; j < m; j++) {
                        const double *l = trans ? L + first * n + i : L + i * n;
                        double s = less_by_definition(B[i * m + j], l, trans ? -n : 1, X2 + first * m + j, trans ? -m : m, step);
                        X2[i * m + j] = s * (1.0 / L[i * n + i]);
                    }
                }
                for (int level = 2; level <= 4; level++) {
                    const rt_kernels *k = rt_kernels_for(level);
                    X[n * m < DIM * WIDTH ? n * m : 0] = 99.0;
                    k->solve_lower(X, L, B, n, m, trans);
                    assert_same(X2, X, n * m, "solve_lower");
                    if (n * m < DIM * WIDTH)
                        assert_true(X[n * m] == 99.0);
                    memcpy(X, B, sizeof B);
                    k->solve_lower(X, L, X, n, m, trans);
                    assert_same(X2, X, n * m, "solve_lower in place");
                }
                /* It solves the system: L's condition here is below 10. */
                for (ptrdiff_t i = 0; i < n && w % 4 == 0; i++)
                    for (ptrdiff_t j = 0; j < m; j++) {
                        long double s = 0;
                        for (ptrdiff_t k = trans ? i : 0; k < (trans ? n : i + 1); k++)
                            s += (long double)(trans ? L[k * n + i] : L[i * n + k]) * X2[k * m + j];
                        assert_true(fabsl(s - B[i * m + j]) < 0x1p-48L * (long double)(n + 1));
                    }
            }
        }
    }
}

/* 1/2 L'^-1 (Phi(P) + Phi(P)') L^-1 with P = L' Lbar and Phi the lower triangle with its diagonal halved (Murray 2016, eq. 9), in long double. */
static void adjoint_by_formula(long double *S, const double *L, const double *Lbar, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j <= i; j++) {
            long double s = 0;
            for (ptrdiff_t k = i; k < n; k++)
                s += (long double)L[k * n + i] * Lbar[k * n + j];
            S[i * n + j] = S[j * n + i] = 0.5L * s;
        }
    for (int side = 0; side < 2; side++) {
        for (ptrdiff_t i = n - 1; i >= 0; i--)
            for (ptrdiff_t c = 0; c < n; c++) {
                for (ptrdiff_t k = i + 1; k < n; k++)
                    S[i * n + c] -= L[k * n + i] * S[k * n + c];
                S[i * n + c] /= L[i * n + i];
            }
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = 0; j < i; j++) {
                long double x = S[i * n + j];
                S[i * n + j] = S[j * n + i];
                S[j * n + i] = x;
            }
    }
}

/* F = sum_ij W_ij L_ij with fixed W has Lbar = W; a central difference in A[i][j] = A[j][i] gives Abar_ij + Abar_ji (i != j). */
static void test_cholesky_adjoint(void **unused)
{
    (void)unused;
    static double A[DIM * DIM], L[DIM * DIM], W[DIM * DIM], bar2[DIM * DIM], bar[DIM * DIM], Lp[DIM * DIM];
    static long double formula[DIM * DIM];
    for (size_t t = 0; t < NDIMS; t++) {
        ptrdiff_t n = dims[t];
        fill_spd(A, n);
        fill_matrix(W, n * n);
        const rt_kernels *best = rt_kernels_for(0);
        assert_int_equal(best->cholesky(L, A, n), 0);
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = i + 1; j < n; j++)
                W[i * n + j] = NAN;
        for (int level = 2; level <= 4; level++) {
            const rt_kernels *k = rt_kernels_for(level);
            double *out = level == 2 ? bar2 : bar;
            k->cholesky_adjoint(out, L, W, n);
            if (level > 2)
                assert_same(bar2, bar, n * n, "cholesky_adjoint");
            memcpy(bar, W, sizeof W);
            k->cholesky_adjoint(bar, L, bar, n);
            assert_same(bar2, bar, n * n, "cholesky_adjoint in place");
        }
        /* Entries are of size 4 sqrt(n); sums of n of them, and L's condition is below 10. */
        adjoint_by_formula(formula, L, W, n);
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = 0; j < n; j++) {
                assert_true(bar2[i * n + j] == bar2[j * n + i]);
                assert_true(fabsl(bar2[i * n + j] - formula[i * n + j]) < 0x1p-47L * sqrtl((long double)n + 1));
            }
        for (int trial = 0; trial < (n > 0 ? 20 : 0); trial++) {
            ptrdiff_t i = (ptrdiff_t)(next() % (uint64_t)n), j = (ptrdiff_t)(next() % (uint64_t)(i + 1));
            double h = 1e-5, keep = A[i * n + j];
            long double f[2];
            for (int side = 0; side < 2; side++) {
                A[i * n + j] = keep + (side ? h : -h);
                assert_int_equal(best->cholesky(Lp, A, n), 0);
                f[side] = 0.0;
                for (ptrdiff_t r = 0; r < n; r++)
                    for (ptrdiff_t q = 0; q <= r; q++)
                        f[side] += (long double)W[r * n + q] * Lp[r * n + q];
            }
            A[i * n + j] = keep;
            double numeric = (double)(f[1] - f[0]) / (2.0 * h);
            double exact = i == j ? bar2[i * n + i] : bar2[i * n + j] + bar2[j * n + i];
            /* h^2 times third derivatives, below 1e-8, and rounding of L over h, 1e-16 of each of up to n entries that matter: below 1e-8. */
            assert_true(fabs(numeric - exact) < 1e-7 * (1.0 + fabs(exact)));
        }
    }
}

/* |Q'(x) - |W c|^2| of a factor R and sum_j |w_j| |c_j|, in long double. */
static long double norm_error(const double *R, const double *W, const double *c, ptrdiff_t m, ptrdiff_t p, long double *terms)
{
    long double exact = 0, got = 0, most = 0;
    for (ptrdiff_t i = 0; i < m; i++) {
        long double s = 0;
        for (ptrdiff_t j = 0; j < p; j++)
            s += (long double)W[i * p + j] * c[j];
        exact += s * s;
    }
    for (ptrdiff_t i = 0; i < p; i++) {
        long double s = 0;
        for (ptrdiff_t j = i; j < p; j++)
            s += (long double)R[i * p + j] * c[j];
        got += s * s;
    }
    for (ptrdiff_t j = 0; j < p; j++) {
        long double s = 0;
        for (ptrdiff_t i = 0; i < m; i++)
            s += (long double)W[i * p + j] * W[i * p + j];
        most += sqrtl(s) * fabsl((long double)c[j]);
    }
    *terms = most;
    return fabsl(sqrtl(got) - sqrtl(exact));
}

/* Levels agree, rows may come in any number of pieces up to rounding, and |R c| is |W c| up to gamma sum_j |w_j| |c_j| (Higham 2002, theorem 19.4, column by
 * column), with gamma = 1e-14 here, also when columns are collinear, zero, or of magnitudes whose squares leave the range of a double. */
static void test_qr(void **unused)
{
    (void)unused;
    enum { ROWS = 300 };
    static double W[ROWS * DIM], first[DIM * DIM], R[DIM * DIM], c[DIM], scratch[RT_QR_SCRATCH(DIM)];
    static const ptrdiff_t dims[] = {1, 2, 3, 7, 8, 9, 17, 33}, rows[] = {0, 1, 5, 63, 64, 65, 200, ROWS};
    for (size_t t = 0; t < sizeof dims / sizeof *dims; t++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (int kind = 0; kind < 4; kind++) {
                ptrdiff_t p = dims[t], m = rows[r];
                fill_matrix(W, m * p);
                fill_matrix(c, p);
                for (ptrdiff_t i = 0; i < m && p > 2; i++) {
                    double *w = W + i * p;
                    if (kind == 1)
                        w[2] = w[0] + 1e-9 * w[1];
                    if (kind == 2)
                        w[1] = 0.0, w[2] = 3.0 * w[0];
                    if (kind == 3)
                        w[0] *= 1e200, w[1] *= 1e-200;
                }
                if (kind == 3 && p > 2)
                    c[0] *= 1e-200, c[1] *= 1e200;
                for (int level = 2; level <= 4; level++) {
                    double *out = level == 2 ? first : R;
                    for (ptrdiff_t k = 0; k < p * p; k++)
                        out[k] = k / p > k % p ? NAN : 0.0;
                    rt_kernels_for(level)->qr_rows(out, W, m, p, scratch);
                    if (level > 2)
                        assert_same(first, R, p * p, "qr_rows");
                }
                long double terms, error = norm_error(first, W, c, m, p, &terms);
                assert_true(error <= 1e-14L * terms);
                for (ptrdiff_t i = 0; i < p; i++)
                    for (ptrdiff_t j = 0; j < i; j++)
                        assert_true(first[i * p + j] == 0.0);
                for (ptrdiff_t k = 0; k < p * p; k++)
                    R[k] = 0.0;
                for (ptrdiff_t at = 0; at < m; at += 50)
                    rt_kernels_for(0)->qr_rows(R, W + at * p, m - at < 50 ? m - at : 50, p, scratch);
                error = norm_error(R, W, c, m, p, &terms);
                assert_true(error <= 1e-14L * terms);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products), cmocka_unit_test(test_cholesky),         cmocka_unit_test(test_solves),
        cmocka_unit_test(test_cholesky_adjoint), cmocka_unit_test(test_qr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
