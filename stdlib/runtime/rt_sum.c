/* rt_sum.c: the canonical sum, plainly; rt_isa_sum.c has the fast bodies. */
#include "stdlib/runtime/rt_sum.h"

static void level_clear(rt_summer *s, int level)
{
    for (int l = 0; l < RT_SUM_LANES; l++)
        s->acc[level][l] = 0.0;
    s->count[level] = 0;
}

static double level_value(const rt_summer *s, int level)
{
    double acc[RT_SUM_LANES];
    for (int l = 0; l < RT_SUM_LANES; l++)
        acc[l] = s->acc[level][l];
    for (int h = RT_SUM_LANES / 2; h > 0; h /= 2)
        for (int l = 0; l < h; l++)
            acc[l] += acc[l + h];
    return acc[0];
}

/* Adds a term to a level; a full level first passes its value on.  The last level keeps taking terms. */
static void push_term(rt_summer *s, int level, double term)
{
    if (s->count[level] == RT_SUM_BLOCK && level + 1 < RT_SUM_LEVELS) {
        double block = level_value(s, level);
        level_clear(s, level);
        push_term(s, level + 1, block);
    }
    s->acc[level][s->count[level] % RT_SUM_LANES] += term;
    s->count[level]++;
}

void rt_summer_init(rt_summer *s)
{
    for (int level = 0; level < RT_SUM_LEVELS; level++)
        level_clear(s, level);
}

void rt_summer_push(rt_summer *s, const double *e, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        push_term(s, 0, e[i]);
}

void rt_summer_push_block(rt_summer *s, double block_sum)
{
    push_term(s, 1, block_sum);
}

double rt_summer_value(const rt_summer *s)
{
    int above = 0;
    for (int level = 1; level < RT_SUM_LEVELS; level++)
        above |= s->count[level];
    if (!above)
        return level_value(s, 0);

    /* Close the levels from below, in a copy, until nothing is above. */
    rt_summer t = *s;
    for (int level = 0;; level++) {
        above = 0;
        for (int k = level + 1; k < RT_SUM_LEVELS; k++)
            above |= t.count[k];
        double v = level_value(&t, level);
        if (!above)
            return v;
        if (t.count[level] > 0) {
            level_clear(&t, level);
            push_term(&t, level + 1, v);
        }
    }
}

double rt_sum(const double *e, ptrdiff_t n)
{
    rt_summer s;
    rt_summer_init(&s);
    rt_summer_push(&s, e, n);
    return rt_summer_value(&s);
}
