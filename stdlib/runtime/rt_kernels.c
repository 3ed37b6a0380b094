/* rt_kernels.c: choice of the instruction-set level. */
#include "stdlib/runtime/rt_kernels.h"

#if defined(__x86_64__)

int rt_isa_best(void)
{
    int v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    int v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return v3 && v4 ? 4 : v3 ? 3 : 2;
}

const rt_kernels *rt_kernels_for(int level)
{
    int best = rt_isa_best();
    if (level <= 0 || level > best)
        level = best;
    return level >= 4 ? &rt_kernels_v4 : level == 3 ? &rt_kernels_v3 : &rt_kernels_v2;
}

#else

int rt_isa_best(void)
{
    return 1;
}

const rt_kernels *rt_kernels_for(int level)
{
    (void)level;
    return &rt_kernels_generic;
}

#endif
