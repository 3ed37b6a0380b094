/* cmd_sbc.c: aimc sbc: simulation-based calibration (Talts, Betancourt, Simpson, Vehtari and Gelman 2018).
 *
 * Latents are drawn from the prior and data given them, and the statement is run on these data.  If it draws from the posterior, the rank of a
 * latent's true value among RANKS independent draws of it is uniform on 0 .. RANKS.  Draws that depend on each other are thinned until they are worth
 * that many.  A value that draws tie with, as discrete ones do, stands at random among them.
 *
 * A simulation depends on the seed and its number alone, so threads change nothing. */
#include "aimc/aimc.h"

#include "stdlib/runtime/rt_philox.h"
#include "vm/api.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RANKS = 31, SIMULATIONS = 200, LEAST = 20, MOST_SIMULATIONS = 1000000, THINNINGS = 5, MOST_THREADS = 64, MOST_BINS = 32, MOST_ROWS = 40, SEED_DOMAIN = 0x736263 };

/* Of all quantities of a statement together that none fails where all is right. */
static const double false_alarm = 0.001;

/* Of all statements: one that fails does not keep the others from being calibrated. */
typedef struct calibration {
  size_t tables;          /* printed so far */
  bool failed;
} calibration;

typedef struct study {
  const args *a;
  calibration *of;
  aim_program *p;
  size_t statement;
  aim_task *prior;        /* draw n: latents and data of simulation n */
  uint64_t seed;
  size_t simulations, cells; /* cells of all latents */
  uint8_t *rank;          /* [simulations * cells] */
  bool *varies;           /* [cells], of the prior's draws */
  pthread_mutex_t lock;   /* for what stands below, and for binding: a file may be read by a library that one thread at a time may use */
  size_t next, done, scarce; /* scarce: simulations of which some quantity had too few effective draws */
  aim_task *failed;       /* the first that failed, with its number and status; or NULL */
  size_t failure;
  aim_status status;
  bool shows;
} study;

static aim_status open_task(const study *s, aim_task **t) {
  const args *a = s->a;
  aim_status st = aim_task_statement(s->p, s->statement, t);
  if (st == AIM_OK && a->any_path) st = aim_data_anywhere(*t);
  for (size_t k = 0; k < a->n_data && st == AIM_OK; k++) st = aim_data_text(*t, a->data[k]);
  for (size_t k = 0; k < a->n_options && st == AIM_OK; k++) st = aim_set_text(*t, a->option[k].name, a->option[k].value);
  if (st == AIM_OK) st = aim_set_text(*t, "save", "[]"); /* every latent has a rank */
  return st;
}

/* ---- one simulation */

/* The smallest number of effective draws; constants have none. */
static aim_status effective(const study *s, aim_task *t, double *least) {
  aim_quantity q;
  aim_summary sum;
  *least = INFINITY;
  size_t at = 0;
  for (size_t k = 0; aim_quantity_get(t, k, &q) == AIM_OK && q.kind == AIM_LATENT; k++)
    for (size_t c = 0; c < q.cells; c++, at++) {
      aim_status st = s->varies[at] ? aim_summarise(t, k, c, &sum) : AIM_OK;
      if (st != AIM_OK) return st;
      if (s->varies[at] && sum.ess_bulk < *least) *least = sum.ess_bulk;
    }
  return AIM_OK;
}

/* The ranks of simulation n among draws that are evenly spaced over the chains, one after the other. */
static aim_status rank_all(study *s, const aim_task *t, size_t n, uint64_t seed) {
  const size_t length = aim_draw_count(t, 0), total = length * (size_t)aim_chain_count(t);
  uint8_t *rank = s->rank + n * s->cells;
  aim_quantity q;
  size_t at = 0;
  for (size_t k = 0; aim_quantity_get(t, k, &q) == AIM_OK && q.kind == AIM_LATENT; k++)
    for (size_t c = 0; c < q.cells; c++, at++) {
      const double truth = aim_draws(s->prior, 0, k, c)[n];
      uint64_t below = 0, equal = 0;
      for (size_t i = 0; i < RANKS; i++) {
        const size_t d = (i + 1) * total / RANKS - 1;
        const double *draws = aim_draws(t, (int)(d / length), k, c);
        if (!draws) return AIM_E_MEMORY;
        below += draws[d % length] < truth;
        equal += draws[d % length] == truth;
      }
      rank[at] = (uint8_t)(below + rt_key_fold(seed, at) % (equal + 1));
    }
  return AIM_OK;
}

