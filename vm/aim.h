/* aim.h: AIM as a library.  A model's text goes in, posterior draws come out.
 *
 *     aim_vm *vm = aim_vm_new(NULL);
 *     aim_program *p;
 *     aim_task *t;
 *     if (aim_load_file(vm, "eight_schools.aim", &p) != AIM_OK) aim_program_messages(p, 0, put, stderr), exit(1);
 *     aim_task_statement(p, 0, &t);
 *     aim_data_f64(t, "y", y, 1, (int64_t[]){8});
 *     if (aim_run(t, NULL) != AIM_OK) ...
 *     const double *mu = aim_draws(t, 0, aim_quantity_find(t, "mu"), 0);
 *
 * Handles.  A vm holds the host's allocator and clock.  A program is a checked source text; it is read only once loaded.
 * A task is one statement of a program, or one of its models under a method, with data and options; it moves forward only:
 *
 *     new  --data, options-->  bound  --run-->  done            aim_bind is implied by what needs it
 *
 * An evaluator computes densities of a bound task.  Each handle is freed by its own function, children before parents (evaluator,
 * task, program, vm); all free functions accept NULL.
 *
 * Errors are values.  Every function that can fail returns an aim_status.  What is wrong with a program or its data is told by
 * diagnostics, kept by the program or task: as records (aim_task_diagnostic) or as text with the source line and carets
 * (aim_task_messages).  The library never prints, exits, aborts, reads the environment or keeps a global.
 *
 * Threads.  Two vms, programs or tasks may be used by two threads at once, and so may two evaluators of one task.  One
 * handle is used by one thread at a time, with one exception: aim_stop may be called from any thread and from a signal
 * handler.  A vm's callbacks (allocator, clock) must be safe to call from several threads; a run calls its progress callback only
 * in the thread that called aim_run.
 *
 * Numbers.  Arrays are row-major.  Draws are doubles, integers included; indices and values of index(K) count from 1 as in the
 * model.  One seed gives one result: any number of threads, any instruction set. */
#ifndef AIM_H
#define AIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef AIM_API
#if defined(__GNUC__)
#define AIM_API __attribute__((visibility("default")))
#else
#define AIM_API
#endif
#endif

typedef enum aim_status {
  AIM_OK = 0,
  AIM_STOPPED,    /* by aim_stop or the progress callback; complete draws are there */
  AIM_E_PROGRAM,  /* the model, its data or an option is wrong: see the diagnostics */
  AIM_E_USAGE,    /* the call is wrong: an index out of range, a name that is not there, an order that is not possible */
  AIM_E_MEMORY,   /* the allocator failed, or the limit of aim_config was reached */
  AIM_E_IO,       /* a file could not be read or written: aim_task_errno, aim_program_errno */
  AIM_E_INTERNAL  /* AIM is wrong: please report it, with the diagnostics */
} aim_status;

/* A sentence without a full stop.  Static text. */
AIM_API const char *aim_status_text(aim_status s);
/* "0.1.0".  Static text. */
AIM_API const char *aim_version(void);

typedef struct aim_vm aim_vm;
typedef struct aim_program aim_program;
typedef struct aim_task aim_task;
typedef struct aim_evaluator aim_evaluator;

/* Takes n bytes of text, not terminated, valid during the call. */
typedef void aim_write(void *user, const char *text, size_t n);

/* ---- the vm */

typedef struct aim_config {
  size_t size; /* sizeof(aim_config): fields can be added later */
  /* Like realloc: ptr NULL allocates, size 0 frees and returns NULL, failure returns NULL and leaves ptr as it was; old_size is
   * what was asked for ptr.  Results are aligned to 16.  Default: the C library's. */
  void *(*alloc)(void *user, void *ptr, size_t old_size, size_t size);
  void *alloc_user;
  /* Seconds since any moment, never running back; used for elapsed times only.  Default: none, and no times are reported. */
  double (*clock)(void *user);
  void *clock_user;
  size_t memory;  /* most bytes for one program or task, and for its draws; 0: no limit */
  int isa;        /* x86-64 level of kernels and machine code: 2, 3 or 4; 0: the best of this machine; AIM_ISA_NATIVE: machine code for
                   * its very processor.  Results are the same */
  int any_path;   /* 1: files that a program imports may lie outside its folder; 0: below it only */
} aim_config;

