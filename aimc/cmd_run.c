/* cmd_run.c: aimc run. */
#include "aimc/aimc.h"

#include "aimc/report.h"
#include "compiler/netcdf.h"
#include "vm/api.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_ROWS = 40, MOST_NAMES = 8 };

/* The run under way, for the signal handler: the one piece of state that has to be global. */
static aim_task *volatile running;
static volatile sig_atomic_t caught;
static volatile sig_atomic_t reading = 1; /* nothing is being written, and data may be a pipe that never ends */

static void on_signal(int number) {
  if (reading) raise(number); /* to the default action, when this returns */
  caught = number;
  if (running) aim_stop(running);
}

/* A second signal takes its default action. */
static void catch_signals(void) {
  struct sigaction s = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
  sigemptyset(&s.sa_mask);
  sigaction(SIGINT, &s, NULL);
  sigaction(SIGTERM, &s, NULL);
}

typedef struct bar {
  double began, shown;
  bool drawn;
} bar;

static void draw_time(char *out, size_t n, double seconds) {
  if (seconds < 100) snprintf(out, n, "%.0f s", seconds);
  else if (seconds < 6000) snprintf(out, n, "%.0f min", seconds / 60);
  else snprintf(out, n, "%.1f h", seconds / 3600);
}

/* One line that is written over, on a terminal only; short runs show none. */
static int show_progress(void *user, const aim_progress *p) {
  bar *b = user;
  double t = now(NULL), elapsed = t - b->began;
  if (elapsed < 0.5 || t - b->shown < 0.1 || p->total == 0) return 0;
  b->shown = t;
  b->drawn = true;
  double part = (double)p->done / (double)p->total;
  char line[64] = "", left[32] = "";
  int full = (int)(30 * part);
  for (int k = 0; k < 30; k++) line[k] = k < full ? '=' : ' ';
  if (part > 0.01) draw_time(left, sizeof left, elapsed * (1 - part) / part);
  fprintf(stderr, "\r[%s] %3.0f %%%s%s%s", line, 100 * part, p->warming_up == p->chains ? "  warm-up" : "  draws  ", *left ? "  left: " : "", left);
  if (p->divergent) fprintf(stderr, "  %llu divergent", (unsigned long long)p->divergent);
  fputs("\x1b[K", stderr);
  fflush(stderr);
  return 0;
}

/* Which unknowns nuts sampled as standard variates, "non-centred: theta, phi", as nothing in the program says it. */
static void print_noncentred(const program *p) {
  size_t n = 0;
  for (size_t k = 0; k < p->nsites; k++) {
    if (!p->site[k].site->standard) continue;
    if (n < MOST_NAMES) printf("%s%s", n ? ", " : "non-centred: ", p->site[k].name);
    n++;
  }
  if (n > MOST_NAMES) printf(" and %zu others", n - MOST_NAMES);
  if (n) putchar('\n');
}

/* That there are places, modes perhaps, which no chain began in or stayed in, as R-hat does not see them. */
static void print_starts(const run *r) {
  if (r->starts_kept && r->starts_kept < r->starts_tried)
    printf("starts: %u of %u trial paths ended where the posterior has far less mass; chains began along the others\n", r->starts_tried - r->starts_kept, r->starts_tried);
  if (r->starts_again)
    printf("starts: %u of %lld chains fell where the posterior has far less mass, and began again along trial paths\n", r->starts_again, (long long)r->o.chains);
}

/* ", metric lowrank", or ", metric lowrank in 3, dense in 1": what `auto` chose. */
static void print_metric(const aim_task *t) {
  int chains = aim_chain_count(t), kinds = 0;
  for (int c = 0; c < chains; c++) {
    const char *name = aim_chain_metric(t, c);
    int first = 0, n = 0;
    while (name && strcmp(aim_chain_metric(t, first), name) != 0) first++;
    if (!name || first < c) continue;
    for (int o = c; o < chains; o++) n += strcmp(aim_chain_metric(t, o), name) == 0;
    printf(kinds++ ? ", %s" : ", metric %s", name);
    if (n < chains) printf(" in %d", n);
  }
}

