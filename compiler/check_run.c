/* check_run.c: inference statements: models, data, methods and their options.
 *
 * Options are compared with the methods' own tables here.  What an option's value means belongs to the driver of the method,
 * which reads the literal. */
#include "compiler/check_state.h"
#include "compiler/kernel.h"
#include "compiler/method.h"
#include "compiler/schedule.h"
#include "compiler/until.h"

#include <string.h>

typedef enum want { WANT_COUNT, WANT_WHOLE, WANT_REAL, WANT_LENGTH, WANT_NAMES, WANT_UNKNOWNS, WANT_WORD, WANT_SCHEDULE, WANT_ANY } want;

typedef struct option {
  const char *name;
  want want;
  const char *methods; /* "" for all; else " nuts hmc " */
  bool later;          /* known by name, refused when it would be run: no message offers it */
} option;

static const option options[] = {
    {"seed", WANT_WHOLE, ""},
    {"threads", WANT_WHOLE, ""},
    {"save", WANT_NAMES, ""},
    {"draws", WANT_COUNT, " prior importance mh gibbs slice hmc nuts smc pmmh pgas tempering ais laplace pathfinder vi cycle "},
    {"chains", WANT_COUNT, " mh gibbs slice hmc nuts pmmh pgas tempering population cycle "},
    {"warmup", WANT_WHOLE, " mh gibbs slice hmc nuts pmmh pgas tempering cycle "},
    {"thin", WANT_COUNT, " mh gibbs slice hmc nuts pmmh pgas tempering cycle "},
    {"target_accept", WANT_REAL, " nuts hmc "},
    {"max_depth", WANT_COUNT, " nuts "},
    {"metric", WANT_WORD, " nuts hmc "},
    {"init", WANT_WORD, " nuts "},
    {"statistics", WANT_WORD, ""},
    {"init_radius", WANT_LENGTH, " nuts mh gibbs slice map laplace pathfinder tempering population ais anneal "},
    {"step_size", WANT_REAL, " nuts hmc "},
    {"steps", WANT_WHOLE, " mh hmc "},
    {"particles", WANT_COUNT, " importance smc pmmh pgas population ais "},
    {"scale", WANT_REAL, " mh gibbs slice tempering population ais anneal "},
    {"order", WANT_WORD, " gibbs slice "},
    {"over", WANT_ANY, " smc pmmh pgas ", true},
    {"resample", WANT_ANY, " smc pmmh pgas ", true},
    {"blocks", WANT_NAMES, " gibbs "},
    {"beta", WANT_SCHEDULE, " tempering population ais "},
    {"iterations", WANT_COUNT, " map laplace pathfinder vi "},
    {"tolerance", WANT_REAL, " map laplace pathfinder vi "},
    {"paths", WANT_COUNT, " nuts map laplace pathfinder "},
    {"family", WANT_WORD, " vi ", true},
    {"centred", WANT_UNKNOWNS, " nuts hmc laplace pathfinder "},
    {"noncentred", WANT_UNKNOWNS, " nuts hmc laplace pathfinder "},
    {"sum_out", WANT_NAMES, " nuts hmc map laplace pathfinder "},
};
enum { NOPTIONS = sizeof options / sizeof options[0] };

static bool takes(const option *o, const char *method) {
  if (!o->methods[0] || strcmp(method, "auto") == 0) return true;
  char word[32] = " ";
  size_t n = strlen(method);
  if (n + 3 > sizeof word) return false;
  memcpy(word + 1, method, n);
  word[n + 1] = ' ';
  word[n + 2] = '\0';
  return strstr(o->methods, word) != NULL;
}

static symbol *model_name(const check_model *m, const char *name) {
  for (size_t i = 0; i < m->nsites; i++)
    if (m->sites[i].sym->name == name) return m->sites[i].sym;
  for (size_t i = 0; i < m->ndata; i++)
    if (m->data[i]->name == name) return m->data[i];
  return NULL;
}