static aim_status run_once(study *s, aim_task **t, size_t n, uint64_t seed, int thinning, double *least) {
  aim_plan plan;
  aim_status st = open_task(s, t);
  if (st == AIM_OK) st = aim_data_simulated(*t, s->prior, n);
  if (st == AIM_OK) st = aim_set_int(*t, "threads", 1);
  if (st == AIM_OK) st = aim_set_int(*t, "seed", (int64_t)seed);
  if (st == AIM_OK) st = aim_plan_get(*t, &plan);
  if (st == AIM_OK && thinning) st = aim_set_int(*t, "thin", (int64_t)plan.thin << thinning);
  if (st == AIM_OK) {
    pthread_mutex_lock(&s->lock);
    st = aim_bind(*t);
    pthread_mutex_unlock(&s->lock);
  }
  if (st == AIM_OK) st = aim_run(*t, NULL);
  return st == AIM_OK ? effective(s, *t, least) : st;
}

/* Draws of chains are made twice as far apart until they are worth the ranks.  *t is the last run, for its messages. */
static aim_status simulate(study *s, size_t n, aim_task **t, bool *scarce) {
  const uint64_t seed = (rt_key_fold(rt_key_fold(s->seed, SEED_DOMAIN), n) >> 1) | 1;
  for (int thinning = 0;; thinning++) {
    double least = 0;
    aim_status st = run_once(s, t, n, seed, thinning, &least);
    if (st != AIM_OK) return st;
    *scarce = least < RANKS;
    const bool chains = method_is((*t)->plan.method, METHOD_MARKOV);
    if (!*scarce || thinning == THINNINGS || !chains) return rank_all(s, *t, n, seed);
    aim_task_free(*t);
    *t = NULL;
  }
}