enum { AIM_ISA_NATIVE = 5 };

/* Fills in the defaults and the size. */
AIM_API void aim_config_init(aim_config *config);
/* config is copied; NULL: the defaults.  NULL if memory fails or config->size is not a known one. */
AIM_API aim_vm *aim_vm_new(const aim_config *config);
AIM_API void aim_vm_free(aim_vm *vm);

/* What runs the functions of models in place of the interpreter, with the same results: aim_jit.h has one. */
typedef struct exec_engine aim_engine;
/* For tasks that are bound from now on; NULL: the interpreter.  The engine outlives them. */
AIM_API void aim_vm_engine(aim_vm *vm, const aim_engine *engine);

/* ---- programs */

/* Parses and checks a text.  name stands in messages, and data files named by statements are sought beside it.  Text and name
 * are copied.  *out is set for AIM_OK and AIM_E_PROGRAM (and for AIM_E_IO of aim_load_file), so that messages can be read; else it
 * is NULL.  Warnings may be there with AIM_OK too. */
AIM_API aim_status aim_load(aim_vm *vm, const char *name, const char *text, size_t length, aim_program **out /* OUT */);
AIM_API aim_status aim_load_file(aim_vm *vm, const char *path, aim_program **out /* OUT */);
AIM_API void aim_program_free(aim_program *p);
/* errno of the last AIM_E_IO, else 0. */
AIM_API int aim_program_errno(const aim_program *p);
/* The text of the program with canonical spaces and indentation; comments, line breaks and aligned columns stay.  A program whose
 * meaning is wrong can be laid out, one that cannot be read not: AIM_E_PROGRAM.  Laying out the result changes nothing. */
AIM_API aim_status aim_program_format(const aim_program *p, aim_write *write, void *user);

/* Names are borrowed until the program is freed; NULL out of range. */
AIM_API size_t aim_model_count(const aim_program *p);
AIM_API const char *aim_model_name(const aim_program *p, size_t model);

/* What a model reads, in the order of its signature. */
typedef struct aim_input {
  const char *name;
  const char *type;  /* as the language writes it: "real[J]" */
  int required;      /* 0: it has a default */
} aim_input;
AIM_API size_t aim_input_count(const aim_program *p, size_t model);
AIM_API aim_status aim_input_get(const aim_program *p, size_t model, size_t input, aim_input *out /* OUT */);

/* Latent quantities, as declared. */
typedef struct aim_latent {
  const char *name;
  const char *type;
} aim_latent;
AIM_API size_t aim_latent_count(const aim_program *p, size_t model);
AIM_API aim_status aim_latent_get(const aim_program *p, size_t model, size_t latent, aim_latent *out /* OUT */);

/* The run statements of a file, in order.  A program with models and no statement has one: its last model under `auto`. */
typedef struct aim_statement {
  const char *name;   /* of its result: after `as`, else model and method */
  const char *model;
  const char *method; /* as written; "auto" if none is */
  unsigned line;      /* 0: there is no statement in the file */
  int named;          /* by `as` */
} aim_statement;
AIM_API size_t aim_statement_count(const aim_program *p);
AIM_API aim_status aim_statement_get(const aim_program *p, size_t statement, aim_statement *out /* OUT */);

/* ---- diagnostics */

typedef enum aim_severity { AIM_ERROR, AIM_WARNING } aim_severity;

