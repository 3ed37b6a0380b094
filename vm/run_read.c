/* run_read.c: runs from their files (run_read.h). */
#include "vm/run_read.h"

#include "compiler/data_number.h"
#include "vm/checkpoint.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- run.json.  jansson takes memory of its own, so what is read is closed before an arena may jump: the jump is taken here. */

typedef struct record {
  json_t *root;
  arena *a;
} record;

static const char *text_of(const record *r, const json_t *v) {
  const char *s = json_string_value(v);
  return s ? arena_strndup(r->a, s, strlen(s)) : NULL;
}

static double real_of(const json_t *o, const char *key) {
  const json_t *v = json_object_get(o, key);
  return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static uint64_t count_of(const json_t *o, const char *key) {
  const json_t *v = json_object_get(o, key);
  return json_is_integer(v) && json_integer_value(v) > 0 ? (uint64_t)json_integer_value(v) : 0;
}

static bool given_of(const record *r, run_given *out) {
  const json_t *given = json_object_get(r->root, "given"), *data = json_object_get(given, "data"), *options = json_object_get(given, "options");
  *out = (run_given){.program = text_of(r, json_object_get(r->root, "file")), .name = text_of(r, json_object_get(r->root, "name")),
                     .method = text_of(r, json_object_get(r->root, "method")), .seed = count_of(r->root, "seed"), .any_path = json_is_true(json_object_get(given, "any_path"))};
  if (!out->program || !out->name || !out->method || !json_is_array(data) || !json_is_array(options)) return false;
  const char **text = ARENA_ARRAY(r->a, const char *, json_array_size(data));
  task_given *option = ARENA_ARRAY(r->a, task_given, json_array_size(options));
  for (size_t k = 0; k < json_array_size(data); k++)
    if (!(text[out->n_data++] = text_of(r, json_array_get(data, k)))) return false;
  for (size_t k = 0; k < json_array_size(options); k++) {
    const char *s = text_of(r, json_array_get(options, k)), *eq = s ? strchr(s, '=') : NULL;
    if (!eq) return false;
    option[out->n_options++] = (task_given){arena_strndup(r->a, s, (size_t)(eq - s)), eq + 1};
  }
  out->data = text;
  out->option = option;
  return true;
}

/* Of errno. */
static const char *error_text(arena *a) {
  char buffer[128];
  const char *s = strerror_r(errno, buffer, sizeof buffer);
  return arena_strndup(a, s, strlen(s));
}

/* Calls use with the root of run.json.  NULL, or why not. */
static const char *with_record(const char *directory, arena *a, bool (*use)(const record *r, void *user), void *user) {
  const char *path = arena_printf(a, "%s/run.json", directory);
  struct stat st;
  if (stat(path, &st) != 0) {
    if (errno != ENOENT) return arena_printf(a, "\"%s\" cannot be read: %s", path, error_text(a));
    return arena_printf(a, "there is no run.json in \"%s\": no run has ended there", directory);
  }
  json_error_t e;
  jmp_buf here, *outer = a->oom;
  record *volatile r = ARENA_NEW(a, record);
  r->a = a;
  if (!(r->root = json_load_file(path, JSON_REJECT_DUPLICATES, &e))) return arena_printf(a, "\"%s\" is no record of a run: it is damaged in line %d", path, e.line);
  a->oom = &here;
  if (setjmp(here)) {
    json_decref(r->root);
    a->oom = outer;
    longjmp(*outer, 1);
  }
  bool fits = use(r, user);
  json_decref(r->root);
  a->oom = outer;
  return fits ? NULL : arena_printf(a, "\"%s\" is of another version of AIM, or was changed by hand", path);
}

static bool take_given(const record *r, void *user) { return given_of(r, user); }
const char *run_given_read(const char *directory, arena *a, run_given *out) { return with_record(directory, a, take_given, out); }

/* ---- what it found */

static const char *finding(const record *r, size_t k) { return text_of(r, json_array_get(json_object_get(r->root, "advice"), k)); }

static void take_advice(const record *r, aim_task *t) {
  strbuf b;
  strbuf_init(&b, r->a);
  strbuf_puts(&b, "");
  for (size_t k = 0; finding(r, k); k++) {
    strbuf_printf(&b, "%s\n", finding(r, k));
    t->n_advice++;
  }
  t->advice = b.n ? b.s : "";
}

static bool take_chain(const json_t *c, chain_state *x, uint64_t *draws) {
  if (!json_is_object(c)) return false;
  const char *metric = json_string_value(json_object_get(c, "metric"));
  *draws = count_of(c, "draws");
  x->tally.step_size = real_of(c, "stepsize");
  x->tally.work[1] = count_of(c, "leapfrogs");
  x->tally.n_max_depth = count_of(c, "max_treedepth_hits");
  atomic_store(&x->divergent, count_of(c, "divergent"));
  x->seconds[0] = real_of(c, "warmup_seconds");
  x->seconds[1] = real_of(c, "sampling_seconds");
  for (int f = 0; metric && f < METRIC_FORMS; f++)
    if (strcmp(metric_form_name((metric_form)f), metric) == 0) x->tally.form = (metric_form)f;
  return true;
}

typedef struct reading {
  aim_task *t;
  uint64_t *draws; /* [chains] */
  const char *fingerprint;
  bool interrupted;
} reading;

static bool take_results(const record *r, void *user) {
  reading *x = user;
  run *to = &x->t->run;
  const json_t *o = r->root, *chains = json_object_get(o, "per_chain");
  if (json_array_size(chains) != (size_t)to->o.chains) return false;
  for (int64_t c = 0; c < to->o.chains; c++)
    if (!take_chain(json_array_get(chains, (size_t)c), &to->chain[c], &x->draws[c])) return false;
  x->fingerprint = text_of(r, json_object_get(json_object_get(o, "given"), "fingerprint"));
  x->t->started = text_of(r, json_object_get(o, "started"));
  x->interrupted = json_is_true(json_object_get(o, "interrupted"));
  to->until_met = json_is_true(json_object_get(o, "until_met"));
  to->has_evidence = x->t->plan.method != PLAN_LAPLACE && json_is_number(json_object_get(o, "log_evidence"));
  to->log_evidence = real_of(o, "log_evidence");
  to->log_evidence_se = real_of(o, "log_evidence_se");
  to->weight_ess = real_of(o, "effective_particles");
  to->modes = (run_modes_found){.lp = real_of(o, "mode_log_density"), .paths = (uint32_t)count_of(o, "paths"), .agreed = (uint32_t)count_of(o, "paths_agreed"),
                                .settled = json_is_true(json_object_get(o, "settled"))};
  to->weight_k = real_of(o, "pareto_k");
  to->weight_draws = (size_t)count_of(o, "pareto_draws");
  to->annealed = (anneal_result){.best = real_of(o, "best_energy"), .mean = real_of(o, "mean_energy"), .reached = count_of(o, "reached"), .sweeps = count_of(o, "sweeps")};
  if (count_of(o, "best_draw")) to->annealed.replica = (size_t)count_of(o, "best_draw") - 1;
  take_advice(r, x->t);
  return x->fingerprint != NULL;
}

/* ---- summary.tsv: a row for each column, in their order */

static bool read_figures(const char *line, arena *scratch, double *f, size_t n) {
  for (size_t k = 0; k < n; k++) {
    if (!(line = strchr(line, '\t'))) return false;
    size_t width = strcspn(++line, "\t\n");
    if (data_number_special(line, width, &f[k])) continue;
    if (data_number_form(line, width, '.') == NUMBER_NONE || !data_number_real(line, width, scratch, &f[k])) return false;
  }
  return true;
}

/* The bytes of a small file, terminated; NULL where it cannot be read.  Closed before memory is taken. */
static char *read_file(const char *path, arena *a) {
  struct stat st;
  if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return NULL;
  char *text = arena_alloc(a, (size_t)st.st_size + 1, 1);
  FILE *f = fopen(path, "rb");
  const bool fine = f && fread(text, 1, (size_t)st.st_size, f) == (size_t)st.st_size;
  if (f) fclose(f);
  return fine ? text : NULL;
}

static bool take_summary(aim_task *t, const char *path) {
  const size_t n = draws_columns(t->run.store);
  summary_row *row = ARENA_ARRAY(&t->mem, summary_row, n);
  const char *line = read_file(path, &t->mem);
  line = line ? strchr(line, '\n') : NULL;
  for (size_t k = 0; k < n; k++) {
    double x[9];
    if (!line || !read_figures(++line, &t->mem, x, 9)) return false;
    row[k] = (summary_row){k, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8]};
    line = strchr(line, '\n');
  }
  t->rows = row;
  t->n_rows = n;
  return line && line[1] == '\0';
}

