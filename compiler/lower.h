/* lower.h: from a checked tree to IR.
 *
 * lower_model turns one model into the function @<name> of a module, with the distributions it uses as functions beside it.
 * Extents stay symbolic; only which defaults stand in for absent data has to be known.  The tree was checked without error, so
 * the only diagnostics here are for what the language allows and this compiler does not run yet. */
#ifndef AIM_COMPILER_LOWER_H
#define AIM_COMPILER_LOWER_H

#include "compiler/check.h"

/* Observed data of which some values are missing, or an unknown of which some elements are given: a fact that the code is made for.  For y
 *   y.at     int[n, rank]: their places, each index from 0, in row-major order
 *   y.seen   bool, of the shape of y: the others
 *   y.slot   int, of the shape of y: the number of a missing one, from 0; of others 0
 *   y_mis    [n]: the missing ones themselves
 * y has any values in their places.  If they are unknowns of the model (latent), y_mis is a site with density 1, what the model reads as y is y with
 * y_mis in its places, and the density of y_mis comes from the statements that observe y.  Else these statements count what was seen only, and
 * y_mis is a prediction.  Of an unknown that is given in part they are called y_free, are latent, and y as a whole is reported. */
typedef struct lower_missing {
  const char *name;
  const char *gap;     /* the name of the missing ones: y_mis, or y_free */
  bool given;          /* y is an unknown that is given in part */
  int64_t n;           /* at least 1 */
  bool latent, discrete;
  const int64_t *at;   /* [n * rank], as y.at */
} lower_missing;

/* Observed arrays that are drawn: a statement that observes elements draws them, and what reads them reads what was drawn.  Elements that nothing observes keep the values of
 * the data.  Statements come in the order of the program, or where symbol.early says that this may not serve, in one of what depends on what (lower_arrange.c). */
typedef enum lower_order {
  ORDER_NONE,
  ORDER_MISSING, /* missing values that are unknowns of the model: y_mis is a latent site, drawn from the distribution that its statement says */
  ORDER_DATA,    /* all that is observed: y.rep, a name that no program can write, is a latent site, and the model draws data and unknowns together */
  ORDER_REPLICAS /* the y of which in_order is set: y_rep is a predicted site, and what the model tracks; the rest serves these draws */
} lower_order;

/* A read of what is not drawn yet, whatever the order of the statements: y, and the expression. */
typedef struct lower_ahead {
  const symbol *y;
  const ast_expr *at;
} lower_ahead;

typedef struct lower_options {
  /* True if data was given for this name of the signature; otherwise its default is used.  NULL: all given. */
  bool (*given)(void *user, const char *name);
  /* True for a latent whose values are data of this run: it is observed where the model draws it.  NULL: none is. */
  bool (*fixed)(void *user, const char *name);
  void *user;
  const lower_missing *missing; /* [nmissing] */
  size_t nmissing;
  bool replicate;       /* every observed y is replicated, as by `predict y`, under the name y.rep, given the observed values of what is read */
  lower_order order;
  const bool *in_order; /* [sites of the model] y with `predict y` is drawn in order: by ORDER_REPLICAS, and not beside its observations; NULL: none is */
  lower_ahead *ahead;   /* OUT; with ORDER_NONE it may be NULL */
} lower_options;

/* NULL after a diagnostic, or, where data are drawn in order, with *options->ahead set.  The module's size table is p->sizes. */
ir_fn *lower_model(check_program *p, ir_module *m, const check_model *model, const lower_options *options);

/* The functions <support>_constrain and <support>_log_jacobian of the prelude for a point of this type, e.g.
 * simplex over real[K]: parameters u (and lo where lower is set), results x and the log Jacobian.  One function with two
 * results, made once for each shape. */
ir_fn *lower_bijector(check_program *p, ir_module *m, ir_support support, bool lower, ir_type point);

#endif
