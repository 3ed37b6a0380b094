/* spin_problems.h: what tests of spin kernels share: random problems of every form, and a packed model with its run.  Included behind
 * cmocka.h. */
#ifndef AIM_TESTS_SPIN_PROBLEMS_H
#define AIM_TESTS_SPIN_PROBLEMS_H

#include "stdlib/runtime/rt_spin.h"
#include "tests/unit/random_stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { UNWRITTEN = 0xA5 };

/* With RT_SPIN_ALIGN bytes behind at least, which nobody is to write. */
static inline size_t with_guard(size_t bytes) { return (bytes + 2 * RT_SPIN_ALIGN - 1) / RT_SPIN_ALIGN * RT_SPIN_ALIGN; }

static inline void *room(size_t bytes)
{
  void *p = aligned_alloc(RT_SPIN_ALIGN, with_guard(bytes));
  assert_non_null(p);
  /* What is not written must not matter. */
  memset(p, UNWRITTEN, with_guard(bytes));
  return p;
}

/* Frees what room gave; nothing was written behind it. */
static inline void leave(void *p, size_t bytes)
{
  for (size_t k = bytes; p && k < with_guard(bytes); k++) assert_int_equal(((unsigned char *)p)[k], UNWRITTEN);
  free(p);
}

/* ---- problems */

/* Dense couplings: 0 Gaussian, 1 +-1, 2 integers to 200 (16 bits). */
static inline rt_spin_problem dense(size_t n, int kind, int fields)
{
  double *J = room(n * n * sizeof *J), *h = fields ? room(n * sizeof *h) : NULL;
  for (size_t i = 0; i < n; i++) {
    J[i * n + i] = NAN; /* the diagonal is not read */
    for (size_t j = 0; j < i; j++)
      J[i * n + j] = J[j * n + i] = kind == 0   ? normal() / sqrt((double)n)
                                    : kind == 1 ? (next() & 1 ? 0.125 : -0.125)
                                                : (double)(next() % 401) - 200;
    if (h) h[i] = kind == 0 ? 0.3 * normal() : kind == 1 ? 0.125 * ((double)(next() % 5) - 2) : (double)(next() % 9);
  }
  return (rt_spin_problem){.form = RT_SPIN_DENSE, .n = n, .J = J, .h = h};
}

/* Edges with probability p; weights Gaussian, or +-1, or NULL and all -1. */
static inline rt_spin_problem sparse(size_t n, double p, int kind, int fields)
{
  size_t edges = 0, most = n * n;
  double *w = calloc(most, sizeof *w);
  assert_non_null(w);
  uint32_t *row = room((n + 1) * sizeof *row);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++)
      if (uniform() < p) {
        w[i * n + j] = w[j * n + i] = kind == 0 ? normal() : kind == 1 ? (next() & 1 ? 1 : -1) : -1;
        edges += 2;
      }
  uint32_t *column = room((edges + 1) * sizeof *column);
  double *weight = room((edges + 1) * sizeof *weight), *h = fields ? room(n * sizeof *h) : NULL;
  uint32_t e = 0;
  for (size_t i = 0; i < n; i++) {
    row[i] = e;
    for (size_t j = 0; j < n; j++)
      if (w[i * n + j] != 0) {
        weight[e] = w[i * n + j];
        column[e++] = (uint32_t)j;
      }
    if (h) h[i] = normal();
  }
  row[n] = e;
  free(w);
  if (kind == 2) {
    free(weight);
    weight = NULL;
  }
  return (rt_spin_problem){.form = RT_SPIN_SPARSE, .n = n, .row = row, .column = column, .weight = weight, .coupling = -1, .h = h};
}

/* The same with couplings +-0.5, and fields of 0, 0.5 and -0.5. */
static inline rt_spin_problem units(size_t n, double p)
{
  rt_spin_problem q = sparse(n, p, 1, 1);
  for (uint32_t e = 0; e < q.row[n]; e++) ((double *)q.weight)[e] *= 0.5;
  for (size_t i = 0; i < n; i++) ((double *)q.h)[i] = 0.5 * ((double)(next() % 3) - 1);
  return q;
}

static inline rt_spin_problem lattice(size_t width, size_t height, int wrap_x, int wrap_y, int signs, double coupling)
{
  size_t n = width * height;
  int8_t *right = signs ? room(n) : NULL, *down = signs ? room(n) : NULL;
  for (size_t i = 0; signs && i < n; i++) {
    right[i] = next() & 1 ? 1 : -1;
    down[i] = next() & 1 ? 1 : -1;
  }
  return (rt_spin_problem){.form = RT_SPIN_LATTICE, .n = n, .width = width, .height = height, .wrap_x = wrap_x, .wrap_y = wrap_y,
                           .right = right, .down = down, .coupling = coupling};
}

static inline void drop(rt_spin_problem *p)
{
  const void *parts[] = {p->J, p->h, p->row, p->column, p->weight, p->right, p->down};
  for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) free((void *)parts[k]);
}

/* J_ij and h_i of any form, from energies alone: an oracle that shares no code with fields. */
static inline double energy_with(const rt_spin_problem *p, int8_t *s, size_t i, int si)
{
  int8_t was = s[i];
  s[i] = (int8_t)si;
  double e = rt_spin_energy(p, 0, s);
  s[i] = was;
  return e;
}

/* ---- runs */

typedef struct tried {
  rt_spin_model model;
  rt_spin_run run;
  const rt_spin_kernels *k;
  rt_spin_groups groups; /* of all sites, rising; count 0: none */
  void *model_memory, *run_memory, *groups_memory;
  size_t model_bytes, run_bytes, groups_bytes;
} tried;

static inline tried set_up(const rt_spin_problem *p, rt_spin_precision precision, int level)
{
  tried t = {.k = rt_spin_kernels_for(level)};
  t.model_bytes = rt_spin_model_size(&t.model, p, precision);
  assert_true(t.model_bytes > 0);
  t.model_memory = room(t.model_bytes);
  rt_spin_model_make(&t.model, t.model_memory);
  t.groups_bytes = rt_spin_groups_size(&t.model, p->n);
  if (t.groups_bytes) rt_spin_groups_make(&t.groups, &t.model, NULL, t.groups_memory = room(t.groups_bytes));
  return t;
}
static inline void start(tried *t, const rt_spin_plan *plan, const int8_t *s)
{
  t->run_bytes = rt_spin_run_size(&t->model, plan);
  assert_true(t->run_bytes > 0);
  t->run_memory = room(t->run_bytes);
  rt_spin_run_init(&t->run, &t->model, plan, t->run_memory);
  t->k->load(&t->run, s);
}
static inline void end(tried *t)
{
  leave(t->run_memory, t->run_bytes);
  leave(t->model_memory, t->model_bytes);
  leave(t->groups_memory, t->groups_bytes);
}

#endif
