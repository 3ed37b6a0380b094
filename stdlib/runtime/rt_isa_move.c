/* rt_isa_move.c: gathers, scatters, strided and constant columns. */
#include "stdlib/runtime/rt_isa.h"

void RT_LV(rt_k_copy)(double *d, const double *a, ptrdiff_t n)
{
    RT_INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) d[i] = a[i];
}

void RT_LV(rt_k_fill)(double *d, double v, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        d[i] = v;
}

void RT_LV(rt_k_ifill)(int64_t *d, int64_t v, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        d[i] = v;
}

void RT_LV(rt_k_iota)(int64_t *d, int64_t first, int64_t step, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        d[i] = (int64_t)((uint64_t)first + (uint64_t)step * (uint64_t)i);
}

void RT_LV(rt_k_gather)(double *d, const double *base, const int64_t *idx, ptrdiff_t n)
{
    RT_INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) d[i] = base[idx[i]];
}

void RT_LV(rt_k_igather)(int64_t *d, const int64_t *base, const int64_t *idx, ptrdiff_t n)
{
    RT_INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) d[i] = base[idx[i]];
}

void RT_LV(rt_k_load_strided)(double *d, const double *base, ptrdiff_t stride, ptrdiff_t n)
{
    RT_INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) d[i] = base[i * stride];
}

void RT_LV(rt_k_iload_strided)(int64_t *d, const int64_t *base, ptrdiff_t stride, ptrdiff_t n)
{
    RT_INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) d[i] = base[i * stride];
}

void RT_LV(rt_k_store_strided)(double *base, ptrdiff_t stride, const double *a, int sa, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        base[i * stride] = a[sa ? i : 0];
}

void RT_LV(rt_k_add_strided)(double *base, ptrdiff_t stride, const double *a, int sa, ptrdiff_t n)
{
    RT_INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) base[i * stride] += a[sa ? i : 0];
}

void RT_LV(rt_k_scatter)(double *base, const int64_t *idx, const double *a, int sa, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        base[idx[i]] = a[sa ? i : 0];
}

/* Keys may repeat, so the order of i is the order of the additions. */
void RT_LV(rt_k_scatter_add)(double *base, const int64_t *idx, const double *a, int sa, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        base[idx[i]] += a[sa ? i : 0];
}
