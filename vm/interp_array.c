/* interp_array.c: the larger instructions of the interpreter, those whose work outweighs their dispatch: canonical sums of
 * columns, slices, contributions by key, products of lane arrays, draws for many lanes, inverses of index arrays. */
#include "vm/interp_code.h"

#include "stdlib/runtime/rt_pivot.h"
#include "stdlib/runtime/rt_sample.h"

#include <string.h>

/* ---- canonical sums of scalars */

/* The halving tree over the first n accumulators.  Those without a term count as +0.0, which a sum may skip; adding +0.0 at
 * the end gives an all -0.0 sum the sign that starting at +0.0 would have given it. */
static double sum_tree(const double *acc, int64_t n) {
  double t[RT_SUM_LANES];
  if (n > RT_SUM_LANES) n = RT_SUM_LANES;
  for (int64_t l = 0; l < n; l++) t[l] = acc[l];
  for (int64_t h = RT_SUM_LANES / 2; h > 0; h /= 2)
    for (int64_t l = 0; l < h && l + h < n; l++) t[l] += t[l + h];
  return n > 0 ? t[0] + 0.0 : 0.0;
}

void interp_sum_flush(interp_sum *s) {
  if (s->blocks == 0) rt_summer_init(&s->up);
  rt_summer_push_block(&s->up, sum_tree(s->acc, s->count));
  s->blocks++;
  s->count = 0;
}

double interp_sum_value(interp_sum *s) {
  if (s->blocks == 0) return sum_tree(s->acc, s->count);
  if (s->count) interp_sum_flush(s);
  return rt_summer_value(&s->up);
}

/* ---- canonical sums of columns
 *
 * Level 0 takes the terms; a level that holds 4096 hands the row that they sum to to the next when one more arrives. */

int64_t interp_csum_cells(const interp_csum *s) { return INTERP_CSUM_LEVELS + s->levels * s->lanes * s->row; }

static double *csum_level(const interp_csum *s, cell *acc, int level) {
  return &acc[INTERP_CSUM_LEVELS + level * s->lanes * s->row].real;
}

void interp_csum_start(const interp_csum *s, cell *acc) {
  (void)s;
  for (int k = 0; k < INTERP_CSUM_LEVELS; k++) acc[k].integer = 0;
}

/* Leaves the sum of a level in its first row. */
static void csum_fold(const interp_csum *s, const rt_kernels *k, double *rows, int64_t n, int64_t width) {
  if (n > s->lanes) n = s->lanes;
  for (int64_t h = RT_SUM_LANES / 2; h > 0; h /= 2)
    for (int64_t l = 0; l < h && l + h < n; l++)
      k->bin[RT_ADD](rows + l * s->row, rows + l * s->row, 1, rows + (l + h) * s->row, 1, width);
}

static void csum_take(const interp_csum *s, const rt_kernels *k, cell *acc, int level, const double *v, int64_t width) {
  double *rows = csum_level(s, acc, level);
  if (acc[level].integer == RT_SUM_BLOCK) {
    csum_fold(s, k, rows, RT_SUM_BLOCK, width);
    csum_take(s, k, acc, level + 1, rows, width);
    acc[level].integer = 0;
  }
  int64_t n = acc[level].integer++;
  double *row = rows + (n % RT_SUM_LANES) * s->row;
  if (n >= RT_SUM_LANES) k->bin[RT_ADD](row, row, 1, v, 1, width);
  else if (row != v) k->copy(row, v, width);
}

void interp_csum_push(const interp_csum *s, const rt_kernels *k, cell *acc, const cell *v, int64_t vn) {
  csum_take(s, k, acc, 0, &v->real, s->width >= 0 ? s->width : vn);
}

