/* api_task.c: tasks of aim.h: data, options, binding and the run. */
#include "compiler/prelude.h"
#include "vm/api.h"

#include "vm/interp.h"
#include "vm/pilot.h"

#include "vm/number_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* ---- new and free */

static const ast_decl *nth_run(const ast_file *f, size_t n) {
  for (size_t k = 0; k < f->n; k++)
    if (f->items[k]->kind == DECL_RUN && n-- == 0) return f->items[k];
  return NULL;
}

static const ast_decl *model_named(const ast_file *f, const char *name) {
  for (size_t k = 0; k < f->n; k++)
    if (f->items[k]->kind == DECL_MODEL && strcmp(f->items[k]->name.name, name) == 0) return f->items[k];
  return NULL;
}

/* The task's own copy of the checked program, and its plan. */
static aim_status open_task(aim_task *t, size_t statement, const char *model) {
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  import_options imports = {.anywhere = true, .known = &t->of->p.sources};
  if (!program_open_with(&t->p, &t->mem, t->of->name, t->of->text, t->of->length, &imports)) return AIM_E_INTERNAL;
  /* The program has told its warnings; the task tells its own. */
  t->p.diags.n = t->p.diags.warnings = 0;
  data_init(&t->data, &t->mem, &t->p.diags);
  const ast_decl *decl = model ? model_named(t->p.check.file, model) : NULL;
  const ast_decl *run = statement == (size_t)-1 ? NULL : nth_run(t->p.check.file, statement);
  if (!plan_make(&t->p, run, decl ? check_model_of(&t->p.check, decl) : NULL, &t->plan)) return AIM_E_PROGRAM;
  return AIM_OK;
}

static aim_status task_new(aim_program *p, size_t statement, const char *model, aim_task **out) {
  aim_task *t = alloc_get(&p->vm->alloc, 1, sizeof *t);
  if (!t) return AIM_E_MEMORY;
  memset(t, 0, sizeof *t);
  t->vm = p->vm;
  t->of = p;
  arena_init(&t->mem, &p->vm->alloc, p->vm->config.memory);
  aim_status st = open_task(t, statement, model);
  if (st != AIM_OK) {
    aim_task_free(t);
    return st;
  }
  *out = t;
  return AIM_OK;
}

aim_status aim_task_statement(aim_program *p, size_t statement, aim_task **out) {
  *out = NULL;
  if (!p || p->p.diags.errors || statement >= p->n_runs) return AIM_E_USAGE;
  return task_new(p, statement, NULL, out);
}

aim_status aim_task_model(aim_program *p, const char *model, aim_task **out) {
  *out = NULL;
  if (!p || p->p.diags.errors || p->n_models == 0) return AIM_E_USAGE;
  if (model && !model_named(p->p.check.file, model)) return AIM_E_USAGE;
  return task_new(p, (size_t)-1, model, out);
}

void aim_task_free(aim_task *t) {
  if (!t) return;
  aim_alloc a = t->vm->alloc;
  draws_free(t->run.store);
  alloc_put(&a, t->loglik, t->n_observed * (size_t)t->run.o.chains * t->loglik_draws * sizeof *t->loglik);
  eval_model_unload(&t->model);
  arena_free(&t->mem);
  alloc_put(&a, t, sizeof *t);
}

int aim_task_errno(const aim_task *t) { return t ? t->io_errno : 0; }

/* ---- data */

/* Wraps calls that take memory: 0 or -1 become a status. */
#define DATA_CALL(t, call)                                            \
  do {                                                                \
    if (!(t) || (t)->state != TASK_NEW) return AIM_E_USAGE;           \
    if (ARENA_TRY(&(t)->mem)) return AIM_E_MEMORY;                    \
    return (call) == 0 ? AIM_OK : AIM_E_PROGRAM;                      \
  } while (0)

aim_status aim_data_f64(aim_task *t, const char *name, const double *cells, int rank, const int64_t *dims) {
  DATA_CALL(t, data_bind_f64(&t->data, name, cells, rank, dims));
}

aim_status aim_data_i64(aim_task *t, const char *name, const int64_t *cells, int rank, const int64_t *dims) {
  DATA_CALL(t, data_bind_i64(&t->data, name, cells, rank, dims));
}

aim_status aim_data_i32(aim_task *t, const char *name, const int32_t *cells, int rank, const int64_t *dims) {
  DATA_CALL(t, data_bind_i32(&t->data, name, cells, rank, dims));
}

