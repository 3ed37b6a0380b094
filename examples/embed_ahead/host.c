/* host.c: a model inside a C program that has neither AIM nor LLVM: Hamiltonian Monte Carlo by hand on the gradient of an object.
 *
 *     aimc build ../eight_schools.aim
 *     cc -O2 -o host host.c eight_schools.o -lm && ./host
 */
#include "eight_schools.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIM = 10, DRAWS = 20000, STEPS = 24 };
static const double STEP = 0.15; /* of a leapfrog, with unit masses */

static uint64_t state = 1;
static double uniform(void) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17; /* Marsaglia 2003 */
  return ((double)(state >> 11) + 0.5) * 0x1p-53;
}
static double normal(void) { return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform()); }

int main(void) {
  const double y[8] = {28, 8, -3, 7, -1, 1, 18, 12}, sigma[8] = {15, 10, 16, 11, 9, 11, 10, 18};
  eight_schools_data d = {.y = y, .sigma = sigma};
  void *frame = malloc(eight_schools_frame_bytes(&d)), *scratch = malloc(eight_schools_scratch_bytes(&d));
  if (!frame || !scratch || eight_schools_dimension(&d) != DIM || eight_schools_prepare(&d, frame, scratch)) return 1;

  double mu, tau, theta[8], mean_mu = 0, mean_tau = 0;
  eight_schools_latents at = {.mu = &mu, .tau = &tau, .theta = theta};
  double q[DIM] = {0}, g[DIM], lp;
  if (eight_schools_log_density(&d, frame, scratch, q, &lp, g)) return 1;
  for (int draw = 0; draw < DRAWS; draw++) {
    double x[DIM], h[DIM], p[DIM], to = lp, before = lp, after = 0;
    for (int k = 0; k < DIM; k++) p[k] = normal(), x[k] = q[k], h[k] = g[k], before -= 0.5 * p[k] * p[k];
    int steps = 1 + (int)(STEPS * uniform());
    for (int s = 0; s < steps; s++) {
      for (int k = 0; k < DIM; k++) p[k] += 0.5 * STEP * h[k], x[k] += STEP * p[k];
      if (eight_schools_log_density(&d, frame, scratch, x, &to, h)) return 1;
      for (int k = 0; k < DIM; k++) p[k] += 0.5 * STEP * h[k];
    }
    for (int k = 0; k < DIM; k++) after += 0.5 * p[k] * p[k];
    if (log(uniform()) < to - after - before) { /* never true of a NaN */
      for (int k = 0; k < DIM; k++) q[k] = x[k], g[k] = h[k];
      lp = to;
    }
    if (eight_schools_constrain(&d, frame, scratch, q, &at)) return 1;
    mean_mu += mu / DRAWS;
    mean_tau += tau / DRAWS;
  }
  printf("mean of mu %.2f, of tau %.2f\n", mean_mu, mean_tau);
  free(frame);
  free(scratch);
  return 0;
}