/* Texts are borrowed until the handle is freed, and until the next change of a task. */
typedef struct aim_diagnostic {
  aim_severity severity;
  const char *code;      /* "E0402": stable */
  const char *message;
  const char *help;      /* the first way out; NULL if there is none */
  const char *file;      /* NULL: no place in a source */
  unsigned line, column; /* from 1; columns as a terminal shows them */
  unsigned length;       /* bytes */
} aim_diagnostic;

AIM_API size_t aim_program_diagnostic_count(const aim_program *p);
AIM_API aim_status aim_program_diagnostic(aim_program *p, size_t k, aim_diagnostic *out /* OUT */);
AIM_API size_t aim_task_diagnostic_count(const aim_task *t);
AIM_API aim_status aim_task_diagnostic(aim_task *t, size_t k, aim_diagnostic *out /* OUT */);

enum {
  AIM_COLOUR = 1, /* ANSI escapes for a terminal */
  AIM_JSON = 2    /* a line of JSON for each, with every place, note and help: docs/running.md lists the members */
};
/* All of them as text, with source lines and carets. */
AIM_API aim_status aim_program_messages(aim_program *p, unsigned flags, aim_write *write, void *user);
AIM_API aim_status aim_task_messages(aim_task *t, unsigned flags, aim_write *write, void *user);

/* ---- tasks */

/* A statement by number, or a model by name (NULL: the last one) under `auto`.  The program outlives the task. */
AIM_API aim_status aim_task_statement(aim_program *p, size_t statement, aim_task **out /* OUT */);
AIM_API aim_status aim_task_model(aim_program *p, const char *model, aim_task **out /* OUT */);
AIM_API void aim_task_free(aim_task *t);
AIM_API int aim_task_errno(const aim_task *t);

/* Data, before the task is bound.  Cells of f64 and i64 are not copied: they must stay unchanged until the task is freed.  i32 are
 * copied.  rank 0 is a scalar; dims [rank] are copied.  What the host binds stands before the files of the statement. */
AIM_API aim_status aim_data_f64(aim_task *t, const char *name, const double *cells, int rank, const int64_t *dims);
AIM_API aim_status aim_data_i64(aim_task *t, const char *name, const int64_t *cells, int rank, const int64_t *dims);
AIM_API aim_status aim_data_i32(aim_task *t, const char *name, const int32_t *cells, int rank, const int64_t *dims);
/* Marks cells [cells of the array bound under that name] as missing where mask is not 0.  Copied. */
AIM_API aim_status aim_data_missing(aim_task *t, const char *name, const uint8_t *mask);
/* Reads a file by its ending (docs/data.md); NetCDF in one thread at a time.  AIM_E_PROGRAM with a diagnostic when it cannot be read. */
AIM_API aim_status aim_data_file(aim_task *t, const char *path);
/* What stands behind `--data`: "K = 2", "x = eruptions" (as a binding of a statement), or a file. */
AIM_API aim_status aim_data_text(aim_task *t, const char *text);
/* What the model observes is what draw number `draw` of `from` simulated: a task of the same program, model and data that was run under the method prior
 * with the option "replicate", and outlives t.  Sizes and all other data stay what t is given.  Several tasks may take draws of one task at once. */
AIM_API aim_status aim_data_simulated(aim_task *t, const aim_task *from, size_t draw);
/* Lets data files of statements lie outside the folder of the program. */
AIM_API aim_status aim_data_anywhere(aim_task *t);

