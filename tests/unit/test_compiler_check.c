/* test_compiler_check.c: the checker: messages of wrong programs and types of correct ones against goldens; every code is covered; no
 * failing allocation crashes or leaks; time grows with the length of a program, not its square.
 *
 * tests/diag/check/NAME.aim holds many small wrong programs, each below a line `### title`; NAME.expected their messages.
 * tests/check/NAME.aim are correct programs, NAME.expected their symbols and types. */
#include "compiler/check_state.h"
#include "compiler/prelude.h"
#include "compiler/schedule.h"
#include "tests/unit/check_session.h"
#include "tests/unit/golden.h"
#include "tests/unit/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static host counter;
static const aim_alloc alloc = {host_fn, &counter};

static char seen[512][8];
static size_t nseen;

static void see(const char *code) {
  for (size_t i = 0; i < nseen; i++)
    if (strcmp(seen[i], code) == 0) return;
  if (nseen < 512) snprintf(seen[nseen++], sizeof seen[0], "%s", code);
}

/* The programs of a file with sections; calls each with its title. */
typedef void section_fn(void *user, const char *title, const char *text, size_t n);

static void sections(char *text, section_fn *each, void *user) {
  char *p = text;
  while (p && strncmp(p, "### ", 4) == 0) {
    char *line = strchr(p, '\n');
    if (!line) return;
    char *next = strstr(line, "\n### ");
    size_t n = next ? (size_t)(next + 1 - (line + 1)) : strlen(line + 1);
    *line = '\0';
    each(user, p + 4, line + 1, n);
    p = next ? next + 1 : NULL;
  }
}

static void append(char **s, size_t *n, const char *more) {
  size_t k = strlen(more);
  *s = realloc(*s, *n + k + 1);
  memcpy(*s + *n, more, k + 1);
  *n += k;
}

typedef struct output {
  char *text;
  size_t n, programs, silent;
} output;

static void run_wrong(void *user, const char *title, const char *text, size_t n) {
  output *o = user;
  check_session s;
  assert_true(check_text(&s, &alloc, "wrong.aim", text, n));
  append(&o->text, &o->n, "### ");
  append(&o->text, &o->n, title);
  append(&o->text, &o->n, "\n#");
  for (size_t i = 0; i < s.diags.n; i++) {
    append(&o->text, &o->n, " ");
    append(&o->text, &o->n, s.diags.items[i]->code);
    see(s.diags.items[i]->code);
  }
  append(&o->text, &o->n, "\n");
  append(&o->text, &o->n, s.messages);
  o->programs++;
  if (s.diags.n == 0) {
    o->silent++;
    fprintf(stderr, "no message: %s\n", title);
  }
  arena_free(&s.a);
}

static void test_messages(void **state) {
  (void)state;
  size_t n, bad = 0, programs = 0;
  char **names = golden_list("tests/diag/check", ".aim", &n);
  char path[512];
  for (size_t i = 0; i < n; i++) {
    char *text = golden_read(golden_path(path, sizeof path, "tests/diag/check", names[i], ".aim"), NULL);
    assert_non_null(text);
    output o = {0};
    sections(text, run_wrong, &o);
    assert_true(o.programs > 0);
    assert_int_equal(o.silent, 0);
    programs += o.programs;
    if (!golden_equal(golden_path(path, sizeof path, "tests/diag/check", names[i], ".expected"), o.text)) bad++;
    free(o.text);
    free(text);
  }
  golden_list_free(names, n);
  assert_int_equal(bad, 0);
  assert_true(programs >= 120);
  printf("%zu wrong programs\n", programs);
}

