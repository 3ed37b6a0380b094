/* test_lang_diag.c: what wrong programs are told, whole messages against goldens; rendering; nearest names.
 *
 * tests/diag/parse/NAME.aim is a broken program.  In its text, `\0`-like bytes that an editor would spoil are made by the tests
 * below instead. */
#include "lang/parse.h"
#include "lang/render.h"
#include "tests/plain_heap.h"
#include "tests/unit/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define FOLDER "tests/diag/parse"

typedef struct session {
  arena a;
  source_map map;
  intern_table names;
  diag_list diags;
} session;

static void begin(session *s) {
  memset(s, 0, sizeof *s);
  arena_init(&s->a, &plain_heap, 0);
  if (ARENA_TRY(&s->a)) abort();
  source_map_init(&s->map, &s->a);
  intern_init(&s->names, &s->a);
  diag_init(&s->diags, &s->a);
}

static const char *messages(session *s, const char *name, const char *text, size_t n, const render_options *o) {
  int id = source_add(&s->map, name, text, n);
  parse_file(&s->a, &s->names, &s->map, id, &s->diags);
  strbuf b;
  strbuf_init(&b, &s->a);
  render_list(&b, &s->map, &s->diags, o);
  return b.s;
}

static void test_goldens(void **state) {
  (void)state;
  size_t n;
  char **names = golden_list(FOLDER, ".aim", &n);
  assert_true(n >= 40);
  int bad = 0;
  for (size_t i = 0; i < n; i++) {
    char path[512];
    size_t len = 0;
    char *text = golden_read(golden_path(path, sizeof path, FOLDER, names[i], ".aim"), &len);
    assert_non_null(text);
    session s;
    begin(&s);
    const char *got = messages(&s, names[i], text, len, NULL);
    if (!s.diags.errors) {
      fprintf(stderr, "%s: parses\n", names[i]);
      bad++;
    }
    if (!golden_equal(golden_path(path, sizeof path, FOLDER, names[i], ".expected"), got)) bad++;
    arena_free(&s.a);
    free(text);
  }
  golden_list_free(names, n);
  assert_int_equal(bad, 0);
}

static void expect(const char *text, size_t n, const char *want) {
  session s;
  begin(&s);
  assert_string_equal(messages(&s, "t.aim", text, n, NULL), want);
  arena_free(&s.a);
}

static void test_bytes(void **state) {
  (void)state;
  static const char nul[] = "model m() { a ~ \0D() }";
  expect(nul, sizeof nul - 1,
         "error[E0101]: a NUL byte in the source\n  --> t.aim:1:17\n   |\n 1 | model m() { a ~ \xef\xbf\xbd" "D() }\n   |                 ^\n   |\n"
         "   = help: is this a text file, saved as UTF-8?\n\n");
  static const char latin1[] = "model m() { gr\xf6\xdf" "e ~ D() }";
  session s;
  begin(&s);
  const char *got = messages(&s, "t.aim", latin1, sizeof latin1 - 1, NULL);
  assert_non_null(strstr(got, "byte 0xf6 is not valid UTF-8"));
  assert_non_null(strstr(got, "save the file as UTF-8"));
  arena_free(&s.a);
  static const char utf16[] = "\xff\xfem\0o\0d\0e\0l\0";
  begin(&s);
  got = messages(&s, "t.aim", utf16, sizeof utf16 - 1, NULL);
  assert_non_null(strstr(got, "this file is UTF-16"));
  assert_null(strstr(got, "NUL"));
  arena_free(&s.a);
  /* A closing quote cut off by the end of the file: nothing behind it is read. */
  static const char cut[] = "infer m on \xe2\x80\x9c" "a\xe2\x80";
  for (size_t n = 11; n < sizeof cut; n++) {
    begin(&s);
    messages(&s, "t.aim", cut, n, NULL);
    assert_true(s.diags.errors > 0);
    arena_free(&s.a);
  }
  /* An escape sequence in a source must not reach the terminal. */
  static const char escape[] = "model m() { a ~ D(\x1b[31m) `\x1b[2J` }";
  begin(&s);
  got = messages(&s, "t.aim", escape, sizeof escape - 1, NULL);
  assert_null(strchr(got, '\x1b'));
  assert_true(s.diags.errors > 0);
  arena_free(&s.a);
}

