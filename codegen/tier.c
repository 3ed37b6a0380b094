/* tier.c: programs that change from the interpreter to machine code (tier.h).
 *
 * A program's functions are cut into two units, each with an object of its own: what a run calls again and again, and what it calls once
 * a draw.  So the first does not wait for the second, and a run whose draws cost little never compiles that.
 *
 * A unit's state only grows: CODE_OFF or CODE_WANTED at load, CODE_COMING once a helper thread waits for aim-cc, then CODE_THERE
 * or CODE_OFF for good.  CODE_THERE is stored with release order after the object is in place; a worker that sees it makes its
 * worker of the other engine.  What a call costs beyond the engine's own is a test of the worker's state for this function, and, as long
 * as the object is on its way, one load of the unit's.
 *
 * Code need not be faster: a function of a few wide loops may be as fast interpreted.  Unless load waited for it, a worker that
 * has code times some calls of both, one after the other, and keeps for each function what took less: by the fastest call of each, which is
 * what the other processes of the machine spoil least.  Where the interpreter keeps results (memo.h) its fastest call is one that found one,
 * so there it is by the sum of more calls. */
#include "codegen/tier.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CODE_OFF, CODE_WANTED, CODE_COMING, CODE_THERE };

/* The interpreter's calls of a function are timed one by one at first, then one for all of so many. */
enum { FIRST = 16, EVERY = 16, TOLD = 64, TRIED = 16, TRIED_KEPT = 64 };
enum { SURE, CODE };

typedef struct unit {
  exec_program *code;    /* NULL where no function pays, or memory was short */
  _Atomic int state;
  _Atomic int64_t spent; /* ns of the interpreter in functions of this unit */
  pthread_t helper;
  bool helped;           /* there is one to be joined; written by the call that started it, read when no call runs */
  int cancel[2];         /* closed at [1] to end the helper */
} unit;

/* A function: where it is in the code. */
typedef struct place {
  tier_unit unit;
  int number; /* in unit.code, -1: it stays with the interpreter */
  bool keeps; /* the interpreter keeps results of it */
} place;

struct exec_program {
  aim_alloc alloc;
  const tier_config *config;
  const exec_engine *interpreter;
  exec_engine jit;
  exec_program *sure;
  unit unit[TIER_UNITS];
  place *place; /* [nfns] by the number in `sure` */
  uint32_t nfns;
  _Atomic uint64_t interpreted, compiled;
  _Atomic unsigned declined; /* functions that workers found faster interpreted */
  bool told;                 /* why an object is not to be had */
};

typedef enum stand {
  ASKS,  /* the code may come */
  TRIES, /* it is there, and both are timed */
  RUNS,
  STAYS
} stand;

/* A function as a worker stands to it. */
typedef struct trial {
  stand stand;
  uint64_t calls;  /* of the interpreter */
  int tried[2];    /* timed calls, the fastest, and all of them, ns: SURE, CODE */
  int64_t best[2], sum[2];
} trial;

struct exec_worker {
  exec_program *program;
  exec_worker *sure, *code[TIER_UNITS]; /* code: NULL before the change */
  trial *trial;  /* [nfns] */
  unsigned told; /* guarded calls that the interpreter was asked about */
  uint64_t interpreted, compiled;
};

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool among(const char *s, const char *const *list) {
  for (; *list; list++) if (strcmp(s, *list) == 0) return true;
  return false;
}

/* Where chains follow a gradient all else is of a draw, but for what a cycle does with the elements of its other parts. */
tier_unit tier_unit_of(const ir_fn *fn) {
  static const char *const once[] = {"outputs", "loglik", NULL}, *const never[] = {"prepare", NULL};
  static const char *const before[] = {"prior", NULL}, *const unmoved[] = {"constrain", "logdens", NULL}; /* initial points */
  static const char *const drawn[] = {"logdens", "constrain", "recover", "density", NULL};
  const bool gradient = ir_fn_find(fn->module, "grad") != NULL;
  if (fn->is_model || among(fn->name, never)) return TIER_NEVER;
  if (among(fn->name, once)) return TIER_DRAW;
  if (among(fn->name, gradient ? before : unmoved)) return TIER_NEVER;
  if (gradient && among(fn->name, drawn)) return TIER_DRAW;
  return TIER_STEP;
}

