/* rt_isa_potts.c: visits to sites with q values, 16 at a time: one site of 16 replicas, or sites of one replica that are no neighbours of each other. */
#include "stdlib/runtime/rt_potts.h"

#include "stdlib/runtime/rt_isa_spin.h"
#include "stdlib/runtime/rt_math.h"

/* exp(x) for x <= 0, 0 below -87, within 2^-22 relatively: x = k log 2 + r, Taylor's polynomial of degree 7 for |r| <= log(2)/2. */
RT_INLINE rt_vf exp16(rt_vf x)
{
  rt_vi far = (rt_vi)(x < -87.0f);
  rt_vf k = x * 1.44269502f + 12582912.0f; /* 1.5 2^23: the sum is rounded to an integer */
  rt_vu whole = (rt_vu)k - 0x4B400000u; /* far below, where it is of no use, it wraps */
  k -= 12582912.0f;
  rt_vf r = (x - k * 0.693145752f) - k * 1.42860682e-06f, r2 = r * r, r4 = r2 * r2;
  rt_vf p = ((1.0f + r) + r2 * (0.5f + r * 0.166666672f)) + r4 * ((0.0416666679f + r * 0.00833333377f) + r2 * (0.00138888892f + r * 0.000198412701f));
  return (rt_vf)((rt_vi)((rt_vu)p + (whole << 23)) & ~far);
}

/* What 16 visits look at: neighbours k < degree in 16 lanes. */
typedef struct visits {
  size_t q;
  size_t degree;
  const rt_vi *colour; /* [degree]: of the neighbours, -1 where a lane has no more */
  const float *weight; /* [degree][16], or NULL: `sign` */
  const float *common; /* [degree] weights of all lanes, or NULL */
  float sign;
  const float *field;  /* [q], of all lanes; */
  const float *fields; /* or [q][16]; or both NULL */
  rt_vf factor;        /* beta, in units */
  float floor;
  rt_spin_rule rule;
  const rt_potts_run *wide; /* sums are f64, from its weights and fields; or NULL */
  int counted;         /* all weights are `sign`, there are no fields and fewer than 16 neighbours, and all lanes have one factor: */
  rt_vf table;         /* lane d: exp of factor times -d */
} visits;

RT_INLINE rt_vf weight_at(const visits *v, size_t k)
{
  if (v->weight) return RT_VF(v->weight + 16 * k);
  return rt_vf_all(v->common ? v->common[k] : v->sign);
}

/* a_c for one colour of each lane. */
RT_INLINE rt_vf attraction(const visits *v, rt_vi c)
{
  rt_vf a = rt_vf_all(0.0f);
  for (size_t k = 0; k < v->degree; k++) a += (rt_vf)((rt_vi)weight_at(v, k) & (v->colour[k] == c));
  if (v->fields)
    for (int l = 0; l < 16; l++) a[l] += v->fields[16 * (size_t)c[l] + (size_t)l];
  else if (v->field)
    for (int l = 0; l < 16; l++) a[l] += v->field[c[l]];
  return a;
}

/* table[d] of each lane's d. */
RT_INLINE rt_vf look_up(rt_vf table, rt_vi d)
{
#if defined(__clang__)
  rt_vf r;
  for (int l = 0; l < 16; l++) r[l] = table[d[l]];
  return r;
#else
  return __builtin_shuffle(table, d);
#endif
}

/* ((w >> 8) + 1/2) / 2^24 of a total. */
RT_INLINE rt_vf share(rt_vu word, rt_vf total) { return (__builtin_convertvector((rt_vi)(word >> 8), rt_vf) + 0.5f) * 0x1p-24f * total; }

