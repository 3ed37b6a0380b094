/* test_lang_parse.c: trees of programs against goldens; printing and parsing is the identity; no input and no failing
 * allocation crashes or leaks.
 *
 * Takes the number of random inputs (default 20000). */
#include "lang/lex.h"
#include "lang/parse.h"
#include "lang/render.h"
#include "tests/unit/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define FOLDER "tests/parse"

static unsigned long random_inputs = 20000;

/* An allocator that counts, and can be told to fail from the n-th request on or at the n-th only. */
typedef struct counting {
  size_t live, calls, fail_at;
  bool once;
} counting;

static void *counted(void *user, void *ptr, size_t old_size, size_t size) {
  counting *c = user;
  if (size == 0) {
    c->live -= old_size;
    free(ptr);
    return NULL;
  }
  c->calls++;
  if (c->fail_at && (c->once ? c->calls == c->fail_at : c->calls >= c->fail_at)) return NULL;
  void *p = realloc(ptr, size);
  if (p) c->live += size - (ptr ? old_size : 0);
  return p;
}

typedef struct session {
  arena a;
  source_map map;
  intern_table names;
  diag_list diags;
  ast_file *file;
  char *dump, *print, *messages;
} session;

/* Everything that is done with a text; false when memory ran out. */
static bool parse_text(session *s, const aim_alloc *alloc, const char *name, const char *text, size_t n) {
  memset(s, 0, sizeof *s);
  arena_init(&s->a, alloc, 0);
  if (ARENA_TRY(&s->a)) return false;
  source_map_init(&s->map, &s->a);
  intern_init(&s->names, &s->a);
  diag_init(&s->diags, &s->a);
  int id = source_add(&s->map, name, text, n);
  s->file = parse_file(&s->a, &s->names, &s->map, id, &s->diags);
  strbuf b;
  strbuf_init(&b, &s->a);
  ast_dump(&b, s->file);
  s->dump = b.s;
  strbuf_init(&b, &s->a);
  ast_print(&b, s->file);
  s->print = b.s;
  strbuf_init(&b, &s->a);
  render_list(&b, &s->map, &s->diags, NULL);
  s->messages = b.s;
  return true;
}

static counting counter;
static const aim_alloc host = {counted, &counter};

/* For tests in which memory does not run out. */
static void begin(session *s) {
  memset(s, 0, sizeof *s);
  arena_init(&s->a, &host, 0);
  if (ARENA_TRY(&s->a)) abort();
  source_map_init(&s->map, &s->a);
  intern_init(&s->names, &s->a);
  diag_init(&s->diags, &s->a);
}

static void test_goldens(void **state) {
  (void)state;
  size_t n;
  char **names = golden_list(FOLDER, ".aim", &n);
  assert_true(n >= 18);
  int bad = 0;
  for (size_t i = 0; i < n; i++) {
    char path[512];
    size_t len = 0;
    char *text = golden_read(golden_path(path, sizeof path, FOLDER, names[i], ".aim"), &len);
    assert_non_null(text);
    session s;
    assert_true(parse_text(&s, &host, names[i], text, len));
    if (s.diags.n) {
      fprintf(stderr, "%s", s.messages);
      bad++;
    }
    if (!golden_equal(golden_path(path, sizeof path, FOLDER, names[i], ".expected"), s.dump)) bad++;
    session again;
    assert_true(parse_text(&again, &host, "printed", s.print, strlen(s.print)));
    if (again.diags.n || strcmp(again.dump, s.dump) != 0 || strcmp(again.print, s.print) != 0) {
      fprintf(stderr, "%s: printing and parsing changes the tree\n%s%s", names[i], s.print, again.messages);
      bad++;
    }
    arena_free(&again.a);
    arena_free(&s.a);
    free(text);
  }
  golden_list_free(names, n);
  assert_int_equal(bad, 0);
  assert_int_equal(counter.live, 0);
}

