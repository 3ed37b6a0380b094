/* rt_isa_spin_bits.c: visits to a spin of 512 replicas at once, for small integer couplings and fields.
 *
 * Bonds of one unit are counted and decided as rt_isa_spin_bits.h has it.  Else the weight B of a site's unsatisfied bonds is counted in bit slices: plane k
 * holds bit k of the 512 counts.  With W the weight of all its bonds, s f = W - 2B =: K, in units, and a flip costs 2 K.  Each K that is not accepted for sure
 * is a class with a threshold; digit j of the 512 thresholds is the union of the masks of those classes whose threshold has digit j.  A field is a bond to
 * a ghost spin behind the last, which is +1. */
#include "stdlib/runtime/rt_isa_spin_bits.h"

enum { PLANES = RT_SPIN_SLICES - 1, MOST = (1 << PLANES) - 1, MANY = 255, WORDS = (MOST + 1) / 64 };

/* Class of K, K in -most .. most, both parities apart. */
RT_INLINE int class_of(int K, int most) { return (K + most) >> 1; }

typedef struct classes {
  int most;    /* largest weight of a site's bonds that these classes are for: MANY or MOST */
  int low;     /* K <= low are accepted for sure */
  int high[2]; /* K > high[K % 2] never */
  uint32_t threshold[2 * MOST + 1]; /* of K + MOST */
  uint64_t digit[2][RT_SPIN_BITS_FIRST][WORDS]; /* by parity of K and digit, the first ones: classes whose thresholds have it */
} classes;

static void make_classes(classes *c, const rt_spin_run *run, int most, double beta, double floor)
{
  c->most = most;
  c->low = run->plan.rule == RT_SPIN_HEAT_BATH ? -MOST - 1 : 0;
  c->high[0] = c->high[1] = -MOST - 1;
  for (int odd = 0; odd < 2; odd++)
    for (int j = 0; j < RT_SPIN_BITS_FIRST; j++)
      for (int w = 0; w < WORDS; w++) c->digit[odd][j][w] = 0;
  for (int K = c->low < -most ? -most : c->low + 1; K <= most; K++) {
    uint32_t t = rt_threshold(rt_spin_acceptance(run->plan.rule, K ? 2.0 * beta * run->model->unit * K : 0.0, floor));
    int odd = K & 1, at = class_of(K, most);
    c->threshold[K + MOST] = t;
    if (t) c->high[odd] = K;
    for (int j = 0; j < RT_SPIN_BITS_FIRST; j++) c->digit[odd][j][at / 64] |= (uint64_t)(t >> (RT_SPIN_BITS - 1 - j) & 1) << at % 64;
  }
}

/* Whether a neighbour differs from unlike[..], by its entry in the model's slices.  `alike`: unlike[..] is 0. */
RT_INLINE rt_vw bond(const rt_vw *spin, const rt_vw unlike[2], uint32_t entry, int alike)
{
  rt_vw other = *(const rt_vw *)((const char *)spin + (entry & ~(uint32_t)63));
  if (!alike) other ^= unlike[entry & 1];
  return other;
}

/* Counts bonds whose weight has bit k. */
RT_INLINE void count_bonds(const rt_vw *spin, const rt_vw unlike[2], const uint32_t *entry, size_t count, int k, int planes, rt_vw *plane)
{
  size_t e = 0;
  if (k + 2 < planes)
    for (; e + 4 <= count; e += 4) {
      rt_vw t0, t1, four;
      RT_FULL_ADD(plane[k], t0, bond(spin, unlike, entry[e], 0), bond(spin, unlike, entry[e + 1], 0));
      RT_FULL_ADD(plane[k], t1, bond(spin, unlike, entry[e + 2], 0), bond(spin, unlike, entry[e + 3], 0));
      RT_FULL_ADD(plane[k + 1], four, t0, t1);
      rt_add_at(plane, k + 2, planes, four);
    }
  for (; e < count; e++) rt_add_at(plane, k, planes, bond(spin, unlike, entry[e], 0));
}

