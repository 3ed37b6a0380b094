/* nuts_twin.h: rt_nuts.c once more with every function renamed to twin_..., broken in the way that a RT_NUTS_BREAK_... before this line asks for. */
#ifndef NUTS_TWIN_H
#define NUTS_TWIN_H

#define rt_nuts_doubles twin_doubles
#define rt_nuts_init twin_init
#define rt_nuts_lane_set twin_lane_set
#define rt_nuts_point_set twin_point_set
#define rt_nuts_metric_set twin_metric_set
#define rt_nuts_factor_set twin_factor_set
#define rt_nuts_gradient twin_gradient
#define rt_nuts_start twin_start
#define rt_nuts_step_start twin_step_start
#define rt_nuts_advance twin_advance
#define rt_nuts_kernels_for twin_kernels_for
#include "stdlib/runtime/rt_nuts.c"
#ifdef NUTS_TWIN_CHAIN /* and the driver of chains on top of it */
#define nuts_options_init twin_options_init
#define nuts_chain_doubles twin_chain_doubles
#define nuts_chain_run twin_chain_run
#define nuts_chain_bytes twin_chain_bytes
#define nuts_chain_save twin_chain_save
#define nuts_chain_open twin_chain_open
#define nuts_chain_step twin_chain_step
#define nuts_chain_point twin_chain_point
#define nuts_log_volume twin_log_volume
#include "vm/nuts_chain.c"
#undef nuts_options_init
#undef nuts_chain_doubles
#undef nuts_chain_run
#undef nuts_chain_bytes
#undef nuts_chain_save
#undef nuts_chain_open
#undef nuts_chain_step
#undef nuts_chain_point
#undef nuts_log_volume
#endif
#undef rt_nuts_doubles
#undef rt_nuts_init
#undef rt_nuts_lane_set
#undef rt_nuts_point_set
#undef rt_nuts_metric_set
#undef rt_nuts_factor_set
#undef rt_nuts_gradient
#undef rt_nuts_start
#undef rt_nuts_step_start
#undef rt_nuts_advance
#undef rt_nuts_kernels_for

#endif