/* Every code that the checker's source can give stands in some expected file. */
static void test_codes_covered(void **state) {
  (void)state;
  assert_true(nseen > 0);
  size_t n, missing = 0;
  char **names = golden_list("compiler", ".c", &n);
  char path[512];
  for (size_t i = 0; i < n; i++) {
    if (strncmp(names[i], "check", 5) != 0) continue;
    snprintf(path, sizeof path, "compiler/%s", names[i]);
    char *text = golden_read(path, NULL);
    assert_non_null(text);
    for (const char *p = text; (p = strchr(p, '"')) != NULL; p++) {
      if ((p[1] != 'E' && p[1] != 'W') || strspn(p + 2, "0123456789") != 4 || p[6] != '"') continue;
      char code[8] = {0};
      memcpy(code, p + 1, 5);
      bool found = false;
      for (size_t k = 0; k < nseen; k++) found |= strcmp(seen[k], code) == 0;
      if (!found) missing++, fprintf(stderr, "%s: %s has no program\n", names[i], code);
    }
    free(text);
  }
  golden_list_free(names, n);
  assert_int_equal(missing, 0);
}

/* --- correct programs */

typedef struct dump {
  check_session *s;
  strbuf out;
} dump;

static void dump_expr(dump *d, const ast_expr *e, int depth);

static void dump_let(dump *d, const char *word, const ast_target *t) {
  const symbol *s = t->name.sym;
  if (!s) return;
  strbuf_printf(&d->out, "  %s %s: %s%s%s\n", word, s->name, s->type ? ty_print(&d->s->program, s->type) : "-",
                s->stochastic ? ", stochastic" : "", s->observed ? ", observed" : "");
}

static void dump_expr(dump *d, const ast_expr *e, int depth) {
  strbuf_printf(&d->out, "%*s", depth, "");
  size_t before = d->out.n;
  ast_print_expr(&d->out, e);
  if (d->out.n - before > 90) d->out.n = before + 90, d->out.s[d->out.n] = '\0', strbuf_puts(&d->out, "...");
  strbuf_printf(&d->out, " : %s\n", ty_of(e) ? ty_print(&d->s->program, ty_of(e)) : "-");
}

static void dump_block(dump *d, const ast_block *b) {
  for (size_t i = 0; i < b->n; i++) {
    const ast_stmt *s = b->items[i];
    switch (s->kind) {
    case STMT_LET: dump_let(d, "let", &s->let.target); dump_expr(d, s->let.value, 4); break;
    case STMT_SAMPLE:
      dump_let(d, "~", &s->sample.target);
      if (s->sample.dist->kind == EXPR_CALL)
        for (size_t k = 0; k < s->sample.dist->call.args.n; k++) dump_expr(d, s->sample.dist->call.args.items[k].value, 4);
      break;
    case STMT_PLATE: dump_block(d, s->plate.body); break;
    case STMT_FOR: dump_block(d, s->for_.body); break;
    case STMT_IF: dump_block(d, s->if_.then); if (s->if_.else_) dump_block(d, s->if_.else_); break;
    case STMT_PREDICT: dump_block(d, s->predict.body); break;
    case STMT_TRACK: for (size_t k = 0; k < s->track.items.n; k++) dump_expr(d, s->track.items.items[k].value, 4); break;
    case STMT_FACTOR: case STMT_RETURN: dump_expr(d, s->value, 4); break;
    default: break;
    }
  }
}

static void dump_part(dump *d, const char *word, const agent_part *p) {
  strbuf_printf(&d->out, "    %s", word);
  for (size_t k = 0; k < p->nparents; k++) strbuf_printf(&d->out, "%s%s", k ? ", " : " given ", p->parent[k]->name);
  for (size_t k = 0; k < p->nreads; k++) strbuf_printf(&d->out, "%s%s", k ? ", " : ", of ", p->reads[k]->name);
  strbuf_printf(&d->out, "%s\n", p->row ? ", a row" : "");
  if (p->value) dump_expr(d, p->value, 6);
}

