/* test_lang_format.c: layouts against goldens; laying out keeps the tree and every comment, and a second time changes nothing. */
#include "lang/format.h"
#include "lang/parse.h"
#include "tests/plain_heap.h"
#include "tests/unit/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

typedef struct layout {
  arena a;
  char *dump, *text; /* text: NULL where the source has errors */
} layout;

static void lay_out(layout *l, const char *name, const char *text, size_t n) {
  source_map map;
  intern_table names;
  diag_list diags;
  memset(l, 0, sizeof *l);
  arena_init(&l->a, &plain_heap, 0);
  if (ARENA_TRY(&l->a)) abort();
  source_map_init(&map, &l->a);
  intern_init(&names, &l->a);
  diag_init(&diags, &l->a);
  int file = source_add(&map, name, text, n);
  ast_file *tree = parse_file(&l->a, &names, &map, file, &diags);
  strbuf b;
  strbuf_init(&b, &l->a);
  ast_dump(&b, tree);
  l->dump = b.s;
  if (diags.errors) return;
  strbuf_init(&b, &l->a);
  format_source(&b, &names, &map, file);
  l->text = b.s;
}

/* The comments of a text, one a line.  None of the texts has a # in a string. */
static char *comments(arena *a, const char *text) {
  strbuf b;
  strbuf_init(&b, a);
  for (const char *c = text; (c = strchr(c, '#')); c++) {
    size_t n = strcspn(c, "\r\n");
    while (n && (c[n - 1] == ' ' || c[n - 1] == '\t')) n--;
    strbuf_put(&b, c, n);
    strbuf_putc(&b, '\n');
    c += n - 1;
  }
  return b.s;
}

/* What holds of every layout; false after a message. */
static bool sound(const char *name, const char *text, size_t n, bool *laid_out) {
  layout once, twice;
  bool ok = true;
  lay_out(&once, name, text, n);
  *laid_out = once.text != NULL;
  if (once.text) {
    lay_out(&twice, name, once.text, strlen(once.text));
    if (!twice.text || strcmp(once.dump, twice.dump) != 0) fprintf(stderr, "%s: the layout means something else\n%s", name, once.text), ok = false;
    else if (strcmp(once.text, twice.text) != 0) fprintf(stderr, "%s: a second layout differs\n%s---\n%s", name, once.text, twice.text), ok = false;
    if (strcmp(comments(&once.a, text), comments(&once.a, once.text)) != 0) fprintf(stderr, "%s: comments differ\n", name), ok = false;
    for (const char *c = once.text; *c; c++)
      if (*c == '\r' || ((*c == ' ' || *c == '\t') && c[1] == '\n')) ok = false;
    arena_free(&twice.a);
  }
  arena_free(&once.a);
  return ok;
}

static void test_goldens(void **state) {
  (void)state;
  size_t n;
  char **names = golden_list("tests/fmt", ".aim", &n);
  assert_true(n >= 3);
  int bad = 0;
  for (size_t i = 0; i < n; i++) {
    char path[512];
    size_t len = 0;
    char *text = golden_read(golden_path(path, sizeof path, "tests/fmt", names[i], ".aim"), &len);
    layout l;
    lay_out(&l, names[i], text, len);
    assert_non_null(l.text);
    if (!golden_equal(golden_path(path, sizeof path, "tests/fmt", names[i], ".expected"), l.text)) bad++;
    arena_free(&l.a);
    free(text);
  }
  golden_list_free(names, n);
  assert_int_equal(bad, 0);
}

static void test_every_program(void **state) {
  (void)state;
  static const char *const folders[] = {"tests/fmt",   "tests/parse",      "tests/check",      "tests/diag/check", "tests/bind/right",
                                        "tests/bind/wrong", "tests/posteriors", "stdlib/prelude", "examples"};
  size_t seen = 0, bad = 0;
  for (size_t f = 0; f < sizeof folders / sizeof folders[0]; f++) {
    size_t n;
    char **names = golden_list(folders[f], ".aim", &n);
    for (size_t i = 0; i < n; i++) {
      char path[512];
      size_t len = 0;
      bool laid_out;
      char *text = golden_read(golden_path(path, sizeof path, folders[f], names[i], ".aim"), &len);
      bad += !sound(path, text, len, &laid_out);
      seen += laid_out;
      free(text);
    }
    golden_list_free(names, n);
  }
  assert_true(seen >= 60);
  assert_int_equal(bad, 0);
}

/* The same programs with their spaces and some line breaks disturbed, where they still parse. */
static void test_disturbed(void **state) {
  (void)state;
  size_t n, tried = 0, bad = 0;
  char **names = golden_list("tests/parse", ".aim", &n);
  uint64_t seed = 1;
  for (size_t round = 0; round < 40; round++) {
    for (size_t i = 0; i < n; i++) {
      char path[512];
      size_t len = 0, m = 0;
      char *text = golden_read(golden_path(path, sizeof path, "tests/parse", names[i], ".aim"), &len);
      char *other = malloc(3 * len + 1);
      for (size_t k = 0; k < len; k++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        unsigned die = (unsigned)(seed >> 33) % 16;
        other[m++] = text[k];
        if (text[k] == ' ' && die < 3) other[m++] = die == 1 ? '\t' : ' ', other[m++] = ' ';
        if (text[k] == ',' && die < 2) other[m++] = '\n';
        if (k + 1 < len && text[k + 1] == '\n' && die < 2) other[m++] = ' ';
      }
      other[m] = '\0';
      bool laid_out;
      bad += !sound(path, other, m, &laid_out);
      tried += laid_out;
      free(other);
      free(text);
    }
  }
  golden_list_free(names, n);
  assert_true(tried > 300);
  assert_int_equal(bad, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_goldens),
      cmocka_unit_test(test_every_program),
      cmocka_unit_test(test_disturbed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
