/* random_stream.h: one stream of random numbers (xorshift64*, Vigna 2016) for tests of the runtime, which include nothing else of ours.  The order in
 * which tests run is part of what they see. */
#ifndef AIM_TESTS_RANDOM_STREAM_H
#define AIM_TESTS_RANDOM_STREAM_H

#include <math.h>
#include <stdint.h>

static uint64_t state = 0x9E3779B97F4A7C15u;

static inline uint64_t next(void)
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state * 0x2545F4914F6CDD1Du;
}

/* In (0, 1). */
static inline double uniform(void) { return ((double)(next() >> 12) + 0.5) * 0x1p-52; }

static inline double normal(void) { return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform()); }

#endif
