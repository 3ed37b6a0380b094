/* support.c: what compiled code is made of besides itself: AIM's mathematics, canonical sums, and stand-ins for the few routines
 * that a code generator calls without being asked.  Compiled to bitcode, embedded in aim-cc, and linked into every object, where
 * what is used is inlined and the rest dropped. */
#include "codegen/abi.h"
#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_math_bessel.h"
#include "stdlib/runtime/rt_math_incomplete.h"
#include "stdlib/runtime/rt_math_owen.h"
#include "stdlib/runtime/rt_philox.h"
#include "stdlib/runtime/rt_sum.h"

#define CG __attribute__((always_inline))
#define CG_CALL __attribute__((noinline))

/* ---- scalar functions */

#define CG_UN(X)                                                                                                        \
  X(sign) X(floor) X(ceil) X(round) X(sqrt) X(exp) X(log) X(log1p) X(expm1) X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) \
  X(sinh) X(cosh) X(tanh) X(erf) X(erfc) X(lgamma) X(digamma) X(trigamma) X(log1p_exp) X(inv_logit) X(phi) X(log_phi) X(inv_phi)
#define X(name) CG double cg_##name(double x) { return rt_##name(x); }
CG_UN(X)
#undef X
CG double cg_min(double a, double b) { return rt_min(a, b); }
CG double cg_max(double a, double b) { return rt_max(a, b); }
CG double cg_pow(double a, double b) { return rt_pow(a, b); }
CG double cg_atan2(double a, double b) { return rt_atan2(a, b); }

#define X(CODE, name, meaning) CG_CALL double cg_##name(double a) { return rt_##name(a); }
RT_SPECIAL1_OPS(X)
#undef X
#define X(CODE, name, meaning) CG double cg_##name(double a, double b) { return rt_##name(a, b); }
RT_SPECIAL2_OPS(X)
#undef X
#define X(CODE, name, meaning) CG double cg_##name(double a, double b, double c) { return rt_##name(a, b, c); }
RT_SPECIAL3_OPS(X)
#undef X

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
CG_CALL int64_t cg_fold(int64_t key, int64_t n) { return (int64_t)rt_key_fold((uint64_t)key, (uint64_t)n); }

/* ---- checks */

CG_CALL __attribute__((cold)) void cg_guard(cg_ctx *c, int64_t n, int64_t where) {
  if (c->guards == 0) c->guard_where = where;
  c->guards += n;
}
CG_CALL __attribute__((cold)) void cg_bound(cg_ctx *c, int64_t where, int64_t index, int64_t extent) {
  c->where = where;
  c->index = index;
  c->extent = extent;
}

/* ---- canonical sums of scalars */

typedef double v8 __attribute__((vector_size(64), aligned(8)));

/* For loops that are worth vectors; no other is made one. */
#define CG_VECTOR _Pragma("clang loop vectorize(assume_safety) interleave(disable)")

/* Sums of blocks of 4096 terms, of which a sum of any length is made. */
typedef struct cg_blocks {
  int64_t blocks;
  double first;               /* the first block's sum: of one block it is the result */
  double up[2][RT_SUM_LANES]; /* levels: each holds up to 4096 terms */
  int64_t upcount[2];
} cg_blocks;

/* A sum in progress whose terms come in runs of any length. */
typedef struct cg_sum {
  double acc[RT_SUM_LANES];
  int64_t count;
  cg_blocks blocks;
} cg_sum;

CG double cg_tree(const double *acc) {
  v8 a = *(const v8 *)acc, b = *(const v8 *)(acc + 8), c = *(const v8 *)(acc + 16), d = *(const v8 *)(acc + 24);
  a += c, b += d;
  a += b;
  double t0 = a[0] + a[4], t1 = a[1] + a[5], t2 = a[2] + a[6], t3 = a[3] + a[7];
  t0 += t2, t1 += t3;
  return t0 + t1;
}

