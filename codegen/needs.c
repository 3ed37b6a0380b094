/* needs.c: reading what an object says that it needs.  Lines `fn <name>`, then for each function `size <size>` and
 * `slot <mul> <add> <size>`, memory for mul size + add cells. */
#include "codegen/needs.h"

#include <stdlib.h>
#include <string.h>

static const char damaged[] = "the object's description is damaged";

static const char *add_slot(cg_needs *f, size_t *cap, const char *at, size_table *sizes, arena *mem) {
  char *rest;
  int64_t mul = strtoll(at, &rest, 10), add = strtoll(rest, &rest, 10), n, cells;
  at = rest + (*rest == ' ');
  ir_size z = size_parse(sizes, &at);
  if (!z || !size_value(sizes, z, &n)) return "an array has an extent that is unbound";
  if (n < 0) return "an array has an extent that is negative";
  if (__builtin_mul_overflow(n, mul, &cells) || __builtin_add_overflow(cells, add, &cells) || cells > INT64_MAX / 64 || f->work > INT64_MAX / 64)
    return "an array is too large";
  ARENA_PUSH(mem, f->slot, f->nslots, *cap, f->work);
  f->work += (cells + CG_LINE) / CG_LINE * CG_LINE; /* never empty: a failed check may read the first cell */
  return NULL;
}

const char *cg_needs_read(cg_needs *needs, uint32_t n, const char *text, size_table *sizes, arena *mem) {
  cg_needs *f = NULL;
  size_t cap_size = 0, cap_slot = 0;
  uint32_t k = 0;
  for (const char *at = text; *at;) {
    const char *end = strchr(at, '\n');
    if (!end) return damaged;
    if (strncmp(at, "fn ", 3) == 0) {
      if (k == n) return damaged;
      f = &needs[k++];
      *f = (cg_needs){0};
      cap_size = cap_slot = 0;
    } else if (f && strncmp(at, "size ", 5) == 0) {
      int64_t value;
      at += 5;
      ir_size z = size_parse(sizes, &at);
      if (!z || !size_value(sizes, z, &value)) return "an array has an extent that is unbound";
      ARENA_PUSH(mem, f->size, f->nsizes, cap_size, value);
    } else if (f && strncmp(at, "slot ", 5) == 0) {
      const char *why = add_slot(f, &cap_slot, at + 5, sizes, mem);
      if (why) return why;
    } else {
      return damaged;
    }
    at = end + 1;
  }
  return k == n ? NULL : damaged;
}