static void print_approximation(aim_task *t, const aim_plan *p, const aim_approximation *x, double seconds) {
  aim_evidence e;
  printf("%s, %u paths", p->method, x->paths);
  if (!isnan(x->pareto_k)) printf(", %zu draws", aim_draw_count(t, 0));
  printf(", seed %llu, %.2f s\n", (unsigned long long)p->seed, seconds);
  if (!isnan(x->log_density)) printf("log density %.6g at the mode, where %u of %u paths ended\n", x->log_density, x->agreed, x->paths);
  if (aim_evidence_get(t, &e) == AIM_OK) printf("log evidence %.4f, as the approximation has it\n", e.log_evidence);
  if (!isnan(x->pareto_k)) printf("Pareto's k %.2f (good below %.2f)\n", x->pareto_k, x->pareto_limit);
  if (strcmp(p->method, "map") != 0) print_noncentred(&t->p);
  putchar('\n');
}

static void print_title(aim_task *t, size_t unknowns, double seconds) {
  aim_plan p;
  aim_approximation x;
  aim_plan_get(t, &p);
  const char *biased = plan_is_biased(&t->plan) ? ", biased" : "";
  printf("%s: ", p.name);
  if (unknowns == 0 && aim_quantity_count(t) == 0) {
    printf("nothing to infer and nothing to predict\n");
  } else if (strcmp(p.method, "anneal") == 0) {
    aim_annealing a;
    aim_annealing_get(t, &a);
    printf("anneal, %llu replicas of %llu sweeps, seed %llu, %.2f s\n", (unsigned long long)a.replicas, (unsigned long long)a.sweeps, (unsigned long long)p.seed, seconds);
    printf("lowest energy %.10g: draw %llu, reached by %llu of %llu; mean of the lowest %.10g\n", a.best_energy, (unsigned long long)a.best + 1,
           (unsigned long long)a.reached, (unsigned long long)a.replicas, a.mean_energy);
  } else if (strcmp(p.method, "importance") == 0 || strcmp(p.method, "ais") == 0) {
    aim_evidence e;
    printf("%s, %llu particles, seed %llu%s, %.2f s\n", p.method, (unsigned long long)p.particles, (unsigned long long)p.seed, biased, seconds);
    if (aim_evidence_get(t, &e) == AIM_OK) printf("log evidence %.4f (standard error %.2g), effective particles %.1f\n", e.log_evidence, e.standard_error, e.ess);
    putchar('\n');
  } else if (aim_approximation_get(t, &x) == AIM_OK) {
    print_approximation(t, &p, &x, seconds);
  } else if (unknowns == 0 && aim_quantity_count(t)) {
    printf("nothing to infer; %zu draws of predictions, seed %llu, %.2f s\n\n", aim_draw_count(t, 0), (unsigned long long)p.seed, seconds);
  } else if (strcmp(p.method, "prior") == 0) {
    printf("prior, %zu draws, seed %llu, %.2f s\n\n", aim_draw_count(t, 0), (unsigned long long)p.seed, seconds);
  } else {
    size_t least = aim_draw_count(t, 0);
    for (int c = 1; c < aim_chain_count(t); c++)
      if (aim_draw_count(t, c) < least) least = aim_draw_count(t, c);
    printf("%s, %d chains of %u + %zu, seed %llu%s", p.method, aim_chain_count(t), p.warmup, least, (unsigned long long)p.seed, biased);
    if (t->plan.metric == PLAN_METRIC_AUTO) print_metric(t);
    printf(", %.2f s\n", seconds);
    if (t->run.o.until.n) printf("until %s: %s\n", t->run.until_text, t->run.until_met ? "holds" : "does not hold");
    if (strcmp(p.method, "nuts") == 0 || strcmp(p.method, "cycle") == 0) print_noncentred(&t->p), print_starts(&t->run);
    aim_evidence e;
    if (aim_evidence_get(t, &e) == AIM_OK) printf("log evidence %.4f (standard error %.2g)\n", e.log_evidence, e.standard_error);
    else if (t->plan.method == PLAN_TEMPERING && !plan_is_biased(&t->plan)) printf("no log evidence: the lowest beta of the ladder is not 0\n");
    putchar('\n');
  }
}