static bool wants_step(const ir_fn *fn) { return tier_unit_of(fn) == TIER_STEP; }
static bool wants_draw(const ir_fn *fn) { return tier_unit_of(fn) == TIER_DRAW; }
static bool (*const wants[TIER_UNITS])(const ir_fn *fn) = {wants_step, wants_draw};

/* ---- the helper: waits for aim-cc and takes its object over */

static void *help(void *user) {
  unit *u = user;
  exec_status s = jit_compile(u->code, u->cancel[0]);
  atomic_store_explicit(&u->state, s == EXEC_OK ? CODE_THERE : CODE_OFF, memory_order_release);
  return NULL;
}

/* Signals are for the host's threads. */
static bool start_helper(unit *u) {
  sigset_t all, before;
  if (pipe2(u->cancel, O_CLOEXEC)) return false;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  u->helped = pthread_create(&u->helper, NULL, help, u) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (u->helped) return true;
  close(u->cancel[0]), close(u->cancel[1]);
  return false;
}

static void want_code(unit *u) {
  int was = CODE_WANTED;
  if (!atomic_compare_exchange_strong(&u->state, &was, CODE_COMING)) return;
  if (!start_helper(u)) atomic_store(&u->state, CODE_OFF);
}

static void end_helper(unit *u, bool cancel) {
  if (!u->helped) return;
  if (cancel) close(u->cancel[1]);
  pthread_join(u->helper, NULL);
  if (!cancel) close(u->cancel[1]);
  close(u->cancel[0]);
  u->helped = false;
}

/* ---- loading */

/* This unit's object is waited for, by `ready`, and what is in it runs without a trial. */
static bool waits(const tier_config *c, tier_unit which) { return c->wait && (which == TIER_STEP || c->patience <= 0); }

static void see_memo(void *user, ir_op *op) { *(bool *)user |= op->code == IR_MEMO_FIND_OP; }

static void map_functions(exec_program *p, const ir_module *m, tier_unit which) {
  for (uint32_t k = 0; k < m->nfns; k++) {
    if (!wants[which](m->fn[k])) continue;
    int from = p->interpreter->find(p->sure, m->fn[k]->name);
    if (from < 0 || (uint32_t)from >= p->nfns) continue;
    place *at = &p->place[from];
    *at = (place){.unit = which, .number = p->jit.find(p->unit[which].code, m->fn[k]->name)};
    ir_visit_ops(&m->fn[k]->body, see_memo, &at->keeps);
  }
}

/* From the cache, or as the config says.  EXEC_REFUSED: the interpreter runs these functions. */
static exec_status find_code(exec_program *p, tier_unit which, const ir_module *m, size_t ndata, const exec_data *data, const exec_options *options, const char **why) {
  const tier_config *c = p->config;
  unit *u = &p->unit[which];
  bool any = false;
  for (uint32_t k = 0; k < m->nfns; k++) any |= wants[which](m->fn[k]);
  if (!any) return EXEC_OK;
  jit_base base = {p->interpreter, p->sure, wants[which]};
  exec_status s = jit_open(m, ndata, data, options, &p->alloc, &base, &u->code, why);
  if (s != EXEC_OK) return s;
  map_functions(p, m, which);
  s = jit_recall(u->code);
  jit_stats stats;
  jit_stats_of(u->code, &stats);
  if (which == TIER_STEP && stats.cache_off && c->cacheless) c->cacheless(c->user, stats.cache_off, stats.distrusted);
  if (s == EXEC_REFUSED) {
    atomic_store(&u->state, CODE_WANTED);
    if (c->patience <= 0 || waits(c, which)) want_code(u);
    if (!waits(c, which) || u->helped) return EXEC_OK;
    s = jit_compile(u->code, -1); /* a host without threads to give */
  }
  if (s == EXEC_OK) atomic_store(&u->state, CODE_THERE);
  return s;
}

static void unload(exec_program *p) {
  if (!p) return;
  aim_alloc alloc = p->alloc;
  for (int k = 0; k < TIER_UNITS; k++) {
    end_helper(&p->unit[k], true);
    if (p->unit[k].code) p->jit.unload(p->unit[k].code);
  }
  if (p->sure) p->interpreter->unload(p->sure);
  alloc_put(&alloc, p->place, p->nfns * sizeof *p->place);
  alloc_put(&alloc, p, sizeof *p);
}

