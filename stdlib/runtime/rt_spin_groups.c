/* rt_spin_groups.c: a list of visits cut into groups of up to eight that commute (rt_spin.h).
 *
 * Sites that are not coupled do not see each other, so a sweep's result hangs only on the order of coupled pairs.  Each pair is an edge of a graph
 * without cycles, from the site that the list visits first to the other; any order along the edges is the list's own sweep.  Groups are taken from
 * the sites that wait for none, oldest first, so that what a group reads was written long before; among the next few those of the closest weight
 * go together, since lanes with fewer bonds idle.  Weights of one group are even or odd together: one formula then gives the class of a spin. */
#include "stdlib/runtime/rt_spin.h"

enum { PLANES_LEAST = 3, WINDOW = 96 };

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* Bits that count to `weight` bonds, one more where that is even. */
static int planes_for(int weight)
{
  int planes = PLANES_LEAST;
  while ((1 << planes) - 1 < weight + (weight % 2 == 0)) planes++;
  return planes;
}

static size_t first_slice(const rt_spin_model *m, size_t i) { return m->slice_row[i * RT_SPIN_SLICES]; }
static size_t end_slice(const rt_spin_model *m, size_t i) { return m->slice_row[i * RT_SPIN_SLICES + 1]; }

/* Groups that there is room for: half full ones, but any of a short list. */
static size_t most_groups(size_t n) { return n <= RT_SPIN_GROUPS_SHORT ? n : n / 4; }

/* Bonds of so many groups at most: a group has those of its heaviest site, and no two share it. */
static size_t most_bonds(const rt_spin_model *m)
{
  size_t sites[RT_SPIN_GROUP_BONDS + 1] = {0}, left = most_groups(m->p.n), bonds = 0;
  for (size_t i = 0; i < m->p.n; i++) sites[m->slice_weight[i]]++;
  for (size_t w = RT_SPIN_GROUP_BONDS; w > 0 && left; w--) {
    size_t of = sites[w] < left ? sites[w] : left;
    bonds += of * w;
    left -= of;
  }
  return bonds;
}

size_t rt_spin_groups_size(const rt_spin_model *m, size_t count)
{
  size_t n = m->p.n;
  if (m->slices != 1 || m->slice_most > RT_SPIN_GROUP_BONDS || count != n) return 0;
  return round_up(most_groups(n) * sizeof(rt_spin_group), RT_SPIN_ALIGN) + round_up(8 * most_bonds(m) * sizeof(uint32_t), RT_SPIN_ALIGN) +
         round_up(4 * n * sizeof(uint32_t), RT_SPIN_ALIGN);
}

/* Sites that wait for none, in the order in which they came to, by the parity of their weight. */
typedef struct queue {
  uint32_t *site;
  size_t from, to;
} queue;

static int distance(int a, int b) { return a < b ? b - a : a - b; }

/* Takes up to eight sites of like weight from the next few. */
static size_t take(queue *q, const rt_spin_model *m, uint32_t out[8])
{
  size_t count = 0;
  int weight = m->slice_weight[q->site[q->from]];
  while (count < 8 && q->from < q->to) {
    size_t end = q->to - q->from < WINDOW ? q->to : q->from + WINDOW, best = q->from;
    if (count)
      for (size_t k = q->from; k < end; k++)
        if (distance(m->slice_weight[q->site[k]], weight) < distance(m->slice_weight[q->site[best]], weight)) best = k;
    out[count++] = q->site[best];
    for (size_t k = best; k > q->from; k--) q->site[k] = q->site[k - 1];
    q->from++;
  }
  return count;
}

static void fill(rt_spin_group *g, const rt_spin_model *m, const uint32_t *site, size_t count, uint32_t *bond)
{
  uint32_t n = (uint32_t)m->p.n;
  int most = 0;
  for (size_t l = 0; l < count; l++)
    if (m->slice_weight[site[l]] > most) most = m->slice_weight[site[l]];
  g->even = most % 2 == 0;
  g->planes = (uint8_t)planes_for(most);
  g->bonds = (uint8_t)most;
  g->pad = (uint8_t)(((1 << g->planes) - 1 - most - g->even) / 2);
  g->lanes = (uint8_t)((1u << count) - 1);
  g->field = g->field_down = 0;
  for (size_t l = 0; l < 8; l++) {
    g->at[l] = 2 * (l < count ? site[l] : n + 1);
    size_t from = l < count ? first_slice(m, site[l]) : 0, to = l < count ? end_slice(m, site[l]) : 0, e = 0;
    for (size_t k = from; k < to; k++, e++) {
      uint32_t other = m->slice[k] >> 6, down = m->slice[k] & 1;
      bond[8 * e + l] = 2 * other + down;
      if (other == n) g->field |= (uint8_t)(1u << l), g->field_down |= (uint8_t)(down << l);
    }
    for (; e < (size_t)most; e++) bond[8 * e + l] = 2 * n + (uint32_t)(e % 2); /* as many up as down */
  }
}

int rt_spin_groups_make(rt_spin_groups *g, const rt_spin_model *m, const uint32_t *sites, void *memory)
{
  size_t n = m->p.n, bonds = 0;
  rt_spin_group *group = memory;
  uint32_t *bond = (uint32_t *)((char *)memory + round_up(most_groups(n) * sizeof *group, RT_SPIN_ALIGN));
  uint32_t *rank = (uint32_t *)((char *)bond + round_up(8 * most_bonds(m) * sizeof *bond, RT_SPIN_ALIGN)), *waits = rank + n;
  queue q[2] = {{waits + n, 0, 0}, {waits + 2 * n, 0, 0}};
  *g = (rt_spin_groups){.group = group, .bond = bond};
  for (size_t k = 0; k < n; k++) rank[sites ? sites[k] : k] = (uint32_t)k;
  for (size_t k = 0; k < n; k++) {
    size_t i = sites ? sites[k] : k;
    waits[i] = 0;
    for (size_t e = first_slice(m, i); e < end_slice(m, i); e++) {
      size_t other = m->slice[e] >> 6;
      waits[i] += other < n && rank[other] < k;
    }
    queue *to = &q[m->slice_weight[i] % 2];
    if (!waits[i]) to->site[to->to++] = (uint32_t)i;
  }
  while (q[0].from < q[0].to || q[1].from < q[1].to) {
    size_t ready[2] = {q[0].to - q[0].from, q[1].to - q[1].from};
    int odd = ready[0] >= 8 && ready[1] >= 8 ? rank[q[1].site[q[1].from]] < rank[q[0].site[q[0].from]] : ready[1] > ready[0];
    if (g->count == most_groups(n)) return 0;
    uint32_t site[8];
    size_t count = take(&q[odd], m, site);
    rt_spin_group *to = &group[g->count++];
    fill(to, m, site, count, bond + 8 * bonds);
    bonds += to->bonds;
    for (size_t l = 0; l < count; l++) g->pads += (uint64_t)((1 << to->planes) - 1 - m->slice_weight[site[l]] - to->even) / 2;
    for (size_t l = 0; l < count; l++)
      for (size_t e = first_slice(m, site[l]); e < end_slice(m, site[l]); e++) {
        size_t other = m->slice[e] >> 6;
        if (other == n || rank[other] < rank[site[l]] || --waits[other]) continue;
        queue *next = &q[m->slice_weight[other] % 2];
        next->site[next->to++] = (uint32_t)other;
      }
  }
  return 4 * g->count <= n;
}