/* Heat bath where a_c is the number of neighbours of colour c, or minus that: the same numbers in the same order as below. */
RT_INLINE rt_vi heat_bath_counted(const visits *v, const size_t q, rt_vu word)
{
  rt_vi n[8], most;
  rt_vf sum[8], total = rt_vf_all(0.0f);
  for (size_t c = 0; c < q; c++) n[c] = rt_vi_all(0);
  if (v->sign > 0.0f)
    for (size_t k = 0; k < v->degree; k++)
      for (size_t c = 0; c < q; c++) n[c] -= v->colour[k] == rt_vi_all((int32_t)c);
  else
    for (size_t k = 0; k < v->degree; k++)
      for (size_t c = 0; c < q; c++) n[c] += v->colour[k] == rt_vi_all((int32_t)c);
  most = n[0];
  for (size_t c = 1; c < q; c++) {
    rt_vi more = n[c] > most;
    most = (n[c] & more) | (most & ~more);
  }
  for (size_t c = 0; c < q; c++) sum[c] = total += look_up(v->table, most - n[c]);
  rt_vf t = share(word, total);
  rt_vi s = rt_vi_all(0);
  for (size_t c = 0; c + 1 < q; c++) s -= (rt_vi)(sum[c] <= t);
  return s;
}

/* The running sums of weights go to sum [q][16]. */
RT_INLINE rt_vi heat_bath(const visits *v, size_t q, rt_vu word, float *sum)
{
  rt_vf most = rt_vf_all(-3e38f), total = rt_vf_all(0.0f);
  for (size_t c = 0; c < q; c++) {
    rt_vf a = rt_vf_all(0.0f);
    for (size_t k = 0; k < v->degree; k++) a += (rt_vf)((rt_vi)weight_at(v, k) & (v->colour[k] == rt_vi_all((int32_t)c)));
    if (v->fields) a += RT_VF(v->fields + 16 * c);
    else if (v->field) a += rt_vf_all(v->field[c]);
    RT_VF_AT(sum + 16 * c) = a;
    most = rt_vf_pick((rt_vi)(a > most), a, most);
  }
  for (size_t c = 0; c < q; c++) {
    total += exp16((RT_VF(sum + 16 * c) - most) * v->factor);
    RT_VF_AT(sum + 16 * c) = total;
  }
  rt_vf t = share(word, total);
  rt_vi s = rt_vi_all(0);
  for (size_t c = 0; c + 1 < q; c++) s -= (rt_vi)(RT_VF(sum + 16 * c) <= t);
  return s;
}

RT_INLINE rt_vi proposed(const visits *v, rt_vi old, rt_vu proposal)
{
  rt_vi new;
  for (int l = 0; l < 16; l++) {
    uint32_t c = (uint32_t)old[l] + 1 + (uint32_t)((uint64_t)proposal[l] * (v->q - 1) >> 32);
    new[l] = (int32_t)(c >= v->q ? c - v->q : c);
  }
  return new;
}

RT_INLINE rt_vi metropolis(const visits *v, rt_vi old, rt_vu word, rt_vu proposal)
{
  rt_vi new = proposed(v, old, proposal);
  rt_vf x = rt_exponential(word), rise = (attraction(v, old) - attraction(v, new)) * v->factor;
  rt_vi take = (rt_vi)(rise <= x);
  if (v->rule == RT_SPIN_FLOORED) take |= (rt_vi)(x >= v->floor);
  return (new & take) | (old & ~take);
}

/* ---- the same with sums in f64: lanes 0 to 7 and 8 to 15 */

typedef double vd8 __attribute__((vector_size(64), may_alias));
typedef int64_t vl8 __attribute__((vector_size(64), may_alias));
typedef int32_t vi8 __attribute__((vector_size(32), may_alias));
typedef float vf8 __attribute__((vector_size(32), may_alias));

/* In the run's memory: sums [q], fields [q], weights [degree] and colours [degree] of 16 lanes, each two vectors. */
static vd8 *sums_of(const rt_potts_run *run) { return (vd8 *)run->wide; }
static vd8 *fields_of(const rt_potts_run *run) { return sums_of(run) + 2 * run->model->p.q; }
static vd8 *weights_of(const rt_potts_run *run) { return fields_of(run) + 2 * run->model->p.q; }
static vl8 *colours_of(const rt_potts_run *run) { return (vl8 *)(weights_of(run) + 2 * run->model->graph.degree); }