/* Spans: every node's lies in its file, and a child's in its parent's where the child's text does. */
static void check_expr(const ast_expr *e, span outer) {
  assert_true(e->at.file == outer.file);
  assert_true(e->at.off >= outer.off && e->at.off + e->at.len <= outer.off + outer.len);
  assert_true(e->id > 0 && e->depth >= 1);
  switch (e->kind) {
  case EXPR_UNARY: check_expr(e->unary.arg, e->at); break;
  case EXPR_BINARY: check_expr(e->binary.lhs, e->at), check_expr(e->binary.rhs, e->at); break;
  case EXPR_CALL:
    for (size_t i = 0; i < e->call.args.n; i++) check_expr(e->call.args.items[i].value, e->at);
    break;
  case EXPR_INDEX:
    check_expr(e->index.base, e->at);
    for (size_t i = 0; i < e->index.subs.n; i++) check_expr(e->index.subs.items[i], e->at);
    break;
  case EXPR_ARRAY:
    for (size_t i = 0; i < e->array.elems.n; i++) check_expr(e->array.elems.items[i], e->at);
    break;
  case EXPR_IF: check_expr(e->if_.cond, e->at), check_expr(e->if_.then, e->at), check_expr(e->if_.else_, e->at); break;
  case EXPR_LET: check_expr(e->let.value, e->at), check_expr(e->let.body, e->at); break;
  case EXPR_REDUCE: check_expr(e->reduce.body, e->at); break;
  case EXPR_COMPREHENSION: check_expr(e->comprehension.body, e->at); break;
  default: break;
  }
}

static void check_block(const ast_block *b, span outer) {
  assert_true(b->at.off >= outer.off && b->at.off + b->at.len <= outer.off + outer.len);
  for (size_t i = 0; i < b->n; i++) {
    const ast_stmt *s = b->items[i];
    assert_true(s->at.off >= b->at.off && s->at.off + s->at.len <= b->at.off + b->at.len);
    if (s->kind == STMT_SAMPLE) check_expr(s->sample.dist, s->at);
    if (s->kind == STMT_LET) check_expr(s->let.value, s->at);
    if (s->kind == STMT_PLATE) check_block(s->plate.body, s->at);
    if (s->kind == STMT_FOR) check_block(s->for_.body, s->at);
    if (s->kind == STMT_ENERGY) check_expr(s->value, s->at);
  }
}

static void test_spans(void **state) {
  (void)state;
  size_t n;
  char **names = golden_list(FOLDER, ".aim", &n);
  for (size_t i = 0; i < n; i++) {
    char path[512];
    size_t len = 0;
    char *text = golden_read(golden_path(path, sizeof path, FOLDER, names[i], ".aim"), &len);
    session s;
    assert_true(parse_text(&s, &host, names[i], text, len));
    for (size_t k = 0; k < s.file->n; k++) {
      const ast_decl *d = s.file->items[k];
      assert_true(d->at.off + d->at.len <= len && d->at.len > 0);
      assert_true(d->id < s.file->ids);
      if (d->body) check_block(d->body, d->at);
      if (d->value) check_expr(d->value, d->at);
    }
    arena_free(&s.a);
    free(text);
  }
  golden_list_free(names, n);
}

/* Spans of single things, as a message would underline them. */
static void test_span_texts(void **state) {
  (void)state;
  static const char text[] = "model m(y: real<lower = 0>[N]) {\n  plate j in 1..N { y[j] ~ (Normal(a.b, -x' ^ 2)) }\n}\n";
  session s;
  assert_true(parse_text(&s, &host, "t", text, sizeof text - 1));
  assert_int_equal(s.diags.n, 0);
  const ast_decl *d = s.file->items[0];
#define TEXT_IS(s_, want)                                      \
  do {                                                         \
    assert_int_equal((s_).len, strlen(want));                  \
    assert_memory_equal(text + (s_).off, want, strlen(want));  \
  } while (0)
  TEXT_IS(d->head, "model m(y: real<lower = 0>[N])");
  TEXT_IS(d->params.items[0].at, "y: real<lower = 0>[N]");
  TEXT_IS(d->params.items[0].type->at, "real<lower = 0>[N]");
  const ast_stmt *plate = d->body->items[0];
  TEXT_IS(plate->plate.iter.items[0].at, "j in 1..N");
  const ast_stmt *site = plate->plate.body->items[0];
  TEXT_IS(site->at, "y[j] ~ (Normal(a.b, -x' ^ 2))");
  TEXT_IS(site->sample.target.at, "y[j]");
  TEXT_IS(site->sample.tilde, "~");
  TEXT_IS(site->sample.dist->at, "(Normal(a.b, -x' ^ 2))");
  const ast_args *args = &site->sample.dist->call.args;
  TEXT_IS(args->items[0].at, "a.b");
  TEXT_IS(args->items[1].at, "-x' ^ 2");
  TEXT_IS(args->items[1].value->unary.arg->binary.op_at, "^");
  arena_free(&s.a);
}