static void test_render_shape(void **state) {
  (void)state;
  /* The picture that the reference promises, with its two places and the help. */
  static const char text[] = "# Rubin\nmodel s(y: real[J]) {\n  mu ~ Normal(0, 5)\n  plate k in 1..K {\n    theta[k] ~ Normal(mu, 1)\n  }\n"
                             "    y[j] ~ Normal(theta[j], sigma[j])\n}\n";
  session s;
  begin(&s);
  int id = source_add(&s.map, "schools.aim", text, sizeof text - 1);
  uint32_t at = (uint32_t)(strstr(text, "theta[j]") - text), plate = (uint32_t)(strstr(text, "plate") - text);
  diag *d = diag_add(&s.diags, DIAG_ERROR, "E0501", (span){(uint32_t)id, at, 8}, "index `%s` runs over 1..J here, but `theta` has K elements", "j");
  diag_say(&s.diags, d, "J = %d, K = %d (from eight_schools.json)", 8, 5);
  diag_point(&s.diags, d, (span){(uint32_t)id, plate, 17}, "`theta` was built here");
  diag_help(&s.diags, d, "did you mean `mu[j]`?");
  strbuf b;
  strbuf_init(&b, &s.a);
  render_list(&b, &s.map, &s.diags, NULL);
  assert_string_equal(b.s, "error[E0501]: index `j` runs over 1..J here, but `theta` has K elements\n"
                           "  --> schools.aim:7:19\n"
                           "   |\n"
                           " 7 |     y[j] ~ Normal(theta[j], sigma[j])\n"
                           "   |                   ^^^^^^^^ J = 8, K = 5 (from eight_schools.json)\n"
                           "   |\n"
                           " 4 |   plate k in 1..K {\n"
                           "   |   ----------------- `theta` was built here\n"
                           "   |\n"
                           "   = help: did you mean `mu[j]`?\n\n");
  /* Colour adds escapes and nothing else. */
  strbuf c;
  strbuf_init(&c, &s.a);
  render_list(&c, &s.map, &s.diags, &(render_options){.colour = true});
  char *plain = malloc(c.n + 1), *out = plain;
  size_t escapes = 0;
  for (const char *p = c.s; *p;) {
    if (*p == '\x1b') {
      escapes++;
      while (*p != 'm') p++;
      p++;
    } else {
      *out++ = *p++;
    }
  }
  *out = '\0';
  assert_string_equal(plain, b.s);
  assert_true(escapes > 10);
  free(plain);
  arena_free(&s.a);
}

static const char *shown(session *s, const char *text, uint32_t off, uint32_t len, unsigned width) {
  begin(s);
  int id = source_add(&s->map, "t", text, strlen(text));
  diag *d = diag_add(&s->diags, DIAG_WARNING, "W0001", (span){(uint32_t)id, off, len}, "m");
  diag_say(&s->diags, d, "here");
  strbuf b;
  strbuf_init(&b, &s->a);
  render_diag(&b, &s->map, d, &(render_options){.width = width});
  return b.s;
}

