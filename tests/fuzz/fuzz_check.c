/* fuzz_check.c: any bytes are checked without a crash, in bounded time and memory; a program with an error has a message, and a type
 * of every expression that was visited prints.  clang -fsanitize=fuzzer,address,undefined */
#include "tests/unit/check_session.h"
#include "tests/plain_heap.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  check_session s;
  if (check_text(&s, &plain_heap, "fuzz.aim", (const char *)data, size)) {
    if (s.ok != (s.diags.errors == 0)) abort();
    if (!s.ok && s.messages[0] == '\0') abort();
    const ast_file *f = s.program.file;
    for (size_t i = 0; i < f->n && s.ok; i++) {
      check_model *m = check_model_of(&s.program, f->items[i]);
      for (size_t k = 0; m && k < m->nsites; k++)
        if (!m->sites[k].type || !ty_print(&s.program, m->sites[k].type)) abort();
    }
  }
  arena_free(&s.a);
  return 0;
}
