/* program.h: from a source text to the functions that an engine loads.  The whole front half of AIM as three calls:
 *
 *     program_open    parse and check a file; what `aimc check` does
 *     program_bind    read and check the data of one run statement against the model's signature; sizes get numbers
 *     program_build   lower the model, derive the functions that a method needs, run the passes
 *
 * Everything lives in one arena, owned by the caller, who sets ARENA_TRY before calling. */
#ifndef AIM_COMPILER_PROGRAM_H
#define AIM_COMPILER_PROGRAM_H

#include "compiler/agent.h"
#include "compiler/centre.h"
#include "compiler/conjugate.h"
#include "compiler/check.h"
#include "compiler/contract.h"
#include "compiler/data.h"
#include "compiler/import.h"
#include "compiler/lower.h"
#include "compiler/stages.h"

#include <string.h>

/* Which functions to derive. */
typedef enum program_need {
  NEED_DENSITY = 1,  /* @density */
  NEED_LOGDENS = 2,  /* @logdens, @constrain */
  NEED_GRAD = 4,     /* @grad (log density and gradient), @constrain */
  NEED_PRIOR = 8,    /* @prior */
  NEED_OUTPUTS = 16, /* @outputs, when the model has any */
  NEED_LOCAL = 32,   /* @local.s and @bounds.s for every latent site s */
  NEED_STAGES = 64,  /* with NEED_GRAD: large sums of @grad are cut off, for threads to share */
  NEED_LOGLIK = 128, /* @loglik, when the model observes anything */
  NEED_MODE = 256,   /* with NEED_GRAD: its maximum is the mode: no Jacobian, and no site is a standard variate */
  NEED_TEMPERED = 512, /* @tempered, and @local.s in its two parts */
  NEED_NATURAL = 1024, /* with NEED_LOCAL: @natural.s where the conditional of s is of a known family, @joint.s where all of it is a multivariate normal */
  NEED_BLOCK = 4096,   /* with NEED_GRAD: instead of it one gradient and @constrain.block for each of program.block, given the other sites: the k-th from 1 are @grad.<k> and @constrain.block.<k>, the first without a number */
  NEED_ORDER = 8192,   /* with NEED_PRIOR, for draws of the prior alone: what is missing of the data is drawn in the order of the program, and with program.replicate all that is observed */
  NEED_WEIGHTS = 2048  /* with NEED_LOCAL: @weights.s of finite sites, and @conflicts.s where their elements are not independent */
} program_need;

enum { PROGRAM_MOST_JOINT = 256 }; /* unknowns that are drawn together as one normal vector */

/* What becomes of finite unknowns: they stay; they are summed out, and the build fails where they cannot be; that with a message. */
typedef enum program_sums { SUMS_NONE, SUMS_TRY, SUMS_MUST } program_sums;

/* One latent site as drivers see it, numbers included (after program_build). */
typedef struct program_site {
  const ir_site *site;
  const char *name;
  const char *of;                 /* the array that it is a part of: of y_mis and y_free it is y; else its own name */
  bool replica;                   /* it is a y.rep: data that the model has drawn (NEED_ORDER) */
  bool part_given;                /* it is a y_free: y as a whole is an output */
  bool discrete;
  bool summed;                    /* summed out: @recover draws it, given the others */
  uint32_t rank, batch_rank;      /* of the array; of its batch */
  int64_t dim[IR_MAX_RANK];
  size_t cells;                   /* of the array */
  size_t batch;                   /* number of events */
  size_t event, free;             /* cells of one event, and of its unconstrained form (discrete: 0) */
  size_t at, at_free;             /* offset in the flat frame of latents, and in the flat unconstrained point */
  double log_count;               /* of a finite site under Flat(): log of the number of its states, which a draw from the prior leaves out;
                                     else 0.  NAN where their number depends on other sites */
  bool spin;                      /* its values are -1 and 1 */
  bool improper;                  /* no distribution to draw it from: Flat() on what is not finite */
  conjugate_family conjugate;     /* of its conditional, where NEED_NATURAL asked */
  size_t given;                   /* cells of what @given.s returns, which @slim.s reads; 0: they are not there */
  size_t ngiven, *given_cells;    /* how many arrays; of each */
  bool joint;                     /* @joint.s is there: its elements depend on each other, and are drawn together */
  size_t block;                   /* where NEED_BLOCK asked: the block, from 1, whose gradient moves it; 0: none; */
  size_t at_block;                /* its place in that block's unconstrained point */
  bool local;                     /* @local.s does not go through the whole model */
  bool apart;                     /* of a finite site, where NEED_WEIGHTS asked: its elements are independent given everything else */
  bool listed;                    /* the same: @weights.s takes a list of elements */
  size_t piece;                   /* the same: so many of them at once at most, which is the length of a row */
  size_t states;                  /* the same: of an element, where there is @weights.s; else 0 */
  int64_t first_state, state_step; /* the least of them, and what lies between one and the next */
} program_site;

