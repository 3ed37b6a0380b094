/* run_files.c: the output directory of a task: one CSV file a chain, run.json and summary.tsv. */
#include "vm/api.h"

#include "vm/checkpoint.h"
#include "vm/mh_walk.h"
#include "vm/number_text.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char trace_name[] = "trace.tsv";

static run_status io(aim_task *t, int e, const char *path) {
  char buffer[128];
  t->io_errno = e;
  if (e == EWOULDBLOCK) {
    diag *d = diag_add(&t->p.diags, DIAG_ERROR, "E0931", (span){0}, "another run is writing into \"%s\"", path);
    diag_help(&t->p.diags, d, "wait for it, or give this run a directory of its own");
  } else {
    diag_add(&t->p.diags, DIAG_ERROR, "E0930", (span){0}, "\"%s\" cannot be written: %s", path, strerror_r(e, buffer, sizeof buffer));
  }
  return RUN_E_IO;
}

/* mkdir -p. */
static int make_directory(char *path) {
  for (char *s = path + 1; *s; s++) {
    if (*s != '/') continue;
    *s = '\0';
    int r = mkdir(path, 0777);
    *s = '/';
    if (r && errno != EEXIST) return errno;
  }
  struct stat st;
  if (mkdir(path, 0777) && errno != EEXIST) return errno;
  if (stat(path, &st)) return errno;
  return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
}

static char *csv_path(aim_task *t, int64_t chain) {
  return arena_printf(&t->mem, "%s/%s-%lld.csv", t->output, t->plan.name, (long long)chain + 1);
}

static char *checkpoint_path(aim_task *t, int64_t chain) {
  return arena_printf(&t->mem, "%s/%s-%lld.checkpoint", t->output, t->plan.name, (long long)chain + 1);
}

typedef struct names {
  const char **name; /* [n] */
  size_t n, cap;
} names;

static void add_name(aim_task *t, names *x, const char *name) {
  for (size_t k = 0; k < x->n; k++)
    if (strcmp(x->name[k], name) == 0) return;
  ARENA_PUSH(&t->mem, x->name, x->n, x->cap, name);
}

/* The data files of the host and of the statement. */
static names data_names(aim_task *t) {
  names x = {0};
  for (size_t k = 0; k < t->data.n; k++)
    if (t->data.arrays[k]->origin.file) add_name(t, &x, t->data.arrays[k]->origin.file);
  const ast_decl *run = t->plan.run;
  for (size_t k = 0; run && k < run->run->on.n; k++) {
    const ast_arg *a = &run->run->on.items[k];
    if (!a->name.name && a->value->kind == EXPR_STRING) add_name(t, &x, a->value->string.bytes);
  }
  return x;
}

/* The number of the chain if `file` is `name`-NUMBER.csv; else 0, and *other says whether it has that form under another name. */
static long long chain_of(const char *file, const char *name, bool *other) {
  size_t n = strlen(file);
  *other = false;
  if (n < 6 || strcmp(file + n - 4, ".csv") != 0) return 0;
  size_t at = n - 4;
  while (at && file[at - 1] >= '0' && file[at - 1] <= '9') at--;
  if (at == n - 4 || at < 2 || file[at - 1] != '-' || n - 4 - at > 9) return 0;
  *other = strlen(name) != at - 1 || memcmp(file, name, at - 1) != 0;
  long long chain = 0;
  for (size_t k = at; k < n - 4; k++) chain = 10 * chain + (file[k] - '0');
  return *other ? 0 : chain;
}

/* Whether a file is one of draws: somebody else's data may have such a name. */
static bool holds_draws(const char *path) {
  static const char first[] = "# stan_version_major";
  char text[sizeof first - 1];
  FILE *f = fopen(path, "rb");
  bool yes = f && fread(text, 1, sizeof text, f) == sizeof text && memcmp(text, first, sizeof text) == 0;
  if (f) fclose(f);
  return yes;
}

/* A folder holds one result.  What an earlier run of this result left and this one does not replace is removed; draws of another result are a reason to
 * stop, since whoever reads *.csv would mix the two. */
