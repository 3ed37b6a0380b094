/* run.h: one run of a method over a bound model: what the drivers (run_NAME.c) share.
 *
 * A driver makes jobs, one for each chain or block of particles, and run_jobs gives them to threads.  A job depends on its number
 * alone, never on the thread, so results are the same for any number of threads.  Finished draws go through run_keep to the
 * store and to the chain's CSV file.  All memory is taken before the first transition: an iteration calls no allocator.
 *
 * Keys.  The key of chain c is fold(seed, c); what the chain uses it for is folded in next (RUN_KEY_*), then the sweep or draw, so no
 * two draws share an address. */
#ifndef AIM_VM_RUN_H
#define AIM_VM_RUN_H

#include "compiler/plan.h"
#include "vm/adapt.h"
#include "vm/annealed.h"
#include "vm/csv_writer.h"
#include "vm/draws.h"
#include "vm/eval.h"
#include "vm/metric.h"
#include "vm/weighted.h"

#include <stdatomic.h>

#define RUN_KEY_OUTPUTS UINT64_C(0x6f75747075747301)
#define RUN_KEY_PRIOR UINT64_C(0x7072696f72000001)
#define RUN_KEY_SWEEP UINT64_C(0x7377656570000001)
#define RUN_KEY_INIT UINT64_C(0x696e697400000001)
#define RUN_KEY_STARTS UINT64_C(0x7374617274730001)
#define RUN_KEY_EXCHANGE UINT64_C(0x65786368616e6701)
#define RUN_KEY_RESAMPLE UINT64_C(0x726573616d706c01)

/* The set of program_need that a method has of a program. */
unsigned run_method_needs(plan_method m);
/* The metric that nuts is asked to learn, for a number of unknowns. */
adapt_kind run_metric_kind(plan_metric m, size_t dim);

/* A plan's numbers, wide enough to be multiplied. */
typedef struct run_options {
  plan_method method;
  uint64_t seed;
  int64_t chains, warmup, draws, thin, particles; /* chains 1 for prior and importance: draws are all in one */
  int64_t steps;   /* mh: to a transition after warm-up; 0: a sweep */
  int64_t threads; /* 0: as many as there are processors, at most one a job */
  int64_t max_depth;
  plan_metric metric;
  plan_init init;
  kernel_order order;
  const plan_part *part; /* [nparts] of a cycle */
  size_t nparts;
  const char *const *blocks; /* [nblocks] gibbs: names of the sites that a sweep visits first */
  size_t nblocks;
  double target_accept, step_size, init_radius, scale;
  until until;       /* of methods whose chains rest */
  int64_t paths, iterations; /* map, laplace, pathfinder */
  double tolerance;
  const schedule *schedule;
  kernel kernel;
  const char *const *save; /* names; all when nsave is 0 */
  size_t nsave;
} run_options;

run_options run_options_of(const plan *pl);

typedef enum run_status {
  RUN_OK,
  RUN_STOPPED,
  RUN_PAUSED,     /* of a chain that waits for the others (until) */
  RUN_E_MEMORY,
  RUN_E_IO,       /* run.io_errno */
  RUN_E_INIT,     /* no initial point with a finite density */
  RUN_E_BOUND,    /* an index out of range: run.faults */
  RUN_E_SCHEDULE, /* a schedule failed: run.why, run.where */
  RUN_E_METHOD,   /* this method does not fit the model: run.why */
  RUN_E_INTERNAL
} run_status;

/* How latents are kept.  Flat draws are fastest where most of a frame changes from draw to draw, shared ones where little does:
 * run_store.c decides. */
typedef enum run_keeping { RUN_KEEP_AUTO, RUN_KEEP_FLAT, RUN_KEEP_SHARED } run_keeping;

/* What a chain has to tell besides its draws, as it stands in a checkpoint too. */
typedef struct run_tally {
  uint64_t work[2];   /* gradients or densities, in warm-up and after it */
  uint64_t n_max_depth, n_nan;
  double accept_sum;  /* over kept transitions */
  double step_size;
  double log_z;       /* of tempering and population, when the chain is over */
  metric_form form;   /* of nuts: the metric that warm-up ended with */
  double log_volume;  /* of nuts: half the log determinant of M^-1 then */
  bool again;         /* of nuts: warm-up went on along a trial path, from a mode without mass (run_starts.c) */
} run_tally;

