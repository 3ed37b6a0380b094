/* replicate.h: whether latents drawn from the prior, and data drawn given them, are a draw of the joint distribution that a model names.
 *
 * They are where every latent has a prior that can be drawn, and what the model observes is drawn by `observe` statements alone: no size is one of its
 * values, none is missing, and no statement that draws or observes depends on them in another way.  Factors and energies have no draws, and are no
 * part of that distribution. */
#ifndef AIM_COMPILER_REPLICATE_H
#define AIM_COMPILER_REPLICATE_H

#include "compiler/program.h"

/* What the data and the checked tree tell: after program_bind, before lowering.  False after a diagnostic (E0914) about the first site that is in the way. */
bool replicate_sites(program *p);
/* What p->ir, as it was lowered, tells.  The same. */
bool replicate_reads(program *p);
/* `site` is a latent without a prior that can be drawn. */
/* Notes of `predict y` where y depends on its own observed values: y_rep does not go its own way. */
void replicate_say_lags(program *p);
void replicate_improper(program *p, const ir_site *site);

#endif
