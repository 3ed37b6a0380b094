/* services.c: the services of abi.h.  Compiled for each instruction-set level twice: with the host, into the table that the engine hands to
 * compiled code; and with CG_AHEAD to bitcode, of which an object for a C host takes what it calls. */
#include "codegen/abi.h"
#include "codegen/host.h"
#include "compiler/ir.h"
#include "stdlib/runtime/rt_extreme.h"
#include "stdlib/runtime/rt_isa.h"
#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_philox.h"
#include "stdlib/runtime/rt_sample.h"

#ifdef CG_AHEAD
#define SERVICE
#else
#define SERVICE static
#endif
#define INLINE static inline __attribute__((always_inline))

/* For loops that are worth vectors; no other is made one. */
#if defined(__clang__)
#define VECTOR _Pragma("clang loop vectorize(assume_safety) interleave(disable)")
#else
#define VECTOR _Pragma("GCC ivdep")
#endif

/* ---- dense algebra */

SERVICE double cg_host_dot(const double *a, const double *b, int64_t n) { return RT_LV(rt_k_dot)(a, 1, b, 1, n); }
SERVICE void cg_host_gemv(double *d, const double *a, const double *x, int64_t m, int64_t n, int64_t trans) {
  RT_LV(rt_k_gemv)(d, a, x, m, n, (int)trans);
}
SERVICE void cg_host_gemv_columns(double *d, const double *a, int64_t ld, const double *x, int64_t m, int64_t n) {
  RT_LV(rt_k_gemv_columns)(d, a, ld, x, m, n);
}
SERVICE void cg_host_gemm(double *d, const double *a, const double *b, int64_t m, int64_t n, int64_t k, int64_t ta, int64_t tb) {
  RT_LV(rt_k_gemm)(d, a, b, m, n, k, (int)ta, (int)tb);
}
SERVICE void cg_host_cholesky(double *d, const double *a, int64_t n) {
  if (RT_LV(rt_k_cholesky)(d, a, n)) RT_LV(rt_k_fill)(d, __builtin_nan(""), n * n);
}
SERVICE void cg_host_chol_adj(double *d, const double *l, const double *lbar, int64_t n) { RT_LV(rt_k_cholesky_adjoint)(d, l, lbar, n); }
SERVICE void cg_host_trisolve(double *d, const double *l, const double *b, int64_t n, int64_t m, int64_t trans) {
  RT_LV(rt_k_solve_lower)(d, l, b, n, m, (int)trans);
}
SERVICE void cg_host_qr_r(double *d, const double *r, const double *b, int64_t m, int64_t n, double *scratch) {
  RT_LV(rt_k_copy)(d, r, n * n);
  RT_LV(rt_k_qr_rows)(d, b, m, n, scratch);
}
SERVICE void cg_host_inverse(int64_t *ptr, int64_t *list, const int64_t *k, int64_t n, int64_t buckets) {
  for (int64_t b = 0; b <= buckets; b++) ptr[b] = 0;
  for (int64_t e = 0; e < n; e++) if (k[e] >= 0 && k[e] < buckets) ptr[k[e] + 1]++;
  for (int64_t b = 0; b < buckets; b++) ptr[b + 1] += ptr[b];
  if (!list) return;
  for (int64_t e = 0; e < n; e++) list[e] = 0;
  for (int64_t e = 0; e < n; e++) if (k[e] >= 0 && k[e] < buckets) list[ptr[k[e]]++] = e;
}

/* ---- draws */

static int64_t bits_of(double x) { return ((cg_cell){.real = x}).integer; }
static double real_of(int64_t n) { return ((cg_cell){.integer = n}).real; }

SERVICE int64_t cg_host_draw(int64_t code, int64_t site, int64_t key, int64_t index, int64_t a, int64_t b) {
  rt_draw_addr at = {(uint64_t)key, (uint32_t)site, (uint64_t)index};
  switch (code) {
    case IR_UNIFORM_OP: return bits_of(rt_draw_uniform(at));
    case IR_NORMAL_OP: return bits_of(rt_draw_normal(at));
    case IR_EXPONENTIAL_OP: return bits_of(rt_draw_exponential(at));
    case IR_GAMMA_OP: return bits_of(rt_draw_gamma(at, real_of(a)));
    case IR_LOG_GAMMA_OP: return bits_of(rt_draw_log_gamma(at, real_of(a)));
    case IR_POISSON_OP: return rt_draw_poisson(at, real_of(a));
    case IR_BINOMIAL_OP: return rt_draw_binomial(at, a, real_of(b));
    default: return 0;
  }
}

