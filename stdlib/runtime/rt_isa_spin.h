/* rt_isa_spin.h: what the kernels of spins share: vectors of 16 and 512 bits' worth of them, Philox for 16 addresses at a time, and the variate that
 * a visit's random word stands for.  Private to the rt_isa_spin*.c and rt_isa_potts.c files.
 *
 * Vectors are 64 bytes at every level, as the compiler's own type, which lowers to what the level has.  There is no fma but where its product is
 * exact (a coefficient of +-2, say), so that it rounds as a product and a sum do. */
#ifndef RT_ISA_SPIN_H
#define RT_ISA_SPIN_H

#include <stddef.h>
#include <stdint.h>

#include "stdlib/runtime/rt_isa_philox.h"
#include "stdlib/runtime/rt_spin.h"

typedef float rt_vf __attribute__((vector_size(64), may_alias));
typedef uint32_t rt_vu __attribute__((vector_size(64), may_alias));
typedef uint32_t rt_vu8 __attribute__((vector_size(32), may_alias)); /* 8 */

#define RT_VF(p) (*(const rt_vf *)(p))
#define RT_VF_AT(p) (*(rt_vf *)(p))

RT_INLINE rt_vf rt_vf_all(float x) { return (rt_vf){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }
RT_INLINE rt_vi rt_vi_all(int32_t x) { return (rt_vi){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }
RT_INLINE rt_vu rt_vu_all(uint32_t x) { return (rt_vu){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }

/* Bit l: a[l] <= b[l]. */
RT_INLINE uint32_t rt_le_mask(rt_vf a, rt_vf b)
{
#if defined(__AVX512F__)
  return (uint16_t)__builtin_ia32_cmpps512_mask(a, b, 18 /* ordered <= */, (uint16_t)-1, 4);
#elif defined(__AVX__)
  typedef float half __attribute__((vector_size(32)));
  union { rt_vi v; half h[2]; } m = {a <= b};
  return (uint32_t)__builtin_ia32_movmskps256(m.h[0]) | (uint32_t)__builtin_ia32_movmskps256(m.h[1]) << 8;
#elif defined(__SSE2__)
  typedef float quarter __attribute__((vector_size(16)));
  union { rt_vi v; quarter h[4]; } m = {a <= b};
  uint32_t r = 0;
  for (int q = 0; q < 4; q++) r |= (uint32_t)__builtin_ia32_movmskps(m.h[q]) << 4 * q;
  return r;
#else
  uint32_t r = 0;
  for (int l = 0; l < 16; l++) r |= (uint32_t)(a[l] <= b[l]) << l;
  return r;
#endif
}

RT_INLINE int rt_any(rt_vw x)
{
#if defined(__AVX512F__) && !defined(__clang__)
  return __builtin_ia32_ptestmq512((rt_vll)x, (rt_vll)x, (uint8_t)-1) != 0;
#endif
  return (x[0] | x[1] | x[2] | x[3] | x[4] | x[5] | x[6] | x[7]) != 0;
}

/* a where m is -1, b where it is 0. */
RT_INLINE rt_vf rt_vf_pick(rt_vi m, rt_vf a, rt_vf b)
{
  return (rt_vf)(((rt_vi)a & m) | ((rt_vi)b & ~m));
}

/* The low halves of sixteen 64-bit lanes. */
RT_INLINE rt_vu rt_low_halves(rt_vw a, rt_vw b)
{
#if defined(__AVX512F__) && !defined(__clang__)
  return __builtin_shuffle((rt_vu)a, (rt_vu)b, (rt_vu){0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30});
#else
  union { rt_vu8 half[2]; rt_vu all; } r = {{__builtin_convertvector(a, rt_vu8), __builtin_convertvector(b, rt_vu8)}};
  return r.all;
#endif
}

/* Philox at 16 addresses: lanes of `key` are 64-bit keys (lanes 0..7 and 8..15), those of c0 the first counter word, the other three are common.
 * w[j][l] is word j of address l. */
RT_INLINE void rt_philox16(const rt_vw key[2], const rt_vw c0[2], uint32_t c1, uint32_t c2, uint32_t c3, uint32_t w[4][16])
{
  rt_vw x[2][4];
  for (int h = 0; h < 2; h++) {
    x[h][0] = c0[h], x[h][1] = rt_vw_all(c1), x[h][2] = rt_vw_all(c2), x[h][3] = rt_vw_all(c3);
    rt_philox8(key[h], x[h]);
  }
  for (int j = 0; j < 4; j++) *(rt_vu *)w[j] = rt_low_halves(x[0][j], x[1][j]);
}

/* ---- variates */

/* w + 1, rounded to 24 bits. */
RT_INLINE rt_vf rt_after(rt_vu w)
{
#if defined(__AVX512F__) && !defined(__clang__)
  /* The last word becomes the one before it: 2^32 - 1 is rounded to 2^32. */
  return __builtin_convertvector((rt_vu)__builtin_ia32_pminud512_mask((rt_vi)w, rt_vi_all(-2), rt_vi_all(0), (uint16_t)-1) + 1, rt_vf);
#else
  return __builtin_convertvector((rt_vi)(w >> 8), rt_vf) * 256.0f + (__builtin_convertvector((rt_vi)(w & 255), rt_vf) + 1.0f);
#endif
}

/* -log((w + 1) / 2^32), within 2^-22 relatively: 0 for the largest words.  (w + 1) / 2^32 is rounded to 24 bits. */
RT_INLINE rt_vf rt_exponential(rt_vu w)
{
  rt_vf u = rt_after(w);
  /* u = 2^e m, m in [sqrt(1/2), sqrt 2). */
  rt_vi bits = (rt_vi)u, e = (bits - 0x3F3504F3) >> 23;
  rt_vf f = (rt_vf)(bits - (e << 23)) - 1.0f, k = __builtin_convertvector(e - 32, rt_vf);
  rt_vf f2 = f * f, f4 = f2 * f2;
  rt_vf even = (0.333333312f + f2 * 0.200007157f) + f4 * ((0.142490576f + f2 * 0.116854199f) + f4 * 0.0697161147f);
  rt_vf odd = (-0.24999997f + f2 * -0.166678023f) + f4 * (-0.124256873f + f2 * -0.114797338f);
  /* log 2 in two parts, the first with 15 bits. */
  rt_vf tail = k * 1.42860682e-06f + (f2 * f * (even + f * odd) - 0.5f * f2);
  return -(k * 0.693145752f + (f + tail));
}

RT_INLINE rt_vf rt_variate(rt_spin_rule rule, rt_vu w)
{
  rt_vf x = rt_exponential(w);
  if (rule == RT_SPIN_HEAT_BATH) x -= rt_exponential(~w);
  return x;
}

/* ---- bounds: a visit flips its spin where s g <= bound, g = f/2 the field as it is kept, for beta dE = 4 beta s g <= variate */

RT_INLINE float rt_bound_factor(double beta, double unit)
{
  double x = 0.25 / (beta * unit);
  return x < 3e38 ? (float)x : 3e38f;
}

/* `always`: variates from here on flip whatever the field is; +inf unless the rule is FLOORED. */
RT_INLINE rt_vf rt_bound(rt_vf variate, float factor, float always)
{
  return rt_vf_pick((rt_vi)(variate >= rt_vf_all(always)), rt_vf_all(__builtin_inff()), variate * factor);
}

RT_INLINE float rt_bound_of(float variate, float factor, float always) { return variate >= always ? __builtin_inff() : variate * factor; }

/* c j + g where c is +1 or -1. */
RT_INLINE rt_vf rt_add_signed(rt_vf g, rt_vf c, rt_vf j)
{
#if defined(__AVX512F__) && !defined(__clang__)
  return __builtin_ia32_vfmaddps512_mask(c, j, g, (uint16_t)-1, 4);
#else
  return g + c * j;
#endif
}

/* Visits that a kernel makes for every replica: `count` of them, which are numbers at .. at + count - 1 of the 64 whose variates are there. */
typedef struct rt_spin_piece {
  size_t first;          /* the sites are first .. first + count - 1, */
  const uint32_t *sites; /* or these [count] where not NULL */
  size_t count, at;
  float always;
} rt_spin_piece;

/* Word of visit v under a key (rt_spin.h). */
static inline uint32_t rt_visit_word(uint64_t key, uint32_t site, uint64_t v)
{
  uint64_t block = 16 * (v / 64) + v % 16;
  return rt_philox4x32(key, (uint32_t)block, site, (uint32_t)(block >> 32), 0).w[v / 16 % 4];
}

/* The words of the 64 visits from 64 * chunk on: visit 16 j + l of them has w[j][l]. */
RT_INLINE void rt_visit_words(uint64_t key, uint32_t site, uint64_t chunk, uint32_t w[4][16])
{
  rt_vw k[2] = {rt_vw_all(key), rt_vw_all(key)};
  rt_vw c0[2] = {rt_vw_all(16 * chunk) + (rt_vw){0, 1, 2, 3, 4, 5, 6, 7}, rt_vw_all(16 * chunk) + (rt_vw){8, 9, 10, 11, 12, 13, 14, 15}};
  rt_philox16(k, c0, site, (uint32_t)(16 * chunk >> 32), 0, w);
}

/* The words of a block for 16 keys: w[j][l] is word j under key[l]. */
RT_INLINE void rt_visit_words_lanes(const uint64_t key[16], uint32_t site, uint64_t block, uint32_t w[4][16])
{
  rt_vw k[2] = {*(const rt_vw *)key, *(const rt_vw *)(key + 8)}, c0[2] = {rt_vw_all(block), rt_vw_all(block)};
  rt_philox16(k, c0, site, (uint32_t)(block >> 32), 0, w);
}

/* The sites of the 64 visits from 64 * chunk on in random order, of m that are visited. */
RT_INLINE void rt_draw_sites(const rt_spin_plan *plan, uint64_t chunk, size_t m, uint32_t site[64])
{
  uint32_t w[4][16] __attribute__((aligned(64)));
  rt_visit_words(plan->key, RT_SPIN_SITE_ORDER, chunk, w);
  for (size_t v = 0; v < 64; v++) {
    size_t k = (size_t)((uint64_t)w[v / 16][v % 16] * m >> 32);
    site[v] = plan->sites ? plan->sites[k] : (uint32_t)k;
  }
}

/* A tally of replicas; the arrays are aligned. */
static inline void rt_spin_count(const double *energy, const double *best, const uint64_t *flips, size_t replicas, rt_spin_tally *out)
{
  rt_vd sum = {0}, low = {0};
  rt_vw count = {0};
  for (size_t l = 0; l < 8; l++) low[l] = best[0];
  size_t r = 0;
  for (; r + 8 <= replicas; r += 8) {
    rt_vd b = *(const rt_vd *)(best + r);
    sum += *(const rt_vd *)(energy + r);
    count += *(const rt_vw *)(flips + r);
    rt_vll lower = (rt_vll)(b < low);
    low = (rt_vd)(((rt_vll)b & lower) | ((rt_vll)low & ~lower));
  }
  for (size_t l = 0; r < replicas; r++, l++) {
    sum[l] += energy[r];
    count[l] += flips[r];
    if (best[r] < low[l]) low[l] = best[r];
  }
  *out = (rt_spin_tally){0.0, low[0], 0};
  for (size_t l = 0; l < 8; l++) {
    out->energy += sum[l];
    out->flips += count[l];
    if (low[l] < out->best) out->best = low[l];
  }
}

typedef void rt_spin_visit(rt_spin_run *run, const rt_spin_piece *piece);
rt_spin_visit RT_LV(rt_spin_visit_dense), RT_LV(rt_spin_visit_sparse), RT_LV(rt_spin_visit_f64), RT_LV(rt_spin_visit_lanes), RT_LV(rt_spin_visit_lanes_f64);

/* A replica's spins and fields: [ld] each, +-1 behind the last spin. */
RT_INLINE float *rt_spins_f32(const rt_spin_run *run, size_t r) { return (float *)run->state + 2 * run->model->ld * r; }
RT_INLINE float *rt_fields_f32(const rt_spin_run *run, size_t r) { return rt_spins_f32(run, r) + run->model->ld; }
RT_INLINE double *rt_spins_f64(const rt_spin_run *run, size_t r) { return (double *)run->state + 2 * run->model->ld * r; }
RT_INLINE double *rt_fields_f64(const rt_spin_run *run, size_t r) { return rt_spins_f64(run, r) + run->model->ld; }
/* 16 replicas side by side: [ld][16]. */
RT_INLINE void *rt_spins_lanes(const rt_spin_run *run, size_t group, size_t size) { return (char *)run->state + 2 * RT_SPIN_LANES * run->model->ld * group * size; }
RT_INLINE void *rt_fields_lanes(const rt_spin_run *run, size_t group, size_t size) { return (char *)rt_spins_lanes(run, group, size) + RT_SPIN_LANES * run->model->ld * size; }

/* A block of 512 replicas: [n + 1], the last all ones.  A replica that is a plane: [n / 512]. */
RT_INLINE rt_vw *rt_spins_bits(const rt_spin_run *run, size_t block) { return (rt_vw *)run->state + block * (run->model->p.n + 1); }
/* A block of 64 replicas: [n + 2][2], a word of spins and their complements. */
RT_INLINE uint64_t *rt_spins_words(const rt_spin_run *run, size_t block) { return (uint64_t *)run->state + block * 2 * (run->model->p.n + 2); }
RT_INLINE rt_vw *rt_spins_plane(const rt_spin_run *run, size_t r) { return (rt_vw *)run->state + r * (run->model->p.n / 512); }

RT_INLINE size_t rt_system_of(const rt_spin_run *run, size_t r)
{
  const rt_spin_problem *p = &run->model->p;
  return p->form == RT_SPIN_DENSE && p->systems > 1 ? (size_t)((run->plan.first_replica + r) % p->systems) : 0;
}

/* A sweep of all replicas, and their energies, where spins are bits. */
void RT_LV(rt_spin_sweep_bits)(rt_spin_run *run, size_t sites, size_t visits, double beta, double floor);
void RT_LV(rt_spin_energies_bits)(const rt_spin_run *run, size_t block);
void RT_LV(rt_spin_sweep_words)(rt_spin_run *run, double beta, double floor);
void RT_LV(rt_spin_energies_words)(const rt_spin_run *run, size_t block);
void RT_LV(rt_spin_sweep_plane)(rt_spin_run *run, double beta, double floor);
void RT_LV(rt_spin_energy_plane)(const rt_spin_run *run, size_t r);

/* rt_isa_spin_field.c.  Writes half the fields of a replica, whose spins are in place, from f64 couplings. */
void RT_LV(rt_spin_fields)(rt_spin_run *run, size_t r);
/* The same for 16 replicas side by side that have one problem. */
void RT_LV(rt_spin_fields_lanes)(rt_spin_run *run, size_t group);
/* Energies from the fields that are kept, of replicas that have moved since. */
void RT_LV(rt_spin_energies)(const rt_spin_run *run);
/* Energy from f64 couplings, of the state or the best one. */
double RT_LV(rt_spin_energy_full)(const rt_spin_run *run, size_t r, int best);
/* The state of a replica becomes its best, where spins are numbers: of one by itself, and of those of 16 side by side where better is -1, not 0. */
void RT_LV(rt_spin_keep)(rt_spin_run *run, size_t r);
void RT_LV(rt_spin_keep_lanes)(rt_spin_run *run, size_t group, const int32_t better[16]);
/* The state of a replica, or the best one, into the caller's form. */
void RT_LV(rt_spin_read)(const rt_spin_run *run, size_t r, int best, int8_t *s);
void RT_LV(rt_spin_read_bits)(const rt_spin_run *run, void *from, size_t r, int8_t *s);
/* And from it; NULL writes random spins. */
void RT_LV(rt_spin_write)(rt_spin_run *run, size_t r, const int8_t *s);

#endif
