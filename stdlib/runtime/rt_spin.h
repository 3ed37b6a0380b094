/* rt_spin.h: sweeps, anneals and Gibbs sampling of two-valued spins with pairwise couplings.
 *
 *     E(s) = - sum_{i<j} J_ij s_i s_j - sum_i h_i s_i,   s_i in {-1, +1},   P(s) ~ exp(-beta E(s))
 *
 * each pair once, so a positive J is ferromagnetic.  The local field of a spin is f_i = sum_j J_ij s_j + h_i, and flipping it costs
 * dE = 2 s_i f_i.  Fields are kept for every spin and changed when a spin flips (or counted anew from the neighbours where spins are bits).
 *
 * Use: fill an rt_spin_problem with what is known (its arrays are borrowed); rt_spin_model_size and rt_spin_model_make pack it once into memory of the
 * caller's, read by any number of runs and threads.  An rt_spin_run has the replicas of one plan: rt_spin_run_size and init, then load or scatter,
 * then sweep as often as wanted: one call does a whole schedule.  Nothing is allocated.  All memory is aligned to RT_SPIN_ALIGN bytes.
 * Categorical sites are in rt_potts.h.
 *
 * Randomness.  Results are a function of (model, plan, schedule) and have the same bits at every instruction-set level.  Visits are counted through the
 * run, from 0 and over all its sweeps; K_r = rt_key_fold(plan.key, plan.first_replica + r) is the key of replica r.
 *   acceptance at visit v: word (v/16) % 4 of rt_philox4x32(K_r, B low, RT_SPIN_SITE_ACCEPT, B high, 0), B = 16 (v/64) + v % 16;
 *   site of visit v in random order: the same words under plan.key with RT_SPIN_SITE_ORDER; with m sites to choose from it is number (w m) >> 32.  All
 *     replicas of a plan visit the same sites, and each by itself is an exact chain;
 *   random spins: bit i % 32 of word (i/32) % 4 of rt_philox4x32(K_r, i/128, RT_SPIN_SITE_START, 0, 0), 1 for +1.
 * So with the codings SCALAR and IN_LANES a replica depends neither on how many others run with it, nor on which of the two runs it, nor on how sweeps
 * are divided over calls.  IN_BITS keeps replica r as bit r % 64 of word (r/64) % 8 of block r/512 (a last block is filled up with replicas that nobody
 * reads); IN_WORDS keeps it as bit r % 64 of word r/64 of each site; PLANE has a block for each replica, laid out as rt_isa_spin_plane.c draws it.  Their random bits are those of xoroshiro128+ (Blackman and Vigna 2021, rotations 24, 16, 37)
 * in streams of 64-bit words, one for each word of a block, whose state at the start of sweep t is rt_philox4x32(K_b, l, RT_SPIN_SITE_STREAM, t low, t high)
 * for word l and K_b = rt_key_fold(plan.key, 2^63 + b) of block b, counted from first_replica (/512, or /64), the lowest bit of the last word set.  512 decisions take
 * RT_SPIN_BITS_SUMS steps of the streams (a, b).  The highest digits of their 512 uniform numbers are the sums a + b, highest first, then the words a of the last of
 * these states, in the order of time, RT_SPIN_BITS_FIRST in all.  Where a decision still hangs on the others, they are the numbers of xoroshiro128** of the states
 * that follow; those of the next decisions follow on the sums all the same. */
#ifndef RT_SPIN_H
#define RT_SPIN_H

#include <stddef.h>
#include <stdint.h>

enum {
  RT_SPIN_ALIGN = 64,
  RT_SPIN_LANES = 16,  /* replicas side by side in the coding IN_LANES */
  RT_SPIN_BLOCK = 512, /* replicas in a block of the coding BITS */
  RT_SPIN_BITS = 32, RT_SPIN_BITS_FIRST = 16, RT_SPIN_BITS_SUMS = 10,
  RT_SPIN_SLICES = 11, /* of counts below 1024, and their end */
  RT_SPIN_SITE_ACCEPT = 0x53500001, RT_SPIN_SITE_ORDER, RT_SPIN_SITE_START, RT_SPIN_SITE_STREAM
};

