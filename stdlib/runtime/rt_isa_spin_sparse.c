/* rt_isa_spin_sparse.c: visits to the spins of sparse problems and lattices, each replica by itself.
 *
 * Sites in rising order are looked at 16 at a time.  Spins that flip change fields of the same group only where the model's `clash` says so; then the
 * group behind them is looked at again. */
#include "stdlib/runtime/rt_isa_spin.h"

/* g[column[e]] += to weight[e], or += to where there are no weights, for `step` edges at a time. */
RT_INLINE void add_edges(const uint32_t *column, const float *weight, size_t from, size_t end, size_t step, float to, float *g)
{
  const uint32_t *c = column + from, *stop = column + end;
  if (weight)
    for (weight += from; c < stop; c += step, weight += step)
#pragma GCC unroll 8
      for (size_t e = 0; e < step; e++) g[c[e]] += to * weight[e];
  else
    for (; c < stop; c += step)
#pragma GCC unroll 8
      for (size_t e = 0; e < step; e++) g[c[e]] += to;
}

/* By itself, or a compiler keeps the pointers of the loop in memory. */
static __attribute__((noinline)) void flip(const rt_spin_model *m, size_t i, float *s, float *g)
{
  float to = -s[i];
  s[i] = to;
  if (!m->edge_weight) to *= m->sign;
  if (m->step == 8) add_edges(m->edge_column, m->edge_weight, m->edge_row[i], m->edge_row[i + 1], 8, to, g);
  else add_edges(m->edge_column, m->edge_weight, m->edge_row[i], m->edge_row[i + 1], 4, to, g);
}

static void visit_groups(rt_spin_run *run, const rt_spin_piece *piece)
{
  const rt_spin_model *m = run->model;
  size_t first = piece->first, end = first + piece->count;
  for (size_t r = 0; r < run->plan.replicas; r++) {
    float *s = rt_spins_f32(run, r), *g = rt_fields_f32(run, r), factor = run->factor[r];
    uint64_t flips = 0;
    for (size_t b = first / 16; 16 * b < end; b++) {
      size_t lo = 16 * b < first ? first - 16 * b : 0, hi = end - 16 * b < 16 ? end - 16 * b : 16;
      uint32_t todo = (uint32_t)((1u << hi) - (1u << lo));
      const float *x = run->variate + r * RT_SPIN_VARIATES + 16 + piece->at + 16 * b - first;
      rt_vf variate;
      __builtin_memcpy(&variate, x, sizeof variate);
      rt_vf bound = rt_bound(variate, factor, piece->always);
      uint32_t hit = rt_le_mask(RT_VF(s + 16 * b) * RT_VF(g + 16 * b), bound) & todo;
      while (hit) {
        uint32_t k = (uint32_t)__builtin_ctz(hit);
        size_t i = 16 * b + k;
        flip(m, i, s, g);
        flips++;
        todo &= ~1u << k;
        hit = m->clash[i] ? rt_le_mask(RT_VF(s + 16 * b) * RT_VF(g + 16 * b), bound) & todo : hit & todo;
      }
    }
    run->flips[r] += flips;
  }
}

static void visit_list(rt_spin_run *run, const rt_spin_piece *piece)
{
  const rt_spin_model *m = run->model;
  for (size_t r = 0; r < run->plan.replicas; r++) {
    float *s = rt_spins_f32(run, r), *g = rt_fields_f32(run, r), factor = run->factor[r];
    const float *x = run->variate + r * RT_SPIN_VARIATES + 16 + piece->at;
    for (size_t k = 0; k < piece->count; k++) {
      size_t i = piece->sites[k];
      if (s[i] * g[i] <= rt_bound_of(x[k], factor, piece->always)) {
        flip(m, i, s, g);
        run->flips[r]++;
      }
    }
  }
}

void RT_LV(rt_spin_visit_sparse)(rt_spin_run *run, const rt_spin_piece *piece)
{
  if (piece->sites) visit_list(run, piece);
  else visit_groups(run, piece);
}