aim_status aim_data_missing(aim_task *t, const char *name, const uint8_t *mask) {
  DATA_CALL(t, data_bind_missing(&t->data, name, mask));
}

static void give(aim_task *t, const char *option, const char *value) {
  const task_given g = {option ? arena_strndup(&t->mem, option, strlen(option)) : NULL, arena_strndup(&t->mem, value, strlen(value))};
  ARENA_PUSH(&t->mem, t->given, t->n_given, t->given_cap, g);
}

static int read_file(aim_task *t, const char *path) {
  give(t, NULL, path);
  return data_read_file(&t->data, path);
}

static int read_text(aim_task *t, const char *text) {
  give(t, NULL, text);
  return bind_override(&t->p, &t->data, text) ? 0 : -1;
}

aim_status aim_data_file(aim_task *t, const char *path) { DATA_CALL(t, read_file(t, path)); }
aim_status aim_data_text(aim_task *t, const char *text) { DATA_CALL(t, read_text(t, text)); }

aim_status aim_data_anywhere(aim_task *t) {
  if (!t || t->state != TASK_NEW) return AIM_E_USAGE;
  t->p.any_path = true;
  return AIM_OK;
}

/* ---- options */

/* Files of a run are called by its result, whose name may be any text between back quotes. */
static aim_status set_output(aim_task *t, const char *directory) {
  enum { LONGEST = 200 };
  const plan *pl = &t->plan;
  if (!*directory) {
    diag_add(&t->p.diags, DIAG_ERROR, "E0932", (span){0}, "the output directory has no name; `.` is the current one");
    return AIM_E_PROGRAM;
  }
  if (strchr(pl->name, '/') || *pl->name == '.' || strlen(pl->name) > LONGEST) {
    const bool as = pl->run && pl->run->run->as.name;
    diag *d = diag_add(&t->p.diags, DIAG_ERROR, "E0933", as ? pl->run->run->as.at : pl->run ? pl->run->at : pl->model->decl->name.at, "files cannot have this result's name");
    diag_help(&t->p.diags, d, "a name without `/`, without `.` at its start, and of at most %d bytes can: say it behind the statement, `as NAME`", LONGEST);
    return AIM_E_PROGRAM;
  }
  t->output = arena_strndup(&t->mem, directory, strlen(directory));
  return AIM_OK;
}

aim_status aim_set_text(aim_task *t, const char *option, const char *value) {
  if (!t || !option || !value || t->state == TASK_DONE) return AIM_E_USAGE;
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  if (strcmp(option, "output") == 0) return set_output(t, value);
  if (strcmp(option, "resume") == 0) {
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) return AIM_E_USAGE;
    t->resume = strcmp(value, "on") == 0;
    return AIM_OK;
  }
  if (strcmp(option, "started") == 0) {
    t->started = arena_strndup(&t->mem, value, strlen(value));
    return AIM_OK;
  }
  if (strcmp(option, "pointwise") == 0) {
    if (t->state != TASK_NEW || (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)) return AIM_E_USAGE;
    t->pointwise = strcmp(value, "on") == 0;
    return AIM_OK;
  }
  if (strcmp(option, "replicate") == 0) {
    if (t->state != TASK_NEW || (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)) return AIM_E_USAGE;
    t->p.replicate = strcmp(value, "on") == 0;
    return AIM_OK;
  }
  /* What a bound task was built for. */
  bool built = strcmp(option, "method") == 0 || strcmp(option, "centred") == 0 || strcmp(option, "noncentred") == 0 || strcmp(option, "sum_out") == 0;
  if (t->state != TASK_NEW && built) return AIM_E_USAGE;
  t->checked = false;
  give(t, option, value);
  return plan_override(&t->p, &t->plan, option, value) ? AIM_OK : AIM_E_PROGRAM;
}

aim_status aim_set_int(aim_task *t, const char *option, int64_t value) {
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)value);
  return aim_set_text(t, option, text);
}

aim_status aim_set_real(aim_task *t, const char *option, double value) {
  char text[NUMBER_TEXT_SIZE];
  number_text(text, value);
  return aim_set_text(t, option, text);
}

