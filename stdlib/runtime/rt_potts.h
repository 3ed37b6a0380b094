/* rt_potts.h: sweeps, anneals and Gibbs sampling of sites with q values (colours, categories).
 *
 *     E(s) = - sum_{i<j} J_ij [s_i = s_j] - sum_i H_i[s_i],   s_i in 0 .. q-1,   P(s) ~ exp(-beta E(s))
 *
 * on a graph or lattice.  Used as rt_spin.h is, whose problems (SPARSE and LATTICE; h is not read), plans, schedules and rules it shares; memory is the
 * caller's and aligned to RT_SPIN_ALIGN.  A state is a uint16_t for each site.
 *
 * With a_c = sum of J_ij over neighbours of colour c, and H_i[c], a visit to site i
 *   HEAT_BATH (GLAUBER)  draws the colour from probabilities proportional to exp(beta a_c);
 *   METROPOLIS           proposes one of the other q - 1 colours, each alike, and takes it with probability min(1, exp(beta (a_new - a_old)));
 *   FLOORED              the same with max(that, floor): for search only.
 * a_c is added up anew at each visit, in the order of the neighbours (lattice: up, left, right, down), then the field: in f64, or with precision F32 and MIXED in f32, and in f32 as well where
 * that is exact.  The difference of two is then rounded to f32, and what follows is f32 as in rt_spin.h.  Energies come from f64 couplings and cannot drift.
 *
 * Randomness as in rt_spin.h: visit v of replica r has word w of RT_SPIN_SITE_ACCEPT under K_r; a proposal is colour s + 1 + (z (q - 1) >> 32) mod q
 * with z its word of RT_POTTS_SITE_PROPOSE; random states are z q >> 32 with z the site's word of RT_POTTS_SITE_START, counted as a visit.  Heat bath compares
 * ((w >> 8) + 1/2) / 2^24 times the sum of all exp(beta (a_c - max a)) with the running sums, in f32.  The codings SCALAR and IN_LANES give the same states. */
#ifndef RT_POTTS_H
#define RT_POTTS_H

#include "stdlib/runtime/rt_spin.h"

/* The probabilities to [q] of the site's colours after a visit, x [q] being beta a_c and `now` the colour before it. */
void rt_potts_visit(rt_spin_rule rule, size_t q, const double *x, size_t now, double floor, double *to /* OUT */);

enum { RT_POTTS_SITE_PROPOSE = 0x50540001, RT_POTTS_SITE_START, RT_POTTS_MOST = 65536 };

typedef struct rt_potts_problem {
  rt_spin_problem graph;
  size_t q;        /* 2 .. RT_POTTS_MOST */
  const double *H; /* [n][q] or NULL: no fields */
} rt_potts_problem;

typedef struct rt_potts_model {
  rt_potts_problem p;
  rt_spin_model graph;
  const float *H; /* packed, in units of the graph's couplings */
  int wide;       /* a_c are sums in f64 */
  size_t bytes;
} rt_potts_model;

/* As rt_spin_model_size and _make. */
size_t rt_potts_model_size(rt_potts_model *m /* OUT */, const rt_potts_problem *p, rt_spin_precision precision);
void rt_potts_model_make(rt_potts_model *m, void *memory);
double rt_potts_energy(const rt_potts_problem *p, const uint16_t *s);

typedef struct rt_potts_run {
  const rt_potts_model *model;
  rt_spin_plan plan;
  uint64_t visit, sweep;
  double *energy, *best_energy; /* [replicas] */
  uint64_t *changes;            /* [replicas] visits that changed their site */
  /* the kernels' own */
  int32_t *state;               /* SCALAR [replicas][stride], IN_LANES [group of 16][n][16] */
  size_t stride;
  /* SCALAR in a given order, all couplings one unit, no fields, few neighbours: states lie in the order of visits, the clamped sites behind.  Places n and
   * n + 1 and those that fill up have no colour. */
  uint32_t *place;              /* [n] of each site, or NULL */
  uint32_t *neighbour;          /* [degree][stride] places of the neighbours of the site at a place; n where there are no more */
  int32_t *best;                /* as `state` */
  uint64_t *known;              /* [replicas] changes when the energy was last computed */
  uint64_t *key;
  float *factor;                /* beta * unit */
  uint32_t *word, *proposal;    /* of 64 visits: [replicas][64], or [64][16] for each group, and */
  uint32_t site[64];            /* where these go in random order: */
  uint64_t chunk;               /* visits 64 chunk to 64 chunk + 63; ~0: of none yet */
  uint8_t *group;               /* SCALAR: how many sites from a place of the order on are no neighbours of each other, at most 16 */
  float *scratch;               /* [2 q + 2 degree][16] */
  double *wide;                 /* where the model is wide: [2 q + 2 degree][16], sums, fields, weights and colours */
} rt_potts_run;

/* plan->coding is SCALAR or IN_LANES (AUTO is not resolved here: IN_LANES from RT_POTTS_LANES replicas on is faster). */
enum { RT_POTTS_LANES = 4 };
size_t rt_potts_run_size(const rt_potts_model *m, const rt_spin_plan *plan);
void rt_potts_run_init(rt_potts_run *run, const rt_potts_model *m, const rt_spin_plan *plan, void *memory);

typedef struct rt_potts_kernels {
  void (*load)(rt_potts_run *run, const uint16_t *s); /* [replicas][n], or NULL: random */
  void (*store)(const rt_potts_run *run, size_t replica, int best, uint16_t *s);
  void (*sweep)(rt_potts_run *run, const rt_spin_schedule *schedule);
} rt_potts_kernels;

#if defined(__x86_64__)
extern const rt_potts_kernels rt_potts_kernels_v2, rt_potts_kernels_v3, rt_potts_kernels_v4;
#else
extern const rt_potts_kernels rt_potts_kernels_generic;
#endif
const rt_potts_kernels *rt_potts_kernels_for(int level);

#endif