/* Lanes first to first + n - 1 look at site i. */
static void widen(const rt_potts_run *run, size_t i, size_t first, size_t n)
{
  const rt_potts_problem *p = &run->model->p;
  const rt_spin_model *g = &run->model->graph;
  double *weight = (double *)weights_of(run), *field = (double *)fields_of(run);
  for (uint32_t e = g->row[i]; e < g->row[i + 1]; e++, weight += 16) {
    double x = !g->exact && p->graph.weight ? p->graph.weight[e] : g->weight ? (double)((const float *)g->weight)[e] : (double)g->sign;
    for (size_t l = first; l < first + n; l++) weight[l] = x;
  }
  for (size_t c = 0; c < p->q && p->H; c++) {
    double x = p->H[i * p->q + c] / g->unit;
    for (size_t l = first; l < first + n; l++) field[16 * c + l] = x;
  }
}

RT_INLINE vl8 half_of(rt_vi x, int half)
{
  union { rt_vi all; vi8 of[2]; } u = {x};
  return __builtin_convertvector(u.of[half], vl8);
}

RT_INLINE rt_vf narrow(vd8 low, vd8 high)
{
  union { vf8 of[2]; rt_vf all; } u = {{__builtin_convertvector(low, vf8), __builtin_convertvector(high, vf8)}};
  return u.all;
}

/* a_c for one colour of each lane.  A lane without a further neighbour meets no colour there. */
RT_INLINE vd8 attraction_wide(const visits *v, vl8 c, int half)
{
  const vd8 *weight = weights_of(v->wide) + half;
  const double *field = (const double *)fields_of(v->wide) + 8 * half;
  vd8 a = {0};
  for (size_t k = 0; k < v->degree; k++) a += (vd8)((vl8)weight[2 * k] & (half_of(v->colour[k], half) == c));
  for (size_t l = 0; l < 8 && v->wide->model->H; l++) a[l] += field[16 * (size_t)c[l] + l];
  return a;
}

static rt_vi heat_bath_wide(const visits *v, rt_vu word, float *sum)
{
  vd8 *a = sums_of(v->wide), most[2];
  const vd8 *field = fields_of(v->wide);
  vl8 *colours = colours_of(v->wide);
  const int fields = v->wide->model->H != NULL;
  for (size_t k = 0; k < v->degree; k++)
    for (int half = 0; half < 2; half++) colours[2 * k + (size_t)half] = half_of(v->colour[k], half);
  for (int half = 0; half < 2; half++) {
    const vd8 *weight = weights_of(v->wide) + half;
    const vl8 *of = colours + half;
    for (size_t c = 0; c < v->q; c++) {
      vl8 colour = (vl8){0} + (int64_t)c;
      vd8 x = {0};
      for (size_t k = 0; k < v->degree; k++) x += (vd8)((vl8)weight[2 * k] & (of[2 * k] == colour));
      if (fields) x += field[2 * c + (size_t)half];
      a[2 * c + (size_t)half] = x;
      vl8 more = c ? (vl8)(x > most[half]) : (vl8){-1, -1, -1, -1, -1, -1, -1, -1};
      most[half] = (vd8)(((vl8)x & more) | ((vl8)(c ? most[half] : x) & ~more));
    }
  }
  rt_vf total = rt_vf_all(0.0f);
  for (size_t c = 0; c < v->q; c++) {
    total += exp16(narrow(a[2 * c] - most[0], a[2 * c + 1] - most[1]) * v->factor);
    RT_VF_AT(sum + 16 * c) = total;
  }
  rt_vf t = share(word, total);
  rt_vi s = rt_vi_all(0);
  for (size_t c = 0; c + 1 < v->q; c++) s -= (rt_vi)(RT_VF(sum + 16 * c) <= t);
  return s;
}

