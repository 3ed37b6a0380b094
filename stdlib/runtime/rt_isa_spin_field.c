/* rt_isa_spin_field.c: states in and out of their layouts, fields from scratch, and energies from fields. */
#include "stdlib/runtime/rt_isa_spin.h"

typedef double vd_any __attribute__((vector_size(64), may_alias, aligned(8)));
typedef float vf8_any __attribute__((vector_size(32), may_alias, aligned(4)));

RT_INLINE int in_lanes(const rt_spin_run *run) { return run->plan.coding == RT_SPIN_IN_LANES; }

RT_INLINE int as_bits(const rt_spin_run *run) { return run->plan.coding == RT_SPIN_IN_BITS || run->plan.coding == RT_SPIN_PLANE; }

/* The word that holds spin i of replica r, in `from` (the state or the best ones), and its bit there. */
RT_INLINE uint64_t *bit_of(const rt_spin_run *run, void *from, size_t r, size_t i, int *bit)
{
  const rt_spin_problem *p = &run->model->p;
  if (run->plan.coding == RT_SPIN_IN_BITS) {
    *bit = (int)(r % 64);
    return (uint64_t *)from + (r / RT_SPIN_BLOCK * (p->n + 1) + i) * 8 + r / 64 % 8;
  }
  rt_spin_place at = rt_spin_place_of(p, i);
  *bit = at.bit;
  return (uint64_t *)from + (r * (p->n / 512) + at.vector) * 8 + (size_t)at.lane;
}

void RT_LV(rt_spin_read_bits)(const rt_spin_run *run, void *from, size_t r, int8_t *s)
{
  for (size_t i = 0; i < run->model->p.n; i++) {
    int bit;
    uint64_t w = *bit_of(run, from, r, i, &bit);
    s[i] = w >> bit & 1 ? 1 : -1;
  }
}

/* Spin i of replica r, where spins are numbers. */
RT_INLINE double spin(const rt_spin_run *run, size_t r, size_t i)
{
  if (in_lanes(run)) return rt_spins_lanes(run, r / 16)[16 * i + r % 16];
  return run->model->element == RT_SPIN_EL_F64 ? rt_spins_f64(run, r)[i] : rt_spins_f32(run, r)[i];
}

void RT_LV(rt_spin_read)(const rt_spin_run *run, size_t r, int8_t *s)
{
  if (as_bits(run)) RT_LV(rt_spin_read_bits)(run, run->state, r, s);
  else
    for (size_t i = 0; i < run->model->p.n; i++) s[i] = spin(run, r, i) > 0.0 ? 1 : -1;
}

RT_INLINE void put_spin(rt_spin_run *run, size_t r, size_t i, int up)
{
  if (as_bits(run)) {
    int bit;
    uint64_t *w = bit_of(run, run->state, r, i, &bit);
    *w = (*w & ~((uint64_t)1 << bit)) | (uint64_t)up << bit;
  } else if (in_lanes(run)) rt_spins_lanes(run, r / 16)[16 * i + r % 16] = up ? 1.0f : -1.0f;
  else if (run->model->element == RT_SPIN_EL_F64) rt_spins_f64(run, r)[i] = up ? 1.0 : -1.0;
  else rt_spins_f32(run, r)[i] = up ? 1.0f : -1.0f;
}

/* NULL: random spins.  What is behind the last spin is +1, with a field of 0. */
void RT_LV(rt_spin_write)(rt_spin_run *run, size_t r, const int8_t *s)
{
  size_t n = run->model->p.n, end = as_bits(run) ? n : run->model->ld;
  uint64_t key = rt_key_fold(run->plan.key, run->plan.first_replica + r);
  rt_philox bits = {{0}};
  for (size_t i = 0; i < end; i++) {
    if (!s && i % 128 == 0) bits = rt_philox4x32(key, (uint32_t)(i / 128), RT_SPIN_SITE_START, 0, 0);
    put_spin(run, r, i, i >= n || (s ? s[i] > 0 : (int)(bits.w[i / 32 % 4] >> i % 32 & 1)));
  }
}

/* sum_j J_ij s_j over [from, to) without i: eight lanes, then from lane 0 on. */
RT_INLINE double row_field(const double *J, const rt_spin_run *run, size_t r, size_t i, size_t from, size_t to)
{
  rt_vd acc = {0};
  const double *wide = run->model->element == RT_SPIN_EL_F64 ? rt_spins_f64(run, r) : NULL;
  const float *narrow = wide || in_lanes(run) ? NULL : rt_spins_f32(run, r);
  for (size_t j = from; j < to; j += 8) {
    if (to - j < 8 || (i >= j && i < j + 8) || (!wide && !narrow)) {
      for (size_t l = 0; l < 8 && j + l < to; l++)
        if (j + l != i) acc[l] += J[j + l] * spin(run, r, j + l);
    } else if (wide)
      acc += (rt_vd)*(const vd_any *)(J + j) * (rt_vd)*(const vd_any *)(wide + j);
    else
      acc += (rt_vd)*(const vd_any *)(J + j) * __builtin_convertvector(*(const vf8_any *)(narrow + j), rt_vd);
  }
  double f = 0.0;
  for (int l = 0; l < 8; l++) f += acc[l];
  return f;
}