SERVICE int64_t cg_host_categorical(int64_t site, int64_t key, int64_t index, const double *w, int64_t n) {
  return rt_draw_categorical((rt_draw_addr){(uint64_t)key, (uint32_t)site, (uint64_t)index}, w, n);
}
SERVICE int64_t cg_host_fold_key(int64_t key, int64_t n) { return (int64_t)rt_key_fold((uint64_t)key, (uint64_t)n); }

/* ---- checks */

SERVICE void cg_host_guard(cg_ctx *c, int64_t n, int64_t where) {
  if (c->guards == 0) c->guard_where = where;
  c->guards += n;
}
SERVICE void cg_host_bound(cg_ctx *c, int64_t where, int64_t index, int64_t extent) {
  c->where = where;
  c->index = index;
  c->extent = extent;
}

/* ---- canonical sums of scalars */

static void sum_up(cg_blocks *s, int level, double term) {
  if (s->upcount[level] == RT_SUM_BLOCK && level == 0) {
    double t = sum_tree(s->up[0]);
    if (s->upcount[1] == 0) sum_clear(s->up[1]);
    s->up[1][s->upcount[1] % RT_SUM_LANES] += t;
    s->upcount[1]++;
    sum_clear(s->up[0]);
    s->upcount[0] = 0;
  }
  s->up[level][s->upcount[level] % RT_SUM_LANES] += term;
  s->upcount[level]++;
}

SERVICE void cg_host_blocks_start(cg_blocks *s, int64_t n) {
  for (int64_t k = 0; k < n; k++) s[k].blocks = 0, s[k].first = 0.0;
}

/* acc [n][32]: the accumulators of a block of each of n sums. */
SERVICE void cg_host_blocks_push(cg_blocks *s, const double *acc, int64_t n) {
  for (; n > 0; n--, s++, acc += RT_SUM_LANES) {
    double t = sum_tree(acc);
    if (s->blocks == 0) {
      s->first = t;
      sum_clear(s->up[0]);
      s->upcount[0] = s->upcount[1] = 0;
    }
    sum_up(s, 0, t);
    s->blocks++;
  }
}

SERVICE double cg_host_blocks_value(const cg_blocks *s) {
  if (s->blocks <= 1) return s->first;
  if (s->upcount[1] == 0) return sum_tree(s->up[0]);
  double up[RT_SUM_LANES], t = sum_tree(s->up[0]); /* never empty: a term follows each flush of the level */
  for (int l = 0; l < RT_SUM_LANES; l++) up[l] = s->up[1][l];
  up[s->upcount[1] % RT_SUM_LANES] += t;
  return sum_tree(up);
}

/* Sum j < count, with the accumulators acc [32] of its own, takes the terms r[i] a[j ld + i], i < n, from accumulator 0 on.  Columns go in
 * pairs: the additions of one would wait for each other. */
INLINE void column_pair(double *acc, const double *r, const double *a, int64_t ld, int64_t n, int pair) {
  cg_v8 s[8];
  for (int k = 0; k < (pair ? 8 : 4); k++) s[k] = *(cg_v8 *)(acc + 8 * k);
  int64_t i = 0;
  for (; i + RT_SUM_LANES <= n; i += RT_SUM_LANES)
    for (int k = 0; k < 4; k++) {
      cg_v8 x = *(const cg_v8 *)(r + i + 8 * k);
      s[k] += x * *(const cg_v8 *)(a + i + 8 * k);
      if (pair) s[4 + k] += x * *(const cg_v8 *)(a + ld + i + 8 * k);
    }
  for (int k = 0; k < (pair ? 8 : 4); k++) *(cg_v8 *)(acc + 8 * k) = s[k];
  for (int64_t l = 0; i < n; i++, l++) {
    acc[l] += r[i] * a[i];
    if (pair) acc[RT_SUM_LANES + l] += r[i] * a[ld + i];
  }
}
SERVICE void cg_host_columns_add(double *acc, const double *r, const double *a, int64_t ld, int64_t count, int64_t n) {
  int64_t j = 0;
  for (; j + 2 <= count; j += 2) column_pair(acc + RT_SUM_LANES * j, r, a + ld * j, ld, n, 1);
  if (j < count) column_pair(acc + RT_SUM_LANES * j, r, a + ld * j, ld, n, 0);
}