static run_status clear_folder(aim_task *t) {
  DIR *d = opendir(t->output);
  if (!d) return io(t, errno, t->output);
  /* Messages take memory and may jump, so they wait until the folder is closed. */
  int failed = 0;
  char path[PATH_MAX] = "", mixed[NAME_MAX + 1] = "";
  for (struct dirent *e; !failed && !*mixed && (e = readdir(d));) {
    bool other;
    long long chain = chain_of(e->d_name, t->plan.name, &other);
    if (!other && chain <= t->run.o.chains) continue;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", t->output, e->d_name) >= sizeof path || !holds_draws(path)) continue;
    if (other) snprintf(mixed, sizeof mixed, "%s", e->d_name);
    else if (unlink(path)) failed = errno;
    else {
      snprintf(path, sizeof path, "%s/%s-%lld.checkpoint", t->output, t->plan.name, chain);
      if (unlink(path) && errno != ENOENT) failed = errno;
    }
  }
  closedir(d);
  if (failed) return io(t, failed, path);
  if (*mixed) {
    t->io_errno = EEXIST;
    diag *x = diag_add(&t->p.diags, DIAG_ERROR, "E0934", (span){0}, "\"%s\" holds draws of another result: %s", t->output, mixed);
    diag_help(&t->p.diags, x, "give `%s` a directory of its own, or remove the old files", t->plan.name);
    return RUN_E_IO;
  }
  const char *const of_the_end[] = {"run.json", "summary.tsv", trace_name};
  for (int k = 0; k < 3; k++) {
    char *old = arena_printf(&t->mem, "%s/%s", t->output, of_the_end[k]);
    if (unlink(old) && errno != ENOENT) return io(t, errno, old);
  }
  return RUN_OK;
}

/* A frame as the chain had it, where draws are frames. */
static exec_cell *frame_of(aim_task *t, const checkpoint *k) {
  if (!draws_shared(t->run.store)) return NULL;
  exec_cell *frame = ARENA_ARRAY(&t->mem, exec_cell, t->p.cells);
  if (k->bytes) memcpy(frame, mh_walk_saved_frame(k + 1), t->p.cells * sizeof *frame);
  return frame;
}

/* Reads the checkpoints and the rows that they count.  A chain without, or with a damaged one, begins anew. */
static run_status resume(aim_task *t) {
  run *r = &t->run;
  const size_t bytes = run_rest_bytes(r);
  size_t over = 0, absent = 0;
  if (bytes == 0) {
    r->why = arena_printf(&t->mem, "%s cannot be resumed: only chains of nuts, with something continuous to move, mh, gibbs, slice, cycle, tempering, population and anneal keep checkpoints", method_name(r->o.method));
    return RUN_E_METHOD;
  }
  const char **anew = ARENA_ARRAY(&t->mem, const char *, (size_t)r->o.chains);
  for (int64_t c = 0; c < r->o.chains; c++) {
    checkpoint *k;
    checkpoint_state st = checkpoint_read(checkpoint_path(t, c), &t->mem, &k);
    if (k && k->fingerprint != r->fingerprint) {
      t->io_errno = EEXIST;
      diag *d = diag_add(&t->p.diags, DIAG_ERROR, "E0938", (span){0}, "the run in \"%s\" is another one: its program, data, options or version of AIM differ", t->output);
      diag_help(&t->p.diags, d, "give what that run was given; or leave --resume away, which replaces its draws");
      return RUN_E_IO;
    }
    bool fits = k && k->chain == (uint64_t)c && (k->bytes == 0 || k->bytes == bytes || bytes == RUN_REST_LATER) && checkpoint_rows(csv_path(t, c), k->offset, k->rows, r->store, (int)c, frame_of(t, k), &t->mem);
    if (fits) r->chain[c].from = k;
    else anew[c] = st == CHECKPOINT_ABSENT ? "is not there" : k ? "and its draws do not fit together" : "is damaged";
    over += fits && k->over;
    absent += st == CHECKPOINT_ABSENT;
  }
  const bool none = absent == (size_t)r->o.chains;
  if (none) diag_add(&t->p.diags, DIAG_WARNING, "W0938", (span){0}, "the run begins anew: there are no checkpoints in \"%s\"", t->output);
  for (int64_t c = 0; c < r->o.chains && !none; c++)
    if (anew[c]) diag_add(&t->p.diags, DIAG_WARNING, "W0938", (span){0}, "chain %lld begins anew: its checkpoint %s", (long long)c + 1, anew[c]);
  if (over == (size_t)r->o.chains) diag_add(&t->p.diags, DIAG_NOTE, "N0938", (span){0}, "the run in \"%s\" was complete: there is nothing to go on with", t->output);
  return RUN_OK;
}

