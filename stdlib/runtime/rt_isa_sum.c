/* rt_isa_sum.c: canonical sums and dot products. */
#include "stdlib/runtime/rt_isa_lanes.h"

double RT_LV(rt_k_sum)(const double *e, ptrdiff_t n)
{
    if (n <= RT_SUM_BLOCK)
        return rt_block_sum(e, n);
    rt_summer s;
    rt_summer_init(&s);
    for (ptrdiff_t i = 0; i < n; i += RT_SUM_BLOCK)
        rt_summer_push_block(&s, rt_block_sum(e + i, n - i < RT_SUM_BLOCK ? n - i : RT_SUM_BLOCK));
    return rt_summer_value(&s);
}

/* Level 0 is full: its value becomes a term of level 1. */
static void summer_carry(rt_summer *s)
{
    double block = rt_lanes_halve(s->acc[0], RT_SUM_LANES);
    rt_lanes_clear(s->acc[0]);
    s->count[0] = 0;
    rt_summer_push_block(s, block);
}

void RT_LV(rt_k_sum_push)(rt_summer *s, const double *e, ptrdiff_t n)
{
    while (n > 0) {
        if (s->count[0] == RT_SUM_BLOCK)
            summer_carry(s);
        ptrdiff_t len = RT_SUM_BLOCK - s->count[0];
        len = n < len ? n : len;
        /* Single terms up to lane 0, then whole rounds of lanes. */
        ptrdiff_t head = -s->count[0] & (RT_SUM_LANES - 1);
        head = head < len ? head : len;
        double *lane = s->acc[0] + (s->count[0] & (RT_SUM_LANES - 1));
        for (ptrdiff_t i = 0; i < head; i++)
            lane[i] += e[i];
        rt_lanes_add(s->acc[0], e + head, len - head);
        s->count[0] += (int32_t)len;
        e += len;
        n -= len;
    }
}

static void push_products(rt_summer *s, const double *a, int sa, const double *b, ptrdiff_t n)
{
    while (n > 0) {
        if (s->count[0] == RT_SUM_BLOCK)
            summer_carry(s);
        ptrdiff_t len = RT_SUM_BLOCK - s->count[0];
        len = n < len ? n : len;
        ptrdiff_t head = sa ? -s->count[0] & (RT_SUM_LANES - 1) : len;
        head = head < len ? head : len;
        for (ptrdiff_t i = 0; i < head; i++)
            s->acc[0][(s->count[0] + i) & (RT_SUM_LANES - 1)] += a[sa ? i : 0] * b[i];
        if (head < len)
            rt_lanes_add_products(s->acc[0], a + head, b + head, len - head);
        s->count[0] += (int32_t)len;
        a += sa ? len : 0;
        b += len;
        n -= len;
    }
}

void RT_LV(rt_k_sum_push_columns)(rt_summer *s, const double *a, int sa, const double *B, ptrdiff_t ld, ptrdiff_t count, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < count; j++)
        push_products(s + j, a, sa, B + j * ld, n);
}

static double block_dot_mixed(const double *a, int sa, const double *b, int sb, ptrdiff_t n)
{
    double acc[RT_SUM_LANES];
    rt_lanes_clear(acc);
    for (ptrdiff_t i = 0; i < n; i++)
        acc[i & (RT_SUM_LANES - 1)] += a[sa ? i : 0] * b[sb ? i : 0];
    return rt_lanes_halve(acc, n);
}

double RT_LV(rt_k_dot)(const double *a, int sa, const double *b, int sb, ptrdiff_t n)
{
    if (n <= RT_SUM_BLOCK)
        return sa && sb ? rt_block_dot(a, b, n) : block_dot_mixed(a, sa, b, sb, n);
    rt_summer s;
    rt_summer_init(&s);
    for (ptrdiff_t i = 0; i < n; i += RT_SUM_BLOCK) {
        ptrdiff_t len = n - i < RT_SUM_BLOCK ? n - i : RT_SUM_BLOCK;
        const double *ai = a + (sa ? i : 0), *bi = b + (sb ? i : 0);
        rt_summer_push_block(&s, sa && sb ? rt_block_dot(ai, bi, len) : block_dot_mixed(ai, sa, bi, sb, len));
    }
    return rt_summer_value(&s);
}
