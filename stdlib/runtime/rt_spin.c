/* rt_spin.c: spins outside the inner loops: packing a problem, exact energies, sizes, and the choice of a coding. */
#include "stdlib/runtime/rt_spin.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_philox.h"

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* ---- the couplings of a problem, whatever its form */

/* Columns of a dense row that can be other than zero, as [from, to). */
static void window(const rt_spin_problem *p, size_t i, size_t *from, size_t *to)
{
  *from = p->split && i < p->split ? p->split : 0;
  *to = p->split && i >= p->split ? p->split : p->n;
}

static size_t systems_of(const rt_spin_problem *p) { return p->form == RT_SPIN_DENSE && p->systems > 1 ? p->systems : 1; }

/* The bond of a lattice site to a side: 0 up, 1 left, 2 right, 3 down.  -1, 0 (none) or 1; the site there. */
static int lattice_bond(const rt_spin_problem *p, size_t site, int side, size_t *other)
{
  size_t w = p->width, x = site % w, y = site / w;
  int vertical = side == 0 || side == 3, back = side < 2;
  size_t at = vertical ? y : x, extent = vertical ? p->height : w;
  int edge = back ? at == 0 : at + 1 == extent;
  if (edge && !(vertical ? p->wrap_y : p->wrap_x)) return 0;
  size_t next = back ? (at ? at : extent) - 1 : at + 1 == extent ? 0 : at + 1;
  *other = vertical ? next * w + x : y * w + next;
  const int8_t *bonds = vertical ? p->down : p->right;
  return *other == site ? 0 : bonds ? bonds[back ? *other : site] : 1;
}

int rt_spin_lattice_neighbours(const rt_spin_problem *p, size_t site, uint32_t to[4], double weight[4])
{
  int count = 0;
  for (int side = 0; side < 4; side++) {
    size_t other;
    int bond = lattice_bond(p, site, side, &other);
    if (!bond) continue;
    to[count] = (uint32_t)other;
    weight[count++] = bond * p->coupling;
  }
  return count;
}

/* Calls `see` on every coupling from a lower to a higher site and back, and every field. */
typedef struct scan {
  double least;  /* smallest magnitude that is not 0 */
  double unit;   /* second round */
  double most;   /* largest magnitude, in units */
  double row;    /* largest sum of magnitudes at a site, in units */
  int whole, finite;
  double sum;
} scan;

static void see(scan *c, double x)
{
  double a = rt_abs(x);
  if (!(a <= 1e300)) c->finite = 0;
  if (c->unit == 0.0) {
    if (a > 0.0 && a < c->least) c->least = a;
    return;
  }
  double q = rt_round(a / c->unit);
  if (q * c->unit != a) c->whole = 0;
  if (q > c->most) c->most = q;
  c->sum += q;
}

static void scan_site(scan *c, const rt_spin_problem *p, size_t system, size_t i)
{
  c->sum = 0.0;
  if (p->form == RT_SPIN_DENSE) {
    const double *J = p->J + (system * p->n + i) * p->n;
    size_t from, to;
    window(p, i, &from, &to);
    for (size_t j = from; j < to; j++)
      if (j != i) see(c, J[j]);
  } else if (p->form == RT_SPIN_SPARSE) {
    for (size_t e = p->row[i]; e < p->row[i + 1]; e++) see(c, p->weight ? p->weight[e] : p->coupling);
  } else {
    uint32_t to[4];
    double weight[4];
    int count = rt_spin_lattice_neighbours(p, i, to, weight);
    for (int k = 0; k < count; k++) see(c, weight[k]);
  }
  if (p->h) see(c, p->h[system * p->n + i]);
  if (c->sum > c->row) c->row = c->sum;
}

static void scan_all(scan *c, const rt_spin_problem *p)
{
  for (size_t system = 0; system < systems_of(p); system++)
    for (size_t i = 0; i < p->n; i++) scan_site(c, p, system, i);
}

static int well_formed(const rt_spin_problem *p)
{
  if (p->n < 1 || p->n >= (size_t)1 << 31) return 0;
  if (p->form == RT_SPIN_LATTICE) return p->width && p->height && p->n / p->width == p->height && p->n % p->width == 0;
  if (p->form == RT_SPIN_DENSE) return p->split < p->n && p->n <= 1 << 20;
  for (size_t i = 0; i < p->n; i++) {
    if (p->row[i] > p->row[i + 1]) return 0;
    for (size_t e = p->row[i]; e < p->row[i + 1]; e++)
      if (p->column[e] >= p->n || p->column[e] == i || (e > p->row[i] && p->column[e] <= p->column[e - 1])) return 0;
  }
  return 1;
}

