/* rt_isa_spin_bits.h: 512 decisions at a time, for spins that are bits: the streams of random words, counts of bonds, and the comparison of 512 uniform
 * numbers of RT_SPIN_BITS bits with thresholds that differ from bit to bit.  Private to rt_isa_spin_bits.c, rt_isa_spin_words.c and rt_isa_spin_plane.c.
 *
 * A decision with threshold T (of 2^32) is U < T.  Read from the lowest digit up, less' = majority(not u_j, T_j, less) for digits u_j of U and T_j of T.  The
 * highest RT_SPIN_BITS_FIRST digits of all 512 are drawn together; where they equal those of T, seldom for one of 512, the others are drawn for it alone. */
#ifndef RT_ISA_SPIN_BITS_H
#define RT_ISA_SPIN_BITS_H

#include "stdlib/runtime/rt_isa_spin.h"

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
  uint64_t key; /* of the block, */
  uint64_t visit; /* and the number of the 512 decisions, of all in the run: what the last digits are drawn by */
} rt_streams;

RT_INLINE rt_vw rt_rotate(rt_vw x, int k) { return x << k | x >> (64 - k); }

RT_INLINE rt_vw rt_streams_next(rt_streams *q)
{
  rt_vw out = q->a + q->b, b = q->b ^ q->a;
  q->a = rt_xor3(rt_rotate(q->a, 24), b, b << 16);
  q->b = rt_rotate(b, 37);
  return out;
}

/* The streams of a block at the start of a sweep; `visits` of them are made before it. */
static inline rt_streams rt_streams_start(uint64_t key, uint64_t block, uint64_t sweep, uint64_t visits)
{
  rt_streams q = {.key = rt_key_fold(key, ((uint64_t)1 << 63) + block), .visit = visits};
  for (uint32_t l = 0; l < 8; l++) {
    rt_philox w = rt_philox4x32(q.key, l, RT_SPIN_SITE_STREAM, (uint32_t)sweep, (uint32_t)(sweep >> 32));
    q.a[l] = rt_philox_u64(w, 0);
    q.b[l] = rt_philox_u64(w, 1) | 1; /* never all zeros */
  }
  return q;
}

/* Thresholds of a Bernoulli decision of probability p, as a number of 2^32. */
static inline uint32_t rt_threshold(double p) { return p >= 1.0 - 0x1p-33 ? UINT32_MAX : (uint32_t)(p * 0x1p32); }

/* Decides those that are `open` after their first digits: the number v in their planes has the threshold threshold[v * step]. */
static __attribute__((noinline)) rt_vw rt_last_digits(rt_vw open, const rt_vw *plane, int planes, const uint32_t *threshold, ptrdiff_t step, const rt_streams *q)
{
  enum { LAST = RT_SPIN_BITS - RT_SPIN_BITS_FIRST };
  rt_vw less = rt_vw_all(0);
  for (int l = 0; l < 8; l++)
    for (uint64_t left = open[l]; left; left &= left - 1) {
      int bit = __builtin_ctzll(left);
      ptrdiff_t v = 0;
      for (int k = 0; k < planes; k++) v |= (ptrdiff_t)(plane[k][l] >> bit & 1) << k;
      uint32_t u = rt_philox4x32(q->key, (uint32_t)(64 * l + bit), RT_SPIN_SITE_LAST, (uint32_t)q->visit, (uint32_t)(q->visit >> 32)).w[0];
      less[l] |= (uint64_t)(u >> RT_SPIN_BITS_FIRST < (threshold[v * step] & ((1u << LAST) - 1))) << bit;
    }
  return less;
}

/* ---- spins with bonds of one unit: counts in bit slices, and decisions by them
 *
 * Bonds are counted that would have the spin up: plane k of a count has bit k of its 512 numbers.  Where d bonds, with the spin's own among them if d would
 * be even, are counted from c on with 2c + d = 2^p - 1, the complement of a number is what it would be for the other spin: so the p planes, complemented where
 * the spin is up, are c and the number of bonds that the spin does not satisfy, B in all, and s f = 2^p - 1 - 2B, or one less with its own: K. */

enum { RT_LEVELS = 63 };