static void dump_agent(dump *d, const check_agent *a) {
  strbuf_printf(&d->out, "%s %s\n", ast_decl_noun(a->decl->kind), a->sym->name);
  for (size_t k = 0; k < a->data->nsize_syms; k++) strbuf_printf(&d->out, "  size %s\n", a->data->size_syms[k]->name);
  for (size_t k = 0; k < a->data->ndata; k++) strbuf_printf(&d->out, "  data %s: %s\n", a->data->data[k]->name, ty_print(&d->s->program, a->data->data[k]->type));
  for (size_t k = 0; k < a->nactions; k++) strbuf_printf(&d->out, "  action %s: %s\n", a->action[k].sym->name, ty_print(&d->s->program, a->action[k].sym->type));
  for (size_t k = 0; k < a->nstates; k++) {
    strbuf_printf(&d->out, "  state %s: %s, every %d\n", a->state[k].sym->name, ty_print(&d->s->program, a->state[k].sym->type), (int)a->state[k].every);
    dump_part(d, "start", &a->state[k].start);
    dump_part(d, "step", &a->state[k].step);
  }
  for (size_t k = 0; k < a->nobservations; k++) {
    strbuf_printf(&d->out, "  observation %s: %s\n", a->observation[k].sym->name, ty_print(&d->s->program, a->observation[k].sym->type));
    dump_part(d, "likelihood", &a->observation[k].likelihood);
    if (a->observation[k].prefer.value) dump_part(d, "prefer", &a->observation[k].prefer);
  }
  for (size_t k = 0; k < a->nlearn; k++) {
    strbuf_printf(&d->out, "  learn %s, rate %g, forget %g\n", a->learn[k].data->name, a->learn[k].rate, a->learn[k].forget);
    dump_part(d, "counts", &a->learn[k].counts);
  }
  if (a->world) return;
  const agent_beliefs *b = &a->beliefs;
  const agent_plan *p = &a->plan;
  strbuf_printf(&d->out, "  beliefs %s %u %g %u, %u %u %u, %g %g\n", beliefs_names[b->method], b->iterations, b->tol, b->window, b->samples, b->warmup, b->thin,
                b->sensory_precision, b->state_precision);
  strbuf_printf(&d->out, "  plan %u %s %u %g %u, %g %u %u %u, %u %u %g\n", p->horizon, search_names[p->search], p->beam, p->prune, p->samples, p->precision, p->utility, p->state_gain,
                p->parameter_gain, p->selection, p->choose, p->action_precision);
  if (p->habit.value) dump_part(d, "habit", &p->habit);
  if (p->policies.value) dump_part(d, "policies", &p->policies);
  if (p->goal.value) dump_part(d, "goal", &p->goal);
}

static char *dump_program(check_session *s) {
  static const char *const roles[] = {"latent", "observed", "predicted"};
  dump d = {.s = s};
  strbuf_init(&d.out, &s->a);
  const ast_file *f = s->program.file;
  for (size_t i = 0; i < f->n; i++) {
    const ast_decl *x = f->items[i];
    check_model *m = check_model_of(&s->program, x);
    const check_agent *a = check_agent_of(&s->program, x);
    if (a) dump_agent(&d, a);
    if (!m && x->kind != DECL_FN) continue;
    strbuf_printf(&d.out, "%s %s\n", ast_decl_noun(x->kind), x->name.name);
    for (size_t k = 0; m && k < m->nsize_syms; k++) strbuf_printf(&d.out, "  size %s\n", m->size_syms[k]->name);
    for (size_t k = 0; m && k < m->ndata; k++)
      strbuf_printf(&d.out, "  data %s: %s\n", m->data[k]->name, ty_print(&s->program, m->data[k]->type));
    for (size_t k = 0; m && k < m->nsites; k++)
      strbuf_printf(&d.out, "  %s %s: %s, event %d\n", roles[m->sites[k].role], m->sites[k].sym->name,
                    ty_print(&s->program, m->sites[k].type), m->sites[k].type->event_rank);
    if (x->body) dump_block(&d, x->body);
    else if (x->value) dump_expr(&d, x->value, 2);
  }
  return d.out.s;
}

static void check_correct(const char *folder, const char *name, const char *out_folder, size_t *bad) {
  char path[512];
  size_t n;
  char *text = golden_read(golden_path(path, sizeof path, folder, name, ".aim"), &n);
  assert_non_null(text);
  check_session s;
  assert_true(check_text(&s, &alloc, name, text, n));
  if (!s.ok) fprintf(stderr, "%s:\n%s", name, s.messages), (*bad)++;
  else if (!golden_equal(golden_path(path, sizeof path, out_folder, name, ".expected"), dump_program(&s))) (*bad)++;
  arena_free(&s.a);
  free(text);
}

