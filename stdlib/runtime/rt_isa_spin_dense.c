/* rt_isa_spin_dense.c: visits to the spins of dense problems, each replica by itself.
 *
 * Several replicas: sites in rising order go in groups of 16.  A group is decided in registers: its 16 fields, corrected by the one row of J that a flip needs there, are
 * compared with 16 bounds, the first spin that flips is found, and so on behind it: as if one site were visited after the other.  Then all rows of the
 * group's flips are added to the fields together, in the order of the flips, so each field is read and written once for up to 16 of them,
 * and a row of J once for all replicas.  Sixteen replicas are decided together where the level has vectors for them.  Random order and lists visit one site at a time. */
#include "stdlib/runtime/rt_isa_spin.h"

typedef char rt_bytes __attribute__((vector_size(16), may_alias));
typedef int16_t rt_shorts __attribute__((vector_size(32), may_alias));

/* 16 signed bytes or 16-bit numbers as integers.  gcc 12 takes wide conversions apart, element by element. */
RT_INLINE rt_vi widen(const void *from, int bytes)
{
#if defined(__AVX512F__) && !defined(__clang__)
  if (bytes) return (rt_vi)__builtin_ia32_pmovsxbd512_mask(*(const rt_bytes *)from, rt_vi_all(0), (uint16_t)-1);
  return (rt_vi)__builtin_ia32_pmovsxwd512_mask(*(const rt_shorts *)from, rt_vi_all(0), (uint16_t)-1);
#elif defined(__AVX2__) && !defined(__clang__)
  typedef short eight __attribute__((vector_size(16), may_alias));
  typedef int half __attribute__((vector_size(32)));
  union { half h[2]; rt_vi v; } r;
  for (int q = 0; q < 2; q++) {
    rt_bytes x = {0};
    __builtin_memcpy(&x, (const char *)from + 8 * q, 8);
    r.h[q] = bytes ? __builtin_ia32_pmovsxbd256(x) : __builtin_ia32_pmovsxwd256(((const eight *)from)[q]);
  }
  return r.v;
#else
  rt_vi r;
  for (int l = 0; l < 16; l++) r[l] = bytes ? ((const int8_t *)from)[l] : ((const int16_t *)from)[l];
  return r;
#endif
}

/* 16 elements of J. */
RT_INLINE rt_vf load_row(const void *J, rt_spin_element e, size_t at)
{
  if (e == RT_SPIN_EL_F32) return RT_VF((const float *)J + at);
  return __builtin_convertvector(e == RT_SPIN_EL_I16 ? widen((const int16_t *)J + at, 0) : widen((const int8_t *)J + at, 1), rt_vf);
}

/* g += to[q] J[site[q]] over the columns [from, to), multiples of 16. */
RT_INLINE void add_columns(const void *J, rt_spin_element e, size_t ld, const rt_spin_flipped *q, float *g, size_t from, size_t to)
{
  enum { WIDE = 8 };
  size_t col = from;
  for (; col + 16 * WIDE <= to; col += 16 * WIDE) {
    rt_vf a[WIDE];
    for (size_t v = 0; v < WIDE; v++) a[v] = RT_VF(g + col + 16 * v);
    for (uint32_t k = 0; k < q->count; k++) {
      size_t at = q->site[k] * ld + col;
      rt_vf c = rt_vf_all(q->to[k]);
#pragma GCC unroll 8
      for (size_t v = 0; v < WIDE; v++) a[v] = rt_add_signed(a[v], c, load_row(J, e, at + 16 * v));
    }
    for (size_t v = 0; v < WIDE; v++) RT_VF_AT(g + col + 16 * v) = a[v];
  }
  for (; col < to; col += 16) {
    rt_vf a = RT_VF(g + col);
    for (uint32_t k = 0; k < q->count; k++) a = rt_add_signed(a, rt_vf_all(q->to[k]), load_row(J, e, q->site[k] * ld + col));
    RT_VF_AT(g + col) = a;
  }
}

/* The same, beginning with `next`, which is looked at first. */
RT_INLINE void add_rows(const void *J, rt_spin_element e, size_t ld, const rt_spin_flipped *q, float *g, size_t from, size_t to, size_t next)
{
  if (next <= from || next >= to) next = from;
  add_columns(J, e, ld, q, g, next, to);
  add_columns(J, e, ld, q, g, from, next);
}

/* Brings the square of J on the diagonal at group b near: a decision waits for its rows. */
RT_INLINE void expect(const void *J, rt_spin_element e, size_t ld, size_t b)
{
  size_t size = e == RT_SPIN_EL_F32 ? 4 : e == RT_SPIN_EL_I16 ? 2 : 1;
  for (size_t i = 16 * b; i < 16 * b + 16; i++) __builtin_prefetch((const char *)J + (i * ld + 16 * b) * size);
}