/* The first of the names that could have been meant. */
static void help_names(ctx *c, diag *d, const char *const *words, size_t n) {
  strbuf b;
  strbuf_init(&b, c->a);
  for (size_t i = 0; i < n && i < 8; i++) strbuf_printf(&b, "%s`%s`", i ? ", " : "", words[i]);
  if (n) cx_help(c, d, "it has %s%s", b.s, n > 8 ? ", ..." : "");
}

static void check_saved(ctx *c, ast_expr *e, const check_model *m) {
  const char *path = e->kind == EXPR_FIELD ? field_path(c, e) : NULL;
  if (path) {
    e->kind = EXPR_NAME;
    e->name = (ast_name){.name = path, .at = e->at};
  }
  if (e->kind != EXPR_NAME || name_missing(&e->name)) {
    if (e->kind != EXPR_NAME && e->kind != EXPR_ERROR) {
      diag *d = cx_error(c, "E0808", e->at, "this list holds names of the model");
      cx_help(c, d, "such as `[theta, mu]`");
    }
    return;
  }
  if (model_name(m, e->name.name) || ptr_map_get(&c->tracks, e->name.name)) return;
  diag *d = cx_error(c, "E0807", e->at, "model `%s` has no quantity called `%s`", m->sym->name, e->name.name);
  size_t n = 0;
  const char **words = ARENA_ARRAY(c->a, const char *, m->nsites + 1);
  for (size_t i = 0; i < m->nsites; i++) words[n++] = m->sites[i].sym->name;
  const char *near = nearest_of(e->name.name, words, n);
  if (near) cx_help(c, d, "did you mean `%s`?", near);
  else help_names(c, d, words, n);
}

/* A name of an unknown that nuts moves, for an option that says how. */
static void check_unknown(ctx *c, const char *option, ast_expr *e, const check_model *m) {
  size_t before = c->p->diags->errors;
  check_saved(c, e, m);
  if (c->p->diags->errors != before || e->kind != EXPR_NAME) return;
  symbol *s = model_name(m, e->name.name);
  if (s && s->kind == SYM_LATENT && s->type->kind == TY_REAL) return;
  diag *d = cx_error(c, "E0831", e->at, "`%s` names `%s`, which is not an unknown number", option, e->name.name);
  if (s) cx_point(c, d, s->at, "%s", sym_noun(s));
}

/* Options whose value is one of a few words. */
typedef struct word_set {
  const char *option, *words[6];
} word_set;

static const word_set *words_of(const char *option) {
  static const word_set sets[] = {{"metric", {"diagonal", "fisher", "dense", "lowrank", "auto"}},
                                  {"statistics", {"auto", "off"}},
                                  {"init", {"auto", "random", "pathfinder"}},
                                  {"order", {"sequential", "random", "coloured"}}};
  for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
    if (strcmp(sets[k].option, option) == 0) return &sets[k];
  return NULL;
}

static void help_words(ctx *c, diag *d, const word_set *set) {
  strbuf b;
  strbuf_init(&b, c->a);
  for (size_t k = 0; set->words[k]; k++) strbuf_printf(&b, "%s`%s`", k == 0 ? "" : set->words[k + 1] ? ", " : " or ", set->words[k]);
  cx_help(c, d, "it is %s%s", b.s, strcmp(set->option, "init") == 0 ? "; how far from 0 chains begin is `init_radius`" : "");
}

static void check_word(ctx *c, const char *option, const char *word, span at) {
  const word_set *set = words_of(option);
  if (!set) return;
  size_t n = 0;
  for (; set->words[n]; n++)
    if (strcmp(set->words[n], word) == 0) return;
  diag *d = cx_error(c, "E0808", at, "`%s` cannot be `%s`", option, word);
  const char *near = nearest_of(word, set->words, n);
  if (near) cx_help(c, d, "did you mean `%s`?", near);
  else help_words(c, d, set);
}