static rt_vi metropolis_wide(const visits *v, rt_vi old, rt_vu word, rt_vu proposal)
{
  rt_vi new = proposed(v, old, proposal);
  vd8 rise[2];
  for (int half = 0; half < 2; half++) rise[half] = attraction_wide(v, half_of(old, half), half) - attraction_wide(v, half_of(new, half), half);
  rt_vf x = rt_exponential(word);
  rt_vi take = (rt_vi)(narrow(rise[0], rise[1]) * v->factor <= x);
  if (v->rule == RT_SPIN_FLOORED) take |= (rt_vi)(x >= v->floor);
  return (new & take) | (old & ~take);
}

/* New colours.  Small q unrolls. */
RT_INLINE rt_vi visit(const visits *v, rt_vi old, rt_vu word, const uint32_t *proposal, float *sum)
{
  if (v->wide) return v->rule != RT_SPIN_HEAT_BATH ? metropolis_wide(v, old, word, *(const rt_vu *)proposal) : heat_bath_wide(v, word, sum);
  if (v->rule != RT_SPIN_HEAT_BATH) return metropolis(v, old, word, *(const rt_vu *)proposal);
  if (v->counted) switch (v->q) {
    case 2: return heat_bath_counted(v, 2, word);
    case 3: return heat_bath_counted(v, 3, word);
    case 4: return heat_bath_counted(v, 4, word);
    case 5: return heat_bath_counted(v, 5, word);
    case 6: return heat_bath_counted(v, 6, word);
    case 7: return heat_bath_counted(v, 7, word);
    case 8: return heat_bath_counted(v, 8, word);
    }
  return heat_bath(v, v->q, word, sum);
}

/* ---- the two ways to fill 16 lanes */

typedef struct piece {
  const uint32_t *sites; /* [count], or NULL: first, first + 1, ... */
  size_t first, place, count, at; /* place: of the first visit in the order */
  float floor;
} piece;

RT_INLINE size_t site_of(const piece *p, size_t k) { return p->sites ? p->sites[k] : p->first + k; }

/* Whether all lanes have one factor, and what follows. */
static void count_colours(visits *v, const rt_potts_run *run)
{
  const rt_vf minus = {-0.0f, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12, -13, -14, -15};
  v->counted = !run->model->graph.weight && !run->model->H && run->model->graph.degree < 16;
  for (int l = 1; l < 16; l++) v->counted = v->counted && v->factor[l] == v->factor[0];
  if (v->counted) v->table = exp16(minus * v->factor);
}

static visits visits_of(const rt_potts_run *run, const piece *p)
{
  return (visits){.q = run->model->p.q, .sign = run->model->graph.sign, .floor = p->floor, .rule = run->plan.rule, .wide = run->model->wide ? run : NULL};
}

static void visit_lanes(rt_potts_run *run, const piece *p)
{
  const rt_potts_model *m = run->model;
  const rt_spin_model *g = &m->graph;
  size_t n = m->p.graph.n;
  rt_vi *colour = (rt_vi *)(run->scratch + 16 * m->p.q);
  visits v = visits_of(run, p);
  for (size_t group = 0; 16 * group < run->plan.replicas; group++) {
    rt_vi *state = (rt_vi *)run->state + group * n, changes = rt_vi_all(0);
    const uint32_t *word = run->word + group * 1024 + 16 * p->at, *proposal = run->proposal + group * 1024 + 16 * p->at;
    v.factor = RT_VF(run->factor + 16 * group);
    count_colours(&v, run);
    for (size_t k = 0; k < p->count; k++) {
      size_t i = site_of(p, k), degree = g->row[i + 1] - g->row[i];
      rt_vi old = state[i];
      v.degree = degree;
      v.colour = colour;
      v.common = g->weight ? (const float *)g->weight + g->row[i] : NULL;
      v.field = m->H ? m->H + i * v.q : NULL;
      for (size_t e = 0; e < degree; e++) colour[e] = state[g->column[g->row[i] + e]];
      if (v.wide) widen(run, i, 0, 16);
      state[i] = visit(&v, old, *(const rt_vu *)(word + 16 * k), proposal + 16 * k, run->scratch);
      changes -= (rt_vi)(state[i] != old);
    }
    for (int l = 0; l < 16; l++) run->changes[16 * group + (size_t)l] += (uint64_t)changes[l];
  }
}

