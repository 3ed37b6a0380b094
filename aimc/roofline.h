/* roofline.h: what this machine can do with one thread: the two numbers that a computation cannot beat (Williams, Waterman and Patterson
 * 2009, "Roofline"). */
#ifndef AIMC_ROOFLINE_H
#define AIMC_ROOFLINE_H

#include <stddef.h>

/* Processor time of this process, in seconds: on a machine that others use too, a wall clock would time them. */
double processor_seconds(void);

/* Floating-point operations a second, by fused multiply-adds on registers, each of which counts as two. */
double roofline_flops(void);
/* Bytes a second that are read, again and again, from a buffer of so many bytes: of the cache where that fits, else of memory.  bytes is
 * brought between 4 kB and 256 MB.  0 if there is no memory for it. */
double roofline_bytes(size_t bytes);

#endif
