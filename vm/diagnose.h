/* diagnose.h: what draws say about a parameter, and what they say about themselves.
 *
 * Definitions follow Vehtari, Gelman, Simpson, Carpenter and Buerkner 2021 ("Rank-normalization, folding, and localization: an improved
 * R-hat", Bayesian Analysis 16:667): chains are split in halves (the middle draw of an odd number is dropped), R-hat is the larger of
 * that of the rank-normalised draws and that of the rank-normalised folded draws; bulk ESS is that of the rank-normalised draws, tail
 * ESS the smaller of those of the indicators x <= q of the 5 % and 95 % quantiles (of discrete draws an indicator may never change;
 * it is then passed over).  Autocorrelations are summed by Geyer's initial
 * monotone sequence.  Quantiles interpolate linearly (R's type 7).
 *
 * Nothing here allocates, prints or keeps state; sums have a fixed order. */
#ifndef AIM_VM_DIAGNOSE_H
#define AIM_VM_DIAGNOSE_H

#include "lang/arena.h"
#include "stdlib/runtime/rt_nuts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Draws of one quantity, borrowed: draw i of chain c is x[c * chain_stride + i * draw_stride]. */
typedef struct diagnose_draws {
  const double *x;
  size_t chains, draws;
  size_t chain_stride, draw_stride;
} diagnose_draws;

typedef enum diagnose_fault {
  DIAGNOSE_OK,
  DIAGNOSE_FEW,       /* fewer than 4 draws in a chain, or no chain: nothing can be said */
  DIAGNOSE_NONFINITE, /* a draw is NaN or infinite */
  DIAGNOSE_CONSTANT   /* all draws are equal, or differ by less than 1e-12 of themselves, which is rounding: location is known, the rest is not */
} diagnose_fault;

typedef struct diagnose_summary {
  diagnose_fault fault;      /* every number that a fault makes meaningless is NaN */
  double mean, sd;           /* sd with divisor n - 1 */
  double median, mad;        /* mad: median of |x - median|, times 1.4826 (the sd, if normal) */
  double q5, q95;
  double rhat, ess_bulk, ess_tail;
  double mcse_mean, mcse_sd, mcse_q5, mcse_median, mcse_q95;
} diagnose_summary;

/* One sentence without a full stop for a fault, "" for DIAGNOSE_OK.  Static text. */
const char *diagnose_fault_text(diagnose_fault f);

/* Doubles of workspace for chains x draws; 0 if that does not fit. */
size_t diagnose_doubles(size_t chains, size_t draws);
/* work: diagnose_doubles(d->chains, d->draws) doubles, borrowed for the call.  Returns out->fault. */
diagnose_fault diagnose_summarise(const diagnose_draws *d, double *work, diagnose_summary *out);

/* Single figures, with the same workspace and NaN for faults.  prob in (0, 1). */
double diagnose_rhat(const diagnose_draws *d, double *work);
double diagnose_ess_bulk(const diagnose_draws *d, double *work);
double diagnose_ess_tail(const diagnose_draws *d, double *work);
double diagnose_ess_mean(const diagnose_draws *d, double *work);
double diagnose_ess_quantile(const diagnose_draws *d, double prob, double *work);

/* Estimated Bayesian fraction of missing information of one chain (Betancourt 2016): the mean square of the steps of the energy over
 * its variance.  NaN for fewer than 2 energies, or constant or non-finite ones. */
double diagnose_ebfmi(const double *energy, size_t n, size_t stride);

/* What a run is judged by.  Counts are over draws after warm-up, of all chains together. */
typedef struct diagnose_run {
  size_t chains, draws;         /* draws of one chain */
  uint64_t n_divergent, n_max_depth, n_nan;
  uint32_t max_depth;
  double delta;                 /* target acceptance that was used */
  uint64_t n_invalid;           /* points outside a support, with an invalid parameter, or where something was NaN, as the caller has told already */
  const char *const *centred;   /* [n_centred] unknowns that could be sampled through their standard variates and are not */
  size_t n_centred;
  bool noncentred;              /* some unknown is sampled so */
  const char *slow;             /* what helps where draws are of little worth; NULL: to reparametrise */
  bool may_search;              /* chains began at random, and Pathfinder could have found them a beginning */
  const double *ebfmi;          /* [chains] */
  size_t n_names;               /* quantities */
  const char *const *names;     /* [n_names] */
  const diagnose_summary *summaries; /* [n_names] */
  const bool *discrete;         /* [n_names], or NULL for none: named after the others */
} diagnose_run;

/* Writes what is wrong with the run to b, one line per finding: what was seen, what it means, what to do.  Names the worst
 * quantities.  Returns the number of findings; 0 writes nothing. */
size_t diagnose_advise(const diagnose_run *r, strbuf *b);

#endif