static void *work(void *user) {
  study *s = user;
  for (;;) {
    pthread_mutex_lock(&s->lock);
    size_t n = s->next++;
    bool stop = s->failed || s->status != AIM_OK || n >= s->simulations;
    pthread_mutex_unlock(&s->lock);
    if (stop) return NULL;
    aim_task *t = NULL;
    bool scarce = false;
    aim_status st = simulate(s, n, &t, &scarce);
    pthread_mutex_lock(&s->lock);
    s->done++;
    s->scarce += scarce;
    if (s->shows) fprintf(stderr, "\rsimulation %zu of %zu\x1b[K", s->done, s->simulations), fflush(stderr);
    if (st != AIM_OK && s->status == AIM_OK) {
      s->failed = t;
      s->failure = n + 1;
      s->status = st;
      t = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    aim_task_free(t);
  }
}

static void run_all(study *s) {
  pthread_t thread[MOST_THREADS];
  long there = sysconf(_SC_NPROCESSORS_ONLN), want = 0;
  for (size_t k = 0; k < s->a->n_options; k++)
    if (strcmp(s->a->option[k].name, "threads") == 0) want = atol(s->a->option[k].value);
  if (want <= 0) want = there > 0 ? there : 1;
  if (want > MOST_THREADS) want = MOST_THREADS;
  long started = 0;
  while (started + 1 < want && pthread_create(&thread[started], NULL, work, s) == 0) started++;
  work(s);
  while (started) pthread_join(thread[--started], NULL);
  if (s->shows) fputs("\r\x1b[K", stderr);
}

/* ---- what the ranks say */

typedef struct row {
  char name[160];
  double chi, p;
  size_t count[MOST_BINS], order;
} row;

/* P(X > x) of a chi-square variable with an odd number of degrees of freedom (Abramowitz and Stegun 26.4.4). */
static double chi_square_above(double x, int df) {
  double term = sqrt(2 * x / 3.14159265358979323846) * exp(-x / 2), sum = 0;
  for (int k = 1; k < df; k += 2) {
    sum += term;
    term *= x / (k + 2);
  }
  return erfc(sqrt(x / 2)) + sum;
}

static void name_cell(char *out, size_t size, const aim_quantity *q, size_t cell) {
  size_t n = (size_t)snprintf(out, size, "%s", q->name);
  for (int a = 0; a < q->rank && n < size; a++) {
    size_t stride = 1;
    for (int b = a + 1; b < q->rank; b++) stride *= (size_t)q->dims[b];
    n += (size_t)snprintf(out + n, size - n, "%s%zu%s", a ? ", " : "[", cell / stride % (size_t)q->dims[a] + 1, a + 1 == q->rank ? "]" : "");
  }
}

/* At least 20 expected in a bin where there are 80 simulations or more. */
static int bins_for(size_t simulations) {
  int bins = 4;
  while (bins < MOST_BINS && simulations >= 40u * (unsigned)bins) bins *= 2;
  return bins;
}

static void fill_row(const study *s, row *r, size_t at, int bins) {
  const double expected = (double)s->simulations / bins;
  for (size_t n = 0; n < s->simulations; n++) r->count[s->rank[n * s->cells + at] * bins / (RANKS + 1)]++;
  for (int b = 0; b < bins; b++) r->chi += ((double)r->count[b] - expected) * ((double)r->count[b] - expected) / expected;
  r->p = chi_square_above(r->chi, bins - 1);
}

static int worst_first(const void *a, const void *b) {
  const row *x = a, *y = b;
  return x->p < y->p ? -1 : x->p > y->p ? 1 : x->order < y->order ? -1 : x->order > y->order;
}

static void print_json(const study *s, const char *result, const char *method, const row *r, size_t n, int bins, double limit) {
  for (size_t k = 0; k < n; k++) {
    printf("{\"result\": \"%s\", \"method\": \"%s\", \"quantity\": \"%s\", \"simulations\": %zu, \"draws\": %d, \"scarce\": %zu, \"seed\": %llu, \"chi_square\": %.6g, "
           "\"p\": %.6g, \"limit\": %.6g, \"calibrated\": %s, \"ranks\": [",
           result, method, r[k].name, s->simulations, RANKS, s->scarce, (unsigned long long)s->seed, r[k].chi, r[k].p, limit, r[k].p < limit ? "false" : "true");
    for (int b = 0; b < bins; b++) printf("%s%zu", b ? ", " : "", r[k].count[b]);
    puts("]}");
  }
}

/* A bar for each bin; what is expected is half of the height. */
static void print_bars(const row *r, int bins, double expected) {
  static const char *const bar[] = {" ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
  for (int b = 0; b < bins; b++) {
    int h = (int)lround(4 * (double)r->count[b] / expected);
    fputs(bar[h > 8 ? 8 : h], stdout);
  }
}

static void print_table(const study *s, const char *result, const char *method, const row *r, size_t n, int bins, double limit, size_t fails, double seconds) {
  size_t width = 8, shown = s->a->all || n <= MOST_ROWS ? n : MOST_ROWS;
  for (size_t k = 0; k < shown; k++)
    if (strlen(r[k].name) > width) width = strlen(r[k].name);
  printf("%s%s: %s, %zu simulations, ranks among %d draws, seed %llu, %.2f s\n\n", s->of->tables++ ? "\n" : "", result, method, s->simulations, RANKS, (unsigned long long)s->seed, seconds);
  printf("%-*s  chi-square         p  ranks 0 to %d\n", (int)width, "", RANKS);
  for (size_t k = 0; k < shown; k++) {
    printf("%-*s  %10.2f  %8.2g  ", (int)width, r[k].name, r[k].chi, r[k].p);
    print_bars(&r[k], bins, (double)s->simulations / bins);
    puts(r[k].p < limit ? "  fails" : "");
  }
  if (shown < n) printf("... and %zu others with larger p; --all shows them\n", n - shown);
  printf("\n%zu of %zu quantities fail: p below %.2g, which happens to any of them with probability %g where all is right\n", fails, n, limit, false_alarm);
  if (s->scarce)
    printf("In %zu of the simulations some quantity had fewer than %d effective draws, so its ranks need not be uniform: run longer chains.\n", s->scarce, RANKS);
  if (fails)
    puts("Draws of the statement are not from the posterior of what the model simulates: the method is biased or has not converged, or a `factor` or\n"
         "`energy` says what no simulation has.");
}

static int report(const study *s, const char *result, const char *method, double seconds) {
  const int bins = bins_for(s->simulations);
  row *rows = calloc(s->cells + 1, sizeof *rows);
  if (!rows) return report_task(s->a, s->prior, AIM_E_MEMORY);
  size_t n = 0, at = 0, fails = 0;
  aim_quantity q;
  for (size_t k = 0; aim_quantity_get(s->prior, k, &q) == AIM_OK && q.kind == AIM_LATENT; k++)
    for (size_t c = 0; c < q.cells; c++, at++) {
      if (!s->varies[at]) continue;
      fill_row(s, &rows[n], at, bins);
      rows[n].order = n;
      name_cell(rows[n].name, sizeof rows[n].name, &q, c);
      n++;
    }
  const double limit = false_alarm / (double)(n ? n : 1);
  for (size_t k = 0; k < n; k++) fails += rows[k].p < limit;
  qsort(rows, n, sizeof *rows, worst_first);
  if (s->a->json) print_json(s, result, method, rows, n, bins, limit);
  else if (!s->a->quiet) print_table(s, result, method, rows, n, bins, limit, fails, seconds);
  free(rows);
  s->of->failed = s->of->failed || fails;
  return EXIT_FINE;
}

/* ---- the statement */

static void survey(study *s) {
  aim_quantity q;
  size_t at = 0;
  for (size_t k = 0; aim_quantity_get(s->prior, k, &q) == AIM_OK && q.kind == AIM_LATENT; k++)
    for (size_t c = 0; c < q.cells; c++, at++) {
      const double *x = aim_draws(s->prior, 0, k, c);
      for (size_t n = 1; n < s->simulations && !s->varies[at]; n++) s->varies[at] = x[n] != x[0];
    }
}

static int calibrate(study *s, const char *result, const char *method) {
  aim_quantity q;
  aim_plan plan;
  for (size_t k = 0; aim_quantity_get(s->prior, k, &q) == AIM_OK && q.kind == AIM_LATENT; k++) s->cells += q.cells;
  if (s->cells == 0) {
    fprintf(stderr, "aimc: %s has no latents to calibrate\n", result);
    return EXIT_WRONG;
  }
  if (s->cells > SIZE_MAX / s->simulations) return report_task(s->a, s->prior, AIM_E_MEMORY);
  s->rank = malloc(s->simulations * s->cells);
  s->varies = calloc(s->cells, sizeof *s->varies);
  if (!s->rank || !s->varies) return report_task(s->a, s->prior, AIM_E_MEMORY);
  aim_plan_get(s->prior, &plan);
  s->seed = plan.seed;
  s->shows = !s->a->quiet && !s->a->json && isatty(STDERR_FILENO);
  survey(s);
  const double began = now(NULL);
  run_all(s);
  if (s->status == AIM_OK) return report(s, result, method, now(NULL) - began);
  fprintf(stderr, "aimc: simulation %zu of %s:\n", s->failure, result);
  return s->failed ? report_task(s->a, s->failed, s->status) : exit_of(s->status);
}

/* Methods whose draws are not of the posterior. */
static bool method_fits(const args *a, const aim_statement *s, const char **method) {
  static const char *const without[] = {"map", "prior", "anneal"};
  *method = s->method;
  for (size_t k = 0; k < a->n_options; k++)
    if (strcmp(a->option[k].name, "method") == 0) *method = a->option[k].value;
  for (size_t k = 0; k < sizeof without / sizeof without[0]; k++) {
    if (strcmp(*method, without[k]) != 0) continue;
    fprintf(stderr, "aimc: %s: %s draws no posterior that could be calibrated\n", s->name, *method);
    return false;
  }
  return true;
}

static int sbc_statement(const args *a, aim_program *p, size_t k, size_t picked, void *user) {
  (void)picked;
  aim_statement statement;
  const char *method;
  aim_statement_get(p, k, &statement);
  if (!method_fits(a, &statement, &method)) return EXIT_WRONG;
  study s = {.a = a, .of = user, .p = p, .statement = k, .simulations = SIMULATIONS, .lock = PTHREAD_MUTEX_INITIALIZER};
  if (a->simulations) {
    char *end;
    long n = strtol(a->simulations, &end, 10);
    if (*end || n < LEAST || n > MOST_SIMULATIONS) {
      fprintf(stderr, "aimc: --simulations wants a number from %d to %d, not `%s`\n", LEAST, MOST_SIMULATIONS, a->simulations);
      return EXIT_WRONG;
    }
    s.simulations = (size_t)n;
  }
  aim_status st = open_task(&s, &s.prior);
  aim_plan plan;
  if (st == AIM_OK) st = aim_plan_get(s.prior, &plan);
  if (st == AIM_OK && (uint64_t)plan.chains * plan.draws < RANKS) {
    fprintf(stderr, "aimc: %s: ranks are among %d draws, and the statement keeps fewer\n", statement.name, RANKS);
    aim_task_free(s.prior);
    return EXIT_WRONG;
  }
  if (st == AIM_OK) st = aim_set_text(s.prior, "method", "prior");
  if (st == AIM_OK) st = aim_set_text(s.prior, "replicate", "on");
  if (st == AIM_OK) st = aim_set_int(s.prior, "draws", (int64_t)s.simulations);
  if (st == AIM_OK) st = aim_run(s.prior, NULL);
  int status = st == AIM_OK ? calibrate(&s, statement.name, method) : s.prior ? report_task(a, s.prior, st) : exit_of(st);
  free(s.rank);
  free(s.varies);
  aim_task_free(s.failed);
  aim_task_free(s.prior);
  return status;
}

int cmd_sbc(const args *a, aim_vm *vm) {
  int status;
  aim_program *p = load(a, vm, a->file[0], &status);
  if (!p) return status;
  calibration all = {0};
  status = each_statement(a, p, sbc_statement, &all);
  aim_program_free(p);
  return status == EXIT_FINE && all.failed ? EXIT_WRONG : status;
}
