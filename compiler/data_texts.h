/* data_texts.h: the distinct texts of a column, numbered as they come and then by their order.
 *
 * A crit-bit tree (Bernstein, http://cr.yp.to/critbit.html): a node tells the first bit in which the texts below it differ.  A text of n bytes
 * meets at most 8 n nodes, so work is bounded by the bytes of the input whatever they are, which a hash table cannot say; and
 * the tree gives the texts in byte order without a sort. */
#ifndef AIM_COMPILER_DATA_TEXTS_H
#define AIM_COMPILER_DATA_TEXTS_H

#include "compiler/data.h"

typedef struct texts_node {
  uint32_t child[2]; /* 2 i: node i; 2 k + 1: the k-th text */
  uint32_t byte;     /* where the texts differ */
  uint8_t mask;      /* all bits but the one that they differ in */
} texts_node;

typedef struct data_texts {
  arena *a;           /* of texts and nodes */
  const char **text;  /* [n] by arrival */
  uint32_t *length;   /* [n] */
  size_t n, cap, cap_length;
  texts_node *node;   /* [n - 1] */
  size_t n_nodes, cap_nodes;
  uint32_t root;
} data_texts;

/* The number of a text, from 1 in the order of arrival; 0 for one too many (2^31) or too long.  s [n] holds no NUL. */
size_t data_texts_add(data_texts *t, const char *s, size_t n);
/* Makes x a text array: codes [cells] by arrival, 0 for what is missing, become level numbers in place; levels are copied to `out`. */
void data_texts_levels(const data_texts *t, arena *out, data_array *x, int64_t *codes);

#endif
