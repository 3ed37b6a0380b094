/* replicas.h: a block of replicas of a model at inverse temperatures, and the sweeps that move them: what annealing, tempering, population
 * annealing and annealed importance sampling have in common.
 *
 * A replica at beta has the density exp(base + beta hot) of @tempered; its energy is -hot.  Replicas of one block are moved together by one
 * thread.  What a block does depends on its key and on what it is asked to do, never on the thread. */
#ifndef AIM_VM_REPLICAS_H
#define AIM_VM_REPLICAS_H

#include "vm/mh_walk.h"
#include "vm/rest_piece.h"
#include "vm/spin_form.h"

#include "stdlib/runtime/rt_potts.h"

/* What the blocks of a run share.  Where the energy is a quadratic form of spins (spin_form.h) they are moved by the kernels of rt_spin.h, with
 * local fields that are kept; else one element at a time by mh_walk.h. */
typedef struct replicas_kit {
  run *r;
  bool spins;
  spin_form form;
  rt_spin_model model;
  const rt_spin_kernels *kernels;
  rt_spin_groups groups; /* sites that are moved together; none where count is 0 */
  rt_potts_model potts; /* the same of colours */
  const rt_potts_kernels *colours;
  const uint32_t *sites; /* the order of visits, by colours; NULL: as they stand */
  bool one_beta;       /* all replicas of a block are at one inverse temperature */
  mh_tables tables;
  mh_scratch *scratch; /* [threads] */
  size_t threads;
} replicas_kit;

typedef struct replicas {
  const replicas_kit *kit;
  size_t n;
  double *energy;    /* [n] */
  double *best;      /* [n] lowest energies met since the start, wherever energies were computed */
  uint64_t visits;   /* of the last sweep of all replicas, or the last replicas_anneal, */
  double accepted;   /* and the accepted among them */
  rt_spin_tally tally; /* after replicas_start, and a sweep of walkers or a sparing one */
  rt_potts_run potts;
  uint16_t *colour;  /* [n][cells] and again: states on their way */
  rt_spin_run spin;  /* where kit->spins, in memory of */
  void *memory;
  size_t bytes;
  rt_spin_plan plan;
  uint64_t *flips;   /* [n] at the sweep before */
  int8_t *state;     /* [n][cells]: states on their way */
  mh_walk *walk;     /* else: [n] */
  exec_cell *frame;  /* [n][cells] */
  bool sparing;      /* where kit->spins and the best are kept: replicas_sweep leaves the tally, of energies computed after every replicas_every sweeps alone, and
                        `energy` and `best` to replicas_read and, at the end, replicas_look */
  bool exact;        /* replicas start as draws from the prior, whatever their energy */
  exec_cell *record; /* [n][cells] states of `best`; NULL: not kept */
  double *way_back;  /* [n][dim + elements] what walkers keep beside a frame, for those states; NULL: nothing restarts */
  run_status status;
} replicas;

/* Takes memory from the arena.  False with r->why where the model cannot be swept, or not in the order that is asked for. */
bool replicas_kit_make(replicas_kit *kit, run *r, size_t jobs, bool one_beta);
/* Outside the arena's reach, before any block is moved; _free after all are. */
bool replicas_kit_reserve(replicas_kit *kit);
void replicas_kit_free(replicas_kit *kit);
/* How many of so many replicas a block should have: more than that share no work. */
size_t replicas_block(const replicas_kit *kit, size_t replicas);
/* Takes memory from the arena. */
void replicas_make(replicas *x, const replicas_kit *kit, size_t n, bool keep_best);

/* Whether replicas can start as exact draws at beta 0, whose weight run_log_count tells; else r->why says why not. */
bool replicas_exact_start(run *r);

/* The rungs of a ladder, rising, and the sweeps on each; 0 with r->status and r->why where the schedule is none.  Arena. */
size_t temper_ladder(run *r, double **beta /* OUT */, uint64_t *sweeps /* OUT */);
enum { TEMPER_MOST_RUNGS = 100000 };

/* The next two return false with x->status when they cannot go on.
 *
 * Draws every replica anew, from the prior where it can be drawn.  Replica k has the number first + k in everything that is random. */
bool replicas_start(replicas *x, eval_worker *w, size_t thread, uint64_t key, uint64_t first);
/* At an exact start: whether what was drawn for replica k from the prior has a density above 0, which it has not where bounds that depend on other unknowns
 * leave nothing. */
bool replicas_possible(const replicas *x, size_t k);
/* One sweep; beta [n], or one number for all where `same`.  gain > 0: scales of proposals adapt. */
bool replicas_sweep(replicas *x, eval_worker *w, size_t thread, const double *beta, bool same, double gain);
/* A call of replicas_anneal: betas for all replicas, and what comes of the sweeps; floor is its own. */
enum { REPLICAS_SWEEPS = 256 };
typedef struct replicas_steps {
  size_t n; /* at most REPLICAS_SWEEPS */
  double beta[REPLICAS_SWEEPS], floor[REPLICAS_SWEEPS];
  rt_spin_tally tally[REPLICAS_SWEEPS]; /* OUT */
} replicas_steps;
/* How many sweeps apart replicas_anneal, and a sparing replicas_sweep, compute energies: each sweep where that costs little next to it, else eight. */
size_t replicas_every(const replicas *x);
/* After sparing sweeps: `energy` and `best` as the tally knows them, and for the states that there are. */
void replicas_read(replicas *x);
void replicas_look(replicas *x);
/* Where kit->spins and the best are kept: sweeps without a look at what they do.  Energies of a tally are of the last sweep whose number since the start
 * is a multiple of replicas_every, those of the last tally of the last sweep. */
void replicas_anneal(replicas *x, replicas_steps *steps);
/* Every replica goes back to the best state that it has met: what is kept of it, where the schedule has restarts.  False with x->status when it cannot go on. */
bool replicas_restart(replicas *x, eval_worker *w);
/* The state of replica k, or the best it has met. */
void replicas_state(const replicas *x, size_t k, bool best, exec_cell *frame /* OUT */);
/* All replicas at rest between two sweeps, as bytes that mean something to the same build and the same run: counted, written, or read in the place
 * of replicas_start, whose key and first number they then are given. */
void replicas_rest(replicas *x, uint64_t key, uint64_t first, rest_bytes *b);
/* Replica k becomes what parent[k] is, which has itself as parent; random numbers stay those of the place. */
void replicas_resample(replicas *x, const uint32_t *parent);

#endif
