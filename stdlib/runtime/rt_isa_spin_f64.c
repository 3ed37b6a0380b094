/* rt_isa_spin_f64.c: visits with fields in f64, one site after the other, for problems whose couplings f32 does not hold: plain code, with which the
 * faster kernels are compared. */
#include "stdlib/runtime/rt_isa_spin.h"

RT_INLINE void flip_dense(const rt_spin_model *m, size_t system, size_t i, double to, double *restrict g)
{
  const double *J = (const double *)m->J + (system * m->p.n + i) * m->ld;
  for (size_t j = 0; j < m->ld; j++) g[j] += to * J[j];
}

RT_INLINE void flip_sparse(const rt_spin_model *m, size_t i, double to, double *g)
{
  const double *weight = m->weight;
  for (uint32_t e = m->row[i]; e < m->row[i + 1]; e++) g[m->column[e]] += to * weight[e];
}

void RT_LV(rt_spin_visit_f64)(rt_spin_run *run, const rt_spin_piece *piece)
{
  const rt_spin_model *m = run->model;
  for (size_t r = 0; r < run->plan.replicas; r++) {
    double *s = rt_spins_f64(run, r), *g = rt_fields_f64(run, r);
    const float *x = run->variate + r * RT_SPIN_VARIATES + 16 + piece->at;
    for (size_t k = 0; k < piece->count; k++) {
      size_t i = piece->sites ? piece->sites[k] : piece->first + k;
      if (s[i] * g[i] <= (double)rt_bound_of(x[k], run->factor[r], piece->always)) {
        s[i] = -s[i];
        if (m->p.form == RT_SPIN_DENSE) flip_dense(m, rt_system_of(run, r), i, s[i], g);
        else flip_sparse(m, i, s[i], g);
        run->flips[r]++;
      }
    }
  }
}
