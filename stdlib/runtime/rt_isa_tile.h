/* rt_isa_tile.h: eight columns of x' B at once, each element a canonical sum over the rows of B.
 *
 * out[j] = S_k x[k] B(k, j), j < 8.  A vector holds the same lane of neighbouring sums, so the lanes' tree needs no shuffles. */
#ifndef RT_ISA_TILE_H
#define RT_ISA_TILE_H

#include "stdlib/runtime/rt_isa_lanes.h"

enum { RT_TILE = 8, RT_TV = RT_TILE / RT_W };

typedef int64_t rt_bits __attribute__((vector_size(RT_W * 8)));

/* Eight elements. */
typedef struct rt_tile_row {
    rt_vec v[RT_TV];
} rt_tile_row;

#define RT_INLINE static inline __attribute__((always_inline, unused))

/* Elements p[0..8), of which the first w exist; the others are 0 and not read. */
RT_INLINE void rt_tile_load(rt_tile_row *t, const double *p, int w)
{
    if (w == RT_TILE) {
        for (int v = 0; v < RT_TV; v++)
            t->v[v] = RT_VEC(p + v * RT_W);
    } else {
        double e[RT_TILE] = {0};
        for (int j = 0; j < w; j++)
            e[j] = p[j];
        for (int v = 0; v < RT_TV; v++)
            t->v[v] = RT_VEC(e + v * RT_W);
    }
}

/* The same where eight elements may be read: what is not the row's own becomes 0. */
RT_INLINE void rt_tile_load_narrow(rt_tile_row *t, const double *p, const rt_bits *own)
{
    for (int v = 0; v < RT_TV; v++)
        t->v[v] = (rt_vec)((rt_bits)RT_VEC(p + v * RT_W) & own[v]);
}

RT_INLINE void rt_tile_store(double *p, const rt_tile_row *t, int w)
{
    if (w == RT_TILE) {
        for (int v = 0; v < RT_TV; v++)
            RT_VEC_AT(p + v * RT_W) = t->v[v];
    } else {
        double e[RT_TILE];
        for (int v = 0; v < RT_TV; v++)
            RT_VEC_AT(e + v * RT_W) = t->v[v];
        for (int j = 0; j < w; j++)
            p[j] = e[j];
    }
}

RT_INLINE void rt_tile_term(rt_tile_row *acc, double x, const rt_tile_row *t)
{
    for (int v = 0; v < RT_TV; v++)
        acc->v[v] += x * t->v[v];
}

RT_INLINE void rt_tile_zero(rt_tile_row *acc)
{
    for (int v = 0; v < RT_TV; v++)
        acc->v[v] = (rt_vec){0};
}

RT_INLINE void rt_tile_halve(rt_tile_row *acc, int h)
{
    for (int i = 0; i < h; i++)
        for (int v = 0; v < RT_TV; v++)
            acc[i].v[v] += acc[i + h].v[v];
}

/* One block of n <= RT_SUM_BLOCK terms; full says that w is 8, and is a constant. */
RT_INLINE void rt_tile_body(rt_tile_row *out, const double *x, const double *b, ptrdiff_t b_row, ptrdiff_t n, int w, int full)
{
    rt_tile_row acc[RT_SUM_LANES], t;
    if (full)
        w = RT_TILE;
    if (n <= 8) {
        /* Unrolled, in registers. */
        for (int k = 0; k < 8; k++) {
            rt_tile_zero(acc + k);
            if (k < n) {
                rt_tile_load(&t, b + k * b_row, w);
                rt_tile_term(acc + k, x[k], &t);
            }
        }
        if (n > 4)
            rt_tile_halve(acc, 4);
        rt_tile_halve(acc, 2);
        rt_tile_halve(acc, 1);
    } else {
        int lanes = n > 16 ? 32 : 16;
        /* Narrow rows gathered element by element would stall on the stores, so they are read eight wide as long as that stays before the end of
         * the last row. */
        ptrdiff_t wide = 0;
        rt_bits own[RT_TV];
        if (!full) {
            ptrdiff_t room = (n - 1) * b_row + w - RT_TILE;
            wide = room >= 0 ? room / b_row + 1 : 0;
            for (int j = 0; j < RT_TILE; j++)
                own[j / RT_W][j % RT_W] = j < w ? -1 : 0;
        }
        for (int k = 0; k < lanes; k++)
            rt_tile_zero(acc + k);
        for (ptrdiff_t k0 = 0; k0 < n; k0 += RT_SUM_LANES) {
            int len = n - k0 < RT_SUM_LANES ? (int)(n - k0) : RT_SUM_LANES;
            const double *bp = b + k0 * b_row;
            for (int l = 0; l < len; l++, bp += b_row) {
                if (!full && k0 + l < wide)
                    rt_tile_load_narrow(&t, bp, own);
                else
                    rt_tile_load(&t, bp, w);
                rt_tile_term(acc + l, x[k0 + l], &t);
            }
        }
        if (lanes == 32)
            rt_tile_halve(acc, 16);
        rt_tile_halve(acc, 8);
        rt_tile_halve(acc, 4);
        rt_tile_halve(acc, 2);
        rt_tile_halve(acc, 1);
    }
    *out = acc[0];
}

