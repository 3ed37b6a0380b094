/* rt_isa_spin_field.c: states in and out of their layouts, fields from scratch, and energies from fields. */
#include "stdlib/runtime/rt_isa_spin.h"

#include "stdlib/runtime/rt_math.h"

typedef double vd_any __attribute__((vector_size(64), may_alias, aligned(8)));
typedef float vf8_any __attribute__((vector_size(32), may_alias, aligned(4)));

RT_INLINE int in_lanes(const rt_spin_run *run) { return run->plan.coding == RT_SPIN_IN_LANES; }

RT_INLINE int as_bits(const rt_spin_run *run) { return rt_spin_as_bits(run->plan.coding); }

/* The word that holds spin i of replica r, in `from` (the state or the best ones), and its bit there. */
RT_INLINE uint64_t *bit_of(const rt_spin_run *run, void *from, size_t r, size_t i, int *bit)
{
  const rt_spin_problem *p = &run->model->p;
  if (run->plan.coding == RT_SPIN_IN_BITS) {
    *bit = (int)(r % 64);
    return (uint64_t *)from + (r / RT_SPIN_BLOCK * (p->n + 1) + i) * 8 + r / 64 % 8;
  }
  if (run->plan.coding == RT_SPIN_IN_WORDS) {
    *bit = (int)(r % 64);
    return (uint64_t *)from + 2 * (r / 64 * (p->n + 2) + i);
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

/* Where the spins of a replica begin that are numbers, in the state or the best ones, and how far they lie apart. */
typedef struct spins {
  double *wide; /* or NULL: */
  float *narrow;
  size_t step;
} spins;

RT_INLINE spins spins_of(const rt_spin_run *run, size_t r, int best)
{
  size_t ld = run->model->ld, lanes = in_lanes(run) ? 16 : 1, block = (best ? ld : 2 * ld) * lanes, at = r / lanes * block + r % lanes;
  void *from = best ? run->best : run->state;
  if (run->model->element == RT_SPIN_EL_F64) return (spins){(double *)from + at, NULL, lanes};
  return (spins){NULL, (float *)from + at, lanes};
}

RT_INLINE double spin(const spins *x, size_t i) { return x->wide ? x->wide[i * x->step] : x->narrow[i * x->step]; }

void RT_LV(rt_spin_read)(const rt_spin_run *run, size_t r, int best, int8_t *s)
{
  if (as_bits(run)) {
    RT_LV(rt_spin_read_bits)(run, best ? run->best : run->state, r, s);
    return;
  }
  spins x = spins_of(run, r, best);
  for (size_t i = 0; i < run->model->p.n; i++) s[i] = spin(&x, i) > 0.0 ? 1 : -1;
}

void RT_LV(rt_spin_keep)(rt_spin_run *run, size_t r)
{
  size_t bytes = run->model->ld * (run->model->element == RT_SPIN_EL_F64 ? sizeof(double) : sizeof(float));
  const rt_vw *from = (const rt_vw *)((const char *)run->state + 2 * bytes * r);
  rt_vw *to = (rt_vw *)((char *)run->best + bytes * r);
  for (size_t v = 0; v < bytes / sizeof *to; v++) to[v] = from[v];
}

/* better: -1 for the lanes to keep, of as many bits as a spin has. */
void RT_LV(rt_spin_keep_lanes)(rt_spin_run *run, size_t group, const int32_t better[16])
{
  size_t ld = run->model->ld;
  if (run->model->element == RT_SPIN_EL_F64) {
    rt_vw mask[2];
    for (int l = 0; l < 16; l++) mask[l / 8][l % 8] = (uint64_t)(int64_t)better[l];
    const rt_vw *from = (const rt_vw *)run->state + 4 * ld * group;
    rt_vw *to = (rt_vw *)run->best + 2 * ld * group;
    for (size_t v = 0; v < 2 * ld; v++) to[v] = (from[v] & mask[v % 2]) | (to[v] & ~mask[v % 2]);
    return;
  }
  rt_vi mask = *(const rt_vi *)better;
  const rt_vi *from = (const rt_vi *)run->state + 2 * ld * group;
  rt_vi *to = (rt_vi *)run->best + ld * group;
  for (size_t i = 0; i < ld; i++) to[i] = (from[i] & mask) | (to[i] & ~mask);
}

RT_INLINE void put_bit(rt_spin_run *run, size_t r, size_t i, int up)
{
  int bit;
  uint64_t *w = bit_of(run, run->state, r, i, &bit);
  *w = (*w & ~((uint64_t)1 << bit)) | (uint64_t)up << bit;
  if (run->plan.coding == RT_SPIN_IN_WORDS) w[1] = ~w[0];
}

RT_INLINE void put_number(const spins *x, size_t i, int up)
{
  if (x->wide) x->wide[i * x->step] = up ? 1.0 : -1.0;
  else x->narrow[i * x->step] = up ? 1.0f : -1.0f;
}

/* NULL: random spins.  What is behind the last spin is +1, with a field of 0. */
void RT_LV(rt_spin_write)(rt_spin_run *run, size_t r, const int8_t *s)
{
  size_t n = run->model->p.n;
  int numbers = !as_bits(run);
  const spins x = numbers ? spins_of(run, r, 0) : (spins){0};
  uint64_t key = rt_key_fold(run->plan.key, run->plan.first_replica + r);
  rt_philox bits = {{0}};
  for (size_t i = 0; i < n; i++) {
    if (!s && i % 128 == 0) bits = rt_philox4x32(key, (uint32_t)(i / 128), RT_SPIN_SITE_START, 0, 0);
    int up = s ? s[i] > 0 : (int)(bits.w[i / 32 % 4] >> i % 32 & 1);
    if (numbers) put_number(&x, i, up);
    else put_bit(run, r, i, up);
  }
  for (size_t i = n; numbers && i < run->model->ld; i++) put_number(&x, i, 1);
}

/* sum_j J_ij s_j over [from, to) without i: eight lanes, then from lane 0 on. */
RT_INLINE double row_field(const double *J, const spins *x, size_t i, size_t from, size_t to)
{
  rt_vd acc = {0};
  for (size_t j = from; j < to; j += 8) {
    if (to - j < 8 || (i >= j && i < j + 8) || x->step > 1) {
      for (size_t l = 0; l < 8 && j + l < to; l++)
        if (j + l != i) acc[l] += J[j + l] * spin(x, j + l);
    } else if (x->wide)
      acc += (rt_vd)*(const vd_any *)(J + j) * (rt_vd)*(const vd_any *)(x->wide + j);
    else
      acc += (rt_vd)*(const vd_any *)(J + j) * __builtin_convertvector(*(const vf8_any *)(x->narrow + j), rt_vd);
  }
  double f = 0.0;
  for (int l = 0; l < 8; l++) f += acc[l];
  return f;
}

RT_INLINE double weight_of(const rt_spin_model *m, uint32_t e)
{
  return !m->weight ? m->sign : m->element == RT_SPIN_EL_F64 ? ((const double *)m->weight)[e] : ((const float *)m->weight)[e];
}

/* Columns of a dense row that can be other than zero, as [from, to). */
RT_INLINE void window(const rt_spin_problem *p, size_t i, size_t *from, size_t *to)
{
  *from = p->split && i < p->split ? p->split : 0;
  *to = p->split && i >= p->split ? p->split : p->n;
}

/* sum_j J_ij s_j in units, from couplings as the caller gave them, or exact ones. */
RT_INLINE double coupled(const rt_spin_run *run, const spins *x, size_t r, size_t i)
{
  const rt_spin_model *m = run->model;
  const rt_spin_problem *p = &m->p;
  double f = 0.0;
  if (p->form == RT_SPIN_DENSE) {
    size_t from, to;
    window(p, i, &from, &to);
    return row_field(p->J + (rt_system_of(run, r) * p->n + i) * p->n, x, i, from, to) / m->unit;
  }
  int given = p->form == RT_SPIN_SPARSE && p->weight && !m->exact;
  for (uint32_t e = m->row[i]; e < m->row[i + 1]; e++) f += (given ? p->weight[e] : weight_of(m, e)) * spin(x, m->column[e]);
  return f;
}

/* The same of couplings that are rounded to 16 bits, which no sum rounds. */
static double coupled_rounded(const rt_spin_model *m, const float *s, size_t i)
{
  const int16_t *J = (const int16_t *)m->J + i * m->ld;
  int32_t f = 0;
  for (size_t j = 0; j < m->p.n; j++) f += s[j] > 0.0f ? J[j] : -J[j];
  return f;
}

RT_INLINE void put_field(rt_spin_run *run, size_t r, size_t i, double f)
{
  spins x = spins_of(run, r, 0);
  size_t at = (run->model->ld + i) * x.step;
  if (x.wide) x.wide[at] = f;
  else x.narrow[at] = (float)f;
}

void RT_LV(rt_spin_fields)(rt_spin_run *run, size_t r)
{
  if (as_bits(run)) return;
  const rt_spin_model *m = run->model;
  size_t n = m->p.n;
  spins x = spins_of(run, r, 0);
  for (size_t i = 0; i < m->ld; i++) {
    double f = i >= n ? 0.0 : m->rounded ? coupled_rounded(m, x.narrow, i) : coupled(run, &x, r, i);
    double h = i < n && m->p.h ? m->p.h[rt_system_of(run, r) * n + i] / m->unit : 0.0;
    f += m->rounded ? rt_round(h) : h;
    put_field(run, r, i, 0.5 * f);
  }
}

/* Eight lanes of a group, at lane 0 or 8, as f64. */
RT_INLINE rt_vd eight(const rt_spin_run *run, const void *from, size_t i, size_t half)
{
  if (run->model->element == RT_SPIN_EL_F64) return *(const rt_vd *)((const double *)from + 16 * i + 8 * half);
  return __builtin_convertvector(*(const vf8_any *)((const float *)from + 16 * i + 8 * half), rt_vd);
}

/* The same for 16 replicas of one problem, side by side: the same sums in the same order. */
void RT_LV(rt_spin_fields_lanes)(rt_spin_run *run, size_t group)
{
  const rt_spin_model *m = run->model;
  const rt_spin_problem *p = &m->p;
  const spins x = spins_of(run, 16 * group, 0);
  const void *s = x.wide ? (const void *)x.wide : (const void *)x.narrow;
  for (size_t half = 0; half < 2; half++)
    for (size_t i = 0; i < m->ld; i++) {
      rt_vd acc[8] = {{0}}, f = {0};
      size_t from = 0, to = 0;
      if (i < p->n) window(p, i, &from, &to);
      for (size_t j = from; j < to; j += 8)
#pragma GCC unroll 8
        for (size_t l = 0; l < 8; l++)
          if (j + l < to && j + l != i) acc[l] += p->J[i * p->n + j + l] * eight(run, s, j + l, half);
      for (int l = 0; l < 8; l++) f += acc[l];
      f /= m->unit;
      if (i < p->n && p->h) f += p->h[i] / m->unit;
      for (size_t l = 0; l < 8; l++) put_field(run, 16 * group + 8 * half + l, i, 0.5 * f[l]);
    }
}

double RT_LV(rt_spin_energy_full)(const rt_spin_run *run, size_t r, int best)
{
  const rt_spin_model *m = run->model;
  const double *h = m->p.h ? m->p.h + rt_system_of(run, r) * m->p.n : NULL;
  spins x = spins_of(run, r, best);
  double e = 0.0;
  for (size_t i = 0; i < m->p.n; i++) e -= spin(&x, i) * (0.5 * m->unit * coupled(run, &x, r, i) + (h ? h[i] : 0.0));
  return e;
}

/* ---- E = - sum_i s_i (g_i + h_i / 2), g = f/2 */

RT_INLINE double of_fields(const rt_spin_run *run, size_t r, double sum)
{
  const rt_spin_model *m = run->model;
  double e = -m->unit * sum;
  if (m->p.h) {
    const double *h = m->p.h + rt_system_of(run, r) * m->p.n;
    spins x = spins_of(run, r, 0);
    double c = 0.0;
    for (size_t i = 0; i < m->p.n; i++) c += h[i] * spin(&x, i);
    e -= 0.5 * c;
  }
  return e;
}

static double energy_f32(const rt_spin_run *run, size_t r)
{
  const float *s = rt_spins_f32(run, r), *g = rt_fields_f32(run, r);
  rt_vd acc = {0};
  for (size_t i = 0; i < run->model->p.n; i += 8) {
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
  rt_vd acc = {0};
  for (size_t i = 0; i < run->model->ld; i += 8) acc += *(const rt_vd *)(s + i) * *(const rt_vd *)(g + i);
  double sum = 0.0;
  for (int l = 0; l < 8; l++) sum += acc[l];
  return of_fields(run, r, sum);
}

/* The same sums with the same rounding, for 16 replicas at a time. */
static void energies_lanes(const rt_spin_run *run, size_t group)
{
  const rt_spin_model *m = run->model;
  const spins x = spins_of(run, 16 * group, 0);
  const void *s = x.wide ? (const void *)x.wide : (const void *)x.narrow;
  for (size_t half = 0; half < 2; half++) {
    rt_vd acc[8] = {{0}}, sum = {0}, c = {0};
    for (size_t i = 0; i < m->p.n; i += 8) /* fields behind the last spin are 0 */
#pragma GCC unroll 8
      for (size_t l = 0; l < 8; l++) acc[l] += eight(run, s, i + l, half) * eight(run, s, m->ld + i + l, half);
    for (int l = 0; l < 8; l++) sum += acc[l];
    sum = -m->unit * sum;
    if (m->p.h && m->p.systems <= 1) {
      for (size_t i = 0; i < m->p.n; i++) c += m->p.h[i] * eight(run, s, i, half);
      sum -= 0.5 * c;
    }
    for (size_t l = 0; l < 8; l++) {
      size_t r = 16 * group + 8 * half + l;
      if (r >= run->plan.replicas) break;
      run->energy[r] = sum[l];
      if (!m->p.h || m->p.systems <= 1) continue;
      spins one = spins_of(run, r, 0);
      double mine = 0.0;
      for (size_t i = 0; i < m->p.n; i++) mine += m->p.h[rt_system_of(run, r) * m->p.n + i] * spin(&one, i);
      run->energy[r] -= 0.5 * mine;
    }
  }
}

/* Whether a replica of those from r to end has flipped a spin since its energy was computed. */
RT_INLINE int moved(const rt_spin_run *run, size_t r, size_t end)
{
  uint64_t changed = 0;
  for (; r < end && r < run->plan.replicas; r++) {
    changed |= run->known[r] ^ run->flips[r];
    run->known[r] = run->flips[r];
  }
  return changed != 0;
}

void RT_LV(rt_spin_energies)(const rt_spin_run *run)
{
  size_t replicas = run->plan.replicas, together = run->plan.coding == RT_SPIN_IN_BITS ? RT_SPIN_BLOCK : run->plan.coding == RT_SPIN_IN_WORDS ? 64 : in_lanes(run) ? RT_SPIN_LANES : 1;
  for (size_t r = 0; r < replicas; r += together) {
    if (!moved(run, r, r + together)) continue;
    if (run->plan.coding == RT_SPIN_IN_BITS) RT_LV(rt_spin_energies_bits)(run, r / RT_SPIN_BLOCK);
    else if (run->plan.coding == RT_SPIN_IN_WORDS) RT_LV(rt_spin_energies_words)(run, r / 64);
    else if (run->plan.coding == RT_SPIN_PLANE) RT_LV(rt_spin_energy_plane)(run, r);
    else if (in_lanes(run)) energies_lanes(run, r / RT_SPIN_LANES);
    else run->energy[r] = run->model->element == RT_SPIN_EL_F64 ? energy_f64(run, r) : energy_f32(run, r);
  }
}
