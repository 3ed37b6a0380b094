/* lower.h: from a checked tree to IR.
 *
 * lower_model turns one model into the function @<name> of a module, with the distributions it uses as functions beside it.
 * Extents stay symbolic; only which defaults stand in for absent data has to be known.  The tree was checked without error, so
 * the only diagnostics here are for what the language allows and this compiler does not run yet. */
#ifndef AIM_COMPILER_LOWER_H
#define AIM_COMPILER_LOWER_H

#include "compiler/check.h"

typedef struct lower_options {
  /* True if data was given for this name of the signature; otherwise its default is used.  NULL: all given. */
  bool (*given)(void *user, const char *name);
  /* True for a latent whose values are data of this run: it is observed where the model draws it.  NULL: none is. */
  bool (*fixed)(void *user, const char *name);
  void *user;
} lower_options;

/* NULL after a diagnostic.  The module's size table is p->sizes. */
ir_fn *lower_model(check_program *p, ir_module *m, const check_model *model, const lower_options *options);

/* The functions <support>_constrain and <support>_log_jacobian of the prelude for a point of this type, e.g.
 * simplex over real[K]: parameters u (and lo where lower is set), results x and the log Jacobian.  One function with two
 * results, made once for each shape. */
ir_fn *lower_bijector(check_program *p, ir_module *m, ir_support support, bool lower, ir_type point);

#endif
