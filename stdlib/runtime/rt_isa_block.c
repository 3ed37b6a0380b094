/* rt_isa_block.c: transposes, updates and solves of blocks, by register tiles. */
#include "stdlib/runtime/rt_isa_block.h"

/* ---- transposes */

/* W vectors of W lanes, in registers: step s exchanges bit s of the numbers of vectors and lanes. */
RT_INLINE_TILE void transpose_registers(rt_vec *v)
{
#if defined(__AVX512F__)
#define STEP(s, a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7)                    \
    for (int i = 0; i < 8; i++)                                                                    \
        if (!(i & s)) {                                                                            \
            rt_vec x = v[i], y = v[i + s];                                                         \
            v[i] = __builtin_shufflevector(x, y, a0, a1, a2, a3, a4, a5, a6, a7);                  \
            v[i + s] = __builtin_shufflevector(x, y, b0, b1, b2, b3, b4, b5, b6, b7);              \
        }
    STEP(1, 0, 8, 2, 10, 4, 12, 6, 14, 1, 9, 3, 11, 5, 13, 7, 15)
    STEP(2, 0, 1, 8, 9, 4, 5, 12, 13, 2, 3, 10, 11, 6, 7, 14, 15)
    STEP(4, 0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15)
#elif defined(__AVX2__)
#define STEP(s, a0, a1, a2, a3, b0, b1, b2, b3)                             \
    for (int i = 0; i < 4; i++)                                             \
        if (!(i & s)) {                                                     \
            rt_vec x = v[i], y = v[i + s];                                  \
            v[i] = __builtin_shufflevector(x, y, a0, a1, a2, a3);           \
            v[i + s] = __builtin_shufflevector(x, y, b0, b1, b2, b3);       \
        }
    STEP(1, 0, 4, 2, 6, 1, 5, 3, 7)
    STEP(2, 0, 1, 4, 5, 2, 3, 6, 7)
#else
    rt_vec x = v[0], y = v[1];
    v[0] = __builtin_shufflevector(x, y, 0, 2);
    v[1] = __builtin_shufflevector(x, y, 1, 3);
#endif
#undef STEP
}

void RT_LV(rt_block_transpose)(double *D, ptrdiff_t d_row, const double *A, ptrdiff_t a_row, ptrdiff_t rows, ptrdiff_t cols)
{
    ptrdiff_t full_rows = rows - rows % RT_W, full_cols = cols - cols % RT_W;
    for (ptrdiff_t i = 0; i < full_rows; i += RT_W)
        for (ptrdiff_t j = 0; j < full_cols; j += RT_W) {
            rt_vec v[RT_W];
            for (int r = 0; r < RT_W; r++)
                v[r] = RT_VEC(A + (i + r) * a_row + j);
            transpose_registers(v);
            for (int r = 0; r < RT_W; r++)
                RT_VEC_AT(D + (j + r) * d_row + i) = v[r];
        }
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = i < full_rows ? full_cols : 0; j < cols; j++)
            D[j * d_row + i] = A[i * a_row + j];
}

/* ---- updates */

typedef void update_fn(double *C, ptrdiff_t c_row, int w, rt_factor a, const double *b, ptrdiff_t b_term, ptrdiff_t n);

#define UPDATE(R, V)                                                                                                                              \
    RT_TILE_CALL void update_##R##_##V(double *C, ptrdiff_t c_row, int w, rt_factor a, const double *b, ptrdiff_t b_term, ptrdiff_t n)            \
    {                                                                                                                                             \
        rt_vec acc[R][RT_VECS];                                                                                                                   \
        for (int r = 0; r < R; r++)                                                                                                               \
            rt_load_lanes(acc[r], C + r * c_row, V, w);                                                                                           \
        rt_tile_chain(acc, R, V, 1, a, b, b_term, n);                                                                                             \
        for (int r = 0; r < R; r++)                                                                                                               \
            rt_store_lanes(C + r * c_row, acc[r], V, 0, w);                                                                                       \
    }
UPDATE(8, 1) UPDATE(8, 2) UPDATE(8, 3) UPDATE(4, 1) UPDATE(4, 2) UPDATE(4, 3) UPDATE(2, 1) UPDATE(2, 2) UPDATE(2, 3) UPDATE(1, 1) UPDATE(1, 2) UPDATE(1, 3)
#undef UPDATE

static update_fn *const update_table[4][RT_VECS] = {
    {update_1_1, update_1_2, update_1_3}, {update_2_1, update_2_2, update_2_3}, {update_4_1, update_4_2, update_4_3}, {update_8_1, update_8_2, update_8_3}};

