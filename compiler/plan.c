/* plan.c: run statements as numbers (plan.h). */
#include "compiler/plan.h"

#include "lang/parse.h"

#include <string.h>

static const char *const metric_names[] = {"diagonal", "fisher", "dense", "lowrank", "auto"};
enum { NMETRICS = sizeof metric_names / sizeof metric_names[0] };

const char *plan_metric_name(plan_metric m) { return metric_names[m]; }

/* --- options: where each is kept, and its limits */

typedef enum field_kind { FIELD_U32, FIELD_U64, FIELD_REAL } field_kind;

typedef struct field {
  const char *name;
  field_kind kind;
  size_t offset;
  double least, most; /* of a real: open at 0 below; the ends of an interval are said by range_text */
  bool open;          /* the ends themselves are excluded */
} field;

#define FIELD(name, kind, least, most, open) {#name, kind, offsetof(plan, name), least, most, open}
static const field fields[] = {
    FIELD(chains, FIELD_U32, 1, 1024, false),       FIELD(warmup, FIELD_U32, 0, 1e7, false),
    FIELD(draws, FIELD_U32, 1, 1e8, false),         FIELD(thin, FIELD_U32, 1, 1e6, false),
    FIELD(threads, FIELD_U32, 0, 4096, false),      FIELD(seed, FIELD_U64, 0, 9223372036854775807.0, false),
    FIELD(target_accept, FIELD_REAL, 0, 1, true),   FIELD(max_depth, FIELD_U32, 1, 20, false),
    FIELD(init_radius, FIELD_REAL, 0, 100, false),  FIELD(step_size, FIELD_REAL, 0, 1e6, true),
    FIELD(scale, FIELD_REAL, 0, 1e6, true),         FIELD(particles, FIELD_U64, 1, 1e9, false),
    FIELD(steps, FIELD_U32, 0, 1e9, false),         FIELD(paths, FIELD_U32, 1, 1024, false),
    FIELD(iterations, FIELD_U32, 1, 1e6, false),    FIELD(tolerance, FIELD_REAL, 0, 1, true),
};
#undef FIELD
enum { NFIELDS = sizeof fields / sizeof fields[0] };

static const field *field_of(const char *name) {
  for (size_t k = 0; k < NFIELDS; k++)
    if (strcmp(fields[k].name, name) == 0) return &fields[k];
  return NULL;
}

static diag *error(program *p, const char *code, span at, const char *text) {
  return diag_add(&p->diags, DIAG_ERROR, code, at, "%s", text);
}

/* A literal with a sign in front of it. */
static bool literal(const ast_expr *e, bool *whole, int64_t *n, double *r) {
  bool minus = e->kind == EXPR_UNARY && e->unary.op == OP_NEG;
  if (minus) e = e->unary.arg;
  *whole = e->kind == EXPR_INT;
  if (e->kind == EXPR_INT) {
    *n = minus ? -e->integer.value : e->integer.value;
    *r = (double)*n;
    return true;
  }
  if (e->kind != EXPR_REAL) return false;
  *r = minus ? -e->real.value : e->real.value;
  return true;
}

static bool set_field(program *p, plan *pl, const field *f, const ast_expr *e) {
  bool whole = false;
  int64_t n = 0;
  double r = 0;
  const char *want = f->kind == FIELD_REAL ? "a number" : "a whole number";
  if (!literal(e, &whole, &n, &r) || (f->kind != FIELD_REAL && !whole)) {
    error(p, "E0821", e->at, arena_printf(p->mem, "`%s` must be %s", f->name, want));
    return false;
  }
  if (f->open ? !(r > f->least && r < f->most) : !(r >= f->least && r <= f->most)) {
    const char *text = f->kind == FIELD_U64 && f->most > 1e18
                           ? arena_printf(p->mem, "`%s` must be a whole number from 0 up", f->name)
                           : arena_printf(p->mem, "`%s` must lie %s %.0f and %.0f", f->name, f->open ? "strictly between" : "between", f->least,
                                          f->most);
    error(p, "E0821", e->at, text);
    return false;
  }
  char *to = (char *)pl + f->offset;
  if (f->kind == FIELD_U32) *(uint32_t *)(void *)to = (uint32_t)n;
  else if (f->kind == FIELD_U64) *(uint64_t *)(void *)to = (uint64_t)n;
  else *(double *)(void *)to = r;
  return true;
}