static char *dump_of(session *s, const char *text) {
  assert_true(parse_text(s, &host, "t", text, strlen(text)));
  return s->dump;
}

static void expect_dump(const char *text, const char *want) {
  session s;
  char *got = dump_of(&s, text);
  if (s.diags.n) fprintf(stderr, "%s", s.messages);
  assert_int_equal(s.diags.n, 0);
  assert_string_equal(got, want);
  arena_free(&s.a);
}

static void test_precedence(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"-x ^ 2", "(neg (^ x 2))"},
      {"2 ^ -1 ^ y", "(^ 2 (neg (^ 1 y)))"},
      {"a - b - c", "(- (- a b) c)"},
      {"a @ b' * c", "(* (@ a (transpose b)) c)"},
      {"not a == b and c or d", "(or (and (not (== a b)) c) d)"},
      {"a // b % c / d", "(/ (% (// a b) c) d)"},
      {"x[1, :][2..T]'", "(transpose (index (index x 1 :) (.. 2 T)))"},
      {"let z = 1 in z + 1", "(let z 1 (+ z 1))"},
      {"if a { 1 } else if b { 2 } else { 3 }", "(if a 1 (if b 2 3))"},
      {"0.1 -> 10", "(-> 0.1 10)"},
      {"a then b until c repeat 3", "(repeat (until (then a b) c) 3)"},
      {"sum(x[i] for i in 1..N, j in 1..i by 2 if i > j)", "(reduce sum (index x i) (for (i 1 N) (j 1 i by 2) (if (> i j))))"},
      {"[i * j for i in 1..N, j in xs]", "(build (* i j) (for (i 1 N) (j in xs)))"},
      {"f(a, b = [1, 2.5,], c)", "(call f a (= b (array 1 2.5)) c)"},
      {"columns(age..bmi)", "(call columns (.. age bmi))"},
      {"(a + b) * -c", "(* (+ a b) (neg c))"},
      {"step + state * with", "(+ step (* state with))"},
      {"hs.beta[2]", "(index (field hs beta) 2)"},
      {"true or false", "(or true false)"},
      {"1e3 + 2.5e-4", "(+ 1e3 2.5e-4)"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    session s;
    begin(&s);
    int id = source_add(&s.map, "e", cases[i][0], strlen(cases[i][0]));
    ast_expr *e = parse_expr(&s.a, &s.names, &s.map, id, &s.diags);
    assert_non_null(e);
    strbuf b, printed;
    strbuf_init(&b, &s.a);
    ast_dump_expr(&b, e);
    assert_string_equal(b.s, cases[i][1]);
    strbuf_init(&printed, &s.a);
    ast_print_expr(&printed, e);
    id = source_add(&s.map, "again", printed.s, printed.n);
    ast_expr *again = parse_expr(&s.a, &s.names, &s.map, id, &s.diags);
    assert_non_null(again);
    strbuf_init(&b, &s.a);
    ast_dump_expr(&b, again);
    assert_string_equal(b.s, cases[i][1]);
    arena_free(&s.a);
  }
}

static void test_newlines(void **state) {
  (void)state;
  expect_dump("model m() {\n  a ~ N(0,\n    1)\n  let b = a +\n    2\n}", "(model m (params)\n  (do\n    (~ a (call N 0 1))\n    (let b (+ a 2))))\n");
  expect_dump("model m()\n{\n\n;;a ~ D(); b ~ E();\n}\n;\n", "(model m (params)\n  (do\n    (~ a (call D))\n    (~ b (call E))))\n");
  expect_dump("infer m on \"x\",\n  K = 2\n  given phi = 1\n  with nuts\n  as n\n", "(infer m (on \"x\" (= K 2)) (given (= phi 1)) (with nuts) (as n))\n");
}