CG void cg_lanes_clear(double *acc) {
  v8 z = {0};
  for (int k = 0; k < 4; k++) *(v8 *)(acc + 8 * k) = z;
}

/* Accumulators without blocks. */
CG double cg_lanes_value(const double *acc) { return cg_tree(acc); }
CG_CALL static double tree_of(const double *acc) { return cg_tree(acc); }

CG_CALL static void sum_up(cg_blocks *s, int level, double term) {
  if (s->upcount[level] == RT_SUM_BLOCK && level == 0) {
    double t = tree_of(s->up[0]);
    if (s->upcount[1] == 0) cg_lanes_clear(s->up[1]);
    s->up[1][s->upcount[1] % RT_SUM_LANES] += t;
    s->upcount[1]++;
    cg_lanes_clear(s->up[0]);
    s->upcount[0] = 0;
  }
  s->up[level][s->upcount[level] % RT_SUM_LANES] += term;
  s->upcount[level]++;
}

CG void cg_blocks_start(cg_blocks *s) { s->blocks = 0, s->first = 0.0; }

/* acc [n][32]: the accumulators of a block of each of n sums. */
CG_CALL void cg_blocks_push(cg_blocks *s, const double *acc, int64_t n) {
  for (; n > 0; n--, s++, acc += RT_SUM_LANES) {
    double t = tree_of(acc);
    if (s->blocks == 0) {
      s->first = t;
      cg_lanes_clear(s->up[0]);
      s->upcount[0] = s->upcount[1] = 0;
    }
    sum_up(s, 0, t);
    s->blocks++;
  }
}

CG_CALL double cg_blocks_value(const cg_blocks *s) {
  if (s->blocks <= 1) return s->first;
  if (s->upcount[1] == 0) return tree_of(s->up[0]);
  double up[RT_SUM_LANES], t = tree_of(s->up[0]); /* never empty: a term follows each flush of the level */
  for (int l = 0; l < RT_SUM_LANES; l++) up[l] = s->up[1][l];
  up[s->upcount[1] % RT_SUM_LANES] += t;
  return tree_of(up);
}

CG_CALL void cg_blocks_start_all(cg_blocks *s, int64_t n) {
  for (int64_t k = 0; k < n; k++) cg_blocks_start(s + k);
}

/* Sum j < count, with the accumulators acc [32] of its own, takes the terms r[i] a[j ld + i], i < n, from accumulator 0 on.  Columns go in
 * pairs: the additions of one would wait for each other. */
CG static void column_pair(double *acc, const double *r, const double *a, int64_t ld, int64_t n, int pair) {
  v8 s[8];
  for (int k = 0; k < (pair ? 8 : 4); k++) s[k] = *(v8 *)(acc + 8 * k);
  int64_t i = 0;
  for (; i + RT_SUM_LANES <= n; i += RT_SUM_LANES)
    for (int k = 0; k < 4; k++) {
      v8 x = *(const v8 *)(r + i + 8 * k);
      s[k] += x * *(const v8 *)(a + i + 8 * k);
      if (pair) s[4 + k] += x * *(const v8 *)(a + ld + i + 8 * k);
    }
  for (int k = 0; k < (pair ? 8 : 4); k++) *(v8 *)(acc + 8 * k) = s[k];
  for (int64_t l = 0; i < n; i++, l++) {
    acc[l] += r[i] * a[i];
    if (pair) acc[RT_SUM_LANES + l] += r[i] * a[ld + i];
  }
}
CG_CALL void cg_columns_add(double *acc, const double *r, const double *a, int64_t ld, int64_t count, int64_t n) {
  int64_t j = 0;
  for (; j + 2 <= count; j += 2) column_pair(acc + RT_SUM_LANES * j, r, a + ld * j, ld, n, 1);
  if (j < count) column_pair(acc + RT_SUM_LANES * j, r, a + ld * j, ld, n, 0);
}

