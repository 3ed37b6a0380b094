/* engine.h: which engine executes models: --engine auto | jit | vm. */
#ifndef AIMC_ENGINE_H
#define AIMC_ENGINE_H

#include "aimc/args.h"
#include "vm/aim.h"

/* Sets the vm up for what the command line asks.  0, or an exit status after a message. */
int engine_set_up(const args *a, aim_vm *vm);
/* Path of aim-cc; NULL if this build has none, or it is not where it belongs. */
const char *engine_compiler(void);
/* Lines for doctor. */
void engine_describe(const args *a);

#endif
