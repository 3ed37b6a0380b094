/* fuzz_lex.c: any bytes become tokens that lie in the text, in order, and end.  clang -fsanitize=fuzzer,address,undefined */
#include "lang/lex.h"
#include "tests/plain_heap.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  arena a;
  arena_init(&a, &plain_heap, (size_t)256 << 20);
  if (ARENA_TRY(&a)) {
    arena_free(&a);
    return 0;
  }
  source_map m;
  intern_table names;
  diag_list diags;
  source_map_init(&m, &a);
  intern_init(&names, &a);
  diag_init(&diags, &a);
  int id = source_add(&m, "fuzz", (const char *)data, size);
  lexer l;
  lex_init(&l, &names, &m, id, &diags);
  uint32_t at = 0;
  for (token t = lex_next(&l); t.kind != LEX_EOF; t = lex_next(&l)) {
    if (t.off < at || t.len == 0 || t.off + t.len > size) abort();
    at = t.off + t.len;
  }
  tokens ts;
  tokens_init(&ts, &names, &m, id, &diags);
  size_t n = 0;
  while (tokens_next(&ts).kind != LEX_EOF)
    if (++n > size + 1) abort();
  arena_free(&a);
  return 0;
}
