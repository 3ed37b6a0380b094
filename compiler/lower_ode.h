/* lower_ode.h: what the two methods for `ode` share: lower_ode.c takes steps of Dormand and Prince, lower_stiff.c implicit ones. */
#ifndef AIM_COMPILER_LOWER_ODE_H
#define AIM_COMPILER_LOWER_ODE_H

#include "compiler/lower_internal.h"

typedef struct ode {
  lower *l;
  const ast_decl *f;
  ir_val *arg; /* of f: time and state are set for each call */
  ir_size *size;
  ir_val ts, n, rtol, atol, most;
  bool stiff;
} ode;

/* f(t, u, ...) */
ir_val ode_derivative(ode *o, ir_val t, ir_val u);
/* A function of the prelude, with its arguments. */
ir_val ode_library(ode *o, const char *name, ...);

typedef struct ode_step {
  ir_val k[8]; /* [1 .. 7] derivatives; of a stiff one [1 .. 5] stages */
  ir_val u;    /* where it ends */
  ir_val inverse, moved; /* of a stiff one: the matrix of its error, and how far Newton's method was from its end */
} ode_step;

/* A step of size h from state u at time t, where the derivative is k1. */
ode_step stiff_take(ode *o, ir_val t, ir_val u, ir_val h, ir_val k1);
/* The state where it ends, as a function that can be differentiated. */
ir_val stiff_again(ode *o, ir_val t, ir_val u, ir_val h, ir_val k1);

#endif
