/* rt_isa_tile.h: eight columns of a matrix product's row at once, each element a canonical sum over k.
 *
 * out[r][j] = S_k a(r, k) b(k, j), j < 8, for a few rows r.  A vector holds the same lane of the eight sums, so the lanes' tree needs no shuffles. */
#ifndef RT_ISA_TILE_H
#define RT_ISA_TILE_H

#include "stdlib/runtime/rt_isa_lanes.h"

/* An operand with element (i, k) at p[i * row + k * col]. */
typedef struct rt_view {
    const double *p;
    ptrdiff_t row, col;
} rt_view;

/* Eight elements b(k, 0..7), of which the first w exist; the others are 0 and not read. */
static inline void rt_tile_load(rt_v8 *v, const double *p, ptrdiff_t col, int w)
{
    if (col == 1 && w == 8) {
        *v = RT_V8(p);
    } else {
        rt_v8 t = {0};
        for (int j = 0; j < w; j++)
            t[j] = p[j * col];
        *v = t;
    }
}

/* One block of n <= RT_SUM_BLOCK terms for ROWS rows of a; full says that b's rows are contiguous and eight wide. */
#define RT_DEFINE_TILE(NAME, ROWS)                                                                                                     \
    static inline __attribute__((always_inline)) void NAME##_body(rt_v8 *out, rt_view a, rt_view b, ptrdiff_t n, int w, int full)      \
    {                                                                                                                                  \
        rt_v8 acc[RT_SUM_LANES][ROWS];                                                                                                 \
        ptrdiff_t first = n < RT_SUM_LANES ? n : RT_SUM_LANES;                                                                         \
        ptrdiff_t lanes = 1;                                                                                                           \
        while (lanes < first)                                                                                                          \
            lanes *= 2;                                                                                                                \
        rt_v8 zero = {0};                                                                                                              \
        for (ptrdiff_t k = 0; k < first; k++) {                                                                                        \
            rt_v8 v;                                                                                                                   \
            rt_tile_load(&v, b.p + k * b.row, full ? 1 : b.col, full ? 8 : w);                                                         \
            for (int r = 0; r < ROWS; r++)                                                                                             \
                acc[k][r] = zero + a.p[r * a.row + k * a.col] * v;                                                                     \
        }                                                                                                                              \
        for (ptrdiff_t k = first; k < lanes; k++)                                                                                      \
            for (int r = 0; r < ROWS; r++)                                                                                             \
                acc[k][r] = zero;                                                                                                      \
        for (ptrdiff_t k0 = RT_SUM_LANES; k0 < n; k0 += RT_SUM_LANES) {                                                                \
            ptrdiff_t len = n - k0 < RT_SUM_LANES ? n - k0 : RT_SUM_LANES;                                                             \
            const double *ap = a.p + k0 * a.col, *bp = b.p + k0 * b.row;                                                               \
            for (ptrdiff_t l = 0; l < len; l++, ap += a.col, bp += b.row) {                                                            \
                rt_v8 v;                                                                                                               \
                rt_tile_load(&v, bp, full ? 1 : b.col, full ? 8 : w);                                                                  \
                for (int r = 0; r < ROWS; r++)                                                                                         \
                    acc[l][r] += ap[r * a.row] * v;                                                                                    \
            }                                                                                                                          \
        }                                                                                                                              \
        if (n <= 0)                                                                                                                    \
            for (int r = 0; r < ROWS; r++)                                                                                             \
                acc[0][r] = zero;                                                                                                      \
        for (ptrdiff_t h = lanes / 2; h > 0; h /= 2)                                                                                   \
            for (ptrdiff_t l = 0; l < h; l++)                                                                                          \
                for (int r = 0; r < ROWS; r++)                                                                                         \
                    acc[l][r] += acc[l + h][r];                                                                                        \
        for (int r = 0; r < ROWS; r++)                                                                                                 \
            out[r] = acc[0][r];                                                                                                        \
    }                                                                                                                                  \
    static __attribute__((noinline)) void NAME##_block(rt_v8 *out, rt_view a, rt_view b, ptrdiff_t n, int w)                           \
    {                                                                                                                                  \
        if (b.col == 1 && w == 8)                                                                                                      \
            NAME##_body(out, a, b, n, 8, 1);                                                                                           \
        else                                                                                                                           \
            NAME##_body(out, a, b, n, w, 0);                                                                                           \
    }                                                                                                                                  \
    /* n terms, however many.  Up to 2^24 by vectors over the blocks' sums; beyond, the blocks go through one summer per element. */   \
    static void NAME(rt_v8 *out, rt_view a, rt_view b, ptrdiff_t n, int w)                                                             \
    {                                                                                                                                  \
        if (n <= RT_SUM_BLOCK) {                                                                                                       \
            NAME##_block(out, a, b, n, w);                                                                                             \
            return;                                                                                                                    \
        }                                                                                                                              \
        for (int r = 0; r < ROWS; r++) {                                                                                               \
            rt_v8 zero = {0};                                                                                                          \
            out[r] = zero;                                                                                                             \
        }                                                                                                                              \
        if (n > (ptrdiff_t)RT_SUM_BLOCK * RT_SUM_BLOCK) {                                                                              \
            for (int r = 0; r < ROWS; r++)                                                                                             \
                for (int j = 0; j < w; j++)                                                                                            \
                    out[r][j] = rt_view_dot(a.p + r * a.row, a.col, b.p + j * b.col, b.row, n);                                        \
            return;                                                                                                                    \
        }                                                                                                                              \
        rt_v8 acc[RT_SUM_LANES][ROWS];                                                                                                 \
        for (int l = 0; l < RT_SUM_LANES; l++)                                                                                         \
            for (int r = 0; r < ROWS; r++)                                                                                             \
                acc[l][r] = out[r];                                                                                                    \
        int lane = 0;                                                                                                                  \
        for (ptrdiff_t k = 0; k < n; k += RT_SUM_BLOCK) {                                                                              \
            rt_view ak = {a.p + k * a.col, a.row, a.col}, bk = {b.p + k * b.row, b.row, b.col};                                        \
            NAME##_block(out, ak, bk, n - k < RT_SUM_BLOCK ? n - k : RT_SUM_BLOCK, w);                                                 \
            for (int r = 0; r < ROWS; r++)                                                                                             \
                acc[lane][r] += out[r];                                                                                                \
            lane = (lane + 1) & (RT_SUM_LANES - 1);                                                                                    \
        }                                                                                                                              \
        for (int h = RT_SUM_LANES / 2; h > 0; h /= 2)                                                                                  \
            for (int l = 0; l < h; l++)                                                                                                \
                for (int r = 0; r < ROWS; r++)                                                                                         \
                    acc[l][r] += acc[l + h][r];                                                                                        \
        for (int r = 0; r < ROWS; r++)                                                                                                 \
            out[r] = acc[0][r];                                                                                                        \
    }

