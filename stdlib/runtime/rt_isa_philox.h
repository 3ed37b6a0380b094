/* rt_isa_philox.h: Philox (rt_philox.h) for eight addresses at a time.  Private to the rt_isa_*.c files.
 *
 * Vectors are 64 bytes at every level, as the compiler's own type.  32-bit numbers are kept in the low halves of 64-bit lanes, whose high halves are not
 * looked at. */
#ifndef RT_ISA_PHILOX_H
#define RT_ISA_PHILOX_H

#include "stdlib/runtime/rt_isa.h"
#include "stdlib/runtime/rt_philox.h"

/* With a sanitizer's checks in them, whole kernels inlined into one function take a compiler minutes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RT_INLINE static __attribute__((noinline, unused))
#else
#define RT_INLINE static inline __attribute__((always_inline))
#endif

typedef double rt_vd __attribute__((vector_size(64), may_alias)); /* 8 */
typedef int32_t rt_vi __attribute__((vector_size(64), may_alias));
typedef uint64_t rt_vw __attribute__((vector_size(64), may_alias)); /* 8 */
typedef long long rt_vll __attribute__((vector_size(64), may_alias));

RT_INLINE rt_vw rt_vw_all(uint64_t x) { return (rt_vw){x, x, x, x, x, x, x, x}; }

/* A function of three bits in one operation where the level has it: bit 4a + 2b + c of `table`. */
#if defined(__AVX512F__) && !defined(__clang__)
#define RT_TERN(a, b, c, table, otherwise) \
  ((rt_vw)__builtin_ia32_pternlogq512_mask((rt_vll)(a), (rt_vll)(b), (rt_vll)(c), (table), (uint8_t)-1))
#else
#define RT_TERN(a, b, c, table, otherwise) (otherwise)
#endif

RT_INLINE rt_vw rt_xor3(rt_vw a, rt_vw b, rt_vw c) { return RT_TERN(a, b, c, 0x96, a ^ b ^ c); }

/* As many lanes as a register of the level has; wider vectors, which the compiler lowers, would pass through memory between the rounds. */
#if defined(__AVX512F__)
enum { RT_PHILOX_BYTES = 64 };
#elif defined(__AVX2__)
enum { RT_PHILOX_BYTES = 32 };
#else
enum { RT_PHILOX_BYTES = 16 };
#endif
typedef uint64_t rt_word __attribute__((vector_size(RT_PHILOX_BYTES), may_alias));
typedef union rt_words {
  rt_vw all;
  rt_word part[64 / RT_PHILOX_BYTES];
} rt_words;

/* Products of the low halves of 64-bit lanes. */
RT_INLINE rt_word rt_mul_low(rt_word a, rt_word b)
{
#if defined(__SSE2__) && !defined(__clang__)
  typedef int halves __attribute__((vector_size(RT_PHILOX_BYTES)));
#if defined(__AVX512F__)
  return (rt_word)__builtin_ia32_pmuludq512_mask((halves)a, (halves)b, (__attribute__((vector_size(64))) long long){0}, (uint8_t)-1);
#elif defined(__AVX2__)
  return (rt_word)__builtin_ia32_pmuludq256((halves)a, (halves)b);
#else
  return (rt_word)__builtin_ia32_pmuludq128((halves)a, (halves)b);
#endif
#else
  return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#endif
}

/* The high halves of 64-bit lanes, in the low ones. */
RT_INLINE rt_word rt_high_half(rt_word x)
{
#if defined(__AVX512F__) && !defined(__clang__)
  typedef int halves __attribute__((vector_size(RT_PHILOX_BYTES)));
  return (rt_word)__builtin_ia32_pshufd512_mask((halves)x, 0xF5, (halves)x, (uint16_t)-1); /* no shift: those share a port with the products */
#else
  return x >> 32;
#endif
}

RT_INLINE rt_word rt_xor3_word(rt_word a, rt_word b, rt_word c)
{
#if defined(__AVX512F__)
  return rt_xor3(a, b, c);
#else
  return a ^ b ^ c;
#endif
}

/* x: counter words 0 to 3 of eight addresses; afterwards their random words.  Lanes of `key` are whole keys. */
RT_INLINE void rt_philox8(rt_vw key, rt_vw x[4])
{
  const rt_words keys = {key};
  rt_words w[4] = {{x[0]}, {x[1]}, {x[2]}, {x[3]}};
  for (int p = 0; p < 64 / RT_PHILOX_BYTES; p++) {
    rt_word x0 = w[0].part[p], x1 = w[1].part[p], x2 = w[2].part[p], x3 = w[3].part[p], k0 = keys.part[p], k1 = rt_high_half(k0);
    const rt_word none = {0};
    for (int round = 0; round < 10; round++) {
      const rt_word p0 = rt_mul_low(x0, none + 0xD2511F53u), p1 = rt_mul_low(x2, none + 0xCD9E8D57u);
      x0 = rt_xor3_word(rt_high_half(p1), x1, k0);
      x1 = p1;
      x2 = rt_xor3_word(rt_high_half(p0), x3, k1);
      x3 = p0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    w[0].part[p] = x0, w[1].part[p] = x1, w[2].part[p] = x2, w[3].part[p] = x3;
  }
  for (int j = 0; j < 4; j++) x[j] = w[j].all;
}

#endif
