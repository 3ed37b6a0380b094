/* rt_isa_gemm.c: products of matrices. */
#include "stdlib/runtime/rt_isa_block.h"

/* C = A B, or C += A B where more is set: a tile of one chain's terms. */
typedef void product_fn(double *C, ptrdiff_t c_row, int w, rt_factor a, const double *b, ptrdiff_t b_term, ptrdiff_t n, int more);

#define PRODUCT(R, V)                                                                                                                             \
    RT_TILE_CALL void product_##R##_##V(double *C, ptrdiff_t c_row, int w, rt_factor a, const double *b, ptrdiff_t b_term, ptrdiff_t n, int more) \
    {                                                                                                                                             \
        rt_vec acc[R][RT_VECS];                                                                                                                   \
        for (int r = 0; r < R; r++)                                                                                                               \
            for (int v = 0; v < V; v++)                                                                                                           \
                acc[r][v] = (rt_vec){0};                                                                                                          \
        rt_tile_chain(acc, R, V, 0, a, b, b_term, n);                                                                                             \
        for (int r = 0; r < R; r++) {                                                                                                             \
            if (more) {                                                                                                                           \
                rt_vec before[RT_VECS];                                                                                                           \
                rt_load_lanes(before, C + r * c_row, V, w);                                                                                       \
                for (int v = 0; v < V; v++)                                                                                                       \
                    acc[r][v] = before[v] + acc[r][v];                                                                                            \
            }                                                                                                                                     \
            rt_store_lanes(C + r * c_row, acc[r], V, 0, w);                                                                                       \
        }                                                                                                                                         \
    }
PRODUCT(8, 1) PRODUCT(8, 2) PRODUCT(8, 3) PRODUCT(4, 1) PRODUCT(4, 2) PRODUCT(4, 3) PRODUCT(2, 1) PRODUCT(2, 2) PRODUCT(2, 3) PRODUCT(1, 1) PRODUCT(1, 2) PRODUCT(1, 3)
#undef PRODUCT

static product_fn *const product_table[4][RT_VECS] = {
    {product_1_1, product_1_2, product_1_3}, {product_2_1, product_2_2, product_2_3}, {product_4_1, product_4_2, product_4_3}, {product_8_1, product_8_2, product_8_3}};

/* One element. */
static double product_one(const double *a, ptrdiff_t sa, const double *b, ptrdiff_t sb, ptrdiff_t k)
{
    double sum = 0.0;
    for (ptrdiff_t k0 = 0; k0 < k; k0 += RT_CHAIN_TERMS) {
        ptrdiff_t end = k - k0 < RT_CHAIN_TERMS ? k : k0 + RT_CHAIN_TERMS;
        double chain = 0.0;
        for (ptrdiff_t t = k0; t < end; t++)
            chain = __builtin_fma(a[t * sa], b[t * sb], chain);
        sum = k0 ? sum + chain : chain;
    }
    return sum;
}

/* Rows [i0, i1) of C and one chain; b: its terms' rows of B, or where tb is set columns. */
static void product_rows(double *C, rt_factor a, const double *b, ptrdiff_t b_row, int tb, ptrdiff_t i0, ptrdiff_t i1, ptrdiff_t n, ptrdiff_t terms, int more)
{
    double panel[RT_CHAIN_TERMS * RT_COLS];
    for (ptrdiff_t j = 0; j < n; j += RT_COLS) {
        int V = rt_tile_vectors(n - j), w = n - j < RT_COLS ? (int)(n - j) : RT_COLS;
        const double *bj = panel;
        ptrdiff_t step = V * RT_W;
        if (tb) {
            RT_LV(rt_block_transpose)(panel, step, b + j * b_row, b_row, w, terms);
            for (ptrdiff_t t = 0; t < terms; t++)
                for (ptrdiff_t l = w; l < step; l++)
                    panel[t * step + l] = 0.0;
        } else if (i1 - i0 >= RT_PACK_ROWS || w < step) {
            rt_pack_rows(panel, b + j, b_row, terms, V, w);
        } else {
            bj = b + j;
            step = b_row;
        }
        for (ptrdiff_t i = i0; i < i1;) {
            int log_rows = rt_tile_log_rows(i1 - i);
            product_table[log_rows][V - 1](C + i * n + j, n, w, (rt_factor){a.p + i * a.row, a.row, a.term}, bj, step, terms, more);
            i += 1 << log_rows;
        }
    }
}

/* Up to so many terms in all, tiles are not worth setting up. */
enum { FEW_TERMS = 100 };

void RT_LV(rt_k_gemm)(double *C, const double *A, const double *B, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, int ta, int tb)
{
    rt_factor a = {A, ta ? 1 : k, ta ? m : 1};
    ptrdiff_t b_row = tb ? k : n, b_term = tb ? 1 : n, b_col = tb ? k : 1;
    if (k == 0 || (m <= FEW_TERMS && n <= FEW_TERMS && m * n * k <= FEW_TERMS)) {
        for (ptrdiff_t i = 0; i < m; i++)
            for (ptrdiff_t j = 0; j < n; j++)
                C[i * n + j] = product_one(A + i * a.row, a.term, B + j * b_col, b_term, k);
        return;
    }
    for (ptrdiff_t i = 0; i < m; i += RT_CACHED_ROWS)
        for (ptrdiff_t k0 = 0; k0 < k; k0 += RT_CHAIN_TERMS) {
            rt_factor ak = {a.p + k0 * a.term, a.row, a.term};
            product_rows(C, ak, B + k0 * b_term, b_row, tb, i, m - i < RT_CACHED_ROWS ? m : i + RT_CACHED_ROWS, n, k - k0 < RT_CHAIN_TERMS ? k - k0 : RT_CHAIN_TERMS, k0 > 0);
        }
}