/* ---- what a visit does: flip with probability rt_spin_acceptance(rule, beta dE, floor) */

typedef enum rt_spin_rule {
  RT_SPIN_METROPOLIS, /* min(1, exp(-x)) */
  RT_SPIN_HEAT_BATH,  /* 1 / (1 + exp(x)): a draw from the conditional, whatever the spin was */
  RT_SPIN_GLAUBER = RT_SPIN_HEAT_BATH, /* for two values the same transition probabilities */
  RT_SPIN_FLOORED,    /* max(min(1, exp(-x)), floor): not reversible, and its limit is not P.  For search only. */
  RT_SPIN_RULES
} rt_spin_rule;

typedef enum rt_spin_order {
  RT_SPIN_SEQUENTIAL, /* along plan.sites */
  RT_SPIN_RANDOM,     /* each visit at a site of plan.sites drawn uniformly */
  RT_SPIN_COLOURED    /* along plan.sites, which the caller has sorted by colour; only a site list distinguishes it from SEQUENTIAL */
} rt_spin_order;

/* What fields and energies are kept in.  Where couplings and fields are multiples of one unit all three are exact. */
typedef enum rt_spin_precision {
  RT_SPIN_F64,
  RT_SPIN_F32,   /* fields in f32, refreshed every 128 n flips; energies from these fields */
  RT_SPIN_MIXED  /* the same, but the energies and best energies left by a call that no more follow are computed from f64 couplings.  Dense couplings that leave the
                    nearest caches are rounded to 16 bits, to multiples of one unit, where that moves no site's couplings and field by more than 2^-13 of their
                    Euclidean norm.  The chain is then that of the rounded problem, in sums without any rounding, so nothing needs refreshing; it stays symmetric, and
                    detailed balance is kept.  Energies after the sweeps of a call, and which state is best, are by these, and what the call leaves is exact. */
} rt_spin_precision;

/* How replicas lie in memory. */
typedef enum rt_spin_coding {
  RT_SPIN_AUTO, /* a plan's before rt_spin_choose */
  RT_SPIN_SCALAR, /* each replica by itself; 16 visits are looked at together */
  RT_SPIN_IN_LANES, /* 16 replicas side by side, for few spins or high acceptance: dense problems */
  RT_SPIN_IN_BITS,  /* a bit each, 512 to a block: small integer couplings without fields, one beta for all replicas */
  RT_SPIN_IN_WORDS, /* a bit each, 64 to a block, eight sites at a time that are not coupled: couplings and fields of one unit, one beta for all
                       replicas, every site visited once a sweep, in an order that plan.groups has */
  RT_SPIN_PLANE     /* a bit for each spin of a lattice: couplings -J, 0 and J, no fields, width a multiple of 128, height of 16, order COLOURED of all
                       sites: first those with even x + y, then the others, whatever plan.sites says; one beta for all replicas */
} rt_spin_coding;

/* ---- problems */

typedef enum rt_spin_form { RT_SPIN_DENSE, RT_SPIN_SPARSE, RT_SPIN_LATTICE } rt_spin_form;

typedef struct rt_spin_problem {
  rt_spin_form form;
  size_t n;        /* spins, 1 <= n < 2^31 */
  const double *h; /* [n] or NULL: no fields */
  /* DENSE */
  const double *J; /* [n][n], symmetric; the diagonal is not read */
  size_t split;    /* 0, or: couplings only between i < split and j >= split (a Boltzmann machine's two layers), what else is in J is not read */
  size_t systems;  /* 0 or 1: one problem.  Else J is [systems][n][n] and h [systems][n], replica r has problem r % systems */
  /* SPARSE: both directions of a pair are in it, no diagonal, columns of a row rise */
  const uint32_t *row;    /* [n + 1] */
  const uint32_t *column; /* [row[n]] */
  const double *weight;   /* [row[n]], J of the pair; NULL: all are `coupling` */
  double coupling;
  /* LATTICE: site y * width + x, n = width * height, neighbours to all four sides.  A side of 2 that wraps has both bonds. */
  size_t width, height;
  int wrap_x, wrap_y;
  const int8_t *right, *down; /* [n]: the bond from a site to x + 1, to y + 1 is coupling * this (-1, 0 or 1); NULL: coupling.  Those beyond an open
                                 edge are not read. */
} rt_spin_problem;

