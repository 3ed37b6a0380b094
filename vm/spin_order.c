/* spin_order.c: colours of sites, and lattices (spin_order.h). */
#include "vm/spin_order.h"

#include <math.h>

/* Marks the colours of the sites before i that i is coupled to. */
static void mark_neighbours(const rt_spin_problem *p, size_t i, const uint32_t *colour, uint32_t *mark) {
  if (p->form == RT_SPIN_DENSE) {
    for (size_t j = 0; j < i; j++)
      if (p->J[i * p->n + j] != 0) mark[colour[j]] = (uint32_t)i + 1;
    return;
  }
  for (uint32_t k = p->row[i]; k < p->row[i + 1] && p->column[k] < i; k++) mark[colour[p->column[k]]] = (uint32_t)i + 1;
}

uint32_t *spin_order_coloured(const rt_spin_problem *p, arena *mem) {
  const size_t n = p->n;
  uint32_t *colour = ARENA_ARRAY(mem, uint32_t, n), *mark = ARENA_ARRAY(mem, uint32_t, n + 1), *start = ARENA_ARRAY(mem, uint32_t, n + 1);
  uint32_t *order = ARENA_ARRAY(mem, uint32_t, n);
  for (size_t i = 0; i < n; i++) {
    mark_neighbours(p, i, colour, mark);
    while (mark[colour[i]] == i + 1) colour[i]++;
    start[colour[i] + 1]++;
  }
  for (size_t c = 0; c < n; c++) start[c + 1] += start[c];
  for (size_t i = 0; i < n; i++) order[start[colour[i]]++] = (uint32_t)i;
  return order;
}

bool spin_order_plane(const spin_form *f, size_t height, size_t width, arena *mem, rt_spin_problem *out) {
  const rt_spin_problem *p = &f->problem;
  if (f->q || p->form != RT_SPIN_SPARSE || p->h || !f->couplings || height * width != p->n || height % 16 || width % 128) return false;
  int8_t *right = ARENA_ARRAY(mem, int8_t, p->n), *down = ARENA_ARRAY(mem, int8_t, p->n);
  *out = (rt_spin_problem){.form = RT_SPIN_LATTICE, .n = p->n, .width = width, .height = height, .coupling = p->coupling};
  bool alike = true;
  for (size_t i = 0; i < p->n; i++)
    for (uint32_t k = p->row[i]; k < p->row[i + 1]; k++) {
      const size_t j = p->column[k], x = i % width, y = i / width;
      const double w = p->weight ? p->weight[k] : p->coupling;
      if (fabs(w) != fabs(p->coupling)) return false;
      const bool same = w == p->coupling;
      alike = alike && same;
      if (j == y * width + (x + 1) % width) {
        right[i] = same ? 1 : -1;
        out->wrap_x |= x + 1 == width;
      } else if (j == (y + 1) % height * width + x) {
        down[i] = same ? 1 : -1;
        out->wrap_y |= y + 1 == height;
      } else if (i != j / width * width + (j + 1) % width && i != (j / width + 1) % height * width + j % width) {
        return false; /* nor is i the neighbour to the right of j or below it, whose row has the bond */
      }
    }
  const size_t bonds = height * (width - !out->wrap_x) + width * (height - !out->wrap_y);
  if (!alike || f->couplings != bonds) out->right = right, out->down = down;
  return true;
}