void interp_csum_value(const interp_csum *s, const rt_kernels *k, cell *d, cell *acc, int64_t vn) {
  static const double zero = 0.0;
  int64_t width = s->width >= 0 ? s->width : vn;
  int level = 0;
  for (; level + 1 < s->levels && acc[level + 1].integer > 0; level++) {
    double *rows = csum_level(s, acc, level);
    csum_fold(s, k, rows, acc[level].integer, width);
    csum_take(s, k, acc, level + 1, rows, width);
  }
  double *rows = csum_level(s, acc, level);
  if (acc[level].integer == 0) {
    k->fill(&d->real, 0.0, width);
    return;
  }
  csum_fold(s, k, rows, acc[level].integer, width);
  k->bin[RT_ADD](&d->real, rows, 1, &zero, 0, width);
}

/* ---- slices */

/* Counts through the free axes of a slice in row-major order, keeping the offset in the array. */
typedef struct shape_walk {
  int64_t i[IR_MAX_RANK], at;
} shape_walk;

static void shape_step(const interp_shape *s, shape_walk *w) {
  for (uint32_t k = s->n; k-- > 0;) {
    w->at += s->stride[k];
    if (++w->i[k] < s->size[k]) return;
    w->at -= s->size[k] * s->stride[k];
    w->i[k] = 0;
  }
}

void interp_slice_load(const interp_shape *s, cell *d, const cell *a) {
  shape_walk w = {{0}, 0};
  for (int64_t e = 0; e < s->count; e++, shape_step(s, &w)) d[e] = a[w.at];
}

void interp_slice_store(const interp_shape *s, cell *d, const cell *a) {
  shape_walk w = {{0}, 0};
  for (int64_t e = 0; e < s->count; e++, shape_step(s, &w)) d[w.at] = a[e];
}

static int64_t int_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

void interp_slice_add(const interp_shape *s, cell *d, const cell *a, bool integer) {
  shape_walk w = {{0}, 0};
  for (int64_t e = 0; e < s->count; e++, shape_step(s, &w)) {
    if (integer) d[w.at].integer = int_add(d[w.at].integer, a[e].integer);
    else d[w.at].real += a[e].real;
  }
}

void interp_lane_slice(const interp_place *s, cell *d, const cell *a, const int64_t *at, int at_stride, int64_t vn) {
  shape_walk w = {{0}, 0};
  for (int64_t e = 0; e < s->shape.count; e++, shape_step(&s->shape, &w))
    for (int64_t l = 0; l < vn; l++)
      d[e * s->vrs + l * s->vls] = a[(at[l * at_stride] + w.at) * s->rs + l * s->ls];
}

/* Elements of a slice go to different positions, so that elements may be the outer loop and each position still receives its
 * additions in the order of the lanes. */
void interp_lane_place(const interp_place *s, cell *d, const cell *a, const int64_t *at, int at_stride, int64_t vn) {
  shape_walk w = {{0}, 0};
  for (int64_t e = 0; e < s->shape.count; e++, shape_step(&s->shape, &w)) {
    const cell *v = a + e * s->vrs;
    cell *to = d + w.at * s->rs;
    if (!s->add) for (int64_t l = 0; l < vn; l++) to[at[l * at_stride] * s->rs + l * s->ls] = v[l * s->vls];
    else if (!s->integer) for (int64_t l = 0; l < vn; l++) to[at[l * at_stride] * s->rs + l * s->ls].real += v[l * s->vls].real;
    else for (int64_t l = 0; l < vn; l++) {
      cell *p = &to[at[l * at_stride] * s->rs + l * s->ls];
      p->integer = int_add(p->integer, v[l * s->vls].integer);
    }
  }
}

void interp_keys_add(const interp_keys *s, cell *const *p, cell *d, const cell *v, int64_t vn) {
  for (int64_t l = 0; l < vn; l++)
    for (int64_t q = 0; q < s->count; q++) {
      int64_t at = 0;
      for (uint32_t k = 0; k < s->naxes; k++) at += p[s->key[k].slot][q * s->key[k].es + l * s->key[k].ls].integer * s->key[k].stride;
      shape_walk w = {{0}, 0};
      const cell *from = v + q * s->to.shape.count * s->to.vrs + l * s->to.vls;
      for (int64_t e = 0; e < s->to.shape.count; e++, shape_step(&s->to.shape, &w)) {
        cell *to = &d[(at + w.at) * s->to.rs + l * s->to.ls];
        if (s->integer) to->integer = int_add(to->integer, from[e * s->to.vrs].integer);
        else to->real += from[e * s->to.vrs].real;
      }
    }
}