aim_status aim_plan_get(const aim_task *t, aim_plan *out) {
  if (!t) return AIM_E_USAGE;
  const plan *p = &t->plan;
  /* A statement about an agent has no model, and is refused when it is bound. */
  const char *model = p->model ? p->model->decl->name.name : p->run->run->model.name;
  *out = (aim_plan){p->name,   model, method_name(p->method), p->seed, p->particles, p->chains, p->warmup, p->draws,
                    p->thin,   p->steps, p->max_depth,              p->target_accept};
  return AIM_OK;
}

/* ---- binding */

static bool choose_seed(plan *p) {
  uint64_t s = 0;
  while (p->seed == 0) {
    if (getrandom(&s, sizeof s, 0) != sizeof s) return false;
    p->seed = s >> 1;
  }
  return true;
}

/* Refuses, before any of it is taken, a run whose draws cannot fit, and names the largest array.  Draws of mh that share memory are left to their own
 * bound (run_store.c). */
static aim_status check_memory(aim_task *t) {
  const program *p = &t->p;
  const plan *pl = &t->plan;
  const double limit = (double)t->vm->config.memory;
  const run_options o = run_options_of(pl);
  const double chains = (double)o.chains, rows = chains * (pl->method == PLAN_MH && pl->steps ? 1.0 : (double)o.draws);
  const char *name = NULL;
  span at = {0};
  size_t most = 0;
  double cells = 0, kept = 0;
  for (size_t k = 0; k < p->nsites + p->noutputs; k++) {
    const bool latent = k < p->nsites;
    const char *s = latent ? p->site[k].name : p->output[k - p->nsites].name;
    size_t n = latent ? p->site[k].cells : p->output[k - p->nsites].cells;
    cells += (double)n;
    if (plan_keeps(pl->save, pl->nsave, s, latent && p->site[k].part_given)) kept += (double)n;
    if (n <= most) continue;
    most = n;
    name = s;
    at = latent ? p->site[k].site->where : pl->model->decl->name.at;
  }
  /* A chain has at least a frame and a row of its own. */
  const double bytes = 8 * (kept * rows + 2 * cells * chains);
  if (limit == 0 || bytes <= limit || !name) return AIM_OK;
  diag *d = diag_add(&t->p.diags, DIAG_ERROR, "E0935", at, "`%s` has %zu elements: the draws would need %.*f GB", name, most, bytes < 1e11, bytes / 1e9);
  diag_note(&t->p.diags, d, "%.0f cells in each of %.0f draws; %.*f GB may be used", kept, rows, limit < 1e11, limit / 1e9);
  diag_help(&t->p.diags, d, "keep less: `save = [names]`, fewer draws, or `thin`");
  return AIM_E_MEMORY;
}

static aim_status build(aim_task *t) { return program_build(&t->p, t->needs) ? AIM_OK : t->p.broken ? AIM_E_INTERNAL : AIM_E_PROGRAM; }

aim_status api_load(aim_task *t, const exec_engine *engine, span at, const char *noun) {
  const char *message = NULL;
  switch (eval_model_load(&t->model, &t->p, engine, t->vm->config.isa, t->vm->config.memory, &t->vm->alloc, &message)) {
  case EXEC_OK: return AIM_OK;
  case EXEC_MEMORY: return AIM_E_MEMORY;
  case EXEC_BOUND:
    api_report_bound(t, t->model.prepared.where, t->model.prepared.index, t->model.prepared.extent, "with these data");
    return AIM_E_PROGRAM;
  default:
    diag_add(&t->p.diags, DIAG_ERROR, "E0901", at, "this %s cannot be run: %s", noun, message ? message : "the engine gave no reason");
    return AIM_E_PROGRAM;
  }
}

static aim_status load_into(aim_task *t, const exec_engine *engine) { return api_load(t, engine, t->plan.model->decl->name.at, "model"); }

/* A model of which some site could be sampled in two forms is built in one of them, tried out on the interpreter, and built again if the
 * other is better.  How it is tried depends on model and data alone, so every engine gets the same functions. */
static aim_status choose_forms(aim_task *t) {
  program *p = &t->p;
  bool open = false;
  for (size_t k = 0; k < p->nsites; k++) open = open || centre_is_open(&p->centring, p->site[k].site);
  if (!open) return AIM_OK;
  aim_status st = load_into(t, &interp_engine);
  if (st != AIM_OK) return st;
  double *weight = ARENA_ARRAY(p->mem, double, p->nsites);
  bool done = pilot_weigh(&t->model, &t->vm->alloc, weight);
  if (!done) return AIM_E_MEMORY;
  size_t centred = pilot_judge(p, weight);
  if (centred && (st = build(t)) != AIM_OK) return st;
  pilot_tell(p, weight);
  if (centred || t->vm->engine != &interp_engine) eval_model_unload(&t->model);
  return AIM_OK;
}