/* Continuous sites that a gradient moves given all others. */
typedef struct program_block {
  const char *const *name;        /* [n] */
  size_t n;
  size_t dim;                     /* program_build: of its unconstrained point */
} program_block;

/* A name in a statement that means the site. */
static inline bool program_names(const char *name, const program_site *x) { return strcmp(name, x->name) == 0 || strcmp(name, x->of) == 0; }

/* An array that @outputs returns. */
typedef struct program_output {
  const char *name;
  bool tracked;                   /* or predicted */
  ir_type type;
  ir_elem elem;
  uint32_t rank;
  int64_t dim[IR_MAX_RANK];
  size_t cells;
} program_output;

/* An array that @loglik returns: one value for each observation of a site. */
typedef struct program_loglik {
  const char *name;               /* of the observed site */
  ir_type type;
  uint32_t rank;                  /* of its array, without the axes of one observation */
  int64_t dim[IR_MAX_RANK];
  size_t cells;
} program_loglik;

/* The texts that the numbers 1, 2, ... of an index in the data stand for. */
typedef struct program_levels {
  const char *name;               /* in the signature */
  const char *const *text;        /* [n] */
  size_t n;
} program_levels;

typedef struct program {
  arena *mem;
  source_map sources;
  intern_table names;
  diag_list diags;
  size_table *sizes;
  check_program check;
  int file;
  bool ok;                        /* checked without an error */

  /* For program_bind: what a command line sets (bind.h), and whether data files of a statement may lie outside the folder of
   * the program. */
  ast_args overrides;
  bool any_path;
  bool replicate;                 /* program_build replicates all that is observed (lower.h), or tells why that cannot be (replicate.h) */
  bool no_statistics;             /* program_build leaves sums over data as they are (pass_statistics.c) */

  /* program_bind */
  const check_model *model;
  exec_data *data;
  size_t ndata;
  program_levels *levels;         /* of the data that were texts */
  size_t nlevels;
  lower_missing *missing;         /* observed data of which values are missing */
  size_t nmissing;

  /* For program_build, where NEED_GRAD is among its needs: what is known of sites that could be non-centred. */
  centre_names centring;

  program_block *block;           /* [nblocks] for NEED_BLOCK */
  size_t nblocks;
  bool scattered, coloured;       /* for NEED_WEIGHTS: sweeps visit elements in an order of their own; by classes of such as do not depend on each other */
  program_sums sums;              /* for program_build */
  const char *const *sum_out;     /* [nsum_out] names of what may be summed out; anything where nsum_out is 0 */
  size_t nsum_out;

  /* program_build */
  const char *unsummed;           /* SUMS_TRY: why it failed; else NULL */
  span unsummed_at;
  ir_module *module;
  ir_fn *ir;                      /* the model function */
  ir_fn *replicas;                /* the model that draws y_rep in order, given latents (lower.h: ORDER_REPLICAS), whose outputs stand behind those of ir; or NULL */
  const bool *in_order;           /* [sites of the model] by that one */
  program_site *site;             /* latent sites, in order */
  size_t nsites;
  bool weights_beside_energy;     /* it has an energy, and observations or factors as well */
  size_t cells, dim;              /* of the frame of latents; of the unconstrained point */
  stage *stage;                   /* of @grad */
  size_t nstages;
  ir_fn *uncut;                   /* @grad before it was cut, where it was */
  program_output *output;
  size_t noutputs;
  program_loglik *loglik;
  size_t nloglik;
  bool broken;                    /* the pipeline broke a rule of the IR; the last diagnostic names the step */
} program;

/* Parses and checks.  Returns p->ok; messages are in p->diags either way. */
bool program_open(program *p, arena *mem, const char *name, const char *text, size_t len);
/* The same with a say about the files that it imports; imports is used during the call. */
bool program_open_with(program *p, arena *mem, const char *name, const char *text, size_t len, const import_options *imports);

/* The model of a run statement, or the last model of the file for NULL; NULL if there is none. */
const check_model *program_model(program *p, const ast_decl *run);

/* Binds data to the signature of the model: see bind.h.  `run` may be NULL (no statement).  False after a diagnostic. */
bool program_bind(program *p, const check_model *model, const ast_decl *run, data_set *data);

/* The function of block k, from 0. */
const char *program_block_fn(const program *p, const char *name, size_t k);

/* Lowers and derives; need is a set of program_need.  May be called again, after a change of `centring`.  False after a diagnostic,
 * which is about AIM if p->broken. */
bool program_build(program *p, unsigned need);

/* The functions of an agent (lower_agent.h), and of the world of the statement, their names with "world." before them; world NULL: the agent's own
 * equations are the world.  passes: as an engine gets them, with @prepare.  p->model is agent_data(..).  False after a diagnostic. */
bool program_build_agent(program *p, const check_agent *agent, const check_agent *world, bool passes);

/* For the files of this header: whether p (user) has data for the name; whether every function of the module keeps the rules of the IR, else false after a
 * diagnostic about AIM. */
bool program_given(void *user, const char *name);
bool program_verify(program *p);

#endif
