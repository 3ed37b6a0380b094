/* symbols.h: compiled code made known to perf and gdb: --symbols perf | gdb. */
#ifndef AIMC_SYMBOLS_H
#define AIMC_SYMBOLS_H

#ifdef AIM_JIT

#include "codegen/jit.h"

/* Sets the callbacks of the config.  False after a message. */
bool symbols_set_up(const char *how, jit_config *config);

#endif
#endif
