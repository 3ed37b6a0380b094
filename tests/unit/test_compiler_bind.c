/* Binding and plans: every wrong statement of tests/bind/wrong with its whole messages in tests/bind/wrong.expected; right ones by
 * their values; overrides; each allocation failing.  The statements of one file are bound one after the other in one program, so that
 * nothing of one run may show in the next. */
#include "compiler/bind.h"
#include "compiler/plan.h"
#include "lang/render.h"
#include "tests/unit/comma_locale.h"
#include "tests/unit/golden.h"
#include "tests/unit/host.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture {
  host count;
  aim_alloc alloc;
  arena a;
  program p;
  data_set ds;
} fixture;

static jmp_buf out_of_memory;

static void start(fixture *f) {
  memset(f, 0, sizeof *f);
  f->alloc = (aim_alloc){host_fn, &f->count};
  arena_init(&f->a, &f->alloc, 0);
  f->a.oom = &out_of_memory;
}

static void end(fixture *f) {
  arena_free(&f->a);
  assert_int_equal(f->count.bytes, 0);
}

static void show(fixture *f) {
  strbuf b;
  strbuf_init(&b, &f->a);
  render_list(&b, &f->p.sources, &f->p.diags, NULL);
  fputs(b.s, stderr);
}

/* Opens a text; what the checker warns of is not looked at here. */
static void open_text(fixture *f, const char *name, const char *text) {
  if (!program_open(&f->p, &f->a, name, text, strlen(text))) {
    show(f);
    fail_msg("%s was refused", name);
  }
  diag_init(&f->p.diags, &f->a);
  data_init(&f->ds, &f->a, &f->p.diags);
}

static void open_file(fixture *f, const char *path) {
  char *text = golden_read(path, NULL);
  assert_non_null(text);
  open_text(f, path, text);
  free(text);
}

static const ast_decl *run_named(fixture *f, const char *name) {
  const ast_file *file = f->p.check.file;
  for (size_t k = 0; k < file->n; k++)
    if (file->items[k]->kind == DECL_RUN && file->items[k]->run->as.name && strcmp(file->items[k]->run->as.name, name) == 0)
      return file->items[k];
  fail_msg("no statement is called %s", name);
  return NULL;
}

static bool bind_run(fixture *f, const ast_decl *run) { return program_bind(&f->p, program_model(&f->p, run), run, &f->ds); }

static const exec_cell *cells_of(fixture *f, const char *name) {
  for (size_t k = 0; k < f->p.ndata; k++)
    if (strcmp(f->p.data[k].name, name) == 0) return f->p.data[k].p;
  return NULL;
}

static int64_t size_of(fixture *f, const char *name) {
  int64_t n = INT64_MIN;
  size_value(f->p.sizes, size_symbol(f->p.sizes, name), &n);
  return n;
}

static void is_reals(fixture *f, const char *name, size_t n, const double *want) {
  const exec_cell *c = cells_of(f, name);
  assert_non_null(c);
  for (size_t k = 0; k < n; k++) assert_true(c[k].real == want[k]);
}

static void is_ints(fixture *f, const char *name, size_t n, const int64_t *want) {
  const exec_cell *c = cells_of(f, name);
  assert_non_null(c);
  for (size_t k = 0; k < n; k++) assert_int_equal(c[k].integer, want[k]);
}

/* --- wrong ones ---------------------------------------------------------------------------------------------------- */

typedef struct flag_case {
  const char *name, *file, *run, *data[3];
} flag_case;

static const flag_case flags[] = {
    {"unknown name", "shapes.aim", "off_by_one", {"Q=1"}},
    {"near name", "names.aim", "nothing", {"sigm = [1]"}},
    {"syntax", "names.aim", "nothing", {"y = [1,"}},
    {"no name", "names.aim", "nothing", {"= 3"}},
    {"absent file", "names.aim", "nothing", {"nowhere.csv"}},
    {"wrong value", "names.aim", "nothing", {"y=[1, 2]", "sigma=[1, -1]"}},
    {"flag against file", "shapes.aim", "size_and_length", {"J=5"}},
    {"column of a file", "bindings.aim", "call", {"X=columns(y, heart)", "K=3"}},
};