static size_t degree_of(const rt_spin_problem *p, size_t i)
{
  uint32_t to[4];
  double weight[4];
  return p->form == RT_SPIN_LATTICE ? (size_t)rt_spin_lattice_neighbours(p, i, to, weight) : p->row[i + 1] - p->row[i];
}

/* Bytes of the parts of memory, each aligned. */
static size_t part(size_t *bytes, size_t count, size_t size)
{
  size_t at = *bytes;
  *bytes += round_up(count * size, RT_SPIN_ALIGN);
  return at;
}

static size_t element_size(rt_spin_element e)
{
  return e == RT_SPIN_EL_F64 ? 8 : e == RT_SPIN_EL_F32 ? 4 : e == RT_SPIN_EL_I16 ? 2 : 1;
}

/* Narrow elements pay where rows come from beyond the nearest caches. */
enum { NARROW_FROM = 257 };
/* From so many neighbours of a site on, in the mean, its edges go eight at a time. */
enum { STEPS_OF_EIGHT = 12 };
/* The largest count of bit slices. */
enum { SLICE_MOST = (1 << (RT_SPIN_SLICES - 1)) - 1 };

/* ---- bonds as bit slices: call after rows and weights are known */

/* Bonds of site i, then its field to the ghost; calls for weights in units. */
typedef struct bonds {
  size_t count;
  uint32_t to[SLICE_MOST + 1];
  int weight[SLICE_MOST + 1];
} bonds;

static void bonds_of(const rt_spin_model *m, size_t i, bonds *b)
{
  const rt_spin_problem *p = &m->p;
  uint32_t to[4];
  double w[4];
  size_t degree = p->form == RT_SPIN_LATTICE ? (size_t)rt_spin_lattice_neighbours(p, i, to, w) : p->row[i + 1] - p->row[i];
  b->count = 0;
  for (size_t k = 0; k < degree; k++) {
    size_t e = p->form == RT_SPIN_LATTICE ? 0 : p->row[i] + k;
    double x = p->form == RT_SPIN_LATTICE ? w[k] : p->weight ? p->weight[e] : p->coupling;
    int units = (int)rt_round(x / m->unit);
    if (!units) continue;
    b->to[b->count] = p->form == RT_SPIN_LATTICE ? to[k] : p->column[e];
    b->weight[b->count++] = units;
  }
  if (p->h && p->h[i] != 0.0) {
    b->to[b->count] = (uint32_t)p->n;
    b->weight[b->count++] = (int)rt_round(p->h[i] / m->unit);
  }
}

static size_t slice_entries(const rt_spin_model *m)
{
  size_t count = 0;
  bonds b;
  for (size_t i = 0; i < m->p.n; i++) {
    bonds_of(m, i, &b);
    for (size_t q = 0; q < b.count; q++)
      for (int k = 0; k < RT_SPIN_SLICES; k++) count += (size_t)((b.weight[q] < 0 ? -b.weight[q] : b.weight[q]) >> k & 1);
  }
  return count + 1;
}

static void pack_slices(rt_spin_model *m, uint32_t *row, uint16_t *weight, uint32_t *entry)
{
  uint32_t e = 0;
  bonds b;
  int plus = 1, minus = 1;
  m->slice_total = 0.0;
  m->slice_most = 0;
  for (size_t i = 0; i < m->p.n; i++) {
    bonds_of(m, i, &b);
    int sum = 0;
    for (size_t q = 0; q < b.count; q++) {
      int size = b.weight[q] < 0 ? -b.weight[q] : b.weight[q];
      sum += size;
      plus = plus && b.weight[q] > 0;
      minus = minus && b.weight[q] < 0;
      m->slice_total += b.to[q] == m->p.n ? size : 0.5 * size;
    }
    weight[i] = (uint16_t)sum;
    if (sum > m->slice_most) m->slice_most = sum;
    for (int k = 0; k < RT_SPIN_SLICES; k++) {
      row[i * RT_SPIN_SLICES + (size_t)k] = e;
      for (size_t q = 0; q < b.count; q++) {
        int size = b.weight[q] < 0 ? -b.weight[q] : b.weight[q];
        if (size >> k & 1) entry[e++] = b.to[q] << 6 | (b.weight[q] < 0);
      }
    }
  }
  m->slice_sign = plus ? 1 : minus ? -1 : 0;
  m->slice_row = row;
  m->slice_weight = weight;
  m->slice = entry;
}

