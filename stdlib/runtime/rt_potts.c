/* rt_potts.c: sites with q values outside the inner loops: packing, energies, sizes. */
#include "stdlib/runtime/rt_potts.h"

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_philox.h"

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

static size_t part(size_t *bytes, size_t count, size_t size)
{
  size_t at = *bytes;
  *bytes += round_up(count * size, RT_SPIN_ALIGN);
  return at;
}

/* Whether sums of couplings and fields in units of the couplings are whole numbers that f32 holds. */
static int sums_exactly(const rt_potts_model *m)
{
  const rt_potts_problem *p = &m->p;
  double most = 0.0;
  for (size_t k = 0; p->H && k < p->graph.n * p->q; k++) {
    double x = rt_abs(p->H[k]) / m->graph.unit;
    if (x != rt_round(x)) return 0;
    most = x > most ? x : most;
  }
  return m->graph.exact && most < 0x1p23;
}

size_t rt_potts_model_size(rt_potts_model *m, const rt_potts_problem *p, rt_spin_precision precision)
{
  *m = (rt_potts_model){.p = *p};
  m->p.graph.h = NULL;
  if (p->q < 2 || p->q > RT_POTTS_MOST || p->graph.form == RT_SPIN_DENSE) return 0;
  size_t graph = rt_spin_model_size(&m->graph, &m->p.graph, RT_SPIN_F32);
  if (!graph) return 0;
  m->bytes = round_up(graph, RT_SPIN_ALIGN);
  for (size_t k = 0; p->H && k < p->graph.n * p->q; k++)
    if (!(rt_abs(p->H[k]) <= 1e30)) return 0;
  m->wide = precision == RT_SPIN_F64 && !sums_exactly(m);
  part(&m->bytes, p->H ? p->graph.n * p->q : 0, sizeof(float));
  return m->bytes;
}

void rt_potts_model_make(rt_potts_model *m, void *memory)
{
  const rt_potts_problem *p = &m->p;
  rt_spin_model_make(&m->graph, memory);
  if (!p->H) return;
  float *H = (float *)((unsigned char *)memory + round_up(m->graph.bytes, RT_SPIN_ALIGN));
  for (size_t k = 0; k < p->graph.n * p->q; k++) H[k] = (float)(p->H[k] / m->graph.unit);
  m->H = H;
}

double rt_potts_energy(const rt_potts_problem *p, const uint16_t *s)
{
  double e = 0.0;
  for (size_t i = 0; i < p->graph.n; i++) {
    double a = 0.0, weight[4];
    uint32_t to[4];
    if (p->graph.form == RT_SPIN_SPARSE) {
      for (size_t k = p->graph.row[i]; k < p->graph.row[i + 1]; k++)
        if (p->graph.column[k] > i && s[p->graph.column[k]] == s[i]) a += p->graph.weight ? p->graph.weight[k] : p->graph.coupling;
    } else
      for (int k = 0, count = rt_spin_lattice_neighbours(&p->graph, i, to, weight); k < count; k++)
        if (to[k] > i && s[to[k]] == s[i]) a += weight[k];
    if (p->H) a += p->H[i * p->q + s[i]];
    e -= a;
  }
  return e;
}

void rt_potts_visit(rt_spin_rule rule, size_t q, const double *x, size_t now, double floor, double *to)
{
  double most = x[0], total = 0.0;
  if (rule != RT_SPIN_HEAT_BATH) {
    for (size_t c = 0; c < q; c++)
      if (c != now) total += to[c] = rt_spin_acceptance(rule, x[now] - x[c], floor) / (double)(q - 1);
    to[now] = 1.0 - total;
    return;
  }
  for (size_t c = 1; c < q; c++) most = x[c] > most ? x[c] : most;
  for (size_t c = 0; c < q; c++) total += to[c] = rt_exp(x[c] - most);
  for (size_t c = 0; c < q; c++) to[c] /= total;
}

/* ---- runs */

typedef struct layout {
  size_t energy, best_energy, changes, known, state, best, key, factor, word, proposal, group, scratch, wide, place, neighbour, stride, bytes;
} layout;

static size_t slots_of(const rt_spin_plan *plan)
{
  return plan->coding == RT_SPIN_IN_LANES ? round_up(plan->replicas, RT_SPIN_LANES) : plan->replicas;
}

/* Whether states can lie in the order of visits. */
static int by_place(const rt_potts_model *m, const rt_spin_plan *plan)
{
  return plan->coding == RT_SPIN_SCALAR && plan->order != RT_SPIN_RANDOM && m->graph.exact && !m->graph.weight && !m->H && m->graph.degree < 16;
}

static layout lay_out(const rt_potts_model *m, const rt_spin_plan *plan)
{
  layout l = {0};
  size_t slots = slots_of(plan), n = m->p.graph.n;
  l.stride = by_place(m, plan) ? round_up(n + 2, 16) + 16 : n;
  l.energy = part(&l.bytes, slots, sizeof(double));
  l.best_energy = part(&l.bytes, slots, sizeof(double));
  l.changes = part(&l.bytes, slots, sizeof(uint64_t));
  l.known = part(&l.bytes, slots, sizeof(uint64_t));
  l.key = part(&l.bytes, slots, sizeof(uint64_t));
  l.factor = part(&l.bytes, slots, sizeof(float));
  l.word = part(&l.bytes, slots * 64 + 16, sizeof(uint32_t));
  l.proposal = part(&l.bytes, slots * 64 + 16, sizeof(uint32_t));
  l.state = part(&l.bytes, slots * l.stride, sizeof(int32_t));
  l.best = part(&l.bytes, plan->keep_best ? slots * l.stride : 0, sizeof(int32_t));
  l.group = part(&l.bytes, n, 1);
  l.place = part(&l.bytes, by_place(m, plan) ? n : 0, sizeof(uint32_t));
  l.neighbour = part(&l.bytes, by_place(m, plan) ? m->graph.degree * l.stride : 0, sizeof(uint32_t));
  l.scratch = part(&l.bytes, 2 * (m->p.q + m->graph.degree) * 16, sizeof(float));
  l.wide = part(&l.bytes, m->wide ? 2 * (m->p.q + m->graph.degree) * 16 : 0, sizeof(double));
  return l;
}

