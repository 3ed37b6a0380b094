/* tier.h: the engine that begins on the interpreter and goes on with machine code.
 *
 * Both give the same bits, so a program may change from one to the other between any two calls.  It is loaded into the interpreter
 * and can run at once.  Where the functions that a run calls again and again have an object in the cache, they are machine code from
 * the first call.  Else aim-cc is started when the interpreter has spent `patience` in them, which a short run never does, and works
 * beside the run; each worker changes over at its next call after the object has come.  Functions that run once a draw have an object of
 * their own, and patience of their own.  The interpreter also looks for NaNs and tells where a check failed.
 *
 * An object that is not to be had costs nothing but speed: the interpreter runs on. */
#ifndef AIM_CODEGEN_TIER_H
#define AIM_CODEGEN_TIER_H

#include "codegen/jit.h"

#include <stdbool.h>

/* Under `auto` the interpreter works alone for so many seconds.  aim-cc takes 20 to 150 ms of another processor, so a program that
 * is done by then was not worth it, and one that goes on loses little. */
#define TIER_PATIENCE 0.02

typedef struct tier_config {
  const jit_config *jit;
  const exec_engine *sure;  /* the interpreter; has `frame`.  NULL: that of exec_options */
  double patience;          /* seconds; 0: aim-cc is started by load */
  bool wait;                /* load starts aim-cc and `ready` waits for the object of what is called again and again; and without patience, of both */
  /* Where not NULL, told, in the thread that calls load or ready, why an object is not to be had.  Only who waits knows. */
  void (*notice)(void *user, const char *why);
  /* Where not NULL, told by load why there is no cache although the config names one. */
  void (*cacheless)(void *user, const char *why, bool distrusted);
  void *user;
} tier_config;

/* An engine set up so.  config lives as long as its programs. */
exec_engine tier_engine(const tier_config *config);

typedef enum tier_unit {
  TIER_STEP, /* called again and again: the gradient, or where there is none all but what follows */
  TIER_DRAW, /* once a draw: outputs, and what comes with a draw of a chain that follows a gradient */
  TIER_UNITS,
  TIER_NEVER = TIER_UNITS /* once a run, or not at all */
} tier_unit;
tier_unit tier_unit_of(const ir_fn *fn);

#endif