static aim_status load(aim_task *t, unsigned needs, bool to_run) {
  t->needs = needs;
  t->p.centring = t->plan.centring;
  t->p.block = ARENA_ARRAY(&t->mem, program_block, t->plan.nparts);
  t->p.nblocks = 0;
  for (size_t k = 0; k < t->plan.nparts; k++)
    if (t->plan.part[k].method == PLAN_NUTS) t->p.block[t->p.nblocks++] = (program_block){.name = t->plan.part[k].name, .n = t->plan.part[k].n};
  aim_status st = build(t);
  if (st != AIM_OK) return st;
  if (to_run && check_memory(t) != AIM_OK) return AIM_E_MEMORY;
  if (needs & NEED_GRAD && (st = choose_forms(t)) != AIM_OK) return st;
  /* Where scales multiply unknowns curvature varies more than a step size that is right on average can follow. */
  for (size_t k = 0; k < t->p.nsites && !t->plan.target_set; k++)
    if (t->p.site[k].site->standard) t->plan.target_accept = 0.95;
  return t->model.loaded ? AIM_OK : load_into(t, t->vm->engine);
}

aim_status aim_execution_get(const aim_task *t, aim_execution *out) {
  if (!t->model.loaded) return AIM_E_USAGE;
  const exec_engine *engine = t->model.engine;
  *out = (aim_execution){.engine = engine->name};
  if (!engine->account) return AIM_OK;
  exec_account a = {0};
  engine->account(t->model.loaded, &a);
  *out = (aim_execution){.engine = engine->name, .interpreted = a.interpreted, .compiled = a.compiled, .cached = a.cached != 0, .made = a.made != 0, .refused = a.refused != 0,
                         .seconds = a.seconds, .object = a.object};
  _Static_assert(sizeof out->why == sizeof a.why, "one line");
  memcpy(out->why, a.why, sizeof a.why);
  return AIM_OK;
}

/* Options may be set until the run, so this is done when a task is bound and again if one was set since. */
static aim_status check_plan(aim_task *t) {
  if (t->checked) return AIM_OK;
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  if (!plan_check(&t->p, &t->plan)) return AIM_E_PROGRAM;
  if (!choose_seed(&t->plan)) {
    t->io_errno = errno;
    return AIM_E_IO;
  }
  t->checked = true;
  return AIM_OK;
}

/* Large sums are cut off where there are more threads than chains. */
static unsigned stages(const aim_task *t) {
  bool spare = t->plan.method == PLAN_NUTS && run_threads_wanted(t->plan.threads) / 2 >= (size_t)t->plan.chains;
  return spare ? NEED_STAGES : 0;
}

/* What the method needs; where finite unknowns cannot be summed out, what that one needs which is then chosen. */
static aim_status load_for_method(aim_task *t, unsigned more) {
  aim_status st = load(t, run_method_needs(t->plan.method) | more | stages(t) | (t->pointwise ? NEED_LOGLIK : 0), more == 0);
  if (st == AIM_OK || !t->p.unsummed || t->p.sums != SUMS_TRY) return st == AIM_OK && more == 0 && api_refuse_data(t) ? AIM_E_PROGRAM : st;
  plan_not_summed(&t->p, &t->plan);
  return load(t, run_method_needs(t->plan.method) | more | stages(t) | (t->pointwise ? NEED_LOGLIK : 0), more == 0);
}

/* Cells that a parameter has in memory; (size_t)-1 if there is none of that name. */
static size_t cells_of(const aim_task *t, const char *name) {
  const check_model *m = t->plan.model;
  for (size_t k = 0; k < m->ndata; k++) {
    const ty_info *type = m->data[k]->type;
    size_t n = 1;
    if (strcmp(m->data[k]->name, name) != 0) continue;
    for (int a = 0; a < type->rank; a++) n *= (size_t)size_eval(t->p.sizes, type->dim[a]);
    return n;
  }
  return (size_t)-1;
}