static void visit_sites(rt_potts_run *run, const piece *p)
{
  const rt_potts_model *m = run->model;
  const rt_spin_model *g = &m->graph;
  size_t n = m->p.graph.n, most = g->degree;
  float *weight = run->scratch + 16 * (m->p.q + most), *fields = weight + 16 * most;
  rt_vi *colour = (rt_vi *)(run->scratch + 16 * m->p.q);
  visits v = visits_of(run, p);
  v.colour = colour;
  v.weight = g->weight ? weight : NULL;
  v.fields = m->H ? fields : NULL;
  for (size_t r = 0; r < run->plan.replicas; r++) {
    int32_t *state = run->state + r * n;
    v.factor = rt_vf_all(run->factor[r]);
    count_colours(&v, run);
    for (size_t k = 0, size; k < p->count; k += size) {
      size = run->plan.order == RT_SPIN_RANDOM ? 1 : run->group[p->place + k];
      if (size > p->count - k) size = p->count - k;
      /* A lane without a site or a further neighbour has neighbours of no colour. */
      rt_vi old = {0};
      rt_vu word = {0}, proposal = {0};
      uint32_t row[16], degree[16];
      v.degree = 0;
      for (size_t l = 0; l < 16; l++) {
        size_t i = site_of(p, k + (l < size ? l : 0));
        row[l] = g->row[i];
        degree[l] = l < size ? g->row[i + 1] - g->row[i] : 0;
        if (degree[l] > v.degree) v.degree = degree[l];
      }
      __builtin_memcpy(&word, run->word + 64 * r + p->at + k, 4 * size);
      __builtin_memcpy(&proposal, run->proposal + 64 * r + p->at + k, 4 * size);
      for (size_t e = 0; e < v.degree; e++)
        for (size_t l = 0; l < 16; l++) ((int32_t *)(colour + e))[l] = e < degree[l] ? state[g->column[row[l] + e]] : -1;
      for (size_t l = 0; l < size; l++) {
        size_t i = site_of(p, k + l);
        old[l] = state[i];
        if (v.wide) widen(run, i, l, 1);
        if (v.weight)
          for (size_t e = 0; e < v.degree; e++) weight[16 * e + l] = e < degree[l] ? ((const float *)g->weight)[row[l] + e] : 0.0f;
        if (v.fields)
          for (size_t c = 0; c < v.q; c++) fields[16 * c + l] = m->H[i * v.q + c];
      }
      if (v.fields)
        for (size_t c = 0; c < v.q; c++)
          for (size_t l = size; l < 16; l++) fields[16 * c + l] = 0.0f;
      if (v.weight)
        for (size_t e = 0; e < v.degree; e++)
          for (size_t l = size; l < 16; l++) weight[16 * e + l] = 0.0f;
      rt_vi new = visit(&v, old, word, (const uint32_t *)&proposal, run->scratch);
      for (size_t l = 0; l < size; l++) {
        state[site_of(p, k + l)] = new[l];
        run->changes[r] += new[l] != old[l];
      }
    }
  }
}

typedef int32_t rt_vi_any __attribute__((vector_size(64), may_alias, aligned(4)));