static size_t n_wrong;

static void add_case(fixture *f, strbuf *out, const char *file, const char *name, bool ok) {
  strbuf_printf(out, "=== %s: %s\n", file, name);
  render_list(out, &f->p.sources, &f->p.diags, NULL);
  if (ok || f->p.diags.errors == 0) fail_msg("%s: %s was accepted", file, name);
  n_wrong++;
}

static void test_wrong(void **state) {
  (void)state;
  fixture text;
  start(&text);
  strbuf out;
  strbuf_init(&out, &text.a);
  size_t n;
  char **files = golden_list("tests/bind/wrong", ".aim", &n);
  for (size_t i = 0; i < n; i++) {
    fixture f;
    start(&f);
    char path[256];
    snprintf(path, sizeof path, "tests/bind/wrong/%s", files[i]);
    open_file(&f, path);
    const ast_file *file = f.p.check.file;
    for (size_t k = 0; k < file->n; k++) {
      if (file->items[k]->kind != DECL_RUN) continue;
      diag_init(&f.p.diags, &f.a);
      data_init(&f.ds, &f.a, &f.p.diags);
      bool ok = bind_run(&f, file->items[k]);
      add_case(&f, &out, files[i], file->items[k]->run->as.name, ok);
    }
    end(&f);
  }
  for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
    fixture f;
    start(&f);
    char path[256];
    snprintf(path, sizeof path, "tests/bind/wrong/%s", flags[i].file);
    open_file(&f, path);
    bool ok = true;
    for (size_t k = 0; k < 3 && flags[i].data[k]; k++) ok &= bind_override(&f.p, &f.ds, flags[i].data[k]);
    if (ok) ok = bind_run(&f, run_named(&f, flags[i].run));
    add_case(&f, &out, flags[i].file, flags[i].name, ok);
    end(&f);
  }
  golden_list_free(files, n);
  assert_true(n_wrong >= 100);
  assert_true(golden_equal("tests/bind/wrong.expected", out.s));
  end(&text);
}

/* --- right ones ---------------------------------------------------------------------------------------------------- */

static void expect(fixture *f, const char *run) {
  diag_init(&f->p.diags, &f->a);
  data_init(&f->ds, &f->a, &f->p.diags);
  if (bind_run(f, run_named(f, run))) return;
  show(f);
  fail_msg("%s was refused", run);
}