RT_INLINE double weight_of(const rt_spin_model *m, uint32_t e)
{
  return !m->weight ? m->sign : m->element == RT_SPIN_EL_F64 ? ((const double *)m->weight)[e] : ((const float *)m->weight)[e];
}

/* sum_j J_ij s_j in units, from couplings as the caller gave them, or exact ones. */
RT_INLINE double coupled(const rt_spin_run *run, size_t r, size_t i)
{
  const rt_spin_model *m = run->model;
  const rt_spin_problem *p = &m->p;
  double f = 0.0;
  if (p->form == RT_SPIN_DENSE) {
    size_t from = p->split && i < p->split ? p->split : 0, to = p->split && i >= p->split ? p->split : p->n;
    return row_field(p->J + (rt_system_of(run, r) * p->n + i) * p->n, run, r, i, from, to) / m->unit;
  }
  int given = p->form == RT_SPIN_SPARSE && p->weight && !m->exact;
  for (uint32_t e = m->row[i]; e < m->row[i + 1]; e++) f += (given ? p->weight[e] : weight_of(m, e)) * spin(run, r, m->column[e]);
  return f;
}

void RT_LV(rt_spin_fields)(rt_spin_run *run, size_t r)
{
  if (as_bits(run)) return;
  const rt_spin_model *m = run->model;
  size_t n = m->p.n;
  for (size_t i = 0; i < m->ld; i++) {
    double f = i < n ? coupled(run, r, i) : 0.0;
    if (i < n && m->p.h) f += m->p.h[rt_system_of(run, r) * n + i] / m->unit;
    f *= 0.5;
    if (in_lanes(run)) rt_fields_lanes(run, r / 16)[16 * i + r % 16] = (float)f;
    else if (m->element == RT_SPIN_EL_F64) rt_fields_f64(run, r)[i] = f;
    else rt_fields_f32(run, r)[i] = (float)f;
  }
}

double RT_LV(rt_spin_energy_full)(const rt_spin_run *run, size_t r)
{
  const rt_spin_model *m = run->model;
  const double *h = m->p.h ? m->p.h + rt_system_of(run, r) * m->p.n : NULL;
  double e = 0.0;
  for (size_t i = 0; i < m->p.n; i++) e -= spin(run, r, i) * (0.5 * m->unit * coupled(run, r, i) + (h ? h[i] : 0.0));
  return e;
}

/* ---- E = - sum_i s_i (g_i + h_i / 2), g = f/2 */

RT_INLINE double of_fields(const rt_spin_run *run, size_t r, double sum)
{
  const rt_spin_model *m = run->model;
  double e = -m->unit * sum;
  if (m->p.h) {
    const double *h = m->p.h + rt_system_of(run, r) * m->p.n;
    double c = 0.0;
    for (size_t i = 0; i < m->p.n; i++) c += h[i] * spin(run, r, i);
    e -= 0.5 * c;
  }
  return e;
}

static double energy_f32(const rt_spin_run *run, size_t r)
{
  const float *s = rt_spins_f32(run, r), *g = rt_fields_f32(run, r);
  rt_vd acc = {0};
  for (size_t i = 0; i < run->model->ld; i += 8) {
    vf8_any x = *(const vf8_any *)(s + i) * *(const vf8_any *)(g + i);
    acc += __builtin_convertvector(x, rt_vd);
  }
  double sum = 0.0;
  for (int l = 0; l < 8; l++) sum += acc[l];
  return of_fields(run, r, sum);
}

static double energy_f64(const rt_spin_run *run, size_t r)
{
  const double *s = rt_spins_f64(run, r), *g = rt_fields_f64(run, r);
  double acc[8] = {0}, sum = 0.0;
  for (size_t i = 0; i < run->model->ld; i++) acc[i % 8] += s[i] * g[i];
  for (int l = 0; l < 8; l++) sum += acc[l];
  return of_fields(run, r, sum);
}

/* The same sums with the same rounding, for 16 replicas at a time. */
static void energies_lanes(const rt_spin_run *run, size_t group)
{
  const float *s = rt_spins_lanes(run, group), *g = rt_fields_lanes(run, group);
  for (size_t half = 0; half < 2; half++) {
    rt_vd acc[8] = {{0}}, sum = {0};
    for (size_t i = 0; i < run->model->ld; i++) {
      vf8_any x = *(const vf8_any *)(s + 16 * i + 8 * half) * *(const vf8_any *)(g + 16 * i + 8 * half);
      acc[i % 8] += __builtin_convertvector(x, rt_vd);
    }
    for (int l = 0; l < 8; l++) sum += acc[l];
    for (size_t l = 0; l < 8; l++) {
      size_t r = 16 * group + 8 * half + l;
      if (r < run->plan.replicas) run->energy[r] = of_fields(run, r, sum[l]);
    }
  }
}

void RT_LV(rt_spin_energies)(const rt_spin_run *run)
{
  if (run->plan.coding == RT_SPIN_IN_BITS) RT_LV(rt_spin_energies_bits)(run);
  else if (run->plan.coding == RT_SPIN_PLANE) RT_LV(rt_spin_energies_plane)(run);
  else if (in_lanes(run))
    for (size_t group = 0; 16 * group < run->plan.replicas; group++) energies_lanes(run, group);
  else
    for (size_t r = 0; r < run->plan.replicas; r++)
      run->energy[r] = run->model->element == RT_SPIN_EL_F64 ? energy_f64(run, r) : energy_f32(run, r);
}