/* S_k a[k sa] b[k sb], for any strides and any n. */
static inline double rt_view_dot(const double *a, ptrdiff_t sa, const double *b, ptrdiff_t sb, ptrdiff_t n)
{
    double acc[RT_SUM_LANES];
    if (n <= RT_SUM_BLOCK) {
        if (sa == 1 && sb == 1)
            return rt_block_dot(a, b, n);
        rt_lanes_clear(acc);
        for (ptrdiff_t k = 0; k < n; k++)
            acc[k & (RT_SUM_LANES - 1)] += a[k * sa] * b[k * sb];
        return rt_lanes_halve(acc, n);
    }
    rt_summer s;
    rt_summer_init(&s);
    for (ptrdiff_t k0 = 0; k0 < n; k0 += RT_SUM_BLOCK) {
        ptrdiff_t len = n - k0 < RT_SUM_BLOCK ? n - k0 : RT_SUM_BLOCK;
        rt_lanes_clear(acc);
        if (sa == 1 && sb == 1)
            rt_lanes_add_products(acc, a + k0, b + k0, len);
        else
            for (ptrdiff_t k = 0; k < len; k++)
                acc[k & (RT_SUM_LANES - 1)] += a[(k0 + k) * sa] * b[(k0 + k) * sb];
        rt_summer_push_block(&s, rt_lanes_halve(acc, len));
    }
    return rt_summer_value(&s);
}

static inline void rt_tile_store(double *p, const rt_v8 *v, int w)
{
    if (w == 8)
        RT_V8_AT(p) = *v;
    else
        for (int j = 0; j < w; j++)
            p[j] = (*v)[j];
}

#endif