/* state[at[l]] for 16 lanes. */
RT_INLINE rt_vi gather(const int32_t *state, const uint32_t *at)
{
#if defined(__AVX512F__) && !defined(__clang__)
  return __builtin_ia32_gathersiv16si(rt_vi_all(0), state, *(const rt_vi_any *)at, (uint16_t)-1, 4);
#else
  rt_vi r;
  for (int l = 0; l < 16; l++) r[l] = state[at[l]];
  return r;
#endif
}

/* Where states lie in the order of visits: up to 16 places in a row. */
static void visit_places(rt_potts_run *run, const piece *p)
{
  const rt_vi lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  rt_vi colour[16];
  visits v = visits_of(run, p);
  v.colour = colour;
  v.degree = run->model->graph.degree;
  for (size_t r = 0; r < run->plan.replicas; r++) {
    int32_t *state = run->state + r * run->stride;
    rt_vi changes = rt_vi_all(0);
    v.factor = rt_vf_all(run->factor[r]);
    count_colours(&v, run);
    for (size_t k = 0, size; k < p->count; k += size) {
      size_t at = p->place + k;
      size = run->group[at] < p->count - k ? run->group[at] : p->count - k;
      rt_vi word, proposal;
      __builtin_memcpy(&word, run->word + 64 * r + p->at + k, sizeof word);
      __builtin_memcpy(&proposal, run->proposal + 64 * r + p->at + k, sizeof proposal);
      rt_vi old = *(const rt_vi_any *)(state + at), these = lane < rt_vi_all((int32_t)size);
      for (size_t e = 0; e < v.degree; e++) colour[e] = gather(state, run->neighbour + e * run->stride + at);
      rt_vi new = visit(&v, old, (rt_vu)word, (const uint32_t *)&proposal, run->scratch);
      new = (new & these) | (old & ~these);
      *(rt_vi_any *)(state + at) = new;
      changes -= (rt_vi)(new != old);
    }
    for (int l = 0; l < 16; l++) run->changes[r] += (uint64_t)changes[l];
  }
}

/* ---- sweeps */

static void draw_words(rt_potts_run *run, uint64_t chunk, uint32_t site, uint32_t *to)
{
  uint32_t w[4][16] __attribute__((aligned(64)));
  if (run->plan.coding == RT_SPIN_IN_LANES)
    for (size_t group = 0; 16 * group < run->plan.replicas; group++)
      for (size_t v = 0; v < 16; v++) {
        rt_visit_words_lanes(run->key + 16 * group, site, 16 * chunk + v, w);
        for (size_t j = 0; j < 4; j++) *(rt_vu *)(to + 1024 * group + 16 * (16 * j + v)) = *(const rt_vu *)w[j];
      }
  else
    for (size_t r = 0; r < run->plan.replicas; r++) {
      rt_visit_words(run->key[r], site, chunk, w);
      for (size_t j = 0; j < 4; j++) *(rt_vu *)(to + 64 * r + 16 * j) = *(const rt_vu *)w[j];
    }
}

/* Where value i of replica r is, in the state or the best ones. */
static size_t place(const rt_potts_run *run, size_t r, size_t i)
{
  size_t n = run->model->p.graph.n;
  if (run->plan.coding == RT_SPIN_IN_LANES) return (r / 16 * n + i) * 16 + r % 16;
  return r * run->stride + (run->place ? run->place[i] : i);
}

/* Replicas that are looked at together. */
static size_t together(const rt_potts_run *run) { return run->plan.coding == RT_SPIN_IN_LANES ? 16 : 1; }

/* Where all couplings are one unit and there are no fields, an energy is that times a number of equal pairs: counted, for 16 replicas at once where they
 * lie side by side, and multiplied once, so that both codings have the same. */
static int counts_pairs(const rt_potts_run *run)
{
  const rt_spin_model *g = &run->model->graph;
  return g->exact && !g->weight && !run->model->H;
}