/* Rows [i0, i1) of C, and of the terms at most RT_CHAIN_TERMS; upper: column j is wanted down to row j only. */
static void subtract_rows(double *C, ptrdiff_t c_row, rt_factor a, const double *B, ptrdiff_t b_row, ptrdiff_t i0, ptrdiff_t i1, ptrdiff_t n, ptrdiff_t terms, int upper)
{
    double panel[RT_CHAIN_TERMS * RT_COLS];
    for (ptrdiff_t j = upper ? i0 / RT_COLS * RT_COLS : 0; j < n; j += RT_COLS) {
        int V = rt_tile_vectors(n - j), w = n - j < RT_COLS ? (int)(n - j) : RT_COLS;
        ptrdiff_t end = upper && j + w < i1 ? j + w : i1, b_term = b_row;
        const double *b = B + j;
        if (end - i0 >= RT_PACK_ROWS || w < V * RT_W) {
            rt_pack_rows(panel, b, b_row, terms, V, w);
            b = panel;
            b_term = V * RT_W;
        }
        for (ptrdiff_t i = i0; i < end;) {
            int log_rows = rt_tile_log_rows(end - i);
            update_table[log_rows][V - 1](C + i * c_row + j, c_row, w, (rt_factor){a.p + i * a.row, a.row, a.term}, b, b_term, terms);
            i += 1 << log_rows;
        }
    }
}

static void subtract(double *C, ptrdiff_t c_row, rt_factor a, const double *B, ptrdiff_t b_row, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, int upper)
{
    for (ptrdiff_t i = 0; i < m; i += RT_CACHED_ROWS)
        for (ptrdiff_t k0 = 0; k0 < k; k0 += RT_CHAIN_TERMS) {
            rt_factor ak = {a.p + k0 * a.term, a.row, a.term};
            subtract_rows(C, c_row, ak, B + k0 * b_row, b_row, i, m - i < RT_CACHED_ROWS ? m : i + RT_CACHED_ROWS, n, k - k0 < RT_CHAIN_TERMS ? k - k0 : RT_CHAIN_TERMS, upper);
        }
}

void RT_LV(rt_block_subtract)(double *C, ptrdiff_t c_row, rt_factor a, const double *B, ptrdiff_t b_row, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k)
{
    subtract(C, c_row, a, B, b_row, m, n, k, 0);
}

void RT_LV(rt_block_subtract_upper)(double *C, ptrdiff_t c_row, rt_factor a, const double *B, ptrdiff_t b_row, ptrdiff_t n, ptrdiff_t k)
{
    subtract(C, c_row, a, B, b_row, n, n, k, 1);
}

/* ---- solves */

/* Rows i .. i + R - 1 of V vectors of columns, their chains having come as far as row `from`; only the lanes from `skip` on are stored. */
typedef void solve_fn(double *X, ptrdiff_t x_row, rt_factor t, ptrdiff_t from, ptrdiff_t i, const double *inverse, int skip);

#define SOLVE(R, V)                                                                                                                               \
    RT_TILE_CALL void solve_##R##_##V(double *X, ptrdiff_t x_row, rt_factor t, ptrdiff_t from, ptrdiff_t i, const double *inverse, int skip)      \
    {                                                                                                                                             \
        rt_vec acc[R][RT_VECS];                                                                                                                   \
        for (int r = 0; r < R; r++)                                                                                                               \
            for (int v = 0; v < V; v++)                                                                                                           \
                acc[r][v] = RT_VEC(X + (i + r) * x_row + v * RT_W);                                                                               \
        rt_factor rows = {t.p + i * t.row + from * t.term, t.row, t.term};                                                                        \
        rt_tile_chain(acc, R, V, 1, rows, X + from * x_row, x_row, i - from);                                                                     \
        const double *corner = t.p + i * (t.row + t.term);                                                                                        \
        for (int r = 0; r < R; r++) {                                                                                                             \
            for (int q = 0; q < r; q++) {                                                                                                         \
                rt_vec l = rt_splat(corner[r * t.row + q * t.term]);                                                                              \
                for (int v = 0; v < V; v++)                                                                                                       \
                    acc[r][v] = rt_vec_sub_product(l, acc[q][v], acc[r][v]);                                                                      \
            }                                                                                                                                     \
            for (int v = 0; v < V; v++)                                                                                                           \
                acc[r][v] *= inverse[r];                                                                                                          \
            rt_store_lanes(X + (i + r) * x_row, acc[r], V, skip, V * RT_W);                                                                       \
        }                                                                                                                                         \
    }
