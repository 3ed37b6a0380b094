/* rt_isa_spin_bits.h: 512 decisions at a time, for spins that are bits: the streams of random words, and the comparison of 512 uniform numbers of
 * RT_SPIN_BITS bits with thresholds that differ from bit to bit.  Private to rt_isa_spin_bits.c and rt_isa_spin_plane.c.
 *
 * A decision with threshold T (of 2^32) is U < T.  Read from the lowest digit up, less' = majority(not u_j, T_j, less) for digits u_j of U and T_j of T.  The
 * highest RT_SPIN_BITS_FIRST digits are drawn first; where they equal those of T the others decide, and with 512 numbers that is seldom the case. */
#ifndef RT_ISA_SPIN_BITS_H
#define RT_ISA_SPIN_BITS_H

#include "stdlib/runtime/rt_isa_spin.h"

/* A function of three bits in one operation where the level has it: bit 4a + 2b + c of `table`. */
#if defined(__AVX512F__) && !defined(__clang__)
#define RT_TERN(a, b, c, table, otherwise) \
  ((rt_vw)__builtin_ia32_pternlogq512_mask((rt_vll)(a), (rt_vll)(b), (rt_vll)(c), (table), (uint8_t)-1))
#else
#define RT_TERN(a, b, c, table, otherwise) (otherwise)
#endif

RT_INLINE rt_vw rt_xor3(rt_vw a, rt_vw b, rt_vw c) { return RT_TERN(a, b, c, 0x96, a ^ b ^ c); }
RT_INLINE rt_vw rt_majority(rt_vw a, rt_vw b, rt_vw c) { return RT_TERN(a, b, c, 0xE8, (a & b) | (c & (a | b))); }
RT_INLINE rt_vw rt_or3(rt_vw a, rt_vw b, rt_vw c) { return RT_TERN(a, b, c, 0xFE, a | b | c); }
/* t | (x & d) */
RT_INLINE rt_vw rt_or_and(rt_vw t, rt_vw x, rt_vw d) { return RT_TERN(t, x, d, 0xF8, t | (x & d)); }
/* majority(not u, t, less) */
RT_INLINE rt_vw rt_less(rt_vw u, rt_vw t, rt_vw less) { return RT_TERN(u, t, less, 0x8E, (~u & t) | (less & (~u | t))); }
/* equal & not (u ^ t) */
RT_INLINE rt_vw rt_still_equal(rt_vw equal, rt_vw u, rt_vw t) { return RT_TERN(equal, u, t, 0x90, equal & ~(u ^ t)); }

/* ---- xoroshiro128+, a stream in each 64-bit lane */

typedef struct rt_streams {
  rt_vw a, b;
} rt_streams;

RT_INLINE rt_vw rt_rotate(rt_vw x, int k) { return x << k | x >> (64 - k); }

RT_INLINE rt_vw rt_streams_next(rt_streams *q)
{
  rt_vw out = q->a + q->b, b = q->b ^ q->a;
  q->a = rt_xor3(rt_rotate(q->a, 24), b, b << 16);
  q->b = rt_rotate(b, 37);
  return out;
}

/* The streams of a block at the start of a sweep. */
static inline rt_streams rt_streams_start(uint64_t key, uint64_t block, uint64_t sweep)
{
  rt_streams q;
  uint64_t k = rt_key_fold(key, ((uint64_t)1 << 63) + block);
  for (uint32_t l = 0; l < 8; l++) {
    rt_philox w = rt_philox4x32(k, l, RT_SPIN_SITE_STREAM, (uint32_t)sweep, (uint32_t)(sweep >> 32));
    q.a[l] = rt_philox_u64(w, 0);
    q.b[l] = rt_philox_u64(w, 1) | 1; /* never all zeros */
  }
  return q;
}

/* Thresholds of a Bernoulli decision of probability p, as a number of 2^32. */
static inline uint32_t rt_threshold(double p) { return p >= 1.0 - 0x1p-33 ? UINT32_MAX : (uint32_t)(p * 0x1p32); }

#endif