static void test_right(void **state) {
  (void)state;
  fixture f;
  start(&f);
  open_file(&f, "tests/bind/right/right.aim");

  expect(&f, "plain");
  is_reals(&f, "y", 3, (double[]){28, 8, -3}); /* ints of the file as reals */
  is_reals(&f, "sigma", 3, (double[]){15, 10, 16});
  assert_int_equal(size_of(&f, "J"), 3);
  assert_int_equal(f.p.ndata, 2);
  assert_int_equal(f.p.diags.n, 0);

  expect(&f, "inline_only"); /* another J in the same program */
  is_reals(&f, "y", 2, (double[]){-1.5, 8});
  is_reals(&f, "sigma", 2, (double[]){0.5, 1});
  assert_int_equal(size_of(&f, "J"), 2);

  expect(&f, "renamed");
  is_reals(&f, "x", 3, (double[]){3.6, 1.8, 3.333});
  assert_int_equal(size_of(&f, "K"), 2); /* the default */
  assert_null(cells_of(&f, "K"));
  expect(&f, "renamed_3");
  assert_int_equal(size_of(&f, "K"), 3);

  expect(&f, "columns");
  is_reals(&f, "X", 6, (double[]){3.6, 79, 1.8, 54, 3.333, 74});
  assert_int_equal(size_of(&f, "P"), 2);
  expect(&f, "columns_range");
  is_reals(&f, "X", 9, (double[]){3.6, 79, 1, 1.8, 54, 0, 3.333, 74, 1});
  assert_int_equal(size_of(&f, "P"), 3);

  expect(&f, "kinds");
  is_ints(&f, "b", 3, (int64_t[]){1, 0, 1});
  is_ints(&f, "c", 3, (int64_t[]){0, 1, 0});
  is_ints(&f, "g", 3, (int64_t[]){2, 1, 2});
  is_ints(&f, "n", 3, (int64_t[]){2, 1, 40});
  is_ints(&f, "s", 3, (int64_t[]){1, -1, 1});
  assert_int_equal(size_of(&f, "G"), 2); /* levels */
  assert_int_equal(f.p.diags.n, 0);

  expect(&f, "largest");
  assert_int_equal(size_of(&f, "K"), 7);
  assert_int_equal(f.p.diags.n, 1); /* says so */
  assert_string_equal(f.p.diags.items[0]->code, "N0785");
  assert_int_equal(f.p.diags.errors, 0);
  assert_null(cells_of(&f, "h")); /* a default that lowering puts in */
  expect(&f, "largest_given");
  assert_int_equal(size_of(&f, "K"), 9);
  assert_int_equal(f.p.diags.n, 0);
  is_reals(&f, "h", 9, (double[]){0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}); /* a scalar for an array with a default */

  expect(&f, "solved");
  assert_int_equal(size_of(&f, "T"), 4);
  assert_int_equal(size_of(&f, "M"), 3);
  assert_int_equal(size_of(&f, "K"), 2); /* a declared int that only an extent tells */
  expect(&f, "empty");
  assert_int_equal(size_of(&f, "T"), 1);
  assert_int_equal(size_of(&f, "M"), 0);

  expect(&f, "literals");
  is_reals(&f, "a", 1, (double[]){2.5});
  assert_int_equal(size_of(&f, "n"), 8);
  assert_int_equal(size_of(&f, "m"), -2); /* an int that is no extent may be negative */
  assert_int_equal(size_of(&f, "q"), 6);  /* default n - 2 */
  is_ints(&f, "t", 1, (int64_t[]){1});
  is_ints(&f, "A", 4, (int64_t[]){1, -2, 9, 1});

  expect(&f, "one_row");
  is_reals(&f, "a", 1, (double[]){1.25});
  assert_int_equal(size_of(&f, "n"), 7);
  is_ints(&f, "t", 1, (int64_t[]){0});

  expect(&f, "matched");
  is_ints(&f, "county", 3, (int64_t[]){1, 3, 1});
  is_reals(&f, "uranium", 1, (double[]){0.9}); /* Alpha, Mid, which is missing, Zeta */
  assert_true(cells_of(&f, "uranium")[2].real == 0.1);
  assert_int_equal(size_of(&f, "J"), 3);
  assert_int_equal(f.p.nmissing, 1);
  expect(&f, "matched_twice");
  is_ints(&f, "county", 3, (int64_t[]){1, 3, 1});
  assert_true(cells_of(&f, "uranium")[2].real == 0.1);
  is_reals(&f, "income", 3, (double[]){1, 2, 3});
  assert_int_equal(f.p.diags.n, 0);
  expect(&f, "listed"); /* in the order of the statement: Zeta, Alpha, Mid */
  is_ints(&f, "county", 3, (int64_t[]){2, 1, 2});
  is_reals(&f, "uranium", 2, (double[]){0.1, 0.9});
  is_reals(&f, "income", 3, (double[]){3, 1, 2});
  assert_int_equal(size_of(&f, "J"), 3);
  assert_int_equal(f.p.nmissing, 1);
  assert_int_equal(f.p.diags.n, 0);
  expect(&f, "matched_by_number");
  is_ints(&f, "id", 2, (int64_t[]){2, 2});
  is_reals(&f, "age", 3, (double[]){31, 32, 33});
  expect(&f, "one_index"); /* bonn, lyon, rome, though no column has them all */
  is_ints(&f, "home", 2, (int64_t[]){3, 2});
  is_ints(&f, "away", 2, (int64_t[]){2, 1});
  assert_int_equal(size_of(&f, "T"), 3);
  expect(&f, "texts_inline");
  is_ints(&f, "home", 2, (int64_t[]){3, 2});
  is_ints(&f, "away", 2, (int64_t[]){2, 1});
  expect(&f, "texts_missing");
  assert_int_equal(size_of(&f, "A"), 2);
  assert_int_equal(cells_of(&f, "arm")[2].integer, 2);
  assert_int_equal(cells_of(&f, "ok")[0].integer, 1);
  assert_int_equal(f.p.nmissing, 2);
  expect(&f, "no_key");
  assert_string_equal(f.p.diags.items[0]->code, "N0784");

  expect(&f, "supports");
  is_reals(&f, "w", 4, (double[]){0.5, 0.5, 0.25, 0.75});
  end(&f);
}