static bool set_names(program *p, const char *option, const ast_expr *e, const char *const **list, size_t *n) {
  if (e->kind != EXPR_ARRAY) {
    error(p, "E0821", e->at, arena_printf(p->mem, "`%s` takes a list of names", option));
    return false;
  }
  const char **names = ARENA_ARRAY(p->mem, const char *, e->array.elems.n);
  for (size_t k = 0; k < e->array.elems.n; k++) {
    const ast_expr *x = e->array.elems.items[k];
    if (x->kind != EXPR_NAME) {
      error(p, "E0821", x->at, arena_printf(p->mem, "`%s` takes a list of names", option));
      return false;
    }
    names[k] = x->name.name;
  }
  *list = names;
  *n = e->array.elems.n;
  return true;
}

/* What the statement or a flag asks for; false after a diagnostic. */
static bool is_there(program *p, const plan *pl) {
  if (!pl->missing) return true;
  diag *d = error(p, "E0820", pl->missing_at, arena_printf(p->mem, "%s is not available yet", pl->missing));
  if (pl->verb == VERB_INFER) diag_help(&p->diags, d, "methods that run are %s", method_list(p->mem));
  return false;
}

static bool set_method(program *p, plan *pl, const char *name, span at) {
  const plan_method m = method_find(name);
  if (m < METHOD_COUNT) {
    pl->method = m;
    pl->automatic = m == PLAN_AUTO;
    const bool runs = pl->automatic || method_is(m, METHOD_RUNS);
    if (pl->verb == VERB_INFER) pl->missing = runs ? NULL : arena_printf(p->mem, "the method `%s`", name), pl->missing_at = at;
    return true;
  }
  diag *d = error(p, "E0827", at, arena_printf(p->mem, "there is no method called `%s`", name));
  const char *near = diag_nearest(name, method_names, METHOD_COUNT);
  if (near) diag_help(&p->diags, d, "did you mean `%s`?", near);
  return false;
}

/* A word may be quoted, as behind a flag of a command line; "" is no word. */
static const char *word_of(const ast_expr *e) { return e->kind == EXPR_NAME ? e->name.name : e->kind == EXPR_STRING ? e->string.bytes : ""; }

static bool set_statistics(program *p, plan *pl, const ast_expr *e) {
  const char *word = word_of(e);
  pl->plain_sums = strcmp(word, "off") == 0;
  if (pl->plain_sums || strcmp(word, "auto") == 0) return true;
  error(p, "E0821", e->at, "`statistics` must be `auto` or `off`");
  return false;
}

static bool set_metric(program *p, plan *pl, const ast_expr *e) {
  const char *word = word_of(e);
  for (size_t k = 0; k < NMETRICS; k++)
    if (strcmp(word, metric_names[k]) == 0) {
      pl->metric = (plan_metric)k;
      return true;
    }
  error(p, "E0821", e->at, "`metric` must be `diagonal`, `fisher`, `dense`, `lowrank` or `auto`");
  return false;
}

static bool set_init(program *p, plan *pl, const ast_expr *e) {
  static const char *const names[] = {[PLAN_INIT_AUTO] = "auto", [PLAN_INIT_RANDOM] = "random", [PLAN_INIT_PATHFINDER] = "pathfinder"};
  const char *word = word_of(e);
  for (size_t k = 0; k < sizeof names / sizeof *names; k++)
    if (strcmp(word, names[k]) == 0) {
      pl->init = (plan_init)k;
      return true;
    }
  error(p, "E0821", e->at, "`init` must be `auto`, `random` or `pathfinder`");
  return false;
}

static bool set_order(program *p, plan *pl, const ast_expr *e) {
  const char *word = word_of(e);
  for (kernel_order k = KERNEL_SEQUENTIAL; k <= KERNEL_COLOURED; k++)
    if (strcmp(word, kernel_order_name(k)) == 0) {
      pl->order = k;
      return true;
    }
  error(p, "E0821", e->at, "`order` must be `sequential`, `random` or `coloured`");
  return false;
}

