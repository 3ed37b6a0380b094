/* rt_isa_spin_bits.h: 512 decisions at a time, for spins that are bits: the streams of random words, counts of bonds, and the comparison of 512 uniform
 * numbers of RT_SPIN_BITS bits with thresholds that differ from bit to bit.  Private to rt_isa_spin_bits.c, rt_isa_spin_words.c and rt_isa_spin_plane.c.
 *
 * A decision with threshold T (of 2^32) is U < T.  Digits u_j of U and T_j of T are compared from the highest down: while all have been equal a decision is open and
 * `less` is T_j, which is the answer where u_j differs from it.  RT_SPIN_BITS_FIRST digits are compared for all 512 together, the others one decision at a time,
 * seldom.  A decision hangs on its own digits and on nobody else's. */
#ifndef RT_ISA_SPIN_BITS_H
#define RT_ISA_SPIN_BITS_H

#include "stdlib/runtime/rt_isa_spin.h"

RT_INLINE rt_vw rt_majority(rt_vw a, rt_vw b, rt_vw c) { return RT_TERN(a, b, c, 0xE8, (a & b) | (c & (a | b))); }
RT_INLINE rt_vw rt_or3(rt_vw a, rt_vw b, rt_vw c) { return RT_TERN(a, b, c, 0xFE, a | b | c); }
/* t where open, else less */
RT_INLINE rt_vw rt_less(rt_vw open, rt_vw t, rt_vw less) { return RT_TERN(open, t, less, 0xCA, less ^ (open & (t ^ less))); }
/* open & not (u ^ t) */
RT_INLINE rt_vw rt_still_open(rt_vw open, rt_vw u, rt_vw t) { return RT_TERN(open, u, t, 0x90, open & ~(u ^ t)); }

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
  key = rt_key_fold(key, ((uint64_t)1 << 63) + block);
  for (uint32_t l = 0; l < 8; l++) {
    rt_philox w = rt_philox4x32(key, l, RT_SPIN_SITE_STREAM, (uint32_t)sweep, (uint32_t)(sweep >> 32));
    q.a[l] = rt_philox_u64(w, 0);
    q.b[l] = rt_philox_u64(w, 1) | 1; /* never all zeros */
  }
  return q;
}

/* Thresholds of a Bernoulli decision of probability p, as a number of 2^32. */
static inline uint32_t rt_threshold(double p) { return p >= 1.0 - 0x1p-33 ? UINT32_MAX : (uint32_t)(p * 0x1p32); }

/* Compares the first digits of 512 decisions that are `open`; DIGIT(j) is digit j of their thresholds, 0 the highest.  The words a of the last states are digits too:
 * a and a + b are independent where the state is uniform. */
#define RT_FIRST_DIGITS(DIGIT, less, open, streams) \
  do { \
    enum { WORDS_ = RT_SPIN_BITS_FIRST - RT_SPIN_BITS_SUMS }; \
    rt_vw word_[WORDS_]; \
    _Pragma("GCC unroll 16") for (int j_ = 0; j_ < RT_SPIN_BITS_FIRST; j_++) \
    { \
      rt_vw t_ = DIGIT(j_), u_; \
      if (j_ >= RT_SPIN_BITS_SUMS) u_ = word_[j_ - RT_SPIN_BITS_SUMS]; \
      else { \
        if (j_ >= RT_SPIN_BITS_SUMS - WORDS_) word_[j_ - (RT_SPIN_BITS_SUMS - WORDS_)] = (streams)->a; \
        u_ = rt_streams_next(streams); \
      } \
      less = rt_less(open, t_, less); \
      open = rt_still_open(open, u_, t_); \
    } \
  } while (0)

/* Decides those that are `open` after their first digits: the number v in their planes has the threshold threshold[v * step]. */
static __attribute__((noinline)) rt_vw rt_last_digits(rt_vw open, const rt_vw *plane, int planes, const uint32_t *threshold, ptrdiff_t step, rt_streams streams)
{
  rt_vw less = rt_vw_all(0);
  for (int l = 0; l < 8; l++)
    for (uint64_t left = open[l]; left; left &= left - 1) {
      int bit = __builtin_ctzll(left), j = RT_SPIN_BITS - RT_SPIN_BITS_FIRST;
      uint64_t a = streams.a[l], b = streams.b[l];
      ptrdiff_t v = 0;
      for (int k = 0; k < planes; k++) v |= (ptrdiff_t)(plane[k][l] >> bit & 1) << k;
      while (j--) {
        uint64_t x = 5 * a, t = threshold[v * step] >> j & 1;
        x = 9 * (x << 7 | x >> 57);
        if ((x >> bit & 1) != t) {
          less[l] |= t << bit;
          break;
        }
        b ^= a;
        a = (a << 24 | a >> 40) ^ b ^ b << 16;
        b = b << 37 | b >> 27;
      }
    }
  return less;
}

/* What the first digits have left open; `less` holds the last of these digits there.  The planes are copied, lest they be kept in memory. */
#define RT_LAST_DIGITS(less, open, plane, planes, threshold, step, streams) \
  do { \
    if (__builtin_expect(rt_any(open), 0)) { \
      rt_vw copy_[RT_SPIN_SLICES]; \
      for (int k_ = 0; k_ < (planes); k_++) copy_[k_] = (plane)[k_]; \
      less = (less & ~open) | rt_last_digits(open, copy_, planes, threshold, step, *(streams)); \
    } \
  } while (0)