/* ---- products of lane arrays: for each element of the product, columns */

static const double *lane_a(const interp_vmat *m, const cell *a, int64_t i, int64_t t) { return &a[(i * m->as + t * m->at) * m->ars].real; }
static const double *lane_b(const interp_vmat *m, const cell *b, int64_t t, int64_t j) { return &b[(t * m->bs + j * m->bt) * m->brs].real; }

static void canonical_lanes(const interp_vmat *m, const rt_kernels *k, cell *scratch, cell *d, const cell *a, const cell *b, int64_t i, int64_t j,
                            int64_t vn) {
  interp_csum sum = {.width = INTERP_CSUM_LANES, .row = m->drs, .levels = INTERP_CSUM_LEVELS, .lanes = RT_SUM_LANES};
  if (m->k <= RT_SUM_BLOCK) sum.levels = 1;
  cell *acc = scratch + m->drs;
  interp_csum_start(&sum, acc);
  for (int64_t t = 0; t < m->k; t++) {
    k->bin[RT_MUL](&scratch->real, lane_a(m, a, i, t), m->als != 0, lane_b(m, b, t, j), m->bls != 0, vn);
    interp_csum_push(&sum, k, acc, scratch, vn);
  }
  interp_csum_value(&sum, k, d, acc, vn);
}

static void chains_lanes(const interp_vmat *m, const rt_kernels *k, cell *scratch, cell *d, const cell *a, const cell *b, int64_t i, int64_t j,
                         int64_t vn) {
  k->fill(&d->real, 0.0, vn);
  for (int64_t first = 0; first < m->k; first += RT_CHAIN_TERMS) {
    int64_t end = m->k - first < RT_CHAIN_TERMS ? m->k : first + RT_CHAIN_TERMS;
    double *chain = first ? &scratch->real : &d->real;
    if (first) k->fill(chain, 0.0, vn);
    for (int64_t t = first; t < end; t++) k->fma(chain, lane_a(m, a, i, t), m->als != 0, lane_b(m, b, t, j), m->bls != 0, chain, 1, vn);
    if (first) k->bin[RT_ADD](&d->real, &d->real, 1, chain, 1, vn);
  }
}

void interp_matmul_lanes(const interp_vmat *m, const rt_kernels *k, cell *const *p, cell *d, const cell *a, const cell *b, int64_t vn) {
  for (int64_t i = 0; i < m->m; i++)
    for (int64_t j = 0; j < m->n; j++) {
      cell *e = d + (i * m->n + j) * m->drs;
      if (m->kind == INTERP_OUTER) k->bin[RT_MUL](&e->real, lane_a(m, a, i, 0), m->als != 0, lane_b(m, b, 0, j), m->bls != 0, vn);
      else if (m->kind == INTERP_CHAINS) chains_lanes(m, k, p[m->scratch], e, a, b, i, j, vn);
      else canonical_lanes(m, k, p[m->scratch], e, a, b, i, j, vn);
    }
}

/* ---- draws */

cell interp_draw_one(int code, int64_t site, int64_t key, int64_t index, const cell *param) {
  rt_draw_addr at = {(uint64_t)key, (uint32_t)site, (uint64_t)index};
  cell r = {0};
  switch (code) {
    case IR_UNIFORM_OP: r.real = rt_draw_uniform(at); break;
    case IR_NORMAL_OP: r.real = rt_draw_normal(at); break;
    case IR_EXPONENTIAL_OP: r.real = rt_draw_exponential(at); break;
    case IR_GAMMA_OP: r.real = rt_draw_gamma(at, param[0].real); break;
    case IR_LOG_GAMMA_OP: r.real = rt_draw_log_gamma(at, param[0].real); break;
    case IR_POISSON_OP: r.integer = rt_draw_poisson(at, param[0].real); break;
    case IR_BINOMIAL_OP: r.integer = rt_draw_binomial(at, param[0].integer, param[1].real); break;
    default: break;
  }
  return r;
}