/* Sizes, and all that is not observed, stay what the data said. */
static bool exchange_observed(aim_task *t) {
  const aim_task *from = t->simulation;
  program *p = &t->p;
  for (size_t k = 0; k < from->p.nsites; k++) {
    const program_site *o = &from->p.site[k];
    size_t n = strlen(o->name), number = aim_quantity_find(from, o->name), at = 0;
    if (!o->replica) continue;
    while (at < p->ndata && !(strlen(p->data[at].name) == n - 4 && memcmp(p->data[at].name, o->name, n - 4) == 0)) at++;
    if (at == p->ndata || number == (size_t)-1 || cells_of(t, p->data[at].name) != o->cells) return false;
    double *x = ARENA_ARRAY(p->mem, double, o->cells);
    exec_cell *cells = ARENA_ARRAY(p->mem, exec_cell, o->cells + 1);
    if (aim_draw_get(from, 0, t->simulated, number, x) != AIM_OK) return false;
    for (size_t e = 0; e < o->cells; e++) {
      if (!o->discrete) cells[e].real = x[e];
      else cells[e].integer = (int64_t)x[e];
    }
    p->data[at].p = cells;
  }
  return true;
}

aim_status aim_data_simulated(aim_task *t, const aim_task *from, size_t draw) {
  if (!t || !from || t->state != TASK_NEW || from->state != TASK_DONE || !from->p.replicate || from->of != t->of || draw >= aim_draw_count(from, 0))
    return AIM_E_USAGE;
  t->simulation = from;
  t->simulated = draw;
  return AIM_OK;
}

static aim_status bind(aim_task *t, unsigned more) {
  aim_status st = check_plan(t);
  if (st != AIM_OK) return st;
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  if (!program_bind(&t->p, t->plan.model, t->plan.run, &t->data)) return AIM_E_PROGRAM;
  if (!plan_bound(&t->p, &t->plan)) return AIM_E_PROGRAM;
  if (t->simulation && !exchange_observed(t)) return AIM_E_USAGE;
  return load_for_method(t, more);
}

aim_status api_bind(aim_task *t, unsigned more) {
  if (t->state == TASK_BOUND || t->state == TASK_DONE) return AIM_OK;
  if (t->state == TASK_BROKEN) return AIM_E_USAGE;
  aim_status st = bind(t, more);
  t->state = st == AIM_OK ? TASK_BOUND : TASK_BROKEN;
  /* Line tables are built now, so that evaluators only read them. */
  if (st == AIM_OK && ARENA_TRY(&t->mem) == 0)
    for (size_t k = 1; k <= t->p.sources.n; k++) source_locate(&t->p.sources, (uint32_t)k, 0);
  return st;
}

aim_status aim_bind(aim_task *t) { return t ? api_bind(t, 0) : AIM_E_USAGE; }

size_t aim_levels_count(const aim_task *t) { return t && (t->state == TASK_BOUND || t->state == TASK_DONE) ? t->p.nlevels : 0; }

aim_status aim_levels_get(const aim_task *t, size_t k, aim_levels *out) {
  if (k >= aim_levels_count(t)) return AIM_E_USAGE;
  const program_levels *l = &t->p.levels[k];
  *out = (aim_levels){l->name, l->text, l->n};
  return AIM_OK;
}

/* ---- the run */

static run_status drive(run *r) {
  switch (r->o.method) {
  case PLAN_NUTS: return run_nuts(r);
  case PLAN_MH:
  case PLAN_GIBBS:
  case PLAN_SLICE: return run_mh(r);
  case PLAN_CYCLE: return run_cycle(r);
  case PLAN_IMPORTANCE: return run_importance(r);
  case PLAN_PRIOR: return run_prior(r);
  case PLAN_MAP: return run_map(r);
  case PLAN_LAPLACE: return run_laplace(r);
  case PLAN_PATHFINDER: return run_pathfinder(r);
  case PLAN_AIS: return run_importance(r);
  case PLAN_TEMPERING: return run_tempering(r);
  case PLAN_POPULATION: return run_population(r);
  case PLAN_ANNEAL: return run_anneal(r);
  default: return r->status = RUN_E_INTERNAL;
  }
}

typedef struct watch_bridge {
  const aim_watch *w;
} watch_bridge;

static int progress(void *user, const run_progress *p) {
  const aim_watch *w = ((watch_bridge *)user)->w;
  aim_progress q = {p->done, p->total, p->chains, p->warming_up, p->divergent};
  return w->progress(w->user, &q);
}