static __attribute__((noinline, unused)) void rt_tile_block(rt_tile_row *out, const double *x, const double *b, ptrdiff_t b_row, ptrdiff_t n, int w)
{
    if (w == RT_TILE)
        rt_tile_body(out, x, b, b_row, n, w, 1);
    else
        rt_tile_body(out, x, b, b_row, n, w, 0);
}

/* S_k a[k sa] b[k sb] of one block, for any strides. */
RT_INLINE double rt_view_block_dot(const double *a, ptrdiff_t sa, const double *b, ptrdiff_t sb, ptrdiff_t n)
{
    double acc[RT_SUM_LANES];
    rt_lanes_clear(acc);
    if (sa == 1 && sb == 1)
        rt_lanes_add_products(acc, a, b, n);
    else
        for (ptrdiff_t k = 0; k < n; k++)
            acc[k & (RT_SUM_LANES - 1)] += a[k * sa] * b[k * sb];
    return rt_lanes_halve(acc, n);
}

/* S_k a[k sa] b[k sb], for any strides and any n.  A few terms need no lanes; the final + 0.0 is what makes a sum of negative zeros +0.0. */
static inline double rt_view_dot(const double *a, ptrdiff_t sa, const double *b, ptrdiff_t sb, ptrdiff_t n)
{
    if (n <= 4) {
        double p0 = n > 0 ? a[0] * b[0] : 0.0;
        double p1 = n > 1 ? a[sa] * b[sb] : 0.0;
        double p2 = n > 2 ? a[2 * sa] * b[2 * sb] : 0.0;
        double p3 = n > 3 ? a[3 * sa] * b[3 * sb] : 0.0;
        return ((p0 + p2) + (p1 + p3)) + 0.0;
    }
    if (n <= 8) {
        double p4 = a[4 * sa] * b[4 * sb];
        double p5 = n > 5 ? a[5 * sa] * b[5 * sb] : 0.0;
        double p6 = n > 6 ? a[6 * sa] * b[6 * sb] : 0.0;
        double p7 = n > 7 ? a[7 * sa] * b[7 * sb] : 0.0;
        double q0 = a[0] * b[0] + p4, q1 = a[sa] * b[sb] + p5;
        double q2 = a[2 * sa] * b[2 * sb] + p6, q3 = a[3 * sa] * b[3 * sb] + p7;
        return ((q0 + q2) + (q1 + q3)) + 0.0;
    }
    if (n <= RT_SUM_BLOCK)
        return rt_view_block_dot(a, sa, b, sb, n);
    rt_summer s;
    rt_summer_init(&s);
    for (ptrdiff_t k = 0; k < n; k += RT_SUM_BLOCK)
        rt_summer_push_block(&s, rt_view_block_dot(a + k * sa, sa, b + k * sb, sb, n - k < RT_SUM_BLOCK ? n - k : RT_SUM_BLOCK));
    return rt_summer_value(&s);
}

/* out[j] for n terms, however many.  Up to 2^24 terms by vectors over the blocks' sums, beyond by a summer per element. */
static __attribute__((unused)) void rt_tile(rt_tile_row *out, const double *x, const double *b, ptrdiff_t b_row, ptrdiff_t n, int w)
{
    if (n <= RT_SUM_BLOCK) {
        rt_tile_block(out, x, b, b_row, n, w);
        return;
    }
    if (n > (ptrdiff_t)RT_SUM_BLOCK * RT_SUM_BLOCK) {
        double e[RT_TILE] = {0};
        for (int j = 0; j < w; j++)
            e[j] = rt_view_dot(x, 1, b + j, b_row, n);
        for (int v = 0; v < RT_TV; v++)
            out->v[v] = RT_VEC(e + v * RT_W);
        return;
    }
    rt_tile_row acc[RT_SUM_LANES];
    for (int l = 0; l < RT_SUM_LANES; l++)
        rt_tile_zero(acc + l);
    int lane = 0;
    for (ptrdiff_t k = 0; k < n; k += RT_SUM_BLOCK) {
        rt_tile_block(out, x + k, b + k * b_row, b_row, n - k < RT_SUM_BLOCK ? n - k : RT_SUM_BLOCK, w);
        for (int v = 0; v < RT_TV; v++)
            acc[lane].v[v] += out->v[v];
        lane = (lane + 1) & (RT_SUM_LANES - 1);
    }
    for (int h = RT_SUM_LANES / 2; h > 0; h /= 2)
        rt_tile_halve(acc, h);
    *out = acc[0];
}

#endif
