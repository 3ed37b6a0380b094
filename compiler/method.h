/* method.h: the methods of inference that a statement may name, and what is known of each before it runs. */
#ifndef AIM_COMPILER_METHOD_H
#define AIM_COMPILER_METHOD_H

#include "lang/arena.h"

#include <stdbool.h>
#include <stddef.h>

/* METHOD(identifier, name, traits) */
#define METHODS(METHOD)                                                      \
  METHOD(AUTO, "auto", 0)                                                    \
  METHOD(NUTS, "nuts", METHOD_RUNS | METHOD_MARKOV | METHOD_RESTS | METHOD_REAL) \
  METHOD(MH, "mh", METHOD_RUNS | METHOD_MARKOV | METHOD_RESTS)               \
  METHOD(GIBBS, "gibbs", METHOD_RUNS | METHOD_MARKOV | METHOD_RESTS)         \
  METHOD(SLICE, "slice", METHOD_RUNS | METHOD_MARKOV | METHOD_RESTS)         \
  METHOD(IMPORTANCE, "importance", METHOD_RUNS | METHOD_ALONE)               \
  METHOD(PRIOR, "prior", METHOD_RUNS | METHOD_ALONE)                         \
  METHOD(MAP, "map", METHOD_RUNS | METHOD_ALONE | METHOD_REAL)               \
  METHOD(LAPLACE, "laplace", METHOD_RUNS | METHOD_ALONE | METHOD_REAL)       \
  METHOD(PATHFINDER, "pathfinder", METHOD_RUNS | METHOD_ALONE | METHOD_REAL) \
  METHOD(TEMPERING, "tempering", METHOD_RUNS | METHOD_MARKOV | METHOD_SWEEPS) \
  METHOD(POPULATION, "population", METHOD_RUNS | METHOD_SWEEPS)              \
  METHOD(AIS, "ais", METHOD_RUNS | METHOD_ALONE | METHOD_SWEEPS)             \
  METHOD(HMC, "hmc", METHOD_MARKOV | METHOD_REAL)                            \
  METHOD(SMC, "smc", METHOD_ALONE)                                           \
  METHOD(PMMH, "pmmh", METHOD_MARKOV)                                        \
  METHOD(PGAS, "pgas", METHOD_MARKOV)                                        \
  METHOD(VI, "vi", METHOD_ALONE)                                             \
  METHOD(CYCLE, "cycle", METHOD_RUNS | METHOD_MARKOV | METHOD_RESTS)         \
  METHOD(ANNEAL, "anneal", METHOD_VERB | METHOD_ALONE)

enum {
  METHOD_RUNS = 1,   /* this version has it; others are known by name and refused */
  METHOD_MARKOV = 2, /* chains with warm-up, whose draws depend on each other: R-hat and effective sizes are asked of them */
  METHOD_ALONE = 4,  /* one set of draws that need no chains */
  METHOD_REAL = 8,   /* moves real numbers only, along gradients */
  METHOD_VERB = 16,  /* what a verb does: no method that a statement could name */
  METHOD_SWEEPS = 64, /* by a kernel that `using` names */
  METHOD_RESTS = 32  /* its chains rest between transitions: they can be resumed, and wait for each other (`until`) */
};

/* PLAN_AUTO is never in a plan that was checked. */
#define METHOD_ENUM(id, name, traits) PLAN_##id,
typedef enum plan_method { METHODS(METHOD_ENUM) METHOD_COUNT } plan_method;
#undef METHOD_ENUM

const char *method_name(plan_method m);
/* METHOD_COUNT: there is none of that name. */
plan_method method_find(const char *name);
bool method_is(plan_method m, unsigned trait);
/* The names, for diag_nearest. */
extern const char *const method_names[METHOD_COUNT];
/* "nuts, mh, importance and prior": those that run. */
const char *method_list(arena *a);

#endif