void interp_draw_lanes(const interp_draw *s, rt_draws_fn *draws, cell *const *p, cell *d, const int64_t *key, int ks, const int64_t *index, int is, int64_t vn) {
  if (s->code == IR_UNIFORM_OP || s->code == IR_NORMAL_OP || s->code == IR_EXPONENTIAL_OP) {
    const rt_draw_kind kind = s->code == IR_UNIFORM_OP ? RT_DRAW_UNIFORM : s->code == IR_NORMAL_OP ? RT_DRAW_NORMAL : RT_DRAW_EXPONENTIAL;
    draws(&d->real, kind, (uint32_t)s->site, key, ks, index, is, vn);
    return;
  }
  for (int64_t l = 0; l < vn; l++) {
    int64_t k = key[l * ks], i = index[l * is];
    if (s->code == IR_CATEGORICAL_OP) {
      cell *w = p[s->scratch];
      for (int64_t e = 0; e < s->n; e++) w[e] = p[s->param[0]][e * s->rs + l * s->ls];
      d[l].integer = rt_draw_categorical((rt_draw_addr){(uint64_t)k, (uint32_t)s->site, (uint64_t)i}, &w->real, s->n);
      continue;
    }
    cell param[2] = {{0}, {0}};
    for (int q = 0; q < 2; q++) if (s->param[q]) param[q] = p[s->param[q]][l * s->ps[q]];
    d[l] = interp_draw_one(s->code, s->site, k, i, param);
  }
}

/* ---- inverse of an index array: counting sort; an index outside 0 .. buckets - 1 is in no bucket */

void interp_inverse(cell *ptr, cell *list, const cell *k, int64_t n, int64_t buckets) {
  for (int64_t b = 0; b <= buckets; b++) ptr[b].integer = 0;
  for (int64_t e = 0; e < n; e++)
    if (k[e].integer >= 0 && k[e].integer < buckets) ptr[k[e].integer + 1].integer++;
  for (int64_t b = 0; b < buckets; b++) ptr[b + 1].integer += ptr[b].integer;
  if (!list) return;
  for (int64_t e = 0; e < n; e++) list[e].integer = 0;
  for (int64_t e = 0; e < n; e++)
    if (k[e].integer >= 0 && k[e].integer < buckets) list[ptr[k[e].integer].integer++].integer = e;
}

/* ---- watching */

int64_t interp_memo_find(const interp_memo *s, memo_table *t, cell *const *p, cell *value) {
  enum { PARTS = 64 };
  memo_part part[PARTS];
  for (uint32_t k = 0; k < s->nparts; k++) part[k] = (memo_part){p[s->part[k].slot], s->part[k].n};
  return memo_find(t, s->nparts, part, value);
}

int64_t interp_watch_row(const interp_watch *w, cell *const *p, double *share) {
  ptrdiff_t n = 0;
  while (n * n < w->v[0].n) n++;
  *share = 0;
  return (int64_t)rt_pivot(&p[w->v[w->nres].slot]->real, n, &p[w->v[0].slot]->real, share);
}

bool interp_watch_nan(const interp_watch *w, const cell *c, cell *const *p) {
  bool found[2] = {false, false}; /* in results, in operands */
  for (uint32_t k = 0; k < w->nres + w->nargs; k++) {
    const cell *v = w->v[k].array ? p[w->v[k].slot] : &c[w->v[k].slot];
    bool *f = &found[k >= w->nres];
    for (int64_t e = 0; e < w->v[k].n && !*f; e++) *f = v[e].real != v[e].real;
    if (k + 1 == w->nres && !found[0]) return false;
  }
  return found[0] && !found[1];
}