typedef struct rt_levels {
  int low;     /* K <= low are accepted for sure */
  int high[2]; /* K > high[K % 2] never */
  uint32_t threshold[2 * RT_LEVELS + 1]; /* of K + RT_LEVELS */
  uint64_t digit[2 * RT_LEVELS + 1][RT_SPIN_BITS_FIRST]; /* the highest digits of the threshold, lowest first, all ones for 1 */
} rt_levels;

/* most: the largest |K|. */
static inline void rt_levels_make(rt_levels *c, const rt_spin_run *run, int most, double beta, double floor)
{
  c->low = run->plan.rule == RT_SPIN_HEAT_BATH ? -RT_LEVELS - 1 : 0;
  c->high[0] = c->high[1] = -RT_LEVELS - 1;
  for (int K = -most; K <= most; K++) {
    uint32_t t = rt_threshold(rt_spin_acceptance(run->plan.rule, K ? 2.0 * beta * run->model->unit * K : 0.0, floor));
    c->threshold[K + RT_LEVELS] = t;
    if (t) c->high[K & 1] = K;
    for (int j = 0; j < RT_SPIN_BITS_FIRST; j++) c->digit[K + RT_LEVELS][j] = -(uint64_t)(t >> (RT_SPIN_BITS - RT_SPIN_BITS_FIRST + j) & 1);
  }
}

/* Adds `carry` to the counts at plane k. */
RT_INLINE void rt_add_at(rt_vw *plane, int k, int planes, rt_vw carry)
{
  for (; k < planes; k++) {
    rt_vw t = plane[k] & carry;
    plane[k] ^= carry;
    carry = t;
  }
}

/* low + x + y is low' + 2 carry. */
#define RT_FULL_ADD(low, carry, x, y) \
  do { \
    rt_vw x_ = (x), y_ = (y); \
    carry = rt_majority(low, x_, y_); \
    low = rt_xor3(low, x_, y_); \
  } while (0)

/* Adds `count` words to a count of `planes` planes by full adders, eight together (Harley and Seal); WORD(e) is the e-th. */
#define RT_COUNT_WORDS(WORD, count, planes, plane) \
  do { \
    size_t e_ = 0, count_ = (count); \
    rt_vw a_, b_, c_, d_; \
    if ((planes) > 3) \
      for (; e_ + 8 <= count_; e_ += 8) { \
        RT_FULL_ADD(plane[0], a_, WORD(e_), WORD(e_ + 1)); \
        RT_FULL_ADD(plane[0], b_, WORD(e_ + 2), WORD(e_ + 3)); \
        RT_FULL_ADD(plane[1], c_, a_, b_); \
        RT_FULL_ADD(plane[0], a_, WORD(e_ + 4), WORD(e_ + 5)); \
        RT_FULL_ADD(plane[0], b_, WORD(e_ + 6), WORD(e_ + 7)); \
        RT_FULL_ADD(plane[1], d_, a_, b_); \
        RT_FULL_ADD(plane[2], a_, c_, d_); \
        rt_add_at(plane, 3, planes, a_); \
      } \
    if (count_ & 4) { \
      RT_FULL_ADD(plane[0], a_, WORD(e_), WORD(e_ + 1)); \
      RT_FULL_ADD(plane[0], b_, WORD(e_ + 2), WORD(e_ + 3)); \
      RT_FULL_ADD(plane[1], c_, a_, b_); \
      rt_add_at(plane, 2, planes, c_); \
      e_ += 4; \
    } \
    if (count_ & 2) { \
      RT_FULL_ADD(plane[0], a_, WORD(e_), WORD(e_ + 1)); \
      rt_add_at(plane, 1, planes, a_); \
      e_ += 2; \
    } \
    if (count_ & 1) rt_add_at(plane, 0, planes, WORD(e_)); \
  } while (0)

/* Where a number is v, by masks of its lowest three digits and of the others. */
RT_INLINE rt_vw rt_where(const rt_vw low[8], const rt_vw *high, int v, int planes)
{
  if (planes <= 3) return low[v];
  return low[v & 7] & high[v >> 3];
}

