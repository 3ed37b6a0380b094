/* annealed.h: what an annealing run has found, for those who tell it. */
#ifndef AIM_VM_ANNEALED_H
#define AIM_VM_ANNEALED_H

#include <stddef.h>
#include <stdint.h>

/* How a block of annealed replicas fared: some of its sweeps, evenly spaced from the first. */
typedef struct anneal_point {
  uint64_t sweep;
  double beta, energy, best, acceptance; /* energy: the mean of the replicas; best: the lowest so far */
} anneal_point;

enum { ANNEAL_POINTS = 4096 };

typedef struct anneal_trace {
  uint64_t sweeps, stride;
  uint64_t flips;      /* of all replicas, at the last point that was offered */
  anneal_point *point; /* [most] */
  size_t n, most;      /* most: even, at most ANNEAL_POINTS */
} anneal_trace;

typedef struct anneal_result {
  double best, mean;     /* lowest energy of all replicas; mean of the replicas' lowest */
  size_t replica;        /* the first that met it, from 0: its row among the draws */
  size_t reached;        /* replicas that met it */
  uint64_t sweeps;       /* of the block that made most */
  anneal_trace *trace;   /* [blocks] */
  size_t blocks;
} anneal_result;

#endif