static const char schools[] = "model m(y: real[J], sigma: real<lower = 0>[J], k: index(J)[2] = 1) { mu ~ Normal(0, 5)\n y ~ Normal(mu, sigma[k[1]]) }\n"
                              "infer m on sigma = [9, 9] as a\n";

static void test_host(void **state) {
  (void)state;
  fixture f;
  start(&f);
  open_text(&f, "m.aim", schools);
  const double y[] = {1, 2}, sigma[] = {3, 4};
  const int64_t k[] = {1, 2};
  assert_int_equal(data_bind_f64(&f.ds, "y", y, 1, (int64_t[]){2}), 0);
  assert_int_equal(data_bind_f64(&f.ds, "sigma", sigma, 1, (int64_t[]){2}), 0);
  assert_int_equal(data_bind_i64(&f.ds, "k", k, 1, (int64_t[]){2}), 0);
  const check_model *m = program_model(&f.p, NULL);
  assert_true(program_bind(&f.p, m, NULL, &f.ds));
  assert_int_equal(f.p.ndata, 3);
  assert_ptr_equal(cells_of(&f, "y"), y); /* in place */
  assert_ptr_equal(cells_of(&f, "sigma"), sigma);
  assert_ptr_equal(cells_of(&f, "k"), k);
  assert_true(bind_run(&f, run_named(&f, "a"))); /* the host goes before the statement */
  assert_ptr_equal(cells_of(&f, "sigma"), sigma);
  assert_true(bind_override(&f.p, &f.ds, "sigma = [5, 6]")); /* and a flag before both */
  assert_true(bind_run(&f, run_named(&f, "a")));
  is_reals(&f, "sigma", 2, (double[]){5, 6});
  assert_true(bind_override(&f.p, &f.ds, "sigma=[7, y]") && !bind_run(&f, run_named(&f, "a")));
  assert_false(program_bind(&f.p, m, NULL, NULL)); /* no data at all */
  assert_int_equal(f.p.ndata, 0);
  end(&f);
}

static void test_host_messages(void **state) {
  (void)state;
  fixture f;
  start(&f);
  open_text(&f, "m.aim", schools);
  const double sigma[] = {3, -4};
  assert_int_equal(data_bind_f64(&f.ds, "y", sigma, 1, (int64_t[]){2}), 0);
  assert_int_equal(data_bind_f64(&f.ds, "sigma", sigma, 1, (int64_t[]){2}), 0);
  assert_false(program_bind(&f.p, program_model(&f.p, NULL), NULL, &f.ds));
  assert_int_equal(f.p.diags.n, 1);
  assert_string_equal(f.p.diags.items[0]->message,
                      "array \"sigma\" bound by the program, element [2]: -4 is less than 0, the lower bound of `sigma`");
  end(&f);
}

static void test_flags(void **state) {
  (void)state;
  fixture f;
  start(&f);
  open_file(&f, "tests/bind/right/right.aim");
  assert_true(bind_override(&f.p, &f.ds, "K=4"));
  assert_true(bind_override(&f.p, &f.ds, "tests/bind/right/old.csv")); /* before the statement's own file */
  assert_true(bind_run(&f, run_named(&f, "renamed")));
  assert_int_equal(size_of(&f, "K"), 4);
  is_reals(&f, "x", 2, (double[]){7, 8});
  assert_true(bind_override(&f.p, &f.ds, "K = 5")); /* the last one said counts */
  assert_true(bind_override(&f.p, &f.ds, "x = [1, 2, 3]"));
  assert_true(bind_run(&f, run_named(&f, "renamed")));
  assert_int_equal(size_of(&f, "K"), 5);
  is_reals(&f, "x", 3, (double[]){1, 2, 3});
  end(&f);

  /* A file that the host has read under the name that the statement gives is not read again, wherever it lies. */
  start(&f);
  open_text(&f, "m.aim", "model m(y: real[J]) { mu ~ Normal(0, 5)\n y ~ Normal(mu, 1) }\ninfer m on \"../up/d.json\" as a\n");
  static const char bytes[] = "{\"y\": [1, 2, 3]}";
  assert_int_equal(data_read_json(&f.ds, "../up/d.json", bytes, strlen(bytes)), 0);
  assert_true(bind_run(&f, run_named(&f, "a")));
  is_reals(&f, "y", 3, (double[]){1, 2, 3});
  data_init(&f.ds, &f.a, &f.p.diags);
  assert_false(bind_run(&f, run_named(&f, "a")));
  assert_string_equal(f.p.diags.items[0]->code, "E0779");
  end(&f);

  start(&f);
  open_text(&f, "tests/bind/right/m.aim", "model m(x: real[J]) { mu ~ Normal(0, 5)\n x ~ Normal(mu, 1) }\ninfer m on \"../right/old.csv\", x = eruptions as a\n");
  f.p.any_path = true;
  if (!bind_run(&f, run_named(&f, "a"))) show(&f), fail();
  is_reals(&f, "x", 2, (double[]){7, 8});
  end(&f);
}