static run_status run_task(aim_task *t) {
  run *r = &t->run;
  volatile int lock = -1;
  if (ARENA_TRY(&t->mem)) {
    run_end(r);
    if (lock >= 0) csv_lock_drop(lock);
    return RUN_E_MEMORY;
  }
  double began = run_now(r);
  run_status st = run_begin(r);
  if (st == RUN_OK && t->output) {
    int taken = -1;
    st = run_files_begin(t, &taken);
    lock = taken;
  }
  if (st == RUN_OK) {
    drive(r);
    if (plan_is_biased(&t->plan)) r->has_evidence = false; /* the weights are not those of the kernels' limits */
    run_end(r);
    st = r->status;
    if (t->output && (st == RUN_OK || st == RUN_STOPPED)) {
      run_status files = run_files_end(t, run_now(r) - began);
      if (files != RUN_OK) st = files;
    }
  } else {
    run_end(r);
  }
  if (lock >= 0) csv_lock_drop(lock);
  return st;
}

static bool of_library(const aim_task *t, span at) {
  const source_file *f = source_get(&t->p.sources, at.file);
  for (size_t k = 0; f && k < aim_prelude_count; k++)
    if (strcmp(f->name, aim_prelude[k].file) == 0 && f->len == aim_prelude[k].len) return true;
  return false;
}

static void report(aim_task *t, run_status st) {
  if (ARENA_TRY(&t->mem)) return;
  run *r = &t->run;
  if (st == RUN_OK || st == RUN_STOPPED) api_report_missed(t);
  if (st == RUN_E_BOUND) api_report_stop(t, &r->faults);
  if (st == RUN_E_INIT) api_report_init(t);
  if (st == RUN_E_SCHEDULE) {
    /* A line of the library is none that a user can mend: the statement is. */
    const bool library = t->plan.run && of_library(t, r->where);
    diag *d = diag_add(&t->p.diags, DIAG_ERROR, "E0913", library ? t->plan.run->at : r->where, "the schedule %s", r->why);
    if (library) diag_help(&t->p.diags, d, "look at the values it is given: beta is never below 0, `piecewise` has two of them or more, `geometric` multiplies, so it begins above 0, as in `beta = 0.01 -> 5`; `linear` may begin at 0");
    else if (t->plan.run) diag_point(&t->p.diags, d, t->plan.run->at, "in this run");
  }
  if (st == RUN_E_METHOD) diag_add(&t->p.diags, DIAG_ERROR, "E0912", t->plan.model->decl->name.at, "%s", r->why);
  if (st == RUN_E_IO && t->output && t->io_errno == 0) {
    t->io_errno = r->io_errno ? r->io_errno : EIO;
    char buffer[128];
    diag_add(&t->p.diags, DIAG_ERROR, "E0930", (span){0}, "the draws could not be written to \"%s\": %s", t->output,
             strerror_r(t->io_errno, buffer, sizeof buffer));
  }
}

aim_status api_begin(aim_task *t) {
  aim_status st = api_bind(t, 0);
  if (st != AIM_OK) return st;
  if ((st = check_plan(t)) != AIM_OK) return st;
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  if ((st = check_memory(t)) != AIM_OK) return st;
  t->run = (run){.m = &t->model, .alloc = &t->vm->alloc, .mem = &t->mem, .o = run_options_of(&t->plan), .rules = t->rules ? t->rules : &temper_exact, .keep = t->keep, .stop = &t->stop,
                 .clock = t->vm->config.clock, .clock_user = t->vm->config.clock_user};
  return AIM_OK;
}

aim_status aim_run(aim_task *t, const aim_watch *watch) {
  if (!t || t->state == TASK_DONE || (watch && watch->size != sizeof *watch)) return AIM_E_USAGE;
  aim_status st = api_begin(t);
  if (st != AIM_OK) return st;
  watch_bridge bridge = {watch};
  if (watch && watch->progress) {
    t->run.progress = progress;
    t->run.progress_user = &bridge;
  }
  run_status rs = run_task(t);
  t->run.progress = NULL;
  t->state = rs == RUN_OK || rs == RUN_STOPPED ? TASK_DONE : TASK_BROKEN;
  report(t, rs);
  return api_status(rs);
}

void aim_stop(aim_task *t) {
  if (t) atomic_store_explicit(&t->stop, 1, memory_order_relaxed);
}
