/* rt_sum.h: the canonical sum, the one meaning of `sum` in AIM.
 *
 * S(e_0, ..., e_{n-1}) is defined by
 *   n <= 4096: 32 lanes start at +0.0; acc[l] += e[l + 32 k] for k = 0, 1, ...; then for h = 16, 8, 4, 2, 1: acc[l] += acc[l + h] for l < h; the
 *              value is acc[0].
 *   n >  4096: S of the sequence of the S of consecutive blocks of 4096 elements, the last one short.
 * It fixes every rounding, and still vectorises on any width up to 32 and runs in parallel by blocks.  Its error is about (n/32 + 5) roundings for
 * one block, and log-like beyond.  The value for n = 0 is +0.0, and a sum is never -0.0: a lane that started at +0.0 cannot become -0.0, which is why
 * an implementation may skip lanes that receive no element. */
#ifndef RT_SUM_H
#define RT_SUM_H

#include <stddef.h>
#include <stdint.h>

enum { RT_SUM_LANES = 32, RT_SUM_BLOCK = 4096, RT_SUM_LEVELS = 4 };

/* A sum in progress.  Level 0 takes the elements; a level holding RT_SUM_BLOCK terms hands its value to the next one when one more term arrives
 * (not before, since a lone full block is itself the answer).  Four levels hold 2^48 elements.  Plain data: copy it to fork a sum. */
typedef struct rt_summer {
    double acc[RT_SUM_LEVELS][RT_SUM_LANES];
    int32_t count[RT_SUM_LEVELS]; /* terms taken by the level, 0..RT_SUM_BLOCK */
} rt_summer;

void rt_summer_init(rt_summer *s);

/* Appends e[0..n); any split of a sequence into chunks gives the same bits.  rt_kernels.sum_push is the same, faster. */
void rt_summer_push(rt_summer *s, const double *e, ptrdiff_t n);

/* Appends S(a block of up to 4096 elements), made elsewhere (another thread, say), as a term of level 1.  Only when level 0 is empty. */
void rt_summer_push_block(rt_summer *s, double block_sum);

/* The sum of what was pushed.  Leaves s as it is, so pushing may go on. */
double rt_summer_value(const rt_summer *s);

/* S(e[0..n)).  rt_kernels.sum is the same, faster. */
double rt_sum(const double *e, ptrdiff_t n);

#endif