static void test_render_corners(void **state) {
  (void)state;
  session s;
  assert_string_equal(shown(&s, "", 0, 0, 0), "warning[W0001]: m\n  --> t:1:1\n   |\n 1 |\n   | ^ here\n\n");
  arena_free(&s.a);
  assert_string_equal(shown(&s, "ab\n", 3, 0, 0), "warning[W0001]: m\n  --> t:2:1\n   |\n 2 |\n   | ^ here\n\n");
  arena_free(&s.a);
  assert_string_equal(shown(&s, "ab", 2, 0, 0), "warning[W0001]: m\n  --> t:1:3\n   |\n 1 | ab\n   |   ^ here\n\n");
  arena_free(&s.a);
  /* Beyond the end: clamped, not read. */
  assert_string_equal(shown(&s, "ab", 9, 9, 0), "warning[W0001]: m\n  --> t:1:3\n   |\n 1 | ab\n   |   ^ here\n\n");
  arena_free(&s.a);
  /* A tab reaches the next multiple of eight; a wide character is two columns, a combining mark none. */
  assert_string_equal(shown(&s, "a\tb", 2, 1, 0), "warning[W0001]: m\n  --> t:1:9\n   |\n 1 | a       b\n   |         ^ here\n\n");
  arena_free(&s.a);
  assert_string_equal(shown(&s, "\xe8\xae\x8a\xe6\x95\xb8 = e\xcc\x81x", 12, 1, 0),
                      "warning[W0001]: m\n  --> t:1:9\n   |\n 1 | \xe8\xae\x8a\xe6\x95\xb8 = e\xcc\x81x\n   |         ^ here\n\n");
  arena_free(&s.a);
  /* Several lines: the first, an ellipsis, the last. */
  assert_string_equal(shown(&s, "x {\n  a\n  b\n}\n", 2, 11, 0),
                      "warning[W0001]: m\n  --> t:1:3\n   |\n 1 | x {\n   |   ^\n ...\n 4 | }\n   | ^ here\n\n");
  arena_free(&s.a);
  assert_string_equal(shown(&s, "x {\n  }\n", 2, 5, 0), "warning[W0001]: m\n  --> t:1:3\n   |\n 1 | x {\n   |   ^\n 2 |   }\n   |   ^ here\n\n");
  arena_free(&s.a);
  /* A wide line is cut around the place. */
  char wide[400];
  memset(wide, '.', sizeof wide);
  memcpy(wide + 200, "HERE", 4);
  wide[399] = '\0';
  const char *got = shown(&s, wide, 200, 4, 40);
  assert_string_equal(got, "warning[W0001]: m\n  --> t:1:201\n   |\n 1 | ..............HERE......................\n   |               ^^^^ here\n\n");
  arena_free(&s.a);
  got = shown(&s, wide, 0, 399, 40);
  assert_non_null(strstr(got, "^ here"));
  for (const char *p = got; *p;) {
    size_t n = strcspn(p, "\n");
    assert_true(n < 60);
    p += n + (p[n] == '\n');
  }
  arena_free(&s.a);
}

static void test_json(void **state) {
  (void)state;
  session s;
  begin(&s);
  int id = source_add(&s.map, "a\xff\"b.aim", "x\ty\n", 4);
  diag *d = diag_add(&s.diags, DIAG_ERROR, "E0401", (span){(uint32_t)id, 2, 1}, "no \"y\"\x01");
  diag_say(&s.diags, d, "here");
  diag_point(&s.diags, d, (span){(uint32_t)id, 0, 1}, "there");
  diag_help(&s.diags, d, "one");
  diag_help(&s.diags, d, "two");
  diag_add(&s.diags, DIAG_WARNING, "W0650", (span){0}, "no place");
  strbuf b;
  strbuf_init(&b, &s.a);
  render_json_list(&b, &s.map, &s.diags);
  assert_string_equal(b.s,
                      "{\"severity\":\"error\",\"code\":\"E0401\",\"message\":\"no \\\"y\\\"\\u0001\",\"file\":\"a\\ufffd\\\"b.aim\",\"line\":1,\"column\":9,"
                      "\"end_line\":1,\"end_column\":10,\"offset\":2,\"length\":1,\"label\":\"here\",\"related\":[{\"label\":\"there\",\"file\":"
                      "\"a\\ufffd\\\"b.aim\",\"line\":1,\"column\":1,\"end_line\":1,\"end_column\":2,\"offset\":0,\"length\":1}],\"notes\":[],"
                      "\"help\":[\"one\",\"two\"]}\n"
                      "{\"severity\":\"warning\",\"code\":\"W0650\",\"message\":\"no place\",\"label\":null,\"related\":[],\"notes\":[],\"help\":[]}\n");
  arena_free(&s.a);
}

