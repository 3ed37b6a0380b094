/* fuzz_loader.c: any bytes as an object of aim-cc: it is loaded or refused with a line, reads stay inside the bytes given, and what
 * was loaded is at no time both writable and executable.  Nothing is run.  clang -fsanitize=fuzzer,address,undefined */
#include "codegen/loader.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void find(const cg_object *o, const void *file, size_t n, const char *name) {
  size_t size;
  const char *at = cg_object_find(o, file, n, name, &size);
  if (at && (at < o->base || (size_t)(at - o->base) > o->bytes || size > o->bytes - (size_t)(at - o->base))) abort();
  /* All of a symbol can be read. */
  volatile char x = 0;
  for (size_t k = 0; at && k < size; k += 4096) x ^= at[k];
  if (at && size) x ^= at[size - 1];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size ? size : 1); /* exactly as long, and aligned as a file that was read */
  if (!copy) return 0;
  memcpy(copy, data, size);
  cg_object o;
  const char *why = cg_object_load(&o, copy, size);
  if (why) {
    if (!*why || strchr(why, '\n') || o.base) abort();
  } else {
    find(&o, copy, size, "aim_fn_0");
    find(&o, copy, size, "aim_meta");
    find(&o, copy, size, "");
    cg_object_place(&o, copy, size);
    cg_object_free(&o);
  }
  free(copy);
  return 0;
}
