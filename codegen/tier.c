/* tier.c: programs that change from the interpreter to machine code (tier.h).
 *
 * A program's state only grows: CODE_OFF or CODE_WANTED at load, CODE_COMING once a helper thread waits for aim-cc, then CODE_THERE
 * or CODE_OFF for good.  CODE_THERE is stored with release order after the object is in place; a worker that sees it makes its
 * worker of the other engine.  What a call costs beyond the engine's own is a test of the worker, and, as long as the object is on its
 * way, one load of the state.
 *
 * Code need not be faster: a program of a few wide loops may be as fast interpreted.  Unless the config waits for code, a worker that
 * has it times some calls of both, one after the other, and keeps what took less. */
#include "codegen/tier.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CODE_WANTED, CODE_COMING, CODE_THERE, CODE_OFF };

/* The interpreter's calls are timed one by one at first, then one for all of so many. */
enum { FIRST = 16, EVERY = 16, TOLD = 64, TRIED = 16 };
enum { SURE, CODE };

struct exec_program {
  aim_alloc alloc;
  const tier_config *config;
  const exec_engine *interpreter;
  exec_engine jit;
  exec_program *sure, *code; /* code: NULL where no function pays, or memory was short */
  int *number;               /* [nfns] in `code` of each function of `sure`, -1: it stays */
  uint32_t nfns;
  _Atomic int state;
  _Atomic int64_t spent;     /* ns of the interpreter in functions that pay */
  pthread_t helper;
  bool helped;               /* there is one to be joined; written by the call that started it, read when no call runs */
  int cancel[2];             /* closed at [1] to end the helper */
  _Atomic uint64_t interpreted, compiled;
  _Atomic unsigned declined; /* workers that found the interpreter faster */
};

struct exec_worker {
  exec_program *program;
  exec_worker *sure, *code;  /* code: NULL before the change */
  bool stays;                /* there will be none */
  bool settled;              /* the trial is over */
  int probe;                 /* the function that is timed, the first that pays; -1: none yet */
  int tried[2];              /* its timed calls, and the fastest, ns: SURE, CODE */
  int64_t best[2];
  unsigned told;             /* guarded calls that the interpreter was asked about */
  uint64_t interpreted, compiled;
};

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool starts_with(const char *s, const char *head) { return strncmp(s, head, strlen(head)) == 0; }

bool tier_wants(const ir_fn *fn) {
  if (fn->is_model) return false;
  if (ir_fn_find(fn->module, "grad")) return strcmp(fn->name, "grad") == 0 || starts_with(fn->name, "grad.");
  static const char *const once[] = {"prepare", "constrain", "outputs", "logdens"};
  for (size_t k = 0; k < sizeof once / sizeof *once; k++) if (strcmp(fn->name, once[k]) == 0) return false;
  return true;
}

/* ---- the helper: waits for aim-cc and takes its object over */

static void *help(void *user) {
  exec_program *p = user;
  exec_status s = jit_compile(p->code, p->cancel[0]);
  atomic_store_explicit(&p->state, s == EXEC_OK ? CODE_THERE : CODE_OFF, memory_order_release);
  return NULL;
}

/* Signals are for the host's threads. */
static bool start_helper(exec_program *p) {
  sigset_t all, before;
  if (pipe2(p->cancel, O_CLOEXEC)) return false;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  p->helped = pthread_create(&p->helper, NULL, help, p) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (p->helped) return true;
  close(p->cancel[0]), close(p->cancel[1]);
  return false;
}

static void want_code(exec_program *p) {
  int was = CODE_WANTED;
  if (!atomic_compare_exchange_strong(&p->state, &was, CODE_COMING)) return;
  if (!start_helper(p)) atomic_store(&p->state, CODE_OFF);
}

static void end_helper(exec_program *p) {
  if (!p->helped) return;
  close(p->cancel[1]);
  pthread_join(p->helper, NULL);
  close(p->cancel[0]);
}

/* ---- loading */

static void drop_code(exec_program *p) {
  if (p->code) p->jit.unload(p->code);
  p->code = NULL;
  atomic_store(&p->state, CODE_OFF);
}

static void map_functions(exec_program *p, const ir_module *m) {
  for (uint32_t k = 0; k < p->nfns; k++) p->number[k] = -1;
  for (uint32_t k = 0; k < m->nfns; k++) {
    int from = p->interpreter->find(p->sure, m->fn[k]->name), to = p->jit.find(p->code, m->fn[k]->name);
    if (from >= 0 && (uint32_t)from < p->nfns) p->number[from] = to;
  }
}

