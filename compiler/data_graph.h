/* data_graph.h: problems of pairwise interaction: what their readers share.  Private to compiler/data_graph.c and data_bqm.c.
 *
 * Whatever the format, a model sees the Ising form
 *
 *     energy(s) = - sum_e J[e] s[edge[e, 1]] s[edge[e, 2]] - sum_i h[i] s[i],      s[i] in {-1, +1},
 *
 * each pair once, positive J ferromagnetic, sites counted from 1.  The names that are entered:
 *
 *     N, E                    sites and pairs
 *     edge    int[E, 2]       in the order of the file
 *     J       [E]
 *     h       real[N]         but for Max-Cut, which has no fields
 *     w       [E]             Max-Cut: the weights; J = -w, and cut = (sum w - energy) / 2
 *     linear  real[N]         QUBO and BQM: the file's own coefficients a and b of
 *     quadratic real[E]         value(x) = constant + sum_i a[i] x[i] + sum_e b[e] x[i] x[j]
 *     offset  real            QUBO and BQM: value = energy + offset */
#ifndef AIM_COMPILER_DATA_GRAPH_H
#define AIM_COMPILER_DATA_GRAPH_H

#include "compiler/data.h"

#define GRAPH_MAX_SITES ((int64_t)1 << 24)

/* What the coefficients of a file mean. */
typedef enum graph_form {
  GRAPH_MAX_CUT, /* weights of edges */
  GRAPH_ISING,   /* J and h as above */
  GRAPH_SPIN,    /* coefficients of spins: J = -b, h = -a */
  GRAPH_BINARY   /* of x in {0, 1}, x = (1 + s) / 2: J = -b / 4, h[i] = -a[i] / 2 - sum of b / 4 over its pairs */
} graph_form;

typedef struct graph {
  data_set *ds;
  const char *file;
  arena *scratch;
  int64_t sites;
  size_t n, cap;       /* pairs; room for them */
  int64_t *edge;       /* [2 cap] from 1, in the set's arena */
  double *weight;      /* [cap] scratch */
  double *linear;      /* [sites] scratch */
  double constant;
  bool integral;       /* every weight is an integer below 2^53 */
  uint32_t *table;     /* places in edge plus one, by hash of the pair; 0 is free */
  size_t table_size;
} graph;

/* Room for `sites` sites and `pairs` pairs. */
void graph_init(graph *g, data_set *ds, const char *file, arena *scratch, int64_t sites, size_t pairs);
/* Adds a pair of different sites, from 1.  0, or the number (from 1) of the earlier pair of the same two. */
size_t graph_add(graph *g, int64_t i, int64_t j, double weight);
/* Enters the arrays that the form has.  0, or -1 after a message. */
int graph_enter(graph *g, graph_form form);

#endif
