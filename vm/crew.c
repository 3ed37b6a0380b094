/* crew.c: handing out the blocks of a sum (crew.h).
 *
 * A turn is one stage of one call.  `ticket` holds the number of the turn and, below it, how many blocks are left to take; taking
 * one is a compare and exchange, so it succeeds in the current turn only, and whoever holds a block knows that the caller waits
 * for it: the fields of the turn stand still until `done` says that all are computed. */
#include "vm/crew.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum { LOOKS = 4000, LEFT_BITS = 32 };

/* What a member of the crew has met in this turn. */
typedef struct member {
  eval_crew *of;
  exec_worker *w;
  exec_arg *in, *out; /* [in_most], [out_most] */
  exec_cell block;
  uint64_t guards;
  size_t guard_block, stop_block;
  span guard_where;
  exec_status status;
  exec_report stopped;
  pthread_t thread;
} member;

struct eval_crew {
  const eval_model *m;
  const aim_alloc *alloc;
  size_t nsites, in_most, out_most, bytes;
  void *memory;
  exec_cell **live, **total; /* [stage]: cells of its live values, of its totals, one output after the other */
  member *who;               /* [n]: the caller, then helpers */
  size_t n, started;
  /* The turn. */
  const exec_arg *params;
  size_t stage;
  _Atomic uint64_t ticket;
  _Atomic size_t done;
  /* Sleeping. */
  pthread_mutex_t lock;
  pthread_cond_t wake;
  _Atomic unsigned asleep;
  _Atomic int over;
  bool can_sleep;
};

