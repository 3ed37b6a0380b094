/* api.h: what stands behind the handles of aim.h. */
#ifndef AIM_VM_API_H
#define AIM_VM_API_H

#include "compiler/bind.h"
#include "compiler/plan.h"
#include "vm/aim.h"
#include "vm/run.h"
#include "vm/run_json.h"
#include "vm/loo.h"
#include "vm/summary.h"
#include "vm/diagnose.h"

struct aim_vm {
  aim_config config;
  aim_alloc alloc;
  const exec_engine *engine;
};

/* A model of a file, and what a host asks for by number. */
typedef struct api_model {
  const check_model *m;
  const symbol **input;
  const check_site **latent;
  size_t n_inputs, n_latents;
} api_model;

struct aim_program {
  aim_vm *vm;
  arena mem;
  program p;
  char *name, *text; /* kept for tasks, which check it anew: sizes and data of one task are no affair of another */
  size_t length;
  const ast_decl **run; /* [n_runs] statements; one entry of NULL for a file that has none but has a model */
  plan *plans;          /* [n_runs] */
  size_t n_runs;
  api_model *model;
  size_t n_models;
  int io_errno;
};

typedef enum task_state { TASK_NEW, TASK_BOUND, TASK_DONE, TASK_BROKEN } task_state;

struct aim_task {
  aim_vm *vm;
  aim_program *of;
  arena mem;
  program p;
  data_set data;
  plan plan;
  task_state state;
  bool checked;            /* the plan, since the last option was set */
  char *output;            /* directory, or NULL */
  bool resume;             /* go on with the run that is there */
  eval_model model;
  unsigned needs;          /* that were built */
  const temper_rules *rules; /* a test puts wrong ones here; else NULL */
  run_keeping keep;        /* tests and benchmarks choose; else RUN_KEEP_AUTO */
  run run;
  bool pointwise;          /* @loglik is wanted */
  const aim_task *simulation; /* of which draw `simulated` has the data that stand for those observed; NULL: none */
  size_t simulated;
  double *loglik;          /* draw d of chain c of observation k is loglik[(k chains + c) loglik_draws + d]; NULL until asked for */
  size_t n_observed, loglik_draws; /* observations of all sites; draws that every chain has */
  loo_point *loo;          /* [n_loo] of the observations at loo_place [n_loo] among all; NULL until asked for */
  size_t *loo_place, n_loo;
  summary_row *rows;       /* of all columns, once asked for */
  size_t n_rows;
  _Atomic int stop;
  int io_errno;
  task_given *given;       /* [n_given] */
  size_t n_given, given_cap;
  const char *advice;      /* of a run that was read back; NULL: it is found from what happened */
  size_t n_advice;         /* findings in it */
  const char *started;
};

struct aim_evaluator {
  aim_task *t;
  eval_worker w;
  exec_cell *frame; /* [cells] */
  double *spare;    /* [dim]: a gradient nobody asked for */
  char error[512];
};

aim_status api_status(run_status st);
/* Warns of statements that this version does not run: for who checks a program.  Who runs one is told by the statement. */
void api_warn_missing(aim_program *p);
/* Binds with further needs; see aim_bind. */
aim_status api_bind(aim_task *t, unsigned more);
/* Binds, checks the plan, and makes t->run, which nobody has begun. */
aim_status api_begin(aim_task *t);
/* Loads what was built into the engine and prepares it.  at, noun: what a report is of, a "model" or an "agent". */
aim_status api_load(aim_task *t, const exec_engine *engine, span at, const char *noun);
/* What ended or hurt a run, as diagnostics of the task. */
void api_report_stop(aim_task *t, const eval_faults *f);
/* An index that left its array, from 0; when: "in this run". */
void api_report_bound(aim_task *t, span where, int64_t index, int64_t extent, const char *when);
void api_report_init(aim_task *t);
/* Chains that drew where the posterior has little mass, as a warning. */
void api_report_missed(aim_task *t);
/* ---- api_blame.c */
extern const char api_no_factor[]; /* what helps a covariance without a factor */
/* Something that is made of data alone, before anything else, is NaN, and no value of the unknowns helps.  True after a report (E0788). */
bool api_blame_data(aim_task *t);
/* The same before the run, where the density is NaN at draws from the prior; costs nothing unless there is a NaN. */
bool api_refuse_data(aim_task *t);
/* Adds to d, which ends the run, what is known of observations that are impossible whatever the unknowns are.  The model is built again. */
void api_blame_observation(aim_task *t, diag *d);
/* "model.aim:7:12", in mem; "" without a place. */
const char *api_place(source_map *m, span at, arena *mem);
aim_status api_diagnostic(program *p, size_t k, aim_diagnostic *out);
aim_status api_messages(program *p, const aim_alloc *alloc, unsigned flags, aim_write *write, void *user);

/* Fills t->rows.  The run is over. */
aim_status api_summaries(aim_task *t);
/* The same where ARENA_TRY of t->mem is set. */
void api_rows(aim_task *t);

/* aim_approximation_get, also while a run ends. */
bool api_approximation(const aim_task *t, aim_approximation *out);
/* Appends what is wrong with the run, a line each; returns how many.  ARENA_TRY of t->mem and of b is set, and rows are made (api_rows). */
size_t api_advice(aim_task *t, strbuf *b);

/* Makes t->loglik, after a run: api_loo.c.  AIM_E_PROGRAM or AIM_E_MEMORY with a diagnostic. */
aim_status api_loglik(aim_task *t);

/* Files of a run: run_files.c. */
run_status run_files_begin(aim_task *t, int *lock);
run_status run_files_end(aim_task *t, double seconds);

#endif
