/* check_elements.h: an array that is built by elements, as the statements that set it have it; what check_state.h says of it is for everybody else. */
#ifndef AIM_COMPILER_CHECK_ELEMENTS_H
#define AIM_COMPILER_CHECK_ELEMENTS_H

#include "compiler/check_state.h"

typedef struct pre_loop pre_loop;
struct pre_loop {
  pre_loop *outer;
  const ast_range *range; /* NULL: the block of a `predict`, which arrays do not leave */
  bool is_for;
  unsigned conds; /* conditions around what stands in it, its own filter's included */
};

typedef struct piece {
  const ast_target *target; /* NULL: what a forecast continues */
  const ast_expr *value;    /* of a let */
  pre_loop *loops;
  const ast_stmt *branch_of; /* the innermost `if` around it */
  bool otherwise;            /* in its else */
  bool conditional;          /* an `if` or filter inside the array's scope */
  bool visited;
  bool untold;               /* check_order.c: where it is cannot be told */
  const ast_range *range[IR_MAX_RANK]; /* the loop that moves along each axis */
  bool down[IR_MAX_RANK];
  ir_size off[IR_MAX_RANK];
  ir_size lo[IR_MAX_RANK], hi[IR_MAX_RANK];
} piece;

struct elements {
  const char *name;
  pre_loop *home; /* NULL: the body */
  piece *pieces;
  size_t n, cap;
  size_t naxes;
  bool resolved, broken;
  ir_size ext[IR_MAX_RANK];
  symbol *sym;
  const ty_info *element;
  span element_at;
  bool assumed; /* sym->type is what elements_assume made of it */
};

/* ---- check_order.c */
/* Notes what may turn out to observe data. */
void order_collect(ctx *c, const ast_target *t, pre_loop *loops);
/* The place of an observation along an axis of that extent; lo and hi stay IR_SIZE_NONE where they are no sizes.  False where it is not a slice, or a loop's index plus a size. */
bool elements_place(ctx *c, piece *p, size_t a, ir_size extent);
/* Something of what is read here may be set by p later on. */
bool elements_ahead(ctx *c, const elements *e, const piece *p, const ast_exprs *subs);

#endif