/* From the cache, or as the config says.  EXEC_REFUSED: the interpreter runs the program. */
static exec_status find_code(exec_program *p, const ir_module *m, size_t ndata, const exec_data *data, const exec_options *options, const char **why) {
  const tier_config *c = p->config;
  bool any = false;
  for (uint32_t k = 0; k < m->nfns; k++) any |= tier_wants(m->fn[k]);
  if (!any) return EXEC_OK;
  jit_base base = {p->interpreter, p->sure, tier_wants};
  exec_status s = jit_open(m, ndata, data, options, &p->alloc, &base, &p->code, why);
  if (s != EXEC_OK) return s;
  map_functions(p, m);
  s = jit_recall(p->code);
  jit_stats stats;
  jit_stats_of(p->code, &stats);
  if (stats.cache_off && c->cacheless) c->cacheless(c->user, stats.cache_off, stats.distrusted);
  if (s == EXEC_REFUSED && !c->wait) {
    atomic_store(&p->state, CODE_WANTED);
    if (c->patience <= 0) want_code(p);
    return EXEC_OK;
  }
  if (s == EXEC_REFUSED) s = jit_compile(p->code, -1);
  if (s == EXEC_OK) atomic_store(&p->state, CODE_THERE);
  else atomic_store(&p->state, CODE_OFF);
  return s;
}

static void unload(exec_program *p) {
  if (!p) return;
  aim_alloc alloc = p->alloc;
  end_helper(p);
  drop_code(p);
  if (p->sure) p->interpreter->unload(p->sure);
  alloc_put(&alloc, p->number, p->nfns * sizeof *p->number);
  alloc_put(&alloc, p, sizeof *p);
}

static exec_status load(const ir_module *m, size_t ndata, const exec_data *data, const exec_options *options, const aim_alloc *alloc,
                        exec_program **out, const char **message) {
  const tier_config *c = options->user;
  *out = NULL;
  exec_program *p = alloc_get(alloc, 1, sizeof *p);
  if (!p) return EXEC_MEMORY;
  memset(p, 0, sizeof *p);
  p->alloc = *alloc;
  p->config = c;
  p->interpreter = c->sure ? c->sure : options->sure;
  p->jit = jit_engine(c->jit);
  p->nfns = m->nfns;
  atomic_store(&p->state, CODE_OFF);
  p->number = alloc_get(alloc, m->nfns, sizeof *p->number);
  if (!p->number && m->nfns) {
    unload(p);
    return EXEC_MEMORY;
  }
  exec_options o = *options;
  o.user = p->interpreter->user;
  exec_status s = p->interpreter->load(m, ndata, data, &o, alloc, &p->sure, message);
  if (s != EXEC_OK) {
    unload(p);
    return s;
  }
  const char *why = NULL;
  o.user = c->jit;
  s = find_code(p, m, ndata, data, &o, &why);
  if (s != EXEC_OK && c->notice) {
    jit_stats stats = {.seconds = 0};
    if (p->code) jit_stats_of(p->code, &stats);
    c->notice(c->user, stats.why[0] ? stats.why : why ? why : s == EXEC_MEMORY ? "there is no memory for its code" : "it was refused");
  }
  *out = p;
  return EXEC_OK;
}

static int find(const exec_program *p, const char *name) { return p->interpreter->find(p->sure, name); }

/* ---- workers */

static exec_worker *worker_new(exec_program *p) {
  exec_worker *w = alloc_get(&p->alloc, 1, sizeof *w);
  if (!w) return NULL;
  *w = (exec_worker){.program = p, .sure = p->interpreter->worker_new(p->sure), .settled = p->config->wait, .probe = -1};
  if (!w->sure) {
    alloc_put(&p->alloc, w, sizeof *w);
    return NULL;
  }
  return w;
}

static void worker_free(exec_worker *w) {
  if (!w) return;
  exec_program *p = w->program;
  atomic_fetch_add(&p->interpreted, w->interpreted);
  atomic_fetch_add(&p->compiled, w->compiled);
  if (w->code) p->jit.worker_free(w->code);
  p->interpreter->worker_free(w->sure);
  alloc_put(&p->alloc, w, sizeof *w);
}

