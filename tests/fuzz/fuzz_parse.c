/* fuzz_parse.c: any bytes become a tree or messages; a tree without messages prints, and the print parses to an equal
 * tree; so does its layout, which laid out again is itself.  clang -fsanitize=fuzzer,address,undefined */
#include "lang/format.h"
#include "lang/parse.h"
#include "lang/render.h"
#include "tests/plain_heap.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  arena a;
  arena_init(&a, &plain_heap, (size_t)512 << 20);
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
  ast_file *f = parse_file(&a, &names, &m, source_add(&m, "fuzz", (const char *)data, size), &diags);
  strbuf dump, text, again, messages;
  strbuf_init(&dump, &a);
  ast_dump(&dump, f);
  strbuf_init(&text, &a);
  ast_print(&text, f);
  strbuf_init(&messages, &a);
  render_list(&messages, &m, &diags, NULL);
  if (diags.errors == 0) {
    ast_file *g = parse_file(&a, &names, &m, source_add(&m, "printed", text.s, text.n), &diags);
    strbuf_init(&again, &a);
    ast_dump(&again, g);
    if (diags.errors || strcmp(dump.s, again.s) != 0) abort();
    strbuf once, twice;
    strbuf_init(&once, &a);
    format_source(&once, &names, &m, 1);
    int laid_out = source_add(&m, "laid out", once.s, once.n);
    if (laid_out) {
      g = parse_file(&a, &names, &m, laid_out, &diags);
      strbuf_init(&again, &a);
      ast_dump(&again, g);
      if (diags.errors || strcmp(dump.s, again.s) != 0) abort();
      strbuf_init(&twice, &a);
      format_source(&twice, &names, &m, laid_out);
      if (strcmp(once.s, twice.s) != 0) abort();
    }
  } else if (messages.n == 0) {
    abort();
  }
  arena_free(&a);
  return 0;
}
