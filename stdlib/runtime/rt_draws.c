/* rt_draws.c: see rt_draws.h. */
#include "stdlib/runtime/rt_draws.h"

#include "stdlib/runtime/rt_kernels.h"

#if defined(__x86_64__)
extern rt_draws_fn rt_draws_v2, rt_draws_v3, rt_draws_v4;
#else
extern rt_draws_fn rt_draws_generic;
#endif

rt_draws_fn *rt_draws_for(int level)
{
#if defined(__x86_64__)
    const int found = rt_kernels_for(level)->level;
    return found >= 4 ? rt_draws_v4 : found == 3 ? rt_draws_v3 : rt_draws_v2;
#else
    (void)level;
    return rt_draws_generic;
#endif
}

void rt_draw_normals(double *d, uint64_t key, uint32_t site, size_t n)
{
    enum { PIECE = 64 };
    rt_draws_fn *const draws = rt_draws_for(0);
    const int64_t own = (int64_t)key;
    int64_t index[PIECE];
    for (size_t first = 0; first < n; first += PIECE) {
        const size_t m = n - first < PIECE ? n - first : PIECE;
        for (size_t k = 0; k < m; k++) index[k] = (int64_t)(first + k);
        draws(d + first, RT_DRAW_NORMAL, site, &own, 0, index, 1, (ptrdiff_t)m);
    }
}