/* How packed couplings are stored: the narrowest type that holds them exactly, if one does. */
typedef enum rt_spin_element { RT_SPIN_EL_F64, RT_SPIN_EL_F32, RT_SPIN_EL_I16, RT_SPIN_EL_I8 } rt_spin_element;

typedef struct rt_spin_model {
  rt_spin_problem p; /* what is borrowed must live on */
  rt_spin_precision precision;
  rt_spin_element element;
  double unit;    /* fields are kept in this unit; couplings and fields are integer multiples of it where `exact` */
  int exact;      /* and small enough that no sum rounds */
  int rounded;    /* MIXED: so are J as packed, and fields, but not as the caller gave them */
  size_t ld;      /* numbers of a replica's spins and of its fields, and elements of a DENSE row: n rounded up to 16, and 16 more where edges end there */
  size_t degree;  /* SPARSE, LATTICE: most neighbours of a site */
  size_t bytes;   /* of memory */
  /* packed; NULL where the form has none */
  const void *J;           /* DENSE [systems][n][ld] */
  const void *J_lanes;     /* DENSE with systems > 1: [systems / 16][n][n][16] */
  const uint32_t *row, *column; /* SPARSE, and LATTICE as such */
  const void *weight;           /* of type `element`, in units; NULL: all are +1 or all -1, which `sign` says */
  float sign;
  /* The same where `element` is f32, for flips: each row has a multiple of `step` edges, which spares a processor guessing how many.  Those too many go to
   * columns behind the spins, each to another one, whose fields nobody reads. */
  const uint32_t *edge_row, *edge_column;
  const float *edge_weight; /* NULL as `weight` */
  size_t step;
  const uint8_t *clash;    /* [n]: a neighbour of the site is in its group of 16 sites behind it */
  /* For IN_BITS, where `exact` and no site has more than 1023 units of couplings and field; else slices is 0.  1: all couplings and
   * fields are one unit. */
  int slices;
  const uint32_t *slice_row;    /* [n][RT_SPIN_SLICES] where a site's bonds begin whose weight has bit k, and the end */
  const uint32_t *slice;        /* 64 * neighbour, n for the field; plus 1: the coupling is negative */
  const uint16_t *slice_weight; /* [n] of all bonds of a site; slice_most the largest */
  int slice_most, slice_sign;   /* sign: of all bonds, 0 if they differ */
  double slice_total;           /* weight of all couplings, each pair once, and fields */
  /* For PLANE: [n / 512][4] vectors, see rt_isa_spin_plane.c; NULL where all couplings have one sign, and where no bond is missing.  fits_plane: the
   * lattice has the shape for it. */
  const void *plane_negative, *plane_missing;
  int fits_plane;
} rt_spin_model;

/* Bytes that rt_spin_model_make needs; looks at the problem and fills m's decisions.  0: not a problem these kernels take (n too large, a coupling
 * that is not finite, an index out of range, columns that do not rise). */
size_t rt_spin_model_size(rt_spin_model *m /* OUT */, const rt_spin_problem *p, rt_spin_precision precision);
/* Packs into `memory`, of m->bytes, after rt_spin_model_size. */
void rt_spin_model_make(rt_spin_model *m, void *memory);

/* The exact energy of a state, in f64 from what the caller gave: the canonical one that tests and reports compare with. */
double rt_spin_energy(const rt_spin_problem *p, size_t system, const int8_t *s);

/* The neighbours of a lattice site in the order up, left, right, down, and J of each; their number. */
int rt_spin_lattice_neighbours(const rt_spin_problem *p, size_t site, uint32_t to[4], double weight[4]);

/* ---- a list of visits as groups of up to eight sites that are not coupled
 *
 * Whatever order the list has, coupled sites are visited in it; others commute. */

