/* rt_isa_block.h: register tiles of matrices, the inner loops of products, factors and triangular solves.
 *
 * Every element of a result is one chain of fma in an order that the operation defines (rt_kernels.h).  A tile holds R rows of up to V vectors of
 * columns in registers and walks along the chains, all elements in step.  How large tiles are, and where a chain is put down in memory and taken up
 * again, is a matter of speed: a double in memory is the double in the register. */
#ifndef RT_ISA_BLOCK_H
#define RT_ISA_BLOCK_H

#include "stdlib/runtime/rt_isa_lanes.h"

#define RT_INLINE_TILE static inline __attribute__((always_inline, unused))
#define RT_TILE_CALL static __attribute__((noinline, unused))

/* The largest tile: its accumulators, a row of operands and one factor fill the vector registers of the level. */
enum { RT_ROWS = RT_W == 8 ? 8 : 4, RT_VECS = 3, RT_COLS = RT_VECS * RT_W };

/* Rows of the scalar operand that are read again and again, RT_CHAIN_TERMS of each: they stay in the second-level cache.  With fewer rows than
 * RT_PACK_ROWS a panel of the other operand is read where it stands. */
enum { RT_CACHED_ROWS = 256, RT_PACK_ROWS = 40 };

/* Rows of a triangle that are solved for before the rows below hear of them. */
enum { RT_SOLVE_BLOCK = 96 };

/* An operand that is read as scalars: element (row i, term k) at p[i row + k term]. */
typedef struct rt_factor {
    const double *p;
    ptrdiff_t row, term;
} rt_factor;

RT_INLINE_TILE rt_vec rt_splat(double x)
{
    return x - (rt_vec){0};
}

/* c + a b and c - a b, rounded once. */
#if defined(__AVX512F__) && !defined(__clang__)
typedef double rt_reg __attribute__((vector_size(64)));
RT_INLINE_TILE rt_vec rt_vec_add_product(rt_vec a, rt_vec b, rt_vec c)
{
    return (rt_vec)__builtin_ia32_vfmaddpd512_mask((rt_reg)a, (rt_reg)b, (rt_reg)c, (unsigned char)-1, 4);
}
RT_INLINE_TILE rt_vec rt_vec_sub_product(rt_vec a, rt_vec b, rt_vec c)
{
    return (rt_vec)__builtin_ia32_vfnmaddpd512_mask((rt_reg)a, (rt_reg)b, (rt_reg)c, (unsigned char)-1, 4);
}
#elif defined(__FMA__) && !defined(__clang__)
typedef double rt_reg __attribute__((vector_size(32)));
RT_INLINE_TILE rt_vec rt_vec_add_product(rt_vec a, rt_vec b, rt_vec c)
{
    return (rt_vec)__builtin_ia32_vfmaddpd256((rt_reg)a, (rt_reg)b, (rt_reg)c);
}
RT_INLINE_TILE rt_vec rt_vec_sub_product(rt_vec a, rt_vec b, rt_vec c)
{
    return (rt_vec)__builtin_ia32_vfnmaddpd256((rt_reg)a, (rt_reg)b, (rt_reg)c);
}
#elif defined(__FMA__)
RT_INLINE_TILE rt_vec rt_vec_add_product(rt_vec a, rt_vec b, rt_vec c) { return __builtin_elementwise_fma(a, b, c); }
RT_INLINE_TILE rt_vec rt_vec_sub_product(rt_vec a, rt_vec b, rt_vec c) { return __builtin_elementwise_fma(-a, b, c); }
#else
/* Without the instruction each lane is a call; kept out of line, for a tile has dozens. */
RT_TILE_CALL rt_vec rt_vec_add_product(rt_vec a, rt_vec b, rt_vec c)
{
    for (int l = 0; l < RT_W; l++)
        c[l] = __builtin_fma(a[l], b[l], c[l]);
    return c;
}
RT_INLINE_TILE rt_vec rt_vec_sub_product(rt_vec a, rt_vec b, rt_vec c) { return rt_vec_add_product(-a, b, c); }
#endif

/* Rows of the next tile where `left` are to be done: 8, 4, 2 or 1, as its logarithm. */
static inline int rt_tile_log_rows(ptrdiff_t left)
{
    return left >= 8 && RT_ROWS == 8 ? 3 : left >= 4 ? 2 : left >= 2 ? 1 : 0;
}

static inline int rt_tile_vectors(ptrdiff_t columns)
{
    return columns >= RT_COLS ? RT_VECS : (int)((columns + RT_W - 1) / RT_W);
}