static void test_newline_after_quote(void **state) {
  (void)state;
  expect_dump("model m(a: real[N, N], s: real) {\n  let b = a'\n  s ~ D(b)\n}",
              "(model m (params (a (type real (dims N N))) (s (type real)))\n  (do\n    (let b (transpose a))\n    (~ s (call D b))))\n");
  expect_dump("model m() {\r\n  a ~ D() # x\r\n  b ~ D()\r\n}\r\n", "(model m (params)\n  (do\n    (~ a (call D))\n    (~ b (call D))))\n");
  expect_dump("\xef\xbb\xbf# only a comment", "");
  expect_dump("", "");
  expect_dump("model m() { if a { x ~ D() }\n else if b { y ~ E() }\n else { z ~ F() } }",
              "(model m (params)\n  (do\n    (if a\n      (then\n        (~ x (call D)))\n      (else-if\n        (if b\n          (then\n            (~ y (call E)))\n"
              "          (else\n            (~ z (call F))))))))\n");
}

static void test_names_that_are_keywords(void **state) {
  (void)state;
  expect_dump("model model(state: real, index: index(K)[N]) {\n  step ~ D(state)\n  start[1] ~ D(index)\n  energy: real ~ D(with)\n  predict energy\n"
              "  track ~ D()\n}",
              "(model model (params (state (type real)) (index (type index (of K) (dims N))))\n  (do\n    (~ step (call D state))\n"
              "    (~ (var start (at 1)) (call D index))\n    (~ (var energy (type real)) (call D with))\n    (replicate energy)\n"
              "    (~ track (call D))))\n");
  expect_dump("infer on on \"a\", with = 3 with with as as", "(infer on (on \"a\" (= with 3)) (with with) (as as))\n");
  expect_dump("infer m on \"pima.csv\", y = `Sepal.Length`", "(infer m (on \"pima.csv\" (= y `Sepal.Length`)))\n");
}

static void test_run_clauses(void **state) {
  (void)state;
  expect_dump("infer m with nuts(chains = 4), save = [a] until ess(400) on \"x\"",
              "(infer m (on \"x\") (with (call nuts (= chains 4)) (= save (array a))) (until (call ess 400)))\n");
  expect_dump("infer m as n until rhat(1.01)", "(infer m (until (call rhat 1.01)) (as n))\n");
  expect_dump("simulate a in w on \"x\" for 100 steps, trials = 5", "(simulate a (in w) (on \"x\") (with (= trials 5)) (steps 100))\n");
  expect_dump("anneal m with cool(3) until stable() using gibbs", "(anneal m (with (until (call cool 3) (call stable))) (using gibbs))\n");
}

static void test_numbers(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double value;
  } cases[] = {{"0.1", 0.1}, {"1e-4", 1e-4}, {"2.5e10", 2.5e10}, {"1.7976931348623157e308", 1.7976931348623157e308},
               {"4.9e-324", 4.9e-324}, {"0.30000000000000004", 0.1 + 0.2}, {"0.0e-999999999999", 0.0},
               {"123456789012345678901234567890.5", 123456789012345678901234567890.5}, {"6.02214076e+23", 6.02214076e23}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    session s;
    begin(&s);
    ast_expr *e = parse_expr(&s.a, &s.names, &s.map, source_add(&s.map, "e", cases[i].text, strlen(cases[i].text)), &s.diags);
    assert_non_null(e);
    assert_int_equal(e->kind, EXPR_REAL);
    assert_memory_equal(&e->real.value, &cases[i].value, sizeof(double));
    arena_free(&s.a);
  }
}