static void check_value(ctx *c, const option *o, const ast_arg *a, const check_model *m) {
  const ast_expr *e = a->value;
  double x;
  if (e->kind == EXPR_ERROR) return;
  switch (o->want) {
  case WANT_COUNT:
  case WANT_WHOLE:
    if (e->kind == EXPR_INT && e->integer.value >= (o->want == WANT_COUNT)) {
      if (e->integer.value > 0 || strcmp(o->name, "warmup") != 0) return;
      diag *d = diag_add(c->p->diags, DIAG_WARNING, "W0831", e->at, "without warm-up nothing is adapted, and the first draws are near where chains begin");
      cx_help(c, d, "leave `warmup` away: 1000 transitions are usual");
      return;
    }
    cx_error(c, "E0808", e->at, "`%s` must be a whole number%s", o->name, o->want == WANT_COUNT ? " from 1 up" : "");
    return;
  case WANT_REAL:
  case WANT_LENGTH:
    if (!const_of_expr(e, &x)) {
      cx_error(c, "E0808", e->at, "`%s` must be a number", o->name);
      return;
    }
    if (strcmp(o->name, "target_accept") == 0 && (x <= 0 || x >= 1)) {
      diag *d = cx_error(c, "E0808", e->at, "`target_accept` must lie between 0 and 1");
      cx_help(c, d, "0.8 is usual, 0.95 for difficult posteriors");
    } else if (o->want == WANT_LENGTH) {
      if (x < 0) cx_error(c, "E0808", e->at, "`%s` must not be negative", o->name);
    } else if (x <= 0) cx_error(c, "E0808", e->at, "`%s` must be larger than 0", o->name);
    return;
  case WANT_NAMES:
  case WANT_UNKNOWNS: {
    if (e->kind != EXPR_ARRAY) {
      diag *d = cx_error(c, "E0808", e->at, "`%s` takes a list of names", o->name);
      if (e->kind == EXPR_NAME) cx_help(c, d, "write `%s = [%s]`", o->name, e->name.name);
      return;
    }
    for (size_t i = 0; i < e->array.elems.n; i++)
      if (m && o->want == WANT_NAMES) check_saved(c, e->array.elems.items[i], m);
      else if (m) check_unknown(c, o->name, e->array.elems.items[i], m);
    return;
  }
  case WANT_WORD: {
    const char *word = e->kind == EXPR_NAME ? e->name.name : e->kind == EXPR_STRING ? e->string.bytes : NULL;
    if (!word) {
      diag *d = cx_error(c, "E0808", e->at, "`%s` must be a word", o->name);
      if (words_of(o->name)) help_words(c, d, words_of(o->name));
      return;
    }
    check_word(c, o->name, word, e->at);
    return;
  }
  case WANT_SCHEDULE:
    if (m) schedule_compile(c->p, m, e);
    return;
  case WANT_ANY: return;
  }
}

