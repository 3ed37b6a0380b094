/* fuzz_ir.c: any bytes as IR text: a module or one error.  What verifies prints, parses back to the same text, and goes
 * through every pass.  clang -fsanitize=fuzzer,address,undefined */
#include "compiler/passes.h"
#include "tests/plain_heap.h"

#include <stdlib.h>
#include <string.h>

static bool verifies(const ir_module *m) {
  for (uint32_t k = 0; k < m->nfns; k++)
    if (ir_verify(m->fn[k])) return false;
  return true;
}

static void run(arena *a, const char *text, size_t n) {
  ir_module *m = ir_module_new(a), *again = ir_module_new(a);
  const char *error = NULL;
  strbuf first, second;
  strbuf_init(&first, a);
  strbuf_init(&second, a);
  if (!ir_parse(m, text, n, &error)) {
    if (!error || strncmp(error, "line ", 5) != 0 || m->nfns) abort();
    return;
  }
  ir_print(m, &first);
  if (!verifies(m)) return;
  if (!ir_parse(again, first.s, first.n, &error)) abort();
  ir_print(again, &second);
  if (strcmp(first.s, second.s) != 0) abort();
  for (uint32_t k = 0; k < m->nfns; k++) passes_run(m, m->fn[k]);
  if (!verifies(m)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  arena a;
  arena_init(&a, &plain_heap, (size_t)512 << 20);
  if (!ARENA_TRY(&a)) run(&a, (const char *)data, size);
  arena_free(&a);
  return 0;
}