enum { RT_SPIN_GROUP_BONDS = 63, RT_SPIN_GROUPS_SHORT = 256 };

typedef struct rt_spin_group {
  uint8_t bonds;  /* words that each lane counts: its neighbours', and as many of spins up as down where another lane has more; */
  uint8_t even;   /* 1: and the sites' own spins, */
  uint8_t pad;    /* from here on, so that 2 pad + bonds + even = 2^planes - 1 */
  uint8_t planes;
  uint8_t lanes;  /* bits: those in use, */
  uint8_t field, field_down; /* those with a field, and with a negative one */
  uint32_t at[8]; /* 2 * site, or 2 (n + 1) where not in use */
} rt_spin_group;

typedef struct rt_spin_groups {
  size_t count;
  const rt_spin_group *group; /* [count] */
  const uint32_t *bond; /* of all groups in turn: [bonds][8], 2 * neighbour (n for a field), plus 1: negative */
  uint64_t pads;        /* what a count of all groups is too large by, in any state */
} rt_spin_groups;

/* Bytes for groups of a list of `count` sites, after the model is made; 0: none can be made, for not all couplings and fields are one unit, a site has more than
 * RT_SPIN_GROUP_BONDS of them, or sites are left out. */
size_t rt_spin_groups_size(const rt_spin_model *m, size_t count);
/* Fills memory, aligned, for the sites [n] in the order of the list (NULL: rising).  0: the groups are less than half full, for too few sites commute.  Of a list of at most
 * RT_SPIN_GROUPS_SHORT sites they are made all the same. */
int rt_spin_groups_make(rt_spin_groups *g /* OUT */, const rt_spin_model *m, const uint32_t *sites, void *memory);

/* ---- runs */

typedef struct rt_spin_plan {
  rt_spin_rule rule;
  rt_spin_order order;
  rt_spin_coding coding;
  uint64_t key;
  uint64_t first_replica;
  size_t replicas;       /* >= 1 */
  const uint32_t *sites; /* [site_count] borrowed: sites visited, each once; others are clamped.  NULL: all, rising */
  size_t site_count;
  const rt_spin_groups *groups; /* borrowed: the visits for IN_WORDS; NULL: not that coding */
  size_t proposals;      /* RANDOM: visits of a sweep; 0: as many as sites.  Other orders ignore it */
  int keep_best;         /* where energies are computed (rt_spin_schedule.every) a replica's state is kept if it is its best so far */
} rt_spin_plan;

/* All replicas after a sweep: the sum of their energies where these were last computed (replica r in lane r % 8, then the lanes from 0 on), the lowest that any has
 * met, and the sum of their flips since the start. */
typedef struct rt_spin_tally {
  double energy, best;
  uint64_t flips;
} rt_spin_tally;

typedef struct rt_spin_schedule {
  size_t sweeps;
  const double *beta;  /* beta of sweep t, replica r: beta[t * by_sweep + r * by_replica]; >= 0, +inf allowed */
  size_t by_sweep, by_replica;
  const double *floor; /* FLOORED: [sweeps], in [0, 1) */
  size_t every;        /* energies are computed after sweeps whose number in the run, from 1, is a multiple of this, and after the last; 0 is 1 */
  int more;            /* another call follows: the last sweep of this one is not the last.  A call of no sweeps ends a run that was left so */
  double *energy;      /* [sweeps][replicas] OUT, or NULL: energies after each sweep; `every` is then 1 */
  rt_spin_tally *tally; /* [sweeps] OUT, or NULL.  Only for plans that keep the best */
} rt_spin_schedule;

/* Flips of a replica in a group of 16 visits: sites, and minus what the spins were. */
typedef struct rt_spin_flipped {
  uint32_t count, site[16];
  float to[16];
} rt_spin_flipped;
enum { RT_SPIN_PIECE = 64, RT_SPIN_VARIATES = 16 + RT_SPIN_PIECE + 32 }; /* visits whose variates are drawn together; and, where visits are looked at together, room for
  a vector before and two behind */