static void test_list_limits(void **state) {
  (void)state;
  session s;
  begin(&s);
  int id = source_add(&s.map, "t", "0123456789012345678901234567890123456789", 40);
  for (uint32_t i = 0; i < 30; i++) {
    diag *d = diag_add(&s.diags, DIAG_ERROR, "E0001", (span){(uint32_t)id, i, 1}, "e%u", i);
    diag_help(&s.diags, d, "h");
    diag_point(&s.diags, d, (span){(uint32_t)id, 0, 1}, "p");
    diag_say(&s.diags, d, "l");
    diag_note(&s.diags, d, "n");
  }
  assert_int_equal(s.diags.errors, DIAG_MAX_ERRORS);
  assert_int_equal(s.diags.dropped, 10);
  /* A second error at a place is a consequence of the first. */
  size_t before = s.diags.n;
  diag_add(&s.diags, DIAG_ERROR, "E0002", (span){(uint32_t)id, 3, 9}, "again");
  assert_int_equal(s.diags.n, before);
  assert_int_equal(s.diags.dropped, 10);
  diag_add(&s.diags, DIAG_WARNING, "W0002", (span){(uint32_t)id, 3, 9}, "but a warning is not");
  assert_int_equal(s.diags.n, before + 1);
  strbuf b;
  strbuf_init(&b, &s.a);
  render_list(&b, &s.map, &s.diags, NULL);
  assert_non_null(strstr(b.s, "and 10 more errors\n"));
  arena_free(&s.a);
}

static void test_nearest(void **state) {
  (void)state;
  static const char *const names[] = {"Normal", "LogNormal", "theta", "tau", "sigma", NULL, "mu", "Bernoulli", "x"};
  size_t n = sizeof names / sizeof *names;
  assert_string_equal(diag_nearest("normal", names, n), "Normal");
  assert_string_equal(diag_nearest("tehta", names, n), "theta");
  assert_string_equal(diag_nearest("simga", names, n), "sigma");
  assert_string_equal(diag_nearest("Bernouli", names, n), "Bernoulli");
  assert_string_equal(diag_nearest("lognormal", names, n), "LogNormal");
  assert_string_equal(diag_nearest("tua", names, n), "tau");
  assert_null(diag_nearest("omega_squared", names, n));
  assert_null(diag_nearest("y", names, n));
  assert_null(diag_nearest("zz", names, n));
  assert_int_equal(diag_distance("ca", "abc", 5), 3); /* no substring edited twice */
  assert_int_equal(diag_distance("abcd", "acbd", 5), 1);
  assert_int_equal(diag_distance("", "abc", 5), 3);
  assert_int_equal(diag_distance("abcdef", "uvwxyz", 2), 3);
  char huge[200];
  memset(huge, 'a', sizeof huge);
  huge[199] = '\0';
  assert_null(diag_nearest(huge, names, n));
}

static void test_source(void **state) {
  (void)state;
  session s;
  begin(&s);
  uint32_t id = (uint32_t)source_add(&s.map, "t", "a\nbb\r\n\rc", 8);
  assert_int_equal(source_line_count(&s.map, id), 4);
  static const struct {
    uint32_t off, line, column;
  } cases[] = {{0, 1, 1}, {1, 1, 2}, {2, 2, 1}, {4, 2, 3}, {6, 3, 1}, {7, 4, 1}, {8, 4, 2}, {99, 4, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    source_place p = source_locate(&s.map, id, cases[i].off);
    assert_int_equal(p.line, cases[i].line);
    assert_int_equal(p.column, cases[i].column);
  }
  assert_int_equal(source_line(&s.map, id, 2).len, 2);
  assert_int_equal(source_line(&s.map, id, 5).len, 0);
  assert_null(source_get(&s.map, 2));
  uint32_t cp;
  assert_int_equal(utf8_decode("\xc0\x80", 2, &cp), 0);         /* overlong */
  assert_int_equal(utf8_decode("\xed\xa0\x80", 3, &cp), 0);     /* surrogate */
  assert_int_equal(utf8_decode("\xf4\x90\x80\x80", 4, &cp), 0); /* out of range */
  assert_int_equal(utf8_decode("\xe2\x82", 2, &cp), 0);         /* cut off */
  assert_int_equal(utf8_decode("\xe2\x82\xac", 3, &cp), 3);
  assert_int_equal(cp, 0x20ac);
  arena_free(&s.a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_goldens),        cmocka_unit_test(test_bytes),       cmocka_unit_test(test_render_shape),
      cmocka_unit_test(test_render_corners), cmocka_unit_test(test_list_limits), cmocka_unit_test(test_nearest),
      cmocka_unit_test(test_source),         cmocka_unit_test(test_json),
  };
  return cmocka_run_group_tests_name("lang_diag", tests, NULL, NULL);
}
