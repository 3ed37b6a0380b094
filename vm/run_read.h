/* run_read.h: a run that is over, from the files in its directory: its draws, what it found and what was said of it, for whoever wants them in another form.
 *
 * run.json tells what the task was given.  A task that is made with that and bound anew has the same program and data, which a fingerprint shows; the CSV files
 * then give its draws, to the bit, summary.tsv its table, and run.json the rest.  Nothing is run. */
#ifndef AIM_VM_RUN_READ_H
#define AIM_VM_RUN_READ_H

#include "vm/api.h"

typedef struct run_given {
  const char *program;             /* path, as the run had it */
  const char *name;                /* of the result */
  const char *method;              /* "anneal" for the verb */
  uint64_t seed;
  const char *const *data;         /* [n_data] as aim_data_text takes them */
  size_t n_data;
  const task_given *option;        /* [n_options] */
  size_t n_options;
  bool any_path;
} run_given;

/* Reads run.json of a directory, texts into a.  NULL, or why it cannot be, in a. */
const char *run_given_read(const char *directory, arena *a, run_given *out /* OUT */);

/* Takes what a run left in a directory in place of running: the task has been made with what run_given_read says, and is then one that has run.
 * AIM_E_PROGRAM or AIM_E_IO with a diagnostic (E0939) where the files do not fit. */
aim_status run_read(aim_task *t, const char *directory);

#endif