/* The same for arrays: n sums at once, of one block or of `many`. */
CG_CALL void cg_lanes_values(double *d, const double *acc, int64_t n) {
  for (int64_t k = 0; k < n; k++) d[k] = tree_of(acc + RT_SUM_LANES * k);
}
CG_CALL void cg_blocks_values(double *d, const double *acc, const cg_blocks *s, int64_t n, int64_t many) {
  for (int64_t k = 0; k < n; k++) d[k] = many ? cg_blocks_value(s + k) : tree_of(acc + RT_SUM_LANES * k);
}

CG_CALL void cg_sum_start(cg_sum *s) {
  cg_lanes_clear(s->acc);
  s->count = 0;
  cg_blocks_start(&s->blocks);
}

/* Hands the block on. */
CG_CALL void cg_sum_flush(cg_sum *s) {
  cg_blocks_push(&s->blocks, s->acc, 1);
  cg_lanes_clear(s->acc);
  s->count = 0;
}

/* Appends e[0 .. n). */
CG_CALL void cg_sum_push(cg_sum *s, const double *e, int64_t n) {
  while (n > 0) {
    if (s->count == RT_SUM_BLOCK) cg_sum_flush(s);
    int64_t room = RT_SUM_BLOCK - s->count, k = n < room ? n : room, at = s->count % RT_SUM_LANES, i = 0;
    s->count += k;
    if (at) {
      for (; i < k && at < RT_SUM_LANES; i++, at++) s->acc[at] += e[i];
    }
    v8 a = *(v8 *)s->acc, b = *(v8 *)(s->acc + 8), c = *(v8 *)(s->acc + 16), d = *(v8 *)(s->acc + 24);
    for (; i + RT_SUM_LANES <= k; i += RT_SUM_LANES) {
      a += *(const v8 *)(e + i), b += *(const v8 *)(e + i + 8);
      c += *(const v8 *)(e + i + 16), d += *(const v8 *)(e + i + 24);
    }
    *(v8 *)s->acc = a, *(v8 *)(s->acc + 8) = b, *(v8 *)(s->acc + 16) = c, *(v8 *)(s->acc + 24) = d;
    if (i < k) {
      if (at == RT_SUM_LANES) at = 0;
      for (; i < k; i++, at++) s->acc[at] += e[i];
    }
    e += k;
    n -= k;
  }
}

CG_CALL double cg_sum_value(cg_sum *s) {
  if (s->blocks.blocks == 0) return tree_of(s->acc);
  if (s->count) cg_sum_flush(s);
  return cg_blocks_value(&s->blocks);
}

/* ---- canonical sums of arrays of w cells: three counts, then levels of `lanes` rows */

enum { CSUM_LEVELS = 3 };

CG_CALL void cg_csum_start(int64_t *s, int64_t w, int64_t lanes) {
  double *rows = (double *)(s + CSUM_LEVELS);
  for (int k = 0; k < CSUM_LEVELS; k++) s[k] = 0;
  for (int64_t k = 0; k < lanes * w; k++) rows[k] = 0.0;
}

static double *csum_rows(int64_t *s, int64_t w, int64_t lanes, int level) { return (double *)(s + CSUM_LEVELS) + (int64_t)level * lanes * w; }

CG_CALL static void csum_fold(double *rows, int64_t w, int64_t lanes) {
  for (int64_t h = RT_SUM_LANES / 2; h > 0; h /= 2)
    for (int64_t l = 0; l < h && l + h < lanes; l++)
      CG_VECTOR
      for (int64_t k = 0; k < w; k++) rows[l * w + k] += rows[(l + h) * w + k];
}

