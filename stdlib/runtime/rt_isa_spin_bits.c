/* rt_isa_spin_bits.c: visits to a spin of 512 replicas at once, for small integer couplings and fields.
 *
 * The weight B of a site's unsatisfied bonds is counted in bit slices: plane k holds bit k of the 512 counts.  With W the weight of all its bonds,
 * s f = W - 2B =: K, in units, and a flip costs 2 K.  Each K that is not accepted for sure is a class with a threshold; digit j of the 512 thresholds is the
 * union of the masks of those classes whose threshold has digit j.  A field is a bond to a ghost spin behind the last, which is +1. */
#include "stdlib/runtime/rt_isa_spin_bits.h"

enum { PLANES = RT_SPIN_SLICES - 1, MOST = (1 << PLANES) - 1, CLASSES = 2 * MOST + 2 };

/* Number of a class. */
#define CLASS(K) ((K) + MOST + 1)

typedef struct classes {
  int low, high[2];           /* classes K with low < K <= high[K % 2] have a threshold above 0; those below are accepted for sure */
  uint32_t threshold[CLASSES];
  uint16_t count[2][RT_SPIN_BITS], list[2][RT_SPIN_BITS][MOST + 1]; /* masks, by parity of K and digit (0 the lowest) */
} classes;

static void make_classes(classes *c, const rt_spin_run *run, double beta, double floor)
{
  c->low = run->plan.rule == RT_SPIN_HEAT_BATH ? -MOST - 1 : 0;
  c->high[0] = c->high[1] = -MOST - 1;
  for (int odd = 0; odd < 2; odd++)
    for (int j = 0; j < RT_SPIN_BITS; j++) c->count[odd][j] = 0;
  for (int K = c->low + 1; K <= MOST; K++) {
    uint32_t t = rt_threshold(rt_spin_acceptance(run->plan.rule, K ? 2.0 * beta * run->model->unit * K : 0.0, floor));
    int odd = K & 1;
    c->threshold[CLASS(K)] = t;
    if (t) c->high[odd] = K;
    for (int j = 0; j < RT_SPIN_BITS; j++)
      if (t >> j & 1) c->list[odd][j][c->count[odd][j]++] = (uint16_t)CLASS(K);
  }
}

/* Adds `carry` to the counts at plane k. */
RT_INLINE void add_at(rt_vw *plane, int k, int planes, rt_vw carry)
{
  for (; k < planes; k++) {
    rt_vw t = plane[k] & carry;
    plane[k] ^= carry;
    carry = t;
  }
}

RT_INLINE rt_vw bond(const rt_vw *spin, const rt_vw unlike[2], uint32_t entry) { return spin[entry & 0x7FFFFFFF] ^ unlike[entry >> 31]; }

/* Counts bonds whose weight has bit k: eight together by full adders (Harley and Seal), four, then each. */
RT_INLINE void count_bonds(const rt_vw *spin, const rt_vw unlike[2], const uint32_t *entry, size_t count, int k, int planes, rt_vw *plane)
{
  rt_vw one = plane[k], two = k + 1 < planes ? plane[k + 1] : rt_vw_all(0);
  size_t e = 0;
#define BOND(q) bond(spin, unlike, entry[e + (q)])
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
  const classes *c;
  rt_vw accepted[4]; /* flips of up to 15 visits, in bit slices */
  int visits;
} block;

RT_INLINE rt_vw visit_slices(const rt_spin_model *m, block *b, size_t site, int planes, int unit)
{
  rt_vw s = b->spin[site], unlike[2] = {s, ~s}, plane[PLANES], mask[CLASSES], low[8], high[1 << (PLANES - 3)];
  const uint32_t *row = m->slice_row + site * RT_SPIN_SLICES;
  for (int k = 0; k < planes; k++) plane[k] = rt_vw_all(0);
  if (unit) count_bonds(b->spin, unlike, m->slice + row[0], row[1] - row[0], 0, planes, plane);
  else
    for (int k = 0; k < planes; k++) count_bonds(b->spin, unlike, m->slice + row[k], row[k + 1] - row[k], k, planes, plane);
  int W = (int)m->slice_weight[site], odd = W & 1;
  const classes *c = b->c;
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
  rt_vw some = rt_vw_all(0), sure = rt_vw_all(~(uint64_t)0);
  int least = c->low < -W ? -W : c->low + 1;
  /* Metropolis: K <= 0 for sure. */
  for (int K = W; K >= least; K -= 2) {
    int B = (W - K) / 2;
    rt_vw x = low[B & 7] & high[B >> 3];
    if (K <= c->high[odd]) {
      mask[CLASS(K)] = x;
      some |= x;
    }
    sure &= ~x;
  }
  rt_vw less = rt_vw_all(0), equal = some;
  for (int j = RT_SPIN_BITS - RT_SPIN_BITS_FIRST; j < RT_SPIN_BITS; j++) {
    rt_vw u = rt_streams_next(&b->random), t = rt_vw_all(0);
    for (int q = 0; q < c->count[odd][j]; q++) {
      int at = c->list[odd][j][q];
      if (at > CLASS(W)) break;
      if (at >= CLASS(least)) t |= mask[at];
    }
    less = rt_less(u, t, less);
    equal = rt_still_equal(equal, u, t);
  }
  if (rt_any(equal)) {
    rt_vw more = rt_vw_all(0);
    for (int j = 0; j < RT_SPIN_BITS - RT_SPIN_BITS_FIRST; j++) {
      rt_vw u = rt_streams_next(&b->random), t = rt_vw_all(0);
      for (int q = 0; q < c->count[odd][j]; q++) {
        int at = c->list[odd][j][q];
        if (at > CLASS(W)) break;
        if (at >= CLASS(least)) t |= mask[at];
      }
      more = rt_less(u, t, more);
    }
    less |= equal & more;
  }
  rt_vw flip = (less & some) | sure;
  b->spin[site] = s ^ flip;
  return flip;
}

