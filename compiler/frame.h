/* frame.h: more for @prepare, after the model has been split (prepare.c): what a derived function computes from data alone is cloned
 * into @prepare, built upon there, and comes back as a frame parameter.
 *
 *     frame f;
 *     frame_open(&f, m, fn, &prepare);
 *     ... build at f.b from ir_map_get(&f.c.map, v) ...
 *     ir_val v = frame_add(&f, fn, x);
 */
#ifndef AIM_COMPILER_FRAME_H
#define AIM_COMPILER_FRAME_H

#include "compiler/ir.h"

typedef struct frame {
  ir_module *m;
  ir_fn *prepare;
  ir_builder b; /* at the end of @prepare */
  ir_cloner c;  /* from the function: what has an image is known in @prepare */
} frame;

/* Opens @prepare (*prepare, which is made where NULL and the module has none), with images of the data and frame parameters of `from` and of those of its top-level
 * operations that depend on nothing else. */
void frame_open(frame *f, ir_module *m, const ir_fn *from, ir_fn **prepare /* IN OUT */);
/* Clones op, of `from`, to b if @prepare knows all that it reads. */
void frame_clone(frame *f, ir_builder *b, const ir_op *op);
/* Makes v another result of @prepare; returns the parameter of fn that stands for it. */
ir_val frame_add(frame *f, ir_fn *fn, ir_val v);

bool frame_is_prepare(const ir_fn *fn);
/* At the end, when passes have run on @prepare: results that no function of the module reads go, equal ones become one, and
 * parameters are renamed.  *prepare becomes NULL, and leaves the module, if nothing is left. */
void frame_tidy(ir_module *m, ir_fn **prepare /* IN OUT */);

#endif