typedef struct block {
  rt_vw *spin;
  rt_streams random;
  rt_vw sign; /* of all couplings, where they are alike: all ones for negative ones */
  const rt_levels *levels;     /* for sites whose bonds have weight 1, at most RT_LEVELS of them, */
  const classes *many, *most;  /* and for others up to MANY and MOST */
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
RT_INLINE rt_vw visit_slices(const rt_spin_model *m, block *b, size_t site, int planes)
{
  rt_vw s = b->spin[site], unlike[2] = {s, ~s}, plane[PLANES], mask[64 * WORDS], low[8], high[1 << (PLANES - 3)];
  const uint32_t *row = m->slice_row + site * RT_SPIN_SLICES;
  for (int k = 0; k < planes; k++) plane[k] = rt_vw_all(0);
  for (int k = 0; k < planes; k++) count_bonds(b->spin, unlike, m->slice + row[k], row[k + 1] - row[k], k, planes, plane);
  /* Masks of B = 0, 1, ... from the lower three planes and those above. */
  for (int v = 0; v < 8; v++)
    low[v] = (plane[2] ^ rt_vw_all(v & 4 ? 0 : ~0ull)) & (plane[1] ^ rt_vw_all(v & 2 ? 0 : ~0ull)) & (plane[0] ^ rt_vw_all(v & 1 ? 0 : ~0ull));
  high[0] = rt_vw_all(~(uint64_t)0);
  for (int k = 3; k < planes; k++)
    for (int v = 0; v < 1 << (k - 3); v++) {
      high[v + (1 << (k - 3))] = high[v] & plane[k];
      high[v] &= ~plane[k];
    }
  const classes *c = planes == PLANES ? b->most : b->many;
  int W = m->slice_weight[site], odd = W & 1, most = c->most, words = (most + 1) / 64;
  int least = c->low < -W ? -W : c->low + 1;
  rt_vw some = rt_vw_all(0), never = rt_vw_all(0);
  int K = W, B = 0;
  for (; K > c->high[odd] && K >= least; K -= 2, B++) never |= rt_where(low, high, B, planes);
  for (; K >= least; K -= 2, B++) {
    rt_vw x = rt_where(low, high, B, planes);
    mask[class_of(K, most)] = x;
    some |= x;
  }
  /* The classes that have masks. */
  uint64_t within[WORDS];
  int first = class_of(least, most), last = class_of(c->high[odd] < W ? c->high[odd] : W, most);
  for (int w = 0; w < words; w++) {
    int from = first > 64 * w ? first - 64 * w : 0, to = last < 64 * w + 63 ? last - 64 * w : 63;
    within[w] = from > 63 || to < 0 ? 0 : ~(uint64_t)0 >> (63 - to) & ~(uint64_t)0 << from;
  }
  rt_vw less = rt_vw_all(0), open = some;
#define DIGIT(j) digits_of(c->digit[odd][j], within, words, mask)
  RT_FIRST_DIGITS(DIGIT, less, open, &b->random);
#undef DIGIT
  RT_LAST_DIGITS(less, open, plane, planes, c->threshold + W + MOST, -2, &b->random);
  return less | ~(some | never);
}

/* Decisions by counts of bonds of weight 1, one function for each number of planes. */
typedef rt_vw decide(const rt_levels *levels, rt_streams *random, const rt_vw *plane, int even);
static __attribute__((noinline)) rt_vw decide_3(const rt_levels *levels, rt_streams *random, const rt_vw *plane, int even) { return rt_decide(levels, random, plane, 3, even); }
static __attribute__((noinline)) rt_vw decide_4(const rt_levels *levels, rt_streams *random, const rt_vw *plane, int even) { return rt_decide(levels, random, plane, 4, even); }
static __attribute__((noinline)) rt_vw decide_5(const rt_levels *levels, rt_streams *random, const rt_vw *plane, int even) { return rt_decide(levels, random, plane, 5, even); }
static __attribute__((noinline)) rt_vw decide_6(const rt_levels *levels, rt_streams *random, const rt_vw *plane, int even) { return rt_decide(levels, random, plane, 6, even); }

/* The same where all bonds have weight 1; alike: and one sign. */
RT_INLINE rt_vw visit_units(const rt_spin_model *m, block *b, size_t site, int planes, int alike, decide *which_flip)
{
  int W = m->slice_weight[site], even = !(W & 1), c = ((1 << planes) - 1 - W - even) / 2;
  const uint32_t *row = m->slice_row + site * RT_SPIN_SLICES, *entry = m->slice + row[0];
  const rt_vw unlike[2] = {rt_vw_all(0), rt_vw_all(~(uint64_t)0)};
  rt_vw s = b->spin[site], plane[6];
  if (alike) s ^= b->sign; /* neighbours stand for their complements */
  for (int k = 0; k < planes; k++) plane[k] = rt_vw_all(-(uint64_t)(c >> k & 1));
#define WORD(e) bond(b->spin, unlike, entry[e], alike)
  RT_COUNT_WORDS(WORD, row[1] - row[0], planes, plane);
#undef WORD
  if (even) rt_add_at(plane, 0, planes, s);
  for (int k = 0; k < planes; k++) plane[k] ^= s;
  return which_flip(b->levels, &b->random, plane, even);
}

/* unit: all bonds have weight 1. */
RT_INLINE rt_vw visit(const rt_spin_model *m, block *b, size_t site, int unit, int alike)
{
  int W = m->slice_weight[site];
  rt_vw flip;
  if (W > MANY) flip = visit_slices(m, b, site, PLANES);
  else if (!unit || W > RT_LEVELS) flip = visit_slices(m, b, site, 8);
  else if (W < 8) flip = visit_units(m, b, site, 3, alike, decide_3);
  else if (W < 16) flip = visit_units(m, b, site, 4, alike, decide_4);
  else if (W < 32) flip = visit_units(m, b, site, 5, alike, decide_5);
  else flip = visit_units(m, b, site, 6, alike, decide_6);
  b->spin[site] ^= flip;
  return flip;
}

static size_t in_block(const rt_spin_run *run, size_t b)
{
  size_t left = run->plan.replicas - b * RT_SPIN_BLOCK;
  return left < RT_SPIN_BLOCK ? left : RT_SPIN_BLOCK;
}

RT_INLINE void sweep_block(rt_spin_run *run, size_t index, const rt_levels *levels, const classes *of, size_t sites, size_t visits, int unit, int alike)
{
  const rt_spin_model *m = run->model;
  block b = {.spin = rt_spins_bits(run, index), .levels = levels, .many = &of[0], .most = &of[1], .sign = rt_vw_all(m->slice_sign < 0 ? ~(uint64_t)0 : 0)};
  rt_vw flips[RT_WIDE], last[4];
  b.random = rt_streams_start(run->plan.key, run->plan.first_replica / RT_SPIN_BLOCK + index, run->sweep);
  for (int k = 0; k < RT_WIDE; k++) flips[k] = rt_vw_all(0);
  for (size_t v = 0; v < visits;) {
    size_t end = v + 15 < visits ? v + 15 : visits;
    for (int k = 0; k < 4; k++) last[k] = rt_vw_all(0);
    for (; v < end; v++) {
      size_t at = v;
      if (run->plan.order == RT_SPIN_RANDOM)
        at = (size_t)((uint64_t)rt_visit_word(run->plan.key, RT_SPIN_SITE_ORDER, run->visit + v) * sites >> 32);
      rt_add_at(last, 0, 4, visit(m, &b, run->plan.sites ? run->plan.sites[at] : at, unit, alike));
    }
    rt_add_slices(flips, RT_WIDE, last, 4, 0);
  }
  uint64_t count[RT_SPIN_BLOCK];
  size_t replicas = in_block(run, index);
  rt_read_slices(flips, RT_WIDE, count, replicas);
  for (size_t r = 0; r < replicas; r++) run->flips[index * RT_SPIN_BLOCK + r] += count[r];
}

/* E = unit (2 B - W) of all bonds and fields: each bond is met at both ends, fields once. */
void RT_LV(rt_spin_energies_bits)(const rt_spin_run *run, size_t block)
{
  const rt_spin_model *m = run->model;
  size_t n = m->p.n;
  const rt_vw *spin = rt_spins_bits(run, block);
  rt_vw sum[RT_WIDE];
  for (int k = 0; k < RT_WIDE; k++) sum[k] = rt_vw_all(0);
  for (size_t i = 0; i < n; i++) {
    rt_vw s = spin[i], unlike[2] = {s, ~s}, plane[PLANES] = {{0}}, ghost[PLANES] = {{0}};
    const uint32_t *row = m->slice_row + i * RT_SPIN_SLICES;
    for (int k = 0; k < PLANES; k++) {
      /* The ghost's entry, if there is one, is the last of a row. */
      size_t from = row[k], to = row[k + 1];
      if (to > from && m->slice[to - 1] >> 6 == n) ghost[k] = bond(spin, unlike, m->slice[--to], 0);
      count_bonds(spin, unlike, m->slice + from, to - from, k, PLANES, plane);
    }
    rt_add_slices(sum, RT_WIDE, plane, PLANES, 0);
    if (m->p.h) rt_add_slices(sum, RT_WIDE, ghost, PLANES, 1);
  }
  uint64_t twice[RT_SPIN_BLOCK];
  size_t replicas = in_block(run, block);
  rt_read_slices(sum, RT_WIDE, twice, replicas);
  for (size_t r = 0; r < replicas; r++) run->energy[block * RT_SPIN_BLOCK + r] = m->unit * ((double)twice[r] - m->slice_total);
}

void RT_LV(rt_spin_sweep_bits)(rt_spin_run *run, size_t sites, size_t visits, double beta, double floor)
{
  const rt_spin_model *m = run->model;
  rt_levels levels;
  classes of[2];
  int unit = m->slices == 1, alike = unit && m->slice_sign;
  if (unit) rt_levels_make(&levels, run, m->slice_most < RT_LEVELS ? m->slice_most : RT_LEVELS, beta, floor);
  if (!unit || m->slice_most > RT_LEVELS) make_classes(&of[0], run, MANY, beta, floor);
  if (m->slice_most > MANY) make_classes(&of[1], run, MOST, beta, floor);
  for (size_t b = 0; b * RT_SPIN_BLOCK < run->plan.replicas; b++)
    if (alike) sweep_block(run, b, &levels, of, sites, visits, 1, 1);
    else if (unit) sweep_block(run, b, &levels, of, sites, visits, 1, 0);
    else sweep_block(run, b, &levels, of, sites, visits, 0, 0);
}
