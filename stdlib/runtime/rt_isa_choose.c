/* rt_isa_choose.c: draws of many finite unknowns at once, each from log weights of its own.
 *
 * States follow each other, and a pass over one is a loop over elements: the largest weight, the weights, and how many running sums do not pass the threshold u * total. */
#include "stdlib/runtime/rt_isa_philox.h"

#include "stdlib/runtime/rt_math.h"

enum { PIECE = 256 }; /* elements whose few columns stay in the first-level cache */

/* rt_u01 of eight numbers: 1 + k 2^-52 less 1 - 2^-53, which is exact. */
RT_INLINE rt_vd u01(rt_vw bits) { return (rt_vd)(bits >> 12 | rt_vw_all(0x3FF0000000000000u)) - (1.0 - 0x1p-53); }

/* The bits of eight addresses, their indices in i; half[0] and half[1] are the uniforms of rt_draw_uniform_packed. */
RT_INLINE void packed(uint64_t key, uint32_t site, rt_vw i, rt_vd half[2])
{
    rt_vw x[4] = {rt_vw_all(0), rt_vw_all(site), i, i >> 32};
    const rt_vw low = rt_vw_all(0xFFFFFFFFu);
    rt_philox8(rt_vw_all(key), x);
    half[0] = u01((x[0] & low) | x[1] << 32);
    half[1] = u01((x[2] & low) | x[3] << 32);
}

/* Uniforms of elements first .. first + n - 1, whole blocks of 16 of them: returns where in u the first is. */
static const double *uniforms_in_order(double u[PIECE + 32], uint64_t key, uint32_t site, uint64_t first, ptrdiff_t n)
{
    const uint64_t from = first / 16;
    const ptrdiff_t shift = (ptrdiff_t)(first % 16);
    for (ptrdiff_t at = 0; at < shift + n; at += 16) {
        rt_vd half[2];
        packed(key, site, rt_vw_all(8 * (from + (uint64_t)at / 16)) + (rt_vw){0, 1, 2, 3, 4, 5, 6, 7}, half);
        *(rt_vd *)(u + at) = half[0];
        *(rt_vd *)(u + at + 8) = half[1];
    }
    return u + shift;
}

static const double *uniforms_of(double u[PIECE + 32], uint64_t key, uint32_t site, const int64_t *index, ptrdiff_t n)
{
    for (ptrdiff_t at = 0; at < n; at += 8) {
        rt_vw e, second;
        rt_vd half[2];
        for (ptrdiff_t i = 0; i < 8; i++) e[i] = (uint64_t)index[at + i < n ? at + i : n - 1];
        packed(key, site, (e >> 4 << 3) | (e & 7), half);
        second = -(e >> 3 & 1);
        *(rt_vw *)(u + at) = ((rt_vw)half[0] & ~second) | ((rt_vw)half[1] & second);
    }
    return u;
}

/* What is no number, and what is too large for one, is impossible. */
static inline double possible(double w) { return w < RT_INF ? w : -RT_INF; }

/* Numbers of the states of n elements, -1 where none is possible; 1 if there was a NaN. */
static int choose_piece(int64_t *choice, double *lw, ptrdiff_t states, ptrdiff_t ld, ptrdiff_t n, const double *u)
{
    double top[PIECE], t[PIECE];
    const double *last = lw + (states - 1) * ld;
    int64_t nan = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        nan |= lw[i] != lw[i];
        top[i] = possible(lw[i]);
    }
    for (ptrdiff_t s = 1; s < states; s++) {
        const double *w = lw + s * ld;
        for (ptrdiff_t i = 0; i < n; i++) {
            const double x = possible(w[i]);
            nan |= w[i] != w[i];
            top[i] = x > top[i] ? x : top[i];
        }
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        top[i] = top[i] > -RT_INF ? top[i] : 0.0;
        lw[i] = rt_exp(possible(lw[i]) - top[i]);
    }
    for (ptrdiff_t s = 1; s < states; s++) {
        double *w = lw + s * ld;
        const double *before = w - ld;
        for (ptrdiff_t i = 0; i < n; i++) w[i] = before[i] + rt_exp(possible(w[i]) - top[i]);
    }
    /* u < 1, so the last running sum passes. */
    for (ptrdiff_t i = 0; i < n; i++) {
        t[i] = u[i] * last[i];
        choice[i] = states > 1 && lw[i] <= t[i];
    }
    for (ptrdiff_t s = 1; s + 1 < states; s++) {
        const double *w = lw + s * ld;
        for (ptrdiff_t i = 0; i < n; i++) choice[i] += w[i] <= t[i];
    }
    for (ptrdiff_t i = 0; i < n; i++) choice[i] = t[i] > 0.0 ? choice[i] : -1; /* the largest weight is 1, and u > 0 */
    return nan != 0;
}

int RT_LV(rt_k_choose)(int64_t *value, double *lw, ptrdiff_t n, const rt_choices *c)
{
    double u[PIECE + 32] __attribute__((aligned(64)));
    int64_t choice[PIECE];
    const int64_t lowest = c->lowest, step = c->step;
    int nan = 0;
    for (ptrdiff_t at = 0; at < n; at += PIECE) {
        const ptrdiff_t m = n - at < PIECE ? n - at : PIECE;
        if (c->index) {
            const int64_t *index = c->index + at;
            nan |= choose_piece(choice, lw + at, c->states, c->ld, m, uniforms_of(u, c->key, c->site, index, m));
            for (ptrdiff_t i = 0; i < m; i++) value[index[i]] = choice[i] >= 0 ? lowest + step * choice[i] : value[index[i]];
        } else {
            int64_t *here = value + c->first + at;
            nan |= choose_piece(choice, lw + at, c->states, c->ld, m, uniforms_in_order(u, c->key, c->site, (uint64_t)(c->first + at), m));
            for (ptrdiff_t i = 0; i < m; i++) here[i] = choice[i] >= 0 ? lowest + step * choice[i] : here[i];
        }
    }
    return nan;
}