/* Once: what hinders one unit is likely to hinder the other. */
static void tell(exec_program *p, tier_unit which, exec_status s, const char *why) {
  jit_stats stats = {.seconds = 0};
  if (p->told || !p->config->notice) return;
  p->told = true;
  if (p->unit[which].code) jit_stats_of(p->unit[which].code, &stats);
  p->config->notice(p->config->user, stats.why[0] ? stats.why : why ? why : s == EXEC_MEMORY ? "there is no memory for its code" : "it was refused");
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
  p->place = alloc_get(alloc, m->nfns, sizeof *p->place);
  if (!p->place && m->nfns) {
    unload(p);
    return EXEC_MEMORY;
  }
  for (uint32_t k = 0; k < p->nfns; k++) p->place[k] = (place){.unit = TIER_STEP, .number = -1};
  exec_options o = *options;
  o.user = p->interpreter->user;
  exec_status s = p->interpreter->load(m, ndata, data, &o, alloc, &p->sure, message);
  if (s != EXEC_OK) {
    unload(p);
    return s;
  }
  o.user = c->jit;
  for (tier_unit k = 0; k < TIER_UNITS; k++) {
    const char *why = NULL;
    s = find_code(p, k, m, ndata, data, &o, &why);
    if (s != EXEC_OK) tell(p, k, s, why);
  }
  *out = p;
  return EXEC_OK;
}

static void ready(exec_program *p) {
  for (tier_unit k = 0; k < TIER_UNITS; k++) {
    unit *u = &p->unit[k];
    if (!u->helped || !waits(p->config, k)) continue;
    end_helper(u, false);
    if (atomic_load(&u->state) == CODE_OFF) tell(p, k, EXEC_REFUSED, NULL);
  }
}

static int find(const exec_program *p, const char *name) { return p->interpreter->find(p->sure, name); }

/* ---- workers */

static void worker_free(exec_worker *w) {
  if (!w) return;
  exec_program *p = w->program;
  atomic_fetch_add(&p->interpreted, w->interpreted);
  atomic_fetch_add(&p->compiled, w->compiled);
  for (int k = 0; k < TIER_UNITS; k++) if (w->code[k]) p->jit.worker_free(w->code[k]);
  if (w->sure) p->interpreter->worker_free(w->sure);
  alloc_put(&p->alloc, w->trial, p->nfns * sizeof *w->trial);
  alloc_put(&p->alloc, w, sizeof *w);
}

static exec_worker *worker_new(exec_program *p) {
  exec_worker *w = alloc_get(&p->alloc, 1, sizeof *w);
  if (!w) return NULL;
  *w = (exec_worker){.program = p, .sure = p->interpreter->worker_new(p->sure), .trial = alloc_get(&p->alloc, p->nfns, sizeof *w->trial)};
  if (!w->sure || (!w->trial && p->nfns)) {
    worker_free(w);
    return NULL;
  }
  for (uint32_t k = 0; k < p->nfns; k++) w->trial[k] = (trial){.stand = p->place[k].number < 0 ? STAYS : ASKS};
  return w;
}

/* Of a function that asks: how the worker stands to it from now on. */
static stand ask(exec_worker *w, int fn) {
  exec_program *p = w->program;
  const tier_unit k = p->place[fn].unit;
  int state = atomic_load_explicit(&p->unit[k].state, memory_order_acquire);
  if (state == CODE_THERE && !w->code[k]) w->code[k] = p->jit.worker_new(p->unit[k].code);
  if (w->code[k]) return waits(p->config, k) ? RUNS : TRIES;
  return state == CODE_THERE || state == CODE_OFF ? STAYS : ASKS;
}

static void note_time(trial *t, int which, int64_t ns) {
  if (t->tried[which]++ == 0 || ns < t->best[which]) t->best[which] = ns;
  t->sum[which] += ns;
}