/* "region: 1 East, 2 North, ...", a line at most. */
static void print_levels(const aim_task *t) {
  aim_levels l;
  size_t k = 0;
  for (; aim_levels_get(t, k, &l) == AIM_OK; k++) {
    size_t width = strlen(l.name) + 1;
    printf("%s:", l.name);
    for (size_t i = 0; i < l.n; i++) {
      width += strlen(l.text[i]) + 6;
      if (i && width > 90) {
        printf(", ... (%zu in all)", l.n);
        break;
      }
      printf("%s %zu ", i ? "," : "", i + 1);
      /* A terminal shall not obey what stands in data. */
      for (const char *c = l.text[i]; *c; c++) putchar((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c);
    }
    putchar('\n');
  }
  if (k) putchar('\n');
}

static int print_result(const args *a, aim_task *t, size_t unknowns, double seconds) {
  if (a->quiet) return EXIT_FINE;
  print_title(t, unknowns, seconds);
  if (aim_quantity_count(t) == 0) return EXIT_FINE;
  print_levels(t);
  const bool annealed = t->plan.method == PLAN_ANNEAL;
  int status = annealed ? annealed_print(a, t) : EXIT_FINE;
  if (status != EXIT_FINE) return status;
  if (annealed && a->all) putchar('\n');
  aim_status st = annealed && !a->all ? AIM_OK : aim_summary_write(t, a->all ? 0 : MOST_ROWS, put_text, stdout);
  size_t findings = 0;
  fputc('\n', stdout);
  if (st == AIM_OK) st = aim_advice_write(t, &findings, put_text, stdout);
  if (findings) fputc('\n', stdout);
  return st == AIM_OK ? EXIT_FINE : report_task(a, t, st);
}

static int write_report(const args *a, const aim_program *p, aim_task *t) {
  aim_status st = report_write(&(report_run){p, t, ""}, 1, a->report);
  if (st != AIM_E_IO) return st == AIM_OK ? EXIT_FINE : report_task(a, t, st);
  fprintf(stderr, "aimc: --report %s: %s\n", a->report, strerror(aim_task_errno(t)));
  return EXIT_HOST;
}

/* Those of --output and --report. */
static int write_files(const args *a, const aim_program *p, aim_task *t) {
  const aim_status st = a->object && aim_draw_count(t, 0) ? aim_write_netcdf(t, a->object) : AIM_OK;
  if (st != AIM_OK) return report_task(a, t, st);
  return a->report ? write_report(a, p, t) : EXIT_FINE;
}

static int run_task(const args *a, const aim_program *p, aim_task *t, size_t unknowns, const char *out) {
  int status = prepare_task(a, t);
  if (status) return status;
  aim_status st = out ? aim_set_text(t, "output", out) : AIM_OK;
  if (st == AIM_OK && a->resume) st = aim_set_text(t, "resume", "on");
  if (st == AIM_OK && a->object) st = aim_set_text(t, "pointwise", "on");
  if (st != AIM_OK) return report_task(a, t, st);
  char started[32] = "";
  time_t clock = time(NULL);
  struct tm utc;
  if (gmtime_r(&clock, &utc) && strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &utc)) aim_set_text(t, "started", started);
  bar b = {.began = now(NULL)};
  aim_watch watch = {.size = sizeof watch, .user = &b};
  if (!a->quiet && isatty(STDERR_FILENO)) watch.progress = show_progress;
  st = aim_bind(t);
  if (st == AIM_OK) {
    reading = 0;
    running = t;
    if (caught) aim_stop(t);
    st = aim_run(t, &watch);
    running = NULL;
  }
  double seconds = now(NULL) - b.began;
  if (b.drawn) fputs("\r\x1b[K", stderr);
  status = report_task(a, t, st);
  if (status) return status;
  const bool none = st == AIM_STOPPED && aim_draw_count(t, 0) == 0;
  if (!none) {
    /* The table comes last: whoever reads it through a pipe may close that, which ends the process. */
    const int written = write_files(a, p, t);
    status = print_result(a, t, unknowns, seconds);
    if (status == EXIT_FINE) status = written;
  }
  if (st == AIM_STOPPED && caught) {
    fprintf(stderr, "aimc: stopped by %s%s%s\n", caught == SIGINT ? "SIGINT" : "SIGTERM", none ? " before the first draw" : out ? "; complete draws are in " : "", !none && out ? out : "");
    return 128 + caught;
  }
  return status;
}

