/* rt_philox.h: the counter-based generator behind every draw (Philox4x32-10: Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as
 * easy as 1, 2, 3").
 *
 * A draw has no state: it is a pure function of its address.  So a run repeats whatever the scheduling, and any draw can be made again alone.
 * The address of a draw is (key, site, index): `key` names the run, chain or particle (see rt_key_fold), `site` the random statement, `index` the
 * plate element or step.  The 128-bit counter is {attempt, site, index low, index high}; `attempt` counts the rounds of a rejection loop, each of
 * which costs one call and yields 128 bits.  Integer arithmetic only: the same bits on every machine. */
#ifndef RT_PHILOX_H
#define RT_PHILOX_H

#include <stdint.h>

typedef struct rt_philox {
    uint32_t w[4];
} rt_philox;

typedef struct rt_draw_addr {
    uint64_t key;
    uint32_t site;
    uint64_t index;
} rt_draw_addr;

/* Ten rounds on counter {c0, c1, c2, c3} under a 64-bit key, whose low word is key word 0. */
static inline rt_philox rt_philox4x32(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (rt_philox){{c0, c1, c2, c3}};
}

/* The 128 bits of a draw's given attempt. */
static inline rt_philox rt_draw_bits(rt_draw_addr at, uint32_t attempt)
{
    return rt_philox4x32(at.key, attempt, at.site, (uint32_t)at.index, (uint32_t)(at.index >> 32));
}

/* Words 2i and 2i+1 as one 64-bit number, i = 0 or 1. */
static inline uint64_t rt_philox_u64(rt_philox r, int i)
{
    return (uint64_t)r.w[2 * i] | (uint64_t)r.w[2 * i + 1] << 32;
}

/* A uniform double in the open interval (0, 1): (k + 1/2) / 2^52 with k the top 52 bits, so 2^52 equally likely values, symmetric about 1/2; the
 * smallest is 2^-53, the largest 1 - 2^-53, and neither 0 nor 1 can occur.  (With 53 bits of k the largest value would round to 1.) */
static inline double rt_u01(uint64_t bits)
{
    return (double)(int64_t)(bits >> 12 << 1 | 1) * 0x1p-53;
}

/* A new key from a key and a number (chain, particle, restart...).  Distinct ids under one key give distinct streams; folding is not commutative.
 * The counter words 0 and 1 are all ones, which no draw uses: its attempts are far fewer than 2^32. */
static inline uint64_t rt_key_fold(uint64_t key, uint64_t id)
{
    return rt_philox_u64(rt_philox4x32(key, 0xFFFFFFFFu, 0xFFFFFFFFu, (uint32_t)id, (uint32_t)(id >> 32)), 0);
}

#endif