static void test_correct(void **state) {
  (void)state;
  size_t n, bad = 0;
  char **names = golden_list("tests/check", ".aim", &n);
  assert_true(n > 0);
  for (size_t i = 0; i < n; i++) check_correct("tests/check", names[i], "tests/check", &bad);
  golden_list_free(names, n);
  /* Those of the language's page that run today. */
  static const char *const pages[] = {"page_hierarchical.aim", "page_regression.aim", "page_mixture.aim", "page_chains.aim",
                                      "page_own_distribution.aim", "page_agent.aim"};
  for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) check_correct("tests/parse", pages[i], "tests/check", &bad);
  assert_int_equal(bad, 0);
}

/* The whole prelude is correct, not only what programs use. */
static void test_prelude(void **state) {
  (void)state;
  check_session s;
  assert_true(check_text(&s, &alloc, "empty.aim", "", 0));
  for (size_t i = 0; i < aim_prelude_count; i++) {
    assert_true(i == 0 || strcmp(aim_prelude[i - 1].name, aim_prelude[i].name) <= 0);
    if (aim_prelude[i].kind == PRELUDE_SCHEDULE) {
      const symbol *x = schedule_find(s.program.state, intern(s.program.names, aim_prelude[i].name));
      for (; x; x = x->next_overload) assert_true(schedule_check(&s.program, x->decl));
      continue;
    }
    symbol *x = check_find(&s.program, aim_prelude[i].name);
    assert_non_null(x);
    if (x->kind == SYM_DIST)
      for (; x; x = x->next_overload) assert_non_null(check_dist_of(&s.program, x));
    assert_true((x != NULL) == !(aim_prelude[i].kind == PRELUDE_DIST));
  }
  strbuf b;
  strbuf_init(&b, &s.a);
  render_list(&b, &s.map, &s.diags, NULL);
  if (s.diags.n) fprintf(stderr, "%s", b.s);
  assert_int_equal(s.diags.n, 0);
  arena_free(&s.a);
}

/* --- the tree after checking */

static void test_annotations(void **state) {
  (void)state;
  static const char text[] = "model m(y: bool[N], x: real[N], g: index(J)[N]) {\n"
                             "  s ~ HalfNormal(1)\n"
                             "  a: real[J] ~ Normal(0, s)\n"
                             "  let e = exp(x)\n"
                             "  y ~ Bernoulli(logit = a[g] * e)\n"
                             "}\n";
  check_session s;
  assert_true(check_text(&s, &alloc, "m.aim", text, sizeof text - 1));
  assert_true(s.ok);
  check_model *m = check_model_of(&s.program, s.program.file->items[0]);
  assert_int_equal(m->ndata, 3);
  assert_int_equal(m->nsize_syms, 2);
  assert_int_equal(m->nsites, 3);
  assert_int_equal(m->sites[2].role, IR_OBSERVED);
  assert_ptr_equal(m->sites[2].sym, m->data[0]);
  assert_true(m->data[0]->observed);
  assert_int_equal(m->data[2]->type->count, size_symbol(s.program.sizes, "J"));
  const ast_block *b = s.program.file->items[0]->body;
  assert_false(b->items[2]->let.target.name.sym->stochastic);
  const ast_expr *call = b->items[3]->sample.dist;
  check_call *c = check_call_of(&s.program, call);
  assert_non_null(c);
  assert_string_equal(c->callee->param ? "" : c->callee->name, "Bernoulli");
  assert_int_equal(c->nargs, 1);
  assert_true(c->lifted);
  assert_string_equal(check_dist_of(&s.program, c->callee)->params[0]->name, "logit");
  assert_true(check_dist_of(&s.program, c->callee)->discrete);
  assert_int_equal(ty_of(c->args[0])->rank, 1);
  assert_int_equal(ty_of(call)->kind, TY_DIST);
  arena_free(&s.a);
}