static size_t unknowns_of(const aim_program *p, const char *model) {
  for (size_t k = 0; k < aim_model_count(p); k++)
    if (strcmp(aim_model_name(p, k), model) == 0) return aim_latent_count(p, k);
  return 0;
}

/* --output is one NetCDF file, --report one page. */
static bool output_fits(const args *a, size_t picked) {
  const char *dot = a->object ? strrchr(a->object, '.') : NULL;
  if (a->report && picked > 1) {
    fputs("aimc: --report takes one result, and the file has several statements: pick one with --only\n", stderr);
    return false;
  }
  if (!a->object) return true;
  if (!dot || strcmp(dot, ".nc") != 0) fprintf(stderr, "aimc: --output of run writes NetCDF, and \"%s\" does not end in .nc; --out DIR writes CSV\n", a->object);
  else if (picked > 1) fputs("aimc: --output takes one result, and the file has several statements: pick one with --only\n", stderr);
  else return true;
  return false;
}

/* Hours of sampling are not to end at a folder that is not there, or without the library that writes. */
static bool folder_takes(const char *option, const char *path) {
  const char *slash = path ? strrchr(path, '/') : NULL;
  if (!path) return true;
  char *folder = slash == path ? strdup("/") : slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
  struct stat st;
  const bool fits = strlen(slash ? slash + 1 : path) + strlen(".partial") <= NAME_MAX; /* the name until it is whole */
  int error = !folder ? ENOMEM : access(folder, W_OK) < 0 ? errno : !fits ? ENAMETOOLONG : stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? EISDIR : 0;
  free(folder);
  if (error) fprintf(stderr, "aimc: %s %s cannot be written: %s\n", option, path, strerror(error));
  return error == 0;
}

static bool library_writes(const char *path) {
  netcdf n;
  if (!path || netcdf_open(&n)) return true;
  fprintf(stderr, "aimc: --output %s cannot be written: %s%s%s\n", path, n.why, n.help ? "; " : "", n.help ? n.help : "");
  return false;
}

static int run_statement(const args *a, aim_program *p, size_t k, size_t picked, void *user) {
  (void)user;
  if (!output_fits(a, picked)) return EXIT_WRONG;
  if (!folder_takes("--output", a->object) || !folder_takes("--report", a->report) || !library_writes(a->object)) return EXIT_HOST;
  if (a->resume && !a->out) {
    fputs("aimc: --resume goes on with the run in the directory of --out, and there is no --out\n", stderr);
    return EXIT_WRONG;
  }
  aim_task *t = NULL;
  aim_statement s;
  int status = statement_task(p, k, &t, &s);
  if (status) {
    aim_task_free(t);
    return status;
  }
  char *folder = NULL;
  const char *out = a->out;
  if (out && (picked > 1 || s.named)) {
    size_t n = strlen(out) + strlen(s.name) + 2;
    folder = malloc(n);
    if (!folder) {
      aim_task_free(t);
      fputs("aimc: memory is exhausted\n", stderr);
      return EXIT_HOST;
    }
    snprintf(folder, n, "%s/%s", out, s.name);
    out = folder;
  }
  status = run_task(a, p, t, unknowns_of(p, s.model), out);
  reading = 1;
  free(folder);
  aim_task_free(t);
  return status;
}

int cmd_run(const args *a, aim_vm *vm) {
  int status;
  aim_program *p = load(a, vm, a->file[0], &status);
  if (!p) return status;
  catch_signals();
  status = each_statement(a, p, run_statement, NULL);
  aim_program_free(p);
  return status;
}
