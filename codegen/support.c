/* support.c: what compiled code is made of besides itself: AIM's mathematics for bodies on lanes, the ends of canonical sums, and
 * stand-ins for the few routines that a code generator calls without being asked.  Compiled to bitcode and embedded in aim-cc; what
 * a program uses is linked into its object and inlined there.  What would only be called is a service (services.c). */
#include "codegen/abi.h"
#include "stdlib/runtime/rt_invert.h"
#include "stdlib/runtime/rt_philox.h"

#define CG __attribute__((always_inline))

/* ---- scalar functions */

#define X(unused, name) CG double cg_##name(double x) { return rt_##name(x); }
X(, sign) X(, floor) X(, ceil) X(, round) X(, sqrt) CG_MATH1(X, )
#undef X
CG double cg_min(double a, double b) { return rt_min(a, b); }
CG double cg_max(double a, double b) { return rt_max(a, b); }
CG double cg_pow(double a, double b) { return rt_pow(a, b); }
CG double cg_atan2(double a, double b) { return rt_atan2(a, b); }

/* ---- draws by inversion.  Flat: with a call inside a loop would not become vectors. */

#define FLAT CG __attribute__((flatten))

static inline rt_tail tail_at(int64_t site, int64_t key, int64_t index) {
  const rt_philox r = rt_draw_bits((rt_draw_addr){(uint64_t)key, (uint32_t)site, (uint64_t)index}, 0);
  return rt_tail_of(rt_philox_u64(r, 0), rt_philox_u64(r, 1));
}
FLAT double cg_draw_uniform(int64_t site, int64_t key, int64_t index) {
  return rt_u01(rt_philox_u64(rt_draw_bits((rt_draw_addr){(uint64_t)key, (uint32_t)site, (uint64_t)index}, 0), 0));
}
FLAT double cg_draw_normal(int64_t site, int64_t key, int64_t index) { return rt_normal_of(tail_at(site, key, index)); }
FLAT double cg_draw_exponential(int64_t site, int64_t key, int64_t index) { return rt_exponential_of(tail_at(site, key, index)); }

static inline int64_t wrap_neg(int64_t x) { return (int64_t)(0 - (uint64_t)x); }

CG int64_t cg_idiv(int64_t x, int64_t y) {
  if (y == 0) return 0;
  if (y == -1) return wrap_neg(x);
  int64_t q = x / y, r = x % y;
  return q - (r != 0 && (r < 0) != (y < 0));
}
CG int64_t cg_imod(int64_t x, int64_t y) {
  if (y == 0 || y == -1) return 0;
  int64_t r = x % y;
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
CG int64_t cg_to_int(double x) {
  int fits = x >= -0x1p63 && x < 0x1p63;
  int64_t v = (int64_t)(fits ? x : 0.0);
  v = x >= 0x1p63 ? INT64_MAX : v;
  return x < -0x1p63 ? INT64_MIN : v;
}
/* ---- sums whose accumulators are complete */

CG void cg_lanes_clear(double *acc) { sum_clear(acc); }
CG double cg_lanes_value(const double *acc) { return sum_tree(acc); }

/* ---- routines that LLVM may call by name */

void *memcpy(void *d, const void *s, unsigned long n) {
  char *to = d;
  const char *from = s;
#pragma clang loop vectorize(disable) unroll(disable)
  for (unsigned long k = 0; k < n; k++) { to[k] = from[k]; __asm__ volatile("" ::: "memory"); }
  return d;
}
void *memset(void *d, int v, unsigned long n) {
  char *to = d;
#pragma clang loop vectorize(disable) unroll(disable)
  for (unsigned long k = 0; k < n; k++) { to[k] = (char)v; __asm__ volatile("" ::: "memory"); }
  return d;
}

/* a b + c rounded once, for machines without the instruction: in integers.  A product of two 53-bit numbers has 106 bits; the
 * sum is formed in 128 with what falls off below kept as one sticky bit, and rounded to nearest, ties to even. */
typedef unsigned __int128 u128;

static inline int top_bit(u128 m) {
  uint64_t hi = (uint64_t)(m >> 64);
  return hi ? 127 - __builtin_clzll(hi) : 63 - __builtin_clzll((uint64_t)m);
}

/* (-1)^neg m 2^e; m != 0. */
static double round_pack(int neg, u128 m, int64_t e, int sticky) {
  int top = top_bit(m);
  int64_t drop = top - 52;
  if (e + drop < -1074) drop = -1074 - e;
  uint64_t r;
  if (drop > 0) {
    if (drop > 127) return neg ? -0.0 : 0.0;
    r = (uint64_t)(m >> drop);
    u128 rest = m & (((u128)1 << drop) - 1), half = (u128)1 << (drop - 1);
    if (rest > half || (rest == half && (sticky || (r & 1)))) r++;
    e += drop;
  } else {
    int64_t up = -drop;
    if (e - up < -1074) up = e + 1074;
    r = (uint64_t)(m << up);
    e -= up;
  }
  if (r == 0) return neg ? -0.0 : 0.0;
  if (r >> 53) r >>= 1, e++;
  uint64_t bits;
  if (!(r >> 52)) bits = r; /* denormal: e is -1074 */
  else if (e + 52 > 1023) bits = 0x7ffull << 52;
  else bits = ((uint64_t)(e + 1075) << 52) + (r - (1ull << 52));
  return rt_from_bits(bits | (uint64_t)neg << 63);
}

double fma(double a, double b, double c) {
  uint64_t ua = rt_bits_of(a), ub = rt_bits_of(b), uc = rt_bits_of(c);
  int ea = (int)(ua >> 52 & 0x7ff), eb = (int)(ub >> 52 & 0x7ff), ec = (int)(uc >> 52 & 0x7ff);
  if (ea == 0x7ff || eb == 0x7ff || a == 0.0 || b == 0.0) return a * b + c;
  if (ec == 0x7ff) return c;
  int neg = (int)((ua ^ ub) >> 63), negc = (int)(uc >> 63);
  uint64_t ma = (ua & 0xfffffffffffffull) | (ea ? 1ull << 52 : 0), mb = (ub & 0xfffffffffffffull) | (eb ? 1ull << 52 : 0);
  u128 p = (u128)ma * mb;
  int64_t ep = (ea ? ea : 1) + (eb ? eb : 1) - 2 * 1075;
  if (c == 0.0) return round_pack(neg, p, ep, 0);
  uint64_t mc = (uc & 0xfffffffffffffull) | (ec ? 1ull << 52 : 0);
  /* Both with the top bit at 124, so that a carry fits, and more than 64 bits below what can be kept of either. */
  u128 q = mc;
  int64_t eq = (ec ? ec : 1) - 1075;
  int sp = 124 - top_bit(p), sq = 124 - top_bit(q);
  p <<= sp, ep -= sp;
  q <<= sq, eq -= sq;
  if (ep < eq || (ep == eq && p < q)) {
    u128 m = p; p = q; q = m;
    int64_t e = ep; ep = eq; eq = e;
    int s = neg; neg = negc; negc = s;
  }
  int64_t d = ep - eq;
  u128 lost = 0;
  if (d >= 128) lost = q, q = 0;
  else if (d > 0) lost = q & (((u128)1 << d) - 1), q >>= d;
  int sticky = lost != 0;
  if (neg == negc) p += q;
  else {
    p -= q;
    if (sticky) p -= 1; /* p - q - fraction lies strictly between two integers: the lower, and something above it */
  }
  if (p == 0) return 0.0;
  return round_pack(neg, p, ep, sticky);
}