/* Bonds of a plane's spins, a bit each, in the order of rt_isa_spin_plane.c: up, down, same word, moved word. */
static void pack_plane(const rt_spin_model *m, uint64_t *negative, uint64_t *missing)
{
  const rt_spin_problem *p = &m->p;
  for (size_t k = 0; k < p->n / 16; k++) {
    if (negative) negative[k] = 0;
    if (missing) missing[k] = 0;
  }
  for (size_t site = 0; site < p->n; site++) {
    rt_spin_place at = rt_spin_place_of(p, site);
    int odd = (int)(site / p->width + (site % p->width + site / p->width) % 2) % 2; /* (y + colour) mod 2 */
    const int side[4] = {0, 3, odd ? 1 : 2, odd ? 2 : 1};
    for (size_t k = 0; k < 4; k++) {
      size_t other, word = (4 * at.vector + k) * 8 + (size_t)at.lane;
      int bond = lattice_bond(p, site, side[k], &other);
      if (negative && bond && (bond < 0) != (p->coupling < 0.0)) negative[word] |= (uint64_t)1 << at.bit;
      if (missing && !bond) missing[word] |= (uint64_t)1 << at.bit;
    }
  }
}

/* MIXED: the unit that couplings and fields of a dense problem are rounded to, or 0 where it would tell.  c: a scan with a unit. */
static double unit_to_round(const rt_spin_problem *p, const scan *c)
{
  enum { MOST = 32767 };
  double unit = c->unit * c->row / (0x1p23 - (double)p->n), most = 0.0;
  for (size_t i = 0; i < p->n; i++) {
    size_t from, to;
    window(p, i, &from, &to);
    for (size_t j = from; j < to; j++)
      if (j != i && rt_abs(p->J[i * p->n + j]) > most) most = rt_abs(p->J[i * p->n + j]);
  }
  if (most / MOST > unit) unit = most / MOST;
  for (size_t i = 0; i < p->n; i++) {
    const double *J = p->J + i * p->n;
    size_t from, to;
    double moved = 0.0, norm = 0.0;
    window(p, i, &from, &to);
    for (size_t j = from; j <= to; j++) { /* the last: the field */
      if (j < to ? j == i : !p->h) continue;
      double x = j < to ? J[j] : p->h[i], d = rt_round(x / unit) * unit - x;
      moved += d * d;
      norm += x * x;
    }
    if (!(moved <= 0x1p-26 * norm)) return 0.0;
  }
  return unit;
}

