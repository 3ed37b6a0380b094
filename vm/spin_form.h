/* spin_form.h: the energy of a model as a form in pairs of its finite sites, with numbers.
 *
 *     E = constant - sum_{i<j} J_ij s_i s_j - sum_i h_i s_i,            s_i in {-1, +1}
 *     E = constant - sum_{i<j} J_ij [s_i = s_j] - sum_i H_i[s_i],       s_i in 1 .. q
 *
 * It is found once data is bound, by evaluating @tempered with polynomials in place of numbers wherever a latent is read: whatever way the model writes its sums
 * (edge lists, matrices, neighbours on a lattice, conditions), what comes out is the list of couplings.  A truth value x stands for s = 2 x - 1. */
#ifndef AIM_VM_SPIN_FORM_H
#define AIM_VM_SPIN_FORM_H

#include "vm/eval.h"

#include "stdlib/runtime/rt_spin.h"

typedef struct spin_form {
  size_t n;           /* cells of the frame of latents, each a spin, or */
  size_t q;           /* a colour of so many; 0: spins */
  const double *H;    /* colours: [n][q] or NULL */
  const bool *truth;  /* [n] the site is one of truth values */
  double constant;
  size_t couplings;   /* pairs */
  rt_spin_problem problem;
} spin_form;

/* False, with *why in mem, where the energy is something else.  Memory from the arena. */
bool spin_form_find(const eval_model *m, arena *mem, spin_form *out, const char **why);

#endif