/* A call of the interpreter, timed where it may decide that aim-cc is started. */
static exec_status interpret(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  exec_program *p = w->program;
  trial *f = &w->trial[fn];
  unit *u = &p->unit[p->place[fn].unit];
  uint64_t n = f->calls++;
  w->interpreted++;
  bool timed = f->stand == ASKS && (n < FIRST || n % EVERY == 0) && atomic_load_explicit(&u->state, memory_order_relaxed) == CODE_WANTED;
  if (!timed) return p->interpreter->call(w->sure, fn, lanes, in, out, report);
  int64_t t = now_ns();
  exec_status s = p->interpreter->call(w->sure, fn, lanes, in, out, report);
  t = now_ns() - t;
  t *= n < FIRST ? 1 : EVERY;
  if (atomic_fetch_add_explicit(&u->spent, t, memory_order_relaxed) + t > (int64_t)(p->config->patience * 1e9)) want_code(u);
  return s;
}

static exec_status run_code(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  exec_program *p = w->program;
  const place at = p->place[fn];
  w->compiled++;
  exec_status s = p->jit.call(w->code[at.unit], at.number, lanes, in, out, report);
  /* The interpreter tells the place of what failed, whoever met it; but not for ever, where a model fails often. */
  bool failed = report && (s != EXEC_OK || (report->guards && w->told < TOLD));
  if (__builtin_expect(!failed, 1)) return s;
  w->told++;
  return p->interpreter->call(w->sure, fn, lanes, in, out, report);
}

/* The first calls of a worker that has the code. */
static exec_status try_both(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  trial *f = &w->trial[fn];
  int which = f->tried[SURE] < f->tried[CODE] ? SURE : CODE;
  int64_t t = now_ns();
  exec_status s = which == CODE ? run_code(w, fn, lanes, in, out, report) : interpret(w, fn, lanes, in, out, report);
  note_time(f, which, (now_ns() - t) / (int64_t)(lanes ? lanes : 1));
  const bool keeps = w->program->place[fn].keeps;
  const int tries = keeps ? TRIED_KEPT : TRIED;
  if (f->tried[SURE] < tries || f->tried[CODE] < tries) return s;
  const int64_t *cost = keeps ? f->sum : f->best;
  f->stand = cost[CODE] > cost[SURE] ? STAYS : RUNS;
  if (f->stand == STAYS) atomic_fetch_add(&w->program->declined, 1);
  return s;
}

static exec_status call(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  trial *f = &w->trial[fn];
  if (__builtin_expect(f->stand == RUNS, 1)) return run_code(w, fn, lanes, in, out, report);
  if (f->stand == ASKS) f->stand = ask(w, fn);
  if (f->stand == RUNS) return run_code(w, fn, lanes, in, out, report);
  return f->stand == TRIES ? try_both(w, fn, lanes, in, out, report) : interpret(w, fn, lanes, in, out, report);
}

static bool find_nan(exec_worker *w, int fn, const exec_arg *in, exec_report *report) { return w->program->interpreter->find_nan(w->sure, fn, in, report); }

static const exec_cell *frame(const exec_program *p, uint32_t r) { return p->interpreter->frame(p->sure, r); }

static void account(const exec_program *p, exec_account *out) {
  *out = (exec_account){.interpreted = atomic_load(&p->interpreted), .compiled = atomic_load(&p->compiled), .declined = atomic_load(&p->declined)};
  for (int k = 0; k < TIER_UNITS; k++) {
    const unit *u = &p->unit[k];
    int state = atomic_load_explicit(&u->state, memory_order_acquire);
    if (!u->code || (state != CODE_THERE && state != CODE_OFF)) continue; /* the helper may be writing */
    jit_stats s;
    jit_stats_of(u->code, &s);
    out->cached += state == CODE_THERE && s.cached;
    out->made += state == CODE_THERE && !s.cached;
    out->refused += state == CODE_OFF;
    out->seconds += s.seconds;
    out->object += s.object;
    if (!out->why[0]) snprintf(out->why, sizeof out->why, "%.*s", (int)sizeof out->why - 1, s.why);
  }
}

static bool memo(const exec_program *p, exec_memo *out) { return p->interpreter->memo && p->interpreter->memo(p->sure, out); }

exec_engine tier_engine(const tier_config *config) {
  return (exec_engine){config->wait ? "jit" : "auto", load, unload, find, worker_new, worker_free, call, find_nan, config, frame, account, memo, ready};
}