size_t rt_spin_model_size(rt_spin_model *m, const rt_spin_problem *p, rt_spin_precision precision)
{
  *m = (rt_spin_model){.p = *p, .precision = precision};
  if (!well_formed(p)) return 0;
  scan c = {.least = 1e301, .finite = 1, .whole = 1};
  scan_all(&c, p);
  if (!c.finite) return 0;
  c.unit = c.least < 1e301 ? c.least : 1.0;
  scan_all(&c, p);
  m->exact = c.whole && c.row < 0x1p23;
  m->unit = m->exact ? c.unit : 1.0;
  m->ld = round_up(p->n, 16);
  size_t edges = 0, filled = 0;
  if (p->form == RT_SPIN_DENSE) {
    m->element = m->exact || precision != RT_SPIN_F64 ? RT_SPIN_EL_F32 : RT_SPIN_EL_F64;
    if (m->exact && p->n >= NARROW_FROM && systems_of(p) == 1 && c.most <= 32767)
      m->element = c.most <= 127 ? RT_SPIN_EL_I8 : RT_SPIN_EL_I16;
    double unit = !m->exact && precision == RT_SPIN_MIXED && p->n >= NARROW_FROM && systems_of(p) == 1 ? unit_to_round(p, &c) : 0.0;
    if (unit > 0.0) m->element = RT_SPIN_EL_I16, m->unit = unit, m->rounded = 1;
    m->degree = p->n - 1;
    part(&m->bytes, systems_of(p) * p->n * m->ld, element_size(m->element));
    if (systems_of(p) > 1) part(&m->bytes, round_up(systems_of(p), RT_SPIN_LANES) * p->n * p->n, element_size(m->element));
    return m->bytes;
  }
  for (size_t i = 0; i < p->n; i++) {
    size_t d = degree_of(p, i);
    edges += d;
    if (d > m->degree) m->degree = d;
  }
  m->step = edges >= STEPS_OF_EIGHT * p->n ? 8 : 4;
  for (size_t i = 0; i < p->n; i++) filled += round_up(degree_of(p, i), m->step);
  if (filled >= UINT32_MAX) return 0;
  m->element = m->exact || precision != RT_SPIN_F64 ? RT_SPIN_EL_F32 : RT_SPIN_EL_F64;
  part(&m->bytes, p->n + 1, sizeof(uint32_t));
  part(&m->bytes, edges + 1, sizeof(uint32_t));
  part(&m->bytes, edges + 1, element_size(m->element));
  part(&m->bytes, p->n, 1);
  if (m->element == RT_SPIN_EL_F32) {
    m->ld += 16;
    part(&m->bytes, p->n + 1, sizeof(uint32_t));
    part(&m->bytes, filled, sizeof(uint32_t));
    part(&m->bytes, filled, sizeof(float));
  }
  if (m->exact && c.row <= SLICE_MOST && p->n < (size_t)1 << 25) {
    m->slices = c.most > 1 ? RT_SPIN_SLICES - 1 : 1;
    part(&m->bytes, p->n * RT_SPIN_SLICES, sizeof(uint32_t));
    part(&m->bytes, p->n, sizeof(uint16_t));
    part(&m->bytes, slice_entries(m), sizeof(uint32_t));
  }
  m->fits_plane = p->form == RT_SPIN_LATTICE && !p->h && p->width % 128 == 0 && p->height % 16 == 0 && p->coupling != 0.0;
  if (m->fits_plane) {
    if (p->right || p->down) part(&m->bytes, p->n / 128, 64), m->fits_plane |= 2;
    if (edges < 4 * p->n) part(&m->bytes, p->n / 128, 64), m->fits_plane |= 4;
  }
  return m->bytes;
}

static void put(void *to, rt_spin_element e, size_t at, double x)
{
  if (e == RT_SPIN_EL_F64) ((double *)to)[at] = x;
  else if (e == RT_SPIN_EL_F32) ((float *)to)[at] = (float)x;
  else if (e == RT_SPIN_EL_I16) ((int16_t *)to)[at] = (int16_t)rt_round(x);
  else ((int8_t *)to)[at] = (int8_t)rt_round(x);
}

static void pack_dense(rt_spin_model *m, unsigned char *memory)
{
  const rt_spin_problem *p = &m->p;
  size_t bytes = 0, n = p->n, systems = systems_of(p);
  void *J = memory + part(&bytes, systems * n * m->ld, element_size(m->element));
  m->J = J;
  for (size_t q = 0; q < systems; q++)
    for (size_t i = 0; i < n; i++) {
      size_t from, to, at = (q * n + i) * m->ld;
      window(p, i, &from, &to);
      for (size_t j = 0; j < m->ld; j++) {
        double x = j < from || j >= to || j == i ? 0.0 : p->J[(q * n + i) * n + j] / m->unit;
        put(J, m->element, at + j, m->exact ? rt_round(x) : x);
      }
    }
  if (systems == 1) return;
  void *lanes = memory + part(&bytes, round_up(systems, RT_SPIN_LANES) * n * n, element_size(m->element));
  m->J_lanes = lanes;
  for (size_t q = 0; q < round_up(systems, RT_SPIN_LANES); q++)
    for (size_t ij = 0; ij < n * n; ij++) {
      size_t from = q * n * m->ld + ij / n * m->ld + ij % n;
      double x = q >= systems ? 0.0 : m->element == RT_SPIN_EL_F64 ? ((const double *)J)[from] : (double)((const float *)J)[from];
      put(lanes, m->element, (q / RT_SPIN_LANES * n * n + ij) * RT_SPIN_LANES + q % RT_SPIN_LANES, x);
    }
}