/* ---- the whole */

static aim_status wrong(aim_task *t, aim_status st, const char *text, const char *help) {
  diag *d = diag_add(&t->p.diags, DIAG_ERROR, "E0939", (span){0}, "%s", text);
  if (help) diag_help(&t->p.diags, d, "%s", help);
  t->io_errno = st == AIM_E_IO ? EINVAL : 0;
  return st;
}

static aim_status read_files(aim_task *t, const char *directory) {
  run *r = &t->run;
  reading x = {.t = t, .draws = ARENA_ARRAY(&t->mem, uint64_t, (size_t)r->o.chains)};
  const char *why = with_record(directory, &t->mem, take_results, &x);
  if (why) return wrong(t, AIM_E_IO, why, NULL);
  if (strcmp(x.fingerprint, arena_printf(&t->mem, "%016llx", (unsigned long long)checkpoint_model(&t->p, &t->of->p.sources))) != 0)
    return wrong(t, AIM_E_PROGRAM, arena_printf(&t->mem, "\"%s\" or its data are not those of the run in \"%s\" any more", t->of->name, directory),
                 "draws are told by the program and data that they are of: run it again, or bring those back");
  for (int64_t c = 0; c < r->o.chains; c++) {
    const char *path = arena_printf(&t->mem, "%s/%s-%lld.csv", directory, t->plan.name, (long long)c + 1);
    struct stat st;
    void *frame = draws_shared(r->store) ? ARENA_ARRAY(&t->mem, exec_cell, t->p.cells) : NULL;
    if (stat(path, &st) != 0) return wrong(t, AIM_E_IO, arena_printf(&t->mem, "\"%s\" cannot be read: %s", path, error_text(&t->mem)), NULL);
    if (!checkpoint_rows(path, (uint64_t)st.st_size, x.draws[c], r->store, (int)c, frame, &t->mem))
      return wrong(t, AIM_E_IO, arena_printf(&t->mem, "\"%s\" does not hold the %llu draws that run.json tells of", path, (unsigned long long)x.draws[c]), NULL);
  }
  const char *path = arena_printf(&t->mem, "%s/summary.tsv", directory);
  if (!take_summary(t, path)) return wrong(t, AIM_E_IO, arena_printf(&t->mem, "\"%s\" is not there, or does not fit the draws", path), NULL);
  r->status = x.interrupted ? RUN_STOPPED : RUN_OK;
  return AIM_OK;
}

static aim_status read_run(aim_task *t, const char *directory) {
  aim_status st = api_begin(t);
  if (st != AIM_OK) return st;
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  run_status rs = run_begin(&t->run);
  st = rs == RUN_OK ? read_files(t, directory) : api_status(rs);
  run_end(&t->run);
  return st;
}

aim_status run_read(aim_task *t, const char *directory) {
  aim_status st = read_run(t, directory);
  t->state = st == AIM_OK ? TASK_DONE : TASK_BROKEN;
  return st;
}
