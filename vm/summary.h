/* summary.h: the table a run ends with: mean, MCSE, standard deviation, quantiles, effective sizes and R-hat of every
 * quantity, as text.
 *
 * Numbers are rounded to what the Monte Carlo error supports: a mean shows decimals down to the first significant digit of
 * its MCSE plus one, so that no digit shown is noise alone.  Widths adapt to the longest name and number.  A long
 * list is cut after max_rows with a line that says how many rows are left and where they are. */
#ifndef AIM_VM_SUMMARY_H
#define AIM_VM_SUMMARY_H

#include "lang/arena.h"
#include "vm/draws.h"
#include "vm/weighted.h"

typedef struct summary_row {
  size_t column;
  double mean, mcse, sd, q5, q50, q95, ess_bulk, ess_tail, rhat; /* NaN where undefined: a constant column */
} summary_row;

/* Statistics of every column over the complete rows of all chains (cut to the shortest chain), in `a`.  Methods are those of
 * diagnose.h. */
summary_row *summary_compute(const draws *d, arena *a, size_t *n /* OUT */);

/* Of weighted particles [cells of all quantities, row-major]: mean, sd and mcse of the rows become theirs, both ESS the number of
 * particles of equal weight, that of the tails no more than the resampled draws, of which the quantiles are.  R-hat is undefined. */
void summary_weigh(summary_row *rows, size_t n, const draws *d, const weighted_moments *m, double ess);

/* The table, appended to out.  max_rows 0: all.  where: shown in the line about rows left out, e.g. "out/school"; may be
 * NULL. */
void summary_text(strbuf *out, const draws *d, const summary_row *rows, size_t n, size_t max_rows, const char *where);

/* All rows, tab-separated (so that a pattern for the chains, *.csv, finds chains alone): name, mean, mcse, sd, q5, q50, q95, ess_bulk, ess_tail, rhat. */
void summary_tsv(strbuf *out, const draws *d, const summary_row *rows, size_t n);

#endif
