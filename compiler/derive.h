/* derive.h: the programs of a model (docs/ir.md, section 5).
 *
 * Each derivation reads the model function and adds a function to its module; none changes the model, except derive_prepare, which
 * comes first.  What they return has calls in it: passes_run makes it ready for an engine. */
#ifndef AIM_COMPILER_DERIVE_H
#define AIM_COMPILER_DERIVE_H

#include "compiler/check.h"

#include <string.h>

/* Moves what depends on data alone out of the model into @prepare: the r-th result of @prepare is the parameter "frame.<r>" of the
 * model and of everything derived from it.  NULL when there is nothing to move. */
ir_fn *derive_prepare(ir_module *m, ir_fn *model);

/* @density(latents) -> log prior, log likelihood, log factors. */
ir_fn *derive_density(check_program *p, ir_module *m, const ir_fn *model);
/* @tempered(latents) -> the log density at inverse temperature 0, and what each unit of inverse temperature adds to it: minus the energies,
 * in a model without any the log likelihood and log factors. */
ir_fn *derive_tempered(check_program *p, ir_module *m, const ir_fn *model);
bool derive_has_energy(const ir_fn *model);
/* @logdens(unconstrained latents) -> log density of the unconstrained point, Jacobian included; with `mode` without it, so that its
 * maximum is that of the density of the latents themselves.  Sites that are held (ir_site) are given on their own support. */
ir_fn *derive_logdens(check_program *p, ir_module *m, const ir_fn *model, bool mode);
/* @constrain(unconstrained latents) -> latents.  block: a function of that name, where sites that are held (ir_site) are given as they are. */
ir_fn *derive_constrain(check_program *p, ir_module *m, const ir_fn *model, const char *block /* its name, or NULL */);
/* @prior(key) -> latents drawn from the prior.  NULL with *why (a site that cannot be drawn) if there is none. */
ir_fn *derive_prior(check_program *p, ir_module *m, const ir_fn *model, const ir_site **why);
/* A site of a finite type under Flat(): each of its values has the weight 1, and a draw is any of them. */
bool derive_alike(const ir_tilde *t);
/* An instance of Flat(), whose names end in what they draw. */
static inline bool derive_is_flat(const ir_dist *d) { return strncmp(d->name, "Flat.", 5) == 0; }
/* @outputs(latents, key) -> what the model tracks, predicted sites among it, in order; then what `more` tracks, a model of the same data and latents, or NULL.
 * NULL if there is nothing.  Of a recovery (sum_out.h) it is @recover. */
ir_fn *derive_outputs(check_program *p, ir_module *m, const ir_fn *model, const ir_fn *more, const char *name);

/* A track that says what the array of a latent is (ir_site.gathered): no output. */
bool derive_gathers(const ir_fn *model, const ir_op *track);

/* @loglik(latents) -> for each observed site, in order, the log density of each of its events: an array of the site's axes without those of
 * one event.  Elements that nothing observes are 0.  site [nsites of the model]: which ones, *n of them.  NULL if there is none. */
ir_fn *derive_loglik(check_program *p, ir_module *m, const ir_fn *model, const ir_site **site /* OUT */, uint32_t *n /* OUT */);

/* @local.<site>(latents, index...) -> the terms of @density that depend on this element of the site: one sum where they are taken
 * `together`, else a sum for each result of it, as drivers that temper want of @tempered.  `density` is that function after inlining and
 * the structural passes, before fma is formed.  Index lists of gathers become frame values: *prepare is extended, or made.  *local tells
 * whether no loop over the whole model is left. */
ir_fn *derive_local(ir_module *m, const ir_fn *density, ir_fn **prepare, const ir_site *site, bool together, bool *local);
/* The same function with sums of sums as sums over boxes, which derive_local narrows along every axis.  density: as there. */
ir_fn *derive_boxes(ir_module *m, const ir_fn *density);
/* @weights.<site>(latents, list, first, n) -> real[states, piece]: the log weight of each state of the elements list[first] .. list[first + n - 1] given
 * everything else, up to a constant for each element; n is at most `piece`, and behind it stands nothing of use.  Elements are numbered in row-major order.  states->apart: none
 * reads another; then there is no list, unless they are asked for in any order (scattered): the elements are first .. first + n - 1.  The piece is DERIVE_WEIGHED, but 1 where elements read each other and no
 * classes of them are made that do not (coloured).  A scalar site has no list, first and n, and its result is real[states].
 * local: @local.<site>.  NULL where its states are not known, or not the same for all elements. */
enum { DERIVE_WEIGHED = 256 };
typedef struct derive_states {
  bool apart, listed;
  uint32_t piece;
  int64_t first, step; /* the k-th state is first + k step */
} derive_states;
ir_fn *derive_weights(ir_module *m, const ir_fn *model, const ir_fn *local, const ir_site *site, bool scattered, bool coloured, derive_states *states /* OUT */);
/* @conflicts.<site>(latents, index...) -> above 0 if the element's weights depend on others that are marked: the site's own array holds 1 for these and 0 for the
 * rest.  NULL where that depends on latents. */
ir_fn *derive_conflicts(ir_module *m, const ir_fn *model, const ir_fn *local, const ir_site *site);
/* @joint.<site>(latents) -> the gradient of the log density with respect to the site's whole array, where that density is a polynomial of degree 2 in it: the conditional is one
 * multivariate normal.  NULL where it is not.  density: as it was derived, calls and all. */
ir_fn *derive_joint(ir_module *m, const ir_fn *density, ir_fn **prepare, const ir_site *site, bool statistics);
/* @slim.<site>(latents, given...) -> the terms of the log density that depend on the site, and *given, @given.<site>(latents) -> given...: statistics of data and of the other latents, which
 * do not change while the site moves.  NULL where there is nothing to gain by them.  density: as it was derived. */
ir_fn *derive_given(ir_module *m, const ir_fn *density, const ir_site *site, ir_fn **given /* OUT */);
/* @bounds.<site>(latents, index...) -> lower and upper end of the element's support (-inf, inf where there is none). */
ir_fn *derive_bounds(check_program *p, ir_module *m, const ir_fn *model, const ir_site *site);
/* @point.<site>(u, lo) -> one event of a site with a support of vectors or matrices, and the log Jacobian.  lo is there for every
 * site and is read by bounded ordered ones.  NULL for scalar and discrete sites. */
ir_fn *derive_point(check_program *p, ir_module *m, const ir_fn *model, const ir_site *site);

/* The parameter of a site on the unconstrained space: batch axes, then the axes of one unconstrained event.  Discrete
 * sites have none: rank and elem are those of the site. */
ir_type derive_uncon_type(ir_module *m, const ir_site *site);
bool derive_is_discrete(const ir_site *site);
/* Copies the body of c->from into fn, whose parameters c->map knows, and returns the sum of its results. */
void derive_sum(ir_fn *fn, ir_cloner *c);

#endif