static inline void breathe(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/* ---- one block */

static const stage *stage_of(const eval_crew *c, size_t s) { return &c->m->p->stage[s]; }

static size_t put_live(const eval_crew *c, size_t s, exec_arg *to) {
  const stage *x = stage_of(c, s);
  exec_cell *at = c->live[s];
  for (size_t k = 0; k < x->nlive; at += x->live[k++]) to[k] = (exec_arg){at, 1};
  return x->nlive;
}

/* The totals of the first n stages. */
static size_t put_totals(const eval_crew *c, size_t n, exec_arg *to) {
  size_t count = 0;
  for (size_t s = 0; s < n; s++) {
    const stage *x = stage_of(c, s);
    exec_cell *at = c->total[s];
    for (size_t k = 0; k < x->noutputs; at += x->cells[k++] * x->blocks) to[count++] = (exec_arg){at, 1};
  }
  return count;
}

static void put_block(member *who, size_t block) {
  eval_crew *c = who->of;
  const stage *x = stage_of(c, c->stage);
  memcpy(who->in, c->params, c->nsites * sizeof *who->in);
  size_t n = c->nsites + put_live(c, c->stage, who->in + c->nsites);
  who->block.integer = (int64_t)block;
  who->in[n] = (exec_arg){&who->block, 1};
  exec_cell *at = c->total[c->stage];
  for (size_t k = 0; k < x->noutputs; at += x->cells[k++] * x->blocks) who->out[k] = (exec_arg){at + x->cells[k] * block, 1};
}

static void compute(member *who, size_t block) {
  eval_crew *c = who->of;
  exec_report r = {0};
  put_block(who, block);
  exec_status st = c->m->engine->call(who->w, c->m->stage[c->stage].part, 1, who->in, who->out, &r);
  if (r.guards && (who->guards == 0 || block < who->guard_block)) who->guard_block = block, who->guard_where = r.guard_where;
  who->guards += r.guards;
  if (st != EXEC_OK && (who->status == EXEC_OK || block < who->stop_block)) who->status = st, who->stop_block = block, who->stopped = r;
}

/* Takes a block if one is left. */
static bool take(eval_crew *c, size_t *block) {
  uint64_t t = atomic_load_explicit(&c->ticket, memory_order_acquire);
  do {
    uint64_t left = t & (((uint64_t)1 << LEFT_BITS) - 1);
    if (left == 0) return false;
    *block = (size_t)left - 1;
  } while (!atomic_compare_exchange_weak_explicit(&c->ticket, &t, t - 1, memory_order_acq_rel, memory_order_acquire));
  return true;
}

static bool work_left(eval_crew *c) { return (uint32_t)atomic_load(&c->ticket) != 0; }

static void work_off(member *who) {
  size_t block;
  while (take(who->of, &block)) {
    compute(who, block);
    atomic_fetch_add_explicit(&who->of->done, 1, memory_order_release);
  }
}

/* ---- helpers */

static void sleep_until_woken(eval_crew *c) {
  pthread_mutex_lock(&c->lock);
  atomic_fetch_add(&c->asleep, 1);
  while (!work_left(c) && !atomic_load(&c->over)) pthread_cond_wait(&c->wake, &c->lock);
  atomic_fetch_sub(&c->asleep, 1);
  pthread_mutex_unlock(&c->lock);
}

static void *help(void *arg) {
  member *who = arg;
  eval_crew *c = who->of;
  while (!atomic_load_explicit(&c->over, memory_order_relaxed)) {
    work_off(who);
    int looks = 0;
    while (looks < LOOKS && !work_left(c)) looks++, breathe();
    if (looks == LOOKS) sleep_until_woken(c);
  }
  return NULL;
}

static void rouse(eval_crew *c) {
  if (atomic_load(&c->asleep) == 0) return;
  pthread_mutex_lock(&c->lock);
  pthread_cond_broadcast(&c->wake);
  pthread_mutex_unlock(&c->lock);
}

/* ---- the caller */

static void turn(eval_crew *c, size_t s, const exec_arg *params) {
  const stage *x = stage_of(c, s);
  for (size_t k = 0; k < c->n; k++) c->who[k].guards = 0, c->who[k].status = EXEC_OK;
  c->params = params;
  c->stage = s;
  atomic_store_explicit(&c->done, 0, memory_order_relaxed);
  uint64_t number = (atomic_load_explicit(&c->ticket, memory_order_relaxed) >> LEFT_BITS) + 1;
  atomic_store(&c->ticket, number << LEFT_BITS | x->blocks);
  rouse(c);
  work_off(&c->who[0]);
  for (int looks = 0; atomic_load_explicit(&c->done, memory_order_acquire) < x->blocks; looks++) {
    if (looks < LOOKS) breathe();
    else sched_yield();
  }
}

/* The reports of a turn as one: what came first in the order of blocks. */
static exec_status gather(eval_crew *c, exec_report *report) {
  const member *guard = NULL, *stop = NULL;
  uint64_t guards = 0;
  for (size_t k = 0; k < c->n; k++) {
    const member *w = &c->who[k];
    guards += w->guards;
    if (w->guards && (!guard || w->guard_block < guard->guard_block)) guard = w;
    if (w->status != EXEC_OK && (!stop || w->stop_block < stop->stop_block)) stop = w;
  }
  if (guard && report->guards == 0) report->guard_where = guard->guard_where;
  report->guards += guards;
  if (!stop) return EXEC_OK;
  report->where = stop->stopped.where, report->index = stop->stopped.index, report->extent = stop->stopped.extent;
  return stop->status;
}

static exec_status call(eval_crew *c, int fn, exec_arg *out, exec_report *report) {
  exec_report r = {0};
  exec_status st = c->m->engine->call(c->who[0].w, fn, 1, c->who[0].in, out, &r);
  if (r.guards && report->guards == 0) report->guard_where = r.guard_where;
  report->guards += r.guards;
  if (st != EXEC_OK) report->where = r.where, report->index = r.index, report->extent = r.extent;
  return st;
}

static void put_before(eval_crew *c, size_t s, const exec_arg *in) {
  member *own = &c->who[0];
  memcpy(own->in, in, c->nsites * sizeof *in);
  put_totals(c, s, own->in + c->nsites);
}

exec_status eval_crew_grad(eval_crew *c, const exec_arg *in, exec_arg *out, exec_report *report) {
  const size_t n = c->m->p->nstages;
  *report = (exec_report){0};
  exec_status st = EXEC_OK;
  for (size_t s = 0; s < n && st == EXEC_OK; s++) {
    put_before(c, s, in);
    put_live(c, s, c->who[0].out);
    st = call(c, c->m->stage[s].before, c->who[0].out, report);
    if (st != EXEC_OK) break;
    turn(c, s, in);
    st = gather(c, report);
  }
  if (st != EXEC_OK) return st;
  put_before(c, n, in);
  return call(c, c->m->grad, out, report);
}

bool eval_crew_find_nan(eval_crew *c, const exec_arg *in, exec_report *report) {
  const eval_model *m = c->m;
  member *own = &c->who[0];
  for (size_t s = 0; s < m->p->nstages; s++) {
    put_before(c, s, in);
    if (m->engine->find_nan(own->w, m->stage[s].before, own->in, report)) return true;
    c->params = in;
    c->stage = s;
    for (size_t b = 0; b < stage_of(c, s)->blocks; b++) {
      put_block(own, b);
      if (m->engine->find_nan(own->w, m->stage[s].part, own->in, report)) return true;
    }
  }
  put_before(c, m->p->nstages, in);
  return m->engine->find_nan(own->w, m->grad, own->in, report);
}

/* ---- life */

/* Memory is one piece; this measures it and, the second time, deals it out. */
static char *deal(char **at, size_t n, size_t size) {
  char *r = *at;
  *at += (n * size + 63) / 64 * 64;
  return r;
}

static size_t lay_out(eval_crew *c, char *memory) {
  const program *p = c->m->p;
  char *at = memory;
  exec_cell **live = (void *)deal(&at, p->nstages, sizeof *live), **total = (void *)deal(&at, p->nstages, sizeof *total);
  member *who = (void *)deal(&at, c->n, sizeof *who);
  if (memory) c->live = live, c->total = total, c->who = who;
  for (size_t s = 0; s < p->nstages; s++) {
    const stage *x = stage_of(c, s);
    size_t nlive = 0, ntotal = 0;
    for (size_t k = 0; k < x->nlive; k++) nlive += x->live[k];
    for (size_t k = 0; k < x->noutputs; k++) ntotal += x->cells[k] * x->blocks;
    exec_cell *l = (void *)deal(&at, nlive, sizeof *l), *t = (void *)deal(&at, ntotal, sizeof *t);
    if (memory) live[s] = l, total[s] = t;
  }
  for (size_t k = 0; k < c->n; k++) {
    exec_arg *in = (void *)deal(&at, c->in_most, sizeof *in), *out = (void *)deal(&at, c->out_most, sizeof *out);
    if (memory) who[k] = (member){.of = c, .in = in, .out = out};
  }
  return (size_t)(at - memory);
}

eval_crew *eval_crew_new(const eval_model *m, exec_worker *own, size_t helpers, const aim_alloc *alloc) {
  eval_crew *c = alloc_get(alloc, 1, sizeof *c);
  if (!c) return NULL;
  memset(c, 0, sizeof *c);
  c->m = m, c->alloc = alloc, c->n = helpers + 1, c->nsites = m->p->nsites;
  size_t totals = 0;
  for (size_t s = 0; s < m->p->nstages; s++) {
    const stage *x = stage_of(c, s);
    totals += x->noutputs;
    if (x->nlive + 1 > c->in_most) c->in_most = x->nlive + 1;
    if (x->nlive > c->out_most) c->out_most = x->nlive;
    if (x->noutputs > c->out_most) c->out_most = x->noutputs;
  }
  c->in_most = c->nsites + (totals > c->in_most ? totals : c->in_most);
  c->bytes = lay_out(c, NULL);
  c->memory = alloc_get(alloc, c->bytes, 1);
  if (!c->memory) {
    eval_crew_free(c);
    return NULL;
  }
  memset(c->memory, 0, c->bytes);
  lay_out(c, c->memory);
  c->who[0].w = own;
  if (helpers == 0) return c;
  if (pthread_mutex_init(&c->lock, NULL)) return c;
  if (pthread_cond_init(&c->wake, NULL)) {
    pthread_mutex_destroy(&c->lock);
    return c;
  }
  c->can_sleep = true;
  for (size_t k = 1; k < c->n; k++) {
    member *w = &c->who[k];
    w->w = m->engine->worker_new(m->loaded);
    if (!w->w) {
      eval_crew_free(c);
      return NULL;
    }
    if (pthread_create(&w->thread, NULL, help, w)) break;
    c->started++;
  }
  return c;
}

void eval_crew_free(eval_crew *c) {
  if (!c) return;
  if (c->can_sleep) {
    pthread_mutex_lock(&c->lock);
    atomic_store(&c->over, 1);
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
    for (size_t k = 1; k <= c->started; k++) pthread_join(c->who[k].thread, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
  }
  for (size_t k = 1; c->memory && k < c->n; k++)
    if (c->who[k].w) c->m->engine->worker_free(c->who[k].w);
  alloc_put(c->alloc, c->memory, c->bytes);
  alloc_put(c->alloc, c, sizeof *c);
}
