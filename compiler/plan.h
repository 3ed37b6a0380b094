/* plan.h: what a run statement asks for, as numbers: the model, the method, its options with their defaults, the name of the
 * result.
 *
 * A plan is made from a checked program (check_run.c has compared options with methods and their kinds); flags of a command
 * line change it afterwards by plan_override, and plan_check compares the numbers with their limits and with the model.  Nothing here
 * needs data, and a host that has no statement makes its plan from the model alone.
 *
 * A run repeats: without a seed the seed is 1.  `seed = 0` asks the driver to choose one, which it must report. */
#ifndef AIM_COMPILER_PLAN_H
#define AIM_COMPILER_PLAN_H

#include "compiler/kernel.h"
#include "compiler/method.h"
#include "compiler/program.h"
#include "compiler/schedule.h"
#include "compiler/until.h"

typedef enum plan_metric { PLAN_DIAGONAL, PLAN_FISHER, PLAN_DENSE, PLAN_LOWRANK, PLAN_METRIC_AUTO } plan_metric;
typedef enum plan_init { PLAN_INIT_AUTO, PLAN_INIT_RANDOM, PLAN_INIT_PATHFINDER } plan_init;

/* A part of a cycle: what moves which unknowns. */
typedef struct plan_part {
  plan_method method;         /* nuts, gibbs, slice or mh */
  const char *const *name;    /* [n] */
  size_t n;
  span at;
} plan_part;

typedef struct plan {
  ast_verb verb;
  const ast_decl *run;      /* NULL: the file has no statement */
  const check_model *model; /* NULL: the statement is about an agent, and has `missing` */
  const check_agent *agent, *world; /* of `simulate`; world NULL: the agent's own equations */
  agent_simulation simulation;
  plan_method method;
  bool automatic;           /* the method was chosen by plan_check */
  const char *name;         /* of the result; a file name without ending */
  const char *missing;      /* what the statement asks for and this version does not have: plan_check refuses it, unless a flag has named another method; NULL */
  span missing_at;
  uint32_t chains;          /* 1..1024; 4 */
  bool chains_set;          /* by plan_override: a method that has none says so */
  uint32_t warmup;          /* per chain, 0..10^7; 1000 */
  uint32_t draws;           /* kept per chain, 1..10^8; 1000; of methods without chains: all; of map 1 */
  uint32_t thin;            /* every thin-th draw is kept, 1..10^6; 1 */
  uint32_t steps;           /* mh: single-site steps to a transition after warm-up, 0..10^9; 0: a sweep */
  uint32_t threads;         /* 0: one for each processor; ..4096 */
  uint64_t seed;            /* 1; 0: the driver chooses and reports it */
  double target_accept;     /* nuts: 0.8; 0.95 for a model with non-centred sites, unless target_set */
  bool target_set;          /* by the statement or a flag */
  uint32_t max_depth;       /* nuts: 1..20; 10 */
  plan_init init;           /* nuts: where chains begin; auto */
  double init_radius;       /* nuts: initial points are uniform on (-r, r); 0..100; 2 */
  double step_size;         /* nuts: where the first search starts; 0: chosen */
  plan_metric metric;       /* nuts: what warm-up learns; auto */
  double scale;             /* mh: of the first proposals; gibbs, slice: of the first slices; 1 */
  kernel_order order;       /* gibbs, slice: in which a sweep visits elements; sequential */
  uint32_t paths;           /* map, laplace, pathfinder, and nuts that begins by it: maximisations from initial points of their own, 1..1024; 4 */
  uint32_t iterations;      /* the same: of each, 1..10^6; 2000 */
  double tolerance;         /* the same: of the log density, in nats; 1e-8 */
  uint64_t particles;       /* importance, population, ais: 1..10^9; 10000 */
  const schedule *schedule; /* of annealing, or the ladder of tempering and its kin */
  kernel kernel;            /* of these */
  until until;              /* nuts, mh, gibbs, slice, cycle: when the chains may stop before `draws` */
  bool until_set;           /* by plan_override: a method whose chains cannot stop says so */
  bool plain_sums;          /* `statistics = off`: sums over data are not taken from statistics of them */
  plan_part *part;          /* [nparts] of a cycle, in their order: each unknown stands in one */
  size_t nparts;
  const char *const *blocks; /* [nblocks] gibbs: unknowns in the order in which a sweep visits them; the others come behind */
  size_t nblocks;
  const char *const *save;  /* [nsave] names of what is kept; all when nsave is 0 */
  size_t nsave;
  const char *const *sum_out; /* [nsum_out] names of finite unknowns; all when nsum_out is 0 */
  size_t nsum_out;
  centre_names centring;    /* nuts, laplace, pathfinder: names of sites; what they do not name is measured */
} plan;

/* The plans of a file in the order of its statements; only (may be NULL) picks the result of that name.  A file without a
 * statement gives one plan: its last model under auto.  NULL after a diagnostic (E0820 to E0829); else *n >= 1. */
plan *plan_all(program *p, const char *only, size_t *n /* OUT */);
/* The plan of one statement, or of a model without any (run NULL; model NULL: the last one).  False after a diagnostic. */
bool plan_make(program *p, const ast_decl *run, const check_model *model, plan *out);

/* A warning where the statement asks for something that this version does not have. */
void plan_warn_missing(program *p, const plan *pl);

/* Sets chains, warmup, draws, thin, seed, threads, method, or any other option by the text that stands behind a flag.  False after a
 * diagnostic. */
bool plan_override(program *p, plan *pl, const char *key, const char *value);
/* Limits, and the method against the model; auto becomes a method here, with a note when that is not nuts.  The last step before
 * a run, and the only one that must not be left out. */
bool plan_check(program *p, plan *pl);

/* Once data are bound: missing values, and what is given in part, may be unknowns that have to be summed out, or moved by a part of a cycle.  False
 * after a diagnostic. */
bool plan_bound(program *p, plan *pl);

/* After a build that said p->unsummed: the plan becomes one of mh, with a note.  The program is to be built again for that. */
void plan_not_summed(program *p, plan *pl);

/* plan_cycle.c: reads one part of a cycle, and compares its parts with the model's unknowns.  False after a diagnostic. */
bool plan_part_read(program *p, const ast_expr *e, plan_part *out);
bool plan_cycle_check(program *p, const plan *pl);
bool plan_cycle_bound(program *p, const plan *pl);
/* Its draws are of no distribution that the model tells: a floor lies under the acceptance. */
bool plan_is_biased(const plan *pl);
/* A latent that the statement does not give. */
bool plan_is_unknown(const plan *pl, const check_site *s);

/* Whether an array is among what is kept; part: of one that is kept as a whole, so that it is if it is named. */
bool plan_keeps(const char *const *save, size_t n, const char *name, bool part);

const char *plan_metric_name(plan_metric m);

#endif