static void test_sizes_of_calls(void **state) {
  (void)state;
  static const char text[] = "fn pad(v: real[M]): real[M + 1] = [if k <= M { v[k] } else { 0.0 } for k in 1..M + 1]\n"
                             "model m(y: real[M]) { h[1] ~ Normal(0, 1); for t in 2..M { h[t] ~ Normal(h[t - 1], 1) }\n"
                             "  let p = pad(pad(y)); y ~ Normal(h + p[1], 1); predict { h[M + 1] ~ Normal(h[M], 1) } }\n";
  check_session s;
  assert_true(check_text(&s, &alloc, "m.aim", text, sizeof text - 1));
  if (!s.ok) fprintf(stderr, "%s", s.messages);
  assert_true(s.ok);
  const ast_block *b = s.program.file->items[1]->body;
  size_table *t = s.program.sizes;
  ir_size m = size_symbol(t, "M"), m1 = size_add(t, m, size_const(t, 1));
  /* The caller's M is no trouble: the outer call's M is M + 1. */
  check_call *outer = check_call_of(&s.program, b->items[2]->let.value);
  assert_non_null(outer);
  assert_int_equal(outer->nsizes, 1);
  assert_int_equal(outer->size_from[0], m);
  assert_int_equal(outer->size_to[0], m1);
  check_call *inner = check_call_of(&s.program, outer->args[0]);
  assert_int_equal(inner->size_to[0], m);
  assert_int_equal(ty_of(b->items[2]->let.value)->dim[0], size_add(t, m1, size_const(t, 1)));
  const symbol *longer = b->items[4]->predict.body->items[0]->sample.target.name.sym;
  assert_int_equal(longer->kind, SYM_PREDICT);
  assert_int_equal(longer->type->dim[0], m1);
  assert_ptr_equal(check_continued(longer), b->items[0]->sample.target.name.sym);
  assert_null(check_continued(check_continued(longer)));
  arena_free(&s.a);
}

/* --- memory and time */

static const char *const sample_text =
    "fn f(v: real[M]): real[M + 1] { let s[1] = 1.0; for k in 1..M { let s[k + 1] = s[k] * v[k] } return s }\n"
    "model m(y: real[T], x: real[T]) {\n"
    "  mu ~ Normal(0, 1); h[1] ~ Normal(0, 1)\n"
    "  for t in 2..T { h[t] ~ Normal(mu * h[t - 1], 1) }\n"
    "  plate t in 1..T { y[t] ~ Normal(h[t] + sum(f(x)), 1) }\n"
    "  predict { for t in T + 1..T + 3 { h[t] ~ Normal(h[t - 1], 1) } }\n"
    "}\n"
    "model w(y: real[N], x: real[J]) { let a = b + 1; mu ~ Norml(x, 1); y ~ Normal(x + y, muu) }\n"
    "infer m on \"a.json\" with nuts(drws = 10)\n"
    "agent a(A: simplex(2)[2], E: real[4]) {\n"
    "  action go: 1..2\n"
    "  state s: 1..2 every 2 start [0.5, 0.5] step onehot(go, 2)\n"
    "  observe o: 1..2 ~ Categorical(A[s])\n"
    "  observe p: 1..9 ~ Poisson(s)\n"
    "  prefer o = [0, 1]; beliefs vmp(iterations = 4); plan efe(horizon = 2, habit = E, search = tree(beam = 4), goal = s == 2)\n"
    "  learn A ~ Dirichlet(4 * A), rate = 2\n"
    "}\n"
    "world w() for a { state s: 1..2 start [0.5, 0.5] step onehot(go, 2); observe o: 1..2 ~ Categorical(onehot(s, 2)) }\n"
    "simulate a in w with steps = 10\n";

static void test_memory(void **state) {
  (void)state;
  check_session s;
  counter = (host){0};
  assert_true(check_text(&s, &alloc, "m.aim", sample_text, strlen(sample_text)));
  size_t calls = counter.calls;
  arena_free(&s.a);
  assert_int_equal(counter.bytes, 0);
  size_t failed = 0;
  for (int persistent = 0; persistent < 2; persistent++)
    for (size_t k = 1; k <= calls; k++) {
      counter = (host){.fail_at = k, .persistent = persistent != 0};
      if (!check_text(&s, &alloc, "m.aim", sample_text, strlen(sample_text))) failed++;
      arena_free(&s.a);
      assert_int_equal(counter.bytes, 0);
    }
  assert_int_equal(failed, 2 * calls);
  counter = (host){0};
}

