/* replicate.h: whether a model can draw data: all of its own, what is missing of them, and replicas.
 *
 * Data are drawn in the order of what depends on what (lower.h: lower_order), together with the latents: what observes elements draws them, and what reads them reads what
 * was drawn.  Every latent has to have a prior that can be drawn, and what the model observes has to be drawn by `observe` statements alone: no size is one of its
 * values.  Factors and energies have no draws, and are no part of that distribution. */
#ifndef AIM_COMPILER_REPLICATE_H
#define AIM_COMPILER_REPLICATE_H

#include "compiler/lower.h"
#include "compiler/program.h"

/* What the data and the checked tree tell of a model that is to draw all of its data: after program_bind, before lowering.  False after a diagnostic (E0914) about the first
 * site that is in the way. */
bool replicate_sites(program *p);
/* Says (E0914) that a read of data that the model draws is ahead of their draw. */
void replicate_ahead(program *p, const lower_ahead *ahead);
/* p->ir, lowered with the data as they are, for draws given these: false after a diagnostic (E0914) where a draw depends on them. */
bool replicate_reads(program *p);
/* `site` is a latent without a prior that can be drawn. */
void replicate_improper(program *p, const ir_site *site);

/* Whether the missing values that are unknowns can be drawn from the prior, whatever the order.  False after a diagnostic (E0912). */
bool replicate_missing(program *p);
/* Says (E0912) that a read of them is ahead of their draw. */
void replicate_missing_ahead(program *p, const lower_ahead *ahead);

/* [sites of the model] The y with `predict y` whose replica is drawn in order; NULL where there are none.  Of the others y is read by nothing. */
const bool *replicate_in_order(const program *p);
/* p->in_order without y, which is read ahead of its draw. */
const bool *replicate_without(const program *p, const symbol *y);
/* Notes of those that depend on observed values all the same (N0914). */
void replicate_say_lags(program *p);

#endif