static void test_numbers_in_any_locale(void **state) {
  (void)state;
  if (!comma_locale()) skip();
  fixture f;
  start(&f);
  open_text(&f, "m.aim", "model m(y: real<lower = 0>[J]) { mu ~ Normal(0, 5)\n y ~ Normal(mu, 1) }\ninfer m on y = [-0.1] as a\n");
  bool ok = bind_run(&f, run_named(&f, "a"));
  setlocale(LC_ALL, "C");
  assert_false(ok);
  assert_string_equal(f.p.diags.items[0]->message, "the binding of `y`, element [1]: -0.1 is less than 0, the lower bound of `y`");
  end(&f);
}

/* --- plans --------------------------------------------------------------------------------------------------------- */

static const char plans[] =
    "model a(y: real) { mu ~ Normal(0, 1)\n y ~ Normal(mu, 1) }\n"
    "model b(y: real) { k ~ Bernoulli(0.5)\n y ~ Normal(k, 1) }\n";

static plan *plans_of(fixture *f, const char *runs, const char *only, size_t *n) {
  start(f);
  open_text(f, "p.aim", arena_printf(&f->a, "%s%s", plans, runs));
  return plan_all(&f->p, only, n);
}

static void test_plans(void **state) {
  (void)state;
  fixture f;
  size_t n;
  plan *q = plans_of(&f, "", NULL, &n); /* no statement: the last model */
  assert_int_equal(n, 1);
  assert_null(q->run);
  assert_string_equal(q->name, "b");
  assert_int_equal(q->method, PLAN_AUTO);
  assert_true(plan_check(&f.p, q));
  assert_int_equal(q->method, PLAN_NUTS);
  assert_true(q->automatic && f.p.sums == SUMS_TRY);
  assert_int_equal(f.p.diags.n, 0);
  f.p.unsummed = "a reason"; /* what a build would say */
  plan_not_summed(&f.p, q);
  assert_int_equal(q->method, PLAN_GIBBS);
  assert_true(q->automatic && f.p.sums == SUMS_NONE);
  assert_string_equal(f.p.diags.items[0]->code, "N0829");
  assert_true(q->chains == 4 && q->warmup == 1000 && q->draws == 1000 && q->seed == 1 && q->threads == 0 && q->thin == 1);
  assert_true(q->target_accept == 0.8 && q->max_depth == 10 && q->init_radius == 2 && q->nsave == 0);
  end(&f);

  q = plans_of(&f, "infer a on y = 1\n", NULL, &n);
  assert_string_equal(q->name, "a");
  assert_true(plan_check(&f.p, q) && q->method == PLAN_NUTS && f.p.diags.n == 0);
  end(&f);

  q = plans_of(&f, "infer a on y = 1 with nuts(draws = 50, target_accept = 0.95), chains = 2, seed = 7, save = [mu]\n"
                   "infer a on y = 1 with mh(scale = 0.5)\ninfer b on y = 1 with importance(particles = 5) as c\ninfer b on y = 1 with prior\n", NULL, &n);
  assert_int_equal(n, 4);
  assert_string_equal(q[0].name, "a_nuts");
  assert_true(q[0].draws == 50 && q[0].chains == 2 && q[0].seed == 7 && q[0].target_accept == 0.95 && q[0].warmup == 1000 && q[0].nsave == 1);
  assert_string_equal(q[0].save[0], "mu");
  assert_string_equal(q[1].name, "a_mh");
  assert_true(q[1].scale == 0.5 && q[1].method == PLAN_MH);
  assert_string_equal(q[2].name, "c");
  assert_true(q[2].particles == 5 && q[2].method == PLAN_IMPORTANCE);
  assert_true(q[3].method == PLAN_PRIOR);
  for (size_t k = 0; k < n; k++) assert_true(plan_check(&f.p, &q[k]));
  assert_true(plan_override(&f.p, &q[0], "draws", "20") && q[0].draws == 20);
  assert_true(plan_override(&f.p, &q[0], "target_accept", "0.5") && q[0].target_accept == 0.5);
  assert_true(plan_override(&f.p, &q[0], "method", "mh") && q[0].method == PLAN_MH);
  assert_true(plan_override(&f.p, &q[0], "order", "random") && q[0].order == KERNEL_RANDOM);
  assert_true(plan_override(&f.p, &q[0], "save", "[mu]") && q[0].nsave == 1);
  assert_true(plan_override(&f.p, &q[0], "seed", "9223372036854775807") && q[0].seed == INT64_MAX);
  end(&f);

  q = plans_of(&f, "infer a on y = 1 with nuts\ninfer b on y = 1 with mh as other\n", "other", &n);
  assert_int_equal(n, 1);
  assert_string_equal(q->name, "other");
  end(&f);
}