static void test_limits(void **state) {
  (void)state;
  /* Each of these is far over a limit; all must come back as a message, and the tree within the height promised. */
  static const struct {
    const char *open, *close;
  } shapes[] = {{"(", ")"}, {"[", "]"}, {"-", ""}, {"not ", ""}, {"f(", ")"}, {"let x = 1 in ", ""}, {"x^", ""},
                {"if c { ", " } else { 1 }"}, {"1 + ", ""}, {"x[", "]"}};
  enum { DEPTH = 20000 };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    size_t lo = strlen(shapes[i].open), lc = strlen(shapes[i].close);
    char *text = malloc(64 + DEPTH * (lo + lc)), *at = text;
    at += sprintf(at, "model m() { x ~ ");
    for (int k = 0; k < DEPTH; k++) memcpy(at, shapes[i].open, lo), at += lo;
    *at++ = '1';
    for (int k = 0; k < DEPTH; k++) memcpy(at, shapes[i].close, lc), at += lc;
    at += sprintf(at, " }\n");
    session s;
    assert_true(parse_text(&s, &host, "deep", text, (size_t)(at - text)));
    assert_true(s.diags.errors > 0);
    assert_non_null(strstr(s.messages, "levels deep"));
    arena_free(&s.a);
    free(text);
  }
  char *blocks = malloc(20 * 5000), *at = blocks;
  at += sprintf(at, "model m() { ");
  for (int k = 0; k < 5000; k++) at += sprintf(at, "if c { } else ");
  at += sprintf(at, "{ } }");
  session s;
  assert_true(parse_text(&s, &host, "chain", blocks, (size_t)(at - blocks)));
  assert_true(s.diags.errors > 0);
  arena_free(&s.a);
  free(blocks);
  /* A sum just inside the limit. */
  char *sum = malloc(4000);
  at = sum + sprintf(sum, "model m() { x ~ D(0");
  for (int k = 0; k < AST_MAX_DEPTH - 3; k++) at += sprintf(at, " + y");
  at += sprintf(at, ") }");
  assert_true(parse_text(&s, &host, "sum", sum, (size_t)(at - sum)));
  assert_int_equal(s.diags.n, 0);
  arena_free(&s.a);
  free(sum);
  /* A file over the limit is refused, one at it is read in linear time. */
  char *big = malloc(SOURCE_MAX_BYTES + 1);
  memset(big, '(', SOURCE_MAX_BYTES + 1);
  source_map map;
  arena a;
  arena_init(&a, &host, 0);
  assert_int_equal(ARENA_TRY(&a), 0);
  source_map_init(&map, &a);
  assert_int_equal(source_add(&map, "big", big, SOURCE_MAX_BYTES + 1), 0);
  arena_free(&a);
  memset(big, '?', SOURCE_MAX_BYTES);
  assert_true(parse_text(&s, &host, "big", big, SOURCE_MAX_BYTES / 4));
  arena_free(&s.a);
  for (size_t i = 0; i + 4 < SOURCE_MAX_BYTES; i += 4) memcpy(big + i, "a b\n", 4);
  assert_true(parse_text(&s, &host, "big", big, SOURCE_MAX_BYTES / 4));
  assert_true(s.diags.dropped < 1000);
  arena_free(&s.a);
  free(big);
}

static void test_failing_allocations(void **state) {
  (void)state;
  size_t n;
  char **names = golden_list(FOLDER, ".aim", &n);
  size_t failures = 0;
  for (size_t i = 0; i < n; i++) {
    if (strncmp(names[i], "page_", 5) != 0) continue;
    char path[512];
    size_t len = 0;
    char *text = golden_read(golden_path(path, sizeof path, FOLDER, names[i], ".aim"), &len);
    text[len / 2] = '}'; /* so that diagnostics and recovery allocate as well */
    for (int once = 0; once < 2; once++) {
      /* Sanitizer builds ask the host for each object: thousands of requests, of which a stride sees enough. */
      size_t stride = 1;
      for (size_t at = 1;; at += stride) {
        counting c = {.fail_at = at, .once = once};
        aim_alloc failing = {counted, &c};
        session s;
        bool ok = parse_text(&s, &failing, names[i], text, len);
        arena_free(&s.a);
        assert_int_equal(c.live, 0);
        if (ok) break;
        failures++;
        if (at >= 300) stride = 37;
      }
    }
    free(text);
  }
  golden_list_free(names, n);
  assert_true(failures > 50);
}

/* A small generator of its own, so that a failure repeats: xorshift64*. */
static uint64_t seed_state = 0x9e3779b97f4a7c15u;
static uint32_t below(uint32_t n) {
  seed_state ^= seed_state >> 12, seed_state ^= seed_state << 25, seed_state ^= seed_state >> 27;
  return (uint32_t)((seed_state * 0x2545f4914f6cdd1du) >> 33) % n;
}

