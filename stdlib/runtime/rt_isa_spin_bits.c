/* rt_isa_spin_bits.c: visits to a spin of 512 replicas at once, for small integer couplings and fields.
 *
 * The weight B of a site's unsatisfied bonds is counted in bit slices: plane k holds bit k of the 512 counts.  With W the weight of all its bonds,
 * s f = W - 2B =: K, in units, and a flip costs 2 K.  Each K that is not accepted for sure is a class with a threshold; digit j of the 512 thresholds is the
 * union of the masks of those classes whose threshold has digit j.  A field is a bond to a ghost spin behind the last, which is +1. */
#include "stdlib/runtime/rt_isa_spin_bits.h"

enum { PLANES = RT_SPIN_SLICES - 1, MOST = (1 << PLANES) - 1, FEW = 63, MANY = 255, WORDS = (MOST + 1) / 64 };

/* Class of K, K in -most .. most, both parities apart. */
RT_INLINE int class_of(int K, int most) { return (K + most) >> 1; }

typedef struct classes {
  int most;    /* largest weight of a site's bonds that these classes are for: FEW, MANY or MOST */
  int low;     /* K <= low are accepted for sure */
  int high[2]; /* K > high[K % 2] never */
  uint64_t digit[2][RT_SPIN_BITS][WORDS]; /* by parity of K and digit (0 the lowest): classes whose thresholds have it */
  uint64_t first[FEW + 1][2][RT_SPIN_BITS_FIRST]; /* where most is FEW: [class][parity] of the highest digits, all ones where the threshold has it */
} classes;

static void make_classes(classes *c, const rt_spin_run *run, int most, double beta, double floor)
{
  c->most = most;
  c->low = run->plan.rule == RT_SPIN_HEAT_BATH ? -MOST - 1 : 0;
  c->high[0] = c->high[1] = -MOST - 1;
  for (int odd = 0; odd < 2; odd++)
    for (int j = 0; j < RT_SPIN_BITS; j++)
      for (int w = 0; w < WORDS; w++) c->digit[odd][j][w] = 0;
  for (int K = c->low < -most ? -most : c->low + 1; K <= most; K++) {
    uint32_t t = rt_threshold(rt_spin_acceptance(run->plan.rule, K ? 2.0 * beta * run->model->unit * K : 0.0, floor));
    int odd = K & 1, at = class_of(K, most);
    if (t) c->high[odd] = K;
    for (int j = 0; j < RT_SPIN_BITS; j++) c->digit[odd][j][at / 64] |= (uint64_t)(t >> j & 1) << at % 64;
    if (most == FEW)
      for (int j = 0; j < RT_SPIN_BITS_FIRST; j++) c->first[at][odd][j] = -(uint64_t)(t >> (RT_SPIN_BITS - RT_SPIN_BITS_FIRST + j) & 1);
  }
}

RT_INLINE rt_vw both(rt_vw a, rt_vw b) { return a & b; }

/* Adds `carry` to the counts at plane k. */
RT_INLINE void add_at(rt_vw *plane, int k, int planes, rt_vw carry)
{
  for (; k < planes; k++) {
    rt_vw t = plane[k] & carry;
    plane[k] ^= carry;
    carry = t;
  }
}

/* Whether a bond is unsatisfied, by its entry in the model's slices; `alike`: all couplings have one sign, and unlike[0] is for it. */
RT_INLINE rt_vw bond(const rt_vw *spin, const rt_vw unlike[2], uint32_t entry, int alike)
{
  const rt_vw *other = (const rt_vw *)((const char *)spin + (entry & ~(uint32_t)63));
  if (alike) return *other ^ unlike[0];
  return *other ^ unlike[entry & 1];
}