static bool set_option(program *p, plan *pl, const char *name, const ast_expr *e, span at) {
  const field *f = field_of(name);
  if (f && strcmp(name, "target_accept") == 0) pl->target_set = true;
  if (f) return set_field(p, pl, f, e);
  if (strcmp(name, "save") == 0) return set_names(p, name, e, &pl->save, &pl->nsave);
  if (strcmp(name, "centred") == 0) return set_names(p, name, e, &pl->centring.centred, &pl->centring.ncentred);
  if (strcmp(name, "noncentred") == 0) return set_names(p, name, e, &pl->centring.noncentred, &pl->centring.nnoncentred);
  if (strcmp(name, "blocks") == 0) return set_names(p, name, e, &pl->blocks, &pl->nblocks);
  if (strcmp(name, "sum_out") == 0) return set_names(p, name, e, &pl->sum_out, &pl->nsum_out);
  if (strcmp(name, "metric") == 0) return set_metric(p, pl, e);
  if (strcmp(name, "order") == 0) return set_order(p, pl, e);
  if (strcmp(name, "init") == 0) return set_init(p, pl, e);
  if (strcmp(name, "statistics") == 0) return set_statistics(p, pl, e);
  if (strcmp(name, "until") == 0) return until_read(&p->diags, e, &pl->until);
  if (strcmp(name, "beta") == 0) return (pl->schedule = schedule_compile(&p->check, pl->model, e)) != NULL;
  if (pl->missing) return true; /* what only the missing method knows */
  error(p, "E0826", at, arena_printf(p->mem, "the option `%s` is not available yet", name));
  return false;
}

/* --- making a plan */

static const ast_expr *method_expr(const ast_run *r) {
  for (size_t k = 0; k < r->with.n; k++)
    if (!r->with.items[k].name.name) return r->with.items[k].value;
  return NULL;
}

static const char *method_word(const ast_run *r) {
  if (r->verb != VERB_INFER) return ast_verb_text(r->verb);
  const ast_expr *e = method_expr(r);
  return !e ? "auto" : e->kind == EXPR_CALL ? e->call.fn.name : e->kind == EXPR_NAME ? e->name.name : "auto";
}

static size_t count_runs(const program *p) {
  size_t n = 0;
  for (size_t k = 0; k < p->check.file->n; k++) n += p->check.file->items[k]->kind == DECL_RUN;
  return n;
}

static const char *result_name(program *p, const ast_decl *run, const char *model) {
  if (!run) return model;
  const ast_run *r = run->run;
  if (name_present(&r->as)) return r->as.name;
  return count_runs(p) == 1 ? model : arena_printf(p->mem, "%s_%s", model, method_word(r));
}

static bool set_options(program *p, plan *pl, const ast_args *args, const ast_args *before) {
  bool ok = true;
  for (size_t k = 0; k < args->n; k++) {
    const ast_arg *a = &args->items[k];
    if (!a->name.name) continue;
    const ast_arg *first = before ? ast_args_find(before, a->name.name) : NULL;
    for (size_t i = 0; i < k && !first; i++)
      if (args->items[i].name.name == a->name.name) first = &args->items[i];
    if (first) {
      diag *d = error(p, "E0822", a->name.at, arena_printf(p->mem, "`%s` is set twice", a->name.name));
      diag_point(&p->diags, d, first->at, "first here");
      ok = false;
    } else ok &= set_option(p, pl, a->name.name, a->value, a->name.at);
  }
  return ok;
}

/* The parts of a cycle, each with options of its own. */
static bool set_parts(program *p, plan *pl, const ast_args *args) {
  pl->part = ARENA_ARRAY(p->mem, plan_part, args ? args->n : 0);
  bool ok = true;
  for (size_t k = 0; args && k < args->n; k++) {
    const ast_expr *e = args->items[k].value;
    if (args->items[k].name.name) continue;
    ok &= plan_part_read(p, e, &pl->part[pl->nparts++]);
    if (e->kind == EXPR_CALL) ok &= set_options(p, pl, &e->call.args, NULL);
  }
  return ok;
}

