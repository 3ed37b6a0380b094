/* agent.h: agents and worlds as the checker leaves them: a generative model in factors, and what the agent is to do with it.
 *
 *     action a            one of 1..n, chosen by the agent
 *     state s             one of 1..n.  start: where it begins, a distribution over 1..n (the vector D of the literature).
 *                         step: where it goes, a distribution for each value of the states and actions that the text reads, as they were a
 *                         step ago (B)
 *     observation o       one of 1..n, of which the likelihood is a distribution for each value of the states that the text reads, as they are (A)
 *     preference of o     log preferences of 1..n, which may depend on the step t of the plan (C)
 *     habit               weights of policies (E)
 *
 * Nothing here is a table.  A part is an expression and the variables that it reads, its parents; tables over parents are what the lowered
 * functions (lower_agent.h) give when they are called, so dependencies stay factorised and what is a formula stays one. */
#ifndef AIM_COMPILER_AGENT_H
#define AIM_COMPILER_AGENT_H

#include "compiler/check.h"

/* How far probabilities of an agent may be from a sum of 1: tables are often printed to six digits. */
#define AGENT_SUM_TOLERANCE 1e-6

/* An expression of an agent.  value NULL: there is none. */
typedef struct agent_part {
  ast_expr *value;    /* of what was written, in a form that gives a vector; a scalar bool of a goal */
  span at;
  bool logs;          /* of a likelihood: log weights, whose softmax it is */
  symbol **parent;    /* [nparents] states and then actions, in the order of their declarations; of a preference the step t of the plan */
  size_t nparents;
  symbol **reads;     /* [nreads] of the signature, those that it names */
  size_t nreads;
  const symbol *row;  /* the array of the signature of which it is a row and nothing else, which can be learnt; else NULL */
} agent_part;

typedef struct agent_action {
  symbol *sym;
  ir_size size;
} agent_action;

typedef struct agent_state {
  symbol *sym;
  ir_size size;
  int64_t every; /* it steps at every so many steps of the world; 1 */
  agent_part start, step;
} agent_state;

typedef struct agent_observation {
  symbol *sym;
  ir_size size;
  const ast_type *declared;
  agent_part likelihood, prefer;
} agent_observation;

/* Dirichlet counts of an array of the signature. */
typedef struct agent_learn {
  symbol *data;
  agent_part counts; /* of the array's shape, or of its last axes */
  span at;
  double rate;       /* what an observation adds; 1 */
  double forget;     /* what is lost of counts at each step, 0..1; 0 */
} agent_learn;

typedef enum beliefs_method { BELIEFS_AUTO, BELIEFS_EXACT, BELIEFS_VMP, BELIEFS_FIXED_POINT, BELIEFS_MMP, BELIEFS_GIBBS, BELIEFS_COUNT } beliefs_method;
extern const char *const beliefs_names[BELIEFS_COUNT];

/* How an agent comes to its beliefs about states. */
typedef struct agent_beliefs {
  span at; /* file 0: nothing was said */
  beliefs_method method;
  uint32_t iterations; /* vmp, fixed_point, mmp: 16 */
  double tol;          /* the same: of the free energy, in nats; 1e-6 */
  uint32_t window;     /* mmp: steps back; 8 */
  uint32_t samples, warmup, thin; /* gibbs: 1000, 100, 1 */
  double sensory_precision; /* zeta: the likelihood of what is seen counts to this power; 1 */
  double state_precision;   /* omega: so does a step, whose probabilities are then normalised again; 1 */
} agent_beliefs;

typedef enum plan_search { SEARCH_ALL, SEARCH_TREE, SEARCH_MCTS, SEARCH_COUNT } plan_search;
extern const char *const search_names[SEARCH_COUNT];
typedef enum state_gain { GAIN_JOINT, GAIN_BY_OBSERVATION, GAIN_OFF } state_gain;

/* How it chooses: by expected free energy. */
typedef struct agent_plan {
  span at;
  uint32_t horizon;      /* steps ahead; 1 */
  plan_search search;
  uint32_t beam;         /* tree: nodes that are kept at a depth; 0: all */
  double prune;          /* tree: less probable outcomes are not followed; 0 */
  uint32_t samples;      /* mcts: 1000 */
  double precision;      /* of policies, gamma; 16 */
  uint32_t utility;      /* bool: preferences count; 1 */
  uint32_t state_gain;   /* enum: what observations will tell of states */
  uint32_t parameter_gain; /* bool: what they will tell of learnt arrays; 1 */
  uint32_t selection;    /* 0 deterministic, 1 stochastic */
  uint32_t choose;       /* 0: each action by its probability over policies; 1: the first actions of one policy */
  double action_precision; /* stochastic: alpha; 1 */
  agent_part habit;      /* weights of policies, in their order */
  agent_part policies;   /* int[P, horizon], or int[P, horizon, actions] */
  agent_part goal;       /* a condition on states */
} agent_plan;

/* What `simulate` is to do. */
typedef struct agent_simulation {
  uint32_t steps, trials, agents; /* 100, 1, 1 */
  uint32_t threads;               /* 0: one for each processor */
  uint64_t seed;
} agent_simulation;

typedef struct check_agent {
  ast_decl *decl;
  symbol *sym;
  bool world;
  symbol *owner;           /* of a world: the agent that it is for, or NULL */
  const check_model *data; /* its signature, as that of a model without statements */
  agent_action *action;
  size_t nactions;
  agent_state *state;
  size_t nstates;
  agent_observation *observation;
  size_t nobservations;
  agent_learn *learn;
  size_t nlearn;
  agent_beliefs beliefs;
  agent_plan plan;
  bool wrong;              /* an error was reported in it */
} check_agent;

/* Of an agent's or a world's declaration; NULL for others. */
check_agent *check_agent_of(check_program *p, const ast_decl *decl);

/* How many policies there are where none are listed: every choice of every action in each step of the horizon; infinite where no double has so many.
 * bound: by the numbers of the sizes; else false where sizes are not literals. */
bool agent_policy_count(const check_agent *a, const size_table *sizes, bool bound, double *n /* OUT */);

/* What the statement says behind `with` and `for`; it has been checked. */
void agent_simulation_of(check_program *p, const ast_run *run, agent_simulation *out);

/* The data of an agent in a world, as one signature: world NULL: the agent's own. */
const check_model *agent_data(check_program *p, const check_agent *agent, const check_agent *world);

#endif