/* One visit; the mask of spins that flip. */
RT_INLINE rt_vw visit(const rt_spin_model *m, block *b, size_t site, int unit)
{
  int W = m->slice_weight[site];
  if (unit && W < 8) return visit_slices(m, b, site, 3, 1);
  if (unit && W < 16) return visit_slices(m, b, site, 4, 1);
  if (unit && W < 32) return visit_slices(m, b, site, 5, 1);
  return visit_slices(m, b, site, PLANES, 0);
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

RT_INLINE void sweep_block(rt_spin_run *run, size_t index, const classes *c, size_t sites, size_t visits, int unit)
{
  const rt_spin_model *m = run->model;
  block b = {.spin = rt_spins_bits(run, index), .c = c};
  rt_vw flips[WIDE], few[4];
  b.random = rt_streams_start(run->plan.key, run->plan.first_replica / RT_SPIN_BLOCK + index, run->sweep);
  for (int k = 0; k < WIDE; k++) flips[k] = rt_vw_all(0);
  for (size_t v = 0; v < visits;) {
    size_t end = v + 15 < visits ? v + 15 : visits;
    for (int k = 0; k < 4; k++) few[k] = rt_vw_all(0);
    for (; v < end; v++) {
      size_t at = v;
      if (run->plan.order == RT_SPIN_RANDOM)
        at = (size_t)((uint64_t)rt_visit_word(run->plan.key, RT_SPIN_SITE_ORDER, run->visit + v) * sites >> 32);
      add_at(few, 0, 4, visit(m, &b, run->plan.sites ? run->plan.sites[at] : at, unit));
    }
    add_slices(flips, WIDE, few, 4, 0);
  }
  uint64_t count[RT_SPIN_BLOCK];
  size_t replicas = in_block(run, index);
  read_slices(flips, WIDE, count, replicas);
  for (size_t r = 0; r < replicas; r++) run->flips[index * RT_SPIN_BLOCK + r] += count[r];
}

/* E = unit (2 B - W) of all bonds and fields: each bond is met at both ends, fields once. */
void RT_LV(rt_spin_energies_bits)(const rt_spin_run *run)
{
  const rt_spin_model *m = run->model;
  size_t n = m->p.n;
  for (size_t index = 0; index * RT_SPIN_BLOCK < run->plan.replicas; index++) {
    const rt_vw *spin = rt_spins_bits(run, index);
    rt_vw sum[WIDE];
    for (int k = 0; k < WIDE; k++) sum[k] = rt_vw_all(0);
    for (size_t i = 0; i < n; i++) {
      rt_vw s = spin[i], unlike[2] = {s, ~s}, plane[PLANES] = {{0}}, ghost[PLANES] = {{0}};
      const uint32_t *row = m->slice_row + i * RT_SPIN_SLICES;
      for (int k = 0; k < PLANES; k++) {
        /* The ghost's entry, if there is one, is the last of a row. */
        size_t from = row[k], to = row[k + 1];
        if (to > from && (m->slice[to - 1] & 0x7FFFFFFF) == n) ghost[k] = bond(spin, unlike, m->slice[--to]);
        count_bonds(spin, unlike, m->slice + from, to - from, k, PLANES, plane);
      }
      add_slices(sum, WIDE, plane, PLANES, 0);
      if (m->p.h) add_slices(sum, WIDE, ghost, PLANES, 1);
    }
    uint64_t twice[RT_SPIN_BLOCK];
    size_t replicas = in_block(run, index);
    read_slices(sum, WIDE, twice, replicas);
    for (size_t r = 0; r < replicas; r++) run->energy[index * RT_SPIN_BLOCK + r] = m->unit * ((double)twice[r] - m->slice_total);
  }
}

void RT_LV(rt_spin_sweep_bits)(rt_spin_run *run, size_t sites, size_t visits, double beta, double floor)
{
  const rt_spin_model *m = run->model;
  classes c;
  make_classes(&c, run, beta, floor);
  for (size_t b = 0; b * RT_SPIN_BLOCK < run->plan.replicas; b++)
    if (m->slices == 1) sweep_block(run, b, &c, sites, visits, 1);
    else sweep_block(run, b, &c, sites, visits, 0);
}