/* One chain.  The atomic fields are read by the thread that watches; the rest is written by the chain's thread and read after it. */
typedef struct chain_state {
  _Atomic uint64_t done;      /* transitions */
  _Atomic uint64_t divergent; /* after warm-up */
  _Atomic int warm;           /* warm-up is over */
  run_status status;
  run_tally tally;
  bool over;                  /* population: nothing but draws is left to keep */
  double missed;              /* of nuts: by how many nats a trial path has found more of the posterior's mass than where the chain was; 0: by none that matter */
  eval_faults faults;
  double seconds[2];
  double began, warmed;       /* of chains that rest: when they would have begun if nothing had interrupted them; after warm-up, else 0 */
  csv_writer *csv;            /* NULL: no files */
  double *row;                /* [cells of all quantities] row-major, the draw being written */
  exec_cell *frame;           /* [program.cells] */
  size_t *changed;            /* [r->window] cells written since the last kept draw; NULL: not known */
  size_t n_changed;
  int flushed;                /* the tick of the last flush */
  const char *save[2];        /* the checkpoint's path and its temporary one; NULL: none is written */
  int saved;                  /* the tick of the last checkpoint */
  struct checkpoint *rest;    /* room for the chain at rest; NULL: nobody asks for it */
  const struct checkpoint *from; /* go on from here; NULL: begin */
} chain_state;

/* What map, laplace and pathfinder found. */
typedef struct run_modes_found {
  double lp;             /* at the highest mode; NaN: pathfinder */
  uint32_t paths, agreed; /* of how many, how many ended there; pathfinder: have an approximation */
  bool settled;          /* the highest was reached within the tolerance */
} run_modes_found;

typedef struct run_progress {
  uint64_t done, total, divergent;
  int chains, warming_up;
} run_progress;

/* The two ratios that tempering stands on.  A test puts wrong ones in their place, and must notice. */
typedef struct temper_rules {
  double (*exchange)(double beta_low, double beta_high, double energy_low, double energy_high); /* log, of exchanging the replicas on two rungs */
  double (*weight)(double step, double energy); /* log, of a replica when beta grows by a step */
} temper_rules;
extern const temper_rules temper_exact;

typedef struct run {
  const eval_model *m;
  const aim_alloc *alloc;
  arena *mem;                 /* for tables; used before and after the jobs only */
  run_options o;
  const temper_rules *rules;
  const bool *kept;           /* [nsites + noutputs]; made by run_begin */
  bool outputs;               /* some output is kept */
  size_t cells, latent_cells; /* of one kept draw; of its latents, which stand first */
  run_keeping keep;
  size_t window;              /* of a shared store: draws_frames.window */
  draws *store;
  chain_state *chain;           /* [o.chains] */
  uint64_t total;             /* transitions of all chains */
  _Atomic int *stop;          /* set: end at the next draw */
  _Atomic int tick;           /* counts seconds: files are flushed when it moves */
  int (*progress)(void *user, const run_progress *p); /* may be NULL */
  void *progress_user;
  uint64_t fingerprint;       /* for checkpoints */
  size_t rest_bytes;          /* of a chain at rest, where the driver tells */
  int64_t pause;              /* draws after which chains wait for each other; those of the run, if they do not */
  size_t until_hard;          /* the column that kept `until` from holding when it was last asked */
  const char *until_text;     /* the condition, "" if there is none */
  bool until_met;             /* what `until` asks for holds of the first `pause` draws of each chain */
  double (*clock)(void *user); /* may be NULL */
  void *clock_user;

  run_status status;
  int io_errno;
  const char *why;            /* in mem */
  span where;                 /* RUN_E_SCHEDULE */
  eval_faults faults;         /* of all chains, in their order */

  uint32_t starts_tried, starts_kept; /* nuts: maximisations before the chains that ended in different modes, and those in whose modes chains began; 0: at random */
  uint32_t starts_again;      /* nuts: chains that began again in warm-up */
  bool has_evidence;          /* the evidence is known: importance, ais, population, tempering */
  double log_evidence, log_evidence_se; /* of these; laplace without an error */
  double weight_ess;          /* importance, ais, laplace, pathfinder; NAN where draws have no weights */
  run_modes_found modes;
  /* Of the importance weights of laplace and pathfinder, smoothed: Pareto's k, their number, the largest logarithm, and the sum over it. */
  double weight_k, weight_top, weight_sum;
  size_t weight_draws;
  anneal_result annealed;     /* anneal */
  weighted_moments *moments;  /* [cells] row-major, of all particles; NULL: not importance, or stopped before they were known */
} run;

/* Makes store and chains for r->m, r->alloc, r->mem, r->o, r->keep (set by the caller, the rest zero). */
run_status run_begin(run *r);
/* Frees what run_begin made but the store, which stays with the caller. */
void run_end(run *r);

/* Bytes of a chain at rest, which its checkpoints hold; 0: chains of this run cannot be resumed; RUN_REST_LATER: the driver will tell, in r->rest_bytes. */
enum { RUN_REST_LATER = 1 };
size_t run_rest_bytes(const run *r);
size_t run_nuts_rest_bytes(const run *r);
size_t run_mh_rest_bytes(const run *r);

/* The drivers.  Each returns r->status. */
run_status run_nuts(run *r);
run_status run_mh(run *r); /* gibbs and slice as well */
run_status run_cycle(run *r);
run_status run_importance(run *r);
run_status run_prior(run *r);
run_status run_map(run *r);
run_status run_laplace(run *r);
run_status run_pathfinder(run *r);
run_status run_anneal(run *r);
run_status run_tempering(run *r);
run_status run_population(run *r);