/* Options, before the run; they override those of the statement.  AIM_E_PROGRAM with a diagnostic for a name or value that is not
 * possible.
 *
 *     "method"        text: nuts, mh, gibbs, slice, importance, prior, tempering, population, ais, auto
 *     "seed"          1 to 2^63 - 1; 0: one is chosen when the run begins         default 1
 *     "chains"        nuts, mh, gibbs, slice: 1 to 1024                                   4
 *     "warmup"        transitions (nuts), sweeps (mh)                             1000
 *     "draws"         kept in each chain; of prior and importance: all            1000
 *     "thin"          transitions or sweeps to a kept draw                        1
 *     "steps"         mh: steps to a transition after warm-up; 0: a sweep         0
 *     "threads"       0: as many as there are processors                          0
 *     "target_accept" nuts: in (0, 1)                                             0.8; 0.95 with non-centred sites
 *     "max_depth"     nuts: 1 to 20                                               10
 *     "metric"        nuts: diagonal, fisher, dense, lowrank or auto              auto
 *     "step_size"     nuts: where the search starts
 *     "init"          nuts: random: initial points are uniform; pathfinder: draws of "paths" normal approximations; auto: uniform unless trial maximisations disagree  auto
 *     "centred", "noncentred"  nuts: lists of latents, "[theta, phi]", before the task is bound; others are measured (docs/non-centring.md)
 *     "init_radius"   initial points are uniform on (-r, r) of the unconstrained space  2
 *     "scale"         mh: of the first proposals; gibbs, slice: of the first slices; on the unconstrained scale  1
 *     "order"         gibbs, slice: sequential or random                          sequential
 *     "until"         text: nuts, mh, gibbs, slice, cycle: "ess(400) and rhat(1.01)": chains stop early, when it holds      never
 *     "particles"     importance                                                  10000
 *     "output"        text: a directory for a CSV file of each chain and run.json, made if absent; none by default.  It holds the
 *                     files of one result: older ones of the same result are removed, draws of another are AIM_E_IO
 *     "resume"        text: on or off: the run that is in "output" goes on from its checkpoints, to the same draws; nuts, mh, gibbs, slice, cycle, tempering, population, anneal  off
 *     "pointwise"     text: on or off, before the task is bound: the log likelihood of each observation can be asked for after the run  off
 *     "replicate"     text: on or off, before the task is bound: y.rep, drawn as y is, is predicted for every observed y: with the method prior each
 *                     draw simulates latents and data.  AIM_E_PROGRAM from aim_bind, with a diagnostic about a site, where that is not possible  off
 *     "started"       text: a time as run.json shall tell it, 2024-02-29T12:00:00Z; the library reads no calendar
 *
 * One sweep visits every element of every latent once; steps of mh go on with the sweep where the last draw left it. */
AIM_API aim_status aim_set_int(aim_task *t, const char *option, int64_t value);
AIM_API aim_status aim_set_real(aim_task *t, const char *option, double value);
AIM_API aim_status aim_set_text(aim_task *t, const char *option, const char *value);
/* What will be, or was, used.  The method that `auto` stands for and a chosen seed are known after aim_bind. */
typedef struct aim_plan {
  const char *name, *model, *method;
  uint64_t seed, particles;
  uint32_t chains, warmup, draws, thin, steps, max_depth;
  double target_accept;
} aim_plan;
AIM_API aim_status aim_plan_get(const aim_task *t, aim_plan *out /* OUT */);

/* Checks the data against the signature and makes the program ready to run. */
AIM_API aim_status aim_bind(aim_task *t);

/* A column of texts in the data became the numbers 1, 2, ... of an index: text [n] has what they stand for.  Known after aim_bind;
 * borrowed until the task is freed. */
typedef struct aim_levels {
  const char *name;        /* in the signature */
  const char *const *text; /* [n] */
  size_t n;
} aim_levels;
AIM_API size_t aim_levels_count(const aim_task *t);
AIM_API aim_status aim_levels_get(const aim_task *t, size_t k, aim_levels *out /* OUT */);

/* ---- running */

typedef struct aim_progress {
  uint64_t done, total;   /* transitions of all chains (particles of importance) */
  int chains, warming_up; /* chains that are still in warm-up */
  uint64_t divergent;
} aim_progress;

typedef struct aim_watch {
  size_t size; /* sizeof(aim_watch) */
  /* Called about 20 times a second, and once at the end.  A result other than 0 stops the run. */
  int (*progress)(void *user, const aim_progress *p);
  void *user;
} aim_watch;

/* Runs the task once.  watch may be NULL.  After AIM_OK and AIM_STOPPED the draws are there; CSV files hold complete rows whatever
 * happens. */