static const char *const bad_runs[] = {
    "infer a on y = 1 with hmc",
    "infer a on y = 1 with gibbs(order = backwards)",
    "infer a on y = 1 with gibbs(blocks = mu)",
    "infer a on y = 1 with cycle",
    "infer a on y = 1 with cycle(nuts)",
    "infer a on y = 1 with cycle(map([mu]))",
    "infer a on y = 1 with cycle(nuts([mu], draws = 10))",
    "infer a on y = 1 with cycle(nuts([mu]), gibbs([mu]))",
    "infer a on y = 1 with cycle(nuts([mu]), nuts([mu]))",
    "infer a on y = 1 given mu = 1 with cycle(nuts([mu]))",
    "infer b on y = 1 with cycle(nuts([k]))",
    "infer a on y = 1 with population(beta = hold(5) then restart then hold(5))",
    "infer a on y = 1 with tempering(beta = adaptive(0 -> 1))",
    "infer a on y = 1 with nuts, chains = 2000",
    "infer a on y = 1 with nuts(chains = 2), chains = 3",
    "infer a on y = 1 with nuts(max_depth = 21)",
    "infer b on y = 1 with nuts as x\ninfer a on y = 1 with nuts as b_auto\ninfer b on y = 1",
};

static const char *const bad_flags[][2] = {
    {"chains", "0"}, {"chains", "1025"}, {"draws", "ten"}, {"draws", "-5"}, {"draws", "1e3"}, {"target_accept", "1"}, {"seed", "-1"},
    {"method", "nut"}, {"method", "hmc"}, {"method", "nuts(draws = 3)"}, {"chain", "4"}, {"warmup", "(1"}, {"save", "mu"}, {"scale", "0"},
    {"init_radius", "-1"}, {"thin", "99999999999"}, {"metric", "unit"}, {"order", "backwards"}, {"until", "ess"}, {"until", "ess(400) and"},
};