/* The columns that rows of sites of group b reach. */
RT_INLINE void columns(const rt_spin_model *m, size_t first, size_t last, size_t *from, size_t *to)
{
  size_t split = m->p.split;
  *from = split && last < split ? split / 16 * 16 : 0;
  *to = split && first >= split ? (split + 15) / 16 * 16 : m->ld;
}

/* Decides the sites of group b for which todo has a bit. */
RT_INLINE void decide(const void *J, rt_spin_element e, size_t ld, size_t b, uint32_t todo, float *s, const float *g, rt_vf bound, rt_spin_flipped *q)
{
  rt_vf spin = RT_VF(s + 16 * b), field = RT_VF(g + 16 * b);
  uint32_t count = 0, hit = rt_le_mask(spin * field, bound) & todo;
  while (hit) {
    uint32_t k = (uint32_t)__builtin_ctz(hit);
    size_t i = 16 * b + k;
    rt_vf was = rt_vf_all(s[i]);
    float to = -s[i];
    s[i] = to;
    q->site[count] = (uint32_t)i;
    q->to[count++] = to;
    field = rt_add_signed(field, -was, load_row(J, e, i * ld + 16 * b));
    todo &= ~1u << k;
    hit = rt_le_mask(spin * field, bound) & todo;
  }
  q->count = count;
}

/* ---- the same for 16 replicas, a lane each: 16 x 16 numbers are turned, and turned back */

#if defined(__AVX512F__) && !defined(__clang__)
enum { TURNED = 16 };

/* Rows become columns: four perfect shuffles. */
RT_INLINE void turn(rt_vf x[16])
{
  const rt_vi low = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23}, high = low + 8;
  rt_vf y[16];
  for (int stage = 0; stage < 2; stage++) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      y[2 * i] = __builtin_shuffle(x[i], x[i + 8], low);
      y[2 * i + 1] = __builtin_shuffle(x[i], x[i + 8], high);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      x[2 * i] = __builtin_shuffle(y[i], y[i + 8], low);
      x[2 * i + 1] = __builtin_shuffle(y[i], y[i + 8], high);
    }
  }
}

/* Decides the sites of group b for replicas r .. r + 15; x: their variates, RT_SPIN_VARIATES apart. */
RT_INLINE void decide_turned(rt_spin_run *run, const void *J, rt_spin_element e, size_t ld, size_t b, uint32_t todo, size_t r, const float *x, float always)
{
  rt_vf spin[16], field[16], variate[16];
  float square[16] __attribute__((aligned(64)));
  for (size_t l = 0; l < 16; l++) {
    spin[l] = RT_VF(rt_spins_f32(run, r + l) + 16 * b);
    field[l] = RT_VF(rt_fields_f32(run, r + l) + 16 * b);
    __builtin_memcpy(&variate[l], x + l * RT_SPIN_VARIATES, sizeof variate[l]);
  }
  turn(spin);
  turn(field);
  turn(variate);
  rt_vf factor;
  __builtin_memcpy(&factor, run->factor + r, sizeof factor);
  for (size_t k = 0; k < 16; k++) {
    if (!(todo >> k & 1)) continue;
    rt_vf bound = rt_vf_pick((rt_vi)(variate[k] >= rt_vf_all(always)), rt_vf_all(__builtin_inff()), variate[k] * factor);
    rt_vi hit = (rt_vi)(spin[k] * field[k] <= bound);
    rt_vf c = (rt_vf)((rt_vi)-spin[k] & hit);
    spin[k] += c + c;
    RT_VF_AT(square) = load_row(J, e, (16 * b + k) * ld + 16 * b);
    for (size_t i = k + 1; i < 16; i++) field[i] = rt_add_signed(field[i], c, rt_vf_all(square[i]));
  }
  turn(spin);
  for (size_t l = 0; l < 16; l++) {
    float *s = rt_spins_f32(run, r + l) + 16 * b;
    rt_spin_flipped *q = run->flipped + r + l;
    uint32_t count = 0, flipped = (uint16_t)__builtin_ia32_cmpps512_mask(RT_VF(s), spin[l], 4 /* unequal */, (uint16_t)-1, 4);
    RT_VF_AT(s) = spin[l];
    for (; flipped; flipped &= flipped - 1) {
      uint32_t k = (uint32_t)__builtin_ctz(flipped);
      q->site[count] = (uint32_t)(16 * b) + k;
      q->to[count++] = s[k];
    }
    q->count = count;
  }
}
#else
enum { TURNED = 0 };
RT_INLINE void decide_turned(rt_spin_run *run, const void *J, rt_spin_element e, size_t ld, size_t b, uint32_t todo, size_t r, const float *x, float always)
{
  (void)run, (void)J, (void)e, (void)ld, (void)b, (void)todo, (void)r, (void)x, (void)always;
}
#endif

