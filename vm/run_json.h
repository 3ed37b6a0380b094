/* run_json.h: what was run and how it went, as run.json beside the draws.
 *
 * The text is our own rather than jansson's, which has no unsigned 64-bit integers (seeds), prints 0.8 as
 * 0.80000000000000004, refuses paths that are not UTF-8, and allocates behind the host's back. */
#ifndef AIM_VM_RUN_JSON_H
#define AIM_VM_RUN_JSON_H

#include "vm/annealed.h"
#include "compiler/program.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct run_chain {
  int chain; /* from 1 */
  double stepsize;
  int64_t draws, divergent, max_treedepth_hits, leapfrogs;
  double accept_stat, ebfmi;              /* accept_stat: mean over sampling; NaN where undefined */
  double warmup_seconds, sampling_seconds;
  const char *metric;                     /* that warm-up ended with, or NULL */
  const char *file;                       /* its CSV, or NULL */
} run_chain;

/* What a task was asked for, in order: with that another task can be made that reads the run back (run_read.h). */
typedef struct task_given {
  const char *option;      /* NULL: data */
  const char *value;
} task_given;

/* What a run was and how it went.  The text has the keys that its method has a meaning for. */
typedef struct run_info {
  const char *name;        /* of the result, which its files have too */
  const char *model, *file, *method, *version, *build;
  const char *const *data; /* [n_data] files */
  size_t n_data;
  uint64_t seed;
  int64_t warmup, draws;   /* per chain */
  int64_t thin, steps;     /* steps: of mh, 0 for sweeps */
  size_t draws_bytes;      /* of the store of draws */
  double target_accept;
  int max_depth;
  const char *until;       /* when chains may stop early, or NULL */
  bool until_met;
  const char *metric;      /* of nuts: what warm-up learnt */
  const run_chain *chain;  /* [n_chains] */
  size_t n_chains;
  double total_seconds;
  const char *started;     /* UTC, ISO 8601, or NULL: the library reads no clock for it */
  bool interrupted;
  bool biased;             /* plan_is_biased */
  double max_rhat, min_ess_bulk, min_ess_tail; /* NaN where undefined */
  const char *worst;       /* name of the quantity with the largest R-hat, or NULL */
  const anneal_result *annealed; /* anneal, or NULL */
  bool evidence;           /* the model's evidence is known */
  bool weighted;           /* importance, ais: */
  uint64_t particles;
  double log_evidence, log_evidence_se, effective_particles;
  unsigned paths, paths_agreed;  /* of map, laplace and pathfinder, or 0: */
  bool settled;
  double mode_lp, pareto_k;
  size_t weights;               /* that pareto_k is of */
  uint32_t starts_tried, starts_kept, starts_again; /* as in run */
  const char *const *noncentred; /* [n_noncentred] sites that were sampled as standard variates */
  size_t n_noncentred;
  const program_levels *levels; /* [n_levels] of the data that were texts */
  size_t n_levels;
  uint64_t fingerprint;         /* of program and data (checkpoint_model) */
  const task_given *given; /* [n_given] what the task was asked for */
  size_t n_given;
  bool any_path;
  const char *advice;           /* a line for each finding */
  const exec_account *account;  /* of an engine that keeps one, or NULL */
  const exec_memo *memo;        /* of functions whose results are kept, or NULL */
} run_info;

/* The JSON text in `a`.  Reals are the shortest that read back the same; those that are not finite become null.  Bytes of
 * names that are not UTF-8 become U+FFFD, since a path may hold any. */
char *run_json_text(const run_info *info, arena *a);
/* Writes it to path.  Returns 0 or an errno value. */
int run_json_write(const run_info *info, const char *path, arena *a);

/* file_replace with the temporary name `path`.part, which is made in a. */
int run_file_write(const char *path, const char *bytes, size_t n, arena *a);

#endif
