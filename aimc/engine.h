/* engine.h: which engine executes models: --engine vm | jit | auto. */
#ifndef AIMC_ENGINE_H
#define AIMC_ENGINE_H

#include "aimc/args.h"
#include "vm/aim.h"

/* Sets the vm up for what the command line asks.  0, or an exit status after a message. */
int engine_set_up(const args *a, aim_vm *vm);
/* A line for doctor. */
void engine_describe(void);

#endif