/* ---- one replica: a window of sites in registers, and the row of a flip added to all fields at once.
 *
 * Fields in the window are kept as s g, which is compared with the bounds; a row's part there decides what flips next, and the rest of it is work that a processor
 * does beside.  A flip changes the other fields by little, so what flips next is mostly what would have flipped next before it: the kernel goes on
 * with that site, and a branch, foreseen rightly most of the time, tells whether it was. */

enum { WINDOW = 2 }; /* vectors */

/* A flip whose row is to be added: to all fields, but those of the window have it already. */
typedef struct flip {
  const void *row;
  float c;
} flip;

/* g += c row over the columns [from, to), multiples of 16. */
RT_INLINE void add_row(flip x, rt_spin_element e, float *g, size_t from, size_t to)
{
  rt_vf all = rt_vf_all(x.c);
#pragma GCC unroll 4
  for (size_t col = from; col < to; col += 16) RT_VF_AT(g + col) = rt_add_signed(RT_VF(g + col), all, load_row(x.row, e, col));
}

/* Two of them, x before y: fields are read and written once for both, and both rows are on their way together. */
RT_INLINE void add_two_rows(flip x, flip y, rt_spin_element e, float *g, size_t from, size_t to)
{
  rt_vf all_x = rt_vf_all(x.c), all_y = rt_vf_all(y.c);
#pragma GCC unroll 4
  for (size_t col = from; col < to; col += 16)
    RT_VF_AT(g + col) = rt_add_signed(rt_add_signed(RT_VF(g + col), all_x, load_row(x.row, e, col)), all_y, load_row(y.row, e, col));
}

RT_INLINE void visit_alone(rt_spin_run *run, const rt_spin_piece *piece, rt_spin_element e)
{
  const rt_spin_model *m = run->model;
  size_t ld = m->ld, end = piece->first + piece->count, row_bytes = ld * (e == RT_SPIN_EL_F32 ? 4 : e == RT_SPIN_EL_I16 ? 2 : 1);
  float *s = rt_spins_f32(run, 0), *g = rt_fields_f32(run, 0);
  uint64_t flips = 0;
  for (size_t b = piece->first / 16 * 16; b < end; b += 16 * WINDOW) {
    size_t lo = b < piece->first ? piece->first - b : 0, hi = end - b < 16 * WINDOW ? end - b : 16 * WINDOW, from, to, at[WINDOW];
    uint64_t todo = ~(uint64_t)0 << lo & ~(uint64_t)0 >> (64 - hi), hit = 0;
    const float *x = run->variate + 16 + piece->at + b - piece->first;
    rt_vf spin[WINDOW], field[WINDOW], bound[WINDOW];
    columns(m, b, b + hi - 1, &from, &to);
#pragma GCC unroll 2
    for (size_t v = 0; v < WINDOW; v++) {
      rt_vf variate;
      at[v] = b + 16 * v < ld ? 16 * v : 0; /* beyond the last column nothing is to do */
      __builtin_memcpy(&variate, x + at[v], sizeof variate);
      bound[v] = rt_bound(variate, run->factor[0], piece->always);
      spin[v] = RT_VF(s + b + at[v]);
      field[v] = spin[v] * RT_VF(g + b + at[v]);
      hit |= (uint64_t)rt_le_mask(field[v], bound[v]) << 16 * v;
    }
    hit &= todo;
    flip held = {NULL, 0.0f};
    for (size_t k = (size_t)__builtin_ctzll(hit | (uint64_t)1 << 63); hit;) {
      const char *row = (const char *)m->J + (b + k) * row_bytes;
      uint64_t guess = hit & (hit - 1);
      float c = -s[b + k];
      s[b + k] = c;
      todo &= ~(uint64_t)1 << k;
      hit = 0;
#pragma GCC unroll 2
      for (size_t v = 0; v < WINDOW; v++) {
        rt_vi sign = ((rt_vi)spin[v] ^ (rt_vi)rt_vf_all(c)) & rt_vi_all(INT32_MIN);
        field[v] += (rt_vf)((rt_vi)load_row(row, e, b + at[v]) ^ sign);
        hit |= (uint64_t)rt_le_mask(field[v], bound[v]) << 16 * v;
      }
      hit &= todo;
      flip now = {row, c};
      if (held.row) add_two_rows(held, now, e, g, from, to), held.row = NULL;
      else held = now;
      flips++;
      k = (size_t)__builtin_ctzll(guess | (uint64_t)1 << 63);
      if (__builtin_expect((hit & -hit) != (guess & -guess), 0)) {
        __asm__ volatile(""); /* a branch, lest the next row wait for this one */
        k = (size_t)__builtin_ctzll(hit | (uint64_t)1 << 63);
      }
    }
    if (held.row) add_row(held, e, g, from, to);
  }
  run->flips[0] += flips;
}