/* ---- for drivers */

typedef void run_job(void *ctx, size_t job, size_t thread, eval_worker *w);
size_t run_threads_wanted(int64_t threads); /* the number asked for, or of processors for 0 */
size_t run_threads(const run *r, size_t jobs);
/* Runs job 0 .. jobs - 1 on run_threads(r, jobs) threads while the calling thread watches.  RUN_OK, or RUN_E_MEMORY before any
 * job has run.  Statuses of jobs are the driver's affair. */
run_status run_jobs(run *r, size_t jobs, run_job *job, void *ctx);
/* The same without waiting for what the engine still prepares (contract.h): what is short enough to be done meanwhile. */
run_status run_jobs_early(run *r, size_t jobs, run_job *job, void *ctx);

/* ---- chains that rest between transitions: run_rest.c.  They can be resumed from a checkpoint (checkpoint.h) and wait for each other, to the same bits.
 *
 * Makes room for chains at rest, if somebody asks for it.  Arena. */
void run_rest_make(run *r);
/* Runs chain 0 .. chains - 1 as jobs: once, or until they meet the condition, again and again from where they rest.  Returns r->status. */
run_status run_chains(run *r, run_job *job, void *ctx);
/* The time of the parts up to x->from, if anything. */
void run_rest_clock(run *r, int c);
/* That, and what was counted up to there.  Transitions that were made. */
uint64_t run_rest_begin(run *r, int c, eval_worker *w);
/* After transition number `done`, what x->status becomes: whether the chain ends here. */
run_status run_rest_status(const run *r, uint64_t done);
/* At rest after `done` transitions: whether the chain is to be saved.  Then the driver brings chain_state up to date, writes run_rest_bytes behind x->rest
 * unless the chain is over (x->rest->bytes is 0), and calls run_rest_put. */
bool run_rest_due(run *r, int c, uint64_t done);
void run_rest_put(run *r, int c, const eval_worker *w);
/* For drivers whose chains are made of several jobs, in the place of run_rest_due: whether a checkpoint of that tick is old (after every second or, where chains are large, every 16 MiB of
 * them); and the head of a new one, with that many bytes behind it. */
bool run_rest_old(const run *r, int saved);
void run_rest_head(run *r, int c, uint64_t done, size_t bytes, bool over);
/* The time up to here, into its seconds. */
void run_rest_seconds(run *r, int c);
/* The chain ends, or pauses, with st: its time too. */
void run_rest_end(run *r, int c, run_status st, const eval_worker *w);
/* Whether the condition of `until` holds of the first r->pause draws of each chain: run_until.c.  RUN_OK, or RUN_E_MEMORY. */
run_status run_until(run *r, bool *met /* OUT */);
static inline bool run_stopping(const run *r) { return atomic_load_explicit(r->stop, memory_order_relaxed) != 0; }

/* The store: run_store.c, called by run_begin. */
run_status run_store_make(run *r);
/* Draws what was summed out into the frame of chain c, for the next draw that it keeps; of map, finds the most likely.  False after an index
 * out of range. */
bool run_recover(run *r, int c, eval_worker *w, exec_cell *frame);
/* The frame of an unconstrained point, and that. */
bool run_frame(run *r, int c, eval_worker *w, const double *q, exec_cell *frame);
/* Keeps the draw in `frame` as the next of chain c.  Makes the outputs, adds the row, writes it.  stats [DRAWS_N_STATS]. */
run_status run_keep(run *r, int c, eval_worker *w, const exec_cell *frame, const double *stats);
/* The same for the chain's frame, a draw that owes nothing to those before it, after which the chain may be told to stop. */
run_status run_keep_alone(run *r, int c, eval_worker *w, const double *stats);
/* The cells of all kept quantities at `frame`, row-major, to row [cells]; key is for what outputs draw.  False after an index out of range. */
bool run_row(const run *r, eval_worker *w, const exec_cell *frame, uint64_t key, double *row);
/* The log of the total weight of the prior: finite sites under Flat() have weight 1 in each state.  NAN where it is not known. */
double run_log_count(const run *r);
double run_now(const run *r);
/* The job of chain c ends with st, and with what w has counted.  One that failed ends the others at their next draw: nobody waits for a run
 * that is lost. */
void run_chain_over(run *r, int c, run_status st, const eval_worker *w);
/* Maximises @grad's density from o.paths initial points: *best [dim], in r->mem, is the highest end, r->modes says how it went. */
run_status run_modes(run *r, double **best /* OUT */);
/* Why a method that moves real numbers cannot run, or NULL. */
const char *run_no_reals(run *r, const char *method);
/* Smooths log ratios [n] of target to proposal (-INFINITY allowed) into log weights, in place, and says what they are worth: r->weight_*. */
void run_weights(run *r, double *logw, size_t n);
/* Joins the statuses and faults of the chains: the first error, else RUN_STOPPED, else RUN_OK. */
run_status run_join(run *r);

#endif
