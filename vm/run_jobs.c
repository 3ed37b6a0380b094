/* run_jobs.c: the threads of a run.
 *
 * Workers take job numbers from a counter; the calling thread waits, and while it waits it reports progress.  So the
 * host's callback runs in the host's thread, and a job never waits for it. */
#include "vm/run.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 50, TICKS_PER_FLUSH = 20 };

typedef struct crew {
  run *r;
  size_t jobs;
  run_job *job;
  void *ctx;
  _Atomic size_t next;
  pthread_mutex_t lock;
  pthread_cond_t done;
  size_t working; /* under lock */
} crew;

typedef struct hand {
  crew *of;
  size_t number;
  eval_worker w;
  pthread_t thread;
} hand;

size_t run_threads_wanted(int64_t threads) {
  if (threads > 0) return (size_t)threads;
  long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  return cpus > 0 ? (size_t)cpus : 1;
}

size_t run_threads(const run *r, size_t jobs) {
  size_t n = run_threads_wanted(r->o.threads);
  return n < jobs ? n : jobs ? jobs : 1;
}

static void *work(void *arg) {
  hand *h = arg;
  crew *c = h->of;
  for (;;) {
    size_t job = atomic_fetch_add(&c->next, 1);
    if (job >= c->jobs) break;
    eval_faults_clear(&h->w);
    c->job(c->ctx, job, h->number, &h->w);
  }
  pthread_mutex_lock(&c->lock);
  c->working--;
  pthread_cond_signal(&c->done);
  pthread_mutex_unlock(&c->lock);
  return NULL;
}

static void report(run *r) {
  if (!r->progress) return;
  run_progress p = {.total = r->total, .chains = (int)r->o.chains};
  for (int64_t c = 0; c < r->o.chains; c++) {
    chain_state *x = &r->chain[c];
    p.done += atomic_load_explicit(&x->done, memory_order_relaxed);
    p.divergent += atomic_load_explicit(&x->divergent, memory_order_relaxed);
    p.warming_up += !atomic_load_explicit(&x->warm, memory_order_relaxed);
  }
  if (r->progress(r->progress_user, &p)) atomic_store_explicit(r->stop, 1, memory_order_relaxed);
}

static void watch(crew *c) {
  run *r = c->r;
  unsigned ticks = 0;
  pthread_mutex_lock(&c->lock);
  while (c->working) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += TICK_MS * 1000000L;
    if (t.tv_nsec >= 1000000000L) t.tv_nsec -= 1000000000L, t.tv_sec++;
    pthread_cond_timedwait(&c->done, &c->lock, &t);
    if (c->working == 0) break;
    pthread_mutex_unlock(&c->lock);
    if (++ticks % TICKS_PER_FLUSH == 0) atomic_fetch_add(&r->tick, 1);
    report(r);
    pthread_mutex_lock(&c->lock);
  }
  pthread_mutex_unlock(&c->lock);
}

static bool crew_init(crew *c) {
  pthread_condattr_t a;
  if (pthread_mutex_init(&c->lock, NULL)) return false;
  bool ok = pthread_condattr_init(&a) == 0;
  if (ok) {
    ok = pthread_condattr_setclock(&a, CLOCK_MONOTONIC) == 0 && pthread_cond_init(&c->done, &a) == 0;
    pthread_condattr_destroy(&a);
  }
  if (!ok) pthread_mutex_destroy(&c->lock);
  return ok;
}

run_status run_jobs(run *r, size_t jobs, run_job *job, void *ctx) {
  eval_model_ready(r->m);
  return run_jobs_early(r, jobs, job, ctx);
}

run_status run_jobs_early(run *r, size_t jobs, run_job *job, void *ctx) {
  size_t n = run_threads(r, jobs);
  crew c = {.r = r, .jobs = jobs, .job = job, .ctx = ctx};
  hand *hands = alloc_get(r->alloc, n, sizeof *hands);
  if (!hands) return RUN_E_MEMORY;
  size_t made = 0;
  /* Threads that no job needs share the gradients of those that have one. */
  size_t helpers = run_threads_wanted(r->o.threads) / n - 1;
  while (made < n && eval_worker_init(&hands[made].w, r->m, helpers, r->alloc)) made++;
  run_status st = made == n && crew_init(&c) ? RUN_OK : RUN_E_MEMORY;
  if (st == RUN_OK) {
    size_t started = 0;
    c.working = n;
    for (size_t k = 0; k < n; k++) hands[k].of = &c, hands[k].number = k;
    while (started < n && pthread_create(&hands[started].thread, NULL, work, &hands[started]) == 0) started++;
    if (started < n) {
      /* A host without threads to give: those that run take all jobs, or this one does. */
      pthread_mutex_lock(&c.lock);
      c.working -= n - started - (started == 0);
      pthread_mutex_unlock(&c.lock);
      if (started == 0) work(&hands[0]);
    }
    watch(&c);
    for (size_t k = 0; k < started; k++) pthread_join(hands[k].thread, NULL);
    report(r);
    pthread_cond_destroy(&c.done);
    pthread_mutex_destroy(&c.lock);
  }
  for (size_t k = 0; k < made; k++) eval_worker_free(&hands[k].w);
  alloc_put(r->alloc, hands, n * sizeof *hands);
  return st;
}