static void count_pairs(rt_potts_run *run, size_t r)
{
  const rt_spin_model *g = &run->model->graph;
  size_t n = run->model->p.graph.n;
  const int32_t *s = run->state + (together(run) == 16 ? r * n : r * run->stride);
  const rt_vi *lanes = (const rt_vi *)s;
  rt_vi equal = rt_vi_all(0);
  if (run->place) { /* each pair is met at both ends */
    int64_t twice = 0;
    for (size_t k = 0; k < n; k += 16)
      for (size_t e = 0; e < g->degree; e++) equal -= *(const rt_vi_any *)(s + k) == gather(s, run->neighbour + e * run->stride + k);
    for (int l = 0; l < 16; l++) twice += equal[l];
    equal[0] = (int32_t)(twice / 2);
  } else
    for (size_t i = 0; i < n; i++)
      for (uint32_t e = g->row[i]; e < g->row[i + 1]; e++) {
        size_t j = g->column[e];
        if (j <= i) continue;
        if (together(run) == 16) equal -= lanes[i] == lanes[j];
        else equal[0] += s[i] == s[j];
      }
  double unit = -g->unit * (double)g->sign;
  for (size_t l = 0; l < together(run) && r + l < run->plan.replicas; l++) run->energy[r + l] = unit * (double)equal[l];
}

/* From f64 couplings, in the order of rt_potts_energy for each replica. */
static void add_up(rt_potts_run *run, size_t r)
{
  const rt_potts_problem *p = &run->model->p;
  const rt_spin_model *g = &run->model->graph;
  int given = p->graph.form == RT_SPIN_SPARSE && p->graph.weight && !g->exact;
  size_t lanes = together(run);
  const int32_t *s = run->state + place(run, r, 0);
  double sum[16] = {0};
  for (size_t i = 0; i < p->graph.n; i++) {
    for (uint32_t e = g->row[i]; e < g->row[i + 1]; e++) {
      size_t j = g->column[e];
      if (j < i) continue;
      double w = given ? p->graph.weight[e] : g->weight ? g->unit * (double)((const float *)g->weight)[e] : g->unit * (double)g->sign;
      for (size_t l = 0; l < lanes; l++) sum[l] += s[i * lanes + l] == s[j * lanes + l] ? w : 0.0;
    }
    if (p->H)
      for (size_t l = 0; l < lanes; l++) sum[l] += p->H[i * p->q + (size_t)s[i * lanes + l]];
  }
  for (size_t l = 0; l < lanes && r + l < run->plan.replicas; l++) run->energy[r + l] = -sum[l];
}

/* Of replicas that have changed since. */
static void energies(rt_potts_run *run)
{
  size_t lanes = together(run);
  for (size_t r = 0; r < run->plan.replicas; r += lanes) {
    uint64_t changed = 0;
    for (size_t k = r; k < r + lanes && k < run->plan.replicas; k++) {
      changed |= run->known[k] ^ run->changes[k];
      run->known[k] = run->changes[k];
    }
    if (!changed) continue;
    if (counts_pairs(run)) count_pairs(run, r);
    else add_up(run, r);
  }
}

static void keep_best(rt_potts_run *run)
{
  size_t n = run->model->p.graph.n, lanes = together(run);
  for (size_t r = 0; r < run->plan.replicas; r += lanes) {
    rt_vi better = rt_vi_all(0);
    int any = 0;
    for (size_t l = 0; l < lanes && r + l < run->plan.replicas; l++)
      if (run->energy[r + l] < run->best_energy[r + l]) {
        run->best_energy[r + l] = run->energy[r + l];
        better[l] = -1;
        any = 1;
      }
    if (!any) continue;
    const int32_t *from = run->state + r * (lanes == 1 ? run->stride : n);
    int32_t *to = run->best + r * (lanes == 1 ? run->stride : n);
    if (lanes == 1)
      for (size_t i = 0; i < n; i++) to[i] = from[i];
    else
      for (size_t i = 0; i < n; i++) ((rt_vi *)to)[i] = (((const rt_vi *)from)[i] & better) | (((rt_vi *)to)[i] & ~better);
  }
}