/* Counts bonds whose weight has bit k: eight together by full adders (Harley and Seal), four, then each. */
RT_INLINE void count_bonds(const rt_vw *spin, const rt_vw unlike[2], const uint32_t *entry, size_t count, int k, int planes, int alike, rt_vw *plane)
{
  rt_vw one = plane[k], two = k + 1 < planes ? plane[k + 1] : rt_vw_all(0);
  size_t e = 0;
#define BOND(q) bond(spin, unlike, entry[e + (q)], alike)
#define ADD(low, carry, x, y) \
  do { \
    rt_vw x_ = (x), y_ = (y); \
    carry = rt_majority(low, x_, y_); \
    low = rt_xor3(low, x_, y_); \
  } while (0)
  if (k + 2 < planes) {
    for (; e + 4 <= count; e += 4) {
      rt_vw t0, t1, four;
      ADD(one, t0, BOND(0), BOND(1));
      ADD(one, t1, BOND(2), BOND(3));
      ADD(two, four, t0, t1);
      add_at(plane, k + 2, planes, four);
    }
  }
  plane[k] = one;
  if (k + 1 < planes) plane[k + 1] = two;
  for (; e < count; e++) add_at(plane, k, planes, BOND(0));
#undef ADD
#undef BOND
}

typedef struct block {
  rt_vw *spin;
  rt_streams random;
  rt_vw sign; /* of all couplings, where they are alike: all ones for negative ones */
  const classes *few, *many, *most; /* for sites whose bonds are at most FEW of weight 1, and for others up to MANY and MOST */
} block;

/* The digits of all thresholds at one place, of the classes in `within`. */
RT_INLINE rt_vw digits_of(const uint64_t *digit, const uint64_t *within, int words, const rt_vw *mask)
{
  rt_vw t = rt_vw_all(0);
  for (int w = 0; w < words; w++)
    for (uint64_t left = digit[w] & within[w]; left; left &= left - 1) t |= mask[64 * w + __builtin_ctzll(left)];
  return t;
}

/* One visit to a site whose bonds weigh less than 2^planes: the mask of spins that flip. */
RT_INLINE rt_vw visit_slices(const rt_spin_model *m, block *b, size_t site, int planes, int unit, int alike)
{
  rt_vw s = b->spin[site], unlike[2] = {s, ~s}, plane[PLANES], mask[64 * WORDS], low[8], high[1 << (PLANES - 3)];
  const uint32_t *row = m->slice_row + site * RT_SPIN_SLICES;
  if (alike && unit) unlike[0] ^= b->sign;
  for (int k = 0; k < planes; k++) plane[k] = rt_vw_all(0);
  if (unit) count_bonds(b->spin, unlike, m->slice + row[0], row[1] - row[0], 0, planes, alike, plane);
  else
    for (int k = 0; k < planes; k++) count_bonds(b->spin, unlike, m->slice + row[k], row[k + 1] - row[k], k, planes, 0, plane);
  /* Masks of B = 0, 1, ... from the lower three planes and those above. */
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
  const classes *c = unit ? b->few : planes == PLANES ? b->most : b->many;
  int W = m->slice_weight[site], odd = W & 1, most = unit ? FEW : planes == PLANES ? MOST : MANY, words = (most + 1) / 64;
  int least = c->low < -W ? -W : c->low + 1;
  rt_vw some = rt_vw_all(0), never = rt_vw_all(0), digit[RT_SPIN_BITS_FIRST];
#define MASK(B) (planes > 3 ? both(low[(B) & 7], high[(B) >> 3]) : both(low[(B) & 7], low[(B) & 7]))
  int K = W, B = 0;
  for (; K > c->high[odd] && K >= least; K -= 2, B++) never |= MASK(B);
  for (int j = 0; j < RT_SPIN_BITS_FIRST; j++) digit[j] = rt_vw_all(0);
  for (; K >= least; K -= 2, B++) {
    rt_vw x = MASK(B);
    int at = class_of(K, most);
    mask[at] = x;
    some |= x;
    if (unit) {
      const uint64_t *d = c->first[at][odd];
#pragma GCC unroll 12
      for (int j = 0; j < RT_SPIN_BITS_FIRST; j++) digit[j] = rt_or_and(digit[j], x, rt_vw_all(d[j]));
    }
  }
#undef MASK
  /* The classes that have masks, for where digits are collected one by one. */
  uint64_t within[WORDS];
  int first = class_of(least, most), last = class_of(c->high[odd] < W ? c->high[odd] : W, most);
  for (int w = 0; w < words; w++) {
    int from = first > 64 * w ? first - 64 * w : 0, to = last < 64 * w + 63 ? last - 64 * w : 63;
    within[w] = from > 63 || to < 0 ? 0 : ~(uint64_t)0 >> (63 - to) & ~(uint64_t)0 << from;
  }
  rt_vw less = rt_vw_all(0), equal = some;
#pragma GCC unroll 12
  for (int j = 0; j < RT_SPIN_BITS_FIRST; j++) {
    rt_vw u = rt_streams_next(&b->random), t = digit[j];
    if (!unit) t = digits_of(c->digit[odd][RT_SPIN_BITS - RT_SPIN_BITS_FIRST + j], within, words, mask);
    less = rt_less(u, t, less);
    equal = rt_still_equal(equal, u, t);
  }
  if (rt_any(equal)) {
    rt_vw more = rt_vw_all(0);
    for (int j = 0; j < RT_SPIN_BITS - RT_SPIN_BITS_FIRST; j++) {
      rt_vw u = rt_streams_next(&b->random), t = digits_of(c->digit[odd][j], within, words, mask);
      more = rt_less(u, t, more);
    }
    less |= equal & more;
  }
  rt_vw flip = less | ~(some | never);
  b->spin[site] = s ^ flip;
  return flip;
}

