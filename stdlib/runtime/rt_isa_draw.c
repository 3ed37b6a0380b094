/* rt_isa_draw.c: columns of draws by inversion, with the bits that rt_draw_uniform, _normal and _exponential have at each address. */
#include "stdlib/runtime/rt_draws.h"
#include "stdlib/runtime/rt_invert.h"
#include "stdlib/runtime/rt_isa_philox.h"

enum { PIECE = 256 }; /* addresses whose bits stay in the first-level cache */

/* The 128 bits of n addresses: the first 64 in w, the others in more. */
static void bits_of(uint64_t w[PIECE], uint64_t more[PIECE], uint32_t site, const int64_t *key, int sk, const int64_t *index, int si, ptrdiff_t n)
{
    const rt_vw low = rt_vw_all(0xFFFFFFFFu);
    for (ptrdiff_t at = 0; at < n; at += 8) {
        rt_vw k, i;
        for (ptrdiff_t l = 0; l < 8; l++) {
            const ptrdiff_t e = at + l < n ? at + l : n - 1;
            k[l] = (uint64_t)key[e * sk];
            i[l] = (uint64_t)index[e * si];
        }
        rt_vw x[4] = {rt_vw_all(0), rt_vw_all(site), i, i >> 32};
        rt_philox8(k, x);
        *(rt_vw *)(w + at) = (x[0] & low) | x[1] << 32;
        *(rt_vw *)(more + at) = (x[2] & low) | x[3] << 32;
    }
}

rt_draws_fn RT_LV(rt_draws);
void RT_LV(rt_draws)(double *d, rt_draw_kind kind, uint32_t site, const int64_t *key, int sk, const int64_t *index, int si, ptrdiff_t n)
{
    uint64_t w[PIECE] __attribute__((aligned(64))), more[PIECE] __attribute__((aligned(64)));
    for (ptrdiff_t first = 0; first < n; first += PIECE) {
        const ptrdiff_t m = n - first < PIECE ? n - first : PIECE;
        double *to = d + first;
        bits_of(w, more, site, key + first * sk, sk, index + first * si, si, m);
        if (kind == RT_DRAW_UNIFORM) {
            RT_INDEPENDENT for (ptrdiff_t l = 0; l < m; l++) to[l] = rt_u01(w[l]);
        } else if (kind == RT_DRAW_NORMAL) {
            RT_INDEPENDENT for (ptrdiff_t l = 0; l < m; l++) to[l] = rt_normal_of(rt_tail_of(w[l], more[l]));
        } else {
            RT_INDEPENDENT for (ptrdiff_t l = 0; l < m; l++) to[l] = rt_exponential_of(rt_tail_of(w[l], more[l]));
        }
    }
}