typedef struct rt_spin_run {
  const rt_spin_model *model;
  rt_spin_plan plan;
  uint64_t visit, sweep; /* visits and sweeps done; to continue a stored run with its own randomness, set both */
  /* [replicas], in the run's memory */
  double *energy, *best_energy;
  uint64_t *flips;       /* accepted so far (of visits * sweeps) */
  /* the rest is the kernels' own */
  void *state;
  void *best;      /* as the spins in `state` */
  uint64_t *fresh; /* [replicas] flips when the fields were last computed anew, */
  uint64_t *known; /* and when the energy was */
  uint64_t *key;   /* K_r */
  float *factor;   /* from a variate to a bound, in this sweep */
  float *variate;  /* of 64 visits: [slots][RT_SPIN_VARIATES], in lanes [slots / 16][RT_SPIN_PIECE][16]; and */
  uint32_t site[64]; /* where these go in random order: */
  uint64_t chunk;  /* visits 64 chunk to 64 chunk + 63; ~0: of none yet.  A call goes on with what the last one has drawn */
  struct rt_spin_flipped *flipped; /* in a group of 16 visits; SCALAR */
} rt_spin_run;

/* The coding that a plan with RT_SPIN_AUTO gets, for replicas with one beta (uniform_beta) or several. */
rt_spin_coding rt_spin_choose(const rt_spin_model *m, const rt_spin_plan *plan, int uniform_beta);
/* Whether spins are bits. */
static inline int rt_spin_as_bits(rt_spin_coding coding) { return coding == RT_SPIN_IN_BITS || coding == RT_SPIN_IN_WORDS || coding == RT_SPIN_PLANE; }
/* Whether the coding can run the plan. */
int rt_spin_can(const rt_spin_model *m, const rt_spin_plan *plan, rt_spin_coding coding);
/* Bytes of a run's memory; plan->coding is not AUTO.  0: rt_spin_can says no. */
size_t rt_spin_run_size(const rt_spin_model *m, const rt_spin_plan *plan);
/* Spins and energies are undefined until load or scatter. */
void rt_spin_run_init(rt_spin_run *run, const rt_spin_model *m, const rt_spin_plan *plan, void *memory);

/* Where spin (x, y) of a PLANE lies (rt_isa_spin_plane.c): vector, 64-bit lane of it, bit. */
typedef struct rt_spin_place {
  size_t vector;
  int lane, bit;
} rt_spin_place;
static inline rt_spin_place rt_spin_place_of(const rt_spin_problem *p, size_t site)
{
  size_t x = site % p->width, y = site / p->width, rows = p->height / 8, words = p->width / 128, k = x / 2;
  return (rt_spin_place){((x + y) % 2 * rows + y % rows) * words + k / 64, (int)(y / rows), (int)(k % 64)};
}

typedef struct rt_spin_kernels {
  /* Sets the states of all replicas, s [replicas][n], or random ones where s is NULL; computes fields and energies and forgets the best. */
  void (*load)(rt_spin_run *run, const int8_t *s);
  /* The state of a replica, or the best one kept, into s [n]. */
  void (*store)(const rt_spin_run *run, size_t replica, int best, int8_t *s);
  /* A schedule for all replicas. */
  void (*sweep)(rt_spin_run *run, const rt_spin_schedule *schedule);
  /* The number that a visit compares beta dE with: it flips where beta dE <= this.  `w` is the visit's random word; the f32 kernels' own. */
  float (*variate)(rt_spin_rule rule, uint32_t w);
} rt_spin_kernels;

#if defined(__x86_64__)
extern const rt_spin_kernels rt_spin_kernels_v2, rt_spin_kernels_v3, rt_spin_kernels_v4;
#else
extern const rt_spin_kernels rt_spin_kernels_generic;
#endif
/* The table of a level as in rt_kernels_for (rt_kernels.h); 0 asks for the machine's best.  All give the same bits. */
const rt_spin_kernels *rt_spin_kernels_for(int level);

/* Probability that a visit flips its spin, x = beta dE. */
double rt_spin_acceptance(rt_spin_rule rule, double x, double floor);

#endif
