/* model_run.h: a model from its text to calls of its derived functions, for tests at the level of models.
 *
 * Points and frames are flat arrays of doubles: an unconstrained point has program.dim of them, a frame of latents
 * program.cells (integers as doubles).  Whatever goes wrong before the first call fails the test with the program's messages.
 * Memory comes from a host that counts: model_close fails the test if some was not given back.
 *
 * The same functions can be evaluated in long double by the oracle of ref_eval.h, frame included. */
#ifndef TESTS_MODEL_RUN_H
#define TESTS_MODEL_RUN_H

#include "compiler/program.h"
#include "tests/ref_eval.h"
#include "tests/unit/host.h"

enum { MODEL_MAX_ARGS = 64 };

typedef struct model_run {
  host heap;
  aim_alloc alloc;
  arena mem;              /* program, data */
  arena scratch;          /* of one evaluation by the oracle */
  program p;
  exec_program *loaded;
  exec_worker *worker;
  exec_report report;     /* of the last call */
  size_t dim, cells;      /* those of p */
  exec_cell *in, *out;    /* [cells + something] */
  ref_array *frame;       /* results of @prepare in long double */
  uint32_t nframe;
} model_run;

/* Opens the last model of text, binds the JSON text (NULL: no data), builds what `need` says and loads it.  isa as in
 * exec_options. */
void model_open(model_run *r, const char *text, const char *json, unsigned need);
void model_open_isa(model_run *r, const char *text, const char *json, unsigned need, int isa);
/* The same with sums over data as they are, whatever statistics would do. */
void model_open_plain(model_run *r, const char *text, const char *json, unsigned need);
void model_close(model_run *r);

/* False with *messages (in r->mem) when a phase says no; the caller closes either way. */
bool model_try(model_run *r, const char *text, const char *json, unsigned need, int isa, const char **messages);

/* The same with finite unknowns summed out. */
bool model_try_summed(model_run *r, const char *text, const char *json, unsigned need, const char **messages);

/* The number of a site; fails the test when there is none. */
const program_site *model_site(const model_run *r, const char *name);

double model_logdens(model_run *r, const double *q);
double model_grad(model_run *r, const double *q, double *grad);
/* The central difference of @logdens along coordinate k at q, which is as it was afterwards; with steps of 1e-5. */
double model_slope(model_run *r, double *q, size_t k);
void model_constrain(model_run *r, const double *q, double *frame);
/* Log prior, log likelihood, log factors in part; returns their sum. */
double model_density(model_run *r, const double *frame, double part[3]);
void model_prior(model_run *r, uint64_t key, double *frame);
/* Draws what was summed out into the frame, given the rest of it. */
void model_recover(model_run *r, uint64_t key, double *frame);
/* The results of @outputs, one after the other. */
void model_outputs(model_run *r, const double *frame, uint64_t key, double *out);
/* The results of @loglik, one after the other. */
void model_loglik(model_run *r, const double *frame, double *out);
double model_local(model_run *r, const program_site *s, const double *frame, const int64_t *at);
void model_bounds(model_run *r, const program_site *s, const double *frame, const int64_t *at, double *lo, double *hi);

/* The oracle, of "logdens", "density" (out[3]) or "constrain" (out[cells]) at x, flat as above; what is summed out is left out of x. */
void model_ref(model_run *r, const char *fn, const long double *x, long double *out);

#endif