SOLVE(8, 1) SOLVE(8, 2) SOLVE(8, 3) SOLVE(4, 1) SOLVE(4, 2) SOLVE(4, 3) SOLVE(2, 1) SOLVE(2, 2) SOLVE(2, 3) SOLVE(1, 1) SOLVE(1, 2) SOLVE(1, 3)
#undef SOLVE

static solve_fn *const solve_table[4][RT_VECS] = {
    {solve_1_1, solve_1_2, solve_1_3}, {solve_2_1, solve_2_2, solve_2_3}, {solve_4_1, solve_4_2, solve_4_3}, {solve_8_1, solve_8_2, solve_8_3}};


/* A column, its elements x_row apart, and up to eight rows at a time: as many chains, each as long as the rows are far down. */
static void solve_column(double *x, ptrdiff_t x_row, rt_factor t, ptrdiff_t n)
{
    enum { R = 8 };
    for (ptrdiff_t i = 0; i < n; i += R) {
        int rows = n - i < R ? (int)(n - i) : R;
        double acc[R];
        const double *p[R];
        for (int r = 0; r < R; r++) {
            /* Rows that are not there repeat the first one; what they come to is dropped. */
            ptrdiff_t row = r < rows ? i + r : i;
            p[r] = t.p + row * t.row;
            acc[r] = x[row * x_row];
        }
        for (ptrdiff_t k = 0; k < i; k++) {
            double y = x[k * x_row];
            for (int r = 0; r < R; r++)
                acc[r] = __builtin_fma(-p[r][k * t.term], y, acc[r]);
        }
        for (int r = 0; r < rows; r++) {
            double y = acc[r] * (1.0 / p[r][(i + r) * t.term]);
            x[(i + r) * x_row] = y;
            for (int q = r + 1; q < rows; q++)
                acc[q] = __builtin_fma(-p[q][(i + r) * t.term], y, acc[q]);
        }
    }
}

/* The same where both the elements of x and, for one term, the rows of t lie next to each other, upwards or downwards: the known elements are taken from
 * all later ones as soon as there are four. */
static void solve_contiguous(double *x, ptrdiff_t x_row, rt_factor t, ptrdiff_t n)
{
    enum { R = 4 };
    for (ptrdiff_t i = 0; i < n; i += R) {
        int known = n - i < R ? (int)(n - i) : R;
        double y[R];
        for (int r = 0; r < known; r++) {
            double s = x[(i + r) * x_row];
            for (int q = 0; q < r; q++)
                s = __builtin_fma(-t.p[(i + r) * t.row + (i + q) * t.term], y[q], s);
            y[r] = s * (1.0 / t.p[(i + r) * (t.row + t.term)]);
            x[(i + r) * x_row] = y[r];
        }
        ptrdiff_t left = n - i - R;
        if (left <= 0)
            return;
        /* In the order of memory. */
        double *d = x_row > 0 ? x + i + R : x - (n - 1);
        const double *l[R];
        for (int q = 0; q < R; q++)
            l[q] = t.p + (i + q) * t.term + (t.row > 0 ? i + R : -(n - 1));
        ptrdiff_t e = 0;
        for (; e + RT_W <= left; e += RT_W) {
            rt_vec v = RT_VEC(d + e);
            for (int q = 0; q < R; q++)
                v = rt_vec_sub_product(RT_VEC(l[q] + e), rt_splat(y[q]), v);
            RT_VEC_AT(d + e) = v;
        }
        for (; e < left; e++)
            for (int q = 0; q < R; q++)
                d[e] = __builtin_fma(-l[q][e], y[q], d[e]);
    }
}

/* Columns [j, m) of rows [from, to), whose chains have come as far as row `from`. */
static void solve_rows(double *X, ptrdiff_t x_row, rt_factor t, ptrdiff_t from, ptrdiff_t to, ptrdiff_t m)
{
    for (ptrdiff_t i = from; i < to;) {
        int log_rows = rt_tile_log_rows(to - i), rows = 1 << log_rows;
        double inverse[8];
        for (int r = 0; r < rows; r++)
            inverse[r] = 1.0 / t.p[(i + r) * (t.row + t.term)];
        for (ptrdiff_t j = 0; j < m;) {
            int V = rt_tile_vectors(m - j);
            /* The last tile begins earlier where columns would be missing: what it computes for those done before is dropped. */
            if (V * RT_W > m)
                V--;
            ptrdiff_t start = j + V * RT_W > m ? m - V * RT_W : j;
            solve_table[log_rows][V - 1](X + start, x_row, t, from, i, inverse, (int)(j - start));
            j = start + V * RT_W;
        }
        i += rows;
    }
}

