/* ascend.h: one maximisation of a log density on the unconstrained space, from a random initial point: the kernel
 * (stdlib/runtime/rt_lbfgs.h) with the evaluations it asks for.  Takes all memory from its caller and calls no allocator. */
#ifndef AIM_VM_ASCEND_H
#define AIM_VM_ASCEND_H

#include "stdlib/runtime/rt_lbfgs.h"
#include "vm/nuts_chain.h"

typedef struct ascent_options {
  uint64_t key;         /* of the initial point */
  double init_radius;   /* initial points are uniform on (-r, r)^dim */
  double tolerance;     /* of the log density, in nats */
  uint32_t iterations;  /* at most */
} ascent_options;

/* Called at the initial point and at each iterate; a result other than 0 ends the maximisation. */
typedef int ascent_on_step(void *user, const rt_lbfgs *s);

typedef struct ascent_target {
  size_t dim;
  nuts_density density;
  void *density_user;
  ascent_on_step *on_step; /* may be NULL */
  void *step_user;
} ascent_target;

typedef enum ascent_status {
  ASCENT_CONVERGED,
  ASCENT_LIMIT,     /* the iterations were used up, or no line gave a better point, before the tolerance was reached */
  ASCENT_STOPPED,   /* by on_step */
  ASCENT_E_DENSITY, /* by the density */
  ASCENT_E_INIT     /* no initial point with finite density and gradient */
} ascent_status;

/* Doubles of workspace; 0 if dim is 0 or too large. */
size_t ascent_doubles(size_t dim);
/* s->x, s->lp and s->g are where it ended, in work. */
ascent_status ascend(const ascent_options *o, const ascent_target *t, double *work, rt_lbfgs *s);

#endif
