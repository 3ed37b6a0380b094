/* interp_run.c: the dispatch loop at each instruction-set level.  All give the same bits; the higher ones have fma as one
 * instruction. */
#include "vm/interp_code.h"

#include "stdlib/runtime/rt_extreme.h"
#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_sample.h"

#define INTERP_RUN exec_status interp_run_base
#include "vm/interp_dispatch.h"
#undef INTERP_RUN

#if defined(__x86_64__)
#define INTERP_RUN __attribute__((target("arch=x86-64-v3"))) exec_status interp_run_v3
#include "vm/interp_dispatch.h"
#undef INTERP_RUN

#define INTERP_RUN __attribute__((target("arch=x86-64-v4"))) exec_status interp_run_v4
#include "vm/interp_dispatch.h"
#undef INTERP_RUN
#endif
