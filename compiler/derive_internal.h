/* derive_internal.h: what the derivations share: the walk over a model that replaces its own operations. */
#ifndef AIM_COMPILER_DERIVE_INTERNAL_H
#define AIM_COMPILER_DERIVE_INTERNAL_H

#include "compiler/derive.h"

/* A value of the model that is part of a site's array: element, slice or all of it.  axes has one entry for each axis of the
 * site, 0 where the value has that axis.  `blank`: a new array, which is part of any. */
typedef struct site_image {
  const ir_site *site;
  bool blank;
  ir_axes axes;
} site_image;

/* The image of each value of the model; site NULL and not blank where it has none. */
site_image *derive_images(arena *mem, const ir_fn *model);
/* a and b compute the same from the same. */
bool derive_same_value(const ir_fn *fn, ir_val a, ir_val b);

typedef enum derive_form { FORM_DENSITY, FORM_LOGDENS, FORM_CONSTRAIN, FORM_BLOCK, FORM_PRIOR, FORM_OUTPUTS, FORM_BOUNDS, FORM_LOGLIK } derive_form;

enum { PART_PRIOR, PART_LIKELIHOOD, PART_FACTOR, PART_ENERGY /* minus the energies */, PART_COUNT };

/* FORM_LOGLIK: the log density of observations of a site (derive_loglik.c).  axes has an entry for each axis that does not belong to one
 * observation; val has those whose entry is 0. */
typedef struct loglik_point {
  const ir_site *site;
  ir_axes axes;
  ir_val val;
} loglik_point;

typedef struct derivation {
  check_program *p;
  ir_module *m;
  const ir_fn *model;
  ir_fn *fn;
  derive_form form;
  bool mode;            /* FORM_LOGDENS: without the Jacobian */
  site_image *image;
  ir_val *site_param;   /* of fn, by site number */
  ir_val key;
  ir_val part[PART_COUNT]; /* terms of the block that is being walked; FORM_BOUNDS: the bounds, largest of what matches */
  ir_val *track;        /* images of tracked values */
  uint32_t ntracks, cap_tracks;
  loglik_point *point;     /* FORM_LOGLIK: those met and not yet placed */
  uint32_t npoints, cap_points;
  const ir_site *undrawable;
  const ir_site *target;   /* FORM_BOUNDS: whose bounds; at this index */
  ir_val index[IR_MAX_RANK];
  ir_cloner c;
} derivation;

/* Starts fn with the model's data and frame parameters; sites get theirs from the form. */
derivation *derive_begin(check_program *p, ir_module *m, const ir_fn *model, const char *name, derive_form form);
void derive_walk(derivation *d);

enum { DERIVE_MAX_ARGS = 66 }; /* of a distribution's member: its parameters, and x */

/* Adds to the terms of the block that is being walked; does nothing where the form has none. */
void derive_add_part(derivation *d, ir_builder *b, int part, ir_val v);
void derive_add_bounds(derivation *d, ir_builder *b, const ir_tilde *t); /* FORM_BOUNDS */
/* The value of a sample operation, drawn; notes in d->undrawable a site that cannot be. */
ir_val derive_draw(derivation *d, ir_builder *b, const ir_op *op);
ir_val derive_in_bounds(ir_builder *b, ir_val x, ir_val lo, ir_val hi); /* lo <= x <= hi; 0: no bound */
ir_val derive_blank(ir_builder *b, ir_type t); /* 0, false, an array of them */
/* An argument at a position of the event that a distribution of scalars is spread over; its parameters' ranks. */
ir_val derive_spread_arg(ir_builder *b, ir_val arg, uint32_t formal_rank, uint32_t nidx, const ir_val *idx);
uint32_t derive_formal_rank(const ir_fn *member, uint32_t k);
/* The log density of a value with the distribution's arguments, spread over the value where that is larger than an event. */
ir_val derive_tilde_term(ir_builder *b, const ir_dist *dist, ir_val value, uint32_t n, const ir_val *given);
/* That of one sample or observe operation of the model. */
ir_val derive_term(derivation *d, ir_builder *b, const ir_op *op, ir_val value);
/* The same, one term for each event where the value is an array of them. */
ir_val derive_terms(derivation *d, ir_builder *b, const ir_op *op, ir_val value);

/* FORM_LOGLIK: an observation becomes a point; points from `first` on leave a loop that stands in b, or an if, whose second branch has those
 * from `middle` on. */
void derive_point_observe(derivation *d, ir_builder *b, const ir_op *op);
void derive_points_loop(derivation *d, ir_builder *b, ir_op *loop, uint32_t first);
void derive_points_if(derivation *d, ir_op *branch, ir_builder *then_, ir_builder *else_, uint32_t first, uint32_t middle);
/* The model's value in fn. */
ir_val derive_get(derivation *d, ir_val v);
ir_axes derive_get_axes(derivation *d, const ir_axes *axes);

#endif