/* The values of n sums, of one block or of `many`. */
SERVICE void cg_host_lanes_values(double *d, const double *acc, int64_t n) {
  for (int64_t k = 0; k < n; k++) d[k] = sum_tree(acc + RT_SUM_LANES * k);
}
SERVICE void cg_host_blocks_values(double *d, const double *acc, const cg_blocks *s, int64_t n, int64_t many) {
  for (int64_t k = 0; k < n; k++) d[k] = many ? cg_host_blocks_value(s + k) : sum_tree(acc + RT_SUM_LANES * k);
}

SERVICE void cg_host_sum_start(cg_sum *s) {
  sum_clear(s->acc);
  s->count = 0;
  cg_host_blocks_start(&s->blocks, 1);
}

/* Hands the block on. */
static void sum_flush(cg_sum *s) {
  cg_host_blocks_push(&s->blocks, s->acc, 1);
  sum_clear(s->acc);
  s->count = 0;
}

/* Appends e[0 .. n). */
SERVICE void cg_host_sum_push(cg_sum *s, const double *e, int64_t n) {
  while (n > 0) {
    if (s->count == RT_SUM_BLOCK) sum_flush(s);
    int64_t room = RT_SUM_BLOCK - s->count, k = n < room ? n : room, at = s->count % RT_SUM_LANES, i = 0;
    s->count += k;
    if (at) {
      for (; i < k && at < RT_SUM_LANES; i++, at++) s->acc[at] += e[i];
    }
    cg_v8 a = *(cg_v8 *)s->acc, b = *(cg_v8 *)(s->acc + 8), c = *(cg_v8 *)(s->acc + 16), d = *(cg_v8 *)(s->acc + 24);
    for (; i + RT_SUM_LANES <= k; i += RT_SUM_LANES) {
      a += *(const cg_v8 *)(e + i), b += *(const cg_v8 *)(e + i + 8);
      c += *(const cg_v8 *)(e + i + 16), d += *(const cg_v8 *)(e + i + 24);
    }
    *(cg_v8 *)s->acc = a, *(cg_v8 *)(s->acc + 8) = b, *(cg_v8 *)(s->acc + 16) = c, *(cg_v8 *)(s->acc + 24) = d;
    if (i < k) {
      if (at == RT_SUM_LANES) at = 0;
      for (; i < k; i++, at++) s->acc[at] += e[i];
    }
    e += k;
    n -= k;
  }
}

SERVICE double cg_host_sum_value(cg_sum *s) {
  if (s->blocks.blocks == 0) return sum_tree(s->acc);
  if (s->count) sum_flush(s);
  return cg_host_blocks_value(&s->blocks);
}

/* ---- canonical sums of arrays of w cells: three counts, then levels of `lanes` rows */

enum { CSUM_LEVELS = 3 };

SERVICE void cg_host_csum_start(int64_t *s, int64_t w, int64_t lanes) {
  double *rows = (double *)(s + CSUM_LEVELS);
  for (int k = 0; k < CSUM_LEVELS; k++) s[k] = 0;
  for (int64_t k = 0; k < lanes * w; k++) rows[k] = 0.0;
}

static double *csum_rows(int64_t *s, int64_t w, int64_t lanes, int level) { return (double *)(s + CSUM_LEVELS) + (int64_t)level * lanes * w; }

static void csum_fold(double *rows, int64_t w, int64_t lanes) {
  for (int64_t h = RT_SUM_LANES / 2; h > 0; h /= 2)
    for (int64_t l = 0; l < h && l + h < lanes; l++)
      VECTOR
      for (int64_t k = 0; k < w; k++) rows[l * w + k] += rows[(l + h) * w + k];
}

