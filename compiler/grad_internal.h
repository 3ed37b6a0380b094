/* grad_internal.h: what the files of differentiation share.
 *
 * A *scope* is one block of the source function being differentiated: its operations are emitted forward, then their adjoints
 * backward, into one block of the new function.  Values of the source block have an image there (grad.clone.map) and collect
 * *parts* of their adjoint.  A part for a value from further out is kept by the inner scope until the block is done; then it
 * leaves the block through an output of the loop or if around it, and becomes a part in the scope outside.
 *
 * A source block is open in at most one scope at a time, so images and seeds need only one slot for each source value. */
#ifndef AIM_COMPILER_GRAD_INTERNAL_H
#define AIM_COMPILER_GRAD_INTERNAL_H

#include "compiler/grad.h"

typedef struct grad_scope grad_scope;

/* One summand of an adjoint.  Dense (axes.n == 0): a value of the type of what it belongs to.  Keyed: val is added at axes, which
 * as in a KEYED output are ints, `:`, or int arrays of one shape. */
typedef struct grad_part {
  ir_val val;
  ir_axes axes;
  bool pad; /* the key may be a stand-in, 0 with a zero val, in an array that may be empty */
  struct grad_part *next;
} grad_part;

/* The parts that one scope holds for one value; `below` is what scopes further out hold. */
typedef struct grad_adjoint {
  ir_val v;
  grad_scope *scope;
  grad_part *dense; /* at most one, the sum so far */
  grad_part *keyed;
  struct grad_adjoint *below, *next;
} grad_adjoint;

typedef struct grad_seed grad_seed;

typedef struct grad_info {
  const ir_block *home;  /* the source block that defines the value */
  uint32_t order;        /* of its defining operation in the text; 0 for parameters */
  bool constant;         /* counts as one: grad_shift.c */
  bool active, useful;   /* depends on a differentiated parameter; the result depends on it */
  bool fused;            /* result of a loop or if whose adjoint was emitted with it */
  grad_seed *seed;
  grad_adjoint *adjoint;
  ir_val stack;          /* a state, or a read of a KEYED one, of a scan: its values by iteration, in the new function; the index of one
                            that may end early: how many iterations ran */
} grad_info;

typedef struct grad {
  arena *mem;
  ir_module *m;
  const ir_fn *f;
  ir_fn *to;
  ir_cloner clone; /* user: the grad itself */
  grad_info *info; /* by source value */
  grad_seed *unknown;
  bool recompute;  /* what is cloned now has been computed before: its guards do not count again */
} grad;

struct grad_scope {
  grad_scope *outer;
  const ir_block *src;
  ir_builder b;
  ir_op *loop;    /* the new loop whose body this is; NULL: a branch or the function's body */
  bool rewind;    /* body of a loop run a second time: states come from what the first run left */
  bool recompute;
  grad_adjoint *list;
};

static inline bool grad_needed(const grad *g, ir_val v) { return v && g->info[v].active && g->info[v].useful; }
static inline ir_val grad_image(const grad *g, ir_val v) { return v ? ir_map_get(&g->clone.map, v) : 0; }
ir_axes grad_image_axes(const grad *g, const ir_axes *axes);

/* ---- grad.c: the walk */

grad_scope grad_scope_open(grad *g, grad_scope *outer, const ir_block *src, ir_block *into, ir_op *loop, bool recompute);
void grad_scope_close(grad *g, grad_scope *s); /* forgets the parts it holds */
void grad_forward(grad *g, grad_scope *s);     /* after the seeds of the block's results are set */
void grad_reverse(grad *g, grad_scope *s);

/* How an operation takes part.  The table is complete by construction: an operation of ir_ops.h without an entry does not
 * compile. */
typedef enum grad_kind {
  GRAD_ZERO,   /* no real result, or a derivative that is 0 */
  GRAD_RULE,   /* grad_rule */
  GRAD_REGION, /* loops and ifs */
  GRAD_REFUSE  /* no derivative, or not of a derived function */
} grad_kind;
extern const uint8_t grad_kind_table[IR_OP_COUNT];

/* ---- grad_shift.c: marks values that cancel as constant. */
void grad_find_shifts(grad *g);