/* Rows for flips, after those that the caller's are packed into. */
static void pack_edges(rt_spin_model *m, uint32_t *row, uint32_t *column, float *weight)
{
  size_t at = 0, behind = round_up(m->p.n, 16);
  for (size_t i = 0; i < m->p.n; i++) {
    row[i] = (uint32_t)at;
    for (uint32_t e = m->row[i]; e < m->row[i + 1]; e++, at++) {
      column[at] = m->column[e];
      weight[at] = m->weight ? ((const float *)m->weight)[e] : m->sign;
    }
    for (; at % m->step; at++) {
      column[at] = (uint32_t)(behind + at % m->step);
      weight[at] = 0.0f;
    }
  }
  row[m->p.n] = (uint32_t)at;
  m->edge_row = row;
  m->edge_column = column;
  m->edge_weight = m->weight ? weight : NULL;
}

static void pack_sparse(rt_spin_model *m, unsigned char *memory)
{
  const rt_spin_problem *p = &m->p;
  size_t bytes = 0, edges = 0, n = p->n;
  for (size_t i = 0; i < n; i++) edges += degree_of(p, i);
  uint32_t *row = (uint32_t *)(memory + part(&bytes, n + 1, sizeof *row));
  uint32_t *column = (uint32_t *)(memory + part(&bytes, edges + 1, sizeof *column));
  void *weight = memory + part(&bytes, edges + 1, element_size(m->element));
  uint8_t *clash = memory + part(&bytes, n, 1);
  size_t e = 0;
  int plus = 1, minus = 1;
  for (size_t i = 0; i < n; i++) {
    uint32_t to[4];
    double w[4];
    size_t degree = p->form == RT_SPIN_LATTICE ? (size_t)rt_spin_lattice_neighbours(p, i, to, w) : degree_of(p, i);
    row[i] = (uint32_t)e;
    clash[i] = 0;
    for (size_t k = 0; k < degree; k++, e++) {
      size_t from = p->form == RT_SPIN_LATTICE ? 0 : p->row[i] + k;
      column[e] = p->form == RT_SPIN_LATTICE ? to[k] : p->column[from];
      double x = (p->form == RT_SPIN_LATTICE ? w[k] : p->weight ? p->weight[from] : p->coupling) / m->unit;
      if (m->exact) x = rt_round(x);
      put(weight, m->element, e, x);
      plus = plus && x == 1.0;
      minus = minus && x == -1.0;
      if (column[e] > i && column[e] / 16 == i / 16) clash[i] = 1;
    }
  }
  row[n] = (uint32_t)e;
  m->row = row;
  m->column = column;
  m->weight = m->exact && (plus || minus) ? NULL : weight;
  m->sign = minus ? -1.0f : 1.0f;
  m->clash = clash;
  if (m->element == RT_SPIN_EL_F32) {
    size_t filled = 0;
    for (size_t i = 0; i < n; i++) filled += round_up(row[i + 1] - row[i], m->step);
    uint32_t *edge_row = (uint32_t *)(memory + part(&bytes, n + 1, sizeof *edge_row));
    uint32_t *edge_column = (uint32_t *)(memory + part(&bytes, filled, sizeof *edge_column));
    pack_edges(m, edge_row, edge_column, (float *)(memory + part(&bytes, filled, sizeof(float))));
  }
  if (m->slices) {
    uint32_t *rows = (uint32_t *)(memory + part(&bytes, n * RT_SPIN_SLICES, sizeof *rows));
    uint16_t *weights = (uint16_t *)(memory + part(&bytes, n, sizeof *weights));
    pack_slices(m, rows, weights, (uint32_t *)(memory + part(&bytes, 0, 1)));
    bytes += round_up((size_t)rows[n * RT_SPIN_SLICES - 1] * sizeof(uint32_t) + sizeof(uint32_t), RT_SPIN_ALIGN);
  }
  if (m->fits_plane) {
    uint64_t *negative = m->fits_plane & 2 ? (uint64_t *)(memory + part(&bytes, n / 128, 64)) : NULL;
    uint64_t *missing = m->fits_plane & 4 ? (uint64_t *)(memory + part(&bytes, n / 128, 64)) : NULL;
    pack_plane(m, negative, missing);
    m->plane_negative = negative;
    m->plane_missing = missing;
    m->fits_plane = 1;
  }
}

void rt_spin_model_make(rt_spin_model *m, void *memory)
{
  if (m->p.form == RT_SPIN_DENSE) pack_dense(m, memory);
  else pack_sparse(m, memory);
}