/* Columns of 16 rows that stay in the nearest cache while all replicas take them. */
enum { NEAR = 512 };

RT_INLINE void visit_groups(rt_spin_run *run, const rt_spin_piece *piece, rt_spin_element e)
{
  const rt_spin_model *m = run->model;
  size_t ld = m->ld, first = piece->first, end = first + piece->count, replicas = run->plan.replicas;
  for (size_t b = first / 16; 16 * b < end; b++) {
    size_t lo = 16 * b < first ? first - 16 * b : 0, hi = end - 16 * b < 16 ? end - 16 * b : 16, from, to;
    uint32_t todo = (uint32_t)((1u << hi) - (1u << lo));
    columns(m, 16 * b, 16 * b + 15, &from, &to);
    if (16 * b + 32 <= m->p.n) expect(m->J, e, ld, b + 1);
    const float *x = run->variate + 16 + piece->at + 16 * b - first;
    for (size_t r = 0; r < replicas;) {
      if (TURNED && r + TURNED <= replicas) {
        decide_turned(run, m->J, e, ld, b, todo, r, x + r * RT_SPIN_VARIATES, piece->always);
        r += TURNED;
        continue;
      }
      rt_vf variate;
      __builtin_memcpy(&variate, x + r * RT_SPIN_VARIATES, sizeof variate);
      decide(m->J, e, ld, b, todo, rt_spins_f32(run, r), rt_fields_f32(run, r), rt_bound(variate, run->factor[r], piece->always), run->flipped + r);
      r++;
    }
    for (size_t r = 0; r < replicas; r++) run->flips[r] += run->flipped[r].count;
    if (replicas == 1) {
      if (run->flipped->count) add_rows(m->J, e, ld, run->flipped, rt_fields_f32(run, 0), from, to, 16 * b + 16);
      continue;
    }
    for (size_t col = from; col < to; col += NEAR)
      for (size_t r = 0; r < replicas; r++)
        if (run->flipped[r].count) add_columns(m->J, e, ld, run->flipped + r, rt_fields_f32(run, r), col, col + NEAR < to ? col + NEAR : to);
  }
}

/* Where replicas have problems of their own, or sites come in another order. */
RT_INLINE void visit_each(rt_spin_run *run, const rt_spin_piece *piece, rt_spin_element e)
{
  const rt_spin_model *m = run->model;
  size_t ld = m->ld;
  rt_spin_flipped one = {.count = 1};
  for (size_t r = 0; r < run->plan.replicas; r++) {
    float *s = rt_spins_f32(run, r), *g = rt_fields_f32(run, r), factor = run->factor[r];
    const float *x = run->variate + r * RT_SPIN_VARIATES + 16 + piece->at;
    size_t base = rt_system_of(run, r) * m->p.n;
    for (size_t k = 0; k < piece->count; k++) {
      size_t i = piece->sites ? piece->sites[k] : piece->first + k, from, to;
      if (s[i] * g[i] <= rt_bound_of(x[k], factor, piece->always)) {
        one.site[0] = (uint32_t)(base + i);
        one.to[0] = s[i] = -s[i];
        columns(m, i, i, &from, &to);
        add_columns(m->J, e, ld, &one, g, from, to);
        run->flips[r]++;
      }
    }
  }
}

void RT_LV(rt_spin_visit_dense)(rt_spin_run *run, const rt_spin_piece *piece)
{
  int each = piece->sites || run->model->p.systems > 1;
  if (!each && run->plan.replicas == 1) {
    if (run->model->element == RT_SPIN_EL_F32) visit_alone(run, piece, RT_SPIN_EL_F32);
    else if (run->model->element == RT_SPIN_EL_I16) visit_alone(run, piece, RT_SPIN_EL_I16);
    else visit_alone(run, piece, RT_SPIN_EL_I8);
    return;
  }
  switch (run->model->element) {
  case RT_SPIN_EL_F32: each ? visit_each(run, piece, RT_SPIN_EL_F32) : visit_groups(run, piece, RT_SPIN_EL_F32); break;
  case RT_SPIN_EL_I16: each ? visit_each(run, piece, RT_SPIN_EL_I16) : visit_groups(run, piece, RT_SPIN_EL_I16); break;
  default: each ? visit_each(run, piece, RT_SPIN_EL_I8) : visit_groups(run, piece, RT_SPIN_EL_I8); break;
  }
}