/* The sum of a full level becomes a term of the next.  Only where there are 32 lanes. */
static void csum_pass(int64_t *s, int64_t w, int64_t lanes, int level) {
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

SERVICE void cg_host_csum_push(int64_t *s, const double *v, int64_t w, int64_t lanes) {
  if (s[0] == RT_SUM_BLOCK) csum_pass(s, w, lanes, 0);
  double *row = (double *)(s + CSUM_LEVELS) + s[0] % RT_SUM_LANES * w;
  s[0]++;
  VECTOR
  for (int64_t k = 0; k < w; k++) row[k] += v[k];
}

SERVICE void cg_host_csum_value(double *d, int64_t *s, int64_t w, int64_t lanes) {
  int level = 0;
  for (; level + 1 < CSUM_LEVELS && s[level + 1] > 0; level++) csum_pass(s, w, lanes, level);
  double *rows = csum_rows(s, w, lanes, level);
  csum_fold(rows, w, lanes);
  for (int64_t k = 0; k < w; k++) d[k] = rows[k];
}

/* ---- other reductions of a column */

SERVICE double cg_host_fold_max(double m, const double *v, int64_t n) { return rt_fold_max(m, v, n); }
SERVICE double cg_host_fold_min(double m, const double *v, int64_t n) { return rt_fold_min(m, v, n); }
SERVICE int64_t cg_host_fold_isum(int64_t m, const int64_t *v, int64_t n) {
  for (int64_t l = 0; l < n; l++) m = (int64_t)((uint64_t)m + (uint64_t)v[l]);
  return m;
}
SERVICE int64_t cg_host_fold_imax(int64_t m, const int64_t *v, int64_t n) {
  for (int64_t l = 0; l < n; l++) m = v[l] > m ? v[l] : m;
  return m;
}
SERVICE int64_t cg_host_fold_imin(int64_t m, const int64_t *v, int64_t n) {
  for (int64_t l = 0; l < n; l++) m = v[l] < m ? v[l] : m;
  return m;
}
/* Additions to one place and another in the order of l: keys may repeat.  While they go to one place, as in groups that are sorted, its sum stays in a register, since a load would wait
 * for the store; where the place changes at random, as with labels that are drawn, the branch that this takes would cost more than the wait. */
static void add_runs(double *d, const int64_t *at, const double *v, int64_t n) {
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

static bool sorted(const int64_t *at, int64_t n) {
  int64_t changes = 0;
  if (at[0] == at[n / 3] && at[0] == at[n / 2] && at[0] == at[n - 1]) return true; /* by the looks of it */
  for (int64_t l = 1; l < n; l++) changes += at[l] != at[l - 1];
  return 8 * changes <= n;
}

SERVICE void cg_host_scatter_add(double *restrict d, const int64_t *restrict at, const double *restrict v, int64_t n) {
  if (n <= 0) return; /* of a box without iterations */
  if (sorted(at, n)) {
    add_runs(d, at, v, n);
    return;
  }
  for (int64_t l = 0; l < n; l++) d[at[l]] += v[l];
}
SERVICE void cg_host_iscatter_add(int64_t *d, const int64_t *at, const int64_t *v, int64_t n) {
  for (int64_t l = 0; l < n; l++) d[at[l]] = (int64_t)((uint64_t)d[at[l]] + (uint64_t)v[l]);
}

/* ---- cells */

SERVICE void cg_host_copy(int64_t *restrict d, const int64_t *restrict a, int64_t n) {
  VECTOR
  for (int64_t k = 0; k < n; k++) d[k] = a[k];
}
SERVICE void cg_host_fill(int64_t *d, int64_t v, int64_t n) {
  VECTOR
  for (int64_t k = 0; k < n; k++) d[k] = v;
}

/* ---- mathematics */

SERVICE void cg_host_special_of_law(double *d, int64_t ld, const int64_t *op, int64_t count, const double *a, int64_t sa, const double *b, int64_t sb,
                                    const double *c, int64_t sc, int64_t n) {
  RT_LV(rt_k_special_of_law)(d, ld, op, count, a, (int)sa, b, (int)sb, c, (int)sc, n);
}

#define X(unused, name) SERVICE CG_MATH_CALL double cg_host_##name(double a) { return rt_##name(a); }
CG_MATH1(X, )
#undef X
SERVICE CG_MATH_CALL double cg_host_pow(double a, double b) { return rt_pow(a, b); }
SERVICE CG_MATH_CALL double cg_host_atan2(double a, double b) { return rt_atan2(a, b); }

#ifdef CG_AHEAD
#define X(CODE, name, meaning)                                                                                                         \
  void cg_host_special_##name(double *d, const double *a, int sa, const double *b, int sb, const double *c, int sc, ptrdiff_t n) {      \
    RT_LV(rt_special_##name)(d, a, sa, b, sb, c, sc, n);                                                                                \
  }
RT_SPECIAL_OPS(X)
#undef X
#else
const cg_host RT_LV(cg_host) = {
#define X(result, name, parameters) .name = cg_host_##name,
    CG_SERVICES(X)
#undef X
#define X(CODE, name, meaning) .special[RT_##CODE] = RT_LV(rt_special_##name),
    RT_SPECIAL_OPS(X)
#undef X
};
#endif
