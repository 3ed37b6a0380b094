/* rt_isa_spin_words.c: visits to eight sites of 64 replicas at once, for couplings and fields of one unit.
 *
 * A word has a site's spins of 64 replicas, beside it are their complements, and a register has the words of eight sites that are not coupled
 * (rt_spin_groups).  Neighbours are gathered: where a bond is negative, from the complements, so that signs cost nothing. */
#include "stdlib/runtime/rt_isa_spin_bits.h"

/* Words word[at[0..7]]. */
RT_INLINE rt_vw gather(const uint64_t *word, const uint32_t *at)
{
#if defined(__AVX512F__) && !defined(__clang__)
  typedef int eight __attribute__((vector_size(32), may_alias, aligned(4)));
  return (rt_vw)__builtin_ia32_gathersiv8di((rt_vll){0}, word, *(const eight *)at, (uint8_t)-1, 8);
#else
  return (rt_vw){word[at[0]], word[at[1]], word[at[2]], word[at[3]], word[at[4]], word[at[5]], word[at[6]], word[at[7]]};
#endif
}

/* Words and their complements into word[at[0..7]] and behind. */
RT_INLINE void put(uint64_t *word, const uint32_t *at, rt_vw s)
{
  typedef uint64_t pair __attribute__((vector_size(16), may_alias));
  union { rt_vw all[2]; pair of[8]; } x = {
      {__builtin_shufflevector(s, ~s, 0, 8, 2, 10, 4, 12, 6, 14), __builtin_shufflevector(s, ~s, 1, 9, 3, 11, 5, 13, 7, 15)}};
  for (int l = 0; l < 4; l++) {
    *(pair *)(word + at[2 * l]) = x.of[l];
    *(pair *)(word + at[2 * l + 1]) = x.of[4 + l];
  }
}

/* Lanes whose bit is set, as all ones. */
RT_INLINE rt_vw lanes_of(uint32_t bits)
{
  rt_vw b = rt_vw_all(bits) >> (rt_vw){0, 1, 2, 3, 4, 5, 6, 7};
  return -(b & rt_vw_all(1));
}

/* Planes of c + B (rt_isa_spin_bits.h) of the spins s of a group. */
RT_INLINE void count(const uint64_t *word, const rt_spin_group *g, const uint32_t *bond, rt_vw s, int planes, rt_vw *plane)
{
  for (int k = 0; k < planes; k++) plane[k] = rt_vw_all(-(uint64_t)(g->pad >> k & 1));
#define WORD(e) gather(word, bond + 8 * (e))
  RT_COUNT_WORDS(WORD, g->bonds, planes, plane);
#undef WORD
  if (g->even) rt_add_at(plane, 0, planes, s);
  for (int k = 0; k < planes; k++) plane[k] ^= s;
}

RT_INLINE rt_vw visit(uint64_t *word, const rt_spin_group *g, const uint32_t *bond, const rt_levels *levels, rt_streams *random, int planes)
{
  rt_vw plane[6], s = gather(word, g->at);
  count(word, g, bond, s, planes, plane);
  rt_vw flip = rt_decide(levels, random, plane, planes, g->even);
  put(word, g->at, s ^ flip);
  if (g->lanes != 255) flip &= lanes_of(g->lanes);
  return flip;
}

static size_t in_block(const rt_spin_run *run, size_t b)
{
  size_t left = run->plan.replicas - 64 * b;
  return left < 64 ? left : 64;
}

/* Numbers of eight lanes in bit slices, summed over the lanes: one for each replica. */
static void read_lanes(rt_vw *slice, uint64_t to[64])
{
  rt_vw moved[RT_WIDE];
#define ADD_TURNED(...)                                                                                     \
  for (int k = 0; k < RT_WIDE; k++) moved[k] = __builtin_shufflevector(slice[k], slice[k], __VA_ARGS__); \
  rt_add_slices(slice, RT_WIDE, moved, RT_WIDE, 0)
  ADD_TURNED(4, 5, 6, 7, 0, 1, 2, 3);
  ADD_TURNED(2, 3, 4, 5, 6, 7, 0, 1);
  ADD_TURNED(1, 2, 3, 4, 5, 6, 7, 0);
#undef ADD_TURNED
  rt_read_slices(slice, RT_WIDE, to, 64);
}

static void sweep_block(rt_spin_run *run, size_t b, const rt_levels *levels)
{
  const rt_spin_groups *groups = run->plan.groups;
  uint64_t *word = rt_spins_words(run, b);
  rt_streams random = rt_streams_start(run->plan.key, run->plan.first_replica / 64 + b, run->sweep);
  rt_vw flips[RT_WIDE], last[4];
  const uint32_t *bond = groups->bond;
  for (int k = 0; k < RT_WIDE; k++) flips[k] = rt_vw_all(0);
  for (size_t v = 0; v < groups->count;) {
    size_t end = v + 15 < groups->count ? v + 15 : groups->count;
    for (int k = 0; k < 4; k++) last[k] = rt_vw_all(0);
    for (; v < end; v++) {
      const rt_spin_group *g = &groups->group[v];
      rt_vw flip;
      if (g->planes == 5) flip = visit(word, g, bond, levels, &random, 5);
      else if (g->planes == 3) flip = visit(word, g, bond, levels, &random, 3);
      else if (g->planes == 4) flip = visit(word, g, bond, levels, &random, 4);
      else flip = visit(word, g, bond, levels, &random, 6);
      rt_add_at(last, 0, 4, flip);
      bond += 8 * (size_t)g->bonds;
    }
    rt_add_slices(flips, RT_WIDE, last, 4, 0);
  }
  uint64_t sum[64];
  read_lanes(flips, sum);
  for (size_t r = 0; r < in_block(run, b); r++) run->flips[64 * b + r] += sum[r];
}

void RT_LV(rt_spin_sweep_words)(rt_spin_run *run, double beta, double floor)
{
  rt_levels levels;
  rt_levels_make(&levels, run, run->model->slice_most, beta, floor);
  for (size_t b = 0; 64 * b < run->plan.replicas; b++) sweep_block(run, b, &levels);
}

/* E = unit (2 B - W) of all bonds and fields; each bond is met at both ends, fields once, so they are added again. */
void RT_LV(rt_spin_energies_words)(const rt_spin_run *run, size_t b)
{
  const rt_spin_groups *groups = run->plan.groups;
  const rt_spin_model *m = run->model;
  const uint64_t *word = rt_spins_words(run, b);
  const uint32_t *bond = groups->bond;
  rt_vw all[RT_WIDE];
  uint64_t twice[64];
  for (int k = 0; k < RT_WIDE; k++) all[k] = rt_vw_all(0);
  for (size_t v = 0; v < groups->count; v++) {
    const rt_spin_group *g = &groups->group[v];
    rt_vw plane[6], s = gather(word, g->at);
    if (g->planes == 5) count(word, g, bond, s, 5, plane);
    else count(word, g, bond, s, g->planes, plane);
    bond += 8 * (size_t)g->bonds;
    if (g->lanes != 255)
      for (int k = 0; k < g->planes; k++) plane[k] &= lanes_of(g->lanes);
    rt_add_slices(all, RT_WIDE, plane, g->planes, 0);
    if (g->field) {
      rt_vw ghost = ~(s ^ lanes_of(g->field_down)) & lanes_of(g->field);
      rt_add_slices(all, RT_WIDE, &ghost, 1, 0);
    }
  }
  read_lanes(all, twice);
  for (size_t r = 0; r < in_block(run, b); r++) run->energy[64 * b + r] = m->unit * ((double)twice[r] - (double)groups->pads - m->slice_total);
}
