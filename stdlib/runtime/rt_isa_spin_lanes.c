/* rt_isa_spin_lanes.c: visits to the spins of 16 replicas side by side.  All look at the same site; if one flips, its row of J goes to the fields of
 * all, with a coefficient of 0 where nothing flipped. */
#include "stdlib/runtime/rt_isa_spin.h"

/* g += c * j, c one of -1, 0, +1. */
RT_INLINE void add_row(const float *J, const float *lanes, size_t n, rt_vf c, float *g)
{
  if (lanes)
#pragma GCC unroll 4
    for (size_t j = 0; j < n; j++) RT_VF_AT(g + 16 * j) = rt_add_signed(RT_VF(g + 16 * j), c, RT_VF(lanes + 16 * j));
  else
#pragma GCC unroll 4
    for (size_t j = 0; j < n; j++) RT_VF_AT(g + 16 * j) = rt_add_signed(RT_VF(g + 16 * j), c, rt_vf_all(J[j]));
}

void RT_LV(rt_spin_visit_lanes)(rt_spin_run *run, const rt_spin_piece *piece)
{
  const rt_spin_model *m = run->model;
  size_t n = m->p.n, split = m->p.split, replicas = run->plan.replicas, groups = (replicas + 15) / 16;
  for (size_t group = 0; group < groups; group++) {
    float *s = rt_spins_lanes(run, group, sizeof *s), *g = rt_fields_lanes(run, group, sizeof *g);
    const float *x = run->variate + group * RT_SPIN_PIECE * 16 + 16 * piece->at;
    rt_vf factor = RT_VF(run->factor + 16 * group), always = rt_vf_all(piece->always), inf = rt_vf_all(__builtin_inff());
    const float *lanes = m->J_lanes ? (const float *)m->J_lanes + (run->plan.first_replica / 16 + group) % ((m->p.systems + 15) / 16) * n * n * 16 : NULL;
    rt_vi flips = {0};
    for (size_t k = 0; k < piece->count; k++) {
      size_t i = piece->sites ? piece->sites[k] : piece->first + k;
      rt_vf spin = RT_VF(s + 16 * i), variate = RT_VF(x + 16 * k);
      rt_vf bound = rt_vf_pick((rt_vi)(variate >= always), inf, variate * factor);
      rt_vi hit = (rt_vi)(spin * RT_VF(g + 16 * i) <= bound);
      if (!rt_le_mask(spin * RT_VF(g + 16 * i), bound)) continue;
      rt_vf c = (rt_vf)((rt_vi)-spin & hit);
      RT_VF_AT(s + 16 * i) = spin + (c + c);
      flips -= hit;
      size_t from = split && i < split ? split : 0, to = split && i >= split ? split : n;
      add_row((const float *)m->J + i * m->ld + from, lanes ? lanes + (i * n + from) * 16 : NULL, to - from, c, g + 16 * from);
    }
    for (int l = 0; l < 16; l++) run->flips[16 * group + (size_t)l] += (uint64_t)flips[l];
  }
}

/* ---- the same in f64: two vectors of eight */

typedef double vd8 __attribute__((vector_size(64), may_alias));
typedef int64_t vl8 __attribute__((vector_size(64), may_alias));
typedef float vf8 __attribute__((vector_size(32), may_alias));

void RT_LV(rt_spin_visit_lanes_f64)(rt_spin_run *run, const rt_spin_piece *piece)
{
  const rt_spin_model *m = run->model;
  size_t n = m->p.n, split = m->p.split, replicas = run->plan.replicas, groups = (replicas + 15) / 16;
  for (size_t group = 0; group < groups; group++) {
    vd8 *s = rt_spins_lanes(run, group, sizeof(double)), *g = rt_fields_lanes(run, group, sizeof(double));
    const float *x = run->variate + group * RT_SPIN_PIECE * 16 + 16 * piece->at;
    rt_vf factor = RT_VF(run->factor + 16 * group), always = rt_vf_all(piece->always), inf = rt_vf_all(__builtin_inff());
    const vd8 *lanes = m->J_lanes ? (const vd8 *)m->J_lanes + (run->plan.first_replica / 16 + group) % ((m->p.systems + 15) / 16) * n * n * 2 : NULL;
    vl8 flips[2] = {{0}};
    for (size_t k = 0; k < piece->count; k++) {
      size_t i = piece->sites ? piece->sites[k] : piece->first + k;
      rt_vf variate = RT_VF(x + 16 * k);
      union { rt_vf all; vf8 half[2]; } bound = {rt_vf_pick((rt_vi)(variate >= always), inf, variate * factor)};
      vd8 c[2];
      vl8 any = {0};
      for (size_t h = 0; h < 2; h++) {
        vd8 spin = s[2 * i + h];
        vl8 hit = (vl8)(spin * g[2 * i + h] <= __builtin_convertvector(bound.half[h], vd8));
        c[h] = (vd8)((vl8)-spin & hit);
        s[2 * i + h] = spin + (c[h] + c[h]);
        flips[h] -= hit;
        any |= hit;
      }
      if (!rt_any((rt_vw)any)) continue;
      size_t from = split && i < split ? split : 0, to = split && i >= split ? split : n;
      const double *J = (const double *)m->J + i * m->ld;
      if (lanes)
        for (size_t j = 2 * from; j < 2 * to; j++) g[j] += c[j % 2] * lanes[2 * i * n + j];
      else
#pragma GCC unroll 4
        for (size_t j = from; j < to; j++) {
          g[2 * j] += c[0] * J[j];
          g[2 * j + 1] += c[1] * J[j];
        }
    }
    for (int l = 0; l < 16; l++) run->flips[16 * group + (size_t)l] += (uint64_t)flips[l / 8][l % 8];
  }
}