/* ---- spins with bonds of one unit: counts in bit slices, and decisions by them
 *
 * Bonds are counted that would have the spin up: plane k of a count has bit k of its 512 numbers.  Where d bonds, with the spin's own among them if d would
 * be even, are counted from c on with 2c + d = 2^p - 1, the complement of a number is what it would be for the other spin: so the p planes, complemented where
 * the spin is up, are c and the number of bonds that the spin does not satisfy, B in all, and s f = 2^p - 1 - 2B, or one less with its own: K. */

enum { RT_LEVELS = 63, RT_LEVELS_PLANES = 6, RT_LEAVES = 1 << (RT_LEVELS_PLANES - 2) };

/* Digits of thresholds as functions of the planes.  By the planes from the third up it is told which of the 16 functions of the lowest two a digit is: its leaf. */
typedef struct rt_levels {
  int sure;    /* K <= 0 is accepted for sure: such numbers, of the upper half, have no leaves */
  uint32_t threshold[2 * RT_LEVELS + 1]; /* of K + RT_LEVELS */
  uint8_t leaf[RT_LEVELS_PLANES + 1][2][RT_SPIN_BITS_FIRST][RT_LEAVES]; /* by planes, even, and digit; bit v of a function is its value at v */
} rt_levels;

/* most: the largest |K|. */
static inline void rt_levels_make(rt_levels *c, const rt_spin_run *run, int most, double beta, double floor)
{
  c->sure = run->plan.rule != RT_SPIN_HEAT_BATH;
  for (int K = -RT_LEVELS; K <= RT_LEVELS; K++)
    c->threshold[K + RT_LEVELS] = K < -most || K > most ? 0 : rt_threshold(rt_spin_acceptance(run->plan.rule, K ? 2.0 * beta * run->model->unit * K : 0.0, floor));
  for (int planes = 3; planes <= RT_LEVELS_PLANES; planes++) {
    for (int even = 0; even < 2; even++)
      for (int leaf = 0; leaf < 1 << (planes - 2 - c->sure); leaf++) {
        const uint32_t *t = c->threshold + (1 << planes) - 1 - even + RT_LEVELS - 8 * leaf; /* of numbers 4 leaf and on, two less each */
        for (int j = 0; j < RT_SPIN_BITS_FIRST; j++) {
          int at = RT_SPIN_BITS - 1 - j;
          c->leaf[planes][even][j][leaf] = (uint8_t)((t[0] >> at & 1) | (t[-2] >> at & 1) << 1 | (t[-4] >> at & 1) << 2 | (t[-6] >> at & 1) << 3);
        }
      }
    if ((1 << planes) - 1 >= most + (most % 2 == 0)) break;
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

/* One digit of 512 thresholds from its leaves, which are pairwise told apart by plane k. */
RT_INLINE rt_vw rt_digit_of(const rt_vw *function, const uint8_t *leaf, const rt_vw *plane, int planes)
{
  rt_vw x[RT_LEAVES];
  int count = 1 << (planes - 2);
#pragma GCC unroll 16
  for (int l = 0; l < count; l++) x[l] = function[leaf[l]];
#pragma GCC unroll 4
  for (int k = 2; k < planes; k++) {
    count /= 2;
#pragma GCC unroll 8
    for (int l = 0; l < count; l++) x[l] = rt_less(plane[k], x[2 * l + 1], x[2 * l]);
  }
  return x[0];
}

/* Which spins flip, by planes of c + B.  even: the spin's own bond is among those counted. */
RT_INLINE rt_vw rt_decide(const rt_levels *levels, rt_streams *random, const rt_vw *plane, int planes, int even)
{
  rt_vw p0 = plane[0], p1 = plane[1], sure = rt_vw_all(0), all = rt_vw_all(~(uint64_t)0);
  const rt_vw function[16] = {sure, ~(p0 | p1), p0 & ~p1, ~p1, p1 & ~p0, ~p0, p0 ^ p1, ~(p0 & p1), p0 & p1, ~(p0 ^ p1), p0, p0 | ~p1, p1, p1 | ~p0, p0 | p1, all};
  int lower = planes;
  if (levels->sure) {
    lower--;
    sure = p0 & p1;
    for (int k = 2; k < lower; k++) sure &= plane[k];
    sure = plane[lower] | (even ? sure : rt_vw_all(0));
  }
  const uint8_t(*leaf)[RT_LEAVES] = levels->leaf[planes][even];
  rt_vw less = rt_vw_all(0), open = ~sure;
  if (levels->sure) {
#define DIGIT(j) rt_digit_of(function, leaf[j], plane, planes - 1)
    RT_FIRST_DIGITS(DIGIT, less, open, random);
#undef DIGIT
  } else {
#define DIGIT(j) rt_digit_of(function, leaf[j], plane, planes)
    RT_FIRST_DIGITS(DIGIT, less, open, random);
#undef DIGIT
  }
  RT_LAST_DIGITS(less, open, plane, planes, levels->threshold + (1 << planes) - 1 - even + RT_LEVELS, -2, random);
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