/* The sum of a full level becomes a term of the next.  Only where there are 32 lanes. */
CG_CALL static void csum_pass(int64_t *s, int64_t w, int64_t lanes, int level) {
  double *rows = csum_rows(s, w, lanes, level);
  if (level + 1 < CSUM_LEVELS) {
    csum_fold(rows, w, lanes);
    if (s[level + 1] == RT_SUM_BLOCK && level + 2 < CSUM_LEVELS) csum_pass(s, w, lanes, level + 1);
    double *up = csum_rows(s, w, lanes, level + 1);
    if (s[level + 1] == 0) for (int64_t k = 0; k < lanes * w; k++) up[k] = 0.0;
    up += s[level + 1] % RT_SUM_LANES * w;
    for (int64_t k = 0; k < w; k++) up[k] += rows[k];
    s[level + 1]++;
  }
  for (int64_t k = 0; k < lanes * w; k++) rows[k] = 0.0;
  s[level] = 0;
}

CG void cg_csum_push(int64_t *s, const double *v, int64_t w, int64_t lanes) {
  if (s[0] == RT_SUM_BLOCK) csum_pass(s, w, lanes, 0);
  double *row = (double *)(s + CSUM_LEVELS) + s[0] % RT_SUM_LANES * w;
  s[0]++;
CG_VECTOR
  for (int64_t k = 0; k < w; k++) row[k] += v[k];
}

CG_CALL void cg_csum_value(double *d, int64_t *s, int64_t w, int64_t lanes) {
  int level = 0;
  for (; level + 1 < CSUM_LEVELS && s[level + 1] > 0; level++) csum_pass(s, w, lanes, level);
  double *rows = csum_rows(s, w, lanes, level);
  csum_fold(rows, w, lanes);
  for (int64_t k = 0; k < w; k++) d[k] = rows[k];
}

/* ---- other reductions of a column */

CG_CALL double cg_fold_max(double m, const double *v, int64_t n) {
  for (int64_t l = 0; l < n; l++) m = rt_max(m, v[l]);
  return m;
}
CG_CALL double cg_fold_min(double m, const double *v, int64_t n) {
  for (int64_t l = 0; l < n; l++) m = rt_min(m, v[l]);
  return m;
}
CG int64_t cg_fold_isum(int64_t m, const int64_t *v, int64_t n) {
  for (int64_t l = 0; l < n; l++) m = (int64_t)((uint64_t)m + (uint64_t)v[l]);
  return m;
}
CG int64_t cg_fold_imax(int64_t m, const int64_t *v, int64_t n) {
  for (int64_t l = 0; l < n; l++) m = v[l] > m ? v[l] : m;
  return m;
}
CG int64_t cg_fold_imin(int64_t m, const int64_t *v, int64_t n) {
  for (int64_t l = 0; l < n; l++) m = v[l] < m ? v[l] : m;
  return m;
}
/* While additions go to one place, as in groups that are sorted, its sum stays in a register: a load would wait for the store.  A
 * branch is right here: a choice between the two would wait for both. */
CG void cg_scatter_add(double *d, const int64_t *at, const double *v, int64_t n) {
  int64_t last = at[0];
  double now = d[last];
  for (int64_t l = 0; l < n; l++) {
    int64_t i = at[l];
    if (i != last) {
      d[last] = now;
      now = d[i];
      last = i;
    }
    now += v[l];
  }
  d[last] = now;
}
CG_CALL void cg_iscatter_add(int64_t *d, const int64_t *at, const int64_t *v, int64_t n) {
  for (int64_t l = 0; l < n; l++) d[at[l]] = (int64_t)((uint64_t)d[at[l]] + (uint64_t)v[l]);
}

/* ---- cells */

CG_CALL void cg_copy(int64_t *restrict d, const int64_t *restrict a, int64_t n) {
  CG_VECTOR
  for (int64_t k = 0; k < n; k++) d[k] = a[k];
}
CG_CALL void cg_fill(int64_t *d, int64_t v, int64_t n) {
  CG_VECTOR
  for (int64_t k = 0; k < n; k++) d[k] = v;
}

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