bool plan_make(program *p, const ast_decl *run, const check_model *model, plan *out) {
  *out = (plan){.verb = run ? run->run->verb : VERB_INFER, .run = run, .method = PLAN_AUTO, .automatic = true, .chains = 4, .warmup = 1000,
                .draws = 1000, .thin = 1, .seed = 1, .target_accept = 0.8, .max_depth = 10, .metric = PLAN_METRIC_AUTO, .init_radius = 2, .scale = 1, .particles = 10000,
                .paths = 4, .iterations = 2000, .tolerance = 1e-8, .kernel = {.rule = KERNEL_GIBBS, .replicas = 64}};
  out->model = run || !model ? program_model(p, run) : model;
  if (run && out->verb != VERB_INFER && out->verb != VERB_ANNEAL) {
    out->name = result_name(p, run, run->run->model.name);
    out->missing = arena_printf(p->mem, "`%s`", ast_verb_text(out->verb));
    out->missing_at = run->at;
    if (out->verb != VERB_SIMULATE) return true;
    const symbol *world = run->run->world.sym;
    out->agent = check_agent_of(&p->check, run->run->model.sym->decl);
    out->world = world ? check_agent_of(&p->check, world->decl) : NULL;
    agent_simulation_of(&p->check, run->run, &out->simulation);
    out->seed = out->simulation.seed;
    return true;
  }
  if (!out->model) {
    error(p, "E0825", (span){0}, "the program has no model to run");
    return false;
  }
  out->name = result_name(p, run, out->model->sym->name);
  if (!run) return true;
  const ast_run *r = run->run;
  if (!kernel_read(&p->diags, r->using_, r->verb == VERB_ANNEAL, &out->kernel)) return false;
  if (r->verb == VERB_ANNEAL) {
    out->method = PLAN_ANNEAL;
    out->automatic = false;
    const ast_expr *schedule = method_expr(r);
    out->schedule = schedule ? schedule_compile(&p->check, out->model, schedule) : NULL;
    return set_options(p, out, &r->with, NULL) && out->schedule;
  }
  bool ok = true;
  ok &= until_read(&p->diags, r->until, &out->until);
  const ast_expr *e = method_expr(r);
  if (e && !set_method(p, out, method_word(r), e->at)) return false;
  const ast_args *own = e && e->kind == EXPR_CALL ? &e->call.args : NULL;
  if (own) ok &= set_options(p, out, own, NULL);
  if (out->method == PLAN_CYCLE) ok &= set_parts(p, out, own);
  return set_options(p, out, &r->with, own) && ok;
}

void plan_warn_missing(program *p, const plan *pl) {
  if (!pl->missing) return;
  diag *d = diag_add(&p->diags, DIAG_WARNING, "W0820", pl->missing_at, "%s is not available yet", pl->missing);
  diag_note(&p->diags, d, "the statement is read, and refused when it is run");
}

static bool is_discrete(const check_site *s) { return s->type && (s->type->kind == TY_INT || s->type->kind == TY_BOOL); }

bool plan_is_unknown(const plan *pl, const check_site *s) {
  return s->role == IR_LATENT && !(pl->run && ast_args_find(&pl->run->run->given, s->sym->name));
}

bool plan_is_biased(const plan *pl) { return pl->kernel.floor > 0 && method_is(pl->method, METHOD_SWEEPS); }

static const check_site *first_discrete(const plan *pl) {
  const check_model *m = pl->model;
  for (size_t k = 0; k < m->nsites; k++)
    if (plan_is_unknown(pl, &m->sites[k]) && is_discrete(&m->sites[k])) return &m->sites[k];
  return NULL;
}

/* Integers that are missing and read are unknowns that no declaration tells. */
static const lower_missing *first_missing(const program *p) {
  for (size_t k = 0; k < p->nmissing; k++)
    if (p->missing[k].latent && p->missing[k].discrete) return &p->missing[k];
  return NULL;
}

bool plan_keeps(const char *const *save, size_t n, const char *name, bool part) {
  bool hit = n == 0 && !part;
  for (size_t k = 0; k < n && !hit; k++) hit = strcmp(save[k], name) == 0;
  return hit;
}

bool plan_bound(program *p, plan *pl) {
  if (pl->method == PLAN_CYCLE && !plan_cycle_bound(p, pl)) return false;
  for (size_t k = 0; k < p->nmissing; k++)
    if (p->missing[k].latent && pl->automatic && pl->method == PLAN_PRIOR) pl->method = PLAN_NUTS;
  if (p->sums != SUMS_NONE || !first_missing(p)) return true;
  if (method_is(pl->method, METHOD_REAL)) p->sums = pl->automatic && !pl->nsum_out ? SUMS_TRY : SUMS_MUST;
  return true;
}