static run_status open_chain(aim_task *t, int64_t c) {
  run *r = &t->run;
  chain_state *x = &r->chain[c];
  char *path = csv_path(t, c), *save = checkpoint_path(t, c);
  int e;
  if (x->from) e = csv_reopen(&x->csv, &t->vm->alloc, path, r->store, x->from->offset);
  else {
    const names data = data_names(t); /* of which the format knows one */
    csv_info info = {.model = t->plan.model->decl->name.name, .method = method_name(r->o.method), .version = AIM_VERSION, .data = data.n ? data.name[0] : "", .seed = r->o.seed, .biased = plan_is_biased(&t->plan),
                     .chain = (int)c + 1, .warmup = r->o.warmup, .samples = r->o.draws * r->o.thin, .thin = r->o.thin,
                     .delta = r->o.target_accept, .max_depth = (int)r->o.max_depth, .metric = plan_metric_name(r->o.metric), .stepsize = r->o.step_size};
    /* A checkpoint is never older than the draws beside it. */
    if (unlink(save) && errno != ENOENT) return io(t, errno, save);
    e = csv_open(&x->csv, &t->vm->alloc, path, r->store, &info);
  }
  if (e) return e == ENOMEM ? RUN_E_MEMORY : io(t, e, path);
  if (run_rest_bytes(r)) {
    x->save[0] = save;
    x->save[1] = arena_printf(&t->mem, "%s.part", save);
  }
  return RUN_OK;
}

run_status run_files_begin(aim_task *t, int *lock) {
  run *r = &t->run;
  int e = make_directory(arena_strndup(&t->mem, t->output, strlen(t->output)));
  if (e == 0) e = csv_lock_take(t->output, lock);
  if (e) return io(t, e, t->output);
  if (run_rest_bytes(r)) r->fingerprint = checkpoint_fingerprint(r, &t->of->p.sources, AIM_VERSION);
  run_status st = t->resume ? resume(t) : RUN_OK;
  if (st == RUN_OK) st = clear_folder(t);
  for (int64_t c = 0; c < r->o.chains && st == RUN_OK; c++) st = open_chain(t, c);
  return st;
}

static run_chain *chains_of(aim_task *t) {
  run *r = &t->run;
  run_chain *out = ARENA_ARRAY(&t->mem, run_chain, (size_t)r->o.chains);
  for (int64_t c = 0; c < r->o.chains; c++) {
    const chain_state *x = &r->chain[c];
    size_t n = draws_count(r->store, (int)c);
    const double *accept = draws_stat_of(r->store, (int)c, DRAWS_ACCEPT_STAT);
    double sum = 0.0;
    for (size_t k = 0; k < n; k++) sum += accept[k];
    out[c] = (run_chain){.chain = (int)c + 1, .stepsize = x->tally.step_size, .metric = metric_form_name(x->tally.form), .draws = (int64_t)n, .divergent = (int64_t)atomic_load(&x->divergent),
                         .max_treedepth_hits = (int64_t)x->tally.n_max_depth, .leapfrogs = (int64_t)(x->tally.work[0] + x->tally.work[1]),
                         .accept_stat = n ? sum / (double)n : NAN, .ebfmi = NAN, .warmup_seconds = x->seconds[0],
                         .sampling_seconds = x->seconds[1], .file = csv_path(t, c)};
    if (r->o.method == PLAN_NUTS && t->p.dim) out[c].ebfmi = diagnose_ebfmi(draws_stat_of(r->store, (int)c, DRAWS_ENERGY), n, 1);
  }
  return out;
}

static const char *worst(aim_task *t, run_info *info) {
  const summary_row *worst = NULL;
  info->max_rhat = info->min_ess_bulk = info->min_ess_tail = NAN;
  for (size_t k = 0; k < t->n_rows; k++) {
    const summary_row *x = &t->rows[k];
    if (isnan(x->rhat)) continue;
    if (!worst || x->rhat > worst->rhat) worst = x;
    if (!(x->ess_bulk >= info->min_ess_bulk)) info->min_ess_bulk = x->ess_bulk;
    if (!(x->ess_tail >= info->min_ess_tail)) info->min_ess_tail = x->ess_tail;
  }
  if (!worst) return NULL;
  char name[512];
  info->max_rhat = worst->rhat;
  draws_name(t->run.store, worst->column, name, sizeof name);
  return arena_strndup(&t->mem, name, strlen(name));
}