/* ---- energies and probabilities */

double rt_spin_energy(const rt_spin_problem *p, size_t system, const int8_t *s)
{
  double e = 0.0;
  for (size_t i = 0; i < p->n; i++) {
    double f = 0.0;
    if (p->form == RT_SPIN_DENSE) {
      const double *J = p->J + (system * p->n + i) * p->n;
      size_t from, to;
      window(p, i, &from, &to);
      for (size_t j = from > i ? from : i + 1; j < to; j++) f += s[j] > 0 ? J[j] : -J[j];
    } else if (p->form == RT_SPIN_SPARSE) {
      for (size_t k = p->row[i]; k < p->row[i + 1]; k++)
        if (p->column[k] > i) f += s[p->column[k]] * (p->weight ? p->weight[k] : p->coupling);
    } else {
      uint32_t to[4];
      double weight[4];
      int count = rt_spin_lattice_neighbours(p, i, to, weight);
      for (int k = 0; k < count; k++)
        if (to[k] > i) f += s[to[k]] * weight[k];
    }
    if (p->h) f += p->h[system * p->n + i];
    e -= s[i] * f;
  }
  return e;
}

double rt_spin_acceptance(rt_spin_rule rule, double x, double floor)
{
  if (rule == RT_SPIN_HEAT_BATH) return rt_inv_logit(-x);
  double a = x <= 0.0 ? 1.0 : rt_exp(-x);
  return rule == RT_SPIN_FLOORED && a < floor ? floor : a;
}

/* ---- plans and runs */

int rt_spin_can(const rt_spin_model *m, const rt_spin_plan *plan, rt_spin_coding coding)
{
  if (plan->replicas < 1 || plan->rule >= RT_SPIN_RULES || (plan->sites && plan->site_count > m->p.n)) return 0;
  switch (coding) {
  case RT_SPIN_SCALAR: return 1;
  case RT_SPIN_IN_LANES:
    return m->p.form == RT_SPIN_DENSE && (m->element == RT_SPIN_EL_F32 || m->element == RT_SPIN_EL_F64) &&
           (systems_of(&m->p) == 1 || (plan->first_replica == 0 && plan->replicas <= systems_of(&m->p)) ||
            (plan->first_replica % RT_SPIN_LANES == 0 && systems_of(&m->p) % RT_SPIN_LANES == 0));
  case RT_SPIN_IN_BITS: return m->slices > 0;
  case RT_SPIN_IN_WORDS: return plan->groups && plan->order != RT_SPIN_RANDOM;
  case RT_SPIN_PLANE: return m->fits_plane && plan->order == RT_SPIN_COLOURED && (!plan->sites || plan->site_count == m->p.n);
  default: return 0;
  }
}

/* A block of 64 in words takes as long as a few replicas by themselves, and up to WORDS_MOST less than one of 512 in bits.  Below LANES_REPLICAS too many lanes would stand idle, from LANES_SPINS on fields of 16 replicas leave the first cache. */
enum { LANES_REPLICAS = 6, LANES_SPINS = 128, BITS_REPLICAS = 32, WORDS_LEAST = 6, WORDS_MOST = 384 };

rt_spin_coding rt_spin_choose(const rt_spin_model *m, const rt_spin_plan *plan, int uniform_beta)
{
  if (uniform_beta && rt_spin_can(m, plan, RT_SPIN_PLANE)) return RT_SPIN_PLANE;
  if (uniform_beta && plan->replicas >= WORDS_LEAST && plan->replicas <= WORDS_MOST && rt_spin_can(m, plan, RT_SPIN_IN_WORDS)) return RT_SPIN_IN_WORDS;
  if (uniform_beta && plan->replicas >= BITS_REPLICAS && rt_spin_can(m, plan, RT_SPIN_IN_BITS)) return RT_SPIN_IN_BITS;
  if (plan->replicas >= LANES_REPLICAS && m->p.n <= LANES_SPINS && rt_spin_can(m, plan, RT_SPIN_IN_LANES)) return RT_SPIN_IN_LANES;
  return RT_SPIN_SCALAR;
}

/* Offsets of a run's parts. */
typedef struct layout {
  size_t energy, best_energy, flips, fresh, known, key, factor, variate, flipped, state, best, bytes;
} layout;

static size_t slots_of(const rt_spin_plan *plan)
{
  return plan->coding == RT_SPIN_IN_LANES ? round_up(plan->replicas, RT_SPIN_LANES) : plan->replicas;
}