plan *plan_all(program *p, const char *only, size_t *n) {
  const ast_file *f = p->check.file;
  size_t runs = count_runs(p), kept = 0;
  plan *out = ARENA_ARRAY(p->mem, plan, runs + 1);
  const char **names = ARENA_ARRAY(p->mem, const char *, runs + 1);
  const ast_decl **at = ARENA_ARRAY(p->mem, const ast_decl *, runs + 1);
  size_t count = 0;
  *n = 0;
  bool ok = true;
  for (size_t k = 0; k < (runs ? f->n : 1); k++) {
    const ast_decl *run = runs ? f->items[k] : NULL;
    if (run && run->kind != DECL_RUN) continue;
    const check_model *m = program_model(p, run);
    const char *name = run ? result_name(p, run, run->run->model.name) : m ? m->sym->name : "";
    for (size_t i = 0; i < count; i++)
      if (strcmp(names[i], name) == 0) {
        diag *d = error(p, "E0828", run->at, arena_printf(p->mem, "two results are called `%s`", name));
        diag_point(&p->diags, d, at[i]->at, "the first one");
        diag_help(&p->diags, d, "name this one: `... as another_name`");
        ok = false;
      }
    names[count] = name;
    at[count++] = run;
    if (only && strcmp(only, name) != 0) continue;
    ok &= plan_make(p, run, NULL, &out[kept++]);
  }
  if (!ok) return NULL;
  if (kept == 0) {
    diag *d = error(p, "E0824", (span){0}, arena_printf(p->mem, "no statement gives a result called `%s`", only));
    const char *near = diag_nearest(only, names, count);
    if (near) diag_help(&p->diags, d, "did you mean `%s`?", near);
    else {
      strbuf s;
      strbuf_init(&s, p->mem);
      for (size_t k = 0; k < count && k < 16; k++) strbuf_printf(&s, "%s`%s`", k ? ", " : "", names[k]);
      diag_help(&p->diags, d, "the results of this program are %s%s", s.s, count > 16 ? ", ..." : "");
    }
    return NULL;
  }
  *n = kept;
  return out;
}

/* --- flags */

bool plan_override(program *p, plan *pl, const char *key, const char *value) {
  int file = source_add(&p->sources, arena_printf(p->mem, "--%s", key), value, strlen(value));
  const ast_expr *e = file ? parse_expr(p->mem, &p->names, &p->sources, file, &p->diags) : NULL;
  if (!e) {
    if (!file) error(p, "E0827", (span){0}, arena_printf(p->mem, "the value of `--%s` is too long", key));
    return false;
  }
  if (strcmp(key, "method") == 0) {
    if (e->kind == EXPR_NAME) return set_method(p, pl, e->name.name, e->at) && is_there(p, pl);
    diag *d = error(p, "E0827", e->at, "`--method` takes the name of a method");
    diag_help(&p->diags, d, "options have flags of their own, such as `--draws 2000`");
    return false;
  }
  if (!pl->model) return true; /* there is nothing that an option could change, and plan_check refuses the statement */
  if (strcmp(key, "chains") == 0) pl->chains_set = true;
  if (strcmp(key, "until") == 0) pl->until_set = true;
  static const char *const others[] = {"method", "save", "centred", "noncentred", "sum_out", "statistics", "metric", "init", "beta", "order", "blocks", "until"};
  enum { OTHERS = sizeof others / sizeof others[0] };
  bool other = false;
  for (size_t k = 1; k < OTHERS; k++) other = other || strcmp(key, others[k]) == 0;
  if (field_of(key) || other) return set_option(p, pl, key, e, e->at);
  diag *d = error(p, "E0827", e->at, arena_printf(p->mem, "there is no option called `%s`", key));
  const char *words[NFIELDS + OTHERS];
  memcpy(words, others, sizeof others);
  for (size_t k = 0; k < NFIELDS; k++) words[k + OTHERS] = fields[k].name;
  const char *near = diag_nearest(key, words, NFIELDS + OTHERS);
  if (near) diag_help(&p->diags, d, "did you mean `%s`?", near);
  return false;
}

/* --- against the model */