void RT_LV(rt_block_solve)(double *X, ptrdiff_t x_row, rt_factor t, ptrdiff_t n, ptrdiff_t m)
{
    if (m < RT_W) {
        for (ptrdiff_t j = 0; j < m; j++)
            if ((x_row == 1 && t.row == 1) || (x_row == -1 && t.row == -1))
                solve_contiguous(X + j, x_row, t, n);
            else
                solve_column(X + j, x_row, t, n);
        return;
    }
    for (ptrdiff_t from = 0; from < n; from += RT_SOLVE_BLOCK) {
        ptrdiff_t to = n - from < RT_SOLVE_BLOCK + RT_SOLVE_BLOCK / 2 ? n : from + RT_SOLVE_BLOCK;
        solve_rows(X, x_row, t, from, to, m);
        if (to == n)
            return;
        rt_factor below = {t.p + to * t.row + from * t.term, t.row, t.term};
        RT_LV(rt_block_subtract)(X + to * x_row, x_row, below, X + from * x_row, x_row, n - to, m, to - from);
    }
}

/* ---- the factor, in the upper triangle: U' U = A */

/* The first `size` <= R rows and columns of U, in registers; the inverses of the diagonal into inverse.  False if there is no factor. */
RT_INLINE_TILE int factor_corner(double *U, ptrdiff_t row, int size, int R, double *inverse)
{
    double u[8][8];
    for (int i = 0; i < R; i++)
        for (int j = i; j < R; j++)
            u[i][j] = j < size ? U[i * row + j] : i == j ? 1.0 : 0.0;
    for (int i = 0; i < R; i++) {
        if (!(u[i][i] > 0.0) || u[i][i] == __builtin_inf())
            return 0;
        u[i][i] = __builtin_sqrt(u[i][i]);
        inverse[i] = 1.0 / u[i][i];
        for (int j = i + 1; j < R; j++)
            u[i][j] *= inverse[i];
        for (int r = i + 1; r < R; r++)
            for (int j = r; j < R; j++)
                u[r][j] = __builtin_fma(-u[i][r], u[i][j], u[r][j]);
    }
    for (int i = 0; i < size; i++)
        for (int j = i; j < size; j++)
            U[i * row + j] = u[i][j];
    return 1;
}

RT_TILE_CALL int factor_corner_4(double *U, ptrdiff_t row, int size, double *inverse) { return factor_corner(U, row, size, 4, inverse); }
RT_TILE_CALL int factor_corner_8(double *U, ptrdiff_t row, int size, double *inverse) { return factor_corner(U, row, size, 8, inverse); }

int RT_LV(rt_block_factor)(double *U, ptrdiff_t n)
{
    for (ptrdiff_t from = 0; from < n; from += RT_SOLVE_BLOCK) {
        ptrdiff_t to = n - from < RT_SOLVE_BLOCK + RT_SOLVE_BLOCK / 2 ? n : from + RT_SOLVE_BLOCK;
        for (ptrdiff_t i = from; i < to;) {
            int log_rows = rt_tile_log_rows(to - i), rows = 1 << log_rows;
            double *corner = U + i * n + i, inverse[8];
            rt_factor above = {U + from * n + i, 1, n}, t = {U, 1, n};
            /* The corner's vectors may reach into the next row, which is there. */
            update_table[log_rows][rt_tile_vectors(rows) - 1](corner, n, rows, above, above.p, n, i - from);
            if (!(rows > 4 ? factor_corner_8 : factor_corner_4)(corner, n, rows, inverse))
                return 0;
            for (ptrdiff_t j = i + rows; j < n; j += RT_COLS) {
                int V = rt_tile_vectors(n - j);
                ptrdiff_t start = j + V * RT_W > n ? n - V * RT_W : j;
                solve_table[log_rows][V - 1](U + start, n, t, from, i, inverse, (int)(j - start));
            }
            i += rows;
        }
        if (to == n)
            return 1;
        const double *right = U + from * n + to;
        RT_LV(rt_block_subtract_upper)(U + to * n + to, n, (rt_factor){right, 1, n}, right, n, n - to, to - from);
    }
    return 1;
}
