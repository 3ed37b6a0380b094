/* spin_order.h: which sites of a form may be visited together.
 *
 * Sites that are not coupled do not see each other, so those of one colour, no two of them neighbours, are drawn from their conditionals all at once or in any
 * order alike.  An order by colours lets kernels work on many sites side by side. */
#ifndef AIM_VM_SPIN_ORDER_H
#define AIM_VM_SPIN_ORDER_H

#include "vm/spin_form.h"

/* All sites [n] by colour and rising within one; each gets the least colour that no coupled site before it has (greedy colouring).  Arena. */
uint32_t *spin_order_coloured(const rt_spin_problem *p, arena *mem);

/* The problem of a form of height x width sites, row-major, as the lattice that RT_SPIN_PLANE takes: neighbours in rows and columns alone, couplings -J, 0
 * and J, no fields.  False where it is none.  Memory from the arena. */
bool spin_order_plane(const spin_form *f, size_t height, size_t width, arena *mem, rt_spin_problem *out /* OUT */);

#endif