size_t rt_potts_run_size(const rt_potts_model *m, const rt_spin_plan *plan)
{
  if ((plan->coding != RT_SPIN_SCALAR && plan->coding != RT_SPIN_IN_LANES) || plan->replicas < 1 || plan->rule >= RT_SPIN_RULES ||
      (plan->sites && plan->site_count > m->p.graph.n))
    return 0;
  return lay_out(m, plan).bytes;
}

static int neighbours(const rt_spin_model *g, uint32_t i, uint32_t j)
{
  for (uint32_t e = g->row[i]; e < g->row[i + 1]; e++)
    if (g->column[e] == j) return 1;
  return 0;
}

/* From each place of the order, how many sites may change together. */
static void find_groups(rt_potts_run *run)
{
  const rt_spin_plan *plan = &run->plan;
  size_t m = plan->sites ? plan->site_count : run->model->p.graph.n;
  for (size_t k = 0; k < m; k++) {
    uint8_t length = 1;
    for (int alone = 1; alone && length < 16 && k + length < m; length = (uint8_t)(length + alone)) {
      uint32_t j = plan->sites ? plan->sites[k + length] : (uint32_t)(k + length);
      for (size_t l = 0; l < length; l++) alone = alone && !neighbours(&run->model->graph, plan->sites ? plan->sites[k + l] : (uint32_t)(k + l), j);
    }
    run->group[k] = length;
  }
}

static void find_places(rt_potts_run *run)
{
  const rt_spin_plan *plan = &run->plan;
  const rt_spin_model *g = &run->model->graph;
  uint32_t n = (uint32_t)run->model->p.graph.n, count = 0;
  for (uint32_t i = 0; i < n; i++) run->place[i] = plan->sites ? n : i;
  for (size_t k = 0; plan->sites && k < plan->site_count; k++) run->place[plan->sites[k]] = count++;
  for (uint32_t i = 0; i < n; i++)
    if (run->place[i] == n) run->place[i] = count++;
  for (size_t e = 0; e < g->degree; e++) {
    uint32_t *to = run->neighbour + e * run->stride;
    for (size_t k = n; k < run->stride; k++) to[k] = k == n ? n + 1 : n;
    for (uint32_t i = 0; i < n; i++) to[run->place[i]] = e < g->row[i + 1] - g->row[i] ? run->place[g->column[g->row[i] + e]] : n;
  }
  for (size_t r = 0; r < plan->replicas; r++)
    for (size_t k = n; k < run->stride; k++) {
      run->state[r * run->stride + k] = k == n ? -1 : -2;
      if (run->best) run->best[r * run->stride + k] = -1;
    }
}

void rt_potts_run_init(rt_potts_run *run, const rt_potts_model *m, const rt_spin_plan *plan, void *memory)
{
  layout l = lay_out(m, plan);
  unsigned char *at = memory;
  *run = (rt_potts_run){.model = m,
                        .plan = *plan,
                        .energy = (double *)(at + l.energy),
                        .best_energy = (double *)(at + l.best_energy),
                        .changes = (uint64_t *)(at + l.changes),
                        .known = (uint64_t *)(at + l.known),
                        .state = (int32_t *)(at + l.state),
                        .best = plan->keep_best ? (int32_t *)(at + l.best) : NULL,
                        .key = (uint64_t *)(at + l.key),
                        .factor = (float *)(at + l.factor),
                        .word = (uint32_t *)(at + l.word),
                        .proposal = (uint32_t *)(at + l.proposal),
                        .group = at + l.group,
                        .stride = l.stride,
                        .place = by_place(m, plan) ? (uint32_t *)(at + l.place) : NULL,
                        .neighbour = (uint32_t *)(at + l.neighbour),
                        .scratch = (float *)(at + l.scratch),
                        .wide = m->wide ? (double *)(at + l.wide) : NULL,
                        .chunk = UINT64_MAX};
  for (size_t r = 0; r < slots_of(plan); r++) {
    run->energy[r] = run->best_energy[r] = 0.0;
    run->changes[r] = run->known[r] = 0;
    run->factor[r] = 0.0f;
    run->key[r] = rt_key_fold(plan->key, plan->first_replica + r);
  }
  if (plan->coding == RT_SPIN_SCALAR && plan->order != RT_SPIN_RANDOM) find_groups(run);
  if (run->place) find_places(run);
}

const rt_potts_kernels *rt_potts_kernels_for(int level)
{
#if defined(__x86_64__)
  int found = rt_kernels_for(level)->level;
  return found >= 4 ? &rt_potts_kernels_v4 : found == 3 ? &rt_potts_kernels_v3 : &rt_potts_kernels_v2;
#else
  (void)level;
  return &rt_potts_kernels_generic;
#endif
}