static void check_option(ctx *c, const ast_arg *a, const char *method, const check_model *m) {
  const char *name = a->name.name;
  const char *words[NOPTIONS];
  size_t n = 0;
  for (size_t i = 0; i < NOPTIONS; i++) {
    if (strcmp(options[i].name, name) == 0) {
      if (takes(&options[i], method)) {
        check_value(c, &options[i], a, m);
        return;
      }
      diag *d = cx_error(c, "E0804", a->name.at, "`%s` has no option called `%s`", method, name);
      strbuf b;
      strbuf_init(&b, c->a);
      for (int k = 0, seen = 0; k < METHOD_COUNT; k++)
        if (takes(&options[i], method_names[k]) && method_is((plan_method)k, METHOD_RUNS) != options[i].later) strbuf_printf(&b, "%s%s", seen++ ? ", " : "", method_names[k]);
      cx_help(c, d, "it belongs to %s", b.s);
      return;
    }
    if (takes(&options[i], method) && !options[i].later) words[n++] = options[i].name;
  }
  diag *d = cx_error(c, "E0804", a->name.at, "`%s` has no option called `%s`", method, name);
  static const struct { const char *other, *ours; } habits[] = {
      {"num_samples", "draws"}, {"iter", "draws"}, {"samples", "draws"}, {"iter_sampling", "draws"}, {"iter_warmup", "warmup"},
      {"num_warmup", "warmup"}, {"tune", "warmup"}, {"burnin", "warmup"}, {"burn_in", "warmup"}, {"num_chains", "chains"},
      {"inits", "init"}, {"adapt_delta", "target_accept"}, {"delta", "target_accept"}, {"max_treedepth", "max_depth"}, {"max_tree_depth", "max_depth"},
      {"cores", "threads"}, {"random_seed", "seed"}, {"rng_seed", "seed"}, {"target_accept_prob", "target_accept"}};
  const char *near = NULL;
  for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++)
    for (size_t k = 0; k < n && strcmp(habits[i].other, name) == 0; k++)
      if (strcmp(words[k], habits[i].ours) == 0) near = words[k]; /* what the method takes */
  if (!near) near = nearest_of(name, words, n);
  /* What belongs into another clause. */
  for (size_t i = 0; m && i < m->ndata; i++)
    if (strcmp(m->data[i]->name, name) == 0) {
      cx_help(c, d, "data stand behind `on`: `infer %s on %s = ...`", m->sym->name, name);
      return;
    }
  for (size_t i = 0; m && i < m->nsites; i++)
    if (m->sites[i].role == IR_LATENT && strcmp(m->sites[i].sym->name, name) == 0) {
      cx_help(c, d, "an unknown is fixed by `given`: `infer %s on ... given %s = ...`", m->sym->name, name);
      return;
    }
  if (near) {
    cx_help(c, d, "did you mean `%s`?", near);
    return;
  }
  strbuf b;
  strbuf_init(&b, c->a);
  for (size_t i = 0; i < n; i++) strbuf_printf(&b, "%s%s", i ? ", " : "", words[i]);
  cx_help(c, d, "its options are %s", b.s);
}

/* The method's name, or NULL after a report. */
static const char *check_method(ctx *c, ast_expr *e, const check_model *m) {
  const char *name = e->kind == EXPR_NAME ? e->name.name : e->kind == EXPR_CALL ? e->call.fn.name : NULL;
  if (!name) {
    if (e->kind != EXPR_ERROR) {
      diag *d = cx_error(c, "E0803", e->at, "behind `with` stands a method");
      cx_help(c, d, "such as `nuts`, `nuts(draws = 2000)` or `gibbs`");
    }
    return NULL;
  }
  if (!name[0]) return NULL;
  if (method_find(name) == METHOD_COUNT) {
    diag *d = cx_error(c, "E0803", e->at, "there is no method called `%s`", name);
    static const struct { const char *other, *ours; } habits[] = {
        {"metropolis", "mh"}, {"metropolis_hastings", "mh"}, {"sample", "nuts"}, {"sampling", "nuts"}, {"mcmc", "nuts"},
        {"advi", "pathfinder"}, {"vb", "pathfinder"}, {"optimize", "map"}, {"optimizing", "map"}, {"mle", "map"}, {"variational", "pathfinder"}, {"NUTS", "nuts"},
        {"HMC", "nuts"}, {"particle_filter", "smc"}, {"stan", "nuts"},
        {"parallel_tempering", "tempering"}, {"replica_exchange", "tempering"}, {"population_annealing", "population"},
        {"annealed_importance", "ais"}};
    const char *near = NULL;
    for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++)
      if (strcmp(habits[i].other, name) == 0) near = habits[i].ours;
    if (!near) near = nearest_of(name, method_names, METHOD_COUNT);
    if (near && !method_is(method_find(near), METHOD_RUNS)) near = NULL;
    if (near) cx_help(c, d, "did you mean `%s`?", near);
    else cx_help(c, d, "methods are %s", method_list(c->a));
    return NULL;
  }
  if (e->kind != EXPR_CALL) return name;
  for (size_t i = 0; i < e->call.args.n; i++) {
    const ast_arg *a = &e->call.args.items[i];
    if (a->name.name) check_option(c, a, name, m);
    else if (strcmp(name, "cycle") == 0) check_method(c, a->value, m);
    else if (a->value->kind == EXPR_ARRAY)
      for (size_t k = 0; k < a->value->array.elems.n && m; k++) check_saved(c, a->value->array.elems.items[k], m);
    else {
      diag *d = cx_error(c, "E0804", a->at, "options of a method have names");
      cx_help(c, d, "such as `%s(draws = 1000)`", name);
    }
  }
  return name;
}