static void look(rt_potts_run *run)
{
  energies(run);
  if (run->best) keep_best(run);
}

static void sweep(rt_potts_run *run, const rt_spin_schedule *q)
{
  const rt_spin_plan *plan = &run->plan;
  size_t m = plan->sites ? plan->site_count : run->model->p.graph.n, replicas = plan->replicas;
  int random = plan->order == RT_SPIN_RANDOM, propose = plan->rule != RT_SPIN_HEAT_BATH;
  size_t visits = m && random && plan->proposals ? plan->proposals : m;
  size_t slots = plan->coding == RT_SPIN_IN_LANES ? (replicas + 15) / 16 * 16 : replicas;
  for (size_t t = 0; t < q->sweeps; t++) {
    for (size_t r = 0; r < slots; r++) {
      double x = q->beta[t * q->by_sweep + (r < replicas ? r : 0) * q->by_replica] * run->model->graph.unit;
      run->factor[r] = x < 1e30 ? (float)x : 1e30f; /* times a difference of 0 it is still 0 */
    }
    float floor = plan->rule == RT_SPIN_FLOORED && q->floor[t] > 0.0 ? (float)-rt_log(q->floor[t]) : __builtin_inff();
    for (size_t first = 0; first < visits;) {
      size_t at = (size_t)(run->visit % 64), count = visits - first < 64 - at ? visits - first : 64 - at;
      if (run->chunk != run->visit / 64) {
        run->chunk = run->visit / 64;
        draw_words(run, run->chunk, RT_SPIN_SITE_ACCEPT, run->word);
        if (propose) draw_words(run, run->chunk, RT_POTTS_SITE_PROPOSE, run->proposal);
        if (random) rt_draw_sites(plan, run->chunk, m, run->site);
      }
      piece p = {random ? run->site + at : plan->sites ? plan->sites + first : NULL, first, first, count, at, floor};
      if (plan->coding == RT_SPIN_IN_LANES) visit_lanes(run, &p);
      else if (run->place) visit_places(run, &p);
      else visit_sites(run, &p);
      first += count;
      run->visit += count;
    }
    run->sweep++;
    int due = run->best && (!q->every || run->sweep % q->every == 0);
    if (due || q->energy || !(q->more || t + 1 < q->sweeps)) look(run);
    if (q->energy)
      for (size_t r = 0; r < replicas; r++) q->energy[t * replicas + r] = run->energy[r];
    if (q->tally) rt_spin_count(run->energy, run->best_energy, run->changes, replicas, &q->tally[t]);
  }
  if (!q->sweeps && !q->more) look(run);
}

static void load(rt_potts_run *run, const uint16_t *s)
{
  size_t n = run->model->p.graph.n, replicas = run->plan.replicas;
  size_t slots = run->plan.coding == RT_SPIN_IN_LANES ? (replicas + 15) / 16 * 16 : replicas;
  for (size_t r = 0; r < slots; r++)
    for (size_t i = 0; i < n; i++)
      run->state[place(run, r, i)] = s ? s[(r < replicas ? r : 0) * n + i]
                                       : (int32_t)((uint64_t)rt_visit_word(run->key[r], RT_POTTS_SITE_START, i) * run->model->p.q >> 32);
  for (size_t r = 0; r < replicas; r++) run->known[r] = run->changes[r] + 1;
  energies(run);
  for (size_t r = 0; r < replicas; r++) run->best_energy[r] = __builtin_inf();
  if (run->best) keep_best(run);
}

static void store(const rt_potts_run *run, size_t replica, int best, uint16_t *s)
{
  size_t n = run->model->p.graph.n;
  for (size_t i = 0; i < n; i++) s[i] = (uint16_t)(best && run->best ? run->best : run->state)[place(run, replica, i)];
}

extern const rt_potts_kernels RT_LV(rt_potts_kernels);
const rt_potts_kernels RT_LV(rt_potts_kernels) = {load, store, sweep};