/* unit: all bonds have weight 1. */
RT_INLINE rt_vw visit(const rt_spin_model *m, block *b, size_t site, int unit, int alike)
{
  int W = m->slice_weight[site];
  if (W > MANY) return visit_slices(m, b, site, PLANES, 0, 0);
  if (!unit || W > FEW) return visit_slices(m, b, site, 8, 0, 0);
  if (W < 8) return visit_slices(m, b, site, 3, 1, alike);
  if (W < 16) return visit_slices(m, b, site, 4, 1, alike);
  if (W < 32) return visit_slices(m, b, site, 5, 1, alike);
  return visit_slices(m, b, site, 6, 1, alike);
}

/* Adds the numbers in `from` (bit slices) to those of `to`. */
RT_INLINE void add_slices(rt_vw *to, int to_planes, const rt_vw *from, int planes, int shift)
{
  rt_vw carry = rt_vw_all(0);
  for (int k = shift; k < to_planes; k++) {
    rt_vw x = k - shift < planes ? from[k - shift] : rt_vw_all(0), t = rt_majority(to[k], x, carry);
    to[k] = rt_xor3(to[k], x, carry);
    carry = t;
    if (k - shift >= planes && !rt_any(carry)) return;
  }
}

enum { WIDE = 40 };

/* Takes numbers out of their slices. */
static void read_slices(const rt_vw *slice, int planes, uint64_t *to, size_t count)
{
  const uint64_t *w = (const uint64_t *)slice;
  while (planes && !rt_any(slice[planes - 1])) planes--;
  for (size_t r = 0; r < count; r++) {
    uint64_t x = 0;
    for (int k = 0; k < planes; k++) x |= (w[8 * k + (int)(r / 64)] >> r % 64 & 1) << k;
    to[r] = x;
  }
}

static size_t in_block(const rt_spin_run *run, size_t b)
{
  size_t left = run->plan.replicas - b * RT_SPIN_BLOCK;
  return left < RT_SPIN_BLOCK ? left : RT_SPIN_BLOCK;
}