/* How the energy fell: a row for each sweep, or for some of them, of each block of replicas. */
static void put_trace(strbuf *b, const anneal_result *a) {
  strbuf_puts(b, "block\tsweep\tbeta\tenergy\tbest\tacceptance\n");
  for (size_t k = 0; k < a->blocks; k++)
    for (size_t i = 0; i < a->trace[k].n; i++) {
      const anneal_point *p = &a->trace[k].point[i];
      const double x[4] = {p->beta, p->energy, p->best, p->acceptance};
      strbuf_printf(b, "%zu\t%llu", k + 1, (unsigned long long)p->sweep);
      for (int c = 0; c < 4; c++) {
        char text[NUMBER_TEXT_SIZE];
        number_text(text, x[c]);
        strbuf_printf(b, "\t%s", text);
      }
      strbuf_puts(b, "\n");
    }
}

run_status run_files_end(aim_task *t, double seconds) {
  run *r = &t->run;
  api_rows(t);
  const names data = data_names(t);
  const exec_engine *engine = t->model.engine;
  exec_account account = {0};
  if (engine->account) engine->account(t->model.loaded, &account);
  exec_memo memo;
  const bool keeps = engine->memo && engine->memo(t->model.loaded, &memo);
  run_info info = {.memo = keeps ? &memo : NULL, .account = engine->account ? &account : NULL,
                   .name = t->plan.name, .started = t->started, .model = t->plan.model->decl->name.name, .file = t->of->name, .method = method_name(t->plan.method),
                   .version = AIM_VERSION, .build = !engine->account ? engine->name : account.compiled ? "machine code" : "interpreter", .data = data.name, .n_data = data.n, .seed = r->o.seed,
                   .warmup = r->o.warmup, .draws = r->o.draws, .thin = r->o.thin, .steps = r->o.steps, .draws_bytes = draws_bytes(r->store), .target_accept = r->o.target_accept,
                   .max_depth = (int)r->o.max_depth, .metric = plan_metric_name(r->o.metric), .chain = chains_of(t), .n_chains = (size_t)r->o.chains, .total_seconds = seconds,
                   .interrupted = r->status == RUN_STOPPED, .biased = plan_is_biased(&t->plan), .weighted = r->o.method == PLAN_IMPORTANCE || r->o.method == PLAN_AIS, .evidence = r->has_evidence,
                   .annealed = r->o.method == PLAN_ANNEAL ? &r->annealed : NULL, .particles = (uint64_t)r->o.particles,
                   .log_evidence = r->has_evidence ? r->log_evidence : NAN, .log_evidence_se = r->has_evidence ? r->log_evidence_se : NAN,
                   .effective_particles = r->moments ? r->weight_ess : NAN, .levels = t->p.levels, .n_levels = t->p.nlevels};
  if (r->modes.paths) {
    info.paths = r->modes.paths;
    info.paths_agreed = r->modes.agreed;
    info.settled = r->modes.settled;
    info.mode_lp = r->modes.lp;
    info.log_evidence = r->log_evidence;
    info.pareto_k = r->weight_k;
    info.effective_particles = r->weight_ess;
    info.weights = r->weight_draws;
  }
  if (r->o.until.n) {
    info.until = r->until_text;
    info.until_met = r->until_met;
  }
  const char **noncentred = ARENA_ARRAY(&t->mem, const char *, t->p.nsites + 1);
  for (size_t k = 0; k < t->p.nsites; k++)
    if (t->p.site[k].site->standard) noncentred[info.n_noncentred++] = t->p.site[k].name;
  info.noncentred = noncentred;
  info.starts_tried = r->starts_tried;
  info.starts_kept = r->starts_kept;
  info.starts_again = r->starts_again;
  info.worst = worst(t, &info);
  strbuf advice;
  strbuf_init(&advice, &t->mem);
  api_advice(t, &advice);
  info.advice = advice.n ? advice.s : "";
  info.given = t->given;
  info.n_given = t->n_given;
  info.any_path = t->p.any_path;
  info.fingerprint = checkpoint_model(&t->p, &t->of->p.sources);
  if (info.annealed) {
    strbuf rows;
    strbuf_init(&rows, &t->mem);
    put_trace(&rows, info.annealed);
    char *where = arena_printf(&t->mem, "%s/%s", t->output, trace_name);
    int failed = run_file_write(where, rows.s, rows.n, &t->mem);
    if (failed) return io(t, failed, where);
  }
  char *path = arena_printf(&t->mem, "%s/run.json", t->output);
  int e = run_json_write(&info, path, &t->mem);
  if (e) return io(t, e, path);
  strbuf b;
  strbuf_init(&b, &t->mem);
  summary_tsv(&b, r->store, t->rows, t->n_rows);
  path = arena_printf(&t->mem, "%s/summary.tsv", t->output);
  e = run_file_write(path, b.s, b.n, &t->mem);
  return e ? io(t, e, path) : RUN_OK;
}