AIM_API aim_status aim_run(aim_task *t, const aim_watch *watch);
/* Ends a run at the next draw of each chain, soon or, if none is under way, the next one.  Safe anywhere, signal handlers
 * included. */
AIM_API void aim_stop(aim_task *t);

/* ---- draws: after a run.  Quantities are the latents, then what the model tracks, then what it predicts. */

typedef enum aim_kind { AIM_LATENT, AIM_TRACKED, AIM_PREDICTED } aim_kind;

typedef struct aim_quantity {
  const char *name;  /* borrowed from the task */
  aim_kind kind;
  int discrete;      /* values are integers */
  int rank;
  int64_t dims[8];
  size_t cells;      /* product of dims */
} aim_quantity;

AIM_API size_t aim_quantity_count(const aim_task *t);
AIM_API aim_status aim_quantity_get(const aim_task *t, size_t quantity, aim_quantity *out /* OUT */);
/* (size_t)-1 if there is none of that name. */
AIM_API size_t aim_quantity_find(const aim_task *t, const char *name);

AIM_API int aim_chain_count(const aim_task *t);
/* The metric that a chain's warm-up ended with: "diagonal", "fisher", "dense" or "lowrank".  NULL for other methods, before the run, and out of range.
 * Static text. */
AIM_API const char *aim_chain_metric(const aim_task *t, int chain);
/* Complete draws of a chain (from 0), warm-up left out. */
AIM_API size_t aim_draw_count(const aim_task *t, int chain);
/* The draws of one cell [aim_draw_count], one after the other; cell is the row-major place.  Borrowed until the task is freed;
 * NULL out of range, or where memory fails: draws of mh with few steps share what did not change, and the first call for a cell then
 * copies it together. */
AIM_API const double *aim_draws(const aim_task *t, int chain, size_t quantity, size_t cell);
/* One draw of a quantity, as the row-major array [cells]. */
AIM_API aim_status aim_draw_get(const aim_task *t, int chain, size_t draw, size_t quantity, double *out /* OUT */);

typedef enum aim_stat {
  AIM_STAT_LP,          /* log density of the unconstrained point (nuts), else of the draw */
  AIM_STAT_ACCEPT,      /* mean acceptance probability of the transition */
  AIM_STAT_STEP_SIZE,
  AIM_STAT_DEPTH,
  AIM_STAT_LEAPFROGS,   /* nuts: gradients; mh, gibbs, slice: densities of one element */
  AIM_STAT_DIVERGENT,
  AIM_STAT_ENERGY
} aim_stat;
/* [aim_draw_count]; borrowed as above. */
AIM_API const double *aim_stats(const aim_task *t, int chain, aim_stat stat);

/* Over all chains: Vehtari, Gelman, Simpson, Carpenter and Buerkner 2021.  NaN where undefined.  Draws of importance repeat particles, so
 * there mean, sd and mcse are those of the weighted particles, ess_bulk is aim_evidence.ess, and ess_tail that or the number of draws. */
typedef struct aim_summary {
  double mean, mcse, sd, q5, median, q95, ess_bulk, ess_tail, rhat;
} aim_summary;
AIM_API aim_status aim_summarise(aim_task *t, size_t quantity, size_t cell, aim_summary *out /* OUT */);
/* The table: max_rows 0 gives every column in the order of the files.  Else at most so many rows, the quantities of few cells before the others,
 * what is predicted last, and constant columns left out; lines below it say what is not shown. */
AIM_API aim_status aim_summary_write(aim_task *t, size_t max_rows, aim_write *write, void *user);
/* What is wrong with the run, a line each: divergences, chains that disagree, invalid parameters and NaN with their line.  Returns
 * the number of findings through *findings, which may be NULL. */
AIM_API aim_status aim_advice_write(aim_task *t, size_t *findings /* OUT */, aim_write *write, void *user);

