/* host.h: the table of services that compiled code gets from the engine. */
#ifndef AIM_CODEGEN_HOST_H
#define AIM_CODEGEN_HOST_H

#include "codegen/abi.h"

/* Of an instruction-set level: 2, 3 or 4. */
const cg_host *cg_host_for(int level);

#endif