/* The value of a binding names columns of the data file, which are not known here.  Only what can be told from the text is
 * checked: calls of unknown functions. */
void check_bindings(ctx *c, ast_run *r, const check_model *m) {
  ptr_map seen;
  ptr_map_init(&seen, c->a);
  for (size_t i = 0; i < r->on.n; i++) {
    const ast_arg *a = &r->on.items[i];
    if (!a->name.name) {
      if (a->value->kind != EXPR_STRING && a->value->kind != EXPR_ERROR) {
        diag *d = cx_error(c, "E0808", a->at, "behind `on` stand files and bindings");
        cx_help(c, d, "such as `on \"data.csv\", y = height, K = 2`");
      }
      continue;
    }
    const ast_arg *before = ptr_map_get(&seen, a->name.name);
    if (before) {
      diag *d = cx_error(c, "E0805", a->name.at, "`%s` is bound twice", a->name.name);
      cx_point(c, d, before->at, "first here");
    }
    ptr_map_put(&seen, a->name.name, (void *)a);
    bool known = false;
    for (size_t k = 0; k < m->ndata; k++) known |= m->data[k]->name == a->name.name;
    for (size_t k = 0; k < m->nsize_syms; k++) known |= m->size_syms[k]->name == a->name.name;
    if (known) continue;
    const char *noun = ast_decl_noun(m->decl->kind);
    diag *d = cx_error(c, "E0802", a->name.at, "%s `%s` has no data called `%s`", noun, m->sym->name, a->name.name);
    const char **words = ARENA_ARRAY(c->a, const char *, m->ndata + 1);
    for (size_t k = 0; k < m->ndata; k++) words[k] = m->data[k]->name;
    const char *near = nearest_of(a->name.name, words, m->ndata);
    symbol *s = model_name(m, a->name.name);
    if (a->value->kind == EXPR_STRING) cx_help(c, d, "a file is named without a word before it: `on \"data.json\"`");
    else if (s) cx_help(c, d, "`%s` is a latent: `given %s = ...` fixes it", s->name, s->name);
    else if (near) cx_help(c, d, "did you mean `%s`?", near);
    cx_point(c, d, m->sym->at, "the %s is declared here", noun);
  }
}

static void check_given(ctx *c, ast_run *r, const check_model *m) {
  for (size_t i = 0; i < r->given.n; i++) {
    const ast_arg *a = &r->given.items[i];
    if (!a->name.name) {
      diag *d = cx_error(c, "E0806", a->at, "`given` fixes latents by name");
      cx_help(c, d, "such as `given phi = 0.98`");
      continue;
    }
    symbol *s = model_name(m, a->name.name);
    const ast_arg *before = ast_args_find(&r->given, a->name.name);
    if (before && before != a) {
      diag *d = cx_error(c, "E0805", a->name.at, "`%s` is given twice", a->name.name);
      cx_point(c, d, before->at, "first here");
    }
    if (s && s->kind == SYM_LATENT) continue;
    diag *d = cx_error(c, "E0806", a->name.at, s ? "`%s` of model `%s` is not a latent" : "no `%s` in model `%s` could be given", a->name.name,
                       m->sym->name);
    if (s) {
      cx_point(c, d, s->at, "%s", sym_noun(s));
      if (s->kind == SYM_DATA) cx_help(c, d, "data are set behind `on`: `on ..., %s = ...`", s->name);
      continue;
    }
    const char **words = ARENA_ARRAY(c->a, const char *, m->nsites + 1);
    size_t n = 0;
    for (size_t k = 0; k < m->nsites; k++)
      if (m->sites[k].role == IR_LATENT) words[n++] = m->sites[k].sym->name;
    const char *near = nearest_of(a->name.name, words, n);
    if (near) cx_help(c, d, "did you mean `%s`?", near);
    else help_names(c, d, words, n);
  }
}