static layout lay_out(const rt_spin_model *m, const rt_spin_plan *plan)
{
  layout l = {0};
  size_t r = plan->replicas, slots = slots_of(plan);
  if (rt_spin_as_bits(plan->coding)) {
    size_t words = round_up(r, 64) / 64, vectors = plan->coding == RT_SPIN_PLANE ? r * (m->p.n / 512)
                   : plan->coding == RT_SPIN_IN_WORDS ? round_up(2 * words * (m->p.n + 2), 8) / 8 : round_up(r, RT_SPIN_BLOCK) / RT_SPIN_BLOCK * (m->p.n + 1);
    l.energy = part(&l.bytes, r, sizeof(double));
    l.best_energy = part(&l.bytes, r, sizeof(double));
    l.flips = part(&l.bytes, r, sizeof(uint64_t));
    l.fresh = part(&l.bytes, r, sizeof(uint64_t));
    l.known = part(&l.bytes, r, sizeof(uint64_t));
    l.key = part(&l.bytes, r, sizeof(uint64_t));
    l.factor = part(&l.bytes, r, sizeof(float));
    l.state = part(&l.bytes, vectors, 64);
    l.best = part(&l.bytes, plan->keep_best ? vectors : 0, 64);
    return l;
  }
  l.energy = part(&l.bytes, slots, sizeof(double));
  l.best_energy = part(&l.bytes, slots, sizeof(double));
  l.flips = part(&l.bytes, slots, sizeof(uint64_t));
  l.fresh = part(&l.bytes, slots, sizeof(uint64_t));
  l.known = part(&l.bytes, slots, sizeof(uint64_t));
  l.key = part(&l.bytes, slots, sizeof(uint64_t));
  l.factor = part(&l.bytes, slots, sizeof(float));
  int lanes = plan->coding == RT_SPIN_IN_LANES;
  l.variate = part(&l.bytes, slots * (size_t)(lanes ? RT_SPIN_PIECE : RT_SPIN_VARIATES), sizeof(float));
  l.flipped = part(&l.bytes, lanes ? 0 : slots, sizeof(rt_spin_flipped));
  size_t number = m->element == RT_SPIN_EL_F64 ? sizeof(double) : sizeof(float);
  l.state = part(&l.bytes, 2 * m->ld * slots, number);
  l.best = part(&l.bytes, plan->keep_best ? m->ld * slots : 0, number);
  return l;
}

size_t rt_spin_run_size(const rt_spin_model *m, const rt_spin_plan *plan)
{
  return rt_spin_can(m, plan, plan->coding) ? lay_out(m, plan).bytes : 0;
}

void rt_spin_run_init(rt_spin_run *run, const rt_spin_model *m, const rt_spin_plan *plan, void *memory)
{
  layout l = lay_out(m, plan);
  unsigned char *at = memory;
  *run = (rt_spin_run){.model = m,
                       .plan = *plan,
                       .energy = (double *)(at + l.energy),
                       .best_energy = (double *)(at + l.best_energy),
                       .flips = (uint64_t *)(at + l.flips),
                       .fresh = (uint64_t *)(at + l.fresh),
                       .known = (uint64_t *)(at + l.known),
                       .key = (uint64_t *)(at + l.key),
                       .factor = (float *)(at + l.factor),
                       .variate = (float *)(at + l.variate),
                       .flipped = (rt_spin_flipped *)(at + l.flipped),
                       .state = at + l.state,
                       .best = plan->keep_best ? at + l.best : NULL,
                       .chunk = UINT64_MAX};
  for (size_t r = 0; r < slots_of(plan); r++) {
    run->energy[r] = run->best_energy[r] = 0.0;
    run->flips[r] = run->fresh[r] = run->known[r] = 0;
    run->factor[r] = 0.0f;
    run->key[r] = rt_key_fold(plan->key, plan->first_replica + r);
  }
}

const rt_spin_kernels *rt_spin_kernels_for(int level)
{
#if defined(__x86_64__)
  int found = rt_kernels_for(level)->level;
  return found >= 4 ? &rt_spin_kernels_v4 : found == 3 ? &rt_spin_kernels_v3 : &rt_spin_kernels_v2;
#else
  (void)level;
  return &rt_spin_kernels_generic;
#endif
}