static void test_wrong_plans(void **state) {
  (void)state;
  fixture text;
  start(&text);
  strbuf out;
  strbuf_init(&out, &text.a);
  for (size_t i = 0; i < sizeof bad_runs / sizeof bad_runs[0]; i++) {
    fixture f;
    start(&f);
    strbuf_printf(&out, "=== %s\n", bad_runs[i]);
    const char *source = arena_printf(&f.a, "%s%s\n", plans, bad_runs[i]);
    size_t n = 0;
    bool ok = program_open(&f.p, &f.a, "p.aim", source, strlen(source));
    plan *q = ok ? plan_all(&f.p, NULL, &n) : NULL;
    ok = q != NULL;
    for (size_t k = 0; k < n && ok; k++) ok = plan_check(&f.p, &q[k]);
    assert_false(ok);
    render_list(&out, &f.p.sources, &f.p.diags, NULL);
    end(&f);
  }
  for (size_t i = 0; i < sizeof bad_flags / sizeof bad_flags[0]; i++) {
    fixture f;
    size_t n;
    plan *q = plans_of(&f, "infer a on y = 1 with nuts\n", NULL, &n);
    strbuf_printf(&out, "=== --%s %s\n", bad_flags[i][0], bad_flags[i][1]);
    assert_false(plan_override(&f.p, q, bad_flags[i][0], bad_flags[i][1]));
    render_list(&out, &f.p.sources, &f.p.diags, NULL);
    end(&f);
  }
  static const char *const only[] = {"b_mg", "nothing"};
  for (size_t i = 0; i < 2; i++) {
    fixture f;
    size_t n;
    strbuf_printf(&out, "=== --only %s\n", only[i]);
    assert_null(plans_of(&f, "infer a on y = 1 with nuts\ninfer b on y = 1 with mh\n", only[i], &n));
    render_list(&out, &f.p.sources, &f.p.diags, NULL);
    end(&f);
  }
  assert_true(golden_equal("tests/bind/plans.expected", out.s));
  end(&text);
}

/* --- no memory ----------------------------------------------------------------------------------------------------- */

/* One run over all that binding does: files, columns, conversions, a report, a plan. */
static bool whole_run(fixture *f, volatile bool *bound_ok) {
  program_open(&f->p, &f->a, "tests/bind/right/right.aim", "", 0);
  static const char source[] =
      "model m(X: real[N, P], y: real[N], g: index(G)[N], S: cov(2), h: real[P] = 0) {\n"
      "  a: real[G] ~ Normal(0, 1)\n  plate i in 1..N { y[i] ~ Normal(a[g[i]] + dot(X[i], h), S[1, 1]) }\n}\n"
      "infer m on \"old_faithful.csv\", X = columns(eruptions..long), y = waiting, g = kind, S = [[2, 1], [1, 2]], h = 1.5 as a\n"
      "infer m on \"old_faithful.csv\", X = columns(eruptions, long), y = kind, g = kind, S = [[2, 1], [1, 2]] as b\n";
  if (!program_open(&f->p, &f->a, "tests/bind/right/right.aim", source, strlen(source))) return false;
  data_init(&f->ds, &f->a, &f->p.diags);
  if (!bind_override(&f->p, &f->ds, "h = [1, 2, 3]")) return false;
  size_t n;
  plan *q = plan_all(&f->p, NULL, &n);
  if (!q || !plan_override(&f->p, q, "draws", "10") || !plan_check(&f->p, q)) return false;
  *bound_ok = bind_run(f, q[0].run);
  return !bind_run(f, q[1].run);
}

static void test_memory(void **state) {
  (void)state;
  for (int persistent = 0; persistent < 2; persistent++) {
    volatile size_t failed = 0;
    for (volatile size_t at = 1;; at++) {
      fixture f;
      start(&f);
      f.count.fail_at = at;
      f.count.persistent = persistent;
      volatile bool done = false, bound_ok = false;
      if (!ARENA_TRY(&f.a)) {
        bool ok = whole_run(&f, &bound_ok);
        if (f.count.calls < at && !(ok && bound_ok)) show(&f);
        assert_true(f.count.calls >= at || (ok && bound_ok));
        done = true;
      } else failed++;
      bool reached = f.count.calls >= at;
      f.count.fail_at = 0;
      end(&f);
      if (!reached && done) break;
    }
    assert_true(failed >= 3);
  }
}

int main(void) {
  if (setjmp(out_of_memory)) {
    fputs("out of memory\n", stderr);
    return 2;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_wrong),         cmocka_unit_test(test_right),  cmocka_unit_test(test_host),
      cmocka_unit_test(test_host_messages), cmocka_unit_test(test_flags),  cmocka_unit_test(test_numbers_in_any_locale),
      cmocka_unit_test(test_plans),         cmocka_unit_test(test_wrong_plans), cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