/* What map, laplace and pathfinder found. */
typedef struct aim_approximation {
  double log_density;     /* at the highest mode: of the latents for map, of the unconstrained space for laplace; NaN for pathfinder */
  unsigned paths, agreed; /* maximisations, and those that ended at that mode (pathfinder: that gave an approximation) */
  int settled;            /* 0: the log density still rose where its iterations ended, or has no maximum */
  double pareto_k;        /* of the draws' importance weights; above pareto_limit the draws are not to be trusted.  NaN for map */
  double pareto_limit;
} aim_approximation;
/* AIM_E_USAGE for other methods. */
AIM_API aim_status aim_approximation_get(const aim_task *t, aim_approximation *out /* OUT */);

/* What importance sampling says of the model as a whole.  laplace has an evidence too, without an error. */
typedef struct aim_evidence {
  double log_evidence, standard_error; /* of the log, by the delta method */
  double ess;                          /* of the weights */
  uint64_t particles;
} aim_evidence;
/* AIM_E_USAGE unless the task ran importance or ais, population, or tempering on a ladder that begins at 0.  ess is NaN where draws
 * have no weights. */
AIM_API aim_status aim_evidence_get(const aim_task *t, aim_evidence *out /* OUT */);

/* Writes draws, statistics, predictions and data as NetCDF, as ArviZ's InferenceData has them: groups posterior (or prior), sample_stats,
 * posterior_predictive, observed_data, constant_data, and with the option "pointwise" log_likelihood, unless it would take more than 2^30 bytes or a
 * latent is not kept.  Draws are those that all chains have.  AIM_E_IO with a diagnostic, also where there is no netCDF library.  In one thread at a
 * time: the library is not safe for several. */
AIM_API aim_status aim_write_netcdf(aim_task *t, const char *path);

/* The same by the ending of the name: .nc as above; .csv a table with a row for each draw and the columns .chain, .iteration, .draw, lp__, ..., theta[1], ..., as
 * R's posterior has them; .npz arrays (chain, draw, ...) for NumPy; .json groups of nested lists, as arviz.from_json reads them.  AIM_E_PROGRAM for other endings. */
AIM_API aim_status aim_write_draws(aim_task *t, const char *path);

/* ---- pointwise log likelihoods: after a run with the option "pointwise" */

/* A quantity that the model observes.  The axes of one observation (those of a vector under a multivariate distribution) are no axes of it. */
typedef struct aim_observed {
  const char *name;  /* borrowed from the task */
  int rank;
  int64_t dims[8];
  size_t cells;      /* observations, those that no statement observes among them: they are 0 */
} aim_observed;

AIM_API size_t aim_observed_count(const aim_task *t);
AIM_API aim_status aim_observed_get(const aim_task *t, size_t k, aim_observed *out /* OUT */);
/* Log densities of one observation at the draws of a chain, [*draws]: what all chains have.  Borrowed until the task is freed.  NULL out of
 * range, or with a diagnostic: memory, or a latent that `save` leaves out.  The first call computes those of all. */
AIM_API const double *aim_loglik(aim_task *t, int chain, size_t observed, size_t cell, size_t *draws /* OUT */);

/* How well the model would predict observations that it has not seen: PSIS-LOO (Vehtari, Gelman and Gabry 2017; Vehtari, Simpson, Gelman, Yao and
 * Gabry 2024) and WAIC.  Sums over observations, with sqrt(n variance) as standard error. */
