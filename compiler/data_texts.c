/* data_texts.c: distinct texts in a crit-bit tree (data_texts.h). */
#include "compiler/data_texts.h"

#include <string.h>

enum { MOST_TEXTS = 0x7fffffff };

/* Which child a text belongs to; behind its end stands a NUL, as often as need be. */
static uint32_t side(const texts_node *q, const char *s, size_t n) {
  uint8_t c = q->byte < n ? (uint8_t)s[q->byte] : 0;
  return (1u + (q->mask | c)) >> 8;
}

size_t data_texts_add(data_texts *t, const char *s, size_t n) {
  if (n >= UINT32_MAX || t->n >= MOST_TEXTS) return 0;
  uint32_t byte = 0;
  uint8_t mask = 0;
  uint32_t to = 0; /* the side of the new node on which the text that is there lies */
  if (t->n) {
    uint32_t at = t->root;
    while (!(at & 1)) at = t->node[at / 2].child[side(&t->node[at / 2], s, n)];
    const char *old = t->text[at / 2];
    size_t m = t->length[at / 2], common = 0, least = n < m ? n : m;
    while (common < least && s[common] == old[common]) common++;
    if (common == n && common == m) return at / 2 + 1;
    uint8_t x = common < n ? (uint8_t)s[common] : 0, y = common < m ? (uint8_t)old[common] : 0, differ = x ^ y;
    while (differ & (differ - 1)) differ &= (uint8_t)(differ - 1);
    byte = (uint32_t)common;
    mask = differ ^ 255;
    to = (1u + (mask | y)) >> 8;
  }
  const char *own = arena_strndup(t->a, s, n);
  ARENA_PUSH(t->a, t->length, t->n, t->cap_length, (uint32_t)n);
  t->n--;
  ARENA_PUSH(t->a, t->text, t->n, t->cap, own);
  uint32_t leaf = 2 * (uint32_t)(t->n - 1) + 1;
  if (t->n == 1) {
    t->root = leaf;
    return 1;
  }
  texts_node fresh = {.byte = byte, .mask = mask};
  ARENA_PUSH(t->a, t->node, t->n_nodes, t->cap_nodes, fresh);
  uint32_t *link = &t->root;
  while (!(*link & 1)) {
    texts_node *q = &t->node[*link / 2];
    if (q->byte > byte || (q->byte == byte && q->mask > mask)) break;
    link = &q->child[side(q, s, n)];
  }
  texts_node *q = &t->node[t->n_nodes - 1];
  q->child[to] = *link;
  q->child[1 - to] = leaf;
  *link = 2 * (uint32_t)(t->n_nodes - 1);
  return t->n;
}

void data_texts_levels(const data_texts *t, arena *out, data_array *x, int64_t *codes) {
  const char **levels = ARENA_ARRAY(out, const char *, t->n);
  uint32_t *rank = ARENA_ARRAY(t->a, uint32_t, t->n + 1), *stack = ARENA_ARRAY(t->a, uint32_t, t->n + 1);
  size_t depth = 0, level = 0;
  if (t->n) stack[depth++] = t->root;
  while (depth) {
    uint32_t at = stack[--depth];
    if (at & 1) {
      rank[at / 2 + 1] = (uint32_t)level + 1;
      levels[level++] = arena_strndup(out, t->text[at / 2], t->length[at / 2]);
    } else {
      stack[depth++] = t->node[at / 2].child[1];
      stack[depth++] = t->node[at / 2].child[0];
    }
  }
  for (size_t i = 0; i < x->cells; i++) codes[i] = rank[codes[i]];
  x->kind = DATA_TEXT;
  x->i64 = codes;
  x->levels = levels;
  x->n_levels = t->n;
}