/* What the statement is about: a model, or of `simulate` an agent. */
static symbol *find_subject(ctx *c, ast_run *r) {
  check_state *st = c->st;
  if (name_missing(&r->model)) return NULL;
  symbol *s = ptr_map_get(&st->user, r->model.name);
  const decl_kind kind = r->verb == VERB_SIMULATE ? DECL_AGENT : DECL_MODEL;
  const char *noun = ast_decl_noun(kind), *article = kind == DECL_AGENT ? "an" : "a";
  if (s && s->decl && s->decl->kind == kind) {
    r->model.sym = s;
    return s;
  }
  if (!s && st->syntax_errors) return NULL; /* maybe what could not be read */
  diag *d = s ? cx_error(c, "E0809", r->model.at, "`%s` is %s, not %s %s", s->name, sym_noun(s), article, noun)
              : cx_error(c, "E0801", r->model.at, "there is no %s called `%s`", noun, r->model.name);
  if (s) cx_point(c, d, s->at, "declared here");
  const char **words = ARENA_ARRAY(c->a, const char *, st->ndecls + 1);
  size_t n = 0;
  for (size_t i = 0; i < st->ndecls; i++)
    if (st->decls[i]->decl && st->decls[i]->decl->kind == kind) words[n++] = st->decls[i]->name;
  const char *near = nearest_of(r->model.name, words, n);
  if (near) cx_help(c, d, "did you mean `%s`?", near);
  else if (n == 1) cx_help(c, d, "this file has `%s`", words[0]);
  else if (s && s->kind == SYM_MODEL) cx_help(c, d, "`infer %s with prior` draws unknowns and predictions from a model", s->name);
  return NULL;
}

static void add_result(ctx *c, ast_decl *d, const char *method) {
  ast_run *r = d->run;
  const char *name = r->as.name;
  if (!name) name = intern(c->p->names, arena_printf(c->a, "%s_%s", r->model.name, method ? method : "auto"));
  if (!name[0]) return;
  ast_decl *before = ptr_map_get(&c->st->results, name);
  if (before) {
    diag *g = cx_error(c, "E0805", r->as.name ? r->as.at : d->at, "two results are called `%s`", name);
    cx_point(c, g, before->at, "the first one");
    cx_help(c, g, "name this one: `... as another_name`");
    return;
  }
  ptr_map_put(&c->st->results, name, d);
}

/* A weight that is no observation: a factor or an energy. */
static bool has_factor(const ast_block *b) {
  for (size_t i = 0; b && i < b->n; i++) {
    const ast_stmt *s = b->items[i];
    if (s->kind == STMT_FACTOR || s->kind == STMT_ENERGY || s->kind == STMT_ERROR) return true;
    if (s->kind == STMT_GROUP && has_factor(s->group.body)) return true;
    if (s->kind == STMT_PLATE && has_factor(s->plate.body)) return true;
    if (s->kind == STMT_FOR && has_factor(s->for_.body)) return true;
    if (s->kind == STMT_IF && (has_factor(s->if_.then) || has_factor(s->if_.else_))) return true;
  }
  return false;
}

/* Data that no statement compares with the unknowns leave the prior as it was. */
static void warn_unobserved(ctx *c, const ast_run *r, const check_model *m, const char *method) {
  if (c->p->diags->errors || r->on.n == 0 || (method && strcmp(method, "prior") == 0) || has_factor(m->decl->body)) return;
  for (size_t i = 0; i < m->nsites; i++)
    if (m->sites[i].role == IR_OBSERVED) return;
  diag *d = diag_add(c->p->diags, DIAG_WARNING, "W0801", r->model.at, "nothing is observed: model `%s` draws from its prior", m->sym->name);
  for (size_t i = 0; i < m->ndata; i++)
    if (m->data[i]->size == IR_SIZE_NONE && m->data[i]->type && m->data[i]->type->rank) {
      cx_help(c, d, "an observation is written `%s ~ ...`", m->data[i]->name);
      break;
    }
}