static const char *const soup[] = {
    "model ", "agent ", "world ", "fn ", "dist ", "schedule ", "infer ", "anneal ", "import ", "let ", "plate ", "for ", "in ", "if ", "else ", "(", ")",
    "[", "]", "{", "}", "\n", ";", "~", "=", "==", "<", ">", ">=", "<=", "..", "...", ",", ":", ".", "+", "-", "*", "/", "//", "%", "^", "@", "'", "->",
    "x", "Normal", "1", "2.5", "1.", ".5", "1e", "\"s\"", "\"", "`a b`", "`", "and ", "or ", "not ", "with ", "on ", "given ", "until ", "then ", "as ",
    "state ", "action ", "observe ", "start ", "step ", "every ", "prefer ", "predict ", "track ", "energy ", "factor ", "return ", "true ", "steps ",
    "using ", "by ", "#c\n", "&&", "\xc3\xa9", "\xff", "<-", "+=", "real", "target", "data ", "/*", "*/", "99999999999999999999", "1e999", "\t", "\r"};

static void test_random(void **state) {
  (void)state;
  size_t n;
  char **names = golden_list(FOLDER, ".aim", &n);
  char *texts[64];
  size_t lens[64];
  assert_true(n <= 64);
  for (size_t i = 0; i < n; i++) {
    char path[512];
    texts[i] = golden_read(golden_path(path, sizeof path, FOLDER, names[i], ".aim"), &lens[i]);
  }
  size_t clean = 0;
  for (unsigned long k = 0; k < random_inputs; k++) {
    char text[8192];
    size_t len = 0;
    if (k % 3 == 0) {
      for (uint32_t i = 0, words = 1 + below(60); i < words; i++) {
        const char *w = soup[below(sizeof soup / sizeof *soup)];
        memcpy(text + len, w, strlen(w)), len += strlen(w);
      }
    } else {
      /* A piece of a program with some places deleted, doubled or replaced. */
      uint32_t which = below((uint32_t)n);
      size_t from = below((uint32_t)lens[which] / 2 + 1), to = from + below((uint32_t)(lens[which] - from) + 1);
      if (k % 3 == 1) from = 0;
      if (k % 3 == 2) from = 0, to = lens[which];
      if (to - from > 6000) to = from + 6000;
      int edits = 1 + (int)below(4), left = k % 3 == 2 ? edits : 1000;
      size_t step = (to - from) / (size_t)edits + 1;
      for (size_t at = from; at < to;) {
        size_t piece = below((uint32_t)step) + 1;
        if (at + piece > to) piece = to - at;
        memcpy(text + len, texts[which] + at, piece), len += piece;
        at += piece;
        const char *w = soup[below(sizeof soup / sizeof *soup)];
        if (left-- <= 0) {
          memcpy(text + len, texts[which] + at, to - at), len += to - at;
          break;
        }
        if (len > 7000) break;
        switch (below(4)) {
        case 0: at += below(8); break;
        case 1: memcpy(text + len, w, strlen(w)), len += strlen(w); break;
        case 2: at += 1; memcpy(text + len, w, strlen(w)), len += strlen(w); break;
        default: break;
        }
      }
    }
    session s;
    assert_true(parse_text(&s, &host, "random", text, len));
    if (s.diags.errors == 0) {
      /* What parses prints, and the printed text parses to the same tree. */
      clean++;
      session again;
      assert_true(parse_text(&again, &host, "printed", s.print, strlen(s.print)));
      if (again.diags.errors || strcmp(again.dump, s.dump) != 0) {
        fprintf(stderr, "input:\n%.*s\nprinted:\n%s\n%s", (int)len, text, s.print, again.messages);
        fail();
      }
      arena_free(&again.a);
    }
    arena_free(&s.a);
  }
  for (size_t i = 0; i < n; i++) free(texts[i]);
  golden_list_free(names, n);
  assert_true(clean > random_inputs / 100);
  assert_int_equal(counter.live, 0);
}

int main(int argc, char **argv) {
  if (argc > 1) random_inputs = strtoul(argv[1], NULL, 10);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_goldens),          cmocka_unit_test(test_spans),
      cmocka_unit_test(test_span_texts),       cmocka_unit_test(test_precedence),
      cmocka_unit_test(test_newlines),         cmocka_unit_test(test_newline_after_quote),
      cmocka_unit_test(test_names_that_are_keywords), cmocka_unit_test(test_run_clauses),
      cmocka_unit_test(test_numbers),          cmocka_unit_test(test_limits),
      cmocka_unit_test(test_failing_allocations), cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests_name("lang_parse", tests, NULL, NULL);
}