/* True if this worker has the code from now on. */
static bool change(exec_worker *w) {
  exec_program *p = w->program;
  int state = atomic_load_explicit(&p->state, memory_order_acquire);
  if (state == CODE_THERE) w->code = p->jit.worker_new(p->code);
  w->stays = !w->code && (state == CODE_THERE || state == CODE_OFF);
  return w->code != NULL;
}

static void note_time(exec_worker *w, int which, int64_t ns) {
  if (w->tried[which]++ == 0 || ns < w->best[which]) w->best[which] = ns;
}

/* A call of the interpreter, timed where it may decide that aim-cc is started. */
static exec_status interpret(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  exec_program *p = w->program;
  uint64_t n = w->interpreted++;
  bool timed = !w->stays && p->number[fn] >= 0 && (n < FIRST || n % EVERY == 0) && atomic_load_explicit(&p->state, memory_order_relaxed) == CODE_WANTED;
  if (!timed) return p->interpreter->call(w->sure, fn, lanes, in, out, report);
  int64_t t = now_ns();
  exec_status s = p->interpreter->call(w->sure, fn, lanes, in, out, report);
  t = now_ns() - t;
  t *= n < FIRST ? 1 : EVERY;
  if (atomic_fetch_add_explicit(&p->spent, t, memory_order_relaxed) + t > (int64_t)(p->config->patience * 1e9)) want_code(p);
  return s;
}

static exec_status run_code(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  exec_program *p = w->program;
  w->compiled++;
  exec_status s = p->jit.call(w->code, p->number[fn], lanes, in, out, report);
  /* The interpreter tells the place of what failed, whoever met it; but not for ever, where a model fails often. */
  bool failed = report && (s != EXEC_OK || (report->guards && w->told < TOLD));
  if (__builtin_expect(!failed, 1)) return s;
  w->told++;
  return p->interpreter->call(w->sure, fn, lanes, in, out, report);
}

/* The first calls of a worker that has the code.  The fastest call of each is what the other processes of the machine spoil least. */
static exec_status try_both(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  if (w->probe < 0) w->probe = fn;
  if (fn != w->probe) return run_code(w, fn, lanes, in, out, report);
  int which = w->tried[SURE] < w->tried[CODE] ? SURE : CODE;
  int64_t t = now_ns();
  exec_status s = which == CODE ? run_code(w, fn, lanes, in, out, report) : interpret(w, fn, lanes, in, out, report);
  note_time(w, which, (now_ns() - t) / (int64_t)(lanes ? lanes : 1));
  w->settled = w->tried[SURE] >= TRIED && w->tried[CODE] >= TRIED;
  if (w->settled && w->best[CODE] > w->best[SURE]) {
    w->program->jit.worker_free(w->code);
    w->code = NULL;
    w->stays = true;
    atomic_fetch_add(&w->program->declined, 1);
  }
  return s;
}

static exec_status call(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  if ((!w->code && (w->stays || !change(w))) || w->program->number[fn] < 0) return interpret(w, fn, lanes, in, out, report);
  if (__builtin_expect(!w->settled, 0)) return try_both(w, fn, lanes, in, out, report);
  return run_code(w, fn, lanes, in, out, report);
}

static bool find_nan(exec_worker *w, int fn, const exec_arg *in, exec_report *report) { return w->program->interpreter->find_nan(w->sure, fn, in, report); }

static const exec_cell *frame(const exec_program *p, uint32_t r) { return p->interpreter->frame(p->sure, r); }

static void account(const exec_program *p, exec_account *out) {
  int state = atomic_load_explicit(&p->state, memory_order_acquire);
  *out = (exec_account){.interpreted = atomic_load(&p->interpreted), .compiled = atomic_load(&p->compiled), .declined = atomic_load(&p->declined)};
  if (!p->code || (state != CODE_THERE && state != CODE_OFF)) return; /* the helper may be writing */
  jit_stats s;
  jit_stats_of(p->code, &s);
  out->cached = state == CODE_THERE && s.cached;
  out->made = state == CODE_THERE && !s.cached;
  out->refused = state == CODE_OFF;
  out->seconds = s.seconds;
  out->object = s.object;
  snprintf(out->why, sizeof out->why, "%.*s", (int)sizeof out->why - 1, s.why);
}

static bool memo(const exec_program *p, exec_memo *out) { return p->config->sure->memo && p->config->sure->memo(p->sure, out); }

exec_engine tier_engine(const tier_config *config) {
  return (exec_engine){config->wait ? "jit" : "auto", load, unload, find, worker_new, worker_free, call, find_nan, config, frame, account, memo};
}