/* acc[r][v] -+= a(r, k) b(k, v) over n terms; b holds rows of V vectors, b_term apart. */
RT_INLINE_TILE void rt_tile_chain(rt_vec acc[][RT_VECS], int R, int V, int subtract, rt_factor a, const double *b, ptrdiff_t b_term, ptrdiff_t n)
{
    const double *ap = a.p;
    for (ptrdiff_t k = 0; k < n; k++, ap += a.term, b += b_term) {
        rt_vec t[RT_VECS];
        for (int v = 0; v < V; v++)
            t[v] = RT_VEC(b + v * RT_W);
        for (int r = 0; r < R; r++) {
            rt_vec x = rt_splat(ap[r * a.row]);
            for (int v = 0; v < V; v++)
                acc[r][v] = subtract ? rt_vec_sub_product(x, t[v], acc[r][v]) : rt_vec_add_product(x, t[v], acc[r][v]);
        }
    }
}

/* The lanes [from, to) of V vectors. */
RT_INLINE_TILE void rt_store_lanes(double *p, const rt_vec *x, int V, int from, int to)
{
    if (from == 0 && to == V * RT_W) {
        for (int v = 0; v < V; v++)
            RT_VEC_AT(p + v * RT_W) = x[v];
        return;
    }
    double e[RT_COLS];
    for (int v = 0; v < V; v++)
        RT_VEC_AT(e + v * RT_W) = x[v];
    for (int l = from; l < to; l++)
        p[l] = e[l];
}

RT_INLINE_TILE void rt_load_lanes(rt_vec *x, const double *p, int V, int w)
{
    if (w == V * RT_W) {
        for (int v = 0; v < V; v++)
            x[v] = RT_VEC(p + v * RT_W);
        return;
    }
    double e[RT_COLS];
    for (int l = 0; l < V * RT_W; l++)
        e[l] = l < w ? p[l] : 0.0;
    for (int v = 0; v < V; v++)
        x[v] = RT_VEC(e + v * RT_W);
}

/* Copies w columns of `terms` rows, with zeros up to V vectors: what a tile reads then is contiguous, whatever the distance of the rows. */
RT_INLINE_TILE void rt_pack_vectors(double *panel, const double *b, ptrdiff_t b_row, ptrdiff_t terms, int V, int w)
{
    for (ptrdiff_t t = 0; t < terms; t++) {
        rt_vec x[RT_VECS];
        rt_load_lanes(x, b + t * b_row, V, w);
        for (int v = 0; v < V; v++)
            RT_VEC_AT(panel + (t * V + v) * RT_W) = x[v];
    }
}
RT_INLINE_TILE void rt_pack_rows(double *panel, const double *b, ptrdiff_t b_row, ptrdiff_t terms, int V, int w)
{
    if (w == RT_COLS)
        rt_pack_vectors(panel, b, b_row, terms, RT_VECS, RT_COLS);
    else if (V == 3)
        rt_pack_vectors(panel, b, b_row, terms, 3, w);
    else if (V == 2)
        rt_pack_vectors(panel, b, b_row, terms, 2, w);
    else
        rt_pack_vectors(panel, b, b_row, terms, 1, w);
}

/* D [cols][rows] = A' for A [rows][cols]: element (i, j) of A at a[i a_row + j]. */
void RT_LV(rt_block_transpose)(double *D, ptrdiff_t d_row, const double *A, ptrdiff_t a_row, ptrdiff_t rows, ptrdiff_t cols);

/* C [m][n] -= A B, the chains of C's elements going on: A(i, k) by a, B [k][n] with rows b_row apart.  C overlaps neither. */
void RT_LV(rt_block_subtract)(double *C, ptrdiff_t c_row, rt_factor a, const double *B, ptrdiff_t b_row, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k);

/* As rt_block_subtract for square C, of which only what lies on or above the diagonal is wanted; the rest of C is left as it is or changed. */
void RT_LV(rt_block_subtract_upper)(double *C, ptrdiff_t c_row, rt_factor a, const double *B, ptrdiff_t b_row, ptrdiff_t n, ptrdiff_t k);

/* Solves in place for the n rows of X [n][m], x_row apart (which may be negative): row i becomes (row i - S_k t(i, k) row k) (1 / t(i, i)), k < i.
 * Apart from its n rows of m it may read up to a vector before or behind row i + 1 .. of a matrix with more rows, never outside the array. */
void RT_LV(rt_block_solve)(double *X, ptrdiff_t x_row, rt_factor t, ptrdiff_t n, ptrdiff_t m);

/* U with U' U = A in the upper triangle of an n x n array, in place of A's; n >= 8.  The lower triangle is read, but not used, and kept.  0 if there is no factor. */
int RT_LV(rt_block_factor)(double *U, ptrdiff_t n);

#endif