static char *repeated(const char *head, const char *line, size_t n, const char *tail, size_t *len) {
  char *s = NULL, buffer[512];
  size_t cap = 0;
  *len = 0;
  for (size_t i = 0; i <= n + 1; i++) {
    const char *part = i == 0 ? head : i == n + 1 ? tail : buffer;
    if (i > 0 && i <= n) snprintf(buffer, sizeof buffer, line, i, i - 1, i, i - 1);
    size_t k = strlen(part);
    if (*len + k + 1 > cap) s = realloc(s, cap = 2 * (*len + k + 1));
    memcpy(s + *len, part, k + 1);
    *len += k;
  }
  return s;
}

/* Time for n lines, in seconds. */
static double time_of(const char *head, const char *line, const char *tail, size_t n) {
  size_t len;
  char *text = repeated(head, line, n, tail, &len);
  check_session s;
  clock_t t = clock();
  assert_true(check_text(&s, &alloc, "m.aim", text, len));
  t = clock() - t;
  arena_free(&s.a);
  free(text);
  return (double)t / CLOCKS_PER_SEC;
}

/* Sixteen times the lines take some 16 to 36 times as long (they leave the caches), what grows with the square 256 times.  Processor time, the
 * least of at least three tries: other processes cost time, never save any, so where it takes longer it is tried again. */
static void test_linear(void **state) {
  (void)state;
  enum { TRIES = 3, MOST_TRIES = 20, BOUND = 96 };
  static const struct { const char *head, *line, *tail; } shape[] = {
      {"model m(y: real) {\nx0 ~ Normal(0, 1)\n", "x%zu ~ Normal(x%zu, 1)\n", "y ~ Normal(x1, 1)\n}\n"},
      {"model m(y: real) {\nlet x0 = 1\n", "let x%zu = x%zu + 1\n", "y ~ Normal(x1, 1)\n}\n"},
      {"model m(y: real[N]) {\n", "plate i in 1..N { let a%zu = %zu; let s[1] = y[i]; for k in 2..3 { let s[k] = s[k - 1] } }\n", "y ~ Normal(0, 1)\n}\n"},
      {"", "fn f%zu(x: real): real = f%zu(x)\n", "fn f0(x: real): real = x\n"},
      {"", "fn f%zu(x: real): real = g%zu(x)\n", ""},
      {"model m(y: real) {\ny ~ Normal(0, 1)\n", "track a%zu = y + %zu\n", "}\n"},
      {"agent a(P: simplex(2)[2]) {\nstate s0: 1..2 start P[1] step P[s0]\nobserve o: 1..2 ~ Categorical(P[s1])\n", "state s%zu: 1..2 start P[1] step P[s%zu]\n", "}\n"},
  };
  for (size_t k = 0; k < sizeof shape / sizeof shape[0]; k++) {
    double small = 1e9, large = 1e9;
    for (int i = 0; i < MOST_TRIES && (i < TRIES || large >= BOUND * small); i++) {
      double a = time_of(shape[k].head, shape[k].line, shape[k].tail, 1000);
      double b = time_of(shape[k].head, shape[k].line, shape[k].tail, 16000);
      if (a < small) small = a;
      if (b < large) large = b;
    }
    printf("shape %zu: %.1f ms for 1000 lines, %.1f ms for 16000\n", k, 1e3 * small, 1e3 * large);
    assert_true(large < BOUND * small);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_messages),    cmocka_unit_test(test_codes_covered), cmocka_unit_test(test_correct), cmocka_unit_test(test_prelude),
      cmocka_unit_test(test_annotations), cmocka_unit_test(test_sizes_of_calls), cmocka_unit_test(test_memory),        cmocka_unit_test(test_linear),
  };
  return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