/* Which spins flip, by planes of c + B.  even: the spin's own bond is among those counted; c: the least of these numbers, most: the largest. */
RT_INLINE rt_vw rt_decide(const rt_levels *levels, rt_streams *random, const rt_vw *plane, int planes, int even, int c, int most)
{
  rt_vw low[8], high[1 << (6 - 3)], digit[RT_SPIN_BITS_FIRST], some, sure = rt_vw_all(0);
  rt_vw p0 = plane[0], p1 = plane[1], p2 = plane[2];
#define LOW(v) low[v] = RT_TERN(p2, p1, p0, 1 << (v), (p2 ^ rt_vw_all((v) & 4 ? 0 : ~0ull)) & (p1 ^ rt_vw_all((v) & 2 ? 0 : ~0ull)) & (p0 ^ rt_vw_all((v) & 1 ? 0 : ~0ull)))
  LOW(0), LOW(1), LOW(2), LOW(3), LOW(4), LOW(5), LOW(6), LOW(7);
#undef LOW
  high[0] = rt_vw_all(~(uint64_t)0);
  for (int k = 3; k < planes; k++)
    for (int v = 0; v < 1 << (k - 3); v++) {
      high[v + (1 << (k - 3))] = high[v] & plane[k];
      high[v] &= ~plane[k];
    }
  int top = (1 << planes) - 1 - even, last = most, half = (1 << (planes - 1)) - 1;
  if (!levels->low) { /* K <= 0 for sure */
    sure = plane[planes - 1];
    if (even) sure |= rt_where(low, high, half, planes);
    if (last > half - even) last = half - even;
  }
  int never = (top - levels->high[!even] + 1) >> 1;
  int v = never > c ? never : c;
  const uint64_t *d = levels->digit[(v <= last ? top - 2 * v : 0) + RT_LEVELS];
  some = rt_vw_all(0);
  if (v <= last) some = rt_where(low, high, v, planes);
#pragma GCC unroll 12
  for (int j = 0; j < RT_SPIN_BITS_FIRST; j++) digit[j] = some & rt_vw_all(d[j]);
  for (v++; v <= last; v++) {
    rt_vw x = rt_where(low, high, v, planes);
    d -= 2 * RT_SPIN_BITS_FIRST;
    some |= x;
#pragma GCC unroll 12
    for (int j = 0; j < RT_SPIN_BITS_FIRST; j++) digit[j] = rt_or_and(digit[j], x, rt_vw_all(d[j]));
  }
  rt_vw less = rt_vw_all(0), equal = some;
#pragma GCC unroll 12
  for (int j = 0; j < RT_SPIN_BITS_FIRST; j++) {
    rt_vw u = rt_streams_next(random);
    less = rt_less(u, digit[j], less);
    equal = rt_still_equal(equal, u, digit[j]);
  }
  if (rt_any(equal)) less |= rt_last_digits(equal, plane, planes, levels->threshold + top + RT_LEVELS, -2, random);
  random->visit++;
  return less | sure;
}

/* ---- numbers in bit slices, summed over a sweep */

enum { RT_WIDE = 40 };

/* Adds the numbers in `from` to those of `to`. */
RT_INLINE void rt_add_slices(rt_vw *to, int to_planes, const rt_vw *from, int planes, int shift)
{
  rt_vw carry = rt_vw_all(0);
  for (int k = shift; k < to_planes; k++) {
    rt_vw x = k - shift < planes ? from[k - shift] : rt_vw_all(0), t = rt_majority(to[k], x, carry);
    to[k] = rt_xor3(to[k], x, carry);
    carry = t;
    if (k - shift >= planes && !rt_any(carry)) return;
  }
}

/* Takes numbers out of their slices. */
static inline void rt_read_slices(const rt_vw *slice, int planes, uint64_t *to, size_t count)
{
  const uint64_t *w = (const uint64_t *)slice;
  while (planes && !rt_any(slice[planes - 1])) planes--;
  for (size_t r = 0; r < count; r++) {
    uint64_t x = 0;
    for (int k = 0; k < planes; k++) x |= (w[8 * k + (int)(r / 64)] >> r % 64 & 1) << k;
    to[r] = x;
  }
}

#endif