/* ---- grad_rules.c: adds the adjoints of the operands of op, whose result has the adjoint r. */
void grad_rule(grad *g, grad_scope *s, const ir_op *op, ir_val r);

/* ---- grad_loop.c, grad_if.c: the adjoint of a loop or if.  fused: emits the operation itself as well. */
void grad_loop(grad *g, grad_scope *s, ir_op *op, bool fused);
void grad_if(grad *g, grad_scope *s, ir_op *op, bool fused);
/* Emits scan op forward, with outputs that keep what running its body again needs. */
void grad_clone_scan(grad *g, grad_scope *s, ir_op *op);

/* ---- grad_adjoint.c: parts */

void grad_add(grad *g, grad_scope *s, ir_val v, ir_val part);
void grad_add_keyed(grad *g, grad_scope *s, ir_val v, ir_axes axes, ir_val part, bool pad);
/* The adjoint of v, dense, from the parts that s holds, which are then gone; 0 if there is none. */
ir_val grad_take(grad *g, grad_scope *s, ir_val v);
grad_adjoint *grad_parts(const grad *g, const grad_scope *s, ir_val v);
/* acc, or zeros of the type of v, with a keyed part added. */
ir_val grad_place(grad *g, ir_builder *b, ir_type type, ir_val acc, const grad_part *part);
/* The part of array x at axes: `at`, but axes may be int arrays. */
ir_val grad_gather(ir_builder *b, ir_val x, const ir_axes *axes);
/* v collects keyed parts in its own scope as well: the state of an INTO or KEYED output. */
bool grad_is_keyed_state(const grad *g, ir_val v);
/* Turns what t, the body of loop t->loop, holds for values from outside into outputs of the loop. */
void grad_leave_loop(grad *g, grad_scope *t);
/* The same for the two blocks of a new if. */
void grad_leave_if(grad *g, grad_scope *then_, grad_scope *else_, ir_op *branch);

/* ---- grad_value.c: small emitters.  Those for reals fold literals 0, 1 and -1. */

ir_val grad_mul(ir_builder *b, ir_val x, ir_val y);
ir_val grad_neg(ir_builder *b, ir_val x);
ir_val grad_sum(ir_builder *b, ir_val x, ir_val y); /* any type; 0 is no value */
ir_val grad_zero(ir_builder *b, ir_type type);
ir_val grad_scale(ir_builder *b, ir_val scalar, ir_val x); /* x of any type */
/* Element by element over a type: for a scalar type the builder itself, else a plate. */
typedef struct grad_each {
  ir_builder b;
  ir_op *plate;
  ir_axes at;
} grad_each;
grad_each grad_each_begin(ir_builder *b, ir_type type);
ir_val grad_each_get(grad_each *e, ir_val x);
ir_val grad_each_end(grad_each *e, ir_val y);
/* The adjoint r is a positive literal: only sums and products with literals lead from the value to the result, which is -inf or
 * NaN where the value is -inf. */
static inline bool grad_of_density(const grad *g, ir_val r) {
  double c;
  return ir_is_real(g->to, r, &c) && c > 0;
}
bool grad_inside(const ir_fn *fn, ir_val v, const ir_op *loop); /* v is defined in the body of loop */

/* ---- grad_seed.c: adjoints that are known before the value they belong to.
 *
 * Going backward through a block, a value whose uses are all sums, differences and products with inactive values has an adjoint
 * that is an expression in what the block's results have.  A loop all of whose results are so is differentiated where it
 * stands, value and gradient in one. */

void grad_seed_reset(grad *g, const grad_scope *s);
void grad_seed_value(grad *g, const grad_scope *s, ir_val v, ir_val adjoint);
/* The adjoint of v is the sum of what stands in the arrays at axes, source values that need not be computed yet. */
void grad_seed_at(grad *g, const grad_scope *s, ir_val v, uint32_t n, const ir_val *arrays, const ir_axes *axes);
void grad_seed_forbid(grad *g, const grad_scope *s, ir_val v); /* known only after v */
void grad_seed_block(grad *g, const grad_scope *s);
/* Every needed result of op has a seed that can be emitted before op. */
bool grad_seed_ready(const grad *g, const ir_op *op);
ir_val grad_seed_emit(grad *g, grad_scope *s, ir_val v); /* 0: nothing uses v */

#endif
