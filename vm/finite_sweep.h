/* finite_sweep.h: finite sites drawn from their conditionals by @weights.<site> (derive.h): as many elements at once as are independent given everything else.
 *
 * Elements of one class do not depend on each other: they are weighed together and drawn together, in pieces (program_site.piece).  Classes follow each other, each
 * given what the ones before drew.  Where no element depends on another there is one class; else every element is one, or, in coloured order, the
 * classes are the colours of the graph of dependence, found greedily by asking @conflicts.<site>.
 *
 * The draw of an element is rt_draw_choice at the address (sweep, site, element) whatever is drawn beside it, so classes are a matter of order and speed. */
#ifndef AIM_VM_FINITE_SWEEP_H
#define AIM_VM_FINITE_SWEEP_H

#include "vm/eval.h"

struct mh_walk;
struct mh_tables;

typedef struct finite_order {
  bool weighed;         /* the site has weights, and not too many states */
  const int64_t *list;  /* [batch] elements in the order of the classes; NULL: 0, 1, ... */
  const size_t *start;  /* [classes + 1] where classes begin in it; NULL: each element is one */
  size_t classes;
} finite_order;

/* The order of a site as the model has it; memory from the arena, which x keeps. */
void finite_order_make(finite_order *x, const eval_model *m, size_t site, arena *mem);
/* Colours the elements of every site where they depend on each other; a site whose dependence moves with the state keeps its order, and elements that no
 * FINITE_MOST_COLOURS colours hold come behind, each alone.  False when an index was out of range: then in w->faults. */
enum { FINITE_MOST_COLOURS = 64 };
bool finite_order_colour(finite_order *x, eval_worker *w, size_t site, arena *mem);

/* Draws elements of a site whose elements are apart and listed: list [n], in whatever order.  False with c->status. */
bool finite_draw(struct mh_walk *c, size_t site, const int64_t *list, size_t n);
/* Draws the elements at places first .. first + n - 1 of the site's order.  False with c->status. */
bool finite_sweep(struct mh_walk *c, size_t site, size_t first, size_t n);

#endif
