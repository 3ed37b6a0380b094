/* lower_agent.h: the parts of an agent as functions of the IR.
 *
 *     @start.s(data)                     where state s begins                              D
 *     @step.s(data, parents)             where it goes from these values                   B
 *     @observe.o(data, parents)          what is seen of o at these values                 A
 *     @prefer.o(data [, t])              real[n]: log preferences                          C
 *     @counts.A(data)                    real: Dirichlet counts of what is learnt, of the array's shape
 *     @habit(data), @policies(data)      real[P]: weights of policies (E); int[P, ..]: their actions from 0
 *     @goal(data, parents)               bool
 *
 * Parents are parameters with the role `index`, one each, named as the states and actions that the text reads, in the order of agent_part.parent;
 * they count from 0.  A distribution over 1..n is one of
 *
 *     int                                a value that is certain, from 0: `onehot(k, n)`
 *     (int[m], real[m])                  few values and their probabilities; one may stand twice: sums of weighted onehot(..)
 *     real[n]                            a probability for each
 *
 * so where it is a formula in its parents, no table need exist. */
#ifndef AIM_COMPILER_LOWER_AGENT_H
#define AIM_COMPILER_LOWER_AGENT_H

#include "compiler/agent.h"
#include "compiler/lower.h"

/* Adds the functions of an agent or a world to the module, with `prefix` before their names.  False after a diagnostic. */
bool lower_agent(check_program *p, ir_module *m, const check_agent *a, const char *prefix, const lower_options *options);

#endif