/* `using` says how sweeps move: where there are sweeps. */
static void check_kernel(ctx *c, const ast_run *r, const char *method) {
  const plan_method known = method ? method_find(method) : METHOD_COUNT;
  const bool sweeps = r->verb == VERB_ANNEAL || (known < METHOD_COUNT && method_is(known, METHOD_SWEEPS));
  kernel read;
  if (r->using_ && !sweeps) {
    diag *d = cx_error(c, "E0845", r->using_->at, "`using` names the kernel of annealing and tempering");
    cx_help(c, d, "it stands with `anneal`, and with the methods tempering, population and ais");
  } else {
    kernel_read(c->p->diags, r->using_, r->verb == VERB_ANNEAL, &read);
  }
}

static void check_until(ctx *c, const ast_run *r, const char *method) {
  until read;
  if (!r->until) return;
  if (r->verb == VERB_ANNEAL) {
    diag *d = cx_error(c, "E0810", r->until->at, "what ends annealing is a part of its schedule");
    cx_help(c, d, "write `with geometric(beta = 0.1 -> 10, sweeps = 200) until stable(window = 20)`");
  } else if (until_read(c->p->diags, r->until, &read) && method && strcmp(method, "auto") != 0 && !method_is(method_find(method), METHOD_RESTS) && method_is(method_find(method), METHOD_RUNS)) {
    diag *d = cx_error(c, "E0810", r->until->at, "`until` looks at chains, and %s has none that could stop", method);
    cx_help(c, d, "it is for nuts, mh, gibbs, slice and cycle");
  }
}

void check_run_decl(check_state *st, ast_decl *decl) {
  ast_run *r = decl->run;
  ctx c;
  ctx_init(&c, st, CTX_RUN, NULL);
  symbol *s = find_subject(&c, r);
  if (!s) return;
  if (r->verb == VERB_SIMULATE) check_simulate(&c, r, s);
  if (r->verb != VERB_INFER && r->verb != VERB_ANNEAL) {
    add_result(&c, decl, ast_verb_text(r->verb));
    return;
  }
  if (name_present(&r->world)) {
    diag *d = cx_error(&c, "E0809", r->world.at, "`in` names the world of `simulate`");
    cx_help(&c, d, "leave out `in %s`", r->world.name);
  }
  const check_model *m = sym_of(s)->model;
  if (!m) return;
  c.tracks = sym_of(s)->tracks;
  check_bindings(&c, r, m);
  check_given(&c, r, m);
  const bool anneals = r->verb == VERB_ANNEAL;
  const char *method = anneals ? "anneal" : NULL;
  bool bad = false;
  for (size_t i = 0; i < r->with.n; i++) {
    ast_arg *a = &r->with.items[i];
    if (!a->name.name) {
      if (i > 0) {
        cx_error(&c, "E0803", a->at, anneals ? "one run has one schedule" : "one run has one method");
        continue;
      }
      if (anneals) {
        bad = !schedule_compile(c.p, m, a->value);
        continue;
      }
      method = check_method(&c, a->value, m);
      bad = method == NULL;
    }
  }
  if (anneals && (r->with.n == 0 || r->with.items[0].name.name)) {
    diag *d = cx_error(&c, "E0803", decl->at, "annealing needs a schedule");
    cx_help(&c, d, "such as `with geometric(beta = 0.1 -> 10, sweeps = 1000)`");
  }
  for (size_t i = 0; i < r->with.n && !bad; i++)
    if (r->with.items[i].name.name) check_option(&c, &r->with.items[i], method ? method : "auto", m);
  check_kernel(&c, r, method);
  check_until(&c, r, method);
  if (r->steps) cx_error(&c, "E0809", r->steps->at, "`for ... steps` belongs to `simulate`");
  if (!bad && !anneals) warn_unobserved(&c, r, m, method);
  add_result(&c, decl, method);
}