RT_INLINE void sweep_block(rt_spin_run *run, size_t index, const classes *of, size_t sites, size_t visits, int unit, int alike)
{
  const rt_spin_model *m = run->model;
  block b = {.spin = rt_spins_bits(run, index), .few = &of[0], .many = &of[1], .most = &of[2], .sign = rt_vw_all(m->slice_sign < 0 ? ~(uint64_t)0 : 0)};
  rt_vw flips[WIDE], last[4];
  b.random = rt_streams_start(run->plan.key, run->plan.first_replica / RT_SPIN_BLOCK + index, run->sweep);
  for (int k = 0; k < WIDE; k++) flips[k] = rt_vw_all(0);
  for (size_t v = 0; v < visits;) {
    size_t end = v + 15 < visits ? v + 15 : visits;
    for (int k = 0; k < 4; k++) last[k] = rt_vw_all(0);
    for (; v < end; v++) {
      size_t at = v;
      if (run->plan.order == RT_SPIN_RANDOM)
        at = (size_t)((uint64_t)rt_visit_word(run->plan.key, RT_SPIN_SITE_ORDER, run->visit + v) * sites >> 32);
      add_at(last, 0, 4, visit(m, &b, run->plan.sites ? run->plan.sites[at] : at, unit, alike));
    }
    add_slices(flips, WIDE, last, 4, 0);
  }
  uint64_t count[RT_SPIN_BLOCK];
  size_t replicas = in_block(run, index);
  read_slices(flips, WIDE, count, replicas);
  for (size_t r = 0; r < replicas; r++) run->flips[index * RT_SPIN_BLOCK + r] += count[r];
}

/* E = unit (2 B - W) of all bonds and fields: each bond is met at both ends, fields once. */
void RT_LV(rt_spin_energies_bits)(const rt_spin_run *run, size_t block)
{
  const rt_spin_model *m = run->model;
  size_t n = m->p.n;
  const rt_vw *spin = rt_spins_bits(run, block);
  rt_vw sum[WIDE];
  for (int k = 0; k < WIDE; k++) sum[k] = rt_vw_all(0);
  for (size_t i = 0; i < n; i++) {
    rt_vw s = spin[i], unlike[2] = {s, ~s}, plane[PLANES] = {{0}}, ghost[PLANES] = {{0}};
    const uint32_t *row = m->slice_row + i * RT_SPIN_SLICES;
    for (int k = 0; k < PLANES; k++) {
      /* The ghost's entry, if there is one, is the last of a row. */
      size_t from = row[k], to = row[k + 1];
      if (to > from && m->slice[to - 1] >> 6 == n) ghost[k] = bond(spin, unlike, m->slice[--to], 0);
      count_bonds(spin, unlike, m->slice + from, to - from, k, PLANES, 0, plane);
    }
    add_slices(sum, WIDE, plane, PLANES, 0);
    if (m->p.h) add_slices(sum, WIDE, ghost, PLANES, 1);
  }
  uint64_t twice[RT_SPIN_BLOCK];
  size_t replicas = in_block(run, block);
  read_slices(sum, WIDE, twice, replicas);
  for (size_t r = 0; r < replicas; r++) run->energy[block * RT_SPIN_BLOCK + r] = m->unit * ((double)twice[r] - m->slice_total);
}

void RT_LV(rt_spin_sweep_bits)(rt_spin_run *run, size_t sites, size_t visits, double beta, double floor)
{
  const rt_spin_model *m = run->model;
  classes of[3];
  int unit = m->slices == 1, alike = unit && m->slice_sign;
  if (unit) make_classes(&of[0], run, FEW, beta, floor);
  if (!unit || m->slice_most > FEW) make_classes(&of[1], run, MANY, beta, floor);
  if (m->slice_most > MANY) make_classes(&of[2], run, MOST, beta, floor);
  for (size_t b = 0; b * RT_SPIN_BLOCK < run->plan.replicas; b++)
    if (alike) sweep_block(run, b, of, sites, visits, 1, 1);
    else if (unit) sweep_block(run, b, of, sites, visits, 1, 0);
    else sweep_block(run, b, of, sites, visits, 0, 0);
}
