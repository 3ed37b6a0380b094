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