typedef struct aim_loo {
  size_t observations, bad;  /* with a Pareto k above the threshold: their share is not to be trusted */
  double elpd, elpd_se, p, p_se, waic, waic_se, p_waic, p_waic_se;
  double threshold, max_k;
} aim_loo;
AIM_API aim_status aim_loo_get(aim_task *t, aim_loo *out /* OUT */);
/* [observations] each, in the order of aim_observed and row-major, without what is 0 at every draw; borrowed.  Either may be NULL. */
AIM_API aim_status aim_loo_points(aim_task *t, const double **elpd /* OUT */, const double **k /* OUT */);
/* The same as text, with the observations of the largest k. */
AIM_API aim_status aim_loo_write(aim_task *t, aim_write *write, void *user);
/* What annealing found.  Draw k of the task is the best state that replica k met, and its AIM_STAT_ENERGY the energy of that. */
typedef struct aim_annealing {
  double best_energy, mean_energy; /* lowest of all replicas; mean of the replicas' lowest */
  uint64_t replicas;
  uint64_t best;                   /* the draw of the lowest energy, the first if there are several */
  uint64_t reached;                /* replicas that met it */
  uint64_t sweeps;                 /* of the replicas that made most: a schedule may stop early */
} aim_annealing;
/* AIM_E_USAGE unless the task ran an `anneal` statement. */
AIM_API aim_status aim_annealing_get(const aim_task *t, aim_annealing *out /* OUT */);

/* What has executed the functions of a bound task. */
typedef struct aim_execution {
  const char *engine;             /* "interpreter"; of aim_jit.h "auto" or, with `wait`, "jit".  Static text */
  uint64_t interpreted, compiled; /* calls, of runs that are over and of evaluators that were freed */
  int cached, made, refused;      /* 1: machine code was found in the cache, was compiled, was not to be had */
  double seconds;                 /* that took */
  size_t object;                  /* bytes of code and constants */
  char why[160];                  /* one line where it was not to be had; else "" */
} aim_execution;
/* AIM_E_USAGE unless the task is bound. */
AIM_API aim_status aim_execution_get(const aim_task *t, aim_execution *out /* OUT */);

/* ---- densities: for hosts that bring their own sampler or optimiser */

/* One for each thread.  The task is bound first if need be, outlives the evaluator, and then has all that evaluators offer; a
 * task that was bound by aim_bind or aim_run under another method than nuts has no aim_log_density and no aim_constrain. */
AIM_API aim_status aim_evaluator_new(aim_task *t, aim_evaluator **out /* OUT */);
AIM_API void aim_evaluator_free(aim_evaluator *e);
/* What stopped the last call that returned AIM_E_PROGRAM: "model.aim:7:12: index 9 is outside 1..8".  "" if none did. */
AIM_API const char *aim_evaluator_error(const aim_evaluator *e);

/* Coordinates of the unconstrained space; cells of all latents together, in the order of the quantities.  The coordinates of a latent
 * that is non-centred are those of its standard variate: z, where theta = mu + tau * z.  Which ones are depends on model, data and the
 * options "centred" and "noncentred"; aim_constrain gives the latents in any case. */
AIM_API size_t aim_dimension(const aim_evaluator *e);
AIM_API size_t aim_cells(const aim_evaluator *e);
/* Log density at q [dimension], Jacobian of the constraints included, up to no constant; gradient [dimension] unless NULL.
 * -INFINITY outside the support, or where a parameter is invalid.  Allocates nothing.  AIM_E_PROGRAM if an index is out of
 * range; AIM_E_USAGE if latents are discrete and not summed out, as nuts has them. */
AIM_API aim_status aim_log_density(aim_evaluator *e, const double *q, double *lp /* OUT */, double *gradient /* OUT */);
/* The latents [cells] at q. */
AIM_API aim_status aim_constrain(aim_evaluator *e, const double *q, double *latents /* OUT */);
/* Draw number `draw` from the prior.  AIM_E_USAGE if some latent has no prior that can be drawn (Flat). */
AIM_API aim_status aim_prior_draw(aim_evaluator *e, uint64_t seed, uint64_t draw, double *latents /* OUT */);

typedef struct aim_score {
  double prior, likelihood, factors; /* logs, on the model's own scale: no Jacobian */
} aim_score;
/* Scores given values of all latents [cells]. */
AIM_API aim_status aim_score_get(aim_evaluator *e, const double *latents, aim_score *out /* OUT */);

#ifdef __cplusplus
}
#endif
#endif
