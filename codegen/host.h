/* host.h: the table of services that compiled code gets from the engine. */
#ifndef AIM_CODEGEN_HOST_H
#define AIM_CODEGEN_HOST_H

#include "codegen/abi.h"

/* services.c, of each instruction-set level. */
extern const cg_host cg_host_v2, cg_host_v3, cg_host_v4;

static inline const cg_host *cg_host_for(int level) { return level >= 4 ? &cg_host_v4 : level == 3 ? &cg_host_v3 : &cg_host_v2; }

#endif
