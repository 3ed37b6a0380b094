/* choose.h: an engine that takes one of two for each program: machine code where it can be had and is predicted to pay, else the
 * other.  Nothing but speed depends on the choice. */
#ifndef AIM_CODEGEN_CHOOSE_H
#define AIM_CODEGEN_CHOOSE_H

#include "compiler/contract.h"

typedef struct choose_config {
  exec_engine fast;          /* as jit_engine made it */
  const exec_engine *sure;   /* the interpreter */
  int64_t least_flops;       /* of one gradient, for `fast` to be tried; 0: always */
  /* Told, where not NULL, when `fast` refused a program that it was to run. */
  void (*notice)(const char *message);
} choose_config;

exec_engine choose_engine(const choose_config *config);

#endif