/* The ladders of methods that are not told one. */
static bool default_ladder(program *p, plan *pl) {
  const char *text = pl->method == PLAN_TEMPERING ? "geometric(beta = 0.1 -> 1, rungs = 12)" : pl->method == PLAN_POPULATION ? "adaptive(beta = 0 -> 1, ess = 0.5)"
                     : pl->method == PLAN_AIS ? "power(beta = 0 -> 1, rungs = 200)" : NULL;
  if (pl->schedule || !text) return true;
  int file = source_add(&p->sources, "the default ladder", text, strlen(text));
  const ast_expr *e = parse_expr(p->mem, &p->names, &p->sources, file, &p->diags);
  pl->schedule = e ? schedule_compile(&p->check, pl->model, e) : NULL;
  return pl->schedule != NULL;
}

static bool has_unknowns(const plan *pl) {
  for (size_t k = 0; k < pl->model->nsites; k++)
    if (plan_is_unknown(pl, &pl->model->sites[k])) return true;
  return false;
}

void plan_not_summed(program *p, plan *pl) {
  const check_site *k = first_discrete(pl);
  const lower_missing *gap = first_missing(p);
  pl->method = PLAN_GIBBS;
  p->sums = SUMS_NONE;
  const char *name = k ? k->sym->name : gap ? gap->gap : "an unknown";
  span at = k ? k->at : pl->model->sym->at;
  for (size_t i = 0; gap && !k && i < pl->model->ndata; i++)
    if (strcmp(pl->model->data[i]->name, gap->name) == 0) at = pl->model->data[i]->at;
  diag *d = diag_add(&p->diags, DIAG_NOTE, "N0829", at, "the method is gibbs, since `%s` is discrete and cannot be summed out", name);
  if (p->unsummed_at.file && p->unsummed_at.off != at.off) diag_point(&p->diags, d, p->unsummed_at, "for this");
  diag_note(&p->diags, d, "%s", p->unsummed);
}

bool plan_check(program *p, plan *pl) {
  if (!is_there(p, pl)) return false;
  p->no_statistics = pl->plain_sums;
  p->scattered = pl->order == KERNEL_RANDOM;
  p->coloured = pl->order == KERNEL_COLOURED;
  p->sums = SUMS_NONE;
  const bool discrete = first_discrete(pl) != NULL;
  if (pl->automatic) {
    if (!has_unknowns(pl)) {
      pl->method = PLAN_PRIOR;
      return true;
    }
    pl->method = PLAN_NUTS;
  }
  if (pl->chains_set && pl->chains != 1 && method_is(pl->method, METHOD_ALONE)) {
    diag *d = diag_add(&p->diags, DIAG_WARNING, "W0830", (span){0}, "`chains` has no effect on %s: its draws are independent and stand in one file", method_name(pl->method));
    diag_help(&p->diags, d, "`draws` is the number of all of them");
  }
  /* What the statement says is for the method that it names. */
  if (!method_is(pl->method, METHOD_RESTS) && !pl->until_set) pl->until.n = 0;
  if (pl->until.n && !method_is(pl->method, METHOD_RESTS)) {
    diag *d = error(p, "E0810", (span){0}, arena_printf(p->mem, "`until` looks at chains, and %s has none that could stop", method_name(pl->method)));
    diag_help(&p->diags, d, "it is for nuts, mh, gibbs, slice and cycle");
    return false;
  }
  if (!default_ladder(p, pl)) return false;
  if (pl->schedule && pl->schedule->restarts && method_is(pl->method, METHOD_SWEEPS)) {
    diag *d = error(p, "E0847", pl->run ? pl->run->at : pl->model->sym->at, "a restart is part of a search: states that go back are no draws");
    diag_help(&p->diags, d, "it is for `anneal`");
    return false;
  }
  if (pl->schedule && pl->schedule->feedback && (pl->method == PLAN_TEMPERING || pl->method == PLAN_AIS)) {
    diag *d = error(p, "E0847", pl->run ? pl->run->at : pl->model->sym->at, arena_printf(p->mem, "%s needs a ladder that does not depend on what it meets", method_name(pl->method)));
    diag_help(&p->diags, d, "adaptive ladders are for population; here write `beta = geometric(0.1 -> 1, rungs = 12)`");
    return false;
  }
  p->sum_out = pl->sum_out;
  p->nsum_out = pl->nsum_out;
  if (method_is(pl->method, METHOD_REAL) && discrete) p->sums = pl->automatic && !pl->nsum_out ? SUMS_TRY : SUMS_MUST;
  if (pl->method == PLAN_MAP) pl->draws = 1;
  if (pl->method == PLAN_CYCLE) return plan_cycle_check(p, pl);
  return true;
}
